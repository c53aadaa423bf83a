/*
 * The body of the message for a policy: walked where it is, in pieces; what
 * Lua gets is what it asked for. Positions count from 1.
 */
#define _GNU_SOURCE /* memmem() */
#include <lauxlib.h>
#include <string.h>

#include "policy.h"

enum {
	SUB_MAX = 1024 * 1024, /* of one body:sub() */
	LINE_MAX_OCTETS = 65536,
	STEP = 64	       /* octets that cost an instruction */
};

static void
charge(lua_State *L, size_t n)
{
	state_charge(L, n / STEP + 1);
}

static int
body_size(lua_State *L)
{
	struct event *r = host_event(L);
	struct pst_str s;
	uint64_t at = 0;

	while (pst_body(r->ev, &at, &s))
		charge(L, 0);
	lua_pushinteger(L, (lua_Integer)at);
	return 1;
}

/* event, from, to */
static int
body_sub(lua_State *L)
{
	struct event *r = host_event(L);
	lua_Integer from = luaL_checkinteger(L, 2);
	lua_Integer to = luaL_checkinteger(L, 3);
	luaL_Buffer b;
	struct pst_str s;
	uint64_t at;
	size_t left;

	luaL_buffinit(L, &b);
	if (from >= 1 && to >= from) {
		if (to - from >= SUB_MAX)
			return host_fail(L, "more than 1 MB of the body at "
			    "once");
		left = (size_t)(to - from) + 1;
		charge(L, left);
		for (at = (uint64_t)from - 1;
		     left > 0 && pst_body(r->ev, &at, &s);) {
			if (s.n > left)
				s.n = left;
			luaL_addlstring(&b, s.p, s.n);
			left -= s.n;
		}
	}
	luaL_pushresult(&b);
	return 1;
}

/* Where it begins in what is there from at on, also over the edge of pieces;
 * false: it is not. */
static bool
search(lua_State *L, struct event *r, uint64_t at, const char *text, size_t n,
    uint64_t *found_r)
{
	size_t held = 0, i; /* octets of text that the end of a piece had */
	uint64_t start = at, begin;
	struct pst_str s;
	const char *p;

	while (begin = at, pst_body(r->ev, &at, &s)) {
		charge(L, s.n);
		if (held > 0) {
			i = n - held < s.n ? n - held : s.n;
			if (memcmp(s.p, text + held, i) == 0) {
				held += i;
				if (held == n) {
					*found_r = start;
					return true;
				}
				continue;
			}
			/* Again, one octet behind where that began. */
			at = start + 1;
			held = 0;
			continue;
		}
		p = memmem(s.p, s.n, text, n);
		if (p != NULL) {
			*found_r = begin + (uint64_t)(p - s.p);
			return true;
		}
		for (i = s.n < n - 1 ? s.n : n - 1; i > 0; i--) {
			if (memcmp(s.p + s.n - i, text, i) == 0)
				break;
		}
		held = i;
		start = at - i;
	}
	return false;
}

/* event, text, from: first and last position, or nothing */
static int
body_find(lua_State *L)
{
	struct event *r = host_event(L);
	size_t n;
	const char *text = luaL_checklstring(L, 2, &n);
	lua_Integer from = luaL_checkinteger(L, 3);
	uint64_t found;

	if (n == 0)
		return host_fail(L, "nothing to look for");
	if (from < 1)
		from = 1;
	if (!search(L, r, (uint64_t)from - 1, text, n, &found))
		return 0;
	lua_pushinteger(L, (lua_Integer)found + 1);
	lua_pushinteger(L, (lua_Integer)(found + n));
	return 2;
}

/* event, from: the line without its end, and where the next one begins; at the
 * end nothing. Of one that is longer than 64 KB as much as that. */
static int
body_line(lua_State *L)
{
	struct event *r = host_event(L);
	uint64_t at = (uint64_t)luaL_checkinteger(L, 2) - 1, next = at;
	bool any = false, whole = false;
	struct pst_str s;
	luaL_Buffer b;
	const char *p;
	size_t n, len;

	luaL_buffinit(L, &b);
	while (!whole && next - at < LINE_MAX_OCTETS) {
		uint64_t then = next;

		if (!pst_body(r->ev, &then, &s))
			break;
		any = true;
		p = memchr(s.p, '\n', s.n);
		n = p != NULL ? (size_t)(p - s.p) + 1 : s.n;
		if (n > LINE_MAX_OCTETS - (next - at))
			n = LINE_MAX_OCTETS - (size_t)(next - at);
		else
			whole = p != NULL;
		luaL_addlstring(&b, s.p, n);
		next += n;
	}
	charge(L, (size_t)(next - at));
	if (!any)
		return 0;
	luaL_pushresult(&b);
	if (whole) {
		p = lua_tolstring(L, -1, &len);
		len -= len > 1 && p[len - 2] == '\r' ? 2 : 1;
		lua_pushlstring(L, p, len);
	}
	lua_pushinteger(L, (lua_Integer)next + 1);
	return 2;
}

const struct luaL_Reg body_functions[] = {
	{ "body_size", body_size },
	{ "body_sub", body_sub },
	{ "body_find", body_find },
	{ "body_line", body_line },
	{ NULL, NULL }
};
