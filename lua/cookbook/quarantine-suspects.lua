-- Mail that looks like the boss and comes from outside is kept until somebody
-- has looked at it; the administrator hears of it.

rule "not the boss" {
  when       = { direction = "inbound",
    header = { name = "From", re = [["?Ada Example"?\s*<]] } },
  quarantine = "it looks like the boss",
  alert      = { key = "not-the-boss", severity = "warning", every = "1h",
    text = "somebody writes in the boss's name" },
}

test("it is kept", function(t)
  local r = t:send { from = "x@crook.example", rcpt = "acct@us.example",
    headers = { From = '"Ada Example" <x@crook.example>' } }
  t:eq(r.reply.code, 250)
  t:eq(r:rcpt("acct@us.example").quarantine, "it looks like the boss")
end)

test("the boss herself comes through", function(t)
  local r = t:send { from = "ada@us.example", rcpt = "acct@us.example",
    auth = "ada", headers = { From = '"Ada Example" <ada@us.example>' } }
  t:eq(r:rcpt("acct@us.example").quarantine, nil)
end)
