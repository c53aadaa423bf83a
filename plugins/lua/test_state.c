/*
 * Limits hold whatever a script does, and errors say where.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>

#include "try.h"

struct script {
	const char *text, *want;
};

static void
expect(const struct script *t)
{
	struct state *s = try_new();

	state_seal(s);
	ck_assert_str_eq(try_script(s, t->text), t->want);
	state_destroy(&s);
}

#define STEPS "more than 1000000 instructions"
#define OCTETS "more than 8388608 octets of memory for one event"

/* Each ends by its limit, in a time that no test would wait for otherwise. */
static const struct script endless[] = {
	{ "while true do end", "limit t.lua:1: " STEPS },
	{ "local x = 0\nwhile true do\nx = x + 1 end", "" },
	{ "while true do pcall(function() while true do end end) end", "" },
	{ "while true do try(function() while true do end end) end", "" },
	{ "xpcall(function() while true do end end, function() return 1 end)"
	  " return 'went on'", "" },
	{ "return xpcall(error, function() while true do end end)", "" },
	{ "return xpcall(error, function() error('again') end)",
	  "ok false t.lua:1: again" },
	{ "local e = setmetatable({}, { __tostring = function()"
	  " while true do end end }) error(e)",
	  "error t.lua:1: (error object is a table value)" },
	{ "local e = setmetatable({}, { __tostring = function()"
	  " while true do end end }) tostring(e)", "" },
	{ "local ok, e = pcall(error, { code = 7 }) return ok, e.code",
	  "ok false 7" },
	{ "local c <close> = setmetatable({}, { __close = function()"
	  " while true do end end })", "" },
	{ "pcall(function() local c <close> = setmetatable({}, { __close ="
	  " function() while true do end end }) while true do end end)"
	  " return 'went on'", "" },
	{ "for _ in function() while true do end end do end", "" },
	{ "for _ in pairs(setmetatable({}, { __pairs = function()"
	  " while true do end end })) do end", "" },
	{ "local t = setmetatable({}, { __index = function(t, k)"
	  " while true do end end }) return pcall(function() return t.x end)",
	  "" },
	{ "local function f() return f() end f()", "" },
	{ "return setmetatable({}, { __gc = function() end })",
	  "error t.lua:1: __gc cannot be had here" },
	{ "local m = {} setmetatable({}, m) m.__gc = function() while true do"
	  " end end for i = 1, 1e4 do setmetatable({}, m) end",
	  "error t.lua:1: __gc cannot be had here" },
	/* What no count of instructions shows. */
	{ "local a, b = ('x'):rep(3e6) .. 'y', ('x'):rep(3e6) .. 'y'\n"
	  "local n = 0 while a == b do n = n + 1 end", "" },
	{ "local a = ('x'):rep(2e6) while true do local b = a .. 'x' end", "" },
	{ "local a = ('x'):rep(2e6) while true do local b = a:upper() end",
	  "" },
	{ "while true do local b = ('x'):rep(4e6) end", "" },
	/* Memory. */
	{ "local t = {} for i = 1, 1e9 do t[i] = i end",
	  "limit t.lua:1: " OCTETS },
	{ "return ('x'):rep(1e9)", "limit t.lua:1: " OCTETS },
	{ "pcall(string.rep, 'x', 1e9) return 'went on'", "" },
	{ "local t = {} while true do pcall(function() while true do\n"
	  "t[#t + 1] = { 1, 2, 3 } end end) end", "" },
	{ "local s = 'x' while true do s = s .. s end",
	  "limit t.lua:1: " OCTETS },
	{ "local function f() local c <close> = setmetatable({}, { __close ="
	  " function() local t = {} end }) return 1 + f() end f()", "" },
	{ "local function f() return 1 + f() end f()", "" },
	{ "local function f() return pcall(f) end return f()",
	  NULL },
	{ "local t = setmetatable({}, {}) getmetatable(t).__index ="
	  " function(t, k) return t[k] end return pcall(function()"
	  " return t.x end)", NULL },
};

START_TEST(no_script_goes_on_for_ever)
{
	const struct script *t = &endless[_i];
	struct state *s = try_new();
	const char *got;

	state_seal(s);
	got = try_script(s, t->text);
	if (t->want == NULL)
		ck_assert_str_ne(got, "");
	else if (t->want[0] == '\0')
		ck_assert_msg(strncmp(got, "limit t.lua:", 12) == 0, "%s: %s",
		    t->text, got);
	else
		ck_assert_str_eq(got, t->want);
	/* The state is as good as before. */
	ck_assert_str_eq(try_script(s, "return 1 + 1"), "ok 2");
	ck_assert_str_eq(try_script(s, "while true do end"),
	    "limit t.lua:1: " STEPS);
	state_destroy(&s);
}
END_TEST

static const struct script plain[] = {
	{ "return 1, 'a', nil, true", "ok 1 a nil true" },
	{ "error('no')", "error t.lua:1: no" },
	{ "\n\nerror('no')", "error t.lua:3: no" },
	{ "error('no', 0)", "error t.lua:1: no" },
	{ "local x = nil + 1", "error t.lua:1: attempt to perform arithmetic "
	  "on a nil value" },
	{ "return pcall(error, 'x', 0)", "ok false x" },
	{ "return try(error, 'x', 0)", "ok nil x" },
	{ "return try(function(...) return ... end, 1, 2)", "ok 1 2" },
	{ "return try(function() end)", "ok" },
	{ "return pcall(function(...) return ... end, 1, nil)",
	  "ok true 1 nil" },
	{ "return pcall()", "error t.lua:1: bad argument #1 to 'pcall' (value "
	  "expected)" },
	{ "return xpcall(function(...) return ... end, type, 1, 2)",
	  "ok true 1 2" },
	{ "return xpcall(error, function(e) return e .. '!' end, 'x', 0)",
	  "ok false x!" },
	{ "return wait(5)", "ok 1" },
	{ "return pcall(function() return wait(1), wait(2) end)",
	  "ok true 1 2" },
	{ "return try(function() wait() error('late', 0) end)", "ok nil late" },
	{ "return xpcall(function() wait() error('late', 0) end,"
	  " function(e) return e .. wait() end)", "ok false late2" },
	{ "local t = setmetatable({}, { __index = function(_, k)"
	  " return k .. wait() end }) return t.a, t.b", "ok a1 b2" },
	{ "local s = 0 for i in function(_, i) i = (i or 0) + wait()"
	  " if i < 9 then return i end end do s = s + i end return s",
	  "ok 10" },
	{ "local r do local c <close> = setmetatable({}, { __close ="
	  " function() r = wait() end }) end return r", "ok 1" },
	{ "return pcall(tostring, setmetatable({}, { __tostring = wait }))",
	  "ok false attempt to yield across a C-call boundary" },
	{ "return pcall(table.unpack, setmetatable({}, { __index = wait }), 1, "
	  "2)", "ok false attempt to yield across a C-call boundary" },
	{ "return pcall(function() for _ in ipairs(setmetatable({}, { __index ="
	  " wait })) do end end)",
	  "ok false attempt to yield across a C-call boundary" },
	{ "x = 1", "error t.lua:1: assignment to global 'x': use local, or a "
	  "note on msg/rcpt" },
	{ "\nfunction print() end", "error t.lua:2: assignment to global "
	  "'print': use local, or a note on msg/rcpt" },
	{ "pcall = nil", "error t.lua:1: assignment to global 'pcall': use "
	  "local, or a note on msg/rcpt" },
	{ "_G.x = 1", "error t.lua:1: assignment to global 'x': use local, or "
	  "a note on msg/rcpt" },
	{ "rawset(_G, 'x', 1)", "error t.lua:1: rawset: the table is "
	  "protected" },
	{ "string.x = 1", "error t.lua:1: assignment to 'string.x': libraries "
	  "cannot be changed" },
	{ "rawset(string, 'x', 1)", "error t.lua:1: rawset: the table is "
	  "protected" },
	{ "getmetatable('').__index = nil", "error t.lua:1: attempt to index a "
	  "boolean value" },
	{ "setmetatable(_G, {})", "error t.lua:1: cannot change a protected "
	  "metatable" },
	{ "return getmetatable(_G), getmetatable(math)", "ok false false" },
	{ "return rawset({}, 'a', 1).a", "ok 1" },
	{ "return load, loadfile, dofile, collectgarbage, coroutine, debug, io,"
	  " package, print, string.dump, os.execute, os.getenv, os.exit,"
	  " os.setlocale, warn", "ok nil nil nil nil nil nil nil nil nil nil "
	  "nil nil nil nil nil" },
	{ "return type(os.time()), type(os.clock()), type(os.date('*t').year),"
	  " os.date('!%Y', 0)", "ok number number number 1970" },
	{ "return math.max(1, 2), ('x'):upper(), utf8.char(228), #'abc'",
	  "ok 2 X \303\244 3" },
	{ "local n = 0 for k in pairs(math) do n = n + 1 end return n > 20",
	  "ok true" },
	{ "local n = 0 for k in pairs(_G) do n = n + 1 end return n > 15",
	  "ok true" },
	{ "local f = pairs(string) local k, v = f(nil, 'rep')"
	  " return type(f), rawget(string, 'rep')", "ok function nil" },
	{ "require('x')", "error t.lua:1: module 'x' must be required when the "
	  "policy is loaded, not by an event" },
};

START_TEST(a_script_does_what_it_says)
{
	expect(&plain[_i]);
}
END_TEST

START_TEST(a_long_script_pauses_after_each_slice)
{
	struct state *s = try_new();

	ck_assert_str_eq(try_script(s,
	    "local x = 0 for i = 1, 100000 do x = x + i end return x"),
	    "ok 5000050000");
	ck_assert_uint_ge(try_pauses, 20);
	ck_assert_uint_ge(try_used.instructions, 200000);
	ck_assert_str_eq(try_script(s, "return 1"), "ok 1");
	ck_assert_uint_eq(try_pauses, 0);
	/* Inside pcall and metamethods as well, with open calls on the way. */
	ck_assert_str_eq(try_script(s, "local function f(...) local x = 0 for "
	    "i = 1, 30000 do x = x + i end return x, ... end "
	    "local t = setmetatable({}, { __add = function(a, b) return (f())"
	    " end }) return select('#', f(f(1, 2))), pcall(f, t + t)"),
	    "ok 4 true 450015000 450015000");
	ck_assert_uint_ge(try_pauses, 4);
	state_destroy(&s);
}
END_TEST

START_TEST(what_the_last_event_did_is_forgotten)
{
	struct state *s = try_new();
	unsigned i;

	state_seal(s);
	for (i = 0; i < 300; i++) {
		ck_assert_str_eq(try_script(s, "local x = 0 for i = 1, 3000 do "
		    "x = x + 1 end return x"), "ok 3000");
		ck_assert_uint_lt(try_used.instructions, 20000);
		if (i % 3 == 0)
			(void)try_script(s, "error('x')");
		if (i % 50 == 0)
			(void)try_script(s, "local t = {} while true do "
			    "t[#t + 1] = {} end");
	}
	state_destroy(&s);
}
END_TEST

START_TEST(an_event_may_be_given_up_while_it_waits)
{
	static const char text[] = "local c <close> = setmetatable({}, "
	    "{ __close = function() while true do end end }) wait()";
	struct state *s = try_new();
	unsigned i;
	int n;

	for (i = 0; i < 1000; i++) {
		lua_State *co = state_thread(s, NULL);

		ck_assert_int_eq(luaL_loadstring(co, text), LUA_OK);
		ck_assert_int_eq(state_resume(s, co, 0, NULL, &n), RUN_YIELD);
		state_thread_free(s, &co);
	}
	ck_assert_str_eq(try_script(s, "return 1"), "ok 1");
	state_destroy(&s);
}
END_TEST

START_TEST(coroutines_of_one_event_share_its_account)
{
	static const char text[] = "for i = 1, 100000 do end wait() "
	    "while true do end";
	struct state *s = try_new();
	lua_State *first = state_thread(s, NULL);
	lua_State *second = state_thread(s, first);
	struct state_error e;
	enum run r;
	int n;

	ck_assert_int_eq(luaL_loadstring(first, text), LUA_OK);
	ck_assert_int_eq(luaL_loadstring(second, text), LUA_OK);
	while ((r = state_resume(s, first, 0, NULL, &n)) == RUN_PAUSE)
		;
	ck_assert_int_eq(r, RUN_YIELD);
	while ((r = state_resume(s, second, 0, NULL, &n)) == RUN_PAUSE)
		;
	ck_assert_int_eq(r, RUN_YIELD);
	ck_assert_uint_ge(state_used(first)->instructions, 200000);
	while ((r = state_resume(s, second, 0, NULL, &n)) == RUN_PAUSE)
		;
	ck_assert_int_eq(r, RUN_ERROR);
	/* The other one does not go on either. */
	ck_assert_int_eq(state_resume(s, first, 0, NULL, &n), RUN_ERROR);
	state_error(s, first, &e);
	ck_assert_str_eq(e.text, STEPS);
	ck_assert(e.limit);
	state_thread_free(s, &second);
	state_thread_free(s, &first);
	state_destroy(&s);
}
END_TEST

static int
do_fail(lua_State *L)
{
	return state_fail(L, "db: timed out");
}

static int
end(lua_State *L)
{
	return state_stop(L, "the deadline has passed");
}

static int
charge(lua_State *L)
{
	state_charge(L, (uint64_t)luaL_checkinteger(L, 1));
	return 0;
}

static const struct script hosts[] = {
	{ "\nfail()", "error t.lua:2: db: timed out" },
	{ "\nreturn pcall(fail)", "ok false t.lua:2: db: timed out" },
	{ "\nreturn try(fail)", "ok nil t.lua:2: db: timed out" },
	{ "finish()", "limit t.lua:1: the deadline has passed" },
	{ "\nwhile true do pcall(finish) end",
	  "limit t.lua:2: the deadline has passed" },
	{ "charge(900000) return 1", "ok 1" },
	{ "for i = 1, 10 do\ncharge(100001) end return 1",
	  "limit t.lua:2: " STEPS },
	{ "try(charge, 1e6) try(charge, 1e6) return 1",
	  "limit t.lua:1: " STEPS },
};

START_TEST(the_host_fails_ends_and_charges)
{
	struct state *s = try_new();
	lua_State *L = state_lua(s);

	lua_register(L, "fail", do_fail);
	lua_register(L, "finish", end);
	lua_register(L, "charge", charge);
	ck_assert_str_eq(try_script(s, hosts[_i].text), hosts[_i].want);
	state_destroy(&s);
}
END_TEST

START_TEST(an_error_has_its_place_and_a_traceback)
{
	static const char text[] = "local function inner()\n  error('no')\n"
	    "end\nlocal function outer()\n  inner() return 1\nend\n"
	    "outer() return 1";
	struct state *s = try_new();
	lua_State *co = state_thread(s, NULL);
	struct state_error e;
	int n;

	ck_assert_int_eq(luaL_loadbufferx(co, text, strlen(text), "@p.lua",
	    "t"), LUA_OK);
	ck_assert_int_eq(state_resume(s, co, 0, NULL, &n), RUN_ERROR);
	state_error(s, co, &e);
	ck_assert_str_eq(e.place, "p.lua:2");
	ck_assert_str_eq(e.text, "no");
	ck_assert(!e.limit);
	ck_assert_str_eq(e.traceback, "[C]: in global 'error'\n"
	    "p.lua:2: in upvalue 'inner'\np.lua:5: in local 'outer'\n"
	    "p.lua:7: in main chunk");
	state_thread_free(s, &co);
	state_destroy(&s);
}
END_TEST

static void
put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static const struct script modules[] = {
	{ "local m = require 'one' assert(m.v == 1) assert(require 'one' == m)",
	  "" },
	{ "assert(require 'sub.two' == 2)", "" },
	{ "assert(require 'nothing' == true) g = 1", "" },
	{ "require 'link'", "" },
	{ "require 'out'", "p.lua:1: module 'out': out.lua: it is not below "
	  "the policy's folder" },
	{ "require 'outdir.x'", "p.lua:1: module 'outdir.x': outdir/x.lua: it "
	  "is not below the policy's folder" },
	{ "require '../x'", "p.lua:1: require: '../x' is no name of a module: "
	  "letters, digits, _ and -, parts by dots" },
	{ "require '..x'", "p.lua:1: require: '..x' is no name of a module: "
	  "letters, digits, _ and -, parts by dots" },
	{ "require '/etc/x'", "p.lua:1: require: '/etc/x' is no name of a "
	  "module: letters, digits, _ and -, parts by dots" },
	{ "require ''", "p.lua:1: require: '' is no name of a module: "
	  "letters, digits, _ and -, parts by dots" },
	{ "require 'one\\0.x'", "p.lua:1: bad argument #1 to 'require' (no "
	  "name)" },
	{ "require 'gone'", "p.lua:1: module 'gone': gone.lua: No such file or "
	  "directory" },
	{ "require 'sub'", "p.lua:1: module 'sub': sub.lua: not a file, or "
	  "larger than 1 MB" },
	{ "require 'self'", "self.lua:1: module 'self' requires itself" },
	{ "require 'bad'", "bad.lua:2: unexpected symbol near '='" },
	{ "require 'bin'", "p.lua:1: attempt to load a binary chunk (mode is "
	  "'t')" },
	{ "require 'loop'", "loop.lua:1: more than 100000000 instructions" },
	{ "wait()", "p.lua:1: a script cannot wait while it is loaded" },
	{ "x = = 1", "p.lua:1: unexpected symbol near '='" },
};

START_TEST(modules_come_from_the_folder_of_the_policy)
{
	static const struct state_limits limits = TRY_LIMITS;
	static const char *const made[] = { "x.lua", "dir", "dir/sub",
		"dir/sub.lua", "dir/one.lua", "dir/sub/two.lua",
		"dir/nothing.lua", "dir/self.lua", "dir/bad.lua", "dir/bin.lua",
		"dir/loop.lua", "dir/link.lua", "dir/out.lua", "dir/outdir" };
	const struct script *t = &modules[_i];
	char base[] = "state-XXXXXX", why[512] = "";
	struct state *s;
	bool fails = t->want[0] != '\0';
	size_t n;

	ck_assert_ptr_nonnull(mkdtemp(base));
	ck_assert_int_eq(chdir(base), 0);
	ck_assert_int_eq(mkdir("dir", 0700), 0);
	ck_assert_int_eq(mkdir("dir/sub", 0700), 0);
	ck_assert_int_eq(mkdir("dir/sub.lua", 0700), 0);
	put("x.lua", "return 1");
	put("dir/one.lua", "return { v = 1 }");
	put("dir/sub/two.lua", "return 2");
	put("dir/nothing.lua", "");
	put("dir/self.lua", "require 'self'");
	put("dir/bad.lua", "\nx = = 1");
	put("dir/bin.lua", "\33LuaT");
	put("dir/loop.lua", "while true do end");
	ck_assert_int_eq(symlink("one.lua", "dir/link.lua"), 0);
	ck_assert_int_eq(symlink("../x.lua", "dir/out.lua"), 0);
	ck_assert_int_eq(symlink("..", "dir/outdir"), 0);
	s = state_new(&limits, "dir", why, sizeof(why));
	ck_assert_msg(s != NULL, "%s", why);
	lua_pushcfunction(state_lua(s), try_wait);
	lua_setglobal(state_lua(s), "wait");
	ck_assert_int_eq(state_run(s, "p.lua", t->text, strlen(t->text), why,
	    sizeof(why)), fails ? -1 : 0);
	ck_assert_str_eq(why, t->want);
	state_destroy(&s);
	for (n = sizeof(made) / sizeof(made[0]); n > 0; n--)
		ck_assert_int_eq(remove(made[n - 1]), 0);
	ck_assert_int_eq(chdir(".."), 0);
	ck_assert_int_eq(rmdir(base), 0);
}
END_TEST

UNIT_SUITE(state)
{
	tcase_add_loop_test(tc, no_script_goes_on_for_ever, 0,
	    sizeof(endless) / sizeof(endless[0]));
	tcase_add_loop_test(tc, a_script_does_what_it_says, 0,
	    sizeof(plain) / sizeof(plain[0]));
	tcase_add_test(tc, a_long_script_pauses_after_each_slice);
	tcase_add_test(tc, what_the_last_event_did_is_forgotten);
	tcase_add_test(tc, an_event_may_be_given_up_while_it_waits);
	tcase_add_test(tc, coroutines_of_one_event_share_its_account);
	tcase_add_loop_test(tc, the_host_fails_ends_and_charges, 0,
	    sizeof(hosts) / sizeof(hosts[0]));
	tcase_add_test(tc, an_error_has_its_place_and_a_traceback);
	tcase_add_loop_test(tc, modules_come_from_the_folder_of_the_policy, 0,
	    sizeof(modules) / sizeof(modules[0]));
}
