/*
 * table: the order may wait, and no length is believed for nothing.
 */
#include "unit.h"

#include "try.h"

#define STEPS "limit t.lua:1: more than 1000000 instructions"
#define LIAR                                                                   \
	"local t = setmetatable({}, { __len = function() return 1e15 // 1 | 0 "\
	"end, __index = function() return '' end }) "

static const struct script {
	const char *text, *want;
} cases[] = {
	{ "local t = { 3, 1, 2 } table.sort(t) return table.unpack(t)",
	  "ok 1 2 3" },
	{ "local t = { 3, 1, 2, 5, 4 } table.sort(t, function(a, b) "
	  "return a > b end) return table.concat(t, ',')", "ok 5,4,3,2,1" },
	{ "local t = { 3, 1, 2, 5, 4, 0 } table.sort(t, function(a, b) "
	  "wait() return a < b end) return table.concat(t, ','), wait() > 6",
	  "ok 0,1,2,3,4,5 true" },
	{ "local t = {} for i = 1, 1000 do t[i] = i * 7919 % 1009 end "
	  "table.sort(t) for i = 2, #t do assert(t[i - 1] < t[i]) end "
	  "return #t", "ok 1000" },
	{ "local t = {} for i = 1, 100 do t[i] = { i % 3, i } end table.sort(t,"
	  " function(a, b) return a[1] < b[1] end) for i = 2, 100 do "
	  "assert(t[i - 1][1] < t[i][1] or t[i - 1][2] < t[i][2]) end",
	  "ok" },
	{ "local t = { 1, 2, 3 } table.sort(t, function() return true end) "
	  "return #t", "ok 3" },
	{ "local t = { 1, 'x' } table.sort(t)", "error t.lua:1: attempt to "
	  "compare string with number" },
	{ "local t = { 2, 1, 3 } return pcall(table.sort, t, function() "
	  "error('no', 0) end)", "ok false no" },
	{ "local t = { 2, 1, 3 } pcall(table.sort, t, function() while true do "
	  "end end) return 1", STEPS },
	{ "table.sort({}) table.sort({ 1 }) return 1", "ok 1" },
	{ "local t = {} for i = 1, 50000 do t[i] = -i end for i = 1, 100 do "
	  "table.sort(t) end", STEPS },
	{ LIAR "table.sort(t)", STEPS },
	{ LIAR "table.insert(t, 1, 'x')", STEPS },
	{ LIAR "table.remove(t, 1)", STEPS },
	{ LIAR "table.concat(t)", STEPS },
	{ LIAR "return pcall(table.unpack, t)", "ok false too many results to "
	  "unpack" },
	{ "table.move({}, 1, 1e15, 2)", STEPS },
	{ "while true do pcall(table.unpack, {}, 1, 1e5) end", STEPS },
	{ "local t = { 1, 2 } table.insert(t, 3) table.insert(t, 1, 0) "
	  "return table.unpack(t)", "ok 0 1 2 3" },
	{ "local t = { 1, 2, 3 } return table.remove(t), table.remove(t, 1), "
	  "#t, t[1], table.remove({})", "ok 3 1 1 2 nil" },
	{ "table.insert({}, 5, 1)", "error t.lua:1: bad argument #2 to "
	  "'insert' (position out of bounds)" },
	{ "table.insert({})", "error t.lua:1: wrong number of arguments to "
	  "'insert'" },
	{ "table.remove({ 1 }, 5)", "error t.lua:1: bad argument #2 to "
	  "'remove' (position out of bounds)" },
	{ "return table.concat({ 1, 2, 'x' }, '-', 2, 3)", "ok 2-x" },
	{ "table.concat({ {} })", "error t.lua:1: invalid value (at index 1) "
	  "in table for 'concat'" },
	{ "local t = table.pack(1, nil, 3) return t.n, t[3]", "ok 3 3" },
	{ "local t = table.move({ 1, 2, 3 }, 1, 3, 2) return "
	  "table.unpack(t)", "ok 1 1 2 3" },
	{ "return #table.move({ 1, 2, 3 }, 2, 3, 1, {})", "ok 2" },
	{ "table.sort(1)", "error t.lua:1: bad argument #1 to 'sort' (table "
	  "expected, got number)" },
};

START_TEST(tables_are_what_they_are_in_lua_but_cost)
{
	struct state *s = try_new();

	state_seal(s);
	ck_assert_str_eq(try_script(s, cases[_i].text), cases[_i].want);
	state_destroy(&s);
}
END_TEST

UNIT_SUITE(tablib)
{
	tcase_add_loop_test(tc, tables_are_what_they_are_in_lua_but_cost, 0,
	    sizeof(cases) / sizeof(cases[0]));
}
