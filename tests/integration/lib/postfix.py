"""Postfix, as a next hop with a Maildir and as a sender."""

import os
import signal

from . import base, peers, procs

MASTER_CF = """
{port}    inet  n - n - {smtpd_max} smtpd
pickup    unix  n - n 1 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 1 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
tlsproxy  unix  - - n - 0 tlsproxy
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
virtual   unix  - n n - - virtual
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""

MAIN_CF = {
    "compatibility_level": "3.6",
    "mail_owner": "postfix",
    "setgid_group": "postdrop",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "ipv4",
    "mynetworks": "127.0.0.0/8",
    "mydestination": "",
    "alias_maps": "",
    "alias_database": "",
    "myhostname": "postfix.test",
    "smtpd_peername_lookup": "no",
    "smtp_dns_support_level": "disabled",
    "smtpd_tls_security_level": "none",
    "daemon_directory": "/usr/lib/postfix/sbin",
    "command_directory": "/usr/sbin",
    "meta_directory": "/etc/postfix",
    "shlib_directory": "/usr/lib/postfix",
    "message_size_limit": "200000000",
    "mailbox_size_limit": "0",
    "virtual_mailbox_limit": "0",
    "smtpd_client_connection_count_limit": "0",
}

QUEUES = ["active", "bounce", "corrupt", "defer", "deferred", "flush",
          "hold", "incoming", "maildrop", "pid", "private", "public",
          "saved", "trace"]


class Postfix(peers.MailPeer):
    """Receives everything into a Maildir unless told otherwise."""

    name = "postfix"

    def __init__(self, smtpd_max="-", **settings):
        super().__init__()
        self.log = self.path("mail.log")
        self._make_directories()
        base.write_file(self.path("conf", "master.cf"), MASTER_CF.format(
            port="127.0.0.1:%d" % self.port, smtpd_max=smtpd_max))
        self._write_main(settings)

    def _make_directories(self):
        for name in ("conf", "queue", "data", "mail"):
            os.mkdir(self.path(name), 0o755)
        for name in QUEUES:
            os.mkdir(self.path("queue", name), 0o700)
            if name != "pid":
                os.chown(self.path("queue", name), peers.UID["postfix"], -1)
        for name, mode in (("maildrop", 0o730), ("public", 0o710)):
            os.chown(self.path("queue", name), peers.UID["postfix"], 61105)
            os.chmod(self.path("queue", name), mode)
        os.chown(self.path("data"), peers.UID["postfix"], -1)
        os.chown(self.path("mail"), peers.UID["mailtest"], -1)

    def _write_main(self, settings):
        main = dict(MAIN_CF)
        main.update({
            "queue_directory": self.path("queue"),
            "data_directory": self.path("data"),
            "maillog_file": self.log,
            "maillog_file_prefixes": self.dir,
            "virtual_mailbox_domains": "regexp:{ {/./ ok} }",
            "virtual_mailbox_maps": "static:box/",
            "virtual_mailbox_base": self.path("mail"),
            "virtual_uid_maps": "static:%d" % peers.UID["mailtest"],
            "virtual_gid_maps": "static:%d" % peers.UID["mailtest"],
        })
        main.update(settings)
        base.write_file(self.path("conf", "main.cf"), "".join(
            "%s = %s\n" % pair for pair in main.items()))

    def start(self):
        self.launch(["/usr/lib/postfix/sbin/master", "-d", "-c",
                     self.path("conf")],
                    env={"MAIL_CONFIG": self.path("conf")})
        base.wait_listening(self.port, self.process, log=self.output)
        return self

    def reload(self, **settings):
        """From now on, or from the next of its processes on."""
        self._write_main(settings)
        for pid in procs.children(self.process.pid):
            os.kill(pid, signal.SIGHUP)

    def sendmail(self, message, sender, *recipients):
        """Hand a message to Postfix the way local programs do."""
        self.run(["/usr/sbin/sendmail", "-C", self.path("conf"), "-i", "-f",
                  sender] + list(recipients), input=message)

    def tool(self, name, *args):
        """The command line of smtp-source or smtp-sink."""
        return self.command(["/usr/sbin/" + name] + list(args))


def as_relay(next_port, **settings):
    """A Postfix that passes everything on to 127.0.0.1:next_port."""
    chosen = {
        "relayhost": "[127.0.0.1]:%d" % next_port,
        "virtual_mailbox_domains": "",
        "smtp_tls_security_level": "none",
    }
    chosen.update(settings)
    return Postfix(**chosen)
