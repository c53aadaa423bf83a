-- What the objects of a policy have is in postern-policy-api(7).

local check = require "check"

local test = check.test

-- By class what it has, from lua/objects.lua under a host that does nothing.
local function members()
  local found, preload = {}, package.preload.host
  local host = setmetatable({
    index = function(name, list) found[name] = list end,
    list = function() return {} end,
  }, { __index = function() return function() end end })
  package.preload.host = function() return host end
  require "objects"
  package.preload.host = preload
  package.loaded.host, package.loaded.objects = nil, nil
  return found
end

local function page()
  local path = (os.getenv "top_srcdir" or ".") .. "/man/postern-policy-api.7"
  local f = assert(io.open(path))
  local words = {}
  for word in f:read("a"):gmatch("[%w_]+") do words[word] = true end
  f:close()
  return words
end

test("each member of an object is in the manual", function()
  local words, n = page(), 0
  for class, list in pairs(members()) do
    for name in pairs(list) do
      n = n + 1
      if not words[name] then
        error(("%s.%s is not in postern-policy-api(7)"):format(class, name))
      end
    end
  end
  if n < 50 then error("only " .. n .. " members were found") end
end)
