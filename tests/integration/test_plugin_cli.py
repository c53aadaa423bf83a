"""postern plugin: what is loaded, what is in a file, whether it can be used,
and one to begin with."""

import json
import os
import shutil
import subprocess

import pytest

from lib import base, luaconf

PLUGINS = os.path.join(os.path.dirname(base.POSTERN_BIN), "tests", "plugins")
TEMPLATE = os.path.join(base.REPO, "sdk", "template")
SDK = os.path.join(base.REPO, "sdk")
STUB = os.path.dirname(base.POSTERN_BIN)  # posternstub


def plugin(*args, **kwargs):
    """(status, text): standard output and what went wrong together."""
    done = base.run([base.POSTERN_BIN, "plugin", *args], check=False, **kwargs)
    return done.returncode, done.text


def told(*args):
    done = subprocess.run([base.POSTERN_BIN, "plugin", *args, "--json"],
                          capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)


@pytest.fixture
def folder():
    path = base.private_dir("plugin")
    yield path
    base.remove_dir(path)


def copied(folder, name, to=None):
    path = os.path.join(folder, (to or name) + ".so")
    shutil.copy(os.path.join(PLUGINS, ".libs", name + ".so"), path)
    os.chmod(path, 0o755)
    return path


def boot_file(folder, plugins, **changes):
    settings = {"hostname": "relay.test",
                "spool": os.path.join(folder, "spool"),
                "run": os.path.join(folder, "run"),
                "plugin_dirs": [folder], "plugin": plugins}
    settings.update(changes)
    return base.write_file(os.path.join(folder, "postern.lua"),
                           luaconf.text(settings))


def compiled(folder, name, text):
    source = base.write_file(os.path.join(folder, name + ".c"),
                             "#include <postern/plugin.h>\n" + text)
    file = os.path.join(folder, name + ".so")
    base.run(["cc", "-shared", "-fPIC", "-I", SDK, "-o", file, source])
    return file


# ---- list and order ---------------------------------------------------------

def test_the_running_relay_is_listed_with_all_its_workers(relay, sink, folder):
    file = copied(folder, "plain")
    product = relay(sink.port, {
        "workers": 2, "plugin_dirs": [folder],
        "plugin": {"plain": {}, ("plain", "second"): {}},
        "plugin_order": {"mail": ["second"]}})
    rows = {row["instance"]: row
            for row in product.cli_json("plugin", "list")}
    assert rows["second"]["plugin"] == "plain"
    assert rows["second"]["version"] == "1.2"
    assert rows["second"]["file"] == file
    assert rows["second"]["workers"] == 2
    assert not rows["second"]["changed"]
    text = product.cli("plugin", "list").text
    assert "Postern is not running" not in text
    assert "1.2 (%s)\n    asked at: mail, start, stop\n" % file in text
    assert "changed" not in text and "workers" not in text
    assert product.cli("plugin", "order", "mail").text == (
        "mail\n   1 second               named in plugin_order\n"
        "   2 plain                order of the blocks\n")
    order = {row["hook"]: row
             for row in product.cli_json("plugin", "order")}
    assert [i["instance"] for i in order["mail"]["instances"]] == [
        "second", "plain"]
    assert order["mail"]["workers"] == 2


def test_a_file_that_changed_is_flagged(relay, sink, folder):
    file = copied(folder, "plain")
    product = relay(sink.port, {"workers": 1, "plugin_dirs": [folder],
                                "plugin": {"plain": {}}})
    assert "changed" not in product.cli("plugin", "list").text
    os.rename(copied(folder, "plain", "other"), file)
    said = product.cli("plugin", "list").text
    assert "    changed: the file is another than the one in use; " in said
    row, = (row for row in product.cli_json("plugin", "list")
            if row["instance"] == "plain")
    assert row["changed"]
    product.stop()
    product.start()
    assert "changed" not in product.cli("plugin", "list").text


def test_without_a_relay_the_boot_file_is_listed(folder):
    copied(folder, "plain")
    path = boot_file(folder, {"plain": {}, ("plain", "second"): {}},
                     plugin_order={"mail": ["second"]})
    status, said = plugin("list", "-c", path)
    assert status == 0
    assert said.startswith("Postern is not running: %s has\n" % path)
    assert "second               plain                1.2 (" in said
    status, rows = told("list", "-c", path)
    assert status == 0
    assert "workers" not in rows[0]
    assert {"plain", "second"} <= {row["instance"] for row in rows}
    status, rows = told("order", "-c", path, "mail")
    assert rows == [{"hook": "mail", "instances": [
        {"instance": "second", "why": "named in plugin_order"},
        {"instance": "plain", "why": "order of the blocks"}], "muted": []}]


def test_a_relay_that_was_killed_is_not_running(relay, sink, folder):
    copied(folder, "plain")
    product = relay(sink.port, {"workers": 1, "plugin_dirs": [folder],
                                "plugin": {"plain": {}}})
    product.kill()
    said = product.cli("plugin", "list").text
    assert said.startswith("Postern is not running")


def test_a_boot_file_that_cannot_be_used_is_no_list(folder):
    path = boot_file(folder, {"plain": {}})
    status, said = plugin("list", "-c", path)
    assert status == 1
    assert 'there is no plain.so in ' + folder in said
    copied(folder, "bad_crash")
    path = boot_file(folder, {"bad_crash": {}})
    status, said = plugin("list", "-c", path)
    assert status == 1
    assert "signal 11 (Segmentation fault) while it was loaded" in said


# ---- show -------------------------------------------------------------------

def test_a_plugin_says_what_it_takes(folder):
    file = copied(folder, "plain")
    status, said = plugin("show", file)
    assert status == 0
    assert said.startswith("plain 1.2: Says what it was given\n"
                           "file        %s\n" % file)
    assert "  number           int -5..100, default 7\n" in said
    status, row = told("show", file)
    assert status == 0
    assert row["abi"] == "1.0" and row["hooks"] == ["start", "stop", "mail"]
    schema = row["schema"]
    assert schema["required"] == []
    assert not schema["additionalProperties"]
    number = schema["properties"]["number"]
    assert (number["type"], number["default"], number["minimum"],
            number["maximum"]) == ("integer", 7, -5, 100)
    assert schema["properties"]["list"]["default"] == ["a", "b"]
    assert schema["properties"]["mode"]["enum"] == ["soft", "hard"]
    assert schema["properties"]["refuse"]["default"] is False


def test_what_cannot_be_shown_is_named_once(folder):
    file = base.write_file(os.path.join(folder, "text.so"), "no program\n")
    assert plugin("show", file) == (
        1, 'postern: plugin "text": %s: file too short\n' % file)


def test_a_plugin_is_found_by_name_by_instance_and_by_file(folder):
    copied(folder, "plain")
    path = boot_file(folder, {("plain", "second"): {}})
    for word in ("plain", "second", os.path.join(folder, "plain.so")):
        status, said = plugin("show", "-c", path, word)
        assert status == 0 and said.startswith("plain 1.2"), said
    status, said = plugin("show", "plain.so", cwd=folder)
    assert status == 0 and said.startswith("plain 1.2"), said
    status, said = plugin("show", "tls_table")
    assert status == 0 and "part of the program" in said
    must = told("show", os.path.join(os.path.dirname(base.POSTERN_BIN),
                                     "plugins", "rate", "rate.la"))[1]
    assert must["schema"]["required"] == ["limit"]


@pytest.mark.parametrize("args, says", [
    (("show", "tls_tabel"), 'there is no plugin "tls_tabel" (did you mean '
     '"tls_table"?)'),
    (("check", "tls_tabel"), '(did you mean "tls_table"?)'),
    (("order", "mial"), 'there is no hook or operation "mial" (did you mean '
     '"mail"?)'),
    (("show", "/no/such.so"), "/no"),
])
def test_what_is_not_there_is_told_with_what_is_near(args, says):
    status, said = plugin(*args)
    assert status == 1
    assert says in said


@pytest.mark.parametrize("args", [
    (), ("chekc",), ("list", "x"), ("show",), ("show", "a", "b"), ("new",),
    ("list", "--mdoc"), ("new", "--json", "x"), ("show", "--no-such", "x"),
])
def test_a_wrong_command_line_is_refused(args):
    assert plugin(*args)[0] == 2


@pytest.mark.parametrize("args", [
    ("--help",), ("list", "--help"), ("show", "--help"), ("check", "--help"),
    ("order", "--help"), ("new", "--help")])
def test_each_command_explains_itself(args):
    status, said = plugin(*args)
    assert status == 0 and said.startswith("usage: postern plugin ")


# ---- check ------------------------------------------------------------------

@pytest.mark.parametrize("name, says", [
    ("bad_abi", "was built for ABI 99"),
    ("bad_crash", "signal 11 (Segmentation fault) while it was loaded"),
    ("bad_missing", "undefined symbol: function_that_nobody_wrote"),
    ("bad_none", "no symbol bad_none_LTX_postern_plugin"),
])
def test_a_bad_file_is_reported_and_the_next_one_checked(folder, name, says):
    good, bad = copied(folder, "plain"), copied(folder, name)
    status, said = plugin("check", bad, good)
    assert status == 1
    assert said.split("\n")[0].startswith("fault    " + name)
    assert says in said and bad in said
    assert "\nok       plain 1.2 (%s)\n" % good in said
    status, rows = told("check", bad, good)
    assert status == 1
    assert [row["ok"] for row in rows] == [False, True]
    assert rows[0]["file"] == bad and says in rows[0]["reason"]
    assert rows[0]["symbol"] == name + "_LTX_postern_plugin"
    assert rows[0].get("signal") == (11 if name == "bad_crash" else None)


def test_a_process_that_a_plugin_ends_is_no_success(folder):
    file = compiled(folder, "leaver", """
#include <unistd.h>
__attribute__((constructor)) static void leave(void) { _exit(0); }
PST_PLUGIN(leaver, .version = "1");
""")
    status, said = plugin("check", file)
    assert status == 1
    assert said == "fault    leaver: %s: its process ended without a word\n" \
        % file


def test_what_a_plugin_prints_is_not_in_the_answer(folder):
    file = compiled(folder, "talker", """
#include <unistd.h>
__attribute__((constructor)) static void talk(void)
{
	if (write(1, "{[", 2) != 2)
		_exit(1);
}
PST_PLUGIN(talker, .version = "1");
""")
    status, row = told("show", file)
    assert status == 0 and row["plugin"] == "talker"


def test_names_that_get_in_the_way_are_warned_of(folder):
    file = compiled(folder, "loud", """
PST_EXPORT int EVP_MD_CTX_reset(void), SSL_write(void), helper(void);
int EVP_MD_CTX_reset(void) { return 0; }
int SSL_write(void) { return 0; }
int helper(void) { return 0; }
PST_PLUGIN(loud, .version = "1");
""")
    status, said = plugin("check", file)
    assert status == 0
    assert "and 1 more of a TLS library; link it with" in said
    assert "exports helper besides its descriptor" in said
    for hash_style in ("gnu", "sysv"):
        quiet = os.path.join(folder, hash_style, "loud.so")
        os.mkdir(os.path.dirname(quiet))
        base.run(["cc", "-shared", "-fPIC", "-I", SDK,
                  "-Wl,--hash-style=" + hash_style, "-o", quiet,
                  os.path.join(folder, "loud.c")])
        assert "exports helper besides" in plugin("check", quiet)[1]


def test_by_default_the_boot_file_is_checked_with_its_options(folder):
    copied(folder, "plain")
    path = boot_file(folder, {"plain": {}, ("plain", "second"): {}})
    status, said = plugin("check", "-c", path)
    assert status == 0
    assert said.count("ok       plain 1.2 (") == 1
    path = boot_file(folder, {"plain": {"number": 101}})
    status, said = plugin("check", "-c", path)
    assert status == 1
    assert "number must be within -5..100" in said
    assert plugin("check", "-c", os.path.join(folder, "none"))[0] == 1


# ---- new --------------------------------------------------------------------

@pytest.fixture
def author(folder):
    """run(command, where): an author without an installed copy."""
    pc = os.path.join(folder, "postern.pc")
    base.write_file(pc, "plugindir=%s/lib\nName: Postern\nDescription: x\n"
                    "Version: 1\nCflags: -I%s\n" % (folder, SDK))
    env = dict(os.environ, PKG_CONFIG_PATH=folder, POSTERN_TEMPLATE=TEMPLATE,
               PATH=STUB + ":" + os.environ["PATH"])
    for name in ("MAKEFLAGS", "MAKELEVEL", "CC", "CFLAGS"):
        env.pop(name, None)

    def run(command, where=""):
        done = subprocess.run(
            ["sh", "-c", "umask 022; " + command], env=env,
            cwd=os.path.join(folder, where), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False,
            timeout=5 * base.PATIENCE)
        return done.returncode, done.stdout
    return run


def new(author, args):
    return author("%s plugin new %s" % (base.POSTERN_BIN, args))


def test_a_new_plugin_builds_and_passes_its_test(author, folder):
    status, said = new(author, "my_first2")
    assert status == 0, said
    assert sorted(os.listdir(os.path.join(folder, "my_first2"))) == [
        "Makefile", "README.md", "my_first2.c", "my_first2.stub"]
    for name in os.listdir(os.path.join(folder, "my_first2")):
        assert "NAME" not in base.read_text(
            os.path.join(folder, "my_first2", name))
    status, said = author(
        "cc -shared -fPIC $(pkg-config --cflags postern) -Wl,-z,defs "
        "-o my_first2.so my_first2.c && posternstub my_first2.stub",
        "my_first2")
    assert status == 0 and said.endswith("1..8\n"), said
    status, said = author("make clean && make check", "my_first2")
    assert status == 0 and said.endswith("1..8\n"), said
    status, said = plugin("check", os.path.join(folder, "my_first2",
                                                "my_first2.so"))
    assert status == 0
    assert said.startswith("ok       my_first2 0.1") and \
        "warning" not in said, said


def test_nothing_that_is_there_is_written_over(author, folder):
    place = os.path.join(folder, "place")
    os.mkdir(place)
    mine = base.write_file(os.path.join(place, "mine.stub"), "my own\n")
    status, said = new(author, "mine place")
    assert status == 1
    assert said == "postern: plugin new: place/mine.stub is there already\n"
    assert os.listdir(place) == ["mine.stub"]
    assert base.read_text(mine) == "my own\n"
    status, said = new(author, "other place")
    assert status == 0 and len(os.listdir(place)) == 5


def test_folders_on_the_way_are_made_but_nothing_below_a_file(author, folder):
    status, said = new(author, "mine a/b/c")
    assert status == 0 and said.startswith("a/b/c: mine.c"), said
    assert len(os.listdir(os.path.join(folder, "a", "b", "c"))) == 4
    base.write_file(os.path.join(folder, "file"), "x\n")
    status, said = new(author, "mine file/c")
    assert status == 1 and said.startswith("postern: plugin new: file/c"), said


@pytest.mark.parametrize("name, says", [
    ("1x", "is no name"), ("a-b", "is no name"), ("../x", "is no name"),
    ("''", "is no name"), ("x" * 65, "is no name"),
    ("tls_table", "is part of Postern already"),
])
def test_a_name_that_cannot_be_is_refused(author, folder, name, says):
    before = sorted(os.listdir(folder))
    status, said = new(author, name)
    assert status == 1 and says in said
    assert sorted(os.listdir(folder)) == before


def test_a_template_that_is_not_there_is_told(author, folder):
    status, said = author("POSTERN_TEMPLATE=/no/such %s plugin new mine" %
                          base.POSTERN_BIN)
    assert status == 1 and "/no/such: No such file" in said
    assert not os.path.exists(os.path.join(folder, "mine"))
