-- TLS for everybody, but for those in a file. Whoever is exempt still gets the
-- best that the host has; a broken file exempts nobody.

local exempt = lookup "tls_exempt"

on("message", function(msg)
  for _, rcpt in ipairs(msg.recipients) do
    if not exempt:contains(rcpt.domain) then rcpt:tls("required") end
  end
end)

test("required but for the listed", function(t)
  t:lookup("tls_exempt", "old.example", "since 2019")
  t:lookup("tls_exempt", "new.example", nil)
  local r = t:send { from = "a@us.example",
    rcpt = { "x@old.example", "y@new.example" } }
  t:eq(r:rcpt("x@old.example").tls, nil)
  t:eq(r:rcpt("y@new.example").tls, "required")
end)

test("without the file the message waits", function(t)
  t:fail("tls_exempt")
  t:eq(t:send { from = "a@us.example", rcpt = "x@old.example" }.reply.code,
    451)
end)
