/*
 * What plugins read and set at a session and its message (host/about.h).
 */
#include "daemon/inbound_priv.h"

#include <inttypes.h>

#include "base/obj.h"
#include "mail/notes.h"
#include "relay/route.h"
#include "tls/tlswant.h"

static const char *get_client(const struct session *, enum fact,
		    struct pool *);
static const char *get_tls(const struct session *, enum fact, struct pool *);
static const char *get_message(const struct inmsg *, enum fact,
		    struct pool *);
static const char *get_rcpt(const struct inmsg *, enum fact, int,
		    struct pool *);
static int	set_want(struct inmsg *, int, const char *, struct err *);
static int	set_route(struct inmsg *, int, const char *, struct err *);

static const char *
number(struct pool *pool, uint64_t n)
{
	return pool_printf(pool, "%" PRIu64, n);
}

static const char *
truth(bool is)
{
	return is ? "yes" : "no";
}

/* NULL for what is not known. */
static const char *
text(struct pool *pool, struct str s)
{
	return s.n > 0 ? pool_str(pool, s).p : NULL;
}

static const char *
domain_text(struct pool *pool, struct str domain)
{
	char *p;

	if (domain.n == 0)
		return NULL;
	p = pool_strndup(pool, domain.p, domain.n);
	str_lower(p, domain.n);
	return p;
}

static const char *
get(void *arg, enum fact f, int rcpt, struct pool *pool)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	if (f == FACT_HOST)
		return s->conf->top.hostname;
	if (f == FACT_LISTENER)
		return s->l->name;
	if (f >= FACT_CLIENT_IP && f <= FACT_CLIENT_RELAY)
		return get_client(s, f, pool);
	if (f >= FACT_TLS_VERSION && f <= FACT_TLS_CERT_WHY)
		return get_tls(s, f, pool);
	if (s->m == NULL)
		return NULL;
	if (f >= FACT_SENDER && f <= FACT_MESSAGE_HOLD)
		return get_message(s->m, f, pool);
	if (f >= FACT_RCPT && f <= FACT_RCPT_ROUTE)
		return get_rcpt(s->m, f, rcpt, pool);
	return NULL; /* the host's own, or none of ours */
}

static const char *
get_client(const struct session *s, enum fact f, struct pool *pool)
{
	const struct session_who *w = &s->who;
	char ip[SOCK_IP_MAX];

	switch ((int)f) {
	case FACT_CLIENT_IP:
		return pool_strdup(pool,
		    sock_addr_ip_text(&w->peer, ip, sizeof(ip)));
	case FACT_CLIENT_PORT:
		return number(pool, sock_addr_port(&w->peer));
	case FACT_CLIENT_NAME:
		return pool_strdup(pool, s->rname);
	case FACT_CLIENT_VERIFIED:
		return truth(s->verified);
	case FACT_CLIENT_HELO:
		return s->smtpd == NULL ? w->helo :
		    text(pool, smtpd_helo(s->smtpd));
	case FACT_CLIENT_ESMTP:
		return truth(s->smtpd == NULL ? w->esmtp :
		    smtpd_esmtp(s->smtpd));
	case FACT_CLIENT_AUTH:
		return s->smtpd == NULL ? w->auth :
		    pool_strdup(pool, smtpd_auth(s->smtpd));
	case FACT_CLIENT_RELAY:
		return truth(session_may_relay(s));
	}
	return NULL;
}

static const char *
get_tls(const struct session *s, enum fact f, struct pool *pool)
{
	const struct tls_info *t = s->smtpd == NULL ? s->who.tls :
	    smtpd_tls(s->smtpd);

	if (t == NULL)
		return NULL;
	switch ((int)f) {
	case FACT_TLS_VERSION:
		return pool_strdup(pool, t->version);
	case FACT_TLS_CIPHER:
		return pool_strdup(pool, t->cipher);
	case FACT_TLS_BITS:
		return number(pool, (uint64_t)t->bits);
	case FACT_TLS_RESUMED:
		return truth(t->resumed);
	case FACT_TLS_CERT:
		return t->fingerprint[0] == '\0' ? "none" :
		    t->verified ? "verified" : "unverified";
	case FACT_TLS_CERT_SHA256:
		return text(pool, str_c(t->fingerprint));
	case FACT_TLS_CERT_WHY:
		return t->fingerprint[0] == '\0' ? NULL :
		    text(pool, str_c(t->verify_why));
	}
	return NULL;
}

static const char *
get_message(const struct inmsg *m, enum fact f, struct pool *pool)
{
	const struct envelope *env = m->env;

	switch ((int)f) {
	case FACT_SENDER:
		return pool_str(pool, env->sender.full).p;
	case FACT_SENDER_LOCAL:
		return text(pool, env->sender.local);
	case FACT_SENDER_DOMAIN:
		return domain_text(pool, env->sender.domain);
	case FACT_MESSAGE_SIZE:
		return m->env_ours || env->size > 0 ?
		    number(pool, env->size) : NULL;
	case FACT_MESSAGE_RCPTS:
		return number(pool, env->nrcpt);
	case FACT_MESSAGE_QUEUED:
		return number(pool, (uint64_t)env->queued / 1000);
	case FACT_MESSAGE_SMTPUTF8:
		return truth((env->flags & ENV_SMTPUTF8) != 0);
	case FACT_MESSAGE_8BIT:
		return truth((env->flags & ENV_8BITMIME) != 0);
	case FACT_MESSAGE_ENVID:
		return text(pool, env->envid);
	case FACT_MESSAGE_GENERATED:
		return truth(false);
	}
	return NULL;
}

static const char *
get_rcpt(const struct inmsg *m, enum fact f, int rcpt, struct pool *pool)
{
	const struct rcpt *r = inmsg_rcpt(m, rcpt);
	const char *is;

	if (r == NULL)
		return NULL;
	switch ((int)f) {
	case FACT_RCPT:
		return pool_str(pool, r->addr.full).p;
	case FACT_RCPT_LOCAL:
		return text(pool, r->addr.local);
	case FACT_RCPT_DOMAIN:
		return domain_text(pool, r->addr.domain);
	case FACT_RCPT_INDEX:
		return number(pool, (uint64_t)rcpt);
	case FACT_RCPT_TLS:
		is = inmsg_want(m, rcpt, pool);
		return is[0] != '\0' ? is : NULL;
	case FACT_RCPT_ROUTE:
		return inmsg_route(m, rcpt);
	}
	return NULL;
}

static int
set(void *arg, enum fact f, int rcpt, const char *value, struct err *why)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	if (s->m == NULL)
		return err_text(why, "there is no message");
	switch ((int)f) {
	case FACT_RCPT_TLS:
		return set_want(s->m, rcpt, value, why);
	case FACT_RCPT_ROUTE:
		return set_route(s->m, rcpt, value, why);
	}
	return err_text(why, "it cannot be set here");
}

/* It can rise only. */
static int
set_want(struct inmsg *m, int rcpt, const char *value, struct err *why)
{
	struct plan *p = inmsg_plan(m, rcpt);
	struct tlswant is, more, both;
	struct buf b;
	int r = 0;

	if (tlswant_read(&more, str_c(value), m->pool, why) < 0)
		return -1;
	both = more;
	if (p->want != NULL) {
		if (tlswant_read(&is, str_c(p->want), m->pool, why) < 0)
			return -1;
		tlswant_max(&both, &is, &more, m->pool);
	}
	buf_init(&b, RCPT_WANT_MAX);
	tlswant_write(&both, &b);
	if (buf_full(&b))
		r = err_text(why, "it would be longer than %d octets",
		    RCPT_WANT_MAX);
	else
		p->want = pool_str(m->pool, buf_str(&b)).p;
	buf_fini(&b);
	return r;
}

static int
set_route(struct inmsg *m, int rcpt, const char *value, struct err *why)
{
	if (route_check(&m->s->conf->relay_conf, str_c(value), why) < 0)
		return -1;
	inmsg_plan(m, rcpt)->route = pool_strdup(m->pool, value);
	return 0;
}

/* Those of the session go to each message that begins after them. */
static struct notes *
notes(void *arg)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	if (s->m != NULL) {
		if (s->m->notes == NULL)
			s->m->notes = notes_new(s->m->pool);
		return s->m->notes;
	}
	if (s->notes == NULL)
		s->notes = notes_new(session_pool(s));
	return s->notes;
}

static bool
notes_settable(void *arg)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	return s->smtpd != NULL; /* not behind the end */
}

static unsigned
nrcpt(void *arg)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	return s->m != NULL ? s->m->env->nrcpt : 0;
}

static const struct header *
header(void *arg, int rcpt)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	return s->m != NULL ? inmsg_header(s->m, rcpt) : NULL;
}

static bool
body(void *arg, uint64_t off, struct str *piece_r)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	return s->m != NULL && inmsg_body(s->m, off, piece_r);
}

static struct scope **
scope(void *arg, int which, int rcpt)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	switch (which) {
	case PST_SESSION:
		return &s->scope;
	case PST_MESSAGE:
		return s->m != NULL ? &s->m->scope : NULL;
	case PST_RCPT:
		if (s->m == NULL || inmsg_rcpt(s->m, rcpt) == NULL)
			return NULL;
		return &inmsg_plan(s->m, rcpt)->scope;
	}
	return NULL;
}

const struct about_ops session_about = {
	.get = get,
	.set = set,
	.notes = notes,
	.notes_set = notes_settable,
	.nrcpt = nrcpt,
	.header = header,
	.body = body,
	.scope = scope,
};
