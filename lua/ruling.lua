-- Joins rules to the engine: the globals rule and default of a policy, and the
-- rules' turn at "message", before the handlers.
--
-- engine.rules is the set (rules.lua): to list, lint and trace it.

local host = require "host"
local engine = require "engine"
local objects = require "objects"
local rules = require "rules"
local waits = require "waits"

local ruling = {}

local function verdict(v)
  if not engine.is_verdict(v) then return nil end
  return v.word, v.code ~= 0 and ("%s %d"):format(v.word, v.code) or v.word
end

-- Checked now, so that a bad expression is found when the policy is loaded.
local function expression(pattern, caseless)
  local match = (_G.re or host.fail("there are no regular expressions")).match
  if caseless then pattern = "(?i)" .. pattern end
  match(pattern, "")
  return function(s) return match(pattern, s) ~= nil end
end

local set = rules.new {
  where = host.where, verdict = verdict, re = expression, log = host.log,
  alert = waits.alert, count = host.count, spent = host.spent, at = host.at,
  now = waits.now, want = host.want, found = host.found,
  conn = function(msg) return host.new(objects.classes.conn, msg, -1) end,
}
engine.rules = set
engine.api.rule, engine.api.default = set.rule, set.default

-- The policy was loaded: what the program needs to know of the rules, if there
-- are any. ask: f(msg, number of recipients) asks them; their reply is the
-- message's, handlers are then not asked. index: the names by which rules are
-- found; keyed: all are, so that it need not ask about messages without them;
-- walk: how many are not; brief: see rules.lua.
function ruling.loaded()
  set:seal()
  if set:empty() then return nil end
  return {
    ask = function(msg, n) return set:message(msg, nil, n) end,
    index = set.index, keyed = set:filter() ~= nil, brief = set.brief,
    walk = #set.walk,
  }
end

return ruling
