"""postern sink: what it shows, keeps and refuses."""

import glob
import json
import os
import signal
import smtplib
import ssl
import subprocess

import pytest

from lib import base


class PosternSink:
    def __init__(self, *options, json_lines=True):
        self.dir = base.private_dir("sink")
        self.port = base.free_port()
        self.kept = os.path.join(self.dir, "kept")
        args = [base.POSTERN_BIN, "sink", "--listen",
                "127.0.0.1:%d" % self.port, "--hostname", "sink.test",
                "--dir", self.kept] + list(options)
        self.process = subprocess.Popen(
            args + (["--json"] if json_lines else []),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        base.wait_listening(self.port, self.process)

    def client(self, tls=False):
        smtp = smtplib.SMTP("127.0.0.1", self.port, "client.test",
                            timeout=base.PATIENCE)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            smtp.starttls(context=context)
        return smtp

    def end(self, number=signal.SIGTERM):
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=base.PATIENCE)
        return self.process.returncode, out.decode(), err.decode()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        base.remove_dir(self.dir)


@pytest.fixture
def start(makers):
    return lambda *options, **more: makers.add(PosternSink(*options, **more))


MESSAGE = (b"Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@x>\r\n"
           b"\r\n.dot\r\n..dots\r\n\xc3\xa4\r\n")


@pytest.mark.sanitizer
def test_shows_and_keeps_what_arrived(start):
    sink = start()
    with sink.client(tls=True) as smtp:
        smtp.sendmail("a@x.test", ["b@y.test", "c@y.test"], MESSAGE,
                      mail_options=["BODY=8BITMIME"])
    with sink.client() as smtp:
        smtp.sendmail("", ["b@y.test"], MESSAGE)
    status, out, err = sink.end()
    assert status == 0
    first, second = map(json.loads, out.splitlines())
    assert first["helo"] == "client.test" and first["esmtp"]
    assert first["from"] == "a@x.test"
    assert first["to"] == ["b@y.test", "c@y.test"]
    assert first["tls"]["version"] == "TLSv1.3"
    assert first["size"] == len(MESSAGE) and first["eightbit"]
    assert first["subject"] == "=?utf-8?q?gr=C3=BC=C3=9Fe?="
    assert first["message_id"] == "<1@x>"
    assert second["from"] == "" and second["tls"] is None
    for shown in (first, second):
        with open(shown["file"], "rb") as file:
            assert file.read() == MESSAGE
        with open(shown["file"][:-3] + "json") as file:
            assert json.load(file) == shown
    assert "2 messages, 3 recipients" in err
    assert ", 1 with TLS" in err
    assert not glob.glob(os.path.join(sink.kept, ".*"))


def test_shows_text_that_is_fit_for_a_terminal(start):
    sink = start(json_lines=False)
    with sink.client() as smtp:
        smtp.sendmail("a@x.test", ["b@y.test"],
                      b"Subject: \x1b[31mred\r\n alert\r\n\r\n")
    status, out, _ = sink.end(signal.SIGINT)
    assert status == 0
    assert "EHLO client.test, in clear\n  from    <a@x.test>" in out
    assert "\n  to      <b@y.test>\n  size    " in out
    assert "\n  subject \\x1b[31mred alert\n" in out
    assert "1 messages, 1 recipients" in out


def test_refuses_recipients_that_match(start):
    sink = start("--reject", "nobody@*", "--tempfail", "*@busy.test")
    with sink.client() as smtp:
        refused = smtp.sendmail(
            "a@x.test", ["Nobody@y.test", "b@y.test", "c@Busy.Test"],
            MESSAGE)
    assert {to: code for to, (code, _) in refused.items()} == {
        "Nobody@y.test": 550, "c@Busy.Test": 451}
    _, out, err = sink.end()
    assert json.loads(out)["to"] == ["b@y.test"]
    assert "2 recipients refused" in err


@pytest.mark.sanitizer
def test_ends_after_a_count_when_the_client_has_gone(start):
    sink = start("--count", "2", "--quiet")
    with sink.client() as smtp:
        smtp.sendmail("a@x.test", ["b@y.test"], MESSAGE)
        smtp.sendmail("a@x.test", ["b@y.test"], MESSAGE)
        assert smtp.quit()[0] == 221
    status, out, err = sink.end(None)
    assert (status, out, err) == (0, "", "")


def test_ends_although_a_client_stays(start):
    sink = start()
    smtp = sink.client()
    smtp.ehlo()
    status, _, _ = sink.end()
    assert status == 0
    assert smtp.getreply()[0] == 421


@pytest.mark.sanitizer
def test_forgets_a_message_that_breaks_off(start):
    sink = start()
    smtp = sink.client()
    smtp.ehlo()
    smtp.mail("a@x.test")
    smtp.rcpt("b@y.test")
    smtp.docmd("DATA")
    smtp.send(b"Subject: half\r\n")
    base.wait_for(lambda: glob.glob(os.path.join(sink.kept, ".*")),
                  "the unfinished file")
    smtp.close()
    base.wait_for(lambda: not glob.glob(os.path.join(sink.kept, ".*")),
                  "the file to vanish")
    status, out, _ = sink.end()
    assert (status, out) == (0, "")


@pytest.mark.parametrize("options, status, words", [
    (["--nonsense"], 2, "nonsense"),
    (["there"], 2, "what is there"),
    (["--count", "x"], 2, "--count"),
    (["--delay", "x"], 2, "--delay"),
    (["--listen", "somewhere"], 2, "somewhere"),
    (["--key", "/nowhere"], 2, "--key without --cert"),
    (["--cert", "/nowhere"], 1, "/nowhere"),
    (["--help"], 0, "usage: postern sink"),
])
def test_tells_what_it_does_not_understand(options, status, words):
    done = base.run([base.POSTERN_BIN, "sink"] + options, check=False)
    assert done.returncode == status
    assert words in done.text


def test_tells_that_a_port_is_taken(start):
    sink = start()
    done = base.run([base.POSTERN_BIN, "sink", "--listen",
                     "127.0.0.1:%d" % sink.port], check=False)
    assert done.returncode == 1
    assert "127.0.0.1:%d" % sink.port in done.text
