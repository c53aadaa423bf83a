/*
 * What a script may use: instructions, memory, time; and how it ends when that
 * is not enough for it.
 */
#include "state_priv.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BIG	 32768 /* octets of a block that can make an instruction dear */
#define HEADER	 16    /* before a block of somebody else's */

static bool may_grow(struct state *, size_t, size_t);
static void look_oftener(struct thread *, size_t);
static void pay(struct thread *, uint64_t);
static void look_at_clock(struct thread *);
static uint64_t cpu_now(void);

void *
limit_alloc(void *arg, void *p, size_t old, size_t n)
{
	struct state *s = arg;
	void *q;

	if (p == NULL)
		old = 0; /* then it is a type */
	if (n == 0) {
		s->used -= old;
		free(p);
		return NULL;
	}
	if (n > old && s->now != NULL && !may_grow(s, old, n))
		return NULL;
	q = realloc(p, n);
	if (q == NULL)
		return n <= old ? p : NULL;
	s->used = s->used - old + n;
	return q;
}

/*
 * Lua collects all garbage and asks once more before it gives up. That takes
 * long with a full state, and at the brink it would be done for each object:
 * hence its price, and nothing more for whom it ruined.
 */
static bool
may_grow(struct state *s, size_t old, size_t n)
{
	struct thread *th = s->now, *root = th->root;
	size_t used = s->used + (n - old);
	int64_t grown = root->use.memory + (int64_t)(used - th->base);

	if (root->starved)
		return false;
	pay(th, n / 32);
	if (used > s->limits.memory || grown > root->growth) {
		root->full = grown <= root->growth;
		pay(th, s->used / 64);
		root->starved = root->use.instructions > root->limit;
		return false;
	}
	if (grown > root->use.peak)
		root->use.peak = grown;
	if (n > BIG)
		look_oftener(th, n);
	return true;
}

/*
 * A single instruction can compare two long strings, pass over all of a large
 * table or copy all arguments. So the larger what an event has made, the fewer
 * instructions go by between two looks at the clock: at most some 4 ms, by
 * what memory can be read in.
 */
static void
look_oftener(struct thread *th, size_t n)
{
	uint32_t step = (uint32_t)((uint64_t)LIMIT_STEP * BIG / n);

	if (step < 1)
		step = 1;
	if (step < th->root->looks)
		th->root->looks = step;
	if (step >= th->step)
		return;
	th->step = step;
	if (th->begun)
		lua_sethook(th->L, limit_hook, LUA_MASKCOUNT, (int)th->step);
}

/* What a library takes for itself counts as Lua's own. */
void *
state_take(size_t n, void *state)
{
	char *p = n > SIZE_MAX - HEADER ? NULL :
	    limit_alloc(state, NULL, 0, n + HEADER);

	if (p == NULL)
		return NULL;
	*(size_t *)(void *)p = n + HEADER;
	return p + HEADER;
}

void
state_give(void *p, void *state)
{
	char *block = p;

	if (p == NULL)
		return;
	block -= HEADER;
	(void)limit_alloc(state, block, *(size_t *)(void *)block, 0);
}

int
state_full(lua_State *L)
{
	return limit_memory(thread_of(L), L);
}

/* From where nothing can be raised: the next instruction does. */
static void
pay(struct thread *th, uint64_t steps)
{
	struct thread *root = th->root;

	th->slice += steps;
	root->use.instructions += steps;
	if (root->use.instructions > root->limit && th->begun)
		lua_sethook(th->L, limit_hook, LUA_MASKCOUNT, 1);
}

void
limit_hook(lua_State *L, lua_Debug *ar)
{
	struct thread *th = thread_of(L);

	if (th->root->stopped)
		(void)limit_stop(th, L, NULL);
	th->slice += th->step;
	th->root->use.instructions += th->step;
	look_at_clock(th);
	limit_check(th, L);
	if (th->slice < th->s->limits.slice || !lua_isyieldable(L))
		return;
	th->slice = 0;
	th->paused = true;
	(void)lua_yield(L, 0);
}

/*
 * An instruction may take long (comparing long strings, a collection), which
 * no count shows. Beyond a microsecond each, time is what is paid.
 */
static void
look_at_clock(struct thread *th)
{
	uint64_t now = cpu_now(), spent = 0;

	if (th->cpu != 0)
		spent = (now - th->cpu) / 1000;
	th->cpu = now;
	if (spent <= th->step)
		return;
	th->slice += spent - th->step;
	th->root->use.instructions += spent - th->step;
}

static uint64_t
cpu_now(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0)
		return 0;
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void
limit_check(struct thread *th, lua_State *L)
{
	char text[64];

	if (th->root->stopped)
		(void)limit_stop(th, L, NULL);
	if (th->root->use.instructions <= th->root->limit)
		return;
	if (th->root->starved)
		(void)limit_memory(th, L);
	(void)snprintf(text, sizeof(text), "more than %llu instructions",
	    (unsigned long long)th->root->limit);
	(void)limit_stop(th, L, text);
}

/*
 * Without allocation, since there may be no memory. What is raised is nobody's
 * business but ours; should anything but state_pass() hold it up, the next
 * instruction raises it again.
 */
int
limit_stop(struct thread *th, lua_State *L, const char *text)
{
	struct thread *root = th->root;

	root->stopped = true;
	if (root->fault == NULL && text != NULL) {
		root->fault = fault_new(L, text);
		if (root->fault != NULL)
			root->fault->limit = true;
	}
	lua_sethook(L, limit_hook, LUA_MASKCOUNT, 1);
	lua_pushlightuserdata(L, root);
	return lua_error(L);
}

void
limit_memory_text(const struct thread *root, char *text, size_t n)
{
	(void)snprintf(text, n, "more than %lld octets of memory%s",
	    root->full ? (long long)root->s->limits.memory
		       : (long long)root->growth,
	    root->full ? "" : " for one event");
}

int
limit_memory(struct thread *th, lua_State *L)
{
	char text[96];

	limit_memory_text(th->root, text, sizeof(text));
	return limit_stop(th, L, text);
}
