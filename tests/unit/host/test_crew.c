/* Work on threads that hangs, on purpose; its plugin alone has the damage. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <postern/alert_sink.h>

#include "host/crew.h"
#include "rig.h"
#include "unit.h"

static int gate[2]; /* each octet lets one go */
static _Atomic unsigned inside;
static char trace[256];
static unsigned wanted, answers, refusals;

static int
hangs(void *arg)
{
	char c;

	(void)arg;
	atomic_fetch_add(&inside, 1);
	return read(gate[0], &c, 1) == 1 ? 7 : 8;
}

static int
works(void *arg)
{
	(void)arg;
	return 42;
}

static enum pst_verdict
came_back(struct pst_event *ev, const struct pst_result *r)
{
	(void)ev;
	answers++;
	if (r->status == PST_FAILED) {
		refusals++;
		ck_assert_str_eq(r->error, "too much of its work does not "
		    "come back");
	}
	return answers < wanted ? PST_WAIT : PST_CONTINUE;
}

static enum pst_verdict
hog(struct pst_event *ev)
{
	unsigned i;

	for (i = 0; i < wanted; i++)
		(void)pst_offload(ev, hangs, NULL, came_back);
	return PST_WAIT;
}

static enum pst_verdict
worked(struct pst_event *ev, const struct pst_result *r)
{
	(void)ev;
	ck_assert_uint_eq(r->code, 42);
	strcat(trace, "worked ");
	return PST_CONTINUE;
}

static enum pst_verdict
other(struct pst_event *ev)
{
	return pst_offload(ev, works, NULL, worked);
}

static const struct pst_hook hog_hooks[] = {
	PST_HOOK(PST_ON_MAIL, hog), PST_END };
static const struct pst_hook other_hooks[] = {
	PST_HOOK("lookup/1.get", other), PST_END };

static struct instance *good;

static void
begin(void)
{
	rig_begin();
	trace[0] = '\0';
	wanted = answers = refusals = 0;
	atomic_store(&inside, 0);
	ck_assert_int_eq(pipe(gate), 0);
	(void)rig_add("hog", hog_hooks);
	good = rig_add("good", other_hooks);
}

static void
end(void)
{
	(void)close(gate[1]); /* whoever still reads comes back */
	rig_end();
	(void)close(gate[0]);
}

static void
wait_inside(unsigned n)
{
	while (atomic_load(&inside) < n)
		(void)usleep(1000);
}

/* Time moves; nobody waits for work, as the rig would. */
static void
pass(msec ms)
{
	clock_fake_advance(ms);
	loop_once(rig.loop, false);
}

static void
ask_good(void)
{
	unsigned before = rig.answers;

	ck_assert(!rig_op(good, "lookup/1.get", NULL));
	while (rig.answers == before)
		loop_once(rig.loop, true);
}

static void
let_go(unsigned n)
{
	unsigned before = answers + n;

	while (n-- > 0)
		ck_assert_int_eq(write(gate[1], "x", 1), 1);
	while (answers < before)
		loop_once(rig.loop, true);
}

START_TEST(half_of_the_threads_are_left_for_others)
{
	wanted = 10;
	ck_assert(!rig_hook(HOOK_MAIL));
	wait_inside(CREW_SHARE);
	ask_good();
	ask_good();
	ck_assert_str_eq(trace, "worked worked ");
	ck_assert_uint_eq(atomic_load(&inside), CREW_SHARE);
	let_go(10);
	ck_assert_int_eq(rig.v.act, HOOK_GO);
	ck_assert_str_eq(rig_log(), "");
}
END_TEST

START_TEST(who_hangs_is_named_and_replaced)
{
	wanted = 3;
	ck_assert(!rig_hook(HOOK_MAIL));
	wait_inside(2);
	pass(SECONDS(30));
	wait_inside(2); /* the third was left out: its event is over */
	ck_assert_int_eq(rig.v.act, HOOK_TEMPFAIL);
	ck_assert_str_eq(rig_log(),
	    "Warning: Plugin hog failed at mail: MID 7 ICID 5 no verdict "
	    "within 30s\n"
	    "Warning: Plugin hog: work on a thread, begun at mail, has not "
	    "come back: MID 7 ICID 5 for 30000 ms, another takes its place\n"
	    "Warning: Plugin hog: work on a thread, begun at mail, has not "
	    "come back: MID 7 ICID 5 for 30000 ms, another takes its place\n");
	ck_assert(!rig_hook(HOOK_MAIL));
	wait_inside(4);
	ask_good();
	ck_assert_str_eq(trace, "worked ");
}
END_TEST

START_TEST(whose_work_never_returns_gets_no_more_threads)
{
	struct shm_busy b;
	unsigned i;

	wanted = 2;
	for (i = 0; i < CREW_LOST / 2; i++) {
		ck_assert(!rig_hook(HOOK_MAIL));
		wait_inside(2 * i + 2);
		pass(SECONDS(30));
	}
	ck_assert(!rig_hook(HOOK_MAIL));
	pass(0);
	ck_assert_uint_eq(refusals, 2);
	ck_assert_int_eq(rig.v.act, HOOK_GO);
	ask_good();
	ck_assert(shm_busy(rig.shm, 1, false, &b));
	ck_assert_str_eq(b.plugin, "hog");
	/* One that comes back is as any other. */
	ck_assert_int_eq(write(gate[1], "x", 1), 1);
	loop_once(rig.loop, true);
	answers = 0;
	ck_assert(!rig_hook(HOOK_MAIL));
	wait_inside(CREW_LOST + 1);
	(void)close(gate[1]);
	while (answers < 2)
		loop_once(rig.loop, true);
	ck_assert_uint_eq(refusals, 2);
	ck_assert_int_eq(rig.v.act, HOOK_GO);
	while (shm_busy(rig.shm, 1, false, &b))
		loop_once(rig.loop, true);
	gate[1] = dup(gate[0]);
}
END_TEST

static enum pst_verdict
task_hangs(struct pst_event *ev)
{
	return pst_offload(ev, hangs, NULL, came_back);
}

static enum pst_verdict
gives_task(struct pst_event *ev)
{
	ck_assert_int_eq(pst_task(ev, task_hangs, NULL), 0);
	return PST_CONTINUE;
}

static const struct pst_hook task_hooks[] = {
	PST_HOOK("lookup/1.get", gives_task), PST_END };
static const struct pst_hook sink_hooks[] = {
	PST_HOOK("lookup/1.get", gives_task),
	PST_HOOK(PST_ALERT_SINK_EMIT, gives_task), PST_END };

static const struct {
	const struct pst_hook *hooks;
	const char *on;
	msec patience;
} tasks[] = {
	{ task_hooks, "lookup/1.get", SECONDS(30) },
	{ sink_hooks, "lookup/1.get", MINUTES(15) },
	{ sink_hooks, PST_ALERT_SINK_EMIT, MINUTES(15) },
};

/* An alert is brought somewhere: neither an alert nor a thread that is lost
 * may come of that. */
START_TEST(work_of_a_task_of_an_alert_sink_has_an_alerts_time)
{
	char want[200];

	(void)snprintf(want, sizeof(want), "Warning: Plugin x: work on a "
	    "thread, begun at task, has not come back: for %d "
	    "ms, another takes its place\n", (int)tasks[_i].patience);
	ck_assert(rig_op(rig_add("x", tasks[_i].hooks), tasks[_i].on, NULL));
	pass(0);
	wait_inside(1);
	pass(tasks[_i].patience - 1);
	ck_assert_str_eq(rig_log(), "");
	pass(1);
	ck_assert_str_eq(rig_log(), want);
}
END_TEST

static unsigned cleaned;

static void
clean(void *arg)
{
	(void)arg;
	cleaned++;
}

static enum pst_verdict
hog_with_memory(struct pst_event *ev)
{
	pst_defer(ev, PST_EVENT, clean, NULL);
	return hog(ev);
}

static const struct pst_hook memory_hooks[] = {
	PST_HOOK(PST_ON_HELO, hog_with_memory), PST_END };

START_TEST(work_that_only_waits_is_forgotten_with_its_event)
{
	unsigned i;

	cleaned = 0;
	wanted = CREW_SHARE;
	(void)rig_add("more", memory_hooks);
	ck_assert(!rig_hook(HOOK_HELO));
	wait_inside(CREW_SHARE);
	hook_cancel(&rig.run);
	ck_assert_uint_eq(cleaned, 0);
	wanted = 1;
	for (i = 0; i < 3; i++) {
		ck_assert(!rig_hook(HOOK_HELO));
		hook_cancel(&rig.run);
	}
	ck_assert_uint_eq(cleaned, 3);
	ck_assert_uint_eq(atomic_load(&inside), CREW_SHARE);
}
END_TEST

/* A worker ends although work does not. */
START_TEST(the_end_does_not_wait_for_what_is_lost)
{
	wanted = 2;
	ck_assert(!rig_hook(HOOK_MAIL));
	wait_inside(2);
	pass(SECONDS(30));
	rig_end();
	ck_assert_int_eq(pipe(gate), 0); /* it stays in there */
	rig_begin();
}
END_TEST

UNIT_SUITE(crew)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, half_of_the_threads_are_left_for_others);
	tcase_add_test(tc, who_hangs_is_named_and_replaced);
	tcase_add_test(tc, whose_work_never_returns_gets_no_more_threads);
	tcase_add_test(tc, work_that_only_waits_is_forgotten_with_its_event);
	tcase_add_loop_test(tc,
	    work_of_a_task_of_an_alert_sink_has_an_alerts_time, 0,
	    sizeof(tasks) / sizeof(tasks[0]));
	tcase_add_test(tc, the_end_does_not_wait_for_what_is_lost);
}
