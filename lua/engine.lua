-- The events of a policy: what on() and test() register, and what a handler may
-- answer. rule and default are ruling.lua's.
--
-- The program asks the handlers of an event with the objects of that event
-- (events.lua). One returns nil (no opinion) or a verdict, made by accept(),
-- reject() and so on. Whatever else it returns is an error, and an error is a
-- temporary failure.
--
-- Of the program nothing is used but require "host": where(), the place of the
-- nearest line of the policy; fail(text), an error with that place; at(place),
-- what is at work now; seconds(text), a duration.

local host = require "host"

local engine = {
  api = {},      -- what a policy sees as globals
  tests = {},    -- of test(): name, f, place
  handlers = {}, -- by event, in the order of on(): f, place, every
  sealed = false, -- the policy was loaded
  lookups = {}, -- name and place of each that was named until then
}
local api = engine.api

-- Letters are the verdicts that an event honours, as in core/tbl/hooks.h.
local EVENTS = {
  connect = "ARTX", helo = "ARTX", tls = "ARTX", mail = "ARTDX",
  rcpt = "ARTDX", data = "ARTDX", headers = "ARTDQ", message = "ARTDQ",
  branch = "ARTQ", deliver = "ART",
  disconnect = "", queued = "", delivered = "", deferred = "", bounced = "",
  tick = "",
}
local LETTERS = {
  accept = "A", reject = "R", tempfail = "T", discard = "D",
  quarantine = "Q", disconnect = "X",
}
engine.events = EVENTS

local function edit_distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local left, corner = i, row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      left = math.min(left + 1, row[j] + 1, corner + cost)
      corner = row[j]
      row[j] = left
    end
  end
  return row[#b]
end

-- The name of t (its keys) that is most like the word, as "; did you mean …?"
function engine.nearest(word, t)
  local best, at
  for name in pairs(t) do
    local d = edit_distance(word, name)
    if best == nil or d < at or (d == at and name < best) then
      best, at = name, d
    end
  end
  if best == nil or at > 1 + #word // 3 then return "" end
  return ("; did you mean %q?"):format(best)
end

-- ---- Verdicts -------------------------------------------------------------

local verdict_meta = { __name = "verdict", __metatable = false }

function verdict_meta.__index(_, key)
  host.fail(("a verdict has no field %q"):format(tostring(key)))
end

local function verdict(word, code, enhanced, text)
  return setmetatable(
    { word = word, code = code or 0, enhanced = enhanced or "",
      text = text or "" }, verdict_meta)
end

function engine.is_verdict(v)
  return type(v) == "table" and rawequal(getmetatable(v), false)
    and rawget(v, "word") ~= nil
end

local function line(what, text)
  if text == nil then return "" end
  if type(text) ~= "string" then
    host.fail(("%s: the text is no string but a %s"):format(what, type(text)))
  end
  return text
end

-- reject(), reject("text"), reject(550, "5.7.1", "text")
local function refusal(word, class)
  return function(code, enhanced, text)
    if type(code) == "string" and enhanced == nil and text == nil then
      code, text = nil, code
    end
    if code ~= nil and (math.type(code) ~= "integer"
        or code // 100 ~= class or code == 421) then
      host.fail(("%s: %s is no reply code of class %d"):format(word,
        tostring(code), class))
    end
    if enhanced ~= nil and (type(enhanced) ~= "string"
        or not enhanced:find("^" .. class .. "%.%d%d?%d?%.%d%d?%d?$")) then
      host.fail(("%s: %s is no enhanced code of class %d"):format(word,
        tostring(enhanced), class))
    end
    return verdict(word, code, enhanced, line(word, text))
  end
end

function api.accept() return verdict("accept") end
function api.discard() return verdict("discard") end
api.reject = refusal("reject", 5)
api.tempfail = refusal("tempfail", 4)

function api.quarantine(reason)
  return verdict("quarantine", 0, "", line("quarantine", reason))
end

function api.disconnect(text)
  return verdict("disconnect", 0, "", line("disconnect", text))
end

-- ---- What a policy registers ----------------------------------------------

function api.on(event, f, every)
  if type(event) ~= "string" or EVENTS[event] == nil then
    host.fail(("on: there is no event %s%s"):format(tostring(event),
      type(event) == "string" and engine.nearest(event, EVENTS) or ""))
  end
  if engine.sealed then
    host.fail(("on %q: only while the policy is loaded"):format(event))
  end
  if type(f) ~= "function" then
    host.fail(("on %q: the handler is no function but a %s"):format(event,
      type(f)))
  end
  if (event == "tick") ~= (every ~= nil) then
    host.fail(event == "tick" and 'on "tick": how often? on("tick", f, "1m")'
      or ("on %q takes a function only"):format(event))
  end
  if every ~= nil then
    every = host.seconds(every)
    if every < 1 then host.fail('on "tick": at most once in a second') end
  end
  local list = engine.handlers[event] or {}
  list[#list + 1] = { f = f, place = host.where(), every = every }
  engine.handlers[event] = list
end

function api.test(name, f)
  if type(name) ~= "string" or type(f) ~= "function" then
    host.fail("test: it takes a name and a function")
  end
  engine.tests[#engine.tests + 1] = { name = name, f = f,
    place = host.where() }
end

-- ---- Answers --------------------------------------------------------------

-- What a handler at a place returned: is it a verdict that the event has?
function engine.check(event, place, v)
  if not engine.is_verdict(v) then
    error(("%s: on %q: a handler returned a %s; it is accept(), reject(), "
      .. "tempfail() and so on, or nothing"):format(place, event, type(v)), 0)
  end
  local honoured = EVENTS[event]
  if honoured ~= "" and not honoured:find(LETTERS[v.word], 1, true) then
    error(("%s: on %q: %s() is no verdict there"):format(place, event,
      v.word), 0)
  end
end

return engine
