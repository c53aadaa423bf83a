#include <inttypes.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/obj.h"
#include "queue/queue_priv.h"

/*
 * The administrator's verbs. The store finds the recipients; here they become
 * changes of units and rows, a message at a time. What needs the envelope
 * (bouncing, deleting some of the recipients) is read first, a few at a time.
 */

#define READS_MAX 64

struct chosen {
	STAILQ_ENTRY(chosen) link;
	SLIST_ENTRY(chosen) same_link;
	struct act *act;
	uint64_t mid;
	struct qhop *hop;
	unsigned *rid;
	unsigned n;
};

struct act {
	unsigned magic;
	struct queue *queue;
	enum queue_verb verb;
	bool whole;		/* the filter looks at messages only */
	struct store_filter f;
	struct pool *pool;
	queue_acted *fn;
	void *arg;
	unsigned store;
	bool listed, failed;
	struct err why;
	uint64_t count, busy;
	uint64_t last;		/* MID counted last */
	bool last_busy;
	STAILQ_HEAD(, chosen) todo;
	SLIST_HEAD(, chosen) same; /* of message last, not started yet */
	unsigned reading;
	bool draining;
	struct store_txn *txn;
};

static void next_store(struct act *a);
static void on_items(void *arg, const struct store_item *v, size_t n);
static void on_listed(void *arg, const struct err *why);
static void act_on(struct act *a, const struct store_item *it);
static void choose(struct act *a, const struct store_item *it,
    struct qunit *u);
static void read_some(struct act *a);
static void end_if_done(struct act *a);

void
queue_act(struct queue *q, enum queue_verb verb, const struct store_filter *f,
    queue_acted *fn, void *arg)
{
	struct act *a;

	OBJ_CHECK(q, QUEUE_MAGIC);
	OBJ_NEW(a, QACT_MAGIC);
	a->queue = q;
	a->verb = verb;
	a->whole = f->rcpt == NULL && f->domain == NULL && f->reason == NULL;
	a->pool = pool_new(0);
	a->f = *f;
	a->f.sender = pool_strdup(a->pool, f->sender);
	a->f.rcpt = pool_strdup(a->pool, f->rcpt);
	a->f.domain = pool_strdup(a->pool, f->domain);
	a->f.reason = pool_strdup(a->pool, f->reason);
	a->fn = fn;
	a->arg = arg;
	STAILQ_INIT(&a->todo);
	SLIST_INIT(&a->same);
	next_store(a);
}

/* several: a unit of several domains may have a recipient there. */
static unsigned
flush_list(struct queue *q, struct qhop *hop, struct str domain, bool sub,
    bool several)
{
	bool all = str_ieq(domain, qhop_dest(hop));
	struct qunit *u, *after;
	unsigned n = 0;

	TAILQ_FOREACH_SAFE(u, &hop->rest, u.link, after) {
		struct str d = qunit_domain(u);

		if (u->state != QUNIT_WAITING || u->after)
			continue;
		if (!all && !(several && u->several) && !str_ieq(d, domain) &&
		    !(sub && d.n > domain.n && d.p[d.n - domain.n - 1] == '.' &&
			str_ieq(str_n(d.p + d.n - domain.n, domain.n),
			    domain)))
			continue;
		sched_out(q, u);
		u->flushed = true;
		sched_due(q, u);
		n++;
	}
	return n;
}

struct flush {
	struct queue *queue;
	struct str domain;
	bool sub;
	struct qhop **v;
	size_t n;
};

static void
collect_hop(struct hash_node *node, void *arg)
{
	struct flush *f = arg;

	f->v[f->n++] = COLL_OF(node, struct qhop, node);
}

/* A unit of several domains goes when any domain of its next hop does. All
 * next hops of the destination count, whatever TLS they want. */
unsigned
queue_flush_domain(struct queue *q, struct str domain, bool subdomains)
{
	struct flush f = { q, domain, subdomains, NULL, 0 };
	char lower[ADDR_DOMAIN_MAX + 1];
	struct pool *pool;
	struct str dest;
	unsigned n = 0;
	size_t i;
	bool own;

	OBJ_CHECK(q, QUEUE_MAGIC);
	if (!str_copy(lower, sizeof(lower), domain))
		return 0;
	str_lower(lower, domain.n);
	f.domain = domain = str_n(lower, domain.n);
	pool = pool_new(0);
	dest = str_c(hop_key_any(q, domain));
	dest.n = str_find(dest, ' ');
	dest = pool_str(pool, dest);
	f.v = mem_array(q->hops.n + 1, sizeof(struct qhop *));
	hash_each(&q->hops, collect_hop, &f);
	for (i = 0; i < f.n; i++) {
		own = str_eq(qhop_dest(f.v[i]), dest);
		if (own || subdomains)
			n += flush_list(q, f.v[i], domain, subdomains, own);
	}
	mem_free(f.v);
	pool_destroy(&pool);
	return n;
}

static void
next_store(struct act *a)
{
	store_pick(a->queue->store[a->store], &a->f, on_items, on_listed, a);
}

static void
commit(struct act *a)
{
	if (a->txn != NULL)
		store_commit(a->txn, true, NULL, NULL);
	a->txn = NULL;
}

static struct store_txn *
txn(struct act *a)
{
	if (a->txn == NULL)
		a->txn = store_txn_new(a->queue->store[a->store]);
	return a->txn;
}

static void
on_items(void *arg, const struct store_item *v, size_t n)
{
	struct act *a;
	size_t i;

	OBJ_CAST(a, arg, QACT_MAGIC);
	for (i = 0; i < n && !a->queue->closing; i++)
		act_on(a, &v[i]);
	commit(a);
	read_some(a);
}

static void
on_listed(void *arg, const struct err *why)
{
	struct act *a;

	OBJ_CAST(a, arg, QACT_MAGIC);
	if (why != NULL) {
		a->failed = true;
		a->why = *why;
	}
	if (++a->store < a->queue->nstore && why == NULL) {
		next_store(a);
		return;
	}
	a->listed = true;
	read_some(a);
	end_if_done(a);
}

/* Counts messages, of whose recipients several may come in a row. */
static void
count(struct act *a, uint64_t mid, bool busy)
{
	if (a->last != mid) {
		a->last = mid;
		a->last_busy = false;
		SLIST_INIT(&a->same);
		a->count += !busy;
	}
	if (busy && !a->last_busy) {
		a->last_busy = true;
		a->busy++;
	}
}

static bool
is_busy(struct queue *q, uint64_t mid)
{
	struct qunit *u;

	for (u = qunit_find(q, mid, NULL); u != NULL; u = qunit_next(u)) {
		if (!sched_idle(u))
			return true;
	}
	return false;
}

/* What is being read would be put back if its time has not come: it was made
 * due by a release, say. */
static void
flush_taking(struct queue *q, uint64_t mid)
{
	struct qunit *u;

	for (u = qunit_find(q, mid, NULL); u != NULL; u = qunit_next(u)) {
		if (u->state == QUNIT_TAKING)
			u->flushed = true;
	}
}

static void
make_due(struct queue *q, struct qunit *u)
{
	if (u->state == QUNIT_DUE)
		return;
	sched_out(q, u);
	u->flushed = true;
	sched_due(q, u);
}

/* All units of the message, whichever recipient was listed. A report that
 * was held because its lifetime had ended gets one more attempt, and so does
 * what was in quarantine for longer than that. */
static void
hold_all(struct act *a, const struct store_item *it, bool hold)
{
	uint64_t mid = it->mid;
	struct queue *q = a->queue;
	struct qunit *u, *next;

	if (!hold)
		after_over(q, mid, "the administrator released it");
	for (u = qunit_find(q, mid, NULL); u != NULL; u = next) {
		next = qunit_next(u);
		if (hold && u->state != QUNIT_HELD) {
			sched_out(q, u);
			sched_hold(q, u);
		} else if (!hold && u->state == QUNIT_HELD) {
			sched_out(q, u);
			u->late = it->sender[0] == '\0' || it->quarantined;
			sched_due(q, u);
		}
	}
	store_hold(txn(a), mid, hold ? STORE_HELD : STORE_ACTIVE);
}

static void
delete_all(struct act *a, uint64_t mid)
{
	struct queue *q = a->queue;
	struct qunit *u, *next;

	for (u = qunit_find(q, mid, NULL); u != NULL; u = next) {
		next = qunit_next(u);
		sched_out(q, u);
		qunit_destroy(q, &u);
	}
	after_changed(q, mid);
	store_delete(txn(a), mid);
	mail_log(EV_MESSAGE_FINISHED, mid, "aborted");
}

static void
requeue(struct act *a, struct qunit *u, const struct store_item *it)
{
	struct store_rcpt r = { .rid = it->rid, .next = clock_wall(),
		.status = "", .text = "", .remote = "" };
	struct qhop *hop = u->hop;

	store_rcpt(txn(a), it->mid, &r);
	u->attempts = 0;
	after_over(a->queue, it->mid, "the administrator wants it tried");
	if (u->state == QUNIT_HELD)
		hold_all(a, it, false);
	u = qunit_find(a->queue, it->mid, hop);
	if (u == NULL || !sched_idle(u))
		return; /* its lifetime has just ended */
	/* What is in memory still has the old count. */
	if (u->state == QUNIT_DUE)
		qmsg_drop(u);
	else
		make_due(a->queue, u);
}

static void
act_on(struct act *a, const struct store_item *it)
{
	struct queue *q = a->queue;
	struct qunit *u;
	bool is_new, first = a->last != it->mid;

	if (is_busy(q, it->mid)) {
		if (a->verb == QUEUE_FLUSH)
			flush_taking(q, it->mid);
		count(a, it->mid, true);
		return;
	}
	/* Deleted, held or made due with an earlier recipient. */
	if (!first && a->whole && a->verb != QUEUE_BOUNCE &&
	    a->verb != QUEUE_REQUEUE && a->verb != QUEUE_FLUSH)
		return;
	u = recover_item(q, a->store, it, &is_new);
	count(a, it->mid, u == NULL || !sched_idle(u));
	if (u == NULL || !sched_idle(u))
		return; /* its lifetime has just ended */
	switch (a->verb) {
	case QUEUE_FLUSH:
		if (u->state != QUNIT_HELD && !u->after)
			make_due(q, u);
		return;
	case QUEUE_HOLD:
		hold_all(a, it, true);
		return;
	case QUEUE_RELEASE:
		hold_all(a, it, false);
		return;
	case QUEUE_REQUEUE:
		requeue(a, u, it);
		return;
	case QUEUE_DELETE:
		if (a->whole)
			delete_all(a, it->mid);
		else
			choose(a, it, u);
		return;
	case QUEUE_BOUNCE:
		choose(a, it, u);
		return;
	}
	panic("queue verb %d", (int)a->verb);
}

static void
choose(struct act *a, const struct store_item *it, struct qunit *u)
{
	struct chosen *c;

	SLIST_FOREACH(c, &a->same, same_link) {
		if (c->mid == it->mid && c->hop == u->hop)
			break;
	}
	if (c == NULL) {
		c = mem_zalloc(sizeof(*c));
		c->act = a;
		c->mid = it->mid;
		c->hop = u->hop;
		STAILQ_INSERT_TAIL(&a->todo, c, link);
		SLIST_INSERT_HEAD(&a->same, c, same_link);
	}
	c->rid = mem_realloc(c->rid, (c->n + 1) * sizeof(*c->rid));
	c->rid[c->n++] = it->rid;
}

static void
free_chosen(struct chosen *c)
{
	mem_free(c->rid);
	mem_free(c);
}

static void
on_taken(void *arg, struct qunit *u)
{
	struct chosen *c = arg;
	struct act *a = c->act;

	OBJ_CHECK(a, QACT_MAGIC);
	if (u != NULL)
		report_all(a->queue, u, a->verb == QUEUE_BOUNCE, "5.7.0",
		    "the administrator returned it");
	a->reading--;
	free_chosen(c);
	read_some(a);
	end_if_done(a);
}

static void
read_some(struct act *a)
{
	struct queue *q = a->queue;
	struct chosen *c;
	struct qunit *u;

	if (a->draining)
		return;
	a->draining = true;
	while (a->reading < READS_MAX &&
	    (c = STAILQ_FIRST(&a->todo)) != NULL) {
		if (c->mid == a->last && !a->listed)
			break; /* it may have more recipients */
		STAILQ_REMOVE_HEAD(&a->todo, link);
		u = q->closing ? NULL : qunit_find(q, c->mid, c->hop);
		if (u == NULL || !sched_idle(u)) {
			free_chosen(c);
			continue;
		}
		a->reading++;
		sched_out(q, u);
		take_only(q, u, c->rid, c->n, on_taken, c);
	}
	a->draining = false;
}

static void
end_if_done(struct act *a)
{
	if (!a->listed || a->reading > 0 || a->draining ||
	    !STAILQ_EMPTY(&a->todo))
		return;
	/* What a flush or a release asks for is what happens to those. */
	if (!a->failed && a->busy > 0 && a->verb != QUEUE_FLUSH &&
	    a->verb != QUEUE_RELEASE) {
		a->failed = true;
		(void)err_set(&a->why, 0, "", "%" PRIu64 " more are being "
		    "delivered just now and were left alone", a->busy);
	}
	if (!a->queue->closing)
		a->fn(a->arg, a->count, a->failed ? &a->why : NULL);
	pool_destroy(&a->pool);
	OBJ_FREE(a);
}
