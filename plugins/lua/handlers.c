/*
 * Who is asked at an event, and with which objects: the rules at "message",
 * then the handlers, until one of them has a verdict. Behind a report there is
 * nothing to decide, and all of them are asked. Here and not in Lua, because
 * most events need no more of the library than this.
 */
#include <lauxlib.h>
#include <stdlib.h>

#include "policy.h"

enum { OBJECTS = 3 }; /* of an event, at the bottom of the stack */

/* What a handler is given. */
static const struct {
	int n;
	enum class class[OBJECTS];
} given[STAGE_TICK] = {
#define CONN { 1, { CLASS_CONN } }
#define MSG { 2, { CLASS_MSG, CLASS_CONN } }
#define ATTEMPT { 1, { CLASS_ATTEMPT } }
	[STAGE_CONNECT] = CONN,
	[STAGE_HELO] = CONN,
	[STAGE_TLS] = CONN,
	[STAGE_MAIL] = MSG,
	[STAGE_RCPT] = { 3, { CLASS_RCPT, CLASS_MSG, CLASS_CONN } },
	[STAGE_DATA] = MSG,
	[STAGE_HEADERS] = MSG,
	[STAGE_MESSAGE] = MSG,
	[STAGE_BRANCH] = { 2, { CLASS_BRANCH, CLASS_MSG } },
	[STAGE_DELIVER] = ATTEMPT,
	[STAGE_DISCONNECT] = CONN,
	[STAGE_QUEUED] = ATTEMPT,
	[STAGE_DELIVERED] = ATTEMPT,
	[STAGE_DEFERRED] = ATTEMPT,
	[STAGE_BOUNCED] = ATTEMPT,
#undef CONN
#undef MSG
#undef ATTEMPT
};

static int go_on(lua_State *L, int status, lua_KContext at);

bool
handlers_want(const struct policy *p, enum stage st)
{
	return p->asked[st].n > 0 ||
	    (st == STAGE_MESSAGE && p->rules != LUA_NOREF);
}

bool
handlers_rules(struct pst_event *ev, const struct policy *p, enum stage st,
    struct found *found_r)
{
	if (st != STAGE_MESSAGE || p->rules == LUA_NOREF)
		return false;
	filter_find(ev, p->filter, found_r);
	return p->traced || !p->keyed || found_r->unknown || found_r->n > 0;
}

/* The function on top, which is popped: how many of the objects it takes. */
static int
arguments(lua_State *L, enum stage st)
{
	int all = given[st].n;
	lua_Debug d;

	if (lua_getinfo(L, ">u", &d) == 0 || d.isvararg || d.nparams > all)
		return all;
	return d.nparams;
}

/* "policy.lua:7" as handler_policy_lua_7_steps; a name may have 40 octets, and
 * the end says most. */
static void
name_metric(struct handler *h, bool own)
{
	size_t cut = h->place_n > METRIC_PLACE ? h->place_n - METRIC_PLACE : 0;
	char *p;

	(void)snprintf(h->metric, sizeof(h->metric), "handler_%s_steps",
	    own ? h->place + cut : "others");
	for (p = h->metric; *p != '\0'; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p | 0x20);
		else if (!(*p >= 'a' && *p <= 'z') &&
		    !(*p >= '0' && *p <= '9'))
			*p = '_';
	}
}

/* The list on top, which is popped. */
static void
take_list(lua_State *L, struct asked *a, enum stage st, unsigned *metered)
{
	int i, n = (int)luaL_len(L, -1);
	struct handler *h;

	a->list = calloc((size_t)n, sizeof(*a->list));
	if (n > 0 && a->list == NULL)
		(void)luaL_error(L, "no memory");
	for (i = 1; i <= n; i++) {
		h = &a->list[a->n++];
		(void)lua_geti(L, -1, i);
		(void)lua_getfield(L, -1, "place");
		h->place_n = host_copy_place(h->place, lua_tostring(L, -1));
		(void)lua_getfield(L, -2, "f");
		lua_pushvalue(L, -1);
		h->nargs = arguments(L, st);
		name_metric(h, (*metered)++ < METERED);
		h->fn = luaL_ref(L, LUA_REGISTRYINDEX);
		lua_pop(L, 2);
	}
	lua_pop(L, 1);
}

/* Of the table on top, if it is one; which is popped. */
static void
take_rules(lua_State *L, struct policy *p)
{
	if (lua_istable(L, -1)) {
		(void)lua_getfield(L, -1, "ask");
		p->rules = luaL_ref(L, LUA_REGISTRYINDEX);
		(void)lua_getfield(L, -1, "index");
		p->filter = filter_new(L);
		(void)lua_getfield(L, -2, "keyed");
		p->keyed = p->filter != NULL && lua_toboolean(L, -1);
		(void)lua_getfield(L, -3, "brief");
		p->brief = lua_toboolean(L, -1);
		(void)lua_getfield(L, -4, "walk");
		p->walk = (unsigned)lua_tointeger(L, -1);
		lua_pop(L, 4);
	}
	lua_pop(L, 1);
}

void
handlers_take(lua_State *L, struct policy *p)
{
	static const char *const names[CLASS_COUNT] = { "conn", "msg", "rcpt",
		"branch", "attempt" };
	unsigned metered = 0;
	int i;

	(void)lua_getfield(L, -1, "classes");
	for (i = 0; i < CLASS_COUNT; i++) {
		(void)lua_getfield(L, -1, names[i]);
		p->class[i] = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	lua_pop(L, 1);
	(void)lua_getfield(L, -1, "answer");
	p->answer = luaL_ref(L, LUA_REGISTRYINDEX);
	(void)lua_getfield(L, -1, "rules");
	take_rules(L, p);
	(void)lua_getfield(L, -1, "handlers");
	for (i = 0; i < STAGE_TICK; i++) {
		if (lua_getfield(L, -1, stage_word((enum stage)i)) ==
		    LUA_TTABLE)
			take_list(L, &p->asked[i], (enum stage)i, &metered);
		else
			lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

void
handlers_fini(struct policy *p)
{
	int i;

	for (i = 0; i < STAGE_TICK; i++)
		free(p->asked[i].list);
	filter_free(&p->filter);
}

/* Of each 1,000 instructions, and of what helpers charge. */
static void
meter(lua_State *L, struct event *r, const struct handler *h)
{
	uint64_t spent = state_used(L)->instructions - r->spent;

	if (spent > 0)
		pst_count_by(r->ev, h->metric, (int64_t)spent);
}

/* Pushes f and the first n objects of the event. */
static void
push_call(lua_State *L, struct event *r, int fn, int n)
{
	const enum class *class = given[r->stage].class;
	int i;

	(void)lua_rawgeti(L, LUA_REGISTRYINDEX, fn);
	for (i = 1; i <= n; i++) {
		if (lua_isnil(L, i)) {
			object_new(L, r->number, RCPT_NONE);
			(void)lua_rawgeti(L, LUA_REGISTRYINDEX,
			    r->policy->class[class[i - 1]]);
			(void)lua_setmetatable(L, -2);
			lua_replace(L, i);
		}
		lua_pushvalue(L, i);
	}
}

/* What was answered, on top, as four words. */
static void
judge(lua_State *L, const struct event *r)
{
	(void)lua_rawgeti(L, LUA_REGISTRYINDEX, r->policy->answer);
	(void)lua_pushstring(L, stage_word(r->stage));
	(void)lua_pushstring(L, r->place);
	lua_pushvalue(L, -4);
	lua_call(L, 3, 4);
}

/* A trace hears of the value on top, which stays. */
static void
tell(lua_State *L, const struct event *r)
{
	(void)lua_rawgeti(L, LUA_REGISTRYINDEX, r->policy->heard);
	(void)lua_pushstring(L, stage_word(r->stage));
	(void)lua_pushstring(L, r->place);
	lua_pushvalue(L, -4);
	lua_call(L, 3, 0);
}

/* Somebody has answered; handlers from number `at` on are still to be asked. */
static int
go_on(lua_State *L, int status, lua_KContext at)
{
	struct event *r = run_of(L);
	const struct asked *a = &r->policy->asked[r->stage];
	const struct handler *h;

	(void)status;
	if (at > 0 && at <= (lua_KContext)a->n)
		meter(L, r, &a->list[at - 1]);
	for (;;) {
		if (at > 0 && r->policy->heard != LUA_NOREF)
			tell(L, r);
		if (!lua_isnil(L, -1)) {
			judge(L, r);
			if (r->stage < STAGE_NOTED)
				return 4;
		}
		lua_settop(L, OBJECTS);
		if ((unsigned)at == a->n)
			return 0;
		h = &a->list[at++];
		host_set_place(r, h->place, h->place_n);
		push_call(L, r, h->fn, h->nargs);
		r->spent = state_used(L)->instructions;
		lua_callk(L, h->nargs, 1, at, go_on);
		meter(L, r, h);
	}
}

/* So few steps that it would take longer to count them. */
static bool
is_brief(const struct event *r)
{
	const struct found *f = &r->found;

	return r->policy->brief && !r->policy->traced && !f->unknown &&
	    f->nrcpt <= BRIEF &&
	    (r->policy->walk + f->n) <= (unsigned)(BRIEF / (f->nrcpt + 1));
}

int
handlers_ask(lua_State *L)
{
	struct event *r = run_of(L);
	bool brief = r->rules && is_brief(r);

	lua_settop(L, OBJECTS + 1);
	if (r->rules) {
		if (brief)
			state_watch(L, false);
		push_call(L, r, r->policy->rules, 1);
		lua_pushinteger(L, r->found.nrcpt);
		lua_callk(L, 2, 1, 0, go_on);
	}
	if (brief && r->policy->asked[r->stage].n > 0)
		state_watch(L, true);
	return go_on(L, LUA_OK, 0);
}
