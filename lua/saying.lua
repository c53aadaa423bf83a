-- Rules in words, for people: lists and traces of a policy.

local values = require "values"

local saying = {}

local function show(v)
  if v == nil then return "" end
  if type(v) == "string" then
    -- It may be a stranger's; the last character may be cut.
    local cut = #v > 80
    if cut then v = v:sub(1, 80):gsub("[\192-\255][\128-\191]*$", "") end
    return ('"%s%s"'):format(v:gsub("%c+", " "), cut and "…" or "")
  end
  if values.plain(v) then return #v .. " of them" end
  if type(v) == "table" or type(v) == "userdata" then
    return v.version -- conn.tls
  end
  return tostring(v)
end

-- A value as it stands in a policy, near enough.
function saying.shown(v)
  if type(v) == "string" then return ("%q"):format(v) end
  if type(v) == "function" then return "a function" end
  if not values.plain(v) then
    return type(v) == "table" and "a lookup" or tostring(v)
  end
  local out = {}
  for i, x in ipairs(v) do out[i] = saying.shown(x) end
  if #out == 0 then
    for i, k in ipairs(values.sorted(v)) do
      out[i] = k .. " = " .. saying.shown(v[k])
    end
  end
  return #out > 0 and "{ " .. table.concat(out, ", ") .. " }" or "{}"
end

-- What a rule does, in words.
function saying.says(rule)
  local out = {}
  for k, a in ipairs(rule.would or rule.acts) do out[k] = a.say end
  if rule.stop then out[#out + 1] = "stop" end
  return (rule.test and "test only: " or "") .. table.concat(out, "; ")
end

-- For a trace: it applied to the first m of list; list nil: cond was against
-- it.
function saying.told(set, c, rule, cond, value, list, m)
  local t = { rule = rule.name, place = rule.place, matched = list ~= nil,
    field = cond and cond.field, value = value }
  if list then
    t.recipients, t.says = c:names(list, m), saying.says(rule)
    t.text = ('rule "%s" (%s): yes, for %s: %s'):format(rule.name, rule.place,
      t.recipients, t.says)
  else
    local is = show(value)
    t.text = ('rule "%s" (%s): no, %s%s'):format(rule.name, rule.place,
      t.field, is ~= "" and " is " .. is or "")
  end
  set.trace(t)
end

return saying
