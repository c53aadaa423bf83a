-- If the partner cannot be reached safely, nobody gets the message: the copies
-- of the others wait until the partner's had its TLS, for four hours at most.

rule "partner first" {
  when         = { rcpt_domain = "partner.example" },
  tls          = "required-verify",
  hold         = "4h",
  strict_first = "4h",
}

test("two branches, the strict one first", function(t)
  local r = t:send { from = "a@us.example",
    rcpt = { "y@other.example", "x@partner.example" } }
  t:eq(#r.branches, 2)
  t:eq(r:rcpt("x@partner.example").want, "required-verify deadline=4h")
  t:eq(r:rcpt("y@other.example").tls, nil)
end)
