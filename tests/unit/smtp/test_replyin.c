#include <string.h>

#include "smtp/replyin.h"
#include "unit.h"

struct whole {
	const char *in;
	int code;
	const char *text;
	size_t used;
};

static const struct whole whole[] = {
	{ "250 ok\r\n", 250, "ok", 8 },
	{ "250\r\n", 250, "", 5 },
	{ "250 \r\n", 250, "", 6 },
	{ "250-a\r\n250-b c\r\n250 d\r\n", 250, "a\nb c\nd", 23 },
	{ "250-\r\n250\r\n", 250, "\n", 11 },
	{ "250 2.0.0 ok\r\n550 next\r\n", 250, "2.0.0 ok", 14 },
	{ "599 \xc3\xa4\t-\r\n", 599, "\xc3\xa4\t-", 10 },
	{ "354 \r\r\n", 0, "bare CR", 0 },
	{ "250 a\nb\r\n", 0, "bare LF", 0 },
	{ "250\n", 0, "does not begin with a code", 0 },
	{ "\r\n", 0, "does not begin with a code", 0 },
	{ "25 0\r\n", 0, "does not begin with a code", 0 },
	{ "2500 ok\r\n", 0, "does not begin with a code", 0 },
	{ "199 ok\r\n", 0, "does not begin with a code", 0 },
	{ "600 ok\r\n", 0, "does not begin with a code", 0 },
	{ "HTTP/1.1 200 OK\r\n", 0, "does not begin with a code", 0 },
	{ "250-a\r\nb\r\n", 0, "does not begin with a code", 0 },
	{ "250-a\r\n251 b\r\n", 0, "codes differ", 0 },
	{ "250-a\r\n550-b\r\n", 0, "codes differ", 0 },
};

/* Feeds in in pieces of cut octets. */
static enum replyin_status
feed(struct replyin *r, struct str in, size_t cut, unsigned lines, size_t *used,
    struct err *why)
{
	enum replyin_status st = REPLYIN_MORE;
	size_t n, took;

	*used = 0;
	while (st == REPLYIN_MORE && *used < in.n) {
		n = cut < in.n - *used ? cut : in.n - *used;
		st = replyin_feed(r, in.p + *used, n, lines, &took, why);
		if (st != REPLYIN_BAD)
			*used += took;
	}
	return st;
}

START_TEST(reads_a_reply_wherever_it_is_cut)
{
	const struct whole *w = &whole[_i];
	struct str in = str_c(w->in);
	struct err why = ERR_INIT;
	struct replyin r;
	size_t cut, used;

	for (cut = 1; cut <= in.n; cut++) {
		replyin_init(&r);
		if (w->code == 0) {
			ck_assert_int_eq(
			    feed(&r, in, cut, 10, &used, &why), REPLYIN_BAD);
			ck_assert_ptr_nonnull(strstr(why.text, w->text));
			ck_assert_str_eq(why.enh, "4.5.0");
		} else {
			ck_assert_int_eq(
			    feed(&r, in, cut, 10, &used, &why), REPLYIN_DONE);
			ck_assert_int_eq(r.code, w->code);
			ck_assert_str_eq(buf_p(&r.text), w->text);
			ck_assert_uint_eq(used, w->used);
			ck_assert(!replyin_begun(&r));
		}
		replyin_fini(&r);
	}
}
END_TEST

START_TEST(begins_anew_behind_a_reply)
{
	struct err why = ERR_INIT;
	struct replyin r;
	size_t used;

	replyin_init(&r);
	ck_assert(!replyin_begun(&r));
	ck_assert_int_eq(
	    replyin_feed(&r, "250-a\r\n", 7, 10, &used, &why), REPLYIN_MORE);
	ck_assert(replyin_begun(&r));
	ck_assert_int_eq(
	    replyin_feed(&r, "250 b\r\n", 7, 10, &used, &why), REPLYIN_DONE);
	ck_assert_int_eq(
	    replyin_feed(&r, "550 c\r\n", 7, 10, &used, &why), REPLYIN_DONE);
	ck_assert_int_eq(r.code, 550);
	ck_assert_str_eq(buf_p(&r.text), "c");
	replyin_shrink(&r);
	ck_assert_ptr_null(r.text.mem);
	replyin_fini(&r);
}
END_TEST

/* octets of text in one line */
static const struct {
	size_t n;
	enum replyin_status st;
} widths[] = {
	{ REPLYIN_LINE_MAX - 4, REPLYIN_DONE },
	{ REPLYIN_LINE_MAX - 3, REPLYIN_BAD },
	{ (size_t)10 * REPLYIN_LINE_MAX, REPLYIN_BAD },
};

START_TEST(bounds_a_line)
{
	struct err why = ERR_INIT;
	struct replyin r;
	struct buf in;
	size_t used, cut;

	buf_init(&in, 1 << 20);
	(void)buf_add_c(&in, "250 ");
	memset(buf_room(&in, widths[_i].n), 'x', widths[_i].n);
	buf_added(&in, widths[_i].n);
	(void)buf_add_c(&in, "\r\n");
	for (cut = 1; cut < 10000; cut = cut * 3 + 1) {
		replyin_init(&r);
		ck_assert_int_eq(feed(&r, buf_str(&in), cut, 10, &used, &why),
		    widths[_i].st);
		replyin_fini(&r);
	}
	buf_fini(&in);
}
END_TEST

static const struct {
	unsigned n;
	enum replyin_status st;
} heights[] = {
	{ REPLYIN_LINES_MAX, REPLYIN_DONE },
	{ REPLYIN_LINES_MAX + 1, REPLYIN_BAD },
	{ 50 * REPLYIN_LINES_MAX, REPLYIN_BAD },
};

START_TEST(bounds_the_lines)
{
	struct err why = ERR_INIT;
	struct replyin r;
	struct buf in;
	unsigned i;
	size_t used;

	buf_init(&in, 1 << 20);
	for (i = 1; i < heights[_i].n; i++)
		(void)buf_add_c(&in, "250-x\r\n");
	(void)buf_add_c(&in, "250 x\r\n");
	replyin_init(&r);
	ck_assert_int_eq(
	    feed(&r, buf_str(&in), 1000, REPLYIN_LINES_MAX, &used, &why),
	    heights[_i].st);
	replyin_fini(&r);
	buf_fini(&in);
}
END_TEST

/* lines of 1,024 octets with their ends, and octets more */
static const struct {
	unsigned lines, more;
	enum replyin_status st;
} masses[] = {
	{ 63, 1024, REPLYIN_DONE },
	{ 63, 1025, REPLYIN_BAD },
	{ 5999, 7, REPLYIN_BAD },
};

START_TEST(bounds_the_whole)
{
	struct err why = ERR_INIT;
	struct replyin r;
	struct buf in;
	unsigned i;
	size_t used;

	buf_init(&in, 8 << 20);
	for (i = 0; i < masses[_i].lines; i++)
		(void)buf_printf(&in, "250-%01018d\r\n", 0);
	(void)buf_printf(&in, "250 %0*d\r\n", (int)masses[_i].more - 6, 0);
	replyin_init(&r);
	ck_assert_int_eq(
	    feed(&r, buf_str(&in), 4096, REPLYIN_EHLO_LINES_MAX, &used, &why),
	    masses[_i].st);
	replyin_fini(&r);
	buf_fini(&in);
}
END_TEST

#define N(a) (sizeof(a) / sizeof((a)[0]))

UNIT_SUITE(replyin)
{
	tcase_add_loop_test(tc, reads_a_reply_wherever_it_is_cut, 0, N(whole));
	tcase_add_test(tc, begins_anew_behind_a_reply);
	tcase_add_loop_test(tc, bounds_a_line, 0, N(widths));
	tcase_add_loop_test(tc, bounds_the_lines, 0, N(heights));
	tcase_add_loop_test(tc, bounds_the_whole, 0, N(masses));
}
