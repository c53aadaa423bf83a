/*
 * Delivery status notifications (RFC 3464, RFC 6522, RFC 3461).
 *
 * Builds a whole message: header, human text, message/delivery-status and the
 * returned content: all of it when it is under the bound (10 kB by default)
 * and RET allows, else its header (cut at the same bound). 7-bit, lines short,
 * reply text reduced to printable ASCII, Auto-Submitted: auto-replied. At most
 * 64 KB whatever is given. A plain one is the human text and the header alone.
 * With SMTPUTF8 addresses the report uses the message/global-delivery-status
 * form (RFC 6533) and sets *utf8_r.
 */
#ifndef MAIL_REPORT_H
#define MAIL_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "mail/envelope.h"

enum report_kind { REPORT_FAILED, REPORT_DELAYED, REPORT_SUCCESS };

struct report_rcpt {
	const struct rcpt *rcpt;
	const char *action;	/* failed delayed delivered relayed expanded */
	const char *status;	/* "5.1.1" */
	struct str remote_mta;	/* host that answered, or "" */
	struct str diagnostic;	/* its reply, or our text */
	bool diagnostic_smtp;	/* a peer said it: "smtp;", not "x-postern;" */
	msec last_attempt;	/* wall */
	msec will_retry_until;	/* wall, delayed only */
};

struct report {
	enum report_kind kind;
	const char *hostname;	/* reporting MTA */
	const char *postmaster;	/* From: address */
	const struct addr *to;	/* NULL: the sender of the message */
	bool plain;		/* one text/plain for people */
	bool redacted;		/* nothing of the message goes with it */
	uint64_t mid;		/* of the report (Message-ID, boundary) */
	msec now;		/* wall */
	const struct envelope *env; /* the message reported on */
	const struct report_rcpt *rcpt;
	unsigned nrcpt;
	struct str content;	/* the message, or its beginning */
	bool content_whole;	/* content is all of it */
	size_t bound;		/* return whole below, else header up to it */
};

int report_build(struct buf *dst, const struct report *r, bool *utf8_r);

#endif
