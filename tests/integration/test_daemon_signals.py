"""Start, reload, stop, restart of the processes, and their logs."""

import os
import signal
import time

import pytest

from lib import base, client, procs, sink as sinks

pytestmark = pytest.mark.sanitizer


def submit(server, ident=None):
    with server.client() as peer:
        peer.start().deliver("a@client.test", ["b@next.test"],
                             client.message(ident=ident))


def test_workers_are_not_root(relay, sink):
    server = relay(sink.port)
    for pid in server.wait_workers(2):
        status = base.read_text("/proc/%d/status" % pid)
        uid = [line for line in status.splitlines()
               if line.startswith("Uid:")][0].split()[1:]
        assert os.geteuid() != 0 or "0" not in uid


def test_a_reload_takes_the_new_route(relay, make_sink):
    first, second = make_sink(), make_sink()
    server = relay(first.port)
    submit(server)
    first.wait(1)
    server.write_config({"route": {"*": {
        "hosts": ["127.0.0.1:%d" % second.port]}}})
    server.signal(signal.SIGHUP)

    def switched():
        submit(server)
        return second.messages
    base.wait_for(switched, "mail at the new next hop")


def test_a_reload_with_mistakes_keeps_the_old_configuration(relay, sink):
    server = relay(sink.port)
    good = base.read_text(server.conf_file)
    base.write_file(server.conf_file, good + "listner 'x' { }\n")
    server.signal(signal.SIGHUP)
    base.wait_for(lambda: "listner" in server.tail(), "a complaint")
    submit(server)
    sink.wait(1)


def test_a_reload_moves_the_listener(relay, sink):
    server = relay(sink.port)
    old, server.port = server.port, base.free_port()
    server.write_config({"listener": {"inbound": {
        "address": ["127.0.0.1:%d" % server.port]}}})
    server.signal(signal.SIGHUP)
    base.wait_for(lambda: base.can_connect(server.port), "the new port")
    submit(server)
    sink.wait(1)
    base.wait_for(lambda: not base.can_connect(old), "the old port to close")


def test_check_finds_a_mistake_with_its_line(relay, sink):
    server = relay(sink.port)
    assert server.cli("check").returncode == 0
    good = base.read_text(server.conf_file)
    base.write_file(server.conf_file, good + "hostnam = 'x'\n")
    done = server.cli("check", check=False)
    line = len(good.splitlines()) + 1
    assert done.returncode == 1
    assert ":%d:" % line in done.text and "hostname" in done.text


def test_a_graceful_stop_finishes_the_transaction(relay, sink):
    server = relay(sink.port)
    with server.client() as idle, server.client() as busy:
        idle.ehlo()
        busy.start().mail("a@client.test", "b@next.test")
        busy.expect("DATA", 354)
        busy.send(client.message(body="first half\r\n"))
        server.signal(signal.SIGTERM)
        assert idle.reply().startswith("421")
        idle.wait_closed()
        busy.send(b"second half\r\n.\r\n")
        assert busy.reply().startswith("250")
        assert busy.wait_closed()[:4] in (b"", b"421 ")
    assert server.process.wait(base.PATIENCE) == 0
    server.stop()
    server.start()
    assert sink.wait(1)[0].body().endswith(b"second half\r\n")


def test_mail_that_waits_survives_a_stop_and_start(relay, sink):
    sink.stop_listening()
    server = relay(sink.port)
    for number in range(5):
        submit(server, "kept-%d@client" % number)
    server.stop()
    sink.start()
    server.start()
    sink.wait(5)
    server.wait_empty()
    assert len(sink.messages) == 5


def test_ids_are_not_used_again_after_a_restart(relay, sink):
    server = relay(sink.port)
    submit(server)
    server.wait_log(r"Message finished MID \d+ done")
    server.stop()
    server.start()
    submit(server)
    sink.wait(2)
    server.wait_log(r"Message finished MID \d+ done", 2)
    for pattern in (r"Start MID (\d+) ", r"New SMTP ICID (\d+) ",
                    r"New SMTP DCID (\d+) "):
        ids = [match.group(1) for match in server.wait_log(pattern, 2)]
        assert len(ids) == len(set(ids)), ids


def test_a_killed_worker_is_replaced_and_its_mail_tried_within_5_s(relay,
                                                                   sink):
    sink.fault("dot", sinks.Slow("250 2.0.0 never said", before=600),
               times=1)
    server = relay(sink.port, {"bounce_profile": {"default": {
        "first_retry": "1h", "max_retry": "1h"}}})
    submit(server)
    sink.wait_command("DATA")
    before = server.worker_pids()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    sink.wait(1)
    took = sink.messages[0].time - killed
    print("tried again %.2f s after the kill" % took)
    assert took < 5
    base.wait_for(lambda: len(server.worker_pids()) == len(before) and
                  not set(before) & set(server.worker_pids()),
                  "new workers in place of the old")


def test_one_killed_worker_does_not_disturb_the_others(relay, sink):
    server = relay(sink.port, {"workers": 3})
    victim = server.wait_workers(3)[0]
    os.kill(victim, signal.SIGKILL)
    for number in range(30):
        submit(server, "disturbed-%d@client" % number)
    sink.wait(30)
    base.wait_for(lambda: len(server.worker_pids()) == 3, "three workers")


def test_a_worker_that_dies_at_every_start_does_not_spin(relay, sink):
    server = relay(sink.port)
    deaths = 0
    end = time.monotonic() + 3
    while time.monotonic() < end:
        for pid in server.worker_pids():
            os.kill(pid, signal.SIGKILL)
            deaths += 1
        time.sleep(0.01)
    print("%d deaths in 3 s" % deaths)
    assert deaths < 100
    base.wait_for(server.worker_pids, "a worker after the back-off")
    submit(server)
    sink.wait(1)


def test_a_killed_master_takes_its_workers_along(relay, sink):
    server = relay(sink.port)
    workers = server.wait_workers()
    os.kill(server.master_pid(), signal.SIGKILL)
    server.process.wait()
    base.wait_for(lambda: not any(map(procs.alive, workers)),
                  "the workers to end")
    server.kill()
    server.start()
    submit(server)
    sink.wait(1)


def test_usr1_reopens_the_logs(relay, sink):
    server = relay(sink.port)
    submit(server, "before@rotation")
    server.wait_log(r"Message-ID '<before@rotation>'")
    for path in (server.log_file, server.json_file):
        os.rename(path, path + ".1")
    server.signal(signal.SIGUSR1)
    base.wait_for(lambda: os.path.exists(server.log_file) and
                  os.path.exists(server.json_file), "new log files")

    def new_file_is_used():
        submit(server, "after@rotation")
        return "after@rotation" in base.read_text(server.log_file)
    base.wait_for(new_file_is_used, "lines in the new file")
    assert "after@rotation" in base.read_text(server.json_file)
    assert "before@rotation" not in base.read_text(server.log_file)


def test_version_and_help_say_something():
    for words in (["version"], ["help"], ["serve", "--help"],
                  ["queue", "--help"], ["log", "--help"]):
        done = base.run([base.POSTERN_BIN] + words)
        assert done.text.strip()
    assert base.run([base.POSTERN_BIN, "nonsense"],
                    check=False).returncode == 2


def test_status_tells_of_the_workers(relay, sink):
    server = relay(sink.port)
    assert server.cli("status").text
    assert server.cli_json("status")
