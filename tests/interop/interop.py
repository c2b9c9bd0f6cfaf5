#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the tests of this folder. tests/interop/run starts it, in `meson devenv`.

usage: interop.py FOLDER-OF-VENVS [unittest ARGUMENT ...]
"""

import os
import sys
import unittest


class Result(unittest.TextTestResult):
    """Counts what passed: a class that can't be set up is an error without a test."""

    passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1


def main() -> int:
    os.environ["ELF_INTEROP_VENVS"] = sys.argv[1]
    here = os.path.dirname(os.path.abspath(__file__))
    result = unittest.main(
        module=None,
        argv=[sys.argv[0], "discover", "-v", "-s", here, "-p", "*_test.py", *sys.argv[2:]],
        testRunner=unittest.TextTestRunner(resultclass=Result),
        exit=False,
    ).result
    for test, reason in result.skipped:
        print(f"skipped {test.id()}: {reason}")
    failed = len(result.failures) + len(result.errors)
    print(f"{result.passed} passed, {failed} failed, {len(result.skipped)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
