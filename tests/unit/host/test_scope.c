#include <string.h>

#include "host/scope_priv.h"
#include "unit.h"

static char trace[64], one[] = "1", two[] = "2", three[] = "3";
static struct scope *scope;

static void
begin(void)
{
	trace[0] = '\0';
	scope = scope_new();
}

static void
end(void)
{
	scope_end(&scope);
	(void)scope_failing(0);
}

static void
add(void *arg)
{
	strcat(trace, arg);
}

static void
add_more(void *arg)
{
	add(arg);
	scope_defer(scope, add, three);
}

START_TEST(gives_zeroed_memory)
{
	static const char zero[300];
	char *p = scope_alloc(scope, 300);

	ck_assert_int_eq(memcmp(p, zero, 300), 0);
	memset(p, 'x', 300);
	ck_assert_ptr_nonnull(scope_alloc(scope, 0));
	ck_assert_uint_gt(scope_size(scope), 300);
	ck_assert_uint_eq(scope_size(NULL), 0);
}
END_TEST

START_TEST(cleans_up_in_reverse_order)
{
	scope_defer(scope, add, one);
	scope_defer(scope, add, two);
	scope_end(&scope);
	ck_assert_ptr_null(scope);
	ck_assert_str_eq(trace, "21");
	scope_end(&scope);
}
END_TEST

START_TEST(runs_clean_ups_that_clean_ups_ask_for)
{
	scope_defer(scope, add, one);
	scope_defer(scope, add_more, two);
	scope_recycle(&scope);
	ck_assert_str_eq(trace, "231");
}
END_TEST

START_TEST(keeps_a_block_per_owner)
{
	int a = 0, b = 0;
	int *p = scope_data(scope, &a, sizeof(int));

	ck_assert_int_eq(*p, 0);
	*p = 5;
	ck_assert_ptr_ne(scope_data(scope, &b, sizeof(int)), p);
	ck_assert_ptr_eq(scope_data(scope, &a, sizeof(int)), p);
	ck_assert_ptr_eq(scope_data(scope, &a, 1), p);
	/* Another type than the first time: not written past its end. */
	ck_assert_ptr_null(scope_data(scope, &a, 100));
}
END_TEST

START_TEST(has_a_ceiling)
{
	ck_assert_ptr_null(scope_alloc(scope, SCOPE_MAX + 1));
	ck_assert_ptr_null(scope_alloc(scope, SIZE_MAX));
	ck_assert_ptr_nonnull(scope_alloc(scope, SCOPE_MAX - 10));
	ck_assert_ptr_null(scope_alloc(scope, 11));
	ck_assert_ptr_nonnull(scope_alloc(scope, 10));
	ck_assert_ptr_null(scope_alloc(scope, 1));
}
END_TEST

START_TEST(is_as_new_after_recycling)
{
	int a = 0;
	int *p = scope_data(scope, &a, sizeof(int));

	*p = 5;
	scope_defer(scope, add, one);
	(void)scope_alloc(scope, SCOPE_MAX / 2);
	scope_recycle(&scope);
	/* A big one is not kept. */
	ck_assert_ptr_null(scope);
	ck_assert_str_eq(trace, "1");
	scope = scope_new();
	p = scope_data(scope, &a, sizeof(int));
	*p = 5;
	scope_recycle(&scope);
	ck_assert_ptr_nonnull(scope);
	ck_assert_int_eq(*(int *)scope_data(scope, &a, sizeof(int)), 0);
	ck_assert_ptr_nonnull(scope_alloc(scope, SCOPE_MAX - sizeof(int)));
}
END_TEST

START_TEST(ends_when_nobody_holds_it)
{
	struct scope *held = scope, *again = scope;
	char *p = scope_alloc(scope, 10);

	scope_hold(scope);
	scope_hold(scope);
	scope_defer(scope, add, one);
	if (_i == 0)
		scope_end(&scope);
	else
		scope_recycle(&scope);
	ck_assert_ptr_null(scope);
	memset(p, 'x', 10);
	ck_assert_str_eq(trace, "");
	scope_unhold(&held);
	ck_assert_ptr_null(held);
	ck_assert_str_eq(trace, "");
	scope_unhold(&again);
	ck_assert_str_eq(trace, "1");
	scope_unhold(&again);
}
END_TEST

START_TEST(fails_the_nth_allocation_on_demand)
{
	int a = 0;

	(void)scope_failing(2);
	ck_assert_ptr_nonnull(scope_alloc(scope, 1));
	ck_assert_ptr_null(scope_data(scope, &a, 1));
	ck_assert_ptr_nonnull(scope_data(scope, &a, 1));
	ck_assert_uint_eq(scope_failing(0), 3);
	ck_assert_uint_eq(scope_failing(0), 0);
}
END_TEST

UNIT_SUITE(scope)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, gives_zeroed_memory);
	tcase_add_test(tc, cleans_up_in_reverse_order);
	tcase_add_test(tc, runs_clean_ups_that_clean_ups_ask_for);
	tcase_add_test(tc, keeps_a_block_per_owner);
	tcase_add_test(tc, has_a_ceiling);
	tcase_add_test(tc, is_as_new_after_recycling);
	tcase_add_loop_test(tc, ends_when_nobody_holds_it, 0, 2);
	tcase_add_test(tc, fails_the_nth_allocation_on_demand);
}
