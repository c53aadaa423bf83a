-- Values as administrators write them, and words for what is wrong with them.
--
--   near(word, set)   the key of set that was probably meant, or nil
--   unknown(word, set, what)  "what "x" is not known (did you mean "y"?)"
--   seconds("1d12h")  a time, in seconds; nil if it is none
--   octets("10M")     a size; numbers are taken as they are
--   day("2026-12-31") the first second of the day after it, UTC; nil: no date
--   plain(t)          is it a table without a metatable?
--   list(v)           v if it is a plain array, else { v }
--   sorted(set)       the keys in order

local values = {}

-- Edits (insert, delete, replace, swap of neighbours) that make b of a; what
-- is beyond most is as good as most + 1.
local function distance(a, b, most)
  local la, lb = #a, #b
  if la - lb > most or lb - la > most then return most + 1 end
  local before, last, row = {}, {}, {}
  for j = 0, lb do last[j] = j end
  for i = 1, la do
    row[0] = i
    for j = 1, lb do
      local same = a:byte(i) == b:byte(j)
      local d = last[j - 1] + (same and 0 or 1)
      if last[j] + 1 < d then d = last[j] + 1 end
      if row[j - 1] + 1 < d then d = row[j - 1] + 1 end
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and
          a:byte(i - 1) == b:byte(j) and before[j - 2] + 1 < d then
        d = before[j - 2] + 1
      end
      row[j] = d
    end
    before, last, row = last, row, before
  end
  return last[lb]
end

function values.sorted(set)
  local out, n = {}, 0
  for k in pairs(set) do
    -- Insertion: the lists are short, and sort() of a sandbox is not needed.
    local at = n + 1
    while at > 1 and k < out[at - 1] do
      out[at] = out[at - 1]
      at = at - 1
    end
    out[at] = k
    n = n + 1
  end
  return out
end

function values.near(word, set)
  if #word > 40 then return nil end
  local most = #word > 4 and 3 or #word > 2 and 2 or 1
  local best
  for _, k in ipairs(values.sorted(set)) do
    local d = distance(word:lower(), k, most)
    if d <= most then best, most = k, d - 1 end
  end
  return best
end

function values.unknown(word, set, what)
  word = tostring(word)
  local best = values.near(word, set)
  if best then
    return ('%s "%s" is not known (did you mean "%s"?)'):format(what, word,
      best)
  end
  return ('%s "%s" is not known: %s'):format(what, word,
    table.concat(values.sorted(set), ", "))
end

local unit = { s = 1, m = 60, h = 3600, d = 86400, w = 604800 }

function values.seconds(v)
  if math.type(v) == "integer" then return v >= 0 and v or nil end
  if type(v) ~= "string" or v == "" or #v > 30 then return nil end
  local at, sum = 1, 0
  while at <= #v do
    local n, u, next_at = v:match("^(%d+)([smhdw]?)()", at)
    if not n or #n > 9 or (u == "" and (at > 1 or next_at <= #v)) then
      return nil
    end
    sum = sum + math.tointeger(n) * (unit[u] or 1)
    at = next_at
  end
  return sum
end

local factor = { [""] = 1, K = 1 << 10, M = 1 << 20, G = 1 << 30 }

function values.octets(v)
  if math.type(v) == "integer" then return v >= 0 and v or nil end
  if type(v) ~= "string" then return nil end
  local n, u = v:match("^(%d+)([KMGkmg]?)$")
  if not n or #n > 12 then return nil end
  return math.tointeger(n) * factor[u:upper()]
end

local month_days = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

-- Days since 1970 by the calendar, without the zone of the machine.
function values.day(v)
  if type(v) ~= "string" then return nil end
  local y, m, d = v:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)$")
  if not y then return nil end
  y, m, d = math.tointeger(y), math.tointeger(m), math.tointeger(d)
  local leap = y % 4 == 0 and (y % 100 ~= 0 or y % 400 == 0)
  if y < 1970 or m < 1 or m > 12 or d < 1 or
      d > month_days[m] + (m == 2 and leap and 1 or 0) then
    return nil
  end
  local p = y - 1
  local days = (y - 1970) * 365 + (p // 4 - p // 100 + p // 400) - 477
  for i = 1, m - 1 do days = days + month_days[i] end
  if leap and m > 2 then days = days + 1 end
  return (days + d) * 86400
end

function values.plain(t)
  return type(t) == "table" and getmetatable(t) == nil
end

function values.list(v)
  if values.plain(v) and (v[1] ~= nil or next(v) == nil) then return v end
  return { v }
end

return values
