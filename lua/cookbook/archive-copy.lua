-- Everything that leaves for the regulator is kept: a copy nobody else sees.

rule "regulator: archived" {
  when = { rcpt_domain = "regulator.example", direction = "outbound" },
  bcc  = "archive@us.example",
}

test("a copy goes to the archive", function(t)
  local r = t:send { from = "a@us.example", rcpt = "x@regulator.example",
    auth = "a" }
  t:eq(r.reply.code, 250)
  t:eq(#r.recipients, 2)
  t:ok(r:rcpt("archive@us.example").added, "the archive was added")
end)

test("nobody else's mail is copied", function(t)
  local r = t:send { from = "a@us.example", rcpt = "x@other.example",
    auth = "a" }
  t:eq(#r.recipients, 1)
end)
