/*
 * table, each element paid for: a table may claim any length by __len. The
 * order that sort() is given may wait.
 */
#include "lib.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include <lauxlib.h>

#include "state.h"

/*
 * A sort() under way: runs of width are merged from one table of the stack
 * into the other, [left, middle) with [right, to); equal ones stay in order.
 */
struct sort {
	lua_Integer n, width;
	lua_Integer left, middle, right, to, out;
};

enum { TABLE = 1, ORDER, SOURCE, TARGET, STATE };

static int t_concat(lua_State *);
static int t_insert(lua_State *);
static int t_move(lua_State *);
static int t_pack(lua_State *);
static int t_remove(lua_State *);
static int t_sort(lua_State *);
static int t_unpack(lua_State *);
static int sort_go(lua_State *, int, lua_KContext);

static const luaL_Reg own[] = {
	{ "concat", t_concat },
	{ "insert", t_insert },
	{ "move", t_move },
	{ "pack", t_pack },
	{ "remove", t_remove },
	{ "sort", t_sort },
	{ "unpack", t_unpack },
	{ NULL, NULL },
};

void
tablib_open(lua_State *L)
{
	luaL_newlib(L, own);
	state_library(L, "table");
}

static void
check_table(lua_State *L, int arg)
{
	if (lua_type(L, arg) == LUA_TTABLE)
		return;
	if (luaL_getmetafield(L, arg, "__index") == LUA_TNIL)
		luaL_checktype(L, arg, LUA_TTABLE);
	lua_pop(L, 1);
}

static lua_Integer
length(lua_State *L, int arg)
{
	check_table(L, arg);
	return luaL_len(L, arg);
}

static void
pay(lua_State *L, lua_Integer elements)
{
	if (elements > 0)
		state_charge(L, (uint64_t)elements);
}

static int
t_concat(lua_State *L)
{
	lua_Integer last = length(L, 1), i;
	size_t n;
	const char *sep = luaL_optlstring(L, 2, "", &n);
	luaL_Buffer b;

	i = luaL_optinteger(L, 3, 1);
	last = luaL_optinteger(L, 4, last);
	luaL_buffinit(L, &b);
	for (; i <= last; i++) {
		pay(L, 1);
		(void)lua_geti(L, 1, i);
		if (!lua_isstring(L, -1))
			return luaL_error(L,
			    "invalid value (at index %I) in "
			    "table for 'concat'",
			    i);
		luaL_addvalue(&b);
		if (i == last)
			break;
		luaL_addlstring(&b, sep, n);
	}
	luaL_pushresult(&b);
	return 1;
}

static int
t_insert(lua_State *L)
{
	lua_Integer end = (lua_Integer)((lua_Unsigned)length(L, 1) + 1), at;

	switch (lua_gettop(L)) {
	case 2:
		lua_seti(L, 1, end);
		return 0;
	case 3:
		break;
	default:
		return luaL_error(L, "wrong number of arguments to 'insert'");
	}
	at = luaL_checkinteger(L, 2);
	luaL_argcheck(L, (lua_Unsigned)at - 1 < (lua_Unsigned)end, 2,
	    "position out of bounds");
	pay(L, end - at);
	for (; end > at; end--) {
		(void)lua_geti(L, 1, end - 1);
		lua_seti(L, 1, end);
	}
	lua_seti(L, 1, at);
	return 0;
}

static int
t_move(lua_State *L)
{
	lua_Integer from = luaL_checkinteger(L, 2);
	lua_Integer end = luaL_checkinteger(L, 3);
	lua_Integer to = luaL_checkinteger(L, 4), n, i;
	int target = lua_isnoneornil(L, 5) ? 1 : 5;

	check_table(L, 1);
	check_table(L, target);
	if (end < from) {
		lua_pushvalue(L, target);
		return 1;
	}
	luaL_argcheck(L, from > 0 || end < LUA_MAXINTEGER + from, 3,
	    "too many elements to move");
	n = end - from + 1;
	luaL_argcheck(
	    L, to <= LUA_MAXINTEGER - n + 1, 4, "destination wrap around");
	pay(L, n);
	if (to > end || to <= from ||
	    (target != 1 && !lua_compare(L, 1, target, LUA_OPEQ))) {
		for (i = 0; i < n; i++) {
			(void)lua_geti(L, 1, from + i);
			lua_seti(L, target, to + i);
		}
	} else {
		for (i = n - 1; i >= 0; i--) {
			(void)lua_geti(L, 1, from + i);
			lua_seti(L, target, to + i);
		}
	}
	lua_pushvalue(L, target);
	return 1;
}

static int
t_pack(lua_State *L)
{
	int n = lua_gettop(L), i;

	lua_createtable(L, n, 1);
	lua_insert(L, 1);
	for (i = n; i >= 1; i--)
		lua_seti(L, 1, i);
	lua_pushinteger(L, n);
	lua_setfield(L, 1, "n");
	return 1;
}

static int
t_remove(lua_State *L)
{
	lua_Integer n = length(L, 1), at = luaL_optinteger(L, 2, n);

	if (at != n)
		luaL_argcheck(L, (lua_Unsigned)at - 1 <= (lua_Unsigned)n, 2,
		    "position out of bounds");
	(void)lua_geti(L, 1, at);
	pay(L, n - at);
	for (; at < n; at++) {
		(void)lua_geti(L, 1, at + 1);
		lua_seti(L, 1, at);
	}
	lua_pushnil(L);
	lua_seti(L, 1, at);
	return 1;
}

static int
t_unpack(lua_State *L)
{
	lua_Integer i = luaL_optinteger(L, 2, 1), last;
	lua_Unsigned n;

	last = lua_isnoneornil(L, 3) ? luaL_len(L, 1) : luaL_checkinteger(L, 3);
	if (i > last)
		return 0;
	n = (lua_Unsigned)last - (lua_Unsigned)i;
	if (n >= INT_MAX || !lua_checkstack(L, (int)++n))
		return luaL_error(L, "too many results to unpack");
	pay(L, (lua_Integer)n);
	for (; i < last; i++)
		(void)lua_geti(L, 1, i);
	(void)lua_geti(L, 1, last);
	return (int)n;
}

static int
t_sort(lua_State *L)
{
	lua_Integer n = length(L, 1), i;
	struct sort *s;

	if (n < 2)
		return 0;
	if (!lua_isnoneornil(L, 2))
		luaL_checktype(L, 2, LUA_TFUNCTION);
	pay(L, n);
	luaL_argcheck(L, n < INT_MAX, 1, "array too big");
	lua_settop(L, 2);
	lua_createtable(L, (int)n, 0);
	lua_createtable(L, (int)n, 0);
	s = lua_newuserdatauv(L, sizeof(*s), 0);
	memset(s, 0, sizeof(*s));
	s->n = n;
	s->width = s->out = 1;
	for (i = 1; i <= n; i++) {
		(void)lua_geti(L, TABLE, i);
		lua_rawseti(L, SOURCE, i);
	}
	return sort_go(L, LUA_OK, 0);
}

/* Appends an element to the merged run. */
static void
take(lua_State *L, struct sort *s, lua_Integer *from)
{
	(void)lua_rawgeti(L, SOURCE, (*from)++);
	lua_rawseti(L, TARGET, s->out++);
}

/* The next two runs; false: this width is done. */
static bool
next_runs(struct sort *s)
{
	if (s->out > s->n)
		return false;
	s->left = s->out;
	s->middle = s->left + s->width;
	if (s->middle > s->n + 1)
		s->middle = s->n + 1;
	s->right = s->middle;
	s->to = s->middle + s->width;
	if (s->to > s->n + 1)
		s->to = s->n + 1;
	return true;
}

/* Pushes whether the right one comes first; the order may wait. */
static void
ask(lua_State *L, const struct sort *s)
{
	size_t a = 0, b = 0;

	lua_pushvalue(L, ORDER);
	(void)lua_rawgeti(L, SOURCE, s->right);
	(void)lua_rawgeti(L, SOURCE, s->left);
	if (lua_isnil(L, ORDER) && lua_type(L, -1) == LUA_TSTRING &&
	    lua_type(L, -2) == LUA_TSTRING) {
		a = lua_rawlen(L, -1);
		b = lua_rawlen(L, -2);
	}
	pay(L, 1 + (lua_Integer)((a < b ? a : b) / 16));
	if (lua_isnil(L, ORDER))
		lua_pushboolean(L, lua_compare(L, -2, -1, LUA_OPLT));
	else
		lua_callk(L, 2, 1, 1, sort_go);
}

/* One element further in the two runs. */
static void
merge(lua_State *L, struct sort *s)
{
	bool first = lua_toboolean(L, -1);

	lua_settop(L, STATE);
	take(L, s, first ? &s->right : &s->left);
}

/* ctx 1: the order has answered. */
static int
sort_go(lua_State *L, int status, lua_KContext ctx)
{
	struct sort *s = lua_touserdata(L, STATE);
	lua_Integer i;

	if (ctx == 1)
		merge(L, s);
	while (s->width < s->n) {
		if (s->left < s->middle && s->right < s->to) {
			ask(L, s);
			merge(L, s);
		} else if (s->left < s->middle) {
			take(L, s, &s->left);
		} else if (s->right < s->to) {
			take(L, s, &s->right);
		} else if (!next_runs(s)) {
			pay(L, s->n);
			s->width *= 2;
			s->out = 1;
			s->left = s->middle = s->right = s->to = 0;
			lua_pushvalue(L, SOURCE);
			lua_copy(L, TARGET, SOURCE);
			lua_replace(L, TARGET);
		}
	}
	for (i = 1; i <= s->n; i++) {
		(void)lua_rawgeti(L, SOURCE, i);
		lua_seti(L, TABLE, i);
	}
	return 0;
}
