-- A partner's mail is taken from servers that show its certificate, and from
-- nobody else. The listener asks for certificates (client_cert = "request") and
-- knows the partner's root (client_ca): what is not verified does not count.

rule "partner shows its certificate" {
  when  = { sender_domain = ".partner.example",
    client_cert = { name = ".partner.example", issuer = "*O=Partner*" } },
  add_header = { ["X-Partner"] = "certificate" },
  stop  = true,
}

rule "partner without its certificate" {
  when  = { sender_domain = ".partner.example" },
  reply = reject(550, "5.7.1", "partner.example shows its certificate here"),
}

local function with(cert)
  return { from = "a@partner.example", rcpt = "x@us.example", tls = {
    cert = cert, subject = "CN=mx.partner.example,O=Partner",
    issuer = "CN=Root 1,O=Partner",
    names = { "mx.partner.example", "mx2.partner.example" } } }
end

test("the certificate lets it in", function(t)
  local r = t:send(with "verified")
  t:eq(r.reply.code, 250)
  t:eq(r:header("X-Partner"), "certificate")
end)

test("one that only claims it does not, and none does not", function(t)
  t:eq(t:send(with "unverified").reply.code, 550)
  t:eq(t:send { from = "a@partner.example", rcpt = "x@us.example",
    tls = true }.reply.code, 550)
  t:eq(t:send { from = "a@partner.example",
    rcpt = "x@us.example" }.reply.code, 550)
end)

test("others need none", function(t)
  t:eq(t:send { from = "a@shop.example", rcpt = "x@us.example" }.reply.code,
    250)
end)
