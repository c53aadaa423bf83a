/*
 * The end-of-data automaton: DATA's bytes in, content out (RFC 5321 4.5.2).
 *
 * One automaton for every segmentation: bodyin_feed() takes whatever arrived,
 * hands out the content as pieces of the caller's bytes (no copy) with dots
 * unstuffed, and stops at CRLF "." CRLF and nothing else. A CR or LF that is
 * not part of a CRLF, and a NUL, are remembered and never end a line; in mode
 * `normalize` bare CR and LF become CRLF in the content, still never an end of
 * data. BDAT uses the same with `framed` set: no dots, no end; the caller ends
 * it with bodyin_finish().
 *
 * On the way it counts what the limits need: bytes, bytes of header, Received
 * fields (loops), 8-bit octets, longest line; and notes where Message-ID and
 * Subject stand.
 */
#ifndef MAIL_BODY_H
#define MAIL_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct bodyin {
	/* set by bodyin_init */
	bool framed;
	bool normalize;
	/* results so far */
	uint64_t bytes;	       /* content octets handed out */
	uint64_t header_bytes; /* up to the end of the header */
	unsigned received;     /* Received: fields */
	unsigned long_line;    /* octets of the longest line, without CRLF */
	bool in_header;
	bool eightbit;	       /* an octet above 127 in the body */
	bool header_utf8;      /* an octet above 127 in the header */
	bool bare_cr, bare_lf, nul;
	struct buf message_id; /* value, unfolded; ceiling 998 */
	struct buf subject;    /* value as written, folds kept; ceiling 998 */
	/* private */
	unsigned state;
	unsigned line;	       /* octets in this line so far */
	unsigned field;	       /* what the current field is */
	unsigned name_len;
	char name[16];
};

/* Takes n content octets; returns 0, or -1 to stop the feed. */
typedef int bodyin_sink(void *arg, const char *p, size_t n);

void bodyin_init(struct bodyin *b, bool framed, bool normalize);
void bodyin_fini(struct bodyin *b);

enum bodyin_status {
	BODYIN_MORE,  /* all n octets used, data goes on */
	BODYIN_END,   /* end of data; *used_r octets belong to it */
	BODYIN_STOP,  /* the sink returned -1 */
};

enum bodyin_status bodyin_feed(struct bodyin *b, const char *p, size_t n,
    size_t *used_r, bodyin_sink *sink, void *arg);
/* End of the last BDAT chunk: a half line or CR at the end is noticed. */
void bodyin_finish(struct bodyin *b, bodyin_sink *sink, void *arg);

/*
 * The way out: content to DATA's form. Stuffs dots and asserts once more that
 * each CR and LF is half of a CRLF. bodyout_feed() adds to dst (whose ceiling
 * must leave room for 2n); bodyout_end() completes the last line and adds the
 * dot line.
 */
struct bodyout {
	unsigned state;
};

void bodyout_init(struct bodyout *b);
void bodyout_feed(struct bodyout *b, const char *p, size_t n, struct buf *dst);
void bodyout_end(struct bodyout *b, struct buf *dst);
/* True if p[0..n) can be sent as it is but for the end (no leading dots):
 * lets the caller send without a copy. State moves on as by feed. */
bool bodyout_plain(struct bodyout *b, const char *p, size_t n);

#endif
