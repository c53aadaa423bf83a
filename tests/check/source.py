"""What the checks of C sources share: finding files and reading them."""

import os
import re
import sys
from pathlib import Path

root = Path(os.environ.get("top_srcdir", "."))
LAYERS = ("base mail net tls smtp store queue relay policy host trial admin "
          "daemon cli").split()
faults = []


def files(*dirs, suffixes=(".c", ".h")):
    """The files below these folders, as paths relative to the root."""
    for top in dirs:
        for path in sorted((root / top).rglob("*")):
            if path.suffix in suffixes and path.is_file():
                yield path.relative_to(root)


def text(path):
    return (root / path).read_bytes().decode("utf-8", "replace")


def code(path):
    """The text with comments and the insides of strings made blank."""
    pattern = r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''

    def blank(m):
        s = m.group(0)
        if s.startswith("/*"):
            return re.sub(r"[^\n]", " ", s)
        return s[0] + " " * (len(s) - 2) + s[-1]

    return re.sub(pattern, blank, text(path), flags=re.S)


def includes(path):
    """(line, name, "<" or '"') of each #include."""
    for n, line in enumerate(text(path).split("\n"), 1):
        m = re.match(r'#\s*include\s*([<"])([^">]+)[>"]', line)
        if m:
            yield n, m.group(2), m.group(1)


def fault(path, line, what):
    faults.append(f"{path}:{line}: {what}")


def finish():
    for f in faults:
        print(f)
    sys.exit(1 if faults else 0)
