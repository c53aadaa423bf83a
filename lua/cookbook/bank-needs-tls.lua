-- A bank must use TLS towards us. Who claims to be the bank and does not gets
-- 530 and says so to its administrator, not to its customers.

rule "bank must use TLS towards us" {
  when  = { sender_domain = { "bank.example", "*.bank.example" },
    client_tls = false },
  reply = reject(530, "5.7.10", "bank.example mail is accepted over TLS only"),
}

test("in clear it is refused", function(t)
  local r = t:send { from = "a@mail.bank.example", rcpt = "x@us.example" }
  t:eq(r.reply.code, 530)
  t:eq(r.reply.enhanced, "5.7.10")
end)

test("over TLS it is taken, and so is anybody else's", function(t)
  t:eq(t:send { from = "a@bank.example", rcpt = "x@us.example",
    tls = true }.reply.code, 250)
  t:eq(t:send { from = "a@shop.example", rcpt = "x@us.example" }.reply.code,
    250)
end)
