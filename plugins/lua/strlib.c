/*
 * string: find, match, gmatch and gsub with our matcher; the rest is stock,
 * since what it makes is paid for as memory.
 */
#define _GNU_SOURCE 1 /* memmem() */

#include "lib.h"

#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "pattern.h"
#include "state.h"

#define STEPS_A_CHARGE 4 /* a step of the matcher is that much cheaper */

/* A gsub() under way, in a userdata that is the buffer of its result. */
struct gsub {
	size_t at, last; /* in the subject; last: end of the match before */
	size_t n, size;	 /* of out */
	lua_Integer count, most;
	size_t from, to; /* the match whose replacement is asked for */
	bool changed, anchor, matched;
	char out[];
};

enum { SUBJECT = 1, PATTERN, REPLACEMENT, STATE };

static int s_find(lua_State *);
static int s_match(lua_State *);
static int s_gmatch(lua_State *);
static int gmatch_next(lua_State *);
static int s_gsub(lua_State *);
static int gsub_go(lua_State *, int, lua_KContext);

static const luaL_Reg own[] = {
	{ "find", s_find },
	{ "match", s_match },
	{ "gmatch", s_gmatch },
	{ "gsub", s_gsub },
	{ NULL, NULL },
};

void
strlib_open(lua_State *L)
{
	lua_pushcfunction(L, luaopen_string);
	lua_call(L, 0, 1);
	lua_pushnil(L);
	lua_setfield(L, -2, "dump");
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

static void
check(lua_State *L, const struct pattern *m)
{
	if (m->error != NULL)
		(void)luaL_error(L, m->error, m->error_arg);
}

/* Pays for what was done since, so that short matches are not free. */
static void
end(lua_State *L, struct pattern *m)
{
	state_charge(L, m->steps / STEPS_A_CHARGE + 1);
	m->steps = 0;
}

/* Pushes capture i; 0 without any is the match itself. */
static void
push_capture(lua_State *L, struct pattern *m, unsigned i, const char *from,
    const char *to)
{
	if (i >= m->captures) {
		if (i != 0)
			(void)luaL_error(
			    L, "invalid capture index %%%d", (int)i + 1);
		(void)lua_pushlstring(L, from, (size_t)(to - from));
		return;
	}
	if (m->capture[i].len == PATTERN_OPEN)
		(void)luaL_error(L, "unfinished capture");
	if (m->capture[i].len == PATTERN_POSITION)
		lua_pushinteger(L, m->capture[i].at - m->subject + 1);
	else
		(void)lua_pushlstring(
		    L, m->capture[i].at, (size_t)m->capture[i].len);
}

/* Those that there are; from not NULL: the match if there are none. */
static int
push_captures(lua_State *L, struct pattern *m, const char *from, const char *to)
{
	unsigned i, n = m->captures == 0 && from != NULL ? 1 : m->captures;

	luaL_checkstack(L, (int)n, "too many captures");
	for (i = 0; i < n; i++)
		push_capture(L, m, i, from, to);
	return (int)n;
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

	if (anchor)
		m->pattern++;
	for (;; (*at)++) {
		to = pattern_match(m, *at);
		check(L, m);
		if (to != NULL || anchor || *at == m->end)
			break;
	}
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
	return 2 + push_captures(L, &m, NULL, NULL);
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
	return push_captures(L, &m, s, to);
}

/* The function has: subject, pattern, where to go on, end of the last match. */
static int
s_gmatch(lua_State *L)
{
	size_t n;

	(void)luaL_checklstring(L, 1, &n);
	(void)luaL_checkstring(L, 2);
	lua_pushinteger(L, (lua_Integer)start(L, 3, n));
	lua_replace(L, 3);
	lua_settop(L, 3);
	lua_pushinteger(L, -1);
	lua_pushcclosure(L, gmatch_next, 4);
	return 1;
}

static int
gmatch_next(lua_State *L)
{
	lua_Integer last = lua_tointeger(L, lua_upvalueindex(4));
	const char *at, *to;
	struct pattern m;

	begin(L, &m, lua_upvalueindex(1), lua_upvalueindex(2));
	at = m.subject + lua_tointeger(L, lua_upvalueindex(3));
	for (; at <= m.end; at++) {
		to = pattern_match(&m, at);
		check(L, &m);
		if (to == NULL || to - m.subject == last)
			continue;
		lua_pushinteger(L, to - m.subject);
		lua_copy(L, -1, lua_upvalueindex(3));
		lua_replace(L, lua_upvalueindex(4));
		end(L, &m);
		return push_captures(L, &m, at, to);
	}
	lua_pushinteger(L, m.end - m.subject + 1);
	lua_replace(L, lua_upvalueindex(3));
	end(L, &m);
	return 0;
}

/* Appends to the result, which may move. */
static struct gsub *
put(lua_State *L, struct gsub *g, const char *p, size_t n)
{
	struct gsub *old = g;

	if (n > g->size - g->n) {
		size_t size = (g->n + n) * 2;

		g = lua_newuserdatauv(L, sizeof(*g) + size, 0);
		memcpy(g, old, sizeof(*g) + old->n);
		g->size = size;
		lua_replace(L, STATE);
	}
	if (n > 0)
		memcpy(g->out + g->n, p, n);
	g->n += n;
	return g;
}

static int
s_gsub(lua_State *L)
{
	size_t n;
	int type = lua_type(L, 3);
	lua_Integer most;
	const char *p;
	struct gsub *g;

	(void)luaL_checklstring(L, 1, &n);
	p = luaL_checkstring(L, 2);
	luaL_argexpected(L,
	    type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TTABLE ||
		type == LUA_TFUNCTION,
	    3, "string/function/table");
	most = luaL_optinteger(L, 4, (lua_Integer)n + 1);
	lua_settop(L, 3);
	g = lua_newuserdatauv(L, sizeof(*g) + n + 64, 0);
	memset(g, 0, sizeof(*g));
	g->size = n + 64;
	g->last = SIZE_MAX;
	g->most = most;
	g->anchor = *p == '^';
	return gsub_go(L, LUA_OK, 0);
}

/* The string that stands for a match, with % in it. */
static struct gsub *
put_template(lua_State *L, struct gsub *g, struct pattern *m, const char *from,
    const char *to)
{
	size_t n;
	const char *t = lua_tolstring(L, REPLACEMENT, &n), *tend = t + n, *q;
	const char *capture;

	for (; t < tend; t = q + 2) {
		q = memchr(t, '%', (size_t)(tend - t));
		if (q == NULL)
			return put(L, g, t, (size_t)(tend - t));
		g = put(L, g, t, (size_t)(q - t));
		if (q + 1 < tend && q[1] == '%') {
			g = put(L, g, q, 1);
		} else if (q + 1 < tend && q[1] == '0') {
			g = put(L, g, from, (size_t)(to - from));
		} else if (q + 1 < tend && q[1] >= '1' && q[1] <= '9') {
			push_capture(L, m, (unsigned)(q[1] - '1'), from, to);
			capture = lua_tolstring(L, -1, &n);
			g = put(L, g, capture, n);
			lua_pop(L, 1);
		} else {
			(void)luaL_error(L, "invalid use of '%%' in "
					    "replacement string");
		}
	}
	return g;
}

/* What was given for a match, on top of the stack: false keeps it. */
static struct gsub *
put_value(lua_State *L, struct gsub *g)
{
	size_t n;
	const char *v;

	if (!lua_toboolean(L, -1)) {
		v = lua_tostring(L, SUBJECT);
		g = put(L, g, v + g->from, g->to - g->from);
	} else if (lua_isstring(L, -1)) {
		v = lua_tolstring(L, -1, &n);
		g = put(L, g, v, n);
		g->changed = true;
	} else {
		(void)luaL_error(L, "invalid replacement value (a %s)",
		    luaL_typename(L, -1));
	}
	lua_settop(L, STATE);
	return g;
}

/*
 * Asks the table or the function for what stands for the match: the value is
 * on top when this returns. It may wait; then gsub_go() goes on.
 */
static void
ask(lua_State *L, struct pattern *m, const char *from, const char *to)
{
	int n;

	if (lua_type(L, REPLACEMENT) == LUA_TFUNCTION) {
		lua_pushvalue(L, REPLACEMENT);
		n = push_captures(L, m, from, to);
		lua_callk(L, n, 1, 1, gsub_go);
		return;
	}
	lua_pushvalue(L, REPLACEMENT);
	push_capture(L, m, 0, from, to);
	lib_index(L, 1, gsub_go);
}

/* ctx 0: begin; 1: a value has been given. */
static int
gsub_go(lua_State *L, int status, lua_KContext ctx)
{
	bool plain = lua_isstring(L, REPLACEMENT);
	struct gsub *g = lua_touserdata(L, STATE);
	struct pattern m;
	const char *at, *to;

	if (ctx == 1)
		g = put_value(L, g);
	begin(L, &m, SUBJECT, PATTERN);
	m.pattern += g->anchor;
	while (g->count < g->most && !(g->anchor && g->matched)) {
		g->matched = true; /* an anchor has one try */
		at = m.subject + g->at;
		to = pattern_match(&m, at);
		check(L, &m);
		if (to != NULL && (size_t)(to - m.subject) != g->last) {
			g->count++;
			g->from = g->at;
			g->at = g->last = g->to = (size_t)(to - m.subject);
			if (plain) {
				g = put_template(L, g, &m, at, to);
				g->changed = true;
				continue;
			}
			end(L, &m);
			ask(L, &m, at, to);
			g = put_value(L, g);
		} else if (at < m.end) {
			g = put(L, g, at, 1);
			g->at++;
		} else {
			break;
		}
	}
	end(L, &m);
	if (g->changed) {
		at = m.subject + g->at;
		g = put(L, g, at, (size_t)(m.end - at));
		(void)lua_pushlstring(L, g->out, g->n);
	} else {
		lua_pushvalue(L, SUBJECT);
	}
	lua_pushinteger(L, g->count);
	return 2;
}
