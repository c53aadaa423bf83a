/*
 * json, straight between text and Lua values, so that what it makes is paid for
 * as any value is.
 *
 *   json.decode(text)  the value; or nil and why, with the octet where.
 *   json.encode(v)     text, keys in order; a value that has no JSON raises.
 *   json.null          what null is in a list, so that its places stay; in an
 *                      object null is the same as no value: nil.
 *   json.array(t)      t, marked: it is a list even if it is empty.
 *
 * A table with t[1] is a list, any other one an object, {} too. Numbers that
 * are whole and fit are integers. Of two equal keys the last one holds.
 */
#include "lib.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "state.h"

#define DEPTH	       100
#define NUMBER_LONGEST 64

static const char null_key, array_key; /* json.null; the metatable of lists */

struct reader {
	lua_State *L;
	const char *begin, *p, *end;
	const char *why;
	unsigned depth;
};

/* What is written, in a userdata at a place of the stack. */
struct writer {
	lua_State *L;
	int slot;
	char *out;
	size_t n, size;
	unsigned depth;
};

struct key {
	const char *p;
	size_t n;
};

static int j_decode(lua_State *);
static int j_encode(lua_State *);
static int j_array(lua_State *);
static bool read_value(struct reader *);
static bool read_object(struct reader *);
static bool read_array(struct reader *);
static bool read_string(struct reader *);
static bool read_number(struct reader *);
static void write_value(struct writer *, int);

static const luaL_Reg own[] = {
	{ "array", j_array },
	{ "decode", j_decode },
	{ "encode", j_encode },
	{ NULL, NULL },
};

void
jsonlib_open(lua_State *L)
{
	lua_newtable(L);
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &array_key);
	luaL_newlib(L, own);
	lua_pushlightuserdata(L, (void *)(uintptr_t)&null_key);
	lua_setfield(L, -2, "null");
	state_library(L, "json");
}

static bool
bad(struct reader *r, const char *why)
{
	if (r->why == NULL)
		r->why = why;
	return false;
}

static int
peek(const struct reader *r)
{
	return r->p < r->end ? (unsigned char)*r->p : -1;
}

static int
skip(struct reader *r)
{
	while (
	    r->p < r->end && *r->p != '\0' && strchr(" \t\r\n", *r->p) != NULL)
		r->p++;
	return peek(r);
}

static int
j_decode(lua_State *L)
{
	size_t n;
	const char *s = luaL_checklstring(L, 1, &n);
	struct reader r = { L, s, s, s + n, NULL, 0 };

	lua_settop(L, 1);
	state_charge(L, n / 8 + 1);
	if (read_value(&r) && skip(&r) != -1)
		(void)bad(&r, "more than one value");
	if (r.why == NULL)
		return 1;
	lua_pushnil(L);
	(void)lua_pushfstring(
	    L, "octet %I: %s", (lua_Integer)(r.p - s) + 1, r.why);
	return 2;
}

static bool
word(struct reader *r, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(r->end - r->p) < n || memcmp(r->p, text, n) != 0)
		return bad(r, "not a value");
	r->p += n;
	return true;
}

/* Pushes one value, or fails; what is on the stack then does not matter. */
static bool
read_value(struct reader *r)
{
	lua_State *L = r->L;
	bool ok;

	luaL_checkstack(L, 4, NULL);
	switch (skip(r)) {
	case '{':
	case '[':
		if (r->depth == DEPTH)
			return bad(r, "too deep");
		r->depth++;
		ok = *r->p++ == '{' ? read_object(r) : read_array(r);
		r->depth--;
		return ok;
	case '"':
		return read_string(r);
	case 't':
		lua_pushboolean(L, 1);
		return word(r, "true");
	case 'f':
		lua_pushboolean(L, 0);
		return word(r, "false");
	case 'n':
		lua_pushlightuserdata(L, (void *)(uintptr_t)&null_key);
		return word(r, "null");
	case -1:
		return bad(r, "ends too early");
	default:
		return read_number(r);
	}
}

static bool
read_object(struct reader *r)
{
	lua_State *L = r->L;

	lua_newtable(L);
	if (skip(r) == '}') {
		r->p++;
		return true;
	}
	for (;;) {
		if (skip(r) != '"')
			return bad(r, "a key must be a string");
		if (!read_string(r))
			return false;
		if (skip(r) != ':')
			return bad(r, "':' expected");
		r->p++;
		if (!read_value(r))
			return false;
		if (lua_touserdata(L, -1) == &null_key) {
			lua_pop(L, 1);
			lua_pushnil(L);
		}
		lua_rawset(L, -3);
		if (skip(r) == '}')
			break;
		if (peek(r) != ',')
			return bad(r, "',' or '}' expected");
		r->p++;
	}
	r->p++;
	return true;
}

static bool
read_array(struct reader *r)
{
	lua_State *L = r->L;
	lua_Integer i;

	lua_newtable(L);
	if (skip(r) == ']') {
		r->p++;
		(void)lua_rawgetp(L, LUA_REGISTRYINDEX, &array_key);
		(void)lua_setmetatable(L, -2);
		return true;
	}
	for (i = 1;; i++) {
		if (!read_value(r))
			return false;
		lua_rawseti(L, -2, i);
		if (skip(r) == ']')
			break;
		if (peek(r) != ',')
			return bad(r, "',' or ']' expected");
		r->p++;
	}
	r->p++;
	return true;
}

/* Four hexadecimal digits; -1: they are not there. */
static long
read_hex(struct reader *r)
{
	char text[5], *end;
	long v;

	if (r->end - r->p < 4)
		return -1;
	memcpy(text, r->p, 4);
	text[4] = '\0';
	if (strspn(text, "0123456789abcdefABCDEF") != 4)
		return -1;
	v = strtol(text, &end, 16);
	r->p += 4;
	return v;
}

/* Behind \u: a character, of two halves if need be, as UTF-8. */
static bool
read_unicode(struct reader *r, luaL_Buffer *b)
{
	long c = read_hex(r), low;
	char *to;
	size_t n = 0;

	if (c >= 0xd800 && c < 0xdc00 && r->end - r->p > 2 && r->p[0] == '\\' &&
	    r->p[1] == 'u') {
		r->p += 2;
		low = read_hex(r);
		if (low < 0xdc00 || low > 0xdfff)
			return bad(r, "half a character");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	if (c < 0 || (c >= 0xd800 && c < 0xe000))
		return bad(r, c < 0 ? "bad \\u" : "half a character");
	to = luaL_prepbuffsize(b, 4);
	if (c < 0x80) {
		to[n++] = (char)c;
	} else if (c < 0x800) {
		to[n++] = (char)(0xc0 | c >> 6);
	} else if (c < 0x10000) {
		to[n++] = (char)(0xe0 | c >> 12);
	} else {
		to[n++] = (char)(0xf0 | c >> 18);
		to[n++] = (char)(0x80 | (c >> 12 & 0x3f));
	}
	if (c >= 0x800)
		to[n++] = (char)(0x80 | (c >> 6 & 0x3f));
	if (c >= 0x80)
		to[n++] = (char)(0x80 | (c & 0x3f));
	luaL_addsize(b, n);
	return true;
}

static bool
read_escape(struct reader *r, luaL_Buffer *b)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	int c = peek(r);
	const char *at;

	if (c == -1)
		return bad(r, "ends in a string");
	r->p++;
	if (c == 'u')
		return read_unicode(r, b);
	at = c != '\0' ? strchr(from, c) : NULL;
	if (at == NULL)
		return bad(r, "unknown escape");
	luaL_addchar(b, to[at - from]);
	return true;
}

static bool
read_string(struct reader *r)
{
	const char *from = ++r->p;
	luaL_Buffer b;

	luaL_buffinit(r->L, &b);
	for (;;) {
		int c = peek(r);

		if (c == -1)
			return bad(r, "ends in a string");
		if (c >= 0 && c < 32)
			return bad(r, "a control character in a string");
		if (c != '"' && c != '\\') {
			r->p++;
			continue;
		}
		luaL_addlstring(&b, from, (size_t)(r->p - from));
		r->p++;
		if (c == '"')
			break;
		if (!read_escape(r, &b))
			return false;
		from = r->p;
	}
	luaL_pushresult(&b);
	return true;
}

static size_t
digits(struct reader *r)
{
	const char *from = r->p;

	while (peek(r) >= '0' && peek(r) <= '9')
		r->p++;
	return (size_t)(r->p - from);
}

static bool
read_number(struct reader *r)
{
	const char *from = r->p;
	char text[NUMBER_LONGEST];
	size_t n;
	bool zero;

	if (peek(r) == '-')
		r->p++;
	zero = peek(r) == '0';
	n = digits(r);
	if (n == 0 || (zero && n > 1))
		return bad(r, "not a value");
	if (peek(r) == '.') {
		r->p++;
		if (digits(r) == 0)
			return bad(r, "not a number");
	}
	if (peek(r) == 'e' || peek(r) == 'E') {
		r->p++;
		if (peek(r) == '+' || peek(r) == '-')
			r->p++;
		if (digits(r) == 0)
			return bad(r, "not a number");
	}
	n = (size_t)(r->p - from);
	if (n >= sizeof(text))
		return bad(r, "a number too long");
	memcpy(text, from, n);
	text[n] = '\0';
	if (lua_stringtonumber(r->L, text) == 0)
		return bad(r, "not a number");
	return true;
}

static void
put(struct writer *w, const char *p, size_t n)
{
	char *more;

	if (n > w->size - w->n) {
		w->size = (w->n + n) * 2;
		more = lua_newuserdatauv(w->L, w->size, 0);
		memcpy(more, w->out, w->n);
		lua_replace(w->L, w->slot);
		w->out = more;
	}
	memcpy(w->out + w->n, p, n);
	w->n += n;
}

static int
j_encode(lua_State *L)
{
	struct writer w = { .L = L, .slot = 2, .size = 256 };

	luaL_checkany(L, 1);
	lua_settop(L, 1);
	w.out = lua_newuserdatauv(L, w.size, 0);
	write_value(&w, 1);
	state_charge(L, w.n / 16 + 1);
	(void)lua_pushlstring(L, w.out, w.n);
	return 1;
}

static void
write_string(struct writer *w, const char *s, size_t n)
{
	char text[8];
	size_t i, from = 0;

	put(w, "\"", 1);
	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c >= 32 && c != '"' && c != '\\' && c != 127)
			continue;
		put(w, s + from, i - from);
		(void)snprintf(text, sizeof(text), "\\u%04x", c);
		put(w, text, 6);
		from = i + 1;
	}
	put(w, s + from, n - from);
	put(w, "\"", 1);
}

static void
write_array(struct writer *w, int at)
{
	lua_Integer i, n = (lua_Integer)lua_rawlen(w->L, at);

	put(w, "[", 1);
	for (i = 1; i <= n; i++) {
		if (i > 1)
			put(w, ",", 1);
		(void)lua_rawgeti(w->L, at, i);
		write_value(w, lua_gettop(w->L));
		lua_pop(w->L, 1);
	}
	put(w, "]", 1);
}

static int
compare(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int r = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);

	return r != 0 ? r : (x->n > y->n) - (x->n < y->n);
}

static void
write_object(struct writer *w, int at)
{
	lua_State *L = w->L;
	struct key *key;
	size_t n = 0, i;

	for (lua_pushnil(L); lua_next(L, at) != 0; lua_pop(L, 1)) {
		state_charge(L, 2);
		if (lua_type(L, -2) != LUA_TSTRING)
			(void)luaL_error(L, "json.encode: a key is a %s",
			    luaL_typename(L, -2));
		state_charge(L, lua_rawlen(L, -2) / 8);
		n++;
	}
	key = lua_newuserdatauv(L, (n + 1) * sizeof(*key), 0);
	i = 0;
	for (lua_pushnil(L); lua_next(L, at) != 0; lua_pop(L, 1), i++)
		key[i].p = lua_tolstring(L, -2, &key[i].n);
	qsort(key, n, sizeof(*key), compare);
	put(w, "{", 1);
	for (i = 0; i < n; i++) {
		if (i > 0)
			put(w, ",", 1);
		write_string(w, key[i].p, key[i].n);
		put(w, ":", 1);
		(void)lua_pushlstring(L, key[i].p, key[i].n);
		(void)lua_rawget(L, at);
		write_value(w, lua_gettop(L));
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	put(w, "}", 1);
}

/* By json.array(). */
static bool
marked(lua_State *L, int at)
{
	bool is = false;

	if (lua_getmetatable(L, at) != 0) {
		(void)lua_rawgetp(L, LUA_REGISTRYINDEX, &array_key);
		is = lua_rawequal(L, -1, -2);
		lua_pop(L, 2);
	}
	return is;
}

bool
lib_is_list(lua_State *L, int at)
{
	return lua_rawlen(L, at) > 0 || marked(L, at);
}

static void
write_number(struct writer *w, int at)
{
	char text[NUMBER_LONGEST];
	lua_Number v = lua_tonumber(w->L, at);

	if (lua_isinteger(w->L, at)) {
		(void)snprintf(text, sizeof(text), "%lld",
		    (long long)lua_tointeger(w->L, at));
	} else {
		if (!isfinite(v))
			(void)luaL_error(w->L, "json.encode: not a number");
		(void)snprintf(text, sizeof(text), "%.14g", v);
		if (strtod(text, NULL) < v || strtod(text, NULL) > v)
			(void)snprintf(text, sizeof(text), "%.17g", v);
	}
	put(w, text, strlen(text));
}

static void
write_value(struct writer *w, int at)
{
	lua_State *L = w->L;
	size_t n;
	const char *s;

	luaL_checkstack(L, 6, NULL);
	state_charge(L, 1);
	switch (lua_type(L, at)) {
	case LUA_TSTRING:
		s = lua_tolstring(L, at, &n);
		write_string(w, s, n);
		return;
	case LUA_TNUMBER:
		write_number(w, at);
		return;
	case LUA_TBOOLEAN:
		s = lua_toboolean(L, at) ? "true" : "false";
		put(w, s, strlen(s));
		return;
	case LUA_TTABLE:
		if (w->depth == DEPTH)
			(void)luaL_error(L, "json.encode: too deep");
		w->depth++;
		if (lib_is_list(L, at))
			write_array(w, at);
		else
			write_object(w, at);
		w->depth--;
		return;
	default:
		if (!lua_isnil(L, at) && lua_touserdata(L, at) != &null_key)
			(void)luaL_error(L, "json.encode: a %s has no JSON",
			    luaL_typename(L, at));
		put(w, "null", 4);
	}
}

/* Globals, libraries and objects keep their metatables: they protect them. */
static int
j_array(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	if (!marked(L, 1) &&
	    luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
		return luaL_error(L, "json.array: the table is protected");
	(void)lua_rawgetp(L, LUA_REGISTRYINDEX, &array_key);
	(void)lua_setmetatable(L, 1);
	return 1;
}
