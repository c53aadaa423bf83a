-- A list of destinations as it comes from an appliance's destination controls:
-- one line each, turned into rules.

local destinations = {
  { "bank.example", "required-verify" },
  { ".gov.example", "required" },
  { "old-partner.example", "preferred" },
  { "hosted.example", "required-verify match=hosted" },
}

for _, d in ipairs(destinations) do
  rule("destination " .. d[1]) { when = { rcpt_domain = d[1] }, tls = d[2] }
end

test("each has its level", function(t)
  local r = t:send { from = "a@us.example",
    rcpt = { "a@bank.example", "b@tax.gov.example", "c@old-partner.example",
      "d@hosted.example", "e@else.example" } }
  t:eq(r:rcpt("a@bank.example").tls, "required-verify")
  t:eq(r:rcpt("b@tax.gov.example").tls, "required")
  t:eq(r:rcpt("c@old-partner.example").tls, "preferred")
  t:eq(r:rcpt("d@hosted.example").want, "required-verify match=hosted")
  t:eq(r:rcpt("e@else.example").tls, nil)
end)
