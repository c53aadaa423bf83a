-- All test files that are named, as one TAP stream: a file calls
-- check.test("sentence", f), and f raises what is wrong.

local check = require "check"

local failed = 0
for _, path in ipairs(arg) do
  check.file = path:match("([^/]*)%.lua$")
  local ok, why = pcall(dofile, path)
  if not ok then check.test("loads", function() error(why, 0) end) end
end
print("1.." .. #check.tests)
for i, t in ipairs(check.tests) do
  local ok, why = xpcall(t.f, debug.traceback)
  if not ok then
    failed = failed + 1
    print("# " .. tostring(why):gsub("\n", "\n# "))
  end
  print(("%sok %d - %s: %s"):format(ok and "" or "not ", i, t.file, t.name))
end
os.exit(failed == 0)
