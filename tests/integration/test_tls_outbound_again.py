"""TLS that fails now and works later, or the other way round."""

import email
import email.policy
import os

import pytest

from lib import base, client
from lib.postern_sink import PosternSink

PLUGINS = os.path.join(os.path.dirname(base.POSTERN_BIN), "tests", "plugins")


@pytest.fixture
def hop(makers):
    """hop(words): next.test, with a certificate for that name."""
    def make(words="good", name="next.test", **more):
        kind = "cert=good" if words == "good" else words
        return makers.add(PosternSink(
            listen=["%s,name=%s" % (kind, name)], **more))
    return make


def start(relay, sink, want, back=None, more=None, also=None, **profile):
    """Sessions of one worker, which has seen all there was to see."""
    schedule = {"first_retry": "200ms", "max_retry": "400ms", "jitter": 0}
    schedule.update(profile)
    routes = {"next.test": {"hosts": ["127.0.0.1:%d" % sink.port]}}
    trusted = base.read_text(sink.ca)
    if back is not None:
        routes["client.test"] = {"hosts": ["127.0.0.1:%d" % back.port]}
        trusted += base.read_text(back.ca)
    delivery = {"host_backoff": "100ms", "host_backoff_max": "300ms",
                "timeouts": 5, "idle": "0s"}
    delivery["ca_file"] = base.write_file(
        base.private_dir("roots") + "/ca.pem", trusted)
    delivery.update(more or {})
    return relay(None, dict({
        "workers": 1, "route": routes, "delivery": delivery,
        "destination": {"next.test": {"tls": want}},
        "bounce_profile": {"default": schedule}}, **(also or {})))


def submit(server, number=1):
    with server.client() as peer:
        peer.start().deliver("a@client.test", ["b@next.test"],
                             client.message("secret", ident="%d@x" % number))


def never_in_clear(sink):
    for each in sink.connections():
        clear = each.octets("<", "clear")
        assert b"secret" not in clear and b"MAIL" not in clear


@pytest.mark.parametrize("words, want", [
    ("st454:2", "required"), ("nostarttls:2", "required"),
    ("noehlo:1", "required-verify"), ("st-drop:2", "required-verify"),
    ("220-reset:4", "required-verify"), ("220-hang:1", "required"),
    ("220-garbage:3", "preferred"), ("220-inject:2", "opportunistic"),
    ("cert=expired:2", "required-verify"), ("cert=self:1,cert=wrongname:2",
                                            "required-verify-hosted")])
def test_mail_goes_encrypted_as_soon_as_the_fault_is_gone(relay, hop, words,
                                                          want):
    sink = hop(words)
    server = start(relay, sink, want)
    submit(server)
    assert sink.wait_messages(1)[0]["tls"] is not None
    server.wait_empty()
    never_in_clear(sink)


def test_a_host_without_working_tls_is_remembered_for_a_while(relay, hop):
    # Two steps of the ladder, and then clear text.
    sink = hop("220-reset:2")
    server = start(relay, sink, "opportunistic", more={"broken_tls": "3s"})
    submit(server)
    assert sink.wait_messages(1)[0]["tls"] is None
    server.wait_log("has no working TLS: reset, clear text for 3 seconds")
    tried = [each.commands() for each in sink.wait_closed(3)]
    assert [("STARTTLS" in each, "MAIL" in each) for each in tried] == [
        (True, False), (True, False), (False, True)]
    # It would work by now, but is tried again only when the time is over.
    submit(server, 2)
    assert sink.wait_messages(2)[1]["tls"] is None
    assert "STARTTLS" not in sink.wait_closed(4)[3].commands()

    def in_tls():
        count = len(sink.messages())
        submit(server, count + 1)
        return sink.wait_messages(count + 1)[count]["tls"]
    base.wait_for(in_tls, "a new try of TLS")


@pytest.mark.parametrize("words, reason", [
    ("220-close", "reset"), ("220-garbage", "protocol"),
    ("220-noshared", "no-shared-cipher"), ("st-drop", "starttls-blocked")])
def test_a_host_that_had_tls_gets_no_clear_text_for_failing(
        relay, hop, words, reason):
    sink = hop()
    server = start(relay, sink, "opportunistic")
    submit(server)
    assert sink.wait_messages(1)[0]["tls"] is not None
    server.wait_empty()
    sink.end()
    broken = hop(words, ports=[sink.port])
    submit(server, 2)
    server.wait_log("had working TLS: %s, no clear text in its place" %
                    reason, count=2)
    broken.end()
    # Each attempt was a new try of TLS.
    for each in broken.connections():
        assert "STARTTLS" in each.commands()
    never_in_clear(broken)
    assert broken.messages() == []
    mended = hop(ports=[sink.port])
    assert mended.wait_messages(1)[0]["tls"] is not None
    server.wait_empty()


def report(sink):
    return sink.wait_messages(1, to="a@client.test")[0]


def parts(sink):
    with open(base.wait_for(sink.kept_files, "the report")[0], "rb") as file:
        return list(email.message_from_binary_file(
            file, policy=email.policy.default).iter_parts())


@pytest.mark.parametrize("words, status, reason", [
    ("nostarttls", "5.7.4", "starttls-not-supported"),
    ("cert=expired", "5.7.5", "certificate-expired"),
    ("cert=wrongname", "5.7.5", "name-mismatch"),
    ("220-alert", "5.7.5", "alert")])
def test_the_deadline_is_told_of_over_verified_tls(relay, hop, words, status,
                                                   reason):
    sink, back = hop(words), hop(name="client.test")
    server = start(relay, sink, "required-verify deadline=3s", back)
    submit(server)
    told = report(back)
    assert told["from"] == "" and told["tls"] is not None
    server.wait_log(r"peer certificate verified matched san:domain "
                    r"client\.test$")
    person = parts(back)[1].get_payload()[1]
    assert person["Final-Recipient"].replace(" ", "") == "rfc822;b@next.test"
    assert person["Status"] == status
    assert "127.0.0.1" in person["Remote-MTA"]
    assert "(reason: %s)" % reason in \
        " ".join(person["Diagnostic-Code"].split())
    server.wait_empty()
    assert sink.messages() == []
    never_in_clear(sink)
    never_in_clear(back)


@pytest.mark.parametrize("words, reason", [
    ("nostarttls", "starttls-not-supported"), ("st554", "starttls-refused"),
    ("220-close", "reset"), ("cert=self", "self-signed"),
    ("cert=wrongname", "name-mismatch")])
def test_a_report_that_no_verified_tls_can_take_is_held(relay, hop, words,
                                                        reason):
    sink, back = hop("nostarttls"), hop(words, name="client.test")
    server = start(relay, sink, "required-verify deadline=2s", back,
                   lifetime="4s")
    submit(server)
    held = base.wait_for(
        lambda: server.cli_json("queue", "list", "--held"), "what is held")
    assert [(one["sender"], one["rcpt"], one["hold"], one["tls_reason"])
            for one in held] == [("", "a@client.test", "held", reason)]
    server.wait_log("Double bounce: ")
    assert sink.messages() == [] and back.messages() == []
    never_in_clear(sink)
    never_in_clear(back)


@pytest.mark.parametrize("want, sets", [
    ("required-verify", ""), ("required", ""),
    ("opportunistic", "each set rcpt.tls required; ")])
def test_a_notice_travels_with_no_less_than_its_message(relay, hop, want,
                                                        sets):
    sink, back = hop(), hop("nostarttls", name="client.test")
    server = start(relay, sink, want, back, lifetime="3s", also={
        "plugin_dirs": [PLUGINS], "plugin": {"puppet": {
            "eom": sets + "notify a@client.test It secret"}}})
    submit(server)
    assert sink.wait_messages(1)[0]["tls"] is not None
    held = base.wait_for(
        lambda: server.cli_json("queue", "list", "--held"), "what is held")
    assert [(one["sender"], one["rcpt"], one["hold"], one["tls_reason"])
            for one in held] == [("", "a@client.test", "held",
                                  "starttls-not-supported")]
    server.wait_log("Double bounce: ")
    server.wait_log("Alert .*a@client.test")
    assert back.messages() == []
    never_in_clear(back)


def test_a_notice_of_a_message_that_needs_no_tls_needs_none(relay, hop):
    sink, back = hop(), hop("nostarttls", name="client.test")
    server = start(relay, sink, "preferred-verify", back, also={
        "plugin_dirs": [PLUGINS], "plugin": {"puppet": {
            "eom": "notify a@client.test It secret"}}})
    submit(server)
    assert sink.wait_messages(1)[0]["tls"] is not None
    assert back.wait_messages(1)[0]["tls"] is None
    server.wait_empty()
