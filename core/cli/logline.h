/*
 * A line of the mail log: its ids, and whether it tells of what is wanted.
 *
 * Ids are only read where the grammar has them, in front of anything that a
 * stranger wrote.
 */
#ifndef CLI_LOGLINE_H
#define CLI_LOGLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/str.h"

struct logline {
	struct str whole, time, level, text;
	uint64_t icid, mid, dcid; /* 0: none */
	uint64_t bounce_of;	  /* "mid was generated for bounce of …" */
	struct str rest;	  /* behind the ids */
};

/* What to look for; strings NULL, times 0: anything. */
struct logline_want {
	uint64_t mid; /* UINT64_MAX: any */
	const char *from, *to, *message_id;
	time_t since, until;
};

bool logline_parse(struct logline *l, struct str line);
/* Does this line make its message one that is wanted? */
bool logline_matches(const struct logline *l, const struct logline_want *w);

/* A set of ids; or, filled by push, a list. */
struct logline_ids {
	uint64_t *v;
	size_t n, cap;
};

void logline_ids_fini(struct logline_ids *s);
void logline_ids_add(struct logline_ids *s, uint64_t id);
bool logline_ids_has(const struct logline_ids *s, uint64_t id);
void logline_ids_push(struct logline_ids *s, uint64_t id);

#endif
