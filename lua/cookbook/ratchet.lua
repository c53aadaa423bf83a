-- Never below the best seen: a domain that once reached us over TLS is not
-- believed without. Counted over all workers, forgotten after 30 days.

local function key(domain) return "had-tls:" .. domain end

on("mail", function(msg, conn)
  local domain = msg.sender_domain
  if domain == nil or domain == "" then return end
  if conn.tls then
    shared.incr(key(domain), "30d", 1)
  elseif shared.incr(key(domain), "30d", 0) > 0 then
    return tempfail(450, "4.7.10", domain .. " has used TLS before")
  end
end)

test("who had TLS must keep it", function(t)
  local function send(tls)
    return t:send { from = "a@partner.example", rcpt = "x@us.example",
      tls = tls }.reply.code
  end
  t:eq(send(nil), 250)
  t:eq(send(true), 250)
  t:eq(send(nil), 450)
  t:eq(send(true), 250)
end)

test("others are not concerned", function(t)
  t:eq(t:send { from = "a@never.example", rcpt = "x@us.example" }.reply.code,
    250)
end)
