"""Power cuts: what was acknowledged is on the disk, not in the kernel.

The spool lies on an ext4 image. At some moment all processes are stopped and
the image file is copied as it is: what the kernel has not written is missing
from the copy, as after a power cut. The relay then starts on the copy.
"""

import os
import signal
import shutil
import time

import pytest

from lib import base, load as loads, peers, postern, procs


class Disk:
    """A file system in a file."""

    def __init__(self, directory, image=None, size="512M"):
        self.image = image or os.path.join(directory, "disk.img")
        self.place = self.image + ".mnt"
        if image is None:
            base.run(["truncate", "-s", size, self.image])
            base.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0",
                      self.image])
        os.mkdir(self.place)
        # The kernel commits by itself only once a minute.
        base.run(["mount", "-o", "loop,commit=60", self.image, self.place])
        os.chmod(self.place, 0o755)

    def spool(self):
        path = os.path.join(self.place, "spool")
        os.makedirs(path, exist_ok=True)
        return path

    def copy(self, directory, name):
        copied = os.path.join(directory, name)
        base.run(["cp", "--sparse=always", self.image, copied])
        return Disk(directory, copied)

    def close(self):
        base.run(["umount", self.place], check=False)


@pytest.fixture
def directory(makers):
    path = base.private_dir("power")
    yield path
    makers.close()
    makers.made.clear()
    shutil.rmtree(path, ignore_errors=True)


class PowerCut:
    """One relay under load on one disk, and what a power cut leaves of it."""

    def __init__(self, makers, directory, name, env=None, config=None,
                 load=loads.Load):
        self.makers = makers
        self.directory = directory
        self.name = name
        self.disk = makers.add(Disk(directory))
        self.server = makers.add(postern.Postern(
            base.free_port(), config, spool=self.disk.spool(),
            env=env)).start()
        self.load = load(self.server).start()

    def cut(self, count):
        """Copy the disk as it is at one moment under load."""
        self.load.wait_acknowledged(len(self.load.acknowledged) + count)
        pids = procs.tree(self.server.process.pid)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(0.3)         # what is under way in the kernel ends
        known = dict(self.load.acknowledged)
        copied = self.makers.add(self.disk.copy(self.directory,
                                                "copy%d.img" % count))
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        return known, copied

    def end(self):
        self.load.stop()
        self.server.kill()


def survivors(makers, sink, disk, known, load, of=loads.Arrivals):
    """Start on the copied disk; which acknowledged messages are missing."""
    arrivals = of(sink)
    server = makers.add(postern.Postern(sink.port,
                                        spool=disk.spool())).start()
    base.wait_for(lambda: server.queue_count() == 0, "an empty queue")
    server.stop()
    assert not arrivals.corrupted(load)
    return arrivals.missing(known)


def test_a_power_cut_loses_nothing_that_was_acknowledged(makers, make_sink,
                                                         directory):
    power = PowerCut(makers, directory, "real")
    cuts = [power.cut(count) for count in (50, 151, 77)]
    power.end()
    for known, disk in cuts:
        missing = survivors(makers, make_sink(), disk, known, power.load)
        print("%d acknowledged, %d missing" % (len(known), len(missing)))
        assert not missing, missing[:5]


@pytest.mark.parametrize("how", ["plugin", "rules"])
def test_a_power_cut_loses_no_branch(makers, make_sink, directory, how):
    plugins = os.path.join(os.path.dirname(base.POSTERN_BIN), "tests",
                           "plugins")
    power = PowerCut(makers, directory, "split", None, {
        "plugin_dirs": [plugins], "plugin": {"puppet": {
            "eom": "for b@next.test edit add X-Branch b;"
                   "for c@next.test edit add X-Branch c;"
                   "for a@next.test set rcpt.branch first;"
                   "for c@next.test set rcpt.after first 3600"}}}
        if how == "plugin" else loads.split_rules(directory),
        loads.SplitLoad)
    known, disk = power.cut(100)
    power.end()
    missing = survivors(makers, make_sink(), disk, known, power.load,
                        loads.SplitArrivals)
    print("%d acknowledged, %d missing" % (len(known), len(missing)))
    assert not missing, missing[:5]


def test_without_fsync_a_power_cut_does_lose_mail(makers, make_sink,
                                                  directory):
    power = PowerCut(makers, directory, "control",
                     {"LD_PRELOAD": peers.eatmydata_library()})
    known, disk = power.cut(50)
    power.end()
    missing = survivors(makers, make_sink(), disk, known, power.load)
    print("%d acknowledged, %d missing" % (len(known), len(missing)))
    assert missing, "the power-cut test cannot fail: it proves nothing"
