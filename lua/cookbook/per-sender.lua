-- Who writes decides: the lawyers' mail is forced wherever it goes, research
-- must have TLS, everybody else gets the best that there is.

rule "lawyers" {
  when = { sender_domain = "legal.us.example" },
  tls  = "required-verify",
}

rule "research" {
  when = { sender = { "*@research.us.example", "cto@us.example" } },
  tls  = "required",
}

default { tls = "preferred-verify" }

local function level(t, from)
  return t:send { from = from, rcpt = "x@other.example" }
    :rcpt("x@other.example").tls
end

test("each sender has a level", function(t)
  t:eq(level(t, "a@legal.us.example"), "required-verify")
  t:eq(level(t, "CTO@us.example"), "required")
  t:eq(level(t, "b@us.example"), "preferred-verify")
end)
