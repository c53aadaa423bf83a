/*
 * re: regular expressions (PCRE2, of octets unless flag u says UTF-8).
 *
 *   re.match(p, s[, flags])   captures, or the match if there are none; nil
 *   re.find(p, s[, flags])    begin, end, captures; nil
 *   re.gmatch(p, s[, flags])  for a loop
 *   re.gsub(p, s, repl[, flags])  as string.gsub: text with %0 to %9, a table
 *                             or a function
 *   re.quote(s)               s as an expression that matches it
 *
 * A group that took no part is nil. Flags: i, m, s, x as in Perl, and u.
 *
 * What a match does cannot be counted while it goes on. So it gets a small
 * limit first, pays, and gets ten times as much when that was too little; and
 * it pays for its time. What PCRE2 takes counts as memory of event and state:
 * expressions, which are kept until there are too many or too little is left,
 * and what a match needs, at most 1 MB, which all share.
 */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "lib.h"

#include <ctype.h>
#include <pcre2.h>
#include <string.h>
#include <time.h>

#include <lauxlib.h>

#include "state.h"
#include "subst.h"

#define EXPRESSION_LONGEST 4096
#define CACHED_MAX	   200
#define LIMIT_FIRST	   1000
#define LIMIT_MOST	   10000000
#define LIMIT_A_STEP	   10 /* matching is that much cheaper */
#define HEAP_KILOBYTES	   1024

/* A compiled expression, a userdata. */
struct re {
	pcre2_code *code;
	struct work *work;
	unsigned groups;
};

/* What matches work with, one after the other; a userdata of the registry. */
struct work {
	pcre2_general_context *memory;
	pcre2_compile_context *compile;
	pcre2_match_context *limits;
	pcre2_match_data *found; /* what it grew by stays */
};

/* In the registry: expressions by flags and text; how many. */
static const char cache_key, count_key, meta_key, work_key;

static int r_match(lua_State *);
static int r_find(lua_State *);
static int r_gmatch(lua_State *);
static int r_gsub(lua_State *);
static int r_quote(lua_State *);
static int re_free(lua_State *);
static int work_free(lua_State *);
static void work_new(lua_State *);
static void forget_all(lua_State *);
static void begin(lua_State *, struct pattern *, int, int);
static const char *
next(lua_State *, struct pattern *, const char **, const char *, bool);
static void end(lua_State *, struct pattern *);

static const struct subst_how how = { begin, next, end };

static const luaL_Reg own[] = {
	{ "find", r_find },
	{ "gmatch", r_gmatch },
	{ "gsub", r_gsub },
	{ "match", r_match },
	{ "quote", r_quote },
	{ NULL, NULL },
};

void
relib_open(lua_State *L)
{
	lua_newtable(L);
	lua_pushcfunction(L, re_free);
	lua_setfield(L, -2, "__gc");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &meta_key);
	work_new(L);
	forget_all(L);
	luaL_newlib(L, own);
	state_library(L, "re");
}

static int
re_free(lua_State *L)
{
	struct re *re = lua_touserdata(L, 1);

	pcre2_code_free(re->code);
	*re = (struct re){ 0 };
	return 0;
}

static int
work_free(lua_State *L)
{
	struct work *w = lua_touserdata(L, 1);

	pcre2_match_data_free(w->found);
	pcre2_match_context_free(w->limits);
	pcre2_compile_context_free(w->compile);
	pcre2_general_context_free(w->memory);
	*w = (struct work){ 0 };
	return 0;
}

static void
work_new(lua_State *L)
{
	struct work *w = lua_newuserdatauv(L, sizeof(*w), 0);

	*w = (struct work){ 0 };
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, work_free);
	lua_setfield(L, -2, "__gc");
	(void)lua_setmetatable(L, -2);
	w->memory = pcre2_general_context_create(state_take, state_give,
	    state_of(L));
	if (w->memory != NULL) {
		w->compile = pcre2_compile_context_create(w->memory);
		w->limits = pcre2_match_context_create(w->memory);
		w->found = pcre2_match_data_create(PATTERN_CAPTURES + 1,
		    w->memory);
	}
	if (w->compile == NULL || w->limits == NULL || w->found == NULL)
		(void)luaL_error(L, "re: no memory");
	(void)pcre2_set_heap_limit(w->limits, HEAP_KILOBYTES);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &work_key);
}

/* Expressions that nobody else has go with the next collection. */
static void
forget_all(lua_State *L)
{
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &cache_key);
	lua_pushinteger(L, 0);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &count_key);
}

static pcre2_code *
try_compile(lua_State *L, const struct work *w, const char *p, size_t n,
    uint32_t o)
{
	PCRE2_UCHAR text[128];
	pcre2_code *code;
	PCRE2_SIZE at;
	int e;

	code = pcre2_compile((PCRE2_SPTR)p, n, o, &e, &at, w->compile);
	if (code == NULL && e != PCRE2_ERROR_HEAP_FAILED) {
		(void)pcre2_get_error_message(e, text, sizeof(text));
		(void)luaL_error(L, "re: %s at octet %I", (const char *)text,
		    (lua_Integer)at + 1);
	}
	return code;
}

static uint32_t
options(lua_State *L, const char *flags)
{
	uint32_t o = PCRE2_NEVER_BACKSLASH_C;

	for (; *flags != '\0'; flags++) {
		switch (*flags) {
		case 'i':
			o |= PCRE2_CASELESS;
			break;
		case 'm':
			o |= PCRE2_MULTILINE;
			break;
		case 's':
			o |= PCRE2_DOTALL;
			break;
		case 'x':
			o |= PCRE2_EXTENDED;
			break;
		case 'u':
			o |= PCRE2_UTF | PCRE2_UCP;
			break;
		default:
			(void)luaL_error(L, "re: '%c' is no flag", *flags);
		}
	}
	return o;
}

/* Pushes the compiled expression; what goes wrong raises. */
static void
compile(lua_State *L, const char *p, size_t n, const char *flags)
{
	uint32_t o = options(L, flags), groups = 0;
	size_t size = 0;
	struct re *re;

	if (n > EXPRESSION_LONGEST)
		(void)luaL_error(L,
		    "re: an expression of %I octets, %d are "
		    "the most",
		    (lua_Integer)n, EXPRESSION_LONGEST);
	state_charge(L, n * 4 + 100);
	re = lua_newuserdatauv(L, sizeof(*re), 0);
	*re = (struct re){ 0 };
	(void)lua_rawgetp(L, LUA_REGISTRYINDEX, &work_key);
	re->work = lua_touserdata(L, -1);
	lua_pop(L, 1);
	(void)lua_rawgetp(L, LUA_REGISTRYINDEX, &meta_key);
	(void)lua_setmetatable(L, -2);
	re->code = try_compile(L, re->work, p, n, o);
	if (re->code == NULL) {
		forget_all(L);
		(void)lua_gc(L, LUA_GCCOLLECT);
		re->code = try_compile(L, re->work, p, n, o);
	}
	if (re->code == NULL)
		(void)state_full(L);
	(void)pcre2_pattern_info(re->code, PCRE2_INFO_SIZE, &size);
	state_charge(L, size / 16);
	(void)pcre2_pattern_info(re->code, PCRE2_INFO_CAPTURECOUNT, &groups);
	if (groups > PATTERN_CAPTURES)
		(void)luaL_error(L, "re: %d groups, %d are the most",
		    (int)groups, PATTERN_CAPTURES);
	re->groups = groups;
}

/* The expression and flags at these places; the first is replaced by what is
 * compiled. Strangers' texts in expressions cannot fill the cache: it begins
 * anew. */
static void
prepare(lua_State *L, int pattern, int flags)
{
	size_t n;
	const char *p = luaL_checklstring(L, pattern, &n);
	const char *f = luaL_optstring(L, flags, "");
	lua_Integer count;

	(void)lua_pushfstring(L, "%s/", f);
	lua_pushvalue(L, pattern);
	lua_concat(L, 2);
	(void)lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key);
	lua_pushvalue(L, -2);
	if (lua_rawget(L, -2) == LUA_TNIL) {
		lua_pop(L, 1);
		(void)lua_rawgetp(L, LUA_REGISTRYINDEX, &count_key);
		count = lua_tointeger(L, -1) + 1;
		lua_pop(L, 1);
		compile(L, p, n, f);
		if (count > CACHED_MAX) {
			count = 1;
			forget_all(L);
		}
		/* compile() may have forgotten all, too */
		(void)lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key);
		lua_replace(L, -3);
		lua_pushvalue(L, -3);
		lua_pushvalue(L, -2);
		lua_rawset(L, -4);
		lua_pushinteger(L, count);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &count_key);
	}
	lua_replace(L, pattern);
	lua_pop(L, 2);
}

static void
begin(lua_State *L, struct pattern *m, int subject, int pattern)
{
	size_t n, most = state_limits(state_of(L))->subject;
	const char *s = luaL_checklstring(L, subject, &n);

	if (n > most)
		(void)luaL_error(L,
		    "a subject of %I octets: expressions "
		    "take %I",
		    (lua_Integer)n, (lua_Integer)most);
	pattern_init(m, s, n, "", 0);
	m->arg = lua_touserdata(L, pattern);
}

static void
end(lua_State *L, struct pattern *m)
{
	state_charge(L, 1);
}

static uint64_t
microseconds(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0)
		return 0;
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

/* What pcre2_match() says, under one limit after the other. */
static int
match(lua_State *L, const struct re *re, const struct pattern *m,
    const char *at, uint32_t o)
{
	size_t n = (size_t)(m->end - m->subject);
	uint64_t since = microseconds();
	uint32_t limit;
	int r;

	for (limit = LIMIT_FIRST;; limit *= 10) {
		(void)pcre2_set_match_limit(re->work->limits, limit);
		r = pcre2_match(re->code, (PCRE2_SPTR)m->subject, n,
		    (size_t)(at - m->subject), o | PCRE2_NO_JIT,
		    re->work->found, re->work->limits);
		if (r != PCRE2_ERROR_MATCHLIMIT)
			break;
		state_charge(L, limit / LIMIT_A_STEP);
		if (limit == LIMIT_MOST)
			break;
	}
	state_charge(
	    L, (uint64_t)(m->end - at) / 16 + 5 + microseconds() - since);
	return r;
}

static const char *
next(lua_State *L, struct pattern *m, const char **at, const char *last,
    bool once)
{
	const struct re *re = m->arg;
	PCRE2_UCHAR text[128];
	const PCRE2_SIZE *v;
	unsigned i;
	int r;

	r = match(L, re, m, *at, *at == last ? PCRE2_NOTEMPTY_ATSTART : 0);
	if (r == PCRE2_ERROR_NOMATCH)
		return NULL;
	if (r == PCRE2_ERROR_NOMEMORY)
		(void)state_full(L);
	if (r < 0) {
		(void)pcre2_get_error_message(r, text, sizeof(text));
		(void)luaL_error(L, "re: %s", (const char *)text);
	}
	v = pcre2_get_ovector_pointer(re->work->found);
	if (v[0] > v[1])
		(void)luaL_error(L, "re: \\K in an assertion");
	m->captures = re->groups;
	for (i = 0; i < re->groups; i++) {
		m->capture[i].at =
		    m->subject +
		    (v[2 * i + 2] == PCRE2_UNSET ? 0 : v[2 * i + 2]);
		m->capture[i].len =
		    v[2 * i + 2] == PCRE2_UNSET
			? PATTERN_UNSET
			: (ptrdiff_t)(v[2 * i + 3] - v[2 * i + 2]);
	}
	*at = m->subject + v[0];
	return m->subject + v[1];
}

/* Expression, subject, flags are the arguments. NULL: nil is pushed. */
static const char *
first(lua_State *L, struct pattern *m, const char **from)
{
	const char *to;

	lua_settop(L, 3);
	(void)luaL_checkstring(L, 2);
	prepare(L, 1, 3);
	begin(L, m, 2, 1);
	*from = m->subject;
	to = next(L, m, from, NULL, false);
	if (to == NULL)
		lua_pushnil(L);
	return to;
}

static int
r_match(lua_State *L)
{
	struct pattern m;
	const char *from, *to = first(L, &m, &from);

	return to == NULL ? 1 : subst_captures(L, &m, from, to);
}

static int
r_find(lua_State *L)
{
	struct pattern m;
	const char *from, *to = first(L, &m, &from);

	if (to == NULL)
		return 1;
	lua_pushinteger(L, from - m.subject + 1);
	lua_pushinteger(L, to - m.subject);
	return 2 + subst_captures(L, &m, NULL, NULL);
}

/* The expression comes first for us, and second for subst. */
static void
swap(lua_State *L)
{
	lua_pushvalue(L, 1);
	lua_copy(L, 2, 1);
	lua_replace(L, 2);
}

static int
r_gmatch(lua_State *L)
{
	lua_settop(L, 3);
	(void)luaL_checkstring(L, 2);
	prepare(L, 1, 3);
	lua_pushinteger(L, 0);
	lua_replace(L, 3);
	swap(L);
	return subst_gmatch(L, &how);
}

static int
r_gsub(lua_State *L)
{
	lua_settop(L, 4);
	(void)luaL_checkstring(L, 2);
	prepare(L, 1, 4);
	lua_settop(L, 3);
	swap(L);
	return subst_gsub(L, &how, false, LUA_MAXINTEGER);
}

static int
r_quote(lua_State *L)
{
	size_t n, i;
	const char *s = luaL_checklstring(L, 1, &n);
	luaL_Buffer b;

	state_charge(L, n / 8 + 1);
	luaL_buffinit(L, &b);
	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '\0') {
			luaL_addstring(&b, "\\x00");
			continue;
		}
		if (c < 128 && !isalnum(c) && c != '_')
			luaL_addchar(&b, '\\');
		luaL_addchar(&b, (char)c);
	}
	luaL_pushresult(&b);
	return 1;
}
