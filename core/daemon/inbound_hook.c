/*
 * Plugins are asked about a session. One question is open at a time: the SMTP
 * server waits for its answer, and what is asked about stays.
 */
#include "daemon/inbound_priv.h"

#include "base/log.h"
#include "base/obj.h"

static void	hook_answered(void *, const struct hook_verdict *);
static void	op_answered(void *, const struct op_answer *);
static void	ask_about(struct session *, int);
static void	told(void *, const struct hook_verdict *);
static void	keep_who(struct session *);
static bool	refused(struct session *, const struct hook_verdict *,
		    struct smtpd_verdict *);

enum smtpd_step
session_ask(struct session *s, enum hook h, int rcpt, hooked *then,
    struct smtpd_verdict *v)
{
	static const struct hook_verdict nobody = { .act = HOOK_GO };
	struct hook_verdict hv;

	if (!hook_wanted(s->conf->plugins, h))
		return then(s, &nobody, v);
	ask_about(s, rcpt);
	s->then = then;
	if (hook_ask(s->conf->plugins, h, &s->about, &hv, hook_answered, s,
		&s->run))
		return then(s, &hv, v);
	s->waiting = true;
	return SMTPD_WAIT;
}

static void
hook_answered(void *arg, const struct hook_verdict *hv)
{
	struct smtpd_verdict v = { .act = SMTPD_OK };
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	s->run = NULL;
	if (s->then(s, hv, &v) == SMTPD_NOW)
		session_reply(s, &v);
}

enum smtpd_step
session_op(struct session *s, struct instance *i, const char *op, int rcpt,
    void *oparg, operated *then, struct smtpd_verdict *v)
{
	struct op_answer a;

	ask_about(s, rcpt);
	s->op_then = then;
	if (op_ask(i, op, &s->about, oparg, &a, op_answered, s, &s->op))
		return then(s, &a, v);
	s->waiting = true;
	return SMTPD_WAIT;
}

static void
op_answered(void *arg, const struct op_answer *a)
{
	struct smtpd_verdict v = { .act = SMTPD_OK };
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	s->op = NULL;
	if (s->op_then(s, a, &v) == SMTPD_NOW)
		session_reply(s, &v);
}

static void
ask_about(struct session *s, int rcpt)
{
	ASSERT(s->run == NULL && s->op == NULL);
	s->about = (struct about){ .ops = &session_about,
		.arg = s,
		.icid = s->icid,
		.mid = s->m != NULL ? s->mid : 0,
		.rcpt = rcpt };
}

void
session_ask_cancel(struct session *s)
{
	hook_cancel(&s->run);
	op_cancel(&s->op);
}

void
session_verdict(const struct hook_verdict *hv, struct smtpd_verdict *v)
{
	switch (hv->act) {
	case HOOK_GO:
	case HOOK_DISCARD:
		return;
	case HOOK_REJECT:
	case HOOK_TEMPFAIL:
		v->act = SMTPD_REFUSE;
		v->reply = hv->reply;
		return;
	case HOOK_DISCONNECT_NOW:
		v->act = SMTPD_CLOSE;
		v->reply = hv->reply;
		return;
	}
	panic("verdict %d", (int)hv->act);
}

/* ---- the hooks that are about no message ---- */

/* In place of a greeting only 554 and 421 are known (RFC 5321 4.3.2). */
static enum smtpd_step
connect_said(struct session *s, const struct hook_verdict *hv,
    struct smtpd_verdict *v)
{
	if (!refused(s, hv, v))
		return SMTPD_NOW;
	s->in->stats.refused++;
	if (hv->act == HOOK_REJECT) {
		v->reply.code = 554;
	} else {
		v->act = SMTPD_CLOSE;
		v->reply.code = 421;
	}
	return SMTPD_NOW;
}

enum smtpd_step
session_connected(struct session *s, struct smtpd_verdict *v)
{
	s->hooked = true;
	return session_ask(s, HOOK_CONNECT, -1, connect_said, v);
}

static enum smtpd_step
said(struct session *s, const struct hook_verdict *hv, struct smtpd_verdict *v)
{
	(void)refused(s, hv, v);
	return SMTPD_NOW;
}

enum smtpd_step
session_helo(void *arg, struct smtpd_verdict *v)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	return session_ask(s, HOOK_HELO, -1, said, v);
}

enum smtpd_step
session_secured(struct session *s, struct smtpd_verdict *v)
{
	return session_ask(s, HOOK_TLS, -1, said, v);
}

static bool
refused(struct session *s, const struct hook_verdict *hv,
    struct smtpd_verdict *v)
{
	if (hv->act == HOOK_GO)
		return false;
	mail_log(EV_ICID_REJECTED, s->icid, hv->by, str_c(hv->reply.text));
	session_verdict(hv, v);
	return true;
}

/* The last one: nobody waits for its answer, the session stays for it. */
void
session_goodbye(struct session *s)
{
	struct hook_verdict hv;

	if (!s->hooked || !hook_wanted(s->conf->plugins, HOOK_DISCONNECT))
		return;
	ask_about(s, -1);
	if (hook_ask(s->conf->plugins, HOOK_DISCONNECT, &s->about, &hv, told,
		s, &s->run))
		return;
	s->busy++;
	keep_who(s);
}

static void
told(void *arg, const struct hook_verdict *hv)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	(void)hv;
	s->run = NULL;
	session_done(s);
}

static void
keep_who(struct session *s)
{
	const struct tls_info *is = smtpd_tls(s->smtpd);
	struct pool *pool = session_pool(s);
	struct session_who *w = &s->who;
	struct tls_info *t;

	if (smtpd_helo(s->smtpd).n > 0)
		w->helo = pool_str(pool, smtpd_helo(s->smtpd)).p;
	w->auth = pool_strdup(pool, smtpd_auth(s->smtpd));
	w->esmtp = smtpd_esmtp(s->smtpd);
	if (is == NULL)
		return;
	t = pool_dup(pool, is, sizeof(*is));
	t->version = pool_strdup(pool, is->version);
	t->cipher = pool_strdup(pool, is->cipher);
	t->verify_why = pool_strdup(pool, is->verify_why);
	t->group = t->matched = t->sni = t->matched_by = t->names = "";
	w->tls = t;
}
