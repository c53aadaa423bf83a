"""postern import: what becomes of tables of others, line by line."""

import json
import os

import pytest

from lib import base, luaconf

CISCO = """\
[DEFAULT]
ip_sort_pref = PREFER_V4
max_host_concurrency = 500
limit_type = MXIP
limit_apply = %s
max_messages_per_connection = 50
bounce_validation = off
table_tls = %s
send_tls_req_alert = on

[partner.example]
table_tls = %s
bounce_profile = slow
max_messages_per_connection = 7
"""


class Place:
    def __init__(self):
        self.folder = base.private_dir("import")
        self.conf = os.path.join(self.folder, "postern.lua")
        base.write_file(self.conf, luaconf.text({
            "hostname": "mx.relay.example",
            "spool": os.path.join(self.folder, "spool"),
            "run": os.path.join(self.folder, "run"),
            "listener": {"in": {"address": ["127.0.0.1:2525"]}}}))

    def run(self, *args, code=0, **kwargs):
        done = base.run([base.POSTERN_BIN] + list(args) + ["-c", self.conf],
                        check=False, **kwargs)
        assert done.returncode == code, (args, done.returncode, done.text)
        return done.text

    def file(self, text):
        path = os.path.join(self.folder, "table")
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        return path

    def take(self, kind, text, *options, code=0):
        """The report, and what the entries have."""
        said = self.run("import", kind, self.file(text), "--json", *options,
                        code=code)
        return json.loads(said[:said.rindex("}") + 1])

    def said(self, kind, text, *options, code=0):
        return self.run("import", kind, self.file(text), *options, code=code)

    def draft(self):
        return self.run("config", "show", "draft")

    def tls(self, text, code=0):
        """name -> its setting."""
        report = self.take("postfix-tls", text, code=code)
        return {row["name"]: row["set"]["tls"] for row in report["mapped"]}


@pytest.fixture
def place():
    return Place()


LEVELS = [
    ("none", "none"),
    ("may", "opportunistic"),
    ("MAY protocols=>=TLSv1.2", "opportunistic min=1.2"),
    ("encrypt", "required"),
    ("encrypt ciphers=high exclude=aNULL:RC4:kEDH+aRSA", "required"),
    ("encrypt protocols=!SSLv2:!SSLv3:!TLSv1:!TLSv1.1", "required min=1.2"),
    ("encrypt, protocols=TLSv1.3", "required min=1.3"),
    ("verify", "required-verify match=hosted"),
    ("verify match=hostname:nexthop",
     "required-verify match=hosted names=a.example"),
    ("secure", "required-verify match=names names=.a.example,a.example"),
    ("secure match=nexthop tafile=/etc/hosts",
     "required-verify match=names names=a.example ca=/etc/hosts"),
    ("secure match=mx.b.example:.c.example",
     "required-verify match=names names=.c.example,mx.b.example"),
    ("secure match=x.example match=y.example",
     "required-verify match=names names=x.example,y.example"),
]


@pytest.mark.parametrize("there,here", LEVELS)
def test_a_level_of_postfix_becomes_ours(place, there, here):
    assert place.tls("a.example " + there + "\n") == {"a.example": here}


def test_a_fingerprint_is_one_of_certificate_or_key(place):
    hexes = "3d:95:34:af" * 1 + ":3D:95:34:AF" * 7
    assert place.tls("a.example fingerprint match=%s\n" % hexes) == {
        "a.example": "required-verify pin=sha256:%s,spki:%s" % (
            "3d9534af" * 8, "PZU0rz2VNK89lTSvPZU0rz2VNK89lTSvPZU0rz2VNK8=")}


@pytest.mark.parametrize("there,why", [
    ("a.example dane-only", "no DANE"), ("a.example dane", "no DANE"),
    (".a.example secure", "names below")])
def test_what_has_no_counterpart_becomes_stronger_and_is_told(place, there,
                                                              why):
    row = place.take("postfix-tls", there + "\n")["mapped"][0]
    assert row["set"]["tls"].startswith("required-verify")
    assert why in row["stronger"]
    assert "stronger than there" in place.said("postfix-tls", there + "\n")


@pytest.mark.parametrize("there,word", [
    ("a.example fingerprint match=3D:95", "fingerprint"),
    ("a.example fingerprint", "fingerprint"),
    (".a.example verify match=dot-nexthop", "dot-nexthop"),
    ("a.example secure tafile=/a tafile=/b", "tafile"),
    ("a.example secure tafile=/a tafile=/b servername=x.example", "tafile"),
    ("a.example secure match=*.b.example", "match=")])
def test_what_is_not_mapped_says_what_the_destination_has(place, there,
                                                          word):
    place.run("destconfig", "set", "*", "tls=required")
    report = place.take("postfix-tls", there + "\n", code=3)
    assert report["mapped"] == []
    left = report["not_mapped"][0]
    assert word in left["word"] and left["line"] == 1
    assert left["now"] == "TLS required, by MX"
    said = place.said("postfix-tls", there + "\n", code=3)
    assert "has now: TLS required, by MX" in said


@pytest.mark.parametrize("attribute", [
    "servername=b.example", "exclude=AES128", "policy_type=sts",
    "protocols=!TLSv1.3"])
def test_an_attribute_that_cannot_be_kept_is_told_and_the_level_holds(
        place, attribute):
    report = place.take("postfix-tls", "a.example encrypt %s\n" % attribute,
                        code=3)
    assert report["mapped"][0]["set"]["tls"].startswith("required")
    assert report["not_mapped"][0]["word"].endswith(attribute)


@pytest.mark.parametrize("text,line,why", [
    ("a.example maybe", 1, "is no level"),
    ("a.example encrypt matches=x", 1, "is no attribute"),
    ("a.example encrypt match=x", 1, "match says nothing"),
    ("a.example encrypt ciphers=best", 1, "no grade"),
    ("a.example encrypt protocols=TLS1", 1, "no protocol"),
    ("a.example encrypt protocols=!TLSv1.3:<=TLSv1.1:>=TLSv1.2", 1,
     "leaves none"),
    ("#\n\na.example", 3, "key value"),
    ("b.example may\n\"a.example may", 2, "quote"),
    ("a.example: may", 1, "colon"),
    ("b may\na.example may\nA.example may", 3, "already"),
    ("b.example may\na.\0example may", 2, "octet 0"),
    ("a.example " + "x" * 70000, 1, "more than"),
    (b"b.example may\n\xff may", 2, "UTF-8")])
def test_a_table_that_postfix_would_not_take_changes_nothing(place, text,
                                                             line, why):
    before = place.draft()
    data = text if isinstance(text, bytes) else text.encode()
    said = place.said("postfix-tls", b"ok.example encrypt\n" + data, code=1)
    assert "table:%d: " % (line + 1) in said and why in said, said
    assert place.draft() == before


def test_a_first_line_cannot_go_on(place):
    said = place.said("postfix-tls", "# c\n a.example may\n", code=1)
    assert "table:2: " in said and "no line before" in said


def test_lines_go_on_over_comments(place):
    assert place.tls("a.example\n# c\n\n\tsecure\n   # d\n\tmatch=nexthop\n"
                     "b.example may\n") == {
        "a.example": "required-verify match=names names=a.example",
        "b.example": "opportunistic"}


def test_a_next_hop_is_a_route_with_that_host(place):
    place.take("postfix-transport", "a.example smtp:[gw.b.example]:587\n"
               "c.example relay:d.example\ne.example smtp:x.f.example\n")
    report = place.take(
        "postfix-tls", "[gw.b.example]:submission secure\n"
        "d.example encrypt\n.f.example verify\na.example none\n"
        "[nowhere.example] encrypt\nu@a.example may\n", code=3)
    got = {(row["kind"], row["name"]): row["set"]["tls"]
           for row in report["mapped"]}
    assert got == {
        ("route", "a.example"):
        "required-verify match=names names=.gw.b.example,gw.b.example",
        ("route", "c.example"): "required",
        ("destination", "d.example"): "required",
        ("route", "e.example"): "required-verify match=hosted",
        ("destination", ".f.example"): "required-verify match=hosted"}
    assert [left["line"] for left in report["not_mapped"]] == [6, 4, 5]


def test_connections_for_one_message_stay_so(place):
    row = place.take("postfix-tls",
                     "a.example may connection_reuse=no\n")["mapped"][0]
    assert row["set"] == {"tls": "opportunistic", "max_messages": "1"}


TRANSPORT = """\
a.example       smtp:[gw.example.net]:587
.a.example      relay:gw.example.net, [192.0.2.1]
b.example       smtp:
c.example       :[10.0.0.1]
v6.example      smtp:[ipv6:2001:DB8::1]:submission
*               smtp:[fallback.example]
"""


def test_a_transport_map_becomes_routes(place):
    report = place.take("postfix-transport", TRANSPORT)
    got = {row["name"]: row["set"]["hosts"] for row in report["mapped"]}
    assert got == {
        "a.example": "gw.example.net:587",
        ".a.example": "mx:gw.example.net,[192.0.2.1]:25",
        "b.example": "mx:b.example", "c.example": "[10.0.0.1]:25",
        "v6.example": "[IPv6:2001:db8::1]:587", "*": "fallback.example:25"}
    assert 'route "*"' in place.draft()


@pytest.mark.parametrize("entry,reason", [
    ("a.example error:go away", "refusing"),
    ("a.example discard:", "throwing"),
    ("a.example local:", "mailboxes"),
    ("a.example lmtp:unix:/x", "LMTP"),
    ("a.example mydrop:x", "master.cf"),
    ("a.example :", "main.cf"),
    ("u@a.example smtp:[x.example]", "recipient"),
    ("a_/b smtp:[x.example]", "no domain"),
    (".a.example smtp:", "counts there as well"),
    ("a.example smtp:192.0.2.1", "no next hop"),
    ("a.example smtp:[x.example]:0", "no port")])
def test_a_transport_that_is_no_route_is_told(place, entry, reason):
    report = place.take("postfix-transport", "* smtp:[gw.example]\n" +
                        entry + "\n", code=3)
    assert len(report["mapped"]) == 1
    left = report["not_mapped"][0]
    assert reason in left["reason"] and left["line"] == 2
    if left["name"]:
        assert left["now"] == "TLS opportunistic, by route *"


def test_each_by_its_mx_needs_no_route(place):
    said = place.said("postfix-transport", ".a.example smtp:\n")
    assert "is not needed: by MX" in said
    assert place.draft() == ""


KSMG = ("\ufeffdomain;type;tls;destination;port;protocol;local;dkim\r\n"
        "a.example;domain;Attempt;;;;no;no\r\n"
        "b.example;;\"Require, do not verify\";mx.b.example;;SMTP;;\r\n"
        "\"c.example\";subdomain;require and verify;192.0.2.1;26;;;\r\n"
        "\r\n"
        "d.example;domain;no;;;;;\r\n"
        "u@e.example;address;Require;;;;;\r\n")


def test_a_csv_of_levels_and_hosts_becomes_destinations(place):
    report = place.take("ksmg", KSMG)
    assert {row["name"]: row["set"] for row in report["mapped"]} == {
        "a.example": {"tls": "opportunistic"},
        "b.example": {"tls": "required", "route": "mx.b.example:25"},
        ".c.example": {"tls": "required-verify", "route": "[192.0.2.1]:26"},
        "d.example": {"tls": "none"}, "u@e.example": {"tls": "required"}}
    assert place.take("ksmg", KSMG.replace(";", ",").replace(
        "Require, do", "Require do"))["mapped"][1]["was"] == {
            "tls": "required", "route": "mx.b.example:25"}


@pytest.mark.parametrize("text,line,why", [
    ("", 0, "no line"), ("tls;x\n", 1, "no column"),
    ("domain;domain\n", 1, "twice"), ("domain;tls\na.example\n", 2, "fields"),
    ("domain;tls\n\"a.example;no\n", 2, "not closed"),
    ("domain;tls\n\"a.example\"x;no\n", 2, "behind"),
    ("domain;tls\na\"b;no\n", 2, "within"),
    ("domain;tls\nok.example;no\na.example;sometimes\n", 3, "no level"),
    ("domain;type\n.a.example;domain\n", 2, "is no domain"),
    ("domain;type\na.example;zone\n", 2, "no type"),
    ("domain\na b\n", 2, "is no address"),
    ("domain\na.example\nA.EXAMPLE\n", 3, "already"),
    (b"domain\na.\0b\n", 2, "octet 0"), (b"domain\n\xc3\n", 2, "UTF-8"),
    ("domain\n" + "x" * 20000 + "\n", 2, "more than")])
def test_a_broken_csv_changes_nothing(place, text, line, why):
    before = place.draft()
    said = place.said("ksmg", text, code=1)
    assert "table:%d: " % line in said and why in said, said
    assert place.draft() == before


def test_a_table_of_an_appliance_is_merged(place):
    place.run("config", "set", "bounce_profile", "slow", "max_retries=3")
    place.run("destconfig", "set", "partner.example", "tls=none",
              "ip=prefer-ipv6")
    place.run("destconfig", "set", "other.example", "tls=required")
    report = place.take("cisco", CISCO % ("system", "on", "require_verify"))
    rows = {row["name"]: row for row in report["mapped"]}
    assert rows[""]["kind"] == "delivery"
    assert rows["partner.example"]["set"] == {
        "tls": "required-verify", "bounce_profile": "slow",
        "max_messages": "7"}
    assert rows["partner.example"]["was"] == {"tls": "none"}
    draft = place.draft()
    assert 'ip = "prefer-ipv6"' in draft and "other.example" in draft
    report = place.take("cisco", CISCO % ("system", "on", "required"),
                        "--replace")
    assert report["removed"] == ["other.example"]
    assert 'ip = "prefer-ipv6"' not in place.draft()
    one = place.run("destconfig", "export")
    place.take("cisco", one, "--replace")
    assert place.run("destconfig", "export") == one


def test_what_the_default_entry_does_not_set_stays(place):
    place.run("destconfig", "default", "recipients=9", "certificate=mine")
    text = CISCO[:CISCO.index("[partner")] % ("system", "required")
    row = place.take("cisco", text)["mapped"][0]
    assert row["set"]["tls"] == "required"
    assert "recipients" not in row["set"]
    assert 'certificate = "mine"' in place.draft()
    row = place.take("cisco", text, "--replace")["mapped"][0]
    assert row["set"]["recipients"] == "0"


def test_what_an_appliance_has_and_we_have_not_is_told(place):
    report = place.take("cisco", CISCO % ("VG", "on", "on") +
                        "outbound_dance = 1\n", code=3)
    assert [left["word"] for left in report["not_mapped"]] == [
        "limit_apply = VG", "slow", "outbound_dance"]
    assert "bounce_profile" not in place.draft()
    for line in (b"x\xff = 1\n", b"x\0 = 1\n", b"x\x1b[2J = 1\n"):
        said = place.said("cisco", (CISCO % ("system", "on", "on")).encode() +
                          line, code=1)
        assert "table:15: " in said
    said = place.said("cisco", "<?xml version='1.0'?><config/>", code=1)
    assert "table:1: " in said and "XML" in said
    said = place.said("cisco", CISCO % ("system", "on", "sometimes"), code=1)
    assert "table:12: table_tls" in said


def test_recipients_that_an_appliance_counts_by_address_are_told(place):
    report = place.take("cisco", CISCO[:CISCO.index("[partner")] %
                        ("system", "on") + """
[a.example]
limit_type = MXIP
limit_apply = system
max_host_concurrency = 5
[b.example]
limit_type = MXIP
limit_apply = system
recipient_minutes = 5
recipient_limit = 50
""", code=3)
    assert [(left["name"], left["word"]) for left in
            report["not_mapped"]] == [("b.example", "limit_type = MXIP")]
    assert report["not_mapped"][0]["reason"].startswith(
        "recipients are counted for the entire domain")
    assert report["mapped"][-1]["set"]["recipients"] == "50"


@pytest.mark.parametrize("kind,text", [
    ("cisco", CISCO % ("system", "on", "on")),
    ("postfix-tls", "a.example encrypt\n"),
    ("postfix-transport", TRANSPORT), ("ksmg", KSMG)])
def test_a_dry_run_reports_and_changes_nothing(place, kind, text):
    place.run("config", "set", "bounce_profile", "slow", "max_retries=3")
    before = place.draft()
    dry = place.take(kind, text, "--dry-run")
    assert dry["dry_run"] and place.draft() == before
    said = place.said(kind, text, "-n")
    assert "nothing is changed" in said and place.draft() == before
    assert place.take(kind, text)["mapped"] == dry["mapped"]
    assert place.draft() != before


def test_replace_keeps_what_could_not_be_mapped(place):
    for name in ("a.example", "b.example", "c.example"):
        place.run("destconfig", "set", name, "tls=required", "concurrency=3")
    report = place.take("postfix-tls", "a.example encrypt\n"
                        "b.example fingerprint\n", "--replace", code=3)
    assert report["removed"] == ["c.example"]
    assert report["not_mapped"][0]["now"] == "TLS required, by MX"
    draft = place.draft()
    assert draft.count("concurrency = 3") == 1 and "b.example" in draft


def test_standard_input_is_a_file(place):
    said = place.run("import", "postfix-tls", "-", input=b"a.example may\n")
    assert said.startswith("standard input:1: a.example: destination "
                           '"a.example" tls=opportunistic\n')
    said = place.run("import", "postfix-tls", "-", input=b"x\n", code=1)
    assert "standard input:1: " in said


def test_ten_thousand_lines_are_taken_at_once(place):
    lines = ["d%05d.example" % i for i in range(10000)]
    report = place.take("postfix-tls", "".join(
        name + " secure\n" for name in lines))
    assert len(report["mapped"]) == 10000
    place.take("ksmg", "domain,tls\n" + "".join(
        name + ",require\n" for name in lines))
    report = place.take("postfix-transport", "".join(
        name + " smtp:[%s]\n" % name for name in lines))
    assert len(report["mapped"]) == 10000
    report = place.take("postfix-tls", "".join(
        "[%s] secure\n" % name for name in lines))
    assert {row["kind"] for row in report["mapped"]} == {"route"}


def test_a_command_line_that_is_none_is_told(place):
    for args in ([], ["cisco"], ["sendmail", "x"], ["cisco", "a", "b"]):
        place.run("import", *args, code=2)
    assert "No such file" in place.run("import", "ksmg", "/nonexistent/x",
                                       code=1)
