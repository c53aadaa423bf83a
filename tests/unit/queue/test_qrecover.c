#include "unit.h"

#include "queue_util.h"

static const char *const five[] = { "r0@b.test", "r1@c.test", "r2@b.test",
	"r3@x.r.test", "r4@y.r.test" };

START_TEST(goes_on_after_a_restart)
{
	const char *const to[] = { "r0@b.test", "r1@c.test" };
	struct qunit *u;
	struct world w;

	world_init(&w, false);
	world_open(&w);
	(void)submit(&w, "a@a.test", to, 2);
	(void)submit_one(&w, "a@a.test", "b@b.test");
	tell(&w, take(&w, "b.test"), 451);
	tell(&w, take(&w, "c.test"), 250);
	world_close(&w);
	w.ntold = 0;
	world_open(&w);
	ck_assert_uint_eq(stats_of(&w).messages, 2);
	ck_assert_uint_eq(stats_of(&w).units, 2);
	ck_assert_uint_eq(stats_of(&w).due, 1);
	u = take(&w, "b.test");
	ck_assert_uint_eq(qunit_mid(u), 101);
	tell(&w, u, 250);
	world_run(&w, SECONDS(61));
	u = take(&w, "b.test");
	ck_assert_uint_eq(qunit_mid(u), 100);
	ck_assert_uint_eq(qunit_attempts(u), 1);
	tell(&w, u, 250);
	ck_assert_uint_eq(waiting_rows(&w), 0);
	world_fini(&w);
}
END_TEST

START_TEST(does_not_list_twice_what_comes_during_recovery)
{
	struct world w;
	unsigned i;

	world_init(&w, false);
	world_open(&w);
	for (i = 0; i < 30; i++)
		(void)submit_one(&w, "a@a.test", "b@b.test");
	world_close(&w);
	w.ntold = 0;
	world_open(&w);
	queue_recover(w.q); /* as after a reload */
	(void)submit_one(&w, "a@a.test", "b@b.test");
	tell(&w, take(&w, "b.test"), 250);
	while (queue_recovering(w.q))
		(void)loop_step_fake(w.b.loop, clock_now() + 1);
	world_settle(&w);
	ck_assert_uint_eq(stats_of(&w).messages, 30);
	ck_assert_uint_eq(stats_of(&w).recipients, waiting_rows(&w));
	for (i = 0; i < 30; i++)
		tell(&w, take(&w, "b.test"), 250);
	ck_assert_uint_eq(waiting_rows(&w), 0);
	ck_assert_uint_eq(stats_of(&w).units, 0);
	world_fini(&w);
}
END_TEST

START_TEST(follows_the_routes_after_a_reload)
{
	struct qunit *u;
	struct world w;
	unsigned n;

	world_init(&w, _i == 1);
	world_open(&w);
	(void)submit(&w, "a@a.test", five, 5);
	ck_assert_uint_eq(stats_of(&w).units, 4);
	ck_assert_uint_eq(stats_of(&w).recipients, 5);
	u = take(&w, "x.r.test");
	w.route = ".test";
	queue_recover(w.q);
	while (queue_recovering(w.q))
		(void)loop_step_fake(w.b.loop, clock_now() + 1);
	world_settle(&w);
	tell(&w, u, 451); /* from the old hop to the new one */
	world_run(&w, SECONDS(61));
	ck_assert_uint_eq(stats_of(&w).units, 1);
	ck_assert_uint_eq(stats_of(&w).recipients, 5);
	u = take(&w, "route:R");
	ck_assert_ptr_nonnull(qunit_rcpt(u, &n));
	ck_assert_uint_eq(n, 5);
	tell(&w, u, 451);
	/* And back again. */
	w.route = NULL;
	queue_recover(w.q);
	while (queue_recovering(w.q))
		(void)loop_step_fake(w.b.loop, clock_now() + 1);
	world_run(&w, SECONDS(200));
	ck_assert_uint_eq(stats_of(&w).units, 4);
	ck_assert_uint_eq(stats_of(&w).recipients, 5);
	tell(&w, take(&w, "b.test"), 250);
	ck_assert_uint_lt(stats_of(&w).recipients, 5);
	tell(&w, take(&w, "c.test"), 250);
	tell(&w, take(&w, "x.r.test"), 250);
	tell(&w, take(&w, "y.r.test"), 250);
	ck_assert_uint_eq(stats_of(&w).recipients, 0);
	ck_assert_uint_eq(waiting_rows(&w), 0);
	world_fini(&w);
}
END_TEST

START_TEST(takes_over_the_store_of_a_lost_worker)
{
	struct err why = ERR_INIT;
	struct world w;

	world_init(&w, false);
	w.b.conf.index = 1;
	world_open(&w);
	(void)submit_one(&w, "a@a.test", "b@b.test");
	world_close(&w);
	w.b.conf.index = 0;
	w.ntold = 0;
	world_open(&w);
	ck_assert_uint_eq(stats_of(&w).units, 0);
	w.b.conf.index = 1;
	ck_assert_int_eq(queue_adopt(w.q, &w.b.conf, &why), 0);
	while (queue_recovering(w.q))
		(void)loop_step_fake(w.b.loop, clock_now() + 1);
	world_settle(&w);
	ck_assert_uint_eq(stats_of(&w).units, 1);
	/* Its bounce stays with it. */
	tell(&w, take(&w, "b.test"), 550);
	world_run(&w, 100);
	ck_assert_uint_eq(waiting_rows(&w), 0);
	ck_assert_uint_eq(stats_of(&w).units, 1);
	tell(&w, take(&w, "a.test"), 250);
	world_close(&w);
	w.b.conf.index = 1;
	world_open(&w);
	ck_assert_uint_eq(waiting_rows(&w), 0);
	world_fini(&w);
}
END_TEST

START_TEST(reads_a_message_once_for_two_next_hops)
{
	const char *const to[] = { "r0@b.test", "r1@c.test" };
	struct qunit *u, *v;
	struct world w;

	world_init(&w, false);
	world_open(&w);
	queue_set_memory(w.q, 0);
	(void)submit(&w, "a@a.test", to, 2);
	ck_assert_uint_eq(stats_of(&w).bytes, 0);
	u = take(&w, "b.test");
	v = take(&w, "c.test");
	ck_assert_ptr_eq(qunit_env(u), qunit_env(v));
	tell(&w, u, 451);
	tell(&w, v, 550);
	world_settle(&w);
	ck_assert_uint_eq(waiting_rows(&w), 2);
	world_fini(&w);
}
END_TEST

UNIT_SUITE(qrecover)
{
	tcase_add_test(tc, goes_on_after_a_restart);
	tcase_add_test(tc, does_not_list_twice_what_comes_during_recovery);
	tcase_add_loop_test(tc, follows_the_routes_after_a_reload, 0, 2);
	tcase_add_test(tc, takes_over_the_store_of_a_lost_worker);
	tcase_add_test(tc, reads_a_message_once_for_two_next_hops);
}
