"""postern sink --fault: each fault as a peer sees it, certificates, captures."""

import re
import smtplib
import socket
import ssl
import subprocess

import pytest

from lib import base
from lib.postern_sink import PosternSink

MESSAGE = b"Subject: secret\r\n\r\nhello\r\n"


@pytest.fixture
def start(makers):
    return lambda *options, **more: makers.add(PosternSink(*options, **more))


def connect(port):
    return smtplib.SMTP("127.0.0.1", port, "client.test",
                        timeout=base.PATIENCE)


def trusting(sink, crl=False):
    context = ssl.create_default_context(cafile=sink.ca)
    if crl:
        context.load_verify_locations(sink.crl)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return context


def starttls(sink, name, context=None, port=None):
    smtp = connect(port or sink.port)
    smtp._host = name
    smtp.starttls(context=context or trusting(sink))
    return smtp


def deliver(smtp):
    smtp.sendmail("a@x.test", ["b@y.test"], MESSAGE)
    smtp.quit()


@pytest.mark.parametrize("fault, code", [
    ("st454", 454), ("st501", 501), ("st554", 554), ("st421", 421)])
@pytest.mark.sanitizer
def test_refuses_starttls_and_goes_on(start, fault, code):
    sink = start("--fault", fault)
    smtp = connect(sink.port)
    smtp.ehlo()
    assert smtp.has_extn("starttls")
    assert smtp.docmd("STARTTLS")[0] == code
    if code == 421:
        with pytest.raises(smtplib.SMTPServerDisconnected):
            smtp.noop()
        return
    deliver(smtp)
    assert sink.wait_messages(1)[0]["tls"] is None


def test_knows_no_ehlo(start):
    sink = start("--fault", "noehlo")
    smtp = connect(sink.port)
    assert smtp.ehlo()[0] == 500
    assert smtp.docmd("STARTTLS")[0] == 500
    assert smtp.helo()[0] == 250
    deliver(smtp)
    assert not sink.wait_messages(1)[0]["esmtp"]


def test_does_not_offer_starttls(start):
    sink = start("--fault", "nostarttls")
    smtp = connect(sink.port)
    assert smtp.ehlo()[0] == 250
    assert not smtp.has_extn("starttls")
    assert smtp.docmd("STARTTLS")[0] == 502
    deliver(smtp)


def test_masks_starttls(start):
    sink = start("--fault", "xxxx")
    smtp = connect(sink.port)
    smtp.ehlo()
    assert smtp.has_extn("xxxxxxxx") and not smtp.has_extn("starttls")
    assert smtp.docmd("STARTTLS")[0] == 500
    deliver(smtp)


@pytest.mark.parametrize("fault, error", [
    ("st-drop", smtplib.SMTPServerDisconnected),
    ("st-reset", smtplib.SMTPServerDisconnected),
    ("220-garbage", ssl.SSLError),
    ("220-close", ssl.SSLError),
    ("220-reset", ConnectionResetError),
    ("220-alert", ssl.SSLError),
    ("220-noshared", ssl.SSLError),
    ("220-old", ssl.SSLError),
    ("220-bighello", ssl.SSLError)])
@pytest.mark.sanitizer
def test_ends_the_way_to_tls(start, fault, error):
    sink = start("--fault", fault)
    context = trusting(sink)
    if fault == "220-bighello":
        context.set_alpn_protocols(["x" * 200] * 6)
    with pytest.raises(error):
        starttls(sink, "sink.test", context)
    capture = sink.wait_closed(1)[0]
    assert capture.commands() == ["EHLO", "STARTTLS"]
    assert capture.octets("<", "tls") == b""


@pytest.mark.sanitizer
def test_hangs_behind_the_220_until_the_peer_goes(start):
    sink = start("--fault", "220-hang")
    smtp = connect(sink.port)
    smtp.ehlo()
    assert smtp.docmd("STARTTLS")[0] == 220
    smtp.sock.sendall(b"\x16\x03\x01\x00\x04hell")
    smtp.sock.settimeout(0.3)
    with pytest.raises(socket.timeout):
        smtp.sock.recv(1)
    smtp.close()
    assert sink.wait_closed(1)[0].notes[-1] == "closed"


def test_says_something_in_clear_behind_the_220(start):
    sink = start("--fault", "220-inject")
    smtp = connect(sink.port)
    smtp.ehlo()
    assert smtp.docmd("STARTTLS")[0] == 220
    assert smtp.getreply()[0] == 250
    smtp.close()


@pytest.mark.parametrize("fault, version", [
    ("tls12", "TLSv1.2"), ("tls13", "TLSv1.3")])
def test_speaks_one_version_only(start, fault, version):
    sink = start("--fault", fault)
    deliver(starttls(sink, "sink.test"))
    tls = sink.wait_messages(1)[0]["tls"]
    assert tls["version"] == version and tls["sni"] == "sink.test"
    assert tls["client_certificate"] is None and not tls["resumed"]


def test_refuses_senders_and_recipients_inside_tls(start):
    sink = start(listen=["mail-550", "rcpt-452"])
    smtp = starttls(sink, "sink.test")
    assert smtp.ehlo()[0] == 250
    assert smtp.mail("a@x.test")[0] == 550
    smtp.close()
    smtp = starttls(sink, "sink.test", port=sink.ports[1])
    assert smtp.ehlo()[0] == 250
    assert smtp.mail("a@x.test")[0] == 250
    assert smtp.rcpt("b@y.test")[0] == 452
    smtp.close()


@pytest.mark.parametrize("kind, name, error", [
    ("good", "mx.a.test", None),
    ("wild", "mx.a.test", None),
    ("san-only", "mx.a.test", None),
    ("dupchain", "mx.a.test", None),
    ("misordered", "mx.a.test", None),
    ("revoked", "mx.a.test", "certificate revoked"),
    ("self", "mx.a.test", "self-signed|self signed"),
    ("untrusted", "mx.a.test", "unable to get local issuer"),
    ("nochain", "mx.a.test", "unable to get local issuer"),
    ("expired", "mx.a.test", "expired"),
    ("oldchain", "mx.a.test", "expired"),
    ("notyet", "mx.a.test", "not yet valid"),
    ("wrongname", "mx.a.test", "ostname mismatch"),
    ("cn-only", "mx.a.test", None),
    ("client-only", "mx.a.test", "purpose")])
def test_shows_the_certificate_that_was_asked_for(start, kind, name, error):
    sink = start("--cert-kind", kind, "--cert-name", name)
    context = trusting(sink, crl=error is None or "revoked" in error)
    if error is None:
        deliver(starttls(sink, name, context))
        return
    with pytest.raises(ssl.SSLCertVerificationError, match=error):
        starttls(sink, name, context)


def test_makes_certificates_of_each_kind_of_key(start):
    sink = start(listen=["key=p384", "key=rsa"])
    for port in sink.ports:
        deliver(starttls(sink, "sink.test", port=port))


def test_does_wrong_for_so_many_connections_only(start):
    sink = start("--fault", "220-close:2,st454:1", "--cert-kind", "expired:3")
    with pytest.raises(smtplib.SMTPResponseException):
        starttls(sink, "sink.test")
    with pytest.raises(ssl.SSLError):
        starttls(sink, "sink.test")
    with pytest.raises(ssl.SSLCertVerificationError):
        starttls(sink, "sink.test")
    deliver(starttls(sink, "sink.test"))


def test_does_something_else_at_each_address(start):
    sink = start("--fault", "st454", "--cert-name", "mx.a.test",
                 listen=[None, "", "cert=wrongname"])
    with pytest.raises(smtplib.SMTPResponseException):
        starttls(sink, "mx.a.test")
    deliver(starttls(sink, "mx.a.test", port=sink.ports[1]))
    with pytest.raises(ssl.SSLCertVerificationError):
        starttls(sink, "mx.a.test", port=sink.ports[2])
    assert sink.wait_messages(1)[0]["local"] == \
        "127.0.0.1:%d" % sink.ports[1]


@pytest.mark.sanitizer
def test_captures_every_octet_in_both_directions(start):
    sink = start()
    smtp = connect(sink.port)
    smtp.ehlo()
    smtp.sendmail("a@x.test", ["b@y.test"], MESSAGE)
    smtp.starttls(context=ssl._create_unverified_context())
    deliver(smtp)
    capture = sink.wait_closed(1)[0]
    came = capture.octets("<", "clear")
    assert came.startswith(b"ehlo client.test\r\nmail FROM:<a@x.test>")
    assert MESSAGE + b".\r\n" in came and came.endswith(b"STARTTLS\r\n")
    assert capture.octets(">", "clear").startswith(b"220 sink.test ESMTP")
    assert capture.octets(">", "clear").endswith(b"Ready to start TLS\r\n")
    assert capture.records()[0][0] == 22
    assert b"secret" not in capture.octets("<", "handshake", "tls")
    assert any(note.startswith("TLSv1.3 TLS_") for note in capture.notes)
    assert [piece.at for piece in capture.pieces] == \
        sorted(piece.at for piece in capture.pieces)


def test_asks_for_a_certificate_and_shows_it(start, tmp_path):
    from lib import certs
    pair = certs.make(str(tmp_path), "client.test")
    sink = start("--client-cert", "ask")
    context = trusting(sink)
    deliver(starttls(sink, "sink.test", context))
    context.load_cert_chain(pair.cert, pair.key)
    deliver(starttls(sink, "sink.test", context))
    first, second = sink.wait_messages(2)
    assert first["tls"]["client_certificate"] is None
    done = subprocess.run(
        ["openssl", "x509", "-in", pair.cert, "-noout", "-fingerprint",
         "-sha256"], stdout=subprocess.PIPE, check=True)
    wanted = done.stdout.decode().split("=")[1].replace(":", "").strip()
    assert second["tls"]["client_certificate"] == wanted.lower()


def test_shows_that_a_session_was_resumed(start):
    sink = start("--fault", "tls12")
    context = trusting(sink)
    smtp = starttls(sink, "sink.test", context)
    session = smtp.sock.session
    deliver(smtp)
    with connect(sink.port) as smtp:
        smtp.ehlo()
        smtp.docmd("STARTTLS")
        smtp.sock = context.wrap_socket(
            smtp.sock, server_hostname="sink.test", session=session)
        smtp.file = None
        smtp.ehlo()
        smtp.sendmail("a@x.test", ["b@y.test"], MESSAGE)
    assert [each["tls"]["resumed"] for each in sink.wait_messages(2)] == \
        [False, True]


@pytest.mark.sanitizer
@pytest.mark.parametrize("fault", ["220-garbage", "220-bighello", "st454",
                                   "xxxx", "noehlo"])
def test_survives_what_is_no_smtp(start, fault):
    sink = start("--fault", fault)
    for junk in (b"\0" * 100000, b"\n" * 5000, b"x" * 70000 + b"\r\n",
                 b"EHLO a\r\nSTARTTLS\r\n" + bytes(range(256)) * 100,
                 b"STARTTLS\r\nSTARTTLS\r\nEHLO\r\nEHLO x\r\nDATA\r\n",
                 b"\x16\x03\x01\xff\xff", b"EHLO x", b""):
        with socket.create_connection(("127.0.0.1", sink.port)) as sock:
            try:
                sock.sendall(junk)
                sock.shutdown(socket.SHUT_WR)
                sock.settimeout(base.PATIENCE)
                while sock.recv(65536):
                    pass
            except (ConnectionResetError, BrokenPipeError, OSError):
                pass
    sink.wait_closed(8)
    assert sink.process.poll() is None


def test_answers_pipelined_commands_in_order(start):
    sink = start("--fault", "st454")
    with socket.create_connection(("127.0.0.1", sink.port)) as sock:
        sock.sendall(b"EHLO x\r\nSTARTTLS\r\nNOOP\r\nSTARTTLS\r\nQUIT\r\n")
        sock.shutdown(socket.SHUT_WR)
        text = b""
        while True:
            data = sock.recv(65536)
            if not data:
                break
            text += data
    codes = re.findall(rb"^(\d{3}) ", text, re.M)
    assert codes == [b"220", b"250", b"454", b"250", b"454", b"221"]


@pytest.mark.parametrize("options, status, words", [
    (["--fault", "st45"], 2, "st45 is no fault"),
    (["--fault", "st354"], 2, "st354 is no fault"),
    (["--fault", "st454:0"], 2, "no number of connections"),
    (["--fault", "st454:x"], 2, "no number of connections"),
    (["--fault", "st454,st-drop"], 2, "st-drop has no effect beside st454"),
    (["--fault", "noehlo,tls12"], 2, "tls12 has no effect beside noehlo"),
    (["--fault", "st454:3,220-hang:3"], 2, "no effect beside"),
    (["--fault", "st454", "--cert-kind", "self"], 2, "cert=self has no"),
    (["--listen", "127.0.0.1:1=xxxx,cert=self"], 2, "cert=self has no"),
    (["--listen", "127.0.0.1:1=nonsense"], 2, "nonsense is no fault"),
    (["--cert-kind", "bad"], 2, "bad is no kind of certificate"),
    (["--cert-key", "dsa"], 2, "dsa is no kind of key"),
    (["--cert-name", "a b"], 2, "a b is no name"),
    (["--client-cert", "maybe"], 2, "ask or require"),
    (["--no-tls", "--fault", "tls12"], 2, "--no-tls leaves nothing"),
    (["--no-tls", "--ca-out", "/nowhere/x"], 2, "--no-tls leaves nothing"),
    (["--cert", "/nowhere", "--cert-kind", "self"], 2, "--cert is one"),
    (["--ca-out", "/nowhere/ca.pem"], 1, "/nowhere/ca.pem"),
])
def test_refuses_what_makes_no_sense(options, status, words):
    done = base.run([base.POSTERN_BIN, "sink"] + options, check=False)
    assert (done.returncode, words in done.text) == (status, True), done.text
