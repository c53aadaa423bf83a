"""The queue in PostgreSQL (store_pgsql): as durable as in files."""

import os
import random
import re
import signal
import time

import pytest

from lib import base, load as loads, postgres
from lib.client import message

BUILD = os.path.dirname(base.POSTERN_BIN)
CYCLES = int(os.environ.get("POSTERN_CYCLES", "20"))
SOON = {"bounce_profile": {"default": {"first_retry": "500ms",
                                       "max_retry": "1s"}}}
LATER = {"bounce_profile": {"default": {"first_retry": "1h",
                                        "max_retry": "1h"}}}


@pytest.fixture
def database(makers):
    return makers.add(postgres.Postgres()).start()


@pytest.fixture
def stored(relay, database, makers):
    """stored(next_port, ...): a relay whose queue is in the database."""
    def make(port, *changes, **kwargs):
        config = {
            "plugin_dirs": [os.path.join(BUILD, "plugins", "store_pgsql")],
            "queue": {"store": "pg"},
            "plugin": {("store_pgsql", "pg"): {
                "conninfo": database.conninfo, "lease": "5s",
                "connect_timeout": "2s",
                "password": "file:" + database.path("password")}}}
        for change in changes:
            config.update(change)
        return relay(port, config, **kwargs)
    return make


def flush_until(server, sink, count):
    """So many messages at the sink; also of a store that is not there yet."""
    def arrived():
        server.cli("queue", "flush", check=False)
        return len(sink.messages) >= count
    base.wait_for(arrived, lambda: "%d messages\n%s" % (
        count, server.tail()))


def wait_count(server, count):
    base.wait_for(lambda: server.queue_count() == count, lambda: (
        "%d in the queue\n%s" % (count, server.tail())))


def idents(sink):
    return sorted((m.header("Message-ID") or "").strip("<>")
                  for m in sink.messages)


def send(server, ident, size=100):
    """The reply to one message."""
    body = "y" * 70 + "\r\n"
    with server.client() as peer:
        peer.ehlo("load.test")
        peer.mail("a@client.test", "b@next.test")
        return peer.data(message("x", body * (size // len(body) + 1), ident))


def test_the_engine_keeps_what_store_1_promises(database):
    """The unit tests of the store, with this engine."""
    program = os.path.join("plugins", "store_pgsql", "test_store_pgsql")
    base.run(["make", "-C", BUILD, program])
    done = base.run([os.path.join(BUILD, program)], env=dict(
        os.environ, PGPASSWORD=postgres.PASSWORD,
        POSTERN_PGSQL=database.conninfo), timeout=10 * base.PATIENCE)
    assert re.search("^ok ", done.text, re.M), done.text
    assert "not ok" not in done.text, done.text


@pytest.mark.sanitizer
def test_messages_wait_in_the_database_over_a_restart(stored, sink, database):
    sink.fault("rcpt", lambda s, _: s.write(b"450 4.2.0 later\r\n") or "450")
    server = stored(sink.port, LATER)
    for i in range(4):
        assert send(server, "m%d" % i, 100 + i * 200000).startswith("250")
    base.wait_for(lambda: database.sql(
        "SELECT count(*) FROM v_recipients WHERE attempts = 1 AND code = 450"
        " AND state = 'waiting'") == ["4"], "four attempts")
    rows = server.cli_json("queue", "list")
    mids = sorted(row["mid"] for row in rows)
    assert len(mids) == 4, rows
    assert "b@next.test" in server.cli("queue", "show", str(mids[0])).text
    server.cli("queue", "hold", str(mids[1]))
    server.cli("queue", "delete", str(mids[2]))
    base.wait_for(lambda: database.sql(
        "SELECT hold FROM v_queue ORDER BY mid") ==
        ["active", "held", "active"], "what the commands did")
    server.stop()
    # Nothing of it is in the files.
    assert not [name for name in os.listdir(server.spool)
                if name.endswith(".db")]
    sink.clear_faults()
    server.start()
    wait_count(server, 3)
    server.cli("queue", "release", str(mids[1]))
    base.wait_for(lambda: database.sql(
        "SELECT count(*) FROM v_queue WHERE hold = 'held'") == ["0"],
        "the release")
    server.cli("queue", "flush")
    server.wait_empty()
    assert sorted(len(m.data) > 400000 for m in sink.messages) == \
        [False, False, True]
    assert database.sql("SELECT count(*) FROM body") == ["0"]


@pytest.mark.sanitizer
def test_a_server_that_is_gone_means_451_and_no_loss(stored, sink, database):
    sink.fault("rcpt", lambda s, _: s.write(b"450 4.2.0 later\r\n") or "450")
    server = stored(sink.port, SOON)
    assert send(server, "before").startswith("250")
    database.kill()
    assert send(server, "meanwhile").startswith("451 4.3.0")
    server.wait_log("store . cannot be written: .*")
    # A service that starts without it waits for it, too.
    server.stop()
    server.start()
    assert send(server, "meanwhile").startswith("451 4.3.0")
    sink.clear_faults()
    database.start()
    base.wait_for(lambda: send(server, "after").startswith("250"), "a 250")
    flush_until(server, sink, 2)
    server.wait_empty()
    assert idents(sink) == ["after", "before"]


def test_a_second_relay_is_kept_out_until_the_first_has_gone(
        stored, sink, make_sink, database):
    first = stored(base.free_port(), LATER)
    assert send(first, "one").startswith("250")
    second = stored(sink.port, SOON)
    second.wait_log("store . is in use by relay.test", 2)
    answer = send(second, "two")
    assert answer.startswith("451 4.3.0"), answer
    assert second.queue_count() == 0
    assert send(first, "three").startswith("250")
    first.kill()
    # Its lease runs out; what it had is delivered by the other.
    flush_until(second, sink, 2)
    base.wait_for(lambda: send(second, "four").startswith("250"), "a 250")
    # When the first comes back it has to wait in turn.
    first.start()
    assert send(first, "five").startswith("451 4.3.0")
    second.wait_empty()
    assert idents(sink) == ["four", "one", "three"]


def test_a_relay_that_lost_its_stores_ends_its_workers(
        stored, sink, database):
    first = stored(base.free_port(), LATER)
    assert send(first, "one").startswith("250")
    database.sql("UPDATE lease SET owner = 'x', token = token + 1, "
                 "host = 'b.test', until = now() + interval '1 hour'")
    first.wait_log("store . was taken over by another", 2)
    first.wait_log("store . is in use by b.test", 2)
    assert send(first, "two").startswith("451 4.3.0")


def test_fewer_workers_take_over_the_stores_of_the_others(
        stored, sink, database):
    server = stored(base.free_port(), LATER)
    count = 0
    while len(database.sql("SELECT DISTINCT store FROM message")) < 2:
        assert send(server, "x").startswith("250")
        count += 1
    server.stop()
    server.write_config({"workers": 1, "route": {"*": {
        "hosts": ["127.0.0.1:%d" % sink.port]}}})
    server.start()
    server.wait_log("worker 0 takes over store 1")
    flush_until(server, sink, count)
    server.wait_empty()
    assert len(sink.messages) == count


def test_what_was_in_files_before_is_delivered(stored, sink, database):
    sink.fault("rcpt", lambda s, _: s.write(b"450 4.2.0 later\r\n") or "450")
    server = stored(sink.port, LATER, {"queue": {"store": ""}})
    assert send(server, "old").startswith("250")
    server.wait_log("Delayed: DCID")
    server.stop()
    sink.clear_faults()
    server.write_config({"queue": {"store": "pg"}})
    server.start()
    assert database.sql("SELECT count(*) FROM message") == ["0"]
    wait_count(server, 1)
    assert send(server, "new").startswith("250")
    flush_until(server, sink, 2)
    server.wait_empty()
    assert idents(sink) == ["new", "old"]


@pytest.fixture
def accounted(stored, sink):
    """A relay under load, and a sink that defers every tenth message."""
    chance = random.Random(7)

    def sometimes(session, _):
        later = chance.random() < 0.1
        session.write(b"450 4.2.0 later\r\n" if later else b"250 ok\r\n")
        return "450" if later else "250"
    sink.fault("rcpt", sometimes)
    arrivals = loads.Arrivals(sink)
    server = stored(sink.port, SOON)
    load = loads.Load(server).start()
    yield server, load, arrivals
    load.stop()


def test_workers_and_servers_are_killed_under_load(accounted, database):
    server, load, arrivals = accounted
    chance = random.Random(2)
    moments = []
    for cycle in range(CYCLES):
        if cycle % 4 == 3:
            # Workers that die again and again are started ever more slowly.
            server.stop()
            server.start()
        load.wait_acknowledged(len(load.acknowledged) + 20)
        time.sleep(chance.uniform(0, 0.4))
        moments.append(time.monotonic())
        if cycle % 2 == 0:
            os.kill(chance.choice(server.wait_workers(1)), signal.SIGKILL)
        else:
            database.kill()
            database.start()
    load.stop()
    arrivals.wait_all(load, server)
    server.wait_empty()
    arrivals.assert_doubles_only_at(moments, 8.0)
    assert database.sql("SELECT count(*) FROM message") == ["0"]
    assert database.sql("SELECT count(*) FROM body") == ["0"]
