# SPDX-License-Identifier: LGPL-2.1-or-later
"""What links.py says of checkouts that are made here."""
import unittest

from made_checkout import CheckTest


class Links(CheckTest):
    program = "links.py"

    def test_what_is_there_passes(self):
        self.passes({
            "README.md": "[a](docs/a.md), [b](docs/a.md#two-words-here), [c](#top)\n# Top\n"
                         "![d](docs/d.svg) [e](https://example.org/x.md)\n"
                         "[![f](docs/d.svg)](docs/)\n",
            "docs/a.md": "## Two words: `here`\n[up](../README.md)\n"
                         "`elf/x.h` `x.h` `docs/a.md` `a.md`\n"
                         "```sh\n[no](link.md)\n# no heading\n```\n`[no](link.md)` `./mine.py`\n"
                         "## Same\n## Same\n[second](#same-1) `build/x.txt` `NAME.txt`\n",
            "docs/d.svg": "", "lib/elf/x.h": "// see docs/a.md\n"})

    def test_what_is_not_there_is_named(self):
        self.fails({"docs/a.md": "[a](b.md)\n[b](#none) [c](../../outside)\n\n```\n# None\n```\n"
                                 "`elf/y.h` and\n`z.cpp`\n[d\ne](c.md)\n",
                    "lib/elf/x.h": "//\n// docs/none.md\n"},
                   "docs/a.md:1: b.md: no such file", "docs/a.md:2: #none: no such heading",
                   "docs/a.md:2: ../../outside: no such file", "docs/a.md:7: elf/y.h: no such file",
                   "docs/a.md:8: z.cpp: no such file", "docs/a.md:9: c.md: no such file",
                   "lib/elf/x.h:2: docs/none.md: no such file")


if __name__ == "__main__":
    unittest.main()
