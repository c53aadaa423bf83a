/*
 * The shared-memory segment of a node: what is counted across workers.
 *
 * Made by the master before it forks, mapped at the same address in every
 * worker. Nothing in it is a pointer, and every cell is an atomic. Shares are
 * kept in a column per worker, so that shm_worker_gone() can take a dead
 * worker's share out of the totals. Slot keys are stable 64-bit hashes.
 */
#ifndef BASE_SHM_H
#define BASE_SHM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"

#define SHM_MAX_WORKERS 64

/* Kinds of counted things: each has a table of its own. */
enum shm_kind {
	SHM_DEST,   /* connections to a destination */
	SHM_CLIENT, /* connections from a client address */
	SHM_KINDS
};

/* Identifiers that are never reused. */
enum shm_id { SHM_ICID, SHM_MID, SHM_DCID, SHM_IDS };

/* M_SESSIONS and so on. */
enum shm_metric {
#define METRIC(id, name, kind, help) M_##id,
#include "tbl/metrics.h"
#undef METRIC
	M_COUNT
};

struct shm;

/* Anonymous memory; the only kind of failure is a lack of it. */
struct shm *shm_new(unsigned workers, struct err *why);
void shm_destroy(struct shm **sp);
unsigned shm_workers(const struct shm *s);

/*
 * Takes one share of key for this worker unless the total is at limit
 * already (exact across workers); false: no share taken. A full table (16,384
 * live keys; some more usually fit) counts per worker only. shm_release() gives
 * one back.
 */
bool shm_acquire(struct shm *s, enum shm_kind kind, unsigned worker,
    uint64_t key, uint32_t limit);
void shm_release(struct shm *s, enum shm_kind kind, unsigned worker,
    uint64_t key);
uint32_t shm_total(struct shm *s, enum shm_kind kind, uint64_t key);
/*
 * Called by the master when a worker has ended, before it is replaced: takes
 * away everything it held, wherever in a call it was when it died. Until then
 * such a share may count once too often, never once too little.
 */
void shm_worker_gone(struct shm *s, unsigned worker);

/*
 * Events per window and key, for rates; returns the count incl. this one,
 * exact across workers. The window begins with the first event. Sixteen
 * thousand live keys have room; beyond, the key with the fewest events is
 * forgotten. What a dead worker counted stays counted.
 */
uint32_t shm_rate(struct shm *s, unsigned worker, uint64_t key, msec window);
/* The same for several events at once; 0: only looks. */
uint32_t shm_rate_by(struct shm *s, unsigned worker, uint64_t key, msec window,
    uint32_t by);
/* How long that window still is. */
msec shm_rate_left(struct shm *s, uint64_t key, msec window);

/* The next id; persistent blocks are arranged by base/ids. */
uint64_t shm_id_next(struct shm *s, enum shm_id id);
void shm_id_set(struct shm *s, enum shm_id id, uint64_t next, uint64_t limit);
void shm_id_raise(struct shm *s, enum shm_id id, uint64_t next);
void shm_id_extend(struct shm *s, enum shm_id id, uint64_t limit);
uint64_t shm_id_peek(struct shm *s, enum shm_id id);
uint64_t shm_id_limit(struct shm *s, enum shm_id id);

/* Metrics: one cell per metric of tbl/metrics.h and worker. */
void shm_metric_add(struct shm *s, unsigned worker, unsigned metric,
    int64_t n);
void shm_metric_set(struct shm *s, unsigned worker, unsigned metric,
    int64_t n);
int64_t shm_metric_sum(struct shm *s, unsigned metric);
/* Its name for people and monitoring; returns dst. */
const char *shm_metric_name(unsigned metric, char *dst, size_t n);

/*
 * Metrics whose names come at run time (plugins'): found or made by name and
 * labels ("plugin=\"rate\",hook=\"rcpt\"", or ""), up to 1,024 for a node; the
 * same in every worker. A histogram of milliseconds has the bounds below.
 */
enum shm_named_kind { SHM_COUNTER, SHM_GAUGE, SHM_HISTOGRAM };
#define SHM_NAMED 1024
#define SHM_BOUNDS { 0.1, 0.5, 1, 5, 10, 50, 100, 500, 1000, 5000, 30000 }
#define SHM_NBOUNDS 11

struct shm_named {
	char name[80];
	char labels[112];
	char help[96];
	enum shm_named_kind kind;
	int64_t value;		       /* histogram: observations */
	double sum;		       /* histogram: milliseconds */
	uint64_t bucket[SHM_NBOUNDS];  /* each with those below it */
};

/* Its number, the same for all and for ever; keep it. -1 (which the functions
 * below ignore): the table is full, it is there as another kind, or name or
 * labels are too long; help is cut. */
int shm_named_get(struct shm *s, enum shm_named_kind kind, const char *name,
    const char *labels, const char *help);
void shm_named_add(struct shm *s, unsigned worker, int id, int64_t n);
void shm_named_set(struct shm *s, unsigned worker, int id, int64_t n);
void shm_named_see(struct shm *s, unsigned worker, int id, double ms);
/* n of them at once, of one bucket, that took ms together. */
void shm_named_see_many(struct shm *s, unsigned worker, int id, uint64_t n,
    double ms);
/* The i-th, summed over the workers; false: no more. One without a name is
 * being made. */
bool shm_named_at(struct shm *s, unsigned i, struct shm_named *r);

/*
 * Plugins on trial. Instances have a number by their name, the same in every
 * worker and for every configuration, -1 beyond 256. The flight recorder says
 * whose function runs, in each thread of a worker that runs any: one writer,
 * `who` last on the way in and first on the way out. It is read by the master
 * when the worker is dead or hangs.
 */
#define SHM_PLUGINS 256
#define SHM_PLUGIN_NAME 64
#define SHM_FLIGHTS 17 /* of a worker: its loop, then its plugins' threads */

#define SHM_PLACE 64 /* octets of a place, the 0 at its end included */

struct shm_flight {
	_Atomic uint32_t who; /* 0: nobody; SHM_WHO(number, where) */
	_Atomic uint64_t icid, mid;
	_Atomic uint64_t since; /* clock_ticks() */
	/* Where in its own work it is, as it said; [0] 0: it did not. */
	_Atomic uint64_t place[SHM_PLACE / 8];
};
#define SHM_WHO(number, where) (((uint32_t)(number) + 1) << 8 | (where))

struct shm_busy {
	int number;
	char plugin[SHM_PLUGIN_NAME];
	unsigned where; /* host_where() */
	uint64_t icid, mid;
	msec since;	/* for how long */
	char place[SHM_PLACE]; /* "": not known */
};

int shm_plugin_get(struct shm *s, const char *instance);
const char *shm_plugin_name(struct shm *s, int number, char *dst, size_t n);
struct shm_flight *shm_flight(struct shm *s, unsigned worker,
    unsigned thread);
/* The loop, else of the threads the one that began last: one may hang for long.
 * False: its own code ran. loop: only the loop's thread is looked at. */
bool shm_busy(struct shm *s, unsigned worker, bool loop, struct shm_busy *r);

/* The breaker: up to which generation of the configuration the instance is not
 * called any more, plus one; 0: it is. Set by the master. */
const _Atomic uint64_t *shm_plugin_tripped(struct shm *s, int number);
/* How often that has been set for anybody. */
const _Atomic uint64_t *shm_plugin_trips(struct shm *s);
void shm_plugin_trip(struct shm *s, int number, uint64_t tripped);

/* Messages that are to be frozen, SHM_SUSPECTS at most, the first one goes
 * when there are more. Put in by the master, taken out when it is done. */
#define SHM_SUSPECTS 64
void shm_suspect_add(struct shm *s, uint64_t mid, int number);
/* number_r, which may be NULL: the plugin that had it. */
bool shm_suspect(struct shm *s, uint64_t mid, int *number_r);
void shm_suspect_done(struct shm *s, uint64_t mid);

/* Life signs, wall milliseconds, and what the worker is busy with. */
void shm_beat(struct shm *s, unsigned worker, msec now);
msec shm_beat_last(struct shm *s, unsigned worker);

#endif
