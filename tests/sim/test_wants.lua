-- What each recipient wants of TLS: the way there, how long, and the way back.

local HOUR = 3600

local function reports()
  local n, last = 0, nil
  for _, a in ipairs(arrived) do
    if a.from == "" then
      n = n + 1
      last = a
    end
  end
  return n, last
end

local function tries(ip)
  local n = 0
  for _, a in ipairs(attempts) do
    if a.host == ip then
      n = n + 1
    end
  end
  return n
end

local function world(tls)
  mx("them.example", { "10.0.0.1" })
  mx("us.example", { "10.0.0.9" })
  host("10.0.0.1", { tls = tls or "good" })
  host("10.0.0.9", { tls = "good" })
end

test("recipients with different wants go over two connections", function()
  world()
  destination("boss@them.example", "required-verify")
  submit { to = { "a@them.example", "boss@them.example", "b@them.example" } }
  run(2)
  eq(#arrived, 3, "arrivals")
  local level, conn = {}, {}
  for _, a in ipairs(arrived) do
    level[a.to] = a.level
    conn[a.to] = a.conn
  end
  eq(level["a@them.example"], "opportunistic", "usual")
  eq(level["b@them.example"], "opportunistic", "usual")
  eq(level["boss@them.example"], "required-verify", "stronger")
  eq(conn["a@them.example"], conn["b@them.example"], "the same connection")
  ok(conn["a@them.example"] ~= conn["boss@them.example"], "another one")
  eq(opened("10.0.0.1"), 2, "connections")
end)

test("a connection for a weaker want never serves a stronger one", function()
  world()
  submit { to = { "a@them.example" } }
  run(1)
  submit { to = { "b@them.example" }, want = "required" }
  run(1)
  submit { to = { "c@them.example" }, want = "required-verify" }
  run(1)
  submit { to = { "d@them.example" } }
  run(1)
  eq(#arrived, 4, "arrivals")
  eq(arrived[2].level, "required", "level")
  eq(arrived[3].level, "required-verify", "level")
  eq(arrived[4].conn, arrived[1].conn, "kept connection")
  eq(opened("10.0.0.1"), 3, "connections")
end)

test("a stored want raises what the table says and never lowers it",
  function()
    world()
    destination("them.example", "required")
    submit {
      to = { "a@them.example", "b@them.example", "c@them.example" },
      want = { "none", "required-verify", "" },
    }
    run(2)
    local level = {}
    for _, a in ipairs(arrived) do
      level[a.to:sub(1, 1)] = a.level
    end
    eq(level.a, "required", "lower")
    eq(level.b, "required-verify", "higher")
    eq(level.c, "required", "none")
  end)

test("a want that nobody can read is not taken for less", function()
  world()
  submit { to = { "a@them.example", "b@them.example" },
    want = { "better", "" } }
  run(2 * HOUR)
  eq(#arrived, 1, "arrivals")
  eq(arrived[1].to, "b@them.example", "who got it")
  eq(waiting(), 1, "messages waiting")
end)

test("the limit of a destination holds for all its wants", function()
  world()
  conf { concurrency = 1 }
  host("10.0.0.1", { tls = "good", latency = 0.2 })
  for i = 1, 5 do
    submit { to = { "a" .. i .. "@them.example" } }
    submit { to = { "b" .. i .. "@them.example" }, want = "required" }
    submit { to = { "c" .. i .. "@them.example" }, want = "required-verify" }
  end
  run(60)
  eq(#arrived, 15, "arrivals")
  eq(peak("10.0.0.1"), 1, "connections at once")
end)

test("a stream of one want leaves another its turn", function()
  for _, limit in ipairs { 1, 2 } do
    local domain = "limit" .. limit .. ".example"
    world()
    conf { concurrency = limit, max_messages = 100000 }
    mx(domain, { "10.0.1." .. limit })
    host("10.0.1." .. limit, { tls = "good", latency = 0.1 })
    for i = 1, 500 do
      submit { to = { "a" .. i .. "@" .. domain } }
    end
    run(2)
    submit { to = { "b@" .. domain }, want = "required" }
    run(2)
    local n = 0
    for _, a in ipairs(arrived) do
      if a.to == "b@" .. domain then
        n = n + 1
      end
    end
    eq(n, 1, "arrivals of the other with limit " .. limit)
    run(300)
    eq(waiting(), 0, "messages waiting")
    eq(peak("10.0.1." .. limit), limit, "connections at once")
  end
end)

test("a pause because of TLS holds up only who wants it", function()
  world("none")
  submit { to = { "a@them.example" }, want = "required" }
  run(5)
  submit { to = { "b@them.example" } }
  run(5)
  eq(#arrived, 1, "arrivals")
  eq(arrived[1].to, "b@them.example", "who got it")
end)

test("a flush is one of all wants, and ends their pauses", function()
  world("none")
  submit { to = { "a@them.example" }, want = "required" }
  submit { to = { "b@them.example" }, want = "required-verify" }
  run(30)
  host("10.0.0.1", { tls = "good" })
  eq(flush("them.example"), 2, "units flushed")
  run(1)
  eq(#arrived, 2, "arrivals")
end)

test("the list of next hops shows what each wants", function()
  world("none")
  submit { to = { "a@them.example" }, want = "required-verify-hosted" }
  run(5)
  local row = hops()[1]
  ok(row:find('"hop":"them.example"', 1, true), row)
  ok(row:find('"tls":"required-verify match=hosted"', 1, true), row)
  ok(row:find('"key":"them.example required-verify match=hosted"', 1, true),
    row)
end)

test("a reload that wants more holds for what waits already", function()
  world("none")
  host("10.0.0.1", { connect = "refused" })
  submit { to = { "a@them.example", "boss@them.example" } }
  submit { to = { "b@them.example" } }
  run(10)
  host("10.0.0.1", { tls = "none" })
  destination("boss@them.example", "required")
  run(2 * HOUR)
  eq(#arrived, 2, "arrivals")
  eq(waiting(), 1, "messages waiting")
  destination("them.example", "required")
  destination("other.example", "none")
  submit { to = { "c@them.example" } }
  run(2 * HOUR)
  eq(#arrived, 2, "arrivals")
  host("10.0.0.1", { tls = "good" })
  run(2 * HOUR)
  eq(#arrived, 4, "arrivals")
  eq(arrived[3].level, "required", "level")
  eq(arrived[4].level, "required", "level")
end)

test("a reload that wants less lets go what waited for TLS", function()
  world("none")
  destination("them.example", "required")
  submit { to = { "a@them.example" } }
  run(300)
  eq(#arrived, 0, "arrivals")
  destination("a@them.example", "opportunistic")
  run(2 * HOUR)
  eq(#arrived, 1, "arrivals")
  eq(arrived[1].tls, nil, "TLS")
end)

-- S0-14, S0-15: FOPE's forced TLS.
local function forced(tls)
  world(tls)
  destination("them.example", "forced")
  submit { to = { "a@them.example" } }
  run(24 * HOUR - 60)
  eq(waiting(), 1, "messages waiting at +23h59")
  eq(reports(), 0, "reports at +23h59")
  ok(tries("10.0.0.1") >= 20, "attempts: " .. tries("10.0.0.1"))
  run(120)
  eq(waiting(), 0, "messages waiting at +24h01")
  eq(reports(), 1, "reports at +24h01")
  run(100 * HOUR)
  eq(reports(), 1, "reports")
end

for _, tls in ipairs { "none", "refused", "cut", "unverified",
  "certificate-expired", "no-shared-cipher", "timeout" } do
  test("forced TLS is given up after a day: " .. tls, function()
    forced(tls)
  end)
end

test("forced TLS is given up after a day, whatever the profile", function()
  profile { max_retries = 100000, lifetime = 500 * HOUR }
  forced("none")
end)

test("an end that falls into a pause of the hosts is kept", function()
  conf { host_backoff = 10 * HOUR, host_backoff_max = 100 * HOUR }
  world("none")
  destination("them.example", "required deadline=24h")
  submit { to = { "a@them.example" } }
  run(24 * HOUR - 60)
  eq(waiting(), 1, "messages waiting")
  run(120)
  eq(waiting(), 0, "messages waiting")
  eq(reports(), 1, "reports")
end)

test("a host that is out of reach is no failure of TLS", function()
  world()
  host("10.0.0.1", { connect = "refused" })
  destination("them.example", "forced")
  submit { to = { "a@them.example" } }
  run(70 * HOUR)
  eq(waiting(), 1, "messages waiting")
  run(4 * HOUR)
  eq(waiting(), 0, "messages waiting")
  eq(reports(), 1, "reports")
end)

test("TLS that fails with one of several hosts counts as TLS", function()
  world()
  mx("them.example", { "10.0.0.1", "10.0.0.2", "10.0.0.3" })
  host("10.0.0.1", { connect = "refused" })
  host("10.0.0.2", { tls = "certificate-expired" })
  host("10.0.0.3", { connect = "timeout" })
  destination("them.example", "forced")
  submit { to = { "a@them.example" } }
  run(20 * HOUR)
  for _, ip in ipairs { "10.0.0.1", "10.0.0.2", "10.0.0.3" } do
    ok(tries(ip) >= 15, ip .. " was tried " .. tries(ip))
  end
  run(4 * HOUR + 60)
  eq(waiting(), 0, "messages waiting")
  eq(reports(), 1, "reports")
end)

test("TLS that fails everywhere never bounces at once", function()
  world()
  mx("them.example", { "10.0.0.1", "10.0.0.2" })
  host("10.0.0.1", { tls = "refused" })
  host("10.0.0.2", { banner = 554 })
  destination("them.example", "required")
  submit { to = { "a@them.example" } }
  run(10 * HOUR)
  eq(reports(), 0, "reports")
  eq(waiting(), 1, "messages waiting")
  host("10.0.0.2", { tls = "good" })
  run(2 * HOUR)
  eq(arrived[1].host, "10.0.0.2", "host")
end)

test("a refusal inside TLS is one like any other", function()
  world()
  host("10.0.0.1", { tls = "good", rcpt = 550 })
  destination("them.example", "forced")
  submit { to = { "a@them.example" } }
  run(2)
  eq(reports(), 1, "reports")
end)

test("the sender is warned when the want says so", function()
  world("none")
  destination("them.example", "required deadline=24h warn_after=2h")
  submit { to = { "a@them.example" } }
  run(2 * HOUR - 30)
  eq(reports(), 0, "reports")
  run(60)
  eq(reports(), 1, "reports")
  run(20 * HOUR)
  eq(reports(), 1, "reports")
  run(3 * HOUR)
  eq(reports(), 2, "reports")
end)

-- S0-16: what may not be sent in clear is not returned in clear.
local function held_back(level, tls)
  world("none")
  host("10.0.0.9", { tls = tls })
  destination("them.example", level .. " deadline=1h")
  submit { to = { "a@them.example" } }
  run(2 * HOUR)
  eq(reports(), 0, "reports")
  eq(waiting(), 1, "messages waiting")
  eq(held(), 0, "held at first")
  run(75 * HOUR)
  eq(reports(), 0, "reports")
  eq(held(), 1, "held")
  return level
end

test("a report travels under the level of the message", function()
  for i, level in ipairs { "required", "required-verify" } do
    local domain = level .. ".example"
    world()
    mx(domain, { "10.0.1." .. i })
    host("10.0.1." .. i, { tls = "none" })
    destination(domain, level .. " deadline=1h")
    submit { to = { "a@" .. domain } }
    run(2 * HOUR)
    local n, last = reports()
    eq(n, i, "reports")
    eq(last.level, level, "level")
    ok(last.tls, "TLS")
  end
end)

test("a warning travels under the level of the message", function()
  world("none")
  destination("them.example", "required-verify warn_after=1h")
  submit { to = { "a@them.example" } }
  run(2 * HOUR)
  local n, last = reports()
  eq(n, 1, "reports")
  eq(last.level, "required-verify", "level")
end)

test("a report about a refusal inside TLS does so, too", function()
  world()
  host("10.0.0.1", { tls = "good", rcpt = 550 })
  submit { to = { "a@them.example" }, want = "required" }
  submit { to = { "b@them.example" } }
  run(5)
  local n = reports()
  eq(n, 2, "reports")
  local levels = { [arrived[1].level] = true, [arrived[2].level] = true }
  ok(levels["required"], "one required")
  ok(levels["opportunistic"], "one as usual")
end)

test("names and pins of the other side do not hold for the report", function()
  world("none")
  destination("them.example", "required-verify names=mx.them.example "
    .. "deadline=1h")
  submit { to = { "a@them.example" } }
  run(2 * HOUR)
  eq(reports(), 1, "reports")
end)

test("a report that would travel in clear is held", function()
  held_back("required", "none")
  -- One attempt for each release, and then it is there.
  local before = tries("10.0.0.9")
  release()
  run(2 * HOUR)
  eq(tries("10.0.0.9"), before + 1, "attempts")
  eq(held(), 1, "held")
  host("10.0.0.9", { tls = "good" })
  release()
  run(HOUR)
  eq(reports(), 1, "reports")
  eq(waiting(), 0, "messages waiting")
end)

test("a report whose host cannot be verified is held", function()
  held_back("required-verify", "unverified")
end)

test("the usual report is not held", function()
  world()
  host("10.0.0.1", { rcpt = 550 })
  host("10.0.0.9", { connect = "refused" })
  submit { to = { "a@them.example" } }
  run(80 * HOUR)
  eq(waiting(), 0, "messages waiting")
end)
