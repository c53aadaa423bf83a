"""Deadlines of TLS, and the way back of what TLS had to protect."""

import email
import email.policy

import pytest

from lib import base, certs, client

pytestmark = pytest.mark.sanitizer

WANT = "required deadline=2s"


def start(relay, there, back, want=WANT, more=None, **profile):
    """next.test is at the sink there, the senders' client.test at back."""
    schedule = {"first_retry": "200ms", "max_retry": "500ms", "jitter": 0}
    schedule.update(profile)
    return relay(None, {
        "route": {"next.test": {"hosts": ["127.0.0.1:%d" % there.port]},
                  "client.test": {"hosts": ["127.0.0.1:%d" % back.port]}},
        "delivery": {"host_backoff": "100ms", "host_backoff_max": "300ms"},
        "destination": {"next.test": {"tls": want}, **(more or {})},
        "bounce_profile": {"default": schedule}})


def submit(server, recipients=("b@next.test",)):
    with server.client() as peer:
        peer.ehlo()
        peer.expect("MAIL FROM:<a@client.test>", 250)
        for one in recipients:
            peer.expect("RCPT TO:<%s>" % one, 250)
        assert peer.data(client.message("a secret subject")).startswith("250")


def wait_report(sink):
    return base.wait_for(lambda: [m for m in list(sink.messages)
                                  if m.sender == ""], "a report")[0]


def said_nothing(sink):
    """No envelope and no content came to it in clear."""
    return not [line for _, line in list(sink.commands)
                if line.upper().startswith(("MAIL", "RCPT", "DATA"))]


@pytest.fixture
def pair():
    return certs.make(base.private_dir("hop"), "client.test")


def test_the_deadline_ends_in_a_report_under_the_same_level(
        relay, make_sink, pair):
    there, back = make_sink(), make_sink(tls=pair)
    server = start(relay, there, back)
    submit(server)
    message = wait_report(back)
    assert message.tls
    assert said_nothing(there) and not there.messages
    whole = email.message_from_bytes(message.data, policy=email.policy.default)
    status = list(whole.iter_parts())[1]
    person = status.get_payload()[1]
    assert person["Final-Recipient"].replace(" ", "") == "rfc822;b@next.test"
    assert person["Action"] == "failed"
    assert person["Status"] == "5.7.4"
    assert "127.0.0.1" in person["Remote-MTA"]
    diagnostic = person["Diagnostic-Code"]
    assert diagnostic.startswith("x-postern;")
    assert "STARTTLS not offered" in diagnostic
    assert "starttls-not-supported" in diagnostic
    server.wait_log(r"Bounced: DCID \d+ MID \d+ to RID 0 - 5\.7\.4 - ")
    server.wait_empty()
    assert len(back.messages) == 1


def test_a_report_that_must_not_travel_in_clear_is_held(
        relay, make_sink, pair):
    there, back = make_sink(), make_sink()
    server = start(relay, there, back, lifetime="5s")
    submit(server)
    server.wait_log(r"Double bounce: MID \d+ to RID 0 - 5\.7\.4 - ")
    held = base.wait_for(
        lambda: server.cli_json("queue", "list", "--held"), "what is held")
    assert [(one["sender"], one["rcpt"], one["hold"], one["tls"],
             one["tls_reason"]) for one in held] == [
        ("", "a@client.test", "held", "required", "starttls-not-supported")]
    server.wait_log(r"MID \d+: the report to <a@client\.test> could "
                    r"not be delivered under the TLS level required")
    server.wait_log(r"Alert System/Critical: MID \d+, a report to a@client\."
                    r"test, is held")
    assert said_nothing(back) and said_nothing(there)
    # Its host learns TLS, and the administrator lets it go.
    back.tls = pair
    server.cli("queue", "release")
    assert wait_report(back).tls
    server.wait_empty()


BOSS = "boss@ours.test"


def with_boss(relay, there, back, boss, **profile):
    """Who is told in place of the sender is at a host of its own."""
    server = start(relay, there, back, alternate=BOSS, **profile)
    server.write_config({"route": {"ours.test": {
        "hosts": ["127.0.0.1:%d" % boss.port]}}})
    server.stop()
    server.start()
    return server


@pytest.mark.parametrize("style", ["dsn", "plain"])
def test_the_alternate_address_is_told_under_the_same_level(
        relay, make_sink, pair, style):
    there, back, boss = make_sink(), make_sink(tls=pair), make_sink(tls=pair)
    server = with_boss(relay, there, back, boss, format=style)
    submit(server)
    message = wait_report(boss)
    assert message.tls and message.recipients == [BOSS]
    whole = email.message_from_bytes(message.data, policy=email.policy.default)
    assert whole.get_content_type() == (
        "multipart/report" if style == "dsn" else "text/plain")
    assert whole["To"] == BOSS
    # What TLS protected may be returned: it is under TLS again.
    assert b"a secret subject" in message.data
    assert b"STARTTLS not offered" in message.data
    server.wait_empty()
    assert not back.messages and said_nothing(there)


@pytest.mark.parametrize("style", ["dsn", "plain"])
def test_an_alternate_address_without_tls_is_told_nothing(
        relay, make_sink, pair, style):
    there, back, boss = make_sink(), make_sink(tls=pair), make_sink()
    server = with_boss(relay, there, back, boss, format=style, lifetime="3s")
    submit(server)
    server.wait_log(r"Double bounce: MID \d+ to RID 0 - 5\.7\.4 - ")
    held = base.wait_for(
        lambda: server.cli_json("queue", "list", "--held"), "what is held")
    assert [(one["sender"], one["rcpt"], one["tls"]) for one in held] == [
        ("", BOSS, "required")]
    assert said_nothing(boss) and said_nothing(there)
    assert not back.messages


def test_one_branch_of_a_message_is_warned_of(relay, make_sink, pair):
    """The other has arrived, or was not put off by a server."""
    there, back = make_sink(tls=pair), make_sink(tls=pair)
    deaf = make_sink()
    there.fault("rcpt", "450 4.2.1 not today", when="slow")
    folder = base.private_dir("branches")
    policy = base.write_file(folder + "/policy.lua", """
        on("message", function(msg)
          for _, rcpt in ipairs(msg.recipients) do
            if rcpt.domain == "deaf.test" then rcpt:branch("deaf") end
            if rcpt.localpart == "slow" then
              rcpt:branch("slow")
              rcpt:tls("required")
            end
          end
        end)
        """)
    server = start(relay, there, back, want="opportunistic", first_retry=
                   "300ms", warn=True, warn_after="1s", warn_interval="1s")
    server.write_config({"policy": {"file": policy}, "route": {
        "deaf.test": {"hosts": ["127.0.0.1:%d" % deaf.port]}}})
    deaf.stop_listening()
    server.stop()
    server.start()
    submit(server, ["a@next.test", "slow@next.test", "b@deaf.test"])
    message = wait_report(back)
    assert message.tls
    whole = email.message_from_bytes(message.data, policy=email.policy.default)
    people = list(whole.iter_parts())[1].get_payload()[1:]
    assert [(one["Action"], one["Final-Recipient"].replace(" ", ""))
            for one in people] == [("delayed", "rfc822;slow@next.test")]
    lines = "\n".join(server.log_lines())
    assert lines.count("was split creating MID") == 2
    # Longer than another would have taken: one is all that are told.
    server.wait_log("Delayed: ", lines.count("Delayed: ") + 8)
    assert len(back.messages) == 1
    assert [m.recipients for m in there.messages] == [["a@next.test"]]
    there.clear_faults()
    base.wait_for(lambda: len(there.messages) == 2, "the slow one")
    assert there.messages[1].recipients == ["slow@next.test"]
    assert there.messages[1].tls


def test_recipients_of_one_message_travel_by_their_own_want(
        relay, make_sink, pair):
    there, back = make_sink(tls=pair), make_sink()
    server = start(relay, there, back, want="none",
                   more={"boss@next.test": {"tls": "required"}})
    submit(server, ["a@next.test", "boss@next.test", "b@next.test"])
    base.wait_for(lambda: len(there.messages) == 2, "two transactions")
    found = {tuple(m.recipients): bool(m.tls) for m in there.messages}
    assert found == {("a@next.test", "b@next.test"): False,
                     ("boss@next.test",): True}
    server.wait_empty()
