/*
 * DNS made of a Lua table. Stands in for net/mx.
 */
#include "tests/sim/sim.h"

#include <stdio.h>

#include "base/obj.h"

struct mx_query {
	unsigned magic;
#define FAKE_MX_MAGIC 0x51300003u
	struct loop_timer timer;
	struct pool *pool;
	mx_fn *fn;
	void *arg;
	char domain[256];
	uint16_t port;
};

struct mx_reverse {
	unsigned magic;
#define FAKE_PTR_MAGIC 0x51300004u
	struct loop_timer timer;
	mx_reverse_fn *fn;
	void *arg;
	char ip[SOCK_IP_MAX];
};

static struct sim *net; /* one simulation at a time */

static void on_lookup(void *arg);
static void on_reverse(void *arg);

void
sim_push(struct sim *s, const char *name, const char *key)
{
	lua_State *L = s->lua;

	lua_getfield(L, LUA_REGISTRYINDEX, name);
	lua_getfield(L, -1, key);
	lua_remove(L, -2);
}

void
simmx_open(struct sim *s)
{
	net = s;
}

struct mx_query *
simmx_lookup(struct dns *d ATTR_UNUSED, struct pool *pool, const char *domain,
    uint16_t port, enum mx_ip ip ATTR_UNUSED, mx_fn *fn, void *arg)
{
	struct mx_query *q;

	OBJ_NEW(q, FAKE_MX_MAGIC);
	q->pool = pool;
	q->fn = fn;
	q->arg = arg;
	q->port = port;
	(void)snprintf(q->domain, sizeof(q->domain), "%s", domain);
	loop_timer_init(net->loop, &q->timer, on_lookup, q);
	loop_timer_set(&q->timer, 1);
	return q;
}

struct mx_query *
simmx_hosts(struct dns *d, struct pool *pool, const char *const *hosts,
    uint16_t port, enum mx_ip ip, mx_fn *fn, void *arg)
{
	return simmx_lookup(d, pool, hosts[0], port, ip, fn, arg);
}

void
simmx_lookup_cancel(struct mx_query **qp)
{
	struct mx_query *q = *qp;

	*qp = NULL;
	if (q == NULL)
		return;
	loop_timer_clear(&q->timer);
	OBJ_FREE(q);
}

static void
fill_hosts(struct mx_query *q, struct mx_result *r)
{
	lua_State *L = net->lua;
	struct err why = ERR_INIT;
	bool equal;
	unsigned i;

	lua_getfield(L, -1, "equal");
	equal = lua_toboolean(L, -1);
	lua_pop(L, 1);
	r->status = MX_OK;
	r->nhost = (unsigned)lua_rawlen(L, -1);
	r->host = pool_alloc(q->pool, r->nhost * sizeof(*r->host));
	for (i = 0; i < r->nhost; i++) {
		lua_rawgeti(L, -1, i + 1);
		r->host[i].name = pool_strdup(q->pool, lua_tostring(L, -1));
		r->host[i].pref = equal ? 10 : i;
		r->host[i].addr = POOL_NEW(q->pool, struct sock_addr);
		r->host[i].naddr = 1;
		if (sock_addr_ip(str_c(lua_tostring(L, -1)), q->port,
		        r->host[i].addr, &why) == -1)
			fatal("scenario: %s", why.text);
		lua_pop(L, 1);
	}
}

static void
on_lookup(void *arg)
{
	struct mx_result r = { .status = MX_NXDOMAIN, .ttl = 60 };
	lua_State *L = net->lua;
	struct mx_query *q;
	const char *word;

	OBJ_CAST(q, arg, FAKE_MX_MAGIC);
	sim_push(net, "sim.mx", q->domain);
	if (lua_istable(L, -1)) {
		fill_hosts(q, &r);
	} else {
		word = lua_isstring(L, -1) ? lua_tostring(L, -1) : "nxdomain";
		if (strcmp(word, "null") == 0)
			r.status = MX_NULL;
		else if (strcmp(word, "fail") == 0)
			r.status = MX_FAIL;
		else if (strcmp(word, "nohost") == 0)
			r.status = MX_NOHOST;
		r.why = pool_strdup(q->pool, word);
	}
	lua_pop(L, 1);
	q->fn(q->arg, &r);
	OBJ_FREE(q);
}

struct mx_reverse *
simmx_reverse(struct dns *d ATTR_UNUSED, const struct sock_addr *a,
    mx_reverse_fn *fn, void *arg)
{
	struct mx_reverse *r;

	OBJ_NEW(r, FAKE_PTR_MAGIC);
	r->fn = fn;
	r->arg = arg;
	(void)sock_addr_ip_text(a, r->ip, sizeof(r->ip));
	loop_timer_init(net->loop, &r->timer, on_reverse, r);
	loop_timer_set(&r->timer, 1);
	return r;
}

void
simmx_reverse_cancel(struct mx_reverse **rp)
{
	struct mx_reverse *r = *rp;

	*rp = NULL;
	if (r == NULL)
		return;
	loop_timer_clear(&r->timer);
	OBJ_FREE(r);
}

/* host.ptr */
static void
on_reverse(void *arg)
{
	lua_State *L = net->lua;
	struct mx_reverse *r;
	const char *name = NULL;

	OBJ_CAST(r, arg, FAKE_PTR_MAGIC);
	sim_push(net, "sim.host", r->ip);
	if (lua_istable(L, -1)) {
		lua_getfield(L, -1, "ptr");
		name = lua_tostring(L, -1);
		r->fn(r->arg, name, false);
		lua_pop(L, 1);
	} else {
		r->fn(r->arg, NULL, false);
	}
	lua_pop(L, 1);
	OBJ_FREE(r);
}
