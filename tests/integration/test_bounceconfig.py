"""postern bounceconfig: bounce profiles, as a dialogue and as commands; and that
a relay that runs follows them."""

import json
import os
import signal

import pytest

from lib import base, client, luaconf
from test_certconfig_dialogue import Dialogue
from test_config_store import commit, settled

pytestmark = pytest.mark.sanitizer

DEFAULTS = {"max_retries": 100, "max_queue_lifetime": 259200,
            "initial_retry": 60, "max_retry_time": 3600, "jitter": 10,
            "send_bounces": True, "use_dsn_bounce_format": True,
            "send_warnings": False, "warn_after": 14400,
            "send_warnings_interval": 14400, "send_warnings_count": 1,
            "alternate_bounce_address": "", "used_by": []}
FOPE = ["max_queue_lifetime=86400", "jitter=0"]


class Place:
    """A boot file without a relay."""

    def __init__(self):
        self.folder = base.private_dir("bounceconfig")
        self.conf = os.path.join(self.folder, "postern.lua")
        self.write({})

    def write(self, more):
        conf = {"hostname": "mx.relay.example",
                "spool": os.path.join(self.folder, "spool"),
                "run": os.path.join(self.folder, "run"),
                "listener": {"in": {"address": ["127.0.0.1:2525"]}}}
        conf.update(more)
        base.write_file(self.conf, luaconf.text(conf))

    def tool(self, tool, *args, code=0):
        done = base.run([base.POSTERN_BIN, tool, "-c", self.conf] +
                        list(args), check=False)
        assert done.returncode == code, (args, done.returncode, done.text)
        return done.text

    def cli(self, *args, code=0):
        return self.tool("bounceconfig", *args, code=code)

    def now(self):
        rows = json.loads(self.cli("--json", "list").splitlines()[0])
        return {row.pop("bounce_profile_name"): row for row in rows}


@pytest.fixture
def place():
    made = Place()
    yield made
    base.remove_dir(made.folder)


@pytest.fixture
def talk(place):
    made = []

    def start():
        made.append(Dialogue(place.conf, "bounceconfig"))
        return made[-1]
    yield start
    for one in made:
        try:
            os.kill(one.pid, signal.SIGKILL)
            os.waitpid(one.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(one.fd)


def screen(*profiles):
    return "\nCurrent bounce profiles:\n" + "".join(
        "%d. %s\n" % (i + 1, one) for i, one in enumerate(profiles)) + """
Choose the operation you want to perform:
- NEW - Create a new profile.
- EDIT - Modify a profile.
- DELETE - Remove a profile.
- DETAIL - Display what a profile says.
[]> """


REST = "default (used by whatever names no other)"

SESSION = screen(REST) + """new

Please create a name for the profile:
[]> quick

Please enter the maximum number of retries.
[100]> 2

Please enter the maximum number of seconds a message may stay in the queue \
before being hard bounced.
[259200]> soon
Please answer with a number.
Please enter the maximum number of seconds a message may stay in the queue \
before being hard bounced.
[259200]> 100

Please enter the initial number of seconds to wait before retrying a message.
[60]> {}

Please enter the maximum number of seconds to wait before retrying a message.
[3600]> 60

Do you want a message sent for each hard bounce? [Y]> {}

Do you want bounce messages to use the DSN message format? [Y]> n

If a message is undeliverable after some interval, do you want to send a \
delay warning message? [N]> y

Please enter the number of seconds after which the first delay warning is sent.
[14400]> 30

Please enter the minimum interval in seconds between delay warning messages.
[14400]> 45

Please enter the maximum number of delay warning messages to send per \
recipient.
[1]> 3

Enter the email address that bounce messages are sent to, or NONE for the \
sender.
[NONE]> boss@ours.example
""" + screen("quick (used by nobody)", REST) + """edit

Please select the profile to modify.
1. quick
2. default
[1]> nobody
Please answer with a number from 1 to 2, or a name of the list.
[1]> quick

Please enter the maximum number of retries.
[2]> {}

Please enter the maximum number of seconds a message may stay in the queue \
before being hard bounced.
[100]> {}

Please enter the initial number of seconds to wait before retrying a message.
[60]> 90

Please enter the maximum number of seconds to wait before retrying a message.
[60]> {}

Do you want a message sent for each hard bounce? [Y]> n

Failed: bounce_profile "quick": first_retry is longer than \
max_retry
""" + screen("quick (used by nobody)", REST) + """detail

Please select the profile to display.
1. quick
2. default
[1]> 1

quick
  max_retries:                 2
  max_queue_lifetime:          100 s
  initial_retry:               60 s
  max_retry_time:              60 s
  jitter:                      10 %
  send_bounces:                yes
  use_dsn_bounce_format:       no
  send_warnings:               yes
  warn_after:                  30 s
  send_warnings_interval:      45 s
  send_warnings_count:         3
  alternate_bounce_address:    boss@ours.example
  used by:                     nobody
""" + screen("quick (used by nobody)", REST) + """delete

Please select the profile to remove.
1. quick
2. default
[1]> 2

Failed: the profile default cannot be deleted
""" + screen("quick (used by nobody)", REST) + """delete

Please select the profile to remove.
1. quick
2. default
[1]> {}
""" + screen(REST) + "\n"
# An empty answer.
SESSION = SESSION.replace("{}", "")


def answers(session):
    return [line.split("]> ", 1)[1] for line in session.splitlines()
            if "]> " in line]


def test_the_dialogue_is_this(place, talk):
    one = talk()
    one.answer(*answers(SESSION))
    assert one.end() == 0
    # What was made and removed again is no change.
    assert one.all == SESSION
    assert place.now() == {"default": DEFAULTS}


def test_an_unfinished_answer_changes_nothing(place, talk):
    one = talk()
    one.answer("new", "quick", "2")
    one.hear(r"\[259200\]> $")
    os.write(one.fd, b"\x04")
    assert one.end() == 0
    assert place.now() == {"default": DEFAULTS}
    one = talk()
    one.answer("new", "no name")
    one.hear("Failed: .*a name is of up to 64 letters")
    one.answer("new", "default")
    one.hear("Failed: there is a profile default already")
    one.answer("")
    assert one.end() == 0
    assert place.now() == {"default": DEFAULTS}


def test_each_setting_has_the_name_it_has_on_the_appliance(place):
    want = dict(DEFAULTS, max_retries=2, max_queue_lifetime=100,
                initial_retry=7, max_retry_time=60, send_bounces=False,
                use_dsn_bounce_format=False, send_warnings=True,
                send_warnings_count=3, send_warnings_interval=90,
                alternate_bounce_address="boss@ours.example")
    said = place.cli("new", "all", *["%s=%s" % (key, str(value).lower())
                                     for key, value in want.items()
                                     if value != DEFAULTS[key]])
    assert "There are uncommitted changes (1," in said
    assert place.now() == {"default": DEFAULTS, "all": want}
    # The names of the configuration are good as well.
    place.cli("edit", "all", "lifetime=90m", "first_retry=500ms",
              "format=dsn", "alternate_bounce_address=", "max_retries=")
    want.update(max_queue_lifetime=5400, initial_retry=0.5,
                use_dsn_bounce_format=True, alternate_bounce_address="",
                max_retries=100)
    assert place.now() == {"default": DEFAULTS, "all": want}
    # Here the words are those of postern.lua.
    assert 'warn_interval = 90' in place.tool("config", "get",
                                              "bounce_profile", "all")


def test_the_default_is_changed_like_others_and_cannot_be_deleted(place):
    place.cli("set", "default", *FOPE)
    assert place.now() == {"default": dict(DEFAULTS, jitter=0,
                                           max_queue_lifetime=86400)}
    said = place.cli("delete", "default", code=1)
    assert "the profile default cannot be deleted" in said


def test_a_profile_in_use_cannot_be_deleted_and_it_is_said_by_whom(place):
    policy = os.path.join(place.folder, "policy.lua")
    base.write_file(policy, '-- bounce_profile = "other"\n'
                    'rule "x" { rcpt_domain = "x.example",\n'
                    '  bounce_profile = "fope" }\n')
    place.write({"policy": {"file": policy}})
    place.cli("set", "fope", *FOPE)
    place.cli("set", "other")
    place.tool("destconfig", "set", "example.com", "bounce_profile=fope")
    place.tool("listenerconfig", "edit", "in", "bounce_profile=fope")
    users = ['listener "in"', 'destination "example.com"',
             'policy "%s:3"' % policy]
    assert place.now()["fope"]["used_by"] == users
    assert place.now()["other"]["used_by"] == []
    said = place.cli("delete", "other", "fope", code=1)
    assert "the profile fope is used by " + ", ".join(users) in said
    assert sorted(place.now()) == ["default", "fope", "other"]
    place.tool("destconfig", "delete", "example.com")
    place.tool("listenerconfig", "edit", "in", "bounce_profile=")
    base.write_file(policy, "-- nothing\n")
    place.cli("delete", "other", "fope")
    assert sorted(place.now()) == ["default"]


def test_a_commit_warns_of_a_profile_that_only_the_policy_names(place):
    """However it was dropped; it may be meant, so it is no error."""
    policy = os.path.join(place.folder, "policy.lua")
    base.write_file(policy, 'local of = {\n  late = "x.example",\n'
                    '  bounce_profile = "fope",\n}\n'
                    'on("message", function(msg)\n'
                    '  msg:bounce_profile(of.bounce_profile)\nend)\n')
    place.write({"policy": {"file": policy}})
    place.cli("set", "fope", *FOPE)
    place.cli("set", "other")
    assert "any more" not in place.tool("commit")
    place.tool("config", "delete", "bounce_profile", "other")
    place.tool("config", "delete", "bounce_profile", "fope")
    warning = 'Warning: there is no bounce profile "fope" any more, and ' \
        'mail is put off for which it is set by policy "%s:3".\n' % policy
    said = place.tool("commit")
    assert said.count("any more") == 1 and warning in said, said
    place.tool("config", "rollback", "1")
    assert warning in place.tool("config", "rollback", "2")
    # One that the boot file has as well is there still.
    place.tool("config", "set", "bounce_profile", "fope", "warn=yes")
    place.tool("commit")
    place.write({"bounce_profile": {"fope": {"max_retries": 7}}})
    place.tool("config", "delete", "bounce_profile", "fope")
    assert "any more" not in place.tool("commit")


def test_a_commit_refuses_to_drop_a_profile_that_a_rule_names(place):
    policy = os.path.join(place.folder, "policy.lua")
    base.write_file(policy, 'rule "x" {\n  bounce_profile = "fope",\n}\n')
    place.write({"policy": {"file": policy}})
    place.cli("set", "fope", *FOPE)
    place.tool("commit")
    place.tool("config", "delete", "bounce_profile", "fope")
    said = place.tool("commit", code=1)
    assert said.endswith('policy.lua:1: rule "x": there is no bounce_profile '
                         '"fope"\n'), said
    assert "fope" in place.tool("config", "show", "head")


def test_one_of_the_boot_file_can_be_changed_but_be_deleted_only_there(place):
    place.write({"bounce_profile": {"boot": {"max_retries": 7}},
                 "destination": {"a.example": {"bounce_profile": "boot"}}})
    assert "can only be deleted there" in place.cli("delete", "boot", code=1)
    place.cli("set", "boot", "max_retries=8")
    assert place.now()["boot"]["max_retries"] == 8
    # It is used, but what the boot file has of it stays.
    place.cli("delete", "boot")
    assert place.now()["boot"]["max_retries"] == 7


@pytest.mark.parametrize("words, status, said", [
    (["new", "default"], 1, "there is a profile default already"),
    (["edit", "none", "jitter=0"], 1, "there is no profile none"),
    (["detail", "none"], 1, "there is no profile none"),
    (["delete", "none"], 1, "there is no profile none"),
    (["set", "p", "jitter"], 1, '"jitter" is not KEY=VALUE'),
    (["set", "p", "jittr=1"], 1, 'did you mean "jitter"?'),
    (["set", "p", "jitter=51"], 1, "jitter"),
    (["set", "p", "use_dsn_bounce_format=2"], 1, "must be yes or no"),
    (["set", "p", "alternate=nobody@"], 1, "is no mail address"),
    (["set", "no name"], 1, "a name is of up to 64 letters"),
    (["edit", "default"], 2, "usage: postern bounceconfig"),
    (["list", "more"], 2, "usage: postern bounceconfig"),
    (["lst"], 2, "usage: postern bounceconfig"),
    (["--compat", "list"], 2, "usage: postern bounceconfig"),
])
def test_what_is_wrong_is_said_and_changes_nothing(place, words, status,
                                                   said):
    assert said in place.cli(*words, code=status)
    assert place.now() == {"default": DEFAULTS}


def test_a_relay_that_runs_follows_a_commit(relay, sink):
    sink.fault("rcpt", "450 4.2.1 not today", when="gone")
    server = relay(sink.port, {"workers": 2})
    server.cli("bounceconfig", "set", "hasty", "max_retries=1",
               "initial_retry=1", "max_retry_time=1", "jitter=0",
               "use_dsn_bounce_format=no",
               "alternate_bounce_address=boss@ours.test")
    server.cli("destconfig", "set", "next.test", "bounce_profile=hasty")
    commit(server)
    settled(server)
    with server.client() as peer:
        peer.start().deliver("a@client.test", ["gone@next.test"],
                             client.message())
    message = sink.wait(1)[0]
    assert message.recipients == ["boss@ours.test"]
    assert b"multipart/report" not in message.data
    server.wait_empty()
    assert len([line for _, line in sink.commands
                if "RCPT TO:<gone@next.test>" in line]) == 2
