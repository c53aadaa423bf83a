"""Two TLS libraries in one process: Postern's BoringSSL, and OpenSSL 3 that a
plugin brings along with libcurl and libpq.

POSTERN_BIN says which build; `./dev test` runs this file twice, the second time
with Debian's shared BoringSSL, which is the hard case.
"""

import hashlib
import os
import re
import subprocess
import threading

import pytest

from lib import base, certs, client, postern, postgres
from lib.postern_sink import PosternSink
from lib.webhook import Webhook

SOURCE = os.path.join(base.REPO, "tests", "plugins")
CLIENTS, EACH = 4, 75
SETUP = "create table public.seen (digest text, tls boolean)"


def build(folder, name, *flags, libraries=()):
    """One cc line, as docs/plugin-guide.md has it; the file it makes."""
    found = base.run(["pkg-config", "--cflags", "--libs", *libraries]
                     ).text.split() if libraries else []
    path = os.path.join(folder, name + ".so")
    base.run(["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-shared",
              "-fPIC", "-I" + os.path.join(base.REPO, "sdk"), "-o", path,
              os.path.join(SOURCE, name + ".c"), "-Wl,-z,defs",
              "-Wl,-z,now", *flags, *found])
    os.chmod(path, 0o755)
    return path


@pytest.fixture
def folder():
    path = base.private_dir("symbols")
    yield path
    base.remove_dir(path)


class Rig:
    """Both servers of the plugin, a verified next hop, and the relay."""

    def __init__(self, folder, makers):
        authority = certs.Authority(folder)
        self.pair = authority.server("localhost")
        build(folder, "uses_openssl",
              libraries=["libcurl", "libpq", "openssl"])
        self.hook = makers.add(Webhook(tls=self.pair))
        self.database = makers.add(postgres.Postgres(self.pair)).start()
        self.database.sql(SETUP)
        self.sink = makers.add(PosternSink(listen=["name=next.test"]))
        roots = base.write_file(os.path.join(folder, "roots.pem"),
                                base.read_text(authority.ca))
        os.chmod(roots, 0o644)
        self.config = {
            "workers": 2,
            "plugin_dirs": [folder],
            "delivery": {"ca_file": self.sink.ca, "max_messages": 1},
            "tls": {"crls": [self.sink.crl]},
            "destination": {"next.test": {"tls": "required-verify"}},
            "route": {"next.test": {"hosts": ["127.0.0.1:%d" % self.sink.port]}},
            "plugin": {"uses_openssl": {
                "url": "https://localhost:%d/" % self.hook.port,
                "ca_file": roots,
                "database": "%s password=%s sslmode=require "
                "connect_timeout=60" % (self.database.conninfo,
                                        postgres.PASSWORD)}}}
        # libpq looks there for a certificate of the client's.
        self.relay = makers.add(postern.Postern(
            None, self.config, env={"HOME": folder})).start()


def send_many(server, first, troubles):
    """Each message in a connection of its own, by STARTTLS."""
    try:
        for number in range(first, first + EACH):
            with client.Client("127.0.0.1", server.port) as peer:
                peer.start()
                peer.starttls()
                peer.start()
                peer.deliver("a@client.test", ["b@next.test"],
                             client.message("n%d" % number))
                peer.quit()
    except Exception as error:
        troubles.append(error)


def test_a_plugin_with_openssl_and_our_tls_do_not_meet(folder, makers):
    rig = Rig(folder, makers)
    server = rig.relay
    pids = server.worker_pids()
    server.wait_log(r"with OpenSSL 3\.\S+ .* and curl of OpenSSL/3", count=2)
    troubles = []
    threads = [threading.Thread(target=send_many, args=(
        server, number * EACH, troubles)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not troubles, "%r\n%s" % (troubles, server.tail())
    count = CLIENTS * EACH
    messages = rig.sink.wait_messages(count)
    server.wait_empty()
    assert len(messages) == count
    # Every message: in and out by TLS, and seen by both servers.
    lines = server.log_lines()
    assert len([line for line in lines if re.search(
        r"ICID \d+ TLS success", line)]) == count
    out = [line for line in lines if line.startswith("New SMTP DCID")]
    assert out and len([line for line in lines if re.match(
        r"DCID \d+ peer certificate verified matched san:domain next.test$",
        line)]) == len(out)
    mids = {match[1] for match in (re.match(
        r"Start MID (\d+) ICID", line) for line in lines) if match}
    assert len(mids) == count
    wanted = sorted(hashlib.sha256(mid.encode()).hexdigest() for mid in mids)
    assert sorted(body.decode() for _, body in rig.hook.posts) == wanted
    assert sorted(rig.database.sql("select digest from public.seen where tls")) \
        == wanted
    found = []
    for path in rig.sink.kept_files():
        with open(path, "rb") as file:
            found += re.findall(rb"\r\nX-Digest: ([0-9a-f]{64})\r\n",
                                file.read())
    assert sorted(each.decode() for each in found) == wanted
    # Nobody died, nothing was complained of.
    assert server.worker_pids() == pids
    server.stop()
    # A machine may be slow; that says nothing about the libraries.
    bad = [row for row in server.json_lines()
           if row.get("event") != "plugin_slow" and
           row.get("level") not in (None, "info", "Info", "debug")]
    assert not bad, bad


TAKEN = """
#include <stdlib.h>
void *SSL_CTX_new(void *method) { (void)method; abort(); }
"""


def test_names_that_another_library_took_refuse_the_start(folder, makers):
    source = base.write_file(os.path.join(folder, "taken.c"), TAKEN)
    taken = os.path.join(folder, "taken.so")
    base.run(["cc", "-shared", "-fPIC", "-o", taken, source])
    env = {"LD_PRELOAD": taken}
    shared = "(shared)" in base.run([base.POSTERN_BIN, "version"]).text
    server = makers.add(postern.Postern(None, {}, env=env))
    if not shared:
        # Linked statically and hidden, ours are out of reach.
        server.start()
        server.stop()
        return
    done = base.run([base.POSTERN_BIN, "serve", "-c", server.conf_file],
                    env=dict(os.environ, **env), check=False)
    assert done.returncode != 0
    assert re.search(r"SSL_CTX_new comes from %s, not from BoringSSL in "
                     r"/\S+/libssl\.so" % re.escape(taken), done.text)
