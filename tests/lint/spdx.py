#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that source, build and script files say their licence in one of their first lines.

usage: spdx.py [CHECKOUT]
"""
import checkout

SUFFIXES = checkout.SOURCES + (".build", ".html", ".in", ".pipeline", ".proto", ".py", ".sh",
                               ".supp", ".xml", "meson_options.txt")
LINE = "SPDX-License-Identifier: LGPL-2.1-or-later"


def check(root):
    findings = []
    count = 0
    for file in checkout.files(root):
        with open(root / file, "rb") as stream:
            start = stream.read(512)
        if not (file.name.endswith(SUFFIXES) or start.startswith(b"#!")):
            continue
        count += 1
        if not any(line.strip("#/*<!-> ").startswith(LINE)
                   for line in start.decode(errors="replace").splitlines()[:3]):
            findings.append(f"{file}: not '{LINE}' in its first lines")
    return findings, f"{count} files say their licence"


if __name__ == "__main__":
    checkout.run(check)
