/*
 * Parameters of MAIL and RCPT (RFC 5321 4.1.2, 1870, 3461, 4954, 6152, 6531,
 * 8689).
 *
 * Pure functions: text behind the path in, values out. What was not offered
 * is unknown (555 5.5.4); a parameter given twice or with a bad value is 501
 * 5.5.4. xtext is decoded; decoded control octets are refused, so that no
 * value can become a line of a header, a log or a queue file.
 */
#ifndef SMTP_ESMTP_H
#define SMTP_ESMTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/pool.h"
#include "base/str.h"

#define ESMTP_ENVID_MAX 100 /* octets of xtext, RFC 3461 4.4 */
#define ESMTP_ORCPT_MAX 500 /* octets with the type, RFC 3461 4.2 */

enum esmtp_offers {
	ESMTP_DSN = 1 << 0,
	ESMTP_SMTPUTF8 = 1 << 1,
	ESMTP_REQUIRETLS = 1 << 2
};

struct esmtp_mail {
	uint64_t size;	  /* declared; UINT64_MAX: no number is that large */
	unsigned flags;	  /* enum env_flags */
	struct str envid; /* decoded, or "" */
};

struct esmtp_rcpt {
	unsigned notify;  /* enum rcpt_notify */
	struct str orcpt; /* "rfc822;…" with the address decoded, or "" */
};

/* offers: enum esmtp_offers. Strings are pool memory. */
int esmtp_mail(struct pool *pool, struct str rest, unsigned offers,
    struct esmtp_mail *m_r, struct err *why);
int esmtp_rcpt(struct pool *pool, struct str rest, unsigned offers,
    struct esmtp_rcpt *r_r, struct err *why);

#endif
