#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "mail/body.h"
#include "unit.h"

#define COUNT(v) (int)(sizeof(v) / sizeof((v)[0]))

struct run {
	struct bodyin in;
	struct buf out;
	enum bodyin_status status;
	size_t used;
	int stop_after; /* pieces; -1: never */
};

static int
keep(void *arg, const char *p, size_t n)
{
	struct run *r = arg;

	ck_assert_uint_gt(n, 0);
	ck_assert_int_eq(buf_add(&r->out, p, n), 0);
	return r->stop_after >= 0 && r->stop_after-- == 0 ? -1 : 0;
}

static void
run_begin(struct run *r, bool framed, bool normalize)
{
	memset(r, 0, sizeof(*r));
	r->stop_after = -1;
	bodyin_init(&r->in, framed, normalize);
	buf_init(&r->out, 1 << 20);
}

static void
run_end(struct run *r)
{
	bodyin_fini(&r->in);
	buf_fini(&r->out);
}

/* Feeds wire in pieces of at most `most` octets, each in memory of its own. */
static void
feed(struct run *r, struct str wire, size_t most)
{
	size_t n, used;
	char *piece;

	r->used = 0;
	r->status = BODYIN_MORE;
	while (r->used < wire.n && r->status == BODYIN_MORE) {
		n = most == 0 ? wire.n : 1 + rand_below((uint32_t)most);
		if (n > wire.n - r->used)
			n = wire.n - r->used;
		piece = mem_dup(wire.p + r->used, n);
		r->status = bodyin_feed(&r->in, piece, n, &used, keep, r);
		memset(piece, 'X', n);
		mem_free(piece);
		r->used += used;
	}
	if (r->in.framed && r->status == BODYIN_MORE)
		bodyin_finish(&r->in, keep, r);
}

enum { CR = 1, LF = 2, NUL = 4, EIGHT = 8, UTF8 = 16, OPEN = 32 };

static const struct {
	const char *name;
	struct str wire, content, normalized;
	unsigned flags;
	size_t rest; /* octets behind the end */
} data[] = {
	{ "empty", STR(".\r\n"), STR(""), STR(""), 0, 0 },
	{ "one line", STR("a\r\n.\r\n"), STR("a\r\n"), STR("a\r\n"), 0, 0 },
	{ "pipelined", STR("a\r\n.\r\nQUIT\r\n"), STR("a\r\n"), STR("a\r\n"),
	    0, 6 },
	{ "stuffed", STR("..\r\n..a\r\n.b\r\n.\r\n"), STR(".\r\n.a\r\nb\r\n"),
	    STR(".\r\n.a\r\nb\r\n"), 0, 0 },
	{ "LF dot LF", STR("a\n.\nb\r\n.\r\n"), STR("a\n.\nb\r\n"),
	    STR("a\r\n.\r\nb\r\n"), LF, 0 },
	{ "LF dot CRLF", STR("a\n.\r\nb\r\n.\r\n"), STR("a\n.\r\nb\r\n"),
	    STR("a\r\n.\r\nb\r\n"), LF, 0 },
	{ "CRLF dot LF", STR("a\r\n.\nb\r\n.\r\n"), STR("a\r\n\nb\r\n"),
	    STR("a\r\n\r\nb\r\n"), LF, 0 },
	{ "CR dot CR", STR("a\r.\rb\r\n.\r\n"), STR("a\r.\rb\r\n"),
	    STR("a\r\n.\r\nb\r\n"), CR, 0 },
	{ "CRLF dot CR", STR("a\r\n.\rb\r\n.\r\n"), STR("a\r\n\rb\r\n"),
	    STR("a\r\n\r\nb\r\n"), CR, 0 },
	{ "CR dot CRLF", STR("a\r.\r\nb\r\n.\r\n"), STR("a\r.\r\nb\r\n"),
	    STR("a\r\n.\r\nb\r\n"), CR, 0 },
	{ "CRCRLF dot CRLF", STR("a\r\r\n.\r\n"), STR("a\r\r\n"),
	    STR("a\r\n\r\n"), CR, 0 },
	{ "CRLF dot CRCRLF", STR("a\r\n.\r\r\n.\r\n"), STR("a\r\n\r\r\n"),
	    STR("a\r\n\r\n\r\n"), CR, 0 },
	{ "LFCR", STR("a\n\r.\r\n.\r\n"), STR("a\n\r.\r\n"),
	    STR("a\r\n\r\n.\r\n"), CR | LF, 0 },
	{ "NUL in the dot line", STR("a\r\n.\0\r\n.\r\n"), STR("a\r\n\0\r\n"),
	    STR("a\r\n\0\r\n"), NUL, 0 },
	{ "dot blank", STR("a\r\n. \r\n.\r\n"), STR("a\r\n \r\n"),
	    STR("a\r\n \r\n"), 0, 0 },
	{ "8 bit", STR("\r\n\xff\r\n.\r\n"), STR("\r\n\xff\r\n"),
	    STR("\r\n\xff\r\n"), EIGHT, 0 },
	{ "8 bit header", STR("A: \xc3\xbc\r\n\r\nx\r\n.\r\n"),
	    STR("A: \xc3\xbc\r\n\r\nx\r\n"), STR("A: \xc3\xbc\r\n\r\nx\r\n"),
	    UTF8, 0 },
};

static void
check_flags(const struct bodyin *in, unsigned flags)
{
	ck_assert_int_eq(in->bare_cr, (flags & CR) != 0);
	ck_assert_int_eq(in->bare_lf, (flags & LF) != 0);
	ck_assert_int_eq(in->nul, (flags & NUL) != 0);
	ck_assert_int_eq(in->eightbit, (flags & EIGHT) != 0);
	ck_assert_int_eq(in->header_utf8, (flags & UTF8) != 0);
	ck_assert_int_eq(in->unended, (flags & OPEN) != 0);
}

START_TEST(ends_at_crlf_dot_crlf_and_nothing_else)
{
	struct str want;
	struct run r;
	int norm, i;

	rand_seed(1);
	for (norm = 0; norm < 2; norm++) {
		for (i = 0; i < 30; i++) {
			want = norm ? data[_i].normalized : data[_i].content;
			run_begin(&r, false, norm != 0);
			feed(&r, data[_i].wire, (size_t)i);
			ck_assert_msg(r.status == BODYIN_END, "%s",
			    data[_i].name);
			/* The feed that saw the end says where it was. */
			ck_assert_uint_eq(data[_i].wire.n - r.used,
			    data[_i].rest);
			ck_assert_msg(str_eq(buf_str(&r.out), want), "%s: %s",
			    data[_i].name, buf_p(&r.out));
			ck_assert_uint_eq(r.in.bytes, want.n);
			check_flags(&r.in, data[_i].flags);
			run_end(&r);
		}
	}
}
END_TEST

static const struct {
	struct str wire, normalized;
	unsigned flags;
} chunks[] = {
	{ STR(""), STR(""), 0 },
	{ STR(".\r\n"), STR(".\r\n"), 0 },
	{ STR("a\r\n.\r\n..\r\n"), STR("a\r\n.\r\n..\r\n"), 0 },
	{ STR("a"), STR("a\r\n"), OPEN },
	{ STR("a\r\nb"), STR("a\r\nb\r\n"), OPEN },
	{ STR("a\r"), STR("a\r\n"), CR },
	{ STR("a\n"), STR("a\r\n"), LF },
	{ STR("\n"), STR("\r\n"), LF },
};

START_TEST(framed_data_has_no_dots_and_no_end)
{
	struct run r;
	int norm, i;

	for (norm = 0; norm < 2; norm++) {
		for (i = 0; i < 5; i++) {
			run_begin(&r, true, norm != 0);
			feed(&r, chunks[_i].wire, (size_t)i);
			ck_assert(str_eq(buf_str(&r.out), norm ?
			    chunks[_i].normalized : chunks[_i].wire));
			/* A bare end leaves the line open unless mended. */
			r.in.unended = norm ? r.in.unended :
			    r.in.unended && (chunks[_i].flags & OPEN) != 0;
			check_flags(&r.in, chunks[_i].flags);
			run_end(&r);
		}
	}
}
END_TEST

START_TEST(stops_when_the_sink_refuses)
{
	struct run r;

	run_begin(&r, false, true);
	r.stop_after = 1;
	feed(&r, STR("a\nb\nc\nd\r\n.\r\n"), 0);
	ck_assert_int_eq(r.status, BODYIN_STOP);
	ck_assert_str_eq(buf_p(&r.out), "a\r\n");
	run_end(&r);
}
END_TEST

static const struct {
	struct str content;
	unsigned received, header_bytes;
	const char *id, *subject;
} headers[] = {
	{ STR("Subject: hi\r\n\r\nSubject: no\r\n"), 0, 13, "", "hi" },
	{ STR("subject:hi\r\nSUBJECT: second\r\n\r\n"), 0, 29, "", "hi" },
	{ STR("Message-ID: <a@b>\r\nSubject: one\r\n two \r\n"
	    "\tthree \t\r\n\r\n"), 0, 50, "<a@b>", "one\r\n two \r\n\tthree" },
	{ STR("Message-Id:\r\n <a@b>\r\nReceived: x\r\n"
	    "RECEIVED : y\r\n\tz\r\nX-Received: n\r\n\r\nReceived: b\r\n"), 2,
	    67, "<a@b>", "" },
	{ STR("Subject: open"), 0, 13, "", "open" },
	{ STR("Subject:\r\n\r\n"), 0, 10, "", "" },
	{ STR("no header\r\nSubject: x\r\n"), 0, 0, "", "" },
	{ STR("A: b\r\nno colon here\r\nReceived: x\r\n"), 0, 6, "", "" },
	{ STR(" A: b\r\nReceived: x\r\n"), 0, 0, "", "" },
	{ STR(": x\r\nReceived: x\r\n"), 0, 0, "", "" },
	{ STR("\r\nReceived: x\r\n"), 0, 0, "", "" },
	{ STR("Received-SPF: x\r\nReceive: x\r\nReceivedX: y\r\n"), 0, 43, "",
	    "" },
	{ STR("A: b\r\n\r"), 0, 6, "", "" },
	{ STR("Subject: a\rb\r\n\r\n"), 0, 14, "", "a\rb" },
};

START_TEST(counts_and_notes_what_is_in_the_header)
{
	struct run r;
	int i;

	rand_seed(2);
	for (i = 0; i < 40; i++) {
		run_begin(&r, true, false);
		feed(&r, headers[_i].content, (size_t)i);
		ck_assert_uint_eq(r.in.received, headers[_i].received);
		ck_assert_uint_eq(r.in.header_bytes,
		    headers[_i].header_bytes);
		ck_assert_str_eq(buf_p(&r.in.message_id), headers[_i].id);
		ck_assert_str_eq(buf_p(&r.in.subject), headers[_i].subject);
		ck_assert(!r.in.in_header);
		run_end(&r);
	}
}
END_TEST

START_TEST(bounds_what_it_notes)
{
	struct buf b;
	struct run r;
	int i;

	buf_init(&b, 1 << 20);
	(void)buf_add_c(&b, "Subject: ");
	for (i = 0; i < 998; i++)
		(void)buf_add_char(&b, 's');
	(void)buf_add_c(&b, "\r\n\r\n");
	run_begin(&r, true, false);
	feed(&r, buf_str(&b), 0);
	ck_assert_uint_eq(buf_len(&r.in.subject), 998);
	ck_assert_uint_eq(r.in.long_line, 998 + 9);
	run_end(&r);
	buf_reset(&b);
	(void)buf_add_c(&b, "Message-ID: ");
	for (i = 0; i < 100000; i++)
		(void)buf_add_c(&b, "m\r\n m");
	run_begin(&r, true, false);
	feed(&r, buf_str(&b), 0);
	/* A blank at the end is cut off. */
	ck_assert_uint_ge(buf_len(&r.in.message_id), 997);
	ck_assert_uint_le(buf_len(&r.in.message_id), 998);
	run_end(&r);
	buf_fini(&b);
}
END_TEST

START_TEST(counts_header_octets_while_it_reads_them)
{
	struct run r;
	size_t used;

	run_begin(&r, false, false);
	(void)bodyin_feed(&r.in, "A: 12345", 8, &used, keep, &r);
	ck_assert(r.in.in_header);
	ck_assert_uint_eq(r.in.header_bytes, 8);
	(void)bodyin_feed(&r.in, "\r\n\r\nbody", 8, &used, keep, &r);
	ck_assert(!r.in.in_header);
	ck_assert_uint_eq(r.in.header_bytes, 10);
	run_end(&r);
}
END_TEST

/* Mostly what is delicate: dots, line ends, field names. */
static size_t
make_wire(char *p, size_t max)
{
	static const char *const bits[] = { "\r\n", "\r\n", "\r", "\n", ".",
		"..", "\r\n.", "\r\n..", "\n.\r\n", "\r\n.\n", "\r.\r", "a",
		"bc d", "Subject: x", "Received: y", "Message-ID: <m>", ": ",
		" ", "\t", "\xc3\xbc", "\r\n\r\n", "A:b\r\n" };
	size_t n = 0, k, len;

	while (n + 32 < max) {
		k = rand_below(COUNT(bits) + 1);
		if (k == COUNT(bits)) {
			p[n++] = (char)rand_below(256);
			continue;
		}
		len = strlen(bits[k]);
		memcpy(p + n, bits[k], len);
		n += len;
	}
	memcpy(p + n, "\r\n.\r\n", 5);
	return n + 5;
}

static void
same(const struct run *a, const struct run *b)
{
	ck_assert_int_eq(a->status, b->status);
	ck_assert_uint_eq(a->used, b->used);
	ck_assert(str_eq(buf_str(&a->out), buf_str(&b->out)));
	ck_assert_uint_eq(a->in.bytes, b->in.bytes);
	ck_assert_uint_eq(a->in.header_bytes, b->in.header_bytes);
	ck_assert_uint_eq(a->in.received, b->in.received);
	ck_assert_uint_eq(a->in.long_line, b->in.long_line);
	ck_assert_int_eq(a->in.in_header, b->in.in_header);
	ck_assert_int_eq(a->in.eightbit, b->in.eightbit);
	ck_assert_int_eq(a->in.header_utf8, b->in.header_utf8);
	ck_assert_int_eq(a->in.bare_cr, b->in.bare_cr);
	ck_assert_int_eq(a->in.bare_lf, b->in.bare_lf);
	ck_assert_int_eq(a->in.nul, b->in.nul);
	ck_assert_int_eq(a->in.unended, b->in.unended);
	ck_assert(str_eq(buf_str(&a->in.message_id),
	    buf_str(&b->in.message_id)));
	ck_assert(str_eq(buf_str(&a->in.subject), buf_str(&b->in.subject)));
}

START_TEST(any_cut_gives_the_same_result)
{
	struct run whole, cut;
	struct str wire;
	char mem[400];
	int i, mode;

	rand_seed(1000 + (uint64_t)_i);
	for (i = 0; i < 150; i++) {
		wire = str_n(mem, make_wire(mem, 40 + rand_below(360)));
		for (mode = 0; mode < 4; mode++) {
			run_begin(&whole, (mode & 1) != 0, (mode & 2) != 0);
			feed(&whole, wire, 0);
			run_begin(&cut, (mode & 1) != 0, (mode & 2) != 0);
			feed(&cut, wire, 1 + (size_t)i % 20);
			same(&whole, &cut);
			run_end(&cut);
			run_end(&whole);
		}
	}
}
END_TEST

/* No bare CR or LF, CRLF at the end, as a normalizing reader leaves it. */
static void
clean(struct buf *dst, const char *p, size_t n)
{
	struct run r;

	run_begin(&r, true, true);
	feed(&r, str_n(p, n), 0);
	(void)buf_add_str(dst, buf_str(&r.out));
	run_end(&r);
}

START_TEST(what_is_stuffed_is_unstuffed_to_the_same)
{
	struct buf content, wire;
	struct bodyout out;
	struct run r;
	char mem[400];
	size_t at, n;
	int i;

	rand_seed(2000 + (uint64_t)_i);
	buf_init(&content, 4096);
	buf_init(&wire, 8192);
	for (i = 0; i < 300; i++) {
		buf_reset(&content);
		buf_reset(&wire);
		clean(&content, mem, make_wire(mem, 40 + rand_below(360)));
		bodyout_init(&out);
		for (at = 0; at < buf_len(&content); at += n) {
			n = 1 + rand_below(30);
			if (n > buf_len(&content) - at)
				n = buf_len(&content) - at;
			/* Without a copy where that is possible. */
			if (bodyout_plain(&out, buf_p(&content) + at, n))
				(void)buf_add(&wire, buf_p(&content) + at, n);
			else
				bodyout_feed(&out, buf_p(&content) + at, n,
				    &wire);
		}
		bodyout_end(&out, &wire);
		ck_assert(!out.bare);
		run_begin(&r, false, false);
		feed(&r, buf_str(&wire), 0);
		ck_assert_int_eq(r.status, BODYIN_END);
		ck_assert_uint_eq(r.used, buf_len(&wire));
		ck_assert(str_eq(buf_str(&r.out), buf_str(&content)));
		ck_assert(!r.in.bare_cr && !r.in.bare_lf);
		run_end(&r);
	}
	buf_fini(&wire);
	buf_fini(&content);
}
END_TEST

/* Whatever the store holds: one end, at the end, and no bare CR or LF. */
START_TEST(nothing_can_smuggle_an_end_of_data_out)
{
	struct bodyout out;
	struct buf wire;
	struct run r;
	char mem[400];
	size_t n;
	int i;

	rand_seed(3000 + (uint64_t)_i);
	buf_init(&wire, 8192);
	for (i = 0; i < 300; i++) {
		n = make_wire(mem, 40 + rand_below(360));
		buf_reset(&wire);
		bodyout_init(&out);
		bodyout_feed(&out, mem, n / 2, &wire);
		bodyout_feed(&out, mem + n / 2, n - n / 2, &wire);
		bodyout_end(&out, &wire);
		run_begin(&r, false, false);
		feed(&r, buf_str(&wire), 0);
		ck_assert_int_eq(r.status, BODYIN_END);
		ck_assert_uint_eq(r.used, buf_len(&wire));
		ck_assert(!r.in.bare_cr && !r.in.bare_lf);
		run_end(&r);
	}
	buf_fini(&wire);
}
END_TEST

static const struct {
	struct str content, wire;
	bool plain, bare;
} outs[] = {
	{ STR(""), STR(".\r\n"), true, false },
	{ STR("a\r\n"), STR("a\r\n.\r\n"), true, false },
	{ STR("a"), STR("a\r\n.\r\n"), true, false },
	{ STR(".\r\n"), STR("..\r\n.\r\n"), false, false },
	{ STR("a\r\n.b\r\n..\r\n"), STR("a\r\n..b\r\n...\r\n.\r\n"), false,
	    false },
	{ STR("a.\r\n"), STR("a.\r\n.\r\n"), true, false },
	{ STR("a\n.\n"), STR("a\r\n..\r\n.\r\n"), false, true },
	{ STR("a\r.\r"), STR("a\r\n..\r\n.\r\n"), false, true },
	{ STR("\r\r\n"), STR("\r\n\r\n.\r\n"), false, true },
	{ STR("\n"), STR("\r\n.\r\n"), false, true },
};

START_TEST(stuffs_dots_and_mends_line_ends)
{
	struct bodyout out;
	struct buf wire;
	size_t i;

	buf_init(&wire, 100);
	bodyout_init(&out);
	ck_assert_int_eq(bodyout_plain(&out, outs[_i].content.p,
	    outs[_i].content.n), outs[_i].plain);
	bodyout_init(&out);
	for (i = 0; i < outs[_i].content.n; i++)
		bodyout_feed(&out, outs[_i].content.p + i, 1, &wire);
	bodyout_end(&out, &wire);
	ck_assert(str_eq(buf_str(&wire), outs[_i].wire));
	ck_assert_int_eq(out.bare, outs[_i].bare);
	buf_fini(&wire);
}
END_TEST

UNIT_SUITE(body)
{
	tcase_add_loop_test(tc, ends_at_crlf_dot_crlf_and_nothing_else, 0,
	    COUNT(data));
	tcase_add_loop_test(tc, framed_data_has_no_dots_and_no_end, 0,
	    COUNT(chunks));
	tcase_add_test(tc, stops_when_the_sink_refuses);
	tcase_add_loop_test(tc, counts_and_notes_what_is_in_the_header, 0,
	    COUNT(headers));
	tcase_add_test(tc, bounds_what_it_notes);
	tcase_add_test(tc, counts_header_octets_while_it_reads_them);
	tcase_add_loop_test(tc, any_cut_gives_the_same_result, 0, 8);
	tcase_add_loop_test(tc, what_is_stuffed_is_unstuffed_to_the_same, 0,
	    4);
	tcase_add_loop_test(tc, nothing_can_smuggle_an_end_of_data_out, 0, 4);
	tcase_add_loop_test(tc, stuffs_dots_and_mends_line_ends, 0,
	    COUNT(outs));
}
