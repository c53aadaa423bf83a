-- Domains whose mail we take over TLS only, in a table that others maintain.

rule "mandatory TLS" {
  when  = { sender_domain = lookup "tls_senders", client_tls = false },
  reply = reject(530, "5.7.10", "your mail is accepted over TLS only"),
}

test("a listed domain in clear", function(t)
  t:lookup("tls_senders", { ["insurer.example"] = "yes" })
  t:eq(t:send { from = "a@insurer.example", rcpt = "x@us.example" }
    .reply.code, 530)
  t:eq(t:send { from = "a@insurer.example", rcpt = "x@us.example",
    tls = true }.reply.code, 250)
end)

test("a table that is down lets nobody in", function(t)
  t:fail("tls_senders")
  t:eq(t:send { from = "a@insurer.example", rcpt = "x@us.example" }
    .reply.code, 451)
end)
