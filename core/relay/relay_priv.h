/*
 * What the files of the relay share. Nobody outside includes this.
 *
 *   relay     one per worker: settings, all destinations, hosts, connections
 *   dest      a next hop: its hosts, its connections, its back-off
 *   policy    what others want of a next hop's TLS, once its hosts are known
 *   host      an address, shared by destinations: what we know about it
 *   conn      a connection to a host for a destination
 *   conn_want what it asks of its peer
 *   conn_tls  what TLS does to it, and what is tried next
 *   delivery  a unit on a connection
 *   treat     what is said about a unit before it is sent
 */
#ifndef RELAY_RELAY_PRIV_H
#define RELAY_RELAY_PRIV_H

#include "base/buf.h"
#include "base/coll.h"
#include "base/log.h"
#include "base/obj.h"
#include "base/pool.h"
#include "relay/destmap.h"
#include "relay/relay.h"
#include "relay/verdict.h"
#include "relay/way.h"

#define RELAY_MAX_HOSTS 32	    /* addresses tried per destination */
#define RELAY_PATIENCE 50	    /* ms until another connection helps */
#define RELAY_FAIL_SLICE 100	    /* units failed per loop round */
#define RELAY_MX_MIN SECONDS(5)	    /* bounds of a cached MX answer */
#define RELAY_MX_MAX HOURS(1)
#define RELAY_TLS_HISTORY HOURS(72)  /* how long working TLS counts */

/* A configuration, kept while a connection was made under it. */
struct relay_gen {
	struct relay *relay;
	const struct relay_conf *conf;
	struct destmap *destmap;
	unsigned refs;
	loop_fn *old;
	void *arg;
};

TAILQ_HEAD(conn_list, conn);
TAILQ_HEAD(dest_list, dest);

struct relay {
	unsigned magic;
#define RELAY_MAGIC 0x7a91c4e1u
	struct relay_world w;
	const struct relay_peer *peer;
	const struct relay_asks *asks;
	struct queue *queue;
	struct relay_gen *gen;
	struct dest_list dests;
	unsigned ndest, nstarving;
	struct conn_list idle;	/* the longest idle first */
	unsigned nconn, nidle;
	struct hash hosts;
	size_t sweep_at;	/* hosts.n at which it is looked through */
	struct hash policies;	/* by key of the hop */
	bool watched;		/* by tls_told */
	bool stopping;
	loop_fn *stopped;
	void *stopped_arg;
	struct way way;		/* of the last one that was asked about */
	struct buf key;
};

struct host {
	struct hash_node node;
	struct sock_addr addr;
	unsigned refs;		/* candidates and connections */
	unsigned conns;
	unsigned fails;		/* in a row */
	msec down_until;	/* clock_now; others are tried before it */
	/* Remembered for a while: handshakes fail, clear text under
	 * `opportunistic`; STARTTLS cuts the connection off, clear text where
	 * that is allowed before the 220. */
	msec clear_until, cut_until;
	enum tls_step tls_step;	/* that worked where a higher one did not */
	msec step_until;
	msec tls_good;		/* the last handshake that succeeded, or 0 */
};

struct dest_cand {
	const struct sock_addr *addr;
	const char *name;
	const char *domain;
	unsigned pref;		/* and its place among equals */
	unsigned mx;		/* preference of the record */
	struct host *host;
	bool secure;		/* who vouches for the name: DNSSEC, a route */
	bool tried;		/* failed in this round */
	/* Where its next connection of this round begins. */
	enum tls_step tls_step;
	bool avoid_tls;
};

enum dest_state {
	DEST_NEW,	/* hosts unknown or too old */
	DEST_RESOLVING,
	DEST_ASKING,	/* hosts known, what is wanted of them not yet */
	DEST_UP,	/* hosts known */
	DEST_DOWN,	/* all failed: waits for its timer */
	DEST_FAILING	/* its due units are being reported */
};

/* Why a destination failed; what its units are told. */
struct dest_fail {
	enum qresult result;
	int code;
	char status[12];
	char text[512];
	char remote[256];
	uint64_t dcid;
	enum tls_reason tls;	/* TLSR_NONE: not a failure of TLS */
};

/* A want that a policy made higher; connections that were opened under it
 * keep it. */
struct raise {
	unsigned refs;
	struct pool *pool;	/* this struct and what it points to */
	const char *text, *source;
	struct tlswant want;
};

struct dest {
	unsigned magic;
#define DEST_MAGIC 0x31d0be57u
	struct relay *relay;
	struct qhop *hop;
	const char *key;	/* of the hop, without its want */
	const char *text;	/* of the want; "": that of delivery */
	struct tlswant want;	/* if it has a text */
	bool unreadable;	/* that text: nothing is sent */
	struct raise *raise;	/* in place of it; NULL: nobody wants more */
	void *question;		/* to somebody, for a policy */
	bool policed;		/* and its answer holds for so long */
	msec policy_until;
	struct pool *own;	/* text, want, and a route made of hosts */
	uint64_t shm_key;	/* of all wants */
	/* It has no connection because others of that key have them all; one
	 * of them was asked to make room. */
	bool starving, asked;
	uint64_t starving_key;
	const struct relay_route *route;
	const struct relay_route *hosts; /* its own, of the key */
	struct relay_rules rules; /* for its domain, all of them given */
	enum dest_state state;
	struct pool *pool;	/* mx and cand; reset with each lookup */
	struct mx_query *query;
	msec mx_until;
	struct dest_cand *cand;
	unsigned ncand;
	bool proven;		/* a host of it was ready since it failed */
	struct conn_list conns;
	unsigned nconn, nopening;
	struct loop_timer timer; /* end of DOWN, or the next slice */
	struct loop_timer patience;
	msec backoff;
	struct dest_fail fail;
	bool tls_failed;	/* fail is of TLS, in this round */
	unsigned failing;	/* due units still to be told */
	bool taking;		/* a unit to be told is being read */
	bool slicing;		/* inside the loop that tells them */
	TAILQ_ENTRY(dest) link;
};

enum conn_state {
	CONN_OPENING,
	CONN_READY,	/* between messages; the timer will feed it */
	CONN_IDLE,	/* kept for a while */
	CONN_TAKING,	/* its unit is being read from the store */
	CONN_BUSY,
	CONN_CLOSING
};

struct conn {
	unsigned magic;
#define CONN_MAGIC 0x5c0e99a3u
	struct relay *relay;
	struct dest *dest;
	struct relay_gen *gen;
	struct host *host;
	char *name;		/* of the host */
	char *domain;		/* that its certificate must be for */
	uint64_t shm_key;	/* what it has a share of */
	struct smtpc_conf conf;
	struct smtpc *client;
	enum conn_state state;
	bool linked;		/* in relay->idle */
	unsigned sending;	/* inside send(): results are deferred */
	bool dead;		/* gone while a unit was being read */
	bool retired;		/* no more messages on it */
	uint64_t dcid;		/* 0: never connected */
	unsigned messages;
	unsigned sent;		/* transactions: one may be part of one */
	struct loop_timer timer;
	struct delivery *delivery;
	char local[SOCK_IP_MAX]; /* our address; "" before it is known */
	const struct tlswant *want; /* of dest, for as long as that has it */
	struct raise *raise;	/* that it is in; or NULL */
	bool secure, routed;	/* who vouches for name: DNSSEC, or a route */
	struct mx_reverse *reverse;
	struct pool *pool;	/* references; NULL: none are needed */
	bool tls_up;
	struct buf tls_detail;	/* of a failed handshake, if tls_verbose */
	struct buf tls_why;	/* of a refusal, until it is logged */
	enum tls_reason tls_reason;
	TAILQ_ENTRY(conn) link, idle_link;
};

/* relay.c */
void relay_gen_unref(struct relay_gen **gp);
const struct tlswant *relay_dest_want(const struct dest *d);
const char *relay_dest_text(const struct dest *d); /* of it */
/* What we show to its hosts if they ask; NULL: nothing. */
struct tlsident *relay_dest_cert(const struct dest *d);
void relay_check_stopped(struct relay *r);

/* dest.c */
struct dest *dest_new(struct relay *r, struct qhop *hop);
void dest_destroy(struct dest **dp);
void dest_kick(struct dest *d);
/* Forgets back-offs and cached hosts; with `settings`, also routes and
 * connections, because a new configuration holds. */
void dest_renew(struct dest *d, bool settings);
/*
 * The limit of a destination is shared by all that is wanted of it. Who gets
 * no connection has one of the others end after its message, and has the next
 * turn; else a stream of one want could keep out another for ever.
 */
void dest_starves(struct dest *d, uint64_t shm_key);
void dest_sated(struct dest *d);
/* Another one that wants a share of this. */
struct dest *dest_starving(struct dest *not, uint64_t shm_key);
/* Frees it when nothing is left to do. */
void dest_settle(struct dest *d);
/* A connection became ready: the destination works. */
void dest_proved(struct dest *d);
/* A connection attempt to a host failed; tries the next, or gives up. */
void dest_host_failed(struct dest *d, struct host *h,
    const struct dest_fail *f);
/* May what is due be sent on the connections that there are? */
bool dest_may_send(const struct dest *d);
/* Its hosts are known and so is what is wanted, or (why) it is not. */
void dest_policed(struct dest *d, const struct err *why);
const char *dest_state_name(const struct dest *d);

/* dest_limit.c */
/* What holds for d now: its blocks, its route, the settings. */
void dest_limits(struct dest *d);
/* A share of connections to a host there; false: others have them all. */
bool dest_share(struct dest *d, const struct host *h, uint64_t *key_r);
/* Opens a connection there, or, where each host has a limit of its own, to
 * another that is as good. */
void dest_open(struct dest *d, struct dest_cand *cand);
/* How many of n recipients may be sent now; they count as sent. */
unsigned dest_take_rcpts(struct dest *d, unsigned n);
/* How long nothing may be sent, because as much was as may be. */
msec dest_wait(const struct dest *d);
const struct queue_profile *dest_profile(struct relay *r, const char *key);

/* dest_fail.c */
/* Reports the same about every recipient of u. */
/* needed: as in struct qreport. */
void dest_tell(struct relay *r, struct qunit *u, const struct dest_fail *f,
    const char *needed);
/* By d->fail; then it pauses. */
void dest_give_up(struct dest *d);
void dest_tell_slice(struct dest *d); /* goes on with it */

/* policy.c */
void policy_init(struct relay *r);
void policy_fini(struct relay *r);
/* Asks what is wanted of a destination with these hosts; false: nobody wants
 * to say something. Else dest_policed() follows, from the loop. */
bool policy_ask(struct dest *d, const struct mx_result *mx);
void policy_cancel(struct dest *d);
/* What counts for a key, as far as it is known; NULL: not readable. */
const struct tlswant *policy_want(struct relay *r, const char *key);
struct raise *raise_ref(struct raise *r); /* NULL is fine */
void raise_unref(struct raise **rp);

/* host.c */
/* A reference; nobody frees a host that has one. */
struct host *host_get(struct relay *r, const struct sock_addr *a);
void host_failed(struct relay *r, struct host *h);
void host_works(struct host *h);
/* It had working TLS not long ago: what fails now is not its nature. */
bool host_had_tls(const struct host *h);
void host_release(struct host *h);
void host_free_all(struct relay *r);

/* conn.c */
int conn_open(struct dest *d, struct dest_cand *c); /* -1: no slot free */
void conn_feed(struct conn *c);	   /* idle: take the next unit, or wait */
/* It has carried as many messages as one may. */
bool conn_is_full(const struct conn *c);
/* Its delivery has ended, and it may be ready for the next. */
void conn_next(struct conn *c);
void conn_retire(struct conn *c);  /* no more messages after this one */
void conn_kill(struct conn **cp);  /* silent */
struct conn *conn_idle_of(struct dest *d);
void conn_remote(const struct conn *c, char *dst, size_t n);
struct dest_cand *conn_cand(const struct conn *c); /* NULL: gone meanwhile */
void conn_count(const struct conn *c, unsigned metric);
void relay_count(const struct relay *r, unsigned metric, uint64_t n);

void conn_dial(struct conn *c);

/* conn_want.c */
void conn_want_conf(struct conn *c, const struct dest_cand *cand);
/* conn_dial(), now or when the name of the address is known. */
void conn_want_open(struct conn *c);

/* conn_tls.c */
void conn_tls_conf(struct conn *c, const struct dest_cand *cand);
/* The largest step down that a want allows; what a smaller offer than `now` can
 * mend, `now` if nothing can. */
enum tls_step conn_tls_lowest(const struct tlswant *w);
enum tls_step conn_tls_next(const struct tlswant *want, enum tls_step now,
    const struct smtpc_reply *r);
/* May a new connection do without TLS, to a host that had none lately? */
bool conn_tls_clear(const struct tlswant *w, bool implicit_tls,
    const struct smtpc_reply *r);
const char *conn_tls_step_name(enum tls_step step); /* "classic" */
/* struct smtpc_ops.tls */
void conn_tls_told(struct conn *c, const struct tls_info *info,
    const struct smtpc_reply *why);
void conn_tls_ready(struct conn *c);
/* The lines behind "Connection Error" when r is about TLS. */
void conn_tls_log(struct conn *c, const struct smtpc_reply *r);
/* Nothing else can be tried with the host: who waits for it is told of. */
void conn_tls_failed(const struct conn *c, const struct smtpc_reply *r);
/* Is another connection to the host of use? Then what it shall do is noted. */
bool conn_tls_again(struct conn *c, const struct smtpc_reply *r);

/* delivery.c */
void delivery_start(struct conn *c, struct qunit *u);
void delivery_rcpt(struct delivery *dl, unsigned i,
    const struct smtpc_reply *r);
void delivery_done(struct delivery *dl, const struct smtpc_reply *r);
/* The connection went away below it; reports and frees. */
void delivery_lost(struct delivery *dl, const struct smtpc_reply *r);
void delivery_abort(struct delivery **dlp);

bool delivery_is_asking(const struct delivery *dl);

/* treat.c */
struct treat {
	const char *want, *route; /* to be stored; NULL: as they are */
};
/*
 * What a verdict makes of recipient rc of a unit with that key: 1: it is to go
 * another way, by *t_r; 0: this one is the right one; -1: that cannot be done.
 */
int treat_rcpt(struct relay *r, struct rcpt *rc, const char *key,
    const struct relay_verdict *v, struct treat *t_r, struct pool *pool,
    struct err *why);

/* bounce.c: struct queue_ops.dsn */
void bounce_dsn(void *arg, struct qunit *u, enum report_kind kind,
    const struct qreport *v, unsigned n);

#endif
