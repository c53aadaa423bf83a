"""postern policy: a policy is checked, tested and traced without a server."""

import datetime
import json
import subprocess

import pytest

from lib import base

POLICY = """\
on("rcpt", function(rcpt)
  if rcpt.domain == "partner.example" then rcpt:tls("required-verify") end
  if rcpt.domain == "closed.example" then return reject(550, "5.7.1", "no") end
end)

local listed = lookup "listed"
on("mail", function(msg)
  if listed[msg.sender] then return reject("listed") end
end)

test("partner is forced, others are not", function(t)
  local r = t:send { from = "a@us.example",
    rcpt = { "x@partner.example", "y@other.example" } }
  t:eq(r:rcpt("x@partner.example").tls, "required-verify")
  t:eq(r:rcpt("y@other.example").tls, nil)
  t:eq(r.reply.code, 250)
end)

test("without its table nothing is taken", function(t)
  t:fail("file listed")
  t:eq(t:send { rcpt = "x@partner.example" }.reply.code, 451)
end)

test("who is listed is refused", function(t)
  t:lookup("listed", "a@us.example", "yes")
  local r = t:send { from = "a@us.example", rcpt = "x@partner.example" }
  t:eq(r.reply.code, 550)
  t:eq(r.stage, "mail")
end)
"""


@pytest.fixture
def policy(tmp_path):
    """policy(verb, ..., text=) runs it on a file of that text."""
    path = tmp_path / "policy.lua"

    def run(*args, text=POLICY):
        path.write_text(text)
        return subprocess.run(
            [base.POSTERN_BIN, "policy", *args], cwd=tmp_path,
            capture_output=True, text=True, check=False)
    return run


def test_tests_of_a_policy_run_without_a_server(policy):
    done = policy("test", "policy.lua")
    assert done.stdout.splitlines() == [
        "ok 1 - partner is forced, others are not",
        "ok 2 - without its table nothing is taken",
        "ok 3 - who is listed is refused", "1..3"]
    assert (done.returncode, done.stderr) == (0, "")


def test_the_name_of_an_address_is_told_by_the_address(policy):
    done = policy("test", "policy.lua", text="""
on("connect", function(conn)
  return reject(554, "5.7.1", dns.ptr(conn.ip)[1] or "none")
end)
test("names", function(t)
  t:dns("192.0.2.1", "PTR", "four.x.example")
  t:dns("2001:DB8::1", "PTR", "six.x.example")
  t:dns("3.2.0.192.in-addr.arpa", "PTR", "three.x.example")
  t:dns("192.0.2.4", "PTR", "nxdomain")
  for ip, name in pairs { ["192.0.2.1"] = "four.x.example",
      ["2001:db8:0::1"] = "six.x.example", ["192.0.2.3"] = "three.x.example",
      ["192.0.2.4"] = "none" } do
    t:eq(t:send { ip = ip, rcpt = "b@b.example" }.reply.text, name, ip)
  end
end)
""")
    assert (done.stdout, done.stderr) == ("ok 1 - names\n1..1\n", "")


def test_a_policy_requires_its_own_files_and_none_of_the_library(policy,
                                                                tmp_path):
    (tmp_path / "values.lua").write_text('return { "mine" }\n')
    done = policy("test", "policy.lua", text="""
local mine = require "values"
test("mine", function(t) t:eq(mine[1], "mine") end)
""")
    assert (done.stdout, done.stderr) == ("ok 1 - mine\n1..1\n", "")
    for name in ("host", "engine", "events", "console"):
        done = policy("test", "policy.lua", text='require "%s"\n' % name)
        assert done.returncode != 0
        assert "%s.lua: No such file" % name in done.stdout + done.stderr


def test_a_test_that_fails_says_where_and_what(policy):
    text = POLICY.replace('"listed", "a@us', '"listed", "b@us')
    done = policy("test", "policy.lua", text=text)
    assert done.returncode == 1
    assert "not ok 3 - who is listed is refused" in done.stdout
    assert "# policy.lua:27: it is 250, not 550" in done.stdout
    done = policy("test", "--json", "policy.lua", text=text)
    rows = json.loads(done.stdout)
    assert [row["ok"] for row in rows] == [True, True, False]
    assert rows[2]["failures"][0] == "policy.lua:27: it is 250, not 550"
    assert (rows[2]["file"], rows[2]["line"]) == ("policy.lua", 24)


DELIVERY = """\
on("deliver", function(a)
  if a.n > 3 then return a:expire("long enough") end
  if a.mx == "old.example" then a:route("new") end
  a:tls("required")
end)
on("deferred", function(a)
  if a.reason == "tls" and a.tls.wanted >= "required" then
    alert { key = "tls:" .. a.domain, text = a.tls.error .. " " .. a.reply }
  end
end)
on("delivered", function(a) log.info("%s %s", a.tls.got, a.tls.peer) end)

test("attempts", function(t)
  local r = t:send { rcpt = { "x@a.example", "y@b.example" }, tls = true }
  local d = r:deliver { host = "old.example" }
  t:eq(d.verdict, "accept")
  t:eq(d.tls, "required")
  t:eq(d.route, "new")
  d = r:deliver { rcpt = "y@b.example", attempt = 4 }
  t:eq(d.verdict, "reject")
  t:eq(d.reply.code, 550)
  t:eq(d.reply.text, "long enough")
end)

test("reports", function(t)
  local r = t:send { rcpt = "x@a.example" }
  local d = r:report("deferred", { hop = "a.example", text = "no TLS",
    want = "required", reason = "self-signed" })
  t:ok(d.alerts:find("self-signed no TLS", 1, true), d.alerts)
  d = r:report("delivered", { tls = { version = "TLSv1.3", cert = "verified" } })
  t:ok(d.log:find("TLSv1.3 verified", 1, true), d.log)
end)

test("what was taken only", function(t)
  local r = t:send { rcpt = "x@a.example" }
  t:send { rcpt = "x@b.example" }
  local _, err = pcall(r.deliver, r)
  t:ok(err:find("another message was sent since", 1, true), err)
  local _, other = pcall(r.report, r, "deferd")
  t:ok(other, "it is none")
end)

test("each send has the instructions of an event", function(t)
  for n = 1, 60 do
    for i = 1, 20000 do end
    t:eq(t:send { rcpt = "x" .. n .. "@a.example" }.reply.code, 250)
  end
end)
"""


def test_tests_drive_deliveries_and_reports(policy):
    done = policy("test", "policy.lua", text=DELIVERY)
    assert done.stdout.splitlines() == [
        "ok 1 - attempts", "ok 2 - reports", "ok 3 - what was taken only",
        "ok 4 - each send has the instructions of an event", "1..4"]
    assert (done.returncode, done.stderr) == (0, "")


def test_a_test_that_sends_nothing_has_its_limit(policy):
    done = policy("test", "policy.lua", text='test("endless", function(t) '
                  't:send { rcpt = "x@a.example" } while true do end end)\n')
    assert done.returncode == 1
    assert "instructions" in done.stdout + done.stderr


def test_an_error_in_a_test_is_its_failure_only(policy):
    done = policy("test", "policy.lua",
                  text='test("a", function(t) error("oops") end)\n'
                       'test("b", function(t) t:ok(true) end)\n')
    assert done.stdout == ("not ok 1 - a\n# policy.lua:1: oops\n"
                           "ok 2 - b\n1..2\n")
    assert done.returncode == 1


def test_a_policy_that_does_not_compile_is_told_with_its_line(policy):
    done = policy("check", "policy.lua", text="\non('rcpt', functoin() end)\n")
    assert done.returncode == 1
    assert "policy.lua:2:" in done.stderr
    assert policy("check", "policy.lua").returncode == 0


def test_a_trace_shows_questions_recipients_and_the_answer(policy, tmp_path):
    (tmp_path / "postern.lua").write_text(
        'policy { file = "policy.lua" }\n')
    args = ["trace", "-c", "postern.lua", "--from", "a@us.example", "--rcpt",
            "x@partner.example", "--rcpt", "z@closed.example"]
    done = policy(*args)
    assert done.returncode == 0, done.stderr
    assert "ask  lookup listed a@us.example: notfound" in done.stdout
    assert "x@partner.example: tls required-verify" in done.stdout
    assert "z@closed.example: refused, 550 5.7.1 no" in done.stdout
    assert "branch 0: x@partner.example" in done.stdout
    out = json.loads(policy(*args, "--json").stdout)
    assert out["result"]["rcpt"][0]["tls"] == "required-verify"
    assert out["result"]["reply"]["code"] == 250


def test_what_cannot_be_said_and_wrong_usage_have_their_status(policy):
    assert policy("test", "missing.lua").returncode == 2
    assert policy("trace").returncode == 64
    assert policy("nonsense").returncode == 64
    assert policy("--help").returncode == 0


def test_a_policy_that_is_named_is_run_as_that_of_the_configuration(
        policy, tmp_path):
    (tmp_path / "boot.lua").write_text(
        'policy { file = "other.lua", instructions = 20000 }\n')
    text = ('test("long", function(t)\n'
            '  for i = 1, 100000 do end\nend)\n')
    assert policy("test", "policy.lua", text=text).returncode == 0
    done = policy("test", "-c", "boot.lua", "policy.lua", text=text)
    assert done.returncode == 1
    assert "instructions" in done.stdout
    done = policy("check", "-c", "boot.lua", "policy.lua", text=text)
    assert done.returncode == 0, done.stdout


def test_differences_of_a_shadow_are_read_from_the_log(policy, tmp_path):
    log = tmp_path / "mail.log"
    log.write_text(
        "Sun Nov 22 06:00:00 2026 Info: MID 3 queued for delivery\n"
        "Sun Nov 22 06:00:00 2026 Info: MID 3 policy.shadow: RID 0: preferred "
        "-> required-verify by new.lua:14\n")
    done = policy("shadow", "--log", "mail.log")
    assert done.returncode == 1
    assert done.stdout == (
        "Sun Nov 22 06:00:00 2026 Info: RID 0: preferred -> required-verify "
        "by new.lua:14\n")
    log.write_text("")
    assert policy("shadow", "--log", "mail.log").returncode == 0
    assert policy("shadow", "--log", "missing.log").returncode == 2
    done = policy("shadow", "-c", "missing.lua", "policy.lua")
    assert (done.returncode, done.stdout) == (1, "")


FOUND = """\
rule "below" { when = { rcpt_domain = ".d.example" }, route = "first" }
rule "exact" { when = { rcpt_domain = "A.D.example" }, route = "second",
  tls = "required" }
rule "boss" { when = { sender = "boss@us.example" }, tls = "preferred" }
rule "one" { when = { rcpt = "x@b.example" }, tls = "required-verify",
  others = "same" }
for i = 1, 70 do
  rule("many " .. i) { when = { rcpt_domain = "many.example" },
    tls = i == 70 and "required" or "preferred" }
end

test("the first of the rules that are found counts", function(t)
  local r = t:send { rcpt = "x@a.d.Example" }
  t:eq(r:rcpt("x@a.d.Example").tls, "required")
  t:eq(r:rcpt("x@a.d.Example").route, "first")
end)

test("names of senders and recipients are found together", function(t)
  local r = t:send { from = "Boss@us.example",
    rcpt = { "y@b.example", "x@a.d.example", "z@d.example" } }
  t:eq(r:rcpt("y@b.example").tls, "preferred")
  t:eq(r:rcpt("x@a.d.example").tls, "required")
  t:eq(r:rcpt("z@d.example").tls, "preferred")
  r = t:send { rcpt = { "y@c.example", "X@b.example" } }
  t:eq(r:rcpt("y@c.example").tls, "required-verify")
end)

test("however many are found, all of them count", function(t)
  t:eq(t:send { rcpt = "x@many.example" }:rcpt("x@many.example").tls,
    "required")
  local who = { "y@other.example" }
  for i = 1, 90 do who[#who + 1] = "u" .. i .. "@d.example" end
  who[#who + 1] = "x@a.d.example"
  local r = t:send { rcpt = who }
  t:eq(r:rcpt("y@other.example").route, nil)
  for i = 2, #who do t:eq(r:rcpt(who[i]).route, "first") end
  t:eq(r:rcpt("x@a.d.example").tls, "required")
  t:eq(r:rcpt("u90@d.example").tls, nil)
end)

test("a handler behind the rules is counted", function(t)
  t:eq(t:send { from = "loop@us.example", rcpt = "x@b.example" }.reply.code,
    451)
end)
on("message", function(msg)
  while msg.sender == "loop@us.example" do end
end)
"""


def test_rules_of_names_are_found_in_their_order(policy):
    done = policy("test", "policy.lua", text=FOUND)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok ") == 4


def test_ten_thousand_cards_load_with_the_defaults(policy):
    rules = "".join(f"""rule "partner {i}" {{ description = "card {i}",
          when = {{ rcpt_domain = {{ "d{i}.example", ".e{i}.example" }} }},
          tls = "required-verify match=mx", others = "same", hold = "1d" }}
        """ for i in range(10000))
    done = policy("test", "policy.lua", text=rules + """
        test("the last one is found", function(t)
          local r = t:send { rcpt = "x@a.e9999.example" }
          t:eq(r:rcpt("x@a.e9999.example").tls, "required-verify")
        end)
        """)
    assert done.stdout.startswith("ok 1"), done.stdout + done.stderr


LISTED = """\
rule "partner" { when = { rcpt_domain = ".p.example",
    sender = { "a@us.example", "b@us.example" } },
  tls = "required-verify", hold = "24h", stop = true,
  description = "they asked\\tfor it" }
rule "old" { when = { subject = "x" }, add_header = { ["X-Old"] = "1" },
  expires = "%s" }
rule "try" { when = { sender_group = "X" }, test = true, enabled = false,
  expires = "2999-12-31", reply = reject(550, "5.7.1", "no") }
on("rcpt", function() end)
"""


def yesterday():
    return (datetime.datetime.now(datetime.timezone.utc).date() -
            datetime.timedelta(days=1)).isoformat()


def test_the_rules_are_listed_with_what_they_set(policy):
    done = policy("list", "policy.lua", text=LISTED % yesterday())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        'policy.lua:1: rule "partner"',
        '  when rcpt_domain = ".p.example", '
        'sender = { "a@us.example", "b@us.example" }',
        "  sets tls required-verify deadline=86400s; stop",
        "  -- they asked for it",
        'policy.lua:5: rule "old"',
        "  expired on " + yesterday(),
        '  when subject = "x"',
        "  sets add_header X-Old",
        'policy.lua:7: rule "try"',
        "  not enabled",
        "  until 2999-12-31",
        '  when sender_group = "X"',
        "  sets test only: reply reject 550"]
    rows = json.loads(policy("list", "--json", "policy.lua",
                             text=LISTED % yesterday()).stdout)
    assert rows[0] == {
        "name": "partner", "file": "policy.lua", "line": 1, "enabled": True,
        "expired": False, "description": "they asked\tfor it",
        "when": 'rcpt_domain = ".p.example", '
                'sender = { "a@us.example", "b@us.example" }',
        "sets": "tls required-verify deadline=86400s; stop", "test": False,
        "stop": True}
    assert [(row["name"], row["enabled"], row["expired"], row.get("expires"),
             row["test"]) for row in rows[1:]] == [
        ("old", True, True, yesterday(), False),
        ("try", False, False, "2999-12-31", True)]


def test_a_list_is_of_the_policy_of_the_boot_file_or_of_a_file(policy,
                                                               tmp_path):
    (tmp_path / "postern.lua").write_text('policy { file = "policy.lua" }\n')
    (tmp_path / "new.lua").write_text(
        'rule "new" { tag = "[new]" }\nrule "secret" { tls = "required" }\n')
    text = 'rule "own" { tag = "[own]" }\n'
    done = policy("list", "-c", "postern.lua", text=text)
    assert done.stdout == 'policy.lua:1: rule "own"\n  sets tag [own]\n'
    done = policy("list", "-c", "postern.lua", "new.lua", text=text)
    assert [line for line in done.stdout.splitlines() if ":" in line] == [
        'new.lua:1: rule "new"', 'new.lua:2: rule "secret"']
    # A rule is deleted by deleting it.
    (tmp_path / "new.lua").write_text("")
    assert policy("list", "new.lua").stdout == ""
    assert json.loads(policy("list", "--json", "new.lua").stdout) == []


def test_a_list_of_what_does_not_compile_fails_with_its_line(policy):
    done = policy("list", "policy.lua", text='\nrule "a" { tls = "req" }\n')
    assert (done.returncode, done.stdout) == (1, "")
    assert "policy.lua:2:" in done.stderr
    assert policy("list", "missing.lua").returncode == 2
    assert policy("list", "a.lua", "b.lua").returncode == 64


def test_a_rule_that_expired_yesterday_is_told_by_check(policy):
    done = policy("check", "policy.lua", text=LISTED % yesterday())
    assert ('policy.lua:5: warning: rule "old": it has expired on %s' %
            yesterday()) in done.stdout.splitlines()


def test_ten_thousand_cards_are_listed_and_checked_with_the_defaults(policy):
    text = "".join('rule "partner %d" { when = { rcpt_domain = "d%d.example" '
                   '}, tls = "required-verify match=mx", hold = "1d" }\n' %
                   (i, i) for i in range(10000))
    done = policy("list", "--json", "policy.lua", text=text)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[9999]["name"] == "partner 9999"
    done = policy("check", "policy.lua", text=text)
    assert (done.returncode, done.stderr) == (0, "")
