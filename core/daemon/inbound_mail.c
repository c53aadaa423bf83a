/*
 * A transaction until its content comes: MAIL, RCPT, and how it may end early.
 */
#include "daemon/inbound_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/obj.h"
#include "policy/admit.h"

#define SLOWEST SECONDS(1)

static bool	no_room(struct session *, const struct envelope *,
		    struct err *);
static msec	pause_for_backlog(const struct session *);
static void	mail_paused(void *);
static void	mail_begin(struct session *, struct envelope *);
static enum smtpd_step mail_said(struct session *,
		    const struct hook_verdict *, struct smtpd_verdict *);
static const char *refuses(struct session *, const struct envelope *,
		    struct rcpt *, struct err *);
static bool	hour_full(struct session *, struct err *);
static enum smtpd_step rcpt_said(struct session *,
		    const struct hook_verdict *, struct smtpd_verdict *);

enum smtpd_step
session_mail(void *arg, struct envelope *env, struct smtpd_verdict *v)
{
	struct session *s;
	enum admit how;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	how = admit_sender(&(struct admit_sender){ .conf = s->conf,
		.flow = s->flow, .tls = s->tls,
		.auth = smtpd_auth(s->smtpd), .sender = &env->sender },
	    &v->reply);
	if (how != ADMIT_YES) {
		s->tls_demanded = s->tls_demanded || how == ADMIT_TLS;
		v->act = SMTPD_REFUSE;
		return SMTPD_NOW;
	}
	if (no_room(s, env, &v->reply)) {
		v->act = SMTPD_REFUSE;
		return SMTPD_NOW;
	}
	if (session_sender_asked(s, env)) {
		s->waiting = true;
		return SMTPD_WAIT;
	}
	return session_mail_go(s, env, v);
}

enum smtpd_step
session_mail_go(struct session *s, struct envelope *env,
    struct smtpd_verdict *v)
{
	msec pause;

	mail_begin(s, env);
	pause = pause_for_backlog(s);
	if (pause == 0)
		return session_ask(s, HOOK_MAIL, -1, mail_said, v);
	s->waiting = true;
	loop_timer_init(s->in->w.loop, &s->timer, mail_paused, s);
	loop_timer_set(&s->timer, pause);
	return SMTPD_WAIT;
}

static bool
no_room(struct session *s, const struct envelope *env, struct err *reply)
{
	uint64_t floor = s->flow->limits.free_space;
	struct store_stats st;

	if (floor > 0 && s->in->space < floor + env->size) {
		(void)err_set(reply, 452, "4.3.1",
		    "Insufficient system storage");
		return true;
	}
	store_stats(s->in->w.store, &st);
	/* One at a time tries whether the disk is well again. */
	if (st.degraded && st.waiting > 0) {
		(void)err_set(reply, 452, "4.3.1",
		    "The queue cannot be written now");
		return true;
	}
	return false;
}

/* Nothing at the limit, one second at twice the limit. */
static msec
pause_for_backlog(const struct session *s)
{
	unsigned limit = s->flow->limits.backlog;
	struct queue_stats st;
	msec pause;

	if (limit == 0)
		return 0;
	queue_stats(s->in->w.queue, &st);
	if (st.due <= limit)
		return 0;
	pause = (msec)((st.due - limit) * (uint64_t)SLOWEST / limit);
	return pause > SLOWEST ? SLOWEST : pause;
}

static void
mail_paused(void *arg)
{
	struct smtpd_verdict v = { .act = SMTPD_OK };
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	if (session_ask(s, HOOK_MAIL, -1, mail_said, &v) == SMTPD_NOW)
		session_reply(s, &v);
}

static void
mail_begin(struct session *s, struct envelope *env)
{
	env->mid = ids_next(s->in->w.ids, SHM_MID);
	env->icid = s->icid;
	env->queued = clock_wall();
	if (session_may_relay(s))
		env->flags |= ENV_OUTBOUND;
	s->mid = env->mid;
	inmsg_new(s, env);
	mail_log(EV_MID_START, env->mid, env->icid);
	mail_log(EV_MID_FROM, env->mid, env->icid, env->sender.full);
}

static enum smtpd_step
mail_said(struct session *s, const struct hook_verdict *hv,
    struct smtpd_verdict *v)
{
	char text[128];

	if (hv->act == HOOK_GO)
		return SMTPD_NOW;
	if (hv->act == HOOK_DISCARD) {
		inmsg_end_set(s->m, hv);
		return SMTPD_NOW;
	}
	session_verdict(hv, v);
	(void)snprintf(text, sizeof(text), "Rejected by %s", hv->by);
	session_message_end(s, text);
	return SMTPD_NOW;
}

enum smtpd_step
session_rcpt(void *arg, struct envelope *env, struct rcpt *rcpt,
    struct smtpd_verdict *v)
{
	struct session *s;
	const char *by;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	by = refuses(s, env, rcpt, &v->reply);
	if (by != NULL) {
		s->in->stats.rejected++;
		mail_log(EV_MID_TO_REJECTED, env->mid, env->icid,
		    rcpt->addr.full, by);
		v->act = SMTPD_REFUSE;
		return SMTPD_NOW;
	}
	s->m->asking = rcpt;
	/* Who dropped the message has answered for all. */
	if (s->m->end != HOOK_GO)
		return rcpt_said(s, &(struct hook_verdict){ .act = HOOK_GO },
		    v);
	return session_ask(s, HOOK_RCPT, (int)rcpt->rid, rcpt_said, v);
}

/* What of ours refuses a recipient, in the mail log's words, with the reply;
 * NULL: nothing does. */
static const char *
refuses(struct session *s, const struct envelope *env, struct rcpt *rcpt,
    struct err *reply)
{
	if (admit_tag(s->conf, s->flow, session_may_relay(s), &env->sender,
		&rcpt->addr, reply) != ADMIT_YES)
		return "bounce verification";
	if (conf_takes(s->conf, s->l->name, session_may_relay(s), &rcpt->addr,
		reply) != 0)
		return "RAT";
	return hour_full(s, reply) ? "Injection Control" : NULL;
}

/* Counts this recipient; those of a client are counted for each policy. */
static bool
hour_full(struct session *s, struct err *reply)
{
	const struct conf_policy_flow *p = s->flow->policy;
	uint64_t key;

	if (p == NULL || p->recipients_per_hour == 0)
		return false;
	key = s->client ^ hash_stable(p->name, strlen(p->name));
	if (shm_rate(s->in->w.shm, s->in->w.worker, key, HOURS(1)) <=
	    p->recipients_per_hour)
		return false;
	(void)err_set(reply, (int)p->recipients_code,
	    p->recipients_code < 500 ? "4.5.3" : "5.5.3", "%s",
	    p->recipients_text);
	return true;
}

static enum smtpd_step
rcpt_said(struct session *s, const struct hook_verdict *hv,
    struct smtpd_verdict *v)
{
	struct inmsg *m = s->m;
	const struct rcpt *rcpt = m->asking;

	m->asking = NULL;
	if (hv->act == HOOK_GO) {
		s->in->stats.recipients++;
		mail_log(EV_MID_TO, m->env->mid, m->env->icid,
		    (uint64_t)rcpt->rid, rcpt->addr.full);
		return SMTPD_NOW;
	}
	inmsg_plan_drop(m, rcpt->rid);
	if (hv->act == HOOK_DISCARD) {
		m->drop_by = hv->by;
		v->act = SMTPD_DROP;
		mail_log(EV_MID_TO_DROPPED, m->env->mid, m->env->icid,
		    rcpt->addr.full, hv->by);
		return SMTPD_NOW;
	}
	s->in->stats.rejected++;
	mail_log(EV_MID_TO_REJECTED, m->env->mid, m->env->icid,
	    rcpt->addr.full, hv->by);
	session_verdict(hv, v);
	return SMTPD_NOW;
}

void
session_abort(void *arg, struct envelope *env)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	ASSERT(s->m != NULL && s->m->env == env);
	session_message_end(s, "Receiving aborted");
}

void
session_message_end(struct session *s, const char *why)
{
	session_ask_cancel(s);
	mail_log(EV_MID_ABORTED, s->mid, str_c(why));
	inmsg_destroy(&s->m);
}

enum smtpd_step
session_etrn(void *arg, struct str domain, bool subdomains,
    struct smtpd_verdict *v)
{
	struct session *s;
	unsigned n;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	if (!session_may_relay(s)) {
		v->act = SMTPD_REFUSE;
		(void)err_set(&v->reply, 459, "4.7.1",
		    "Node %.*s not allowed", STR_FMT(domain));
		return SMTPD_NOW;
	}
	n = s->in->w.flush(s->in->w.arg, domain, subdomains);
	if (n > 0)
		(void)err_set(&v->reply, 253, "2.0.0",
		    "%u pending messages for node %.*s started", n,
		    STR_FMT(domain));
	else
		(void)err_set(&v->reply, 250, "2.0.0",
		    "Queuing for node %.*s started", STR_FMT(domain));
	return SMTPD_NOW;
}
