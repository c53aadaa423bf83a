/*
 * Where mail for a recipient goes, asked at the end of the message of whoever
 * provides route/1: for each recipient without a route, one provider after the
 * other until one names some. What is no answer, or none that leads anywhere,
 * refuses the message for now: mail that somebody should have routed never
 * goes by MX instead.
 */
#include "daemon/inbound_priv.h"

#include <inttypes.h>

#include <postern/route.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/obj.h"
#include "relay/route.h"

/* One message's questions; in the pool of the message. */
struct inmsg_routing {
	struct instance *who;	/* who is asked next; NULL: nobody is left */
	unsigned rcpt;		/* about whom */
	struct pst_route q;
	hooked *then;
	bool in_call;		/* session_op() has not returned yet */
	bool failed;
	struct hook_verdict said;
};

static enum smtpd_step go(struct session *, struct smtpd_verdict *);
static bool	next(struct session *);
static void	question(const struct session *);
static enum smtpd_step answered(struct session *, const struct op_answer *,
		    struct smtpd_verdict *);
static void	heard(struct session *, const struct op_answer *);
static void	refuse(struct session *, const struct err *);

enum smtpd_step
session_route(struct session *s, hooked *then, struct smtpd_verdict *v)
{
	static const struct hook_verdict nobody = { .act = HOOK_GO };
	struct inmsg *m = s->m;
	struct instance *first = op_next(s->conf->plugins, PST_ROUTE_ROUTE,
	    NULL);

	if (first == NULL)
		return then(s, &nobody, v);
	m->routing = POOL_NEW(m->pool, struct inmsg_routing);
	m->routing->who = first;
	m->routing->then = then;
	m->routing->said.act = HOOK_GO;
	return go(s, v);
}

/* Answers that come at once make no stack grow, however many recipients. */
static enum smtpd_step
go(struct session *s, struct smtpd_verdict *v)
{
	struct inmsg_routing *r = s->m->routing;
	enum smtpd_step step;

	while (!r->failed && next(s)) {
		question(s);
		r->in_call = true;
		step = session_op(s, r->who, PST_ROUTE_ROUTE, (int)r->rcpt,
		    &r->q, answered, v);
		r->in_call = false;
		if (step == SMTPD_WAIT)
			return step;
	}
	return r->then(s, &r->said, v);
}

/* To the recipient that somebody is to be asked about. */
static bool
next(struct session *s)
{
	struct inmsg *m = s->m;
	struct inmsg_routing *r = m->routing;

	while (r->rcpt < m->env->nrcpt &&
	    (r->who == NULL || inmsg_route(m, (int)r->rcpt) != NULL ||
		inmsg_rcpt_dropped(m, (int)r->rcpt))) {
		r->rcpt++;
		r->who = op_next(s->conf->plugins, PST_ROUTE_ROUTE, NULL);
	}
	return r->rcpt < m->env->nrcpt;
}

static void
question(const struct session *s)
{
	char folded[ADDR_DOMAIN_MAX + 2];
	struct inmsg *m = s->m;
	struct inmsg_routing *r = m->routing;
	const struct addr *a = &m->env->rcpt[r->rcpt]->addr;
	struct str domain = a->domain;

	if (domain.n == 0)
		domain = str_c(s->conf->relay_conf.hostname);
	domain = domain_fold(domain, folded, sizeof(folded));
	r->q = (struct pst_route){ .size = sizeof(r->q),
		.address = pool_str(m->pool, a->full).p,
		.domain = pool_str(m->pool, domain).p };
}

static enum smtpd_step
answered(struct session *s, const struct op_answer *a,
    struct smtpd_verdict *v)
{
	heard(s, a);
	return s->m->routing->in_call ? SMTPD_NOW : go(s, v);
}

/* Its text is gone after this. */
static void
heard(struct session *s, const struct op_answer *a)
{
	struct inmsg *m = s->m;
	struct inmsg_routing *r = m->routing;
	struct err why = ERR_INIT;

	if (a->verdict != PST_CONTINUE && a->verdict != PST_ACCEPT) {
		refuse(s, &a->reply);
		return;
	}
	if (r->q.route == NULL) {
		r->who = a->verdict == PST_ACCEPT ? NULL :
		    op_next(s->conf->plugins, PST_ROUTE_ROUTE, r->who);
		return;
	}
	if (route_check(&s->conf->relay_conf, str_c(r->q.route), &why) < 0) {
		refuse(s, &why);
		return;
	}
	inmsg_plan(m, (int)r->rcpt)->route = pool_strdup(m->pool,
	    r->q.route);
}

/* Nothing that is said here is for good: it would be the mail's fault. */
static void
refuse(struct session *s, const struct err *why)
{
	struct inmsg_routing *r = s->m->routing;
	const char *by = instance_name(r->who);

	log_warning("MID %" PRIu64 ": no route for <%.*s> by %s: %s", s->mid,
	    STR_FMT(s->m->env->rcpt[r->rcpt]->addr.full), by,
	    why->text[0] != '\0' ? why->text : "no answer");
	r->failed = true;
	r->said.act = HOOK_TEMPFAIL;
	r->said.by = by;
	if (why->code >= 400 && why->code < 500)
		r->said.reply = *why;
	else
		(void)err_set(&r->said.reply, 451, "4.3.5",
		    "No route for a recipient");
}
