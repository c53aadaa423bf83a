"""Throw-away certificates for peers and listeners."""

import collections
import functools
import os
import shutil

from . import base

Pair = collections.namedtuple("Pair", "cert key")


EC = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
RSA = ("rsa:2048",)


def make(directory, host, key=EC, days=3650):
    """A self-signed certificate for host, P-256 and good for ten years."""
    pair = Pair(os.path.join(directory, host + ".pem"),
                os.path.join(directory, host + ".key"))
    base.run(["openssl", "req", "-x509", "-newkey"] + list(key) +
             ["-nodes", "-days", str(days), "-subj", "/CN=" + host,
              "-addext", "subjectAltName=DNS:" + host,
              "-keyout", pair.key, "-out", pair.cert])
    os.chmod(pair.key, 0o600)
    return pair


@functools.lru_cache(maxsize=None)
def default_store():
    """A certificate store as a first start leaves it, made once: RSA-4096
    takes seconds."""
    store = base.private_dir("store")
    for name, key in (("Default certificate", ("rsa:4096",)),
                      ("Default certificate (ECDSA)", EC)):
        path = os.path.join(store, name)
        os.mkdir(path, 0o700)
        base.run(["openssl", "req", "-x509", "-newkey"] + list(key) +
                 ["-sha256", "-nodes", "-days", "3650", "-subj",
                  "/CN=relay.test", "-addext", "subjectAltName=DNS:relay.test",
                  "-keyout", os.path.join(path, "key.pem"),
                  "-out", os.path.join(path, "cert.pem")])
        os.chmod(os.path.join(path, "key.pem"), 0o600)
    return store


def seed_store(path):
    """Gives a server the default certificates that it would make else."""
    if not os.path.exists(path):
        shutil.copytree(default_store(), path)
        os.chmod(path, 0o700)


def fingerprint(pair):
    """SHA-256 of the certificate, as relay.certificates has it."""
    said = base.run(["openssl", "x509", "-in", pair.cert, "-noout",
                     "-fingerprint", "-sha256"]).text
    return said.strip().split("=", 1)[1]


class Authority:
    """A root of our own that signs client certificates of several kinds."""

    def __init__(self, directory):
        self.directory = directory
        root = make(directory, "root.test")
        self.ca, self.key = root.cert, root.key
        self.made = {}

    def client(self, kind):
        """good, expired, server-only, or foreign (of another root)."""
        if kind not in self.made:
            self.made[kind] = self._sign(kind)
        return self.made[kind]

    def server(self, host, usage="serverAuth"):
        """A certificate as a public authority would give it."""
        pair = make(self.directory, host)
        return self._give(pair, host, 90, usage,
                          "subjectAltName=DNS:%s\ncrlDistributionPoints="
                          "URI:http://crl.root.test/1.crl\n" % host)

    def _sign(self, kind):
        path = os.path.join(self.directory, kind)
        os.makedirs(path, exist_ok=True)
        pair = make(path, "client.test")
        if kind == "foreign":
            return pair
        return self._give(
            pair, "client.test", -1 if kind == "expired" else 30,
            "serverAuth" if kind == "server-only" else "clientAuth",
            "subjectAltName=DNS:client.test\n")

    def _give(self, pair, name, days, usage, more):
        """Replace the pair's certificate by one that the root signed."""
        extensions = base.write_file(
            pair.cert + ".ext", "extendedKeyUsage=%s\n%s" % (usage, more))
        base.run(["openssl", "req", "-new", "-key", pair.key, "-subj",
                  "/CN=" + name, "-out", pair.cert + ".csr"])
        base.run(["openssl", "x509", "-req", "-in", pair.cert + ".csr",
                  "-CA", self.ca, "-CAkey", self.key, "-CAcreateserial",
                  "-days", str(days), "-extfile", extensions,
                  "-out", pair.cert])
        return pair
