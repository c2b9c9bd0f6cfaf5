# SPDX-License-Identifier: LGPL-2.1-or-later
"""What arrows.py says of checkouts that are made here."""
import unittest

from made_checkout import CheckTest


class Arrows(CheckTest):
    program = "arrows.py"

    def run_on(self, files, **environment):
        """`files` says what each includes."""
        return super().run_on({name: "".join(f'#include "{each}"\n' for each in includes)
                               for name, includes in files.items()}, **environment)

    def test_arrows_that_go_down_are_fine(self):
        code, text = self.run_on({
            "lib/elf/base/a.h": [],
            "lib/elf/types/b.h": ["elf/base/a.h"],
            "lib/elf/merge/c.cpp": ["elf/types/b.h", "elf/base/a.h"],
            "gst/elfvision/d.h": ["elf/types/b.h"],
            "gst/bench/e.cpp": ["gst/elfvision/d.h", "research/data/f.h"],
            "lib/research/data/f.h": ["elf/types/b.h"],
            "plugins/elfmerge/g.cpp": ["gst/elfvision/d.h"]})
        self.assertEqual((code, text), (0, "8 arrows between folders go down\n"))

    def test_an_arrow_up_is_not(self):
        for files in ({"lib/elf/a/x.cpp": ["gst/elfvision/y.h"], "gst/elfvision/y.h": []},
                      {"gst/elfvision/x.cpp": ["plugins/p/y.h"], "plugins/p/y.h": []},
                      {"lib/elf/server/x.cpp": ["research/eval/y.h"], "lib/research/eval/y.h": []},
                      {"plugins/p/x.cpp": ["gst/bench/y.h"], "gst/bench/y.h": []}):
            code, text = self.run_on(files)
            self.assertEqual(code, 1, files)
            source = next(iter(files))
            self.assertIn(f"{source}: includes", text)
            self.assertIn("y.h, which lies above it", text)

    def test_plain_data_stays_plain(self):
        code, text = self.run_on({"lib/elf/types/x.h": ["elf/model/y.h"], "lib/elf/model/y.h": []})
        self.assertEqual(code, 1)
        self.assertIn("lib/elf/types/x.h: includes lib/elf/model/y.h (plain data", text)

    def test_a_circle_is_told_with_its_way(self):
        code, text = self.run_on({"lib/elf/a/x.h": ["elf/b/y.h"], "lib/elf/b/y.h": ["elf/c/z.h"],
                                  "lib/elf/c/z.h": ["elf/a/w.h"], "lib/elf/a/w.h": []})
        self.assertEqual(code, 1)
        self.assertIn("lib/elf/a: uses itself: lib/elf/a -> lib/elf/b -> lib/elf/c -> lib/elf/a",
                      text)

    def test_an_empty_checkout_is_a_mistake(self):
        self.assertEqual(self.run_on({})[0], 1)


if __name__ == "__main__":
    unittest.main()
