# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a check on a checkout that a test makes."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

FOLDER = pathlib.Path(__file__).parent


class CheckTest(unittest.TestCase):
    """`program` is the check's file."""
    program = None

    def run_on(self, files, **environment):
        """Exit status and output for a checkout of these files, each with its text."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in files.items():
                file = root / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            ran = subprocess.run([sys.executable, FOLDER / self.program, root], capture_output=True,
                                 text=True, check=False, env={**os.environ, **environment})
            return ran.returncode, ran.stdout + ran.stderr

    def passes(self, files):
        code, text = self.run_on(files)
        self.assertEqual(code, 0, text)

    def fails(self, files, *finds):
        code, text = self.run_on(files)
        self.assertEqual(code, 1, text)
        self.assertEqual(sorted(text.splitlines()), sorted(finds))
