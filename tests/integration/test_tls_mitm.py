"""A router on the way that reads and changes the session (S4-1), by level.

Behind it is a sink with nothing wrong about it.
"""

import signal

import pytest

from lib import base, certs, client, mitm, postern, tlsmatrix
from lib.postern_sink import PosternSink
from lib.tlsmatrix import CLEAR, CLEAR2, LEVELS, NOTHING, TLS

# What it does, what that is like in the matrix, and the word of the failure.
LIKE = [
    ("strip", "nostarttls", "starttls-not-supported"),
    ("mask", "xxxx", "starttls-blocked"),
    ("refuse", "st554", "starttls-refused"),
    ("defer", "st454", "starttls-refused"),
    ("drop", "st-drop", "starttls-blocked"),
    ("swap", "self", "self-signed"),
    ("inject", "220-inject", "starttls-injection"),
    ("answer", "220-inject", "starttls-injection"),
    ("cut:0", "220-reset", "reset"),
    ("cut:1", "220-reset", "reset"),
    ("cut:5", "220-reset", "reset"),
    ("cut:100", "220-reset", "reset"),
    ("cut:600", "220-reset", "reset"),
    ("flip:0", "220-garbage", None),
    ("flip:2", "good", None),       # a version that is there for show
    ("flip:60", "220-garbage", None),
    ("flip:200", "220-garbage", None),
    ("hold:0", "220-hang", "starttls-blocked"),
    ("hold:100", "220-hang", "timeout"),
]


class Rig:
    def __init__(self):
        self.sink = PosternSink(listen=["name=%s.test" % level
                                        for level in LEVELS])
        self.pair = certs.make(base.private_dir("middle"),
                               "required-verify.test")
        self.middles, self.relay = {}, None

    def start(self):
        for how, _, _ in LIKE:
            for level, port in zip(LEVELS, self.sink.ports):
                self.middles[how, level] = mitm.Middle(
                    ("127.0.0.1", port), how, self.pair)
        self.relay = postern.Postern(None, self.config()).start()
        with self.relay.client() as peer:
            peer.start()
            for how, level in self.middles:
                peer.deliver("a@client.test", ["b@" + domain(how, level)],
                             client.message("secret"))
            peer.quit()
        return self

    def config(self):
        return {
            "delivery": {"ca_file": self.sink.ca, "timeouts": 3},
            "bounce_profile": {"default": {
                "first_retry": "1h", "max_retry": "1h"}},
            "destination": {domain(how, level): {
                "tls": named(level)} for how, level in self.middles},
            "route": {domain(how, level): {
                "hosts": ["127.0.0.1:%d" % each.port]}
                for (how, level), each in self.middles.items()}}

    def messages(self, where):
        return [each for each in self.sink.messages()
                if each["to"] == ["b@" + where]]

    def deferred(self, where):
        return [row for row in self.relay.cli_json("queue", "list")
                if row["rcpt"] == "b@" + where and row["reason"]]

    def close(self):
        try:
            if self.relay is not None:
                self.relay.close()
        finally:
            for each in self.middles.values():
                each.close()
            self.sink.close()


def domain(how, level):
    return "%s.%s.test" % (how.replace(":", "-"), level)


def named(level):
    """The certificate behind the middle is for LEVEL.test."""
    return "%s names=%s.test" % (level, level) \
        if level in tlsmatrix.VERIFIED else level


@pytest.fixture(scope="module")
def rig():
    made = Rig()
    try:
        yield made.start()
    finally:
        made.close()


def said_in_clear(middle):
    return {"MAIL", "RCPT", "DATA", "BDAT", "AUTH"} & set(middle.commands())


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("how, like, word", LIKE,
                         ids=[how for how, _, _ in LIKE])
def test_the_middle_gets_no_more_than_the_level_lets_it(rig, how, like, word,
                                                        level):
    middle, where = rig.middles[how, level], domain(how, level)
    outcome = tlsmatrix.outcome(like, level)
    question = rig.deferred if outcome == NOTHING else rig.messages
    found = base.wait_for(lambda: question(where), lambda: "%s\n%s" % (
        where, rig.relay.tail()))
    middle.wait_links(1)
    for link in middle.links:
        assert b"secret" not in link.sealed and b"MAIL" not in link.sealed
    if outcome == NOTHING:
        assert rig.messages(where) == []
        assert b"secret" not in middle.read_clear()
        assert b"client.test" not in middle.read_clear()
        assert not said_in_clear(middle)
        if word is not None:
            assert found[0]["tls_reason"] == word
    elif outcome in (CLEAR, CLEAR2):
        assert b"secret" in middle.read_clear()
        assert found[0]["tls"] is None
    else:
        assert outcome == TLS and not said_in_clear(middle)


@pytest.fixture
def between(makers, tmp_path):
    """A sink for next.test, a middle that only looks, and its certificate."""
    sink = makers.add(PosternSink("--cert-name", "next.test"))
    pair = certs.make(str(tmp_path), "next.test")
    middle = makers.add(mitm.Middle(("127.0.0.1", sink.port), "pass", pair))
    return sink, middle


def deliver(server, number):
    with server.client() as peer:
        peer.start().deliver("a@client.test", ["b@next.test"],
                             client.message("secret", ident="%d@x" % number))


def behind(relay, sink, middle, want):
    return relay(None, {
        "workers": 1, "destination": {"next.test": {"tls": want}},
        "route": {"next.test": {"hosts": ["127.0.0.1:%d" % middle.port]}},
        "delivery": {"ca_file": sink.ca, "idle": "0s",
                     "host_backoff": "100ms", "host_backoff_max": "300ms"},
        "bounce_profile": {"default": {
            "first_retry": "200ms", "max_retry": "400ms"}}})


@pytest.mark.parametrize("want", ["required-verify", "forced"])
def test_a_session_with_the_host_is_none_with_the_middle(relay, between,
                                                         want):
    sink, middle = between
    server = behind(relay, sink, middle, want)
    deliver(server, 1)
    deliver_until_resumed(server, sink)
    # The same address, and now somebody else behind it.
    middle.how = "swap"
    count = len(sink.messages())
    deliver(server, 99)
    server.wait_log("Delayed: .*reason: self-signed", count=2)
    assert len(sink.messages()) == count
    assert not any(link.opened for link in middle.links)
    assert b"secret" not in middle.read_clear()
    middle.how = "pass"
    told = sink.wait_messages(count + 1)
    assert told[count]["tls"] is not None
    server.wait_empty()


def deliver_until_resumed(server, sink):
    """What came before the middle woke up was kept for later."""
    def resumed():
        count = len(sink.messages())
        deliver(server, count + 1)
        return sink.wait_messages(count + 1)[count]["tls"]["resumed"]
    base.wait_for(resumed, "a resumed session")


def test_a_middle_that_was_there_first_is_not_resumed_later(relay, between):
    """Under `required` anybody will do; a stronger want asks again."""
    sink, middle = between
    middle.how = "swap"
    server = behind(relay, sink, middle, "required")
    deliver(server, 1)
    sink.wait_messages(1)
    server.wait_empty()
    server.write_config({"destination": {
        "next.test": {"tls": "required-verify"}}})
    server.signal(signal.SIGHUP)
    base.wait_for(lambda: refused(server, sink), "the new settings")
    count = len(sink.messages())
    server.wait_log("Delayed: .*reason: self-signed", count=3)
    assert len(sink.messages()) == count
    middle.how = "pass"
    sink.wait_messages(count + 1)
    server.wait_empty()


def refused(server, sink):
    """Is one more message not delivered?"""
    count = len(sink.messages())
    deliver(server, count + 1)
    return base.wait_for(
        lambda: len(sink.messages()) > count and "taken" or
        any("TLS was required" in line for line in server.log_lines()) and
        "refused", "a delivery or a failure") == "refused"
