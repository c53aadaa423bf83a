-- Texts of messages and what rules look for in them.
--
--   glob(pattern, case)  a function(s): does all of s match? "*" is any number
--                        of characters, "?" one; letters of ASCII are equal in
--                        either case unless case is set. Time grows with the
--                        length of s, never faster.
--   contains(pattern, case, whole)  the same, anywhere in s; whole: not within
--                        a word
--   decode(s)            a header's value with its encoded words (RFC 2047)
--                        put into UTF-8
--   encode(s)            s as an encoded word if it is not plain ASCII
--   wrap(s, room)        s for a header field, folded if it is too long for one
--                        line, the first one shorter by room; nil: it cannot be
--   fold(s)              s with every run of blanks as one blank
--   windows(match, re, compile)  match(s), the function of the expression re,
--                        of any s: a long one is looked at in windows
--   words(s, most)       the different words of s in small letters, at most so
--                        many, and whether there were more
--   ascii(s)             is it printable ASCII and one line?

local wording = {}

-- Subjects of find() are kept below what a sandbox takes at once.
local PIECE = 32768

-- The pieces between the stars; "?" makes a pattern of one.
local function pieces(pattern)
  local out = {}
  for piece in (pattern .. "*"):gmatch("([^*]*)%*") do
    local p = { text = piece, n = #piece }
    if piece:find("?", 1, true) then
      p.pattern = piece:gsub("[%^%$%(%)%%%.%[%]%+%-]", "%%%0"):gsub("%?", ".")
    end
    out[#out + 1] = p
  end
  return out
end

-- Where piece p is found first at or behind from; nil: nowhere.
local function seek(s, p, from)
  if p.n == 0 then return from <= #s + 1 and from or nil end
  local pattern, plain = p.pattern or p.text, p.pattern == nil
  if #s <= PIECE then return (s:find(pattern, from, plain)) end
  while from + p.n - 1 <= #s do
    local at = s:sub(from, from + PIECE + p.n - 2):find(pattern, 1, plain)
    if at then return from + at - 1 end
    from = from + PIECE
  end
end

local function here(s, p, from)
  if p.n == 0 then return true end
  local part = s:sub(from, from + p.n - 1)
  if #part < p.n then return false end
  if p.pattern then return part:find("^" .. p.pattern .. "$") ~= nil end
  return part == p.text
end

function wording.glob(pattern, case)
  if not case then pattern = pattern:lower() end
  local list = pieces(pattern)
  local n = #list
  local first, last = list[1], list[n]
  if n == 1 and not first.pattern then
    local text = first.text
    if case then return function(s) return s == text end end
    return function(s) return #s == #text and s:lower() == text end
  end
  return function(s)
    if not case then s = s:lower() end
    if n == 1 then return #s == first.n and here(s, first, 1) end
    if not here(s, first, 1) then return false end
    local at = first.n + 1
    for i = 2, n - 1 do
      at = seek(s, list[i], at)
      if not at then return false end
      at = at + list[i].n
    end
    local rest = #s - last.n + 1
    return rest >= at and here(s, last, rest)
  end
end

-- Letters, digits and what is beyond ASCII.
local function inside(s, at)
  local c = s:byte(at)
  return c ~= nil and (c >= 128 or (c >= 48 and c <= 57) or
    (c >= 65 and c <= 90) or (c >= 97 and c <= 122))
end

-- One piece, anywhere; as a whole word where it begins and ends with one.
local function anywhere(p, whole)
  local head = whole and inside(p.text, 1)
  local tail = whole and inside(p.text, p.n)
  return function(s)
    local at = seek(s, p, 1)
    while at do
      if not (head and inside(s, at - 1)) and
          not (tail and inside(s, at + p.n)) then
        return true
      end
      at = seek(s, p, at + 1)
    end
    return false
  end
end

function wording.contains(pattern, case, whole)
  if not case then pattern = pattern:lower() end
  local test
  if pattern:find("*", 1, true) then
    test = wording.glob("*" .. pattern .. "*", true)
  else
    test = anywhere(pieces(pattern)[1], whole)
  end
  if case then return test end
  return function(s) return test(s:lower()) end
end

-- RFC 5322 2.1.1: a line has 998 octets, and should have 78.
function wording.wrap(s, room)
  if #s + room <= 998 then return s end
  local out, n = {}, room
  -- Blanks go with the word behind them; a line needs one.
  for blanks, word in s:sub(1, PIECE):gmatch("([ \t]*)([^ \t]+)") do
    if #out > 0 and blanks ~= "" and n + #blanks + #word > 78 then
      out[#out + 1], n = "\n", 0
    end
    out[#out + 1] = blanks .. word
    n = n + #blanks + #word
    if n > 998 then return nil end
  end
  return #s <= PIECE and table.concat(out) or nil
end

function wording.fold(s)
  if #s <= PIECE then return (s:gsub("%s+", " ")) end
  local out, blank = {}, false
  for from = 1, #s, PIECE do
    local piece = s:sub(from, from + PIECE - 1):gsub("%s+", " ")
    -- A run that goes over the border is one.
    if blank and piece:byte() == 32 then piece = piece:sub(2) end
    if piece ~= "" then blank = piece:byte(-1) == 32 end
    out[#out + 1] = piece
  end
  return table.concat(out)
end

-- Windows overlap by half: what is at most a PIECE long is found. A match does
-- not begin where a window was cut, nor end there: ^, $ and \b would be true of
-- the cut.
function wording.windows(match, re, compile)
  local first, middle, last
  local function window(head, tail)
    local ok, f = pcall(compile, head .. re .. tail)
    return ok and f or match
  end
  return function(s)
    if #s <= 2 * PIECE then return match(s) end
    if not first then
      first = window("(?:", ")(?!\\n?\\z)")
      middle = window("(?!\\A)(?:", ")(?!\\n?\\z)")
      last = window("(?!\\A)(?:", ")")
    end
    if first(s:sub(1, 2 * PIECE)) then return true end
    local from = PIECE + 1
    while from + 2 * PIECE - 1 < #s do
      if middle(s:sub(from, from + 2 * PIECE - 1)) then return true end
      from = from + PIECE
    end
    return last(s:sub(from))
  end
end

local digit = {}
do
  local all = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  for i = 1, 64 do digit[all:byte(i)] = i - 1 end
  wording.digits = all
end

local function from_base64(s)
  local out, acc, bits = {}, 0, 0
  for i = 1, #s do
    local v = digit[s:byte(i)]
    if v then
      acc, bits = (acc << 6 | v) & 0xffffff, bits + 6
      if bits >= 8 then
        bits = bits - 8
        out[#out + 1] = string.char(acc >> bits & 255)
      end
    end
  end
  return table.concat(out)
end

local function to_base64(s)
  local out = {}
  for i = 1, #s, 3 do
    local a, b, c = s:byte(i, i + 2)
    local v = a << 16 | (b or 0) << 8 | (c or 0)
    for k = 0, 3 do
      if k == 2 and not b or k == 3 and not c then
        out[#out + 1] = "="
      else
        local d = (v >> (18 - 6 * k) & 63) + 1
        out[#out + 1] = wording.digits:sub(d, d)
      end
    end
  end
  return table.concat(out)
end

local function from_q(s)
  local out, at = {}, 1
  s = s:gsub("_", " ")
  while true do
    local i = s:find("=", at, true)
    local hex = i and s:match("^%x%x", i + 1)
    out[#out + 1] = s:sub(at, i and i - 1 or #s)
    if not i then return table.concat(out) end
    out[#out + 1] = hex and string.char(tonumber(hex, 16)) or "="
    at = i + (hex and 3 or 1)
  end
end

local function latin(s)
  local out = {}
  for i = 1, #s do out[i] = utf8.char(s:byte(i)) end
  return table.concat(out)
end

local one_octet = { ["iso-8859-1"] = true, ["iso-8859-15"] = true,
  ["windows-1252"] = true, ["latin1"] = true }

local function decode(s)
  if not s:find("=?", 1, true) then return s end
  local out, at = {}, 1
  while true do
    local from, to, charset, kind, text =
      s:find("=%?([^?%s]+)%?([BbQq])%?([^?]*)%?=", at)
    if not from then
      out[#out + 1] = s:sub(at)
      return table.concat(out)
    end
    local between = s:sub(at, from - 1)
    -- Blanks between two encoded words are none.
    if at == 1 or between:find("%S") then out[#out + 1] = between end
    text = kind:lower() == "b" and from_base64(text) or from_q(text)
    if one_octet[charset:gsub("%*.*", ""):lower()] then text = latin(text) end
    out[#out + 1] = text
    at = to + 1
  end
end

function wording.decode(s)
  if #s <= PIECE then return decode(s) end
  local out, from = {}, 1
  while from <= #s do
    local to = from + PIECE - 1
    -- No encoded word has a blank.
    local blank = to < #s and s:sub(from, to):match("^.*()%s")
    if blank then to = from + blank - 1 end
    out[#out + 1] = decode(s:sub(from, to))
    from = to + 1
  end
  return table.concat(out)
end

function wording.ascii(s)
  return s:find("[^\32-\126]") == nil
end

-- Words of at most 75 characters, none within a character (RFC 2047).
function wording.encode(s)
  if wording.ascii(s) then return s end
  local out, at = {}, 1
  while at <= #s do
    local to = at + 44
    while to < #s and to > at and s:byte(to + 1) & 0xc0 == 0x80 do
      to = to - 1
    end
    out[#out + 1] = "=?utf-8?B?" .. to_base64(s:sub(at, to)) .. "?="
    at = to + 1
  end
  return table.concat(out, " ")
end

function wording.words(s, most)
  local out, seen = {}, {}
  for from = 1, #s, PIECE do
    -- The word at the seam counts with the piece in which it begins.
    local head, border = from, from + PIECE
    if from > 1 and inside(s, from - 1) then
      while head < border and inside(s, head) do head = head + 1 end
    end
    local tail = border - 1
    while tail < #s and tail < border + PIECE - 2 and inside(s, tail) and
        inside(s, tail + 1) do
      tail = tail + 1
    end
    local piece = head < border and s:sub(head, tail):lower() or ""
    for word in piece:gmatch("[%w\128-\255]+") do
      if not seen[word] then
        if #out == most then return out, true end
        seen[word] = true
        out[#out + 1] = word
      end
    end
  end
  return out, false
end

return wording
