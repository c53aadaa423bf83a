/*
 * A file of log lines that several processes append to, each whole lines.
 *
 * It is opened at the first flush, and again after a rotation; one that cannot
 * be opened or written is tried again each second, and told of once, as an
 * alert (logkeep_fails()). The lines that did not fit meanwhile are told of in
 * a line of their own.
 */
#ifndef COMMON_LOGFILE_H
#define COMMON_LOGFILE_H

#include "logkeep.h"

struct logfile {
	struct logkeep *keep; /* NULL: not begun yet */
	const char *path;
	int mode;
	int fd;
	bool torn;	/* the last write ended inside a line */
	struct logkeep_trouble trouble;
	int64_t retry;	/* not before */
	/* Adds a record to keep; false: no room. */
	bool (*add)(struct logfile *f, const struct pst_log_record *r);
	/* A new file is to begin with something. Or NULL. */
	void (*head)(struct logfile *f, struct pst_event *ev);
};

/* -1: there is no memory. path lives as long as the instance. */
int logfile_begin(struct logfile *f, struct pst_event *ev, const char *path,
    const char *mode);
/* PST_TEMPFAIL: it cannot be written now. */
enum pst_verdict logfile_flush(struct logfile *f, struct pst_event *ev);
enum pst_verdict logfile_reopen(struct logfile *f, struct pst_event *ev);
/* Refuses where it cannot be opened. A pipe may still be without reader. */
enum pst_verdict logfile_try(struct pst_event *ev, const char *path,
    const char *mode);
/* Of the option: an octal number; -1: it is none. */
int logfile_mode(const char *text);
/* For pst_plugin.check. */
const char *logfile_check(const char *path, const char *mode);

#endif
