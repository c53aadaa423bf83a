/*
 * The objects of an event as Lua has them: conn, msg, rcpt and so on. One is a
 * handle, the number of its event and a recipient; what it tells is asked for
 * when it is read. Its members are a table made by lua/objects.lua: a function
 * is a method, a text the name of a fact ("#name": a number, "?name": yes or
 * no), and a table has a function that computes the value.
 */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"

#define OBJECT_MAGIC 0x0b7ec701u

struct object {
	unsigned magic;
	int rcpt; /* from 0; RCPT_NONE: what is at hand */
	uint64_t event;
};

static const struct object *
object_at(lua_State *L, int arg)
{
	const struct object *o = lua_touserdata(L, arg);

	if (o == NULL || lua_rawlen(L, arg) != sizeof(*o) ||
	    o->magic != OBJECT_MAGIC)
		(void)host_fail(L, "this is no object of an event: is there a "
		    "dot where a colon is meant?");
	return o;
}

void
object_new(lua_State *L, uint64_t event, int rcpt)
{
	struct object *o = lua_newuserdatauv(L, sizeof(*o), 1);

	*o = (struct object){ OBJECT_MAGIC, rcpt, event };
}

static struct event *
event_of(lua_State *L, const struct object *o)
{
	struct event *r = run_of(L);

	if (o->event != r->number)
		(void)host_fail(L, "this object was kept beyond its event: "
		    "keep values of it instead");
	return r;
}

struct event *
host_event(lua_State *L)
{
	return event_of(L, object_at(L, 1));
}

static struct event *
selected(lua_State *L, const struct object *o)
{
	struct event *r = event_of(L, o);

	host_select(r, o->rcpt);
	if (r->rcpt != o->rcpt)
		(void)host_fail(L, "there is no such recipient any more");
	return r;
}

struct event *
host_object(lua_State *L)
{
	return selected(L, object_at(L, 1));
}

static void
push_fact(lua_State *L, struct event *r, const char *name)
{
	const char *text;
	char *end;
	long long n;

	if (r->rcpt <= RCPT_ADDED && strncmp(name, "rcpt", 4) == 0) {
		shadow_fact(r, L, name);
		return;
	}
	switch (name[0]) {
	case '?':
		text = pst_get(r->ev, name + 1);
		lua_pushboolean(L, text != NULL && strcmp(text, "yes") == 0);
		break;
	case '#':
		text = pst_get(r->ev, name + 1);
		n = text == NULL ? 0 : strtoll(text, &end, 10);
		if (text == NULL || end == text || *end != '\0')
			lua_pushnil(L);
		else
			lua_pushinteger(L, n);
		break;
	default:
		(void)lua_pushstring(L, pst_get(r->ev, name));
		break;
	}
}

/* Upvalues: the members, what such an object is called. */
static int
object_index(lua_State *L)
{
	const struct object *o = object_at(L, 1);

	lua_settop(L, 2);
	lua_pushvalue(L, 2);
	switch (lua_rawget(L, lua_upvalueindex(1))) {
	case LUA_TSTRING:
		push_fact(L, selected(L, o), lua_tostring(L, -1));
		return 1;
	case LUA_TTABLE:
		(void)lua_rawgeti(L, -1, 1);
		lua_pushvalue(L, 1);
		lua_call(L, 1, 1);
		return 1;
	case LUA_TNIL:
		break;
	default:
		return 1;
	}
	return host_fail(L, "%s has no field \"%s\"",
	    lua_tostring(L, lua_upvalueindex(2)), luaL_tolstring(L, 2, NULL));
}

/* name, members: what __index of such objects is */
static int
host_index(lua_State *L)
{
	(void)luaL_checkstring(L, 1);
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	lua_insert(L, 1);
	lua_pushcclosure(L, object_index, 2);
	return 1;
}

/* metatable, an object of the same event, recipient: another one */
static int
host_new(lua_State *L)
{
	const struct object *o = object_at(L, 2);

	object_new(L, o->event, (int)luaL_checkinteger(L, 3));
	lua_pushvalue(L, 1);
	(void)lua_setmetatable(L, -2);
	return 1;
}

/* object, value: hangs a value on it; without one: what hangs there */
static int
host_kept(lua_State *L)
{
	(void)object_at(L, 1);
	if (lua_gettop(L) < 2) {
		(void)lua_getiuservalue(L, 1, 1);
		return 1;
	}
	lua_settop(L, 2);
	(void)lua_setiuservalue(L, 1, 1);
	return 0;
}

/* object, name of a fact */
static int
host_get(lua_State *L)
{
	struct event *r = host_object(L);

	push_fact(L, r, luaL_checkstring(L, 2));
	return 1;
}

static lua_Integer
count(struct event *r)
{
	const char *n = pst_get(r->ev, "message.rcpts");

	return n == NULL ? 0 : (lua_Integer)strtol(n, NULL, 10);
}

/* The list of recipients: #list */
static int
list_length(lua_State *L)
{
	host_select(host_event(L), RCPT_NONE);
	lua_pushinteger(L, count(run_of(L)));
	return 1;
}

/* list[1]; what else it may be asked for, upvalue 2 knows. Upvalue 1 is the
 * metatable of what is listed. Each is made once. */
static int
list_index(lua_State *L)
{
	struct event *r = host_event(L);
	lua_Integer i;

	lua_settop(L, 2);
	if (!lua_isinteger(L, 2)) {
		lua_pushvalue(L, lua_upvalueindex(2));
		lua_insert(L, 1);
		lua_call(L, 2, 1);
		return 1;
	}
	i = lua_tointeger(L, 2);
	if (lua_getiuservalue(L, 1, 1) != LUA_TTABLE) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_pushvalue(L, -1);
		(void)lua_setiuservalue(L, 1, 1);
	}
	if (lua_rawgeti(L, 3, i) != LUA_TNIL)
		return 1;
	host_select(r, RCPT_NONE);
	if (i < 1 || i > count(r))
		return 1;
	object_new(L, r->number, (int)i - 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	(void)lua_setmetatable(L, -2);
	lua_pushvalue(L, -1);
	lua_rawseti(L, 3, i);
	return 1;
}

/* metatable of what is listed, f(list, key): metatable of the list */
static int
host_list(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_settop(L, 2);
	lua_newtable(L);
	lua_insert(L, 1);
	lua_pushcclosure(L, list_index, 2);
	lua_setfield(L, 1, "__index");
	lua_pushcfunction(L, list_length);
	lua_setfield(L, 1, "__len");
	return 1;
}

const struct luaL_Reg object_functions[] = {
	{ "get", host_get },
	{ "index", host_index },
	{ "kept", host_kept },
	{ "list", host_list },
	{ "new", host_new },
	{ NULL, NULL }
};
