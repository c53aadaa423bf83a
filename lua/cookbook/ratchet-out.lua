-- Never below the best seen, where we send to: a next hop that was once reached
-- over TLS is not sent to without, one whose certificate held not without that.
-- Mail for one that has become worse waits, is tried again, and goes back at
-- its deadline with the reason; to let such a domain go, put it into `excused`.
--
-- preferred-verify is what finds out whether certificates hold. Counted over
-- all workers, in spans of 23 days (a counter lasts 46 at most); this span's
-- and the last one's count. So each delivery is good for 23 days at least, and
-- 46 at most. A reload forgets nothing, a restart of the relay all: what must
-- not be forgotten belongs into a rule or a destination. All counters of the
-- relay share some 65,000 places, and where these are short the one with the
-- fewest sightings goes first.

local SPAN = 23 * 24 * 3600
local excused = { ["gave-up-tls.example"] = true }

default { tls = "preferred-verify" }

local function seen(what, domain, ago, by)
  local key = ("%s:%s:%d"):format(what, domain, now() // SPAN - ago)
  return shared.incr(key, 2 * SPAN, by)
end

local function ever(what, domain)
  return seen(what, domain, 0, 0) + seen(what, domain, 1, 0) > 0
end

on("delivered", function(attempt)
  if attempt.tls.got == nil then return end
  seen("tls", attempt.domain, 0, 1)
  if attempt.tls.peer == "verified" then
    seen("verified", attempt.domain, 0, 1)
  end
end)

on("deliver", function(attempt)
  if excused[attempt.domain] then return end
  if ever("verified", attempt.domain) then
    attempt:tls("required-verify")
  elseif ever("tls", attempt.domain) then
    attempt:tls("required")
  end
end)

-- What the next attempt would need behind deliveries with these certificates.
local function level(t, hop, ...)
  local r = t:send { from = "a@us.example", rcpt = "x@" .. hop }
  for _, cert in ipairs { ... } do
    r:report("delivered", { hop = hop, code = 250,
      tls = cert ~= "clear" and { version = "TLSv1.3", cert = cert } or nil })
  end
  return r:deliver { hop = hop }.tls
end

test("the level goes up and never down", function(t)
  t:eq(level(t, "a.example"), "preferred-verify")
  t:eq(level(t, "a.example", "clear"), "preferred-verify")
  t:eq(level(t, "a.example", "unverified"), "required")
  t:eq(level(t, "a.example", "verified"), "required-verify")
  t:eq(level(t, "a.example", "unverified", "clear"), "required-verify")
end)

test("each delivery counts anew, and is forgotten in the end", function(t)
  for _ = 1, 5 do
    t:eq(level(t, "a.example", "verified"), "required-verify")
    t:pass("22d")
    t:eq(level(t, "a.example"), "required-verify")
  end
  t:pass("46d")
  t:eq(level(t, "a.example"), "preferred-verify")
end)

test("others are not concerned, nor who is excused", function(t)
  t:eq(level(t, "a.example", "verified"), "required-verify")
  t:eq(level(t, "b.example"), "preferred-verify")
  t:eq(level(t, "gave-up-tls.example", "verified"), "preferred-verify")
end)

test("what a rule demands stays", function(t)
  local r = t:send { from = "a@us.example", rcpt = "x@a.example" }
  t:eq(r:deliver { hop = "a.example", want = "required-verify" }.tls,
    "required-verify")
end)
