"""postern explain: what would become of a message, and that it does."""

import json
import os
import pwd
import re
import subprocess

import pytest

from lib import base, client, postern, tlsmatrix
from lib.postern_sink import PosternSink

POLICY = """\
on("rcpt", function(rcpt)
  if rcpt.domain == "closed.example" then
    return reject(550, "5.7.1", "not there")
  end
  if rcpt.domain == "broken.example" then error("oops") end
end)
rule "partner" { when = { rcpt_domain = ".partner.example" },
  tls = "required-verify", hold = "24h" }
local listed = lookup "listed"
on("message", function(msg)
  if listed[msg.sender] then msg:quarantine("listed") end
end)
"""
BOOT = """\
hostname = "mx.us.example"
policy { file = "policy.lua" }
destination ".partner.example" { tls = "required" }
destination "Named.Example" { tls = "required-verify match=names "
  .. "names=mail.named.example" }
route "routed.example" { hosts = { "mx1.routed.example:2525",
  "mx:hosted.example" }, tls = "required-verify" }
plugin "tls_table" "mine" { file = "%s" }
listener "inside" { address = { "127.0.0.1:2525" }, tls = "off" }
relay { domains = { "ours.example" } }
tls { store = "store" }
"""
# A commit takes no policy whose table is not there.
TABLE = """\
plugin_dirs = { "%s/plugins/lookup_file" }
plugin "lookup_file" "listed" { file = "%s" }
"""
# The word of explain for what the sink does wrong.
POINTS = {"noehlo": "no-esmtp", "nostarttls": "no-starttls",
          "xxxx": "starttls-masked", "st454": "starttls-4yz",
          "st501": "starttls-5yz", "st554": "starttls-5yz",
          "st-drop": "starttls-cut", "st-reset": "starttls-cut",
          "220-hang": "handshake-silent", "mail-550": "mail-5yz",
          "rcpt-550": "rcpt-5yz"}


@pytest.fixture
def explain(tmp_path):
    """explain(arg, ...) runs it on the boot file and policy above."""
    (tmp_path / "policy.lua").write_text(POLICY)
    (tmp_path / "tls.txt").write_text(
        "# ours\n* opportunistic\n.table.example required\n")
    (tmp_path / "postern.lua").write_text(BOOT % (tmp_path / "tls.txt"))

    def run(*args, conf="postern.lua"):
        return subprocess.run(
            [base.POSTERN_BIN, "explain", "-c", conf, *args], cwd=tmp_path,
            capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL)
    run.dir = tmp_path
    return run


def facts(done, status=0):
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


def failures(rcpt):
    return {each["point"]: each for each in rcpt["failures"]}


def test_the_tree_leads_from_the_client_to_the_next_hop(explain):
    done = explain("a@us.example", "x@a.partner.example", "y@b.table.example")
    assert done.returncode == 0, done.stderr
    for line in (
            "  client 127.0.0.1: outbound",
            '  rule "partner" (policy.lua:7): yes, for x@a.partner.example: '
            "tls required-verify deadline=86400s",
            "  asked lookup listed a@us.example: notfound",
            '  on "message" (policy.lua:10): nothing',
            "message: accept at branch, 250 2.0.0 Ok",
            "  branch 0: <x@a.partner.example>",
            "to <x@a.partner.example>, branch 0",
            "  TLS: required-verify deadline=1d",
            '      rule "partner" (policy.lua:7): tls required-verify '
            "deadline=86400s",
            "  next hop: MX of a.partner.example",
            "  its report needs required-verify, too, or is held",
            "  ours: none is shown"):
        assert line in done.stdout.splitlines(), done.stdout
    assert ("  or STARTTLS is answered 421:\n    next host, then deferred "
            "4.7.4, returned 5.7.4 after 1d\n") in done.stdout


def test_each_source_of_a_want_has_its_place(explain):
    rcpts = facts(explain("--json", "a@us.example", "x@a.partner.example",
                          "y@b.table.example", "z@named.example"))
    tls = [each["tls"] for each in rcpts["recipients"]]
    boot = "postern.lua"
    assert [(s["who"], s.get("place"), s["want"]) for s in
            tls[0]["sources"]] == [
        ("delivery", boot, "opportunistic"),
        ("destination", boot + ":3", "required"),
        ("table", "%s:2" % (explain.dir / "tls.txt"), "opportunistic"),
        ("policy", None, "required-verify deadline=1d")]
    assert tls[0]["sources"][0]["replaced"] is True
    assert tls[0]["want"] == "required-verify deadline=1d"
    assert tls[1]["sources"][-1]["entry"] == ".table.example"
    assert tls[1]["level"] == "required"
    assert tls[2]["sources"][1]["place"] == boot + ":4"


def store(explain, *steps):
    """Each step is the arguments of `postern config set`; then a commit."""
    boot = explain.dir / "postern.lua"
    boot.write_text('spool = "%s" user = "%s"\n' % (
        explain.dir / "spool", pwd.getpwuid(os.getuid()).pw_name) +
        boot.read_text() + TABLE % (
            os.path.dirname(base.POSTERN_BIN), explain.dir / "listed.txt"))
    (explain.dir / "listed.txt").write_text("")
    (explain.dir / "spool").mkdir()
    for words in (*(["config", "set", *step] for step in steps), ["commit"]):
        done = subprocess.run([base.POSTERN_BIN, *words, "-c", str(boot)],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_the_store_sets_has_its_place_there(explain):
    store(explain, ["destination", "new.example", "tls=required"],
          ["destination", "named.example", "tls=preferred"],
          ["route", "far.example", "hosts=mx.far.example", "tls=required"],
          ["delivery", "tls=preferred"])
    rcpts = facts(explain("--json", "a@us.example", "x@new.example",
                          "y@named.example", "z@far.example",
                          "r@routed.example"))
    tls = [each["tls"]["sources"] for each in rcpts["recipients"]]
    assert [s["place"] for s in tls[0][:2]] == [
        "revision 1: delivery", 'revision 1: destination "new.example"']
    assert [s["want"] for s in tls[0][:2]] == ["preferred", "required"]
    assert tls[1][1]["place"] == 'revision 1: destination "Named.Example"'
    assert tls[1][1]["want"] == "preferred"
    assert tls[2][1]["place"] == 'revision 1: route "far.example"'
    hop = rcpts["recipients"][2]["hop"]
    assert hop["place"] == 'revision 1: route "far.example"'
    assert tls[3][1]["place"] == "postern.lua:7"


def test_the_usual_want_has_its_line(explain):
    boot = explain.dir / "postern.lua"
    boot.write_text(boot.read_text() + 'delivery {\n  tls = "preferred" }\n')
    rcpts = facts(explain("--json", "a@us.example", "x@other.example"))
    assert rcpts["recipients"][0]["tls"]["sources"][0] == {
        "who": "delivery", "want": "preferred", "place": "postern.lua:13"}


def test_a_plugin_that_cannot_be_loaded_is_told(explain):
    assert "warning" not in facts(explain("--json", "a@us.example",
                                          "x@other.example"))
    boot = explain.dir / "postern.lua"
    boot.write_text(boot.read_text() + 'plugin "absent" { }\n')
    all_of_it = facts(explain("--json", "a@us.example", "x@other.example"))
    assert re.match("no plugin but tls_table is asked .*absent",
                    all_of_it["warning"])
    assert "\nwarning: no plugin but" in explain("a@us.example",
                                                 "x@other.example").stdout


def test_lists_of_a_trace_are_lists_when_they_are_empty(explain):
    asked = [x for x in facts(explain("--json", "a@us.example",
                                      "x@other.example"))["tried"]
             if x["kind"] == "lookup"]
    assert [x["values"] for x in asked] == [[]]


def test_what_is_not_taken_has_no_way(explain):
    (explain.dir / "policy.lua").write_text(
        'on("message", function() return 7 end)\n')
    said = explain("a@us.example", "x@other.example").stdout
    assert said.endswith("\nto <x@other.example>\n")
    assert 'on "message" (policy.lua:1): a number, which is no verdict' in said


def test_names_that_would_be_accepted_are_those_of_the_want(explain):
    rcpts = facts(explain("--json", "a@us.example", "x@a.partner.example",
                          "z@named.example", "r@routed.example"))
    hosts = [each["hop"]["hosts"] for each in rcpts["recipients"]]
    assert hosts[0][0]["names"] == [
        {"name": "a.partner.example", "of": "domain", "in": "san"},
        {"name": "MX hosts of a.partner.example", "of": "mx", "in": "san",
         "if": "DNSSEC vouches for the MX"}]
    assert [n["name"] for n in hosts[1][0]["names"]] == ["mail.named.example"]
    assert rcpts["recipients"][2]["hop"]["by"] == "route"
    assert [n["name"] for n in hosts[2][0]["names"]] == [
        "routed.example", "mx1.routed.example"]
    assert hosts[2][1]["host"] == "MX hosts of hosted.example"


def test_who_is_refused_is_told_as_the_server_would(explain):
    out = facts(explain("--json", "--client", "192.0.2.9", "a@us.example",
                        "x@far.example", "y@ours.example"), 1)
    assert out["client"]["direction"] == "inbound"
    by = {each["address"]: each for each in out["recipients"]}
    assert by["x@far.example"]["reply"] == {
        "code": 550, "enhanced": "5.7.1", "text": "Relaying denied"}
    assert by["y@ours.example"]["taken"] is True
    done = explain("a@us.example", "z@closed.example")
    assert done.returncode == 1
    assert "to <z@closed.example>: refused, 550 5.7.1 not there" in done.stdout


def test_a_policy_that_fails_is_a_deferral_with_its_place(explain):
    done = explain("a@us.example", "x@broken.example")
    assert done.returncode == 1
    assert "451 4.3.5 policy error" in done.stdout
    assert "policy error policy.lua:5: oops" in done.stdout
    assert "next hop" not in done.stdout
    (explain.dir / "policy.lua").write_text("rule {")
    done = explain("a@us.example", "x@far.example")
    assert done.returncode == 2
    assert "policy.lua:1:" in done.stderr


def test_the_message_and_the_listener_count(explain):
    (explain.dir / "policy.lua").write_text(
        'on("message", function(msg, conn)\n'
        '  if msg:header("Subject") == "secret" and conn.listener == "inside" '
        'then\n    for _, r in ipairs(msg.recipients) do r:tls("required") '
        "end\n  end\nend)\n")
    (explain.dir / "m.eml").write_text("Subject: secret\n\nbody\n")
    args = ["--json", "a@us.example", "x@far.example", "m.eml"]
    rcpt = facts(explain("--listener", "inside", *args))["recipients"][0]
    assert rcpt["tls"]["level"] == "required"
    with open(explain.dir / "postern.lua", "a") as boot:
        boot.write('listener "far" { address = { "127.0.0.1:2526" } }\n')
    rcpt = facts(explain("--listener", "far", *args))["recipients"][0]
    assert rcpt["tls"]["level"] == "opportunistic"
    out = facts(explain(*args))
    assert out["client"]["listener"] == "inside"
    assert out["recipients"][0]["tls"]["level"] == "required"


def test_without_a_policy_the_tables_are_shown_all_the_same(explain):
    text = (explain.dir / "postern.lua").read_text()
    (explain.dir / "bare.lua").write_text(
        text.replace('policy { file = "policy.lua" }', ""))
    done = explain("", "x@b.table.example", conf="bare.lua")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("from <>\n")
    assert "no policy\n" in done.stdout and "TLS: required\n" in done.stdout


@pytest.mark.parametrize("args, status, text", [
    ([], 64, "usage:"), (["a@us.example"], 64, "usage:"),
    (["a@us.example", "x@y.example", "one", "two"], 64, "usage:"),
    (["--nonsense", "a@us.example", "x@y.example"], 64, "usage:"),
    (["a@us.example", "nobody"], 2, "nobody: "),
    (["a@us.example", "x@y.example", "missing.eml"], 2, "missing.eml: "),
    (["--client", "here", "a@us.example", "x@y.example"], 2,
     '"here" is not an IP address'),
    (["--listener", "outside", "a@us.example", "x@y.example"], 2,
     'has no listener "outside"'),
    (["a@us..example", "x@y.example"], 1, ""),
])
def test_bad_input_has_its_status_and_words(explain, args, status, text):
    done = explain(*args)
    assert done.returncode == status, (done.stdout, done.stderr)
    assert text in done.stderr


def test_a_boot_file_that_is_wrong_is_named(explain):
    assert explain("a@us.example", "x@y.example",
                   conf="missing.lua").returncode == 2
    (explain.dir / "bad.lua").write_text("hostname = 1\n")
    done = explain("a@us.example", "x@y.example", conf="bad.lua")
    assert done.returncode == 2 and "bad.lua:1" in done.stderr
    (explain.dir / "tls.txt").write_text("* nonsense\n")
    done = explain("a@us.example", "x@y.example")
    assert done.returncode == 2 and "its entries are not usable" in done.stderr


def foreseen(rcpt, event):
    """In the words of tlsmatrix."""
    point = POINTS.get(event, tlsmatrix.reason(event))
    found = failures(rcpt).get(point)
    if found is None:
        assert rcpt["tls"]["level"] == "none"
        return tlsmatrix.CLEAR
    if found["does"] == "not-sent":
        return (tlsmatrix.BOUNCE if found["then"] == "returned"
                else tlsmatrix.NOTHING)
    return {"tls": tlsmatrix.TLS, "clear": tlsmatrix.CLEAR,
            "clear-anew": tlsmatrix.CLEAR2}[found["does"]]


@pytest.mark.parametrize("level", tlsmatrix.LEVELS)
def test_failures_are_foreseen_as_requirements_3_1_has_them(explain, level):
    """The same table is what test_tls_outbound_matrix holds the relay to."""
    (explain.dir / "level.lua").write_text(
        'hostname = "us.example"\ntls { store = "store" }\n'
        'destination "far.example" { tls = "%s" }\n' % level)
    rcpt = facts(explain("--json", "a@us.example", "x@far.example",
                         conf="level.lua"))["recipients"][0]
    events = [event for event in tlsmatrix.REASONS if event != "cn-only"]
    for event in events + tlsmatrix.REFUSED:
        assert foreseen(rcpt, event) == tlsmatrix.outcome(event, level), event


# What a relay does with the same boot file: fault, level.
CASES = [(fault, level)
         for fault in ("nostarttls", "st454", "220-alert", "cert=self",
                       "mail-550", "rcpt-451", None)
         for level in ("opportunistic", "preferred", "required-verify")]
WORDS = {"cert=self": "self-signed", "220-alert": "alert",
         "rcpt-451": "rcpt-4yz"}


class Rig:
    def __init__(self, relay):
        names = ["d%d.example" % i for i in range(len(CASES))]
        self.sink = PosternSink(listen=[
            ",".join(filter(None, [fault, "name=" + name]))
            for (fault, _), name in zip(CASES, names)])
        self.server = relay(None, {
            "delivery": {"ca_file": self.sink.ca},
            "bounce_profile": {"default": {
                "first_retry": "1h", "max_retry": "1h"}},
            "destination": {name: {"tls": level} for name, (_, level) in
                            zip(names, CASES)},
            "route": {name: {"hosts": ["127.0.0.1:%d" % port]}
                      for name, port in zip(names, self.sink.ports)}})
        self.rcpts = ["x@" + name for name in names]
        with self.server.client() as peer:
            for rcpt in self.rcpts:
                peer.start().deliver("", [rcpt], client.message())
            peer.quit()

    def arrived(self, rcpt):
        return [m for m in self.sink.messages() if m["to"] == [rcpt]]

    def row(self, rcpt):
        for row in self.server.cli_json("queue", "list"):
            if row["rcpt"] == rcpt and row["reason"]:
                return row
        return None

    def bounced(self, rcpt):
        mid = None
        for line in self.server.log_lines():
            found = re.match(r"MID (\d+) ICID \d+ RID 0 To: <%s>" %
                             re.escape(rcpt), line)
            mid = found[1] if found else mid
        return [line for line in self.server.log_lines() if mid and
                re.search(r"(Double bounce|Bounced): .*MID %s to RID 0" % mid,
                          line)]


def test_what_was_foreseen_happens(relay):
    rig = Rig(relay)
    try:
        out = json.loads(rig.server.cli("explain", "--json", "", *rig.rcpts)
                         .text)
        for rcpt, (fault, level), said in zip(rig.rcpts, CASES,
                                              out["recipients"]):
            check_case(rig, rcpt, fault, said)
        assert out["client"]["direction"] == "outbound"
    finally:
        rig.sink.close()


def check_case(rig, rcpt, fault, said):
    assert said["address"] == rcpt and said["hop"]["by"] == "route"
    point = failures(said).get(WORDS.get(fault) or POINTS.get(fault))
    does = point["does"] if point else "tls"
    if does != "not-sent":
        base.wait_for(lambda: rig.arrived(rcpt),
                      lambda: "%s %s\n%s" % (rcpt, fault, rig.server.tail()))
        assert (rig.arrived(rcpt)[0]["tls"] is not None) == (does == "tls")
    elif point["then"] == "deferred":
        row = base.wait_for(lambda: rig.row(rcpt), "a deferral of " + rcpt)
        assert row["status"] == point["status"] or fault == "rcpt-451", row
        if point["reason"]:
            assert "(reason: %s)" % point["reason"] in row["reason"]
        assert rig.arrived(rcpt) == []
    else:
        base.wait_for(lambda: rig.bounced(rcpt), "a bounce of " + rcpt)
        assert rig.arrived(rcpt) == []


LIVE = """\
local listed = lookup "listed"
on("mail", function(msg)
  if listed[msg.sender] then msg:quarantine(listed[msg.sender]) end
end)
on("rcpt", function(rcpt)
  if dns.mx(rcpt.domain) then
    rcpt:tls("required-verify", { match = "hosted" })
  end
end)
"""
ZONE = """
two         MX 10 one.two
two         MX 20 other.two
one.two     A 127.0.0.3
other.two   A 127.0.0.4
null        MX 0 .
"""


@pytest.fixture
def live(makers, resolver):
    """A relay that is not started: its boot file is what is asked for."""
    unbound = resolver({"test": ZONE})
    server = makers.add(postern.Postern())
    table = server.add_file("listed.txt", "a@us.example because\n")
    server.write_config({
        "dns": {"servers": [unbound.address]},
        "policy": {"file": server.add_file("policy.lua", LIVE)},
        "plugin_dirs": [os.path.join(os.path.dirname(base.POSTERN_BIN),
                                     "plugins", "lookup_file")],
        "plugin": {("lookup_file", "listed"): {"file": table}}})
    return server


def test_live_asks_tables_names_and_hosts(live):
    out = live.cli_json("explain", "--live", "a@us.example", "x@two.test")[0]
    asked = {(q["kind"], q["name"]): q for q in out["tried"]
             if q["kind"] in ("lookup", "dns")}
    assert asked["lookup", "listed"]["values"] == ["because"]
    assert asked["dns", "two.test"]["status"] == "ok"
    rcpt = out["recipients"][0]
    assert [(h["host"], h["addresses"]) for h in rcpt["hop"]["hosts"]] == [
        ("one.two.test", ["127.0.0.3:25"]),
        ("other.two.test", ["127.0.0.4:25"])]
    assert [n["name"] for n in rcpt["hop"]["hosts"][0]["names"]] == [
        "two.test", "one.two.test"]
    assert out["branches"][0]["quarantine"] == "because"


def test_live_says_what_becomes_of_a_domain_that_takes_no_mail(live):
    out = live.cli_json("explain", "--live", "b@us.example", "x@null.test")[0]
    lookup = out["recipients"][0]["hop"]["lookup"]
    assert (lookup["status"], lookup["then"]) == ("5.1.10", "returned")


def test_a_live_trace_starts_nothing_but_what_is_asked(live):
    done = live.cli("policy", "trace", "--live", "--from", "a@us.example",
                    "--rcpt", "x@two.test")
    assert "ask  lookup listed a@us.example: because" in done.text
    assert "x@two.test: tls required-verify match=hosted" in done.text
    assert not os.path.exists(live.log_file)


PUPPET = os.path.join(os.path.dirname(base.POSTERN_BIN), "tests", "plugins")


@pytest.mark.parametrize("decides, level, does", [
    ("want required-verify; source dane", "required-verify", "not-sent"),
    ("wait 20; want none; source weak", "opportunistic", "clear"),
    ("tempfail", None, None)])
def test_who_decides_of_a_next_hop_is_asked_live(
        makers, resolver, decides, level, does):
    unbound = resolver({"test": ZONE})
    server = makers.add(postern.Postern())
    server.write_config({
        "dns": {"servers": [unbound.address]}, "plugin_dirs": [PUPPET],
        "plugin": {"puppet": {"decide": decides}}})
    dead = server.cli_json("explain", "a@us.example", "x@two.test")[0]
    assert "it is asked when the hosts are known; --live asks" in str(dead)
    done = server.cli("explain", "--live", "--json", "a@us.example",
                      "x@two.test", check=False)
    rcpt = json.loads(done.text)["recipients"][0]
    if level is None:
        assert done.returncode == 1, done.text
        assert "nothing is sent" in rcpt["error"], rcpt
        return
    said = [(one["who"], one.get("name")) for one in rcpt["tls"]["sources"]]
    assert ("next hop", decides.rsplit(" ", 1)[1]) in said, said
    assert rcpt["tls"]["level"] == level
    assert failures(rcpt)["no-starttls"]["does"] == does
