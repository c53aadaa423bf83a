"""postern certconfig beside a relay that runs."""

import os
import smtplib
import socket
import ssl
import subprocess

import pytest

from lib import base
from lib.ca import Ca
from lib.certs import Pair

HOST = "mx.relay.example"


@pytest.fixture
def running(relay):
    """A relay without any certificate of its administrator's."""
    return relay(config={
        "hostname": HOST,
        "listener": {"inbound": {"cert": None, "key": None}}})


def certconfig(relay, *args, code=0):
    done = subprocess.run(
        [base.POSTERN_BIN, "certconfig", "-c", relay.conf_file] + list(args),
        capture_output=True, text=True, timeout=120, start_new_session=True,
        check=False)
    assert done.returncode == code, (args, done.stdout, done.stderr)
    return done.stdout + done.stderr


def starttls(port):
    """The certificate that is shown, as DER."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        lines = sock.makefile("rb")
        assert lines.readline().startswith(b"220")
        sock.sendall(b"EHLO test\r\n")
        while not (line := lines.readline()).startswith(b"250 "):
            assert line
        sock.sendall(b"STARTTLS\r\n")
        assert lines.readline().startswith(b"220")
        with context.wrap_socket(sock, server_hostname=HOST) as tls:
            return tls.getpeercert(binary_form=True)


def der(path):
    return ssl.PEM_cert_to_DER_cert(
        "-----BEGIN" + base.read_text(path).split("-----BEGIN")[1])


def stored(relay, name="mail"):
    return os.path.join(relay.spool, "tls", name, "cert.pem")


def test_a_first_start_makes_certificates_that_are_flagged(running):
    said = base.wait_for(
        lambda: "Default certificate " in certconfig(running, "list") and
        certconfig(running, "list"), "both certificates")
    lines = said.splitlines()
    rsa = [x for x in lines if "RSA-4096" in x]
    ec = [x for x in lines if "ECDSA P-256" in x]
    assert len(rsa) == len(ec) == 1
    for line in rsa + ec:
        assert "demo, not verifiable" in line
        assert "listener:inbound (by default)" in line
    assert "demo" in certconfig(running, "check", "Default certificate")
    assert starttls(running.port) in (
        der(stored(running, "Default certificate")),
        der(stored(running, "Default certificate (ECDSA)")))


def test_a_relay_that_runs_takes_each_change(running):
    said = certconfig(running, "create", "mail", "--cn", HOST, "--key",
                      "p256")
    assert "The relay has taken the change." in said
    said = certconfig(running, "assign", "mail", "listener:inbound")
    assert "The relay has taken the change." in said
    base.wait_for(lambda: starttls(running.port) == der(stored(running)),
                  "the assigned certificate")
    root = Ca("Root")
    csr = os.path.join(running.dir, "mail.csr")
    certconfig(running, "csr", "mail", "-o", csr)
    leaf = root.sign(csr, os.path.join(running.dir, "leaf.pem"))
    certconfig(running, "upload", "mail", leaf)
    base.wait_for(lambda: starttls(running.port) == der(leaf),
                  "the signed certificate")
    certconfig(running, "restore", "mail", "1")
    base.wait_for(lambda: starttls(running.port) == der(stored(running)),
                  "the earlier certificate")
    assert der(stored(running)) != der(leaf)


def test_what_the_relay_cannot_take_is_said(running):
    certconfig(running, "create", "mail", "--cn", HOST, "--key", "p256")
    certconfig(running, "assign", "mail", "listener:inbound")
    base.wait_for(lambda: starttls(running.port) == der(stored(running)),
                  "the assigned certificate")
    shown = der(stored(running))
    base.write_file(stored(running), "broken\n")
    certconfig(running, "create", "other", "--cn", HOST, "--key", "p256")
    said = certconfig(running, "assign", "other", "https")
    assert stored(running) + " is broken" in said
    assert starttls(running.port) == shown


def test_a_root_of_the_custom_list_is_trusted_from_then_on(relay, make_sink):
    root = Ca("Partner Root")
    key, csr = (os.path.join(root.dir, name) for name in ("h.key", "h.csr"))
    base.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt",
              "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=partner",
              "-addext", "subjectAltName=DNS:other.example",
              "-keyout", key, "-out", csr])
    leaf = root.sign(csr, os.path.join(root.dir, "h.pem"))
    hop = make_sink(tls=Pair(leaf, key))
    running = relay(hop.port, config={"delivery": {"tls": "required-verify"}})
    with smtplib.SMTP("127.0.0.1", running.port, timeout=30) as client:
        client.sendmail("a@us.example", ["b@partner.example"],
                        "Subject: x\r\n\r\nx\r\n")
    # A chain that holds shows in the fault that is left, the name.
    base.wait_for(lambda: "TLS failed" in base.read_text(running.log_file),
                  running.tail)
    assert "name-mismatch" not in base.read_text(running.log_file)
    said = certconfig(running, "ca", "import", root.cert)
    assert "The relay has taken the change." in said
    base.wait_for(
        lambda: "name-mismatch" in base.read_text(running.log_file),
        lambda: base.tail(running.log_file))
    assert not hop.messages
