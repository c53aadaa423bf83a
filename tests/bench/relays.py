"""The two relays that are measured, each as fast as it can be made."""

import collections
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "integration"))

from lib import base, postern, postfix, procs  # noqa

DOMAINS = 10

# What is asked of a relay. tls: of the next hops; listeners offer it if there
# is a certificate. reuse: connections to next hops are kept open. settings: more
# of Postern's boot file.
Plan = collections.namedtuple(
    "Plan", "tls reuse pair ca keys settings", defaults=(
        "none", True, None, None, "keeper", {}))


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
    TLS: connections are kept (its tlsproxy); sessions as it comes, which is
    tickets for clients and none with next hops.
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

    levels = {"none": "none", "opportunistic": "may",
              "required-verify": "secure"}

    def __init__(self, sink_port, plan=Plan()):
        settings = dict(self.settings)
        if not plan.reuse:
            settings["smtp_connection_cache_on_demand"] = "no"
        settings.update(self.security(plan))
        rules = ", ".join("%s=smtp:[%s]:%d" % hop
                          for hop in next_hops(sink_port))
        settings["transport_maps"] = "inline:{ %s }" % rules
        self.server = postfix.as_relay(sink_port, **settings)
        self.port = self.server.port
        self.tls_port = base.free_port()
        if plan.pair:
            with open(self.server.path("conf", "master.cf"), "a") as file:
                file.write("127.0.0.1:%d inet n - n - - smtpd -o "
                           "smtpd_tls_wrappermode=yes\n" % self.tls_port)
        self.server.start()

    def security(self, plan):
        settings = {"smtp_tls_security_level": self.levels[plan.tls]}
        if plan.tls != "none":
            settings.update({
                "smtp_tls_connection_reuse": "yes" if plan.reuse else "no",
                "smtp_tls_CAfile": plan.ca,
                "smtp_tls_secure_cert_match": ".bench.test"})
        if plan.pair:
            settings.update({
                "smtpd_tls_security_level": "may",
                "smtpd_tls_chain_files": "%s, %s" % (
                    plan.pair.key, plan.pair.cert)})
        return settings

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

    def __init__(self, sink_port, plan=Plan()):
        routes = {domain: {"hosts": ["%s:%d" % (address, port)]}
                  for domain, address, port in next_hops(sink_port)}
        self.tls_port = base.free_port()
        self.server = postern.Postern(None, {
            "workers": 0,
            "route": routes,
            "listener": self.listeners(plan),
            "log": {"json": None},
            "tls": {"keys": plan.keys},
            "tls_selfsigned": False,
            "delivery": {"tls": plan.tls},
            "bounce_profile": {"default": {
                "first_retry": "1h", "max_retry": "1h"}},
        })
        if plan.ca:
            self.server.write_config({"delivery": {"ca_file": plan.ca}})
        if not plan.reuse:
            self.server.write_config({"delivery": {"max_messages": 1}})
        self.server.write_config(plan.settings)
        self.server.start()
        self.port = self.server.port

    def listeners(self, plan):
        if not plan.pair:
            return {"inbound": {"tls": "none", "cert": None, "key": None}}
        shown = {"cert": plan.pair.cert, "key": plan.pair.key}
        return {"inbound": shown, "implicit": dict(
            shown, implicit_tls=True, address=[
                "127.0.0.1:%d" % self.tls_port])}

    def pid(self):
        return self.server.process.pid

    def serving_pids(self):
        """Workers and keeper."""
        return procs.children(self.pid())

    def queued(self):
        return self.server.queue_count()

    def deferred(self):
        return self.queued()

    def flush(self):
        self.server.cli("queue", "flush")

    def close(self):
        self.server.close()
