/*
 * Metrics by name. A row is taken by setting its key, the hash of name, labels
 * and kind: from then on its number is known to all. Everybody who finds a row
 * that is not ready writes the same words into it, so that nobody waits for
 * one that died half-way. Rows are never given back.
 */
#include "base/shm.h"

#include <string.h>

#include "base/die.h"
#include "base/shm_priv.h"

#define KINDS 3U /* bits of a key */

enum cell { CELL_VALUE, CELL_SUM, CELL_BUCKET };

_Static_assert(SHM_HISTOGRAM < KINDS, "a key holds the kind plus one");
_Static_assert(CELL_BUCKET + SHM_NBOUNDS + 1 <= NAMED_CELLS, "cells");

static int	find(struct map *, uint64_t);
static void	words(struct named *, const char *, const char *, const char *);
static void	put(_Atomic char *, const char *, size_t);
static void	take(char *, _Atomic char *, size_t);
static _Atomic int64_t *cells(struct shm *, unsigned, unsigned);
static void	cell_add(_Atomic int64_t *, int64_t);
static void	buckets(struct shm *, unsigned, struct shm_named *);

static const double bounds[SHM_NBOUNDS] = SHM_BOUNDS;

int
shm_named_get(struct shm *s, enum shm_named_kind kind, const char *name,
    const char *labels, const char *help)
{
	char text[sizeof(((struct shm_named *)0)->name) +
	    sizeof(((struct shm_named *)0)->labels)];
	size_t n = strlen(name), l = strlen(labels);
	struct named *row;
	uint64_t key;
	int i;

	if (n == 0 || n >= sizeof(row->name) || l >= sizeof(row->labels))
		return -1;
	memcpy(text, name, n + 1);
	memcpy(text + n + 1, labels, l + 1);
	key = hash_stable(text, n + l + 2) & ~(uint64_t)KINDS;
	key |= (uint64_t)kind + 1;
	i = find(s->map, key);
	if (i < 0)
		return -1;
	row = &s->map->named[i];
	if (atomic_load_explicit(&row->ready, memory_order_acquire) == 0)
		words(row, name, labels, help);
	return i;
}

/* The row of key, taken for it if it is new; -1: full, or of another kind. */
static int
find(struct map *map, uint64_t key)
{
	uint64_t there;
	unsigned i;

	for (i = 0; i < SHM_NAMED; i++) {
		there = atomic_load_explicit(&map->named_key[i],
		    memory_order_acquire);
		if (there == 0 && atomic_compare_exchange_strong(
		    &map->named_key[i], &there, key))
			return (int)i;
		if (there == key)
			return (int)i;
		if ((there | KINDS) == (key | KINDS))
			return -1;
	}
	return -1;
}

static void
words(struct named *row, const char *name, const char *labels,
    const char *help)
{
	put(row->name, name, sizeof(row->name));
	put(row->labels, labels, sizeof(row->labels));
	put(row->help, help, sizeof(row->help));
	atomic_store_explicit(&row->ready, 1, memory_order_release);
}

static void
put(_Atomic char *dst, const char *src, size_t n)
{
	size_t i;

	/* The last octet stays 0, whoever else is writing. */
	for (i = 0; i + 1 < n && src[i] != '\0'; i++)
		atomic_store_explicit(&dst[i], src[i], memory_order_relaxed);
}

static void
take(char *dst, _Atomic char *src, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		dst[i] = atomic_load_explicit(&src[i], memory_order_relaxed);
}

static _Atomic int64_t *
cells(struct shm *s, unsigned id, unsigned worker)
{
	ASSERT(id < SHM_NAMED && worker < s->workers);
	return s->named + ((size_t)id * s->workers + worker) * NAMED_CELLS;
}

/* One writer per cell, as in shm_metric_add(). */
static void
cell_add(_Atomic int64_t *cell, int64_t n)
{
	atomic_store_explicit(cell,
	    atomic_load_explicit(cell, memory_order_relaxed) + n,
	    memory_order_relaxed);
}

void
shm_named_add(struct shm *s, unsigned worker, int id, int64_t n)
{
	if (id >= 0)
		cell_add(cells(s, (unsigned)id, worker) + CELL_VALUE, n);
}

void
shm_named_set(struct shm *s, unsigned worker, int id, int64_t n)
{
	if (id >= 0)
		atomic_store_explicit(
		    cells(s, (unsigned)id, worker) + CELL_VALUE, n,
		    memory_order_relaxed);
}

void
shm_named_see(struct shm *s, unsigned worker, int id, double ms)
{
	shm_named_see_many(s, worker, id, 1, ms);
}

void
shm_named_see_many(struct shm *s, unsigned worker, int id, uint64_t n,
    double ms)
{
	_Atomic int64_t *c;
	unsigned i = 0;

	if (id < 0 || n == 0)
		return;
	c = cells(s, (unsigned)id, worker);
	while (i < SHM_NBOUNDS && ms / (double)n > bounds[i])
		i++;
	cell_add(c + CELL_SUM, (int64_t)(ms * 1e6));
	cell_add(c + CELL_BUCKET + i, (int64_t)n);
}

bool
shm_named_at(struct shm *s, unsigned i, struct shm_named *r)
{
	uint64_t key;
	struct named *row;
	unsigned w;

	if (i >= SHM_NAMED)
		return false;
	key = atomic_load_explicit(&s->map->named_key[i],
	    memory_order_acquire);
	if (key == 0)
		return false;
	memset(r, 0, sizeof(*r));
	r->kind = (enum shm_named_kind)((key & KINDS) - 1);
	row = &s->map->named[i];
	if (atomic_load_explicit(&row->ready, memory_order_acquire) == 0)
		return true;
	take(r->name, row->name, sizeof(r->name));
	take(r->labels, row->labels, sizeof(r->labels));
	take(r->help, row->help, sizeof(r->help));
	if (r->kind == SHM_HISTOGRAM) {
		buckets(s, i, r);
		return true;
	}
	for (w = 0; w < s->workers; w++)
		r->value += atomic_load_explicit(
		    cells(s, i, w) + CELL_VALUE, memory_order_relaxed);
	return true;
}

/* The number of observations is that of the buckets, so that they never
 * contradict each other. */
static void
buckets(struct shm *s, unsigned id, struct shm_named *r)
{
	_Atomic int64_t *c;
	unsigned w, i;

	for (w = 0; w < s->workers; w++) {
		uint64_t below = 0;

		c = cells(s, id, w);
		r->sum += (double)atomic_load_explicit(c + CELL_SUM,
		    memory_order_relaxed) / 1e6;
		for (i = 0; i <= SHM_NBOUNDS; i++) {
			below += (uint64_t)atomic_load_explicit(
			    c + CELL_BUCKET + i, memory_order_relaxed);
			if (i < SHM_NBOUNDS)
				r->bucket[i] += below;
		}
		r->value += (int64_t)below;
	}
}

void
shm_named_gone(struct shm *s, unsigned worker)
{
	unsigned i;
	uint64_t key;

	for (i = 0; i < SHM_NAMED; i++) {
		key = atomic_load_explicit(&s->map->named_key[i],
		    memory_order_acquire);
		if (key == 0)
			return;
		if ((key & KINDS) == SHM_GAUGE + 1)
			shm_named_set(s, worker, (int)i, 0);
	}
}
