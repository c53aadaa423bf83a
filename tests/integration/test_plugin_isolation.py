"""Plugins that misbehave on purpose: what is said of them, who goes on, and
that what was accepted arrives once."""

import os
import re
import shutil
import threading
import time

import pytest

from lib import base
from lib.client import message

PLUGINS = os.path.join(os.path.dirname(base.POSTERN_BIN), "tests", "plugins")
BAD = "bad@a.test"


def config(workers=2, plugin=None, **deeds):
    deeds.setdefault("sender", BAD)
    return {"workers": workers, "plugin_dirs": [PLUGINS],
            "bounce_profile": {"default": {"first_retry": "500ms",
                                           "max_retry": "1s"}},
            "plugin": plugin or {"wicked": deeds}}


def deliver(server, sender="good@a.test", rcpt="x@b.test", **kwargs):
    with server.client() as c:
        return c.start().deliver(sender, [rcpt], message(**kwargs))


def deliver_until_250(server, sender, tries=30, **kwargs):
    """As a client that tries again does."""
    for _ in range(tries):
        try:
            if deliver(server, sender, **kwargs):
                return
        except (OSError, EOFError, AssertionError):
            pass
        time.sleep(0.2)
    raise AssertionError("never taken\n" + server.tail())


def bring_down(server, sender=BAD):
    """One worker; the client sees the connection end."""
    before = crashes(server)
    try:
        deliver(server, sender)
    except (OSError, EOFError, AssertionError):
        pass
    base.wait_for(lambda: crashes(server) > before,
                  lambda: "a crash\n" + server.tail())


def wait_durable(server):
    """What a next hop took is marked so on the disk: that is written a little
    later, and a worker that dies in between sends it again."""
    server.wait_empty()
    base.wait_for(lambda: all(
        worker["store"]["waiting"] == 0
        for worker in server.cli_json("status")[0]["workers"]),
        "stores that are up to date")


def crashes(server):
    return sum("brought worker" in line and line.startswith("Plugin ")
               for line in server.log_lines())


def metric(server, name):
    return server.cli_json("status")[0]["metrics"].get(name, 0)


@pytest.mark.parametrize("deed, hook, how", [
    ("segv", "eom", r"signal 11 \(Segmentation fault\)"),
    ("abort", "eom", r"signal 6 \(Aborted\)"),
    ("exit", "eom", r"exit with status 3"),
    ("thread", "offload", r"signal 11"),
    ("cleanup", "clean-up", r"signal 11")])
def test_a_crash_is_blamed_and_costs_one_worker(relay, sink, deed, hook, how):
    server = relay(sink.port, config(eom=deed))
    pids = set(server.worker_pids())
    bring_down(server)
    server.wait_log(r"^Plugin wicked brought worker \d down at %s: MID \d+ "
                    r"ICID \d+ %s.*, it had run for \d+ ms" % (hook, how))
    server.wait_log(r"^Alert System/Critical: plugin wicked brought worker \d "
                    r"down at %s: %s" % (hook, how))
    assert len(pids & set(server.worker_pids())) == 1
    server.wait_workers(2)
    assert metric(server, 'plugin_crashes_total{plugin="wicked"}') == 1
    assert deliver(server)
    sink.wait(1)


def test_garbage_fails_for_now_and_is_logged(relay, sink):
    server = relay(sink.port, config(eom="verdict42"))
    with server.client() as c:
        c.start().mail(BAD, "x@b.test")
        assert c.data(message()).startswith("451 4.3.0")
    server.wait_log(r"Plugin wicked failed at eom: MID \d+ ICID \d+ 42 is no "
                    r"verdict")
    assert deliver(server)
    sink.wait(1)


def test_who_is_slow_is_named(relay, sink):
    server = relay(sink.port, config(eom="slow 120"))
    assert deliver(server, BAD)
    server.wait_log(r"Plugin wicked blocked everything for \d+ ms at eom "
                    r"MID \d+ ICID \d+")
    sink.wait(1)


def test_work_that_hangs_holds_up_nobody_else(relay, sink):
    server = relay(sink.port, config(workers=1, plugin={
        "wicked": {"eom": "stuck", "sender": BAD, "timeout": "1s"},
        ("wicked", "helpful"): {"eom": "works"}}))
    stuck = [server.client() for _ in range(6)]
    for c in stuck:
        c.start().mail(BAD, "x@b.test")
        c.expect("DATA", 354)
    for c in stuck:
        c.send(message() + b".\r\n")
    for _ in range(20):
        assert deliver(server)
    for c in stuck:
        assert c.reply().startswith("451 4.3.0")
        c.close()
    server.wait_log(r"^Plugin wicked: work on a thread, begun at eom, has not "
                    r"come back: MID \d+ ICID \d+ for 1000 ms, another takes "
                    r"its place", 2)
    server.wait_log(r"^Alert System/Warning: plugin wicked: work on a thread")
    said = ""
    while "too much of its work does not come back" not in said:
        with server.client() as c:
            c.start().mail(BAD, "x@b.test")
            said = c.data(message())
            assert said.startswith("451 4.3.0")
    assert deliver(server)
    sink.wait(21)
    server.stop()
    assert not [line for line in server.log_lines() if "signal" in line]


def test_who_is_slow_to_stop_takes_nobody_along(relay, sink):
    server = relay(sink.port, config(sender="", stop="slow 1500"))
    pids = server.worker_pids()
    server.stop()
    lines = server.log_lines()
    assert len(pids) == len([line for line in lines if re.match(
        r"Plugin wicked blocked everything for \d+ ms at stop", line)])
    assert not [line for line in lines if "signal" in line], server.tail()


def test_memory_of_an_instance_is_counted(relay, sink):
    server = relay(sink.port, config(workers=1, eom="leak 3000000"))
    assert deliver(server, BAD)
    name = 'plugin_memory_bytes{plugin="wicked"}'
    base.wait_for(lambda: metric(server, name) >= 3000000, "3 MB")


def test_a_hang_is_blamed_while_others_serve(relay, sink):
    server = relay(sink.port, dict(config(eom="loop"), watchdog="2s"))
    stuck = server.client()
    stuck.start().mail(BAD, "x@b.test")
    stuck.expect("DATA", 354)
    stuck.send(message() + b".\r\n")
    taken = 0
    while not any(line.startswith("Plugin wicked hangs")
                  for line in server.log_lines()):
        # The one that hangs may have taken the connection: then it waits.
        try:
            with server.client() as c:
                taken += bool(c.start().deliver("g@a.test", ["x@b.test"],
                                                message()))
        except (OSError, EOFError, AssertionError):
            pass
    assert taken > 0
    server.wait_log(r"^Plugin wicked hangs worker \d at eom: MID \d+ ICID \d+ "
                    r"for \d{4,5} ms")
    server.wait_log(r"^Plugin wicked brought worker \d down at eom: .*it did "
                    r"not return")
    server.wait_workers(2)
    stuck.close()
    sink.wait(taken)


@pytest.mark.parametrize("hook", ["eom", "queued", "deliver", "delivered"])
def test_what_was_accepted_arrives_once(relay, sink, hook):
    server = relay(sink.port, config(workers=2, **{hook: "segv"}))
    count = 10
    for i in range(count):
        deliver_until_250(server, "good%d@a.test" % i)
        if i == 4:
            wait_durable(server)
            bring_down(server)
    server.wait_workers(2)
    extra = {"eom": 0, "queued": 1, "delivered": 1, "deliver": 0}[hook]
    sink.wait(count + extra)
    base.wait_for(lambda: hook == "deliver" or server.queue_count() == 0,
                  lambda: "an empty queue\n" + server.tail())
    senders = sorted(m.sender for m in sink.messages)
    assert senders == sorted(["good%d@a.test" % i for i in range(count)] +
                             [BAD] * extra)


def trip(server, times=3):
    for _ in range(times):
        bring_down(server)


def test_three_crashes_trip_the_breaker(relay, sink):
    server = relay(sink.port, config(mail="segv"))
    trip(server)
    server.wait_log(r"^Plugin wicked brought 3 workers down within 600 "
                    r"seconds: its hooks fail for now")
    server.wait_log(r"^Alert System/Critical: plugin wicked brought 3 workers")
    server.wait_workers(2)
    pids = server.worker_pids()
    for _ in range(4):
        with server.client() as c:
            assert c.banner.startswith("421 4.3.0")     # of its connect hook
    assert server.worker_pids() == pids
    assert "out of service" in server.cli("status").text
    # A reload is a new chance.
    server.write_config({"plugin": {"wicked": {"mail": ""}}})
    server.signal(1)
    server.wait_log("configuration 2 is in force")
    deliver_until_250(server, BAD)
    sink.wait(1)


def test_a_breaker_is_reset_by_the_administrator(relay, sink):
    server = relay(sink.port, config(mail="segv"))
    done = server.cli("plugin", "reset", "wicked", check=False)
    assert done.returncode == 1
    assert "wicked is not out of service" in done.text, done.text
    trip(server)
    server.wait_workers(2)
    server.cli("plugin", "reset", "wicked")
    deliver_until_250(server, "good@a.test")
    assert "out of service" not in server.cli("status").text
    bring_down(server)
    sink.wait(1)


def test_a_disabled_plugin_is_left_out(relay, sink):
    changes = config(mail="segv", on_crash="disable")
    changes["plugin_dirs"] = [os.path.join(PLUGINS, "new")]
    server = relay(sink.port, changes)
    trip(server)
    server.wait_log(r"^Plugin wicked brought 3 .*it is left out")
    deliver_until_250(server, BAD)
    sink.wait(1)


def test_a_plugin_that_must_not_crash_stops_the_relay(relay, sink):
    server = relay(sink.port, config(mail="segv", on_crash="stop"))
    trip(server)
    server.wait_log(r"^Plugin wicked brought 3 .*the relay stops")
    assert server.process.wait(base.PATIENCE) == 1
    server._forget()


@pytest.mark.parametrize("on_crash", ["tempfail", "disable"])
def test_a_tripped_tls_policy_defers(relay, sink, on_crash):
    server = relay(sink.port, config(policy="segv", on_crash=on_crash))
    with server.client() as c:
        try:
            c.start().deliver("g@a.test", ["x@b.test"], message())
        except (OSError, EOFError, AssertionError):
            pass
    server.wait_log(r"^Plugin wicked brought 3 workers down")
    server.wait_workers(2)
    time.sleep(1)
    assert not sink.messages
    assert server.queue_count() <= 1


def test_a_start_that_crashes_does_not_keep_the_relay_down(relay, sink):
    server = relay(sink.port, config(workers=1, start="segv", said="here"),
                   )
    server.wait_log(r"^Plugin wicked brought 3 .*its hooks fail for now")
    server.wait_log("is ready")


def test_a_poisonous_message_is_frozen_before_the_third_try(relay, sink):
    server = relay(sink.port, config(workers=1, deliver="segv"))
    bring_down(server)
    server.wait_log(r"^MID (\d+) frozen: plugin wicked crashed with it, and "
                    r"it was not the first time")
    assert crashes(server) == 2
    server.wait_log(r"^Alert System/Critical: MID \d+ was at hand in 2 "
                    r"crashes, last of plugin wicked at deliver, and is frozen")
    deliver_until_250(server, "good@a.test")
    sink.wait(1)
    row = server.cli_json("queue", "list")[0]
    assert row["hold"] == "frozen", row
    assert "plugin wicked crashed with it" in row["reason"], row
    # It stays so in the next life, and until it is released.
    server.stop()
    server.start()
    assert server.cli_json("queue", "list")[0]["hold"] == "frozen"
    server.write_config({"plugin": {"wicked": {"deliver": ""}}})
    server.signal(1)
    server.wait_log("configuration 2 is in force")
    server.cli("queue", "release", "--sender", BAD)
    sink.wait(2)
    server.wait_empty()


def test_workers_are_replaced_while_mail_comes_in(relay, sink):
    folder = base.private_dir("modules")
    shutil.copy(os.path.join(PLUGINS, ".libs", "wicked.so"), folder)
    changes = config(said="code")
    changes["plugin_dirs"] = [folder]
    server = relay(sink.port, changes)
    server.wait_log("wicked: code, built for 1", 2)
    old = set(server.worker_pids())
    shutil.copy(os.path.join(PLUGINS, "new", ".libs", "wicked.so"),
                os.path.join(folder, "next"))
    os.rename(os.path.join(folder, "next"),
              os.path.join(folder, "wicked.so"))
    over, sent, trouble = threading.Event(), [0], []

    def load():
        while not over.is_set():
            try:
                c = server.client()
            except (OSError, EOFError) as error:
                trouble.append(error)
                return
            try:
                with c:
                    sent[0] += bool(c.start().deliver(
                        "g@a.test", ["x@b.test"], message()))
            except (OSError, EOFError, AssertionError):
                pass    # 421: the worker stops; a client comes again
    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        said = server.cli("plugin", "restart").text
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert said == "worker 0 is new\nworker 1 is new\n"
    assert not trouble, trouble
    assert sent[0] > 0
    server.wait_log("wicked: code, built for 2", 2)
    assert not old & set(server.worker_pids())
    sink.wait(sent[0])
    server.wait_empty()
    assert not [line for line in server.log_lines() if "ended with" in line]
    base.remove_dir(folder)


def test_code_that_does_not_load_replaces_nobody(relay, sink):
    folder = base.private_dir("modules")
    shutil.copy(os.path.join(PLUGINS, ".libs", "wicked.so"), folder)
    changes = config(said="code")
    changes["plugin_dirs"] = [folder]
    server = relay(sink.port, changes)
    pids = server.worker_pids()
    path = os.path.join(folder, "wicked.so")
    os.rename(path, path + ".old")
    with open(path, "wb") as f:
        f.write(b"nothing")
    os.chmod(path, 0o755)
    done = server.cli("plugin", "restart", check=False)
    assert done.returncode == 1 and "wicked" in done.text, done.text
    assert server.worker_pids() == pids
    assert deliver(server)
    sink.wait(1)
    base.remove_dir(folder)
