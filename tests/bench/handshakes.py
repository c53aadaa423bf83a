"""What a TLS handshake costs a relay, as a server and as a client.

Nothing but CPU times is compared: a session with TLS takes so much of the
relay (all of its processes) and one without takes so much less. The first is
"sessions a second and core", the difference is the handshake alone.
"""

import functools
import os
import statistics
import sys

import relays           # first: it knows where lib is
import measure
from lib import base, ca, certs, procs

KEYS = {"P-256": certs.EC, "RSA-2048": ("rsa:2048",),
        "RSA-4096": ("rsa:4096",)}


@functools.lru_cache(maxsize=None)
def authority():
    return ca.Ca("bench root")


def forget():
    """Remove the certificates that were made."""
    base.remove_dir(authority().dir)


@functools.lru_cache(maxsize=None)
def pair(kind):
    """A certificate of that kind for all next hops and the relay itself."""
    where = os.path.join(authority().dir, kind)
    made = certs.Pair(where + ".pem", where + ".key")
    names = ["relay.test"] + [hop[0] for hop in relays.next_hops(0)]
    base.run(["openssl", "req", "-new", "-newkey"] + list(KEYS[kind]) +
             ["-nodes", "-subj", "/CN=bench.test", "-addext",
              "subjectAltName=" + ",".join("DNS:" + name for name in names),
              "-keyout", made.key, "-out", where + ".csr"])
    authority().sign(where + ".csr", made.cert)
    return made


def note(*words):
    print("  handshakes:", *words, file=sys.stderr, flush=True)


def row(relay, way, kind, how, keys, cpu_ms, clear_ms, rate, resumed):
    return {"relay": relay, "way": way, "kind": kind, "how": how,
            "keys": keys, "cpu_ms": cpu_ms, "handshake_ms": cpu_ms - clear_ms,
            "rate": rate, "resumed": resumed}


def _sessions_in(relay, port, count, flags):
    """CPU time of a session in ms, sessions a second, part resumed."""
    measure.sessions(port, 40, flags)           # processes are there
    cpu = procs.cpu_seconds(relay.pid())
    said = measure.sessions(port, count, flags)
    cpu = procs.cpu_seconds(relay.pid()) - cpu
    return (1000 * cpu / count, count / (said["ended"] - said["began"]),
            said["resumed"] / count)


def inwards(kind, certificate, keys, quick):
    """The relay as a server: rows for one relay, certificate, keeper."""
    count = 300 if quick else 1000
    note(kind.name, "in,", certificate, keys)
    relay = kind(base.free_port(), relays.Plan(
        pair=pair(certificate), keys=keys))
    try:
        clear, rate, part = _sessions_in(relay, relay.port, 5 * count, [])
        rows = [row(kind.name, "in", "-", "clear", "-", clear, clear, rate,
                    part)]
        for how, flags in (("full", ["-i"]), ("resumed", ["-i", "-r"])):
            if how == "full" or certificate == "P-256":
                cpu, rate, part = _sessions_in(
                    relay, relay.tls_port, count, flags)
                rows.append(row(kind.name, "in", certificate, how, keys, cpu,
                                clear, rate, part))
    finally:
        relay.close()
    return rows if certificate == "P-256" else rows[1:]


def outwards(kind, quick):
    """The relay as a client: a message on each connection to the next hop,
    and what TLS adds to it."""
    case = dict(bytes=1000, connections=20, recipients=1, domains=1,
                per_connection=1000000, secure_source=False,
                messages=(500 if quick else 4000) if kind.name == "postern"
                else (200 if quick else 1000))
    rows = []
    for certificate, how in ((None, "clear"), ("P-256", "full"),
                             ("P-256", "resumed"), ("RSA-2048", "full"),
                             ("RSA-4096", "full")):
        if how == "resumed" and kind.name == "postfix":
            continue    # as it comes it keeps no sessions
        note(kind.name, "out,", certificate or "", how)
        port = base.free_port()
        relay = kind(port, relays.Plan(
            tls="opportunistic" if certificate else "none", reuse=False,
            ca=authority().cert))
        case.update(pair=certificate and pair(certificate),
                    resume=how == "resumed")
        try:
            run = measure.throughput(relay, port, case)
        finally:
            relay.close()
        if certificate:
            assert run["secured"] >= case["messages"], run
        clear = rows[0]["cpu_ms"] if rows else run["cpu_ms"]
        rows.append(row(kind.name, "out", certificate or "-", how, "-",
                        run["cpu_ms"], clear, run["rate"],
                        run["resumed"] / case["messages"]))
    return rows


def run(kinds, quick, rounds):
    """The median of each figure."""
    runs = [run_once(kinds, quick) for _ in range(1 if quick else rounds)]
    return [{key: value if isinstance(value, str) else statistics.median(
        each[key] for each in same) for key, value in same[0].items()}
        for same in zip(*runs)]


def run_once(kinds, quick):
    rows = []
    for kind in kinds:
        for certificate in KEYS:
            rows += inwards(kind, certificate, "keeper", quick)
            if kind.name == "postern":
                rows += [each for each in inwards(
                    kind, certificate, "in-process", quick)
                    if each["how"] != "clear"]
        rows += outwards(kind, quick)
    return rows


def show(rows):
    print("%-8s %-4s %-9s %-8s %-10s %9s %9s %8s %9s %8s" % (
        "relay", "way", "key", "session", "keys", "resumed %", "CPU ms",
        "/s/core", "shake ms", "/s/core"))
    for each in rows:
        extra = each["handshake_ms"]
        print("%-8s %-4s %-9s %-8s %-10s %9.0f %9.3f %8.0f %9s %8s" % (
            each["relay"], each["way"], each["kind"], each["how"],
            each["keys"] if each["relay"] == "postern" else "-",
            100 * each["resumed"], each["cpu_ms"], 1000 / each["cpu_ms"],
            "%.3f" % extra if extra > 0 else "",
            "%.0f" % (1000 / extra) if extra > 0 else ""))
