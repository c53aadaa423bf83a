/*
 * The simulation: the real queue and relay on a fake clock, with a memory
 * store and a network made of Lua tables. Nothing sleeps, everything is
 * deterministic.
 *
 * A scenario file calls test("sentence", function() … end); each test gets a
 * world of its own. What it can say:
 *
 *   worker(n)                       use n workers (1 by default) that share
 *                                   the limits; before the first submit
 *   conf { concurrency =, … }       relay settings (numbers of seconds; tls =
 *                                   a level)
 *   profile { first_retry =, … }    the bounce profile
 *   mx("d.example", { "10.0.0.1", … })   hosts of a domain in order, or
 *       with equal = true of one preference, or
 *   mx("d.example", "nxdomain" | "null" | "fail" | "nohost")
 *   host("10.0.0.1", { … })         how a host behaves:
 *       connect = "ok" | "refused" | "timeout"
 *       banner = 220, mail = 250, dot = 250    code, or function(t) → code
 *       rcpt = 250 | function(address) → code
 *       drop = "mail" | "rcpt" | "dot"         closes instead of answering
 *       latency = 0.01, dsn = false, ptr = nil (the name of its address)
 *       tls = "good" | "unverified"            a handshake succeeds
 *           | "none" (default) | "noehlo" | "masked" | "refused" | "cut"
 *           | a word of tbl/reasons.h          it fails so after the 220;
 *             or function(step) → one of them; step is "full", "classic",
 *             "tls12" or "rsa"
 *   limits(name, { … })             what a destination block says beyond TLS:
 *                                   concurrency, max_messages, recipients,
 *                                   minutes, by_mx = true; before the start
 *   destination(name, want)         a block of the destination table; after
 *                                   the first submit it is a reload
 *   policy { rcpt = function(domain, name) → want,
 *       hop = function(domain, hosts) → { want =, source =, ttl =, delay =,
 *           fails = why },
 *       deliver = function { hop =, host =, want =, tls =, to = } →
 *           { say = "send" | "defer" | "bounce", text =, want =, route =,
 *             delay = } }          what others say; nil: nothing
 *   news                            list of { what = "queued" | "delivered" |
 *                                   "deferred" | "bounced", to =, text = }
 *   mid = submit { from =, to = { … }, worker = 1, size =, notify =,
 *                  want = TEXT or { TEXT, … } stored with the recipients }
 *   run(seconds, turns)             moves the clock; by at most so many turns
 *                                   of the loop (nil: as many as it takes)
 *   now()                           seconds since the start
 *   arrived                         list of { t, host, from, to, mid, worker,
 *                                   tls = step, or nil in clear, level, and
 *                                   conn, a number of the connection }
 *   attempts                        list of { t, host, result }
 *   peak("10.0.0.1")                most connections at once
 *   opened("10.0.0.1")              connections so far
 *   waiting()                       messages in all queues
 *   held()                          units that are held
 *   release()                       … no longer
 *   hops()                          list of next hops, as JSON
 *   flush("domain")                 ETRN
 *   metric("tls_out_total")         a metric of tbl/metrics.h
 *   eq(a, b, what), ok(a, what)
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <lua.h>
#include <stdbool.h>

#include "relay/relay.h"

#define SIM_WORKERS 4

struct sim_worker {
	unsigned magic;
#define SIM_WORKER_MAGIC 0x51300001u
	struct sim *sim;
	unsigned index;
	struct store *store;
	struct queue *queue;
	struct relay *relay;
};

struct sim {
	lua_State *lua;
	struct loop *loop;
	struct shm *shm;
	struct ids *ids;
	struct relay_conf conf;
	struct queue_profile profile;
	struct pool *pool;	/* of what scenarios configure */
	struct sim_worker worker[SIM_WORKERS];
	unsigned workers;
	bool started;
	msec start;		/* clock_now() of the test's beginning */
	char ids_path[64];
};

/* The fake network of simnet.c: finds its tables in the registry of lua. */
extern const struct relay_peer simnet_peer;
void simnet_open(struct sim *s);	/* defines mx, host, arrived … */
void simnet_close(void);

/* The fake DNS of simmx.c. */
void simmx_open(struct sim *s);
struct mx_query *simmx_lookup(struct dns *d, struct pool *pool,
    const char *domain, uint16_t port, enum mx_ip ip, mx_fn *fn, void *arg);
struct mx_query *simmx_hosts(struct dns *d, struct pool *pool,
    const char *const *hosts, uint16_t port, enum mx_ip ip, mx_fn *fn,
    void *arg);
void simmx_lookup_cancel(struct mx_query **qp);
struct mx_reverse *simmx_reverse(struct dns *d, const struct sock_addr *a,
    mx_reverse_fn *fn, void *arg);
void simmx_reverse_cancel(struct mx_reverse **rp);

/*
 * simtls.c: what becomes of TLS by the word of a host, as smtpc would have it.
 * r_r is filled if it was told to tls(); then it is the end of the connection,
 * or the session goes on in clear.
 */
enum simtls { SIMTLS_UP, SIMTLS_CLEAR, SIMTLS_END };
enum simtls simtls_play(const struct smtpc_conf *conf, const char *word,
    struct tls_info *info, struct tls_failure *failure,
    struct smtpc_reply *r_r);
const char *simtls_step_name(enum tls_step step);

/* simasks.c: who has a say in deliveries (policy, news). */
extern const struct relay_asks simasks;
void simasks_open(struct sim *s);
/* An entry of the table that stands for destination blocks. */
void simasks_table(const char *name, const char *want);

/* Pushes table NAME[KEY] of the scenario, or nil. */
void sim_push(struct sim *s, const char *name, const char *key);

#endif
