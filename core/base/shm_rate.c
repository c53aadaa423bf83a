#include "base/shm.h"

#include <sched.h>
#include <time.h>

#include "base/shm_priv.h"

/*
 * A key has one slot, whose word is changed by compare-and-swap: nobody counts
 * in vain and nobody twice. It gets its slot under the bucket's lock, so that
 * no key has two. There the word is made RATE_BUSY before the key changes, and
 * nothing is counted in a busy one; who read the word before fails at the swap,
 * as the new word's window ends later. (Of a slot that is taken away while its
 * window lasts, which takes sixteen live keys in a bucket, it might end in the
 * same unit.)
 */
#define RATE_UNIT 64 /* milliseconds */
#define RATE_BUSY UINT64_MAX
#define SPINS 100
#define NAPS 500 /* of 0.1 ms: the master finds a dead worker sooner */

/* What is counted, in units of the clock. */
struct rate {
	uint64_t key, now, end;
	uint32_t by;
};

enum counted { COUNTED, COUNT_AGAIN, COUNT_BUSY };

static struct rates *rate_init(struct rate *, struct shm *, uint64_t, msec);
static bool patient(unsigned *);
static enum counted count(struct rates *, int, const struct rate *,
    uint32_t *);
static enum counted enter(struct rates *, unsigned, const struct rate *);
static unsigned choose(struct rates *, const struct rate *, uint64_t *);

uint32_t
shm_rate(struct shm *s, unsigned worker, uint64_t key, msec window)
{
	return shm_rate_by(s, worker, key, window, 1);
}

uint32_t
shm_rate_by(struct shm *s, unsigned worker, uint64_t key, msec window,
    uint32_t by)
{
	struct rate rate = { .by = by };
	enum counted how;
	unsigned tries = 0;
	struct rates *r = rate_init(&rate, s, key, window);
	uint32_t n = by;
	int i;

	for (;;) {
		i = shm_find(r->key, rate.key);
		if (i < 0 && by == 0)
			return 0;
		how = i >= 0 ? count(r, i, &rate, &n) :
		    enter(r, worker, &rate);
		if (how == COUNTED)
			return n;
		if (how == COUNT_BUSY && !patient(&tries))
			return by;
	}
}

/* Somebody is in the midst of it, or was stopped or died there. */
static bool
patient(unsigned *tries)
{
	struct timespec nap = { 0, 100000 };

	if (++*tries < SPINS)
		(void)sched_yield();
	else
		(void)nanosleep(&nap, NULL);
	return *tries < SPINS + NAPS;
}

msec
shm_rate_left(struct shm *s, uint64_t key, msec window)
{
	struct rate rate = { .by = 0 };
	struct rates *r = rate_init(&rate, s, key, window);
	uint64_t word;
	int i;

	i = shm_find(r->key, rate.key);
	word = i >= 0 ? r->word[i] : 0;
	if (word == RATE_BUSY || rate.now >= word >> 32)
		return 0;
	return (msec)((word >> 32) - rate.now) * RATE_UNIT;
}

/* The same key with another window is another counter. */
static struct rates *
rate_init(struct rate *rate, struct shm *s, uint64_t key, msec window)
{
	rate->now = (uint64_t)clock_now() / RATE_UNIT;
	rate->end = rate->now +
	    (uint64_t)(window + RATE_UNIT - 1) / RATE_UNIT;
	key ^= (uint64_t)window * 0x9e3779b97f4a7c15ULL;
	rate->key = key != 0 ? key : 1;
	return &s->map->rate[(rate->key ^ rate->key >> 32) % BUCKETS];
}

static enum counted
count(struct rates *r, int i, const struct rate *rate, uint32_t *n_r)
{
	uint64_t word = r->word[i], next;

	for (;;) {
		if (word == RATE_BUSY)
			return COUNT_BUSY;
		if (r->key[i] != rate->key)
			return COUNT_AGAIN;
		next = rate->now >= word >> 32 ? rate->end << 32 : word;
		if (rate->by > UINT32_MAX - (uint32_t)next)
			next |= UINT32_MAX;
		else
			next += rate->by;
		*n_r = (uint32_t)next;
		if (rate->by == 0 ||
		    atomic_compare_exchange_weak(&r->word[i], &word, next))
			return COUNTED;
	}
}

/* Gives the key a slot with these events as its first. */
static enum counted
enter(struct rates *r, unsigned worker, const struct rate *rate)
{
	uint64_t word;
	unsigned i;

	if (!shm_lock(&r->lock, worker))
		return COUNT_BUSY;
	if (shm_find(r->key, rate->key) >= 0) {
		r->lock = 0;
		return COUNT_AGAIN;
	}
	do
		i = choose(r, rate, &word);
	while (!atomic_compare_exchange_weak(&r->word[i], &word, RATE_BUSY));
	r->key[i] = rate->key;
	r->word[i] = rate->end << 32 | rate->by;
	r->lock = 0;
	return COUNTED;
}

/* An unused slot, else one whose window is over, else that with the fewest
 * events. */
static unsigned
choose(struct rates *r, const struct rate *rate, uint64_t *word_r)
{
	unsigned i, best = 0;
	uint64_t word;

	*word_r = r->word[0];
	for (i = 0; i < WAYS; i++) {
		word = r->word[i];
		if (r->key[i] == 0 || rate->now >= word >> 32) {
			*word_r = word;
			return i;
		}
		if ((uint32_t)word < (uint32_t)*word_r) {
			best = i;
			*word_r = word;
		}
	}
	return best;
}

void
shm_rate_gone(struct shm *s, unsigned worker)
{
	uint32_t held;
	struct rates *r;
	unsigned i, k;

	for (i = 0; i < BUCKETS; i++) {
		r = &s->map->rate[i];
		held = worker + 1;
		if (r->lock != held)
			continue;
		for (k = 0; k < WAYS; k++) {
			if (r->word[k] != RATE_BUSY)
				continue;
			r->key[k] = 0;
			r->word[k] = 0;
		}
		(void)atomic_compare_exchange_strong(&r->lock, &held, 0);
	}
}
