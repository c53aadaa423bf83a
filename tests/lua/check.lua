-- Assertions of the Lua tests.

local check = { tests = {} }

function check.test(name, f)
  check.tests[#check.tests + 1] = { name = name, f = f, file = check.file }
end

local function show(v)
  if type(v) ~= "table" then
    return type(v) == "string" and ("%q"):format(v) or tostring(v)
  end
  local keys, out = {}, {}
  for k in pairs(v) do keys[#keys + 1] = k end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for i, k in ipairs(keys) do
    out[i] = (math.type(k) == "integer" and "" or tostring(k) .. "=") ..
      show(v[k])
  end
  return "{" .. table.concat(out, ", ") .. "}"
end

-- Tables are equal if they look equal.
function check.eq(got, wanted)
  if show(got) ~= show(wanted) then
    error(("got %s, not %s"):format(show(got), show(wanted)), 2)
  end
end

function check.has(text, part)
  if not tostring(text):find(part, 1, true) then
    error(("%s does not say %q"):format(show(text), part), 2)
  end
end

-- f must raise; the error.
function check.fails(f, ...)
  local ok, why = pcall(f, ...)
  if ok then error("it did not fail", 2) end
  return why
end

return check
