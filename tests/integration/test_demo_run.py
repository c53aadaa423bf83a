"""The demonstration that ./dev run shows."""

import fcntl
import os
import re
import signal
import subprocess
import termios

from lib import base

DEMO = os.path.join(base.REPO, "conf", "demo", "run")


def run_demo(*arguments):
    done = subprocess.run(
        [DEMO, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=4 * base.PATIENCE, check=False,
        env=dict(os.environ, POSTERN=base.POSTERN_BIN))
    return done.returncode, done.stdout.decode("utf-8", "replace")


def test_the_demonstration_ends_well():
    status, text = run_demo("--once")
    assert status == 0, text
    assert "6 messages sent, 8 copies arrived as they were sent, 0 differ, " \
        "1 reports" in text
    # Both ways to arrive are seen, and the report says why.
    assert re.search(r"message \d+ from 127\.0\.0\.1:\d+, EHLO "
                     r"relay\.example, TLSv1\.3 TLS_\w+ \(\d+ bits\)", text)
    assert re.search(r"message \d+ from 127\.0\.0\.1:\d+, EHLO "
                     r"relay\.example, in clear", text)
    assert "Diagnostic-Code: smtp; 550" in text
    assert len(re.findall("Message finished MID", text)) == 7


def test_the_demonstration_leaves_nothing_behind():
    before = set(os.listdir("/tmp"))
    run_demo()
    left = {name for name in set(os.listdir("/tmp")) - before
            if name.startswith("postern-demo")}
    assert not left


def test_the_demonstration_names_a_missing_program():
    done = subprocess.run([DEMO, "--once"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False,
                          env=dict(os.environ, POSTERN="/nowhere/postern"))
    assert done.returncode == 1
    assert b"/nowhere/postern is not there: run ./dev build" in done.stdout


def test_the_demonstration_stays_until_control_c():
    master, slave = os.openpty()
    process = subprocess.Popen(
        [DEMO], stdin=slave, stdout=slave, stderr=slave,
        start_new_session=True, preexec_fn=_take_terminal,
        env=dict(os.environ, POSTERN=base.POSTERN_BIN))
    os.close(slave)
    text = b""
    try:
        while b"Ctrl-C ends it" not in text:
            text += os.read(master, 65536)
        assert process.poll() is None
        os.write(master, b"\x03")
        assert _rest(master, process) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        os.close(master)
    work = re.search(rb"removes (/\S+)\.", text).group(1)
    assert not os.path.exists(work)


def _take_terminal():
    # Whoever started the tests in the background had INT ignored.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _rest(master, process):
    """The exit status; a pty that nobody reads would stop the program."""
    try:
        while os.read(master, 65536):
            pass
    except OSError:
        pass
    return process.wait(timeout=base.PATIENCE)
