#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "unit.h"

/* 2018-04-17 00:57:53.123 UTC */
#define WALL ((msec)1523926673123)

static void
zone(const char *tz)
{
	(void)setenv("TZ", tz, 1);
	tzset();
}

START_TEST(writes_dates_in_the_local_zone_and_in_english)
{
	char s[64];

	(void)setenv("LC_ALL", "de_DE.UTF-8", 1);
	zone("UTC0");
	clock_asctime(s, sizeof(s), WALL);
	ck_assert_str_eq(s, "Tue Apr 17 00:57:53 2018");
	clock_rfc5322(s, sizeof(s), WALL);
	ck_assert_str_eq(s, "Tue, 17 Apr 2018 00:57:53 +0000");
	clock_rfc3339(s, sizeof(s), WALL);
	ck_assert_str_eq(s, "2018-04-17T00:57:53.123Z");
	clock_asctime(s, sizeof(s), WALL - HOURS(24 * 10));
	ck_assert_str_eq(s, "Sat Apr  7 00:57:53 2018");
	zone("XXX-5:30");
	clock_rfc5322(s, sizeof(s), WALL);
	ck_assert_str_eq(s, "Tue, 17 Apr 2018 06:27:53 +0530");
	ck_assert_int_eq(clock_utc_offset(WALL), 19800);
	clock_rfc3339(s, sizeof(s), WALL);
	ck_assert_str_eq(s, "2018-04-17T00:57:53.123Z");
	zone("XXX3:30");
	clock_rfc5322(s, sizeof(s), WALL);
	ck_assert_str_eq(s, "Mon, 16 Apr 2018 21:27:53 -0330");
}
END_TEST

START_TEST(writes_times_before_1970_and_absurd_ones)
{
	char s[64];

	zone("UTC0");
	clock_rfc3339(s, sizeof(s), -1);
	ck_assert_str_eq(s, "1969-12-31T23:59:59.999Z");
	clock_rfc5322(s, sizeof(s), INT64_MAX);
	ck_assert_str_eq(s, "Thu, 1 Jan 1970 00:00:00 +0000");
	clock_rfc5322(s, sizeof(s), INT64_MIN);
	ck_assert_str_eq(s, "Thu, 1 Jan 1970 00:00:00 +0000");
}
END_TEST

START_TEST(stands_still_until_updated)
{
	struct timespec ts = { 0, 3000000 };
	msec now = clock_now(), wall = clock_wall();

	ck_assert_int_gt(now, 0);
	(void)nanosleep(&ts, NULL);
	ck_assert_int_eq(clock_now(), now);
	ck_assert_int_eq(clock_wall(), wall);
	clock_update();
	ck_assert_int_gt(clock_now(), now);
}
END_TEST

START_TEST(a_fake_clock_moves_only_by_hand)
{
	msec now;

	clock_fake(WALL);
	ck_assert(clock_is_fake());
	now = clock_now();
	clock_update();
	ck_assert_int_eq(clock_wall(), WALL);
	clock_fake_advance(SECONDS(5));
	ck_assert_int_eq(clock_wall(), WALL + 5000);
	ck_assert_int_eq(clock_now(), now + 5000);
}
END_TEST

START_TEST(ticks_stand_still_with_a_fake_clock)
{
	uint64_t t = clock_ticks(), n = clock_nsec();

	while (clock_nsec() - n < 1000)
		;
	ck_assert_uint_gt(clock_ticks(), t);
	clock_fake(1523926673123);
	t = clock_ticks();
	n = clock_nsec();
	ck_assert_uint_eq(clock_ticks(), t);
	clock_fake_advance(5);
	ck_assert_uint_eq(clock_ticks() - t, clock_nsec() - n);
	ck_assert_uint_eq(clock_nsec() - n, 5000000);
}
END_TEST

UNIT_SUITE(clock)
{
	tcase_add_test(tc, writes_dates_in_the_local_zone_and_in_english);
	tcase_add_test(tc, writes_times_before_1970_and_absurd_ones);
	tcase_add_test(tc, ticks_stand_still_with_a_fake_clock);
	tcase_add_test(tc, stands_still_until_updated);
	tcase_add_test(tc, a_fake_clock_moves_only_by_hand);
}
