#include "base/num.h"
#include "unit.h"

static const struct {
	const char *text;
	int64_t min, max;
	int rc;
	int64_t n;
} ints[] = {
	{ "0", 0, 10, 0, 0 },
	{ "10", 0, 10, 0, 10 },
	{ "11", 0, 10, -1, 0 },
	{ "-5", -5, 10, 0, -5 },
	{ "-6", -5, 10, -1, 0 },
	{ "", 0, 10, -1, 0 },
	{ "-", -5, 10, -1, 0 },
	{ "+1", 0, 10, -1, 0 },
	{ " 1", 0, 10, -1, 0 },
	{ "1 ", 0, 10, -1, 0 },
	{ "1x", 0, 10, -1, 0 },
	{ "0x1", 0, 10, -1, 0 },
	{ "9223372036854775807", 0, INT64_MAX, 0, INT64_MAX },
	{ "9223372036854775808", 0, INT64_MAX, -1, 0 },
	{ "-9223372036854775808", INT64_MIN, 0, 0, INT64_MIN },
	{ "-9223372036854775809", INT64_MIN, 0, -1, 0 },
	{ "18446744073709551616", INT64_MIN, INT64_MAX, -1, 0 },
	{ "00000000000000000000000000007", 0, 10, 0, 7 },
};

START_TEST(reads_whole_numbers_within_bounds)
{
	int64_t n = 77;

	ck_assert_int_eq(num_int(str_c(ints[_i].text), ints[_i].min,
	    ints[_i].max, &n), ints[_i].rc);
	ck_assert_int_eq(n, ints[_i].rc == 0 ? ints[_i].n : 77);
}
END_TEST

static const struct {
	const char *text;
	msec ms; /* -1: refused */
	const char *shown;
} durations[] = {
	{ "0", 0, "0s" },
	{ "90", 90000, "1m30s" },
	{ "60s", 60000, "1m" },
	{ "5m", 300000, "5m" },
	{ "1h", 3600000, "1h" },
	{ "3d", 259200000, "3d" },
	{ "72h", 259200000, "3d" },
	{ "1h30m", 5400000, "1h30m" },
	{ "250ms", 250, "250ms" },
	{ "1d2h3m4s5ms", 93784005, "1d2h3m4s5ms" },
	{ "", -1, NULL },
	{ "h", -1, NULL },
	{ "1h30", -1, NULL },
	{ "30m1h", -1, NULL },
	{ "1h1h", -1, NULL },
	{ "1w", -1, NULL },
	{ "1H", -1, NULL },
	{ "-1s", -1, NULL },
	{ "1 s", -1, NULL },
	{ "1.5h", -1, NULL },
	{ "106751991167d", 9223372036828800000, "106751991167d" },
	{ "106751991168d", -1, NULL },
	{ "106751991167d99999999h", -1, NULL },
	{ "99999999999999999999s", -1, NULL },
};

START_TEST(reads_and_shows_durations)
{
	char s[40];
	msec ms = -1;

	ck_assert_int_eq(num_duration(str_c(durations[_i].text), &ms),
	    durations[_i].ms < 0 ? -1 : 0);
	ck_assert_int_eq(ms, durations[_i].ms);
	if (durations[_i].shown != NULL)
		ck_assert_str_eq(num_fmt_duration(s, sizeof(s), ms),
		    durations[_i].shown);
}
END_TEST

static const struct {
	const char *text;
	int rc;
	uint64_t n;
	const char *shown;
} sizes[] = {
	{ "150000000", 0, 150000000, "143.1M" },
	{ "10k", 0, 10240, "10k" },
	{ "64M", 0, 67108864, "64M" },
	{ "2G", 0, 2147483648, "2G" },
	{ "1000", 0, 1000, "1000" },
	{ "16777215T", 0, 18446742974197923840U, "16777215T" },
	{ "16777216T", -1, 0, NULL },
	{ "18446744073709551615", 0, UINT64_MAX, "16777216.0T" },
	{ "18446744073709551616", -1, 0, NULL },
	{ "10kB", -1, 0, NULL },
	{ "k", -1, 0, NULL },
	{ "", -1, 0, NULL },
	{ "1.5M", -1, 0, NULL },
};

START_TEST(reads_and_shows_sizes)
{
	char s[40];
	uint64_t n = 0;

	ck_assert_int_eq(num_size(str_c(sizes[_i].text), &n), sizes[_i].rc);
	ck_assert_uint_eq(n, sizes[_i].n);
	if (sizes[_i].shown != NULL)
		ck_assert_str_eq(num_fmt_size(s, sizeof(s), n),
		    sizes[_i].shown);
}
END_TEST

START_TEST(longest_forms_fit_32_octets)
{
	char s[32];

	ck_assert_str_eq(num_fmt_duration(s, sizeof(s), INT64_MIN),
	    "-106751991167d7h12m55s808ms");
	ck_assert_str_eq(num_fmt_duration(s, 4, INT64_MAX), "106");
	ck_assert_str_eq(num_fmt_size(s, sizeof(s), UINT64_MAX),
	    "16777216.0T");
}
END_TEST

#define COUNT(v) (int)(sizeof(v) / sizeof((v)[0]))

UNIT_SUITE(num)
{
	tcase_add_loop_test(tc, reads_whole_numbers_within_bounds, 0,
	    COUNT(ints));
	tcase_add_loop_test(tc, reads_and_shows_durations, 0,
	    COUNT(durations));
	tcase_add_loop_test(tc, reads_and_shows_sizes, 0, COUNT(sizes));
	tcase_add_test(tc, longest_forms_fit_32_octets);
}
