/*
 * What a script finds: the functions of base and the way to other files, and
 * the libraries, none of which can be changed.
 */
#include "state_priv.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include "lib.h"

#define FILE_LARGEST (1024 * 1024) /* octets of what require() reads */
#define NAME_LONGEST 128

static const char loaded_key; /* in the registry: modules by name */

static void take(lua_State *, lua_CFunction, const char *const *);
static int b_pcall(lua_State *);
static int pcall_end(lua_State *, int, lua_KContext);
static int b_xpcall(lua_State *);
static int xpcall_end(lua_State *, int, lua_KContext);
static int handler_end(lua_State *, int, lua_KContext);
static int b_try(lua_State *);
static int try_end(lua_State *, int, lua_KContext);
static int b_setmetatable(lua_State *);
static int b_rawset(lua_State *);
static int b_require(lua_State *);
static int require_end(lua_State *, int, lua_KContext);
static void file_name(lua_State *, const char *, char *, size_t);
static void load_file(lua_State *, const char *);
static int open_below(const char *, const char *, struct stat *);
static const char *open_error(int);
static void make_proxy(lua_State *, const char *);
static int proxy_set(lua_State *);
static int proxy_pairs(lua_State *);
static int proxy_next(lua_State *);

static const luaL_Reg own[] = {
	{ "pcall", b_pcall },
	{ "xpcall", b_xpcall },
	{ "try", b_try },
	{ "setmetatable", b_setmetatable },
	{ "rawset", b_rawset },
	{ "require", b_require },
	{ NULL, NULL },
};

static const struct lib_price base_prices[] = {
	{ "assert", PRICE_ARGUMENTS },
	{ "rawequal", PRICE_EQUAL },
	{ "select", PRICE_ARGUMENTS },
	{ "tonumber", PRICE_FIRST },
	{ NULL, 0 },
}, math_prices[] = {
	{ "max", PRICE_ARGUMENTS },
	{ "min", PRICE_ARGUMENTS },
	{ NULL, 0 },
}, os_prices[] = {
	{ "date", PRICE_FIRST },
	{ NULL, 0 },
}, utf8_prices[] = {
	{ "char", PRICE_ARGUMENTS },
	{ "codepoint", PRICE_RANGE },
	{ "len", PRICE_LENGTH },
	{ "offset", PRICE_OFFSET },
	{ NULL, 0 },
};

void
sandbox_open(lua_State *L)
{
	static const char *const base[] = { "_VERSION", "assert", "error",
		"getmetatable", "ipairs", "next", "pairs", "rawequal", "rawget",
		"rawlen", "select", "tonumber", "tostring", "type", NULL };
	static const char *const os[] = { "clock", "date", "time", NULL };

	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &loaded_key);
	take(L, luaopen_base, base); /* and the globals of before are gone */
	lib_price(L, base_prices);
	luaL_setfuncs(L, own, 0);
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "_G");
	lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
	take(L, luaopen_os, os);
	lib_price(L, os_prices);
	state_library(L, "os");
	lua_pushcfunction(L, luaopen_math);
	lua_call(L, 0, 1);
	lib_price(L, math_prices);
	state_library(L, "math");
	lua_pushcfunction(L, luaopen_utf8);
	lua_call(L, 0, 1);
	lib_price(L, utf8_prices);
	state_library(L, "utf8");
	strlib_open(L);
	tablib_open(L);
	iplib_open(L);
	jsonlib_open(L);
	maillib_open(L);
	relib_open(L);
}

/* Pushes a table of what names says of the library that open makes. */
static void
take(lua_State *L, lua_CFunction open, const char *const *names)
{
	lua_newtable(L);
	lua_pushcfunction(L, open);
	lua_call(L, 0, 1);
	for (; *names != NULL; names++) {
		(void)lua_getfield(L, -1, *names);
		lua_setfield(L, -3, *names);
	}
	lua_pop(L, 1);
}

static int
b_pcall(lua_State *L)
{
	luaL_checkany(L, 1);
	lua_pushboolean(L, 1);
	lua_insert(L, 1);
	return pcall_end(L,
	    lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, pcall_end), 0);
}

static int
pcall_end(lua_State *L, int status, lua_KContext ctx)
{
	if (status == LUA_OK || status == LUA_YIELD)
		return lua_gettop(L);
	state_pass(L, status);
	lua_pushboolean(L, 0);
	lua_insert(L, -2);
	return 2;
}

/*
 * The handler runs when the stack is unwound: before, after an error that a
 * hook raised, Lua would run it without hooks.
 */
static int
b_xpcall(lua_State *L)
{
	int n = lua_gettop(L);

	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_pushboolean(L, 1);
	lua_pushvalue(L, 1);
	lua_rotate(L, 3, 2);
	return xpcall_end(
	    L, lua_pcallk(L, n - 2, LUA_MULTRET, 0, 0, xpcall_end), 0);
}

static int
xpcall_end(lua_State *L, int status, lua_KContext ctx)
{
	if (status == LUA_OK || status == LUA_YIELD)
		return lua_gettop(L) - 2;
	state_pass(L, status);
	lua_pushboolean(L, 0);
	lua_pushvalue(L, 2);
	lua_rotate(L, -3, 2);
	return handler_end(L, lua_pcallk(L, 1, 1, 0, 0, handler_end), 0);
}

static int
handler_end(lua_State *L, int status, lua_KContext ctx)
{
	if (status != LUA_OK && status != LUA_YIELD)
		state_pass(L, status);
	return 2;
}

/* What the function returns, or nil and the error. */
static int
b_try(lua_State *L)
{
	luaL_checkany(L, 1);
	return try_end(
	    L, lua_pcallk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, 0, try_end), 0);
}

static int
try_end(lua_State *L, int status, lua_KContext ctx)
{
	if (status == LUA_OK || status == LUA_YIELD)
		return lua_gettop(L);
	state_pass(L, status);
	lua_pushnil(L);
	lua_insert(L, -2);
	return 2;
}

static int
b_setmetatable(lua_State *L)
{
	int type = lua_type(L, 2);

	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_argexpected(
	    L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
	if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
		return luaL_error(L, "cannot change a protected metatable");
	lua_settop(L, 2);
	if (type == LUA_TTABLE) {
		(void)lua_pushliteral(L, "__gc");
		if (lua_rawget(L, 2) != LUA_TNIL)
			return luaL_error(L, "__gc cannot be had here");
		lua_pop(L, 1);
	}
	(void)lua_setmetatable(L, 1);
	return 1;
}

static int
b_rawset(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checkany(L, 2);
	luaL_checkany(L, 3);
	if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
		return luaL_error(L, "rawset: the table is protected");
	lua_settop(L, 3);
	lua_rawset(L, 1);
	return 1;
}

static int
b_require(lua_State *L)
{
	size_t n;
	const char *name = luaL_checklstring(L, 1, &n);
	struct state *s = state_of(L);

	luaL_argcheck(L, strlen(name) == n, 1, "no name");
	lua_settop(L, 1);
	(void)lua_rawgetp(L, LUA_REGISTRYINDEX, &loaded_key);
	if (lua_getfield(L, 2, name) == LUA_TLIGHTUSERDATA)
		return luaL_error(L, "module '%s' requires itself", name);
	if (!lua_isnil(L, 3))
		return 1;
	if (s->sealed)
		return luaL_error(L,
		    "module '%s' must be required when the "
		    "policy is loaded, not by an event",
		    name);
	load_file(L, name);
	lua_pushlightuserdata(L, s);
	lua_setfield(L, 2, name);
	lua_pushvalue(L, 1);
	lua_callk(L, 1, 1, 0, require_end);
	return require_end(L, LUA_OK, 0);
}

static int
require_end(lua_State *L, int status, lua_KContext ctx)
{
	if (lua_isnil(L, -1))
		lua_pushboolean(L, 1);
	lua_pushvalue(L, -1);
	lua_setfield(L, 2, lua_tostring(L, 1));
	return 1;
}

/* "a.b" is a/b.lua; nothing else can be written. */
static void
file_name(lua_State *L, const char *name, char *file, size_t n)
{
	size_t i, len = strlen(name);
	bool was_dot = true;

	for (i = 0; i < len; i++) {
		bool dot = name[i] == '.';

		if (dot ? was_dot
			: !isalnum((unsigned char)name[i]) && name[i] != '_' &&
			      name[i] != '-')
			break;
		was_dot = dot;
	}
	if (i < len || was_dot || len > NAME_LONGEST)
		(void)luaL_error(L,
		    "require: '%s' is no name of a module: "
		    "letters, digits, _ and -, parts by dots",
		    name);
	(void)snprintf(file, n, "%s.lua", name);
	for (i = 0; i < len; i++) {
		if (file[i] == '.')
			file[i] = '/';
	}
}

/* Opens it if it is below the folder once all links are followed. */
static int
open_below(const char *dir, const char *file, struct stat *st)
{
	char path[PATH_MAX], real[PATH_MAX];
	size_t n = strlen(dir);
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", dir, file) >=
	    (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (realpath(path, real) == NULL)
		return -1;
	if (strncmp(real, dir, n) != 0 || (n > 1 && real[n] != '/')) {
		errno = EXDEV;
		return -1;
	}
	fd = open(real, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1)
		return -1;
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode) &&
	    st->st_size <= FILE_LARGEST)
		return fd;
	(void)close(fd);
	errno = EFBIG;
	return -1;
}

static const char *
open_error(int e)
{
	if (e == EXDEV)
		return "it is not below the policy's folder";
	if (e == EFBIG)
		return "not a file, or larger than 1 MB";
	return strerror(e);
}

/* Pushes the module's chunk, or raises. */
static void
load_file(lua_State *L, const char *name)
{
	const char *dir = state_of(L)->dir;
	char file[NAME_LONGEST + 8], chunk[NAME_LONGEST + 16];
	luaL_Buffer b;
	struct stat st;
	ssize_t n = 0;
	size_t at = 0, size;
	char *text;
	int fd, status;

	if (dir == NULL)
		(void)luaL_error(L, "require: there is no folder of modules");
	file_name(L, name, file, sizeof(file));
	/* Before the file is open: it may raise. */
	text = luaL_buffinitsize(L, &b, FILE_LARGEST);
	fd = open_below(dir, file, &st);
	if (fd == -1)
		(void)luaL_error(
		    L, "module '%s': %s: %s", name, file, open_error(errno));
	size = (size_t)st.st_size;
	while (at < size && (n = read(fd, text + at, size - at)) > 0)
		at += (size_t)n;
	(void)close(fd);
	if (n < 0)
		(void)luaL_error(L, "module '%s': cannot read %s", name, file);
	luaL_pushresultsize(&b, at);
	(void)snprintf(chunk, sizeof(chunk), "@%s", file);
	status = luaL_loadbufferx(L, lua_tostring(L, -1), at, chunk, "t");
	if (status != LUA_OK) {
		state_pass(L, status);
		(void)lua_error(L);
	}
	lua_remove(L, -2);
}

void
state_library(lua_State *L, const char *name)
{
	lua_newtable(L);
	lua_insert(L, -2);
	make_proxy(L, name);
	lua_setglobal(L, name);
}

/* What was assigned moves behind the table that all functions know. */
void
state_seal(struct state *s)
{
	lua_State *L = s->L;

	lua_pushglobaltable(L);
	lua_newtable(L);
	lua_pushnil(L);
	while (lua_next(L, -3) != 0) {
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, -4);
	}
	lua_pushnil(L);
	while (lua_next(L, -2) != 0) {
		lua_pop(L, 1);
		lua_pushvalue(L, -1);
		lua_pushnil(L);
		lua_rawset(L, -5);
	}
	make_proxy(L, NULL);
	lua_pop(L, 1);
	s->sealed = true;
}

/* On the stack: an empty table, and the one it shall show, which is popped. */
static void
make_proxy(lua_State *L, const char *name)
{
	lua_createtable(L, 0, 4);
	lua_pushvalue(L, -2);
	lua_setfield(L, -2, "__index");
	if (name != NULL)
		(void)lua_pushstring(L, name);
	else
		lua_pushnil(L);
	lua_pushcclosure(L, proxy_set, 1);
	lua_setfield(L, -2, "__newindex");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_pushvalue(L, -2);
	lua_pushcclosure(L, proxy_pairs, 1);
	lua_setfield(L, -2, "__pairs");
	(void)lua_setmetatable(L, -3);
	lua_pop(L, 1);
}

static int
proxy_set(lua_State *L)
{
	const char *lib = lua_tostring(L, lua_upvalueindex(1));
	const char *name = luaL_tolstring(L, 2, NULL);

	if (lib != NULL)
		return luaL_error(L,
		    "assignment to '%s.%s': libraries cannot "
		    "be changed",
		    lib, name);
	return luaL_error(L,
	    "assignment to global '%s': use local, or a note "
	    "on msg/rcpt",
	    name);
}

static int
proxy_pairs(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_pushcclosure(L, proxy_next, 1);
	lua_pushnil(L);
	lua_pushnil(L);
	return 3;
}

static int
proxy_next(lua_State *L)
{
	lua_settop(L, 2);
	if (lua_next(L, lua_upvalueindex(1)) != 0)
		return 2;
	lua_pushnil(L);
	return 1;
}

void
lib_index(lua_State *L, lua_KContext ctx, lua_KFunction k)
{
	enum { LINKS = 100 };
	int i;

	for (i = 0; i < LINKS; i++) {
		if (lua_istable(L, -2)) {
			lua_pushvalue(L, -1);
			if (lua_rawget(L, -3) != LUA_TNIL)
				break;
			lua_pop(L, 1);
		}
		if (luaL_getmetafield(L, -2, "__index") == LUA_TNIL) {
			lua_pushnil(L);
			break;
		}
		if (lua_isfunction(L, -1)) {
			lua_insert(L, -3);
			lua_callk(L, 2, 1, ctx, k);
			return;
		}
		lua_replace(L, -3);
	}
	if (i == LINKS)
		(void)luaL_error(L, "'__index' chain too long");
	lua_replace(L, -3);
	lua_pop(L, 1);
}
