-- What is done with a message when every rule was asked: the default TLS, the
-- branches, tags, copies, and who no longer gets it.
--
--   finish.run(c)   c: what context.lua makes
--
-- Branches (requirements 3.3): recipients that a rule with others =
-- "opportunistic" has matched stand apart from the rest, and from each other if
-- their wants differ in the end. Their words are tls-1, tls-2 and so on, in the
-- order of the recipients. If all recipients of a message end with the same
-- want there is nothing to tell apart.

local wording = require "wording"

local finish = {}

local function raise_default(c)
  local want, text, raised = c.env.want, c.default.want, c.dirty and c.raised
  for i = 1, c.n do
    if not raised or not raised[i] then want(c.msg, i, text) end
  end
end

-- The word of a recipient's branch gets more if it has one already.
local function set_branch(rcpt, word)
  local old = rcpt:branch()
  rcpt:branch(old and old .. "-" .. word or word)
  return old and old .. "-" .. word or word
end

-- What the want demands of a connection: how long it is insisted on is no
-- reason to tell recipients apart.
local function demand(c, i)
  local text = c.env.want(c.msg, i)
  if not text:find(" ", 1, true) then return text end
  return (text:gsub(" deadline=%S+", ""):gsub(" warn_after=%S+", ""))
end

-- { guard =, word = } in the order of their first recipients; nil if everybody
-- wants the same.
local function groups(c)
  local list, by, same, one = {}, {}, true, nil
  for i = 1, c.n do
    local text = demand(c, i)
    if one == nil then one = text end
    if text ~= one then same = false end
    if c.apart[i] then
      local g = by[text]
      if not g then
        g = { guard = 0, word = "tls-" .. #list + 1 }
        by[text] = g
        list[#list + 1] = g
      end
      if (c.guard[i] or 0) > g.guard then g.guard = c.guard[i] end
      c.group[i] = g
    end
  end
  return not same and list or nil
end

-- Guarded groups go one behind the other, and everybody else behind the last:
-- nobody's copy leaves before each of them had its TLS.
local function split(c)
  local list = groups(c)
  if not list then return end
  local last, wait = nil, 0
  for i = 1, c.n do
    local g = c.group[i]
    if g then
      local word = set_branch(c.rcpts[i], g.word)
      if not g.named then g.named = word end
    end
  end
  for _, g in ipairs(list) do
    if g.guard > 0 then
      g.after, g.wait = last, wait
      last, wait = g.named, g.guard
    end
  end
  for i = 1, c.n do
    local g = c.group[i]
    if not g or g.guard == 0 then
      if last then c.rcpts[i]:after(last, wait) end
    elseif g.after then
      c.rcpts[i]:after(g.after, g.wait)
    end
  end
end

local function tagged(tag, subject)
  if not subject or subject == "" then return tag end
  -- An answer to what was tagged has the tag already.
  local seen = wording.decode(subject):sub(1, 32768)
  if seen:find(wording.decode(tag), 1, true) then return nil end
  return tag .. " " .. subject
end

-- A subject that takes no tag is no reason to put the message off.
local function set_subject(c, o, tag, subject)
  local text = tagged(tag, subject)
  if not text then return end
  local value = wording.wrap(text, #"Subject: ")
  if not value or not pcall(o.set_header, o, "Subject", value) then
    c.env.log("warning", ("tag %s: the subject cannot be changed"):format(tag))
  end
end

local function tag(c)
  local one, all = c.tag[1], true
  for i = 1, c.n do
    if c.tag[i] ~= one or c.subject[i] ~= c.subject[1] then all = false end
  end
  if all and not one then return end
  local subject = c.msg:header("Subject")
  if all then
    return set_subject(c, c.msg, one, c.subject[1] or subject)
  end
  for i = 1, c.n do
    if c.tag[i] then
      set_subject(c, c.rcpts[i], c.tag[i], c.subject[i] or subject)
    end
  end
end

-- A copy travels under the strictest level of those it is a copy for (FRC-3);
-- not under their names and pins, which are other hosts'.
local function level_of(c, who)
  local most
  for _, i in ipairs(who) do
    local level = c.rcpts[i]:tls()
    if not most or level > most then most = level end
  end
  return most
end

local function add_copy(c, has, to, level, place)
  local key = to:lower()
  if has[key] then return end
  has[key] = true
  if c.env.at then c.env.at(place) end
  local rcpt = c.msg:add_recipient(to, { quiet = true })
  if level and level ~= "none" then rcpt:tls(level) end
end

local function move(c)
  local has, new = {}, {}
  for i = 1, c.n do
    if not c.sent_to[i] and not c.drop[i] then
      has[c.rcpts[i].address:lower()] = true
    end
  end
  for i = 1, c.n do
    local goes = c.sent_to[i]
    for _, a in ipairs(goes and goes.to or {}) do
      new[#new + 1] = { a, level_of(c, { i }), goes.place }
    end
  end
  for _, copy in ipairs(c.copies or {}) do
    local level = level_of(c, copy.who)
    for _, a in ipairs(copy.to) do
      new[#new + 1] = { a, level, copy.place }
    end
  end
  -- Of several reasons for one address the strictest level counts.
  local strictest = {}
  for _, v in ipairs(new) do
    local key = v[1]:lower()
    if not strictest[key] or v[2] > strictest[key] then
      strictest[key] = v[2]
    end
  end
  for i = 1, c.n do
    local key = c.rcpts[i].address:lower()
    local goes = c.sent_to[i]
    for _, a in ipairs(goes and goes.to or {}) do
      -- Redirected to where it goes anyway.
      if a:lower() == key then goes, has[key] = nil, true end
    end
    if goes or c.drop[i] then c.leaving[i] = true end
  end
  for _, v in ipairs(new) do
    add_copy(c, has, v[1], strictest[v[1]:lower()], v[3])
  end
  for i = 1, c.n do
    if c.leaving[i] then
      local goes = c.sent_to[i]
      if goes and c.env.at then c.env.at(goes.place) end
      c.rcpts[i]:drop()
    end
  end
end

function finish.run(c)
  if c.default then raise_default(c) end
  if not c.more then return end
  if c.split then split(c) end
  if c.tags then tag(c) end
  if c.moves then move(c) end
end

return finish
