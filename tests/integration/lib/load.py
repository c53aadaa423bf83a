"""Load that is accounted for: what was acknowledged, and what arrived."""

import hashlib
import os
import random
import re
import threading
import time

from . import base, client

SIZES = [200, 2000, 4000, 9000, 40000, 300000]      # in rows and segments
WEIGHTS = [30, 30, 20, 10, 8, 2]


class Load:
    """Clients that send until told to stop, and outlive the server."""

    RCPTS = ["b@next.test"]

    def __init__(self, server, threads=6, sizes=SIZES, weights=WEIGHTS,
                 seed=1):
        self.server = server
        self.sizes = sizes
        self.weights = weights
        self.lock = threading.Lock()
        self.digests = {}           # by id, before the message is sent
        self.acknowledged = {}      # by id: when
        self.refusals = []          # replies to a whole message
        self.stopping = threading.Event()
        self.count = 0
        self.threads = [threading.Thread(
            target=self._work, args=(random.Random(seed * 1000 + number),),
            daemon=True) for number in range(threads)]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def _work(self, chance):
        while not self.stopping.is_set():
            try:
                with client.Client("127.0.0.1", self.server.port) as peer:
                    peer.ehlo("load.test")
                    while not self.stopping.is_set():
                        self._send_one(peer, chance)
            except (OSError, EOFError, AssertionError):
                time.sleep(0.01)

    def _send_one(self, peer, chance):
        with self.lock:
            self.count += 1
            ident = "load-%d@client.test" % self.count
        size = chance.choices(self.sizes, self.weights)[0]
        body = _body(ident, size)
        self.digests[ident] = hashlib.sha256(body.encode()).hexdigest()
        peer.send(b"MAIL FROM:<a@client.test>\r\n" + b"".join(
            b"RCPT TO:<%s>\r\n" % rcpt.encode() for rcpt in self.RCPTS) +
            b"DATA\r\n")
        answers = [peer.reply()[:3] for _ in range(len(self.RCPTS) + 2)]
        if answers != ["250"] * (len(self.RCPTS) + 1) + ["354"]:
            self.refusals.append(" ".join(answers))
            if answers[-1] == "354":     # an empty message, to get out of it
                peer.send(b".\r\n")
                self.refusals.append(peer.reply())
            peer.cmd("RSET")
            time.sleep(0.05)
            return
        peer.send(client.stuff(client.message("load", body, ident)) +
                  b".\r\n")
        answer = peer.reply()
        if answer.startswith("250"):
            self.acknowledged[ident] = time.monotonic()
        else:
            self.refusals.append(answer)
            time.sleep(0.05)

    def wait_acknowledged(self, count):
        base.wait_for(lambda: len(self.acknowledged) >= count, lambda: (
            "%d acknowledgements; refused: %r\n%s" % (
                count, self.refusals[-5:], self.server.tail())))


def _body(ident, size):
    line = (ident + " ") * 3 + "\r\n"
    return line * (size // len(line) + 1)


class Arrivals:
    """What came to a sink, by id: when, and with which content."""

    def __init__(self, sink):
        self.times = {}
        self.digests = {}
        self.lock = threading.Lock()
        sink.keep_data = False
        sink.on_message = self._note

    def _note(self, message):
        ident = (message.header("Message-ID") or "").strip("<>")
        digest = message.digest()
        with self.lock:
            self.digests.setdefault(ident, set()).add(digest)
            # Last of all: who sees it here looks at the rest.
            self.times.setdefault(ident, []).append(time.monotonic())

    def lost(self, load):
        return self.missing(dict(load.acknowledged))

    def missing(self, known):
        return sorted(set(known) - set(self.times))

    def corrupted(self, load):
        return sorted(ident for ident, digests in self.digests.items()
                      if digests != {load.digests.get(ident)})

    def doubled(self):
        return {ident: times for ident, times in self.times.items()
                if len(times) > 1}

    def wait_all(self, load, server):
        base.wait_for(lambda: not self.lost(load), lambda: (
            "%d of %d acknowledged messages, e.g. %s\n%s" % (
                len(self.lost(load)), len(load.acknowledged),
                self.lost(load)[:3], server.tail())), 2 * base.PATIENCE)
        assert not self.corrupted(load), self.corrupted(load)[:5]

    def assert_doubles_only_at(self, moments, within=2.0):
        """A message may come again only if a process died right after."""
        doubled = self.doubled()
        print("%d arrived, %d of them again, in %d crashes" % (
            len(self.times), len(doubled), len(moments)))
        for ident, times in doubled.items():
            for time_before in times[:-1]:
                assert any(-0.5 <= moment - time_before <= within
                           for moment in moments), (
                    "%s came again without a crash" % ident)


class SplitLoad(Load):
    RCPTS = ["a@next.test", "b@next.test", "c@next.test"]


def split_rules(folder):
    """A policy whose rules split each message of SplitLoad, as settings."""
    path = base.write_file(folder + "/split.lua", "".join("""
rule "%s" {
  when = { rcpt = "%s@next.test" },
  add_header = { ["X-Branch"] = "%s" },
}""" % (one, one, one) for one in "bc"))
    os.chmod(folder, 0o755)
    os.chmod(path, 0o644)
    return {"policy": {"file": path}}


class SplitArrivals(Arrivals):
    """By recipient; the branch of b has a header of its own."""

    def _note(self, m):
        ident = (m.header("Message-ID") or "").strip("<>")
        digest = m.digest()
        with self.lock:
            self.digests.setdefault(ident, set()).add(digest)
            for rcpt in m.recipients:
                assert (m.header("X-Branch") or "-")[0] == {
                    "b": "b", "c": "c"}.get(rcpt[0], "-"), rcpt
                assert not set(SplitLoad.RCPTS) - set(m.recipients) & set(
                    re.findall(r"\w@next\.test", m.header("Received") or ""))
                self.times.setdefault((ident, rcpt[0]), []).append(
                    time.monotonic())

    def missing(self, known):
        return sorted(set((ident, rcpt[0]) for ident in known
                          for rcpt in SplitLoad.RCPTS) - set(self.times))
