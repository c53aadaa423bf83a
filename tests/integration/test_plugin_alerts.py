"""Alerts: by mail past the queue, and to a web server."""

import email.utils
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import time

import pytest

from lib import base, certs
from lib.client import message
from lib.webhook import Webhook

PLUGINS = os.path.join(os.path.dirname(base.POSTERN_BIN), "plugins")
MAIL = "alert_mail"
HOOK = "alert_webhook"


def dirs(*names):
    return [os.path.join(PLUGINS, name) for name in names]


def mail_to(sink, **changes):
    block = {"to": ["ops@alerts.test"], "server": "127.0.0.1:%d" % sink.port,
             "initial_wait": "0s"}
    block.update(changes)
    return {"plugin_dirs": dirs(MAIL), "plugin": {MAIL: block}}


def crash(server):
    """One worker ends; its successor is there."""
    pids = server.wait_workers(2)
    os.kill(pids[0], signal.SIGKILL)
    base.wait_for(lambda: pids[0] not in server.worker_pids() and
                  len(server.worker_pids()) == 2, "another worker")


def submit(server, to):
    with server.client() as peer:
        peer.start().deliver("a@client.test", [to], message())


def refuse_reload(server):
    good = base.read_text(server.conf_file)
    base.write_file(server.conf_file, good + "listner 'x' { }\n")
    server.signal(signal.SIGHUP)


def test_a_crashed_worker_is_told_by_mail(relay, sink, make_sink):
    box = make_sink()
    server = relay(sink.port, config=mail_to(box))
    crash(server)
    box.wait(1)
    told = box.messages[0]
    assert told.header("Subject").startswith(
        "Critical <System> relay.test: worker ")
    assert "ended by signal 9" in told.header("Subject")
    assert told.header("From") == "alert@relay.test"
    assert told.header("To") == "ops@alerts.test"
    assert told.header("Auto-Submitted") == "auto-generated"
    server.wait_log(r'A System/Critical alert was sent to ops@alerts\.test '
                    r'with subject "Critical <System> relay\.test: worker')
    server.wait_log(r"Alert System/Critical: worker \d ended by signal 9")
    assert sink.messages == []


def test_a_server_with_tls_gets_it_encrypted(relay, sink, make_sink, folder):
    """libcurl brings OpenSSL into the process that has BoringSSL."""
    box = make_sink(tls=certs.make(folder, "box.test"))
    server = relay(sink.port, config=mail_to(box))
    refuse_reload(server)
    box.wait(1)
    assert any(line.upper() == "STARTTLS" for _, line in box.commands)
    submit(server, "x@b.test")
    sink.wait(1)


def test_a_refused_configuration_is_told_to_those_who_want_it(
        relay, sink, make_sink):
    box = make_sink()
    server = relay(sink.port, config=mail_to(box, to=[
        "all@alerts.test", "none@alerts.test System/Warning,Hardware/all",
        "boss@alerts.test all/Critical"]))
    refuse_reload(server)
    box.wait(2)
    server.wait_log("alert was sent to", count=2)
    assert sorted(box.recipients()) == ["all@alerts.test", "boss@alerts.test"]
    assert b"listner" in box.messages[0].data


def test_a_node_without_sinks_logs_its_alerts(relay, sink):
    server = relay(sink.port)
    crash(server)
    server.wait_log(r"Alert System/Critical: worker \d ended by signal 9")
    events = [e for e in server.json_lines() if e.get("event") == "alert"]
    assert events[0]["class"] == "System"
    assert events[0]["severity"] == "Critical"
    assert events[0]["key"].startswith("worker:")


def test_tls_that_is_required_alerts_if_the_switch_is_on(
        relay, make_sink):
    plain, box = make_sink(), make_sink()
    config = mail_to(box)
    config["destination"] = {"b.test": {"tls": "required"}}
    config["delivery"] = {"alert_required_tls": True}
    server = relay(plain.port, config=config)
    submit(server, "x@b.test")
    box.wait(1)
    told = box.messages[0]
    assert told.header("Subject").startswith(
        "Warning <System> relay.test: TLS that is required for ")
    assert b"Matter: tls:" in told.data
    # The queue is stuck; the alert was not in it.
    assert plain.messages == []
    assert server.queue_count() == 1


def facts(mail):
    """The lines of an alert, by their first words; the first "Host: " is the
    next hop's, the second the relay's own."""
    lines = mail.body().decode().split("\r\n")
    found = {}
    for line in lines[1:]:
        name, colon, value = line.partition(": ")
        if colon:
            found.setdefault(name, value)
    return lines[0], found


def seconds(date):
    return email.utils.parsedate_to_datetime(date).timestamp()


def wait_mail(box, state, **more):
    """The first that is of that state and has these lines."""
    def found():
        for mail in list(box.messages):
            _, has = facts(mail)
            if has["Episode"].endswith(", " + state) and all(
                    has[name] == value for name, value in more.items()):
                return mail
        return None
    return base.wait_for(found, lambda: "an alert %r with %r, not %r" % (
        state, more, [facts(mail) for mail in box.messages]))


def records(text):
    path = base.write_file(os.path.join(base.private_dir("zone"), "records"),
                           text)
    os.chmod(os.path.dirname(path), 0o755)
    os.chmod(path, 0o644)
    return path


def b_test_needs_tls(box, hop):
    return {
        **mail_to(box), "workers": 1,
        "dns": {"records": records("b.test. 60 IN MX 10 mx.b.test.\n"
                                   "mx.b.test. 60 IN A 127.0.0.1\n")},
        "destination": {"b.test": {"tls": "required"}},
        "delivery": {"port": hop.port, "alert_required_tls": True,
                     "host_backoff": "100ms", "host_backoff_max": "300ms",
                     "idle": "0s"},
        "bounce_profile": {"default": {
            "first_retry": "300ms", "max_retry": "500ms", "jitter": 0,
            "lifetime": "3h"}}}


def test_mails_of_an_episode_have_all_that_administrators_ask_for(
        relay, make_sink, folder):
    """Domain, MX, address, reason, messages held, the oldest, the deadline:
    when it is opened, while it goes on, and when it is over."""
    hop, box = make_sink(), make_sink()
    server = relay(None, config=b_test_needs_tls(box, hop))
    before = int(time.time())
    submit(server, "x@b.test")
    after = time.time()
    opened = wait_mail(box, "opened")
    submit(server, "y@b.test")
    submit(server, "z@b.test")
    updated = wait_mail(box, "updated", **{"Messages held": "3"})
    hop.tls = certs.make(folder, "mx.b.test")
    resolved = wait_mail(box, "resolved")
    server.wait_empty()

    for mail, held in (opened, "1"), (updated, "3"):
        text, has = facts(mail)
        assert has["Domain"] == "b.test"
        assert re.fullmatch(r"mx\.b\.test \[127\.0\.0\.1\], [1-9]\d* "
                            r"times: .*STARTTLS.*", has["Host"]), has
        assert has["Cause"] == \
            "starttls-not-supported (STARTTLS not offered)"
        assert "b.test" in text and "STARTTLS not offered" in text
        assert has["Messages held"] == held
        oldest = seconds(has["The oldest is of"])
        assert before <= oldest <= after
        assert seconds(has["The first is given up on"]) == oldest + 3 * 3600
        assert "Resolved" not in has
    assert "messages held: 3" in facts(updated)[0]
    assert int(facts(updated)[1]["Attempts that failed"]) >= 3

    text, has = facts(resolved)
    assert text.startswith("TLS that is required for b.test can be had again")
    assert has["Domain"] == "b.test"
    assert has["Host"].startswith("mx.b.test [127.0.0.1], ")
    assert has["Cause"] == "starttls-not-supported (STARTTLS not offered)"
    # Those that went through are not held any more.
    still = int(has["Messages held"])
    assert still <= 3 and 1 <= int(has["Messages delivered since"]) <= 3
    assert has["Messages given up since"] == "0"
    for name in "The oldest is of", "The first is given up on":
        assert (name in has) == (still > 0)
    assert seconds(has["Resolved"]) >= seconds(has["First"])
    assert "Lasted" in has
    for mail in opened, updated, resolved:
        assert facts(mail)[1]["Matter"] == "tls:b.test:starttls-not-supported"


def test_the_mail_of_an_episode_that_ends_without_tls_says_that_none_waits(
        relay, make_sink):
    hop, box = make_sink(), make_sink()
    server = relay(None, config=b_test_needs_tls(box, hop))
    submit(server, "x@b.test")
    wait_mail(box, "opened")
    server.cli("queue", "delete", "--all")
    text, has = facts(wait_mail(box, "resolved"))
    assert text.startswith("No message waits any more for TLS that is "
                           "required for b.test")
    assert has["Host"].startswith("mx.b.test [127.0.0.1], ")
    assert has["Cause"] == "starttls-not-supported (STARTTLS not offered)"
    assert has["Messages held"] == has["Messages delivered since"] == "0"
    assert "The oldest is of" not in has
    assert "The first is given up on" not in has


def test_tls_that_is_required_does_not_alert_by_default(relay, make_sink):
    plain, box = make_sink(), make_sink()
    config = mail_to(box)
    config["destination"] = {"b.test": {"tls": "required"}}
    server = relay(plain.port, config=config)
    submit(server, "x@b.test")
    server.wait_log("TLS was required but could not be")
    refuse_reload(server)
    box.wait(1)
    assert "configuration was refused" in box.messages[0].header("Subject")


def test_what_comes_again_is_gathered(relay, sink, make_sink):
    box = make_sink()
    server = relay(sink.port, config=mail_to(box, initial_wait="2s",
                                             maximum_wait="1h"))
    for i in range(3):
        refuse_reload(server)
        server.wait_log("Alert System/Critical: a new configuration",
                        count=i + 1)
    box.wait(2)
    assert b"since the last message: 2;" in box.messages[1].data


def test_what_was_told_stays_told_over_a_reload(relay, make_sink):
    plain, box = make_sink(), make_sink()
    config = mail_to(box, initial_wait="1h", maximum_wait="1d")
    config["destination"] = {"b.test": {"tls": "required"}}
    config["delivery"] = {"alert_required_tls": True}
    server = relay(plain.port, config=config)
    good = base.read_text(server.conf_file)
    refuse_reload(server)
    box.wait(1)
    base.write_file(server.conf_file, good)
    server.signal(signal.SIGHUP)
    server.wait_log("configuration 2 is in force")
    for i in range(2):
        refuse_reload(server)
        server.wait_log("Alert System/Critical: a new configuration",
                        count=i + 2)
    submit(server, "x@b.test")      # another matter
    box.wait(2)
    assert "configuration was refused" in box.messages[0].header("Subject")
    assert "TLS that is required" in box.messages[1].header("Subject")
    server.wait_log("alert was sent to", count=2)
    assert len(box.messages) == 2


def test_hosts_that_are_down_are_in_nobodys_way(relay, sink, make_sink):
    """Each of the first would be waited for three minutes."""
    box = make_sink()
    box.fault("rcpt", "450 4.2.0 not now", when="down")
    down = ["down%d@alerts.test" % i for i in range(6)]
    server = relay(sink.port, config=mail_to(box, to=down + [
        "ops@alerts.test"]))
    refuse_reload(server)
    box.wait(1)
    assert box.recipients() == ["ops@alerts.test"]
    server.wait_log("Unable to send System/Critical alert to down", 6)
    box.clear_faults()
    server.write_config()
    server.signal(signal.SIGHUP)
    box.wait(7)
    server.wait_log("A System/Critical alert was sent to", 7)
    server.stop()
    assert sorted(box.recipients()) == down + ["ops@alerts.test"]


def test_hosts_that_hang_are_in_nobodys_way(relay, sink, make_sink, folder):
    """They take the connection and say nothing, for longer than the plugin has
    for other work: neither its threads are lost, nor is that an alert."""
    box = make_sink()
    records = base.write_file(os.path.join(folder, "zone"), """\
hung.test. MX 10 silent.test.
half.test. MX 10 silent.test.
half.test. MX 20 mx.test.
well.test. MX 10 mx.test.
silent.test. A 127.0.0.2
mx.test. A 127.0.0.1
""")
    os.chmod(records, 0o644)
    to = ["h%d@hung.test" % i for i in range(4)]
    to += ["ops@half.test", "ops@well.test"]
    config = mail_to(box, to=to, server="", port=box.port, patience="5s",
                     timeout="1s")
    config["dns"] = {"records": records}
    with socket.create_server(("127.0.0.2", box.port)):
        server = relay(sink.port, config=config)
        refuse_reload(server)
        box.wait(2)
        server.wait_log("Unable to send System/Critical alert to h", 4)
        server.wait_log("A System/Critical alert was sent to", 2)
        assert "has not come back" not in server.tail()
        server.stop()
    assert box.recipients() == ["ops@half.test", "ops@well.test"]


@pytest.mark.parametrize("moved", [False, True], ids=["same", "moved"])
def test_what_waits_for_another_try_is_sent_after_a_reload(
        relay, sink, make_sink, moved):
    """The next try is a minute away, and there may be another host by then."""
    box = make_sink()
    box.fault("rcpt", "450 4.2.0 not now")
    server = relay(sink.port, config=mail_to(box))
    refuse_reload(server)
    server.wait_log("Unable to send System/Critical alert to "
                    r"ops@alerts\.test")
    if moved:
        box = make_sink()
    else:
        box.clear_faults()
    server.write_config({"plugin": {MAIL: {
        "server": "127.0.0.1:%d" % box.port}}})
    server.signal(signal.SIGHUP)
    server.wait_log("configuration 2 is in force")
    box.wait(1)
    assert "configuration was refused" in box.messages[0].header("Subject")
    server.wait_log(r"A System/Critical alert was sent to ops@alerts\.test")
    assert not [line for line in server.log_lines()
                if "stopped before" in line]
    server.stop()
    assert len(box.messages) == 1


def test_an_alert_that_cannot_be_sent_is_no_alert(relay, sink, make_sink):
    deaf = base.free_port()

    class Nobody:
        port = deaf
    server = relay(sink.port, config=mail_to(Nobody))
    refuse_reload(server)
    server.wait_log(r"Error while sending alert: Unable to send "
                    r"System/Critical alert to ops@alerts\.test: ")
    assert server.tail().count(": Alert System") == 1


def hook_config(url, folder, **changes):
    secret = base.write_file(os.path.join(folder, "secret"), "Jefe\n")
    block = {"url": url, "secret": "file:" + secret, "initial_wait": "0s"}
    block.update(changes)
    return {"plugin_dirs": dirs(HOOK), "plugin": {HOOK: block}}


@pytest.fixture
def folder():
    path = base.private_dir("hook")
    os.chmod(path, 0o755)
    yield path
    base.remove_dir(path)


def test_a_webhook_gets_signed_json_over_https(relay, sink, makers, folder):
    pair = certs.make(folder, "localhost")
    os.chmod(pair.cert, 0o644)
    hook = makers.add(Webhook(codes=[503], tls=pair))
    server = relay(sink.port, config=hook_config(
        "https://localhost:%d/x" % hook.port, folder, ca_file=pair.cert))
    refuse_reload(server)
    hook.wait(2)            # the first time it answered 503
    headers, body = hook.posts[1]
    want = hmac.new(b"Jefe", body, hashlib.sha256).hexdigest()
    assert headers["X-Postern-Signature"] == "sha256=" + want
    told = json.loads(body)
    assert told["class"] == "System" and told["severity"] == "Critical"
    assert told["key"] == "reload" and "listner" in told["detail"]
    assert told["host"] == "relay.test" and told["gathered"] == 0
    server.wait_log("it answers 503, next try in 1 s")
    server.wait_log("An alert was posted to https://localhost")


@pytest.mark.parametrize("name", ["wrong-name", "wrong-root"])
def test_a_webhook_with_a_bad_certificate_gets_nothing(
        relay, sink, makers, folder, name):
    pair = certs.make(folder, "localhost" if name == "wrong-root" else
                      "elsewhere.test")
    other = certs.make(folder, "other.test")
    root = other.cert if name == "wrong-root" else pair.cert
    os.chmod(root, 0o644)
    hook = makers.add(Webhook(tls=pair))
    server = relay(sink.port, config=hook_config(
        "https://localhost:%d/x" % hook.port, folder, ca_file=root))
    refuse_reload(server)
    server.wait_log(r"Error while sending alert: .*TLS with localhost")
    assert hook.posts == []


def test_a_server_that_speaks_no_http_is_told_of(relay, sink, folder):
    with socket.create_server(("127.0.0.1", 0)) as server_socket:
        port = server_socket.getsockname()[1]
        server = relay(sink.port, config=hook_config(
            "http://127.0.0.1:%d/" % port, folder, tries=1))
        refuse_reload(server)
        peer, _ = server_socket.accept()
        with peer:
            peer.sendall(b"220 mail.test ESMTP\r\n")
            server.wait_log("the answer is not HTTP, given up")


def test_the_queue_full_of_failures_stops_no_alert(relay, make_sink):
    stuck, box = make_sink(), make_sink()
    stuck.fault("mail", "451 4.3.0 not now")
    server = relay(stuck.port, config=mail_to(box))
    for n in range(20):
        submit(server, "x%d@b.test" % n)
    server.wait_log("Delayed: ", count=20)
    assert server.queue_count() == 20
    refuse_reload(server)
    box.wait(1)
    assert stuck.messages == []
