"""The product under test, in a private directory on free ports."""

import functools
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time

from . import base, certs, client, luaconf, procs

WORKER_USER = "nobody"


@functools.lru_cache(maxsize=None)
def certificate():
    """One certificate for all listeners of a test run."""
    return certs.make(base.private_dir("cert"), "relay.test")


class Postern:
    """Relays everything to 127.0.0.1:next_port unless configured otherwise.

    config changes the default configuration, block by block; None removes a
    setting. spool places the spool elsewhere, say on a mounted image, and
    wrapper is a command that is put before the program's. seed says whether
    the certificates of a first start are there already where one is needed.
    """

    def __init__(self, next_port=None, config=None, spool=None, wrapper=(),
                 env=None, seed=True):
        self.seed = seed
        self.dir = base.private_dir("relay")
        self.port = base.free_port()
        self.spool = spool or os.path.join(self.dir, "spool")
        self.run_dir = os.path.join(self.dir, "run")
        self.log_file = os.path.join(self.dir, "logs", "mail.log")
        self.json_file = os.path.join(self.dir, "logs", "mail.json")
        self.output = os.path.join(self.dir, "output")
        self.conf_file = os.path.join(self.dir, "conf", "postern.lua")
        self.wrapper = list(wrapper)
        self.env = dict(env or {})
        self.process = None
        self.notify = None
        for path in ("conf", "run", "logs", "spool"):
            os.makedirs(os.path.join(self.dir, path), exist_ok=True)
        self._install_certificate()
        self._give_to_workers()
        self.config = luaconf.merge(self._defaults(next_port), config or {})
        self.write_config()

    def _install_certificate(self):
        self.cert, self.key = (
            os.path.join(self.dir, "conf", name) for name in ("c.pem", "k.pem"))
        shutil.copy(certificate().cert, self.cert)
        shutil.copy(certificate().key, self.key)

    def _give_to_workers(self):
        if os.geteuid() != 0:
            return
        user = pwd.getpwnam(WORKER_USER)
        for path in (self.run_dir, os.path.dirname(self.log_file),
                     self.spool, self.key):
            os.chown(path, user.pw_uid, user.pw_gid)

    def _defaults(self, next_port):
        config = {
            "hostname": "relay.test",
            "spool": self.spool,
            "run": self.run_dir,
            "workers": 2,
            "log": {"file": self.log_file, "json": self.json_file,
                    "level": "info"},
            "listener": {"inbound": {
                "address": ["127.0.0.1:%d" % self.port],
                "tls": "preferred", "cert": self.cert, "key": self.key}},
            "relay": {"networks": ["127.0.0.0/8", "::1"]},
            "delivery": {"ip": "prefer-ipv4"},
            "bounce_profile": {"default": {
                "first_retry": "1s", "max_retry": "2s"}},
        }
        if os.geteuid() == 0:
            config["user"] = WORKER_USER
        if next_port is not None:
            config["route"] = {"*": {"hosts": ["127.0.0.1:%d" % next_port]}}
        return config

    def write_config(self, config=None):
        """Write the boot file, with changes to what it held if given."""
        self.config = luaconf.merge(self.config, config or {})
        base.write_file(self.conf_file, luaconf.text(self.config))

    def add_file(self, name, text):
        """A file beside the boot file; returns its path."""
        path = os.path.join(self.dir, "conf", name)
        return base.write_file(path, text)

    # Life and death

    def _seed_store(self):
        for listener in self.config["listener"].values():
            if "cert" not in listener and listener.get("tls") != "none":
                certs.seed_store(os.path.join(self.spool, "tls"))

    def start(self, ready=True):
        if self.seed:
            self._seed_store()
        self.notify = _Notify(os.path.join(self.dir, "notify"))
        env = dict(os.environ, NOTIFY_SOCKET=self.notify.path, **self.env)
        with open(self.output, "ab") as out:
            self.process = subprocess.Popen(
                self.wrapper + [base.POSTERN_BIN, "serve", "-c",
                                self.conf_file],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env,
                cwd=self.dir, start_new_session=True)
        if ready:
            self.wait_ready()
        return self

    def wait_ready(self, timeout=None):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError("postern ended with %d before it was "
                                     "ready\n%s" % (self.process.returncode,
                                                    self.tail()))
            return self.notify.has("READY=1")
        base.wait_for(ready, lambda: "READY=1\n" + self.tail(), timeout)

    def master_pid(self):
        """The program's own, not that of a wrapper such as strace."""
        if not self.wrapper:
            return self.process.pid
        for pid in procs.tree(self.process.pid):
            if os.path.realpath("/proc/%d/exe" % pid) == \
                    os.path.realpath(base.POSTERN_BIN):
                return pid
        raise AssertionError("no master process")

    def worker_pids(self):
        return sorted(pid for pid in self._children("postern-w"))

    def keeper_pid(self):
        """The process that has the private keys, or None."""
        found = self._children("postern-keeper")
        return found[0] if found else None

    def _children(self, name):
        return [pid for pid in procs.children(self.master_pid())
                if procs.alive(pid) and procs.name(pid).startswith(name)]

    def wait_workers(self, count=None):
        wanted = count or self.config["workers"]
        return base.wait_for(
            lambda: len(self.worker_pids()) >= wanted and self.worker_pids(),
            "%d workers" % wanted)

    def signal(self, number):
        os.kill(self.master_pid(), number)

    def stop(self, timeout=None):
        """A graceful stop, which must end well and leave nobody behind."""
        if self.process is None:
            return
        pids = procs.tree(self.process.pid)
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout or base.PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("no graceful stop\n" + self.tail())
        self._forget()
        assert code == 0, "exit %d\n%s" % (code, self.tail())
        base.wait_for(lambda: not any(map(procs.alive, pids)),
                      "the last process to end")
        self.assert_no_report()

    def kill(self):
        """SIGKILL all processes in one instant."""
        if self.process is None:
            return
        pids = procs.tree(self.process.pid)
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass                # it has ended, and all its children
        self.process.wait()
        base.wait_for(lambda: not any(map(procs.alive, pids)),
                      "the killed processes to vanish")
        self._forget()

    def close(self):
        """Called at the end of a test, whatever happened in it."""
        try:
            if self.process is not None:
                self.stop()
        finally:
            base.remove_dir(self.dir)

    def _forget(self):
        self.process = None
        self.notify.close()
        self.notify = None

    def assert_no_report(self):
        """No sanitizer, assertion or panic spoke on standard error."""
        said = base.read_text(self.output)
        for word in ("AddressSanitizer", "runtime error:", "LeakSanitizer",
                     "panic", "assertion"):
            assert word not in said, said[-6000:]

    # Logs

    def tail(self):
        return base.tail(self.output) + base.tail(self.log_file)

    def log_lines(self):
        """The texts of the mail log, without time and level."""
        lines = base.read_text(self.log_file).splitlines()
        return [re.sub(r"^.{24} \w+: ", "", line) for line in lines]

    def json_lines(self):
        return [json.loads(line)
                for line in base.read_text(self.json_file).splitlines()]

    def wait_log(self, pattern, count=1, timeout=None):
        """Wait for count matching lines; returns their match objects."""
        def matches():
            found = [re.search(pattern, line) for line in self.log_lines()]
            found = [match for match in found if match]
            return found if len(found) >= count else None
        return base.wait_for(matches, lambda: "log line %r\n%s" % (
            pattern, self.tail()), timeout)

    # Use

    def cli(self, *args, check=True, **kwargs):
        return base.run([base.POSTERN_BIN] + list(args) +
                        ["-c", self.conf_file], check=check, **kwargs)

    def cli_json(self, *args):
        """What a command tells with --json, always as a list."""
        answer = json.loads(self.cli(*args, "--json").text)
        return answer if isinstance(answer, list) else [answer]

    def queue_count(self):
        return self.cli_json("queue", "count")[0]["messages"]

    def wait_empty(self, timeout=None):
        base.wait_for(lambda: self.queue_count() == 0,
                      lambda: "an empty queue\n" + self.tail(), timeout)

    def client(self, host="127.0.0.1", **kwargs):
        """A raw SMTP connection that has read its banner."""
        return client.Client(host, self.port, **kwargs)


class _Notify:
    """The socket on which a service manager hears READY=1."""

    def __init__(self, path):
        self.path = path
        self.text = ""
        if os.path.exists(path):
            os.unlink(path)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(path)
        os.chmod(path, 0o666)
        self.sock.setblocking(False)
        self.since = time.monotonic()

    def has(self, line):
        while True:
            try:
                self.text += self.sock.recv(65536).decode() + "\n"
            except BlockingIOError:
                return line in self.text.split("\n")

    def close(self):
        self.sock.close()
        os.unlink(self.path)
