/*
 * The parts of the log: log.c takes the calls, log_line.c makes lines from the
 * table, log_sink.c brings them to files, stderr and syslog.
 */
#ifndef BASE_LOG_PRIV_H
#define BASE_LOG_PRIV_H

#include <stdarg.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#define LOG_ARGS 12
#define LOG_LINE_MAX 65536

struct log_arg {
	union {
		int64_t d;
		uint64_t u;
		struct str s;
		struct log_rids r;
	};
};

/* log_line.c */
enum log_level log_event_level(enum log_event ev);
void log_args(enum log_event ev, struct log_arg *arg, va_list ap);
/* "Info: Start MID …": without time, without line end. */
void log_line_text(struct buf *dst, enum log_event ev,
    const struct log_arg *arg);
/* One object without line end. */
void log_line_json(struct buf *dst, enum log_event ev,
    const struct log_arg *arg, msec wall);
/* The same two for a text that is no event. */
void log_free_text(struct buf *dst, enum log_level level, struct str text);
void log_free_json(struct buf *dst, enum log_level level, struct str text,
    msec wall);
/* "Tue Apr 17 00:57:53 2018 ", from a cache while the second is the same. */
struct str log_stamp(msec wall);

/* log_sink.c */
enum log_form { LOG_FORM_TEXT, LOG_FORM_JSON, LOG_FORM_SYSLOG };

struct log_sink {
	enum log_form form;
	bool on;
	bool head;	  /* begins with the file head */
	char *path;	  /* NULL: fd is not ours (stderr) or a socket */
	const char *tag;  /* syslog */
	int fd;
	msec retry;	  /* monotonic; not before */
	uint64_t lost;	  /* since the last LOG_LOST line */
	struct buf lines; /* whole lines, each with its LF */
	bool torn;	  /* the last write ended inside a line */
};

void log_sink_init(struct log_sink *k, enum log_form form);
void log_sink_file(struct log_sink *k, const char *path, bool head);
void log_sink_stderr(struct log_sink *k);
void log_sink_syslog(struct log_sink *k, const char *tag, const char *path);
/* Says on stderr why a file could not be opened, if it could not. */
void log_sink_report(struct log_sink *k);
/* text: level and text. Adds time or tag and LF. False: no room, counted. */
bool log_sink_add(struct log_sink *k, enum log_level level, struct str text,
    msec wall);
void log_sink_flush(struct log_sink *k);
void log_sink_reopen(struct log_sink *k);
void log_sink_fini(struct log_sink *k);

#endif
