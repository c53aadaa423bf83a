"""postern queue: looking at the queue and acting on it."""

import pytest

from lib import base, client

pytestmark = pytest.mark.sanitizer


@pytest.fixture
def waiting(relay, sink):
    """A relay with three messages that wait for a long time."""
    sink.fault("rcpt", "450 4.2.0 greylisted", times=3)
    server = relay(sink.port, {"bounce_profile": {"default": {
        "first_retry": "1h", "max_retry": "1h"}}})
    for number in range(3):
        with server.client() as peer:
            peer.start().deliver(
                "s%d@client.test" % number, ["r@d%d.test" % number],
                client.message("m%d" % number))
    server.wait_log(r"MID \d+ to RID \[0\] pending till", 3)
    # What the log says is written with the next commit.
    base.wait_for(lambda: all(row["reason"] for row in server.cli_json(
        "queue", "list")), "the reasons in the queue")
    return server, sink


def mids(server, *options):
    return sorted(str(row["mid"]) for row in
                  server.cli_json("queue", "list", *options))


def test_count_and_list_show_what_waits(waiting):
    server, _ = waiting
    assert server.queue_count() == 3
    text = server.cli("queue", "list").text
    for number in range(3):
        assert "s%d@client.test" % number in text
        assert "r@d%d.test" % number in text
    assert len(mids(server)) == 3


@pytest.mark.parametrize("filters, count", [
    (["--from", "s1@client.test"], 1), (["--to", "r@d2.test"], 1),
    (["--domain", "d0.test"], 1), (["--from", "s*@client.test"], 3),
    (["--reason", "*greylisted*"], 3), (["--older-than", "1h"], 0),
    (["--newer-than", "1h"], 3), (["--to", "nobody@d2.test"], 0)])
def test_filters_choose(waiting, filters, count):
    assert len(mids(waiting[0], *filters)) == count


def test_show_has_envelope_reason_and_header(waiting):
    server, _ = waiting
    text = server.cli("queue", "show", mids(server)[0]).text
    for part in ("@client.test", "@d", "greylisted", "Subject: m"):
        assert part in text, text


def test_flush_of_one_domain_delivers_only_that(waiting):
    server, sink = waiting
    server.cli("queue", "flush", "--domain", "d1.test")
    assert sink.wait(1)[0].recipients == ["r@d1.test"]
    base.wait_for(lambda: server.queue_count() == 2, "two left")


def test_held_mail_waits_until_it_is_released(waiting):
    server, sink = waiting
    server.cli("queue", "hold", "--domain", "d1.test")
    server.cli("queue", "flush")
    sink.wait(2)
    base.wait_for(lambda: server.queue_count() == 1, "one left")
    server.cli("queue", "release", "--domain", "d1.test")
    server.cli("queue", "flush")
    assert sink.wait(3)[2].recipients == ["r@d1.test"]
    server.wait_empty()


def test_held_mail_stays_held_over_a_restart(waiting):
    server, sink = waiting
    server.cli("queue", "hold", "--domain", "d1.test")
    server.stop()
    server.start()
    server.cli("queue", "flush")
    sink.wait(2)
    base.wait_for(lambda: server.queue_count() == 1, "one left")
    assert "r@d1.test" not in sink.recipients()


def test_deleted_mail_is_gone_without_a_word(waiting):
    server, sink = waiting
    server.cli("queue", "delete", mids(server, "--domain", "d1.test")[0])
    assert server.queue_count() == 2
    server.cli("queue", "flush")
    sink.wait(2)
    server.wait_empty()
    assert "r@d1.test" not in sink.recipients()
    assert len(sink.messages) == 2


def test_bounced_mail_goes_back_at_once(waiting):
    server, sink = waiting
    server.cli("queue", "bounce", "--domain", "d1.test")
    report = sink.wait(1)[0]
    assert report.sender == "" and report.recipients == ["s1@client.test"]


def test_requeued_mail_is_tried_again(waiting):
    server, sink = waiting
    server.cli("queue", "requeue", "--domain", "d1.test")
    server.cli("queue", "flush", "--domain", "d1.test")
    assert sink.wait(1)[0].recipients == ["r@d1.test"]


def test_an_unknown_message_is_an_error(waiting):
    server, _ = waiting
    assert server.cli("queue", "show", "987654321",
                      check=False).returncode == 1
    assert server.cli("queue", "frobnicate", check=False).returncode == 2


def test_mail_of_workers_that_are_no_more_is_shown(relay, sink):
    sink.fault("rcpt", "450 4.2.1 not today")
    server = relay(sink.port, {
        "workers": 3, "bounce_profile": {"default": {
            "first_retry": "1h", "max_retry": "1h"}}})
    for _ in range(9):
        with server.client() as peer:
            peer.start().deliver("a@client.test", ["b@next.test"],
                                 client.message())
    server.wait_log("Delayed: ", 9)
    server.stop()
    server.write_config({"workers": 1})
    server.start()
    base.wait_for(lambda: server.queue_count() == 9, "nine messages")
    rows = server.cli_json("queue", "list")
    assert sorted(row["mid"] for row in rows) == list(range(1, 10))
    for mid in range(1, 10):
        assert "b@next.test" in server.cli("queue", "show", str(mid)).text
    assert len(server.cli_json("queue", "list", "--limit", "7")) == 7
