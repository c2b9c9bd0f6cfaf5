# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tidy.py says of build folders that are made here."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import tidy
from made_checkout import FOLDER

STYLE = "Checks: '-*,bugprone-integer-division'\n"
WRONG = '#include "elf/half.h"\ndouble other(int a) { return a / 3; }\n'


class Tidy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()
        (self.root / "lib/elf").mkdir(parents=True)
        (self.root / "build").mkdir()
        (self.root / ".clang-tidy").write_text(STYLE)
        (self.root / "lib/elf/half.h").write_text("inline double half(int a) { return a / 2; }\n")
        (self.root / "lib/elf/wrong.cpp").write_text(WRONG)
        (self.root / "lib/elf/right.cpp").write_text("int a = 2;\n")
        (self.root / "build/made.cpp").write_text("double made(int a) { return a / 2; }\n")
        (self.root / "build/compile_commands.json").write_text(json.dumps([
            {"directory": str(self.root / "build"), "file": name, "command": f"c++ -I../lib -c {name}"}
            for name in ("../lib/elf/wrong.cpp", "../lib/elf/right.cpp", "made.cpp")]))

    def test_sources_of_ours_are_looked_at(self):
        self.assertEqual(tidy.compiled(self.root / "build", self.root),
                         [pathlib.Path("lib/elf/right.cpp"), pathlib.Path("lib/elf/wrong.cpp")])

    def test_what_has_changed_is_found(self):
        git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
        for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "a"]):
            subprocess.run(git + words, cwd=self.root, check=True)
        sources = tidy.compiled(self.root / "build", self.root)
        self.assertEqual(list(tidy.changed(sources, self.root, "HEAD")), [])
        (self.root / "lib/elf/half.h").write_text("\n")
        self.assertEqual(list(tidy.changed(sources, self.root, "HEAD")), [sources[1]])

    @unittest.skipUnless(shutil.which("clang-tidy"), "clang-tidy is not installed")
    def test_findings_are_named_in_headers_too(self):
        program = shutil.which("clang-tidy")
        build = self.root / "build"
        self.assertEqual(tidy.findings_in(program, build, self.root, "lib/elf/right.cpp"), [])
        lines = tidy.findings_in(program, build, self.root, "lib/elf/wrong.cpp")
        self.assertEqual([line.partition(": ")[0] for line in sorted(lines)],
                         ["lib/elf/half.h:1", "lib/elf/wrong.cpp:2"], lines)

    def test_without_clang_tidy_it_says_so(self):
        ran = subprocess.run([sys.executable, FOLDER / "tidy.py", self.root / "build"], text=True,
                             capture_output=True, check=False, env={**os.environ, "PATH": ""})
        self.assertEqual((ran.returncode, ran.stdout), (77, "clang-tidy is not installed\n"))


if __name__ == "__main__":
    unittest.main()
