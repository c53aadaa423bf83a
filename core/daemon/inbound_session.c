/*
 * A client from accept to goodbye: limits, PROXY, its name, its log lines.
 */
#include "daemon/inbound_priv.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/coll.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/obj.h"
#include "net/proxy.h"
#include "policy/whois.h"

#define ALL_CLIENTS UINT64_C(0x616c6c) /* key of the total; others differ */
#define PROXY_PATIENCE SECONDS(10)
#define REFUSED "421 4.7.0 %s %s\r\n"

static bool	port_has_room(const struct port *);
static uint64_t	listener_key(const struct conf_listener *);
static void	proxy_input(void *);
static void	proxy_closed(void *, enum stream_end, const struct err *);
static void	proxy_late(void *);
static void	session_begin(struct session *);
static uint64_t	client_key(const struct sock_addr *);
static void	session_refuse(struct session *, const char *);
static enum smtpd_step ask_connect(void *, struct smtpd_verdict *);
static enum smtpd_step ask_tls(void *, bool, const struct err *,
		    struct smtpd_verdict *);
static void	told_trouble(void *, const char *);
static void	told_refused(void *);
static void	told_close(void *, enum smtpd_end, const struct err *);

const struct smtpd_ops session_ops = {
	.connect = ask_connect,
	.helo = session_helo,
	.tls = ask_tls,
	.auth = session_auth,
	.mail = session_mail,
	.rcpt = session_rcpt,
	.data = session_data,
	.body = session_body,
	.eom = session_eom,
	.abort = session_abort,
	.etrn = session_etrn,
	.trouble = told_trouble,
	.refused = told_refused,
	.close = told_close,
};

static const struct stream_ops proxy_ops = {
	.input = proxy_input,
	.closed = proxy_closed,
};

void
session_new(struct port *p, int fd, const struct sock_addr *peer)
{
	struct inbound *in = p->in;
	struct session *s;
	char text[256];
	int n;

	if (!port_has_room(p)) {
		in->stats.refused++;
		n = snprintf(text, sizeof(text), "421 4.3.2 %s Too many "
		    "connections\r\n", p->conf->top.hostname);
		if (n >= (int)sizeof(text))
			n = (int)sizeof(text) - 1;
		if (write(fd, text, (size_t)n) == -1)
			log_debug("a client left before it was refused");
		(void)close(fd);
		return;
	}
	OBJ_NEW(s, SESSION_MAGIC);
	s->in = in;
	s->conf = conf_ref(p->conf);
	s->l = p->l;
	s->flow = &p->l->flow[0];
	s->stream = stream_new(in->w.loop, fd, SMTPD_IN_MAX, &proxy_ops, s);
	loop_timer_init(in->w.loop, &s->timer, proxy_late, s);
	LIST_INSERT_HEAD(&in->sessions, s, entry);
	in->stats.connections++;
	in->stats.accepted++;
	if (conf_nets_has(&p->l->proxy_from, peer))
		loop_timer_set(&s->timer, PROXY_PATIENCE);
	else
		session_begin(s);
}

/* Among its own clients and those of all listeners, in this order: whom a full
 * listener refuses takes nobody's place at another for a moment. */
static bool
port_has_room(const struct port *p)
{
	const struct inbound_world *w = &p->in->w;
	uint64_t own = listener_key(p->l);

	if (!shm_acquire(w->shm, SHM_CLIENT, w->worker, own,
		p->l->limits.connections))
		return false;
	if (shm_acquire(w->shm, SHM_CLIENT, w->worker, ALL_CLIENTS,
		p->conf->limits.connections))
		return true;
	shm_release(w->shm, SHM_CLIENT, w->worker, own);
	return false;
}

/* The same in all workers and after a reload. */
static uint64_t
listener_key(const struct conf_listener *l)
{
	return hash_stable(l->name, strlen(l->name)) ^ ALL_CLIENTS;
}

static void
proxy_input(void *arg)
{
	struct proxy_result r;
	struct session *s;
	struct err why = ERR_INIT;
	char ip[SOCK_IP_MAX];
	size_t used;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	switch (proxy_parse(stream_in(s->stream), &r, &used, &why)) {
	case PROXY_MORE:
		return;
	case PROXY_BAD:
		log_info("listener %s: no PROXY header from %s: %s",
		    s->l->name, session_ip(s, ip, sizeof(ip)), why.text);
		session_free(s);
		return;
	case PROXY_DONE:
		loop_timer_clear(&s->timer);
		stream_consume(s->stream, used);
		if (!r.local)
			stream_peer_set(s->stream, &r.source, &r.destination);
		session_begin(s);
		return;
	}
}

static void
proxy_closed(void *arg, enum stream_end how, const struct err *why)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	(void)how;
	(void)why;
	session_free(s);
}

static void
proxy_late(void *arg)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	session_free(s);
}

static void
session_begin(struct session *s)
{
	const struct sock_addr *peer = stream_peer(s->stream);
	const char *no;

	s->who.peer = *peer;
	s->icid = ids_next(s->in->w.ids, SHM_ICID);
	s->network = conf_nets_has(&s->conf->relay.networks, peer);
	s->client = client_key(peer);
	/* With sender groups, what it may is not known yet. */
	no = s->l->ngroup == 0 ? session_refusal(s) : NULL;
	if (no != NULL) {
		session_refuse(s, no);
		return;
	}
	s->smtpd = smtpd_new(s->stream, &s->flow->smtpd, &session_ops, s);
	s->stream = NULL;
}

/* The holder of one IPv6 address has 2^64 of them. */
static uint64_t
client_key(const struct sock_addr *peer)
{
	struct sock_addr net = *peer;

	if (peer->sa.sa_family == AF_INET6 &&
	    !IN6_IS_ADDR_V4MAPPED(&peer->in6.sin6_addr))
		memset(&net.in6.sin6_addr.s6_addr[8], 0, 8);
	return sock_addr_hash(&net);
}

/* NULL: welcome. */
const char *
session_refusal(struct session *s)
{
	const struct conf_limits *m = &s->flow->limits;
	bool relay = s->network && s->group == NULL;
	struct shm *shm = s->in->w.shm;
	unsigned most, rate;

	most = relay ? m->relay_client_connections : m->client_connections;
	rate = relay ? m->relay_client_rate : m->client_rate;
	if (rate > 0 && shm_rate(shm, s->in->w.worker, s->client,
	    MINUTES(1)) > rate)
		return "Connection rate exceeded";
	if (most > 0) {
		s->counted = shm_acquire(shm, SHM_CLIENT, s->in->w.worker,
		    s->client, most);
		if (!s->counted)
			return "Connection limit exceeded";
	}
	return NULL;
}

static void
session_refuse(struct session *s, const char *no)
{
	s->in->stats.refused++;
	session_log_new(s);
	mail_log(EV_ICID_FAILED, s->icid, str_c(no));
	mail_log(EV_ICID_CLOSE, s->icid);
	stream_printf(s->stream, REFUSED, s->conf->top.hostname, no);
	stream_flush(s->stream);
	session_free(s);
}

void
session_free(struct session *s)
{
	struct inbound *in = s->in;

	OBJ_CHECK(s, SESSION_MAGIC);
	ASSERT(s->smtpd == NULL);
	stream_destroy(&s->stream);
	loop_timer_clear(&s->timer);
	whois_destroy(&s->whois);
	session_sender_end(s);
	if (!s->uncounted) {
		s->uncounted = true;
		shm_release(in->w.shm, SHM_CLIENT, in->w.worker, ALL_CLIENTS);
		shm_release(in->w.shm, SHM_CLIENT, in->w.worker,
		    listener_key(s->l));
		if (s->counted)
			shm_release(in->w.shm, SHM_CLIENT, in->w.worker,
			    s->client);
		in->stats.connections--;
	}
	if (s->busy > 0)
		return; /* the last answer comes back here */
	session_ask_cancel(s);
	session_auth_forget(s);
	inmsg_destroy(&s->m);
	scope_end(&s->scope);
	pool_destroy(&s->pool);
	conf_unref(&s->conf);
	mem_free(s->rname);
	LIST_REMOVE(s, entry);
	OBJ_FREE(s);
	session_checked_end(in);
}

void
session_done(struct session *s)
{
	OBJ_CHECK(s, SESSION_MAGIC);
	ASSERT(s->busy > 0);
	s->busy--;
	if (s->smtpd == NULL && s->busy == 0)
		session_free(s);
}

const char *
session_ip(const struct session *s, char *dst, size_t n)
{
	const struct stream *stream = s->smtpd != NULL ?
	    smtpd_stream(s->smtpd) : s->stream;

	return sock_addr_ip_text(stream_peer(stream), dst, n);
}

void
session_answer(struct session *s, enum smtpd_act act, int code,
    const char *enh, const char *text)
{
	struct smtpd_verdict v = { .act = act };

	if (code != 0)
		(void)err_set(&v.reply, code, enh, "%s", text);
	session_reply(s, &v);
}

void
session_reply(struct session *s, const struct smtpd_verdict *v)
{
	if (!s->waiting || s->smtpd == NULL)
		return;
	s->waiting = false;
	smtpd_answer(s->smtpd, v);
}

struct pool *
session_pool(struct session *s)
{
	if (s->pool == NULL)
		s->pool = pool_new(0);
	return s->pool;
}

static enum smtpd_step
ask_connect(void *arg, struct smtpd_verdict *v)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	return session_identify(s, v);
}

void
session_log_new(struct session *s)
{
	static const char *const behaviors[] = { [CONF_ACCEPT] = "ACCEPT",
		[CONF_RELAY] = "RELAY", [CONF_REJECT] = "REJECT",
		[CONF_TCPREFUSE] = "TCPREFUSE", [CONF_CONTINUE] = "CONTINUE" };
	const struct stream *stream = s->smtpd != NULL ?
	    smtpd_stream(s->smtpd) : s->stream;
	const struct sock_addr *peer = stream_peer(stream);
	const struct conf_nets *nets = &s->conf->relay.networks;
	char ip[SOCK_IP_MAX], local[SOCK_IP_MAX];
	unsigned i;

	s->known = true;
	mail_log(EV_NEW_ICID, s->icid, s->l->name,
	    sock_addr_ip_text(stream_local(stream), local, sizeof(local)),
	    sock_addr_ip_text(peer, ip, sizeof(ip)),
	    s->rname != NULL ? str_c(s->rname) : STR("unknown"),
	    s->verified ? "yes" : "no");
	if (s->group != NULL) {
		mail_log(EV_ICID_SG, s->icid,
		    behaviors[s->flow->policy->behavior], s->group->name,
		    str_c(s->pattern->text));
		return;
	}
	for (i = 0; i < nets->n; i++) {
		if (sock_net_has(&nets->v[i], peer)) {
			mail_log(EV_ICID_SG, s->icid, "RELAY", "RELAYLIST",
			    str_c(nets->text[i]));
			return;
		}
	}
	mail_log(EV_ICID_SG, s->icid, "ACCEPT", "None", STR("ALL"));
}

static enum smtpd_step
ask_tls(void *arg, bool ok, const struct err *why, struct smtpd_verdict *v)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	if (!s->known) /* implicit TLS that failed before the greeting */
		session_log_new(s);
	return session_tls(s, ok, why, v);
}

bool
session_may_relay(const struct session *s)
{
	const char *auth = s->smtpd != NULL ? smtpd_auth(s->smtpd) :
	    s->who.auth;

	return s->network || s->certificate || auth != NULL;
}

static void
told_refused(void *arg)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	s->in->stats.unwanted++;
}

static void
told_trouble(void *arg, const char *what)
{
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	mail_log(EV_ICID_FAILED, s->icid, str_c(what));
}

static void
told_close(void *arg, enum smtpd_end how, const struct err *why)
{
	char ip[SOCK_IP_MAX];
	struct session *s;

	OBJ_CAST(s, arg, SESSION_MAGIC);
	session_ask_cancel(s);
	if (s->m != NULL)
		session_message_end(s, "Receiving aborted");
	if (s->known) {
		if (!s->tls_begun && (s->tls_demanded ||
		    (s->flow->smtpd.tls == SMTPD_TLS_REQUIRED &&
			!s->l->implicit_tls)))
			mail_log(EV_ICID_TLS_REQUIRED, s->icid);
		if (how == SMTPD_END_LOST)
			mail_log(EV_ICID_LOST, s->icid);
		else if (how == SMTPD_END_CLOSED && why != NULL)
			mail_log(EV_ICID_DISCONNECTED, s->icid,
			    session_ip(s, ip, sizeof(ip)), str_c(why->text));
		mail_log(EV_ICID_CLOSE, s->icid);
	}
	s->waiting = false;
	session_goodbye(s);
	s->smtpd = NULL;
	session_free(s);
}
