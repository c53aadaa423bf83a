/*
 * Patterns do what Lua's do, whatever the pattern, and cost what they take.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "try.h"

/* Lua as it is, beside ours. */
static lua_State *
stock(void)
{
	lua_State *L = luaL_newstate();

	ck_assert_ptr_nonnull(L);
	luaL_openlibs(L);
	return L;
}

/* Runs the text in both; what ours says is what stock Lua says. */
static void
compare(struct state *s, lua_State *L, const char *text)
{
	const char *got = try_script(s, text), *want;
	size_t n;

	ck_assert_int_eq(luaL_loadbuffer(L, text, strlen(text), "@t.lua"),
	    LUA_OK);
	ck_assert_int_eq(lua_pcall(L, 0, 1, 0), LUA_OK);
	want = lua_tolstring(L, -1, &n);
	ck_assert_int_eq(strncmp(got, "ok ", 3), 0);
	ck_assert_msg(strcmp(got + 3, want) == 0, "%s\nours  %s\nLua's %s",
	    text, got + 3, want);
	lua_settop(L, 0);
}

/* Given s and p: all that the four functions make of them, as one line. */
#define ALL                                                                    \
	"local out = {} local function show(...) local t = table.pack(...) "   \
	"for i = 1, t.n do out[#out + 1] = tostring(t[i]) end "                \
	"out[#out + 1] = ';' end "                                             \
	"local function all(s, p) "                                            \
	"show(pcall(string.find, s, p)) show(pcall(string.find, s, p, 2)) "    \
	"show(pcall(string.find, s, p, -2)) show(pcall(string.match, s, p)) "  \
	"show(pcall(string.match, s, p, 3)) "                                  \
	"show(pcall(function() local t = {} for a, b in s:gmatch(p) do "       \
	"t[#t + 1] = tostring(a) .. ',' .. tostring(b) if #t > 50 then "       \
	"break end end return table.concat(t, '|') end)) "                     \
	"show(pcall(string.gsub, s, p, '<%0>')) "                              \
	"show(pcall(string.gsub, s, p, '%1%%', 2)) "                           \
	"show(pcall(string.gsub, s, p, { a = 1, b = false, [1] = 'one' })) "   \
	"show(pcall(string.gsub, s, p, function(a, b) "                        \
	"return b or a ~= 'a' and '(' .. tostring(a) .. ')' end)) end "

static const char *const patterns[] = { "", "a", "^a", "a$", "^$", "$", ".",
	".*", ".-", ".+", "a*", "a-b", "(a)(b)", "()", "(())", "a?b?", "%a+",
	"%A+", "%d", "%D", "%l+", "%L", "%s*", "%S+", "%u", "%U", "%w+", "%W",
	"%x+", "%X", "%p", "%P", "%c", "%C", "%g+", "%G", "%z", "%Z", "[a-c]+",
	"[^a-c]+", "[]]", "[^]]", "[%]]", "[a%-c]", "[a-]", "[-a]", "[%a_]+",
	"[%w%.]+", "[a-%%]", "[z-a]", "%b()", "%b(", "%b", "%bxx", "%f[%w]%w+",
	"%f[^%w]", "%f", "%fa", "(a*(.)%w(%s*))", "(.)%1", "(%a)%1+", "%1",
	"(%1)", "%2", "%0", "(a", "a)", ")", "(", "%", "a%", "[", "[a", "[]",
	"[^", "[%", "[a-", "a**", "*", "+", "?", "-", "^*", "^^", "a^", "a$b",
	"(.-)$", "((a)|(b))", "[[:alpha:]]", "%.", "%%", "%q", "%-", "(a)-",
	"(a)?", "^(.-)(b*)$", "\\0", "[\\0]", "a\\0b", "[%z]", "\\255",
	"[\\128-\\255]",
	"^%s*(.-)%s*$", "%w+@%w+%.%w+", "(%w+)=(%w+)", ".-b.-a", "[%f]", "%f[a",
	"(((((((((((((((((((((((((((((((((.)))))))))))))))))))))))))))))))))",
	"a?a?a?a?aaaa", "(.)(.)(.)(.)%4%3%2%1", "%g-%s", "()a()" };

static const char *const subjects[] = { "", "a", "b", "ab", "aab", "abc abc",
	"hello world from Lua", "THE (quick) fox", "  trim me  ", "((a)(b))",
	"(unbalanced", "a=1, b=2", "user@example.com, x@y.z", "aabbccddcc",
	"abccba", "a.b.c", "[x]", "]", "%d", "a\\0b\\0c",
	"\\228\\246\\252x", "$a^",
	"line\\nline\\r\\n\\ttab", "_under-score", "xxx", "12 0xff" };

START_TEST(every_pattern_does_what_it_does_in_lua)
{
	struct state *s = try_new();
	lua_State *L = stock();
	char text[8192];
	size_t i;

	for (i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		(void)snprintf(text, sizeof(text), "%s all(\"%s\", \"%s\") "
		    "return table.concat(out, ' ')", ALL, subjects[i],
		    patterns[_i]);
		compare(s, L, text);
	}
	lua_close(L);
	state_destroy(&s);
}
END_TEST

/* Of small alphabets, so that they match now and then. */
START_TEST(patterns_by_chance_do_what_they_do_in_lua)
{
	static const char text[] =
	    "local function any(n) seed = (seed * 1103515245 + "
	    "12345) % 2147483648 return seed // 65536 % n + 1 end "
	    "local pa = { 'a', 'b', '.', '*', '-', '?', '+', '%', '(', ')', "
	    "'[', ']', '^', '$', '%a', '%b', '%f', '1', '()', '[^', "
	    "'%w', 'ab', '[ab]' } "
	    "local sa = { 'a', 'b', 'c', '1', ' ', '(', ')', 'ab', '-' } "
	    "for i = 1, 20 do local p, s = '', '' "
	    "for j = 1, any(7) do p = p .. pa[any(#pa)] end "
	    "for j = 1, any(9) do s = s .. sa[any(#sa)] end "
	    "out[#out + 1] = '{' .. p .. ' ON ' .. s .. '}' all(s, p) end "
	    "return table.concat(out, ' ')";
	struct state *s = try_new();
	lua_State *L = stock();
	char with[8192];
	int i;

	for (i = 0; i < 150; i++) {
		(void)snprintf(with, sizeof(with), "local seed = %d %s %s",
		    _i * 1000 + i, ALL, text);
		compare(s, L, with);
	}
	lua_close(L);
	state_destroy(&s);
}
END_TEST

struct script {
	const char *text, *want;
};

static const struct script cases[] = {
	/* policy.md: with n = 24 stock Lua does not end in a minute. */
	{ "local n = 24 return (('a'):rep(n)):find(('a-'):rep(n) .. 'b')",
	  "limit t.lua:1: more than 1000000 instructions" },
	{ "local n = 60 while true do pcall(string.find, ('a'):rep(n), "
	  "('a-'):rep(n) .. 'b') end",
	  "limit t.lua:1: more than 1000000 instructions" },
	{ "local n = 30 return (('a'):rep(n)):gsub(('a?'):rep(n) .. "
	  "('a'):rep(n) .. 'b', 'x')",
	  "limit t.lua:1: more than 1000000 instructions" },
	{ "local s = ('a'):rep(60000) for i = 1, 1e9 do s:find('.-b') end",
	  "limit t.lua:1: more than 1000000 instructions" },
	{ "local s = ('a'):rep(60000) for i = 1, 1e9 do s:find('[' .. "
	  "('b'):rep(60000) .. ']') end",
	  "limit t.lua:1: more than 1000000 instructions" },
	{ "local s = ('('):rep(60000) for i = 1, 1e9 do s:find('%b()') end",
	  "limit t.lua:1: more than 1000000 instructions" },
	{ "for w in ('a'):rep(60000):gmatch('.-.-.-b') do end",
	  "limit t.lua:1: more than 1000000 instructions" },
	{ "return #('a'):rep(65536):match('^.*$')", "ok 65536" },
	{ "return ('a'):rep(65537):match('.')", "error t.lua:1: a subject of "
	  "65537 octets: patterns take 65536" },
	{ "return ('a'):find(('.'):rep(65537))", "error t.lua:1: a pattern of "
	  "65537 octets: patterns take 65536" },
	{ "return (('a'):rep(100000) .. 'b'):find('b')", "ok 100001 100001" },
	{ "return (('a'):rep(100000) .. '.b'):find('.b', 1, true)",
	  "ok 100001 100002" },
	{ "return ('a'):rep(300):find(('a?'):rep(300))", "error t.lua:1: "
	  "pattern too complex" },
	{ "return ('abc'):gsub('%w', function(c) return c .. wait() end)",
	  "ok a1b2c3 3" },
	{ "return ('abc'):gsub('%w', setmetatable({ a = 'x' }, { __index = "
	  "function(_, k) return wait() end }))", "ok x12 3" },
	{ "return ('abc'):gsub('%w', setmetatable({}, { __index = { b = 1 } "
	  "}))", "ok a1c 3" },
	{ "return ('aaa'):gsub('a', function() return ('b'):rep(wait() * 100) "
	  "end):len()", "ok 600" },
	{ "return ('hello'):gsub('l', '%1%0%%')", "ok hell%ll%o 2" },
	{ "return ('x'):gsub('x', '%9')", "error t.lua:1: invalid capture "
	  "index %9" },
	{ "return ('x'):gsub('x', 'a%')", "error t.lua:1: invalid use of '%' "
	  "in replacement string" },
	{ "return ('x'):gsub('x', function() return {} end)", "error t.lua:1: "
	  "invalid replacement value (a table)" },
	{ "return ('x'):gsub('x', true)", "error t.lua:1: bad argument #2 to "
	  "'gsub' (string/function/table expected, got boolean)" },
	{ "return ('x'):gsub('x', function() error('in', 0) end)",
	  "error t.lua:1: in" },
	{ "return pcall(string.gsub, 'x', 'x', function() while true do end "
	  "end)", "limit t.lua:1: more than 1000000 instructions" },
	{ "return ('x'):rep(3, ','), ('%5.1f|%q'):format(2.25, 'a\"')",
	  "ok x,x,x   2.2|\"a\\\"\"" },
};

START_TEST(strings_cost_what_they_take)
{
	struct state *s = try_new();

	state_seal(s);
	ck_assert_str_eq(try_script(s, cases[_i].text), cases[_i].want);
	state_destroy(&s);
}
END_TEST

UNIT_SUITE(strlib)
{
	tcase_add_loop_test(tc, every_pattern_does_what_it_does_in_lua, 0,
	    sizeof(patterns) / sizeof(patterns[0]));
	tcase_add_loop_test(tc, patterns_by_chance_do_what_they_do_in_lua, 0,
	    10);
	tcase_add_loop_test(tc, strings_cost_what_they_take, 0,
	    sizeof(cases) / sizeof(cases[0]));
}
