/*
 * The requests that an event waits for.
 *
 * A continuation is not told which request it belongs to, so each slot has one
 * of its own. The answer is taken by host.answer() inside the coroutine, since
 * making strings of it may fail. If the coroutine pauses or waits for something
 * else before it does that, a copy is kept.
 */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"

struct kept {
	struct pst_result res;
	/* and behind it items, their octets, the error */
};

#define EACH_SLOT(X)                                                           \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)    \
	X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23)      \
	X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)

#define THEN(n)                                                                \
	static enum pst_verdict then_##n(struct pst_event *ev,                 \
	    const struct pst_result *res)                                      \
	{                                                                      \
		return answer_got(ev, n, res);                                 \
	}
EACH_SLOT(THEN)
#define NAME(n) then_##n,
static pst_then *const thens[] = { EACH_SLOT(NAME) };

_Static_assert(sizeof(thens) / sizeof(thens[0]) == SLOTS, "one for each");

static struct kept *
keep(const struct pst_result *res)
{
	uint32_t count = res->item == NULL ? 0 : res->count;
	size_t n = sizeof(struct kept) + count * sizeof(struct pst_str);
	size_t error = res->error == NULL ? 0 : strlen(res->error) + 1;
	struct pst_str *item;
	struct kept *k;
	uint32_t i;
	char *p;

	for (i = 0; i < count; i++)
		n += res->item[i].n + 1;
	k = malloc(n + error);
	if (k == NULL)
		return NULL;
	k->res = *res;
	item = (struct pst_str *)(void *)(k + 1);
	p = (char *)(item + count);
	for (i = 0; i < count; i++) {
		item[i] = (struct pst_str){ p, res->item[i].n };
		memcpy(p, res->item[i].p, res->item[i].n);
		p[item[i].n] = '\0';
		p += item[i].n + 1;
	}
	k->res.item = item;
	k->res.count = count;
	if (res->error != NULL) {
		memcpy(p, res->error, error);
		k->res.error = p;
	}
	return k;
}

static void
slot_free(struct slot *s)
{
	free(s->kept);
	*s = (struct slot){ 0 };
}

void
answer_keep(struct event *r)
{
	unsigned i;

	if (r->res == NULL)
		return;
	for (i = 0; r->slot != NULL && i < SLOTS; i++) {
		if (r->slot[i].id == r->answered)
			r->slot[i].kept = keep(r->res);
	}
	r->res = NULL;
}

uint64_t
answer_ready(struct event *r)
{
	unsigned i;

	for (i = 0; r->slot != NULL && i < SLOTS; i++) {
		if (!r->slot[i].ready)
			continue;
		r->slot[i].ready = false;
		return r->slot[i].id;
	}
	return 0;
}

void
answer_drop(struct event *r)
{
	unsigned i;

	for (i = 0; r->slot != NULL && i < SLOTS; i++)
		slot_free(&r->slot[i]);
	free(r->slot);
	r->slot = NULL;
	r->res = NULL;
}

enum pst_verdict
answer_got(struct pst_event *ev, unsigned n, const struct pst_result *res)
{
	struct event *r = pst_data(ev, PST_EVENT, struct event);
	struct slot *s;

	if (r == NULL || r->co == NULL)
		return PST_TEMPFAIL;
	s = &r->slot[n];
	if (s->forgotten) {
		slot_free(s);
		return PST_WAIT;
	}
	r->answered = s->id;
	r->res = res;
	if (r->paused) {
		/* Its stack is not to be touched now. */
		answer_keep(r);
		s->ready = true;
		return PST_WAIT;
	}
	lua_pushinteger(r->co, (lua_Integer)s->id);
	return run_go(r, 1);
}

/* Takes a slot; its number's continuation is for the request that follows. */
pst_then *
slot_take(lua_State *L, struct event *r)
{
	unsigned i;

	if (r->slot == NULL)
		r->slot = calloc(SLOTS, sizeof(*r->slot));
	if (r->slot == NULL)
		(void)host_fail(L, "no memory is left for a request");
	for (i = 0; i < SLOTS; i++) {
		if (r->slot[i].id != 0)
			continue;
		r->slot[i].id = ++r->ids;
		lua_pushinteger(L, (lua_Integer)r->ids);
		return thens[i];
	}
	(void)host_fail(L, "more than %d requests at once", (int)SLOTS);
	return NULL;
}

static int
ask_dns(lua_State *L)
{
	struct event *r = run_of(L);
	const char *name = luaL_checkstring(L, 1);
	const char *type = luaL_checkstring(L, 2);

	(void)pst_dns(r->ev, name, type, slot_take(L, r));
	return 1;
}

static int
ask_lookup(lua_State *L)
{
	struct event *r = run_of(L);
	const char *table = luaL_checkstring(L, 1);
	const char *key = luaL_checkstring(L, 2);

	(void)pst_lookup(r->ev, table, key, slot_take(L, r));
	return 1;
}

static int
ask_timer(lua_State *L)
{
	struct event *r = run_of(L);
	lua_Integer ms = luaL_checkinteger(L, 1);

	if (ms < 0 || ms > UINT32_MAX)
		return host_fail(L, "this is no time to wait");
	(void)pst_timer(r->ev, (uint32_t)ms, slot_take(L, r));
	return 1;
}

/* method, url, body, type, headers, ca_file, ms, max */
static int
ask_http(lua_State *L)
{
	struct event *r = run_of(L);
	struct pst_http q = {
		.size = sizeof(q),
		.method = luaL_checkstring(L, 1),
		.url = luaL_checkstring(L, 2),
		.content_type = luaL_optstring(L, 4, NULL),
		.headers = luaL_optstring(L, 5, NULL),
		.ca_file = luaL_optstring(L, 6, NULL),
		.timeout_ms = (uint32_t)luaL_optinteger(L, 7, 0),
		.max = (uint32_t)luaL_optinteger(L, 8, 0),
	};

	q.body.p = luaL_optlstring(L, 3, NULL, &q.body.n);
	(void)pst_http(r->ev, &q, slot_take(L, r));
	return 1;
}

/* Number of the request, and the id for wake(). */
static int
ask_park(lua_State *L)
{
	struct event *r = run_of(L);
	uint32_t ms = (uint32_t)luaL_checkinteger(L, 1);
	uint64_t id;

	(void)pst_park(r->ev, ms, &id, slot_take(L, r));
	lua_pushinteger(L, (lua_Integer)id);
	return 2;
}

static int
ask_wake(lua_State *L)
{
	struct event *r = run_of(L);

	lua_pushboolean(L, pst_wake(r->ev,
	    (uint64_t)luaL_checkinteger(L, 1), NULL));
	return 1;
}

static struct slot *
slot_of(lua_State *L, struct event *r)
{
	uint64_t id = (uint64_t)luaL_checkinteger(L, 1);
	unsigned i;

	for (i = 0; r->slot != NULL && i < SLOTS; i++) {
		if (id != 0 && r->slot[i].id == id)
			return &r->slot[i];
	}
	(void)luaL_error(L, "no such request");
	return NULL;
}

/* An outstanding one is not waited for any more. */
static int
ask_forget(lua_State *L)
{
	struct event *r = run_of(L);
	struct slot *s = slot_of(L, r);

	if (s->kept != NULL || (r->res != NULL && s->id == r->answered))
		slot_free(s);
	else
		s->forgotten = true;
	return 0;
}

/* status, error, values, ttl, secure, code */
static int
ask_answer(lua_State *L)
{
	static const char *const words[] = { "ok", "notfound", "temperr",
		"timeout", "failed" };
	struct event *r = run_of(L);
	struct slot *s = slot_of(L, r);
	const struct pst_result *res = s->kept != NULL ? &s->kept->res :
	    s->id == r->answered ? r->res : NULL;
	uint32_t i;

	if (res == NULL)
		return luaL_error(L, "no memory is left for an answer");
	lua_pushstring(L, words[(unsigned)res->status % 5]);
	lua_pushstring(L, res->error);
	lua_createtable(L, (int)res->count, 2);
	for (i = 0; res->item != NULL && i < res->count; i++) {
		lua_pushlstring(L, res->item[i].p, res->item[i].n);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_pushinteger(L, res->ttl);
	lua_pushboolean(L, res->secure);
	lua_pushinteger(L, res->code);
	if (s->kept == NULL)
		r->res = NULL;
	slot_free(s);
	return 6;
}

const struct luaL_Reg ask_functions[] = {
	{ "dns", ask_dns },
	{ "lookup", ask_lookup },
	{ "timer", ask_timer },
	{ "http", ask_http },
	{ "park", ask_park },
	{ "wake", ask_wake },
	{ "forget", ask_forget },
	{ "answer", ask_answer },
	{ NULL, NULL }
};
