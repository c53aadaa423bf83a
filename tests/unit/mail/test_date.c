#include "mail/date.h"
#include "unit.h"

struct date {
	const char *text;
	msec wall; /* -1: none */
};

static const struct date dates[] = {
	{ "Tue, 17 Apr 2018 00:57:53 +0000", 1523926673000 },
	{ " Tue, 17 Apr 2018 02:57:53 +0200 (CEST)", 1523926673000 },
	{ "16 Apr 2018 19:57:53 -0500", 1523926673000 },
	{ "Mon, 16 Apr 2018 19:57:53 CDT", 1523926673000 },
	{ "17 Apr 2018 00:57 GMT", 1523926620000 },
	{ "17 Apr 18 00:57:53 UT", 1523926673000 },
	{ "17 apr 118 00:57:53", 1523926673000 },
	{ "17 Apr 2018 00:57:53 XYZ", 1523926673000 },
	{ "1 (a \\) (b)) Jan 1970 00:00:00 +0000", 0 },
	{ "29 Feb 2000 00:00:00 +0000", 951782400000 },
	{ "31 Dec 1969 23:59:59 +0000", -1000 },
	{ "Sat, 21 Nov 2026 22:30:60 +0530", 1795280460000 },
};

static const char *const nothing[] = {
	"", "Tue", "Tue, 17 Apr 2018", "17 Foo 2018 00:00:00",
	"32 Jan 2018 00:00:00", "0 Jan 2018 00:00:00", "1 Jan 2018 24:00:00",
	"1 Jan 2018 00:60", "1 Jan 2018 00", "1 Jan x 00:00", "\xff\xff",
	"1 Jan 99999 00:00", "(", ",,,,",
};

START_TEST(reads_a_date)
{
	msec wall = 1;

	ck_assert_int_eq(date_parse(str_c(dates[_i].text), &wall), 0);
	ck_assert_int_eq(wall, dates[_i].wall);
}
END_TEST

START_TEST(knows_what_is_no_date)
{
	msec wall = 1;

	ck_assert_int_eq(date_parse(str_c(nothing[_i]), &wall), -1);
	ck_assert_int_eq(wall, 1);
}
END_TEST

UNIT_SUITE(date)
{
	tcase_add_loop_test(tc, reads_a_date, 0,
	    sizeof(dates) / sizeof(dates[0]));
	tcase_add_loop_test(tc, knows_what_is_no_date, 0,
	    sizeof(nothing) / sizeof(nothing[0]));
}
