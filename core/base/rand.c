#include "base/rand.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

#include "base/die.h"

#define BUFFERED 256

/* A buffer per thread, so that offload jobs may ask as well. */
static _Thread_local char pending[BUFFERED];
static _Thread_local size_t left;

static bool seeded;
static uint64_t sequence;

static void fill(char *p, size_t n);

void
rand_bytes(void *p, size_t n)
{
	char *dst = p;
	uint64_t v;
	size_t m;

	if (seeded) {
		for (; n > 0; n -= m, dst += m) {
			m = n < sizeof(v) ? n : sizeof(v);
			v = rand_u64();
			memcpy(dst, &v, m);
		}
		return;
	}
	if (n > BUFFERED / 2) {
		fill(dst, n);
		return;
	}
	if (n > left) {
		fill(pending, BUFFERED);
		left = BUFFERED;
	}
	left -= n;
	memcpy(dst, pending + left, n);
	/* What was handed out is not kept. */
	memset(pending + left, 0, n);
}

uint32_t
rand_u32(void)
{
	return (uint32_t)(rand_u64() >> 32);
}

uint64_t
rand_u64(void)
{
	uint64_t v;

	if (!seeded) {
		rand_bytes(&v, sizeof(v));
		return v;
	}
	/* splitmix64: good enough to be varied, short enough to be fixed. */
	sequence += 0x9e3779b97f4a7c15ULL;
	v = sequence;
	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9ULL;
	v = (v ^ v >> 27) * 0x94d049bb133111ebULL;
	return v ^ v >> 31;
}

uint32_t
rand_below(uint32_t n)
{
	uint32_t v, reject;

	ASSERT(n > 0);
	/* 2^32 mod n: the values that would favour small results. */
	reject = (uint32_t)(0 - n) % n;
	do
		v = rand_u32();
	while (v < reject);
	return v % n;
}

void
rand_seed(uint64_t seed)
{
	seeded = true;
	sequence = seed;
}

void
rand_forked(void)
{
	memset(pending, 0, sizeof(pending));
	left = 0;
}

static void
fill(char *p, size_t n)
{
	ssize_t got;

	while (n > 0) {
		got = getrandom(p, n, 0);
		if (got < 0) {
			if (errno == EINTR)
				continue;
			fatal("getrandom: %s", strerrordesc_np(errno));
		}
		p += got;
		n -= (size_t)got;
	}
}
