-- An HTTP service has a say, and its outage is tolerated on purpose: that is
-- what try() says. Without it the message would be put off.

on("mail", function(msg)
  local verdict, err = try(http.get,
    "http://127.0.0.1:8025/v1/check?domain=" .. (msg.sender_domain or ""))
  if err then
    log.warning("the checker is down, going on without it: %s", err)
  elseif verdict.json.block then
    return reject(550, "5.7.1", verdict.json.why)
  end
end)

local URL = "http://127.0.0.1:8025/v1/check?domain="

test("who is blocked hears why", function(t)
  t:http(URL .. "bad.example", 200,
    '{"block":true,"why":"listed since Monday"}')
  local r = t:send { from = "a@bad.example", rcpt = "x@us.example" }
  t:eq(r.reply.code, 550)
  t:eq(r.reply.text, "listed since Monday")
end)

test("an outage is tolerated", function(t)
  t:http(URL .. "good.example", 503, "")
  t:eq(t:send { from = "a@good.example", rcpt = "x@us.example" }.reply.code,
    250)
end)
