/*
 * Runs scenario files: see sim.h for what they can say. TAP on stdout.
 */
#include "tests/sim/sim.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/obj.h"
#include "base/rand.h"

static unsigned tests, failures;

static struct sim *
sim_of(lua_State *L)
{
	struct sim *s;

	lua_getfield(L, LUA_REGISTRYINDEX, "sim");
	s = lua_touserdata(L, -1);
	lua_pop(L, 1);
	return s;
}

static void
defaults(struct sim *s)
{
	static const struct queue_profile profile = {
		.name = "default",
		.first_retry = SECONDS(60),
		.max_retry = HOURS(1),
		.lifetime = HOURS(72),
		.max_retries = 100,
		.warn_count = 1,
	};

	s->profile = profile;
	s->conf = (struct relay_conf){
		.hostname = "mx.us.example",
		.postmaster = "postmaster@us.example",
		.port = 25,
		.tls = { .level = TLSWANT_OPPORTUNISTIC },
		.concurrency = 10,
		.total = 1000,
		.max_messages = 50,
		.max_rcpt = 50,
		.idle = SECONDS(5),
		.connect_timeout = SECONDS(30),
		.timeout_scale = 1.0,
		.host_backoff = SECONDS(60),
		.host_backoff_max = HOURS(1),
		.return_bound = 10240,
		.broken_tls = MINUTES(10),
		.profile = &s->profile,
		.rules = { .limit = RELAY_LIMIT_DOMAIN },
	};
	s->pool = pool_new(0);
	s->workers = 1;
	s->start = clock_now();
}

static void
start(struct sim *s)
{
	struct err why = ERR_INIT;
	unsigned i;

	if (s->started)
		return;
	s->started = true;
	s->shm = shm_new(s->workers, &why);
	(void)snprintf(s->ids_path, sizeof(s->ids_path), "sim-ids.%ld",
	    (long)getpid());
	(void)unlink(s->ids_path);
	if (s->shm == NULL || ids_open(&s->ids, s->shm, s->ids_path,
	        &why) == -1)
		fatal("simulation: %s", why.text);
	for (i = 0; i < s->workers; i++) {
		struct sim_worker *w = &s->worker[i];
		struct store_conf sc = { .index = i, .memory = true };
		struct relay_world rw = {
			.loop = s->loop,
			.shm = s->shm,
			.ids = s->ids,
			.worker = i,
			.peer = &simnet_peer,
			.asks = &simasks,
		};

		OBJ_INIT(w, SIM_WORKER_MAGIC);
		w->sim = s;
		w->index = i;
		if (store_open(&w->store, s->loop, &sc, &why) == -1)
			fatal("simulation: %s", why.text);
		rw.store = w->store;
		w->relay = relay_new(&rw, &s->conf);
		if (queue_new(&w->queue, s->loop, w->store, relay_queue_ops(),
		        w->relay, &why) == -1)
			fatal("simulation: %s", why.text);
		relay_queue_set(w->relay, w->queue);
	}
}

static void
stop(struct sim *s)
{
	unsigned i;

	for (i = 0; s->started && i < s->workers; i++) {
		relay_destroy(&s->worker[i].relay);
		queue_destroy(&s->worker[i].queue);
		store_close(&s->worker[i].store);
	}
	if (s->started) {
		ids_close(&s->ids);
		shm_destroy(&s->shm);
		(void)unlink(s->ids_path);
	}
	simnet_close();
	loop_destroy(&s->loop);
	pool_destroy(&s->pool);
}

static double
number(lua_State *L, int table, const char *name, double usual)
{
	double v = usual;

	lua_getfield(L, table, name);
	if (lua_isboolean(L, -1))
		v = lua_toboolean(L, -1) ? 1 : 0;
	else if (!lua_isnil(L, -1))
		v = luaL_checknumber(L, -1);
	lua_pop(L, 1);
	return v;
}

#define SECS(t, f, name)                                                       \
	((t)->f = (msec)(number(L, 1, name, (double)(t)->f / 1000.0) * 1000))
#define COUNT(t, f, name)                                                      \
	((t)->f = (unsigned)number(L, 1, name, (double)(t)->f))

static struct tlswant
want_of(lua_State *L, const char *text)
{
	struct err why = ERR_INIT;
	struct tlswant w;

	if (tlswant_read(&w, str_c(text), sim_of(L)->pool, &why) == -1)
		(void)luaL_error(L, "%s", why.text);
	return w;
}

static int
l_conf(lua_State *L)
{
	struct relay_conf *c = &sim_of(L)->conf;

	luaL_checktype(L, 1, LUA_TTABLE);
	COUNT(c, concurrency, "concurrency");
	COUNT(c, total, "total");
	COUNT(c, max_messages, "max_messages");
	COUNT(c, max_rcpt, "max_rcpt");
	SECS(c, idle, "idle");
	SECS(c, host_backoff, "host_backoff");
	SECS(c, host_backoff_max, "host_backoff_max");
	SECS(c, broken_tls, "broken_tls");
	lua_getfield(L, 1, "tls");
	if (lua_isstring(L, -1))
		c->tls = want_of(L, lua_tostring(L, -1));
	lua_pop(L, 1);
	return 0;
}

/* What a destination block says beyond TLS. */
static int
l_limits(lua_State *L)
{
	struct sim *s = sim_of(L);
	struct relay_destination *v;
	struct relay_rules *r;
	unsigned n = s->conf.ndestination;

	luaL_argcheck(L, !s->started, 1, "only before the start");
	luaL_checktype(L, 2, LUA_TTABLE);
	v = pool_alloc(s->pool, (n + 1) * sizeof(*v));
	if (n > 0)
		memcpy(v, s->conf.destination, n * sizeof(*v));
	v[n].name = pool_strdup(s->pool, luaL_checkstring(L, 1));
	r = &v[n].rules;
	lua_remove(L, 1);
	COUNT(r, concurrency, "concurrency");
	COUNT(r, max_messages, "max_messages");
	COUNT(r, recipients, "recipients");
	COUNT(r, minutes, "minutes");
	if (number(L, 1, "by_mx", 0) != 0)
		r->limit = RELAY_LIMIT_MX;
	s->conf.destination = v;
	s->conf.ndestination = n + 1;
	return 0;
}

static void
nothing(void *arg ATTR_UNUSED)
{
}

static int
l_destination(lua_State *L)
{
	struct sim *s = sim_of(L);
	struct relay_conf *c;
	unsigned i;

	(void)want_of(L, luaL_checkstring(L, 2)); /* it makes sense */
	simasks_table(luaL_checkstring(L, 1), luaL_checkstring(L, 2));
	for (i = 0; s->started && i < s->workers; i++) {
		c = pool_dup(s->pool, &s->conf, sizeof(*c));
		relay_conf_set(s->worker[i].relay, c, nothing, s);
		queue_recover(s->worker[i].queue);
	}
	return 0;
}

static int
l_profile(lua_State *L)
{
	struct queue_profile *p = &sim_of(L)->profile;

	luaL_checktype(L, 1, LUA_TTABLE);
	SECS(p, first_retry, "first_retry");
	SECS(p, max_retry, "max_retry");
	SECS(p, lifetime, "lifetime");
	COUNT(p, max_retries, "max_retries");
	COUNT(p, jitter, "jitter");
	p->warn = number(L, 1, "warn", p->warn) != 0;
	SECS(p, warn_after, "warn_after");
	COUNT(p, warn_count, "warn_count");
	SECS(p, warn_interval, "warn_interval");
	return 0;
}

static int
l_worker(lua_State *L)
{
	struct sim *s = sim_of(L);

	s->workers = (unsigned)luaL_checkinteger(L, 1);
	luaL_argcheck(L, s->workers >= 1 && s->workers <= SIM_WORKERS, 1,
	    "1 to 4");
	return 0;
}

static struct addr
address(lua_State *L, struct pool *pool, const char *text)
{
	struct err why = ERR_INIT;
	struct addr a;

	memset(&a, 0, sizeof(a));
	if (text[0] == '\0') {
		a.full = a.local = a.domain = STR("");
		return a;
	}
	if (addr_parse(pool, str_c(text), 0, &a, &why) == -1)
		luaL_error(L, "%s: %s", text, why.text);
	return a;
}

static unsigned
notify_of(lua_State *L)
{
	const char *text;
	unsigned v = 0;

	lua_getfield(L, 1, "notify");
	text = luaL_optstring(L, -1, "");
	if (strcmp(text, "never") == 0)
		v = NOTIFY_NEVER;
	else if (strcmp(text, "success") == 0)
		v = NOTIFY_SUCCESS;
	lua_pop(L, 1);
	return v;
}

/* What is stored with recipient i. */
static struct str
stored_want(lua_State *L, struct pool *pool, lua_Integer i)
{
	struct str want;

	lua_getfield(L, 1, "want");
	if (lua_istable(L, -1)) {
		lua_rawgeti(L, -1, i);
		lua_remove(L, -2);
	}
	want = pool_str(pool, str_c(luaL_optstring(L, -1, "")));
	lua_pop(L, 1);
	return want;
}

static void
ready(void *arg ATTR_UNUSED, const struct err *why ATTR_UNUSED)
{
}

static void
submitted(void *arg ATTR_UNUSED, const struct err *why)
{
	if (why != NULL)
		fatal("simulation: not kept: %s", why->text);
}

static struct body_ref *
make_body(struct store *st, size_t size)
{
	struct body_ref *b = body_new(st, ready, NULL);
	char *text = mem_alloc(size);

	memset(text, 'x', size);
	memcpy(text, "A: b\r\n\r\n", 8);
	memcpy(text + size - 2, "\r\n", 2);
	(void)body_write(b, text, size);
	body_finish(b);
	mem_free(text);
	return b;
}

static int
l_submit(lua_State *L)
{
	struct sim *s = sim_of(L);
	struct envelope *env;
	struct sim_worker *w;
	struct addr a;
	lua_Integer i, n;
	uint64_t mid;
	size_t size;

	luaL_checktype(L, 1, LUA_TTABLE);
	start(s);
	i = (lua_Integer)number(L, 1, "worker", 1);
	luaL_argcheck(L, i >= 1 && i <= (lua_Integer)s->workers, 1, "worker");
	w = &s->worker[i - 1];
	size = (size_t)number(L, 1, "size", 100);
	env = envelope_new();
	env->mid = mid = ids_next(s->ids, SHM_MID);
	env->queued = clock_wall();
	env->size = size;
	env->envid = env->client_ip = env->helo = env->auth = STR("");
	env->listener = "sim";
	lua_getfield(L, 1, "from");
	env->sender = address(L, env->pool,
	    luaL_optstring(L, -1, "us@us.example"));
	lua_getfield(L, 1, "to");
	n = (lua_Integer)lua_rawlen(L, -1);
	for (i = 1; i <= n; i++) {
		lua_rawgeti(L, -1, i);
		a = address(L, env->pool, lua_tostring(L, -1));
		envelope_add_rcpt(env, &a, STR(""), notify_of(L))->want =
		    stored_want(L, env->pool, i);
		lua_pop(L, 1);
	}
	queue_submit(w->queue, env, make_body(w->store, size), submitted, s);
	lua_pushinteger(L, (lua_Integer)mid);
	return 1;
}

static int
l_run(lua_State *L)
{
	struct sim *s = sim_of(L);
	msec until = clock_now() + (msec)(luaL_checknumber(L, 1) * 1000);
	lua_Integer turns = luaL_optinteger(L, 2, LUA_MAXINTEGER);

	while (turns-- > 0 && loop_step_fake(s->loop, until))
		;
	return 0;
}

static int
l_now(lua_State *L)
{
	lua_pushnumber(L, (double)(clock_now() - sim_of(L)->start) / 1000.0);
	return 1;
}

/* Of all workers: messages, and those of them that are held. */
static void
count(const struct sim *s, lua_Integer *messages_r, lua_Integer *held_r)
{
	struct queue_stats st;
	unsigned i;

	*messages_r = *held_r = 0;
	for (i = 0; s->started && i < s->workers; i++) {
		queue_stats(s->worker[i].queue, &st);
		*messages_r += (lua_Integer)st.messages;
		*held_r += (lua_Integer)st.held;
	}
}

static int
l_waiting(lua_State *L)
{
	lua_Integer messages, held;

	count(sim_of(L), &messages, &held);
	lua_pushinteger(L, messages);
	return 1;
}

static int
l_held(lua_State *L)
{
	lua_Integer messages, held;

	count(sim_of(L), &messages, &held);
	lua_pushinteger(L, held);
	return 1;
}

static void
released(void *arg ATTR_UNUSED, uint64_t n ATTR_UNUSED,
    const struct err *why ATTR_UNUSED)
{
}

static int
l_release(lua_State *L)
{
	static const struct store_filter f = { .hold = STORE_HELD };
	struct sim *s = sim_of(L);
	unsigned i;

	for (i = 0; s->started && i < s->workers; i++)
		queue_act(s->worker[i].queue, QUEUE_RELEASE, &f, released, s);
	return 0;
}

static void
add_row(void *arg, struct str json)
{
	lua_State *L = arg;

	lua_pushlstring(L, json.p, json.n);
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

static int
l_hops(lua_State *L)
{
	struct sim *s = sim_of(L);
	unsigned i;

	lua_newtable(L);
	for (i = 0; s->started && i < s->workers; i++)
		relay_list(s->worker[i].relay, add_row, L);
	return 1;
}

static int
l_metric(lua_State *L)
{
	struct sim *s = sim_of(L);
	const char *name = luaL_checkstring(L, 1);
	char one[80];
	unsigned i;

	for (i = 0; i < M_COUNT; i++) {
		if (strcmp(shm_metric_name(i, one, sizeof(one)), name) != 0)
			continue;
		lua_pushinteger(L, s->started ?
		    (lua_Integer)shm_metric_sum(s->shm, i) : 0);
		return 1;
	}
	return luaL_error(L, "no such metric: %s", name);
}

static int
l_flush(lua_State *L)
{
	struct sim *s = sim_of(L);
	const char *domain = luaL_checkstring(L, 1);
	unsigned i, n = 0;

	for (i = 0; s->started && i < s->workers; i++) {
		relay_wake(s->worker[i].relay, str_c(domain), false);
		n += queue_flush_domain(s->worker[i].queue, str_c(domain),
		    false);
	}
	lua_pushinteger(L, n);
	return 1;
}

/* test(sentence, function) */
static int
l_test(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	struct sim s;
	bool good;

	memset(&s, 0, sizeof(s));
	s.lua = L;
	s.loop = loop_new();
	defaults(&s);
	rand_seed(1);
	lua_pushlightuserdata(L, &s);
	lua_setfield(L, LUA_REGISTRYINDEX, "sim");
	simnet_open(&s);
	simasks_open(&s);
	lua_pushvalue(L, 2);
	good = lua_pcall(L, 0, 0, 0) == LUA_OK;
	tests++;
	printf("%sok %u - %s\n", good ? "" : "not ", tests, name);
	if (!good) {
		failures++;
		printf("# %s\n", lua_tostring(L, -1));
		lua_pop(L, 1);
	}
	stop(&s);
	return 0;
}

static int
l_ok(lua_State *L)
{
	if (!lua_toboolean(L, 1))
		return luaL_error(L, "%s", luaL_optstring(L, 2, "not true"));
	return 0;
}

static int
l_eq(lua_State *L)
{
	const char *what = luaL_optstring(L, 3, "value");

	if (!lua_compare(L, 1, 2, LUA_OPEQ))
		return luaL_error(L, "%s is %s, not %s", what,
		    luaL_tolstring(L, 1, NULL), luaL_tolstring(L, 2, NULL));
	return 0;
}

int
main(int argc, char **argv)
{
	static const luaL_Reg words[] = { { "conf", l_conf },
		{ "profile", l_profile }, { "worker", l_worker },
		{ "submit", l_submit }, { "run", l_run }, { "now", l_now },
		{ "waiting", l_waiting }, { "flush", l_flush },
		{ "metric", l_metric }, { "destination", l_destination },
		{ "limits", l_limits },
		{ "held", l_held }, { "release", l_release },
		{ "hops", l_hops },
		{ "test", l_test }, { "ok", l_ok }, { "eq", l_eq },
		{ NULL, NULL } };
	lua_State *L = luaL_newstate();
	struct log_conf lc = { .level = LOG_LV_WARNING };
	int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	lc.stderr_on = getenv("SIM_LOG") != NULL;
	if (lc.stderr_on)
		lc.level = LOG_LV_DEBUG;
	log_open(&lc);
	clock_fake(SECONDS(1700000000));
	luaL_openlibs(L);
	lua_pushglobaltable(L);
	luaL_setfuncs(L, words, 0);
	lua_pop(L, 1);
	for (i = 1; i < argc; i++)
		if (luaL_dofile(L, argv[i]) != LUA_OK) {
			printf("not ok %u - %s\n# %s\n", ++tests, argv[i],
			    lua_tostring(L, -1));
			failures++;
		}
	printf("1..%u\n", tests);
	lua_close(L);
	log_close();
	return failures > 0;
}
