/*
 * Bounce address tag validation (draft-levine-smtp-batv): senders go out as
 *
 *     prvs=KDDDSSSSSS=local@domain
 *
 * K is the number of a key of ours, DDD the day (modulo 1000) when the tag
 * expires, SSSSSS the beginning of an HMAC over both and the address. A report
 * that comes back to such an address is about a message of ours. Cases are no
 * difference: there are hosts that fold them.
 */
#ifndef RELAY_BATV_H
#define RELAY_BATV_H

#include <stdbool.h>

#include "base/clock.h"
#include "mail/addr.h"

#define BATV_DAYS 7 /* a tag is good for */

struct batv_key {
	char number; /* '0' to '9' */
	struct str secret;
};

/* The first signs, all are good for what comes back. */
struct batv {
	const struct batv_key *key;
	unsigned n;
};

/* Lines "DIGIT SECRET"; blank ones and those with # in front are skipped.
 * -1: "LINE: …". */
int batv_read(struct pool *pool, struct str text, struct batv *b_r,
    struct err *why);

/* false: it has none, or no room for a tag, or one already. In pool. */
bool batv_tag(const struct batv *b, const struct addr *a, msec now,
    struct pool *pool, struct addr *tagged_r);

enum batv_is { BATV_NONE, BATV_GOOD, BATV_BAD };

/* GOOD: *a is the address behind the tag. */
enum batv_is batv_untag(const struct batv *b, struct addr *a, msec now);

#endif
