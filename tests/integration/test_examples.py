"""What the manual pages of the *config commands show can be done, and what
they answer with --json is JSON."""

import calendar
import json
import os
import re
import shutil
import subprocess
import time

import pytest

from lib import base, certs, luaconf
from lib.client import message
from test_destconfig import DEFAULT
from test_plugin_alerts import dirs


class Place:
    """A configuration without a relay, and a shell that has `postern`."""

    def __init__(self):
        self.folder = base.private_dir("examples")
        self.conf = os.path.join(self.folder, "postern.lua")
        base.write_file(self.conf, luaconf.text({
            "hostname": "mx.example.org",
            "spool": os.path.join(self.folder, "spool"),
            "run": os.path.join(self.folder, "run"),
            "plugin_dirs": dirs("alert_mail"),
            "listener": {"inbound": {"address": ["127.0.0.1:2525"]}}}))

    def run(self, line, code=0, **more):
        """A line as somebody types it; no terminal, so that passphrases are
        read from what is typed."""
        done = subprocess.run(
            ["sh", "-c", 'postern() { word=$1; shift; "$BIN" "$word" -c '
             '"$CONF" "$@"; }\n' + line],
            cwd=self.folder, check=False, capture_output=True, text=True,
            input="correct horse\ncorrect horse\n", start_new_session=True,
            env=dict(os.environ, BIN=base.POSTERN_BIN, CONF=self.conf,
                     VISUAL="true", **more))
        assert done.returncode == code, (line, done.stdout, done.stderr)
        return done.stdout

    def another_machine(self):
        shutil.rmtree(os.path.join(self.folder, "spool"))

    def openssl(self, *args):
        base.run(["openssl"] + list(args), cwd=self.folder)


@pytest.fixture
def place():
    return Place()


def examples(page):
    """The lines of its EXAMPLES, continued ones as one."""
    text = base.read_text(os.path.join(base.REPO, "man",
                                       "postern-%s.8" % page))
    text = text[text.index(".Sh EXAMPLES"):text.index(".Sh SEE ALSO")]
    blocks = re.findall(r"\.Bd -literal[^\n]*\n(.*?)\.Ed", text, re.S)
    assert blocks
    lines = "".join(blocks).replace("\\e\n", "\\\n").replace("\\\n    ", "")
    assert "\\" not in lines
    return lines.splitlines()


def test_those_of_config(place):
    for n in range(11):
        place.run("postern config set delivery max_messages=%d" % (n + 1))
        place.run("postern commit")
    for line in examples("config"):
        if " load " in line:
            comments = [row["comment"] for row in json.loads(place.run(
                "postern config --json log -n 1"))]
            assert comments == ["the partner is not ready"]
            place.another_machine()
        place.run(line)
    assert "max_messages = 11" in place.run("postern config show head")


def test_those_of_destconfig(place):
    base.write_file(os.path.join(place.folder, "appliance.txt"),
                    DEFAULT + "[old.example]\ntable_tls = on\n")
    said = {line: place.run(line) for line in examples("destconfig")}
    assert ".partner.example" in said["postern destconfig list"]
    assert "old.example" in said["postern config diff"]


def test_those_of_listenerconfig(place):
    for line in examples("listenerconfig"):
        place.run(line)
    groups = json.loads(place.run(
        "postern listenerconfig --json hostaccess print inbound"))
    assert [row["group"] for row in groups] == ["BLOCKED", "PARTNERS"]


def sign(place):
    """As an authority and its intermediate do."""
    place.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                  "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key",
                  "-out", "intermediate.crt", "-subj", "/CN=Some CA",
                  "-days", "30")
    place.openssl("x509", "-req", "-in", "mail.csr", "-CA",
                  "intermediate.crt", "-CAkey", "ca.key", "-CAcreateserial",
                  "-copy_extensions", "copy", "-days", "20", "-out",
                  "mail.crt")
    place.openssl("crl2pkcs7", "-nocrl", "-certfile", "mail.crt",
                  "-certfile", "intermediate.crt", "-outform", "DER", "-out",
                  "new.p7b")


def test_those_of_certconfig(place):
    for line in examples("certconfig"):
        if "--domain" in line:
            continue  # asks the Internet
        if line.startswith("postern certconfig import"):
            assert "listener:inbound" in place.run("postern certconfig list")
            place.another_machine()
        # Whoever signed it is nobody's root here.
        place.run(line, code=1 if " check " in line else 0)
        if line.startswith("# send") or " renew " in line:
            sign(place)
    assert "mail" in place.run("postern certconfig list")


def test_those_of_alertconfig(place):
    for line in examples("alertconfig"):
        if line == 'alerts { server = "mail.example.net" }':
            break  # the same as a boot file
        # No relay runs, and nobody is there who would take the mail.
        place.run(line.replace("mail.example.net", "127.0.0.1"),
                  code=1 if line.endswith(" test") else 0)
    shown = json.loads(place.run("postern alertconfig --json list"))
    assert [row["address"] for row in shown["recipients"]] == [
        "boss@example.net", "ops@example.net"]


def test_those_of_bounceconfig(place):
    lines = examples("bounceconfig")
    for line in lines:
        if line.startswith("postern "):
            place.run(line)
    shown = place.run("postern bounceconfig --json detail fope")
    # The same in the boot file.
    place.run("postern destconfig delete partner.example")
    place.run("postern bounceconfig delete fope")
    place.run("postern commit")
    base.write_file(place.conf, base.read_text(place.conf) + "\n".join(
        line for line in lines if not line.startswith("postern ")) + "\n")
    place.run("postern check")
    assert place.run("postern bounceconfig --json detail fope") == shown


def test_those_of_profile(place):
    authority = certs.Authority(place.folder)
    pair = authority.server("mx.example.org", "serverAuth,clientAuth")
    for name, path in (("company-root.pem", authority.ca),
                       ("mx.pem", pair.cert), ("mx.key", pair.key)):
        shutil.copy(path, os.path.join(place.folder, name))
    for line in examples("profile"):
        # What is looked at is not so before it is applied.
        said = place.run(line, code=1 if line.endswith(" --check") else 0)
        if line.endswith(" diff"):
            assert "required-verify" in said
    assert "strict from now on" in place.run("postern config log")
    shown = json.loads(place.run("postern profile --json"))
    assert shown["client"]["level"] == "require-no-verify"
    assert "old.example  " in place.run("postern destconfig list")


EPISODE = {
    "episode": 12, "domain": "partner.example", "cause": "name-mismatch",
    "reason": "certificate is for another name", "attempts": 27, "held": 3,
    "first": "Nov 22 09:14:02 2026", "last": "Nov 22 10:44:31 2026",
    "oldest": "Nov 22 09:14:01 2026", "deadline": "Nov 23 09:14:01 2026",
    "hosts": [{"mx": "mx1.partner.example", "ip": "192.0.2.25", "times": 27,
               "why": "certificate is for another name"}]}


def test_those_of_displayalerts(place):
    """The page shows what is printed of such an episode."""
    episode = {key: calendar.timegm(time.strptime(value, "%b %d %H:%M:%S %Y"))
               * 1000 if str(value).startswith("Nov ") else value
               for key, value in EPISODE.items()}
    folder = os.path.join(place.folder, "spool")
    os.makedirs(folder, exist_ok=True)
    base.write_file(os.path.join(folder, "alerts"), json.dumps(
        {"alerts": [], "episodes": [episode]}), mode=0o600)
    lines = examples("displayalerts")
    shown = {line[2:]: [] for line in lines if line.startswith("$ ")}
    for line in lines:
        if line.startswith("$ "):
            command = shown[line[2:]]
        else:
            command.append(line)
    for line, said in shown.items():
        told = place.run(line, TZ="UTC0").splitlines()
        assert said in (told, []), line
        assert told
    assert told == ["partner.example"]


def test_those_of_import(place):
    base.write_file(os.path.join(place.folder, "transport"),
                    "partner.example smtp:[mx.partner.example]:25\n")
    base.write_file(os.path.join(place.folder, "tls_policy"),
                    "far.example encrypt\n")
    for line in examples("import"):
        place.run(line.replace("/etc/postfix/", ""))
    assert 'destination "far.example"' in place.run("postern config show head")


def test_those_of_trace_and_explain(place):
    base.write_file(os.path.join(place.folder, "message.eml"),
                    "Subject: hello\n\nhello\n")
    for line in examples("trace") + examples("explain"):
        if not line.startswith("$ "):
            continue  # what jq does with it
        line = line[2:].split("|")[0].replace("--live", "")
        # Nobody may send there by that client.
        said = place.run(line, code=1 if " trace " in line else 0)
        if "--json" in line:
            assert set(json.loads(said)) >= {"hat", "recipients"}


JSON = """
check
config status
config show
config set destination x.test tls=none
config get destination x.test
config diff
config delete destination x.test
config clear
config set destination x.test tls=none
clear
config save
config save saved
config load saved
config edit
config set delivery concurrency=9
commit once
config log
config set delivery concurrency=8
commit twice
config rollback 1
config prune --keep 1
destconfig set x.test tls=required
destconfig new y.test
destconfig edit y.test concurrency=5
destconfig default max_messages=9
destconfig setup alert_required_tls=no
destconfig list
destconfig detail
destconfig detail x.test
destconfig export
destconfig export table
destconfig import table
destconfig delete x.test
destconfig clear
listenerconfig list
listenerconfig new other address=127.0.0.1:2526
listenerconfig edit other tls=off
listenerconfig policy set P tls=required
listenerconfig policy list
listenerconfig hostaccess new other G policy=P senders=10.0.0.0/8
listenerconfig hostaccess edit other G +192.0.2.1
listenerconfig hostaccess print other
listenerconfig hostaccess reorder other G 1
listenerconfig hostaccess export other
listenerconfig hostaccess export other hat
listenerconfig hostaccess import other hat
listenerconfig hostaccess delete other G
listenerconfig policy delete P
listenerconfig rcptaccess new x.test access=accept
listenerconfig rcptaccess edit x.test access=reject
listenerconfig rcptaccess print
listenerconfig rcptaccess delete x.test
listenerconfig delete other
certconfig create mail --cn mx.example.org --key p256
certconfig list
certconfig show mail
certconfig csr mail
certconfig check
certconfig assign mail outbound
certconfig unassign outbound
certconfig rename mail post
certconfig delete post
certconfig ca list
"""


NO_CONF = ("version", "help", "headers")

MORE = """
version
help
check --settings
displayalerts
displayalerts --open
headers message
alertconfig list
alertconfig new ann@x.test System/Warning
alertconfig edit ann@x.test all/Critical
alertconfig setup initial_wait=5
alertconfig from alert@x.test
alertconfig delete ann@x.test
alertconfig clear
bounceconfig list
bounceconfig new slow max_retries=5
bounceconfig detail slow
bounceconfig set slow send_warnings=yes
bounceconfig delete slow
profile
profile server require
profile client require-verify
import --dry-run cisco table
import postfix-transport transport
import postfix-tls levels
import ksmg domains.csv
explain a@x.test b@y.test
trace --from a@x.test --rcpt b@y.test
policy check policy.lua
policy test policy.lua
policy trace --from a@x.test --rcpt b@y.test
plugin list
plugin show log_mail
plugin check
plugin order
"""


def test_answers_are_one_value_of_json_where_it_is_asked_for(place):
    for line in JSON.split("\n")[1:-1]:
        word, rest = (line + " ").split(" ", 1)
        json.loads(place.run("postern %s --json %s" % (word, rest)))


def test_so_are_those_of_the_other_commands(place):
    for name, text in (
            ("table", DEFAULT), ("transport", "x.test smtp:[192.0.2.1]\n"),
            ("levels", "y.test encrypt\n"),
            ("domains.csv", "domain,tls\nz.test,require\n"),
            ("message", "Received: from a.test by b.test with ESMTPS; "
             "Sun, 22 Nov 2026 12:00:00 +0000\n\n"),
            ("policy.lua", 'rule "r" { when = {}, tls = "required" }\n')):
        base.write_file(os.path.join(place.folder, name), text)
    for line in MORE.split("\n")[1:-1]:
        done = subprocess.run(
            [base.POSTERN_BIN] + line.split() + ["--json"] +
            (["-c", place.conf] if line.split()[0] not in NO_CONF else []),
            cwd=place.folder, check=False, capture_output=True, text=True)
        assert isinstance(json.loads(done.stdout), (dict, list)), (
            line, done.stdout, done.stderr)


RUNNING = """
status
queue list
queue hops
queue count
queue show 1
queue flush
queue hold
queue release
queue requeue
log find --mid 1
plugin list
plugin order
plugin restart
policy shadow
queue delete --all
"""


def test_so_are_those_of_a_relay_that_runs(relay, sink):
    server = relay(sink.port, config={
        "destination": {"held.test": {"tls": "required"}},
        "bounce_profile": {"default": {"first_retry": "1h",
                                       "max_retry": "1h"}}})
    with server.client() as client:
        client.start()
        client.deliver("a@x.test", ["b@held.test"], message())
        client.quit()
    tries = 1
    for line in RUNNING.split("\n")[1:-1]:
        # What is being delivered just now could be neither held nor moved.
        server.wait_log("pending till", count=tries)
        said = server.cli(*line.split(), "--json").text
        assert isinstance(json.loads(said), (dict, list)), line
        tries += line == "queue flush"


def test_what_fails_says_so_to_people_and_programs(place):
    for line, code in (("config get destination no.test", 1),
                       ("config show 7", 1), ("config rollback 1", 1),
                       ("commit", 1), ("config nonsense", 2),
                       ("clear nonsense", 2),
                       ("config set destination x.test tls", 2),
                       ("destconfig delete no.test", 1),
                       ("destconfig nonsense", 2),
                       ("listenerconfig delete no", 1),
                       ("listenerconfig nonsense", 2),
                       ("certconfig show no", 1), ("certconfig nonsense", 2)):
        word, rest = (line + " ").split(" ", 1)
        assert place.run("postern %s --json %s" % (word, rest),
                         code=code) == "", line
    base.write_file(place.conf, "hostname = 'mx.test'\nnonsense = 1\n")
    assert json.loads(place.run("postern check --json", code=1)) == {
        "file": place.conf, "sound": False, "error": '%s:2: unknown setting '
        '"nonsense"' % place.conf}
