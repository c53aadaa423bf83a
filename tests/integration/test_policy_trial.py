"""A trial takes what the relay takes, and refuses what it refuses: the same
policies, asked of `postern policy` and over a socket."""

import json
import os
import re
import signal

import pytest

from lib import base

SETTINGS = {
    "route": {"other": {"hosts": ["127.0.0.1:9"]}},
    "bounce_profile": {"default": {}, "patient": {}}}

# What a policy may say, and whether the relay does it.
SAYS = [
    ('rcpt:route("other")', True),
    ('rcpt:route("nosuchroute")', False),
    ('rcpt:route("192.0.2.25")', False),
    ('rcpt:route("192.0.2.25:25")', True),
    ('rcpt:route("192.0.2.25:0")', False),
    ('rcpt:route("mx:b.test a.test:25")', True),
    ('msg:route("nosuchroute")', False),
    ('rcpt:bounce_profile("patient")', True),
    ('rcpt:bounce_profile("nobody")', False),
    ('rcpt:hold("30d")', True),
    ('rcpt:hold("31d")', False),
    ('msg:hold("721h")', False),
    ('rcpt:branch("a b")', False),
    ('rcpt:after("a", "31d")', False),
    ('rcpt:quarantine("")', False),
    ('rcpt:tls("required")', True),
    ('rcpt:tls("require")', False),
]
TAKEN = {"r%d@b.test" % i: good for i, (_, good) in enumerate(SAYS)}


def policy_text():
    rows = "".join("  r%d = function(rcpt, msg) %s end,\n" % (i, says)
                   for i, (says, _) in enumerate(SAYS))
    return ("local does = {\n%s}\n"
            'on("rcpt", function(rcpt, msg)\n'
            "  does[rcpt.localpart](rcpt, msg)\nend)\n" % rows)


@pytest.fixture
def folder():
    path = base.private_dir("policy")
    yield path
    base.remove_dir(path)


@pytest.fixture
def place(relay, sink, folder):
    """place(text): a relay with that policy."""
    def make(text):
        path = base.write_file(os.path.join(folder, "policy.lua"), text)
        return relay(sink.port, dict(SETTINGS, policy={"file": path}))
    return make


def codes(server, rcpts):
    """What the relay says to each, in a message of its own."""
    out = {}
    for rcpt in rcpts:
        with server.client() as c:
            c.start()
            c.mail("a@a.test")
            out[rcpt] = int(c.cmd("RCPT TO:<%s>" % rcpt)[:3])
    return out


def trial_codes(server, rcpt, *more):
    said = server.cli("policy", "trace", "--from", "a@a.test", "--rcpt", rcpt,
                      "--ip", "127.0.0.1", "--json", *more, check=False)
    result = json.loads(said.text)["result"]
    return result["rcpt"][0]["reply"]["code"]


@pytest.mark.parametrize("more", [[], ["--live"]], ids=["canned", "live"])
def test_what_the_relay_refuses_to_set_a_trial_refuses(place, more):
    server = place(policy_text())
    relayed = codes(server, TAKEN)
    assert {r: code == 250 for r, code in relayed.items()} == TAKEN
    assert {r: trial_codes(server, r, *more) for r in TAKEN} == relayed


def test_tests_know_the_routes_and_profiles_of_the_boot_file(place, folder):
    server = place("")
    path = os.path.join(folder, "policy.lua")
    base.write_file(path, """
rule "one" { when = { rcpt = "a@b.test" }, route = "other",
  bounce_profile = "patient" }
rule "two" { when = { rcpt = "b@b.test" }, route = "nosuchroute" }
rule "three" { when = { rcpt = "c@b.test" }, bounce_profile = "nobody" }
for _, rcpt in ipairs { "a@b.test", "b@b.test", "c@b.test" } do
  test(rcpt, function(t) t:eq(t:send { rcpt = rcpt }.reply.code, 250) end)
end
""")

    def passed(*args):
        said = server.cli("policy", "test", *args, check=False).text
        return re.findall(r"^(ok|not ok) \d - (\w)@", said, re.MULTILINE)
    assert passed(path) == [("ok", "a"), ("not ok", "b"), ("not ok", "c")]
    # Without a boot file nobody knows which there are.
    alone = base.run([base.POSTERN_BIN, "policy", "test", path]).text
    assert alone.count("\nok ") == 2 and alone.startswith("ok "), alone


def test_a_reload_refuses_a_policy_whose_test_wants_an_unknown_route(
        place, folder):
    server = place("")
    base.write_file(os.path.join(folder, "policy.lua"), """
rule "two" { route = "nosuchroute" }
test("it goes", function(t)
  t:eq(t:send { rcpt = "b@b.test" }.reply.code, 250)
end)
""")
    said = server.cli("check", check=False)
    assert said.returncode != 0
    assert '(test "it goes")' in said.text, said.text
    server.signal(signal.SIGHUP)
    server.wait_log(r'policy\.lua:4: .* \(test "it goes"\)')


def test_check_finds_names_that_the_boot_file_does_not_have(place, folder):
    server = place("")
    path = base.write_file(os.path.join(folder, "policy.lua"), """
local partners = lookup "partners"
rule "r" { when = { rcpt = partners, listener = "nobody" }, route = "othre",
  bounce_profile = "patient" }
""")
    said = server.cli("policy", "check", path, check=False)
    assert (said.returncode, said.text) == (1, (
        '{0}:2: error: lookup: there is no table "partners"\n'
        '{0}:3: error: rule "r": there is no route "othre" (did you mean '
        '"other"?)\n'
        '{0}:3: warning: rule "r": there is no listener "nobody"\n').format(
            "policy.lua"))
    # Nobody knows the boot file of a policy alone.
    said = base.run([base.POSTERN_BIN, "policy", "check", path])
    assert said.text == "%s: ok\n" % path
