#include "unit.h"

#include "queue_util.h"

/* Bounce profiles: of single recipients, and when their senders are warned. */

static const char *const two[] = { "r0@b.test", "r1@b.test" };
static const char *const own[] = { "", "other" };

static unsigned
attempts_of(const struct world *w, unsigned rid)
{
	unsigned i, n = 0;

	for (i = 0; i < w->nattempt; i++)
		n += w->attempt[i].mid == 100 && w->attempt[i].rid == rid;
	return n;
}

static unsigned
warnings_of(const struct world *w)
{
	unsigned i, n = 0;

	for (i = 0; i < w->ndsn; i++)
		n += w->dsn_kind[i] == REPORT_DELAYED;
	return n;
}

START_TEST(recipients_of_one_message_have_schedules_of_their_own)
{
	struct world w;

	world_init(&w, _i == 1);
	w.other.max_retries = 2;
	w.other.max_retry = SECONDS(60);
	world_open(&w);
	w.deliver = true;
	w.answer = 450;
	(void)submit_profiles(&w, two, own, 2);
	ck_assert_uint_eq(stats_of(&w).messages, 1);
	ck_assert_uint_eq(stats_of(&w).units, 2);
	world_run(&w, SECONDS(70));
	if (_i == 0) { /* it is on the disk */
		world_close(&w);
		w.ntold = 0;
		world_open(&w);
		ck_assert_uint_eq(stats_of(&w).units, 2);
	}
	world_run(&w, SECONDS(60));
	ck_assert_uint_eq(attempts_of(&w, 1), 3);
	ck_assert_uint_eq(w.ndsn, 1);
	ck_assert_int_eq(w.dsn_kind[0], REPORT_FAILED);
	ck_assert_uint_eq(w.dsn_rid, 1);
	world_run(&w, HOURS(1));
	ck_assert_uint_eq(attempts_of(&w, 1), 3);
	ck_assert_uint_gt(attempts_of(&w, 0), 4);
	ck_assert_uint_eq(w.ndsn, 1);
	world_fini(&w);
}
END_TEST

/* Nothing but the recipient tells its profile: a reload must not lose it. */
START_TEST(an_own_profile_survives_a_reload)
{
	struct world w;

	world_init(&w, true);
	w.other.max_retries = 1;
	world_open(&w);
	w.deliver = true;
	w.answer = 450;
	(void)submit_profiles(&w, two, own, 2);
	queue_recover(w.q);
	while (queue_recovering(w.q))
		(void)loop_step_fake(w.b.loop, clock_now());
	ck_assert_uint_eq(stats_of(&w).units, 2);
	world_run(&w, SECONDS(70));
	ck_assert_uint_eq(w.ndsn, 1);
	ck_assert_uint_eq(w.dsn_rid, 1);
	world_fini(&w);
}
END_TEST

START_TEST(warns_again_after_an_interval_and_so_often_at_most)
{
	struct world w;

	world_init(&w, false);
	w.profile.warn = true;
	w.profile.max_retry = SECONDS(600);
	w.profile.max_retries = 10000;
	w.profile.warn_after = HOURS(1);
	w.profile.warn_count = 3;
	w.profile.warn_interval = HOURS(2);
	world_open(&w);
	w.deliver = true;
	w.answer = 451;
	(void)submit_one(&w, "a@a.test", "b@b.test");
	world_run(&w, HOURS(2));
	ck_assert_uint_eq(warnings_of(&w), 1);
	/* How many there were, and when the last: both are in the store. */
	world_close(&w);
	w.ntold = 0;
	world_open(&w);
	world_run(&w, SECONDS(2400));
	ck_assert_uint_eq(warnings_of(&w), 1);
	world_run(&w, HOURS(1));
	ck_assert_uint_eq(warnings_of(&w), 2);
	world_run(&w, HOURS(3));
	ck_assert_uint_eq(warnings_of(&w), 3);
	world_close(&w);
	w.ntold = 0;
	world_open(&w);
	world_run(&w, HOURS(24));
	ck_assert_uint_eq(warnings_of(&w), 3);
	ck_assert_uint_eq(w.ndsn, 3);
	world_fini(&w);
}
END_TEST

START_TEST(never_warns_at_the_first_attempt)
{
	struct world w;

	world_init(&w, true);
	w.profile.warn = true;
	w.profile.warn_after = 1;
	w.profile.warn_interval = 1;
	w.profile.warn_count = 5;
	world_open(&w);
	w.deliver = true;
	w.answer = 451;
	(void)submit_one(&w, "a@a.test", "b@b.test");
	world_run(&w, SECONDS(59));
	ck_assert_uint_eq(w.nattempt, 1);
	ck_assert_uint_eq(w.ndsn, 0);
	world_run(&w, SECONDS(2));
	ck_assert_uint_eq(warnings_of(&w), 1);
	ck_assert_uint_eq(w.ndsn, 1);
	world_fini(&w);
}
END_TEST

UNIT_SUITE(qprofile)
{
	tcase_add_loop_test(tc,
	    recipients_of_one_message_have_schedules_of_their_own, 0, 2);
	tcase_add_test(tc, an_own_profile_survives_a_reload);
	tcase_add_test(tc, warns_again_after_an_interval_and_so_often_at_most);
	tcase_add_test(tc, never_warns_at_the_first_attempt);
}
