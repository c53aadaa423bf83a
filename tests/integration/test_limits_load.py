"""Limits of clients over four workers at four times what they allow, counted by
the client's replies and at the sink: exact, given back, and never a stall."""

import re
import signal
import threading

import pytest

from lib import base, client

pytestmark = pytest.mark.sanitizer

STRANGER = "127.88.5.1"
OTHER = "127.88.5.2"
MESSAGE = client.message("load")


def node(relay, sink, policy, limits=None, **listener):
    """Four workers; the stranger is in the group with this policy."""
    return relay(sink.port, {
        "workers": 4,
        "limits": limits or {},
        "relay": {"networks": ["127.0.0.1/32"], "domains": ["next.test"]},
        "sender_group": {"LIMITED": {"senders": [STRANGER],
                                     "policy": "LIMITED"}},
        "mail_flow_policy": {"LIMITED": policy},
        "listener": {"inbound": dict({"sender_groups": ["LIMITED"]},
                                     **listener)}})


def at_once(count, work):
    """work(i) of count threads that begin together; what they returned."""
    begin = threading.Barrier(count)
    results = [None] * count

    def one(i):
        begin.wait()
        results[i] = work(i)
    threads = [threading.Thread(target=one, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def connect(server, source=STRANGER):
    return client.Client("127.0.0.1", server.port, source=source)


def connect_many(server, count, source=STRANGER):
    """Those that were let in, still open, and the replies of the others."""
    peers = at_once(count, lambda _: connect(server, source))
    let_in = [peer for peer in peers if peer.banner.startswith("220")]
    refused = [peer.banner for peer in peers if peer not in let_in]
    for peer in peers:
        if peer not in let_in:
            peer.close()
    return let_in, refused


def let_in_again(server, count, source=STRANGER):
    """The limit is free again, to the last place."""
    def all_free():
        let_in, refused = connect_many(server, count, source)
        for peer in let_in:
            peer.close()
        return not refused
    base.wait_for(all_free, "%d connections once more" % count)


@pytest.mark.parametrize("end", ["quit", "close", "kill"])
def test_connections_of_a_client_never_pass_the_limit(relay, sink, end):
    server = node(relay, sink, {"client_connections": 8, "client_rate": 0})
    let_in, refused = connect_many(server, 32)
    assert (len(let_in), len(refused)) == (8, 24)
    assert {answer[:4] for answer in refused} == {"421 "}
    # Those that are in are served, others are not touched.
    for peer in let_in:
        peer.start().deliver("a@x.test", ["b@next.test"], MESSAGE)
    with connect(server, OTHER) as peer:
        peer.start().deliver("a@x.test", ["b@next.test"], MESSAGE)
    sink.wait(9)
    if end == "kill":
        for pid in server.worker_pids():
            base.run(["kill", "-9", str(pid)])
        server.wait_workers()
    for peer in let_in:
        if end == "quit":
            peer.quit()
        peer.close()
    let_in_again(server, 8)

    def full():
        let_in, _ = connect_many(server, 32)
        for peer in let_in:
            peer.close()
        assert len(let_in) <= 8
        return len(let_in) == 8
    base.wait_for(full, "eight of thirty-two once more")


def test_connections_of_all_clients_never_pass_the_limit(relay, sink):
    server = node(relay, sink, {"client_connections": 0, "client_rate": 0},
                  limits={"connections": 10})
    peers = at_once(40, lambda i: connect(server, "127.88.5.%d" % (i % 20)))
    let_in = [peer for peer in peers if peer.banner.startswith("220")]
    refused = {peer.banner for peer in peers if peer not in let_in}
    assert len(let_in) == 10
    assert refused == {"421 4.3.2 relay.test Too many connections"}
    for peer in let_in:
        peer.start().deliver("a@x.test", ["b@next.test"], MESSAGE)
    sink.wait(10)
    for peer in peers:
        peer.close()
    let_in_again(server, 10, OTHER)


def test_connections_of_a_listener_are_its_own_and_count_for_all(relay, sink):
    second = base.free_port()
    server = node(relay, sink, {"client_connections": 0, "client_rate": 0},
                  limits={"connections": 10}, connections=6)
    server.write_config({"listener": {"second": {
        "address": "127.0.0.1:%d" % second, "tls": "none", "connections": 2}}})
    server.signal(signal.SIGHUP)
    server.wait_log("configuration 2")

    def let_in(port, count):
        peers = at_once(count, lambda i: client.Client(
            "127.0.0.1", port, source="127.88.6.%d" % i))
        stay = [peer for peer in peers if peer.banner.startswith("220")]
        assert {peer.banner for peer in peers if peer not in stay} <= {
            "421 4.3.2 relay.test Too many connections"}
        for peer in peers:
            if peer not in stay:
                peer.close()
        return stay
    first = let_in(server.port, 5)
    assert len(first) == 5
    # What the other listener has is none of its business.
    other = let_in(second, 8)
    assert len(other) == 2
    # A reload forgets nobody.
    server.write_config({"listener": {"second": {"connections": 6}}})
    server.signal(signal.SIGHUP)
    server.wait_log("configuration 3")
    # Refused clients of a listener are no share of all: 5 + 5 are ten.
    other += let_in(second, 8)
    assert len(other) == 5
    assert let_in(server.port, 1) == []
    for peer in first + other:
        peer.close()

    def all_free():
        again = let_in(second, 6)
        for peer in again:
            peer.close()
        return len(again) == 6
    base.wait_for(all_free, "six connections once more")


def test_connections_a_minute_are_exact(relay, sink):
    server = node(relay, sink, {"client_connections": 0, "client_rate": 12})
    banners = at_once(48, lambda _: one_banner(server))
    assert len([b for b in banners if b.startswith("220")]) == 12
    assert len([b for b in banners if b.startswith("421")]) == 36
    with connect(server, OTHER) as peer:
        assert peer.banner.startswith("220")


def one_banner(server):
    with connect(server) as peer:
        return peer.banner


def test_messages_of_a_connection_are_exact(relay, sink):
    """At four times the limit, on four connections at once."""
    server = node(relay, sink, {"messages": 3})

    def send(_):
        taken = 0
        with connect(server) as peer:
            peer.ehlo()
            for _ in range(12):
                if not peer.cmd("MAIL FROM:<a@x.test>").startswith("250"):
                    break
                peer.expect("RCPT TO:<b@next.test>", 250)
                assert peer.data(MESSAGE).startswith("250")
                taken += 1
        return taken
    assert at_once(4, send) == [3] * 4
    assert at_once(4, send) == [3] * 4  # a new connection begins anew
    sink.wait(24)
    server.wait_empty()
    assert len(sink.messages) == 24


def test_recipients_of_a_message_are_exact(relay, sink):
    server = node(relay, sink, {"recipients": 100, "client_rate": 0})

    def send(i):
        with connect(server) as peer:
            peer.ehlo()
            peer.expect("MAIL FROM:<a@x.test>", 250)
            codes = [peer.cmd("RCPT TO:<r%d.%d@next.test>" % (i, n))[:9]
                     for n in range(400)]
            assert peer.data(MESSAGE).startswith("250")
            # The next message has the whole number again.
            peer.expect("MAIL FROM:<a@x.test>", 250)
            peer.expect("RCPT TO:<again%d@next.test>" % i, 250)
            assert peer.data(MESSAGE).startswith("250")
        return codes
    for codes in at_once(4, send):
        assert [code[:3] for code in codes[:100]] == ["250"] * 100
        assert set(codes[100:]) == {"452 4.5.3"}
    base.wait_for(lambda: len(sink.recipients()) >= 404, "all recipients")
    server.wait_empty()
    assert len(set(sink.recipients())) == len(sink.recipients()) == 404


@pytest.mark.parametrize("code", [452, 550])
def test_recipients_of_an_hour_are_exact_over_workers(relay, sink, code):
    """The first recipients of a client come from many connections at once, on
    all workers: not one more than the limit is taken."""
    server = node(relay, sink, {
        "client_connections": 0, "client_rate": 0, "recipients_per_hour": 20,
        "recipients_code": code, "recipients_text": "Enough for this hour"})
    peers = [connect(server) for _ in range(40)]
    for peer in peers:
        peer.ehlo()
        peer.expect("MAIL FROM:<a@x.test>", 250)
    answers = at_once(40, lambda i: [
        peers[i].cmd("RCPT TO:<r%d.%d@next.test>" % (i, n))
        for n in range(2)])
    flat = [answer for both in answers for answer in both]
    assert len([a for a in flat if a.startswith("250")]) == 20
    assert [a for a in flat if not a.startswith("250")] == \
        ["%d %d.5.3 Enough for this hour" % (code, code // 100)] * 60
    for peer, both in zip(peers, answers):
        if [a for a in both if a.startswith("250")]:
            assert peer.data(MESSAGE).startswith("250")
        peer.quit()
    base.wait_for(lambda: len(sink.recipients()) >= 20, "the twenty")
    server.wait_empty()
    assert len(sink.recipients()) == 20
    # Another client has an hour of its own, and so has a killed worker's
    # client: what was counted stays.
    with connect(server, OTHER) as peer:
        peer.start().mail("a@x.test", "b@next.test")
    for pid in server.worker_pids():
        base.run(["kill", "-9", str(pid)])
    server.wait_workers()
    with connect(server) as peer:
        peer.start().mail("a@x.test")
        peer.expect("RCPT TO:<b@next.test>", code)


def wait_new(server, question):
    """A reload is in force once all workers answer so: many in a row."""
    base.wait_for(lambda: all(question() for _ in range(24)),
                  "the new limit in each worker")


def test_a_reload_raises_and_lowers_the_limit_of_an_hour(relay, sink):
    server = node(relay, sink, {"client_rate": 0, "recipients_per_hour": 5})

    def takes():
        with connect(server) as peer:
            peer.start().mail("a@x.test")
            return peer.cmd("RCPT TO:<b@next.test>").startswith("250")
    assert [takes() for _ in range(8)] == [True] * 5 + [False] * 3
    server.write_config({"mail_flow_policy": {
        "LIMITED": {"recipients_per_hour": 1000000}}})
    server.signal(signal.SIGHUP)
    wait_new(server, takes)
    server.write_config({"mail_flow_policy": {
        "LIMITED": {"recipients_per_hour": 6}}})
    server.signal(signal.SIGHUP)
    wait_new(server, lambda: not takes())


def test_a_reload_that_lowers_the_limit_of_connections(relay, sink):
    """Who is in stays in; nobody else comes before there is room."""
    server = node(relay, sink, {"client_connections": 12, "client_rate": 0})
    held, _ = connect_many(server, 12)
    assert len(held) == 12
    server.write_config({"mail_flow_policy": {
        "LIMITED": {"client_connections": 3, "banner_text": "lowered"}}})
    server.signal(signal.SIGHUP)

    def lowered():
        with connect(server, OTHER) as peer:
            return peer.ehlo() is not None
    wait_new(server, lowered)
    for peer in held:
        peer.start().deliver("a@x.test", ["b@next.test"], MESSAGE)
    sink.wait(12)
    for peer in held:
        peer.quit()

    def three():
        let_in, _ = connect_many(server, 12)
        try:
            return len(let_in) == 3 and all(
                peer.banner.endswith("lowered") for peer in let_in)
        finally:
            for peer in let_in:
                peer.close()
    base.wait_for(three, "three connections under the new policy")


def test_the_size_of_a_message_is_that_of_the_policy(relay, sink):
    server = node(relay, sink, {"message_size": "4k"})
    big = client.message(body="x" * 76 + "\r\n" + ("y" * 76 + "\r\n") * 200)

    def send(i):
        source = STRANGER if i % 2 == 0 else OTHER
        with connect(server, source) as peer:
            size = re.search(r"SIZE (\d+)", "\n".join(peer.ehlo())).group(1)
            announced = peer.cmd("MAIL FROM:<a@x.test> SIZE=16000")[:3]
            peer.expect("RSET", 250)
            peer.mail("a@x.test", "b@next.test")
            told = peer.data(big)[:3]
            peer.deliver("a@x.test", ["b@next.test"], MESSAGE)
        return size, announced, told
    answers = at_once(8, send)
    assert answers[0::2] == [("4096", "552", "552")] * 4
    assert answers[1::2] == [("150000000", "250", "250")] * 4
    sink.wait(12)
    server.wait_empty()
    assert len(sink.messages) == 12
