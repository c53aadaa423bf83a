#include "unit.h"

#include "mail/notes.h"
#include "queue/queue_priv.h"
#include "queue/split.h"
#include "queue_util.h"

/* Recipients of equal treatment form a branch. */

static struct bench b;
static struct treat *t;
static struct envelope *env;
static struct body_ref *body;
static struct branch *v;
static unsigned n;
static uint64_t mids;
static struct err why;

static uint64_t
next_mid(void *arg)
{
	(void)arg;
	return ++mids;
}

static void
begin(void)
{
	bench_init(&b, true);
	bench_open(&b);
	env = make_env(7, "s@a.example", 5);
	body = make_body(&b, 7, 100);
	t = treat_new(b.store, false, 10000);
	mids = 100;
	v = NULL;
	n = 0;
}

static void
end(void)
{
	unsigned i;

	for (i = 0; i < n; i++)
		branch_drop(&v[i]);
	mem_free(v);
	if (n == 0) { /* it was not split */
		envelope_destroy(&env);
		body_unref(&body);
	}
	treat_destroy(&t);
	bench_fini(&b);
}

static void
do_split(void)
{
	ck_assert_int_eq(treat_check(t, &why), 0);
	n = split(env, body, t, NULL, next_mid, NULL, &v);
}

/* "0 2": the RIDs of the parent that have that branch. */
static const char *
members(unsigned k)
{
	static char text[64];
	struct envelope *e = v[k].env;
	unsigned i;

	text[0] = '\0';
	for (i = 0; i < e->nrcpt; i++) {
		if (e->rcpt[i]->state != RCPT_PENDING)
			continue;
		ck_assert_uint_eq(e->rcpt[i]->rid, i);
		(void)snprintf(text + strlen(text),
		    sizeof(text) - strlen(text), "%.*s ",
		    STR_FMT(str_n(e->rcpt[i]->addr.full.p, 2)));
	}
	return text;
}

static void
add(int rcpt, const char *name, const char *value)
{
	ck_assert_int_eq(treat_edit(t, rcpt, EDIT_ADD, name, 0, value, &why),
	    0);
}

START_TEST(what_is_treated_equally_is_not_split)
{
	add(TREAT_ALL, "A", "1");
	add(1, "B", "2");
	add(0, "B", "2");
	add(2, "B", "2");
	add(3, "B", "2");
	add(4, "B", "2");
	do_split();
	ck_assert_uint_eq(n, 1);
	ck_assert_ptr_eq(v[0].env, env);
	ck_assert_str_eq(members(0), "r0 r1 r2 r3 r4 ");
	ck_assert(str_eq_c(env->edits, "add 0 A 1\nadd 0 B 2\n"));
	ck_assert_uint_eq(mids, 100);
}
END_TEST

START_TEST(branches_come_in_the_order_of_their_first_recipient)
{
	treat_by(t, "footer");
	add(1, "X", "one");
	add(3, "X", "one");
	treat_quarantine(t, 4, "bad");
	env->rcpt[3]->want = STR("required");
	do_split();
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(members(0), "r0 r2 ");
	ck_assert_uint_eq(v[0].env->mid, 7);
	ck_assert_int_eq(v[0].env->rcpt[1]->state, RCPT_MOVED);
	ck_assert_uint_eq(v[0].env->edits.n, 0);
	ck_assert_str_eq(members(1), "r1 r3 ");
	ck_assert_uint_eq(v[1].env->mid, 101);
	ck_assert(str_eq_c(v[1].env->edits, "add 0 X one\n"));
	ck_assert(str_eq_c(v[1].env->rcpt[1]->want, "required"));
	ck_assert_str_eq(v[1].by, "footer");
	ck_assert_str_eq(members(2), "r4 ");
	ck_assert_uint_eq(v[2].env->mid, 102);
	ck_assert(str_eq_c(v[2].env->quarantine, "bad"));
	ck_assert_uint_eq(v[2].env->icid, env->icid);
	ck_assert(str_eq(v[2].env->sender.full, env->sender.full));
	ck_assert_ptr_eq(v[1].body, v[0].body);
	ck_assert_ptr_eq(v[2].body, v[0].body);
}
END_TEST

START_TEST(a_want_or_a_route_alone_does_not_split)
{
	env->rcpt[0]->want = STR("required");
	env->rcpt[1]->want = STR("none");
	do_split();
	ck_assert_uint_eq(n, 1);
}
END_TEST

START_TEST(an_edit_for_all_reaches_those_who_have_their_own)
{
	add(TREAT_ALL, "A", "1");
	add(2, "B", "2");
	treat_quarantine(t, 3, "three");
	add(TREAT_ALL, "C", "3");
	do_split();
	ck_assert_uint_eq(n, 3);
	ck_assert(str_eq_c(v[0].env->edits, "add 0 A 1\nadd 0 C 3\n"));
	ck_assert(str_eq_c(v[1].env->edits,
	    "add 0 A 1\nadd 0 B 2\nadd 0 C 3\n"));
	ck_assert(str_eq_c(v[2].env->edits, "add 0 A 1\nadd 0 C 3\n"));
}
END_TEST

START_TEST(holds_and_quarantines_as_told)
{
	msec hold;

	ck_assert_int_eq(treat_hold(t, TREAT_ALL, SECONDS(5), &why), 0);
	ck_assert_int_eq(treat_hold(t, 1, SECONDS(9), &why), 0);
	ck_assert_int_eq(treat_hold(t, 1, -1, &why), -1);
	ck_assert_int_eq(treat_hold(t, 1, HOURS(721), &why), -1);
	ck_assert_int_eq(treat_read_hold("2592000", &hold, &why), 0);
	ck_assert_int_eq(hold, TREAT_HOLD_MAX);
	ck_assert_int_eq(treat_read_hold("2592001", &hold, &why), -1);
	ck_assert_int_eq(treat_read_hold("1d", &hold, &why), -1);
	treat_quarantine(t, TREAT_ALL, "first\r\n");
	treat_quarantine(t, TREAT_ALL, "second");
	do_split();
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(v[0].env->not_before, env->queued + SECONDS(5));
	ck_assert_int_eq(v[1].env->not_before, env->queued + SECONDS(9));
	ck_assert(str_eq_c(v[0].env->quarantine, "first\\x0d\\x0a"));
	ck_assert(str_eq_c(v[1].env->quarantine, "first\\x0d\\x0a"));
}
END_TEST

static void
write_body(int rcpt, const char *text)
{
	ck_assert_int_eq(treat_body(t, rcpt, STR("H: h\r\n"), text,
	    strlen(text), &why), 0);
}

START_TEST(a_new_body_belongs_to_whom_it_was_written_for)
{
	write_body(1, "new\nbo");
	write_body(3, "new\nbody");
	write_body(1, "dy");
	write_body(4, "other\xff\r\n");
	env->flags |= ENV_8BIT_SEEN;
	do_split();
	ck_assert_uint_eq(n, 3);
	ck_assert_ptr_eq(v[0].body, body);
	ck_assert_str_eq(members(1), "r1 r3 ");
	ck_assert(str_eq_c(body_memory(v[1].body),
	    "H: h\r\n\r\nnew\r\nbody\r\n"));
	ck_assert_uint_eq(v[1].env->size, 19);
	ck_assert_uint_eq(v[1].env->flags & ENV_8BIT_SEEN, 0);
	ck_assert(str_eq_c(body_memory(v[2].body),
	    "H: h\r\n\r\nother\xff\r\n"));
	ck_assert_uint_ne(v[2].env->flags & ENV_8BIT_SEEN, 0);
}
END_TEST

START_TEST(a_new_body_for_all_spares_those_who_have_their_own)
{
	write_body(1, "one");
	treat_quarantine(t, 2, "q");
	write_body(TREAT_ALL, "all");
	do_split();
	ck_assert_uint_eq(n, 3);
	ck_assert(str_eq_c(body_memory(v[0].body), "H: h\r\n\r\nall\r\n"));
	ck_assert(str_eq_c(body_memory(v[1].body), "H: h\r\n\r\none\r\n"));
	ck_assert(str_eq_c(body_memory(v[2].body), "H: h\r\n\r\nall\r\n"));
}
END_TEST

START_TEST(a_body_beyond_its_limit_fails_the_message)
{
	static char big[6000];

	memset(big, 'x', sizeof(big));
	ck_assert_int_eq(treat_body(t, 1, STR("H: h\r\n"), big,
	    sizeof(big) - 1000 - 8 - 1, &why), 0);
	ck_assert_int_eq(treat_body(t, 1, STR(""), big, 4000, &why), -1);
	ck_assert_int_eq(treat_body(t, 1, STR(""), big, 1, &why), -1);
	ck_assert_int_eq(treat_check(t, &why), -1);
	ck_assert_int_eq(why.code, 451);
	envelope_destroy(&env);
	body_unref(&body);
}
END_TEST

START_TEST(nul_in_a_new_body_fails_the_message)
{
	ck_assert_int_eq(treat_body(t, TREAT_ALL, STR("H: h\r\n"), "a\0b", 3,
	    &why), -1);
	ck_assert_int_eq(treat_check(t, &why), -1);
	envelope_destroy(&env);
	body_unref(&body);
}
END_TEST

START_TEST(utf8_edits_need_a_message_with_smtputf8)
{
	ck_assert_int_eq(treat_edit(t, 1, EDIT_ADD, "A", 0, "\xc3\xbc", &why),
	    -1);
	treat_destroy(&t);
	t = treat_new(b.store, true, 100);
	env->flags |= ENV_SMTPUTF8;
	ck_assert_int_eq(treat_edit(t, 1, EDIT_ADD, "A", 0, "\xc3\xbc", &why),
	    0);
	do_split();
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(v[0].env->flags & ENV_UTF8_HEADER, 0);
	ck_assert_uint_ne(v[1].env->flags & ENV_UTF8_HEADER, 0);
	/* The branch hook may add its own. */
	ck_assert_int_eq(edits_add(v[0].edits, EDIT_ADD, "B", 0, "\xc3\xbc",
	    &why), 0);
	ck_assert_int_eq(notes_set(v[0].notes, "n", "v", &why), 0);
	branch_seal(&v[0]);
	ck_assert(str_eq_c(v[0].env->edits, "add 0 B \\xc3\\xbc\n"));
	ck_assert(str_eq_c(v[0].env->notes, "n v\n"));
	ck_assert_uint_ne(v[0].env->flags & ENV_UTF8_HEADER, 0);
}
END_TEST

/* Thousands of treatments by chance: nobody is lost, doubled or in the wrong
 * branch, and no two branches are the same. */
START_TEST(nobody_is_lost_or_doubled)
{
	unsigned of[40], i, k, round, seen, kinds, first[4], order[4];
	struct addr a = { .full = STR("x@y"), .local = STR("x"),
		.domain = STR("y") };
	char text[16];
	uint32_t dice = 1;

	for (round = 0; round < 300; round++) {
		end();
		begin();
		for (i = env->nrcpt; i < 40; i++)
			(void)envelope_add_rcpt(env, &a, STR(""), 0);
		memset(first, 0, sizeof(first));
		for (i = 0, kinds = 0; i < 40; i++) {
			dice = dice * 1664525 + 1013904223;
			of[i] = (dice >> 20) % (1 + round % 4);
			if (of[i] > 0) {
				(void)snprintf(text, sizeof(text), "%u",
				    of[i]);
				add((int)i, "K", text);
			}
			if (first[of[i]]++ == 0)
				order[kinds++] = of[i];
		}
		do_split();
		ck_assert_uint_eq(n, kinds);
		for (k = 0, seen = 0; k < n; k++) {
			ck_assert_uint_eq(envelope_pending(v[k].env),
			    first[order[k]]);
			seen += envelope_pending(v[k].env);
			(void)snprintf(text, sizeof(text), "add 0 K %u\n",
			    order[k]);
			ck_assert(str_eq_c(v[k].env->edits,
			    order[k] > 0 ? text : ""));
		}
		ck_assert_uint_eq(seen, 40);
	}
}
END_TEST

/* ---- in the queue ---- */

static void
on_submitted(void *arg, const struct err *err)
{
	struct world *w = arg;

	ck_assert_ptr_null(err);
	w->acted = 1;
}

/* One of three branches is in quarantine, one waits for an hour. */
static void
submit_three(struct world *w)
{
	struct branch *branch;
	unsigned k;

	w->next_mid = 100;
	env = make_env(7, "s@a.test", 4);
	body = make_body(&w->b, 7, 100);
	t = treat_new(w->b.store, false, 10000);
	treat_quarantine(t, 1, "because");
	ck_assert_int_eq(treat_hold(t, 2, HOURS(1), &why), 0);
	ck_assert_int_eq(treat_check(t, &why), 0);
	mids = 7;
	k = split(env, body, t, NULL, next_mid, NULL, &branch);
	ck_assert_uint_eq(k, 3);
	split_log(branch, k);
	w->acted = 0;
	queue_submit_branches(w->q, branch, k, on_submitted, w);
	mem_free(branch);
	treat_destroy(&t);
	world_settle(w);
	ck_assert_uint_eq(w->acted, 1);
}

START_TEST(branches_are_queued_as_they_are_treated)
{
	struct store_filter f = { .hold = STORE_HELD };
	struct world w;

	world_init(&w, _i == 0);
	w.deliver = true;
	w.answer = ANSWER_DONE;
	world_open(&w);
	submit_three(&w);
	world_run(&w, SECONDS(1));
	ck_assert_uint_eq(w.nattempt, 2);
	ck_assert_uint_eq(w.attempt[0].mid, 7);
	ck_assert_uint_eq(w.attempt[1].mid, 7);
	ck_assert_uint_eq(w.attempt[0].rid + w.attempt[1].rid, 3);
	ck_assert_uint_eq(stats_of(&w).held, 1);
	world_run(&w, HOURS(1));
	ck_assert_uint_eq(w.nattempt, 3);
	ck_assert_uint_eq(w.attempt[2].mid, 9);
	ck_assert_uint_eq(w.attempt[2].rid, 0);
	/* The quarantine outlives the schedule, and still gets its attempt. */
	world_run(&w, w.profile.lifetime);
	ck_assert_uint_eq(w.nattempt, 3);
	ck_assert_uint_eq(act(&w, QUEUE_RELEASE, &f), 1);
	world_run(&w, SECONDS(2));
	ck_assert_uint_eq(w.nattempt, 4);
	ck_assert_uint_eq(w.attempt[3].mid, 8);
	ck_assert_uint_eq(waiting_rows(&w), 0);
	ck_assert_uint_eq(w.ndsn, 0);
	world_fini(&w);
}
END_TEST

START_TEST(branches_are_still_so_after_a_restart)
{
	struct world w;

	world_init(&w, false);
	world_open(&w);
	submit_three(&w);
	world_close(&w);
	w.deliver = true;
	w.answer = ANSWER_DONE;
	world_open(&w);
	world_run(&w, SECONDS(2));
	ck_assert_uint_eq(stats_of(&w).held, 1);
	ck_assert_uint_eq(waiting_rows(&w), 2);
	world_run(&w, HOURS(1));
	ck_assert_uint_eq(waiting_rows(&w), 1);
	world_fini(&w);
}
END_TEST

START_TEST(the_log_tells_who_and_with_which_word)
{
	treat_by(t, "policy");
	ck_assert_int_eq(treat_word(t, 0, "partner", &why), 0);
	ck_assert_int_eq(treat_word(t, 2, "other", &why), 0);
	do_split();
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(v[1].by, "policy/partner");
	ck_assert_str_eq(v[2].by, "policy/other");
}
END_TEST

START_TEST(who_is_not_taken_leaves_nothing_to_the_next)
{
	add(1, "X", "1");
	ck_assert_int_eq(treat_word(t, 1, "x", &why), 0);
	treat_forget(t, 1);
	treat_forget(t, 1);
	treat_forget(t, 99);
	do_split();
	ck_assert_uint_eq(n, 1);
}
END_TEST

START_TEST(words_make_branches_and_say_who_goes_first)
{
	ck_assert_int_eq(treat_word(t, 1, "strict", &why), 0);
	ck_assert_int_eq(treat_word(t, 3, "strict", &why), 0);
	add(3, "X", "one");
	ck_assert_int_eq(treat_word(t, 4, "strict", &why), 0);
	ck_assert_int_eq(treat_word(t, 4, "", &why), 0);
	ck_assert_int_eq(treat_after(t, 0, "strict", SECONDS(9), &why), 0);
	ck_assert_int_eq(treat_after(t, 1, "strict", SECONDS(9), &why), 0);
	ck_assert_int_eq(treat_after(t, 2, "nobody", SECONDS(9), &why), 0);
	ck_assert_int_eq(treat_word(t, 0, "a word", &why), -1);
	ck_assert_int_eq(treat_after(t, 0, "strict", HOURS(721), &why), -1);
	do_split();
	ck_assert_uint_eq(n, 5);
	ck_assert_str_eq(members(0), "r0 ");
	ck_assert_str_eq(members(1), "r1 ");
	ck_assert_str_eq(members(2), "r2 ");
	ck_assert_str_eq(members(3), "r3 ");
	ck_assert_str_eq(members(4), "r4 ");
	ck_assert(str_eq_c(v[0].env->waits_for, "101 103"));
	ck_assert_int_eq(v[0].until, env->queued + SECONDS(9));
	ck_assert(str_eq_c(v[1].env->waits_for, "103")); /* not itself */
	ck_assert_uint_eq(v[2].env->waits_for.n, 0);
	ck_assert_uint_eq(v[3].env->waits_for.n, 0);
}
END_TEST

UNIT_SUITE(split)
{
	tcase_add_test(tc, branches_are_still_so_after_a_restart);
	tcase_add_loop_test(tc, branches_are_queued_as_they_are_treated, 0, 2);
}

UNIT_SUITE(treat)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, what_is_treated_equally_is_not_split);
	tcase_add_test(tc,
	    branches_come_in_the_order_of_their_first_recipient);
	tcase_add_test(tc, a_want_or_a_route_alone_does_not_split);
	tcase_add_test(tc, words_make_branches_and_say_who_goes_first);
	tcase_add_test(tc, the_log_tells_who_and_with_which_word);
	tcase_add_test(tc, who_is_not_taken_leaves_nothing_to_the_next);
	tcase_add_test(tc, an_edit_for_all_reaches_those_who_have_their_own);
	tcase_add_test(tc, holds_and_quarantines_as_told);
	tcase_add_test(tc, a_new_body_belongs_to_whom_it_was_written_for);
	tcase_add_test(tc,
	    a_new_body_for_all_spares_those_who_have_their_own);
	tcase_add_test(tc, a_body_beyond_its_limit_fails_the_message);
	tcase_add_test(tc, nul_in_a_new_body_fails_the_message);
	tcase_add_test(tc, utf8_edits_need_a_message_with_smtputf8);
	tcase_add_test(tc, nobody_is_lost_or_doubled);
}
