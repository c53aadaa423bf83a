/*
 * A pattern and what it is matched against, between them a line end: whatever
 * they are, the match ends, its captures are in the subject, and a mistake is
 * told.
 */
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "glob.h"
#include "pattern.h"

#define STEPS_MAX 200000

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static jmp_buf too_many;

static void
pay(void *arg, unsigned steps)
{
	unsigned *left = arg;

	if (*left < steps)
		longjmp(too_many, 1);
	*left -= steps;
}

static void
check(const struct pattern *m, const char *from, const char *to)
{
	unsigned i;

	if (to < from || from < m->subject || to > m->end)
		abort();
	for (i = 0; i < m->captures; i++) {
		const char *at = m->capture[i].at;

		if (at < m->subject || at > m->end)
			abort();
		if (m->capture[i].len < PATTERN_POSITION ||
		    m->capture[i].len > m->end - at)
			abort();
	}
}

static void
match_all(struct pattern *m)
{
	const char *at, *to;

	for (at = m->subject; at <= m->end && m->error == NULL; at++) {
		to = pattern_match(m, at);
		if (to != NULL)
			check(m, at, to);
	}
}

static void
match_within(struct pattern *m)
{
	if (setjmp(too_many) == 0)
		match_all(m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint8_t *cut = n > 0 ? memchr(data, '\n', n) : NULL;
	size_t np = cut != NULL ? (size_t)(cut - data) : n;
	size_t ns = cut != NULL ? n - np - 1 : 0;
	unsigned left = STEPS_MAX;
	/* Copies of the exact size, so that a sanitizer sees a read past. */
	char *p = malloc(np + (np == 0)), *s = malloc(ns + (ns == 0));
	struct pattern m;

	if (p == NULL || s == NULL)
		abort();
	if (np > 0)
		memcpy(p, data, np);
	if (ns > 0)
		memcpy(s, cut + 1, ns);
	pattern_init(&m, s, ns, p, np);
	m.pay = pay;
	m.arg = &left;
	match_within(&m);
	if (np + ns < 4096)
		(void)glob_match(p, np, s, ns);
	free(p);
	free(s);
	return 0;
}
