"""Listeners as `postern listenerconfig` makes them, public and private, and
what each takes by the recipient access table, seen by their clients."""

import json

import pytest

from lib import base, client
from test_listenerconfig import command, edit

LAN = "127.88.6.0/24"
INSIDE, OUTSIDE = "127.88.6.7", "127.88.7.7"


@pytest.fixture
def server(relay, sink):
    """With a public and a private listener beside that of the boot file."""
    made = relay(sink.port, {"relay": {"networks": [], "domains": []}})
    made.public, made.private = base.free_port(), base.free_port()
    edit(made, "new", "MailIn", "public",
         "address=127.0.0.1:%d" % made.public)
    edit(made, "new", "MailOut", "Private",
         "address=127.0.0.1:%d" % made.private)
    edit(made, "hostaccess", "edit", "MailOut", "RELAYLIST", "+" + LAN)
    return made


def commit(server, *ports):
    command(server, "commit", "listeners")
    for port in ports or (server.public, server.private):
        base.wait_for(lambda p=port: opens(p), "port %d" % port)


def opens(port):
    try:
        with client.Client("127.0.0.1", port, source=INSIDE):
            return True
    except OSError:
        return False


def connect(port, source):
    return client.Client("127.0.0.1", port, source=source)


def table(server, listener):
    return [(group["group"], group["policy"], group["behavior"],
             group["senders"])
            for group in json.loads(edit(server, "--json", "hostaccess",
                                         "print", listener))]


PUBLIC = [("WHITELIST", "TRUSTED", "ACCEPT", []),
          ("BLACKLIST", "BLOCKED", "REJECT", []),
          ("SUSPECTLIST", "THROTTLED", "ACCEPT", []),
          ("UNKNOWNLIST", "ACCEPTED", "ACCEPT", []),
          ("ALL_ACCEPTED", "ACCEPTED", "ACCEPT", ["ALL"])]


def test_new_listeners_have_the_tables_that_people_know(server):
    assert table(server, "MailIn") == PUBLIC
    assert table(server, "MailOut") == [
        ("RELAYLIST", "RELAYED", "RELAY", [LAN]),
        ("ALL_BLOCKED", "BLOCKED", "REJECT", ["ALL"])]


def test_a_public_listener_takes_what_the_table_has_from_everybody(server,
                                                                   sink):
    edit(server, "rcptaccess", "new", "ours.test")
    edit(server, "hostaccess", "edit", "MailIn", "BLACKLIST",
         "+127.88.7.66")
    edit(server, "hostaccess", "edit", "MailIn", "SUSPECTLIST",
         "+127.88.7.67")
    commit(server)
    for source in (INSIDE, OUTSIDE):
        with connect(server.public, source) as peer:
            assert "SIZE 150000000" in peer.ehlo()
            peer.mail("", "b@ours.test")
            peer.expect("RCPT TO:<b@far.test>", 550)
    server.wait_log(r"ACCEPT SG ALL_ACCEPTED match ALL ")
    with connect(server.public, "127.88.7.66") as peer:
        assert peer.banner.startswith("554")
    with connect(server.public, "127.88.7.67") as peer:
        assert "SIZE 10485760" in peer.ehlo()


def test_a_private_listener_relays_for_those_on_its_list_only(server, sink):
    commit(server)
    with connect(server.private, INSIDE) as peer:
        peer.start().deliver("a@x.test", ["b@far.test"], client.message())
    sink.wait(1)
    with connect(server.private, OUTSIDE) as peer:
        assert peer.banner.startswith("554 5.7.1")
    server.wait_log(r"RELAY SG RELAYLIST match 127\.88\.6\.0/24 ")
    server.wait_log(r"REJECT SG ALL_BLOCKED match ALL ")


def test_a_reset_gives_a_listener_its_first_table_again(server):
    edit(server, "hostaccess", "delete", "MailIn", "SUSPECTLIST")
    edit(server, "hostaccess", "edit", "MailIn", "WHITELIST", "+127.88.7.1")
    edit(server, "policy", "set", "TRUSTED", "behavior=relay")
    edit(server, "reset", "MailIn", "public")
    assert table(server, "MailIn") == PUBLIC
    edit(server, "reset", "inbound", "private")
    # RELAYLIST is MailOut's as well: nobody empties it from here.
    assert table(server, "inbound") == table(server, "MailOut")
    said = edit(server, "reset", "MailIn", "both", status=1)
    assert "neither public nor private" in said
    edit(server, "reset", "nowhere", "public", status=1)


def test_a_policy_of_that_name_that_does_something_else_is_no_default(server):
    before = table(server, "MailIn")
    edit(server, "policy", "set", "BLOCKED", "behavior=accept")
    for words in (["new", "third", "private", "address=127.0.0.1:1"],
                  ["reset", "MailIn", "public"]):
        said = edit(server, *words, status=1)
        assert 'mail_flow_policy "BLOCKED"' in said
    edit(server, "policy", "set", "BLOCKED", "behavior=reject")
    edit(server, "hostaccess", "edit", "MailOut", "ALL_BLOCKED", "-ALL",
         "+127.0.0.0/8")
    said = edit(server, "new", "third", "private", "address=127.0.0.1:1",
                status=1)
    assert 'sender_group "ALL_BLOCKED"' in said
    assert table(server, "MailIn") == before
    assert "third" not in edit(server, "list")


def test_the_dialogue_asks_which_kind_it_is(server):
    said = edit(server, text="\n".join([
        "new", "Third", "private", "address=127.0.0.1:1", "reset", "Third",
        "public", "new", "Fourth", "", "address=127.0.0.1:2", ""]))
    assert "Is it public or private (or neither)?\n[]> " in said
    assert "Failed" not in said
    assert table(server, "Third") == PUBLIC
    assert table(server, "Fourth") == []


def test_each_listener_has_its_recipients(server, sink):
    """Accepted or refused with a text, by address, part before the @, domain,
    those below it, and ALL, and none of it for those who may relay."""
    second = base.free_port()
    edit(server, "new", "Second", "public", "address=127.0.0.1:%d" % second)
    for entry in (
            ["ours.test", "listeners=MailIn"],
            [".below.test", "listeners=Second"],
            ["both.test"],
            ["boss@ours.test", "access=reject", "code=450",
             "text=On holiday", "listeners=MailIn"],
            ["boss@both.test", "access=reject", "text=Not by this door",
             "listeners=Second"],
            ["abuse@", "access=reject", "text=Write to abuse@us.test",
             "listeners=Second"],
            ["ALL", "access=reject", "code=551", "text=Nobody lives there",
             "listeners=Second"]):
        edit(server, "rcptaccess", "new", *entry)
    commit(server, server.public, server.private, second)
    answers = {
        "x@ours.test": ("250", "551 5.7.1 Nobody lives there"),
        "X@Ours.Test": ("250", "551 5.7.1 Nobody lives there"),
        "x@a.below.test": ("550 5.7.1 Relaying denied", "250"),
        "x@below.test": ("550 5.7.1 Relaying denied",
                         "551 5.7.1 Nobody lives there"),
        "x@both.test": ("250", "250"),
        "Boss@ours.test": ("450 4.7.1 On holiday",
                           "551 5.7.1 Nobody lives there"),
        "boss@both.test": ("250", "550 5.7.1 Not by this door"),
        "Abuse@both.test": ("250", "550 5.7.1 Write to abuse@us.test"),
        "abuse@a.below.test": ("550 5.7.1 Relaying denied",
                               "550 5.7.1 Write to abuse@us.test"),
        "x@far.test": ("550 5.7.1 Relaying denied",
                       "551 5.7.1 Nobody lives there"),
        "x%far.test@both.test": ("550 5.7.1 Relaying denied",) * 2,
    }
    for i, port in enumerate((server.public, second)):
        with connect(port, OUTSIDE) as peer:
            peer.start().mail("")
            for rcpt, said in answers.items():
                answer = peer.cmd("RCPT TO:<%s>" % rcpt)
                assert answer.startswith(said[i]), (rcpt, answer)
    with connect(server.private, INSIDE) as peer:
        peer.start().mail("a@x.test", *answers)
    for rcpt in ("boss@both.test", "x@far.test"):
        server.wait_log(r"^MID \d+ ICID \d+ To: <%s> Rejected by RAT$" % rcpt)


def test_a_name_at_any_domain_is_never_accepted(server):
    """It would be a relay to everywhere."""
    said = edit(server, "rcptaccess", "new", "postmaster@", status=1)
    assert "relay for everybody" in said
    edit(server, "rcptaccess", "new", "postmaster@", "access=reject")
    edit(server, "rcptaccess", "new", "a b@", "access=reject", status=1)
    edit(server, "rcptaccess", "new", "@", "access=reject", status=1)
