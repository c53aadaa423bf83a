#include "cli/sink.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "base/coll.h"
#include "base/file.h"
#include "base/obj.h"
#include "cli/sink_message.h"
#include "cli/sink_turn.h"
#include "cli/sink_wire.h"
#include "net/listen.h"
#include "net/loop.h"
#include "net/stream.h"
#include "smtp/smtpd.h"

#define SINK_MAGIC	   0x51c40001u
#define SINK_SESSION_MAGIC 0x51c40002u
#define SINK_PORT_MAGIC	   0x51c40006u

enum {
	BACKLOG = 1024,
	GRACE = 2000,	     /* for sessions to end by themselves */
	SHOWN_MAX = 32 << 20 /* octets of what is shown of one message */
};

struct sink_session;

/* An address. */
struct sink_port {
	unsigned magic;
	struct sink *sink;
	const struct sink_address *conf;
	struct sink_turns turns;
	int fd;
	struct listen *listen;
	char local[SOCK_TEXT_MAX];
};

struct sink {
	unsigned magic;
	const struct sink_conf *conf;
	struct loop *loop;
	struct sink_port *port;
	struct sink_wires *wires;
	struct loop_signal *signals[2];
	struct loop_timer grace;
	TAILQ_HEAD(, sink_session) sessions;
	bool stopping; /* no new connections */
	bool told;     /* those there are were told to go */
	/* totals */
	uint64_t connections, with_tls;
	uint64_t messages, recipients, octets, refused;
};

struct sink_session {
	unsigned magic;
	struct sink *sink;
	const struct sink_port *port;
	const struct sink_turn *turn;
	uint64_t number; /* of the connection */
	struct smtpd *smtpd;
	TAILQ_ENTRY(sink_session) link;
	char peer[SOCK_TEXT_MAX];
	struct sink_file file;
	struct loop_timer delay;
	struct smtpd_verdict late; /* the verdict that is delayed */
};

static int begin(struct sink *s, struct err *why);
static int open_port(struct sink *s, struct sink_port *p, struct err *why);
static void fini(struct sink *s);
static void on_accept(void *arg, int fd, const struct sock_addr *peer);
static void on_signal(void *arg);
static void on_grace(void *arg);
static void stop(struct sink *s);
static void tell_to_go(struct sink *s);
static void stop_soon(void *arg);
static void stop_if_idle(void *arg);
static void tell_totals(const struct sink *s);
static bool matches(const char *const *pattern, unsigned n, struct str addr);
static enum smtpd_step
on_tls(void *arg, bool ok, const struct err *why, struct smtpd_verdict *v);
static enum smtpd_step
on_mail(void *arg, struct envelope *env, struct smtpd_verdict *v);
static enum smtpd_step on_rcpt(void *arg, struct envelope *env,
    struct rcpt *rcpt, struct smtpd_verdict *v);
static enum smtpd_step
on_data(void *arg, struct envelope *env, struct smtpd_verdict *v);
static enum smtpd_step on_body(void *arg, const char *p, size_t n);
static enum smtpd_step on_eom(void *arg, struct envelope *env,
    const struct bodyin *facts, struct smtpd_verdict *v);
static void on_abort(void *arg, struct envelope *env);
static void on_close(void *arg, enum smtpd_end how, const struct err *why);
static void on_delay(void *arg);
static void take(struct sink_session *ss, const struct envelope *env,
    const struct bodyin *facts, struct smtpd_verdict *v);
static void show(struct sink_session *ss, const struct envelope *env,
    const struct bodyin *facts, const char *file);

static const struct smtpd_ops smtpd_ops = {
	.tls = on_tls,
	.mail = on_mail,
	.rcpt = on_rcpt,
	.data = on_data,
	.body = on_body,
	.eom = on_eom,
	.abort = on_abort,
	.close = on_close,
};

int
sink_run(const struct sink_conf *conf, struct err *why)
{
	struct sink s = { .conf = conf };
	int result;

	OBJ_INIT(&s, SINK_MAGIC);
	TAILQ_INIT(&s.sessions);
	s.loop = loop_new();
	loop_timer_init(s.loop, &s.grace, on_grace, &s);
	s.wires = sink_wires_new(s.loop, stop_if_idle, &s);
	s.port = mem_array(conf->listeners, sizeof(*s.port));
	result = begin(&s, why);
	if (result == 0) {
		loop_run(s.loop);
		tell_totals(&s);
	}
	fini(&s);
	OBJ_FINI(&s);
	return result;
}

static int
begin(struct sink *s, struct err *why)
{
	const struct sink_conf *conf = s->conf;
	unsigned i;

	for (i = 0; i < conf->listeners; i++) {
		OBJ_INIT(&s->port[i], SINK_PORT_MAGIC);
		s->port[i].sink = s;
		s->port[i].conf = &conf->listen[i];
		s->port[i].fd = -1;
	}
	if (conf->dir != NULL && file_mkdirs(conf->dir, 0755, why) < 0)
		return -1;
	if (conf->capture != NULL && file_mkdirs(conf->capture, 0755, why) < 0)
		return -1;
	for (i = 0; i < conf->listeners; i++) {
		if (sink_turns_make(&s->port[i].turns, conf,
			&conf->listen[i].words, why) < 0)
			return -1;
	}
	if (conf->tls != NULL && sink_tls_write(conf->tls, why) < 0)
		return -1;
	for (i = 0; i < conf->listeners; i++) {
		if (open_port(s, &s->port[i], why) < 0)
			return -1;
	}
	(void)fflush(stdout);
	(void)signal(SIGPIPE, SIG_IGN);
	s->signals[0] = loop_signal_start(s->loop, SIGTERM, on_signal, s);
	s->signals[1] = loop_signal_start(s->loop, SIGINT, on_signal, s);
	return 0;
}

static int
open_port(struct sink *s, struct sink_port *p, struct err *why)
{
	char text[SOCK_TEXT_MAX], fault[32];
	const struct sink_turn *t = &p->turns.turn[0];
	struct sock_addr at;

	if (sock_listen(&p->conf->at, BACKLOG, &p->fd, why) < 0) {
		(void)err_prefix(why,
		    "%s: ", sock_addr_text(&p->conf->at, text, sizeof(text)));
		return -1;
	}
	p->listen = listen_start(s->loop, p->fd, on_accept, p);
	if (sock_local(p->fd, &at) < 0)
		return err_errno(why, "getsockname");
	(void)sock_addr_text(&at, p->local, sizeof(p->local));
	if (s->conf->quiet || s->conf->json)
		return 0;
	(void)printf("postern sink: listening on %s, %s", p->local,
	    t->tlsctx != NULL ? "with STARTTLS" : "without TLS");
	if (t->set.road != FAULT_NONE)
		(void)printf(
		    ", %s", sink_fault_text(t->set.road, t->set.road_code,
				fault, sizeof(fault)));
	if (t->set.version != FAULT_NONE)
		(void)printf(", %s",
		    sink_fault_text(t->set.version, 0, fault, sizeof(fault)));
	(void)fputs("\n\n", stdout);
	return 0;
}

static void
fini(struct sink *s)
{
	struct sink_port *p;
	unsigned i;

	loop_signal_stop(&s->signals[0]);
	loop_signal_stop(&s->signals[1]);
	for (i = 0; i < s->conf->listeners; i++) {
		p = &s->port[i];
		listen_stop(&p->listen);
		file_close(&p->fd);
	}
	sink_wires_destroy(&s->wires);
	loop_timer_clear(&s->grace);
	loop_destroy(&s->loop);
	for (i = 0; i < s->conf->listeners; i++)
		sink_turns_fini(&s->port[i].turns);
	mem_free(s->port);
}

static void
on_accept(void *arg, int fd, const struct sock_addr *peer)
{
	struct sink_wire_conf wire = { .peer = peer };
	struct err why = ERR_INIT;
	struct sink_session *ss;
	struct stream *stream;
	struct sink_port *p;
	struct sink *s;

	OBJ_CAST(p, arg, SINK_PORT_MAGIC);
	s = p->sink;
	OBJ_NEW(ss, SINK_SESSION_MAGIC);
	ss->sink = s;
	ss->port = p;
	ss->turn = sink_turns_take(&p->turns);
	ss->number = ++s->connections;
	ss->file.fd = -1;
	(void)sock_addr_text(peer, ss->peer, sizeof(ss->peer));
	wire.number = ss->number;
	wire.road = ss->turn->set.road;
	wire.code = ss->turn->set.road_code;
	wire.dir = s->conf->capture;
	if (sink_wire_needed(&wire))
		stream = sink_wires_add(s->wires, fd, &wire, &why);
	else
		stream = stream_new(s->loop, fd, SMTPD_IN_MAX, NULL, NULL);
	if (stream == NULL) {
		(void)fprintf(stderr, "postern sink: %s\n", why.text);
		OBJ_FREE(ss);
		return;
	}
	loop_timer_init(s->loop, &ss->delay, on_delay, ss);
	TAILQ_INSERT_TAIL(&s->sessions, ss, link);
	ss->smtpd = smtpd_new(stream, &ss->turn->smtpd, &smtpd_ops, ss);
}

static void
on_signal(void *arg)
{
	struct sink *s;

	OBJ_CAST(s, arg, SINK_MAGIC);
	if (s->told) {
		on_grace(s);
		return;
	}
	if (!s->stopping)
		stop(s);
	tell_to_go(s);
}

/* Takes no more connections and waits for those there are. */
static void
stop(struct sink *s)
{
	unsigned i;

	s->stopping = true;
	for (i = 0; i < s->conf->listeners; i++)
		listen_stop(&s->port[i].listen);
	loop_timer_set(&s->grace, GRACE);
	stop_if_idle(s);
}

static void
stop_if_idle(void *arg)
{
	struct sink *s;

	OBJ_CAST(s, arg, SINK_MAGIC);
	if (s->stopping && TAILQ_EMPTY(&s->sessions) &&
	    sink_wires_idle(s->wires))
		loop_stop(s->loop);
}

static void
tell_to_go(struct sink *s)
{
	struct sink_session *ss, *next;

	s->told = true;
	loop_timer_set(&s->grace, GRACE);
	sink_wires_stop(s->wires);
	TAILQ_FOREACH_SAFE (ss, &s->sessions, link, next)
		smtpd_stop(ss->smtpd);
}

static void
stop_soon(void *arg)
{
	struct sink *s;

	OBJ_CAST(s, arg, SINK_MAGIC);
	if (!s->stopping)
		stop(s);
}

static void
on_grace(void *arg)
{
	struct sink_session *ss, *next;
	struct sink *s;

	OBJ_CAST(s, arg, SINK_MAGIC);
	if (!s->told) {
		tell_to_go(s);
		return;
	}
	TAILQ_FOREACH_SAFE (ss, &s->sessions, link, next)
		smtpd_kill(ss->smtpd);
	loop_stop(s->loop);
}

static void
tell_totals(const struct sink *s)
{
	FILE *out = s->conf->json ? stderr : stdout;

	if (s->conf->quiet)
		return;
	(void)fprintf(out,
	    "postern sink: %" PRIu64 " messages, %" PRIu64
	    " recipients, %" PRIu64 " octets, %" PRIu64 " recipients "
	    "refused; %" PRIu64 " connections, %" PRIu64 " with TLS\n",
	    s->messages, s->recipients, s->octets, s->refused, s->connections,
	    s->with_tls);
	(void)fflush(out);
}

static enum smtpd_step
on_tls(void *arg, bool ok, const struct err *why, struct smtpd_verdict *v)
{
	struct sink_session *ss;
	const struct tls_info *tls;
	char text[128];

	(void)v;
	OBJ_CAST(ss, arg, SINK_SESSION_MAGIC);
	if (!ok) {
		sink_wires_note(ss->sink->wires, ss->number, false, why->text);
		if (!ss->sink->conf->quiet)
			(void)fprintf(stderr,
			    "postern sink: %s: TLS failed: %s\n", ss->peer,
			    why->text);
		return SMTPD_NOW;
	}
	ss->sink->with_tls++;
	tls = smtpd_tls(ss->smtpd);
	(void)snprintf(text, sizeof(text), "%s %s", tls->version, tls->cipher);
	sink_wires_note(ss->sink->wires, ss->number, true, text);
	return SMTPD_NOW;
}

static enum smtpd_step
on_mail(void *arg, struct envelope *env, struct smtpd_verdict *v)
{
	struct sink_session *ss;
	unsigned code;

	(void)env;
	OBJ_CAST(ss, arg, SINK_SESSION_MAGIC);
	code = ss->turn->set.mail_code;
	if (code == 0)
		return SMTPD_NOW;
	v->act = SMTPD_REFUSE;
	(void)err_set(&v->reply, (int)code, code < 500 ? "4.7.1" : "5.7.1",
	    "The sink takes nothing from you");
	return SMTPD_NOW;
}

static enum smtpd_step
on_rcpt(void *arg, struct envelope *env, struct rcpt *rcpt,
    struct smtpd_verdict *v)
{
	const struct sink_conf *conf;
	struct sink_session *ss;
	unsigned code;

	(void)env;
	OBJ_CAST(ss, arg, SINK_SESSION_MAGIC);
	conf = ss->sink->conf;
	code = ss->turn->set.rcpt_code;
	if (code != 0) {
		v->act = SMTPD_REFUSE;
		(void)err_set(&v->reply, (int)code,
		    code < 500 ? "4.2.1" : "5.1.1", "Nobody is at the sink");
	} else if (matches(conf->reject, conf->rejects, rcpt->addr.full)) {
		v->act = SMTPD_REFUSE;
		(void)err_set(
		    &v->reply, 550, "5.1.1", "No such user at the sink");
	} else if (matches(conf->tempfail, conf->tempfails, rcpt->addr.full)) {
		v->act = SMTPD_REFUSE;
		(void)err_set(
		    &v->reply, 451, "4.2.1", "The sink does not take this now");
	}
	if (v->act == SMTPD_REFUSE)
		ss->sink->refused++;
	return SMTPD_NOW;
}

static bool
matches(const char *const *pattern, unsigned n, struct str addr)
{
	char text[ADDR_PATH_MAX + ADDR_DOMAIN_MAX];
	unsigned i;

	if (!str_copy(text, sizeof(text), addr))
		return false;
	for (i = 0; i < n; i++) {
		if (fnmatch(pattern[i], text, FNM_CASEFOLD) == 0)
			return true;
	}
	return false;
}

static enum smtpd_step
on_data(void *arg, struct envelope *env, struct smtpd_verdict *v)
{
	struct sink_session *ss;

	(void)env;
	OBJ_CAST(ss, arg, SINK_SESSION_MAGIC);
	if (ss->sink->conf->dir != NULL &&
	    sink_file_open(&ss->file, ss->sink->conf->dir, &v->reply) < 0)
		v->act = SMTPD_REFUSE;
	return SMTPD_NOW;
}

/* The disk is waited for: this is a tool for looking, not a relay. */
static enum smtpd_step
on_body(void *arg, const char *p, size_t n)
{
	struct sink_session *ss;

	OBJ_CAST(ss, arg, SINK_SESSION_MAGIC);
	sink_file_add(&ss->file, p, n);
	return SMTPD_NOW;
}

static enum smtpd_step
on_eom(void *arg, struct envelope *env, const struct bodyin *facts,
    struct smtpd_verdict *v)
{
	struct sink_session *ss;

	OBJ_CAST(ss, arg, SINK_SESSION_MAGIC);
	take(ss, env, facts, v);
	envelope_destroy(&env);
	if (ss->sink->conf->delay == 0)
		return SMTPD_NOW;
	ss->late = *v;
	loop_timer_set(&ss->delay, ss->sink->conf->delay);
	return SMTPD_WAIT;
}

static void
on_delay(void *arg)
{
	struct sink_session *ss;

	OBJ_CAST(ss, arg, SINK_SESSION_MAGIC);
	smtpd_answer(ss->smtpd, &ss->late);
}

static void
take(struct sink_session *ss, const struct envelope *env,
    const struct bodyin *facts, struct smtpd_verdict *v)
{
	struct sink *s = ss->sink;
	char file[4096] = "";

	if (ss->file.fd >= 0 && sink_file_keep(&ss->file, s->messages + 1, file,
				    sizeof(file), &v->reply) < 0) {
		v->act = SMTPD_REFUSE;
		return;
	}
	s->messages++;
	s->recipients += env->nrcpt;
	s->octets += facts->bytes;
	(void)err_set(&v->reply, 250, "2.0.0",
	    "Message %" PRIu64 " is at the sink", s->messages);
	show(ss, env, facts, file[0] == '\0' ? NULL : file);
	if (s->conf->count > 0 && s->messages == s->conf->count)
		loop_defer(s->loop, stop_soon, s);
}

static void
show(struct sink_session *ss, const struct envelope *env,
    const struct bodyin *facts, const char *file)
{
	struct sink_message m = { .number = ss->sink->messages,
		.connection = ss->number,
		.local = ss->port->local,
		.peer = ss->peer,
		.env = env,
		.facts = facts,
		.file = file };
	const struct sink_conf *conf = ss->sink->conf;
	char name[4096 + sizeof(".json")];
	struct err why = ERR_INIT;
	struct buf out;

	m.helo = smtpd_helo(ss->smtpd);
	m.esmtp = smtpd_esmtp(ss->smtpd);
	m.tls = smtpd_tls(ss->smtpd);
	m.size = facts->bytes;
	buf_init(&out, SHOWN_MAX);
	sink_message_json(&m, &out);
	if (file != NULL) {
		(void)snprintf(name, sizeof(name), "%.*s.json",
		    (int)(strlen(file) - strlen(".eml")), file);
		if (file_replace(name, buf_p(&out), buf_len(&out), 0644, &why) <
		    0)
			(void)fprintf(stderr, "postern sink: %s\n", why.text);
	}
	if (!conf->json) {
		buf_reset(&out);
		sink_message_text(&m, &out);
	}
	if (!conf->quiet) {
		(void)fwrite(buf_p(&out), 1, buf_len(&out), stdout);
		(void)fflush(stdout);
	}
	buf_fini(&out);
}

static void
on_abort(void *arg, struct envelope *env)
{
	struct sink_session *ss;

	(void)env;
	OBJ_CAST(ss, arg, SINK_SESSION_MAGIC);
	sink_file_drop(&ss->file);
}

static void
on_close(void *arg, enum smtpd_end how, const struct err *why)
{
	struct sink_session *ss;
	struct sink *s;

	(void)how;
	(void)why;
	OBJ_CAST(ss, arg, SINK_SESSION_MAGIC);
	s = ss->sink;
	sink_file_drop(&ss->file);
	loop_timer_clear(&ss->delay);
	TAILQ_REMOVE(&s->sessions, ss, link);
	OBJ_FREE(ss);
	stop_if_idle(s);
}
