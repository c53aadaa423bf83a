#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/offload.h"
#include "unit.h"

struct job {
	struct offload *o;
	int n;
	int again;
	bool worked;
};

static _Atomic int works;
static int dones;
static pthread_t loop;

static void
work(void *arg)
{
	struct job *j = arg;

	ck_assert(!pthread_equal(pthread_self(), loop));
	/* In order. */
	if (j->n >= 0)
		ck_assert_int_eq(atomic_load(&works), j->n);
	j->worked = true;
	atomic_fetch_add(&works, 1);
}

static void
done(void *arg)
{
	struct job *j = arg;

	ck_assert(pthread_equal(pthread_self(), loop));
	ck_assert(j->worked);
	if (j->n >= 0)
		ck_assert_int_eq(dones, j->n);
	dones++;
	if (j->again > 0) {
		j->again--;
		offload_submit(j->o, work, done, j);
	}
}

START_TEST(runs_jobs_in_order_and_done_on_the_loop)
{
	struct job jobs[200];
	struct offload *o = offload_new("a-name-that-is-too-long");
	struct pollfd pfd = { .fd = offload_fd(o), .events = POLLIN };
	int i;

	loop = pthread_self();
	for (i = 0; i < 200; i++) {
		jobs[i] = (struct job){ o, i, 0, false };
		offload_submit(o, work, done, &jobs[i]);
		ck_assert_int_eq(dones, 0);
	}
	while (dones < 200) {
		ck_assert_int_eq(poll(&pfd, 1, 10000), 1);
		offload_reap(o);
	}
	ck_assert_uint_eq(offload_pending(o), 0);
	offload_reap(o);
	ck_assert_int_eq(poll(&pfd, 1, 0), 0);
	offload_destroy(&o);
	ck_assert_ptr_null(o);
	offload_destroy(&o);
}
END_TEST

START_TEST(destroying_finishes_what_jobs_submit_too)
{
	struct offload *o = offload_new("t");
	struct job j = { o, -1, 5, false };

	loop = pthread_self();
	offload_submit(o, work, done, &j);
	offload_submit(o, work, NULL, &j);
	offload_destroy(&o);
	ck_assert_int_eq(atomic_load(&works), 7);
	ck_assert_int_eq(dones, 6);
}
END_TEST

START_TEST(draining_waits_for_everything)
{
	struct offload *o = offload_new("t");
	struct job j = { o, -1, 0, false };

	loop = pthread_self();
	offload_drain(o);
	offload_submit(o, work, done, &j);
	ck_assert_uint_eq(offload_pending(o), 1);
	offload_drain(o);
	ck_assert_int_eq(dones, 1);
	offload_destroy(&o);
}
END_TEST

static int gate[2];

static void
blocked(void *arg)
{
	char c;

	(void)arg;
	if (read(gate[0], &c, 1) == 1)
		atomic_fetch_add(&works, 1);
}

START_TEST(what_does_not_return_is_left_to_itself)
{
	struct offload *o = offload_new("t");
	struct job j = { o, -1, 0, true };

	loop = pthread_self();
	ck_assert(offload_drain_for(o, 0));
	ck_assert_int_eq(pipe(gate), 0);
	offload_submit(o, blocked, done, &j);
	ck_assert(!offload_drain_for(o, 10));
	ck_assert_int_eq(dones, 0);
	offload_abandon(&o);
	ck_assert_ptr_null(o);
	ck_assert_int_eq(write(gate[1], "x", 1), 1);
	while (atomic_load(&works) == 0)
		(void)usleep(1000);
	/* One that has returned meanwhile is done as any other. */
	o = offload_new("t");
	offload_submit(o, blocked, done, &j);
	ck_assert_int_eq(write(gate[1], "x", 1), 1);
	ck_assert(offload_drain_for(o, 60000));
	offload_abandon(&o);
	ck_assert_int_eq(dones, 1);
}
END_TEST

UNIT_SUITE(offload)
{
	tcase_add_test(tc, runs_jobs_in_order_and_done_on_the_loop);
	tcase_add_test(tc, destroying_finishes_what_jobs_submit_too);
	tcase_add_test(tc, draining_waits_for_everything);
	tcase_add_test(tc, what_does_not_return_is_left_to_itself);
}
