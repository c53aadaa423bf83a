#include "unit.h"

#include "queue_util.h"

/* Recipients that get another want or route while they wait, and news. */

static const char *const two[] = { "r0@b.test", "r1@b.test" };
static const char *const vip[] = { "vip@b.test", "r1@b.test" };

static void
turn(struct world *w, struct qunit *u, const char *want, const char *route)
{
	struct qreport v[2];
	unsigned i, n;

	(void)qunit_rcpt(u, &n);
	ck_assert_uint_eq(n, 2);
	for (i = 0; i < n; i++)
		v[i] = (struct qreport){ .i = i, .result = QRESULT_AGAIN,
			.status = "" };
	v[1].want = want;
	v[1].route = route;
	queue_report(w->q, u, v, n);
	world_settle(w);
}

START_TEST(a_recipient_goes_on_under_its_new_key)
{
	struct world w;

	world_init(&w, _i == 1);
	world_open(&w);
	(void)submit(&w, "a@a.test", two, 2);
	turn(&w, take(&w, "b.test"), "required", "c.test");
	ck_assert_uint_eq(stats_of(&w).due, 2);
	if (_i == 0) { /* it is on the disk */
		world_run(&w, 50);
		world_close(&w);
		w.ntold = 0;
		world_open(&w);
		ck_assert_uint_eq(stats_of(&w).due, 2);
	}
	tell(&w, take(&w, "b.test"), ANSWER_DONE);
	ck_assert_uint_eq(w.attempt[w.nattempt - 1].rid, 0);
	tell(&w, take(&w, "c.test required"), ANSWER_DONE);
	ck_assert_uint_eq(w.attempt[w.nattempt - 1].rid, 1);
	world_run(&w, SECONDS(1));
	ck_assert_uint_eq(waiting_rows(&w), 0);
	ck_assert_uint_eq(w.ndsn, 0);
	world_fini(&w);
}
END_TEST

/* Its domain does not tell where it goes: a reload must not move it. */
START_TEST(a_route_of_its_own_survives_a_reload)
{
	struct world w;

	world_init(&w, true);
	world_open(&w);
	(void)submit(&w, "a@a.test", two, 2);
	turn(&w, take(&w, "b.test"), NULL, "c.test");
	w.route = "b.test";
	queue_recover(w.q);
	world_run(&w, SECONDS(1));
	tell(&w, take(&w, "route:R"), ANSWER_DONE);
	ck_assert_uint_eq(w.attempt[w.nattempt - 1].rid, 0);
	tell(&w, take(&w, "c.test"), ANSWER_DONE);
	ck_assert_uint_eq(w.attempt[w.nattempt - 1].rid, 1);
	world_fini(&w);
}
END_TEST

START_TEST(tells_what_became_of_each_recipient)
{
	struct world w;

	world_init(&w, true);
	w.deliver = true;
	w.answer = ANSWER_DONE;
	w.answer_of[1] = 451;
	world_open(&w);
	(void)submit(&w, "a@a.test", vip, 2);
	world_run(&w, SECONDS(1));
	ck_assert_uint_eq(w.news[QUEUE_DELIVERED], 1);
	ck_assert_uint_eq(w.news[QUEUE_DEFERRED], 1);
	ck_assert_uint_eq(w.news[QUEUE_BOUNCED], 0);
	w.answer_of[1] = 550;
	world_run(&w, MINUTES(2));
	ck_assert_uint_eq(w.news[QUEUE_DEFERRED], 1);
	ck_assert_uint_eq(w.news[QUEUE_BOUNCED], 1);
	/* The message and the report of ours. */
	ck_assert_uint_eq(w.queued, 2);
	world_fini(&w);
}
END_TEST

START_TEST(the_end_of_a_lifetime_is_news)
{
	struct world w;

	world_init(&w, true);
	world_open(&w);
	(void)submit_one(&w, "a@a.test", "r0@b.test");
	world_run(&w, HOURS(73));
	ck_assert_uint_eq(w.news[QUEUE_BOUNCED], 1);
	ck_assert_uint_eq(w.ndsn, 1);
	world_fini(&w);
}
END_TEST

UNIT_SUITE(qtreat)
{
	tcase_add_loop_test(tc, a_recipient_goes_on_under_its_new_key, 0, 2);
	tcase_add_test(tc, a_route_of_its_own_survives_a_reload);
	tcase_add_test(tc, tells_what_became_of_each_recipient);
	tcase_add_test(tc, the_end_of_a_lifetime_is_news);
}
