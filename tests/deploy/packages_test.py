#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files of docs/deploy/debian agree with what this build installs, and with elf-server.

usage: packages_test.py SERVER-PROGRAM PREFIX
"""
import fnmatch
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv[1])
PREFIX = sys.argv[2]
ROOT = pathlib.Path(os.environ["ELF_TEST_SOURCE_ROOT"])
DEBIAN = ROOT / "docs/deploy/debian"
CONTROL = (DEBIAN / "control").read_text()
# Their packages are built only where there is what they need; man pages only with help2man.
OPTIONAL = ("libelfvision-onnxruntime", "libelfvision-openvino", "libelfvision-torch",
            "libelfvision-train", "elf-train", "girepository-1.0", "gir-1.0", "systemd", "man1")


def lines(file):
    return [line for line in file.read_text().splitlines() if line and not line.startswith("#")]


def depended(field):
    """The names of packages in a field of the source."""
    text = re.search(rf"^{field}: (.*(?:\n .*)*)", CONTROL, re.MULTILINE).group(1)
    return {each.split()[0] for each in text.split(",")}


class Packages(unittest.TestCase):
    def installed(self):
        """As below /usr, whatever the prefix is."""
        root = self.enterContext(tempfile.TemporaryDirectory())
        subprocess.run(["meson", "install", "-C", os.environ["ELF_TEST_BUILD_ROOT"], "--no-rebuild",
                        "--quiet", "--destdir", root], check=True)
        for folder, _, names in os.walk(root + PREFIX):
            for name in names:
                yield "usr/" + os.path.relpath(os.path.join(folder, name), root + PREFIX)

    def test_each_file_is_of_one_package(self):
        patterns = {}
        for file in [*DEBIAN.glob("*.install"), DEBIAN / "not-installed"]:
            for line in lines(file):
                source = line.split()[0]
                if source.startswith("usr/"):
                    patterns[file.name, source] = []
        for file in self.installed():
            fitting = [of for of in patterns if fnmatch.fnmatch(file, of[1]) or
                       fnmatch.fnmatch(file, of[1] + "/*")]
            self.assertEqual(len({name for name, _ in fitting}), 1, f"{file}: {fitting}")
            for each in fitting:
                patterns[each].append(file)
        for (name, pattern), files in patterns.items():
            if not any(part in pattern for part in OPTIONAL):
                self.assertTrue(files, f"{name}: {pattern}: nothing is installed there")

    def test_each_package_has_a_paragraph(self):
        named = set(re.findall(r"^Package: (.*)", CONTROL, re.MULTILINE))
        self.assertEqual({file.stem for file in DEBIAN.glob("*.install")}, named)

    def test_builds_with_packages_that_elf_is_built_with(self):
        known = {line.split()[0] for line in lines(ROOT / "docs/debian-packages.txt")}
        packaging = {"debhelper-compat", "dh-sequence-gir"}
        self.assertLessEqual(depended("Build-Depends") - packaging, known)

    def test_build_packages_names_what_it_is_not_given(self):
        program = ROOT / "docs/deploy/build-packages"
        for arguments, said in ((["--output"], "--output: is nothing without a folder"),
                                (["now"], "unexpected argument 'now'")):
            ran = subprocess.run([program, *arguments], stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual((ran.returncode, ran.stderr),
                             (2, f"build-packages: {said}; see --help\n"))

    def test_weights_that_may_not_be_sold_are_apart(self):
        self.assertEqual(lines(DEBIAN / "elf-models-kitti.install"),
                         ["usr/share/elf/models/default.safetensors"])
        for paragraph in CONTROL.split("\n\n"):
            for field in re.findall(r"^(\S+): (?:.*elf-models-kitti.*|.*\n(?: .*\n)*? .*elf-models-kitti)",
                                    paragraph, re.MULTILINE):
                self.assertIn(field, ("Package", "Suggests", "Source"), paragraph)

    def test_elf_server_takes_the_configuration_and_what_it_proposes(self):
        text = (DEBIAN / "server.conf").read_text()
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "libopenvino.so.1").touch()
            proposed = re.sub("^#([a-z-]+=)", r"\1", text, flags=re.MULTILINE)
            self.assertNotEqual(proposed, text)
            proposed = re.sub("^openvino-dir=.*", f"openvino-dir={folder}", proposed,
                              flags=re.MULTILINE)
            for each in (text, proposed):
                file = pathlib.Path(folder) / "server.conf"
                file.write_text(each)
                ran = subprocess.run([PROGRAM, "--config", file, "--list"],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                     check=False)
                self.assertEqual((ran.returncode, ran.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
