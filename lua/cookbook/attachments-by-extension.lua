-- No programs, whatever they are called and also inside of archives. Needs the
-- plugin "mime", which looks into messages; if it cannot, the message waits.

rule "no programs" {
  when  = { attachment = { { extension = "exe" }, { extension = "scr" },
    { extension = "js" } } },
  reply = reject(550, "5.7.1", "programs are not accepted"),
}

rule "what cannot be looked into" {
  when       = { attachment = { { encrypted = true }, { unreadable = true } },
    direction = "inbound" },
  quarantine = "an archive nobody can look into",
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
  t:eq(r:rcpt("x@us.example").quarantine, "an archive nobody can look into")
end)

test("so is one that is a bomb, or broken", function(t)
  t:lookup("mime", "attachments",
    '{"name":"a.zip","type":"application/zip","size":9,"unreadable":"limit"}')
  local r = t:send { from = "a@b.example", rcpt = "x@us.example" }
  t:eq(r:rcpt("x@us.example").quarantine, "an archive nobody can look into")
end)

test("what cannot be looked at is put off", function(t)
  t:fail("mime")
  t:eq(t:send { from = "a@b.example", rcpt = "x@us.example" }.reply.code, 451)
end)
