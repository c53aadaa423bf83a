/*
 * The mail log: a line for each record, in the grammar that people and tools
 * know from Cisco's gateways.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <postern/log_sink.h>

#include "../common/logfile.h"
#include "serial.h"

struct conf {
	const char *file, *level, *mode;
	bool head;
};

struct sink {
	struct logfile f; /* first: add() casts */
	enum pst_log_level level;
	struct logkeep_stamp stamp;
};

static const struct pst_option options[] = {
	PST_PATH(struct conf, file, NULL, "where the mail log is written"),
	PST_CHOICE(struct conf, level, "trace", LOGKEEP_LEVELS,
	    "least important level of it, of those that are logged at all"),
	PST_STRING(struct conf, mode, "0640",
	    "rights of a file that is made, less those of the umask"),
	PST_BOOL(struct conf, head, "yes",
	    "begin a file with the lines that tell version and time zone"),
	PST_END
};

static bool	add(struct logfile *, const struct pst_log_record *);
static void	head(struct logfile *, struct pst_event *);

static struct sink *
sink_of(struct pst_event *ev)
{
	struct sink *s = pst_data(ev, PST_INSTANCE, struct sink);
	const struct conf *c = ev->conf;

	if (s == NULL || s->f.keep != NULL)
		return s;
	if (logfile_begin(&s->f, ev, c->file, c->mode) != 0)
		return NULL;
	s->f.add = add;
	s->f.head = c->head ? head : NULL;
	s->level = logkeep_level(c->level);
	return s;
}

static enum pst_verdict
on_line(struct pst_event *ev)
{
	const struct pst_log_record *r = ev->arg;
	struct sink *s = sink_of(ev);

	if (s == NULL)
		return PST_TEMPFAIL;
	if (r->level > s->level || add(&s->f, r))
		return PST_CONTINUE;
	return PST_TEMPFAIL;
}

static enum pst_verdict
on_flush(struct pst_event *ev)
{
	struct sink *s = sink_of(ev);

	return s != NULL ? logfile_flush(&s->f, ev) : PST_TEMPFAIL;
}

static enum pst_verdict
on_reopen(struct pst_event *ev)
{
	struct sink *s = sink_of(ev);

	return s != NULL ? logfile_reopen(&s->f, ev) : PST_TEMPFAIL;
}

static enum pst_verdict
on_try(struct pst_event *ev)
{
	const struct conf *c = ev->conf;

	return logfile_try(ev, c->file, c->mode);
}

static bool
add(struct logfile *f, const struct pst_log_record *r)
{
	struct sink *s = (struct sink *)f;

	logkeep_stamp(&s->stamp, r->wall);
	logkeep_begin(f->keep);
	logkeep_add(f->keep, s->stamp.text, s->stamp.n);
	logkeep_add(f->keep, " ", 1);
	logkeep_add_c(f->keep, logkeep_word(r->level));
	logkeep_add(f->keep, ": ", 2);
	logkeep_add(f->keep, r->text.p, r->text.n);
	return logkeep_line(f->keep);
}

/* All processes open the new file at once: the lock says whose head it is. */
static void
head(struct logfile *f, struct pst_event *ev)
{
	struct sink *s = (struct sink *)f;
	const char *version = strrchr(ev->api->host, ' '), *at;
	char text[600], serial[SERIAL_ROOM];
	struct stat st;
	struct tm tm;
	int n;

	if (fstat(f->fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    st.st_size > 0 || flock(f->fd, LOCK_EX | LOCK_NB) != 0)
		return;
	log_mail_serial(serial);
	logkeep_stamp(&s->stamp, pst_now(ev));
	logkeep_time(&tm, pst_now(ev), false);
	at = s->stamp.text;
	n = snprintf(text, sizeof(text), "%s Info: Begin Logfile\n"
	    "%s Info: Version: %s SN: %s\n"
	    "%s Info: Time offset from UTC: %ld seconds\n", at, at,
	    version != NULL ? version + 1 : ev->api->host, serial, at,
	    tm.tm_gmtoff);
	if (n > 0 && (size_t)n < sizeof(text) && fstat(f->fd, &st) == 0 &&
	    st.st_size == 0 && write(f->fd, text, (size_t)n) != n)
		f->retry = pst_now(ev) + 1000;
	(void)flock(f->fd, LOCK_UN);
}

static const char *
check(const void *conf)
{
	const struct conf *c = conf;

	return logfile_check(c->file, c->mode);
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_LOG_SINK_LINE, on_line),
	PST_HOOK(PST_LOG_SINK_FLUSH, on_flush),
	PST_HOOK(PST_LOG_SINK_REOPEN, on_reopen),
	PST_HOOK(PST_LOG_SINK_TRY, on_try),
	PST_END
};

PST_PLUGIN(log_mail, .version = "1.0", .summary = "The mail log, as a file",
    .license = "BSD-2-Clause", .hooks = hooks, .options = options,
    .conf_size = sizeof(struct conf), .check = check);
