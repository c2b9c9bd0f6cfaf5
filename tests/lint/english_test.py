# SPDX-License-Identifier: LGPL-2.1-or-later
"""What english.py says of checkouts that are made here."""
import unittest

from made_checkout import CheckTest


class English(CheckTest):
    program = "english.py"

    def test_plain_sentences_pass(self):
        self.passes({
            "docs/a.md": "There is no file. It is no longer there.\n```\nthis is no prose\n```\n",
            "lib/a.cpp": "// nobody\nchar a[] = \"not a number\";  /* so many */\n",
            "tests/b.cpp": "char b[] = \"nobody\";\n", "pipelines/a.pipeline": "# of which\n"})

    def test_others_are_named(self):
        self.fails({"docs/a.md": "It\nis no number, of\nwhich so many are.\n",
                    "lib/a.cpp": "\nauto a = \"it is \"\n    \"no number\";\n"
                                 "auto b = R\"(x\nNobody)\";\n"},
                   "docs/a.md:2: 'is no'", "docs/a.md:2: 'of which'", "docs/a.md:3: 'so many'",
                   "docs/a.md: 3, more than 0", "lib/a.cpp:2: 'is no'", "lib/a.cpp:5: 'Nobody'",
                   "lib/a.cpp: 2, more than 0")

    def test_known_ones_may_not_become_more(self):
        known = {"tests/lint/known.txt": "english lib/a.cpp 1\n"}
        self.passes({"lib/a.cpp": '"nobody"', **known})
        self.fails({"lib/a.cpp": '"nobody", "nobody"', **known}, "lib/a.cpp:1: 'nobody'",
                   "lib/a.cpp:1: 'nobody'", "lib/a.cpp: 2, more than 1")


if __name__ == "__main__":
    unittest.main()
