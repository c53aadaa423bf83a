-- Objects as the engine gives them to rules, which write down what is done to
-- them. What the real ones do not have raises here as well.

local rules = require "rules"

local fake = {}

-- Matchers take as much as in a sandbox.
for _, name in ipairs { "find", "match", "gmatch", "gsub" } do
  local f = string[name]
  rawset(string, name, function(s, ...)
    if #s > 65536 then
      error(("a subject of %d octets: patterns take 65536"):format(#s), 2)
    end
    return f(s, ...)
  end)
end

local rank = { ["none"] = 0, ["opportunistic"] = 1, ["preferred"] = 2,
  ["preferred-verify"] = 3, ["required"] = 4, ["required-verify"] = 5 }
local base = { forced = "required-verify",
  ["required-verify-hosted"] = "required-verify",
  ["preferred-verify-hosted"] = "preferred-verify" }

local function class(name, methods)
  return {
    __metatable = false,
    __index = function(o, k)
      if methods[k] then return methods[k] end
      local v = rawget(o, "facts")[k]
      if v ~= nil then return v end
      if rawget(o, "known")[k] then return nil end
      error(("%s has no field %q"):format(name, tostring(k)), 2)
    end,
    __newindex = function(_, k)
      error(name .. "." .. k .. " is assigned", 2)
    end,
  }
end

local function words(text)
  local out = {}
  for w in text:gmatch("%S+") do out[w] = true end
  return out
end

local function record(name, field)
  return function(o, ...)
    local done = rawget(o, "done")
    done[field or name] = done[field or name] or {}
    table.insert(done[field or name], select("#", ...) == 1 and (...) or
      table.concat({ ... }, ": "))
  end
end

local function methods(own)
  for _, name in ipairs { "add_header", "set_header", "remove_header", "hold",
    "quarantine" } do
    own[name] = record(name)
  end
  return own
end

local rcpt_methods = methods {
  route = record "route", bounce_profile = record "bounce_profile",
  drop = record "drop", after = record "after",
  branch = function(o, word)
    local done = rawget(o, "done")
    if word == nil then return done.branch end
    done.branch = word
  end,
  tls = function(o, word, attributes)
    local done = rawget(o, "done")
    if word == nil then
      local text = done.tls or "opportunistic"
      local level = text:match("^%S+")
      return base[level] or level, text
    end
    local keys, text = {}, word
    for k in pairs(attributes or {}) do keys[#keys + 1] = k end
    table.sort(keys)
    for _, k in ipairs(keys) do
      text = text .. " " .. k .. "=" .. attributes[k]
    end
    local level = base[word] or word
    local old = done.tls and (base[done.tls:match("^%S+")] or
      done.tls:match("^%S+"))
    if not old or rank[level] > rank[old] then done.tls = text end
  end,
}
local rcpt_meta = class("rcpt", rcpt_methods)

local function rcpt(address)
  return setmetatable({ done = {}, known = words "address domain localpart",
    facts = { address = address, mailbox = address:lower(),
      localpart = address:match("^(.*)@"),
      domain = address:match("@([^@]*)$"):lower() } }, rcpt_meta)
end

local msg_meta = class("msg", methods {
  header = function(o, name) return o:headers(name)[1] end,
  headers = function(o, name)
    local out = {}
    rawget(o, "reads")[name] = (rawget(o, "reads")[name] or 0) + 1
    for _, h in ipairs(rawget(o, "header_list")) do
      if h[1]:lower() == name:lower() then out[#out + 1] = h[2] end
    end
    return out
  end,
  charsets = function(o) return rawget(o, "mime").charsets or {} end,
  attachments = function(o) return rawget(o, "mime").attachments or {} end,
  text = function(o) return rawget(o, "mime").text or "" end,
  notify = record "notify",
  add_recipient = function(o, address, options)
    local r = rcpt(address)
    rawget(r, "done").quiet = options and options.quiet
    table.insert(rawget(o, "added"), r)
    return r
  end,
})
local conn_meta = class("conn", {})
local tls_meta = class("conn.tls", {})

-- { from =, rcpt = { … }, headers = { { name, value } }, conn = {}, … }
function fake.message(t)
  t = t or {}
  local list = {}
  for i, a in ipairs(t.rcpt or { "x@other.example" }) do list[i] = rcpt(a) end
  local from = t.from or "a@us.example"
  local msg = setmetatable({
    done = {}, added = {}, reads = {},
    header_list = t.headers or { { "Subject", t.subject or "hello" } },
    mime = t.mime or {},
    known = words "id size auth direction generated",
    facts = { recipients = list, sender = from,
      sender_mailbox = from:lower(), size = t.size or 1000,
      sender_domain = from:match("@([^@]*)$") or "",
      direction = t.direction or "outbound" },
  }, msg_meta)
  local facts = {}
  for k, v in pairs(t.conn or {}) do facts[k] = v end
  if facts.tls then
    facts.tls = setmetatable({ facts = facts.tls, done = {},
      known = words("version cipher cert sha256 verified bits " ..
        "subject issuer names why") }, tls_meta)
  end
  facts.ip = facts.ip or "192.0.2.1"
  local conn = setmetatable({ facts = facts, done = {},
    known = words "ip name helo listener group auth tls relay" }, conn_meta)
  return msg, conn
end

function fake.done(o) return rawget(o, "done") end
function fake.added(msg) return rawget(msg, "added") end
function fake.reads(msg) return rawget(msg, "reads") end

-- A named lookup; a function instead of a table is asked.
function fake.lookup(t)
  local asked = {}
  return setmetatable({}, { __metatable = false, __index = {
    contains = function(_, key)
      asked[#asked + 1] = key
      if type(t) == "function" then return t(key) end
      return t[key] ~= nil
    end,
  } }), asked
end

local verdict_meta = { __metatable = false }
local function verdict(word)
  return function(code)
    return setmetatable({ word = word, code = code }, verdict_meta)
  end
end
for _, word in ipairs { "accept", "reject", "tempfail", "discard",
  "quarantine", "disconnect" } do
  fake[word] = verdict(word)
end

-- A rule set in a world of its own: w.set, w.logs, w.alerts, w.counts.
function fake.world()
  local w = { logs = {}, alerts = {}, counts = {}, time = 1000, line = 0 }
  w.env = {
    where = function()
      w.line = w.line + 1
      return "policy.lua:" .. w.line
    end,
    verdict = function(v)
      local word = type(v) == "table" and rawget(v, "word")
      return word, word and v.code and word .. " " .. v.code or word
    end,
    re = function(p, caseless)
      string.find("", p)
      if p:find("^%(%?") then error("no pattern of Lua has that") end
      return function(s)
        if caseless then s, p = s:lower(), p:lower() end
        return s:find(p) ~= nil
      end
    end,
    log = function(level, text) table.insert(w.logs, level .. ": " .. text) end,
    alert = function(a) table.insert(w.alerts, a) end,
    now = function() return w.time end,
    want = function(msg, i, text)
      local r = msg.recipients[i]
      if text == nil then return (select(2, r:tls())) end
      local attributes = {}
      for k, v in text:gmatch("([%w_]+)=(%S+)") do attributes[k] = v end
      r:tls(text:match("^%S+"), attributes)
    end,
    count = function(name, by) w.counts[name] = (w.counts[name] or 0) + by end,
  }
  w.set = rules.new(w.env)
  w.rule = w.set.rule
  -- Sends a message and gives what came of it, by recipient.
  function w.send(t)
    if not w.set.sealed then w.set:seal() end
    local msg, conn = fake.message(t)
    local verdict_r = w.set:message(msg, conn)
    local out = { msg = fake.done(msg), added = {}, object = msg,
      verdict = verdict_r and rawget(verdict_r, "word") }
    for _, r in ipairs(msg.recipients) do out[r.address] = fake.done(r) end
    for i, r in ipairs(fake.added(msg)) do
      out.added[i] = r.address
      out["+" .. r.address] = fake.done(r)
    end
    return out
  end
  -- Does this rule's condition match this message?
  return w
end

-- Does `when` match?
function fake.matches(when, t)
  local w = fake.world()
  w.rule "r" { when = when, reply = fake.accept() }
  return w.send(t).verdict == "accept"
end

-- What is said when such a rule is loaded.
function fake.refusal(spec)
  local w = fake.world()
  local ok, why = pcall(w.rule "r", spec)
  if ok then error("it was taken", 2) end
  return why
end

return fake
