#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/obj.h"
#include "queue/queue_priv.h"
#include "queue/split.h"

/* A new message and its branches: on the disk first, then due. */
struct submit {
	unsigned magic;
	struct queue *queue;
	struct branch *v;
	unsigned n;
	queue_submitted *done;
	void *arg;
};

static void on_committed(void *arg, const struct err *why);

void
queue_submit(struct queue *q, struct envelope *env, struct body_ref *body,
    queue_submitted *done, void *arg)
{
	struct branch one = { .env = env, .body = body };

	queue_submit_branches(q, &one, 1, done, arg);
}

void
queue_submit_branches(struct queue *q, struct branch *v, unsigned n,
    queue_submitted *done, void *arg)
{
	struct store_txn *t;
	msec now = clock_wall();
	struct submit *s;
	unsigned i;

	OBJ_CHECK(q, QUEUE_MAGIC);
	ASSERT(n > 0);
	OBJ_NEW(s, QSUBMIT_MAGIC);
	s->queue = q;
	s->v = mem_dup(v, n * sizeof(*v));
	s->n = n;
	s->done = done;
	s->arg = arg;
	memset(v, 0, n * sizeof(*v));
	t = store_txn_new(q->store[0]);
	for (i = 0; i < n; i++)
		store_put(t, s->v[i].env, s->v[i].body,
		    s->v[i].until > now ? s->v[i].until : now);
	store_commit(t, false, on_committed, s);
}

static void
on_committed(void *arg, const struct err *why)
{
	struct submit *s;
	unsigned i;

	OBJ_CAST(s, arg, QSUBMIT_MAGIC);
	for (i = 0; i < s->n; i++) {
		if (why == NULL)
			submit_committed(s->queue, 0, s->v[i].env,
			    s->v[i].body, s->v[i].until);
		else
			branch_drop(&s->v[i]);
	}
	s->done(s->arg, why);
	mem_free(s->v);
	OBJ_FREE(s);
}

void
submit_committed(struct queue *q, unsigned store, struct envelope *env,
    struct body_ref *body, msec next)
{
	struct qmsg *m = qmsg_new(q, env->mid, store);
	struct store_rcpt *r;
	unsigned i;

	m->env = env;
	m->body = body;
	m->rcpt = pool_alloc(env->pool, env->nrcpt * sizeof(*m->rcpt));
	for (i = 0; i < env->nrcpt; i++) {
		r = &m->rcpt[i];
		r->rid = i;
		r->state = env->rcpt[i]->state;
		r->warned = env->rcpt[i]->warned;
		r->warned_at = env->rcpt[i]->warned_at;
		r->next = next > env->not_before ? next : env->not_before;
		r->status = r->text = r->remote = "";
	}
	m->taken = mem_array(env->nrcpt, sizeof(*m->taken));
	if (env->quarantine.n > 0)
		m->hold = STORE_HELD;
	m->bytes = body_memory(body).n + pool_size(env->pool);
	q->memory += m->bytes;
	if (!q->closing && q->ops->queued != NULL)
		q->ops->queued(q->arg, env);
	after_add(q, store, env->mid, env->waits_for, env->not_before);
	if (!q->closing)
		qmsg_schedule(m);
	qmsg_unref(&m);
}

/* Over the budget a due unit does not keep its message in memory. */
static void
schedule_unit(struct queue *q, struct qmsg *m, struct qunit *u, msec next)
{
	u->store = m->store & 0x7f;
	u->queued = m->env->queued;
	u->after = after_has(q, m->mid);
	if (m->hold != STORE_ACTIVE) {
		sched_hold(q, u);
	} else if (next > clock_wall()) {
		sched_wait(q, u, next);
	} else {
		if (q->memory <= q->memory_max)
			qmsg_ref(u, m);
		sched_due(q, u);
	}
}

/* choose() did, and who finishes it comes here again. */
static bool
is_counted(const struct qunit *u)
{
	return u->state == QUNIT_ACTIVE || u->state == QUNIT_REPORTING;
}

/* The recipients of units that wait are counted anew. */
static void
forget_count(const struct qmsg *m)
{
	struct qunit *u = qunit_find(m->queue, m->mid, NULL);

	for (; u != NULL; u = qunit_next(u)) {
		u->scan = 0;
		if (!is_counted(u))
			qunit_count(m->queue, u, 0);
	}
}

void
qmsg_schedule(struct qmsg *m)
{
	struct queue *q = m->queue;
	unsigned i, k, nfresh = 0;
	struct qhop *hop;
	struct qunit *u, **fresh;
	struct rcpt *r;
	msec *next;

	OBJ_CHECK(m, QMSG_MAGIC);
	forget_count(m);
	fresh = mem_array(m->env->nrcpt, sizeof(*fresh));
	next = mem_array(m->env->nrcpt, sizeof(*next));
	for (i = 0; i < m->env->nrcpt; i++) {
		r = m->env->rcpt[i];
		if (r->state != RCPT_PENDING || m->taken[i])
			continue;
		hop = qhop_get(q, hop_key_of(q, r));
		u = qunit_find(q, m->mid, hop);
		if (u == NULL) {
			u = qunit_new(q, m->mid, hop, r->addr.domain);
			qunit_count(q, u, 1);
			u->several |= r->route.n > 0 ||
			    r->profile.n > 0;
			u->tls = m->rcpt[i].tls != TLSR_NONE;
			next[nfresh] = m->rcpt[i].next;
			fresh[nfresh++] = u;
			continue;
		}
		if (!is_counted(u))
			qunit_count(q, u, u->nrcpt + 1);
		if (!str_eq(r->addr.domain, qunit_domain(u)) ||
		    r->route.n > 0 || r->profile.n > 0)
			u->several = true;
		u->tls |= m->rcpt[i].tls != TLSR_NONE;
		for (k = 0; k < nfresh; k++) {
			if (fresh[k] == u && m->rcpt[i].next < next[k])
				next[k] = m->rcpt[i].next;
		}
	}
	for (i = 0; i < nfresh; i++)
		schedule_unit(q, m, fresh[i], next[i]);
	mem_free(fresh);
	mem_free(next);
}
