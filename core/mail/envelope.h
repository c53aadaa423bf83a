/*
 * The envelope: who it is from, who it is for, and what was asked for.
 *
 * Filled by the server during MAIL and RCPT, stored with the message, read by
 * delivery. All strings live in the envelope's pool.
 */
#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/pool.h"
#include "base/str.h"
#include "mail/addr.h"

enum env_flags {
	ENV_8BITMIME = 1 << 0,	 /* BODY=8BITMIME */
	ENV_SMTPUTF8 = 1 << 1,	 /* SMTPUTF8 parameter */
	ENV_RET_FULL = 1 << 2,	 /* RET=FULL (RFC 3461 4.3) */
	ENV_RET_HDRS = 1 << 3,
	ENV_BINARY = 1 << 4,	 /* reserved: BINARYMIME is not offered */
	ENV_GENERATED = 1 << 5,	 /* made by us (DSN, warning): ICID 0 */
	ENV_8BIT_SEEN = 1 << 6,	 /* content has octets above 127 */
	ENV_UTF8_HEADER = 1 << 7, /* header has octets above 127 */
	ENV_OUTBOUND = 1 << 8,	 /* of a client that may send to anywhere */
	ENV_REQUIRETLS = 1 << 9	 /* REQUIRETLS parameter (RFC 8689) */
};

enum rcpt_notify { /* RFC 3461 4.1; 0: not given */
	NOTIFY_NEVER = 1 << 0,
	NOTIFY_SUCCESS = 1 << 1,
	NOTIFY_FAILURE = 1 << 2,
	NOTIFY_DELAY = 1 << 3
};

enum rcpt_state {
	RCPT_PENDING, /* to be delivered */
	RCPT_DONE,    /* delivered or relayed: 2yz recorded */
	RCPT_BOUNCED, /* given up */
	RCPT_DELETED, /* removed by the administrator */
	RCPT_MOVED    /* to a branch of the message, with a MID of its own */
};

#define RCPT_WANT_MAX 16384 /* octets of rcpt.want */
#define RCPT_ROUTE_MAX 1024 /* octets of rcpt.route */
#define RCPT_PROFILE_MAX 65 /* octets of rcpt.profile */

struct rcpt {
	unsigned rid; /* from 0, within the message */
	struct addr addr;
	struct str orcpt; /* "rfc822;…", decoded xtext behind the type; or "" */
	unsigned notify;
	enum rcpt_state state;
	unsigned warned;  /* delayed DSNs that were sent */
	msec warned_at;	  /* wall time of the last of them */
	struct str want;  /* the least TLS on the way to it (tls/tlswant.h),
			   * whatever the configuration says; "" = none */
	struct str route; /* where it goes (relay/route.h), whatever the
			   * configuration says; "" = as that says */
	/* Bounce profile: "" = as the configuration says; "?NAME" where that
	 * says nothing of its destination (the listener's); else a rule's. */
	struct str profile;
	unsigned turns;	  /* how often it was sent back to go otherwise;
			   * not stored */
};

struct envelope {
	struct pool *pool; /* everything below lives here */
	uint64_t mid;
	uint64_t icid;
	msec queued;	   /* wall time of acceptance */
	struct addr sender;
	struct str envid;  /* decoded, or "" */
	unsigned flags;	   /* enum env_flags */
	uint64_t size;	   /* content octets, our Received included */
	struct str client_ip, helo, auth; /* for log and policy; may be "" */
	const char *listener;
	/* What is made of the content on its way out (mail/edits.h) and what
	 * is noted about the message (mail/notes.h), in their text forms. */
	struct str edits, notes;
	struct str quarantine; /* why it is held in the queue; "": it is not */
	msec not_before;   /* wall time of the first attempt, 0: at once */
	/* MIDs of the branches it waits for (queue/after.c), with spaces
	 * between them; "": none. */
	struct str waits_for;
	struct rcpt **rcpt; /* nrcpt of them, by rid */
	unsigned nrcpt;
	unsigned rcpt_cap;
};

struct envelope *envelope_new(void); /* makes its own pool */
/* All but the recipients, in a pool of its own. */
struct envelope *envelope_copy(const struct envelope *from);
void envelope_destroy(struct envelope **ep);
/* Appends a copy with the next rid. */
struct rcpt *envelope_add_rcpt(struct envelope *e, const struct addr *a,
    struct str orcpt, unsigned notify);
/* Appends a copy of all of it but its rid. */
struct rcpt *envelope_copy_rcpt(struct envelope *e, const struct rcpt *from);
unsigned envelope_pending(const struct envelope *e);

#endif
