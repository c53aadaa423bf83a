#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/obj.h"
#include "unit.h"

#define THING_MAGIC 0x7468696eU

struct thing {
	unsigned magic;
	int n;
};

static int told;

static void
hook(const char *text)
{
	/* Shows that the hook ran before the end, by another status. */
	told = strstr(text, "disk") != NULL;
	_exit(told ? 42 : 43);
}

START_TEST(fatal_ends_with_status_1)
{
	fatal("no %s", "disk");
}
END_TEST

START_TEST(fatal_tells_the_hook_first)
{
	die_hook_set(hook);
	fatal("no %s", "disk");
}
END_TEST

START_TEST(panic_aborts)
{
	panic("we are wrong");
}
END_TEST

START_TEST(a_wrong_magic_aborts)
{
	struct thing *t;

	OBJ_NEW(t, THING_MAGIC);
	ck_assert_int_eq(t->n, 0);
	t->magic++;
	OBJ_CHECK(t, THING_MAGIC);
}
END_TEST

START_TEST(a_null_object_aborts)
{
	struct thing *t;

	OBJ_CAST(t, NULL, THING_MAGIC);
	ck_assert_int_eq(t->n, 0);
}
END_TEST

START_TEST(an_array_that_overflows_aborts)
{
	mem_free(mem_array((size_t)-1 / 2, 4));
}
END_TEST

START_TEST(memory_comes_zeroed_and_copies_end_with_nul)
{
	char *p = mem_zalloc(100), *s;
	int i;

	for (i = 0; i < 100; i++)
		ck_assert_int_eq(p[i], 0);
	mem_free(p);
	s = mem_strndup("abcdef", 3);
	ck_assert_str_eq(s, "abc");
	mem_free(s);
	s = mem_dup("x", 0);
	ck_assert_ptr_nonnull(s);
	mem_free(s);
	mem_free(NULL);
}
END_TEST

UNIT_SUITE(die)
{
	tcase_add_exit_test(tc, fatal_ends_with_status_1, 1);
	tcase_add_exit_test(tc, fatal_tells_the_hook_first, 42);
	tcase_add_test_raise_signal(tc, panic_aborts, SIGABRT);
	tcase_add_test_raise_signal(tc, a_wrong_magic_aborts, SIGABRT);
	tcase_add_test_raise_signal(tc, a_null_object_aborts, SIGABRT);
	tcase_add_test_raise_signal(tc, an_array_that_overflows_aborts,
	    SIGABRT);
	tcase_add_test(tc, memory_comes_zeroed_and_copies_end_with_nul);
}
