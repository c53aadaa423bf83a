"""TLS handshakes with a listener, as seen from outside."""

import hashlib
import ssl
import subprocess

from . import base, client


class Session:
    """A connection that has done STARTTLS and stays open."""

    def __init__(self, port):
        self.peer = client.Client("127.0.0.1", port)
        self.peer.start()
        self.peer.starttls()

    def fingerprint(self):
        return hashlib.sha256(
            self.peer.sock.getpeercert(binary_form=True)).hexdigest()

    def alive(self):
        return self.peer.cmd("NOOP").startswith("250")

    def close(self):
        self.peer.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def fingerprint(port):
    """SHA-256 of the certificate that a new connection is shown."""
    with Session(port) as session:
        return session.fingerprint()


def of_file(path):
    """SHA-256 of the first certificate in a PEM file."""
    pem = base.read_text(path)
    end = "-----END CERTIFICATE-----"
    first = pem[pem.index("-----BEGIN CERTIFICATE-----"):
                pem.index(end) + len(end)]
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest()


def s_client(port, *args):
    """What openssl s_client says of STARTTLS, a session and QUIT."""
    done = subprocess.run(
        ["openssl", "s_client", "-starttls", "smtp", "-connect",
         "127.0.0.1:%d" % port, "-ign_eof"] + list(args), input="QUIT\r\n",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=base.PATIENCE)
    return done.stdout
