#define _GNU_SOURCE 1 /* memmem() */

#include "glob.h"

#include <string.h>

/* A part of the pattern without * fits here. */
static bool
part_fits(const char *p, size_t n, const char *s)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (p[i] != '?' && p[i] != s[i])
			return false;
	}
	return true;
}

/* The first place where it does, or NULL. */
static const char *
part_find(const char *p, size_t np, const char *s, size_t n)
{
	const char *last;

	if (np > n)
		return NULL;
	if (memchr(p, '?', np) == NULL)
		return np == 0 ? s : memmem(s, n, p, np);
	for (last = s + (n - np); s <= last; s++) {
		if (part_fits(p, np, s))
			return s;
	}
	return NULL;
}

/*
 * The first part stands at the begin, the last at the end, and each between
 * them at the first place behind the one before: no other place does better.
 */
bool
glob_match(const char *pattern, size_t np, const char *text, size_t n)
{
	const char *end = pattern + np, *star = memchr(pattern, '*', np);
	size_t part;

	if (star == NULL)
		return np == n && part_fits(pattern, np, text);
	part = (size_t)(star - pattern);
	if (part > n || !part_fits(pattern, part, text))
		return false;
	text += part;
	n -= part;
	for (;;) {
		const char *at;

		pattern = star + 1;
		star = memchr(pattern, '*', (size_t)(end - pattern));
		if (star == NULL)
			break;
		part = (size_t)(star - pattern);
		at = part_find(pattern, part, text, n);
		if (at == NULL)
			return false;
		n -= (size_t)(at - text) + part;
		text = at + part;
	}
	part = (size_t)(end - pattern);
	return part <= n && part_fits(pattern, part, text + (n - part));
}
