"""REQUIRETLS (RFC 8689): who asks for TLS all the way gets it, or the mail
back."""

import email
import email.policy
import os

import pytest

from lib import base, certs, client, postfix
from lib.sink import DEFAULT_EHLO

pytestmark = pytest.mark.sanitizer

OFFERED = DEFAULT_EHLO + ("REQUIRETLS",)


@pytest.fixture
def pairs():
    """Of both domains, and a file with both, which sign themselves."""
    folder = base.private_dir("requiretls")
    both = [certs.make(folder, name) for name in ("next.test", "client.test")]
    base.write_file(os.path.join(folder, "roots.pem"),
                    "".join(base.read_text(pair.cert) for pair in both))
    yield both[0], both[1], os.path.join(folder, "roots.pem")
    base.remove_dir(folder)


def start(relay, roots, hops, back=None, **config):
    """next.test is at the hops, the senders' client.test at back."""
    route = {"next.test": {"hosts": ["127.0.0.1:%d" % hop.port
                                     for hop in hops]}}
    if back is not None:
        route["client.test"] = {"hosts": ["127.0.0.1:%d" % back.port]}
    return relay(None, dict({
        "route": route, "delivery": {
            "ca_file": roots, "host_backoff": "100ms",
            "host_backoff_max": "300ms"},
        "bounce_profile": {"default": {
            "first_retry": "200ms", "max_retry": "500ms", "jitter": 0,
            "lifetime": "2s"}}}, **config))


def submit(server, params=" REQUIRETLS"):
    with server.client() as peer:
        peer.ehlo()
        peer.starttls()
        peer.ehlo()
        peer.mail("a@client.test", "b@next.test", params=params)
        assert peer.data(client.message("a secret subject")).startswith("250")


def test_it_is_offered_and_taken_inside_tls_only(standing):
    server, _ = standing
    with server.client() as peer:
        assert "REQUIRETLS" not in peer.ehlo()
        peer.expect("MAIL FROM:<a@client.test> REQUIRETLS", 555)
        peer.starttls()
        assert "REQUIRETLS" in peer.ehlo()
        peer.expect("MAIL FROM:<a@client.test> REQUIRETLS=yes", 501)
        peer.expect("MAIL FROM:<a@client.test> REQUIRETLS", 250)


def test_a_listener_need_not_offer_it(relay, sink):
    server = relay(sink.port, {"listener": {"inbound": {
        "requiretls": False}}})
    with server.client() as peer:
        peer.ehlo()
        peer.starttls()
        assert "REQUIRETLS" not in peer.ehlo()
        peer.expect("MAIL FROM:<a@client.test> REQUIRETLS", 555)


def test_the_next_hop_is_asked_for_it_too(relay, make_sink, pairs):
    hop = make_sink(tls=pairs[0], ehlo=OFFERED)
    server = start(relay, pairs[2], [hop])
    submit(server)
    submit(server, params="")
    hop.wait(2)
    server.wait_empty()
    mails = sorted(line.upper() for _, line in list(hop.commands)
                   if line.upper().startswith("MAIL"))
    assert len(mails) == 2
    assert [("REQUIRETLS" in line) for line in mails].count(True) == 1
    assert [m.tls is not None for m in hop.messages].count(True) == 2


def test_a_host_that_lacks_it_is_passed_over(relay, make_sink, pairs):
    plain = make_sink(tls=pairs[0])
    hop = make_sink(tls=pairs[0], ehlo=OFFERED)
    server = start(relay, pairs[2], [plain, hop])
    submit(server)
    hop.wait(1)
    server.wait_empty()
    assert not plain.messages


def test_a_postfix_that_lacks_it_gets_nothing_and_the_sender_is_told(
        relay, makers, make_sink, pairs):
    hop = makers.add(postfix.Postfix(
        smtpd_tls_security_level="may", smtpd_tls_cert_file=pairs[0].cert,
        smtpd_tls_key_file=pairs[0].key)).start()
    back = make_sink(tls=pairs[1])
    server = start(relay, pairs[2], [hop], back)
    submit(server, params=" REQUIRETLS RET=FULL")
    report = base.wait_for(lambda: list(back.messages), "a report")[0]
    assert report.tls
    whole = email.message_from_bytes(report.data, policy=email.policy.default)
    assert whole.get_content_type() == "multipart/report"
    parts = list(whole.iter_parts())
    assert [part.get_content_type() for part in parts] == [
        "text/plain", "message/delivery-status"]
    assert b"secret" not in report.data
    person = parts[1].get_payload()[1]
    assert person["Status"] == "5.7.30"
    assert "requiretls-not-supported" in person["Diagnostic-Code"]
    server.wait_empty()
    assert hop.count() == 0


@pytest.mark.parametrize("style", ["dsn", "plain"])
def test_the_alternate_address_is_told_and_nothing_is_quoted(
        relay, make_sink, pairs, style):
    hop, back = make_sink(tls=pairs[0]), make_sink(tls=pairs[1])
    server = start(relay, pairs[2], [hop], back, bounce_profile={"default": {
        "first_retry": "200ms", "max_retry": "500ms", "jitter": 0,
        "lifetime": "2s", "format": style,
        "alternate": "boss@client.test"}})
    submit(server, params=" REQUIRETLS RET=FULL")
    report = base.wait_for(lambda: list(back.messages), "a report")[0]
    assert report.recipients == ["boss@client.test"] and report.tls
    whole = email.message_from_bytes(report.data, policy=email.policy.default)
    assert whole.get_content_type() == (
        "multipart/report" if style == "dsn" else "text/plain")
    assert b"secret" not in report.data and b"body" not in report.data
    assert b"b@next.test" in report.data
    assert b"REQUIRETLS not offered" in report.data
    server.wait_empty()
    assert not hop.messages and len(back.messages) == 1


def test_a_certificate_that_does_not_hold_keeps_it_back(
        relay, make_sink, pairs):
    hop = make_sink(tls=pairs[1], ehlo=OFFERED)
    back = make_sink(tls=pairs[1])
    server = start(relay, pairs[2], [hop], back)
    submit(server)
    base.wait_for(lambda: back.messages, "a report")
    assert not hop.messages


def test_a_policy_sees_it_and_may_ask_for_it(relay, make_sink, pairs):
    hop = make_sink(tls=pairs[0], ehlo=OFFERED)
    folder = base.private_dir("requiretls")
    policy = os.path.join(folder, "policy.lua")
    base.write_file(policy, """
        rule "secret" { when = { subject = "*secret*" },
          tls = "required-verify requiretls=yes" }
        on("message", function(msg)
          msg:set_header("X-Asked", tostring(msg.require_tls))
        end)
        on("deliver", function(attempt)
          log.info("asked: " .. tostring(attempt.require_tls))
        end)
        """)
    server = start(relay, pairs[2], [hop], policy={"file": policy})
    submit(server)
    submit(server, params="")
    hop.wait(2)
    server.wait_empty()
    assert sorted(m.header("X-Asked") for m in hop.messages) == [
        "false", "true"]
    server.wait_log("asked: true")
    server.wait_log("asked: false")
    mails = [line for _, line in list(hop.commands)
             if line.upper().startswith("MAIL")]
    assert all("REQUIRETLS" in line for line in mails), mails
    base.remove_dir(folder)
