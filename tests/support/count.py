#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts the cases of a JUnit file as Meson writes it: tells each skip and its reason, and ends
with `N passed, N failed, N skipped`. Exits with 1 where a case failed or none passed."""

import sys
import xml.etree.ElementTree as ElementTree


def main() -> int:
    passed, failed, skipped = 0, [], []
    for case in ElementTree.parse(sys.argv[1]).iter("testcase"):
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
