-- A list for staff: nobody outside writes to it, and nobody outside reads it.

rule "staff list: from inside only" {
  when  = { rcpt = "all-staff@us.example", direction = "inbound" },
  reply = reject(550, "5.7.1", "this address is for staff only"),
}

rule "internal mail does not leave" {
  when  = { subject = "[internal]", rcpt_domain = function(domain)
    return domain ~= "us.example"
  end },
  reply = reject(550, "5.7.1", "internal mail has recipients outside"),
}

test("from outside it is refused", function(t)
  t:eq(t:send { from = "a@b.example", rcpt = "all-staff@us.example" }
    .reply.code, 550)
  t:eq(t:send { from = "a@us.example", rcpt = "all-staff@us.example",
    auth = "a" }.reply.code, 250)
end)

test("what is internal stays", function(t)
  local function send(rcpt)
    return t:send { from = "a@us.example", rcpt = rcpt, auth = "a",
      headers = { Subject = "[internal] plans" } }.reply.code
  end
  t:eq(send("x@us.example"), 250)
  t:eq(send { "x@us.example", "y@other.example" }, 550)
end)
