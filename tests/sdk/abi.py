"""The layout of what crosses the plugin interface, as the compiler sees it."""

import re
import subprocess

ORDER = "plugin tls_policy cert_store log_sink alert_sink metrics filter " \
    "route lookup store".split()


def declared(root):
    """(struct or enum, its members), in the order of the headers."""
    for name in ORDER:
        text = (root / "sdk" / "postern" / (name + ".h")).read_text()
        text = re.sub(r"/\*.*?\*/|^#.*?[^\\]$", " ", text,
                      flags=re.S | re.M)
        for kind, what, body in re.findall(
                r"\b(struct|enum) (\w+) \{(.*?)\};", text, re.S):
            if kind == "enum":
                yield kind, what, re.findall(r"\b(PST_\w+)\b", body)
                continue
            members = []
            for part in body.split(";"):
                function = re.findall(r"\(\*(\w+)\)\(", part)[:1]
                members += function or re.findall(
                    r"(\w+)\s*(?=,|$)", part.strip())
            yield kind, what, members


def headers(root):
    there = {p.stem for p in (root / "sdk" / "postern").glob("*.h")}
    assert there == set(ORDER), "a header is not in tests/sdk/abi.py"


def layout(root, place, cc):
    """Lines "struct NAME SIZE", "  MEMBER OFFSET SIZE", "enum …"."""
    headers(root)
    code = ["#include <stdio.h>"]
    code += ["#include <postern/%s.h>" % name for name in ORDER]
    code += ["int main(void)", "{"]
    for kind, what, members in declared(root):
        code.append('\tprintf("%s %s %%zu\\n", sizeof(%s %s));'
                    % (kind, what, kind, what))
        for m in members:
            if kind == "enum":
                code.append('\tprintf("  %s %%d\\n", %s);' % (m, m))
            else:
                code.append(
                    '\tprintf("  %s %%zu %%zu\\n", offsetof(struct %s, %s), '
                    'sizeof(((struct %s *)0)->%s));' % (m, what, m, what, m))
    code.append("}\n")
    (place / "abi.c").write_text("\n".join(code))
    subprocess.run([*cc, "-std=c11", "-I", str(root / "sdk"), "-o", "abi",
                    "abi.c"], cwd=place, check=True)
    return subprocess.run([str(place / "abi")], capture_output=True,
                          text=True, check=True).stdout
