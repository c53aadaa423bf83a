"""Several MX hosts with mixed faults: the next one is tried before giving up.

The sink has an address for each host of each domain; what becomes of the
mail at one host is the table of lib/tlsmatrix.py.
"""

import itertools
import random

import pytest

from lib import base, client, postern, tlsmatrix
from lib.postern_sink import PosternSink
from lib.tlsmatrix import CLEAR, CLEAR2, NOTHING, TLS

LEVELS = ["required", "required-verify", "preferred", "opportunistic"]
DEAD = "dead"           # nobody listens there

# By preference. What is behind a good host is never asked.
LISTS = [
    ["st554", "good"],
    ["st454", "good"],
    ["nostarttls", "good"],
    ["noehlo", "220-alert", "good"],
    ["xxxx", "st-drop", "good"],
    ["220-reset", "220-close", "good"],
    ["220-hang", "good"],
    ["220-inject", "good"],
    ["expired", "good"],
    ["wrongname", "self", "revoked", "nochain", "good"],
    [DEAD, "st501", DEAD, "good"],
    ["good", "nostarttls"],
    ["220-garbage", "st454"],
    ["220-noshared", "220-old"],
    ["self", "nostarttls"],
    ["nostarttls", "untrusted"],
    ["st554", DEAD],
    ["220-inject", "220-inject"],
]


class Case:
    def __init__(self, number, events, level):
        self.events, self.level = events, level
        self.domain = "d%d.test" % number
        self.hosts = ["127.0.%d.%d" % (number + 1, i + 1)
                      for i in range(len(events))]
        self.name = "%s-%s" % ("+".join(events), level)
        self.tried, self.outcome, self.word = [], NOTHING, ""
        for host, event in zip(self.hosts, events):
            if event == DEAD:
                continue
            self.tried.append(host)
            self.outcome = tlsmatrix.outcome(event, level)
            if self.outcome != NOTHING:
                break
            self.word = tlsmatrix.reason(event)

    def records(self):
        """Not in the order of preference."""
        lines = ["%s. MX %d mx%d.%s." % (self.domain, 10 * i + 10, i,
                                         self.domain)
                 for i in range(len(self.hosts))]
        random.Random(self.domain).shuffle(lines)
        return lines + ["mx%d.%s. A %s" % (i, self.domain, host)
                        for i, host in enumerate(self.hosts)]


CASES = [Case(number, events, level) for number, (events, level) in
         enumerate(itertools.product(LISTS, LEVELS))]


class Rig:
    def __init__(self):
        listen = [(host, "%s,name=%s" % (tlsmatrix.words(event), case.domain))
                  for case in CASES
                  for host, event in zip(case.hosts, case.events)
                  if event != DEAD]
        self.sink = PosternSink(listen=[words for _, words in listen],
                                hosts=[host for host, _ in listen])
        self.relay = None

    def start(self):
        zone = "".join(line + "\n" for case in CASES
                       for line in case.records())
        records = base.write_file(
            base.private_dir("zone") + "/records", zone)
        self.relay = postern.Postern(None, {
            "dns": {"records": records},
            "delivery": {"ca_file": self.sink.ca, "timeouts": 3,
                         "port": self.sink.port},
            "tls": {"crls": [self.sink.crl]},
            "bounce_profile": {"default": {
                "first_retry": "1h", "max_retry": "1h"}},
            "destination": {case.domain: {"tls": case.level}
                            for case in CASES},
        }).start()
        with self.relay.client() as peer:
            peer.start()
            for case in CASES:
                peer.deliver("a@client.test", ["b@" + case.domain],
                             client.message("secret of " + case.domain))
            peer.quit()
        return self

    def message(self, case):
        return [each for each in self.sink.messages()
                if each["to"] == ["b@" + case.domain]]

    def deferred(self, case):
        return [row for row in self.relay.cli_json("queue", "list")
                if row["rcpt"] == "b@" + case.domain and row["reason"]]

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


def order(captures):
    """The hosts as they were asked, each row of connections once."""
    return [host for host, _ in
            itertools.groupby(captures, lambda each: each.host)]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_hosts_are_tried_in_their_order(rig, case):
    question = rig.deferred if case.outcome == NOTHING else rig.message
    found = base.wait_for(lambda: question(case), lambda: "%s\n%s" % (
        case.name, rig.relay.tail()))
    captures = rig.sink.wait_closed(len(case.tried), hosts=case.hosts)
    assert order(captures) == case.tried
    if case.outcome == NOTHING:
        assert rig.message(case) == []
        assert "(reason: %s)" % case.word in found[0]["reason"]
        assert found[0]["tls_reason"] == case.word
    else:
        assert len(found) == 1
        assert (found[0]["tls"] is not None) == (case.outcome == TLS)
    for each in captures:
        last = each.host == case.tried[-1]
        clear = each.octets("<", "clear")
        assert b"secret" not in each.octets("<", "handshake", "tls")
        if not last or case.outcome not in (CLEAR, CLEAR2):
            assert b"secret" not in clear
            assert not {"MAIL", "RCPT", "DATA", "BDAT"} & set(each.commands())
