"""The SMTP server as a client sees it (RFC 5321 and its extensions)."""

import pytest

from lib import base, client

pytestmark = pytest.mark.sanitizer

WHOLE = (b"EHLO c.test\r\nMAIL FROM:<a@client.test> SIZE=80\r\n"
         b"RCPT TO:<b@next.test>\r\nDATA\r\n")


@pytest.fixture
def peer(standing):
    relay, sink = standing
    sink.clear_faults()
    with relay.client() as one:
        yield one


def arrives(sink, ident):
    return base.wait_for(lambda: [
        message for message in list(sink.messages)
        if message.header("Message-ID") == "<%s>" % ident],
        "message %s at the sink" % ident)[0]


def test_ehlo_lists_its_keywords_in_the_promised_order(peer):
    offered = peer.ehlo()
    assert offered[:5] == ["PIPELINING", "SIZE 150000000", "ETRN",
                           "STARTTLS", "8BITMIME"]
    names = {word.split(" ")[0] for word in offered}
    assert {"SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN", "CHUNKING",
            "LIMITS"} <= names


def test_banner_names_the_host(peer):
    assert peer.banner.startswith("220 relay.test ESMTP")


def test_banner_host_and_text_are_configurable(relay, sink):
    server = relay(sink.port, {"listener": {"inbound": {
        "banner_host": "mx.example.com", "banner_text": "no spam"}}})
    with server.client() as peer:
        assert peer.banner == "220 mx.example.com ESMTP no spam"


def test_helo_gets_one_line(peer):
    assert "\n" not in peer.expect("HELO client.test", 250)


def test_vrfy_commits_to_nothing_and_expn_is_refused(peer):
    peer.ehlo()
    peer.expect("VRFY somebody", 252)
    assert peer.cmd("EXPN list")[:3] in ("502", "550")


def test_noop_rset_and_help_are_answered(peer):
    peer.ehlo()
    peer.expect("NOOP whatever", 250)
    peer.expect("RSET", 250)
    assert peer.cmd("HELP")[:3] in ("214", "250", "502")


@pytest.mark.parametrize("line, codes", [
    ("BOGUS", "500"), ("MAIL", "501"), ("MAIL FROM:a@b.test", "501"),
    ("MAIL FROM:<a@b.test", "501"), ("MAIL FROM:<a b@c.test>", "501"),
    ("MAIL FROM:<@>", "501"), ("MAIL FROM:<a@-b.test>", "501"),
    ("MAIL FROM:<a@b.test> BOGUS=1", "555"),
    ("MAIL FROM:<a@b.test> SIZE=x", "501"),
    ("MAIL FROM:<a@b.test> SIZE=999999999", "552"),
    ("MAIL FROM:<a@b.test> BODY=9BIT", "501"),
    ("RCPT TO:<b@next.test>", "503"), ("DATA", "503"),
    ("MAIL FROM:<%s@b.test>" % ("l" * 65), "501"),
    ("MAIL FROM:<a@%s.test>" % ("d" * 64), "501"),
    ("MAIL FROM:<a@%s>" % ".".join(["d" * 60] * 5), "501"),
    ("NOOP " + "x" * 5000, "500"),
])
def test_mistakes_are_answered_and_forgiven(peer, line, codes):
    peer.ehlo()
    answer = peer.cmd(line)
    assert answer[:3] == codes, answer
    peer.expect("MAIL FROM:<a@client.test>", 250)


def test_commands_before_ehlo_are_out_of_order(peer):
    peer.expect("MAIL FROM:<a@client.test>", 503)


def test_a_bare_lf_does_not_end_a_command(peer):
    peer.ehlo()
    peer.send(b"NOOP\nRSET\r\n")
    assert peer.reply().startswith("500")
    peer.send(b"NOOP\rRSET\r\n")
    assert peer.reply().startswith("500")
    assert peer.silent(0.2)


def test_a_nul_in_a_command_is_refused(peer):
    peer.ehlo()
    assert peer.cmd(b"MAIL FROM:<a@b.test>\0 SIZE=1")[:2] == "50"
    peer.expect("RCPT TO:<b@next.test>", 503)


def test_replies_do_not_echo_control_characters(peer):
    peer.ehlo()
    peer.send(b"MAIL FROM:<a\x1b[31m\x07@b.test>\r\n")
    answer = peer.reply()
    assert answer[0] == "5"
    assert all(" " <= letter <= "~" for letter in answer), answer


def test_twenty_errors_end_the_session(peer):
    peer.ehlo()
    answers = []
    for _ in range(30):
        answers.append(peer.cmd("BOGUS")[:3])
        if answers[-1] == "421":
            break
    assert answers[-1] == "421" and 15 <= len(answers) <= 21
    peer.wait_closed()


def test_one_piece_or_single_bytes_give_the_same(standing):
    relay, sink = standing
    for name, cuts in (("whole", []), ("bytes", range(1, 400)),
                       ("sevens", range(7, 400, 7))):
        text = client.message(ident=name + "@cut", body=".\r\n..x\r\n\r\n")
        with relay.client() as peer:
            session = WHOLE + client.stuff(text) + b".\r\nQUIT\r\n"
            peer.send(session, [cut for cut in cuts if cut < len(session)])
            codes = [peer.reply()[:3] for _ in range(6)]
            assert codes == ["250", "250", "250", "354", "250", "221"]
        assert arrives(sink, name + "@cut").data.endswith(text)


def test_bdat_in_chunks_arrives_as_one_message(standing):
    relay, sink = standing
    text = client.message(ident="bdat@chunk", body=".\r\n..\r\nend\r\n")
    with relay.client() as peer:
        peer.start().mail("a@client.test", "b@next.test")
        peer.send(b"BDAT 40\r\n" + text[:40] +
                  b"BDAT 7\r\n" + text[40:47] +
                  b"BDAT %d LAST\r\n" % (len(text) - 47) + text[47:])
        assert [peer.reply()[:3] for _ in range(3)] == ["250"] * 3
    assert arrives(sink, "bdat@chunk").data.endswith(text)


def test_bdat_with_an_empty_last_chunk(standing):
    relay, sink = standing
    text = client.message(ident="bdat@empty")
    with relay.client() as peer:
        peer.start().mail("a@client.test", "b@next.test")
        peer.send(b"BDAT %d\r\n" % len(text) + text + b"BDAT 0 LAST\r\n")
        assert [peer.reply()[:3] for _ in range(2)] == ["250"] * 2
    assert arrives(sink, "bdat@empty").data.endswith(text)


def test_bdat_and_data_do_not_mix(peer):
    peer.start().mail("a@client.test", "b@next.test")
    peer.send(b"BDAT 4\r\nabcd")
    assert peer.reply().startswith("250")
    peer.expect("DATA", 503)


def test_bdat_without_recipients_swallows_its_chunk(peer):
    peer.ehlo()
    peer.send(b"BDAT 14 LAST\r\nNOOP\r\nQUIT\r\n\r\nNOOP\r\n")
    assert peer.reply().startswith("503")
    assert peer.reply().startswith("250")
    assert peer.silent(0.2)


def test_size_over_the_limit_is_refused_while_it_comes(relay, sink):
    server = relay(sink.port, {"limits": {"message_size": 10000}})
    with server.client() as peer:
        assert "SIZE 10000" in peer.ehlo()
        peer.expect("MAIL FROM:<a@client.test> SIZE=10001", 552)
        peer.mail("a@client.test", "b@next.test")
        answer = peer.data(client.message(body="y" * 70 + "\r\n" * 9000))
        assert answer.startswith("552"), answer
        assert peer.cmd("NOOP").startswith("250")
    assert not sink.messages


def test_smtputf8_is_needed_for_utf8_addresses(peer):
    peer.ehlo()
    address = "MAIL FROM:<gr\u00fc\u00dfe@b\u00fccher.test>"
    assert peer.cmd(address)[:2] == "55"
    peer.expect(address + " SMTPUTF8", 250)


def test_smtputf8_mail_goes_only_where_it_is_understood(relay, make_sink):
    good = make_sink()
    bad = make_sink(ehlo=["PIPELINING", "8BITMIME"])
    server = relay(None, {"route": {
        "good.test": {"hosts": ["127.0.0.1:%d" % good.port]},
        "*": {"hosts": ["127.0.0.1:%d" % bad.port]}}})
    with server.client() as peer:
        peer.ehlo()
        peer.expect("MAIL FROM:<gr\u00fc@client.test> SMTPUTF8", 250)
        peer.expect("RCPT TO:<b\u00f6@good.test>", 250)
        peer.expect("RCPT TO:<b\u00f6@bad.test>", 250)
        assert peer.data(client.message()).startswith("250")
    got = good.wait(1)[0]
    assert got.sender == "gr\u00fc@client.test"
    assert "SMTPUTF8" in got.sender_params
    server.wait_log(r"Bounced: .* 5\.6\.7")
    # The report itself goes to an address that needs SMTPUTF8 as well.
    assert not bad.messages


def test_dsn_parameters_are_checked(peer):
    peer.ehlo()
    peer.expect("MAIL FROM:<a@client.test> RET=SOME", 501)
    peer.expect("MAIL FROM:<a@client.test> ENVID=a+4", 501)
    peer.expect("MAIL FROM:<a@client.test> RET=HDRS ENVID=abc+2B1", 250)
    peer.expect("RCPT TO:<b@next.test> NOTIFY=NEVER,DELAY", 501)
    peer.expect("RCPT TO:<b@next.test> NOTIFY=FAILURE,DELAY "
                "ORCPT=rfc822;x@y.test", 250)


def test_the_null_sender_and_a_bare_postmaster_are_welcome(standing):
    relay, sink = standing
    with relay.client() as peer:
        peer.start().deliver("", ["b@next.test"],
                             client.message(ident="null@sender"))
        peer.expect("MAIL FROM:<a@client.test>", 250)
        peer.expect("RCPT TO:<postmaster>", 250)
        peer.expect("RCPT TO:<PostMaster@next.test>", 250)
    assert arrives(sink, "null@sender").sender == ""


def test_source_routes_are_stripped(standing):
    relay, sink = standing
    with relay.client() as peer:
        peer.start().deliver("a@client.test",
                             ["@hop.test,@two.test:b@next.test"],
                             client.message(ident="source@route"))
    assert arrives(sink, "source@route").recipients == ["b@next.test"]


def test_quoted_local_parts_pass_unchanged(standing):
    relay, sink = standing
    odd = ['"a b"@next.test', '"x@y"@next.test', '"\\"q\\\\"@next.test']
    with relay.client() as peer:
        peer.start().deliver("a@client.test", odd,
                             client.message(ident="quoted@local"))
    arrives(sink, "quoted@local")
    heard = [line for _, line in sink.commands]
    assert all("RCPT TO:<%s>" % address in heard for address in odd)


def test_etrn_is_answered(peer):
    peer.ehlo()
    assert peer.cmd("ETRN next.test")[:2] == "25"
    assert peer.cmd("ETRN nothing-here.test")[:3] in ("250", "251", "459")
    peer.expect("ETRN", 501)


def test_a_loop_of_received_fields_is_refused(standing):
    relay, sink = standing
    hop = "Received: from x by y; Sat, 21 Nov 2026 12:00:00 +0000\r\n"
    before = len(sink.messages)
    with relay.client() as peer:
        peer.start().mail("a@client.test", "b@next.test")
        answer = peer.data(client.message(extra=hop * 150))
        assert answer.startswith("554 5.4.6"), answer
    assert len(sink.messages) == before


def test_more_recipients_than_allowed_get_452(relay, sink):
    server = relay(sink.port, {"limits": {"recipients": 100}})
    with server.client() as peer:
        peer.start().mail("a@client.test")
        codes = [peer.cmd("RCPT TO:<r%d@next.test>" % number)[:3]
                 for number in range(102)]
    assert codes == ["250"] * 100 + ["452"] * 2


def test_rset_forgets_the_transaction(peer):
    peer.start().mail("a@client.test", "b@next.test")
    peer.expect("RSET", 250)
    peer.expect("DATA", 503)
