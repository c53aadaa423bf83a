"""Real senders at our listener: versions, keys, certificates, resumption."""

import os
import re
import subprocess

import pytest

from lib import base, certs, client, exim, postfix, swaks

VERSIONS = ["TLSv1.2", "TLSv1.3"]
KEYS = {"rsa": certs.RSA, "ecdsa": certs.EC}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return {kind: certs.make(str(tmp_path_factory.mktemp(kind)),
                             "relay.test", key) for kind, key in KEYS.items()}


def listener(pair, **settings):
    return {"listener": {"inbound": dict(cert=pair.cert, key=pair.key,
                                         **settings)}}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", KEYS)
def test_postfix_sends_over_each_version_to_each_key(
        relay, sink, makers, pairs, version, kind):
    server = relay(sink.port, listener(pairs[kind], tls="required"))
    sender = makers.add(postfix.as_relay(
        server.port, smtp_tls_security_level="verify",
        smtp_tls_CAfile=pairs[kind].cert,
        smtp_tls_verify_cert_match="relay.test",
        smtp_tls_mandatory_protocols=only(version),
        smtp_tls_loglevel="1")).start()
    sender.sendmail(client.message(), "a@client.test", "b@next.test")
    field = sink.wait(1)[0].header("Received")
    assert "using %s with cipher" % version in field
    base.wait_for(lambda: "Verified TLS connection established" in
                  base.read_text(sender.log), "Postfix's word")


def only(version):
    return "TLSv1.2, !TLSv1.3" if version == "TLSv1.2" else ">=TLSv1.3"


def test_exim_sends_over_tls(relay, sink, makers, pairs):
    """GnuTLS on the other side."""
    server = relay(sink.port, listener(pairs["rsa"], tls="required"))
    sender = makers.add(exim.Exim(next_port=server.port,
                                  tls_out=True)).start()
    sender.sendmail(client.message(), "a@client.test", "b@next.test")
    assert "using TLSv1.3 with cipher" in sink.wait(1)[0].header("Received")


@pytest.mark.parametrize("version", ["tlsv1_2", "tlsv1_3"])
def test_swaks_shows_its_certificate(relay, sink, tmp_path, version):
    pki = certs.Authority(str(tmp_path))
    pair = pki.client("good")
    server = relay(sink.port, {"listener": {"inbound": {
        "tls": "required", "client_cert": "require", "client_ca": pki.ca}}})
    swaks.send(server.port, "a@client.test", "b@next.test", "--tls",
               "--tls-protocol", version, "--tls-cert", pair.cert,
               "--tls-key", pair.key)
    sink.wait(1)
    server.wait_log("peer certificate verified")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_client_resumes_at_any_worker(relay, sink, tmp_path, version):
    """Tickets are good at all workers; the kernel picks who accepts."""
    server = relay(sink.port, {"workers": 4})
    ticket = str(tmp_path / "session")
    assert "New, " in s_client(server.port, version, "-sess_out", ticket)
    resumed = [re.search("^(New|Reused), ", s_client(
        server.port, version, "-sess_in", ticket), re.M).group(1)
        for _ in range(12)]
    assert resumed == ["Reused"] * 12


def s_client(port, *args):
    done = subprocess.run(
        ["openssl", "s_client", "-starttls", "smtp", "-connect",
         "127.0.0.1:%d" % port, "-ign_eof"] + list(args),
        input=b"EHLO client.test\r\nQUIT\r\n", stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=10 * base.PATIENCE, check=False)
    return done.stdout.decode("utf-8", "replace")


@pytest.mark.parametrize("ask,shown", [
    ("-sigalgs ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256", "EC"),
    ("-sigalgs RSA-PSS+SHA256:RSA+SHA256", "RSA")])
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_the_certificate_is_one_that_the_client_can_use(
        relay, sink, ask, shown, version):
    """The two that a first start makes."""
    server = relay(sink.port, {"listener": {"inbound": {
        "cert": None, "key": None}}})
    said = s_client(server.port, version, *ask.split())
    kind = "id-ecPublicKey" if shown == "EC" else "rsaEncryption"
    text = subprocess.run(["openssl", "x509", "-noout", "-text"],
                          input=said.encode(), stdout=subprocess.PIPE,
                          check=True).stdout.decode()
    assert kind in text, said


def test_the_certificate_is_chosen_by_sni(relay, sink, tmp_path):
    names = ["one.test", "two.test"]
    folder = tmp_path / "live"
    for name in names:
        os.makedirs(str(folder / name))
        pair = certs.make(str(tmp_path), name)
        os.rename(pair.cert, str(folder / name / "fullchain.pem"))
        os.rename(pair.key, str(folder / name / "privkey.pem"))
    server = relay(sink.port, {
        "tls": {"directories": [str(folder)]},
        "listener": {"inbound": {"cert": None, "key": None,
                                 "certificates": names}}})
    for asked, shown in [("one.test", "one.test"), ("two.test", "two.test"),
                         ("three.test", "one.test")]:
        said = s_client(server.port, "-servername", asked)
        assert "subject=CN = %s\n" % shown in said, said
    assert "subject=CN = one.test\n" in s_client(server.port, "-noservername")


def test_an_old_version_is_spoken_where_it_was_asked_for(relay, sink):
    old = base.free_port()
    server = relay(sink.port, {"listener": {"old": {
        "address": ["127.0.0.1:%d" % old], "tls_min_version": "1.0"}}})
    ask = ["-tls1_1", "-cipher", "ALL@SECLEVEL=0"]
    assert "Protocol  : TLSv1.1" in s_client(old, *ask)
    assert "Protocol  : TLSv1.1\n    Cipher    : 0000" in s_client(
        server.port, *ask)
