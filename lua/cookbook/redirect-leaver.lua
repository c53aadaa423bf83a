-- Somebody has left: her mail goes to her successor, who can tell.

rule "left in May" {
  when       = { rcpt = "ada@us.example" },
  redirect   = "bob@us.example",
  add_header = { ["X-Was-For"] = "ada@us.example" },
}

test("the successor gets it", function(t)
  local r = t:send { from = "a@b.example",
    rcpt = { "ada@us.example", "eve@us.example" } }
  t:eq(r.reply.code, 250)
  t:ok(r:rcpt("bob@us.example").added, "bob gets it")
  t:ok(r:rcpt("ada@us.example").dropped, "ada does not")
  t:eq(r:header("X-Was-For", "eve@us.example"), nil)
end)
