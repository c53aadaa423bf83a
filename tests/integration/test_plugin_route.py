"""Where mail goes that plugins route: route/1 at the end of the message."""

import os

import pytest

from lib import base
from lib.client import message

PLUGINS = os.path.join(os.path.dirname(base.POSTERN_BIN), "tests", "plugins")
NAMED = "if rcpt.domain b.test; to partner.test"


def config(other, second=None, **steps):
    plugin = {"puppet": steps}
    if second:
        plugin[("puppet", "second")] = second
    return {"plugin_dirs": [PLUGINS], "plugin": plugin, "route": {
        "partner.test": {"hosts": ["127.0.0.1:%d" % other.port]}}}


def deliver(server, *rcpts):
    with server.client() as c:
        assert c.start().deliver("a@a.test", list(rcpts), message())


def refused(server, *rcpts):
    with server.client() as c:
        c.start().mail("a@a.test")
        for rcpt in rcpts:
            c.expect("RCPT TO:<%s>" % rcpt, 250)
        return c.data(message())


@pytest.fixture
def rig(relay, make_sink):
    """rig(route=steps): the relay, the usual sink, and the one of the route
    partner.test."""
    def make(**kwargs):
        usual, other = make_sink(), make_sink()
        return relay(usual.port, config(other, **kwargs)), usual, other
    return make


@pytest.mark.parametrize("wait", ["", "wait 10; "])
def test_a_recipient_goes_where_its_route_is(rig, wait):
    server, usual, other = rig(route=wait + NAMED)
    deliver(server, "x@b.test", "y@c.test", "z@b.test")
    assert other.wait(1)[0].recipients == ["x@b.test", "z@b.test"]
    assert usual.wait(1)[0].recipients == ["y@c.test"]


def test_hosts_are_a_route(rig, make_sink):
    third = make_sink()
    server, usual, other = rig(
        route="if rcpt x@b.test; to [127.0.0.1]:%d" % third.port)
    deliver(server, "x@b.test", "y@b.test")
    assert third.wait(1)[0].recipients == ["x@b.test"]
    assert usual.wait(1)[0].recipients == ["y@b.test"]
    assert not other.messages


def test_a_route_that_was_set_is_not_asked_for(rig):
    server, usual, other = rig(
        rcpt="if rcpt x@b.test; set rcpt.route partner.test",
        route="get rcpt; to *")
    deliver(server, "x@b.test", "y@b.test")
    assert other.wait(1)[0].recipients == ["x@b.test"]
    assert usual.wait(1)[0].recipients == ["y@b.test"]
    text = "\n".join(server.log_lines())
    assert "rcpt=y@b.test" in text and "rcpt=x@b.test" not in text


@pytest.mark.parametrize("steps, reached", [
    ("if rcpt x@b.test; to *", False),  # the first answer counts
    ("accept", False),                  # and so does that there is none
    ("continue", True),                 # no opinion: the next is asked
])
def test_the_first_answer_counts(rig, steps, reached):
    server, usual, other = rig(route=steps, second={"route": NAMED})
    deliver(server, "x@b.test")
    got = other if reached else usual
    assert got.wait(1)[0].recipients == ["x@b.test"]


@pytest.mark.parametrize("steps, reply", [
    ("to nowhere.test", "451 4.3.5 No route for a recipient"),
    ("to [1.2.3]:25", "451 4.3.5 No route for a recipient"),
    ("to a.test b.test:99999", "451 4.3.5 No route for a recipient"),
    ("wait 10; to nowhere.test", "451 4.3.5 No route for a recipient"),
    ("tempfail 450 4.7.1 table is gone", "450 4.7.1 table is gone"),
    ("reject 550 5.7.1 never", "451 4.3.5 No route for a recipient"),
    ("verdict 42", "451 4.3.0 "),
    ("nothing", "451 4.3.0 "),
])
def test_what_is_no_route_refuses_the_message(rig, steps, reply):
    server, usual, other = rig(route="if rcpt y@b.test; " + steps)
    assert refused(server, "x@b.test", "y@b.test").startswith(reply)
    server.wait_log(r"no route for <y@b\.test> by puppet: ")
    server.wait_log(r"Message aborted MID \d+ Rejected by puppet")
    assert server.cli_json("queue", "list") == []
    deliver(server, "x@b.test")
    usual.wait(1)
    assert not other.messages


def test_a_thousand_recipients_are_asked_about(rig):
    server, usual, other = rig(route=NAMED)
    rcpts = ["r%d@%s.test" % (i, "bc"[i % 2]) for i in range(1000)]
    deliver(server, *rcpts)
    base.wait_for(lambda: sum(len(m.recipients) for m in other.messages) ==
                  500 and sum(len(m.recipients) for m in usual.messages) ==
                  500, server.tail)
    assert all(r.endswith("@b.test")
               for m in other.messages for r in m.recipients)
