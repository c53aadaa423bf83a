-- The seam between the program and the engine: makes the objects of an event,
-- asks the engine, and gives the verdict back as words.

local host = require "host"
local engine = require "engine"
local objects = require "objects"
local ruling = require "ruling"
local waits = require "waits"

objects.api, objects.waits = engine.api, waits

for name, value in pairs(waits) do host.global(name, value) end
for name, value in pairs(engine.api) do host.global(name, value) end

local conn, msg = objects.conn, objects.msg
local report = function(e) return objects.attempt(e) end

local ARGUMENTS = {
  connect = conn, helo = conn, tls = conn, disconnect = conn,
  mail = function(e) return msg(e), conn(e) end,
  data = function(e) return msg(e), conn(e) end,
  headers = function(e) return msg(e), conn(e) end,
  message = function(e) return msg(e), conn(e) end,
  rcpt = function(e) return objects.rcpt(e), msg(e), conn(e) end,
  branch = function(e) return objects.branch(e), msg(e) end,
  deliver = report, queued = report, delivered = report, deferred = report,
  bounced = report,
}

local function words(v)
  if v == nil then return end
  return v.word, v.code, v.enhanced, v.text
end

-- What C calls: by event, and for each on("tick") how often and what.
local events = { wants = {}, run = {}, ticks = {} }

for name, arguments in pairs(ARGUMENTS) do
  local f = engine[name]
  events.run[name] = function(event) return words(f(arguments(event))) end
end

-- The policy was loaded.
function events.loaded()
  ruling.loaded()
  for name in pairs(ARGUMENTS) do events.wants[name] = engine.wants(name) end
  for i, tick in ipairs(engine.handlers.tick or {}) do
    events.ticks[i] = { every = tick.every, run = function()
      host.at(tick.place)
      tick.f()
    end }
  end
end

return events
