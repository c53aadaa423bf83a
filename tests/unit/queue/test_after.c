#include "unit.h"

#include "queue/split.h"
#include "queue_util.h"

/* A branch waits until others of its message have had their TLS. */

#define STRICT "strict.test required"

static struct world w;
static struct err why;

static uint64_t
next_mid(void *arg)
{
	(void)arg;
	return w.next_mid++;
}

/* r0 waits an hour for those behind it, of which each has the word that is
 * given with it. Returns the MID of r0's branch; the others follow. */
static uint64_t
submit_after(const char *const *to, const char *const *word, unsigned n,
    msec hold)
{
	struct envelope *env = make_env(w.next_mid++, "a@a.test", 0), *one;
	struct treat *t = treat_new(w.b.store, false, 10000);
	uint64_t mid = env->mid;
	struct branch *v;
	unsigned i, k;

	for (i = 0; i < n; i++) {
		one = make_env(1, to[i], 0);
		(void)envelope_add_rcpt(env, &one->sender, STR(""), 0);
		envelope_destroy(&one);
		if (i == 0)
			continue;
		env->rcpt[i]->want = STR("required");
		ck_assert_int_eq(treat_word(t, (int)i, word[i], &why), 0);
	}
	ck_assert_int_eq(treat_after(t, 0, "strict", HOURS(1), &why), 0);
	ck_assert_int_eq(treat_hold(t, 0, hold, &why), 0);
	ck_assert_int_eq(treat_check(t, &why), 0);
	env->size = 2000;
	k = split(env, make_body(&w.b, mid, 2000), t, NULL, next_mid, NULL,
	    &v);
	queue_submit_branches(w.q, v, k, bench_done, &w.b);
	bench_wait(&w.b, 1);
	world_settle(&w);
	mem_free(v);
	treat_destroy(&t);
	return mid;
}

static uint64_t
submit_pair(void)
{
	static const char *const to[] = { "r0@open.test", "r1@strict.test" };
	static const char *const word[] = { "", "strict" };

	return submit_after(to, word, 2, 0);
}

static void
begin_in(bool memory)
{
	world_init(&w, memory);
	world_open(&w);
}

static unsigned
due(void)
{
	world_settle(&w);
	return stats_of(&w).due;
}

static void
restart(void)
{
	world_run(&w, 30);
	world_close(&w);
	w.ntold = 0;
	world_open(&w);
}

START_TEST(a_branch_goes_when_the_other_has_its_tls)
{
	struct qunit *u;

	begin_in(_i == 0);
	(void)submit_pair();
	ck_assert_uint_eq(due(), 1);
	world_run(&w, SECONDS(60));
	u = take(&w, STRICT);
	ck_assert_uint_eq(due(), 0);
	queue_secured(w.q, u);
	ck_assert_uint_eq(due(), 1);
	tell(&w, take(&w, "open.test"), 250);
	tell(&w, u, 250);
	ck_assert_uint_eq(waiting_rows(&w), 0);
	ck_assert_uint_eq(stats_of(&w).units, 0);
	world_fini(&w);
}
END_TEST

/* Delivered, or given up. */
START_TEST(a_branch_goes_when_the_other_has_ended)
{
	struct store_filter f = { .hold = -1 };
	uint64_t mid;

	begin_in(true);
	mid = submit_pair();
	if (_i < 2) {
		tell(&w, take(&w, STRICT), _i == 0 ? 250 : 550);
	} else {
		f.mid = mid + 1;
		ck_assert_uint_eq(act(&w, _i == 2 ? QUEUE_DELETE :
		    QUEUE_BOUNCE, &f), 1);
	}
	world_settle(&w);
	tell(&w, take(&w, "open.test"), 250);
	world_fini(&w);
}
END_TEST

START_TEST(a_failure_of_tls_lets_nobody_go)
{
	begin_in(true);
	(void)submit_pair();
	w.tls_of[0] = TLSR_NAME;
	tell(&w, take(&w, STRICT), 450);
	ck_assert_uint_eq(due(), 0);
	world_run(&w, SECONDS(61));
	ck_assert_uint_eq(due(), 1);
	queue_secured(w.q, take(&w, STRICT));
	tell(&w, w.taken, 450); /* inside TLS, but who knows */
	world_settle(&w);
	tell(&w, take(&w, "open.test"), 250);
	world_fini(&w);
}
END_TEST

START_TEST(a_branch_goes_when_it_has_waited_long_enough)
{
	begin_in(_i == 0);
	(void)submit_pair();
	w.tls_of[0] = TLSR_NAME;
	tell(&w, take(&w, STRICT), 450);
	if (_i == 2)
		restart();
	world_run(&w, HOURS(1) - SECONDS(1));
	ck_assert_uint_eq(qhop_due(w.told[0]), stats_of(&w).due);
	world_run(&w, SECONDS(2));
	tell(&w, take(&w, "open.test"), 450);
	/* It is one like any other from now on. */
	restart();
	world_run(&w, SECONDS(61));
	tell(&w, take(&w, "open.test"), 250);
	ck_assert_uint_eq(waiting_rows(&w), 1);
	world_fini(&w);
}
END_TEST

START_TEST(a_branch_waits_on_after_a_restart)
{
	begin_in(false);
	(void)submit_pair();
	restart();
	ck_assert_uint_eq(due(), 1);
	world_run(&w, SECONDS(60));
	queue_secured(w.q, take(&w, STRICT));
	ck_assert_uint_eq(due(), 1);
	tell(&w, w.taken, 450);
	restart();
	/* What was let go is not called back. */
	ck_assert_uint_eq(due(), 1);
	tell(&w, take(&w, "open.test"), 250);
	world_fini(&w);
}
END_TEST

/* The crash came between the end of the one and the word for the other. */
START_TEST(a_branch_goes_when_the_other_is_gone_after_a_restart)
{
	struct store_txn *t;
	uint64_t mid;

	begin_in(false);
	mid = submit_pair();
	t = store_txn_new(w.b.store);
	store_delete(t, mid + 1);
	store_commit(t, false, bench_done, &w.b);
	bench_wait(&w.b, 1);
	restart();
	ck_assert_uint_eq(due(), 1);
	tell(&w, take(&w, "open.test"), 250);
	ck_assert_uint_eq(waiting_rows(&w), 0);
	world_fini(&w);
}
END_TEST

START_TEST(all_next_hops_of_all_branches_of_the_word_are_waited_for)
{
	static const char *const to[] = { "r0@open.test", "r1@strict.test",
		"r2@b.test", "r3@c.test", "r4@d.test" };
	static const char *const word[] = { "", "strict", "strict", "strict",
		"other" };
	struct qunit *u;

	begin_in(_i == 0);
	(void)submit_after(to, word, 5, 0);
	ck_assert_uint_eq(due(), 4);
	queue_secured(w.q, take(&w, STRICT));
	tell(&w, w.taken, 450);
	u = take(&w, "b.test required");
	queue_secured(w.q, u);
	queue_secured(w.q, u);
	tell(&w, u, 250);
	ck_assert_uint_eq(due(), 2);
	if (_i == 1) {
		restart(); /* what is only in memory is asked for again */
		queue_secured(w.q, take(&w, "c.test required"));
		world_run(&w, SECONDS(61));
		ck_assert_uint_eq(due(), 2);
		queue_secured(w.q, take(&w, STRICT));
	} else {
		queue_secured(w.q, take(&w, "c.test required"));
	}
	ck_assert_uint_eq(due(), 2);
	tell(&w, take(&w, "open.test"), 250);
	world_fini(&w);
}
END_TEST

START_TEST(a_hold_is_kept_by_who_need_not_wait_any_more)
{
	static const char *const to[] = { "r0@open.test", "r1@strict.test" };
	static const char *const word[] = { "", "strict" };

	begin_in(false);
	(void)submit_after(to, word, 2, MINUTES(30));
	tell(&w, take(&w, STRICT), 250);
	if (_i == 1)
		restart();
	world_run(&w, MINUTES(29));
	ck_assert_uint_eq(due(), 0);
	world_run(&w, MINUTES(2));
	ck_assert_uint_eq(due(), 1);
	tell(&w, take(&w, "open.test"), 250);
	ck_assert_uint_eq(waiting_rows(&w), 0);
	world_fini(&w);
}
END_TEST

START_TEST(a_flush_lets_nobody_go_and_a_release_does)
{
	struct store_filter f = { .hold = -1 };
	uint64_t mid;

	begin_in(false);
	mid = submit_pair();
	(void)act(&w, QUEUE_FLUSH, &f);
	ck_assert_uint_eq(queue_flush_domain(w.q, STR("open.test"), true), 0);
	ck_assert_uint_eq(due(), 1);
	f.mid = mid;
	if (_i == 2) {
		(void)act(&w, QUEUE_HOLD, &f);
		world_run(&w, HOURS(2));
		ck_assert_uint_eq(due(), 1);
	}
	(void)act(&w, _i == 1 ? QUEUE_REQUEUE : QUEUE_RELEASE, &f);
	ck_assert_uint_eq(due(), 2);
	tell(&w, take(&w, "open.test"), 250);
	world_fini(&w);
}
END_TEST

START_TEST(a_reload_in_between_changes_nothing)
{
	begin_in(false);
	(void)submit_pair();
	queue_recover(w.q);
	while (queue_recovering(w.q))
		(void)loop_step_fake(w.b.loop, clock_now());
	ck_assert_uint_eq(due(), 1);
	tell(&w, take(&w, STRICT), 250);
	ck_assert_uint_eq(due(), 1);
	world_fini(&w);
}
END_TEST

START_TEST(nobody_waits_for_a_word_that_no_branch_has)
{
	static const char *const to[] = { "r0@open.test", "r1@b.test" };
	static const char *const word[] = { "", "other" };

	begin_in(true);
	(void)submit_after(to, word, 2, 0);
	ck_assert_uint_eq(due(), 2);
	world_fini(&w);
}
END_TEST

START_TEST(a_requeue_of_what_is_too_old_ends_it)
{
	struct store_filter f = { .hold = -1 };

	begin_in(true);
	f.mid = submit_one(&w, "a@a.test", "b@b.test");
	(void)act(&w, QUEUE_HOLD, &f);
	world_run(&w, HOURS(100));
	(void)act(&w, QUEUE_REQUEUE, &f);
	world_run(&w, SECONDS(1));
	ck_assert_uint_eq(w.ndsn, 1);
	world_fini(&w);
}
END_TEST

UNIT_SUITE(after)
{
	tcase_add_loop_test(tc, a_branch_goes_when_the_other_has_its_tls, 0, 2);
	tcase_add_loop_test(tc, a_branch_goes_when_the_other_has_ended, 0, 4);
	tcase_add_test(tc, a_failure_of_tls_lets_nobody_go);
	tcase_add_loop_test(tc, a_branch_goes_when_it_has_waited_long_enough, 1,
	    3);
	tcase_add_test(tc, a_branch_waits_on_after_a_restart);
	tcase_add_test(tc,
	    a_branch_goes_when_the_other_is_gone_after_a_restart);
	tcase_add_loop_test(tc,
	    all_next_hops_of_all_branches_of_the_word_are_waited_for, 0, 2);
	tcase_add_loop_test(tc, a_hold_is_kept_by_who_need_not_wait_any_more,
	    0, 2);
	tcase_add_loop_test(tc, a_flush_lets_nobody_go_and_a_release_does, 0,
	    3);
	tcase_add_test(tc, a_reload_in_between_changes_nothing);
	tcase_add_test(tc, nobody_waits_for_a_word_that_no_branch_has);
	tcase_add_test(tc, a_requeue_of_what_is_too_old_ends_it);
}
