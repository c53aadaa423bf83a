-- Those who have a say in deliveries: more TLS, later, not at all, elsewhere.

local function world(tls)
  mx("them.example", { "10.0.0.1" })
  mx("us.example", { "10.0.0.9" })
  host("10.0.0.1", { tls = tls or "good" })
  host("10.0.0.2", { tls = tls or "good" })
  host("10.0.0.9", { tls = "good" })
end

local function told(what)
  local n, last = 0, nil
  for _, e in ipairs(news) do
    if e.what == what then
      n = n + 1
      last = e
    end
  end
  return n, last
end

test("what is wanted for a recipient makes a next hop of its own", function()
  world()
  policy {
    rcpt = function(domain, name)
      if domain == "them.example" and name == "boss" then
        return "required-verify"
      end
    end,
  }
  submit { to = { "a@them.example", "boss@them.example" } }
  run(2)
  eq(#arrived, 2, "arrivals")
  local level = {}
  for _, a in ipairs(arrived) do
    level[a.to] = a.level
  end
  eq(level["a@them.example"], "opportunistic", "usual")
  eq(level["boss@them.example"], "required-verify", "stronger")
end)

test("what is wanted for a recipient only raises", function()
  world()
  destination("them.example", "required")
  policy { rcpt = function() return "none" end }
  submit { to = { "a@them.example" } }
  run(2)
  eq(arrived[1].level, "required", "level")
end)

test("an opinion that is not readable keeps the mail here", function()
  world()
  policy { rcpt = function() return "very strict" end }
  submit { to = { "a@them.example" } }
  run(100)
  eq(#arrived, 0, "arrivals")
  eq(waiting(), 1, "waiting")
  ok(select(2, told("deferred")).text:find("not readable"), "the reason")
  policy {}
  run(4000)
  eq(#arrived, 1, "arrivals")
  eq(arrived[1].level, "opportunistic", "level")
end)

test("a policy raises what is wanted of a next hop while it holds", function()
  world()
  local asked, want = 0, "required source=x"
  policy {
    hop = function(domain, names)
      asked = asked + 1
      eq(domain, "them.example", "domain")
      eq(#names, 1, "hosts")
      return { want = want, source = "dane", ttl = 100, delay = 1 }
    end,
  }
  want = "required"
  submit { to = { "a@them.example" } }
  run(0.9)
  eq(#arrived, 0, "too early")
  ok(hops()[1]:find('"state":"asking"'), hops()[1])
  run(1)
  eq(#arrived, 1, "arrivals")
  eq(arrived[1].level, "required", "level")
  ok(hops()[1]:find('"tls":"required","tls_source":"dane"'), hops()[1])
  submit { to = { "b@them.example" } }
  run(1)
  eq(asked, 1, "questions")
  eq(arrived[2].conn, arrived[1].conn, "kept connection")
  want = nil
  run(100)
  submit { to = { "c@them.example" } }
  run(3)
  eq(asked, 2, "questions")
  eq(arrived[3].level, "opportunistic", "level")
end)

test("a policy cannot lower what is wanted", function()
  world()
  destination("them.example", "required")
  policy { hop = function() return { want = "none" } end }
  submit { to = { "a@them.example" } }
  run(2)
  eq(arrived[1].level, "required", "level")
end)

test("a raised want drops the connections that were opened under another",
  function()
    world()
    conf { idle = 1000 }
    local want
    policy { hop = function() return { want = want, ttl = 10 } end }
    submit { to = { "a@them.example" } }
    run(2)
    eq(arrived[1].level, "opportunistic", "level")
    want = "required"
    run(10)
    submit { to = { "b@them.example" } }
    run(2)
    eq(arrived[2].level, "required", "level")
    ok(arrived[1].conn ~= arrived[2].conn, "another connection")
  end)

test("nothing is sent when the time of a policy is over and nobody answers",
  function()
    world()
    conf { idle = 1000 }
    local silent = false
    policy {
      hop = function()
        return { want = "required", ttl = 10, delay = silent and 1e6 or 0 }
      end,
    }
    submit { to = { "a@them.example" } }
    run(2)
    silent = true
    run(10)
    submit { to = { "b@them.example" } }
    run(100)
    eq(#arrived, 1, "arrivals")
  end)

test("a policy that fails is a failure of TLS, and nothing is sent", function()
  world()
  local fails = "no answer in 30 s"
  policy {
    hop = function()
      if fails then
        return { fails = fails }
      end
      return { want = "required" }
    end,
  }
  submit { to = { "a@them.example" } }
  run(10)
  eq(#arrived, 0, "arrivals")
  eq(opened("10.0.0.1"), 0, "connections")
  local n, last = told("deferred")
  eq(n, 1, "deferrals")
  ok(last.text:find("TLS policy of them.example: no answer in 30 s", 1, true),
    last.text)
  fails = nil
  run(120)
  eq(#arrived, 1, "arrivals")
  eq(arrived[1].level, "required", "level")
end)

test("a policy that is not readable fails", function()
  world()
  policy { hop = function() return { want = "tight", source = "sts" } end }
  submit { to = { "a@them.example" } }
  run(10)
  eq(#arrived, 0, "arrivals")
  local _, last = told("deferred")
  ok(last.text:find('"tight" of sts is not readable', 1, true), last.text)
end)

test("the deadline of a policy ends the mail, and the report travels with it",
  function()
    world("none")
    host("10.0.0.9", { tls = "none" })
    policy {
      hop = function(domain)
        if domain == "them.example" then
          return { want = "required deadline=3h", ttl = 86400 }
        end
      end,
    }
    submit { to = { "a@them.example" }, from = "me@us.example" }
    run(3 * 3600 - 60)
    eq((told("bounced")), 0, "bounces")
    run(120)
    eq((told("bounced")), 1, "bounces")
    run(3600)
    eq(#arrived, 0, "no report in clear")
    eq(waiting(), 1, "the report waits")
  end)

test("whoever is asked before a message is sent may put it off", function()
  world()
  local say = "defer"
  policy {
    deliver = function(u)
      eq(u.to, "a@them.example", "recipient")
      eq(u.tls, true, "TLS")
      return { say = say, text = "not now", delay = 2 }
    end,
  }
  submit { to = { "a@them.example" } }
  run(5)
  eq(#arrived, 0, "arrivals")
  eq(select(2, told("deferred")).text, "not now", "words")
  say = "send"
  run(120)
  eq(#arrived, 1, "arrivals")
end)

test("whoever is asked before a message is sent may give it back", function()
  world()
  policy {
    deliver = function(u)
      if u.to == "a@them.example" then
        return { say = "bounce", text = "never" }
      end
    end,
  }
  submit { to = { "a@them.example" }, from = "me@us.example" }
  run(5)
  eq(select(2, told("bounced")).text, "never", "words")
  eq(#arrived, 1, "the report")
  eq(arrived[1].to, "me@us.example", "the report")
end)

test("a want raised before sending is met by another connection", function()
  world()
  local asked = 0
  policy {
    deliver = function()
      asked = asked + 1
      return { want = "required-verify" }
    end,
  }
  submit { to = { "a@them.example" } }
  run(5)
  eq(#arrived, 1, "arrivals")
  eq(arrived[1].level, "required-verify", "level")
  eq(asked, 2, "questions: the second changes nothing")
  eq((told("deferred")), 0, "no attempt was lost")
end)

test("a want raised before sending holds for later attempts", function()
  world("none")
  local want = "required"
  policy { deliver = function() return { want = want } end }
  submit { to = { "a@them.example" } }
  run(5)
  want = nil
  run(4000)
  eq(#arrived, 0, "never in clear")
  host("10.0.0.1", { tls = "good" })
  run(8000)
  eq(#arrived, 1, "arrivals")
  eq(arrived[1].level, "required", "level")
end)

test("another route before sending leads there", function()
  world()
  mx("[10.0.0.2]:25", { "10.0.0.2" })
  policy {
    deliver = function(u)
      if u.host == "10.0.0.1" then
        return { route = "[10.0.0.2]:25" }
      end
    end,
  }
  submit { to = { "a@them.example" } }
  run(5)
  eq(#arrived, 1, "arrivals")
  eq(arrived[1].host, "10.0.0.2", "host")
end)

test("a route that is not there puts the mail off", function()
  world()
  policy { deliver = function() return { route = "nowhere" } end }
  submit { to = { "a@them.example" } }
  run(5)
  eq(#arrived, 0, "arrivals")
  local _, last = told("deferred")
  ok(last.text:find('there is no route "nowhere"', 1, true), last.text)
end)

test("somebody who sends mail to and fro does not do so for ever", function()
  world()
  mx("[10.0.0.1]:25", { "10.0.0.1" })
  mx("[10.0.0.2]:25", { "10.0.0.2" })
  policy {
    deliver = function(u)
      return { route = u.host == "10.0.0.1" and "[10.0.0.2]:25" or
        "[10.0.0.1]:25" }
    end,
  }
  submit { to = { "a@them.example" } }
  run(30)
  eq(#arrived, 0, "arrivals")
  local n, last = told("deferred")
  eq(n, 1, "deferrals")
  eq(last.text, "plugins send it to and fro", "words")
end)

test("a want that is not readable puts the mail off", function()
  world()
  policy { deliver = function() return { want = "tight" } end }
  submit { to = { "a@them.example" } }
  run(5)
  eq(#arrived, 0, "arrivals")
  ok(select(2, told("deferred")).text:find("not readable"), "words")
end)

test("a stop does not wait for who is asked before sending", function()
  world()
  policy { deliver = function() return { delay = 1e6 } end }
  submit { to = { "a@them.example" } }
  run(5)
  destination("other.example", "required") -- a reload
  policy {}
  run(5)
  eq(#arrived, 1, "arrivals")
end)

test("what became of each recipient is told, and each new message", function()
  world()
  host("10.0.0.1", {
    rcpt = function(a)
      return a:find("^no") and 550 or a:find("^later") and 450 or 250
    end,
  })
  submit {
    to = { "a@them.example", "no@them.example", "later@them.example" },
    from = "me@us.example",
  }
  run(5)
  eq((told("queued")), 2, "the message and the report")
  eq((told("delivered")), 2, "deliveries")
  eq(select(2, told("bounced")).to, "no@them.example", "bounced")
  eq(select(2, told("deferred")).to, "later@them.example", "deferred")
end)
