#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/obj.h"
#include "mail/status.h"
#include "queue/queue_priv.h"

/*
 * What became of a unit. A report waits for the DSNs it causes, so that they
 * and the states of the recipients are one transaction; it is done when that
 * is on the disk. The message is deleted by the last of its reports.
 */

struct made {
	STAILQ_ENTRY(made) link;
	struct envelope *env;
	struct body_ref *body;
};

struct list {
	struct qreport *v;
	unsigned n;
};

struct qrep {
	unsigned magic;
	struct pool *pool;
	struct queue *queue;
	struct qmsg *msg;
	struct store_txn *txn;
	const struct queue_profile *profile;
	struct queue_want want;
	struct list failed, delayed, relayed;
	unsigned *dirty;	/* RIDs to be written */
	unsigned ndirty;
	unsigned *treated;	/* RIDs whose want or route is, too */
	unsigned ntreated;
	struct list fate[QUEUE_FATES]; /* for who wants to know */
	unsigned answers;	/* DSNs that are still to come */
	STAILQ_HEAD(, made) made;
	bool ours;		/* not an attempt: expired, or by order */
	bool deleting;
	bool hold;		/* a report of ours could not travel safely */
	msec now, next;		/* next: of those that are tried again */
	unsigned next_attempts;
};

static void judge(struct qrep *rep, struct qunit *u, const struct qreport *v);
static void log_pending(struct qrep *rep, struct qunit *u);
static void treat(struct qrep *rep, struct rcpt *r, const struct qreport *v);
static void tell(struct qrep *rep, const struct qunit *u);
static void ask(struct qrep *rep, struct qunit *u);
static void finish(struct qrep *rep, struct qunit *u);
static void on_durable(void *arg, const struct err *why);
static void log_made(const struct envelope *env, uint64_t of);

void
queue_report(struct queue *q, struct qunit *u, const struct qreport *v,
    unsigned n)
{
	OBJ_CHECK(q, QUEUE_MAGIC);
	OBJ_CHECK(u, QUNIT_MAGIC);
	report_unit(q, u, v, n, false, false);
}

void
queue_generate(struct queue *q, struct qunit *of, struct envelope *env,
    struct body_ref *body)
{
	struct qrep *rep;
	struct made *m;

	OBJ_CHECK(q, QUEUE_MAGIC);
	OBJ_CHECK(of, QUNIT_MAGIC);
	ASSERT(of->state == QUNIT_REPORTING);
	rep = of->u.active->rep;
	OBJ_CHECK(rep, QREP_MAGIC);
	if (env != NULL) {
		m = POOL_NEW(rep->pool, struct made);
		m->env = env;
		m->body = body;
		env->flags |= ENV_GENERATED;
		STAILQ_INSERT_TAIL(&rep->made, m, link);
		store_put(rep->txn, env, body, clock_wall());
		log_made(env, of->mid);
	}
	ASSERT(rep->answers > 0);
	if (--rep->answers == 0)
		finish(rep, of);
}

void
qrep_drop(struct qrep **rp)
{
	struct qrep *rep = *rp;
	struct pool *pool;
	struct made *m;

	*rp = NULL;
	if (rep == NULL)
		return;
	OBJ_CHECK(rep, QREP_MAGIC);
	pool = rep->pool; /* rep lies in it */
	store_txn_drop(&rep->txn);
	STAILQ_FOREACH(m, &rep->made, link) {
		envelope_destroy(&m->env);
		body_unref(&m->body);
	}
	qmsg_unref(&rep->msg);
	OBJ_FINI(rep);
	pool_destroy(&pool);
}

void
report_unit(struct queue *q, struct qunit *u, const struct qreport *v,
    unsigned n, bool ours, bool deleting)
{
	struct pool *pool = pool_new(0);
	struct qrep *rep;
	unsigned i, most = u->u.active->nrcpt;

	ASSERT(u->state == QUNIT_ACTIVE && n <= most);
	u->state = QUNIT_REPORTING;
	q->stats.active--;
	rep = POOL_NEW(pool, struct qrep);
	OBJ_INIT(rep, QREP_MAGIC);
	rep->pool = pool;
	rep->queue = q;
	rep->msg = u->msg;
	rep->msg->refs++;
	rep->msg->open++;
	rep->txn = store_txn_new(q->store[u->store]);
	rep->profile = qunit_profile_now(u);
	qunit_want(u, &rep->want);
	rep->now = clock_wall();
	rep->ours = ours;
	rep->deleting = deleting;
	STAILQ_INIT(&rep->made);
	rep->failed.v = pool_alloc(pool, most * sizeof(*v));
	rep->delayed.v = pool_alloc(pool, most * sizeof(*v));
	rep->relayed.v = pool_alloc(pool, most * sizeof(*v));
	rep->dirty = pool_alloc(pool, most * sizeof(*rep->dirty));
	rep->treated = pool_alloc(pool, most * sizeof(*rep->treated));
	for (i = 0; i < QUEUE_FATES && q->ops->told != NULL; i++)
		rep->fate[i].v = pool_alloc(pool, most * sizeof(*v));
	u->u.active->rep = rep;
	for (i = 0; i < n; i++) {
		ASSERT(v[i].i < most);
		judge(rep, u, &v[i]);
	}
	log_pending(rep, u);
	tell(rep, u);
	ask(rep, u);
}

/* The reply as the log shows it. */
static void
log_result(enum log_event ev, const struct qrep *rep, const struct rcpt *r,
    const struct qreport *v)
{
	char code[12] = "";

	if (v->code != 0)
		(void)str_copy(code, sizeof(code),
		    str_c(pool_printf(rep->pool, "%d", v->code)));
	mail_log(ev, v->dcid, rep->msg->mid, (uint64_t)r->rid, v->status,
	    status_phrase(v->status), str_c(code), v->text);
}

static void
add_to(struct qrep *rep, struct list *l, const struct qreport *v)
{
	struct qreport *to = &l->v[l->n++];

	*to = *v;
	to->status = pool_strdup(rep->pool, v->status);
	to->text = pool_str(rep->pool, v->text);
	to->remote = pool_str(rep->pool, v->remote);
	if (v->tls == TLSR_NONE)
		return;
	/* Our words, whatever a server said in them. */
	to->code = 0;
	if (memmem(v->text.p, v->text.n, tls_reason_word(v->tls),
		strlen(tls_reason_word(v->tls))) == NULL)
		to->text = str_c(pool_printf(rep->pool, "%s [%s]: %.*s",
		    tls_reason_text(v->tls), tls_reason_word(v->tls),
		    STR_FMT(v->text)));
}

static void
know(struct qrep *rep, enum queue_fate fate, const struct qreport *v)
{
	struct list *l = &rep->fate[fate];

	if (l->v != NULL)
		l->v[l->n++] = *v;
}

/* A report of ours that is not allowed to travel with less than was asked for
 * the message is not dropped: it waits for the administrator. */
static bool
must_be_held(const struct qrep *rep, const struct rcpt *r)
{
	return (rep->msg->env->flags & ENV_GENERATED) != 0 &&
	    rep->msg->env->sender.full.n == 0 && r->want.n > 0 &&
	    retry_report_bound(rep->want.level);
}

static void
hold_report(struct qrep *rep, const struct qunit *u, struct rcpt *r,
    struct store_rcpt *s, const struct qreport *v)
{
	struct queue *q = rep->queue;

	rep->hold = true;
	s->next = rep->now;
	know(rep, QUEUE_DEFERRED, v);
	mail_log(EV_DOUBLE_BOUNCE, rep->msg->mid, (uint64_t)r->rid, v->status,
	    v->text);
	log_critical("MID %" PRIu64 ": the report to <%.*s> could not be "
	    "delivered under the TLS level %s and is held: %.*s",
	    rep->msg->mid, STR_FMT(r->addr.full),
	    tlswant_name(rep->want.level), STR_FMT(v->text));
	if (q->ops->held != NULL)
		q->ops->held(q->arg, u, r, v->text);
}

static void
give_up(struct qrep *rep, struct rcpt *r, const struct qreport *v)
{
	bool null_sender = rep->msg->env->sender.full.n == 0;

	if (rep->deleting) {
		r->state = RCPT_DELETED;
		return;
	}
	r->state = RCPT_BOUNCED;
	know(rep, QUEUE_BOUNCED, v);
	if (null_sender) {
		mail_log(EV_DOUBLE_BOUNCE, rep->msg->mid, (uint64_t)r->rid,
		    v->status, v->text);
		return;
	}
	log_result(EV_BOUNCED, rep, r, v);
	if (r->notify == 0 || (r->notify & NOTIFY_FAILURE))
		add_to(rep, &rep->failed, v);
}

/* Delayed reports: from the second attempt on, for what a server said (of a
 * host that does not answer the sender hears when it is given up); or, once,
 * when the want asks for it. */
static bool
is_warning_due(const struct qrep *rep, const struct rcpt *r,
    const struct store_rcpt *s, const struct qreport *v)
{
	const struct envelope *env = rep->msg->env;
	msec age = rep->now - env->queued;
	bool due = v->code >= 400 && v->code <= 499 && s->attempts >= 2 &&
	    retry_warns(rep->profile, r->warned, r->warned_at, env->queued,
		rep->now);

	if (v->tls != TLSR_NONE && rep->want.warn_after > 0 && r->warned == 0)
		due = due || age >= rep->want.warn_after;
	if (!due)
		return false;
	return env->sender.full.n > 0 &&
	    (r->notify == 0 || (r->notify & NOTIFY_DELAY));
}

/* Not later than at that age of the message, if it is still to come. */
static msec
until(const struct qrep *rep, msec next, msec age)
{
	msec at = rep->msg->env->queued + age;

	return age > 0 && at > rep->now && at < next ? at : next;
}

static void
try_again(struct qrep *rep, struct rcpt *r, struct store_rcpt *s,
    const struct qreport *v)
{
	/* What was tried together is tried together again. */
	if (rep->next == 0 || rep->next_attempts != s->attempts) {
		rep->next = rep->now + retry_delay(rep->profile, s->attempts);
		rep->next_attempts = s->attempts;
	}
	s->next = rep->next;
	if (v->tls != TLSR_NONE)
		s->next = until(rep, until(rep, s->next, rep->want.deadline),
		    r->warned > 0 ? 0 : rep->want.warn_after);
	log_result(EV_DELAYED, rep, r, v);
	know(rep, QUEUE_DEFERRED, v);
	if (is_warning_due(rep, r, s, v)) {
		r->warned = ++s->warned;
		r->warned_at = s->warned_at = rep->now;
		add_to(rep, &rep->delayed, v);
	}
}

static const char *
final_status(const struct qrep *rep, enum tls_reason tls)
{
	char status[12];

	retry_status(tls, status, sizeof(status));
	return pool_strdup(rep->pool, status);
}

static void
judge(struct qrep *rep, struct qunit *u, const struct qreport *v)
{
	struct rcpt *r = u->u.active->rcpt[v->i];
	struct store_rcpt *s = &rep->msg->rcpt[r->rid];
	struct pool *pool = rep->msg->env->pool;
	struct qreport last = *v;
	msec queued = rep->msg->env->queued;

	if (v->result == QRESULT_AGAIN) {
		/* It was flushed, so it goes on being due before its time. */
		if (!rep->ours && s->next > rep->now)
			s->next = rep->now;
		treat(rep, r, v);
		return;
	}
	if (!rep->ours)
		s->attempts++;
	s->code = v->code;
	s->status = pool_strdup(pool, v->status);
	s->text = pool_str(pool, v->text).p;
	s->remote = pool_str(pool, v->remote).p;
	s->tls = v->tls;
	rep->dirty[rep->ndirty++] = r->rid;
	switch (v->result) {
	case QRESULT_DONE:
		r->state = RCPT_DONE;
		know(rep, QUEUE_DELIVERED, v);
		if (r->notify & NOTIFY_SUCCESS)
			add_to(rep, &rep->relayed, v);
		break;
	case QRESULT_RETRY:
		if (!retry_ends(rep->profile, s->attempts, queued, rep->now) &&
		    !report_is_late(rep->profile, &rep->want, queued, v->tls)) {
			try_again(rep, r, s, v);
			break;
		}
		last.result = QRESULT_BOUNCE;
		last.status = final_status(rep, v->tls);
		if (must_be_held(rep, r))
			hold_report(rep, u, r, s, &last);
		else
			give_up(rep, r, &last);
		break;
	case QRESULT_BOUNCE:
		give_up(rep, r, v);
		break;
	case QRESULT_AGAIN:
		break;
	}
	s->state = r->state;
}

static void
treat(struct qrep *rep, struct rcpt *r, const struct qreport *v)
{
	struct pool *pool = rep->msg->env->pool;

	if (v->want != NULL)
		r->want = pool_str(pool, str_c(v->want));
	if (v->route != NULL)
		r->route = pool_str(pool, str_c(v->route));
	if (v->want != NULL || v->route != NULL)
		rep->treated[rep->ntreated++] = r->rid;
}

static void
tell(struct qrep *rep, const struct qunit *u)
{
	struct queue *q = rep->queue;
	const struct list *l;
	unsigned i;

	for (i = 0; i < QUEUE_FATES; i++) {
		l = &rep->fate[i];
		if (l->n > 0)
			q->ops->told(q->arg, (enum queue_fate)i, u, l->v, l->n);
	}
}

/* One line for all that are tried again at the same time. */
static void
log_pending(struct qrep *rep, struct qunit *u)
{
	struct log_rids rids = { NULL, 0 };
	unsigned i, k, *v, rid;
	char till[40];
	msec next;

	(void)u;
	if (rep->hold)
		return;
	v = pool_alloc(rep->pool, (rep->ndirty + 1) * sizeof(*v));
	for (i = 0; i < rep->ndirty; i++) {
		rid = rep->dirty[i];
		if (rep->msg->env->rcpt[rid]->state != RCPT_PENDING)
			continue;
		next = rep->msg->rcpt[rid].next;
		for (k = 0; k < i; k++) {
			if (rep->msg->rcpt[rep->dirty[k]].next == next &&
			    rep->msg->env->rcpt[rep->dirty[k]]->state ==
				RCPT_PENDING)
				break;
		}
		if (k < i)
			continue; /* was with another's line */
		rids.n = 0;
		for (k = i; k < rep->ndirty; k++) {
			if (rep->msg->rcpt[rep->dirty[k]].next == next &&
			    rep->msg->env->rcpt[rep->dirty[k]]->state ==
				RCPT_PENDING)
				v[rids.n++] = rep->dirty[k];
		}
		rids.v = v;
		clock_asctime(till, sizeof(till), next);
		mail_log(EV_PENDING, rep->msg->mid, rids, till,
		    rep->profile->name != NULL ? rep->profile->name : "");
	}
}

static void
ask_one(struct qrep *rep, struct qunit *u, enum report_kind kind,
    const struct list *l)
{
	struct queue *q = rep->queue;

	if (l->n == 0)
		return;
	rep->answers++;
	q->ops->dsn(q->arg, u, kind, l->v, l->n);
}

/* Nothing is owed to the null sender, not even success. */
static void
ask(struct qrep *rep, struct qunit *u)
{
	rep->answers = 1; /* ours, so that the answers do not end it early */
	if (rep->msg->env->sender.full.n > 0 && rep->queue->ops->dsn != NULL) {
		ask_one(rep, u, REPORT_FAILED, &rep->failed);
		ask_one(rep, u, REPORT_DELAYED, &rep->delayed);
		ask_one(rep, u, REPORT_SUCCESS, &rep->relayed);
	}
	if (--rep->answers == 0)
		finish(rep, u);
}

static void
log_finished(const struct qmsg *m)
{
	bool null_sender = m->env->sender.full.n == 0, told = false;
	unsigned i;

	for (i = 0; i < m->env->nrcpt; i++) {
		told |= m->env->rcpt[i]->state == RCPT_DONE ||
		    (m->env->rcpt[i]->state == RCPT_BOUNCED && !null_sender);
	}
	mail_log(EV_MESSAGE_FINISHED, m->mid, told ? "done" : "aborted");
}

/* Every answer is there: write it, and let go of the unit. */
static void
finish(struct qrep *rep, struct qunit *u)
{
	struct queue *q = rep->queue;
	struct qmsg *m = rep->msg;
	bool pending = envelope_pending(m->env) > 0;
	const struct rcpt *r;
	unsigned i;

	for (i = 0; i < u->u.active->nrcpt; i++)
		m->taken[u->u.active->rcpt[i]->rid] = false;
	if (!pending && m->open == 1) {
		m->gone = true;
		store_delete(rep->txn, m->mid);
		log_finished(m);
	} else {
		if (rep->hold) {
			m->hold = STORE_HELD;
			store_hold(rep->txn, m->mid, STORE_HELD);
		}
		for (i = 0; i < rep->ndirty; i++)
			store_rcpt(rep->txn, m->mid, &m->rcpt[rep->dirty[i]]);
		for (i = 0; i < rep->ntreated; i++) {
			r = m->env->rcpt[rep->treated[i]];
			store_treat(rep->txn, m->mid, r->rid, r->want,
			    r->route);
		}
	}
	u->u.active->rep = NULL;
	qactive_free(u);
	qunit_destroy(q, &u);
	if (pending)
		qmsg_schedule(m);
	after_changed(q, m->mid);
	if (rep->ndirty + rep->ntreated > 0 || !STAILQ_EMPTY(&rep->made)) {
		store_commit(rep->txn, true, on_durable, rep);
		rep->txn = NULL;
	} else {
		/* Nothing was tried. */
		m->open--;
		qrep_drop(&rep);
	}
}

static void
on_durable(void *arg, const struct err *why)
{
	struct store_txn *t;
	struct qrep *rep;
	struct qmsg *m;
	struct made *made;

	OBJ_CAST(rep, arg, QREP_MAGIC);
	m = rep->msg;
	m->open--;
	STAILQ_FOREACH(made, &rep->made, link) {
		if (why != NULL)
			continue;
		mail_log(EV_MID_QUEUED, made->env->mid);
		submit_committed(rep->queue, m->store, made->env, made->body,
		    0);
		made->env = NULL;
		made->body = NULL;
	}
	if (why == NULL && rep->queue->ops->durable != NULL)
		rep->queue->ops->durable(rep->queue->arg, m->mid);
	if (why == NULL && !m->gone && m->open == 0 &&
	    envelope_pending(m->env) == 0) {
		m->gone = true;
		log_finished(m);
		t = store_txn_new(rep->queue->store[m->store]);
		store_delete(t, m->mid);
		store_commit(t, true, NULL, NULL);
	}
	qrep_drop(&rep);
}

static void
log_made(const struct envelope *env, uint64_t of)
{
	unsigned i;

	mail_log(EV_MID_START, env->mid, (uint64_t)0);
	mail_log(EV_MID_BOUNCE_OF, env->mid, of);
	mail_log(EV_MID_FROM, env->mid, (uint64_t)0, env->sender.full);
	for (i = 0; i < env->nrcpt; i++)
		mail_log(EV_MID_TO, env->mid, (uint64_t)0,
		    (uint64_t)env->rcpt[i]->rid, env->rcpt[i]->addr.full);
	mail_log(EV_MID_READY, env->mid, env->size, env->sender.full);
}
