# SPDX-License-Identifier: LGPL-2.1-or-later
"""What spdx.py says of checkouts that are made here."""
import unittest

from made_checkout import CheckTest

SPDX = "SPDX-License-Identifier: LGPL-2.1-or-later\n"


class Spdx(CheckTest):
    program = "spdx.py"

    def test_files_that_say_it_pass(self):
        self.passes({"lib/a.h": f"// {SPDX}", "lib/b.c": f"/* {SPDX} */",
                     "run": f"#!/bin/sh\n# {SPDX}",
                     "lib/page.html": f"<!DOCTYPE html>\n<!-- {SPDX} -->", "docs/a.md": "no source",
                     "build/x.h": "not of ours"})

    def test_files_that_do_not_are_named(self):
        wrong = "not 'SPDX-License-Identifier: LGPL-2.1-or-later' in its first lines"
        self.fails({"lib/a.h": "#pragma once\n", "run": "#!/bin/sh\n", "meson.build": f"# {SPDX}",
                    "lib/b.cpp": "// SPDX-License-Identifier: MIT\n",
                    "lib/c.cpp": "\n\n\n// " + SPDX},
                   *(f"{file}: {wrong}" for file in ("lib/a.h", "lib/b.cpp", "lib/c.cpp", "run")))


if __name__ == "__main__":
    unittest.main()
