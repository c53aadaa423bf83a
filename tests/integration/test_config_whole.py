"""A revision is there whole or not at all, whoever reads, edits or dies."""

import json
import os
import random
import re
import signal
import subprocess
import threading

import pytest

from lib import base
from test_config_store import commit, config, settled, status

ROUNDS = 8


@pytest.fixture
def server(relay, sink):
    return relay(sink.port)


def pair(server, n):
    """A draft of two objects that say the same number."""
    path = server.add_file("pair", "delivery { concurrency = %d }\n"
                           'destination "pair.test" { concurrency = %d }\n'
                           % (n, n))
    config(server, "load", path)


def numbers(text):
    found = re.findall(r"  concurrency = (\d+),", text)
    assert len(found) == 2 and found[0] == found[1], text
    return int(found[0])


def in_force(server):
    """What the relay has is the head, once it has made up its mind."""
    def same():
        now = status(server)
        return now["in_force"] == now["head"]["revision"] and now
    return base.wait_for(same, server.tail)["in_force"]


def test_readers_see_whole_revisions_while_others_commit(server):
    pair(server, 1)
    commit(server)
    done, wrong, seen = threading.Event(), [], set()

    def read():
        while not done.is_set():
            said = server.cli("config", "show", "head", check=False)
            dump = server.cli("check", "--dump", check=False)
            try:
                assert said.returncode == dump.returncode == 0
                seen.add(numbers(said.text))
                found = re.search(r"delivery \{.*?  concurrency = (\d+),"
                                  r'.*destination "pair.test" \{.*?'
                                  r"  concurrency = (\d+),", dump.text, re.S)
                assert found[1] == found[2], dump.text
            except AssertionError as error:
                wrong.append(error)
                return
    reader = threading.Thread(target=read)
    reader.start()
    try:
        for n in range(2, ROUNDS):
            pair(server, n)
            server.signal(signal.SIGHUP)
            commit(server)
    finally:
        done.set()
        reader.join()
    assert not wrong, wrong[0]
    assert seen <= set(range(1, ROUNDS)) and seen
    assert numbers(config(server, "show", "head")) == ROUNDS - 1
    assert in_force(server) == ROUNDS - 1


def test_a_commit_that_is_killed_was_made_or_was_not(server):
    some = random.Random(7)
    pair(server, 1)
    commit(server)
    for n in range(2, ROUNDS):
        pair(server, n)
        head = in_force(server)
        process = subprocess.Popen(
            [base.POSTERN_BIN, "commit", "-c", server.conf_file],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(some.choice([0, 0.02, 0.05, 0.1, 0.2, 0.4]))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        now = in_force(server)
        assert now in (head, head + 1)
        assert numbers(config(server, "show", "head")) in (n - 1, n)
        server.cli("check")

        def finished():
            """The relay may be at that commit still."""
            done = server.cli("commit", check=False)
            return done.returncode == 0 or "nothing to commit" in done.text
        base.wait_for(finished, server.tail)
        assert numbers(config(server, "show", "head")) == n
        assert in_force(server) == head + 1


def test_two_editors_see_each_others_changes(server):
    config(server, "set", "destination", "a.test", "tls=none")
    config(server, "set", "destination", "b.test", "tls=none")
    config(server, "set", "destination", "a.test", "concurrency=5")
    shown = {row["name"]: row["settings"] for row in
             json.loads(config(server, "show", "--json"))}
    assert shown == {"a.test": {"tls": "none", "concurrency": 5},
                     "b.test": {"tls": "none"}}
    both = [subprocess.Popen(
        [base.POSTERN_BIN, "config", "-c", server.conf_file, "set",
         "destination", "%s%d.test" % (who, i), "tls=required"],
        stderr=subprocess.DEVNULL) for i in range(4) for who in "xy"]
    assert [one.wait() for one in both] == [0] * 8
    assert status(server)["uncommitted"] == 10
    assert "Revision 1: 10 objects changed." in commit(server)


def test_a_second_commit_is_told_who_is_at_it(server):
    """The first waits for its editor, so to say: its lock is held."""
    config(server, "set", "destination", "a.test", "tls=none")
    lock = os.path.join(server.spool, "config", "revisions.db.lock")
    holder = subprocess.Popen(
        ["flock", lock, "sh", "-c", "echo held; read gone"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    assert "is committing; try again" in commit(server, code=1)
    # What is being committed cannot be dropped.
    assert "is committing; try again" in config(server, "clear", code=1)
    assert status(server)["uncommitted"] == 1
    holder.communicate(b"\n")
    assert "Revision 1" in commit(server)


def greeting(server):
    with server.client() as client:
        return str(client.banner)


def test_workers_greet_with_what_was_committed(server):
    for n in range(1, 4):
        config(server, "set", "listener", "inbound",
               "banner_text=revision-%d" % n)
        commit(server)
        settled(server)
        for _ in range(4):
            assert "revision-%d" % n in greeting(server)
