/*
 * The queue: which messages wait, for whom, until when.
 *
 * A unit is what can be tried together: the pending recipients of one message
 * that share a next hop and are due. In memory a waiting unit costs less than
 * 100 octets (the message is in the store); scheduling is O(log n). A unit
 * that is due is offered to the relay through ops->due(); the relay takes it
 * when it has a connection for it, delivers, and reports per recipient. A due
 * unit that nobody took before its lifetime ended is bounced by the queue.
 * Everything durable goes through store/; the queue is the only one that
 * writes there.
 *
 * Durability: queue_submit() answers after the commit. queue_report() writes
 * lazily (completions ride along). A message whose recipients are all done is
 * deleted. Bounces are put in the same transaction that marks the recipients.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/coll.h"
#include "base/err.h"
#include "base/str.h"
#include "mail/envelope.h"
#include "mail/report.h"
#include "net/loop.h"
#include "store/store.h"
#include "tls/tlsreason.h"
#include "tls/tlswant.h"

struct queue;
/* A next hop with its due units. It lives while it has units or data; else it
 * is gone at some later round of the loop. */
struct qhop;
struct qunit;
struct tls_info;

/* Retry schedule (requirements.md 4.6); part of a configuration. */
struct queue_profile {
	const char *name;
	msec first_retry;	/* 60 s */
	msec max_retry;		/* 1 h */
	msec lifetime;		/* 72 h */
	unsigned max_retries;	/* 100 */
	unsigned jitter;	/* percent, both ways; 0 in exact tests */
	bool warn;		/* delayed DSNs, of warn_after on */
	msec warn_after;
	unsigned warn_count;	/* so many at most for a recipient */
	msec warn_interval;	/* at least so much apart */
	/* What becomes of the reports; the relay writes them. */
	bool quiet;		/* none of failures and delays */
	bool plain;		/* one text for people, no DSN */
	const struct addr *alternate; /* gets failures in place of the sender;
				 * or NULL */
};

/* What the queue must know of the TLS that a next hop demands. */
struct queue_want {
	enum tlswant_level level;
	msec deadline;		/* age at which mail goes back that TLS keeps
				 * from being delivered; 0: the lifetime */
	msec warn_after;	/* age at which its sender is told; 0: as the
				 * profile says */
};

/* For whom a next hop is looked for. */
struct queue_to {
	struct str domain;	/* "" = ours alone */
	struct str local;	/* "": what holds for any */
	/* Stored with the recipient; "" = none. */
	struct str want, route, profile;
};

enum qresult {
	QRESULT_DONE,	 /* delivered */
	QRESULT_RETRY,	 /* try again by the profile, or bounce if it ends */
	QRESULT_BOUNCE,	 /* failed for good */
	QRESULT_AGAIN	 /* not tried: stays due, flushed or not; no attempt
			  * counted */
};

struct qreport {
	unsigned i;		/* index into qunit_rcpt() */
	enum qresult result;
	int code;
	const char *status;	/* enhanced code */
	struct str text;	/* reply or reason */
	struct str remote;	/* host that said it */
	uint64_t dcid;		/* 0: no connection existed */
	bool dsn_passed;	/* the next hop took over RFC 3461's duties */
	enum tls_reason tls;	/* RETRY: because of TLS, and why */
	/* AGAIN: stored with the recipient from now on, so that it may go to
	 * another next hop; NULL: as they are. */
	const char *want, *route;
	/* For who is told: the TLS that was needed there, NULL: not known; what
	 * there was, NULL: none. Valid while it is reported. */
	const char *needed;
	const struct tls_info *over;
};

/* What became of recipients, for who reports it. */
enum queue_fate { QUEUE_DELIVERED, QUEUE_DEFERRED, QUEUE_BOUNCED };
enum { QUEUE_FATES = QUEUE_BOUNCED + 1 };

struct queue_ops {
	/*
	 * The next hop's key for a recipient, e.g. its domain, or
	 * "route:NAME", either with a space and more behind it where not
	 * everything to that destination may travel together. Valid until the
	 * next call. And the profile that applies.
	 */
	const char *(*hop_key)(void *arg, const struct queue_to *to);
	const struct queue_profile *(*profile)(void *arg, const char *hop_key);
	/* NULL: nothing is demanded anywhere. */
	void (*want)(void *arg, const char *hop_key, struct queue_want *w_r);
	/* hop has due units and had none before. Called from the loop, never
	 * out of queue_report(), queue_submit() or the like. */
	void (*due)(void *arg, struct qhop *hop);
	/* These recipients (of u) failed for good, are delayed, or succeeded:
	 * build the DSN that is owed, if any, and give it to queue_generate()
	 * now or later; the unit's transaction waits for it. */
	void (*dsn)(void *arg, struct qunit *u, enum report_kind kind,
	    const struct qreport *v, unsigned n);
	/* News, for who wants to know; each may be NULL. A message is in the
	 * queue; so much is known of these recipients of u. */
	void (*queued)(void *arg, const struct envelope *env);
	void (*told)(void *arg, enum queue_fate fate, const struct qunit *u,
	    const struct qreport *v, unsigned n);
	/* A report of ours to r waits for the administrator. */
	void (*held)(void *arg, const struct qunit *u, const struct rcpt *r,
	    struct str why);
	/* What was told of that message so far is on the disk. */
	void (*durable)(void *arg, uint64_t mid);
};

/* ops may be called until queue_destroy() returns, which waits for the disk;
 * then the store can be closed. */
int queue_new(struct queue **q_r, struct loop *l, struct store *store,
    const struct queue_ops *ops, void *arg, struct err *why);
void queue_destroy(struct queue **qp);
/* Reads the store's waiting items in the background; due ones are offered as
 * they come. Again after a reload that changed the routes. */
void queue_recover(struct queue *q);
bool queue_recovering(const struct queue *q);
/* Also take over the store of a worker number that is no longer used. */
int queue_adopt(struct queue *q, const struct store_conf *conf,
    struct err *why);
/* Its stores: that of queue_new(), then the adopted ones; NULL: no more. */
struct store *queue_store(const struct queue *q, unsigned i);

/*
 * Messages that must not be tried again until somebody has looked at them: what
 * recovery finds is asked about, and where ask() gives a reason it is frozen,
 * durably and with that reason, before any of it is offered to the relay; then
 * done() is called. Before queue_recover().
 */
typedef const char *queue_suspect(void *arg, uint64_t mid);
typedef void queue_frozen(void *arg, uint64_t mid);
void queue_set_suspects(struct queue *q, queue_suspect *ask,
    queue_frozen *done, void *arg);

/* Octets of messages kept in memory until they are first tried (64 MB);
 * beyond it they are read back from the store. */
void queue_set_memory(struct queue *q, size_t max);

/* Takes over env and the caller's reference to body, also on failure.
 * done(NULL) when durable: 250 may go
 * out; delivery starts from memory. done(why): nothing was kept. */
typedef void queue_submitted(void *arg, const struct err *why);
void queue_submit(struct queue *q, struct envelope *env,
    struct body_ref *body, queue_submitted *done, void *arg);
/* The branches of a message (queue/split.h), in one transaction: all of them
 * are durable, or none was kept. Consumes what is in v. */
struct branch;
void queue_submit_branches(struct queue *q, struct branch *v, unsigned n,
    queue_submitted *done, void *arg);

/* ---- for the relay ---- */

const char *qhop_key(const struct qhop *hop);
void *qhop_data(const struct qhop *hop);	/* the relay's own */
void qhop_data_set(struct qhop *hop, void *data);
unsigned qhop_due(const struct qhop *hop);	/* units that wait for us */
/* The oldest due unit, now active. It may have to be read from the store:
 * fn is called from the loop (or at once when it is in memory). u NULL: it
 * vanished (deleted, held) meanwhile; ask again if qhop_due(). */
typedef void qhop_taken(void *arg, struct qunit *u);
void qhop_take(struct qhop *hop, qhop_taken *fn, void *arg);

const struct envelope *qunit_env(const struct qunit *u);
struct body_ref *qunit_body(const struct qunit *u);
uint64_t qunit_mid(const struct qunit *u);
/* n_r may be NULL. */
struct rcpt *const *qunit_rcpt(const struct qunit *u, unsigned *n_r);
const char *qunit_key(const struct qunit *u); /* of its next hop */
unsigned qunit_attempts(const struct qunit *u);
/* u is about to be sent over a connection with the TLS that its next hop
 * demands: branches of its message that wait for that may go. */
void queue_secured(struct queue *q, struct qunit *u);
const struct queue_profile *qunit_profile(const struct qunit *u);
void qunit_want(const struct qunit *u, struct queue_want *w_r);
/* Of a recipient that is not in the queue yet: what it would be under now. */
void queue_rcpt_want(struct queue *q, const struct rcpt *r,
    struct queue_want *w_r);

/*
 * One per recipient; then u is the queue's again. Logs the Bounced, Delayed,
 * pending and finished lines, schedules what is left or bounces it when the
 * profile ends (5.4.7), and asks ops->dsn for the reports.
 *
 * Whose last failure was one of TLS is given up sooner if the want has a
 * deadline, with the reason's status (5.7.x for 4.7.x). A report of ours that
 * must not travel with less than a stored want is held then, not dropped: the
 * administrator is told, and may release it for one more attempt at a time.
 */
void queue_report(struct queue *q, struct qunit *u, const struct qreport *v,
    unsigned n);
/*
 * The answer to ops->dsn, exactly one for each call: a generated message (its
 * envelope and finished body are taken over) that is put in the same
 * transaction that marks the recipients; env NULL: no DSN is owed.
 */
void queue_generate(struct queue *q, struct qunit *of, struct envelope *env,
    struct body_ref *body);

/* ---- for the administrator (async, JSON rows come from the store) ---- */

enum queue_verb { QUEUE_FLUSH, QUEUE_HOLD, QUEUE_RELEASE, QUEUE_DELETE,
	QUEUE_REQUEUE, QUEUE_BOUNCE };
/* count: messages acted on. Those being delivered just now are left alone; if
 * there were any, why says how many, but for FLUSH and RELEASE. HOLD and
 * RELEASE act on whole messages; REQUEUE forgets the attempts so far and makes
 * due now, but the lifetime goes on. */
typedef void queue_acted(void *arg, uint64_t count, const struct err *why);
void queue_act(struct queue *q, enum queue_verb verb,
    const struct store_filter *f, queue_acted *fn, void *arg);
/* Due now: everything for that domain (ETRN); returns how many units. */
unsigned queue_flush_domain(struct queue *q, struct str domain,
    bool subdomains);

/* Domains that units of hop, which are due, are for; one may come twice. */
typedef void qhop_domain(void *arg, struct str domain);
void qhop_each_domain(struct qhop *hop, qhop_domain *fn, void *arg);
/* Each message for a domain, where TLS is required; end: wall time at which it
 * is given up, 0: it is held. Looks at all units that there are. */
typedef void queue_waits(void *arg, struct str domain, msec queued, msec end);
void queue_each_waiting(struct queue *q, queue_waits *fn, void *arg);

struct queue_stats {
	uint64_t messages, units, active, due, held;
	uint64_t recipients;	/* pending; of those on the disk only, as far
				   as they have been read */
	uint64_t bytes;		/* of messages in memory */
	msec oldest;		/* wall time, 0: empty; may lag a minute */
	unsigned hops;
};
void queue_stats(const struct queue *q, struct queue_stats *r);

#endif
