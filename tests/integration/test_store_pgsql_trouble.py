"""The queue in PostgreSQL when the server or the way to it is in trouble."""

import os
import select

import pytest

from lib import base, postgres, wire
from lib.client import message
from lib.disk import SmallDisk
from test_store_pgsql import (BUILD, LATER, SOON, flush_until, idents, send,
                              stored, wait_count, database)  # noqa

PLUGINS = os.path.join(BUILD, "tests", "plugins")
# What the server says when it has committed.
COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"
REFUSE = "450 4.2.0 later"


@pytest.fixture
def way(makers, database):
    """To the database, and how a relay is told to take it."""
    made = makers.add(wire.Wire(("127.0.0.1", database.port)))
    made.conninfo = "host=127.0.0.1 port=%d user=postern dbname=postgres " \
        "sslmode=disable" % made.port
    return made


def through(way, **changes):
    return {"plugin": {("store_pgsql", "pg"): dict({
        "conninfo": way.conninfo, "lease": "1m", "connect_timeout": "1m",
        "password": "file:" + way.password}, **changes)}}


@pytest.fixture
def relayed(stored, way, database, sink):
    """relayed(...): a relay that reaches its database by the way."""
    way.password = database.path("password")

    def make(*changes, **options):
        return stored(sink.port, SOON, {"workers": 1},
                      through(way, **options), *changes)
    return make


def rows(database, count, where="true"):
    base.wait_for(lambda: database.sql(
        "SELECT count(*) FROM message WHERE " + where) == [str(count)],
        "%d messages in the database" % count)


@pytest.mark.sanitizer
def test_a_commit_whose_answer_was_lost_is_done_once(
        relayed, way, database, sink):
    server = relayed(patience="1m")
    for i in range(6):
        way.lose(COMMITTED)
        answer = send(server, "m%d" % i, 100 + i * 60000)
        assert answer.startswith("250"), answer
        assert way.lost == i + 1
        sink.wait(i + 1)
        # No other commit is under way when the next answer is lost.
        rows(database, 0)
    server.wait_empty()
    assert idents(sink) == ["m%d" % i for i in range(6)]
    assert database.sql("SELECT count(*) FROM body") == ["0"]


@pytest.mark.sanitizer
def test_what_was_committed_but_refused_is_taken_back(
        relayed, way, database, sink):
    server = relayed(patience="0s")
    way.lose(COMMITTED, then_refuse=True)
    answer = send(server, "ghost")
    assert answer.startswith("451 4.3.0"), answer
    assert way.lost == 1
    # It is there, but the client was told that it is not.
    rows(database, 1)
    assert not sink.messages
    way.refuse(False)
    rows(database, 0)
    assert database.sql("SELECT count(*) FROM recipient") == ["0"]
    assert database.sql("SELECT count(*) FROM body") == ["0"]
    base.wait_for(lambda: send(server, "ghost").startswith("250"), "a 250")
    server.wait_empty()
    server.stop()
    server.start()
    assert send(server, "after").startswith("250")
    server.wait_empty()
    assert idents(sink) == ["after", "ghost"]


def test_a_full_database_means_452_and_no_loss(makers, stored, sink):
    disk = makers.add(SmallDisk("24M"))
    os.chmod(disk.place, 0o755)
    space = os.path.join(disk.place, "space")
    os.mkdir(space, 0o700)
    os.chown(space, postgres.USER, postgres.USER)
    database = makers.add(postgres.Postgres()).start()
    # The log of the database is elsewhere: without that it could not live.
    database.sql("CREATE TABLESPACE small LOCATION '%s'" % space)
    database.sql("ALTER ROLE postern SET default_tablespace = small")
    sink.fault("rcpt", REFUSE)
    server = stored(sink.port, LATER, {"workers": 1, "plugin": {
        ("store_pgsql", "pg"): {
            "conninfo": database.conninfo,
            "password": "file:" + database.path("password")}}})
    assert send(server, "before", 300000).startswith("250")
    base.wait_for(lambda: database.sql(
        "SELECT count(*) FROM recipient WHERE attempts = 1") == ["1"],
        "an attempt")
    disk.fill()
    answer = send(server, "full", 300000)
    assert answer.startswith("452 4.3.1"), answer
    rows(database, 1)
    # What brings no mail goes on: this one leaves the full database.
    sink.clear_faults()
    flush_until(server, sink, 1)
    rows(database, 0)
    answer = send(server, "full", 300000)
    assert answer.startswith("452 4.3.1"), answer
    disk.free()
    assert send(server, "after", 300000).startswith("250")
    server.wait_empty()
    assert idents(sink) == ["after", "before"]
    server.stop()


def test_a_server_that_hangs_holds_up_commits_and_nothing_else(
        relayed, way, database, sink):
    server = relayed(patience="1m", statement_timeout="5m")
    assert send(server, "before").startswith("250")
    server.wait_empty()
    rows(database, 0)
    for cut in (False, True):
        way.hold()
        if cut:
            # Now the connection has to be made anew, and that hangs.
            way.cut()
        with server.client() as one, server.client() as two:
            one.start()
            one.mail("a@client.test", "b@next.test")
            one.send(b"DATA\r\n")
            assert one.reply().startswith("354")
            one.send(message("x", "body\r\n", "held%d" % cut) + b".\r\n")
            if cut:
                base.wait_for(lambda: way.waiting > 0, "a connection")
            two.start()
            for _ in range(3):
                two.mail("a@client.test", "b@next.test")
                two.expect("RSET", 250)
            assert not select.select([one.sock], [], [], 0)[0]
            way.release()
            answer = one.reply()
            assert answer.startswith("250"), answer
        server.wait_empty()
        rows(database, 0)
    assert idents(sink) == ["before", "held0", "held1"]


def test_a_relay_waits_for_a_database_that_hangs_when_it_starts(
        relayed, way, database, sink):
    server = relayed()
    server.stop()
    way.hold()
    server.start(ready=False)
    base.wait_for(lambda: way.waiting > 0, "a connection")
    way.release()
    server.wait_ready()
    assert send(server, "after").startswith("250")
    server.wait_empty()
    assert idents(sink) == ["after"]


def test_those_who_wait_for_another_do_so_over_kill_9(stored, sink, database):
    """A demands TLS, which the sink does not have; B waits for it."""
    server = stored(sink.port, LATER)
    server.stop()
    server.write_config({
        "plugin_dirs": server.config["plugin_dirs"] + [PLUGINS],
        "plugin": {"puppet": {
            "eom": "for a@next.test set rcpt.tls forced;"
                   "for a@next.test set rcpt.branch first;"
                   "for b@next.test set rcpt.after first 3600"}}})
    server.start()
    with server.client() as peer:
        peer.start().deliver("s@client.test", ["a@next.test", "b@next.test"],
                             message("x", "body\r\n", "m"))
    row = "SELECT attempts FROM recipient WHERE state = 0 AND mid = %s"
    waits = "SELECT encode(waits_for, 'escape') FROM message WHERE mid = %s"
    first, second = database.sql("SELECT mid FROM message ORDER BY "
                                 "waits_for <> '', mid")
    assert database.sql(waits % second) == [first]
    base.wait_for(lambda: database.sql(row % first) == ["1"], "an attempt")
    server.kill()
    server.start()
    wait_count(server, 2)
    server.cli("queue", "flush")
    base.wait_for(lambda: database.sql(row % first) == ["2"], "the second")
    assert database.sql(row % second) == ["0"]
    assert database.sql(waits % second) == [first]
    # Somebody gives up on A: B may go at once, which is recorded.
    sink.fault("rcpt", REFUSE)
    base.wait_for(lambda: server.cli("queue", "delete", first,
                                     check=False).returncode == 0, "its end")
    base.wait_for(lambda: database.sql(row % second) == ["1"],
                  "an attempt of the other")
    base.wait_for(lambda: database.sql(waits % second) == [], "no more waiting")
    assert not sink.messages
    server.kill()
    sink.clear_faults()
    server.start()
    flush_until(server, sink, 1)
    server.wait_empty()
    assert [m.recipients for m in sink.messages] == [["b@next.test"]]
