/*
 * Several things at once: coroutines of one event, on its account.
 */
#include <lauxlib.h>
#include <stdlib.h>

#include "policy.h"

void
strand_drop(struct event *r)
{
	unsigned i;

	if (r->strand == NULL)
		return;
	for (i = 0; i < STRANDS; i++)
		state_thread_free(r->policy->state, &r->strand[i]);
	free(r->strand);
	r->strand = NULL;
}

/* f: number of its strand */
static int
strand_new(lua_State *L)
{
	struct event *r = run_of(L);
	unsigned i;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_settop(L, 1);
	if (r->strand == NULL)
		r->strand = calloc(STRANDS, sizeof(lua_State *));
	for (i = 0; r->strand != NULL && i < STRANDS; i++) {
		if (r->strand[i] != NULL)
			continue;
		r->strand[i] = state_thread(r->policy->state, r->co);
		lua_xmove(L, r->strand[i], 1);
		lua_pushinteger(L, i + 1);
		return 1;
	}
	return host_fail(L, "more than %d functions in parallel", STRANDS);
}

static lua_State **
strand_of(lua_State *L, struct event *r)
{
	lua_Integer i = luaL_checkinteger(L, 1);

	if (r->strand == NULL || i < 1 || i > STRANDS ||
	    r->strand[i - 1] == NULL)
		(void)luaL_error(L, "no such strand");
	return &r->strand[i - 1];
}

/* strand, what it is resumed with: "done" and its value, "wait" and for what,
 * or "pause" */
static int
strand_resume(lua_State *L)
{
	struct event *r = run_of(L);
	lua_State **co = strand_of(L, r);
	struct state_error e;
	int n = 0, nargs = 0;

	if (!lua_isnoneornil(L, 2)) {
		lua_pushinteger(*co, luaL_checkinteger(L, 2));
		nargs = 1;
	}
	switch (state_resume(r->policy->state, *co, nargs, r, &n)) {
	case RUN_PAUSE:
		lua_pushliteral(L, "pause");
		return 1;
	case RUN_DONE:
		lua_pushliteral(L, "done");
		break;
	case RUN_YIELD:
		lua_pushliteral(L, "wait");
		break;
	case RUN_ERROR:
		state_error(r->policy->state, *co, &e);
		if (e.limit)
			return state_stop(L, e.text);
		lua_pushfstring(L, "%s%s%s", e.place,
		    e.place[0] != '\0' ? ": " : "", e.text);
		return lua_error(L);
	}
	if (n > 1)
		lua_pop(*co, n - 1);
	if (n == 0)
		lua_pushnil(L);
	else
		lua_xmove(*co, L, 1);
	return 2;
}

static int
strand_end(lua_State *L)
{
	struct event *r = run_of(L);

	state_thread_free(r->policy->state, strand_of(L, r));
	return 0;
}

const struct luaL_Reg strand_functions[] = {
	{ "strand", strand_new },
	{ "strand_resume", strand_resume },
	{ "strand_end", strand_end },
	{ NULL, NULL }
};
