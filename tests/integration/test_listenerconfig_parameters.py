"""Every parameter of a mail flow policy that an AsyncOS appliance has, set by
`postern listenerconfig` and seen by a client, and a few more beside it. docs/coming-from.md has the same
list: its last column are the names of the tests here."""

import base64
import os
import re
import ssl

import pytest

from lib import base, certs, client
from lib.postern_sink import PosternSink
from test_listenerconfig import command, edit

pytestmark = pytest.mark.sanitizer

GUIDE = os.path.join(os.path.dirname(__file__), "..", "..", "docs",
                     "coming-from.md")
RECORDS = """
good.test. 60 IN MX 10 mx.good.test.
mx.good.test. 60 IN A 127.0.0.2
test. 60 IN SOA ns.test. h.test. 1 3600 600 86400 60
"""
# Each has a policy of its own for one address.
POLICIES = {
    "accept": ["behavior=accept"],
    "relay": ["behavior=relay"],
    "reject": ["behavior=reject"],
    "tcprefuse": ["behavior=tcprefuse"],
    "continue": ["behavior=continue"],
    "message_size": ["message_size=2k"],
    "client_connections": ["client_connections=2"],
    "messages": ["messages=2"],
    "recipients": ["recipients=100"],
    "banner": ["banner_code=221", "banner_text=no spam here"],
    "banner_host": ["banner_host=mx.public.test"],
    "no_banner_host": ["banner_text=none of its own"],
    "reject_text": ["behavior=reject", "reject_code=450",
                    "reject_text=Come tomorrow"],
    "recipients_per_hour": ["recipients_per_hour=2", "recipients_code=450",
                            "recipients_text=Enough for now"],
    "tls_off": ["tls=off"],
    "tls_preferred": ["tls=preferred"],
    "tls_required": ["tls=required"],
    "tls_senders": ["tls=preferred", "tls_senders=strict.test,b@mild.test"],
    "client_cert_off": ["tls=required", "client_cert=off"],
    "client_cert_request": ["tls=required", "client_cert=request"],
    "client_cert_require": ["tls=required", "client_cert=require"],
    "auth_off": ["auth=off"],
    "auth_preferred": ["auth=preferred"],
    "auth_required": ["auth=required"],
    "sender_dns": ["sender_dns=yes"],
    "sender_dns_codes": [
        "sender_dns=yes", "sender_dns_code=550",
        "sender_dns_text=Nobody is there", "sender_dns_fail_code=450",
        "sender_dns_fail_text=Nobody knows"],
    "sender_exceptions": ["sender_dns=yes", "sender_exceptions=yes"],
    "untagged_bounces": ["untagged_bounces=refuse"],
}
SOURCES = {name: "127.88.9.%d" % (i + 1) for i, name in enumerate(POLICIES)}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    from conftest import Makers
    from lib import postern, sink as sinks
    made = Makers()
    sink = made.add(sinks.Sink())
    it = postern.Postern(sink.port)
    it.pki = certs.Authority(str(tmp_path_factory.mktemp("pki")))
    coded = base.run(["openssl", "passwd", "-6", "secret"]).text.strip()
    users = it.add_file("users", "anna:%s\n" % coded)
    keys = it.add_file("tags", "1 a secret of ours\n")
    for path in (users, keys):
        os.chmod(path, 0o644)
    it.narrow, it.idle = base.free_port(), base.free_port()
    it.write_config({
        "dns": {"records": it.add_file("records", RECORDS),
                "servers": ["127.0.0.1@9"], "timeout": "1s"},
        "delivery": {"bounce_keys": keys},
        "relay": {"networks": [], "domains": ["next.test"], "users": users},
        "listener": {"inbound": {"client_ca": it.pki.ca}}})
    for name, words in POLICIES.items():
        edit(it, "policy", "set", name, *words)
        edit(it, "hostaccess", "new", "inbound", "G-" + name,
             "policy=" + name, "senders=" + SOURCES[name])
    # Who continues is in the next group.
    edit(it, "policy", "set", "behind", "banner_text=went on")
    edit(it, "hostaccess", "new", "inbound", "BEHIND", "policy=behind",
         "senders=" + SOURCES["continue"])
    command(it, "config", "set", "sender_exception", "old.test",
            "access=accept")
    command(it, "config", "set", "sender_exception", "bad@good.test",
            "access=reject")
    edit(it, "new", "narrow", "address=127.0.0.1:%d" % it.narrow,
         "cert=" + it.cert, "key=" + it.key, "connections=2",
         "session_timeout=10s", "tls_min_version=1.2",
         "tls_ciphers=ECDHE-ECDSA-AES256-GCM-SHA384:"
         "ECDHE-RSA-AES256-GCM-SHA384")
    edit(it, "new", "idle", "address=127.0.0.1:%d" % it.idle, "tls=off",
         "idle_timeout=2s")
    command(it, "commit", "all of them")
    made.add(it).start()
    yield it
    made.close()


def connect(server, name):
    return client.Client("127.0.0.1", server.port, source=SOURCES[name])


def group_of(server, name):
    server.wait_log(r"SG G-%s match %s " % (name, re.escape(SOURCES[name])))


def far(server, name, code):
    with connect(server, name) as peer:
        peer.start().mail("", "b@next.test")
        peer.expect("RCPT TO:<b@far.test>", code)
    group_of(server, name)


def test_accept(server):
    far(server, "accept", 550)


def test_relay(server):
    far(server, "relay", 250)


def test_reject(server):
    with connect(server, "reject") as peer:
        assert peer.banner == "554 5.7.1 Access denied"
    group_of(server, "reject")


def test_tcprefuse(server):
    with pytest.raises((ConnectionError, EOFError)):
        connect(server, "tcprefuse")
    group_of(server, "tcprefuse")


def test_continue(server):
    with connect(server, "continue") as peer:
        assert peer.banner.endswith("went on")
    server.wait_log(r"SG BEHIND match %s " % re.escape(SOURCES["continue"]))


def test_message_size(server):
    with connect(server, "message_size") as peer:
        assert "SIZE 2048" in peer.ehlo()
        peer.expect("MAIL FROM:<> SIZE=2049", 552)


def test_client_connections(server):
    with connect(server, "client_connections"), \
            connect(server, "client_connections"), \
            connect(server, "client_connections") as third:
        assert third.banner.startswith("421")


def test_messages(server):
    with connect(server, "messages") as peer:
        peer.ehlo()
        for _ in range(2):
            peer.deliver("", ["b@next.test"], client.message())
        peer.expect("MAIL FROM:<>", 4)


def test_recipients(server):
    with connect(server, "recipients") as peer:
        peer.ehlo()
        peer.mail("", *["b%d@next.test" % i for i in range(100)])
        peer.expect("RCPT TO:<c@next.test>", 452)


def test_banner(server):
    with connect(server, "banner") as peer:
        assert peer.banner.startswith("221 ")
        assert peer.banner.endswith("no spam here")


def test_banner_host(server):
    with connect(server, "banner_host") as peer:
        assert peer.banner.startswith("220 mx.public.test ")
    with connect(server, "no_banner_host") as peer:
        assert peer.banner.startswith("220 relay.test ")


def test_reject_text(server):
    with connect(server, "reject_text") as peer:
        assert peer.banner == "450 4.7.1 Come tomorrow"


def test_recipients_per_hour(server):
    answers = []
    for _ in range(3):
        with connect(server, "recipients_per_hour") as peer:
            peer.ehlo()
            peer.mail("")
            answers.append(peer.cmd("RCPT TO:<b@next.test>"))
    assert [answer[:3] for answer in answers] == ["250", "250", "450"]
    assert answers[2].endswith("Enough for now")
    server.wait_log(r"To: <b@next.test> Rejected by Injection Control")


@pytest.mark.parametrize("name,offered,mail", [
    ("tls_off", False, 250), ("tls_preferred", True, 250),
    ("tls_required", True, 530)])
def test_tls(server, name, offered, mail):
    with connect(server, name) as peer:
        assert ("STARTTLS" in peer.ehlo()) == offered
        peer.expect("MAIL FROM:<>", mail)


def test_tls_senders(server):
    with connect(server, "tls_senders") as peer:
        peer.ehlo()
        for sender, code in (("a@strict.test", 530), ("b@mild.test", 530),
                             ("a@mild.test", 250)):
            peer.expect("MAIL FROM:<%s>" % sender, code)
        peer.expect("RSET", 250)
        peer.starttls()
        peer.start().mail("a@strict.test", "b@next.test")


@pytest.mark.parametrize("name,kind,taken", [
    ("off", "foreign", True), ("off", "none", True),
    ("request", "good", True), ("request", "none", True),
    ("request", "foreign", False), ("require", "good", True),
    ("require", "none", False), ("require", "foreign", False)])
def test_client_cert(server, name, kind, taken):
    context = client.anyone()
    if kind != "none":
        pair = server.pki.client(kind)
        context.load_cert_chain(pair.cert, pair.key)

    def talk():
        with connect(server, "client_cert_" + name) as peer:
            peer.ehlo()
            peer.expect("STARTTLS", 220)
            peer.handshake(context)  # TLS 1.3 tells only at the reading
            peer.start().mail("", "b@next.test")
    if taken:
        talk()
    else:
        with pytest.raises((OSError, EOFError)):
            talk()


PLAIN = "AUTH PLAIN " + base64.b64encode(b"\0anna\0secret").decode()


@pytest.mark.parametrize("name,offered,mail", [
    ("auth_off", False, 250), ("auth_preferred", True, 250),
    ("auth_required", True, 530)])
def test_auth(server, name, offered, mail):
    with connect(server, name) as peer:
        peer.ehlo()
        peer.starttls()
        assert ("AUTH PLAIN LOGIN" in peer.ehlo()) == offered
        peer.expect("MAIL FROM:<>", mail)
        peer.expect("RSET", 250)
        peer.expect(PLAIN, 235 if offered else 5)
        peer.expect("MAIL FROM:<>", 250)
        peer.expect("RCPT TO:<b@far.test>", 250 if offered else 550)


def test_auth_is_offered_inside_tls_only(server):
    for name in ("auth_off", "auth_preferred", "auth_required"):
        with connect(server, name) as peer:
            assert not [word for word in peer.ehlo() if "AUTH" in word]
            peer.expect(PLAIN, 5)
            peer.expect("AUTH LOGIN", 5)


@pytest.mark.parametrize("name,sender,answer", [
    ("sender_dns", "a@good.test", "250"),
    ("sender_dns", "a@none.test", "553 5.1.8 Domain of sender address does "
     "not exist"),
    ("sender_dns", "a@far.example", "451 4.1.8 Domain of sender address does "
     "not resolve"),
    ("sender_dns_codes", "a@none.test", "550 5.1.8 Nobody is there"),
    ("sender_dns_codes", "a@far.example", "450 4.1.8 Nobody knows"),
    ("accept", "a@none.test", "250")])
def test_sender_dns(server, name, sender, answer):
    with connect(server, name) as peer:
        peer.ehlo()
        assert peer.cmd("MAIL FROM:<%s>" % sender).startswith(answer)


@pytest.mark.parametrize("name,sender,answer", [
    ("sender_exceptions", "a@old.test", "250"),
    ("sender_exceptions", "bad@good.test", "553 5.7.1"),
    ("sender_exceptions", "a@none.test", "553 5.1.8"),
    ("sender_dns", "a@old.test", "553 5.1.8"),
    ("sender_dns", "bad@good.test", "250")])
def test_sender_exceptions(server, name, sender, answer):
    with connect(server, name) as peer:
        peer.ehlo()
        assert peer.cmd("MAIL FROM:<%s>" % sender).startswith(answer)


def test_untagged_bounces(server):
    for name, code in (("untagged_bounces", 550), ("accept", 250)):
        with connect(server, name) as peer:
            peer.ehlo()
            peer.expect("MAIL FROM:<>", 250)
            peer.expect("RCPT TO:<jo@next.test>", code)


def narrow(server):
    return client.Client("127.0.0.1", server.narrow)


def let_in(server):
    """Once the connections of tests before are given back."""
    def one():
        peer = narrow(server)
        if peer.banner.startswith("220"):
            return peer
        peer.close()
        return None
    return base.wait_for(one, "a free connection")


def test_connections(server):
    with let_in(server), let_in(server), narrow(server) as third:
        assert third.banner.startswith("421")


def test_idle_timeout(server):
    with client.Client("127.0.0.1", server.idle) as peer:
        assert peer.reply().startswith("421")
        peer.wait_closed()


def test_session_timeout(server):
    with let_in(server) as peer:
        assert peer.reply().startswith("421")
        peer.wait_closed()


@pytest.mark.parametrize("most,cipher,taken", [
    (ssl.TLSVersion.TLSv1_2, "ECDHE+AESGCM", True),
    (ssl.TLSVersion.TLSv1_2, "ECDHE+CHACHA20", False)])
def test_tls_ciphers(server, most, cipher, taken):
    context = client.anyone()
    context.maximum_version = most
    context.set_ciphers(cipher)
    with let_in(server) as peer:
        peer.ehlo()
        peer.expect("STARTTLS", 220)
        if not taken:
            with pytest.raises(OSError):
                peer.handshake(context)
            return
        peer.handshake(context)
        assert peer.sock.cipher()[0].endswith("AES256-GCM-SHA384")


def test_tls_outbound(relay, makers):
    """The other side has TLS 1.2 only, and would like another cipher."""
    sink = makers.add(PosternSink(listen=["tls12,name=old.test",
                                          "tls12,name=next.test"]))
    it = relay(None, {"route": {
        domain: {"hosts": ["127.0.0.1:%d" % port]}
        for domain, port in zip(("old.test", "next.test"), sink.ports)}})
    command(it, "destconfig", "default", "tls=required ciphers="
            "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305")
    command(it, "destconfig", "set", "old.test", "tls=required min=1.3")
    command(it, "commit", "methods and ciphers")
    it.wait_log("configuration 2")
    with it.client() as peer:
        peer.start().deliver("a@client.test", ["b@old.test", "b@next.test"],
                             client.message())
    it.wait_log(r"DCID \d+ TLS success protocol TLSv1\.2 cipher "
                r"TLS_ECDHE_\w+_WITH_CHACHA20_POLY1305_")
    it.wait_log(r"Delayed: .*version")
    assert [one["to"] for one in sink.wait_messages(1)] == [
        ["b@next.test"]]


def test_the_guide_has_all_of_them():
    """Each row names tests, and all tests are named."""
    rows = re.findall(r"(?m)^\|.*\| ((?:`test_\w+`(?:, )?)+) \|$",
                      base.read_text(GUIDE))
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    here = {name for name in globals() if name.startswith("test_")}
    assert told == here - {"test_the_guide_has_all_of_them"}
