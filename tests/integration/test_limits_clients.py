"""Limits that keep one client from taking everything."""

import pytest

from lib import base, client

pytestmark = pytest.mark.sanitizer

STRANGER = "127.88.0.3"
STRANGERS = {"relay": {"networks": ["127.0.0.1/32"],
                       "domains": ["next.test"]}}


def limited(relay, sink, **limits):
    return relay(sink.port, dict(STRANGERS, limits=limits))


def test_connections_of_one_stranger_are_counted(relay, sink):
    server = limited(relay, sink, client_connections=3)
    held = [server.client(source=STRANGER) for _ in range(3)]
    with client.Client("127.0.0.1", server.port, source=STRANGER) as peer:
        assert peer.banner[:3] in ("421", "554")
        peer.wait_closed()
    with server.client(source="127.88.0.4") as peer:
        peer.ehlo()
    held[0].quit()

    def again():
        with client.Client("127.0.0.1", server.port,
                           source=STRANGER) as peer:
            return peer.banner.startswith("220")
    base.wait_for(again, "room for one more")


def test_connections_a_minute_are_counted(relay, sink):
    server = limited(relay, sink, client_rate=5)
    codes = []
    for _ in range(8):
        with client.Client("127.0.0.1", server.port,
                           source=STRANGER) as peer:
            codes.append(peer.banner[:3])
    assert codes[:5] == ["220"] * 5 and codes[-1] in ("421", "554")


def test_messages_of_a_session_are_counted(relay, sink):
    server = limited(relay, sink, messages=2)
    with server.client() as peer:
        peer.ehlo()
        for _ in range(2):
            peer.deliver("a@client.test", ["b@next.test"], client.message())
        assert peer.cmd("MAIL FROM:<a@client.test>")[:3] in ("421", "451",
                                                             "452")


def test_an_idle_client_is_sent_away(relay, sink):
    server = limited(relay, sink, idle_timeout="1s")
    with server.client() as peer:
        peer.ehlo()
        assert peer.reply().startswith("421")
        peer.wait_closed()


def test_a_client_that_dribbles_a_message_is_sent_away(relay, sink):
    server = limited(relay, sink, data_timeout="1s")
    with server.client() as peer:
        peer.start().mail("a@client.test", "b@next.test")
        peer.expect("DATA", 354)
        peer.send(b"Subject: slow\r\n")
        assert peer.wait_closed()[:3] in (b"", b"421", b"451")
    assert not sink.messages


def test_a_header_beyond_its_limit_is_refused(relay, sink):
    server = limited(relay, sink, header_size=4000)
    with server.client() as peer:
        peer.start().mail("a@client.test", "b@next.test")
        answer = peer.data(client.message(extra="X: %s\r\n" % ("y" * 60)
                                          * 100))
        assert answer.startswith("552"), answer
        peer.deliver("a@client.test", ["b@next.test"],
                     client.message(body="z" * 70 + "\r\n" * 100))
    sink.wait(1)


def test_too_many_refused_recipients_end_the_session(relay, sink):
    server = limited(relay, sink, refused_recipients=5)
    with server.client(source=STRANGER) as peer:
        peer.start().mail("a@client.test")
        codes = [peer.cmd("RCPT TO:<r%d@far.test>" % number)[:3]
                 for number in range(6)]
    assert codes[0] == "550" and codes[-1] == "421"


def test_a_client_that_reads_no_replies_is_no_burden(relay, sink):
    server = limited(relay, sink)
    with client.Client("127.0.0.1", server.port) as deaf:
        deaf.sock.settimeout(1)
        try:
            for _ in range(2000):
                deaf.sock.sendall(b"EHLO client.test\r\n" * 100)
        except OSError:
            pass
        with server.client() as peer:
            peer.start().deliver("a@client.test", ["b@next.test"],
                                 client.message())
    sink.wait(1)
