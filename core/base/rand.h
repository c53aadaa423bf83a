/*
 * Random numbers: getrandom(2) behind a buffer; a test may seed them.
 */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *p, size_t n);
uint32_t rand_u32(void);
uint64_t rand_u64(void);
uint32_t rand_below(uint32_t n); /* 0 to n-1, unbiased; n > 0 */
/* From here on the numbers are a fixed sequence (tests only). */
void rand_seed(uint64_t seed);
/* Call in the child after fork(): drops what the parent had buffered. */
void rand_forked(void);

#endif
