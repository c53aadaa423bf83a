-- TLS for each destination out of a table (a file, or any plugin that has
-- one), kept for five minutes. A dead table is 451, never clear text.

local destinations = lookup "destinations"
local tls_of = cache("5m", function(domain)
  return destinations:get(domain)
end)

on("rcpt", function(rcpt)
  local level = tls_of(rcpt.domain)
  if level then rcpt:tls(level) end
end)

test("what the table says", function(t)
  t:lookup("destinations", "a.example", "required")
  local r = t:send { from = "a@us.example",
    rcpt = { "x@a.example", "y@b.example" } }
  t:eq(r:rcpt("x@a.example").tls, "required")
  t:eq(r:rcpt("y@b.example").tls, nil)
end)

test("a dead table", function(t)
  t:fail("destinations")
  local r = t:send { from = "a@us.example", rcpt = "x@a.example" }
  t:eq(r:rcpt("x@a.example").reply.code, 451)
end)
