/*
 * What the host promises of events (docs/internals/plugins.md): each promise
 * has a test of its name.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"
#include "unit.h"

#define ONE(name, hook, fn)                                                    \
	static const struct pst_hook name[] = { PST_HOOK(hook, fn), PST_END }

static char trace[512], clean[] = "clean", session[] = "session",
    first[] = "first", second[] = "second";
static bool inside; /* the function that asked */
static struct pst_event *kept;
static uint64_t parked;
static int fds[2];

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
	inside = false;
	parked = 0;
	kept = NULL;
	ck_assert_int_eq(pipe(fds), 0);
	rig_begin();
}

static void
end(void)
{
	rig_end();
	(void)close(fds[0]);
	(void)close(fds[1]);
}

/* Continuations that say where they were. */
static enum pst_verdict
continued(struct pst_event *ev, const struct pst_result *r)
{
	char text[32];

	(void)ev;
	ck_assert(!inside);
	(void)snprintf(text, sizeof(text), "%d", (int)r->status);
	add(text);
	return PST_CONTINUE;
}

static enum pst_verdict
waits_on(struct pst_event *ev, const struct pst_result *r)
{
	(void)continued(ev, r);
	return PST_WAIT;
}

static int
work(void *arg)
{
	*(int *)arg += 1;
	return 3;
}

/* ---- 1. never inside the call that asked -------------------------------- */

static unsigned which;

static enum pst_verdict
asks_what_is_there(struct pst_event *ev)
{
	struct pst_http q = { .size = sizeof(q), .url = "http://x/" };
	enum pst_verdict v = PST_CONTINUE;
	int *n = pst_alloc(ev, PST_EVENT, sizeof(int));

	inside = true;
	switch (which) {
	case 0:
		v = pst_timer(ev, 0, continued);
		break;
	case 1:
		v = pst_watch(ev, fds[1], PST_WRITE, 0, continued);
		break;
	case 2:
		v = pst_watch(ev, -1, PST_READ, 0, continued);
		break;
	case 3:
		v = pst_offload(ev, work, n, continued);
		break;
	case 4:
		v = pst_dns(ev, "example.com", "A", continued);
		break;
	case 5:
		v = pst_lookup(ev, "nowhere", "key", continued);
		break;
	case 6:
		v = pst_http(ev, &q, continued);
		break;
	case 7:
		v = pst_park(ev, 0, &parked, continued);
		ck_assert(pst_wake(ev, parked, NULL));
		break;
	}
	inside = false;
	return v;
}

static const struct {
	unsigned answers;
	const char *trace;
} there[] = {
	{ 1, "0 " }, { 1, "0 " }, { 1, "4 " }, { 1, "0 " }, { 1, "0 " },
	{ 1, "4 " }, { 1, "0 " }, { 1, "0 " },
};

/* A resolver and a web client that call back at once. */
static struct dns_query *
dns_at_once(struct dns *d, const char *name, enum dns_type type, dns_fn *fn,
    void *arg)
{
	static const unsigned char ip[] = { 192, 0, 2, 1 };
	struct dns_rr rr = { .type = DNS_A, .data = ip, .len = 4 };
	struct dns_answer a = { .status = DNS_OK, .rr = &rr, .n = 1 };

	(void)d;
	(void)type;
	ck_assert_str_eq(name, "example.com");
	fn(arg, &a);
	return NULL;
}

static struct http *
http_at_once(struct http_client *c, const struct pst_http *q,
    void (*fn)(void *, const struct pst_result *), void *arg)
{
	struct pst_result r = { .size = sizeof(r), .code = 200 };

	(void)c;
	(void)q;
	fn(arg, &r);
	return NULL;
}

static const struct host_net at_once = {
	.dns = dns_at_once,
	.http = http_at_once,
};

ONE(mail_there, PST_ON_MAIL, asks_what_is_there);

static void
begin_at_once(void)
{
	trace[0] = '\0';
	inside = false;
	ck_assert_int_eq(pipe(fds), 0);
	rig_begin_net(&at_once);
}

START_TEST(never_continues_inside_the_call_that_asked)
{
	(void)rig_add("a", mail_there);
	which = (unsigned)_i;
	ck_assert(!rig_hook(HOOK_MAIL));
	ck_assert_str_eq(trace, "");
	rig_run(10);
	ck_assert_str_eq(trace, there[_i].trace);
	ck_assert_uint_eq(rig.answers, there[_i].answers);
	ck_assert_int_eq(rig.v.act, HOOK_GO);
}
END_TEST

/* ---- 2. waiting for nothing --------------------------------------------- */

static enum pst_verdict
waits_for_nothing(struct pst_event *ev)
{
	return pst_timer(ev, 1000, waits_on);
}

ONE(mail_nothing, PST_ON_MAIL, waits_for_nothing);

START_TEST(fails_at_once_when_it_waits_for_nothing)
{
	(void)rig_add("a", mail_nothing);
	ck_assert(!rig_hook(HOOK_MAIL));
	rig_run(1000);
	ck_assert_uint_eq(rig.answers, 1);
	ck_assert_int_eq(rig.v.act, HOOK_TEMPFAIL);
	ck_assert_ptr_nonnull(strstr(rig_log(), "it waits for nothing"));
}
END_TEST

/* ---- 3. after cancellation: only clean-ups, the last one first ---------- */

static enum pst_verdict
waits_for_all(struct pst_event *ev)
{
	int *n = pst_alloc(ev, PST_EVENT, sizeof(int));

	pst_defer(ev, PST_EVENT, cleaned, first);
	pst_defer(ev, PST_EVENT, cleaned, second);
	(void)pst_timer(ev, 10, continued);
	(void)pst_watch(ev, fds[0], PST_READ, 10, continued);
	(void)pst_offload(ev, work, n, continued);
	(void)pst_dns(ev, "example.com", "A", continued);
	(void)pst_lookup(ev, "slow", "key", continued);
	(void)pst_park(ev, 10, &parked, continued);
	return PST_WAIT;
}

static enum pst_verdict
slow_get(struct pst_event *ev)
{
	return pst_timer(ev, 5, continued);
}

static enum pst_verdict
wakes(struct pst_event *ev)
{
	struct pst_str item = { "value", 5 };
	struct pst_result r = { .size = sizeof(r), .status = PST_OK,
		.count = 1, .item = &item };

	add(pst_wake(ev, parked, &r) ? "woken" : "gone");
	return PST_CONTINUE;
}

static const struct pst_hook mail_all[] = {
	PST_HOOK(PST_ON_MAIL, waits_for_all),
	PST_HOOK(PST_ON_HELO, wakes),
	PST_END,
};
ONE(get_slow, "lookup/1.get", slow_get);

START_TEST(runs_nothing_but_clean_ups_after_a_cancellation)
{
	(void)rig_add("a", mail_all);
	(void)rig_add("slow", get_slow);
	ck_assert(!rig_hook(HOOK_MAIL));
	/* Two of them have their answer, and have not told it. */
	(void)hook_ask(rig.gen, HOOK_HELO, &rig.about, &rig.v, NULL, NULL,
	    NULL);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	hook_cancel(&rig.run);
	ck_assert_ptr_null(rig.run);
	rig_run(100);
	ck_assert_str_eq(trace, "woken second first ");
	ck_assert_uint_eq(rig.answers, 0);
	ck_assert_uint_eq(rig.gen->refs, 1);
}
END_TEST

static enum pst_verdict
asks_slow(struct pst_event *ev)
{
	return pst_lookup(ev, "slow", "key", continued);
}

ONE(mail_slow, PST_ON_MAIL, asks_slow);

START_TEST(takes_the_table_s_event_along_when_it_is_cancelled)
{
	(void)rig_add("a", mail_slow);
	(void)rig_add("slow", get_slow);
	ck_assert(!rig_hook(HOOK_MAIL));
	rig_now();
	ck_assert_uint_eq(rig.gen->refs, 3);
	hook_cancel(&rig.run);
	ck_assert_uint_eq(rig.gen->refs, 1);
	rig_run(100);
	ck_assert_str_eq(trace, "");
}
END_TEST

static enum pst_verdict
cancels_itself(struct pst_event *ev, const struct pst_result *r)
{
	(void)r;
	pst_defer(ev, PST_EVENT, cleaned, clean);
	(void)pst_timer(ev, 1, continued);
	hook_cancel(&rig.run);
	op_cancel(&rig.op);
	add("returns");
	/* It can still be asked, and asks for nothing. */
	ck_assert_str_eq(pst_get(ev, "mid"), "7");
	return pst_timer(ev, 1, continued);
}

static enum pst_verdict
will_cancel(struct pst_event *ev)
{
	(void)pst_timer(ev, 50, continued);
	return pst_timer(ev, 1, cancels_itself);
}

ONE(mail_cancels, PST_ON_MAIL, will_cancel);
ONE(get_cancels, "lookup/1.get", will_cancel);

START_TEST(ends_when_it_is_cancelled_inside_its_own_continuation)
{
	struct instance *i = rig_add("a", mail_cancels);
	struct instance *j = rig_add("b", get_cancels);

	(void)i;
	if (_i == 0)
		ck_assert(!rig_hook(HOOK_MAIL));
	else
		ck_assert(!rig_op(j, "lookup/1.get", NULL));
	rig_run(100);
	ck_assert_str_eq(trace, "returns clean ");
	ck_assert_uint_eq(rig.answers, 0);
	ck_assert_uint_eq(rig.gen->refs, 1);
}
END_TEST

static enum pst_verdict
then_cancels(struct pst_event *ev)
{
	(void)ev;
	add("next");
	hook_cancel(&rig.run);
	return PST_REJECT;
}

static enum pst_verdict
waits_a_bit(struct pst_event *ev)
{
	return pst_timer(ev, 1, continued);
}

ONE(mail_bit, PST_ON_MAIL, waits_a_bit);
ONE(mail_then_cancels, PST_ON_MAIL, then_cancels);

START_TEST(ends_when_a_later_plugin_of_the_chain_cancels_it)
{
	(void)rig_add("a", mail_bit);
	(void)rig_add("b", mail_then_cancels);
	(void)rig_add("c", mail_bit);
	ck_assert(!rig_hook(HOOK_MAIL));
	rig_run(100);
	ck_assert_str_eq(trace, "0 next ");
	ck_assert_uint_eq(rig.answers, 0);
}
END_TEST

/* ---- 4. ids of what is gone --------------------------------------------- */

static enum pst_verdict
parks(struct pst_event *ev)
{
	return pst_park(ev, 0, &parked, continued);
}

static const struct pst_hook parking[] = {
	PST_HOOK(PST_ON_MAIL, parks),
	PST_HOOK(PST_ON_HELO, wakes),
	PST_END,
};
ONE(foreign, PST_ON_HELO, wakes);

START_TEST(does_not_wake_what_is_gone)
{
	uint64_t old;

	(void)rig_add("a", parking);
	ck_assert(!rig_hook(HOOK_MAIL));
	old = parked;
	hook_cancel(&rig.run);
	(void)rig_hook(HOOK_HELO);
	ck_assert_str_eq(trace, "gone ");
	/* The next one has its place, but not its id. */
	ck_assert(!rig_hook(HOOK_MAIL));
	ck_assert_uint_eq((uint32_t)old, (uint32_t)parked);
	ck_assert_uint_ne(old, parked);
	parked = old;
	(void)hook_ask(rig.gen, HOOK_HELO, &rig.about, &rig.v, NULL, NULL,
	    NULL);
	ck_assert_str_eq(trace, "gone gone ");
	parked = UINT64_MAX;
	(void)hook_ask(rig.gen, HOOK_HELO, &rig.about, &rig.v, NULL, NULL,
	    NULL);
	parked = 0;
	(void)hook_ask(rig.gen, HOOK_HELO, &rig.about, &rig.v, NULL, NULL,
	    NULL);
	ck_assert_str_eq(trace, "gone gone gone gone ");
	rig_run(100);
	ck_assert_ptr_nonnull(rig.run);
}
END_TEST

START_TEST(wakes_once_and_only_its_own)
{
	(void)rig_add("a", parking);
	ck_assert(!rig_hook(HOOK_MAIL));
	(void)rig_add("b", foreign);
	rig.gen->chain[HOOK_HELO].v[0] = rig.gen->instance[1];
	rig.gen->chain[HOOK_HELO].v[1] = rig.gen->instance[0];
	order_seats(&rig.gen->chain[HOOK_HELO], ON_HELO);
	(void)hook_ask(rig.gen, HOOK_HELO, &rig.about, &rig.v, NULL, NULL,
	    NULL);
	(void)hook_ask(rig.gen, HOOK_HELO, &rig.about, &rig.v, NULL, NULL,
	    NULL);
	ck_assert_str_eq(trace, "gone woken gone gone ");
	rig_run(1);
	ck_assert_str_eq(trace, "gone woken gone gone 0 ");
	ck_assert_uint_eq(rig.answers, 1);
}
END_TEST

static enum pst_verdict
keeps_the_event(struct pst_event *ev)
{
	kept = ev;
	return PST_CONTINUE;
}

ONE(mail_keeps, PST_ON_MAIL, keeps_the_event);

START_TEST(refuses_an_event_that_is_over)
{
	(void)rig_add("a", mail_keeps);
	(void)rig_hook(HOOK_MAIL);
	ck_assert_ptr_null(pst_get(kept, "mid"));
	ck_assert_ptr_null(pst_alloc(kept, PST_INSTANCE, 1));
	ck_assert_int_eq(pst_set(kept, "note.x", "y"), -1);
	ck_assert_int_eq(pst_reject(kept, 0, "", "x"), PST_TEMPFAIL);
	ck_assert_int_eq(pst_timer(kept, 0, continued), PST_WAIT);
	ck_assert(!pst_wake(kept, 1, NULL));
	ck_assert_int_eq(pst_task(kept, waits_a_bit, NULL), -1);
	rig_run(100);
	ck_assert_str_eq(trace, "");
	ck_assert_ptr_nonnull(strstr(rig_log(),
	    "Plugin a used an event that is over: mail"));
}
END_TEST

/* ---- 5. work outlives its event, memory outlives the work --------------- */

static int gate[2];

static int
blocked(void *arg)
{
	char c;

	if (read(gate[0], &c, 1) != 1)
		return 1;
	memset(arg, 'x', 4096);
	return 0;
}

static enum pst_verdict
offloads(struct pst_event *ev)
{
	char *p = pst_alloc(ev, PST_EVENT, 4096);

	pst_defer(ev, PST_EVENT, cleaned, clean);
	pst_defer(ev, PST_SESSION, cleaned, session);
	return pst_offload(ev, blocked, p, continued);
}

ONE(mail_offloads, PST_ON_MAIL, offloads);

START_TEST(keeps_the_memory_until_the_work_returned)
{
	ck_assert_int_eq(pipe(gate), 0);
	(void)rig_add("a", mail_offloads);
	ck_assert(!rig_hook(HOOK_MAIL));
	ck_assert_int_eq(write(gate[1], "x", 1), 1);
	if (_i == 0) {
		rig_run(10);
		ck_assert_str_eq(trace, "0 clean ");
		ck_assert_uint_eq(rig.answers, 1);
		scope_end(&rig.scope[PST_SESSION]);
		ck_assert_str_eq(trace, "0 clean session ");
	} else {
		hook_cancel(&rig.run);
		scope_end(&rig.scope[PST_SESSION]);
		ck_assert_str_eq(trace, "");
		rig_run(10);
		ck_assert_str_eq(trace, "clean session ");
		ck_assert_uint_eq(rig.answers, 0);
	}
	(void)close(gate[0]);
	(void)close(gate[1]);
}
END_TEST

UNIT_SUITE(event_at_once)
{
	tcase_add_checked_fixture(tc, begin_at_once, end);
	tcase_add_loop_test(tc, never_continues_inside_the_call_that_asked, 0,
	    sizeof(there) / sizeof(there[0]));
}

UNIT_SUITE(event)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, fails_at_once_when_it_waits_for_nothing);
	tcase_add_test(tc, runs_nothing_but_clean_ups_after_a_cancellation);
	tcase_add_test(tc, takes_the_table_s_event_along_when_it_is_cancelled);
	tcase_add_loop_test(tc,
	    ends_when_it_is_cancelled_inside_its_own_continuation, 0, 2);
	tcase_add_test(tc, ends_when_a_later_plugin_of_the_chain_cancels_it);
	tcase_add_test(tc, does_not_wake_what_is_gone);
	tcase_add_test(tc, wakes_once_and_only_its_own);
	tcase_add_test(tc, refuses_an_event_that_is_over);
	tcase_add_loop_test(tc, keeps_the_memory_until_the_work_returned, 0,
	    2);
}
