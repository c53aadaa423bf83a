/*
 * Services of struct pst_api that do not wait.
 */
#include <stdio.h>
#include <string.h>

#include "mail/edits.h"
#include "mail/header.h"
#include "mail/notes.h"
#include "rig.h"
#include "unit.h"

static pst_fn *does; /* what the plugin does */
static char trace[1024];
static struct pool *pool;
static struct notes *notes;
static struct header header;
static bool notes_open;
static const char body[] = "first second";

static enum pst_verdict
calls(struct pst_event *ev)
{
	return does(ev);
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_ON_MAIL, calls),
	PST_HOOK(PST_ON_EOM, calls),
	PST_HOOK(PST_ON_DELIVER, calls),
	PST_HOOK(PST_ON_DELIVERED, calls),
	PST_HOOK("lookup/1.get", calls),
	PST_END,
};

/* ---- What it is about --------------------------------------------------- */

static const char *
get(void *arg, enum fact f, int rcpt, struct pool *p)
{
	(void)arg;
	switch ((int)f) {
	case FACT_SENDER:
		return "a@example.com";
	case FACT_RCPT_INDEX:
		return rcpt < 0 ? NULL : pool_printf(p, "%d", rcpt);
	case FACT_MID:
		return "1000";
	}
	return NULL;
}

static int
set(void *arg, enum fact f, int rcpt, const char *value, struct err *why)
{
	char line[80];

	(void)arg;
	if (strcmp(value, "bad") == 0)
		return err_text(why, "\"%s\" is no want", value);
	(void)snprintf(line, sizeof(line), "%d:%d=%s ", (int)f - FACT_RCPT_TLS,
	    rcpt, value);
	strcat(trace, line);
	return 0;
}

static struct notes *
notes_of(void *arg)
{
	(void)arg;
	return notes;
}

static bool
may_note(void *arg)
{
	(void)arg;
	return notes_open;
}

static unsigned
nrcpt(void *arg)
{
	(void)arg;
	return 3;
}

static const struct header *
header_of(void *arg, int rcpt)
{
	(void)arg;
	(void)rcpt;
	return &header;
}

static int
edit(void *arg, int rcpt, enum edit_op op, const char *name, unsigned nth,
    const char *value, struct err *why)
{
	char line[160];

	(void)arg;
	if (strchr(name, ' ') != NULL)
		return err_text(why, "that is no name");
	(void)snprintf(line, sizeof(line), "%d %d %s %u %s, ", rcpt, (int)op,
	    name, nth, value != NULL ? value : "-");
	strcat(trace, line);
	return 0;
}

static bool
body_of(void *arg, uint64_t off, struct str *piece_r)
{
	(void)arg;
	if (off >= sizeof(body) - 1)
		return false;
	*piece_r = str_n(body + off, off == 0 ? 6 : sizeof(body) - 1 - off);
	return true;
}

static int
write_body(void *arg, int rcpt, const void *p, size_t n, struct err *why)
{
	(void)arg;
	(void)why;
	(void)rcpt;
	(void)strncat(trace, p, n);
	return 0;
}

static const struct about_ops full = {
	.get = get,
	.set = set,
	.notes = notes_of,
	.notes_set = may_note,
	.nrcpt = nrcpt,
	.header = header_of,
	.edit = edit,
	.body = body_of,
	.body_write = write_body,
};

static void
begin(void)
{
	static const char text[] = "Subject: one\r\n two\r\n"
	    "X-A:  1\r\nsubject: three\r\n\r\n";

	trace[0] = '\0';
	notes_open = true;
	rig_begin();
	rig.about.ops = &full;
	pool = pool_new(0);
	notes = notes_new(pool);
	header_parse(pool, str_c(text), 100, &header);
	(void)rig_add("a", hooks);
}

static void
end(void)
{
	rig_end();
	pool_destroy(&pool);
}

static void
run(enum hook h, pst_fn *fn)
{
	does = fn;
	ck_assert(rig_hook(h));
}

/* ---- Facts -------------------------------------------------------------- */

static enum pst_verdict
reads_facts(struct pst_event *ev)
{
	ck_assert_str_eq(pst_get(ev, "sender"), "a@example.com");
	ck_assert_str_eq(pst_get(ev, "mid"), "1000");
	ck_assert_str_eq(pst_get(ev, "icid"), "5");
	ck_assert_ptr_null(pst_get(ev, "dcid"));
	ck_assert_str_eq(pst_get(ev, "host"), "mx.example.com");
	ck_assert_str_eq(pst_get(ev, "worker"), "1");
	ck_assert_ptr_null(pst_get(ev, "rcpt.index"));
	ck_assert_ptr_null(pst_get(ev, "tls.cipher"));
	return PST_CONTINUE;
}

START_TEST(reads_facts_by_name)
{
	run(HOOK_MAIL, reads_facts);
	ck_assert_str_eq(rig_log(), "");
}
END_TEST

START_TEST(knows_each_fact_of_the_table)
{
	static const char *const names[] = {
#define FACT(id, name, set, help) name,
#include "tbl/facts.h"
#undef FACT
	};
	struct event *ev = event_get(rig.host->engine);
	size_t i;

	event_begin(ev, rig.gen->instance[0], ON_MAIL, &rig.about, NULL);
	ev->depth = 1;
	for (i = 0; i < FACT_COUNT; i++)
		(void)pst_get(&ev->pub, names[i]);
	ev->depth = 0;
	event_clear(ev, false);
	event_put(&ev);
	ck_assert_str_eq(rig_log(), "");
}
END_TEST

static enum pst_verdict
mistakes(struct pst_event *ev)
{
	ck_assert_ptr_null(pst_get(ev, "client.ipp"));
	ck_assert_ptr_null(pst_get(ev, ""));
	ck_assert_int_eq(pst_set(ev, "client.ipp", "x"), -1);
	return PST_CONTINUE;
}

START_TEST(tells_once_of_a_name_that_there_is_not)
{
	run(HOOK_MAIL, mistakes);
	run(HOOK_EOM, mistakes);
	ck_assert_str_eq(rig_log(),
	    "Warning: Plugin a at mail: MID 7 ICID 5 there is no "
	    "\"client.ipp\"\n"
	    "Warning: Plugin a at mail: MID 7 ICID 5 there is no \"\"\n");
}
END_TEST

static enum pst_verdict
sets_tls(struct pst_event *ev)
{
	return pst_set(ev, "rcpt.tls", "required") == 0 ? PST_CONTINUE
							: PST_DISCARD;
}

static enum pst_verdict
sets_deliver_tls(struct pst_event *ev)
{
	return pst_set(ev, "deliver.tls", "required") == 0 ? PST_CONTINUE
							   : PST_DISCARD;
}

static enum pst_verdict
sets_sender(struct pst_event *ev)
{
	return pst_set(ev, "sender", "x") == 0 ? PST_CONTINUE : PST_DISCARD;
}

static enum pst_verdict
sets_badly(struct pst_event *ev)
{
	ck_assert_int_eq(pst_set(ev, "rcpt.tls", NULL), -1);
	return pst_set(ev, "rcpt.tls", "bad") == 0 ? PST_CONTINUE
						   : PST_DISCARD;
}

static const struct {
	enum hook h;
	pst_fn *fn;
	bool fine;
} sets[] = {
	{ HOOK_MAIL, sets_tls, true },
	{ HOOK_EOM, sets_tls, true },
	{ HOOK_DELIVER, sets_tls, false },
	{ HOOK_DELIVERED, sets_tls, false },
	{ HOOK_MAIL, sets_deliver_tls, false },
	{ HOOK_DELIVER, sets_deliver_tls, true },
	{ HOOK_MAIL, sets_sender, false },
	{ HOOK_EOM, sets_badly, false },
};

START_TEST(sets_what_may_be_set_where_it_may)
{
	run(sets[_i].h, sets[_i].fn);
	ck_assert_int_eq(trace[0] != '\0', sets[_i].fine);
	ck_assert_int_eq(rig_log()[0] == '\0', sets[_i].fine);
}
END_TEST

static enum pst_verdict
writes_notes(struct pst_event *ev)
{
	int r = pst_set(ev, "note.a.b", "text");

	if (r != 0)
		return PST_DISCARD;
	ck_assert_str_eq(pst_get(ev, "note.a.b"), "text");
	ck_assert_ptr_null(pst_get(ev, "note.c"));
	ck_assert_int_eq(pst_set(ev, "note.Bad Name", "text"), -1);
	ck_assert_int_eq(pst_set(ev, "note.a.b", NULL), 0);
	ck_assert_ptr_null(pst_get(ev, "note.a.b"));
	return PST_CONTINUE;
}

START_TEST(writes_notes_while_that_is_possible)
{
	run(HOOK_MAIL, writes_notes);
	ck_assert_int_eq(rig.v.act, HOOK_GO);
	ck_assert_ptr_nonnull(strstr(rig_log(), "note.Bad Name"));
	notes_open = false;
	run(HOOK_MAIL, writes_notes);
	ck_assert_int_eq(rig.v.act, HOOK_DISCARD);
}
END_TEST

/* ---- The message -------------------------------------------------------- */

static enum pst_verdict
reads_header(struct pst_event *ev)
{
	struct pst_str name, value;

	ck_assert_str_eq(pst_header(ev, "SUBJECT"), "one two");
	ck_assert_str_eq(pst_header_nth(ev, "Subject", 1), "three");
	ck_assert_ptr_null(pst_header_nth(ev, "Subject", 2));
	ck_assert_ptr_null(pst_header(ev, "From"));
	ck_assert(pst_field(ev, 1, &name, &value));
	ck_assert_str_eq(name.p, "X-A");
	ck_assert_str_eq(value.p, "  1");
	ck_assert_uint_eq(value.n, 3);
	ck_assert(!pst_field(ev, 3, &name, &value));
	return PST_CONTINUE;
}

START_TEST(reads_the_header)
{
	run(HOOK_EOM, reads_header);
}
END_TEST

static enum pst_verdict
edits(struct pst_event *ev)
{
	ck_assert_int_eq(pst_header_add(ev, "A", "1"), 0);
	ck_assert_int_eq(pst_header_insert(ev, "B", "2"), 0);
	ck_assert_int_eq(pst_header_set(ev, "C", "3"), 0);
	ck_assert_int_eq(pst_header_delete(ev, "D", 4), 0);
	ck_assert_int_eq(pst_header_add(ev, "E e", "1"), -1);
	ck_assert_int_eq(ev->api->edit(ev, (enum pst_edit)9, "F", 0, "x"), -1);
	ck_assert_int_eq(pst_body_write(ev, "new", 3), 0);
	return PST_CONTINUE;
}

START_TEST(edits_the_message)
{
	run(HOOK_EOM, edits);
	ck_assert_str_eq(trace, "-1 0 A 0 1, -1 1 B 0 2, -1 2 C 0 3, "
	    "-1 3 D 4 -, new");
	ck_assert_str_eq(rig_log(),
	    "Warning: Plugin a at eom: MID 7 ICID 5 E e cannot be changed: "
	    "that is no name\n"
	    "Warning: Plugin a at eom: MID 7 ICID 5 F cannot be changed: "
	    "there is no edit 9\n");
}
END_TEST

static enum pst_verdict
writes_nul(struct pst_event *ev)
{
	ck_assert_int_eq(pst_body_write(ev, "new", 3), 0);
	ck_assert_int_eq(pst_body_write(ev, "a\0b", 3), -1);
	return PST_ACCEPT;
}

START_TEST(a_new_body_with_nul_is_a_fault)
{
	run(HOOK_EOM, writes_nul);
	ck_assert_int_eq(rig.v.act, HOOK_TEMPFAIL);
	ck_assert_str_eq(trace, "new");
	ck_assert_str_eq(rig_log(), "Warning: Plugin a failed at eom: MID 7 "
	    "ICID 5 a NUL in a new body\n");
}
END_TEST

static enum pst_verdict
walks(struct pst_event *ev)
{
	struct pst_str chunk;
	uint64_t off = 0;

	while (pst_body(ev, &off, &chunk)) {
		(void)strncat(trace, chunk.p, chunk.n);
		strcat(trace, "|");
	}
	return PST_CONTINUE;
}

START_TEST(walks_the_body)
{
	run(HOOK_EOM, walks);
	ck_assert_str_eq(trace, "first |second|");
}
END_TEST

static const struct about_ops empty_ops;

static enum pst_verdict
asks_in_vain(struct pst_event *ev)
{
	struct pst_str a, b;
	uint64_t off = 0;

	ck_assert_ptr_null(pst_header(ev, "Subject"));
	ck_assert(!pst_field(ev, 0, &a, &b));
	ck_assert(!pst_body(ev, &off, &a));
	ck_assert_int_eq(pst_body_write(ev, "x", 1), -1);
	ck_assert_int_eq(pst_header_add(ev, "A", "x"), -1);
	ck_assert_int_eq(pst_set(ev, "note.a", "x"), -1);
	ck_assert_int_eq(pst_set(ev, "rcpt.tls", "x"), -1);
	ck_assert_ptr_null(pst_get(ev, "note.a"));
	ck_assert_ptr_null(pst_get(ev, "sender"));
	ck_assert_ptr_null(pst_alloc(ev, PST_SESSION, 1));
	ck_assert_ptr_null(pst_alloc(ev, (enum pst_scope)77, 1));
	ck_assert_int_eq(pst_each_rcpt(ev, asks_in_vain), PST_CONTINUE);
	return PST_CONTINUE;
}

START_TEST(has_nothing_where_it_is_about_nothing)
{
	struct op_answer a;

	rig.about.ops = &empty_ops;
	run(HOOK_EOM, asks_in_vain);
	op_now(rig.gen->instance[0], "lookup/1.get", NULL, NULL, &a);
	ck_assert_int_eq(a.verdict, PST_CONTINUE);
}
END_TEST

/* ---- Recipients --------------------------------------------------------- */

static enum pst_verdict
one_rcpt(struct pst_event *ev)
{
	const char *i = pst_get(ev, "rcpt.index");

	strcat(trace, i);
	(void)pst_set(ev, "rcpt.tls", "required");
	(void)pst_header_add(ev, "A", "1");
	return i[0] == '1' ? PST_ACCEPT : PST_CONTINUE;
}

static enum pst_verdict
each(struct pst_event *ev)
{
	ck_assert_int_eq(pst_each_rcpt(ev, one_rcpt), PST_ACCEPT);
	ck_assert_ptr_null(pst_get(ev, "rcpt.index"));
	return PST_CONTINUE;
}

START_TEST(asks_for_each_recipient_until_one_says_something)
{
	run(HOOK_EOM, each);
	ck_assert_str_eq(trace, "00:0=required 0 0 A 0 1, "
	    "10:1=required 1 0 A 0 1, ");
}
END_TEST

static enum pst_verdict
went_on(struct pst_event *ev, const struct pst_result *r)
{
	(void)ev;
	(void)r;
	strcat(trace, "went on");
	return PST_CONTINUE;
}

static enum pst_verdict
rcpt_waits(struct pst_event *ev)
{
	return pst_timer(ev, 1, went_on);
}

static enum pst_verdict
each_waits(struct pst_event *ev)
{
	(void)pst_each_rcpt(ev, rcpt_waits);
	return PST_CONTINUE;
}

static enum pst_verdict
each_each(struct pst_event *ev)
{
	return pst_each_rcpt(ev, each_waits);
}

START_TEST(does_not_wait_for_each_recipient)
{
	run(HOOK_EOM, _i == 0 ? each_waits : each_each);
	ck_assert_int_eq(rig.v.act, HOOK_TEMPFAIL);
	rig_run(100);
	ck_assert_str_eq(trace, "");
	ck_assert_ptr_nonnull(strstr(rig_log(), "each_rcpt"));
}
END_TEST

UNIT_SUITE(api)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, reads_facts_by_name);
	tcase_add_test(tc, knows_each_fact_of_the_table);
	tcase_add_test(tc, tells_once_of_a_name_that_there_is_not);
	tcase_add_loop_test(tc, sets_what_may_be_set_where_it_may, 0,
	    sizeof(sets) / sizeof(sets[0]));
	tcase_add_test(tc, writes_notes_while_that_is_possible);
	tcase_add_test(tc, reads_the_header);
	tcase_add_test(tc, edits_the_message);
	tcase_add_test(tc, a_new_body_with_nul_is_a_fault);
	tcase_add_test(tc, walks_the_body);
	tcase_add_test(tc, has_nothing_where_it_is_about_nothing);
	tcase_add_test(tc, asks_for_each_recipient_until_one_says_something);
	tcase_add_loop_test(tc, does_not_wait_for_each_recipient, 0, 2);
}
