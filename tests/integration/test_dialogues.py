"""What all dialogues have in common: menus, widths, and how they end."""

import os
import signal
import subprocess

import pytest

from lib import base, luaconf
from test_certconfig_dialogue import Dialogue

ALL = ["alertconfig", "bounceconfig", "certconfig", "destconfig",
       "listenerconfig"]
# A word that two of its operations begin with, and which these are.
BOTH = {"alertconfig": ("", ""),
        "bounceconfig": ("de", "DELETE or DETAIL"),
        "certconfig": ("re", "RENEW, RESTORE or RENAME"),
        "destconfig": ("e", "EDIT or EXPORT"),
        "listenerconfig": ("", "")}
# The first question of an operation, by its word as somebody may type it.
ASKS = {"alertconfig": ("n", "Please enter a new email address to send "
                        "alerts."),
        "bounceconfig": ("n", "Please create a name for the profile:"),
        "certconfig": ("n", "Enter a name for this certificate profile:"),
        "destconfig": ("nE", "Enter the domain you wish to configure."),
        "listenerconfig": ("N", "Enter the name of the listener:")}


class Place:
    def __init__(self, command):
        self.folder = base.private_dir("dialogues")
        self.command = command
        self.conf = os.path.join(self.folder, "postern.lua")
        self.made = []
        base.write_file(self.conf, luaconf.text({
            "hostname": "mx.relay.example",
            "spool": os.path.join(self.folder, "spool"),
            "run": os.path.join(self.folder, "run"),
            "listener": {"in": {"address": ["127.0.0.1:2525"]}}}))

    def talk(self, width=0, command=None, **env):
        self.made.append(Dialogue(self.conf, command or self.command, width,
                                  env))
        return self.made[-1]

    def changes(self):
        done = base.run([base.POSTERN_BIN, "config", "-c", self.conf, "show"])
        store = os.path.join(self.folder, "spool", "tls")
        return done.text, sorted(os.listdir(store)) if os.path.isdir(
            store) else []


@pytest.fixture
def place(request):
    it = Place(getattr(request, "param", "destconfig"))
    yield it
    for one in it.made:
        try:
            os.kill(one.pid, signal.SIGKILL)
            os.waitpid(one.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(one.fd)


each = pytest.mark.parametrize("place", ALL, indirect=True)


@each
def test_an_empty_answer_leaves_it(place):
    one = place.talk()
    one.answer("   ")
    assert one.end() == 0


@each
def test_the_end_of_the_input_leaves_it_without_a_change(place):
    before = place.changes()
    for words in ((), (ASKS[place.command][0],)):
        one = place.talk()
        one.answer(*words)
        one.hear(r"\[[^\n]*\]> $")
        os.write(one.fd, b"\x04")
        assert one.end() == 0
    assert place.changes() == before


@each
def test_ctrl_c_leaves_it_without_a_change(place):
    before = place.changes()
    for words in ((), (ASKS[place.command][0],)):
        one = place.talk()
        one.answer(*words)
        one.hear(r"\[[^\n]*\]> $")
        os.write(one.fd, b"\x03")
        assert one.end() == -signal.SIGINT
        assert one.echoes()
    assert place.changes() == before


@each
def test_words_may_be_cut_as_long_as_they_are_clear(place):
    one = place.talk()
    word, question = ASKS[place.command]
    one.say(word)
    one.hear(question)
    one = place.talk()
    word, which = BOTH[place.command]
    if word:
        one.say(word)
        one.hear('"%s" may be %s\\.\n' % (word, which))
    one.answer("nonsense")
    one.hear('"nonsense" is none of the operations\\.\n')
    one.answer("")
    assert one.end() == 0


def test_a_whole_word_is_no_beginning_of_another(place):
    """DE may be three, DELETE is one."""
    one = place.talk()
    one.answer("de")
    one.hear('"de" may be DELETE, DEFAULT or DETAIL\\.\n')
    one.answer("delete")
    one.hear("Enter the domain you wish to delete")


def lines_of(place, width, *words, **env):
    one = place.talk(width, **env)
    one.answer(*words, "")
    assert one.end() == 0
    return one.all.splitlines()


WIDE = "- DETAIL - Display details for one destination or all entries."


def test_lines_are_broken_where_the_screen_ends(place):
    narrow = lines_of(place, 40)
    assert max(map(len, narrow[:-3])) <= 40
    at = narrow.index("- DETAIL - Display details for one")
    assert narrow[at + 1] == "  destination or all entries."
    for width in (0, 200, len(WIDE)):
        assert WIDE in lines_of(place, width)
    assert WIDE not in lines_of(place, len(WIDE) - 1)


def test_columns_has_the_last_word_on_the_width(place):
    assert WIDE in lines_of(place, 40, COLUMNS="100")
    assert WIDE not in lines_of(place, 100, COLUMNS="40")
    for nonsense in ("", "wide", "0", "-5", "99999999999"):
        assert WIDE in lines_of(place, 100, COLUMNS=nonsense)


def test_questions_are_broken_and_keep_their_prompt(place):
    said = lines_of(place, 60, "new", "a.example", "n", "n", "n", "n", "n",
                    "n", "n")
    at = said.index("Do you wish to apply a specific bounce verification "
                    "address")
    assert said[at + 1] == "tagging setting for this domain? [N]> n"


def test_a_table_that_is_too_wide_gives_long_names_a_line(place):
    name = "a-rather-long-name.of-a-department.partner.example"
    base.run([base.POSTERN_BIN, "destconfig", "-c", place.conf, "set", name,
              "tls=required"])
    said = lines_of(place, 80, "list")
    at = said.index(name)
    assert said[at + 1].split() == ["Default", "On", "Default", "Default",
                                    "Default"]
    assert max(map(len, said[:at + 3])) <= 80
    assert any(line.startswith(name + "  Default   On")
               for line in lines_of(place, 120, "list"))


@each
def test_without_a_terminal_nothing_is_broken(place):
    """A pipe, and the width of whoever made it."""
    done = subprocess.run(
        [base.POSTERN_BIN, place.command, "-c", place.conf],
        input="%s\n" % ASKS[place.command][0], capture_output=True,
        text=True, check=False, env=dict(os.environ, COLUMNS="30"))
    assert done.returncode == 0, done.stderr
    assert ASKS[place.command][1] in done.stdout
    assert any(len(line) > 40 for line in done.stdout.splitlines())
