"""Limits of destination blocks over two workers, at four times what they allow,
as the next hop counts them; and which addresses of a host they go to."""

import re
import signal
import threading

import pytest

from lib import base, client, sink as sinks
from test_delivery_concurrency import Gate, flood


def domains(sink):
    """How many messages came for each domain."""
    counts = {}
    for message in list(sink.messages):
        for rcpt in message.recipients:
            domain = re.sub(".*@", "", rcpt)
            counts[domain] = counts.get(domain, 0) + 1
    return counts


def test_a_domain_on_a_shared_route_has_a_limit_of_its_own(relay, make_sink):
    few, many = make_sink(), make_sink()
    gate = Gate()
    few.fault("data", gate)
    server = relay(None, {
        "workers": 2, "delivery": {"concurrency": 8},
        "destination": {"few.test": {"concurrency": 2, "route": "one"},
                        ".few.test": {"concurrency": 1, "route": "one"}},
        "route": {"one": {"hosts": ["127.0.0.1:%d" % few.port]},
                  "*": {"hosts": ["127.0.0.1:%d" % many.port]}}})
    flood(server, 32, "b%d@few.test")
    flood(server, 32, "b%d@a.few.test")
    flood(server, 8, "b%d@many.test")
    many.wait(8)
    gate.wait_full(3)
    gate.opened.set()
    few.wait(64)
    assert few.open_peak == 3, few.open_peak
    assert domains(few) == {"few.test": 32, "a.few.test": 32}
    assert domains(many) == {"many.test": 8}
    server.wait_empty()


def test_no_more_messages_on_a_connection_than_the_block_allows(relay, sink):
    server = relay(sink.port, {
        "workers": 2,
        "destination": {"next.test": {"max_messages": 3}}})
    flood(server, 48)
    sink.wait(48)
    server.wait_empty()
    per = {}
    for message in list(sink.messages):
        per[message.connection] = per.get(message.connection, 0) + 1
    assert max(per.values()) <= 3, per


def test_recipients_of_a_window_are_counted_over_workers(relay, sink):
    server = relay(sink.port, {
        "workers": 2,
        "destination": {"next.test": {"recipients": 10,
                                      "recipient_minutes": 60}}})
    flood(server, 40)
    flood(server, 10, "b%d@other.test")
    sink.wait(20)
    base.wait_for(lambda: domains(sink) == {"next.test": 10, "other.test": 10},
                  "ten for each")
    # Another domain's mail is through: what waits does wait.
    with server.client() as peer:
        peer.ehlo()
        peer.deliver("a@client.test", ["last@other.test"],
                     client.message("last"))
    sink.wait(21)
    assert domains(sink) == {"next.test": 10, "other.test": 11}
    base.wait_for(lambda: len(server.cli_json("queue", "list")) == 30,
                  "thirty that wait")
    rows = server.cli_json("queue", "list")
    assert all(row["attempts"] == 0 for row in rows), rows


SHARED = """
one.test. 60 IN MX 10 mx.shared.test.
two.test. 60 IN MX 10 mx.shared.test.
three.test. 60 IN MX 10 mx.shared.test.
free.test. 60 IN MX 10 mx.free.test.
mx.shared.test. 60 IN A 127.0.0.1
mx.free.test. 60 IN A 127.0.0.9
test. 60 IN SOA ns.test. h.test. 1 3600 600 86400 60
"""


def by_mx(relay, sink, destinations, **more):
    """The domains' MX is the sink; four workers."""
    records = base.write_file(base.private_dir("zone") + "/records", SHARED)
    return relay(None, dict({
        "workers": 4,
        "dns": {"records": records, "servers": ["127.0.0.1@9"]},
        "delivery": {"port": sink.port, "concurrency": 40, "idle": "1s"},
        "destination": destinations}, **more))


def test_domains_that_share_a_host_share_its_limit_by_mx(relay, sink):
    """Four times the limit for each of three domains: the host never sees more
    connections than it may, and all of those; all mail arrives."""
    gate = Gate()
    sink.fault("data", gate)
    server = by_mx(relay, sink, {
        name: {"limit_by": "mx", "concurrency": 4}
        for name in ("one.test", "two.test", "three.test")})
    for name in ("one", "two", "three"):
        flood(server, 16, "b%d@" + name + ".test")
    gate.wait_full(4)
    gate.opened.set()
    sink.wait(48)
    server.wait_empty()
    assert sink.open_peak == 4, sink.open_peak
    assert domains(sink) == {"one.test": 16, "two.test": 16,
                             "three.test": 16}


def test_domains_on_one_host_have_limits_of_their_own_by_domain(relay, sink):
    gate = Gate()
    sink.fault("data", gate)
    server = by_mx(relay, sink, {
        name: {"limit_by": "domain", "concurrency": 2}
        for name in ("one.test", "two.test")})
    for name in ("one", "two"):
        flood(server, 24, "b%d@" + name + ".test")
    gate.wait_full(4)
    gate.opened.set()
    sink.wait(48)
    server.wait_empty()
    assert sink.open_peak == 4, sink.open_peak
    per = {}
    for message in list(sink.messages):
        per.setdefault(message.connection, set()).update(
            re.sub(".*@", "", rcpt) for rcpt in message.recipients)
    assert all(len(of) == 1 for of in per.values()), per


def test_what_dead_workers_held_of_a_host_is_given_back(relay, sink):
    """Killed in the middle of the data, each with its connections."""
    sink.fault("data", sinks.Slow("354 go", before=0.5), times=4)
    server = by_mx(relay, sink, {
        name: {"limit_by": "mx", "concurrency": 4}
        for name in ("one.test", "two.test")})
    for name in ("one", "two"):
        flood(server, 16, name + "%d@" + name + ".test")
    sink.wait_command("DATA", 4)
    for pid in server.worker_pids():
        base.run(["kill", "-9", str(pid)])
    base.wait_for(lambda: len(set(sink.recipients())) == 32,
                  "all after the workers' deaths")
    server.wait_workers()
    server.wait_empty()
    assert sink.open_peak <= 8, sink.open_peak  # the dead ones' at the sink


BOTH = """
both.test. 60 IN MX 10 mx.both.test.
usual.test. 60 IN MX 10 mx.both.test.
mx.both.test. 60 IN A 127.0.0.1
mx.both.test. 60 IN AAAA ::1
test. 60 IN SOA ns.test. h.test. 1 3600 600 86400 60
"""


def both_families(relay, make_sink, word, usual):
    """A relay, and the sinks on the addresses of a host: those of the family
    that the word names, and the other."""
    sinks_of = {"ipv4": make_sink(host="127.0.0.1")}
    port = sinks_of["ipv4"].port
    sinks_of["ipv6"] = make_sink(host="::1", port=port)
    records = base.write_file(base.private_dir("zone") + "/records", BOTH)
    server = relay(None, {
        "dns": {"records": records, "servers": ["127.0.0.1@9"]},
        "delivery": {"port": port, "ip": usual, "idle": "0s"}})
    server.cli("destconfig", "set", "both.test", "ip=" + word)
    server.cli("commit")
    family = word[-4:]
    return (server, sinks_of.pop(family), sinks_of.popitem()[1])


def send(server, *recipients):
    with server.client() as peer:
        peer.start().deliver("a@client.test", list(recipients),
                             client.message())


WORDS = [("prefer-ipv4", "require-ipv6"), ("prefer-ipv6", "require-ipv4"),
         ("require-ipv4", "prefer-ipv6"), ("require-ipv6", "prefer-ipv4")]


@pytest.mark.parametrize("word,usual", WORDS)
def test_a_destination_has_an_ip_preference_of_its_own(relay, make_sink, word,
                                                       usual):
    server, named, other = both_families(relay, make_sink, word, usual)
    send(server, "b@both.test")
    send(server, "b@usual.test")
    assert named.wait(1)[0].recipients == ["b@both.test"]
    assert other.wait(1)[0].recipients == ["b@usual.test"]
    server.wait_empty()
    assert len(named.sessions) == len(other.sessions) == 1


@pytest.mark.parametrize("word,usual", WORDS[:2])
def test_a_preferred_family_that_is_down_is_left_for_the_other(
        relay, make_sink, word, usual):
    server, named, other = both_families(relay, make_sink, word, usual)
    named.stop_listening()
    send(server, "b@both.test")
    assert other.wait(1)[0].recipients == ["b@both.test"]
    server.wait_empty()


@pytest.mark.parametrize("word,usual", WORDS[2:])
def test_a_required_family_that_is_down_defers_the_mail(relay, make_sink,
                                                        word, usual):
    """It never goes to the other, also when it is tried again."""
    server, named, other = both_families(relay, make_sink, word, usual)
    named.stop_listening()
    send(server, "b@both.test")
    base.wait_for(lambda: [row["attempts"] for row in server.cli_json(
        "queue", "list")] >= [2], "two attempts")
    assert other.sessions == []
    named.start()
    assert named.wait(1)[0].recipients == ["b@both.test"]
    server.wait_empty()
    assert other.sessions == []


def test_a_reload_lowers_the_limits_of_a_destination(relay, sink):
    """What was opened before ends with its message; then no more than the new
    limit are open."""
    server = relay(sink.port, {
        "workers": 4, "delivery": {"idle": "1s"},
        "destination": {"next.test": {"concurrency": 8,
                                      "max_messages": 50}}})
    gate = Gate()
    sink.fault("data", gate)
    flood(server, 32)
    gate.wait_full(8)
    server.write_config({"destination": {
        "next.test": {"concurrency": 2, "max_messages": 4}}})
    server.signal(signal.SIGHUP)
    server.wait_log("configuration 2")
    gate.old = len(sink.sessions)
    gate.opened.set()
    sink.wait(32)
    server.wait_empty()
    assert gate.old == 8
    assert 1 <= gate.most_new <= 2, gate.most_new
    per = {}
    for message in list(sink.messages):
        per[message.connection] = per.get(message.connection, 0) + 1
    assert sorted(per.values())[-1] <= 4, per
    assert [per.get(number) for number in range(8)] == [1] * 8


def reached(sink, domain):
    """How many recipients; a killed worker's message may come twice."""
    return len({rcpt for rcpt in sink.recipients()
                if rcpt.endswith("@" + domain)})


def test_the_window_of_recipients_is_exact_over_four_workers(relay, sink):
    """Whose messages become due together."""
    server = relay(sink.port, {
        "workers": 4,
        "destination": {"next.test": {"recipients": 12,
                                      "recipient_minutes": 60}}})
    sink.stop_listening()
    flood(server, 48)
    sink.start()
    sink.wait(12)
    flood(server, 32, "c%d@other.test")
    base.wait_for(lambda: reached(sink, "other.test") == 32,
                  "the other domain's mail")
    assert reached(sink, "next.test") == 12
    for pid in server.worker_pids():
        base.run(["kill", "-9", str(pid)])
    server.wait_workers()
    flood(server, 8, "d%d@other.test")
    base.wait_for(lambda: reached(sink, "other.test") == 40,
                  "the other domain's mail after the workers' deaths")
    assert reached(sink, "next.test") == 12
