"""Delivery status notifications (RFC 3461, 3464, 6522)."""

import email
import email.policy

import pytest

from lib import base, client

pytestmark = pytest.mark.sanitizer

NO_DSN = ["PIPELINING", "SIZE 200000000", "8BITMIME", "ENHANCEDSTATUSCODES"]


def refuse(sink, stage="rcpt", reply="550 5.1.1 no such user, really"):
    sink.fault(stage, reply, when="gone")


def submit(server, sender="a@client.test", recipient="gone@next.test",
           mail="", rcpt="", text=None):
    with server.client() as peer:
        peer.ehlo()
        peer.expect("MAIL FROM:<%s>%s" % (sender, mail), 250)
        for one in recipient.split():
            peer.expect("RCPT TO:<%s>%s" % (one, rcpt), 250)
        answer = peer.data(text or client.message("the subject"))
        assert answer.startswith("250"), answer


def parse(message):
    """The report's own header, and its parts."""
    whole = email.message_from_bytes(message.data,
                                     policy=email.policy.default)
    return whole, list(whole.iter_parts())


def blocks(part):
    """A delivery-status part: per-message fields, then per recipient."""
    return part.get_payload()


def typed(value):
    """The type and the value of a field, such as "rfc822; a@b.test"."""
    return value.replace("; ", ";", 1)


def wait_report(sink, to="a@client.test"):
    return base.wait_for(lambda: [
        message for message in list(sink.messages)
        if message.recipients == [to]], "a report to " + to)[0]


def test_a_refused_recipient_bounces_to_the_sender(relay, sink):
    refuse(sink)
    server = relay(sink.port)
    submit(server)
    message = wait_report(sink)
    assert message.sender == ""
    whole, parts = parse(message)
    assert whole.get_content_type() == "multipart/report"
    assert whole.get_param("report-type") == "delivery-status"
    assert whole["To"] == "a@client.test" or "<a@client.test>" in whole["To"]
    assert whole["Auto-Submitted"] == "auto-replied"
    assert whole["Message-ID"] and whole["Date"] and whole["Subject"]
    assert [part.get_content_type() for part in parts] == [
        "text/plain", "message/delivery-status", "message/rfc822"]
    about, person = blocks(parts[1])
    assert typed(about["Reporting-MTA"]) == "dns;relay.test"
    assert typed(person["Final-Recipient"]) == "rfc822;gone@next.test"
    assert person["Action"] == "failed"
    assert person["Status"] == "5.1.1"
    assert "550 5.1.1 no such user, really" in person["Diagnostic-Code"]
    assert person["Diagnostic-Code"].startswith("smtp;")
    assert "gone@next.test" in parts[0].get_content()
    assert b"body\r\n" in message.data
    server.wait_log(r"Bounced: DCID \d+ MID \d+ to RID 0 - 5\.1\.1 - ")
    server.wait_log(r"MID (\d+) was generated for bounce of MID \d+")
    server.wait_empty()


def test_a_report_is_seven_bit_with_short_lines(relay, sink):
    refuse(sink, reply=[
        "550-5.1.1 gr\u00fc\u00dfe \x1b[31m" + "long " * 90, "550 5.1.1 end"])
    server = relay(sink.port)
    submit(server)
    data = wait_report(sink).data
    head = data[:data.rindex(b"message/rfc822")]
    assert all(byte < 127 and (byte >= 32 or byte in b"\r\n\t")
               for byte in head)
    assert max(map(len, data.split(b"\r\n"))) <= 998


def test_all_failed_recipients_share_one_report(relay, sink):
    refuse(sink)
    server = relay(sink.port)
    submit(server, recipient="gone1@next.test fine@next.test gone2@next.test")
    _, parts = parse(wait_report(sink))
    people = [typed(block["Final-Recipient"]) for block in blocks(parts[1])[1:]]
    assert sorted(people) == ["rfc822;gone1@next.test",
                              "rfc822;gone2@next.test"]
    server.wait_empty()
    assert len([m for m in sink.messages if m.sender == ""]) == 1


def test_a_refused_message_bounces_as_well(relay, sink):
    sink.fault("dot", "554 5.6.0 we do not like it", when="a@client.test")
    server = relay(sink.port)
    submit(server, recipient="b@next.test")
    _, parts = parse(wait_report(sink))
    assert blocks(parts[1])[1]["Status"] == "5.6.0"


def test_a_large_message_comes_back_as_its_header_only(relay, sink):
    refuse(sink)
    server = relay(sink.port)
    submit(server, text=client.message(body="secret\r\n" * 3000))
    message = wait_report(sink)
    _, parts = parse(message)
    assert parts[2].get_content_type() == "text/rfc822-headers"
    assert b"secret" not in message.data and len(message.data) < 20000


def submit_of_size(server, sink, size, header=""):
    """As it is relayed, with our Received, it has so many octets; what that
    is. The text that is put in is as long as it must be."""
    body, relayed = 1000, None
    for attempt in range(8):
        name = "fine%d@next.test" % attempt
        lines = "x" * 70 + "\r\n"
        filled = lines * (body // 72 - 1)
        filled += "y" * (body - len(filled) - 2) + "\r\n"
        submit(server, recipient="%s gone@next.test" % name,
               sender="try%d@client.test" % attempt,
               text=client.message(body=filled, extra=header))
        relayed = base.wait_for(lambda: [
            message for message in list(sink.messages)
            if message.recipients == [name]], name)[0].data
        if len(relayed) == size:
            break
        body += size - len(relayed)
    assert len(relayed) == size
    return relayed, "try%d@client.test" % attempt


@pytest.mark.parametrize("bound,size,whole", [
    ("10k", 10239, True), ("10k", 10240, False), ("10k", 10241, False),
    ("32k", 10241, True), ("32k", 32767, True), ("32k", 32768, False)])
def test_a_message_below_the_bound_comes_back_whole(relay, sink, bound, size,
                                                    whole):
    refuse(sink)
    server = relay(sink.port, {"delivery": {"max_bounce_copy": bound}})
    relayed, sender = submit_of_size(server, sink, size)
    message = wait_report(sink, sender)
    _, parts = parse(message)
    head = relayed[:relayed.index(b"\r\n\r\n") + 2]
    assert parts[2].get_content_type() == (
        "message/rfc822" if whole else "text/rfc822-headers")
    assert (relayed if whole else head) in message.data
    assert (relayed in message.data) == whole


@pytest.mark.parametrize("bound", [10240, 12288])
def test_a_header_that_comes_back_is_cut_at_the_bound(relay, sink, bound):
    refuse(sink)
    server = relay(sink.port, {"delivery": {"max_bounce_copy": bound}})
    lines = "".join("X-Field-%03d: %s\r\n" % (i, "z" * 60)
                    for i in range(205))
    assert 15000 < len(lines) < 16000
    relayed, sender = submit_of_size(server, sink, 17000, lines)
    message = wait_report(sink, sender)
    _, parts = parse(message)
    assert parts[2].get_content_type() == "text/rfc822-headers"
    # Whole lines, and no more of them would fit.
    cut = relayed.rindex(b"\r\n", 0, bound) + 2
    assert relayed[:cut] in message.data
    assert relayed[cut:cut + 20] not in message.data


def test_ret_hdrs_returns_only_the_header(relay, sink):
    refuse(sink)
    server = relay(sink.port)
    submit(server, mail=" RET=HDRS", text=client.message(body="secret\r\n"))
    message = wait_report(sink)
    assert parse(message)[1][2].get_content_type() == "text/rfc822-headers"
    assert b"secret" not in message.data


def test_envid_and_orcpt_come_back_decoded_and_whole(relay, sink):
    refuse(sink)
    server = relay(sink.port)
    submit(server, mail=" ENVID=id+2B77", rcpt=" ORCPT=rfc822;one+40up.test")
    _, parts = parse(wait_report(sink))
    about, person = blocks(parts[1])
    assert about["Original-Envelope-Id"] == "id+77"
    assert typed(person["Original-Recipient"]) == "rfc822;one@up.test"


@pytest.mark.parametrize("notify", ["NEVER", "SUCCESS", "DELAY"])
def test_who_did_not_ask_for_failures_gets_none(relay, sink, notify):
    refuse(sink)
    server = relay(sink.port)
    submit(server, rcpt=" NOTIFY=" + notify)
    server.wait_log(r"Bounced: DCID")
    server.wait_empty()
    assert not sink.messages


def test_the_null_sender_gets_no_bounce(relay, sink):
    refuse(sink)
    server = relay(sink.port)
    submit(server, sender="")
    server.wait_log(r"Double bounce: MID \d+ to RID 0 - 5\.1\.1")
    server.wait_empty()
    assert not sink.messages


def test_success_is_left_to_a_next_hop_that_knows_dsn(relay, sink):
    server = relay(sink.port)
    submit(server, recipient="b@next.test", mail=" RET=HDRS ENVID=abc",
           rcpt=" NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;o@up.test")
    message = sink.wait(1)[0]
    assert "RET=HDRS" in message.sender_params
    assert "ENVID=abc" in message.sender_params
    assert "NOTIFY=SUCCESS,FAILURE" in message.recipient_params[0]
    assert "ORCPT=rfc822;o@up.test" in message.recipient_params[0]
    server.wait_empty()
    assert len(sink.messages) == 1


def test_success_is_reported_as_relayed_where_dsn_ends(relay, make_sink):
    sink = make_sink(ehlo=NO_DSN)
    server = relay(sink.port)
    submit(server, recipient="b@next.test", rcpt=" NOTIFY=SUCCESS")
    _, parts = parse(wait_report(sink))
    assert blocks(parts[1])[1]["Action"] == "relayed"
    assert "NOTIFY" not in sink.messages[0].recipient_params[0]


def test_a_large_message_may_cause_two_reports_at_once(relay, make_sink):
    hop = make_sink(ehlo=NO_DSN)
    refuse(hop)
    server = relay(hop.port)
    submit(server, recipient="b@next.test gone@next.test",
           rcpt=" NOTIFY=SUCCESS,FAILURE",
           text=client.message("large", ("x" * 70 + "\r\n") * 6000))
    hop.wait(3)
    server.wait_empty()
    assert hop.recipients() == ["a@client.test", "a@client.test",
                                "b@next.test"]


def test_a_message_that_grew_too_old_bounces(relay, sink):
    sink.fault("rcpt", "450 4.2.1 not today", when="gone")
    server = relay(sink.port, {"bounce_profile": {"default": {
        "first_retry": "1s", "max_retry": "1s", "lifetime": "3s"}}})
    submit(server)
    _, parts = parse(wait_report(sink))
    person = blocks(parts[1])[1]
    assert person["Action"] == "failed"
    assert person["Status"] in ("5.4.7", "4.4.7")
    assert "not today" in person["Diagnostic-Code"]
    server.wait_log(r"Bounced: .* 5\.4\.7 - Delivery expired")


def test_a_delay_is_reported_once_if_configured(relay, sink):
    sink.fault("rcpt", "450 4.2.1 not today", when="gone")
    server = relay(sink.port, {"bounce_profile": {"default": {
        "first_retry": "1s", "max_retry": "1s", "warn": True,
        "warn_after": "1s"}}})
    submit(server)
    _, parts = parse(wait_report(sink))
    person = blocks(parts[1])[1]
    assert person["Action"] == "delayed" and person["Status"][0] == "4"
    assert person["Will-Retry-Until"]
    sink.wait_command("RCPT TO:<gone", 5)
    assert len(sink.messages) == 1


def test_a_bounce_survives_a_sender_that_is_down_for_a_while(relay, sink):
    refuse(sink)
    sink.fault("mail", "451 4.3.0 later", when="<>", times=2)
    server = relay(sink.port)
    submit(server)
    assert wait_report(sink).sender == ""
    server.wait_empty()


def test_a_destinations_profile_says_who_is_told_and_how(relay, sink):
    refuse(sink)
    server = relay(sink.port, {
        "bounce_profile": {"quiet": {"send_bounces": False},
                           "plain": {"format": "plain",
                                     "alternate": "boss@ours.test"}},
        "destination": {"quiet.test": {"bounce_profile": "quiet"},
                        "plain.test": {"bounce_profile": "plain"}}})
    submit(server, recipient="gone@quiet.test")
    submit(server, recipient="gone@plain.test")
    submit(server, recipient="gone@next.test")
    server.wait_log("Bounced: ", 3)
    server.wait_empty()
    came = {message.recipients[0]: message for message in sink.messages}
    assert sorted(came) == ["a@client.test", "boss@ours.test"]
    whole, parts = parse(came["boss@ours.test"])
    assert whole.get_content_type() == "text/plain" and parts == []
    assert whole["To"] == "boss@ours.test"
    assert "no such user" in whole.get_content()
    assert "Subject: the subject" in whole.get_content()
    assert parse(came["a@client.test"])[0].get_content_type() == (
        "multipart/report")
