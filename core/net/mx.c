#include "net/mx.h"

#include <string.h>

#include "base/num.h"
#include "base/obj.h"
#include "base/rand.h"

#define MX_QUERY_MAGIC 0x10091a0au

enum { HOSTS_MAX = 20, ADDRS_MAX = 32, LITERAL_TTL = 3600 };

/* Addresses of one family of one host. */
struct lookup {
	struct mx_query *query;
	struct dns_query *dns; /* NULL: answered or not asked */
	struct sock_addr *addr;
	unsigned n;
	bool temporary;
	bool secure; /* validated, if there are any */
};

struct target {
	const char *name;
	const char *domain;
	uint16_t port;
	unsigned pref;
	bool secure;
	bool literal; /* v4 or v6 has the address already */
	struct lookup v4, v6;
};

/* What to look up by MX, at most one for each host of a static list. */
struct source {
	struct mx_query *query;
	struct dns_query *dns;
	const char *domain;
	uint16_t port;
	unsigned pref; /* of a static list: its place */
};

struct mx_query {
	unsigned magic;
	struct dns *dns;
	struct loop *loop;
	struct pool *pool;
	enum mx_ip ip;
	bool list; /* of hosts, whose places are the preferences */
	mx_fn *fn;
	void *arg;
	struct source source[HOSTS_MAX];
	struct target target[HOSTS_MAX];
	unsigned nsource, ntarget;
	unsigned pending; /* DNS answers, and the deferred start */
	struct mx_result result;
	bool temporary;	    /* something failed for now */
	enum mx_status bad; /* why a source gave nothing, or MX_OK */
	const char *bad_why;
	bool over;
};

static struct mx_query *
mx_new(struct dns *d, struct pool *pool, enum mx_ip ip, mx_fn *fn, void *arg);
static void mx_start(void *arg);
static bool
mx_add_item(struct mx_query *q, const char *item, uint16_t port, unsigned pref);
static bool mx_add_literal(
    struct mx_query *q, struct str text, uint16_t port, unsigned pref);
static struct target *mx_add_target(
    struct mx_query *q, const char *name, uint16_t port, unsigned pref);
static void mx_on_mx(void *arg, const struct dns_answer *a);
static void mx_take(struct source *s, const struct dns_answer *a);
static void mx_take_hosts(struct source *s, const struct dns_answer *a);
static unsigned mx_sort(const struct dns_answer *a, const struct dns_rr **rr);
static void mx_failed(struct mx_query *q, enum mx_status st, const char *why);
static void mx_ask_addresses(struct mx_query *q);
static void mx_order(struct mx_query *q);
static void mx_ask(
    struct mx_query *q, struct target *t, struct lookup *l, enum dns_type type);
static void mx_on_address(void *arg, const struct dns_answer *a);
static void mx_done(struct mx_query *q);
static void mx_add_host(struct mx_query *q, struct target *t, unsigned *left);
static void mx_ttl(struct mx_query *q, uint32_t ttl);
static void mx_free(void *arg);

struct mx_query *
mx_lookup(struct dns *d, struct pool *pool, const char *domain, uint16_t port,
    enum mx_ip ip, mx_fn *fn, void *arg)
{
	struct mx_query *q = mx_new(d, pool, ip, fn, arg);
	struct source *s;

	if (domain[0] == '[') {
		if (!mx_add_literal(q, str_c(domain), port, 0))
			mx_failed(q, MX_NXDOMAIN, "malformed address literal");
		return q;
	}
	s = &q->source[q->nsource++];
	s->query = q;
	s->domain = pool_strdup(pool, domain);
	s->port = port;
	return q;
}

struct mx_query *
mx_hosts(struct dns *d, struct pool *pool, const char *const *hosts,
    uint16_t port, enum mx_ip ip, mx_fn *fn, void *arg)
{
	struct mx_query *q = mx_new(d, pool, ip, fn, arg);
	unsigned i;

	q->list = true;
	for (i = 0; hosts[i] != NULL && i < HOSTS_MAX; i++) {
		if (!mx_add_item(q, hosts[i], port, i))
			mx_failed(q, MX_NOHOST,
			    pool_printf(pool,
				"\"%s\" is not a host or host:port", hosts[i]));
	}
	return q;
}

void
mx_cancel(struct mx_query **qp)
{
	struct mx_query *q = *qp;
	unsigned i;

	if (q == NULL)
		return;
	OBJ_CHECK(q, MX_QUERY_MAGIC);
	*qp = NULL;
	q->over = true;
	for (i = 0; i < q->nsource; i++)
		dns_cancel(&q->source[i].dns);
	for (i = 0; i < q->ntarget; i++) {
		dns_cancel(&q->target[i].v4.dns);
		dns_cancel(&q->target[i].v6.dns);
	}
	loop_defer(q->loop, mx_free, q);
}

static struct mx_query *
mx_new(struct dns *d, struct pool *pool, enum mx_ip ip, mx_fn *fn, void *arg)
{
	struct mx_query *q;

	OBJ_NEW(q, MX_QUERY_MAGIC);
	q->dns = d;
	q->loop = dns_loop(d);
	q->pool = pool;
	q->ip = ip;
	q->fn = fn;
	q->arg = arg;
	q->result.ttl = UINT32_MAX;
	loop_defer(q->loop, mx_start, q);
	return q;
}

/* Deferred, so that the end is never told from inside the call that asked. */
static void
mx_start(void *arg)
{
	struct mx_query *q;
	struct source *s;
	unsigned i;

	OBJ_CAST(q, arg, MX_QUERY_MAGIC);
	if (q->over)
		return;
	for (i = 0; i < q->nsource; i++) {
		s = &q->source[i];
		q->pending++;
		s->dns = dns_ask(q->dns, s->domain, DNS_MX, mx_on_mx, s);
	}
	if (q->pending == 0)
		mx_ask_addresses(q);
}

static bool
mx_add_item(struct mx_query *q, const char *item, uint16_t port, unsigned pref)
{
	bool by_mx = str_istarts(str_c(item), "mx:");
	struct str name = str_c(by_mx ? item + 3 : item);
	size_t colon = str_find(name, ':');
	struct sock_addr a;
	struct source *s;
	struct target *t;
	uint64_t n;

	if (name.n > 0 && name.p[0] == '[')
		return !by_mx && mx_add_literal(q, name, port, pref);
	if (colon < name.n) {
		if (num_u64(str_n(name.p + colon + 1, name.n - colon - 1),
			65535, &n) < 0 ||
		    n == 0)
			return false;
		port = (uint16_t)n;
		name.n = colon;
	}
	if (name.n == 0)
		return false;
	if (by_mx) {
		s = &q->source[q->nsource++];
		s->query = q;
		s->domain = pool_strndup(q->pool, name.p, name.n);
		s->port = port;
		s->pref = pref;
		return true;
	}
	/* An IPv4 address needs no brackets to be known as one. */
	if (sock_addr_ip(name, port, &a, NULL) == 0)
		return mx_add_literal(q,
		    str_c(pool_printf(q->pool, "[%.*s]", STR_FMT(name))),
		    port, pref);
	t = mx_add_target(q, pool_strndup(q->pool, name.p, name.n), port, pref);
	if (t != NULL)
		t->secure = true;
	return true;
}

/* "[192.0.2.1]", "[IPv6:::1]", with or without ":port" behind. */
static bool
mx_add_literal(
    struct mx_query *q, struct str text, uint16_t port, unsigned pref)
{
	size_t end = str_find(text, ']');
	struct str ip, rest;
	struct sock_addr a;
	struct target *t;
	struct lookup *l;
	uint64_t n = port;

	if (end == text.n)
		return false;
	ip = str_n(text.p + 1, end - 1);
	rest = str_n(text.p + end + 1, text.n - end - 1);
	if (str_istarts(ip, "IPv6:"))
		ip = str_n(ip.p + 5, ip.n - 5);
	if (rest.n > 0 &&
	    (rest.p[0] != ':' ||
		num_u64(str_n(rest.p + 1, rest.n - 1), 65535, &n) < 0 ||
		n == 0))
		return false;
	if (sock_addr_ip(ip, (uint16_t)n, &a, NULL) < 0)
		return false;
	t = mx_add_target(
	    q, pool_strndup(q->pool, text.p, end + 1), (uint16_t)n, pref);
	if (t == NULL)
		return true;
	t->literal = t->secure = true;
	l = a.sa.sa_family == AF_INET ? &t->v4 : &t->v6;
	l->addr = pool_dup(q->pool, &a, sizeof(a));
	l->n = 1;
	l->secure = true;
	mx_ttl(q, LITERAL_TTL);
	return true;
}

/* NULL: it is there already, or there is no place left. */
static struct target *
mx_add_target(
    struct mx_query *q, const char *name, uint16_t port, unsigned pref)
{
	struct target *t;
	unsigned i;

	for (i = 0; i < q->ntarget; i++) {
		t = &q->target[i];
		if (t->port == port && str_ieq_c(str_c(name), t->name))
			return NULL;
	}
	if (q->ntarget == HOSTS_MAX)
		return NULL;
	t = &q->target[q->ntarget++];
	t->name = t->domain = name;
	t->port = port;
	t->pref = pref;
	t->v4.query = t->v6.query = q;
	return t;
}

static void
mx_on_mx(void *arg, const struct dns_answer *a)
{
	struct source *s = arg;
	struct mx_query *q = s->query;

	OBJ_CHECK(q, MX_QUERY_MAGIC);
	s->dns = NULL;
	q->pending--;
	mx_take(s, a);
	if (q->pending == 0)
		mx_ask_addresses(q);
}

static void
mx_take(struct source *s, const struct dns_answer *a)
{
	struct mx_query *q = s->query;
	struct target *t;

	switch (a->status) {
	case DNS_OK:
		mx_take_hosts(s, a);
		return;
	case DNS_NODATA:
		mx_ttl(q, a->ttl);
		t = mx_add_target(q, s->domain, s->port, s->pref);
		if (t != NULL)
			t->secure = a->secure;
		return;
	case DNS_NXDOMAIN:
		mx_failed(q, MX_NXDOMAIN,
		    pool_printf(q->pool, "domain %s not found", s->domain));
		return;
	case DNS_FAIL:
	case DNS_BOGUS:
		q->temporary = true;
		mx_failed(q, MX_FAIL,
		    pool_printf(q->pool, "lookup of MX for %s failed: %s",
			s->domain, a->why));
		return;
	}
	panic("a DNS answer of no kind");
}

static void
mx_take_hosts(struct source *s, const struct dns_answer *a)
{
	struct mx_query *q = s->query;
	const struct dns_rr *rr[HOSTS_MAX];
	unsigned i, n = mx_sort(a, rr);
	struct target *t;

	mx_ttl(q, a->ttl);
	if (n == 0) {
		mx_failed(q, MX_NULL,
		    pool_printf(q->pool, "domain %s takes no mail (null MX)",
			s->domain));
		return;
	}
	for (i = 0; i < n; i++) {
		t = mx_add_target(q, pool_strdup(q->pool, rr[i]->name), s->port,
		    q->list ? s->pref : rr[i]->pref);
		if (t == NULL)
			continue;
		t->secure = a->secure;
		t->domain = s->domain;
	}
}

/*
 * By preference, equals in random order; a root name is no host. Of a crowd
 * the best are kept. Returns how many.
 */
static unsigned
mx_sort(const struct dns_answer *a, const struct dns_rr **rr)
{
	unsigned i, at, n = 0, same;
	const struct dns_rr *r;

	for (i = 0; i < a->n; i++) {
		r = &a->rr[i];
		if (r->name[0] == '\0')
			continue;
		for (at = 0; at < n && rr[at]->pref < r->pref; at++)
			;
		for (same = 0; at + same < n && rr[at + same]->pref == r->pref;
		     same++)
			;
		at += rand_below(same + 1);
		if (at == HOSTS_MAX)
			continue;
		if (n < HOSTS_MAX)
			n++;
		memmove(&rr[at + 1], &rr[at], (n - 1 - at) * sizeof(*rr));
		rr[at] = r;
	}
	return n;
}

/* The first reason is told, but a temporary one weighs more. */
static void
mx_failed(struct mx_query *q, enum mx_status st, const char *why)
{
	if (q->bad != MX_OK && (q->bad == MX_FAIL || st != MX_FAIL))
		return;
	q->bad = st;
	q->bad_why = why;
}

static void
mx_ask_addresses(struct mx_query *q)
{
	struct target *t;
	unsigned i;

	mx_order(q);
	for (i = 0; i < q->ntarget; i++) {
		t = &q->target[i];
		if (t->literal)
			continue;
		if (q->ip != MX_REQUIRE_V6)
			mx_ask(q, t, &t->v4, DNS_A);
		if (q->ip != MX_REQUIRE_V4)
			mx_ask(q, t, &t->v6, DNS_AAAA);
	}
	if (q->pending == 0)
		mx_done(q);
}

/* Answers for a list came in any order; within one they are in order. */
static void
mx_order(struct mx_query *q)
{
	struct target t;
	unsigned i, at;

	for (i = 1; i < q->ntarget; i++) {
		t = q->target[i];
		for (at = i; at > 0 && q->target[at - 1].pref > t.pref; at--)
			q->target[at] = q->target[at - 1];
		q->target[at] = t;
	}
}

static void
mx_ask(
    struct mx_query *q, struct target *t, struct lookup *l, enum dns_type type)
{
	q->pending++;
	l->dns = dns_ask(q->dns, t->name, type, mx_on_address, l);
}

static void
mx_on_address(void *arg, const struct dns_answer *a)
{
	struct lookup *l = arg;
	struct mx_query *q = l->query;
	struct sock_addr *to, swap;
	unsigned i, other;

	OBJ_CHECK(q, MX_QUERY_MAGIC);
	l->dns = NULL;
	l->temporary = a->status == DNS_FAIL || a->status == DNS_BOGUS;
	if (a->status == DNS_OK) {
		mx_ttl(q, a->ttl);
		l->n = a->n < ADDRS_MAX ? a->n : ADDRS_MAX;
		l->secure = a->secure;
		l->addr = pool_alloc(q->pool, l->n * sizeof(*l->addr));
	}
	for (i = 0; i < l->n; i++) {
		to = &l->addr[i];
		if (a->rr[i].type == DNS_A) {
			to->in.sin_family = AF_INET;
			memcpy(&to->in.sin_addr, a->rr[i].data, 4);
			to->len = sizeof(to->in);
		} else {
			to->in6.sin6_family = AF_INET6;
			memcpy(&to->in6.sin6_addr, a->rr[i].data, 16);
			to->len = sizeof(to->in6);
		}
	}
	for (i = l->n; i > 1; i--) {
		other = rand_below(i);
		swap = l->addr[i - 1];
		l->addr[i - 1] = l->addr[other];
		l->addr[other] = swap;
	}
	if (--q->pending == 0)
		mx_done(q);
}

static void
mx_done(struct mx_query *q)
{
	struct mx_result *r = &q->result;
	unsigned i, left = ADDRS_MAX;
	bool found = false;

	r->host = pool_alloc(q->pool, (q->ntarget + 1) * sizeof(*r->host));
	for (i = 0; i < q->ntarget; i++)
		mx_add_host(q, &q->target[i], &left);
	for (i = 0; i < r->nhost; i++)
		found = found || r->host[i].naddr > 0;
	if (!found && q->temporary) {
		r->status = MX_FAIL;
		r->why = q->bad == MX_FAIL ? q->bad_why
					   : "lookup of addresses failed";
	} else if (!found && q->bad != MX_OK) {
		r->status = q->bad;
		r->why = q->bad_why;
	} else if (!found) {
		r->status = MX_NOHOST;
		r->why = q->ip == MX_REQUIRE_V4 ? "no IPv4 address"
			 : q->ip == MX_REQUIRE_V6
			     ? "no IPv6 address"
			     : "no MX host with an address";
	}
	if (r->ttl == UINT32_MAX)
		r->ttl = 0;
	q->over = true;
	loop_defer(q->loop, mx_free, q);
	q->fn(q->arg, r);
}

static void
mx_add_host(struct mx_query *q, struct target *t, unsigned *left)
{
	bool v4_first = q->ip == MX_PREFER_V4 || q->ip == MX_REQUIRE_V4;
	struct lookup *l[2] = { v4_first ? &t->v4 : &t->v6,
		v4_first ? &t->v6 : &t->v4 };
	struct mx_host *h = &q->result.host[q->result.nhost];
	struct sock_addr *to;
	unsigned i, k, n = t->v4.n + t->v6.n;

	h->name = t->name;
	h->domain = t->domain;
	h->pref = t->pref;
	h->secure = t->secure;
	h->addr_secure = n > 0 && (t->v4.n == 0 || t->v4.secure) &&
			 (t->v6.n == 0 || t->v6.secure);
	h->temporary = t->v4.temporary || t->v6.temporary;
	if (h->temporary)
		q->temporary = true;
	if (n == 0 && !h->temporary)
		return;
	q->result.nhost++;
	h->addr = pool_alloc(q->pool, (n + 1) * sizeof(*h->addr));
	for (i = 0; i < 2; i++) {
		for (k = 0; k<l[i]->n && * left> 0; k++, --*left) {
			to = &h->addr[h->naddr++];
			*to = l[i]->addr[k];
			if (to->sa.sa_family == AF_INET)
				to->in.sin_port = htons(t->port);
			else
				to->in6.sin6_port = htons(t->port);
		}
	}
	h->temporary = h->temporary && h->naddr == 0;
}

static void
mx_ttl(struct mx_query *q, uint32_t ttl)
{
	if (ttl < q->result.ttl)
		q->result.ttl = ttl;
}

static void
mx_free(void *arg)
{
	struct mx_query *q;

	OBJ_CAST(q, arg, MX_QUERY_MAGIC);
	OBJ_FREE(q);
}
