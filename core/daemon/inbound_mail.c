/*
 * A transaction: from MAIL FROM to the queue's word that it is safe.
 */
#include "daemon/inbound_priv.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/obj.h"
#include "mail/received.h"

#define SLOWEST SECONDS(1)

static bool	sender_needs_tls(const struct session *,
		    const struct addr *);
static bool	no_room(struct session *, const struct envelope *,
		    struct err *);
static msec	pause_for_backlog(const struct session *);
static void	mail_paused(void *);
static void	mail_begin(struct session *, struct envelope *);
static bool	rcpt_allowed(const struct session *, const struct rcpt *);
static void	postmaster_fill(const struct session *, struct envelope *);
static void	write_received(struct session *, const struct envelope *);
static void	body_moves(void *, const struct err *);
static void	log_content(const struct session *, const struct envelope *,
		    const struct bodyin *);
static void	submitted(void *, const struct err *);

enum smtpd_step
session_mail(void *arg, struct envelope *env, struct smtpd_verdict *v)
{
	struct session *s;
	msec pause;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	if (!s->tls && sender_needs_tls(s, &env->sender)) {
		s->tls_demanded = true;
		v->act = SMTPD_REFUSE;
		(void)err_set(&v->reply, 530, "5.7.0",
		    "Must issue a STARTTLS command first");
		return SMTPD_NOW;
	}
	if (no_room(s, env, &v->reply)) {
		v->act = SMTPD_REFUSE;
		return SMTPD_NOW;
	}
	mail_begin(s, env);
	pause = pause_for_backlog(s);
	if (pause == 0)
		return SMTPD_NOW;
	s->waiting = true;
	loop_timer_init(s->in->w.loop, &s->timer, mail_paused, s);
	loop_timer_set(&s->timer, pause);
	return SMTPD_WAIT;
}

/* Senders that are taken inside TLS only (requirements.md 3.2). */
static bool
sender_needs_tls(const struct session *s, const struct addr *sender)
{
	const char *const *p;
	struct str entry;

	for (p = s->l->tls_senders; *p != NULL && sender->domain.n > 0; p++) {
		entry = str_c(*p);
		if (str_find(entry, '@') < entry.n
			? str_ieq(entry, sender->full)
			: domain_matches(entry, sender->domain))
			return true;
	}
	return false;
}

static bool
no_room(struct session *s, const struct envelope *env, struct err *reply)
{
	uint64_t floor = s->l->limits.free_space;
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
	unsigned limit = s->l->limits.backlog;
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
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	session_answer(s, SMTPD_OK, 0, "", "");
}

static void
mail_begin(struct session *s, struct envelope *env)
{
	env->mid = ids_next(s->in->w.ids, SHM_MID);
	env->icid = s->icid;
	env->queued = clock_wall();
	s->env = env;
	s->mid = env->mid;
	mail_log(EV_MID_START, env->mid, env->icid);
	mail_log(EV_MID_FROM, env->mid, env->icid, env->sender.full);
}

enum smtpd_step
session_rcpt(void *arg, struct envelope *env, const struct rcpt *rcpt,
    struct smtpd_verdict *v)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	if (!rcpt_allowed(s, rcpt)) {
		s->in->stats.rejected++;
		mail_log(EV_MID_TO_REJECTED, env->mid, env->icid,
		    rcpt->addr.full, "RAT");
		v->act = SMTPD_REFUSE;
		(void)err_set(&v->reply, 550, "5.7.1", "Relaying denied");
		return SMTPD_NOW;
	}
	s->in->stats.recipients++;
	mail_log(EV_MID_TO, env->mid, env->icid, (uint64_t)rcpt->rid,
	    rcpt->addr.full);
	return SMTPD_NOW;
}

/* "user%far.example"@ours.example, far.example!user@ours.example: a next hop
 * of the old school would relay it, because it trusts us. */
static bool
routed_by_sender(struct str local)
{
	return str_find(local, '%') < local.n ||
	    str_find(local, '!') < local.n || str_find(local, '@') < local.n;
}

static bool
rcpt_allowed(const struct session *s, const struct rcpt *rcpt)
{
	const char *const *p;

	if (session_may_relay(s))
		return true;
	/* <postmaster>: RFC 5321 4.5.1 */
	if (rcpt->addr.domain.n == 0)
		return true;
	if (routed_by_sender(rcpt->addr.local))
		return false;
	for (p = s->conf->relay.domains; *p != NULL; p++) {
		if (domain_matches(str_c(*p), rcpt->addr.domain))
			return true;
	}
	return false;
}

enum smtpd_step
session_data(void *arg, struct envelope *env, struct smtpd_verdict *v)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	(void)v;
	ASSERT(s->body == NULL);
	postmaster_fill(s, env);
	s->body = body_new(s->in->w.store, body_moves, s);
	write_received(s, env);
	return SMTPD_NOW;
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
write_received(struct session *s, const struct envelope *env)
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
	(void)body_write(s->body, buf_p(&b), buf_len(&b));
	buf_fini(&b);
}

enum smtpd_step
session_body(void *arg, const char *p, size_t n)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	if (body_write(s->body, p, n))
		return SMTPD_NOW;
	s->waiting = true;
	return SMTPD_WAIT;
}

static void
body_moves(void *arg, const struct err *why)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	if (why != NULL)
		session_answer(s, SMTPD_REFUSE, 452, "4.3.1",
		    "Insufficient system storage");
	else
		session_answer(s, SMTPD_OK, 0, "", "");
}

enum smtpd_step
session_eom(void *arg, struct envelope *env, const struct bodyin *facts,
    struct smtpd_verdict *v)
{
	struct body_ref *body;
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	(void)v;
	s->env = NULL;
	/* The message outlives the configuration it came under. */
	env->listener = pool_strdup(env->pool, s->l->name);
	body = s->body;
	s->body = NULL;
	body_finish(body);
	env->size = body_size(body);
	s->in->stats.bytes += env->size;
	log_content(s, env, facts);
	s->waiting = true;
	s->busy++;
	queue_submit(s->in->w.queue, env, body, submitted, s);
	return SMTPD_WAIT;
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

/* The client may be gone; the message is safe or refused all the same. */
static void
submitted(void *arg, const struct err *why)
{
	struct session *s;
	char text[80];

	OBJ_CAST(s, arg, SESSION_MAGIC);
	if (why == NULL) {
		s->in->stats.messages++;
		mail_log(EV_MID_QUEUED, s->mid);
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
	session_done(s);
}

void
session_abort(void *arg, struct envelope *env)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	mail_log(EV_MID_ABORTED, env->mid, STR("Receiving aborted"));
	s->env = NULL;
	body_unref(&s->body);
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
