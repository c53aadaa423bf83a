#include "base/shm.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/coll.h"
#include "base/obj.h"
#include "base/shm_priv.h"

/*
 * How a counted key is kept. A table is an array of buckets, and a key can
 * only be in its own bucket: so a slot may be given to another key without
 * breaking a chain. With four slots for each promised key a bucket overflows
 * about once in ten million fillings.
 *
 * A slot has the key, a word (version and total) and a share per worker. Every
 * change of a word is one compare-and-swap that raises the version; that makes
 * limits exact. A slot whose total is 0 keeps its key until another key needs
 * the place. That is the only thing done under the bucket's lock, so that no
 * key gets two slots. Whoever does not get the lock counts the key per worker
 * for once.
 *
 * Always total >= sum of shares: taking raises the total first, giving back
 * lowers the share first. Whoever dies in between leaves the total one too
 * high, and shm_worker_gone() computes it anew from the shares. A worker that
 * is between the two says so in its `intent`.
 */
#define BUSY UINT32_MAX /* as a total: the slot changes its key */
#define SPINS 2000
#define PATIENCE 2000 /* naps of 0.1 ms, for all slots together */

struct local {
	struct hash_node node;
	uint64_t key;
	uint32_t count;
};

enum change { CHANGE_DONE, CHANGE_FULL, CHANGE_GONE };

static struct bucket *bucket_of(struct shm *s, enum shm_kind kind,
    uint64_t key);
static enum change change(struct bucket *b, int i, uint64_t key, int by,
    uint32_t limit);
static bool take(struct shm *s, struct bucket *b, int i, unsigned worker,
    uint64_t key, uint32_t limit, enum change *how);
static bool insert(struct shm *s, struct bucket *b, unsigned worker,
    uint64_t key, bool *again);
static struct local *local_find(struct shm *s, enum shm_kind kind,
    uint64_t key);
static bool local_acquire(struct shm *s, enum shm_kind kind, uint64_t key,
    uint32_t limit);
static void local_free(struct hash_node *node, void *arg);
static void forget(struct shm *s, struct bucket *b, unsigned worker,
    unsigned *patience);
static uint32_t sum_of(struct shm *s, struct bucket *b, unsigned i);
static void recompute(struct shm *s, struct bucket *b, unsigned i,
    unsigned worker, uint32_t mine, unsigned *patience);

struct shm *
shm_new(unsigned workers, struct err *why)
{
	size_t bucket, tables, bytes;
	struct shm *s;
	void *mem;
	int i;

	ASSERT(workers >= 1 && workers <= SHM_MAX_WORKERS);
	bucket = sizeof(struct bucket) +
	    WAYS * workers * sizeof(_Atomic uint32_t);
	bucket = (bucket + 63) & ~(size_t)63;
	tables = (sizeof(struct map) + 63) & ~(size_t)63;
	bytes = tables + SHM_KINDS * BUCKETS * bucket;
	bytes += SHM_NAMED * NAMED_CELLS * workers * sizeof(*s->named);
	mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem == MAP_FAILED) {
		(void)err_errno(why, "shared memory, %zu bytes", bytes);
		return NULL;
	}
	OBJ_NEW(s, SHM_MAGIC);
	s->workers = workers;
	s->map = mem;
	s->tables = (char *)mem + tables;
	s->named = (void *)(s->tables + SHM_KINDS * BUCKETS * bucket);
	s->bytes = bytes;
	s->bucket_bytes = bucket;
	shm_plugin_init(s);
	/* 0 means "none" in the mail log. */
	for (i = 0; i < SHM_IDS; i++)
		shm_id_set(s, (enum shm_id)i, 1, 1);
	return s;
}

void
shm_destroy(struct shm **sp)
{
	struct shm *s = *sp;
	int i;

	if (s == NULL)
		return;
	OBJ_CHECK(s, SHM_MAGIC);
	for (i = 0; i < SHM_KINDS; i++) {
		hash_each(&s->local[i], local_free, NULL);
		hash_fini(&s->local[i]);
	}
	(void)munmap(s->map, s->bytes);
	OBJ_FREE(s);
	*sp = NULL;
}

unsigned
shm_workers(const struct shm *s)
{
	return s->workers;
}

bool
shm_acquire(struct shm *s, enum shm_kind kind, unsigned worker, uint64_t key,
    uint32_t limit)
{
	struct bucket *b;
	enum change how = CHANGE_GONE;
	bool again = true;
	int i;

	ASSERT(worker < s->workers && kind < SHM_KINDS && limit < BUSY);
	if (limit == 0)
		return false;
	key = key != 0 ? key : 1;
	b = bucket_of(s, kind, key);
	while (again) {
		i = shm_find(b->key, key);
		if (i >= 0) {
			if (take(s, b, i, worker, key, limit, &how))
				return true;
			if (how == CHANGE_FULL)
				return false;
		} else if (insert(s, b, worker, key, &again)) {
			return true;
		}
	}
	return local_acquire(s, kind, key, limit);
}

void
shm_release(struct shm *s, enum shm_kind kind, unsigned worker, uint64_t key)
{
	_Atomic uint32_t *share;
	struct local *l;
	struct bucket *b;
	int i;

	ASSERT(worker < s->workers && kind < SHM_KINDS);
	key = key != 0 ? key : 1;
	l = local_find(s, kind, key);
	if (l != NULL) {
		if (--l->count == 0) {
			hash_remove(&s->local[kind], &l->node);
			mem_free(l);
		}
		return;
	}
	b = bucket_of(s, kind, key);
	i = shm_find(b->key, key);
	ASSERT(i >= 0);
	share = &b->share[(unsigned)i * s->workers + worker];
	ASSERT(*share > 0);
	s->map->intent[worker] = (uint64_t)(uintptr_t)&b->word[i];
	*share -= 1;
	if (change(b, i, key, -1, 0) != CHANGE_DONE)
		panic("share of a slot that changed its key");
	s->map->intent[worker] = 0;
}

uint32_t
shm_total(struct shm *s, enum shm_kind kind, uint64_t key)
{
	struct bucket *b;
	struct local *l;
	uint32_t total = 0;
	uint64_t word;
	int i;

	key = key != 0 ? key : 1;
	b = bucket_of(s, kind, key);
	i = shm_find(b->key, key);
	if (i >= 0) {
		word = b->word[i];
		if ((uint32_t)word != BUSY && b->key[i] == key)
			total = (uint32_t)word;
	}
	l = local_find(s, kind, key);
	return l != NULL ? total + l->count : total;
}

void
shm_worker_gone(struct shm *s, unsigned worker)
{
	unsigned m, patience = PATIENCE;
	size_t i;

	ASSERT(worker < s->workers);
	s->map->intent[worker] = 0;
	for (i = 0; i < SHM_KINDS * BUCKETS; i++)
		forget(s, (struct bucket *)(void *)(s->tables +
		    i * s->bucket_bytes), worker, &patience);
	s->map->beat[worker] = 0;
	/* Counters go on; what was open is closed now. */
	for (m = 0; m < M_COUNT; m++) {
		static const bool gauge[] = {
#define COUNTER false
#define GAUGE true
#define METRIC(id, name, kind, help) kind,
#include "tbl/metrics.h"
#undef METRIC
#undef COUNTER
#undef GAUGE
		};

		if (gauge[m])
			s->map->metric[m][worker] = 0;
	}
	shm_rate_gone(s, worker);
	shm_named_gone(s, worker);
	shm_plugin_gone(s, worker);
}

static struct bucket *
bucket_of(struct shm *s, enum shm_kind kind, uint64_t key)
{
	size_t at = (size_t)kind * BUCKETS + (key ^ key >> 32) % BUCKETS;

	return (struct bucket *)(void *)(s->tables + at * s->bucket_bytes);
}

/* The key is read between the word and its change: the version tells. */
static enum change
change(struct bucket *b, int i, uint64_t key, int by, uint32_t limit)
{
	uint64_t word = b->word[i], next;
	uint32_t total;

	for (;;) {
		total = (uint32_t)word;
		if (total == BUSY || b->key[i] != key)
			return CHANGE_GONE;
		if (by > 0 && total >= limit)
			return CHANGE_FULL;
		ASSERT(by > 0 || total > 0);
		next = ((word >> 32) + 1) << 32 |
		    (by > 0 ? total + 1 : total - 1);
		if (atomic_compare_exchange_weak(&b->word[i], &word, next))
			return CHANGE_DONE;
	}
}

static bool
take(struct shm *s, struct bucket *b, int i, unsigned worker, uint64_t key,
    uint32_t limit, enum change *how)
{
	s->map->intent[worker] = (uint64_t)(uintptr_t)&b->word[i];
	*how = change(b, i, key, 1, limit);
	if (*how == CHANGE_DONE)
		b->share[(unsigned)i * s->workers + worker] += 1;
	s->map->intent[worker] = 0;
	return *how == CHANGE_DONE;
}

/*
 * Gives the key a slot and takes the first share. False with *again: somebody
 * else did; false without: there is no room.
 */
static bool
insert(struct shm *s, struct bucket *b, unsigned worker, uint64_t key,
    bool *again)
{
	uint64_t word, version;
	bool done = false;
	unsigned i, pass;

	*again = false;
	if (!shm_lock(&b->lock, worker))
		return false;
	if (shm_find(b->key, key) >= 0)
		*again = true;
	/* Unused slots first, so that idle keys are remembered long. */
	for (pass = 0; pass < 2 && !*again && !done; pass++) {
		for (i = 0; i < WAYS && !done; i++) {
			word = b->word[i];
			version = (word >> 32) + 1;
			if ((uint32_t)word != 0 ||
			    (pass == 0 && b->key[i] != 0))
				continue;
			if (!atomic_compare_exchange_strong(&b->word[i],
			    &word, version << 32 | BUSY))
				continue;
			s->map->intent[worker] =
			    (uint64_t)(uintptr_t)&b->word[i];
			b->key[i] = key;
			b->word[i] = (version + 1) << 32 | 1;
			b->share[i * s->workers + worker] += 1;
			s->map->intent[worker] = 0;
			done = true;
		}
	}
	b->lock = 0;
	return done;
}

bool
shm_lock(_Atomic uint32_t *lock, unsigned worker)
{
	uint32_t expected;
	int i;

	for (i = 0; i < SPINS; i++) {
		expected = 0;
		if (atomic_compare_exchange_strong(lock, &expected,
		    worker + 1))
			return true;
		(void)sched_yield();
	}
	return false;
}

static struct local *
local_find(struct shm *s, enum shm_kind kind, uint64_t key)
{
	struct hash_node *node;

	for (node = hash_first(&s->local[kind], key); node != NULL;
	     node = hash_next(node)) {
		if (COLL_OF(node, struct local, node)->key == key)
			return COLL_OF(node, struct local, node);
	}
	return NULL;
}

static bool
local_acquire(struct shm *s, enum shm_kind kind, uint64_t key, uint32_t limit)
{
	struct local *l = local_find(s, kind, key);

	if (l == NULL) {
		l = mem_zalloc(sizeof(*l));
		l->key = key;
		hash_add(&s->local[kind], &l->node, key);
	}
	if (l->count >= limit)
		return false;
	l->count++;
	return true;
}

static void
local_free(struct hash_node *node, void *arg)
{
	(void)arg;
	mem_free(COLL_OF(node, struct local, node));
}

/*
 * Takes a dead worker out of a bucket. Any slot that does not add up is looked
 * at: its own half-done call, or what an earlier hurry left over.
 */
static void
forget(struct shm *s, struct bucket *b, unsigned worker, unsigned *patience)
{
	uint32_t held = worker + 1, mine;
	uint64_t word;
	unsigned i;

	for (i = 0; i < WAYS; i++) {
		word = b->word[i];
		if (b->lock == held && (uint32_t)word == BUSY) {
			b->key[i] = 0;
			b->word[i] = ((word >> 32) + 1) << 32;
		}
		if (b->key[i] == 0)
			continue;
		mine = atomic_exchange(&b->share[i * s->workers + worker], 0);
		if (mine != 0 || (uint32_t)word != sum_of(s, b, i))
			recompute(s, b, i, worker, mine, patience);
	}
	(void)atomic_compare_exchange_strong(&b->lock, &held, 0);
}

static uint32_t
sum_of(struct shm *s, struct bucket *b, unsigned i)
{
	uint32_t sum = 0;
	unsigned j;

	for (j = 0; j < s->workers; j++)
		sum += b->share[i * s->workers + j];
	return sum;
}

static bool
intended(struct shm *s, struct bucket *b, unsigned i, unsigned dead)
{
	unsigned j;

	for (j = 0; j < s->workers; j++) {
		if (j != dead && s->map->intent[j] ==
		    (uint64_t)(uintptr_t)&b->word[i])
			return true;
	}
	return false;
}

/*
 * total = sum of the shares, at a moment when nobody alive is between the two
 * changes of a call: intents before and after the sum, the version around it.
 * A worker that stands still there (no processor, a debugger) is waited for
 * only so long. Then just the dead one's shares are taken off; one may remain
 * too many until the next time.
 */
static void
recompute(struct shm *s, struct bucket *b, unsigned i, unsigned worker,
    uint32_t mine, unsigned *patience)
{
	struct timespec nap = { 0, 100000 };
	uint64_t word;
	uint32_t sum;
	bool busy;

	for (;;) {
		word = b->word[i];
		busy = intended(s, b, i, worker);
		sum = sum_of(s, b, i);
		busy = busy || intended(s, b, i, worker);
		/* Another key's now: it could have it as the total was 0. */
		if ((uint32_t)word == BUSY)
			return;
		if (busy && *patience > 0) {
			--*patience;
			(void)nanosleep(&nap, NULL);
			continue;
		}
		if (busy)
			sum = (uint32_t)word - mine;
		if (atomic_compare_exchange_strong(&b->word[i], &word,
		    ((word >> 32) + 1) << 32 | sum))
			return;
	}
}
