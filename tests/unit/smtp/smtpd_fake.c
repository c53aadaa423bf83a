#include "smtpd_fake.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/die.h"
#include "base/file.h"
#include "net/stream.h"

#define LOG_MAX (8 << 20)

static void
answer(void *arg)
{
	struct fake *f = arg;

	if (f->s == NULL || f->questions == 0)
		return;
	f->questions--;
	smtpd_answer(f->s, &f->pending);
}

static enum smtpd_step
later(struct fake *f, struct smtpd_verdict *v)
{
	ASSERT(f->questions == 0);
	f->questions++;
	f->pending = *v;
	/* What it was given must not be looked at any more. */
	memset(v, 0xa5, sizeof(*v));
	loop_defer(f->loop, answer, f);
	return SMTPD_WAIT;
}

static enum smtpd_step
decide(struct fake *f, struct str name, struct smtpd_verdict *v)
{
	if (str_istarts(name, "no")) {
		v->act = SMTPD_REFUSE;
		(void)err_set(&v->reply, 550, "5.7.1", "Not wanted");
	} else if (str_istarts(name, "temp")) {
		v->act = SMTPD_REFUSE;
		(void)err_set(&v->reply, 450, "4.7.1", "Not now");
	} else if (str_istarts(name, "close")) {
		v->act = SMTPD_CLOSE;
		(void)err_set(&v->reply, 421, "4.7.0", "Go away");
	}
	if (f->wait || str_istarts(name, "later"))
		return later(f, v);
	return SMTPD_NOW;
}

static enum smtpd_step
fixed(struct fake *f, const struct smtpd_verdict *is, struct smtpd_verdict *v)
{
	*v = *is;
	return f->wait ? later(f, v) : SMTPD_NOW;
}

static enum smtpd_step
on_connect(void *arg, struct smtpd_verdict *v)
{
	struct fake *f = arg;

	(void)buf_add_c(&f->log, "connect\n");
	return fixed(f, &f->connect, v);
}

static enum smtpd_step
on_helo(void *arg, struct smtpd_verdict *v)
{
	struct fake *f = arg;
	struct str name = smtpd_helo(f->s);

	(void)buf_printf(&f->log, "%s %.*s\n",
	    smtpd_esmtp(f->s) ? "ehlo" : "helo", STR_FMT(name));
	return decide(f, name, v);
}

static enum smtpd_step
on_tls(void *arg, bool ok, const struct err *why, struct smtpd_verdict *v)
{
	struct fake *f = arg;

	ASSERT(ok == (smtpd_tls(f->s) != NULL));
	ASSERT(ok || why != NULL);
	ASSERT(smtpd_helo(f->s).n == 0 && smtpd_auth(f->s) == NULL);
	(void)buf_printf(&f->log, "tls %s\n", ok ? "ok" : "failed");
	return ok ? fixed(f, &f->tls, v) : SMTPD_NOW;
}

static enum smtpd_step
on_auth(void *arg, struct str user, struct str pass, struct smtpd_verdict *v)
{
	struct fake *f = arg;

	(void)buf_printf(&f->log, "auth %.*s %.*s\n", STR_FMT(user),
	    STR_FMT(pass));
	ASSERT(v->act == SMTPD_REFUSE);
	if (!str_eq_c(pass, "wrong"))
		v->act = SMTPD_OK;
	return f->wait ? later(f, v) : SMTPD_NOW;
}

static enum smtpd_step
on_mail(void *arg, struct envelope *env, struct smtpd_verdict *v)
{
	struct fake *f = arg;

	(void)buf_printf(&f->log, "mail <%.*s>", STR_FMT(env->sender.full));
	if (env->size > 0)
		(void)buf_printf(&f->log, " size=%llu",
		    (unsigned long long)env->size);
	if (env->flags != 0)
		(void)buf_printf(&f->log, " flags=%x", env->flags);
	if (env->envid.n > 0)
		(void)buf_printf(&f->log, " envid=%.*s", STR_FMT(env->envid));
	if (env->auth.n > 0)
		(void)buf_printf(&f->log, " auth=%.*s", STR_FMT(env->auth));
	(void)buf_add_c(&f->log, "\n");
	ASSERT(env->nrcpt == 0 && env->listener == f->conf.listener);
	ASSERT(str_eq(env->helo, smtpd_helo(f->s)));
	if (!str_istarts(env->sender.full, "no") &&
	    !str_istarts(env->sender.full, "temp") &&
	    !str_istarts(env->sender.full, "close"))
		f->envelopes++;
	return decide(f, env->sender.full, v);
}

static enum smtpd_step
on_rcpt(void *arg, struct envelope *env, struct rcpt *rcpt,
    struct smtpd_verdict *v)
{
	struct fake *f = arg;

	(void)buf_printf(&f->log, "rcpt %u <%.*s>", rcpt->rid,
	    STR_FMT(rcpt->addr.full));
	if (rcpt->notify != 0)
		(void)buf_printf(&f->log, " notify=%x", rcpt->notify);
	if (rcpt->orcpt.n > 0)
		(void)buf_printf(&f->log, " orcpt=%.*s",
		    STR_FMT(rcpt->orcpt));
	(void)buf_add_c(&f->log, "\n");
	ASSERT(rcpt->rid == env->nrcpt);
	return decide(f, rcpt->addr.full, v);
}

static enum smtpd_step
on_data(void *arg, struct envelope *env, struct smtpd_verdict *v)
{
	struct fake *f = arg;

	ASSERT(env->nrcpt > 0);
	(void)buf_add_c(&f->log, "data\n");
	buf_reset(&f->content);
	if (str_istarts(env->rcpt[0]->addr.full, "datano"))
		return decide(f, STR("no"), v);
	return decide(f, STR(""), v);
}

static enum smtpd_step
on_body(void *arg, const char *p, size_t n)
{
	struct fake *f = arg;
	struct smtpd_verdict v;

	ASSERT(n > 0 && f->questions == 0);
	(void)buf_add(&f->content, p, n);
	if (buf_len(&f->content) > f->peak)
		f->peak = buf_len(&f->content);
	if (!f->body_wait)
		return SMTPD_NOW;
	v = f->body;
	return later(f, &v);
}

static void
log_message(struct fake *f, const struct envelope *env)
{
	unsigned i;

	(void)buf_printf(&f->log, "eom <%.*s>", STR_FMT(env->sender.full));
	for (i = 0; i < env->nrcpt; i++)
		(void)buf_printf(&f->log, " <%.*s>",
		    STR_FMT(env->rcpt[i]->addr.full));
	(void)buf_printf(&f->log, " %llu\n", (unsigned long long)env->size);
	(void)buf_add_str(&f->log, buf_str(&f->content));
	(void)buf_add_c(&f->log, "|\n");
}

/* Nothing that somebody else could take for the end of a line. */
static void
check_lines(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		ASSERT(s.p[i] != '\0');
		ASSERT(s.p[i] != '\r' || (i + 1 < s.n && s.p[i + 1] == '\n'));
		ASSERT(s.p[i] != '\n' || (i > 0 && s.p[i - 1] == '\r'));
	}
}

static enum smtpd_step
on_eom(void *arg, struct envelope *env, const struct bodyin *facts,
    struct smtpd_verdict *v)
{
	struct fake *f = arg;

	ASSERT(facts->bytes == buf_len(&f->content));
	ASSERT(env->size == facts->bytes && env->nrcpt > 0);
	ASSERT(env->size <= f->conf.max_size);
	check_lines(buf_str(&f->content));
	log_message(f, env);
	f->messages++;
	f->envelopes--;
	envelope_destroy(&env);
	buf_reset(&f->content);
	return fixed(f, &f->eom, v);
}

static void
on_abort(void *arg, struct envelope *env)
{
	struct fake *f = arg;

	ASSERT(f->envelopes > 0);
	f->envelopes--;
	(void)buf_printf(&f->log, "abort <%.*s>\n",
	    STR_FMT(env->sender.full));
}

static enum smtpd_step
on_etrn(void *arg, struct str domain, bool subdomains, struct smtpd_verdict *v)
{
	struct fake *f = arg;

	(void)buf_printf(&f->log, "etrn %.*s%s\n", STR_FMT(domain),
	    subdomains ? " and below" : "");
	return fixed(f, &f->etrn, v);
}

static void
on_refused(void *arg)
{
	struct fake *f = arg;

	f->refused++;
}

static void
on_trouble(void *arg, const char *what)
{
	struct fake *f = arg;

	(void)buf_printf(&f->log, "trouble %s\n", what);
}

static void
on_close(void *arg, enum smtpd_end how, const struct err *why)
{
	static const char *const names[] = { "quit", "closed", "lost" };
	struct fake *f = arg;

	ASSERT(f->s != NULL && f->questions == 0 && f->envelopes == 0);
	ASSERT(smtpd_stream(f->s) != NULL);
	(void)buf_printf(&f->log, "close %s\n", names[how]);
	f->how = how;
	if (why != NULL)
		f->why = *why;
	f->s = NULL;
	/* Both may go with their owner now. */
	memset(&f->conf, 0xa5, sizeof(f->conf));
	memset(&f->ops, 0xa5, sizeof(f->ops));
}

void
fake_init(struct fake *f)
{
	memset(f, 0, sizeof(*f));
	(void)signal(SIGPIPE, SIG_IGN);
	clock_fake(1700000000000);
	f->loop = loop_new();
	f->fd = -1;
	buf_init(&f->replies, LOG_MAX);
	buf_init(&f->log, LOG_MAX);
	buf_init(&f->content, LOG_MAX);
	f->conf = (struct smtpd_conf){
		.hostname = "mx.example",
		.listener = "in",
		.tls = SMTPD_TLS_OFF,
		.max_size = 1000000,
		.max_header = 100000,
		.max_rcpt = 100,
		.max_hops = 30,
		.max_errors = 20,
		.max_bad_rcpt = 20,
		.max_commands = 100,
		.idle_timeout = MINUTES(5),
		.data_timeout = MINUTES(3),
		.total_timeout = HOURS(1),
		.tls_timeout = MINUTES(1),
		.etrn = true,
		.dsn = true,
		.chunking = true,
		.smtputf8 = true,
		.limits = true,
	};
	f->ops = (struct smtpd_ops){ on_connect, on_helo, on_tls, on_auth,
		on_mail, on_rcpt, on_data, on_body, on_eom, on_abort, on_etrn,
		on_trouble, on_refused, on_close };
}

void
fake_start(struct fake *f)
{
	struct err why;
	struct stream *stream;
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) < 0)
		panic("socketpair: %s", strerror(errno));
	if (file_nonblock(fd[0], &why) < 0 || file_nonblock(fd[1], &why) < 0)
		panic("%s", why.text);
	f->fd = fd[1];
	stream = stream_new(f->loop, fd[0], 65536, NULL, NULL);
	f->s = smtpd_new(stream, &f->conf, &f->ops, f);
	if (f->stop)
		smtpd_stop(f->s);
	fake_run(f);
}

void
fake_fini(struct fake *f)
{
	file_close(&f->fd);
	fake_run(f);
	if (f->s != NULL) {
		f->questions = 0;
		smtpd_kill(f->s);
	}
	ASSERT(f->s == NULL && f->envelopes == 0);
	fake_run(f);
	loop_destroy(&f->loop);
	buf_fini(&f->replies);
	buf_fini(&f->log);
	buf_fini(&f->content);
}

/* True: something came. */
static bool
receive(struct fake *f)
{
	char tmp[65536];
	ssize_t n;

	if (f->fd < 0 || f->eof)
		return false;
	n = recv(f->fd, tmp, sizeof(tmp), MSG_DONTWAIT);
	if (n > 0)
		(void)buf_add(&f->replies, tmp, (size_t)n);
	else if (n == 0 || errno != EAGAIN)
		f->eof = true;
	return true;
}

void
fake_run(struct fake *f)
{
	enum { QUIET = 3 };
	size_t had;
	int quiet = 0;

	while (quiet < QUIET) {
		had = buf_len(&f->replies) + buf_len(&f->log) +
		    buf_len(&f->content);
		loop_once(f->loop, false);
		(void)receive(f);
		if (had == buf_len(&f->replies) + buf_len(&f->log) +
		    buf_len(&f->content) && f->questions == 0)
			quiet++;
		else
			quiet = 0;
	}
}

void
fake_send(struct fake *f, const void *p, size_t n)
{
	const char *c = p;
	ssize_t sent;
	int stuck = 0;

	while (n > 0 && f->fd >= 0 && stuck < 10) {
		sent = send(f->fd, c, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent > 0) {
			c += sent;
			n -= (size_t)sent;
			stuck = 0;
		} else if (errno != EAGAIN) {
			break;
		} else {
			stuck++;
		}
		fake_run(f);
	}
	fake_run(f);
}

void
fake_shutdown(struct fake *f)
{
	(void)shutdown(f->fd, SHUT_WR);
	fake_run(f);
}

void
fake_hang_up(struct fake *f)
{
	file_close(&f->fd);
	fake_run(f);
}

void
fake_wait(struct fake *f, msec ms)
{
	msec until = clock_now() + ms;

	while (loop_step_fake(f->loop, until))
		fake_run(f);
	if (clock_now() < until)
		clock_fake_advance(until - clock_now());
	fake_run(f);
}
