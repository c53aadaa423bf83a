#include "daemon/expiry.h"

#include "unit.h"

#define DAY HOURS(24)
#define START ((msec)1790000000 * 1000)

static struct expiry e;

static void
setup(void)
{
	clock_fake(START);
	expiry_init(&e);
}

static void
teardown(void)
{
	expiry_fini(&e);
}

static bool
due(const char *name, msec expires)
{
	return expiry_due(&e, name, expires, clock_wall());
}

START_TEST(days_are_counted_to_the_hour)
{
	ck_assert_int_eq(expiry_days(START + 90 * DAY, START), 90);
	ck_assert_int_eq(expiry_days(START + 90 * DAY - 1, START), 89);
	ck_assert_int_eq(expiry_days(START + DAY - 1, START), 0);
	ck_assert_int_eq(expiry_days(START, START), 0);
	ck_assert_int_eq(expiry_days(START - 1, START), -1);
	ck_assert_int_eq(expiry_days(START - DAY - 1, START), -2);
}
END_TEST

START_TEST(speaks_at_each_threshold_on_the_day_and_daily_after)
{
	static const int64_t want[] = { 90, 60, 30, 15, 5, 4, 3, 2, 1, 0, -1,
		-2, -3, -4 };
	msec ends = START + 100 * DAY + HOURS(1);
	size_t n = 0;
	int hour;

	for (hour = 0; hour < 104 * 24; hour++) {
		if (due("a", ends)) {
			ck_assert_uint_lt(n, sizeof(want) / sizeof(want[0]));
			ck_assert_int_eq(expiry_days(ends, clock_wall()),
			    want[n]);
			n++;
		}
		clock_fake_advance(HOURS(1));
	}
	ck_assert_uint_eq(n, sizeof(want) / sizeof(want[0]));
}
END_TEST

START_TEST(speaks_at_once_of_what_it_sees_late)
{
	ck_assert(!due("far", START + 91 * DAY));
	ck_assert(due("near", START + 20 * DAY));
	ck_assert(!due("near", START + 20 * DAY));
	ck_assert(due("over", START - 20 * DAY));
	ck_assert(!due("over", START - 20 * DAY));
}
END_TEST

START_TEST(a_renewed_certificate_begins_anew)
{
	ck_assert(due("a", START + 3 * DAY));
	ck_assert(!due("a", START + 93 * DAY));
	clock_fake_advance(3 * DAY);
	ck_assert(due("a", START + 93 * DAY));
}
END_TEST

START_TEST(a_sleep_over_several_thresholds_is_one_occasion)
{
	ck_assert(!due("a", START + 95 * DAY));
	clock_fake_advance(70 * DAY);
	ck_assert(due("a", START + 95 * DAY));
	ck_assert(!due("a", START + 95 * DAY));
}
END_TEST

UNIT_SUITE(expiry)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, days_are_counted_to_the_hour);
	tcase_add_test(tc,
	    speaks_at_each_threshold_on_the_day_and_daily_after);
	tcase_add_test(tc, speaks_at_once_of_what_it_sees_late);
	tcase_add_test(tc, a_renewed_certificate_begins_anew);
	tcase_add_test(tc, a_sleep_over_several_thresholds_is_one_occasion);
}
