-- Somebody shall know when a forced destination cannot be reached over TLS:
-- once an hour for each domain. The report to the sender comes much later.

rule "partner" {
  when = { rcpt_domain = ".partner.example" },
  tls  = "forced",
}

on("deferred", function(attempt)
  if attempt.reason == "tls" and attempt.tls.wanted >= "required" then
    alert {
      key = "tls-forced-failed:" .. attempt.domain, every = "1h",
      severity = "critical",
      text = ("%s: %s, since %s"):format(attempt.domain,
        attempt.tls.error or "no TLS", attempt.since),
    }
  end
end)

test("the partner's mail is forced", function(t)
  local r = t:send { from = "a@us.example", rcpt = "x@partner.example" }
  t:eq(r:rcpt("x@partner.example").tls, "required-verify")
end)

test("who watches is told that it is TLS", function(t)
  local r = t:send { from = "a@us.example", rcpt = "x@partner.example" }
  local d = r:report("deferred", { hop = "partner.example",
    reason = "certificate-expired", code = 454 })
  t:ok(d.alerts:find("partner.example: certificate-expired", 1, true),
    d.alerts)
  d = r:report("deferred", { hop = "partner.example", status = "4.2.0" })
  t:eq(d.alerts, "")
end)
