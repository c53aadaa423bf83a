-- rule "name" { when = …, tls = …, … }: the declarative half of a policy.
--
--   local set = rules.new(env)
--   set.rule, set.default   the policy's globals of these names
--   set:seal()              the policy's file has run: compiles the index
--   set:empty()             there is nothing to ask
--   set:filter()            by field, exact and suffix: without one of these
--                           names in a message no rule applies; nil: one might
--   set:message(msg, conn, n)  asks all rules; a verdict or nil; n: how many
--                           recipients, if that is known
--   set.brief               none of them takes long, or calls what is not ours
--   set:list(now)           the rules, for people: name, place, when and says
--                           as texts, …
--   set:lint(known, now)    what is odd about them: { place, severity, text };
--                           known: see lint; now: seconds since 1970, else
--                           env.now()
--   set.trace = f           f{ rule, place, matched, field, value, recipients,
--                           says, text }, for each rule that is asked; false
--
-- env is what the rules need of the program:
--   env.where()        place of the policy's line ("policy.lua:7") that called
--   env.verdict(v)     "reject" and a text for people, if v is one; else nil
--   env.re(p, caseless)  f(s) for a regular expression; raises if it is none
--   env.log(level, text), env.alert{}, env.now() (seconds since 1970)
--   env.count(name, by)  optional: a metric
--   env.spent()          optional: instructions used by this event so far
--   env.at(place)        optional: the rule at work, for errors
--   env.conn(msg)        its connection, where message() was given none
--   env.want(msg, i)     the TLS want of recipient i, as text
--   env.want(msg, i, w)  raises it to w
--   env.found(msg, hits, found, spare)  optional: instead of gather(), below,
--                        unless it returns false
--
-- Meaning (requirements 3.3, policy.md 4.1; postern-policy(7) for people):
-- All matching rules apply, top down. A rule with conditions about recipients
-- is about those that match, others about all. TLS combines by maximum; route,
-- hold and reply: the first one wins, a later other one is logged. `stop` keeps
-- the recipients that matched from the rules below.
--
-- Cost: a rule whose recipients or sender are plain names is found through a
-- table, whatever their number; the rest is walked. Nothing is made for each
-- message but what matches needs. An event that waits (a lookup) keeps its
-- context to itself; one that fails loses it.

local actions = require "actions"
local conditions = require "conditions"
local context = require "context"
local finish = require "finish"
local lint = require "lint"
local saying = require "saying"
local values = require "values"

local rules = {}

local set_methods = {}
local set_meta = { __index = set_methods }

-- Rules that have metrics of their own: an instance may have 100. Those below
-- share one.
local MOST_METRICS = 20
-- Alternatives of a condition in a rule that runs without a watch.
local MOST_BRIEF = 16

local scope = { sender_domain = true, direction = true }
local plain_fields = { when = true, expires = true, description = true,
  enabled = true }

local fields = {}
for _, t in ipairs { actions.known, scope, plain_fields } do
  for k in pairs(t) do fields[k] = true end
end

-- Loading -------------------------------------------------------------------

local function bare(rule, spec, fail)
  for _, k in ipairs(values.sorted(spec)) do
    if type(k) ~= "string" then
      fail(("%s: fields have names"):format(tostring(k)))
    elseif not fields[k] then
      local hint = conditions.known[k] and
        ("; it is a condition: when = { %s = … }"):format(k) or ""
      fail((hint ~= "" and ('"%s" is no field'):format(k) or
        values.unknown(k, fields, "field")) .. hint)
    end
  end
  if spec.description ~= nil and type(spec.description) ~= "string" then
    fail("description: a text")
  end
  if spec.enabled ~= nil and type(spec.enabled) ~= "boolean" then
    fail("enabled: true or false")
  end
  if spec.expires ~= nil then
    rule.until_time = values.day(spec.expires)
    if not rule.until_time then
      fail('expires: a date, as "2026-12-31"')
    end
  end
  rule.description = spec.description
  rule.expires = spec.expires
  rule.enabled = spec.enabled ~= false
end

-- The condition by which a table finds the rule: the fewest names of the field
-- that says most.
local key_order = { "rcpt", "rcpt_domain", "sender", "sender_domain" }

local function choose_key(rule)
  for _, field in ipairs(key_order) do
    for _, list in ipairs { rule.about, rule.of } do
      for _, cond in ipairs(list) do
        if cond.field == field and cond.keys then return cond end
      end
    end
  end
end

local function insert(list, cond)
  local at = #list + 1
  while at > 1 and cond.cost < list[at - 1].cost do
    list[at] = list[at - 1]
    at = at - 1
  end
  list[at] = cond
end

local function conditions_of(rule, spec, env, fail)
  local when = spec.when
  if when == nil then when = {} end
  if not values.plain(when) then fail("when: a table of conditions") end
  rule.of, rule.about = {}, {} -- message, recipients
  local function one(field, value)
    local cond = conditions.compile(field, value, env, fail)
    insert(cond.of == "rcpt" and rule.about or rule.of, cond)
  end
  for _, field in ipairs(values.sorted(when)) do
    if type(field) ~= "string" then
      fail("when: conditions have names: { rcpt_domain = … }")
    end
    one(field, when[field])
  end
  for _, field in ipairs(values.sorted(scope)) do
    if spec[field] ~= nil then one(field, spec[field]) end
  end
  rule.key = choose_key(rule)
  -- Texts to look through, lookups, functions.
  local last = { rule.of[#rule.of], rule.about[#rule.about] }
  for _, cond in pairs(last) do
    if cond.cost >= 3 then rule.slow = true end
  end
  rule.rest_of, rule.rest_about = {}, {}
  for _, cond in ipairs(rule.of) do
    if cond ~= rule.key then rule.rest_of[#rule.rest_of + 1] = cond end
  end
  for _, cond in ipairs(rule.about) do
    if cond ~= rule.key then rule.rest_about[#rule.rest_about + 1] = cond end
  end
end

-- Are there few alternatives in what is left to be looked at?
local function few(rule)
  for _, list in ipairs { rule.rest_of, rule.rest_about } do
    for _, cond in ipairs(list) do
      local all = values.list(cond.value)
      if #all > MOST_BRIEF then return false end
      for _, v in ipairs(all) do
        if type(v) == "table" then return false end
      end
    end
  end
  return true
end

local function compile(set, name, place, spec)
  local function fail(why)
    error(('%s: rule "%s": %s'):format(place, name, why), 0)
  end
  if not values.plain(spec) then fail("a table of fields is meant") end
  local rule = { name = name, place = place, tried = 0, matched = 0,
    spent = 0 }
  bare(rule, spec, fail)
  conditions_of(rule, spec, set.env, fail)
  actions.compile(rule, spec, set.env, fail)
  rule.brief = rule.brief and not rule.slow and few(rule)
  -- Nothing but its conditions about the message is to be looked at.
  rule.plain = not rule.slow and not rule.until_time and #rule.rest_about == 0
  -- Matching all recipients it leaves nothing to be done at the end.
  rule.simple = rule.tls ~= nil and #rule.acts == 1 and not rule.stop
  if #rule.acts == 0 and not rule.stop then fail("it has no action") end
  return rule
end

function rules.new(env)
  local set = setmetatable({ env = env, all = {}, active = {}, names = {},
    free = false, trace = false, default_tls = false }, set_meta)
  -- Keep the line of `rule "name"` apart from that of what follows.
  set.rule = function(name)
    local place = env.where()
    if type(name) ~= "string" or name == "" or #name > 200 or
        name:find("%c") then
      error(place .. ': rule: a name is meant: rule "name" { … }', 0)
    elseif set.names[name] then
      error(('%s: rule "%s" is there twice: see %s'):format(place, name,
        set.names[name]), 0)
    elseif set.sealed then
      error(place .. ": rule: only while the policy is loaded", 0)
    end
    set.names[name] = place
    set.pending = { name = name, place = place }
    return function(spec)
      set.pending = nil
      local rule = compile(set, name, place, spec)
      set.all[#set.all + 1] = rule
    end
  end
  set.default = function(spec)
    local place = env.where()
    local function fail(why) error(place .. ": " .. why, 0) end
    if not values.plain(spec) then
      fail("default: { tls =, hold = } is meant")
    elseif set.default_tls then
      fail("default is there twice: see " .. set.default_place)
    end
    set.default_tls = actions.default(spec, fail)
    set.default_place = place
  end
  return set
end

-- The index -----------------------------------------------------------------

local function file(t, key, number)
  local list = t[key]
  if not list then
    list = {}
    t[key] = list
  end
  list[#list + 1] = number
end

local function slug(name)
  return (name:lower():gsub("[^a-z0-9]+", "_"):gsub("^_+", ""):sub(1, 20)
    :gsub("_+$", ""))
end

local function name_metrics(active)
  local taken = { others = true }
  for i, rule in ipairs(active) do
    local name = "others"
    if i <= MOST_METRICS then
      name = slug(rule.name)
      if name == "" or taken[name] then name = name .. "_" .. i end
      taken[name] = true
    end
    rule.metric = "rule_" .. name .. "_matches"
    rule.metric_spent = "rule_" .. name .. "_steps"
  end
end

function set_methods:seal()
  if self.pending then
    error(('%s: rule "%s": its table is missing'):format(self.pending.place,
      self.pending.name), 0)
  end
  self.sealed = true
  self.walk = {}
  local index = {}
  for _, field in ipairs(key_order) do
    index[field] = { exact = {}, suffix = {} }
  end
  for _, rule in ipairs(self.all) do
    if rule.enabled then
      local number = #self.active + 1
      self.active[number] = rule
      if rule.key then
        local where = index[rule.key.field]
        for _, k in ipairs(rule.key.keys.exact) do
          file(where.exact, k, number)
        end
        for _, k in ipairs(rule.key.keys.suffix or {}) do
          file(where.suffix, k, number)
        end
      else
        self.walk[#self.walk + 1] = number
      end
    end
  end
  for _, field in ipairs(key_order) do
    local where = index[field]
    where.any_exact = next(where.exact) ~= nil
    where.any_suffix = next(where.suffix) ~= nil
    where.any = where.any_exact or where.any_suffix
  end
  self.index = index
  self.keyed = #self.walk < #self.active
  self.brief = true
  for _, rule in ipairs(self.active) do
    if not rule.brief then self.brief = false end
  end
  name_metrics(self.active)
end

function set_methods:empty()
  return #self.active == 0 and not self.default_tls
end

function set_methods:filter()
  if #self.walk > 0 or self.default_tls then return nil end
  return self.index
end

-- Which rules, and for whom ---------------------------------------------------

local function spare(c)
  local list = c.spare
  local n = #list
  local t = list[n]
  if t == nil then return {} end
  list[n] = nil
  return t
end

local function hit(c, list, i)
  for k = 1, #list do
    local number = list[k]
    local h = c.hits[number]
    if h == nil then
      h = spare(c)
      c.hits[number] = h
      c.found[#c.found + 1] = number
    end
    if i and h[#h] ~= i then h[#h + 1] = i end
  end
end

-- The rules of a name, and of the domains it is below.
local function look_up(c, where, name, i)
  local list = where.exact[name]
  if list then hit(c, list, i) end
  if not where.any_suffix then return end
  local at = name:find(".", 1, true)
  while at do
    list = where.suffix[name:sub(at + 1)]
    if list then hit(c, list, i) end
    at = name:find(".", at + 1, true)
  end
end

local function gather(set, c)
  local there = set.env.found
  if there and there(c.msg, c.hits, c.found, c.spare) then return end
  local index = set.index
  if index.sender.any then
    look_up(c, index.sender, conditions.seen.sender(c))
  end
  if index.sender_domain.any then
    look_up(c, index.sender_domain, conditions.seen.sender_domain(c))
  end
  local by_rcpt, by_domain = index.rcpt, index.rcpt_domain
  for i = 1, c.n do
    if by_rcpt.any then
      look_up(c, by_rcpt, conditions.rcpt_address(c, i), i)
    end
    if by_domain.any then
      look_up(c, by_domain, conditions.rcpt_domain(c, i), i)
    end
  end
end

-- Asking --------------------------------------------------------------------

-- The recipients that the rule is about; nil and the condition and value that
-- were against it.
local function recipients(c, rule, list, m, traced)
  local conds = traced and rule.about or rule.rest_about
  if #conds == 0 and not c.stops then return list, m end
  local out, n, cond_r, value_r = spare(c), 0, nil, nil
  for k = 1, m do
    local i = list[k]
    local ok = not c.stopped[i]
    for j = 1, ok and #conds or 0 do
      local cond = conds[j]
      local value = cond.get(c, i)
      if not cond.test(c, value, i) then
        ok, cond_r, value_r = false, cond, value
        break
      end
    end
    if ok then
      n = n + 1
      out[n] = i
    end
  end
  for k = n + 1, #out do out[k] = nil end
  if n > 0 then return out, n end
  c.spare[#c.spare + 1] = out
  return nil, cond_r or { field = "stop" }, value_r
end

local function applies(set, c, rule, found)
  local traced = set.trace
  rule.tried = rule.tried + 1
  if rule.slow and set.env.at then set.env.at(rule.place) end
  if rule.until_time and set.env.now() >= rule.until_time then
    if traced then
      saying.told(set, c, rule, { field = "expires" }, rule.expires)
    end
    return nil
  end
  local conds = traced and rule.of or rule.rest_of
  for k = 1, #conds do
    local cond = conds[k]
    local value = cond.get(c)
    if not cond.test(c, value) then
      if traced then saying.told(set, c, rule, cond, value) end
      return nil
    end
  end
  local list, m = c.everybody, c.n
  if found and #found > 0 then list, m = found, #found end
  local value
  list, m, value = recipients(c, rule, list, m, traced)
  if traced then
    if list then
      saying.told(set, c, rule, nil, nil, list, m)
    else
      saying.told(set, c, rule, m, value)
    end
  end
  return list, m
end

local function carry_out(set, c, rule, list, m)
  local env, acts, all = set.env, rule.acts, m == c.n
  c.dirty = true
  if not (all and rule.simple) then c.more = true end
  if env.at then env.at(rule.place) end
  rule.matched = rule.matched + 1
  for k = 1, #acts do acts[k].run(c, rule, list, m, all) end
  if rule.stop then
    c.stops = true
    for k = 1, m do c.stopped[list[k]] = true end
  end
  if env.count then env.count(rule.metric, 1) end
end

-- What is used is measured where it can be more than a few steps.
local function measured(set, c, rule, found)
  local env = set.env
  local before = env.spent()
  local list, m = applies(set, c, rule, found)
  if list then carry_out(set, c, rule, list, m) end
  local spent = env.spent() - before
  rule.spent = rule.spent + spent
  if spent > 0 and env.count then
    env.count(rule.metric_spent, spent)
  end
  return list, m
end

local function try(set, c, number)
  local rule = set.active[number]
  local found = c.hits[number]
  local list, m
  if rule.plain and not set.trace and not c.stops then
    rule.tried = rule.tried + 1
    local conds = rule.rest_of
    for k = 1, #conds do
      local cond = conds[k]
      if not cond.test(c, cond.get(c)) then return end
    end
    if found and found[1] then
      carry_out(set, c, rule, found, #found)
    else
      carry_out(set, c, rule, c.everybody, c.n)
    end
    return
  end
  if rule.slow and set.env.spent then
    list, m = measured(set, c, rule, found)
  else
    list, m = applies(set, c, rule, found)
    if list then carry_out(set, c, rule, list, m) end
  end
  if list and list ~= c.everybody and list ~= found then
    for i = m, 1, -1 do list[i] = nil end
    c.spare[#c.spare + 1] = list
  end
end

-- Those that were found and those that are walked, top down.
local function ask_all(set, c)
  if set.trace then
    for number = 1, #set.active do try(set, c, number) end
    return
  end
  local walk, found = set.walk, c.found
  if not set.keyed then
    for number = 1, #walk do try(set, c, number) end
    return
  end
  gather(set, c)
  if found[2] then table.sort(found) end
  local a, b = 1, 1
  local x, y = walk[1], found[1]
  while x or y do
    if not y or (x and x < y) then
      try(set, c, x)
      a = a + 1
      x = walk[a]
    else
      try(set, c, y)
      b = b + 1
      y = found[b]
    end
  end
  for k = #found, 1, -1 do
    local h = c.hits[found[k]]
    c.hits[found[k]], found[k] = nil, nil
    for i = #h, 1, -1 do h[i] = nil end
    c.spare[#c.spare + 1] = h
  end
end

local refusing = { reject = true, tempfail = true, discard = true }

function set_methods:message(msg, conn, n)
  n = n or #msg.recipients
  if n == 0 then return nil end
  local c = context.take(self, msg, conn, n)
  ask_all(self, c)
  local reply
  if c.more or c.default then
    reply = c.reply or nil
    if not (reply and refusing[(self.env.verdict(reply))]) then
      finish.run(c)
    end
  end
  context.give(self, c)
  return reply
end

function set_methods:lint(known, now)
  return lint.run(self, known, now or self.env.now())
end

function set_methods:list(now)
  local out = {}
  now = now or self.env.now()
  for i, rule in ipairs(self.all) do
    local when = {}
    for _, list in ipairs { rule.about, rule.of } do
      for _, cond in ipairs(list) do
        when[#when + 1] = cond.field .. " = " .. saying.shown(cond.value)
      end
    end
    out[i] = { name = rule.name, place = rule.place, says = saying.says(rule),
      when = table.concat(when, ", "), description = rule.description,
      expires = rule.expires, enabled = rule.enabled,
      expired = rule.until_time ~= nil and now >= rule.until_time,
      test = rule.test or false, stop = rule.stop or false,
      tried = rule.tried, matched = rule.matched, spent = rule.spent }
  end
  return out
end

return rules
