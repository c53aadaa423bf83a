/*
 * What stock functions cost: they are the ones of Lua, called through one that
 * charges the event for what they look at. What they make is paid for as
 * memory.
 */
#include "lib.h"

#include <lauxlib.h>

#include "state.h"

#define OCTETS 16 /* for a step */
#define VALUES 4

static uint64_t
octets(lua_State *L, int last)
{
	uint64_t n = 0;
	int i;

	for (i = 1; i <= last; i++) {
		if (lua_type(L, i) == LUA_TSTRING)
			n += lua_rawlen(L, i);
	}
	return n / OCTETS;
}

/* Of s from position i to j, as utf8 takes them. */
static uint64_t
range(lua_State *L, lua_Integer i, lua_Integer j)
{
	lua_Integer n = lua_isstring(L, 1) ? (lua_Integer)lua_rawlen(L, 1) : 0;

	i = i < 0 ? n + i + 1 : i;
	j = j < 0 ? n + j + 1 : j;
	if (i < 1)
		i = 1;
	if (j > n)
		j = n;
	return j >= i ? (uint64_t)(j - i) / OCTETS : 0;
}

static uint64_t
before(lua_State *L, enum price price)
{
	lua_Integer n;

	switch (price) {
	case PRICE_ARGUMENTS:
		return (uint64_t)lua_gettop(L) / VALUES;
	case PRICE_FIRST:
		return octets(L, 1);
	case PRICE_OCTETS:
		return octets(L, lua_gettop(L));
	case PRICE_EQUAL:
		if (lua_type(L, 1) != LUA_TSTRING ||
		    lua_type(L, 2) != LUA_TSTRING ||
		    lua_rawlen(L, 1) != lua_rawlen(L, 2))
			return 0;
		return octets(L, 1);
	case PRICE_LENGTH:
		return range(L, luaL_optinteger(L, 2, 1),
		    luaL_optinteger(L, 3, -1));
	case PRICE_RANGE:
		n = luaL_optinteger(L, 2, 1);
		return range(L, n, luaL_optinteger(L, 3, n));
	case PRICE_OFFSET: /* characters have four octets at most */
		n = luaL_optinteger(L, 2, 1);
		if (n < 0)
			n = n < -LUA_MAXINTEGER ? LUA_MAXINTEGER : -n;
		return range(L, 1, n > LUA_MAXINTEGER / 4 ? -1 : 4 * n);
	}
	return 0;
}

static int
paid(lua_State *L)
{
	lua_CFunction f = lua_tocfunction(L, lua_upvalueindex(1));

	state_charge(L, 1 + before(L,
	    (enum price)lua_tointeger(L, lua_upvalueindex(2))));
	return f(L);
}

void
lib_price(lua_State *L, const struct lib_price *list)
{
	for (; list->name != NULL; list++) {
		(void)lua_getfield(L, -1, list->name);
		lua_pushinteger(L, (lua_Integer)list->price);
		lua_pushcclosure(L, paid, 2);
		lua_setfield(L, -2, list->name);
	}
}
