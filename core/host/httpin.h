/*
 * The reader of HTTP answers: RFC 9112, strictly.
 *
 * Lines end with CRLF; folded fields, a length beside chunks, two lengths that
 * differ, codings other than chunked and control octets are refused. Takes
 * octets in any pieces; what stands behind the answer is not taken.
 */
#ifndef HOST_HTTPIN_H
#define HOST_HTTPIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define HTTPIN_HEAD_MAX 65536 /* status lines, fields, trailers, chunk lines */
#define HTTPIN_INTERIM_MAX 8  /* answers with 1xx before the one that counts */

enum httpin_status { HTTPIN_MORE, HTTPIN_DONE, HTTPIN_BAD };

enum httpin_state {
	HTTPIN_AT_STATUS,
	HTTPIN_AT_FIELD,
	HTTPIN_AT_LENGTH,     /* a body of known length */
	HTTPIN_AT_CHUNK_LINE,
	HTTPIN_AT_CHUNK,
	HTTPIN_AT_CHUNK_END,
	HTTPIN_AT_TRAILER,
	HTTPIN_AT_CLOSE,      /* a body up to the end of the connection */
	HTTPIN_AT_END
};

struct httpin {
	enum httpin_state state;
	unsigned code, minor, interim;
	bool no_body;	      /* the request was HEAD */
	bool sealed;	      /* the connection's end proves nothing */
	bool has_length, chunked;
	uint64_t left;	      /* of the body, or of the chunk */
	struct buf line;
	size_t head;	      /* octets of lines so far */
	struct buf body;
};

void httpin_init(struct httpin *h, size_t body_max, bool no_body, bool sealed);
void httpin_fini(struct httpin *h);
enum httpin_status httpin_feed(struct httpin *h, const char *p, size_t n,
    size_t *used_r, struct err *why);
/* The connection has ended. */
enum httpin_status httpin_eof(struct httpin *h, struct err *why);

/* A token of RFC 9110: names of fields, methods. */
bool httpin_token(struct str s);
/* Without controls but tabs. */
bool httpin_text(struct str s);

#endif
