-- What is odd about a set of rules, found without a message.
--
--   lint.run(set, known, now)   a list of { place =, severity =, text = } in
--                   the order of the rules; severity is "error" (it can never
--                   do what it says), "warning" or "info"
--   lint.tables(lookups, known)   such a list of tables that are not there
--   lint.missing(lookups, set, known, now)   the first name for want of which
--                   mail would be put off, as { place =, text = }, or nil
--
-- known: lists of the names that the boot file has: route, bounce_profile,
-- listener, sender_group, lookup; nil: nobody knows them.
--
-- A rule covers another if whatever matches that one matches it: no condition
-- of its that the other does not imply. Lookups and functions imply nothing but
-- themselves. Rules are compared with those that can cover them only, so that
-- ten thousand rules for domains take no longer than a thousand walked ones.

local values = require "values"
local want = require "want"

local lint = {}

local function parents(name)
  local at = 0
  return function()
    at = name:find(".", at + 1, true)
    return at and name:sub(at + 1)
  end
end

local function set_of(list)
  local out = {}
  for _, k in ipairs(list or {}) do out[k] = true end
  return out
end

-- Is the domain (suffix: all that is below it) within these?
local function inside(keys, name, suffix)
  local exact, below = set_of(keys.exact), set_of(keys.suffix)
  if suffix and below[name] or not suffix and exact[name] then return true end
  for parent in parents(name) do
    if below[parent] then return true end
  end
  return false
end

local function subset(a, b)
  for _, name in ipairs(b.exact) do
    if not inside(a, name, false) then return false end
  end
  for _, name in ipairs(b.suffix or {}) do
    if not inside(a, name, true) then return false end
  end
  return true
end

local function same(a, b)
  if a == b then return true end
  if not (values.plain(a) and values.plain(b)) then return false end
  for k, v in pairs(a) do
    if not same(v, b[k]) then return false end
  end
  for k in pairs(b) do
    if a[k] == nil then return false end
  end
  return true
end

local function domain_of(address)
  return address:match("@([^@]*)$") or ""
end

local domain_field = { rcpt = "rcpt_domain", sender = "sender_domain" }

-- Does a condition follow from one of those of the other rule?
local function follows(cond, others)
  for _, o in ipairs(others) do
    if o.field == cond.field then
      if cond.keys and o.keys then
        if subset(cond.keys, o.keys) then return true end
      elseif same(values.list(cond.value), values.list(o.value)) then
        return true
      elseif cond.field == "size_over" or cond.field == "recipients_over" then
        if (values.octets(cond.value) or 0) <= (values.octets(o.value) or 0)
        then return true end
      elseif cond.field == "size_under" then
        if (values.octets(cond.value) or 0) >= (values.octets(o.value) or 0)
        then return true end
      end
    elseif cond.field == domain_field[o.field] and cond.keys and o.keys then
      local all = true
      for _, a in ipairs(o.keys.exact) do
        if not inside(cond.keys, domain_of(a), false) then all = false end
      end
      if all then return true end
    end
  end
  return false
end

local function covers(a, b)
  if a.until_time and not (b.until_time and b.until_time <= a.until_time) then
    return false
  end
  for _, cond in ipairs(a.of) do
    if not follows(cond, b.of) then return false end
  end
  for _, cond in ipairs(a.about) do
    if not follows(cond, b.about) then return false end
  end
  return true
end

local function find(list, field)
  for _, cond in ipairs(list) do
    if cond.field == field then return cond end
  end
end

-- Nothing matches both: of these addresses none is in these domains.
local function apart(address, domain)
  if not (address and domain and address.keys and domain.keys) then
    return false
  end
  for _, a in ipairs(address.keys.exact) do
    if inside(domain.keys, domain_of(a), false) then return false end
  end
  return true
end

local function never(rule)
  local of = rule.of
  local over, under = find(of, "size_over"), find(of, "size_under")
  if over and under and
      values.octets(over.value) + 1 >= values.octets(under.value) then
    return "nothing is over size_over and under size_under"
  elseif apart(find(rule.about, "rcpt"), find(rule.about, "rcpt_domain")) then
    return "no address of rcpt is in rcpt_domain"
  elseif apart(find(of, "sender"), find(of, "sender_domain")) then
    return "no address of sender is in sender_domain"
  end
  local tls, cert = find(of, "client_tls"), find(of, "client_cert")
  if tls and cert and tls.value == false and
      (cert.value == true or cert.value == "verified") then
    return "without TLS there is no client certificate"
  end
  local seen
  for _, cond in ipairs(of) do
    if cond.field == "direction" and type(cond.value) == "string" then
      if seen and seen ~= cond.value then
        return "direction is inbound and outbound at once"
      end
      seen = cond.value
    end
  end
end

local function alone(rule, now, tell)
  local why = never(rule)
  if why then tell("error", "it never matches: " .. why) end
  if not rule.enabled then tell("info", "it is not enabled") end
  if rule.until_time and now >= rule.until_time then
    tell("warning", "it has expired on " .. rule.expires)
  end
  local t = rule.tls
  if not t then return end
  if t.level == "none" or t.level == "opportunistic" then
    tell("warning", ("tls %s raises nothing: rules never lower TLS")
      :format(t.level))
  end
  if #rule.about == 0 and (t.others == "same" or t.strict_first) then
    tell("info", "others and strict_first say nothing: no condition is " ..
      "about recipients, so all of them match")
  end
end

-- As the relay reads it (core/relay/route.c): one word without a port.
local function names_block(route)
  if route:find(" ", 1, true) or route:sub(1, 3):lower() == "mx:" then
    return false
  elseif route:sub(1, 1) == "[" then
    return (route:find("]", 1, true) or #route) == #route
  end
  return not route:find(":", 1, true)
end

-- By list: each is asked for many names.
local sets = setmetatable({}, { __mode = "k" })

local function names_of(list, caseless)
  local set = sets[list]
  if not set then
    set = {}
    for _, k in ipairs(list) do set[caseless and k:lower() or k] = true end
    sets[list] = set
  end
  return set
end

-- What is wrong with the name, or nil.
local function missing(known, kind, what, name, caseless)
  if not (known and known[kind]) then return nil end
  local set = names_of(known[kind], caseless)
  if set[caseless and name:lower() or name] then return nil end
  local near = values.near(name, set)
  return ('there is no %s "%s"%s'):format(what, name,
    near and (' (did you mean "%s"?)'):format(near) or "")
end

local function unknown(rule, known, tell)
  local route, profile = rule.route_name, rule.profile_name
  local why = route and names_block(route) and
    missing(known, "route", "route", route, true)
  if why then tell("error", why) end
  why = profile and missing(known, "bounce_profile", "bounce_profile", profile)
  if why then tell("error", why) end
  for _, cond in ipairs(rule.of) do
    if cond.field == "listener" or cond.field == "sender_group" then
      for _, name in ipairs(values.list(cond.value)) do
        why = type(name) == "string" and
          missing(known, cond.field, cond.field, name)
        if why then tell("warning", why) end
      end
    end
  end
end

function lint.tables(lookups, known)
  local out = {}
  for _, l in ipairs(lookups) do
    local why = missing(known, "lookup", "table", l.name)
    if why then
      out[#out + 1] = { place = l.place, severity = "error",
        text = "lookup: " .. why }
    end
  end
  return out
end

-- A rule that is not asked puts off nothing.
function lint.missing(lookups, set, known, now)
  local first = lint.tables(lookups, known)[1]
  for _, rule in ipairs(set and set.active or {}) do
    if first then break end
    if not (rule.until_time and now >= rule.until_time) then
      unknown(rule, known, function(severity, text)
        if severity == "error" and not first then
          first = { place = rule.place,
            text = ('rule "%s": %s'):format(rule.name, text) }
        end
      end)
    end
  end
  return first
end

local refusing = { reject = true, tempfail = true, discard = true }

local function acts(rule)
  local out = {}
  for _, a in ipairs(rule.acts) do out[a.name] = a.say end
  return out
end

local function field_text(list)
  local out = {}
  for i, cond in ipairs(list) do out[i] = cond.field end
  return table.concat(out, ", ")
end

-- What rule b loses because a stands above it and covers it.
local function behind(a, b, tell)
  local name = ('rule "%s" (%s)'):format(a.name, a.place)
  if a.stop then
    tell("error", ("it is never reached: %s matches all it would match, " ..
      "and stops"):format(name))
    return true
  elseif refusing[a.reply] and (#a.about == 0 or a.reply ~= "discard") then
    tell("error", ("it has no effect: %s matches all it would match, and " ..
      "says %s"):format(name, a.reply))
    return true
  end
  local above, below = acts(a), acts(b)
  for _, k in ipairs { "route", "hold", "reply", "redirect",
      "bounce_profile" } do
    if above[k] and below[k] then
      tell(above[k] == below[k] and "info" or "warning",
        ("%s is never used: %s comes first with %s"):format(below[k], name,
          above[k]))
    end
  end
  if a.tls and b.tls and want.compare(b.tls.level, a.tls.level) < 0 and
      not (b.tls.others == "same" and a.tls.others ~= "same") then
    tell("info", ("tls %s raises nothing: %s says %s"):format(b.tls.level,
      name, a.tls.level))
  end
  if covers(b, a) and #b.of + #b.about > 0 then
    tell("info", ("%s has the same conditions (%s)"):format(name,
      field_text(b.of) .. (#b.of > 0 and #b.about > 0 and ", " or "") ..
      field_text(b.about)))
  end
  return false
end

-- The rules above number that can cover it: the walked ones, and those that the
-- table has under its first name or, for an address, its domain.
local function candidates(walked, by, rule, number)
  local out = {}
  local function take(list)
    for _, n in ipairs(list or {}) do
      if n < number then out[#out + 1] = n end
    end
  end
  take(walked)
  for _, list in ipairs { rule.of, rule.about } do
    for _, cond in ipairs(list) do
      local first = cond.keys and
        (cond.keys.exact[1] or (cond.keys.suffix or {})[1])
      if first then
        local fields = { cond.field, domain_field[cond.field] }
        for _, field in ipairs(fields) do
          local name = field == cond.field and first or domain_of(first)
          local index = by[field]
          take(index and index.exact[name])
          take(index and index.suffix[name])
          for parent in parents(name) do
            take(index and index.suffix[parent])
          end
        end
      end
    end
  end
  return out
end

-- What must be compared: a rule that says nothing that could hide another one
-- hides none.
local function may_hide(rule)
  return rule.stop or rule.reply or rule.tls or #rule.acts > 0
end

local MOST_WALKED = 200

function lint.run(set, known, now)
  local out, walked = {}, {}
  for _, number in ipairs(set.walk) do
    if #walked < MOST_WALKED and may_hide(set.active[number]) then
      walked[#walked + 1] = number
    end
  end
  local numbers = {}
  for number, rule in ipairs(set.active) do numbers[rule] = number end
  for _, rule in ipairs(set.all) do
    local function tell(severity, text)
      out[#out + 1] = { place = rule.place, severity = severity,
        text = ('rule "%s": %s'):format(rule.name, text) }
    end
    alone(rule, now, tell)
    unknown(rule, known, tell)
    local number = numbers[rule]
    local done = {}
    for _, n in ipairs(number and
        candidates(walked, set.index, rule, number) or {}) do
      local above = set.active[n]
      if not done[n] and covers(above, rule) then
        if behind(above, rule, tell) then break end
      end
      done[n] = true
    end
  end
  return out
end

return lint
