/*
 * What the files of the plugins on the way out share: plugs_out.c (TLS
 * policies), plugs_deliver.c (before a message is sent), plugs_told.c
 * (reports), plugs_facts.c (what they are about).
 */
#ifndef DAEMON_PLUGS_PRIV_H
#define DAEMON_PLUGS_PRIV_H

#include "base/coll.h"
#include "daemon/plugs_out.h"
#include "host/hooks.h"

/* Who has an opinion on the TLS for a recipient. */
struct policy_of {
	struct instance *i;
	bool ours;	   /* it stands for blocks of the boot file */
	const char *fault; /* in place of an answer; no want reads so */
};

TAILQ_HEAD(told_list, told);

enum {
	PLUGS_POOL = 2048, /* octets: enough for most questions and reports */
	PLUGS_SPARE = 64,  /* pools that are kept */
	PLUGS_UNSURE = 64  /* lists, by MID */
};

struct plugs_out {
	unsigned magic;
#define PLUGS_OUT_MAGIC 0x9106007au
	struct loop *loop;
	struct host_gen *gen;
	const struct relay_conf *conf;
	struct pool *pool;	/* of policies */
	struct pool *explained;	/* entries are told, in this one; or NULL */
	struct policy_of *policy;
	unsigned npolicy;
	struct told_list told;	/* that are asked */
	struct told_list unsure[PLUGS_UNSURE]; /* not on the disk yet */
	struct told_list sure;	/* to be asked in the next round */
	struct loop_timer told_timer;
	unsigned ntold;
	struct pool *spare[PLUGS_SPARE]; /* for the next ones */
	unsigned nspare;
	msec warned;		/* that reports were lost */
};

/* One question, to take back by its kind. */
struct pending {
	unsigned magic;
#define PENDING_MAGIC 0x9e4d1d60u
	void (*cancel)(struct pending *p);
};

/* What a delivery, or a report of one, is about; strings of others. */
struct out {
	const char *hop, *host, *ip, *want;
	uint16_t port;
	const struct tls_info *tls;
	const struct envelope *env;
	struct rcpt *const *rcpt; /* n of them */
	unsigned n;
	unsigned attempt;	/* 0: not known */
	/* Reports: of the recipient they are about. */
	const struct qreport *report;
	/* The deliver hook: what was set. */
	const char *new_want, *new_route;
	const struct relay_conf *conf;
	struct pool *pool;	/* of the question or report */
	struct notes *notes;	/* NULL: not read yet, or none */
	struct scope *scope[2];	/* message and recipient: the event's life */
};
extern const struct about_ops out_about;
void out_end(struct out *o); /* its scopes */

/* A pool for one question or report, and its way back. */
struct pool *plugs_pool(struct plugs_out *p);
void plugs_pool_end(struct plugs_out *p, struct pool *pool);

void *plugs_deliver(void *arg, struct qunit *u, const struct relay_to *to,
    relay_verdict_fn *fn, void *fnarg);
void plugs_queued(void *arg, const struct envelope *env);
void plugs_told(void *arg, enum queue_fate fate, const struct qunit *u,
    const struct qreport *v, unsigned n);
void plugs_durable(void *arg, uint64_t mid);
void plugs_told_init(struct plugs_out *p);
void plugs_told_drop(struct plugs_out *p);

#endif
