/*
 * The mail log: lines made from tbl/events.h and nothing else.
 *
 * MAIL_LOG(EV_…, …) is an interface (requirements.md section 5): one record,
 * with the line in Cisco's grammar and what it was made of, from the same
 * table. Arguments are given in the table's order; text from outside (types e,
 * q, l) is quoted here, in one place. log_info() and friends are for lines that
 * are not part of the mail log's grammar (start and stop, configuration,
 * debugging); what they are given is made one printable line too.
 *
 * Where records go is not known here: sinks are handed in (daemon/logs makes
 * them of plugins with log_sink/1). What is here is standard error, for the
 * time before that, for who wants it, and for what a sink itself has to say.
 * A sink keeps what it is given until it is flushed, at the end of a loop round
 * (log_flush()), or at once when sync is set (master, CLI); it never blocks or
 * ends the process. What is logged while a sink is at work goes to the others,
 * afterwards, and to standard error. So does what is logged while one of them
 * cannot keep or write it. One thread only: jobs of base/offload do not log.
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

struct log_conf {
	bool stderr_on;
	enum log_level level;
	bool sync;		/* flush after each line */
};

struct pst_log_record; /* sdk/postern/log_sink.h */

struct log_sink {
	bool fields; /* it wants the records' fields too */
	bool passed; /* and other processes' records (log_pass()) */
	/* The record is valid during the call. False: it could not be kept. */
	bool (*emit)(void *arg, const struct pst_log_record *r);
	/* False: what it keeps cannot be written now. */
	bool (*flush)(void *arg);
	bool (*reopen)(void *arg);
	void *arg;
};

#define LOG_SINKS_MAX 32

/* "Critical", "Warning" and so on; or -1 and nothing for another word. */
const char *log_level_name(enum log_level level);
int log_level_parse(struct str s, enum log_level *level_r);

/* Begins anew, without sinks. A worker calls it after the fork: what standard
 * error has not taken of its parent's lines is not written twice. */
void log_open(const struct log_conf *conf);
/* Those before are flushed; after that nothing calls them. v is copied. */
void log_sinks_set(const struct log_sink *v, unsigned n);
/* A record of another process, for those sinks that want such. */
void log_pass(const struct pst_log_record *r);
void log_level_set(enum log_level level);
void log_close(void);
void log_reopen(void); /* files were rotated */
void log_flush(void);
bool log_would(enum log_level level);
/* How often a sink could not keep a line, since the last call. */
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
