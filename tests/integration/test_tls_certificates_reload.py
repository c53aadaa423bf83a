"""Certificates that change under a running server, and those that end."""

import json
import os
import re
import socket

import pytest

from lib import base, certs, handshake

pytestmark = pytest.mark.sanitizer


@pytest.fixture
def place():
    path = base.private_dir("certs")
    yield path
    base.remove_dir(path)


@pytest.fixture
def served(relay, place):
    """A server with a certificate of its own, and that certificate."""
    def make(config=None, watch="1s", days=3650, **tls):
        pair = certs.make(place, "relay.test", days=days)
        more = {"tls": dict(watch=watch, **tls), "listener": {"inbound": {
            "cert": pair.cert, "key": pair.key}}}
        more.update(config or {})
        return relay(config=more), pair
    return make


def replace(pair, place, host="renewed.test"):
    """As those who renew do it; returns the new fingerprint."""
    new = certs.make(place, host)
    mine = handshake.of_file(new.cert)
    os.rename(new.key, pair.key)
    os.rename(new.cert, pair.cert)
    return mine


def wait_shown(server, wanted):
    base.wait_for(lambda: handshake.fingerprint(server.port) == wanted,
                  lambda: "the certificate\n" + server.tail())


def control(server, verb):
    """A request to the master; the last line of its answer."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(base.PATIENCE)
        sock.connect(os.path.join(server.run_dir, "master.sock"))
        sock.sendall(json.dumps({"verb": verb}).encode() + b"\n")
        text = b""
        while not text.endswith(b"\n"):
            text += sock.recv(65536)
    return json.loads(text.splitlines()[-1])


def test_a_renewed_certificate_is_served_without_dropping_a_session(served,
                                                                    place):
    server, pair = served()
    workers = server.worker_pids()
    with handshake.Session(server.port) as session:
        before = session.fingerprint()
        after = replace(pair, place)
        wait_shown(server, after)
        assert before != after
        assert session.alive()
    assert server.worker_pids() == workers


def test_a_broken_new_file_keeps_the_old_and_is_told_of_once(served, place):
    server, pair = served()
    mine = handshake.of_file(pair.cert)
    base.write_file(pair.cert, "-----BEGIN CERTIFICATE-----\nnonsense\n")
    server.wait_log(r"certificate .* is broken, the one before stays in use")
    server.wait_log(re.escape(pair.cert))
    # Another reload has nothing new to say of it.
    assert "error" not in control(server, "certs")
    server.wait_log("configuration [3-9] is in force")
    assert len(server.wait_log("is broken")) == 1
    assert handshake.fingerprint(server.port) == mine
    wait_shown(server, replace(pair, place))


def test_a_key_of_another_certificate_keeps_the_old(served, place):
    server, pair = served()
    mine = handshake.of_file(pair.cert)
    os.rename(certs.make(place, "other.test").key, pair.key)
    server.wait_log(r"certificate .* is broken, the one before stays in use")
    assert handshake.fingerprint(server.port) == mine


def test_one_broken_certificate_does_not_hold_up_another(served, place):
    port = base.free_port()
    other = certs.make(place, "other.test")
    server, pair = served()
    server.write_config({"listener": {"second": {
        "address": ["127.0.0.1:%d" % port], "cert": other.cert,
        "key": other.key}}})
    server.signal(1)
    server.wait_log("configuration 2 is in force")
    base.write_file(other.cert, "nonsense")
    server.wait_log("is broken")
    wait_shown(server, replace(pair, place))
    handshake.fingerprint(port)


def test_a_half_edited_boot_file_is_not_read_with_new_certificates(served,
                                                                   place):
    server, pair = served()
    base.write_file(server.conf_file, "hostname = 'half")
    wait_shown(server, replace(pair, place))
    assert not [line for line in server.log_lines() if "stays" in line]


def test_without_watching_a_request_loads_the_files(served, place):
    server, pair = served(watch="0s")
    mine = handshake.of_file(pair.cert)
    after = replace(pair, place)
    assert handshake.fingerprint(server.port) == mine
    assert control(server, "certs")["done"]
    wait_shown(server, after)


def test_a_directory_of_an_acme_client_is_followed(served, place):
    archive = os.path.join(place, "archive")
    live = os.path.join(place, "live", "mx.example")
    os.makedirs(archive)
    os.makedirs(live)

    def issue(n):
        pair = certs.make(archive, "n%d.test" % n)
        for kind, path in (("fullchain", pair.cert), ("privkey", pair.key)):
            link = os.path.join(live, kind + ".pem")
            os.symlink(path, link + ".new")
            os.rename(link + ".new", link)
        return handshake.of_file(pair.cert)

    first = issue(1)
    server, _ = served({"listener": {"inbound": {
        "cert": None, "key": None, "certificates": ["mx.example"]}}},
        directories=[os.path.dirname(live)])
    assert handshake.fingerprint(server.port) == first
    wait_shown(server, issue(2))


def test_a_broken_list_of_revocations_keeps_the_one_before(served, place):
    roots = certs.make(place, "root.test")
    server, pair = served({"delivery": {"ca_file": roots.cert}})
    base.write_file(roots.cert, "nonsense")
    server.wait_log("%s is broken, what was read before stays in use" %
                    re.escape(roots.cert))
    server.wait_log("configuration 2 is in force")
    wait_shown(server, replace(pair, place))


def test_a_reload_of_all_refuses_what_is_broken(served, place):
    server, pair = served(watch="0s")
    mine = handshake.of_file(pair.cert)
    base.write_file(pair.cert, "nonsense")
    server.signal(1)
    server.wait_log("configuration 1 stays: .*" + re.escape(pair.cert))
    assert handshake.fingerprint(server.port) == mine


def test_a_certificate_that_ends_is_told_of_at_the_start(served, place):
    root = certs.make(place, "old.root", days=3)
    server, pair = served({"delivery": {"ca_file": root.cert}}, days=20)
    server.wait_log(r"Certificate '%s' \(listener:inbound\) expires in 19 "
                    r"days, 20\d\d-" % re.escape(pair.cert))
    server.wait_log(r"Certificate 'old.root' \(%s\) expires in 2 days" %
                    re.escape(root.cert))
    row = server.cli_json("status")[0]["certificates"][0]
    assert (row["use"], row["name"], row["days"], row["demonstration"]) == (
        "listener:inbound", pair.cert, 19, False)


def test_check_finds_what_a_start_would(served, place):
    server, pair = served()
    assert server.cli("check").text.endswith(": ok\n")
    os.rename(certs.make(place, "other.test").key, pair.key)
    done = server.cli("check", check=False)
    assert done.returncode == 1
    server.write_config({"listener": {"inbound": {
        "cert": None, "key": None, "certificates": ["nobody.test"]}}})
    done = server.cli("check", check=False)
    assert done.returncode == 1
