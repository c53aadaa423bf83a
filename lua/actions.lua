-- What a rule does to a message: the fields beside `when`, checked at load.
--
--   actions.compile(rule, spec, env, fail)
--
-- fills in the rule: rule.acts, a list of { name =, say =, run = f(c, rule,
-- list, m, all) }, in the order in which they are carried out; rule.tls (want,
-- unheld: it without hold, level, hold, others, whole_domain, strict_first);
-- rule.reply, its kind; rule.stop; rule.brief: it takes a few steps for each
-- recipient. list has the numbers of the m recipients that the rule is about,
-- all: these are all there are. say is a text for the log and lists of rules.
--
-- What changes who gets the message (redirect, bcc, a discard for some), the
-- tags and the branches are only noted in c, and carried out by finish.lua when
-- every rule was asked.

local conditions = require "conditions"
local values = require "values"
local want = require "want"
local wording = require "wording"

local actions = {}

local function text(field, v, fail)
  if type(v) ~= "string" or v == "" or v:find("[%c]") then
    fail(field .. ": a text of one line")
  end
  return v
end

local function flag(field, v, fail)
  if type(v) ~= "boolean" then fail(field .. ": true or false") end
  return v
end

local function seconds(field, v, fail)
  local s = values.seconds(v)
  if not s then fail(field .. ': a time, as "24h" or "1d12h"') end
  return s
end

local function address(field, v, fail)
  if type(v) ~= "string" or not v:find("^[^@%s%c]+@[^@%s%c]+$") then
    fail(('%s: "%s" is no address'):format(field, tostring(v)))
  end
  return v
end

local function known_fields(field, v, known, fail)
  for _, k in ipairs(values.sorted(v)) do
    if not known[k] then fail(values.unknown(k, known, field .. ":")) end
  end
end

-- A later rule has something else to say about what the first one settled.
local function conflict(c, rule, field, who, value, first, by)
  if first == value then return end
  c.env.log("info", ('rule "%s" (%s): %s %s for %s is not used: rule "%s" ' ..
    'says %s'):format(rule.name, rule.place, field, value, who, by, first))
end

-- The first one wins, for each recipient.
local function first_wins(field, value, apply)
  local name = field .. "_by"
  return function(c, rule, list, m)
    local said, by = c[field], c[name]
    for k = 1, m do
      local i = list[k]
      if said[i] == nil then
        said[i], by[i] = value, rule.name
        apply(c, i)
      else
        conflict(c, rule, field, c.rcpts[i].address, value, said[i], by[i])
      end
    end
  end
end

local function add(rule, name, say, run)
  rule.acts[#rule.acts + 1] = { name = name, say = say, run = run }
end

-- TLS ---------------------------------------------------------------------

local function tls_text(spec, fail)
  local v = spec.tls
  if spec.tls_match ~= nil then
    local m = spec.tls_match
    local t = {}
    if v == nil then fail("tls_match says nothing without tls") end
    if type(v) == "string" then
      t.level = v:match("^%S+")
      for k, x in v:gmatch("([%w_]+)=(%S+)") do t[k] = x end
    elseif values.plain(v) then
      for k, x in pairs(v) do t[k] = x end
    end
    if t.match or t.names then fail("tls_match: tls has a match already") end
    if values.plain(m) or (type(m) == "string" and m:find(".", 1, true)) then
      t.match, t.names = "names", m
    else
      t.match = m
    end
    v = t
  end
  local read, level, _, attributes = want.read(v)
  if not read then fail("tls: " .. level) end
  return { want = read, unheld = read, level = level, attributes = attributes }
end

-- Everybody of a domain of which one matched (requirements D5).
local function whole_domains(c, list, m)
  local mates = c.mates
  if not mates then
    mates = {}
    for i = 1, c.n do
      local domain = conditions.rcpt_domain(c, i)
      local with = mates[domain]
      if not with then
        with = {}
        mates[domain] = with
      end
      with[#with + 1] = i
    end
    c.mates = mates
  end
  local done, out, n = {}, {}, 0
  for k = 1, m do
    local domain = conditions.rcpt_domain(c, list[k])
    if not done[domain] then
      done[domain] = true
      for _, i in ipairs(mates[domain]) do
        n = n + 1
        out[n] = i
      end
    end
  end
  return out, n
end

-- The hold of the first rule that has one counts, for each recipient.
local function raise(c, rule, i)
  local t = rule.tls
  local said = t.want
  if t.hold then
    local insist = c.insist
    if insist[i] == nil then
      insist[i], c.insist_by[i] = t.hold, rule.name
    else
      said = t.unheld
      if insist[i] ~= t.hold then
        conflict(c, rule, "hold", c.rcpts[i].address, t.hold .. "s",
          insist[i] .. "s", c.insist_by[i])
      end
    end
  end
  c.env.want(c.msg, i, said)
  if c.default then c.raised[i] = true end
end

local function run_tls(c, rule, list, m, all)
  local t = rule.tls
  if not all and t.others ~= "same" and t.whole_domain then
    list, m = whole_domains(c, list, m)
    all = m == c.n
  end
  if all or t.others == "same" then
    for i = 1, c.n do raise(c, rule, i) end
    return
  end
  for k = 1, m do
    local i = list[k]
    raise(c, rule, i)
    c.apart[i] = true
    if t.strict_first and (c.guard[i] or 0) < t.strict_first then
      c.guard[i] = t.strict_first
    end
  end
  c.split = true
end

local others_words = { opportunistic = true, same = true }

local function compile_tls(rule, spec, fail)
  for _, k in ipairs { "tls_match", "others", "whole_domain",
    "strict_first" } do
    if spec[k] ~= nil and spec.tls == nil then
      fail(k .. " says nothing without tls")
    end
  end
  if spec.tls == nil then return end
  local t = tls_text(spec, fail)
  t.others, t.whole_domain = "opportunistic", true
  if spec.others ~= nil then
    if not others_words[spec.others] then
      fail(values.unknown(spec.others, others_words, "others"))
    end
    t.others = spec.others
  end
  if spec.whole_domain ~= nil then
    t.whole_domain = flag("whole_domain", spec.whole_domain, fail)
  end
  if spec.hold ~= nil then
    t.hold = seconds("hold", spec.hold, fail)
    if t.hold < 1 or t.hold > 366 * 86400 then
      fail("hold: with tls a time from 1s to 366d")
    elseif t.attributes.deadline then
      fail("hold: tls has a deadline already")
    elseif t.level == "none" then
      fail("hold says nothing under tls none")
    end
    t.want = ("%s deadline=%ds"):format(t.want, t.hold)
  end
  if spec.strict_first ~= nil and spec.strict_first ~= false then
    if t.others == "same" then
      fail('strict_first says nothing under others = "same"')
    elseif not want.demands(t.level) then
      fail("strict_first needs a level that demands TLS")
    end
    t.strict_first = spec.strict_first == true and (t.hold or 86400) or
      seconds("strict_first", spec.strict_first, fail)
    if t.strict_first < 1 then fail("strict_first: at least 1s") end
  end
  rule.tls = t
  add(rule, "tls", "tls " .. t.want, run_tls)
end

-- Header --------------------------------------------------------------------

local function header_name(field, v, fail)
  if type(v) ~= "string" or not v:find("^[\33-\57\59-\126]+$") or #v > 100 then
    fail(('%s: "%s" is no name of a header field'):format(field, tostring(v)))
  end
  return v
end

local function header_value(field, v, fail)
  if type(v) == "function" then return v end
  if type(v) ~= "string" or v:find("[%c]") then
    fail(field .. ": the value is a text of one line or a function")
  elseif #v > 990 then
    fail(field .. ": the value has more than 990 characters")
  elseif not wording.ascii(v) then
    fail(field .. ": the value has characters beyond ASCII: write it as " ..
      "encoded words (RFC 2047)")
  end
  return v
end

-- { name =, value = }, a list of them, or { ["X-Name"] = value, … }.
local function header_list(field, v, fail)
  if not values.plain(v) or next(v) == nil then
    fail(field .. ': { ["X-Name"] = "value" } or { name =, value = }')
  end
  local out = {}
  local function one(name, value)
    out[#out + 1] = { name = header_name(field, name, fail),
      value = header_value(field, value, fail) }
  end
  if v[1] ~= nil then
    for _, h in ipairs(v) do
      if not values.plain(h) then
        fail(field .. ": a list of { name =, value = }")
      end
      known_fields(field, h, { name = true, value = true }, fail)
      one(h.name, h.value)
    end
  elseif v.name ~= nil and v.value ~= nil then
    known_fields(field, v, { name = true, value = true }, fail)
    one(v.name, v.value)
  else
    for _, name in ipairs(values.sorted(v)) do one(name, v[name]) end
  end
  return out
end

local function valued(c, value)
  if type(value) ~= "function" then return value end
  local v = value(c.msg, c.conn)
  if type(v) ~= "string" then
    error(("a header's value is a text, not %s"):format(type(v)), 0)
  end
  return v
end

local function compile_headers(rule, spec, field, fail)
  if spec[field] == nil then return end
  local list = header_list(field, spec[field], fail)
  local names = {}
  for i, h in ipairs(list) do names[i] = h.name end
  add(rule, field, field .. " " .. table.concat(names, ", "),
    function(c, _, which, m, all)
      for _, h in ipairs(list) do
        local v = valued(c, h.value)
        if all then
          c.msg[field](c.msg, h.name, v)
        else
          for k = 1, m do
            local r = c.rcpts[which[k]]
            r[field](r, h.name, v)
          end
        end
        if field == "set_header" and h.name:lower() == "subject" then
          for k = 1, m do c.subject[which[k]] = v end
        end
      end
    end)
end

local function compile_remove(rule, spec, fail)
  if spec.remove_header == nil then return end
  local names = values.list(spec.remove_header)
  if #names == 0 then fail("remove_header: an empty list") end
  for _, name in ipairs(names) do header_name("remove_header", name, fail) end
  add(rule, "remove_header", "remove_header " .. table.concat(names, ", "),
    function(c, _, list, m, all)
      for _, name in ipairs(names) do
        if all then
          c.msg:remove_header(name)
        else
          for k = 1, m do c.rcpts[list[k]]:remove_header(name) end
        end
      end
    end)
end

local function compile_tag(rule, spec, fail)
  if spec.tag == nil then return end
  local tag = wording.encode(text("tag", spec.tag, fail))
  add(rule, "tag", "tag " .. spec.tag, function(c, _, list, m)
    c.tags = true
    for k = 1, m do
      local i = list[k]
      local old = c.tag[i]
      if not old then
        c.tag[i] = tag
      elseif not (" " .. old .. " "):find(" " .. tag .. " ", 1, true) then
        c.tag[i] = old .. " " .. tag
      end
    end
  end)
end

-- Where it goes, and whether ------------------------------------------------

local function compile_way(rule, spec, fail)
  if spec.route ~= nil then
    local route = text("route", spec.route, fail)
    rule.route_name = route
    add(rule, "route", "route " .. route, first_wins("route", route,
      function(c, i) c.rcpts[i]:route(route) end))
  end
  if spec.bounce_profile ~= nil then
    local name = text("bounce_profile", spec.bounce_profile, fail)
    rule.profile_name = name
    add(rule, "bounce_profile", "bounce profile " .. name,
      first_wins("bounce_profile", name,
        function(c, i) c.rcpts[i]:bounce_profile(name) end))
  end
  if spec.hold ~= nil and spec.tls == nil then
    local delay = seconds("hold", spec.hold, fail)
    add(rule, "hold", ("hold %ds"):format(delay), first_wins("hold", delay,
      function(c, i) c.rcpts[i]:hold(delay) end))
  end
  if spec.quarantine ~= nil then
    local why = spec.quarantine
    if why == true then why = ('rule "%s"'):format(rule.name) end
    if why then
      text("quarantine", why, fail)
      add(rule, "quarantine", "quarantine", function(c, _, list, m)
        for k = 1, m do c.rcpts[list[k]]:quarantine(why) end
      end)
    end
  end
end

local function addresses(field, v, fail)
  local list = values.list(v)
  if #list == 0 then fail(field .. ": an empty list") end
  for _, a in ipairs(list) do address(field, a, fail) end
  return list
end

local function compile_copies(rule, spec, fail)
  if spec.redirect ~= nil then
    local to = addresses("redirect", spec.redirect, fail)
    local all = table.concat(to, ", ")
    add(rule, "redirect", "redirect " .. all, first_wins("redirect", all,
      function(c, i)
        c.sent_to[i] = { to = to, place = rule.place }
        c.moves = true
      end))
  end
  if spec.bcc ~= nil then
    local to = addresses("bcc", spec.bcc, fail)
    add(rule, "bcc", "bcc " .. table.concat(to, ", "), function(c, r, list, m)
      c:copy(to, r, list, m)
    end)
  end
end

local replies = { accept = true, reject = true, tempfail = true,
  discard = true, disconnect = true, quarantine = true }

local function compile_reply(rule, spec, env, fail)
  if spec.reply == nil then return end
  local kind, say = env.verdict(spec.reply)
  if not kind or not replies[kind] then
    fail("reply: accept(), reject(…), tempfail(…) or discard() is meant")
  elseif kind == "quarantine" then
    fail("reply: for quarantine there is the field of that name")
  elseif kind == "disconnect" then
    fail("reply: a rule cannot disconnect")
  end
  local reply = spec.reply
  add(rule, "reply", "reply " .. (say or kind), function(c, r, list, m, all)
    if c.reply then
      if c.reply ~= reply then
        env.log("info", ('rule "%s" (%s): reply %s is not used: rule "%s" ' ..
          'says %s'):format(r.name, r.place, say or kind, c.reply_by,
          c.reply_say))
      end
    elseif kind == "discard" and not all then
      for k = 1, m do c.drop[list[k]] = true end
      c.moves = true
    else
      c.reply, c.reply_by, c.reply_say = reply, r.name, say or kind
    end
  end)
  rule.reply = kind
end

-- Telling people --------------------------------------------------------------

local notices = { sender = true, recipient = true, admin = true }
local notice = { to = true, subject = true, text = true }

local function read_notice(field, v, rule, fail)
  local n = {}
  if type(v) == "string" and field == "notify.admin" then
    n.to = v
  elseif type(v) == "string" then
    n.text = v
  elseif values.plain(v) then
    known_fields(field, v, notice, fail)
    for k, x in pairs(v) do
      if type(x) ~= "string" then fail(field .. "." .. k .. ": a text") end
      n[k] = x
    end
  elseif v ~= true then
    fail(field .. ": true, a text or { subject =, text = }")
  end
  if field == "notify.admin" then
    address(field .. ".to", n.to or "", fail)
  elseif n.to then
    fail(field .. ": it goes to the " .. field:match("%a+$"))
  end
  n.subject = n.subject or "About your message"
  if field == "notify.admin" and not v.subject then
    n.subject = ('Policy rule "%s"'):format(rule.name)
  end
  text(field .. ".subject", n.subject, fail)
  return n
end

local function compile_notify(rule, spec, fail)
  local v = spec.notify
  if v == nil then return end
  if not values.plain(v) or next(v) == nil then
    fail("notify: { sender =, recipient =, admin = }")
  end
  known_fields("notify", v, notices, fail)
  local n = {}
  for _, k in ipairs(values.sorted(v)) do
    n[k] = read_notice("notify." .. k, v[k], rule, fail)
  end
  add(rule, "notify", "notify " .. table.concat(values.sorted(v), ", "),
    function(c, r, list, m)
      local names = (n.sender or n.admin) and c:names(list, m)
      if n.sender then c:notify(r, n.sender, c.msg.sender, names) end
      if n.admin then c:notify(r, n.admin, n.admin.to, names) end
      -- They learn of nobody else: one of them may be a blind copy.
      for k = 1, n.recipient and m or 0 do
        local who = c.rcpts[list[k]].address
        c:notify(r, n.recipient, who, who)
      end
    end)
end

local alert_fields = { key = true, severity = true, every = true, text = true }

local severities = { critical = true, warning = true, info = true }

local function compile_alert(rule, spec, env, fail)
  local v = spec.alert
  if v == nil or v == false then return end
  local a = {}
  if v == true then
    v = {}
  elseif type(v) == "string" then
    v = { text = v }
  elseif not values.plain(v) then
    fail("alert: true, a text or { key =, severity =, every =, text = }")
  end
  known_fields("alert", v, alert_fields, fail)
  for k, x in pairs(v) do
    if type(x) ~= "string" then fail(("alert.%s: a text"):format(k)) end
    a[k] = x
  end
  if a.every then seconds("alert.every", a.every, fail) end
  if a.severity and not severities[a.severity] then
    fail(values.unknown(a.severity, severities, "alert.severity"))
  end
  a.key = a.key or "rule:" .. rule.name
  a.text = a.text or ('rule "%s" matched'):format(rule.name)
  add(rule, "alert", "alert " .. a.key, function() env.alert(a) end)
end

-- Test ------------------------------------------------------------------------

local test_fields = { header = true, subject = true, bcc = true }

local function compile_test(rule, spec, fail)
  local v = spec.test
  if v == nil or v == false then return end
  local t = {}
  if v == true or v == "header" then
    t.header = true
  elseif v == "subject" then
    t.subject = true
  elseif values.plain(v) then
    known_fields("test", v, test_fields, fail)
    t.header, t.subject = v.header, v.subject
    if v.bcc ~= nil then t.bcc = addresses("test.bcc", v.bcc, fail) end
    if not t.header and not t.subject then t.header = true end
  else
    fail('test: true, "header", "subject" or { header =, subject =, bcc = }')
  end
  if t.header == true then t.header = "X-Policy-Test" end
  if t.header then header_name("test.header", t.header, fail) end
  if t.subject == true then t.subject = "[" .. rule.name .. "]" end
  if t.subject then text("test.subject", t.subject, fail) end
  local says = {}
  for i, a in ipairs(rule.acts) do says[i] = a.say end
  rule.would = rule.acts
  rule.acts = {}
  rule.tls = nil
  rule.test = true
  local value = wording.encode(rule.name)
  if t.header then
    compile_headers(rule, { add_header = { name = t.header, value = value } },
      "add_header", fail)
  end
  if t.subject then compile_tag(rule, { tag = t.subject }, fail) end
  if t.bcc then compile_copies(rule, { bcc = t.bcc }, fail) end
  add(rule, "test", "test", function(c, r, list, m)
    c.env.log("info", ('rule "%s" (%s) would have done: %s; for %s'):format(
      r.name, r.place, #says > 0 and table.concat(says, "; ") or "nothing",
      c:names(list, m)))
  end)
end

actions.known = {
  tls = true, tls_match = true, others = true, whole_domain = true,
  strict_first = true, route = true, hold = true, reply = true,
  quarantine = true, redirect = true, bcc = true, add_header = true,
  set_header = true, remove_header = true, tag = true, test = true,
  notify = true, alert = true, stop = true, bounce_profile = true,
}

-- They take so many steps for each recipient, and few.
local brief = { tls = true, route = true, hold = true, quarantine = true,
  reply = true, bounce_profile = true }

function actions.compile(rule, spec, env, fail)
  rule.acts = {}
  compile_tls(rule, spec, fail)
  compile_way(rule, spec, fail)
  compile_remove(rule, spec, fail)
  compile_headers(rule, spec, "set_header", fail)
  compile_headers(rule, spec, "add_header", fail)
  compile_tag(rule, spec, fail)
  compile_copies(rule, spec, fail)
  compile_notify(rule, spec, fail)
  compile_alert(rule, spec, env, fail)
  compile_reply(rule, spec, env, fail)
  compile_test(rule, spec, fail)
  rule.brief = true
  for _, a in ipairs(rule.acts) do
    if not brief[a.name] then rule.brief = false end
  end
  if spec.stop ~= nil then
    rule.stop = flag("stop", spec.stop, fail) and not rule.test
  end
end

-- The `default { tls =, hold = }` of a policy.
function actions.default(spec, fail)
  known_fields("default", spec, { tls = true, hold = true }, fail)
  if spec.tls == nil then fail("default: it has no tls") end
  local rule = { name = "default", acts = {} }
  compile_tls(rule, spec, fail)
  return rule.tls
end

return actions
