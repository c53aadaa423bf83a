"""What commands say, and where it goes: no place for it, names that act on
terminals, descriptors that are not there."""

import json
import os
import subprocess

import pytest

from lib import base, luaconf

pytestmark = pytest.mark.sanitizer


class Place:
    def __init__(self):
        self.folder = base.private_dir("output")
        self.conf = os.path.join(self.folder, "postern.lua")
        base.write_file(self.conf, luaconf.text({
            "hostname": "mx.relay.example",
            "spool": os.path.join(self.folder, "spool"),
            "run": os.path.join(self.folder, "run"),
            "listener": {"in": {"address": ["127.0.0.1:2525"]}}}))

    def cli(self, *args, code=0, **more):
        done = subprocess.run(
            [base.POSTERN_BIN, *args, "-c", self.conf], check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=dict(os.environ, **more))
        assert done.returncode == code, (args, done.stdout, done.stderr)
        return (done.stdout + done.stderr).decode()

    def shell(self, line):
        return subprocess.run(
            ["sh", "-c", line], check=False, capture_output=True, text=True,
            cwd=self.folder, stdin=subprocess.DEVNULL,
            env=dict(os.environ, BIN=base.POSTERN_BIN, CONF=self.conf))


@pytest.fixture
def place():
    return Place()


def test_help_is_told_for_what_is_there(place):
    for words, code in ((["help"], 0), (["help", "queue"], 0),
                        (["help", "--help"], 0), (["help", "-h"], 0),
                        (["help", "help"], 0), (["help", "--json"], 0),
                        (["help", "quack"], 2), (["quack"], 2)):
        done = subprocess.run([base.POSTERN_BIN] + words, check=False,
                              capture_output=True, text=True)
        assert done.returncode == code, (words, done)
        assert (done.stdout == "") == (code != 0)


@pytest.mark.parametrize("words", [
    "version", "help", "check", "check --dump", "check --json",
    "config show", "config show --json", "config diff", "config status",
    "config save", "destconfig list", "destconfig export",
    "alertconfig list", "certconfig list", "explain a@x.test b@y.test"])
def test_a_command_fails_when_its_answer_cannot_be_written(place, words):
    place.cli("config", "set", "destination", "x.test", "tls=none")
    conf = "" if words in ("version", "help") else ' -c "$CONF"'
    done = place.shell('"$BIN" %s%s >/dev/full' % (words, conf))
    assert done.returncode not in (0, 2), done
    assert "postern: standard output: " in done.stderr


def test_what_is_said_never_goes_into_a_file_that_was_opened(place):
    place.cli("config", "set", "destination", "x.test", "tls=none")
    for closed in (">&-", "<&-", "2>&-", "<&- >&- 2>&-"):
        done = place.shell('"$BIN" config save -c "$CONF" saved %s &&'
                           '"$BIN" config load -c "$CONF" saved %s &&'
                           '"$BIN" commit -c "$CONF" %s' % ((closed,) * 3))
        assert done.returncode in (0, 1), done  # nothing to commit
        text = base.read_text(os.path.join(place.folder, "saved"))
        assert text.startswith("-- A saved configuration") and text.endswith(
            "-- The end of the saved configuration\n")
    assert json.loads(place.cli("config", "status", "--json"))["head"][
        "revision"] == 1


TRICKS = ["a\x1b]0;owned\x07", "a\nb", "a\x7f", "a\u009b31m", "a\u202eb"]


@pytest.mark.parametrize("name", TRICKS + [b"a\xff"])
def test_no_name_acts_on_a_terminal(place, name):
    for kind, setting in (("listener", "address=127.0.0.1:2526"),
                          ("route", "hosts=192.0.2.1:25"),
                          ("sender_group", "senders=192.0.2.1"),
                          ("mail_flow_policy", "tls=off")):
        said = place.cli("config", "set", kind, name, setting, code=1)
        assert "without control characters" in said
    assert place.cli("config", "show") == ""


@pytest.mark.parametrize("name", TRICKS)
def test_no_boot_file_has_such_a_name_either(place, name):
    with open(place.conf, "a", encoding="utf-8") as file:
        file.write('listener "%s" { address = { "127.0.0.1:2526" } }\n' %
                   "".join("\\u{%x}" % ord(char) for char in name))
    assert "without control characters" in place.cli("check", code=1)


def test_who_and_why_are_one_line_that_cannot_act_on_a_terminal(place):
    for n, comment in enumerate(TRICKS + [b"\xff", "two words", "\u20ac" * 900]):
        place.cli("config", "set", "delivery", "concurrency=%d" % (n + 1))
        place.cli("commit", comment, SUDO_USER=TRICKS[0])
    rows = json.loads(place.cli("config", "log", "--json"))
    assert [row["comment"] for row in rows[::-1]] == [
        "a?]0;owned?", "a b", "a?", "a?31m", "a?b", "?", "two words",
        "\u20ac" * 333]
    assert {row["who"] for row in rows} == {"a?]0;owned?"} or os.getuid() != 0
    assert len(place.cli("config", "log").splitlines()) == len(rows)
