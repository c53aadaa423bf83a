#include <unistd.h>

#include "net/stream.h"
#include "unit.h"

static struct loop *loop;

static void
setup(void)
{
	loop = loop_new();
}

static void
teardown(void)
{
	loop_destroy(&loop);
}

struct outcome {
	struct stream *s;
	char why[500];
	unsigned times;
};

static void
connected(void *arg, struct stream *s, const struct err *why)
{
	struct outcome *o = arg;

	o->s = s;
	o->times++;
	if (why != NULL)
		(void)str_copy(o->why, sizeof(o->why), str_c(why->text));
}

START_TEST(connects_or_says_why_not)
{
	struct outcome o = { NULL, "", 0 };
	struct stream_connect *c;
	struct sock_addr to;
	char text[SOCK_TEXT_MAX], want[SOCK_TEXT_MAX];
	int ls;

	ck_assert_int_eq(sock_addr_parse(STR("127.0.0.1:1"), 0, &to, NULL), 0);
	to.in.sin_port = 0;
	ck_assert_int_eq(sock_listen(&to, 5, &ls, NULL), 0);
	ck_assert_int_eq(sock_local(ls, &to), 0);
	c = stream_connect(loop, &to, NULL, SECONDS(5), connected, &o);
	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(o.times, 0);
	while (o.times == 0)
		loop_once(loop, true);
	ck_assert_ptr_nonnull(o.s);
	(void)sock_addr_text(&to, want, sizeof(want));
	ck_assert_str_eq(
	    sock_addr_text(stream_peer(o.s), text, sizeof(text)), want);
	stream_destroy(&o.s);
	(void)close(ls);

	c = stream_connect(loop, &to, NULL, SECONDS(5), connected, &o);
	while (o.times == 1)
		loop_once(loop, true);
	ck_assert_ptr_null(o.s);
	ck_assert_str_eq(o.why, "Connection refused");

	to.in.sin_family = AF_UNIX; /* no such address: fails at once */
	c = stream_connect(loop, &to, NULL, SECONDS(5), connected, &o);
	ck_assert_uint_eq(o.times, 2);
	stream_connect_cancel(&c);
	ck_assert_ptr_null(c);
	c = stream_connect(loop, &to, NULL, SECONDS(5), connected, &o);
	loop_once(loop, false);
	loop_once(loop, false);
	ck_assert_uint_eq(o.times, 3);
	ck_assert_str_ne(o.why, "");
}
END_TEST

START_TEST(connect_times_out)
{
	struct outcome o = { NULL, "", 0 };
	struct sock_addr to;
	int ls, fill[4], i;

	ck_assert_int_eq(sock_addr_parse(STR("127.0.0.1:1"), 0, &to, NULL), 0);
	to.in.sin_port = 0;
	ck_assert_int_eq(sock_listen(&to, 0, &ls, NULL), 0);
	ck_assert_int_eq(sock_local(ls, &to), 0);
	/* A full backlog drops what comes next. */
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(sock_connect(&to, NULL, &fill[i], NULL), 0);
	(void)usleep(50000);
	(void)stream_connect(loop, &to, NULL, 60, connected, &o);
	while (o.times == 0)
		loop_once(loop, true);
	ck_assert_ptr_null(o.s);
	ck_assert_str_eq(o.why, "Connection timed out");
	for (i = 0; i < 4; i++)
		(void)close(fill[i]);
	(void)close(ls);
}
END_TEST

UNIT_SUITE(stream_connect)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, connects_or_says_why_not);
	tcase_add_test(tc, connect_times_out);
}
