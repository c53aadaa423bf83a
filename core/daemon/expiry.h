/*
 * When to speak of a certificate that ends: 90, 60, 30, 15, 5, 4, 3, 2 and 1
 * days before, on the day, and each day after; of one that is seen for the
 * first time at once, if it is that late.
 */
#ifndef DAEMON_EXPIRY_H
#define DAEMON_EXPIRY_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/coll.h"

struct expiry {
	struct hash seen;
};

void expiry_init(struct expiry *e);
void expiry_fini(struct expiry *e);
/* Whole days that are left, negative when it has ended: -1 within the first
 * day after. */
int64_t expiry_days(msec expires, msec now);
/* Is it time to speak of it? Once for each occasion. name: with use. */
bool expiry_due(struct expiry *e, const char *name, msec expires, msec now);

#endif
