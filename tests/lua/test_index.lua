-- The tables by which rules are found: the same answers as without them, and
-- costs that do not grow with the number of rules.

local check = require "check"
local fake = require "fake"

local test, eq = check.test, check.eq

-- A generator of its own, so that a failure can be repeated.
local function random(seed)
  local x = seed
  return function(n)
    x = (x * 1103515245 + 12345) & 0x7fffffff
    return (x >> 8) % n + 1
  end
end

local function word_of(r, list) return list[r(#list)] end
local domains = { "a.example", "b.a.example", "c.b.a.example", "d.example",
  "e.d.example" }
local people = { "x", "y" }

local function random_rule(r, i)
  local when, n = {}, r(3)
  for _ = 1, n do
    local k = r(6)
    if k == 1 then
      when.rcpt = word_of(r, people) .. "@" .. word_of(r, domains)
    elseif k == 2 then
      when.rcpt_domain = word_of(r, { "", ".", "*." }) .. word_of(r, domains)
    elseif k == 3 then
      when.rcpt_domain = { word_of(r, domains), "." .. word_of(r, domains) }
    elseif k == 4 then
      when.sender = word_of(r, people) .. "@" .. word_of(r, domains)
    elseif k == 5 then
      when.sender_domain = word_of(r, { "", ".", "*." }) .. word_of(r, domains)
    else
      when.subject = word_of(r, { "one", "two" })
    end
  end
  return { when = when, add_header = { ["X-R"] = tostring(i) },
    stop = r(8) == 1, tls = r(4) == 1 and "required" or nil }
end

test("rules found by tables are those that match, in their order", function()
  local r = random(7)
  for round = 1, 150 do
    local with, without = fake.world(), fake.world()
    without.set.trace = function() end
    for i = 1, r(12) do
      local spec = random_rule(r, i)
      with.rule("r" .. i) (spec)
      without.rule("r" .. i) (spec)
    end
    for _ = 1, 10 do
      local t = { rcpt = {}, subject = word_of(r, { "one", "two", "six" }),
        from = word_of(r, people) .. "@" .. word_of(r, domains) }
      local seen = {}
      for _ = 1, r(4) do
        local to = word_of(r, people) .. "@" .. word_of(r, domains)
        if not seen[to] then t.rcpt[#t.rcpt + 1] = to end
        seen[to] = true
      end
      local x, y = with.send(t), without.send(t)
      x.object, y.object = nil, nil
      local ok, why = pcall(eq, x, y)
      if not ok then error(("round %d: %s"):format(round, why)) end
    end
  end
end)

-- Instructions of the Lua machine for a message, as a mean of many.
local function cost(n, make, message)
  local w = fake.world()
  for i = 1, n do w.rule("r" .. i) (make(i)) end
  w.set:seal()
  local msg, conn = fake.message(message)
  w.set:message(msg, conn)
  local steps = 0
  debug.sethook(function() steps = steps + 1 end, "", 1)
  for _ = 1, 20 do w.set:message(msg, conn) end
  debug.sethook()
  return steps
end

test("10,000 rules for domains cost at most 5 percent more than one",
  function()
    for _, kind in ipairs { "rcpt_domain", "rcpt", "sender_domain",
      "sender" } do
      for _, prefix in ipairs { "", ".", "*." } do
        local address = kind == "rcpt" or kind == "sender"
        if not address or prefix == "" then
          local function make(i)
            return { when = { [kind] = (address and "x@" or prefix) .. "d" ..
              i .. ".example" }, stop = true }
          end
          for _, d in ipairs { "d1.example", "sub.d1.example",
            "none.example" } do
            local t = { rcpt = { "x@" .. d }, from = "x@" .. d }
            local one, many = cost(1, make, t), cost(10000, make, t)
            assert(many <= one * 1.05, ("%s %s%s: %d, %d"):format(kind,
              prefix, d, one, many))
          end
        end
      end
    end
  end)

-- plugins/lua/state.c allows 100,000,000 for loading.
test("a rule takes at most 1,900 instructions to load: 50,000 may", function()
  for _, spec in ipairs {
    { when = { rcpt_domain = ".d%d.example" }, tls = "required" },
    { when = { rcpt_domain = { "d%d.example", ".e%d.example" },
        direction = "outbound" },
      tls = "required-verify match=mx", others = "same", hold = "1d",
      description = "card %d" },
  } do
    local w = fake.world()
    local names = spec.when.rcpt_domain
    local steps = 0
    debug.sethook(function() steps = steps + 1 end, "", 1)
    for i = 1, 1000 do
      spec.when.rcpt_domain = type(names) == "string" and names:format(i) or
        { names[1]:format(i), names[2]:format(i) }
      w.rule("r" .. i) (spec)
    end
    w.set:seal()
    debug.sethook()
    assert(steps <= 1900 * 1000, steps)
  end
end)

test("a message that nothing matches makes no garbage", function()
  local w = fake.world()
  w.rule "a" { when = { rcpt_domain = ".p.example" }, tls = "required" }
  w.rule "b" { when = { sender = "boss@us.example", size_over = "1M" },
    tls = "required" }
  w.rule "c" { when = { client_tls = false, direction = "inbound" },
    reply = fake.reject(550) }
  w.set:seal()
  local msg, conn = fake.message { rcpt = { "x@other.example" } }
  for _ = 1, 10 do w.set:message(msg, conn) end
  collectgarbage()
  collectgarbage "stop"
  local before = collectgarbage "count"
  for _ = 1, 1000 do w.set:message(msg, conn) end
  local grown = collectgarbage "count" - before
  collectgarbage "restart"
  assert(grown < 8, grown .. " KB")
end)

test("rules that search, call or have long lists are not brief", function()
  local many = {}
  for i = 1, 17 do many[i] = "192.0." .. i .. ".0/24" end
  for _, t in ipairs {
    { true, { when = { rcpt_domain = "a.example" }, tls = "required" } },
    { true, { when = { direction = "inbound", rcpt = "*@a.example" },
      route = "x" } },
    { true, { when = { client_ip = { many[1], many[2] } }, stop = true } },
    { false, { when = { client_ip = many }, tls = "required" } },
    { false, { when = { subject = "x" }, tls = "required" } },
    { false, { when = { client_tls = { version = many } }, stop = true } },
    { false, { when = { rcpt = function() end }, tls = "required" } },
    { false, { when = { rcpt_domain = fake.lookup {} }, tls = "required" } },
    { false, { add_header = { ["X-A"] = function() return "x" end } } },
  } do
    local w = fake.world()
    w.rule "r" (t[2])
    w.set:seal()
    eq(w.set.brief, t[1])
  end
end)

test("messages without a name of the rules need not be asked about", function()
  local named = { when = { rcpt_domain = "a.example" }, tls = "required" }
  local w = fake.world()
  w.rule "a" (named)
  w.rule "b" { when = { sender = "x@b.example", size_over = 1 }, stop = true }
  w.set:seal()
  eq(w.set:filter().rcpt_domain.exact["a.example"] ~= nil, true)
  eq(w.set:filter().sender.exact["x@b.example"] ~= nil, true)
  -- A glob, no condition at all, a default: anybody might be meant.
  for _, spec in ipairs { { when = { rcpt = "*@a.example" }, stop = true },
      { stop = true }, { when = { direction = "inbound" }, stop = true } } do
    w = fake.world()
    w.rule "a" (named)
    w.rule "b" (spec)
    w.set:seal()
    eq(w.set:filter(), nil)
  end
  w = fake.world()
  w.rule "a" (named)
  w.set.default { tls = "required" }
  w.set:seal()
  eq(w.set:filter(), nil)
end)
