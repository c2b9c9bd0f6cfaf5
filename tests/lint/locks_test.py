# SPDX-License-Identifier: LGPL-2.1-or-later
"""What locks.py says of a source that is made here."""
import json
import pathlib
import tempfile
import unittest

import locks

SOURCE = """
#include "elf/base/mutex.h"
struct Counter {
  void count() {
    const elf::MutexLock lock(mutex_);
    ++count_;
  }
  int read() const { return %s; }
  mutable elf::Mutex mutex_;
  int count_ ELF_GUARDED_BY(mutex_) = 0;
};
int main() { return Counter().read(); }
"""


class Locks(unittest.TestCase):
    def findings(self, read):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder).resolve()
            (root / "lib").mkdir()
            (root / "build").mkdir()
            (root / "lib" / "counter.cpp").write_text(SOURCE % read)
            include = pathlib.Path(__file__).resolve().parents[2] / "lib"
            (root / "build" / "compile_commands.json").write_text(json.dumps([{
                "directory": ".", "file": "../lib/counter.cpp",
                "command": f"c++ -I{include} -std=c++20 -fno-plt -MD -MF x.d -o x.o -c ../lib/counter.cpp"}]))
            found = list(locks.commands(root / "build", root))
            self.assertEqual([name.as_posix() for name, _, _ in found], ["lib/counter.cpp"])
            return locks.findings_in(locks.clang(), found[0], root)

    def setUp(self):
        if not locks.clang():
            self.skipTest(f"clang++ {locks.OLDEST} or later is not installed")

    def test_what_is_guarded_needs_its_lock(self):
        found = self.findings("count_")
        self.assertEqual(len(found), 1, found)
        self.assertIn("lib/counter.cpp:8: reading variable 'count_' requires holding mutex", found[0])

    def test_with_the_lock_held_it_passes(self):
        self.assertEqual(self.findings("(elf::MutexLock(mutex_), count_)"), [])
