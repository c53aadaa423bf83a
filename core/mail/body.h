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
	uint64_t header_bytes; /* of the fields, without the blank line */
	unsigned received;     /* Received: fields */
	unsigned long_line;    /* octets of the longest line, without CRLF */
	bool in_header;
	bool eightbit;	       /* an octet above 127 in the body */
	bool header_utf8;      /* an octet above 127 in the header */
	bool bare_cr, bare_lf, nul;
	bool unended;	       /* set by finish: the last line has no CRLF */
	struct buf message_id; /* value, unfolded; ceiling 998 */
	struct buf subject;    /* value as written, folds kept; ceiling 998 */
	/* private */
	unsigned state;
	unsigned line;	       /* octets in this line so far */
	unsigned hstate;       /* where in the header */
	struct buf *capture;   /* of the current field */
	uint64_t field_at;     /* where the current field begins */
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
/*
 * End of the last BDAT chunk: a half line or CR at the end is noticed, and
 * completed with CRLF if normalize.
 */
void bodyin_finish(struct bodyin *b, bodyin_sink *sink, void *arg);

/*
 * The way out: content to DATA's form. Stuffs dots and sees to it once more
 * that each CR and LF is half of a CRLF: should the store hand out anything
 * else, it leaves as CRLF and `bare` tells. bodyout_feed() adds to dst (whose
 * ceiling must leave room for 2n + 2); a CR at the end of p is kept back until
 * it is known what follows. bodyout_end() completes the last line and adds the
 * dot line.
 */
struct bodyout {
	unsigned state;
	bool bare; /* something had to be put right */
};

void bodyout_init(struct bodyout *b);
void bodyout_feed(struct bodyout *b, const char *p, size_t n, struct buf *dst);
void bodyout_end(struct bodyout *b, struct buf *dst);
/*
 * True if p[0..n) can be sent as it is, so that the caller sends it without a
 * copy; the state moves on as by feed. False: nothing happened, use feed.
 */
bool bodyout_plain(struct bodyout *b, const char *p, size_t n);

#endif
