"""The tables of store_pgsql as an older Postern made them."""

import pytest

from lib import base, client, pgschema
from test_store_pgsql import (LATER, flush_until, idents, send, stored,
                              wait_count, database)  # noqa

COLUMNS = """SELECT column_name FROM information_schema.columns WHERE
    table_schema = 'postern' AND table_name = '%s' ORDER BY ordinal_position"""
VIEW_1 = ["store", "mid", "rid", "addr", "state", "attempts", "next", "code",
          "status", "reason", "remote", "tls", "tls_reason", "route"]


def to_version_1(database):
    """What is in the tables of today goes into those of then."""
    database.sql("ALTER SCHEMA postern RENAME TO now")
    database.sql("CREATE SCHEMA postern; SET search_path = postern; " +
                 pgschema.VERSION_1)
    for table in pgschema.TABLES:
        columns = ", ".join(database.sql(COLUMNS % table))
        database.sql("INSERT INTO %s(%s) SELECT %s FROM now.%s" % (
            table, columns, columns, table))
    database.sql("DROP SCHEMA now CASCADE")
    assert database.sql("SELECT version FROM version") == ["1"]
    assert "profile" not in database.sql(COLUMNS % "recipient")
    assert database.sql(COLUMNS % "v_recipients") == VIEW_1


@pytest.mark.sanitizer
def test_messages_of_version_1_are_delivered(stored, sink, database):
    sink.fault("rcpt", "450 4.2.0 later")
    server = stored(sink.port, LATER, {"bounce_profile": dict(
        LATER["bounce_profile"], slow={"first_retry": "1h"})})
    count = 0
    # Some in the store of each worker, one that is large, one that is held.
    while len(database.sql("SELECT DISTINCT store FROM message")) < 2:
        assert send(server, "m%d" % count).startswith("250")
        count += 1
    assert send(server, "large", 300000).startswith("250")
    assert send(server, "held").startswith("250")
    count += 2
    base.wait_for(lambda: database.sql(
        "SELECT count(*) FROM recipient WHERE attempts = 1") == [str(count)],
        "an attempt for each")
    held = database.sql("SELECT max(mid) FROM message")[0]
    server.cli("queue", "hold", held)
    base.wait_for(lambda: database.sql(
        "SELECT mid FROM v_queue WHERE hold = 'held'") == [held], "the hold")
    # That somebody was warned was yes or no then.
    database.sql("UPDATE recipient SET warned = 1 WHERE mid = %s" % held)
    server.stop()
    to_version_1(database)

    # What came by a listener with a profile is stored with it again.
    server.write_config({"listener": {"inbound": {"bounce_profile": "slow"}}})
    server.start()
    wait_count(server, count)
    assert database.sql("SELECT version FROM version") == ["2"]
    assert database.sql(COLUMNS % "recipient")[-2:] == ["profile",
                                                        "warned_at"]
    assert database.sql(COLUMNS % "v_recipients") == VIEW_1 + [
        "bounce_profile", "warned"]
    with server.client() as peer:
        peer.start().deliver("a@client.test", ["new@next.test"],
                             client.message(ident="new"))
    base.wait_for(lambda: database.sql(
        "SELECT count(*) FROM recipient WHERE attempts = 1") == [
            str(count + 1)], "an attempt for the new one")
    assert sorted(database.sql(
        "SELECT '[' || bounce_profile || ']' || warned FROM v_recipients")
        ) == sorted(["[]0"] * (count - 1) + ["[]1", "[?slow]0"])
    sink.clear_faults()
    flush_until(server, sink, count)
    server.cli("queue", "release", held)
    flush_until(server, sink, count + 1)
    server.wait_empty()
    assert idents(sink) == sorted(["m%d" % i for i in range(count - 2)] +
                                  ["large", "held", "new"])
    assert max(len(m.data) for m in sink.messages) > 300000
    assert database.sql("SELECT count(*) FROM body") == ["0"]
