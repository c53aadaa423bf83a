/*
 * Delivery: from due units to other hosts' 250 (DESIGN.md 3).
 *
 * The queue offers next hops with due units; for each the relay finds the
 * hosts (static route, MX), takes a connection within the limits (reused only
 * if its established security meets the want), sends, classifies each answer
 * in relay/verdict and reports to the queue. Host and destination back-off,
 * concurrency across workers (shared memory), connection reuse and the DSNs
 * live here too.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/shm.h"
#include "net/dns.h"
#include "net/loop.h"
#include "net/mx.h"
#include "queue/queue.h"
#include "smtp/smtpc.h"
#include "tls/tlsctx.h"
#include "tls/tlsident.h"
#include "tls/tlswant.h"

struct batv;
struct tlstrust;
struct tls_info;

/* A static route: where mail for a domain goes instead of its MX. */
struct relay_route {
	const char *domain;	/* "example.net", ".example.net", "*" */
	const char *const *hosts; /* "host:port" …, NULL-terminated; for MX of
				     another name "mx:name" (net/mx.h) */
	const char *auth_user;	/* NULL: no AUTH */
	const char *auth_password;
	bool implicit_tls;
	/* NULL, -1 or 0: as in relay_conf */
	const struct tlswant *tls;
	int ip;			/* enum mx_ip */
	unsigned concurrency;
	unsigned max_messages;	/* per connection */
	unsigned max_rcpt;	/* per transaction */
	const struct queue_profile *profile;
};

/* One limit for a whole domain, or one for each address of its hosts. */
enum relay_limit { RELAY_LIMIT_UNSET, RELAY_LIMIT_DOMAIN, RELAY_LIMIT_MX };
enum relay_tag { RELAY_TAG_UNSET, RELAY_TAG_OFF, RELAY_TAG_ON };

/* 0, NULL, UNSET: not said. */
struct relay_rules {
	unsigned concurrency;
	enum relay_limit limit;	/* what concurrency counts */
	unsigned max_messages;	/* per connection */
	unsigned recipients;	/* in so many minutes, all workers */
	unsigned minutes;	/* 1 to 60 */
	unsigned ip;		/* enum mx_ip, plus one */
	const struct queue_profile *profile;
	const char *route;	/* as rcpt.route (relay/route.h) */
	enum relay_tag tag;	/* prvs= in front of the sender */
};

/* What holds for mail to a recipient's domain, however it gets there. */
struct relay_destination {
	const char *name;	/* "a@example.net", "example.net",
				   ".example.net", "*" */
	struct relay_rules rules;
	struct tlsident *cert;	/* shown if asked for; NULL: the next one's */
	const char *cert_name;	/* where only that is known; or NULL */
};

/* Roots that wants name (ca=), read once for all of them. */
struct relay_trust {
	const char *ca;
	struct tlstrust *trust;
};

/* Const while referenced; belongs to a configuration generation. */
struct relay_conf {
	const char *hostname;	/* EHLO name, reporting MTA */
	const char *postmaster;	/* From: of DSNs */
	uint16_t port;		/* 25 */
	enum mx_ip ip;
	const char *bind_v4, *bind_v6; /* local addresses, or NULL */
	struct tlswant tls;
	struct tlsctx *tlsctx;	/* client context */
	struct tlsident *cert;	/* of ours, shown if asked for; or NULL */
	bool tls_verbose;	/* log failed handshakes at length */
	const struct relay_destination *destination;
	const struct batv *batv;   /* keys of tags; or NULL */
	const char *const *ours;   /* who gets one as a sender, for
				    * addr_listed(); or NULL */
	/* Where no destination says it: limit, recipients, minutes, tag. */
	struct relay_rules rules;
	unsigned ndestination;
	/* For a want whose ca is in none of them nobody is trusted. */
	const struct relay_trust *trust;
	unsigned ntrust;
	unsigned concurrency;	/* connections per destination, all workers */
	unsigned total;		/* connections of this worker */
	unsigned max_messages;	/* per connection, then a new one */
	unsigned max_rcpt;	/* per transaction */
	msec idle;		/* how long a connection waits for more */
	msec connect_timeout;
	double timeout_scale;
	msec host_backoff;	/* first pause after a host failed */
	msec host_backoff_max;
	uint64_t return_bound;	/* whole message in a DSN below (10 kB) */
	msec broken_tls;	/* memory of failed handshakes (10 min) */
	const struct queue_profile *profile; /* "default" */
	const struct queue_profile *profiles; /* all of them */
	unsigned nprofiles;
	const struct relay_route *route;
	unsigned nroute;
};

struct relay;

/*
 * The road to other hosts: DNS and the SMTP client, or, in the simulation,
 * something that behaves like them on a fake clock. The functions are those
 * of net/mx.h and smtp/smtpc.h of the same name.
 */
struct relay_peer {
	struct mx_query *(*lookup)(struct dns *d, struct pool *pool,
	    const char *domain, uint16_t port, enum mx_ip ip, mx_fn *fn,
	    void *arg);
	struct mx_query *(*hosts)(struct dns *d, struct pool *pool,
	    const char *const *hosts, uint16_t port, enum mx_ip ip, mx_fn *fn,
	    void *arg);
	void (*lookup_cancel)(struct mx_query **qp);
	struct mx_reverse *(*reverse)(struct dns *d, const struct sock_addr *a,
	    mx_reverse_fn *fn, void *arg);
	void (*reverse_cancel)(struct mx_reverse **rp);
	struct smtpc *(*open)(struct loop *l, const struct smtpc_conf *conf,
	    const struct smtpc_ops *ops, void *arg);
	void (*send)(struct smtpc *c, const struct smtpc_txn *txn);
	void (*source_ready)(struct smtpc *c);
	void (*quit)(struct smtpc *c);
	void (*destroy)(struct smtpc **cp);
	bool (*is_ready)(const struct smtpc *c);
	bool (*offers_dsn)(const struct smtpc *c);
	const struct tls_info *(*tls)(const struct smtpc *c);
	void (*tls_chain)(const struct smtpc *c, struct buf *dst);
	/* The local address of the connection, for the log; returns dst. */
	const char *(*local)(const struct smtpc *c, char *dst, size_t n);
};

/* What somebody wants for a recipient. */
struct relay_opinion {
	const char *want;	/* text (tls/tlswant.h); what cannot be read
				 * keeps the mail here */
	const char *who;	/* whose it is, or NULL: for that case */
	bool ours;		/* of the configuration: in place of what it
				 * says of delivery in general */
	const char *entry;	/* "FILE:LINE PATTERN"; NULL: nobody asked */
};

/* A next hop whose TLS somebody may have an opinion on; valid until fn. */
struct relay_hop {
	const char *domain;	/* of the recipients, or of the route */
	bool route;
	const struct mx_result *mx;
};

/* want: text to combine by maximum, or NULL; source: whose it is, "dane"; ttl:
 * how long it holds. why: it could not be found out, nothing is sent. */
typedef void relay_policy_fn(void *arg, const char *want, const char *source,
    msec ttl, const struct err *why);

/* What is said about a unit that is about to be sent. */
enum relay_say { RELAY_SEND, RELAY_DEFER, RELAY_BOUNCE };
struct relay_verdict {
	enum relay_say say;
	struct err reply;	/* DEFER, BOUNCE */
	const char *want;	/* to combine by maximum, or NULL */
	const char *route;	/* to go by instead (relay/route.h), or NULL */
};
typedef void relay_verdict_fn(void *arg, const struct relay_verdict *v);

/* Where a unit is about to go. */
struct relay_to {
	const char *hop, *host, *ip;
	const char *want;	/* text of what counts there */
	uint16_t port;
	uint64_t dcid;
	const struct tls_info *tls; /* NULL: clear */
};

/*
 * Those who have a say in deliveries (the plugin host); each may be NULL. fn
 * is called once, from the loop, never from inside the call; cancel() takes a
 * question back. NULL is returned where nobody is to be asked, or has said
 * already that nothing speaks against it.
 */
struct relay_asks {
	/* Fills in what is wanted for a recipient (local "": any), and returns
	 * how many opinions there are, RELAY_OPINIONS at most; never waits. The
	 * texts are valid until the next call. */
	unsigned (*tls_rcpt)(void *arg, struct str domain, struct str local,
	    struct relay_opinion *v);
	void *(*tls_hop)(void *arg, const struct relay_hop *hop,
	    relay_policy_fn *fn, void *fnarg);
	void *(*deliver)(void *arg, struct qunit *u,
	    const struct relay_to *to, relay_verdict_fn *fn, void *fnarg);
	void (*cancel)(void *arg, void *pending);
	/* News; they copy what they need. */
	void (*queued)(void *arg, const struct envelope *env);
	void (*told)(void *arg, enum queue_fate fate, const struct qunit *u,
	    const struct qreport *v, unsigned n);
	void (*durable)(void *arg, uint64_t mid); /* as queue_ops has it */
};
#define RELAY_OPINIONS 16

/* A host that did not give the TLS that is required for mail to a domain. */
struct relay_tls_fail {
	struct str domain;	/* of the recipients, as keys have it */
	const char *host, *ip;	/* host: its name, or "" */
	enum tls_reason reason;
	struct str why;		/* in this case */
};

struct relay_world {
	struct loop *loop;
	struct dns *dns;
	struct shm *shm;
	struct ids *ids;
	struct store *store;	/* bodies of DSNs */
	unsigned worker;
	const struct relay_peer *peer; /* NULL: the real one */
	const struct relay_asks *asks; /* NULL: nobody */
	void *asks_arg;
	/* TLS that is required could not be had, once for each domain whose
	 * mail waits for it; NULL: nobody wants to know. */
	void (*tls_failed)(void *arg, const struct relay_tls_fail *f);
	/* Delivered or given up: a message for that domain, for which TLS is
	 * required. Only while relay_tls_watch() is on. */
	void (*tls_told)(void *arg, struct str domain, enum queue_fate fate);
	/* A report of ours to rcpt may not travel with less TLS than there is,
	 * and waits for the administrator; or NULL. */
	void (*held_alert)(void *arg, uint64_t mid, const struct addr *rcpt,
	    struct str why);
	void *alert_arg;
};

/* conf must live until relay_conf_set() gave another or relay_destroy(). */
struct relay *relay_new(const struct relay_world *w,
    const struct relay_conf *conf);
/* The queue's operations, to be handed to queue_new() with the relay as arg;
 * then the queue itself. */
const struct queue_ops *relay_queue_ops(void);
void relay_queue_set(struct relay *r, struct queue *q);
/* New settings: running transactions end under the old ones. old() is called
 * with arg when nothing refers to the previous conf any more. */
void relay_conf_set(struct relay *r, const struct relay_conf *conf,
    loop_fn *old, void *arg);
/* No new transactions; done() when the running ones have ended. */
void relay_stop(struct relay *r, loop_fn *done, void *arg);
void relay_destroy(struct relay **rp);
/* Forgets the back-offs of the domain's next hop (flush, ETRN), with
 * `subdomains` also of those below it; an empty domain means all. Who is due
 * and was not told of the last failure yet is tried, not told. */
void relay_wake(struct relay *r, struct str domain, bool subdomains);

/* Is anybody interested in relay_world.tls_told? At first nobody is. */
void relay_tls_watch(struct relay *r, bool on);

struct relay_stats {
	unsigned connections, idle, hops, hops_down;
};
void relay_stats(const struct relay *r, struct relay_stats *st);
/* One JSON object per next hop: hop, tls (the want that counts), tls_source
 * (who raised it, or ""), key (hop and want, as in the queue), due,
 * connections, state, wait, last error. */
typedef void relay_row_fn(void *arg, struct str json);
void relay_list(struct relay *r, relay_row_fn *fn, void *arg);

#endif
