/*
 * DATA and BDAT framing. The first octet has the mode and seeds the cuts: any
 * cut gives the same result, nothing but CRLF dot CRLF ends the data, and what
 * goes out again ends once, at its end, without a bare CR or LF.
 */

#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "mail/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct run {
	struct bodyin in;
	struct buf out;
	enum bodyin_status status;
	size_t used;
};

static int
keep(void *arg, const char *p, size_t n)
{
	struct run *r = arg;

	ASSERT(n > 0 && buf_add(&r->out, p, n) == 0);
	return 0;
}

/* Feeds in pieces of 1 to most octets. */
static void
run(struct run *r, struct str wire, bool framed, bool normalize, size_t most,
    unsigned seed)
{
	size_t n, used;

	memset(r, 0, sizeof(*r));
	bodyin_init(&r->in, framed, normalize);
	buf_init(&r->out, SIZE_MAX / 4);
	while (r->used < wire.n && r->status == BODYIN_MORE) {
		seed = seed * 1103515245 + 12345;
		n = 1 + (seed >> 16) % most;
		if (n > wire.n - r->used)
			n = wire.n - r->used;
		r->status = bodyin_feed(&r->in, wire.p + r->used, n, &used,
		    keep, r);
		ASSERT(used == n || r->status == BODYIN_END);
		r->used += used;
	}
	if (framed)
		bodyin_finish(&r->in, keep, r);
	ASSERT(r->in.bytes == buf_len(&r->out));
}

static void
run_fini(struct run *r)
{
	bodyin_fini(&r->in);
	buf_fini(&r->out);
}

static void
same(const struct run *a, const struct run *b)
{
	const struct bodyin *x = &a->in, *y = &b->in;

	ASSERT(a->status == b->status && a->used == b->used);
	ASSERT(str_eq(buf_str(&a->out), buf_str(&b->out)));
	ASSERT(x->header_bytes == y->header_bytes);
	ASSERT(x->in_header == y->in_header && x->received == y->received);
	ASSERT(x->long_line == y->long_line && x->nul == y->nul);
	ASSERT(x->eightbit == y->eightbit && x->unended == y->unended);
	ASSERT(x->header_utf8 == y->header_utf8);
	ASSERT(x->bare_cr == y->bare_cr && x->bare_lf == y->bare_lf);
	ASSERT(str_eq(buf_str(&x->subject), buf_str(&y->subject)));
	ASSERT(str_eq(buf_str(&x->message_id), buf_str(&y->message_id)));
}

/* Out and in again: ends at its end and is what it was if it was clean. */
static void
there_and_back(struct str content, bool clean)
{
	struct bodyout out;
	struct buf wire;
	struct run back;

	buf_init(&wire, SIZE_MAX / 4);
	bodyout_init(&out);
	bodyout_feed(&out, content.p, content.n / 3, &wire);
	bodyout_feed(&out, content.p + content.n / 3,
	    content.n - content.n / 3, &wire);
	bodyout_end(&out, &wire);
	run(&back, buf_str(&wire), false, false, SIZE_MAX, 0);
	ASSERT(back.status == BODYIN_END && back.used == buf_len(&wire));
	ASSERT(!back.in.bare_cr && !back.in.bare_lf);
	ASSERT(!clean || str_eq(buf_str(&back.out), content));
	run_fini(&back);
	buf_fini(&wire);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	bool framed, normalize;
	struct run whole, cut;
	struct bodyout out;
	struct str wire, s;

	if (n == 0)
		return 0;
	framed = (data[0] & 1) != 0;
	normalize = (data[0] & 2) != 0;
	wire = str_n((const char *)data + 1, n - 1);
	run(&whole, wire, framed, normalize, SIZE_MAX, 0);
	run(&cut, wire, framed, normalize, 1 + (data[0] >> 2) % 16, data[0]);
	same(&whole, &cut);
	s = buf_str(&whole.out);
	if (whole.status == BODYIN_END)
		ASSERT(whole.used >= 3 && memcmp(wire.p + whole.used - 3,
		    ".\r\n", 3) == 0);
	if (normalize && whole.status != BODYIN_MORE)
		ASSERT(s.n == 0 || memcmp(s.p + s.n - 2, "\r\n", 2) == 0);
	there_and_back(s, whole.status == BODYIN_END &&
	    (normalize || (!whole.in.bare_cr && !whole.in.bare_lf)));
	bodyout_init(&out);
	if (bodyout_plain(&out, s.p, s.n))
		ASSERT(memmem(s.p, s.n, "\n.", 2) == NULL &&
		    (s.n == 0 || s.p[0] != '.'));
	run_fini(&cut);
	run_fini(&whole);
	return 0;
}
