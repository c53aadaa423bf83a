"""A PostgreSQL server that takes connections over TLS only."""

import os
import shutil

from . import base, certs, peers

USER = "mailtest"
BIN = "/usr/lib/postgresql/15/bin/"
HBA = "local all all trust\nhostssl all all 127.0.0.1/32 trust\n"
CONFIG = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{dir}'
ssl = on
ssl_cert_file = '{cert}'
ssl_key_file = '{key}'
fsync = off
max_connections = 100
timezone = 'UTC'
log_timezone = 'UTC'
"""


class PostgreSql(peers.Peer):
    """A database "postgres"; setup is SQL that is run in it first."""

    name = "postgresql"

    def __init__(self, pair, setup):
        super().__init__()
        self.port = base.free_port()
        self.setup = setup
        self.data = self.path("data")
        os.chmod(self.dir, 0o755)
        os.mkdir(self.data, 0o700)
        sockets = self.path("sockets")
        os.mkdir(sockets, 0o755)
        pair = certs.Pair(*(shutil.copy(path, self.dir) for path in pair))
        for path in (self.data, sockets, pair.key):
            os.chown(path, peers.UID[USER], peers.UID[USER])
        os.chmod(pair.key, 0o600)
        self.config = CONFIG.format(port=self.port, dir=sockets,
                                    cert=pair.cert, key=pair.key)

    @staticmethod
    def _as_user(*args):
        return ["setpriv", "--reuid=" + USER, "--regid=" + USER,
                "--clear-groups", "env", "LC_ALL=C", *args]

    def start(self):
        self.run(self._as_user(BIN + "initdb", "-D", self.data, "-U",
                               "postgres", "-A", "trust", "-E", "UTF8",
                               "--no-sync"), cwd=self.dir)
        with open(self.data + "/postgresql.conf", "a") as conf:
            conf.write(self.config)
        base.write_file(self.data + "/pg_hba.conf", HBA)
        self.run(self._as_user(BIN + "postgres", "--single", "-j", "-D",
                               self.data, "postgres"),
                 input=self.setup.encode() + b"\n", cwd=self.dir)
        self.launch(self._as_user(BIN + "postgres", "-D", self.data))
        base.wait_listening(self.port, self.process, log=self.output)
        return self

    def query(self, sql):
        """What a SELECT gives, a line each."""
        return self.run([BIN + "psql", "-h", self.path("sockets"), "-p",
                         str(self.port), "-U", "postgres", "-At", "-c",
                         sql]).text.splitlines()
