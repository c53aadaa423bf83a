-- conn, msg, rcpt, branch and attempt: what handlers and rules are given.
--
-- An object is a handle with the number of its event and a recipient's (from 0,
-- -1 for what is at hand); the program looks at the number each time, so that
-- an object which was kept for longer raises. What it tells is asked for when
-- it is read. Members of a class: a text is the name of a fact in
-- core/tbl/facts.h ("#name": as a number; "?name": yes or no, never nil), a
-- function is a method, and a function in braces computes the value.
--
-- objects.classes has the metatables of what the program makes itself.

local host = require "host"
local wording = require "wording"

local get, set, edit, fail = host.get, host.set, host.edit, host.fail

local objects = { classes = {} }

local function class(name, members)
  return {
    __name = name,
    __metatable = false,
    __index = host.index(name, members),
    __newindex = function(_, key)
      fail(("%s.%s cannot be assigned; a value to keep is a note"):format(name,
        tostring(key)))
    end,
    __pairs = function() fail(name .. " is no list") end,
  }
end

-- Another object of the same event.
local function new(meta, o, at) return host.new(meta, o, at or -1) end

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
local KNOWN = {}
for _, name in ipairs(ATTRIBUTES) do KNOWN[name] = true end

-- ("required", { match = "mx", deadline = "1d" }) as the facts have it
function objects.want(level, attributes)
  local word = LEVELS[level]
  if word == nil then
    fail(("%q is no level of TLS"):format(tostring(level)))
  end
  if attributes == nil or next(attributes) == nil then return word end
  for name in pairs(attributes) do
    if not KNOWN[name] then
      fail(("tls: there is no attribute %q"):format(tostring(name)))
    end
  end
  local words = { word }
  for _, name in ipairs(ATTRIBUTES) do
    local value = attributes[name]
    if type(value) == "table" then value = table.concat(value, ",") end
    if value ~= nil then
      value = tostring(value)
      if value == "" or value:find("[%s%c]") then
        fail(("tls: %s cannot be %q"):format(name, value))
      end
      words[#words + 1] = name .. "=" .. value
    end
  end
  return table.concat(words, " ")
end

-- Reads or raises the want that is that fact.
local function tls(name)
  return function(o, level, attributes)
    if level == nil then
      local want = get(o, name) or "opportunistic"
      return want:match("^%S+"), want
    end
    set(o, name, objects.want(level, attributes))
  end
end

local function line(what, value)
  if type(value) ~= "string" then
    fail(("%s is no string but a %s"):format(what, type(value)))
  end
  return value
end

local function route(name)
  return function(o, to) set(o, name, line("route", to)) end
end

-- ---- What message, recipient and branch have in common ---------------------

local common = {}

function common:note(name, value)
  name = "note." .. line("the note's name", name)
  if value == nil then return get(self, name) end
  set(self, name, tostring(value))
end

function common:header(name)
  return host.header(self, line("the field's name", name), 0)
end

function common:headers(name)
  local list = {}
  line("the field's name", name)
  while true do
    local value = host.header(self, name, #list)
    if value == nil then return list end
    list[#list + 1] = value
  end
end

function common:add_header(name, value)
  edit(self, "add", line("the field's name", name), 0,
    line("the field's value", value))
end

function common:insert_header(name, value)
  edit(self, "insert", line("the field's name", name), 0,
    line("the field's value", value))
end

function common:set_header(name, value)
  edit(self, "set", line("the field's name", name), 0,
    line("the field's value", value))
end

-- All of that name, from the last to the first.
function common:remove_header(name)
  local n = #common.headers(self, name)
  for i = n - 1, 0, -1 do
    edit(self, "delete", name, i)
  end
  return n
end

function common:hold(time)
  set(self, "message.hold", ("%d"):format(math.ceil(host.seconds(time))))
end

function common:quarantine(reason)
  set(self, "message.quarantine", line("the reason", reason or "by policy"))
end

common.tls = tls "rcpt.tls"
common.route = route "rcpt.route"

function common:bounce_profile(name)
  if name == nil then return get(self, "rcpt.bounce_profile") end
  set(self, "rcpt.bounce_profile", line("the bounce profile", name))
end

local function methods(own)
  for name, f in pairs(common) do
    if own[name] == nil then own[name] = f end
  end
  return own
end

-- ---- conn -----------------------------------------------------------------

-- Names with blanks between them, as a list.
local function words_of(text)
  local out = {}
  for name in text:gmatch("%S+") do out[#out + 1] = name end
  return out
end

local tls_meta = class("conn.tls", {
  version = "tls.version", cipher = "tls.cipher", bits = "#tls.bits",
  resumed = "?tls.resumed", cert = "tls.cert", sha256 = "tls.cert.sha256",
  why = "tls.cert.why", subject = "tls.cert.subject",
  issuer = "tls.cert.issuer",
  names = { function(o) return words_of(get(o, "tls.cert.names") or "") end },
  verified = { function(o) return get(o, "tls.cert") == "verified" end },
})

objects.classes.conn = class("conn", {
  id = "#icid", ip = "client.ip", port = "#client.port",
  name = "client.name", helo = "client.helo", listener = "listener",
  auth = "client.auth", host = "host", verified = "?client.verified",
  esmtp = "?client.esmtp", relay = "?client.relay",
  group = "client.group",
  tls = { function(o)
    if get(o, "tls.version") == nil then return nil end
    return new(tls_meta, o)
  end },
  note = common.note,
})

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
  return host.body_sub(self, math.max(from, 1), math.min(to, n))
end

function body_methods:find(pattern, from, plain)
  line("the pattern", pattern)
  from = from or 1
  if plain or not pattern:find("[%^%$%*%+%?%.%(%)%[%]%%%-]") then
    return host.body_find(self, pattern, from)
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
    text, at = host.body_line(self, at)
    return text
  end
end

local body_meta = class("body", body_methods)
body_meta.__len = function(o) return host.body_size(o) end

-- ---- rcpt -----------------------------------------------------------------

local rcpt_members = methods {
  address = "rcpt", domain = "rcpt.domain", localpart = "rcpt.local",
  mailbox = "rcpt.mailbox",
  index = "#rcpt.index",
}

function rcpt_members:branch(word)
  if word == nil then return get(self, "rcpt.branch") end
  set(self, "rcpt.branch", line("the word", word))
end

function rcpt_members:after(word, seconds)
  set(self, "rcpt.after", ("%s %d"):format(line("the word", word),
    math.ceil(host.seconds(seconds))))
end

function rcpt_members:drop() host.rcpt_drop(self) end

-- At "rcpt" there is one at hand.
local rcpt_meta = class("rcpt", rcpt_members)
objects.classes.rcpt = rcpt_meta

-- The recipients: list[1], list["a@b.example"], #list, ipairs(list).
local list_meta = host.list(rcpt_meta, function(list, key)
  if type(key) ~= "string" then return nil end
  local wanted = key:lower()
  for i = 1, #list do
    local rcpt = list[i]
    if rcpt.mailbox == wanted or rcpt.address:lower() == wanted then
      return rcpt
    end
  end
end)
list_meta.__name, list_meta.__metatable = "recipients", false
list_meta.__newindex = function() fail("recipients cannot be assigned") end
list_meta.__pairs = function(list) return ipairs(list) end

-- ---- msg ------------------------------------------------------------------

local msg_members = methods {
  id = "#mid", sender = "sender", sender_domain = "sender.domain",
  sender_local = "sender.local", sender_mailbox = "sender.mailbox",
  size = "#message.size", auth = "client.auth",
  direction = "direction", envid = "message.envid",
  smtputf8 = "?message.smtputf8", eightbit = "?message.8bit",
  require_tls = "?message.requiretls",
  generated = "?message.generated",
  recipients = { function(o)
    local list = host.kept(o)
    if list == nil then
      list = new(list_meta, o)
      host.kept(o, list)
    end
    return list
  end },
}
msg_members.route = nil

function msg_members:body() return new(body_meta, self, -1) end

function msg_members:add_recipient(address, options)
  local at = host.rcpt_add(self, line("the address", address),
    options ~= nil and options.quiet == true)
  return new(rcpt_meta, self, at)
end

function msg_members:remove_recipient(address)
  local rcpt = self.recipients[line("the address", address)]
  if rcpt == nil then return false end
  rcpt:drop()
  return true
end

function msg_members:notify(t)
  if type(t) ~= "table" then fail("notify: it takes a table") end
  host.notify(self, line("notify: to", t.to),
    line("notify: subject", t.subject), line("notify: text", t.text))
end

-- Of the table "mime", which answers about the message at hand.
local function mime(what)
  return objects.waits.lookup "mime":all(what)
end

function msg_members.attachments()
  local list = mime "attachments"
  for i, text in ipairs(list) do list[i] = _G.json.decode(text) end
  return list
end

function msg_members.text() return table.concat(mime "text", "\n") end
function msg_members.charset() return mime "charset"[1] end
function msg_members.charsets() return mime "charset" end

objects.classes.msg = class("msg", msg_members)

-- What a message shows its reader, at once: words are decoded, parts are those
-- of the table "mime".
function objects.parse(msg)
  return {
    from = _G.mail.address(msg:header("From") or ""),
    subject = wording.decode(msg:header("Subject") or ""),
    text = msg:text(), attachments = msg:attachments(),
    charsets = msg:charsets(),
  }
end

-- ---- branch and attempt ---------------------------------------------------

objects.classes.branch = class("branch", methods {
  id = "#mid", index = "#branch.index", count = "#branch.count",
  domain = "rcpt.domain",
})

local attempt_tls_meta = class("attempt.tls", {
  wanted = { function(o)
    return (get(o, "deliver.tls") or "opportunistic"):match("^%S+")
  end },
  got = "tls.version", peer = "tls.cert", why = "tls.cert.why",
  error = "deliver.reason",
})

-- attempt.tls.wanted reads, attempt:tls("required") raises: an object that is
-- called.
local raise = tls "deliver.tls"
attempt_tls_meta.__call = function(_, attempt, level, attributes)
  return raise(attempt, level, attributes)
end

objects.classes.attempt = class("attempt", {
  id = "#mid", dcid = "#dcid", sender = "sender", domain = "deliver.hop",
  mx = "deliver.host", ip = "deliver.ip", port = "#deliver.port",
  n = "#deliver.attempt", since = "#message.queued", code = "#deliver.code",
  status = "deliver.status", reply = "deliver.text", direction = "direction",
  require_tls = "?message.requiretls",
  -- "tls", or what the status code is about
  reason = { function(o)
    if get(o, "deliver.reason") ~= nil then return "tls" end
    return get(o, "deliver.status")
  end },
  tls = { function(o) return new(attempt_tls_meta, o) end },
  note = common.note,
  route = route "deliver.route",
  -- A verdict: it is given back now.
  expire = function(_, text)
    return objects.api.reject(550, "5.4.7", text or "given up by policy")
  end,
})

return objects
