/*
 * What the standard library sees as require "host": facts, edits and what a
 * policy says. An object that a function works on is its first argument.
 */
#include <lauxlib.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "embedded.h"
#include "policy.h"

/* "policy.lua:7", of the innermost line that is not the library's. */
void
host_place(lua_State *L, char *dst, size_t n)
{
	lua_Debug d;
	int level;

	dst[0] = '\0';
	for (level = 0; lua_getstack(L, level, &d) != 0; level++) {
		if (lua_getinfo(L, "Sl", &d) == 0 || d.currentline < 0 ||
		    strncmp(d.short_src, EMBEDDED_PLACE,
			strlen(EMBEDDED_PLACE)) == 0)
			continue;
		(void)snprintf(dst, n, "%s:%d", d.short_src, d.currentline);
		return;
	}
}

int
host_fail(lua_State *L, const char *fmt, ...)
{
	char place[LUA_IDSIZE + 16], text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	host_place(L, place, sizeof(place));
	lua_pushfstring(L, "%s%s%s", place, place[0] != '\0' ? ": " : "",
	    text);
	return lua_error(L);
}

void
host_select(struct event *r, int rcpt)
{
	if (r->rcpt == rcpt || !pst_has(r->ev, rcpt))
		return;
	if (rcpt <= RCPT_ADDED) {
		/* To the program there is no such thing. */
		(void)pst_rcpt(r->ev, RCPT_NONE);
		r->rcpt = rcpt;
		return;
	}
	if (pst_rcpt(r->ev, rcpt) == 0)
		r->rcpt = rcpt;
}

/* For what the program does with a text, or keeps of it. */
static void
charge(lua_State *L, const char *text)
{
	state_charge(L, 20 + (text != NULL ? strlen(text) / 8 : 0));
}

static void
set(lua_State *L, struct event *r, const char *name, const char *value)
{
	charge(L, value);
	failure_unless_protects(L, r, name);
	if (r->conf->shadow)
		shadow_set(r, L, r->rcpt, name, value);
	else if (pst_set(r->ev, name, value) != 0)
		(void)host_fail(L, "%s cannot be set to \"%s\" at %s", name,
		    value, stage_word(r->stage));
}

/* object, name of a fact, value */
static int
host_set(lua_State *L)
{
	struct event *r = host_object(L);

	set(L, r, luaL_checkstring(L, 2), luaL_checkstring(L, 3));
	return 0;
}

/* msg, number of a recipient (from 1): its TLS want; with a text: raises it */
static int
host_want(lua_State *L)
{
	struct event *r = host_event(L);
	int rcpt = (int)luaL_checkinteger(L, 2) - 1;
	const char *value = luaL_optstring(L, 3, NULL);

	host_select(r, rcpt);
	if (r->rcpt != rcpt)
		return host_fail(L, "there is no such recipient any more");
	if (value != NULL) {
		set(L, r, "rcpt.tls", value);
		return 0;
	}
	value = pst_get(r->ev, "rcpt.tls");
	(void)lua_pushstring(L, value != NULL ? value : "opportunistic");
	return 1;
}

/* object, name, nth */
static int
host_header(lua_State *L)
{
	struct event *r = host_object(L);

	lua_pushstring(L, pst_header_nth(r->ev, luaL_checkstring(L, 2),
	    (unsigned)luaL_checkinteger(L, 3)));
	return 1;
}

/* object, "add", name, nth, value */
static int
host_edit(lua_State *L)
{
	static const char *const words[] = { "add", "insert", "set", "delete",
		NULL };
	struct event *r = host_object(L);
	int op = luaL_checkoption(L, 2, NULL, words);
	const char *name = luaL_checkstring(L, 3);
	unsigned nth = (unsigned)luaL_checkinteger(L, 4);
	const char *value = luaL_optstring(L, 5, NULL);

	charge(L, value);
	if (r->conf->shadow)
		return 0;
	if (r->ev->api->edit(r->ev, (enum pst_edit)op, name, nth, value) != 0)
		return host_fail(L, "field %s cannot be changed at %s", name,
		    stage_word(r->stage));
	return 0;
}

/* object, address, quiet: its number */
static int
host_rcpt_add(lua_State *L)
{
	struct event *r = host_event(L);
	const char *address = luaL_checkstring(L, 2);
	int i;

	host_select(r, RCPT_NONE);
	if (r->conf->shadow) {
		lua_pushinteger(L, shadow_add(r, L, address));
		return 1;
	}
	i = !pst_has(r->ev, rcpt_add) ? -1 : pst_rcpt_add(r->ev, address,
	    lua_toboolean(L, 3) ? PST_RCPT_QUIET : 0);
	if (i < 0)
		return host_fail(L, "%s cannot be added at %s", address,
		    stage_word(r->stage));
	lua_pushinteger(L, i);
	return 1;
}

static int
host_rcpt_drop(lua_State *L)
{
	struct event *r = host_object(L);

	if (r->conf->shadow)
		shadow_drop(r, L);
	else if (!pst_has(r->ev, rcpt_drop) || pst_rcpt_drop(r->ev) != 0)
		return host_fail(L, "no recipient can be dropped at %s",
		    stage_word(r->stage));
	return 0;
}

/* object, to, subject, text */
static int
host_notify(lua_State *L)
{
	struct event *r = host_event(L);
	struct pst_notice n = {
		.size = sizeof(n),
		.to = luaL_checkstring(L, 2),
		.subject = luaL_checkstring(L, 3),
		.text = luaL_checkstring(L, 4),
	};

	if (r->conf->shadow)
		return 0;
	if (!pst_has(r->ev, notify) || pst_notify(r->ev, &n) != 0)
		return host_fail(L, "%s cannot be notified at %s", n.to,
		    stage_word(r->stage));
	return 0;
}

static enum pst_level
level_of(lua_State *L, int arg)
{
	static const char *const words[] = { "debug", "info", "notice",
		"warning", "error", NULL };

	return (enum pst_level)luaL_checkoption(L, arg, NULL, words);
}

static int
host_log(lua_State *L)
{
	struct event *r = run_of(L);
	const char *text = luaL_checkstring(L, 2);

	charge(L, text);
	pst_log(r->ev, level_of(L, 1), "%s", text);
	return 0;
}

static int
host_alert(lua_State *L)
{
	struct event *r = run_of(L);
	enum pst_level level = level_of(L, 1);
	const char *key = luaL_checkstring(L, 2);
	const char *text = luaL_checkstring(L, 3);

	charge(L, text);
	if (!r->conf->shadow)
		pst_alert(r->ev, level, key, "%s", text);
	return 0;
}

static int
host_count(lua_State *L)
{
	struct event *r = run_of(L);

	pst_count_by(r->ev, luaL_checkstring(L, 1), luaL_checkinteger(L, 2));
	return 0;
}

static int
host_gauge(lua_State *L)
{
	struct event *r = run_of(L);

	pst_gauge(r->ev, luaL_checkstring(L, 1), luaL_checkinteger(L, 2));
	return 0;
}

static int
host_rate(lua_State *L)
{
	struct event *r = run_of(L);
	const char *key = luaL_checkstring(L, 1);
	lua_Integer ms = luaL_checkinteger(L, 2);
	lua_Integer by = luaL_checkinteger(L, 3);

	if (ms < 1 || ms > UINT32_MAX || by < 0 || by > UINT32_MAX)
		return host_fail(L, "a count or a time is out of range");
	lua_pushinteger(L, pst_rate(r->ev, key, (uint32_t)ms, (uint32_t)by));
	return 1;
}

static int
host_now(lua_State *L)
{
	lua_pushinteger(L, pst_now(run_of(L)->ev));
	return 1;
}

/* The number of the event that runs. */
static int
host_number(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)run_of(L)->number);
	return 1;
}

static int
host_alive(lua_State *L)
{
	struct event *r = run_of(L)->policy->live;
	uint64_t number = (uint64_t)luaL_checkinteger(L, 1);

	while (r != NULL && r->number != number)
		r = r->next;
	lua_pushboolean(L, r != NULL);
	return 1;
}

/* Into PLACE_MAX octets. */
size_t
host_copy_place(char *dst, const char *place)
{
	size_t n = strnlen(place, PLACE_MAX - 1);

	memcpy(dst, place, n);
	dst[n] = '\0';
	return n;
}

void
host_set_place(struct event *r, const char *place, size_t n)
{
	memcpy(r->place, place, n + 1);
	if (pst_has(r->ev, at))
		pst_at(r->ev, r->place);
}

static int
host_at(lua_State *L)
{
	struct event *r = run_of(L);
	char place[PLACE_MAX];

	host_set_place(r, place, host_copy_place(place,
	    luaL_checkstring(L, 1)));
	return 0;
}

static int
host_where(lua_State *L)
{
	char place[LUA_IDSIZE + 16];

	host_place(L, place, sizeof(place));
	lua_pushstring(L, place);
	return 1;
}

static int
host_error(lua_State *L)
{
	return host_fail(L, "%s", luaL_checkstring(L, 1));
}

/* "90s", "1.5h" or a number of seconds. */
static int
host_seconds(lua_State *L)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = { { "", 1 }, { "ms", 0.001 }, { "s", 1 }, { "m", 60 },
		{ "h", 3600 }, { "d", 86400 }, { "w", 7 * 86400.0 } };
	const char *text = luaL_checkstring(L, 1);
	double n = -1;
	char *end;
	size_t i;

	if (text[0] >= '0' && text[0] <= '9')
		n = strtod(text, &end);
	for (i = 0; n >= 0 && i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		n *= units[i].seconds;
		if (!isfinite(n) || n > 4e6)
			break;
		lua_pushnumber(L, n);
		return 1;
	}
	return host_fail(L, "\"%.40s\" is no duration such as \"90s\" or "
	    "\"24h\"", text);
}

/* Instructions that the event has used. */
static int
host_spent(lua_State *L)
{
	(void)run_of(L);
	lua_pushinteger(L, (lua_Integer)state_used(L)->instructions);
	return 1;
}

/* name, value: a global; a table cannot be changed any more. */
static int
host_global(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);

	lua_settop(L, 2);
	if (lua_istable(L, 2))
		state_library(L, name);
	else
		lua_setglobal(L, name);
	return 0;
}

static int
host_yield(lua_State *L)
{
	return lua_yield(L, lua_gettop(L));
}

const struct luaL_Reg host_functions[] = {
	{ "set", host_set },
	{ "want", host_want },
	{ "header", host_header },
	{ "edit", host_edit },
	{ "rcpt_add", host_rcpt_add },
	{ "rcpt_drop", host_rcpt_drop },
	{ "notify", host_notify },
	{ "log", host_log },
	{ "alert", host_alert },
	{ "count", host_count },
	{ "gauge", host_gauge },
	{ "rate", host_rate },
	{ "now", host_now },
	{ "event", host_number },
	{ "alive", host_alive },
	{ "at", host_at },
	{ "where", host_where },
	{ "fail", host_error },
	{ "seconds", host_seconds },
	{ "spent", host_spent },
	{ "global", host_global },
	{ "yield", host_yield },
	{ NULL, NULL }
};
