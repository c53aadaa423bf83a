/*
 * Does the domain of an envelope sender exist? A mail flow policy may want
 * that (sender_dns): it must have an MX or an address. Reports, whose sender
 * is empty, have none, and exceptions are not asked.
 */
#include "daemon/inbound_priv.h"

#include "base/obj.h"
#include "policy/admit.h"

#define SENDERCHECK_MAGIC 0x1b0d0017u

struct sendercheck {
	unsigned magic;
	struct session *s;
	struct envelope *env;
	struct pool *pool;
	struct mx_query *query;
};

static void	sender_known(void *, const struct mx_result *);

bool
session_sender_asked(struct session *s, struct envelope *env)
{
	struct sendercheck *c;

	if (!admit_domain_asked(s->conf, s->flow, &env->sender))
		return false;
	OBJ_NEW(c, SENDERCHECK_MAGIC);
	c->s = s;
	c->env = env;
	c->pool = pool_new(0);
	s->sendercheck = c;
	c->query = mx_lookup(s->in->w.dns, c->pool,
	    pool_str(c->pool, env->sender.domain).p, 25, MX_PREFER_V4,
	    sender_known, c);
	return true;
}

void
session_sender_end(struct session *s)
{
	struct sendercheck *c = s->sendercheck;

	if (c == NULL)
		return;
	OBJ_CHECK(c, SENDERCHECK_MAGIC);
	s->sendercheck = NULL;
	mx_cancel(&c->query);
	pool_destroy(&c->pool);
	OBJ_FREE(c);
}

static void
sender_known(void *arg, const struct mx_result *r)
{
	struct smtpd_verdict v = { .act = SMTPD_OK };
	enum mx_status status = r->status;
	struct sendercheck *c;
	struct envelope *env;
	struct session *s;

	OBJ_CAST(c, arg, SENDERCHECK_MAGIC);
	s = c->s;
	env = c->env;
	c->query = NULL;
	session_sender_end(s);
	if (admit_domain(s->flow, status, &v.reply) != ADMIT_YES)
		v.act = SMTPD_REFUSE;
	if (v.act != SMTPD_OK ||
	    session_mail_go(s, env, &v) == SMTPD_NOW)
		session_reply(s, &v);
}
