"""Log sinks: those of the program, and those that plugins bring."""

import json
import os
import pathlib
import re
import shutil
import signal
import tempfile

import pytest

from lib import base, client

pytestmark = pytest.mark.sanitizer

PLUGINS = os.path.join(os.path.dirname(base.POSTERN_BIN), "tests", "plugins")


@pytest.fixture
def logs():
    """A folder that the workers' user can write."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="logs-"))
    path.chmod(0o777)
    yield path
    shutil.rmtree(path)


def deliver(server, ident):
    with server.client() as peer:
        peer.start().deliver("a@client.test", ["b@next.test"],
                             client.message("log", ident=ident))
        peer.quit()
    server.wait_log(r"Message finished MID \d+ done")


def text_of(path):
    return base.read_text(path) if os.path.exists(path) else ""


def test_two_mail_logs_and_json_agree(relay, sink, logs):
    two, jsonl = str(logs / "two.log"), str(logs / "log.json")
    server = relay(sink.port, config=dict(plugin={
        ("log_mail", "two"): {"file": two},
        "log_json": {"file": jsonl}}))
    deliver(server, "agree@client")
    server.stop()
    lines = server.log_lines()
    assert [line[25:].split(": ", 1)[1] for line
            in text_of(two).splitlines()] == lines
    events = [json.loads(line) for line in text_of(jsonl).splitlines()]
    assert len(events) == len(lines) - 3
    mid = next(e["mid"] for e in events if e["event"] == "start")
    assert any("Start MID %d " % mid in line for line in lines)
    said = [e["text"] for e in events if e["event"] == "text"]
    assert all(text in lines for text in said if text.isprintable())


def test_each_log_has_its_level_and_is_reopened(relay, sink, logs):
    trouble = str(logs / "trouble.log")
    server = relay(sink.port, config=dict(plugin={
        ("log_mail", "trouble"): {"file": trouble, "level": "warning"}}))
    deliver(server, "level@client")
    assert "Begin Logfile" in text_of(trouble)
    assert "MID" not in text_of(trouble)
    os.rename(trouble, trouble + ".1")
    server.signal(signal.SIGUSR1)
    base.wait_for(lambda: "Begin Logfile" in text_of(trouble),
                  "the new file")


def test_a_log_that_cannot_be_written_is_told_in_the_others(relay, sink):
    server = relay(sink.port, config=dict(plugin={
        ("log_mail", "lost"): {"file": "/proc/nowhere/mail.log"}}))
    server.wait_log(r"Plugin lost: .*/proc/nowhere/mail\.log: .*trying again")
    deliver(server, "lost@client")


def test_a_sink_of_ones_own_gets_all_lines_with_fields(relay, sink, logs):
    mine = str(logs / "mine.log")
    server = relay(sink.port, config=dict(plugin_dirs=[PLUGINS],
                   plugin={"logsink": {"file": mine}}))
    deliver(server, "mine@client")
    base.wait_for(lambda: "Message finished" in text_of(mine),
                  "the worker's lines")
    assert re.search(r"^2 to MID \d+ ICID \d+ RID 0 To: <b@next\.test> \[ "
                     r"mid=\d+ icid=\d+ rid=0 to=b@next\.test \]$",
                     text_of(mine), re.M)
    # What the master said before there was a worker, and what it says now.
    base.wait_for(lambda: " is ready, workers: " in text_of(mine),
                  "the master's lines")
    assert len(re.findall(r"^2 - Postern \S+ starts with ", text_of(mine),
                          re.M)) == 1
    server.signal(signal.SIGHUP)
    base.wait_for(lambda: "configuration 2 is in force" in text_of(mine),
                  "the reload")


def test_a_sink_that_fails_does_not_harm_the_others(relay, sink, logs):
    server = relay(sink.port, config=dict(plugin_dirs=[PLUGINS], plugin={
        "logsink": {"file": str(logs / "x"), "fails": True}}))
    server.wait_log(r"Plugin logsink .*failed at log_sink/1\.emit")
    deliver(server, "harm@client")
