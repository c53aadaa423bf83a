"""What every fixture needs: places, ports, waiting, child processes."""

import collections
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
POSTERN_BIN = os.environ.get("POSTERN_BIN",
                             os.path.join(REPO, "build", "postern"))

# Generous: a busy machine must not fail a test. Only hangs end here.
PATIENCE = float(os.environ.get("POSTERN_PATIENCE", "60"))

# First and last of the ports that are given away.
PORTS = [int(port) for port in
         os.environ.get("POSTERN_PORTS", "12000-31999").split("-")]

# The product built with sanitizers is several times slower and larger.
SANITIZER = os.environ.get("POSTERN_SANITIZER", "") == "1"


def private_dir(prefix):
    """A directory that daemons under other users can enter."""
    path = tempfile.mkdtemp(prefix="postern-%s-" % prefix)
    os.chmod(path, 0o755)
    return path


def remove_dir(path):
    if os.environ.get("POSTERN_KEEP", "") == "":
        shutil.rmtree(path, ignore_errors=True)


# Not all: there are more servers in a run than ports for some runs.
_handed_out = collections.deque(maxlen=(PORTS[1] - PORTS[0]) // 2)


def free_port(kind=socket.SOCK_STREAM):
    """A port below the ephemeral range, so no client takes it meanwhile. Two
    runs at the same time need PORTS of their own."""
    while True:
        port = random.randint(*PORTS)
        if port in _handed_out:
            continue
        if _can_bind(port, kind, socket.AF_INET, "127.0.0.1") and \
                _can_bind(port, kind, socket.AF_INET6, "::1"):
            _handed_out.append(port)
            return port


def _can_bind(port, kind, family, address):
    with socket.socket(family, kind) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((address, port))
        except OSError:
            return False
    return True


def wait_for(question, what, timeout=None):
    """Poll until question() is true and return its answer.

    what says what was waited for: a text, or a function that returns one.
    """
    limit = PATIENCE if timeout is None else timeout
    end = time.monotonic() + limit
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError("waited %g s for %s" % (
                limit, what() if callable(what) else what))
        time.sleep(0.02)


def can_connect(port, host="127.0.0.1"):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(2)
        return sock.connect_ex((host, port)) == 0


def wait_listening(port, process=None, host="127.0.0.1", log=None):
    def listening():
        if process is not None and process.poll() is not None:
            raise AssertionError("%s ended with %d before it listened\n%s" % (
                process.args[0], process.returncode, tail(log)))
        return can_connect(port, host)
    wait_for(listening, "port %d" % port)


def tail(path, size=4000):
    if path is None or not os.path.exists(path):
        return ""
    with open(path, "rb") as file:
        data = file.read()
    return data[-size:].decode("utf-8", "replace")


def read_text(path):
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def write_file(path, text, mode=0o644):
    data = text if isinstance(text, bytes) else text.encode()
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)
    return path


def run(args, check=True, timeout=None, **kwargs):
    """Run to the end; stdout and stderr come back as text."""
    done = subprocess.run(args, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False,
                          timeout=timeout or 4 * PATIENCE, **kwargs)
    done.text = done.stdout.decode("utf-8", "replace")
    if check and done.returncode != 0:
        raise AssertionError("%s: exit %d\n%s" % (
            " ".join(args), done.returncode, done.text))
    return done


def stop_process(process, timeout=None):
    """Ask with TERM, and insist after a while."""
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout or PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
