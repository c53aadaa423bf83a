#include <arpa/inet.h>
#include <string.h>

#include "base/buf.h"
#include "base/obj.h"
#include "net/mx.h"

#define MX_REVERSE_MAGIC 0x10091a0bu

enum { NAMES_MAX = 3 };

struct mx_reverse {
	unsigned magic;
	struct dns *dns;
	struct dns_query *query;
	struct sock_addr addr;
	mx_reverse_fn *fn;
	void *arg;
	struct pool *pool;
	const char *name[NAMES_MAX];
	unsigned n, at;
	bool failed;
};

static void reverse_on_ptr(void *arg, const struct dns_answer *a);
static void reverse_on_address(void *arg, const struct dns_answer *a);
static void note_failure(struct mx_reverse *r, const struct dns_answer *a);
static void reverse_next(struct mx_reverse *r);
static void reverse_end(struct mx_reverse *r, const char *name, bool verified);
static bool reverse_has(const struct mx_reverse *r, const struct dns_answer *a);
static void reverse_free(void *arg);
static bool plain_host(const char *name);

struct mx_reverse *
mx_reverse(
    struct dns *d, const struct sock_addr *a, mx_reverse_fn *fn, void *arg)
{
	struct mx_reverse *r;
	struct buf name;

	OBJ_NEW(r, MX_REVERSE_MAGIC);
	r->dns = d;
	r->addr = *a;
	r->fn = fn;
	r->arg = arg;
	r->pool = pool_new(256);
	buf_init(&name, 128);
	mx_reverse_name(a, &name);
	r->query = dns_ask(d, buf_p(&name), DNS_PTR, reverse_on_ptr, r);
	buf_fini(&name);
	return r;
}

bool
mx_reverse_failed(const struct mx_reverse *r)
{
	OBJ_CHECK(r, MX_REVERSE_MAGIC);
	return r->failed;
}

void
mx_reverse_cancel(struct mx_reverse **rp)
{
	struct mx_reverse *r = *rp;

	if (r == NULL)
		return;
	OBJ_CHECK(r, MX_REVERSE_MAGIC);
	*rp = NULL;
	dns_cancel(&r->query);
	loop_defer(dns_loop(r->dns), reverse_free, r);
}

static void
reverse_on_ptr(void *arg, const struct dns_answer *a)
{
	struct mx_reverse *r;
	unsigned i;

	OBJ_CAST(r, arg, MX_REVERSE_MAGIC);
	r->query = NULL;
	note_failure(r, a);
	for (i = 0; i < a->n && r->n < NAMES_MAX; i++) {
		if (plain_host(a->rr[i].name))
			r->name[r->n++] = pool_strdup(r->pool, a->rr[i].name);
	}
	reverse_next(r);
}

static void
reverse_on_address(void *arg, const struct dns_answer *a)
{
	struct mx_reverse *r;

	OBJ_CAST(r, arg, MX_REVERSE_MAGIC);
	r->query = NULL;
	if (a->status == DNS_OK && reverse_has(r, a)) {
		reverse_end(r, r->name[r->at], true);
		return;
	}
	note_failure(r, a);
	r->at++;
	reverse_next(r);
}

static void
note_failure(struct mx_reverse *r, const struct dns_answer *a)
{
	if (a->status == DNS_FAIL || a->status == DNS_BOGUS)
		r->failed = true;
}

static void
reverse_next(struct mx_reverse *r)
{
	char text[SOCK_IP_MAX];
	bool v6;

	if (r->at == r->n) {
		reverse_end(r, r->n > 0 ? r->name[0] : NULL, false);
		return;
	}
	/* As text, a mapped address is IPv4. */
	(void)sock_addr_ip_text(&r->addr, text, sizeof(text));
	v6 = strchr(text, ':') != NULL;
	r->query = dns_ask(r->dns, r->name[r->at], v6 ? DNS_AAAA : DNS_A,
	    reverse_on_address, r);
}

static void
reverse_end(struct mx_reverse *r, const char *name, bool verified)
{
	loop_defer(dns_loop(r->dns), reverse_free, r);
	r->fn(r->arg, name, verified);
}

static bool
reverse_has(const struct mx_reverse *r, const struct dns_answer *a)
{
	struct sock_addr x;
	unsigned i;

	for (i = 0; i < a->n; i++) {
		memset(&x, 0, sizeof(x));
		if (a->rr[i].type == DNS_A) {
			x.in.sin_family = AF_INET;
			memcpy(&x.in.sin_addr, a->rr[i].data, 4);
		} else {
			x.in6.sin6_family = AF_INET6;
			memcpy(&x.in6.sin6_addr, a->rr[i].data, 16);
		}
		if (sock_addr_eq_ip(&x, &r->addr))
			return true;
	}
	return false;
}

static void
reverse_free(void *arg)
{
	struct mx_reverse *r;

	OBJ_CAST(r, arg, MX_REVERSE_MAGIC);
	pool_destroy(&r->pool);
	OBJ_FREE(r);
}

void
mx_reverse_name(const struct sock_addr *a, struct buf *name)
{
	char text[SOCK_IP_MAX];
	struct in6_addr v6;
	struct in_addr v4;
	uint32_t n;
	int i;

	(void)sock_addr_ip_text(a, text, sizeof(text));
	if (inet_pton(AF_INET, text, &v4) == 1) {
		n = ntohl(v4.s_addr);
		(void)buf_printf(name, "%u.%u.%u.%u.in-addr.arpa", n & 255,
		    n >> 8 & 255, n >> 16 & 255, n >> 24);
		return;
	}
	if (inet_pton(AF_INET6, text, &v6) != 1)
		return;
	for (i = 15; i >= 0; i--)
		(void)buf_printf(
		    name, "%x.%x.", v6.s6_addr[i] & 15u, v6.s6_addr[i] >> 4);
	(void)buf_add_c(name, "ip6.arpa");
}

static bool
plain_host(const char *name)
{
	const char *p;

	for (p = name; *p != '\0'; p++) {
		if (!ch_alnum(*p) && strchr("-_.", *p) == NULL)
			return false;
	}
	return p > name && p - name <= 253;
}
