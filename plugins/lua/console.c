/*
 * What the command line asks (engine/policy.h): lua/console.lua answers. Here
 * is JSON on one side and tables on the other.
 */
#include <engine/policy.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib.h"
#include "policy.h"

#define DEPTH 20

static void	push(lua_State *L, const json_t *v, int depth);

enum pst_verdict
console_ask(struct pst_event *ev)
{
	return run_begin(ev, STAGE_CONSOLE, NULL);
}

/* The test that waits for it goes on from the loop. */
enum pst_verdict
console_answer(struct pst_event *ev)
{
	struct pst_policy_answer *a = ev->arg;
	struct pst_result res = { .size = sizeof(res), .count = 1,
		.item = &a->answer };

	a->gone = !pst_wake(ev, a->id, &res);
	return PST_CONTINUE;
}

static struct pst_policy_ask *
ask_of(lua_State *L)
{
	struct event *r = run_of(L);

	if (r->stage != STAGE_CONSOLE)
		(void)host_fail(L, "nobody has asked");
	return r->ev->arg;
}

static int
json_gc(lua_State *L)
{
	json_decref(*(json_t **)lua_touserdata(L, 1));
	return 0;
}

/* A table of the text; its tree goes with a userdata, whatever is raised. */
static void
push_text(lua_State *L, const char *p, size_t n)
{
	json_t **tree = lua_newuserdatauv(L, sizeof(json_t *), 0);

	*tree = NULL;
	lua_newtable(L);
	lua_pushcfunction(L, json_gc);
	lua_setfield(L, -2, "__gc");
	(void)lua_setmetatable(L, -2);
	*tree = json_loadb(p, n, JSON_DECODE_ANY, NULL);
	push(L, *tree, 0);
}

static void
push(lua_State *L, const json_t *v, int depth)
{
	const char *key;
	json_t *item;
	size_t i;

	luaL_checkstack(L, 4, "JSON");
	if (json_is_string(v)) {
		(void)lua_pushlstring(L, json_string_value(v),
		    json_string_length(v));
	} else if (json_is_integer(v)) {
		lua_pushinteger(L, json_integer_value(v));
	} else if (json_is_real(v)) {
		lua_pushnumber(L, json_real_value(v));
	} else if (json_is_boolean(v)) {
		lua_pushboolean(L, json_is_true(v));
	} else if (json_is_array(v) && depth < DEPTH) {
		lua_newtable(L);
		for (i = 0; i < json_array_size(v); i++) {
			push(L, json_array_get(v, i), depth + 1);
			lua_rawseti(L, -2, (lua_Integer)i + 1);
		}
	} else if (json_is_object(v) && depth < DEPTH) {
		lua_newtable(L);
		json_object_foreach ((json_t *)v, key, item) {
			push(L, item, depth + 1);
			lua_setfield(L, -2, key);
		}
	} else {
		lua_pushnil(L);
	}
}

/* What is no UTF-8 is shown octet by octet. */
static json_t *
pull_string(const char *p, size_t n)
{
	json_t *v = json_stringn(p, n);
	char *copy;
	size_t i;

	if (v != NULL || (copy = malloc(n + 1)) == NULL)
		return v;
	for (i = 0; i < n; i++)
		copy[i] = (unsigned char)p[i] < 0x80 ? p[i] : '?';
	v = json_stringn(copy, n);
	free(copy);
	return v;
}

/* A list if it has a first item, or nothing at all. Nothing here raises. */
static json_t *
pull(lua_State *L, int at, int depth)
{
	lua_Integer i, n;
	json_t *v;
	size_t len;
	const char *p;

	switch (lua_type(L, at)) {
	case LUA_TSTRING:
		p = lua_tolstring(L, at, &len);
		return pull_string(p, len);
	case LUA_TNUMBER:
		if (lua_isinteger(L, at))
			return json_integer(lua_tointeger(L, at));
		return json_real(lua_tonumber(L, at));
	case LUA_TBOOLEAN:
		return json_boolean(lua_toboolean(L, at));
	case LUA_TTABLE:
		break;
	default:
		return json_null();
	}
	n = (lua_Integer)lua_rawlen(L, at);
	v = lib_is_list(L, at) ? json_array() : json_object();
	if (depth >= DEPTH || lua_checkstack(L, 4) == 0)
		return v;
	for (i = 1; i <= n; i++) {
		(void)lua_rawgeti(L, at, i);
		(void)json_array_append_new(v, pull(L, lua_gettop(L),
		    depth + 1));
		lua_pop(L, 1);
	}
	if (n > 0)
		return v;
	lua_pushnil(L);
	while (lua_next(L, at) != 0) {
		if (lua_type(L, -2) == LUA_TSTRING)
			(void)json_object_set_new_nocheck(v,
			    lua_tostring(L, -2), pull(L, lua_gettop(L),
			    depth + 1));
		lua_pop(L, 1);
	}
	return v;
}

/* The table at 1 as text, memory of the event. */
static struct pst_str
text_of(lua_State *L, struct event *r)
{
	struct pst_str text = { NULL, 0 };
	json_t *v = pull(L, 1, 0);
	char *s = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY), *copy;

	json_decref(v);
	if (s != NULL) {
		text.n = strlen(s);
		copy = pst_alloc(r->ev, PST_EVENT, text.n + 1);
		if (copy != NULL)
			memcpy(copy, s, text.n + 1);
		text.p = copy;
	}
	free(s);
	if (text.p == NULL)
		(void)host_fail(L, "no memory is left for an answer");
	return text;
}

static int
console_question(lua_State *L)
{
	struct pst_policy_ask *ask = ask_of(L);

	push_text(L, ask->question.p, ask->question.n);
	return 1;
}

static int
console_reply(lua_State *L)
{
	struct pst_policy_ask *ask = ask_of(L);

	ask->answer = text_of(L, run_of(L));
	return 0;
}

/* Number of the request; the answer's first value is for host.decode(). */
static int
console_drive(lua_State *L)
{
	struct pst_policy_ask *ask = ask_of(L);
	struct event *r = run_of(L);
	struct pst_str what = text_of(L, r);
	uint64_t id;

	state_renew(L);
	(void)pst_park(r->ev, 0, &id, slot_take(L, r));
	ask->drive(ask->driver, id, what);
	return 1;
}

static int
console_decode(lua_State *L)
{
	size_t n;
	const char *p = luaL_checklstring(L, 1, &n);

	push_text(L, p, n);
	return 1;
}

/* What is asked is about all rules, however many were loaded. */
static int
console_widen(lua_State *L)
{
	(void)ask_of(L);
	state_widen(L);
	return 0;
}

/* Is somebody looking on? Then everything is asked. */
static int
console_watched(lua_State *L)
{
	run_of(L)->policy->traced = lua_toboolean(L, 1);
	return 0;
}

/* host.heard(f): f(event, place, value) is called behind each handler from now
 * on; nil: nobody is. */
static int
console_heard(lua_State *L)
{
	struct policy *p = run_of(L)->policy;

	(void)ask_of(L);
	luaL_unref(L, LUA_REGISTRYINDEX, p->heard);
	lua_settop(L, 1);
	p->heard = LUA_NOREF;
	if (!lua_isnil(L, 1))
		p->heard = luaL_ref(L, LUA_REGISTRYINDEX);
	return 0;
}

const struct luaL_Reg console_functions[] = {
	{ "heard", console_heard },
	{ "question", console_question },
	{ "reply", console_reply },
	{ "drive", console_drive },
	{ "decode", console_decode },
	{ "watched", console_watched },
	{ "widen", console_widen },
	{ NULL, NULL }
};
