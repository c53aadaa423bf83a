"""Throw-away certificates for peers and listeners."""

import collections
import os

from . import base

Pair = collections.namedtuple("Pair", "cert key")


def make(directory, host):
    """A self-signed P-256 certificate for host, good for ten years."""
    pair = Pair(os.path.join(directory, host + ".pem"),
                os.path.join(directory, host + ".key"))
    base.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
              "ec_paramgen_curve:P-256", "-nodes", "-days", "3650",
              "-subj", "/CN=" + host, "-addext", "subjectAltName=DNS:" + host,
              "-keyout", pair.key, "-out", pair.cert])
    os.chmod(pair.key, 0o600)
    return pair
