/*
 * From the end of the data to the queue's word that it is safe. The client may
 * be gone by then: the message is accepted or refused all the same.
 */
#include "daemon/inbound_priv.h"

#include <inttypes.h>
#include <stdio.h>

#include <postern/filter.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/obj.h"
#include "queue/split.h"

#define ACCEPTED_MAGIC 0x1b0d0006u

/* On its way to the disk. */
struct accepted {
	unsigned magic;
	struct session *s;
	unsigned n;
	uint64_t mid[]; /* of the branches */
};

static void	log_content(const struct session *, const struct envelope *,
		    const struct bodyin *);
static enum smtpd_step eom_go(struct session *, struct smtpd_verdict *);
static enum smtpd_step headers_said(struct session *,
		    const struct hook_verdict *, struct smtpd_verdict *);
static enum smtpd_step settle(struct session *, struct body_ref *);
static void	settled(void *, const struct err *);
static enum smtpd_step filter_end(struct session *, struct smtpd_verdict *);
static enum smtpd_step filter_ended(struct session *,
		    const struct op_answer *, struct smtpd_verdict *);
static enum smtpd_step eom_said(struct session *,
		    const struct hook_verdict *, struct smtpd_verdict *);
static void	failed(struct inmsg *, const struct err *);
static enum smtpd_step split_up(struct session *, struct smtpd_verdict *);
static enum smtpd_step branch_ask(struct session *, struct smtpd_verdict *);
static enum smtpd_step branch_said(struct session *,
		    const struct hook_verdict *, struct smtpd_verdict *);
static enum smtpd_step submit(struct session *);
static enum smtpd_step ended(struct session *, struct smtpd_verdict *);
static void	submitted(void *, const struct err *);

enum smtpd_step
session_eom(void *arg, struct envelope *env, const struct bodyin *facts,
    struct smtpd_verdict *v)
{
	struct session *s;
	struct inmsg *m;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	m = s->m;
	ASSERT(m != NULL && m->env == env);
	m->env_ours = m->complete = true;
	/* The message outlives the configuration it came under. */
	env->listener = pool_strdup(env->pool, s->l->name);
	if (m->end != HOOK_GO)
		return ended(s, v);
	body_finish(m->body);
	env->size = body_size(m->body);
	s->in->stats.bytes += env->size;
	log_content(s, env, facts);
	(void)inmsg_head_ended(m, facts->header_bytes);
	m->step = INMSG_HEADERS;
	return eom_go(s, v);
}

static void
log_content(const struct session *s, const struct envelope *env,
    const struct bodyin *facts)
{
	if (buf_len(&facts->message_id) > 0)
		mail_log(EV_MID_MESSAGE_ID, s->mid,
		    buf_str(&facts->message_id));
	if (buf_len(&facts->subject) > 0)
		mail_log(EV_MID_SUBJECT, s->mid, buf_str(&facts->subject));
	mail_log(EV_MID_READY, s->mid, env->size, env->sender.full);
}

/* The next step; each comes back here when it has been answered. */
static enum smtpd_step
eom_go(struct session *s, struct smtpd_verdict *v)
{
	struct inmsg *m = s->m;

	if (m->end == HOOK_GO && m->unreadable)
		failed(m, &(struct err){ .text = "its body is not complete" });
	if (m->end != HOOK_GO)
		return ended(s, v);
	switch (m->step) {
	case INMSG_HEADERS:
		m->step = INMSG_SETTLE;
		return m->head_due ? session_headers(s, headers_said, v) :
		    eom_go(s, v);
	case INMSG_SETTLE:
		if (settle(s, m->body) == SMTPD_WAIT)
			return SMTPD_WAIT;
		m->step = INMSG_FILTERS;
		return eom_go(s, v);
	case INMSG_FILTERS:
		m->filter = inmsg_filter_next(m, PST_FILTER_END, NULL);
		m->step = INMSG_EOM;
		return filter_end(s, v);
	case INMSG_EOM:
		m->step = INMSG_ROUTES;
		return session_ask(s, HOOK_EOM, -1, eom_said, v);
	case INMSG_ROUTES:
		m->step = INMSG_SPLIT;
		return session_route(s, eom_said, v);
	case INMSG_SPLIT:
		return split_up(s, v);
	case INMSG_BRANCH:
		return branch_ask(s, v);
	case INMSG_SUBMIT:
		return submit(s);
	}
	panic("step %d", (int)m->step);
}

static enum smtpd_step
headers_said(struct session *s, const struct hook_verdict *hv,
    struct smtpd_verdict *v)
{
	inmsg_heard(s->m, hv);
	return eom_go(s, v);
}

/* Whoever walks the body finds all of it. */
static enum smtpd_step
settle(struct session *s, struct body_ref *body)
{
	if (!s->m->watched || body_settle(body, settled, s))
		return SMTPD_NOW;
	s->m->settling = body;
	s->waiting = true;
	return SMTPD_WAIT;
}

static void
settled(void *arg, const struct err *why)
{
	struct smtpd_verdict v = { .act = SMTPD_OK };
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	(void)why; /* who reads it, or the commit, comes to know */
	s->m->settling = NULL;
	if (eom_go(s, &v) == SMTPD_NOW)
		session_reply(s, &v);
}

static enum smtpd_step
filter_end(struct session *s, struct smtpd_verdict *v)
{
	struct inmsg *m = s->m;

	if (m->filter == NULL || m->end != HOOK_GO)
		return eom_go(s, v);
	return session_op(s, m->filter, PST_FILTER_END, -1, NULL,
	    filter_ended, v);
}

static enum smtpd_step
filter_ended(struct session *s, const struct op_answer *a,
    struct smtpd_verdict *v)
{
	struct inmsg *m = s->m;

	(void)inmsg_end_op(m, a);
	m->filter = a->verdict == PST_ACCEPT ? NULL :
	    inmsg_filter_next(m, PST_FILTER_END, m->filter);
	return filter_end(s, v);
}

static enum smtpd_step
eom_said(struct session *s, const struct hook_verdict *hv,
    struct smtpd_verdict *v)
{
	inmsg_heard(s->m, hv);
	return eom_go(s, v);
}

static void
failed(struct inmsg *m, const struct err *why)
{
	struct hook_verdict hv = { .act = HOOK_TEMPFAIL, .by = "this host" };

	log_warning("MID %" PRIu64 ": %s", m->s->mid, why->text);
	(void)err_set(&hv.reply, 451, "4.3.0", "Error in processing");
	inmsg_end_set(m, &hv);
}

static enum smtpd_step
split_up(struct session *s, struct smtpd_verdict *v)
{
	struct inmsg *m = s->m;
	struct err why = ERR_INIT;

	bool asked = hook_wanted(s->conf->plugins, HOOK_BRANCH);

	m->step = asked ? INMSG_BRANCH : INMSG_SUBMIT;
	if (inmsg_split(m, asked, &why) < 0)
		failed(m, &why);
	return eom_go(s, v);
}

/* One after another; a no to one of them is a no to all: nothing is accepted
 * by halves. */
static enum smtpd_step
branch_ask(struct session *s, struct smtpd_verdict *v)
{
	struct inmsg *m = s->m;

	if (m->at_branch == m->nbranch) {
		m->step = INMSG_SUBMIT;
		return eom_go(s, v);
	}
	if (settle(s, m->branch[m->at_branch].body) == SMTPD_WAIT)
		return SMTPD_WAIT;
	inmsg_branch(m, m->at_branch++);
	return session_ask(s, HOOK_BRANCH, -1, branch_said, v);
}

static enum smtpd_step
branch_said(struct session *s, const struct hook_verdict *hv,
    struct smtpd_verdict *v)
{
	inmsg_heard(s->m, hv);
	inmsg_branch_end(s->m);
	return eom_go(s, v);
}

/* One transaction for all branches. Mostly there is one, and nobody who asked
 * for anything. */
static enum smtpd_step
submit(struct session *s)
{
	struct inmsg *m = s->m;
	unsigned i, n = m->nbranch, all = n + m->nnotice;
	struct branch *v = m->branch;
	struct accepted *a;

	a = mem_zalloc(sizeof(*a) + (all > 0 ? all : 1) * sizeof(a->mid[0]));
	OBJ_INIT(a, ACCEPTED_MAGIC);
	a->s = s;
	a->n = all > 0 ? all : 1;
	a->mid[0] = s->mid;
	for (i = 0; i < n; i++) {
		a->mid[i] = v[i].env->mid;
		branch_seal(&v[i]);
	}
	if (n > 1)
		split_log(v, n);
	for (i = 0; i < n; i++) {
		if (v[i].env->quarantine.n > 0)
			mail_log(EV_MID_QUARANTINED, a->mid[i], "Policy",
			    v[i].env->quarantine);
	}
	s->waiting = true;
	s->busy++;
	if (n > 0) {
		m->branch = NULL;
		if (all > n)
			inmsg_notices(m, &v, n);
		for (i = n; i < all; i++)
			a->mid[i] = v[i].env->mid;
		inmsg_destroy(&s->m);
		queue_submit_branches(s->in->w.queue, v, all, submitted, a);
		mem_free(v);
	} else {
		inmsg_submit(&s->m, submitted, a);
	}
	return SMTPD_WAIT;
}

/* Somebody has decided. */
static enum smtpd_step
ended(struct session *s, struct smtpd_verdict *v)
{
	struct hook_verdict hv = { .act = s->m->end,
		.reply = s->m->end_reply };
	char text[128];

	(void)snprintf(text, sizeof(text), "%s by %s",
	    hv.act == HOOK_DISCARD ? "Dropped" : "Rejected", s->m->end_by);
	session_message_end(s, text);
	if (hv.act == HOOK_DISCARD)
		(void)err_set(&v->reply, 250, "2.0.0", "Ok: queued as %"
		    PRIu64, s->mid);
	else
		session_verdict(&hv, v);
	return SMTPD_NOW;
}

/* The client may be gone; the message is safe or refused all the same. */
static void
submitted(void *arg, const struct err *why)
{
	struct accepted *a;
	struct session *s;
	char text[80];
	unsigned i;

	OBJ_CAST(a, arg, ACCEPTED_MAGIC);
	s = a->s;
	if (why == NULL) {
		s->in->stats.messages++;
		for (i = 0; i < a->n; i++)
			mail_log(EV_MID_QUEUED, a->mid[i]);
		(void)snprintf(text, sizeof(text), "Ok: queued as %" PRIu64,
		    s->mid);
		session_answer(s, SMTPD_OK, 250, "2.0.0", text);
	} else {
		mail_log(EV_MID_ABORTED, s->mid, str_c(why->text));
		if (why->code >= 400 && why->code < 600)
			session_answer(s, SMTPD_REFUSE, why->code, why->enh,
			    why->code == 452 ? "Insufficient system storage" :
			    "Error in processing");
		else
			session_answer(s, SMTPD_REFUSE, 451, "4.3.0",
			    "Error in processing");
	}
	OBJ_FREE(a);
	session_done(s);
}
