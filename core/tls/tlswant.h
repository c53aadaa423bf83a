/*
 * TLS want: how a message must be protected on the wire (DESIGN.md 3).
 *
 * The levels sort by strength; several sources combine by maximum.
 */
#ifndef TLS_TLSWANT_H
#define TLS_TLSWANT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum tlswant_level {
	TLSWANT_NONE,
	TLSWANT_OPPORTUNISTIC,
	TLSWANT_PREFERRED,
	TLSWANT_PREFERRED_VERIFY,
	TLSWANT_REQUIRED,
	TLSWANT_REQUIRED_VERIFY
};

struct tlswant {
	enum tlswant_level level;
	const char *const *names; /* accepted in the certificate; NULL: the
				     next-hop domain */
};

bool tlswant_parse(struct str text, enum tlswant_level *level_r);
const char *tlswant_name(enum tlswant_level level);
/* Is clear text ever allowed under it? */
bool tlswant_clear_ok(enum tlswant_level level);
bool tlswant_verifies(enum tlswant_level level);
/* Equal wants share a connection; the key of pools and session caches. */
uint64_t tlswant_key(const struct tlswant *w, struct str domain);

#endif
