"""Plugins on the way out: before a message is sent, what TLS a next hop needs,
and the reports of what became of it."""

import os
import re

import pytest

from lib import base
from lib.client import message

PLUGINS = os.path.join(os.path.dirname(base.POSTERN_BIN), "tests", "plugins")
FACTS = ("deliver.hop deliver.attempt deliver.code deliver.status "
         "deliver.reason rcpt.index rcpt sender message.rcpts")
LATER = {"bounce_profile": {"default": {"first_retry": "1h",
                                        "max_retry": "1h"}}}


def config(**steps):
    return dict(LATER, plugin_dirs=[PLUGINS], plugin={"puppet": steps})


def deliver(server, *rcpts, sender="a@a.test"):
    with server.client() as c:
        assert c.start().deliver(sender, list(rcpts), message())


def deferred(server, rcpt):
    def rows():
        return [row for row in server.cli_json("queue", "list")
                if row["rcpt"] == rcpt and row["reason"]]
    return base.wait_for(rows, server.tail)[0]


@pytest.mark.parametrize("wait", ["", "wait 10; "])
def test_a_message_is_put_off_with_the_plugins_words(relay, sink, wait):
    server = relay(sink.port, config(
        deliver=wait + "if rcpt b@b.test; tempfail 450 4.7.1 not before noon"))
    deliver(server, "b@b.test")
    assert "not before noon" in deferred(server, "b@b.test")["reason"]
    deliver(server, "c@c.test")
    assert sink.wait()[0].recipients == ["c@c.test"]
    assert len(sink.messages) == 1


@pytest.mark.parametrize("wait", ["", "wait 10; "])
def test_a_message_is_given_back_with_the_plugins_words(relay, sink, wait):
    server = relay(sink.port, config(
        deliver=wait + "if rcpt b@b.test; reject 550 5.7.1 not from here"))
    deliver(server, "b@b.test")
    report = sink.wait()[0]
    assert report.sender == "" and report.recipients == ["a@a.test"]
    assert b"not from here" in report.data and b"Status: 5.7.1" in report.data
    base.wait_for(lambda: server.cli_json("queue", "list") == [],
                  server.tail)


@pytest.mark.parametrize("steps", ["wait 10", "accept", "wait 5; accept"])
def test_a_yes_lets_it_go(relay, sink, steps):
    server = relay(sink.port, config(deliver=steps))
    deliver(server, "b@b.test", "c@b.test")
    assert sink.wait()[0].recipients == ["b@b.test", "c@b.test"]


@pytest.mark.parametrize("steps", ["verdict 42", "nothing", "discard"])
def test_what_is_no_answer_puts_it_off(relay, sink, steps):
    server = relay(sink.port, config(deliver="if rcpt b@b.test; " + steps))
    deliver(server, "b@b.test")
    deferred(server, "b@b.test")
    assert not sink.messages


def test_a_plugin_that_does_not_answer_in_time_puts_it_off(relay, sink):
    server = relay(sink.port, config(deliver="park 0", timeout="200ms"))
    deliver(server, "b@b.test")
    deferred(server, "b@b.test")
    assert not sink.messages


def test_tls_raised_before_sending_is_never_done_without(relay, sink):
    server = relay(sink.port, config(
        deliver="if rcpt b@b.test; set deliver.tls required"))
    deliver(server, "b@b.test")
    row = deferred(server, "b@b.test")
    assert row["tls_reason"] == "starttls-not-supported"
    deliver(server, "c@b.test")
    assert sink.wait()[0].recipients == ["c@b.test"]
    assert len(sink.messages) == 1


def test_a_route_set_before_sending_is_taken(relay, make_sink):
    usual, other = make_sink(), make_sink()
    server = relay(usual.port, dict(config(
        deliver="if rcpt b@b.test; set deliver.route partner.test"),
        route={"partner.test": {"hosts": ["127.0.0.1:%d" % other.port]}}))
    deliver(server, "b@b.test")
    deliver(server, "c@c.test")
    assert other.wait()[0].recipients == ["b@b.test"]
    assert usual.wait()[0].recipients == ["c@c.test"]
    assert len(usual.messages) == len(other.messages) == 1


def test_recipients_with_tls_and_route_of_their_own_go_apart(relay, make_sink):
    usual, other = make_sink(), make_sink()
    server = relay(usual.port, dict(LATER, plugin_dirs=[PLUGINS], plugin={
        ("puppet", "router"): {
            "rcpt": "if rcpt b@b.test; set rcpt.route partner.test"},
        ("puppet", "guard"): {
            "rcpt": "if rcpt c@b.test; set rcpt.tls required"}},
        route={"partner.test": {"hosts": ["127.0.0.1:%d" % other.port]}}))
    deliver(server, "a@b.test", "b@b.test", "c@b.test", "d@b.test")
    assert other.wait()[0].recipients == ["b@b.test"]
    assert usual.wait()[0].recipients == ["a@b.test", "d@b.test"]
    row = deferred(server, "c@b.test")
    assert row["tls_reason"] == "starttls-not-supported"
    assert len(usual.messages) == len(other.messages) == 1


def report_of(server, hook, rcpt):
    """The facts of a report that the plugin wrote to the log."""
    line = server.wait_log(r"puppet: .*\b%s .*rcpt=%s\b" % (
        hook, re.escape(rcpt)))[0].string
    return dict(re.findall(r"([\w.]+)=(\S*)", line))


def test_each_fate_is_reported_with_its_facts(relay, sink):
    sink.fault("rcpt", "550 5.1.1 nobody", when="bounced@")
    sink.fault("rcpt", "450 4.2.0 busy", when="later@")
    server = relay(sink.port, config(log=FACTS))
    deliver(server, "good@b.test", "bounced@b.test", "later@b.test")
    got = report_of(server, "delivered", "good@b.test")
    assert got["deliver.hop"] == "route:*", got
    assert got["deliver.attempt"] == "1" and got["deliver.code"] == "250"
    assert got["sender"] == "a@a.test" and got["rcpt.index"] == "0"
    got = report_of(server, "bounced", "bounced@b.test")
    assert (got["deliver.code"], got["deliver.status"]) == ("550", "5.1.1")
    got = report_of(server, "deferred", "later@b.test")
    assert (got["deliver.code"], got["deliver.status"]) == ("450", "4.2.0")
    assert "deliver.reason" not in got
    server.wait_log(r"puppet: .*\bqueued sender=a@a\.test message\.rcpts=3")


def test_the_hop_of_a_report_is_named_without_its_tls(relay, sink):
    server = relay(sink.port, config(log=FACTS,
                                     rcpt="set rcpt.tls required"))
    deliver(server, "b@b.test")
    got = report_of(server, "deferred", "b@b.test")
    server.wait_log(r"puppet: .*deferred deliver\.hop=route:\* deliver\.att")
    assert got["deliver.reason"] == "starttls-not-supported"


# What a plugin wants of a next hop

class Hop:
    """Mail by MX, to a sink without TLS."""

    def __init__(self, relay, sink):
        self.relay, self.sink = relay, sink

    def start(self, **steps):
        zone = ("b.test. MX 10 mx1.b.test.\nb.test. MX 20 mx2.b.test.\n"
                "mx1.b.test. A 127.0.0.1\nmx2.b.test. A 127.0.0.1\n")
        folder = base.private_dir("zone")
        records = base.write_file(folder + "/records", zone)
        os.chmod(folder, 0o755)
        os.chmod(records, 0o644)
        self.server = self.relay(None, dict(
            config(**steps), dns={"records": records},
            delivery={"port": self.sink.port, "timeouts": 3}))
        return self.server


@pytest.fixture
def hop(relay, sink):
    return Hop(relay, sink)


def test_who_decides_sees_the_hosts(hop):
    server = hop.start(decide="hop")
    deliver(server, "x@b.test")
    hop.sink.wait()
    server.wait_log(r"puppet: .*hop b\.test mx1\.b\.test=no mx2\.b\.test=no")


@pytest.mark.parametrize("wait", ["", "wait 10; "])
def test_what_is_decided_is_done(hop, wait):
    server = hop.start(decide=wait + "want required; source dane")
    deliver(server, "x@b.test")
    row = deferred(server, "x@b.test")
    assert row["tls_reason"] == "starttls-not-supported"
    assert not hop.sink.messages


@pytest.mark.parametrize("steps", [
    "want nonsense", "want required match=nonsense", "tempfail 451 4.7.0 gone",
    "verdict 42", "nothing", "park 0"])
def test_without_a_usable_policy_nothing_is_sent(hop, steps):
    server = hop.start(decide=steps, timeout="300ms")
    deliver(server, "x@b.test")
    assert deferred(server, "x@b.test")["tls_reason"] == "policy"
    assert not hop.sink.messages
    assert not any("MAIL" in line for _, line in hop.sink.commands)
