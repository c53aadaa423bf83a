"""STARTTLS at the listener: what surrounds it must not leak into it."""

import base64
import os

import pytest

from lib import base, client

pytestmark = pytest.mark.sanitizer


def test_commands_pipelined_behind_starttls_are_discarded(standing):
    relay, _ = standing
    with relay.client() as peer:
        peer.ehlo()
        peer.send(b"STARTTLS\r\nMAIL FROM:<evil@client.test>\r\n"
                  b"RCPT TO:<b@next.test>\r\n")
        assert peer.reply().startswith("220")
        try:
            peer.handshake()
        except OSError:
            return              # the session was ended: as good
        assert peer.silent(0.3), peer.pending
        peer.ehlo()
        peer.expect("RCPT TO:<b@next.test>", 503)


def test_what_was_said_before_tls_is_forgotten(standing):
    relay, _ = standing
    with relay.client() as peer:
        peer.start().mail("a@client.test", "b@next.test")
        peer.starttls()
        peer.expect("DATA", 503)
        peer.expect("MAIL FROM:<a@client.test>", 503)
        assert "STARTTLS" not in peer.ehlo()
        peer.expect("RCPT TO:<b@next.test>", 503)
        peer.expect("STARTTLS", 503)


def test_mail_under_tls_says_so_in_its_received_field(standing):
    relay, sink = standing
    before = len(sink.messages)
    with relay.client() as peer:
        peer.ehlo()
        peer.starttls()
        peer.start().deliver("a@client.test", ["b@next.test"],
                             client.message())
    field = sink.wait(before + 1)[before].header("Received")
    assert "using TLSv1.3 with cipher TLS_AES_" in field
    assert "/256 bits)" in field or "/128 bits)" in field
    assert "with ESMTPS id" in " ".join(field.split())


def test_starttls_takes_no_parameter(standing):
    relay, _ = standing
    with relay.client() as peer:
        peer.ehlo()
        peer.expect("STARTTLS now", 501)
        peer.starttls()


def test_garbage_instead_of_a_handshake_ends_only_that_session(standing):
    relay, _ = standing
    with relay.client() as peer:
        peer.ehlo()
        peer.expect("STARTTLS", 220)
        peer.send(b"\x00" * 500)
        peer.wait_closed()
    with relay.client() as peer:
        peer.ehlo()


def test_a_listener_that_requires_tls_takes_no_mail_in_clear(relay, sink):
    server = relay(sink.port, {"listener": {"inbound": {
        "tls": "required"}}})
    with server.client() as peer:
        peer.ehlo()
        assert peer.cmd("MAIL FROM:<a@client.test>").startswith("530")
        peer.starttls()
        peer.start().deliver("a@client.test", ["b@next.test"],
                             client.message())
    sink.wait(1)


def test_a_listener_without_tls_offers_none(relay, sink):
    server = relay(sink.port, {"listener": {"inbound": {
        "tls": "none", "cert": None, "key": None}}})
    with server.client() as peer:
        assert "STARTTLS" not in peer.ehlo()
        assert peer.cmd("STARTTLS")[0] == "5"


def test_a_user_may_relay_with_the_right_password_inside_tls(relay, sink):
    server = relay(sink.port)
    coded = base.run(["openssl", "passwd", "-6", "secret"]).text.strip()
    users = server.add_file("users", "anna:%s\n" % coded)
    os.chmod(users, 0o644)
    server.stop()
    server.write_config({"relay": {"networks": ["192.0.2.1/32"],
                                   "users": users}})
    server.start()
    with server.client() as peer:
        peer.ehlo()
        peer.starttls()
        assert "AUTH PLAIN LOGIN" in peer.ehlo()
        peer.expect("AUTH PLAIN " + plain("anna", "wrong"), 535)
        peer.expect("AUTH PLAIN " + plain("otto", "secret"), 535)
        peer.expect("AUTH PLAIN " + plain("anna", "secret"), 235)
        peer.deliver("a@client.test", ["b@next.test"], client.message())


def plain(user, password):
    return base64.b64encode(
        ("\0%s\0%s" % (user, password)).encode()).decode()
