"""Plugins from the boot file to a started instance: what is refused, and that
a refusal keeps what there was."""

import json
import os
import shutil
import signal
import socket
import subprocess

import pytest

from lib import base, luaconf
from lib.client import message

PLUGINS = os.path.join(os.path.dirname(base.POSTERN_BIN), "tests", "plugins")


@pytest.fixture
def config():
    """config(changes): a boot file with plugins; returns its path."""
    folder = base.private_dir("plugins")

    def write(plugin, **changes):
        settings = {
            "hostname": "relay.test",
            "spool": os.path.join(folder, "spool"),
            "run": os.path.join(folder, "run"),
            "plugin_dirs": [PLUGINS],
            "listener": {"x": {"address": "127.0.0.1:2525", "tls": "none"}},
            "plugin": plugin}
        settings.update(changes)
        return base.write_file(os.path.join(folder, "postern.lua"),
                               luaconf.text(settings))
    write.folder = folder
    yield write
    base.remove_dir(folder)


def check(path, *args):
    return base.run([base.POSTERN_BIN, "check", *args, path], check=False)


def refused(path):
    done = check(path)
    assert done.returncode == 1, done
    assert done.text.startswith("postern: " + path), done.text
    return done.text[len("postern: " + path):]


def test_a_sound_plugin_is_sound(config):
    path = config({"plain": {"text": "x"},
                   ("plain", "second"): {"number": 3}})
    done = check(path)
    assert done.returncode == 0, done.text
    dump = check(path, "--dump").text
    assert 'plugin "plain" {' in dump
    assert 'plugin "plain" "second" {' in dump
    assert "  number = 3,\n" in dump


@pytest.mark.parametrize("block, says", [
    ({"numbr": 3}, 'unknown setting "numbr" in plugin "plain" (did you mean '
     '"number"?)'),
    ({"timout": "1s"}, '(did you mean "timeout"?)'),
    ({"number": 101}, 'plugin "plain": number must be within -5..100'),
    ({"number": "x"}, 'plugin "plain": number must be a number'),
    ({"mode": "mild"}, 'plugin "plain": mode must be one of soft|hard'),
    ({"time": "2h"}, 'plugin "plain": time must be within 1s..1h'),
    ({"size": "2M"}, 'plugin "plain": size must be within 1..1M'),
    ({"list": [True]}, 'plugin "plain": list must be a list of strings'),
    ({"refuse": "no"}, 'plugin "plain": refuse must be true or false'),
    ({"secret": "hunter2"}, 'plugin "plain": secret must be "file:PATH" or '
     '"env:NAME"'),
    ({"secret": "file:/no/such"}, 'secret: /no/such: No such file'),
    ({"secret": "env:NO_SUCH_NAME"}, 'secret: NO_SUCH_NAME is not in the '
     'environment'),
    ({"mode": "hard", "number": 0}, 'plugin "plain": hard needs a number'),
])
def test_a_bad_option_is_told_with_its_line(config, block, says):
    said = refused(config({"plain": block}))
    assert said.startswith(":6: "), said
    assert says in said
    assert "hunter2" not in said


@pytest.mark.parametrize("name, says", [
    ("bad_abi", "was built for ABI 99"),
    ("bad_crash", "signal 11 (Segmentation fault) while it was loaded"),
    ("bad_exit", "its process ended without a word"),
    ("bad_missing", "undefined symbol: function_that_nobody_wrote"),
    ("bad_none", "no symbol bad_none_LTX_postern_plugin"),
    ("bad_nowhere", "there is no bad_nowhere.so in " + PLUGINS),
])
def test_a_bad_file_is_told_with_its_place(config, name, says):
    said = refused(config({name: {}}))
    assert said.startswith(':6: '), said
    assert says in said and name in said


def test_a_process_that_a_plugin_leaves_behind_holds_nobody(config):
    path = config({"bad_fork": {}})
    said = os.path.join(config.folder, "said")
    with open(said, "w") as out:
        process = subprocess.Popen([base.POSTERN_BIN, "check", "-c", path],
                                   stdout=out, stderr=out,
                                   start_new_session=True)
        # Its child has the file open as well; the program must end first.
        assert process.wait(base.PATIENCE) == 0, base.read_text(said)
    for pid in left_behind(said):
        os.kill(pid, signal.SIGKILL)


def left_behind(path):
    """Who else has the file open."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.path.realpath("/proc/%s/fd/1" % pid) == path:
                found.append(int(pid))
        except OSError:
            pass
    return found


def test_a_renamed_file_is_refused(config):
    shutil.copy(os.path.join(PLUGINS, ".libs", "plain.so"),
                os.path.join(config.folder, "other.so"))
    said = refused(config({"other": {}}, plugin_dirs=[config.folder]))
    assert "no symbol other_LTX_postern_plugin" in said
    assert "renamed" in said


def test_a_file_that_others_can_write_is_refused(config):
    folder = os.path.join(config.folder, "lib")
    os.mkdir(folder, 0o755)
    file = os.path.join(folder, "plain.so")
    shutil.copy(os.path.join(PLUGINS, ".libs", "plain.so"), file)
    path = config({"plain": {}}, plugin_dirs=[folder])
    assert check(path).returncode == 0
    os.chmod(file, 0o757)
    assert file + " can be written by others" in refused(path)
    os.chmod(file, 0o755)
    os.chmod(folder, 0o777)
    assert folder + " can be written by others" in refused(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user's file")
def test_a_file_of_somebody_else_is_refused(config):
    file = os.path.join(config.folder, "plain.so")
    shutil.copy(os.path.join(PLUGINS, ".libs", "plain.so"), file)
    os.chmod(file, 0o755)
    os.chown(file, 12345, 12345)
    said = refused(config({"plain": {}}, plugin_dirs=[config.folder]))
    assert file + " belongs to user 12345" in said


def test_an_order_must_name_who_is_there(config):
    said = refused(config({"plain": {}}, plugin_order={"mail": ["plian"]}))
    assert 'plugin_order: mail: "plian": there is no such instance (did you ' \
        'mean "plain"?)' in said
    said = refused(config({"plain": {}}, plugin_order={"eom": ["plain"]}))
    assert 'plugin_order: eom: "plain": it has no function there' in said


def test_names_of_a_tls_library_are_warned_of(relay, sink):
    product = relay(sink.port, {"workers": 1, "plugin_dirs": [PLUGINS],
                                "plugin": {"names": {}}})
    product.wait_log('plugin "names": .*names.so exports SSL_new of a TLS '
                     'library')


def ask(product, verb):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(os.path.join(product.run_dir, "worker-0.sock"))
        sock.sendall(json.dumps({"verb": verb}).encode() + b"\n")
        rows = [json.loads(line) for line in sock.makefile()]
    return rows


def test_a_worker_tells_what_it_has_and_in_which_order(relay, sink):
    product = relay(sink.port, {
        "workers": 1, "plugin_dirs": [PLUGINS],
        "plugin": {"plain": {}, ("plain", "second"): {}},
        "plugin_order": {"mail": ["second"]}})
    rows = {row["instance"]: row for row in ask(product, "plugin.list")
            if "instance" in row}
    assert rows["second"]["plugin"] == "plain"
    assert rows["second"]["version"] == "1.2"
    assert rows["plain"]["file"] == os.path.join(PLUGINS, ".libs", "plain.so")
    assert rows["plain"]["hooks"] == ["mail", "start", "stop"]
    assert not rows["plain"]["builtin"] and not rows["plain"]["changed"]
    order = {row["hook"]: row["instances"]
             for row in ask(product, "plugin.order") if "hook" in row}
    assert order["mail"] == [
        {"instance": "second", "why": "named in plugin_order"},
        {"instance": "plain", "why": "order of the blocks"}]


def test_two_instances_have_options_of_their_own(relay, sink):
    secret = b"a secret of 21 octets\nmore\n"
    product = relay(sink.port, {
        "workers": 1, "plugin_dirs": [PLUGINS],
        "plugin_order": {"mail": ["second"]},
        "plugin": {"plain": {"text": "one", "wait": True},
                   ("plain", "second"): {"text": "two", "mode": "hard",
                                         "time": "5s"}}})
    product.wait_log(r"plain: plain starts: one, soft, number 7, time 60000, "
                     r"size 65536, secret of 0 octets")
    product.wait_log(r"plain: second starts: two, hard, number 7, time 5000, ")
    # What only root may read is read by the master.
    path = product.add_file("secret", secret.decode())
    os.chmod(path, 0o600)
    product.write_config({"plugin": {"plain": {"secret": "file:secret"}}})
    product.signal(1)
    product.wait_log(r"plain: plain starts: one, soft, .* secret of 21 octets")
    product.wait_log(r"plain: plain stops")
    product.stop()
    assert not [line for line in product.log_lines() if "a secret of" in line]


def test_a_plugin_that_does_not_start_keeps_the_old_configuration(relay, sink):
    product = relay(sink.port, {
        "workers": 1, "plugin_dirs": [PLUGINS],
        "plugin": {"plain": {"text": "old"}}})
    pid = product.worker_pids()
    product.write_config({"plugin": {"plain": {"text": "new", "refuse": True,
                                               "wait": True}}})
    product.signal(1)
    product.wait_log(r'configuration 1 stays: worker 0: plugin "plain" '
                     r'\(line \d+\) does not start: it does not want to$')
    with product.client() as client:
        client.start()
        client.deliver("a@b.test", ["c@d.test"], message())
    assert not [line for line in product.log_lines() if "plain stops" in line]
    # The next one is taken as ever.
    product.write_config({"plugin": {"plain": {"text": "newer",
                                               "refuse": False}}})
    product.signal(1)
    product.wait_log("plain: plain starts: newer")
    product.wait_log("plain: plain stops")
    assert product.worker_pids() == pid


@pytest.mark.parametrize("name, says", [
    ("bad_crash", r"bad_crash.* signal 11 \(Segmentation fault\)"),
    ("bad_missing", "undefined symbol: function_that_nobody_wrote"),
])
def test_a_reload_with_a_bad_plugin_costs_nobody(relay, sink, name, says):
    product = relay(sink.port, {"workers": 1, "plugin_dirs": [PLUGINS]})
    pid = product.worker_pids()
    product.write_config({"plugin": {name: {}}})
    product.signal(1)
    product.wait_log("configuration 1 stays: .*" + says)
    assert product.worker_pids() == pid


def test_a_first_start_with_a_bad_plugin_says_why(relay, sink, makers):
    product = relay(sink.port, {"workers": 1})
    product.stop()
    product.write_config({"plugin_dirs": [PLUGINS],
                          "plugin": {"plain": {"refuse": True}}})
    product.start(ready=False)
    assert product.process.wait(base.PATIENCE) != 0
    assert 'plugin "plain" (line' in product.tail()
    product.kill()
    product.write_config({"plugin": {"bad_crash": {}}})
    product.start(ready=False)
    assert product.process.wait(base.PATIENCE) != 0
    assert "signal 11 (Segmentation fault)" in product.tail()
    product.kill()
