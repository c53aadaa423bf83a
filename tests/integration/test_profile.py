"""`postern profile`: the TLS levels of the house and the strict profile, as
clients and next hops see them once they are committed."""

import json
import os
import re
import subprocess

import pytest

from lib import base, certs, client, postern, postfix, swaks
from lib.postern_sink import PosternSink
from test_config_store import settled

pytestmark = pytest.mark.sanitizer

HOPS = {"good.test": "name=good.test",
        "self.test": "cert=self,name=self.test",
        "clear.test": "nostarttls,name=clear.test",
        "weak.test": "nostarttls,name=weak.test"}
LISTED = "127.88.0.9"


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """An authority, and what it gave to the house."""
    made = certs.Authority(str(tmp_path_factory.mktemp("pki")))
    made.house, made.ours = made.server("relay.test"), made.client("good")
    return made


class House:
    """A relay or only its files, with a next hop of each kind."""

    def __init__(self, made, pki):
        self.made, self.pki = made, pki
        self.sink = None

    def files(self, **changes):
        """What fulfils all that the strict profile presumes and --apply does
        not set."""
        sink = self.sink
        roots = base.write_file(
            os.path.join(self.made.dir, "conf", "roots.pem"),
            base.read_text(self.pki.ca) +
            (base.read_text(sink.ca) if sink else ""))
        self.made.write_config({
            "listener": {"inbound": {"cert": self.pki.house.cert,
                                     "key": self.pki.house.key}},
            "relay": {"networks": ["127.88.0.0/24"], "domains": list(HOPS)},
            "destination": {"weak.test": {"tls": "none"}},
            "route": {domain: {"hosts": ["127.0.0.1:%d" % port]}
                      for domain, port in zip(HOPS, sink.ports if sink
                                              else range(9001, 9005))},
            "delivery": {"ca_file": roots}})
        self.made.cli("certconfig", "import", "house", self.pki.ours.cert,
                      self.pki.ours.key)
        self.made.cli("certconfig", "assign", "house", "outbound")
        self.made.write_config(changes)

    def run(self, *words, code=0):
        """Standard output, and the errors behind it."""
        done = subprocess.run(
            [base.POSTERN_BIN, *words, "-c", self.made.conf_file],
            capture_output=True, text=True, timeout=4 * base.PATIENCE,
            check=False)
        assert done.returncode == code, (words, done.stdout, done.stderr)
        return done.stdout if code == 0 else done.stdout + done.stderr

    def profile(self, *words, code=0):
        return self.run("profile", *words, code=code)

    def shown(self):
        return json.loads(self.profile("--json"))

    def missing(self, *words):
        said = json.loads(self.profile("strict", "--check", "--json", *words,
                                       code=1))
        assert not said["ok"]
        return {(one["what"], one["where"], one["remedy"])
                for one in said["checks"] if not one["ok"]}

    def objects(self):
        """What the store has with uncommitted changes."""
        return self.run("config", "show", "draft")

    def commit(self):
        self.run("commit")
        if self.made.process is not None:
            settled(self.made)

    # With a relay that runs

    def send(self, *domains, **more):
        for domain in domains:
            with self.made.client(**more) as peer:
                if "STARTTLS" in peer.ehlo():
                    peer.starttls()
                peer.start().deliver("a@client.test", ["b@" + domain],
                                     client.message("to " + domain))
                peer.quit()

    def arrived(self, domain):
        return self.sink.wait_messages(1, "b@" + domain)[0]

    def wait_deferred(self, *domains):
        def rows():
            found = {row["rcpt"][2:]: row["reason"]
                     for row in self.made.cli_json("queue", "list")}
            return set(found) == set(domains) and all(found.values())
        base.wait_for(rows, self.made.tail)


@pytest.fixture
def place(pki, makers):
    """Only files."""
    house = House(makers.add(postern.Postern()), pki)
    house.files()
    return house


@pytest.fixture
def house(pki, makers):
    made = postern.Postern(None, {"workers": 1, "bounce_profile": {
        "default": {"first_retry": "1s", "max_retry": "1s"}}})
    house = House(made, pki)
    house.sink = makers.add(PosternSink(listen=list(HOPS.values())))
    house.files()
    makers.add(made).start()
    return house


def names(config):
    return re.findall(r'^(\w+ "[^"]*"|\w+) \{', config, re.M)


# Levels

def test_a_fresh_house_attempts_tls_both_ways(house):
    shown = house.shown()
    assert (shown["server"]["level"], shown["client"]["level"],
            shown["strict"]) == ("attempt", "attempt", False)
    with house.made.client() as peer:
        assert "STARTTLS" in peer.ehlo()
        peer.deliver("a@client.test", ["b@clear.test"], client.message())
    house.send("self.test")
    assert house.arrived("clear.test")["tls"] is None
    assert house.arrived("self.test")["tls"] is not None


def test_a_server_that_requires_tls_takes_no_mail_without(house):
    said = house.profile("server", "require")
    assert said == 'listener "inbound": tls "preferred" -> "required"\n' \
        '  but destination "weak.test": none\n'
    house.commit()
    with house.made.client() as peer:
        peer.ehlo()
        assert peer.cmd("MAIL FROM:<a@client.test>") == \
            "530 5.7.0 Must issue a STARTTLS command first"
        answers = []
        while not answers or answers[-1].startswith("530"):
            answers.append(peer.cmd("MAIL FROM:<a@client.test>"))
        assert answers[-1].startswith("421")    # who insists is sent away
        peer.wait_closed()
    assert "530 5.7.0" in swaks.send(house.made.port, to="b@good.test",
                                     check=False).text
    house.made.wait_log("TLS was required but remote host did not initiate", 2)
    assert "Start MID" not in base.read_text(house.made.log_file)
    swaks.send(house.made.port, "a@client.test", "b@good.test", "--tls")
    house.arrived("good.test")


def test_postfix_must_speak_tls_to_a_server_that_requires_it(house, makers):
    house.profile("server", "require")
    house.commit()
    plain, able = [makers.add(postfix.as_relay(
        house.made.port, smtp_tls_security_level=level)).start()
        for level in ("none", "may")]
    plain.sendmail(client.message(), "a@client.test", "b@clear.test")
    base.wait_for(lambda: "530 5.7.0" in base.read_text(plain.log),
                  "Postfix's word")
    able.sendmail(client.message(), "a@client.test", "b@good.test")
    house.arrived("good.test")
    assert not [one for one in house.sink.messages()
                if one["to"] == ["b@clear.test"]]


@pytest.mark.parametrize("level,reached", [
    ("no", {"good.test": False, "self.test": False, "clear.test": False}),
    ("require-no-verify", {"good.test": True, "self.test": True}),
    ("require-verify", {"good.test": True})])
def test_the_client_delivers_as_its_level_says(house, level, reached):
    """weak.test has a level of its own, whatever the house's is."""
    house.profile("client", level)
    house.commit()
    assert house.shown()["client"]["level"] == level
    house.send(*HOPS)
    for domain, tls in dict(reached, **{"weak.test": False}).items():
        assert (house.arrived(domain)["tls"] is not None) == tls, domain
    house.wait_deferred(*[domain for domain in HOPS
                          if domain not in reached and domain != "weak.test"])


def test_levels_keep_what_demands_more_and_tell_of_it(place):
    place.made.write_config({
        "destination": {"strong.test": {"tls": "required-verify match=hosted"}},
        "delivery": {"tls": "preferred-verify min=1.3"},
        "mail_flow_policy": {"OFF": {"tls": "off"}, "TLS": {"tls": "required"},
                             "GO": {"tls": "off", "behavior": "reject"}}})
    assert "It is so already." in place.profile("client", "attempt")
    said = place.profile("client", "require-verify")
    assert 'delivery: tls "preferred-verify min=1.3" -> ' \
        '"required-verify min=1.3"\n' in said
    assert '  but destination "weak.test": none\n' in said
    assert "strong.test" not in said
    said = place.profile("server", "attempt")
    assert said.startswith(
        'mail_flow_policy "OFF": tls "off" -> "preferred"\n'
        '  but mail_flow_policy "TLS": required\n')
    assert "GO" not in said


BESIDES = "ciphers=ECDHE-RSA-AES128-GCM-SHA256 groups=X25519 deadline=2h"


def wants(place):
    """What is written with each level, and where: "LEVEL BESIDES"."""
    hosted = "match=hosted ca=%s %s" % (
        place.made.config["delivery"]["ca_file"], BESIDES)
    place.made.write_config({
        "delivery": {"tls": "preferred-verify " + hosted},
        "destination": {
            "weak.test": {"tls": "required-verify"},
            "partner.test": {"tls": "preferred-verify " + hosted},
            "alias.test": {"tls": "preferred-verify-hosted"},
            "plain.test": {"tls": "required " + BESIDES},
            "old.test": {"tls": "opportunistic min=1.0"}},
        "route": {"good.test": {"tls": "preferred-verify " + hosted}}})
    return hosted


def test_a_level_that_is_raised_keeps_what_was_asked_for_besides(place):
    hosted = wants(place)
    assert 'delivery: tls "preferred-verify %s" -> "required-verify %s"\n' % (
        hosted, hosted) in place.profile("client", "require-verify")


def test_strict_keeps_what_was_asked_for_besides_and_gives_all_back(place):
    hosted = wants(place)
    place.profile("strict", "--apply")
    for object_, now in {
            "delivery": hosted, 'destination "partner.test"': hosted,
            'route "good.test"': hosted, 'destination "plain.test"': BESIDES,
            'destination "alias.test"': "match=hosted",
            'destination "old.test"': ""}.items():
        assert '%s {\n  tls = "%s",\n}' % (
            object_, ("required-verify " + now).rstrip()) in place.objects()
    place.profile("strict", "--off")
    assert place.objects() == ""


def test_off_gives_back_what_was_raised_in_two_steps(place):
    wants(place)
    place.profile("strict", "--apply", "--no-verify")
    assert 'destination "partner.test" {\n  tls = "required %s",\n}' % \
        BESIDES in place.objects()
    place.commit()
    place.profile("strict", "--apply")
    place.profile("strict", "--off")
    assert place.objects() == ""


def test_a_level_is_in_force_only_once_it_is_committed(house):
    said = json.loads(house.profile("server", "require", "--json"))
    assert said["changes"] == [
        'listener "inbound": tls "preferred" -> "required"']
    assert said["exceptions"] == [
        {"where": 'destination "weak.test"', "tls": "none"}]
    assert said["uncommitted"] == 1
    with house.made.client() as peer:
        peer.start().deliver("a@client.test", ["b@good.test"],
                             client.message())


def test_an_object_of_a_node_stays_its_own(place):
    place.profile("client", "require-verify", "--node")
    place.profile("client", "require-no-verify")
    assert "of this node only" in place.objects()


@pytest.mark.parametrize("words", [
    ["server"], ["server", "may"], ["client", "require"],
    ["strict", "now"], ["strict", "--off", "--force"],
    ["strict", "--check", "--apply"], ["strict", "--check", "--force"],
    ["strict", "--off", "--no-verify"], ["show", "--check"], ["nonsense"],
    ["client", "no", "--force"], ["strict", "now", "--check"]])
def test_wrong_usage_changes_nothing(place, words):
    before = place.objects()
    assert "usage: postern profile" in place.profile(*words, code=2)
    assert place.objects() == before


# What the strict profile presumes

APPLIED = {("unknown-sources", 'listener "inbound"', "apply"),
           ("server-tls", 'listener "inbound"', "apply"),
           ("client-tls", "delivery", "apply"),
           ("client-tls", 'destination "weak.test"', "apply")}


def self_signed(place):
    place.made.write_config({"listener": {"inbound": {
        "cert": place.made.cert, "key": place.made.key}}})


def key_alone(place):
    place.made.write_config({"listener": {"inbound": {
        "cert": place.made.key, "key": place.made.key}}})


def expired(place):
    pair = place.pki.client("expired")
    place.made.write_config({"listener": {"inbound": {
        "cert": pair.cert, "key": pair.key}}})


def without_tls(place):
    """A certificate that nobody shows yet."""
    place.made.write_config({"listener": {"inbound": {"tls": "off"}}})


def without_outbound(place):
    place.run("certconfig", "unassign", "outbound", "house")


def outbound_for_servers(place):
    without_outbound(place)
    place.run("certconfig", "import", "server", place.pki.house.cert,
              place.pki.house.key)
    place.run("certconfig", "assign", "server", "outbound")


def without_roots(place):
    place.made.write_config({
        "delivery": {"ca_file": place.made.add_file("none.pem", "")}})


def without_roots_of_a_name_in_latin_1(place):
    """Whose path no JSON can have."""
    place.made.write_config({
        "delivery": {"ca_file": place.made.add_file("n-ne.pem", "")}})
    conf = base.read_text(place.made.conf_file).encode()
    with open(place.made.conf_file, "wb") as file:
        file.write(conf.replace(b"n-ne.pem", b"n\xf6ne.pem"))
    os.rename(os.path.join(place.made.dir, "conf", "n-ne.pem"),
              os.path.join(os.fsencode(place.made.dir), b"conf",
                           b"n\xf6ne.pem"))


def without_sources(place):
    place.made.write_config({"relay": {"networks": ["127.0.0.0/8", "::1"]}})


INBOUND = ("certificate", "listener:inbound", "you")
OUTBOUND = ("certificate", "outbound", "you")
NO_ROOTS = {INBOUND, OUTBOUND, ("authorities", "delivery", "you")}


@pytest.mark.parametrize("spoil,missing", [
    (None, set()), (without_tls, set()),
    (self_signed, {INBOUND}), (key_alone, {INBOUND}), (expired, {INBOUND}),
    (without_outbound, {OUTBOUND}), (outbound_for_servers, {OUTBOUND}),
    (without_roots, NO_ROOTS), (without_roots_of_a_name_in_latin_1, NO_ROOTS),
    (without_sources, {("listed-sources", 'listener "inbound"', "you")})])
def test_each_thing_that_is_missing_is_listed(place, spoil, missing):
    if spoil is not None:
        spoil(place)
    before = place.objects()
    assert place.missing() == APPLIED | missing
    if not missing:
        return
    said = place.profile("strict", "--apply", code=1)
    for what, where, _ in missing:
        assert re.search(r"(?m)^missing %s, %s: (?!.*--apply sets it)" % (
            what, where), said), said
    assert "nothing was changed" in said
    assert place.objects() == before
    place.profile("strict", "--apply", "--force")
    assert place.missing() == missing


def test_all_that_is_there_is_told_with_status_0(place):
    place.profile("strict", "--apply")
    said = place.profile("strict", "--check")
    assert "missing" not in said
    assert "ok      certificate, outbound: \"house\": issued by an authority" \
        in said
    assert json.loads(place.profile("strict", "--check", "--json"))["ok"]
    assert place.profile("strict", "--apply").startswith("It is so already.")


def test_one_word_lists_what_is_missing_or_sets_both_sides(place):
    """`strict` with no more words is `strict --apply`."""
    before = place.objects()
    without_outbound(place)
    said = place.profile("strict", code=1)
    assert re.search(r"(?m)^missing certificate, outbound: ", said), said
    assert "nothing was changed" in said
    assert place.missing() == APPLIED | {OUTBOUND}
    place.run("certconfig", "assign", "house", "outbound")
    assert place.objects() == before
    said = place.profile("strict")
    assert 'listener "inbound": tls "preferred" -> "required"' in said
    assert "missing" not in place.profile("strict", "--check")
    shown = place.shown()
    assert (shown["server"]["level"], shown["client"]["level"]) == (
        "require", "require-verify")
    assert shown["strict"] and shown["strict_everywhere"]
    assert "STRICT-STRANGERS" in place.run("config", "get", "listener",
                                           "inbound")


def test_one_word_takes_what_apply_takes(place):
    without_outbound(place)
    place.profile("strict", "--no-verify", "--force")
    assert place.shown()["client"]["tls"] == "required"


def test_without_verification_the_client_requires_tls_only(place):
    without_roots(place)
    assert ("authorities", "delivery", "you") not in place.missing(
        "--no-verify")
    place.profile("strict", "--apply", "--no-verify", "--force")
    assert place.shown()["client"]["tls"] == "required"
    assert ("client-tls", "delivery", "apply") in place.missing()
    place.profile("strict", "--off")
    assert place.objects() == ""


def groups(place):
    place.made.write_config({
        "listener": {
            "inbound": {"sender_groups": ["ODD", "BAD", "REST", "LATE"]},
            "second": {"address": ["127.0.0.1:%d" % base.free_port()],
                       "tls": "off", "sender_groups": ["BAD", "NOBODY"]}},
        "sender_group": {
            "ODD": {"senders": ["ALL"], "policy": "NEXT"},
            "BAD": {"senders": ["127.88.0.66"], "policy": "GO"},
            "REST": {"senders": ["0.0.0.0/0", "::/0"], "policy": "OPEN"},
            "LATE": {"senders": ["127.88.3.3"], "policy": "OPEN"},
            "NOBODY": {"senders": ["ALL"], "policy": "GO"}},
        "mail_flow_policy": {"GO": {"behavior": "reject"},
                             "NEXT": {"behavior": "continue"},
                             "OPEN": {"tls": "off"}}})


def test_who_was_in_a_group_stays_in_it_and_all_others_are_denied(place):
    groups(place)
    place.profile("strict", "--apply", "--force")
    conf = place.run("config", "get", "listener", "inbound")
    assert 'sender_groups = { "ODD", "BAD", "STRICT-TRUSTED", ' \
        '"STRICT-STRANGERS" },' in conf
    assert "sender_groups" not in place.run("config", "get", "listener",
                                            "second")
    assert 'tls = "required"' in place.run("config", "get",
                                           "mail_flow_policy", "OPEN")
    place.profile("strict", "--off")
    assert place.objects() == ""


WIDE = {"SIX": {"senders": ["::/0"], "policy": "OPEN"},
        "FOUR": {"senders": ["0.0.0.0/0"], "policy": "OPEN"},
        "NO-SIX": {"senders": ["::/0"], "policy": "GO"},
        "NO-FOUR": {"senders": ["0.0.0.0/0"], "policy": "GO"},
        "HALVES": {"senders": ["0.0.0.0/1", "128.0.0.0/1"],
                   "policy": "OPEN"},
        "RANGE": {"senders": ["0.0.0.0-255.255.255.255"], "policy": "OPEN"},
        "MOST-SIX": {"senders": ["2000::-3fff::"], "policy": "OPEN"},
        "TEN": {"senders": ["10.0.0.0/8", "fc00::/7",
                            "11.0.0.0-11.255.255.255"], "policy": "OPEN"},
        "PARTNER": {"senders": ["127.88.3.3"], "policy": "OPEN"},
        "LATE": {"senders": ["127.88.3.4"], "policy": "OPEN"}}


def wide(place, *listed):
    place.made.write_config({
        "listener": {"inbound": {"sender_groups": list(listed)}},
        "sender_group": WIDE, "relay": {"networks": []},
        "mail_flow_policy": {"OPEN": {"behavior": "accept"},
                             "GO": {"behavior": "reject"}}})


@pytest.mark.parametrize("listed,kept", [
    (["SIX", "PARTNER"], ["PARTNER"]),
    (["FOUR", "PARTNER"], ["PARTNER"]),
    (["HALVES", "PARTNER"], ["PARTNER"]),
    (["RANGE", "PARTNER"], ["PARTNER"]),
    (["MOST-SIX", "TEN"], ["TEN"]),
    (["NO-SIX", "PARTNER", "FOUR", "LATE"], ["NO-SIX", "PARTNER"]),
    (["SIX", "PARTNER", "NO-FOUR", "LATE"], ["PARTNER", "NO-FOUR"]),
    (["PARTNER", "NO-SIX", "NO-FOUR", "LATE"], None)])
def test_who_is_listed_behind_all_of_one_family_stays(place, listed, kept):
    wide(place, *listed)
    assert ("listed-sources", 'listener "inbound"', "you") not in \
        place.missing()
    place.profile("strict", "--apply")
    conf = place.run("config", "get", "listener", "inbound")
    if kept is None:
        assert "sender_groups" not in conf
    else:
        assert "sender_groups = { %s }," % ", ".join(
            '"%s"' % one for one in kept + ["STRICT-STRANGERS"]) in conf
    place.profile("strict", "--off")
    assert place.objects() == ""


def test_off_puts_a_group_back_in_front_of_those_it_was_in_front_of(place):
    wide(place, "SIX", "PARTNER", "FOUR")
    place.profile("strict", "--apply")
    place.run("config", "set", "listener", "inbound",
              "sender_groups=LATE,PARTNER,STRICT-STRANGERS")
    place.profile("strict", "--off")
    assert 'sender_groups = { "LATE", "SIX", "PARTNER", "FOUR" },' in \
        place.run("config", "get", "listener", "inbound")


# In force, and back

def banner(house, source):
    with house.made.client(source=source) as peer:
        return peer.banner[:3]


def test_strict_serves_those_that_are_listed_and_nobody_else(house):
    house.run("config", "set", "limits", "messages=7")
    house.commit()
    before = house.objects()
    assert banner(house, "127.0.0.1") == "220"
    house.profile("strict", "--apply")
    house.commit()
    assert banner(house, "127.0.0.1") == "554"
    house.made.wait_log(
        r"REJECT SG STRICT-STRANGERS match ALL ")
    with house.made.client(source=LISTED) as peer:
        peer.ehlo()
        peer.expect("MAIL FROM:<a@client.test>", 530)
    house.send(*HOPS, source=LISTED)
    assert house.arrived("good.test")["tls"] is not None
    house.wait_deferred("self.test", "clear.test", "weak.test")
    assert len(house.sink.messages()) == 1
    assert house.shown()["strict"]

    house.profile("strict", "--off")
    assert house.objects() == before
    house.commit()
    assert banner(house, "127.0.0.1") == "220"
    house.made.wait_empty()
    assert house.arrived("clear.test")["tls"] is None


def test_off_leaves_what_people_have_changed_since(place):
    place.profile("strict", "--apply")
    place.commit()
    place.run("config", "set", "destination", "weak.test",
              "tls=required-verify match=hosted")
    place.run("config", "set", "mail_flow_policy", "MINE", "behavior=reject")
    place.run("config", "set", "sender_group", "MINE", "senders=192.0.2.7",
              "policy=MINE")
    place.run("config", "set", "listener", "inbound", "sender_groups=MINE,"
              "STRICT-TRUSTED,STRICT-STRANGERS")
    place.commit()
    place.profile("strict", "--off")
    place.commit()
    assert names(place.objects()) == [
        'destination "weak.test"', 'listener "inbound"',
        'mail_flow_policy "MINE"', 'sender_group "MINE"']
    assert 'tls = "required-verify match=hosted"' in place.objects()
    conf = place.run("config", "get", "listener", "inbound")
    assert 'sender_groups = { "MINE" },' in conf
    assert "tls =" not in conf


def test_off_gives_the_store_what_it_had(place):
    place.run("config", "set", "delivery", "tls=preferred", "concurrency=3")
    place.run("config", "set", "mail_flow_policy", "OPEN", "tls=off")
    for name, senders in (("OURS", "192.0.2.7"), ("REST", "ALL")):
        place.run("config", "set", "sender_group", name, "policy=OPEN",
                  "senders=" + senders)
    place.run("config", "set", "listener", "inbound", "tls=preferred",
              "sender_groups=OURS,REST")
    place.commit()
    before = place.objects()
    place.profile("strict", "--apply")
    place.commit()
    place.profile("strict", "--off")
    assert place.objects().replace("-- uncommitted, by root\n", "") == \
        before.replace("-- uncommitted, by root\n", "")


def new_listener(place, tls="required"):
    place.run("config", "set", "listener", "second", "tls=" + tls,
              "address=127.0.0.1:%d" % base.free_port())


@pytest.mark.parametrize("spoil", [
    new_listener,
    lambda place: place.profile("server", "no"),
    lambda place: place.profile("client", "attempt"),
    lambda place: place.run("config", "set", "listener", "inbound",
                            "sender_groups=STRICT-TRUSTED")])
def test_strict_is_not_on_where_a_listener_or_level_was_opened(place, spoil):
    assert not place.shown()["strict_everywhere"]
    place.profile("strict", "--apply")
    shown = place.shown()
    assert shown["strict"] and shown["strict_everywhere"]
    assert "Strict profile: on\n" in place.profile()
    spoil(place)
    shown = place.shown()
    assert shown["strict"] and not shown["strict_everywhere"]
    assert "Strict profile: on, but not everywhere: see strict --check\n" in \
        place.profile()


def test_off_tells_what_is_younger_and_stays(place):
    place.profile("strict", "--apply")
    place.commit()
    new_listener(place, "off")
    place.run("config", "set", "mail_flow_policy", "YOUNG", "tls=off")
    place.run("config", "set", "mail_flow_policy", "SOFT", "behavior=accept")
    place.run("config", "set", "destination", "young.test",
              "tls=preferred-verify match=hosted")
    place.run("config", "set", "destination", "soft.test", "concurrency=3")
    place.run("config", "set", "route", "young.test", "hosts=127.0.0.1:9",
              "tls=none")
    place.profile("strict", "--apply", "--force")
    said = place.profile("strict", "--off")
    assert re.findall("(?m)^(.*) stays, .*$", said) == [
        'listener "second": tls "required"',
        'mail_flow_policy "YOUNG": tls "required"',
        'destination "young.test": tls "required-verify match=hosted"',
        'route "young.test": tls "required-verify"']
    assert place.objects().count("required") == 4


def test_off_keeps_a_policy_that_a_group_of_others_has(place):
    place.profile("strict", "--apply")
    place.commit()
    place.run("config", "set", "sender_group", "MINE", "senders=192.0.2.7",
              "policy=STRICT-RELAY")
    place.commit()
    assert ('mail_flow_policy "STRICT-RELAY" stays, sender_group "MINE" has '
            'it\n') in place.profile("strict", "--off")
    place.commit()
    assert names(place.objects()) == [
        'mail_flow_policy "STRICT-RELAY"', 'sender_group "MINE"']


def test_off_tells_why_it_cannot(place):
    assert "not in force" in place.profile("strict", "--off", code=1)
    place.profile("strict", "--apply")
    place.commit()
    place.run("config", "set", "delivery", "concurrency=3")
    place.commit()
    place.run("config", "prune", "--keep", "1")
    assert "pruned" in place.profile("strict", "--off", code=1)
