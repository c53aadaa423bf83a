#include "base/str.h"

static int compare(struct str a, struct str b, bool fold);

struct str
str_c(const char *s)
{
	return s == NULL ? STR_NULL : (struct str){ s, strlen(s) };
}

struct str
str_n(const char *p, size_t n)
{
	return (struct str){ p, n };
}

bool
str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
str_ieq(struct str a, struct str b)
{
	return a.n == b.n && compare(a, b, true) == 0;
}

bool
str_eq_c(struct str a, const char *b)
{
	return str_eq(a, str_c(b));
}

bool
str_ieq_c(struct str a, const char *b)
{
	return str_ieq(a, str_c(b));
}

bool
str_istarts(struct str s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.n >= n && str_ieq(str_n(s.p, n), str_n(prefix, n));
}

bool
str_iends(struct str s, const char *suffix)
{
	size_t n = strlen(suffix);

	if (n == 0)
		return true;
	return s.n >= n && str_ieq(str_n(s.p + s.n - n, n), str_n(suffix, n));
}

int
str_cmp(struct str a, struct str b)
{
	return compare(a, b, false);
}

int
str_icmp(struct str a, struct str b)
{
	return compare(a, b, true);
}

struct str
str_trim(struct str s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

size_t
str_find(struct str s, char c)
{
	const char *at;

	if (s.n == 0)
		return 0;
	at = memchr(s.p, c, s.n);
	return at == NULL ? s.n : (size_t)(at - s.p);
}

bool
str_split(struct str *rest, char sep, struct str *piece_r)
{
	size_t n;

	if (rest->n == 0)
		return false;
	n = str_find(*rest, sep);
	*piece_r = str_n(rest->p, n);
	if (n < rest->n)
		n++;
	rest->p += n;
	rest->n -= n;
	return true;
}

bool
str_word(struct str *rest, struct str *word_r)
{
	struct str s = str_trim(*rest);
	size_t n = 0;

	if (s.n == 0) {
		*rest = s;
		return false;
	}
	while (n < s.n && s.p[n] != ' ' && s.p[n] != '\t')
		n++;
	*word_r = str_n(s.p, n);
	*rest = str_trim(str_n(s.p + n, s.n - n));
	return true;
}

bool
str_copy(char *dst, size_t n, struct str s)
{
	size_t len = s.n;

	if (n == 0)
		return false;
	if (len > n - 1)
		len = n - 1;
	if (len > 0)
		memcpy(dst, s.p, len);
	dst[len] = '\0';
	return len == s.n;
}

void
str_lower(char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		s[i] = ch_lower(s[i]);
}

unsigned
str_distance(struct str a, struct str b)
{
	unsigned row[3][64], cost;
	size_t i, j;

	if (a.n >= 64 || b.n >= 64)
		return 64;
	for (j = 0; j <= b.n; j++)
		row[0][j] = (unsigned)j;
	for (i = 1; i <= a.n; i++) {
		unsigned *now = row[i % 3], *last = row[(i + 2) % 3];

		now[0] = (unsigned)i;
		for (j = 1; j <= b.n; j++) {
			cost = ch_lower(a.p[i - 1]) != ch_lower(b.p[j - 1]);
			now[j] = last[j - 1] + cost;
			if (last[j] + 1 < now[j])
				now[j] = last[j] + 1;
			if (now[j - 1] + 1 < now[j])
				now[j] = now[j - 1] + 1;
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
			    a.p[i - 2] == b.p[j - 1] &&
			    row[(i + 1) % 3][j - 2] + 1 < now[j])
				now[j] = row[(i + 1) % 3][j - 2] + 1;
		}
	}
	return row[a.n % 3][b.n];
}

bool
ch_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool
ch_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool
ch_alnum(char c)
{
	return ch_alpha(c) || ch_digit(c);
}

bool
ch_print(char c)
{
	return c >= 0x20 && c <= 0x7e;
}

char
ch_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int
compare(struct str a, struct str b, bool fold)
{
	size_t i, n = a.n < b.n ? a.n : b.n;
	unsigned char x, y;

	for (i = 0; i < n; i++) {
		x = (unsigned char)(fold ? ch_lower(a.p[i]) : a.p[i]);
		y = (unsigned char)(fold ? ch_lower(b.p[i]) : b.p[i]);
		if (x != y)
			return x < y ? -1 : 1;
	}
	return a.n == b.n ? 0 : a.n < b.n ? -1 : 1;
}
