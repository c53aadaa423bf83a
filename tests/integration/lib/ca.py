"""A certification authority of a test's own, by the openssl command."""

import os

from . import base

CONFIG = """
[ca]
default_ca = one
[one]
database = {dir}/index
new_certs_dir = {dir}
serial = {dir}/serial
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
email_in_dn = no
[any]
commonName = supplied
organizationName = optional
organizationalUnitName = optional
countryName = optional
localityName = optional
stateOrProvinceName = optional
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
[leaf]
basicConstraints = CA:FALSE
"""

PAST = ("20200101000000Z", "20210101000000Z")
NOW = ("20240101000000Z", "20480101000000Z")


class Ca:
    """A root, or below another one an intermediate."""

    def __init__(self, name, issuer=None, when=NOW):
        self.dir = base.private_dir("ca")
        self.name = name
        self.cert = os.path.join(self.dir, "ca.pem")
        self.key = os.path.join(self.dir, "ca.key")
        self.config = base.write_file(
            os.path.join(self.dir, "ca.cnf"), CONFIG.format(dir=self.dir))
        base.write_file(os.path.join(self.dir, "index"), "")
        base.write_file(os.path.join(self.dir, "serial"), "1000\n")
        csr = os.path.join(self.dir, "ca.csr")
        base.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt",
                  "ec_paramgen_curve:P-256", "-nodes", "-subj",
                  "/CN=" + name, "-keyout", self.key, "-out", csr])
        (issuer or self)._sign(csr, self.cert, "authority", when,
                               own=issuer is None)

    def sign(self, csr, out, when=NOW):
        self._sign(csr, out, "leaf", when)
        return out

    def _sign(self, csr, out, kind, when, own=False):
        args = ["openssl", "ca", "-batch", "-notext", "-config", self.config,
                "-in", csr, "-out", out, "-extensions", kind, "-keyfile",
                self.key, "-startdate", when[0], "-enddate", when[1],
                "-utf8"]
        base.run(args + (["-selfsign"] if own else ["-cert", self.cert]))
