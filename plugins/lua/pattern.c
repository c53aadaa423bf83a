#include "pattern.h"

#include <string.h>

static const char *match(struct pattern *, const char *, const char *);
static const char *match_items(struct pattern *, const char *, const char *);
static const char *
match_item(struct pattern *, const char **, const char *, const char *);
static const char *
match_most(struct pattern *, const char *, const char *, const char *);
static const char *
match_least(struct pattern *, const char *, const char *, const char *);
static const char *open_capture(struct pattern *, const char *, const char *);
static const char *close_capture(struct pattern *, const char *, const char *);
static const char *match_escape(struct pattern *, const char *, const char **);
static const char *match_balanced(struct pattern *, const char *, const char *);
static const char *
match_frontier(struct pattern *, const char *, const char **);
static const char *match_again(struct pattern *, const char *, int);
static const char *item_end(struct pattern *, const char *);
static bool fits(struct pattern *, const char *, const char *, const char *);
static bool in_set(struct pattern *, int, const char *, const char *);
static bool in_class(int, int);
static void *wrong(struct pattern *, const char *);

static void
step(struct pattern *m, unsigned n)
{
	m->steps += n;
	if (m->steps < PATTERN_STEPS)
		return;
	n = m->steps;
	m->steps = 0;
	if (m->pay != NULL)
		m->pay(m->arg, n);
}

void
pattern_init(struct pattern *m, const char *subject, size_t n,
    const char *pattern, size_t npattern)
{
	m->subject = subject;
	m->end = subject + n;
	m->pattern = pattern;
	m->pattern_end = pattern + npattern;
	m->captures = m->depth = m->steps = 0;
	m->pay = NULL;
	m->arg = NULL;
	m->error = NULL;
	m->error_arg = 0;
}

const char *
pattern_match(struct pattern *m, const char *at)
{
	m->captures = 0;
	m->depth = 0;
	return match(m, at, m->pattern);
}

bool
pattern_plain(const char *pattern, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (pattern[i] != '\0' &&
		    strchr("^$*+?.([%-", pattern[i]) != NULL)
			return false;
	}
	return true;
}

/* Each choice is a call, so that what was tried can be taken back. */
static const char *
match(struct pattern *m, const char *s, const char *p)
{
	const char *r;

	if (m->depth == PATTERN_DEPTH)
		return wrong(m, "pattern too complex");
	m->depth++;
	r = match_items(m, s, p);
	m->depth--;
	return r;
}

static const char *
match_items(struct pattern *m, const char *s, const char *p)
{
	const char *pend = m->pattern_end, *next, *r;

	while (p < pend) {
		step(m, 1);
		if (*p == '(')
			return open_capture(m, s, p + 1);
		if (*p == ')')
			return close_capture(m, s, p + 1);
		if (*p == '$' && p + 1 == pend)
			return s == m->end ? s : NULL;
		if (*p == '%' && p + 1 < pend &&
		    (p[1] == 'b' || p[1] == 'f' ||
			(p[1] >= '0' && p[1] <= '9'))) {
			s = match_escape(m, s, &p);
			if (s == NULL)
				return NULL;
			continue;
		}
		next = item_end(m, p);
		if (next == NULL)
			return NULL;
		r = match_item(m, &s, p, next);
		if (r != m->pattern)
			return r;
		p = next;
		if (p < pend && *p == '?')
			p++;
	}
	return s;
}

/*
 * One item with what follows it. m->pattern: go on behind it at *s; anything
 * else is the result.
 */
static const char *
match_item(struct pattern *m, const char **s, const char *p, const char *next)
{
	const char *r;

	switch (next < m->pattern_end ? *next : '\0') {
	case '*':
		return match_most(m, *s, p, next);
	case '+':
		if (!fits(m, *s, p, next))
			return NULL;
		return match_most(m, *s + 1, p, next);
	case '-':
		return match_least(m, *s, p, next);
	case '?':
		if (!fits(m, *s, p, next))
			return m->pattern;
		r = match(m, *s + 1, next + 1);
		return r != NULL || m->error != NULL ? r : m->pattern;
	default:
		if (!fits(m, *s, p, next))
			return NULL;
		(*s)++;
		return m->pattern;
	}
}

static const char *
match_most(struct pattern *m, const char *s, const char *p, const char *next)
{
	const char *at = s, *r;

	while (fits(m, at, p, next))
		at++;
	for (;; at--) {
		r = match(m, at, next + 1);
		if (r != NULL || m->error != NULL || at == s)
			return r;
	}
}

static const char *
match_least(struct pattern *m, const char *s, const char *p, const char *next)
{
	const char *r;

	for (;; s++) {
		r = match(m, s, next + 1);
		if (r != NULL || m->error != NULL)
			return r;
		if (!fits(m, s, p, next))
			return NULL;
	}
}

static const char *
open_capture(struct pattern *m, const char *s, const char *p)
{
	unsigned i = m->captures;
	const char *r;

	if (i == PATTERN_CAPTURES)
		return wrong(m, "too many captures");
	m->capture[i].at = s;
	m->capture[i].len = PATTERN_OPEN;
	if (p < m->pattern_end && *p == ')') {
		m->capture[i].len = PATTERN_POSITION;
		p++;
	}
	m->captures = i + 1;
	r = match(m, s, p);
	if (r == NULL)
		m->captures--;
	return r;
}

static const char *
close_capture(struct pattern *m, const char *s, const char *p)
{
	unsigned i = m->captures;
	const char *r;

	while (i > 0 && m->capture[i - 1].len != PATTERN_OPEN)
		i--;
	if (i == 0)
		return wrong(m, "invalid pattern capture");
	i--;
	m->capture[i].len = s - m->capture[i].at;
	r = match(m, s, p);
	if (r == NULL)
		m->capture[i].len = PATTERN_OPEN;
	return r;
}

/* %b, %f and %1: where the subject goes on, and the pattern. */
static const char *
match_escape(struct pattern *m, const char *s, const char **p)
{
	const char *at = *p + 2;

	switch (at[-1]) {
	case 'b':
		*p = at + 2;
		return match_balanced(m, s, at);
	case 'f':
		*p = at;
		return match_frontier(m, s, p);
	default:
		*p = at;
		return match_again(m, s, at[-1]);
	}
}

static const char *
match_balanced(struct pattern *m, const char *s, const char *p)
{
	size_t open = 1;

	if (m->pattern_end - p < 2)
		return wrong(
		    m, "malformed pattern (missing arguments to '%%b')");
	if (s == m->end || *s != p[0])
		return NULL;
	while (++s < m->end) {
		step(m, 1);
		if (*s == p[1]) {
			if (--open == 0)
				return s + 1;
		} else if (*s == p[0]) {
			open++;
		}
	}
	return NULL;
}

static const char *
match_frontier(struct pattern *m, const char *s, const char **p)
{
	const char *set = *p, *next;
	int before = s == m->subject ? 0 : (unsigned char)s[-1];
	int after = s == m->end ? 0 : (unsigned char)*s;

	if (set == m->pattern_end || *set != '[')
		return wrong(m, "missing '[' after '%%f' in pattern");
	next = item_end(m, set);
	if (next == NULL)
		return NULL;
	*p = next;
	if (in_set(m, before, set, next) || !in_set(m, after, set, next))
		return NULL;
	return s;
}

static const char *
match_again(struct pattern *m, const char *s, int digit)
{
	int i = digit - '1';
	ptrdiff_t n;

	m->error_arg = i + 1;
	if (i < 0 || (unsigned)i >= m->captures ||
	    m->capture[i].len == PATTERN_OPEN)
		return wrong(m, "invalid capture index %%%d");
	n = m->capture[i].len;
	if (n < 0 || m->end - s < n)
		return NULL;
	step(m, (unsigned)n / 16 + 1);
	return memcmp(m->capture[i].at, s, (size_t)n) == 0 ? s + n : NULL;
}

/* Behind a character, a class or a set. */
static const char *
item_end(struct pattern *m, const char *p)
{
	const char *pend = m->pattern_end, *begin = p;

	if (*p == '%') {
		if (p + 1 == pend)
			return wrong(m, "malformed pattern (ends with '%%')");
		return p + 2;
	}
	if (*p++ != '[')
		return p;
	if (p < pend && *p == '^')
		p++;
	do { /* a ] that comes first is one of them */
		if (p == pend)
			return wrong(m, "malformed pattern (missing ']')");
		if (*p++ == '%' && p < pend)
			p++;
	} while (p == pend || *p != ']');
	step(m, (unsigned)(p - begin) / 4);
	return p + 1;
}

/* The octet at s, if there is one, fits the item. */
static bool
fits(struct pattern *m, const char *s, const char *p, const char *next)
{
	step(m, 1);
	if (s == m->end)
		return false;
	switch (*p) {
	case '.':
		return true;
	case '%':
		return in_class((unsigned char)*s, (unsigned char)p[1]);
	case '[':
		return in_set(m, (unsigned char)*s, p, next);
	default:
		return *s == *p;
	}
}

/* From [ to behind ]. */
static bool
in_set(struct pattern *m, int c, const char *set, const char *next)
{
	const char *p = set + 1, *close = next - 1;
	bool found = false, none = *p == '^';

	if (none)
		p++;
	while (p < close && !found) {
		if (*p == '%') {
			found = in_class(c, (unsigned char)p[1]);
			p += 2;
		} else if (p + 2 < close && p[1] == '-') {
			found = (unsigned char)p[0] <= c &&
				c <= (unsigned char)p[2];
			p += 3;
		} else {
			found = (unsigned char)*p == c;
			p++;
		}
	}
	step(m, (unsigned)(p - set) / 4);
	return found != none;
}

/* As in the C locale, whatever the process has. */
static bool
in_class(int c, int class)
{
	int low = class | 0x20;
	bool lower = c >= 'a' && c <= 'z', upper = c >= 'A' && c <= 'Z';
	bool digit = c >= '0' && c <= '9', graph = c > 32 && c < 127, r;

	if (!(low >= 'a' && low <= 'z') || class > 'z')
		return c == class;
	switch (low) {
	case 'a':
		r = lower || upper;
		break;
	case 'c':
		r = c < 32 || c == 127;
		break;
	case 'd':
		r = digit;
		break;
	case 'g':
		r = graph;
		break;
	case 'l':
		r = lower;
		break;
	case 'p':
		r = graph && !lower && !upper && !digit;
		break;
	case 's':
		r = c == ' ' || (c >= '\t' && c <= '\r');
		break;
	case 'u':
		r = upper;
		break;
	case 'w':
		r = lower || upper || digit;
		break;
	case 'x':
		r = digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
		break;
	case 'z':
		r = c == 0;
		break;
	default:
		return c == class;
	}
	return r != (class != low);
}

static void *
wrong(struct pattern *m, const char *error)
{
	m->error = error;
	return NULL;
}
