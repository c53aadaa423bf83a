/*
 * What a policy finds beside Lua: json, ip, mail, glob.
 */
#include "unit.h"

#include "try.h"

#define STEPS "limit t.lua:1: more than 1000000 instructions"

static const struct {
	const char *text, *want;
} cases[] = {
	/* json */
	{ "local v = json.decode('{\"a\":[1,2.5,-3e2,true,false,null],"
	  "\"b\":null, \"c\" : {}}') return v.a[1], v.a[2], v.a[3], v.a[4], "
	  "v.a[5], v.a[6] == json.null, v.b, type(v.c)",
	  "ok 1 2.5 -300.0 true false true nil table" },
	{ "return json.decode('\"a\\\\u00e4\\\\ud83d\\\\ude00\\\\n\"')",
	  "ok a\303\244\360\237\230\200\n" },
	{ "return math.type(json.decode('7')), "
	  "math.type(json.decode('99999999999999999999'))",
	  "ok integer float" },
	{ "return json.decode('')", "ok nil octet 1: ends too early" },
	{ "return json.decode('[1,]')", "ok nil octet 4: not a value" },
	{ "return json.decode('{\"a\":1')", "ok nil octet 7: ',' or '}' "
	  "expected" },
	{ "return json.decode('1 2')", "ok nil octet 3: more than one value" },
	{ "return json.decode('01')", "ok nil octet 3: not a value" },
	{ "return json.decode('\"\\\\ud800\"')", "ok nil octet 8: half a "
	  "character" },
	{ "return json.decode('\"a\\nb\"')", "ok nil octet 3: a control "
	  "character in a string" },
	{ "return json.decode(('['):rep(101))", "ok nil octet 101: too deep" },
	{ "return json.decode(('['):rep(100) .. (']'):rep(100)) ~= nil",
	  "ok true" },
	{ "return json.decode('[' .. ('[],'):rep(200000) .. '[]]')",
	  "limit t.lua:1: more than 8388608 octets of memory for one event" },
	{ "return json.encode({ b = 1, a = { 1, 'x', true }, c = json.null })",
	  "ok {\"a\":[1,\"x\",true],\"b\":1,\"c\":null}" },
	{ "return json.encode({}), json.encode(json.array({})), "
	  "json.encode(json.decode('[]'))", "ok {} [] []" },
	{ "return json.encode('a\"\\n\\0'), json.encode(0.1), "
	  "json.encode(2^53), json.encode(nil)",
	  "ok \"a\\u0022\\u000a\\u0000\" 0.1 9007199254740992 null" },
	{ "json.encode(print or json.encode)", "error t.lua:1: json.encode: a "
	  "function has no JSON" },
	{ "json.encode(0/0)", "error t.lua:1: json.encode: not a number" },
	{ "json.encode({ [1.5] = 1 })", "error t.lua:1: json.encode: a key is "
	  "a number" },
	{ "local t = {} t[1] = t json.encode(t)", "error t.lua:1: "
	  "json.encode: too deep" },
	{ "local t = {} for i = 1, 30 do t = { t, t } end json.encode(t)",
	  STEPS },
	{ "json.null = 1", "error t.lua:1: assignment to 'json.null': "
	  "libraries cannot be changed" },
	{ "json.array(_G)", "error t.lua:1: json.array: the table is "
	  "protected" },
	{ "pcall(json.array, string) return ('x'):upper(), string.rep('x', 2)",
	  "ok X xx" },
	{ "local t = json.array(json.array({})) return json.encode(t)",
	  "ok []" },
	{ "return json.encode(json.decode('{\"a\":1,\"a\":null,\"b\":1,"
	  "\"b\":2}')), json.decode('null') == json.null",
	  "ok {\"b\":2} true" },
	{ "return json.decode(('1'):rep(63)) > 1e61", "ok true" },
	{ "return json.decode(('1'):rep(64))", "ok nil octet 65: a number too "
	  "long" },
	{ "return json.encode({ 1, nil, 3 }), json.encode({ 1, x = 2 }), "
	  "json.encode('\\127'), #json.decode('\"\255\"')",
	  "ok [1,null,3] [1] \"\\u007f\" 1" },
	{ "local t = {} for i = 1, 100 do t = { t } end json.encode(t)",
	  "error t.lua:1: json.encode: too deep" },
	{ "return json.encode(setmetatable({}, { __index = function() return 1 "
	  "end }))", "ok {}" },
	{ "json.decode(nil)", "error t.lua:1: bad argument #1 to 'decode' "
	  "(string expected, got nil)" },
	/* ip */
	{ "return ip.within('192.0.2.7', '192.0.2.0/24'), "
	  "ip.within('192.0.3.7', '192.0.2.0/24'), "
	  "ip.within('192.0.2.7', '192.0.2.7'), "
	  "ip.within('192.0.2.129', '192.0.2.128/25'), "
	  "ip.within('10.1.1.1', '0.0.0.0/0')",
	  "ok true false true true true" },
	{ "return ip.within('2001:db8::1', '2001:db8::/32'), "
	  "ip.within('2001:db9::1', '2001:db8::/32'), "
	  "ip.within('::ffff:192.0.2.7', '192.0.2.0/24'), "
	  "ip.within('192.0.2.7', '::ffff:192.0.2.0/120'), "
	  "ip.within('192.0.2.7', '::/0'), ip.within('x', '0.0.0.0/0')",
	  "ok true false true true false false" },
	{ "return ip.within('10.0.0.1', { '192.0.2.0/24', '10.0.0.0/8' }), "
	  "ip.within('10.0.0.1', {})", "ok true false" },
	{ "ip.within('10.0.0.1', '10.0.0.0/33')", "error t.lua:1: ip.within: "
	  "'10.0.0.0/33' is no network" },
	{ "ip.within('10.0.0.1', '10.0.0.0/')", "error t.lua:1: ip.within: "
	  "'10.0.0.0/' is no network" },
	{ "ip.within('10.0.0.1', { 'partner' })", "error t.lua:1: ip.within: "
	  "'partner' is no network" },
	{ "ip.within('10.0.0.1', '::ffff:10.0.0.0/8')", "error t.lua:1: "
	  "ip.within: '::ffff:10.0.0.0/8' is no network" },
	{ "ip.within('10.0.0.1', '10.0.0.0/99999999999')", "error t.lua:1: "
	  "ip.within: '10.0.0.0/99999999999' is no network" },
	{ "return ip.normalise('2001:DB8:0::1'), ip.normalise("
	  "'::ffff:10.0.0.1'), ip.normalise('1.2.3'), "
	  "ip.normalise('1.2.3.4\\0')", "ok 2001:db8::1 10.0.0.1 nil nil" },
	{ "local a = ip.parse('::1') return a.address, a.version, "
	  "ip.parse('10.0.0.1').version, ip.parse('x')", "ok ::1 6 4 nil" },
	{ "return ip.within('192.0.2.9', '192.0.2.7/24'), "
	  "ip.within('10.0.0.1', { '10.0.0.0/8', 'partner' })",
	  "ok true true" },
	{ "ip.within('x', 'partner')", "error t.lua:1: ip.within: 'partner' is "
	  "no network" },
	{ "ip.within(nil, '::/0')", "error t.lua:1: bad argument #1 to "
	  "'within' (string expected, got nil)" },
	{ "return ip.normalise('fe80::1%eth0'), ip.normalise(' 10.0.0.1'), "
	  "ip.normalise('010.0.0.1'), ip.normalise('[::1]')",
	  "ok nil nil nil nil" },
	{ "return ip.normalise('2001:DB8:0:0:1:0:0:1'), "
	  "ip.normalise('2001:db8:0:1:1:1:1:1')",
	  "ok 2001:db8::1:0:0:1 2001:db8:0:1:1:1:1:1" },
	/* mail */
	{ "local a = mail.address('\"Doe, J\" <John.Doe@Example.ORG>') "
	  "return a.address, a.localpart, a.domain, a.name",
	  "ok John.Doe@example.org John.Doe example.org Doe, J" },
	{ "local a = mail.address('a@b') return a.address, a.name",
	  "ok a@b nil" },
	{ "return mail.domain('\"a@b\"@c.example'), "
	  "mail.domain('<x@[IPv6:::1]>')", "ok c.example [ipv6:::1]" },
	{ "return mail.address('nobody')", "ok nil no '@'" },
	{ "return mail.address('')", "ok nil no '@'" },
	{ "return mail.address('@b')", "ok nil no local part" },
	{ "return mail.address('a@')", "ok nil no domain" },
	{ "return mail.address('a b@c')", "ok nil bad local part" },
	{ "return mail.address('a..b@c')", "ok nil bad local part" },
	{ "return mail.address('\"a\"b\"@c')", "ok nil bad quoted local part" },
	{ "return mail.address('\"@c')", "ok nil bad quoted local part" },
	{ "return mail.address('a@b..c')", "ok nil bad domain" },
	{ "return mail.address('a@-b')", "ok nil bad domain" },
	{ "return mail.address('a@b-.c')", "ok nil bad domain" },
	{ "return mail.address('a@b c')", "ok nil bad domain" },
	{ "return mail.address('a@[')", "ok nil bad address literal" },
	{ "return mail.address('a\\0@b')", "ok nil bad local part" },
	{ "return mail.address(('a'):rep(65) .. '@b')",
	  "ok nil local part too long" },
	{ "return mail.address('a@' .. ('b.'):rep(130) .. 'c')",
	  "ok nil domain too long" },
	{ "return mail.address('a>')", "ok nil '>' without '<'" },
	{ "return mail.address('a@b, c@d')", "ok nil bad local part" },
	{ "return mail.address('a@b.')", "ok nil bad domain" },
	{ "return mail.address('a@b (c)')", "ok nil bad domain" },
	{ "return mail.address('<@x:a@b>')", "ok nil bad local part" },
	{ "return mail.address('<>')", "ok nil no '@'" },
	{ "return mail.address('a@' .. ('x'):rep(64))", "ok nil bad domain" },
	{ "return mail.address('a@' .. ('x'):rep(63)) ~= nil, "
	  "mail.address(('a'):rep(64) .. '@b') ~= nil", "ok true true" },
	{ "local a = mail.address('\303\244@\303\226._X.Example') return "
	  "a.address", "ok \303\244@\303\226._x.example" },
	{ "return mail.address('=?utf-8?q?J?= <a@b>').name, "
	  "mail.address('\"J \\\\\" D\" <a@b>').name, "
	  "mail.address(' <a@b> ').name",
	  "ok =?utf-8?q?J?= J \\\" D nil" },
	{ "mail.domain()", "error t.lua:1: bad argument #1 to 'domain' (string "
	  "expected, got no value)" },
	/* re */
	{ "return re.match('(\\\\d+)-(\\\\d+)?', 'a 12-'), re.match('b+', "
	  "'abbc'), re.match('x', 'abc')", "ok 12 bb nil" },
	{ "return re.match('(a)|(b)', 'b')", "ok nil b" },
	{ "return re.find('B(.)', 'abc', 'i')", "ok 2 3 c" },
	{ "return re.gsub('[aeiou]', 'education', '<%0>')",
	  "ok <e>d<u>c<a>t<i><o>n 5" },
	{ "return re.gsub('(x)|(y)', 'xy', '[%1%2]')", "ok [x][y] 2" },
	{ "return re.gsub('\\\\b', 'ab cd', '|')", "ok |ab| |cd| 4" },
	{ "return re.gsub('x*', 'abc', '-')", "ok -a-b-c- 4" },
	{ "return re.gsub('.', 'abc', function(c) return c .. wait() end)",
	  "ok a1b2c3 3" },
	{ "return re.gsub('.', 'abc', { a = 1, b = false })", "ok 1bc 3" },
	{ "local t = {} for k, v in re.gmatch('(\\\\w+)=(\\\\w+)', "
	  "'a=1, b=2') do t[#t + 1] = k .. v end return table.concat(t, ';')",
	  "ok a1;b2" },
	{ "local n = 0 for w in re.gmatch('', 'abc') do n = n + 1 end return n",
	  "ok 4" },
	{ "return re.match('^.$', '\303\244'), re.match('^.$', '\303\244', "
	  "'u') ~= nil", "ok nil true" },
	{ "return re.match('^' .. re.quote('a.b*[c]\\0+') .. '$', "
	  "'a.b*[c]\\0+') ~= nil, re.match(re.quote('a.b'), 'axb')",
	  "ok true nil" },
	{ "re.match('(', 'x')", "error t.lua:1: re: missing closing "
	  "parenthesis at octet 2" },
	{ "re.match('x', 'x', 'q')", "error t.lua:1: re: 'q' is no flag" },
	{ "re.match(('x'):rep(5000), 'x')", "error t.lua:1: re: an expression "
	  "of 5000 octets, 4096 are the most" },
	{ "re.match(('(x)'):rep(33), 'x')", "error t.lua:1: re: 33 groups, 32 "
	  "are the most" },
	{ "re.match('.', ('x'):rep(65537))", "error t.lua:1: a subject of "
	  "65537 octets: expressions take 65536" },
	{ "return re.match('^(a+)+$', ('a'):rep(40) .. 'b')", STEPS },
	{ "while true do pcall(re.match, '^(a+)+$', ('a'):rep(40) .. "
	  "'b') end",
	  STEPS },
	{ "while true do re.match('(?:a|aa)+$', ('a'):rep(16) .. 'b') end",
	  STEPS },
	{ "while true do re.match('[^b]*b', ('a'):rep(60000)) end", STEPS },
	{ "re.match('^(x+x+)+y', ('x'):rep(60000))", STEPS },
	{ "for i = 1, 1000 do re.match('a' .. i, 'a') end return 1", "ok 1" },
	{ "re.match('x', '\\255', 'u')", "error t.lua:1: re: UTF-8 error: "
	  "illegal byte (0xfe or 0xff)" },
	{ "re.match('\\\\C', 'x')", "error t.lua:1: re: using \\C is disabled "
	  "by the application at octet 3" },
	{ "return re.match('^a.c$', 'x\\na C', 'imx'), "
	  "re.match('a.b', 'a\\nb'), re.match('a.b', 'a\\nb', 's')",
	  "ok a C nil a\nb" },
	{ "local n = 0 for w in re.gmatch('^a', 'aaa') do n = n + 1 end "
	  "for w in re.gmatch('(?<=a)a', 'aaa') do n = n + 1 end return n",
	  "ok 3" },
	{ "return re.match('(?:(a)|b)*$', ('ab'):rep(30000))",
	  "error t.lua:1: re: heap limit exceeded" },
	{ "return re.gsub('a', 'aAa', '%%b%0', 'i')", "ok %ba%bA%ba 3" },
	/* glob */
	{ "return glob('*.example', 'a.example'), glob('*.example', 'example'),"
	  " glob('a?c', 'abc'), glob('a?c', 'ac'), glob('', ''), glob('*', ''),"
	  " glob('', 'a')", "ok true false true false true true false" },
	{ "return glob('*a*b*', 'xaxbx'), glob('*b*a*', 'xaxbx'), "
	  "glob('a*a', 'a'), glob('a*a', 'aa'), glob('**', 'x'), "
	  "glob('*?b*', 'ab'), glob('*?b', 'b')",
	  "ok true false false true true true false" },
	{ "return glob('*SECURE*', 'a [secure] b'), "
	  "glob('*SECURE*', 'a [secure] b', true)", "ok false true" },
	{ "return glob('?', '\303\244'), glob('\\\\*', '*'), "
	  "glob('\303\204', '\303\244', true), glob('a*', ('a'):rep(70000))",
	  "ok false false false true" },
	{ "return glob(('a*'):rep(3000) .. 'b', ('a'):rep(60000))",
	  "ok false" },
	{ "for i = 1, 1e9 do glob('*?aaaaaaaaaaaaaaaab*', ('a'):rep(60000)) "
	  "end", STEPS },
};

START_TEST(libraries_do_what_they_say)
{
	struct state *s = try_new();

	state_seal(s);
	ck_assert_str_eq(try_script(s, cases[_i].text), cases[_i].want);
	state_destroy(&s);
}
END_TEST

UNIT_SUITE(libs)
{
	tcase_add_loop_test(tc, libraries_do_what_they_say, 0,
	    sizeof(cases) / sizeof(cases[0]));
}
