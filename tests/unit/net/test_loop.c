#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "net/loop.h"
#include "unit.h"

struct note {
	struct loop *loop;
	struct buf *log;
	char mark;
	struct loop_timer timer;
	int again;
};

static struct buf marks;
static struct loop *loop;

static void
setup(void)
{
	buf_init(&marks, 4096);
	loop = loop_new();
}

static void
teardown(void)
{
	loop_destroy(&loop);
	ck_assert_ptr_null(loop);
	buf_fini(&marks);
}

static void
mark(void *arg)
{
	struct note *n = arg;

	ck_assert_int_eq(buf_add_char(&marks, n->mark), 0);
	if (n->again-- > 0)
		loop_timer_set(&n->timer, 0);
}

static void
mark_and_stop(void *arg)
{
	mark(arg);
	loop_stop(loop);
}

static void
defers_another(void *arg)
{
	mark(arg);
	loop_defer(loop, mark, arg);
}

static void
note_init(struct note *n, char c, loop_fn *fn)
{
	memset(n, 0, sizeof(*n));
	n->mark = c;
	loop_timer_init(loop, &n->timer, fn, n);
}

START_TEST(runs_timers_in_order_of_time)
{
	struct note a, b, c;

	note_init(&a, 'a', mark);
	note_init(&b, 'b', mark);
	note_init(&c, 'c', mark_and_stop);
	loop_timer_set(&c.timer, 30);
	loop_timer_set(&b.timer, 20);
	loop_timer_set(&a.timer, 5);
	loop_run(loop);
	ck_assert_str_eq(buf_p(&marks), "abc");
	ck_assert(!loop_timer_armed(&a.timer));
}
END_TEST

START_TEST(moves_and_clears_a_timer)
{
	struct note a, b, c;

	note_init(&a, 'a', mark);
	note_init(&b, 'b', mark);
	note_init(&c, 'c', mark_and_stop);
	loop_timer_set(&a.timer, 1);
	loop_timer_set(&b.timer, 1);
	loop_timer_set(&c.timer, 20);
	ck_assert(loop_timer_armed(&a.timer));
	loop_timer_clear(&a.timer);
	loop_timer_clear(&a.timer);
	loop_timer_set(&b.timer, 10000);
	loop_run(loop);
	ck_assert_str_eq(buf_p(&marks), "c");
	loop_timer_clear(&b.timer);
}
END_TEST

START_TEST(wakes_for_an_earlier_timer_set_later)
{
	struct note late, soon;

	note_init(&late, 'l', mark);
	note_init(&soon, 's', mark_and_stop);
	loop_timer_set(&late.timer, 60000);
	loop_once(loop, false);
	loop_timer_set(&soon.timer, 5);
	loop_run(loop);
	ck_assert_str_eq(buf_p(&marks), "s");
	loop_timer_clear(&late.timer);
}
END_TEST

START_TEST(timer_set_to_now_waits_for_the_next_round)
{
	struct note a;

	note_init(&a, 'a', mark);
	a.again = 2;
	loop_timer_set(&a.timer, 0);
	loop_once(loop, false);
	ck_assert_str_eq(buf_p(&marks), "a");
	loop_once(loop, false);
	ck_assert_str_eq(buf_p(&marks), "aa");
	loop_timer_clear(&a.timer);
}
END_TEST

START_TEST(deferred_calls_run_before_the_loop_blocks)
{
	static struct note each;	/* loop_destroy() calls it once more */
	struct note a;

	note_init(&a, 'd', mark);
	note_init(&each, 'e', mark);
	loop_each_round(loop, mark, &each);
	loop_defer(loop, defers_another, &a);
	loop_once(loop, false);
	ck_assert_uint_ge(buf_len(&marks), 3);
	ck_assert(str_eq(str_n(buf_p(&marks), 3), STR("dde")));
}
END_TEST

static void
pipe_ready(void *arg, int fd, unsigned what)
{
	char c;

	(void)arg;
	ck_assert_uint_eq(what, LOOP_READ);
	ck_assert_int_eq(read(fd, &c, 1), 1);
	(void)buf_add_char(&marks, c);
	if (c == 'z')
		loop_stop(loop);
}

START_TEST(watches_a_descriptor_level_triggered)
{
	struct loop_fd *w;
	int fd[2];

	ck_assert_int_eq(pipe(fd), 0);
	w = loop_fd_start(loop, fd[0], LOOP_READ, pipe_ready, NULL);
	ck_assert_int_eq(write(fd[1], "xyz", 3), 3);
	loop_run(loop);
	ck_assert_str_eq(buf_p(&marks), "xyz");
	loop_fd_stop(&w);
	loop_fd_stop(&w);
	(void)close(fd[0]);
	(void)close(fd[1]);
}
END_TEST

static void
both_ready(void *arg, int fd, unsigned what)
{
	struct loop_fd **w = arg;

	(void)fd;
	(void)buf_add_char(&marks, what == LOOP_READ ? 'r' : 'w');
	if (what == LOOP_READ)
		loop_fd_stop(w);
	else
		loop_fd_change(*w, LOOP_READ);
}

START_TEST(stops_a_watch_inside_its_callback)
{
	struct loop_fd *w;
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	w = loop_fd_start(loop, fd[0], LOOP_WRITE, both_ready, &w);
	loop_once(loop, true);
	ck_assert_str_eq(buf_p(&marks), "w");
	loop_once(loop, false);
	ck_assert_int_eq(write(fd[1], "x", 1), 1);
	loop_once(loop, true);
	loop_once(loop, false);
	ck_assert_str_eq(buf_p(&marks), "wr");
	ck_assert_ptr_null(w);
	(void)close(fd[0]);
	(void)close(fd[1]);
}
END_TEST

START_TEST(hears_a_signal)
{
	struct loop_signal *s;
	struct note a;

	note_init(&a, 's', mark_and_stop);
	s = loop_signal_start(loop, SIGUSR1, mark_and_stop, &a);
	ck_assert_int_eq(raise(SIGUSR1), 0);
	loop_run(loop);
	ck_assert_str_eq(buf_p(&marks), "s");
	loop_signal_stop(&s);
}
END_TEST

static void
work(void *arg)
{
	struct note *n = arg;

	n->mark = 'W';
}

START_TEST(reaps_offloaded_jobs)
{
	struct offload *o = offload_new("test");
	struct note a;

	note_init(&a, 'w', mark_and_stop);
	loop_offload(loop, o);
	offload_submit(o, work, mark_and_stop, &a);
	loop_run(loop);
	ck_assert_str_eq(buf_p(&marks), "W");
	loop_offload_stop(loop, o);
	offload_destroy(&o);
}
END_TEST

START_TEST(fake_time_jumps_from_timer_to_timer)
{
	struct note a, b;
	msec start;

	clock_fake(SECONDS(1000000));
	start = clock_now();
	note_init(&a, 'a', mark);
	note_init(&b, 'b', mark);
	loop_timer_set(&a.timer, HOURS(1));
	loop_timer_set(&b.timer, HOURS(5));
	ck_assert(loop_step_fake(loop, start + HOURS(2)));
	ck_assert_int_eq(clock_now() - start, HOURS(1));
	ck_assert_str_eq(buf_p(&marks), "a");
	ck_assert(!loop_step_fake(loop, start + HOURS(2)));
	ck_assert_int_eq(clock_now() - start, HOURS(2));
	ck_assert(loop_step_fake(loop, start + HOURS(9)));
	ck_assert_str_eq(buf_p(&marks), "ab");
	ck_assert(!loop_step_fake(loop, start + HOURS(9)));
}
END_TEST

START_TEST(fake_time_waits_for_jobs)
{
	struct offload *o = offload_new("test");
	struct note a, job;

	clock_fake(SECONDS(1000000));
	note_init(&a, 'a', mark);
	note_init(&job, 'w', mark);
	loop_offload(loop, o);
	loop_timer_set(&a.timer, 10);
	offload_submit(o, work, mark, &job);
	ck_assert(loop_step_fake(loop, clock_now() + 100));
	ck_assert_str_eq(buf_p(&marks), "Wa");
	loop_offload_stop(loop, o);
	offload_destroy(&o);
}
END_TEST

UNIT_SUITE(loop)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, runs_timers_in_order_of_time);
	tcase_add_test(tc, moves_and_clears_a_timer);
	tcase_add_test(tc, wakes_for_an_earlier_timer_set_later);
	tcase_add_test(tc, timer_set_to_now_waits_for_the_next_round);
	tcase_add_test(tc, deferred_calls_run_before_the_loop_blocks);
	tcase_add_test(tc, watches_a_descriptor_level_triggered);
	tcase_add_test(tc, stops_a_watch_inside_its_callback);
	tcase_add_test(tc, hears_a_signal);
	tcase_add_test(tc, reaps_offloaded_jobs);
	tcase_add_test(tc, fake_time_jumps_from_timer_to_timer);
	tcase_add_test(tc, fake_time_waits_for_jobs);
}
