"""A reload with plugins: all workers take it, or none."""

import json
import os
import signal
import socket
import threading

import pytest

from lib import base, procs
from lib.client import message

PLUGINS = os.path.join(os.path.dirname(base.POSTERN_BIN), "tests", "plugins")
# Far beyond what a test waits for: it ends otherwise, or fails.
LONG = "10m"


@pytest.fixture
def product(relay, sink):
    """Two workers, with the plugin "plain"."""
    def make(config=None, **plain):
        settings = {"workers": 2, "plugin_dirs": [PLUGINS],
                    "plugin": {"plain": dict({"text": "old"}, **plain)}}
        settings.update(config or {})
        return relay(sink.port, settings)
    return make


def reload(product, **plain):
    product.write_config({"plugin": {"plain": plain}})
    product.signal(signal.SIGHUP)


def said(product, pattern):
    """The lines with these words, whatever is before them."""
    return [line for line in product.log_lines() if pattern in line]


def ask_master(product, verb):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(os.path.join(product.run_dir, "master.sock"))
        sock.settimeout(base.PATIENCE)
        sock.sendall(json.dumps({"verb": verb}).encode() + b"\n")
        return [json.loads(line) for line in sock.makefile()]


def worker_generations(product):
    rows = ask_master(product, "status")
    return ([row["generation"] for row in rows if "worker" in row],
            rows[-1]["generation"])


def worker_pids(product):
    return {row["worker"]: row["pid"]
            for row in ask_master(product, "status") if "worker" in row}


def deliver(product):
    with product.client() as client:
        client.start()
        client.deliver("a@b.test", ["c@d.test"], message())
        client.quit()


def test_no_worker_switches_when_one_refuses(product):
    server = product()
    pids = server.worker_pids()
    reload(server, text="new", refuse=True, worker="postern-w1")
    server.wait_log(r'configuration 1 stays: worker 1: plugin "plain" '
                    r'\(line \d+\) does not start: it does not want to$')
    # The other one had it ready, and let it go.
    server.wait_log("plain: plain starts: new")
    server.wait_log("plain: plain stops")
    assert worker_generations(server) == ([1, 1], 1)
    for _ in range(8):
        deliver(server)
    assert len(said(server, "sees a sender: old")) == 8
    assert not said(server, "sees a sender: new")
    assert len(said(server, "stays:")) == 1
    # The next one is taken as ever.
    reload(server, text="newer", refuse=False)
    server.wait_log("configuration 2 is in force")
    base.wait_for(lambda: worker_generations(server) == ([2, 2], 2),
                  server.tail)
    deliver(server)
    server.wait_log("sees a sender: newer")
    assert server.worker_pids() == pids


def test_all_wait_for_the_slowest(product, gate):
    server = product()
    base.write_file(gate, "")
    reload(server, text="new", delay="50ms", timeout=LONG, when=gate,
           worker="postern-w1")
    server.wait_log("plain: plain waits")
    server.wait_log("plain: plain starts: new")
    assert worker_generations(server) == ([1, 1], 1)
    deliver(server)
    server.wait_log("sees a sender: old")
    # One that comes meanwhile waits, the newest of several.
    reload(server, text="never", delay="0s")
    reload(server, text="newest", delay="0s")
    os.unlink(gate)
    server.wait_log("configuration 2 is in force")
    server.wait_log("configuration 3 is in force")
    base.wait_for(lambda: worker_generations(server) == ([3, 3], 3),
                  server.tail)
    lines = server.log_lines()
    second = [n for n, line in enumerate(lines)
              if "configuration 2 is in force" in line][0]
    assert not [line for line in lines[:second] if "starts: newest" in line]
    assert not said(server, "starts: never")
    assert len(said(server, "starts: new,")) == 2
    deliver(server)
    server.wait_log("sees a sender: newest")


def test_a_start_that_takes_too_long_is_a_refusal(product):
    server = product()
    reload(server, text="new", delay=LONG, timeout="300ms",
           worker="postern-w0")
    server.wait_log(r'configuration 1 stays: worker 0: plugin "plain" '
                    r'\(line \d+\) does not start')
    assert worker_generations(server) == ([1, 1], 1)
    deliver(server)
    server.wait_log("sees a sender: old")


@pytest.mark.parametrize("dies", [0, 1])
def test_a_worker_that_dies_meanwhile_takes_it_down(product, dies):
    """dies 0: it had prepared it; 1: it was about to."""
    server = product()
    pid = worker_pids(server)
    reload(server, text="new", delay=LONG, timeout=LONG, worker="postern-w1")
    server.wait_log("plain: plain starts: new")
    os.kill(pid[dies], signal.SIGKILL)
    server.wait_log("configuration 1 stays: worker %d ended while it was to "
                    "prepare it$" % dies)
    base.wait_for(lambda: len(server.worker_pids()) == 2, server.tail)
    base.wait_for(lambda: worker_generations(server) == ([1, 1], 1),
                  server.tail)
    reload(server, text="newer", delay="0s")
    server.wait_log("configuration 2 is in force")
    base.wait_for(lambda: worker_generations(server) == ([2, 2], 2),
                  server.tail)
    deliver(server)
    server.wait_log("sees a sender: newer")


def test_a_worker_that_hangs_is_not_waited_for_for_ever(product):
    server = product({"watchdog": "0s"}, timeout="100ms")
    pid = worker_pids(server)
    os.kill(pid[1], signal.SIGSTOP)
    try:
        reload(server, text="new")
        server.wait_log("configuration 1 stays: worker 1 has not prepared it "
                        "in 10 s$")
    finally:
        os.kill(pid[1], signal.SIGCONT)
    # What it says to it now is not taken for an answer to the next.
    reload(server, text="newer", refuse=True, worker="postern-w0")
    server.wait_log("configuration 1 stays: worker 0: ")
    reload(server, text="newest", refuse=False)
    server.wait_log("configuration 2 is in force")
    base.wait_for(lambda: worker_generations(server) == ([2, 2], 2),
                  server.tail)


def test_a_worker_that_stops_has_no_say(product):
    server = product()
    pids = server.worker_pids()
    with server.client() as client:
        client.start()
        # One of them stays for the connection.
        reload(server, text="new", delay="2s")
        server.wait_log("reloading")
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
    server.wait_log("configuration 2 is in force")
    base.wait_for(lambda: worker_generations(server) == ([2, 2], 2),
                  server.tail)
    assert not said(server, "stays:")
    assert not set(pids) & set(server.worker_pids())


def test_workers_that_are_gone_are_not_asked(product):
    server = product()
    pids = server.worker_pids()
    master = server.master_pid()
    os.kill(master, signal.SIGSTOP)
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
        base.wait_for(lambda pid=pid: not procs.alive(pid), "its end")
    reload(server, text="new")
    os.kill(master, signal.SIGCONT)
    server.wait_log("configuration 2 is in force")
    base.wait_for(lambda: worker_generations(server) == ([2, 2], 2),
                  server.tail)
    assert not said(server, "stays:")


@pytest.fixture
def gate():
    folder = base.private_dir("gate")
    os.chmod(folder, 0o755)
    yield os.path.join(folder, "gate")
    base.remove_dir(folder)


def test_certificates_take_the_same_road(product, gate):
    server = product(refuse=True, when=gate, worker="postern-w1")
    base.write_file(gate, "")
    answer = ask_master(server, "certs")[-1]
    assert 'worker 1: plugin "plain" (line ' in answer["error"], answer
    server.wait_log("configuration 1 stays: worker 1: plugin")
    assert worker_generations(server) == ([1, 1], 1)
    os.unlink(gate)
    assert ask_master(server, "certs")[-1].get("taken")
    base.wait_for(lambda: worker_generations(server) == ([2, 2], 2),
                  server.tail)


def test_certificates_lost_by_chance_are_looked_at_again(product, gate):
    server = product({"tls": {"watch": "1s"}}, delay=LONG, timeout=LONG,
                     when=gate, worker="postern-w1")
    base.write_file(gate, "")
    answers = []
    asking = threading.Thread(
        target=lambda: answers.extend(ask_master(server, "certs")))
    asking.start()
    # Worker 1 has seen the gate, whichever of the two is the first to start.
    server.wait_log("plain: plain waits")
    os.unlink(gate)
    os.kill(worker_pids(server)[0], signal.SIGKILL)
    asking.join(base.PATIENCE)
    assert "worker 0 ended while it was to prepare it" in \
        answers[-1]["error"], answers
    server.wait_log("configuration 2 is in force")
    base.wait_for(lambda: worker_generations(server) == ([2, 2], 2),
                  server.tail)


def test_a_stop_does_not_wait_for_a_slow_start(product):
    server = product()
    reload(server, text="new", delay=LONG, timeout=LONG, worker="postern-w1")
    server.wait_log("plain: plain starts: new")
    server.stop()
    assert not said(server, "stays:")


def test_a_keeper_that_ends_meanwhile_takes_it_down(product):
    server = product()
    reload(server, text="new", delay=LONG, timeout=LONG, worker="postern-w1")
    server.wait_log("plain: plain starts: new")
    os.kill(server.keeper_pid(), signal.SIGKILL)
    server.wait_log("configuration 1 stays: the keeper ended meanwhile$")
    reload(server, text="newer", delay="0s")
    server.wait_log("configuration 2 is in force")
    with server.client() as client:
        client.start()
        client.starttls()
