"""requirements.md 3.3 with real receivers: Postfix at A, B, C, D and at the
sender, with good certificates, a self-signed one, and without TLS. The same
with hosts that fail in other ways: test_policy_bifurcation.py."""

import email
import email.policy
import os
import re

import pytest

from lib import base, certs, client, postfix

A, B, C, D = "a@good.test", "b@fine.test", "c@self.test", "d@clear.test"
SENDER = "s@client.test"
DOMAINS = ["good.test", "fine.test", "self.test", "clear.test", "client.test"]
RULE = """
rule "partner" {
  when = { %s },
  tls = "required-verify deadline=%s",
  others = "%s",
}
"""


def receiver(domain, pair):
    tls = {} if pair is None else {
        "smtpd_tls_security_level": "may", "smtpd_tls_loglevel": "1",
        "smtpd_tls_received_header": "yes",
        "smtpd_tls_cert_file": pair.cert, "smtpd_tls_key_file": pair.key}
    return postfix.Postfix(myhostname=domain, **tls)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    """A Postfix for each domain; attribute ca of the result: their root."""
    folder = str(tmp_path_factory.mktemp("pki"))
    pki = certs.Authority(folder)
    pairs = {domain: pki.server(domain) for domain in DOMAINS}
    pairs["clear.test"] = None
    own = str(tmp_path_factory.mktemp("self"))
    pairs["self.test"] = certs.make(own, "self.test")
    made = Hosts(pki.ca)
    try:
        for domain in DOMAINS:
            made[domain] = receiver(domain, pairs[domain])
            made[domain].start()
        yield made
    finally:
        for hop in made.values():
            hop.close()


class Hosts(dict):
    def __init__(self, ca):
        super().__init__()
        self.ca = ca

    def found(self, rcpt, subject):
        """What this person has of that subject, and no report."""
        return [m for m in self._all(rcpt) if m["Subject"] == subject]

    def reports(self, subject):
        """About mail of that subject."""
        return [m for m in self._all(SENDER)
                if m.get_content_type() == "multipart/report" and
                subject in list(m.iter_parts())[2].as_string()]

    def _all(self, rcpt):
        hop = self[rcpt.split("@")[1]]
        if hop.count() == 0:
            return []
        mails = [email.message_from_bytes(m, policy=email.policy.default)
                 for m in hop.mails()]
        return [m for m in mails if m["Delivered-To"] == rcpt]

    def wait(self, subject, *rcpts):
        for rcpt in rcpts:
            base.wait_for(lambda: self.found(rcpt, subject),
                          lambda: "%s for %s\n%s" % (
                              subject, rcpt, base.tail(
                                  self[rcpt.split("@")[1]].log)))
        return [self.found(rcpt, subject)[0] for rcpt in rcpts]

    def wait_reports(self, subject, count):
        return base.wait_for(
            lambda: len(self.reports(subject)) >= count and
            self.reports(subject), lambda: "reports about %s\n%s" % (
                subject, base.tail(self["client.test"].log)))


@pytest.fixture
def policy(relay, hosts):
    """A relay with that policy before these hosts."""
    def make(text):
        path = base.write_file(os.path.join(
            base.private_dir("policy"), "policy.lua"), text)
        made.append(os.path.dirname(path))
        return relay(None, {
            "delivery": {"ca_file": hosts.ca, "host_backoff": "100ms",
                         "host_backoff_max": "200ms"},
            "bounce_profile": {"default": {
                "first_retry": "200ms", "max_retry": "400ms"}},
            "route": {domain: {"hosts": ["127.0.0.1:%d" % hop.port]}
                      for domain, hop in hosts.items()},
            "policy": {"file": path}})
    made = []
    yield make
    for folder in made:
        base.remove_dir(folder)


def send(server, rcpts, subject):
    with server.client() as peer:
        peer.start().deliver(SENDER, rcpts, client.message(
            subject, body="x" * 70 + "\r\n.dot\r\n"))
        peer.quit()


def protected(m):
    """By TLS on its last hop, says the host that took it."""
    return "using TLSv1" in re.sub(r"\s+", " ", m.get_all("Received")[0])


def failed(m):
    """Whom a report is about, and why."""
    person = list(m.iter_parts())[1].get_payload()[1]
    return (person["Final-Recipient"].split(";")[1].strip(),
            person["Status"][:4], person["Diagnostic-Code"])


def untouched(hosts, rcpt):
    """No transaction of this person has begun at its host."""
    return rcpt not in base.read_text(hosts[rcpt.split("@")[1]].log)


def test_the_box_is_ticked_and_each_gets_what_can_be_had(policy, hosts):
    server = policy('default { tls = "preferred-verify" }\n' +
                    RULE % ('rcpt = "%s"' % A, "24h", "opportunistic"))
    send(server, [A, B, C, D], "ticked")
    found = hosts.wait("ticked", A, B, C, D)
    server.wait_empty()
    assert [protected(m) for m in found] == [True, True, True, False]
    assert len({m["Message-ID"] for m in found}) == 1
    assert len({m.get_payload() for m in found}) == 1
    verified = server.wait_log(
        r"peer certificate verified matched \S+ (\S+)$", count=2)
    assert sorted(m[1] for m in verified) == ["fine.test", "good.test"]
    server.wait_log(r"peer certificate not verified: self-signed")
    assert [m.groups() for m in server.wait_log(
        r"MID (\d+) was split creating MID (\d+) due to ")] == [("1", "2")]
    # Nobody learns of those at other hosts.
    for rcpt, m in zip((A, B, C, D), found):
        for other in {A, B, C, D} - {rcpt}:
            assert other not in m.as_string()


@pytest.mark.parametrize("host, word", [
    ("self.test", "self-signed"), ("clear.test", "starttls-not-supported")])
def test_the_box_is_ticked_and_who_matches_has_no_good_tls(
        policy, hosts, host, word):
    """He gets nothing, the others theirs, and the sender is told."""
    a, subject = "forced@" + host, "forced " + host
    rest = [B, D if host == "self.test" else C]
    server = policy(RULE % ('rcpt = "%s"' % a, "2s", "opportunistic"))
    send(server, [a] + rest, subject)
    found = hosts.wait(subject, *rest)
    assert [protected(m) for m in found] == [True, host != "self.test"]
    report, = hosts.wait_reports(subject, 1)
    who, status, why = failed(report)
    assert (who, status) == (a, "5.7.") and word in why
    assert protected(report)
    server.wait_empty()
    assert len(hosts.reports(subject)) == 1 and not hosts.found(a, subject)
    assert untouched(hosts, a)


def test_the_box_is_not_ticked_and_each_fails_for_himself(policy, hosts):
    server = policy(RULE % ('rcpt = "%s"' % A, "2s", "same"))
    c, d = "open-c@self.test", "open-d@clear.test"
    send(server, [A, B, c, d], "unticked")
    assert all(map(protected, hosts.wait("unticked", A, B)))
    reports = hosts.wait_reports("unticked", 2)
    assert sorted(failed(m)[0] for m in reports) == [c, d]
    assert all(map(protected, reports))
    server.wait_empty()
    assert len(hosts.reports("unticked")) == 2
    assert untouched(hosts, c) and untouched(hosts, d)
    assert not [line for line in server.log_lines() if "was split" in line]


@pytest.mark.parametrize("others", ["opportunistic", "same"])
def test_a_rule_by_subject_forces_all_and_splits_nothing(
        policy, hosts, others):
    subject, d = "secret " + others, "subject-%s@clear.test" % others
    server = policy(RULE % ('subject = "secret"', "1s", others))
    send(server, [A, B, d], subject)
    assert all(map(protected, hosts.wait(subject, A, B)))
    report, = hosts.wait_reports(subject, 1)
    assert failed(report)[0] == d
    server.wait_empty()
    assert untouched(hosts, d)
    assert not [line for line in server.log_lines() if "was split" in line]


def test_of_two_rules_the_stricter_wins_for_each(policy, hosts):
    """Three groups: verified, encrypted, as it comes."""
    a = "two@self.test"
    server = policy("""
        rule "both" { when = { rcpt = { "%s", "%s" } },
                      tls = "required deadline=2s" }
        rule "one" { when = { rcpt = "%s" },
                     tls = "required-verify deadline=2s" }
        """ % (a, B, a))
    send(server, [a, B, D], "two rules")
    found = hosts.wait("two rules", B, D)
    assert [protected(m) for m in found] == [True, False]
    report, = hosts.wait_reports("two rules", 1)
    assert failed(report)[0] == a
    server.wait_empty()
    assert untouched(hosts, a)
    assert len([line for line in server.log_lines()
                if "was split" in line]) == 2
