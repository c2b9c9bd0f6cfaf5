#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks the spelling of documents, comments and what programs say, with codespell.

usage: spelling.py [CHECKOUT]

spelling.txt holds words that codespell takes for others.
"""
import pathlib
import shutil
import subprocess

import checkout

SUFFIXES = checkout.SOURCES + (".build", ".html", ".in", ".md", ".model", ".pipeline", ".proto",
                               ".py", ".sh", ".txt", ".xml", "demo")
# identifiersOfThisKind are no words.
IDENTIFIER = r"\b\w*[a-z][A-Z]\w*\b"


def check(root):
    codespell = shutil.which("codespell")
    if not codespell:
        checkout.skip("codespell is not installed")
    # Tests misspell on purpose.
    names = [file.as_posix() for file in checkout.files(root, *SUFFIXES)
             if file.parts[0] != "tests" or file.suffix == ".md"]
    ran = subprocess.run(
        [codespell, "--disable-colors", "--ignore-regex", IDENTIFIER,
         "--ignore-words", pathlib.Path(__file__).with_name("spelling.txt"), "--", *names],
        cwd=root, capture_output=True, text=True, check=False)
    findings = ran.stdout.splitlines()
    if ran.returncode and not findings:
        findings = [f"codespell: {ran.stderr.strip()}"]
    return findings, f"{len(names)} files are spelled well"


if __name__ == "__main__":
    checkout.run(check)
