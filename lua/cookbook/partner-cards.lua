-- A card for each partner: what was agreed, with whom, until when. The rules
-- follow from the cards, so that nobody has to read rules to see agreements.

local cards = {
  { name = "Bank", domains = { "bank.example", ".bank.example" },
    tls = { level = "required-verify", min = "1.3" }, hold = "24h",
    contact = "security@bank.example" },
  { name = "Supplier", domains = { "supplier.example" },
    tls = { level = "required-verify", match = "hosted" },
    contact = "it@supplier.example" },
  { name = "Town", domains = { ".town.example" }, tls = "required",
    contact = "mail@town.example" },
}

for _, card in ipairs(cards) do
  rule("partner " .. card.name) {
    description = "agreed with " .. card.contact,
    when        = { rcpt_domain = card.domains },
    tls         = card.tls,
    hold        = card.hold,
  }
end

test("each card holds", function(t)
  local r = t:send { from = "a@us.example",
    rcpt = { "a@bank.example", "b@supplier.example", "c@hall.town.example",
      "d@other.example" } }
  t:eq(r:rcpt("a@bank.example").want,
    "required-verify min=1.3 deadline=1d")
  t:eq(r:rcpt("b@supplier.example").want, "required-verify match=hosted")
  t:eq(r:rcpt("c@hall.town.example").tls, "required")
  t:eq(r:rcpt("d@other.example").tls, nil)
end)
