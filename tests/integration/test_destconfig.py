"""postern destconfig: the dialogue word for word, the same as commands, and
files of AsyncOS."""

import json
import os
import random
import re
import signal

import pytest

from lib import base, luaconf
from test_certconfig_dialogue import Dialogue

MENU = """\
Choose the operation you want to perform:
- SETUP - Change global settings.
- NEW - Create a new entry.
- EDIT - Modify an entry.
- DELETE - Remove an entry.
- DEFAULT - Change the default.
- LIST - Display a summary list of all entries.
- DETAIL - Display details for one destination or all entries.
- CLEAR - Remove all entries.
- IMPORT - Import tables from a file.
- EXPORT - Export tables to a file.
[]> """

DEFAULT = """\
[DEFAULT]
ip_sort_pref = PREFER_V4
max_host_concurrency = 500
limit_type = MXIP
limit_apply = system
max_messages_per_connection = 50
recipient_minutes = 30
recipient_limit = 300
bounce_validation = off
table_tls = on
send_tls_req_alert = on
"""


class Place:
    def __init__(self):
        self.folder = base.private_dir("destconfig")
        self.conf = os.path.join(self.folder, "postern.lua")
        self.write({})

    def write(self, more):
        conf = {"hostname": "mx.relay.example",
                "spool": os.path.join(self.folder, "spool"),
                "run": os.path.join(self.folder, "run"),
                "bounce_profile": {"slow": {}},
                "listener": {"in": {"address": ["127.0.0.1:2525"]}}}
        conf.update(more)
        base.write_file(self.conf, luaconf.text(conf))

    def cli(self, *args, code=0):
        done = base.run([base.POSTERN_BIN, "destconfig", "-c", self.conf] +
                        list(args), check=False)
        assert done.returncode == code, (args, done.returncode, done.text)
        return done.text

    def rows(self, *args):
        done = base.run([base.POSTERN_BIN, "destconfig", "-c", self.conf,
                         "--json"] + list(args or ["list"]))
        return {row.pop("domain"): row for row in json.loads(
            done.text[:done.text.rindex("]") + 1])}

    def changes(self):
        return base.run([base.POSTERN_BIN, "config", "-c", self.conf,
                         "diff"]).text

    def file(self, text, name="table"):
        return base.write_file(os.path.join(self.folder, name), text)


@pytest.fixture
def place():
    return Place()


@pytest.fixture
def talk(place):
    made = []

    def start():
        made.append(Dialogue(place.conf, "destconfig"))
        return made[-1]
    yield start
    for one in made:
        try:
            os.kill(one.pid, signal.SIGKILL)
            os.waitpid(one.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(one.fd)


def entries(count):
    return "\nThere are currently %d entries configured.\n\n%s" % (count,
                                                                   MENU)


TRANSCRIPT = entries(2) + """new

Enter the domain you wish to configure.
[]> example.com

Do you wish to configure a concurrency limit for example.com? [Y]> n

Do you wish to apply a messages-per-connection limit to this domain? [N]> n

Do you wish to apply a recipient limit to this domain? [N]> n

Do you wish to apply a specific TLS setting for this domain? [N]> y

Do you want to use TLS support?
1. No
2. Preferred
3. Required
4. Preferred - Verify
5. Required - Verify
6. Required - Verify Hosted Domains
[1]> 3

You have chosen to enable TLS. Please use the 'certconfig' command to ensure \
that there is a valid certificate configured.

Do you wish to apply a specific bounce verification address tagging setting \
for this domain? [N]> n

Do you wish to apply a specific bounce profile to this domain? [N]> n

Do you wish to apply a specific IP sort preference to this domain? [N]> n
""" + entries(3) + """list

                 Rate           Bounce        Bounce     IP Version
Domain           Limiting  TLS  Verification  Profile    Preference
===============  ========  ===  ============  =========  ===========
example.com      Default   On   Default       Default    Default
partner.example  Default   Off  Default       Default    Default
(Default)        On        Off  Off           (Default)  Prefer IPv6
""" + entries(3) + "\n"


def test_the_session_of_the_manual_word_for_word(place, talk):
    place.cli("new", "partner.example", "tls=none")
    one = talk()
    one.answer("new", "example.com", "n", "n", "n", "y", "3", "n", "n", "n",
               "list", "")
    assert one.end() == 0
    said = one.all
    assert said.startswith(TRANSCRIPT), said
    assert "uncommitted changes" in said[len(TRANSCRIPT):]


def test_limits_are_asked_for_one_by_one(place, talk):
    one = talk()
    one.answer("NEW", "a.example", "y", "", "y", "7", "Y", "15", "300", "2",
               "1", "n", "y", "n", "y", "1", "y", "4", "")
    assert one.end() == 0
    said = one.all
    for part in ('Enter the max concurrency limit for "a.example".\n[500]> ',
                 "Enter the number of minutes used to measure the recipient "
                 "limit.\n[60]> ",
                 "Enter the max number of recipients per 15 minutes for "
                 '"a.example".\n[]> ',
                 "Select how you want to apply the limits for a.example:\n"
                 "1. One limit applies to the entire domain a.example\n"
                 "2. Separate limit for each mail exchanger IP address\n"
                 "[1]> ",
                 "Select how the limits will be enforced:\n"
                 "1. System Wide\n2. Per Virtual Gateway(tm)\n[1]> "):
        assert part in said, part
    assert place.rows()["a.example"] == {
        "concurrency": 500, "max_messages": 7, "recipients": 300,
        "recipient_minutes": 15, "limit_by": "mx", "ip": "require-ipv4",
        "bounce_verification": "off", "bounce_profile": "slow"}


def test_a_limit_of_recipients_by_address_is_told_to_be_by_domain(place,
                                                                 talk):
    told = "Recipients are counted for the entire domain; connections for " \
        "each address.\n"
    one = talk()
    one.answer("new", "a.example", "n", "n", "y", "", "9", "2", *[""] * 6)
    assert one.end() == 0
    assert one.all.count(told) == 1
    one = talk()
    one.answer("new", "b.example", "y", "", "n", "n", "2", *[""] * 6)
    one.end()
    assert told not in one.all
    said = place.cli("import", place.file(DEFAULT + """
[a.example]
limit_type = MXIP
limit_apply = system
max_host_concurrency = 5
"""))
    assert "limit_type MXIP is for connections only" in said
    assert "(sections: 1)" in said
    assert "is for connections only" not in place.cli(
        "import", place.file(DEFAULT.replace("MXIP", "host")))


@pytest.mark.parametrize("number,level,said", [
    ("1", "none", False), ("2", "preferred", True), ("3", "required", True),
    ("4", "preferred-verify", True), ("5", "required-verify", True),
    ("6", "required-verify match=hosted", True)])
def test_each_tls_choice_is_kept(place, talk, number, level, said):
    one = talk()
    one.answer("new", "a.example", "n", "n", "n", "y", number, "n", "n", "n",
               "")
    assert one.end() == 0
    assert ("You have chosen to enable TLS." in one.all) == said
    assert place.rows()["a.example"] == {"tls": level}


def test_a_file_may_begin_with_a_byte_order_mark(place):
    place.cli("import", place.file("\ufeff" + DEFAULT + "[a.example]\n"
                                   "table_tls = required\n"))
    assert place.rows()["a.example"] == {"tls": "required"}
    assert "table:2: " in place.cli("import", place.file(
        DEFAULT.replace("]\n", "]\n\ufeff")), code=1)


@pytest.mark.parametrize("level", [
    "opportunistic", "forced", "preferred-verify-hosted",
    "required-verify ca=/etc/roots.pem", "required min=1.3", "none"])
def test_empty_answers_keep_the_tls_of_an_entry(place, talk, level):
    place.cli("set", "a.example", "tls=" + level)
    before = place.rows()["a.example"]
    one = talk()
    one.answer("edit", "a.example", "n", "", "", "", "", "", "", "", "")
    assert one.end() == 0
    assert place.rows()["a.example"] == before
    one = talk()
    one.answer("edit", "a.example", "n", "", "", "", "3", "", "", "", "")
    assert one.end() == 0
    assert place.rows()["a.example"]["tls"].startswith("required")


@pytest.mark.parametrize("boot,prompts", [
    ({}, ("[500]> ", )),
    ({"concurrency": 8, "limit_by": "mx", "max_messages": 7,
      "recipients": 300, "recipient_minutes": 5},
     ("[8]> ", "[7]> ", "[5]> ", "per 5 minutes", "[300]> ", "[2]> "))])
def test_empty_answers_to_default_change_nothing(place, talk, boot, prompts):
    """The limits that it asks with are those in force, written or not."""
    place.write({"delivery": boot})
    before = place.rows()["DEFAULT"]
    one = talk()
    one.answer("default", *[""] * (10 if not boot else 13))
    assert one.end() == 0
    assert "uncommitted" not in one.all
    assert 'limit for "the default".\n' + prompts[0] in one.all
    for part in prompts:
        assert part in one.all, part
    assert place.changes() == ""
    assert place.rows()["DEFAULT"] == before
    assert before["concurrency"] == boot.get("concurrency", 500)
    assert before["max_messages"] == boot.get("max_messages", 50)


@pytest.mark.parametrize("words,questions", [
    ((), 7), (("tls=required min=1.3", "ip=require-ipv4"), 9),
    (("concurrency=3", ), 10), (("limit_by=mx", "concurrency=3"), 10),
    (("limit_by=mx", ), 7), (("recipient_minutes=5", ), 7),
    (("recipients=10", ), 11), (("recipients=10", "concurrency=3",
                                  "recipient_minutes=7"), 12),
    (("max_messages=9", "bounce_verification=off", "bounce_profile=slow"),
     10)])
@pytest.mark.parametrize("written", ["boot", "store"])
def test_empty_answers_to_edit_change_nothing(place, talk, words, questions,
                                              written):
    if written == "boot":
        place.write({"destination": {"a.example": {
            key: int(value) if value.isdigit() else value
            for key, value in (word.split("=", 1) for word in words)}}})
    else:
        place.cli("set", "a.example", *words)
        base.run([base.POSTERN_BIN, "commit", "-c", place.conf])
    one = talk()
    one.answer("edit", "a.example", *[""] * (questions + 1))
    assert one.end() == 0
    assert "uncommitted" not in one.all
    assert place.changes() == ""


def test_a_new_entry_is_asked_with_the_limits_it_would_inherit(place, talk):
    place.write({"delivery": {"concurrency": 8}})
    place.cli("set", ".a.example", "concurrency=4", "limit_by=mx")
    one = talk()
    one.answer("new", "b.a.example", *[""] * 10 + ["new", "b.example"] +
               [""] * 11)
    assert one.end() == 0
    assert '"b.a.example".\n[4]> ' in one.all
    assert '"b.example".\n[8]> ' in one.all
    rows = place.rows()
    assert rows["b.a.example"] == {"concurrency": 4, "limit_by": "mx"}
    assert rows["b.example"] == {"concurrency": 8, "limit_by": "domain"}


def test_empty_answers_to_setup_change_nothing(place, talk):
    one = talk()
    one.answer("setup", "", "", "")
    assert one.end() == 0
    assert "uncommitted" not in one.all


def test_tagging_without_keys_is_told_at_the_question(place, talk):
    """And costs no other answer."""
    told = "'postern config set delivery bounce_keys=FILE'"
    one = talk()
    one.answer("new", "a.example", "n", "n", "n", "y", "3", "y", "y")
    one.answer("n", "n", "")
    assert one.end() == 0
    assert told in " ".join(one.all.split())
    assert one.all.index("no keys for tags") < one.all.index(
        "specific bounce profile")
    assert "Failed" not in one.all
    assert place.rows()["a.example"] == {"tls": "required"}
    place.write({"delivery": {"bounce_keys": place.file(
        "1 " + "k" * 32 + "\n", "keys")}})
    one = talk()
    one.answer("edit", "a.example", "", "", "", "", "", "y", "y", "", "", "")
    assert one.end() == 0
    assert "no keys for tags" not in one.all
    assert place.rows()["a.example"] == {"tls": "required",
                                         "bounce_verification": "on"}


def certificate(place):
    return place.rows()["DEFAULT"].get("certificate")


def test_setup_takes_certificates_that_are_there(place, talk):
    for name in ("mine", "other"):
        base.run([base.POSTERN_BIN, "certconfig", "-c", place.conf,
                  "create", name, "--cn", "mx.relay.example", "--key",
                  "p256"])
    one = talk()
    one.answer("setup", "nobody", "mine", "y", "")
    assert one.end() == 0
    assert one.all.index('"nobody"') < one.all.index("alert when a required")
    assert certificate(place) == "mine"
    assert "nobody" in place.cli("setup", "certificate=nobody", code=1)
    place.cli("setup", "certificate=other")
    assert certificate(place) == "other"


@pytest.mark.parametrize("boot", [{}, {"delivery": {"certificate": "mine"}}])
def test_setup_can_take_the_certificate_away(place, talk, boot):
    place.write(boot)
    if not boot:
        place.cli("default", "certificate=mine")
    one = talk()
    one.answer("setup", "none", "", "")
    assert one.end() == 0
    assert "or NONE.\n[mine]> " in one.all
    assert certificate(place) is None
    before = place.changes()
    one = talk()
    one.answer("setup", "", "", "")
    assert one.end() == 0
    assert "or NONE.\n[NONE]> " in one.all
    assert place.changes() == before


def test_nothing_else_is_called_default(place, talk):
    place.cli("set", "DEFAULT", "tls=required", code=1)
    assert '"postern destconfig default"' in place.cli("new", "default",
                                                       code=1)
    one = talk()
    one.answer("new", "DEFAULT", "")
    assert one.end() == 0
    assert "Failed: DEFAULT is the default entry" in one.all
    assert list(place.rows()) == ["DEFAULT"]


def test_no_octet_of_an_answer_is_lost(place, talk):
    one = talk()
    one.answer("new", "a.example\0.evil.example", "new", "a\x1b.example",
               "\x1b[31mlist", "")
    assert one.end() == 0
    assert one.all.count("is no address, domain, .domain or *") == 2
    assert '"?[31mlist" is none of the operations.' in one.all
    assert list(place.rows()) == ["DEFAULT"]


def test_an_entry_is_edited_deleted_and_all_are_cleared(place, talk):
    for name in ("a.example", "b.example", ".c.example"):
        place.cli("set", name, "tls=required", "concurrency=3")
    one = talk()
    one.answer("edit", "b.example", "y", "4", "n", "n", "1", "1", "y", "2",
               "n", "n", "n", "delete", "a.example", "delete", "DEFAULT",
               "default", "y", "9", "n", "n", "1", "1", "n", "n", "n", "")
    assert one.end() == 0
    assert "Failed: the default entry cannot be deleted\n" in one.all
    rows = place.rows()
    assert sorted(rows) == [".c.example", "DEFAULT", "b.example"]
    assert rows["b.example"] == {"tls": "preferred", "concurrency": 4,
                                 "limit_by": "domain"}
    assert rows["DEFAULT"]["concurrency"] == 9
    one = talk()
    one.answer("clear", "n", "clear", "y", "")
    assert one.end() == 0
    assert list(place.rows()) == ["DEFAULT"]
    assert place.rows()["DEFAULT"]["concurrency"] == 9


def test_nothing_is_changed_when_the_input_ends_between_answers(place, talk):
    one = talk()
    one.answer("new", "a.example", "y", "5", "\x04")
    assert one.end() == 0
    one = talk()
    one.answer("new", "a.example", "y", "5")
    one.hear(r"\[N\]> $")
    os.write(one.fd, b"\x03")
    assert one.end() == -signal.SIGINT
    assert list(place.rows()) == ["DEFAULT"]


def test_each_operation_is_a_command(place):
    place.cli("new", "a.example", "tls=required", "concurrency=10")
    place.cli("new", "a.example", code=1)
    place.cli("edit", "a.example", "max_messages=5")
    place.cli("edit", "b.example", "max_messages=5", code=1)
    place.cli("set", ".b.example", "ip=require-ipv6", "limit_by=mx")
    place.cli("default", "max_messages=70")
    place.cli("setup", "alert_required_tls=yes")
    rows = place.rows()
    assert rows["a.example"] == {"tls": "required", "concurrency": 10,
                                 "max_messages": 5}
    assert rows[".b.example"] == {"ip": "require-ipv6", "limit_by": "mx"}
    assert rows["DEFAULT"]["max_messages"] == 70
    assert rows["DEFAULT"]["alert_required_tls"] is True
    assert "required" in place.cli("list")
    assert "Concurrency limit:               10\n" in place.cli(
        "detail", "a.example")
    place.cli("detail", "no.example", code=1)
    place.cli("delete", "a.example")
    place.cli("delete", "a.example", code=1)
    place.cli("delete", "DEFAULT", code=1)
    place.cli("clear")
    assert list(place.rows()) == ["DEFAULT"]
    assert "max_mesages" in place.cli("set", "a.example", "max_mesages=5",
                                      code=1)
    place.cli("set", "a.example", "tls=mandatory", code=1)
    place.cli("set", "u@a.example", "concurrency=3", code=1)
    assert list(place.rows()) == ["DEFAULT"]


def test_an_entry_of_the_boot_file_is_there_and_stays(place):
    place.write({"destination": {"boot.example": {"tls": "required",
                                                  "concurrency": 3}}})
    assert place.rows()["boot.example"] == {"tls": "required",
                                            "concurrency": 3}
    place.cli("edit", "boot.example", "concurrency=5")
    assert place.rows()["boot.example"] == {"tls": "required",
                                            "concurrency": 5}
    place.cli("delete", "boot.example")
    assert place.rows()["boot.example"]["concurrency"] == 3
    assert "postern.lua" in place.cli("delete", "boot.example", code=1)


def test_what_the_boot_file_says_stays_and_is_told(place, talk):
    place.write({"destination": {
        "a.example": {"tls": "required", "concurrency": 3},
        "b.example": {"tls": "required"}}})
    place.cli("set", "own.example", "tls=none")
    said = place.cli("clear")
    assert "of these stays" in said and place.conf in said
    assert re.findall("^  (.*)$", said, re.M) == ["a.example", "b.example"]
    assert sorted(place.rows()) == ["DEFAULT", "a.example", "b.example"]
    said = place.cli("import", place.file(DEFAULT + """
[a.example]
table_tls = on
[b.example]
table_tls = on
"""))
    assert re.findall("^  (.*)$", said, re.M) == ["a.example"]
    assert place.rows()["a.example"] == {"tls": "preferred", "concurrency": 3}
    one = talk()
    one.answer("clear", "y", "")
    assert one.end() == 0
    assert "  a.example\n  b.example\n" in one.all
    place.write({"destination": {"d%02d.example" % i: {"tls": "none"}
                                 for i in range(25)}})
    said = place.cli("import", place.file(DEFAULT))
    assert said.count(".example\n") == 20 and "  and 5 more\n" in said


def test_nothing_is_told_to_stay_where_all_is_of_the_store(place):
    place.cli("set", "own.example", "tls=none")
    assert "stays" not in place.cli("clear")
    assert "stays" not in place.cli("import", place.file(DEFAULT))


def test_a_file_of_the_appliance_is_taken(place):
    place.cli("set", "old.example", "concurrency=1")
    place.cli("import", place.file(DEFAULT.replace("on\n", "1\n") + """
# a comment
[example.com]
ip_sort_pref = REQUIRE_v6
table_tls = 2
max_host_concurrency=10
limit_type = 0
limit_apply = 0

[.example.net]
table_tls = require_verify
bounce_validation = 0
bounce_profile = slow
recipient_minutes = 5
recipient_limit = 50
limit_type = host
limit_apply = system
"""))
    assert place.rows() == {
        "example.com": {"ip": "require-ipv6", "tls": "required",
                        "concurrency": 10, "limit_by": "domain"},
        ".example.net": {"tls": "required-verify", "limit_by": "domain",
                         "bounce_verification": "off", "recipients": 50,
                         "bounce_profile": "slow", "recipient_minutes": 5},
        "DEFAULT": {"ip": "prefer-ipv4", "concurrency": 500,
                    "limit_by": "mx", "max_messages": 50, "recipients": 300,
                    "recipient_minutes": 30, "bounce_verification": "off",
                    "tls": "preferred", "alert_required_tls": True}}


@pytest.mark.parametrize("text,line,why", [
    ("[a.example]\ntable_tls = on\n", 2, "there is no section [DEFAULT]"),
    (DEFAULT + "[a.example]\nmax_host_concurrency = 5\n", 13,
     "max_host_concurrency needs limit_type"),
    (DEFAULT + "[a.example]\nrecipient_limit = 5\nlimit_type = host\n"
     "limit_apply = system\n", 13, "recipient_limit needs recipient_minutes"),
    (DEFAULT + "[a.example]\nrecipient_minutes = 61\n", 13,
     "61 is no number from 1 to 60"),
    (DEFAULT + "[a.example]\ntable_tls = strict\n", 13,
     'table_tls: "strict" is none of its words'),
    (DEFAULT + "[a.example]\ncertificate = main\n", 13,
     "certificate may be in [DEFAULT] only"),
    (DEFAULT + "bounce_profile = slow\n", 12,
     "bounce_profile may not be in [DEFAULT]"),
    (DEFAULT + "[a.example]\nlimit_apply = VG\n", 13,
     "there are no virtual gateways"),
    (DEFAULT + "[a.example]\nnonsense = 1\n", 13, 'no key "nonsense"'),
    (DEFAULT + "[a.example]\ntable_tls = on\ntable_tls = off\n", 14,
     "table_tls is there already"),
    (DEFAULT + "[a.example]\n[A.example]\n", 13,
     "[A.example] is there already"),
    (DEFAULT + "[a b]\n", 12, "is no address, domain"),
    (DEFAULT.replace("table_tls = on\n", ""), 1, "[DEFAULT] has no table_tls"),
    ("table_tls = on\n", 1, "a key before the first [section]"),
    (DEFAULT + "[a.example]\nwhat\n", 13, "neither [section] nor key"),
    (DEFAULT + "[a.example]\n= 5\n", 13, "neither [section] nor key"),
])
def test_a_bad_file_changes_nothing_and_names_the_line(place, text, line,
                                                       why):
    place.cli("set", "old.example", "concurrency=1")
    said = place.cli("import", place.file(text), code=1)
    assert ":%d: " % line in said and why in said, said
    assert place.rows()["old.example"] == {"concurrency": 1}


PIN = "pin=sha256:" + "0123456789abcdef" * 4


# What is another name for more than a level.
SHOWN = {"forced": "required-verify deadline=1d",
         "forced deadline=3h": "required-verify deadline=3h"}


def random_name(some, number):
    if some.random() < 0.1:
        return "u%d@d%d.example" % (number, number)
    return some.choice(["", ".", "sub."]) + "d%d.example" % number


def random_entry(some, number):
    name = random_name(some, number)
    words = {}

    def maybe(key, value):
        if some.random() < 0.4:
            words[key] = value
    maybe("tls", some.choice([
        "none", "opportunistic", "preferred", "required", "preferred-verify",
        "required-verify", "required-verify match=hosted",
        "required-verify deadline=2h", "required min=1.3", "forced",
        "forced deadline=3h", "required-verify " + PIN,
        "required-verify match=names names=.hop.example,mx.d%d.example" %
        number]))
    if "@" in name:
        words.setdefault("tls", "required")
        return name, words
    maybe("certificate", some.choice(["mine", "the other one"]))
    maybe("concurrency", some.randrange(1, 10001))
    maybe("limit_by", some.choice(["domain", "mx"]))
    maybe("max_messages", some.randrange(1, 1000))
    maybe("recipients", some.randrange(1, 100000))
    maybe("recipient_minutes", some.randrange(1, 61))
    maybe("ip", some.choice(["prefer-ipv6", "prefer-ipv4", "require-ipv6",
                             "require-ipv4"]))
    maybe("bounce_profile", "slow")
    maybe("bounce_verification", some.choice(["off", "on"]))
    maybe("route", "mx:hop.example")
    if "concurrency" in words or "recipients" in words:
        words.setdefault("limit_by", "domain")
    if "recipients" in words:
        words.setdefault("recipient_minutes", 60)
    return name, words


KEYS = {"concurrency": "max_host_concurrency", "ip": "ip_sort_pref",
        "max_messages": "max_messages_per_connection", "tls": "postern_tls",
        "recipients": "recipient_limit", "limit_by": "limit_type",
        "recipient_minutes": "recipient_minutes", "route": "postern_route",
        "bounce_profile": "bounce_profile",
        "certificate": "postern_certificate",
        "bounce_verification": "bounce_validation"}
WORDS = {"domain": "0", "mx": "MXIP", "prefer-ipv6": "PREFER_V6",
         "prefer-ipv4": "PREFER_V4", "require-ipv6": "REQUIRE_v6",
         "require-ipv4": "REQUIRE_v4"}


def section(some, name, words):
    """As somebody might write it: keys in any order."""
    lines = ["%s=%s" % (KEYS[key], WORDS.get(value, value))
             for key, value in words.items()]
    if "limit_by" in words:
        lines.append("limit_apply = system")
    some.shuffle(lines)
    return "\n[%s]\n%s\n" % (name, "\n".join(lines))


def test_ten_thousand_entries_come_back_as_they_went(place):
    some = random.Random(6)
    place.write({"delivery": {"bounce_keys": place.file(
        "1 " + "k" * 32 + "\n", "keys")}})
    table = dict(random_entry(some, i) for i in range(9999))
    table["*"] = {"tls": "required", "bounce_verification": "on",
                  "certificate": "mine"}
    place.cli("import", place.file(DEFAULT + "".join(
        section(some, name, words) for name, words in table.items())))
    for words in table.values():
        words.update({"tls": SHOWN[words["tls"]]} if
                     words.get("tls") in SHOWN else {})
    rows = place.rows()
    rows.pop("DEFAULT")
    assert rows == table
    first, second = (os.path.join(place.folder, name) for name in "ab")
    place.cli("export", first)
    place.cli("clear")
    place.cli("import", first)
    place.cli("export", second)
    with open(first, "rb") as a, open(second, "rb") as b:
        text = a.read()
        assert text == b.read()
    assert text.count(b"\n[") == 10000
    rows = place.rows()
    rows.pop("DEFAULT")
    assert rows == table
