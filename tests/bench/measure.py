"""One measurement: a load, a relay, a sink, and what it cost."""

import json
import os
import select
import subprocess
import time

from lib import base, procs


TOOLS = os.path.join(os.path.dirname(base.POSTERN_BIN), "tests", "bench")


class Sink:
    """The accounting sink; see benchsink.c. It offers TLS if the case has a
    certificate for it."""

    def __init__(self, port, case):
        flags = ["-r"] if case["resume"] else []
        if case["pair"]:
            flags += ["-c", case["pair"].cert, "-k", case["pair"].key]
        self.process = subprocess.Popen(
            [os.path.join(TOOLS, "benchsink")] + flags + [
                str(port), str(case["messages"]), str(case["recipients"]),
                str(case["bytes"])],
            stdout=subprocess.PIPE, text=True, bufsize=1)
        assert self.process.stdout.readline() == "ready\n"

    def wait_done(self, timeout):
        """True when everything has arrived."""
        ready, _, _ = select.select([self.process.stdout], [], [], timeout)
        return bool(ready) and \
            self.process.stdout.readline().startswith("done")

    def account(self):
        self.process.terminate()
        return json.loads(self.process.communicate()[0].splitlines()[-1])


def source(port, case, flags):
    return [os.path.join(TOOLS, "benchsource")] + flags + [
        str(port), str(case["connections"]), str(case["messages"]),
        str(case["recipients"]), str(case["domains"]), str(case["bytes"]),
        str(case["per_connection"])]


def send(port, case, flags=None):
    """Run the source to its end; what it says of acknowledgements."""
    if flags is None:
        flags = ["-s"] if case["secure_source"] else []
    done = subprocess.run(source(port, case, flags), stdout=subprocess.PIPE,
                          check=True, timeout=1800)
    return json.loads(done.stdout)


def throughput(relay, sink_port, case):
    """Messages a second from the first byte in to the last message out."""
    sink = Sink(sink_port, case)
    cpu = procs.cpu_seconds(relay.pid())
    sent = send(relay.port, case)
    whole = sink.wait_done(600)
    base.wait_for(lambda: relay.queued() == 0, "an empty queue")
    cpu = procs.cpu_seconds(relay.pid()) - cpu
    account = sink.account()
    assert not case["pair"] or account["handshakes"] > 0, "no TLS"
    return result(case, account, sent, cpu, account["last"] - sent["began"],
                  whole, relay)


def drain(relay, sink_port, case):
    """The next hop was down; how fast is the backlog delivered after it?"""
    sent = send(relay.port, case)
    base.wait_for(lambda: relay.deferred() == case["messages"],
                  "the whole backlog", 900)
    sink = Sink(sink_port, case)
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
        "source_share": sent["cpu"] / (sent["ended"] - sent["began"]),
        "sink_share": account["cpu"] / seconds,
        "secured": account["handshakes"],
        "resumed": account["resumed"],
        "lost": account["lost"] - case["recipients"] * (
            case["messages"] - sent["acknowledged"]),
        "unacknowledged": case["messages"] - sent["acknowledged"],
        "doubled": account["doubled"],
        "damaged": account["damaged"] + account["strange"],
    }


def sessions(port, count, flags):
    """What count sessions without a message did; how many, and the source's
    words."""
    case = dict(connections=20, messages=count, recipients=1, domains=1,
                bytes=1000, per_connection=1)
    said = send(port, case, ["-n"] + flags)
    assert said["acknowledged"] == count, said
    return said


def idle(relay, count, secure):
    """Memory that count idle connections cost the relay, in KB each."""
    case = dict(connections=count, messages=1, recipients=1, domains=1,
                bytes=1000, per_connection=1)
    before = sum(procs.pss_kb(pid) for pid in relay.serving_pids())
    holder = subprocess.Popen(
        source(relay.port, case, ["-h"] + (["-s"] if secure else [])),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        time.sleep(1)
        after = sum(procs.pss_kb(pid) for pid in relay.serving_pids())
        holder.communicate()
        assert holder.returncode == 0, "a dead connection"
    finally:
        holder.kill()
        holder.wait()
    return (after - before) / count
