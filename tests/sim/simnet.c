/*
 * Hosts made of Lua tables. Stands in for smtp/smtpc.
 */
#include "tests/sim/sim.h"

#include <lauxlib.h>
#include <stdio.h>

#include "base/obj.h"

/* What a fake connection does next. */
enum phase { PH_CONNECT, PH_READY, PH_IDLE, PH_RCPT, PH_DOT, PH_QUIT };

struct smtpc {
	unsigned magic;
#define FAKE_MAGIC 0x51300002u
	struct loop_timer timer;
	const struct smtpc_ops *ops;
	void *arg;
	const struct smtpc_txn *txn;
	enum phase phase;
	unsigned accepted;
	bool *took;	/* by recipient of the transaction */
	unsigned messages;
	bool counted;
	bool tls_up;
	struct tls_info info;
	struct smtpc_conf conf;
	unsigned serial;
	char ip[SOCK_IP_MAX];
	char text[128];
};

static struct sim *net; /* one simulation at a time */
static unsigned serial;	/* of connections */

static struct smtpc *fake_open(struct loop *l, const struct smtpc_conf *conf,
    const struct smtpc_ops *ops, void *arg);
static void fake_send(struct smtpc *c, const struct smtpc_txn *txn);
static void fake_source_ready(struct smtpc *c);
static void fake_quit(struct smtpc *c);
static void fake_destroy(struct smtpc **cp);
static bool fake_ready(const struct smtpc *c);
static bool fake_dsn(const struct smtpc *c);
static const struct tls_info *fake_tls(const struct smtpc *c);
static void fake_chain(const struct smtpc *c, struct buf *dst);
static const char *fake_local(const struct smtpc *c, char *dst, size_t n);
static void on_timer(void *arg);
static void count(struct smtpc *c, int by);
static void closed(struct smtpc *c, enum smtpc_fail fail, int code,
    enum smtpc_step step);
static bool drops_at(struct smtpc *c, const char *where,
    enum smtpc_step step);
static void answer_rcpts(struct smtpc *c);
static void answer_dot(struct smtpc *c);
static int behaviour(struct smtpc *c, const char *what, const char *arg,
    int usual);
static void secure(struct smtpc *c);

const struct relay_peer simnet_peer = {
	.lookup = simmx_lookup,
	.hosts = simmx_hosts,
	.lookup_cancel = simmx_lookup_cancel,
	.reverse = simmx_reverse,
	.reverse_cancel = simmx_reverse_cancel,
	.open = fake_open,
	.send = fake_send,
	.source_ready = fake_source_ready,
	.quit = fake_quit,
	.destroy = fake_destroy,
	.is_ready = fake_ready,
	.offers_dsn = fake_dsn,
	.tls = fake_tls,
	.tls_chain = fake_chain,
	.local = fake_local,
};

static int
set_entry(lua_State *L, const char *name)
{
	lua_getfield(L, LUA_REGISTRYINDEX, name);
	lua_pushvalue(L, 1);
	lua_pushvalue(L, 2);
	lua_settable(L, -3);
	return 0;
}

static int
l_mx(lua_State *L)
{
	return set_entry(L, "sim.mx");
}

static int
l_host(lua_State *L)
{
	return set_entry(L, "sim.host");
}

static int
l_counter(lua_State *L)
{
	lua_getfield(L, LUA_REGISTRYINDEX,
	    lua_tostring(L, lua_upvalueindex(1)));
	lua_pushvalue(L, 1);
	lua_gettable(L, -2);
	if (lua_isnil(L, -1))
		lua_pushinteger(L, 0);
	return 1;
}

void
simnet_open(struct sim *s)
{
	static const char *const tables[] = { "sim.mx", "sim.host",
		"sim.conns", "sim.peak", "sim.opened" };
	lua_State *L = s->lua;
	size_t i;

	net = s;
	simmx_open(s);
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		lua_newtable(L);
		lua_setfield(L, LUA_REGISTRYINDEX, tables[i]);
	}
	lua_newtable(L);
	lua_setglobal(L, "arrived");
	lua_newtable(L);
	lua_setglobal(L, "attempts");
	lua_pushcfunction(L, l_mx);
	lua_setglobal(L, "mx");
	lua_pushcfunction(L, l_host);
	lua_setglobal(L, "host");
	lua_pushstring(L, "sim.peak");
	lua_pushcclosure(L, l_counter, 1);
	lua_setglobal(L, "peak");
	lua_pushstring(L, "sim.opened");
	lua_pushcclosure(L, l_counter, 1);
	lua_setglobal(L, "opened");
}

void
simnet_close(void)
{
	net = NULL;
}

static double
seconds(void)
{
	return (double)(clock_now() - net->start) / 1000.0;
}

static msec
latency(struct smtpc *c)
{
	lua_State *L = net->lua;
	double s = 0.01;

	sim_push(net, "sim.host", c->ip);
	if (lua_istable(L, -1)) {
		lua_getfield(L, -1, "latency");
		if (lua_isnumber(L, -1))
			s = lua_tonumber(L, -1);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	return (msec)(s * 1000);
}

/* Copies host.what if it is a string. */
static void
word_of(struct smtpc *c, const char *what, char *dst, size_t n)
{
	lua_State *L = net->lua;

	dst[0] = '\0';
	sim_push(net, "sim.host", c->ip);
	if (lua_istable(L, -1)) {
		lua_getfield(L, -1, what);
		if (lua_type(L, -1) == LUA_TSTRING)
			(void)snprintf(dst, n, "%s", lua_tostring(L, -1));
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

static struct smtpc *
fake_open(struct loop *l, const struct smtpc_conf *conf,
    const struct smtpc_ops *ops, void *arg)
{
	struct smtpc *c;
	char how[16];

	OBJ_NEW(c, FAKE_MAGIC);
	c->ops = ops;
	c->arg = arg;
	c->conf = *conf;
	c->serial = ++serial;
	(void)sock_addr_ip_text(&conf->to, c->ip, sizeof(c->ip));
	loop_timer_init(l, &c->timer, on_timer, c);
	word_of(c, "connect", how, sizeof(how));
	c->phase = PH_CONNECT;
	loop_timer_set(&c->timer,
	    strcmp(how, "timeout") == 0 ? SECONDS(30) : latency(c));
	return c;
}

static void
fake_send(struct smtpc *c, const struct smtpc_txn *txn)
{
	OBJ_CHECK(c, FAKE_MAGIC);
	ASSERT(c->phase == PH_IDLE);
	c->txn = txn;
	c->accepted = 0;
	mem_free(c->took);
	c->took = mem_array(txn->nrcpt, sizeof(*c->took));
	c->phase = PH_RCPT;
	c->messages++;
	loop_timer_set(&c->timer, latency(c));
}

static void
fake_source_ready(struct smtpc *c ATTR_UNUSED)
{
}

static void
fake_quit(struct smtpc *c)
{
	OBJ_CHECK(c, FAKE_MAGIC);
	c->phase = PH_QUIT;
	loop_timer_set(&c->timer, 1);
}

static void
fake_destroy(struct smtpc **cp)
{
	struct smtpc *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	OBJ_CHECK(c, FAKE_MAGIC);
	count(c, -1);
	loop_timer_clear(&c->timer);
	mem_free(c->took);
	OBJ_FREE(c);
}

static bool
fake_ready(const struct smtpc *c)
{
	return c->phase == PH_IDLE;
}

static bool
fake_dsn(const struct smtpc *c ATTR_UNUSED)
{
	return false;
}

static const struct tls_info *
fake_tls(const struct smtpc *c)
{
	return c->tls_up ? &c->info : NULL;
}

static void
fake_chain(const struct smtpc *c ATTR_UNUSED, struct buf *dst ATTR_UNUSED)
{
}

static const char *
fake_local(const struct smtpc *c ATTR_UNUSED, char *dst, size_t n)
{
	(void)snprintf(dst, n, "10.9.9.9");
	return dst;
}

/* Connections of a host now, at most, and ever. */
static void
count(struct smtpc *c, int by)
{
	lua_State *L = net->lua;
	lua_Integer n, peak;

	if ((by < 0) != c->counted)
		return;
	c->counted = by > 0;
	lua_getfield(L, LUA_REGISTRYINDEX, "sim.conns");
	lua_getfield(L, -1, c->ip);
	n = lua_tointeger(L, -1) + by;
	lua_pop(L, 1);
	lua_pushinteger(L, n);
	lua_setfield(L, -2, c->ip);
	lua_pop(L, 1);
	lua_getfield(L, LUA_REGISTRYINDEX, "sim.peak");
	lua_getfield(L, -1, c->ip);
	peak = lua_tointeger(L, -1);
	lua_pop(L, 1);
	if (n > peak) {
		lua_pushinteger(L, n);
		lua_setfield(L, -2, c->ip);
	}
	lua_pop(L, 1);
	if (by < 0)
		return;
	lua_getfield(L, LUA_REGISTRYINDEX, "sim.opened");
	lua_getfield(L, -1, c->ip);
	n = lua_tointeger(L, -1) + 1;
	lua_pop(L, 1);
	lua_pushinteger(L, n);
	lua_setfield(L, -2, c->ip);
	lua_pop(L, 1);
}

/* host.what: a number, or a function of arg; else the usual code. */
static int
behaviour(struct smtpc *c, const char *what, const char *arg, int usual)
{
	lua_State *L = net->lua;
	int code = usual;

	sim_push(net, "sim.host", c->ip);
	if (lua_istable(L, -1)) {
		lua_getfield(L, -1, what);
		if (lua_isfunction(L, -1)) {
			if (arg != NULL)
				lua_pushstring(L, arg);
			else
				lua_pushnumber(L, seconds());
			if (lua_pcall(L, 1, 1, 0) != LUA_OK)
				fatal("scenario: %s", lua_tostring(L, -1));
		}
		if (lua_isnumber(L, -1))
			code = (int)lua_tointeger(L, -1);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	return code;
}

static struct smtpc_reply
reply(struct smtpc *c, enum smtpc_fail fail, int code, enum smtpc_step step)
{
	struct smtpc_reply r = { .code = code, .step = step, .fail = fail };

	(void)snprintf(c->text, sizeof(c->text), "answer %d of %s", code,
	    c->ip);
	r.text = str_c(c->text);
	return r;
}

static void
note_attempt(struct smtpc *c, const char *result)
{
	lua_State *L = net->lua;

	lua_getglobal(L, "attempts");
	lua_newtable(L);
	lua_pushnumber(L, seconds());
	lua_setfield(L, -2, "t");
	lua_pushstring(L, c->ip);
	lua_setfield(L, -2, "host");
	lua_pushstring(L, result);
	lua_setfield(L, -2, "result");
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
	lua_pop(L, 1);
}

static void
closed(struct smtpc *c, enum smtpc_fail fail, int code, enum smtpc_step step)
{
	struct smtpc_reply r = reply(c, fail, code, step);

	count(c, -1);
	note_attempt(c, "closed");
	c->phase = PH_QUIT;
	c->ops->closed(c->arg, &r);
}

static bool
drops_at(struct smtpc *c, const char *where, enum smtpc_step step)
{
	char word[16];

	word_of(c, "drop", word, sizeof(word));
	if (strcmp(word, where) != 0)
		return false;
	closed(c, SMTPC_FAIL_LOST, 0, step);
	return true;
}

static void
on_connect(struct smtpc *c)
{
	char how[16];
	int code;

	word_of(c, "connect", how, sizeof(how));
	if (how[0] != '\0' && strcmp(how, "ok") != 0) {
		closed(c,
		    how[0] == 't' ? SMTPC_FAIL_TIMEOUT : SMTPC_FAIL_NETWORK,
		    0, SMTPC_AT_CONNECT);
		return;
	}
	count(c, 1);
	c->ops->connected(c->arg);
	code = behaviour(c, "banner", NULL, 220);
	if (code / 100 != 2) {
		closed(c, SMTPC_FAIL_NONE, code, SMTPC_AT_BANNER);
		return;
	}
	c->phase = PH_READY;
	loop_timer_set(&c->timer, latency(c));
}

static void
on_timer(void *arg)
{
	struct smtpc *c;

	OBJ_CAST(c, arg, FAKE_MAGIC);
	switch (c->phase) {
	case PH_CONNECT:
		on_connect(c);
		return;
	case PH_READY:
		secure(c);
		return;
	case PH_IDLE:
		return;
	case PH_RCPT:
		answer_rcpts(c);
		return;
	case PH_DOT:
		answer_dot(c);
		return;
	case PH_QUIT:
		count(c, -1);
		c->ops->closed(c->arg, NULL);
		return;
	}
}

/* host.tls, a word or a function of the ladder's step. */
static void
tls_word(struct smtpc *c, char *dst, size_t n)
{
	const char *step = simtls_step_name(c->conf.tls_step);
	lua_State *L = net->lua;

	dst[0] = '\0';
	sim_push(net, "sim.host", c->ip);
	if (lua_istable(L, -1)) {
		lua_getfield(L, -1, "tls");
		if (lua_isfunction(L, -1)) {
			lua_pushstring(L, step);
			if (lua_pcall(L, 1, 1, 0) != LUA_OK)
				fatal("scenario: %s", lua_tostring(L, -1));
		}
		if (lua_isstring(L, -1))
			(void)snprintf(dst, n, "%s", lua_tostring(L, -1));
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

static void
secure(struct smtpc *c)
{
	struct tls_failure failure;
	struct smtpc_reply r;
	enum simtls how;
	char word[32];

	tls_word(c, word, sizeof(word));
	how = simtls_play(&c->conf, word, &c->info, &failure, &r);
	if (how == SIMTLS_UP)
		c->ops->tls(c->arg, &c->info, NULL);
	else if (r.tls_reason != TLSR_NONE)
		c->ops->tls(c->arg, NULL, &r);
	if (how == SIMTLS_END) {
		count(c, -1);
		note_attempt(c, tls_reason_word(r.tls_reason));
		c->phase = PH_QUIT;
		c->ops->closed(c->arg, &r);
		return;
	}
	c->tls_up = how == SIMTLS_UP;
	c->phase = PH_IDLE;
	c->ops->ready(c->arg);
}

static void
done(struct smtpc *c, const struct smtpc_reply *r)
{
	c->phase = PH_IDLE;
	c->ops->done(c->arg, r);
}

static void
answer_rcpts(struct smtpc *c)
{
	struct smtpc_reply r;
	unsigned i;
	int code;

	if (drops_at(c, "mail", SMTPC_AT_MAIL))
		return;
	code = behaviour(c, "mail", NULL, 250);
	if (code / 100 != 2) {
		note_attempt(c, "mail");
		r = reply(c, SMTPC_FAIL_NONE, code, SMTPC_AT_MAIL);
		done(c, &r);
		return;
	}
	if (drops_at(c, "rcpt", SMTPC_AT_RCPT))
		return;
	for (i = 0; i < c->txn->nrcpt; i++) {
		code = behaviour(c, "rcpt", c->txn->rcpt[i]->addr.full.p, 250);
		r = reply(c, SMTPC_FAIL_NONE, code, SMTPC_AT_RCPT);
		c->took[i] = code / 100 == 2;
		c->accepted += c->took[i];
		c->ops->rcpt(c->arg, i, &r);
	}
	if (c->accepted == 0) {
		note_attempt(c, "rcpt");
		done(c, NULL);
		return;
	}
	c->phase = PH_DOT;
	loop_timer_set(&c->timer, latency(c));
}

static void
note_arrival(struct smtpc *c, const struct rcpt *rc)
{
	lua_State *L = net->lua;

	lua_getglobal(L, "arrived");
	lua_newtable(L);
	lua_pushnumber(L, seconds());
	lua_setfield(L, -2, "t");
	lua_pushstring(L, c->ip);
	lua_setfield(L, -2, "host");
	lua_pushstring(L, c->txn->env->sender.full.p);
	lua_setfield(L, -2, "from");
	lua_pushstring(L, rc->addr.full.p);
	lua_setfield(L, -2, "to");
	lua_pushinteger(L, (lua_Integer)c->txn->env->mid);
	lua_setfield(L, -2, "mid");
	lua_pushstring(L, tlswant_name(c->conf.want.level));
	lua_setfield(L, -2, "level");
	lua_pushinteger(L, (lua_Integer)c->serial);
	lua_setfield(L, -2, "conn");
	if (c->tls_up) {
		lua_pushstring(L, simtls_step_name(c->conf.tls_step));
		lua_setfield(L, -2, "tls");
	}
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
	lua_pop(L, 1);
}

static void
answer_dot(struct smtpc *c)
{
	struct smtpc_reply r;
	unsigned i;
	int code;

	if (drops_at(c, "dot", SMTPC_AT_DOT))
		return;
	code = behaviour(c, "dot", NULL, 250);
	note_attempt(c, "dot");
	if (code / 100 == 2)
		for (i = 0; i < c->txn->nrcpt; i++)
			if (c->took[i])
				note_arrival(c, c->txn->rcpt[i]);
	r = reply(c, SMTPC_FAIL_NONE, code, SMTPC_AT_DOT);
	done(c, &r);
}
