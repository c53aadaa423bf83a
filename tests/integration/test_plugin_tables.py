"""Tables in files (lookup_file) and limits over all workers (rate)."""

import os
import re
import signal

import pytest

from lib import base, client
from lib.client import message

pytestmark = pytest.mark.sanitizer

BUILD = os.path.dirname(base.POSTERN_BIN)
DIRS = [os.path.join(BUILD, "plugins", name)
        for name in ("rate", "lookup_file")]
TRUSTED = {"relay": {"networks": ["127.0.0.0/8"]}}


@pytest.fixture
def limited(relay, sink):
    """limited(blocks, **settings): a relay with these plugin blocks."""
    def start(plugin, **changes):
        settings = dict(TRUSTED, plugin_dirs=DIRS, plugin=plugin)
        settings.update(changes)
        return relay(sink.port, settings)
    return start


@pytest.fixture
def folder():
    path = base.private_dir("tables")
    yield path
    base.remove_dir(path)


def mail(peer, sender="a@client.test"):
    """The reply to MAIL; the transaction is given up."""
    answer = peer.cmd("MAIL FROM:<%s>" % sender)
    peer.cmd("RSET")
    return answer


def rcpt(peer, address):
    return peer.cmd("RCPT TO:<%s>" % address)


def test_messages_of_one_client_are_counted_over_all_workers(limited):
    server = limited({"rate": {"limit": 6, "window": "1d"}}, workers=2)
    answers = []
    for _ in range(8):  # connections go to either worker
        with server.client() as peer:
            peer.ehlo()
            answers.append(mail(peer))
    assert [a[:3] for a in answers] == ["250"] * 6 + ["450"] * 2, answers
    assert answers[-1] == "450 4.7.1 Too much mail from you, try later"
    server.wait_log("Plugin rate: .*127.0.0.1: more than 6 messages in "
                    "86400 s")
    with server.client(source="127.88.0.3") as peer:
        peer.ehlo()
        assert mail(peer).startswith("250")


def test_recipients_of_one_sender_domain_are_counted(limited):
    server = limited({"rate": {
        "count": "recipients", "key": ["sender.domain"], "limit": 3,
        "action": "reject", "text": "Enough", "except": ["free.test"]}})
    with server.client() as peer:
        peer.start()
        for sender, codes in (("a@One.test", "250 250 250 550"),
                              ("a@free.test", "250 250 250"),
                              ("b@one.test", "550 550 550"),
                              ("b@two.test", "250 250 250")):
            peer.expect("MAIL FROM:<%s>" % sender, 250)
            got = [rcpt(peer, "%d@next.test" % i)
                   for i, _ in enumerate(codes.split())]
            assert " ".join(a[:3] for a in got) == codes, (sender, got)
            if "550" in codes:
                assert got[-1] == "550 5.7.1 Enough"
            peer.cmd("RSET")


def test_connections_are_counted_before_the_greeting(limited):
    server = limited({"rate": {"count": "connections", "limit": 2,
                               "action": "reject"}})
    for code in ("220", "220", "554", "550"):
        with client.Client("127.0.0.1", server.port,
                           source="127.88.0.7") as peer:
            if code == "220":
                assert peer.banner.startswith("220"), peer.banner
            else:
                assert peer.banner[:1] == "5", peer.banner


def test_a_table_gives_limits_of_their_own(limited, folder):
    table = base.write_file(os.path.join(folder, "limits"),
                            "# whose, how many\nbig.test 4\nsmall.test 0\n"
                            "free.test none\nodd.test many\n")
    server = limited({
        ("lookup_file", "own-limits"): {"file": table, "watch": "1s"},
        "rate": {"key": "sender.domain", "limit": 1,
                 "limits": "own-limits"}})
    with server.client() as peer:
        peer.ehlo()
        for domain, codes in (("big.test", "250 250 250 250 450"),
                              ("small.test", "450"), ("other.test", "250 450"),
                              ("free.test", "250 250 250"),
                              ("odd.test", "451")):
            got = [mail(peer, "a@" + domain) for _ in codes.split()]
            assert " ".join(a[:3] for a in got) == codes, (domain, got)
    assert any("is no number" in line for line in server.log_lines())


def test_a_table_is_read_again_when_it_changes(limited, folder):
    path = os.path.join(folder, "limits")
    base.write_file(path, "one.test 0\n")
    server = limited({
        ("lookup_file", "own-limits"): {"file": path, "watch": "1s",
                                        "type": "domain"},
        "rate": {"key": "sender.domain", "limit": 1000,
                 "limits": "own-limits"}})
    with server.client() as peer:
        peer.ehlo()
        assert mail(peer, "a@one.test").startswith("450")
        base.write_file(path + ".new", "one.test none\n.two.test 0\n")
        os.rename(path + ".new", path)
        server.wait_log("Plugin own-limits: .*read again, 2 entries",
                        server.config["workers"])
        assert mail(peer, "a@one.test").startswith("250")
        assert mail(peer, "a@x.two.test").startswith("450")


def test_a_table_that_is_broken_later_stays_as_it_was(limited, folder):
    path = os.path.join(folder, "nets")
    base.write_file(path, "127.88.0.0/16 0\n")
    server = limited({
        ("lookup_file", "nets"): {"file": path, "watch": "1s",
                                  "type": "cidr"},
        "rate": {"limit": 1000, "limits": "nets"}})
    base.write_file(path + ".new", "127.88.0.0/16 none\n127.89.0.0/99 0\n")
    os.rename(path + ".new", path)
    server.wait_log("the table read before stays in use: .*:2: "
                    '"127.89.0.0/99" is no address or network')
    with server.client(source="127.88.0.3") as peer:
        peer.ehlo()
        assert mail(peer).startswith("450")
    with server.client(source="127.89.0.3") as peer:
        peer.ehlo()
        assert mail(peer).startswith("250")


@pytest.mark.parametrize("block, text, says", [
    ({"type": "cidr"}, "x y\n", ':1: "x" is no address or network'),
    ({"type": "regex"}, "\n/[/ y\n", ":2: at octet"),
    ({}, None, "No such file or directory"),
])
def test_a_broken_table_refuses_the_configuration(limited, sink, folder,
                                                  block, text, says):
    path = os.path.join(folder, "table")
    server = limited({})
    if text is not None:
        base.write_file(path, text)
    server.write_config(dict(TRUSTED, plugin_dirs=DIRS, plugin={
        ("lookup_file", "t"): dict(block, file=path)}))
    server.signal(signal.SIGHUP)
    server.wait_log(re.escape(says))
    with server.client() as peer:
        peer.start()
        peer.deliver("a@client.test", ["b@next.test"], message())
    sink.wait(1)


def test_a_limit_whose_table_is_missing_lets_nobody_through(limited):
    server = limited({"rate": {"limit": 10, "limits": "nowhere"}})
    with server.client() as peer:
        peer.ehlo()
        assert mail(peer).startswith("451 4.3.0")
