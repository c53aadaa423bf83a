"""postern tls-test and tlsverify: what they find, say and return."""

import json
import os
import subprocess
import types

import pytest

from lib import base, sink as sinks
from lib.certs import Pair

DAY = 86400


class Authority:
    """A root, an intermediate below it, and whatever they sign."""

    def __init__(self, directory):
        self.directory = directory
        self.root = self._sign("root", "Test Root", ca=True)
        self.mid = self._sign("mid", "Test Intermediate", ca=True,
                              issuer=self.root)

    def path(self, name):
        return os.path.join(self.directory, name)

    def _sign(self, name, cn, ca=False, names=(), issuer=None, days=30,
              start=None):
        pair = Pair(self.path(name + ".pem"), self.path(name + ".key"))
        csr, ext = self.path(name + ".csr"), self.path(name + ".ext")
        base.run(["openssl", "req", "-newkey", "ec", "-pkeyopt",
                  "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + cn,
                  "-keyout", pair.key, "-out", csr])
        lines = ["basicConstraints=critical,CA:%s" % str(ca).upper()]
        if names:
            lines.append("subjectAltName=" + ",".join(
                "DNS:" + one for one in names))
        base.write_file(ext, "\n".join(lines) + "\n")
        signer = ["-signkey", pair.key] if issuer is None else [
            "-CA", issuer.cert, "-CAkey", issuer.key, "-CAcreateserial"]
        command = ["openssl", "x509", "-req", "-in", csr, "-out", pair.cert,
                   "-extfile", ext] + signer
        if start is None:
            base.run(command + ["-days", str(days)])
        else:
            self._dated(pair, csr, ext, issuer, start)
        return pair

    def _dated(self, pair, csr, ext, issuer, dates):
        """openssl x509 knows no first day; openssl ca does."""
        base.write_file(self.path("index"), "")
        base.write_file(self.path("serial"), "77\n")
        conf = self.path("ca.conf")
        base.write_file(conf, "[ca]\ndefault_ca=a\n[a]\ndatabase=%s\n"
                        "serial=%s\nnew_certs_dir=%s\ndefault_md=sha256\n"
                        "policy=p\nunique_subject=no\n[p]\n"
                        "commonName=supplied\n" % (
                            self.path("index"), self.path("serial"),
                            self.directory))
        base.run(["openssl", "ca", "-batch", "-notext", "-config", conf,
                  "-cert", issuer.cert, "-keyfile", issuer.key, "-in", csr,
                  "-out", pair.cert, "-extfile", ext,
                  "-startdate", dates[0], "-enddate", dates[1]])

    def leaf(self, name, cn="mx.dest.test", names=("mx.dest.test",),
             chain=True, self_signed=False, dates=None):
        pair = self._sign(name, cn, names=names, start=dates,
                          issuer=None if self_signed else self.mid)
        if chain and not self_signed:
            text = base.read_text(pair.cert) + base.read_text(self.mid.cert)
            base.write_file(pair.cert, text)
        return pair


@pytest.fixture(scope="module")
def world():
    directory = base.private_dir("tester")
    made = types.SimpleNamespace(directory=directory,
                                 ca=Authority(directory))
    yield made
    base.remove_dir(directory)


@pytest.fixture
def mx(world):
    """A sink that takes the mail of dest.test, and a boot file for it."""
    sinks_made = []

    def make(tls, host="127.0.0.1", extra="", **conf):
        one = sinks.Sink(host=host, tls=tls)
        sinks_made.append(one)
        zone = os.path.join(world.directory, "zone")
        base.write_file(zone, ". IN SOA a. b. 1 1 1 1 1\n"
                        "dest.test. IN MX 10 mx.dest.test.\n"
                        "mx.dest.test. IN A %s\n"
                        "%s" % (host, extra))
        boot = os.path.join(world.directory, "postern.lua")
        base.write_file(boot, 'hostname = "tester.example.net"\n'
                        'dns { records = "%s" }\n'
                        'delivery { ca_file = "%s", port = %d%s }\n'
                        % (zone, world.ca.root.cert, one.port,
                           conf.get("delivery", "")))
        one.boot = boot
        return one

    yield make
    for one in sinks_made:
        one.close()


def run(command, sink, *args, data=None):
    done = subprocess.run(
        [base.POSTERN_BIN, command, "-c", sink.boot, *args], input=data,
        capture_output=True, text=True, timeout=base.PATIENCE,
        stdin=None if data is not None else subprocess.DEVNULL)
    assert done.returncode not in (64, 78), done.stderr
    return done


def facts(sink, *args, command="tls-test", target="dest.test"):
    done = run(command, sink, "--json", *args, target)
    return done.returncode, json.loads(done.stdout)


def levels(report):
    return {one["level"]: one["result"] for one in report["levels"]}


def test_a_good_host_is_verified_with_full_confidence(world, mx):
    sink = mx(world.ca.leaf("good"))
    code, report = facts(sink, target="u@dest.test")
    assert code == 0 and report["confidence"] == 100
    assert report["verdict"] == "verified"
    host = report["hosts"][0]
    assert (host["host"], host["ip"], host["port"], host["preference"]) == (
        "mx.dest.test", "127.0.0.1", sink.port, 10)
    assert all(one["state"] == "ok" for one in host["stages"].values())
    assert host["version"] == "TLSv1.3" and host["cipher"].startswith("TLS_")
    assert host["checks"][0]["matched_by"] == "san:mx"
    chain = host["certificates"]
    assert [one["position"] for one in chain] == [1, 2]
    assert all(one["of"] == 2 and one["validated"] for one in chain)
    assert chain[0]["subject"] == "CN=mx.dest.test"
    assert chain[0]["issuer"] == chain[1]["subject"]
    assert chain[0]["names"] == ["mx.dest.test"]
    # Nobody vouches for the MX, so that only "hosted" takes its name.
    assert levels(report)["required-verify-hosted"] == "encrypted"
    assert levels(report)["required-verify"] == "refused"


def test_no_recipient_and_no_content_is_ever_sent(world, mx):
    sink = mx(world.ca.leaf("good"))
    run("tls-test", sink, "--from", "p@tester.example.net", "dest.test")
    heard = [line for _, line in sink.commands]
    assert heard[-2:] == ["MAIL FROM:<p@tester.example.net>", "QUIT"]
    assert [line.split()[0] for line in heard] == [
        "EHLO", "STARTTLS", "EHLO", "MAIL", "QUIT"]
    assert heard[0] == "EHLO tester.example.net"


CERTIFICATES = {
    "self": (dict(self_signed=True), "self-signed"),
    "expired": (dict(dates=("20200101000000Z", "20210101000000Z")),
                "certificate-expired"),
    "notyet": (dict(dates=("20900101000000Z", "20910101000000Z")),
               "certificate-not-yet-valid"),
    "wrongname": (dict(names=("other.test",), cn="other.test"),
                  "name-mismatch"),
}


@pytest.mark.parametrize("kind", sorted(CERTIFICATES))
def test_a_bad_certificate_is_no_failure_of_tls(kind, world, mx):
    how, reason = CERTIFICATES[kind]
    sink = mx(world.ca.leaf(kind, **how))
    code, report = facts(sink)
    host = report["hosts"][0]
    assert code == 1 and report["confidence"] == 90
    assert host["checks"][0]["reason"] == reason
    assert host["stages"]["tls"]["state"] == "ok"
    assert host["stages"]["cert"]["state"] == "fail"
    assert host["stages"]["from"]["state"] == "ok"
    assert levels(report)["required"] == "encrypted"
    assert levels(report)["required-verify-hosted"] == "refused"
    assert levels(report)["forced"] == "refused"


def test_a_missing_intermediate_is_found(world, mx):
    sink = mx(world.ca.leaf("nochain", chain=False))
    code, report = facts(sink)
    host = report["hosts"][0]
    assert code == 1
    assert host["checks"][0]["reason"] in ("chain-incomplete", "untrusted")
    assert not host["certificates"][0]["validated"]


def test_both_names_are_printed_when_they_differ(world, mx):
    sink = mx(world.ca.leaf("wrongname2", names=("gw.other.test",),
                            cn="gw.other.test"))
    done = run("tls-test", sink, "dest.test")
    assert done.returncode == 1
    assert "(mx.dest.test != gw.other.test)" in done.stdout
    assert "confidence factor 90" in done.stdout


def test_wildcards_and_common_names(world, mx):
    code, report = facts(mx(world.ca.leaf("wild", names=("*.dest.test",))))
    assert code == 0
    code, report = facts(mx(world.ca.leaf("cnonly", names=())))
    assert report["hosts"][0]["checks"][0]["matched_by"] == "cn:mx"
    assert code == 0


def test_a_name_of_the_domain_itself_satisfies_every_level(world, mx):
    code, report = facts(mx(world.ca.leaf("domain", names=("dest.test",))))
    assert code == 0
    assert set(levels(report).values()) == {"clear", "encrypted"}
    assert levels(report)["forced"] == "encrypted"


def test_a_want_of_ones_own_is_tested(world, mx):
    sink = mx(world.ca.leaf("good3"))
    assert facts(sink, "--want", "required-verify match=domain")[0] == 1
    code, report = facts(sink, "--want",
                         "required-verify match=names names=mx.dest.test")
    assert code == 0
    assert levels(report)[
        "required-verify match=names names=mx.dest.test"] == "encrypted"


def test_the_want_in_force_is_shown(world, mx):
    sink = mx(world.ca.leaf("good4"), delivery=', tls = "required"')
    _, report = facts(sink)
    assert levels(report)["in force: required"] == "encrypted"


@pytest.mark.parametrize("stage, what, reason", [
    ("starttls", "454 4.7.0 no", "starttls-refused"),
    ("starttls", "502 5.5.1 what", "starttls-blocked"),
    ("starttls", sinks.Drop(), "starttls-blocked"),
    ("handshake", sinks.Drop(), "reset"),
    ("ehlo", "502 5.5.1 what", "esmtp-not-supported"),
])
def test_without_tls_the_reason_is_told(stage, what, reason, world, mx):
    sink = mx(world.ca.leaf("good5"))
    sink.fault(stage, what)
    code, report = facts(sink)
    host = report["hosts"][0]
    assert code == 2 and not host["tls"]
    assert host["reason"] == reason
    assert host["reachable"]
    assert levels(report)["none"] == "clear"
    assert levels(report)["opportunistic"] == "clear"
    assert levels(report)["required"] == "refused"
    after_220 = stage == "handshake"
    assert (levels(report)["preferred"] == "refused") == after_220


def test_a_host_without_starttls_has_no_tls(mx):
    code, report = facts(mx(None))
    assert code == 2
    assert report["hosts"][0]["reason"] == "starttls-not-supported"
    assert report["hosts"][0]["stages"]["from"]["state"] == "ok"


def test_a_host_that_offers_starttls_again_inside_tls_is_fine(world, mx):
    sink = mx(world.ca.leaf("good6"))
    sink.fault("ehlo", ["250-sink.test", "250 STARTTLS"])
    code, report = facts(sink)
    assert code == 0 and report["confidence"] == 100


def test_a_port_that_is_closed_says_nothing_about_tls(world, mx):
    sink = mx(world.ca.leaf("good7"))
    sink.stop_listening()
    code, report = facts(sink)
    host = report["hosts"][0]
    assert code == 69 and report["verdict"] == "no-host"
    assert not host["reachable"] and "reason" not in host
    assert "says nothing about TLS" in " ".join(host["hints"])


def test_all_hosts_are_tested_and_the_best_is_found(world, mx):
    sink = mx(world.ca.leaf("good8"), extra=(
        "dest.test. IN MX 5 first.dest.test.\n"
        "first.dest.test. IN A 127.0.0.2\n"))
    code, report = facts(sink)
    assert [one["host"] for one in report["hosts"]] == [
        "first.dest.test", "mx.dest.test"]
    assert code == 0 and report["confidence"] == 50
    required = next(one for one in report["levels"]
                    if one["level"] == "required")
    assert required["host"] == "mx.dest.test"


def test_one_host_can_be_named(world, mx):
    sink = mx(world.ca.leaf("good9"))
    code, report = facts(sink, target="mx.dest.test:%d" % sink.port)
    assert code == 0 and report["domain"] == "mx.dest.test"
    code, report = facts(sink, target="127.0.0.1:%d" % sink.port)
    assert code == 1


def test_tlsverify_uses_the_order_of_compat(world, mx):
    # The reverse zone of loopback is built into every resolver.
    sink = mx(world.ca.leaf("compat", cn="localhost", names=("x.test",)))
    done = run("tlsverify", sink, "dest.test", "mx.dest.test:%d" % sink.port)
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert lines[0] == ("Connecting to mx.dest.test [127.0.0.1] on port %d."
                        % sink.port)
    assert lines[1] == "Connected to 127.0.0.1 from interface 127.0.0.1."
    assert "TLS certificate match: localhost (cn:ptr)." in lines
    assert "TLS certificate verified." in lines
    assert lines[-1] == "TLS verification completed."
    done = run("tlsverify", sink, "--match", "domain", "dest.test")
    assert done.returncode == 1
    assert "TLS certificate not verified: name-mismatch" in done.stdout


def test_tlsverify_asks_for_what_it_was_not_told(world, mx):
    sink = mx(world.ca.leaf("asked", names=("dest.test",)))
    done = run("tlsverify", sink, data="dest.test\n127.0.0.1:%d\n"
               % sink.port)
    assert done.returncode == 0
    assert "Enter the TLS domain to verify against:\n[]> " in done.stdout
    assert "TLS certificate match: dest.test (san:domain)." in done.stdout
    done = run("tlsverify", sink, data="dest.test\n\n")
    assert done.returncode == 0
    done = subprocess.run([base.POSTERN_BIN, "tlsverify"], input="",
                          capture_output=True, text=True, check=False)
    assert done.returncode == 64


def test_tlsverify_without_tls(mx):
    done = run("tlsverify", mx(None), "dest.test")
    assert done.returncode == 2
    assert "TLS connection failed: STARTTLS not offered." in done.stdout


def test_what_the_peer_says_cannot_reach_the_terminal(world, mx):
    sink = mx(world.ca.leaf("evil"))
    sink.fault("banner", "220 \x1b[2Jsink.test ESMTP \x9b")
    done = run("tls-test", sink, "dest.test")
    assert "\x1b" not in done.stdout and "\x9b" not in done.stdout
    assert "\\x1b[2Jsink.test" in done.stdout


@pytest.mark.parametrize("args", [
    [], ["a.test", "b.test"], ["--what"], ["no domain"],
    ["--port", "70000", "a.test"], ["--timeout", "x", "a.test"],
    ["--from", "nobody", "a.test"],
])
def test_wrong_usage_is_no_verdict(args):
    done = subprocess.run([base.POSTERN_BIN, "tls-test", *args],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 64


def test_what_cannot_begin_is_no_verdict(tmp_path):
    for args in (["--want", "sure"], ["--ca-file", str(tmp_path / "none")],
                 ["-c", str(tmp_path / "none.lua")]):
        done = subprocess.run([base.POSTERN_BIN, "tls-test", *args, "a.test"],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 78, done.stderr
