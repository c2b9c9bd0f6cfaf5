# SPDX-License-Identifier: LGPL-2.1-or-later
"""What spelling.py says of checkouts that are made here."""
import shutil
import unittest

from made_checkout import CheckTest

# Not in one piece: this file is looked at, too.
WRONG = "".join(("t", "eh"))


class Spelling(CheckTest):
    program = "spelling.py"

    @unittest.skipUnless(shutil.which("codespell"), "codespell is not installed")
    def test_a_wrong_word_is_named(self):
        self.passes({"docs/a.md": "the words of a file, and of mot\n",
                     "lib/a.h": "// upTo, kOwn\n"})
        code, text = self.run_on({"lib/a.cpp": f'\n"not {WRONG} word"\n'})
        self.assertEqual(code, 1, text)
        self.assertIn(f"lib/a.cpp:2: {WRONG} ==> ", text)

    def test_without_codespell_it_says_so(self):
        self.assertEqual(self.run_on({"docs/a.md": WRONG}, PATH=""),
                         (77, "codespell is not installed\n"))


if __name__ == "__main__":
    unittest.main()
