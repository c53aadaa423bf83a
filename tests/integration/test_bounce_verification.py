"""Tags of senders (BATV): put on where a destination says so, taken off what
comes back."""

import re

import pytest

from lib import base, client

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


@pytest.fixture
def by_table(relay, sink, tmp_path):
    """What is ours is known from the recipient access table alone."""
    keys = tmp_path / "keys"
    keys.write_text("1 a secret of ours\n")

    def run(table, **more):
        return relay(sink.port, {
            "relay": dict({"networks": ["127.0.0.2"]}, **more),
            "recipient_access": table,
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


def forge(tag):
    return tag[:14] + ("0" if tag[14] != "0" else "1") + tag[15:]


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
    forged = forge(tag)
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


def test_what_the_recipient_access_table_takes_is_tagged(by_table, sink):
    server = by_table({
        "ours.test": {}, ".below.test": {}, "jo@one.test": {},
        "some.test": {"listeners": ["inbound"]},
        "no@ours.test": {"access": "reject"},
        "theirs.test": {"access": "reject"}, "abuse@": {"access": "reject"},
        "ALL": {"access": "reject"}})
    tagged = ["jo@ours.test", "jo@x.below.test", "Jo@one.test",
              "jo@some.test", "no@ours.test"]
    plain = ["jo@below.test", "di@one.test", "jo@theirs.test",
             "abuse@else.test", "ALL@else.test"]
    for sender in tagged + plain:
        send(server, sender, ["a@tagged.test"])
    sink.wait(len(tagged + plain))
    came = [message.sender for message in list(sink.messages)]
    assert sorted(s for s in came if not s.startswith("prvs=")) == \
        sorted(plain)
    assert sorted(s.split("=", 2)[2] for s in came
                  if s.startswith("prvs=")) == sorted(tagged)


@pytest.mark.parametrize("entry", ["ours.test", "jo@ours.test"])
def test_reports_are_verified_by_the_recipient_access_table(by_table, sink,
                                                            entry):
    server = by_table({entry: {}}, untagged_bounces="refuse")
    tag = tagged_sender(server, sink)
    with server.client() as peer:
        peer.ehlo()
        peer.expect("MAIL FROM:<>", 250)
        peer.expect("RCPT TO:<%s>" % forge(tag), 550)
        peer.expect("RCPT TO:<jo@ours.test>",
                    "550 5.7.1 This report is not about a message of ours")
        peer.expect("RCPT TO:<jo@theirs.test>", "550 5.7.1 Relaying denied")
        peer.expect("RSET", 250)
        peer.deliver("", [tag], client.message("report"))
    sink.wait(2)
    assert sink.messages[1].recipients == ["jo@ours.test"]


def test_forged_tags_are_refused_where_untagged_reports_are_not(by_table,
                                                                sink):
    server = by_table({"ours.test": {}})
    tag = tagged_sender(server, sink)
    with server.client() as peer:
        peer.ehlo()
        peer.expect("MAIL FROM:<>", 250)
        peer.expect("RCPT TO:<%s>" % forge(tag), "550 5.7.1 This report's "
                    "address is not or no longer one of ours")
        peer.expect("RCPT TO:<jo@ours.test>", 250)


def test_a_report_to_somebody_who_is_rejected_now_is_refused(by_table, sink):
    server = by_table({"ours.test": {}, "jo@ours.test": {
        "access": "reject", "text": "Left us"}})
    tag = tagged_sender(server, sink)
    with server.client() as peer:
        peer.ehlo()
        peer.expect("MAIL FROM:<>", 250)
        peer.expect("RCPT TO:<%s>" % tag, "550 5.7.1 Left us")
    server.wait_log("Rejected by RAT")


def test_reports_are_verified_where_the_store_has_the_table(by_table, sink):
    server = by_table({}, untagged_bounces="refuse")
    base.run([base.POSTERN_BIN, "listenerconfig", "-c", server.conf_file,
              "rcptaccess", "new", "ours.test", "listeners=inbound"])
    base.run([base.POSTERN_BIN, "commit", "-c", server.conf_file, "table"])
    tag = tagged_sender(server, sink)
    with server.client() as peer:
        peer.ehlo()
        peer.expect("MAIL FROM:<>", 250)
        peer.expect("RCPT TO:<jo@ours.test>", 550)
        peer.expect("RCPT TO:<%s>" % tag, 250)
