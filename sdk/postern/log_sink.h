/*
 * postern/log_sink.h - log_sink/1: where the log goes.
 *
 * None of these may wait, and none is told to a client: what goes wrong is the
 * sink's to keep, to count and to tell when it works again. log_mail, log_json
 * and log_syslog run in every process, whatever process that is forked from;
 * another sink runs in the workers, and gets the other processes' lines by way
 * of one of them. What a sink itself logs goes to the other sinks and to
 * standard error.
 *
 * "log_sink/1.emit": a record. Keep it; it is valid during the call only.
 * PST_TEMPFAIL: it could not be kept, which is counted.
 * "log_sink/1.line": the same for who needs no fields, which then are not made.
 * "log_sink/1.flush": write what is kept, without waiting for anything slow;
 * when the sink comes into use, at the end of a round of the loop that had
 * records, and before the end. PST_TEMPFAIL: it cannot be written now; until
 * PST_CONTINUE, records go to standard error too. Raise an alert.
 * "log_sink/1.reopen": files were rotated (SIGUSR1). Answered in the same way.
 * "log_sink/1.try": can it be written? Asked at the start and at a reload,
 * before anything else, in a process of its own that has the workers' rights;
 * pst_reject() refuses the configuration.
 */
#ifndef POSTERN_LOG_SINK_H
#define POSTERN_LOG_SINK_H

#include <postern/plugin.h>

#define PST_LOG_SINK_EMIT "log_sink/1.emit" /* struct pst_log_record */
#define PST_LOG_SINK_LINE "log_sink/1.line" /* struct pst_log_record */
#define PST_LOG_SINK_FLUSH "log_sink/1.flush"
#define PST_LOG_SINK_REOPEN "log_sink/1.reopen"
#define PST_LOG_SINK_TRY "log_sink/1.try"

/* Severities of the mail log. */
enum pst_log_level {
	PST_LOG_CRITICAL = 0,
	PST_LOG_WARNING = 1,
	PST_LOG_INFO = 2,
	PST_LOG_DEBUG = 3,
	PST_LOG_TRACE = 4
};

enum pst_field_type {
	PST_F_TEXT = 0,	   /* text */
	PST_F_NUMBER = 1,  /* number */
	PST_F_NUMBERS = 2, /* text: "0, 1" */
	PST_F_LINES = 3,   /* text: LF between them */
	PST_F_NULL = 4	   /* not known */
};

struct pst_field {
	const char *name;
	enum pst_field_type type;
	int64_t number;
	struct pst_str text; /* as it came, at most 2048 octets (lines: 4096):
			      * quote it */
};

struct pst_log_record {
	uint32_t size;
	enum pst_log_level level;
	int64_t wall;	     /* ms since 1970 */
	const char *event;   /* "delivered" …; NULL: a free line */
	struct pst_str text; /* the line in the mail log's grammar, printable,
			      * without time, level and end */
	uint32_t count;
	const struct pst_field *field; /* of the event; of a free line its
					* "text" as it came */
};

#endif
