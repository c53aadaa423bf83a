"""Rules of a policy over real sockets: conditions, actions, refusals, branches.
What each field means is tested in tests/lua with the same library."""

import os
import re

import pytest

from lib import base, postern
from lib.client import message

FAST = {"bounce_profile": {"default": {"first_retry": "500ms",
                                       "max_retry": "1s"}}}


@pytest.fixture
def folder():
    """Workers read the policy, so everybody may."""
    path = base.private_dir("policy")
    yield path
    base.remove_dir(path)


def settings(folder, text):
    path = os.path.join(folder, "policy.lua")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return dict(FAST, plugin={"lua": {"file": path}})


@pytest.fixture
def policy(relay, sink, folder):
    """A relay with this policy."""
    return lambda text: relay(sink.port, settings(folder, text))


def send(server, rcpts, sender="a@a.test", **kwargs):
    """The reply to the message, without the rest of a 250."""
    with server.client() as c:
        c.start()
        c.mail(sender, *rcpts)
        answer = c.data(message(**kwargs)).strip()
        return "250" if answer.startswith("250") else answer


def by_recipient(sink, count):
    return {r: m for m in sink.wait(count) for r in m.recipients}


def splits(server):
    return re.findall(r"MID \d+ was split creating MID \d+",
                      "\n".join(server.log_lines()))


def test_edits_reach_those_who_match(policy, sink):
    server = policy("""
        rule "partner" {
          when = { rcpt_domain = ".p.test" },
          add_header = { ["X-Partner"] = "yes" },
          remove_header = "X-Inside", tag = "[p]",
        }""")
    assert send(server, ["x@sub.p.test", "y@b.test"], subject="plans",
                extra="X-Inside: 1\r\n") == "250"
    got = by_recipient(sink, 2)
    assert got["x@sub.p.test"].header("X-Partner") == "yes"
    assert got["x@sub.p.test"].header("Subject") == "[p] plans"
    assert got["x@sub.p.test"].header("X-Inside") is None
    assert got["y@b.test"].header("X-Partner") is None
    assert got["y@b.test"].header("Subject") == "plans"
    assert got["y@b.test"].header("X-Inside") == "1"
    assert len(splits(server)) == 1


def test_replies_of_rules_reach_the_client(policy, sink):
    server = policy("""
        rule "no" { when = { subject = "[spam]" },
                    reply = reject(554, "5.7.9", "not this") }
        rule "later" { when = { subject = "later" },
                       reply = tempfail(451, "4.7.9", "come again") }
        rule "drop" { when = { sender = "noise@a.test" },
                      reply = discard() }
        """)
    assert send(server, ["x@b.test"], subject="A [Spam] b") == \
        "554 5.7.9 not this"
    assert send(server, ["x@b.test"], subject="later") == \
        "451 4.7.9 come again"
    assert send(server, ["x@b.test"], "noise@a.test", subject="dropped") == \
        "250"
    assert send(server, ["x@b.test"], subject="kept") == "250"
    sink.wait(1)
    assert [m.header("Subject") for m in sink.messages] == ["kept"]


def test_forced_recipients_are_split_or_not_as_the_rule_says(policy, sink):
    server = policy("""
        rule "ticked" { when = { rcpt = "a@p.test", sender = "one@a.test" },
                        tls = "preferred" }
        rule "unticked" { when = { rcpt = "a@p.test", sender = "two@a.test" },
                          tls = "preferred", others = "same" }
        """)
    assert send(server, ["a@p.test", "b@p.test", "c@q.test"],
                "two@a.test") == "250"
    base.wait_for(lambda: sum(len(m.recipients) for m in sink.messages) == 3,
                  "all of the second")
    assert splits(server) == []
    assert send(server, ["a@p.test", "b@p.test", "c@q.test"],
                "one@a.test") == "250"
    base.wait_for(lambda: sum(len(m.recipients) for m in sink.messages) == 6,
                  "all of the first")
    assert len(splits(server)) == 1
    # The whole domain goes with the address.
    assert ["a@p.test", "b@p.test"] in [
        sorted(m.recipients) for m in sink.messages[-2:]]


def test_forced_mail_is_not_sent_in_clear(policy, sink):
    server = policy("""
        rule "force" { when = { rcpt_domain = "p.test" }, tls = "required" }
        """)
    assert send(server, ["x@p.test", "y@b.test"]) == "250"
    got = by_recipient(sink, 1)
    assert set(got) == {"y@b.test"}
    server.wait_log(r"TLS failed: STARTTLS not offered")
    assert all("x@p.test" not in m.recipients for m in sink.messages)


def test_client_conditions_see_the_connection(policy, sink):
    server = policy("""
        rule "plain" { when = { client_ip = "127.0.0.0/8", client_tls = false,
                                auth = false, size_under = "1M",
                                direction = "outbound" },
                       add_header = { ["X-Plain"] = "1" } }
        rule "not" { when = { client_ip = "192.0.2.0/24" },
                     add_header = { ["X-Not"] = "1" } }
        """)
    assert send(server, ["x@b.test"]) == "250"
    m = sink.wait(1)[0]
    assert m.header("X-Plain") == "1"
    assert m.header("X-Not") is None


def test_a_lookup_that_fails_refuses_for_now(policy, sink):
    server = policy("""
        rule "dead" { when = { subject = "ask", rcpt_domain =
                        lookup "lua" }, tag = "[x]" }
        """)
    assert send(server, ["x@p.test"], subject="ask") == \
        "451 4.3.5 policy error"
    assert send(server, ["x@p.test"], subject="other") == "250"
    assert [m.header("Subject") for m in sink.wait(1)] == ["other"]
    server.wait_log(r"policy error \S*policy.lua:2: lookup \"lua\"")


def test_what_is_wrong_in_a_rule_keeps_the_relay_from_starting(
        sink, folder):
    server = postern.Postern(sink.port, settings(
        folder, '\nrule "partner" {\n  tsl = "required",\n}\n'))
    try:
        with pytest.raises(AssertionError) as why:
            server.start()
    finally:
        server.kill()
    assert ('policy.lua:2: rule "partner": field "tsl" is not known (did you '
            'mean "tls"?)') in str(why.value)
