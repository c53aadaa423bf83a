-- TLS wants in rules: a text ("required-verify match=hosted") or a table
-- ({ level = "required-verify", match = "hosted" }), checked at load.
--
--   want.read(v)   the text form, its level, its first word and a table of the
--                  attributes, or nil and what is wrong
--   want.demands(level)  must TLS succeed under it?
--   want.compare(a, b)   -1, 0 or 1: level a is weaker, equal, stronger
--
-- The attributes are those of the core (match, names, pin, ca, min, ciphers,
-- groups, requiretls, deadline, warn_after), which has the last word on their
-- values; this finds what is wrong while there is still a line of the policy to
-- tell.

local values = require "values"

local want = {}

local levels = {
  ["none"] = 0, ["opportunistic"] = 1, ["preferred"] = 2,
  ["preferred-verify"] = 3, ["required"] = 4, ["required-verify"] = 5,
}
-- What others call them, and what else they say.
local alias = {
  ["may"] = "opportunistic", ["encrypt"] = "required",
  ["secure"] = "required-verify", ["verify"] = "required-verify",
}
local base = {
  ["forced"] = "required-verify",
  ["required-verify-hosted"] = "required-verify",
  ["preferred-verify-hosted"] = "preferred-verify",
}
local order = { "match", "names", "pin", "ca", "min", "ciphers", "groups",
  "requiretls", "deadline", "warn_after" }
local attributes = {}
for _, name in ipairs(order) do attributes[name] = true end
-- These look at the certificate.
local verifying = { match = true, names = true, pin = true, ca = true }

local matches = { mx = true, domain = true, hosted = true, compat = true,
  names = true }
local versions = { ["1.0"] = true, ["1.1"] = true, ["1.2"] = true,
  ["1.3"] = true }

local function wait(name)
  return function(v)
    local s = values.seconds(v)
    if not s or s < 1 or s > 366 * 86400 then
      return nil, ("%s: a time from 1s to 366d, as \"90m\" or \"1d12h\"")
        :format(name)
    end
    return type(v) == "string" and v:find("%a$") and v or s .. "s"
  end
end

local function printable(name)
  return function(v)
    if type(v) ~= "string" or v == "" or #v > 1024 or v:find("[^\33-\126]") then
      return nil, name .. ": a text without blanks"
    end
    return v
  end
end

local check = {
  match = function(v)
    if not matches[v] then
      return nil, values.unknown(v, matches, "match")
    end
    return v
  end,
  names = printable "names",
  pin = function(v)
    if type(v) ~= "string" then return nil, "pin: a text" end
    for one in (v .. ","):gmatch("([^,]*),") do
      local kind, key = one:match("^(%l+):([^@]+)")
      if not (one == "none" or
          (kind == "sha256" and key:gsub(":", ""):match("^%x+$") and
            #key:gsub(":", "") == 64) or
          (kind == "spki" and key:match("^[%w+/=]+$") and #key == 44)) then
        return nil, ('pin "%s": "sha256:" and 64 hexadecimal digits, or ' ..
          '"spki:" and 44 characters of base64'):format(one)
      end
    end
    return v
  end,
  ca = function(v)
    if type(v) ~= "string" or not v:find("^/[\33-\126]+$") then
      return nil, "ca: a path that begins with /"
    end
    return v
  end,
  min = function(v)
    if not versions[v] then return nil, "min: \"1.2\" or \"1.3\"" end
    return v
  end,
  ciphers = printable "ciphers",
  groups = printable "groups",
  requiretls = function(v)
    if v ~= "yes" and v ~= true then return nil, "requiretls: \"yes\"" end
    return "yes"
  end,
  deadline = wait "deadline",
  warn_after = wait "warn_after",
}

local function known_levels()
  local all = {}
  for _, set in ipairs { levels, alias, base } do
    for k in pairs(set) do all[k] = true end
  end
  return all
end

local function read_text(text)
  local got, level = {}, nil
  for word in text:gmatch("%S+") do
    if not level then
      level = word
    else
      local name, value = word:match("^([^=]*)=(.+)$")
      if not name then
        return nil, ('"%s": NAME=VALUE is meant'):format(word)
      elseif got[name] then
        return nil, name .. " is there twice"
      end
      got[name] = value
    end
  end
  return level or "", got
end

local function read_table(t)
  local got = {}
  for k, v in pairs(t) do
    if k ~= "level" then
      if values.plain(v) then v = table.concat(v, ",") end
      got[k] = v
    end
  end
  if type(t.level) ~= "string" then
    return nil, 'it has no level, as { level = "required" } has'
  end
  return t.level, got
end

local function sensible(level, got)
  for name in pairs(got) do
    if not attributes[name] then
      return values.unknown(name, attributes, "attribute")
    elseif level == "none" then
      return name .. " says nothing under none"
    elseif verifying[name] and level ~= "required-verify" and
        level ~= "preferred-verify" then
      return name .. " says nothing under " .. level ..
        ", which looks at no certificate"
    end
  end
  if got.requiretls and level ~= "required-verify" then
    return "requiretls is for required-verify, not " .. level
  end
  if got.match == "names" and not got.names then
    return "match=names: no names= says which"
  elseif levels[level] >= 4 and (got.min == "1.0" or got.min == "1.1") then
    return ("min=%s is not possible under %s: 1.2 or 1.3"):format(got.min,
      level)
  end
end

function want.read(v)
  local word, got
  if type(v) == "string" then
    word, got = read_text(v)
  elseif values.plain(v) then
    word, got = read_table(v)
  else
    return nil, "a TLS want is a text or a table with a level"
  end
  if not word then return nil, got end
  word = alias[word] or word
  local level = base[word] or word
  if not levels[level] then
    return nil, values.unknown(word, known_levels(), "TLS level")
  end
  local why = sensible(level, got)
  if why then return nil, why end
  local out, attributes_r = { word }, {}
  for _, name in ipairs(order) do
    if got[name] ~= nil then
      local text
      text, why = check[name](got[name])
      if not text then return nil, why end
      out[#out + 1] = name .. "=" .. text
      attributes_r[name] = text
    end
  end
  return table.concat(out, " "), level, word, attributes_r
end

function want.demands(level)
  return (levels[level] or 0) >= 4
end

function want.compare(a, b)
  local x, y = levels[a], levels[b]
  return x < y and -1 or x > y and 1 or 0
end

return want
