"""What people edit: drafted, committed, in force, taken back."""

import json
import os
import re
import signal
import socket
import ssl
import threading

import pytest

from lib import base
from lib.client import message

DRAFT = "There are uncommitted changes"


def config(relay, *args, code=0):
    """What `postern config` says."""
    done = relay.cli("config", *args, check=False)
    assert done.returncode == code, (args, done.returncode, done.text)
    return done.text


def commit(relay, *words, code=0):
    done = relay.cli("commit", *words, check=False)
    assert done.returncode == code, (words, done.returncode, done.text)
    return done.text


def status(relay):
    return json.loads(relay.cli("config", "status", "--json").text)


def ask_status(relay, name):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(os.path.join(relay.run_dir, name + ".sock"))
        sock.settimeout(base.PATIENCE)
        sock.sendall(b'{"verb":"status"}\n')
        return [json.loads(line) for line in sock.makefile()]


def settled(relay):
    """All workers have switched, as soon as the commit has returned."""
    rows = ask_status(relay, "master")
    in_force = rows[-1]["generation"]
    assert {row["generation"] for row in rows if "worker" in row} == {in_force}
    for row in rows:
        if "worker" in row:
            own = ask_status(relay, "worker-%d" % row["worker"])
            assert own[0]["generation"] == in_force, (row["worker"], own)


def store(relay):
    return os.path.join(relay.spool, "config", "revisions.db")


def send(relay, *recipients):
    """A message each, on connections of their own: both workers get some."""
    for address in recipients:
        with relay.client() as client:
            client.start()
            client.deliver("a@b.test", [address], message())
            client.quit()





def delayed(relay):
    """Messages that wait because TLS could not be had."""
    return set(re.findall(r"Delayed: DCID \d+ MID (\d+) .*not-supported",
                          "\n".join(relay.log_lines())))


@pytest.fixture
def server(relay, sink):
    return relay(sink.port)


def test_a_commit_changes_deliveries_of_a_relay_that_runs(server, sink):
    first = ["r%d@example.com" % i for i in range(6)]
    later = ["s%d@example.com" % i for i in range(6)]
    config(server, "set", "destination", "Example.COM", "tls=none")
    commit(server, "as", "it", "was")
    assert DRAFT in config(server, "set", "destination", "example.com",
                           "tls=required")
    send(server, *first)
    server.wait_empty()  # it is not in force yet
    said = commit(server, "partner asks for TLS")
    assert "Revision 2: 1 object changed." in said
    assert "The relay has taken it." in said
    settled(server)
    send(server, *later)
    base.wait_for(lambda: len(delayed(server)) == len(later), server.tail)
    assert len(sink.messages) == len(first)
    assert "Revision 3" in config(server, "rollback", "1", "not", "ready")
    server.wait_empty()
    assert len(sink.messages) == len(first) + len(later)
    assert status(server)["in_force"] == 3
    log = json.loads(config(server, "log", "--json"))
    assert [x["comment"] for x in log] == ["not ready",
                                           "partner asks for TLS", "as it was"]


def test_all_workers_follow_before_a_commit_returns(relay, sink):
    server = relay(sink.port, config={"workers": 4})
    for n in range(1, 13):
        config(server, "set", "listener", "inbound", "banner_text=now-%d" % n)
        commit(server)
        settled(server)
        peers = [server.client() for _ in range(12)]
        assert {peer.banner.rpartition(" ")[2] for peer in peers} == {
            "now-%d" % n}
        for peer in peers:
            peer.close()


def test_a_worker_that_ends_amid_the_switch_holds_up_no_commit(relay, sink):
    server = relay(sink.port, config={"workers": 4})
    for n in range(1, 5):
        config(server, "set", "listener", "inbound", "banner_text=now-%d" % n)
        pid = server.wait_workers(4)[n - 1]
        killer = threading.Thread(target=os.kill, args=(pid, signal.SIGKILL))
        killer.start()
        done = server.cli("commit", check=False)
        killer.join()
        if done.returncode != 0:
            assert "ended while it was to prepare it" in done.text
            commit(server)
        server.wait_workers(4)


def test_what_the_relay_refuses_has_never_been(server):
    config(server, "set", "delivery", "concurrency=7")
    commit(server)
    config(server, "set", "listener", "inbound", "address=192.0.2.1:2525")
    said = commit(server, code=1)
    assert "the relay has not taken it" in said
    assert "192.0.2.1:2525" in said
    now = status(server)
    assert (now["head"]["revision"], now["in_force"]) == (1, 1)
    assert now["uncommitted"] == 1
    with server.client() as client:
        client.start()
    config(server, "clear")
    assert status(server)["uncommitted"] == 0
    config(server, "set", "delivery", "concurrency=8")
    assert "Revision 2" in commit(server)


def test_what_is_broken_is_not_even_proposed(server):
    assert ('destination "x.test": unknown setting "tsl" in destination '
            '(did you mean "tls"?)') in config(
                server, "set", "destination", "x.test", "tsl=none", code=1)
    assert 'did you mean "destination"' in config(
        server, "set", "destinaton", "x.test", "tls=none", code=1)
    assert "belongs in the boot file" in config(
        server, "set", "tls", "keys=in-process", code=1)
    config(server, "set", "route", "x.test", "hosts=127.0.0.1:25",
           "auth_user=u", "auth_password_file=/no/such/file")
    assert "/no/such/file" in commit(server, code=1)
    assert status(server)["head"] is None


@pytest.mark.parametrize("command", [
    ["config", "set", "delivery", "concurrency=7"],
    ["destconfig", "set", "x.test", "tls=required"],
    ["bounceconfig", "new", "slow", "max_retries=3"],
    ["alertconfig", "setup", "initial_wait=5s"],
    ["listenerconfig", "policy", "set", "LOOSE", "message_size=5000"],
    ["profile", "client", "require-verify"],
    ["import", "postfix-transport", "TABLE"]])
def test_what_is_of_this_node_only_is_warned_of(server, command):
    table = server.add_file("table", "a.test smtp:[127.0.0.1]:26\n")
    rest = [table if word == "TABLE" else word for word in command[1:]]
    warned = "warning: this is for this node only"

    def said(*options):
        return base.run([base.POSTERN_BIN, command[0], "-c",
                         server.conf_file] + list(options) + rest).text
    assert warned not in said()
    config(server, "clear")
    assert said("--node").count(warned) == 1
    assert status(server)["uncommitted"] == 1


def test_changes_can_be_seen_and_dropped(server):
    config(server, "set", "destination", "x.test", "tls=none")
    commit(server)
    config(server, "set", "destination", "x.test", "tls=required",
           "certificate=mail")
    config(server, "set", "--node", "bounce_profile", "default", "warn=yes")
    assert config(server, "diff") == (
        '+ bounce_profile "default" {\n'
        '+   warn = true,\n'
        '+ }\n'
        '  destination "x.test" {\n'
        '-   tls = "none",\n'
        '+   tls = "required",\n'
        '+   certificate = "mail",\n'
        '  }\n')
    shown = config(server, "show")
    assert '-- uncommitted, by ' in shown
    assert '-- of this node only\nbounce_profile "default"' in shown
    assert config(server, "show", "head") == (
        'destination "x.test" {\n  tls = "none",\n}\n')
    assert "2 uncommitted changes were dropped" in config(server, "clear")
    assert config(server, "diff") == ""
    assert "nothing to commit" in commit(server, code=1)


def test_changes_are_dropped_by_one_word(server):
    """As they are committed by one."""
    config(server, "set", "destination", "x.test", "tls=none")
    said = config(server, "set", "delivery", "concurrency=7")
    assert '"postern clear" drops them' in said
    refused = server.cli("clear", "delivery", check=False)
    assert refused.returncode == 2
    assert "postern clear [-c FILE] [--json]" in refused.text
    assert status(server)["uncommitted"] == 2
    assert server.cli("clear").text == "2 uncommitted changes were dropped.\n"
    assert config(server, "show") == ""
    config(server, "set", "delivery", "concurrency=7")
    assert json.loads(server.cli("clear", "--json").text) == {"dropped": 1}
    assert server.cli("clear").text == "0 uncommitted changes were dropped.\n"
    assert "  clear          drop uncommitted changes\n" in \
        server.cli("help", check=False).text


def test_the_store_has_the_last_word_setting_by_setting(relay, sink):
    server = relay(sink.port, config={"destination": {"Example.com": {
        "tls": "none", "certificate": ""}}})
    config(server, "set", "destination", "example.COM", "tls=required")
    assert '-- hides tls = "none" of ' in config(server, "show")
    commit(server)
    dump = server.cli("check", "--dump").text
    assert ('destination "Example.com" {\n'
            '  tls = "required",\n'
            '  certificate = "",\n'
            '  concurrency = 0,\n'
            '  limit_by = nil,\n'
            '  max_messages = 0,\n'
            '  recipients = 0,\n'
            '  recipient_minutes = 0,\n'
            '  ip = nil,\n'
            '  bounce_profile = "",\n'
            '  bounce_verification = nil,\n'
            '  route = "",\n'
            '}') in dump
    assert "counts again" in config(server, "delete", "destination",
                                    "example.com")
    commit(server)
    assert 'tls = "none"' in server.cli("check", "--dump").text


def test_a_broken_store_stops_a_start_and_no_relay_that_runs(server):
    config(server, "set", "delivery", "concurrency=7")
    commit(server)
    with open(store(server), "r+b") as file:
        file.write(b"this is not a database at all")
    server.signal(signal.SIGHUP)
    server.wait_log("stays: .*revisions.db: file is not a database")
    with server.client() as client:
        client.start()
    server.stop()
    said = server.cli("serve", check=False)
    assert said.returncode == 1
    assert "revisions.db: file is not a database" in said.text


def test_a_store_that_others_can_write_to_is_refused(server):
    config(server, "set", "delivery", "concurrency=7")
    commit(server)
    os.chmod(os.path.dirname(store(server)), 0o777)
    server.signal(signal.SIGHUP)
    server.wait_log("stays: .*others may write to it")
    assert "others may write to it" in config(server, "status", code=1)


def test_a_commit_without_a_relay_is_there_at_its_start(server):
    server.stop()
    config(server, "set", "delivery", "concurrency=7")
    assert "it will take it when it starts" in commit(server)
    server.start()
    assert status(server)["in_force"] == 1


def test_a_text_is_edited_as_a_whole_or_refused(server):
    config(server, "set", "destination", "x.test", "tls=none")
    editor = server.add_file("editor", "")

    def edit(script, code=0):
        base.write_file(editor, "#!/bin/sh\n" + script)
        os.chmod(editor, 0o755)
        done = server.cli("config", "edit", check=False,
                          env=dict(os.environ, VISUAL=editor))
        assert done.returncode == code, done.text
        return done.text

    edit('echo \'destination "y.test" { tls = "required" }\' >> "$1"\n')
    assert 'destination "y.test"' in config(server, "show")
    said = edit('echo \'destination "z.test" { tls = "x" }\' >> "$1"\n', 1)
    assert ':7: tls: "x" is no TLS level' in said
    kept = said.split("your text is in ")[1].strip()
    assert 'destination "z.test"' in base.read_text(kept)
    os.unlink(kept)
    said = edit('%s config -c %s set delivery concurrency=9\n'
                'echo \'destination "z.test" { }\' >> "$1"\n' % (
                    base.POSTERN_BIN, server.conf_file), 1)
    assert "somebody else has changed" in said
    os.unlink(said.split("your text is in ")[1].strip())
    assert "z.test" not in config(server, "show")
    assert "Nothing was changed" in edit("true\n")


def shown_key(port):
    """The certificate that is shown, as DER."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        lines = sock.makefile("rb")
        assert lines.readline().startswith(b"220")
        sock.sendall(b"EHLO test\r\n")
        while not (line := lines.readline()).startswith(b"250 "):
            assert line
        sock.sendall(b"STARTTLS\r\n")
        assert lines.readline().startswith(b"220")
        with context.wrap_socket(sock) as tls:
            return tls.getpeercert(binary_form=True)


def test_certificates_and_keys_are_saved_and_loaded(relay):
    without = {"listener": {"inbound": {"cert": None, "key": None}}}
    old, new = relay(config=without), relay(config=without)
    secret = old.add_file("secret", "correct horse\n")
    saved = os.path.join(old.dir, "conf", "saved")
    old.cli("certconfig", "create", "mail", "--cn", "mx.test", "--key", "p256")
    said = old.cli("certconfig", "csr", "mail").text
    assert "Warning" not in said
    config(old, "set", "destination", "x.test", "tls=required")
    said = old.cli("certconfig", "csr", "mail").text
    assert "Warning: commit before you have this request signed." in said
    old.cli("certconfig", "assign", "mail", "listener:inbound")
    config(old, "save", saved, "--passphrase-file", secret)
    text = base.read_text(saved)
    assert "PRIVATE KEY" not in text and 'certificate "mail" {' in text
    assert os.stat(saved).st_mode & 0o777 == 0o600
    wrong = new.add_file("wrong", "battery staple\n")
    said = config(new, "load", saved, "--passphrase-file", wrong, code=1)
    assert '%s:5: certificate "mail": ' % saved in said
    assert config(new, "show") == ""
    config(new, "load", saved, "--passphrase-file", secret)
    assert config(new, "show", "draft").endswith(
        'destination "x.test" {\n  tls = "required",\n}\n')
    assert "Revision 1" in commit(new)
    assert shown_key(new.port) == shown_key(old.port)
    again = os.path.join(new.dir, "conf", "again")
    config(new, "save", again, "--passphrase-file", secret)
    config(new, "load", again, "--passphrase-file", secret)
    assert status(new)["uncommitted"] == 0


def test_a_text_with_a_mistake_is_refused_whole_with_its_line(server):
    config(server, "set", "destination", "x.test", "tls=none")
    path = server.add_file("bad", 'destination "y.test" { tls = "none" }\n'
                           '\n'
                           'delivery {\n'
                           '  concurrency = 9,\n'
                           '  max_messages = 0,\n'
                           '}\n')
    assert "%s:5: max_messages must be within" % path in config(
        server, "load", path, code=1)
    base.write_file(path, 'destination "y.test" { }\nhostname = "x"\n')
    assert '%s:2: "hostname" is no setting of the configuration store' % \
        path in config(server, "load", path, code=1)
    base.write_file(path, 'destination "y.test" { }\n'
                    'destination "Y.TEST" { }\n')
    assert '%s:2: destination "y.test" is there already on line 1' % \
        path in config(server, "load", path, code=1)
    assert config(server, "show").endswith(
        'destination "x.test" {\n  tls = "none",\n}\n')


def test_ten_thousand_objects_are_committed_and_taken(server, sink):
    path = server.add_file("many", "".join(
        'destination "d%d.example" { tls = "required" }\n' % i
        for i in range(10000)))
    config(server, "load", path)
    assert "Revision 1: 10000 objects changed." in commit(server)
    assert status(server)["in_force"] == 1
    send(server, "a@other.example")
    server.wait_empty()
    config(server, "set", "destination", "d77.example", "tls=none")
    assert "Revision 2: 1 object changed." in commit(server)
    settled(server)
    send(server, "a@d77.example")
    server.wait_empty()
    assert len(sink.messages) == 2
