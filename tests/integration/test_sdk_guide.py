"""The guide for plugin authors, followed to the letter in an empty folder
against an installed copy, with both compilers and many warnings."""

import os
import re
import shutil
import subprocess

import pytest

from lib import base

GUIDE = os.path.join(base.REPO, "docs", "plugin-guide.md")
FLAGS = ("-std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow "
         "-Wstrict-prototypes -Werror")


@pytest.fixture(scope="module")
def installed():
    place = base.private_dir("sdk")
    done = subprocess.run(
        ["make", "-C", os.path.dirname(base.POSTERN_BIN), "install",
         "DESTDIR=" + place], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    yield place
    base.remove_dir(place)


def find(top, name):
    for folder, _, files in os.walk(top):
        if name in files:
            return folder
    raise AssertionError("no %s was installed" % name)


@pytest.fixture(params=["gcc", "clang"])
def author(request, installed):
    """run(command): as somebody does who has cc and pkg-config."""
    compiler = shutil.which(request.param)
    assert compiler, "there is no " + request.param
    home = base.private_dir("author")
    tools = os.path.join(home, "bin")
    os.mkdir(tools)
    with open(os.path.join(tools, "cc"), "w", encoding="ascii") as f:
        f.write('#!/bin/sh\nexec %s %s "$@"\n' % (compiler, FLAGS))
    os.chmod(os.path.join(tools, "cc"), 0o755)
    work = os.path.join(home, "work")
    os.mkdir(work)
    env = dict(os.environ, PKG_CONFIG_SYSROOT_DIR=installed,
               PKG_CONFIG_PATH=find(installed, "postern.pc"), LC_ALL="C",
               POSTERN_TEMPLATE=find(installed, "NAME.stub"),
               PATH=":".join([tools, find(installed, "posternstub"),
                              os.environ["PATH"]]))
    for name in ("MAKEFLAGS", "MAKELEVEL", "CC", "CFLAGS"):
        env.pop(name, None)

    def run(command):
        done = subprocess.run(
            ["sh", "-c", "umask 022; " + command], cwd=work, env=env,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False, timeout=5 * base.PATIENCE)
        return done.stdout
    run.work, run.env = work, env
    yield run
    base.remove_dir(home)


def blocks():
    with open(GUIDE, encoding="utf-8") as f:
        return re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```", f.read(),
                          re.S | re.M)


def commands(text):
    """(command, what it printed) of a block."""
    parts = re.split(r"^\$ ", text, flags=re.M)
    assert parts[0] == ""
    return [part.split("\n", 1) for part in parts[1:]]


def test_every_file_and_command_of_the_guide_works_as_printed(author):
    ran = 0
    for kind, name, text in blocks():
        if name:
            with open(os.path.join(author.work, name), "w",
                      encoding="utf-8") as f:
                f.write(text)
        if kind != "console":
            continue
        for command, printed in commands(text):
            if base.SANITIZER and "LD_PRELOAD" in command:
                continue
            assert author(command) == printed, command
            ran += 1
    assert ran >= 20


def test_the_readme_and_the_guide_begin_with_the_same_plugin():
    with open(os.path.join(base.REPO, "README.md"), encoding="utf-8") as f:
        assert blocks()[0][2] in f.read()


def test_the_template_builds_passes_its_test_and_is_installed(
        author, installed):
    template = find(installed, "NAME.stub")
    for name in os.listdir(template):
        with open(os.path.join(template, name), encoding="utf-8") as f:
            text = f.read().replace("NAME", "mine")
        with open(os.path.join(author.work, name.replace("NAME", "mine")),
                  "w", encoding="utf-8") as f:
            f.write(text)
    said = author("make check; echo status $?")
    assert said.endswith("1..8\nstatus 0\n"), said
    assert "# chaos: 1 runs: 0 waits, 0 requests, 1 allocations" in said
    assert "not ok" not in said
    if not base.SANITIZER:
        said = author("make asan; echo status $?")
        assert said.endswith("status 0\n") and "not ok" not in said, said
    said = author("make install DESTDIR=dest; echo status $?")
    assert said.endswith("status 0\n"), said
    assert find(os.path.join(author.work, "dest"), "mine.so")
