"""Real name servers on loopback: nsd holds zones, unbound resolves."""

import socket
import struct

from . import base, peers

NSD = """
server:
  ip-address: 127.0.0.1@{port}
  username: ""
  chroot: ""
  zonesdir: "{dir}"
  pidfile: "{dir}/nsd.pid"
  database: ""
  zonelistfile: "{dir}/zone.list"
  xfrdfile: "{dir}/xfrd.state"
  xfrdir: "{dir}"
  logfile: "{dir}/nsd.log"
  server-count: 1
remote-control:
  control-enable: no
"""

UNBOUND = """
server:
  interface: 127.0.0.1
  port: {port}
  do-ip6: no
  do-not-query-localhost: no
  username: ""
  chroot: ""
  directory: "{dir}"
  pidfile: "{dir}/unbound.pid"
  use-syslog: no
  module-config: "iterator"
  local-zone: "test." nodefault
  cache-max-negative-ttl: 1
  cache-max-ttl: 1
remote-control:
  control-enable: no
"""

SOA = "$ORIGIN {zone}.\n$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n" \
    "@ NS ns\nns A 127.0.0.1\n"


class Nsd(peers.Peer):
    """Authoritative for the zones: a dictionary of name to RR lines.

    For a zone whose records are None, nsd has no data and answers SERVFAIL.
    Zones named in signed are served with DNSSEC; anchors is then a file with
    their keys, which nobody above them vouches for.
    """

    name = "nsd"

    def __init__(self, zones, signed=()):
        super().__init__()
        self.anchors = self.path("anchors")
        self.port = base.free_port(socket.SOCK_DGRAM)
        text = NSD.format(port=self.port, dir=self.dir)
        for zone, records in zones.items():
            file = self.path(zone + ".zone")
            if records is not None:
                base.write_file(file, SOA.format(zone=zone) + records)
            if zone in signed:
                file = self._sign(zone, file)
            text += 'zone:\n  name: "%s"\n  zonefile: "%s"\n' % (zone, file)
        self.config = base.write_file(self.path("nsd.conf"), text)

    def _sign(self, zone, file):
        with Signer() as signer:
            key, signed = signer.sign(zone, file)
        with open(self.anchors, "a", encoding="ascii") as anchors:
            anchors.write(key)
        return base.write_file(file + ".signed", signed)

    def start(self):
        self.launch(["/usr/sbin/nsd", "-d", "-c", self.config])
        wait_answering(self, "ns.test")
        return self


class Signer(peers.Peer):
    """Makes a key and signs zones with it (Debian's ldnsutils)."""

    name = "signer"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def sign(self, zone, file):
        """The zone's DNSKEY record, and the signed zone."""
        # A key that signs everything, so that the anchor is the whole chain.
        name = self.run(["ldns-keygen", "-k", "-a", "ECDSAP256SHA256", zone],
                        cwd=self.dir).text.split()[-1]
        signed = self.path("signed")
        self.run(["ldns-signzone", "-A", "-f", signed, file,
                  self.path(name)])
        return base.read_text(self.path(name + ".key")), \
            base.read_text(signed)


class Unbound(peers.Peer):
    """Resolves the zones of an nsd."""

    name = "unbound"

    def __init__(self, nsd, zones):
        super().__init__()
        self.port = base.free_port(socket.SOCK_DGRAM)
        text = UNBOUND.format(port=self.port, dir=self.dir)
        for zone in zones:
            text += 'stub-zone:\n  name: "%s"\n  stub-addr: 127.0.0.1@%d\n' % (
                zone, nsd.port)
        self.config = base.write_file(self.path("unbound.conf"), text)
        self.address = "127.0.0.1@%d" % self.port

    def start(self):
        self.launch(["/usr/sbin/unbound", "-d", "-c", self.config])
        wait_answering(self, "ns.test")
        return self


def wait_answering(server, name):
    def answering():
        if server.process.poll() is not None:
            raise AssertionError("%s ended: %s" % (
                server.name, base.tail(server.output)))
        return ask(server.port, name) is not None
    base.wait_for(answering, server.name + " to answer")


def ask(port, name, kind=1):
    """The response code for one question, or None if nobody answers."""
    question = b"".join(struct.pack("B", len(label)) + label.encode()
                        for label in name.split(".")) + b"\0"
    packet = struct.pack(">6H", 4711, 0x100, 1, 0, 0, 0) + question + \
        struct.pack(">2H", kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.5)
        try:
            sock.connect(("127.0.0.1", port))
            sock.send(packet)
            return sock.recv(4096)[3] & 15
        except OSError:
            return None
