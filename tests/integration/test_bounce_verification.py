"""Tags of senders (BATV): put on where a destination says so, taken off what
comes back."""

import re

import pytest

from lib import client

TAG = re.compile(r"prvs=1\d{3}[0-9a-f]{6}=jo@ours\.test")


@pytest.fixture
def start(relay, sink, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("1 a secret of ours\n")

    def run(**more):
        # 127.0.0.1 is a stranger, 127.0.0.2 one of us.
        return relay(sink.port, {
            "relay": dict({"networks": ["127.0.0.2"],
                           "domains": ["ours.test"]}, **more),
            "delivery": {"bounce_keys": str(keys)},
            "destination": {"tagged.test": {"bounce_verification": "on"}}})
    return run


def send(server, sender, rcpts):
    with server.client(source="127.0.0.2") as peer:
        peer.ehlo()
        peer.deliver(sender, rcpts, client.message("out"))


def senders(sink):
    return {message.recipients[0]: message.sender
            for message in list(sink.messages)}


def tagged_sender(server, sink):
    send(server, "jo@ours.test", ["a@tagged.test"])
    sink.wait(1)
    return senders(sink)["a@tagged.test"]


def test_senders_of_ours_are_tagged_for_that_destination_only(start, sink):
    server = start()
    send(server, "jo@ours.test", ["a@tagged.test", "b@plain.test"])
    send(server, "jo@theirs.test", ["c@tagged.test"])
    send(server, "", ["d@tagged.test"])
    sink.wait(4)
    came = senders(sink)
    assert TAG.fullmatch(came["a@tagged.test"]), came
    assert came["b@plain.test"] == "jo@ours.test"
    assert came["c@tagged.test"] == "jo@theirs.test"
    assert came["d@tagged.test"] == ""


def test_a_report_to_a_tagged_address_goes_to_the_one_behind_it(start, sink):
    server = start(untagged_bounces="refuse")
    tag = tagged_sender(server, sink)
    with server.client() as peer:
        peer.ehlo()
        peer.deliver("", [tag.upper().replace("OURS.TEST", "ours.test")],
                     client.message("report"))
    sink.wait(2)
    assert sink.messages[1].recipients == ["JO@ours.test"]
    server.wait_log(r"To: <JO@ours\.test>")


def test_reports_about_mail_that_was_not_ours_are_refused(start, sink):
    server = start(untagged_bounces="refuse")
    tag = tagged_sender(server, sink)
    last = tag[14]
    forged = tag[:14] + ("0" if last != "0" else "1") + tag[15:]
    with server.client() as peer:
        peer.ehlo()
        peer.expect("MAIL FROM:<>", 250)
        peer.expect("RCPT TO:<%s>" % forged, 550)
        peer.expect("RCPT TO:<jo@ours.test>", 550)
        peer.expect("RCPT TO:<postmaster@ours.test>", 250)
        peer.expect("RSET", 250)
        peer.expect("MAIL FROM:<x@theirs.test>", 250)
        peer.expect("RCPT TO:<jo@ours.test>", 250)
    server.wait_log("Rejected by bounce verification", 2)


def test_untagged_reports_are_taken_unless_it_is_said_otherwise(start, sink):
    server = start()
    with server.client() as peer:
        peer.ehlo()
        peer.deliver("", ["jo@ours.test"], client.message("report"))
    sink.wait(1)
    assert sink.messages[0].recipients == ["jo@ours.test"]
