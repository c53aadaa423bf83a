/*
 * The frame of the unit tests. A file test_<module>.c has its tests and one
 * suite; listing the file in Makefile.inc is all it takes to run them.
 *
 *	START_TEST(refuses_growth_past_its_ceiling)
 *	{
 *		ck_assert_int_eq(buf_add(&b, "x", 1), -1);
 *	}
 *	END_TEST
 *
 *	UNIT_SUITE(buf)
 *	{
 *		tcase_add_test(tc, refuses_growth_past_its_ceiling);
 *		tcase_add_loop_test(tc, reads_number, 0, N_CASES);
 *	}
 *
 * Each test runs in a process of its own, so a crash is one failure. With
 * CK_FORK=no, and CK_RUN_SUITE=buf for one suite only, gdb is at ease.
 */

#ifndef UNIT_H
#define UNIT_H

#include <check.h>

struct unit_suite {
	const char *name;
	void (*fill)(TCase *);
	struct unit_suite *next;
};

/* Called before main(). The suite is kept, not copied. */
void	unit_add(struct unit_suite *);

#define UNIT_SUITE(suite)						\
	static void suite##_fill(TCase *);				\
	static void __attribute__((constructor))			\
	suite##_register(void)						\
	{								\
		static struct unit_suite s = { #suite, suite##_fill, 0 };\
									\
		unit_add(&s);						\
	}								\
	static void							\
	suite##_fill(TCase *tc)

#endif
