/*
 * The state of an instance: the standard library and the policy in it.
 */
#define _GNU_SOURCE 1 /* memmem() */

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "embedded.h"
#include "policy.h"

static char loaded_key, dir_require_key;

/* Text of the file, to be freed; NULL and *why. */
static char *
read_file(const char *path, size_t *n_r, char *why, size_t n)
{
	struct stat st;
	char *text = NULL;
	size_t len = 0;
	ssize_t got = 1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		(void)snprintf(why, n, "%s: %s", path,
		    fd < 0 || errno != 0 ? strerror(errno) : "no file");
		if (fd >= 0)
			(void)close(fd);
		return NULL;
	}
	if (st.st_size <= POLICY_MAX)
		text = malloc((size_t)st.st_size + 1);
	while (text != NULL && got > 0 && len < (size_t)st.st_size) {
		got = read(fd, text + len, (size_t)st.st_size - len);
		len += got > 0 ? (size_t)got : 0;
	}
	(void)close(fd);
	if (text == NULL || got < 0) {
		(void)snprintf(why, n, "%s: %s", path, got < 0 ?
		    strerror(errno) : "it is larger than 4 MB");
		free(text);
		return NULL;
	}
	text[len] = '\0';
	*n_r = len;
	return text;
}

/* Pushes what the module returned, run once; false: there is no such. */
static bool
push_embedded(lua_State *L, const char *name)
{
	const struct embedded *e = embedded;

	lua_rawgetp(L, LUA_REGISTRYINDEX, &loaded_key);
	if (lua_getfield(L, -1, name) != LUA_TNIL) {
		lua_remove(L, -2);
		return true;
	}
	lua_pop(L, 1);
	while (e->name != NULL && strcmp(e->name, name) != 0)
		e++;
	if (e->name == NULL) {
		lua_pop(L, 1);
		return false;
	}
	if (luaL_loadbufferx(L, e->text, e->n, e->chunk, "t") != LUA_OK)
		(void)lua_error(L);
	lua_call(L, 0, 1);
	lua_pushvalue(L, -1);
	lua_setfield(L, -3, name);
	lua_remove(L, -2);
	return true;
}

/* Does a file of the library ask? Those of a policy begin with "@". */
static bool
is_library(lua_State *L)
{
	lua_Debug ar;

	return lua_getstack(L, 1, &ar) != 0 &&
	    lua_getinfo(L, "S", &ar) != 0 &&
	    strncmp(ar.source, "=" EMBEDDED_PLACE,
	    sizeof("=" EMBEDDED_PLACE) - 1) == 0;
}

/* The library has its own files, a policy those of its folder: what serves the
 * library could lift limits. */
static int
our_require(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);

	if (is_library(L) && push_embedded(L, name))
		return 1;
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &dir_require_key) == LUA_TNIL)
		return luaL_error(L, "there is no module '%s'", name);
	lua_pushvalue(L, 1);
	lua_call(L, 1, 1);
	return 1;
}

static void
push_host(lua_State *L)
{
	lua_newtable(L);
	luaL_setfuncs(L, host_functions, 0);
	luaL_setfuncs(L, object_functions, 0);
	luaL_setfuncs(L, filter_functions, 0);
	luaL_setfuncs(L, ask_functions, 0);
	luaL_setfuncs(L, body_functions, 0);
	luaL_setfuncs(L, strand_functions, 0);
	luaL_setfuncs(L, console_functions, 0);
}

/* Protected: p is a light userdata. Leaves the table of lua/events.lua. */
static int
open_library(lua_State *L)
{
	lua_settop(L, 0);
	lua_newtable(L);
	push_host(L);
	lua_setfield(L, -2, "host");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &loaded_key);
	(void)lua_getglobal(L, "require");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &dir_require_key);
	lua_pushcfunction(L, our_require);
	lua_setglobal(L, "require");
	(void)push_embedded(L, "events");
	return 0;
}

static void
take_ticks(lua_State *L, struct policy *p)
{
	int i, n;

	(void)lua_getfield(L, -1, "ticks");
	n = (int)luaL_len(L, -1);
	if (n > TICKS)
		(void)luaL_error(L, "more than %d on \"tick\"", TICKS);
	for (i = 1; i <= n; i++) {
		(void)lua_geti(L, -1, i);
		(void)lua_getfield(L, -1, "every");
		p->tick[i - 1].every = (uint32_t)(lua_tonumber(L, -1) * 1000);
		(void)lua_getfield(L, -2, "run");
		p->tick[i - 1].fn = luaL_ref(L, LUA_REGISTRYINDEX);
		lua_pop(L, 2);
	}
	p->ntick = (unsigned)n;
	lua_pop(L, 1);
}

/* Protected: what the policy wants to be asked. */
static int
take_wants(lua_State *L)
{
	struct policy *p = lua_touserdata(L, 1);

	lua_settop(L, 1);
	(void)push_embedded(L, "events");
	(void)lua_getfield(L, -1, "loaded");
	lua_call(L, 0, 0);
	handlers_take(L, p);
	take_ticks(L, p);
	(void)push_embedded(L, "console");
	(void)lua_getfield(L, -1, "run");
	p->console = luaL_ref(L, LUA_REGISTRYINDEX);
	return 0;
}

static int
protected(lua_State *L, lua_CFunction f, struct policy *p, char *why, size_t n)
{
	const char *text;

	lua_pushcfunction(L, f);
	lua_pushlightuserdata(L, p);
	if (lua_pcall(L, 1, 0, 0) == LUA_OK)
		return 0;
	text = lua_tostring(L, -1);
	(void)snprintf(why, n, "%s", text != NULL ? text : "no memory is left");
	lua_pop(L, 1);
	return -1;
}

/* Words of what raises TLS or chooses the way, and of what has such words in
 * another file. */
static bool
mentions_protection(const char *text, size_t n)
{
	static const char *const words[] = { "tls", "route", "after",
		"require" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (memmem(text, n, words[i], strlen(words[i])) != NULL)
			return true;
	}
	return false;
}

int
boot(struct pst_event *ev, struct policy *p, char *why, size_t n)
{
	const struct conf *c = ev->conf;
	const char *slash = strrchr(c->file, '/');
	const char *name = slash != NULL ? slash + 1 : c->file;
	const struct state_limits limits = {
		.instructions = (uint32_t)c->instructions, .slice = 10000,
		.memory = (size_t)c->memory, .growth = (size_t)c->event_memory,
		.subject = (size_t)c->subject,
	};
	char dir[4096];
	char *text;
	size_t len;
	int r;

	p->rules = p->answer = p->console = p->heard = LUA_NOREF;
	(void)snprintf(dir, sizeof(dir), "%.*s", c->dir[0] != '\0' ?
	    (int)strlen(c->dir) : (int)(name - c->file),
	    c->dir[0] != '\0' ? c->dir : c->file);
	text = read_file(c->file, &len, why, n);
	if (text == NULL)
		return -1;
	p->state = state_new(&limits, dir, why, n);
	r = p->state == NULL ? -1 : protected(state_lua(p->state),
	    open_library, p, why, n);
	p->protects = mentions_protection(text, len);
	if (r == 0)
		r = state_run(p->state, name, text, len, why, n);
	free(text);
	if (r != 0)
		return -1;
	state_seal(p->state);
	return protected(state_lua(p->state), take_wants, p, why, n);
}
