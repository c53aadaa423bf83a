"""Real receivers as next hops: OpenSSL's Postfix and GnuTLS's Exim."""

import os
import re

import pytest

from lib import base, certs, client, exim, postfix

VERSIONS = ["TLSv1.2", "TLSv1.3"]
KEYS = {"rsa": certs.RSA, "ecdsa": certs.EC}
# As we call it, and as OpenSSL does.
STRONGEST = {
    ("TLSv1.3", "rsa"): ("TLS_AES_256_GCM_SHA384",) * 2,
    ("TLSv1.3", "ecdsa"): ("TLS_AES_256_GCM_SHA384",) * 2,
    ("TLSv1.2", "rsa"): ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
                         "ECDHE-RSA-AES256-GCM-SHA384"),
    ("TLSv1.2", "ecdsa"): ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
                           "ECDHE-ECDSA-AES256-GCM-SHA384"),
}
# Of twelve connections. Tickets of TLS 1.3 are used once (RFC 8446 C.4), and
# Postfix gives none when a session is resumed.
RESUMED = {"TLSv1.2": 10, "TLSv1.3": 5}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return {kind: certs.make(str(tmp_path_factory.mktemp(kind)),
                             "next.test", key) for kind, key in KEYS.items()}


def postfix_hop(makers, pair, version="", **settings):
    chosen = {
        "smtpd_tls_security_level": "may",
        "smtpd_tls_cert_file": pair.cert, "smtpd_tls_key_file": pair.key,
        "smtpd_tls_loglevel": "2", "smtpd_tls_received_header": "yes",
        "smtpd_tls_session_cache_database": "btree:${data_directory}/in",
        "smtpd_tls_protocols": {
            "TLSv1.2": "TLSv1.2, !TLSv1.3",
            "TLSv1.3": ">=TLSv1.3"}.get(version, ">=TLSv1.2")}
    chosen.update(settings)
    return makers.add(postfix.Postfix(**chosen)).start()


def exim_hop(makers, pair, version):
    return makers.add(exim.Exim(tls=True, pair=pair, settings=[
        "log_selector = +tls_cipher",
        "tls_require_ciphers = NORMAL:-VERS-ALL:+VERS-%s" %
        version.replace("v", "")])).start()


HOPS = {"postfix": postfix_hop, "exim": exim_hop}


def start(relay, hop, want, **config):
    return relay(None, dict(config, **{
        "route": {"next.test": {"hosts": ["127.0.0.1:%d" % hop.port]}},
        "delivery": dict({"idle": "0s"}, **config.get("delivery", {})),
        "destination": {"next.test": dict(
            {"tls": want}, **config.get("destination", {}))}}))


def submit(server, number=1):
    with server.client() as peer:
        peer.start().deliver("a@client.test", ["b@next.test"],
                             client.message("real", ident="%d@x" % number))


def success(server, count=1):
    """Version and cipher of each connection."""
    return [(found[1], found[2]) for found in server.wait_log(
        r"^DCID \d+ TLS success protocol (\S+) cipher (\S+)", count=count)]


def received(hop, count=1):
    """The field that the hop added last of all."""
    head = hop.wait_mails(count)[-1].decode().replace("\r\n", "\n")
    return re.sub(r"\n[ \t]+", " ", head).split("Received: ")[1]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("name", HOPS)
def test_mail_goes_verified_to(relay, makers, pairs, name, kind, version):
    """And with the strongest cipher that both have."""
    hop = HOPS[name](makers, pairs[kind], version)
    server = start(relay, hop, "required-verify ca=" + pairs[kind].cert)
    submit(server)
    field = received(hop)
    assert version.replace("v", "") in field.replace("TLSv", "TLS"), field
    spoken, cipher = success(server)[0]
    assert spoken == version
    if name == "postfix":       # GnuTLS has its own mind in TLS 1.2
        assert cipher == STRONGEST[version, kind][0]
        assert STRONGEST[version, kind][1] in field
    server.wait_log(r"peer certificate verified matched san:domain "
                    r"next\.test$")


@pytest.mark.parametrize("name", HOPS)
def test_an_unknown_root_gets_mail_only_where_that_does_not_matter(
        relay, makers, pairs, name):
    hop = HOPS[name](makers, pairs["ecdsa"], "TLSv1.3")
    server = relay(None, {
        "route": {"*": {"hosts": ["127.0.0.1:%d" % hop.port]}},
        "destination": {"next.test": {"tls": "required-verify"},
                        "other.test": {"tls": "required"}}})
    with server.client() as peer:
        peer.start().deliver("a@client.test", ["b@next.test"],
                             client.message("strict"))
        peer.deliver("a@client.test", ["b@other.test"],
                     client.message("lax"))
    server.wait_log("Delayed: .*reason: self-signed")
    assert b"Subject: lax" in hop.wait_mails(1)[0]
    assert hop.count() == 1


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_later_connection_resumes_at_postfix(relay, makers, pairs, version,
                                               workers):
    """From whichever worker; and the certificate still holds."""
    hop = postfix_hop(makers, pairs["ecdsa"], version)
    server = start(relay, hop, "required-verify ca=" + pairs["ecdsa"].cert,
                   workers=workers)
    for number in range(12):
        submit(server, number)
        hop.wait_mails(number + 1)
        server.wait_empty()
    assert len(success(server, 12)) == 12
    server.wait_log("peer certificate verified", count=12)
    metrics = server.cli_json("status")[0]["metrics"]
    assert metrics["tls_out_resumed_total"] >= RESUMED[version]
    assert metrics["tls_out_verified_total"] == 12
    reused = base.read_text(hop.log).count("eusing old session")
    assert reused >= RESUMED[version], base.tail(hop.log)


@pytest.fixture
def ours(tmp_path):
    """A store of two client certificates below one root."""
    pki = certs.Authority(str(tmp_path))
    for name, kind in (("partner", "good"), ("stranger", "foreign")):
        folder = tmp_path / "live" / name
        os.makedirs(str(folder))
        pair = pki.client(kind)
        base.write_file(str(folder / "fullchain.pem"),
                        base.read_text(pair.cert))
        base.write_file(str(folder / "privkey.pem"),
                        base.read_text(pair.key), 0o600)
    return pki, str(tmp_path / "live")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("scope", ["delivery", "destination"])
@pytest.mark.parametrize("demand", ["smtpd_tls_ask_ccert",
                                    "smtpd_tls_req_ccert"])
def test_our_certificate_is_shown_to_a_peer_that_asks(
        relay, makers, pairs, ours, demand, scope, version):
    pki, live = ours
    hop = postfix_hop(makers, pairs["rsa"], version, **{
        demand: "yes", "smtpd_tls_CAfile": pki.ca,
        "smtpd_tls_security_level": "encrypt"
        if "req" in demand else "may"})
    server = start(relay, hop, "required", tls={"directories": [live]},
                   **{scope: {"certificate": "partner"}})
    submit(server)
    assert 'Client CN "client.test", Issuer "root.test" (verified OK)' in \
        received(hop)


def test_no_certificate_is_shown_that_was_not_named(relay, makers, pairs,
                                                    ours):
    pki, live = ours
    hop = postfix_hop(makers, pairs["rsa"], smtpd_tls_ask_ccert="yes",
                      smtpd_tls_CAfile=pki.ca)
    server = start(relay, hop, "required", tls={"directories": [live]})
    submit(server)
    assert "(No client certificate requested)" not in received(hop)
    assert "Client did not present a certificate" in received(hop)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", [None, "stranger"])
def test_who_has_no_certificate_that_a_peer_requires_is_told(
        relay, makers, pairs, ours, name, version):
    pki, live = ours
    hop = postfix_hop(makers, pairs["rsa"], version,
                      smtpd_tls_security_level="encrypt",
                      smtpd_tls_req_ccert="yes", smtpd_tls_CAfile=pki.ca)
    delivery = {} if name is None else {"delivery": {"certificate": name}}
    server = start(relay, hop, "required", tls={"directories": [live]},
                   **delivery)
    submit(server)
    server.wait_log("Delayed: ")
    assert hop.count() == 0
