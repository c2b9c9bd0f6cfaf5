#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts the cases of a JUnit file as Meson writes it: tells each skip and its reason, and ends
with `N passed, N failed, N skipped`. Exits with 1 where a case failed or none passed."""

import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

# Meson keeps what a test prints as it is; XML has no place for these, escaped or not.
FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def parsed(file: str) -> ElementTree.Element:
    text = pathlib.Path(file).read_text(encoding="utf-8", errors="replace")
    return ElementTree.fromstring(FORBIDDEN.sub("", text))


def main() -> int:
    passed, failed, skipped = 0, [], []
    # Meson writes none where no test has the name that was asked for.
    cases = parsed(sys.argv[1]).iter("testcase") if pathlib.Path(sys.argv[1]).exists() else ()
    for case in cases:
        name = ".".join(filter(None, (case.get("classname"), case.get("name"))))
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(name)
        elif skip is not None:
            reason = (skip.get("message") or skip.text or case.findtext("system-out")
                      or "no reason given").strip()
            skipped.append(f"{name}: {reason}")
        else:
            passed += 1
    for line in skipped:
        print("skipped", " ".join(line.split()))
    for name in failed:
        print("FAILED", name)
    skips = f", {len(skipped)} skipped" if skipped else ""
    print(f"{passed} passed, {len(failed)} failed{skips}")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
