#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The units of docs/deploy, by systemd's own tools.

usage: units_test.py SERVER-PROGRAM LAUNCH-PROGRAM SERVICE SOCKET CAMERA

Exit code 77: the tools of Debian's package `systemd` are not there.
"""
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.request

SKIPPED = 77
PATIENCE = 30
# Of 100. All that a program can do without is taken from it: it keeps the network and, for runtimes
# and Orc, /proc/cpuinfo and memory that is written and run.
MOST_EXPOSED = "15"


class Units(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.copy(SERVICE, PROGRAM, r"^ExecStart=/\S+/elf-server --config /etc/elf/server\.conf ")
        self.copy(CAMERA, LAUNCH,
                  r"^ExecStart=/\S+/elf-launch --config \${CREDENTIALS_DIRECTORY}/camera\.conf$")
        shutil.copy(SOCKET, self.folder)

    def copy(self, unit, program, starts):
        """The unit, with its program where this build has it."""
        text = unit.read_text()
        installed = next(line for line in text.splitlines() if line.startswith("ExecStart="))
        self.assertRegex(installed, starts)
        installed = installed.removeprefix("ExecStart=").split()[0]
        (self.folder / unit.name).write_text(text.replace(installed, str(program)))

    def analyze(self, *arguments):
        ran = subprocess.run(["systemd-analyze", *arguments], cwd=self.folder, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual(ran.returncode, 0, ran.stdout)
        return ran.stdout

    def test_systemd_understands_every_line(self):
        # It only warns of a line that it does not know.
        said = self.analyze("verify", "--man=no", f"./{SERVICE.name}", f"./{SOCKET.name}",
                            f"./{CAMERA.name}")
        self.assertNotRegex(said, "elf-(server|camera)")

    def test_the_services_are_hardened(self):
        for unit in (SERVICE, CAMERA):
            self.analyze("security", "--no-pager", "--offline=true", f"--threshold={MOST_EXPOSED}",
                         f"./{unit.name}")

    def test_both_services_are_hardened_alike(self):
        """But for what the comments name."""
        def limits(unit):
            text = unit.read_text()
            return {line for line in text[text.index("DynamicUser"):].splitlines()
                    if line and not line.startswith("#")}
        self.assertEqual(
            {line.split("=")[0] for line in limits(SERVICE) ^ limits(CAMERA)},
            {"RestrictAddressFamilies", "UMask"})

    def test_a_connection_to_the_socket_starts_the_service(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            place = f"127.0.0.1:{free.getsockname()[1]}"
        model = self.folder / "any.model"
        model.write_text("[model]\nbackend=simulated\n")
        activator = subprocess.Popen(
            ["systemd-socket-activate", f"--listen={place}", PROGRAM, "--model", model],
            stderr=subprocess.PIPE, text=True)
        try:
            self.assertIn("Listening on", activator.stderr.readline())
            with urllib.request.urlopen(f"http://{place}/v2/models/any", timeout=PATIENCE) as answer:
                self.assertEqual(answer.status, 200)
        finally:
            # It has become elf-server.
            activator.terminate()
            self.assertEqual(activator.wait(PATIENCE), 0)
            activator.stderr.close()


if __name__ == "__main__":
    PROGRAM, LAUNCH, SERVICE, SOCKET, CAMERA = (pathlib.Path(file).absolute()
                                                for file in sys.argv[1:6])
    for tool in ("systemd-analyze", "systemd-socket-activate"):
        if not shutil.which(tool):
            print(f"skipped: {tool} is not there")
            sys.exit(SKIPPED)
    unittest.main(argv=sys.argv[:1], verbosity=2)
