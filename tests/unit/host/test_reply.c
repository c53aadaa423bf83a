/*
 * What plugins tell: replies, log lines, metrics, alerts.
 */
#include <stdio.h>
#include <string.h>

#include "rig.h"
#include "unit.h"

static pst_fn *does; /* what the plugin does */
static char trace[1024];

static enum pst_verdict
calls(struct pst_event *ev)
{
	return does(ev);
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_ON_MAIL, calls),
	PST_END,
};

static void
begin(void)
{
	trace[0] = '\0';
	rig_begin();
	(void)rig_add("a", hooks);
}

static void
run(enum hook h, pst_fn *fn)
{
	does = fn;
	ck_assert(rig_hook(h));
}

/* ---- Replies ------------------------------------------------------------ */

static struct {
	enum pst_verdict v, returned;
	int code;
	const char *enh;
	int said;
	const char *said_enh;
} replies[] = {
	{ PST_REJECT, PST_REJECT, 554, "5.6.0", 554, "5.6.0" },
	{ PST_REJECT, PST_REJECT, 0, "", 550, "5.7.0" },
	{ PST_REJECT, PST_REJECT, 0, "5.1.1", 550, "5.1.1" },
	{ PST_REJECT, PST_REJECT, 521, NULL, 521, "5.7.0" },
	{ PST_TEMPFAIL, PST_TEMPFAIL, 450, "4.2.1", 450, "4.2.1" },
	{ PST_TEMPFAIL, PST_TEMPFAIL, 0, "", 451, "4.3.0" },
	{ PST_DISCONNECT, PST_DISCONNECT, 421, "4.7.0", 421, "4.7.0" },
	/* another verdict than that of the reply */
	{ PST_REJECT, PST_TEMPFAIL, 554, "5.6.0", 451, "4.3.0" },
	{ PST_TEMPFAIL, PST_REJECT, 450, "4.2.1", 550, "5.7.0" },
	/* faults */
	{ PST_REJECT, PST_REJECT, 250, "2.0.0", 0, NULL },
	{ PST_REJECT, PST_REJECT, 450, "4.2.1", 0, NULL },
	{ PST_REJECT, PST_REJECT, 554, "4.6.0", 0, NULL },
	{ PST_REJECT, PST_REJECT, 554, "5.6", 0, NULL },
	{ PST_REJECT, PST_REJECT, 5540, "5.6.0", 0, NULL },
	{ PST_TEMPFAIL, PST_TEMPFAIL, 550, "5.6.0", 0, NULL },
	{ PST_TEMPFAIL, PST_TEMPFAIL, 421, "4.3.0", 0, NULL },
	{ PST_DISCONNECT, PST_DISCONNECT, 450, "4.3.0", 0, NULL },
	{ PST_ACCEPT, PST_ACCEPT, 250, "2.0.0", 0, NULL },
	{ PST_WAIT, PST_CONTINUE, 250, "2.0.0", 0, NULL },
};
static int reply;

static enum pst_verdict
replied(struct pst_event *ev)
{
	(void)ev->api->reply(ev, replies[reply].v, replies[reply].code,
	    replies[reply].enh, "text");
	return replies[reply].returned;
}

START_TEST(checks_the_code_of_a_reply)
{
	reply = _i;
	run(HOOK_MAIL, replied);
	if (replies[_i].said == 0) {
		ck_assert_int_eq(rig.v.act, HOOK_TEMPFAIL);
		ck_assert_int_eq(rig.v.reply.code, 451);
		ck_assert_str_eq(rig.v.reply.enh, "4.3.0");
		ck_assert_ptr_nonnull(strstr(rig_log(), "failed at mail"));
		return;
	}
	ck_assert_int_eq(rig.v.reply.code, replies[_i].said);
	ck_assert_str_eq(rig.v.reply.enh, replies[_i].said_enh);
	ck_assert_str_eq(rig_log(), "");
}
END_TEST

static enum pst_verdict
replies_long(struct pst_event *ev)
{
	char text[2000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	return pst_reject(ev, 550, "5.7.123", "%s", text);
}

static enum pst_verdict
replies_lines(struct pst_event *ev)
{
	return pst_reject(ev, 550, "5.7.1", "a\r\n250 b\tc\x7f\xc3\xa4");
}

static enum pst_verdict
replies_nothing(struct pst_event *ev)
{
	return pst_reject(ev, 554, "5.6.0", "%s", "");
}

START_TEST(makes_a_reply_one_line_of_512_octets)
{
	run(HOOK_MAIL, replies_long);
	ck_assert_uint_eq(strlen("550 5.7.123 ") + strlen(rig.v.reply.text) +
	    2, 509); /* what struct err holds */
	run(HOOK_MAIL, replies_lines);
	ck_assert_str_eq(rig.v.reply.text, "a??250 b?c???");
	run(HOOK_MAIL, replies_nothing);
	ck_assert_int_eq(rig.v.reply.code, 554);
	ck_assert_str_eq(rig.v.reply.text, "not accepted");
}
END_TEST

/* ---- Telling ------------------------------------------------------------ */

static enum pst_verdict
logs(struct pst_event *ev)
{
	pst_log(ev, PST_DEBUG, "d %d", 1);
	pst_log(ev, PST_INFO, "i\n2");
	pst_log(ev, PST_NOTICE, "n");
	pst_log(ev, PST_WARNING, "w");
	pst_log(ev, PST_ERROR, "e");
	return PST_CONTINUE;
}

START_TEST(logs_with_plugin_and_message_in_front)
{
	run(HOOK_MAIL, logs);
	ck_assert_str_eq(rig_log(),
	    "Debug: Plugin a: MID 7 ICID 5 d 1\n"
	    "Info: Plugin a: MID 7 ICID 5 i\\x0a2\n"
	    "Info: Plugin a: MID 7 ICID 5 n\n"
	    "Warning: Plugin a: MID 7 ICID 5 w\n"
	    "Critical: Plugin a: MID 7 ICID 5 e\n");
}
END_TEST

static enum pst_verdict
counts(struct pst_event *ev)
{
	pst_count(ev, "things");
	pst_count_by(ev, "things", 4);
	pst_gauge(ev, "level", 9);
	pst_gauge(ev, "level", 8);
	pst_count(ev, "Bad Name");
	pst_count(ev, "");
	pst_count(ev, "a23456789012345678901234567890123456789_x");
	return PST_CONTINUE;
}

START_TEST(counts_under_a_name_of_the_instance)
{
	run(HOOK_MAIL, counts);
	ck_assert_int_eq(rig_metric("plugin_a_things", ""), 5);
	ck_assert_int_eq(rig_metric("plugin_a_level", ""), 8);
	ck_assert_ptr_nonnull(strstr(rig_log(), "the name of a metric is"));
}
END_TEST

static enum pst_verdict
counts_whatever_comes(struct pst_event *ev)
{
	char name[32];
	unsigned i;

	for (i = 0; i < 5000; i++) {
		(void)snprintf(name, sizeof(name), "m%u", i);
		pst_count(ev, name);
	}
	return PST_CONTINUE;
}

static enum pst_verdict
counts_one(struct pst_event *ev)
{
	pst_count(ev, "one");
	return PST_CONTINUE;
}

START_TEST(leaves_room_for_the_metrics_of_others)
{
	run(HOOK_MAIL, counts_whatever_comes);
	ck_assert_int_eq(rig_metric("plugin_a_m99", ""), 1);
	ck_assert_int_eq(rig_metric("plugin_a_m100", ""), -1);
	ck_assert_ptr_nonnull(strstr(rig_log(),
	    "Plugin a: more than 100 metrics: m100 is not counted\n"));
	ck_assert_ptr_null(strstr(rig_log(), "m101"));
	rig.gen->instance[0]->name = "b";
	rig.gen->instance[0]->run->nmetrics = 0;
	run(HOOK_MAIL, counts_one);
	ck_assert_int_eq(rig_metric("plugin_b_one", ""), 1);
}
END_TEST

static void
alerted(void *arg, const struct host_alert *a)
{
	(void)arg;
	(void)snprintf(trace, sizeof(trace), "%s %s %s %s", a->severity,
	    a->category, a->key, a->text);
}

static enum pst_verdict
alerts(struct pst_event *ev)
{
	pst_alert(ev, PST_ERROR, "disk", "%d left\n", 0);
	return PST_CONTINUE;
}

START_TEST(hands_alerts_on)
{
	run(HOOK_MAIL, alerts);
	ck_assert_str_eq(trace, "");
	rig.host->world.alert = alerted;
	run(HOOK_MAIL, alerts);
	ck_assert_str_eq(trace, "Critical System disk 0 left?");
}
END_TEST

static uint32_t rates[4];

static enum pst_verdict
measures(struct pst_event *ev)
{
	rates[0] = pst_rate(ev, "k", 60000, 1);
	rates[1] = pst_rate(ev, "k", 60000, 5);
	rates[2] = pst_rate(ev, "k", 60000, 0);
	rates[3] = pst_rate(ev, "other", 60000, 1);
	ck_assert_int_eq(pst_now(ev), clock_wall());
	return PST_CONTINUE;
}

START_TEST(counts_rates_of_the_instance_s_own)
{
	static const uint32_t expected[] = { 1, 6, 6, 1 };
	unsigned i;

	run(HOOK_MAIL, measures);
	for (i = 0; i < 4; i++)
		ck_assert_uint_eq(rates[i], expected[i]);
	(void)rig_add("b", hooks);
	rig.gen->chain[HOOK_MAIL].v[0] = rig.gen->instance[1];
	rig.gen->chain[HOOK_MAIL].n = 1;
	order_seats(&rig.gen->chain[HOOK_MAIL], ON_MAIL);
	run(HOOK_MAIL, measures);
	for (i = 0; i < 4; i++)
		ck_assert_uint_eq(rates[i], expected[i]);
}
END_TEST

UNIT_SUITE(reply)
{
	tcase_add_checked_fixture(tc, begin, rig_end);
	tcase_add_loop_test(tc, checks_the_code_of_a_reply, 0,
	    sizeof(replies) / sizeof(replies[0]));
	tcase_add_test(tc, makes_a_reply_one_line_of_512_octets);
	tcase_add_test(tc, logs_with_plugin_and_message_in_front);
	tcase_add_test(tc, counts_under_a_name_of_the_instance);
	tcase_add_test(tc, leaves_room_for_the_metrics_of_others);
	tcase_add_test(tc, hands_alerts_on);
	tcase_add_test(tc, counts_rates_of_the_instance_s_own);
}
