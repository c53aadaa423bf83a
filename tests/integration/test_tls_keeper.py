"""Private keys: who has them, who signs, and what happens without."""

import os
import re
import signal
import socket
import ssl
import subprocess
import threading

import pytest

from lib import base, certs, client, handshake, procs

pytestmark = pytest.mark.sanitizer

RSA = ("rsa:2048",)


def two_listeners(server_dir, keys="keeper", **more):
    """An ECDSA certificate on one port, an RSA one on another."""
    ec = certs.make(server_dir, "ec.test")
    rsa = certs.make(server_dir, "rsa.test", key=RSA)
    port = base.free_port()
    return ec, rsa, port, {
        "tls": dict(keys=keys, **more),
        "listener": {
            "inbound": {"cert": ec.cert, "key": ec.key},
            "second": {"address": ["127.0.0.1:%d" % port],
                       "tls": "preferred", "cert": rsa.cert, "key": rsa.key}}}


@pytest.fixture
def place():
    path = base.private_dir("keys")
    yield path
    base.remove_dir(path)


def secrets(pair):
    """The private octets of a key, in the orders a big number has."""
    text = base.run(["openssl", "pkey", "-in", pair.key, "-noout",
                     "-text"]).text
    found = []
    for name in ("priv", "privateExponent", "prime1"):
        match = re.search(name + r":\n((?:\s+[0-9a-f:]+\n)+)", text)
        if match:
            number = bytes.fromhex(re.sub(r"[\s:]", "", match.group(1)))
            number = number.lstrip(b"\0")
            # Enough of it to be sure, from the middle: little-endian too.
            found += [number[:24], number[::-1][:24]]
    body = base.read_text(pair.key).split("\n")
    return found + [body[2].encode()]


def memory_has(pid, needles):
    """Does the process have one of these in its memory?"""
    with open("/proc/%d/maps" % pid) as file:
        regions = [line.split() for line in file]
    with open("/proc/%d/mem" % pid, "rb", buffering=0) as mem:
        for region in regions:
            if region[1][0] != "r" or region[-1] in ("[vvar]", "[vsyscall]"):
                continue
            begin, end = (int(part, 16) for part in region[0].split("-"))
            try:
                if end - begin > 1 << 30:
                    continue        # a sanitizer's shadow
                mem.seek(begin)
                data = mem.read(end - begin)
            except OSError:
                continue
            if any(needle in data for needle in needles):
                return True
    return False


@pytest.mark.skipif(base.SANITIZER, reason="freed memory is kept for long")
def test_no_process_but_the_keeper_ever_has_a_private_key(relay, place):
    ec, rsa, port, config = two_listeners(place)
    server = relay(config=config)
    for _ in range(4):
        assert handshake.fingerprint(server.port) == handshake.of_file(ec.cert)
        assert handshake.fingerprint(port) == handshake.of_file(rsa.cert)
    server.signal(signal.SIGHUP)
    server.wait_log("configuration 2 is in force")
    others = server.worker_pids() + [server.master_pid()]
    assert len(others) == 3
    for pair in (ec, rsa):
        needles = secrets(pair)
        assert len(needles) >= 3
        for pid in others:
            assert not memory_has(pid, needles), procs.name(pid)
        if os.geteuid() == 0:
            assert memory_has(server.keeper_pid(), needles)
        else:                       # it lets nobody look
            with pytest.raises(PermissionError):
                memory_has(server.keeper_pid(), needles)


def test_with_keys_in_process_workers_have_them_and_there_is_no_keeper(
        relay, place):
    ec, rsa, port, config = two_listeners(place, keys="in-process")
    server = relay(config=config)
    assert handshake.fingerprint(server.port) == handshake.of_file(ec.cert)
    assert handshake.fingerprint(port) == handshake.of_file(rsa.cert)
    assert server.keeper_pid() is None
    if not base.SANITIZER:
        for pid in server.worker_pids():
            assert memory_has(pid, secrets(ec))
    assert server.cli_json("status")[0]["keeper"] is None


def test_the_keeper_is_confined(relay, place):
    server = relay(config=two_listeners(place)[3])
    pid = server.keeper_pid()
    status = base.read_text("/proc/%d/status" % pid)
    assert re.search(r"NoNewPrivs:\s+1", status)
    if os.geteuid() == 0:
        assert re.search(r"CapEff:\s+0+\n", status)
        assert "\t0\t" not in re.search(r"Uid:(.*)", status).group(1) + "\t"
        assert os.stat("/proc/%d/mem" % pid).st_uid == 0, "it can be dumped"
        links = [os.readlink("/proc/%d/fd/%s" % (pid, fd))
                 for fd in os.listdir("/proc/%d/fd" % pid) if int(fd) > 2]
        assert links and not [link for link in links if link[0] == "/"], links
        # An empty network, where that is allowed: its own loopback only.
        if subprocess.call(["unshare", "--net", "true"]) == 0:
            text = base.read_text("/proc/%d/net/dev" % pid)
            assert re.findall(r"^ *(\S+):", text, re.M) == ["lo"]
            assert len(base.read_text("/proc/%d/net/tcp" % pid)
                       .splitlines()) == 1
            assert os.readlink("/proc/%d/ns/net" % pid) != \
                os.readlink("/proc/self/ns/net")


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_many_handshakes_at_once_all_get_their_signature(relay, place,
                                                         version):
    ec, rsa, port, config = two_listeners(place)
    server = relay(config=config)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = getattr(ssl.TLSVersion, version)
    done = []

    def shake(where):
        with client.Client("127.0.0.1", where) as peer:
            peer.start().expect("STARTTLS", 220)
            with context.wrap_socket(peer.sock) as sock:
                done.append(sock.version())

    threads = [threading.Thread(target=shake, args=(where,))
               for where in [server.port, port] * 20]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [version.replace("_", ".")] * 40


def kill_keeper(server):
    """Ends it; returns the process that took its place."""
    before = server.keeper_pid()
    os.kill(before, signal.SIGKILL)
    return base.wait_for(
        lambda: server.keeper_pid() not in (None, before) and
        server.keeper_pid(), lambda: "another keeper\n" + server.tail())


def test_a_dead_keeper_is_replaced_and_disturbs_nothing_else(relay, place):
    ec, rsa, port, config = two_listeners(place)
    server = relay(config=config)
    workers = server.worker_pids()
    with handshake.Session(server.port) as session:
        kill_keeper(server)
        server.wait_log("keeper ended by signal 9")
        assert session.alive()
        # A handshake waits until there is a keeper again.
        for _ in range(4):
            assert handshake.fingerprint(server.port) == \
                handshake.of_file(ec.cert)
            assert handshake.fingerprint(port) == handshake.of_file(rsa.cert)
        assert session.alive()
    assert server.worker_pids() == workers
    keeper = server.cli_json("status")[0]["keeper"]
    assert (keeper["restarts"], keeper["keys"]) == (1, 2)


def test_operations_of_a_silent_keeper_fail_when_it_dies(relay, place):
    server = relay(config=two_listeners(place)[3])
    pid = server.keeper_pid()
    os.kill(pid, signal.SIGSTOP)
    with client.Client("127.0.0.1", server.port) as peer:
        peer.start().expect("STARTTLS", 220)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        tls = context.wrap_socket(peer.sock, do_handshake_on_connect=False)
        tls.settimeout(0.5)
        with pytest.raises(socket.timeout):
            tls.do_handshake()
        os.kill(pid, signal.SIGKILL)
        tls.settimeout(base.PATIENCE)
        with pytest.raises((ssl.SSLError, OSError)):
            tls.do_handshake()
    server.wait_log("TLS failed")
    handshake.fingerprint(server.port)


def test_a_keeper_that_hangs_while_it_serves_is_replaced(relay, place):
    ec, _, _, config = two_listeners(place)
    server = relay(config=config)
    workers = server.worker_pids()
    pid = server.keeper_pid()
    os.kill(pid, signal.SIGSTOP)
    with client.Client("127.0.0.1", server.port) as peer:
        peer.start().expect("STARTTLS", 220)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        # It waits, and fails when the keeper is given up.
        with pytest.raises((ssl.SSLError, OSError)):
            peer.sock.settimeout(base.PATIENCE)
            context.wrap_socket(peer.sock)
    server.wait_log("keeper .process %d. is silent and is ended" % pid)
    assert handshake.fingerprint(server.port) == handshake.of_file(ec.cert)
    assert server.worker_pids() == workers


def test_a_key_overwritten_in_place_is_not_taken_for_the_old_chain(relay,
                                                                   place):
    ec, rsa, port, config = two_listeners(place, watch="0s")
    server = relay(config=config)
    other = certs.make(place, "other.test")
    for path, source in ((ec.key, other.key), (ec.cert, other.cert)):
        with open(path, "r+") as file:
            file.write(base.read_text(source))
            file.truncate()
    kill_keeper(server)
    server.wait_log("keeper: .*" + re.escape(ec.key))
    assert handshake.fingerprint(port) == handshake.of_file(rsa.cert)
    with client.Client("127.0.0.1", server.port) as peer:
        peer.start().expect("STARTTLS", 220)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with pytest.raises((ssl.SSLError, OSError)):
            context.wrap_socket(peer.sock)
    server.signal(signal.SIGHUP)        # takes the new pair
    server.wait_log("configuration 2 is in force")
    base.wait_for(lambda: handshake.fingerprint(server.port) ==
                  handshake.of_file(ec.cert), "the new certificate")


def test_a_restarted_worker_signs_again(relay, place):
    ec, _, _, config = two_listeners(place)
    server = relay(config=dict(config, workers=1))
    pid = server.wait_workers(1)[0]
    os.kill(pid, signal.SIGKILL)
    base.wait_for(lambda: server.worker_pids() not in ([], [pid]),
                  "another worker")
    assert handshake.fingerprint(server.port) == handshake.of_file(ec.cert)


def test_a_new_keeper_gets_the_keys_in_force_not_those_of_the_files(relay,
                                                                    place):
    ec, _, _, config = two_listeners(place, watch="0s")
    server = relay(config=config)
    mine = handshake.of_file(ec.cert)
    other = certs.make(place, "other.test")
    os.rename(other.key, ec.key)
    os.rename(other.cert, ec.cert)
    kill_keeper(server)
    assert handshake.fingerprint(server.port) == mine
    server.signal(signal.SIGHUP)
    server.wait_log("configuration 2 is in force")
    base.wait_for(lambda: handshake.fingerprint(server.port) ==
                  handshake.of_file(ec.cert), "the new certificate")


def test_one_file_may_hold_certificate_and_key(relay, place):
    ec, _, _, config = two_listeners(place)
    with open(ec.cert, "a") as file:
        file.write(base.read_text(ec.key))
    config["listener"]["inbound"]["key"] = None
    server = relay(config=config)
    assert handshake.fingerprint(server.port) == handshake.of_file(ec.cert)
    if not base.SANITIZER:
        for pid in server.worker_pids() + [server.master_pid()]:
            assert not memory_has(pid, secrets(ec))


@pytest.mark.parametrize("keys", ["keeper", "in-process"])
def test_without_a_usable_certificate_starttls_is_not_offered(relay, place,
                                                              keys):
    ec, rsa, port, config = two_listeners(place, keys=keys)
    os.rename(rsa.key, ec.key)          # of another certificate
    config["listener"]["second"].update(cert=ec.cert, key=ec.key,
                                        tls="required")
    server = relay(config=config)
    with server.client() as peer:
        assert "STARTTLS" not in peer.ehlo()
        peer.mail("a@client.test", "b@next.test")
    with client.Client("127.0.0.1", port) as peer:
        peer.ehlo()
        peer.expect("STARTTLS", "454 4.7.0")
        peer.expect("MAIL FROM:<a@client.test>", 530)
    said = [line for line in server.log_lines() if ec.cert in line]
    assert len(said) == 1, said
    assert server.wait_log("listener inbound: there is no usable cert")
    assert server.wait_log("listener second: there is no usable cert")


def test_a_session_is_resumed_by_every_worker(relay, place):
    server = relay(config=dict(two_listeners(place)[3], workers=3))
    saved = os.path.join(place, "session")
    for version in ("-tls1_2", "-tls1_3"):
        assert "New, " in handshake.s_client(server.port, version,
                                             "-sess_out", saved)
        for _ in range(12):
            assert "Reused, " in handshake.s_client(
                server.port, version, "-sess_in", saved)
    # A worker that starts later has the same keys.
    for pid in server.worker_pids():
        os.kill(pid, signal.SIGKILL)
    base.wait_for(lambda: len(server.worker_pids()) == 3, "three workers")
    assert "Reused, " in handshake.s_client(server.port, "-tls1_3",
                                            "-sess_in", saved)


def test_a_first_start_makes_both_certificates_and_waits_for_none(relay,
                                                                  sink):
    server = relay(sink.port, {"listener": {"inbound": {
        "cert": None, "key": None}}}, seed=False)
    store = os.path.join(server.spool, "tls")
    ec = os.path.join(store, "Default certificate (ECDSA)", "cert.pem")
    rsa = os.path.join(store, "Default certificate", "cert.pem")
    assert os.stat(store).st_mode & 0o777 == 0o700
    with handshake.Session(server.port) as session:
        assert session.fingerprint() == handshake.of_file(ec)
        server.wait_log("configuration [2-9] is in force", timeout=300)
        assert os.path.exists(rsa)
        assert session.alive()
    only_rsa = ("-sigalgs", "rsa_pss_rsae_sha256")
    base.wait_for(lambda: "4096 bit" in handshake.s_client(
        server.port, *only_rsa), "the RSA certificate")
    assert handshake.fingerprint(server.port) == handshake.of_file(ec)
    names = {(row["name"], row["demonstration"])
             for row in server.cli_json("status")[0]["certificates"]}
    assert names == {("Default certificate (ECDSA)", True),
                     ("Default certificate", True)}
    assert "for demonstration" in server.cli("status").text
    assert "keeper" in server.cli("status").text


def test_the_keeper_is_not_for_people():
    done = subprocess.run([base.POSTERN_BIN, "keeper"],
                          stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert "started by postern serve" in done.stderr
    assert "keeper" not in base.run([base.POSTERN_BIN, "help"]).text


def test_a_reload_closes_nothing_but_what_the_old_settings_had(relay, place):
    ec, rsa, port, config = two_listeners(place)
    server = relay(config=config)
    before = {pid: stores_open(pid) for pid in server.worker_pids()}
    for count in (2, 3):
        server.signal(signal.SIGHUP)
        server.wait_log("configuration %d is in force" % count)
    for pid, names in before.items():
        assert any(name.endswith("-shm") for name in names)
        assert names <= stores_open(pid)


def stores_open(pid):
    """The files of its store that a process has open, with numbers."""
    folder = "/proc/%d/fd" % pid
    found = set()
    for number in os.listdir(folder):
        try:
            name = os.readlink(os.path.join(folder, number))
        except FileNotFoundError:
            continue        # it was that of the listing
        if "/store-" in name:
            found.add("%s %s" % (number, name))
    return found
