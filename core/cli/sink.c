#include "cli/sink.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "base/coll.h"
#include "base/file.h"
#include "base/obj.h"
#include "cli/sink_message.h"
#include "net/listen.h"
#include "net/loop.h"
#include "net/stream.h"
#include "smtp/smtpd.h"

#define SINK_MAGIC	   0x51c40001u
#define SINK_SESSION_MAGIC 0x51c40002u

enum {
	BACKLOG = 1024,
	GRACE = 2000,	     /* for sessions to end by themselves */
	SHOWN_MAX = 32 << 20 /* octets of what is shown of one message */
};

struct sink_session;

struct sink {
	unsigned magic;
	const struct sink_conf *conf;
	struct smtpd_conf smtpd;
	struct loop *loop;
	int fd[SINK_LISTENERS];
	struct listen *listen[SINK_LISTENERS];
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
	struct smtpd *smtpd;
	TAILQ_ENTRY(sink_session) link;
	char peer[SOCK_TEXT_MAX];
	struct sink_file file;
	struct loop_timer delay;
	struct smtpd_verdict late; /* the verdict that is delayed */
};

static int begin(struct sink *s, struct err *why);
static void fini(struct sink *s);
static void set_limits(struct sink *s);
static void on_accept(void *arg, int fd, const struct sock_addr *peer);
static void on_signal(void *arg);
static void on_grace(void *arg);
static void stop(struct sink *s);
static void tell_to_go(struct sink *s);
static void stop_soon(void *arg);
static void tell_totals(const struct sink *s);
static bool matches(const char *const *pattern, unsigned n, struct str addr);
static enum smtpd_step
on_tls(void *arg, bool ok, const struct err *why, struct smtpd_verdict *v);
static enum smtpd_step on_rcpt(void *arg, struct envelope *env,
    const struct rcpt *rcpt, struct smtpd_verdict *v);
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
	set_limits(&s);
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
	char text[SOCK_TEXT_MAX];
	struct sock_addr at;
	unsigned i;

	for (i = 0; i < SINK_LISTENERS; i++)
		s->fd[i] = -1;
	if (conf->dir != NULL && file_mkdirs(conf->dir, 0755, why) < 0)
		return -1;
	for (i = 0; i < conf->listeners; i++) {
		if (sock_listen(&conf->listen[i], BACKLOG, &s->fd[i], why) <
		    0) {
			(void)err_prefix(why, "%s: ",
			    sock_addr_text(
				&conf->listen[i], text, sizeof(text)));
			return -1;
		}
		s->listen[i] = listen_start(s->loop, s->fd[i], on_accept, s);
		if (!conf->quiet && !conf->json &&
		    sock_local(s->fd[i], &at) == 0)
			(void)printf("postern sink: listening on %s, %s\n\n",
			    sock_addr_text(&at, text, sizeof(text)),
			    conf->tlsctx != NULL ? "with STARTTLS"
						 : "without TLS");
	}
	(void)fflush(stdout);
	(void)signal(SIGPIPE, SIG_IGN);
	s->signals[0] = loop_signal_start(s->loop, SIGTERM, on_signal, s);
	s->signals[1] = loop_signal_start(s->loop, SIGINT, on_signal, s);
	return 0;
}

static void
fini(struct sink *s)
{
	unsigned i;

	loop_signal_stop(&s->signals[0]);
	loop_signal_stop(&s->signals[1]);
	for (i = 0; i < s->conf->listeners; i++) {
		listen_stop(&s->listen[i]);
		file_close(&s->fd[i]);
	}
	loop_timer_clear(&s->grace);
	loop_destroy(&s->loop);
}

/* Wide, so that it is the sender that is seen, not we. */
static void
set_limits(struct sink *s)
{
	s->smtpd = (struct smtpd_conf){
		.hostname = s->conf->hostname,
		.banner_host = s->conf->hostname,
		.banner_text = "postern sink",
		.listener = "sink",
		.tls = s->conf->tlsctx != NULL ? SMTPD_TLS_PREFERRED
					       : SMTPD_TLS_OFF,
		.tlsctx = s->conf->tlsctx,
		.max_size = UINT64_C(1) << 32,
		.max_header = 16 << 20,
		.max_rcpt = 50000,
		.max_hops = 1000,
		.max_errors = 1000,
		.max_bad_rcpt = 50000,
		.max_commands = 100000,
		.idle_timeout = MINUTES(5),
		.data_timeout = MINUTES(3),
		.total_timeout = HOURS(24),
		.tls_timeout = MINUTES(1),
		.dsn = true,
		.chunking = true,
		.smtputf8 = true,
	};
}

static void
on_accept(void *arg, int fd, const struct sock_addr *peer)
{
	struct sink_session *ss;
	struct stream *stream;
	struct sink *s;

	OBJ_CAST(s, arg, SINK_MAGIC);
	OBJ_NEW(ss, SINK_SESSION_MAGIC);
	ss->sink = s;
	ss->file.fd = -1;
	(void)sock_addr_text(peer, ss->peer, sizeof(ss->peer));
	loop_timer_init(s->loop, &ss->delay, on_delay, ss);
	TAILQ_INSERT_TAIL(&s->sessions, ss, link);
	s->connections++;
	stream = stream_new(s->loop, fd, SMTPD_IN_MAX, NULL, NULL);
	ss->smtpd = smtpd_new(stream, &s->smtpd, &smtpd_ops, ss);
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
		listen_stop(&s->listen[i]);
	loop_timer_set(&s->grace, GRACE);
	if (TAILQ_EMPTY(&s->sessions))
		loop_stop(s->loop);
}

static void
tell_to_go(struct sink *s)
{
	struct sink_session *ss, *next;

	s->told = true;
	loop_timer_set(&s->grace, GRACE);
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

	(void)v;
	OBJ_CAST(ss, arg, SINK_SESSION_MAGIC);
	if (ok)
		ss->sink->with_tls++;
	else if (!ss->sink->conf->quiet)
		(void)fprintf(stderr, "postern sink: %s: TLS failed: %s\n",
		    ss->peer, why->text);
	return SMTPD_NOW;
}

static enum smtpd_step
on_rcpt(void *arg, struct envelope *env, const struct rcpt *rcpt,
    struct smtpd_verdict *v)
{
	const struct sink_conf *conf;
	struct sink_session *ss;

	(void)env;
	OBJ_CAST(ss, arg, SINK_SESSION_MAGIC);
	conf = ss->sink->conf;
	if (matches(conf->reject, conf->rejects, rcpt->addr.full)) {
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
	if (s->stopping && TAILQ_EMPTY(&s->sessions))
		loop_stop(s->loop);
}
