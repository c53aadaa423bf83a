#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rand.h"
#include "net/stream.h"
#include "unit.h"

enum { BIG = 4 * 1024 * 1024 };

/* One end with what it saw; how it behaves is in the flags. */
struct side {
	struct stream *s;
	struct buf got;
	unsigned inputs, drained, closed;
	enum stream_end how;
	char why[500];
	bool by_line;	 /* takes whole lines only */
	bool echo;	 /* sends back what it takes */
	bool pause_each; /* pauses after each input */
	bool destroy_on_input, destroy_on_closed;
	size_t take; /* at most so much each time */
};

static struct loop *loop;
static struct side a, b;

static void
side_input(void *arg)
{
	struct side *x = arg;
	struct str in = stream_in(x->s);
	size_t n = in.n;

	x->inputs++;
	if (x->destroy_on_input) {
		stream_destroy(&x->s);
		return;
	}
	if (x->by_line) {
		n = str_find(in, '\n');
		if (n == in.n)
			return;
		n++;
	}
	if (x->take > 0 && n > x->take)
		n = x->take;
	ck_assert_int_eq(buf_add(&x->got, in.p, n), 0);
	if (x->echo)
		stream_write(x->s, in.p, n);
	stream_consume(x->s, n);
	if (x->pause_each)
		stream_pause(x->s);
}

static void
side_drained(void *arg)
{
	struct side *x = arg;

	ck_assert_uint_lt(stream_out_len(x->s), STREAM_LOW_WATER);
	x->drained++;
}

static void
side_closed(void *arg, enum stream_end how, const struct err *why)
{
	struct side *x = arg;

	x->closed++;
	x->how = how;
	if (why != NULL)
		(void)str_copy(x->why, sizeof(x->why), str_c(why->text));
	if (x->destroy_on_closed)
		stream_destroy(&x->s);
}

static const struct stream_ops side_ops = {
	.input = side_input, .drained = side_drained, .closed = side_closed
};

static void
setup(void)
{
	int fd[2];

	loop = loop_new();
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	buf_init(&a.got, 4 * BIG);
	buf_init(&b.got, 4 * BIG);
	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	a.s = stream_new(loop, fd[0], 65536, &side_ops, &a);
	b.s = stream_new(loop, fd[1], 65536, &side_ops, &b);
}

static void
teardown(void)
{
	stream_destroy(&a.s);
	stream_destroy(&b.s);
	buf_fini(&a.got);
	buf_fini(&b.got);
	loop_destroy(&loop);
}

static void
spin(unsigned rounds)
{
	while (rounds-- > 0)
		loop_once(loop, false);
}

static char *
big_bytes(size_t n)
{
	char *p = mem_alloc(n);

	rand_bytes(p, n);
	return p;
}

START_TEST(carries_bytes_whatever_their_cut)
{
	static const char text[] = "one\ntwo\n\nthree is longer\nfour\n";
	size_t cut = (size_t)_i, n = sizeof(text) - 1, at, piece;

	a.echo = b.by_line = true;
	for (at = 0; at < n; at += piece) {
		piece = n - at < cut ? n - at : cut;
		stream_write(a.s, text + at, piece);
		spin(2);
	}
	/* A line at a time is taken, so input() must be asked for. */
	while (stream_in(b.s).n > 0) {
		stream_pause(b.s);
		stream_resume(b.s);
		spin(1);
	}
	ck_assert_str_eq(buf_p(&b.got), text);
	ck_assert_uint_eq(stream_bytes_in(b.s), n);
	ck_assert_uint_eq(stream_bytes_out(a.s), n);
}
END_TEST

START_TEST(gathers_writes_of_a_round_into_one_send)
{
	stream_write(a.s, "a", 1);
	stream_printf(a.s, "%s-%d", "b", 7);
	stream_write(a.s, "c", 1);
	ck_assert_uint_eq(stream_out_len(a.s), 5);
	spin(2);
	ck_assert_str_eq(buf_p(&b.got), "ab-7c");
	ck_assert_uint_eq(b.inputs, 1);
	ck_assert_uint_eq(stream_out_len(a.s), 0);
}
END_TEST

START_TEST(flush_sends_at_once)
{
	char c[2];

	stream_write(a.s, "x", 1);
	stream_flush(a.s);
	ck_assert_int_eq(
	    recv(stream_fd(b.s), c, 2, MSG_DONTWAIT | MSG_PEEK), 1);
}
END_TEST

START_TEST(keeps_what_the_reader_leaves)
{
	b.take = 1;
	stream_write(a.s, "abc", 3);
	spin(2);
	ck_assert_str_eq(buf_p(&b.got), "a");
	ck_assert(str_eq(stream_in(b.s), STR("bc")));
	stream_write(a.s, "d", 1);
	spin(2);
	ck_assert(str_eq(stream_in(b.s), STR("cd")));
	stream_discard(b.s);
	ck_assert_uint_eq(stream_in(b.s).n, 0);
}
END_TEST

START_TEST(moves_megabytes_against_back_pressure)
{
	char *p = big_bytes(BIG);
	unsigned i;

	stream_write(a.s, p, BIG);
	ck_assert_uint_gt(stream_out_len(a.s), 0);
	b.pause_each = true;
	for (i = 0; i < 10000 && buf_len(&b.got) < BIG; i++) {
		spin(1);
		stream_resume(b.s);
	}
	ck_assert(str_eq(buf_str(&b.got), str_n(p, BIG)));
	spin(1);
	ck_assert_uint_eq(a.drained, 1);
	mem_free(p);
}
END_TEST

START_TEST(does_not_read_while_paused)
{
	size_t before;
	char *p = big_bytes(BIG);

	stream_pause(b.s);
	stream_write(a.s, p, BIG);
	spin(20);
	before = stream_out_len(a.s);
	spin(20);
	ck_assert_uint_eq(stream_out_len(a.s), before);
	ck_assert_uint_eq(b.inputs, 0);
	ck_assert_uint_eq(a.drained, 0);
	mem_free(p);
}
END_TEST

START_TEST(stops_reading_at_its_ceiling)
{
	char *p = big_bytes(200000);
	unsigned i;

	b.by_line = true;
	memset(p, 'x', 200000);
	stream_write(a.s, p, 200000);
	for (i = 0; i < 50; i++)
		spin(1);
	ck_assert_uint_eq(stream_in(b.s).n, 65536);
	b.by_line = false;
	stream_pause(b.s);
	stream_resume(b.s);
	for (i = 0; i < 50; i++)
		spin(1);
	ck_assert_uint_eq(buf_len(&b.got), 200000);
	mem_free(p);
}
END_TEST

START_TEST(tells_of_end_after_the_last_input)
{
	stream_write(a.s, "bye\n", 4);
	stream_destroy(&a.s);
	spin(3);
	ck_assert_str_eq(buf_p(&b.got), "bye\n");
	ck_assert_uint_eq(b.closed, 1);
	ck_assert_int_eq(b.how, STREAM_EOF);
	spin(3);
	ck_assert_uint_eq(b.closed, 1);
}
END_TEST

START_TEST(end_waits_for_a_paused_reader)
{
	b.take = 2;
	b.pause_each = true;
	stream_write(a.s, "abcd", 4);
	stream_destroy(&a.s);
	spin(5);
	ck_assert_uint_eq(b.closed, 0);
	ck_assert_str_eq(buf_p(&b.got), "ab");
	stream_resume(b.s);
	spin(5);
	ck_assert_str_eq(buf_p(&b.got), "abcd");
	ck_assert_uint_eq(b.closed, 0);
	stream_resume(b.s);
	spin(5);
	ck_assert_uint_eq(b.closed, 1);
}
END_TEST

START_TEST(half_closed_peer_still_gets_the_answer)
{
	char c[16];
	int fd = dup(stream_fd(a.s));

	ck_assert_int_ge(fd, 0);
	b.echo = b.destroy_on_closed = true;
	ck_assert_int_eq(write(fd, "hello", 5), 5);
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	stream_pause(a.s);
	spin(3);
	ck_assert_int_eq(b.closed, 1);
	ck_assert_int_eq(recv(fd, c, sizeof(c), MSG_DONTWAIT), 5);
	(void)close(fd);
}
END_TEST

START_TEST(finish_sends_all_then_closes)
{
	char *p = big_bytes(BIG);
	unsigned i;

	stream_write(a.s, p, BIG);
	stream_finish(a.s);
	stream_write(a.s, "late", 4);
	for (i = 0; i < 10000 && b.closed == 0; i++)
		spin(1);
	ck_assert_uint_eq(buf_len(&b.got), BIG);
	ck_assert_uint_eq(a.closed, 1);
	ck_assert_int_eq(a.how, STREAM_EOF);
	ck_assert_int_eq(b.how, STREAM_EOF);
	mem_free(p);
}
END_TEST

START_TEST(survives_a_peer_that_is_gone)
{
	char *p = big_bytes(BIG);

	stream_destroy(&b.s);
	spin(1);
	stream_write(a.s, p, BIG);
	stream_write(a.s, p, BIG);
	spin(3);
	ck_assert_uint_eq(a.closed, 1);
	ck_assert_uint_eq(stream_out_len(a.s), 0);
	mem_free(p);
}
END_TEST

START_TEST(reads_the_last_words_when_writing_fails)
{
	int fd = dup(stream_fd(b.s));

	stream_destroy(&b.s);
	spin(1);
	ck_assert_int_eq(write(fd, "421 bye\n", 8), 8);
	(void)close(fd);
	stream_write(a.s, "DATA\n", 5);
	stream_flush(a.s);
	spin(3);
	ck_assert_str_eq(buf_p(&a.got), "421 bye\n");
	ck_assert_uint_eq(a.closed, 1);
}
END_TEST

START_TEST(may_be_destroyed_inside_any_callback)
{
	if (_i == 0)
		b.destroy_on_input = true;
	else
		b.destroy_on_closed = true;
	stream_write(a.s, "x", 1);
	spin(2);
	stream_destroy(&a.s);
	spin(3);
	ck_assert_ptr_null(b.s);
	ck_assert_uint_eq(b.closed, _i == 0 ? 0 : 1);
}
END_TEST

/* rot13, with '!' as garbage, '.' as goodbye and a one-octet plain window. */
struct rot13 {
	struct stream *s;
	struct buf kept;
	unsigned destroyed;
};

static char
rot(char c)
{
	if (ch_alpha(c))
		return (char)(ch_lower(c) < 'n' ? c + 13 : c - 13);
	return c;
}

static enum stream_more
rot_input(
    void *filter, const char *raw, size_t n, struct buf *plain, struct err *why)
{
	struct rot13 *r = filter;
	char c;

	if (n > 0)
		ck_assert_int_eq(buf_add(&r->kept, raw, n), 0);
	while (buf_len(&r->kept) > 0) {
		c = *buf_p(&r->kept);
		if (c == '!') {
			(void)err_text(why, "garbage");
			return STREAM_REFUSED;
		}
		if (c == '.')
			return STREAM_BYE;
		if (buf_len(plain) == plain->max)
			return STREAM_MORE;
		(void)buf_add_char(plain, rot(c));
		buf_consume(&r->kept, 1);
	}
	return STREAM_DONE;
}

static int
rot_output(void *filter, const char *p, size_t n, struct err *why)
{
	struct rot13 *r = filter;
	size_t i;
	char c;

	for (i = 0; i < n; i++) {
		if (p[i] == '!')
			return err_text(why, "cannot send that");
		c = rot(p[i]);
		stream_filter_raw(r->s, &c, 1);
	}
	return 0;
}

static int
rot_eof(void *filter, struct buf *plain, struct err *why)
{
	(void)filter;
	(void)plain;
	return err_text(why, "cut off");
}

static void
rot_finish(void *filter)
{
	struct rot13 *r = filter;

	stream_filter_raw(r->s, ".", 1);
}

static void
rot_destroy(void *filter)
{
	struct rot13 *r = filter;

	r->destroyed++;
	buf_fini(&r->kept);
}

static const struct stream_filter rot_filter = { .input = rot_input,
	.output = rot_output,
	.eof = rot_eof,
	.finish = rot_finish,
	.destroy = rot_destroy };

static struct rot13 ra, rb;

static void
filter_both(size_t in_max)
{
	memset(&ra, 0, sizeof(ra));
	memset(&rb, 0, sizeof(rb));
	buf_init(&ra.kept, BIG);
	buf_init(&rb.kept, BIG);
	ra.s = a.s;
	rb.s = b.s;
	stream_in_max_set(b.s, in_max);
	stream_filter_set(a.s, &rot_filter, &ra);
	stream_filter_set(b.s, &rot_filter, &rb);
}

START_TEST(filter_changes_bytes_both_ways)
{
	int fd = stream_fd(b.s);
	char raw[6] = "";

	filter_both(65536);
	b.echo = true;
	stream_write(a.s, "Hello", 5);
	stream_flush(a.s);
	ck_assert_int_eq(recv(fd, raw, 5, MSG_PEEK | MSG_DONTWAIT), 5);
	ck_assert_str_eq(raw, "Uryyb");
	spin(4);
	ck_assert_str_eq(buf_p(&b.got), "Hello");
	ck_assert_str_eq(buf_p(&a.got), "Hello");
	stream_destroy(&a.s);
	stream_destroy(&b.s);
	spin(2);
	ck_assert_uint_eq(ra.destroyed, 1);
	ck_assert_uint_eq(rb.destroyed, 1);
}
END_TEST

START_TEST(filter_keeps_what_has_no_room)
{
	char *p = mem_alloc(100000);
	unsigned i;

	memset(p, 'x', 100000);
	filter_both(_i == 0 ? 1 : 4096);
	b.pause_each = true;
	stream_write(a.s, p, 100000);
	for (i = 0; i < 300000 && buf_len(&b.got) < 100000; i++) {
		spin(1);
		stream_resume(b.s);
	}
	ck_assert_uint_eq(buf_len(&b.got), 100000);
	mem_free(p);
}
END_TEST

START_TEST(filter_refuses_input)
{
	filter_both(65536);
	stream_filter_raw(a.s, "uv!", 3);
	spin(3);
	ck_assert_str_eq(buf_p(&b.got), "hi");
	ck_assert_uint_eq(b.closed, 1);
	ck_assert_int_eq(b.how, STREAM_FILTER);
	ck_assert_str_eq(b.why, "garbage");
}
END_TEST

START_TEST(filter_refuses_output)
{
	filter_both(65536);
	stream_write(a.s, "no!", 3);
	spin(3);
	ck_assert_uint_eq(a.closed, 1);
	ck_assert_int_eq(a.how, STREAM_FILTER);
	ck_assert_str_eq(a.why, "cannot send that");
}
END_TEST

START_TEST(filter_says_goodbye)
{
	filter_both(65536);
	stream_write(a.s, "hi", 2);
	stream_finish(a.s);
	spin(3);
	ck_assert_str_eq(buf_p(&b.got), "hi");
	ck_assert_uint_eq(b.closed, 1);
	ck_assert_int_eq(b.how, STREAM_EOF);
}
END_TEST

START_TEST(filter_hears_of_a_cut)
{
	filter_both(65536);
	stream_write(a.s, "hi", 2);
	stream_destroy(&a.s);
	spin(3);
	ck_assert_str_eq(buf_p(&b.got), "hi");
	ck_assert_uint_eq(b.closed, 1);
	ck_assert_int_eq(b.how, STREAM_FILTER);
	ck_assert_str_eq(b.why, "cut off");
}
END_TEST

UNIT_SUITE(stream)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, carries_bytes_whatever_their_cut, 1, 9);
	tcase_add_test(tc, gathers_writes_of_a_round_into_one_send);
	tcase_add_test(tc, flush_sends_at_once);
	tcase_add_test(tc, keeps_what_the_reader_leaves);
	tcase_add_test(tc, moves_megabytes_against_back_pressure);
	tcase_add_test(tc, does_not_read_while_paused);
	tcase_add_test(tc, stops_reading_at_its_ceiling);
	tcase_add_test(tc, tells_of_end_after_the_last_input);
	tcase_add_test(tc, end_waits_for_a_paused_reader);
	tcase_add_test(tc, half_closed_peer_still_gets_the_answer);
	tcase_add_test(tc, finish_sends_all_then_closes);
	tcase_add_test(tc, survives_a_peer_that_is_gone);
	tcase_add_test(tc, reads_the_last_words_when_writing_fails);
	tcase_add_loop_test(tc, may_be_destroyed_inside_any_callback, 0, 2);
	tcase_add_test(tc, filter_changes_bytes_both_ways);
	tcase_add_loop_test(tc, filter_keeps_what_has_no_room, 0, 2);
	tcase_add_test(tc, filter_refuses_input);
	tcase_add_test(tc, filter_refuses_output);
	tcase_add_test(tc, filter_says_goodbye);
	tcase_add_test(tc, filter_hears_of_a_cut);
}
