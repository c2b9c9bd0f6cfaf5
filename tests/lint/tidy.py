#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks the sources of lib, gst and plugins with clang-tidy, by the checks in .clang-tidy. That takes
a minute for every ten of them and core.

usage: tidy.py BUILD-FOLDER [--since COMMIT]

  --since COMMIT   only those that differ from COMMIT, or include a header that does
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess

import checkout

INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)


def compiled(build, root):
    """The sources of ours that the build folder compiles, as paths from `root` on."""
    found = set()
    for command in json.loads((build / "compile_commands.json").read_text()):
        file = (build / command["directory"] / command["file"]).resolve()
        if file.is_relative_to(root) and not file.is_relative_to(build):
            found.add(file.relative_to(root))
    return sorted(file for file in found if file.parts[0] in ("gst", "lib", "plugins"))


def changed(sources, root, commit):
    """Those of `sources` that have changed since then, or whose headers have."""
    names = subprocess.check_output(["git", "diff", "--name-only", "--relative", commit], cwd=root,
                                    text=True).splitlines()
    for file in sources:
        headers = INCLUDE.findall((root / file).read_text())
        if (file.as_posix() in names or
                any(start + header in names for header in headers for start in ("", "lib/"))):
            yield file


def findings_in(program, build, root, file):
    """None where this version of clang does not compile the source: of C++20, clang 14 does not know
    all. The compiler judges that."""
    ours = rf"^({build}/)?\.\./(gst|lib|plugins)/|^{root}/(gst|lib|plugins)/"
    ran = subprocess.run(["nice", program, "--quiet", "-p", build, "--warnings-as-errors=*",
                          f"--header-filter={ours}", root / file],
                         capture_output=True, text=True, check=False)
    found = re.findall(r"^(\S+?):(\d+):\d+: (?:warning|error): (.*)$", ran.stdout, re.MULTILINE)
    if "[clang-diagnostic-error" in ran.stdout:
        return None
    lines = [f"{os.path.relpath(os.path.join(build, name), root)}:{line}: {text}"
             for name, line, text in found]
    return lines or ([f"{file}: {ran.stderr.strip()}"] if ran.returncode else [])


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--since")
    options = parser.parse_args()
    build = options.build.resolve()
    root = pathlib.Path(__file__).resolve().parents[2]
    program = shutil.which("clang-tidy")
    if not program:
        checkout.skip("clang-tidy is not installed")
    sources = compiled(build, root)
    if options.since:
        sources = list(changed(sources, root, options.since))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        lists = list(pool.map(lambda file: findings_in(program, build, root, file), sources))
    findings = {line for lines in lists for line in lines or ()}  # of a header, once
    unread = [file.as_posix() for file, lines in zip(sources, lists) if lines is None]
    checkout.done(sorted(findings), f"{len(sources) - len(unread)} sources are tidy" +
                  (f"; not what this clang does not compile: {' '.join(unread)}" if unread else ""))


if __name__ == "__main__":
    main()
