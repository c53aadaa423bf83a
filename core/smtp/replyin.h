/*
 * The reply reader: a server's octets in, whole replies out (RFC 5321 4.2).
 *
 * Takes octets as they come, cut anywhere, and stops behind the last line of a
 * reply. Only CRLF ends a line; a lone CR or LF, a NUL, a line that does not
 * begin with a code, codes that differ inside one reply, and more than the
 * limits allow are nonsense (REPLYIN_BAD), after which nothing from this
 * peer can be trusted. It does no I/O and knows no command.
 */
#ifndef SMTP_REPLYIN_H
#define SMTP_REPLYIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define REPLYIN_LINE_MAX       4096 /* octets of a line, without CRLF */
#define REPLYIN_LINES_MAX      100
#define REPLYIN_EHLO_LINES_MAX 6000
#define REPLYIN_BYTES_MAX      65536 /* octets of a reply, with line ends */

struct replyin {
	int code;	 /* of the reply so far, 0: none yet */
	struct buf text; /* the lines' texts, joined by \n */
	/* private */
	int line_code; /* of this line, as far as it was read */
	bool last;     /* no '-' behind the code */
	bool cr;       /* the last octet was a CR */
	bool done;     /* the next feed begins a new reply */
	unsigned lines;
	size_t line;  /* octets of this line so far */
	size_t bytes; /* octets of the reply so far */
};

enum replyin_status {
	REPLYIN_MORE, /* all n octets used, the reply goes on */
	REPLYIN_DONE, /* code and text are whole until the next feed; *used_r
			 octets were theirs */
	REPLYIN_BAD   /* why tells; the reader must not be fed again */
};

void replyin_init(struct replyin *r);
void replyin_fini(struct replyin *r);
void replyin_shrink(struct replyin *r); /* forget all, give memory back */
/* Has part of a reply arrived? */
bool replyin_begun(const struct replyin *r);
enum replyin_status replyin_feed(struct replyin *r, const char *p, size_t n,
    unsigned max_lines, size_t *used_r, struct err *why);

#endif
