"""The dialogue of postern certconfig, on a terminal of its own."""

import fcntl
import os
import pty
import re
import select
import signal
import stat
import struct
import subprocess
import termios
import time

import pytest

from lib import base, luaconf

HOST = "mx.relay.example"
WAIT = 60


class Dialogue:
    """Says and hears lines as a person would."""

    def __init__(self, conf, command="certconfig", width=0, more=None):
        """width 0: a terminal that does not know how wide it is."""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            env = {key: value for key, value in os.environ.items()
                   if key != "COLUMNS"}
            env.update(more or {})
            fcntl.ioctl(0, termios.TIOCSWINSZ,
                        struct.pack("HHHH", 24 if width else 0, width, 0, 0))
            os.execve(base.POSTERN_BIN, [base.POSTERN_BIN, command, "-c",
                                         conf], env)
        self.heard = ""
        self.all = ""

    def hear(self, pattern):
        """Wait for it; what came up to and with it."""
        end = time.monotonic() + WAIT
        while not (found := re.search(pattern, self.heard)):
            ready, _, _ = select.select([self.fd], [], [],
                                        end - time.monotonic())
            assert ready, "%r did not come: %s" % (pattern, self.all)
            try:
                more = os.read(self.fd, 65536).decode()
            except OSError:
                more = ""
            assert more, "%r did not come: %s" % (pattern, self.all)
            self.heard += more.replace("\r\n", "\n")
            self.all += more.replace("\r\n", "\n")
        before = self.heard[:found.end()]
        self.heard = self.heard[found.end():]
        return before

    def say(self, text, after=r"\[[^\n]*\]> $"):
        said = self.hear(after)
        os.write(self.fd, text.encode() + b"\n")
        return said

    def answer(self, *lines):
        for line in lines:
            self.say(line)

    def secret(self, text, after):
        """Typed only once the terminal is silent."""
        self.hear(after)
        base.wait_for(lambda: not self.echoes(), "a silent terminal")
        os.write(self.fd, text.encode() + b"\n")

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def end(self):
        """Its exit status, once it has ended by itself."""
        try:
            while more := os.read(self.fd, 65536):
                self.all += more.decode().replace("\r\n", "\n")
        except OSError:
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def place():
    folder = base.private_dir("dialogue")
    conf = os.path.join(folder, "postern.lua")
    base.write_file(conf, luaconf.text({
        "hostname": HOST, "spool": os.path.join(folder, "spool"),
        "run": os.path.join(folder, "run"),
        "listener": {"in": {"address": ["127.0.0.1:2525"]}}}))
    return folder


@pytest.fixture
def talk(place):
    made = []

    def start():
        made.append(Dialogue(os.path.join(place, "postern.lua")))
        return made[-1]
    yield start
    for one in made:
        try:
            os.kill(one.pid, signal.SIGKILL)
            os.waitpid(one.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(one.fd)


def make(dialogue, name="main", kind="4"):
    dialogue.answer("new", name, "", "", "Example", "", "", "", "", "", kind)


def cert(place, name="main"):
    return os.path.join(place, "spool", "tls", name)


def test_makes_a_profile_and_shows_its_request(place, talk):
    one = talk()
    make(one)
    one.hear("END CERTIFICATE REQUEST")
    one.say("")
    assert one.end() == 0
    said = one.all
    for part in ("- NEW - ", "- CERTAUTHORITY - ", "[%s]> " % HOST, "[365]> ",
                 "1. RSA 2048", "There is no certificate in"):
        assert part in said
    assert stat.S_IMODE(os.stat(cert(place)).st_mode) == 0o700
    text = subprocess.run(
        ["openssl", "x509", "-noout", "-text", "-in",
         cert(place) + "/cert.pem"], capture_output=True, text=True,
        check=True).stdout
    assert "O = Example" in text and "DNS:" + HOST in text


def test_shows_that_an_rsa_key_takes_its_time(talk):
    one = talk()
    make(one, kind="1")
    one.hear(r"Making the key \.+")
    one.say("")
    assert one.end() == 0


def test_words_are_taken_in_any_case_and_wrong_ones_named(talk):
    one = talk()
    one.answer("LiSt of things", "prInt", "CERTAUTHORITY", "list", "", "")
    assert one.end() == 0
    assert '"LiSt of things" is none of the operations.' in one.all
    assert "There is no certificate." in one.all
    assert "The list is empty." in one.all


def test_exports_with_a_passphrase_that_is_not_shown(place, talk):
    one = talk()
    make(one)
    out = os.path.join(place, "out.p12")
    one.answer("export", "", out, "")
    one.secret("geheim99", "New passphrase: ")
    one.secret("geheim99", "The same again: ")
    one.hear("was written")
    assert one.echoes()
    one.answer("import", "second", out)
    one.secret("geheim99", "Passphrase of [^\n]*: ")
    one.hear('"second" was imported')
    one.answer("import", "third", out)
    one.secret("falsch", "Passphrase of [^\n]*: ")
    one.hear("Failed: [^\n]*wrong passphrase")
    one.say("")
    assert one.end() == 0
    assert "geheim99" not in one.all and "falsch" not in one.all


def test_assigns_by_number_and_refuses_to_delete(place, talk):
    one = talk()
    make(one)
    one.answer("assign", "1", "9", "nine", "1", "delete", "1", "y")
    one.hear('Failed: "main" is in use by listener:in')
    one.answer("unassign", "", "rename", "1", "other", "delete", "", "maybe",
               "Yes", "")
    assert one.end() == 0
    assert "Please answer with a number from 1 to" in one.all
    assert "Please answer Y or N." in one.all
    assert sorted(os.listdir(cert(place, ""))) == ["assign"]


def test_compares_names_and_checks_chains(talk):
    one = talk()
    make(one)
    one.answer("check", "", "", "")
    assert one.end() == 0
    assert "main: not verifiable" in one.all
    assert "self-signed" in one.all


def test_the_end_of_the_input_ends_it_anywhere(talk):
    for lines in ((), ("new",), ("new", "main"), ("certauthority",),
                  ("certauthority", "import")):
        one = talk()
        one.answer(*lines)
        one.hear(r"\[[^\n]*\]> $")
        os.write(one.fd, b"\x04")
        assert one.end() == 0


def test_ctrl_c_ends_it_and_leaves_the_terminal_as_it_was(place, talk):
    one = talk()
    one.hear(r"\[\]> $")
    os.write(one.fd, b"\x03")
    assert one.end() == -signal.SIGINT
    one = talk()
    make(one)
    one.answer("export", "", os.path.join(place, "out.p12"), "")
    one.hear("New passphrase: ")
    base.wait_for(lambda: not one.echoes(), "a silent terminal")
    os.write(one.fd, b"\x03")
    status = os.waitstatus_to_exitcode(os.waitpid(one.pid, 0)[1])
    assert status == -signal.SIGINT
    assert one.echoes()
    assert not os.path.exists(os.path.join(place, "out.p12"))
