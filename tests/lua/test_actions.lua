-- Each action of a rule, and how actions of several rules go together.

local check = require "check"
local fake = require "fake"

local test, eq, has = check.test, check.eq, check.has
local a, b = "a@p.example", "b@q.example"

test("tls: a level, attributes as text, table or tls_match", function()
  local function want(spec)
    local w = fake.world()
    w.rule "r" (spec)
    return w.send { rcpt = { a } }[a].tls
  end
  eq(want { tls = "required" }, "required")
  eq(want { tls = "required-verify match=hosted" },
    "required-verify match=hosted")
  eq(want { tls = { level = "required-verify", pin = "none" } },
    "required-verify pin=none")
  eq(want { tls = "required-verify min=1.3", tls_match = "hosted" },
    "required-verify match=hosted min=1.3")
  eq(want { tls = "required-verify", tls_match = { "x.example", "y.example" } },
    "required-verify match=names names=x.example,y.example")
  eq(want { tls = { level = "required-verify", requiretls = true } },
    "required-verify requiretls=yes")
  eq(want { tls = "required", hold = "2h" }, "required deadline=7200s")
end)

test("the first hold counts, a later other one is logged", function()
  local w = fake.world()
  w.rule "one" { tls = "required", hold = "1h" }
  w.rule "two" { tls = "required-verify", hold = "2h" }
  w.rule "same" { tls = "required-verify", hold = "1h" }
  eq(w.send { rcpt = { a } }[a].tls, "required-verify")
  eq(w.logs, { 'info: rule "two" (policy.lua:2): hold 7200s for ' .. a ..
    ' is not used: rule "one" says 3600s' })
end)

test("bounce_profile: the first wins, for each recipient", function()
  local w = fake.world()
  w.rule "one" { when = { rcpt_domain = "p.example" },
    bounce_profile = "patient" }
  w.rule "two" { bounce_profile = "brief" }
  local out = w.send { rcpt = { a, b } }
  eq(out[a], { bounce_profile = { "patient" } })
  eq(out[b], { bounce_profile = { "brief" } })
end)

test("route and hold: the first wins, for each recipient", function()
  local w = fake.world()
  w.rule "one" { when = { rcpt_domain = "p.example" }, route = "east" }
  w.rule "two" { route = "west", hold = "10m" }
  w.rule "three" { hold = "20m" }
  local out = w.send { rcpt = { a, b } }
  eq(out[a], { route = { "east" }, hold = { 600 } })
  eq(out[b], { route = { "west" }, hold = { 600 } })
  eq(w.logs, {
    'info: rule "two" (policy.lua:2): route west for a@p.example is not ' ..
      'used: rule "one" says east',
    'info: rule "three" (policy.lua:3): hold 1200 for a@p.example is not ' ..
      'used: rule "two" says 600',
    'info: rule "three" (policy.lua:3): hold 1200 for b@q.example is not ' ..
      'used: rule "two" says 600' })
end)

test("reply: the first wins, the others are logged", function()
  local w = fake.world()
  w.rule "one" { when = { subject = "x" }, reply = fake.tempfail(450) }
  w.rule "two" { reply = fake.reject(550) }
  local out = w.send { subject = "x" }
  eq(out.verdict, "tempfail")
  eq(w.logs, { 'info: rule "two" (policy.lua:2): reply reject 550 is not ' ..
    'used: rule "one" says tempfail 450' })
  eq(w.send { subject = "y" }.verdict, "reject")
end)

test("discard drops the recipients that match, or the message", function()
  local w = fake.world()
  w.rule "r" { when = { rcpt = a }, reply = fake.discard() }
  local out = w.send { rcpt = { a, b } }
  eq({ out.verdict, out[a].drop ~= nil, out[b].drop }, { nil, true, nil })
  eq(w.send { rcpt = { a } }.verdict, "discard")
end)

test("accept goes on with what other rules do", function()
  local w = fake.world()
  w.rule "r" { reply = fake.accept() }
  w.rule "t" { tls = "required", tag = "[x]" }
  local out = w.send { rcpt = { a } }
  eq({ out.verdict, out[a].tls, out.msg.set_header },
    { "accept", "required", { "Subject: [x] hello" } })
end)

test("a message that is refused gets no copies and no tags", function()
  local w = fake.world()
  w.rule "r" { reply = fake.reject(550), bcc = "c@us.example", tag = "[x]" }
  local out = w.send { rcpt = { a } }
  eq({ out.added, out.msg }, { {}, {} })
end)

test("quarantine: the recipients that match, with a reason", function()
  local w = fake.world()
  w.rule "odd" { when = { rcpt = a }, quarantine = true }
  w.rule "more" { when = { rcpt = b }, quarantine = "looks bad" }
  local out = w.send { rcpt = { a, b } }
  eq({ out[a].quarantine, out[b].quarantine },
    { { 'rule "odd"' }, { "looks bad" } })
end)

test("redirect: in place of those that match, once, under their level",
  function()
    local w = fake.world()
    w.rule "f" { when = { rcpt = a }, tls = "required-verify" }
    w.rule "r" { when = { rcpt_domain = ".example" },
      redirect = { "box@us.example", "b@q.example" } }
    w.rule "late" { redirect = "else@us.example" }
    local out = w.send { rcpt = { a, "c@p.example", b } }
    eq(out.added, { "box@us.example" })
    eq(out["+box@us.example"], { quiet = true, tls = "required-verify" })
    eq({ out[a].drop ~= nil, out["c@p.example"].drop ~= nil, out[b].drop },
      { true, true, nil })
    has(w.logs[1], 'redirect else@us.example for a@p.example is not used: ' ..
      'rule "r" says box@us.example, b@q.example')
  end)

test("bcc: once each, quiet, under the strictest level, without pins",
  function()
    local w = fake.world()
    w.rule "f" { when = { rcpt = a }, tls = "required-verify pin=none" }
    w.rule "c" { bcc = { "log@us.example", "B@q.example" } }
    w.rule "d" { bcc = "LOG@us.example" }
    local out = w.send { rcpt = { a, b } }
    eq(out.added, { "log@us.example" })
    eq(out["+log@us.example"], { quiet = true, tls = "required-verify" })
  end)

test("header edits: of the message if all match, else of recipients",
  function()
    local w = fake.world()
    w.rule "one" { when = { rcpt = a }, add_header = { ["X-A"] = "1" },
      remove_header = "X-Old", set_header = { name = "X-S", value = "2" } }
    local out = w.send { rcpt = { a, b } }
    eq(out[a], { add_header = { "X-A: 1" }, remove_header = { "X-Old" },
      set_header = { "X-S: 2" } })
    eq({ out.msg, out[b] }, { {}, {} })
    out = w.send { rcpt = { a } }
    eq(out.msg, { add_header = { "X-A: 1" }, remove_header = { "X-Old" },
      set_header = { "X-S: 2" } })
    eq(out[a], {})
  end)

test("a header's value can be a function", function()
  local w = fake.world()
  w.rule "r" { add_header = { ["X-From"] = function(msg, conn)
    return msg.sender .. " " .. conn.ip
  end } }
  eq(w.send {}.msg.add_header, { "X-From: a@us.example 192.0.2.1" })
  w = fake.world()
  w.rule "r" { add_header = { ["X-From"] = function() return 5 end } }
  eq(check.fails(w.send, {}), "a header's value is a text, not number")
end)

test("tag: before the subject, once, not again on answers", function()
  local w = fake.world()
  w.rule "one" { tag = "[ext]" }
  w.rule "two" { when = { rcpt = a }, tag = "[p]" }
  w.rule "three" { tag = "[ext]" }
  local out = w.send { rcpt = { a } }
  eq(out.msg.set_header, { "Subject: [ext] [p] hello" })
  out = w.send { rcpt = { a, b }, subject = "x" }
  eq({ out.msg.set_header, out[a].set_header, out[b].set_header },
    { nil, { "Subject: [ext] [p] x" }, { "Subject: [ext] x" } })
  out = w.send { rcpt = { b }, subject = "Re: [ext] x" }
  eq(out.msg, {})
  out = w.send { rcpt = { b }, headers = {} }
  eq(out.msg.set_header, { "Subject: [ext]" })
  w = fake.world()
  w.rule "r" { set_header = { Subject = "new" }, tag = "[ä]" }
  eq(w.send {}.msg.set_header,
    { "Subject: new", "Subject: =?utf-8?B?W8OkXQ==?= new" })
end)

test("tag: a long subject is folded; what cannot be stays untagged", function()
  local w = fake.world()
  w.rule "r" { tag = "[ext]" }
  local long = ("seventy "):rep(140) .. "end"
  local value = w.send { subject = long }.msg.set_header[1]
  eq(value:gsub("\n", ""), "Subject: [ext] " .. long)
  for line in value:gmatch("[^\n]+") do eq(#line <= 78, true) end
  eq(w.logs, {})
  eq(w.send { subject = ("x"):rep(1200) }.msg, {})
  eq(w.logs, { "warning: tag [ext]: the subject cannot be changed" })
end)

test("test: delivered unchanged, flagged, logged", function()
  local w = fake.world()
  w.rule "try" { when = { rcpt = a }, tls = "required-verify", test = true,
    reply = fake.reject(550), stop = true }
  w.rule "next" { when = { rcpt = a }, tag = "[n]" }
  local out = w.send { rcpt = { a, b } }
  eq({ out.verdict, out[a].tls }, { nil, nil })
  eq(out[a].add_header, { "X-Policy-Test: try" })
  eq(out[a].set_header, { "Subject: [n] hello" })
  eq(w.logs, { 'info: rule "try" (policy.lua:1) would have done: tls ' ..
    'required-verify; reply reject 550; for a@p.example' })
  w = fake.world()
  w.rule "try" { redirect = "x@y.example", test = { subject = "[t]",
    header = "X-T", bcc = "log@us.example" } }
  out = w.send { rcpt = { a } }
  eq(out.msg, { add_header = { "X-T: try" },
    set_header = { "Subject: [t] hello" } })
  eq(out.added, { "log@us.example" })
  eq(out[a].drop, nil)
  w = fake.world()
  w.rule "try" { tag = "[no]", test = "subject" }
  eq(w.send {}.msg, { set_header = { "Subject: [try] hello" } })
end)

test("who is told of a message learns of no other recipient", function()
  local w = fake.world()
  w.rule "n" { notify = { sender = true, recipient = true } }
  local n = w.send { rcpt = { a, b } }.msg.notify
  eq(#n, 3)
  eq(n[1].text:match("To: [^\n]*"), "To: " .. a .. ", " .. b)
  eq(n[2].text:match("To: [^\n]*"), "To: " .. a)
  eq(n[3].text:match("To: [^\n]*"), "To: " .. b)
end)

test("notify: sender, recipients, administrator; ten at most", function()
  local w = fake.world()
  w.rule "n" { when = { rcpt_domain = "p.example" }, notify = {
    sender = "Not like this.", recipient = { subject = "S", text = "T" },
    admin = "post@us.example" } }
  local out = w.send { rcpt = { a, b } }
  local n = out.msg.notify
  eq(n[1], { to = "a@us.example", subject = "About your message",
    text = "Not like this." })
  eq(n[2], { to = "post@us.example", subject = 'Policy rule "n"',
    text = "A rule of the mail policy applied to this message.\n\nRule: n\n" ..
      "From: <a@us.example>\nTo: a@p.example\nSubject: hello\n" })
  eq(n[3], { to = a, subject = "S", text = "T" })
  eq(#n, 3)
  eq(w.send { rcpt = { a }, from = "" }.msg, {})
  local many = {}
  for i = 1, 20 do many[i] = "x" .. i .. "@p.example" end
  eq(#w.send { rcpt = many }.msg.notify, 10)
  eq(w.logs, { 'warning: rule "n" (policy.lua:1): only 10 notices are sent' })
end)

test("alert: with a key of its own", function()
  local w = fake.world()
  w.rule "bad" { alert = true }
  w.rule "own" { alert = { key = "k", text = "t", every = "1h",
    severity = "critical" } }
  w.send {}
  eq(w.alerts, { { key = "rule:bad", text = 'rule "bad" matched' },
    { key = "k", text = "t", every = "1h", severity = "critical" } })
end)

test("stop: the recipients that matched, from the rules below", function()
  local w = fake.world()
  w.rule "one" { when = { rcpt = a }, stop = true }
  w.rule "two" { when = { rcpt_domain = { "p.example", "q.example" } },
    route = "west" }
  w.rule "three" { add_header = { ["X-T"] = "1" } }
  local out = w.send { rcpt = { a, b } }
  eq(out[a], {})
  eq(out[b], { route = { "west" }, add_header = { "X-T: 1" } })
  eq(w.send { rcpt = { a } }.msg, {})
end)

test("expires: good until the end of that day, UTC", function()
  local w = fake.world()
  w.rule "r" { expires = "2026-12-31", tls = "required" }
  w.time = 1798761599
  eq(w.send { rcpt = { a } }[a].tls, "required")
  w.time = 1798761600
  eq(w.send { rcpt = { a } }[a].tls, nil)
end)

test("enabled = false: checked, and never asked", function()
  local w = fake.world()
  w.rule "r" { enabled = false, tls = "required" }
  eq(w.send { rcpt = { a } }[a].tls, nil)
  has(fake.refusal { enabled = false, tsl = "required" }, 'did you mean "tls"?')
end)

test("sender_domain and direction of a rule are its scope", function()
  local w = fake.world()
  w.rule "r" { sender_domain = "us.example", direction = "outbound",
    tls = "required" }
  eq(w.send { rcpt = { a } }[a].tls, "required")
  eq(w.send { rcpt = { a }, from = "x@sub.us.example" }[a].tls, nil)
  eq(w.send { rcpt = { a }, direction = "inbound" }[a].tls, nil)
end)

test("default: for recipients to whom no rule gave TLS", function()
  local w = fake.world()
  w.set.default { tls = "preferred", hold = "1h" }
  w.rule "r" { when = { rcpt = a }, tls = "required" }
  local out = w.send { rcpt = { a, b } }
  eq(out[a].tls, "required")
  eq(out[b].tls, "preferred deadline=3600s")
  local none = fake.world()
  none.set.default { tls = "required" }
  eq(none.send { rcpt = { a } }[a].tls, "required")
end)

test("matches are counted for the first rules, steps for slow ones", function()
  local w = fake.world()
  local spent = 0
  w.env.spent = function()
    spent = spent + 100
    return spent
  end
  w.rule "Partner: force TLS!" { when = { rcpt = a }, tls = "required" }
  w.rule "partner force tls" { when = { subject = "x" }, tls = "required" }
  w.send { rcpt = { a } }
  w.send { rcpt = { a } }
  w.send { rcpt = { b } }
  eq(w.counts, { rule_partner_force_tls_matches = 2,
    rule_partner_force_tls_2_steps = 300 })
  local list = w.set:list()
  eq({ list[1].tried, list[1].matched, list[1].spent }, { 2, 2, 0 })
  eq({ list[2].tried, list[2].matched, list[2].spent }, { 3, 0, 300 })
end)

test("rules behind the first twenty are counted together", function()
  local w = fake.world()
  local spent = 0
  w.env.spent = function()
    spent = spent + 100
    return spent
  end
  for i = 1, 19 do w.rule("own " .. i) { when = { rcpt = b }, tag = "[b]" } end
  w.rule "others" { when = { rcpt = a }, tls = "required" }
  w.rule "slow" { when = { subject = "hello" }, tls = "required" }
  w.rule "quick" { when = { rcpt = a }, tls = "preferred" }
  w.send { rcpt = { a } }
  eq(w.counts, { rule_others_20_matches = 1, rule_others_matches = 2,
    rule_others_steps = 100 })
end)

test("the list of rules tells conditions and actions in words", function()
  local w = fake.world()
  w.rule "one" { when = { rcpt_domain = { ".p.example", (fake.lookup {}) },
    header = { name = "X", value = "y" }, auth = true,
    size_over = 5 }, tls = "required", stop = true }
  w.rule "two" { when = { sender = function() end }, tag = "[x]", test = true,
    description = "d", expires = "2026-12-31" }
  local list = w.set:list()
  eq(list[1].when, 'rcpt_domain = { ".p.example", a lookup }, auth = true, ' ..
    'size_over = 5, header = { name = "X", value = "y" }')
  eq(list[1].says, "tls required; stop")
  eq({ list[2].when, list[2].says, list[2].description, list[2].expires },
    { "sender = a function", "test only: tag [x]", "d", "2026-12-31" })
end)

test("trace: each rule, why or why not", function()
  local w = fake.world()
  local said = {}
  w.set.trace = function(t) said[#said + 1] = t.text end
  w.rule "one" { when = { rcpt_domain = "p.example" }, tls = "required" }
  w.rule "two" { when = { rcpt = a, subject = "y" }, tls = "required" }
  w.rule "old" { expires = "1970-01-01", tls = "required" }
  w.rule "not" { when = { rcpt = "z@p.example" }, tag = "[z]" }
  w.time = 86400
  local out = w.send { rcpt = { a, b } }
  eq(out[a].tls, "required")
  eq(said, {
    'rule "one" (policy.lua:1): yes, for a@p.example: tls required',
    'rule "two" (policy.lua:2): no, subject is "hello"',
    'rule "old" (policy.lua:3): no, expires is "1970-01-01"',
    'rule "not" (policy.lua:4): no, rcpt is "b@q.example"' })
end)

test("an event that failed leaves nothing to the next message", function()
  local w = fake.world()
  local dead = true
  w.rule "one" { when = { rcpt = a }, tls = "required", route = "x" }
  w.rule "two" { when = { subject = function()
    if dead then error("down", 0) end
  end }, tag = "[x]" }
  eq(check.fails(w.send, { rcpt = { a, b } }), "down")
  dead = false
  local out = w.send { rcpt = { b } }
  eq({ out[b], out.msg }, { {}, {} })
  eq(w.logs, {})
end)

test("messages that wait in a lookup do not disturb each other", function()
  local w = fake.world()
  w.rule "one" { when = { rcpt = a }, tls = "required" }
  w.rule "two" { when = { rcpt_domain = fake.lookup(function()
    coroutine.yield()
    return true
  end) }, tag = "[x]" }
  w.set:seal()
  local function run(t, out)
    local msg, conn = fake.message(t)
    out.co = coroutine.create(function() w.set:message(msg, conn) end)
    out.msg = msg
    assert(coroutine.resume(out.co))
    return out
  end
  local x, y = run({ rcpt = { a, b } }, {}), run({ rcpt = { b } }, {})
  for _ = 1, 3 do
    for _, m in ipairs { x, y } do
      if coroutine.status(m.co) ~= "dead" then
        assert(coroutine.resume(m.co))
      end
    end
  end
  eq(fake.done(x.msg.recipients[1]), { branch = "tls-1", tls = "required" })
  eq(fake.done(y.msg.recipients[1]), {})
  eq(fake.done(y.msg).set_header, { "Subject: [x] hello" })
end)
