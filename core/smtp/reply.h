/*
 * Replies as the server writes them (RFC 5321 4.2, RFC 2034).
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include <stddef.h>

#include "base/err.h"

#define REPLY_MAX 512 /* octets of a line with CRLF, RFC 5321 4.5.3.1.5 */

/*
 * Writes the line of e with its CRLF, at most REPLY_MAX octets, and returns
 * its length. What is not printable ASCII becomes "?". A code that is no reply
 * code is replaced by `code`; an enhanced code that is missing or of another
 * class by enh (of the class of `code`) or by "C.0.0"; an empty text by text.
 */
size_t reply_format(char dst[REPLY_MAX + 1], const struct err *e, int code,
    const char *enh, const char *text);

#endif
