/*
 * What a Received field tells of one hop, above all of its encryption.
 *
 * Strangers write such fields as they like: clauses in any order, what TLS did
 * in a comment of their own making. What is not understood is passed over;
 * parsing never fails. Known are the words of RFC 3848, 6531 and 8314 and
 * the comments of Postfix, Exim, Sendmail, OpenSMTPD, qmail, Cisco, Exchange,
 * Google and of Postern itself.
 */
#ifndef MAIL_HOP_H
#define MAIL_HOP_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/pool.h"
#include "base/str.h"

enum hop_tls {
	HOP_UNKNOWN,   /* the field does not say */
	HOP_CLEAR,     /* a protocol word that means: without TLS */
	HOP_ENCRYPTED,
	HOP_LOCAL      /* taken from a program on the same host */
};

/* Texts are as they were written, folds undone; "" where there is none. */
struct hop {
	struct str from;      /* name that the client said */
	struct str from_info; /* comment behind it: name, address */
	struct str by;
	struct str with;      /* protocol, "ESMTPS" */
	struct str id;
	struct str version;   /* "TLSv1.3" */
	struct str cipher;
	struct str bits;      /* "256/256", or as far as it is told */
	enum hop_tls tls;
	bool dated;
	msec when;            /* if dated */
};

/* value: behind the colon, folds and all. Texts point into pool. */
void hop_parse(struct pool *pool, struct str value, struct hop *h_r);
const char *hop_tls_word(enum hop_tls tls); /* "encrypted" */

#endif
