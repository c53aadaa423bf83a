/*
 * A short message from us to a person (pst_notify()): text, nothing returned.
 *
 * 7-bit whatever is given: a subject beyond ASCII is made of RFC 2047 words, a
 * text beyond it is quoted-printable. Nothing that is given can end a field:
 * controls become blanks in the subject, and lines of the text are lines of
 * the body. Auto-Submitted as RFC 3834 has it.
 */
#ifndef MAIL_NOTICE_H
#define MAIL_NOTICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "mail/header.h"

#define NOTICE_SUBJECT_MAX 512	/* octets; more is cut */
#define NOTICE_TEXT_MAX 16384

struct notice {
	const char *hostname;
	uint64_t mid;		/* of the notice */
	msec now;		/* wall */
	struct str to;		/* an address that was parsed */
	struct str subject;	/* UTF-8 */
	struct str text;	/* UTF-8, LF between lines */
	struct str reply_to_id;	/* Message-ID it answers; "": it does not */
};

/* -1: what was given is not UTF-8, or too long; dst is undefined then. */
int notice_build(struct buf *dst, const struct notice *n, struct err *why);

/* May a person be answered who sent that? Not lists, bulk mail and what no
 * person sent (RFC 3834 2). */
bool notice_may_answer(const struct header *h);

#endif
