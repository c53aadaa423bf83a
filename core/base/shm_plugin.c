/*
 * Plugins on trial: what the master must know of them when a worker ended, and
 * the workers of those that are not called any more.
 */
#include "base/shm.h"

#include <string.h>

#include "base/coll.h"
#include "base/die.h"
#include "base/shm_priv.h"

static void	wipe(struct shm_flight *);
static msec	age(struct shm *, uint64_t);

void
shm_plugin_init(struct shm *s)
{
	s->map->tick0 = clock_ticks();
	s->map->nsec0 = clock_nsec();
}

/* Who finds a row writes the same words into it: nobody waits for one that
 * died half-way. */
int
shm_plugin_get(struct shm *s, const char *instance)
{
	struct map *map = s->map;
	size_t n = strlen(instance), k;
	uint64_t key, there;
	int i;

	if (n >= SHM_PLUGIN_NAME)
		return -1;
	key = hash_stable(instance, n) | 1;
	for (i = 0; i < SHM_PLUGINS; i++) {
		there = map->plugin_key[i];
		if (there == 0)
			(void)atomic_compare_exchange_strong(
			    &map->plugin_key[i], &there, key);
		if (map->plugin_key[i] != key)
			continue;
		for (k = 0; k < n; k++)
			map->plugin[i][k] = instance[k];
		return i;
	}
	return -1;
}

const char *
shm_plugin_name(struct shm *s, int number, char *dst, size_t n)
{
	size_t i;

	ASSERT(number >= 0 && number < SHM_PLUGINS && n > 0);
	for (i = 0; i + 1 < n && i < SHM_PLUGIN_NAME; i++)
		dst[i] = s->map->plugin[number][i];
	dst[i] = '\0';
	return dst;
}

struct shm_flight *
shm_flight(struct shm *s, unsigned worker, unsigned thread)
{
	ASSERT(worker < s->workers && thread < SHM_FLIGHTS);
	return &s->map->flight[worker][thread];
}

bool
shm_busy(struct shm *s, unsigned worker, bool loop, struct shm_busy *r)
{
	struct shm_flight *f, *row;
	uint32_t who;
	uint64_t word;
	unsigned i;

	ASSERT(worker < s->workers);
	row = s->map->flight[worker];
	f = &row[0];
	for (i = 1; i < SHM_FLIGHTS && !loop && row[0].who == 0; i++)
		if (row[i].who != 0 && (f->who == 0 ||
			(int64_t)(row[i].since - f->since) > 0))
			f = &row[i];
	who = f->who;
	if (who == 0 || who >> 8 > SHM_PLUGINS)
		return false;
	r->number = (int)(who >> 8) - 1;
	r->where = who & 0xff;
	r->icid = f->icid;
	r->mid = f->mid;
	r->since = age(s, f->since);
	for (i = 0; i < SHM_PLACE / 8; i++) {
		word = f->place[i];
		memcpy(r->place + 8 * i, &word, 8);
	}
	r->place[SHM_PLACE - 1] = '\0';
	(void)shm_plugin_name(s, r->number, r->plugin, sizeof(r->plugin));
	return true;
}

const _Atomic uint64_t *
shm_plugin_tripped(struct shm *s, int number)
{
	ASSERT(number >= 0 && number < SHM_PLUGINS);
	return &s->map->tripped[number];
}

const _Atomic uint64_t *
shm_plugin_trips(struct shm *s)
{
	return &s->map->trips;
}

void
shm_plugin_trip(struct shm *s, int number, uint64_t tripped)
{
	ASSERT(number >= 0 && number < SHM_PLUGINS);
	s->map->tripped[number] = tripped;
	s->map->trips++;
}

void
shm_suspect_add(struct shm *s, uint64_t mid, int number)
{
	unsigned i = s->map->suspects % SHM_SUSPECTS;

	if (mid == 0 || shm_suspect(s, mid, NULL))
		return;
	s->map->suspect_plugin[i] = number;
	s->map->suspect[i] = mid;
	s->map->suspects++;
}

bool
shm_suspect(struct shm *s, uint64_t mid, int *number_r)
{
	unsigned i, n = s->map->suspects;

	for (i = 0; i < n && i < SHM_SUSPECTS; i++) {
		if (s->map->suspect[i] != mid)
			continue;
		if (number_r != NULL)
			*number_r = s->map->suspect_plugin[i];
		return true;
	}
	return false;
}

void
shm_suspect_done(struct shm *s, uint64_t mid)
{
	uint64_t there;
	unsigned i;

	for (i = 0; i < SHM_SUSPECTS; i++) {
		there = mid;
		(void)atomic_compare_exchange_strong(&s->map->suspect[i],
		    &there, 0);
	}
}

void
shm_plugin_gone(struct shm *s, unsigned worker)
{
	unsigned i;

	for (i = 0; i < SHM_FLIGHTS; i++)
		wipe(&s->map->flight[worker][i]);
}

static void
wipe(struct shm_flight *f)
{
	f->who = 0;
	f->icid = f->mid = f->since = f->place[0] = 0;
}

/* The counter's unit is found by how far it came since the start. */
static msec
age(struct shm *s, uint64_t since)
{
	uint64_t now = clock_ticks(), ticks = now - s->map->tick0;
	double ns = (double)(clock_nsec() - s->map->nsec0);

	if (ticks == 0 || (int64_t)(now - since) < 0)
		return 0;
	return (msec)((double)(now - since) * ns / (double)ticks / 1e6);
}
