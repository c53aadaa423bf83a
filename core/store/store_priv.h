/*
 * What the files of core/store share. Two threads per store: the writer runs
 * commits and loads in the order they were asked for, the reader does what
 * must not hold up a commit (scans, lists, large bodies). An engine's
 * functions say on which of them they run; those of the memory engine run on
 * the loop, so that a simulation is the same each time.
 */
#ifndef STORE_STORE_PRIV_H
#define STORE_STORE_PRIV_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/coll.h"
#include "base/offload.h"
#include "base/pool.h"
#include "store/store.h"
#include "store/sum.h"

#define STORE_MAGIC	0x53746f72U
#define STORE_TXN_MAGIC 0x5374786eU
#define STORE_BATCH_MAGIC 0x53626174U
#define STORE_JOB_MAGIC 0x536a6f62U
#define STORE_LOAD_MAGIC 0x536c6f61U
#define STORE_WALK_MAGIC 0x5377616cU
#define BODY_MAGIC	0x426f6479U
#define BODY_JOB_MAGIC	0x426a6f62U

#define STORE_SEGMENT_SIZE (64 * 1024 * 1024) /* unless the conf says more */

/* A body up to here is kept in memory until its message is committed. */
#define BODY_MEMORY_MAX (256 * 1024)

/* Where the octets of a committed body are; seg 0: in table body, under the
 * number of the message or, if it is not 0, of share: the message with which
 * they were put in the first place. */
struct body_place {
	uint64_t seg, off, len, share;
	uint32_t sum;
};

enum op_kind {
	OP_PUT, OP_RCPT, OP_TREAT, OP_GO, OP_HOLD, OP_DELETE, OP_MOVE
};

struct store_op {
	STAILQ_ENTRY(store_op) link;
	enum op_kind kind;
	uint64_t mid;
	const struct envelope *env; /* OP_PUT */
	struct body_ref *body;	    /* OP_PUT */
	msec next;		    /* OP_PUT */
	struct store_rcpt rcpt;	    /* OP_RCPT; OP_TREAT: its rid */
	struct str want, route;	    /* OP_TREAT */
	enum store_hold hold;	    /* OP_HOLD, OP_PUT */
	uint64_t seg;		    /* OP_MOVE: out of this segment */
	/* The writer's notes. */
	struct body_place place;
	uint64_t from;		    /* OP_MOVE: where in seg it was */
	char *bytes;		    /* OP_MOVE: what is moved, or NULL */
	const struct store_op *same; /* an earlier one with the same octets */
	bool in_row;
};

STAILQ_HEAD(store_ops, store_op);

/* Messages whose commit failed but may be there all the same. */
struct store_ghosts {
	uint64_t *v;
	size_t n, cap;
};

struct store_txn {
	unsigned magic;
	struct store *store;
	struct pool *pool;
	struct store_ops ops;
	TAILQ_ENTRY(store_txn) link;
	bool lazy;
	bool failed;
	struct err why;
	unsigned unsynced;	/* large bodies that are not on the disk yet */
	store_done *done;
	void *arg;
};

TAILQ_HEAD(store_txns, store_txn);

/* One message on its way back; the load of a batch, or of a list. */
struct store_load_job {
	unsigned magic;
	TAILQ_ENTRY(store_load_job) link;
	struct store *store;
	uint64_t mid;
	store_load_fn *fn;
	void *arg;
	/* The engine's answer. */
	struct envelope *env;
	struct store_rcpt *rcpt;
	enum store_hold hold;
	struct body_place place;
	char *bytes;		/* the body if it fits in memory, the front's */
	struct body_ref *shared; /* memory engine: the body itself */
	bool failed, aside;
	struct err why;
};

TAILQ_HEAD(store_loads, store_load_job);

/* Rows in slices: a scan, a list for people, or a pick of what matches. */
enum walk_kind { WALK_SCAN, WALK_LIST, WALK_PICK };

#define WALK_SLICE 2048

struct store_walk {
	unsigned magic;
	TAILQ_ENTRY(store_walk) link; /* while it is held back */
	struct store *store;
	enum walk_kind kind;
	struct pool *own;	/* lives with the walk: the filter's strings */
	struct store_filter f;	/* ages: wall time instead */
	store_item_fn *item;
	store_row_fn *row;
	store_done *done;
	void *arg;
	uint64_t mid;		/* where the last slice ended */
	unsigned rid;
	uint64_t last;		/* nothing above is looked at; 0: not set */
	uint64_t left;
	/* The slice. */
	struct pool *pool;
	struct store_item *v;
	struct str *json;
	size_t n;
	bool end;
	bool failed;
	struct err why;
};

/* NEVER: it will not do until people change something. */
enum ticked { TICKED, TICK_LATER, TICK_NEVER };

TAILQ_HEAD(store_walks, store_walk);

/* An engine; all functions wait for the disk. */
struct store_engine {
	int (*open)(void **e_r, struct store *s, struct err *why);
	void (*close)(void *e);
	/* Writer. Sets failed and why of each; false: the disk is in
	 * trouble. */
	bool (*commit)(void *e, struct store_txn **v, size_t n);
	void (*load)(void *e, struct store_load_job *job);
	void (*set_aside)(void *e, uint64_t mid, const char *why);
	/* A segment worth emptying (0: none) and some of its messages.
	 * NULL in an engine without segments. */
	uint64_t (*thin)(void *e);
	size_t (*members)(void *e, uint64_t seg, uint64_t *mid, size_t max);
	/* Gives room back to the disk; true: there is more. May be NULL. */
	bool (*tidy)(void *e);
	/* Reader: at most max rows behind w->mid and w->rid. */
	void (*walk)(void *e, struct store_walk *w, size_t max);
	/* Both NULL in an engine that is not far away. Writer, first of all
	 * and every few seconds. */
	enum ticked (*tick)(void *e, struct err *why);
	/* Reader: a large content into its scratch file. LATER: it is not
	 * known whether it is damaged. */
	enum fetched { FETCHED, FETCH_LATER, FETCH_DAMAGED } (*fetch)(void *e,
	    uint64_t mid, const struct body_place *place, struct err *why);
};

extern const struct store_engine store_sqlite;
extern const struct store_engine store_mem;
extern const struct store_engine store_plugin;

struct store_job;
TAILQ_HEAD(store_jobs, store_job);

struct store {
	unsigned magic;
	struct loop *loop;
	struct pool *pool;
	struct store_conf conf; /* strings in pool */
	const char *db_path, *seg_dir, *corrupt_dir; /* "" in memory */
	const struct store_engine *engine;
	void *e;
	struct offload *writer, *reader; /* NULL: everything on the loop */
	struct store_jobs jobs;		 /* done ones, without threads */
	struct loop_timer jobs_timer;

	struct store_txns wait;
	size_t nwait, nurgent, nparked;
	struct store_loads loads;
	struct store_batch *batch; /* the commit in flight */
	char *news;		   /* of the writer, for the log */
	struct loop_timer lazy, again, thin, tidy;
	bool tidying, untidy, tidy_more;
	bool kick, closing;
	size_t nwalks;
	uint64_t seg_moving;
	_Atomic uint64_t next_seg;
	_Atomic unsigned generation; /* of the file; see store_sqlite */
	/* Of an engine of a plugin, by its writer; the loop looks at them when
	 * a job is back. */
	struct loop_timer tick;
	struct err tick_why, lost_why;
	enum ticked ticked;
	bool told_lost;
	bool settling;		   /* the first tick is not back yet */
	struct store_walks held;   /* until it is */
	store_done *settled;	   /* who waits for it, or NULL */
	void *settled_arg;
	_Atomic bool lost; /* with lost_why */
	_Atomic uint64_t mid_seen;
	struct store_stats stats;
};

/* work on the writer (or the reader), done on the loop. */
void store_run(struct store *s, bool reader, offload_work *work,
    offload_done *done, void *arg);
void store_kick(struct store *s);
/* May new mail take n octets of the disk? What others need to get rid of
 * theirs is left alone. Any thread. */
bool store_room(const struct store *s, uint64_t n);
void store_txn_free(struct store_txn *t);
bool store_txn_puts(const struct store_txn *t); /* Has it new messages? */
void store_ghosts_add(struct store_ghosts *g, struct store_txn **v, size_t n);
/* A large body of the txn is on the disk, or is known to have failed. */
void store_txn_synced(struct store_txn *t);
void store_compact_start(struct store *s);
void store_tidy_later(struct store *s); /* something was committed */
void store_tick_start(struct store *s);
/* One that was held back. */
void store_walk_go(struct store_walk *w);
/* A job of the writer is back: what is there to be told? */
void store_tell(struct store *s);
/* Whether it can be written is known anew; why: of what failed. */
void store_health(struct store *s, bool healthy, const char *why);
/* Out of that segment, if the body of mid is in it. */
void store_move(struct store_txn *t, uint64_t mid, uint64_t seg);

/* A body whose row or segment is committed. bytes: taken over, or NULL. */
struct body_ref *body_loaded(struct store *s, const struct body_place *place,
    char *bytes);
/* Reads a large loaded body through once, and sets its message aside if it
 * is not what was written; fn(arg, why), at once for a small one. */
void body_check(struct body_ref *b, uint64_t mid, store_done *fn, void *arg);
/* Large and not on the disk yet: tells t when it is. */
bool body_wait_synced(struct body_ref *b, struct store_txn *t);
/* Large: where it is (false: in memory, *bytes_r and the size hold). */
bool body_large(const struct body_ref *b, struct body_place *place_r);
const struct err *body_error(const struct body_ref *b);
/* body_check() could not find out; nothing was set aside. */
bool body_unchecked(const struct body_ref *b);
/* The message that has it is committed: the row owns the file now. */
void body_committed(struct body_ref *b);

#endif
