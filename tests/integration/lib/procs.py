"""What /proc tells about a tree of processes."""

import os
import select
import signal

TICKS = os.sysconf("SC_CLK_TCK")


def children(pid):
    found = []
    for task in _listdir("/proc/%d/task" % pid):
        found += [int(child) for child in _read(
            "/proc/%d/task/%s/children" % (pid, task)).split()]
    return found


def tree(pid):
    """The process and all that descend from it."""
    found = [pid]
    for child in children(pid):
        found += tree(child)
    return found


def kill(pid):
    """Kill one, a child or not, and wait until it has ended."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(fd, signal.SIGKILL)
        select.select([fd], [], [])
    except ProcessLookupError:
        pass
    finally:
        os.close(fd)


def name(pid):
    return _read("/proc/%d/comm" % pid).strip()


def alive(pid):
    stat = _read("/proc/%d/stat" % pid)
    return stat != "" and stat.rsplit(")", 1)[1].split()[0] not in "ZX"


def cpu_seconds(pid):
    """User and system time of a tree, with the children it has reaped."""
    total = 0
    for each in tree(pid):
        stat = _read("/proc/%d/stat" % each)
        if stat:
            fields = stat.rsplit(")", 1)[1].split()
            total += sum(int(ticks) for ticks in fields[11:15])
    return total / TICKS


def status_kb(pid, field):
    """A memory figure of /proc/PID/status, in KB."""
    for line in _read("/proc/%d/status" % pid).splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    return 0


def pss_kb(pid):
    """Memory with the shared pages divided among those who share them."""
    for line in _read("/proc/%d/smaps_rollup" % pid).splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def open_files(pid):
    return len(_listdir("/proc/%d/fd" % pid))


def reset_peak(pid):
    """Let VmHWM begin again from what is resident now."""
    with open("/proc/%d/clear_refs" % pid, "w") as file:
        file.write("5")


def _listdir(path):
    try:
        return os.listdir(path)
    except OSError:
        return []


def _read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
