#include "mail/date.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/num.h"

enum { WORDS_MAX = 6 };

static unsigned words_of(struct str text, struct str *word, unsigned max);
static size_t comment(struct str s);
static int number(struct str s, int max);
static int month(struct str s);
static int time_of_day(struct str s, msec *ms_r);
static msec zone(struct str s);
static int64_t days(int y, int m, int d);

int
date_parse(struct str text, msec *wall_r)
{
	struct str word[WORDS_MAX];
	unsigned n = words_of(text, word, WORDS_MAX), i = 0;
	int day, mon, year;
	msec clock;

	if (n > 0 && !ch_digit(word[0].p[0]))
		i = 1; /* the day of the week */
	if (n < i + 4)
		return -1;
	day = number(word[i], 31);
	mon = month(word[i + 1]);
	year = number(word[i + 2], 9999);
	if (day < 1 || mon < 0 || year < 0 ||
	    time_of_day(word[i + 3], &clock) != 0)
		return -1;
	if (word[i + 2].n <= 2)
		year += year < 50 ? 2000 : 1900;
	else if (word[i + 2].n == 3)
		year += 1900;
	*wall_r = days(year, mon + 1, day) * HOURS(24) + clock -
	    (n > i + 4 ? zone(word[i + 4]) : 0);
	return 0;
}

/* Words are parted by blanks, commas and comments. */
static unsigned
words_of(struct str text, struct str *word, unsigned max)
{
	unsigned n = 0;
	size_t i = 0, begin;

	while (i < text.n && n < max) {
		if (text.p[i] == '(') {
			i += comment(str_n(text.p + i, text.n - i));
			continue;
		}
		if ((unsigned char)text.p[i] <= ' ' || text.p[i] == ',') {
			i++;
			continue;
		}
		for (begin = i; i < text.n &&
		     (unsigned char)text.p[i] > ' ' && text.p[i] != ',' &&
		     text.p[i] != '('; i++)
			;
		word[n++] = str_n(text.p + begin, i - begin);
	}
	return n;
}

static size_t
comment(struct str s)
{
	unsigned depth = 0;
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return s.n;
}

static int
number(struct str s, int max)
{
	uint64_t v;

	return num_u64(s, (uint64_t)max, &v) == 0 ? (int)v : -1;
}

static int
month(struct str s)
{
	static const char *const names[] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	int i;

	for (i = 0; i < 12; i++) {
		if (str_ieq_c(s, names[i]))
			return i;
	}
	return -1;
}

static int
time_of_day(struct str s, msec *ms_r)
{
	struct str part;
	int hour, minute, second = 0;

	if (!str_split(&s, ':', &part) || (hour = number(part, 23)) < 0 ||
	    !str_split(&s, ':', &part) || (minute = number(part, 59)) < 0)
		return -1;
	if (str_split(&s, ':', &part) && (second = number(part, 60)) < 0)
		return -1;
	*ms_r = HOURS(hour) + MINUTES(minute) + SECONDS(second);
	return 0;
}

/* What is to be taken off local time to have UTC. */
static msec
zone(struct str s)
{
	static const struct {
		const char *name;
		int hours;
	} names[] = { { "EST", -5 }, { "EDT", -4 }, { "CST", -6 },
		{ "CDT", -5 }, { "MST", -7 }, { "MDT", -6 }, { "PST", -8 },
		{ "PDT", -7 } };
	unsigned i;
	msec off;
	int v;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_ieq_c(s, names[i].name))
			return HOURS(names[i].hours);
	}
	if (s.n != 5 || (s.p[0] != '+' && s.p[0] != '-') ||
	    (v = number(str_n(s.p + 1, 4), 9999)) < 0)
		return 0;
	off = HOURS(v / 100) + MINUTES(v % 100);
	return s.p[0] == '-' ? -off : off;
}

/* Days since 1970 of the Gregorian calendar; the year begins in March. */
static int64_t
days(int y, int m, int d)
{
	int64_t era, day_of_era, year_of_era, day_of_year;

	y -= m <= 2;
	era = y / 400;
	year_of_era = y - era * 400;
	day_of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	    day_of_year;
	return era * 146097 + day_of_era - 719468;
}
