/*
 * The content of a message while it comes: our Received, the store, filters,
 * and the hook of the header. Reading rests while one of them thinks.
 */
#include "daemon/inbound_priv.h"

#include <inttypes.h>

#include <postern/filter.h>
#include <postern/route.h>

#include "base/log.h"
#include "base/obj.h"
#include "mail/received.h"
#include "queue/split.h"

struct inmsg_off {
	const struct instance *who;
	struct inmsg_off *next;
};

static enum smtpd_step data_said(struct session *,
		    const struct hook_verdict *, struct smtpd_verdict *);
static void	postmaster_fill(const struct session *, struct envelope *);
static bool	watched(const struct session *);
static void	write_received(struct session *, struct envelope *);
static void	no_verdict(struct inmsg *, struct hook_verdict *);
static enum smtpd_step filter_begin(struct session *, struct smtpd_verdict *);
static enum smtpd_step filter_begun(struct session *,
		    const struct op_answer *, struct smtpd_verdict *);
static enum smtpd_step piece_go(struct session *, struct smtpd_verdict *);
static enum smtpd_step piece_seen(struct session *, const struct op_answer *,
		    struct smtpd_verdict *);
static enum smtpd_step headers_seen(struct session *,
		    const struct hook_verdict *, struct smtpd_verdict *);
static void	nobody_left(struct inmsg *);
static void	body_moves(void *, const struct err *);

enum smtpd_step
session_data(void *arg, struct envelope *env, struct smtpd_verdict *v)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	ASSERT(s->m->body == NULL);
	if (s->m->end == HOOK_GO && env->nrcpt == 0)
		nobody_left(s->m);
	if (s->m->end != HOOK_GO)
		return SMTPD_NOW;
	return session_ask(s, HOOK_DATA, -1, data_said, v);
}

static enum smtpd_step
data_said(struct session *s, const struct hook_verdict *hv,
    struct smtpd_verdict *v)
{
	struct inmsg *m = s->m;

	if (hv->act == HOOK_DISCARD) {
		inmsg_end_set(m, hv);
		return SMTPD_NOW;
	}
	if (hv->act != HOOK_GO) {
		mail_log(EV_MID_REJECTED, s->mid, s->icid, hv->by,
		    str_c(hv->reply.text));
		session_verdict(hv, v);
		return SMTPD_NOW;
	}
	postmaster_fill(s, m->env);
	m->watched = watched(s);
	m->body = body_new(s->in->w.store, body_moves, s);
	write_received(s, m->env);
	m->filter_op = PST_FILTER_BEGIN;
	m->filter = op_next(s->conf->plugins, PST_FILTER_BEGIN, NULL);
	return filter_begin(s, v);
}

/* Is there anybody who may look at the content? */
static bool
watched(const struct session *s)
{
	const struct host_gen *g = s->conf->plugins;

	return hook_wanted(g, HOOK_HEADERS) || hook_wanted(g, HOOK_EOM) ||
	    hook_wanted(g, HOOK_BRANCH) ||
	    op_next(g, PST_FILTER_BEGIN, NULL) != NULL ||
	    op_next(g, PST_FILTER_CHUNK, NULL) != NULL ||
	    op_next(g, PST_FILTER_END, NULL) != NULL ||
	    op_next(g, PST_ROUTE_ROUTE, NULL) != NULL;
}

/* We have no mailboxes: <postmaster> goes to the one that is configured. */
static void
postmaster_fill(const struct session *s, struct envelope *env)
{
	struct err why = ERR_INIT;
	unsigned i;

	for (i = 0; i < env->nrcpt; i++) {
		if (env->rcpt[i]->addr.domain.n == 0 &&
		    addr_parse(env->pool, str_c(s->conf->top.postmaster), 0,
			&env->rcpt[i]->addr, &why) != 0)
			log_warning("postmaster = \"%s\": %s",
			    s->conf->top.postmaster, why.text);
	}
}

static void
write_received(struct session *s, struct envelope *env)
{
	const struct tls_info *tls = smtpd_tls(s->smtpd);
	char ip[SOCK_IP_MAX];
	struct received r = { .helo = smtpd_helo(s->smtpd),
		.client_name = s->verified ? s->rname : NULL,
		.client_ip = session_ip(s, ip, sizeof(ip)),
		.by = s->conf->top.hostname,
		.mid = env->mid,
		.rcpt = STR_NULL,
		.wall = env->queued };
	struct buf b;

	r.with = received_with(smtpd_esmtp(s->smtpd), tls != NULL,
	    smtpd_auth(s->smtpd) != NULL, (env->flags & ENV_SMTPUTF8) != 0);
	if (tls != NULL && s->l->received_tls) {
		r.tls_version = tls->version;
		r.tls_cipher = tls->cipher;
		r.tls_bits = tls->bits;
		r.tls_alg_bits = tls->alg_bits;
	}
	if (env->nrcpt == 1)
		r.rcpt = env->rcpt[0]->addr.full;
	buf_init(&b, 8192);
	if (received_build(&b, &r) != 0)
		log_debug("ICID %" PRIu64 ": Received was cut", s->icid);
	(void)body_write(s->m->body, buf_p(&b), buf_len(&b));
	s->m->received = buf_len(&b);
	inmsg_head_add(s->m, buf_p(&b), buf_len(&b), NULL);
	buf_fini(&b);
}

/* ---- filters ---- */

struct instance *
inmsg_filter_next(const struct inmsg *m, const char *op,
    const struct instance *prev)
{
	const struct host_gen *g = m->s->conf->plugins;
	const struct inmsg_off *off;
	struct instance *i;

	for (i = op_next(g, op, prev); i != NULL; i = op_next(g, op, i)) {
		for (off = m->off; off != NULL && off->who != i;)
			off = off->next;
		if (off == NULL)
			break;
	}
	return i;
}

void
inmsg_end_set(struct inmsg *m, const struct hook_verdict *hv)
{
	if (m->end != HOOK_GO)
		return;
	m->end = hv->act;
	m->end_reply = hv->reply;
	m->end_by = hv->by;
}

bool
inmsg_end_op(struct inmsg *m, const struct op_answer *a)
{
	struct hook_verdict hv = { .reply = a->reply,
		.by = instance_name(m->filter) };
	struct inmsg_off *off;

	switch (a->verdict) {
	case PST_CONTINUE:
		return false;
	case PST_REJECT:
		hv.act = HOOK_REJECT;
		inmsg_end_set(m, &hv);
		break;
	case PST_TEMPFAIL:
		hv.act = HOOK_TEMPFAIL;
		inmsg_end_set(m, &hv);
		break;
	case PST_DISCARD:
		hv.act = HOOK_DISCARD;
		inmsg_end_set(m, &hv);
		break;
	case PST_QUARANTINE:
		inmsg_quarantine(m, TREAT_ALL, a->reply.text);
		break;
	case PST_DISCONNECT:
		no_verdict(m, &hv);
		break;
	}
	off = POOL_NEW(m->pool, struct inmsg_off);
	off->who = m->filter;
	off->next = m->off;
	m->off = off;
	return true;
}

/* What it wants kept from somebody may not pass for want of a word. */
static void
no_verdict(struct inmsg *m, struct hook_verdict *hv)
{
	mail_log(EV_PLUGIN_FAULT, hv->by, "", "filter/1", "", m->s->mid,
	    m->s->icid, STR("disconnect is not for a filter"));
	hv->act = HOOK_TEMPFAIL;
	(void)err_set(&hv->reply, 451, "4.3.0", "temporary local problem");
	inmsg_end_set(m, hv);
}

static enum smtpd_step
filter_begin(struct session *s, struct smtpd_verdict *v)
{
	struct inmsg *m = s->m;

	if (m->filter == NULL || m->end != HOOK_GO)
		return SMTPD_NOW;
	return session_op(s, m->filter, PST_FILTER_BEGIN, -1, NULL,
	    filter_begun, v);
}

static enum smtpd_step
filter_begun(struct session *s, const struct op_answer *a,
    struct smtpd_verdict *v)
{
	struct inmsg *m = s->m;

	(void)inmsg_end_op(m, a);
	m->filter = op_next(s->conf->plugins, PST_FILTER_BEGIN, m->filter);
	return filter_begin(s, v);
}

/* ---- pieces ---- */

enum smtpd_step
session_body(void *arg, const char *p, size_t n)
{
	struct smtpd_verdict v = { .act = SMTPD_OK };
	const struct bodyin *in;
	struct inmsg *m;
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	m = s->m;
	if (m->end != HOOK_GO) /* nobody will ever want it */
		return SMTPD_NOW;
	m->stalled = !body_write(m->body, p, n);
	if (!m->watched) {
		s->waiting = m->stalled;
		return m->stalled ? SMTPD_WAIT : SMTPD_NOW;
	}
	in = smtpd_content(s->smtpd);
	inmsg_head_add(m, p, n, in);
	m->chunk.offset = m->given;
	m->given += n;
	if (!in->in_header)
		(void)inmsg_head_ended(m, in->header_bytes);
	m->filter = inmsg_filter_next(m, PST_FILTER_CHUNK, NULL);
	if (m->filter != NULL) {
		/* What it was given must stay while it thinks. */
		buf_reset(&m->piece);
		(void)buf_add(&m->piece, p, n);
		m->chunk.size = sizeof(m->chunk);
		m->chunk.data = (struct pst_str){ buf_p(&m->piece), n };
	}
	return piece_go(s, &v);
}

/* The filters in turn, then the header's hook, then the store. */
static enum smtpd_step
piece_go(struct session *s, struct smtpd_verdict *v)
{
	struct inmsg *m = s->m;

	if (m->filter != NULL && m->end == HOOK_GO)
		return session_op(s, m->filter, PST_FILTER_CHUNK, -1,
		    &m->chunk, piece_seen, v);
	if (m->head_due)
		return session_headers(s, headers_seen, v);
	s->waiting = s->waiting || m->stalled;
	return m->stalled ? SMTPD_WAIT : SMTPD_NOW;
}

static enum smtpd_step
piece_seen(struct session *s, const struct op_answer *a,
    struct smtpd_verdict *v)
{
	struct inmsg *m = s->m;

	(void)inmsg_end_op(m, a);
	m->filter = inmsg_filter_next(m, PST_FILTER_CHUNK, m->filter);
	return piece_go(s, v);
}

enum smtpd_step
session_headers(struct session *s, hooked *then, struct smtpd_verdict *v)
{
	s->m->head_due = false;
	if (s->m->end != HOOK_GO)
		return then(s, &(struct hook_verdict){ .act = HOOK_GO }, v);
	return session_ask(s, HOOK_HEADERS, -1, then, v);
}

static enum smtpd_step
headers_seen(struct session *s, const struct hook_verdict *hv,
    struct smtpd_verdict *v)
{
	inmsg_heard(s->m, hv);
	return piece_go(s, v);
}

void
inmsg_heard(struct inmsg *m, const struct hook_verdict *hv)
{
	if (hv->quarantine[0] != '\0')
		inmsg_quarantine(m, TREAT_ALL, hv->quarantine);
	if (hv->act != HOOK_GO)
		inmsg_end_set(m, hv);
	else if (m->cur == NULL && envelope_pending(m->env) == 0)
		nobody_left(m);
}

/* All recipients were dropped. */
static void
nobody_left(struct inmsg *m)
{
	inmsg_end_set(m, &(struct hook_verdict){ .act = HOOK_DISCARD,
		.by = m->drop_by });
}

/* The answer to a piece, unless somebody still thinks about it. */
static void
body_moves(void *arg, const struct err *why)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	s->m->stalled = false;
	if (s->run != NULL || s->op != NULL)
		return;
	if (why != NULL)
		session_answer(s, SMTPD_REFUSE, 452, "4.3.1",
		    "Insufficient system storage");
	else
		session_answer(s, SMTPD_OK, 0, "", "");
}
