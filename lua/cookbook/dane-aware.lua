-- Where DNSSEC vouches for TLSA records of the host that takes a domain's mail,
-- there is no excuse for clear text.

on("rcpt", function(rcpt)
  local mx = dns.mx(rcpt.domain)
  if #mx == 0 or not mx.secure then return end
  local host = mx[1]:match("^%d+%s+(.-)%.?$")
  if host == nil then return end
  local tlsa = dns.tlsa("_25._tcp." .. host)
  if tlsa.secure and #tlsa > 0 then rcpt:tls("required") end
end)

test("signed records raise the level", function(t)
  t:dns("dane.example", "MX", { "10 mx.dane.example", secure = true })
  t:dns("_25._tcp.mx.dane.example", "TLSA",
    { "3 1 1 " .. ("ab"):rep(32), secure = true })
  local r = t:send { from = "a@us.example", rcpt = "x@dane.example" }
  t:eq(r:rcpt("x@dane.example").tls, "required")
end)

test("unsigned ones do not", function(t)
  t:dns("plain.example", "MX", { "10 mx.plain.example" })
  local r = t:send { from = "a@us.example", rcpt = "x@plain.example" }
  t:eq(r:rcpt("x@plain.example").tls, nil)
end)

test("a name server that fails puts the recipient off", function(t)
  t:dns("down.example", "MX", "servfail")
  local r = t:send { from = "a@us.example", rcpt = "x@down.example" }
  t:eq(r:rcpt("x@down.example").reply.code, 451)
end)
