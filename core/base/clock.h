/*
 * Time: one place that reads it, so that tests can move it.
 *
 * clock_now(): milliseconds that only grow (CLOCK_MONOTONIC), for timers.
 * clock_wall(): milliseconds since 1970 UTC, for what is stored or shown.
 * The loop calls clock_update() once per round; in between both are cached.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t msec; /* milliseconds, a duration or a point in time */

#define SECONDS(n) ((msec)(n) * 1000)
#define MINUTES(n) ((msec)(n) * 60000)
#define HOURS(n) ((msec)(n) * 3600000)

msec clock_now(void);
msec clock_wall(void);
void clock_update(void);

/* From here on time stands still and moves only by clock_fake_advance(). */
void clock_fake(msec wall);
void clock_fake_advance(msec by);
bool clock_is_fake(void);

/* For stretches that are measured often: a counter of unknown unit that stands
 * still with the fake clock, and nanoseconds to find its unit with. */
uint64_t clock_ticks(void);
uint64_t clock_nsec(void);

/* "Tue Apr 17 00:57:53 2018": local time, English whatever the locale. */
void clock_asctime(char *dst, size_t n, msec wall);
/* "Tue, 17 Apr 2018 00:57:53 +0200" (RFC 5322 3.3). */
void clock_rfc5322(char *dst, size_t n, msec wall);
/* "2018-04-17T00:57:53.123Z" (RFC 3339, UTC). */
void clock_rfc3339(char *dst, size_t n, msec wall);
/* Seconds that local time is ahead of UTC. */
long clock_utc_offset(msec wall);

#endif
