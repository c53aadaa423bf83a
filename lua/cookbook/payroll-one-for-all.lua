-- Forced for the whole message: as soon as the payroll writes to the
-- partner, all who get that message get it over verified TLS, in one piece, or
-- their part of it comes back after a day.

rule "payroll: one for all" {
  when   = { sender = "payroll@us.example", rcpt_domain = ".partner.example" },
  tls    = "required-verify",
  others = "same",
  hold   = "24h",
}

test("all are forced and nothing is split", function(t)
  local r = t:send { from = "payroll@us.example",
    rcpt = { "x@partner.example", "y@other.example" } }
  t:eq(#r.branches, 1)
  t:eq(r:rcpt("x@partner.example").want, "required-verify deadline=1d")
  t:eq(r:rcpt("y@other.example").want, "required-verify deadline=1d")
end)

test("without the partner it is no case of this", function(t)
  local r = t:send { from = "payroll@us.example", rcpt = "y@other.example" }
  t:eq(r:rcpt("y@other.example").tls, nil)
end)
