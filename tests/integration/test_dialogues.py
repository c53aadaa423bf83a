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


listeners = pytest.mark.parametrize("place", ["listenerconfig"],
                                    indirect=True)
# The questions of an operation of a table, up to the last.
GROUP = ["hostaccess", "new", "in", "PARTNERS"]


def policy(place):
    base.run([base.POSTERN_BIN, "listenerconfig", "-c", place.conf, "policy",
              "set", "TLS", "tls=required"])


@listeners
@pytest.mark.parametrize("key,status", [(b"\x04", 0),
                                        (b"\x03", -signal.SIGINT)])
def test_leaving_amid_questions_of_a_table_changes_nothing(place, key,
                                                           status):
    """What was done before in the same dialogue stays."""
    policy(place)
    before = place.changes()
    for n in range(1, len(GROUP) + 1):
        one = place.talk()
        one.answer(*GROUP[:n])
        one.hear(r"\[[^\n]*\]> $")
        os.write(one.fd, key)
        assert one.end() == status
        assert place.changes() == before
    one = place.talk()
    one.answer(*GROUP, "policy=TLS senders=.partner.test", "new", "in")
    one.hear(r"Enter the name of the sender group:\n\[\]> $")
    os.write(one.fd, key)
    assert one.end() == status
    assert "PARTNERS" in place.changes()[0]


@listeners
def test_an_empty_answer_where_something_is_needed_is_told(place):
    policy(place)
    before = place.changes()
    one = place.talk()
    one.answer("hostaccess", "new", "in", "", "")
    one.hear("Failed: that is too little or too much")
    # It is in the table still; two empty answers lead out.
    one.answer("", "")
    assert one.end() == 0
    assert place.changes() == before


@listeners
def test_an_empty_answer_leads_from_a_table_to_the_first_menu(place):
    one = place.talk()
    for table in ("hostaccess", "policy", "rcptaccess"):
        one.hear("- RCPTACCESS - ")
        one.answer(table, "")
    one.hear("- RCPTACCESS - ")
    one.answer("")
    assert one.end() == 0


@listeners
def test_menus_and_questions_of_listeners_fit_the_screen(place):
    for width in (40, 60, 80):
        one = place.talk(width)
        one.answer("rcptaccess", "new", "x.test", "access=reject text=Write "
                   "to us", "print", "", "hostaccess", "print", "in", "",
                   "reset", "in", "public", "hostaccess", "print", "in",
                   "new", "in", "G", "", "", "new", "", "", "", "")
        assert one.end() == 0
        said = one.all.split("There are uncommitted changes")[0]
        long = [line for line in said.splitlines()
                if len(line) > width and not line.startswith("[]> ")]
        assert not long, one.all
        base.run([base.POSTERN_BIN, "config", "-c", place.conf, "clear"])


@listeners
def test_a_whole_listener_is_made_by_dialogue(place):
    one = place.talk(80)
    one.answer("NEW", "MailOut", "private", "address=127.0.0.1:2526",
               "hostaccess", "edit", "MailOut", "RELAYLIST", "+10.0.0.0/8",
               "print", "MailOut", "export", "MailOut", "", "reorder",
               "MailOut", "RELAYLIST", "3", "", "rcptaccess", "new",
               "ours.test", "", "print", "", "list", "")
    assert one.end() == 0
    assert "1. RELAYLIST: $RELAYED (RELAY) Only these may relay\n" \
        "    10.0.0.0/8\n" in one.all
    assert "RELAYLIST:\n    10.0.0.0/8\n    $RELAYED (Only these may " \
        "relay)\n" in one.all
    assert 'Failed: "3" is no place from 1 to 2' in one.all
    assert "ours.test ACCEPT\n" in one.all
    assert "2. MailOut (on 127.0.0.1:2526)" in one.all


# `postern trace` asks, and has no menu.

TRACE = ["192.0.2.1", "", "", "a@x.test", "b@y.test", "y"]
ENTER = r"Enter '\.' on a\s+blank line to end\.\n"


@pytest.fixture
def temporary():
    """Where a program may leave files behind."""
    path = base.private_dir("tmp")
    yield path
    base.remove_dir(path)


@pytest.mark.parametrize("key,status", [(b"\x04", 2),
                                        (b"\x03", -signal.SIGINT)])
def test_leaving_a_trace_traces_nothing(place, temporary, key, status):
    for n in range(len(TRACE)):
        one = place.talk(command="trace", TMPDIR=temporary)
        one.answer(*TRACE[:n])
        one.hear(r"\[[^\n]*\]> $")
        os.write(one.fd, key)
        assert one.end() == status
        assert "Host Access Table" not in one.all
        assert os.listdir(temporary) == []


def test_ctrl_c_amid_the_message_of_a_trace_leaves_no_file(place, temporary):
    one = place.talk(command="trace", TMPDIR=temporary)
    one.answer(*TRACE)
    one.hear(ENTER)
    os.write(one.fd, b"Subject: half\n")
    one.hear("half")
    assert os.listdir(temporary) == []
    os.write(one.fd, b"\x03")
    assert one.end() == -signal.SIGINT
    assert "Host Access Table" not in one.all
    assert os.listdir(temporary) == []


def test_the_message_of_a_trace_ends_with_a_dot_or_the_input(place):
    for end in (b".\n", b"\x04"):
        one = place.talk(command="trace")
        one.answer(*TRACE)
        one.hear(ENTER)
        os.write(one.fd, b"Subject: whole\n\nbody\n" + end)
        assert one.end() in (0, 1)
        assert "Host Access Table" in one.all


def test_what_a_trace_asks_fits_the_screen(place):
    one = place.talk(40, command="trace")
    one.answer(*TRACE)
    one.hear(ENTER)
    said = one.all
    os.write(one.fd, b".\n")
    assert one.end() in (0, 1)
    assert max(map(len, said.splitlines())) <= 40, said
    assert "Enter or paste the message body here.\nEnter '.' on a blank " \
        "line to end.\n" in said


def typed(place, text):
    return subprocess.run(
        [base.POSTERN_BIN, "trace", "-c", place.conf],
        input="\n".join(TRACE) + "\n" + text, capture_output=True, text=True,
        check=False)


def test_a_typed_message_that_is_too_long_is_refused_not_cut(place):
    line = 1023 * "x" + "\n"
    fits = typed(place, 1023 * line + 1023 * "x" + "\n.\n")
    assert fits.returncode in (0, 1), fits.stderr
    assert "Host Access Table" in fits.stdout
    for text in (1025 * line + ".\n", 70000 * "x" + "\n.\n",
                 "first\n" + 70000 * "x" + "\nlast\n.\n"):
        done = typed(place, text)
        assert done.returncode == 2
        assert "1 MB and lines of 64 kB: put it into a file" in done.stderr
        assert "Host Access Table" not in done.stdout
