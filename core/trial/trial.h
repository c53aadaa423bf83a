/*
 * A trial: a message goes through the plugins of a configuration without a
 * server, on the real plugin host.
 *
 * A trial has a loop, a host with one generation of instances, and one subject
 * (trial/subject.h): a session and the message it sends. What the world
 * outside answers is told beforehand (trial/canned.h), and time is the fake
 * clock's. posternstub(1) runs its scripts on it, `postern policy` its tests.
 *
 * A turn is one step of the session: it asks whom the server would ask, waits
 * for the answer and leaves it in verdict. What makes no sense at that point
 * (a recipient without a message) is told in broken, or passed over if the
 * trial is lenient.
 */
#ifndef TRIAL_TRIAL_H
#define TRIAL_TRIAL_H

#include "base/buf.h"
#include "base/shm.h"
#include "host/hooks.h"
#include "host/host.h"
#include "net/loop.h"
#include "policy/conf.h"
#include "trial/canned.h"
#include "trial/subject.h"

#define TRIAL_MAGIC 0x7c61e208U
#define TRIAL_WALL 1767225600000 /* 2026-01-01T00:00:00Z, when it begins */

/* How far a message got. */
enum trial_stage {
	TRIAL_NONE,
	TRIAL_MAIL,
	TRIAL_DATA,
	TRIAL_HEADERS,
	TRIAL_EOM
};

struct trial_filter;

struct trial {
	unsigned magic;
	const char *hostname, *listener;
	struct pool *pool;
	struct loop *loop;
	struct canned *canned;	/* NULL: the world is the real one */
	struct dns *dns;	/* of a live trial; the caller's */
	struct shm *shm;
	const struct conf *conf; /* before trial_load() */
	struct conf *owned;	/* that goes with it, or NULL */
	struct host *host;
	struct host_gen *gen;
	struct subject *subject;
	struct buf log, alerts; /* all lines so far */
	uint64_t icid, mid;
	bool tables;		/* canned for every table there is */
	/* As in struct host_world; or NULL */
	void (*loads)(void *arg, const char *what);
	void *loads_arg;
	bool lenient;
	bool gone;		/* the client has left for good */
	struct err broken;	/* it cannot go on: text, or "" */
	/* before each wait; false: the client leaves. Or NULL */
	bool (*waits)(void *arg);
	/* An operation answered: op, and what is in oparg, which is gone when
	 * trial_ask_op() returns. Or NULL */
	void (*says)(void *arg, const void *oparg);
	void *arg;
	/* the question under way */
	bool answered, asked;
	struct hook_verdict verdict;
	struct hook_run *hook_pending;
	struct op_run *op_pending;
	struct op_answer op;
	const void *oparg;
	enum trial_stage stage;
	struct trial_filter *filters;
};

/* A client, as facts; NULL: not so. */
struct trial_client {
	const char *ip, *port, *name, *helo, *auth, *listener;
	const char *tls_version, *tls_cipher;
	/* Of the client's certificate; cert NULL: it has none. */
	const char *cert, *sha256, *subject, *issuer, *names;
};

/* A trial with real time and the real world; dns: the caller's, of loop. */
void trial_live(struct trial *t, struct loop *loop, struct dns *dns,
    const char *hostname, const char *listener);
/* Pool, clock, log, loop, canned world and subject; hostname and listener are
 * as its facts have them. -1 and why: trial_fini() it all the same. */
int trial_init(struct trial *t, const char *hostname, const char *listener,
    struct err *why);
void trial_fini(struct trial *t);
/* The instances of t->conf, and their start hooks. */
int trial_load(struct trial *t, struct err *why);
int trial_start(struct trial *t, struct err *why);

/* Asks and waits. False: it is over, nobody is there for the answer. */
bool trial_ask(struct trial *t, enum hook h, int rcpt);
bool trial_ask_op(struct trial *t, struct instance *i, const char *op,
    bool may_wait, void *arg);
/* What the last turn came to. */
enum pst_verdict trial_verdict(const struct trial *t);
/* Lets something happen, and time pass; false: there is nothing to come. */
bool trial_step(struct trial *t);
/* What runs by itself: reports, tasks, timers. */
void trial_settle(struct trial *t, msec for_ms);
/* Says so in broken unless ok. */
bool trial_may(struct trial *t, bool ok, const char *why);

/* turn.c. Texts stay the caller's and must live as long as the trial. */
void trial_connect(struct trial *t, const struct trial_client *c);
void trial_helo(struct trial *t, const char *name);
void trial_tls(struct trial *t, const char *version, const char *cipher);
void trial_mail(struct trial *t, const char *from, const char *size,
    const char *envid);
void trial_rcpt(struct trial *t, const char *to);
void trial_header(struct trial *t, const char *name, const char *value);
/* Lines of the body; LF or CRLF end them. */
void trial_body(struct trial *t, struct str text);
void trial_data(struct trial *t);
void trial_headers(struct trial *t);
void trial_eom(struct trial *t);
void trial_branch(struct trial *t);
/* A hook of the delivery, for each branch. */
void trial_delivery(struct trial *t, enum hook h);
void trial_disconnect(struct trial *t);

#endif
