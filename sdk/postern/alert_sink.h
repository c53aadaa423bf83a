/*
 * postern/alert_sink.h - alert_sink/1: who tells the administrator.
 *
 * "alert_sink/1.emit": an alert of any process of the node. One worker at a
 * time does this for all, so that a sink can gather and throttle; if it dies
 * another takes over and starts afresh. May wait (15 min at most, and so long
 * may work last that a task of it gives to a thread). The verdict counts
 * nothing: the sink retries by itself and logs what it could not tell.
 * Its log lines of level PST_INFO say that an alert was told, those of
 * PST_ERROR that one could not be; they stand in the log without its name.
 *
 * "alert_sink/1.test", which need not be there: somebody wants to know whether
 * alerts arrive (`postern alertconfig test`). One attempt, at once, whoever
 * wants which alerts. May wait. PST_CONTINUE: it was told; else the text of the
 * verdict says why not.
 */
#ifndef POSTERN_ALERT_SINK_H
#define POSTERN_ALERT_SINK_H

#include <postern/plugin.h>

#define PST_ALERT_SINK_EMIT "alert_sink/1.emit" /* struct pst_alert_record */
#define PST_ALERT_SINK_TEST "alert_sink/1.test" /* struct pst_alert_test */

/* Classes and severities, in the order in which people are asked. */
#define PST_ALERT_CLASSES                                                      \
	"System", "Hardware", "Updater", "Outbreak Filters", "Anti-Virus",     \
	    "Anti-Spam", "Directory Harvest Attack Prevention"
#define PST_ALERT_SEVERITIES "Critical", "Warning", "Information"

struct pst_alert_record {
	uint32_t size;
	const char *severity; /* "Critical", "Warning", "Information" */
	const char *category; /* "System", "Hardware", … */
	const char *key;      /* equal keys are one matter: "tls:example.net" */
	const char *host;     /* that it is about: our name */
	const char *text;     /* one line */
	const char *detail;   /* more lines, or "" */
	int64_t wall;	      /* ms since 1970 */
	/*
	 * Of an episode: required TLS that a domain's hosts do not give. It is
	 * opened once, updated now and then, resolved once; equal keys are one.
	 * Look before you read these (PST_ALERT_HAS()): older hosts end above.
	 * state is NULL or "" where there is no episode, and the others say
	 * nothing then; else texts are "" and numbers 0 where nothing is known.
	 */
	const char *state;  /* "opened", "updated", "resolved" */
	const char *domain; /* of the recipients */
	const char *cause;  /* for machines: "name-mismatch" */
	const char *reason; /* for people */
	const char *mx, *ip; /* the host that failed last */
	uint64_t episode;   /* its number on this node */
	uint64_t attempts, held; /* that failed; messages that wait */
	uint64_t delivered, bounced; /* messages, since it was opened */
	int64_t first, last, resolved; /* failures; ms since 1970 */
	int64_t oldest, deadline; /* of what is held: it came, is given up */
};

/* Does the record have that member? */
#define PST_ALERT_HAS(r, member)                                               \
	((r)->size >= offsetof(struct pst_alert_record, member) +              \
		sizeof((r)->member))

/* size, then what is added only at the end */
struct pst_alert_test {
	uint32_t size;
	const struct pst_alert_record *alert;
	const char *to; /* the one address that shall get it; "": all */
};

#endif
