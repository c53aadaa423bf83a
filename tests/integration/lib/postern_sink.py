"""`postern sink`: a next hop of the product's own, with faults and captures.

    sink = PosternSink("--fault", "st454")
    sink = PosternSink(listen=["220-hang", "cert=expired,name=a.test"])

Each address gets a port of its own: sink.ports, in the order of listen. Or
each has its own of several hosts, and all have one port:

    sink = PosternSink(listen=["st454", None], hosts=["127.0.0.2", "127.0.0.3"])
"""

import codecs
import collections
import glob
import json
import os
import re
import socket
import subprocess

from . import base

Piece = collections.namedtuple("Piece", "at direction phase octets")


class PosternSink:
    def __init__(self, *options, listen=(None,), host="127.0.0.1",
                 hostname="sink.test", ports=None, hosts=None):
        self.dir = base.private_dir("sink")
        self.kept = os.path.join(self.dir, "kept")
        self.captures = os.path.join(self.dir, "wire")
        self.ca = os.path.join(self.dir, "ca.pem")
        self.crl = os.path.join(self.dir, "crl.pem")
        self.output = os.path.join(self.dir, "out")
        self.errors = os.path.join(self.dir, "err")
        self.hosts = hosts or [host for _ in listen]
        if hosts and not ports:
            ports = [base.free_port()] * len(hosts)
        self.ports = ports or [base.free_port() for _ in listen]
        args = [base.POSTERN_BIN, "sink", "--json", "--hostname", hostname,
                "--dir", self.kept, "--capture", self.captures]
        if not {"--no-tls", "--cert"} & set(options):
            args += ["--ca-out", self.ca, "--crl-out", self.crl]
        for place, port, words in zip(self.hosts, self.ports, listen):
            args += ["--listen", "%s:%d%s" % (
                place, port, "" if words is None else "=" + words)]
        with open(self.output, "wb") as out, open(self.errors, "wb") as err:
            self.process = subprocess.Popen(
                args + list(options), stdin=subprocess.DEVNULL, stdout=out,
                stderr=err)
        # What waits here must not be a connection that has its turn.
        base.wait_for(self._listens, lambda: "the sink to listen\n" +
                      base.tail(self.errors))
        self.port = self.ports[0]

    def _listens(self):
        if self.process.poll() is not None:
            raise AssertionError("postern sink ended with %d\n%s" % (
                self.process.returncode, base.tail(self.errors)))
        with open("/proc/net/tcp") as table:
            text = table.read()
        return all(re.search(r"%s:%04X 00000000:0000 0A" % (
            socket.inet_aton(host)[::-1].hex().upper(), port), text)
                   for host, port in zip(self.hosts, self.ports))

    def messages(self):
        return [json.loads(line)
                for line in base.read_text(self.output).splitlines()]

    def wait_messages(self, count, to=None):
        def enough():
            found = [each for each in self.messages()
                     if to is None or to in each["to"]]
            return found if len(found) >= count else None
        return base.wait_for(enough, lambda: "%d messages\n%s" % (
            count, base.tail(self.output)))

    def connections(self, port=None, hosts=None):
        """A Capture for each connection, in order."""
        found = [Capture(path) for path in
                 sorted(glob.glob(os.path.join(self.captures, "*.wire")))]
        return [each for each in found
                if (port is None or each.port == port) and
                (hosts is None or each.host in hosts)]

    def wait_closed(self, count, port=None, hosts=None):
        """So many connections, and the last has ended."""
        def closed():
            found = self.connections(port, hosts)
            return found if len(found) >= count and \
                all(each.ended for each in found) else None
        return base.wait_for(closed, lambda: "%d ended connections" % count)

    def kept_files(self):
        """The messages as they arrived."""
        return sorted(glob.glob(os.path.join(self.kept, "*.eml")))

    def end(self):
        """Lets go of the addresses; what was captured stays."""
        base.stop_process(self.process)

    def close(self):
        self.end()
        code = self.process.returncode
        said = base.read_text(self.errors)
        base.remove_dir(self.dir)
        assert code == 0, "postern sink: exit %d\n%s" % (code, said)


class Capture:
    """One connection as postern-sink(8) keeps it."""

    def __init__(self, path):
        self.notes, self.pieces = [], []
        for line in base.read_text(path).splitlines():
            if line.startswith("# "):
                self.notes.append(line.split(" ", 2)[2])
                continue
            at, direction, phase, text = line.split(" ", 3)
            self.pieces.append(Piece(
                float(at), direction, phase,
                codecs.escape_decode(text.encode())[0]))
        head = re.match(r"connection (\d+) from \S+ to (\S+):(\d+) at",
                        self.notes[0] if self.notes else "")
        self.number, self.host, self.port = \
            (int(head[1]), head[2], int(head[3])) if head else (0, "", 0)
        self.ended = self.notes[-1:] in (["closed"], ["broken"], ["reset"])

    def octets(self, direction, *phases):
        return b"".join(piece.octets for piece in self.pieces
                        if piece.direction == direction and
                        (not phases or piece.phase in phases))

    def commands(self):
        """The verbs that came in clear."""
        return [line.split(b" ")[0].upper().decode() for line in
                self.octets("<", "clear").split(b"\r\n") if line]

    def records(self):
        """What came behind STARTTLS, as (type, octets) of TLS records."""
        data, found = self.octets("<", "handshake", "tls"), []
        while len(data) >= 5:
            size = int.from_bytes(data[3:5], "big")
            assert data[1] == 3 and size <= 16640, "no TLS record"
            found.append((data[0], data[5:5 + size]))
            data = data[5 + size:]
        return found
