/*
 * Text of a report: what others said, made fit for 7-bit lines.
 */
#ifndef MAIL_REPORT_PRIV_H
#define MAIL_REPORT_PRIV_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

/* At most max octets of s; line ends become blanks, the rest '?'. */
void report_text(struct buf *dst, struct str s, bool utf8, size_t max);
/* The same on lines of 76 octets, the first after prefix, CRLF at the end. */
void report_folded(struct buf *dst, const char *prefix, struct str s,
    size_t max);
/* No bare CR or LF, no NUL, no line over 998 octets, CRLF at the end. */
bool report_lines_fit(struct str s);
/* The header at the front of s, whole lines, at most max octets. */
struct str report_header(struct str s, size_t max);
/* RFC 2045 6.7; stops before more than max octets have been added. */
void report_quoted_printable(struct buf *dst, struct str s, size_t max);

#endif
