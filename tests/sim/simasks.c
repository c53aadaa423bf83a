/*
 * Those who have a say in deliveries, made of a scenario's functions.
 */
#include "tests/sim/sim.h"

#include <lauxlib.h>

#include "base/obj.h"

struct pending {
	unsigned magic;
#define PENDING_MAGIC 0x51300007u
	struct loop_timer timer;
	struct pool *pool;	/* this struct and its texts */
	relay_policy_fn *policy;
	relay_verdict_fn *verdict;
	void *arg;
	const char *want, *route, *source, *say, *text;
	msec ttl;
	bool fails;
};

static struct sim *sim;

/* As the plugin tls_table has it for the blocks of the boot file. */
static struct {
	const char *name, *want;
} table[100];
static unsigned ntable;

static int
l_policy(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_pushvalue(L, 1);
	lua_setfield(L, LUA_REGISTRYINDEX, "sim.policy");
	return 0;
}

void
simasks_open(struct sim *s)
{
	sim = s;
	ntable = 0;
	lua_newtable(s->lua);
	lua_setfield(s->lua, LUA_REGISTRYINDEX, "sim.policy");
	lua_newtable(s->lua);
	lua_setglobal(s->lua, "news");
	lua_pushcfunction(s->lua, l_policy);
	lua_setglobal(s->lua, "policy");
}

void
simasks_table(const char *name, const char *want)
{
	if (ntable == sizeof(table) / sizeof(table[0]))
		fatal("scenario: too many destinations");
	table[ntable].name = pool_strdup(sim->pool, name);
	table[ntable++].want = pool_strdup(sim->pool, want);
}

static const char *
entry(struct str name)
{
	unsigned i;

	for (i = 0; i < ntable; i++)
		if (str_ieq(name, str_c(table[i].name)))
			return table[i].want;
	return NULL;
}

/* The nearest: address, domain, its parents, "*". */
static const char *
nearest(struct str domain, struct str local)
{
	char name[ADDR_LOCAL_MAX + ADDR_DOMAIN_MAX + 2];
	const char *want;
	size_t i;

	(void)snprintf(name, sizeof(name), "%.*s@%.*s", STR_FMT(local),
	    STR_FMT(domain));
	want = entry(str_c(name));
	if (want == NULL)
		want = entry(domain);
	for (i = 1; want == NULL && i < domain.n; i++)
		if (domain.p[i] == '.')
			want = entry(str_n(domain.p + i, domain.n - i));
	return want != NULL ? want : entry(STR("*"));
}

/* Pushes the function; false: there is none, nothing is pushed. */
static bool
push(const char *name)
{
	sim_push(sim, "sim.policy", name);
	if (lua_isfunction(sim->lua, -1))
		return true;
	lua_pop(sim->lua, 1);
	return false;
}

static void
call(int n)
{
	if (lua_pcall(sim->lua, n, 1, 0) != LUA_OK)
		fatal("scenario: %s", lua_tostring(sim->lua, -1));
}

static unsigned
tls_rcpt(void *arg ATTR_UNUSED, struct str domain, struct str local,
    struct relay_opinion *v)
{
	const char *want = nearest(domain, local);
	lua_State *L = sim->lua;
	unsigned n = 0;

	if (want != NULL)
		v[n++] = (struct relay_opinion){ .want = want, .ours = true };
	if (!push("rcpt"))
		return n;
	lua_pushlstring(L, domain.p, domain.n);
	lua_pushlstring(L, local.p, local.n);
	call(2);
	if (lua_isstring(L, -1))
		v[n++] = (struct relay_opinion){ .want = pool_strdup(sim->pool,
			lua_tostring(L, -1)) };
	lua_pop(L, 1);
	return n;
}

static const char *
field(struct pool *pool, const char *name)
{
	lua_State *L = sim->lua;
	const char *s = NULL;

	lua_getfield(L, -1, name);
	if (lua_isstring(L, -1))
		s = pool_strdup(pool, lua_tostring(L, -1));
	lua_pop(L, 1);
	return s;
}

static msec
seconds(const char *name, double usual)
{
	lua_State *L = sim->lua;
	double s = usual;

	lua_getfield(L, -1, name);
	if (lua_isnumber(L, -1))
		s = lua_tonumber(L, -1);
	lua_pop(L, 1);
	return (msec)(s * 1000);
}

static void
on_timer(void *arg)
{
	struct relay_verdict v = { .say = RELAY_SEND };
	struct err why = ERR_INIT;
	struct pending *p;
	struct pool *pool;

	OBJ_CAST(p, arg, PENDING_MAGIC);
	pool = p->pool;
	if (p->policy != NULL) {
		(void)err_set(&why, 451, "4.7.0", "%s", p->text);
		p->policy(p->arg, p->want, p->source, p->ttl,
		    p->fails ? &why : NULL);
		pool_destroy(&pool);
		return;
	}
	v.want = p->want;
	v.route = p->route;
	if (strcmp(p->say, "defer") == 0) {
		v.say = RELAY_DEFER;
		(void)err_set(&v.reply, 451, "4.7.1", "%s", p->text);
	} else if (strcmp(p->say, "bounce") == 0) {
		v.say = RELAY_BOUNCE;
		(void)err_set(&v.reply, 550, "5.7.1", "%s", p->text);
	}
	p->verdict(p->arg, &v);
	pool_destroy(&pool);
}

/* Of the table on the stack, which is popped; NULL: it is none. */
static struct pending *
later(void *arg)
{
	struct pending *p = NULL;
	struct pool *pool;

	if (lua_istable(sim->lua, -1)) {
		pool = pool_new(0);
		p = POOL_NEW(pool, struct pending);
		OBJ_INIT(p, PENDING_MAGIC);
		p->pool = pool;
		p->arg = arg;
		p->want = field(pool, "want");
		p->route = field(pool, "route");
		p->source = field(pool, "source");
		p->say = field(pool, "say");
		p->text = field(pool, "text");
		p->fails = field(pool, "fails") != NULL;
		if (p->text == NULL)
			p->text = field(pool, "fails");
		if (p->say == NULL)
			p->say = "send";
		p->ttl = seconds("ttl", 300);
		loop_timer_init(sim->loop, &p->timer, on_timer, p);
		loop_timer_set(&p->timer, seconds("delay", 0.01));
	}
	lua_pop(sim->lua, 1);
	return p;
}

static void *
tls_hop(void *arg ATTR_UNUSED, const struct relay_hop *hop,
    relay_policy_fn *fn, void *fnarg)
{
	lua_State *L = sim->lua;
	struct pending *p;
	unsigned i;

	if (!push("hop"))
		return NULL;
	lua_pushstring(L, hop->domain);
	lua_newtable(L);
	for (i = 0; i < hop->mx->nhost; i++) {
		lua_pushstring(L, hop->mx->host[i].name);
		lua_rawseti(L, -2, i + 1);
	}
	call(2);
	p = later(fnarg);
	if (p != NULL)
		p->policy = fn;
	return p;
}

static void *
deliver(void *arg ATTR_UNUSED, struct qunit *u, const struct relay_to *to,
    relay_verdict_fn *fn, void *fnarg)
{
	lua_State *L = sim->lua;
	struct pending *p;

	if (!push("deliver"))
		return NULL;
	lua_newtable(L);
	lua_pushstring(L, to->hop);
	lua_setfield(L, -2, "hop");
	lua_pushstring(L, to->ip);
	lua_setfield(L, -2, "host");
	lua_pushstring(L, to->want);
	lua_setfield(L, -2, "want");
	lua_pushboolean(L, to->tls != NULL);
	lua_setfield(L, -2, "tls");
	lua_pushstring(L, qunit_rcpt(u, NULL)[0]->addr.full.p);
	lua_setfield(L, -2, "to");
	call(1);
	p = later(fnarg);
	if (p != NULL)
		p->verdict = fn;
	return p;
}

static void
cancel(void *arg ATTR_UNUSED, void *pending)
{
	struct pending *p;
	struct pool *pool;

	OBJ_CAST(p, pending, PENDING_MAGIC);
	pool = p->pool;
	loop_timer_clear(&p->timer);
	pool_destroy(&pool);
}

static void
add_news(const char *what, struct str to, struct str text)
{
	lua_State *L = sim->lua;

	lua_getglobal(L, "news");
	lua_newtable(L);
	lua_pushstring(L, what);
	lua_setfield(L, -2, "what");
	lua_pushlstring(L, to.p, to.n);
	lua_setfield(L, -2, "to");
	lua_pushlstring(L, text.p, text.n);
	lua_setfield(L, -2, "text");
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
	lua_pop(L, 1);
}

static void
queued(void *arg ATTR_UNUSED, const struct envelope *env)
{
	add_news("queued", env->rcpt[0]->addr.full, STR(""));
}

static void
told(void *arg ATTR_UNUSED, enum queue_fate fate, const struct qunit *u,
    const struct qreport *v, unsigned n)
{
	static const char *const words[] = { "delivered", "deferred",
		"bounced" };
	unsigned i;

	for (i = 0; i < n; i++)
		add_news(words[fate], qunit_rcpt(u, NULL)[v[i].i]->addr.full,
		    v[i].text);
}

const struct relay_asks simasks = {
	.tls_rcpt = tls_rcpt,
	.tls_hop = tls_hop,
	.deliver = deliver,
	.cancel = cancel,
	.queued = queued,
	.told = told,
};
