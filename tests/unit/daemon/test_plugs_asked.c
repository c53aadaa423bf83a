/*
 * Plugins that are asked before a message is sent, and told what became of it.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/plugs_priv.h"
#include "queue_util.h"
#include "rig.h"
#include "scratch.h"
#include "unit.h"

static struct {
	struct world q;
	struct conf conf;
	struct plugs_out *out;
	struct qunit *unit; /* two recipients at b.test */
	uint64_t mid;
	char said[4000];    /* by plugins, a line each */
	/* of the deliver hook */
	unsigned answers;
	struct relay_verdict v;
	char text[600], want[100];
} w;

static void
begin(void)
{
	static const char *const to[] = { "x@b.test", "y@b.test" };

	memset(&w, 0, sizeof(w));
	world_init(&w.q, true);
	world_open(&w.q);
	w.mid = submit(&w.q, "a@a.test", to, 2);
	w.unit = take(&w.q, "b.test");
	ck_assert_ptr_nonnull(w.unit);
	rig_begin();
	w.conf.plugins = rig.gen;
	w.out = plugs_out_new(rig.loop);
}

static void
end(void)
{
	plugs_out_destroy(&w.out);
	rig_end();
	tell(&w.q, w.unit, ANSWER_AGAIN);
	world_settle(&w.q);
	world_fini(&w.q);
}

static const char *
fact(struct pst_event *ev, const char *name)
{
	const char *s = pst_get(ev, name);

	return s != NULL ? s : "-";
}

static enum pst_verdict
note(struct pst_event *ev)
{
	size_t n = strlen(w.said);

	(void)snprintf(w.said + n, sizeof(w.said) - n, "%s %s %s %s %s\n",
	    fact(ev, "mid"), fact(ev, "rcpt"), fact(ev, "deliver.hop"),
	    fact(ev, "deliver.code"), fact(ev, "deliver.text"));
	return PST_CONTINUE;
}

static enum pst_verdict
slowly(struct pst_event *ev, const struct pst_result *r)
{
	(void)r;
	return note(ev);
}

static enum pst_verdict
note_later(struct pst_event *ev)
{
	return pst_timer(ev, 2000, slowly);
}

static enum pst_verdict
refuse(struct pst_event *ev)
{
	return pst_reject(ev, 550, "5.7.1", "not there");
}

static enum pst_verdict
put_off(struct pst_event *ev)
{
	return pst_tempfail(ev, 451, "4.7.1", "not now");
}

static enum pst_verdict
discard(struct pst_event *ev)
{
	(void)ev;
	return PST_DISCARD;
}

static enum pst_verdict
stricter(struct pst_event *ev)
{
	(void)pst_set(ev, "deliver.tls", "required-verify");
	return PST_CONTINUE;
}

static enum pst_verdict
go(struct pst_event *ev, const struct pst_result *r)
{
	(void)ev;
	(void)r;
	return PST_CONTINUE;
}

static enum pst_verdict
slow(struct pst_event *ev)
{
	return pst_timer(ev, 2000, go);
}

static void
answered(void *arg, const struct relay_verdict *v)
{
	(void)arg;
	w.answers++;
	w.v = *v;
	(void)snprintf(w.text, sizeof(w.text), "%d %s", v->reply.code,
	    v->reply.text);
	(void)snprintf(w.want, sizeof(w.want), "%s",
	    v->want != NULL ? v->want : "-");
}

static void *
ask(void)
{
	static const struct relay_to to = { .hop = "b.test",
		.host = "mx.b.test", .ip = "192.0.2.1", .want = "",
		.port = 25, .dcid = 3 };

	plugs_out_set(w.out, &w.conf);
	return plugs_out_asks.deliver(w.out, w.unit, &to, answered, NULL);
}

#define ONE(word, fn) { PST_HOOK(word, fn), PST_END }

START_TEST(nobody_who_objects_is_nothing_to_wait_for)
{
	const struct pst_hook hooks[] = ONE("deliver", note);

	ck_assert_ptr_null(ask());
	(void)rig_add("one", hooks);
	ck_assert_ptr_null(ask());
	rig_run(10000);
	ck_assert_uint_eq(w.answers, 0);
	ck_assert_str_eq(w.said, "100 - b.test - -\n");
}
END_TEST

static const struct {
	enum pst_verdict (*fn)(struct pst_event *);
	enum relay_say say;
	const char *text;
} verdicts[] = {
	{ refuse, RELAY_BOUNCE, "550 not there" },
	{ put_off, RELAY_DEFER, "451 not now" },
	/* None of this hook's: the message stays. */
	{ discard, RELAY_DEFER, "451 " },
};

START_TEST(a_verdict_comes_from_the_loop)
{
	const struct pst_hook hooks[] = ONE("deliver", verdicts[_i].fn);

	(void)rig_add("one", hooks);
	ck_assert_ptr_nonnull(ask());
	ck_assert_uint_eq(w.answers, 0); /* never from inside */
	rig_run(10);
	ck_assert_uint_eq(w.answers, 1);
	ck_assert_int_eq(w.v.say, verdicts[_i].say);
	ck_assert_ptr_eq(strstr(w.text, verdicts[_i].text), w.text);
}
END_TEST

START_TEST(a_want_that_was_raised_is_handed_on)
{
	const struct pst_hook hooks[] = ONE("deliver", stricter);

	(void)rig_add("one", hooks);
	ck_assert_ptr_nonnull(ask());
	rig_run(10);
	ck_assert_uint_eq(w.answers, 1);
	ck_assert_int_eq(w.v.say, RELAY_SEND);
	ck_assert_str_eq(w.want, "required-verify");
}
END_TEST

START_TEST(a_plugin_that_waits_is_waited_for)
{
	const struct pst_hook hooks[] = ONE("deliver", slow);

	(void)rig_add("one", hooks);
	ck_assert_ptr_nonnull(ask());
	rig_run(1000);
	ck_assert_uint_eq(w.answers, 0);
	rig_run(5000);
	ck_assert_uint_eq(w.answers, 1);
	ck_assert_int_eq(w.v.say, RELAY_SEND);
	ck_assert_str_eq(w.want, "-");
}
END_TEST

/* The connection ended: at once, and while a plugin is at it. */
START_TEST(a_question_that_is_taken_back_has_no_answer)
{
	const struct pst_hook hooks[] = ONE("deliver", _i == 0 ? slow :
	    refuse);
	void *pending;

	(void)rig_add("one", hooks);
	pending = ask();
	ck_assert_ptr_nonnull(pending);
	plugs_out_asks.cancel(w.out, pending);
	rig_run(10000);
	ck_assert_uint_eq(w.answers, 0);
}
END_TEST

static void
report(enum queue_fate fate, int code, const char *text)
{
	char copy[100];
	struct qreport v[2];

	(void)snprintf(copy, sizeof(copy), "%s", text);
	v[0] = (struct qreport){ .i = 0, .code = code, .status = "0.0.0",
		.text = str_c(copy), .remote = STR("mx.b.test"), .dcid = 3 };
	v[1] = v[0];
	v[1].i = 1;
	plugs_out_set(w.out, &w.conf);
	plugs_out_asks.told(w.out, fate, w.unit, v, 2);
	/* It was of the caller's stack. */
	memset(copy, 'x', sizeof(copy));
	memset(v, 0, sizeof(v));
}

static const struct {
	const char *hook;
	enum queue_fate fate;
	int code;
	const char *text;
} fates[] = {
	{ "delivered", QUEUE_DELIVERED, 250, "taken" },
	{ "deferred", QUEUE_DEFERRED, 450, "later" },
	{ "bounced", QUEUE_BOUNCED, 550, "never" },
};

START_TEST(a_fate_is_told_when_it_is_on_the_disk)
{
	const struct pst_hook hooks[] = ONE(fates[_i].hook, note);
	char want[200];

	(void)rig_add("one", hooks);
	report(fates[(_i + 1) % 3].fate, 200, "not asked for");
	report(fates[_i].fate, fates[_i].code, fates[_i].text);
	rig_run(10000);
	ck_assert_str_eq(w.said, "");
	plugs_out_asks.durable(w.out, w.mid + PLUGS_UNSURE); /* another's */
	rig_run(10);
	ck_assert_str_eq(w.said, "");
	plugs_out_asks.durable(w.out, w.mid);
	ck_assert_str_eq(w.said, ""); /* never from inside */
	rig_run(10);
	(void)snprintf(want, sizeof(want), "100 x@b.test b.test %d %s\n"
	    "100 y@b.test b.test %d %s\n", fates[_i].code, fates[_i].text,
	    fates[_i].code, fates[_i].text);
	ck_assert_str_eq(w.said, want);
	plugs_out_asks.durable(w.out, w.mid);
	rig_run(10);
	ck_assert_str_eq(w.said, want);
}
END_TEST

START_TEST(reports_of_one_call_follow_one_another)
{
	const struct pst_hook hooks[] = ONE("delivered", note_later);

	(void)rig_add("one", hooks);
	report(QUEUE_DELIVERED, 250, "taken");
	plugs_out_asks.durable(w.out, w.mid);
	rig_run(3000);
	ck_assert_str_eq(w.said, "100 x@b.test b.test 250 taken\n");
	rig_run(3000);
	ck_assert_str_eq(w.said, "100 x@b.test b.test 250 taken\n"
	    "100 y@b.test b.test 250 taken\n");
}
END_TEST

START_TEST(a_new_message_is_told_in_the_next_round)
{
	const struct pst_hook hooks[] = ONE("queued", note);

	plugs_out_set(w.out, &w.conf);
	plugs_out_asks.queued(w.out, qunit_env(w.unit)); /* nobody is there */
	(void)rig_add("one", hooks);
	plugs_out_set(w.out, &w.conf);
	plugs_out_asks.queued(w.out, qunit_env(w.unit));
	ck_assert_str_eq(w.said, "");
	rig_run(10);
	ck_assert_str_eq(w.said, "100 - - - -\n");
}
END_TEST

/* What is under way when all ends, in each of its states, is let go. */
START_TEST(the_end_takes_back_what_is_not_told_yet)
{
	const struct pst_hook hooks[] = {
		PST_HOOK("delivered", note_later),
		PST_HOOK("bounced", note), PST_END };

	(void)rig_add("one", hooks);
	report(QUEUE_DELIVERED, 250, "being told");
	plugs_out_asks.durable(w.out, w.mid);
	rig_run(100);
	report(QUEUE_BOUNCED, 550, "sure");
	plugs_out_asks.durable(w.out, w.mid);
	report(QUEUE_BOUNCED, 550, "unsure");
	ck_assert_uint_eq(w.out->ntold, 3);
	plugs_out_destroy(&w.out);
	rig_run(10000);
	ck_assert_str_eq(w.said, "");
	w.out = plugs_out_new(rig.loop);
}
END_TEST

static unsigned
warnings(void)
{
	const char *p = scratch_read("log");
	unsigned n = 0;

	while ((p = strstr(p, "plugins are behind by 10000 reports")) != NULL) {
		n++;
		p++;
	}
	return n;
}

START_TEST(who_is_far_behind_loses_reports_and_the_log_says_so)
{
	const struct pst_hook hooks[] = ONE("delivered", note_later);
	unsigned i;

	(void)rig_add("one", hooks);
	for (i = 0; i < 10002; i++)
		report(QUEUE_DELIVERED, 250, "taken");
	ck_assert_uint_eq(w.out->ntold, 10000);
	ck_assert_uint_eq(warnings(), 1);
	/* Once a minute while it goes on. */
	for (i = 0; i < 4; i++) {
		clock_fake_advance(SECONDS(30));
		report(QUEUE_DELIVERED, 250, "taken");
	}
	ck_assert_uint_eq(warnings(), 3);
}
END_TEST

UNIT_SUITE(plugs_asked)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, nobody_who_objects_is_nothing_to_wait_for);
	tcase_add_loop_test(tc, a_verdict_comes_from_the_loop, 0, 3);
	tcase_add_test(tc, a_want_that_was_raised_is_handed_on);
	tcase_add_test(tc, a_plugin_that_waits_is_waited_for);
	tcase_add_loop_test(tc, a_question_that_is_taken_back_has_no_answer,
	    0, 2);
	tcase_add_loop_test(tc, a_fate_is_told_when_it_is_on_the_disk, 0, 3);
	tcase_add_test(tc, reports_of_one_call_follow_one_another);
	tcase_add_test(tc, a_new_message_is_told_in_the_next_round);
	tcase_add_test(tc, the_end_takes_back_what_is_not_told_yet);
	tcase_add_test(tc,
	    who_is_far_behind_loses_reports_and_the_log_says_so);
}
