#include "host/scope.h"

#include "base/clock.h"
#include "base/obj.h"
#include "base/str.h"
#include "host/flight.h"
#include "host/scope_priv.h"

#define SCOPE_MAGIC 0x5c09e001u

enum { KEEP = 64 * 1024 }; /* of memory that a scope keeps for another use */

struct cleanup {
	void (*fn)(void *);
	void *arg;
	struct scope *needs; /* or NULL */
	struct shm_flight *recorder; /* or NULL */
	struct flight by;
	struct cleanup *next;
};

struct block {
	const void *owner;
	size_t n;
	void *p;
	struct block *next;
};

struct need {
	struct scope *outer;
	struct need *next;
};

struct scope {
	unsigned magic;
	unsigned holds; /* work, and other scopes, that need it */
	bool ended;
	size_t taken, max; /* by plugins */
	struct pool *pool;
	struct cleanup *cleanups; /* the last one first */
	struct block *blocks;
	struct need *needs; /* the innermost first */
};

/* Of posternstub, which fails one allocation after another. */
static struct {
	unsigned seen, fail;
} chaos;

static void clean(struct scope *s);
static void let_go(struct scope *s);
static void finish(struct scope *s);

struct scope *
scope_new(void)
{
	return scope_new_max(SCOPE_MAX);
}

struct scope *
scope_new_max(size_t max)
{
	struct scope *s;

	OBJ_NEW(s, SCOPE_MAGIC);
	s->pool = pool_new(0);
	s->max = max;
	return s;
}

void
scope_end(struct scope **sp)
{
	struct scope *s = *sp;

	if (s == NULL)
		return;
	OBJ_CHECK(s, SCOPE_MAGIC);
	ASSERT(!s->ended);
	*sp = NULL;
	s->ended = true;
	if (s->holds == 0)
		finish(s);
}

void
scope_hold(struct scope *s)
{
	OBJ_CHECK(s, SCOPE_MAGIC);
	s->holds++;
}

void
scope_unhold(struct scope **sp)
{
	struct scope *s = *sp;

	if (s == NULL)
		return;
	OBJ_CHECK(s, SCOPE_MAGIC);
	ASSERT(s->holds > 0);
	*sp = NULL;
	if (--s->holds == 0 && s->ended)
		finish(s);
}

bool
scope_held(const struct scope *s)
{
	OBJ_CHECK(s, SCOPE_MAGIC);
	return s->holds > 0;
}

void
scope_needs(struct scope *s, struct scope *outer)
{
	struct need **np, *n;

	OBJ_CHECK(s, SCOPE_MAGIC);
	for (np = &s->needs; *np != NULL; np = &(*np)->next) {
		if ((*np)->outer == outer)
			return;
	}
	n = POOL_NEW(s->pool, struct need);
	n->outer = outer;
	*np = n;
	scope_hold(outer);
}

void *
scope_alloc(struct scope *s, size_t n)
{
	OBJ_CHECK(s, SCOPE_MAGIC);
	chaos.seen++;
	if (chaos.fail > 0 && chaos.seen == chaos.fail)
		return NULL;
	if (n > s->max - s->taken)
		return NULL;
	s->taken += n;
	return pool_alloc(s->pool, n);
}

/* A second type under the same owner would be written past its end. */
void *
scope_data(struct scope *s, const void *owner, size_t n)
{
	struct block *b;
	void *p;

	OBJ_CHECK(s, SCOPE_MAGIC);
	for (b = s->blocks; b != NULL; b = b->next) {
		if (b->owner == owner)
			return n <= b->n ? b->p : NULL;
	}
	p = scope_alloc(s, n);
	if (p == NULL)
		return NULL;
	b = POOL_NEW(s->pool, struct block);
	b->owner = owner;
	b->n = n;
	b->p = p;
	b->next = s->blocks;
	s->blocks = b;
	return p;
}

void
scope_defer(struct scope *s, void (*fn)(void *), void *arg)
{
	scope_defer_by(s, fn, arg, NULL, NULL, NULL);
}

void
scope_defer_by(struct scope *s, void (*fn)(void *), void *arg,
    struct shm_flight *recorder, const struct flight *by, struct scope *needs)
{
	struct cleanup *c;

	OBJ_CHECK(s, SCOPE_MAGIC);
	c = POOL_NEW(s->pool, struct cleanup);
	c->recorder = recorder;
	if (by != NULL)
		c->by = *by;
	c->fn = fn;
	c->arg = arg;
	c->needs = needs;
	if (needs != NULL)
		scope_hold(needs);
	c->next = s->cleanups;
	s->cleanups = c;
}

size_t
scope_size(const struct scope *s)
{
	return s == NULL ? 0 : pool_size(s->pool);
}

unsigned
scope_failing(unsigned n)
{
	unsigned seen = chaos.seen;

	chaos.seen = 0;
	chaos.fail = n;
	return seen;
}

struct pool *
scope_pool(struct scope *s)
{
	OBJ_CHECK(s, SCOPE_MAGIC);
	return s->pool;
}

void
scope_recycle(struct scope **sp)
{
	struct scope *s = *sp;

	OBJ_CHECK(s, SCOPE_MAGIC);
	if (s->holds > 0 || pool_size(s->pool) > KEEP) {
		scope_end(sp);
		return;
	}
	clean(s);
	let_go(s);
	pool_reset(s->pool);
	s->blocks = NULL;
	s->taken = 0;
}

/* A clean-up may ask for another one; it has its turn as well. */
static void
clean(struct scope *s)
{
	struct cleanup *c;
	struct flight_was was;

	while ((c = s->cleanups) != NULL) {
		s->cleanups = c->next;
		if (c->recorder == NULL) {
			c->fn(c->arg);
		} else {
			c->by.since = clock_ticks();
			flight_enter(c->recorder, &c->by, &was);
			c->fn(c->arg);
			flight_leave(c->recorder, &was);
		}
		scope_unhold(&c->needs);
	}
}

static void
let_go(struct scope *s)
{
	struct need *n;

	while ((n = s->needs) != NULL) {
		s->needs = n->next;
		scope_unhold(&n->outer);
	}
}

static void
finish(struct scope *s)
{
	clean(s);
	let_go(s);
	pool_destroy(&s->pool);
	OBJ_FREE(s);
}
