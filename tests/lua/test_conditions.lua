-- Each condition of a rule: what matches, what does not.

local check = require "check"
local fake = require "fake"

local test = check.test
local lookup = fake.lookup

local function yes(when, t)
  if not fake.matches(when, t) then error("it does not match", 2) end
end
local function no(when, t)
  if fake.matches(when, t) then error("it matches", 2) end
end

test("sender: addresses in either case, wildcards, the null sender", function()
  yes({ sender = "A@us.example" }, { from = "a@US.example" })
  no({ sender = "a@us.example" }, { from = "b@us.example" })
  yes({ sender = { "x@y.example", "a@us.example" } }, { from = "a@us.example" })
  yes({ sender = "pay-*@us.example" }, { from = "pay-roll@us.example" })
  no({ sender = "pay-*@us.example" }, { from = "roll@us.example" })
  yes({ sender = "<>" }, { from = "" })
  no({ sender = "" }, { from = "a@us.example" })
end)

test("domains: exact, with what is below, only what is below", function()
  local function of(v, d) return { sender_domain = v }, { from = "a@" .. d } end
  yes(of("us.example", "us.example"))
  no(of("us.example", "x.us.example"))
  no(of("us.example", "bus.example"))
  yes(of(".us.example", "us.example"))
  yes(of(".us.example", "a.b.us.example"))
  no(of(".us.example", "bus.example"))
  no(of("*.us.example", "us.example"))
  yes(of("*.us.example", "a.us.example"))
  yes(of({ "x.example", "*.us.example" }, "a.us.example"))
  yes(of("US.Example", "us.example"))
end)

test("rcpt and rcpt_domain: one recipient must match both", function()
  yes({ rcpt = "x@p.example" }, { rcpt = { "y@q.example", "X@P.example" } })
  yes({ rcpt_domain = ".p.example" },
    { rcpt = { "y@q.example", "x@a.p.example" } })
  no({ rcpt_domain = "p.example" }, { rcpt = { "y@q.example" } })
  no({ rcpt = "boss@*", rcpt_domain = "p.example" },
    { rcpt = { "boss@q.example", "x@p.example" } })
  yes({ rcpt = "boss@*", rcpt_domain = "p.example" },
    { rcpt = { "boss@p.example" } })
end)

test("fields are all needed", function()
  local when = { sender = "a@us.example", subject = "x", size_over = 10 }
  yes(when, { from = "a@us.example", subject = "x", size = 11 })
  no(when, { from = "b@us.example", subject = "x", size = 11 })
  no(when, { from = "a@us.example", subject = "y", size = 11 })
  no(when, { from = "a@us.example", subject = "x", size = 10 })
end)

test("client_ip: addresses and networks of both kinds", function()
  local function of(v, ip) return { client_ip = v }, { conn = { ip = ip } } end
  yes(of("192.0.2.1", "192.0.2.1"))
  no(of("192.0.2.1", "192.0.2.2"))
  yes(of({ "10.0.0.0/8", "192.0.2.0/24" }, "192.0.2.99"))
  yes(of("2001:db8::/32", "2001:db8::5"))
  yes(of("2001:db8:0::5", "2001:db8::5"))
  no(of("2001:db8::/32", "192.0.2.1"))
end)

test("client_name, listener, auth", function()
  yes({ client_name = ".mx.example" }, { conn = { name = "A.mx.example" } })
  no({ client_name = ".mx.example" }, { conn = {} })
  yes({ listener = { "submission", "inside" } },
    { conn = { listener = "inside" } })
  no({ listener = "submission" }, { conn = { listener = "mx" } })
  yes({ sender_group = "PARTNER*" }, { conn = { group = "PARTNERS" } })
  no({ sender_group = "PARTNERS" }, { conn = { group = "SUSPECTS" } })
  no({ sender_group = "PARTNERS" }, { conn = {} })
  yes({ auth = true }, { conn = { auth = "bob" } })
  no({ auth = true }, {})
  yes({ auth = false }, {})
  yes({ auth = "bo*" }, { conn = { auth = "bob" } })
  no({ auth = "*" }, {})
end)

test("client_tls: whether, and its version, cipher, verification", function()
  local tls = { version = "TLSv1.3", cipher = "TLS_AES_256_GCM_SHA384",
    cert = "verified", verified = true, sha256 = ("ab"):rep(32) }
  local with, without = { conn = { tls = tls } }, {}
  yes({ client_tls = true }, with)
  no({ client_tls = true }, without)
  yes({ client_tls = false }, without)
  no({ client_tls = false }, with)
  yes({ client_tls = { version = { "TLSv1.2", "TLSv1.3" } } }, with)
  no({ client_tls = { version = "TLSv1.2" } }, with)
  yes({ client_tls = { cipher = "*GCM*", verified = true } }, with)
  no({ client_tls = { cipher = "*GCM*", verified = false } }, with)
  no({ client_tls = { verified = false } }, without)
  yes({ client_cert = true }, with)
  no({ client_cert = true }, without)
  yes({ client_cert = false }, without)
  yes({ client_cert = "none" }, without)
  yes({ client_cert = "sha256:" .. ("AB:"):rep(31) .. "AB" }, with)
  no({ client_cert = "sha256:" .. ("cd"):rep(32) }, with)
  yes({ client_cert = lookup { [("ab"):rep(32)] = "1" } }, with)
end)

test("client_cert: what it says counts if it is verified", function()
  local function cert(kind)
    return { conn = { tls = { version = "TLSv1.3", cert = kind,
      verified = kind == "verified", subject = "CN=mx.p.example,O=P",
      issuer = "CN=Root,O=CA", names = { "mx.p.example", "*.q.example" } } } }
  end
  local good, claimed = cert "verified", cert "unverified"
  yes({ client_cert = { subject = "CN=mx.p.example,*" } }, good)
  no({ client_cert = { subject = "CN=mx.p.example,*" } }, claimed)
  yes({ client_cert = { subject = "CN=mx.p.example,*", verified = false } },
    claimed)
  no({ client_cert = { subject = "CN=p.example" } }, good)
  yes({ client_cert = { issuer = { "CN=Other", "*O=CA" } } }, good)
  yes({ client_cert = { name = ".p.example" } }, good)
  yes({ client_cert = { name = ".q.example", issuer = "*O=CA" } }, good)
  no({ client_cert = { name = "p.example" } }, good)
  no({ client_cert = { name = ".p.example", issuer = "*O=CB" } }, good)
  yes({ client_cert = { verified = true } }, good)
  no({ client_cert = { verified = true } }, claimed)
  yes({ client_cert = { verified = false } }, claimed)
  no({ client_cert = { verified = false } }, cert "none")
  no({ client_cert = { name = ".p.example" } }, {})
end)

test("header: any of that name, wildcards, expressions, either case",
  function()
    local t = { headers = { { "X-Level", "public" },
      { "x-level", "Top Secret" } } }
    yes({ header = { name = "X-Level" } }, t)
    no({ header = { name = "X-Other" } }, t)
    yes({ header = { name = "X-Level", value = "top*" } }, t)
    no({ header = { name = "X-Level", value = "top" } }, t)
    no({ header = { name = "X-Level", value = "top*", case = true } }, t)
    yes({ header = { name = "X-Level", value = { "x", "public" } } }, t)
    yes({ header = { name = "X-Level", re = "^top%s" } }, t)
    no({ header = { name = "X-Level", re = "^top%s", case = true } }, t)
    yes({ header = { { name = "X-No" }, { name = "X-Level" } } }, t)
    yes({ header = { name = "X-Level", value = lookup { public = 1 } } }, t)
    yes({ header = { name = "X-Level", value = function(v)
      return #v == 6
    end } }, t)
  end)

test("subject: phrases anywhere, also within encoded words", function()
  yes({ subject = "[secure]" }, { subject = "Re: [SECURE] plans" })
  no({ subject = "[secure]" }, { subject = "secure" })
  yes({ subject = "[secure]" },
    { subject = "=?utf-8?B?UmU6IFtzZWN1cmVdIHBsYW5z?=" })
  yes({ subject = "pay*slip" }, { subject = "the pay in a slip" })
  yes({ subject = { re = "^re: %d+" } }, { subject = "Re: 12" })
  yes({ subject = { text = "A", case = true } }, { subject = "xAx" })
  no({ subject = { text = "A", case = true } }, { subject = "xax" })
  yes({ subject = lookup { plans = 1 } }, { subject = "Big PLANS here" })
  no({ subject = "x" }, { headers = {} })
end)

test("subject: any field of that name", function()
  local t = { headers = { { "Subject", "hello" },
    { "subject", "=?utf-8?Q?the_plans?=" } } }
  yes({ subject = "hello" }, t)
  yes({ subject = "the plans" }, t)
  yes({ subject = { re = "^the" } }, t)
  yes({ subject = lookup { plans = 1 } }, t)
  no({ subject = "hello the" }, t)
end)

test("sizes and numbers: over and under, not at", function()
  yes({ size_over = "1K" }, { size = 1025 })
  no({ size_over = "1K" }, { size = 1024 })
  yes({ size_under = 1000 }, { size = 999 })
  no({ size_under = 1000 }, { size = 1000 })
  yes({ recipients_over = 1 }, { rcpt = { "a@b.example", "c@d.example" } })
  no({ recipients_over = 2 }, { rcpt = { "a@b.example", "c@d.example" } })
end)

test("direction, charset", function()
  yes({ direction = "outbound" }, { direction = "outbound" })
  no({ direction = "inbound" }, { direction = "outbound" })
  yes({ charset = { "koi8-r", "windows-*" } },
    { mime = { charsets = { "us-ascii", "Windows-1251" } } })
  no({ charset = "koi8-r" }, {})
  no({ charset = "koi8-r" }, { mime = { charsets = { "us-ascii" } } })
end)

test("attachment: one file must have all that is asked", function()
  local t = { mime = { attachments = { { name = "Plan.PDF" },
    { name = "tool.exe.zip", encrypted = true } } } }
  yes({ attachment = { extension = { "exe", "pdf" } } }, t)
  no({ attachment = { extension = "exe" } }, t)
  yes({ attachment = { name = "*.exe.*" } }, t)
  yes({ attachment = { encrypted = true } }, t)
  no({ attachment = { extension = "pdf", encrypted = true } }, t)
  yes({ attachment = { { extension = "doc" }, { extension = "zip" } } }, t)
  yes({ attachment = { extension = lookup { pdf = 1 } } }, t)
  no({ attachment = { name = "*" } }, {})
  no({ attachment = { unreadable = true } }, t)
  yes({ attachment = { unreadable = false } }, t)
  yes({ attachment = { extension = "zip", unreadable = true } },
    { mime = { attachments = { { name = "a.zip", unreadable = "limit" } } } })
end)

test("body: a long text is looked at as a whole, in pieces", function()
  local function of(text) return { mime = { text = text } } end
  local most = 32768
  local t = of(("filler "):rep(20000) .. "merger \n plan.")
  yes({ body = "merger plan" }, t)
  no({ body = "merger plans" }, t)
  yes({ body = { re = "merger%s+plan" } }, t)
  no({ body = { re = "merger%s+plans" } }, t)
  yes({ body = lookup { plan = 1 } }, t)
  for at = most - 9, most + 1 do
    t = of(("x"):rep(at - 8) .. " merger \n\t plan " .. ("y "):rep(40000))
    yes({ body = "merger plan" }, t)
  end
  yes({ body = "a b" }, of("a" .. (" "):rep(4 * most) .. "b"))
  yes({ body = lookup { word = 1 } }, of(("x"):rep(5 * most) .. " word"))
  no({ body = lookup { x = 1 } }, of(("x"):rep(5 * most) .. " word"))
end)

test("subject, header: long ones are looked at as a whole", function()
  local long = ("filler "):rep(10000) .. "=?utf-8?Q?pl=61n?="
  yes({ subject = "plan" }, { subject = long })
  yes({ subject = { re = "plan$" } }, { subject = long })
  yes({ header = { name = "Subject", value = "*plan" } }, { subject = long })
  yes({ header = { name = "Subject", re = "plan$" } }, { subject = long })
end)

test("body: words and phrases, whole", function()
  local t = { mime = { text = "Our merger plan,\nconfidential." } }
  yes({ body = "merger PLAN" }, t)
  yes({ body = { text = "our merger plan, confidential" } }, t)
  yes({ body = { text = "Our  merger", case = true } }, t)
  no({ body = { text = "our merger", case = true } }, t)
  yes({ body = "merger*confidential" }, t)
  no({ body = "merge" }, t)
  yes({ body = { "nothing", "confidential" } }, t)
  yes({ body = { re = "plan,%s" } }, t)
  yes({ body = lookup { confidential = 1 } }, t)
  no({ body = lookup { get = 1 } }, t)
end)

test("a value can be a lookup or a function, beside texts", function()
  local when = { rcpt_domain = { "p.example", lookup { ["q.example"] = 1 },
    function(d) return d == "r.example" end } }
  for _, d in ipairs { "p", "q", "r" } do
    yes(when, { rcpt = { "x@" .. d .. ".example" } })
  end
  no(when, { rcpt = { "x@s.example" } })
  local got
  yes({ rcpt = function(v, msg, conn, rcpt)
    got = { v, msg.sender, conn.ip, rcpt.address }
    return true
  end }, { rcpt = { "X@p.example" } })
  check.eq(got, { "x@p.example", "a@us.example", "192.0.2.1", "X@p.example" })
end)

test("what a lookup raises is not taken for no", function()
  local dead = lookup(function() error("lookup down", 0) end)
  for _, when in ipairs { { rcpt_domain = dead }, { sender = dead },
    { client_ip = dead }, { subject = dead }, { body = dead },
    { header = { name = "Subject", value = dead } } } do
    check.eq(check.fails(fake.matches, when,
      { mime = { text = "x" }, subject = "x" }), "lookup down")
  end
end)

test("lookups are asked last, and only if the rest matches", function()
  local l, asked = lookup {}
  no({ rcpt_domain = l, sender = "nobody@us.example" })
  no({ client_name = l, subject = "other" })
  check.eq(asked, {})
  local w = fake.world()
  w.rule "r" { when = { rcpt_domain = l }, stop = true }
  w.send { rcpt = { "a@b.example" } }
  check.eq(asked, { "b.example" })
end)

test("what rules look at is read once for each message", function()
  local w = fake.world()
  for i = 1, 20 do
    w.rule("s" .. i) { when = { subject = "no" .. i }, stop = true }
    w.rule("h" .. i) { when = { header = { name = "X-A", value = "no" .. i } },
      stop = true }
  end
  local out = w.send { subject = "hello" }
  check.eq(fake.reads(out.object), { Subject = 1, ["X-A"] = 1 })
end)
