"""Exim, as a next hop (also with AUTH and STARTTLS) and as a sender."""

import os
import shutil

from . import base, certs, peers

CONFIG = """
exim_user = Debian-exim
exim_group = Debian-exim
primary_hostname = exim.test
spool_directory = {dir}/queue
log_file_path = {dir}/log/%slog
pid_file_path = {dir}/exim.pid
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
host_lookup =
rfc1413_hosts =
dns_dnssec_ok = -1
keep_environment =
message_size_limit = 200M
smtp_accept_max = 100
smtp_accept_max_per_connection = 0
smtp_accept_queue_per_connection = 0
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
chunking_advertise_hosts = *
pipelining_advertise_hosts = *
acl_smtp_rcpt = accept_rcpt
acl_smtp_data = accept_data
{tls}
begin acl
accept_rcpt:
{acl}
  accept
accept_data:
  accept
begin routers
{router}
begin transports
maildir:
  driver = appendfile
  maildir_format
  directory = {dir}/mail/box
  create_directory
  user = Debian-exim
  group = Debian-exim
  delivery_date_add
  envelope_to_add
  return_path_add
relay:
  driver = smtp
  port = {next_port}
  allow_localhost
  {tls_out}
begin retry
* * F,2h,10s
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and {{{{eq{{$auth2}}{{user}}}}\
    {{eq{{$auth3}}{{secret word}}}}}}}}
  server_set_id = $auth2
  server_advertise_condition = ${{if def:tls_in_cipher}}
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if and {{{{eq{{$auth1}}{{user}}}}\
    {{eq{{$auth2}}{{secret word}}}}}}}}
  server_set_id = $auth1
  server_advertise_condition = ${{if def:tls_in_cipher}}
"""

LOCAL_ROUTER = """
everything:
  driver = accept
  transport = maildir
"""

RELAY_ROUTER = """
onward:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = relay
"""


class Exim(peers.MailPeer):
    """Receives all into a Maildir, or relays all to next_port."""

    name = "exim"

    def __init__(self, next_port=None, tls=False, auth=False,
                 tls_out=False, pair=None, settings=()):
        super().__init__()
        self.log = self.path("log", "mainlog")
        for name in ("queue", "log", "mail"):
            os.mkdir(self.path(name), 0o755)
            os.chown(self.path(name), peers.UID["Debian-exim"],
                     peers.UID["Debian-exim"])
        self.config = base.write_file(self.path("exim.conf"), CONFIG.format(
            dir=self.dir, port=self.port, next_port=next_port or 0,
            tls="\n".join([self._tls(pair) if tls else
                            "tls_advertise_hosts ="] + list(settings)),
            tls_out="hosts_require_tls = *\n  tls_verify_certificates ="
            if tls_out else "hosts_avoid_tls = *",
            router=RELAY_ROUTER if next_port else LOCAL_ROUTER,
            acl="  deny !authenticated = *" if auth else ""))

    def _tls(self, pair):
        if pair is None:
            pair = certs.make(self.dir, "exim.test")
        else:
            pair = certs.Pair(*(shutil.copy(path, self.dir)
                                for path in pair))
        for path in pair:
            os.chown(path, peers.UID["Debian-exim"], -1)
        return "tls_advertise_hosts = *\ntls_certificate = %s\n" \
            "tls_privatekey = %s" % (pair.cert, pair.key)

    def start(self):
        self.launch(["/usr/sbin/exim4", "-C", self.config, "-bdf", "-q5s"])
        base.wait_listening(self.port, self.process, log=self.output)
        return self

    def sendmail(self, message, sender, *recipients):
        self.run(["/usr/sbin/exim4", "-C", self.config, "-i", "-odf",
                  "-f", sender] + list(recipients), input=message)
