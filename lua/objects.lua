-- conn, msg, rcpt, branch and attempt: what handlers and rules are given.
--
-- An object is a small table with the number of its event; what it tells is
-- asked for when it is read, by the names of core/tbl/facts.h. The program
-- looks at the number each time, so that an object which was kept for longer
-- raises. at: the recipient's number from 0, -1 for what is at hand.

local host = require "host"

local get, set, edit, fail = host.get, host.set, host.edit, host.fail

local objects = {}
local EVENT, AT, KEPT = {}, {}, {}

local function yes(text) return text == "yes" end

local function fact(name, convert)
  return function(o)
    local value = get(o[EVENT], o[AT], name)
    if value == nil then return nil end
    if convert ~= nil then return convert(value) end
    return value
  end
end

local function class(name, fields, methods)
  return {
    __name = name,
    __metatable = false,
    __index = function(o, key)
      local method = methods[key]
      if method ~= nil then return method end
      local field = fields[key]
      if field ~= nil then return field(o) end
      fail(("%s has no field %q"):format(name, tostring(key)))
    end,
    __newindex = function(_, key)
      fail(("%s.%s cannot be assigned; a value to keep is a note"):format(name,
        tostring(key)))
    end,
    __pairs = function() fail(name .. " is no list") end,
  }
end

local function new(meta, event, at)
  return setmetatable({ [EVENT] = event, [AT] = at }, meta)
end

-- ---- Words ----------------------------------------------------------------

local LEVELS = { none = "none", opportunistic = "opportunistic",
  preferred = "preferred", ["preferred-verify"] = "preferred-verify",
  required = "required", ["required-verify"] = "required-verify",
  ["preferred-verify-hosted"] = "preferred-verify-hosted",
  ["required-verify-hosted"] = "required-verify-hosted",
  forced = "forced",
  may = "opportunistic", encrypt = "required", secure = "required-verify" }
local ATTRIBUTES = { "match", "names", "pin", "ca", "min", "ciphers", "groups",
  "deadline", "warn_after" }
objects.levels = LEVELS

-- ("required", { match = "mx", deadline = "1d" }) as the facts have it
function objects.want(level, attributes)
  if type(level) ~= "string" or LEVELS[level] == nil then
    fail(("%q is no level of TLS"):format(tostring(level)))
  end
  local words, known = { LEVELS[level] }, {}
  for _, name in ipairs(ATTRIBUTES) do
    local value = (attributes or known)[name]
    known[name] = true
    if type(value) == "table" then value = table.concat(value, ",") end
    if value ~= nil then
      value = tostring(value)
      if value == "" or value:find("[%s%c]") then
        fail(("tls: %s cannot be %q"):format(name, value))
      end
      words[#words + 1] = name .. "=" .. value
    end
  end
  for name in pairs(attributes or {}) do
    if not known[name] then
      fail(("tls: there is no attribute %q"):format(tostring(name)))
    end
  end
  return table.concat(words, " ")
end

local function put(o, name, value)
  set(o[EVENT], o[AT], name, value)
end

-- Reads or raises the want that is that fact.
local function tls(name)
  return function(o, level, attributes)
    if level == nil then
      local want = get(o[EVENT], o[AT], name) or "opportunistic"
      return want:match("^%S+"), want
    end
    put(o, name, objects.want(level, attributes))
  end
end

local function line(what, value)
  if type(value) ~= "string" then
    fail(("%s is no string but a %s"):format(what, type(value)))
  end
  return value
end

local function route(name)
  return function(o, to) put(o, name, line("route", to)) end
end

-- ---- What message, recipient and branch have in common ---------------------

local common = {}

function common:note(name, value)
  name = "note." .. line("the note's name", name)
  if value == nil then return get(self[EVENT], self[AT], name) end
  put(self, name, tostring(value))
end

function common:header(name)
  return host.header(self[EVENT], self[AT], line("the field's name", name), 0)
end

function common:headers(name)
  local list = {}
  line("the field's name", name)
  while true do
    local value = host.header(self[EVENT], self[AT], name, #list)
    if value == nil then return list end
    list[#list + 1] = value
  end
end

function common:add_header(name, value)
  edit(self[EVENT], self[AT], "add", line("the field's name", name), 0,
    line("the field's value", value))
end

function common:insert_header(name, value)
  edit(self[EVENT], self[AT], "insert", line("the field's name", name), 0,
    line("the field's value", value))
end

function common:set_header(name, value)
  edit(self[EVENT], self[AT], "set", line("the field's name", name), 0,
    line("the field's value", value))
end

-- All of that name, from the last to the first.
function common:remove_header(name)
  local n = #common.headers(self, name)
  for i = n - 1, 0, -1 do
    edit(self[EVENT], self[AT], "delete", name, i)
  end
  return n
end

function common:hold(time)
  put(self, "message.hold", ("%d"):format(math.ceil(host.seconds(time))))
end

function common:quarantine(reason)
  put(self, "message.quarantine", line("the reason", reason or "by policy"))
end

common.tls = tls "rcpt.tls"
common.route = route "rcpt.route"

local function methods(own)
  for name, f in pairs(common) do
    if own[name] == nil then own[name] = f end
  end
  return own
end

-- ---- conn -----------------------------------------------------------------

local tls_meta = class("conn.tls", {
  version = fact "tls.version", cipher = fact "tls.cipher",
  bits = fact("tls.bits", math.tointeger), resumed = fact("tls.resumed", yes),
  cert = fact "tls.cert", sha256 = fact "tls.cert.sha256",
  why = fact "tls.cert.why",
  verified = function(o)
    return get(o[EVENT], o[AT], "tls.cert") == "verified"
  end,
}, {})

local conn_fields = {
  id = fact("icid", math.tointeger),
  ip = fact "client.ip", port = fact("client.port", math.tointeger),
  name = fact "client.name", helo = fact "client.helo",
  listener = fact "listener", auth = fact "client.auth",
  host = fact "host",
  tls = function(o)
    if get(o[EVENT], o[AT], "tls.version") == nil then return nil end
    return new(tls_meta, o[EVENT], o[AT])
  end,
}
-- What is either so or not is never nil.
for name, its in pairs { verified = "client.verified", esmtp = "client.esmtp",
    relay = "client.relay" } do
  conn_fields[name] = function(o) return yes(get(o[EVENT], o[AT], its)) end
end
local conn_meta = class("conn", conn_fields, { note = common.note })

function objects.conn(event) return new(conn_meta, event, -1) end

-- ---- The body -------------------------------------------------------------

-- A slice of the message: positions count from 1, as in strings.
local body_methods = {}

-- string.find() and match() look at so much.
local WINDOW = 65536

function body_methods:sub(from, to)
  local n = #self
  from, to = from or 1, to or -1
  if from < 0 then from = math.max(n + from + 1, 1) end
  if to < 0 then to = n + to + 1 end
  return host.body_sub(self[EVENT], math.max(from, 1), math.min(to, n))
end

function body_methods:find(pattern, from, plain)
  line("the pattern", pattern)
  from = from or 1
  if plain or not pattern:find("[%^%$%*%+%?%.%(%)%[%]%%%-]") then
    return host.body_find(self[EVENT], pattern, from)
  end
  if #self > WINDOW then
    fail("a pattern against a body of more than 64 KB: look for plain text, "
      .. "or through lines(), or in a sub()")
  end
  return self:sub():find(pattern, from)
end

function body_methods:lines()
  local at = 1
  return function()
    local text
    text, at = host.body_line(self[EVENT], at)
    return text
  end
end

local body_meta = class("body", {}, body_methods)
body_meta.__len = function(o) return host.body_size(o[EVENT]) end

-- ---- rcpt -----------------------------------------------------------------

local rcpt_methods = methods {}

function rcpt_methods:branch(word)
  if word == nil then return get(self[EVENT], self[AT], "rcpt.branch") end
  put(self, "rcpt.branch", line("the word", word))
end

function rcpt_methods:after(word, seconds)
  put(self, "rcpt.after", ("%s %d"):format(line("the word", word),
    math.ceil(host.seconds(seconds))))
end

function rcpt_methods:drop() host.rcpt_drop(self[EVENT], self[AT]) end

local rcpt_meta = class("rcpt", {
  address = fact "rcpt", domain = fact "rcpt.domain",
  localpart = fact "rcpt.local", index = fact("rcpt.index", math.tointeger),
}, rcpt_methods)

-- The recipients: list[1], list["a@b.example"], #list, ipairs(list).
local list_meta = {
  __name = "recipients",
  __metatable = false,
  __len = function(o)
    return math.tointeger(get(o[EVENT], -1, "message.rcpts")) or 0
  end,
  __newindex = function() fail("recipients cannot be assigned") end,
}

function list_meta.__index(o, key)
  local kept = o[KEPT]
  if math.type(key) == "integer" then
    if key < 1 or key > #o then return nil end
    kept[key] = kept[key] or new(rcpt_meta, o[EVENT], key - 1)
    return kept[key]
  end
  if type(key) ~= "string" then return nil end
  local wanted = key:lower()
  for i = 1, #o do
    if o[i].address:lower() == wanted then return o[i] end
  end
end

function list_meta.__pairs(o) return ipairs(o) end

-- ---- msg ------------------------------------------------------------------

local msg_fields = {
  id = fact("mid", math.tointeger),
  sender = fact "sender", sender_domain = fact "sender.domain",
  sender_local = fact "sender.local",
  size = fact("message.size", math.tointeger),
  auth = fact "client.auth", direction = fact "direction",
  envid = fact "message.envid",
}
for name, its in pairs { smtputf8 = "message.smtputf8",
    eightbit = "message.8bit", generated = "message.generated" } do
  msg_fields[name] = function(o) return yes(get(o[EVENT], o[AT], its)) end
end

function msg_fields.recipients(o)
  if not o[KEPT] then
    o[KEPT] = setmetatable({ [EVENT] = o[EVENT], [KEPT] = {} }, list_meta)
  end
  return o[KEPT]
end

local msg_methods = methods {}
msg_methods.route = nil

function msg_methods:body() return new(body_meta, self[EVENT], -1) end

function msg_methods:add_recipient(address, options)
  local at = host.rcpt_add(self[EVENT], line("the address", address),
    options ~= nil and options.quiet == true)
  return new(rcpt_meta, self[EVENT], at)
end

function msg_methods:remove_recipient(address)
  local rcpt = self.recipients[line("the address", address)]
  if rcpt == nil then return false end
  rcpt:drop()
  return true
end

function msg_methods:notify(t)
  if type(t) ~= "table" then fail("notify: it takes a table") end
  host.notify(self[EVENT], line("notify: to", t.to),
    line("notify: subject", t.subject), line("notify: text", t.text))
end

-- Of the table "mime", which answers about the message at hand.
local function mime(what)
  return objects.waits.lookup "mime":all(what)
end

function msg_methods.attachments()
  local list = mime "attachments"
  for i, text in ipairs(list) do list[i] = _G.json.decode(text) end
  return list
end

function msg_methods.text() return table.concat(mime "text", "\n") end
function msg_methods.charset() return mime "charset"[1] end

local msg_meta = class("msg", msg_fields, msg_methods)

function objects.msg(event)
  return setmetatable({ [EVENT] = event, [AT] = -1, [KEPT] = false },
    msg_meta)
end

-- Where there is one at hand: at "rcpt".
function objects.rcpt(event) return new(rcpt_meta, event, -1) end

-- ---- branch and attempt ---------------------------------------------------

local branch_meta = class("branch", {
  id = fact("mid", math.tointeger),
  index = fact("branch.index", math.tointeger),
  count = fact("branch.count", math.tointeger),
  domain = fact "rcpt.domain",
}, methods {})

function objects.branch(event) return new(branch_meta, event, -1) end

local attempt_tls_meta = class("attempt.tls", {
  wanted = function(o)
    return (get(o[EVENT], -1, "deliver.tls") or "opportunistic"):match("^%S+")
  end,
  got = fact "tls.version", peer = fact "tls.cert",
  why = fact "tls.cert.why", error = fact "deliver.reason",
}, {})

local attempt_fields = {
  id = fact("mid", math.tointeger), dcid = fact("dcid", math.tointeger),
  sender = fact "sender", domain = fact "deliver.hop",
  mx = fact "deliver.host", ip = fact "deliver.ip",
  port = fact("deliver.port", math.tointeger),
  n = fact("deliver.attempt", math.tointeger),
  since = fact("message.queued", math.tointeger),
  code = fact("deliver.code", math.tointeger),
  status = fact "deliver.status", reply = fact "deliver.text",
  direction = fact "direction",
  -- "tls", or what the status code is about
  reason = function(o)
    if get(o[EVENT], -1, "deliver.reason") ~= nil then return "tls" end
    return get(o[EVENT], -1, "deliver.status")
  end,
}

-- attempt.tls.wanted reads, attempt:tls("required") raises: a table that is
-- called.
local raise = tls "deliver.tls"
attempt_tls_meta.__call = function(_, attempt, level, attributes)
  return raise(attempt, level, attributes)
end
attempt_fields.tls = function(o) return new(attempt_tls_meta, o[EVENT], -1) end

local attempt_meta = class("attempt", attempt_fields, {
  note = common.note,
  route = route "deliver.route",
  -- A verdict: it is given back now.
  expire = function(_, text)
    return objects.api.reject(550, "5.4.7", text or "given up by policy")
  end,
})

function objects.attempt(event) return new(attempt_meta, event, -1) end

return objects
