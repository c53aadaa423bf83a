"""What rules do with a message, over real sockets: what arrives where, what the
queue has, and what the log says of it. What each field means is tested in
tests/lua with the same library."""

import base64
import datetime
import email
import email.policy
import os
import re

import pytest

from lib import base, certs, client, postern
from lib.client import message

PLUGINS = os.path.join(os.path.dirname(base.POSTERN_BIN), "plugins")
FAST = {"bounce_profile": {"default": {"first_retry": "500ms",
                                       "max_retry": "1s"}}}


@pytest.fixture
def folder():
    path = base.private_dir("policy")
    yield path
    base.remove_dir(path)


@pytest.fixture
def policy(relay, sink, folder):
    """policy(text, ...): a relay with that policy."""
    def make(text, **changes):
        path = base.write_file(os.path.join(folder, "policy.lua"), text)
        return relay(sink.port, dict(FAST, policy={"file": path}, **changes))
    return make


def send(server, rcpts, sender="a@a.test", **kwargs):
    """The reply to the message, without the rest of a 250."""
    with server.client() as c:
        c.start()
        c.mail(sender, *rcpts)
        answer = c.data(message(**kwargs)).strip()
        return "250" if answer.startswith("250") else answer


def arrived(sink, *rcpts):
    """A message for each of these, by recipient, and nobody else's."""
    def by_rcpt():
        return {r: m for m in list(sink.messages) for r in m.recipients}
    base.wait_for(lambda: set(rcpts) <= set(by_rcpt()),
                  lambda: "%s; %s came" % (rcpts, sorted(by_rcpt())))
    assert sorted(by_rcpt()) == sorted(rcpts)
    return by_rcpt()


def lines(server, what):
    return [line for line in server.log_lines() if re.search(what, line)]


def told(m):
    return email.message_from_bytes(m.data, policy=email.policy.default)


def test_redirected_mail_goes_elsewhere_only(policy, sink):
    server = policy("""
        rule "gone" { when = { rcpt = "old@b.test" },
                      redirect = { "new@c.test", "boss@c.test" } }""")
    assert send(server, ["old@b.test", "x@b.test"]) == "250"
    got = arrived(sink, "x@b.test", "new@c.test", "boss@c.test")
    # The header is as it was written, and names nobody else.
    assert b"c.test" not in got["x@b.test"].data
    server.wait_log(r"MID 1 ICID \d+ To: <old@b.test> Dropped by policy$")
    server.wait_log(r"MID 1 ICID \d+ RID 2 To: <new@c.test>$")
    server.wait_log(r"MID 1 ICID \d+ RID 3 To: <boss@c.test>$")
    server.wait_log(r"Message finished MID 1 done")
    server.wait_empty()


def test_redirected_to_whom_it_goes_anyway_it_comes_once(policy, sink):
    server = policy("""
        rule "same" { when = { rcpt = "old@b.test" },
                      redirect = "X@b.test" }""")
    assert send(server, ["old@b.test", "x@b.test"]) == "250"
    server.wait_log(r"Message finished MID 1 done")
    server.wait_empty()
    assert [r for m in sink.messages for r in m.recipients] == ["x@b.test"]


def test_a_redirection_keeps_the_tls_of_whom_it_was_for(policy, sink):
    """FRC-3: what must not go in clear does not go elsewhere in clear."""
    server = policy("""
        rule "force" { when = { rcpt = "old@b.test" }, tls = "required" }
        rule "gone" { when = { rcpt = "old@b.test" },
                      redirect = "new@c.test", bcc = "log@c.test" }""")
    assert send(server, ["old@b.test", "x@d.test"]) == "250"
    arrived(sink, "x@d.test")
    for rcpt in ("new@c.test", "log@c.test"):
        base.wait_for(lambda: [row for row in server.cli_json("queue", "list")
                               if row["rcpt"] == rcpt and row["tls_reason"] ==
                               "starttls-not-supported"], server.tail)
    arrived(sink, "x@d.test")


def test_a_copy_is_seen_by_nobody(policy, sink):
    server = policy("""
        rule "copy" { when = { rcpt_domain = "b.test" },
                      bcc = { "archive@c.test", "x@b.test" } }""")
    assert send(server, ["x@b.test", "y@b.test"], subject="plans") == "250"
    got = arrived(sink, "x@b.test", "y@b.test", "archive@c.test")
    for m in sink.messages:
        assert b"archive" not in m.data
        assert m.header("Bcc") is None and m.header("Subject") == "plans"
    assert got["archive@c.test"].sender == "a@a.test"
    server.wait_log(r"MID 1 ICID \d+ RID 2 To: <archive@c.test>$")
    server.wait_empty()
    assert len(lines(server, r"To: <x@b\.test>")) == 1


def test_each_of_those_who_shall_know_is_told_once(policy, sink):
    server = policy("""
        rule "watched" {
          when = { rcpt_domain = "b.test" },
          notify = {
            sender = { subject = "Your message", text = "It was seen." },
            recipient = true,
            admin = "boss@c.test",
          },
        }""")
    assert send(server, ["x@b.test", "y@b.test", "z@d.test"],
                subject="plans") == "250"
    base.wait_for(lambda: len([m for m in sink.messages
                               if m.sender == ""]) == 4, server.tail)
    server.wait_empty()
    notices = {}
    for m in [m for m in sink.messages if m.sender == ""]:
        rcpt, = m.recipients
        assert rcpt not in notices
        notices[rcpt] = told(m)
    assert sorted(notices) == ["a@a.test", "boss@c.test", "x@b.test",
                               "y@b.test"]
    assert notices["a@a.test"]["Subject"] == "Your message"
    assert notices["a@a.test"].get_content().strip() == "It was seen."
    assert notices["boss@c.test"]["Subject"] == 'Policy rule "watched"'
    assert notices["x@b.test"]["Subject"] == "About your message"
    text = notices["x@b.test"].get_content()
    assert text.split("\r\n")[-6:] == [
        "", "Rule: watched", "From: <a@a.test>", "To: x@b.test",
        "Subject: plans", ""]
    assert "To: x@b.test, y@b.test\r\n" in \
        notices["boss@c.test"].get_content()
    assert len(lines(server, r"was generated based on MID 1 by notify filter "
                     r"'policy'")) == 4
    # And the message itself came.
    assert sorted(r for m in sink.messages if m.sender
                  for r in m.recipients) == ["x@b.test", "y@b.test",
                                             "z@d.test"]


def test_what_is_told_of_forced_mail_is_not_told_in_clear(policy, sink):
    server = policy("""
        rule "force" { when = { rcpt = "x@b.test" }, tls = "required" }
        rule "watched" { when = { subject = "plans" },
                         notify = { sender = true } }""")
    assert send(server, ["x@b.test", "y@d.test"], subject="plans") == "250"
    arrived(sink, "y@d.test")
    base.wait_for(lambda: [row for row in server.cli_json("queue", "list")
                           if row["rcpt"] == "a@a.test" and
                           row["tls_reason"] == "starttls-not-supported"],
                  server.tail)
    arrived(sink, "y@d.test")


def test_reports_make_no_notices(policy, sink):
    server = policy("""
        rule "watched" { notify = { sender = true, recipient = true,
                                    admin = "boss@c.test" } }""")
    assert send(server, ["x@b.test"], sender="") == "250"
    arrived(sink, "x@b.test")
    server.wait_empty()
    arrived(sink, "x@b.test")
    assert not lines(server, "was generated")


def test_no_notice_of_a_message_that_another_rule_refuses(policy, sink):
    server = policy("""
        rule "watched" { notify = { admin = "boss@c.test" },
                         bcc = "log@c.test" }
        rule "no" { when = { rcpt = "x@b.test" }, reply = reject("no") }""")
    assert send(server, ["x@b.test"]) == "550 5.7.1 no"
    assert send(server, ["y@b.test"]) == "250"
    arrived(sink, "y@b.test", "log@c.test", "boss@c.test")
    server.wait_empty()
    assert len(lines(server, "was generated")) == 1


def test_discarded_for_some_it_reaches_the_rest(policy, sink):
    server = policy("""
        rule "drop" { when = { rcpt = "x@b.test" }, reply = discard() }""")
    assert send(server, ["x@b.test", "y@b.test"]) == "250"
    arrived(sink, "y@b.test")
    server.wait_log(r"MID 1 ICID \d+ To: <x@b.test> Dropped by policy$")
    server.wait_empty()
    assert send(server, ["x@b.test"]) == "250"
    server.wait_log(r"Message aborted MID 2 Dropped by policy$")
    server.wait_empty()
    arrived(sink, "y@b.test")


def test_quarantined_for_one_it_waits_until_it_is_released(policy, sink):
    server = policy("""
        rule "keep" { when = { rcpt = "x@b.test" },
                      quarantine = "looks bad" }""")
    assert send(server, ["x@b.test", "y@b.test"]) == "250"
    arrived(sink, "y@b.test")
    row, = base.wait_for(lambda: [
        rows for rows in [server.cli_json("queue", "list")]
        if len(rows) == 1], server.tail)[0]
    assert (row["rcpt"], row["quarantine"]) == ("x@b.test", "looks bad")
    server.wait_log(r'MID \d+ quarantined to "\w+" \(looks bad\)')
    arrived(sink, "y@b.test")
    server.cli("queue", "release", str(row["mid"]))
    arrived(sink, "x@b.test", "y@b.test")
    server.wait_empty()


def test_held_back_for_one_it_is_not_tried_before_its_time(policy, sink):
    server = policy("""
        rule "later" { when = { rcpt = "x@b.test" }, hold = "1h" }""")
    assert send(server, ["x@b.test", "y@b.test"]) == "250"
    arrived(sink, "y@b.test")
    row, = base.wait_for(lambda: [
        rows for rows in [server.cli_json("queue", "list")]
        if len(rows) == 1], server.tail)[0]
    assert row["rcpt"] == "x@b.test" and row["attempts"] == 0
    server.cli("queue", "flush")
    arrived(sink, "x@b.test", "y@b.test")


def test_a_tag_does_not_lose_a_message(policy, sink):
    server = policy("""rule "tag" { tag = "[ext]" }""")
    long = "\r\n ".join(["word " * 13 + "end"] * 15)
    assert send(server, ["x@b.test"], subject=long) == "250"
    assert send(server, ["y@b.test"], subject="x" * 985) == "250"
    got = arrived(sink, "x@b.test", "y@b.test")
    assert got["x@b.test"].header("Subject").startswith("[ext] word")
    assert got["y@b.test"].header("Subject") == "[ext]\r\n " + "x" * 985


def test_a_tag_comes_once_and_headers_change(policy, sink):
    server = policy("""
        rule "tag" { when = { sender_domain = "a.test" }, tag = "[a]" }
        rule "again" { when = { subject = "plans" }, tag = "[a]" }
        rule "edits" {
          add_header = { ["X-Who"] = function(msg) return msg.sender end },
          set_header = { { name = "X-One", value = "new" } },
          remove_header = { "X-Two", "X-None" },
        }""")
    assert send(server, ["x@b.test"], subject="plans",
                extra="X-One: old\r\nx-two: 1\r\nX-Two: 2\r\n") == "250"
    m = arrived(sink, "x@b.test")["x@b.test"]
    assert m.header("Subject") == "[a] plans"
    assert m.header("X-Who") == "a@a.test" and m.header("X-One") == "new"
    assert m.data.lower().count(b"x-one:") == 1
    assert b"x-two" not in m.data.lower()
    assert send(server, ["y@b.test"], subject="Re: [a] plans") == "250"
    got = arrived(sink, "x@b.test", "y@b.test")
    assert got["y@b.test"].header("Subject") == "Re: [a] plans"
    assert not lines(server, "was split")


@pytest.mark.parametrize("how, header, subject", [
    ("true", "X-Policy-Test", "plans"),
    ('"subject"', None, "[strict] plans"),
    ('{ header = "X-Would", subject = "[t]", bcc = "log@c.test" }',
     "X-Would", "[t] plans")])
def test_a_rule_on_trial_changes_nothing_but_its_flag(
        policy, sink, how, header, subject):
    server = policy("""
        rule "strict" {
          when = { rcpt = "x@b.test" },
          tls = "required-verify", redirect = "away@c.test",
          reply = reject("no"), quarantine = true, stop = true,
          notify = { sender = true }, test = %s,
        }
        rule "below" { add_header = { ["X-Below"] = "1" } }""" % how)
    assert send(server, ["x@b.test", "y@d.test"], subject="plans") == "250"
    who = ["x@b.test", "y@d.test"] + ["log@c.test"] * ("bcc" in how)
    got = arrived(sink, *who)
    server.wait_empty()
    arrived(sink, *who)
    x, y = got["x@b.test"], got["y@d.test"]
    if header is not None:
        assert x.header(header) == "strict"
    assert x.header("Subject") == subject
    assert x.header("X-Below") == "1" and y.header("X-Below") == "1"
    assert y.header("Subject") == "plans"
    assert header is None or y.header(header) is None
    server.wait_log(
        r'rule "strict" \(policy\.lua:2\) would have done: tls '
        r'required-verify; quarantine; redirect away@c\.test; notify sender; '
        r'reply reject.*; for x@b\.test$')
    assert not lines(server, "was generated") and \
        not lines(server, "quarantined")


def test_an_alert_reaches_people_once_in_its_time(
        policy, sink, make_sink):
    box = make_sink()
    server = policy(
        """
        rule "watched" {
          when = { subject = "fire" },
          alert = { key = "fire", severity = "critical", every = "1h",
                    text = "a message about fire" },
        }""", plugin_dirs=[os.path.join(PLUGINS, "alert_mail")],
        plugin={"alert_mail": {
            "to": ["ops@alerts.test"], "server": "127.0.0.1:%d" % box.port,
            "initial_wait": "0s"}}, workers=1)
    for n in range(3):
        assert send(server, ["x%d@b.test" % n], subject="fire") == "250"
    assert send(server, ["x3@b.test"], subject="water") == "250"
    arrived(sink, *("x%d@b.test" % n for n in range(4)))
    box.wait(1)
    server.wait_log(r"alert was sent to ops@alerts\.test with subject "
                    r'"Critical <\w+> relay\.test: a message about fire')
    assert len(box.messages) == 1
    assert len(lines(server, r"alert was sent")) == 1


def test_a_rule_applies_to_the_end_of_its_last_day(policy, sink):
    """In UTC; an hour is left, whenever this is run."""
    now = datetime.datetime.now(datetime.timezone.utc)
    server = policy("""
        rule "past" { expires = "%s", add_header = { ["X-Past"] = "1" } }
        rule "soon" { expires = "%s", add_header = { ["X-Soon"] = "1" } }
        rule "off" { enabled = false, add_header = { ["X-Off"] = "1" } }
        """ % ((now - datetime.timedelta(days=1)).date(),
               (now + datetime.timedelta(hours=1)).date()))
    assert send(server, ["x@b.test"]) == "250"
    m = arrived(sink, "x@b.test")["x@b.test"]
    assert m.header("X-Soon") == "1"
    assert m.header("X-Past") is None and m.header("X-Off") is None


def test_a_rule_has_its_scope(policy, sink):
    server = policy("""
        rule "in" { direction = "inbound",
                    add_header = { ["X-In"] = "1" } }
        rule "out" { direction = "outbound",
                     add_header = { ["X-Out"] = "1" } }
        rule "ours" { sender_domain = { ".a.test" },
                      add_header = { ["X-Ours"] = "1" } }
        """, relay={"networks": ["127.0.0.2/32"], "domains": ["b.test"]})
    assert send(server, ["x@b.test"], sender="s@sub.a.test") == "250"
    m = arrived(sink, "x@b.test")["x@b.test"]
    assert (m.header("X-In"), m.header("X-Out"), m.header("X-Ours")) == (
        "1", None, "1")
    with server.client(source="127.0.0.2") as c:
        assert c.start().deliver("s@other.test", ["y@c.test"], message())
    m = arrived(sink, "x@b.test", "y@c.test")["y@c.test"]
    assert (m.header("X-In"), m.header("X-Out"), m.header("X-Ours")) == (
        None, "1", None)


RULES_OF_CERTIFICATES = """
rule "partner" {
  when = { client_cert = { subject = "CN=client.test", issuer = "CN=root.*",
                           name = ".client.test" } },
  add_header = { ["X-Partner"] = "1" },
}
rule "claims" {
  when = { client_cert = { subject = "CN=client.test", verified = false } },
  add_header = { ["X-Claims"] = "1" },
}
on("message", function(msg, conn)
  local t = conn.tls
  log.info("shown %s %s %s %s", t.cert, tostring(t.subject),
    tostring(t.issuer), table.concat(t.names, "+"))
end)
"""


@pytest.mark.parametrize("kind, partner, claims, shown", [
    ("good", "1", "1", "verified CN=client.test CN=root.test client.test"),
    ("foreign", None, "1", "unverified CN=client.test CN=client.test "
     "client.test"),
    ("none", None, None, "none nil nil ")])
def test_what_a_clients_certificate_says_counts_if_it_is_verified(
        policy, sink, folder, kind, partner, claims, shown):
    """Without client_ca nothing is verified, and everybody is let in."""
    pki = certs.Authority(folder)
    port = base.free_port()
    server = policy(RULES_OF_CERTIFICATES, listener={
        "inbound": None, "asks": {
            "address": ["127.0.0.1:%d" % port], "tls": "preferred",
            "cert": postern.certificate().cert,
            "key": postern.certificate().key, "client_cert": "request",
            **({} if kind == "foreign" else {"client_ca": pki.ca})}})
    context = client.anyone()
    if kind != "none":
        pair = pki.client(kind)
        context.load_cert_chain(pair.cert, pair.key)
    with client.Client("127.0.0.1", port) as c:
        c.ehlo()
        c.expect("STARTTLS", 220)
        c.handshake(context)
        c.start().deliver("a@a.test", ["x@b.test"], message())
    m = arrived(sink, "x@b.test")["x@b.test"]
    assert (m.header("X-Partner"), m.header("X-Claims")) == (partner, claims)
    server.wait_log("shown %s$" % shown)


def test_who_has_authenticated_is_known_to_rules(policy, sink, folder):
    coded = base.run(["openssl", "passwd", "-6", "secret"]).text.strip()
    users = base.write_file(os.path.join(folder, "users"),
                            "anna:%s\n" % coded)
    server = policy("""
        rule "anna" { when = { auth = "ann*" },
                      add_header = { ["X-Anna"] = "1" } }
        rule "nobody" { when = { auth = false },
                        add_header = { ["X-Nobody"] = "1" } }
        on("mail", function(msg, conn)
          log.info("it is %s, %s", tostring(conn.auth), tostring(msg.auth))
        end)""", relay={"networks": ["192.0.2.1/32"], "domains": ["b.test"],
                        "users": users})
    assert send(server, ["x@b.test"]) == "250"
    with server.client() as c:
        c.ehlo()
        c.starttls()
        c.ehlo()
        c.expect("AUTH PLAIN " + base64.b64encode(
            b"\0anna\0secret").decode(), 235)
        c.deliver("a@a.test", ["y@c.test"], message())
    got = arrived(sink, "x@b.test", "y@c.test")
    assert (got["x@b.test"].header("X-Anna"),
            got["x@b.test"].header("X-Nobody")) == (None, "1")
    assert (got["y@c.test"].header("X-Anna"),
            got["y@c.test"].header("X-Nobody")) == ("1", None)
    server.wait_log("it is nil, nil$")
    server.wait_log("it is anna, anna$")


def test_the_first_way_wins_and_the_log_tells_of_the_second(
        policy, sink, make_sink):
    other = make_sink()
    server = policy("""
        rule "one" { when = { rcpt = "x@b.test" }, route = "other" }
        rule "two" { route = "third", hold = "0s" }
        rule "three" { when = { rcpt = "y@b.test" }, redirect = "z@b.test" }
        rule "four" { when = { rcpt = "y@b.test" }, redirect = "no@b.test" }
        """, route={"*": {"hosts": ["127.0.0.1:%d" % sink.port]},
                    "other": {"hosts": ["127.0.0.1:%d" % other.port]},
                    "third": {"hosts": ["127.0.0.1:%d" % sink.port]}})
    assert send(server, ["x@b.test", "y@b.test"]) == "250"
    arrived(other, "x@b.test")
    arrived(sink, "z@b.test")
    server.wait_log(r'rule "two" \(policy\.lua:3\): route third for x@b\.test '
                    r'is not used: rule "one" says other')
    server.wait_log(r'rule "four" \(policy\.lua:5\): redirect no@b\.test for '
                    r'y@b\.test is not used: rule "three" says z@b\.test')
