"""Full disks and failing syncs: 4xx, nothing lost, and it goes on after."""

import os
import signal
import subprocess

import pytest

from lib import base, load as loads, postern
from lib.disk import SmallDisk

SLOW = {"bounce_profile": {"default": {"first_retry": "1h",
                                       "max_retry": "1h"}}}


def only_4xx(refusals):
    """The first refusal in each transaction was 4xx; 503s may follow it."""
    first = [[code for code in text.split() if code[0] in "45"][0]
             for text in refusals]
    return all(code.startswith("4") for code in first)


@pytest.mark.parametrize("free_space", ["16M", "0"],
                         ids=["with-reserve", "to-the-last-byte"])
def test_a_full_disk_refuses_for_now_and_recovers(makers, sink, free_space):
    sink.stop_listening()
    arrivals = loads.Arrivals(sink)
    disk = makers.add(SmallDisk("48M"))
    disk.fill(1000)
    server = makers.add(postern.Postern(sink.port, dict(
        SLOW, limits={"free_space": free_space}), spool=disk.spool())).start()
    load = loads.Load(server).start()
    try:
        base.wait_for(lambda: len(load.refusals) > 50, "refusals")
        assert any(text.startswith("452 4.3.1") or "452" in text
                   for text in load.refusals), load.refusals[:5]
        assert only_4xx(load.refusals), load.refusals[:5]
        sink.start()
        server.cli("queue", "flush")
        base.wait_for(lambda: len(arrivals.times) > 20, "deliveries")
        before = len(load.acknowledged)
        load.wait_acknowledged(before + 50)
    finally:
        load.stop()
    server.cli("queue", "flush")
    arrivals.wait_all(load, server)
    server.wait_empty()


def test_a_disk_that_others_fill_is_emptied_by_deliveries(makers, sink):
    """Nobody makes room, and results of deliveries need some."""
    sink.stop_listening()
    arrivals = loads.Arrivals(sink)
    disk = makers.add(SmallDisk("48M"))
    server = makers.add(postern.Postern(sink.port, dict(
        SLOW, limits={"free_space": "0"}), spool=disk.spool())).start()
    load = loads.Load(server).start()
    load.wait_acknowledged(300)
    load.stop()
    # What is on its way now would lose its reserve to the others.
    base.wait_for(lambda: all(
        each["store"]["waiting"] == each["queue"]["active"] == 0
        for each in server.cli_json("status")[0]["workers"]),
        "stores that are at rest")
    disk.fill()
    sink.start()
    server.cli("queue", "flush")
    arrivals.wait_all(load, server)
    server.wait_empty()


def test_a_relay_starts_on_a_full_disk_and_empties_it(makers, sink):
    sink.stop_listening()
    arrivals = loads.Arrivals(sink)
    disk = makers.add(SmallDisk("48M"))
    server = makers.add(postern.Postern(sink.port, dict(
        SLOW, limits={"free_space": "0"}), spool=disk.spool())).start()
    # What is in the configuration store has to be read, too.
    server.cli("destconfig", "set", "other.test", "tls=required")
    server.cli("commit", "to be read at the start")
    load = loads.Load(server).start()
    load.wait_acknowledged(200)
    load.stop()
    server.stop()
    disk.fill()
    server.start()
    shown = server.cli("destconfig", "list").stdout.decode()
    assert "other.test" in shown, shown
    # A flush is for what has been read by then.
    base.wait_for(lambda: sum(
        each["queue"]["messages"]
        for each in server.cli_json("status")[0]["workers"]) ==
        len(load.acknowledged), "all messages in the queue")
    sink.start()
    server.cli("queue", "flush")
    arrivals.wait_all(load, server)
    server.wait_empty()


def test_a_disk_that_others_fill_and_free(makers, sink):
    arrivals = loads.Arrivals(sink)
    disk = makers.add(SmallDisk("64M"))
    server = makers.add(postern.Postern(sink.port, {
        "limits": {"free_space": "0"}}, spool=disk.spool())).start()
    load = loads.Load(server).start()
    try:
        for _ in range(3):
            load.wait_acknowledged(len(load.acknowledged) + 50)
            disk.fill()
            before = len(load.refusals)
            base.wait_for(lambda: len(load.refusals) > before + 10,
                          "refusals on a full disk")
            disk.free()
        load.wait_acknowledged(len(load.acknowledged) + 50)
    finally:
        load.stop()
    assert only_4xx(load.refusals), load.refusals[:5]
    arrivals.wait_all(load, server)
    server.wait_empty()


class FailingSync:
    """fsync and fdatasync of these processes answer EIO, by strace."""

    def __init__(self, pids, output):
        args = ["strace", "-f", "-qq", "-o", output,
                "-e", "trace=fsync,fdatasync",
                "-e", "inject=fsync,fdatasync:error=EIO"]
        for pid in pids:
            args += ["-p", str(pid)]
        self.output = output
        self.process = subprocess.Popen(args)

    def wait_used(self):
        base.wait_for(lambda: "INJECTED" in base.read_text(self.output),
                      "a sync that failed")

    def close(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()


def test_a_sync_that_fails_is_a_4xx_and_loses_nothing(makers, sink):
    arrivals = loads.Arrivals(sink)
    server = makers.add(postern.Postern(sink.port)).start()
    load = loads.Load(server).start()
    try:
        load.wait_acknowledged(50)
        broken = FailingSync(server.wait_workers(), os.path.join(
            server.dir, "strace"))
        broken.wait_used()
        base.wait_for(lambda: len(load.refusals) > 20, "refusals")
        # Acknowledgements may have been on their way; then there are none.
        before = len(load.acknowledged)
        refused = len(load.refusals)
        base.wait_for(lambda: len(load.refusals) > refused + 50,
                      "more refusals")
        assert len(load.acknowledged) - before <= 6
        server.wait_log(r"^store \d+ cannot be written: ")
        broken.close()
        load.wait_acknowledged(len(load.acknowledged) + 100)
        server.wait_log(r"store \d+ can be written again")
    finally:
        load.stop()
    assert only_4xx(load.refusals), load.refusals[:5]
    arrivals.wait_all(load, server)
    server.wait_empty()


def test_a_damaged_store_is_set_aside_and_the_relay_starts(makers, sink):
    dead = base.free_port()
    server = makers.add(postern.Postern(dead, SLOW)).start()
    load = loads.Load(server, threads=2).start()
    load.wait_acknowledged(50)
    load.stop()
    server.stop()
    stores = [name for name in os.listdir(server.spool)
              if name.startswith("store-") and name.endswith(".db")]
    assert stores
    with open(os.path.join(server.spool, sorted(stores)[0]), "r+b") as file:
        file.write(b"this is not a database any more" * 300)
    server.start()
    corrupt = os.path.join(server.spool, "corrupt")
    base.wait_for(lambda: os.path.isdir(corrupt) and os.listdir(corrupt),
                  "the damaged store under corrupt/")
    with server.client() as peer:
        peer.ehlo()
    server.wait_log("was damaged and is now .*/corrupt/")
    print("%d messages still to be read" % server.queue_count())
