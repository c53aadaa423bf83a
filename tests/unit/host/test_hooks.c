#include <stdio.h>
#include <string.h>

#include "rig.h"
#include "unit.h"

/* What the functions of the test's plugins saw and say. */
static char trace[256];
static int say;

static enum pst_verdict
note(struct pst_event *ev, enum pst_verdict v)
{
	strcat(trace, ev->instance);
	strcat(trace, " ");
	return v;
}

static enum pst_verdict
goes_on(struct pst_event *ev)
{
	return note(ev, PST_CONTINUE);
}

static enum pst_verdict
says(struct pst_event *ev)
{
	return note(ev, (enum pst_verdict)say);
}

static enum pst_verdict
refuses(struct pst_event *ev)
{
	return pst_reject(ev, 554, "5.7.1", "no \r\n %s", ev->on);
}

static enum pst_verdict
keeps(struct pst_event *ev)
{
	(void)note(ev, PST_CONTINUE);
	return pst_quarantine(ev, "%s thinks so", ev->instance);
}

static enum pst_verdict
after_timer(struct pst_event *ev, const struct pst_result *r)
{
	ck_assert_int_eq(r->status, PST_OK);
	return note(ev, (enum pst_verdict)say);
}

static enum pst_verdict
waits(struct pst_event *ev)
{
	(void)note(ev, PST_WAIT);
	return pst_timer(ev, 100, after_timer);
}

static enum pst_verdict
waits_long(struct pst_event *ev)
{
	return pst_timer(ev, 3600000, after_timer);
}

#define CHAIN(name, hook, fn)                                                  \
	static const struct pst_hook name[] = { PST_HOOK(hook, fn), PST_END }

CHAIN(rcpt_on, PST_ON_RCPT, goes_on);
CHAIN(rcpt_says, PST_ON_RCPT, says);
CHAIN(rcpt_refuses, PST_ON_RCPT, refuses);
CHAIN(rcpt_waits, PST_ON_RCPT, waits);
CHAIN(rcpt_late, PST_ON_RCPT, waits_long);
CHAIN(eom_on, PST_ON_EOM, goes_on);
CHAIN(eom_keeps, PST_ON_EOM, keeps);
CHAIN(eom_says, PST_ON_EOM, says);
CHAIN(queued_on, PST_ON_QUEUED, goes_on);
CHAIN(queued_says, PST_ON_QUEUED, says);
CHAIN(queued_waits, PST_ON_QUEUED, waits);
CHAIN(get_says, "lookup/1.get", says);
CHAIN(get_waits, "lookup/1.get", waits);
CHAIN(emit_waits, "log_sink/1.emit", waits);
CHAIN(stop_waits, PST_ON_STOP, waits);

static void
begin(void)
{
	trace[0] = '\0';
	say = PST_CONTINUE;
	rig_begin();
}

START_TEST(asks_nobody_where_nobody_has_the_hook)
{
	(void)rig_add("a", rcpt_on);
	ck_assert(hook_wanted(rig.gen, HOOK_RCPT));
	ck_assert(!hook_wanted(rig.gen, HOOK_DATA));
	ck_assert(!hook_wanted(NULL, HOOK_DATA));
	ck_assert(rig_hook(HOOK_DATA));
	ck_assert_int_eq(rig.v.act, HOOK_GO);
	ck_assert_ptr_null(rig.v.by);
	ck_assert_str_eq(trace, "");
	ck_assert_str_eq(hook_word(HOOK_RCPT), "rcpt");
}
END_TEST

START_TEST(asks_all_in_order_until_one_objects)
{
	(void)rig_add("a", rcpt_on);
	(void)rig_add("b", rcpt_refuses);
	(void)rig_add("c", rcpt_on);
	ck_assert(rig_hook(HOOK_RCPT));
	ck_assert_str_eq(trace, "a ");
	ck_assert_int_eq(rig.v.act, HOOK_REJECT);
	ck_assert_str_eq(rig.v.by, "b");
	ck_assert_int_eq(rig.v.reply.code, 554);
	ck_assert_str_eq(rig.v.reply.enh, "5.7.1");
	ck_assert_str_eq(rig.v.reply.text, "no ?? rcpt");
}
END_TEST

static const struct {
	int verdict, act, code;
	const char *enh;
} at_rcpt[] = {
	{ PST_ACCEPT, HOOK_GO, 0, "" },
	{ PST_REJECT, HOOK_REJECT, 550, "5.7.0" },
	{ PST_TEMPFAIL, HOOK_TEMPFAIL, 451, "4.3.0" },
	{ PST_DISCARD, HOOK_DISCARD, 0, "" },
	{ PST_DISCONNECT, HOOK_DISCONNECT_NOW, 421, "4.7.0" },
};

START_TEST(ends_with_the_first_verdict_that_is_one)
{
	(void)rig_add("a", rcpt_says);
	(void)rig_add("b", rcpt_on);
	say = at_rcpt[_i].verdict;
	ck_assert(rig_hook(HOOK_RCPT));
	ck_assert_str_eq(trace, "a ");
	ck_assert_str_eq(rig.v.by, "a");
	ck_assert_int_eq((int)rig.v.act, at_rcpt[_i].act);
	ck_assert_int_eq(rig.v.reply.code, at_rcpt[_i].code);
	ck_assert_str_eq(rig.v.reply.enh, at_rcpt[_i].enh);
	ck_assert_str_eq(rig_log(), "");
}
END_TEST

static const struct {
	int verdict;
	const char *why;
} bad[] = {
	{ PST_QUARANTINE, "verdict 5 is not for this hook" },
	{ PST_WAIT, "it waits for nothing" },
	{ 8, "8 is no verdict" },
	{ -1, "-1 is no verdict" },
	{ 42, "42 is no verdict" },
};

START_TEST(takes_nonsense_for_a_temporary_failure)
{
	char line[160];

	(void)rig_add("a", rcpt_says);
	(void)rig_add("b", rcpt_on);
	say = bad[_i].verdict;
	ck_assert(rig_hook(HOOK_RCPT));
	ck_assert_str_eq(trace, "a ");
	ck_assert_int_eq(rig.v.act, HOOK_TEMPFAIL);
	ck_assert_str_eq(rig.v.by, "a");
	ck_assert_int_eq(rig.v.reply.code, 451);
	ck_assert_str_eq(rig.v.reply.enh, "4.3.0");
	(void)snprintf(line, sizeof(line), "Warning: Plugin a failed at rcpt: "
	    "MID 7 ICID 5 %s\n", bad[_i].why);
	ck_assert_str_eq(rig_log(), line);
	ck_assert_int_eq(rig_metric("plugin_faults_total", "plugin=\"a\""),
	    1);
}
END_TEST

START_TEST(asks_the_others_of_what_is_quarantined)
{
	(void)rig_add("a", eom_on);
	(void)rig_add("b", eom_keeps);
	(void)rig_add("c", eom_keeps);
	(void)rig_add("d", eom_on);
	ck_assert(rig_hook(HOOK_EOM));
	ck_assert_str_eq(trace, "a b c d ");
	ck_assert_int_eq(rig.v.act, HOOK_GO);
	ck_assert_ptr_null(rig.v.by);
	ck_assert_str_eq(rig.v.quarantine, "b thinks so");
	(void)rig_hook(HOOK_EOM);
	ck_assert_str_eq(rig.v.quarantine, "b thinks so");
}
END_TEST

START_TEST(keeps_the_quarantine_when_a_later_one_refuses)
{
	(void)rig_add("a", eom_says);
	(void)rig_add("b", eom_keeps);
	say = PST_QUARANTINE;
	ck_assert(rig_hook(HOOK_EOM));
	ck_assert_str_eq(rig.v.quarantine, "by a");
	say = PST_TEMPFAIL;
	ck_assert(rig_hook(HOOK_EOM));
	ck_assert_int_eq(rig.v.act, HOOK_TEMPFAIL);
	ck_assert_str_eq(rig.v.quarantine, "");
}
END_TEST

START_TEST(tells_everybody_what_is_only_told)
{
	(void)rig_add("a", queued_says);
	(void)rig_add("b", queued_waits);
	(void)rig_add("c", queued_on);
	say = PST_REJECT;
	ck_assert(!rig_hook(HOOK_QUEUED));
	rig_run(1000);
	ck_assert_uint_eq(rig.answers, 1);
	ck_assert_str_eq(trace, "a b b c ");
	ck_assert_int_eq(rig.v.act, HOOK_GO);
	ck_assert_str_eq(rig_log(), "");
}
END_TEST

START_TEST(goes_on_with_the_chain_after_a_wait)
{
	(void)rig_add("a", rcpt_on);
	(void)rig_add("b", rcpt_waits);
	(void)rig_add("c", rcpt_waits);
	(void)rig_add("d", rcpt_on);
	ck_assert(!rig_hook(HOOK_RCPT));
	ck_assert_str_eq(trace, "a b ");
	rig_run(100);
	ck_assert_str_eq(trace, "a b b c ");
	ck_assert_uint_eq(rig.answers, 0);
	ck_assert_uint_eq(rig.gen->refs, 2);
	rig_run(100);
	ck_assert_str_eq(trace, "a b b c c d ");
	ck_assert_uint_eq(rig.answers, 1);
	ck_assert_int_eq(rig.v.act, HOOK_GO);
	ck_assert_uint_eq(rig.gen->refs, 1);
}
END_TEST

START_TEST(ends_late_with_a_verdict)
{
	(void)rig_add("a", rcpt_waits);
	(void)rig_add("b", rcpt_on);
	say = PST_REJECT;
	ck_assert(!rig_hook(HOOK_RCPT));
	rig_run(1000);
	ck_assert_uint_eq(rig.answers, 1);
	ck_assert_int_eq(rig.v.act, HOOK_REJECT);
	ck_assert_int_eq(rig.v.reply.code, 550);
	ck_assert_str_eq(rig.v.by, "a");
	ck_assert_str_eq(trace, "a a ");
}
END_TEST

START_TEST(whoever_looks_on_has_no_say)
{
	static const struct {
		const struct pst_hook *hooks;
		int say;
	} how[] = { { rcpt_says, PST_REJECT }, { rcpt_refuses, 0 },
		{ rcpt_says, PST_WAIT }, { rcpt_says, 999 },
		{ rcpt_waits, PST_REJECT }, { rcpt_late, 0 } };
	bool at_once = _i < 4;

	rig_add("a", how[_i].hooks)->looks_on = true;
	(void)rig_add("b", rcpt_on);
	say = how[_i].say;
	ck_assert_int_eq(rig_hook(HOOK_RCPT), at_once);
	rig_run(SECONDS(31));
	ck_assert_int_eq(rig.v.act, HOOK_GO);
	ck_assert_ptr_null(rig.v.by);
	ck_assert_ptr_nonnull(strstr(trace, "b "));
}
END_TEST

START_TEST(asks_one_operation_of_one_instance)
{
	struct instance *i = rig_add("t", get_says);
	struct instance *j = rig_add("u", get_waits);

	ck_assert_ptr_eq(op_next(rig.gen, "lookup/1.get", NULL), i);
	ck_assert_ptr_eq(op_next(rig.gen, "lookup/1.get", i), j);
	ck_assert_ptr_null(op_next(rig.gen, "lookup/1.get", j));
	ck_assert_ptr_null(op_next(rig.gen, "route/1.route", NULL));
	ck_assert_ptr_null(op_next(rig.gen, "nothing/1.at", NULL));
	ck_assert_ptr_null(op_next(NULL, "lookup/1.get", NULL));
	say = PST_QUARANTINE;
	ck_assert(rig_op(i, "lookup/1.get", NULL));
	ck_assert_int_eq(rig.a.verdict, PST_QUARANTINE);
	ck_assert(!rig_op(j, "lookup/1.get", NULL));
	say = PST_REJECT;
	rig_run(1000);
	ck_assert_uint_eq(rig.answers, 1);
	ck_assert_int_eq(rig.a.verdict, PST_REJECT);
	ck_assert_int_eq(rig.a.reply.code, 550);
}
END_TEST

START_TEST(fails_an_operation_that_is_not_there)
{
	struct instance *i = rig_add("a", rcpt_on);

	ck_assert(rig_op(i, "lookup/1.get", NULL));
	ck_assert_int_eq(rig.a.verdict, PST_TEMPFAIL);
	ck_assert_str_eq(rig.a.reply.text, "a has no lookup/1.get");
	op_now(i, "nothing/1.at", NULL, NULL, &rig.a);
	ck_assert_int_eq(rig.a.verdict, PST_TEMPFAIL);
}
END_TEST

START_TEST(does_not_wait_where_that_is_not_allowed)
{
	struct instance *i = rig_add("a", emit_waits);
	struct instance *j = rig_add("b", stop_waits);
	struct instance *k = rig_add("c", get_waits);

	op_now(i, "log_sink/1.emit", NULL, NULL, &rig.a);
	ck_assert_int_eq(rig.a.verdict, PST_TEMPFAIL);
	op_now(j, PST_ON_STOP, NULL, NULL, &rig.a);
	ck_assert_int_eq(rig.a.verdict, PST_TEMPFAIL);
	ck_assert(rig_op(i, "log_sink/1.emit", NULL));
	ck_assert_int_eq(rig.a.verdict, PST_TEMPFAIL);
	op_now(k, "lookup/1.get", NULL, NULL, &rig.a);
	ck_assert_int_eq(rig.a.verdict, PST_TEMPFAIL);
	rig_run(1000);
	ck_assert_str_eq(trace, "a b a c ");
	ck_assert_ptr_nonnull(strstr(rig_log(),
	    "Plugin c failed at lookup/1.get: it may not wait here\n"));
}
END_TEST

static enum pst_verdict
takes_memory(struct pst_event *ev)
{
	ck_assert_ptr_nonnull(pst_alloc(ev, PST_EVENT, 1));
	return PST_CONTINUE;
}

CHAIN(get_takes, "lookup/1.get", takes_memory);
CHAIN(emit_takes, "log_sink/1.emit", takes_memory);

START_TEST(keeps_what_an_operation_gave_until_the_loop_is_back)
{
	struct instance *i = rig_add("a", get_takes);
	struct instance *j = rig_add("b", emit_takes);

	op_now(i, "lookup/1.get", NULL, NULL, &rig.a);
	op_now(i, "lookup/1.get", NULL, NULL, &rig.a);
	ck_assert_uint_eq(rig.host->engine->nlimbo, 2);
	rig_now();
	ck_assert_uint_eq(rig.host->engine->nlimbo, 0);
	/* A log sink gives nothing, and the log's loop does not turn. */
	op_now(j, "log_sink/1.emit", NULL, NULL, &rig.a);
	ck_assert_uint_eq(rig.host->engine->nlimbo, 0);
}
END_TEST

UNIT_SUITE(hooks)
{
	tcase_add_checked_fixture(tc, begin, rig_end);
	tcase_add_test(tc, asks_nobody_where_nobody_has_the_hook);
	tcase_add_test(tc, asks_all_in_order_until_one_objects);
	tcase_add_loop_test(tc, ends_with_the_first_verdict_that_is_one, 0,
	    sizeof(at_rcpt) / sizeof(at_rcpt[0]));
	tcase_add_loop_test(tc, takes_nonsense_for_a_temporary_failure, 0,
	    sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tc, asks_the_others_of_what_is_quarantined);
	tcase_add_test(tc, keeps_the_quarantine_when_a_later_one_refuses);
	tcase_add_test(tc, tells_everybody_what_is_only_told);
	tcase_add_test(tc, goes_on_with_the_chain_after_a_wait);
	tcase_add_test(tc, ends_late_with_a_verdict);
	tcase_add_loop_test(tc, whoever_looks_on_has_no_say, 0, 6);
	tcase_add_test(tc, asks_one_operation_of_one_instance);
	tcase_add_test(tc, fails_an_operation_that_is_not_there);
	tcase_add_test(tc, does_not_wait_where_that_is_not_allowed);
	tcase_add_test(tc,
	    keeps_what_an_operation_gave_until_the_loop_is_back);
}
