"""Recipients that plugins treat differently: branches, what each of them gets,
and that nobody is lost or doubled when a process dies."""

import os
import random
import re
import time

import pytest

from lib import base, load as loads
from lib.client import message

PLUGINS = os.path.join(os.path.dirname(base.POSTERN_BIN), "tests", "plugins")
CYCLES = int(os.environ.get("POSTERN_CYCLES", "10"))
FAST = {"bounce_profile": {"default": {"first_retry": "500ms",
                                       "max_retry": "1s"}}}


def config(**steps):
    return dict(FAST, plugin_dirs=[PLUGINS], plugin={"puppet": steps})


def deliver(server, rcpts, **kwargs):
    with server.client() as c:
        assert c.start().deliver("a@a.test", rcpts, message(**kwargs))


def by_recipient(sink, count):
    return {r: m for m in sink.wait(count) for r in m.recipients}



def test_each_branch_gets_its_edits_and_the_same_body(relay, sink):
    server = relay(sink.port, config(
        eom="for b@b.test edit add X-For b; for d@b.test edit add X-For b;"
            "for c@b.test edit set Subject 0 changed"))
    deliver(server, ["a@b.test", "b@b.test", "c@b.test", "d@b.test"],
            subject="original")
    got = by_recipient(sink, 3)
    assert sorted(sink.messages[i].recipients for i in range(3)) == [
        ["a@b.test"], ["b@b.test", "d@b.test"], ["c@b.test"]]
    assert got["a@b.test"].header("X-For") is None
    assert got["b@b.test"].header("X-For") == "b"
    assert got["c@b.test"].header("Subject") == "changed"
    assert got["a@b.test"].header("Subject") == "original"
    assert len({m.digest() for m in got.values()}) == 1
    assert len({m.header("Message-ID") for m in got.values()}) == 1
    # Nobody learns of the others.
    for rcpt, m in got.items():
        for other in set(got) - set(m.recipients):
            assert other.encode() not in m.data, rcpt
    # SIZE= is that of what is sent.
    for m in got.values():
        size = re.search(r"SIZE=(\d+)", m.sender_params).group(1)
        assert int(size) == len(m.data)


def test_the_log_has_one_line_for_each_split_in_order(relay, sink):
    server = relay(sink.port, config(
        eom="for b@b.test edit add X b; for c@b.test edit add X c"))
    deliver(server, ["a@b.test", "b@b.test", "c@b.test"])
    sink.wait(3)
    base.wait_for(lambda: sum("Message finished" in line for line in
                              server.log_lines()) == 3, "three ends")
    text = "\n".join(server.log_lines())
    splits = re.findall(r"MID (\d+) was split creating MID (\d+) due to a "
                        r"per-recipient policy puppet\b", text)
    assert len(splits) == 2 and len({p for p, _ in splits}) == 1
    parent = splits[0][0]
    order = [text.index("MID %s ready" % parent)]
    for (_, child), rcpt in zip(splits, "bc"):
        order.append(text.index("was split creating MID %s due" % child))
        order.append(text.index("MID %s ICID 0 From: <a@a.test>" % child))
        order.append(text.index("MID %s ICID 0 RID 0 To: <%s@b.test>" % (
            child, rcpt)))
        assert "Start MID %s " % child not in text
    order.append(text.index("MID %s queued for delivery" % parent))
    for _, child in splits:
        order.append(text.index("MID %s queued for delivery" % child))
    assert order == sorted(order), text


def test_one_recipient_in_quarantine_does_not_hold_up_the_others(relay, sink):
    server = relay(sink.port, config(
        eom="for b@b.test set message.quarantine looks bad"))
    deliver(server, ["a@b.test", "b@b.test"])
    assert sink.wait(1)[0].recipients == ["a@b.test"]
    # Those that arrived go with the next commit.
    row, = base.wait_for(lambda: [rows for rows in [server.cli_json(
        "queue", "list")] if len(rows) == 1], server.tail)[0]
    assert (row["rcpt"], row["hold"], row["quarantine"]) == (
        "b@b.test", "held", "looks bad")
    server.stop()
    server.start()
    base.wait_for(lambda: server.queue_count() == 1, "the quarantine")
    assert len(sink.messages) == 1
    server.cli("queue", "release", str(row["mid"]))
    assert sink.wait(2)[1].recipients == ["b@b.test"]
    server.wait_empty()


def test_a_new_body_is_of_its_branch_alone(relay, sink):
    server = relay(sink.port, config(eom="for b@b.test body new\\nbody"))
    deliver(server, ["a@b.test", "b@b.test"], body="old body\r\n")
    got = by_recipient(sink, 2)
    assert got["a@b.test"].body() == b"old body\r\n"
    assert got["b@b.test"].body() == b"new\r\nbody\r\n"


def test_a_report_returns_the_edited_header(relay, sink):
    sink.fault("rcpt", "550 5.1.1 no such user", when="b@b.test")
    server = relay(sink.port, config(
        eom="for b@b.test edit set Subject 0 edited"))
    deliver(server, ["b@b.test", "c@b.test"], subject="original")
    got = by_recipient(sink, 2)
    report = got["a@a.test"]
    assert b"Subject: edited\r\n" in report.data
    assert b"Subject: original" not in report.data
    assert got["c@b.test"].header("Subject") == "original"


def test_large_contents_leave_edited(relay, sink):
    server = relay(sink.port, config(
        eom="for b@b.test edit insert X-First yes"))
    deliver(server, ["a@b.test", "b@b.test"], body="x" * 70 + "\r\n" * 2 +
            ("y" * 70 + "\r\n") * 20000)
    got = by_recipient(sink, 2)
    assert got["a@b.test"].digest() == got["b@b.test"].digest()
    assert got["b@b.test"].header("X-First") == "yes"


@pytest.fixture
def folder():
    path = base.private_dir("branches")
    yield path
    base.remove_dir(path)


@pytest.mark.parametrize("more", [
    "", ";for a@next.test set rcpt.branch first"
    ";for b@next.test set rcpt.after first 3600"
    ";for c@next.test set rcpt.after first 1", None],
    ids=["free", "after", "rules"])
def test_a_split_loses_and_doubles_nobody_when_all_is_killed(
        relay, sink, folder, more):
    """None: by rules of a policy, not by a plugin."""
    chance = random.Random(5)

    def sometimes(session, _):
        later = chance.random() < 0.1
        session.write(b"450 4.2.0 later\r\n" if later else b"250 ok\r\n")
        return "450" if later else "250"
    sink.fault("rcpt", sometimes)
    arrivals = loads.SplitArrivals(sink)
    server = relay(sink.port, dict(
        FAST, **loads.split_rules(folder)) if more is None else config(
        eom="for b@next.test edit add X-Branch b;"
            "for c@next.test edit add X-Branch c" + more))
    load = loads.SplitLoad(server, threads=4).start()
    chance = random.Random(3)
    moments = []
    try:
        for _ in range(CYCLES):
            load.wait_acknowledged(len(load.acknowledged) + 10)
            time.sleep(chance.uniform(0, 0.3))
            moments.append(time.monotonic())
            server.kill()
            server.start()
    finally:
        load.stop()
    arrivals.wait_all(load, server)
    server.wait_empty()
    arrivals.assert_doubles_only_at(moments)
    assert not load.refusals, load.refusals[:5]
