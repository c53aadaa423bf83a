-- The seam between the program and the engine. At an event the program asks
-- the rules ("message" only), then the handlers one after another, with the
-- objects of the event, until there is a verdict (plugins/lua/handlers.c).

local host = require "host"
local engine = require "engine"
local objects = require "objects"
local ruling = require "ruling"
local waits = require "waits"

objects.api, objects.waits = engine.api, waits

-- Tables by name, and where: lint knows which there are.
local function lookup(name)
  if not engine.sealed and #engine.lookups < 1000 then
    engine.lookups[#engine.lookups + 1] = { name = name, place = host.where() }
  end
  return waits.lookup(name)
end

for name, value in pairs(waits) do
  host.global(name, name == "lookup" and lookup or value)
end
for name, value in pairs(engine.api) do host.global(name, value) end

-- rules: see ruling.lua; handlers: by
-- event lists of { f =, place = }; ticks: when each on("tick") runs what.
local events = { classes = objects.classes, handlers = engine.handlers,
  ticks = {} }

-- A verdict as words, or an error if it is none that the event has.
function events.answer(event, place, v)
  engine.check(event, place, v)
  return v.word, v.code, v.enhanced, v.text
end

host.global("mail", { address = _G.mail.address, domain = _G.mail.domain,
  parse = objects.parse })

-- The policy was loaded.
function events.loaded()
  engine.sealed = true
  events.rules = ruling.loaded()
  for i, tick in ipairs(engine.handlers.tick or {}) do
    events.ticks[i] = { every = tick.every, run = function()
      host.at(tick.place)
      tick.f()
    end }
  end
end

return events
