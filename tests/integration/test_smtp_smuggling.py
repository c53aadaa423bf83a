"""End of data is CR LF dot CR LF and nothing else (CVE-2023-51764 ff.)."""

import pytest

from lib import client

pytestmark = pytest.mark.sanitizer

FALSE_ENDS = [
    b"\n.\n", b"\n.\r\n", b"\n.\r", b"\r.\r", b"\r.\r\n", b"\r.\n",
    b"\r\n.\r", b"\r\n.\n", b"\n\n.\r\n", b"\r\r.\r\n", b"\r\n\n.\r\n",
    b"\r\n.\r\r\n", b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\n.\n\r\n",
    b"\r\n\r.\r\n", b"\n\r.\r\n",
]

SMUGGLED = (b"MAIL FROM:<evil@client.test>\r\nRCPT TO:<victim@next.test>\r\n"
            b"DATA\r\nSubject: smuggled\r\n\r\nboo\r\n.\r\n")


@pytest.mark.parametrize("end", FALSE_ENDS, ids=repr)
def test_a_false_end_of_data_neither_ends_nor_leaves(standing, end):
    relay, sink = standing
    before = len(sink.messages)
    with relay.client() as peer:
        peer.start().mail("a@client.test", "b@next.test")
        peer.expect("DATA", 354)
        peer.send(client.message(body="x") + end + SMUGGLED)
        answer = peer.reply()
        assert answer.startswith("550"), answer
        assert peer.silent(0.2), peer.pending
        peer.expect("NOOP", 250)
    assert len(sink.messages) == before


@pytest.mark.parametrize("end", FALSE_ENDS, ids=repr)
def test_a_false_end_in_pieces_is_none_either(standing, end):
    relay, sink = standing
    before = len(sink.messages)
    data = client.message(body="x") + end + SMUGGLED
    middle = data.index(end + SMUGGLED)
    with relay.client() as peer:
        peer.start().mail("a@client.test", "b@next.test")
        peer.expect("DATA", 354)
        peer.send(data, range(middle, middle + len(end) + 1), pause=0.01)
        assert peer.reply().startswith("550")
        peer.expect("NOOP", 250)
    assert len(sink.messages) == before


@pytest.mark.parametrize("body", [b"a\nb", b"a\rb", b"a\0b", b"\ra", b"a\n"],
                         ids=repr)
def test_bare_cr_lf_and_nul_are_refused_with_bdat_too(standing, body):
    relay, sink = standing
    before = len(sink.messages)
    text = client.message(body="") + body + b"\r\n"
    with relay.client() as peer:
        peer.start().mail("a@client.test", "b@next.test")
        peer.send(b"BDAT %d LAST\r\n" % len(text) + text)
        assert peer.reply().startswith("550")
        peer.expect("NOOP", 250)
    assert len(sink.messages) == before


def test_normalizing_makes_every_line_end_crlf(relay, sink):
    server = relay(sink.port, {"limits": {
        "bare_newlines": "normalize"}})
    with server.client() as peer:
        peer.start().mail("a@client.test", "b@next.test")
        peer.expect("DATA", 354)
        peer.send(client.message(body="one\ntwo\rthree") + b"\n.\n" +
                  b"four\r\n.\r\n")
        assert peer.reply().startswith("250")
    got = sink.wait(1)[0]
    assert got.body().startswith(b"one\r\ntwo\r\nthree\r\n.\r\nfour\r\n")
    assert b"\n" not in got.raw.replace(b"\r\n", b"")


def test_the_final_dot_may_come_in_pieces(standing):
    relay, sink = standing
    before = len(sink.messages)
    with relay.client() as peer:
        peer.start().mail("a@client.test", "b@next.test")
        peer.expect("DATA", 354)
        text = client.message() + b".\r\n"
        peer.send(text, range(len(text) - 6, len(text)), pause=0.02)
        assert peer.reply().startswith("250")
    sink.wait(before + 1)
