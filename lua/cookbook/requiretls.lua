-- What asks for TLS all the way (REQUIRETLS) gets it verified, everything else
-- gets TLS too, but for those in a file. It is decided before each attempt: a
-- change of the file counts for mail that waits, too. Nothing here lowers what
-- a route, DANE, MTA-STS or a rule demands. (Of mail with REQUIRETLS the relay
-- demands it by itself; here it stands for the reader.)
--
-- attempt.domain is the next hop: the recipient's domain, or "route:NAME" where
-- a route block says the way.

local exempt = lookup "tls_exempt"

on("deliver", function(attempt)
  if attempt.require_tls then
    attempt:tls("required-verify")
  elseif not exempt:contains(attempt.domain) then
    attempt:tls("required")
  end
end)

local function send(t, require_tls)
  t:lookup("tls_exempt", "old.example", "since 2019")
  t:lookup("tls_exempt", "new.example", nil)
  return t:send { from = "a@us.example", tls = true,
    rcpt = { "x@old.example", "y@new.example" }, require_tls = require_tls }
end

test("required but for the listed", function(t)
  local r = send(t)
  t:eq(r:deliver { rcpt = "x@old.example", hop = "old.example" }.tls, nil)
  t:eq(r:deliver { rcpt = "y@new.example", hop = "new.example" }.tls,
    "required")
end)

test("nobody is exempt from REQUIRETLS", function(t)
  local r = send(t, true)
  for _, domain in ipairs { "old.example", "new.example" } do
    local d = r:deliver { hop = domain }
    t:eq(d.verdict, "accept")
    t:eq(d.want, "required-verify requiretls=yes")
  end
end)

test("what others demand stays", function(t)
  local d = send(t):deliver { hop = "new.example",
    want = "required-verify match=hosted" }
  t:eq(d.want, "required-verify match=hosted")
end)

test("without the file mail waits, but that with REQUIRETLS goes", function(t)
  local plain = send(t)
  t:fail("tls_exempt")
  t:eq(plain:deliver { hop = "old.example" }.verdict, "tempfail")
  local r = t:send { from = "a@us.example", rcpt = "x@old.example",
    tls = true, require_tls = true }
  t:eq(r:deliver { hop = "old.example" }.verdict, "accept")
end)
