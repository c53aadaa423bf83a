"""Limits that hold across all workers, as the next hop sees them."""

import threading

from lib import base, client, sink as sinks


def flood(server, count, recipient="b%d@next.test", sessions=8):
    """Submit count messages over several connections, over all workers."""
    def work(first):
        with server.client() as peer:
            peer.ehlo()
            for number in range(first, count, sessions):
                peer.deliver("a@client.test", [recipient % number],
                             client.message("m%d" % number))
    threads = [threading.Thread(target=work, args=(first,))
               for first in range(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Gate:
    """Holds each DATA back until it is opened; then counts who is inside."""

    def __init__(self):
        self.opened = threading.Event()
        self.lock = threading.Lock()
        self.inside = set()
        self.most_new = 0
        self.old = 0

    def act(self, session):
        with self.lock:
            self.inside.add(session.number)
            new = [number for number in self.inside if number >= self.old]
            if self.opened.is_set():
                self.most_new = max(self.most_new, len(new))
        self.opened.wait(base.PATIENCE)
        session.pause(0.02)
        with self.lock:
            self.inside.remove(session.number)
        session.write(b"354 go\r\n")
        return "354"

    def wait_full(self, count):
        """So many connections are held, as the limit allows."""
        base.wait_for(lambda: len(self.inside) == count,
                      "%d connections at once" % count)


def test_a_destination_sees_no_more_connections_than_allowed(relay, sink):
    """And as many, if there is enough for them."""
    gate = Gate()
    sink.fault("data", gate)
    server = relay(sink.port, {
        "workers": 3, "delivery": {"concurrency": 4}})
    flood(server, 120)
    gate.wait_full(4)
    gate.opened.set()
    sink.wait(120)
    assert sink.open_peak == 4, sink.open_peak
    server.wait_empty()


def test_a_slow_destination_does_not_hold_up_another(relay, make_sink):
    slow, quick = make_sink(), make_sink()
    slow.fault("data", sinks.Slow("354 go", before=2))
    server = relay(None, {
        "delivery": {"concurrency": 2},
        "route": {"slow.test": {"hosts": ["127.0.0.1:%d" % slow.port]},
                  "*": {"hosts": ["127.0.0.1:%d" % quick.port]}}})
    flood(server, 20, "s%d@slow.test")
    flood(server, 20, "q%d@quick.test")
    quick.wait(20)
    assert len(slow.messages) < 20


def test_a_killed_workers_share_is_given_back(relay, sink):
    sink.fault("data", sinks.Slow("354 go", before=0.5), times=8)
    server = relay(sink.port, {"delivery": {"concurrency": 4}})
    flood(server, 40)
    sink.wait_command("DATA", 4)
    for pid in server.worker_pids():
        base.run(["kill", "-9", str(pid)])
    base.wait_for(lambda: len({m.header("Subject") for m in list(
        sink.messages)}) == 40, "all forty after the workers' deaths")
    server.wait_workers()
    server.wait_empty()
