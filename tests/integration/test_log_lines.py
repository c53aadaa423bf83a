"""The mail log: its lines in their order, and finding a message in it."""

import json
import re

import pytest

from lib import base, client

pytestmark = pytest.mark.sanitizer

LIFE = [
    r"New SMTP ICID I interface inbound \(127\.0\.0\.1\) address 127\.0\.0\.1 "
    r"reverse dns host \S+ verified (yes|no)",
    r"ICID I (ACCEPT|RELAY) SG \S+ match \S+ SBRS not enabled country "
    r"not enabled",
    r"Start MID M ICID I",
    r"MID M ICID I From: <a@client\.test>",
    r"MID M ICID I RID 0 To: <b@next\.test>",
    r"MID M ICID I RID 1 To: <c@next\.test>",
    r"MID M Message-ID '<life@client>'",
    r'MID M Subject "it\'s a test"',
    r"MID M ready \d+ bytes from <a@client\.test>",
    r"MID M queued for delivery",
    r"Delivery start DCID D MID M to RID \[0, 1\]",
    r"Message done DCID D MID M to RID \[0, 1\]",
    r"MID M RID \[0, 1\] Response '2\.0\.0 taken as 1'",
    r"Message finished MID M done",
]


def submit(server, ident, sender="a@client.test", subject="it's a test",
           recipients=("b@next.test", "c@next.test")):
    with server.client() as peer:
        peer.start().deliver(sender, list(recipients),
                             client.message(subject, ident=ident))
        peer.quit()


def test_a_message_leaves_its_lines_in_their_order(relay, sink):
    server = relay(sink.port)
    submit(server, "life@client")
    server.wait_log(r"Message finished MID \d+ done")
    lines = server.log_lines()
    ids = {"I": r"New SMTP ICID (\d+) ", "M": r"Start MID (\d+) ",
           "D": r"New SMTP DCID (\d+) "}
    place = 0
    for pattern in LIFE:
        for name, source in ids.items():
            number = re.search(source, "\n".join(lines)).group(1)
            pattern = re.sub(r"\b%s\b(?![a-z])" % name, number, pattern)
        found = [index for index, line in enumerate(lines)
                 if index >= place and re.fullmatch(pattern, line)]
        assert found, "%s not after line %d of\n%s" % (
            pattern, place, "\n".join(lines))
        place = found[0]
    assert any(re.fullmatch(
        r"New SMTP DCID \d+ interface \S+ address 127\.0\.0\.1 port %d" %
        sink.port, line) for line in lines)


def test_lines_begin_with_time_and_level(relay, sink):
    server = relay(sink.port)
    submit(server, "time@client")
    server.wait_log("Message finished")
    lines = base.read_text(server.log_file).splitlines()
    head = server.log_lines()
    assert head[0] == "Begin Logfile"
    assert head[1].startswith("Version: ")
    assert re.fullmatch(r"Time offset from UTC: -?\d+ seconds", head[2])
    for line in lines:
        assert re.match(r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d "
                        r"\d\d:\d\d:\d\d \d{4} (Info|Warning|Debug|"
                        r"Critical|Trace): ", line), line


def test_the_json_lines_tell_the_same(relay, sink):
    server = relay(sink.port)
    submit(server, "json@client")
    server.wait_log("Message finished")
    rows = [json.dumps(row) for row in server.json_lines()]
    for text in ("json@client", "b@next.test", "c@next.test"):
        assert any(text in row for row in rows)
    assert all("\n" not in row for row in rows)


def test_nothing_from_outside_can_forge_a_line(relay, sink):
    server = relay(sink.port)
    forged = "Info: Message finished MID 99999 done"
    submit(server, "forge@client",
           subject="x\r\n " + forged + "\x1b[2J\u0085\u2028" + forged)
    with server.client() as peer:
        peer.cmd("EHLO a\x0b" + forged)
        peer.cmd("MAIL FROM:<a@b.test>\x0c" + forged)
    sink.wait(1)
    server.wait_log(r"Message finished MID \d+ done")
    text = base.read_text(server.log_file)
    assert not re.search(r"^.{0,40}Message finished MID 99999", text, re.M)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
    server.json_lines()


def test_refused_and_lost_connections_are_told(relay, sink):
    server = relay(sink.port)
    with server.client() as peer:
        peer.start().mail("a@client.test", "b@next.test")
    server.wait_log(r"ICID \d+ lost")
    server.wait_log(r"ICID \d+ close")
    with server.client() as peer:
        peer.start().mail("a@client.test", "b@next.test")
        peer.quit()
    server.wait_log(r"ICID \d+ close", 2)


@pytest.fixture(scope="module")
def history(standing):
    relay, sink = standing
    for number in range(3):
        submit(relay, "find-%d@client" % number,
               sender="s%d@client.test" % number,
               recipients=["r%d@next.test" % number])
    sink.wait(3)
    relay.wait_log(r"Message finished MID \d+ done", 3)
    return relay


@pytest.mark.parametrize("option, value", [
    ("--from", "s1@client.test"), ("--to", "r1@next.test")])
def test_log_find_follows_one_message_by(history, option, value):
    text = history.cli("log", "find", option, value).text
    for part in ("New SMTP ICID", "Start MID", "find-1@client",
                 "queued for delivery", "New SMTP DCID", "Message done",
                 "Message finished"):
        assert part in text, text
    assert "find-0@client" not in text and "find-2@client" not in text


def test_log_find_by_mid_and_by_time(history):
    mid = history.wait_log(r"MID (\d+) Message-ID '<find-2@client>'")[0]
    text = history.cli("log", "find", "--mid", mid.group(1)).text
    assert "find-2@client" in text and "find-1@client" not in text
    assert "find-0@client" in history.cli("log", "find", "--since",
                                          "1h").text


def test_log_find_without_a_match_fails(history):
    done = history.cli("log", "find", "--from", "nobody@x.test", check=False)
    assert done.returncode == 1 and "Start MID" not in done.text
