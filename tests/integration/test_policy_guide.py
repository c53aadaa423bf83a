"""The policies that people begin with: docs/policy-guide.md, conf/ and the
cookbook do what their own tests say, and nothing about them is odd."""

import os
import re

import pytest

from lib import base

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def text_of(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as f:
        return f.read()


GUIDE = re.findall(r"^```lua\n(.*?)^```", text_of("docs/policy-guide.md"),
                   re.MULTILINE | re.DOTALL)
COOKBOOK = os.path.join("lua", "cookbook")
POLICIES = dict([("guide-%d" % i, text) for i, text in enumerate(GUIDE)],
                example=text_of("conf/policy.lua"))
POLICIES.update((name, text_of(os.path.join(COOKBOOK, name)))
                for name in os.listdir(os.path.join(ROOT, COOKBOOK)))


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_a_policy_that_is_shown_passes_its_own_tests(name, tmp_path):
    path = tmp_path / "policy.lua"
    path.write_text(POLICIES[name])
    said = base.run([base.POSTERN_BIN, "policy", "check", str(path)]).text
    assert said == "%s: ok\n" % path
    said = base.run([base.POSTERN_BIN, "policy", "test", str(path)]).text
    tests = POLICIES[name].count("\ntest(")
    assert tests > 0 and "1..%d" % tests in said, said
