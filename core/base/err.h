/*
 * What went wrong, in the words that client, log and bounce shall read.
 *
 * Filled in once, where it is known, by the function that fails; whoever acts
 * on it logs it once. code is an SMTP reply code (RFC 5321 4.2) or 0 where
 * none fits, enh an enhanced status code such as "4.3.1" (RFC 3463) or "".
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/die.h"

struct err {
	int code;
	char enh[12];
	char text[496]; /* one line, printable, no CR or LF */
};

#define ERR_INIT { 0, "", "" }

/* NULL for e is allowed and does nothing. All return -1, for `return err_…`. */
int err_set(struct err *e, int code, const char *enh, const char *fmt, ...)
    ATTR_PRINTF(4, 5);
int err_text(struct err *e, const char *fmt, ...) ATTR_PRINTF(2, 3);
/* Text, then ": " and strerror(errno); code 451 4.3.0. */
int err_errno(struct err *e, const char *fmt, ...) ATTR_PRINTF(2, 3);
/* Puts text in front of what is there: "FILE:LINE: " and the like. */
int err_prefix(struct err *e, const char *fmt, ...) ATTR_PRINTF(2, 3);
void err_clear(struct err *e);

#endif
