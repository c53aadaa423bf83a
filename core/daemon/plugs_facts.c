/*
 * What plugins read and set at a delivery, and read in a report
 * (host/about.h).
 */
#include "daemon/plugs_priv.h"

#include "daemon/factwords.h"
#include "host/scope.h"
#include "mail/addr.h"
#include "mail/notes.h"
#include "mail/status.h"
#include "relay/route.h"
#include "tls/tlsio.h"

static const char *
get_message(const struct envelope *env, enum fact f, struct pool *pool)
{
	switch ((int)f) {
	case FACT_MESSAGE_SIZE:
		return fact_number(pool, env->size);
	case FACT_MESSAGE_RCPTS:
		return fact_number(pool, env->nrcpt);
	case FACT_MESSAGE_GENERATED:
		return fact_truth((env->flags & ENV_GENERATED) != 0);
	}
	return fact_envelope(env, f, pool);
}

static const char *
get_rcpt(const struct out *o, enum fact f, int rcpt, struct pool *pool)
{
	const struct rcpt *r;

	if (rcpt < 0 && o->n == 1)
		rcpt = 0;
	if (rcpt < 0 || (unsigned)rcpt >= o->n)
		return NULL;
	r = o->rcpt[rcpt];
	switch ((int)f) {
	case FACT_RCPT:
		return pool_str(pool, r->addr.full).p;
	case FACT_RCPT_LOCAL:
		return fact_text(pool, r->addr.local);
	case FACT_RCPT_DOMAIN:
		return fact_domain(pool, r->addr.domain);
	case FACT_RCPT_MAILBOX:
		return addr_fold(pool, &r->addr);
	case FACT_RCPT_INDEX:
		return fact_number(pool, r->rid);
	case FACT_RCPT_TLS:
		return fact_text(pool, r->want);
	case FACT_RCPT_ROUTE:
		return fact_text(pool, r->route);
	case FACT_RCPT_PROFILE:
		return fact_profile(pool, r);
	}
	return NULL;
}

static const char *
get_report(const struct qreport *v, enum fact f, struct pool *pool)
{
	if (v == NULL)
		return NULL;
	switch ((int)f) {
	case FACT_DELIVER_HOST:
		return fact_text(pool, v->remote);
	case FACT_DELIVER_CODE:
		return v->code > 0 ?
		    fact_number(pool, (uint64_t)v->code) : NULL;
	case FACT_DELIVER_STATUS:
		return fact_text(pool, str_c(v->status));
	case FACT_DELIVER_TEXT:
		return fact_text(pool, v->text);
	case FACT_DELIVER_REASON:
		return fact_text(pool, str_c(tls_reason_word(v->tls)));
	}
	return NULL;
}

static const char *
get_delivery(const struct out *o, enum fact f, struct pool *pool)
{
	switch ((int)f) {
	case FACT_DELIVER_HOP:
		return o->hop;
	case FACT_DELIVER_HOST:
		if (o->report == NULL)
			return fact_text(pool, str_c(o->host));
		break;
	case FACT_DELIVER_IP:
		return o->ip;
	case FACT_DELIVER_PORT:
		return o->port > 0 ? fact_number(pool, o->port) : NULL;
	case FACT_DELIVER_ATTEMPT:
		return o->attempt > 0 ? fact_number(pool, o->attempt) : NULL;
	case FACT_DELIVER_TLS:
		if (o->report != NULL && o->want == NULL)
			return fact_text(pool, o->rcpt[0]->want);
		return o->new_want != NULL ? o->new_want : o->want;
	case FACT_DELIVER_ROUTE:
		return o->new_route;
	}
	return get_report(o->report, f, pool);
}

static const char *
get(void *arg, enum fact f, int rcpt, struct pool *pool)
{
	const struct out *o = arg;

	if (f >= FACT_TLS_VERSION && f <= FACT_TLS_CERT_WHY)
		return fact_tls(o->tls, f, pool);
	if (f == FACT_DIRECTION)
		return (o->env->flags & (ENV_OUTBOUND | ENV_GENERATED)) != 0 ?
		    "outbound" : "inbound";
	if (f >= FACT_SENDER && f <= FACT_MESSAGE_HOLD)
		return get_message(o->env, f, pool);
	if (f >= FACT_RCPT && f <= FACT_RCPT_PROFILE)
		return get_rcpt(o, f, rcpt, pool);
	if (f >= FACT_DELIVER_HOP && f <= FACT_DELIVER_REASON)
		return get_delivery(o, f, pool);
	return NULL; /* the host's own, or none of ours */
}

static int
set(void *arg, enum fact f, int rcpt, const char *value, struct err *why)
{
	struct out *o = arg;

	(void)rcpt;
	if (f == FACT_DELIVER_ROUTE) {
		if (route_check(o->conf, str_c(value), why) == -1)
			return -1;
		o->new_route = pool_strdup(o->pool, value);
		return 0;
	}
	if (f != FACT_DELIVER_TLS)
		return err_text(why, "it cannot be set here");
	return tlswant_raise(o->pool, o->new_want, value, RCPT_WANT_MAX,
	    &o->new_want, why);
}

/* To be read: what a branch is stored with stays as it is. */
static struct notes *
notes(void *arg)
{
	struct err why = ERR_INIT;
	struct out *o = arg;

	if (o->notes == NULL && o->env->notes.n > 0 &&
	    notes_read(&o->notes, o->pool, o->env->notes, &why) < 0)
		return NULL; /* no store gives such */
	return o->notes;
}

static unsigned
nrcpt(void *arg)
{
	const struct out *o = arg;

	return o->n;
}

/* Message and recipient live as long as the event here. */
static struct scope **
scope(void *arg, int which, int rcpt)
{
	struct out *o = arg;

	(void)rcpt;
	if (which == PST_MESSAGE)
		return &o->scope[0];
	if (which == PST_RCPT && o->n == 1)
		return &o->scope[1];
	return NULL;
}

void
out_end(struct out *o)
{
	scope_end(&o->scope[1]);
	scope_end(&o->scope[0]);
}

const struct about_ops out_about = {
	.get = get,
	.set = set,
	.notes = notes,
	.nrcpt = nrcpt,
	.scope = scope,
};
