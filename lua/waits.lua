-- What a policy may wait for, and what it says: lookups, DNS, web servers,
-- time, several things at once; counters, logs, alerts, metrics.
--
-- A request is started by a function of host, which gives its number. The
-- coroutine then yields that number (or a list of them, parallel()), and the
-- program continues it with the number of any request that was answered;
-- host.answer() has status, error, values, ttl, secure and code of it.
-- No data is a value, a temporary failure raises.

local host = require "host"

local pcall, unpack, pack = pcall, table.unpack, table.pack
local fail, yield = host.fail, host.yield

local CACHE_MAX = 10000
local PARALLEL_MAX = 16

local waits = {}

local function wait(id)
  repeat until yield(id) == id
  return host.answer(id)
end

local function text(what, value)
  if type(value) ~= "string" then
    fail(("%s is no string but a %s"):format(what, type(value)))
  end
  return value
end

local function round_ms(value)
  return math.floor(host.seconds(value) * 1000 + 0.5)
end

-- ---- Tables ---------------------------------------------------------------

local lookup_methods = {}
local names = setmetatable({}, { __mode = "k" })

local function ask_table(self, key)
  local name = names[self] or fail("this is no lookup")
  if type(key) == "number" then key = tostring(key) end
  if type(key) ~= "string" then
    fail(("lookup %q: the key is a %s"):format(name, type(key)))
  end
  if key:find("\0", 1, true) then return {} end
  local status, err, items = wait(host.lookup(name, key))
  if status == "notfound" then return {} end
  if status ~= "ok" then fail(("lookup %q: %s"):format(name, err)) end
  return items
end

function lookup_methods:get(key) return ask_table(self, key)[1] end
function lookup_methods:all(key) return ask_table(self, key) end
function lookup_methods:contains(key) return ask_table(self, key)[1] ~= nil end

local lookup_meta = {
  __name = "lookup",
  __metatable = false,
  __index = function(self, key)
    return lookup_methods[key] or ask_table(self, key)[1]
  end,
  __newindex = function() fail("a lookup is read only") end,
}

function waits.lookup(name)
  local l = setmetatable({}, lookup_meta)
  names[l] = text("lookup: the table's name", name)
  return l
end

-- ---- DNS ------------------------------------------------------------------

local dns = {}
for _, kind in ipairs { "a", "aaaa", "mx", "txt", "ptr", "tlsa" } do
  dns[kind] = function(name)
    text("dns." .. kind .. ": the name", name)
    local status, err, items, ttl, secure = wait(host.dns(name, kind:upper()))
    if status ~= "ok" and status ~= "notfound" then
      fail(("dns.%s %s: %s"):format(kind, name, err))
    end
    items = items or {}
    items.secure, items.ttl = secure, ttl
    return items
  end
end
waits.dns = dns

-- ---- Web servers ----------------------------------------------------------

local answer_meta = {
  __index = function(self, key)
    if key ~= "json" then return nil end
    local ok, value = pcall(_G.json.decode, rawget(self, "body"))
    if not ok or value == nil then fail("http: the answer is no JSON") end
    self.json = value
    return value
  end,
}

local HTTP_OPTIONS = { timeout = true, max = true, type = true,
  headers = true, ca_file = true, body = true, method = true }

local function http(method, url, body, options)
  text("http: the URL", url)
  options = options or {}
  for key in pairs(options) do
    if not HTTP_OPTIONS[key] then
      fail(("http: there is no option %q"):format(tostring(key)))
    end
  end
  local lines = {}
  for name, value in pairs(options.headers or {}) do
    lines[#lines + 1] = name .. ": " .. value
    if lines[#lines]:find("[\r\n]") then
      fail("http: a header with a line end")
    end
  end
  table.sort(lines)
  local status, err, items, _, _, code = wait(host.http(method, url, body,
    options.type, #lines > 0 and table.concat(lines, "\n") or nil,
    options.ca_file, options.timeout and round_ms(options.timeout) or 0,
    options.max or 0))
  if status ~= "ok" then fail(("http %s: %s"):format(url, err)) end
  if code >= 500 then fail(("http %s: it says %d"):format(url, code)) end
  return setmetatable({ code = code, body = items[1] or "" }, answer_meta)
end

waits.http = {
  get = function(url, options) return http("GET", url, nil, options) end,
  post = function(url, body, options)
    return http("POST", url, text("http.post: the body", body), options)
  end,
}

-- ---- Time and company -----------------------------------------------------

function waits.sleep(seconds)
  wait(host.timer(round_ms(seconds)))
end

function waits.now() return host.now() / 1000 end

-- Goes on with a strand; what it waits for is entered as its own. An error of
-- its is raised here.
local function step(strand, owner, id)
  if strand.paused then
    host.answer(id)
    strand.paused, id = false, nil
  end
  local how, value = host.strand_resume(strand.number, id)
  if how == "done" then
    strand.done, strand.value = true, value
  elseif how == "pause" then
    strand.paused = true
    owner[host.timer(0)] = strand
  elseif type(value) == "table" then
    for _, one in ipairs(value) do owner[one] = strand end
  else
    owner[value] = strand
  end
end

function waits.parallel(list)
  if type(list) ~= "table" or #list == 0 or #list > PARALLEL_MAX then
    fail(("parallel: it takes a list of 1 to %d functions"):format(
      PARALLEL_MAX))
  end
  local strands, owner = {}, {}
  for i, f in ipairs(list) do
    if type(f) ~= "function" then fail("parallel: this is no function") end
    strands[i] = { f = f }
  end
  local ok, err = pcall(function()
    for _, strand in ipairs(strands) do
      strand.number = host.strand(strand.f)
      step(strand, owner)
    end
    while next(owner) ~= nil do
      local ids = {}
      for id in pairs(owner) do ids[#ids + 1] = id end
      local id = yield(ids)
      local strand = owner[id]
      if strand ~= nil then
        owner[id] = nil
        step(strand, owner, id)
      end
    end
  end)
  local values = {}
  for i, strand in ipairs(strands) do
    values[i] = strand.value
    if strand.number ~= nil then host.strand_end(strand.number) end
  end
  if ok then return unpack(values, 1, #strands) end
  for id in pairs(owner) do host.forget(id) end
  error(err, 0)
end

-- ---- What is kept ---------------------------------------------------------

local function key_of(...)
  local parts = pack(...)
  for i = 1, parts.n do
    local value = parts[i]
    local kind = type(value)
    if kind == "table" or kind == "function" then
      fail(("cache: an argument is a %s"):format(kind))
    end
    value = tostring(value)
    parts[i] = ("%s%d:%s"):format(kind:sub(1, 1), #value, value)
  end
  return table.concat(parts, ",")
end

-- A value that somebody is fetching already is waited for. If that event came
-- to its end on the way (the client has gone) one of those who wait goes on.
local function join(flight)
  while flight.done == nil and host.alive(flight.event) do
    local id, park = host.park(100)
    flight.waiting[#flight.waiting + 1] = park
    wait(id)
  end
end

function waits.cache(ttl, f)
  ttl = host.seconds(ttl)
  if type(f) ~= "function" then fail("cache: it takes a function") end
  local young, old, n, flights = {}, {}, 0, {}
  local function fetch(key, ...)
    local flight = { event = host.event(), waiting = {} }
    flights[key] = flight
    local r = pack(pcall(f, ...))
    flights[key] = nil
    flight.done = r
    for _, park in ipairs(flight.waiting) do host.wake(park) end
    if r[1] then
      if n >= CACHE_MAX // 2 then young, old, n = {}, young, 0 end
      n = n + 1
      young[key] = { r = r, till = host.now() + ttl * 1000 }
    end
    return r
  end
  return function(...)
    local key = key_of(...)
    local entry = young[key] or old[key]
    local r
    if entry ~= nil and host.now() < entry.till then
      r = entry.r
    elseif flights[key] ~= nil and host.alive(flights[key].event) then
      local flight = flights[key]
      join(flight)
      r = flight.done
    end
    r = r or fetch(key, ...)
    if not r[1] then error(r[2], 0) end
    return unpack(r, 2, r.n)
  end
end

function waits.ratelimit(key, limit)
  text("ratelimit: the key", key)
  local count, window = text("ratelimit: the limit", limit):match(
    "^(%d+)/(%w+)$")
  if count == nil then
    fail(('ratelimit: %q is no limit such as "100/1h"'):format(limit))
  end
  return host.rate("limit:" .. key, round_ms(window), 1)
    > math.tointeger(count)
end

waits.shared = {
  incr = function(key, ttl, by)
    return host.rate("shared:" .. text("shared.incr: the key", key),
      round_ms(ttl), by or 1)
  end,
}

-- ---- What is said ---------------------------------------------------------

local function said(fmt, ...)
  if type(fmt) ~= "string" then return tostring(fmt) end
  return select("#", ...) == 0 and fmt or fmt:format(...)
end

waits.log = {
  debug = function(...) host.log("debug", said(...)) end,
  info = function(...) host.log("info", said(...)) end,
  warning = function(...) host.log("warning", said(...)) end,
  error = function(...) host.log("error", said(...)) end,
}

function waits.trace(...) host.log("debug", "trace: " .. said(...)) end

local SEVERITY = { critical = "error", error = "error", warning = "warning",
  info = "info", information = "info" }

function waits.alert(t)
  if type(t) ~= "table" then fail("alert: it takes a table") end
  local key = text("alert: key", t.key)
  local level = SEVERITY[t.severity or "warning"]
    or fail("alert: severity is critical, warning or info")
  if t.every ~= nil and host.rate("alert:" .. key, round_ms(t.every), 1) > 1
  then
    return
  end
  host.alert(level, key, text("alert: text", t.text))
end

local metric_meta = {
  __index = {
    inc = function(self, n) host.count(rawget(self, 1), n or 1) end,
    set = function(self, n) host.gauge(rawget(self, 1), n) end,
  },
  __metatable = false,
}

function waits.metric(name)
  if not text("metric: the name", name):find("^[a-z0-9_]+$") or #name > 40 then
    fail(("metric: %q is no name of a-z, 0-9 and _"):format(name))
  end
  return setmetatable({ name }, metric_meta)
end

return waits
