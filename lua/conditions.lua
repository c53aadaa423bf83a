-- The fields of a rule's `when`: what may stand there, and what it makes of a
-- message.
--
--   conditions.seen.FIELD(c)          what a field of the message looks at
--   conditions.rcpt_address(c, i), rcpt_domain(c, i)
--   conditions.compile(field, value, env, fail)
--
-- gives { field =, of = "message" or "rcpt", cost =, get = f(c, rcpt),
-- test = f(c, value, rcpt), keys = }: get() is what the field looks at (for the
-- trace as well), test() whether one of the alternatives is true of it. keys is
-- there if a table can say it: { exact = { text, … }, suffix = { domain, … } }.
-- fail(text) is called when the value is not one for the field.
--
-- Alternatives are texts, named lookups (what has a metatable; contains(key) is
-- asked, the key is what the field looks at) and functions f(value, msg, conn,
-- rcpt). What a lookup or function raises goes through: it is never "does not
-- match".
--
-- c is the rules' context of one message: c.msg, c.conn, c.n (recipients),
-- c.address and c.domain by recipient, and what was read of the objects once
-- (c.seen). rcpt is the number of a recipient.

local certificate = require "certificate"
local values = require "values"
local wording = require "wording"
local network = require "network"

local conditions = {}

-- Words of a text that are asked of a lookup, at most.
local MOST_WORDS = 5000

local function is_lookup(v)
  return type(v) == "userdata" or (type(v) == "table" and not values.plain(v))
end

-- What the fields look at: each is read of the objects once per message.
local seen = {}
conditions.seen = seen

local function once(name, read)
  seen[name] = function(c)
    local v = c.seen[name]
    if v == nil then
      v = read(c)
      if v == nil then v = false end
      c.saw, c.seen[name] = not c.saw and name or true, v
    end
    return v
  end
  return seen[name]
end

local function lower(s) return s and s:lower() or "" end

once("sender", function(c) return lower(c.msg.sender_mailbox) end)
once("sender_domain", function(c) return lower(c.msg.sender_domain) end)
once("client_ip", function(c) return c.conn.ip or "" end)
once("client_name", function(c) return lower(c.conn.name) end)
once("listener", function(c) return c.conn.listener or "" end)
once("sender_group", function(c) return c.conn.group or "" end)
once("auth", function(c) return c.conn.auth or "" end)
once("tls", function(c) return c.conn.tls end)

local function headers(c, name)
  local all = c.seen.headers
  if not all then
    all = {}
    c.saw, c.seen.headers = true, all
  end
  local list = all[name]
  if not list then
    list = {}
    for _, v in ipairs(c.msg:headers(name) or {}) do
      list[#list + 1] = wording.decode(v)
    end
    all[name] = list
  end
  return list
end

once("subject", function(c) return headers(c, "Subject")[1] or "" end)
once("size", function(c) return c.msg.size or 0 end)
once("direction", function(c) return c.msg.direction or "inbound" end)
once("charset", function(c) return c.msg:charsets() or {} end)
once("attachments", function(c) return c.msg:attachments() or {} end)
once("body", function(c) return c.msg:text() or "" end)
once("network", function(c)
  local high, low, kind = network.parse(seen.client_ip(c))
  return high and { high, low, kind }
end)

-- Alternatives that are asked one by one: tests f(value), lookups, functions.
local function ask(list, c, value, rcpt)
  for i = 1, #list do
    if list[i](value, c, rcpt) then return true end
  end
  return false
end

local function dynamic(v)
  if type(v) == "function" then
    return function(value, c, i)
      return v(value, c.msg, c.conn, i and c.rcpts[i])
    end
  end
  return function(value) return v:contains(value) end
end

-- Goes through the alternatives of value. each(text) takes the texts and says
-- what is wrong with one; the lookups and functions come back as tests.
local function alternatives(field, value, fail, each)
  local list, asked = values.list(value), {}
  if #list == 0 then fail(field .. ": an empty list matches nothing") end
  local n = 0
  for k in pairs(list) do
    n = n + 1
    if math.type(k) ~= "integer" then
      fail(("%s: %s: a list has no names"):format(field, tostring(k)))
    end
  end
  if n ~= #list then fail(field .. ": the list has holes") end
  for _, v in ipairs(list) do
    if type(v) == "function" or is_lookup(v) then
      asked[#asked + 1] = dynamic(v)
    else
      local why = each(v)
      if why then fail(field .. ": " .. why) end
    end
  end
  return asked
end

local function quoted(v)
  if type(v) == "string" then return ('"%s"'):format(v) end
  return type(v) == "table" and "a table" or tostring(v)
end

-- A test of sets and of what is asked, without a step for what is not there.
local function set_test(set, suffix, asked)
  local any_exact, any_asked = next(set) ~= nil, #asked > 0
  if suffix == nil or next(suffix) == nil then
    if not any_asked then
      return function(_, value) return set[value] ~= nil end
    end
    return function(c, value, rcpt)
      return (any_exact and set[value] ~= nil) or ask(asked, c, value, rcpt)
    end
  end
  return function(c, value, rcpt)
    if set[value] then return true end
    local at = value:find(".", 1, true)
    while at do
      if suffix[value:sub(at + 1)] then return true end
      at = value:find(".", at + 1, true)
    end
    return any_asked and ask(asked, c, value, rcpt)
  end
end

-- As rcpt.mailbox has it: quotes and backslashes only where they are needed.
local function unquoted(text)
  local bare = text:gsub("\\(.)", "%1")
  if bare ~= "" and not bare:find("[^%w.!#$%%&'*+/=?^_`{|}~\128-\255-]") and
      not ("." .. bare .. "."):find("..", 1, true) then
    return bare .. "@"
  end
  return '"' .. text:gsub("\\(.)", function(c)
    return c:find('["\\]') and "\\" .. c or c
  end) .. '"@'
end

local function addresses(field, value, _, fail)
  local set, exact, wild = {}, {}, {}
  local asked = alternatives(field, value, fail, function(v)
    if v == "<>" then v = "" end
    if type(v) ~= "string" or
        (v ~= "" and not v:find("^[^@]+@[^@]+$") and
          not v:find('^".*"@[^@]+$')) then
      return quoted(v) .. " is no address" ..
        (type(v) == "string" and v:find(".", 1, true) and
          ("; for a domain there is %s_domain"):format(field) or "")
    elseif v == "" and field == "rcpt" then
      return '"" is no recipient'
    end
    if v:find("@[^@]*[\128-\255][^@]*$") then
      return quoted(v) .. ": write its domain as in the DNS (xn--…)"
    end
    v = v:gsub('^"(.*)"@', unquoted):lower()
    if v:find("[*?]") then
      wild[#wild + 1] = wording.glob(v, true)
    elseif not set[v] then
      set[v] = true
      exact[#exact + 1] = v
    end
  end)
  local dyn = #asked > 0 or #wild > 0
  for _, v in ipairs(asked) do wild[#wild + 1] = v end
  return set_test(set, nil, wild), not dyn and { exact = exact } or nil, #asked
end

-- "dom", ".dom" (it and what is below), "*.dom" (what is below).
local function domains(field, value, _, fail)
  local set, suffix, keys = {}, {}, { exact = {}, suffix = {} }
  local asked = alternatives(field, value, fail, function(v)
    local kind, name
    if type(v) == "string" then
      kind, name = v:lower():match("^(%*?%.?)([%w_-][%w_.-]*)$")
    end
    if not name or kind == "*" or name:find("..", 1, true) or
        name:find("%.$") then
      if type(v) == "string" and v:find("@", 1, true) then
        return ('%s is an address; there is %s'):format(quoted(v),
          (field:gsub("_domain$", "")))
      elseif type(v) == "string" and v:find("[\128-\255]") then
        return quoted(v) .. ": write it as in the DNS (xn--…)"
      end
      return quoted(v) .. ' is no domain: "a.example", ".a.example" (it and ' ..
        'what is below it) or "*.a.example" (what is below it) is meant'
    end
    if kind ~= "*." and not set[name] then
      set[name] = true
      keys.exact[#keys.exact + 1] = name
    end
    if kind ~= "" and not suffix[name] then
      suffix[name] = true
      keys.suffix[#keys.suffix + 1] = name
    end
  end)
  return set_test(set, suffix, asked), #asked == 0 and keys or nil, #asked
end

local function networks(field, value, _, fail)
  local nets, set = {}, {}
  local asked = alternatives(field, value, fail, function(v)
    local net, why = network.read(v)
    if not net then return why end
    if net.bits == net.kind then
      set[net.high .. " " .. net.low .. " " .. net.kind] = true
    else
      nets[#nets + 1] = net
    end
  end)
  return function(c, ip)
    local a = seen.network(c)
    if a then
      if next(set) and set[a[1] .. " " .. a[2] .. " " .. a[3]] then
        return true
      end
      for i = 1, #nets do
        if network.within(a[1], a[2], a[3], nets[i]) then return true end
      end
    end
    return ask(asked, c, ip)
  end, nil, #asked
end

-- Texts that are equal or match with wildcards.
local function texts(field, value, _, fail, known)
  local tests, set = {}, known and {}
  local asked = alternatives(field, value, fail, function(v)
    if type(v) ~= "string" then return quoted(v) .. " is no text" end
    if known and not known[v] then
      return values.unknown(v, known, "value")
    end
    if set then
      set[v] = true
    else
      tests[#tests + 1] = wording.glob(v)
    end
  end)
  local n = #asked
  if set then return set_test(set, nil, asked), nil, n end
  for _, v in ipairs(asked) do tests[#tests + 1] = v end
  return function(c, text, rcpt) return ask(tests, c, text, rcpt) end, nil, n
end

-- Of a part or nested message is enough.
local function charset(field, value, env, fail)
  local test, keys, n = texts(field, value, env, fail)
  return function(c, list)
    if #list == 0 then return test(c, "") end
    for _, declared in ipairs(list) do
      if test(c, declared) then return true end
    end
    return false
  end, keys, n
end

local directions = { inbound = true, outbound = true }

local function direction(field, value, env, fail)
  return texts(field, value, env, fail, directions)
end

-- true: somebody did; false: nobody; texts: who.
local function auth(field, value, env, fail)
  if type(value) == "boolean" then
    return function(_, who) return (who ~= "") == value end
  end
  local test, keys, n = texts(field, value, env, fail)
  return function(c, who) return who ~= "" and test(c, who) end, keys, n
end

local cert_words = { none = true, unverified = true, verified = true }

local function client_cert(field, value, env, fail)
  if values.plain(value) and next(value) ~= nil and value[1] == nil then
    return certificate.test(field, value, function(own, v)
      return texts(own, v, env, fail)
    end, function(own, v) return (domains(own, v, env, fail)) end, fail)
  end
  if type(value) == "boolean" then
    value = value and "verified" or { "none", "unverified" }
  end
  local words, prints = {}, {}
  local asked = alternatives(field, value, fail, function(v)
    local hex = type(v) == "string" and v:lower():match("^sha256:([%x:]+)$")
    hex = hex and hex:gsub(":", "")
    if hex and #hex == 64 then
      prints[hex] = true
    elseif cert_words[v] then
      words[v] = true
    else
      return quoted(v) .. ' is meant to be true, false, "none", ' ..
        '"unverified", "verified", "sha256:" and 64 hexadecimal digits, or ' ..
        "{ subject =, issuer =, name =, verified = }"
    end
  end)
  return function(c, tls)
    local sum = tls and tls.sha256
    if words[tls and tls.cert or "none"] then return true end
    if sum and prints[(sum:lower():gsub(":", ""))] then return true end
    return sum ~= nil and ask(asked, c, sum)
  end, nil, #asked
end

local tls_facts = { version = true, cipher = true, verified = true }

local function client_tls(field, value, env, fail)
  if type(value) == "boolean" then
    return function(_, tls) return (tls and true or false) == value end
  elseif not values.plain(value) or next(value) == nil or value[1] then
    fail(field .. ": true, false or { version =, cipher =, verified = }")
  end
  local tests = {}
  for _, k in ipairs(values.sorted(value)) do
    local v = value[k]
    local name = field .. "." .. k
    if not tls_facts[k] then fail(values.unknown(k, tls_facts, name)) end
    if k == "verified" then
      if type(v) ~= "boolean" then fail(name .. ": true or false") end
      tests[#tests + 1] = function(_, tls)
        return (tls.verified and true or false) == v
      end
    else
      local test = texts(name, v, env, fail)
      tests[#tests + 1] = function(c, tls) return test(c, tls[k] or "") end
    end
  end
  return function(c, tls)
    if not tls then return false end
    for i = 1, #tests do
      if not tests[i](c, tls) then return false end
    end
    return true
  end
end

-- One text or expression: { value | re | text =, case = }, or a text alone.
local function one_text(name, v, env, fail, plain)
  local case = v.case
  if case ~= nil and type(case) ~= "boolean" then
    fail(name .. ".case: true or false")
  end
  if v.re ~= nil then
    if type(v.re) ~= "string" then fail(name .. ".re: a text") end
    local ok, match = pcall(env.re, v.re, not case)
    if not ok then
      fail(("%s.re %s: %s"):format(name, quoted(v.re), tostring(match)))
    end
    return wording.windows(match, v.re, function(re)
      return env.re(re, not case)
    end)
  end
  return plain(v.text, case)
end

local function known_fields(name, v, known, fail)
  for _, k in ipairs(values.sorted(v)) do
    if not known[k] then fail(values.unknown(k, known, name .. ":")) end
  end
end

-- Lookups and functions of subject and body: a lookup is asked for each word.
local function worded(v, more)
  if type(v) == "function" then return dynamic(v) end
  return function(text, c)
    local list, cut = wording.words(text, MOST_WORDS)
    if cut then more(c) end
    for i = 1, #list do
      if v:contains(list[i]) then return true end
    end
    return false
  end
end

-- The text of the body as phrases are looked for in it: a line's end is as good
-- as a blank. Made once, however many phrases there are.
local function folded(c, text, case)
  local key = case and "body, folded" or "body, folded, lower"
  local v = c.seen[key]
  if not v then
    v = case and wording.fold(text) or folded(c, text, true):lower()
    c.saw, c.seen[key] = true, v
  end
  return v
end

local text_fields = { text = true, re = true, case = true }

-- Words and phrases, anywhere in the text.
local function phrases(field, value, env, fail)
  local tests, slow = {}, 0
  local whole = field == "body"
  local function plain(text, case)
    if type(text) ~= "string" or text == "" then
      fail(field .. ": a text that is not empty")
    end
    if not whole then return wording.contains(text, case) end
    text = text:gsub("%s+", " ")
    local test = wording.contains(case and text or text:lower(), true, true)
    return function(s, c) return test(folded(c, s, case)) end
  end
  for _, v in ipairs(values.list(value)) do
    if type(v) == "string" then
      tests[#tests + 1] = plain(v)
    elseif values.plain(v) then
      known_fields(field, v, text_fields, fail)
      tests[#tests + 1] = one_text(field, v, env, fail, plain)
    elseif type(v) == "function" or is_lookup(v) then
      slow = slow + 1
      tests[#tests + 1] = worded(v, function()
        env.log("warning", ("%s: only its first %d words are looked up")
          :format(field, MOST_WORDS))
      end)
    else
      fail(("%s: %s is no text"):format(field, quoted(v)))
    end
  end
  if #tests == 0 then fail(field .. ": an empty list matches nothing") end
  return function(c, text) return ask(tests, c, text) end, nil, slow
end

-- Any field of that name is enough; get() has the first.
local function subject(field, value, env, fail)
  local test, keys, n = phrases(field, value, env, fail)
  return function(c, first)
    local list = headers(c, "Subject")
    if #list == 0 then return test(c, first) end
    for i = 1, #list do
      if test(c, list[i]) then return true end
    end
    return false
  end, keys, n
end

local header_fields = { name = true, value = true, re = true, case = true }

local function one_header(field, v, env, fail)
  if not values.plain(v) then
    fail(field .. ": { name =, value = } or { name =, re = } is meant")
  end
  known_fields(field, v, header_fields, fail)
  local name, tests, slow = v.name, {}, 0
  if type(name) ~= "string" or not name:find("^[\33-\57\59-\126]+$") then
    fail(field .. ".name: the name of a header field")
  elseif v.value ~= nil and v.re ~= nil then
    fail(field .. ": value or re, not both")
  end
  local function fits(text)
    if #name + #text > 990 then
      fail(field .. ": name and value have more than 990 characters")
    end
  end
  if v.re ~= nil then
    tests[1] = one_text(field, v, env, fail)
    fits(v.re)
  elseif v.value ~= nil then
    for _, one in ipairs(values.list(v.value)) do
      if type(one) == "string" then
        fits(one)
        tests[#tests + 1] = one_text(field, { text = one, case = v.case }, env,
          fail, wording.glob)
      elseif type(one) == "function" or is_lookup(one) then
        slow = slow + 1
        tests[#tests + 1] = dynamic(one)
      else
        fail(("%s.value: %s is no text"):format(field, quoted(one)))
      end
    end
    if #tests == 0 then
      fail(field .. ".value: an empty list matches nothing")
    end
  end
  return function(c)
    local list = headers(c, name)
    if #tests == 0 then return #list > 0 end
    for i = 1, #list do
      if ask(tests, c, list[i]) then return true end
    end
    return false
  end, slow
end

local function header(field, value, env, fail)
  local tests, slow = {}, 0
  for i, v in ipairs(values.list(value)) do
    local n
    tests[i], n = one_header(field, v, env, fail)
    slow = slow + n
  end
  if #tests == 0 then fail(field .. ": an empty list matches nothing") end
  return function(c)
    for i = 1, #tests do
      if tests[i](c) then return true end
    end
    return false
  end, nil, slow
end

local file_fields = { name = true, extension = true, encrypted = true,
  unreadable = true }

local function one_file(field, v, env, fail)
  if not values.plain(v) or next(v) == nil or v[1] then
    fail(field .. ": { name =, extension =, encrypted =, unreadable = } " ..
      "is meant")
  end
  known_fields(field, v, file_fields, fail)
  local name = v.name ~= nil and texts(field .. ".name", v.name, env, fail)
  local ext = v.extension ~= nil and
    texts(field .. ".extension", v.extension, env, fail)
  for _, fact in ipairs { "encrypted", "unreadable" } do
    if v[fact] ~= nil and type(v[fact]) ~= "boolean" then
      fail(("%s.%s: true or false"):format(field, fact))
    end
  end
  local function is(file, fact)
    return v[fact] == nil or (file[fact] and true or false) == v[fact]
  end
  return function(c, file)
    local own = file.name or ""
    return (not name or name(c, own)) and
      (not ext or ext(c, lower(own:match("%.([^.]*)$")))) and
      is(file, "encrypted") and is(file, "unreadable")
  end
end

local function attachment(field, value, env, fail)
  local tests = {}
  for i, v in ipairs(values.list(value)) do
    tests[i] = one_file(field, v, env, fail)
  end
  if #tests == 0 then fail(field .. ": an empty list matches nothing") end
  return function(c, files)
    for _, file in ipairs(files) do
      for i = 1, #tests do
        if tests[i](c, file) then return true end
      end
    end
    return false
  end
end

local function number(field, value, fail, octets)
  local n = value
  if octets then n = values.octets(value) end
  if math.type(n) ~= "integer" or n < 0 then
    fail(("%s: %s is no %s"):format(field, quoted(value),
      octets and 'size: 1000000, "10M"' or "whole number"))
  end
  return n
end

local function over(octets)
  return function(field, value, _, fail)
    local n = number(field, value, fail, octets)
    return function(_, v) return v > n end
  end
end

local function under(field, value, _, fail)
  local n = number(field, value, fail, true)
  return function(_, v) return v < n end
end

local function rcpt_address(c, i)
  local v = c.address[i]
  if not v then
    v = lower(c.rcpts[i].mailbox)
    c.address[i] = v
  end
  return v
end
conditions.rcpt_address = rcpt_address

local function rcpt_domain(c, i)
  local v = c.domain[i]
  if not v then
    v = lower(c.rcpts[i].domain)
    c.domain[i] = v
  end
  return v
end
conditions.rcpt_domain = rcpt_domain
local function rcpt_count(c) return c.n end
local function nothing() return nil end

-- of, cost (cheap ones are asked first), get, make.
local known = {
  sender = { "message", 1, seen.sender, addresses },
  sender_domain = { "message", 1, seen.sender_domain, domains },
  rcpt = { "rcpt", 1, rcpt_address, addresses },
  rcpt_domain = { "rcpt", 1, rcpt_domain, domains },
  client_ip = { "message", 2, seen.client_ip, networks },
  client_name = { "message", 2, seen.client_name, domains },
  listener = { "message", 1, seen.listener, texts },
  sender_group = { "message", 1, seen.sender_group, texts },
  auth = { "message", 1, seen.auth, auth },
  client_cert = { "message", 2, seen.tls, client_cert },
  client_tls = { "message", 2, seen.tls, client_tls },
  direction = { "message", 1, seen.direction, direction },
  size_over = { "message", 1, seen.size, over(true) },
  size_under = { "message", 1, seen.size, under },
  recipients_over = { "message", 1, rcpt_count, over(false) },
  header = { "message", 3, nothing, header },
  subject = { "message", 3, seen.subject, subject },
  charset = { "message", 4, seen.charset, charset },
  attachment = { "message", 5, seen.attachments, attachment },
  body = { "message", 6, seen.body, phrases },
}
conditions.known = known

function conditions.compile(field, value, env, fail)
  local k = known[field]
  if not k then fail(values.unknown(field, known, "condition")) end
  local test, keys, asked = k[4](field, value, env, fail)
  return {
    field = field, of = k[1], get = k[3], test = test, keys = keys,
    value = value,
    -- What may wait is asked behind what need not.
    cost = k[2] + ((asked or 0) > 0 and 10 or 0),
  }
end

return conditions
