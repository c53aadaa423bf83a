"""Log sinks: those of the program, and those that plugins bring."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
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


def nowhere(logs):
    """A path within what is no folder."""
    return base.write_file(str(logs / "taken"), "") + "/mail.log"


def test_a_start_with_a_log_that_cannot_be_opened_fails(relay, sink, logs):
    server = relay(sink.port)
    server.stop()
    lost = nowhere(logs)
    server.write_config(dict(plugin={("log_mail", "lost"): {"file": lost}}))
    server.start(ready=False)
    assert server.process.wait(base.PATIENCE) != 0
    assert re.search(r"plugin \"lost\": the log %s cannot be opened: Not a "
                     r"directory" % lost, base.read_text(server.output))
    server.write_config(dict(plugin={("log_mail", "lost"): {
        "file": str(logs / "mail.log")}}))
    server.start()
    deliver(server, "found@client")


@pytest.mark.parametrize("plugin", ["log_mail", "log_json"])
def test_a_reload_with_a_log_that_cannot_be_opened_is_refused(
        relay, sink, logs, plugin):
    server = relay(sink.port)
    lost = nowhere(logs)
    server.write_config(dict(plugin={(plugin, "lost"): {"file": lost}}))
    server.signal(signal.SIGHUP)
    server.wait_log(r'configuration 1 stays: .*plugin "lost": the log %s '
                    r"cannot be opened: Not a directory" % lost)
    os.unlink(os.path.dirname(lost))
    server.signal(signal.SIGHUP)
    # The master makes the folder.
    base.wait_for(lambda: "configuration 2 is in force" in text_of(lost),
                  "the reload")
    deliver(server, "kept@client")


@pytest.mark.parametrize("what, says", [
    ("file", "Socket operation on non-socket"),
    ("below", "Not a directory"),
    ("stream", "Protocol wrong type for socket"),
])
def test_a_system_log_that_cannot_be_is_refused(
        relay, sink, logs, what, says):
    server = relay(sink.port)
    lost = str(logs / "log")
    if what == "stream":
        stream = socket.socket(socket.AF_UNIX)
        stream.bind(lost)
        stream.listen()
    else:
        base.write_file(lost, "")
        lost += "/dev" if what == "below" else ""
    os.chmod(str(logs / "log"), 0o666)
    server.write_config(dict(plugin={"log_syslog": {"socket": lost}}))
    server.signal(signal.SIGHUP)
    server.wait_log(r'configuration 1 stays: .*plugin "log_syslog": the log '
                    r"%s cannot be opened: %s" % (lost, says))
    deliver(server, "kept@client")


def test_a_system_log_may_come_later(relay, sink, logs):
    later = str(logs / "log")
    server = relay(sink.port, config=dict(plugin={
        "log_syslog": {"socket": later}}))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(later)
        os.chmod(later, 0o666)
        daemon.settimeout(base.PATIENCE)
        deliver(server, "later@client")
        while b"Message finished MID" not in daemon.recv(65536):
            pass


def test_a_log_on_a_full_disk_alerts_and_goes_to_standard_error(relay, sink):
    server = relay(sink.port, config=dict(plugin={
        ("log_mail", "full"): {"file": "/dev/full"}}))
    server.wait_log(r"Alert System/Critical: the log /dev/full cannot be "
                    r"written: No space left on device")
    alert = next(e for e in server.json_lines() if e["event"] == "alert")
    assert alert["key"] == "log:/dev/full"
    deliver(server, "full@client")
    said = base.wait_for(lambda: re.search(
        "Message finished MID", base.read_text(server.output)) and
        base.read_text(server.output), "the lines on standard error")
    server.stop()
    said = base.read_text(server.output)
    missing = [line for line in server.log_lines() if line not in said and
               not line.startswith(("Begin Logfile", "Version:",
                                    "Time offset"))]
    assert missing == []


def test_a_log_that_fails_while_it_runs_is_written_again(relay, sink, logs):
    folder = logs / "folder"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    mine = str(folder / "mine.log")
    server = relay(sink.port, config=dict(plugin={
        ("log_mail", "mine"): {"file": mine}}))
    deliver(server, "before@client")
    folder.rename(logs / "away")
    base.write_file(str(folder), "")
    server.signal(signal.SIGUSR1)
    writers = 1 + server.config["workers"]
    server.wait_log(r"log %s: Not a directory; trying again" % mine, writers)
    server.wait_log(r"Alert System/Critical: the log %s cannot be" % mine,
                    writers)
    deliver(server, "between@client")
    os.unlink(folder)
    (logs / "away").rename(folder)
    deliver(server, "after@client")
    base.wait_for(lambda: text_of(mine).count("Message finished") == 3,
                  "all lines")
    server.stop()
    assert "between@client" in text_of(mine)
    assert "between@client" in base.read_text(server.output)
    assert "before@client" not in base.read_text(server.output)


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
