-- Papers of the board: everybody gets them over verified TLS, or nobody. A rule
-- about sender and subject is about all recipients, so nothing is split.

rule "board papers" {
  when = { sender = "*@board.us.example", subject = { "[board]", "minutes" } },
  tls  = "required-verify",
  hold = "12h",
}

test("all recipients, one message", function(t)
  local r = t:send { from = "chair@board.us.example",
    rcpt = { "x@one.example", "y@two.example" },
    headers = { Subject = "Minutes of Monday" } }
  t:eq(#r.branches, 1)
  t:eq(r:rcpt("x@one.example").tls, "required-verify")
  t:eq(r:rcpt("y@two.example").want, "required-verify deadline=12h")
end)

test("other mail of theirs is not forced", function(t)
  local r = t:send { from = "chair@board.us.example", rcpt = "x@one.example",
    headers = { Subject = "Lunch?" } }
  t:eq(r:rcpt("x@one.example").tls, nil)
end)
