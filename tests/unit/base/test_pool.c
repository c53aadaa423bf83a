#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/pool.h"
#include "unit.h"

static char order[16];
static size_t order_n;

static void
note(void *arg)
{
	order[order_n++] = *(const char *)arg;
}

struct again {
	struct pool *pool;
	char name;
};

static void
note_and_defer(void *arg)
{
	struct again *a = arg;

	order[order_n++] = '!';
	pool_defer(a->pool, note, &a->name);
}

START_TEST(gives_zeroed_memory_aligned_for_any_type)
{
	struct pool *pool = pool_new(0);
	size_t n, i, set = 0;
	char *p;

	for (n = 0; n < 3000; n += 7) {
		p = pool_alloc(pool, n);
		ck_assert_uint_eq((uintptr_t)p % 16, 0);
		for (i = 0; i < n; i++)
			set += p[i] != 0;
		memset(p, 0xff, n);
	}
	ck_assert_uint_eq(set, 0);
	pool_destroy(&pool);
	ck_assert_ptr_null(pool);
	pool_destroy(&pool);
}
END_TEST

START_TEST(runs_clean_ups_in_reverse_order)
{
	struct pool *pool = pool_new(0);
	struct again a = { pool, 'd' };

	pool_defer(pool, note, (void *)(uintptr_t)"a");
	pool_defer(pool, note, (void *)(uintptr_t)"b");
	pool_defer(pool, note_and_defer, &a);
	pool_defer(pool, note, (void *)(uintptr_t)"c");
	pool_reset(pool);
	ck_assert_str_eq(order, "c!dba");
	pool_destroy(&pool);
	ck_assert_str_eq(order, "c!dba");
}
END_TEST

START_TEST(a_reset_gives_all_but_the_first_block_back)
{
	struct pool *pool = pool_new(4096);
	size_t before = pool_size(pool);
	int i;

	ck_assert_uint_eq(before, 4096);
	for (i = 0; i < 100; i++)
		(void)pool_alloc(pool, 1000);
	(void)pool_alloc(pool, 1000000);
	ck_assert_uint_gt(pool_size(pool), 1100000);
	pool_reset(pool);
	ck_assert_uint_eq(pool_size(pool), before);
	memset(pool_alloc(pool, 2000), 1, 2000);
	ck_assert_uint_eq(pool_size(pool), before);
	pool_destroy(&pool);
}
END_TEST

START_TEST(copies_strings_and_prints_long_ones)
{
	struct pool *pool = pool_new(0);
	char big[2000], *s;
	struct str t;

	ck_assert_str_eq(pool_strdup(pool, "abc"), "abc");
	ck_assert_ptr_null(pool_strdup(pool, NULL));
	ck_assert_str_eq(pool_strndup(pool, "abcdef", 2), "ab");
	t = pool_str(pool, STR("a\0b"));
	ck_assert_uint_eq(t.n, 3);
	ck_assert_int_eq(t.p[3], 0);
	t = pool_str(pool, STR_NULL);
	ck_assert_str_eq(t.p, "");
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	s = pool_printf(pool, "<%s>", big);
	ck_assert_uint_eq(strlen(s), sizeof(big) + 1);
	ck_assert_str_eq(pool_printf(pool, "%d", 5), "5");
	pool_destroy(&pool);
}
END_TEST

UNIT_SUITE(pool)
{
	tcase_add_test(tc, gives_zeroed_memory_aligned_for_any_type);
	tcase_add_test(tc, runs_clean_ups_in_reverse_order);
	tcase_add_test(tc, a_reset_gives_all_but_the_first_block_back);
	tcase_add_test(tc, copies_strings_and_prints_long_ones);
}
