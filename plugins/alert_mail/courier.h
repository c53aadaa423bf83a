/*
 * One message brought to one recipient: the host is looked up, then libcurl
 * speaks SMTP on another thread. An errand is the head of the event's data
 * (PST_EVENT), and what it points to is there until then() was called or the
 * event is over.
 */
#ifndef COURIER_H
#define COURIER_H

#include <postern/alert_sink.h>

#include "place.h"

struct errand;

/* why NULL: the recipient's host has it. */
typedef enum pst_verdict courier_then(struct pst_event *ev, struct errand *e,
    const char *why);

struct errand {
	const char *to, *from, *host, *text;
	const char *server; /* "HOST[:PORT]", or "": the MX of the domain */
	long port, timeout; /* ms */
	struct places *places;
	courier_then *then;
	bool sent; /* also if nobody could be told any more */
	/* the courier's own */
	struct place place;
	char mx[PLACE_HOSTS][256];
	unsigned nmx, at, target;
	size_t read;
	char error[300];
};

enum pst_verdict courier_send(struct pst_event *ev, struct errand *e);

#endif
