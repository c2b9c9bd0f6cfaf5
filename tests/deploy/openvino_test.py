#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An installed module of OpenVINO finds its library where the options say.

usage: openvino_test.py SERVER-PROGRAM MODULE OPENVINO-LIBRARIES
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import urllib.request

PROGRAM, MODULE, LIBRARIES = (os.path.abspath(file) for file in sys.argv[1:4])
MODELS = pathlib.Path(os.environ["ELF_TEST_SHARED"]) / "data/models"
PATIENCE = 60


class OpenVino(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        # As packages have it: without the folder of the build.
        module = pathlib.Path(MODULE).read_bytes()
        self.assertIn(LIBRARIES.encode(), module)
        (self.folder / "libelfvision-openvino.so.0").write_bytes(
            module.replace(LIBRARIES.encode(), b"/" * len(LIBRARIES)))
        self.environment = dict(os.environ, LD_LIBRARY_PATH=str(self.folder),
                                ELF_MODEL_PATH=f"{os.environ['ELF_MODEL_PATH']}:{MODELS}")

    def run_it(self, *arguments, code=0):
        ran = subprocess.run([PROGRAM, *arguments], env=self.environment, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE,
                             check=False)
        self.assertEqual(ran.returncode, code, ran.stdout)
        return ran.stdout

    def test_in_the_folder_that_the_option_names(self):
        self.assertRegex(self.run_it("--list"), "openvino +not here: libopenvino.so.[0-9]+: ")
        self.assertRegex(self.run_it("--list", "--openvino-dir", LIBRARIES), "openvino +20.*: cpu")

    def test_a_folder_without_it_is_an_error(self):
        for folder, why in ((self.folder, "has no libopenvino.so.NUMBER"),
                            (self.folder / "none", "No such file or directory")):
            said = self.run_it("--list", "--openvino-dir", str(folder), code=1)
            self.assertIn(f"elf-server: {folder}: {why}", said)
        for version in (1, 2):
            (self.folder / f"libopenvino.so.{version}").touch()
        said = self.run_it("--list", "--openvino-dir", str(self.folder), code=1)
        self.assertIn("has more than one libopenvino.so.NUMBER", said)

    def test_a_broken_library_is_named(self):
        (self.folder / "libopenvino.so.1").write_text("broken")
        said = self.run_it("--list", "--openvino-dir", str(self.folder))
        self.assertIn(f"not here: {self.folder}/libopenvino.so.1: ", said)

    @unittest.skipUnless((MODELS / "yolox_nano.onnx").exists(), "there is no yolox_nano.onnx")
    def test_a_network_runs_there(self):
        model = self.folder / "network.model"
        model.write_text("[model]\nbackend=openvino\nfile=yolox_nano.onnx\n")
        said = self.run_it("--check", str(model), "--openvino-dir", LIBRARIES, "--output",
                           str(self.folder / "check.png"))
        self.assertIn("runtime: OpenVINO 20", said)
        config = self.folder / "server.conf"
        config.write_text(f"[elf-server]\nport=0\nmodel={model}\nopenvino-dir={LIBRARIES}\n")
        with subprocess.Popen([PROGRAM, "--config", config], stdout=subprocess.PIPE, text=True,
                              env=self.environment) as server:
            try:
                url = server.stdout.readline().split()[1]
                with urllib.request.urlopen(url + "/v2/models/network",
                                            timeout=PATIENCE) as answer:
                    self.assertEqual(answer.status, 200)
            finally:
                server.terminate()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
