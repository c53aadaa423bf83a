/*
 * When an alert that comes again and again is told.
 *
 * The first is told at once. Those that follow are gathered and told together:
 * after `first`, then with pauses that double, at times t' = 2t + first counted
 * from the first one, but not later than the next multiple of `most` (0: there
 * is no such bound). first 0: each is told at once. What was quiet for as long
 * as its last pause, or `most`, begins anew.
 */
#ifndef COMMON_THROTTLE_H
#define COMMON_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

struct throttle {
	int64_t start;	   /* of the first; milliseconds, as all here */
	int64_t t;	   /* of the next occasion, from start */
	uint64_t gathered; /* since the last occasion */
	bool begun;
};

/* The occasion behind the one at t. */
int64_t throttle_next(int64_t t, int64_t first, int64_t most);
/* One came: is it to be told now? Otherwise it was gathered; see
 * throttle_wait(). */
bool throttle_came(struct throttle *th, int64_t now, int64_t first,
    int64_t most);
/* Until the next occasion; -1: it was quiet for so long that it is over. */
int64_t throttle_wait(const struct throttle *th, int64_t now, int64_t most);
/* The occasion is there: how many are to be told of. */
uint64_t throttle_due(struct throttle *th, int64_t now, int64_t first,
    int64_t most);

#endif
