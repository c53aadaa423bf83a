"""What plugins cost a message: Postern with them and without, in turns, and
with its queue in PostgreSQL."""

import os
import statistics
import sys

import relays           # first: it knows where lib is
import measure
from lib import base, dnsserver, postgres

BUILD = os.path.dirname(base.POSTERN_BIN)
DIRS = [os.path.join(BUILD, "tests", "plugins"),
        os.path.join(BUILD, "plugins", "rate"),
        os.path.join(BUILD, "plugins", "store_pgsql")]
HERE = os.path.dirname(os.path.abspath(__file__))
ZONE = "bench.test"

LOAD = {"recipients": 1, "domains": 1, "bytes": 4096, "connections": 50,
        "per_connection": 1000000, "tls": "none", "renew": False,
        "resume": False, "pair": None, "secure_source": False}


def policy(name):
    """The boot file's block for one of the policies beside this."""
    return {"policy": {"file": os.path.join(HERE, "policies", name + ".lua")}}


def noops(count):
    return {("noop", "n%d" % i): {} for i in range(1, count + 1)}


# plugins: blocks of the boot file. of: the case it is a part of, "none" unless
# named. settings: other blocks. rules: so many in a policy, about others than
# whom these messages go to. part: the least part of that one's rate.
# dns: the resolver, a file of records or an nsd (time to live 0, so that each
# message asks it). database: a PostgreSQL of its own, with its defaults.
CASES = [
    {"name": "no plugin", "key": "none"},
    {"name": "1 no-op", "key": "noop1", "plugins": noops(1)},
    {"name": "10 no-ops", "key": "noop10", "plugins": noops(10), "part": 0.97},
    {"name": "DNS, records", "key": "dns", "dns": "records",
     "plugins": {"chore": {"work": "dns"}}},
    {"name": "DNS, name server", "key": "dns-nsd", "dns": "nsd",
     "plugins": {"chore": {"work": "dns"}}},
    {"name": "rate", "key": "rate",
     "plugins": {"rate": {"limit": 1000000000}}},
    {"name": "header field", "key": "header",
     "plugins": {"chore": {"work": "header"}}},
    {"name": "2 recipients", "key": "rcpt2", "recipients": 2, "domains": 2,
     "share": 2},
    {"name": "2 recipients, branches", "key": "branch2", "recipients": 2,
     "domains": 2, "share": 2, "of": "rcpt2",
     "plugins": {"chore": {"work": "branch"}}},
    {"name": "5 recipients", "key": "rcpt5", "recipients": 5, "domains": 5,
     "share": 3},
    {"name": "5 recipients, branches", "key": "branch", "recipients": 5,
     "domains": 5, "share": 3, "of": "rcpt5",
     "plugins": {"chore": {"work": "branch"}}},
    {"name": "lua, empty handler at message", "key": "lua",
     "settings": policy("empty")},
    {"name": "lua, 1 rule", "key": "lua-rule", "part": 0.95, "rules": 1},
    {"name": "lua, 100 rules", "key": "lua-rules100", "rules": 100},
    {"name": "lua, 10,000 rules", "key": "lua-rules10000", "of": "lua-rule",
     "part": 0.95, "rules": 10000},
    {"name": "lua, 1 rule that matches", "key": "lua-match",
     "settings": policy("match")},
    {"name": "lua, handler per recipient", "key": "lua-rcpt", "of": "rcpt5",
     "recipients": 5, "domains": 5, "share": 3, "settings": policy("rcpt")},
    {"name": "lua, awaits DNS", "key": "lua-dns", "dns": "records",
     "settings": policy("dns")},
    {"name": "queue in PostgreSQL", "key": "pgsql", "database": True,
     "settings": {"queue": {"store": "pg"}}, "share": 3},
    {"name": "1 connection", "key": "one", "connections": 1, "share": 10},
    {"name": "1 connection, PostgreSQL", "key": "pgsql-one", "of": "one",
     "connections": 1, "share": 10, "database": True,
     "settings": {"queue": {"store": "pg"}}},
]


class Rules:
    """A policy of so many rules; none: nothing."""

    def __init__(self, count):
        self.dir, self.settings = None, {}
        if count == 0:
            return
        self.dir = base.private_dir("policy")
        path = os.path.join(self.dir, "policy.lua")
        base.write_file(path, "".join(
            'rule "partner %d" { when = { rcpt_domain = ".p%d.example" },\n'
            '  tls = "required-verify" }\n' % (i, i) for i in range(count)))
        self.settings = {"policy": {"file": path}}

    def close(self):
        if self.dir:
            base.remove_dir(self.dir)


class Resolver:
    """The setting of dns{} that a case asks for, and what stands behind it."""

    def __init__(self, kind):
        self.server = self.dir = None
        self.settings = {}
        if kind == "records":
            self.dir = base.private_dir("records")
            path = os.path.join(self.dir, "records")
            base.write_file(path, '%s. 60 IN TXT "yes"\n' % ZONE)
            self.settings = {"dns": {"records": path}}
        elif kind == "nsd":
            self.server = dnsserver.Nsd({ZONE: '@ 0 TXT "yes"\n'}).start()
            self.settings = {"dns": {
                "servers": ["127.0.0.1@%d" % self.server.port]}}

    def close(self):
        if self.server:
            self.server.close()
        if self.dir:
            base.remove_dir(self.dir)


def load_of(case, messages):
    load = dict(LOAD, messages=messages // case.get("share", 1))
    load.update({key: case[key] for key in (
        "recipients", "domains", "connections") if key in case})
    return load


def settings_of(case, resolver, rules, database):
    settings = dict(resolver.settings, **case.get("settings", {}))
    settings.update(rules.settings)
    if database:
        settings.update(plugin_dirs=DIRS, plugin={("store_pgsql", "pg"): {
            "conninfo": database.conninfo,
            "password": "file:" + database.path("password")}})
    if "plugins" in case:
        settings.update(plugin_dirs=DIRS, plugin=case["plugins"])
    return settings


def measure_case(case, messages, binary):
    """One run; binary: the program, of this build or of another."""
    port = base.free_port()
    resolver = Resolver(case.get("dns"))
    rules = Rules(case.get("rules", 0))
    database = postgres.Postgres() if case.get("database") else None
    own, base.POSTERN_BIN = base.POSTERN_BIN, binary
    relay = None
    try:
        if database:
            database.start()
        relay = relays.Relay(port, relays.Plan(
            settings=settings_of(case, resolver, rules, database)))
        return measure.throughput(relay, port, load_of(case, messages))
    finally:
        if relay:
            relay.close()
        base.POSTERN_BIN = own
        resolver.close()
        rules.close()
        if database:
            database.close()


def chosen(options):
    """Cases as pairs of case and program, and all that they are part of."""
    wanted = set(options.only or [case["key"] for case in CASES])
    for case in CASES[::-1]:    # what one is a part of stands before it
        if case["key"] in wanted:
            wanted.add(case.get("of", "none"))
    pairs = [(case, base.POSTERN_BIN) for case in CASES
             if case["key"] in wanted]
    if options.against:
        before = {"name": "no plugin, the other program", "key": "against"}
        pairs.append((before, os.path.abspath(options.against)))
    return pairs


def run(options):
    """Results by key: a list of one run for each round. Every second round
    goes backwards, so that none always comes first."""
    pairs = chosen(options)
    rounds = 1 if options.quick else options.rounds
    messages = 3000 if options.quick else 30000
    results = {case["key"]: [] for case, _ in pairs}
    for number in range(rounds):
        for case, binary in pairs if number % 2 == 0 else pairs[::-1]:
            print("  %s, round %d of %d" % (case["name"], number + 1, rounds),
                  file=sys.stderr, flush=True)
            results[case["key"]].append(measure_case(case, messages, binary))
    return results


def compare(results, case, figure):
    """The median of what each round says of the case and its base."""
    ours, theirs = results[case["key"]], results[case.get("of", "none")]
    return statistics.median(
        mine[figure] / other[figure] if other[figure] else 0.0
        for mine, other in zip(ours, theirs))


def show(results):
    print("%-30s %9s %8s %8s %8s %9s %5s" % (
        "plugins", "msg/s", "of base", "CPU ms", "of base", "ack ms", "lost"))
    cases = [case for case in CASES if case["key"] in results]
    if "against" in results:
        cases.append({"name": "no plugin, the other program",
                      "key": "against"})
    for case in cases:
        runs = results[case["key"]]
        middle = {key: statistics.median(run[key] for run in runs)
                  for key in ("rate", "cpu_ms", "ack_median_ms")}
        wrong = sum(run[key] for run in runs for key in (
            "lost", "unacknowledged", "doubled"))
        print("%-30s %9.0f %8.3f %8.4f %8.3f %9.2f %5d" % (
            case["name"], middle["rate"], compare(results, case, "rate"),
            middle["cpu_ms"], compare(results, case, "cpu_ms"),
            middle["ack_median_ms"], wrong))
    for case in cases:
        if "part" in case:
            part = compare(results, case, "rate")
            print("%-4s %s: part of the rate of %s %.3f   target >= %g" % (
                "PASS" if part >= case["part"] else "miss", case["name"],
                case.get("of", "none"), part, case["part"]))
