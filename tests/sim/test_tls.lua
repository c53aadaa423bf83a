-- What a TLS failure leads to: the next step, clear text, the next host, or
-- another day (requirements.md 3.1).

local levels = { "none", "opportunistic", "preferred", "preferred-verify",
  "required", "required-verify" }

-- How often each host was tried, with what result.
local function results(ip)
  local list = {}
  for _, a in ipairs(attempts) do
    if a.host == ip then
      list[#list + 1] = a.result
    end
  end
  return table.concat(list, " ")
end

-- One message under a level to a host; "clear", "tls" or "deferred".
local function outcome(level, tls)
  local ip = "10.0.0.1"
  mx("them.example", { ip })
  host(ip, { tls = tls })
  conf { tls = level }
  submit { to = { "a@them.example" } }
  run(20)
  if #arrived == 0 then
    eq(waiting(), 1, level .. ": messages waiting")
    return "deferred"
  end
  eq(#arrived, 1, level .. ": arrivals")
  return arrived[1].tls and "tls" or "clear"
end

local matrix = {
  { "EHLO refused", "noehlo",
    { "clear", "clear", "clear", "clear", "deferred", "deferred" } },
  { "STARTTLS not offered", "none",
    { "clear", "clear", "clear", "clear", "deferred", "deferred" } },
  { "STARTTLS masked", "masked",
    { "clear", "clear", "clear", "clear", "deferred", "deferred" } },
  { "STARTTLS refused", "refused",
    { "clear", "clear", "clear", "clear", "deferred", "deferred" } },
  { "the connection lost at STARTTLS", "cut",
    { "clear", "clear", "clear", "clear", "deferred", "deferred" } },
  { "silence after the 220", "starttls-blocked",
    { "clear", "clear", "deferred", "deferred", "deferred", "deferred" } },
  { "a reset handshake", "reset",
    { "clear", "clear", "deferred", "deferred", "deferred", "deferred" } },
  { "clear text behind the 220", "starttls-injection",
    { "clear", "deferred", "deferred", "deferred", "deferred", "deferred" } },
  { "no shared cipher", "no-shared-cipher",
    { "clear", "clear", "deferred", "deferred", "deferred", "deferred" } },
  { "a certificate nobody vouches for", "unverified",
    { "clear", "tls", "tls", "tls", "tls", "deferred" } },
  { "a good certificate", "good",
    { "clear", "tls", "tls", "tls", "tls", "tls" } },
}

for _, row in ipairs(matrix) do
  for i, level in ipairs(levels) do
    test(("%s under %s: %s"):format(row[1], level, row[3][i]), function()
      eq(outcome(level, row[2]), row[3][i], "outcome")
    end)
  end
end

-- tls of a host that is content from a step on.
local function from_step(wanted, reason)
  local reached = false
  return function(step)
    reached = reached or step == wanted
    return step == wanted and "good" or reason
  end
end

test("a hello that is too big is followed by a smaller one", function()
  eq(outcome("opportunistic", from_step("classic", "timeout")), "tls")
  eq(arrived[1].tls, "classic", "step")
  eq(results("10.0.0.1"), "timeout dot", "attempts")
  eq(metric("tls_out_step_classic_total"), 1, "steps")
  eq(metric("tls_out_failed_timeout_total"), 1, "failures")
end)

test("levels that verify take the smaller hello as well", function()
  eq(outcome("required-verify", from_step("classic", "reset")), "tls")
  eq(arrived[1].tls, "classic", "step")
end)

test("an alert leads to TLS 1.2, but not where one verifies", function()
  eq(outcome("required", from_step("tls12", "alert")), "tls")
  eq(results("10.0.0.1"), "alert dot", "attempts")
end)

test("no step below the small hello where one verifies", function()
  eq(outcome("preferred-verify", from_step("tls12", "alert")), "deferred")
  eq(results("10.0.0.1"), "alert", "attempts")
end)

test("a key that must not sign leads to RSA key exchange", function()
  eq(outcome("opportunistic", from_step("rsa", "key-usage")), "tls")
  eq(arrived[1].tls, "rsa", "step")
  eq(results("10.0.0.1"), "key-usage dot", "attempts")
end)

test("each step is tried once, then clear text on one more connection",
  function()
    eq(outcome("opportunistic", "protocol"), "clear")
    eq(results("10.0.0.1"), "protocol protocol protocol dot", "attempts")
    eq(metric("tls_out_step_clear_total"), 1, "falls to clear text")
    eq(metric("messages_delivered_clear_total"), 1, "messages in clear")
  end)

test("each step is tried once, then the host has failed", function()
  eq(outcome("required", "protocol"), "deferred")
  eq(results("10.0.0.1"), "protocol protocol protocol", "attempts")
end)

test("a step that worked is the first to be tried for a while", function()
  eq(outcome("opportunistic", from_step("classic", "timeout")), "tls")
  run(60)
  submit { to = { "b@them.example" } }
  run(10)
  eq(results("10.0.0.1"), "timeout dot dot", "attempts")
  run(700)
  host("10.0.0.1", { tls = "good" })
  submit { to = { "c@them.example" } }
  run(10)
  eq(arrived[3].tls, "full", "step")
end)

test("broken TLS is remembered, and forgotten after minutes", function()
  eq(outcome("opportunistic", "no-shared-cipher"), "clear")
  run(60)
  submit { to = { "b@them.example" } }
  run(10)
  eq(results("10.0.0.1"), "no-shared-cipher dot dot", "attempts")
  host("10.0.0.1", { tls = "good" })
  run(700)
  submit { to = { "c@them.example" } }
  run(10)
  eq(arrived[3].tls, "full", "TLS again")
end)

test("a memory of no time still ends in clear text", function()
  conf { broken_tls = 0 }
  eq(outcome("opportunistic", "reset"), "clear")
end)

test("TLS that worked lately is never given up for clear text", function()
  eq(outcome("opportunistic", "good"), "tls")
  host("10.0.0.1", { tls = "reset" })
  run(3600 * 24)
  submit { to = { "b@them.example" } }
  run(30)
  eq(#arrived, 1, "arrivals")
  host("10.0.0.1", { tls = "cut" })
  run(100)
  eq(#arrived, 1, "arrivals")
  host("10.0.0.1", { tls = "good" })
  run(700)
  eq(#arrived, 2, "arrivals")
  eq(arrived[2].tls, "full", "step")
end)

test("TLS that worked long ago counts no more", function()
  eq(outcome("opportunistic", "good"), "tls")
  host("10.0.0.1", { tls = "reset" })
  run(3600 * 73)
  submit { to = { "b@them.example" } }
  run(30)
  eq(#arrived, 2, "arrivals")
  eq(arrived[2].tls, nil, "step")
end)

test("the next host is tried before anything is given up", function()
  for _, level in ipairs { "required", "required-verify" } do
    local domain = level .. ".example"
    mx(domain, { "10.0.1.1", "10.0.1.2", "10.0.1.3" })
  end
  host("10.0.1.1", { tls = "none" })
  host("10.0.1.2", { tls = "reset" })
  host("10.0.1.3", { tls = "good" })
  conf { tls = "required-verify" }
  submit { to = { "a@required.example" } }
  submit { to = { "a@required-verify.example" } }
  run(10)
  eq(#arrived, 2, "arrivals")
  for _, a in ipairs(arrived) do
    eq(a.host, "10.0.1.3", "host")
    eq(a.tls, "full", "step")
  end
end)
