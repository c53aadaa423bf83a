/*
 * postern/alert_sink.h - alert_sink/1: who tells the administrator.
 *
 * "alert_sink/1.emit": an alert of any process of the node. One worker at a
 * time does this for all, so that a sink can gather and throttle; if it dies
 * another takes over and starts afresh. May wait (15 min at most). The verdict
 * counts nothing: the sink retries by itself and logs what it could not tell.
 */
#ifndef POSTERN_ALERT_SINK_H
#define POSTERN_ALERT_SINK_H

#include <postern/plugin.h>

#define PST_ALERT_SINK_EMIT "alert_sink/1.emit" /* struct pst_alert_record */

/* Severities and classes are those of the alert log lines. */
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

#endif
