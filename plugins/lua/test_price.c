/*
 * What a script has others do for it is paid for, by what there is to do and
 * not by how fast the machine is.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "try.h"

#define SETUP                                                                  \
	"local s = ('x'):rep(160000) local t = ('x'):rep(159999) .. 'y' "      \
	"local v = table.pack(('x'):rep(1000):byte(1, -1)) "

/* Each call is worth that many steps at least. */
static const struct {
	const char *call;
	unsigned steps;
} prices[] = {
	{ "s:upper()", 10000 },
	{ "s:lower()", 10000 },
	{ "s:reverse()", 10000 },
	{ "s:rep(2)", 10000 },
	{ "s:byte(1, 1000)", 60 },
	{ "string.char(table.unpack(v))", 1250 },
	{ "('%s'):format(s)", 10000 },
	{ "string.pack('z', s)", 10000 },
	{ "string.packsize(('b'):rep(16000))", 1000 },
	{ "string.unpack(('b'):rep(16), s)", 1 },
	{ "s:find('y', 1, true)", 10000 },
	{ "s:sub(1, 200):find('x-y')", 4000 },
	{ "s:sub(1, 6000):gsub('x', '%0')", 6000 },
	{ "('ab'):gsub('.', ('%1'):rep(60000))", 15000 },
	{ "re.match('y', s:sub(1, 60000))", 3750 },
	{ "re.quote(s)", 20000 },
	{ "json.encode(s)", 10000 },
	{ "json.encode({ [s] = 1 })", 20000 },
	{ "json.decode('\"' .. s .. '\"')", 20000 },
	{ "mail.address(s)", 10000 },
	{ "glob(s, s)", 20000 },
	{ "utf8.len(s)", 10000 },
	{ "utf8.offset(s, 160000)", 10000 },
	{ "utf8.codepoint(s, 1, 16000)", 1000 },
	{ "utf8.len(s, 1, 16)", 1 },
	{ "tonumber(s)", 10000 },
	{ "rawequal(s, t)", 10000 },
	{ "select(-1, table.unpack(v))", 1250 },
	{ "math.max(table.unpack(v))", 1250 },
	{ "table.sort({ s, t, s, t })", 40000 },
	{ "table.concat({ s, t })", 10000 },
	{ "table.unpack(v)", 1000 },
	{ "table.move(v, 1, 1000, 2)", 1000 },
	{ "table.insert(v, 1, 'x')", 1000 },
	{ "local a = s .. t", 10000 },
};

static uint64_t
cost(const char *call)
{
	struct state *s = try_new();
	char text[512];

	state_seal(s);
	(void)snprintf(text, sizeof(text), SETUP "for i = 1, 4 do %s end "
	    "return 'done'", call);
	ck_assert_str_eq(try_script(s, text), "ok done");
	state_destroy(&s);
	return try_used.instructions;
}

START_TEST(what_a_helper_looks_at_is_paid_for)
{
	uint64_t more = cost(prices[_i].call), none = cost("");

	ck_assert_msg(more >= none + 4 * prices[_i].steps, "%s: %llu",
	    prices[_i].call, (unsigned long long)(more - none) / 4);
	/* And no dearer than it must be. */
	ck_assert_msg(more < none + 4 * (20 * prices[_i].steps + 30000),
	    "%s: %llu", prices[_i].call,
	    (unsigned long long)(more - none) / 4);
}
END_TEST

/* The clock is looked at where instructions are counted. */
START_TEST(who_has_made_something_large_is_looked_at_oftener)
{
	static const struct state_limits limits = {
		.instructions = 700000, .slice = 10000, .memory = 64 << 20,
		.growth = 16 << 20, .subject = 65536
	};
	static const char *const made[] = {
		"local a = ('x'):rep(3e6)",
		"local t = {} for i = 1, 30000 do t[i] = i end",
		"local function f(...) end f(table.unpack({}, 1, 100000))",
	};
	char why[100], text[300];
	struct state *s = state_new(&limits, NULL, why, sizeof(why));

	ck_assert_ptr_nonnull(s);
	state_seal(s);
	(void)snprintf(text, sizeof(text), "%s while true do end", made[_i]);
	ck_assert_str_eq(try_script(s, text),
	    "limit t.lua:1: more than 700000 instructions");
	ck_assert_uint_lt(try_used.instructions, 700000 + 100);
	/* The next event is as if that had not been. */
	ck_assert_str_eq(try_script(s, "for i = 1, 1500 do end"), "ok");
	ck_assert_uint_lt(try_used.instructions, 1500 + 200);
	state_destroy(&s);
}
END_TEST

static const struct {
	const char *text, *want;
} expressions[] = {
	/* Those that nobody uses give way. */
	{ "for i = 1, 300 do re.match('(?:[a-f]' .. i .. '){500}', 'x') end",
	  "ok" },
	/* Those in use are memory of the event. */
	{ "local t = {} for i = 1, 1e6 do t[i] = re.gmatch('(?:[a-f]' .. i .. "
	  "'){500}', 'x') end", "limit t.lua:1: more than 8388608 octets of "
	  "memory for one event" },
	{ "pcall(function() local t = {} for i = 1, 1e6 do t[i] = re.gmatch("
	  "'(?:[a-f]' .. i .. '){500}', 'x') end end) return 'went on'",
	  "limit t.lua:1: more than 8388608 octets of memory for one event" },
	/* A match has its share and no more. */
	{ "return re.match('^(?:(a)|b)*$', ('ab'):rep(30000))",
	  "error t.lua:1: re: heap limit exceeded" },
	{ "for i = 1, 20 do pcall(re.match, '^(?:(a)|b)*$' .. (' '):rep(i), "
	  "('ab'):rep(30000), 'x') end", "ok" },
};

START_TEST(what_expressions_take_is_memory_of_the_event)
{
	struct state *s = try_new();

	state_seal(s);
	ck_assert_str_eq(try_script(s, expressions[_i].text),
	    expressions[_i].want);
	ck_assert_int_gt(try_used.peak, 400 * 1024);
	ck_assert_int_le(try_used.peak, 8 << 20);
	ck_assert_str_eq(try_script(s, "return re.match('a+', 'baac')"),
	    "ok aa");
	state_destroy(&s);
}
END_TEST

START_TEST(memory_of_others_is_given_back)
{
	struct state *s = try_new();
	char *p = state_take(1000, s);

	ck_assert_ptr_nonnull(p);
	memset(p, 1, 1000);
	state_give(p, s);
	state_give(NULL, s);
	ck_assert_ptr_null(state_take(SIZE_MAX, s));
	state_destroy(&s);
}
END_TEST

UNIT_SUITE(price)
{
	tcase_add_loop_test(tc, what_a_helper_looks_at_is_paid_for, 0,
	    sizeof(prices) / sizeof(prices[0]));
	tcase_add_loop_test(tc,
	    who_has_made_something_large_is_looked_at_oftener, 0, 3);
	tcase_add_loop_test(tc, what_expressions_take_is_memory_of_the_event, 0,
	    sizeof(expressions) / sizeof(expressions[0]));
	tcase_add_test(tc, memory_of_others_is_given_back);
}
