"""A configuration store that something has damaged: no damage is taken for
what somebody has committed, and there are ways back."""

import os
import signal

import pytest

from test_config_store import ask_status, commit, config, status, store

DAMAGE = "revision 2 is damaged"

pytestmark = pytest.mark.sanitizer


def damage(server, text, other):
    """As a disk does; the file stays an SQLite database."""
    with open(store(server), "r+b") as file:
        data = file.read()
        assert text in data and len(text) == len(other)
        file.seek(0)
        file.write(data.replace(text, other))


@pytest.fixture
def server(relay):
    server = relay(2525)
    config(server, "set", "destination", "old.example", "tls=required")
    commit(server)
    config(server, "set", "destination", "partner.example", "tls=required",
           "concurrency=10")
    commit(server)
    return server


@pytest.mark.parametrize("text, other", [
    (b"concurrency = 10", b"concurrency = 11"),
    (b"partner.example", b"qartner.example"),
    (b"old.example", b"olf.example")])
def test_no_commit_carries_damage_on(server, text, other):
    damage(server, text, other)
    config(server, "set", "destination", "new.example", "tls=none")
    assert DAMAGE in commit(server, code=1)
    assert DAMAGE in config(server, "status", code=1)
    assert DAMAGE in config(server, "status", "--json", code=1)
    config(server, "clear")
    assert DAMAGE in config(server, "status", code=1)
    for words in (("destconfig", "list"), ("destconfig", "export"),
                  ("alertconfig", "list")):
        done = server.cli(*words, check=False)
        assert done.returncode == 1 and DAMAGE in done.text
    assert ask_status(server, "master")[-1]["revision"] == 2


def test_one_goes_back_to_what_is_sound_and_to_nothing_else(server):
    damage(server, b"concurrency = 10", b"concurrency = 11")
    assert DAMAGE in config(server, "rollback", "2", code=1)
    assert "Revision 3" in config(server, "rollback", "1")
    assert "partner" not in config(server, "show")
    assert status(server)["broken"] == ""
    assert DAMAGE in config(server, "rollback", "2", code=1)
    config(server, "set", "destination", "new.example", "tls=none")
    assert "Revision 4" in commit(server)


def test_what_was_saved_makes_a_new_store(server):
    path = os.path.join(server.dir, "conf", "saved")
    config(server, "save", path)
    damage(server, b"old.example", b"olf.example")
    assert DAMAGE in config(server, "save", path + "2", code=1)
    server.stop()
    os.rename(store(server), store(server) + ".damaged")
    config(server, "load", path)
    assert "Revision 1: 2 objects" in commit(server)
    assert "olf" not in config(server, "show")


def test_an_empty_store_is_not_taken_for_none(server):
    os.truncate(store(server), 0)
    server.signal(signal.SIGHUP)
    server.wait_log("stays: .*revisions.db is empty")
    for words in (("reload",), ("check",), ("config", "status"),
                  ("config", "set", "delivery", "concurrency=7"),
                  ("config", "show")):
        done = server.cli(*words, check=False)
        assert done.returncode == 1, words
        assert "revisions.db is empty: what was committed is lost" in \
            done.text, words
    assert os.path.getsize(store(server)) == 0
    assert ask_status(server, "master")[-1]["revision"] == 2
    server.stop()
    said = server.cli("serve", check=False)
    assert said.returncode == 1 and "revisions.db is empty" in said.text
    os.rename(store(server), store(server) + ".damaged")
    server.start()
    assert ask_status(server, "master")[-1]["revision"] == 0


def test_a_store_that_is_gone_is_missed_by_a_relay_that_runs(server):
    os.rename(store(server), store(server) + ".away")
    done = server.cli("reload", check=False)
    assert done.returncode == 1
    assert "gone or has no revision, and revision 2 of it is" in done.text
    config(server, "set", "destination", "new.example", "tls=none")
    assert server.cli("reload", check=False).returncode == 1
    assert ask_status(server, "master")[-1]["revision"] == 2
    assert "Revision 1: 1 object" in commit(server)
    server.cli("reload")
    assert ask_status(server, "master")[-1]["revision"] == 1
