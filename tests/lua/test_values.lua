-- Values, wants, texts and networks.

local check = require "check"
local network = require "network"
local values = require "values"
local want = require "want"
local wording = require "wording"

local test, eq = check.test, check.eq

test("reads times, sizes and dates", function()
  eq(values.seconds "1d12h", 129600)
  eq(values.seconds "90", 90)
  eq(values.seconds(5), 5)
  for _, v in ipairs { "", "h", "1x", "1h30", "-1s", "1.5h" } do
    eq(values.seconds(v), nil)
  end
  eq(values.octets "10M", 10 << 20)
  eq(values.octets "5k", 5120)
  eq(values.octets(7), 7)
  eq(values.octets "10 M", nil)
  eq(values.day "1970-01-01", 86400)
  eq(values.day "2026-12-31", 1798761600)
  eq(values.day "2024-02-29", 1709251200)
  eq(values.day "2023-02-29", nil)
  eq(values.day "2026-13-01", nil)
  eq(values.day "31.12.2026", nil)
end)

test("finds the word that was meant", function()
  local set = { required = true, none = true, tls = true }
  eq(values.near("requried", set), "required")
  eq(values.near("tsl", set), "tls")
  eq(values.near("bananas", set), nil)
  eq(values.unknown("non", set, "level"),
    'level "non" is not known (did you mean "none"?)')
  eq(values.unknown("bananas", set, "level"),
    'level "bananas" is not known: none, required, tls')
end)

test("reads wants as texts and as tables", function()
  eq({ want.read "required-verify match=hosted min=1.2" },
    { "required-verify match=hosted min=1.2", "required-verify",
      "required-verify", { match = "hosted", min = "1.2" } })
  eq(want.read { level = "required-verify", deadline = "1d",
    names = { "a.example", "b.example" } },
    "required-verify names=a.example,b.example deadline=1d")
  eq({ want.read "encrypt" }, { "required", "required", "required", {} })
  eq({ want.read "forced" }, { "forced", "required-verify", "forced", {} })
end)

test("refuses wants that cannot be", function()
  local function why(v)
    local text, reason = want.read(v)
    eq(text, nil)
    return reason
  end
  eq(why "requird",
    'TLS level "requird" is not known (did you mean "required"?)')
  eq(why { level = "required-verify", mach = "mx" },
    'attribute "mach" is not known (did you mean "match"?)')
  eq(why "required match=mx",
    "match says nothing under required, which looks at no certificate")
  eq(why "none min=1.2", "min says nothing under none")
  eq(why "required-verify match=nams",
    'match "nams" is not known (did you mean "names"?)')
  eq(why "required-verify match=names", "match=names: no names= says which")
  eq(why "required min=1.1",
    "min=1.1 is not possible under required: 1.2 or 1.3")
  eq(why "required-verify pin=md5:00", 'pin "md5:00": "sha256:" and 64 ' ..
    'hexadecimal digits, or "spki:" and 44 characters of base64')
  eq(why "required deadline=0s",
    'deadline: a time from 1s to 366d, as "90m" or "1d12h"')
  eq(why "required deadline", '"deadline": NAME=VALUE is meant')
  eq(why "required min=1.2 min=1.3", "min is there twice")
  eq(why "required-verify ca=roots.pem", "ca: a path that begins with /")
  eq(why { match = "mx" },
    'it has no level, as { level = "required" } has')
  eq(why(5), "a TLS want is a text or a table with a level")
end)

test("wildcards stand for any characters and for one", function()
  local function m(p, s, case) return wording.glob(p, case)(s) end
  for _, t in ipairs { { "a*b", "ab" }, { "a*b", "aXXb" }, { "*", "" },
    { "a?c", "aBc" }, { "*[x]*", "y [X] z" }, { "a**b", "ab" },
    { "*a*b*", "xxaxxbxx" }, { "%d", "%d" }, { "a.c", "A.C" } } do
    check.has(tostring(m(t[1], t[2])), "true")
  end
  for _, t in ipairs { { "ab*b", "ab" }, { "a?c", "ac" }, { "a", "ab" },
    { "a.c", "abc" }, { "a*b", "abc" }, { "?", "" } } do
    eq(m(t[1], t[2]), false)
  end
  eq(m("A*", "abc", true), false)
end)

test("wildcards cost time in proportion to the text", function()
  local steps = 0
  local s = ("a"):rep(30000)
  local match = wording.glob(("a*"):rep(20) .. "b")
  debug.sethook(function() steps = steps + 1 end, "", 100)
  eq(match(s), false)
  debug.sethook()
  assert(steps < 100, steps)
end)

test("words are found whole, in texts of any length", function()
  local cat = wording.contains("cat", false, true)
  eq(cat "concat. Cat!", true)
  eq(cat "concatenate", false)
  eq(cat "cat", true)
  for _, at in ipairs { 32760, 32766, 32767, 32768, 32769, 65536 } do
    local s = (" "):rep(at) .. "cat" .. (" "):rep(40000)
    eq(cat(s), true)
    eq(wording.contains("c?t")(s), true)
    eq(wording.contains("a*t")(s), true)
    eq(#wording.words(s, 10), 1)
  end
  eq(wording.contains("secret plan")("the SECRET PLAN"), true)
  local list, cut = wording.words("one two One three", 2)
  eq(list, { "one", "two" })
  eq(cut, true)
end)

test("encoded words of a header are read and written", function()
  eq(wording.decode "=?utf-8?Q?[sec?= =?utf-8?B?dXJlXQ==?= x", "[secure] x")
  eq(wording.decode "=?iso-8859-1?Q?caf=E9_?= =? x", "café  =? x")
  eq(wording.decode "plain", "plain")
  for _, s in ipairs { "schön", ("ä"):rep(100), ("€"):rep(77) .. "x" } do
    local coded = wording.encode(s)
    eq(wording.ascii(coded), true)
    eq(wording.decode(coded), s)
    for word in coded:gmatch("%S+") do assert(#word <= 75) end
  end
  eq(wording.encode "plain", "plain")
end)

test("addresses and networks are read", function()
  local function within(a, net)
    local high, low, kind = network.parse(a)
    return network.within(high, low, kind, assert(network.read(net)))
  end
  eq(within("10.255.0.1", "10.0.0.0/8"), true)
  eq(within("11.0.0.1", "10.0.0.0/8"), false)
  eq(within("::ffff:10.1.2.3", "10.0.0.0/8"), true)
  eq(within("2001:db8:7fff::1", "2001:db8::/33"), true)
  eq(within("2001:db8:8000::1", "2001:db8::/33"), false)
  eq(within("2001:db8::1", "2001:db8::1"), true)
  eq(within("2001:db8::1:0:0:1", "2001:db8:0:0:1::/80"), true)
  eq(within("1.2.3.4", "0.0.0.0/0"), true)
  eq(within("::1", "0.0.0.0/0"), false)
  eq(within("::1", "::/0"), true)
  for _, v in ipairs { "1.2.3", "256.1.1.1", "1::2::3", "1:2", ":::", "g::",
    "1.2.3.4:1::", "1:2:3:4:5:6:7:8:9", "" } do
    eq(network.parse(v), nil)
  end
  eq({ network.read "10.0.0.1/8" },
    { nil, '"10.0.0.1/8" has bits behind its prefix' })
  eq({ network.read "10.0.0.0/33" },
    { nil, '"10.0.0.0/33": a prefix has at most 32 bits' })
  eq({ network.read "host" },
    { nil, '"host" is neither an address nor a network' })
end)
