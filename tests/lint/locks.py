#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks with clang's -Wthread-safety that what a lock guards is touched with it held alone, as the
annotations of elf/base/mutex.h say. Takes a few minutes.

usage: locks.py BUILD-FOLDER

Before version 16 clang does not compile libstdc++'s ranges.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess

import checkout

OLDEST, NEWEST = 16, 25
# What a thread's lock may be about is in sources that name one, or whose headers do.
LOCKS = re.compile(r"\b(MutexLock|DeferringMutex|ELF_REQUIRES|ELF_GUARDED_BY)\b|_?[mM]utex_")


def clang():
    """The newest clang++ that is here; None where there is none that will do."""
    names = [f"clang++-{version}" for version in range(NEWEST, OLDEST - 1, -1)] + ["clang++"]
    for name in names:
        program = shutil.which(name)
        if program:
            version = re.search(r"clang version (\d+)",
                                subprocess.check_output([program, "--version"], text=True))
            if version and int(version[1]) >= OLDEST:
                return program
    return None


def commands(build, root):
    """(source, folder, arguments) for what has to do with locks."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        folder = build / entry["directory"]
        source = (folder / entry["file"]).resolve()
        if not source.is_relative_to(root) or source.is_relative_to(build):
            continue
        name = source.relative_to(root)
        header = source.with_suffix(".h")
        texts = [file.read_text() for file in (source, header) if file.is_file()]
        if name.parts[0] in ("gst", "lib", "plugins") and any(map(LOCKS.search, texts)):
            yield name, folder, shlex.split(entry["command"])


def arguments(program, words):
    """Of a command for another compiler: the same for clang, which writes nothing."""
    start = next(i for i, word in enumerate(words) if word.startswith("-"))
    kept, words = [], iter(words[start:])
    for word in words:
        if word in ("-o", "-MF", "-MQ", "-MT"):
            next(words)
        elif not word.startswith(("-W", "-f", "-M")) and word != "-c":
            kept.append(word)
    return [program, *kept, "-fsyntax-only", "-Wthread-safety", "-Wthread-safety-beta"]


def findings_in(program, command, root):
    source, folder, words = command
    ran = subprocess.run(["nice", *arguments(program, words)], cwd=folder, capture_output=True,
                         text=True, check=False)
    found = re.findall(r"^(\S+?):(\d+):\d+: (?:warning|error|fatal error): (.*)$", ran.stderr,
                       re.MULTILINE)
    return [f"{os.path.relpath(folder / name, root)}:{line}: {text}" for name, line, text in found]


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("build", type=pathlib.Path)
    build = parser.parse_args().build.resolve()
    root = pathlib.Path(__file__).resolve().parents[2]
    program = clang()
    if not program:
        checkout.skip(f"clang++ {OLDEST} or later is not installed")
    todo = list({name: (name, folder, words) for name, folder, words in commands(build, root)}.values())
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        lists = list(pool.map(lambda command: findings_in(program, command, root), todo))
    findings = {line for lines in lists for line in lines}
    checkout.done(sorted(findings), f"{len(todo)} sources hold the locks that they need")


if __name__ == "__main__":
    main()
