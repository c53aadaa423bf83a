"""What a client may of whom a name or a DNS list cannot be found out: never
more than in any group that it might be in."""

import json
import socket

import pytest

from lib import base, client

pytestmark = pytest.mark.sanitizer

POLICIES = {
    "OPEN": {"behavior": "accept", "tls": "preferred"},
    "RELAYED": {"behavior": "relay"},
    "BLOCKED": {"behavior": "reject"},
    "REFUSED": {"behavior": "tcprefuse"},
    "CLOSE": {"tls": "required", "message_size": "2k", "messages": 1,
              "recipients_per_hour": 3, "recipients_code": 451,
              "recipients_text": "Come back later",
              "tls_senders": ["strict.test"], "banner_text": "not shown"},
}


@pytest.fixture
def mute():
    """A resolver that never answers."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    yield "127.0.0.1@%d" % sock.getsockname()[1]
    sock.close()


def groups(relay, sink, resolver, table, **listener):
    """Groups in order: (name, senders, policy). The client has a name, but
    whether that leads back is asked of the resolver."""
    records = base.write_file(
        base.private_dir("zone") + "/records",
        "60.1.88.127.in-addr.arpa. 60 IN PTR mx.partner.test.\n")
    return relay(sink.port, {
        "dns": {"servers": [resolver], "records": records},
        "relay": {"networks": ["127.0.0.1/32"], "domains": ["next.test"]},
        "sender_group": {name: {"senders": senders, "policy": policy}
                         for name, senders, policy in table},
        "mail_flow_policy": POLICIES,
        "listener": {"inbound": dict(
            {"sender_groups": [row[0] for row in table],
             "dnslist_timeout": "300ms", "reverse_timeout": "300ms"},
            **listener)}})


REST = ("REST", ["ALL"], "OPEN")
HOME = ("HOME", ["127.88.0.0/16"], "RELAYED")
LISTED = ["dnslist[mute.test]"]
NAMED = [".partner.test"]


@pytest.mark.parametrize("senders", [LISTED, NAMED], ids=["list", "name"])
@pytest.mark.parametrize("policy,last,banner", [
    ("BLOCKED", REST, "421 4.7.0 relay.test Your address cannot be looked up"),
    ("REFUSED", REST, "421 4.7.0 relay.test Your address cannot be looked up"),
    ("OPEN", HOME, "421 4.7.0 relay.test Your address cannot be looked up"),
    ("RELAYED", REST, "220"),
    ("BLOCKED", ("BAD", ["ALL"], "BLOCKED"), "554 5.7.1 Access denied")])
def test_who_cannot_be_looked_up_is_let_in_only_if_no_group_forbids_it(
        relay, sink, mute, senders, policy, last, banner):
    server = groups(relay, sink, mute, [("MAYBE", senders, policy), last])
    with client.Client("127.0.0.1", server.port,
                       source="127.88.1.60") as peer:
        assert peer.banner.startswith(banner), peer.banner
        if banner.startswith("421"):
            peer.wait_closed()
    if banner[0] != "5":
        server.wait_log("cannot be found out whether sender group MAYBE is "
                        "the client's")
    # What explain foresees is what happened.
    told = json.loads(server.cli(
        "explain", "--live", "--json", "--client", "127.88.1.60",
        "--listener", "inbound", "a@us.test", "b@next.test",
        check=False).text)
    reply = told["hat"].get("reply", {"code": 220, "text": ""})
    assert banner.startswith(str(reply["code"])), told["hat"]
    assert banner.startswith("220") or reply["text"] in peer.banner, reply


def test_a_group_that_relays_is_not_granted_on_a_guess(relay, sink, mute):
    server = groups(relay, sink, mute, [("MAYBE", LISTED, "RELAYED"), REST])
    with server.client(source="127.88.1.60") as peer:
        peer.start().mail("a@x.test", "b@next.test")
        peer.expect("RCPT TO:<b@far.test>", 550)


def test_the_strictest_of_the_groups_holds(relay, sink, mute):
    server = groups(relay, sink, mute, [("MAYBE", LISTED, "CLOSE"), REST])
    with server.client(source="127.88.1.60") as peer:
        assert "not shown" not in peer.banner
        peer.ehlo()
        peer.expect("MAIL FROM:<a@x.test>", 530)
        peer.starttls()
        assert "SIZE 2048" in peer.ehlo()
        peer.deliver("a@x.test", ["b@next.test"], client.message())
        peer.expect("MAIL FROM:<a@x.test>", 4)
    answers = []
    for _ in range(3):
        with server.client(source="127.88.1.60") as peer:
            peer.ehlo()
            peer.starttls()
            peer.ehlo()
            peer.expect("MAIL FROM:<a@x.test>", 250)
            answers.append(peer.cmd("RCPT TO:<b@next.test>"))
    assert answers[:2] == ["250 2.1.5 Recipient ok"] * 2 or \
        [answer[:3] for answer in answers[:2]] == ["250"] * 2
    assert answers[2] == "451 4.5.3 Come back later"
    sink.wait(1)


def test_a_client_that_surely_is_in_a_group_is_not_asked_for_more(
        relay, sink, mute):
    server = groups(relay, sink, mute, [
        ("SURE", ["127.88.1.60"], "OPEN"), ("MAYBE", LISTED, "BLOCKED"), REST])
    with server.client(source="127.88.1.60") as peer:
        assert peer.banner.startswith("220")


def test_a_network_of_relay_is_put_off_where_a_group_may_not_relay(
        relay, sink, mute):
    server = groups(relay, sink, mute, [("MAYBE", LISTED, "OPEN")])
    with client.Client("127.0.0.1", server.port) as peer:
        assert peer.banner.startswith("421"), peer.banner


def test_a_failure_is_ignored_where_the_listener_says_so(relay, sink, mute):
    server = groups(relay, sink, mute, [
        ("MAYBE", LISTED + NAMED, "BLOCKED"), REST], lookup_failure="ignore")
    with server.client(source="127.88.1.60") as peer:
        assert peer.banner.startswith("220")
        peer.start().mail("a@x.test", "b@next.test")
    server.wait_log("no answer from the DNS list mute.test")


def test_a_group_that_continues_is_as_if_it_were_not_there(relay, sink, mute):
    table = [("SKIPPED", ["ALL"] + LISTED + NAMED, "SKIP"),
             ("BAD", ["127.88.1.60"], "BLOCKED"), REST]
    POLICIES_AND = dict(POLICIES, SKIP={"behavior": "continue"})
    server = relay(sink.port, {
        "dns": {"servers": [mute]},
        "relay": {"networks": ["127.0.0.1/32"], "domains": ["next.test"]},
        "sender_group": {name: {"senders": senders, "policy": policy}
                         for name, senders, policy in table},
        "mail_flow_policy": POLICIES_AND,
        "listener": {"inbound": {
            "sender_groups": [row[0] for row in table]}}})
    with client.Client("127.0.0.1", server.port,
                       source="127.88.1.60") as peer:
        assert peer.banner.startswith("554")
    with server.client(source="127.88.1.61") as peer:
        assert peer.banner.startswith("220")
    server.wait_log(r"ICID \d+ ACCEPT SG REST match ALL ")


SENDERS = """
good.test. 60 IN MX 10 mx.good.test.
mx.good.test. 60 IN A 127.0.0.2
test. 60 IN SOA ns.test. h.test. 1 3600 600 86400 60
"""


@pytest.mark.parametrize("sender,answer", [
    ("a@good.test", "250"), ("a@nowhere.test", "553 5.1.8"),
    ("a@friend.test", "250"), ("a@sub.friend.test", "553 5.1.8"),
    ("bad@good.test", "553 5.7.1 Envelope sender rejected"),
    ("BAD@Good.test", "553 5.7.1 Envelope sender rejected"),
    ('"b\\ad"@good.test', "553 5.7.1 Envelope sender rejected"),
    ("a@x.spam.test", "450 4.7.1 Not today"), ("", "250")])
def test_exceptions_come_before_the_question_for_the_domain(relay, sink,
                                                            sender, answer):
    records = base.write_file(base.private_dir("zone") + "/records", SENDERS)
    server = relay(sink.port, {
        "dns": {"records": records, "servers": ["127.0.0.1@9"]},
        "relay": {"networks": ["127.0.0.1/32"], "domains": ["next.test"]},
        "sender_exception": {
            "friend.test": {}, "bad@good.test": {"access": "reject"},
            ".spam.test": {"access": "reject", "code": 450,
                           "text": "Not today"}},
        "sender_group": {
            "A": {"senders": ["127.88.1.1"], "policy": "ASKED"},
            "B": {"senders": ["ALL"], "policy": "OPEN"}},
        "mail_flow_policy": {
            "ASKED": {"sender_dns": True, "sender_exceptions": True},
            "OPEN": {}},
        "listener": {"inbound": {"sender_groups": ["A", "B"]}}})
    with server.client(source="127.88.1.1") as peer:
        peer.ehlo()
        peer.expect("MAIL FROM:<%s>" % sender, answer)
    with server.client(source="127.88.1.2") as peer:
        peer.ehlo()
        peer.expect("MAIL FROM:<%s>" % sender, 250)


def test_a_policy_takes_or_refuses_reports_that_are_not_tagged(relay, sink,
                                                               tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("1 a secret of ours\n")
    server = relay(sink.port, {
        "relay": {"networks": ["127.0.0.2"], "domains": ["ours.test"],
                  "untagged_bounces": "refuse"},
        "delivery": {"bounce_keys": str(keys)},
        "sender_group": {
            "A": {"senders": ["127.88.1.1"], "policy": "TAKES"},
            "B": {"senders": ["127.88.1.2"], "policy": "REFUSES"},
            "C": {"senders": ["127.88.1.3"], "policy": "USUAL"}},
        "mail_flow_policy": {"TAKES": {"untagged_bounces": "accept"},
                             "REFUSES": {"untagged_bounces": "refuse"},
                             "USUAL": {}},
        "listener": {"inbound": {"sender_groups": ["A", "B", "C"]}}})
    for last, code in ((1, 250), (2, 550), (3, 550)):
        with server.client(source="127.88.1.%d" % last) as peer:
            peer.ehlo()
            peer.expect("MAIL FROM:<>", 250)
            peer.expect("RCPT TO:<jo@ours.test>", code)
