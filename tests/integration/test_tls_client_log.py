"""The log's lines about TLS on the way out, in order and to the letter."""

import re

import pytest

from lib import base, certs, client, postern_sink, sink as sinks


def lines_of_first(server):
    """What the log says of the first connection, until its close."""
    server.wait_log(r"^DCID 1 close$")
    lines = [line for line in server.log_lines()
             if re.search(r"\bDCID 1\b", line)]
    return lines[:lines.index("DCID 1 close") + 1]


def submit(server):
    with server.client() as peer:
        peer.start().deliver("a@client.test", ["b@next.test"],
                             client.message())


@pytest.fixture(scope="module")
def pair():
    return certs.make(base.private_dir("peer"), "next.test")


def first(port):
    return ("New SMTP DCID 1 interface 127.0.0.1 address 127.0.0.1 port %d"
            % port)


def error(port, details, reason):
    return ("Connection Error: DCID 1 domain: [127.0.0.1] IP: 127.0.0.1 port: "
            "%d details: %s interface: 127.0.0.1 reason: %s" % (
                port, details, reason))


REQUIRED = ("DCID 1 IP 127.0.0.1 TLS was required but could not be "
            "successfully negotiated")


@pytest.mark.parametrize("level", ["required", "required-verify"])
@pytest.mark.parametrize("fault, details, reason, failed", [
    (("ehlo", "502 5.5.1 what"), "502-'5.5.1 what'",
     "unexpected SMTP response", "ESMTP not supported"),
    (None, "STARTTLS not offered", "TLS error", "STARTTLS not offered"),
    (("starttls", "454 4.7.0 no TLS today"), "454-'4.7.0 no TLS today'",
     "unexpected SMTP response", "STARTTLS unexpected response"),
], ids=["noehlo", "nostarttls", "st454"])
def test_a_refusal_under_a_required_level(relay, make_sink, pair, level,
                                          fault, details, reason, failed):
    sink = make_sink(tls=pair if fault else None)
    if fault:
        sink.fault(*fault)
    server = relay(sink.port, {"workers": 1, "delivery": {"tls": level}})
    submit(server)
    assert lines_of_first(server) == [
        first(sink.port), error(sink.port, details, reason),
        "DCID 1 TLS failed: " + failed, REQUIRED, "DCID 1 close"]
    assert not sink.messages


def test_a_refusal_that_leads_to_clear_text(relay, make_sink, pair):
    sink = make_sink(tls=pair)
    sink.fault("starttls", "554 5.7.0 never")
    server = relay(sink.port, {"workers": 1,
                               "delivery": {"tls": "preferred"}})
    submit(server)
    lines = lines_of_first(server)
    assert lines[1] == "DCID 1 TLS failed: STARTTLS unexpected response"
    assert lines[2].startswith("Delivery start DCID 1 MID 1 to RID [0]")
    assert sink.wait(1)[0].tls is None


def test_a_failed_handshake_at_length(relay, make_sink, pair):
    sink = make_sink(tls=pair)
    server = relay(sink.port, {"workers": 1, "tls": {"verbose": True},
                               "delivery": {"tls": "required-verify"}})
    submit(server)
    lines = lines_of_first(server)
    found = re.match(r"DCID 1 TLS failed: \((\d+), 'error:([0-9a-f]{8}):"
                     r"SSL routines:OPENSSL_internal:"
                     r"CERTIFICATE_VERIFY_FAILED'\)$", lines[2])
    assert found and int(found.group(1)) == int(found.group(2), 16), lines
    assert lines[3] == REQUIRED
    assert lines[4] == "DCID 1 peer certificate not verified: self-signed"
    block = [line for line in lines if line.startswith("DCID 1 handshake: ")]
    assert block == lines[5:-1]
    assert "phase after STARTTLS" in block[0] and "step full" in block[0]
    assert "sent by us" in block[1]
    assert "reason self-signed" in block[2]
    assert "CN=next.test" in block[3]
    metrics = server.cli_json("status")[0]["metrics"]
    assert metrics["tls_out_failed_self_signed_total"] >= 1
    assert "tls_out_failed_self_signed_total" in server.cli("status").text


def test_a_reset_handshake(relay, make_sink, pair):
    sink = make_sink(tls=pair)
    sink.fault("starttls", sinks.Drop(reset=True, after=b"220 go\r\n"))
    server = relay(sink.port, {"workers": 1,
                               "delivery": {"tls": "required"}})
    submit(server)
    lines = lines_of_first(server)
    assert lines[2] in (
        "DCID 1 TLS failed: [Errno 104] Connection reset by peer",
        "DCID 1 TLS failed: [Errno 32] Broken pipe")
    assert lines[3] == REQUIRED


def test_a_certificate_for_another_name_is_told_with_both(relay, make_sink,
                                                          tmp_path):
    pair = certs.make(str(tmp_path), "other.test")
    sink = make_sink(tls=pair)
    server = relay(sink.port, {"workers": 1, "delivery": {
        "tls": "required-verify match=names names=next.test ca=" + pair.cert}})
    submit(server)
    lines = lines_of_first(server)
    assert "DCID 1 peer certificate not verified: name-mismatch " \
        "(next.test != other.test)" in lines
    reason = base.wait_for(lambda: server.cli_json("queue", "list")[0][
        "reason"], "the reason in the queue")
    assert "next.test != other.test" in reason


def test_a_peer_that_wants_a_certificate_and_gets_none_is_told_apart(
        relay, makers, tmp_path):
    """In TLS 1.3 its alert comes when our handshake is long done."""
    peer = makers.add(postern_sink.PosternSink(
        "--client-cert", "require"))
    server = relay(peer.port, {"workers": 1,
                               "delivery": {"tls": "required"}})
    submit(server)
    reason = base.wait_for(lambda: server.cli_json("queue", "list")[0][
        "reason"], "the reason in the queue")
    assert "(reason: client-certificate)" in reason
