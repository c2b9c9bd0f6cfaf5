# SPDX-License-Identifier: LGPL-2.1-or-later
"""What format.py says of checkouts that are made here."""
import unittest

from made_checkout import CheckTest

STYLE = {".clang-format": "BasedOnStyle: Google\n"}


class Format(CheckTest):
    program = "format.py"

    def test_a_badly_formatted_file_is_named(self):
        code, text = self.run_on({"lib/a.cpp": "int a;\n", **STYLE})
        if code == 77:
            self.skipTest(text)
        self.assertEqual(code, 0, text)
        self.fails({"lib/a.cpp": "int a;\n\n  int b;\nint  c;\n", "lib/b.c": "int  d;\n", **STYLE},
                   "lib/a.cpp:1: clang-format would change it",
                   "lib/b.c:1: clang-format would change it")

    def test_without_clang_format_it_says_so(self):
        self.assertEqual(self.run_on({"lib/a.cpp": "int  a;\n"}, PATH=""),
                         (77, "clang-format 14 is not installed\n"))


if __name__ == "__main__":
    unittest.main()
