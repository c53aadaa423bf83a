#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rand.h"
#include "unit.h"

START_TEST(a_seed_gives_the_same_sequence)
{
	uint64_t a[3], b[3];
	char x[5], y[5];
	int i;

	rand_seed(42);
	for (i = 0; i < 3; i++)
		a[i] = rand_u64();
	rand_bytes(x, sizeof(x));
	rand_seed(42);
	for (i = 0; i < 3; i++)
		b[i] = rand_u64();
	rand_bytes(y, sizeof(y));
	ck_assert_int_eq(memcmp(a, b, sizeof(a)), 0);
	ck_assert_int_eq(memcmp(x, y, sizeof(x)), 0);
	ck_assert(a[0] != a[1] && a[1] != a[2]);
}
END_TEST

START_TEST(stays_below_its_bound_and_reaches_every_value)
{
	unsigned seen[7] = { 0 };
	int i;

	for (i = 0; i < 7000; i++) {
		uint32_t n = rand_below(7);

		ck_assert_uint_lt(n, 7);
		seen[n]++;
	}
	for (i = 0; i < 7; i++)
		ck_assert_uint_gt(seen[i], 700);
	ck_assert_uint_eq(rand_below(1), 0);
	ck_assert_uint_lt(rand_below(UINT32_MAX), UINT32_MAX);
}
END_TEST

START_TEST(a_child_does_not_repeat_its_parent)
{
	uint64_t mine, its;
	int fd[2];
	pid_t pid;

	(void)rand_u64();
	ck_assert_int_eq(pipe(fd), 0);
	pid = fork();
	if (pid == 0) {
		rand_forked();
		its = rand_u64();
		_exit(write(fd[1], &its, sizeof(its)) != sizeof(its));
	}
	ck_assert_int_eq(read(fd[0], &its, sizeof(its)), sizeof(its));
	mine = rand_u64();
	ck_assert(mine != its);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

START_TEST(gives_any_number_of_octets)
{
	char p[1000];
	size_t n, i, zero = 0;

	for (n = 0; n < sizeof(p); n += 37) {
		memset(p, 0, sizeof(p));
		rand_bytes(p, n);
		for (i = n; i < sizeof(p); i++)
			ck_assert_int_eq(p[i], 0);
	}
	rand_bytes(p, sizeof(p));
	for (i = 0; i < sizeof(p); i++)
		zero += p[i] == 0;
	ck_assert_uint_lt(zero, 50);
}
END_TEST

UNIT_SUITE(rand)
{
	tcase_add_test(tc, a_seed_gives_the_same_sequence);
	tcase_add_test(tc, stays_below_its_bound_and_reaches_every_value);
	tcase_add_test(tc, a_child_does_not_repeat_its_parent);
	tcase_add_test(tc, gives_any_number_of_octets);
}
