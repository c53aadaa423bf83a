#include <stdio.h>
#include <string.h>

#include "mail/edits.h"
#include "unit.h"

static struct pool *pool;
static struct buf out;
static struct err why;

static const struct str message = STR("Received: ours\r\n"
    "From: a@b.example\r\nSubject: one\r\n two\r\nReceived: theirs\r\n"
    "X: 1\r\nx: 2\r\n\r\nbody\r\n");

static void
begin(void)
{
	pool = pool_new(0);
	buf_init(&out, 1024 * 1024);
}

static void
end(void)
{
	buf_fini(&out);
	pool_destroy(&pool);
}

static const char *
applied(const struct edits *e, struct str m)
{
	struct header h;

	header_parse(pool, m, SIZE_MAX, &h);
	buf_reset(&out);
	edits_apply(e, &h, 1, &out);
	return buf_p(&out);
}

static const struct {
	enum edit_op op;
	const char *name;
	unsigned nth;
	const char *value, *result;
} ones[] = {
	{ EDIT_ADD, "New", 0, "v", "Received: ours\r\nFrom: a@b.example\r\n"
	    "Subject: one\r\n two\r\nReceived: theirs\r\nX: 1\r\nx: 2\r\n"
	    "New: v\r\n" },
	{ EDIT_INSERT, "New", 7, "v", "Received: ours\r\nNew: v\r\n"
	    "From: a@b.example\r\nSubject: one\r\n two\r\n"
	    "Received: theirs\r\nX: 1\r\nx: 2\r\n" },
	{ EDIT_SET, "subject", 0, "new", "Received: ours\r\n"
	    "From: a@b.example\r\nsubject: new\r\nReceived: theirs\r\n"
	    "X: 1\r\nx: 2\r\n" },
	{ EDIT_SET, "X", 1, "new", "Received: ours\r\nFrom: a@b.example\r\n"
	    "Subject: one\r\n two\r\nReceived: theirs\r\nX: 1\r\n"
	    "X: new\r\n" },
	{ EDIT_SET, "X", 2, "new", "Received: ours\r\nFrom: a@b.example\r\n"
	    "Subject: one\r\n two\r\nReceived: theirs\r\nX: 1\r\nx: 2\r\n"
	    "X: new\r\n" },
	{ EDIT_DELETE, "x", 0, NULL, "Received: ours\r\n"
	    "From: a@b.example\r\nSubject: one\r\n two\r\n"
	    "Received: theirs\r\nx: 2\r\n" },
	{ EDIT_DELETE, "x", 2, NULL, "Received: ours\r\n"
	    "From: a@b.example\r\nSubject: one\r\n two\r\n"
	    "Received: theirs\r\nX: 1\r\nx: 2\r\n" },
	{ EDIT_DELETE, "Bcc", 0, NULL, "Received: ours\r\n"
	    "From: a@b.example\r\nSubject: one\r\n two\r\n"
	    "Received: theirs\r\nX: 1\r\nx: 2\r\n" },
};

START_TEST(does_what_it_says_and_leaves_the_rest)
{
	struct edits *e = edits_new(pool);

	ck_assert_int_eq(edits_add(e, ones[_i].op, ones[_i].name,
	    ones[_i].nth, ones[_i].value, &why), 0);
	ck_assert_str_eq(applied(e, message), ones[_i].result);
}
END_TEST

START_TEST(gives_the_header_back_when_there_is_nothing_to_edit)
{
	ck_assert_str_eq(applied(NULL, message), ones[7].result);
	ck_assert_str_eq(applied(edits_new(pool), message), ones[7].result);
	ck_assert_str_eq(applied(NULL, STR("no header\r\n")), "");
}
END_TEST

START_TEST(sees_what_the_edits_before_it_left)
{
	struct edits *e = edits_new(pool);

	ck_assert_int_eq(edits_add(e, EDIT_ADD, "X", 0, "3", &why), 0);
	ck_assert_int_eq(edits_add(e, EDIT_DELETE, "X", 0, NULL, &why), 0);
	ck_assert_int_eq(edits_add(e, EDIT_SET, "X", 1, "4", &why), 0);
	ck_assert_int_eq(edits_add(e, EDIT_INSERT, "A", 0, "a", &why), 0);
	ck_assert_int_eq(edits_add(e, EDIT_INSERT, "B", 0, "b", &why), 0);
	ck_assert_str_eq(applied(e, STR("Received: r\r\nX: 1\r\nX: 2\r\n")),
	    "Received: r\r\nB: b\r\nA: a\r\nX: 2\r\nX: 4\r\n");
}
END_TEST

START_TEST(inserts_at_the_top_when_our_received_was_deleted)
{
	struct edits *e = edits_new(pool);

	ck_assert_int_eq(edits_add(e, EDIT_DELETE, "Received", 0, NULL, &why),
	    0);
	ck_assert_int_eq(edits_add(e, EDIT_INSERT, "A", 0, "a", &why), 0);
	ck_assert_str_eq(applied(e, STR("Received: r\r\nX: 1\r\n")),
	    "A: a\r\nX: 1\r\n");
}
END_TEST

static const struct {
	const char *value, *field;
} values[] = {
	{ "", "N:\r\n" },
	{ "a", "N: a\r\n" },
	{ " a", "N: a\r\n" },
	{ "\ta ", "N:\ta \r\n" },
	{ "a\nb\n c\n\td", "N: a\r\n b\r\n c\r\n\td\r\n" },
	{ "\nv=1", "N:\r\n v=1\r\n" },
};

START_TEST(writes_a_value_with_its_folds)
{
	struct edits *e = edits_new(pool);

	ck_assert_int_eq(edits_add(e, EDIT_ADD, "N", 0, values[_i].value,
	    &why), 0);
	ck_assert_str_eq(applied(e, STR("")), values[_i].field);
}
END_TEST

START_TEST(completes_a_last_field_without_its_line_end)
{
	struct edits *e = edits_new(pool);

	ck_assert_int_eq(edits_add(e, EDIT_ADD, "B", 0, "b", &why), 0);
	ck_assert_str_eq(applied(e, STR("A: a")), "A: a\r\nB: b\r\n");
}
END_TEST

START_TEST(keeps_fields_that_are_not_indexed)
{
	struct edits *e = edits_new(pool);
	struct header h;

	ck_assert_int_eq(edits_add(e, EDIT_ADD, "New", 0, "v", &why), 0);
	ck_assert_int_eq(edits_add(e, EDIT_SET, "From", 0, "c", &why), 0);
	header_parse(pool, message, 2, &h);
	edits_apply(e, &h, 1, &out);
	ck_assert_str_eq(buf_p(&out), "Received: ours\r\nFrom: c\r\n"
	    "Subject: one\r\n two\r\nReceived: theirs\r\nX: 1\r\nx: 2\r\n"
	    "New: v\r\n");
}
END_TEST

static const struct {
	const char *name, *value, *text;
} wrong[] = {
	{ "", "v", "this is no name of a header field" },
	{ "A B", "v", "this is no name of a header field" },
	{ "A:", "v", "this is no name of a header field" },
	{ "A\r\nB", "v", "this is no name of a header field" },
	{ "\xc3\xbc", "v", "this is no name of a header field" },
	{ "A", "v\r", "A: CR in a value" },
	{ "A", "v\r\n w", "A: CR in a value" },
	{ "A", "v\n", "A: a folded line without text" },
	{ "A", "v\n \nw", "A: a folded line without text" },
	{ "A", "v\n\nBcc: x", "A: a folded line without text" },
	{ "A", "\xc3\xbc", "A: not ASCII, in a message without SMTPUTF8" },
};

START_TEST(refuses_what_would_not_be_one_field)
{
	struct edits *e = edits_new(pool);

	ck_assert_int_eq(edits_add(e, EDIT_ADD, wrong[_i].name, 0,
	    wrong[_i].value, &why), -1);
	ck_assert_str_eq(why.text, wrong[_i].text);
	ck_assert(edits_empty(e));
}
END_TEST

START_TEST(takes_utf8_for_smtputf8_only)
{
	struct edits *e = edits_new(pool), *copy, *back;

	ck_assert(!edits_has_utf8(NULL));
	edits_set_utf8(e, true);
	ck_assert_int_eq(edits_add(e, EDIT_ADD, "A", 0, "b", &why), 0);
	ck_assert(!edits_has_utf8(e));
	ck_assert_int_eq(edits_add(e, EDIT_ADD, "A", 0, "\xff", &why), -1);
	ck_assert_int_eq(edits_add(e, EDIT_ADD, "A", 0, "\xc3\xbc", &why), 0);
	ck_assert(edits_has_utf8(e));
	ck_assert_str_eq(applied(e, STR("")), "A: b\r\nA: \xc3\xbc\r\n");
	copy = edits_copy(pool, e);
	ck_assert(edits_equal(e, copy));
	buf_reset(&out);
	edits_write(e, &out);
	ck_assert_str_eq(buf_p(&out), "add 0 A b\nadd 0 A \\xc3\\xbc\n");
	ck_assert_int_eq(edits_read(&back, pool, buf_str(&out), &why), 0);
	ck_assert(edits_equal(e, back));
	ck_assert_int_eq(edits_add(back, EDIT_ADD, "A", 0, "\xc3\xbc", &why),
	    -1);
}
END_TEST

START_TEST(takes_lines_of_998_octets_and_no_more)
{
	struct edits *e = edits_new(pool);
	char line[1100];

	memset(line, 'x', sizeof(line));
	line[998 - 3] = '\0'; /* "A: " */
	ck_assert_int_eq(edits_add(e, EDIT_ADD, "A", 0, line, &why), 0);
	ck_assert_uint_eq(strlen(applied(e, STR(""))), 1000);
	line[998 - 3] = 'x';
	line[998 - 2] = '\0';
	ck_assert_int_eq(edits_add(e, EDIT_ADD, "A", 0, line, &why), -1);
	line[0] = '\n';
	line[998 - 2] = 'x';
	line[998] = '\0'; /* 997 and a blank */
	ck_assert_int_eq(edits_add(e, EDIT_ADD, "A", 0, line, &why), 0);
	line[998] = 'x';
	line[999] = '\0';
	ck_assert_int_eq(edits_add(e, EDIT_ADD, "A", 0, line, &why), -1);
	memset(line, 'x', sizeof(line));
	line[996] = '\0';
	ck_assert_int_eq(edits_add(e, EDIT_DELETE, line, 0, NULL, &why), 0);
	line[996] = 'x';
	line[997] = '\0';
	ck_assert_int_eq(edits_add(e, EDIT_DELETE, line, 0, NULL, &why), -1);
}
END_TEST

START_TEST(takes_200_edits_and_no_more)
{
	struct edits *e = edits_new(pool);
	unsigned i;

	for (i = 0; i < EDITS_MAX; i++)
		ck_assert_int_eq(edits_add(e, EDIT_ADD, "A", 0, "b", &why),
		    0);
	ck_assert_int_eq(edits_add(e, EDIT_ADD, "A", 0, "b", &why), -1);
	ck_assert_str_eq(why.text, "more than 200 edits");
	ck_assert_uint_eq(strlen(applied(e, STR(""))), EDITS_MAX * 6);
}
END_TEST

START_TEST(takes_64_kb_of_edits_and_no_more)
{
	struct edits *e = edits_new(pool), *back;
	char value[1000];
	unsigned i;

	/* "add 0 A " and LF make a line of 512. */
	memset(value, 'v', sizeof(value));
	value[512 - 9] = '\0';
	for (i = 0; i < 127; i++)
		ck_assert_int_eq(edits_add(e, EDIT_ADD, "A", 0, value, &why),
		    0);
	value[512 - 9] = 'v';
	value[512 - 8] = '\0';
	ck_assert_int_eq(edits_add(e, EDIT_ADD, "A", 0, value, &why), -1);
	ck_assert_str_eq(why.text, "more than 65536 octets of edits");
	value[512 - 9] = '\0';
	ck_assert_int_eq(edits_add(e, EDIT_ADD, "A", 0, value, &why), 0);
	ck_assert_int_eq(edits_add(e, EDIT_DELETE, "A", 0, NULL, &why), -1);
	buf_reset(&out);
	edits_write(e, &out);
	ck_assert_uint_eq(buf_len(&out), EDITS_TEXT_MAX);
	ck_assert_int_eq(edits_read(&back, pool, buf_str(&out), &why), 0);
	ck_assert(edits_equal(e, back));
}
END_TEST

START_TEST(tells_different_edits_apart)
{
	struct edits *a = edits_new(pool), *b = edits_new(pool);

	ck_assert(edits_equal(NULL, a));
	ck_assert(edits_empty(NULL));
	ck_assert_int_eq(edits_add(a, EDIT_SET, "A", 0, "x", &why), 0);
	ck_assert(!edits_equal(a, NULL));
	ck_assert_int_eq(edits_add(b, EDIT_SET, "A", 1, "x", &why), 0);
	ck_assert(!edits_equal(a, b));
	b = edits_new(pool);
	ck_assert_int_eq(edits_add(b, EDIT_SET, "a", 0, "x", &why), 0);
	ck_assert(!edits_equal(a, b));
	b = edits_new(pool);
	ck_assert_int_eq(edits_add(b, EDIT_SET, "A", 0, "x", &why), 0);
	ck_assert(edits_equal(a, b));
	ck_assert_int_eq(edits_add(b, EDIT_DELETE, "A", 0, NULL, &why), 0);
	ck_assert(!edits_equal(a, b));
}
END_TEST

static const struct str no_text[] = {
	STR("add 0 A b"),
	STR("add 0 A\n"),
	STR("add A b\n"),
	STR("move 0 A b\n"),
	STR("add x A b\n"),
	STR("add 0 A: b\n"),
	STR("add 0  b\n"),
	STR("set 4294967296 A b\n"),
	STR("add 0 A \\x0d\n"),
	STR("add 0 A \\x00\n"),
	STR("add 0 A \\x41\n"),
	STR("add 0 A \\\n"),
	STR("add 0 A \\x0\n"),
	STR("add 0 A \xc3\xbc\n"),
	STR("add 0 A \\xff\n"),
	STR("add 0 A b\n\n"),
	STR("delete 0 A b\n"),
	STR("\n"),
};

START_TEST(reads_no_text_that_it_did_not_write)
{
	struct edits *e = NULL;

	ck_assert_int_eq(edits_read(&e, pool, no_text[_i], &why), -1);
	ck_assert_ptr_null(e);
}
END_TEST

START_TEST(reads_what_it_wrote)
{
	struct edits *e = edits_new(pool), *back;

	ck_assert_int_eq(edits_add(e, EDIT_SET, "A", 3, "a\\b\n c", &why), 0);
	ck_assert_int_eq(edits_add(e, EDIT_DELETE, "\\B", 0, NULL, &why), 0);
	edits_write(e, &out);
	ck_assert_str_eq(buf_p(&out),
	    "set 3 A a\\\\b\\x0a c\ndelete 0 \\B \n");
	ck_assert_int_eq(edits_read(&back, pool, buf_str(&out), &why), 0);
	ck_assert(edits_equal(e, back));
	ck_assert_int_eq(edits_read(&back, pool, STR(""), &why), 0);
	ck_assert(edits_empty(back));
}
END_TEST

UNIT_SUITE(edits)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_loop_test(tc, does_what_it_says_and_leaves_the_rest, 0,
	    (int)(sizeof(ones) / sizeof(ones[0])));
	tcase_add_test(tc,
	    gives_the_header_back_when_there_is_nothing_to_edit);
	tcase_add_test(tc, sees_what_the_edits_before_it_left);
	tcase_add_test(tc, inserts_at_the_top_when_our_received_was_deleted);
	tcase_add_loop_test(tc, writes_a_value_with_its_folds, 0,
	    (int)(sizeof(values) / sizeof(values[0])));
	tcase_add_test(tc, completes_a_last_field_without_its_line_end);
	tcase_add_test(tc, keeps_fields_that_are_not_indexed);
	tcase_add_loop_test(tc, refuses_what_would_not_be_one_field, 0,
	    (int)(sizeof(wrong) / sizeof(wrong[0])));
	tcase_add_test(tc, takes_utf8_for_smtputf8_only);
	tcase_add_test(tc, takes_lines_of_998_octets_and_no_more);
	tcase_add_test(tc, takes_200_edits_and_no_more);
	tcase_add_test(tc, takes_64_kb_of_edits_and_no_more);
	tcase_add_test(tc, tells_different_edits_apart);
	tcase_add_loop_test(tc, reads_no_text_that_it_did_not_write, 0,
	    (int)(sizeof(no_text) / sizeof(no_text[0])));
	tcase_add_test(tc, reads_what_it_wrote);
}
