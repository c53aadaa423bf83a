"""postern alertconfig: who is told of alerts, as a dialogue and as commands;
and that they are told by a relay that runs."""

import json
import os
import re
import signal

import pytest

from lib import base, luaconf
from lib.client import message
from test_certconfig_dialogue import Dialogue
from test_config_store import commit, settled
from test_plugin_alerts import dirs, refuse_reload, submit

pytestmark = pytest.mark.sanitizer

NEW = """\
- NEW - Add a new email address to send alerts.
"""
OTHERS = """\
- EDIT - Modify alert subscription for an email address.
- DELETE - Remove an email address.
- CLEAR - Remove all email addresses (disable alerts).
"""
REST = """\
- SETUP - Configure alert settings.
- FROM - Configure the From Address of alert emails.
[]> """
CLASSES = """
Choose the Alert Classes. Separate multiple choices with commas.
1. All
2. System
3. Hardware
4. Updater
5. Outbreak Filters
6. Anti-Virus
7. Anti-Spam
8. Directory Harvest Attack Prevention
"""
SEVERITIES = """
Select a Severity Level. Separate multiple choices with commas.
1. All
2. Critical
3. Warning
4. Information
"""


class Place:
    """A boot file without a relay."""

    def __init__(self):
        self.folder = base.private_dir("alertconfig")
        self.conf = os.path.join(self.folder, "postern.lua")
        self.write({})

    def write(self, more):
        conf = {"hostname": "mx.relay.example",
                "spool": os.path.join(self.folder, "spool"),
                "run": os.path.join(self.folder, "run"),
                "listener": {"in": {"address": ["127.0.0.1:2525"]}}}
        conf.update(more)
        base.write_file(self.conf, luaconf.text(conf))

    def cli(self, *args, code=0):
        done = base.run([base.POSTERN_BIN, "alertconfig", "-c", self.conf] +
                        list(args), check=False)
        assert done.returncode == code, (args, done.returncode, done.text)
        return done.text

    def now(self):
        return json.loads(self.cli("--json", "list").splitlines()[0])

    def classes(self):
        return {r["address"]: r["classes"] for r in self.now()["recipients"]}


@pytest.fixture
def place():
    made = Place()
    yield made
    base.remove_dir(made.folder)


@pytest.fixture
def talk(place):
    made = []

    def start():
        made.append(Dialogue(place.conf, "alertconfig"))
        return made[-1]
    yield start
    for one in made:
        try:
            os.kill(one.pid, signal.SIGKILL)
            os.waitpid(one.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(one.fd)


def screen(recipients, first=300, most=3600, server=None, tls="Disabled",
           sender=None):
    said = "\nSending alerts to:\n" + recipients if recipients else \
        "\nNot sending alerts (no configured addresses)\n"
    said += "\nInitial number of seconds to wait before sending a " \
        "duplicate alert: %d\nMaximum number of seconds to wait before " \
        "sending a duplicate alert: %d\n" % (first, most)
    said += "Alerts are handed to: %s\n" % server if server else \
        "Alerts are handed to the mail exchangers of each address.\n"
    said += "Alert when a required TLS connection fails: %s\n\n" % tls
    said += "Alerts will be sent using the configured From Address: %s\n" \
        % sender if sender else \
        "Alerts will be sent using the system-default From Address.\n"
    return said + "\nChoose the operation you want to perform:\n" + NEW + (
        OTHERS if recipients else "") + REST


OPS = "ops@example.net\n    Class: System - Severities: Critical, Warning\n" \
    "    Class: Anti-Virus - Severities: Critical, Warning\n"
ALL = "boss@example.net\n    Class: All - Severities: All\n"

SESSION = screen("") + """new

Please enter a new email address to send alerts.
(Ex: "administrator@example.com")
[]> ops@example.net
""" + CLASSES + "[1]> 2, anti-virus\n" + SEVERITIES + "[1]> 2,3\n" + \
    screen(OPS) + """new

Please enter a new email address to send alerts.
(Ex: "administrator@example.com")
[]> boss@example.net
""" + CLASSES + "[1]> \n" + SEVERITIES + "[1]> \n" + screen(ALL + OPS) + \
    """setup

Initial number of seconds to wait before sending a duplicate alert.
Enter a value of 0 to disable duplicate alert summaries.
[300]> 5

Maximum number of seconds to wait before sending a duplicate alert.
Enter a value of 0 for no maximum.
[3600]> 60

Enter the host that takes the alerts, HOST or HOST:PORT, or MX for the
mail exchangers of each address.
[MX]> mail.example.net:2525

Do you want to send an alert when a required TLS connection fails? [N]> y
""" + screen(ALL + OPS, 5, 60, "mail.example.net:2525", "Enabled") + """from

Please enter the From Address of alerts, or DEFAULT for the system-default.
[DEFAULT]> alert@example.net
""" + screen(ALL + OPS, 5, 60, "mail.example.net:2525", "Enabled",
             "alert@example.net") + "\n"


def test_a_session_of_the_dialogue_word_for_word(place, talk):
    one = talk()
    one.answer("new", "ops@example.net", "2, anti-virus", "2,3", "new",
               "boss@example.net", "", "", "setup", "5", "60",
               "mail.example.net:2525", "y", "from", "alert@example.net", "")
    assert one.end() == 0
    said = one.all
    assert said.startswith(SESSION), said
    assert "uncommitted changes" in said[len(SESSION):]
    now = place.now()
    assert now["from"] == "alert@example.net"
    assert now["alert_required_tls"] is True
    assert (now["initial_wait"], now["maximum_wait"]) == (5, 60)
    assert max(map(len, SESSION.split("\n"))) <= 80


def test_a_subscription_is_edited_from_what_it_is(place, talk):
    place.cli("new", "a@b.example", "System/Warning", "Hardware/Warning")
    place.cli("new", "c@d.example", "System/Warning,all/Critical")
    one = talk()
    one.answer("edit", "a@b.example", "", "3,4")
    one.hear("Choose the operation")
    assert CLASSES + "[2,3]> \n" + SEVERITIES + "[3]> 3,4\n" in one.all
    one.answer("edit", "2", "", "edit", "2", "nonsense", "9", "6", "", "")
    assert one.end() == 0
    assert "An empty answer leaves the subscription as it is.\n" + \
        CLASSES + "[]> \n\nSending" in one.all
    assert one.all.count("Please answer with numbers from 1 to 8.") == 2
    assert place.classes() == {
        "a@b.example": ["System/Warning", "System/Information",
                        "Hardware/Warning", "Hardware/Information"],
        "c@d.example": ["Anti-Virus/all"]}


def test_addresses_are_removed_one_by_one_and_all_at_once(place, talk):
    for name in "abc":
        place.cli("new", name + "@x.example")
    one = talk()
    one.answer("delete", "4", "nobody@x.example", "2", "clear", "", "clear",
               "y", "delete", "")
    assert one.end() == 0
    assert one.all.count("Please answer with a number from 1 to 3, or an "
                         "address of the list.\n") == 2
    assert '"delete" is none of the operations.\n' in one.all
    assert place.classes() == {}


@pytest.mark.parametrize("answers", [
    [], ["new"], ["new", "x@y.example"], ["new", "x@y.example", "2"],
    ["edit"], ["edit", "1"], ["edit", "1", "3"], ["delete"], ["clear"],
    ["setup"], ["setup", "1"], ["setup", "1", "2"],
    ["setup", "1", "2", "mail.example"], ["from"]],
    ids=lambda a: "-".join(a[:1] + [str(len(a))]))
def test_the_end_of_the_input_leaves_all_as_it_is(place, answers):
    place.cli("new", "a@x.example", "System")
    before = place.now()
    done = base.run([base.POSTERN_BIN, "alertconfig", "-c", place.conf],
                    input="".join(a + "\n" for a in answers).encode(),
                    check=False)
    assert done.returncode == 0, done.text
    assert place.now() == before


def test_ctrl_c_leaves_all_as_it_is(place, talk):
    one = talk()
    one.answer("new", "x@y.example", "2")
    one.hear(r"\[1\]> $")
    os.write(one.fd, b"\x03")
    assert one.end() == -signal.SIGINT
    assert place.classes() == {}


def test_what_is_wrong_is_told_and_nothing_is_kept(place, talk):
    one = talk()
    one.answer("new", "no address", "new", "", "setup", "x", "1", "0",
               "not:a:host", "n", "from", "nobody", "")
    assert one.end() == 0
    assert 'Failed: "no address" is no mail address' in one.all
    assert "Please answer with a number from 0 to 86400.\n" in one.all
    assert 'server: "not:a:host" is not HOST or HOST:PORT' in one.all
    assert 'from: "nobody" is no mail address' in one.all
    assert place.now()["initial_wait"] == 300


@pytest.mark.parametrize("words,said", [
    (["new", "x y@z.example"], "is no mail address"),
    (["new", "a@b.example", "Sistem/Warning"],
     '"Sistem/Warning": no such class of alerts'),
    (["new", "a@b.example", "System/Loud"],
     '"System/Loud": no such severity'),
    (["new", "there@b.example"], "there@b.example is sent alerts already"),
    (["edit", "a@b.example", "all"], "a@b.example is sent no alerts"),
    (["delete", "a@b.example"], "a@b.example is sent no alerts"),
    (["delete", "boot@b.example"], "can only be deleted there"),
    (["clear"], "can only be deleted there"),
    (["setup", "server=a:0"], "is not HOST or HOST:PORT"),
    (["setup", "initial_wait=2d"], "initial_wait"),
    (["setup", "initial_wiat=2s"], 'did you mean "initial_wait"?'),
    (["setup", "from"], "is not KEY=VALUE"),
    (["from", "nobody"], "is no mail address"),
    (["test", "nobody"], "is no mail address"),
    (["test"], "the relay is not running")])
def test_a_command_that_is_wrong_changes_nothing(place, words, said):
    place.write({"alert_recipient": {"boot@b.example": {}}})
    place.cli("new", "there@b.example")
    before = place.now()
    assert said in place.cli(*words, code=1)
    assert place.now() == before


def test_each_operation_is_a_command(place):
    place.cli("new", "a@B.example", "System/Warning,all/Critical",
              "Outbreak Filters")
    place.cli("new", "b@b.example")
    assert place.classes() == {
        "a@b.example": ["System/Warning", "all/Critical",
                        "Outbreak Filters"], "b@b.example": ["all"]}
    place.cli("edit", "b@b.example", "system/warning")
    place.cli("setup", "initial_wait=0s", "maximum_wait=90m", "port=2525",
              "server=[::1]:26", "patience=5s", "alert_required_tls=yes")
    place.cli("from", "x@y.example")
    now = place.now()
    assert now.pop("recipients")[1]["classes"] == ["system/warning"]
    assert now == {"from": "x@y.example", "server": "[::1]:26", "port": 2525,
                   "initial_wait": 0, "maximum_wait": 5400, "patience": 5,
                   "alert_required_tls": True}
    assert "Class: System - Severities: Warning" in place.cli("list")
    place.cli("from", "default")
    place.cli("setup", "server=")
    assert place.now()["from"] == "alert@mx.relay.example"
    assert place.now()["server"] == ""
    place.cli("delete", "a@b.example")
    assert json.loads(place.cli("--json", "clear")) == {"uncommitted": 2}
    assert place.classes() == {}


def test_the_switch_is_that_of_destconfig(place):
    def destconfig(*args):
        return base.run([base.POSTERN_BIN, "destconfig", "-c", place.conf] +
                        list(args)).text
    destconfig("setup", "alert_required_tls=yes")
    assert place.now()["alert_required_tls"] is True
    place.cli("setup", "alert_required_tls=no")
    assert "Alert when required TLS fails:   Off" in destconfig(
        "detail", "DEFAULT")


# ---- a relay that runs ----

def alertconfig(server, *args, code=0):
    done = server.cli("alertconfig", *args, check=False)
    assert done.returncode == code, (args, done.returncode, done.text)
    return done.text


def told(box, address):
    return [m.header("Subject") for m in list(box.messages)
            if address in m.recipients]


@pytest.fixture
def server(relay, make_sink):
    """One whose destinations have no TLS."""
    plain = make_sink()
    folder = base.private_dir("records")
    records = base.write_file(os.path.join(folder, "zone"), "".join(
        "%s.test. MX 10 mx.test.\n" % name for name in "abc") +
        "mx.test. A 127.0.0.1\n")
    os.chmod(records, 0o644)
    server = relay(None, config={
        "plugin_dirs": dirs("alert_mail"), "dns": {"records": records},
        "delivery": {"port": plain.port}})
    server.plain = plain
    yield server
    base.remove_dir(folder)


def configure(server, box, *recipients, wait="0s"):
    for address, classes in recipients:
        alertconfig(server, "new", address, classes)
    alertconfig(server, "setup", "server=127.0.0.1:%d" % box.port,
                "initial_wait=" + wait)


def require_tls(server, *domains):
    for domain in domains:
        server.cli("config", "set", "destination", domain, "tls=required")


def test_required_tls_that_fails_is_told_to_whom_it_concerns(
        server, make_sink):
    """The recipients are in the domain that nothing gets through to."""
    box = make_sink()
    configure(server, box, ("ops@b.test", "System/Warning"),
              ("all@b.test", "all"), ("boss@b.test", "all/Critical"),
              ("disk@b.test", "Hardware/all"))
    alertconfig(server, "setup", "alert_required_tls=yes")
    require_tls(server, "b.test")
    submit(server, "x@a.test")
    server.plain.wait(1)
    assert box.messages == []           # nothing is in force yet
    commit(server)
    submit(server, "x@b.test")
    base.wait_for(lambda: told(box, "ops@b.test") and
                  told(box, "all@b.test"), "two alerts")
    subject = told(box, "ops@b.test")[0]
    assert re.match(r"Warning <System> relay\.test: .*\bb\.test\b", subject)
    assert box.messages[0].header("From") == "alert@relay.test"
    line = 'A System/Warning alert was sent to ops@b.test with ' \
        'subject "%s".' % subject
    base.wait_for(lambda: line in server.log_lines(), line)
    assert "Info: %s\n" % line in base.read_text(server.log_file)
    sent = [e for e in server.json_lines() if e.get("event") == "alert_sent"]
    assert sent[0]["plugin"] == "alerts"
    assert len(server.plain.messages) == 1 and server.queue_count() == 1
    refuse_reload(server)
    base.wait_for(lambda: told(box, "boss@b.test"), "the refused reload")
    assert all(s.startswith("Critical <System>")
               for s in told(box, "boss@b.test"))
    assert told(box, "disk@b.test") == []


def test_without_the_switch_nobody_is_told(server, make_sink):
    box = make_sink()
    configure(server, box, ("ops@b.test", "all"))
    require_tls(server, "b.test", "c.test")
    commit(server)
    for domain in ("b.test", "c.test"):
        submit(server, "x@" + domain)
    server.wait_log("TLS was required but could not be", count=2)
    refuse_reload(server)
    box.wait(1)
    assert told(box, "ops@b.test")[0].startswith("Critical <System>")


def test_a_commit_changes_who_is_told_and_forgets_no_throttle(
        server, make_sink):
    box, other = make_sink(), make_sink()
    configure(server, box, ("ops@b.test", "all"), wait="1h")
    commit(server)
    good = base.read_text(server.conf_file)
    refuse_reload(server)
    box.wait(1)
    base.write_file(server.conf_file, good)
    alertconfig(server, "new", "new@b.test")
    alertconfig(server, "setup", "server=127.0.0.1:%d" % other.port,
                "alert_required_tls=yes")
    alertconfig(server, "from", "me@b.test")
    require_tls(server, "b.test")
    commit(server)
    settled(server)
    refuse_reload(server)
    server.wait_log("Alert System/Critical: a new configuration", count=2)
    submit(server, "x@b.test")
    other.wait(2)
    for address in ("ops@b.test", "new@b.test"):
        assert [s.split(":")[0] for s in told(other, address)] == \
            ["Warning <System> relay.test"]
    assert other.messages[0].header("From") == "me@b.test"
    assert len(box.messages) == 1


def test_a_block_of_the_plugin_works_beside_the_recipients(
        relay, sink, make_sink):
    box = make_sink()
    server = relay(sink.port, config={
        "plugin_dirs": dirs("alert_mail"), "plugin": {"alert_mail": {
            "to": ["old@b.test"], "server": "127.0.0.1:%d" % box.port}},
        "alerts": {"server": "127.0.0.1:%d" % box.port},
        "alert_recipient": {"new@b.test": {"classes": ["all/Critical"]}}})
    refuse_reload(server)
    box.wait(2)
    assert box.recipients() == ["new@b.test", "old@b.test"]


def test_a_test_alert_says_whether_it_was_sent(server, make_sink):
    box = make_sink()
    assert "nobody is told of alerts" in alertconfig(server, "test", code=1)
    configure(server, box, ("a@b.test", "Hardware"), ("c@b.test", "all"),
              wait="1h")
    commit(server)
    settled(server)
    for _ in range(2):              # no throttle is on its way
        assert "alerts: a test alert was sent." in alertconfig(server, "test")
    assert box.recipients() == ["a@b.test", "a@b.test", "c@b.test",
                                "c@b.test"]
    assert box.messages[0].header("Subject").startswith(
        "Information <System> relay.test: this is a test")
    rows = json.loads(alertconfig(server, "--json", "test", "x@y.test"))
    assert [row["told"] for row in rows] == [True]
    assert box.messages[-1].recipients == ["x@y.test"]
    box.fault("rcpt", "550 5.1.1 nobody here", when="a@b.test")
    said = alertconfig(server, "test", code=1)
    assert "alerts: a@b.test: " in said and "550" in said
    server.wait_log(r"Error while sending alert: Unable to send "
                    r"System/Information alert to a@b\.test: ")
    assert box.messages[-1].recipients == ["c@b.test"]


def test_an_alert_server_that_is_down_makes_no_alerts(server):
    class Nobody:
        port = base.free_port()
    configure(server, Nobody, ("ops@b.test", "all"))
    alertconfig(server, "setup", "alert_required_tls=yes")
    require_tls(server, "b.test")
    commit(server)
    refuse_reload(server)
    server.wait_log(r"Error while sending alert: Unable to send "
                    r"System/Critical alert to ops@b\.test: ")
    assert "Critical: Error while sending alert: " in \
        base.read_text(server.log_file)
    alertconfig(server, "test", code=1)
    raised = [e for e in server.json_lines() if e.get("event") == "alert"]
    assert [e["key"] for e in raised] == ["reload"]


def test_a_store_that_is_full_stops_no_alert(relay, sink, make_sink):
    box = make_sink()
    server = relay(sink.port, config={
        "plugin_dirs": dirs("alert_mail"), "limits": {"free_space": "1T"},
        "alerts": {"server": "127.0.0.1:%d" % box.port},
        "alert_recipient": {"ops@b.test": {}}})
    with server.client() as peer:
        peer.start().expect("MAIL FROM:<a@b.test>", 452)
    refuse_reload(server)
    box.wait(1)
    assert told(box, "ops@b.test")[0].startswith("Critical <System>")


def test_addresses_are_looked_up_once_in_half_an_hour(
        relay, make_sink, resolver):
    """The resolver's answers are good for a second; then it is gone."""
    box = make_sink()
    unbound = resolver({"alerts.test": "@ MX 10 mx\nmx A 127.0.0.1\n"})
    server = relay(None, config={
        "plugin_dirs": dirs("alert_mail"),
        "dns": {"servers": [unbound.address], "timeout": "2s"},
        "alerts": {"port": box.port, "initial_wait": "0s"},
        "alert_recipient": {"ops@alerts.test": {}}})
    refuse_reload(server)
    box.wait(1)
    unbound.close()
    submit(server, "x@elsewhere.test")
    server.wait_log("Delayed: ")        # there is no DNS any more
    refuse_reload(server)
    box.wait(2)
    server.wait_log("alert was sent to ops@alerts.test", count=2)
