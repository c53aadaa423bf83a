"""The two relays that are measured, each as fast as it can be made."""

import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "integration"))

from lib import base, postern, postfix, procs  # noqa

DOMAINS = 10


def next_hops(port):
    """Ten domains with a next hop each, all of them the same sink."""
    return [("d%d.bench.test" % i, "127.0.0.%d" % (i + 1), port)
            for i in range(DOMAINS)]


class TunedPostfix:
    """Postfix as an administrator would set it up for throughput.

    in_flow_delay 0: input is not held back when the queue grows.
    default_process_limit, destination concurrency: never the bottleneck.
    active limits: the queue manager keeps all messages in memory.
    connection cache: outbound connections are reused for as long as it can.
    no DNS, no client names, no address rewriting, no content checks, no
    per-client counting (anvil), no chroot.
    qmgr_daemon_timeout and the like stay. Both relays write a mail log to a
    file, and both sync a message to the disk before they acknowledge it.
    """

    name = "postfix"
    settings = {
        "in_flow_delay": "0",
        "default_process_limit": "400",
        "initial_destination_concurrency": "50",
        "default_destination_concurrency_limit": "100",
        "default_destination_rate_delay": "0",
        "qmgr_message_active_limit": "100000",
        "qmgr_message_recipient_limit": "100000",
        "smtp_connection_cache_on_demand": "yes",
        "smtp_connection_cache_destinations": "",
        "smtp_connection_reuse_time_limit": "300s",
        "smtp_dns_support_level": "disabled",
        "smtpd_peername_lookup": "no",
        "smtpd_client_connection_count_limit": "0",
        "smtpd_client_connection_rate_limit": "0",
        "smtpd_recipient_restrictions": "permit_mynetworks, reject",
        "smtpd_relay_restrictions": "permit_mynetworks, reject",
        "smtpd_data_restrictions": "",
        "smtpd_timeout": "300s",
        "local_header_rewrite_clients": "",
        "remote_header_rewrite_domain": "",
        "append_dot_mydomain": "no",
        "canonical_maps": "",
        "virtual_alias_maps": "",
        "address_verify_map": "",
        "max_use": "10000",
        "minimal_backoff_time": "3600s",
        "maximal_backoff_time": "3600s",
        "queue_run_delay": "3600s",
    }

    def __init__(self, sink_port):
        settings = dict(self.settings)
        rules = ", ".join("%s=smtp:[%s]:%d" % hop
                          for hop in next_hops(sink_port))
        settings["transport_maps"] = "inline:{ %s }" % rules
        self.server = postfix.as_relay(sink_port, **settings)
        self.server.start()
        self.port = self.server.port

    def pid(self):
        return self.server.process.pid

    def serving_pids(self):
        return procs.tree(self.pid())

    def queued(self):
        """How many messages lie in the queue of the disk."""
        total = 0
        for name in ("incoming", "active", "deferred"):
            for _, _, files in os.walk(self.server.path("queue", name)):
                total += len(files)
        return total

    def deferred(self):
        return sum(len(files) for _, _, files in os.walk(
            self.server.path("queue", "deferred")))

    def flush(self):
        self.server.run(["/usr/sbin/postqueue", "-c",
                         self.server.path("conf"), "-f"])

    def close(self):
        self.server.close()


class Relay:
    """Postern with one worker per core and its own defaults otherwise."""

    name = "postern"

    def __init__(self, sink_port):
        routes = {domain: {"hosts": ["%s:%d" % (address, port)]}
                  for domain, address, port in next_hops(sink_port)}
        self.server = postern.Postern(None, {
            "workers": 0,
            "route": routes,
            "listener": {"inbound": {"tls": "none", "cert": None,
                                     "key": None}},
            "log": {"json": None},
            "limits": self.limits(),
            "bounce_profile": {"default": {
                "first_retry": "1h", "max_retry": "1h"}},
        })
        self.server.start()
        self.port = self.server.port

    @staticmethod
    def limits():
        """One client address may open more than strangers are allowed."""
        return {}

    def pid(self):
        return self.server.process.pid

    def serving_pids(self):
        return procs.children(self.pid())

    def queued(self):
        return self.server.queue_count()

    def deferred(self):
        return self.queued()

    def flush(self):
        self.server.cli("queue", "flush")

    def close(self):
        self.server.close()


def compile_tools(directory):
    """The measuring source and sink, built where they are needed."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    here = os.path.dirname(os.path.abspath(__file__))
    for name in ("benchsource", "benchsink"):
        base.run([compiler, "-O2", "-o", os.path.join(directory, name),
                  os.path.join(here, name + ".c")])
