"""AUTH as a mail flow policy wants it, against a file and against a table."""

import base64
import os

import pytest

from lib import base

pytestmark = pytest.mark.sanitizer

DIRS = [os.path.join(os.path.dirname(base.POSTERN_BIN), "plugins",
                     "lookup_file")]
POLICIES = {"OFF": {"auth": "off"}, "MAY": {"auth": "preferred"},
            "MUST": {"auth": "required"}}


def plain(user, password):
    return base64.b64encode(
        ("\0%s\0%s" % (user, password)).encode()).decode()


def users(relay, sink):
    """anna is in the file, otto in the table; a client's address says which
    policy it has."""
    coded = base.run(["openssl", "passwd", "-6", "secret"]).text.strip()
    folder = base.private_dir("users")
    os.chmod(folder, 0o755)
    paths = [base.write_file(os.path.join(folder, name), text)
             for name, text in (("file", "anna:%s\n" % coded),
                                ("table", "otto %s\nempty\n" % coded))]
    for path in paths:
        os.chmod(path, 0o644)
    return relay(sink.port, {
        "plugin_dirs": DIRS,
        "relay": {"networks": [], "domains": ["next.test"],
                  "users": paths[0], "user_table": "accounts"},
        "plugin": {("lookup_file", "accounts"): {"file": paths[1]}},
        "sender_group": {name: {"senders": ["127.88.3.%d" % (i + 1)],
                                "policy": name}
                         for i, name in enumerate(POLICIES)},
        "mail_flow_policy": POLICIES,
        "listener": {"inbound": {"sender_groups": list(POLICIES)}}})


def inside(server, i):
    peer = server.client(source="127.88.3.%d" % i)
    assert not [word for word in peer.ehlo() if word.startswith("AUTH")]
    peer.expect("AUTH PLAIN " + plain("anna", "secret"), 5)
    peer.starttls()
    return peer


def test_auth_is_offered_as_the_policy_says_inside_tls_only(relay, sink):
    server = users(relay, sink)
    with inside(server, 1) as peer:
        assert "AUTH PLAIN LOGIN" not in peer.ehlo()
        peer.expect("AUTH PLAIN " + plain("anna", "secret"), 5)
        peer.mail("a@x.test", "b@next.test")
    with inside(server, 2) as peer:
        assert "AUTH PLAIN LOGIN" in peer.ehlo()
        peer.mail("a@x.test", "b@next.test")
        peer.expect("RCPT TO:<b@far.test>", 550)
    with inside(server, 3) as peer:
        assert "AUTH PLAIN LOGIN" in peer.ehlo()
        assert peer.cmd("MAIL FROM:<a@x.test>") == \
            "530 5.7.0 Authentication required"
        peer.expect("AUTH PLAIN " + plain("anna", "secret"), 235)
        peer.mail("a@x.test", "b@far.test")


@pytest.mark.parametrize("user,password,code", [
    ("anna", "secret", 235), ("otto", "secret", 235),
    ("otto", "wrong", 535), ("nobody", "secret", 535), ("empty", "", 5),
    ("empty", "x", 535)])
def test_a_table_knows_users_too(relay, sink, user, password, code):
    server = users(relay, sink)
    with inside(server, 2) as peer:
        peer.ehlo()
        peer.expect("AUTH PLAIN " + plain(user, password), code)


def test_a_password_by_login_is_asked_of_the_table(relay, sink):
    server = users(relay, sink)
    with inside(server, 3) as peer:
        peer.ehlo()
        peer.expect("AUTH LOGIN", 334)
        peer.expect(base64.b64encode(b"otto").decode(), 334)
        peer.expect(base64.b64encode(b"secret").decode(), 235)
        peer.deliver("a@x.test", ["b@far.test"],
                     b"Subject: x\r\n\r\nx\r\n")
    sink.wait(1)
