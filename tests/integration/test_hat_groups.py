"""Sender groups: who a client is by address, name or DNS list, and what its
mail flow policy lets it do."""

import re
import signal
import socket

import pytest

from lib import base, client

pytestmark = pytest.mark.sanitizer

RECORDS = """
10.1.88.127.in-addr.arpa. 60 IN PTR mx.partner.test.
mx.partner.test. 60 IN A 127.88.1.10
11.1.88.127.in-addr.arpa. 60 IN PTR forged.partner.test.
forged.partner.test. 60 IN A 127.88.1.99
20.1.88.127.list.test. 60 IN A 127.0.0.2
21.1.88.127.list.test. 60 IN A 127.0.0.4
22.1.88.127.list.test. 60 IN A 192.0.2.80
23.1.88.127.list.test. 60 IN A 127.255.255.254
good.test. 60 IN MX 10 mx.good.test.
mx.good.test. 60 IN A 127.0.0.2
null.test. 60 IN MX 0 .
test. 60 IN SOA ns.test. h.test. 1 3600 600 86400 60
127.in-addr.arpa. 60 IN SOA ns.test. h.test. 1 3600 600 86400 60
"""
GROUPS = {
    "RELAYLIST": (["127.88.0.0/24"], "RELAYED"),
    "BLOCKED": (["127.88.1.30-39", "dnslist[list.test=127.0.0.4]"],
                "BLOCKED"),
    "REFUSED": (["127.88.1.40"], "REFUSED"),
    "PARTNERS": ([".partner.test"], "PARTNERS"),
    "SUSPECTS": (["dnslist[list.test]"], "THROTTLED"),
    "CHECKED": (["127.88.1.50"], "CHECKED"),
}
POLICIES = {
    "RELAYED": {"behavior": "relay"},
    "BLOCKED": {"behavior": "reject", "reject_code": 550,
                "reject_text": "Go away"},
    "REFUSED": {"behavior": "tcprefuse"},
    "PARTNERS": {"tls": "required", "banner_text": "hello partner"},
    "THROTTLED": {"tls": "off", "messages": 1, "recipients": 100,
                  "message_size": "2k", "client_connections": 2,
                  "recipients_per_hour": 3, "recipients_code": 451,
                  "recipients_text": "Come back later"},
    "CHECKED": {"sender_dns": True},
}


def groups(server_of, sink, order=None, changes=None, **listener):
    """A relay with these groups and policies."""
    records = base.write_file(base.private_dir("zone") + "/records", RECORDS)
    policies = {name: dict(block, **(changes or {}).get(name, {}))
                for name, block in POLICIES.items()}
    return server_of(sink.port, {
        "dns": {"records": records, "servers": ["127.0.0.1@9"]},
        "relay": {"networks": ["127.0.0.1/32"], "domains": ["next.test"]},
        "sender_group": {name: {"senders": senders, "policy": policy}
                         for name, (senders, policy) in GROUPS.items()},
        "mail_flow_policy": policies,
        "listener": {"inbound": dict(
            {"sender_groups": list(order or GROUPS)}, **listener)}})


def group_line(server, ip):
    """The group's line of the first connection from ip."""
    icid = server.wait_log(r"^New SMTP ICID (\d+) .* address %s " %
                           re.escape(ip))[0].group(1)
    return server.wait_log(r"^ICID %s (\w+ SG .*)" % icid)[0].group(1)


@pytest.mark.parametrize("ip,banner,line", [
    ("127.88.0.9", "220", "RELAY SG RELAYLIST match 127.88.0.0/24"),
    ("127.88.1.35", "550", "REJECT SG BLOCKED match 127.88.1.30-39"),
    ("127.88.1.21", "550",
     "REJECT SG BLOCKED match dnslist[list.test=127.0.0.4]"),
    ("127.88.1.10", "220", "ACCEPT SG PARTNERS match .partner.test"),
    ("127.88.1.11", "220", "ACCEPT SG None match ALL"),
    ("127.88.1.20", "220", "ACCEPT SG SUSPECTS match dnslist[list.test]"),
    ("127.88.1.22", "220", "ACCEPT SG None match ALL"),
    ("127.88.1.23", "220", "ACCEPT SG None match ALL"),
    ("127.0.0.1", "220", "RELAY SG RELAYLIST match 127.0.0.1/32"),
])
def test_the_first_group_that_a_client_is_in_counts(relay, sink, ip, banner,
                                                    line):
    server = groups(relay, sink)
    with client.Client("127.0.0.1", server.port, source=ip) as peer:
        assert peer.banner.startswith(banner), peer.banner
    assert group_line(server, ip) == \
        line + " SBRS not enabled country not enabled"


def test_the_order_of_the_listener_decides(relay, sink):
    server = groups(relay, sink, order=["SUSPECTS", "BLOCKED"])
    with client.Client("127.0.0.1", server.port,
                       source="127.88.1.21") as peer:
        assert peer.banner.startswith("220")
    assert group_line(server, "127.88.1.21").startswith(
        "ACCEPT SG SUSPECTS match dnslist[list.test] ")


def test_a_rejected_client_may_only_quit(relay, sink):
    server = groups(relay, sink)
    with client.Client("127.0.0.1", server.port,
                       source="127.88.1.35") as peer:
        assert peer.banner == "550 5.7.1 Go away"
        peer.expect("EHLO x.test", 5)
        peer.expect("QUIT", 221)


def test_a_refused_client_is_reset_without_a_word(relay, sink):
    server = groups(relay, sink)
    # It may come as early as that.
    with pytest.raises(ConnectionResetError):
        with socket.create_connection(
                ("127.0.0.1", server.port), base.PATIENCE,
                ("127.88.1.40", 0)) as sock:
            assert sock.recv(100) == b"a reset"
    assert group_line(server, "127.88.1.40").startswith(
        "TCPREFUSE SG REFUSED match 127.88.1.40 ")
    server.wait_log(r"ICID \d+ close$")


def test_two_clients_in_two_groups_are_treated_in_two_ways(relay, sink):
    server = groups(relay, sink)
    with server.client(source="127.88.0.9") as peer:
        peer.start().deliver("a@x.test", ["b@far.test"], client.message())
    with server.client(source="127.88.1.10") as peer:
        assert "hello partner" in peer.banner
        peer.ehlo()
        assert peer.cmd("MAIL FROM:<a@x.test>") == \
            "530 5.7.0 Must issue a STARTTLS command first"
        peer.starttls()
        peer.start().mail("a@x.test")
        peer.expect("RCPT TO:<b@far.test>", 550)
        peer.expect("RCPT TO:<b@next.test>", 250)
    with server.client(source="127.88.1.20") as peer:
        assert "STARTTLS" not in peer.ehlo()
        peer.expect("STARTTLS", 502)
    sink.wait(1)


def test_a_change_of_a_policy_touches_its_groups_only(relay, sink):
    server = groups(relay, sink)

    def offers(ip):
        with server.client(source=ip) as peer:
            return "STARTTLS" in peer.ehlo()
    assert not offers("127.88.1.20") and offers("127.88.1.10")
    policies = dict(POLICIES, THROTTLED={"tls": "preferred"},
                    PARTNERS={"tls": "off"})
    server.write_config({"mail_flow_policy": policies})
    server.signal(signal.SIGHUP)
    base.wait_for(lambda: all(
        offers("127.88.1.20") and not offers("127.88.1.10")
        for _ in range(10)), "the new policies in both workers")
    assert offers("127.88.0.9") and offers("127.88.1.77")


def test_limits_are_those_of_the_policy(relay, sink):
    server = groups(relay, sink)
    with server.client(source="127.88.1.20") as peer:
        assert "SIZE 2048" in peer.ehlo()
        peer.expect("MAIL FROM:<a@x.test> SIZE=4000", 552)
        peer.deliver("a@x.test", ["b@next.test"], client.message())
        assert peer.cmd("MAIL FROM:<a@x.test>")[:3] in ("421", "451", "452")
    with server.client(source="127.88.1.77") as peer:
        assert "SIZE 150000000" in peer.ehlo()


def test_connections_of_a_client_are_counted_by_its_policy(relay, sink):
    server = groups(relay, sink)
    held = [server.client(source="127.88.1.20") for _ in range(2)]
    with client.Client("127.0.0.1", server.port,
                       source="127.88.1.20") as peer:
        assert peer.banner.startswith("421")
        peer.wait_closed()
    for peer in held:
        peer.close()


def test_suspects_may_have_fewer_recipients_than_others(relay, sink):
    server = groups(relay, sink, changes={"THROTTLED": {
        "recipients": 2, "recipients_per_hour": 0}})
    with server.client(source="127.88.1.20") as peer:
        assert "LIMITS RCPTMAX=2" in "".join(peer.ehlo())
        peer.mail("a@x.test", "b@next.test", "c@next.test")
        peer.expect("RCPT TO:<d@next.test>", 452)
        assert peer.data(client.message()).startswith("250")
    assert sink.wait()[0].recipients == ["b@next.test", "c@next.test"]
    with server.client(source="127.88.1.10") as peer:
        assert "RCPTMAX=1000" in "".join(peer.ehlo())


def test_recipients_of_an_hour_are_counted_across_workers(relay, sink):
    """At four times the limit, by many connections to all workers."""
    server = groups(relay, sink, changes={"THROTTLED": {
        "recipients_per_hour": 10, "client_connections": 0}})
    taken = refused = 0
    for _ in range(40):
        with server.client(source="127.88.1.20") as peer:
            peer.ehlo()
            peer.expect("MAIL FROM:<a@x.test>", 250)
            answer = peer.cmd("RCPT TO:<b@next.test>")
            if answer.startswith("250"):
                taken += 1
            else:
                assert answer == "451 4.5.3 Come back later"
                refused += 1
    assert (taken, refused) == (10, 30)
    server.wait_log(r"To: <b@next.test> Rejected by Injection Control")
    with server.client(source="127.88.1.10") as peer:
        peer.ehlo()
        peer.starttls()
        peer.start().mail("a@x.test", "b@next.test")


@pytest.mark.parametrize("sender,code", [
    ("a@good.test", "250"), ("", "250"), ("a@[127.0.0.1]", "250"),
    ("a@none.test", "553 5.1.8"), ("a@null.test", "553 5.1.8"),
    ("a@elsewhere.invalid-zone.example", "451 4.1.8")])
def test_the_domain_of_a_sender_is_looked_up_where_wanted(relay, sink, sender,
                                                          code):
    server = groups(relay, sink)
    with server.client(source="127.88.1.50") as peer:
        peer.ehlo()
        answer = peer.cmd("MAIL FROM:<%s>" % sender)
        assert answer.startswith(code), answer
        peer.expect("RSET", 250)
    with server.client(source="127.88.1.51") as peer:
        peer.ehlo()
        peer.expect("MAIL FROM:<%s>" % sender, 250)


def test_the_access_table_is_asked_for_each_recipient(relay, sink):
    server = groups(relay, sink)
    server.write_config({"recipient_access": {
        "ours.test": {}, "boss@ours.test": {
            "access": "reject", "code": 450, "text": "On holiday"}}})
    server.stop()
    server.start()
    with server.client(source="127.88.1.77") as peer:
        peer.start().mail("a@x.test", "b@ours.test", "b@next.test")
        assert peer.cmd("RCPT TO:<Boss@Ours.test>") == "450 4.7.1 On holiday"
        peer.expect("RCPT TO:<b@far.test>", 550)
    server.wait_log(r"^MID \d+ ICID \d+ To: <Boss@ours.test> Rejected by RAT$")
    server.wait_log(r"^MID \d+ ICID \d+ To: <b@far.test> Rejected by RAT$")
    with server.client(source="127.88.0.9") as peer:
        peer.start().mail("a@x.test", "boss@ours.test", "b@far.test")


def test_a_dns_list_that_says_nothing_is_no_match(relay, sink):
    """Nor does the client wait for it longer than the limit."""
    mute = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    mute.bind(("127.0.0.1", 0))
    server = relay(sink.port, {
        "dns": {"servers": ["127.0.0.1@%d" % mute.getsockname()[1]]},
        "relay": {"networks": [], "domains": ["next.test"]},
        "sender_group": {
            "LISTED": {"senders": ["dnslist[mute.test]", ".mute.test"],
                       "policy": "RELAYED"},
            "REST": {"senders": ["ALL"], "policy": "REST"}},
        "mail_flow_policy": {"RELAYED": {"behavior": "relay"},
                             "REST": {"tls": "off"}},
        "listener": {"inbound": {"sender_groups": ["LISTED", "REST"],
                                 "dnslist_timeout": "300ms",
                                 "reverse_timeout": "300ms"}}})
    with server.client(source="127.88.1.60") as peer:
        peer.start().mail("a@x.test")
        peer.expect("RCPT TO:<b@far.test>", 550)
    assert group_line(server, "127.88.1.60").startswith(
        "ACCEPT SG REST match ALL ")
    server.wait_log("no answer from the DNS list mute.test")
    mute.close()
