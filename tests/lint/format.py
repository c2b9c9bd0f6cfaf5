#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that sources are as clang-format 14, that of Debian 12, leaves them. Changes none.

usage: format.py [CHECKOUT]
"""
import re
import shutil
import subprocess

import checkout

# Others break lines elsewhere.
VERSION = 14


def clang_format():
    for name in (f"clang-format-{VERSION}", "clang-format"):
        program = shutil.which(name)
        if program:
            said = subprocess.check_output([program, "--version"], text=True)
            if re.search(rf"version {VERSION}\.", said):
                return program
    return checkout.skip(f"clang-format {VERSION} is not installed")


def check(root):
    program = clang_format()
    names = [file.as_posix() for file in checkout.files(root, *checkout.SOURCES)]
    if not names:
        return [f"{root}: holds no sources"], ""
    ran = subprocess.run([program, "--dry-run", *names], cwd=root, capture_output=True, text=True,
                         check=False)
    places = {}
    for file, line in re.findall(r"^([^:\n]+):(\d+):\d+: warning:", ran.stderr, re.MULTILINE):
        places.setdefault(file, line)
    findings = [f"{file}:{line}: clang-format would change it"
                for file, line in sorted(places.items())]
    if ran.returncode and not findings:
        findings = [f"clang-format: {ran.stderr.strip()}"]
    return findings, f"{len(names)} files are formatted"


if __name__ == "__main__":
    checkout.run(check)
