"""Certificates that plugins have (cert_store/1): cert_file, and a store of
somebody else's that hands out texts."""

import json
import os
import re
import signal
import socket

import pytest

from lib import base, certs, handshake, procs
from test_tls_keeper import memory_has, secrets

pytestmark = pytest.mark.sanitizer

PLUGINS = os.path.join(os.path.dirname(base.POSTERN_BIN), "tests", "plugins")
NONE = {"cert": None, "key": None}  # of its own


@pytest.fixture
def place():
    path = base.private_dir("pairs")
    yield path
    base.remove_dir(path)


@pytest.fixture
def folder():
    """A folder of pairs that the workers' user can read."""
    path = base.private_dir("texts")
    os.chmod(path, 0o755)
    yield path
    base.remove_dir(path)


@pytest.fixture
def pairs(place, folder):
    """pairs(name): puts a new pair there; returns its fingerprint, and the
    pair as files elsewhere."""
    def put(name, host=None):
        pair = certs.make(place, host or name)
        for path, end in ((pair.key, ".key"), (pair.cert, ".pem")):
            new = os.path.join(folder, ".new")
            base.write_file(new, base.read_text(path))
            os.chmod(new, 0o644)
            os.rename(new, os.path.join(folder, name + end))
        return handshake.of_file(pair.cert), pair
    return put


@pytest.fixture
def served(relay, folder):
    """A relay whose listener has certificate mx.test of cert_pem."""
    def start(watch="1s", **changes):
        config = {"tls": {"watch": watch}, "plugin_dirs": [PLUGINS],
                  "plugin": {"cert_pem": {"folder": folder}},
                  "listener": {"inbound": dict(NONE, certificates=["mx.test"])}}
        config.update(changes)
        return relay(config=config)
    return start


def does(folder, what):
    new = os.path.join(folder, ".new")
    base.write_file(new, what)
    os.chmod(new, 0o644)
    os.rename(new, os.path.join(folder, "does"))


def wait_shown(server, wanted):
    base.wait_for(lambda: handshake.fingerprint(server.port) == wanted,
                  lambda: "the certificate\n" + server.tail())


def reload_certs(server):
    """What the master says of a reload of certificates."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(base.PATIENCE)
        sock.connect(os.path.join(server.run_dir, "master.sock"))
        sock.sendall(json.dumps({"verb": "certs"}).encode() + b"\n")
        text = b""
        while b'"done"' not in text and b'"error"' not in text:
            text += sock.recv(65536)
    return text.decode()


def test_a_text_of_a_plugin_is_served_and_changes_without_a_restart(
        served, pairs):
    first, _ = pairs("mx.test")
    server = served()
    workers = server.worker_pids()
    with handshake.Session(server.port) as session:
        assert session.fingerprint() == first
        wait_shown(server, pairs("mx.test")[0])
        assert session.alive()
    assert server.worker_pids() == workers
    server.wait_log("Plugin cert_pem: cert_pem has told")


@pytest.mark.skipif(base.SANITIZER, reason="freed memory is kept for long")
def test_a_key_that_is_a_text_is_in_the_keeper_only(served, pairs):
    mine, pair = pairs("mx.test")
    server = served()
    for _ in range(3):
        assert handshake.fingerprint(server.port) == mine
    server.signal(signal.SIGHUP)
    server.wait_log("configuration 2 is in force")
    assert reload_certs(server)
    assert handshake.fingerprint(server.port) == mine
    needles = secrets(pair)
    for pid in server.worker_pids() + [server.master_pid()]:
        assert not memory_has(pid, needles), procs.name(pid)
    # Nor behind a descriptor of a worker.
    for pid in server.worker_pids():
        for fd in os.listdir("/proc/%d/fd" % pid):
            path = "/proc/%d/fd/%s" % (pid, fd)
            if "memfd:" in os.readlink(path):
                with open(path, "rb") as file:
                    data = file.read()
                assert not any(needle in data for needle in needles)
    if os.geteuid() == 0:
        assert memory_has(server.keeper_pid(), needles)


def test_a_new_keeper_gets_the_texts_as_well(served, pairs):
    mine, _ = pairs("mx.test")
    server = served(watch="0s")
    old = server.keeper_pid()
    os.kill(old, signal.SIGKILL)
    base.wait_for(lambda: server.keeper_pid() not in (None, old),
                  "another keeper")
    wait_shown(server, mine)


def test_keys_in_process_work_with_texts(served, pairs):
    mine, _ = pairs("mx.test")
    server = served(tls={"watch": "1s", "keys": "in-process"})
    assert handshake.fingerprint(server.port) == mine
    wait_shown(server, pairs("mx.test")[0])


def test_a_store_may_wait(served, pairs, folder):
    mine, _ = pairs("mx.test")
    does(folder, "wait")
    assert handshake.fingerprint(served().port) == mine


FAILURES = [
    ("crash", r'plugin "cert_pem" \(.*cert_pem.la\): signal 11 '
     r"\(Segmentation fault\) while it was asked for its certificates"),
    ("exit", r"ended the process with status 3 while it was asked for its "
     "certificates"),
    ("fail", "no pairs today"),
    ("neither", "a certificate has a name, and a file or a text for chain "
     "and key each"),
    ("relative", "mx.test\": a file's path is absolute"),
]


@pytest.mark.parametrize("what, says", FAILURES,
                         ids=[what for what, _ in FAILURES])
def test_a_store_that_fails_changes_nothing(served, pairs, folder, place,
                                            what, says):
    if what == "crash" and base.SANITIZER:
        pytest.skip("the sanitizer ends the process its own way")
    mine, _ = pairs("mx.test")
    server = served(watch="0s")
    pairs("mx.test")
    does(folder, what)
    said = json.loads(reload_certs(server).splitlines()[0])
    assert re.search(says, said["warning"]), said
    server.wait_log("certificates of a plugin stay as they are: .*" + says)
    server.wait_log("configuration 2 is in force")
    assert handshake.fingerprint(server.port) == mine
    # All or nothing.
    server.signal(signal.SIGHUP)
    server.wait_log("configuration 2 stays: .*" + says)
    assert handshake.fingerprint(server.port) == mine
    does(folder, "")
    after, _ = pairs("mx.test")
    reload_certs(server)
    wait_shown(server, after)


def test_a_store_that_is_too_late_changes_nothing(served, pairs, folder):
    mine, _ = pairs("mx.test")
    server = served(watch="0s", plugin={"cert_pem": {
        "folder": folder, "timeout": "1s"}})
    does(folder, "late")
    reload_certs(server)
    server.wait_log("Plugin cert_pem failed at cert_store/1.list: no "
                    "verdict within 1s")
    server.wait_log("certificates of a plugin stay as they are")
    assert handshake.fingerprint(server.port) == mine


def test_a_failing_store_does_not_hold_up_another(relay, pairs, folder,
                                                  place):
    live = os.path.join(place, "live")
    os.mkdir(live)
    pairs("mx.test")
    pair = certs.make(place, "own.test")
    os.rename(pair.cert, os.path.join(live, "own.test.crt"))
    os.rename(pair.key, os.path.join(live, "own.test.key"))
    server = relay(config={
        "tls": {"watch": "0s"}, "plugin_dirs": [PLUGINS],
        "plugin": {"cert_pem": {"folder": folder},
                   "cert_file": {"directories": [live]}},
        "listener": {"inbound": dict(NONE, certificates=[
            "own.test", "mx.test"])}})
    does(folder, "fail")
    pair = certs.make(place, "own.test")
    os.rename(pair.cert, os.path.join(live, "own.test.crt"))
    os.rename(pair.key, os.path.join(live, "own.test.key"))
    reload_certs(server)
    wait_shown(server, handshake.of_file(os.path.join(live, "own.test.crt")))


def test_at_the_first_start_a_failure_is_an_error(served, pairs, folder):
    pairs("mx.test")
    server = served()
    server.stop()
    does(folder, "fail")
    done = server.cli("check", check=False)
    assert done.returncode == 1
    assert 'plugin "cert_pem"' in done.text
    assert "no pairs today" in done.text
    done = base.run([base.POSTERN_BIN, "serve", "-c", server.conf_file],
                    check=False)
    assert done.returncode == 1
    assert "no pairs today" in done.text


def letsencrypt(live, place, name):
    """As certbot does it: a new pair, then links."""
    target = os.path.join(live, name)
    os.makedirs(target, exist_ok=True)
    number = len(os.listdir(place))
    archive = os.path.join(place, "archive%d" % number)
    os.mkdir(archive)
    pair = certs.make(archive, name)
    for path, kind in ((pair.cert, "fullchain"), (pair.key, "privkey")):
        link = os.path.join(target, kind + ".pem")
        os.symlink(path, link + ".new")
        os.rename(link + ".new", link)
    return handshake.of_file(pair.cert)


def test_folders_of_cert_file_are_followed(relay, place):
    live = os.path.join(place, "live")
    first = letsencrypt(live, place, "mx.test")
    server = relay(config={
        "tls": {"watch": "1s"},
        "plugin": {("cert_file", "certbot"): {"directories": [live]},
                   ("cert_file", "more"): {"directories": [
                       os.path.join(place, "more")]}},
        "listener": {"inbound": dict(NONE, certificates=["mx.test"])}})
    assert handshake.fingerprint(server.port) == first
    wait_shown(server, letsencrypt(live, place, "mx.test"))
    entry = json.loads(server.cli("certconfig", "--json", "show",
                                  "mx.test").text)
    assert entry["directory"] == live
    # A directory that comes later, too.
    letsencrypt(os.path.join(place, "more"), place, "new.test")
    server.wait_log("configuration 3 is in force")
    names = [row["name"] for row in json.loads(
        server.cli("certconfig", "--json", "list").text)["certificates"]]
    assert "new.test" in names and "mx.test" in names


def test_the_store_wins_then_the_blocks_in_their_order(relay, pairs, folder,
                                                       place):
    live = os.path.join(place, "live")
    short = os.path.join(place, "short")
    text, _ = pairs("mx.test")
    of_file = letsencrypt(live, place, "mx.test")
    of_short = letsencrypt(short, place, "mx.test")
    one = {"cert_pem": {"folder": folder}}
    two = {"cert_file": {"directories": [live]}}

    def start(plugin, **tls):
        return relay(config={
            "plugin_dirs": [PLUGINS], "tls": dict(watch="0s", **tls),
            "plugin": plugin,
            "listener": {"inbound": dict(NONE, certificates=["mx.test"])}})
    server = start({**one, **two})
    assert handshake.fingerprint(server.port) == text
    server = start({**two, **one})
    assert handshake.fingerprint(server.port) == of_file
    # The short way to write it stands in front of both.
    server = start({**one, **two}, directories=[short])
    assert handshake.fingerprint(server.port) == of_short
    store = os.path.join(place, "store")
    os.makedirs(os.path.join(store, "mx.test"), 0o700)
    pair = certs.make(place, "store.test")
    os.rename(pair.cert, os.path.join(store, "mx.test", "cert.pem"))
    os.rename(pair.key, os.path.join(store, "mx.test", "key.pem"))
    server = start({**one, **two}, directories=[short], store=store)
    assert handshake.fingerprint(server.port) == handshake.of_file(
        os.path.join(store, "mx.test", "cert.pem"))


def test_certconfig_finds_and_assigns_texts(relay, pairs, folder):
    mine, pair = pairs("mx.test")
    server = relay(config={
        "plugin_dirs": [PLUGINS],
        "plugin": {"cert_pem": {"folder": folder}},
        "listener": {"inbound": NONE}})
    entry = json.loads(server.cli("certconfig", "--json", "show",
                                  "mx.test").text)
    assert entry["directory"] == "cert_pem"
    assert entry["cn"] == "mx.test"
    server.cli("certconfig", "assign", "mx.test", "listener:inbound")
    wait_shown(server, mine)
    done = server.cli("certconfig", "delete", "mx.test", check=False)
    assert done.returncode == 1
