/*
 * A checksum that notices bodies that changed on the disk.
 *
 * Four 64-bit lanes of xor, multiply and rotate: a multiple of the speed of
 * CRC-32 in portable C. It guards against decay and mix-ups, not against an
 * enemy. Any cut of the input gives the same sum.
 */
#ifndef STORE_SUM_H
#define STORE_SUM_H

#include <stddef.h>
#include <stdint.h>

struct sum {
	uint64_t lane[4];
	uint64_t total;
	unsigned ntail;
	unsigned char tail[32];
};

void sum_init(struct sum *s);
void sum_add(struct sum *s, const void *p, size_t n);
uint32_t sum_end(const struct sum *s);
uint32_t sum_of(const void *p, size_t n);

#endif
