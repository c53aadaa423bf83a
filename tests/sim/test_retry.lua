-- When a message is tried again, and when it is given up.

local function times(list)
  local t = {}
  for i, a in ipairs(list) do
    t[i] = ("%.0f"):format(a.t)
  end
  return table.concat(t, " ")
end

local function bounces()
  local n = 0
  for _, a in ipairs(arrived) do
    if a.from == "" then
      n = n + 1
    end
  end
  return n
end

local function world()
  mx("them.example", { "10.0.0.1" })
  mx("us.example", { "10.0.0.9" })
  host("10.0.0.9", {})
end

test("delivers at once when the host takes it", function()
  world()
  host("10.0.0.1", {})
  submit { to = { "a@them.example" } }
  run(1)
  eq(#arrived, 1, "arrivals")
  eq(waiting(), 0, "messages waiting")
end)

-- The two worked schedules of Cisco: what was tried when, at whom.
local function course()
  local t = {}
  for i, a in ipairs(attempts) do
    t[i] = ("%.0f %s"):format(a.t, a.host == "10.0.0.1" and "try" or "report")
  end
  return table.concat(t, ", ")
end

test("tries two retries at 60 and 120 s, then bounces at once", function()
  world()
  profile { first_retry = 60, max_retry = 60, max_retries = 2 }
  host("10.0.0.1", { rcpt = 450 })
  submit { to = { "a@them.example" } }
  run(119)
  eq(bounces(), 0, "bounces before the last retry")
  run(881)
  eq(course(), "0 try, 60 try, 120 try, 120 report", "course")
  eq(bounces(), 1, "bounces")
  eq(waiting(), 0, "messages waiting")
end)

test("bounces before an attempt that would lie beyond the lifetime", function()
  world()
  profile { first_retry = 60, max_retry = 60, lifetime = 100 }
  host("10.0.0.1", { rcpt = 450 })
  submit { to = { "a@them.example" } }
  run(119)
  eq(bounces(), 0, "bounces before the attempt is due")
  run(881)
  eq(course(), "0 try, 60 try, 120 report", "course")
  eq(bounces(), 1, "bounces")
  eq(waiting(), 0, "messages waiting")
end)

test("waits longer each time up to the maximum", function()
  world()
  profile { first_retry = 60, max_retry = 240, lifetime = 100000 }
  host("10.0.0.1", { rcpt = 450 })
  submit { to = { "a@them.example" } }
  run(1000)
  eq(times(attempts), "0 60 180 420 660 900", "attempts")
end)

test("delivers on the retry after a greylisting", function()
  world()
  host("10.0.0.1", { dot = function(t) return t < 30 and 451 or 250 end })
  submit { to = { "a@them.example" } }
  run(59)
  eq(#arrived, 0, "arrivals")
  run(2)
  eq(#arrived, 1, "arrivals")
  eq(waiting(), 0, "messages waiting")
end)

test("flush tries at once what waits", function()
  world()
  local up = false
  host("10.0.0.1", { rcpt = function() return up and 250 or 450 end })
  submit { to = { "a@them.example" } }
  run(10)
  up = true
  eq(flush("them.example"), 1, "units flushed")
  run(1)
  eq(#arrived, 1, "arrivals")
end)

test("retries only the recipients that were deferred", function()
  world()
  host("10.0.0.1", {
    rcpt = function(to)
      return to == "b@them.example" and now() < 30 and 450 or 250
    end,
  })
  submit { to = { "a@them.example", "b@them.example", "c@them.example" } }
  run(1)
  eq(#arrived, 2, "arrivals at first")
  run(70)
  eq(#arrived, 3, "arrivals")
  eq(arrived[3].to, "b@them.example", "the late one")
end)

test("gives up a message for a host that never answers", function()
  world()
  profile { lifetime = 3600 }
  host("10.0.0.1", { connect = "timeout" })
  submit { to = { "a@them.example" } }
  run(5000)
  eq(bounces(), 1, "bounces")
  eq(waiting(), 0, "messages waiting")
end)

test("warns once when it takes long, and goes on trying", function()
  world()
  profile { warn = true, warn_after = 600 }
  host("10.0.0.1", { rcpt = 450 })
  submit { to = { "a@them.example" } }
  run(7200)
  eq(bounces(), 1, "warnings")
  eq(waiting(), 1, "messages waiting")
end)

test("warns again after an interval, but no more than so often", function()
  world()
  profile { warn = true, warn_after = 600, warn_count = 3,
    warn_interval = 3600, max_retry = 300, max_retries = 10000 }
  host("10.0.0.1", { rcpt = 450 })
  submit { to = { "a@them.example" } }
  run(4000)
  eq(bounces(), 1, "warnings of the first hour")
  run(86400)
  eq(bounces(), 3, "warnings of the day")
  local last
  for _, a in ipairs(arrived) do
    if last and a.t - last < 3600 then
      error("two warnings within " .. a.t - last .. " s")
    end
    last = a.t
  end
  eq(waiting(), 1, "messages waiting")
end)

test("does not warn of a host that never answers", function()
  world()
  profile { warn = true, warn_after = 600, warn_count = 3,
    warn_interval = 600 }
  host("10.0.0.1", { connect = "timeout" })
  submit { to = { "a@them.example" } }
  run(7200)
  eq(bounces(), 0, "warnings")
  eq(waiting(), 1, "messages waiting")
end)
