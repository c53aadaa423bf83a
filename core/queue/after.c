/*
 * Branches that wait for others of their message, so that what may travel in
 * clear does not leave before what must not is known to be safe.
 *
 * On the disk a branch that waits is one whose first attempt is at its latest
 * moment, with the MIDs it waits for; so after a crash it waits on, unless none
 * of those is there any more. In memory its units wait in the schedule as any
 * others do, and what is here releases them sooner. A MID is done with when
 * each of its units was sent over a connection with the TLS it demands, or is
 * gone. That is asked when such a unit is sent or ends: nothing is polled.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/obj.h"
#include "queue/queue_priv.h"

struct after;

/* One that is waited for. */
struct edge {
	struct hash_node node; /* in queue.edges, by mid */
	uint64_t mid;
	struct after *of;
	char **secured; /* keys of next hops that had their TLS */
	unsigned nsecured;
};

struct after {
	unsigned magic;
	struct hash_node node; /* in queue.afters, by mid */
	uint64_t mid;
	msec not_before;
	unsigned store;
	unsigned n, left;
	struct edge v[];
};

static struct after *find(const struct queue *q, uint64_t mid);
static struct edge *first_edge(const struct queue *q, uint64_t mid);
static struct edge *next_edge(const struct edge *e);
static bool is_met(struct queue *q, const struct edge *e, bool *gone_r);
static void look(struct queue *q, uint64_t mid);
static void meet(struct queue *q, struct edge *e, bool gone);
static void let_go(struct queue *q, uint64_t mid);
static void drop(struct queue *q, struct after *a);

void
after_add(struct queue *q, unsigned store, uint64_t mid, struct str waits_for,
    msec not_before)
{
	struct str rest = waits_for, word;
	unsigned n = 0, i;
	struct after *a;
	uint64_t on;

	if (waits_for.n == 0 || after_has(q, mid))
		return;
	while (str_split(&rest, ' ', &word))
		n++;
	a = mem_zalloc(sizeof(*a) + n * sizeof(a->v[0]));
	OBJ_INIT(a, QAFTER_MAGIC);
	a->mid = mid;
	a->not_before = not_before;
	a->store = store;
	rest = waits_for;
	while (str_split(&rest, ' ', &word)) {
		/* What nobody can read is not there to be waited for. */
		if (num_u64(word, INT64_MAX, &on) != 0 || on == mid)
			continue;
		i = a->n++;
		a->v[i].mid = on;
		a->v[i].of = a;
		hash_add(&q->edges, &a->v[i].node, hash_u64(on));
	}
	a->left = a->n;
	hash_add(&q->afters, &a->node, hash_u64(mid));
}

bool
after_has(const struct queue *q, uint64_t mid)
{
	return find(q, mid) != NULL;
}

void
queue_secured(struct queue *q, struct qunit *u)
{
	struct edge *e;
	unsigned i;

	OBJ_CHECK(q, QUEUE_MAGIC);
	OBJ_CHECK(u, QUNIT_MAGIC);
	if (q->edges.n == 0)
		return;
	for (e = first_edge(q, u->mid); e != NULL; e = next_edge(e)) {
		for (i = 0; i < e->nsecured; i++) {
			if (strcmp(e->secured[i], u->hop->key) == 0)
				break;
		}
		if (i < e->nsecured)
			continue;
		e->secured = mem_realloc(e->secured,
		    (i + 1) * sizeof(char *));
		e->secured[e->nsecured++] = mem_strdup(u->hop->key);
	}
	look(q, u->mid);
}

void
after_changed(struct queue *q, uint64_t mid)
{
	struct after *a;

	if (q->afters.n == 0)
		return;
	a = find(q, mid);
	if (a != NULL && qunit_find(q, mid, NULL) == NULL)
		drop(q, a);
	look(q, mid);
}

struct mids {
	uint64_t *v;
	size_t n;
};

static void
collect(struct hash_node *node, void *arg)
{
	struct after *a = COLL_OF(node, struct after, node);
	struct mids *m = arg;
	unsigned i;

	for (i = 0; i < a->n; i++) {
		if (a->v[i].mid != 0)
			m->v[m->n++] = a->v[i].mid;
	}
}

void
after_scanned(struct queue *q)
{
	struct mids m = { NULL, 0 };
	size_t i;

	if (q->afters.n == 0)
		return;
	m.v = mem_array(q->edges.n + 1, sizeof(*m.v));
	hash_each(&q->afters, collect, &m);
	for (i = 0; i < m.n; i++)
		look(q, m.v[i]);
	mem_free(m.v);
}

void
after_over(struct queue *q, uint64_t mid, const char *why)
{
	struct after *a = find(q, mid);
	struct store_txn *t;

	if (a == NULL)
		return;
	mail_log(EV_MID_GOES, mid, why);
	t = store_txn_new(q->store[a->store]);
	store_go(t, mid);
	store_commit(t, true, NULL, NULL);
	let_go(q, mid);
}

void
after_loaded(struct qmsg *m)
{
	unsigned i;

	if (m->env->waits_for.n == 0 || after_has(m->queue, m->mid))
		return;
	m->env->waits_for = STR("");
	for (i = 0; i < m->env->nrcpt; i++) {
		if (m->rcpt[i].attempts == 0)
			m->rcpt[i].next = m->env->not_before;
	}
}

static void
free_after(struct hash_node *node, void *arg)
{
	drop(arg, COLL_OF(node, struct after, node));
}

void
after_fini(struct queue *q)
{
	hash_each(&q->afters, free_after, q);
	hash_fini(&q->afters);
	hash_fini(&q->edges);
}

static struct after *
find(const struct queue *q, uint64_t mid)
{
	struct hash_node *node;
	struct after *a;

	if (q->afters.n == 0)
		return NULL;
	for (node = hash_first(&q->afters, hash_u64(mid)); node != NULL;
	     node = hash_next(node)) {
		a = COLL_OF(node, struct after, node);
		OBJ_CHECK(a, QAFTER_MAGIC);
		if (a->mid == mid)
			return a;
	}
	return NULL;
}

static struct edge *
edge_of(struct hash_node *node, uint64_t mid)
{
	for (; node != NULL; node = hash_next(node)) {
		if (COLL_OF(node, struct edge, node)->mid == mid)
			return COLL_OF(node, struct edge, node);
	}
	return NULL;
}

static struct edge *
first_edge(const struct queue *q, uint64_t mid)
{
	return edge_of(hash_first(&q->edges, hash_u64(mid)), mid);
}

static struct edge *
next_edge(const struct edge *e)
{
	return edge_of(hash_next(&e->node), e->mid);
}

/* Each of its units had its TLS, or there is none. While the stores are read,
 * nobody knows which there are. */
static bool
is_met(struct queue *q, const struct edge *e, bool *gone_r)
{
	struct qunit *u = qunit_find(q, e->mid, NULL);
	unsigned i;

	*gone_r = u == NULL;
	if (q->scanning > 0 || loop_timer_armed(&q->scan_timer))
		return false;
	for (; u != NULL; u = qunit_next(u)) {
		for (i = 0; i < e->nsecured; i++) {
			if (strcmp(e->secured[i], u->hop->key) == 0)
				break;
		}
		if (i == e->nsecured)
			return false;
	}
	return true;
}

/* What is let go may end at once, and then others change: begin anew. */
static void
look(struct queue *q, uint64_t mid)
{
	struct edge *e;
	bool gone;

	for (e = first_edge(q, mid); e != NULL;) {
		if (is_met(q, e, &gone)) {
			meet(q, e, gone);
			e = first_edge(q, mid);
		} else {
			e = next_edge(e);
		}
	}
}

static void
forget(struct queue *q, struct edge *e)
{
	hash_remove(&q->edges, &e->node);
	while (e->nsecured > 0)
		mem_free(e->secured[--e->nsecured]);
	mem_free(e->secured);
	e->mid = 0;
}

static void
meet(struct queue *q, struct edge *e, bool gone)
{
	struct after *a = e->of;
	uint64_t mid = e->mid;
	char why[64];

	forget(q, e);
	if (--a->left > 0)
		return;
	(void)snprintf(why, sizeof(why),
	    gone ? "MID %" PRIu64 " is finished" :
		   "MID %" PRIu64 " has its TLS", mid);
	after_over(q, a->mid, why);
}

/* The row has the time until which it would have waited; what is in memory is
 * told, what is read from now on is corrected. */
static void
let_go(struct queue *q, uint64_t mid)
{
	struct after *a = find(q, mid);
	msec next = a->not_before;
	struct qunit *u, *after;

	drop(q, a);
	for (u = qunit_find(q, mid, NULL); u != NULL; u = qunit_next(u)) {
		u->after = false;
		if (u->msg != NULL && u->msg->env != NULL)
			after_loaded(u->msg);
	}
	for (u = qunit_find(q, mid, NULL); u != NULL; u = after) {
		after = qunit_next(u);
		if (u->state != QUNIT_WAITING)
			continue;
		sched_out(q, u);
		if (next > clock_wall())
			sched_wait(q, u, next);
		else
			sched_due(q, u);
	}
}

static void
drop(struct queue *q, struct after *a)
{
	unsigned i;

	for (i = 0; i < a->n; i++) {
		if (a->v[i].mid != 0)
			forget(q, &a->v[i]);
	}
	hash_remove(&q->afters, &a->node);
	OBJ_FREE(a);
}
