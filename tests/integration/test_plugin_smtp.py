"""Plugins while mail comes in: what each hook may say and what becomes of it,
what they see and change, and clients that do not wait for them."""

import os
import re
import socket

import pytest

from lib import base, client
from lib.client import message

PLUGINS = os.path.join(os.path.dirname(base.POSTERN_BIN), "tests", "plugins")


@pytest.fixture
def puppet(relay, sink):
    """puppet(hook=steps): a relay with that plugin; its sink is puppet.sink.
    More instances: second={hook: steps}."""
    def make(second=None, **steps):
        plugin = {"puppet": steps}
        if second:
            plugin[("puppet", "second")] = second
        return relay(sink.port, {"plugin_dirs": [PLUGINS], "plugin": plugin})
    make.sink = sink
    return make


def talk(server, body="x\r\n", rcpts=("b@b.test",)):
    """A message as far as it goes: the name of the hook whose question was
    refused, and the reply; ("end", reply) if none was."""
    with server.client(banner=False) as c:
        answer = c.reply()
        if answer[0] != "2":
            return "connect", answer
        for hook, line in (("helo", "EHLO client.test"),
                           ("mail", "MAIL FROM:<a@a.test>"),
                           *(("rcpt", "RCPT TO:<%s>" % r) for r in rcpts),
                           ("data", "DATA")):
            answer = c.cmd(line)
            if answer[0] not in "23":
                return hook, answer
        c.send(client.stuff(message(body=body)) + b".\r\n")
        return "end", c.reply()


REJECT = "reject 550 5.7.1 no thanks"
TEMPFAIL = "tempfail 450 4.7.1 not now"
WHERE = {"connect": "connect", "helo": "helo", "mail": "mail", "rcpt": "rcpt",
         "data": "data", "headers": "end", "eom": "end", "begin": "end",
         "chunk": "end", "last": "end", "branch": "end"}


def said(hook, reply):
    """In place of a greeting there are two codes only."""
    if hook == "connect":
        reply = reply.replace("550 ", "554 ").replace("450 ", "421 ")
        reply = reply.replace("451 ", "421 ")
    return reply


@pytest.mark.parametrize("steps, reply", [
    (REJECT, "550 5.7.1 no thanks"),
    (TEMPFAIL, "450 4.7.1 not now"),
    ("wait 10;" + REJECT, "550 5.7.1 no thanks"),
    ("reject", "550 5.7.0 "),
    ("verdict 42", "451 4.3.0 "),
    ("nothing", "451 4.3.0 "),
    ("reject 250 2.0.0 fine", "451 4.3.0 "),
])
@pytest.mark.parametrize("hook", list(WHERE))
def test_a_no_is_said_where_it_belongs(puppet, hook, steps, reply):
    server = puppet(**{hook: steps})
    where, answer = talk(server)
    assert where == WHERE[hook], answer
    assert answer.startswith(said(hook, reply)), answer
    assert not puppet.sink.messages
    if "451" in reply:
        server.wait_log(r"puppet")


@pytest.mark.parametrize("steps", ["accept", "continue", "wait 10",
                                   "wait 5; wait 5; accept"])
@pytest.mark.parametrize("hook", list(WHERE))
def test_a_yes_changes_nothing(puppet, hook, steps):
    server = puppet(**{hook: steps})
    where, answer = talk(server)
    assert where == "end" and answer.startswith("250"), answer
    puppet.sink.wait()


@pytest.mark.parametrize("hook", ["connect", "helo", "mail", "rcpt", "data"])
def test_a_plugin_may_hang_up(puppet, hook):
    server = puppet(**{hook: "disconnect go away"})
    where, answer = talk(server)
    assert where == WHERE[hook]
    assert answer == "421 4.7.0 go away"
    server.wait_log(r"ICID \d+ close")


@pytest.mark.parametrize("hook", ["mail", "data", "headers", "eom", "begin",
                                  "chunk", "last"])
def test_a_message_is_dropped_without_a_word(puppet, hook):
    server = puppet(**{hook: "if sender a@a.test; discard"})
    assert talk(server)[1].startswith("250 2.0.0 Ok: queued as")
    server.wait_log(r"Message aborted MID \d+ Dropped by puppet")
    with server.client() as c:
        c.start().deliver("c@a.test", ["b@b.test"], message())
    assert puppet.sink.wait()[0].sender == "c@a.test"
    assert len(puppet.sink.messages) == 1


def test_a_recipient_is_dropped_without_a_word(puppet):
    server = puppet(rcpt="if rcpt b@b.test; discard")
    assert talk(server, rcpts=["b@b.test", "c@b.test"])[0] == "end"
    server.wait_log(r"To: <b@b.test> Dropped by puppet")
    server.wait_log(r"RID 0 To: <c@b.test>")
    assert puppet.sink.wait()[0].recipients == ["c@b.test"]
    assert talk(server)[1].startswith("250")
    server.wait_log(r"Message aborted MID \d+ Dropped by puppet")


def test_a_recipient_is_refused_alone(puppet):
    server = puppet(rcpt="if rcpt b@b.test; " + REJECT)
    with server.client() as c:
        c.start().mail("a@a.test")
        assert c.cmd("RCPT TO:<b@b.test>") == "550 5.7.1 no thanks"
        c.expect("RCPT TO:<c@b.test>", 250)
        assert c.data(message()).startswith("250")
    server.wait_log(r"To: <b@b.test> Rejected by puppet")
    assert puppet.sink.wait()[0].recipients == ["c@b.test"]


@pytest.mark.parametrize("hook", ["begin", "chunk", "headers", "eom",
                                  "last"])
def test_a_quarantined_message_is_kept(puppet, hook):
    server = puppet(**{hook: "quarantine looks bad"})
    assert talk(server)[1].startswith("250")
    server.wait_log(r'MID \d+ quarantined to "\w+" \(looks bad\)')
    row, = server.cli_json("queue", "list")
    assert row["quarantine"] == "looks bad", row
    assert not puppet.sink.messages


def test_facts_are_there_from_their_hook_on(puppet):
    facts = ("client.ip client.helo client.esmtp client.relay listener icid "
             "mid sender sender.domain message.rcpts message.size rcpt "
             "rcpt.domain rcpt.index")
    server = puppet(log=facts)
    assert talk(server)[1].startswith("250")
    server.wait_log(r"puppet: .*disconnect ")
    lines = "\n".join(server.log_lines())

    def at(hook):
        found = re.search(r"puppet: .*%s (.*)" % re.escape(hook), lines)
        assert found, (hook, lines)
        return dict(word.split("=", 1) for word in found.group(1).split()
                    if "=" in word)
    assert at("connect")["client.ip"] == "127.0.0.1"
    assert "client.helo" not in at("connect") and "mid" not in at("connect")
    assert at("helo")["client.helo"] == "client.test"
    assert at("mail")["sender"] == "a@a.test"
    assert at("mail")["sender.domain"] == "a.test" and "mid" in at("mail")
    assert at("rcpt")["rcpt"] == "b@b.test"
    assert at("rcpt")["rcpt.index"] == "0"
    assert at("rcpt")["message.rcpts"] == "0"
    assert at("eom")["message.rcpts"] == "1" and "rcpt" not in at("eom")
    assert int(at("eom")["message.size"]) > 100
    assert at("disconnect")["client.helo"] == "client.test"


def test_tls_is_seen_after_the_handshake(puppet):
    server = puppet(tls=REJECT, log="tls.version tls.cipher tls.cert")
    with server.client() as c:
        c.start().starttls()
        assert c.cmd("EHLO x") == "550 5.7.1 no thanks"
        assert c.cmd("MAIL FROM:<>") == "550 5.7.1 no thanks"
        c.quit()
    server.wait_log(r"puppet: .*tls tls.version=TLSv1.3 tls.cipher=TLS_\w+ "
                    r"tls.cert=none")


def test_storage_lives_as_long_as_its_object(puppet):
    server = puppet(rcpt="visit session; visit message; visit rcpt",
                    eom="visit message; each visit rcpt")
    with server.client() as c:
        c.start()
        for _ in range(2):
            c.deliver("a@a.test", ["b@b.test", "c@b.test"], message())
        c.quit()
    puppet.sink.wait(2)
    lines = [found.group(1) for found in (
        re.search(r"puppet: .*((?:session|message|rcpt) \S+)$", line)
        for line in server.log_lines()) if found]
    once = ["message 1", "rcpt 1", "message 2", "rcpt 1", "message 3",
            "rcpt 2", "rcpt 2"]
    assert [line for line in lines if "session" not in line] == once * 2
    assert [line for line in lines if "session" in line] == [
        "session %d" % n for n in (1, 2, 3, 4)]


def test_the_header_is_seen_and_changed(puppet):
    server = puppet(
        headers="edit add X-One 1; edit set Subject 0 new words",
        eom="header Subject; fields",
        second={"eom": "header X-One; edit delete X-One 0; "
                       "edit insert X-Two 2"})
    assert talk(server)[1].startswith("250")
    server.wait_log(r"puppet: .*Subject: new words")
    server.wait_log(r"second: .*X-One: 1")
    mail, = puppet.sink.wait()
    assert mail.header("Subject") == "new words"
    assert mail.header("X-One") is None and mail.header("X-Two") == "2"
    assert mail.data.startswith(b"Received: ")
    assert mail.body() == b"x\r\n"


def test_recipients_get_what_is_theirs(puppet):
    server = puppet(eom="for c@b.test edit add X-For c; edit add X-All yes")
    assert talk(server, rcpts=["b@b.test", "c@b.test"])[1].startswith("250")
    mails = {m.recipients[0]: m for m in puppet.sink.wait(2)}
    assert mails["b@b.test"].header("X-For") is None
    assert mails["c@b.test"].header("X-For") == "c"
    assert {m.header("X-All") for m in mails.values()} == {"yes"}
    server.wait_log(r"MID \d+ was split creating MID \d+ due to a "
                    r"per-recipient policy puppet")
    server.wait_log(r"MID \d+ queued for delivery", 2)


@pytest.mark.parametrize("size", [10, 300000, 2000000])
def test_the_body_is_walked_and_written_anew(puppet, size):
    body = ("0123456789abcdef" * 4 + "\r\n") * (size // 66 + 1)
    server = puppet(eom="walk; footer -- \\nfoot\\n",
                    second={"eom": "walk; footer last\\n"})
    assert talk(server, body=body)[1].startswith("250")
    server.wait_log(r"puppet: .*body %d " % len(body))
    server.wait_log(r"second: .*body %d " % (len(body) + 11))
    mail, = puppet.sink.wait()
    assert mail.body() == body.encode() + b"-- \r\nfoot\r\nlast\r\n"


def test_each_branch_is_asked_about(puppet):
    server = puppet(
        eom="for c@b.test edit add X-For c",
        branch="get branch.index; get branch.count; edit add X-Branch yes; "
               "each get rcpt; footer foot\\n")
    assert talk(server, rcpts=["b@b.test", "c@b.test"])[1].startswith("250")
    for n in range(2):
        server.wait_log(r"puppet: .*branch.index=%d" % n)
    server.wait_log(r"puppet: .*branch.count=2", 2)
    for mail in puppet.sink.wait(2):
        assert mail.header("X-Branch") == "yes"
        assert mail.body() == b"x\r\nfoot\r\n"


def test_notes_travel_with_the_message(puppet):
    server = puppet(connect="set note.who here", mail="get note.who",
                    eom="get note.who")
    with server.client() as c:
        c.start()
        for _ in range(2):
            c.deliver("a@a.test", ["b@b.test"], message())
    server.wait_log(r"puppet: .*note.who=here", 4)


def test_the_tls_that_is_set_holds_and_only_rises(puppet):
    server = puppet(mail="set rcpt.tls required",
                    rcpt="set rcpt.tls opportunistic; get rcpt.tls")
    assert talk(server)[1].startswith("250")
    server.wait_log(r"puppet: .*rcpt.tls=required")
    # The sink has no TLS.
    server.wait_log(r"pending till|TLS was required")
    assert not puppet.sink.messages


def test_hold_puts_the_first_attempt_off(puppet):
    server = puppet(eom="set message.hold 3600; get message.hold")
    assert talk(server)[1].startswith("250")
    server.wait_log(r"message.hold=3600")
    row, = server.cli_json("queue", "list")
    assert row["attempts"] == 0
    assert not puppet.sink.messages


@pytest.mark.parametrize("steps", ["set rcpt.tls nonsense",
                                   "set message.hold soon",
                                   "set client.ip 192.0.2.1",
                                   "set nothing.here x", "edit add X-A b"])
def test_what_cannot_be_set_is_logged_and_left(puppet, steps):
    server = puppet(mail=steps)
    assert talk(server)[1].startswith("250")
    server.wait_log(r"puppet.*mail")
    puppet.sink.wait()


def test_a_filter_sees_every_octet_in_order(puppet):
    server = puppet(chunk="chunk", log="", last="wait 1")
    body = "".join("line %d\r\n" % n for n in range(40000))
    assert talk(server, body=body)[1].startswith("250")
    puppet.sink.wait()
    at = 0
    for line in server.log_lines():
        found = re.search(r"puppet: .*chunk (\d+) (\d+) ", line)
        if found:
            assert int(found.group(1)) == at
            at += int(found.group(2))
    assert at > len(body)


@pytest.mark.parametrize("hook", ["begin", "chunk", "last"])
def test_a_filter_that_would_disconnect_lets_nothing_pass(puppet, hook):
    server = puppet(**{hook: "disconnect bye"})
    where, answer = talk(server)
    assert where == "end" and answer.startswith("451 4.3.0 "), answer
    server.wait_log(r"puppet failed at filter/1: MID \d+ ICID \d+ disconnect")
    assert not puppet.sink.messages


def test_a_slow_filter_rests_the_client_and_loses_nothing(puppet):
    server = puppet(begin="wait 5", chunk="wait 1", headers="wait 20",
                    last="wait 5")
    body = "".join("line %d\r\n" % n for n in range(100000))
    assert talk(server, body=body)[1].startswith("250")
    assert puppet.sink.wait()[0].body() == body.encode()


@pytest.fixture
def mark():
    """A file that workers may write."""
    folder = base.private_dir("mark")
    os.chmod(folder, 0o777)
    yield os.path.join(folder, "mark")
    base.remove_dir(folder)


WAITS = ["connect", "helo", "mail", "rcpt", "data", "begin", "headers",
         "chunk"]


@pytest.mark.parametrize("hook", WAITS)
def test_a_client_that_goes_takes_the_question_back(puppet, hook, mark):
    server = puppet(**{hook: "mark event %s gone; wait 600000; "
                             "get host" % mark},
                    disconnect="get client.ip", timeout="1h")
    c = server.client(banner=False)
    c.send(b"EHLO c\r\n" if hook == "helo" else b"")
    if hook not in ("connect", "helo"):
        c.reply()
        for line in ("EHLO c", "MAIL FROM:<a@a.test>", "RCPT TO:<b@b.test>",
                     "DATA"):
            c.send(line.encode() + b"\r\n")
            if line.lower().startswith(hook):
                break
            if hook == "begin" and line == "DATA":
                break
            c.reply()
        else:
            c.send(message())
    c.close()
    server.wait_log(r"puppet: .*client.ip=127.0.0.1")
    base.wait_for(lambda: os.path.exists(mark), "a clean-up")
    assert open(mark).read() == "gone\n"
    assert not [line for line in server.log_lines() if "host=" in line]


def test_a_message_that_has_ended_is_accepted_without_its_client(puppet):
    server = puppet(eom="get sender; wait 300")
    c = server.client()
    c.start().mail("a@a.test", "b@b.test")
    c.expect("DATA", 354)
    c.send(client.stuff(message()) + b".\r\n")
    server.wait_log(r"sender=a@a.test")
    c.close()
    puppet.sink.wait()
    server.wait_log(r"ICID \d+ close")


@pytest.mark.parametrize("hook", ["mail", "rcpt", "headers", "eom"])
def test_who_is_too_late_fails_for_now(puppet, hook):
    server = puppet(**{hook: "park 600000"}, timeout="1s")
    where, answer = talk(server)
    assert answer.startswith("451 4.3.0"), answer
    assert where == WHERE[hook]
    server.wait_log(r"puppet.*%s.*MID \d+|MID \d+.*puppet.*%s"
                    % (hook, hook))


def test_pipelined_commands_wait_their_turn(puppet):
    server = puppet(mail="wait 20", rcpt="if rcpt c@b.test; wait 20; reject",
                    data="wait 20", eom="wait 20")
    with server.client() as c:
        c.start()
        c.send(b"MAIL FROM:<a@a.test>\r\nRCPT TO:<b@b.test>\r\n"
               b"RCPT TO:<c@b.test>\r\nDATA\r\n")
        assert [c.reply()[:3] for _ in range(4)] == [
            "250", "250", "550", "354"]
        c.send(message() + b".\r\nMAIL FROM:<a@a.test>\r\nQUIT\r\n")
        assert [c.reply()[:3] for _ in range(3)] == ["250", "250", "221"]
    puppet.sink.wait()


def test_chunks_wait_their_turn(puppet):
    server = puppet(data="wait 20", headers="wait 20; edit add X-A b",
                    chunk="wait 5", eom="wait 20")
    text = message(body="y" * 60 + "\r\n")
    with server.client() as c:
        c.start()
        c.send(b"MAIL FROM:<a@a.test>\r\nRCPT TO:<b@b.test>\r\nBDAT 10\r\n" +
               text[:10] + b"BDAT %d\r\n" % (len(text) - 20) + text[10:-10] +
               b"BDAT 10 LAST\r\n" + text[-10:] + b"QUIT\r\n")
        assert [c.reply()[:3] for _ in range(6)] == ["250"] * 5 + ["221"]
    mail, = puppet.sink.wait()
    assert mail.header("X-A") == "b"
    assert mail.body() == b"y" * 60 + b"\r\n"


def test_the_header_is_judged_before_the_body_has_come(puppet):
    server = puppet(headers="get sender; " + REJECT)
    with server.client() as c:
        c.start().mail("a@a.test", "b@b.test")
        c.expect("DATA", 354)
        c.send(b"Subject: x\r\n\r\nfirst\r\n")
        server.wait_log(r"sender=a@a.test")
        c.send(b"second\r\n.\r\n")
        assert c.reply() == "550 5.7.1 no thanks"
        c.expect("NOOP", 250)
    server.wait_log(r"Message aborted MID \d+ Rejected by puppet")


def test_a_header_without_a_body_has_its_hooks(puppet):
    server = puppet(headers="fields", eom="walk")
    with server.client() as c:
        c.start().mail("a@a.test", "b@b.test")
        c.expect("DATA", 354)
        c.send(b"Subject: x\r\n.\r\n")
        assert c.reply().startswith("250")
    server.wait_log(r"puppet: .*fields Received Subject")
    server.wait_log(r"puppet: .*body 0 ")


def test_a_client_that_shuts_its_side_takes_the_question_back(puppet, mark):
    server = puppet(mail="mark event %s gone; wait 600000" % mark,
                    timeout="1h")
    c = server.client()
    c.start()
    c.send(b"MAIL FROM:<a@a.test>\r\n")
    server.wait_log(r"MID \d+ ICID \d+ From: <a@a.test>")
    c.sock.shutdown(socket.SHUT_WR)
    base.wait_for(lambda: os.path.exists(mark), "a clean-up")
    c.close()
