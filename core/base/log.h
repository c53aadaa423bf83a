/*
 * The mail log: lines made from tbl/events.h and nothing else.
 *
 * MAIL_LOG(EV_…, …) is an interface (requirements.md section 5): one line
 * in Cisco's grammar to the file, stderr and syslog sinks and one JSON object
 * to the JSON sink, both from the same table. Arguments are given in the
 * table's order; text from outside (types e, q, l) is quoted here, in one
 * place. log_info() and friends are for lines that are not part of the mail
 * log's grammar (start and stop, configuration, debugging); what they are given
 * is made one printable line too. Before log_open() warnings go to stderr.
 *
 * Lines are collected and written at the end of a loop round (log_flush()),
 * or at once when log_sync is set (master, CLI). A sink that cannot be written
 * is retried and never blocks or ends the process: it keeps 4 MB of lines,
 * counts what does not fit and says so in a line when it works again. Several
 * processes append to one file, each time whole lines. One thread only: jobs of
 * base/offload do not log.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/die.h"
#include "base/err.h"
#include "base/str.h"

enum log_level { LOG_LV_CRITICAL, LOG_LV_WARNING, LOG_LV_INFO, LOG_LV_DEBUG,
	LOG_LV_TRACE };

enum log_event {
#define EVENT(id, level, name, text) EV_##id,
#include "tbl/events.h"
#undef EVENT
	EV_COUNT
};

/* All strings are copied. NULL or "" turns a sink off. */
struct log_conf {
	const char *file;
	const char *json;
	bool stderr_on;
	bool syslog_on;
	const char *ident;	/* syslog tag, "mail_logs" */
	enum log_level level;
	bool sync;		/* write each line at once */
};

/* "Critical", "Warning" and so on; or -1 and nothing for another word. */
const char *log_level_name(enum log_level level);
int log_level_parse(struct str s, enum log_level *level_r);

/*
 * Opens the sinks; one that fails is reported on stderr and retried later. A
 * worker calls it after the fork: lines of its parent's are not written twice.
 */
void log_open(const struct log_conf *conf);
void log_close(void);
void log_reopen(void); /* after rotation: same paths, new files */
void log_flush(void);
bool log_would(enum log_level level);
/* Lines no sink could take since the last call (for the metric). */
uint64_t log_lost(void);

/* The recipients of one delivery, as RIDs: "[0, 1]". */
struct log_rids {
	const unsigned *v;
	unsigned n;
};

/*
 * One mail-log line. The arguments after ev are those named in the table's
 * text: %d{n} int64_t, %u{n} uint64_t, %s{n} const char * (ours, clean),
 * %e{n} struct str (outside: cleaned), %q{n} struct str (outside: repr()),
 * %l{n} struct str (outside: lines, LF between them), %r{n} struct log_rids.
 * Wrong types are caught by tests/check and by the event's unit test.
 */
void mail_log(enum log_event ev, ...);

void log_at(enum log_level level, const char *fmt, ...) ATTR_PRINTF(2, 3);
#define log_critical(...) log_at(LOG_LV_CRITICAL, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LV_WARNING, __VA_ARGS__)
#define log_info(...) log_at(LOG_LV_INFO, __VA_ARGS__)
#define log_debug(...)                                                         \
	do {                                                                   \
		if (log_would(LOG_LV_DEBUG))                                   \
			log_at(LOG_LV_DEBUG, __VA_ARGS__);                     \
	} while (0)

#endif
