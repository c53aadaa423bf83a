"""Strangers may send to listed domains only, however they write it."""

import pytest

from lib import client

pytestmark = pytest.mark.sanitizer

STRANGER = "127.77.0.9"


@pytest.fixture(scope="module")
def strict(standing):
    """The relay of this file trusts 127.0.0.1 and knows ours.test."""
    relay, sink = standing
    relay.write_config({
        "postmaster": "admin@ours.test",
        "relay": {"networks": ["127.0.0.1/32"],
                  "domains": ["ours.test", ".sub.test"]}})
    relay.stop()
    relay.start()
    return relay, sink


@pytest.mark.parametrize("recipient", [
    "user@far.test", "user%far.test@relay.test", "far.test!user@relay.test",
    "user%far.test@[127.0.0.1]", '"user@far.test"', '"user%far.test"',
    "user@far.test@relay.test", '"user@far.test"@relay.test',
    "user@[127.0.0.1]", "user@[192.0.2.1]", "@ours.test:user@far.test",
    "@relay.test,@ours.test:user@far.test", "user%far.test",
    "far.test!user", "user@far.test.", "user@ours.test.far.test",
    "user@xours.test", "user@localhost", "user@sub.test",
    "user%far.test@ours.test", "far.test!user@ours.test",
    '"user@far.test"@ours.test', "user@OURS.TEST.far", "user@far.test@ours.test", "user@",
])
@pytest.mark.parametrize("sender", ["a@client.test", "", "a@relay.test",
                                    "a@ours.test", "a@[127.0.0.1]"])
def test_a_stranger_cannot_relay_to(strict, sender, recipient):
    relay, sink = strict
    with relay.client(source=STRANGER) as peer:
        peer.ehlo()
        if not peer.cmd("MAIL FROM:<%s>" % sender).startswith("250"):
            return
        answer = peer.cmd("RCPT TO:<%s>" % recipient)
        assert answer[:3] in ("550", "551", "553", "554", "501"), answer
        peer.expect("DATA", "5")
    assert not sink.messages


@pytest.mark.parametrize("recipient", [
    "user@ours.test", "user@OURS.Test", "user@deep.sub.test", "postmaster"])
def test_a_stranger_may_send_to(strict, recipient):
    relay, _ = strict
    with relay.client(source=STRANGER) as peer:
        peer.ehlo()
        peer.expect("MAIL FROM:<a@client.test>", 250)
        peer.expect("RCPT TO:<%s>" % recipient, 250)


def test_a_listed_network_may_send_anywhere(strict):
    relay, _ = strict
    with relay.client() as peer:
        peer.start().mail("a@client.test", "user@far.test")


def test_the_mail_log_names_who_was_refused(strict):
    relay, _ = strict
    with relay.client(source=STRANGER) as peer:
        peer.ehlo()
        peer.expect("MAIL FROM:<a@client.test>", 250)
        peer.expect("RCPT TO:<seen@far.test>", 550)
    relay.wait_log(r"MID \d+ ICID \d+ To: <seen@far.test> Rejected by ")


def test_nothing_configured_means_loopback_only(relay, sink):
    server = relay(sink.port, {"relay": None})
    with server.client() as peer:
        peer.start().deliver("a@client.test", ["b@far.test"],
                             client.message())
    sink.wait(1)
