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
};

#endif
