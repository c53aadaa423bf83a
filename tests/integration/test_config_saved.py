"""A configuration as one text: saved, loaded, edited; and what is kept of
those before."""

import json
import os
import re
import sqlite3

import pytest

from lib import base
from test_config_store import commit, config, shown_key, status, store

SECRET = "correct horse\n"
WITHOUT = {"listener": {"inbound": {"cert": None, "key": None}}}


@pytest.fixture
def server(relay, sink):
    return relay(sink.port)


def test_the_scope_of_an_object_is_saved_with_it(relay):
    old, new = relay(), relay()
    config(old, "set", "--node", "destination", "x.test", "tls=required")
    config(old, "set", "--node", "destination", "empty.test")
    config(old, "set", "destination", "y.test", "tls=none")
    saved = os.path.join(old.dir, "conf", "saved")
    config(old, "save", saved)
    text = base.read_text(saved)
    assert ('destination "x.test" {\n  scope = "node",\n'
            '  tls = "required",\n}\n') in text
    assert 'destination "empty.test" {\n  scope = "node",\n}\n' in text
    config(new, "load", saved)
    commit(new)
    again = os.path.join(new.dir, "conf", "again")
    config(new, "save", again)
    assert base.read_text(again) == text
    shown = json.loads(config(new, "show", "--json"))
    assert {row["name"]: row["scope"] for row in shown} == {
        "x.test": "node", "empty.test": "node", "y.test": "cluster"}
    assert "scope" not in shown[1]["settings"]
    path = new.add_file("bad", 'destination "z.test" {\n'
                        '  scope = "world",\n}\n')
    assert '%s:1: scope must be "node" or "cluster"' % path in config(
        new, "load", path, code=1)
    assert "unknown setting \"scope\"" in config(
        new, "set", "destination", "z.test", "scope=node", code=1)


def test_an_edited_text_keeps_the_scope(server):
    config(server, "set", "--node", "destination", "x.test", "tls=required")
    editor = server.add_file("editor", "#!/bin/sh\n"
                             "sed -i s/required/none/ \"$1\"\n")
    os.chmod(editor, 0o755)
    server.cli("config", "edit", env=dict(os.environ, VISUAL=editor))
    assert config(server, "show").endswith(
        '-- of this node only\ndestination "x.test" {\n  tls = "none",\n}\n')


def test_the_editor_gets_a_text_in_the_directory_for_such(server):
    config(server, "set", "destination", "x.test", "tls=none")
    tmp = os.path.join(server.dir, "elsewhere")
    os.mkdir(tmp)
    editor = server.add_file("editor", "#!/bin/sh\necho \"edits $1\"\n"
                             "exit $POSTERN_TEST_STATUS\n")
    os.chmod(editor, 0o755)
    for code in (0, 1):
        done = server.cli("config", "edit", check=False, env=dict(
            os.environ, VISUAL=editor, TMPDIR=tmp,
            POSTERN_TEST_STATUS=str(code)))
        assert done.returncode == code
        assert "edits %s/postern-config-" % tmp in done.text
        assert os.listdir(tmp) == []


def test_the_keys_of_a_terminal_are_the_editors(server):
    config(server, "set", "destination", "x.test", "tls=none")
    editor = server.add_file("editor", "#!/bin/sh\n"
                             "kill -INT $PPID; kill -QUIT $PPID\n"
                             "sed -i s/none/required/ \"$1\"\n")
    os.chmod(editor, 0o755)
    done = server.cli("config", "edit", check=False,
                      env=dict(os.environ, VISUAL=editor))
    assert done.returncode == 0, done.text
    assert 'tls = "required"' in config(server, "show")


def test_a_mistake_between_objects_is_told_with_the_object(server):
    assert ('destination "x.test": no bounce_profile "slow"') in config(
        server, "set", "destination", "x.test", "bounce_profile=slow", code=1)
    path = server.add_file("bad", 'destination "y.test" { tls = "none" }\n'
                           'destination "x.test" {\n'
                           '  tls = "none",\n'
                           '  bounce_profile = "slow",\n'
                           '}\n')
    assert ('%s:4: destination "x.test": no bounce_profile "slow"' % path
            ) in config(server, "load", path, code=1)
    assert config(server, "show") == ""
    config(server, "set", "destination", "x.test", "certificate=nobody")
    said = commit(server, code=1)
    assert 'revision 1: destination "x.test": ' in said and "nobody" in said


class Saved:
    """A relay with a certificate, and what it saved."""

    def __init__(self, relay):
        self.old = relay(config=WITHOUT)
        self.new = relay(config=WITHOUT)
        self.secret = self.old.add_file("secret", SECRET)
        self.old.cli("certconfig", "create", "mail", "--cn", "mx.test",
                     "--key", "p256")
        self.old.cli("certconfig", "assign", "mail", "listener:inbound")
        config(self.old, "set", "destination", "x.test", "tls=required")
        self.path = os.path.join(self.old.dir, "conf", "saved")
        config(self.old, "save", self.path, "--passphrase-file", self.secret)

    def load(self, path=None, secret=None, code=0):
        return config(self.new, "load", path or self.path,
                      "--passphrase-file", secret or self.secret, code=code)

    def untouched(self):
        return config(self.new, "show") == "" and \
            not status(self.new)["certificates_wait"] and \
            "mail" not in self.new.cli("certconfig", "list").text


@pytest.fixture
def saved(relay):
    return Saved(relay)


def unused(server, name):
    return re.search(r"(?m)^%s .* - \(self-signed\)$" % name,
                     server.cli("certconfig", "list").text)


def test_loaded_certificates_serve_when_they_are_committed(saved):
    mine, theirs = shown_key(saved.new.port), shown_key(saved.old.port)
    assert "wait for the commit" in saved.load()
    # Nobody uses it, whatever makes the relay read its certificates anew.
    saved.new.cli("certconfig", "create", "other", "--cn", "other.test",
                  "--key", "p256")
    assert status(saved.new)["certificates_wait"] is True
    assert shown_key(saved.new.port) == mine
    assert unused(saved.new, "mail")
    assert "Revision 1" in commit(saved.new)
    assert shown_key(saved.new.port) == theirs
    assert status(saved.new)["certificates_wait"] is False


def test_a_cleared_load_leaves_its_certificates_unused(saved):
    mine = shown_key(saved.new.port)
    saved.load()
    config(saved.new, "clear")
    assert status(saved.new)["certificates_wait"] is False
    config(saved.new, "set", "destination", "z.test", "tls=none")
    commit(saved.new)
    assert shown_key(saved.new.port) == mine
    saved.new.cli("certconfig", "delete", "mail")
    assert "mail" not in saved.new.cli("certconfig", "list").text


def test_a_refused_commit_takes_the_uses_back(saved):
    mine, theirs = shown_key(saved.new.port), shown_key(saved.old.port)
    saved.load()
    config(saved.new, "set", "listener", "inbound",
           "address=192.0.2.1:2525")
    assert "the relay has not taken it" in commit(saved.new, code=1)
    assert unused(saved.new, "mail")
    assert status(saved.new)["certificates_wait"] is True
    assert shown_key(saved.new.port) == mine
    config(saved.new, "delete", "listener", "inbound")
    commit(saved.new)
    assert shown_key(saved.new.port) == theirs


def test_certificates_alone_need_no_new_revision(saved):
    theirs = shown_key(saved.old.port)
    config(saved.new, "set", "destination", "x.test", "tls=required")
    commit(saved.new)
    saved.load()
    assert status(saved.new)["uncommitted"] == 0
    assert "commit or clear first" in config(saved.new, "rollback", "1",
                                             code=1)
    assert "Revision 1: 0 objects changed." in commit(saved.new)
    assert shown_key(saved.new.port) == theirs
    assert "nothing to commit" in commit(saved.new, code=1)


def test_a_wrong_or_empty_passphrase_changes_nothing(saved):
    wrong = saved.new.add_file("wrong", "battery staple\n")
    said = saved.load(secret=wrong, code=1)
    assert re.search(r':\d+: certificate "mail": .*wrong passphrase', said)
    assert saved.untouched()
    for text in ("", "\n"):
        empty = saved.new.add_file("empty", text)
        assert "an empty passphrase protects nothing" in saved.load(
            secret=empty, code=1)
        assert "an empty passphrase protects nothing" in config(
            saved.old, "save", "--passphrase-file", empty, code=1)
        assert saved.untouched()


def test_a_certificate_without_its_key_is_neither_saved_nor_loaded(saved):
    key = os.path.join(saved.old.spool, "tls", "mail", "key.pem")
    os.rename(key, key + ".away")
    out = os.path.join(saved.old.dir, "conf", "out")
    said = config(saved.old, "save", out, "--passphrase-file", saved.secret,
                  code=1)
    assert 'there is no certificate "mail" in ' in said
    assert not os.path.exists(out)
    text = base.read_text(saved.path)
    bad = saved.new.add_file("bad", re.sub(
        r"  pkcs12 = \{.*?\},\n", "", text, flags=re.S))
    said = saved.load(bad, code=1)
    assert re.search(r'%s:\d+: certificate "mail": it has no pkcs12' % bad,
                     said)
    assert saved.untouched()


def test_a_file_that_was_cut_is_refused_wherever(saved):
    text = base.read_text(saved.path)
    lines = text.splitlines(keepends=True)
    for n in range(1, len(lines)):
        cut = saved.new.add_file("cut", "".join(lines[:n]))
        said = saved.load(cut, code=1)
        assert re.search(r"%s:\d+: " % re.escape(cut), said), (n, said)
    for at in (len(text) - 2, len(text) // 2, len(text) // 3):
        saved.load(saved.new.add_file("cut", text[:at]), code=1)
    assert saved.untouched()
    # People may write such a text themselves: it has no such end.
    own = saved.new.add_file("own", 'destination "own.test" { }\n')
    config(saved.new, "load", own)


def test_roots_that_are_none_are_refused_with_their_line(server):
    path = server.add_file("bad", 'delivery { concurrency = 9 }\n'
                           'authorities { pem = "nonsense" }\n')
    assert "%s:2: " % path in config(server, "load", path, code=1)
    assert config(server, "show") == ""


def revisions(server, n):
    for i in range(1, n + 1):
        config(server, "set", "delivery", "concurrency=%d" % (i + 1))
        config(server, "set", "destination", "d%d.test" % i, "tls=none")
        commit(server, "the", str(i))


def test_old_revisions_are_pruned_and_the_rest_is_whole(server):
    revisions(server, 5)
    before = {n: config(server, "show", str(n)) for n in range(3, 6)}
    assert "--keep" in config(server, "prune", code=2)
    config(server, "prune", "--keep", "0", code=2)
    assert "2 revisions were dropped." in config(server, "prune", "--keep",
                                                 "3")
    assert {n: config(server, "show", str(n)) for n in before} == before
    for args in (("show", "2"), ("diff", "1", "3"), ("rollback", "2")):
        assert "revision %s was pruned" % args[1] in config(
            server, *args, code=1)
    assert "there is no revision 6" in config(server, "show", "6", code=1)
    log = [row["revision"] for row in
           json.loads(config(server, "log", "--json"))]
    assert log == [5, 4, 3]
    assert "0 revisions were dropped." in config(server, "prune", "--keep",
                                                 "3")
    assert "Revision 6" in config(server, "rollback", "3")
    assert config(server, "show", "head") == before[3]
    with sqlite3.connect(store(server)) as db:
        assert db.execute("SELECT count(*) FROM object o WHERE NOT EXISTS("
                          "SELECT 1 FROM revision WHERE n >= o.from_rev AND "
                          "n < o.to_rev)").fetchone() == (0,)
    server.stop()
    server.start()
    assert status(server)["in_force"] == 6


def test_what_is_in_force_is_not_pruned(server):
    """A relay that has not heard of the newest revisions."""
    revisions(server, 2)
    text = base.read_text(server.conf_file)
    other = server.add_file("other.lua", text.replace(
        server.run_dir, server.run_dir + "-of-nobody"))
    assert base.read_text(other) != text
    for n in (7, 8):
        base.run([base.POSTERN_BIN, "config", "-c", other, "set", "delivery",
                  "max_messages=%d" % n])
        base.run([base.POSTERN_BIN, "commit", "-c", other])
    now = status(server)
    assert (now["head"]["revision"], now["in_force"]) == (4, 2)
    said = json.loads(config(server, "prune", "--keep", "1", "--json"))
    assert said == {"pruned": 2}
    assert "concurrency = 3" in config(server, "show", "2")
    assert "was pruned" in config(server, "show", "3", code=1)
    assert "Revision 5" in config(server, "rollback", "2")
    assert status(server)["in_force"] == 5
