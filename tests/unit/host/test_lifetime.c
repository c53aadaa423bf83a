/*
 * What is inside ends first: a clean-up may look into what its event was
 * about, into the session of its message, and into its plugin's instance,
 * whatever their owners do meanwhile.
 */
#include <string.h>
#include <unistd.h>

#include "rig.h"
#include "unit.h"

#define ONE(name, hook, fn)                                                    \
	static const struct pst_hook name[] = { PST_HOOK(hook, fn), PST_END }

/* Its clean-up reads the names of those around it. */
struct part {
	char name[16];
	const struct part *outer[2];
};

static char trace[512];
static int gate[2];

static void
begin(void)
{
	trace[0] = '\0';
	rig_begin();
	ck_assert_int_eq(pipe(gate), 0);
}

static void
end(void)
{
	rig_end();
	(void)close(gate[0]);
	(void)close(gate[1]);
}

static void
part_end(void *arg)
{
	struct part *p = arg;
	unsigned i;

	strcat(trace, p->name);
	for (i = 0; i < 2; i++) {
		if (p->outer[i] != NULL) {
			strcat(trace, "<");
			strcat(trace, p->outer[i]->name);
		}
	}
	strcat(trace, " ");
}

static struct part *
part_of(struct pst_event *ev, enum pst_scope which, const char *name)
{
	struct part *p = pst_data(ev, which, struct part);

	ck_assert_ptr_nonnull(p);
	if (p->name[0] != '\0')
		return p;
	strcpy(p->name, name);
	pst_defer(ev, which, part_end, p);
	return p;
}

static void
end_scopes(void)
{
	scope_end(&rig.rcpt[0]);
	scope_end(&rig.rcpt[1]);
	scope_end(&rig.scope[PST_MESSAGE]);
	scope_end(&rig.scope[PST_SESSION]);
}

/* ---- answered at once, cancelled, inside its own function --------------- */

static enum pst_verdict
looks(struct pst_event *ev)
{
	struct part *here = part_of(ev, PST_EVENT, "event");

	here->outer[0] = part_of(ev, PST_MESSAGE, "message");
	here->outer[1] = part_of(ev, PST_INSTANCE, "instance");
	return PST_CONTINUE;
}

static enum pst_verdict
never(struct pst_event *ev, const struct pst_result *r)
{
	(void)ev;
	(void)r;
	ck_abort_msg("it was cancelled");
}

static enum pst_verdict
looks_and_waits(struct pst_event *ev)
{
	(void)looks(ev);
	return pst_timer(ev, 100, never);
}

static enum pst_verdict
looks_and_is_ended(struct pst_event *ev, const struct pst_result *r)
{
	(void)r;
	(void)looks(ev);
	op_cancel(&rig.op);
	end_scopes();
	ck_assert_str_eq(trace, "");
	return PST_CONTINUE;
}

static enum pst_verdict
waits_to_look(struct pst_event *ev)
{
	return pst_timer(ev, 1, looks_and_is_ended);
}

ONE(get_looks, "lookup/1.get", looks);
ONE(get_waits, "lookup/1.get", looks_and_waits);
ONE(get_ended, "lookup/1.get", waits_to_look);

START_TEST(ends_the_event_before_its_message)
{
	static const struct pst_hook *const hooks[] = { get_looks, get_waits,
		get_ended };
	struct instance *i = rig_add("a", hooks[_i]);

	ck_assert_int_eq(rig_op(i, "lookup/1.get", NULL), _i == 0);
	if (_i == 1)
		op_cancel(&rig.op);
	if (_i == 2)
		rig_run(10);
	end_scopes();
	rig_now();
	ck_assert_str_eq(trace, "event<message<instance message ");
}
END_TEST

START_TEST(ends_the_event_before_its_instance)
{
	struct instance *i = rig_add("a", get_looks);

	ck_assert(rig_op(i, "lookup/1.get", NULL));
	end_scopes();
	engine_instance_end(i);
	ck_assert_str_eq(trace, "event<message<instance message instance ");
}
END_TEST

/* ---- a table asked by another ------------------------------------------- */

static enum pst_verdict
asks(struct pst_event *ev)
{
	return pst_lookup(ev, "table", "key", never);
}

ONE(mail_asks, PST_ON_MAIL, asks);

START_TEST(ends_a_table_s_event_before_the_message_that_was_asked_about)
{
	(void)rig_add("a", mail_asks);
	(void)rig_add("table", get_waits);
	ck_assert(!rig_hook(HOOK_MAIL));
	rig_now();
	hook_cancel(&rig.run);
	end_scopes();
	rig_now();
	ck_assert_str_eq(trace, "event<message<instance message ");
}
END_TEST

/* ---- recipients --------------------------------------------------------- */

static struct part *of_event;

static enum pst_verdict
at_rcpt(struct pst_event *ev)
{
	struct part *p = part_of(ev, PST_RCPT, "rcpt");

	if (of_event->outer[0] == NULL)
		of_event->outer[0] = p;
	else if (of_event->outer[1] == NULL)
		of_event->outer[1] = p;
	return PST_CONTINUE;
}

static enum pst_verdict
looks_at_all(struct pst_event *ev)
{
	of_event = part_of(ev, PST_EVENT, "event");
	return pst_each_rcpt(ev, at_rcpt);
}

ONE(get_each, "lookup/1.get", looks_at_all);

START_TEST(ends_the_event_before_each_recipient)
{
	struct instance *i = rig_add("a", get_each);

	ck_assert(rig_op(i, "lookup/1.get", NULL));
	end_scopes();
	ck_assert_str_eq(trace, "");
	rig_now();
	ck_assert_str_eq(trace, "event<rcpt<rcpt rcpt rcpt ");
}
END_TEST

/* ---- work on a thread --------------------------------------------------- */

static int
blocked(void *arg)
{
	char c;

	(void)arg;
	return read(gate[0], &c, 1) == 1 ? 0 : 1;
}

static enum pst_verdict
works(struct pst_event *ev)
{
	part_of(ev, PST_EVENT, "event")->outer[0] =
	    part_of(ev, PST_RCPT, "rcpt");
	part_of(ev, PST_RCPT, "rcpt")->outer[0] =
	    part_of(ev, PST_MESSAGE, "message");
	return pst_offload(ev, blocked, NULL, never);
}

/* The session's is asked for last, and the message's clean-up looks there. */
static enum pst_verdict
uses_session(struct pst_event *ev)
{
	part_of(ev, PST_MESSAGE, "late")->outer[0] =
	    part_of(ev, PST_SESSION, "session");
	return PST_CONTINUE;
}

ONE(rcpt_works, PST_ON_RCPT, works);
ONE(get_late, "lookup/1.get", uses_session);

START_TEST(ends_from_the_inside_when_the_work_returns)
{
	struct instance *b;

	(void)rig_add("a", rcpt_works);
	b = rig_add("b", get_late);
	rig.about.rcpt = 0;
	ck_assert(!rig_hook(HOOK_RCPT));
	ck_assert(rig_op(b, "lookup/1.get", NULL));
	hook_cancel(&rig.run);
	end_scopes();
	ck_assert_str_eq(trace, "");
	ck_assert_int_eq(write(gate[1], "x", 1), 1);
	rig_run(10);
	ck_assert_str_eq(trace,
	    "event<rcpt rcpt<message late<session message session ");
}
END_TEST

UNIT_SUITE(lifetime)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_loop_test(tc, ends_the_event_before_its_message, 0, 3);
	tcase_add_test(tc, ends_the_event_before_its_instance);
	tcase_add_test(tc,
	    ends_a_table_s_event_before_the_message_that_was_asked_about);
	tcase_add_test(tc, ends_the_event_before_each_recipient);
	tcase_add_test(tc, ends_from_the_inside_when_the_work_returns);
}
