#include "base/num.h"

#include <stdio.h>

#include "base/die.h"

static bool digits(struct str *s, uint64_t max, uint64_t *n_r);
static bool unit(struct str *s, msec *ms_r);

int
num_u64(struct str s, uint64_t max, uint64_t *n_r)
{
	uint64_t n;

	if (!digits(&s, max, &n) || s.n > 0)
		return -1;
	*n_r = n;
	return 0;
}

int
num_int(struct str s, int64_t min, int64_t max, int64_t *n_r)
{
	bool minus = s.n > 0 && s.p[0] == '-';
	uint64_t n;
	int64_t v;

	if (minus) {
		s.p++;
		s.n--;
	}
	if (num_u64(s, (uint64_t)INT64_MAX + minus, &n) != 0)
		return -1;
	v = minus ? (int64_t)(0 - n) : (int64_t)n;
	if (v < min || v > max)
		return -1;
	*n_r = v;
	return 0;
}

int
num_duration(struct str s, msec *ms_r)
{
	msec sum = 0, factor, last = INT64_MAX, part;
	uint64_t n;

	if (s.n == 0)
		return -1;
	while (s.n > 0) {
		if (!digits(&s, INT64_MAX, &n))
			return -1;
		if (s.n == 0 && last == INT64_MAX)
			factor = 1000;
		else if (!unit(&s, &factor))
			return -1;
		/* "1h30m", not "30m1h" or "1h1h". */
		if (factor >= last)
			return -1;
		last = factor;
		if (__builtin_mul_overflow((int64_t)n, factor, &part) ||
		    __builtin_add_overflow(sum, part, &sum))
			return -1;
	}
	*ms_r = sum;
	return 0;
}

int
num_size(struct str s, uint64_t *bytes_r)
{
	unsigned shift = 0;
	uint64_t n;

	if (!digits(&s, UINT64_MAX, &n) || s.n > 1)
		return -1;
	if (s.n == 1) {
		switch (ch_lower(s.p[0])) {
		case 'k':
			shift = 10;
			break;
		case 'm':
			shift = 20;
			break;
		case 'g':
			shift = 30;
			break;
		case 't':
			shift = 40;
			break;
		default:
			return -1;
		}
	}
	if (n > UINT64_MAX >> shift)
		return -1;
	*bytes_r = n << shift;
	return 0;
}

char *
num_fmt_duration(char *dst, size_t n, msec ms)
{
	static const struct {
		msec ms;
		const char *unit;
	} units[] = {
		{ HOURS(24), "d" },
		{ HOURS(1), "h" },
		{ MINUTES(1), "m" },
		{ SECONDS(1), "s" },
		{ 1, "ms" },
	};
	uint64_t left = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
	size_t i, at = 0;
	uint64_t count;

	if (ms == 0) {
		(void)snprintf(dst, n, "0s");
		return dst;
	}
	if (ms < 0 && n > 1)
		dst[at++] = '-';
	dst[at] = '\0';
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		count = left / (uint64_t)units[i].ms;
		left %= (uint64_t)units[i].ms;
		if (count > 0 && at < n)
			at += (size_t)snprintf(dst + at, n - at, "%llu%s",
			    (unsigned long long)count, units[i].unit);
	}
	return dst;
}

char *
num_fmt_size(char *dst, size_t n, uint64_t bytes)
{
	static const char units[] = { 'k', 'M', 'G', 'T' };
	uint64_t unit_size;
	int i;

	for (i = 3; i >= 0; i--) {
		unit_size = 1ULL << (10 * (i + 1));
		if (bytes < unit_size)
			continue;
		if (bytes % unit_size == 0)
			(void)snprintf(dst, n, "%llu%c",
			    (unsigned long long)(bytes / unit_size), units[i]);
		else
			(void)snprintf(dst, n, "%.1f%c",
			    (double)bytes / (double)unit_size, units[i]);
		return dst;
	}
	(void)snprintf(dst, n, "%llu", (unsigned long long)bytes);
	return dst;
}

/* Cuts the digits at the front off *s; false if none or above max. */
static bool
digits(struct str *s, uint64_t max, uint64_t *n_r)
{
	uint64_t n = 0, d;
	size_t i;

	for (i = 0; i < s->n && ch_digit(s->p[i]); i++) {
		d = (uint64_t)(s->p[i] - '0');
		if (n > (UINT64_MAX - d) / 10)
			return false;
		n = n * 10 + d;
	}
	if (i == 0 || n > max)
		return false;
	s->p += i;
	s->n -= i;
	*n_r = n;
	return true;
}

static bool
unit(struct str *s, msec *ms_r)
{
	size_t n = 0;

	while (n < s->n && ch_alpha(s->p[n]))
		n++;
	if (str_eq_c(str_n(s->p, n), "ms"))
		*ms_r = 1;
	else if (str_eq_c(str_n(s->p, n), "s"))
		*ms_r = SECONDS(1);
	else if (str_eq_c(str_n(s->p, n), "m"))
		*ms_r = MINUTES(1);
	else if (str_eq_c(str_n(s->p, n), "h"))
		*ms_r = HOURS(1);
	else if (str_eq_c(str_n(s->p, n), "d"))
		*ms_r = HOURS(24);
	else
		return false;
	s->p += n;
	s->n -= n;
	return true;
}
