"""kill -9 at any moment: nothing acknowledged is lost or damaged.

POSTERN_CYCLES=1000 makes it a long test.
"""

import os
import random
import signal
import time

import pytest

from lib import base, client, load as loads, postfix

CYCLES = int(os.environ.get("POSTERN_CYCLES", "20"))


@pytest.fixture
def accounted(relay, sink):
    """A relay under load, and a sink that defers every tenth message."""
    chance = random.Random(7)

    def sometimes(session, _):
        later = chance.random() < 0.1
        session.write(b"450 4.2.0 later\r\n" if later else b"250 ok\r\n")
        return "450" if later else "250"
    sink.fault("rcpt", sometimes)
    arrivals = loads.Arrivals(sink)
    server = relay(sink.port, {
        "bounce_profile": {"default": {"first_retry": "500ms",
                                       "max_retry": "1s"}}})
    load = loads.Load(server).start()
    yield server, load, arrivals
    load.stop()


def test_all_processes_are_killed_under_load(accounted):
    server, load, arrivals = accounted
    chance = random.Random(1)
    moments = []
    for _ in range(CYCLES):
        load.wait_acknowledged(len(load.acknowledged) + 20)
        time.sleep(chance.uniform(0, 0.4))
        moments.append(time.monotonic())
        server.kill()
        server.start()
    load.stop()
    arrivals.wait_all(load, server)
    server.wait_empty()
    arrivals.assert_doubles_only_at(moments)
    assert not load.refusals, load.refusals[:5]


def test_single_processes_are_killed_under_load(accounted):
    server, load, arrivals = accounted
    chance = random.Random(2)
    moments = []
    for cycle in range(CYCLES):
        if cycle % 4 == 3:
            # Workers that die again and again are started ever more slowly,
            # which would make this test long.
            server.stop()
            server.start()
        load.wait_acknowledged(len(load.acknowledged) + 20)
        time.sleep(chance.uniform(0, 0.4))
        moments.append(time.monotonic())
        os.kill(chance.choice(server.wait_workers(1)), signal.SIGKILL)
    load.stop()
    arrivals.wait_all(load, server)
    server.wait_empty()
    arrivals.assert_doubles_only_at(moments)
    base.wait_for(lambda: len(server.worker_pids()) == 2, "two workers")


def test_a_killed_master_in_the_middle_of_load_loses_nothing(accounted):
    server, load, arrivals = accounted
    moments = []
    for _ in range(3):
        load.wait_acknowledged(len(load.acknowledged) + 20)
        moments.append(time.monotonic())
        os.kill(server.master_pid(), signal.SIGKILL)
        server.process.wait()
        server.kill()
        server.start()
    load.stop()
    arrivals.wait_all(load, server)
    arrivals.assert_doubles_only_at(moments, 3.0)


def test_after_a_crash_with_10000_queued_the_first_220_comes_within_1_s(
        relay, makers):
    dead = base.free_port()
    server = relay(dead, {"bounce_profile": {"default": {
        "first_retry": "1h", "max_retry": "1h"}}})
    tools = makers.add(postfix.Postfix())
    base.run(tools.tool("smtp-source", "-d", "-m", "10000", "-s", "40",
                        "-l", "4000", "-f", "a@client.test",
                        "-t", "b@next.test", "127.0.0.1:%d" % server.port))
    assert server.queue_count() == 10000
    server.kill()
    began = time.monotonic()
    server.start(ready=False)

    def greeted():
        """A killed thread may keep the old socket for a moment longer."""
        try:
            with client.Client("127.0.0.1", server.port) as peer:
                return peer.banner.startswith("220")
        except OSError:
            return False
    base.wait_for(greeted, "the first 220")
    took = time.monotonic() - began
    print("first 220 after %.3f s" % took)
    assert took < 1.0
    server.wait_ready()
    base.wait_for(lambda: server.queue_count() == 10000, "all of the queue")
