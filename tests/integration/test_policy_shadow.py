"""postern policy shadow: a candidate looks on at live traffic, and whatever it
does, mail goes as if it were not there."""

import json
import os
import re
import signal
import subprocess

import pytest

from lib import base
from lib.client import message

POLICY = 'on("rcpt", function(rcpt) rcpt:tls("preferred") end)\n'
CANDIDATE = """\
on("rcpt", function(rcpt)
  rcpt:tls(rcpt.domain == "c.test" and "required-verify" or "preferred")
end)
test("it is about c.test", function(t)
  local r = t:send { from = "a@a.test", rcpt = { "b@b.test", "c@c.test" } }
  t:eq(r:rcpt("c@c.test").tls, "required-verify")
end)
"""


@pytest.fixture
def folder():
    path = base.private_dir("shadow")
    yield path
    base.remove_dir(path)


@pytest.fixture
def server(relay, sink, folder):
    path = os.path.join(folder, "policy.lua")
    base.write_file(path, POLICY)
    return relay(sink.port, {"policy": {"file": path}})


@pytest.fixture
def shadow(server, folder):
    """shadow(text or option, ...): what the command says; status in .code"""
    def run(*args, text=None):
        args = list(args)
        if text is not None:
            path = os.path.join(folder, "new.lua")
            base.write_file(path, text)
            args.append(path)
        return subprocess.run(
            [base.POSTERN_BIN, "policy", "shadow", "-c", server.conf_file,
             *args], capture_output=True, text=True, check=False)
    return run


def send(server, *rcpts, sender="a@a.test"):
    """The replies to its commands and to its data."""
    with server.client() as c:
        c.start()
        said = [c.cmd("MAIL FROM:<%s>" % sender)]
        said += [c.cmd("RCPT TO:<%s>" % r) for r in rcpts]
        said.append(c.data(message()))
        c.quit()
    return said


def differences(shadow):
    return [x["text"] for x in
            json.loads(shadow("--json").stdout)["differences"]]


def wait_for_difference(shadow, pattern):
    """It is in the log when its message was taken, or soon after."""
    base.wait_for(lambda: [x for x in differences(shadow)
                           if re.search(pattern, x)],
                  lambda: "no %s in %s" % (pattern, differences(shadow)))


def test_a_candidate_looks_on_until_it_is_switched_off(server, shadow, sink):
    boot = base.read_text(server.conf_file)
    assert shadow().stdout == "no candidate looks on\n"
    done = shadow(text=CANDIDATE)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.match(r".*/new\.lua looks on, since ", done.stdout)
    assert all(x[0] == "2" for x in send(server, "b@b.test", "c@c.test"))
    server.wait_empty()
    wait_for_difference(shadow, r"RID 1: preferred -> required-verify by "
                                r"new\.lua:2")
    done = shadow()
    assert done.returncode == 1
    assert "looks on, since" in done.stdout.splitlines()[0]
    assert len(done.stdout.splitlines()) == 2
    assert base.read_text(server.conf_file) == boot
    done = shadow("--off")
    assert (done.returncode, done.stdout) == (0, "no candidate looks on\n")
    assert all(x[0] == "2" for x in send(server, "c@c.test"))
    server.wait_empty()
    assert len(differences(shadow)) == 1


def test_it_stays_over_a_reload_and_ends_with_the_relay(server, shadow):
    assert shadow(text=CANDIDATE).returncode == 0
    server.signal(signal.SIGHUP)
    server.wait_log(r"configuration 3 is in force")
    send(server, "c@c.test")
    wait_for_difference(shadow, "RID 0: preferred -> required-verify")
    server.stop()
    server.start()
    state = json.loads(shadow("--json").stdout)
    assert (state["shadow"], state["switched"]) == (None, False)


def test_a_candidate_that_is_wrong_is_refused_and_the_former_stays(
        server, shadow):
    assert shadow(text="on('rcpt', function(").returncode == 1
    assert shadow().stdout == "no candidate looks on\n"
    assert shadow(text=CANDIDATE).returncode == 0
    done = shadow(text=CANDIDATE.replace('"required-verify")',
                                         '"required")'))
    assert done.returncode == 1
    assert re.search(r'new\.lua:6: it is "required-verify", not "required" '
                     r'\(test "it is about c\.test"\)', done.stderr)
    send(server, "c@c.test")
    wait_for_difference(shadow, "RID 0: preferred -> required-verify")
    assert shadow("missing.lua").returncode == 2
    assert shadow("--off", "new.lua").returncode == 64


def test_another_candidate_begins_with_no_differences(server, shadow):
    assert shadow(text=CANDIDATE).returncode == 0
    send(server, "c@c.test")
    wait_for_difference(shadow, "RID 0")
    assert shadow(text=POLICY).returncode == 0
    assert differences(shadow) == []


BAD = {
    "rejects": ('on("%s", function() return reject("no") end)',
                "continue -> reject 550 no at %s"),
    "fails": ('on("%s", function() error("bang") end)',
              "policy error new.lua:1: bang"),
    "loops": ('on("%s", function() while true do end end)',
              "policy error new.lua:1: .*instructions"),
    "eats": ('on("%s", function() local t = {} while true do '
             't[#t + 1] = ("x"):rep(100000) end end)',
             "policy error new.lua:1: .*memory"),
    "nests": ('local function f(n) return 1 + f(n + 1) end\n'
              'on("%s", function() f(1) end)',
              "policy error new.lua:1: "),
    "answers": ('on("%s", function() return 17 end)',
                "policy error new.lua:1: .*a handler returned a number"),
}
STAGES = ["connect", "helo", "mail", "rcpt", "data", "headers", "message"]


@pytest.mark.parametrize("how", sorted(BAD))
def test_a_shadow_that_misbehaves_everywhere_costs_nothing(
        how, server, shadow, sink):
    text, said = BAD[how]
    lines = [text % stage for stage in STAGES + ["branch", "deliver",
                                                 "queued", "delivered"]]
    assert shadow(text="\n".join(lines)).returncode == 0
    assert all(x[0] == "2" for x in send(server, "b@b.test", "c@c.test"))
    server.wait_empty()
    assert sorted(r for m in sink.messages for r in m.recipients) == [
        "b@b.test", "c@c.test"]
    for i, stage in enumerate(STAGES):
        pattern = said.replace("new.lua:1", r"new\.lua:\d+")
        if "%s" in pattern:
            pattern = pattern % stage
        server.wait_log(r"policy\.shadow: .*" + pattern)
    assert not [x for x in server.log_lines() if "gone wrong" in x]


def test_a_shadow_that_waits_for_ever_is_given_up(server, shadow, sink):
    assert shadow(text='on("message", function() '
                       'while true do sleep(1) end end)').returncode == 0
    assert send(server, "b@b.test")[-1][0] == "2"
    server.wait_empty()
    assert len(sink.messages) == 1
    server.wait_log("no verdict within")


def test_what_a_shadow_would_add_and_drop_is_told_and_not_done(
        server, shadow, sink):
    done = shadow(text="""\
rule "archive" { when = { rcpt_domain = "b.test" }, bcc = "arch@d.test" }
rule "moved" { when = { rcpt_domain = "c.test" }, redirect = "new@d.test" }
on("message", function(msg)
  local r = msg:add_recipient("e@e.test", { quiet = true })
  r:tls("required")
  r:add_header("X-To", r.address .. " at " .. r.domain .. r.localpart)
  r:drop()
  msg:set_header("Subject", "changed")
  msg:remove_recipient("b@b.test")
  msg:notify { to = "n@n.test", subject = "s", text = "t" }
end)""")
    assert done.returncode == 0, done.stderr
    assert all(x[0] == "2" for x in send(server, "b@b.test", "c@c.test"))
    server.wait_empty()
    assert sorted(r for m in sink.messages for r in m.recipients) == [
        "b@b.test", "c@c.test"]
    assert b"changed" not in sink.messages[0].data
    for what in (r"adds arch@d\.test by new\.lua:1",
                 r"adds new@d\.test by new\.lua:2",
                 r"RID 1: drops it by new\.lua:2",
                 r"adds e@e\.test by new\.lua:4",
                 r"RID 0: drops it by new\.lua:9"):
        wait_for_difference(shadow, what)
    assert not [x for x in differences(shadow) if "error" in x]
