-- No programs, whatever they are called and also inside of archives. Needs a
-- table "mime" that looks into messages; if it cannot, the message waits.

rule "no programs" {
  when  = { attachment = { { extension = "exe" }, { extension = "scr" },
    { extension = "js" } } },
  reply = reject(550, "5.7.1", "programs are not accepted"),
}

rule "what cannot be looked into" {
  when       = { attachment = { encrypted = true }, direction = "inbound" },
  quarantine = "an encrypted archive",
}

test("a program is refused", function(t)
  t:lookup("mime", "attachments",
    '{"name":"invoice.exe","type":"application/octet-stream","size":9}')
  t:eq(t:send { from = "a@b.example", rcpt = "x@us.example" }.reply.code, 550)
end)

test("an encrypted archive is kept", function(t)
  t:lookup("mime", "attachments",
    '{"name":"a.zip","type":"application/zip","size":9,"encrypted":true}')
  local r = t:send { from = "a@b.example", rcpt = "x@us.example" }
  t:eq(r.reply.code, 250)
  t:eq(r:rcpt("x@us.example").quarantine, "an encrypted archive")
end)

test("what cannot be looked at is put off", function(t)
  t:fail("mime")
  t:eq(t:send { from = "a@b.example", rcpt = "x@us.example" }.reply.code, 451)
end)
