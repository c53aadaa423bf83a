#include "unit.h"

#include "queue/queue_priv.h"
#include "queue_util.h"

static const struct store_filter any = { .hold = -1 };

START_TEST(keeps_a_waiting_unit_below_100_octets)
{
	ck_assert_uint_le(sizeof(struct qunit), 100);
}
END_TEST

struct delay {
	msec first, max;
	unsigned attempts;
	msec delay;
};

static const struct delay delays[] = {
	{ 60000, 3600000, 1, 60000 },
	{ 60000, 3600000, 2, 120000 },
	{ 60000, 3600000, 6, 1920000 },
	{ 60000, 3600000, 7, 3600000 },
	{ 60000, 3600000, 100000, 3600000 },
	{ 60000, 60000, 2, 60000 },
	{ 90000, 60000, 1, 60000 },
	{ 0, 60000, 1, 1 },
};

START_TEST(doubles_the_delay_up_to_the_longest)
{
	struct queue_profile p = { .first_retry = delays[_i].first,
		.max_retry = delays[_i].max };

	ck_assert_int_eq(retry_delay(&p, delays[_i].attempts),
	    delays[_i].delay);
}
END_TEST

START_TEST(spreads_retries_by_the_jitter_and_no_more)
{
	struct queue_profile p = { .first_retry = 10000, .max_retry = 10000,
		.jitter = 20 };
	msec d, low = 10000, high = 10000;
	unsigned i;

	for (i = 0; i < 2000; i++) {
		d = retry_delay(&p, 3);
		ck_assert(d >= 8000 && d <= 12000);
		low = d < low ? d : low;
		high = d > high ? d : high;
	}
	ck_assert(low < 8500 && high > 11500);
}
END_TEST

/* requirements.md 4.6, the first worked example. */
START_TEST(bounces_right_after_the_last_retry)
{
	struct world w;
	uint64_t mid;

	world_init(&w, true);
	w.profile.max_retries = 2;
	w.profile.max_retry = SECONDS(60);
	world_open(&w);
	w.deliver = true;
	w.answer = 451;
	mid = submit_one(&w, "a@a.test", "b@b.test");
	world_run(&w, SECONDS(119));
	ck_assert_uint_eq(w.nattempt, 2);
	ck_assert_uint_eq(w.ndsn, 0);
	w.answer_of[0] = 451;
	world_run(&w, SECONDS(2));
	/* The third attempt, its DSN, and no attempt after it. */
	ck_assert_uint_ge(w.nattempt, 3);
	ck_assert_uint_eq(w.attempt[0].at / 1000, 0);
	ck_assert_uint_eq(w.attempt[1].at / 1000, 60);
	ck_assert_uint_eq(w.attempt[2].at / 1000, 120);
	ck_assert_uint_eq(w.attempt[2].mid, mid);
	ck_assert_uint_eq(w.ndsn, 1);
	ck_assert_int_eq(w.dsn_kind[0], REPORT_FAILED);
	ck_assert_str_eq(w.dsn_status[0], "5.4.7");
	ck_assert_int_eq(w.dsn_at[0] / 1000, 120);
	world_fini(&w);
}
END_TEST

/* And the second. */
START_TEST(bounces_just_before_the_attempt_beyond_its_lifetime)
{
	struct world w;
	unsigned i, n = 0;
	uint64_t mid;

	world_init(&w, true);
	w.profile.lifetime = SECONDS(100);
	w.profile.max_retry = SECONDS(60);
	world_open(&w);
	w.deliver = true;
	w.answer = 451;
	mid = submit_one(&w, "a@a.test", "b@b.test");
	world_run(&w, SECONDS(119));
	ck_assert_uint_eq(w.ndsn, 0);
	world_run(&w, SECONDS(2));
	for (i = 0; i < w.nattempt; i++)
		n += w.attempt[i].mid == mid;
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(w.ndsn, 1);
	ck_assert_str_eq(w.dsn_status[0], "5.4.7");
	ck_assert_int_eq(w.dsn_at[0] / 1000, 120);
	world_fini(&w);
}
END_TEST

START_TEST(bounces_what_nobody_took_when_its_lifetime_ends)
{
	struct queue_stats s;
	struct world w;

	world_init(&w, true);
	w.profile.lifetime = SECONDS(100);
	world_open(&w);
	(void)submit_one(&w, "a@a.test", "b@b.test");
	s = stats_of(&w);
	ck_assert_uint_eq(s.due, 1);
	ck_assert_int_eq(s.oldest, w.start);
	world_run(&w, SECONDS(99));
	ck_assert_uint_eq(w.ndsn, 0);
	world_run(&w, SECONDS(2));
	ck_assert_uint_eq(w.ndsn, 1);
	ck_assert_int_eq(w.dsn_at[0] / 1000, 100);
	ck_assert_uint_eq(w.nattempt, 0);
	world_fini(&w);
}
END_TEST

START_TEST(delivers_from_memory_and_forgets)
{
	struct queue_stats s;
	struct qunit *u;
	struct world w;
	uint64_t mid;

	world_init(&w, true);
	world_open(&w);
	mid = submit_one(&w, "a@a.test", "b@b.test");
	ck_assert_uint_eq(w.ntold, 1);
	ck_assert_str_eq(qhop_key(w.told[0]), "b.test");
	ck_assert_ptr_eq(qhop_data(w.told[0]), &w);
	s = stats_of(&w);
	ck_assert_uint_eq(s.messages, 1);
	ck_assert_uint_gt(s.bytes, 2000);
	u = take(&w, "b.test");
	ck_assert_uint_eq(qunit_mid(u), mid);
	ck_assert_uint_eq(qunit_attempts(u), 0);
	ck_assert_ptr_eq(qunit_profile(u), &w.profile);
	ck_assert_uint_eq(body_memory(qunit_body(u)).n, 2000);
	ck_assert(str_eq_c(qunit_env(u)->sender.full, "a@a.test"));
	ck_assert_uint_eq(stats_of(&w).active, 1);
	ck_assert_uint_eq(qhop_due(w.told[0]), 0);
	tell(&w, u, 250);
	ck_assert_uint_eq(waiting_rows(&w), 0);
	s = stats_of(&w);
	ck_assert_uint_eq(s.messages + s.units + s.active + s.due + s.bytes,
	    0);
	/* A hop that the relay holds on to stays. */
	world_run(&w, MINUTES(5));
	ck_assert_str_eq(qhop_key(w.told[0]), "b.test");
	ck_assert_uint_eq(stats_of(&w).hops, 1);
	qhop_data_set(w.told[0], NULL);
	world_run(&w, MINUTES(5));
	ck_assert_uint_eq(stats_of(&w).hops, 0);
	world_fini(&w);
}
END_TEST

static const char *const five[] = { "r0@b.test", "r1@c.test", "r2@b.test",
	"r3@x.r.test", "r4@y.r.test" };

START_TEST(makes_one_unit_for_each_next_hop)
{
	struct qunit *u;
	struct world w;
	unsigned n;

	world_init(&w, true);
	w.route = ".r.test";
	world_open(&w);
	(void)submit(&w, "a@a.test", five, 5);
	ck_assert_uint_eq(stats_of(&w).units, 3);
	ck_assert_uint_eq(stats_of(&w).messages, 1);
	u = take(&w, "b.test");
	ck_assert_uint_eq(qunit_rcpt(u, &n)[1]->rid, 2);
	ck_assert_uint_eq(n, 2);
	tell(&w, u, 250);
	u = take(&w, "route:R");
	ck_assert_uint_eq(qunit_rcpt(u, &n)[0]->rid, 3);
	ck_assert_uint_eq(n, 2);
	tell(&w, u, 250);
	ck_assert_uint_eq(waiting_rows(&w), 1);
	tell(&w, take(&w, "c.test"), 550);
	/* The original goes, its DSN waits. */
	ck_assert_uint_eq(waiting_rows(&w), 1);
	ck_assert_uint_eq(w.ndsn, 1);
	ck_assert_uint_eq(stats_of(&w).messages, 1);
	ck_assert_ptr_nonnull(take(&w, "a.test"));
	ck_assert_uint_eq(qunit_env(w.taken)->sender.full.n, 0);
	tell(&w, w.taken, 250);
	ck_assert_uint_eq(waiting_rows(&w), 0);
	world_fini(&w);
}
END_TEST

/* "vip" wants more because of its address. */
static const char *const same_domain[] = { "r0@b.test", "vip@b.test",
	"r2@b.test", "r3@b.test" };
static const char *const wants[] = { "", "", "required", "none" };

START_TEST(what_wants_other_tls_is_another_unit)
{
	struct qunit *u;
	struct world w;
	unsigned n, before;

	world_init(&w, _i == 1);
	world_open(&w);
	(void)submit_wants(&w, same_domain, wants, 4);
	ck_assert_uint_eq(stats_of(&w).units, 3);
	ck_assert_uint_eq(stats_of(&w).messages, 1);
	tell(&w, take(&w, "b.test"), 451);
	u = take(&w, "b.test required");
	ck_assert_uint_eq(qunit_rcpt(u, &n)[0]->rid, 1);
	ck_assert_uint_eq(n, 2);
	ck_assert(str_eq_c(qunit_rcpt(u, NULL)[1]->want, "required"));
	tell(&w, u, 451);
	tell(&w, take(&w, "b.test none"), 451);
	ck_assert_uint_eq(stats_of(&w).due, 0);
	/* A flush of the domain is one of all of them. */
	ck_assert_uint_eq(queue_flush_domain(w.q, STR("b.test"), false), 3);
	ck_assert_uint_eq(stats_of(&w).due, 3);
	ck_assert_uint_eq(queue_flush_domain(w.q, STR("test"), true), 0);
	/* After a restart, or a scan, they are the same. */
	for (before = 0; before < 2; before++) {
		if (before == 1 && _i == 0) {
			world_close(&w);
			w.ntold = 0;
			world_open(&w);
			world_run(&w, MINUTES(2));
		} else {
			queue_recover(w.q);
			while (queue_recovering(w.q))
				(void)loop_step_fake(w.b.loop,
				    clock_now() + 1);
			world_settle(&w);
		}
		ck_assert_uint_eq(stats_of(&w).units, 3);
	}
	world_run(&w, MINUTES(2));
	tell(&w, take(&w, "b.test"), 250);
	u = take(&w, "b.test required");
	ck_assert_ptr_nonnull(qunit_rcpt(u, &n));
	ck_assert_uint_eq(n, 2);
	tell(&w, u, 250);
	tell(&w, take(&w, "b.test none"), 250);
	ck_assert_uint_eq(waiting_rows(&w), 0);
	world_fini(&w);
}
END_TEST

START_TEST(treats_each_recipient_by_its_own_result)
{
	const char *const to[] = { "r0@b.test", "r1@b.test", "r2@b.test",
		"r3@b.test" };
	struct qunit *u;
	struct world w;
	unsigned n;

	world_init(&w, true);
	world_open(&w);
	(void)submit(&w, "a@a.test", to, 4);
	w.answer_of[0] = 250;
	w.answer_of[1] = 451;
	w.answer_of[2] = 550;
	tell(&w, take(&w, "b.test"), ANSWER_AGAIN);
	world_settle(&w);
	/* Only what was not tried is due. */
	u = take(&w, "b.test");
	ck_assert_uint_eq(qunit_rcpt(u, &n)[0]->rid, 3);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(qunit_attempts(u), 0);
	tell(&w, u, 250);
	ck_assert_uint_eq(waiting_rows(&w), 2); /* r1, and the DSN */
	ck_assert_uint_eq(w.dsn_n[0], 1);
	world_run(&w, SECONDS(59));
	u = take(&w, "b.test");
	ck_assert_ptr_null(u);
	world_run(&w, SECONDS(2));
	u = take(&w, "b.test");
	ck_assert_uint_eq(qunit_rcpt(u, &n)[0]->rid, 1);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(qunit_attempts(u), 1);
	w.answer_of[1] = 0;
	tell(&w, u, 250);
	ck_assert_uint_eq(waiting_rows(&w), 1);
	world_fini(&w);
}
END_TEST

START_TEST(puts_the_bounce_where_the_recipient_is_marked)
{
	const char *const to[] = { "r0@b.test", "r1@c.test" };
	struct world w;

	world_init(&w, true);
	w.dsn_later = true;
	world_open(&w);
	(void)submit(&w, "a@a.test", to, 2);
	tell(&w, take(&w, "b.test"), 550);
	/* Not written yet: nothing has changed on the disk. */
	ck_assert_uint_eq(waiting_rows(&w), 2);
	/* The other one is through first; the message must stay for it. */
	tell(&w, take(&w, "c.test"), 250);
	ck_assert_uint_eq(waiting_rows(&w), 1);
	write_dsn(&w, 0, true);
	ck_assert_uint_eq(waiting_rows(&w), 1);
	ck_assert(!load(&w.b, 100));
	ck_assert(load(&w.b, 101));
	forget_loaded(&w.b);
	world_fini(&w);
}
END_TEST

START_TEST(never_bounces_a_bounce)
{
	struct world w;

	world_init(&w, true);
	world_open(&w);
	(void)submit_one(&w, "", "b@b.test");
	tell(&w, take(&w, "b.test"), 550);
	ck_assert_uint_eq(w.ndsn, 0);
	ck_assert_uint_eq(waiting_rows(&w), 0);
	world_fini(&w);
}
END_TEST

START_TEST(warns_once_and_only_after_a_4xx)
{
	struct world w;

	world_init(&w, true);
	w.profile.warn = true;
	w.profile.max_retry = HOURS(1);
	world_open(&w);
	w.deliver = true;
	w.answer = 451;
	(void)submit_one(&w, "a@a.test", "b@b.test");
	world_run(&w, HOURS(4) - SECONDS(10));
	ck_assert_uint_eq(w.ndsn, 0);
	w.answer_of[0] = 0;
	world_run(&w, HOURS(1) + SECONDS(10));
	ck_assert_uint_eq(w.ndsn, 1);
	ck_assert_int_eq(w.dsn_kind[0], REPORT_DELAYED);
	world_run(&w, HOURS(10));
	ck_assert_uint_eq(w.ndsn, 1);
	world_fini(&w);
}
END_TEST

START_TEST(reports_success_where_it_was_asked_for)
{
	struct world w;
	struct envelope *env;

	world_init(&w, true);
	world_open(&w);
	env = make_env(50, "a@a.test", 2);
	env->rcpt[0]->notify = NOTIFY_SUCCESS;
	env->rcpt[1]->notify = NOTIFY_NEVER;
	queue_submit(w.q, env, make_body(&w.b, 50, 10), bench_done, &w.b);
	bench_wait(&w.b, 1);
	world_settle(&w);
	tell(&w, take(&w, "d0.example"), 250);
	ck_assert_uint_eq(w.ndsn, 1);
	ck_assert_int_eq(w.dsn_kind[0], REPORT_SUCCESS);
	tell(&w, take(&w, "d1.example"), 550);
	ck_assert_uint_eq(w.ndsn, 1);
	world_fini(&w);
}
END_TEST

START_TEST(reads_back_what_memory_had_no_room_for)
{
	struct qunit *u;
	struct world w;

	world_init(&w, _i == 1);
	world_open(&w);
	queue_set_memory(w.q, 3000);
	(void)submit_one(&w, "a@a.test", "b@b.test");
	(void)submit_one(&w, "a@a.test", "c@c.test");
	ck_assert_uint_le(stats_of(&w).bytes, 6000);
	u = take(&w, "c.test");
	ck_assert_ptr_nonnull(u);
	ck_assert(str_eq_c(qunit_rcpt(u, NULL)[0]->addr.full, "c@c.test"));
	ck_assert_uint_eq(body_size(qunit_body(u)), 2000);
	tell(&w, u, 250);
	tell(&w, take(&w, "b.test"), 250);
	ck_assert_uint_eq(waiting_rows(&w), 0);
	world_fini(&w);
}
END_TEST

START_TEST(flushes_a_domain)
{
	struct world w;

	world_init(&w, true);
	w.route = ".r.test";
	world_open(&w);
	w.deliver = true;
	w.answer = 451;
	(void)submit(&w, "a@a.test", five, 5);
	(void)submit_one(&w, "a@a.test", "x@sub.b.test");
	w.deliver = false;
	ck_assert_uint_eq(stats_of(&w).due, 0);
	ck_assert_uint_eq(queue_flush_domain(w.q, STR("nobody.test"), false),
	    0);
	ck_assert_uint_eq(queue_flush_domain(w.q, STR("B.test"), false), 1);
	ck_assert_uint_eq(queue_flush_domain(w.q, STR("b.test"), false), 0);
	ck_assert_uint_eq(queue_flush_domain(w.q, STR("b.test"), true), 1);
	ck_assert_uint_eq(queue_flush_domain(w.q, STR("y.r.test"), false), 1);
	ck_assert_uint_eq(stats_of(&w).due, 3);
	ck_assert_ptr_nonnull(take(&w, "b.test"));
	tell(&w, w.taken, 250);
	world_fini(&w);
}
END_TEST

START_TEST(obeys_the_administrator)
{
	struct store_filter one = { .hold = -1, .mid = 101 };
	struct store_filter c = { .hold = -1, .domain = "c.test" };
	struct queue_stats s;
	struct world w;
	unsigned i;

	world_init(&w, _i == 1);
	w.route = ".r.test";
	world_open(&w);
	for (i = 0; i < 4; i++)
		(void)submit(&w, "a@a.test", five, 5);
	ck_assert_uint_eq(act(&w, QUEUE_HOLD, &one), 1);
	ck_assert_uint_eq(stats_of(&w).held, 3);
	ck_assert_uint_eq(stats_of(&w).due, 9);
	ck_assert_uint_eq(act(&w, QUEUE_FLUSH, &one), 1);
	ck_assert_uint_eq(stats_of(&w).held, 3);
	ck_assert_uint_eq(act(&w, QUEUE_RELEASE, &any), 4);
	ck_assert_uint_eq(stats_of(&w).held, 0);
	ck_assert_uint_eq(stats_of(&w).due, 12);
	/* Some of the recipients only. */
	ck_assert_uint_eq(act(&w, QUEUE_DELETE, &c), 4);
	ck_assert_uint_eq(stats_of(&w).units, 8);
	ck_assert_uint_eq(waiting_rows(&w), 16);
	ck_assert_uint_eq(act(&w, QUEUE_DELETE, &one), 1);
	ck_assert_uint_eq(waiting_rows(&w), 12);
	/* What is being delivered is left alone. */
	ck_assert_ptr_nonnull(take(&w, "b.test"));
	ck_assert_uint_eq(act(&w, QUEUE_DELETE, &any), 2);
	ck_assert(w.b.failed);
	ck_assert_ptr_nonnull(strstr(w.b.why.text, "1 more are being"));
	tell(&w, w.taken, 451);
	world_settle(&w);
	ck_assert_uint_eq(act(&w, QUEUE_REQUEUE, &any), 1);
	ck_assert_uint_eq(qunit_attempts(take(&w, "b.test")), 0);
	tell(&w, w.taken, 451);
	/* All of it comes back, in two reports for its two hops. */
	ck_assert_uint_eq(act(&w, QUEUE_BOUNCE, &any), 1);
	ck_assert(!w.b.failed);
	ck_assert_uint_eq(w.ndsn, 2);
	ck_assert_uint_eq(w.dsn_n[0] + w.dsn_n[1], 4);
	ck_assert_str_eq(w.dsn_status[0], "5.7.0");
	ck_assert_uint_eq(waiting_rows(&w), 2);
	s = stats_of(&w);
	ck_assert_uint_eq(s.messages, 2);
	ck_assert_uint_eq(s.units, 2);
	ck_assert_uint_eq(act(&w, QUEUE_DELETE, &any), 2);
	ck_assert_uint_eq(waiting_rows(&w), 0);
	ck_assert_uint_eq(stats_of(&w).units, 0);
	world_fini(&w);
}
END_TEST

START_TEST(flushes_what_is_being_read)
{
	struct world w;
	struct qhop *hop;

	world_init(&w, true);
	world_open(&w);
	(void)submit_one(&w, "a@a.test", "x@b.test");
	tell(&w, take(&w, "b.test"), 451);
	world_settle(&w);
	hop = w.told[0];
	ck_assert_uint_eq(act(&w, QUEUE_HOLD, &any), 1);
	ck_assert_uint_eq(act(&w, QUEUE_RELEASE, &any), 1);
	ck_assert_uint_eq(qhop_due(hop), 1);
	w.got = false;
	qhop_take(hop, world_taken, &w);
	ck_assert(!w.got);
	queue_act(w.q, QUEUE_FLUSH, &any, world_acted, &w);
	while (!w.got)
		(void)loop_step_fake(w.b.loop, clock_now() + 20);
	ck_assert_ptr_nonnull(w.taken);
	tell(&w, w.taken, 250);
	world_fini(&w);
}
END_TEST

START_TEST(flushed_and_not_tried_stays_due)
{
	struct world w;

	world_init(&w, true);
	world_open(&w);
	(void)submit_one(&w, "a@a.test", "x@b.test");
	tell(&w, take(&w, "b.test"), 451);
	ck_assert_uint_eq(queue_flush_domain(w.q, STR("b.test"), false), 1);
	tell(&w, take(&w, "b.test"), ANSWER_AGAIN);
	ck_assert_uint_eq(stats_of(&w).due, 1);
	tell(&w, take(&w, "b.test"), 250);
	world_fini(&w);
}
END_TEST

START_TEST(acts_on_more_than_a_slice)
{
	struct store_filter d = { .hold = -1, .rcpt = "b@*" };
	struct world w;
	struct envelope *env, *one;
	unsigned i;

	world_init(&w, true);
	world_open(&w);
	one = make_env(1, "b@b.test", 0);
	for (i = 0; i < 5000; i++) {
		env = make_env(w.next_mid++, "", 0);
		(void)envelope_add_rcpt(env, &one->sender, STR(""), 0);
		(void)envelope_add_rcpt(env, &one->sender, STR(""), 0);
		(void)envelope_add_rcpt(env, &one->sender, STR(""), 0);
		queue_submit(w.q, env, make_body(&w.b, env->mid, 10),
		    bench_done, &w.b);
	}
	bench_wait(&w.b, 5000);
	world_settle(&w);
	ck_assert_uint_eq(stats_of(&w).units, 5000);
	ck_assert_uint_eq(act(&w, QUEUE_DELETE, &d), 5000);
	world_run(&w, SECONDS(1));
	ck_assert_uint_eq(stats_of(&w).units, 0);
	ck_assert_uint_eq(waiting_rows(&w), 0);
	envelope_destroy(&one);
	world_fini(&w);
}
END_TEST

UNIT_SUITE(queue)
{
	tcase_add_test(tc, keeps_a_waiting_unit_below_100_octets);
	tcase_add_loop_test(tc, doubles_the_delay_up_to_the_longest, 0,
	    (int)(sizeof(delays) / sizeof(delays[0])));
	tcase_add_test(tc, spreads_retries_by_the_jitter_and_no_more);
	tcase_add_test(tc, bounces_right_after_the_last_retry);
	tcase_add_test(tc, bounces_just_before_the_attempt_beyond_its_lifetime);
	tcase_add_test(tc, bounces_what_nobody_took_when_its_lifetime_ends);
	tcase_add_test(tc, delivers_from_memory_and_forgets);
	tcase_add_test(tc, makes_one_unit_for_each_next_hop);
	tcase_add_loop_test(tc, what_wants_other_tls_is_another_unit, 0, 2);
	tcase_add_test(tc, treats_each_recipient_by_its_own_result);
	tcase_add_test(tc, puts_the_bounce_where_the_recipient_is_marked);
	tcase_add_test(tc, never_bounces_a_bounce);
	tcase_add_test(tc, warns_once_and_only_after_a_4xx);
	tcase_add_test(tc, reports_success_where_it_was_asked_for);
	tcase_add_loop_test(tc, reads_back_what_memory_had_no_room_for, 0, 2);
	tcase_add_test(tc, flushes_a_domain);
	tcase_add_loop_test(tc, obeys_the_administrator, 0, 2);
	tcase_add_test(tc, flushes_what_is_being_read);
	tcase_add_test(tc, flushed_and_not_tried_stays_due);
	tcase_add_test(tc, acts_on_more_than_a_slice);
}
