/*
 * The boot file as a program: Lua without any way out of its state.
 *
 * The globals are a proxy: assigning to one records a setting, reading one
 * gives a recorded value, a block function or one of a few harmless functions.
 * String patterns are left out, since nothing can interrupt them.
 */
#include "policy/conf_priv.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "base/mem.h"
#include "policy/conf_object.h"

#define MEMORY_MAX (8 * 1024 * 1024)
#define MEMORY_TIMES 24 /* of the text, where it is a store's */
#define INSTRUCTIONS_MAX (10 * 1000 * 1000)
#define HOOK_EVERY 1000
#define ITEMS_MAX 1000
#define CHUNK "BOOT" /* a path would be cut at 60 octets */

struct boot {
	struct conf_script *s;
	int line;	/* the last one that was looked for, and where it is */
	size_t line_at;
	struct conf_block **tail;
	size_t memory, memory_max;
	unsigned budget;
};

static void	*boot_alloc(void *, void *, size_t, size_t);
static void	boot_hook(lua_State *, lua_Debug *);
static void	boot_open(lua_State *, struct boot *);
static void	boot_error(lua_State *, struct boot *, struct err *);
static int	env_get(lua_State *);
static int	env_set(lua_State *);
static int	block_plain(lua_State *);
static int	block_named(lua_State *);
static const char *name_of(lua_State *, const struct conf_scope *);
static int	block_body(lua_State *);
static struct conf_block *block_add(lua_State *, const struct conf_scope *,
		    const char *, int);
static void	block_fill(lua_State *, struct conf_block *, int);
static bool	scope_of(lua_State *);
static void	item_add(lua_State *, struct conf_block *, const char *,
		    const struct conf_raw *, int);
static struct conf_raw *raw_copy(lua_State *, int, bool);
static struct conf_raw *raw_list(lua_State *, int);
static int	caller_line(lua_State *);
static bool	is_word(char);

static struct boot *
boot_of(lua_State *L)
{
	return *(struct boot **)lua_getextraspace(L);
}

int
conf_run(struct conf_script *s, struct err *why)
{
	struct boot boot = { .s = s, .tail = &s->blocks,
		.memory_max = MEMORY_MAX,
		.budget = INSTRUCTIONS_MAX / HOOK_EVERY };
	lua_State *L;
	int r;

	if (s->stored)
		boot.memory_max += MEMORY_TIMES * s->text.n;
	L = lua_newstate(boot_alloc, &boot);
	if (L == NULL)
		return err_text(why, "%s: no memory for Lua", s->file);
	*(struct boot **)lua_getextraspace(L) = &boot;
	boot_open(L, &boot);
	r = luaL_loadbufferx(L, s->text.p, s->text.n, "=" CHUNK, "t");
	if (r == LUA_OK) {
		lua_rotate(L, -2, 1); /* the environment on top */
		(void)lua_setupvalue(L, -2, 1);
		lua_sethook(L, boot_hook, LUA_MASKCOUNT, HOOK_EVERY);
		r = lua_pcall(L, 0, 0, 0);
	}
	if (r != LUA_OK)
		boot_error(L, &boot, why);
	lua_close(L);
	return r == LUA_OK ? 0 : -1;
}

static void *
boot_alloc(void *arg, void *p, size_t old, size_t n)
{
	struct boot *b = arg;

	if (p == NULL)
		old = 0; /* then it is a type */
	if (n == 0) {
		b->memory -= old;
		mem_free(p);
		return NULL;
	}
	if (n > old && b->memory + (n - old) > b->memory_max)
		return NULL;
	b->memory += n - old;
	return mem_realloc(p, n);
}

static void
boot_hook(lua_State *L, lua_Debug *ar)
{
	struct boot *b = boot_of(L);

	if (b->budget > 0)
		b->budget--;
	if (b->budget > 0)
		return;
	(void)lua_getinfo(L, "l", ar);
	(void)lua_pushfstring(L, CHUNK ":%d: too many instructions",
	    ar->currentline);
	(void)lua_error(L);
}

/* Leaves the environment on the stack. */
static void
boot_open(lua_State *L, struct boot *b)
{
	static const char *const base[] = { "ipairs", "pairs", "tonumber",
		"tostring", "type" };
	static const char *const string[] = { "byte", "char", "format", "len",
		"lower", "rep", "reverse", "sub", "upper" };
	size_t i;

	(void)block_add(L, &conf_scopes[CONF_SCOPE_TOP], NULL, 1);
	ASSERT(b->s->blocks != NULL);
	luaL_requiref(L, LUA_GNAME, luaopen_base, 0);
	lua_newtable(L); /* what can be read */
	for (i = 0; i < sizeof(base) / sizeof(base[0]); i++) {
		lua_getfield(L, -2, base[i]);
		lua_setfield(L, -2, base[i]);
	}
	luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 0);
	lua_newtable(L);
	for (i = 0; i < sizeof(string) / sizeof(string[0]); i++) {
		lua_getfield(L, -2, string[i]);
		lua_setfield(L, -2, string[i]);
	}
	/* ("x"):find() goes the same way. */
	lua_pushliteral(L, "");
	(void)lua_getmetatable(L, -1);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 2);
	lua_setfield(L, -3, "string");
	lua_pop(L, 1);
	for (i = 1; i < CONF_SCOPES; i++) {
		if (conf_scope_saved(&conf_scopes[i]) ? !b->s->saved :
			b->s->stored && !conf_scopes[i].stored)
			continue;
		lua_pushinteger(L, (lua_Integer)i);
		lua_pushcclosure(L, conf_scopes[i].named ? block_named :
		    block_plain, 1);
		lua_setfield(L, -2, conf_scopes[i].name);
	}
	lua_newtable(L); /* the proxy */
	lua_newtable(L);
	lua_pushvalue(L, -3);
	lua_pushcclosure(L, env_get, 1);
	lua_setfield(L, -2, "__index");
	lua_pushvalue(L, -3);
	lua_pushcclosure(L, env_set, 1);
	lua_setfield(L, -2, "__newindex");
	(void)lua_setmetatable(L, -2);
	lua_replace(L, 1);
	lua_settop(L, 1);
}

static void
boot_error(lua_State *L, struct boot *b, struct err *why)
{
	const char *text = lua_tostring(L, -1);

	if (text == NULL)
		text = "an error that is no string";
	if (strncmp(text, CHUNK ":", sizeof(CHUNK)) == 0)
		(void)err_text(why, "%s%s", b->s->file,
		    text + sizeof(CHUNK) - 1);
	else
		(void)err_text(why, "%s: %s", b->s->file, text);
}

static const char *
kind_unknown(struct pool *pool, const char *word)
{
	struct err why = ERR_INIT;

	(void)conf_kind_find(word, &why);
	return pool_strdup(pool, why.text);
}

static int
env_get(lua_State *L)
{
	lua_pushvalue(L, 2);
	lua_rawget(L, lua_upvalueindex(1));
	if (lua_isnil(L, -1) && lua_type(L, 2) == LUA_TSTRING &&
	    boot_of(L)->s->stored)
		return luaL_error(L, "%s", kind_unknown(boot_of(L)->s->pool,
		    lua_tostring(L, 2)));
	if (lua_isnil(L, -1) && lua_type(L, 2) == LUA_TSTRING)
		return luaL_error(L, "\"%s\" is not defined here",
		    lua_tostring(L, 2));
	return 1;
}

static int
env_set(lua_State *L)
{
	struct boot *b = boot_of(L);
	const char *key;
	size_t i;

	if (lua_type(L, 2) != LUA_TSTRING)
		return luaL_error(L, "a setting's name must be a word");
	key = lua_tostring(L, 2);
	if (b->s->stored)
		return luaL_error(L, "\"%s\" is no setting of the "
		    "configuration store", key);
	for (i = 1; i < CONF_SCOPES; i++) {
		if (!conf_scope_saved(&conf_scopes[i]) &&
		    strcmp(conf_scopes[i].name, key) == 0)
			return luaL_error(L, "write %s %s{ ... }, without =",
			    key, conf_scopes[i].named ? "\"name\" " : "");
	}
	item_add(L, b->s->blocks, key, raw_copy(L, 3, true), caller_line(L));
	lua_settop(L, 3);
	lua_rawset(L, lua_upvalueindex(1));
	return 0;
}

static int
block_plain(lua_State *L)
{
	const struct conf_scope *scope =
	    &conf_scopes[lua_tointeger(L, lua_upvalueindex(1))];

	if (lua_gettop(L) != 1 || !lua_istable(L, 1))
		return luaL_error(L, "write %s { ... }", scope->name);
	block_fill(L, block_add(L, scope, NULL, caller_line(L)), 1);
	return 0;
}

static int
block_named(lua_State *L)
{
	const struct conf_scope *scope =
	    &conf_scopes[lua_tointeger(L, lua_upvalueindex(1))];
	struct conf_block *block;

	if (lua_gettop(L) != 1 || lua_type(L, 1) != LUA_TSTRING)
		return luaL_error(L, "write %s \"name\" { ... }", scope->name);
	block = block_add(L, scope, name_of(L, scope), caller_line(L));
	lua_pushlightuserdata(L, block);
	lua_pushcclosure(L, block_body, 1);
	return 1;
}

static const char *
name_of(lua_State *L, const struct conf_scope *scope)
{
	const char *name;
	size_t n;

	name = lua_tolstring(L, 1, &n);
	if (n == 0 || n > 255 || strlen(name) != n)
		(void)luaL_error(L, "a %s with that name cannot be",
		    scope->name);
	return name;
}

static int
block_body(lua_State *L)
{
	struct conf_block *block = lua_touserdata(L, lua_upvalueindex(1));

	if (lua_gettop(L) == 1 && lua_type(L, 1) == LUA_TSTRING &&
	    block->scope == &conf_scopes[CONF_SCOPE_PLUGIN] &&
	    block->of == NULL) {
		block->of = block->name;
		block->name = pool_strdup(boot_of(L)->s->pool,
		    name_of(L, block->scope));
		lua_pushvalue(L, lua_upvalueindex(1));
		lua_pushcclosure(L, block_body, 1);
		return 1;
	}
	if (lua_gettop(L) != 1 || !lua_istable(L, 1))
		return luaL_error(L, "write %s \"%s\" { ... }",
		    block->scope->name, block->name);
	block_fill(L, block, 1);
	return 0;
}

static struct conf_block *
block_add(lua_State *L, const struct conf_scope *scope, const char *name,
    int line)
{
	struct boot *b = boot_of(L);
	struct conf_block *block;

	if (b->s->nblocks >= CONF_MAX_BLOCKS)
		(void)luaL_error(L, "more than %d blocks", CONF_MAX_BLOCKS);
	block = POOL_NEW(b->s->pool, struct conf_block);
	block->scope = scope;
	block->name = pool_strdup(b->s->pool, name);
	block->line = line;
	*b->tail = block;
	b->tail = &block->next;
	b->s->nblocks++;
	return block;
}

/* The text from a line on. Blocks come in the order of their lines, so that
 * the next one is looked for behind the last. */
static struct str
text_from(struct boot *b, int line)
{
	struct str text = b->s->text;
	const char *p;

	if (line < b->line || b->line == 0) {
		b->line = 1;
		b->line_at = 0;
	}
	while (b->line < line && (p = memchr(text.p + b->line_at, '\n',
	    text.n - b->line_at)) != NULL) {
		b->line_at = (size_t)(p - text.p) + 1;
		b->line++;
	}
	return str_n(text.p + b->line_at, text.n - b->line_at);
}

static void
block_fill(lua_State *L, struct conf_block *block, int table)
{
	struct boot *b = boot_of(L);
	const char *key;

	lua_pushnil(L);
	while (lua_next(L, table) != 0) {
		if (lua_type(L, -2) != LUA_TSTRING)
			(void)luaL_error(L, "a value without a name in %s",
			    block->scope->name);
		key = lua_tostring(L, -2);
		if (b->s->saved && strcmp(key, CONF_OBJECT_SCOPE) == 0) {
			block->of_node = scope_of(L);
			lua_pop(L, 1);
			continue;
		}
		item_add(L, block, key, raw_copy(L, lua_gettop(L), true),
		    conf_locate(text_from(b, block->line), block->line, key));
		lua_pop(L, 1);
	}
}

static bool
scope_of(lua_State *L)
{
	const char *s = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) :
	    "";

	if (strcmp(s, "node") != 0 && strcmp(s, "cluster") != 0)
		(void)luaL_error(L, CONF_OBJECT_SCOPE " must be \"node\" or "
		    "\"cluster\"");
	return strcmp(s, "node") == 0;
}

static void
item_add(lua_State *L, struct conf_block *block, const char *key,
    const struct conf_raw *raw, int line)
{
	struct pool *pool = boot_of(L)->s->pool;
	struct conf_item *item, **at;
	unsigned n = 0;

	/* The last one counts; errors are told in the order of the lines. On
	 * one line Lua's order is any. */
	for (at = &block->items; *at != NULL; at = &(*at)->next) {
		if (strcmp((*at)->key, key) == 0) {
			(*at)->value = raw;
			(*at)->line = line;
			return;
		}
		if (++n >= ITEMS_MAX)
			(void)luaL_error(L, "too many settings");
	}
	for (at = &block->items; *at != NULL && ((*at)->line < line ||
	    ((*at)->line == line && strcmp((*at)->key, key) < 0));)
		at = &(*at)->next;
	item = POOL_NEW(pool, struct conf_item);
	item->key = pool_strdup(pool, key);
	item->value = raw;
	item->line = line;
	item->next = *at;
	*at = item;
}

static struct conf_raw *
raw_copy(lua_State *L, int at, bool list_ok)
{
	struct pool *pool = boot_of(L)->s->pool;
	struct conf_raw *raw;
	const char *p;
	size_t n;
	int whole = 0;

	if (list_ok && lua_istable(L, at))
		return raw_list(L, at);
	raw = POOL_NEW(pool, struct conf_raw);
	switch (lua_type(L, at)) {
	case LUA_TBOOLEAN:
		raw->type = RAW_BOOL;
		raw->b = lua_toboolean(L, at) != 0;
		return raw;
	case LUA_TNUMBER:
		raw->type = RAW_INT;
		raw->i = lua_tointegerx(L, at, &whole);
		if (whole == 0)
			(void)luaL_error(L, "a number must be whole");
		return raw;
	case LUA_TSTRING:
		p = lua_tolstring(L, at, &n);
		raw->type = RAW_STRING;
		raw->s = pool_str(pool, str_n(p, n));
		return raw;
	default:
		(void)luaL_error(L, "a %s cannot be a setting",
		    luaL_typename(L, at));
		return NULL;
	}
}

static struct conf_raw *
raw_list(lua_State *L, int at)
{
	struct conf_raw *raw = POOL_NEW(boot_of(L)->s->pool, struct conf_raw);
	lua_Unsigned n = lua_rawlen(L, at), count = 0;
	unsigned i;

	/* Names in it would be forgotten silently. */
	lua_pushnil(L);
	while (lua_next(L, at) != 0) {
		lua_pop(L, 1);
		count++;
	}
	if (count != n)
		(void)luaL_error(L, "a list must not have names in it");
	if (n > CONF_MAX_LIST)
		(void)luaL_error(L, "a list of more than %d", CONF_MAX_LIST);
	raw->type = RAW_LIST;
	raw->n = (unsigned)n;
	raw->v = pool_alloc(boot_of(L)->s->pool, (n + 1) * sizeof(*raw->v));
	for (i = 0; i < raw->n; i++) {
		(void)lua_rawgeti(L, at, (lua_Integer)i + 1);
		raw->v[i] = raw_copy(L, lua_gettop(L), false);
		lua_pop(L, 1);
	}
	return raw;
}

static int
caller_line(lua_State *L)
{
	lua_Debug ar;

	if (lua_getstack(L, 1, &ar) == 0 || lua_getinfo(L, "l", &ar) == 0)
		return 0;
	return ar.currentline;
}

/*
 * Lua knows the line of a block, not those of its fields. This looks for
 * `key =` as a person would; comments and strings are passed over.
 */
int
conf_locate(struct str text, int from, const char *key)
{
	size_t i = 0, n = strlen(key), j;
	int line = from;
	char quote;

	while (i < text.n) {
		char c = text.p[i];

		if (c == '\n') {
			line++;
			i++;
		} else if (c == '-' && i + 1 < text.n && text.p[i + 1] == '-') {
			while (i < text.n && text.p[i] != '\n')
				i++;
		} else if (c == '"' || c == '\'') {
			quote = c;
			for (i++; i < text.n && text.p[i] != quote &&
			    text.p[i] != '\n'; i++) {
				if (text.p[i] == '\\')
					i++;
			}
			if (i < text.n && text.p[i] == quote)
				i++;
		} else if (is_word(c)) {
			for (j = i; j < text.n && is_word(text.p[j]);)
				j++;
			if (j - i == n && memcmp(text.p + i, key, n) == 0)
				return line;
			i = j;
		} else {
			i++;
		}
	}
	return from;
}

static bool
is_word(char c)
{
	return ch_alnum(c) || c == '_';
}
