/* What the master finds of a worker's plugins. */
#include <stdio.h>
#include <string.h>

#include "base/shm.h"
#include "unit.h"

static struct shm *shm;

static void
begin(void)
{
	shm = shm_new(2, NULL);
	ck_assert_ptr_nonnull(shm);
}

static void
end(void)
{
	shm_destroy(&shm);
}

START_TEST(a_name_has_one_number_and_there_is_a_last_one)
{
	char name[SHM_PLUGIN_NAME + 1];
	int i, first = shm_plugin_get(shm, "one");

	ck_assert_int_eq(first, 0);
	ck_assert_int_eq(shm_plugin_get(shm, "two"), 1);
	ck_assert_int_eq(shm_plugin_get(shm, "one"), first);
	ck_assert_str_eq(shm_plugin_name(shm, 1, name, sizeof(name)), "two");
	ck_assert_str_eq(shm_plugin_name(shm, 1, name, 3), "tw");
	for (i = 2; i < SHM_PLUGINS; i++) {
		(void)snprintf(name, sizeof(name), "p%d", i);
		ck_assert_int_eq(shm_plugin_get(shm, name), i);
	}
	ck_assert_int_eq(shm_plugin_get(shm, "one too many"), -1);
	ck_assert_int_eq(shm_plugin_get(shm, "p255"), 255);
	memset(name, 'x', SHM_PLUGIN_NAME);
	name[SHM_PLUGIN_NAME] = '\0';
	ck_assert_int_eq(shm_plugin_get(shm, name), -1);
}
END_TEST

static void
busy(unsigned thread, int number, unsigned where, uint64_t since)
{
	struct shm_flight *f = shm_flight(shm, 1, thread);

	f->mid = 7;
	f->icid = 5;
	f->since = since;
	f->who = SHM_WHO(number, where);
}

START_TEST(the_loop_is_asked_first_then_who_began_last)
{
	uint64_t now = clock_ticks();
	struct shm_busy b;

	ck_assert(!shm_busy(shm, 1, false, &b));
	(void)shm_plugin_get(shm, "one");
	(void)shm_plugin_get(shm, "two");
	(void)shm_plugin_get(shm, "three");
	busy(1, 0, 3, now - 1000);
	busy(SHM_FLIGHTS - 1, 1, 4, now);
	busy(3, 0, 3, now - 500);
	ck_assert(!shm_busy(shm, 1, true, &b));
	ck_assert(shm_busy(shm, 1, false, &b));
	ck_assert_str_eq(b.plugin, "two");
	ck_assert_int_eq(b.number, 1);
	ck_assert_uint_eq(b.where, 4);
	ck_assert_uint_eq(b.mid, 7);
	ck_assert_uint_eq(b.icid, 5);
	ck_assert_str_eq(b.place, "");
	busy(0, 2, 1, now - 2000);
	ck_assert(shm_busy(shm, 1, false, &b));
	ck_assert_str_eq(b.plugin, "three");
	ck_assert(shm_busy(shm, 1, true, &b));
	ck_assert_str_eq(b.plugin, "three");
	ck_assert(!shm_busy(shm, 0, false, &b));
	shm_worker_gone(shm, 1);
	ck_assert(!shm_busy(shm, 1, false, &b));
}
END_TEST

/* The row of a process that wrote nonsense as it died. */
START_TEST(what_no_plugin_wrote_is_nobody)
{
	struct shm_busy b;

	shm_flight(shm, 1, 0)->who = UINT32_MAX;
	ck_assert(!shm_busy(shm, 1, false, &b));
}
END_TEST

START_TEST(a_breaker_is_set_and_reset)
{
	int n = shm_plugin_get(shm, "one");

	ck_assert_uint_eq(*shm_plugin_tripped(shm, n), 0);
	shm_plugin_trip(shm, n, 4);
	ck_assert_uint_eq(*shm_plugin_tripped(shm, n), 4);
	ck_assert_uint_eq(*shm_plugin_tripped(shm, n + 1), 0);
	shm_plugin_trip(shm, n, 0);
	ck_assert_uint_eq(*shm_plugin_tripped(shm, n), 0);
}
END_TEST

START_TEST(suspects_are_known_until_they_are_done_with)
{
	int n = -1;

	ck_assert(!shm_suspect(shm, 7, NULL));
	shm_suspect_add(shm, 0, 1);
	ck_assert(!shm_suspect(shm, 0, NULL));
	shm_suspect_add(shm, 7, 1);
	shm_suspect_add(shm, 7, 2);
	shm_suspect_add(shm, 8, 3);
	ck_assert(shm_suspect(shm, 7, &n));
	ck_assert_int_eq(n, 1);
	shm_suspect_done(shm, 7);
	ck_assert(!shm_suspect(shm, 7, NULL));
	ck_assert(shm_suspect(shm, 8, &n));
	ck_assert_int_eq(n, 3);
}
END_TEST

UNIT_SUITE(shm_plugin)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, a_name_has_one_number_and_there_is_a_last_one);
	tcase_add_test(tc, the_loop_is_asked_first_then_who_began_last);
	tcase_add_test(tc, what_no_plugin_wrote_is_nobody);
	tcase_add_test(tc, a_breaker_is_set_and_reset);
	tcase_add_test(tc, suspects_are_known_until_they_are_done_with);
}
