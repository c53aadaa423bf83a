/*
 * What a log sink keeps until it can be written: whole lines, 4 MB of them.
 *
 * The memory is the process's that made it: in a child of it nothing is kept
 * and nothing lost, since the parent writes its lines itself.
 */
#ifndef COMMON_LOGKEEP_H
#define COMMON_LOGKEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postern/log_sink.h>

#define LOGKEEP_MAX (4U << 20)

struct logkeep {
	size_t at, n;  /* where they begin, and how many octets they are */
	size_t line;   /* where the line begins that is being added */
	uint64_t lost; /* lines that did not fit */
	bool full;     /* that line does not */
	char p[];
};

/* NULL: there is no memory. */
struct logkeep *logkeep_new(void);
void logkeep_end(struct logkeep *k);

/* A line: begin, what is in it, end. False: it did not fit and is lost. */
void logkeep_begin(struct logkeep *k);
void logkeep_add(struct logkeep *k, const char *p, size_t n);
void logkeep_add_c(struct logkeep *k, const char *s);
bool logkeep_line(struct logkeep *k); /* adds the LF */
void logkeep_used(struct logkeep *k, size_t n);

/*
 * It cannot be written: an alert, at most one in ten minutes, and a line to the
 * other logs; what is kept is shown on standard error, where the log has sent
 * nothing of it yet. It is tried again by who keeps it. And: it works again.
 */
struct logkeep_trouble {
	bool is;
	int64_t alerted; /* 0: never */
};
void logkeep_fails(const struct logkeep *k, struct logkeep_trouble *t,
    struct pst_event *ev, const char *name, int error);
void logkeep_works(struct logkeep_trouble *t, struct pst_event *ev,
    const char *name);
/* Lines to standard error, as far as it takes them at once. */
void logkeep_say(const char *p, size_t n);

/* Octets up to and with the first LF. */
size_t logkeep_first(const char *p, size_t n);
/* "log_lost", of k->lost lines. The record is field_r's. */
void logkeep_lost(const struct logkeep *k, int64_t wall,
    struct pst_log_record *record_r, struct pst_field *field_r, char *text,
    size_t room);

/* Of the option "level"; and the other way, "Info". */
enum pst_log_level logkeep_level(const char *word);
const char *logkeep_word(enum pst_log_level level);
#define LOGKEEP_LEVELS "critical|warning|info|debug|trace"

/* Local time as a struct tm whose year has four digits. */
struct tm;
void logkeep_time(struct tm *tm, int64_t wall, bool utc);
/* "Tue Apr 17 00:57:53 2018" */
struct logkeep_stamp {
	int64_t second;
	char text[40];
	size_t n; /* 0: none yet */
};
void logkeep_stamp(struct logkeep_stamp *s, int64_t wall);

#endif
