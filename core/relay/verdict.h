/*
 * What an answer means: done, try again, bounce; and what it says about the
 * host that gave it. The only place where results are classified.
 *
 * The peer's reply class decides only for what was asked: a 5yz to MAIL, RCPT
 * or the message fails those recipients for good; anything before MAIL
 * (greeting, EHLO, STARTTLS, AUTH) says something about the host, so that the
 * next host is tried, and then the next time. A broken connection is never a
 * permanent failure. RFC 5321 4.5.3.1.10: 452 (and 552) to RCPT after
 * accepted ones means "enough for one transaction".
 */
#ifndef RELAY_VERDICT_H
#define RELAY_VERDICT_H

#include <stdbool.h>

#include "net/mx.h"
#include "queue/queue.h"
#include "smtp/smtpc.h"

struct verdict {
	enum qresult result;
	int code;	 /* the peer's, or 0 */
	char status[12]; /* always filled */
	bool host;	 /* it is the host's fault: try the next one */
	enum tls_reason tls; /* it was TLS that failed, and why */
};

/* accepted: recipients of this transaction that the peer took before. */
void verdict_of_reply(const struct smtpc_reply *r, unsigned accepted,
    struct verdict *v_r);
/* For MX_OK it must not be asked. */
void verdict_of_mx(const struct mx_result *mx, struct verdict *v_r);
/* The log's word behind "reason:". */
const char *verdict_reason(const struct smtpc_reply *r);

#endif
