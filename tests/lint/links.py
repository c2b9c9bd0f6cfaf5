#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that what documents point at is there: relative links of *.md with their anchors, files
that they name in code marks, and the documents that sources name.

usage: links.py [CHECKOUT]
"""
import functools
import re

import checkout

FENCE = re.compile(r"^ *(```|~~~).*?^ *\1 *$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?([^)\s>]+)>?(?: +\"[^\"]*\")?\)"
                  r"|^\[[^\]]+\]: +(\S+)|(?:src|href)=\"([^\"]+)\"", re.MULTILINE)
CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)
HEADING = re.compile(r"^#+ +(.+?)(?: +#+)? *$", re.MULTILINE)
# What looks like the path of a file of ours, or the name of a source; a reader's begins with `./`.
PATH = re.compile(r"(?!\./)(?:[\w.-]+/)+[\w.-]+\.(?:h|cpp|c|py|md|txt|pipeline|build|supp|proto)"
                  r"|\w+\.(?:h|cpp|md)")
DOCUMENT = re.compile(r"\bdocs/[\w./-]+\.(?:md|txt|svg)\b")
# What stands for a reader's file, or is made.
READERS = re.compile(r"^(?:build|_)[\w-]*/|^path/of/"
                     r"|(?!README|CHANGELOG|CONTRIBUTING|SECURITY)\b\w*[A-Z]{3}")


def blank(match):
    """Nothing, on as many lines."""
    return "\n" * match.group().count("\n")


def slug(heading):
    """The anchor that code forges make of a heading."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


@functools.lru_cache(None)
def anchors(path):
    text = FENCE.sub(blank, path.read_text())
    found = {}
    for heading in HEADING.findall(text):
        name = slug(heading)
        found[name] = found.get(name, -1) + 1
    named = re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text)
    return set(named) | {f"{name}-{i}" if i else name
                         for name, last in found.items() for i in range(last + 1)}


def lines_of(matches, text):
    for match in matches:
        yield text.count("\n", 0, match.start()) + 1, match


def wrong_link(root, file, target):
    """What is wrong with a link; None if nothing is."""
    if re.match(r"[a-z+]+:", target):
        return None
    name, _, anchor = target.partition("#")
    path = root / file.parent / name if name else root / file
    if not path.resolve().is_relative_to(root.resolve()) or not path.exists():
        return "no such file"
    if anchor and path.suffix == ".md" and anchor not in anchors(path):
        return "no such heading"
    return None


def check(root):
    findings = []
    everything = checkout.files(root)
    names = {file.name for file in everything}
    count = 0
    for file in everything:
        if file.suffix == ".md":
            text = FENCE.sub(blank, (root / file).read_text())
            prose = CODE.sub(blank, text)
            for line, match in lines_of(LINK.finditer(prose), prose):
                target = next(filter(None, match.groups()))
                count += 1
                wrong = wrong_link(root, file, target)
                if wrong:
                    findings.append(f"{file}:{line}: {target}: {wrong}")
            for line, match in lines_of(CODE.finditer(text), text):
                mark = match.group(2)
                if not PATH.fullmatch(mark) or READERS.search(mark):
                    continue
                count += 1
                if not ("/" not in mark and mark in names or
                        any((root / start / mark).exists() for start in ("", "lib", file.parent))):
                    findings.append(f"{file}:{line}: {mark}: no such file")
        elif (file.suffix in checkout.SOURCES + (".build", ".in", ".py", ".pipeline") and
              file.parts[:2] != ("tests", "lint")):
            text = (root / file).read_text()
            for line, match in lines_of(DOCUMENT.finditer(text), text):
                count += 1
                if not (root / match.group()).exists():
                    findings.append(f"{file}:{line}: {match.group()}: no such file")
    return findings, f"{count} links and names of files lead somewhere"


if __name__ == "__main__":
    checkout.run(check)
