#include "unit.h"

#include "queue_util.h"

/* What TLS that cannot be had means for time: deadlines, warnings, reports. */

static const char *const vip[] = { "vip@b.test" };
static const char *const two[] = { "vip@b.test", "r1@b.test" };
static const char *const no_want[] = { "", "" };
static const char *const both[] = { "required", "required" };

static void
open_world(struct world *w, bool memory)
{
	world_init(w, memory);
	w->deliver = true;
	w->answer = 451;
	w->deadline = HOURS(24);
	w->tls_of[0] = TLSR_NAME;
	world_open(w);
}

START_TEST(gives_up_for_tls_at_the_deadline)
{
	struct world w;
	unsigned tries;
	uint64_t mid;

	open_world(&w, true);
	mid = submit_wants(&w, vip, no_want, 1);
	world_run(&w, HOURS(24) - MINUTES(1));
	ck_assert_uint_eq(stats_of(&w).messages, 1);
	tries = w.nattempt;
	ck_assert_uint_ge(tries, 24);
	ck_assert_uint_eq(w.ndsn, 0);
	world_run(&w, MINUTES(2));
	ck_assert_uint_eq(w.ndsn, 1);
	ck_assert_int_eq(w.dsn_kind[0], REPORT_FAILED);
	ck_assert_int_eq(w.dsn_at[0], HOURS(24));
	ck_assert_str_eq(w.dsn_status[0], "5.7.5");
	ck_assert_int_eq(w.dsn_code, 0);
	ck_assert_str_eq(w.dsn_text, "certificate is for another name "
	    "[name-mismatch]: no TLS while sending STARTTLS");
	for (; tries < w.nattempt; tries++)
		ck_assert_uint_ne(w.attempt[tries].mid, mid);
	world_run(&w, HOURS(74));
	/* The report is refused with 451, too, and nobody is told of that. */
	ck_assert_uint_eq(w.ndsn, 1);
	ck_assert_uint_eq(waiting_rows(&w), 0);
	world_fini(&w);
}
END_TEST

START_TEST(other_failures_follow_the_profile)
{
	struct world w;

	open_world(&w, true);
	w.tls_of[0] = TLSR_NONE;
	(void)submit_wants(&w, vip, no_want, 1);
	world_run(&w, HOURS(71));
	ck_assert_uint_eq(w.ndsn, 0);
	world_run(&w, HOURS(2));
	ck_assert_uint_eq(w.ndsn, 1);
	ck_assert_str_eq(w.dsn_status[0], "5.4.7");
	ck_assert_int_eq(w.dsn_code, 451);
	world_fini(&w);
}
END_TEST

START_TEST(a_lifetime_that_ends_first_counts)
{
	struct world w;

	open_world(&w, true);
	w.profile.lifetime = HOURS(3);
	(void)submit_wants(&w, vip, no_want, 1);
	world_run(&w, HOURS(4));
	ck_assert_uint_ge(w.ndsn, 1);
	ck_assert_int_le(w.dsn_at[0], HOURS(4));
	ck_assert_str_eq(w.dsn_status[0], "5.7.5");
	world_fini(&w);
}
END_TEST

/* What failed last counts, for each recipient. */
START_TEST(the_deadline_is_for_whom_tls_failed)
{
	struct world w;

	open_world(&w, _i == 1);
	(void)submit_wants(&w, two, both, 2);
	world_run(&w, HOURS(24) + MINUTES(1));
	ck_assert_uint_eq(w.ndsn, 1);
	ck_assert_uint_eq(w.dsn_n[0], 1);
	ck_assert_uint_eq(w.dsn_rid, 0);
	ck_assert_int_eq(w.dsn_at[0], HOURS(24));
	w.answer = 250;
	world_run(&w, HOURS(2));
	ck_assert_uint_eq(w.ndsn, 1);
	ck_assert_uint_eq(w.attempt[w.nattempt - 2].rid +
		w.attempt[w.nattempt - 1].rid, 1);
	ck_assert_uint_eq(waiting_rows(&w), 0);
	world_fini(&w);
}
END_TEST

START_TEST(a_delivery_failure_of_another_kind_lifts_the_deadline)
{
	struct world w;

	open_world(&w, true);
	(void)submit_wants(&w, vip, no_want, 1);
	world_run(&w, HOURS(22));
	w.tls_of[0] = TLSR_NONE;
	world_run(&w, HOURS(10));
	ck_assert_uint_eq(w.ndsn, 0);
	/* And one of TLS afterwards ends it at once. */
	w.tls_of[0] = TLSR_NO_STARTTLS;
	world_run(&w, HOURS(2));
	ck_assert_uint_eq(w.ndsn, 1);
	ck_assert_str_eq(w.dsn_status[0], "5.7.4");
	world_fini(&w);
}
END_TEST

/* Due all the time, as when every host is in back-off. */
START_TEST(the_deadline_ends_what_nobody_takes)
{
	struct world w;

	open_world(&w, _i == 1);
	(void)submit_wants(&w, vip, no_want, 1);
	world_run(&w, HOURS(1));
	w.deliver = false;
	world_run(&w, HOURS(23) - MINUTES(1));
	ck_assert_uint_eq(stats_of(&w).due, 1);
	ck_assert_uint_eq(w.ndsn, 0);
	world_run(&w, MINUTES(2));
	ck_assert_uint_eq(w.ndsn, 1);
	ck_assert_int_eq(w.dsn_at[0], HOURS(24));
	ck_assert_str_eq(w.dsn_status[0], "5.7.5");
	world_fini(&w);
}
END_TEST

START_TEST(the_deadline_outlives_a_restart)
{
	struct world w;

	open_world(&w, false);
	(void)submit_wants(&w, vip, no_want, 1);
	world_run(&w, HOURS(1));
	world_close(&w);
	w.deliver = false;
	world_open(&w);
	world_run(&w, HOURS(23) - MINUTES(1));
	ck_assert_uint_eq(w.ndsn, 0);
	world_run(&w, MINUTES(2));
	ck_assert_uint_eq(w.ndsn, 1);
	ck_assert_int_eq(w.dsn_at[0], HOURS(24));
	ck_assert_str_eq(w.dsn_status[0], "5.7.5");
	world_fini(&w);
}
END_TEST

START_TEST(warns_at_the_age_that_the_want_names)
{
	struct world w;

	open_world(&w, true);
	w.warn_after = HOURS(5) / 2;
	(void)submit_wants(&w, vip, no_want, 1);
	world_run(&w, HOURS(20));
	ck_assert_uint_eq(w.ndsn, 1);
	ck_assert_int_eq(w.dsn_kind[0], REPORT_DELAYED);
	ck_assert_int_eq(w.dsn_at[0], HOURS(5) / 2);
	ck_assert_str_eq(w.dsn_status[0], "4.7.5");
	world_fini(&w);
}
END_TEST

/* A report of ours that may not travel in clear. */
static uint64_t
submit_report(struct world *w)
{
	struct envelope *env = make_env(w->next_mid++, "", 0), *one;
	uint64_t mid = env->mid;

	one = make_env(1, "us@us.test", 0);
	envelope_add_rcpt(env, &one->sender, STR(""), 0)->want =
	    STR("required");
	envelope_destroy(&one);
	env->flags = ENV_GENERATED;
	env->size = 500;
	queue_submit(w->q, env, make_body(&w->b, mid, 500), bench_done,
	    &w->b);
	bench_wait(&w->b, 1);
	world_settle(w);
	return mid;
}

static unsigned
held_rows(struct world *w)
{
	ck_assert_uint_eq(stats_of(w).held, stats_of(w).messages);
	return stats_of(w).held;
}

START_TEST(holds_a_report_that_may_not_travel_in_clear)
{
	struct store_filter f = { .hold = STORE_HELD };
	struct world w;
	unsigned tries;

	open_world(&w, _i == 1);
	w.deadline = 0;
	if (_i == 2) /* out of reach is no reason either */
		w.tls_of[0] = TLSR_NONE;
	f.mid = submit_report(&w);
	world_run(&w, HOURS(70));
	ck_assert_uint_eq(stats_of(&w).held, 0);
	world_run(&w, HOURS(3));
	ck_assert_uint_eq(held_rows(&w), 1);
	ck_assert_uint_eq(waiting_rows(&w), 1);
	ck_assert_uint_eq(w.ndsn, 0);
	tries = w.nattempt;
	if (_i != 1) {
		world_close(&w);
		world_open(&w);
		ck_assert_uint_eq(held_rows(&w), 1);
	}
	world_run(&w, HOURS(100));
	ck_assert_uint_eq(w.nattempt, tries);
	/* One attempt for each release. */
	ck_assert_uint_eq(act(&w, QUEUE_RELEASE, &f), 1);
	world_run(&w, HOURS(1));
	ck_assert_uint_eq(w.nattempt, tries + 1);
	ck_assert_uint_eq(held_rows(&w), 1);
	w.answer = 250;
	ck_assert_uint_eq(act(&w, QUEUE_RELEASE, &f), 1);
	world_run(&w, HOURS(1));
	ck_assert_uint_eq(w.nattempt, tries + 2);
	ck_assert_uint_eq(waiting_rows(&w), 0);
	world_fini(&w);
}
END_TEST

START_TEST(does_not_hold_a_report_that_was_refused)
{
	struct world w;

	open_world(&w, true);
	w.answer = 550;
	(void)submit_report(&w);
	world_run(&w, HOURS(1));
	ck_assert_uint_eq(waiting_rows(&w), 0);
	ck_assert_uint_eq(w.ndsn, 0);
	world_fini(&w);
}
END_TEST

START_TEST(the_administrator_ends_a_held_report)
{
	struct store_filter f = { .hold = STORE_HELD };
	struct world w;

	open_world(&w, true);
	f.mid = submit_report(&w);
	world_run(&w, HOURS(73));
	ck_assert_uint_eq(held_rows(&w), 1);
	ck_assert_uint_eq(act(&w, _i == 0 ? QUEUE_DELETE : QUEUE_BOUNCE, &f),
	    1);
	world_run(&w, HOURS(1));
	ck_assert_uint_eq(waiting_rows(&w), 0);
	ck_assert_uint_eq(w.ndsn, 0);
	world_fini(&w);
}
END_TEST

UNIT_SUITE(qtls)
{
	tcase_add_test(tc, gives_up_for_tls_at_the_deadline);
	tcase_add_test(tc, other_failures_follow_the_profile);
	tcase_add_test(tc, a_lifetime_that_ends_first_counts);
	tcase_add_loop_test(tc, the_deadline_is_for_whom_tls_failed, 0, 2);
	tcase_add_test(tc,
	    a_delivery_failure_of_another_kind_lifts_the_deadline);
	tcase_add_loop_test(tc, the_deadline_ends_what_nobody_takes, 0, 2);
	tcase_add_test(tc, the_deadline_outlives_a_restart);
	tcase_add_test(tc, warns_at_the_age_that_the_want_names);
	tcase_add_loop_test(tc, holds_a_report_that_may_not_travel_in_clear, 0,
	    3);
	tcase_add_test(tc, does_not_hold_a_report_that_was_refused);
	tcase_add_loop_test(tc, the_administrator_ends_a_held_report, 0, 2);
}
