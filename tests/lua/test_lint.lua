-- What lint says about rules that load and are odd all the same.

local check = require "check"
local fake = require "fake"
local find = require "lint"

local test, eq = check.test, check.eq

local function lint(list, time, known)
  local w = fake.world()
  w.time = time or w.time
  for i, spec in ipairs(list) do w.rule("r" .. i) (spec) end
  w.set:seal()
  local out = {}
  for i, f in ipairs(w.set:lint(known)) do
    out[i] = f.place:match("%d+") .. " " .. f.severity .. " " .. f.text
  end
  return out
end

local function on(domain, t)
  t.when = { rcpt_domain = domain }
  return t
end

test("is silent about rules that are well", function()
  eq(lint {
    on(".p.example", { tls = "required" }),
    on("a.p.example", { tls = "required-verify" }),
    { when = { sender = "a@us.example", rcpt = "x@q.example" }, route = "x" },
    on("q.example", { route = "y" }),
  }, {})
end)

test("knows the names that the boot file has", function()
  local known = { route = { "smarthost", "*" }, bounce_profile = { "default" },
    listener = { "inbound" }, sender_group = {}, lookup = { "partners" } }
  local well = {
    { route = "SmartHost" },
    on("a.example", { route = "192.0.2.25:25" }),
    on("b.example", { route = "mx:x.example" }),
    on("c.example", { route = "[192.0.2.1]:25 b" }),
    { when = { listener = "inbound" }, bounce_profile = "default",
      tag = "x" },
  }
  eq(lint({ well[2], well[3], well[4], well[5], well[1] }, nil, known), {})
  local odd = {
    { when = { listener = { "inbound", "inbuond" }, sender_group = "us" },
      tag = "x" },
    on("a.example", { route = "smarthots" }),
    on("b.example", { route = "[192.0.2.1]" }),
    on("c.example", { bounce_profile = "nobody" }),
  }
  eq(lint(odd), {})
  eq(lint(odd, nil, known), {
    '1 warning rule "r1": there is no listener "inbuond" ' ..
      '(did you mean "inbound"?)',
    '1 warning rule "r1": there is no sender_group "us"',
    '2 error rule "r2": there is no route "smarthots" ' ..
      '(did you mean "smarthost"?)',
    '3 error rule "r3": there is no route "[192.0.2.1]"',
    '4 error rule "r4": there is no bounce_profile "nobody"' })
end)

test("mail is put off for names of rules that are asked", function()
  local known = { route = { "smarthost" }, bounce_profile = { "default" },
    listener = {}, lookup = { "partners" } }
  local function missing(lookups, list)
    local w = fake.world()
    for i, spec in ipairs(list) do w.rule("r" .. i) (spec) end
    w.set:seal()
    local found = find.missing(lookups, w.set, known, 86400)
    return found and found.text
  end
  eq(missing({ { name = "partners", place = "p:1" } }, {
    on("a.example", { route = "SMARTHOST", stop = true }),
    on("a.example", { bounce_profile = "default" }),
    { when = { listener = "nobody" }, tag = "x" },
    { route = "nosuch", enabled = false },
    { route = "nosuch", expires = "1970-01-01" } }), nil)
  eq(missing({}, { { tag = "x" }, { bounce_profile = "late" } }),
    'rule "r2": there is no bounce_profile "late"')
  eq(missing({ { name = "other", place = "p:1" } }, { { route = "nosuch" } }),
    'lookup: there is no table "other"')
end)

test("a rule behind one that stops is never reached", function()
  local text = ' error rule "r2": it is never reached: rule "r1" ' ..
    "(policy.lua:1) matches all it would match, and stops"
  for _, d in ipairs { "p.example", ".p.example", "*.p.example",
    "a.p.example", { "p.example", "b.a.p.example" } } do
    eq(lint { on(".p.example", { stop = true }),
      on(d, { tls = "required" }) }, { "2" .. text })
  end
  eq(lint { { stop = true, tag = "[x]" }, { when = { subject = "x" },
    tag = "[y]" } }, { "2" .. text })
  eq(lint { on(".p.example", { stop = true }),
    { when = { rcpt = { "x@p.example", "y@a.p.example" } }, route = "z" } },
    { "2" .. text })
  for _, d in ipairs { "q.example", ".example", { "p.example", "q.example" } }
  do
    eq(lint { on(".p.example", { stop = true }),
      on(d, { tls = "required" }) }, {})
  end
  eq(lint { { when = { size_over = "1M" }, stop = true },
    { when = { size_over = "2M" }, tag = "[y]" } }, { "2" .. text })
  eq(lint { { when = { size_over = "2M" }, stop = true },
    { when = { size_over = "1M" }, tag = "[y]" } }, {})
end)

test("a rule behind a refusal has no effect", function()
  eq(lint { { when = { sender_domain = ".spam.example" },
    reply = fake.reject(550) }, { when = { sender = "a@b.spam.example" },
    tls = "required" } }, { '2 error rule "r2": it has no effect: rule "r1" ' ..
    "(policy.lua:1) matches all it would match, and says reject" })
end)

test("what comes first wins: the second is told", function()
  eq(lint { on(".p.example", { route = "a" }),
    on("p.example", { route = "b" }) }, { '2 warning rule "r2": route b is ' ..
    'never used: rule "r1" (policy.lua:1) comes first with route a' })
  eq(lint { on(".p.example", { tls = "required-verify" }),
    on("p.example", { tls = "required" }) }, { '2 info rule "r2": tls ' ..
    'required raises nothing: rule "r1" (policy.lua:1) says required-verify' })
  eq(lint { on("p.example", { tag = "[a]" }), on("p.example",
    { tls = "required" }) }, { '2 info rule "r2": rule "r1" (policy.lua:1) ' ..
    "has the same conditions (rcpt_domain)" })
end)

test("conditions that cannot all be true", function()
  local function never(when, text)
    eq(lint { { when = when, tag = "[x]" } },
      { '1 error rule "r1": it never matches: ' .. text })
  end
  never({ size_over = "2M", size_under = "1M" },
    "nothing is over size_over and under size_under")
  never({ size_over = 5, size_under = 6 },
    "nothing is over size_over and under size_under")
  never({ rcpt = "x@p.example", rcpt_domain = "q.example" },
    "no address of rcpt is in rcpt_domain")
  never({ sender = "x@p.example", sender_domain = "*.p.example" },
    "no address of sender is in sender_domain")
  never({ client_tls = false, client_cert = true },
    "without TLS there is no client certificate")
  eq(lint { { when = { direction = "inbound" }, direction = "outbound",
    tag = "[x]" } }, { '1 error rule "r1": it never matches: direction is ' ..
    "inbound and outbound at once" })
  eq(lint { { when = { size_over = 5, size_under = 7 }, tag = "[x]" } }, {})
end)

test("rules that are off, over or say nothing", function()
  eq(lint({ { tag = "[x]", enabled = false }, { tag = "[x]",
    expires = "1970-01-01", when = { subject = "x" } },
    { when = { subject = "y" }, tls = "opportunistic" },
    { when = { subject = "z" }, tls = "required", others = "same" } }, 86400), {
    '1 info rule "r1": it is not enabled',
    '2 warning rule "r2": it has expired on 1970-01-01',
    '3 warning rule "r3": tls opportunistic raises nothing: rules never ' ..
      "lower TLS",
    '4 info rule "r4": others and strict_first say nothing: no condition ' ..
      "is about recipients, so all of them match" })
end)

test("lookups and functions cover nothing but themselves", function()
  local l = fake.lookup {}
  eq(lint { on(l, { stop = true }), on("p.example", { tag = "[x]" }) }, {})
  eq(#lint { on(l, { stop = true }), on(l, { tag = "[x]" }) }, 1)
  eq(lint { on(".p.example", { stop = true }), on(l, { tag = "[x]" }) }, {})
end)

test("ten thousand rules are looked through", function()
  local w = fake.world()
  for i = 1, 10000 do
    w.rule("r" .. i) { when = { rcpt_domain = ".d" .. i .. ".example" },
      tls = "required" }
  end
  w.rule "last" { when = { rcpt_domain = "x.d7.example" }, tls = "preferred" }
  w.set:seal()
  local steps = 0
  debug.sethook(function() steps = steps + 1 end, "", 1000)
  local found = w.set:lint()
  debug.sethook()
  eq(#found, 1)
  check.has(found[1].text, 'rule "r7"')
  assert(steps < 20000, steps .. " thousand instructions")
end)
