/*
 * Patterns of Lua 5.4, matched under an account: each step is paid for, so that
 * one that backtracks for ever ends. Knows no Lua state.
 *
 * A mistake in a pattern is found when the match comes to it, as in Lua.
 */
#ifndef LUA_PATTERN_H
#define LUA_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_CAPTURES 32
#define PATTERN_DEPTH 200 /* items with a choice, captures */
#define PATTERN_STEPS 1024

enum { PATTERN_OPEN = -1, PATTERN_POSITION = -2, PATTERN_UNSET = -3 };

struct pattern {
	const char *subject, *end;
	const char *pattern, *pattern_end;
	unsigned captures, depth, steps;
	/* From captures on not set. len may be one of the above. */
	struct {
		const char *at;
		ptrdiff_t len;
	} capture[PATTERN_CAPTURES];
	/* Is told of each PATTERN_STEPS; need not return. */
	void (*pay)(void *arg, unsigned steps);
	void *arg;
	const char *error; /* static; with what %d stands for in it */
	int error_arg;
};

/* pay may be NULL. */
void pattern_init(struct pattern *m, const char *subject, size_t n,
    const char *pattern, size_t npattern);
/*
 * Matches at `at`, anchored there. The end of the match; NULL: none, or a
 * mistake (error is set). A leading ^ is the caller's.
 */
const char *pattern_match(struct pattern *m, const char *at);
/* It has none of the characters that mean something. */
bool pattern_plain(const char *pattern, size_t n);

#endif
