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
