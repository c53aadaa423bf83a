/*
 * The shared memory as its parts see it: shm.c counts shares, shm_rate.c events
 * in a window, shm_cells.c has what is one cell each, shm_named.c metrics by
 * name.
 */
#ifndef BASE_SHM_PRIV_H
#define BASE_SHM_PRIV_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/coll.h"
#include "base/shm.h"

#define SHM_MAGIC 0x73686d21U
#define WAYS 16U
#define BUCKETS 4096U

struct bucket {
	_Atomic uint64_t key[WAYS];  /* 0: never used */
	_Atomic uint64_t word[WAYS]; /* version << 32 | total */
	_Atomic uint32_t lock;	     /* 0, or worker + 1 */
	_Atomic uint32_t share[];    /* [slot * workers + worker] */
};

/* word: end of the window in units << 32 | events, or RATE_BUSY */
struct rates {
	_Atomic uint64_t key[WAYS];
	_Atomic uint64_t word[WAYS];
	_Atomic uint32_t lock; /* 0, or worker + 1 */
};

/* As struct shm_named has them; ready once they are there. */
struct named {
	_Atomic uint32_t ready;
	_Atomic char name[sizeof(((struct shm_named *)0)->name)];
	_Atomic char labels[sizeof(((struct shm_named *)0)->labels)];
	_Atomic char help[sizeof(((struct shm_named *)0)->help)];
};
#define NAMED_CELLS 16U /* of a worker: two lines of the cache */

struct map {
	_Atomic uint64_t id_next[SHM_IDS], id_limit[SHM_IDS];
	_Atomic int64_t beat[SHM_MAX_WORKERS];
	_Atomic uint64_t intent[SHM_MAX_WORKERS];
	_Atomic int64_t metric[M_COUNT][SHM_MAX_WORKERS];
	struct rates rate[BUCKETS];
	_Atomic uint64_t named_key[SHM_NAMED]; /* 0: the end */
	struct named named[SHM_NAMED];
	/* plugins on trial */
	_Atomic uint64_t tick0, nsec0; /* two clocks read at once */
	struct shm_flight flight[SHM_MAX_WORKERS][SHM_FLIGHTS];
	_Atomic uint64_t plugin_key[SHM_PLUGINS]; /* 0: the end */
	_Atomic char plugin[SHM_PLUGINS][SHM_PLUGIN_NAME];
	_Atomic uint64_t tripped[SHM_PLUGINS], trips;
	_Atomic uint64_t suspect[SHM_SUSPECTS];
	_Atomic int32_t suspect_plugin[SHM_SUSPECTS];
	_Atomic uint32_t suspects; /* that were put in */
};

/* This process's view; the local counts are what the tables cannot hold. */
struct shm {
	unsigned magic;
	unsigned workers;
	struct map *map;
	char *tables;
	_Atomic int64_t *named; /* [(row * workers + worker) * NAMED_CELLS] */
	size_t bytes, bucket_bytes;
	struct hash local[SHM_KINDS];
};

/* The slot of key among WAYS of them, or -1. */
int shm_find(_Atomic uint64_t *keys, uint64_t key);
/* Held for a hundred nanoseconds. False: its holder was stopped or died there,
 * which nobody waits for. */
bool shm_lock(_Atomic uint32_t *lock, unsigned worker);
/* Ends what a dead worker had begun. */
void shm_rate_gone(struct shm *s, unsigned worker);
void shm_plugin_init(struct shm *s);
void shm_plugin_gone(struct shm *s, unsigned worker);
/* A dead worker's gauges are nothing. */
void shm_named_gone(struct shm *s, unsigned worker);

#endif
