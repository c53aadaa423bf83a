-- Who has authenticated may send 100 messages an hour, over all workers: a
-- stolen password is of less use then, and somebody hears of it.

on("mail", function(_, conn)
  if conn.auth == nil then return end
  if ratelimit("user:" .. conn.auth, "100/1h") then
    alert { key = "quota:" .. conn.auth, every = "1h", severity = "warning",
      text = conn.auth .. " sends more than 100 messages an hour" }
    return tempfail(450, "4.7.1", "too many messages, try later")
  end
end)

test("the hundred and first waits", function(t)
  local function send()
    return t:send { from = "a@us.example", rcpt = "x@other.example",
      auth = "a" }.reply.code
  end
  for _ = 1, 100 do t:eq(send(), 250) end
  t:eq(send(), 450)
end)

test("others are not counted with it", function(t)
  t:eq(t:send { from = "b@us.example", rcpt = "x@other.example" }.reply.code,
    250)
end)
