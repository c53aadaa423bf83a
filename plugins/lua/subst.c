#include "subst.h"

#include <string.h>

#include <lauxlib.h>

#include "lib.h"
#include "state.h"

/* A gsub() under way, in a userdata that is the buffer of its result. */
struct gsub {
	size_t at, last; /* in the subject; last: where the match before
			  * ended */
	size_t n, size;	 /* of out */
	lua_Integer count, most;
	size_t from, to; /* the match whose replacement is asked for */
	const struct subst_how *how;
	bool changed, anchor, tried;
	char out[];
};

enum { SUBJECT = 1, PATTERN, REPLACEMENT, STATE };

static int gsub_go(lua_State *, int, lua_KContext);
static int gmatch_next(lua_State *);

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
	if (m->capture[i].len == PATTERN_UNSET)
		lua_pushnil(L);
	else if (m->capture[i].len == PATTERN_POSITION)
		lua_pushinteger(L, m->capture[i].at - m->subject + 1);
	else
		(void)lua_pushlstring(
		    L, m->capture[i].at, (size_t)m->capture[i].len);
}

/* Those that there are; from not NULL: the match if there are none. */
int
subst_captures(
    lua_State *L, struct pattern *m, const char *from, const char *to)
{
	unsigned i, n = m->captures == 0 && from != NULL ? 1 : m->captures;

	luaL_checkstack(L, (int)n, "too many captures");
	for (i = 0; i < n; i++)
		push_capture(L, m, i, from, to);
	return (int)n;
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

int
subst_gsub(
    lua_State *L, const struct subst_how *how, bool anchor, lua_Integer most)
{
	int type = lua_type(L, REPLACEMENT);
	struct gsub *g;
	size_t n = lua_rawlen(L, SUBJECT);

	luaL_argexpected(L,
	    type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TTABLE ||
		type == LUA_TFUNCTION,
	    REPLACEMENT, "string/function/table");
	g = lua_newuserdatauv(L, sizeof(*g) + n + 64, 0);
	memset(g, 0, sizeof(*g));
	g->size = n + 64;
	g->last = SIZE_MAX;
	g->most = most;
	g->anchor = anchor;
	g->how = how;
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

	state_charge(L, n / 8 + 1);
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
			if (capture != NULL)
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
		n = subst_captures(L, m, from, to);
		lua_callk(L, n, 1, 1, gsub_go);
		return;
	}
	lua_pushvalue(L, REPLACEMENT);
	push_capture(L, m, 0, from, to);
	lib_index(L, 1, gsub_go);
}

/* ctx 1: a value has been given for the match before. */
static int
gsub_go(lua_State *L, int status, lua_KContext ctx)
{
	bool plain = lua_isstring(L, REPLACEMENT);
	struct gsub *g = lua_touserdata(L, STATE);
	const struct subst_how *how = g->how;
	const char *at, *from, *to;
	struct pattern m;

	if (ctx == 1)
		g = put_value(L, g);
	how->begin(L, &m, SUBJECT, PATTERN);
	while (g->count < g->most && !(g->anchor && g->tried)) {
		g->tried = true;
		from = at = m.subject + g->at;
		to = how->next(L, &m, &from,
		    g->last == SIZE_MAX ? NULL : m.subject + g->last,
		    g->anchor);
		if (to == NULL)
			break;
		g = put(L, g, at, (size_t)(from - at));
		g->count++;
		g->from = (size_t)(from - m.subject);
		g->at = g->last = g->to = (size_t)(to - m.subject);
		if (plain) {
			g = put_template(L, g, &m, from, to);
			g->changed = true;
			continue;
		}
		how->end(L, &m);
		ask(L, &m, from, to);
		g = put_value(L, g);
	}
	how->end(L, &m);
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

/* Of the function: subject, pattern, where to go on, where the last match
 * ended, how. */
int
subst_gmatch(lua_State *L, const struct subst_how *how)
{
	lua_pushinteger(L, -1);
	lua_pushlightuserdata(L, (void *)(uintptr_t)how);
	lua_pushcclosure(L, gmatch_next, 5);
	return 1;
}

static int
gmatch_next(lua_State *L)
{
	const struct subst_how *how = lua_touserdata(L, lua_upvalueindex(5));
	lua_Integer at = lua_tointeger(L, lua_upvalueindex(3));
	lua_Integer last = lua_tointeger(L, lua_upvalueindex(4));
	const char *from, *to = NULL;
	struct pattern m;

	how->begin(L, &m, lua_upvalueindex(1), lua_upvalueindex(2));
	from = m.subject + at;
	if (from <= m.end)
		to = how->next(
		    L, &m, &from, last < 0 ? NULL : m.subject + last, false);
	how->end(L, &m);
	if (to == NULL) {
		lua_pushinteger(L, m.end - m.subject + 1);
		lua_replace(L, lua_upvalueindex(3));
		return 0;
	}
	lua_pushinteger(L, to - m.subject);
	lua_copy(L, -1, lua_upvalueindex(3));
	lua_replace(L, lua_upvalueindex(4));
	return subst_captures(L, &m, from, to);
}
