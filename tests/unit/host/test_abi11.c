/*
 * What came with ABI 1.1: pst_at(), pst_mute(), pst_rcpt().
 */
#include <string.h>

#include "base/log.h"
#include "rig.h"
#include "unit.h"

static char trace[256];

static void
begin(void)
{
	trace[0] = '\0';
	rig_begin();
}

#define ONE(name, hook, fn)                                                   \
	static const struct pst_hook name[] = { PST_HOOK(hook, fn), PST_END }

/* ---- Where it is --------------------------------------------------------- */

static const char *
place(void)
{
	static struct shm_busy b;

	b.place[0] = '\0';
	return shm_busy(rig.shm, 1, true, &b) ? b.place : "nobody";
}

static enum pst_verdict
says_where(struct pst_event *ev)
{
	ck_assert_str_eq(place(), "");
	pst_at(ev, "partner.lua:7");
	ck_assert_str_eq(place(), "partner.lua:7");
	clock_fake_advance(51);
	return PST_REJECT + 100;
}

static enum pst_verdict
says_nothing(struct pst_event *ev)
{
	(void)ev;
	ck_assert_str_eq(place(), "");
	clock_fake_advance(51);
	(void)pst_set(ev, "note.x", "1");
	return PST_CONTINUE;
}

ONE(eom_says_where, PST_ON_EOM, says_where);
ONE(eom_says_nothing, PST_ON_EOM, says_nothing);

START_TEST(tells_where_in_the_plugin_it_was)
{
	(void)rig_add("b", eom_says_nothing);
	(void)rig_add("a", eom_says_where);
	(void)rig_hook(HOOK_EOM);
	ck_assert_str_eq(place(), "nobody");
	ck_assert_str_eq(rig_log(),
	    "Warning: Plugin b at eom: MID 7 ICID 5 note.x cannot be set: "
	    "there are no notes to be set here\n"
	    "Warning: Plugin b blocked everything for 51 ms at eom MID 7 "
	    "ICID 5\n"
	    "Warning: Plugin a blocked everything for 51 ms at eom "
	    "(partner.lua:7) MID 7 ICID 5\n"
	    "Warning: Plugin a failed at eom (partner.lua:7): MID 7 ICID 5 "
	    "102 is no verdict\n");
}
END_TEST

static enum pst_verdict
says_much(struct pst_event *ev)
{
	char text[200];

	memset(text, 'x', sizeof(text));
	text[2] = '\n';
	text[sizeof(text) - 1] = '\0';
	pst_at(ev, text);
	ck_assert_uint_eq(strlen(place()), 63);
	ck_assert(strncmp(place(), "xx?xx", 5) == 0);
	return PST_CONTINUE;
}

ONE(eom_says_much, PST_ON_EOM, says_much);

START_TEST(keeps_63_octets_of_it_that_can_be_printed)
{
	(void)rig_add("a", eom_says_much);
	(void)rig_hook(HOOK_EOM);
}
END_TEST

static struct op_answer answer;

static enum pst_verdict
asks_another(struct pst_event *ev)
{
	pst_at(ev, "outer:1");
	op_now(rig.gen->instance[1], "lookup/1.get", NULL, NULL, &answer);
	ck_assert_str_eq(place(), "outer:1");
	return PST_CONTINUE;
}

static enum pst_verdict
is_another(struct pst_event *ev)
{
	ck_assert_str_eq(place(), "");
	pst_at(ev, "inner:2");
	ck_assert_str_eq(place(), "inner:2");
	return PST_CONTINUE;
}

ONE(eom_asks, PST_ON_EOM, asks_another);
ONE(get_is, "lookup/1.get", is_another);

START_TEST(finds_the_place_again_when_another_plugin_was_asked)
{
	(void)rig_add("a", eom_asks);
	(void)rig_add("b", get_is);
	(void)rig_hook(HOOK_EOM);
	ck_assert_str_eq(place(), "nobody");
}
END_TEST

static enum pst_verdict
never(struct pst_event *ev, const struct pst_result *r)
{
	(void)ev;
	(void)r;
	return PST_CONTINUE;
}

static enum pst_verdict
says_and_waits(struct pst_event *ev)
{
	uint64_t id;

	pst_at(ev, "slow.lua:3");
	return pst_park(ev, 0, &id, never);
}

ONE(eom_waits, PST_ON_EOM, says_and_waits);

START_TEST(names_the_place_that_it_waited_at_too_long)
{
	rig_add("a", eom_waits)->timeout = SECONDS(1);
	ck_assert(!rig_hook(HOOK_EOM));
	rig_run(2000);
	ck_assert_str_eq(rig_log(), "Warning: Plugin a failed at eom "
	    "(slow.lua:3): MID 7 ICID 5 no verdict within 1s\n");
}
END_TEST

/* ---- What it leaves out -------------------------------------------------- */

static enum pst_verdict
notes(struct pst_event *ev)
{
	strcat(trace, ev->instance);
	return PST_CONTINUE;
}

static enum pst_verdict
mutes(struct pst_event *ev)
{
	ck_assert_int_eq(pst_mute(ev, PST_ON_EOM), 0);
	ck_assert_int_eq(pst_mute(ev, PST_ON_EOM), 0);
	ck_assert_int_eq(pst_mute(ev, PST_ON_MAIL), -1);
	ck_assert_int_eq(pst_mute(ev, PST_ON_START), -1);
	ck_assert_int_eq(pst_mute(ev, "lookup/1.get"), -1);
	ck_assert_int_eq(pst_mute(ev, "nonsense"), -1);
	return PST_CONTINUE;
}

static const struct pst_hook eom_mutes[] = { PST_HOOK(PST_ON_EOM, notes),
	PST_HOOK("lookup/1.get", notes), PST_HOOK(PST_ON_START, mutes),
	PST_END };
ONE(eom_notes, PST_ON_EOM, notes);

static void
start(struct instance *i)
{
	struct op_answer a;

	op_now(i, PST_ON_START, NULL, NULL, &a);
	ck_assert_int_eq(a.verdict, PST_CONTINUE);
}

START_TEST(is_not_asked_where_it_has_nothing_to_do)
{
	struct instance *a, *c;

	a = rig_add("a", eom_mutes);
	(void)rig_add("b", eom_notes);
	c = rig_add("c", eom_mutes);
	(void)rig_hook(HOOK_EOM);
	ck_assert_str_eq(trace, "abc");
	start(a);
	ck_assert(order_muted(a, HOOK_EOM));
	(void)rig_hook(HOOK_EOM);
	ck_assert_str_eq(trace, "abcbc");
	start(c);
	(void)rig_hook(HOOK_EOM);
	ck_assert_str_eq(trace, "abcbcb");
	ck_assert(op_next(rig.gen, "lookup/1.get", NULL) == a);
}
END_TEST

START_TEST(is_no_reason_to_ask_when_all_are_muted)
{
	struct instance *a = rig_add("a", eom_mutes);

	ck_assert(hook_wanted(rig.gen, HOOK_EOM));
	start(a);
	ck_assert(!hook_wanted(rig.gen, HOOK_EOM));
	ck_assert(rig_hook(HOOK_EOM));
	ck_assert_str_eq(trace, "");
}
END_TEST

static enum pst_verdict
mutes_late(struct pst_event *ev)
{
	ck_assert_int_eq(pst_mute(ev, PST_ON_EOM), -1);
	return PST_CONTINUE;
}

ONE(eom_mutes_late, PST_ON_EOM, mutes_late);

START_TEST(can_mute_itself_at_start_only)
{
	(void)rig_add("a", eom_mutes_late);
	(void)rig_hook(HOOK_EOM);
	ck_assert(hook_wanted(rig.gen, HOOK_EOM));
	ck_assert_str_eq(rig_log(), "Warning: Plugin a at eom: MID 7 ICID 5 "
	    "hooks are muted at start\n");
}
END_TEST

/* ---- Recipients ---------------------------------------------------------- */

struct its {
	int n;
};

static enum pst_verdict
then_the_second(struct pst_event *ev, const struct pst_result *r)
{
	(void)r;
	ck_assert_int_eq(pst_data(ev, PST_RCPT, struct its)->n, 1);
	ck_assert_int_eq(pst_rcpt(ev, 2), 0);
	ck_assert_int_eq(pst_data(ev, PST_RCPT, struct its)->n, 0);
	ck_assert_int_eq(pst_rcpt(ev, -1), 0);
	ck_assert_ptr_null(pst_data(ev, PST_RCPT, struct its));
	return PST_CONTINUE;
}

static enum pst_verdict
chooses(struct pst_event *ev)
{
	ck_assert_ptr_null(pst_data(ev, PST_RCPT, struct its));
	ck_assert_int_eq(pst_rcpt(ev, 1), 0);
	pst_data(ev, PST_RCPT, struct its)->n = 1;
	ck_assert_int_eq(pst_rcpt(ev, 3), -1);
	return pst_timer(ev, 10, then_the_second);
}

ONE(eom_chooses, PST_ON_EOM, chooses);

START_TEST(chooses_a_recipient_across_waits)
{
	(void)rig_add("a", eom_chooses);
	ck_assert(!rig_hook(HOOK_EOM));
	rig_run(100);
	ck_assert_uint_eq(rig.answers, 1);
	ck_assert_int_eq(rig.v.act, HOOK_GO);
	ck_assert_str_eq(rig_log(), "");
}
END_TEST

static enum pst_verdict
chooses_another(struct pst_event *ev)
{
	ck_assert_int_eq(pst_rcpt(ev, 0), -1);
	return PST_CONTINUE;
}

static enum pst_verdict
chooses_inside(struct pst_event *ev)
{
	ck_assert_int_eq(pst_rcpt(ev, 1), 0);
	ck_assert_int_eq(pst_each_rcpt(ev, chooses_another), PST_CONTINUE);
	ck_assert_ptr_nonnull(pst_data(ev, PST_RCPT, struct its));
	return PST_CONTINUE;
}

ONE(eom_chooses_inside, PST_ON_EOM, chooses_inside);
ONE(rcpt_has_one, PST_ON_RCPT, chooses_another);

START_TEST(does_not_choose_where_one_is_given)
{
	(void)rig_add("a", _i == 0 ? eom_chooses_inside : rcpt_has_one);
	rig.about.rcpt = _i == 0 ? -1 : 1;
	(void)rig_hook(_i == 0 ? HOOK_EOM : HOOK_RCPT);
	ck_assert_ptr_nonnull(strstr(rig_log(), "no recipient can be chosen "
	    "here"));
}
END_TEST

/* ---- Added, dropped, told ------------------------------------------------ */

static bool gone[3];

static bool
is_dropped(void *arg, int rcpt)
{
	(void)arg;
	return rcpt < 3 && gone[rcpt];
}

static unsigned
three(void *arg)
{
	(void)arg;
	return 3;
}

static int
adds(void *arg, const char *address, int flags, struct err *why)
{
	(void)arg;
	if (address[0] == '-')
		return err_text(why, "that is no address");
	strcat(trace, address);
	strcat(trace, flags == PST_RCPT_QUIET ? " quiet " : " ");
	return 3;
}

static int
drops(void *arg, int rcpt, const char *by, struct err *why)
{
	(void)arg;
	(void)why;
	gone[rcpt] = true;
	strcat(trace, by);
	strcat(trace, " dropped ");
	return 0;
}

static int
tells(void *arg, const struct about_notice *n, struct err *why)
{
	(void)arg;
	(void)why;
	strcat(trace, n->to);
	strcat(trace, n->subject);
	strcat(trace, n->text);
	strcat(trace, n->by);
	return 0;
}

static int
sets(void *arg, enum fact f, int rcpt, const char *value, struct err *why)
{
	(void)arg;
	(void)f;
	(void)why;
	strcat(trace, rcpt < 0 ? "all " : "one ");
	strcat(trace, value);
	return 0;
}

static const char *
text_of(void *arg, enum fact f, int rcpt, struct pool *pool)
{
	(void)arg;
	return f == FACT_RCPT_INDEX ? pool_printf(pool, "%d", rcpt) : "fact";
}

static const struct about_ops mail_ops = {
	.get = text_of,
	.set = sets,
	.nrcpt = three,
	.dropped = is_dropped,
	.rcpt_add = adds,
	.rcpt_drop = drops,
	.notify = tells,
};

static enum pst_verdict
index_of(struct pst_event *ev)
{
	strcat(trace, pst_get(ev, "rcpt.index"));
	return PST_CONTINUE;
}

static enum pst_verdict
changes_recipients(struct pst_event *ev)
{
	struct pst_notice n = { .size = sizeof(n), .to = "a@b" };
	struct pst_notice old = { .size = 8, .to = "a@b" };

	ck_assert_int_eq(pst_rcpt_add(ev, "x@y", 0), 3);
	ck_assert_int_eq(pst_rcpt_add(ev, "z@y", PST_RCPT_QUIET), 3);
	ck_assert_int_eq(pst_rcpt_add(ev, "-", 0), -1);
	ck_assert_int_eq(pst_rcpt_add(ev, "x@y", 2), -1);
	ck_assert_int_eq(pst_rcpt_drop(ev), -1);
	ck_assert_int_eq(pst_rcpt(ev, 1), 0);
	ck_assert_int_eq(pst_rcpt_drop(ev), 0);
	ck_assert_int_eq(pst_rcpt_drop(ev), 0);
	ck_assert_int_eq(pst_set(ev, "rcpt.tls", "x"), -1);
	ck_assert_int_eq(pst_header_add(ev, "A", "x"), -1);
	ck_assert_int_eq(pst_body_write(ev, "x", 1), -1);
	ck_assert_int_eq(pst_rcpt(ev, -1), 0);
	ck_assert_int_eq(pst_rcpt(ev, 1), -1);
	ck_assert_int_eq(pst_each_rcpt(ev, index_of), PST_CONTINUE);
	ck_assert_int_eq(pst_notify(ev, &n), 0);
	ck_assert_int_eq(pst_notify(ev, &old), -1);
	return PST_CONTINUE;
}

ONE(eom_changes, PST_ON_EOM, changes_recipients);
ONE(headers_changes, PST_ON_HEADERS, changes_recipients);

START_TEST(changes_whom_a_message_goes_to)
{
	memset(gone, 0, sizeof(gone));
	rig.about.ops = &mail_ops;
	(void)rig_add("a", _i == 0 ? eom_changes : headers_changes);
	(void)rig_hook(_i == 0 ? HOOK_EOM : HOOK_HEADERS);
	ck_assert_int_eq(rig.v.act, HOOK_GO);
	ck_assert_str_eq(trace, "x@y z@y quiet a dropped 02a@ba");
	ck_assert_ptr_nonnull(strstr(rig_log(), "a recipient cannot be added: "
	    "that is no address"));
	ck_assert_ptr_nonnull(strstr(rig_log(), "rcpt.tls cannot be set: that "
	    "recipient was dropped"));
}
END_TEST

static enum pst_verdict
changes_too_late(struct pst_event *ev)
{
	struct pst_notice n = { .size = sizeof(n), .to = "a@b" };

	ck_assert_int_eq(pst_rcpt_add(ev, "x@y", 0), -1);
	(void)pst_rcpt(ev, 1);
	ck_assert_int_eq(pst_rcpt_drop(ev), -1);
	ck_assert_int_eq(pst_notify(ev, &n), -1);
	return PST_CONTINUE;
}

ONE(branch_changes, PST_ON_BRANCH, changes_too_late);
ONE(data_changes, PST_ON_DATA, changes_too_late);

START_TEST(changes_nobody_at_other_hooks)
{
	rig.about.ops = &mail_ops;
	(void)rig_add("a", _i == 0 ? branch_changes : data_changes);
	(void)rig_hook(_i == 0 ? HOOK_BRANCH : HOOK_DATA);
	ck_assert_str_eq(trace, "");
}
END_TEST

/* ---- Tables -------------------------------------------------------------- */

static enum pst_verdict
looks(struct pst_event *ev)
{
	ck_assert_str_eq(pst_get(ev, "sender"), "fact");
	ck_assert_str_eq(pst_get(ev, "rcpt.index"), "2");
	ck_assert_str_eq(pst_get(ev, "mid"), "fact");
	ck_assert_int_eq(pst_set(ev, "rcpt.tls", "x"), -1);
	ck_assert_int_eq(pst_set(ev, "note.x", "x"), -1);
	ck_assert_int_eq(pst_header_add(ev, "A", "x"), -1);
	ck_assert_int_eq(pst_body_write(ev, "x", 1), -1);
	ck_assert_int_eq(pst_rcpt_add(ev, "x@y", 0), -1);
	strcat(trace, "looked ");
	return PST_CONTINUE;
}

static enum pst_verdict
answered(struct pst_event *ev, const struct pst_result *r)
{
	(void)ev;
	ck_assert_int_eq(r->status, PST_NOTFOUND);
	return PST_CONTINUE;
}

static enum pst_verdict
asks_table(struct pst_event *ev)
{
	ck_assert_int_eq(pst_rcpt(ev, 2), 0);
	return pst_lookup(ev, "table", "key", answered);
}

ONE(eom_asks_table, PST_ON_EOM, asks_table);
ONE(get_looks, "lookup/1.get", looks);

START_TEST(a_table_reads_what_the_asker_is_about)
{
	memset(gone, 0, sizeof(gone));
	rig.about.ops = &mail_ops;
	(void)rig_add("a", eom_asks_table);
	(void)rig_add("table", get_looks);
	ck_assert(!rig_hook(HOOK_EOM));
	rig_run(10);
	ck_assert_uint_eq(rig.answers, 1);
	ck_assert_int_eq(rig.v.act, HOOK_GO);
	ck_assert_str_eq(trace, "looked ");
}
END_TEST

UNIT_SUITE(abi11)
{
	tcase_add_checked_fixture(tc, begin, rig_end);
	tcase_add_test(tc, tells_where_in_the_plugin_it_was);
	tcase_add_test(tc, keeps_63_octets_of_it_that_can_be_printed);
	tcase_add_test(tc,
	    finds_the_place_again_when_another_plugin_was_asked);
	tcase_add_test(tc, names_the_place_that_it_waited_at_too_long);
	tcase_add_test(tc, is_not_asked_where_it_has_nothing_to_do);
	tcase_add_test(tc, is_no_reason_to_ask_when_all_are_muted);
	tcase_add_test(tc, can_mute_itself_at_start_only);
	tcase_add_test(tc, chooses_a_recipient_across_waits);
	tcase_add_loop_test(tc, does_not_choose_where_one_is_given, 0, 2);
	tcase_add_loop_test(tc, changes_whom_a_message_goes_to, 0, 2);
	tcase_add_loop_test(tc, changes_nobody_at_other_hooks, 0, 2);
	tcase_add_test(tc, a_table_reads_what_the_asker_is_about);
}
