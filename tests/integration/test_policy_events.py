"""The policy's events over real sockets: what handlers see, say and set, what
they wait for, and that a bad one costs the message at hand only."""

import os
import re
import signal

import pytest

from lib import base, certs, client
from lib.client import message

LATER = {"bounce_profile": {"default": {"first_retry": "1h",
                                        "max_retry": "1h"}}}
BUILD = os.path.dirname(base.POSTERN_BIN)


def cookbook(name):
    return base.read_text(os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "..", "..", "lua",
        "cookbook", name))


@pytest.fixture
def folder():
    path = base.private_dir("policy")
    yield path
    base.remove_dir(path)


@pytest.fixture
def policy(relay, sink, folder):
    """policy(text, policy={settings}, ...): a relay with that policy."""
    def make(text, settings=None, **changes):
        path = os.path.join(folder, "policy.lua")
        base.write_file(path, text)
        block = dict({"file": path}, **(settings or {}))
        return relay(sink.port, dict(LATER, policy=block, **changes))
    make.sink = sink
    make.folder = folder
    return make


def answers(server, sender="a@a.test", rcpts=("b@b.test",), body="x\r\n",
            headers=None):
    """The replies by command, as far as it goes; "end": that to the data."""
    said = {}
    with server.client(banner=False) as c:
        said["connect"] = c.reply()
        lines = [("helo", "EHLO client.test"),
                 ("mail", "MAIL FROM:<%s>" % sender),
                 *(("rcpt", "RCPT TO:<%s>" % r) for r in rcpts),
                 ("data", "DATA")]
        if said["connect"][0] != "2":
            return said
        for name, line in lines:
            said[name] = c.cmd(line)
            if said[name][0] not in "23":
                return said
        c.send(client.stuff((headers or b"") + message(body=body)) + b".\r\n")
        said["end"] = c.reply()
    return said


def last(server, **how):
    return list(answers(server, **how).items())[-1]


WHERE = {"connect": "connect", "helo": "helo", "mail": "mail", "rcpt": "rcpt",
         "data": "data", "headers": "end", "message": "end", "branch": "end"}


@pytest.mark.parametrize("event", list(WHERE))
def test_a_verdict_is_said_where_it_belongs(policy, event):
    server = policy('on("%s", function() sleep(0.01)\n'
                    'return reject(554, "5.7.9", "no " .. "thanks") end)'
                    % event)
    where, reply = last(server)
    assert (where, reply) == (WHERE[event], "554 5.7.9 no thanks")
    assert not policy.sink.messages


# What a handler does, and what the log says of it.
BAD = [
    ("local y = nil return y.z", "attempt to index"),
    ("return 42", "returned a number"),
    ('return setmetatable({}, { __name = "verdict" })', "returned a table"),
    ("while true do end", "instructions"),
    ("while true do pcall(function() while true do end end) end",
     "instructions"),
    ("while true do try(sleep, 0) end", "instructions|requests"),
    ("local t = {} for i = 1, 1e9 do t[i] = {} end", "memory"),
    ('local s = ("x"):rep(1e9)', "memory"),
    ("local function f() return 1 + f() end f()", "overflow|memory"),
    ("counter = 1", "counter"),
    ("log.info = nil", "log"),
    ("parallel { function() error('deep') end, function() sleep(60) end }",
     "deep"),
    ("parallel { function() while true do end end }", "instructions"),
    ("keep(x)", ""),
    ('kept:note("seen")', "kept beyond"),
    ('error({})', "error object"),
    ("x.nothing = 1", "cannot be assigned"),
    ("return x.nothing", "no field"),
    ('x.note("seen", "it")', "no object of an event"),
    ('on("mail", function() end)', "only while the policy is loaded"),
]
SCRIPT = """
local n, kept = 0, nil
local function keep(x) kept = x error("kept") end
local bad = {
%s
}
on("%s", function(x)
  n = n + 1
  if bad[n] then return bad[n](x) end
end)"""


@pytest.mark.sanitizer
@pytest.mark.parametrize("event", list(WHERE))
def test_bad_handlers_cost_the_message_at_hand_only(policy, event):
    functions = "\n".join("function(x) %s end," % b[0] for b in BAD)
    server = policy(SCRIPT % (functions, event), workers=1)
    workers = server.worker_pids()
    code = "421 4.3.5" if event == "connect" else "451 4.3.5"
    for script, said in BAD:
        where, reply = last(server)
        assert where == WHERE[event], (script, reply)
        assert reply.startswith(code), (script, reply)
        server.wait_log(r"policy error .*(%s)" % said)
    assert last(server)[1].startswith("250")
    policy.sink.wait()
    assert len(policy.sink.messages) == 1
    assert server.worker_pids() == workers


# Where no reply to a command tells of a failure.
SILENT = ["tls", "disconnect", "queued", "deliver", "delivered", "deferred",
          "bounced", "tick"]
BOMBS = {
    "error": ('error("bomb")', "bomb"),
    "loop": ("while true do end", "more than 1000000 instructions"),
    "memory": ('local t = {} while true do t[#t + 1] = ("y"):rep(9999) end',
               "more than 8388608 octets of memory"),
}
BOMBED = """
on("rcpt", function(rcpt)
  if rcpt.domain == "tls.test" then rcpt:tls("required") end
end)
on("%s", function() %s end%s)"""


@pytest.mark.sanitizer
@pytest.mark.parametrize("bomb", sorted(BOMBS))
@pytest.mark.parametrize("event", SILENT)
def test_a_bomb_behind_the_replies_costs_no_mail_no_tls_and_no_worker(
        policy, event, bomb):
    """The host takes yes@b.test, refuses no@b.test, and has no TLS."""
    body, said = BOMBS[bomb]
    policy.sink.fault("rcpt", "550 5.1.1 nobody", when="no@b.test")
    server = policy(BOMBED % (event, body, ', "1s"' if event == "tick" else
                              ""), workers=1)
    workers = server.worker_pids()
    if event == "tls":
        with server.client() as peer:
            peer.ehlo()
            peer.starttls()
            assert peer.cmd("EHLO client.test").startswith("451 4.3.5")
    assert last(server, rcpts=["yes@b.test", "no@b.test", "c@tls.test"])[
        1].startswith("250")
    server.wait_log(r"policy error policy\.lua:5: .*" + said)
    if event == "deliver":
        rows = base.wait_for(lambda: [rows for rows in [server.cli_json(
            "queue", "list")] if all(row["reason"] for row in rows)],
            server.tail)[0]
        assert len(rows) == 3 and not policy.sink.messages
        assert {row["rcpt"] for row in rows if "policy error" in
                row["reason"]} == {"yes@b.test", "no@b.test"}
        base.write_file(os.path.join(policy.folder, "policy.lua"),
                        BOMBED % (event, "", ""))
        server.signal(signal.SIGHUP)
        server.wait_log("configuration 2 ")
        server.cli("queue", "flush")
    base.wait_for(lambda: [row["rcpt"] for row in server.cli_json(
        "queue", "list")] == ["c@tls.test"], server.tail)
    policy.sink.wait(2)
    assert sorted(policy.sink.recipients()) == ["a@a.test", "yes@b.test"]
    base.wait_for(lambda: "starttls" in server.cli_json(
        "queue", "list")[0]["tls_reason"], server.tail)
    assert last(server)[1].startswith("250")
    assert server.worker_pids() == workers


def test_an_error_before_sending_puts_the_message_off(policy):
    server = policy('on("deliver", function(a) error("no") end)',
                    {"on_error": "accept"})
    assert last(server)[1].startswith("250")
    server.wait_log(r"policy error policy\.lua:1: no")
    rows = base.wait_for(lambda: [
        row for row in server.cli_json("queue", "list") if row["reason"]],
        server.tail)
    assert "policy error" in rows[0]["reason"]
    assert not policy.sink.messages


@pytest.mark.parametrize("how, tls, reply", [
    ("tempfail", False, "451 4.3.5"), ("reject", False, "554 5.3.5"),
    ("accept", False, "250"), ("accept", True, "451 4.3.5")])
def test_what_an_error_means_is_configured_but_costs_no_tls(
        policy, how, tls, reply):
    server = policy('on("message", function(msg) error("no")\n%s end)' %
                    ('msg:tls("required")' if tls else ""),
                    {"on_error": how})
    assert last(server)[1].startswith(reply)


@pytest.mark.parametrize("text", [
    'msg["t" .. "ls"](msg, "re" .. "quired")',
    'pcall(msg["t" .. "ls"], msg, "re" .. "quired")',
    'try(function() msg["\\116ls"](msg, "forced") end) error("later")',
    'msg.recipients[1]["rou" .. "te"](msg.recipients[1], "*")',
    'msg.recipients[1]["af" .. "ter"](msg.recipients[1], "x", 9)',
])
def test_accept_is_for_a_policy_that_cannot_decide_of_tls(policy, text):
    """Whatever it calls it. Then it is put off, and so are later failures."""
    server = policy("""
on("message", function(msg)
  if msg.sender == "bad@a.test" then error("bad") end
  if msg.sender == "set@a.test" then %s end
end)""" % text, {"on_error": "accept"}, workers=1)
    assert last(server, sender="bad@a.test")[1].startswith("250")
    assert last(server, sender="set@a.test")[1].startswith("451 4.3.5")
    server.wait_log(r'policy error policy\.lua:4: \S+ cannot be set under '
                    r'on_error = "accept"')
    assert last(server, sender="bad@a.test")[1].startswith("451 4.3.5")
    assert last(server)[1].startswith("250")


@pytest.mark.parametrize("text, said", [
    ("on(", r"policy\.lua:1: "),
    ('\non("rctp", function() end)', r'policy\.lua:2: .*did you mean "rcpt"'),
    ("\n\nlocal x = nil + 1", r"policy\.lua:3: "),
    ("while true do end", "instructions"),
])
def test_a_policy_that_does_not_load_leaves_the_old_one(policy, text, said):
    server = policy('on("mail", function() return reject("the old") end)')
    base.write_file(os.path.join(policy.folder, "policy.lua"), text)
    server.signal(signal.SIGHUP)
    server.wait_log("configuration 1 stays: .*" + said)
    assert last(server)[1] == "550 5.7.1 the old"


def test_a_reload_brings_the_new_policy(policy):
    server = policy('on("mail", function() return reject("the old") end)')
    base.write_file(os.path.join(policy.folder, "policy.lua"),
                    'on("mail", function() return reject("the new") end)')
    server.signal(signal.SIGHUP)
    base.wait_for(lambda: last(server)[1] == "550 5.7.1 the new", server.tail)


def test_a_handler_sees_the_client_and_the_message(policy):
    server = policy("""
on("message", function(msg, conn)
  log.info("seen %s %s %s %s %d %d %s %s", conn.ip, conn.helo, msg.sender,
    msg.sender_domain, #msg.recipients, msg.size,
    msg.recipients[2].address, tostring(conn.tls))
  for i, rcpt in ipairs(msg.recipients) do log.info("to %d %s", i,
    rcpt.domain) end
  log.info("subject %s, body %q, found %d", msg:header("Subject"),
    msg:body():sub(1, 3), msg:body():find("line"))
end)""")
    assert last(server, rcpts=["b@b.test", "c@c.test"],
                body="one line\r\n")[1].startswith("250")
    server.wait_log(r"seen 127\.0\.0\.1 client\.test a@a\.test a\.test 2 \d+ "
                    r"c@c\.test nil")
    server.wait_log(r"to 2 c\.test")
    server.wait_log(r'body "one", found 5')


def test_header_edits_go_to_whom_they_were_made_for(policy):
    server = policy("""
on("message", function(msg)
  msg:add_header("X-All", "yes")
  msg.recipients["c@c.test"]:set_header("X-One", "only")
end)""")
    assert last(server, rcpts=["b@b.test", "c@c.test"])[1].startswith("250")
    mails = policy.sink.wait(2)
    for mail in mails:
        assert b"X-All: yes" in mail.data
        assert (b"X-One: only" in mail.data) == (
            mail.recipients == ["c@c.test"])


def test_tls_that_a_handler_wants_is_never_done_without(policy):
    server = policy('on("rcpt", function(rcpt) if rcpt.domain == "c.test" '
                    'then rcpt:tls("required") end end)')
    assert last(server, rcpts=["b@b.test", "c@c.test"])[1].startswith("250")
    assert policy.sink.wait()[0].recipients == ["b@b.test"]
    base.wait_for(lambda: [row for row in server.cli_json("queue", "list")
                           if row["rcpt"] == "c@c.test" and row["reason"]],
                  server.tail)
    assert len(policy.sink.messages) == 1


def test_a_table_that_fails_is_451_unless_it_is_tried(policy):
    tables = {"plugin_dirs": [os.path.join(BUILD, "plugins", "lookup_file")]}
    path = os.path.join(policy.folder, "levels")
    base.write_file(path, "b.test none\n")
    tables["plugin"] = {("lookup_file", "levels"): {"file": path}}
    server = policy("""
local levels, gone = lookup "levels", lookup "policy"
on("rcpt", function(rcpt)
  log.info("level %s %s", tostring(levels[rcpt.domain]),
    tostring(levels["other.test"]))
  local value, err = try(function() return gone.x end)
  log.info("tried %s %s", tostring(value), err)
  if rcpt.localpart == "bad" then return gone.x end
end)""", **tables)
    assert last(server)[1].startswith("250")
    server.wait_log("level none nil")
    server.wait_log(
        'tried nil policy.lua:6: lookup "policy": policy is no table')
    assert last(server, rcpts=["bad@b.test"])[1].startswith("451 4.3.5")


def test_one_fetch_is_enough_for_all_who_wait(policy):
    server = policy("""
local n = 0
local slow = cache("1h", function(key) n = n + 1 sleep(0.2) return n end)
on("mail", function(msg) log.info("value %d", slow("x")) end)
""", workers=1)
    peers = [server.client() for _ in range(8)]
    for peer in peers:
        peer.ehlo()
    for peer in peers:
        peer.send(b"MAIL FROM:<a@a.test>\r\n")
    for peer in peers:
        assert peer.reply().startswith("250")
        peer.close()
    server.wait_log("value 1", count=8)


def test_a_client_that_leaves_leaves_its_fetch_to_the_next(policy):
    server = policy("""
local n = 0
local slow = cache("1h", function() n = n + 1 log.info("fetch %d", n)
  sleep(n == 1 and 3600 or 0) return n end)
on("mail", function(msg) log.info("value %d", slow("x")) end)
""", workers=1)
    first = server.client()
    first.ehlo()
    first.send(b"MAIL FROM:<a@a.test>\r\n")
    server.wait_log("fetch 1")
    with server.client() as second:
        second.ehlo()
        second.send(b"MAIL FROM:<a@a.test>\r\n")
        first.close()
        assert second.reply().startswith("250")
    server.wait_log("value 2")


def test_a_limit_counts_over_all_workers(policy):
    server = policy("""
on("mail", function(msg)
  if ratelimit("sender:" .. msg.sender, "3/1h") then
    return tempfail(450, "4.7.1", "too many")
  end
end)""", workers=2)
    said = [last(server)[1][:3] for _ in range(5)]
    assert said == ["250"] * 3 + ["450"] * 2


def test_ticks_come_and_do_not_stop_at_an_error(policy):
    server = policy('on("tick", function() log.info("tick") error("tock") '
                    'end, "1s")', workers=1)
    server.wait_log(r"policy error policy\.lua:1: tock", count=2)


def test_a_shadow_changes_nothing_and_tells_what_it_would(policy):
    shadow = os.path.join(policy.folder, "new.lua")
    base.write_file(shadow, """
on("rcpt", function(rcpt)
  rcpt:tls(rcpt.domain == "c.test" and "required-verify" or "preferred")
end)
on("message", function(msg)
  msg:add_header("X-Shadow", "yes")
  if msg.sender == "bad@a.test" then return reject("no") end
end)""")
    server = policy('on("rcpt", function(rcpt) rcpt:tls("preferred") end)',
                    {"shadow": shadow})
    assert last(server, rcpts=["b@b.test", "c@c.test"])[1].startswith("250")
    assert b"X-Shadow" not in policy.sink.wait()[0].data
    server.wait_log(r"MID \d+ .*RID 1: preferred -> required-verify by "
                    r"new\.lua:3")
    assert last(server, sender="bad@a.test")[1].startswith("250")
    server.wait_log(r"continue -> reject")
    assert not [x for x in server.log_lines()
                if re.search("RID 0: .*->", x)]


def test_what_handlers_and_events_take_is_counted(policy):
    server = policy("""
on("mail", function() for i = 1, 30000 do end end)
on("message", function() local s = ("x"):rep(200000) end)
on("message", function() end)
""", workers=1)
    assert last(server)[1].startswith("250")
    policy.sink.wait()
    least = {"handler_policy_lua_2_steps": 30000, "instructions_mail": 30000,
             "handler_policy_lua_3_steps": 12500,
             "instructions_message": 12500, "memory_message": 200000,
             "memory": 200000, "calls_mail": 1, "calls_message": 1}

    def told():
        figures = server.cli_json("status")[0]["metrics"]
        return all(figures.get("plugin_policy_" + name, 0) >= n
                   for name, n in least.items()) and figures
    figures = base.wait_for(told, server.tail)
    assert "plugin_policy_handler_policy_lua_4_steps" not in figures


def test_a_policy_counts_adds_a_field_above_all_and_ends_sessions(policy):
    server = policy("""
local mails, size = metric "mails", metric "size"
on("mail", function(msg)
  if msg.sender_local == "bye" then return disconnect("that is enough") end
  mails:inc()
  mails:inc(2)
end)
on("message", function(msg)
  size:set(50)
  size:set(#msg:headers("X-Many"))
  msg:add_header("X-Below", "added")
  msg:insert_header("X-Above", "inserted")
end)
""", workers=1)
    with server.client() as c:
        c.ehlo("client.test")
        assert c.cmd("MAIL FROM:<bye@a.test>") == "421 4.7.0 that is enough"
        c.wait_closed()
    assert last(server, headers=b"X-Many: 1\r\nX-Many: 2\r\n")[1].startswith(
        "250")
    got = policy.sink.wait()[0].data.split(b"\r\n\r\n")[0]
    names = re.findall(rb"^([\w-]+):", got, re.M)
    assert names[:4] == [b"Received", b"X-Above", b"X-Many", b"X-Many"]
    assert names[-1] == b"X-Below"

    def told():
        figures = server.cli_json("status")[0]["metrics"]
        return [figures.get("plugin_policy_" + n) for n in ("mails", "size")]
    base.wait_for(lambda: told() == [3, 2], server.tail)


def metrics(server):
    return server.cli_json("status")[0]["metrics"]


def test_metrics_of_rules_and_the_limits_are_seen_in_a_relay(policy):
    rules = "".join('rule "more %d" { when = { rcpt = "x@y.test" }, '
                    'tag = "[x]" }\n' % i for i in range(18))
    server = policy("""
rule "To all: preferred" { tls = "preferred" }
rule "by subject" { when = { subject = "plan" }, tag = "[plan]" }
""" + rules + """
rule "late" { tls = "opportunistic" }
rule "later" { when = { subject = "plan" }, tag = "[plan]" }
on("mail", function() for i = 1, 30000 do end end)
""", {"instructions": 500000, "memory": "32M", "event_memory": "4M"},
                    workers=1)
    for _ in range(3):
        assert last(server)[1].startswith("250")
    exact = {"rule_to_all_preferred_matches": 3, "rule_others_matches": 3,
             "limit_instructions": 500000, "limit_memory": 32 << 20,
             "limit_event_memory": 4 << 20}

    def told():
        figures = metrics(server)
        return all(figures.get("plugin_policy_" + name) == n
                   for name, n in exact.items()) and figures
    figures = base.wait_for(told, lambda: "%s" % metrics(server))
    for name in ("rule_by_subject_steps", "rule_others_steps"):
        assert 0 < figures["plugin_policy_" + name] < 3 * 500000
    assert figures["plugin_policy_instructions_mail"] >= 90000
    assert not [name for name in figures if "rule_late" in name]


def test_handlers_behind_the_tenth_are_counted_together(policy):
    server = policy("".join(
        'on("mail", function() for i = 1, %d do end end)\n' %
        (20000 if i >= 10 else 10) for i in range(12)), workers=1)
    assert last(server)[1].startswith("250")
    base.wait_for(lambda: metrics(server).get(
        "plugin_policy_handler_others_steps", 0) >= 40000,
        lambda: "%s" % metrics(server))


def test_a_long_name_of_the_policy_leaves_its_lines_apart(relay, sink,
                                                          folder):
    path = base.write_file(
        os.path.join(folder, "our-policy-for-partners-and-banks.lua"),
        'on("mail", function() for i = 1, 20000 do end end)\n'
        'on("mail", function() for i = 1, 40000 do end end)\n')
    server = relay(sink.port, {"policy": {"file": path}, "workers": 1})
    assert last(server)[1].startswith("250")
    name = "plugin_policy_handler_r_partners_and_banks_lua_%d_steps"
    base.wait_for(lambda: metrics(server).get(name % 1, 0) >= 20000 and
                  metrics(server).get(name % 2, 0) >= 40000,
                  lambda: "%s" % metrics(server))
    assert not [x for x in server.log_lines() if "metric" in x]


def test_what_becomes_of_mail_is_told(policy):
    server = policy("""
on("delivered", function(a) log.info("delivered %s %s", a.mx, a.reply) end)
on("deliver", function(a) log.info("try %d to %s", a.n, a.domain) end)
on("queued", function(a) log.info("queued %d", a.id) end)
on("disconnect", function(conn) log.info("gone %s", conn.ip) end)
""")
    assert last(server)[1].startswith("250")
    for line in ("try 1 to ", "delivered ", r"queued \d+", "gone 127"):
        server.wait_log(line)


def test_what_was_noted_is_read_at_deliveries_and_in_reports(policy):
    """On the way out it stays as it was; the queue keeps it over a restart."""
    server = policy("""
        on("connect", function(conn) conn:note("from", conn.ip) end)
        on("rcpt", function(rcpt) rcpt:note("who", rcpt.localpart) end)
        on("branch", function(branch) branch:note("last", "ü") end)
        for _, hook in ipairs { "queued", "deliver", "delivered", "deferred",
            "bounced" } do
          on(hook, function(a)
            local who = a:note("who")
            log.info("%s: %s %s %s %s %s", hook, a:note("from"), who,
              a:note("last"), a:note("none"), pcall(a.note, a, "who", "z"))
            if hook == "deliver" and who == "later" and a.n == 1 then
              return tempfail("not yet")
            elseif hook == "deliver" and who == "never" then
              return a:expire()
            end
          end)
        end""", workers=1)
    says = r"%s: 127\.0\.0\.1 (now|later|never) ü nil false$"
    for who in ("now", "later", "never"):
        assert answers(server, rcpts=[who + "@b.test"])["end"][0] == "2"
    for hook, count in (("queued", 3), ("deliver", 3), ("delivered", 1),
                        ("deferred", 1), ("bounced", 1)):
        server.wait_log(says % hook, count)
    server.wait_log("at deliver .*note.who cannot be set: notes are set up to "
                    "branch", 3)
    server.stop()
    server.start()
    server.cli("queue", "flush")
    server.wait_log(says % "delivered", 2)
    server.wait_empty()


def test_a_trial_has_notes_as_the_relay_has_them(policy, folder):
    server = policy("""
        on("connect", function(conn) conn:note("from", conn.ip) end)
        on("branch", function(branch)
          branch:note("last", branch:note("last") or branch.index)
        end)
        on("rcpt", function(rcpt) rcpt:branch(rcpt.localpart) end)
        on("deliver", function(a)
          log.info("%s %s %s", a:note("from"), a:note("last"), pcall(a.note, a, "last", "z"))
        end)
        test("each branch its own", function(t)
          local r = t:send { rcpt = { "x@b.test", "y@b.test" } }
          t:eq(r.notes.last, "1")
          t:eq(r.notes.from, "192.0.2.1")
          for i, rcpt in ipairs { "x@b.test", "y@b.test" } do
            local d = r:deliver { rcpt = rcpt }
            t:eq(d.verdict, "accept")
            t:ok(d.log:find((" %d false"):format(i - 1), 1, true), d.log)
            t:ok(d.log:find("notes are set up to branch", 1, true), d.log)
          end
        end)""")
    assert server.cli("policy", "test").text.startswith("ok 1")
    answers(server, rcpts=["x@b.test", "y@b.test"])
    for i in (0, 1):
        server.wait_log(" %d false$" % i)


def test_a_report_tells_what_tls_was_needed_and_what_there_was(policy, folder):
    pair = certs.make(folder, "b.test")
    policy.sink.tls = pair
    policy.sink.fault("rcpt", "550 5.1.1 nobody", when="no@b.test")
    policy.sink.fault("rcpt", "450 4.2.0 busy", when="later@b.test")
    server = policy("""
on("rcpt", function(rcpt)
  rcpt:tls(rcpt.domain == "b.test" and "required-verify" or "required")
end)
for _, event in ipairs { "delivered", "deferred", "bounced" } do
  on(event, function(a)
    log.info("%s: %s %s %s %s", event, a.tls.wanted, tostring(a.tls.got),
      tostring(a.tls.peer), tostring(a.tls.error))
  end)
end""", delivery={"ca_file": pair.cert}, route={
        "b.test": {"hosts": ["127.0.0.1:%d" % policy.sink.port]},
        "c.test": {"hosts": ["127.0.0.1:1"]}})
    assert last(server, rcpts=["b@b.test", "no@b.test", "later@b.test",
                               "c@c.test"])[1].startswith("250")
    for fate in ("delivered", "deferred", "bounced"):
        server.wait_log(fate + r": required-verify TLSv1\.3 verified nil")
    server.wait_log("deferred: required nil nil nil")


def test_who_watches_forced_tls_is_told_that_it_failed(policy):
    server = policy(cookbook("alert-forced.lua"))
    assert last(server, rcpts=["x@partner.example"])[1].startswith("250")
    server.wait_log(r"Alert \S+ \S+: starttls-not-supported, since \d+")


@pytest.mark.parametrize("first, then, reason", [
    ("good", "other", "self-signed"), ("good", None, "starttls-not-supported"),
    ("other", None, "starttls-not-supported")])
def test_the_ratchet_of_the_cookbook_takes_no_step_back(
        policy, folder, first, then, reason):
    """Not over a reload either."""
    made = {None: None, "good": certs.make(folder, "b.test")}
    os.mkdir(os.path.join(folder, "other"))
    made["other"] = certs.make(os.path.join(folder, "other"), "b.test")
    sink = policy.sink
    sink.tls = made[first]
    server = policy(cookbook("ratchet-out.lua"), delivery={
        "ca_file": made["good"].cert, "idle": "0s"}, route={
            "b.test": {"hosts": ["127.0.0.1:%d" % sink.port]}})
    assert last(server)[1].startswith("250")
    assert sink.wait()[0].tls
    server.wait_empty()
    sink.tls = made[then]
    server.signal(signal.SIGHUP)
    server.wait_log("configuration 2 ")
    assert last(server)[1].startswith("250")
    row, = base.wait_for(lambda: [
        row for row in server.cli_json("queue", "list") if row["attempts"]],
        server.tail)
    assert row["tls_reason"] == reason
    assert len(sink.messages) == 1
