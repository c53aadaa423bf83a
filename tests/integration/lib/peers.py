"""Real mail and name servers, unpacked privately and never installed.

A peer's Debian packages, and those libraries of theirs that this machine
lacks, are fetched with apt-get download, unpacked with dpkg -x into a cache,
and laid over /usr in a mount namespace of the peer's own. There it also finds
its users, in copies of passwd and group. Nothing outside that namespace
changes, and a mail system of this machine is neither replaced nor touched.
"""

import fcntl
import functools
import os
import re
import shutil
import subprocess

from . import base, procs

PACKAGES = {
    "postfix": ["postfix"],
    "exim": ["exim4-daemon-light", "exim4-base"],
    "opensmtpd": ["opensmtpd"],
    "nsd": ["nsd"],
    "unbound": ["unbound"],
    "signer": ["ldnsutils"],
    "eatmydata": ["libeatmydata1"],
    "prometheus": ["prometheus"],
    "postgresql": ["postgresql-15", "postgresql-client-15", "tzdata"],
}

# Users that the packages' own scripts would have created.
USERS = [
    ("postfix", 61101), ("Debian-exim", 61102), ("opensmtpd", 61103),
    ("opensmtpq", 61104), ("mailtest", 61106),
]
GROUPS = [("postdrop", 61105)]
UID = dict(USERS)


def cache_dir():
    chosen = os.environ.get("POSTERN_PEERS")
    if chosen:
        return chosen
    home = os.environ.get("XDG_CACHE_HOME",
                          os.path.join(os.path.expanduser("~"), ".cache"))
    return os.path.join(home, "postern", "peers")


@functools.lru_cache(maxsize=None)
def root_of(name):
    """The directory that holds the unpacked packages of this peer."""
    version = _candidate(PACKAGES[name][0])
    root = os.path.join(cache_dir(), "%s-%s" % (name, version))
    os.makedirs(cache_dir(), exist_ok=True)
    with open(os.path.join(cache_dir(), ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(root):
            _unpack(name, root)
    return root


def _candidate(package):
    text = base.run(["apt-cache", "policy", package]).text
    found = re.search(r"Candidate: (\S+)", text)
    if found is None or found.group(1) == "(none)":
        raise AssertionError("package %s is not to be had; run "
                             "'apt-get update' as root first" % package)
    return found.group(1).replace(":", "_")


def _unpack(name, root):
    work = root + ".new"
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(os.path.join(work, "deb"))
    wanted = []
    for package in PACKAGES[name]:
        _close_over(package, wanted)
    base.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root",
              "download"] + wanted, cwd=os.path.join(work, "deb"))
    for deb in sorted(os.listdir(os.path.join(work, "deb"))):
        base.run(["dpkg", "-x", os.path.join(work, "deb", deb), work])
    shutil.rmtree(os.path.join(work, "deb"))
    os.chmod(work, 0o755)
    os.rename(work, root)


def _close_over(package, wanted):
    """Add the package and the libraries it needs that are not installed."""
    wanted.append(package)
    text = base.run(["apt-cache", "depends", package]).text
    for needed in re.findall(r"^ *(?:Pre)?Depends: (lib\S+)", text, re.M):
        if needed not in wanted and not _installed(needed):
            _close_over(needed, wanted)


def _installed(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Status}", package],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=False)
    return done.stdout == b"install ok installed"


def eatmydata_library():
    """A library whose fsync does nothing: what tests of fsync must catch."""
    root = root_of("eatmydata")
    for where, _, names in os.walk(root):
        for name in sorted(names):
            if re.match(r"libeatmydata\.so(\.|$)", name):
                return os.path.join(where, name)
    raise AssertionError("no libeatmydata.so under %s" % root)


_NAMESPACE = """
set -e
mount -t overlay peer -o lowerdir="$1/usr:/usr" /usr
mount --bind "$2/passwd" /etc/passwd
mount --bind "$2/group" /etc/group
for place in /run /var/lib /var/spool; do
    mount -t tmpfs -o mode=755 none $place
done
mkdir -p -m 711 /var/lib/opensmtpd/empty
if [ -n "$3" ]; then
    mkdir -p "/var/spool/$3"
    mount --bind "$2/spool" "/var/spool/$3"
fi
shift 3
exec "$@"
"""


class Peer:
    """One unpacked server with a private directory and namespace."""

    name = ""
    spool_name = ""     # mounted as /var/spool/NAME where it is hard-wired

    def __init__(self):
        if os.geteuid() != 0:
            raise AssertionError("tests with real peers need mount "
                                 "namespaces: run them as root")
        self.root = root_of(self.name)
        self.dir = base.private_dir(self.name)
        self.process = None
        self.output = os.path.join(self.dir, "output")
        self._write_users()
        os.mkdir(os.path.join(self.dir, "spool"), 0o755)

    def _write_users(self):
        passwd = base.read_text("/etc/passwd")
        group = base.read_text("/etc/group")
        mine = {name for name, _ in USERS + GROUPS}
        passwd = _without(passwd, mine)
        group = _without(group, mine)
        for name, number in USERS:
            passwd += "%s:x:%d:%d::/nonexistent:/bin/false\n" % (
                name, number, number)
        for name, number in USERS + GROUPS:
            group += "%s:x:%d:\n" % (name, number)
        base.write_file(os.path.join(self.dir, "passwd"), passwd)
        base.write_file(os.path.join(self.dir, "group"), group)

    def command(self, args, own_pids=False):
        """The arguments that run args inside the peer's namespace."""
        unshare = ["unshare", "--mount", "--propagation", "private"]
        if own_pids:
            # When the first process dies, all the others die with it.
            unshare += ["--pid", "--fork", "--kill-child", "--mount-proc"]
        return unshare + ["sh", "-c", _NAMESPACE, "peer", self.root,
                          self.dir, self.spool_name] + args

    def launch(self, args, env=None):
        with open(self.output, "ab") as out:
            self.process = subprocess.Popen(
                self.command(args, own_pids=True), stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, cwd=self.dir,
                env=dict(os.environ, **(env or {})))

    def run(self, args, **kwargs):
        return base.run(self.command(args), **kwargs)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def stop(self):
        """Everything in the namespace dies with its first process. That one
        is killed here: a server that changes its user no longer hears that
        unshare, which ignores TERM, has died. It has ended when all others
        of its namespace have, so none answers after this."""
        if self.process is not None:
            for pid in procs.children(self.process.pid):
                procs.kill(pid)
            self.process.kill()
            self.process.wait()
        self.process = None

    def close(self):
        self.stop()
        base.remove_dir(self.dir)


class MailPeer(Peer):
    """A peer that keeps what it receives in a Maildir."""

    def __init__(self):
        super().__init__()
        self.port = base.free_port()
        self.maildir = self.path("mail", "box", "new")
        self.log = self.output

    def count(self):
        if not os.path.isdir(self.maildir):
            return 0
        return len(os.listdir(self.maildir))

    def mails(self):
        """What the Maildir holds, as bytes."""
        found = []
        for name in sorted(os.listdir(self.maildir)):
            with open(os.path.join(self.maildir, name), "rb") as file:
                found.append(file.read())
        return found

    def wait_mails(self, count):
        base.wait_for(lambda: self.count() >= count, lambda: (
            "%d mails at %s, which has %d\n%s" % (
                count, self.name, self.count(), base.tail(self.log))))
        return self.mails()


def _without(text, names):
    return "".join(line + "\n" for line in text.splitlines()
                   if line.split(":")[0] not in names)
