/*
 * The durable queue store: one per worker; engines are SQLite, memory, and
 * what plugins bring (store/1, postern/store.h).
 *
 * What is committed survives kill -9 and a power cut: store_commit() calls
 * done() only after the transaction, its bodies and what the directory needs
 * are on the disk. Transactions handed in while one commit is in flight go
 * together into the next (group commit); each stays atomic, and if the group
 * fails they are tried one by one, so that one bad message fails alone. Lazy
 * transactions (completions) ride along, at most STORE_LAZY_MS late.
 *
 * All disk work runs on the store's offload thread; callbacks come from the
 * loop. What a transaction points at must stay unchanged until done().
 *
 * Bodies: a struct body_ref is content that never changes, counted, with its
 * bytes in memory, in a row, or in a segment file. It is written once, and
 * given back before its store is closed. Messages that are put in the same
 * transaction with the same body share its octets on the disk, until the last
 * of them is deleted. Up to 256 KB stay in memory and go to
 * a row or, behind those of the same group, to a shared segment; a larger body
 * is streamed to a segment of its own.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "mail/envelope.h"
#include "net/loop.h"
#include "tls/tlsreason.h"

#define STORE_LAZY_MS 10

struct pst_store_ops;
struct store;
struct store_txn;
struct body_ref;

/* State of one recipient beyond the envelope's: what a retry needs. */
struct store_rcpt {
	unsigned rid;
	enum rcpt_state state;
	unsigned warned;	/* delayed reports so far */
	msec warned_at;		/* wall time of the last */
	unsigned attempts;
	msec next;		/* wall time of the next attempt */
	int code;		/* last reply, 0: none */
	const char *status;	/* last enhanced code, "" at first */
	const char *text;	/* last reply or reason, "" at first */
	const char *remote;	/* host that said it, "" */
	enum tls_reason tls;	/* the last failure was one of TLS: which */
};

enum store_hold { STORE_ACTIVE, STORE_HELD, STORE_FROZEN };

/* why NULL: durable. What is lazy states facts, so it is tried again until it
 * is durable; it fails only when the store closes. */
typedef void store_done(void *arg, const struct err *why);

/* From the loop. */
struct store_watcher {
	/* Another owner has taken the store over: nothing that was read from
	 * it counts any more, and nothing can be written. */
	void (*lost)(void *arg, const struct err *why);
	/* In the store is a MID as high as this. */
	void (*mid)(void *arg, uint64_t mid);
};

struct store_conf {
	const char *dir;	/* SPOOL */
	unsigned index;		/* worker number: store-N.db, seg-N/ */
	unsigned stores;	/* how many use dir, ours included; 0: known
				 * by index alone */
	uint64_t body_in_row;	/* octets; larger go to segments */
	uint64_t segment_size;	/* octets that fill a segment; 0: 64 MB */
	bool memory;		/* the memory engine (simulation) */
	/* The engine of a plugin (store/1), its argument, and who waits for
	 * news of it; ops NULL: SQLite. */
	const struct pst_store_ops *ops;
	void *ops_arg;
	const struct store_watcher *watcher; /* or NULL */
	void *watcher_arg;
	const char *host;	/* our name, "" */
};

/* Recovers first: sets aside what is corrupt under SPOOL/corrupt/ and says
 * so through log_warning. Called in the worker. Waits for the disk, and for
 * nothing else: a plugin's engine reaches its store afterwards, and what is
 * asked until then waits for that. */
int store_open(struct store **store_r, struct loop *l,
    const struct store_conf *conf, struct err *why);
/* Says when it has been reached, or could not be (mail is put off until it
 * can): at once, from the loop, or from closing. why: it never will be. */
void store_settle(struct store *s, store_done *fn, void *arg);
/* Commits what waits and calls every done(); not from a callback. */
void store_close(struct store **sp);
/* The same without the end: after it only reading and closing make sense. */
void store_finish(struct store *s);
const struct store_conf *store_conf(const struct store *s);
/* Stores of the directory that belong to no index below workers. */
unsigned store_orphans(const char *dir, unsigned workers, unsigned *v,
    unsigned max);
/* The same of a plugin's, which must be open elsewhere or reachable; -1: they
 * are not known. */
int store_orphans_of(const struct store_conf *conf, unsigned workers,
    unsigned *v, unsigned max, struct err *why);

struct store_txn *store_txn_new(struct store *s);
/* New message: envelope, body (finished), all recipients to be tried at next,
 * or at its not_before if that is later; held if it has a quarantine reason.
 * With waits_for, next is when it waits no longer in any case.
 * The txn keeps a reference to the body. */
void store_put(struct store_txn *t, const struct envelope *env,
    struct body_ref *body, msec next);
/* New state of a recipient (strings are copied). */
void store_rcpt(struct store_txn *t, uint64_t mid,
    const struct store_rcpt *r);
/* What a recipient needs on its way, from now on. */
void store_treat(struct store_txn *t, uint64_t mid, unsigned rid,
    struct str want, struct str route);
/* It waits for no other message any more: who was not tried yet is to be tried
 * at its not_before. */
void store_go(struct store_txn *t, uint64_t mid);
/* STORE_ACTIVE also ends its quarantine. */
void store_hold(struct store_txn *t, uint64_t mid, enum store_hold hold);
/* The message is finished: rows and body go. */
void store_delete(struct store_txn *t, uint64_t mid);
/* Consumes the txn. done may be NULL. */
void store_commit(struct store_txn *t, bool lazy, store_done *done, void *arg);
void store_txn_drop(struct store_txn **tp);

/* What the scheduler needs of each waiting recipient, in mid, rid order. */
struct store_item {
	uint64_t mid;
	unsigned rid;
	unsigned attempts;
	msec queued, next;
	enum store_hold hold;
	/* Valid in fn only. */
	const char *domain;	/* recipient's, lower case */
	const char *rcpt;	/* its whole address */
	const char *want, *route, *profile; /* stored with it, "" = none */
	const char *sender;
	const char *waits_for;	/* MIDs, as in the envelope */
	msec not_before;
	bool quarantined;
	enum tls_reason tls;	/* of the last failure, if it was one of TLS */
};
/* From the loop, in slices; done at the end. Items put in after the start
 * are not listed. */
typedef void store_item_fn(void *arg, const struct store_item *v, size_t n);
void store_scan(struct store *s, store_item_fn *fn, store_done *done,
    void *arg);

/* A whole message back from the disk. */
struct store_loaded {
	struct envelope *env;	/* the receiver's */
	struct store_rcpt *rcpt; /* env->nrcpt of them, in env's pool */
	struct body_ref *body;	/* a reference of the receiver's */
	enum store_hold hold;
};
typedef void store_load_fn(void *arg, struct store_loaded *m,
    const struct err *why); /* m NULL: gone (why NULL) or unreadable */
void store_load(struct store *s, uint64_t mid, store_load_fn *fn, void *arg);

/* For `postern queue`: rows that match, as JSON objects, in slices. */
struct store_filter {
	uint64_t mid;		/* 0: any */
	/* NULL: any; * is a wildcard; reason: any part of the last reply. */
	const char *sender, *rcpt, *domain, *reason;
	msec older_than, newer_than; /* age; 0: any */
	int hold;		/* -1: any, else enum store_hold */
	uint64_t limit;		/* 0: all */
};
typedef void store_row_fn(void *arg, struct str json);
/* One object per recipient: mid rid sender rcpt queued next attempts hold
 * quarantine (why) edited size waits_for status reason remote tls route
 * bounce_profile tls_reason. */
void store_list(struct store *s, const struct store_filter *f,
    store_row_fn *fn, store_done *done, void *arg);

/* The same rows, for the scheduler to act on; waiting recipients only. */
void store_pick(struct store *s, const struct store_filter *f,
    store_item_fn *fn, store_done *done, void *arg);

struct store_stats {
	uint64_t commits, txns, bytes, failures;
	uint64_t waiting;	/* transactions not yet durable */
	bool degraded;		/* the last commit failed */
};
void store_stats(const struct store *s, struct store_stats *r);

/*
 * Writing a body: small ones stay in memory until the commit; from
 * body_in_row on they are appended to a segment as they come, so that memory
 * per message is bounded whatever its size. body_write() returns false when
 * the caller must wait for ready() before writing more.
 */
typedef void body_ready(void *arg, const struct err *why);
struct body_ref *body_new(struct store *s, body_ready *ready, void *arg);
bool body_write(struct body_ref *b, const char *p, size_t n);
/* No more bytes. Errors so far come out of the commit as well. */
void body_finish(struct body_ref *b);
struct body_ref *body_ref(struct body_ref *b);
/* An unfinished one is given up: ready() is not called any more. */
void body_unref(struct body_ref **bp);
/* A reference with a reading position of its own: one body_read() at a time
 * goes through one reference, so each delivery takes one of these. */
struct body_ref *body_reader(struct body_ref *b);
uint64_t body_size(const struct body_ref *b);
/* The whole content if it is in memory, else STR_NULL. */
struct str body_memory(const struct body_ref *b);
/* Bytes from an offset, at most max, from the loop; piece valid until the
 * next read or unref. In-memory bodies answer at once: returns true and
 * fills *piece_r; else false, and fn follows (n 0: end, why: unreadable). */
typedef void body_read_fn(void *arg, struct str piece, const struct err *why);
bool body_read(struct body_ref *b, uint64_t off, size_t max,
    struct str *piece_r, body_read_fn *fn, void *arg);
void body_read_cancel(struct body_ref *b);
/*
 * A finished body at once and without a copy: its memory, or its part of the
 * segment, mapped until the last reference goes. Of a large one not before
 * body_settle() said so; -1: it cannot be read.
 */
int body_map(struct body_ref *b, struct str *all_r, struct err *why);
/* True: all octets are where body_map() finds them, or never will be. Else fn
 * follows; one at a time, fn NULL takes it back. */
bool body_settle(struct body_ref *b, body_ready *fn, void *arg);

#endif
