/*
 * string: find, match, gmatch and gsub with our matcher; the rest is stock, and
 * paid for (price.c).
 */
#define _GNU_SOURCE 1 /* memmem() */

#include "lib.h"

#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "state.h"
#include "subst.h"

#define STEPS_A_CHARGE 4 /* a step of the matcher is that much cheaper */

static int s_find(lua_State *);
static int s_match(lua_State *);
static int s_gmatch(lua_State *);
static int s_gsub(lua_State *);
static void begin(lua_State *, struct pattern *, int, int);
static void begin_anchored(lua_State *, struct pattern *, int, int);
static const char *
next(lua_State *, struct pattern *, const char **, const char *, bool);
static void end(lua_State *, struct pattern *);

static const struct subst_how how = { begin, next, end };
static const struct subst_how how_anchored = { begin_anchored, next, end };

static const luaL_Reg own[] = {
	{ "find", s_find },
	{ "match", s_match },
	{ "gmatch", s_gmatch },
	{ "gsub", s_gsub },
	{ NULL, NULL },
};

static const struct lib_price prices[] = {
	{ "byte", PRICE_RANGE },
	{ "char", PRICE_ARGUMENTS },
	{ "format", PRICE_OCTETS },
	{ "lower", PRICE_OCTETS },
	{ "pack", PRICE_OCTETS },
	{ "packsize", PRICE_OCTETS },
	{ "rep", PRICE_OCTETS },
	{ "reverse", PRICE_OCTETS },
	{ "unpack", PRICE_FIRST },
	{ "upper", PRICE_OCTETS },
	{ NULL, 0 },
};

void
strlib_open(lua_State *L)
{
	lua_pushcfunction(L, luaopen_string);
	lua_call(L, 0, 1);
	lua_pushnil(L);
	lua_setfield(L, -2, "dump");
	lib_price(L, prices);
	luaL_setfuncs(L, own, 0);
	(void)lua_pushliteral(L, "");
	(void)lua_getmetatable(L, -1);
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 2);
	state_library(L, "string");
}

static void
pay(void *arg, unsigned steps)
{
	state_charge(arg, steps / STEPS_A_CHARGE);
}

/* A match of the strings at these places of the stack. */
static void
begin(lua_State *L, struct pattern *m, int subject, int pattern)
{
	size_t n, np, most = state_limits(state_of(L))->subject;
	const char *s = luaL_checklstring(L, subject, &n);
	const char *p = luaL_checklstring(L, pattern, &np);

	if (n > most || np > most)
		(void)luaL_error(L, "a %s of %I octets: patterns take %I",
		    n > most ? "subject" : "pattern",
		    (lua_Integer)(n > most ? n : np), (lua_Integer)most);
	pattern_init(m, s, n, p, np);
	m->pay = pay;
	m->arg = L;
}

/* Pays for what was done since, so that short matches are not free. */
static void
end(lua_State *L, struct pattern *m)
{
	state_charge(L, m->steps / STEPS_A_CHARGE + 1);
	m->steps = 0;
}

/* Where a search begins, from 0; beyond n: nowhere. */
static size_t
start(lua_State *L, int arg, size_t n)
{
	lua_Integer i = luaL_optinteger(L, arg, 1);

	if (i > 0)
		return (lua_Unsigned)i > n
			   ? (i == (lua_Integer)n + 1 ? n : n + 1)
			   : (size_t)i - 1;
	if (i == 0 || i < -(lua_Integer)n)
		return 0;
	return (size_t)((lua_Integer)n + i);
}

/* The first match from at on; NULL: none. */
static const char *
search(lua_State *L, struct pattern *m, const char **at)
{
	bool anchor = m->pattern < m->pattern_end && *m->pattern == '^';
	const char *to;

	m->pattern += anchor;
	to = next(L, m, at, NULL, anchor);
	end(L, m);
	return to;
}

static int
find_plain(lua_State *L, size_t at)
{
	size_t n, np;
	const char *s = lua_tolstring(L, 1, &n);
	const char *p = lua_tolstring(L, 2, &np), *r;

	state_charge(L, (n - at) / 16 + 1);
	r = np == 0 ? s + at : memmem(s + at, n - at, p, np);
	if (r == NULL) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushinteger(L, r - s + 1);
	lua_pushinteger(L, r - s + (lua_Integer)np);
	return 2;
}

static int
s_find(lua_State *L)
{
	size_t n, np, at;
	const char *s = luaL_checklstring(L, 1, &n), *from, *to;
	const char *p = luaL_checklstring(L, 2, &np);
	struct pattern m;

	at = start(L, 3, n);
	if (at > n) {
		lua_pushnil(L);
		return 1;
	}
	if (lua_toboolean(L, 4) || pattern_plain(p, np))
		return find_plain(L, at);
	begin(L, &m, 1, 2);
	from = s + at;
	to = search(L, &m, &from);
	if (to == NULL) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushinteger(L, from - s + 1);
	lua_pushinteger(L, to - s);
	return 2 + subst_captures(L, &m, NULL, NULL);
}

static int
s_match(lua_State *L)
{
	size_t n, at;
	const char *s = luaL_checklstring(L, 1, &n), *to;
	struct pattern m;

	(void)luaL_checkstring(L, 2);
	at = start(L, 3, n);
	if (at > n) {
		lua_pushnil(L);
		return 1;
	}
	begin(L, &m, 1, 2);
	s += at;
	to = search(L, &m, &s);
	if (to == NULL) {
		lua_pushnil(L);
		return 1;
	}
	return subst_captures(L, &m, s, to);
}

static int
s_gmatch(lua_State *L)
{
	size_t n;

	(void)luaL_checklstring(L, 1, &n);
	(void)luaL_checkstring(L, 2);
	lua_pushinteger(L, (lua_Integer)start(L, 3, n));
	lua_replace(L, 3);
	lua_settop(L, 3);
	return subst_gmatch(L, &how);
}

static int
s_gsub(lua_State *L)
{
	size_t n;
	const char *p;
	lua_Integer most;

	(void)luaL_checklstring(L, 1, &n);
	p = luaL_checkstring(L, 2);
	most = luaL_optinteger(L, 4, (lua_Integer)n + 1);
	lua_settop(L, 3);
	return subst_gsub(L, *p == '^' ? &how_anchored : &how, *p == '^', most);
}

static void
begin_anchored(lua_State *L, struct pattern *m, int subject, int pattern)
{
	begin(L, m, subject, pattern);
	m->pattern++;
}

static const char *
next(lua_State *L, struct pattern *m, const char **at, const char *last,
    bool once)
{
	const char *to;

	for (;; (*at)++) {
		to = pattern_match(m, *at);
		if (m->error != NULL)
			(void)luaL_error(L, m->error, m->error_arg);
		if (to != NULL && to != last)
			return to;
		if (once || *at == m->end)
			return NULL;
	}
}
