/*
 * Numbers in text: whole strings only, ranges checked, no locale.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"

/* Digits only (a '-' for num_int); -1 if anything else or out of range. */
int num_u64(struct str s, uint64_t max, uint64_t *n_r);
int num_int(struct str s, int64_t min, int64_t max, int64_t *n_r);
/* "90", "60s", "5m", "1h", "3d", "1h30m", "250ms"; a bare number: seconds. */
int num_duration(struct str s, msec *ms_r);
/* "150000000", "10k", "64M", "2G" (powers of 1024). */
int num_size(struct str s, uint64_t *bytes_r);

/* Longest forms fit 32 bytes; they return dst. */
char *num_fmt_duration(char *dst, size_t n, msec ms); /* "1h30m" */
char *num_fmt_size(char *dst, size_t n, uint64_t bytes); /* "64M" */

#endif
