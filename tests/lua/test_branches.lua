-- Bifurcation: requirements 3.3, S0-10 to S0-26, D5, FRC-4 to FRC-7.

local check = require "check"
local fake = require "fake"

local test, eq = check.test, check.eq
local a, b = "a@p.example", "b@q.example"
local c, d = "c@r.example", "d@s.example"

-- "want/branch" of each recipient.
local function treat(rules, rcpt, more)
  local w = fake.world()
  for i, spec in ipairs(rules) do w.rule("r" .. i) (spec) end
  local t = more or {}
  t.rcpt = rcpt
  local out = w.send(t)
  local got = {}
  for i, address in ipairs(rcpt) do
    local r = out[address]
    got[i] = (r.tls or "-") .. "/" .. (r.branch or "-") ..
      (r.after and "/after " .. r.after[1] or "")
  end
  return got
end

local function force(who, more)
  local t = { when = { rcpt = who }, tls = "required-verify" }
  for k, v in pairs(more or {}) do t[k] = v end
  return t
end

test("box ticked: who matches stands apart, others are not raised", function()
  eq(treat({ force(a, { others = "opportunistic" }) }, { a, b, c, d }),
    { "required-verify/tls-1", "-/-", "-/-", "-/-" })
  eq(treat({ force(a) }, { d, a }), { "-/-", "required-verify/tls-1" })
end)

test("box not ticked: all are raised, nobody stands apart", function()
  eq(treat({ force(a, { others = "same" }) }, { a, b, c }),
    { "required-verify/-", "required-verify/-", "required-verify/-" })
end)

test("nobody matches: neither state of the box has an effect", function()
  for _, others in ipairs { "same", "opportunistic" } do
    eq(treat({ force(a, { others = others }) }, { b, c }), { "-/-", "-/-" })
  end
end)

test("all match: no split, all forced", function()
  eq(treat({ { when = { subject = "hello" }, tls = "required-verify" } },
    { a, b }), { "required-verify/-", "required-verify/-" })
  eq(treat({ force { a, b } }, { a, b }),
    { "required-verify/-", "required-verify/-" })
  eq(treat({ force(a) }, { a }), { "required-verify/-" })
end)

test("one address of a domain binds the domain, unless told not to",
  function()
    local e = "alice@p.example"
    eq(treat({ force(a) }, { e, a, b }),
      { "required-verify/tls-1", "required-verify/tls-1", "-/-" })
    eq(treat({ force(a, { whole_domain = false }) }, { e, a, b }),
      { "-/-", "required-verify/tls-1", "-/-" })
    -- The domain is all there is: no split.
    eq(treat({ force(a) }, { e, a }),
      { "required-verify/-", "required-verify/-" })
    -- Below the domain is another domain.
    eq(treat({ force(a) }, { "x@sub.p.example", a }),
      { "-/-", "required-verify/tls-1" })
  end)

test("several rules: the stricter want for each, fewest branches", function()
  local pinned = force(b, { tls = "required" })
  eq(treat({ force(a), pinned }, { a, b, c }),
    { "required-verify/tls-1", "required/tls-2", "-/-" })
  eq(treat({ pinned, force(a) }, { b, c, a, d }),
    { "required/tls-1", "-/-", "required-verify/tls-2", "-/-" })
  -- Equal in the end: one branch.
  eq(treat({ force(a), force(b) }, { a, b, c }),
    { "required-verify/tls-1", "required-verify/tls-1", "-/-" })
  -- Both match one recipient.
  eq(treat({ force(a, { tls = "required" }), force(a) }, { a, b }),
    { "required-verify/tls-1", "-/-" })
end)

test("ticked and unticked boxes together", function()
  local same = { when = { rcpt = b }, tls = "required", others = "same" }
  eq(treat({ force(a), same }, { a, b, c }),
    { "required-verify/tls-1", "required/-", "required/-" })
  -- All end with the same want: nothing to tell apart.
  eq(treat({ force(a), force(b, { others = "same" }) }, { a, b, c }),
    { "required-verify/-", "required-verify/-", "required-verify/-" })
end)

test("how long TLS is insisted on tells nobody apart", function()
  eq(treat({ force(a, { hold = "1h" }), force(b, { others = "same" }) },
    { a, b, c }), { "required-verify deadline=3600s/-", "required-verify/-",
    "required-verify/-" })
  eq(treat({ force(a, { hold = "1h" }), force(b, { hold = "2h" }) },
    { a, b, c }), { "required-verify deadline=3600s/tls-1",
    "required-verify deadline=7200s/tls-1", "-/-" })
end)

test("the order of recipients decides the words, not that of the rules",
  function()
    local x, y = force(a), force(b, { tls = "required" })
    eq(treat({ x, y }, { b, a, c }), treat({ y, x }, { b, a, c }))
  end)

test("a branch that is there already gets more", function()
  local w = fake.world()
  w.rule "r" { when = { rcpt = a }, tls = "required" }
  w.set:seal()
  local msg, conn = fake.message { rcpt = { a, b } }
  msg.recipients[1]:branch "mine"
  w.set:message(msg, conn)
  eq(fake.done(msg.recipients[1]).branch, "mine-tls-1")
end)

test("strict_first: others wait for the branch, as long as it says", function()
  eq(treat({ force(a, { strict_first = true }) }, { a, b }),
    { "required-verify/tls-1", "-/-/after tls-1: 86400" })
  eq(treat({ force(a, { strict_first = true, hold = "2h" }) }, { a, b }),
    { "required-verify deadline=7200s/tls-1", "-/-/after tls-1: 7200" })
  eq(treat({ force(a, { strict_first = "90s" }) }, { a, b }),
    { "required-verify/tls-1", "-/-/after tls-1: 90" })
  eq(treat({ force(a, { strict_first = false }) }, { a, b }),
    { "required-verify/tls-1", "-/-" })
  -- Nobody else: nobody waits.
  eq(treat({ force(a, { strict_first = true }) }, { a }),
    { "required-verify/-" })
end)

test("strict_first of two branches: one behind the other, others last",
  function()
    local x = force(a, { strict_first = "60s" })
    local y = force(b, { tls = "required", strict_first = "30s" })
    eq(treat({ x, y }, { a, b, c }), { "required-verify/tls-1",
      "required/tls-2/after tls-1: 60", "-/-/after tls-2: 30" })
    -- A branch that guards nothing waits as the others do.
    y.strict_first = nil
    eq(treat({ x, y }, { b, a, c }), { "required/tls-1/after tls-2: 60",
      "required-verify/tls-2", "-/-/after tls-2: 60" })
  end)

test("the default raises others without a split of their own", function()
  local w = fake.world()
  w.set.default { tls = "required" }
  w.rule "r" (force(a))
  local out = w.send { rcpt = { a, b, c } }
  eq({ out[a].branch, out[b].branch, out[b].tls, out[c].tls },
    { "tls-1", nil, "required", "required" })
end)

test("a thousand recipients of a thousand rules cost what they are",
  function()
    local w = fake.world()
    local rcpt = {}
    for i = 1, 1000 do
      w.rule("r" .. i) { when = { rcpt_domain = i .. ".example" },
        tls = "required" }
      rcpt[i] = "x@" .. i .. ".example"
    end
    w.set:seal()
    local msg, conn = fake.message { rcpt = rcpt }
    local steps = 0
    debug.sethook(function() steps = steps + 1 end, "", 1000)
    w.set:message(msg, conn)
    debug.sethook()
    assert(steps < 700, steps .. " thousand instructions")
  end)
