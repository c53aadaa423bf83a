/*
 * Before a client is greeted: who it is (policy/whois.h), and what the mail
 * flow policy of its sender group allows.
 */
#include "daemon/inbound_priv.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/obj.h"
#include "policy/admit.h"
#include "policy/whois.h"

static void	known(void *);
static void	silent(void *, const char *);
static bool	settled(struct session *);
static enum smtpd_step greet(struct session *, struct smtpd_verdict *);
static void	enter(struct session *);
static int	tighten(struct session *, struct err *);

enum smtpd_step
session_identify(struct session *s, struct smtpd_verdict *v)
{
	const struct whois_in in = { .conf = s->conf, .l = s->l,
		.addr = &s->who.peer, .loop = s->in->w.loop,
		.dns = s->in->w.dns, .known = known, .silent = silent,
		.arg = s };

	s->whois = whois_new(&in);
	if (settled(s))
		return greet(s, v);
	s->waiting = true;
	return SMTPD_WAIT;
}

static void
known(void *arg)
{
	struct smtpd_verdict v = { .act = SMTPD_OK };
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	if (settled(s) && greet(s, &v) == SMTPD_NOW)
		session_reply(s, &v);
}

static void
silent(void *arg, const char *zone)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	log_info("ICID %llu: no answer from the DNS list %s",
	    (unsigned long long)s->icid, zone);
}

/* Is there nothing more to wait for? */
static bool
settled(struct session *s)
{
	struct whois_is is;

	if (!whois_known(s->whois, &is))
		return false;
	if (is.name != NULL)
		s->rname = mem_strdup(is.name);
	s->verified = is.verified;
	s->group = is.group;
	s->pattern = is.pattern;
	return true;
}

static enum smtpd_step
greet(struct session *s, struct smtpd_verdict *v)
{
	const char *no;
	int r;

	if (s->group != NULL)
		enter(s);
	r = tighten(s, &v->reply);
	whois_destroy(&s->whois);
	session_log_new(s);
	if (r != 0) {
		s->in->stats.refused++;
		mail_log(EV_ICID_FAILED, s->icid, str_c(v->reply.text));
		v->act = SMTPD_CLOSE;
		return SMTPD_NOW;
	}
	switch (admit_client(s->flow, &v->reply)) {
	case ADMIT_YES:
		break;
	case ADMIT_RESET:
		s->in->stats.refused++;
		v->act = SMTPD_RESET;
		return SMTPD_NOW;
	case ADMIT_REFUSE:
	case ADMIT_TLS:
	case ADMIT_AUTH:
		s->in->stats.refused++;
		v->act = SMTPD_REFUSE;
		return SMTPD_NOW;
	}
	no = s->l->ngroup > 0 ? session_refusal(s) : NULL;
	if (no != NULL) {
		s->in->stats.refused++;
		mail_log(EV_ICID_FAILED, s->icid, str_c(no));
		v->act = SMTPD_CLOSE;
		(void)err_set(&v->reply, 421, "4.7.0", "%s %s",
		    s->conf->top.hostname, no);
		return SMTPD_NOW;
	}
	return session_connected(s, v);
}

static void
enter(struct session *s)
{
	s->flow = whois_flow(s->l, s->group);
	s->network = s->flow->policy->behavior == CONF_RELAY;
	smtpd_conf_set(s->smtpd, &s->flow->smtpd);
}

/* No more than in the groups that it may be in as well. */
static int
tighten(struct session *s, struct err *reply)
{
	const struct conf_flow *was = s->flow;
	struct whois_is is;
	unsigned i;
	int r;

	if (!whois_known(s->whois, &is) || is.nmaybe == 0)
		return 0;
	for (i = 0; i < is.nmaybe; i++)
		log_info("ICID %llu: it cannot be found out whether sender "
		    "group %s is the client's", (unsigned long long)s->icid,
		    is.maybe[i]->name);
	r = whois_doubt(s->whois, session_pool(s), s->network, &s->flow,
	    reply);
	if (s->flow != was)
		smtpd_conf_set(s->smtpd, &s->flow->smtpd);
	return r;
}
