/*
 * What the files of the tester share.
 *
 *   probe        a destination: its hosts, and who is tested when
 *   probe_host   a host: its connections and what was found
 *   probe_judge  what that means;  probe_text, probe_json: written down
 */
#ifndef RELAY_PROBE_PRIV_H
#define RELAY_PROBE_PRIV_H

#include "relay/probe.h"
#include "relay/refs.h"
#include "smtp/smtpc.h"

/* One host while it is tested. */
struct probe_try {
	unsigned magic;
#define PROBE_TRY_MAGIC 0x9e0be7a1u
	struct probe *probe;
	struct probe_host *h;
	struct sock_addr addr;
	struct mx_reverse *reverse;
	struct smtpc *client;
	struct smtpc_conf conf;
	struct tlswant want;
	enum tls_step step;
	bool tls_up;
	bool helo;	  /* EHLO was refused */
	bool once_more;	  /* with the step */
	msec begun, last; /* of the connection; of the last stage's end */
	struct loop_timer next;
	void (*then)(struct probe_try *t);
	bool running;
};

struct probe {
	unsigned magic;
#define PROBE_MAGIC 0x9e0be500u
	struct probe_conf conf;
	struct probe_report report;
	struct pool *pool;
	struct mx_query *query;
	struct probe_try *try; /* one for each host of the report */
	unsigned next, running;
	probe_fn *fn;
	void *arg;
	struct loop_timer timer;
};

/* probe.c */
void probe_try_ended(struct probe_try *t); /* frees nothing */
/* A stranger's text, fit for a terminal; line feeds stay. */
const char *probe_clean(struct pool *pool, struct str text);

/* probe_host.c */
void probe_try_start(struct probe_try *t);
void probe_try_stop(struct probe_try *t);

/* probe_judge.c */
/* Fills h->would; force: one more, by its name; or NULL. */
void probe_judge(struct probe_host *h, const struct tlswant *force,
    const char *name, struct pool *pool);
const struct probe_check *probe_check_find(const struct probe_host *h,
    const struct tlswant *want, struct pool *pool);
const char *probe_want_text(const struct tlswant *want, struct pool *pool);

#endif
