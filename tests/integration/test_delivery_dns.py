"""Where mail goes: MX records from a real resolver, or from a file."""

import pytest

from lib import base, certs, client

ZONE = """
plain       MX 10 mx.plain
mx.plain    A 127.0.0.2
two         MX 10 dead.two
two         MX 20 alive.two
dead.two    A 127.0.0.3
alive.two   A 127.0.0.4
null        MX 0 .
alias       CNAME plain
implicit    A 127.0.0.5
aaaa        MX 10 mx.aaaa
mx.aaaa     AAAA ::1
nomail      TXT "no address here"
equal       MX 10 one.equal
equal       MX 10 two.equal
one.equal   A 127.0.0.6
two.equal   A 127.0.0.7
cnamemx     MX 10 alias.mx
alias.mx    CNAME mx.plain
"""


@pytest.fixture(scope="module")
def port():
    return base.free_port()


def submit(server, *recipients):
    with server.client() as peer:
        for recipient in recipients:
            peer.start().deliver("a@client.test", [recipient],
                                 client.message())


def with_resolver(relay, resolver, port, zones=None):
    unbound = resolver(zones or {"test": ZONE})
    return relay(None, {"dns": {"servers": [unbound.address]},
                        "delivery": {"port": port}})


@pytest.mark.parametrize("domain, address", [
    ("plain.test", "127.0.0.2"), ("two.test", "127.0.0.4"),
    ("alias.test", "127.0.0.2"), ("implicit.test", "127.0.0.5"),
    ("cnamemx.test", "127.0.0.2"), ("PLAIN.Test", "127.0.0.2")])
def test_the_right_host_is_found_for(relay, resolver, make_sink, domain,
                                     address):
    sink = make_sink(host=address)
    server = with_resolver(relay, resolver, sink.port)
    submit(server, "b@" + domain)
    assert sink.wait(1)[0].recipients[0].lower() == "b@" + domain.lower()
    server.wait_empty()


def test_a_host_with_ipv6_only_is_reached(relay, resolver, make_sink):
    sink = make_sink(host="::1")
    server = with_resolver(relay, resolver, sink.port)
    submit(server, "b@aaaa.test")
    sink.wait(1)


def test_an_address_literal_needs_no_dns(relay, make_sink):
    sink = make_sink()
    server = relay(None, {"delivery": {"port": sink.port}})
    submit(server, "b@[127.0.0.1]")
    sink.wait(1)


def test_equal_preferences_share_the_load(relay, resolver, make_sink):
    one = make_sink(host="127.0.0.6")
    two = make_sink(host="127.0.0.7", port=one.port)
    server = with_resolver(relay, resolver, one.port)
    with server.client() as peer:
        peer.ehlo()
        for _ in range(40):
            peer.deliver("a@client.test", ["b@equal.test"], client.message())
    base.wait_for(lambda: len(one.messages) + len(two.messages) == 40,
                  "forty messages")
    assert one.messages or two.messages
    server.wait_empty()


@pytest.mark.parametrize("domain, status", [
    ("null.test", r"5\.1\.10"), ("none.test", r"5\.1\.2|5\.4\.4"),
    ("nomail.test", r"5\.1\.2|5\.4\.4")])
def test_a_domain_without_mail_bounces(relay, resolver, make_sink, domain,
                                       status):
    sink = make_sink(host="127.0.0.2")
    server = with_resolver(relay, resolver, sink.port)
    with server.client() as peer:
        peer.start().deliver("a@plain.test", ["b@" + domain],
                             client.message())
    server.wait_log(r"Bounced: DCID 0 MID \d+ to RID 0 - (%s) - " % status)
    report = sink.wait(1)[0]
    assert report.sender == "" and report.recipients == ["a@plain.test"]


def test_a_resolver_failure_defers(relay, resolver, make_sink):
    sink = make_sink(host="127.0.0.2")
    server = with_resolver(relay, resolver, sink.port, {
        "test": ZONE, "broken.test": None})
    submit(server, "b@x.broken.test", "b@plain.test")
    server.wait_log(r"Delayed: DCID 0 MID \d+ to RID 0 - 4\.4\.3")
    sink.wait(1)
    assert server.queue_count() == 1


def test_a_file_of_records_answers_in_place_of_dns(relay, make_sink,
                                                   makers):
    sink = make_sink(host="127.0.0.2")
    server = relay(None, {"delivery": {"port": sink.port}})
    records = server.add_file("hosts.zone", "".join(
        "%s\n" % line for line in (
            "plain.test. 60 IN MX 10 mx.plain.test.",
            "mx.plain.test. 60 IN A 127.0.0.2",
            "null.test. 60 IN MX 0 .",
            "implicit.test. 60 IN A 127.0.0.2")))
    server.write_config({"dns": {"records": records}})
    server.stop()
    server.start()
    submit(server, "b@plain.test", "b@implicit.test", "b@null.test")
    sink.wait(2)
    server.wait_log(r"Bounced: DCID 0 MID \d+ to RID 0 - 5\.1\.10")


def test_domains_go_to_their_routes_and_the_rest_to_the_star(relay,
                                                             make_sink):
    exact, below, rest = make_sink(), make_sink(), make_sink()
    server = relay(None, {"route": {
        "here.test": {"hosts": ["127.0.0.1:%d" % exact.port]},
        ".sub.test": {"hosts": ["127.0.0.1:%d" % below.port]},
        "*": {"hosts": ["127.0.0.1:%d" % rest.port]}}})
    with server.client() as peer:
        peer.start().deliver("a@client.test", [
            "b@here.test", "b@deep.sub.test", "b@else.test"],
            client.message())
    assert exact.wait(1)[0].recipients == ["b@here.test"]
    assert below.wait(1)[0].recipients == ["b@deep.sub.test"]
    assert rest.wait(1)[0].recipients == ["b@else.test"]


@pytest.mark.parametrize("name, good", [
    ("partner.test", True), ("mx.forged.test", False)])
def test_a_route_by_mx_is_verified_by_its_own_domain(relay, make_sink, name,
                                                     good):
    pair = certs.make(base.private_dir("peer"), name)
    hop = make_sink(tls=pair)
    records = base.write_file(
        base.private_dir("zone") + "/records",
        "partner.test. MX 10 mx.forged.test.\nmx.forged.test. A 127.0.0.1\n")
    server = relay(None, {
        "dns": {"records": records},
        "delivery": {"port": hop.port, "ca_file": pair.cert},
        "route": {"partner.test": {"hosts": ["mx:partner.test"],
                                   "tls": "required-verify"}}})
    submit(server, "b@partner.test")
    if good:
        assert hop.wait(1)[0].tls
    else:
        server.wait_log("Delayed: .* name-mismatch")
        assert not hop.messages
