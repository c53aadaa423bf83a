"""The plugin mime over real sockets: rules about attachments, also within
archives, about words of the text and character sets; messages as strangers
make them, and what they may cost."""

import gzip
import io
import os
import random
import subprocess
import zipfile
from email.message import EmailMessage

import pytest

from lib import base, procs

pytestmark = pytest.mark.sanitizer

BUILD = os.path.dirname(base.POSTERN_BIN)
DIRS = [os.path.join(BUILD, "plugins", "mime")]
RULES = """
rule "no programs" {
  when  = { attachment = { extension = { "exe", "js" } } },
  reply = reject(550, "5.7.1", "no programs"),
}
rule "closed" {
  when  = { attachment = { encrypted = true } },
  reply = reject(550, "5.7.1", "encrypted"),
}
rule "odd" {
  when  = { attachment = { unreadable = true } },
  reply = reject(550, "5.7.1", "unreadable"),
}
rule "plans" {
  when  = { body = { "merger plan", "confidential" } },
  reply = reject(550, "5.7.1", "words"),
}
rule "charset" {
  when  = { charset = "koi8-*" },
  reply = reject(550, "5.7.1", "charset"),
}
"""
TAKEN = "250"


@pytest.fixture
def folder():
    path = base.private_dir("mime")
    yield path
    base.remove_dir(path)


@pytest.fixture
def policy(relay, sink, folder):
    """policy(text, mime={settings}, ...): a relay with these rules."""
    def make(text=RULES, mime=None, **changes):
        path = base.write_file(os.path.join(folder, "policy.lua"), text)
        os.chmod(folder, 0o777)     # workers put large attachments there
        block = dict({"tmp": folder, "timeout": "5m"}, **(mime or {}))
        return relay(sink.port, dict(
            {"plugin_dirs": DIRS, "policy": {"file": path, "timeout": "5m"},
             "plugin": {"mime": block}}, **changes))
    make.folder = folder
    return make


def zipped(*files, how=zipfile.ZIP_DEFLATED):
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w", how) as f:
        for name, content in files:
            f.writestr(name, content)
    return b.getvalue()


def encrypted():
    """A zip whose entry says that it needs a password."""
    b = bytearray(zipped(("plan.txt", b"0123456789ab"),
                         how=zipfile.ZIP_STORED))
    b[6] |= 1
    b[b.index(b"PK\1\2") + 8] |= 1
    return bytes(b)


def mail(*files, text="hello\n", html=None, charset="utf-8"):
    m = EmailMessage()
    m["From"], m["To"] = "a@client.test", "b@next.test"
    m["Subject"], m["Message-ID"] = "files", "<files@client.test>"
    m.set_content(text, charset=charset)
    if html:
        m.add_alternative(html, subtype="html")
    for name, content in files:
        m.add_attachment(content, maintype="application",
                         subtype="octet-stream", filename=name)
    return m.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def send(server, content, rcpt="b@next.test"):
    """The reply's words, or 250."""
    with server.client() as c:
        c.start()
        c.mail("a@client.test", rcpt)
        answer = c.data(content)
    return TAKEN if answer.startswith("250") else (answer[:4] +
                                                   answer[10:].strip())


def metric(server, name):
    return server.cli_json("status")[0]["metrics"].get(
        "plugin_mime_%s_total" % name, 0)


DEEP = zipped(("docs/b.zip", zipped(("a.zip", zipped(("run.EXE", b"MZ")))))),
CASES = [
    ("nothing is wrong", mail(("plan.pdf", b"%PDF"),
                              ("a.zip", zipped(("b.txt", b"fine")))), TAKEN),
    ("a program", mail(("run.exe", b"MZ")), "no programs"),
    ("a program in an archive", mail(
        ("x.zip", zipped(("a.txt", b""), ("d/run.js", b"x")))), "no programs"),
    ("a program in archives in each other", mail(("x.zip", DEEP[0])),
     "no programs"),
    ("an archive under another name", mail(("photo.jpg", DEEP[0])),
     "no programs"),
    ("a name as RFC 2231 has it", mail(("präsentation.exe", b"MZ")),
     "no programs"),
    ("a compressed program", mail(("run.exe.gz", gzip.compress(b"MZ"))),
     "no programs"),
    ("a forwarded message", mail(("old.eml", mail(("run.exe", b"MZ")))),
     "no programs"),
    ("an archive with a password", mail(("x.zip", encrypted())), "encrypted"),
    ("a broken archive", mail(("x.zip", b"PK\3\4 and no more")),
     "unreadable"),
    ("a bomb", mail(("x.zip", zipped(("zeros", bytes(8 << 20))))),
     "unreadable"),
    ("words", mail(text="our merger\nplan\n"), "words"),
    ("words in base64", mail(text="ü confidential\n"), "words"),
    ("words in HTML", mail(html="<p>con<b>fiden</b>tial</p>"), "words"),
    ("words in an archive", mail(
        ("x.zip", zipped(("a.txt", b"confidential")))), "words"),
    ("a word within another", mail(text="confidentially\n"), TAKEN),
    ("a character set", mail(text="да\n", charset="koi8-r"), "charset"),
]


def test_rules_look_into_messages_and_archives(policy):
    server = policy()
    got = {name: send(server, content) for name, content, _ in CASES}
    wanted = {name: end if end == TAKEN else "550 " + end
              for name, _, end in CASES}
    assert got == wanted


def test_a_message_is_looked_at_once_however_many_ask(policy):
    server = policy(RULES + """
        on("message", function(msg)
          local a, t = msg:attachments(), msg:text()
          log.info(#a .. " files, " .. #t .. " octets")
        end)""")
    for _ in range(3):
        assert send(server, mail(("a.pdf", b"x"))) == TAKEN
    server.wait_log("1 files, 6 octets", 3)
    base.wait_for(lambda: metric(server, "messages") == 3,
                  lambda: "3 messages, not %d" % metric(server, "messages"))


def test_a_message_is_taken_apart_at_once(policy):
    server = policy("""
        on("message", function(msg)
          local m = mail.parse(msg)
          log.info("%s|%s|%s|%d|%s|%s", m.from and m.from.domain, m.subject,
            m.text:match("%S+"), #m.attachments, m.attachments[1] and
            m.attachments[1].name, table.concat(m.charsets, ","))
        end)""")
    m = mail(("a.pdf", b"x"))
    assert send(server, m.replace(
        b"From: a@client.test", b"From: Anna <a@Us.Example>").replace(
        b"Subject: files", b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=")) == TAKEN
    server.wait_log(r"us\.example\|Gr\xfc\xdfe\|hello\|1\|a\.pdf\|")
    assert send(server, mail().replace(
        b"From: a@", b"From: b@us.example, a@")) == TAKEN
    server.wait_log(r"nil\|files\|hello\|0\|nil\|utf-8$")


def test_20_mb_are_opened_and_leave_nothing_behind(policy):
    server = policy(mime={"ratio": 100000})
    noise = random.Random(5).randbytes(20 << 20)
    big = zipped(("noise", noise), ("run.exe", b"MZ"), how=zipfile.ZIP_STORED)
    assert send(server, mail(("x.zip", big))) == "550 no programs"
    assert send(server, mail(("x.zip", zipped(("noise", noise))))) == TAKEN
    assert os.listdir(policy.folder) == ["policy.lua"]


@pytest.mark.parametrize("settings, content", [
    ({"parts": 3}, mail(("1.pdf", b"1"), ("2.pdf", b"2"), ("3.pdf", b"3"))),
    ({"entries": 2}, mail(("x.zip", zipped(*[("f%d" % i, b"")
                                             for i in range(3)])))),
    ({"depth": 3}, mail(("x.zip", DEEP[0]))),
    ({"unpacked": "1M", "ratio": 100000},
     mail(("x.gz", gzip.compress(bytes(2 << 20))))),
    ({"archives": ["tar"]}, mail(("x.zip", DEEP[0]))),
], ids=["parts", "entries", "depth", "unpacked", "archives"])
def test_above_a_limit_is_unreadable(policy, settings, content):
    server = policy(mime=settings)
    assert send(server, content) == "550 unreadable"


def test_unreadable_can_be_made_a_failure(policy):
    server = policy(mime={"unreadable": "fail"})
    assert send(server, mail(("x.zip", b"PK\3\4 and no more"))
                ).startswith("451")
    server.wait_log('lookup "mime": a part of the message cannot be read')
    assert send(server, mail(("a.pdf", b"x"))) == TAKEN


def test_text_above_the_limit_is_cut_or_a_failure(policy, sink):
    text = "x\n" * 600 + "confidential\n"
    server = policy(mime={"text": "1k"})
    assert send(server, mail(text=text)) == TAKEN
    server.stop()
    server = policy(mime={"text": "1k", "text_over": "fail"})
    assert send(server, mail(text=text)).startswith("451")
    server.wait_log('lookup "mime": the message has too much text')


def test_expressions_see_all_of_a_long_text(policy, sink):
    rules = {"far": r"merger\s+plan", "first": r"^filler",
             "last": r"the end\s*$",
             "cut": r"^(?!filler)", "begin": r"\A(?!filler)",
             "stop": r"(filler|line|fill)\s*$",
             "head": r"\b(iller|ller|ler|er|r|ine|ne|e)\b",
             "tail": r"\b(f|fi|fil|fill|fille|l|li|lin)\b"}
    server = policy("".join("""
        rule "%s" { when = { body = { re = [[%s]] } },
                    add_header = { ["X-%s"] = "yes" } }""" % (n, e, n)
        for n, e in rules.items()))
    text = "filler line\n" * 20000 + "merger\nplan\nthe end\n"
    assert send(server, mail(text=text)) == TAKEN
    got, = sink.wait(1)
    assert [n for n in rules if got.header("X-" + n)] == [
        "far", "first", "last"]


def test_a_body_that_has_not_come_is_no_empty_body(policy):
    server = policy("""
        on("headers", function(msg) return #msg:attachments() end)""")
    assert send(server, mail(("run.exe", b"MZ"))).startswith("451")
    server.wait_log('lookup "mime": the message is not there yet')


STUB = r"""
plugin %s/mime.la
session 192.0.2.1
mail a@us.example
rcpt b@us.example
header Content-Type: multipart/mixed; boundary=b
body "--b\r\nContent-Type: a/b; name=run.exe\r\n\r\nx\r\n--b--\r\n"
op lookup/1.get key=attachments -> tempfail
headers
op lookup/1.get key=text -> tempfail 451 4.3.0 "the message is not there yet"
eom
op lookup/1.get key=attachments -> continue
expect out count = 1
expect out 0 ~ /"name":"run.exe","type":"a.b","size":1/
op lookup/1.get key=charset -> continue
expect out count = 0
op lookup/1.get key=nothing -> tempfail
chaos
"""


def test_the_table_answers_from_eom_on_and_survives_faults(folder):
    script = base.write_file(os.path.join(folder, "t.stub"), STUB % DIRS[0])
    done = base.run([os.path.join(BUILD, "posternstub"), script],
                    check=False)
    assert done.returncode == 0 and "not ok" not in done.text, done.text


def test_a_folder_that_takes_nothing_defers_what_needs_it(policy):
    server = policy(mime={"tmp": os.path.join(policy.folder, "gone")})
    noise = random.Random(6).randbytes(1 << 20)
    assert send(server, mail(("x.zip", zipped(("noise", noise))))
                ).startswith("451")
    server.wait_log('lookup "mime": there is no room for an attachment')
    assert send(server, mail(("x.zip", zipped(("a", b"x"))))) == TAKEN


def test_a_large_message_costs_no_memory(policy):
    pieces = 10 if base.SANITIZER else 100
    server = policy(RULES, mime={"cpu": "10m"}, workers=1)
    assert send(server, mail(("a.pdf", b"x"))) == TAKEN
    line = b"0123456789ABCDEF" * 4 + b"0123456789AB\r\n"
    pid, = server.wait_workers()
    procs.reset_peak(pid)
    before = procs.status_kb(pid, "VmHWM")
    with server.client() as c:
        c.start()
        c.mail("a@client.test", "b@next.test")
        c.expect("DATA", 354)
        c.send(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
               b"Content-Type: a/b; name=a.bin\r\n"
               b"Content-Transfer-Encoding: base64\r\n\r\n")
        for _ in range(pieces):
            c.send(line * 13000)
        c.send(b"--b\r\nContent-Type: a/b; name=run.exe\r\n\r\n.\r\n"
               b"--b--\r\n.\r\n")
        assert c.reply().startswith("550 5.7.1 no programs")
    # The message is a file that is mapped; what is above it is memory.
    mapped = pieces * 13000 * len(line) // 1024
    if not base.SANITIZER:
        assert procs.status_kb(pid, "VmHWM") - before < mapped + 16 * 1024
    base.wait_for(lambda: metric(server, "messages") == 2, "both are counted")


LOOKUP = """
local ours = lookup "ours"
on("message", function(msg)
  log.info("ours: " .. tostring(ours[msg.sender]))
end)
"""


@pytest.fixture
def tell(folder):
    """tell(command, content, mime=) tries a message without a relay: the
    status, and what is said."""
    def run(command, content, mime='plugin "mime" { }\n', text=RULES + LOOKUP,
            live=False):
        eml = os.path.join(folder, "message.eml")
        with open(eml, "wb") as f:
            f.write(content)
        base.write_file(os.path.join(folder, "policy.lua"), text)
        conf = base.write_file(os.path.join(folder, "postern.lua"), (
            'hostname = "mx.us.example"\nspool = "spool"\n'
            'plugin_dirs = { "%s" }\npolicy { file = "policy.lua" }\n'
            'route "*" { hosts = { "127.0.0.1:9" } }\n'
            'listener "inside" { address = { "127.0.0.1:2525" }, '
            'tls = "off" }\n' % DIRS[0]) + mime)
        words = {
            "policy trace": ["policy", "trace", "--from", "a@us.example",
                             "--rcpt", "b@next.test", "--ip", "127.0.0.1"],
            "explain": ["explain"],
            "trace": ["trace", "--from", "a@us.example", "--rcpt",
                      "b@next.test"]}[command] + ["-c", conf]
        words += ["--live"] if live else []
        words += ["a@us.example", "b@next.test"] if command == "explain" else []
        done = subprocess.run([base.POSTERN_BIN, *words, eml], text=True,
                              capture_output=True, check=False, cwd=folder)
        return done.returncode, done.stdout + done.stderr
    return run


COMMANDS = ["policy trace", "explain", "trace"]


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_in_a_message_file_is_known_without_asking_outside(command,
                                                                   tell):
    for name, content, end in CASES:
        status, said = tell(command, content)
        answer = "250 2.0.0" if end == TAKEN else "550 5.7.1 " + end
        assert answer in said, (name, said)
        assert ('rule "no programs" (policy.lua:2): yes' in said) == (
            end == "no programs"), (name, said)
        assert status == (0 if command == "policy trace" or end == TAKEN
                          else 1), (name, said)
        assert "what the plugin mime says" not in said
        # All other tables have no key.
        assert ("lookup ours a@us.example: notfound" in said) == (end == TAKEN)


def test_its_settings_are_those_of_the_boot_file(tell):
    status, said = tell("policy trace", mail(("x.zip", DEEP[0])),
                        mime='plugin "mime" { archives = "tar" }\n')
    assert "550 5.7.1 unreadable" in said
    assert status == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_without_the_plugin_it_fails_as_in_the_relay(command, tell):
    content = mail(("run.exe", b"MZ"))
    status, said = tell(command, content, mime="")
    assert status == 1
    assert "451 4.3.5" in said
    assert 'rule "no programs"' not in said
    assert ('policy.lua:2: lookup "mime": mime is no table: '
            'no plugin of that name is loaded') in said


def test_the_relay_fails_so(relay, sink, folder):
    path = base.write_file(os.path.join(folder, "policy.lua"), RULES)
    server = relay(sink.port, {"policy": {"file": path}})
    assert send(server, mail(("run.exe", b"MZ"))).startswith("451")
    server.wait_log(r'policy\.lua:2: lookup "mime": mime is no table: '
                    'no plugin of that name is loaded')


def test_another_plugin_of_that_name_is_not_asked(tell):
    # It might ask somebody outside.
    status, said = tell("policy trace", mail(), mime=(
        'plugin "lookup_file" "mime" { file = "table.txt" }\n'))
    assert (status, "451 4.3.5" in said) == (1, True), said


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_in_a_message_does_not_act_on_a_terminal(command, tell):
    text = "one \x1b]0;owned\x07\ntwo " + "x" * 5000 + "\n"
    rule = ('rule "words" { when = { body = "none of these" }, '
            'reply = reject(550, "5.7.1", "words") }\n')
    status, said = tell(command, mail(("\x1b[31m.pdf", b"x"), text=text),
                        text=rule)
    assert status == 0
    assert "\x1b" not in said and "\x07" not in said
    assert "x" * 500 not in said
    assert '(policy.lua:1): no, body is "one ' in said
