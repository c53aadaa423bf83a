#include "base/shm.h"

#include "base/die.h"
#include "base/shm_priv.h"
#include "base/str.h"

uint64_t
shm_id_next(struct shm *s, enum shm_id id)
{
	return atomic_fetch_add(&s->map->id_next[id], 1);
}

void
shm_id_set(struct shm *s, enum shm_id id, uint64_t next, uint64_t limit)
{
	s->map->id_next[id] = next;
	s->map->id_limit[id] = limit;
}

void
shm_id_raise(struct shm *s, enum shm_id id, uint64_t next)
{
	uint64_t old = s->map->id_next[id];

	while (old < next && !atomic_compare_exchange_weak(
	    &s->map->id_next[id], &old, next))
		;
}

void
shm_id_extend(struct shm *s, enum shm_id id, uint64_t limit)
{
	uint64_t old = s->map->id_limit[id];

	while (old < limit && !atomic_compare_exchange_weak(
	    &s->map->id_limit[id], &old, limit))
		;
}

uint64_t
shm_id_peek(struct shm *s, enum shm_id id)
{
	return s->map->id_next[id];
}

uint64_t
shm_id_limit(struct shm *s, enum shm_id id)
{
	return s->map->id_limit[id];
}

/* One writer per cell, so that no locked instruction is needed. */
void
shm_metric_add(struct shm *s, unsigned worker, unsigned metric, int64_t n)
{
	_Atomic int64_t *cell;

	ASSERT(metric < M_COUNT && worker < s->workers);
	cell = &s->map->metric[metric][worker];
	atomic_store_explicit(cell,
	    atomic_load_explicit(cell, memory_order_relaxed) + n,
	    memory_order_relaxed);
}

void
shm_metric_set(struct shm *s, unsigned worker, unsigned metric, int64_t n)
{
	ASSERT(metric < M_COUNT && worker < s->workers);
	atomic_store_explicit(&s->map->metric[metric][worker], n,
	    memory_order_relaxed);
}

int64_t
shm_metric_sum(struct shm *s, unsigned metric)
{
	int64_t sum = 0;
	unsigned i;

	ASSERT(metric < M_COUNT);
	for (i = 0; i < s->workers; i++)
		sum += atomic_load_explicit(&s->map->metric[metric][i],
		    memory_order_relaxed);
	return sum;
}

const char *
shm_metric_name(unsigned metric, char *dst, size_t n)
{
	static const char *const names[] = {
#define METRIC(id, name, kind, help) name,
#include "tbl/metrics.h"
#undef METRIC
	};
	char *p;

	ASSERT(metric < M_COUNT);
	(void)str_copy(dst, n, str_c(names[metric]));
	for (p = dst; *p != '\0'; p++)
		if (*p == '-')
			*p = '_';
	return dst;
}

void
shm_beat(struct shm *s, unsigned worker, msec now)
{
	ASSERT(worker < s->workers);
	s->map->beat[worker] = now;
}

msec
shm_beat_last(struct shm *s, unsigned worker)
{
	ASSERT(worker < s->workers);
	return s->map->beat[worker];
}

int
shm_find(_Atomic uint64_t *keys, uint64_t key)
{
	unsigned i;

	for (i = 0; i < WAYS; i++) {
		if (atomic_load_explicit(&keys[i], memory_order_acquire) ==
		    key)
			return (int)i;
	}
	return -1;
}
