-- A policy: what must be true of mail, and what is done then. The boot file
-- names it: policy { file = "/etc/postern/policy.lua" }.
--
-- postern-policy(7) has all conditions and actions, docs/policy-guide.md leads
-- through them. `postern policy check` tells whether this file is sound,
-- `postern policy test` runs the tests in it, and `postern policy trace` shows
-- what each rule says of a message, and why.

-- Mail to a partner goes over verified TLS or not at all. Other recipients of
-- the same message are not held to it: they get a copy of their own.
rule "partner: force TLS" {
  when = { rcpt_domain = ".partner.example" },
  tls  = "required-verify",
  hold = "24h", -- then it goes back to the sender
}

-- The payroll's mail to the partner: all of it under the same TLS, one message.
rule "payroll: one for all" {
  when   = { sender = "payroll@us.example", rcpt_domain = ".partner.example" },
  tls    = "required-verify",
  others = "same",
}

-- A bank must use TLS towards us.
rule "bank must use TLS towards us" {
  when  = { sender_domain = ".bank.example", client_tls = false },
  reply = reject(530, "5.7.10", "mail of this bank comes over TLS only"),
}

-- Tried out: logged and flagged, not done.
rule "outside mail is tagged" {
  direction = "inbound",
  tag       = "[outside]",
  test      = true,
}

test("the partner is forced, others are not", function(t)
  local r = t:send { from = "a@us.example",
    rcpt = { "x@partner.example", "y@other.example" } }
  t:eq(#r.branches, 2)
  t:eq(r:rcpt("x@partner.example").tls, "required-verify")
  t:eq(r:rcpt("y@other.example").tls, nil)
end)

test("the payroll's mail is not split", function(t)
  local r = t:send { from = "payroll@us.example",
    rcpt = { "x@partner.example", "y@other.example" } }
  t:eq(#r.branches, 1)
  t:eq(r:rcpt("y@other.example").tls, "required-verify")
end)

test("the bank's mail needs TLS", function(t)
  t:eq(t:send { from = "a@bank.example", rcpt = "x@us.example" }.reply.code,
    530)
  t:eq(t:send { from = "a@bank.example", rcpt = "x@us.example",
    tls = true }.reply.code, 250)
end)
