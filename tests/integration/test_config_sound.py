"""What is said to be sound is so, and the store's tools see the whole."""

import subprocess

import pytest

from lib import base
from test_cli_output import Place

pytestmark = pytest.mark.sanitizer


@pytest.fixture
def place():
    return Place()


def add(place, text):
    with open(place.conf, "a", encoding="utf-8") as file:
        file.write(text)


def test_a_boot_file_refers_to_what_only_the_store_has(place):
    place.cli("config", "set", "bounce_profile", "slow", "lifetime=1d")
    place.cli("config", "set", "destination", "y.test", "bounce_profile=slow")
    add(place, 'destination "x.test" { bounce_profile = "slow" }\n')
    assert "x.test" in place.cli("bounceconfig", "list")
    for words in ("config status", "config diff", "config show",
                  "destconfig list", "profile", "displayalerts"):
        place.cli(*words.split())
    assert "not running" in place.cli("queue", "list", code=1)
    place.cli("config", "clear")
    assert 'no bounce_profile "slow"' in place.cli("check", code=1)


def test_what_a_boot_file_lacks_does_not_keep_from_alerts(place):
    add(place, 'delivery { no_such_word = 1 }\n')
    place.cli("displayalerts")
    assert "no_such_word" in place.cli("check", code=1)


@pytest.mark.parametrize("key, value", [
    ("banner_text", "hello\r\n250 more"), ("banner_text", "a\tb"),
    ("banner_host", "a b"), ("banner_host", "a\r\nb")])
def test_a_greeting_is_one_line(place, key, value):
    for words in (("listener", "in"), ("mail_flow_policy", "P")):
        assert "without control characters" in place.cli(
            "config", "set", *words, "%s=%s" % (key, value), code=1)


def test_an_address_is_of_one_listener(place):
    assert "127.0.0.1:2525 is there already in listener \"in\"" in place.cli(
        "config", "set", "listener", "more", "address=127.0.0.1:2525", code=1)
    add(place, 'listener "two" { address = { "127.0.0.1:2526", '
        '"127.0.0.1:2526" } }\n')
    said = place.cli("check", code=1)
    assert "already in listener \"two\"" in said and "postern.lua:" in said
    assert subprocess.run([base.POSTERN_BIN, "serve", "-c", place.conf],
                          check=False, capture_output=True).returncode == 1
