/*
 * The Received: field this host adds (RFC 5321 4.4).
 *
 *   Received: from HELO (NAME [IP])
 *           (using TLSv1.3 with cipher NAME (256/256 bits))
 *           by HOST (Postern) with ESMTPS id MID
 *           for <rcpt>; DATE
 */
#ifndef MAIL_RECEIVED_H
#define MAIL_RECEIVED_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"

struct received {
	struct str helo;	/* as the client said it; checked by EHLO */
	const char *client_name; /* validated reverse name, NULL: unknown */
	const char *client_ip;
	const char *by;		/* our host name */
	const char *with;	/* SMTP ESMTP ESMTPS ESMTPA ESMTPSA UTF8SMTP… */
	const char *tls_version; /* "TLSv1.3"; NULL: no TLS clause */
	const char *tls_cipher;
	int tls_bits, tls_alg_bits;
	uint64_t mid;
	struct str rcpt;	/* of a single recipient, else STR_NULL */
	msec wall;
};

int received_build(struct buf *dst, const struct received *r);
/* RFC 3848, RFC 6531: the word behind "with". */
const char *received_with(bool esmtp, bool tls, bool auth, bool utf8);

#endif
