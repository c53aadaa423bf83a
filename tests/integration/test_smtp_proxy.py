"""The PROXY protocol: who the client is, as a load balancer tells it."""

import socket
import struct

import pytest

from lib import client

pytestmark = pytest.mark.sanitizer

V1 = b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 25\r\n"
V1_SIX = b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 25\r\n"
V2_START = b"\r\n\r\n\0\r\nQUIT\n"


def v2(command, family, addresses, extra=b""):
    data = addresses + extra
    return V2_START + bytes([0x20 | command, family]) + \
        struct.pack(">H", len(data)) + data


V2 = v2(1, 0x11, socket.inet_aton("192.0.2.8") + socket.inet_aton(
    "192.0.2.1") + struct.pack(">HH", 40000, 25), b"\x04\0\x03abc")
V2_LOCAL = v2(0, 0, b"")


@pytest.fixture(scope="module")
def proxied(standing):
    relay, sink = standing
    relay.write_config({
        "listener": {"inbound": {"proxy_from": ["127.0.0.1/32"]}},
        "relay": {"networks": ["192.0.2.0/24", "2001:db8::/32"]}})
    relay.stop()
    relay.start()
    return relay, sink


@pytest.mark.parametrize("header, address", [
    (V1, "192.0.2.7"), (V1_SIX, "2001:db8::7"), (V2, "192.0.2.8")],
    ids=["version-1", "version-1-ipv6", "version-2"])
def test_the_client_is_whom_the_header_names(proxied, header, address):
    relay, sink = proxied
    before = len(sink.messages)
    with relay.client(before=header) as peer:
        peer.start().deliver("a@client.test", ["b@far.test"],
                             client.message())
    field = sink.wait(before + 1)[before].header("Received")
    assert address in field
    relay.wait_log(r"New SMTP ICID \d+ .* address %s " % address)


def test_a_header_in_single_bytes_is_understood(proxied):
    relay, _ = proxied
    for header in (V1, V2):
        with client.Client("127.0.0.1", relay.port, banner=False) as peer:
            peer.send(header, range(1, len(header)), pause=0.001)
            assert peer.reply().startswith("220")


def test_a_local_command_keeps_the_real_address(proxied):
    relay, _ = proxied
    with relay.client(before=V2_LOCAL) as peer:
        peer.ehlo()
    relay.wait_log(r"New SMTP ICID \d+ .* address 127\.0\.0\.1 ")


@pytest.mark.parametrize("header", [
    b"EHLO client.test\r\n", b"PROXY TCP4 nonsense\r\n",
    b"PROXY TCP4 192.0.2.7 192.0.2.1 99999 25\r\n",
    b"PROXY " + b"x" * 200 + b"\r\n", V2_START + b"\x31\x11\0\x0c" + b"a" * 12,
    b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 25\n",
], ids=["none", "nonsense", "port", "long", "version-3", "bare-lf"])
def test_a_listed_address_without_a_good_header_is_cut_off(proxied, header):
    relay, _ = proxied
    with client.Client("127.0.0.1", relay.port, banner=False) as peer:
        peer.send(header)
        assert not peer.wait_closed().startswith(b"220")


def test_others_must_not_send_a_header(proxied):
    relay, _ = proxied
    with relay.client(source="127.0.0.5") as peer:
        assert peer.cmd(V1[:-2]).startswith("500")
