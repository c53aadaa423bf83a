#include <sys/resource.h>
#include <unistd.h>

#include "net/listen.h"
#include "unit.h"

static struct loop *loop;
static struct sock_addr where;
static int fd, got;

static void
accepted(void *arg, int client, const struct sock_addr *peer)
{
	(void)arg;
	ck_assert(sock_addr_loopback(peer));
	(void)close(client);
	got++;
}

static void
setup(void)
{
	loop = loop_new();
	ck_assert_int_eq(
	    sock_addr_parse(STR("127.0.0.1:1"), 0, &where, NULL), 0);
	where.in.sin_port = 0;
	ck_assert_int_eq(sock_listen(&where, 16, &fd, NULL), 0);
	ck_assert_int_eq(sock_local(fd, &where), 0);
	got = 0;
}

static void
teardown(void)
{
	(void)close(fd);
	loop_destroy(&loop);
}

static void
knock(int times)
{
	int c;

	while (times-- > 0) {
		ck_assert_int_eq(sock_connect(&where, NULL, &c, NULL), 0);
		(void)close(c);
	}
}

START_TEST(accepts_one_in_each_round)
{
	struct listen *ls = listen_start(loop, fd, accepted, NULL);

	knock(3);
	loop_once(loop, true);
	ck_assert_int_eq(got, 1);
	loop_once(loop, true);
	loop_once(loop, true);
	ck_assert_int_eq(got, 3);
	listen_stop(&ls);
	ck_assert_ptr_null(ls);
}
END_TEST

START_TEST(leaves_callers_waiting_while_paused)
{
	struct listen *ls = listen_start(loop, fd, accepted, NULL);

	listen_pause(ls);
	knock(1);
	loop_once(loop, false);
	ck_assert_int_eq(got, 0);
	listen_resume(ls);
	loop_once(loop, true);
	ck_assert_int_eq(got, 1);
	listen_stop(&ls);
}
END_TEST

START_TEST(rests_when_descriptors_run_out)
{
	struct listen *ls = listen_start(loop, fd, accepted, NULL);
	struct rlimit limit, few;
	int i, rounds = 0;
	msec start;

	knock(1);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = limit;
	few.rlim_cur = 3;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (i = 0; i < 5; i++)
		loop_once(loop, false);
	ck_assert_int_eq(got, 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	start = clock_now();
	while (got == 0 && rounds++ < 100)
		loop_once(loop, true);
	ck_assert_int_eq(got, 1);
	ck_assert_int_ge(clock_now() - start, 900);
	ck_assert_int_lt(rounds, 20);
	listen_stop(&ls);
}
END_TEST

UNIT_SUITE(listen)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, accepts_one_in_each_round);
	tcase_add_test(tc, leaves_callers_waiting_while_paused);
	tcase_add_test(tc, rests_when_descriptors_run_out);
}
