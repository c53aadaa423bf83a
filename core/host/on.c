/*
 * What plugins may have functions for, by name: hooks (tbl/hooks.h),
 * operations (tbl/ops.h), start and stop.
 */
#include "host/host_priv.h"

static const struct {
	const char *word;
	bool waits;
} table[ON_COUNT] = {
#define HOOK(id, word, verdicts, help) [ON_##id] = { word, true },
#include "tbl/hooks.h"
#undef HOOK
#define OP(id, word, wait, help) [ON_##id] = { word, wait },
#include "tbl/ops.h"
#undef OP
	[ON_START] = { PST_ON_START, true },
	[ON_STOP] = { PST_ON_STOP, false },
};

const char *
on_word(enum on on)
{
	ASSERT((unsigned)on < ON_COUNT);
	return table[on].word;
}

const char *
host_where(unsigned where)
{
	static const char *const others[] = { [WHERE_TASK - ON_COUNT] = "task",
		[WHERE_CLEANUP - ON_COUNT] = "clean-up",
		[WHERE_THREAD - ON_COUNT] = "offload" };

	if (where < ON_COUNT)
		return table[where].word;
	return where <= WHERE_THREAD ? others[where - ON_COUNT] : "";
}

bool
on_waits(enum on on)
{
	ASSERT((unsigned)on < ON_COUNT);
	return table[on].waits;
}

/* Callers ask with the same few literals, for each line of the log: where one
 * was found last time, by its address, it is looked for first. */
int
on_find(const char *word)
{
	static unsigned char seen[64];
	unsigned char *at = &seen[((uintptr_t)word ^ (uintptr_t)word >> 6) %
	    sizeof(seen)];
	int i;

	if (strcmp(table[*at].word, word) == 0)
		return *at;
	for (i = 0; i < ON_COUNT; i++) {
		if (strcmp(table[i].word, word) == 0) {
			*at = (unsigned char)i;
			return i;
		}
	}
	return -1;
}

const char *
on_nearest(const char *word)
{
	unsigned d, least = (unsigned)(strlen(word) / 3 + 2);
	const char *best = NULL;
	size_t i;

	for (i = 0; i < ON_COUNT; i++) {
		d = str_distance(str_c(word), str_c(table[i].word));
		if (d < least) {
			least = d;
			best = table[i].word;
		}
	}
	return best;
}
