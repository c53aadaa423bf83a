"""Fixtures: the product, real peers, and a sink that can misbehave.

Each fixture here is a maker: a test calls it with what it wants, and all
that was made is closed when the test ends, the product first.
"""

import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lib import base, dnsserver, exim, opensmtpd, postern, postfix  # noqa
from lib import sink as sinks                                       # noqa


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "sanitizer: quick enough for the sanitizer build too")
    # Who runs behind a shell's "&" ignores it, and so would all we start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What the product said goes with each failure: it may not come again."""
    report = (yield).get_result()
    made = getattr(item, "funcargs", {}).get("makers")
    if not report.failed or made is None:
        return
    for thing in made.made:
        if isinstance(thing, postern.Postern):
            report.sections.append(("log of the product", thing.tail()))


class Makers:
    """Remembers what a test has made, to close it in reverse order."""

    def __init__(self):
        self.made = []

    def add(self, thing):
        self.made.append(thing)
        return thing

    def close(self):
        # The product goes first, so that its stop is not spoilt by peers
        # that are gone; its failure to stop well is the test's failure.
        first = [thing for thing in self.made
                 if isinstance(thing, postern.Postern)]
        rest = [thing for thing in self.made if thing not in first]
        trouble = None
        for thing in first + rest[::-1]:
            try:
                thing.close()
            except Exception as error:
                trouble = trouble or error
        if trouble is not None:
            raise trouble


@pytest.fixture
def makers():
    made = Makers()
    yield made
    made.close()


@pytest.fixture
def relay(makers):
    """relay(next_port, config={...}): a started Postern."""
    def make(next_port=None, config=None, **kwargs):
        if not os.access(base.POSTERN_BIN, os.X_OK):
            raise AssertionError("no program at %s: run ./dev build" %
                                 base.POSTERN_BIN)
        return makers.add(postern.Postern(next_port, config,
                                          **kwargs)).start()
    return make


@pytest.fixture
def sink(makers):
    """A sink that takes everything, to which faults can be added."""
    return makers.add(sinks.Sink())


@pytest.fixture
def make_sink(makers):
    return lambda **kwargs: makers.add(sinks.Sink(**kwargs))


@pytest.fixture
def postfix_hop(makers):
    """A Postfix that receives everything into a Maildir."""
    return makers.add(postfix.Postfix()).start()


@pytest.fixture
def exim_hop(makers):
    return makers.add(exim.Exim()).start()


@pytest.fixture
def opensmtpd_hop(makers):
    return makers.add(opensmtpd.OpenSmtpd()).start()


@pytest.fixture
def resolver(makers):
    """resolver(zones): an unbound over an nsd that holds the zones. Those in
    signed have DNSSEC, and the unbound an attribute `anchors`, a file."""
    def make(zones, signed=()):
        nsd = makers.add(dnsserver.Nsd(zones, signed)).start()
        unbound = makers.add(dnsserver.Unbound(nsd, zones)).start()
        unbound.anchors = nsd.anchors
        return unbound
    return make


@pytest.fixture(scope="module")
def standing():
    """One relay with one sink for all tests of a file that only talk."""
    made = Makers()
    sink = made.add(sinks.Sink())
    relay = made.add(postern.Postern(sink.port)).start()
    yield relay, sink
    made.close()
