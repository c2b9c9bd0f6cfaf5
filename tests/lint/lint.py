#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes the checks named, or all that are quick, and reports in TAP, the Test Anything Protocol.

usage: lint.py [CHECK ...]
"""
import concurrent.futures
import pathlib
import subprocess
import sys

import checkout

FOLDER = pathlib.Path(__file__).resolve().parent
CHECKS = ("arrows", "english", "links", "members", "sizes", "spdx", "spelling")


def made(check):
    """The line of TAP for one check, with its findings as comments."""
    ran = subprocess.run([sys.executable, FOLDER / f"{check}.py"], capture_output=True, text=True,
                         check=False)
    said = (ran.stdout + ran.stderr).strip().replace("#", "")
    if ran.returncode == checkout.SKIPPED:
        return f"ok {check} # SKIP {said}"
    if ran.returncode == 0:
        return f"ok {check}: {said}"
    return "\n".join([f"not ok {check}"] + [f"# {line}" for line in said.splitlines()])


def main():
    checks = sys.argv[1:] or CHECKS
    print(f"1..{len(checks)}")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        lines = list(pool.map(made, checks))
    print("\n".join(lines))
    return any(line.startswith("not ok") for line in lines)


if __name__ == "__main__":
    sys.exit(main())
