-- Mail to a partner goes over verified TLS or not at all. Others who get the
-- same message get a copy of their own, under the best TLS that they have.

rule "partner: force TLS" {
  when   = { rcpt_domain = ".partner.example" }, -- and what is below it
  tls    = "required-verify",
  others = "opportunistic", -- "same": the box is not ticked
}

test("the partner is forced, others are not", function(t)
  local r = t:send { from = "a@us.example",
    rcpt = { "x@partner.example", "y@mail.partner.example",
      "z@other.example" } }
  t:eq(#r.branches, 2)
  t:eq(r:rcpt("x@partner.example").tls, "required-verify")
  t:eq(r:rcpt("y@mail.partner.example").tls, "required-verify")
  t:eq(r:rcpt("z@other.example").tls, nil)
end)
