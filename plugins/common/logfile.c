#include "logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RETRY 1000

static void	logfile_end(void *);
static bool	logfile_open(struct logfile *, struct pst_event *);
static size_t	logfile_write(struct logfile *);
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

void
logfile_flush(struct logfile *f, struct pst_event *ev)
{
	struct logkeep *k = f->keep;

	if (k->n == 0 && k->lost == 0 && f->fd != -1)
		return;
	if (f->retry != 0 && pst_now(ev) < f->retry &&
	    f->retry - pst_now(ev) <= RETRY)
		return;
	f->retry = 0;
	if (f->fd == -1 && !logfile_open(f, ev)) {
		f->retry = pst_now(ev) + RETRY;
		return;
	}
	logkeep_used(k, logfile_write(f));
	if (k->n > 0) {
		f->retry = pst_now(ev) + RETRY;
		return;
	}
	if (k->lost > 0) {
		logfile_lost(f, ev);
		logkeep_used(k, logfile_write(f));
	}
}

void
logfile_reopen(struct logfile *f, struct pst_event *ev)
{
	if (f->fd != -1)
		(void)close(f->fd);
	f->fd = -1;
	f->torn = false;
	f->told = false;
	f->retry = 0;
	if (!logfile_open(f, ev))
		f->retry = pst_now(ev) + RETRY;
}

/* A pipe without reader must not hold us up, hence O_NONBLOCK. */
static bool
logfile_open(struct logfile *f, struct pst_event *ev)
{
	f->fd = open(f->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC |
	    O_NOCTTY | O_NONBLOCK, f->mode);
	if (f->fd != -1) {
		f->told = false;
		if (f->head != NULL)
			f->head(f, ev);
		return true;
	}
	if (!f->told)
		pst_log(ev, PST_WARNING, "log %s: %s; trying again", f->path,
		    strerror(errno));
	f->told = true;
	return false;
}

/*
 * One write for all lines. When the disk takes only a part, the rest of the
 * line it ended in is given up: put behind another process's line it would
 * begin with bytes from outside, as a line of its own.
 */
static size_t
logfile_write(struct logfile *f)
{
	struct logkeep *k = f->keep;
	const char *p = k->p + k->at;
	ssize_t done;
	size_t n;

	if (f->torn) {
		if (write(f->fd, "\n", 1) != 1)
			return 0;
		f->torn = false;
	}
	if (k->n == 0)
		return 0;
	do
		done = write(f->fd, p, k->n);
	while (done < 0 && errno == EINTR);
	if (done <= 0)
		return 0;
	n = (size_t)done;
	if (p[n - 1] == '\n')
		return n;
	f->torn = true;
	k->lost++;
	return n + logkeep_first(p + n, k->n - n);
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
