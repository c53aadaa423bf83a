"""The same tables in Postfix and, by postern import, here: what reaches whom,
and how, is the same."""

import os
import re

import pytest

from lib import base, client, luaconf, postfix
from lib.postern_sink import PosternSink

GOOD = "good.test"
HOSTS = {"good": "name=" + GOOD, "self": "cert=self", "clear": "nostarttls"}
# Level as in the table -> what happens at each host: sent in clear, by TLS, or
# put off.
LEVELS = {
    "none": ("none", "clear clear clear"),
    "may": ("may", "tls tls clear"),
    "encrypt": ("encrypt", "tls tls off"),
    "encrypt13": ("encrypt protocols=>=TLSv1.3", "tls tls off"),
    "verify": ("verify", "off off off"),
    "verifyname": ("verify match=" + GOOD, "tls off off"),
    "secure": ("secure", "off off off"),
    "securename": ("secure match=.other.test:" + GOOD, "tls off off"),
    "daneonly": ("dane-only", "off off off"),
}


class Cell:
    def __init__(self, level, host, port):
        self.domain = "%s-%s.test" % (level, host)
        self.host, self.port = host, port
        self.level, outcomes = LEVELS[level]
        self.expected = outcomes.split()[list(HOSTS).index(host)]


class World:
    def __init__(self, makers, relay):
        places = [(level, host) for level in LEVELS for host in HOSTS]
        self.sink = makers.add(PosternSink(
            listen=[HOSTS[host] for _, host in places]))
        self.cells = [Cell(level, host, port) for (level, host), port in
                      zip(places, self.sink.ports)]
        self.dir = base.private_dir("tables")
        os.chmod(self.dir, 0o755)
        self.transport = self.table("transport", [
            "%s smtp:[127.0.0.1]:%d" % (c.domain, c.port)
            for c in self.cells])
        self.policy = self.table("policy", [
            "[127.0.0.1]:%d %s" % (c.port, c.level) for c in self.cells])
        self.relay = relay(None, {"delivery": {
            "ca_file": self.sink.ca, "host_backoff": "1s"}})

    def table(self, name, lines):
        path = base.write_file(os.path.join(self.dir, name),
                               "# %s\n%s\n" % (name, "\n".join(lines)))
        os.chmod(path, 0o644)
        return path

    def seen(self, sender):
        """domain -> how mail of that sender came."""
        return {m["to"][0].split("@")[1]: "tls" if m.get("tls") else "clear"
                for m in self.sink.messages() if m["from"] == sender}

    def outcome(self, sender, off):
        """Once each of them is there or has been put off."""
        def done():
            got = dict(self.seen(sender))
            for domain in off():
                got.setdefault(domain, "off")
            return got if len(got) == len(self.cells) else None
        return base.wait_for(done, lambda: "%s of %d: %s" % (
            sorted(self.seen(sender).items()), len(self.cells), off()))


@pytest.fixture
def world(makers, relay):
    return World(makers, relay)


def test_postfix_and_the_import_do_the_same(world, makers):
    hop = makers.add(postfix.as_relay(
        1, relayhost="", smtp_tls_CAfile=world.sink.ca,
        transport_maps="texthash:" + world.transport,
        smtp_tls_policy_maps="texthash:" + world.policy,
        smtp_tls_loglevel="1")).start()
    os.chmod(os.path.dirname(world.sink.ca), 0o755)
    for cell in world.cells:
        said = hop.run(["/usr/sbin/postmap", "-c", hop.path("conf"), "-q",
                        "[127.0.0.1]:%d" % cell.port,
                        "texthash:" + world.policy]).text
        assert said.strip() == cell.level
    for kind, path in (("postfix-transport", world.transport),
                       ("postfix-tls", world.policy)):
        said = world.relay.cli("import", kind, path).text
        assert "%d mapped, 0 not mapped" % len(world.cells) in said, said
    world.relay.cli("commit", "from Postfix")
    for cell in world.cells:
        hop.sendmail(client.message("x"), "p@sender.test",
                     "u@" + cell.domain)
        with world.relay.client() as peer:
            peer.start().deliver("q@sender.test", ["u@" + cell.domain],
                                 client.message("x"))
            peer.quit()
    expected = {c.domain: c.expected for c in world.cells}

    def off_there():
        return set(re.findall(r"to=<u@([^>]*)>.* status=deferred",
                              base.read_text(hop.log)))

    def off_here():
        return {row["rcpt"].split("@")[1]
                for row in world.relay.cli_json("queue", "list")
                if row["reason"]}
    assert world.outcome("p@sender.test", off_there) == expected
    assert world.outcome("q@sender.test", off_here) == expected


def test_what_is_exported_is_what_was_imported(tmp_path):
    conf = str(tmp_path / "postern.lua")
    base.write_file(conf, luaconf.text({
        "hostname": "mx.relay.example", "spool": str(tmp_path / "spool"),
        "run": str(tmp_path / "run"),
        "listener": {"in": {"address": ["127.0.0.1:2525"]}}}))

    def cli(*args):
        return base.run([base.POSTERN_BIN] + list(args) + ["-c", conf]).text
    table = base.write_file(str(tmp_path / "policy"), "".join(
        "%s.example %s\n" % (name, level)
        for name, (level, _) in LEVELS.items()))
    cli("import", "postfix-tls", table)
    cli("commit", "one")
    first = cli("destconfig", "export")
    file = base.write_file(str(tmp_path / "ini"), first)
    cli("import", "--replace", "cisco", file)
    cli("commit", "two")
    assert cli("destconfig", "export") == first
    said = cli("import", "postfix-tls", table)
    assert "(was" not in said
