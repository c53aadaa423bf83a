"""The fixtures themselves, without the product: each peer does its part."""

from lib import client, dnsserver, exim, opensmtpd, postern, postfix, swaks
from lib import base

MAIL = b"Subject: hello\n\nA line\n.\n..dots\n"


def test_postfix_sends_to_postfix_through_sendmail(makers, postfix_hop):
    sender = makers.add(postfix.as_relay(postfix_hop.port)).start()
    sender.sendmail(MAIL, "a@client.test", "b@next.test")
    got = postfix_hop.wait_mails(1)[0]
    assert got.endswith(b"\n\nA line\n.\n..dots\n")


def test_exim_sends_to_exim(makers, exim_hop):
    sender = makers.add(exim.Exim(next_port=exim_hop.port)).start()
    sender.sendmail(MAIL, "a@client.test", "b@next.test")
    got = exim_hop.wait_mails(1)[0]
    assert got.endswith(b"\n\nA line\n.\n..dots\n")


def test_opensmtpd_sends_to_opensmtpd(makers, opensmtpd_hop):
    sender = makers.add(opensmtpd.OpenSmtpd(opensmtpd_hop.port)).start()
    swaks.send(sender.port)
    assert b"This is a test mailing" in opensmtpd_hop.wait_mails(1)[0]


def test_exim_takes_mail_only_with_a_password_under_tls(makers):
    hop = makers.add(exim.Exim(tls=True, auth=True)).start()
    assert "550" in swaks.send(hop.port, check=False).text
    good = ["--tls", "-a", "PLAIN", "-au", "user", "-ap", "secret word"]
    swaks.send(hop.port, "a@client.test", "b@next.test", *good)
    assert len(hop.wait_mails(1)) == 1


def test_smtp_source_sends_to_smtp_sink(makers, postfix_hop):
    done = base.run(postfix_hop.tool(
        "smtp-source", "-m", "10", "-s", "2", "-f", "a@client.test",
        "-t", "b@next.test", "127.0.0.1:%d" % postfix_hop.port))
    assert done.returncode == 0
    assert len(postfix_hop.wait_mails(10)) == 10


def test_sink_shows_what_swaks_sent(make_sink):
    sink = make_sink(tls=postern.certificate(), auth=("me", "mine"))
    swaks.send(sink.port, "a@client.test", "b@next.test", "--tls",
               "-a", "LOGIN", "-au", "me", "-ap", "mine")
    message = sink.wait(1)[0]
    assert (message.sender, message.recipients) == (
        "a@client.test", ["b@next.test"])
    assert (message.tls, message.auth) == ("TLSv1.3", "me")


def test_sink_takes_bodies_apart_at_the_right_dots(sink):
    text = client.message(body=".\r\n..\r\n.x\r\nlast\r\n")
    with client.Client("127.0.0.1", sink.port) as peer:
        peer.start().deliver("a@client.test", ["b@next.test"], text)
    assert sink.wait(1)[0].data == text


def test_sink_misbehaves_as_told(sink):
    sink.fault("rcpt", "450 4.2.0 later", when="bob", times=1)
    with client.Client("127.0.0.1", sink.port) as peer:
        peer.start().mail("a@client.test")
        peer.expect("RCPT TO:<bob@next.test>", 450)
        peer.expect("RCPT TO:<bob@next.test>", 250)


def test_resolver_answers_for_zones_and_fails_for_broken_ones(resolver):
    unbound = resolver({
        "test": "mx A 127.0.0.2\nalias CNAME mx\n", "broken.test": None})
    answers = [dnsserver.ask(unbound.port, name) for name in (
        "mx.test", "alias.test", "none.test", "host.broken.test")]
    assert answers == [0, 0, 3, 2]
