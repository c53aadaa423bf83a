"""One measurement: a load, a relay, a sink, and what it cost."""

import json
import os
import resource
import select
import socket
import subprocess
import time

from lib import base, procs


class Sink:
    """The accounting sink; see benchsink.c."""

    def __init__(self, tools, port, case):
        self.process = subprocess.Popen(
            [os.path.join(tools, "benchsink"), str(port),
             str(case["messages"]), str(case["recipients"]),
             str(case["bytes"])], stdout=subprocess.PIPE, text=True, bufsize=1)
        assert self.process.stdout.readline() == "ready\n"

    def wait_done(self, timeout):
        """True when everything has arrived."""
        ready, _, _ = select.select([self.process.stdout], [], [], timeout)
        return bool(ready) and \
            self.process.stdout.readline().startswith("done")

    def account(self):
        self.process.terminate()
        return json.loads(self.process.communicate()[0].splitlines()[-1])


def send(tools, port, case):
    """Run the source to its end; what it says of acknowledgements."""
    done = subprocess.run(
        [os.path.join(tools, "benchsource"), str(port),
         str(case["connections"]), str(case["messages"]),
         str(case["recipients"]), str(case["domains"]), str(case["bytes"]),
         str(case["per_connection"])], stdout=subprocess.PIPE, check=True,
        timeout=1800)
    return json.loads(done.stdout)


def throughput(tools, relay, sink_port, case):
    """Messages a second from the first byte in to the last message out."""
    sink = Sink(tools, sink_port, case)
    cpu = procs.cpu_seconds(relay.pid())
    sent = send(tools, relay.port, case)
    whole = sink.wait_done(600)
    base.wait_for(lambda: relay.queued() == 0, "an empty queue")
    cpu = procs.cpu_seconds(relay.pid()) - cpu
    account = sink.account()
    return result(case, account, sent, cpu, account["last"] - sent["began"],
                  whole, relay)


def drain(tools, relay, sink_port, case):
    """The next hop was down; how fast is the backlog delivered after it?"""
    sent = send(tools, relay.port, case)
    base.wait_for(lambda: relay.deferred() == case["messages"],
                  "the whole backlog", 900)
    sink = Sink(tools, sink_port, case)
    cpu = procs.cpu_seconds(relay.pid())
    began = time.clock_gettime(time.CLOCK_MONOTONIC)
    relay.flush()
    whole = sink.wait_done(600)
    base.wait_for(lambda: relay.queued() == 0, "an empty queue")
    cpu = procs.cpu_seconds(relay.pid()) - cpu
    account = sink.account()
    return result(case, account, sent, cpu, account["last"] - began, whole,
                  relay)


def result(case, account, sent, cpu, seconds, whole, relay):
    return {
        "rate": case["messages"] / seconds if whole else 0.0,
        "cpu_ms": 1000 * cpu / case["messages"],
        "memory_mb": sum(procs.pss_kb(pid)
                         for pid in procs.tree(relay.pid())) / 1024,
        "ack_median_ms": sent["wait_median_ms"],
        "ack_99_ms": sent["wait_99_ms"],
        "transactions": account["transactions"],
        "lost": account["lost"] - case["recipients"] * (
            case["messages"] - sent["acknowledged"]),
        "unacknowledged": case["messages"] - sent["acknowledged"],
        "doubled": account["doubled"],
        "damaged": account["damaged"] + account["strange"],
    }


def idle(relay, count):
    """Memory that count idle connections cost the relay, in KB each."""
    _raise_file_limit(count + 1000)
    before = sum(procs.pss_kb(pid) for pid in relay.serving_pids())
    held = []
    try:
        for number in range(count):
            held.append(_greet(relay.port, "127.1.%d.%d" % (
                number // 200 % 250, number % 200 + 1)))
        time.sleep(1)
        after = sum(procs.pss_kb(pid) for pid in relay.serving_pids())
        for sock in held[::max(1, count // 100)]:
            sock.sendall(b"NOOP\r\n")
            assert sock.recv(1000).startswith(b"250"), "a dead connection"
    finally:
        for sock in held:
            sock.close()
    return (after - before) / count


def _greet(port, source):
    sock = socket.create_connection(("127.0.0.1", port), 60,
                                    source_address=(source, 0))
    text = sock.recv(1000)
    assert text.startswith(b"220"), text
    sock.sendall(b"EHLO bench.test\r\n")
    text = b""
    while b"250 " not in text:
        more = sock.recv(4000)
        assert more, "closed at EHLO"
        text += more
    return sock


def _raise_file_limit(wanted):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        hard = wanted           # as root; else it fails and says so
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
