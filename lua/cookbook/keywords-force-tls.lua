-- Words that make mail confidential are kept in a table that the security
-- officer edits. Where one is in the subject, outside recipients are forced.

rule "confidential words" {
  when = { direction = "outbound", subject = lookup "words" },
  tls  = "required-verify",
}

test("a listed word forces TLS", function(t)
  t:lookup("words", { merger = "yes" })
  local r = t:send { from = "a@us.example", rcpt = "x@other.example",
    auth = "a", headers = { Subject = "About the merger" } }
  t:eq(r:rcpt("x@other.example").tls, "required-verify")
end)

test("another does not", function(t)
  t:lookup("words", { merger = "yes" })
  local r = t:send { from = "a@us.example", rcpt = "x@other.example",
    auth = "a", headers = { Subject = "Lunch" } }
  t:eq(r:rcpt("x@other.example").tls, nil)
end)
