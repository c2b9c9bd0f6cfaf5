#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the command lines of a document, as a reader would paste them.

usage: commands.py DOCUMENT

In Markdown these are the blocks marked `sh`, in a C++ file the `|[ ... ]|` of its SECTION comment.
All of a document run in one shell, in an empty folder that holds a short `vtest.avi`. A block that
is not marked must hold no command. Servers on ports 8000 and 8001 are started where the document
does not start them itself; the ports, and that of metrics, are replaced by free ones. What else is
replaced, because a test has no screen, no camera and little time, is in REPLACED; what is not run,
in LEFT_OUT. The sink that stands in for a screen keeps time as a screen does, so that lines are run
as users run them.

Exit code 77: a file of NEEDED, which others publish, is not there, or the document runs the model
`hog`, the default of servers, and this build lacks it.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(os.environ["ELF_TEST_SOURCE_ROOT"])
BUILD = pathlib.Path(os.environ["ELF_TEST_BUILD_ROOT"])
CLIP = pathlib.Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")

REPLACED = [
    (r"\bautovideosink\b", "fakesink sync=true"),
    (r"v4l2src device=\S+|v4l2src", "videotestsrc is-live=true num-buffers=20"),
    (r"/usr/share/doc/opencv-doc/examples/data/vtest\.avi", "vtest.avi"),
    (r"--frames \d+", "--frames 6 --repeats 1"),
    (r"path/of/elf/", f"{ROOT}/"),
    (r"(?m)^\./pipelines/demo$", f"{ROOT}/pipelines/demo --frames 6"),
]
# The port of metrics in documents.
METRICS = "9464"
# Files that a document takes for granted, in ELF_TEST_SHARED.
NEEDED = {
    "docs/bring-your-own-model.md": [
        "data/models/yolox_nano.onnx", "data/models/yolox_nano.ts.pt", "data/models/coco.names"],
}
# Installing and building is what tests/run has just done; it cannot run inside itself.
LEFT_OUT = re.compile(r"^(\./)?tests/run|^git |^(sudo )?apt|^meson |^ninja |^cd |^sudo ")
HOG = re.compile(r"(elf-server --port|elf-bench )(?!.*--model (?!hog\b))|pipelines/demo|(--check |models/)hog\b")
COMMAND = re.compile(r"^\s*(\$ )?(gst-launch-1\.0|gst-inspect-1\.0|elf-\w+|curl|\./|meson|ninja) ")


def blocks(document: pathlib.Path) -> list[str]:
    text = document.read_text()
    if document.suffix == ".cpp":
        found = re.findall(r"\|\[\n(.*?)\]\|", text, re.S)
        # A launch line is folded in the comment, not in what is pasted.
        return [" ".join(line.strip().lstrip("* ") for line in block.splitlines()) for block in found]
    found = []
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.S | re.M):
        if language == "sh":
            found.append(block)
        elif any(COMMAND.match(line) for line in block.splitlines()):
            sys.exit(f"{document}: a block with commands is not marked sh:\n{block}")
    return found


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def make_clip(folder: str) -> None:
    source = "videotestsrc pattern=ball num-buffers=12 ! video/x-raw,width=768,height=576"
    if CLIP.exists():
        # The first bytes hold about a dozen frames; the queue has them read from the beginning on.
        source = f"filesrc location={CLIP} blocksize=8192 num-buffers=34 ! queue ! decodebin"
    launch = f"gst-launch-1.0 -q {source} ! videoconvert ! jpegenc ! avimux ! filesink location=vtest.avi"
    subprocess.run(launch.split(), cwd=folder, check=True, timeout=60)


def script_of(document: pathlib.Path) -> str:
    text = "\n".join(blocks(document))
    for pattern, replacement in REPLACED:
        text = re.sub(pattern, replacement, text)
    lines = [line for line in text.splitlines() if not LEFT_OUT.match(line)]
    text = "\n".join(lines)
    ports = {}
    for name in ("8000", "8001"):
        if re.search(rf"\b{name}\b", text):
            ports[name] = str(free_port())
            text = re.sub(rf"\b{name}\b", ports[name], text)
    text = re.sub(rf"\b{METRICS}\b", str(free_port()), text)
    listening = (
        "await() { for i in $(seq 200); do"
        " (exec 3<>/dev/tcp/127.0.0.1/$1) 2>/dev/null && return; sleep 0.1; done; return 1; }\n"
    )
    # The reader starts what has metrics, and takes a moment before asking for them.
    text = re.sub(r"(?m)^(.* metrics-port=(\d+) .*&)$", r"\1\nawait \2", text)
    if "elf-server --port" in text:
        # The reader starts the servers, and takes a moment before pasting the next line.
        text = re.sub(r"(?m)^(.*elf-server --port (\d+).*&)$", r"\1\nawait \2", text)
    else:
        for port in ports.values():
            text = f"elf-server --port {port} >/dev/null &\nawait {port}\n" + text
    return "set -euo pipefail\n" + listening + text


def main() -> int:
    document = ROOT / sys.argv[1]
    script = script_of(document)
    if os.environ["ELF_TEST_HOG"] == "false" and HOG.search(script):
        print("built without OpenCV's HOG detector")
        return 77
    needed = [pathlib.Path(os.environ["ELF_TEST_SHARED"]) / file
              for file in NEEDED.get(sys.argv[1], [])]
    if missing := [str(file) for file in needed if not file.exists()]:
        print("not there:", *missing)
        return 77
    environment = dict(os.environ)
    # Programs of the reader's are built as in `meson devenv`.
    environment["PKG_CONFIG_PATH"] = str(BUILD / "meson-uninstalled")
    environment["LD_LIBRARY_PATH"] = f"{BUILD / 'lib'}:{BUILD / 'gst'}"
    environment["GI_TYPELIB_PATH"] = str(BUILD / "gst")
    programs = [BUILD / folder for folder in ("lib/programs", "lib/research/programs",
                                              "gst/programs", "gst/bench")]
    environment["PATH"] = ":".join([*map(str, programs), environment["PATH"]])
    with tempfile.TemporaryDirectory() as folder:
        make_clip(folder)
        for file in needed:
            shutil.copy(file, folder)
        print(script, flush=True)
        # A group of its own, so that servers in the background end with it.
        shell = subprocess.Popen(["bash", "-c", script], cwd=folder, env=environment,
                                 stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            return shell.wait(timeout=240)
        except subprocess.TimeoutExpired:
            print(f"{document}: did not end in time", file=sys.stderr)
            return 1
        finally:
            try:
                os.killpg(shell.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass


if __name__ == "__main__":
    sys.exit(main())
