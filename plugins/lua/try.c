#include "try.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "unit.h"

unsigned try_pauses, try_waits;
struct state_use try_used;
static char said[65536];

static int
wait_end(lua_State *L, int status, lua_KContext ctx)
{
	return lua_gettop(L) - (int)ctx;
}

int
try_wait(lua_State *L)
{
	int n = lua_gettop(L);

	return lua_yieldk(L, n, 0, wait_end);
}

struct state *
try_new(void)
{
	static const struct state_limits limits = TRY_LIMITS;
	char why[256] = "";
	struct state *s = state_new(&limits, NULL, why, sizeof(why));

	ck_assert_msg(s != NULL, "%s", why);
	lua_register(state_lua(s), "wait", try_wait);
	return s;
}

static void
show(lua_State *co, int n)
{
	size_t at = 2;
	int i;

	(void)snprintf(said, sizeof(said), "ok");
	for (i = -n; i < 0; i++) {
		const char *v = lua_isnil(co, i) ? "nil"
				: lua_isboolean(co, i)
				    ? lua_toboolean(co, i) ? "true" : "false"
				: lua_isstring(co, i) ? NULL
						      : luaL_typename(co, i);
		size_t len = v != NULL ? strlen(v) : 0;

		if (v == NULL) {
			lua_pushvalue(co, i);
			v = lua_tolstring(co, -1, &len);
			lua_pop(co, 1);
		}
		at += (size_t)snprintf(
		    said + at, sizeof(said) - at, " %.*s", (int)len, v);
		ck_assert_uint_lt(at, sizeof(said));
	}
}

const char *
try_script(struct state *s, const char *text)
{
	lua_State *co = state_thread(s, NULL);
	struct state_error e;
	enum run r;
	int n = 0;

	try_pauses = try_waits = 0;
	ck_assert_msg(
	    luaL_loadbufferx(co, text, strlen(text), "@t.lua", "t") == LUA_OK,
	    "%s", lua_tostring(co, -1));
	r = state_resume(s, co, 0, NULL, &n);
	while (r == RUN_PAUSE || r == RUN_YIELD) {
		if (r == RUN_PAUSE) {
			try_pauses++;
			r = state_resume(s, co, 0, NULL, &n);
			continue;
		}
		lua_pop(co, n);
		lua_pushinteger(co, ++try_waits);
		r = state_resume(s, co, 1, NULL, &n);
	}
	try_used = *state_used(co);
	if (r == RUN_DONE) {
		show(co, n);
	} else {
		state_error(s, co, &e);
		(void)snprintf(said, sizeof(said), "%s %s: %s",
		    e.limit ? "limit" : "error", e.place, e.text);
	}
	state_thread_free(s, &co);
	ck_assert_ptr_null(co);
	return said;
}
