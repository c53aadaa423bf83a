-- A partner moves house: for some days its new host has the wrong certificate.
-- The exception says for whom, why, and ends by itself.

rule "mover: any certificate will do" {
  description = "ticket 4711: certificate for the new host is on its way",
  when        = { rcpt_domain = "mover.example" },
  tls         = "required",
  stop        = true,
  expires     = "2035-01-31",
}

rule "partners" {
  when = { rcpt_domain = { "mover.example", "settled.example" } },
  tls  = "required-verify",
}

test("the exception holds at its time", function(t)
  local r = t:send { from = "a@us.example",
    rcpt = { "x@mover.example", "y@settled.example" } }
  t:eq(r:rcpt("x@mover.example").tls, "required")
  t:eq(r:rcpt("y@settled.example").tls, "required-verify")
end)

test("and ends", function(t)
  for _ = 1, 110 do t:pass("31d") end -- each test begins at 2026-01-01
  local r = t:send { from = "a@us.example", rcpt = "x@mover.example" }
  t:eq(r:rcpt("x@mover.example").tls, "required-verify")
end)
