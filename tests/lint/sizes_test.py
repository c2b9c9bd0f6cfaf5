# SPDX-License-Identifier: LGPL-2.1-or-later
"""What sizes.py says of checkouts that are made here."""
import unittest

from made_checkout import CheckTest

KNOWN = "tests/lint/known.txt"


class Sizes(CheckTest):
    program = "sizes.py"

    def test_what_is_short_passes(self):
        self.passes({"lib/a.cpp": "\n" * 600, "tests/b.cpp": "\n" * 700})

    def test_a_long_file_is_named(self):
        self.fails({"lib/a.cpp": "\n" * 601}, "lib/a.cpp: 601, more than 600")

    def test_a_known_one_may_not_grow(self):
        self.passes({"lib/a.cpp": "\n" * 650, KNOWN: "# of old\nsizes lib/a.cpp 660\n"})
        self.fails({"lib/a.cpp": "\n" * 661, KNOWN: "sizes lib/a.cpp 660\n"},
                   "lib/a.cpp: 661, more than 660")

    def test_a_known_one_that_is_short_or_gone_is_forgotten(self):
        self.fails({"lib/a.cpp": "\n" * 600, KNOWN: "sizes lib/a.cpp 660\nsizes lib/b.cpp 700\n"},
                   f"{KNOWN}: sizes lib/a.cpp: not needed any more (remove the line)",
                   f"{KNOWN}: sizes lib/b.cpp: not needed any more (remove the line)")


if __name__ == "__main__":
    unittest.main()
