-- Connections, messages and recipients: never more than allowed.

test("never more connections than the limit, and all mail arrives", function()
  conf { concurrency = 3 }
  mx("them.example", { "10.0.0.1" })
  host("10.0.0.1", { latency = 0.2 })
  for i = 1, 60 do
    submit { to = { ("u%d@them.example"):format(i) } }
  end
  run(120)
  eq(#arrived, 60, "arrivals")
  eq(peak("10.0.0.1"), 3, "connections at once")
end)

test("the limit holds across four workers", function()
  worker(4)
  conf { concurrency = 3, idle = 0.1 }
  mx("them.example", { "10.0.0.1" })
  host("10.0.0.1", { latency = 0.2 })
  for i = 1, 80 do
    submit { worker = i % 4 + 1, to = { ("u%d@them.example"):format(i) } }
  end
  run(300)
  eq(#arrived, 80, "arrivals")
  eq(peak("10.0.0.1"), 3, "connections at once")
end)

test("a connection is used again for the next message", function()
  mx("them.example", { "10.0.0.1" })
  host("10.0.0.1", {})
  for i = 1, 5 do
    submit { to = { ("u%d@them.example"):format(i) } }
    run(1)
  end
  eq(#arrived, 5, "arrivals")
  eq(opened("10.0.0.1"), 1, "connections")
end)

test("a connection carries no more messages than the limit", function()
  conf { max_messages = 2 }
  mx("them.example", { "10.0.0.1" })
  host("10.0.0.1", {})
  for i = 1, 6 do
    submit { to = { ("u%d@them.example"):format(i) } }
    run(1)
  end
  eq(#arrived, 6, "arrivals")
  eq(opened("10.0.0.1"), 3, "connections")
end)

test("an idle connection is closed after its time", function()
  conf { idle = 5 }
  mx("them.example", { "10.0.0.1" })
  host("10.0.0.1", {})
  submit { to = { "a@them.example" } }
  run(10)
  submit { to = { "b@them.example" } }
  run(1)
  eq(opened("10.0.0.1"), 2, "connections")
end)

test("recipients of one domain go in one transaction, up to the limit",
  function()
    conf { max_rcpt = 20 }
    mx("them.example", { "10.0.0.1" })
    host("10.0.0.1", {})
    local to = {}
    for i = 1, 50 do
      to[i] = ("u%d@them.example"):format(i)
    end
    submit { to = to }
    run(5)
    eq(#arrived, 50, "arrivals")
    eq(#attempts, 3, "transactions")
    eq(opened("10.0.0.1"), 1, "connections")
  end)

test("too many recipients for the peer are sent in a further transaction",
  function()
    local n = 0
    mx("them.example", { "10.0.0.1" })
    local seen = {}
    host("10.0.0.1", {
      rcpt = function(to)
        if seen[to] then
          return 250
        end
        n = n + 1
        if n == 11 then
          return 452
        end
        seen[to] = true
        return 250
      end,
    })
    local to = {}
    for i = 1, 20 do
      to[i] = ("u%d@them.example"):format(i)
    end
    submit { to = to }
    run(5)
    eq(#arrived, 20, "arrivals")
    eq(waiting(), 0, "messages waiting")
  end)

test("a backlog of ten thousand drains", function()
  conf { concurrency = 20, max_messages = 0 }
  mx("them.example", { "10.0.0.1" })
  host("10.0.0.1", { latency = 0.01 })
  for i = 1, 10000 do
    submit { to = { ("u%d@them.example"):format(i) } }
  end
  run(300)
  eq(#arrived, 10000, "arrivals")
  eq(waiting(), 0, "messages waiting")
  ok(peak("10.0.0.1") <= 20, "connections at once")
end)

-- Limits of destination blocks. What the peer sees counts, at four times what
-- is allowed, over all workers.

local function flood(domain, n)
  for i = 1, n do
    submit { worker = i % 4 + 1, to = { ("u%d@%s"):format(i, domain) } }
  end
end

test("a block's limit of connections holds across workers, others keep theirs",
  function()
    worker(4)
    conf { concurrency = 8, idle = 0.1 }
    limits("them.example", { concurrency = 2 })
    mx("them.example", { "10.0.0.1" })
    mx("others.example", { "10.0.0.2" })
    host("10.0.0.1", { latency = 0.2 })
    host("10.0.0.2", { latency = 0.2 })
    flood("them.example", 40)
    flood("others.example", 160)
    run(300)
    eq(#arrived, 200, "arrivals")
    eq(peak("10.0.0.1"), 2, "connections at once")
    eq(peak("10.0.0.2"), 8, "connections to others")
  end)

test("each sub-domain of a block has the limit for itself", function()
  worker(4)
  conf { concurrency = 8, idle = 0.1 }
  limits(".them.example", { concurrency = 2 })
  mx("a.them.example", { "10.0.0.1" })
  mx("b.them.example", { "10.0.0.2" })
  host("10.0.0.1", { latency = 0.2 })
  host("10.0.0.2", { latency = 0.2 })
  flood("a.them.example", 40)
  flood("b.them.example", 40)
  run(300)
  eq(#arrived, 80, "arrivals")
  eq(peak("10.0.0.1"), 2, "connections of one")
  eq(peak("10.0.0.2"), 2, "connections of the other")
end)

test("a limit by MX holds for each of the hosts", function()
  worker(4)
  conf { idle = 0.1 }
  limits("them.example", { concurrency = 2, by_mx = 1 })
  mx("them.example", { "10.0.0.1", "10.0.0.2", equal = true })
  host("10.0.0.1", { latency = 0.2 })
  host("10.0.0.2", { latency = 0.2 })
  flood("them.example", 80)
  run(300)
  eq(#arrived, 80, "arrivals")
  eq(peak("10.0.0.1"), 2, "connections of one host")
  eq(peak("10.0.0.2"), 2, "connections of the other")
end)

test("a block's limit of messages counts transactions", function()
  conf { max_rcpt = 1 }
  limits("them.example", { max_messages = 2 })
  mx("them.example", { "10.0.0.1" })
  host("10.0.0.1", {})
  submit { to = { "a@them.example", "b@them.example", "c@them.example",
    "d@them.example", "e@them.example", "f@them.example" } }
  run(5)
  eq(#arrived, 6, "arrivals")
  eq(opened("10.0.0.1"), 3, "connections")
end)

test("no more recipients in a window than allowed, the rest waits", function()
  worker(4)
  conf { idle = 0.1 }
  limits("them.example", { recipients = 10, minutes = 1 })
  mx("them.example", { "10.0.0.1" })
  host("10.0.0.1", {})
  flood("them.example", 40)
  for window = 1, 4 do
    run(50)
    eq(#arrived, 10 * window, "recipients of a window")
    run(11)
  end
  eq(waiting(), 0, "messages waiting")
end)

test("idle connections do not go round when the window is used up", function()
  conf { idle = 30 }
  limits("them.example", { recipients = 9, minutes = 1 })
  mx("them.example", { "10.0.0.1" })
  host("10.0.0.1", { latency = 0.2 })
  for i = 1, 8 do
    submit { to = { ("u%d@them.example"):format(i) } }
  end
  run(20)
  eq(#arrived, 8, "recipients")
  eq(peak("10.0.0.1") > 1, true, "several connections")
  for i = 9, 12 do
    submit { to = { ("u%d@them.example"):format(i) } }
  end
  run(10)
  eq(#arrived, 9, "recipients of the first window")
  run(60)
  eq(#arrived, 12, "recipients of both")
end)

test("a message with more recipients than the window has is cut", function()
  limits("them.example", { recipients = 4, minutes = 60 })
  mx("them.example", { "10.0.0.1" })
  host("10.0.0.1", {})
  local to = {}
  for i = 1, 10 do
    to[i] = ("u%d@them.example"):format(i)
  end
  submit { to = to }
  run(3500)
  eq(#arrived, 4, "recipients of the first hour")
  run(3600)
  eq(#arrived, 8, "recipients of two hours")
  run(3600)
  eq(#arrived, 10, "recipients of three")
end)

test("who waits for a window has not tried, and goes back by age alone",
  function()
    profile { max_retries = 1, lifetime = 5400, first_retry = 1, max_retry = 1,
      jitter = 0 }
    limits("them.example", { recipients = 1, minutes = 60 })
    mx("them.example", { "10.0.0.1" })
    mx("us.example", { "10.0.0.9" })
    host("10.0.0.1", {})
    host("10.0.0.9", {})
    flood("them.example", 0)
    for i = 1, 3 do
      submit { to = { ("u%d@them.example"):format(i) } }
    end
    run(3500)
    eq(#arrived, 1, "in the first hour")
    run(300)
    eq(#arrived, 2, "in the second")
    run(7200)
    eq(waiting(), 0, "messages waiting")
    eq(#attempts, 3, "two deliveries and one report")
  end)
