-- Which host is tried, and what one failing host means for the others.

local function seen(ip)
  for _, a in ipairs(attempts) do
    if a.host == ip then
      return true
    end
  end
  return false
end

test("goes to the next host when the first refuses to connect", function()
  mx("them.example", { "10.0.0.1", "10.0.0.2" })
  host("10.0.0.1", { connect = "refused" })
  host("10.0.0.2", {})
  submit { to = { "a@them.example" } }
  run(1)
  eq(#arrived, 1, "arrivals")
  eq(arrived[1].host, "10.0.0.2", "host")
end)

test("goes to the next host when the first greets with 421 or 554", function()
  for _, code in ipairs { 421, 554 } do
    local domain = ("d%d.example"):format(code)
    local first = ("10.0.1.%d"):format(code % 200)
    mx(domain, { first, "10.0.0.2" })
    host(first, { banner = code })
    host("10.0.0.2", {})
    submit { to = { "a@" .. domain } }
  end
  run(2)
  eq(#arrived, 2, "arrivals")
end)

test("a host that is down is not asked again by the next message", function()
  mx("them.example", { "10.0.0.1", "10.0.0.2" })
  host("10.0.0.1", { connect = "timeout" })
  host("10.0.0.2", {})
  conf { idle = 0.5 }
  submit { to = { "a@them.example" } }
  run(40)
  eq(#arrived, 1, "arrivals")
  submit { to = { "b@them.example" } }
  run(1)
  eq(#arrived, 2, "arrivals")
end)

test("a connection lost at the dot is tried again later, not bounced",
  function()
    mx("them.example", { "10.0.0.1" })
    mx("us.example", { "10.0.0.9" })
    host("10.0.0.1", { drop = "dot" })
    submit { to = { "a@them.example" } }
    run(30)
    eq(waiting(), 1, "messages waiting")
    host("10.0.0.1", {})
    run(120)
    eq(#arrived, 1, "arrivals")
    eq(waiting(), 0, "messages waiting")
  end)

test("a host that drops a message is not the first to get the next",
  function()
    mx("them.example", { "10.0.0.1", "10.0.0.2" })
    host("10.0.0.1", { drop = "dot" })
    host("10.0.0.2", {})
    submit { to = { "a@them.example" } }
    run(1)
    submit { to = { "b@them.example" } }
    run(1)
    eq(#arrived, 1, "arrivals")
    eq(arrived[1].host, "10.0.0.2", "host")
    run(100)
    eq(#arrived, 2, "arrivals")
  end)

test("all hosts down defers every due message and asks once", function()
  mx("them.example", { "10.0.0.1" })
  host("10.0.0.1", { connect = "refused" })
  for i = 1, 50 do
    submit { to = { ("u%d@them.example"):format(i) } }
  end
  run(10)
  eq(waiting(), 50, "messages waiting")
  ok(#attempts <= 2, "connection attempts")
  host("10.0.0.1", {})
  run(200)
  eq(#arrived, 50, "arrivals")
end)

test("a new message to a destination that is down waits for the probe",
  function()
    mx("them.example", { "10.0.0.1" })
    host("10.0.0.1", { connect = "refused" })
    submit { to = { "a@them.example" } }
    run(10)
    local before = #attempts
    submit { to = { "b@them.example" } }
    run(10)
    eq(#attempts, before, "attempts")
    host("10.0.0.1", {})
    run(100)
    eq(#arrived, 2, "arrivals")
  end)

test("a flush wakes its own destination and no other", function()
  for _, name in ipairs { "a", "b" } do
    mx(name .. ".example", { "10.0.0." .. #name + string.byte(name) })
  end
  host("10.0.0.98", { connect = "refused" })
  host("10.0.0.99", { connect = "refused" })
  submit { to = { "u@a.example" } }
  submit { to = { "u@b.example" } }
  run(10)
  eq(#attempts, 2, "attempts")
  flush("a.example")
  run(10)
  eq(#attempts, 3, "attempts")
  eq(attempts[3].host, "10.0.0.98", "host")
end)

test("a dead destination does not slow a live one", function()
  mx("dead.example", { "10.0.0.1" })
  mx("live.example", { "10.0.0.2" })
  host("10.0.0.1", { connect = "timeout" })
  host("10.0.0.2", {})
  for i = 1, 20 do
    submit { to = { ("a%d@dead.example"):format(i) } }
    submit { to = { ("a%d@live.example"):format(i) } }
  end
  run(1)
  eq(#arrived, 20, "arrivals")
  ok(not seen("10.0.0.1"), "the dead host has not even failed yet")
end)

-- How many are told of a failure in one turn of the loop: RELAY_FAIL_SLICE.
local slice = 100

test("a flush spares those who have not been told of a failure yet", function()
  mx("them.example", { "10.0.0.1" })
  host("10.0.0.1", { connect = "refused" })
  profile { first_retry = 3600, max_retry = 3600 }
  for i = 1, 3 * slice do
    submit { to = { i .. "@them.example" } }
  end
  run(60)
  eq(#attempts, 1, "attempts for all of them")
  flush("them.example")
  while #attempts < 2 do
    run(60, 1)
  end
  host("10.0.0.1", {})
  flush("them.example")
  run(10)
  eq(#arrived, 3 * slice, "arrivals")
end)
