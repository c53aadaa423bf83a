#include "store/sum.h"

#include <string.h>

#define BLOCK 32
#define K1    0x9fb21c651e98df25U
#define K2    0xd6e8feb86659fd93U

/* Every step can be undone, so one changed word always changes the sum. */
static inline uint64_t
mix(uint64_t lane, uint64_t word)
{
	lane = (lane ^ word) * K1;
	return lane << 29 | lane >> 35;
}

static void
block(struct sum *s, const unsigned char *p)
{
	uint64_t word[4];
	unsigned i;

	memcpy(word, p, sizeof(word));
	for (i = 0; i < 4; i++)
		s->lane[i] = mix(s->lane[i], word[i]);
}

void
sum_init(struct sum *s)
{
	memset(s, 0, sizeof(*s));
	s->lane[1] = K1;
	s->lane[2] = K2;
	s->lane[3] = K1 ^ K2;
}

void
sum_add(struct sum *s, const void *from, size_t n)
{
	const unsigned char *p = from;
	size_t some;

	s->total += n;
	if (s->ntail > 0) {
		some = BLOCK - s->ntail < n ? BLOCK - s->ntail : n;
		memcpy(s->tail + s->ntail, p, some);
		s->ntail += (unsigned)some;
		p += some;
		n -= some;
		if (s->ntail < BLOCK)
			return;
		block(s, s->tail);
		s->ntail = 0;
	}
	for (; n >= BLOCK; p += BLOCK, n -= BLOCK)
		block(s, p);
	if (n > 0)
		memcpy(s->tail, p, n);
	s->ntail = (unsigned)n;
}

uint32_t
sum_end(const struct sum *s)
{
	struct sum last = *s;
	uint64_t h;
	unsigned i;

	if (last.ntail > 0) {
		memset(last.tail + last.ntail, 0, BLOCK - last.ntail);
		block(&last, last.tail);
	}
	h = last.total * K2;
	for (i = 0; i < 4; i++)
		h = mix(h, last.lane[i]);
	h = (h ^ h >> 32) * K2;
	return (uint32_t)(h >> 32);
}

uint32_t
sum_of(const void *p, size_t n)
{
	struct sum s;

	sum_init(&s);
	sum_add(&s, p, n);
	return sum_end(&s);
}
