-- Never below the best seen: a domain that once reached us over TLS is not
-- believed without. ratchet-out.lua is the same for where we send to.
--
-- Counted over all workers, in spans of 23 days (a counter lasts 46 at most);
-- this span's and the last one's count. So each sighting is good for 23 days
-- at least, and 46 at most. A reload forgets nothing, a restart of the relay
-- all: a domain that must not be forgotten belongs into a rule.

local SPAN = 23 * 24 * 3600

local function seen(domain, ago, by)
  local key = ("tls:%s:%d"):format(domain, now() // SPAN - ago)
  return shared.incr(key, 2 * SPAN, by)
end

on("mail", function(msg, conn)
  local domain = msg.sender_domain
  if domain == nil or domain == "" then return end
  if conn.tls then
    seen(domain, 0, 1)
  elseif seen(domain, 0, 0) + seen(domain, 1, 0) > 0 then
    return tempfail(450, "4.7.10", domain .. " has used TLS before")
  end
end)

local function send(t, tls)
  return t:send { from = "a@partner.example", rcpt = "x@us.example",
    tls = tls }.reply.code
end

test("who had TLS must keep it", function(t)
  t:eq(send(t, nil), 250)
  t:eq(send(t, true), 250)
  t:eq(send(t, nil), 450)
  t:eq(send(t, true), 250)
end)

test("each sighting counts anew", function(t)
  for _ = 1, 5 do
    t:eq(send(t, true), 250)
    t:pass("22d")
    t:eq(send(t, nil), 450)
  end
  t:pass("46d")
  t:eq(send(t, nil), 250)
end)

test("others are not concerned", function(t)
  t:eq(t:send { from = "a@never.example", rcpt = "x@us.example" }.reply.code,
    250)
end)
