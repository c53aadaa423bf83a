#include "base/mem.h"
#include "base/obj.h"
#include "queue/queue_priv.h"

/* When a message cannot be read just now. */
#define LATER SECONDS(10)

static void start(struct queue *q, struct qunit *u);
static void on_loaded(void *arg, struct store_loaded *l,
    const struct err *why);
static void activate(struct queue *q, struct qunit *u);
static msec choose(struct queue *q, struct qunit *u);
static void give_back(struct queue *q, struct qunit *u, msec next);

void
qhop_take(struct qhop *hop, qhop_taken *fn, void *arg)
{
	struct qunit *u;

	OBJ_CHECK(hop, QHOP_MAGIC);
	u = TAILQ_FIRST(&hop->due);
	if (u == NULL) {
		fn(arg, NULL);
		return;
	}
	sched_out(hop->queue, u);
	take_unit(hop->queue, u, fn, arg);
}

void
take_unit(struct queue *q, struct qunit *u, qhop_taken *fn, void *arg)
{
	struct qactive *a = mem_zalloc(sizeof(*a));

	a->fn = fn;
	a->arg = arg;
	u->u.active = a;
	start(q, u);
}

void
take_only(struct queue *q, struct qunit *u, const unsigned *rid, unsigned n,
    qhop_taken *fn, void *arg)
{
	struct qactive *a = mem_zalloc(sizeof(*a));

	a->fn = fn;
	a->arg = arg;
	a->only = mem_dup(rid, n * sizeof(*rid));
	a->nonly = n;
	u->u.active = a;
	start(q, u);
}

void
qactive_free(struct qunit *u)
{
	struct qactive *a = u->u.active;

	u->u.active = NULL;
	qrep_drop(&a->rep);
	body_unref(&a->reader);
	mem_free(a->rcpt);
	mem_free(a->only);
	mem_free(a);
}

/* In memory already, on its way because of another unit, or to be read. */
static void
start(struct queue *q, struct qunit *u)
{
	struct qunit *other;
	struct qmsg *m;

	u->state = QUNIT_TAKING;
	for (other = qunit_find(q, u->mid, NULL);
	     u->msg == NULL && other != NULL; other = qunit_next(other)) {
		if (other != u && other->msg != NULL)
			qmsg_ref(u, other->msg);
	}
	if (u->msg != NULL && !u->msg->loading) {
		activate(q, u);
		return;
	}
	if (u->msg != NULL) {
		u->u.active->next = u->msg->waiting;
		u->msg->waiting = u;
		return;
	}
	m = qmsg_new(q, u->mid, u->store);
	m->loading = true;
	m->waiting = u;
	qmsg_ref(u, m);
	store_load(q->store[u->store], u->mid, on_loaded, m);
}

static void
on_loaded(void *arg, struct store_loaded *l, const struct err *why)
{
	struct qunit *u, *next;
	struct queue *q;
	struct qmsg *m;

	OBJ_CAST(m, arg, QMSG_MAGIC);
	q = m->queue;
	m->loading = false;
	if (l != NULL) {
		m->env = l->env;
		m->rcpt = l->rcpt;
		m->body = l->body;
		m->hold = l->hold;
		after_loaded(m);
		m->taken = mem_array(m->env->nrcpt, sizeof(*m->taken));
		m->bytes = body_memory(m->body).n + pool_size(m->env->pool);
		q->memory += m->bytes;
	}
	m->gone = l == NULL && why == NULL;
	for (u = m->waiting, m->waiting = NULL; u != NULL && !q->closing;
	     u = next) {
		next = u->u.active->next;
		activate(q, u);
	}
	qmsg_unref(&m);
}

static void
activate(struct queue *q, struct qunit *u)
{
	struct qactive *a = u->u.active;
	msec next;

	if (u->msg->gone || u->msg->env == NULL) {
		give_back(q, u, u->msg->gone ? 0 : clock_wall() + LATER);
		return;
	}
	if (u->msg->hold != STORE_ACTIVE && a->only == NULL) {
		give_back(q, u, -1);
		return;
	}
	next = choose(q, u);
	if (a->nrcpt == 0) {
		give_back(q, u, next);
		return;
	}
	a->reader = body_reader(u->msg->body);
	u->state = QUNIT_ACTIVE;
	u->flushed = false;
	q->stats.active++;
	a->fn(a->arg, u);
}

static bool
is_chosen(const struct qactive *a, unsigned rid)
{
	unsigned i;

	for (i = 0; i < a->nonly; i++) {
		if (a->only[i] == rid)
			return true;
	}
	return a->only == NULL;
}

/* The pending recipients of this hop that are due; 0 or when more will be. */
static msec
choose(struct queue *q, struct qunit *u)
{
	struct qactive *a = u->u.active;
	struct qmsg *m = u->msg;
	struct qhop *hop = u->hop;
	msec now = clock_wall(), next = 0;
	bool all = u->flushed || u->expired || a->only != NULL;
	unsigned i, pending = 0;
	struct rcpt *r;

	a->rcpt = mem_array(m->env->nrcpt, sizeof(*a->rcpt));
	u->attempts = 0;
	for (i = 0; i < m->env->nrcpt; i++) {
		r = m->env->rcpt[i];
		if (r->state != RCPT_PENDING || m->taken[i] ||
		    !str_eq_c(str_n(hop->key, hop->n), hop_key_of(q, r)))
			continue;
		pending++;
		if (!is_chosen(a, i) || (!all && m->rcpt[i].next > now)) {
			if (next == 0 || m->rcpt[i].next < next)
				next = m->rcpt[i].next;
			continue;
		}
		a->rcpt[a->nrcpt++] = r;
		m->taken[i] = true;
		if (m->rcpt[i].attempts > u->attempts)
			u->attempts = m->rcpt[i].attempts & 0xffff;
	}
	qunit_count(q, u, pending);
	u->scan = 0;
	return next < 1 && a->nrcpt == 0 ? 0 : next;
}

/* There is nothing to do for it now. next: -1: it is held; 0: nor later. */
static void
give_back(struct queue *q, struct qunit *u, msec next)
{
	struct qactive *a = u->u.active;
	qhop_taken *fn = a->fn;
	void *arg = a->arg;
	struct qmsg *m = u->msg;
	/* That it could not be read takes nothing from a flush. */
	bool flushed = u->flushed && m->env == NULL;

	u->msg = NULL; /* m has its reference */
	qactive_free(u);
	u->expired = false;
	if (next > 0 && m->hold == STORE_ACTIVE) {
		sched_wait(q, u, next);
		u->flushed = flushed;
	} else if (next != 0)
		sched_hold(q, u);
	else
		qunit_destroy(q, &u);
	/* Routes may have changed since the unit was made. */
	if (next == 0 && m->env != NULL && !m->gone)
		qmsg_schedule(m);
	after_changed(q, m->mid);
	qmsg_unref(&m);
	fn(arg, NULL);
}
