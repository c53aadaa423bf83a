"""What a node counts is counted where it happens."""

import pytest

from lib import base, client

pytestmark = pytest.mark.sanitizer


def metric(server, name):
    return server.cli_json("status")[0]["metrics"].get(name, 0)


def wait_metric(server, name, value):
    base.wait_for(lambda: metric(server, name) == value,
                  lambda: "%s %d, it is %d" % (name, value,
                                               metric(server, name)))


def send(server, *recipients, text=None):
    with server.client() as peer:
        peer.start().deliver("a@client.test", list(recipients),
                             text or client.message())


def test_a_message_refused_after_its_content_is_counted(relay, sink):
    server = relay(sink.port)
    with server.client() as peer:
        peer.start().mail("a@client.test", "b@next.test")
        assert peer.data(client.message(body="x\0y\r\n")).startswith("550")
    wait_metric(server, "messages_refused_total", 1)
    assert metric(server, "messages_received_total") == 0


def test_pending_recipients_are_counted_across_a_restart(relay, sink):
    sink.fault("rcpt", "450 4.2.0 later", when="later")
    server = relay(sink.port, {"bounce_profile": {"default": {
        "first_retry": "1h", "max_retry": "1h"}}})
    send(server, "one@next.test", "later1@next.test", "later2@other.test")
    wait_metric(server, "queue_recipients", 2)
    server.stop()
    server.start()
    wait_metric(server, "queue_recipients", 2)
    sink.clear_faults()
    server.cli("queue", "flush")
    wait_metric(server, "queue_recipients", 0)


def test_connections_out_and_what_they_carried_are_counted(relay, sink):
    server = relay(sink.port, {"workers": 1})
    send(server, "one@next.test")
    sink.wait(1)
    wait_metric(server, "recipients_delivered_total", 1)
    send(server, "two@next.test")
    sink.wait(2)
    wait_metric(server, "connections_out_reused_total", 1)
    wait_metric(server, "bytes_delivered_total",
                sum(len(message.data) for message in sink.messages))
    assert metric(server, "connections_out_total") == 1
    assert metric(server, "connections_out_failed_total") == 0


def test_a_connection_that_cannot_be_made_is_counted(relay):
    server = relay(base.free_port(), {"bounce_profile": {"default": {
        "first_retry": "1h", "max_retry": "1h"}}})
    send(server, "one@next.test")
    wait_metric(server, "connections_out_failed_total", 1)
    assert metric(server, "connections_out_total") == 0


def test_a_report_is_counted(relay, sink):
    sink.fault("rcpt", "550 5.1.1 nobody", when="gone")
    server = relay(sink.port)
    send(server, "gone@next.test")
    wait_metric(server, "reports_total", 1)


def test_questions_without_an_answer_are_counted(relay):
    server = relay(None, {"dns": {
        "servers": ["127.0.0.1@%d" % base.free_port()], "timeout": "200ms"}})
    send(server, "one@next.test")
    base.wait_for(lambda: metric(server, "dns_failed_total") > 0,
                  "a question that failed")
    assert metric(server, "dns_queries_total") >= \
        metric(server, "dns_failed_total")
