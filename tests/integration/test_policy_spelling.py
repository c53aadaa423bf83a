"""However an address is spelt, the rules for its mailbox hold: RFC 5321 4.1.2
(quoted strings), RFC 5890 (A-labels and U-labels), RFC 6531."""

import os

import pytest

from lib import base, client

RULES = """
    rule "force" { when = { rcpt_domain = { "forced.test",
                            "xn--bcher-kva.test" } }, tls = "required" }
    rule "one" { when = { rcpt = { "bo.b@open.test", '"od d"@open.test' } },
                 tls = "required", whole_domain = false }
    rule "bank" { when = { sender_domain = ".bank.test" },
                  reply = reject(550, "5.7.1", "not so") }
    rule "boss" { when = { sender = "boss@a.test" },
                  reply = reject(550, "5.7.1", "nor so") }
"""

MAILBOXES = [
    "x@forced.test", "x@FORCED.test", "x@forced\u3002test",
    "x@forced\uff0etest", "x@\uff46orced.test", "x@\u00adforced.test",
    "x@xn--bcher-kva.test", "x@b\u00fccher.test", "x@B\u00dcCHER.test",
    "bo.b@open.test", '"bo.b"@open.test', '"b\\o.\\b"@open.test',
    '"BO.B"@OPEN.test', '"od d"@open.test', '"od\\ d"@open.test']


@pytest.fixture
def server(relay, sink):
    folder = base.private_dir("policy")
    path = base.write_file(os.path.join(folder, "policy.lua"), RULES)
    yield relay(sink.port, {"policy": {"file": path}})
    base.remove_dir(folder)


def submit(server, sender, rcpt):
    with server.client() as peer:
        peer.start()
        peer.expect(("MAIL FROM:<%s> SMTPUTF8" % sender).encode(), 250)
        answer = peer.cmd(("RCPT TO:<%s>" % rcpt).encode())
        if answer.startswith("250"):
            answer = peer.data(client.message())
        return answer[:3]


@pytest.mark.parametrize("rcpt", MAILBOXES)
def test_no_spelling_gets_around_forced_tls(server, sink, rcpt):
    assert submit(server, "a@a.test", rcpt) == "250"
    server.wait_log("pending till")
    assert server.queue_count() == 1
    assert not sink.messages


@pytest.mark.parametrize("sender", [
    "a@x.bank.test", "a@x.bank\u3002test", "a@x.b\uff41nk.test",
    "boss@a.test", '"boss"@a.test', '"b\\oss"@a\uff0etest'])
def test_no_spelling_of_a_sender_gets_around_a_rule(server, sender):
    assert submit(server, sender, "x@open.test") == "550"


def test_another_mailbox_is_another_one(server, sink):
    assert submit(server, "a@a.test", '"b o.b"@open.test') == "250"
    sink.wait(1)
