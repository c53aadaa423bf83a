"""Episodes: one alert for a domain and a cause, from its opening to its end."""

import json
import os
import signal

import pytest

from lib import base, certs, postfix
from lib.client import message
from lib.postern_sink import PosternSink
from lib.webhook import Webhook

HOOK = os.path.join(os.path.dirname(base.POSTERN_BIN), "plugins",
                    "alert_webhook")
QUICK = {"host_backoff": "100ms", "host_backoff_max": "300ms", "idle": "0s"}


@pytest.fixture
def hook(makers):
    return makers.add(Webhook())


@pytest.fixture
def pair():
    path = base.private_dir("peer")
    yield certs.make(path, "b.test")
    base.remove_dir(path)


def config(hook=None, alerts=True, **more):
    changes = {
        "destination": {"b.test": {"tls": "required"}},
        "delivery": dict(QUICK, alert_required_tls=alerts),
        "bounce_profile": {"default": {
            "first_retry": "300ms", "max_retry": "500ms", "jitter": 0}}}
    if hook is not None:
        changes["plugin_dirs"] = [HOOK]
        changes["plugin"] = {"alert_webhook": {
            "url": "http://127.0.0.1:%d/" % hook.port, "initial_wait": "0s"}}
    changes.update(more)
    return changes


def submit(server, to="x@b.test"):
    """On a connection of its own, for any worker."""
    with server.client() as peer:
        peer.start().deliver("a@client.test", [to], message())


def each_worker_holds(server, at_least=3):
    """Sends until each of them has a message; how many there are."""
    sent = 0

    def both():
        nonlocal sent
        if sent >= at_least and all(
                each["queue"]["messages"] > 0
                for each in server.cli_json("status")[0]["workers"]):
            return sent
        submit(server, "x%d@b.test" % sent)
        sent += 1
        return None
    return base.wait_for(both, "a message in each worker")


def rows(server, *args):
    return json.loads(server.cli("displayalerts", *args, "--json").text)


def wait_open(server, **facts):
    """The one that is open, once these are its facts."""
    def found():
        seen = rows(server, "--open")
        return seen[0] if len(seen) == 1 and all(
            seen[0][name] == value for name, value in facts.items()) else None
    return base.wait_for(found, lambda: "an episode with %r, not %r" % (
        facts, rows(server, "--open")))


def wait_none_open(server):
    base.wait_for(lambda: not rows(server, "--open"),
                  lambda: "no open episode, but %r" % rows(server, "--open"))


def wait_state(server, state):
    """The last alert, once it is of that state."""
    def found():
        seen = rows(server, "100")
        return seen[-1] if seen and seen[-1]["state"] == state else None
    return base.wait_for(found, lambda: "an alert %r, not %r" % (
        state, rows(server, "100")))


def posted(hook):
    return [json.loads(body) for _, body in hook.posts]


def wait_posted(hook, state):
    def found():
        return [each for each in posted(hook)
                if each.get("episode", {}).get("state") == state]
    return base.wait_for(found, lambda: "%r, not %r" % (state, posted(hook)))


def of(hook, state):
    return [each for each in posted(hook)
            if each.get("episode", {}).get("state") == state]


def test_many_failures_are_one_alert_until_mail_goes_through(
        relay, make_sink, hook, pair):
    peer = make_sink()
    server = relay(peer.port, config=config(hook))
    sent = each_worker_holds(server)
    now = wait_open(server, held=sent)
    assert now["domain"] == "b.test"
    assert now["cause"] == "starttls-not-supported"
    assert now["hosts"][0]["ip"] == "127.0.0.1"
    assert now["oldest"] > 0 and now["deadline"] > now["oldest"]
    opened = wait_posted(hook, "opened")[0]
    assert opened["text"] == ("TLS that is required for b.test could not be "
                              "had: STARTTLS not offered")
    assert opened["severity"] == "Warning" and opened["class"] == "System"
    assert opened["key"] == "tls:b.test:starttls-not-supported"
    assert "Messages held: " in opened["detail"]
    updated = wait_posted(hook, "updated")[-1]
    assert updated["episode"]["held"] == sent
    assert updated["episode"]["attempts"] > sent
    peer.tls = pair
    server.wait_empty()
    resolved = wait_posted(hook, "resolved")[0]
    assert "can be had again" in resolved["text"]
    assert resolved["episode"]["resolved_ms"] > 0
    wait_none_open(server)
    assert len(of(hook, "opened")) == len(of(hook, "resolved")) == 1
    assert len(server.wait_log("Alert System/Warning: TLS that is required "
                               "for b.test could not")) == 1
    states = [each["state"] for each in rows(server, "100")]
    assert states == ["opened", "updated", "resolved"]


def test_a_postfix_that_gets_its_certificate_ends_it(
        relay, makers, hook, pair):
    peer = makers.add(postfix.Postfix()).start()
    server = relay(peer.port, config=config(hook))
    sent = each_worker_holds(server)
    now = wait_open(server, held=sent)
    assert now["cause"] == "starttls-not-supported"
    wait_posted(hook, "opened")
    peer.reload(smtpd_tls_security_level="may",
                smtpd_tls_cert_file=pair.cert, smtpd_tls_key_file=pair.key)
    server.wait_empty()
    peer.wait_mails(sent)
    wait_posted(hook, "resolved")
    wait_none_open(server)
    assert len(of(hook, "opened")) == len(of(hook, "resolved")) == 1


def test_a_worker_that_is_killed_opens_nothing_anew(
        relay, make_sink, hook, pair):
    peer = make_sink()
    server = relay(peer.port, config=config(hook))
    sent = each_worker_holds(server)
    wait_open(server, held=sent)
    wait_posted(hook, "opened")
    for pid in server.worker_pids():
        os.kill(pid, signal.SIGKILL)
        base.wait_for(lambda: pid not in server.worker_pids() and
                      len(server.worker_pids()) == 2, "another worker")
        submit(server)
        sent += 1
        wait_open(server, held=sent)
    peer.tls = pair
    server.wait_empty()
    wait_posted(hook, "resolved")
    wait_none_open(server)
    assert len(of(hook, "opened")) == len(of(hook, "resolved")) == 1


def test_a_restart_goes_on_with_it(relay, make_sink, hook, pair):
    peer = make_sink()
    server = relay(peer.port, config=config(hook))
    submit(server)
    first = wait_open(server, held=1)
    wait_posted(hook, "opened")
    server.stop()
    assert [each["state"] for each in rows(server)][0] == "opened"
    assert rows(server, "--open")[0]["episode"] == first["episode"]
    assert "b.test" in server.cli("displayalerts", "--open").text
    server.start()
    submit(server)
    wait_open(server, held=2, episode=first["episode"])
    peer.tls = pair
    server.wait_empty()
    wait_posted(hook, "resolved")
    wait_none_open(server)
    assert len(of(hook, "opened")) == len(of(hook, "resolved")) == 1


def test_it_ends_when_nothing_is_held_any_more(relay, make_sink, hook):
    server = relay(make_sink().port, config=config(hook))
    submit(server)
    wait_open(server, held=1)
    wait_posted(hook, "opened")
    server.cli("queue", "delete", "--all")
    resolved = wait_posted(hook, "resolved")[0]
    assert resolved["text"].startswith(
        "No message waits any more for TLS that is required for b.test")
    wait_none_open(server)


def test_a_reload_leaves_it_open(relay, make_sink, hook):
    server = relay(make_sink().port, config=config(hook))
    submit(server)
    first = wait_open(server, held=1)
    wait_posted(hook, "opened")
    server.signal(signal.SIGHUP)
    server.wait_log("configuration 2 is in force")
    submit(server)
    assert wait_open(server, held=2)["episode"] == first["episode"]
    assert len(of(hook, "opened")) == 1


def test_it_is_kept_and_shown_though_the_switch_is_off(
        relay, make_sink, pair):
    peer = make_sink()
    server = relay(peer.port, config=config(alerts=False))
    submit(server)
    wait_open(server, held=1)
    assert wait_state(server, "opened")["told"] is False
    base.wait_for(lambda: "1 episodes of required TLS" in
                  server.cli("status").text, "the status to count it")
    metrics = server.cli_json("status")[0]["metrics"]
    assert metrics["tls_episodes"] == 1
    assert metrics["tls_episodes_opened_total"] == 1
    peer.tls = pair
    server.wait_empty()
    wait_none_open(server)
    assert "not sent" in server.cli("displayalerts").text
    assert server.tail().count("Alert System") == 0
    base.wait_for(lambda: server.cli_json("status")[0]["metrics"].get(
        "tls_episodes_resolved_total") == 1, "the metric")


def test_mail_that_needs_no_tls_opens_nothing(relay, make_sink):
    peer = make_sink()
    server = relay(peer.port, config=config())
    submit(server, "x@c.test")
    peer.wait(1)
    server.wait_empty()
    assert rows(server, "--open") == rows(server) == []
    assert "There are no alerts." in server.cli("displayalerts").text


def test_a_wrong_certificate_is_a_cause_of_its_own(relay, makers, hook):
    """And the certificate that is right ends it."""
    bad = makers.add(PosternSink(listen=["cert=self,name=next.test"]))
    server = relay(None, config=config(
        hook, route={"next.test": {"hosts": ["127.0.0.1:%d" % bad.port]}},
        destination={"next.test": {"tls": "required-verify"}}))
    submit(server, "x@next.test")
    now = wait_open(server, held=1)
    assert now["domain"] == "next.test"
    assert now["cause"] == "self-signed"
    bad.end()
    good = makers.add(PosternSink(listen=["cert=good,name=next.test"],
                                  ports=[bad.port]))
    server.write_config({"delivery": {"ca_file": server.add_file(
        "ca.pem", base.read_text(good.ca))}})
    server.signal(signal.SIGHUP)
    server.wait_log("configuration 2 is in force")
    good.wait_messages(1)
    resolved = wait_posted(hook, "resolved")[0]
    assert resolved["episode"]["cause"] == "self-signed"
    assert resolved["episode"]["delivered"] == 1


def test_history_shows_other_alerts_too(relay, make_sink):
    server = relay(make_sink().port)
    good = base.read_text(server.conf_file)
    base.write_file(server.conf_file, good + "listner 'x' { }\n")
    server.signal(signal.SIGHUP)
    server.wait_log("Alert System/Critical: a new configuration")
    base.write_file(server.conf_file, good)
    last = base.wait_for(lambda: rows(server, "1"), "an alert")
    assert last[0]["key"] == "reload" and last[0]["told"] is True
    assert "Critical <System>" in server.cli("displayalerts", "1").text


@pytest.mark.parametrize("words", [["0"], ["501"], ["x"], ["1", "2"],
                                   ["--open", "3"], ["--what"]])
def test_wrong_words_are_refused(relay, sink, words):
    server = relay(sink.port)
    assert server.cli("displayalerts", *words, check=False).returncode == 2
