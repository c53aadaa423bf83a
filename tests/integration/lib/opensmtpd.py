"""OpenSMTPD with plain SMTP, as a next hop and as a sender.

Debian 12's build answers no STARTTLS, which is why it is tested in clear.
"""

import os

from . import base, peers

RECEIVE = """
listen on 127.0.0.1 port {port}
table everyone {{ "@" = "mailtest" }}
action "keep" maildir "{dir}/mail/box" virtual <everyone>
match from any for any action "keep"
"""

RELAY = """
listen on 127.0.0.1 port {port}
action "onward" relay host "smtp+notls://127.0.0.1:{next_port}"
match from any for any action "onward"
"""


class OpenSmtpd(peers.MailPeer):
    """Receives all into a Maildir, or relays all to next_port."""

    name = "opensmtpd"
    spool_name = "smtpd"

    def __init__(self, next_port=None):
        super().__init__()
        os.chmod(self.path("spool"), 0o711)
        os.mkdir(self.path("mail"), 0o755)
        os.chown(self.path("mail"), peers.UID["mailtest"], -1)
        text = RELAY if next_port else RECEIVE
        self.config = base.write_file(
            self.path("smtpd.conf"), text.format(
                dir=self.dir, port=self.port, next_port=next_port))

    def start(self):
        self.launch(["/usr/sbin/smtpd", "-d", "-f", self.config])
        base.wait_listening(self.port, self.process, log=self.output)
        return self
