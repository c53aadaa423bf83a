-- What is refused when a policy is loaded, with place and reason.

local check = require "check"
local fake = require "fake"

local test, eq = check.test, check.eq
local AT = 'policy.lua:1: rule "r": '

-- A rule that is refused, and why.
local cases = {
  { { tsl = "required" }, 'field "tsl" is not known (did you mean "tls"?)' },
  { { rcpt_domain = "x.example", tls = "required" },
    '"rcpt_domain" is no field; it is a condition: ' ..
      "when = { rcpt_domain = … }" },
  { {}, "it has no action" },
  { { when = {} }, "it has no action" },
  { { "x" }, "1: fields have names" },
  { "x", "a table of fields is meant" },
  { { when = "x", stop = true }, "when: a table of conditions" },
  { { when = { "x" }, stop = true },
    "when: conditions have names: { rcpt_domain = … }" },
  { { when = { rcpt_domian = "x" }, stop = true },
    'condition "rcpt_domian" is not known (did you mean "rcpt_domain"?)' },
  { { stop = "yes" }, "stop: true or false" },
  { { tag = "[x]", enabled = "no" }, "enabled: true or false" },
  { { tag = "[x]", description = 5 }, "description: a text" },
  { { tag = "[x]", expires = "31.12.2026" },
    'expires: a date, as "2026-12-31"' },
  { { tls = "requird" },
    'tls: TLS level "requird" is not known (did you mean "required"?)' },
  { { tls = 5 }, "tls: a TLS want is a text or a table with a level" },
  { { others = "same", stop = true }, "others says nothing without tls" },
  { { tls = "required", others = "sme" },
    'others "sme" is not known (did you mean "same"?)' },
  { { tls = "required", whole_domain = 1 }, "whole_domain: true or false" },
  { { tls = "required", strict_first = true, others = "same" },
    'strict_first says nothing under others = "same"' },
  { { tls = "preferred", strict_first = true },
    "strict_first needs a level that demands TLS" },
  { { tls = "required", strict_first = "x" },
    'strict_first: a time, as "24h" or "1d12h"' },
  { { tls = "required deadline=1h", hold = "1h" },
    "hold: tls has a deadline already" },
  { { tls = "required", hold = 0 }, "hold: with tls a time from 1s to 366d" },
  { { tls = "none", hold = "1h" }, "hold says nothing under tls none" },
  { { tls = "required-verify match=mx", tls_match = "hosted" },
    "tls_match: tls has a match already" },
  { { tls = "required-verify", tls_match = "hsted" },
    'tls: match "hsted" is not known (did you mean "hosted"?)' },
  { { tls_match = "hosted" }, "tls_match says nothing without tls" },
  { { hold = "soon" }, 'hold: a time, as "24h" or "1d12h"' },
  { { route = 5 }, "route: a text of one line" },
  { { reply = "reject" },
    "reply: accept(), reject(…), tempfail(…) or discard() is meant" },
  { { reply = fake.quarantine() },
    "reply: for quarantine there is the field of that name" },
  { { reply = fake.disconnect() }, "reply: a rule cannot disconnect" },
  { { quarantine = 5 }, "quarantine: a text of one line" },
  { { redirect = "x" }, 'redirect: "x" is no address' },
  { { redirect = {} }, "redirect: an empty list" },
  { { bcc = { "a@b.example", 5 } }, 'bcc: "5" is no address' },
  { { add_header = "X-A: b" },
    'add_header: { ["X-Name"] = "value" } or { name =, value = }' },
  { { add_header = { ["X A"] = "b" } },
    'add_header: "X A" is no name of a header field' },
  { { set_header = { ["X-A"] = "a\nb" } },
    "set_header: the value is a text of one line or a function" },
  { { set_header = { ["X-A"] = ("x"):rep(991) } },
    "set_header: the value has more than 990 characters" },
  { { set_header = { ["X-A"] = "ä" } }, "set_header: the value has " ..
    "characters beyond ASCII: write it as encoded words (RFC 2047)" },
  { { add_header = { { name = "X-A", valu = "b" } } },
    'add_header: "valu" is not known (did you mean "value"?)' },
  { { remove_header = {} }, "remove_header: an empty list" },
  { { remove_header = "a b" },
    'remove_header: "a b" is no name of a header field' },
  { { tag = "" }, "tag: a text of one line" },
  { { notify = "x" }, "notify: { sender =, recipient =, admin = }" },
  { { notify = { sendr = true } },
    'notify: "sendr" is not known (did you mean "sender"?)' },
  { { notify = { admin = true } }, 'notify.admin.to: "" is no address' },
  { { notify = { sender = { to = "a@b.example" } } },
    "notify.sender: it goes to the sender" },
  { { notify = { sender = 5 } },
    "notify.sender: true, a text or { subject =, text = }" },
  { { alert = 5 }, "alert: true, a text or { key =, severity =, every =, " ..
    "text = }" },
  { { alert = { evry = "1h" } },
    'alert: "evry" is not known (did you mean "every"?)' },
  { { alert = { severity = "warnin" } }, 'alert.severity "warnin" is not ' ..
    'known (did you mean "warning"?)' },
  { { tag = "[x]", test = "body" },
    'test: true, "header", "subject" or { header =, subject =, bcc = }' },
}

-- A condition that is refused, and why.
local conditions = {
  { { rcpt = "x.example" },
    'rcpt: "x.example" is no address; for a domain there is rcpt_domain' },
  { { rcpt = "" }, 'rcpt: "" is no recipient' },
  { { sender = 5 }, "sender: 5 is no address" },
  { { rcpt_domain = "a@b.example" },
    'rcpt_domain: "a@b.example" is an address; there is rcpt' },
  { { rcpt_domain = "*x.example" }, 'rcpt_domain: "*x.example" is no ' ..
    'domain: "a.example", ".a.example" (it and what is below it) or ' ..
    '"*.a.example" (what is below it) is meant' },
  { { rcpt_domain = "bücher.example" },
    'rcpt_domain: "bücher.example": write it as in the DNS (xn--…)' },
  { { rcpt = "a@bücher.example" }, 'rcpt: "a@bücher.example": write its ' ..
    'domain as in the DNS (xn--…)' },
  { { rcpt_domain = {} }, "rcpt_domain: an empty list matches nothing" },
  { { rcpt_domain = { x = 1 } }, "rcpt_domain: a table is no domain" },
  { { rcpt_domain = { "x.example", x = 1 } },
    "rcpt_domain: x: a list has no names" },
  { { sender = { "a@b.example", nil, "c@d.example" } },
    "sender: the list has holes" },
  { { client_ip = "10.0.0.1/8" },
    'client_ip: "10.0.0.1/8" has bits behind its prefix' },
  { { client_ip = "host" },
    'client_ip: "host" is neither an address nor a network' },
  { { direction = "outbond" },
    'direction: value "outbond" is not known (did you mean "outbound"?)' },
  { { listener = 5 }, "listener: 5 is no text" },
  { { auth = 5 }, "auth: 5 is no text" },
  { { client_tls = "yes" },
    "client_tls: true, false or { version =, cipher =, verified = }" },
  { { client_tls = { versoin = "x" } },
    'client_tls.versoin "versoin" is not known (did you mean "version"?)' },
  { { client_tls = { verified = "yes" } },
    "client_tls.verified: true or false" },
  { { client_cert = "sha256:00" }, 'client_cert: "sha256:00" is meant to be ' ..
    'true, false, "none", "unverified", "verified", "sha256:" and 64 ' ..
    "hexadecimal digits, or { subject =, issuer =, name =, verified = }" },
  { { client_cert = { subjekt = "CN=x" } }, 'client_cert: "subjekt" is not ' ..
    'known (did you mean "subject"?)' },
  { { client_cert = { name = "x@y" } }, 'client_cert.name: "x@y" is an ' ..
    "address; there is client_cert.name" },
  { { client_cert = { verified = 1 } },
    "client_cert.verified: true or false" },
  { { header = "X-A" },
    "header: { name =, value = } or { name =, re = } is meant" },
  { { header = { nam = "X" } },
    'header: "nam" is not known (did you mean "name"?)' },
  { { header = { name = "X A" } }, "header.name: the name of a header field" },
  { { header = { name = "X", value = "a", re = "b" } },
    "header: value or re, not both" },
  { { header = { name = "X", value = ("x"):rep(990) } },
    "header: name and value have more than 990 characters" },
  { { header = { name = "X", case = 1, value = "x" } },
    "header.case: true or false" },
  { { header = { name = "X", re = "%" } }, "header.re \"%\": " },
  { { subject = "" }, "subject: a text that is not empty" },
  { { subject = 5 }, "subject: 5 is no text" },
  { { subject = {} }, "subject: an empty list matches nothing" },
  { { body = { txt = "x" } },
    'body: "txt" is not known (did you mean "text"?)' },
  { { size_over = "big" }, 'size_over: "big" is no size: 1000000, "10M"' },
  { { recipients_over = "5" }, 'recipients_over: "5" is no whole number' },
  { { attachment = "exe" },
    "attachment: { name =, extension =, encrypted =, unreadable = } is " ..
      "meant" },
  { { attachment = { ext = "exe" } }, 'attachment: "ext" is not known' },
}

for _, case in ipairs(cases) do
  test("refuses a rule: " .. case[2], function()
    eq(fake.refusal(case[1]), AT .. case[2])
  end)
end

for _, case in ipairs(conditions) do
  test("refuses a condition: " .. case[2], function()
    local why = fake.refusal { when = case[1], stop = true }
    eq(why:sub(1, #AT + #case[2]), AT .. case[2])
  end)
end

test("a header of 990 characters with its name is taken", function()
  fake.world().rule "r" { when = { header = { name = "X",
    value = ("x"):rep(989) } }, stop = true }
end)

test("refuses names that are none or taken, and rules that are cut off",
  function()
    local w = fake.world()
    check.has(check.fails(w.rule, 5), "policy.lua:1: rule: a name is meant")
    check.has(check.fails(w.rule, ""), "a name is meant")
    w.rule "x" { stop = true }
    eq(check.fails(w.rule, "x"),
      'policy.lua:4: rule "x" is there twice: see policy.lua:3')
    local _ = w.rule "y"
    eq(check.fails(w.set.seal, w.set),
      'policy.lua:5: rule "y": its table is missing')
  end)

test("refuses rules when the policy is loaded", function()
  local w = fake.world()
  w.set:seal()
  eq(check.fails(w.rule, "x"),
    "policy.lua:1: rule: only while the policy is loaded")
end)

test("refuses defaults that say nothing", function()
  local default = fake.world().set.default
  eq(check.fails(default, "x"),
    "policy.lua:1: default: { tls =, hold = } is meant")
  eq(check.fails(default, { tsl = "x" }),
    'policy.lua:2: default: "tsl" is not known (did you mean "tls"?)')
  eq(check.fails(default, { hold = "1h" }),
    "policy.lua:3: default: it has no tls")
  default { tls = "required" }
  eq(check.fails(default, { tls = "required" }),
    "policy.lua:5: default is there twice: see policy.lua:4")
end)
