"""Bounce profiles: which one holds, its schedule, its warnings."""

import os
import re

import pytest

from lib import base, client

pytestmark = pytest.mark.sanitizer

NEVER = {"first_retry": "1h", "max_retry": "1h"}


@pytest.fixture
def folder():
    """Workers read the policy, so everybody may."""
    path = base.private_dir("policy")
    yield path
    base.remove_dir(path)


def submit(server, *recipients, sender="a@client.test"):
    with server.client() as peer:
        peer.start().deliver(sender, recipients, client.message())


def tries(sink, recipient="gone@next.test"):
    """When it was tried, by the clock of the peer's sessions."""
    return [line for _, line in list(sink.commands)
            if line.upper().startswith("RCPT TO:<%s>" % recipient.upper())]


def reports(sink):
    return [m for m in list(sink.messages) if m.sender == ""]


def test_after_so_many_retries_it_goes_back_at_once(relay, sink):
    """The first of the worked schedules, a minute being a second."""
    sink.fault("rcpt", "450 4.2.1 not today", when="gone")
    server = relay(sink.port, {"bounce_profile": {"default": {
        "first_retry": "1s", "max_retry": "1s", "max_retries": 2,
        "jitter": 0}}})
    submit(server, "gone@next.test")
    base.wait_for(lambda: reports(sink), "the report")
    server.wait_empty()
    assert len(tries(sink)) == 3
    assert len(reports(sink)) == 1
    server.wait_log(r"Bounced: DCID [1-9]\d* MID \d+ to RID 0 - 5\.4\.7 ")


def test_it_goes_back_before_the_attempt_beyond_its_lifetime(relay, sink):
    """The second one: 60 s and 100 s are 6 s and 10 s."""
    sink.fault("rcpt", "450 4.2.1 not today", when="gone")
    server = relay(sink.port, {"bounce_profile": {"default": {
        "first_retry": "6s", "max_retry": "6s", "lifetime": "10s",
        "jitter": 0}}})
    submit(server, "gone@next.test")
    base.wait_for(lambda: reports(sink), "the report")
    server.wait_empty()
    assert len(tries(sink)) == 2
    # Nothing was tried for it: the last reply is the one it goes back with.
    server.wait_log(r"Bounced: DCID 0 MID \d+ to RID 0 - 5\.4\.7 ")
    assert b"not today" in reports(sink)[0].data


def test_warnings_are_repeated_and_counted_over_a_restart(relay, sink):
    sink.fault("rcpt", "450 4.2.1 not today", when="gone")
    server = relay(sink.port, {"bounce_profile": {"default": {
        "first_retry": "500ms", "max_retry": "500ms", "max_retries": 10000,
        "warn": True, "warn_after": "1s", "warn_count": 2,
        "warn_interval": "2s"}}})
    submit(server, "gone@next.test")
    base.wait_for(lambda: reports(sink), "the first warning")
    # It may be on its way to the disk.
    seen = len(tries(sink))
    base.wait_for(lambda: len(tries(sink)) > seen + 1, "attempts after it")
    server.stop()
    server.start()
    base.wait_for(lambda: len(reports(sink)) == 2, "the second warning")
    # Time for two more.
    seen = len(tries(sink))
    base.wait_for(lambda: len(tries(sink)) > seen + 9, "attempts after it")
    assert len(reports(sink)) == 2
    assert all(b"Action: delayed" in m.data for m in reports(sink))


def test_nobody_is_warned_of_a_host_that_does_not_answer(relay, sink):
    sink.stop_listening()
    server = relay(sink.port, {
        "delivery": {"host_backoff": "500ms", "host_backoff_max": "500ms"},
        "bounce_profile": {"default": {
            "first_retry": "500ms", "max_retry": "500ms", "max_retries": 4,
            "warn": True, "warn_after": "1s", "warn_interval": "1s",
            "warn_count": 100}}})
    submit(server, "gone@next.test")
    server.wait_log(r"Bounced: .* MID \d+ to RID 0 - 5\.4\.7 ")
    sink.start()
    base.wait_for(lambda: reports(sink), "the report")
    server.wait_empty()
    assert len(reports(sink)) == 1
    assert b"Action: failed" in reports(sink)[0].data


@pytest.fixture
def layered(relay, sink, folder):
    """Profiles that rule, destination, route and listener name."""
    path = os.path.join(folder, "policy.lua")
    with open(path, "w", encoding="utf-8") as f:
        f.write('rule "slow" { when = { rcpt_domain = { "rule.test",\n'
                '  "both.test" } }, bounce_profile = "of-rule" }\n')
    hosts = ["127.0.0.1:%d" % sink.port]
    sink.fault("rcpt", "450 4.2.1 not today")
    names = ("of-rule", "of-destination", "of-route", "of-listener",
             "default")
    return relay(sink.port, {
        "bounce_profile": {name: NEVER for name in names},
        "listener": {"inbound": {"bounce_profile": "of-listener"}},
        "destination": {name: {"bounce_profile": "of-destination"}
                        for name in ("domain.test", "both.test")},
        "route": {"route.test": {"hosts": hosts,
                                 "bounce_profile": "of-route"}},
        "plugin": {"lua": {"file": path}}})


HOLDS = [("x@rule.test", "of-rule", "rule"),
         ("x@both.test", "of-rule", "rule"),
         ("x@domain.test", "of-destination", "destination"),
         ("x@route.test", "of-route", "route"),
         ("x@else.test", "of-listener", "listener")]


def test_rule_destination_route_and_listener_name_profiles(layered):
    submit(layered, *[rcpt for rcpt, _, _ in HOLDS])
    # One message: none is split for this.
    for rid, (_, profile, _) in enumerate(HOLDS):
        layered.wait_log(r"MID (\d+) to RID \[%s\] pending till "
                         r".* \[%s\]" % (rid, profile))
    lines = "\n".join(layered.log_lines())
    assert len(set(re.findall(r"MID (\d+) to RID .* pending", lines))) == 1
    assert "was split" not in lines
    rows = {row["rcpt"]: row["bounce_profile"]
            for row in layered.cli_json("queue", "list")}
    assert rows == {rcpt: "of-rule" if by == "rule" else "?of-listener"
                    for rcpt, _, by in HOLDS}


def test_they_are_the_same_after_a_restart(layered):
    submit(layered, *[rcpt for rcpt, _, _ in HOLDS])
    layered.wait_log(r"pending till ", len(HOLDS))
    layered.stop()
    layered.start()
    base.wait_for(lambda: layered.queue_count() == 1, "the queue")
    layered.cli("queue", "flush")
    for _, profile, by in HOLDS:
        layered.wait_log(r"pending till .* \[%s\]" % profile,
                         4 if by == "rule" else 2)


def test_explain_tells_which_one_and_who_says_so(layered):
    rcpts = [rcpt for rcpt, _, _ in HOLDS]
    told = layered.cli_json("explain", "--listener", "inbound",
                            "a@client.test", *rcpts)
    if isinstance(told, list):
        told = told[0]
    assert [(r["address"], r["schedule"]["profile"],
             r["schedule"]["profile_by"])
            for r in told["recipients"]] == HOLDS
    shown = layered.cli("explain", "a@client.test", "x@rule.test",
                        "x@else.test").text
    assert "if deferred (of-rule, by rule): " in shown
    assert "if deferred (of-listener, by listener): " in shown


def test_a_handler_that_names_no_profile_puts_the_message_off(layered, folder):
    with open(os.path.join(folder, "policy.lua"), "w",
              encoding="utf-8") as f:
        f.write('on("message", function(msg)\n'
                '  msg:bounce_profile("none-such")\nend)\n')
    layered.stop()
    layered.start()
    with layered.client() as peer:
        peer.start()
        peer.mail("a@client.test", "x@else.test")
        assert peer.data(client.message()).startswith("451 4.3.5")
    layered.wait_log(r'no bounce_profile "none-such"')
