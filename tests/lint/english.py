#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that documents, and what programs say, are plain English: none of the phrases below.

usage: english.py [CHECKOUT]
"""
import re

import checkout

PHRASES = re.compile(r"(?<!\bthere )\bis no\b"
                     r"(?! (?:better|larger|less|longer|more|other|smaller|worse)\b)"
                     r"|\bof which\b|\bso many\b|\bnobody\b", re.IGNORECASE)
# Comments of C++, which nobody but us reads, and literals.
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|\'(?:\\.|[^\'\\\n])+\'|R"\((.*?)\)"|"((?:\\.|[^"\\\n])*)"',
                   re.DOTALL)
FENCE = re.compile(r"^ *(```|~~~).*?^ *\1 *$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"^\s*#.*", re.MULTILINE)


def literals(text):
    """(offset, text) of each literal of C++; those that stand one after the other are one."""
    joined = None
    end = 0
    for match in TOKEN.finditer(text):
        literal = match.group(1) or match.group(2)
        if literal is None:
            continue
        if joined and not text[end:match.start()].strip():
            joined = (joined[0], joined[1] + literal)
        else:
            if joined:
                yield joined
            joined = (match.start(), literal)
        end = match.end()
    if joined:
        yield joined


def shown(file, text):
    """(offset, text) of what a user may read of a file."""
    if file.suffix in checkout.SOURCES:
        yield from literals(text)
    elif file.suffix == ".md":
        yield 0, FENCE.sub(lambda match: "\n" * match.group().count("\n"), text)
    else:
        yield 0, COMMENT.sub("", text)


def check(root):
    findings = []
    counts = {}
    wanted = checkout.files(root, ".md", ".model", ".pipeline", "meson_options.txt")
    wanted += [file for file in checkout.files(root, *checkout.SOURCES, ".html", ".in")
               if file.parts[0] in ("gst", "lib", "plugins")]
    for file in wanted:
        text = (root / file).read_text()
        for offset, piece in shown(file, text):
            for match in PHRASES.finditer(" ".join(piece.split("\n"))):
                line = text.count("\n", 0, offset) + piece.count("\n", 0, match.start()) + 1
                findings.append((file.as_posix(), f"{file}:{line}: '{match.group()}'"))
                counts[file.as_posix()] = counts.get(file.as_posix(), 0) + 1
    known = checkout.Known(root, "english")
    wrong = list(known.compare(counts))
    shown_in = {line.partition(":")[0] for line in wrong}
    return ([line for file, line in findings if file in shown_in] + wrong,
            f"{len(wanted)} files are plain English but for {sum(known.allowed.values())} phrases")


if __name__ == "__main__":
    checkout.run(check)
