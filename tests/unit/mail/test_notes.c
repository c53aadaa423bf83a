#include <stdio.h>
#include <string.h>

#include "mail/notes.h"
#include "unit.h"

static struct pool *pool;
static struct buf out;
static struct err why;

static void
begin(void)
{
	pool = pool_new(0);
	buf_init(&out, NOTES_TEXT_MAX);
}

static void
end(void)
{
	buf_fini(&out);
	pool_destroy(&pool);
}

START_TEST(keeps_texts_by_name)
{
	struct notes *n = notes_new(pool);
	const char *name = NULL, *value = NULL;

	ck_assert(notes_empty(NULL));
	ck_assert(notes_empty(n));
	ck_assert_ptr_null(notes_get(NULL, "a"));
	ck_assert_ptr_null(notes_get(n, "a"));
	ck_assert_int_eq(notes_set(n, "b.x", "2", &why), 0);
	ck_assert_int_eq(notes_set(n, "a", "1", &why), 0);
	ck_assert_int_eq(notes_set(n, "c", "", &why), 0);
	ck_assert_str_eq(notes_get(n, "a"), "1");
	ck_assert_str_eq(notes_get(n, "b.x"), "2");
	ck_assert_str_eq(notes_get(n, "c"), "");
	ck_assert_ptr_null(notes_get(n, "b"));
	ck_assert(notes_at(n, 1, &name, &value));
	ck_assert_str_eq(name, "b.x");
	ck_assert_str_eq(value, "2");
	ck_assert(!notes_at(n, 3, &name, &value));
	ck_assert(!notes_at(NULL, 0, &name, &value));
	ck_assert_int_eq(notes_set(n, "b.x", "changed", &why), 0);
	ck_assert_str_eq(notes_get(n, "b.x"), "changed");
	ck_assert_int_eq(notes_set(n, "a", NULL, &why), 0);
	ck_assert_int_eq(notes_set(n, "none", NULL, &why), 0);
	ck_assert_ptr_null(notes_get(n, "a"));
	notes_write(n, &out);
	ck_assert_str_eq(buf_p(&out), "b.x changed\nc \n");
}
END_TEST

static const char *const wrong[] = { "", "A", "a b", "a:", "\xc3\xbc",
	"a\n", ("12345678901234567890123456789012345678901234567890"
		"123456789012345") };

START_TEST(refuses_other_names)
{
	struct notes *n = notes_new(pool);

	ck_assert_int_eq(notes_set(n, wrong[_i], "x", &why), -1);
	ck_assert_int_eq(notes_set(n, wrong[_i], NULL, &why), -1);
	ck_assert(notes_empty(n));
}
END_TEST

START_TEST(takes_64_notes_and_no_more)
{
	struct notes *n = notes_new(pool);
	char name[8];
	unsigned i;

	for (i = 0; i < NOTES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		ck_assert_int_eq(notes_set(n, name, "x", &why), 0);
	}
	ck_assert_int_eq(notes_set(n, "more", "x", &why), -1);
	ck_assert_str_eq(why.text, "more than 64 notes");
	ck_assert_int_eq(notes_set(n, "n7", "y", &why), 0);
	ck_assert_int_eq(notes_set(n, "n8", NULL, &why), 0);
	ck_assert_int_eq(notes_set(n, "more", "x", &why), 0);
}
END_TEST

START_TEST(takes_16_kb_and_no_more)
{
	struct notes *n = notes_new(pool), *back;
	static char value[NOTES_TEXT_MAX];

	memset(value, 'v', sizeof(value));
	value[NOTES_TEXT_MAX - 3] = '\0';
	ck_assert_int_eq(notes_set(n, "a", value, &why), 0);
	ck_assert_int_eq(notes_set(n, "b", "", &why), -1);
	value[NOTES_TEXT_MAX - 3] = 'v';
	value[NOTES_TEXT_MAX - 2] = '\0';
	ck_assert_int_eq(notes_set(n, "a", value, &why), -1);
	ck_assert_str_eq(why.text, "more than 16384 octets of notes");
	ck_assert_uint_eq(strlen(notes_get(n, "a")), NOTES_TEXT_MAX - 3);
	notes_write(n, &out);
	ck_assert_uint_eq(buf_len(&out), NOTES_TEXT_MAX);
	ck_assert_int_eq(notes_read(&back, pool, buf_str(&out), &why), 0);
	ck_assert_int_eq(notes_set(n, "a", "short", &why), 0);
	ck_assert_int_eq(notes_set(n, "b", "", &why), 0);
}
END_TEST

START_TEST(reads_what_it_wrote)
{
	struct notes *n = notes_new(pool), *back;

	ck_assert_int_eq(notes_set(n, "a", "x\r\n\\\xff \t", &why), 0);
	ck_assert_int_eq(notes_set(n, "b", "", &why), 0);
	notes_write(n, &out);
	ck_assert_str_eq(buf_p(&out), "a x\\x0d\\x0a\\\\\\xff \\x09\nb \n");
	ck_assert_int_eq(notes_read(&back, pool, buf_str(&out), &why), 0);
	ck_assert_str_eq(notes_get(back, "a"), "x\r\n\\\xff \t");
	back = notes_copy(pool, back);
	ck_assert_str_eq(notes_get(back, "b"), "");
	ck_assert(notes_empty(notes_copy(pool, NULL)));
}
END_TEST

static const struct str no_text[] = {
	STR("a"), STR("a\n"), STR("a b"), STR("A b\n"), STR("a \\x00\n"),
	STR("a \\q\n"), STR("a b\n\n"), STR(" b\n"), STR("a \xc3\xbc\n"),
};

START_TEST(reads_no_text_that_it_did_not_write)
{
	struct notes *n = NULL;

	ck_assert_int_eq(notes_read(&n, pool, no_text[_i], &why), -1);
	ck_assert_ptr_null(n);
}
END_TEST

UNIT_SUITE(notes)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, keeps_texts_by_name);
	tcase_add_loop_test(tc, refuses_other_names, 0,
	    (int)(sizeof(wrong) / sizeof(wrong[0])));
	tcase_add_test(tc, takes_64_notes_and_no_more);
	tcase_add_test(tc, takes_16_kb_and_no_more);
	tcase_add_test(tc, reads_what_it_wrote);
	tcase_add_loop_test(tc, reads_no_text_that_it_did_not_write, 0,
	    (int)(sizeof(no_text) / sizeof(no_text[0])));
}
