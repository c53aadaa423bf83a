-- Large mail to many waits for the night; nobody sends to more than 100.

rule "too many recipients" {
  when  = { recipients_over = 100 },
  reply = reject(550, "5.5.3", "use the mailing list for more than 100"),
}

rule "large mail to several waits" {
  when = { size_over = "100K", recipients_over = 2 },
  hold = "6h",
}

local function people(n)
  local list = {}
  for i = 1, n do list[i] = ("p%d@other.example"):format(i) end
  return list
end

test("a hundred may, one more may not", function(t)
  t:eq(t:send { from = "a@us.example", rcpt = people(100) }.reply.code, 250)
  t:eq(t:send { from = "a@us.example", rcpt = people(101) }.reply.code, 550)
end)

test("what is large and for several waits", function(t)
  local body = ("0123456789\r\n"):rep(10000)
  local r = t:send { from = "a@us.example", rcpt = people(3), body = body }
  t:eq(r:rcpt("p1@other.example").hold, 21600)
  r = t:send { from = "a@us.example", rcpt = people(2), body = body }
  t:eq(r:rcpt("p1@other.example").hold, nil)
end)
