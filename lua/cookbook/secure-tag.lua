-- "[secure]" in the subject forces TLS to outside recipients and is removed for
-- them; those inside see it as it was written.

local ours = lookup "our_domains"

on("message", function(msg)
  local rest, n = (msg:header("Subject") or ""):gsub("%[secure%]%s*", "", 1)
  if n == 0 then return end
  for _, rcpt in ipairs(msg.recipients) do
    if not ours:contains(rcpt.domain) then
      rcpt:tls("required-verify")
      rcpt:set_header("Subject", rest)
    end
  end
end)

test("outside it is forced and clean", function(t)
  t:lookup("our_domains", "us.example", "yes")
  local r = t:send { from = "a@us.example",
    rcpt = { "x@us.example", "y@other.example" },
    headers = { Subject = "[secure] plans" } }
  t:eq(r:rcpt("y@other.example").tls, "required-verify")
  t:eq(r:header("Subject", "y@other.example"), "plans")
  t:eq(r:header("Subject", "x@us.example"), "[secure] plans")
  t:eq(r:rcpt("x@us.example").tls, nil)
end)
