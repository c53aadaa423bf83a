"""What the relay does when a next hop refuses, fails, stalls or lies."""

import pytest

from lib import base, client, exim, postern, sink as sinks

pytestmark = pytest.mark.sanitizer

LONG = {"bounce_profile": {"default": {"first_retry": "1h",
                                       "max_retry": "1h"}}}


def submit(server, *recipients, ident=None, sender="a@client.test"):
    with server.client() as peer:
        peer.start().deliver(sender, recipients or ["b@next.test"],
                             client.message(ident=ident))


@pytest.mark.parametrize("stage", ["banner", "mail", "rcpt", "data", "dot"])
def test_a_4xx_defers_and_the_retry_delivers(relay, sink, stage):
    sink.fault(stage, "451 4.3.0 later", times=1)
    server = relay(sink.port)
    submit(server)
    sink.wait(1)
    server.wait_empty()
    assert len(sink.messages) == 1


@pytest.mark.parametrize("stage", ["banner", "ehlo", "mail", "rcpt", "data",
                                   "dot"])
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_lost_connection_defers_and_the_retry_delivers(relay, sink, stage,
                                                         reset):
    sink.fault(stage, sinks.Drop(reset=reset), times=1)
    server = relay(sink.port)
    submit(server)
    sink.wait(1)
    server.wait_empty()
    assert len(sink.messages) == 1


def test_ehlo_refused_falls_back_to_helo(relay, sink):
    sink.fault("ehlo", "502 5.5.1 what?")
    server = relay(sink.port)
    submit(server)
    sink.wait(1)
    sink.wait_command("HELO relay.test")


def test_a_host_that_421s_between_messages_loses_nothing(relay, sink):
    sink.fault("mail", sinks.Drop(after=b"421 4.3.2 going down\r\n"),
               when="second", times=1)
    server = relay(sink.port, {"workers": 1})
    submit(server, sender="first@client.test")
    sink.wait(1)
    submit(server, sender="second@client.test")
    sink.wait(2)
    server.wait_empty()


def test_multi_line_replies_and_no_pipelining_are_fine(relay, make_sink):
    sink = make_sink(ehlo=["8BITMIME"])
    sink.fault("banner", ["220-hello", "220-there", "220 sink.test"])
    sink.fault("rcpt", ["250-2.1.5 one", "250-2.1.5 two", "250 2.1.5 three"])
    server = relay(sink.port)
    submit(server, "b@next.test", "c@next.test")
    assert len(sink.wait(1)[0].recipients) == 2


def test_a_slow_host_is_waited_for(relay, sink):
    sink.fault("banner", sinks.Slow("220 sink.test ESMTP", 1, 0.02), times=1)
    sink.fault("dot", sinks.Slow("451 4.3.0 later", 0.5, 0.02), times=1)
    server = relay(sink.port)
    submit(server)
    sink.wait(1)


def test_replies_that_nobody_asked_for_end_the_connection(relay, sink):
    sink.fault("mail", sinks.Raw(b"250 ok\r\n250 ok\r\n250 ok\r\n"), times=1)
    server = relay(sink.port, {"workers": 1})
    submit(server)
    sink.wait(1)
    server.wait_empty()
    server.wait_log(r"Connection Error: ")


@pytest.mark.parametrize("nonsense", [
    b"hello\r\n", b"999 what\r\n", b"250-ok\r\n550 no\r\n", b"25\r\n",
    b"250" + b"x" * 100000 + b"\r\n", b"250-a\r\n" * 20000, b"\0\0\0\0\r\n",
    b"250 ok\n"], ids=["word", "999", "mixed", "short", "long-line",
                       "many-lines", "nul", "bare-lf"])
def test_nonsense_from_a_host_defers_and_bounces_nothing(relay, sink,
                                                         nonsense):
    sink.fault("mail", sinks.Raw(nonsense), times=1)
    server = relay(sink.port)
    submit(server)
    sink.wait(1)
    server.wait_empty()
    assert [message.sender for message in sink.messages] == ["a@client.test"]


def test_some_recipients_now_and_the_others_later(relay, sink):
    sink.fault("rcpt", "452 4.5.3 too many", when="r[2-4]@", times=3)
    server = relay(sink.port)
    submit(server, *["r%d@next.test" % number for number in range(5)])
    base.wait_for(lambda: len(sink.recipients()) == 5, "all recipients")
    assert sink.recipients() == ["r%d@next.test" % n for n in range(5)]
    server.wait_empty()


def test_the_next_host_is_tried_when_one_fails(relay, make_sink):
    good = make_sink()
    refusing = make_sink()
    refusing.fault("banner", "421 4.3.2 closed")
    dead = base.free_port()
    server = relay(None, {"route": {"*": {"hosts": [
        "127.0.0.1:%d" % dead, "127.0.0.1:%d" % refusing.port,
        "127.0.0.1:%d" % good.port]}}})
    submit(server)
    good.wait(1)
    server.wait_empty()


def test_queue_flush_retries_at_once(relay, sink):
    sink.fault("rcpt", "450 4.2.0 later", times=1)
    server = relay(sink.port, LONG)
    submit(server)
    server.wait_log(r"MID \d+ to RID \[0\] pending till")
    assert server.queue_count() == 1 and not sink.messages
    server.cli("queue", "flush")
    sink.wait(1)
    server.wait_empty()


def test_etrn_retries_its_domain_at_once(relay, sink):
    sink.fault("rcpt", "450 4.2.0 later", times=2)
    server = relay(sink.port, LONG)
    submit(server, "b@next.test")
    submit(server, "b@other.test")
    server.wait_log(r"MID \d+ to RID \[0\] pending till", 2)
    with server.client() as peer:
        peer.ehlo()
        assert peer.cmd("ETRN next.test")[:2] == "25"
    assert sink.wait(1)[0].recipients == ["b@next.test"]
    assert server.queue_count() == 1


def test_a_dead_host_is_tried_again_when_it_is_back(relay, sink):
    port = sink.port
    sink.stop_listening()
    server = relay(port)
    submit(server)
    server.wait_log(r"Connection Error: .*127\.0\.0\.1")
    sink.start()
    sink.wait(1)
    server.wait_empty()


def test_auth_to_a_smarthost_goes_over_tls(relay, makers):
    hop = makers.add(exim.Exim(tls=True, auth=True)).start()
    server = relay(None, {"route": {"*": {"hosts": [
        "127.0.0.1:%d" % hop.port]}}})
    password = server.add_file("password", "secret word\n")
    server.write_config({"route": {"*": {
        "tls": "required", "auth_user": "user",
        "auth_password_file": password}}})
    server.stop()
    server.start()
    submit(server)
    assert b"with esmtpsa" in hop.wait_mails(1)[0]


def test_a_wrong_password_defers_and_is_not_sent_in_clear(relay, make_sink):
    sink = make_sink(tls=postern.certificate(), auth=("user", "right"))
    server = relay(sink.port)
    password = server.add_file("password", "wrong\n")
    server.write_config({"route": {"*": {
        "tls": "required", "auth_user": "user",
        "auth_password_file": password}}})
    server.stop()
    server.start()
    submit(server)
    sink.wait_command("AUTH", 2)
    assert server.queue_count() == 1 and not sink.messages
    clear = [session for session in sink.sessions if session.tls is None]
    assert not any(b"AUTH" in session.received for session in clear)


@pytest.mark.parametrize("fault", [
    ("starttls", "454 4.7.0 no TLS today"),
    ("starttls", "554 5.7.0 never"),
    ("starttls", sinks.Drop(after=b"220 go\r\n")),
    ("handshake", ""),
], ids=["454", "554", "drop", "closed"])
def test_opportunistic_tls_falls_back_and_delivers(relay, make_sink, fault):
    sink = make_sink(tls=postern.certificate())
    sink.fault(*fault)
    server = relay(sink.port)
    submit(server)
    assert sink.wait(1)[0].tls is None
    server.wait_empty()


def test_clear_text_behind_the_220_is_an_attack_and_defers(relay, make_sink):
    sink = make_sink(tls=postern.certificate())
    sink.fault("starttls", sinks.Raw(b"220 go\r\n250 more\r\n"), times=1)
    server = relay(sink.port)
    submit(server)
    assert sink.wait(1)[0].tls
    server.wait_log(r"Connection Error: .*STARTTLS")


@pytest.mark.parametrize("fault", [
    ("starttls", "454 4.7.0 no TLS today"),
    ("starttls", "554 5.7.0 never"),
    ("handshake", ""), None], ids=["454", "554", "closed", "not-offered"])
def test_required_tls_defers_rather_than_deliver_in_clear(relay, make_sink,
                                                          fault):
    sink = make_sink(tls=postern.certificate() if fault else None)
    if fault:
        sink.fault(*fault, times=2)
    server = relay(sink.port, {"route": {"*": {"tls": "required"}}})
    submit(server)
    server.wait_log(r"DCID \d+ IP 127\.0\.0\.1 TLS was required but could "
                    r"not be successfully negotiated")
    server.wait_log(r"Delayed: DCID \d+ MID \d+ to RID 0 - 4\.")
    assert not [m for m in sink.messages if m.tls is None]
    if fault:
        assert sink.wait(1)[0].tls


def test_size_of_the_next_hop_is_respected(relay, make_sink):
    sink = make_sink(ehlo=["PIPELINING", "SIZE 9000"])
    server = relay(sink.port)
    with server.client() as peer:
        peer.start().deliver("a@client.test", ["b@next.test"],
                             client.message(body="z\r\n" * 6000))
    server.wait_log(r"Bounced: .* 5\.3\.4")
    assert sink.wait(1)[0].sender == ""
    assert not any("MAIL FROM:<a@" in line for _, line in sink.commands)
