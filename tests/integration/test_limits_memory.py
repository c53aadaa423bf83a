"""Memory stays bounded whatever the size of messages and queue."""

import hashlib
import os
import sqlite3
import time

from lib import base, client, procs

SLOW = {"bounce_profile": {"default": {
    "first_retry": "1d", "max_retry": "1d", "jitter": 0}}}
GROWTH_KB = 8 * 1024
LARGE = 149_000_000
MANY = 1_000_000


def growth_kb(server, act):
    """How much the highest memory of any worker grew while act() ran."""
    pids = server.wait_workers()
    for pid in pids:
        procs.reset_peak(pid)
    before = {pid: procs.status_kb(pid, "VmHWM") for pid in pids}
    act()
    assert server.worker_pids() == pids, "a worker was replaced"
    return max(procs.status_kb(pid, "VmHWM") - before[pid] for pid in pids)


def send_large(server):
    """Returns the digest of the body."""
    piece = (b"0123456789 " * 6 + b"\r\n") * 1000
    digest = hashlib.sha256()
    with server.client() as peer:
        peer.start().mail("a@client.test", "large@next.test",
                          params=" SIZE=%d" % LARGE)
        peer.expect("DATA", 354)
        peer.send(client.message(ident="large@client", body=""))
        for _ in range(LARGE // len(piece)):
            peer.send(piece)
            digest.update(piece)
        peer.send(b".\r\n")
        answer = peer.reply()
        assert answer.startswith("250"), answer
    return digest.hexdigest()


def test_150_mb_in_and_out_cost_a_worker_no_more_than_8_mb(relay, sink):
    server = relay(sink.port, SLOW)
    for _ in range(4):              # what is allocated once is allocated
        with server.client() as peer:
            peer.start().deliver("a@client.test", ["b@next.test"],
                                 client.message(body="x" * 70 + "\r\n" * 99))
    sink.wait(4)
    sink.fault("rcpt", "450 4.2.0 later", when="large@", times=1)
    digests = []
    into = growth_kb(server, lambda: digests.append(send_large(server)))
    server.wait_log(r"MID \d+ to RID \[0\] pending till")

    def deliver():
        server.cli("queue", "flush")
        sink.wait(5)
    out = growth_kb(server, deliver)
    print("a worker grew by %d KB in and %d KB out" % (into, out))
    assert sink.messages[-1].digest() == digests[0]
    assert into <= GROWTH_KB
    assert out <= GROWTH_KB


def multiply(path, copies):
    """Fill a store with copies of the message it holds, far-off ids."""
    store = sqlite3.connect(path)
    store.execute("PRAGMA synchronous = OFF")
    tables = [row[0] for row in store.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        columns = [row[1] for row in store.execute(
            "PRAGMA table_info('%s')" % table)]
        if "mid" not in columns:
            continue
        chosen = ", ".join("t.mid + 1000000000000 + n.i"
                           if column == "mid" else 't."%s"' % column
                           for column in columns)
        store.execute(
            'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n '
            'WHERE i < %d) INSERT INTO "%s" (%s) SELECT %s FROM n, (SELECT * '
            'FROM "%s" WHERE mid = (SELECT min(mid) FROM "%s")) AS t' % (
                copies, table, ", ".join('"%s"' % c for c in columns),
                chosen, table, table))
    store.commit()
    store.close()


def test_a_million_queued_messages_start_within_5_s_and_500_mb(relay):
    server = relay(base.free_port(), SLOW)
    stores = []
    while len(stores) < 2:          # until each worker has a message
        with server.client() as peer:
            peer.start().deliver("a@client.test", ["b@next.test"],
                                 client.message(body="y" * 70 + "\r\n" * 2))
        server.wait_log("pending till")
        stores = [row for row in _with_messages(server)]
    server.stop()
    for path in stores:
        multiply(path, MANY // len(stores))
    began = time.monotonic()
    server.start()
    with server.client() as peer:
        peer.ehlo()
    took = time.monotonic() - began
    base.wait_for(lambda: _known(server) >= MANY, "the whole queue")
    known = time.monotonic() - began
    pids = procs.tree(server.master_pid())
    memory = sum(procs.pss_kb(pid) for pid in pids) / 1024
    peak = sum(procs.status_kb(pid, "VmHWM") for pid in pids) / 1024
    print("first 220 after %.2f s, queue known after %.2f s, %.0f MB, at most "
          "%.0f MB" % (took, known, memory, peak))
    assert took < 5
    assert memory < 500
    assert peak < 500
    with server.client() as peer:
        peer.start().deliver("a@client.test", ["b@next.test"],
                             client.message())


def _known(server):
    """How many messages the workers have in their schedules."""
    workers = server.cli_json("status")[0]["workers"]
    return sum(worker["queue"]["messages"] for worker in workers)


def _with_messages(server):
    for name in sorted(os.listdir(server.spool)):
        if name.startswith("store-") and name.endswith(".db"):
            path = os.path.join(server.spool, name)
            store = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
            count = store.execute("SELECT count(*) FROM message").fetchone()
            store.close()
            if count[0]:
                yield path
