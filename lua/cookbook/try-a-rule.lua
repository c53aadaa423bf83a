-- A rule on trial: mail is delivered as if it were not there, flagged for those
-- who look, logged, and copied to who judges it. It ends by itself.

rule "no mail from free hosters to the board" {
  when    = { sender_domain = { ".free.example", "mail.example" },
    rcpt = "*@board.us.example" },
  reply   = reject(550, "5.7.1", "please write from your own domain"),
  test    = { header = "X-On-Trial", bcc = "policy@us.example" },
  expires = "2035-03-31",
}

test("it is delivered and flagged", function(t)
  local r = t:send { from = "x@a.free.example", rcpt = "ada@board.us.example" }
  t:eq(r.reply.code, 250)
  t:eq(r:header("X-On-Trial"), "no mail from free hosters to the board")
end)
