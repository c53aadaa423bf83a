"""Host access tables and the recipient access table as files: what was
exported is imported and exported the same, and a mistake changes nothing."""

import json
import os
import random
import re
import subprocess

import pytest

from lib import base, luaconf
from test_certconfig_dialogue import Dialogue

PER_SEED = 25
LETTERS = "abcdefghijklmnopqrstuvwxyz"
# What a comment or a text may have in it.
NASTY = ["a", "Z", "0", " ", "(", ")", "{", "}", "\"", "'", "\\", "#", "$",
         ":", ",", ";", "%", "--", "[[", "ä", "€", "\t", "\n", "\x7f"]


class Place:
    """A configuration of its own; nothing runs."""

    def __init__(self, blocks, listeners):
        self.folder = base.private_dir("tables")
        self.conf = os.path.join(self.folder, "postern.lua")
        base.write_file(self.conf, luaconf.text(dict(
            {"hostname": "mx.relay.example",
             "spool": os.path.join(self.folder, "spool"),
             "run": os.path.join(self.folder, "run"),
             "listener": {name: dict(setting, address=[
                 "127.0.0.1:%d" % (10000 + i)])
                 for i, (name, setting) in enumerate(listeners.items())}},
            **blocks)))

    def run(self, *words, status=0, command="listenerconfig"):
        done = subprocess.run(
            [base.POSTERN_BIN, command, "-c", self.conf, *words],
            capture_output=True, check=False, timeout=120)
        assert done.returncode == status, done.stdout + done.stderr
        return (done.stderr if status else done.stdout).decode()

    def file(self, text):
        return base.write_file(os.path.join(self.folder, "table"), text)

    def take(self, what, *words):
        """Import a text."""
        table = words[:-1] + (self.file(words[-1]),)
        return self.run(what, "import", *table)


def word(rnd, least=1, most=12):
    return "".join(rnd.choice(LETTERS)
                   for _ in range(rnd.randint(least, most)))


def text(rnd, most=20):
    return "".join(rnd.choice(NASTY) for _ in range(rnd.randint(1, most)))


def domain(rnd):
    return "%s.%s.example" % (word(rnd), word(rnd))


def octets(rnd, n):
    return ".".join(str(rnd.randint(0, 255)) for _ in range(n))


def sender(rnd):
    return rnd.choice([
        lambda: octets(rnd, 4),
        lambda: octets(rnd, 3) + ".0/24",
        lambda: octets(rnd, 3) + ".10-20",
        lambda: "10.0.0.7-10.%d.0.3" % rnd.randint(1, 99),
        lambda: octets(rnd, rnd.randint(1, 3)) + ".",
        lambda: "2001:db8:%x::" % rnd.randint(1, 65535),
        lambda: "2001:db8:%x::/48" % rnd.randint(1, 65535),
        lambda: domain(rnd),
        lambda: "." + domain(rnd),
        lambda: "dnslist[list.example]",
        lambda: "dnslist[list.example=127.0.0.%d]" % rnd.randint(2, 99),
        lambda: "ALL"])()


def policy(rnd):
    """Each setting now and then."""
    every = {
        "behavior": lambda: rnd.choice(["accept", "relay", "reject",
                                        "tcprefuse", "continue"]),
        "tls": lambda: rnd.choice(["off", "preferred", "required", "none"]),
        "client_cert": lambda: rnd.choice(["off", "request", "require"]),
        "tls_senders": lambda: [rnd.choice([".", "", word(rnd) + "@"]) +
                                domain(rnd)
                                for _ in range(rnd.randint(0, 4))],
        "banner_code": lambda: rnd.randint(200, 299),
        "banner_host": lambda: domain(rnd),
        "banner_text": lambda: text(rnd).translate({9: 32, 10: 32, 127: 32}),
        "reject_code": lambda: rnd.randint(400, 599),
        "reject_text": lambda: "No " + word(rnd),
        "recipients_per_hour": lambda: rnd.randint(0, 10000),
        "recipients_code": lambda: rnd.randint(400, 599),
        "recipients_text": lambda: "Later, " + word(rnd),
        "auth": lambda: rnd.choice(["off", "preferred"]),
        "sender_dns": lambda: rnd.random() < 0.5,
        "sender_dns_code": lambda: rnd.randint(400, 599),
        "sender_exceptions": lambda: rnd.random() < 0.5,
        "untagged_bounces": lambda: rnd.choice(["accept", "refuse"]),
        "comment": lambda: text(rnd),
        "message_size": lambda: rnd.choice(["2k", "50M", 12345678]),
        "recipients": lambda: rnd.randint(1, 1000),
        "messages": lambda: rnd.randint(0, 100),
        "client_connections": lambda: rnd.randint(0, 100),
        "idle_timeout": lambda: rnd.choice(["90s", "5m", 60]),
    }
    return {key: make() for key, make in every.items()
            if rnd.random() < 0.3}


def name(rnd, taken):
    one = word(rnd).upper() + rnd.choice(["", "-1", "_a", ".x", " b", " (c)",
                                          "\"d", "$e", ":", "{", "ä"])
    while one in taken:
        one += "x"
    return one


def recipient(rnd):
    return rnd.choice([
        lambda: domain(rnd),
        lambda: "." + domain(rnd),
        lambda: "%s@%s" % (word(rnd), domain(rnd)),
        lambda: "\"%s %s\"@%s" % (word(rnd), word(rnd), domain(rnd)),
        lambda: "o'%s!{%s}@%s" % (word(rnd), word(rnd), domain(rnd)),
        lambda: "[%s]" % octets(rnd, 4)])()


def access(rnd, listeners):
    every = {"access": lambda: rnd.choice(["accept", "reject"]),
             "code": lambda: rnd.randint(400, 599),
             "text": lambda: "No " + word(rnd),
             "listeners": lambda: rnd.sample(listeners, 2),
             "comment": lambda: text(rnd)}
    return {key: make() for key, make in every.items()
            if rnd.random() < 0.4}


def blocks(rnd):
    """Of a whole boot file, and its listeners' settings."""
    policies, groups, listeners = {}, {}, {}
    for _ in range(30):
        policies[name(rnd, policies)] = policy(rnd)
    for i in range(PER_SEED):
        mine = []
        for _ in range(rnd.randint(0, 8)):
            mine.append(name(rnd, groups))
            group = groups[mine[-1]] = {
                "policy": rnd.choice(list(policies)),
                "senders": list({sender(rnd): 0 for _ in range(
                    rnd.randint(0, 9))})}
            if rnd.random() < 0.6:
                group["comment"] = text(rnd)
        listeners["in%d" % i] = {"sender_groups": mine}
    recipients = {recipient(rnd).lower(): access(rnd, list(listeners))
                  for _ in range(rnd.randint(1, 50))}
    recipients["ALL"] = {"access": "reject", "text": text(rnd).translate(
        {9: 32, 10: 32, 127: 32})}
    return {"mail_flow_policy": policies, "sender_group": groups,
            "recipient_access": recipients}, listeners


@pytest.mark.parametrize("seed", range(8))
def test_random_tables_come_back_as_they_were(seed):
    """Two hundred listeners, eight recipient tables: of a boot file, into the
    store of a relay that has nothing of them."""
    made, listeners = blocks(random.Random(seed))
    one = Place(made, listeners)
    two = Place({}, {key: {} for key in listeners})
    for key, setting in listeners.items():
        first = one.run("hostaccess", "export", key)
        heads = re.findall(r"(?m)^[^ $\n].*:$", first)
        assert len(heads) == len(setting["sender_groups"])
        two.take("hostaccess", key, first)
        assert two.run("hostaccess", "export", key) == first
    first = one.run("rcptaccess", "export")
    assert first.count("\n") == len(made["recipient_access"])
    two.take("rcptaccess", first)
    assert two.run("rcptaccess", "export") == first
    # Nor does it harm where all of it is already.
    one.take("rcptaccess", first)
    assert one.run("rcptaccess", "export") == first
    key = max(listeners, key=lambda k: len(listeners[k]["sender_groups"]))
    first = one.run("hostaccess", "export", key)
    one.take("hostaccess", key, first)
    assert one.run("hostaccess", "export", key) == first


def test_ten_thousand_lines_come_back_as_they_were():
    rnd = random.Random("large")
    lines = ["$P%d\n    ACCEPT {\n        messages = %d,\n    }" % (i, i + 1)
             for i in range(50)]
    for i in range(1100):
        lines.append("G%d:" % i)
        lines += ["    10.%d.%d.%d" % (i // 250, i % 250, k)
                  for k in range(7)]
        lines.append("    $P%d (%s)" % (i if i < 50 else rnd.randrange(50),
                                        word(rnd)))
    table = "\n".join(lines) + "\n"
    assert table.count("\n") >= 10000
    rcpt = "".join("%05d.example %s\n" % (
        i, rnd.choice(["ACCEPT", "REJECT { code = 450, text = \"No\" }"]))
        for i in range(10000))
    place = Place({}, {"in": {}})
    place.take("hostaccess", "in", table)
    assert place.run("hostaccess", "export", "in") == table
    place.take("rcptaccess", rcpt)
    assert place.run("rcptaccess", "export") == rcpt


GOOD = """$TLS
    ACCEPT {
        tls = "required",
        message_size = "50M",
    }
PARTNERS:
    192.0.2.0/24
    $TLS (our friends)
"""


@pytest.fixture(scope="module")
def place():
    it = Place({"mail_flow_policy": {"OLD": {"auth": "off"}},
                "recipient_access": {"boot.example": {}}}, {"in": {}})
    it.take("hostaccess", "in", GOOD)
    it.take("rcptaccess", "boot.example ACCEPT\nours.example ACCEPT\n")
    return it


BAD = [
    ("192.0.2.1\n", 1, "neither NAME: nor $POLICY"),
    ("A:\n  nonsense!\n  $TLS\n", 2, "nonsense"),
    ("A:\n  192.0.2.1\nB:\n  $TLS\n", 3, "no $POLICY"),
    ("A:\n  192.0.2.1\n", 2, "no $POLICY"),
    ("A:\n  $TLS\n  192.0.2.1\n", 3, "neither"),
    ("A:\n  $NONE\n", 2, "no mail_flow_policy \"NONE\""),
    ("A:\n  $TLS\nB:\n  $TLS\nA:\n  $TLS\n", 5, "is there already"),
    ("A:\n  $TLS no comment\n", 2, "(comment)"),
    ("A b:\n  $TLS\n", 1, "no NAME:"),
    ("\n# x\n$P\n  ACCPT {\n  }\n", 4, "TCPREFUSE"),
    ("$P\n  ACCEPT\n", 2, "{ is expected"),
    ("$P\n  ACCEPT {\n  tls = \"sometimes\",\n}\n", 3, "tls"),
    ("$P\n  ACCEPT {\n  messages = 1,\n  tlss = \"off\",\n}\n", 4, "tls"),
    ("$P\n  ACCEPT {\n  messages = 1,\n  recipients = 0 }\n", 4,
     "recipients"),
    ("$P\n  ACCEPT {\n  connections = 5,\n}\n", 3, "connections"),
    ("$P\n  ACCEPT {\n  tls_senders = { \"a b\" },\n}\n", 3, "tls_senders"),
    ("$P\n  ACCEPT {\n\n  auth = \"required\",\n}\n", 4, "auth"),
    ("$P\n  ACCEPT {\n  tls = \"off\n}\n", 3, "quote"),
    ("$P\n  ACCEPT {\n  tls = \"off\"\n  messages = 1\n}\n", 4, "expected"),
    ("$P\n  ACCEPT {\n  } listener \"x\" {\n  }\n", 3, "behind"),
    ("$P\n  ACCEPT {\n", 2, "no }"),
    ("$P\n  ACCEPT { }\n$P\n  ACCEPT { }\n", 3, "is there already"),
    ("$OLD\n  ACCEPT { }\n", 1, "boot file has auth"),
    ("A:\n  $TLS (\x01)\n", 2, "octet 1"),
    ("$P\n  REJECT { behavior = \"relay\" }\n", 2, "behavior"),
    ("$P\n  ACCEPT { }\n$Q\n  REJECT { [\"behavior\"] = \"relay\" }\n", 4,
     "behavior"),
    ("A@b:\n  $TLS\n", 1, "stands in quotes"),
]


@pytest.mark.parametrize("table,line,said", BAD)
def test_a_host_table_with_a_mistake_is_refused_whole(place, table, line,
                                                      said):
    for before in ("", GOOD):
        path = place.file(before + table)
        told = place.run("hostaccess", "import", "in", path, status=1)
        assert "%s:%d: " % (path, line + before.count("\n")) in told
        assert said in told
    assert place.run("hostaccess", "export", "in") == GOOD


@pytest.mark.parametrize("table,line,said", [
    ("a.example\n", 1, "ACCEPT or REJECT"),
    ("a.example MAYBE\n", 1, "ACCEPT or REJECT"),
    ("a.example ACCEPT now\n", 1, "{ }"),
    ("# x\na..example ACCEPT\n", 2, "a..example"),
    ("a.example REJECT { code = 9 }\n", 1, "code"),
    ("a.example REJECT {\n code = 450,\n text = 7 }\n", 3, "text"),
    ("a.example REJECT { cod = 450 }\n", 1, "code"),
    ("a.example ACCEPT { listeners = { \"out\" } }\n", 1, "no listener"),
    ("ALL ACCEPT\n", 1, "relay for everybody"),
    ("a.example ACCEPT\nA.Example REJECT\n", 2, "is there already"),
    ("a.example REJECT { access = \"accept\" }\n", 1, "access"),
    ("a.example ACCEPT { } relay { }\n", 1, "behind"),
])
def test_a_recipient_table_with_a_mistake_is_refused_whole(place, table, line,
                                                           said):
    path = place.file("boot.example ACCEPT\n" + table)
    told = place.run("rcptaccess", "import", path, status=1)
    assert "%s:%d: " % (path, line + 1) in told and said in told, told
    assert place.run("rcptaccess", "export") == \
        "boot.example ACCEPT\nours.example ACCEPT\n"


def test_a_table_without_an_entry_of_the_boot_file_is_refused(place):
    path = place.file("ours.example ACCEPT\n")
    told = place.run("rcptaccess", "import", path, status=1)
    assert "boot.example" in told and "boot file" in told


def test_a_table_is_read_as_people_write_it(place):
    """On one line, without commas at the end, with other blanks, any case."""
    place.take("hostaccess", "in", "# ours\r\n$TLS accept {tls=\"required\","
               "\r\n# size\r\n message_size='50M'}\r\n\r\nPARTNERS:\n"
               "192.0.2.0/24\n$TLS (our friends)")
    assert place.run("hostaccess", "export", "in") == GOOD


def test_a_byte_order_mark_is_no_part_of_a_table(place):
    place.take("hostaccess", "in", "\ufeff" + GOOD)
    assert place.run("hostaccess", "export", "in") == GOOD
    table = "anna@ours.example ACCEPT\nboot.example ACCEPT\n"
    place.take("rcptaccess", "\ufeff" + table)
    assert place.run("rcptaccess", "export") == table


def test_what_is_not_in_the_file_any_more_is_gone(place):
    place.take("rcptaccess", "boot.example REJECT\nALL REJECT { text = "
               "\"Not here\" }\n")
    assert place.run("rcptaccess", "export") == (
        "ALL REJECT { text = \"Not here\" }\nboot.example REJECT\n")
    place.take("rcptaccess", "boot.example ACCEPT\nours.example ACCEPT\n")
    assert place.run("rcptaccess", "export") == \
        "boot.example ACCEPT\nours.example ACCEPT\n"


@pytest.mark.sanitizer
def test_an_import_keeps_what_others_have_changed_meanwhile():
    """The dialogue has read the listener before another administrator changes
    it; the import sets its table only."""
    it = Place({}, {"in": {}})
    it.run("set", "listener", "in", "connections=7", command="config")
    table = it.file(GOOD)
    one = Dialogue(it.conf, "listenerconfig")
    one.hear(r"\[\]> $")
    it.run("set", "listener", "in", "tls=required", command="config")
    one.say("HOSTACCESS", after="")
    one.answer("IMPORT", "in", table, "", "")
    assert one.end() == 0 and "Failed" not in one.all, one.all
    shown = {row["name"]: row["settings"] for row in json.loads(
        it.run("show", "--json", command="config"))}
    assert shown["in"] == {"connections": 7, "tls": "required",
                           "sender_groups": ["PARTNERS"]}
    assert it.run("hostaccess", "export", "in") == GOOD


def test_groups_of_any_name_stay_in_the_table():
    """Names with blanks and commas, when others come, move and go."""
    it = Place({}, {"in": {}, "out": {}})
    it.take("hostaccess", "in", "$P\n ACCEPT { }\n\"A b, c\":\n 192.0.2.1\n"
            " $P\nOTHER:\n 192.0.2.2\n $P\n")

    def groups(listener):
        return [row["group"] for row in json.loads(it.run(
            "--json", "hostaccess", "print", listener))]
    it.run("hostaccess", "reorder", "in", "A b, c", "2")
    assert groups("in") == ["OTHER", "A b, c"]
    it.run("hostaccess", "new", "in", "THIRD", "policy=P",
           "senders=192.0.2.3")
    it.run("hostaccess", "delete", "in", "OTHER")
    assert groups("in") == ["A b, c", "THIRD"]
    it.run("hostaccess", "new", "out", "A b, c", "policy=P")
    assert groups("out") == ["A b, c"]
    # A new one has a name that stands without quotes in a file.
    assert "a name is made of" in it.run(
        "hostaccess", "new", "out", "A@b", "policy=P", status=1)
