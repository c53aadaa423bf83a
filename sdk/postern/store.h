/*
 * postern/store.h - store/1: where the queue is kept.
 *
 * "store/1.table": the instance hands over its table of functions, which stays
 * good as long as the instance. It may not wait. queue.store names the
 * instance. Each worker opens the store of its own number, and those of
 * workers that are no more; a store has one worker.
 *
 *   Threads  stores may be called on any thread. open and close are called
 *            while nothing else of that store runs, and may not wait for
 *            what is far away. All others run on two threads of the store's
 *            own: the writer (tick, commit, load, set_aside; content of small
 *            ones) and the reader (scan; content of large ones). Never two
 *            calls at a time on one of them. They may block. The first of
 *            them is a tick, and the next one comes when it has returned; a
 *            worker serves when its own store has got that far, whatever the
 *            tick has found, BAD excepted. No service of the host
 *            (pst_log() and its like) may be used: there is no event; what is
 *            to be told goes into struct pst_store_why.
 *   Time     A call that hangs stops the mail of its worker: each must end
 *            within seconds, with PST_STORE_LATER if need be.
 *   Memory   What is handed over is valid during the call.
 *   Result   0, or -1 with *why filled in.
 *   Lease    Who opens a store says who he is (owner). The same owner coming
 *            again is a new life of the same worker, and the host has made
 *            sure that the former one is over: it gets the store at once.
 *            Anybody else is kept out (PST_STORE_TAKEN) until the lease has
 *            run out. A commit under a lease that somebody else has taken
 *            over since must fail as a whole: that is decided in the same
 *            transaction, never by the clock of this machine.
 *   Commits  All operations of a commit are durable when it returns 0, and on
 *            every other result none is, PST_STORE_UNKNOWN excepted. A commit
 *            whose answer was lost is looked up, or tried again in a way that
 *            cannot apply it twice. Operations on messages that are not there
 *            do nothing; MIDs are never used twice, so that putting one that
 *            is there is a mistake (PST_STORE_BAD), never a replacement.
 *   Octets   All strings may hold any octet but 0. They come back as they
 *            were.
 */
#ifndef POSTERN_STORE_H
#define POSTERN_STORE_H

#include <postern/plugin.h>

#define PST_STORE_TABLE "store/1.table" /* struct pst_store */

struct pst_store_ops;

struct pst_store {
	uint32_t size;
	const struct pst_store_ops *ops; /* out */
	void *arg;			 /* out: for open and stores */
};

enum pst_store_fail {
	PST_STORE_LATER = 1,   /* not now: 451, and it is tried again */
	PST_STORE_FULL = 2,    /* there is no room: 452; what frees some is
				* still asked for */
	PST_STORE_UNKNOWN = 3, /* of a commit: perhaps it is durable. What it
				* put is refused, and removed by the next */
	PST_STORE_TAKEN = 4,   /* another owner has the store: a worker that
				* had it ends at once, others wait for it */
	PST_STORE_BAD = 5      /* it will never do: of a commit, the operations
				* are tried one transaction at a time; of
				* open and tick, the worker does not start;
				* of load and content, the message is damaged
				* and set aside */
};

struct pst_store_why {
	uint32_t size;
	enum pst_store_fail fail;
	char text[256]; /* a line for log and client */
};

struct pst_store_open {
	uint32_t size;
	uint32_t index;	   /* of the store */
	const char *owner; /* who opens it, the same in each life */
	const char *host;  /* our name, for people */
};

/* What belongs to a message; length and sum are those of its content. */
struct pst_store_message {
	uint32_t size;
	uint32_t flags;
	uint64_t mid, icid;
	int64_t queued, not_before; /* ms since 1970 */
	uint64_t octets, length;
	uint32_t sum;
	int32_t hold; /* 0 active, 1 held, 2 frozen */
	struct pst_str sender, envid, client_ip, helo, auth, listener, edits,
	    notes, quarantine;
	struct pst_str waits_for; /* MIDs, blanks between them */
};

enum pst_store_state { PST_STORE_WAITING = 0 }; /* others: finished */

struct pst_store_rcpt {
	uint32_t size;
	uint32_t rid; /* 0, 1, … within the message */
	int32_t state; /* enum pst_store_state */
	int32_t code;
	uint32_t attempts, notify;
	int64_t next; /* ms since 1970 */
	bool warned;
	struct pst_str addr, orcpt, status, reason, remote, tls_reason, want,
	    route;
	struct pst_str bounce_profile; /* its own, or "" */
	int64_t warned_at; /* ms since 1970, of the last warning */
	uint32_t warnings; /* how many were sent; warned: any */
};

enum pst_store_act {
	PST_STORE_PUT = 0,   /* message, all of rcpt, content */
	PST_STORE_RCPT = 1,  /* rcpt[0]: state, code, attempts, next, warned,
			      * warnings, warned_at, status, reason, remote,
			      * tls_reason of its rid */
	PST_STORE_TREAT = 2, /* rcpt[0]: want, route of its rid */
	PST_STORE_HOLD = 3,  /* hold; 0 also empties quarantine */
	PST_STORE_DELETE = 4, /* the message, all of it */
	PST_STORE_GO = 5     /* empties waits_for; next of those that wait and
			      * have no attempts becomes not_before */
};

struct pst_store_op {
	uint32_t size;
	enum pst_store_act act;
	uint64_t mid;
	int32_t hold;
	uint32_t count; /* of rcpt */
	const struct pst_store_rcpt *const *rcpt;
	const struct pst_store_message *message;
	/* Of a put: 0, or the MID of an earlier put of this commit that has
	 * the same content. It is kept once, until the last of them goes. */
	uint64_t share;
	/* Of a put with share 0: the octets from *offset, which moves on, until
	 * *piece is empty. The piece is valid until the next call. -1: they
	 * cannot be had, *why says so; the commit is given up. */
	int (*content)(const struct pst_store_op *op, uint64_t *offset,
	    struct pst_str *piece, struct pst_store_why *why);
};

/* Takes what load finds: message once, then rcpt for each in order of rid.
 * -1: damaged; return -1 as well, *why says what it is. */
struct pst_store_load {
	uint32_t size;
	int (*message)(struct pst_store_load *to,
	    const struct pst_store_message *m, struct pst_store_why *why);
	int (*rcpt)(struct pst_store_load *to, const struct pst_store_rcpt *r,
	    struct pst_store_why *why);
};

/* Takes the octets of a content, piece by piece; -1 as above. */
struct pst_store_sink {
	uint32_t size;
	int (*write)(struct pst_store_sink *to, const void *p, size_t n,
	    struct pst_store_why *why);
};

enum pst_store_thread { PST_STORE_WRITER = 0, PST_STORE_READER = 1 };

/*
 * Recipients that wait (state 0), in order of MID and rid, behind after_mid
 * and after_rid, up to last, at most max; row for each. last 0: put in the
 * highest MID there is. The rest is a filter, NULL and 0: any; in patterns *
 * stands for any octets, and the case of ASCII letters does not matter.
 */
struct pst_store_scan {
	uint32_t size;
	uint32_t max;
	uint64_t after_mid; /* 0: from the beginning */
	uint32_t after_rid;
	int32_t hold;	     /* -1: any */
	uint64_t last, mid;
	int64_t older, newer; /* queued then or earlier; or later */
	const char *sender, *rcpt;
	const char *domain; /* what stands behind the @ of the address */
	const char *reason; /* any part of "STATUS REASON" */
	void (*row)(struct pst_store_scan *scan,
	    const struct pst_store_message *m,
	    const struct pst_store_rcpt *r);
};

struct pst_store_ops {
	uint32_t size;
	/* Makes what the other functions get. Need not reach the store yet. */
	int (*open)(void *arg, const struct pst_store_open *how, void **store_r,
	    struct pst_store_why *why);
	/* After the last call: the lease is given back, as far as that works
	 * at once. */
	void (*close)(void *store);
	/* First of all and every few seconds: reaches the store, makes what is
	 * not there, takes or renews the lease. *mid_r: the highest MID that is
	 * in any store; ours go on behind it. */
	int (*tick)(void *store, uint64_t *mid_r, struct pst_store_why *why);
	int (*commit)(void *store, const struct pst_store_op *const *op,
	    size_t n, struct pst_store_why *why);
	/* A message that is not there: 0, and nothing is called. */
	int (*load)(void *store, uint64_t mid, struct pst_store_load *to,
	    struct pst_store_why *why);
	int (*content)(void *store, enum pst_store_thread thread, uint64_t mid,
	    struct pst_store_sink *to, struct pst_store_why *why);
	/* Damaged: it is no longer in the queue, but kept for people. */
	int (*set_aside)(void *store, uint64_t mid, const char *reason,
	    struct pst_store_why *why);
	int (*scan)(void *store, struct pst_store_scan *scan,
	    struct pst_store_why *why);
	/* Numbers of the stores that have messages, at most max of them; how
	 * many, or -1. */
	int (*stores)(void *arg, uint32_t *v, uint32_t max,
	    struct pst_store_why *why);
};

#endif
