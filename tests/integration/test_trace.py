"""postern trace: a message that nobody sends, from the sender group of its
client to what happens at its delivery; what it tells is what the relay does."""

import json
import re
import subprocess

import pytest

from lib import base, client

pytestmark = pytest.mark.sanitizer

RECORDS = """
10.1.88.127.in-addr.arpa. 60 IN PTR mx.partner.test.
mx.partner.test. 60 IN A 127.88.1.10
20.1.88.127.list.test. 60 IN A 127.0.0.2
good.test. 60 IN MX 10 mx.good.test.
mx.good.test. 60 IN A 127.0.0.2
test. 60 IN SOA ns.test. h.test. 1 3600 600 86400 60
127.in-addr.arpa. 60 IN SOA ns.test. h.test. 1 3600 600 86400 60
"""
GROUPS = {
    "RELAYLIST": (["127.88.0.0/24"], "RELAYED"),
    "BLOCKED": (["127.88.1.30-39"], "BLOCKED"),
    "REFUSED": (["127.88.1.40"], "REFUSED"),
    "PARTNERS": ([".partner.test"], "PARTNERS"),
    "SUSPECTS": (["dnslist[list.test]"], "SLOW"),
    "CHECKED": (["127.88.1.50"], "CHECKED"),
}
POLICIES = {
    "RELAYED": {"behavior": "relay"},
    "BLOCKED": {"behavior": "reject", "reject_code": 550,
                "reject_text": "Go away"},
    "REFUSED": {"behavior": "tcprefuse"},
    "PARTNERS": {"tls": "required"},
    "SLOW": {"tls": "off", "recipients_per_hour": 3},
    "CHECKED": {"sender_dns": True, "tls_senders": ["bank.test"]},
}
POLICY = """\
rule "suspects" { when = { sender_group = "SUSPECTS" }, tls = "required" }
on("rcpt", function(rcpt, msg, conn)
  if rcpt.address == "closed@next.test" then
    return reject(550, "5.7.1", "closed to " .. (conn.group or "nobody"))
  end
end)
"""


def config(policy=POLICY):
    records = base.write_file(base.private_dir("zone") + "/records", RECORDS)
    script = base.write_file(base.private_dir("policy") + "/policy.lua",
                             policy)
    return {
        "dns": {"records": records, "servers": ["127.0.0.1@9"]},
        "policy": {"file": script},
        "relay": {"networks": ["127.0.0.1/32"], "domains": ["next.test"]},
        "recipient_access": {"never@next.test": {
            "access": "reject", "code": 551, "text": "Gone"}},
        "sender_group": {name: {"senders": senders, "policy": policy}
                         for name, (senders, policy) in GROUPS.items()},
        "mail_flow_policy": POLICIES,
        "listener": {"inbound": {"sender_groups": list(GROUPS)}}}


@pytest.fixture
def server(relay, sink):
    return relay(sink.port, config())


def trace(server, *args, status=0, sender="a@good.test", rcpt="b@next.test"):
    done = server.cli("trace", "--json", "--from", sender, "--rcpt", rcpt,
                      *args, check=False)
    assert status in (None, done.returncode), (done.text, done.stderr)
    return json.loads(done.text)


@pytest.mark.parametrize("ip", [
    "127.88.0.9", "127.88.1.35", "127.88.1.10", "127.88.1.20", "127.88.1.21",
    "127.88.1.50", "127.0.0.1"])
def test_the_group_is_that_in_which_the_relay_puts_the_client(server, ip):
    with client.Client("127.0.0.1", server.port, source=ip) as peer:
        banner = peer.banner
    icid = server.wait_log(r"^New SMTP ICID (\d+) .* address %s " %
                           re.escape(ip))[0].group(1)
    line = server.wait_log(r"^ICID %s (\w+) SG (\S+) match (\S+)" % icid)[0]
    out = trace(server, "--live", "--tls", "--client", ip,
                status=1 if ip == "127.88.1.35" else 0)
    hat = out["hat"]
    assert hat["behavior"] == line.group(1)
    if "group" in hat:
        assert (hat["group"], hat["match"]) == line.group(2, 3)
    else:
        assert line.group(2) in ("None", "RELAYLIST")
    if out["verdict"] == "reject":
        assert banner == "550 5.7.1 Go away"
        assert out["reply"] == {"code": 550, "enhanced": "5.7.1",
                                "text": "Go away"}
        assert (out["stage"], out["by"]) == ("connect",
                                             "mail_flow_policy BLOCKED")


def test_a_client_that_is_reset_is_told_nothing(server):
    out = trace(server, "--client", "127.88.1.40", status=1)
    assert (out["verdict"], "reply" in out) == ("disconnect", False)
    done = server.cli("trace", "--from", "a@x.test", "--rcpt", "b@next.test",
                      "--client", "127.88.1.40", check=False)
    assert "message: disconnect at connect, the connection is reset" in \
        done.text


def test_a_clear_client_is_refused_where_the_relay_refuses_it(server):
    with server.client(source="127.88.1.10") as peer:
        peer.ehlo()
        said = peer.cmd("MAIL FROM:<a@good.test>")
    args = ["--live", "--client", "127.88.1.10"]
    out = trace(server, *args, status=1)
    reply = out["reply"]
    assert "%(code)d %(enhanced)s %(text)s" % reply == said
    assert (out["stage"], out["by"]) == ("mail", "mail_flow_policy PARTNERS")
    assert trace(server, "--tls", *args)["verdict"] == "accept"


def test_a_sender_that_needs_tls_is_refused_in_clear(server):
    args = ["--live", "--client", "127.88.1.50"]
    with server.client(source="127.88.1.50") as peer:
        peer.ehlo()
        said = [peer.cmd("MAIL FROM:<a@bank.test>"),
                peer.cmd("MAIL FROM:<a@missing.test>")]
    told = []
    for sender in ("a@bank.test", "a@missing.test"):
        reply = trace(server, *args, sender=sender, status=1)["reply"]
        told.append("%(code)d %(enhanced)s %(text)s" % reply)
    assert told == said and told[1].startswith("553 5.1.8 ")
    assert trace(server, *args)["verdict"] == "accept"


def test_each_recipient_has_its_entry_of_the_table(server):
    with server.client(source="127.88.1.60") as peer:
        peer.start().mail("a@good.test")
        said = {to: peer.cmd("RCPT TO:<%s>" % to) for to in (
            "never@next.test", "b@far.test", "closed@next.test",
            "b@next.test")}
    out = trace(server, "--client", "127.88.1.60", status=1,
                *[word for to in said if to != "b@next.test"
                  for word in ("--rcpt", to)])
    rows = {row["address"]: row for row in out["access"]}
    assert [(rows[to]["taken"], rows[to]["entry"]) for to in said] == [
        (False, "never@next.test"), (False, ""), (True, "next.test"),
        (True, "next.test")]
    for each in out["recipients"]:
        reply = each["reply"]
        assert ("%(code)d" % reply) == said[each["address"]][:3]
        if not each["taken"]:
            assert "%(code)d %(enhanced)s %(text)s" % reply == \
                said[each["address"]]
    assert {each["address"]: each.get("by") for each in
            out["recipients"]} == {
        "never@next.test": "RAT", "b@far.test": "RAT",
        "closed@next.test": "policy", "b@next.test": None}


def test_rules_know_the_group(server):
    args = ["--client", "127.88.1.20"]
    out = trace(server, "--live", *args)
    assert out["hat"]["group"] == "SUSPECTS"
    assert out["recipients"][0]["tls"]["level"] == "required"
    out = trace(server, *args)
    assert "group" not in out["hat"]
    assert "whether the client is .partner.test is not known and taken for " \
        "no; --live asks" in out["unknown"]
    out = trace(server, "--host", "mx.partner.test", "--tls", *args)
    assert out["hat"]["group"] == "PARTNERS"


def test_nothing_is_sent(server, sink):
    before = len(server.log_lines())
    for args in ([], ["--live"], ["--live", "--tls", "--client",
                                  "127.88.0.9"]):
        out = trace(server, *args)
        assert out["recipients"][0]["hop"]["hosts"]
    assert sink.messages == [] and sink.commands == []
    assert server.queue_count() == 0
    assert len(server.log_lines()) == before
    with server.client() as peer:
        peer.start().deliver("a@good.test", ["b@next.test"],
                             client.message())
    sink.wait(1)


def test_the_steps_are_told_in_words(server):
    done = server.cli("trace", "--live", "--client", "127.88.1.20", "--from",
                      "a@good.test", "--rcpt", "b@next.test")
    heads = [line for line in done.text.splitlines()
             if line and line[0].isupper()]
    assert heads == ["Host Access Table", "Recipient Access Table", "Policy",
                     "Message", "Delivery"]
    for line in ("  sender group SUSPECTS (match dnslist[list.test]), policy "
                 "SLOW: ACCEPT", "  TLS off, AUTH off",
                 "  <b@next.test>: accepted, entry next.test",
                 "message: accept at branch, 250 2.0.0 Ok",
                 "  TLS: required"):
        assert line in done.text.splitlines(), done.text
    assert "3 recipients an hour" in done.text


def test_the_dialogue_asks_for_what_was_not_said(server):
    done = subprocess.run(
        [base.POSTERN_BIN, "trace", "-c", server.conf_file],
        input="127.88.0.9\n\n\na@good.test\nb@far.test, c@next.test\ny\n"
        "Subject: hello\n\nbody\n.\n",
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Enter the Envelope Sender address" in done.stdout
    assert "sender group RELAYLIST (match 127.88.0.0/24), policy RELAYED: " \
        "RELAY" in done.stdout
    assert "to <b@far.test>, branch 0" in done.stdout
    assert "to <c@next.test>, branch 0" in done.stdout
    done = subprocess.run(
        [base.POSTERN_BIN, "trace", "-c", server.conf_file],
        input="127.88.0.9\n", capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "sender and recipients are needed" in done.stderr


DELIVER = """\
on("deliver", function(attempt)
  local to = attempt.domain
  if to == "route:no.test" then return reject(550, "5.7.1", "never") end
  if to == "route:later.test" then return tempfail(451, "4.7.1", "later") end
  if to == "route:more.test" then attempt:tls("required") end
  if to == "route:else.test" then attempt:route("other.test") end
end)
"""


def test_deliver_handlers_are_asked(relay, sink, make_sink):
    other = make_sink()
    server = relay(sink.port, {
        **config(DELIVER), "route": {
            **{name: {"hosts": ["127.0.0.1:%d" % sink.port]} for name in (
                "*", "no.test", "later.test", "more.test", "else.test")},
            "other.test": {"hosts": ["127.0.0.1:%d" % other.port]}}})
    rcpts = ["b@%s.test" % name for name in ("no", "later", "more", "else",
                                             "next")]
    out = trace(server, status=1, *[word for to in rcpts[:4]
                                    for word in ("--rcpt", to)])
    by = {each["address"]: each for each in out["recipients"]}
    assert [by[to]["deliver"]["verdict"] for to in rcpts] == [
        "reject", "tempfail", "accept", "accept", "accept"]
    assert by["b@no.test"]["deliver"]["reply"]["text"] == "never"
    assert "failures" not in by["b@no.test"]
    assert by["b@more.test"]["tls"]["level"] == "required"
    assert by["b@else.test"]["hop"]["name"] == "other.test"
    assert by["b@next.test"]["hop"]["name"] == "*"
    assert by["b@next.test"]["tls"]["level"] == "opportunistic"
    assert any("how the connection will be encrypted" in text
               for text in out["unknown"])
    assert [each["event"] for each in out["tried"]
            if each["kind"] == "handler"].count("deliver") >= 5
    with server.client() as peer:
        peer.start().deliver("a@good.test", ["b@else.test"],
                             client.message())
    other.wait(1)


def test_limits_tags_and_alerts_appear_where_they_apply(relay, sink):
    keys = base.write_file(base.private_dir("keys") + "/keys", "1 secretsecret\n")
    server = relay(sink.port, {
        **config(), "delivery": {
            "alert_required_tls": True, "bounce_keys": keys},
        "bounce_profile": {"short": {"lifetime": "2h"}},
        "destination": {"next.test": {
            "tls": "required", "concurrency": 3, "max_messages": 7,
            "recipients": 11, "recipient_minutes": 5,
            "bounce_verification": "on", "bounce_profile": "short"}}})
    out = trace(server, sender="a@next.test")
    rcpt = out["recipients"][0]
    assert rcpt["limits"] == {
        "concurrency": 3, "limit_by": "domain", "max_messages": 7,
        "max_recipients": 100, "recipients": 11, "recipient_minutes": 5,
        "ip": "prefer-ipv4"}
    assert (rcpt["tagged"], rcpt["alert"]) == (True, True)
    assert rcpt["schedule"]["profile"] == "short"
    other = trace(server)["recipients"][0]
    assert other["tagged"] is False
    done = server.cli("trace", "--from", "a@next.test", "--rcpt",
                      "b@next.test")
    assert "  its sender gets a tag (bounce verification)\n" in done.text
    assert "  an alert is raised where its TLS cannot be had\n" in done.text


def test_a_policy_that_fails_ends_with_one(relay, sink):
    server = relay(sink.port, config('on("rcpt", function() error("x") end)'))
    trace(server, status=1)
    for args, status in (([], 1), (["--json"], 1)):
        done = server.cli("policy", "trace", "--from", "a@x.test", "--rcpt",
                          "b@next.test", *args, check=False)
        assert done.returncode == status, done.text


def test_a_draft_is_traced_as_its_commit_will_have_it(server):
    """And only if it is asked for; what it says afterwards is the same."""
    for words in (["mail_flow_policy", "RELAYED", "behavior=reject"],
                  ["destination", "next.test", "tls=required"],
                  ["recipient_access", "never@next.test", "access=accept"]):
        server.cli("config", "set", *words)
    args = ["--client", "127.88.0.9"]
    assert "draft" not in trace(server, *args)
    out = trace(server, *args, "--draft", status=1)
    assert out["draft"] is True
    assert (out["stage"], out["by"]) == ("connect",
                                         "mail_flow_policy RELAYED")
    to = ["--client", "127.88.9.9", "--draft"]
    out = trace(server, *to, rcpt="never@next.test")
    assert out["recipients"][0]["tls"]["level"] == "required"
    assert trace(server, *to[:2])["recipients"][0]["tls"]["level"] == \
        "opportunistic"
    trace(server, *to[:2], rcpt="never@next.test", status=1)
    people = ["--from", "a@good.test", "--rcpt", "b@next.test"]
    for command in ["trace", *people], ["policy", "trace", *people], [
            "explain", "a@good.test", "b@next.test"]:
        for draft in [], ["--draft"]:
            said = server.cli(*command, *draft).text
            assert ("as drafted: with what is not committed\n" in said) == \
                bool(draft), said
    server.cli("commit")
    now = trace(server, *to[:2], rcpt="never@next.test")
    for key in "hat", "access", "stage", "verdict", "config", "policy":
        assert now.get(key) == out.get(key), key
    for key in "tls", "hop", "limits":
        assert set(now["recipients"][0][key]) == \
            set(out["recipients"][0][key])
    assert now["recipients"][0]["tls"]["level"] == "required"


def test_a_draft_that_was_broken_since_is_no_configuration(server):
    server.cli("config", "set", "listener", "inbound",
               "sender_groups=PARTNERS")
    server.write_config({"sender_group": {"PARTNERS": None}})
    done = server.cli("trace", "--draft", "--from", "a@x.test", "--rcpt",
                      "b@next.test", check=False)
    assert done.returncode == 2
    assert 'draft: listener "inbound"' in done.text, done.text


@pytest.mark.parametrize("args, status", [
    (["--json"], 64), (["--from", "a@x.test", "--json"], 64),
    (["--from", "a@x.test", "--rcpt", "b@x.test", "one", "two"], 64),
    (["--from", "a@x.test", "--rcpt", "nobody"], 2),
    (["--from", "a@x.test", "--rcpt", "b@x.test", "--listener", "far"], 2),
])
def test_wrong_usage_and_wrong_names_have_their_status(server, args, status):
    assert server.cli("trace", *args, check=False).returncode == status


@pytest.mark.parametrize("args, says", [
    (["--from", b"\xff@x.test"], "is not UTF-8"),
    (["--from", "a@x.test", "--tls=SSLv2"], '"SSLv2" is no version'),
    (["--from", "a@x.test", "--helo", b"\xff"], "is not UTF-8"),
    (["--from", "a@x.test", "--host", "x\x1b[31m"], "is not UTF-8 without"),
])
def test_what_no_client_can_be_is_not_traced(server, args, says):
    for command in (["trace"], ["policy", "trace"]):
        done = server.cli(*command, *args, "--rcpt", "b@next.test",
                          check=False)
        assert done.returncode != 0 and says in done.text
        assert "accept" not in done.text


@pytest.mark.parametrize("sender", ["a b", "nobody", "a@x..test",
                                    "a@x.test> SIZE=5"])
def test_a_sender_that_is_no_address_is_refused(server, sender):
    told = trace(server, sender=sender, status=1)
    assert (told["stage"], told["verdict"]) == ("mail", "reject")
    assert told["reply"]["code"] == 501
    said = server.cli("trace", "--from", sender, "--rcpt", "b@next.test",
                      check=False).text
    assert "reject at mail, 501 5.1.7" in said and "accept" not in said


@pytest.mark.parametrize("sender", ["", "<>", "<a@good.test>",
                                    '"a b"@good.test'])
def test_a_sender_may_be_empty_and_in_brackets(server, sender):
    assert trace(server, "--client", "127.88.0.9", sender=sender,
                 status=None)["stage"] != "mail" or sender
