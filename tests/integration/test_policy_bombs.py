"""Scripts that want to hurt: whatever a policy does instead of an answer, its
message is put off, soon, and the place is told."""

import re
import subprocess

import pytest

from lib import base

STAGES = ["connect", "helo", "mail", "rcpt", "data", "headers", "message",
          "branch"]
BODIES = {
    "error": 'error("x")',
    "loop": "while true do end",
    "answer": "return 7",
    "memory": 'local t = {} while true do t[#t + 1] = ("y"):rep(9999) end',
    "late": 'sleep(1) error("late")',
    "deep": "local function f() return 1 + f() end f()",
    "protected": "while true do pcall(function() while true do end end) end",
}
MESSAGE = {
    "pattern": 'return ("a"):rep(60000):find(("a*"):rep(30) .. "b")',
    "expression": 'local x = re.match(("a"):rep(60000), "(a+)+$b")',
    "substitution": 'local s = ("a"):rep(60000) '
                    'for _ = 1, 1000 do s:gsub(".", "%0%0") end',
    "doubling": 'local s = "x" while true do s = s .. s end',
    "repetition": 'return ("x"):rep(1 << 30)',
    "metatables": "local t = setmetatable({}, { __index = "
                  'function(s, k) return s[k .. "x"] end }) return t.a',
    "error in an error": "error(setmetatable({}, { __tostring = "
                         'function() error("again") end }))',
    "nil": "error(nil)",
    "table": "error({})",
    "end that loops": "local c <close> = setmetatable({}, { __close = "
                      'function() while true do end end }) error("first")',
    "end that waits": "local c <close> = setmetatable({}, { __close = "
                      "function() while true do sleep(1) end end }) "
                      'error("first")',
    "wait in tostring": "tostring(setmetatable({}, { __tostring = "
                        'function() sleep(0.01) return "x" end }))',
    "wait for ever": "while true do sleep(1) end",
    "strands": "local function f() parallel { f, f, f } end f()",
    "log": 'local s = ("x"):rep(4000000) for _ = 1, 1000 do log.info(s) end',
    "cycle": "local t = {} t[1] = t json.encode(t)",
    "width": 'return ("%99999999d"):format(1)',
    "unpack": "return table.unpack({}, 1, 1e7)",
    "fields": 'while true do msg:add_header("X-A", ("y"):rep(900)) end',
    "recipients": 'for i = 1, 1e9 do msg:add_recipient(i .. "@x.test") end',
    "notices": 'while true do msg:notify { to = "a@b.test", subject = "x", '
               'text = ("z"):rep(10000) } end',
    "forged verdict": 'local v = reject("x") rawset(v, "word", "accept") '
                      'rawset(v, "code", "zz") return v',
    "verdict of nothing": "return setmetatable({}, { __index = "
                          'function() return "accept" end })',
}


@pytest.fixture
def trace(tmp_path):
    def run(text):
        (tmp_path / "bomb.lua").write_text(text)
        (tmp_path / "boot.lua").write_text('policy { file = "bomb.lua" }\n')
        return subprocess.run(
            [base.POSTERN_BIN, "policy", "trace", "-c", "boot.lua", "--from",
             "a@a.test", "--rcpt", "b@b.test"], cwd=tmp_path,
            capture_output=True, text=True, check=False, timeout=60)
    return run


def put_off(done):
    assert done.returncode == 1, done.stderr
    at = [x for x in done.stdout.splitlines() if x.startswith("at ")]
    assert re.match(r"at \w+: tempfail, 451 4\.3\.[05] ", at[0]), done.stdout
    assert "bomb.lua:" in done.stdout


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("body", sorted(BODIES))
def test_a_handler_that_fails_puts_the_message_off(stage, body, trace):
    put_off(trace('on("%s", function() %s end)' % (stage, BODIES[body])))


@pytest.mark.parametrize("body", sorted(MESSAGE))
def test_no_bomb_gets_a_message_through(body, trace):
    put_off(trace('on("message", function(msg) %s end)' % MESSAGE[body]))


def test_waits_in_odd_places_are_waits(trace):
    done = trace("""\
local t = setmetatable({}, {
  __index = function() sleep(0.01) return 1 end,
  __lt = function() sleep(0.01) return true end,
  __concat = function() sleep(0.01) return "x" end,
  __len = function() sleep(0.01) return 3 end,
  __close = function() sleep(0.01) end })
on("message", function(msg)
  local v = { 3, 1, 2 }
  table.sort(v, function(a, b) sleep(0.01) return a < b end)
  local s = ("ab"):gsub(".", function(c) sleep(0.01) return c .. c end)
  do local e <close> = t end
  log.info("%s %s %d %s %s %d", table.concat(v), s, t.x, t < t, t .. "y", #t)
end)""")
    assert "123 aabb 1 true x 3" in done.stdout
    assert "at branch: accept" in done.stdout


@pytest.mark.parametrize("text", [
    "while true do end", "local t = {} for i = 1, 1e9 do t[i] = {} end",
    "sleep(1)", "local function f() return 1 + f() end f()", 'error("x")'])
def test_a_policy_that_does_not_load_is_none(text, trace):
    done = trace(text)
    assert done.returncode == 1
    assert 'plugin "policy" (line 1) does not start: bomb.lua:1: ' in \
        done.stderr
