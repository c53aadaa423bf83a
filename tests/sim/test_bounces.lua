-- Who is told what, and that nothing is told about a report.

local function reports()
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
  host("10.0.0.1", { rcpt = 550 })
  host("10.0.0.9", {})
end

test("a refused recipient is reported to the sender", function()
  world()
  submit { to = { "a@them.example" } }
  run(2)
  eq(reports(), 1, "reports")
  eq(arrived[1].to, "us@us.example", "who is told")
  eq(waiting(), 0, "messages waiting")
end)

test("two recipients refused at once are one report", function()
  world()
  submit { to = { "a@them.example", "b@them.example" } }
  run(2)
  eq(reports(), 1, "reports")
end)

test("nobody is told about a message from <>", function()
  world()
  submit { from = "", to = { "a@them.example" } }
  run(2)
  eq(reports(), 0, "reports")
  eq(waiting(), 0, "messages waiting")
end)

test("a report that cannot be delivered is not reported", function()
  world()
  host("10.0.0.9", { rcpt = 550 })
  submit { to = { "a@them.example" } }
  run(10)
  eq(#arrived, 0, "arrivals")
  eq(waiting(), 0, "messages waiting")
end)

test("NOTIFY=NEVER is kept", function()
  world()
  submit { to = { "a@them.example" }, notify = "never" }
  run(2)
  eq(reports(), 0, "reports")
  eq(waiting(), 0, "messages waiting")
end)

test("NOTIFY=SUCCESS is answered when the next host cannot", function()
  world()
  host("10.0.0.1", {})
  submit { to = { "a@them.example" }, notify = "success" }
  run(2)
  eq(reports(), 1, "reports")
end)

test("a domain without mail is refused at once", function()
  world()
  mx("null.example", "null")
  mx("no.example", "nxdomain")
  submit { to = { "a@null.example" } }
  submit { to = { "a@no.example" } }
  run(2)
  eq(reports(), 2, "reports")
  eq(waiting(), 0, "messages waiting")
end)

test("a resolver that fails defers", function()
  world()
  mx("them.example", "fail")
  submit { to = { "a@them.example" } }
  run(30)
  eq(reports(), 0, "reports")
  eq(waiting(), 1, "messages waiting")
  mx("them.example", { "10.0.0.1" })
  host("10.0.0.1", {})
  run(120)
  eq(#arrived, 1, "arrivals")
end)

test("a 552 at RCPT is a quota, not a verdict", function()
  world()
  host("10.0.0.1", { rcpt = 552 })
  submit { to = { "a@them.example" } }
  run(30)
  eq(waiting(), 1, "messages waiting")
end)
