/*
 * The mail log to the system's log daemon: a datagram for each line, in the
 * form of RFC 3164.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <postern/log_sink.h>

#include "../common/logkeep.h"

#define RETRY 1000
#define DATAGRAM 8192

struct conf {
	const char *ident, *facility, *level, *socket;
};

struct sink {
	struct logkeep *keep; /* NULL: not begun yet */
	const struct conf *conf;
	enum pst_log_level level;
	int facility;
	int fd;
	int64_t retry; /* not before */
	struct logkeep_trouble trouble;
	struct logkeep_stamp stamp;
};

#define FACILITIES                                                             \
	"kern|user|mail|daemon|auth|syslog|lpr|news|uucp|cron|authpriv|ftp|"   \
	"local0|local1|local2|local3|local4|local5|local6|local7"

static const struct {
	const char *name;
	int number;
} facilities[] = {
	{ "kern", 0 },
	{ "user", 1 },
	{ "mail", 2 },
	{ "daemon", 3 },
	{ "auth", 4 },
	{ "syslog", 5 },
	{ "lpr", 6 },
	{ "news", 7 },
	{ "uucp", 8 },
	{ "cron", 9 },
	{ "authpriv", 10 },
	{ "ftp", 11 },
	{ "local0", 16 },
	{ "local1", 17 },
	{ "local2", 18 },
	{ "local3", 19 },
	{ "local4", 20 },
	{ "local5", 21 },
	{ "local6", 22 },
	{ "local7", 23 },
};

static const struct pst_option options[] = {
	PST_STRING(struct conf, ident, "mail_logs", "tag of the lines"),
	PST_CHOICE(struct conf, facility, "local4", FACILITIES,
	    "facility of the lines"),
	PST_CHOICE(struct conf, level, "trace", LOGKEEP_LEVELS,
	    "least important level of it, of those that are logged at all"),
	PST_PATH(struct conf, socket, "/dev/log",
	    "where the daemon listens"),
	PST_END
};

static void	sink_end(void *);
static bool	add(struct sink *, const struct pst_log_record *);
static void	flush(struct sink *, struct pst_event *);
static enum pst_verdict verdict(const struct sink *);
static bool	sink_open(struct sink *, struct pst_event *);
static int	sink_connect(const char *);
static void	sink_close(struct sink *);
static size_t	send_lines(struct sink *);

static struct sink *
sink_of(struct pst_event *ev)
{
	struct sink *s = pst_data(ev, PST_INSTANCE, struct sink);
	size_t i;

	if (s == NULL || s->keep != NULL)
		return s;
	s->keep = logkeep_new();
	if (s->keep == NULL)
		return NULL;
	s->conf = ev->conf;
	s->level = logkeep_level(s->conf->level);
	s->fd = -1;
	for (i = 0; i < sizeof(facilities) / sizeof(facilities[0]); i++) {
		if (strcmp(facilities[i].name, s->conf->facility) == 0)
			s->facility = facilities[i].number;
	}
	pst_defer(ev, PST_INSTANCE, sink_end, s);
	return s;
}

static void
sink_end(void *arg)
{
	struct sink *s = arg;

	sink_close(s);
	logkeep_end(s->keep);
	s->keep = NULL;
}

static enum pst_verdict
on_line(struct pst_event *ev)
{
	const struct pst_log_record *r = ev->arg;
	struct sink *s = sink_of(ev);

	if (s == NULL)
		return PST_TEMPFAIL;
	if (r->level > s->level || add(s, r))
		return PST_CONTINUE;
	return PST_TEMPFAIL;
}

static enum pst_verdict
on_flush(struct pst_event *ev)
{
	struct sink *s = sink_of(ev);

	if (s == NULL)
		return PST_TEMPFAIL;
	flush(s, ev);
	return verdict(s);
}

static enum pst_verdict
on_reopen(struct pst_event *ev)
{
	struct sink *s = sink_of(ev);

	if (s == NULL)
		return PST_TEMPFAIL;
	sink_close(s);
	s->retry = 0;
	(void)sink_open(s, ev);
	return verdict(s);
}

/*
 * Nobody listens: the daemon may come later, so that is no reason to refuse.
 * What is no socket for datagrams, or may not be used, never becomes one.
 */
static enum pst_verdict
on_try(struct pst_event *ev)
{
	const struct conf *c = ev->conf;
	int fd = sink_connect(c->socket), e = errno;
	struct stat st;

	if (fd != -1) {
		(void)close(fd);
		return PST_CONTINUE;
	}
	if (e == ECONNREFUSED && stat(c->socket, &st) == 0 &&
	    !S_ISSOCK(st.st_mode))
		e = ENOTSOCK;
	if (e == ECONNREFUSED || e == ENOENT || e == EAGAIN)
		return PST_CONTINUE;
	return pst_reject(ev, 550, "5.3.0", "the log %s cannot be opened: %s",
	    c->socket, strerror(e));
}

static bool
add(struct sink *s, const struct pst_log_record *r)
{
	static const int severity[] = { 2, 4, 6, 7, 7 };
	struct logkeep *k = s->keep;
	char text[16];

	logkeep_stamp(&s->stamp, r->wall);
	logkeep_begin(k);
	logkeep_add(k, text, (size_t)snprintf(text, sizeof(text), "<%d>",
	    s->facility * 8 + severity[r->level <= PST_LOG_TRACE ? r->level :
							    PST_LOG_TRACE]));
	/* "Apr 17 00:57:53 " out of "Tue Apr 17 00:57:53 2018" */
	logkeep_add(k, s->stamp.text + 4, 16);
	logkeep_add_c(k, s->conf->ident);
	logkeep_add(k, ": ", 2);
	logkeep_add_c(k, logkeep_word(r->level));
	logkeep_add(k, ": ", 2);
	logkeep_add(k, r->text.p, r->text.n);
	return logkeep_line(k);
}

static void
flush(struct sink *s, struct pst_event *ev)
{
	struct logkeep *k = s->keep;
	struct pst_log_record r;
	struct pst_field field;
	char text[120];

	if (k->n == 0 && k->lost == 0 && s->fd != -1)
		return;
	if (s->retry != 0 && pst_now(ev) < s->retry &&
	    s->retry - pst_now(ev) <= RETRY)
		return;
	s->retry = 0;
	if (s->fd == -1 && !sink_open(s, ev)) {
		s->retry = pst_now(ev) + RETRY;
		return;
	}
	logkeep_used(k, send_lines(s));
	if (k->n == 0 && k->lost > 0) {
		logkeep_lost(k, pst_now(ev), &r, &field, text, sizeof(text));
		if (add(s, &r))
			k->lost = 0;
		logkeep_used(k, send_lines(s));
	}
	if (k->n == 0) {
		logkeep_works(&s->trouble, ev, s->conf->socket);
		return;
	}
	s->retry = pst_now(ev) + RETRY;
	if (k->lost > 0)
		logkeep_fails(k, &s->trouble, ev, s->conf->socket, ENOBUFS);
}

static enum pst_verdict
verdict(const struct sink *s)
{
	return s->trouble.is ? PST_TEMPFAIL : PST_CONTINUE;
}

static bool
sink_open(struct sink *s, struct pst_event *ev)
{
	s->fd = sink_connect(s->conf->socket);
	if (s->fd != -1)
		return true;
	logkeep_fails(s->keep, &s->trouble, ev, s->conf->socket, errno);
	return false;
}

/* -1 and errno, or a socket. */
static int
sink_connect(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd, e;

	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1 || connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	e = errno;
	(void)close(fd);
	errno = e;
	return -1;
}

static void
sink_close(struct sink *s)
{
	if (s->fd != -1)
		(void)close(s->fd);
	s->fd = -1;
}

static size_t
send_lines(struct sink *s)
{
	struct logkeep *k = s->keep;
	const char *p = k->p + k->at;
	size_t used = 0, n, len;

	while (s->fd != -1 && used < k->n) {
		n = logkeep_first(p + used, k->n - used);
		len = n - 1 < DATAGRAM ? n - 1 : DATAGRAM;
		if (send(s->fd, p + used, len, MSG_DONTWAIT | MSG_NOSIGNAL) <
		    0) {
			/* The daemon was restarted: a new socket next time. */
			if (errno != EAGAIN && errno != ENOBUFS)
				sink_close(s);
			break;
		}
		used += n;
	}
	return used;
}

static const char *
check(const void *conf)
{
	const struct conf *c = conf;
	const char *p;

	if (strlen(c->socket) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return "socket is too long for the name of a socket";
	for (p = c->ident; *p >= ' ' && *p < 0x7f;)
		p++;
	if (*p != '\0' || p - c->ident > 64)
		return "ident must be at most 64 printable characters";
	return NULL;
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_LOG_SINK_LINE, on_line),
	PST_HOOK(PST_LOG_SINK_FLUSH, on_flush),
	PST_HOOK(PST_LOG_SINK_REOPEN, on_reopen),
	PST_HOOK(PST_LOG_SINK_TRY, on_try),
	PST_END
};

PST_PLUGIN(log_syslog, .version = "1.0", .summary = "The mail log to syslog",
    .license = "BSD-2-Clause", .hooks = hooks, .options = options,
    .conf_size = sizeof(struct conf), .check = check);
