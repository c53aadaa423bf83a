"""Limits of destination blocks over two workers, at four times what they allow,
as the next hop counts them."""

import re

from lib import base, client, sink as sinks
from test_delivery_concurrency import flood


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
    few.fault("data", sinks.Slow("354 go", before=0.05))
    server = relay(None, {
        "workers": 2, "delivery": {"concurrency": 8},
        "destination": {"few.test": {"concurrency": 2, "route": "one"},
                        ".few.test": {"concurrency": 1, "route": "one"}},
        "route": {"one": {"hosts": ["127.0.0.1:%d" % few.port]},
                  "*": {"hosts": ["127.0.0.1:%d" % many.port]}}})
    flood(server, 32, "b%d@few.test")
    flood(server, 32, "b%d@a.few.test")
    flood(server, 8, "b%d@many.test")
    few.wait(64)
    many.wait(8)
    assert few.open_peak <= 3, few.open_peak
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
    rows = server.cli_json("queue", "list")
    assert len(rows) == 30, rows
    assert all(row["attempts"] == 0 for row in rows), rows
