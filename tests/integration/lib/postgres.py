"""A real PostgreSQL on loopback, with a database and a user for mail."""

import glob
import os
import shutil

from . import base, certs, peers

PASSWORD = "swordfish"
USER = peers.UID["mailtest"]


class Postgres(peers.Peer):
    """With a pair, over TLS only."""

    name = "postgresql"

    def __init__(self, pair=None):
        super().__init__()
        self.port = base.free_port()
        os.chmod(self.dir, 0o755)
        self.data = self.path("data")
        found = glob.glob(os.path.join(
            self.root, "usr/lib/postgresql/*/bin/postgres"))
        assert len(found) == 1, found
        self.bin = os.path.dirname(found[0])[len(self.root):]
        os.mkdir(self.data, 0o700)
        os.chown(self.data, USER, USER)
        secret = base.write_file(self.path("password"), PASSWORD + "\n")
        self.run(self._as_user("initdb", "-N", "-D", self.data, "-A",
                               "scram-sha-256", "-U", "postern", "--pwfile",
                               secret))
        self.options = [] if pair is None else self._tls_only(pair)

    def _tls_only(self, pair):
        pair = certs.Pair(*(shutil.copy(path, self.dir) for path in pair))
        os.chown(pair.key, USER, USER)
        os.chmod(pair.key, 0o600)
        base.write_file(os.path.join(self.data, "pg_hba.conf"),
                        "hostssl all all 127.0.0.1/32 scram-sha-256\n")
        return ["-c", "ssl=on", "-c", "ssl_cert_file=" + pair.cert,
                "-c", "ssl_key_file=" + pair.key]

    def _as_user(self, tool, *args):
        return ["setpriv", "--reuid=%d" % USER, "--regid=%d" % USER,
                "--clear-groups", os.path.join(self.bin, tool)] + list(args)

    def start(self):
        # The process that it names is of another namespace.
        stale = os.path.join(self.data, "postmaster.pid")
        if os.path.exists(stale):
            os.remove(stale)
        self.launch(self._as_user(
            "postgres", "-D", self.data, "-k", "", "-p", str(self.port),
            "-c", "listen_addresses=127.0.0.1", *self.options))
        base.wait_for(self._answers, lambda: "PostgreSQL\n" +
                      base.tail(self.output))
        return self

    def _answers(self):
        return base.run(self.command([
            os.path.join(self.bin, "pg_isready"), "-q", "-h", "127.0.0.1",
            "-p", str(self.port)]), check=False).returncode == 0

    def kill(self):
        """All of it in one instant, as a power cut would."""
        self.stop()

    @property
    def conninfo(self):
        return "host=127.0.0.1 port=%d user=postern dbname=postgres" % \
            self.port

    def sql(self, text):
        """Rows, columns with | between them."""
        done = base.run(
            self.command([os.path.join(self.bin, "psql"), "-X", "-A", "-t",
                          "-q", "-v", "ON_ERROR_STOP=1", "-c",
                          "SET search_path = postern", "-c", text,
                          self.conninfo]),
            env=dict(os.environ, PGPASSWORD=PASSWORD))
        return done.text.split()
