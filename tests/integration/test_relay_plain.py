"""Plain relaying between Postern and real mail servers, both ways."""

import pytest

from lib import base, client, exim, opensmtpd, postfix, swaks

# Dots, long lines, 8-bit text, empty lines at both ends.
BODY = (b"\r\n.\r\n..\r\n.leading\r\n\r\n" + b"x" * 900 + b"\r\n"
        b"gr\xc3\xbc\xc3\x9fe, trailing blank \r\n\r\n")
MAIL = (b"From: <a@client.test>\r\nTo: <b@next.test>\r\n"
        b"Message-ID: <plain@client.test>\r\nSubject: as it was\r\n"
        b"Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n"
        b"X-Folded: one\r\n\ttwo\r\n\r\n" + BODY)


def local(data):
    """The line ends of a Maildir."""
    return data.replace(b"\r\n", b"\n")


def test_mail_from_swaks_arrives_unchanged_at_postfix(relay, postfix_hop):
    server = relay(postfix_hop.port)
    swaks.send(server.port, data=MAIL)
    got = postfix_hop.wait_mails(1)[0]
    assert local(MAIL) in got
    assert b"\nReceived: from " in got and b" by relay.test " in \
        got.replace(b"\n\t", b" ").replace(b"\n ", b" ")
    server.wait_log(r"Message finished MID \d+ done")


def test_mail_from_swaks_arrives_unchanged_at_exim(relay, exim_hop):
    server = relay(exim_hop.port)
    swaks.send(server.port, data=MAIL)
    assert local(MAIL) in exim_hop.wait_mails(1)[0]


def test_mail_from_swaks_arrives_unchanged_at_opensmtpd(relay,
                                                        opensmtpd_hop):
    server = relay(opensmtpd_hop.port)
    swaks.send(server.port, data=MAIL)
    # OpenSMTPD removes nothing but may refuse lines over 998 octets.
    assert local(MAIL) in opensmtpd_hop.wait_mails(1)[0]


def test_mail_over_starttls_from_swaks_arrives_at_exim_under_tls(relay,
                                                                 makers):
    hop = makers.add(exim.Exim(tls=True)).start()
    server = relay(hop.port)
    swaks.send(server.port, "a@client.test", "b@next.test", "--tls",
               data=MAIL)
    got = hop.wait_mails(1)[0].decode("utf-8", "replace")
    assert "using TLSv1.3 with cipher" in got
    assert "with esmtps" in got     # Exim's own Received
    server.wait_log(r"ICID \d+ TLS success protocol TLSv1.3")
    server.wait_log(r"DCID \d+ TLS success protocol TLSv1.[23]")


def test_postfix_as_sender_reaches_the_sink(relay, sink, makers):
    server = relay(sink.port)
    sender = makers.add(postfix.as_relay(server.port)).start()
    sender.sendmail(local(MAIL), "a@client.test", "b@next.test",
                    "c@next.test")
    got = sink.wait(1)[0]
    assert got.body() == BODY
    assert sorted(got.recipients) == ["b@next.test", "c@next.test"]


def test_postfix_as_sender_uses_starttls_to_us(relay, sink, makers):
    server = relay(sink.port)
    sender = makers.add(postfix.as_relay(
        server.port, smtp_tls_security_level="encrypt")).start()
    sender.sendmail(local(MAIL), "a@client.test", "b@next.test")
    assert "using TLSv1.3 with cipher" in sink.wait(1)[0].header("Received")


def test_exim_as_sender_reaches_the_sink(relay, sink, makers):
    server = relay(sink.port)
    sender = makers.add(exim.Exim(next_port=server.port)).start()
    sender.sendmail(local(MAIL), "a@client.test", "b@next.test")
    assert sink.wait(1)[0].body() == BODY


def test_opensmtpd_as_sender_reaches_the_sink(relay, sink, makers):
    server = relay(sink.port)
    sender = makers.add(opensmtpd.OpenSmtpd(server.port)).start()
    swaks.send(sender.port, data=MAIL)
    # swaks itself adds an empty line.
    assert sink.wait(1)[0].body() == BODY + b"\r\n"


def test_postfix_to_postern_to_postfix_carries_ten_mails(
        relay, postfix_hop, makers):
    server = relay(postfix_hop.port)
    sender = makers.add(postfix.as_relay(server.port)).start()
    done = base.run(sender.tool(
        "smtp-source", "-m", "10", "-s", "3", "-f", "a@client.test",
        "-t", "b@next.test", "127.0.0.1:%d" % sender.port))
    assert done.returncode == 0
    assert len(postfix_hop.wait_mails(10)) == 10
    server.wait_empty()


@pytest.mark.parametrize("more", [[], ["-d"], ["-N", "-l", "30000"]],
                         ids=["new-connections", "one-connection-each",
                              "larger"])
def test_smtp_source_to_smtp_sink_counts_right(relay, makers, more):
    tools = makers.add(postfix.Postfix())
    port = base.free_port()
    tools.launch(["/usr/sbin/smtp-sink", "-u", "mailtest", "-c",
                  "127.0.0.1:%d" % port, "1000"])
    base.wait_listening(port, tools.process, log=tools.output)
    server = relay(port)
    base.run(tools.tool("smtp-source", "-m", "500", "-s", "20",
                        "-f", "a@client.test", "-t", "b@next.test", *more,
                        "127.0.0.1:%d" % server.port))
    server.wait_log(r"Message finished MID \d+ done", 500)
    server.wait_empty()
    assert len([1 for line in server.log_lines()
                if line.startswith("Message done ")]) == 500


@pytest.mark.sanitizer
def test_twenty_recipients_in_one_transaction(relay, sink):
    server = relay(sink.port)
    people = ["r%d@next.test" % number for number in range(20)]
    with server.client() as peer:
        peer.start().deliver("a@client.test", people, client.message())
    got = sink.wait(1)
    assert len(got) == 1 and sorted(got[0].recipients) == sorted(people)


@pytest.mark.sanitizer
def test_connections_to_the_next_hop_are_reused(relay, sink):
    server = relay(sink.port, {"workers": 1})
    with server.client() as peer:
        peer.start()
        for number in range(5):
            peer.deliver("a@client.test", ["b@next.test"],
                         client.message("m%d" % number))
            sink.wait(number + 1)
    assert len({message.connection for message in sink.messages}) < 5


def test_ipv6_listener_and_ipv6_next_hop(relay, make_sink):
    sink = make_sink(host="::1")
    port = base.free_port()
    server = relay(None, {
        "listener": {"inbound": {"address": ["[::1]:%d" % port]}},
        "route": {"*": {"hosts": ["[::1]:%d" % sink.port]}}})
    server.port = port
    with server.client("::1") as peer:
        peer.start().deliver("a@client.test", ["b@next.test"],
                             client.message())
    assert "[IPv6:::1]" in sink.wait(1)[0].header("Received")
