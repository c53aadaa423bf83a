/*
 * What an event died of.
 */
#include "state_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#define FRAMES 24 /* of a traceback */

static void fault_split(struct fault *, const char *);
static void fault_trace(struct fault *, lua_State *);

/* The stack of a coroutine that died is as it was then. */
void
fault_died(struct thread *th, int status)
{
	struct thread *root = th->root;
	char text[96];
	const char *said;

	th->dead = true;
	if (root->stopped)
		return;
	if (status == LUA_ERRMEM) {
		limit_memory_text(root, text, sizeof(text));
		said = text;
	} else if (lua_type(th->L, -1) == LUA_TSTRING ||
		   lua_type(th->L, -1) == LUA_TNUMBER) {
		said = lua_tostring(th->L, -1);
	} else {
		(void)snprintf(text, sizeof(text),
		    "(error object is a %s value)", luaL_typename(th->L, -1));
		said = text;
	}
	free(th->fault);
	th->fault = fault_new(th->L, said);
	if (th->fault != NULL)
		th->fault->limit = status == LUA_ERRMEM;
}

struct fault *
fault_new(lua_State *L, const char *text)
{
	struct fault *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	fault_split(f, text);
	fault_trace(f, L);
	return f;
}

/* "partner.lua:7: text", as Lua and state_fail() put it. */
static void
fault_split(struct fault *f, const char *text)
{
	const char *colon = strchr(text, ':'), *end;

	if (colon != NULL) {
		end = colon + 1 + strspn(colon + 1, "0123456789");
		if (end > colon + 1 && end[0] == ':' && end[1] == ' ') {
			(void)snprintf(f->place, sizeof(f->place), "%.*s",
			    (int)(end - text), text);
			text = end + 2;
		}
	}
	(void)snprintf(f->text, sizeof(f->text), "%s", text);
}

/* By hand, since luaL_traceback() allocates. */
static void
fault_trace(struct fault *f, lua_State *L)
{
	lua_Debug ar;
	size_t at = 0, room;
	int level, n;

	for (level = 0; lua_getstack(L, level, &ar) != 0; level++) {
		room = sizeof(f->trace) - at;
		if (level == FRAMES || room < LUA_IDSIZE) {
			(void)snprintf(
			    f->trace + at, room, "%s...", at > 0 ? "\n" : "");
			return;
		}
		(void)lua_getinfo(L, "Sln", &ar);
		if (ar.currentline > 0 && f->place[0] == '\0')
			(void)snprintf(f->place, sizeof(f->place), "%s:%d",
			    ar.short_src, ar.currentline);
		n = snprintf(f->trace + at, room, "%s%s:", at > 0 ? "\n" : "",
		    ar.short_src);
		if (ar.currentline > 0)
			n += snprintf(f->trace + at + n, room - (size_t)n,
			    "%d:", ar.currentline);
		if (ar.name != NULL)
			(void)snprintf(f->trace + at + n, room - (size_t)n,
			    " in %s '%.40s'",
			    ar.namewhat[0] != '\0' ? ar.namewhat : "function",
			    ar.name);
		else
			(void)snprintf(f->trace + at + n, room - (size_t)n,
			    " in %s",
			    *ar.what == 'm' ? "main chunk" : "a function");
		at += strlen(f->trace + at);
	}
}
