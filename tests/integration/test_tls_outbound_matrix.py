"""requirements.md 3.1: what becomes of mail at each failure of TLS, by level.

One relay and one sink serve all cells; a cell is a domain of its own.
"""

import re

import pytest

from lib import base, client, postern, tlsmatrix
from lib.postern_sink import PosternSink
from lib.tlsmatrix import BOUNCE, CLEAR, CLEAR2, NOTHING, TLS

CELLS = list(tlsmatrix.cells())
REPORTS = "client.test"         # where reports go, with a good certificate


class Rig:
    def __init__(self):
        self.sink = PosternSink(listen=[
            "%s,name=%s" % (tlsmatrix.words(cell.event), cell.domain)
            for cell in CELLS] + ["name=" + REPORTS])
        self.port = {cell.domain: port
                     for cell, port in zip(CELLS, self.sink.ports)}
        self.relay = None

    def start(self):
        hosts = dict(self.port, **{REPORTS: self.sink.ports[-1]})
        self.relay = postern.Postern(None, {
            "delivery": {"ca_file": self.sink.ca, "timeouts": 3},
            "tls": {"crls": [self.sink.crl]},
            "bounce_profile": {"default": {
                "first_retry": "1h", "max_retry": "1h"}},
            "destination": {cell.domain: {"tls": cell.level}
                            for cell in CELLS},
            "route": {domain: {"hosts": ["127.0.0.1:%d" % port]}
                      for domain, port in hosts.items()},
        }).start()
        for cell in CELLS:
            with self.relay.client() as peer:
                peer.start().deliver(
                    "s-%s" % cell.domain.replace(".", "-") + "@" + REPORTS,
                    ["rcpt@" + cell.domain],
                    client.message("secret of " + cell.domain))
                peer.quit()
        return self

    def messages(self, domain):
        return [each for each in self.sink.messages()
                if each["to"] == ["rcpt@" + domain]]

    def wait_message(self, domain):
        return base.wait_for(
            lambda: self.messages(domain),
            lambda: "a message for %s\n%s" % (domain, self.story(domain)))

    def wait_deferred(self, domain):
        def deferred():
            for row in self.rows():
                if row["rcpt"] == "rcpt@" + domain and row["reason"]:
                    return row
            return None
        return base.wait_for(
            deferred, lambda: "a deferral of %s\n%s" % (
                domain, self.story(domain)))

    def rows(self):
        return self.relay.cli_json("queue", "list")

    def lines(self, domain):
        """The mail log of the deliveries to a domain, in order."""
        wanted = set()
        port = "port %d" % self.port[domain]
        lines = self.relay.log_lines()
        for line in lines:
            begun = re.match(r"New SMTP DCID (\d+) .* (port \d+)$", line)
            if begun and begun[2] == port:
                wanted.add(begun[1])
        return [line for line in lines
                if re.search(r"DCID (\d+)", line) and
                re.search(r"DCID (\d+)", line)[1] in wanted]

    def story(self, domain):
        return "\n".join(self.lines(domain) + [str(each.notes) for each in
                         self.sink.connections(self.port[domain])])

    def close(self):
        try:
            if self.relay is not None:
                self.relay.close()
        finally:
            self.sink.close()


@pytest.fixture(scope="module")
def rig():
    made = Rig()
    try:
        yield made.start()
    finally:
        made.close()


def check_wire(cell, captures):
    """Where clear text is forbidden, nothing of the message is in it."""
    for capture in captures:
        clear = capture.octets("<", "clear")
        behind = capture.octets("<", "handshake", "tls")
        assert b"secret" not in behind and b"RCPT" not in behind
        if cell.outcome in (TLS, NOTHING):
            assert b"secret" not in clear
            assert not {"MAIL", "RCPT", "DATA", "BDAT"} & set(
                capture.commands())
        capture.records()


def check_log(cell, lines):
    """S2-75 to S2-83: one TLS line at most for each connection, in order."""
    required = [line for line in lines if "TLS was required but" in line]
    if cell.outcome == NOTHING and cell.level in tlsmatrix.REQUIRED:
        assert required, lines
    else:
        assert not required
    for number in {re.search(r"DCID (\d+)", line)[1] for line in lines}:
        own = [line for line in lines if "DCID %s " % number in line]
        assert own[0].startswith("New SMTP DCID")
        said = [line for line in own if re.match(
            r"DCID \d+ TLS (success|failed)", line)]
        assert len(said) <= 1
        start = [i for i, line in enumerate(own)
                 if line.startswith("Delivery start")]
        if start and said:
            assert own.index(said[0]) < start[0]


def check_delivery(cell, rig, captures):
    message = rig.wait_message(cell.domain)
    assert len(message) == 1
    assert (message[0]["tls"] is not None) == (cell.outcome == TLS)
    if cell.outcome == CLEAR:
        assert len(captures) == 1
    if cell.outcome == CLEAR2:
        assert len(captures) >= 2
        assert "STARTTLS" in captures[0].commands()
        assert "STARTTLS" not in captures[-1].commands()
        assert all("MAIL" not in each.commands() for each in captures[:-1])
    if cell.level == "none":
        assert "STARTTLS" not in captures[0].commands()


@pytest.mark.parametrize(
    "cell", CELLS, ids=["%s-%s" % (c.event, c.level) for c in CELLS])
def test_mail_meets(rig, cell):
    if cell.outcome == NOTHING:
        row = rig.wait_deferred(cell.domain)
        assert "(reason: %s)" % cell.word in row["reason"], row
    elif cell.outcome == BOUNCE:
        sender = "s-%s@%s" % (cell.domain.replace(".", "-"), REPORTS)
        report = rig.sink.wait_messages(1, to=sender)
        assert report[0]["from"] == ""
        if cell.level in tlsmatrix.REQUIRED:
            assert report[0]["tls"] is not None
    else:
        rig.wait_message(cell.domain)
    captures = rig.sink.wait_closed(1, rig.port[cell.domain])
    check_wire(cell, captures)
    if cell.outcome in (CLEAR, CLEAR2, TLS):
        check_delivery(cell, rig, captures)
    elif cell.outcome == NOTHING:
        assert rig.messages(cell.domain) == []
    check_log(cell, rig.lines(cell.domain))
