/*
 * The parts of the log: log.c takes the calls and asks the sinks, log_line.c
 * makes lines and fields from the table, log_stderr.c is the sink that is
 * always there.
 */
#ifndef BASE_LOG_PRIV_H
#define BASE_LOG_PRIV_H

#include <stdarg.h>
#include <stdint.h>

#include <postern/log_sink.h>

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
const char *log_event_name(enum log_event ev);
void log_args(enum log_event ev, struct log_arg *arg, va_list ap);
/* "Start MID …": without time, level and line end. */
void log_line_text(struct buf *dst, enum log_event ev,
    const struct log_arg *arg);
/* At most LOG_ARGS, texts in room; returns how many. */
unsigned log_line_fields(struct pst_field *field_r, struct buf *room,
    enum log_event ev, const struct log_arg *arg);
/* The same two for a text that is no event. */
void log_free_text(struct buf *dst, struct str text);
unsigned log_free_fields(struct pst_field *field_r, struct str text);

/* log_stderr.c: whole lines, kept up to 4 MB while nobody reads them. */
struct log_stderr {
	msec retry;	  /* monotonic; not before */
	uint64_t lost;	  /* since the last LOG_LOST line */
	struct buf lines; /* whole lines, each with its LF */
};

void log_stderr_init(struct log_stderr *k);
void log_stderr_fini(struct log_stderr *k);
/* False: no room, counted. */
bool log_stderr_add(struct log_stderr *k, const struct pst_log_record *r);
void log_stderr_flush(struct log_stderr *k);

#endif
