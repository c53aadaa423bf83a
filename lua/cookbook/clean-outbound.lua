-- What is nobody's business outside stays inside, and outsiders see who we are.

rule "outbound: no internal fields" {
  direction     = "outbound",
  remove_header = { "X-Internal-Id", "X-Originating-IP" },
  set_header    = { ["X-Company"] = "US Example Ltd., Reg. 12345" },
}

test("fields go and come", function(t)
  local r = t:send { from = "a@us.example", rcpt = "x@other.example",
    auth = "a", headers = { ["X-Internal-Id"] = "7" } }
  t:eq(r:header("X-Internal-Id"), nil)
  t:eq(r:header("X-Company"), "US Example Ltd., Reg. 12345")
end)
