"""Which name of a certificate counts, by what DNS can vouch for."""

import shutil

import pytest

from lib import base, certs, client

SIGNED = """
@       MX 10 mx
mx      A 127.0.0.1
"""
UNSIGNED = """
plain       MX 10 mx.plain
mx.plain    A 127.0.0.1
"""


def submit(server, recipient):
    with server.client() as peer:
        peer.start().deliver("a@client.test", [recipient], client.message())


def prepare(relay, resolver, make_sink, name, tls="required-verify",
            anchors=True):
    """A relay that validates, and a sink whose certificate is for name."""
    pair = certs.make(base.private_dir("peer"), name)
    sink = make_sink(tls=pair)
    unbound = resolver({"secure.test": SIGNED, "test": UNSIGNED},
                       signed=["secure.test"])
    dns = {"servers": [unbound.address]}
    if anchors:
        dns["trust_anchor"] = shutil.copy(
            unbound.anchors, base.private_dir("anchors") + "/root.key")
    server = relay(None, {
        "dns": dns,
        "delivery": {"port": sink.port, "ca_file": pair.cert, "tls": tls}})
    return server, sink


def test_the_mx_name_counts_where_dnssec_vouches_for_it(relay, resolver,
                                                        make_sink):
    server, sink = prepare(relay, resolver, make_sink, "mx.secure.test")
    submit(server, "b@secure.test")
    assert sink.wait(1)[0].tls
    server.wait_log(r"^DCID \d+ peer certificate verified matched san:mx "
                    r"mx\.secure\.test$")


def test_the_mx_name_counts_for_nothing_without_an_anchor(relay, resolver,
                                                          make_sink):
    server, sink = prepare(relay, resolver, make_sink, "mx.secure.test",
                         anchors=False)
    submit(server, "b@secure.test")
    server.wait_log("Delayed: .* name-mismatch")
    assert not sink.messages


def test_the_mx_name_counts_for_nothing_in_an_unsigned_zone(relay, resolver,
                                                            make_sink):
    server, sink = prepare(relay, resolver, make_sink, "mx.plain.test")
    submit(server, "b@plain.test")
    server.wait_log("Delayed: .* name-mismatch")
    assert not sink.messages


@pytest.mark.parametrize("domain", ["secure.test", "plain.test"])
def test_the_domain_counts_always(relay, resolver, make_sink, domain):
    server, sink = prepare(relay, resolver, make_sink, domain)
    submit(server, "b@" + domain)
    assert sink.wait(1)[0].tls
    server.wait_log(r"^DCID \d+ peer certificate verified matched "
                    r"san:domain %s$" % domain.replace(".", r"\."))


def test_a_zone_whose_signatures_are_wrong_defers(relay, resolver, make_sink):
    server, sink = prepare(relay, resolver, make_sink, "mx.secure.test")
    forged = base.write_file(
        base.private_dir("anchors") + "/wrong.key",
        "secure.test. IN DS 1 13 2 " + "00" * 32 + "\n")
    server.write_config({"dns": {"trust_anchor": forged}})
    server.stop()
    server.start()
    submit(server, "b@secure.test")
    server.wait_log(r"Delayed: DCID 0 .* 4\.4\.3")
    assert not sink.messages


def test_the_mx_name_counts_unsigned_for_hosted(relay, resolver, make_sink):
    server, sink = prepare(relay, resolver, make_sink, "mx.plain.test",
                         tls="required-verify-hosted")
    submit(server, "b@plain.test")
    assert sink.wait(1)[0].tls
    server.wait_log("matched san:mx mx.plain.test$")


def test_the_name_of_the_address_counts_for_compat(relay, make_sink):
    pair = certs.make(base.private_dir("peer"), "host.elsewhere.test")
    sink = make_sink(tls=pair)
    records = base.write_file(
        base.private_dir("zone") + "/records",
        "1.0.0.127.in-addr.arpa. PTR host.elsewhere.test.\n"
        "plain.test. MX 10 mx.plain.test.\nmx.plain.test. A 127.0.0.1\n")
    server = relay(None, {
        "dns": {"records": records},
        "delivery": {"port": sink.port, "ca_file": pair.cert,
                     "tls": "required-verify match=compat"}})
    submit(server, "b@plain.test")
    assert sink.wait(1)[0].tls
    server.wait_log("matched cn:ptr host.elsewhere.test$")


def test_an_unverified_peer_is_told_of_and_gets_preferred_mail(
        relay, resolver, make_sink):
    server, sink = prepare(relay, resolver, make_sink, "mx.plain.test",
                         tls="preferred-verify")
    submit(server, "b@plain.test")
    assert sink.wait(1)[0].tls
    server.wait_log(r"^DCID \d+ peer certificate not verified: name-mismatch")
