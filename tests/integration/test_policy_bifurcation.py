"""requirements.md 3.3: a message to A, B, C and D, forced TLS to A.

A and B are at hosts with good certificates (A also at worse ones), C's is
self-signed, D has no TLS. First by the facts that rules set, set by a plugin;
then by rules.
"""

import email
import email.policy
import email.utils
import os
import re

import pytest

from lib import base, client, postern
from lib.postern_sink import PosternSink

PLUGINS = os.path.join(os.path.dirname(base.POSTERN_BIN), "tests", "plugins")
HOSTS = {"good.test": "name=good.test", "fine.test": "name=fine.test",
         "self.test": "cert=self,name=self.test",
         "clear.test": "nostarttls", "client.test": "name=client.test"}
B, C, D = "b@fine.test", "c@self.test", "d@clear.test"


class Rig:
    """A host for each domain, as the domain's name says."""

    def __init__(self, **options):
        self.sink = PosternSink(listen=list(HOSTS.values()))
        self.config = {
            "delivery": {"ca_file": self.sink.ca, "timeouts": 3,
                         "host_backoff": "100ms",
                         "host_backoff_max": "200ms"},
            "bounce_profile": {"default": {
                "first_retry": "200ms", "max_retry": "400ms"}},
            "route": {domain: {"hosts": ["127.0.0.1:%d" % port]}
                      for domain, port in zip(HOSTS, self.sink.ports)},
            "plugin_dirs": [PLUGINS],
        }
        self.config.update(options)
        self.relay = postern.Postern(None, self.config).start()

    def send(self, rcpts, **kwargs):
        with self.relay.client() as peer:
            peer.start().deliver("s@client.test", rcpts,
                                 client.message(**kwargs))
            peer.quit()

    def arrived(self, rcpt=None):
        """What is no report."""
        return [m for m in self.sink.messages() if m["from"] and
                (rcpt is None or rcpt in m["to"])]

    def wait(self, *rcpts):
        for rcpt in rcpts:
            base.wait_for(lambda: self.arrived(rcpt), lambda: rcpt + "\n" +
                          self.relay.tail())
        return [self.arrived(rcpt)[0] for rcpt in rcpts]

    def reports(self, count=1):
        def found():
            v = [m for m in self.sink.messages() if m["from"] == ""]
            return v if len(v) >= count else None
        return base.wait_for(found, lambda: "reports\n" + self.relay.tail())

    def text(self, m):
        with open(m["file"], "rb") as f:
            return f.read()

    def lines(self, what):
        return [m for m in (re.search(what, line)
                            for line in self.relay.log_lines()) if m]

    def clear_text(self, domain):
        """What came to that host's port outside TLS."""
        port = self.sink.ports[list(HOSTS).index(domain)]
        return b"".join(c.octets("<", "clear")
                        for c in self.sink.connections(port))

    def close(self):
        try:
            self.relay.close()
        finally:
            self.sink.close()


@pytest.fixture
def rig():
    made = []

    def make(**options):
        made.append(Rig(**options))
        return made[-1]
    try:
        yield make
    finally:
        for one in made:
            one.close()


def puppet(steps):
    return {"plugin": {"puppet": {"eom": steps}}}


def checked(a, tls="forced", more=""):
    """The box is ticked: those who match have a branch of their own."""
    return puppet("for %s set rcpt.tls %s; for %s set rcpt.branch rule%s" % (
        a, tls, a, more))


def unchecked(tls="forced"):
    """It is not: all of the message are forced."""
    return puppet("set rcpt.tls %s" % tls)


def person_of(r, m):
    """What a report says of its only recipient."""
    whole = email.message_from_bytes(r.text(m), policy=email.policy.default)
    parts = list(whole.iter_parts())[1].get_payload()
    assert len(parts) == 2
    return parts[0], parts[1]


def assert_whole(r, messages):
    """One content, and nobody learns of others."""
    texts = [r.text(m) for m in messages]
    assert len({t.split(b"\r\n\r\n", 1)[1] for t in texts}) == 1
    assert len({m["message_id"] for m in messages}) == 1
    everybody = {rcpt for m in messages for rcpt in m["to"]}
    for m, text in zip(messages, texts):
        for other in everybody - set(m["to"]):
            assert other.encode() not in text


def test_the_box_is_ticked_and_all_goes_well(rig):
    r = rig(**checked("a@good.test"))
    r.send(["a@good.test", B, C, D], body="x" * 70 + "\r\n" * 9)
    a, b, c, d = r.wait("a@good.test", B, C, D)
    r.relay.wait_empty()
    assert_whole(r, [a, b, c, d])
    assert (bool(a["tls"]), bool(b["tls"]), bool(c["tls"]), d["tls"]) == (
        True, True, True, None)
    r.relay.wait_log(r"DCID \d+ peer certificate verified matched \S+ "
                     r"good\.test")
    text = "\n".join(r.relay.log_lines())
    parent, child = re.search(
        r"MID (\d+) was split creating MID (\d+) due to "
        r"a per-recipient policy puppet/rule\n", text).groups()
    assert text.count("was split") == 1
    places = [text.index(line) for line in [
        "MID %s ready" % parent, "was split creating MID %s" % child,
        "MID %s ICID 0 From: <s@client.test>" % child,
        "MID %s ICID 0 RID 0 To: <%s>" % (child, B),
        "MID %s ICID 0 RID 1 To: <%s>" % (child, C),
        "MID %s ICID 0 RID 2 To: <%s>" % (child, D),
        "MID %s queued for delivery" % parent,
        "MID %s queued for delivery" % child]]
    assert places == sorted(places)
    assert "Start MID %s " % child not in text
    # The second number of a delivery tells whose branch it was.
    starts = dict(re.findall(r"Delivery start DCID (\d+) MID (\d+) ", text))
    assert sorted(starts.values()) == [parent, child, child, child]


@pytest.mark.parametrize("domain, word", [
    ("self.test", "self-signed"), ("clear.test", "starttls-not-supported")])
def test_who_matches_is_never_reached_with_less(rig, domain, word):
    """S0-14 to S0-18: deferred until the deadline, then one report."""
    a = "a@" + domain
    r = rig(**checked(a, "required-verify deadline=3s"))
    r.send([a, B, C, D])
    r.wait(B, C, D)
    row, = base.wait_for(lambda: [x for x in [r.relay.cli_json(
        "queue", "list")] if len(x) == 1 and x[0]["attempts"]], r.relay.tail)[0]
    assert (row["rcpt"], row["tls_reason"]) == (a, word)
    report, = r.reports()
    whole, person = person_of(r, report)
    assert person["Final-Recipient"].replace(" ", "") == "rfc822;" + a
    assert person["Action"] == "failed"
    assert person["Status"].startswith("5.7.")
    assert "127.0.0.1" in person["Remote-MTA"]
    assert word in person["Diagnostic-Code"]
    # S0-16: it came back as the message would have gone.
    assert report["tls"] and b"MAIL" not in r.clear_text("client.test")
    r.relay.wait_empty()
    assert len(r.reports()) == 1 and not r.arrived(a)
    assert len(r.lines(r"Delayed: .* MID 1 to RID 0 ")) >= 3


def test_the_box_is_not_ticked(rig):
    """S0-22 to S0-25: one message, all forced, each fails for itself."""
    r = rig(**unchecked("required-verify deadline=2s"))
    r.send(["a@good.test", B, C, D])
    a, b = r.wait("a@good.test", B)
    assert a["tls"] and b["tls"]
    named = sorted(person_of(r, m)[1]["Final-Recipient"].split(";")[1].strip()
                   for m in r.reports(2))
    assert named == [C, D]
    r.relay.wait_empty()
    assert len(r.arrived()) == 2 and len(r.reports(2)) == 2
    assert not r.lines("was split")
    for rid in (0, 1):
        assert r.lines(r"Message done DCID \d+ MID 1 to RID \[%d\]" % rid)
    assert b"RCPT" not in r.clear_text("clear.test")


def test_exactly_one_report_names_who_has_no_tls(rig):
    r = rig(**unchecked("required-verify deadline=1s"))
    r.send(["a@good.test", B, D])
    r.wait("a@good.test", B)
    report, = r.reports()
    assert D in person_of(r, report)[1]["Final-Recipient"]
    r.relay.wait_empty()
    assert len(r.reports()) == 1
    assert b"RCPT" not in r.clear_text("clear.test")


def test_a_rule_that_all_match_splits_nothing(rig):
    steps = "if header Subject secret; each set rcpt.tls required-verify; " \
            "each set rcpt.branch rule"
    r = rig(plugin={"puppet": {"eom": steps.replace(
        "if header Subject secret; ", "")}})
    r.send(["a@good.test", B], subject="secret")
    a, b = r.wait("a@good.test", B)
    assert a["tls"] and b["tls"]
    r.relay.wait_empty()
    assert not r.lines("was split")


def test_of_two_rules_the_stricter_wins_for_each(rig):
    """Both match A, one matches B and C: three groups, in this order."""
    steps = "".join("for %s set rcpt.tls required deadline=2s;" % who
                    for who in ("a@self.test", B, C))
    steps += "for a@self.test set rcpt.tls required-verify deadline=2s;" \
        "for %s set rcpt.branch one; for %s set rcpt.branch one;" \
        "for a@self.test set rcpt.branch two" % (B, C)
    r = rig(plugin={"puppet": {"eom": steps}})
    r.send(["a@self.test", B, C, D])
    b, c, d = r.wait(B, C, D)
    assert b["tls"] and c["tls"] and not d["tls"]
    report, = r.reports()
    assert "a@self.test" in person_of(r, report)[1]["Final-Recipient"]
    r.relay.wait_empty()
    assert [m.groups() for m in r.lines(
        r"MID (\d+) was split creating MID (\d+) ")] == [
        ("1", "2"), ("1", "3")]
    assert_whole(r, [b, c, d])


def test_without_a_match_nothing_changes(rig):
    r = rig(**checked("nobody@good.test"))
    r.send([B, C, D])
    r.wait(B, C, D)
    r.relay.wait_empty()
    assert not r.lines("was split") and not r.lines("Delayed")


AFTER = "".join("; for %s set rcpt.after rule 3600" % who for who in (B, D))


def test_the_others_leave_when_tls_to_the_first_is_there(rig):
    r = rig(**checked("a@good.test", more=AFTER))
    r.send(["a@good.test", B, D])
    r.wait("a@good.test", B, D)
    r.relay.wait_empty()
    text = "\n".join(r.relay.log_lines())
    places = [text.index(line) for line in [
        "MID 2 waits for MID 1, not longer than till ",
        "MID 2 queued for delivery", "peer certificate verified matched",
        "MID 2 waits no longer: MID 1 has its TLS", " MID 2 to RID [0]"]]
    assert places == sorted(places)


def test_the_others_wait_while_tls_fails_also_over_a_crash(rig):
    r = rig(**checked("a@self.test", more=AFTER))
    r.send(["a@self.test", B, D])
    rows = {row["rcpt"]: row for row in base.wait_for(
        lambda: [x for x in [r.relay.cli_json("queue", "list")]
                 if any(row["attempts"] for row in x)], r.relay.tail)[0]}
    assert [rows[who]["waits_for"] for who in ("a@self.test", B, D)] == [
        "", "1", "1"]
    assert "waits for MID 1" in r.relay.cli("queue", "list").stdout.decode()
    assert re.search(r"waits_for\W+1$", r.relay.cli(
        "queue", "show", "2").stdout.decode(), re.MULTILINE)
    r.relay.cli("queue", "flush")
    r.relay.kill()
    r.relay.start()
    r.relay.wait_log(r"Delayed: .* MID 1 to RID 0 ", count=6)
    assert not r.arrived() and not r.clear_text("clear.test")
    # The administrator gives up on A.
    r.relay.cli("queue", "bounce", "1")
    r.wait(B, D)
    r.relay.wait_log("MID 2 waits no longer: MID 1 is finished")
    r.relay.wait_empty()


def test_nobody_waits_longer_than_was_said(rig):
    r = rig(**checked("a@self.test", more="; for %s set rcpt.after rule 2" % D))
    r.send(["a@self.test", D])
    r.wait(D)
    r.relay.wait_log("MID 2 waits no longer: it has waited long enough")
    assert len(r.lines(r"Delayed: .* MID 1 to RID 0 ")) >= 2


def test_the_sender_is_warned_and_told_until_when(rig):
    r = rig(**checked(D, "required deadline=1h warn_after=1s"))
    r.send(["a@good.test", D])
    report, = r.reports()
    whole, person = person_of(r, report)
    assert person["Action"] == "delayed"
    assert person["Final-Recipient"].split(";")[1].strip() == D
    until, arrived = [email.utils.parsedate_to_datetime(text) for text in (
        person["Will-Retry-Until"], whole["Arrival-Date"])]
    assert abs((until - arrived).total_seconds() - 3600) <= 1
    assert report["tls"]
    r.relay.cli("queue", "delete", "--to", D)
    r.relay.wait_empty()
    assert len(r.reports()) == 1


# ---- by rules ----

def rules(text):
    """A policy of these rules."""
    place = base.private_dir("policy")
    os.chmod(place, 0o755)
    path = base.write_file(place + "/policy.lua", text)
    os.chmod(path, 0o644)
    return {"policy": {"file": path}}


RULE = """
rule "partner" {
  when = { %s },
  tls = "required-verify deadline=%s",
  others = "%s",
}
"""


def test_a_rule_with_the_box_ticked_splits(rig):
    r = rig(**rules(RULE % ('rcpt = "a@good.test"', "24h", "opportunistic")))
    r.send(["a@good.test", B, C, D])
    a, b, c, d = r.wait("a@good.test", B, C, D)
    r.relay.wait_empty()
    assert_whole(r, [a, b, c, d])
    assert (bool(a["tls"]), bool(b["tls"]), bool(c["tls"]), d["tls"]) == (
        True, True, True, None)
    assert [m.groups() for m in r.lines(
        r"MID (\d+) was split creating MID (\d+) due to a per-recipient "
        r"policy ")] == [("1", "2")]
    assert r.lines(r"Delivery start DCID \d+ MID 1 to RID \[0\]")


def test_a_rule_with_the_box_ticked_never_sends_less(rig):
    r = rig(**rules(RULE % ('rcpt = "a@self.test"', "2s", "opportunistic")))
    r.send(["a@self.test", B, D])
    b, d = r.wait(B, D)
    assert b["tls"] and not d["tls"]
    report, = r.reports()
    assert "a@self.test" in person_of(r, report)[1]["Final-Recipient"]
    assert report["tls"] and b"MAIL" not in r.clear_text("client.test")
    r.relay.wait_empty()
    assert not r.arrived("a@self.test")


def test_a_rule_with_the_box_not_ticked_forces_all(rig):
    r = rig(**rules(RULE % ('rcpt = "a@good.test"', "2s", "same")))
    r.send([B, "a@good.test", C, D])
    a, b = r.wait("a@good.test", B)
    assert a["tls"] and b["tls"]
    named = sorted(person_of(r, m)[1]["Final-Recipient"].split(";")[1].strip()
                   for m in r.reports(2))
    assert named == [C, D]
    r.relay.wait_empty()
    assert len(r.arrived()) == 2 and len(r.reports(2)) == 2
    assert not r.lines("was split")
    assert b"RCPT" not in r.clear_text("clear.test")


@pytest.mark.parametrize("others", ["opportunistic", "same"])
def test_a_rule_by_subject_splits_nothing_and_forces_all(rig, others):
    r = rig(**rules(RULE % ('subject = "*secret*"', "1s", others)))
    r.send(["a@good.test", B, D], subject="a secret")
    a, b = r.wait("a@good.test", B)
    assert a["tls"] and b["tls"]
    report, = r.reports()
    assert D in person_of(r, report)[1]["Final-Recipient"]
    r.relay.wait_empty()
    assert not r.lines("was split") and not r.arrived(D)


@pytest.mark.parametrize("others", ["opportunistic", "same"])
def test_a_rule_that_nobody_matches_does_nothing(rig, others):
    r = rig(**rules(RULE % ('rcpt = "nobody@good.test"', "1s", others)))
    r.send([B, C, D])
    assert not r.wait(B, C, D)[2]["tls"]
    r.relay.wait_empty()
    assert not r.lines("was split") and not r.lines("Delayed")


def test_a_rule_for_an_address_is_one_for_its_domain_in_the_message(rig):
    """S0-13."""
    r = rig(**rules(RULE % ('rcpt = "boss@self.test"', "1s",
                            "opportunistic")))
    r.send(["boss@self.test", C, D])
    r.wait(D)
    r.reports()
    r.relay.wait_empty()
    assert not r.arrived(C) and not r.arrived("boss@self.test")
    assert len(r.lines("was split")) == 1


def test_a_rule_for_an_address_alone_is_not_one_for_its_domain(rig):
    """S0-13: with whole_domain = false she is not forced."""
    r = rig(**rules("""
rule "boss" {
  when = { rcpt = "boss@self.test" },
  tls = "required-verify deadline=1s", whole_domain = false,
}
"""))
    r.send(["boss@self.test", C, D])
    c, d = r.wait(C, D)
    assert c["tls"] and not d["tls"]
    report, = r.reports()
    assert "boss@self.test" in person_of(r, report)[1]["Final-Recipient"]
    r.relay.wait_empty()
    assert len(r.lines("was split")) == 1
    assert not r.arrived("boss@self.test") and len(r.arrived(C)) == 1
    assert len(r.reports()) == 1


def test_of_two_real_rules_the_stricter_wins_for_each(rig):
    r = rig(**rules("""
rule "both" {
  when = { rcpt = { "a@self.test", "b@fine.test" } },
  tls = "required deadline=2s", others = "opportunistic",
}
rule "one" {
  when = { rcpt = "a@self.test" },
  tls = "required-verify deadline=2s", others = "opportunistic",
}
"""))
    r.send(["a@self.test", B, D])
    b, d = r.wait(B, D)
    assert b["tls"] and not d["tls"]
    assert "a@self.test" in person_of(r, r.reports()[0])[1]["Final-Recipient"]
    r.relay.wait_empty()
    assert 1 <= len(r.lines("was split")) <= 2
    assert not r.arrived("a@self.test")


def test_the_guard_of_a_rule_keeps_the_others_back(rig):
    r = rig(**rules("""
rule "guarded" {
  when = { rcpt = "a@self.test" },
  tls = "required-verify deadline=1h", others = "opportunistic",
  strict_first = "3s",
}
"""))
    r.send(["a@self.test", B, D])
    r.relay.wait_log(r"MID 2 waits for MID 1, ")
    r.relay.wait_log(r"Delayed: .* MID 1 to RID 0 ", count=2)
    assert not r.arrived()
    r.wait(B, D)
    r.relay.wait_log("MID 2 waits no longer: it has waited long enough")
    # It is tried again and again, and left alone while it is.
    base.wait_for(lambda: r.relay.cli(
        "queue", "delete", "1", check=False).returncode == 0, "its deletion")
    r.relay.wait_empty()
