-- A laboratory has a gateway of its own, reached inside; nobody else's
-- rules are about its mail.

rule "lab: by its own gateway" {
  when  = { rcpt_domain = { "lab.example", "*.lab.example" } },
  route = "192.0.2.25:25",
  stop  = true,
}

rule "outside is verified" {
  when = { direction = "outbound" },
  tls  = "preferred-verify",
}

test("its mail goes another way", function(t)
  local r = t:send { from = "a@us.example", auth = "a",
    rcpt = { "x@bio.lab.example", "y@other.example" } }
  t:eq(r:rcpt("x@bio.lab.example").route, "192.0.2.25:25")
  t:eq(r:rcpt("x@bio.lab.example").tls, nil)
  t:eq(r:rcpt("y@other.example").tls, "preferred-verify")
end)
