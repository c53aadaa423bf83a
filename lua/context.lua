-- What the rules know and have said of a message while they are asked.
--
--   local c = context.take(set, msg, conn, n)   n recipients; conn may be nil
--   context.give(set, c)                        behind it: it is used again
--
-- Objects of the program and lists by recipient are made when a rule first
-- needs them.

local conditions = require "conditions"

local context = {}

local MOST_NOTICES = 10

-- Made when a rule first needs them, and by recipient all of them.
local arrays = {}
for name in ([[route route_by bounce_profile bounce_profile_by hold hold_by
    redirect redirect_by insist insist_by raised apart guard group tag subject
    sent_to drop leaving stopped]]):gmatch "%S+" do
  arrays[name] = true
end

local methods = {}
local context_meta = {
  __index = function(c, name)
    if name == "conn" then
      c.conn, c.linked = c.env.conn(c.msg), true
      return c.conn
    end
    if not arrays[name] then return methods[name] end
    local list = {}
    c[name], c.used[#c.used + 1] = list, list
    return list
  end,
}

function methods:copy(to, rule, list, m)
  local who = {}
  for k = 1, m do who[k] = list[k] end
  self.copies = self.copies or {}
  self.copies[#self.copies + 1] = { to = to, who = who, place = rule.place }
  self.moves = true
end

function methods:names(list, m)
  local out = {}
  for k = 1, m do out[k] = self.rcpts[list[k]].address end
  return table.concat(out, ", ")
end

-- A report answers no report; a message makes so many notices at most. names:
-- who the rule is about, as far as the one who is told may know.
function methods:notify(rule, n, to, names)
  if to == nil or to == "" or self.msg.sender == "" then return end
  self.notices = (self.notices or 0) + 1
  if self.notices > MOST_NOTICES then
    if self.notices == MOST_NOTICES + 1 then
      self.env.log("warning", ('rule "%s" (%s): only %d notices are sent')
        :format(rule.name, rule.place, MOST_NOTICES))
    end
    return
  end
  self.msg:notify {
    to = to, subject = n.subject, text = n.text or
      ('A rule of the mail policy applied to this message.\n\n' ..
        'Rule: %s\nFrom: <%s>\nTo: %s\nSubject: %s\n'):format(rule.name,
        self.msg.sender, names,
        conditions.seen.subject(self)),
  }
end

-- What rules have said of a message: nothing yet.
local function forget(c)
  c.more, c.split, c.moves, c.tags, c.stops = false, false, false, false, false
  c.copies, c.notices, c.mates = false, false, false
  c.reply, c.reply_by, c.reply_say = false, false, false
end

-- Objects of recipients and of the connection are made when they are asked for.
local function new(set)
  local c = setmetatable({ env = set.env, seen = {}, saw = false, address = {},
    domain = {}, everybody = {}, hits = {}, found = {}, spare = {}, used = {},
    default = set.default_tls, dirty = false, linked = false,
    next = false }, context_meta)
  c.rcpts = setmetatable({}, { __index = function(t, i)
    local r = c.msg.recipients[i]
    c.met, t[i] = true, r
    return r
  end })
  c.met = false
  forget(c)
  return c
end

-- One for a message of n recipients.
function context.take(set, msg, conn, n)
  local c = set.free
  if c then
    set.free = c.next
  else
    c = new(set)
  end
  c.msg, c.n = msg, n
  if conn then c.conn, c.linked = conn, true end
  local everybody = c.everybody
  if not everybody[n] then
    for i = #everybody + 1, n do everybody[i] = i end
  end
  return c
end

local function clear(t)
  for k in pairs(t) do t[k] = nil end
end

-- Back into the pool, with nothing of the message in it.
function context.give(set, c)
  if c.met then
    for i = 1, c.n do
      c.rcpts[i], c.address[i], c.domain[i] = nil, nil, nil
    end
    c.met = false
  end
  local saw = c.saw
  if saw then
    if saw ~= true then
      c.seen[saw] = nil
    else
      clear(c.seen)
    end
    c.saw = false
  end
  if c.dirty then
    local used = c.used
    for k = 1, #used do
      local list = used[k]
      for i = 1, c.n do list[i] = nil end
    end
    c.dirty = false
    if c.more then forget(c) end
  end
  if c.linked then c.conn, c.linked = nil, false end
  c.msg = false
  -- One that was large is not kept beside another.
  if c.n <= 100 or not set.free then
    c.next = set.free
    set.free = c
  end
end

return context
