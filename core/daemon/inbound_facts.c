/*
 * What plugins read and set at a session and its message (host/about.h).
 */
#include "daemon/inbound_priv.h"

#include <inttypes.h>

#include "base/obj.h"
#include "daemon/factwords.h"
#include "mail/edits.h"
#include "mail/notes.h"
#include "queue/split.h"
#include "relay/route.h"
#include "relay/way.h"
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
static int	set_profile(struct inmsg *, int, const char *, struct err *);
static int	set_hold(struct inmsg *, int, const char *, struct err *);
static const char *get_word(const struct inmsg *, enum fact, int,
		    struct pool *);
static int	set_word(struct inmsg *, int, const char *, struct err *);
static int	set_after(struct inmsg *, int, const char *, struct err *);

static const char *
get(void *arg, enum fact f, int rcpt, struct pool *pool)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	if (f == FACT_HOST)
		return s->conf->top.hostname;
	if (f == FACT_LISTENER)
		return s->l->name;
	if (f >= FACT_CLIENT_IP && f <= FACT_DIRECTION)
		return get_client(s, f, pool);
	if (f >= FACT_TLS_VERSION && f <= FACT_TLS_CERT_WHY)
		return get_tls(s, f, pool);
	if (s->m == NULL)
		return NULL;
	if (f == FACT_BRANCH_INDEX || f == FACT_BRANCH_COUNT)
		return s->m->cur == NULL ? NULL : fact_number(pool,
		    f == FACT_BRANCH_COUNT ? s->m->nbranch :
		    (unsigned)(s->m->cur - s->m->branch));
	if (f >= FACT_SENDER && f <= FACT_MESSAGE_HOLD)
		return get_message(s->m, f, pool);
	if (f >= FACT_RCPT && f <= FACT_RCPT_AFTER)
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
		return fact_number(pool, sock_addr_port(&w->peer));
	case FACT_CLIENT_NAME:
		return pool_strdup(pool, s->rname);
	case FACT_CLIENT_VERIFIED:
		return fact_truth(s->verified);
	case FACT_CLIENT_HELO:
		return s->smtpd == NULL ? w->helo :
		    fact_text(pool, smtpd_helo(s->smtpd));
	case FACT_CLIENT_ESMTP:
		return fact_truth(s->smtpd == NULL ? w->esmtp :
		    smtpd_esmtp(s->smtpd));
	case FACT_CLIENT_AUTH:
		return s->smtpd == NULL ? w->auth :
		    pool_strdup(pool, smtpd_auth(s->smtpd));
	case FACT_CLIENT_RELAY:
		return fact_truth(session_may_relay(s));
	case FACT_CLIENT_GROUP:
		return s->group != NULL ? s->group->name : NULL;
	case FACT_DIRECTION:
		return session_may_relay(s) ? "outbound" : "inbound";
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
	case FACT_TLS_CERT_SUBJECT:
		return s->cert != NULL ?
		    fact_text(pool, str_c(s->cert->subject)) : NULL;
	case FACT_TLS_CERT_ISSUER:
		return s->cert != NULL ?
		    fact_text(pool, str_c(s->cert->issuer)) : NULL;
	case FACT_TLS_CERT_NAMES:
		return s->cert != NULL ? s->cert->names : NULL;
	case FACT_TLS_CERT_WHY:
		if (t->fingerprint[0] == '\0')
			return NULL;
		break;
	}
	return fact_tls(t, f, pool);
}

static const char *
get_message(const struct inmsg *m, enum fact f, struct pool *pool)
{
	const struct envelope *env = m->env;
	const struct treatment *t = inmsg_treatment(m, TREAT_ALL);

	switch ((int)f) {
	case FACT_MESSAGE_SIZE:
		return m->env_ours || env->size > 0 ?
		    fact_number(pool, env->size) : NULL;
	case FACT_MESSAGE_RCPTS:
		return fact_number(pool, inmsg_nrcpt(m));
	case FACT_MESSAGE_GENERATED:
		return fact_truth(false);
	case FACT_MESSAGE_QUARANTINE:
		return m->cur != NULL ? fact_text(pool, env->quarantine) :
		    t->quarantine;
	case FACT_MESSAGE_HOLD:
		return fact_number(pool, (uint64_t)inmsg_hold(m) / 1000);
	}
	return fact_envelope(env, f, pool);
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
		return fact_text(pool, r->addr.local);
	case FACT_RCPT_DOMAIN:
		return fact_domain(pool, r->addr.domain);
	case FACT_RCPT_MAILBOX:
		return addr_fold(pool, &r->addr);
	case FACT_RCPT_INDEX:
		return fact_number(pool, r->rid);
	case FACT_RCPT_TLS:
		is = m->cur != NULL ? pool_str(pool, r->want).p :
		    inmsg_want(m, rcpt, pool);
		return is[0] != '\0' ? is : NULL;
	case FACT_RCPT_ROUTE:
		return m->cur != NULL ? fact_text(pool, r->route) :
		    inmsg_route(m, rcpt);
	case FACT_RCPT_PROFILE:
		return m->cur != NULL ? fact_profile(pool, r) :
		    inmsg_profile(m, rcpt);
	case FACT_RCPT_BRANCH:
	case FACT_RCPT_AFTER:
		return get_word(m, f, rcpt, pool);
	}
	return NULL;
}

static const char *
get_word(const struct inmsg *m, enum fact f, int rcpt, struct pool *pool)
{
	const struct treatment *t = inmsg_treatment(m, rcpt);
	const struct branch *b = m->cur;
	const char *after = b != NULL ? b->after : t->after;

	if (f == FACT_RCPT_BRANCH)
		return b != NULL ? b->word : t->word;
	return after == NULL ? NULL : pool_printf(pool, "%s %" PRId64, after,
	    (b != NULL ? b->wait : t->wait) / SECONDS(1));
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
	case FACT_RCPT_PROFILE:
		return set_profile(s->m, rcpt, value, why);
	case FACT_RCPT_BRANCH:
		return set_word(s->m, rcpt, value, why);
	case FACT_RCPT_AFTER:
		return set_after(s->m, rcpt, value, why);
	case FACT_MESSAGE_HOLD:
		return set_hold(s->m, rcpt, value, why);
	case FACT_MESSAGE_QUARANTINE:
		if (value[0] == '\0')
			return err_text(why, "it needs a reason");
		inmsg_quarantine(s->m, rcpt, value);
		return 0;
	}
	return err_text(why, "it cannot be set here");
}

/* It can rise only. */
static int
set_want(struct inmsg *m, int rcpt, const char *value, struct err *why)
{
	struct pool *pool = m->env->pool;
	const char *want;
	struct rcpt *r;
	unsigned i;

	if (m->cur == NULL)
		return tlswant_raise(m->pool, inmsg_plan(m, rcpt)->want,
		    value, RCPT_WANT_MAX, &inmsg_plan(m, rcpt)->want, why);
	for (i = 0; i < inmsg_nrcpt(m); i++) {
		r = inmsg_branch_rcpt(m, i);
		if (rcpt >= 0 && rcpt != (int)i)
			continue;
		want = pool_str(pool, r->want).p;
		if (tlswant_raise(pool, want, value, RCPT_WANT_MAX, &want,
			why) < 0)
			return -1;
		r->want = str_c(want);
	}
	return 0;
}

static int
set_route(struct inmsg *m, int rcpt, const char *value, struct err *why)
{
	unsigned i;

	if (route_check(&m->s->conf->relay_conf, str_c(value), why) < 0)
		return -1;
	if (m->cur == NULL)
		inmsg_plan(m, rcpt)->route = pool_strdup(m->pool, value);
	for (i = 0; m->cur != NULL && i < inmsg_nrcpt(m); i++) {
		if (rcpt < 0 || rcpt == (int)i)
			inmsg_branch_rcpt(m, i)->route =
			    pool_str(m->env->pool, str_c(value));
	}
	return 0;
}

static int
set_profile(struct inmsg *m, int rcpt, const char *value, struct err *why)
{
	unsigned i;

	if (way_profile_check(&m->s->conf->relay_conf, value, why) < 0)
		return -1;
	if (m->cur == NULL)
		inmsg_plan(m, rcpt)->profile = pool_strdup(m->pool, value);
	for (i = 0; m->cur != NULL && i < inmsg_nrcpt(m); i++) {
		if (rcpt < 0 || rcpt == (int)i)
			inmsg_branch_rcpt(m, i)->profile =
			    pool_str(m->env->pool, str_c(value));
	}
	return 0;
}

static int
set_hold(struct inmsg *m, int rcpt, const char *value, struct err *why)
{
	msec hold;

	if (treat_read_hold(value, &hold, why) < 0)
		return -1;
	if (m->cur == NULL)
		return treat_hold(inmsg_treat(m), rcpt, hold, why);
	m->env->not_before = hold > 0 ? m->env->queued + hold : 0;
	return 0;
}

static int
too_late(struct err *why)
{
	return err_text(why, "the branches are made already");
}

static int
set_word(struct inmsg *m, int rcpt, const char *value, struct err *why)
{
	return m->cur != NULL ? too_late(why) :
	    treat_word(inmsg_treat(m), rcpt, value, why);
}

static int
set_after(struct inmsg *m, int rcpt, const char *value, struct err *why)
{
	struct str word;
	msec wait;

	if (m->cur != NULL)
		return too_late(why);
	if (treat_read_after(value, &word, &wait, why) < 0)
		return -1;
	return treat_after(inmsg_treat(m), rcpt, pool_str(m->pool, word).p,
	    wait, why);
}

/* Those of the session go to each message that begins after them, those of the
 * message to its branches. */
static struct notes *
notes(void *arg)
{
	struct notes **at;
	struct session *s;
	struct pool *pool;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	at = s->m == NULL ? &s->notes : s->m->cur != NULL ?
	    &s->m->cur->notes : &s->m->notes;
	pool = s->m == NULL ? session_pool(s) : s->m->cur != NULL ?
	    s->m->env->pool : s->m->pool;
	if (*at == NULL)
		*at = notes_new(pool);
	return *at;
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
	return s->m != NULL ? inmsg_nrcpt(s->m) : 0;
}

static bool
dropped(void *arg, int rcpt)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	return s->m != NULL && inmsg_rcpt_dropped(s->m, rcpt);
}

static int
rcpt_add(void *arg, const char *address, int flags, struct err *why)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	return s->m != NULL ? inmsg_rcpt_add(s->m, address, flags, why) : -1;
}

static int
rcpt_drop(void *arg, int rcpt, const char *by, struct err *why)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	return s->m != NULL ? inmsg_rcpt_drop(s->m, rcpt, by, why) : -1;
}

static int
notify(void *arg, const struct about_notice *n, struct err *why)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	return s->m != NULL ? inmsg_notify(s->m, n, why) : -1;
}

static const struct header *
header(void *arg, int rcpt)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	return s->m != NULL ? inmsg_header(s->m, rcpt) : NULL;
}

static int
edit(void *arg, int rcpt, enum edit_op op, const char *name, unsigned nth,
    const char *value, struct err *why)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	if (s->m == NULL)
		return err_text(why, "there is no message");
	return inmsg_edit(s->m, rcpt, op, name, nth, value, why);
}

static bool
body(void *arg, uint64_t off, struct str *piece_r)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	return s->m != NULL && inmsg_body(s->m, off, piece_r);
}

static int
write_body(void *arg, int rcpt, const void *p, size_t n, struct err *why)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	if (s->m == NULL)
		return err_text(why, "there is no message");
	return inmsg_body_write(s->m, rcpt, p, n, why);
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

static void
turn(void *arg, const char *instance)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	if (s->m != NULL)
		inmsg_turn(s->m, instance);
}

const struct about_ops session_about = {
	.get = get,
	.set = set,
	.notes = notes,
	.notes_set = notes_settable,
	.nrcpt = nrcpt,
	.dropped = dropped,
	.rcpt_add = rcpt_add,
	.rcpt_drop = rcpt_drop,
	.notify = notify,
	.header = header,
	.edit = edit,
	.body = body,
	.body_write = write_body,
	.scope = scope,
	.turn = turn,
};
