"""`postern listenerconfig`: sender groups and recipients edited, in force after
a commit."""

import json
import subprocess

import pytest

from lib import base, client


def command(server, *words, status=0, text=""):
    """What it says on standard output, or error where it fails."""
    done = subprocess.run(
        [base.POSTERN_BIN, words[0], "-c", server.conf_file, *words[1:]],
        input=text, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stderr if status else done.stdout


def edit(server, *words, **more):
    return command(server, "listenerconfig", *words, **more)


@pytest.fixture
def server(relay, sink):
    made = relay(sink.port, {"relay": {"networks": ["127.0.0.1/32"],
                                       "domains": ["next.test"]}})
    edit(made, "policy", "set", "TLS", "tls=required", "message_size=50M")
    edit(made, "policy", "set", "BLOCK", "behavior=reject")
    edit(made, "hostaccess", "new", "inbound", "PARTNERS", "policy=TLS",
         "senders=127.88.2.0/24,.partner.test", "comment=our friends")
    edit(made, "hostaccess", "new", "inbound", "BLOCKED", "at=1",
         "policy=BLOCK", "senders=127.88.2.7")
    return made


def names(server):
    return [group["group"] for group in json.loads(
        edit(server, "--json", "hostaccess", "print", "inbound"))]


def test_groups_are_in_force_after_a_commit(server):
    with server.client(source="127.88.2.7") as peer:
        assert peer.banner.startswith("220")
    command(server, "commit", "groups")

    def rejected():
        with client.Client("127.0.0.1", server.port,
                           source="127.88.2.7") as peer:
            return peer.banner.startswith("554")
    base.wait_for(lambda: all(rejected() for _ in range(10)),
                  "the groups in both workers")
    server.wait_log(r"ICID \d+ REJECT SG BLOCKED match 127\.88\.2\.7 ")


def test_a_table_is_shown_in_its_order(server):
    assert edit(server, "hostaccess", "print", "inbound") == (
        "1. BLOCKED: $BLOCK (REJECT)\n    127.88.2.7\n"
        "2. PARTNERS: $TLS (ACCEPT) our friends\n    127.88.2.0/24\n"
        "    .partner.test\n")


def test_groups_move_and_go(server):
    edit(server, "hostaccess", "reorder", "inbound", "BLOCKED", "2")
    assert names(server) == ["PARTNERS", "BLOCKED"]
    edit(server, "hostaccess", "reorder", "inbound", "BLOCKED", "3", status=1)
    edit(server, "hostaccess", "edit", "inbound", "BLOCKED", "+127.88.2.8",
         "-127.88.2.7")
    assert "127.88.2.8" in edit(server, "hostaccess", "print", "inbound")
    assert "no mail_flow_policy" in edit(server, "policy", "delete", "BLOCK",
                                         status=1)
    edit(server, "hostaccess", "delete", "inbound", "BLOCKED")
    assert names(server) == ["PARTNERS"]
    edit(server, "policy", "delete", "BLOCK")


def test_what_was_exported_is_imported_and_exported_the_same(server):
    first = edit(server, "hostaccess", "export", "inbound")
    path = server.add_file("table", first)
    edit(server, "hostaccess", "delete", "inbound", "BLOCKED")
    edit(server, "hostaccess", "import", "inbound", path)
    assert edit(server, "hostaccess", "export", "inbound") == first
    assert "(our friends)" in first


@pytest.mark.parametrize("text,line", [
    ("    127.0.0.1\n", 1), ("A:\n  $TLS\nA:\n", 3), ("# x\nA b:\n", 2)])
def test_a_table_with_a_mistake_changes_nothing(server, text, line):
    before = edit(server, "hostaccess", "export", "inbound")
    path = server.add_file("table", text)
    said = edit(server, "hostaccess", "import", "inbound", path, status=1)
    assert "%s:%d: " % (path, line) in said
    assert edit(server, "hostaccess", "export", "inbound") == before


def test_a_person_is_told_of_other_listeners_with_the_group(server):
    edit(server, "new", "second", "address=127.0.0.1:%d" % base.free_port(),
         "sender_groups=PARTNERS")
    done = subprocess.run(
        [base.POSTERN_BIN, "listenerconfig", "-c", server.conf_file,
         "hostaccess", "edit", "inbound", "PARTNERS", "+127.88.3.1"],
        capture_output=True, text=True, timeout=60, check=True)
    assert "Listener second has the group PARTNERS, too.\n" in done.stderr
    assert "BLOCKED" not in done.stderr


def test_a_file_with_nothing_in_it_empties_no_table(server):
    edit(server, "rcptaccess", "new", "ours.test")
    path = server.add_file("table", "# cut\n")
    for words in (("hostaccess", "import", "inbound"),
                  ("rcptaccess", "import")):
        assert "there is nothing in it" in edit(server, *words, path,
                                                status=1)
    assert names(server) == ["BLOCKED", "PARTNERS"]
    edit(server, "rcptaccess", "delete", "ours.test")
    edit(server, "rcptaccess", "import", path)


def test_recipients_are_edited(server):
    edit(server, "rcptaccess", "new", "ours.test")
    edit(server, "rcptaccess", "new", "boss@ours.test", "access=reject",
         "code=450", "text=On holiday")
    edit(server, "rcptaccess", "new", "ours.test", status=1)
    edit(server, "rcptaccess", "new", "ALL", status=1)
    assert edit(server, "rcptaccess", "print") == (
        "boss@ours.test REJECT 450 On holiday\nours.test ACCEPT\n"
        "next.test ACCEPT (relay.domains)\n")
    edit(server, "rcptaccess", "edit", "boss@ours.test", "access=accept")
    edit(server, "rcptaccess", "delete", "ours.test")
    assert edit(server, "rcptaccess", "print") == (
        "boss@ours.test ACCEPT\nnext.test ACCEPT (relay.domains)\n")


def test_policies_are_listed_with_their_settings(server):
    edit(server, "policy", "set", "TLS", "tls_senders=a.test,b@c.test",
         "recipients_per_hour=20", "sender_dns=true", "comment=us")
    assert json.loads(edit(server, "--json", "policy", "list")) == [
        {"name": "BLOCK", "settings": {"behavior": "reject"}},
        {"name": "TLS", "settings": {
            "tls": "required", "message_size": "50M",
            "tls_senders": ["a.test", "b@c.test"], "recipients_per_hour": 20,
            "sender_dns": True, "comment": "us"}}]
    assert 'mail_flow_policy "BLOCK" {\n' in edit(server, "policy", "list")


def test_recipients_are_shown_with_whom_they_are_for(server):
    edit(server, "new", "second", "address=127.0.0.1:%d" % base.free_port())
    edit(server, "rcptaccess", "new", "ours.test",
         "listeners=inbound,second", "comment=the house")
    edit(server, "rcptaccess", "new", "ALL", "access=reject", "text=Not here",
         "listeners=second")
    assert edit(server, "rcptaccess", "print") == (
        "ALL REJECT 550 Not here\n    listeners: second\n"
        "ours.test ACCEPT\n    listeners: inbound, second\n"
        "    comment: the house\n"
        "next.test ACCEPT (relay.domains)\n")
    rows = json.loads(edit(server, "--json", "rcptaccess", "print"))
    assert rows == [
        {"recipient": "ALL", "access": "reject", "code": 550,
         "text": "Not here", "comment": "", "listeners": ["second"],
         "source": "recipient_access"},
        {"recipient": "ours.test", "access": "accept", "code": 550,
         "text": "Recipient rejected", "comment": "the house",
         "listeners": ["inbound", "second"], "source": "recipient_access"},
        {"recipient": "next.test", "access": "accept", "listeners": [],
         "source": "relay.domains"}]


def test_a_listener_is_made_and_removed(server):
    edit(server, "new", "second", status=2)
    edit(server, "new", "second", "tls=off", status=1)
    edit(server, "new", "second", "address=127.0.0.1:%d" % base.free_port(),
         "sender_groups=PARTNERS")
    assert "second" in edit(server, "list")
    edit(server, "delete", "second")
    assert "second" not in edit(server, "list")
    edit(server, "delete", "second", status=1)


def test_the_dialogue_does_what_the_commands_do(server):
    said = edit(server, text="\n".join([
        "hostaccess", "new", "inbound", "LAST",
        "policy=TLS senders=ALL comment=who is left", "nonsense",
        "reorder", "inbound", "LAST", "7", "print", "inbound", "", "", ""]))
    assert "1. inbound (on 127.0.0.1:%d)" % server.port in said
    assert '"nonsense" is none of the operations.' in said
    assert 'Failed: "7" is no place from 1 to 3' in said
    assert "3. LAST: $TLS (ACCEPT) who is left\n    ALL\n" in said
    assert names(server) == ["BLOCKED", "PARTNERS", "LAST"]


def test_the_end_of_the_input_ends_the_dialogue(server):
    edit(server, text="hostaccess\nnew\ninbound\n")
    assert names(server) == ["BLOCKED", "PARTNERS"]
