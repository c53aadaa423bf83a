"""What a listener does at each point where TLS may fail, for each of its
levels: off, preferred and required (requirements.md 3.2), be the level the
listener's own or that of a mail flow policy."""

import os
import re
import ssl

import pytest

from lib import base, certs, client

pytestmark = pytest.mark.sanitizer

LEVELS = ["off", "preferred", "required"]
LIST = ["boss@strict.test", "tls.test", ".below.test"]
NOT_OFFERED = "STARTTLS is not offered"
NO_MAIL = "STARTTLS is answered 454 and no mail is taken"
MIXED = (NOT_OFFERED + ", and where it is required it is answered 454 and no "
         "mail is taken")
ICID = r"New SMTP ICID (\d+)"


@pytest.fixture(scope="module", params=["listener", "policy"])
def makers_of_module(request, tmp_path_factory):
    yield from made_levels(tmp_path_factory, request.param == "policy")


@pytest.fixture(scope="module")
def levels(makers_of_module):
    """One relay with a listener for each level."""
    relay, sink = makers_of_module
    return relay, sink


def by_policies(listeners):
    """The same levels, but of a policy for everybody at each listener, whose
    own level is another one."""
    config = {"sender_group": {}, "mail_flow_policy": {},
              "listener": listeners}
    for name, setting in listeners.items():
        moved = {key: setting.pop(key) for key in
                 ("tls", "client_cert", "tls_senders") if key in setting}
        setting.update(tls="off" if moved["tls"] != "off" else "required",
                       sender_groups=[name])
        config["mail_flow_policy"][name] = dict(moved, behavior="relay")
        config["sender_group"][name] = {"senders": ["ALL"], "policy": name}
    return config


# Listeners without a key where a few have a policy of their own: the level of
# all others, and that policy.
FEW = {
    "few-required": ("off", {"tls": "required", "behavior": "relay"}),
    "few-in-clear": ("required", {"tls": "off", "behavior": "relay"}),
    "few-refused": ("required", {"tls": "off", "behavior": "tcprefuse"}),
    "few-rejected": ("preferred", {"tls": "required", "behavior": "reject"}),
    "few-passed-over": ("required", {"tls": "off", "behavior": "continue"}),
}


def with_few(config, relay, key):
    for name, (level, policy) in FEW.items():
        config.setdefault("mail_flow_policy", {})[name] = policy
        config.setdefault("sender_group", {})[name] = {
            "senders": ["192.0.2.1"], "policy": name}
        config["listener"][name] = {
            "address": ["127.0.0.1:%d" % base.free_port()], "tls": level,
            "sender_groups": [name], "cert": relay.cert, "key": key}
    return config


def made_levels(tmp_path_factory, policies):
    from conftest import Makers
    from lib import postern, sink as sinks
    made = Makers()
    sink = made.add(sinks.Sink())
    pki = certs.Authority(str(tmp_path_factory.mktemp("pki")))
    relay = postern.Postern(sink.port)
    ports, listeners = {}, {}
    for name in LEVELS:
        listeners[name] = {"tls": name}
    listeners["listed"] = {"tls": "preferred", "tls_senders": LIST}
    for level in ("preferred", "required"):
        for asked in ("off", "request", "require"):
            listeners["%s-%s" % (level, asked)] = {
                "tls": level, "client_cert": asked, "client_ca": pki.ca}
    other = certs.make(str(tmp_path_factory.mktemp("other")), "other.test")
    for level in LEVELS:
        listeners["keyless-%s" % level] = {"tls": level, "key": other.key}
    for name, setting in listeners.items():
        ports[name] = base.free_port()
        setting.update(address=["127.0.0.1:%d" % ports[name]],
                       cert=relay.cert, key=setting.get("key", relay.key))
    config = by_policies(listeners) if policies else {"listener": listeners}
    relay.write_config(with_few(config, relay, other.key))
    made.add(relay).start()
    relay.ports, relay.pki = ports, pki
    yield relay, sink
    made.close()


def connect(relay, name):
    return client.Client("127.0.0.1", relay.ports[name])


def icid_of_last(relay):
    """Of the connection that was logged last."""
    return re.findall(ICID, "\n".join(relay.log_lines()))[-1]


def lines_of(relay, icid, until="close"):
    relay.wait_log(r"ICID %s %s$" % (icid, until))
    return [line.split(" Info: ", 1)[-1] for line in relay.log_lines()
            if "ICID %s " % icid in line]


@pytest.mark.parametrize("level,offered", [
    ("off", False), ("preferred", True), ("required", True)])
def test_starttls_is_offered_as_the_level_says(levels, level, offered):
    with connect(levels[0], level) as peer:
        assert ("STARTTLS" in peer.ehlo()) == offered


@pytest.mark.parametrize("level", LEVELS)
def test_starttls_with_an_argument_is_a_syntax_error(levels, level):
    with connect(levels[0], level) as peer:
        peer.ehlo()
        peer.expect("STARTTLS now", 501)


def test_starttls_where_it_is_off_is_no_command(levels):
    with connect(levels[0], "off") as peer:
        peer.ehlo()
        peer.expect("STARTTLS", 502)


@pytest.mark.parametrize("level", ["preferred", "required"])
def test_starttls_inside_tls_is_out_of_order(levels, level):
    with connect(levels[0], level) as peer:
        peer.ehlo()
        peer.starttls()
        assert "STARTTLS" not in peer.ehlo()
        peer.expect("STARTTLS", 503)


@pytest.mark.parametrize("level", ["off", "preferred"])
def test_mail_in_clear_is_taken_where_tls_is_not_required(levels, level):
    relay, sink = levels
    before = len(sink.messages)
    with connect(relay, level) as peer:
        peer.start().deliver("a@client.test", ["b@next.test"],
                             client.message())
    sink.wait(before + 1)


@pytest.mark.parametrize("command", [
    "MAIL FROM:<a@client.test>", "RCPT TO:<b@next.test>", "DATA", "RSET",
    "VRFY b", "HELP", "ETRN next.test", "AUTH PLAIN AGEAYg==", "BDAT 3 LAST"])
def test_required_answers_530_to_what_could_do_something(levels, command):
    with connect(levels[0], "required") as peer:
        peer.ehlo()
        assert peer.cmd(command).startswith(
            "530 5.7.0 Must issue a STARTTLS command first")


@pytest.mark.parametrize("command,code", [("NOOP", 250), ("QUIT", 221)])
def test_required_answers_what_cannot_harm(levels, command, code):
    with connect(levels[0], "required") as peer:
        peer.ehlo()
        peer.expect(command, code)


def test_no_message_starts_in_clear_under_required(levels):
    relay, _ = levels
    with connect(relay, "required") as peer:
        peer.ehlo()
        peer.cmd("MAIL FROM:<a@client.test>")
        icid = icid_of_last(relay)
        peer.quit()
    lines = lines_of(relay, icid)
    assert not [line for line in lines if "Start MID" in line]
    assert lines[-2:] == [
        "ICID %s TLS was required but remote host did not initiate it" % icid,
        "ICID %s close" % icid]


@pytest.mark.parametrize("level,answer,mail", [
    ("off", 502, 250), ("preferred", 454, 250), ("required", 454, 530)])
def test_without_a_key_of_ours_nothing_is_promised(levels, level, answer,
                                                   mail):
    """The key is another certificate's."""
    relay, _ = levels
    with connect(relay, "keyless-" + level) as peer:
        assert ("STARTTLS" in peer.ehlo()) == (level == "required")
        icid = icid_of_last(relay)
        assert peer.expect("STARTTLS", answer)
        peer.expect("STARTTLS now", 501)
        peer.expect("MAIL FROM:<a@client.test>", mail)
        peer.quit()
    demanded = "ICID %s TLS was required but remote host did not initiate it"
    assert (demanded % icid in lines_of(relay, icid)) == (mail == 530)


@pytest.mark.parametrize("name,what", [
    ("keyless-preferred", NOT_OFFERED), ("keyless-required", NO_MAIL),
    ("few-required", MIXED), ("few-in-clear", MIXED),
    ("few-refused", NO_MAIL), ("few-rejected", NOT_OFFERED),
    ("few-passed-over", NO_MAIL)])
def test_a_listener_without_a_key_is_an_alert(levels, name, what):
    levels[0].wait_log(r"Alert System/Critical: listener %s has no usable "
                       r"certificate: %s$" % (name, what))


@pytest.mark.parametrize("level", ["preferred", "required"])
def test_a_handshake_that_fails_leaves_nothing_in_clear(levels, level):
    relay, _ = levels
    with connect(relay, level) as peer:
        peer.ehlo()
        icid = icid_of_last(relay)
        peer.expect("STARTTLS", 220)
        peer.send(b"MAIL FROM:<a@client.test>\r\nRCPT TO:<b@next.test>\r\n")
        peer.wait_closed()
    lines = lines_of(relay, icid)
    assert "TLS failed: " in lines[2]
    assert lines[3] == "ICID %s lost" % icid
    assert lines[-1] == "ICID %s close" % icid
    assert not [line for line in lines if "MID" in line]


@pytest.mark.parametrize("level", ["preferred", "required"])
def test_a_client_without_a_common_cipher_gets_no_session(levels, level):
    relay, _ = levels
    context = client.anyone()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES256-SHA384")
    with connect(relay, level) as peer:
        peer.ehlo()
        icid = icid_of_last(relay)
        peer.expect("STARTTLS", 220)
        with pytest.raises(OSError):
            peer.handshake(context)
    lines = lines_of(relay, icid)
    found = re.match(r"ICID %s TLS failed: \((\d+), 'error:([0-9a-f]{8}):SSL "
                     r"routines:OPENSSL_internal:NO_SHARED_CIPHER'\)$" % icid,
                     lines[2])
    assert found and int(found.group(1)) == int(found.group(2), 16), lines
    assert lines[3:] == ["ICID %s lost" % icid, "ICID %s close" % icid]


@pytest.mark.parametrize("sender,listed", [
    ("boss@strict.test", True), ("BOSS@strict.test", True),
    ("clerk@strict.test", False), ("a@tls.test", True),
    ("a@sub.tls.test", False), ("a@x.below.test", True),
    ("a@below.test", False), ("", False)])
def test_a_listed_sender_is_taken_inside_tls_only(levels, sender, listed):
    relay, sink = levels
    with connect(relay, "listed") as peer:
        peer.ehlo()
        icid = icid_of_last(relay)
        peer.expect("MAIL FROM:<%s>" % sender, 530 if listed else 250)
        peer.quit()
    demanded = "ICID %s TLS was required but remote host did not initiate it"
    assert (demanded % icid in lines_of(relay, icid)) == listed
    before = len(sink.messages)
    with connect(relay, "listed") as peer:
        peer.ehlo()
        peer.starttls()
        peer.start().deliver(sender, ["b@next.test"], client.message())
    sink.wait(before + 1)


CERTIFICATES = ["good", "none", "foreign", "expired", "server-only"]


@pytest.mark.parametrize("level", ["preferred", "required"])
@pytest.mark.parametrize("asked", ["request", "require"])
@pytest.mark.parametrize("kind", CERTIFICATES)
def test_a_client_certificate_must_hold_if_it_is_shown(
        levels, level, asked, kind):
    relay, _ = levels
    taken = kind == "good" or (kind == "none" and asked == "request")
    context = client.anyone()
    if kind != "none":
        pair = relay.pki.client(kind)
        context.load_cert_chain(pair.cert, pair.key)
    with connect(relay, "%s-%s" % (level, asked)) as peer:
        peer.ehlo()
        icid = icid_of_last(relay)
        peer.expect("STARTTLS", 220)
        if taken:
            peer.handshake(context)
            peer.ehlo()
            peer.expect("MAIL FROM:<a@client.test>", 250)
        else:
            with pytest.raises((OSError, EOFError)):
                peer.handshake(context)  # TLS 1.3 tells only at the reading
                peer.ehlo()
    lines = lines_of(relay, icid)
    if taken:
        assert "TLS success" in lines[2]
        assert ("peer certificate verified" in lines[3]) == (kind == "good")
    else:
        assert "TLS failed: " in lines[2]
        assert not [line for line in lines if "MID" in line]


@pytest.mark.parametrize("level,asked,taken", [
    ("preferred", "request", True), ("required", "require", False)])
def test_no_certificate_is_accepted_at_preferred_and_rejected_at_required(
        levels, level, asked, taken):
    """The row "client certificate absent, verification on": what "Verify
    client certificate" of an appliance is here at each level."""
    relay, sink = levels
    before = len(sink.messages)
    with connect(relay, "%s-%s" % (level, asked)) as peer:
        peer.ehlo()
        icid = icid_of_last(relay)
        peer.expect("STARTTLS", 220)
        if taken:
            peer.handshake(client.anyone())
            peer.start().deliver("a@client.test", ["b@next.test"],
                                 client.message())
            peer.quit()
        else:
            with pytest.raises((OSError, EOFError)):
                peer.handshake(client.anyone())
                peer.ehlo()
    lines = lines_of(relay, icid)
    assert ("TLS success" if taken else "TLS failed: ") in lines[2]
    # Nobody is named in either case.
    assert not [line for line in lines if "peer certificate" in line]
    if taken:
        sink.wait(before + 1)
        assert sink.messages[-1].sender == "a@client.test"
    else:
        assert not [line for line in lines if "MID" in line]


@pytest.mark.parametrize("level", ["preferred", "required"])
@pytest.mark.parametrize("kind", CERTIFICATES)
def test_a_client_certificate_that_nobody_asks_for_does_not_count(
        levels, level, kind):
    relay, _ = levels
    context = client.anyone()
    if kind != "none":
        pair = relay.pki.client(kind)
        context.load_cert_chain(pair.cert, pair.key)
    with connect(relay, level + "-off") as peer:
        peer.ehlo()
        icid = icid_of_last(relay)
        peer.expect("STARTTLS", 220)
        peer.handshake(context)
        peer.ehlo()
        peer.expect("MAIL FROM:<a@client.test>", 250)
        peer.quit()
    lines = lines_of(relay, icid)
    assert "TLS success" in lines[2]
    assert not [line for line in lines if "peer certificate" in line]


def test_without_a_list_of_roots_an_identity_is_not_judged(relay, sink):
    """relay.certificates names clients by fingerprint, whoever signed."""
    listed = certs.make(os.path.dirname(certs_dir()), "box.test")
    server = relay(sink.port, {
        "relay": {"networks": ["192.0.2.1/32"],
                  "certificates": [certs.fingerprint(listed)]}})
    context = client.anyone()
    context.load_cert_chain(listed.cert, listed.key)
    with server.client() as peer:
        peer.ehlo()
        peer.expect("STARTTLS", 220)
        peer.handshake(context)
        peer.start().deliver("a@client.test", ["b@next.test"],
                             client.message())
    sink.wait(1)
    assert server.wait_log("peer certificate not verified: ")


def certs_dir():
    from lib import postern
    return postern.certificate().cert


def test_a_failed_handshake_at_length(relay, sink):
    server = relay(sink.port, {"workers": 1, "tls": {"verbose": True}})
    with server.client() as peer:
        peer.ehlo()
        peer.expect("STARTTLS", 220)
        peer.send(b"\x16\x03\x01\x00\x05junk!")
        peer.wait_closed()
    lines = lines_of(server, "1")
    block = [line for line in lines if "handshake: " in line]
    assert block == lines[3:3 + len(block)]
    assert "phase after STARTTLS, client [127.0.0.1]" in block[0]
    assert "sent by us" in block[1]
    assert "reason protocol: (" in block[2]
    metrics = server.cli_json("status")[0]["metrics"]
    assert metrics["tls_in_failed_protocol_total"] == 1


def test_a_client_that_closes_in_the_handshake_is_lost(relay, sink):
    server = relay(sink.port, {"workers": 1})
    with server.client() as peer:
        peer.ehlo()
        peer.expect("STARTTLS", 220)
    assert lines_of(server, "1")[2:] == [
        "ICID 1 TLS failed: the peer closed the connection", "ICID 1 lost",
        "ICID 1 close"]
