#include "net/dns.h"

#include <errno.h>
#include <string.h>
#include <sys/types.h>
#include <unbound.h>
#include <unistd.h>
/* It wants the types above. */
#include <unbound-event.h>

#include "base/mem.h"
#include "base/obj.h"
#include "net/dns_records.h"
#include "net/dns_wire.h"

#define DNS_MAGIC	0x10091a08u
#define DNS_QUERY_MAGIC 0x10091a09u

enum {
	CLASS_IN = 1,
	HOPS_MAX = 8, /* CNAMEs from one local record to the next */
	TIMEOUT_MS = 10000
};

struct dns {
	unsigned magic;
	struct loop *loop;
	struct ub_ctx *ctx;
	msec timeout;
	bool closing;
	struct dns_stats stats;
	LIST_HEAD(, dns_query) queries;
};

/*
 * libunbound holds a query from the question to its callback, which it calls
 * whatever we think of it by then; the loop holds it while a round is deferred.
 * It is freed when neither does.
 */
struct dns_query {
	unsigned magic;
	struct dns *dns;
	struct loop *loop;
	dns_fn *fn; /* NULL: nobody waits any more */
	void *arg;
	enum dns_type type;
	struct pool *pool;
	const char *name; /* asked for now: follows local CNAMEs */
	struct dns_answer answer;
	struct loop_timer timer;
	unsigned hops;
	uint32_t ttl;
	bool secure;
	bool asked; /* libunbound will call back */
	bool due;   /* dns_round() is deferred */
	bool answered;
	LIST_ENTRY(dns_query) link;
};

static int
dns_set_up(struct dns *d, const struct dns_conf *conf, struct err *why);
static int dns_options(struct dns *d, bool validate, struct err *why);
static int
dns_forward(struct dns *d, const char *const *servers, struct err *why);
static void dns_send(struct dns_query *q);
static void dns_heard(void *arg, int rcode, void *packet, int n, int sec,
    char *why_bogus, int limited);
static void dns_late(void *arg);
static void dns_fail(struct dns_query *q, enum dns_status s, const char *why);
static void dns_later(struct dns_query *q);
static void dns_round(void *arg);
static bool dns_same_name(const char *a, const char *b);
static void dns_deliver(struct dns_query *q);
static void dns_maybe_free(struct dns_query *q);

int
dns_new(struct dns **dns_r, struct loop *l, const struct dns_conf *conf,
    struct err *why)
{
	struct dns *d;

	OBJ_NEW(d, DNS_MAGIC);
	d->loop = l;
	d->timeout = conf->timeout > 0 ? conf->timeout : TIMEOUT_MS;
	LIST_INIT(&d->queries);
	d->ctx = ub_ctx_create_event(loop_base(l));
	if (d->ctx == NULL)
		fatal("cannot make a resolver");
	if (dns_set_up(d, conf, why) < 0) {
		dns_destroy(&d);
		return -1;
	}
	*dns_r = d;
	return 0;
}

void
dns_destroy(struct dns **dp)
{
	struct dns *d = *dp;
	struct dns_query *q;

	if (d == NULL)
		return;
	OBJ_CHECK(d, DNS_MAGIC);
	d->closing = true;
	ub_ctx_delete(d->ctx);
	while ((q = LIST_FIRST(&d->queries)) != NULL) {
		LIST_REMOVE(q, link);
		q->dns = NULL;
		q->fn = NULL;
		q->asked = false;
		dns_maybe_free(q);
	}
	OBJ_FREE(d);
	*dp = NULL;
}

struct loop *
dns_loop(struct dns *d)
{
	OBJ_CHECK(d, DNS_MAGIC);
	return d->loop;
}

void
dns_stats(const struct dns *d, struct dns_stats *st)
{
	OBJ_CHECK(d, DNS_MAGIC);
	*st = d->stats;
}

struct dns_query *
dns_ask(
    struct dns *d, const char *name, enum dns_type type, dns_fn *fn, void *arg)
{
	struct dns_query *q;

	OBJ_CHECK(d, DNS_MAGIC);
	OBJ_NEW(q, DNS_QUERY_MAGIC);
	q->dns = d;
	q->loop = d->loop;
	q->fn = fn;
	q->arg = arg;
	q->type = type;
	q->ttl = UINT32_MAX;
	q->secure = true;
	q->pool = pool_new(512);
	q->name = pool_strdup(q->pool, name);
	LIST_INSERT_HEAD(&d->queries, q, link);
	loop_timer_init(d->loop, &q->timer, dns_late, q);
	loop_timer_set(&q->timer, d->timeout);
	d->stats.queries++;
	dns_send(q);
	return q;
}

void
dns_cancel(struct dns_query **qp)
{
	struct dns_query *q = *qp;

	if (q == NULL)
		return;
	OBJ_CHECK(q, DNS_QUERY_MAGIC);
	q->fn = NULL;
	dns_later(q);
	*qp = NULL;
}

static int
dns_set_up(struct dns *d, const struct dns_conf *conf, struct err *why)
{
	const char *anchor = conf->trust_anchor;
	int r;

	(void)ub_ctx_debugout(d->ctx, NULL);
	if (dns_options(d, anchor != NULL, why) < 0 ||
	    dns_forward(d, conf->servers, why) < 0)
		return -1;
	if (anchor != NULL && access(anchor, R_OK) < 0)
		return err_text(
		    why, "trust anchor %s: %s", anchor, strerror(errno));
	if (anchor != NULL && ub_ctx_add_ta_file(d->ctx, anchor) != 0)
		return err_text(why, "trust anchor %s is unusable", anchor);
	/* Its built-in zone; and this call makes the options take effect. */
	r = ub_ctx_zone_remove(d->ctx, "test.");
	if (r != 0 && anchor != NULL)
		return err_text(why, "trust anchor %s is unusable", anchor);
	if (r != 0)
		return err_text(why, "resolver: %s", ub_strerror(r));
	if (conf->records != NULL)
		return dns_records_load(d->ctx, conf->records, why);
	return 0;
}

static int
dns_options(struct dns *d, bool validate, struct err *why)
{
	const char *const option[][2] = {
		{ "verbosity:", "0" },
		{ "module-config:",
		    validate ? "validator iterator" : "iterator" },
		{ "do-not-query-localhost:", "no" },
		/* Reverse names of private addresses: ask who knows them. */
		{ "unblock-lan-zones:", "yes" },
		{ "insecure-lan-zones:", "yes" },
		/* 16 questions at once is the library's default. */
		{ "outgoing-range:", "256" },
		{ "num-queries-per-thread:", "1024" },
		{ "msg-cache-size:", "4m" },
		{ "rrset-cache-size:", "8m" },
	};
	size_t i;
	int r;

	for (i = 0; i < sizeof(option) / sizeof(option[0]); i++) {
		r = ub_ctx_set_option(d->ctx, option[i][0], option[i][1]);
		if (r != 0)
			return err_text(why, "resolver: %s %s: %s",
			    option[i][0], option[i][1], ub_strerror(r));
	}
	return 0;
}

static int
dns_forward(struct dns *d, const char *const *servers, struct err *why)
{
	unsigned i;

	if (servers == NULL || servers[0] == NULL) {
		/* Without the file: the local host, as resolv.conf(5). */
		if (ub_ctx_resolvconf(d->ctx, NULL) != 0)
			(void)ub_ctx_set_fwd(d->ctx, "127.0.0.1");
		return 0;
	}
	for (i = 0; servers[i] != NULL; i++) {
		if (ub_ctx_set_fwd(d->ctx, servers[i]) != 0)
			return err_text(why,
			    "DNS server \"%s\" is not an address or "
			    "address@port",
			    servers[i]);
	}
	return 0;
}

static void
dns_send(struct dns_query *q)
{
	int r;

	q->asked = true;
	r = ub_resolve_event(
	    q->dns->ctx, q->name, q->type, CLASS_IN, q, dns_heard, NULL);
	if (r == 0)
		return;
	q->asked = false;
	if (r == UB_SYNTAX)
		dns_fail(q, DNS_NXDOMAIN, "not a domain name");
	else
		dns_fail(q, DNS_FAIL, ub_strerror(r));
}

/* Called at once, later, or by ub_ctx_delete(). */
static void
dns_heard(void *arg, int rcode, void *packet, int n, int sec, char *why_bogus,
    int limited)
{
	struct dns_query *q;

	(void)limited;
	OBJ_CAST(q, arg, DNS_QUERY_MAGIC);
	q->asked = false;
	if (q->dns->closing)
		return;
	if (q->fn == NULL || q->answered) {
		dns_later(q);
		return;
	}
	if (sec == 1) {
		dns_fail(q, DNS_BOGUS,
		    why_bogus != NULL ? why_bogus : "DNSSEC validation failed");
		return;
	}
	if (packet == NULL || n <= 0) {
		dns_fail(q, DNS_FAIL,
		    rcode == 2 ? "SERVFAIL" : "no answer from the servers");
		return;
	}
	dns_wire_read(q->pool, packet, (size_t)n, q->name, q->type, &q->answer);
	q->secure = q->secure && sec == 2;
	q->answer.secure = q->secure;
	if (q->answer.ttl < q->ttl)
		q->ttl = q->answer.ttl;
	q->answer.ttl = q->ttl;
	q->answered = true;
	dns_later(q);
}

static void
dns_late(void *arg)
{
	struct dns_query *q;

	OBJ_CAST(q, arg, DNS_QUERY_MAGIC);
	if (!q->answered)
		dns_fail(q, DNS_FAIL, "no answer in time");
}

static void
dns_fail(struct dns_query *q, enum dns_status s, const char *why)
{
	memset(&q->answer, 0, sizeof(q->answer));
	q->answer.status = s;
	q->answer.canon = q->name;
	q->answer.why = pool_strdup(q->pool, why);
	q->answered = true;
	dns_later(q);
}

static void
dns_later(struct dns_query *q)
{
	if (q->due)
		return;
	q->due = true;
	loop_defer(q->loop, dns_round, q);
}

static void
dns_round(void *arg)
{
	const struct dns_answer *a;
	struct dns_query *q;

	OBJ_CAST(q, arg, DNS_QUERY_MAGIC);
	q->due = false;
	a = &q->answer;
	if (q->fn == NULL || !q->answered) {
		dns_maybe_free(q);
		return;
	}
	/* A local CNAME comes without what it points to. */
	if (a->status == DNS_NODATA && a->canon[0] != '\0' &&
	    !dns_same_name(a->canon, q->name)) {
		if (q->hops++ < HOPS_MAX) {
			q->name = a->canon;
			q->answered = false;
			dns_send(q);
			return;
		}
		dns_fail(q, DNS_FAIL, "too many CNAMEs");
		return;
	}
	dns_deliver(q);
}

/* The final dot does not matter. */
static bool
dns_same_name(const char *a, const char *b)
{
	struct str x = str_c(a), y = str_c(b);

	if (x.n > 1 && x.p[x.n - 1] == '.')
		x.n--;
	if (y.n > 1 && y.p[y.n - 1] == '.')
		y.n--;
	return str_ieq(x, y);
}

static void
dns_deliver(struct dns_query *q)
{
	dns_fn *fn = q->fn;

	loop_timer_clear(&q->timer);
	if (q->answer.status == DNS_FAIL || q->answer.status == DNS_BOGUS)
		q->dns->stats.failed++;
	q->fn = NULL;
	q->due = true; /* kept by us while fn runs: it may end the resolver */
	fn(q->arg, &q->answer);
	q->due = false;
	dns_maybe_free(q);
}

static void
dns_maybe_free(struct dns_query *q)
{
	if (q->asked || q->due)
		return;
	if (q->fn != NULL)
		return;
	loop_timer_clear(&q->timer);
	if (q->dns != NULL)
		LIST_REMOVE(q, link);
	pool_destroy(&q->pool);
	OBJ_FREE(q);
}
