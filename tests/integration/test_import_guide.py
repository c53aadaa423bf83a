"""docs/coming-from.md: its tables become what it says."""

import os
import re

from lib import base, luaconf

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
NAMES = {"postfix-transport": "transport", "postfix-tls": "policy",
         "cisco": "table", "ksmg": "levels"}


def test_the_examples_of_the_guide_are_true(tmp_path):
    with open(os.path.join(ROOT, "docs", "coming-from.md"),
              encoding="utf-8") as f:
        parts = re.findall(r"^```([a-z-]+)\n(.*?)^```", f.read(),
                           re.MULTILINE | re.DOTALL)
    conf = base.write_file(str(tmp_path / "postern.lua"), luaconf.text({
        "hostname": "mx.relay.example", "spool": str(tmp_path / "spool"),
        "run": str(tmp_path / "run"),
        "listener": {"in": {"address": ["127.0.0.1:2525"]}}}))
    shown = []
    for kind, text in parts:
        if kind in NAMES:
            if kind in ("cisco", "ksmg"):
                base.run([base.POSTERN_BIN, "config", "-c", conf, "clear"])
            base.write_file(str(tmp_path / NAMES[kind]), text)
            done = base.run([base.POSTERN_BIN, "import", "-c", conf, kind,
                             NAMES[kind]], check=False, cwd=str(tmp_path))
            shown.append((done.returncode, done.text))
        elif kind == "text":
            code, said = shown[-1]
            assert said.startswith(text + "There are uncommitted"), said
            assert code == (3 if "Not mapped" in text else 0)
    assert len(shown) == 4
