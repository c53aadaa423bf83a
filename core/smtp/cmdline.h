/*
 * Command lines: from octets to a verb and its argument (RFC 5321 4.1.1).
 *
 * The scanner resumes at any octet and finds the same lines however the
 * octets were cut. Only CRLF ends a line. A bare LF, a bare CR, a NUL or an
 * octet past the limit spoils the line: that is told once, at that octet (so
 * that a peer which never sends CRLF gets an answer), and what follows up to
 * CRLF is dropped.
 */
#ifndef SMTP_CMDLINE_H
#define SMTP_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#define CMDLINE_MAX 512	      /* octets with CRLF, RFC 5321 4.5.3.1.4 */
#define CMDLINE_PARAM_MAX 2048 /* MAIL and RCPT with their parameters */
#define CMDLINE_AUTH_MAX 12288 /* RFC 4954 4 */

/* All zero is the beginning of a line. */
struct cmdline {
	size_t seen; /* octets of this line that were looked at */
	bool cr;     /* the last of them was a CR */
	bool skip;   /* the line is spoiled, its rest is dropped */
};

enum cmdline_status {
	CMDLINE_MORE,	 /* *used_r octets are done with; more are needed */
	CMDLINE_LINE,	 /* *used_r octets are a line, CRLF included */
	CMDLINE_SKIPPED, /* *used_r octets end a spoiled line */
	CMDLINE_BARE,	 /* spoiled; *used_r octets are done with */
	CMDLINE_NUL,
	CMDLINE_LONG
};

/* p is where *used_r of the last call left off. */
enum cmdline_status cmdline_scan(struct cmdline *c, const char *p, size_t n,
    size_t limit, size_t *used_r);
/* How long the line that begins with these octets may be. */
size_t cmdline_limit(const char *p, size_t n);

/* line without CRLF: the verb, and what follows without outer blanks. */
void cmdline_split(struct str line, struct str *verb_r, struct str *arg_r);

#endif
