"""postern headers: what a message tells of its way, from the command line."""

import json
import subprocess

from lib import base, client


def headers(*args, data=None):
    return subprocess.run([base.POSTERN_BIN, "headers", *args], input=data,
                          capture_output=True, timeout=base.PATIENCE)


def test_the_field_we_add_ourselves_is_understood(standing, tmp_path):
    relay, sink = standing
    before = len(sink.messages)
    with relay.client() as peer:
        peer.ehlo()
        peer.starttls()
        peer.start().deliver("a@client.test", ["b@next.test"],
                             client.message())
    path = tmp_path / "m.eml"
    path.write_bytes(sink.wait(before + 1)[before].data)
    done = headers("--json", str(path))
    assert done.returncode == 0, done.stderr
    hop = json.loads(done.stdout)["hops"][-1]
    assert hop["tls"] == "encrypted" and hop["with"] == "ESMTPS"
    assert hop["version"] == "TLSv1.3"
    assert hop["cipher"].startswith("TLS_AES_")


def test_standard_input_is_read_and_the_body_is_not():
    done = headers(data=b"Received: from a (b [192.0.2.1])\n by c with ESMTP;"
                        b" Tue, 17 Apr 2018 00:57:53 +0000\n\n"
                        + b"x" * 20_000_000)
    assert done.returncode == 0
    assert b"clear on hop 1 (0 encrypted, 1 clear, 0 unknown)" in done.stdout


def test_exit_status_tells_whether_there_was_anything_to_tell(tmp_path):
    assert headers(data=b"Subject: x\n\n").returncode == 1
    done = headers(str(tmp_path / "none"))
    assert done.returncode == 1 and b"No such file" in done.stderr
    assert headers("--what").returncode == 2
    assert headers("a", "b").returncode == 2
    assert headers("--help").returncode == 0
