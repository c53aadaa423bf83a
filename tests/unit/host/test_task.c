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

/* ---- Tasks -------------------------------------------------------------- */

static unsigned tasks, started;
static int task_arg;

static void
task_ended(void *arg)
{
	(void)arg;
	strcat(trace, "ended ");
}

static enum pst_verdict
task_goes_on(struct pst_event *ev, const struct pst_result *r)
{
	(void)r;
	tasks++;
	return pst_timer(ev, 60000, task_goes_on);
}

static enum pst_verdict
task(struct pst_event *ev)
{
	ck_assert_ptr_eq(ev->arg, &task_arg);
	ck_assert_str_eq(ev->on, "task");
	ck_assert_ptr_null(pst_alloc(ev, PST_SESSION, 1));
	ck_assert_ptr_null(pst_get(ev, "mid"));
	ck_assert_str_eq(pst_get(ev, "host"), "mx.example.com");
	tasks++;
	if (tasks == 1)
		pst_defer(ev, PST_EVENT, task_ended, NULL);
	return pst_timer(ev, 60000, task_goes_on);
}

static enum pst_verdict
starts(struct pst_event *ev)
{
	for (started = 0; pst_task(ev, task, &task_arg) == 0; started++)
		;
	ck_assert_uint_eq(tasks, 0);
	return PST_CONTINUE;
}

START_TEST(has_a_thousand_tasks_without_a_deadline)
{
	tasks = 0;
	run(HOOK_MAIL, starts);
	ck_assert_uint_eq(started, 1000);
	rig_run(1);
	ck_assert_uint_eq(tasks, 1000);
	rig_run(MINUTES(5));
	ck_assert_uint_eq(tasks, 6000);
	engine_instance_end(rig.gen->instance[0]);
	ck_assert_str_eq(trace, "ended ");
	rig_run(MINUTES(5));
	ck_assert_uint_eq(tasks, 6000);
}
END_TEST

static enum pst_verdict
short_task(struct pst_event *ev)
{
	(void)ev;
	tasks++;
	return PST_REJECT;
}

static enum pst_verdict
starts_short(struct pst_event *ev)
{
	ck_assert_int_eq(pst_task(ev, short_task, NULL), 0);
	return PST_CONTINUE;
}

START_TEST(ends_a_task_with_any_verdict)
{
	tasks = 0;
	run(HOOK_MAIL, starts_short);
	rig_run(1000);
	ck_assert_uint_eq(tasks, 1);
	ck_assert_uint_eq(rig.gen->instance[0]->run->ntasks, 0);
}
END_TEST

UNIT_SUITE(task)
{
	tcase_add_checked_fixture(tc, begin, rig_end);
	tcase_add_test(tc, has_a_thousand_tasks_without_a_deadline);
	tcase_add_test(tc, ends_a_task_with_any_verdict);
}
