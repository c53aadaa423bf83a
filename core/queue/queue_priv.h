/*
 * The inside of the queue: queue.c (objects, counting), sched.c (states and
 * timers of units), take.c (a unit becomes active), submit.c (new messages),
 * qrep.c (what became of a unit), qend.c (units that end without an attempt),
 * retry.c (the arithmetic of a profile), recover.c (what the stores have),
 * after.c (branches that wait for others), waits.c (what TLS is demanded for),
 * freeze.c (messages that crash what handles them), qact.c (the administrator).
 *
 * There is one unit for each message and next hop. It stands for all pending
 * recipients of that message with that hop; which of them are due is known
 * when the message is in memory. A message (qmsg) is in memory while a unit
 * refers to it: from its acceptance, within a budget, or from taking a unit,
 * until the unit waits for its next attempt.
 */
#ifndef QUEUE_QUEUE_PRIV_H
#define QUEUE_QUEUE_PRIV_H

#include "base/pool.h"
#include "queue/queue.h"
#include "queue/retry.h"

#define QUEUE_MAGIC    0x51756575U
#define QHOP_MAGIC     0x51486f70U
#define QUNIT_MAGIC    0x51556e69U
#define QMSG_MAGIC     0x514d7367U
#define QREP_MAGIC     0x51526570U
#define QSUBMIT_MAGIC  0x51537562U
#define QACT_MAGIC     0x51416374U
#define QSCAN_MAGIC    0x5153636eU
#define QFREEZE_MAGIC  0x5146727aU
#define QAFTER_MAGIC   0x51416674U

#define QUEUE_MEMORY	 (64 * 1024 * 1024)
#define QUEUE_STORES_MAX 64
#define QUNIT_RCPTS_MAX 0x1ffff /* what is beyond is not counted */

enum qstate {
	QUNIT_WAITING, /* in the heap `next` and its hop's list */
	QUNIT_DUE,     /* in the heap `life` and its hop's due list */
	QUNIT_HELD,    /* in its hop's list only */
	QUNIT_TAKING,  /* on its way into memory */
	QUNIT_ACTIVE,  /* the relay's */
	QUNIT_REPORTING /* its reports are being written */
};

TAILQ_HEAD(qunits, qunit);

struct qunit {
	unsigned magic;
	unsigned state : 3;
	unsigned flushed : 1;	/* take all pending, due or not */
	/* The domain does not tell the next hop of all its recipients. */
	unsigned several : 1;
	unsigned expired : 1;	/* its time ended: taken to be bounced */
	unsigned tls : 1;	/* TLS failed last, for some recipient */
	unsigned late : 1;	/* released when its lifetime was over */
	unsigned after : 1;	/* its message waits for another (after.c) */
	unsigned store : 7;	/* index into queue.store */
	unsigned attempts : 16;
	struct hash_node by_mid;
	struct heap_node node;
	union {
		TAILQ_ENTRY(qunit) link;  /* waiting, due, held */
		struct qactive *active;	  /* taking, active, reporting */
	} u;
	uint64_t mid;
	msec queued : 44;	/* in one word with the next two */
	uint64_t scan : 3;	/* that found it (queue.scan), or 0 */
	uint64_t nrcpt : 17;	/* pending ones, as far as is known */
	struct qhop *hop;
	struct qmsg *msg;	/* NULL: only in the store */
	struct qdomain *domain;	/* NULL: that of the hop's key */
};

struct qrep;

/* What a unit needs while it is not waiting. */
struct qactive {
	qhop_taken *fn;
	void *arg;
	struct rcpt **rcpt;
	unsigned nrcpt;
	struct body_ref *reader;
	struct qrep *rep;
	unsigned *only;		/* the administrator's choice of RIDs */
	unsigned nonly;
	struct qunit *next;	/* others that wait for the same message */
};

struct qdomain {
	struct hash_node node;
	unsigned refs;
	size_t n;
	char name[];
};

struct qhop {
	unsigned magic;
	struct queue *queue;
	struct hash_node node;
	struct qunits due, rest; /* rest: waiting and held */
	unsigned ndue, nunits;
	void *data;
	bool told;		/* on the list of hops to tell */
	TAILQ_ENTRY(qhop) tell_link;
	TAILQ_ENTRY(qhop) idle_link;
	bool idle;
	bool demands;		/* TLS (waits.c) */
	size_t n;
	size_t ndest;		/* octets of the key up to a space */
	char key[];
};

TAILQ_HEAD(qhops, qhop);

/* A message in memory. */
struct qmsg {
	unsigned magic;
	struct queue *queue;
	unsigned store;
	uint64_t mid;
	unsigned refs;		/* units and reports */
	unsigned open;		/* reports that are not on the disk yet */
	bool gone;		/* finished, or not there any more */
	bool loading;
	struct qunit *waiting;	/* units that wait for the loading */
	struct envelope *env;
	struct store_rcpt *rcpt;
	bool *taken;		/* by RID: in an active unit */
	struct body_ref *body;
	enum store_hold hold;
	size_t bytes;		/* of the budget */
};

struct queue {
	unsigned magic;
	struct loop *loop;
	struct pool *pool;
	const struct queue_ops *ops;
	void *arg;
	struct store *store[QUEUE_STORES_MAX]; /* but for the first, ours */
	unsigned nstore;
	struct hash units, hops, domains;
	struct hash afters, edges; /* after.c */
	struct heap next, life;
	struct loop_timer timer, tell_timer, sweep_timer, scan_timer;
	struct qhops tell, idle;
	queue_suspect *suspect;
	queue_frozen *frozen;
	void *suspect_arg;
	TAILQ_HEAD(, freeze) freezes;
	unsigned scanning;
	unsigned scan;		/* number of the last one, 1 to 7 in turn */
	bool again;		/* recover once more when the scan is over */
	bool unread;		/* a store of this scan could not be read */
	size_t memory, memory_max;
	struct queue_stats stats;
	msec oldest_at;
	bool closing;
};

/* queue.c */
struct qhop *qhop_get(struct queue *q, const char *key);
struct str qhop_dest(const struct qhop *hop); /* its key up to a space */
/* Would the hop's recipients of that domain be found by the domain alone? */
bool qhop_told_by(struct qhop *hop, struct str domain);
/* queue_ops.hop_key, for a recipient, and for any of a domain. */
const char *hop_key_of(struct queue *q, const struct rcpt *r);
const char *hop_key_any(struct queue *q, struct str domain);
struct qdomain *qdomain_get(struct queue *q, struct str name);
void qdomain_put(struct queue *q, struct qdomain **dp);
struct qunit *qunit_find(struct queue *q, uint64_t mid,
    const struct qhop *hop);	/* hop NULL: any */
struct qunit *qunit_next(const struct qunit *u); /* of the same message */
/* A unit that is in no list yet. */
struct qunit *qunit_new(struct queue *q, uint64_t mid, struct qhop *hop,
    struct str domain);
/* So many of its recipients are pending. */
void qunit_count(struct queue *q, struct qunit *u, unsigned n);
void qunit_destroy(struct queue *q, struct qunit **up);
void qunit_set_hop(struct queue *q, struct qunit *u, struct qhop *hop,
    struct str domain);
struct str qunit_domain(const struct qunit *u); /* of the first recipient */
struct qmsg *qmsg_new(struct queue *q, uint64_t mid, unsigned store);
void qmsg_ref(struct qunit *u, struct qmsg *m);
void qmsg_unref(struct qmsg **mp);
void qmsg_drop(struct qunit *u); /* the unit's reference */
/* Makes a unit for each next hop that has pending recipients and none yet. */
void qmsg_schedule(struct qmsg *m);
const struct queue_profile *qunit_profile_now(const struct qunit *u);

/* sched.c */
void sched_init(struct queue *q);
void sched_fini(struct queue *q);
void sched_wait(struct queue *q, struct qunit *u, msec next);
void sched_due(struct queue *q, struct qunit *u); /* or expires it */
/* When nobody needs to try it any more. */
msec sched_end(const struct qunit *u);
void sched_hold(struct queue *q, struct qunit *u);
void sched_out(struct queue *q, struct qunit *u); /* of all lists */
bool sched_idle(const struct qunit *u); /* waiting, due or held */

/* take.c */
void take_unit(struct queue *q, struct qunit *u, qhop_taken *fn, void *arg);
void take_only(struct queue *q, struct qunit *u, const unsigned *rid,
    unsigned n, qhop_taken *fn, void *arg);
void qactive_free(struct qunit *u);

/* qrep.c: queue_report(); ours: nobody tried it, deleting: nobody is told. */
void report_unit(struct queue *q, struct qunit *u, const struct qreport *v,
    unsigned n, bool ours, bool deleting);

/* qend.c */
void report_expired(struct queue *q, struct qunit *u); /* u is in no list */
/* By its lifetime, or because of TLS sooner? */
bool report_is_late(const struct queue_profile *p,
    const struct queue_want *want, msec queued, enum tls_reason tls);
/* All recipients of an active unit, for good: deleted, or bounced as this. */
void report_all(struct queue *q, struct qunit *u, bool bounce,
    const char *status, const char *text);

void qrep_drop(struct qrep **rp); /* the queue ends */

/* recover.c: the unit of a row, made if there is none. NULL: it is busy. */
struct qunit *recover_item(struct queue *q, unsigned store,
    const struct store_item *it, bool *new_r);

/*
 * after.c: a branch that waits until others have had their TLS. It costs
 * nothing where no message does. add: before its units are scheduled; has: it
 * still waits; over: no longer, because of that; changed: units of the message
 * came or went; scanned: all rows of the stores are known.
 */
void after_add(struct queue *q, unsigned store, uint64_t mid,
    struct str waits_for, msec not_before);
bool after_has(const struct queue *q, uint64_t mid);
void after_over(struct queue *q, uint64_t mid, const char *why);
void after_changed(struct queue *q, uint64_t mid);
void after_scanned(struct queue *q);
/* A message that came into memory when it waited no longer, or did then. */
void after_loaded(struct qmsg *m);
void after_fini(struct queue *q);

/* freeze.c: must that message be frozen? Then it is about to be. */
bool freeze_begin(struct queue *q, unsigned store, uint64_t mid);
void freeze_fini(struct queue *q);

/* submit.c: next: when it is tried first, or at its not_before. */
void submit_committed(struct queue *q, unsigned store, struct envelope *env,
    struct body_ref *body, msec next);

#endif
