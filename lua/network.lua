-- Addresses and networks: "192.0.2.0/24", "2001:db8::/32", "192.0.2.1".
--
--   parse(text)   the address as two integers of 64 bits and the bits it has
--                 (32 or 128); nil: it is none. IPv4 in IPv6 (::ffff:1.2.3.4)
--                 is IPv4.
--   read(text)    a network: high, low, bits of its prefix, bits of its kind;
--                 nil and what is wrong
--   within(a, b, kind, net)  is the parsed address in the network?

local network = {}

local function v4(text)
  local a, b, c, d = text:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  if not a then return nil end
  local n = 0
  for _, part in ipairs { a, b, c, d } do
    local v = math.tointeger(part)
    if #part > 3 or v > 255 then return nil end
    n = n << 8 | v
  end
  return n
end

-- The 16-bit groups of one side of "::"; nil: not well formed.
local function groups(text)
  local out = {}
  if text == "" then return out end
  for part in (text .. ":"):gmatch("([^:]*):") do
    if part:find(".", 1, true) then
      local n = v4(part)
      if not n then return nil end
      out[#out + 1] = n >> 16
      out[#out + 1] = n & 0xffff
    elseif part:find("^%x%x?%x?%x?$") and not out.ended then
      out[#out + 1] = tonumber(part, 16)
    else
      return nil
    end
    out.ended = part:find(".", 1, true) ~= nil
  end
  return out
end

local function v6(text)
  local left, right = text, nil
  local at = text:find("::", 1, true)
  if at then left, right = text:sub(1, at - 1), text:sub(at + 2) end
  local g, tail = groups(left), right and groups(right)
  if not g or (right and not tail) or (right and g.ended) then return nil end
  if right then
    local missing = 8 - #g - #tail
    if missing < 1 then return nil end
    for _ = 1, missing do g[#g + 1] = 0 end
    for _, v in ipairs(tail) do g[#g + 1] = v end
  end
  if #g ~= 8 then return nil end
  return g[1] << 48 | g[2] << 32 | g[3] << 16 | g[4],
    g[5] << 48 | g[6] << 32 | g[7] << 16 | g[8]
end

function network.parse(text)
  if type(text) ~= "string" or #text > 45 then return nil end
  if not text:find(":", 1, true) then
    local n = v4(text)
    if not n then return nil end
    return 0, n, 32
  end
  local high, low = v6(text)
  if not high then return nil end
  if high == 0 and low >> 32 == 0xffff then return 0, low & 0xffffffff, 32 end
  return high, low, 128
end

-- The bits of the upper and lower half that a prefix keeps.
local function masks(bits, kind)
  local function ones(n) return n == 0 and 0 or -1 << (64 - n) end
  if kind == 32 then return 0, ones(bits) >> 32 & 0xffffffff end
  return ones(math.min(bits, 64)), ones(math.max(bits - 64, 0))
end

function network.read(text)
  local addr, bits = text, nil
  if type(text) == "string" and text:find("/", 1, true) then
    addr, bits = text:match("^([^/]*)/(%d+)$")
  end
  local high, low, kind = network.parse(addr)
  if not high then
    return nil, ('"%s" is neither an address nor a network')
      :format(tostring(text))
  end
  bits = bits and (#bits <= 3 and math.tointeger(bits) or 999) or kind
  if bits > kind then
    return nil, ('"%s": a prefix has at most %d bits'):format(text, kind)
  end
  local mh, ml = masks(bits, kind)
  if high & ~mh ~= 0 or low & ~ml ~= 0 then
    return nil, ('"%s" has bits behind its prefix'):format(text)
  end
  return { high = high, low = low, mh = mh, ml = ml, kind = kind, bits = bits }
end

function network.within(high, low, kind, net)
  return kind == net.kind and high & net.mh == net.high and
    low & net.ml == net.low
end

return network
