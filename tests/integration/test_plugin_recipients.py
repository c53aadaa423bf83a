"""Recipients that plugins add and drop, people whom they tell something, and
hooks that they leave out (ABI 1.1)."""

import email
import email.policy
import os
import re

from lib import base
from lib.client import message

PLUGINS = os.path.join(os.path.dirname(base.POSTERN_BIN), "tests", "plugins")
FAST = {"bounce_profile": {"default": {"first_retry": "500ms",
                                       "max_retry": "1s"}}}


def config(**steps):
    return dict(FAST, plugin_dirs=[PLUGINS], plugin={"puppet": steps})


def deliver(server, rcpts, **kwargs):
    sender = kwargs.pop("sender", "a@a.test")
    with server.client() as c:
        assert c.start().deliver(sender, rcpts, message(**kwargs))


def recipients(sink, count):
    return sorted(r for m in sink.wait(count) for r in m.recipients)


def test_a_recipient_is_added_and_is_in_no_header(relay, sink):
    server = relay(sink.port, config(eom="bcc archive@c.test"))
    deliver(server, ["b@b.test"])
    assert recipients(sink, 1) == ["archive@c.test", "b@b.test"]
    assert b"archive" not in sink.messages[0].data
    assert sink.messages[0].header("Bcc") is None
    server.wait_log(r"MID \d+ ICID \d+ RID 1 To: <archive@c.test>$")
    server.wait_log(r"bcc 1$")


def test_what_holds_for_all_holds_for_the_added_one(relay, sink):
    server = relay(sink.port, config(
        headers="edit add X-All early; add c@b.test",
        eom="for c@b.test edit add X-Own c; edit add X-All late"))
    deliver(server, ["b@b.test"])
    got = {r: m for m in sink.wait(2) for r in m.recipients}
    assert got["c@b.test"].header("X-Own") == "c"
    assert got["b@b.test"].header("X-Own") is None
    for m in got.values():
        assert m.data.count(b"X-All:") == 2


def test_a_redirection_is_a_drop_and_an_addition(relay, sink):
    server = relay(sink.port, config(
        eom="rcpt 0; drop; rcpt -1; add elsewhere@c.test"))
    deliver(server, ["b@b.test"])
    assert recipients(sink, 1) == ["elsewhere@c.test"]
    server.wait_log(r"MID \d+ ICID \d+ To: <b@b.test> Dropped by puppet$")
    server.wait_log(r"MID \d+ ICID \d+ RID 1 To: <elsewhere@c.test>$")
    server.wait_log(r"Message finished MID \d+ done")
    server.wait_empty()


def test_a_dropped_one_keeps_its_number_and_gets_nothing(relay, sink):
    server = relay(sink.port, config(
        eom="rcpt 1; drop; set rcpt.tls required; edit add X-Gone yes;"
            "rcpt 1; rcpt 2; edit add X-Two yes; each get rcpt"))
    deliver(server, ["a@b.test", "b@b.test", "c@b.test"])
    got = {r: m for m in sink.wait(2) for r in m.recipients}
    assert sorted(got) == ["a@b.test", "c@b.test"]
    assert got["c@b.test"].header("X-Two") == "yes"
    assert all(m.header("X-Gone") is None for m in got.values())
    server.wait_log(r"rcpt -1$")
    text = "\n".join(server.log_lines())
    assert text.count("that recipient was dropped") == 2
    assert re.findall(r" rcpt=(\S+)$", text, re.M) == ["a@b.test", "c@b.test"]


def test_a_message_without_recipients_is_dropped(relay, sink):
    server = relay(sink.port, config(
        eom="rcpt 0; drop; rcpt 1; drop; drop"))
    deliver(server, ["a@b.test", "b@b.test"])
    server.wait_log(r"Message aborted MID \d+ Dropped by puppet$")
    deliver(server, ["a@b.test", "b@b.test"])
    assert not sink.messages


def test_nobody_gets_it_twice_and_no_nonsense_is_added(relay, sink):
    server = relay(sink.port, config(
        eom="add b@B.test; add not an address; add x@b.test\\nRCPT"))
    deliver(server, ["a@b.test", "b@b.test"])
    assert recipients(sink, 1) == ["a@b.test", "b@b.test"]
    server.wait_log(r"add 1$")
    text = "\n".join(server.log_lines())
    assert text.count("a recipient cannot be added: ") == 2


def test_recipients_have_their_limit(relay, sink):
    rcpts = ["r%d@b.test" % i for i in range(100)]
    conf = config(eom="add x@b.test")
    conf["limits"] = {"recipients": 100}
    server = relay(sink.port, conf)
    deliver(server, rcpts[:99])
    server.wait_log(r"add 99$")
    deliver(server, rcpts)
    server.wait_log(r"add -1$")
    server.wait_log(r"a recipient cannot be added: the message has 100 ")


def notices(sink, count, total):
    sink.wait(total)
    found = [m for m in sink.messages if m.header("Auto-Submitted")]
    assert len(found) == count
    return [(m, email.message_from_bytes(m.data, policy=email.policy.default))
            for m in found]


def test_a_person_is_told_something(relay, sink):
    server = relay(sink.port, config(
        eom="notify a@a.test Gr\u00fc\u00dfe_\u20ac H\u00e4llo; "
            "notify boss@c.test Told plain text"))
    deliver(server, ["b@b.test"])
    got = {m.recipients[0]: (m, e) for m, e in notices(sink, 2, 3)}
    raw, mail = got["a@a.test"]
    raw.data.decode("ascii")
    assert raw.sender == ""
    assert mail["Subject"] == "Gr\u00fc\u00dfe \u20ac"
    assert mail.get_content().strip() == "H\u00e4llo"
    assert mail["From"].startswith("postmaster@")
    assert mail["To"] == "a@a.test"
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["Date"] and mail["Message-ID"]
    raw, mail = got["boss@c.test"]
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["In-Reply-To"] is None
    assert mail.get_content().strip() == "plain text"
    text = "\n".join(server.log_lines())
    of, = re.findall(r"MID (\d+) ready \d+ bytes from <a@a.test>", text)
    for mid, told in re.findall(
            r"MID (\d+) ICID 0 RID 0 To: <(a@a.test|boss@c.test)>", text):
        assert re.search(
            r"Start MID %s ICID 0\n.*MID %s was generated based on MID %s by "
            r"notify filter 'puppet'\n.*MID %s ICID 0 From: <>\n" % (
                mid, mid, of, mid), text), told
        assert "MID %s queued for delivery" % mid in text


def test_reports_and_lists_are_not_answered(relay, sink):
    server = relay(sink.port, config(eom="notify a@a.test S text"))
    deliver(server, ["b@b.test"], sender="")
    server.wait_log(r"a notice cannot be sent: the message is a report")
    deliver(server, ["b@b.test"], extra="List-Id: <l.a.test>\r\n")
    server.wait_log(r"a notice cannot be sent: no person waits ")
    assert notices(sink, 0, 2) == []


def test_a_message_has_at_most_ten_notices(relay, sink):
    server = relay(sink.port, config(
        eom=";".join("notify x%d@c.test S t" % i for i in range(11))))
    deliver(server, ["b@b.test"])
    server.wait_log(r"a notice cannot be sent: a message has at most 10")
    notices(sink, 10, 11)


def test_no_notice_goes_for_a_message_that_is_refused(relay, sink):
    server = relay(sink.port, config(
        eom="notify a@a.test S text; reject 550 5.7.1 no"))
    with server.client() as c:
        c.start().mail("a@a.test", "b@b.test")
        assert c.data(message()).startswith("550 ")
    assert not sink.messages


def test_a_muted_hook_is_told_and_not_asked(relay, sink):
    server = relay(sink.port, config(
        start="mute helo; mute data", helo="reject", data="reject",
        eom="at here.lua:7; set rcpt.tls nonsense"))
    deliver(server, ["b@b.test"])
    sink.wait(1)
    server.wait_log(r"Plugin puppet at eom \(here.lua:7\): MID \d+ .*"
                    r"rcpt.tls cannot be set")
    shown = server.cli("plugin", "list").text
    assert "not asked at: helo, data (muted" in shown
    assert "puppet               muted" in server.cli(
        "plugin", "order", "helo").text


def test_direction_is_that_of_the_client(relay, sink):
    server = relay(sink.port, dict(config(log="direction", connect="get host",
                                          deliver="get direction")))
    deliver(server, ["b@b.test"])
    sink.wait(1)
    server.wait_log(r"connect direction=outbound$")
    server.wait_log(r"deliver direction=outbound$")
