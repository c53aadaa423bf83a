"""Throw-away certificates for peers and listeners."""

import collections
import functools
import os
import shutil

from . import base

Pair = collections.namedtuple("Pair", "cert key")


EC = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")


def make(directory, host, key=EC, days=3650):
    """A self-signed certificate for host, P-256 and good for ten years."""
    pair = Pair(os.path.join(directory, host + ".pem"),
                os.path.join(directory, host + ".key"))
    base.run(["openssl", "req", "-x509", "-newkey"] + list(key) +
             ["-nodes", "-days", str(days), "-subj", "/CN=" + host, "-addext", "subjectAltName=DNS:" + host,
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
