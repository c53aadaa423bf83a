/*
 * Encodings: base64, hex, xtext, UTF-8, JSON strings, log quoting.
 */
#ifndef BASE_CODEC_H
#define BASE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

int base64_encode(struct buf *dst, struct str src);
/* -1 on anything but canonical base64 (RFC 4648 4); dst is undefined then. */
int base64_decode(struct buf *dst, struct str src);
int hex_encode(struct buf *dst, struct str src);

/* xtext of RFC 3461 4: '+XX' for '+', '=' and what is not 33..126. */
int xtext_encode(struct buf *dst, struct str src);
/* -1 if malformed or if a decoded octet is a control, LF and CR included. */
int xtext_decode(struct buf *dst, struct str src);

/* Octets of the character at the front of s, 0 if it is not UTF-8. */
size_t utf8_char(struct str s, uint32_t *cp_r);
bool utf8_valid(struct str s); /* shortest forms, no surrogates */
bool ascii_only(struct str s);
/* One line of at most max octets, cut between characters, with a blank in
 * place of each end of a line or tabulator, and '?' in place of what else would
 * act on a terminal and of each octet that is not UTF-8. */
struct pool;
const char *text_clean(struct pool *pool, struct str s, size_t max);

/* A JSON string with its quotes; invalid UTF-8 becomes U+FFFD. */
int json_quote(struct buf *dst, struct str s);

/*
 * The one place where text from outside is made fit for a log line.
 * log_clean(): octets outside 0x20..0x7e become \xNN (valid UTF-8 stays if
 * utf8), backslash becomes \\, at most max octets of the source, then "...".
 * log_repr(): the same inside quotes as Python's repr() chooses them: '…', or
 * "…" if the text has ' and no "; \r \n \t as such.
 */
int log_clean(struct buf *dst, struct str s, size_t max, bool utf8);
int log_repr(struct buf *dst, struct str s, size_t max);
/* The way back from log_clean() of all octets without utf8, for text forms
 * of our own; -1 on anything that does not come from there. */
int log_unclean(struct buf *dst, struct str s);

#endif
