"""What testssl.sh thinks of a listener as it comes."""

import json
import subprocess

from lib import base, certs

# It speaks of the tester's machine, or needs the public name servers.
NOT_OURS = {"engine_problem", "DNS_CAArecord", "scanTime"}


def test_testssl_finds_nothing_worse_than_ok(relay, sink, tmp_path):
    pki = certs.Authority(str(tmp_path))
    pair = pki.server("relay.test")
    server = relay(sink.port, {
        "listener": {"inbound": {"cert": pair.cert, "key": pair.key}},
        "limits": {"client_rate": 0, "client_connections": 0}})
    report = str(tmp_path / "report.json")
    done = subprocess.run(
        ["testssl", "--warnings", "batch", "--color", "0", "--quiet",
         "--openssl-timeout", "20", "--nodns", "min", "--ip", "127.0.0.1",
         "--add-ca", pki.ca, "--jsonfile", report, "-p", "-s", "-f", "-S",
         "-P", "-U", "-t", "smtp", "relay.test:%d" % server.port],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=20 * base.PATIENCE, check=False)
    with open(report, encoding="utf-8") as file:
        found = json.load(file)
    assert len(found) > 50, done.stdout.decode()
    worse = ["%(id)s: %(severity)s: %(finding)s" % item for item in found
             if item["severity"] not in ("OK", "INFO") and
             item["id"].split(" ")[0] not in NOT_OURS]
    assert worse == []
