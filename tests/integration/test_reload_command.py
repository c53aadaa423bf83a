"""postern reload: it says what is in force, or in which line it is wrong, and
then the former configuration stays."""

import json
import os
import subprocess

import pytest

from lib import base

pytestmark = pytest.mark.sanitizer

POLICY = 'on("rcpt", function() return reject(550, "5.7.1", "%s") end)\n'


@pytest.fixture
def server(relay, sink):
    made = relay(sink.port)
    path = made.add_file("policy.lua", POLICY % "first")
    made.write_config({"policy": {"file": path}})
    done = reload(made)
    assert (done.returncode, done.stderr) == (0, "")
    return made


def reload(server, *args):
    return subprocess.run(
        [base.POSTERN_BIN, "reload", "-c", server.conf_file, *args],
        capture_output=True, text=True, check=False)


def said(server):
    """What the policy in force says to a recipient."""
    with server.client() as client:
        client.start()
        client.mail("a@b.test")
        return str(client.cmd("RCPT TO:<c@d.test>"))


def path(server, name):
    return os.path.join(server.dir, "conf", name)


def test_it_tells_what_is_in_force_and_is_so_at_once(server):
    server.add_file("policy.lua", POLICY % "second")
    done = reload(server)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "configuration 3 is in force: %s, policy %s\n" % (
            server.conf_file, path(server, "policy.lua")))
    for _ in range(4):
        assert "second" in said(server)


def test_as_json_it_has_number_files_and_revision(server):
    server.cli("config", "set", "delivery", "concurrency=7")
    server.cli("commit")
    done = reload(server, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        "taken": True, "generation": 4, "revision": 1,
        "file": server.conf_file, "policy": path(server, "policy.lua"),
        "warnings": []}
    assert reload(server).stdout.endswith(", revision 1\n")


WRONG = {
    "does not compile": (POLICY % "second" + "\non(\n", 4),
    "raises an error": (POLICY % "second" + 'error("no")\n', 2),
    "has a test that fails": (POLICY % "second" + (
        'test("never", function(t)\n  t:eq(1, 2)\nend)\n'), 3),
    "names a table that is not there": (
        POLICY % "second" + 'local t = lookup "nosuch"\n', 2),
    "names a route that is not there": (
        POLICY % "second" + '\nrule "r" { route = "nosuchroute" }\n', 3),
    "names a bounce profile that is not there": (
        POLICY % "second" + '\nrule "r" { bounce_profile = "nobody" }\n', 3),
}


@pytest.mark.parametrize("how", sorted(WRONG))
def test_a_policy_that(how, server):
    text, line = WRONG[how]
    server.add_file("policy.lua", text)
    done = reload(server)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("postern: reload: the relay has not taken ")
    assert " policy.lua:%d: " % line in done.stderr
    assert "first" in said(server)
    answer = reload(server, "--json")
    assert answer.returncode == 1 and answer.stderr == done.stderr
    answer = json.loads(answer.stdout)
    assert answer["taken"] is False
    assert "policy.lua:%d: " % line in answer["error"]
    # What is wrong is mended, and all is as if nothing had been.
    server.add_file("policy.lua", POLICY % "third")
    assert reload(server).returncode == 0
    assert "third" in said(server)


MISSING = 'policy.lua:1: rule "r": there is no route "nosuchroute"\n'


def test_check_and_start_refuse_a_name_that_is_not_there(server):
    server.stop()
    server.add_file("policy.lua", 'rule "r" { route = "nosuchroute" }\n')
    for command in ("check", "serve"):
        done = subprocess.run(
            [base.POSTERN_BIN, command, "-c", server.conf_file],
            capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1
        assert done.stderr.endswith(MISSING), done.stderr


NAMES = POLICY % "second" + '''
local t = lookup "people"
rule "a" { when = { rcpt = t }, route = "OTHER", stop = true }
rule "b" { when = { rcpt = t }, bounce_profile = "default" }
rule "c" { when = { rcpt = "x@y.test" }, bounce_profile = "patient" }
rule "d" { route = "192.0.2.25:25" }
'''
ODD = '''
rule "off" { enabled = false, route = "nosuchroute" }
rule "over" { expires = "2020-01-01", bounce_profile = "nobody" }
rule "all" { when = { listener = "nosuch" }, stop = true }
rule "never" { when = { listener = "nosuch" }, tag = "[x]" }
'''


def test_names_that_are_there_and_odd_rules_are_taken(server):
    people = server.add_file("people.csv", "x@y.test,1\n")
    server.write_config({
        "route": {"other": {"hosts": ["127.0.0.1:9"]}},
        "bounce_profile": {"patient": {}},
        "plugin_dirs": [os.path.join(
            os.path.dirname(base.POSTERN_BIN), "plugins", "lookup_file")],
        "plugin": {("lookup_file", "people"): {"file": people}},
        "policy": {"file": server.add_file("policy.lua", NAMES + ODD)}})
    done = reload(server)
    assert (done.returncode, done.stderr) == (0, "")
    assert "second" in said(server)
    # A plugin that goes takes its table with it.
    del server.config["plugin"]
    server.write_config()
    done = reload(server)
    assert done.returncode == 1
    assert done.stderr.endswith(
        'policy.lua:3: lookup: there is no table "people"\n')


@pytest.mark.parametrize("mistake", [
    "listner 'x' { }", "delivery { concurrency = 'many' }", "hostname == 3"])
def test_a_broken_boot_file_is_refused_with_its_line(mistake, server):
    good = base.read_text(server.conf_file)
    base.write_file(server.conf_file, good + mistake + "\n")
    line = len(good.splitlines()) + 1
    done = reload(server)
    assert (done.returncode, done.stdout) == (1, "")
    assert "%s:%d: " % (server.conf_file, line) in done.stderr
    assert "first" in said(server)


def test_a_policy_that_is_gone_is_named(server):
    os.unlink(path(server, "policy.lua"))
    done = reload(server)
    assert done.returncode == 1
    assert path(server, "policy.lua") in done.stderr
    assert "first" in said(server)


def test_what_changes_at_the_next_start_only_is_told(server):
    server.write_config({"open_files": 2000})
    done = reload(server)
    assert done.returncode == 0
    assert done.stderr.startswith("The relay says: spool, config, run, ")
    server.write_config({"open_files": 3000})
    answer = json.loads(reload(server, "--json").stdout)
    assert "next start" in answer["warnings"][0]


def test_those_who_ask_at_the_same_time_all_get_an_answer(server):
    server.add_file("policy.lua", POLICY % "second")
    asking = [subprocess.Popen(
        [base.POSTERN_BIN, "reload", "-c", server.conf_file],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(6)]
    for one in asking:
        text, _ = one.communicate()
        assert one.returncode == 0 and "is in force" in text
    assert "second" in said(server)


def test_without_a_relay_it_says_that_none_is_running(server):
    server.stop()
    done = reload(server)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the relay is not running" in done.stderr
    done = reload(server, "--json")
    assert done.returncode == 1
    assert "not running" in json.loads(done.stdout)["error"]


def test_wrong_usage_is_told_apart():
    for words, code in ((["--help"], 0), (["--quick"], 2), (["now"], 2)):
        done = subprocess.run([base.POSTERN_BIN, "reload"] + words,
                              capture_output=True, text=True, check=False)
        assert done.returncode == code
        assert "usage: postern reload" in done.stdout + done.stderr


def test_the_systemd_unit_reloads_so_that_it_can_tell():
    unit = base.read_text(os.path.join(base.REPO, "conf", "postern.service"))
    assert "\nExecReload=/usr/bin/env postern reload\n" in unit
