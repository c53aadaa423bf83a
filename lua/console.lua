-- What `postern policy` asks: tests, traces, what is odd about the rules.
--
-- A question is a table with "ask" (sdk/engine/policy.h), the answer is what
-- console.ask() returns. A test drives the real program: host.drive() hands it
-- a request and gives the number to wait for.

local host = require "host"
local engine = require "engine"
local lint = require "lint"

local console = {}

local answer_of, dns_of = host.answer, host.dns
local lookup_of, http_of = host.lookup, host.http

-- A list stays one in JSON even if it is empty.
local function array(t) return _G.json.array(t) end

-- "policy.lua:7" as its file and line.
local function place(at, into)
  local file, line = tostring(at or ""):match("^(.*):(%d+)$")
  into.file, into.line = file or at, tonumber(line) or 0
  return into
end

-- ---- Tests ----------------------------------------------------------------

local function drive(what)
  local id = host.drive(what)
  repeat until host.yield(id) == id
  local _, _, items = answer_of(id)
  local answer = host.decode(items[1])
  if answer.error then host.fail(answer.error) end
  return answer
end

-- Words of posternstub(1); what is data is marked as such.
local function can(kind, words)
  drive { ["do"] = "can", kind = kind, words = words }
end

local function data(value) return { q = tostring(value) } end

local result_methods = {}
local result_meta = { __index = result_methods }

-- The recipient of that address, as it was treated.
function result_methods:rcpt(address)
  for _, r in ipairs(self.recipients) do
    if r.address:lower() == address:lower() then return r end
  end
  host.fail(("%s is no recipient of this message"):format(address))
end

-- The first field of that name, as that recipient (or the first one) gets it.
function result_methods:header(name, address)
  local r = address and self:rcpt(address) or self.recipients[1]
  for _, field in ipairs(r and r.header or {}) do
    if field[1]:lower() == name:lower() then return field[2] end
  end
end

-- What a delivery, or a report of one, is told.
local facts = { rcpt = true, host = true, ip = true, port = true, hop = true,
  attempt = true, code = true, status = true, text = true, reason = true,
  route = true, tls = true, want = true }

local function hand_on(self, hook, m)
  local what = { ["do"] = "deliver", hook = hook, rcpt = m.rcpt, facts = {} }
  if not self.last() then
    host.fail(hook .. ": another message was sent since")
  end
  for key, value in pairs(m) do
    if not facts[key] then
      host.fail(("%s: %q is nothing that a delivery has"):format(hook,
        tostring(key)))
    elseif key == "tls" then
      for k, v in pairs(value) do
        what.facts[k == "version" and "tls.version" or k == "cipher" and
          "tls.cipher" or k == "cert" and "tls.cert" or "tls.cert." .. k] = v
      end
    elseif key ~= "rcpt" then
      what.facts[key == "want" and "tls" or key] = value
    end
  end
  return drive(what)
end

-- An attempt: what the handlers for "deliver" make of it.
function result_methods:deliver(m) return hand_on(self, "deliver", m or {}) end

-- kind: queued, delivered, deferred, bounced.
function result_methods:report(kind, m)
  if kind == "deliver" then host.fail("report: deliver is none") end
  return hand_on(self, kind, m or {})
end

local function header_list(headers, message)
  local list, have = {}, {}
  for name, value in pairs(headers or {}) do
    local pair = type(name) == "number" and value or { name, value }
    list[#list + 1] = { tostring(pair[1]), tostring(pair[2]) }
    have[list[#list][1]:lower()] = true
  end
  if not (headers and headers[1]) then
    table.sort(list, function(a, b) return a[1] < b[1] end)
  end
  local function usual(name, value)
    if not have[name:lower()] then list[#list + 1] = { name, value } end
  end
  usual("From", "<" .. message.from .. ">")
  usual("To", "<" .. tostring(message.rcpt[1]) .. ">")
  usual("Subject", "test")
  return list
end

local known = { from = true, rcpt = true, headers = true, body = true,
  ip = true, name = true, helo = true, tls = true, auth = true,
  listener = true, relay = true, group = true, require_tls = true }

local test_methods = {}
local test_meta = { __index = test_methods }

function test_methods:send(m)
  local message = { ["do"] = "send", from = "sender@client.example" }
  for key, value in pairs(m) do
    if not known[key] then
      host.fail(("send: %q is nothing that a message has"):format(
        tostring(key)))
    end
    message[key] = value
  end
  if type(m.tls) == "table" then
    message.tls = {}
    for key, value in pairs(m.tls) do
      message.tls[key] = type(value) == "table" and
        table.concat(value, " ") or value
    end
  end
  if type(message.rcpt) == "string" then message.rcpt = { message.rcpt } end
  if type(message.rcpt) ~= "table" or #message.rcpt == 0 then
    host.fail("send: rcpt is an address or a list of them")
  end
  message.headers = header_list(m.headers, message)
  local r = drive(message)
  r.recipients, r.rcpt = r.rcpt, nil
  self.sent = self.sent + 1
  local number = self.sent
  r.last = function() return self.sent == number end
  return setmetatable(r, result_meta)
end

local function show(v)
  return type(v) == "string" and ("%q"):format(v) or tostring(v)
end

local function failure(self, text)
  self.failures[#self.failures + 1] = host.where() .. ": " .. text
end

function test_methods:eq(is, wanted, what)
  if is == wanted then return end
  failure(self, ("%s%s, not %s"):format(what and what .. ": " or "it is ",
    show(is), show(wanted)))
end

function test_methods:ok(is, what)
  if not is then failure(self, what or "it is not so") end
end

-- Every key of the table fails for now: "policy", or "sql policy".
function test_methods:fail(name)
  can("lookup", { name:match("(%S+)%s*$"), "*", "=", "fail" })
  return self
end

-- value: a text, a list of them, nil for none.
function test_methods:lookup(name, key, value)
  if type(key) == "table" then
    for k, v in pairs(key) do self:lookup(name, k, v) end
    return self
  end
  local words = { name, tostring(key), "=" }
  if type(value) ~= "table" then value = { value } end
  for _, v in ipairs(value) do words[#words + 1] = data(v) end
  if #words == 3 then words[4] = "none" end
  can("lookup", words)
  return self
end

local dns_words = { nxdomain = true, nodata = true, servfail = true,
  timeout = true, bogus = true }

-- value: a record, a list of them (secure = true in it), or a word: nxdomain,
-- nodata, servfail, timeout, bogus.
function test_methods:dns(name, kind, value)
  local words = { name, kind:upper() }
  if type(value) ~= "table" then value = { value } end
  for _, v in ipairs(value) do
    words[#words + 1] = dns_words[v] and v or data(v)
  end
  if #words == 2 then words[3] = "nodata" end
  if value.secure then words[#words + 1] = "secure" end
  can("dns", words)
  return self
end

-- code: a status, "fail" or "timeout".
function test_methods:http(url, code, body, method)
  can("http", { method or "GET", url, "=", tostring(code),
    body and data(body) or data("") })
  return self
end

-- Lets time pass.
function test_methods:pass(time)
  drive { ["do"] = "pass", ms = math.floor(host.seconds(time) * 1000) }
  return self
end

local function run_test(n)
  local test = engine.tests[n]
  local t = setmetatable({ failures = array {}, sent = 0 }, test_meta)
  local ok, why = pcall(test.f, t)
  if not ok then t.failures[#t.failures + 1] = tostring(why) end
  return { ok = #t.failures == 0, failures = t.failures, sent = t.sent }
end

-- ---- Traces ---------------------------------------------------------------

local seen, asked = {}, {}

local function plain(v)
  local kind = type(v)
  if kind == "string" or kind == "number" or kind == "boolean" then
    return v
  end
  return v ~= nil and show(v) or nil
end

local function note(t)
  local out = {}
  for key, value in pairs(t) do out[tostring(key)] = plain(value) end
  out.kind = "rule"
  seen[#seen + 1] = place(t.place, out)
end

local function remember(kind, name, key, f, ...)
  local id = f(...)
  asked[id] = { kind = kind, name = name, key = key }
  return id
end

local function heard(event, at, v)
  seen[#seen + 1] = place(at, { kind = "handler", event = event, place = at,
    said = engine.is_verdict(v) and v.word or v == nil and "nothing"
      or "a " .. type(v) .. ", which is no verdict" })
end

local function watch(on)
  host.watched(on)
  if engine.rules then engine.rules.trace = on and note or false end
  host.heard(on and heard or nil)
  if not on then
    host.answer, host.dns, host.lookup, host.http = answer_of, dns_of,
      lookup_of, http_of
    return
  end
  host.dns = function(name, kind)
    return remember("dns", name, kind, dns_of, name, kind)
  end
  host.lookup = function(name, key)
    return remember("lookup", name, key, lookup_of, name, key)
  end
  host.http = function(method, url, ...)
    return remember("http", url, method, http_of, method, url, ...)
  end
  host.answer = function(id)
    local status, err, items, ttl, secure, code = answer_of(id)
    local q = asked[id]
    asked[id] = nil
    if q then
      local values = array {}
      for i, v in ipairs(items or {}) do values[i] = tostring(v) end
      q.status, q.error, q.values, q.code = status, err, values, code
      seen[#seen + 1] = q
    end
    return status, err, items, ttl, secure, code
  end
end

-- ---- Questions ------------------------------------------------------------

local answers = {}

function answers.tests()
  local list = array {}
  for i, t in ipairs(engine.tests) do
    list[i] = place(t.place, { name = t.name })
  end
  return list
end

function answers.test(q)
  if engine.tests[q.n + 1] == nil then
    return { ok = false, failures = { "there is no such test" }, sent = 0 }
  end
  return run_test(q.n + 1)
end

function answers.lint(q)
  local list = array {}
  host.widen()
  local function tell(found)
    list[#list + 1] = place(found.place,
      { severity = found.severity, text = found.text })
  end
  for _, found in ipairs(lint.tables(engine.lookups, q.known)) do
    tell(found)
  end
  local rules = engine.rules
  for _, found in ipairs(rules and rules:lint(q.known, q.now) or {}) do
    tell(found)
  end
  return list
end

function answers.missing(q)
  host.widen()
  local found = lint.missing(engine.lookups, engine.rules, q.known, q.now)
  return found and place(found.place, { text = found.text }) or {}
end

function answers.rules(q)
  local list = array {}
  host.widen()
  for i, rule in ipairs(engine.rules and engine.rules:list(q.now) or {}) do
    list[i] = place(rule.place, { name = rule.name, when = rule.when,
      sets = rule.says, enabled = rule.enabled, expires = rule.expires,
      expired = rule.expired, description = rule.description,
      test = rule.test, stop = rule.stop })
  end
  return list
end

function answers.trace(q)
  seen, asked = array {}, {}
  watch(q.on)
  return {}
end

function answers.traced()
  local list = seen
  seen = array {}
  return list
end

function console.ask(question)
  local f = answers[question.ask]
  if f == nil then host.fail("there is no such question") end
  return f(question)
end

-- What C runs for an event of the command line.
function console.run()
  local answer = console.ask(host.question())
  host.reply(answer)
end

return console
