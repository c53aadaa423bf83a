#include "logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RETRY 1000
/* A pipe without reader must not hold us up, hence O_NONBLOCK. */
#define OPENS                                                                  \
	(O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

static void	logfile_end(void *);
static bool	logfile_open(struct logfile *, struct pst_event *);
static int	logfile_write(struct logfile *);
static size_t	logfile_written(struct logfile *, size_t);
static enum pst_verdict verdict(const struct logfile *);
static void	logfile_lost(struct logfile *, struct pst_event *);

int
logfile_begin(struct logfile *f, struct pst_event *ev, const char *path,
    const char *mode)
{
	f->keep = logkeep_new();
	if (f->keep == NULL)
		return -1;
	f->path = path;
	f->mode = logfile_mode(mode);
	f->fd = -1;
	pst_defer(ev, PST_INSTANCE, logfile_end, f);
	return 0;
}

/* What could not be written by now is lost, or a parent's. */
static void
logfile_end(void *arg)
{
	struct logfile *f = arg;

	if (f->fd != -1)
		(void)close(f->fd);
	f->fd = -1;
	logkeep_end(f->keep);
	f->keep = NULL;
}

enum pst_verdict
logfile_flush(struct logfile *f, struct pst_event *ev)
{
	struct logkeep *k = f->keep;
	int error;

	if (k->n == 0 && k->lost == 0 && f->fd != -1)
		return PST_CONTINUE;
	if (f->retry != 0 && pst_now(ev) < f->retry &&
	    f->retry - pst_now(ev) <= RETRY)
		return verdict(f);
	f->retry = 0;
	if (f->fd == -1 && !logfile_open(f, ev))
		return PST_TEMPFAIL;
	error = logfile_write(f);
	if (k->n == 0 && k->lost > 0) {
		logfile_lost(f, ev);
		error = logfile_write(f);
	}
	if (k->n == 0) {
		logkeep_works(&f->trouble, ev, f->path);
		return PST_CONTINUE;
	}
	f->retry = pst_now(ev) + RETRY;
	/* A pipe that is full is read, soon: nothing is lost yet. */
	if (error != EAGAIN || k->lost > 0)
		logkeep_fails(k, &f->trouble, ev, f->path, error);
	return verdict(f);
}

static enum pst_verdict
verdict(const struct logfile *f)
{
	return f->trouble.is ? PST_TEMPFAIL : PST_CONTINUE;
}

enum pst_verdict
logfile_reopen(struct logfile *f, struct pst_event *ev)
{
	if (f->fd != -1)
		(void)close(f->fd);
	f->fd = -1;
	f->torn = false;
	f->retry = 0;
	return logfile_open(f, ev) ? verdict(f) : PST_TEMPFAIL;
}

enum pst_verdict
logfile_try(struct pst_event *ev, const char *path, const char *mode)
{
	int fd = open(path, OPENS, logfile_mode(mode));

	if (fd != -1)
		(void)close(fd);
	else if (errno != ENXIO)
		return pst_reject(ev, 550, "5.3.0", "the log %s cannot be "
		    "opened: %s", path, strerror(errno));
	return PST_CONTINUE;
}

static bool
logfile_open(struct logfile *f, struct pst_event *ev)
{
	f->fd = open(f->path, OPENS, f->mode);
	if (f->fd != -1) {
		if (f->head != NULL)
			f->head(f, ev);
		return true;
	}
	f->retry = pst_now(ev) + RETRY;
	logkeep_fails(f->keep, &f->trouble, ev, f->path, errno);
	return false;
}

/*
 * All lines; 0, or what is wrong. When the disk takes only a part, the rest of
 * the line it ended in is given up: put behind another process's line it would
 * begin with bytes from outside, as a line of its own.
 */
static int
logfile_write(struct logfile *f)
{
	struct logkeep *k = f->keep;
	ssize_t done;

	while (f->torn || k->n > 0) {
		if (f->torn)
			done = write(f->fd, "\n", 1);
		else
			done = write(f->fd, k->p + k->at, k->n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? errno : ENOSPC;
		if (f->torn)
			f->torn = false;
		else
			logkeep_used(k, logfile_written(f, (size_t)done));
	}
	return 0;
}

static size_t
logfile_written(struct logfile *f, size_t n)
{
	struct logkeep *k = f->keep;
	const char *p = k->p + k->at;
	size_t line = n, end;

	if (p[n - 1] == '\n')
		return n;
	f->torn = true;
	k->lost++;
	while (line > 0 && p[line - 1] != '\n')
		line--;
	end = n + logkeep_first(p + n, k->n - n);
	logkeep_say(p + line, end - line);
	return end;
}

static void
logfile_lost(struct logfile *f, struct pst_event *ev)
{
	struct pst_log_record r;
	struct pst_field field;
	char text[120];

	logkeep_lost(f->keep, pst_now(ev), &r, &field, text, sizeof(text));
	if (f->add(f, &r))
		f->keep->lost = 0;
}

int
logfile_mode(const char *text)
{
	char *end;
	long n = strtol(text, &end, 8);

	return *text != '\0' && *end == '\0' && n >= 0 && n <= 0777 ?
	    (int)n : -1;
}

const char *
logfile_check(const char *path, const char *mode)
{
	if (path[0] != '/')
		return "file must be an absolute path";
	if (logfile_mode(mode) < 0 || (logfile_mode(mode) & 0200) == 0)
		return "mode must be an octal number such as 0640, and the "
		       "owner must be able to write";
	return NULL;
}
