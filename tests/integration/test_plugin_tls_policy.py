"""TLS that plugins demand on the way out, in the real program."""

import os

import pytest

from lib import base, client, postern
from lib.postern_sink import PosternSink


class Rig:
    """A host without TLS."""

    def __init__(self):
        self.sink = PosternSink(listen=["nostarttls"],
                                hosts=["127.0.1.1"])
        self.dir = base.private_dir("zone")
        self.table = base.write_file(self.dir + "/table",
                                     "strict.test required\n")
        os.chmod(self.dir, 0o755)
        os.chmod(self.table, 0o644)
        zone = "".join("%s. A 127.0.1.1\n" % name for name in (
            "strict.test", "listed.test", "usual.test", "later.test"))
        records = base.write_file(self.dir + "/records", zone)
        self.relay = postern.Postern(None, {
            "dns": {"records": records},
            "delivery": {"port": self.sink.port, "timeouts": 3},
            "bounce_profile": {"default": {
                "first_retry": "1h", "max_retry": "1h"}},
            "destination": {"listed.test": {"tls": "required"}},
            "plugin": {"tls_table": {
                "entries": ["listed.test none"], "file": self.table,
                "reload": "100ms"}},
        })

    def start(self):
        self.relay.start()
        return self

    def send(self, domain):
        with self.relay.client() as peer:
            peer.start()
            peer.deliver("a@client.test", ["b@" + domain],
                         client.message("for " + domain))
            peer.quit()

    def deferred(self, domain):
        return [row for row in self.relay.cli_json("queue", "list")
                if row["rcpt"] == "b@" + domain and row["reason"]]

    def close(self):
        try:
            self.relay.close()
        finally:
            self.sink.close()


@pytest.fixture
def rig():
    made = Rig()
    try:
        yield made.start()
    finally:
        made.close()


def test_an_entry_is_demanded_and_cannot_lower(rig):
    for domain in ("strict.test", "listed.test", "usual.test"):
        rig.send(domain)
    rig.sink.wait_messages(1, to="b@usual.test")
    for domain in ("strict.test", "listed.test"):
        row = base.wait_for(lambda: rig.deferred(domain), rig.relay.tail)[0]
        assert row["tls_reason"] == "starttls-not-supported"
    assert len(rig.sink.messages()) == 1


def test_a_changed_file_counts_without_a_reload(rig):
    fresh = base.write_file(rig.dir + "/new", "later.test required\n")
    os.chmod(fresh, 0o644)
    os.rename(fresh, rig.table)
    rig.relay.wait_log("table: 2 entries", count=2)  # each worker
    rig.send("later.test")
    row = base.wait_for(lambda: rig.deferred("later.test"),
                        rig.relay.tail)[0]
    assert row["tls_reason"] == "starttls-not-supported"
    assert rig.sink.messages() == []
