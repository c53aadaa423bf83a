/*
 * The last promises of test_event.c: how an event ends.
 */
#include <string.h>

#include "rig.h"
#include "unit.h"

#define ONE(name, hook, fn)                                                    \
	static const struct pst_hook name[] = { PST_HOOK(hook, fn), PST_END }

static char trace[512], clean[] = "clean";
static uint64_t parked;

static void
add(const char *what)
{
	strcat(trace, what);
	strcat(trace, " ");
}

static void
cleaned(void *arg)
{
	add(arg);
}

static void
begin(void)
{
	trace[0] = '\0';
	rig_begin();
}

static enum pst_verdict
continued(struct pst_event *ev, const struct pst_result *r)
{
	(void)ev;
	ck_assert_int_eq(r->status, PST_OK);
	add("0");
	return PST_CONTINUE;
}

static enum pst_verdict
waits_on(struct pst_event *ev, const struct pst_result *r)
{
	(void)continued(ev, r);
	return PST_WAIT;
}

static enum pst_verdict
waits_a_bit(struct pst_event *ev)
{
	return pst_timer(ev, 1, continued);
}

ONE(mail_bit, PST_ON_MAIL, waits_a_bit);

/* ---- 6. several outstanding --------------------------------------------- */

static enum pst_verdict
refuses(struct pst_event *ev, const struct pst_result *r)
{
	(void)continued(ev, r);
	return pst_reject(ev, 550, "5.7.1", "no");
}

static enum pst_verdict
waits_for_three(struct pst_event *ev)
{
	(void)pst_timer(ev, 10, waits_on);
	(void)pst_timer(ev, 20, refuses);
	return pst_timer(ev, 30, continued);
}

ONE(mail_three, PST_ON_MAIL, waits_for_three);

START_TEST(cancels_the_rest_with_the_first_verdict)
{
	(void)rig_add("a", mail_three);
	ck_assert(!rig_hook(HOOK_MAIL));
	rig_run(100);
	ck_assert_str_eq(trace, "0 0 ");
	ck_assert_uint_eq(rig.answers, 1);
	ck_assert_int_eq(rig.v.act, HOOK_REJECT);
	ck_assert_str_eq(rig.v.reply.text, "no");
}
END_TEST

static enum pst_verdict
asks_and_answers(struct pst_event *ev)
{
	(void)pst_timer(ev, 10, continued);
	return PST_ACCEPT;
}

ONE(mail_both, PST_ON_MAIL, asks_and_answers);

START_TEST(drops_what_was_asked_when_the_verdict_is_there)
{
	(void)rig_add("a", mail_both);
	ck_assert(rig_hook(HOOK_MAIL));
	ck_assert_int_eq(rig.v.act, HOOK_GO);
	rig_run(100);
	ck_assert_str_eq(trace, "");
}
END_TEST

static unsigned ask;

static enum pst_verdict
asks_many(struct pst_event *ev)
{
	unsigned i;

	for (i = 0; i < ask; i++)
		(void)pst_timer(ev, 10, waits_on);
	return PST_WAIT;
}

ONE(mail_many, PST_ON_MAIL, asks_many);

START_TEST(allows_64_requests_of_an_event)
{
	(void)rig_add("a", mail_many);
	ask = 64;
	ck_assert(!rig_hook(HOOK_MAIL));
	hook_cancel(&rig.run);
	ask = 65 + (unsigned)_i * 100000;
	ck_assert(rig_hook(HOOK_MAIL));
	ck_assert_int_eq(rig.v.act, HOOK_TEMPFAIL);
	ck_assert_ptr_nonnull(strstr(rig_log(), "more than 64 requests"));
}
END_TEST

/* ---- 7. deadlines and slowness ------------------------------------------ */

static enum pst_verdict
waits_for_ever(struct pst_event *ev)
{
	pst_defer(ev, PST_EVENT, cleaned, clean);
	return pst_park(ev, 0, &parked, continued);
}

ONE(mail_ever, PST_ON_MAIL, waits_for_ever);

START_TEST(ends_at_its_deadline)
{
	struct instance *i = rig_add("a", mail_ever);

	i->timeout = SECONDS(3);
	ck_assert(!rig_hook(HOOK_MAIL));
	rig_run(2999);
	ck_assert_uint_eq(rig.answers, 0);
	rig_run(1);
	ck_assert_uint_eq(rig.answers, 1);
	ck_assert_int_eq(rig.v.act, HOOK_TEMPFAIL);
	ck_assert_str_eq(trace, "clean ");
	ck_assert_str_eq(rig_log(), "Warning: Plugin a failed at mail: MID 7 "
	    "ICID 5 no verdict within 3s\n");
}
END_TEST

ONE(emit_ever, "alert_sink/1.emit", waits_for_ever);

START_TEST(has_a_quarter_of_an_hour_to_tell_an_alert)
{
	ck_assert(!rig_op(rig_add("a", emit_ever), "alert_sink/1.emit", NULL));
	rig_run(MINUTES(15) - 1);
	ck_assert_uint_eq(rig.answers, 0);
	rig_run(1);
	ck_assert_uint_eq(rig.answers, 1);
	ck_assert_int_eq(rig.a.verdict, PST_TEMPFAIL);
}
END_TEST

static enum pst_verdict
again(struct pst_event *ev, const struct pst_result *r)
{
	(void)r;
	return pst_timer(ev, 1000, again);
}

static enum pst_verdict
goes_on_asking(struct pst_event *ev)
{
	return pst_timer(ev, 1000, again);
}

ONE(mail_again, PST_ON_MAIL, goes_on_asking);

START_TEST(has_one_deadline_for_all_its_requests_and_one_per_plugin)
{
	rig_add("a", mail_bit)->timeout = SECONDS(5);
	rig_add("b", mail_again)->timeout = SECONDS(10);
	ck_assert(!rig_hook(HOOK_MAIL));
	rig_run(10000);
	ck_assert_uint_eq(rig.answers, 0);
	rig_run(1);
	ck_assert_uint_eq(rig.answers, 1);
	ck_assert_str_eq(rig.v.by, "b");
}
END_TEST

static msec slowness;

static enum pst_verdict
dawdles(struct pst_event *ev)
{
	(void)ev;
	clock_fake_advance(slowness);
	return PST_CONTINUE;
}

ONE(mail_dawdles, PST_ON_MAIL, dawdles);

START_TEST(tells_who_blocked_everything)
{
	(void)rig_add("a", mail_dawdles);
	slowness = 50;
	(void)rig_hook(HOOK_MAIL);
	ck_assert_str_eq(rig_log(), "");
	slowness = 51;
	(void)rig_hook(HOOK_MAIL);
	ck_assert_str_eq(rig_log(), "Warning: Plugin a blocked everything for "
	    "51 ms at mail MID 7 ICID 5\n");
	slowness = 0;
	(void)rig_hook(HOOK_MAIL);
	(void)rig_hook(HOOK_MAIL);
	ck_assert_int_eq(rig_metric("plugin_call_ms",
	    "plugin=\"a\",hook=\"mail\""), 4);
}
END_TEST

UNIT_SUITE(event_end)
{
	tcase_add_checked_fixture(tc, begin, rig_end);
	tcase_add_test(tc, cancels_the_rest_with_the_first_verdict);
	tcase_add_test(tc, drops_what_was_asked_when_the_verdict_is_there);
	tcase_add_loop_test(tc, allows_64_requests_of_an_event, 0, 2);
	tcase_add_test(tc, ends_at_its_deadline);
	tcase_add_test(tc, has_a_quarter_of_an_hour_to_tell_an_alert);
	tcase_add_test(tc,
	    has_one_deadline_for_all_its_requests_and_one_per_plugin);
	tcase_add_test(tc, tells_who_blocked_everything);
}
