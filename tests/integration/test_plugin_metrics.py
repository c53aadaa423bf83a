"""Metrics over HTTP: read as Prometheus reads them, and judged by promtool."""

import os
import re
import urllib.error
import urllib.request

import pytest

from lib import base, peers
from lib.client import message

NAME = "metrics_prometheus"
PLUGINS = os.path.join(os.path.dirname(base.POSTERN_BIN), "plugins")


@pytest.fixture
def node(relay, sink):
    """A relay with two workers, whose metrics are at node.url."""
    port = base.free_port()
    server = relay(sink.port, config={
        "plugin_dirs": [os.path.join(PLUGINS, NAME)],
        "plugin": {NAME: {"listen": "127.0.0.1:%d" % port}}})
    server.url = "http://127.0.0.1:%d/metrics" % port
    return server


def once(url):
    """The text, and the values by name and labels."""
    with urllib.request.urlopen(url, timeout=base.PATIENCE) as answer:
        assert answer.headers["Content-Type"].startswith(
            "text/plain; version=0.0.4")
        text = answer.read().decode()
    return text, {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
                  for line in text.splitlines() if not line.startswith("#")}


def scrape(url):
    """As soon as the worker that answers has something to tell."""
    def there():
        try:
            return once(url)
        except urllib.error.HTTPError as error:
            assert error.code == 503
            return None
    return base.wait_for(there, "metrics")


def test_the_sums_of_both_workers_are_served_by_each(node, sink):
    for n in range(10):
        with node.client() as peer:
            peer.start().deliver("a@client.test", ["x%d@b.test" % n],
                                 message())
    sink.wait(10)

    def counted():
        # Each worker has its turn, whichever the kernel chooses.
        rounds = [scrape(node.url)[1] for _ in range(8)]
        seen.append([(r["postern_messages_received_total"],
                      r["postern_recipients_delivered_total"])
                     for r in rounds])
        return all(pair == (10, 10) for pair in seen[-1])
    seen = []
    base.wait_for(counted, lambda: "ten messages in every answer: %r" %
                  seen[-1])


def test_promtool_finds_nothing_to_say(node):
    def called():
        text, _ = scrape(node.url)
        return text if "_bucket{" in text else None
    text = base.wait_for(called, "a histogram of a plugin's calls")
    tool = os.path.join(peers.root_of("prometheus"), "usr", "bin", "promtool")
    done = base.run([tool, "check", "metrics"], check=False, input=text.encode())
    assert done.returncode == 0 and done.text.strip() == "", done.text
    assert 'plugin="%s"' % NAME in text


def test_every_metric_is_documented_once(node):
    text, values = scrape(node.url)
    helped = re.findall(r"^# HELP (\S+) \S", text, re.M)
    typed = re.findall(r"^# TYPE (\S+) (?:counter|gauge|histogram)$", text,
                       re.M)
    assert helped == typed and len(set(typed)) == len(typed)
    for name in values:
        base_name = re.sub(r"(_bucket|_sum|_count)?(\{.*)?$", "", name)
        assert name.split("{")[0] in typed or base_name in typed
        assert name.startswith("postern_")


def test_other_paths_and_methods_get_nothing(node):
    scrape(node.url)
    for url, data, code in ((node.url[:-1], None, 404),
                            (node.url + "/x", None, 404),
                            (node.url, b"x", 405)):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(url, data=data, timeout=base.PATIENCE)
        assert caught.value.code == code


def test_an_address_that_is_none_is_refused(relay, sink):
    done = relay(sink.port)
    bad = {"plugin_dirs": [os.path.join(PLUGINS, NAME)],
           "plugin": {NAME: {"listen": "127.0.0.1"}}}
    done.write_config(bad)
    said = done.cli("check", check=False)
    assert said.returncode == 1
    assert "listen: ADDRESS:PORT or [ADDRESS]:PORT" in said.text


def test_status_shows_what_plugins_count(node):

    def shown():
        return "plugin_call_ms{plugin=" in node.cli("status").text
    base.wait_for(shown, "the plugin's calls in postern status")
