/*
 * What delivery does where something fails: for each point of tbl/points.h and
 * each reason of tbl/reasons.h, under a want, without a peer.
 *
 * Nothing is decided here. Each point is made a reply as the client would give
 * it, and those who decide in a delivery are asked about it: whether the
 * session goes on in clear (smtp/smtpc), which smaller offer is made, whether
 * another connection does without TLS (relay/conn_tls), what the answer means
 * (relay/verdict), when it is given up and with which status (queue/retry).
 */
#ifndef RELAY_OUTLOOK_H
#define RELAY_OUTLOOK_H

#include <stdbool.h>

#include "queue/queue.h"
#include "tls/tlsio.h"
#include "tls/tlswant.h"

#define OUTLOOK_MAX 64 /* points there are at most */

struct outlook_in {
	const struct tlswant *want;
	const struct queue_profile *profile;
	bool route;	   /* hosts are configured, not found by MX */
	bool implicit_tls; /* of the route */
	bool login;	   /* the route has a user */
};

enum outlook_does {
	OUTLOOK_TLS,	    /* sent over TLS; not verified */
	OUTLOOK_CLEAR,	    /* sent in clear, on this connection */
	OUTLOOK_CLEAR_ANEW, /* sent in clear, on a new connection, if the host
			     * had no TLS lately */
	OUTLOOK_NOT	    /* not sent on that connection */
};

struct outlook {
	const char *stage; /* "hosts", "connect", "ehlo", "starttls",
			    * "handshake", "certificate", "message" */
	const char *word, *text;
	enum tls_reason reason; /* it is about TLS, and why */
	const char *step[TLS_STEPS]; /* smaller offers that are made before, a
				      * connection each; NULL: no more */
	enum outlook_does does;
	/* For OUTLOOK_NOT, and _ANEW if the host had TLS: */
	bool next_host;	   /* the next one is tried at once */
	bool bounce;	   /* sent back at once, with status; else deferred */
	char status[12];
	msec until;	   /* age at which it is sent back */
	char final[12];	   /* with this */
};

/* How many there are; in the order of a session. */
unsigned outlook_all(const struct outlook_in *in, struct outlook *v);
/* "tls", "clear", "clear-anew", "not-sent" */
const char *outlook_word(enum outlook_does does);

#endif
