#include <stdio.h>
#include <string.h>

#include "mail/header.h"
#include "unit.h"

static struct pool *pool;

static void
begin(void)
{
	pool = pool_new(0);
}

static void
end(void)
{
	pool_destroy(&pool);
}

START_TEST(indexes_fields_with_their_folds)
{
	struct str m = STR("From: a\r\nSubject : one\r\n two\r\n\tthree\r\n"
	    "X:\r\nfrom:b\r\n\r\nbody: no\r\n");
	const struct header_field *f;
	struct header h;

	header_parse(pool, m, 100, &h);
	ck_assert_uint_eq(h.n, 4);
	ck_assert_uint_eq(h.bytes, m.n - 12);
	f = header_find(&h, "SUBJECT", 0);
	ck_assert_ptr_nonnull(f);
	ck_assert(str_eq_c(f->name, "Subject"));
	ck_assert(str_eq_c(f->value, " one\r\n two\r\n\tthree"));
	ck_assert(str_eq_c(f->raw, "Subject : one\r\n two\r\n\tthree\r\n"));
	ck_assert(str_eq_c(header_unfold(pool, f->value), "one two\tthree"));
	f = header_find(&h, "from", 1);
	ck_assert(str_eq_c(f->value, "b"));
	ck_assert_ptr_null(header_find(&h, "from", 2));
	ck_assert_ptr_null(header_find(&h, "body", 0));
	f = header_find(&h, "x", 0);
	ck_assert(str_eq_c(f->value, ""));
}
END_TEST

static const struct {
	struct str m;
	size_t n, bytes;
} ends[] = {
	{ STR(""), 0, 0 },
	{ STR("\r\n"), 0, 0 },
	{ STR("A: b"), 1, 4 },
	{ STR("A: b\r\n"), 1, 6 },
	{ STR("A: b\r\nno field\r\nC: d\r\n"), 1, 6 },
	{ STR(" A: b\r\n"), 0, 0 },
	{ STR(": b\r\n"), 0, 0 },
	{ STR("A\0B: c\r\n"), 0, 0 },
	{ STR("\xc3\xbc: c\r\n"), 0, 0 },
	/* A bare LF or CR ends no line, hence no header. */
	{ STR("A: b\nC: d\r\n\r\n"), 1, 11 },
	{ STR("A: b\n\nC: d\r\n\r\n"), 1, 12 },
	{ STR("A: b\rC: d\r\n\r\n"), 1, 11 },
	{ STR("A: b\r\n \r\n\r\n"), 1, 9 },
};

START_TEST(ends_where_no_field_follows)
{
	struct header h;

	header_parse(pool, ends[_i].m, 100, &h);
	ck_assert_uint_eq(h.n, ends[_i].n);
	ck_assert_uint_eq(h.bytes, ends[_i].bytes);
}
END_TEST

START_TEST(indexes_no_more_than_it_is_told_but_counts_all)
{
	struct header h;
	struct str m;
	char *p;
	size_t i;

	p = pool_alloc(pool, 6000);
	for (i = 0; i < 1000; i++)
		memcpy(p + i * 6, "A: b\r\n", 6);
	m = str_n(p, 6000);
	header_parse(pool, m, 999, &h);
	ck_assert_uint_eq(h.n, 999);
	ck_assert_uint_eq(h.bytes, 6000);
	header_parse(pool, m, 1000, &h);
	ck_assert_uint_eq(h.n, 1000);
	header_parse(pool, m, 0, &h);
	ck_assert_uint_eq(h.n, 0);
	ck_assert_uint_eq(h.bytes, 6000);
}
END_TEST

UNIT_SUITE(header)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, indexes_fields_with_their_folds);
	tcase_add_loop_test(tc, ends_where_no_field_follows, 0,
	    (int)(sizeof(ends) / sizeof(ends[0])));
	tcase_add_test(tc, indexes_no_more_than_it_is_told_but_counts_all);
}
