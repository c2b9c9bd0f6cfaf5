# SPDX-License-Identifier: LGPL-2.1-or-later
"""elfoffload against the servers of others that run an ONNX file as it is."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

import support
from servers_test import Offloading

# A network of ours that finds what is bright, and a stock export of Ultralytics.
MADE = support.HERE.parent / "networks" / "blob_network.py"
EXPORTS = os.environ.get("ELF_TEST_EXPORTS", "")
SIDE = 160

# What the metadata of KServe's and MLServer's plain models do not tell.
SAID = """[model]
backend=remote
[input]
size={side};{side}
[output]
decoder=yolov8
[tensors]
image=images
{more}
"""


def made(folder: str, datatype="FP32") -> pathlib.Path:
    file = pathlib.Path(folder) / f"blob-{datatype}.onnx"
    subprocess.run([sys.executable, MADE, file, str(SIDE), datatype], check=True)
    return file


def stock(name: str) -> pathlib.Path:
    file = pathlib.Path(EXPORTS) / name
    if not EXPORTS or not file.exists():
        raise unittest.SkipTest(f"there is no {name} in $ELF_TEST_EXPORTS")
    return file


class Networks(Offloading):
    BALL = (
        "videotestsrc pattern=ball num-buffers=8 ! "
        "video/x-raw,format=RGB,width=320,height=240,framerate=10/1"
    )
    WHOLE = "elfoffload servers={servers} model=net encoding=raw deadline=-1"
    PARTS = "elfrppredict ! elfpartition ! elfoffload servers={servers} model=net deadline=-1"

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        # Only what a test says there is told of the model.
        self.enterContext(unittest.mock.patch.dict(os.environ, ELF_MODEL_PATH=self.folder))

    def say(self, side=SIDE, more=""):
        file = pathlib.Path(self.folder) / "net.model"
        file.write_text(SAID.format(side=side, more=more))

    def ours(self, file: pathlib.Path, elements: str, source: str) -> "list[dict]":
        """What elf-server finds with the same file."""
        model = pathlib.Path(self.folder) / "served" / "net.onnx"
        model.parent.mkdir(exist_ok=True)
        model.write_bytes(file.read_bytes())
        with support.running(support.elf_server("--model", model)) as server:
            return self.results(server.url, elements, source)

    def expect_alike(self, ours, theirs, share=1.0, score=1e-2, pixels=1):
        """Of both at least that share has a partner: what lies at a threshold may fall either way."""

        def is_same(mine, other):
            return (
                mine["label_id"] == other["label_id"]
                and abs(mine["score"] - other["score"]) <= score
                and ("mask" in mine) == ("mask" in other)
                and all(abs(x - y) <= pixels for x, y in zip(mine["box"], other["box"]))
            )

        self.assertEqual(len(ours), len(theirs))
        self.assertGreater(sum(len(line["detections"]) for line in ours), 0)
        for a, b in zip(ours, theirs):
            with self.subTest(frame=a["frame"]):
                left, right = a["detections"], b["detections"]
                self.assertFalse(any(other["coasted"] for other in right))
                free = list(right)
                for mine in left:
                    partner = next((other for other in free if is_same(mine, other)), None)
                    if partner:
                        free.remove(partner)
                pairs = len(right) - len(free)
                self.assertGreaterEqual(pairs, share * max(len(left), len(right)))


class Made(Networks):
    """Each server with the network that finds the ball."""

    def expect_the_same(self, server: support.Process, file: pathlib.Path):
        mine = self.ours(file, self.WHOLE, self.BALL)
        with support.running(server):
            self.expect_alike(mine, self.results(server.url, self.WHOLE, self.BALL))
            lines = self.results(server.url, self.PARTS, self.BALL)
        self.assertTrue(all(len(line["detections"]) == 1 for line in lines))

    def test_kserve(self):
        self.say()
        file = made(self.folder)
        self.expect_the_same(support.kserve_network("net", file), file)

    def test_kserve_that_answers_as_it_is_asked_and_tells_its_tensors(self):
        file = made(self.folder)
        server = support.kserve_network("net", file, "--binary", "--tells")
        self.expect_the_same(server, file)

    def test_kserve_with_numbers_of_16_bits(self):
        self.say(more="datatype=FP16")
        file = made(self.folder, "FP16")
        self.expect_the_same(support.kserve_network("net", file, "--binary"), file)

    def test_mlserver(self):
        self.say()
        file = made(self.folder)
        self.expect_the_same(support.mlserver_network("net", file), file)

    def test_mlserver_with_numbers_of_16_bits(self):
        self.say(more="datatype=FP16")
        file = made(self.folder, "FP16")
        self.expect_the_same(support.mlserver_network("net", file), file)

    def test_triton(self):
        file = made(self.folder)
        self.expect_the_same(support.triton_network("net", file, SIDE, "FP32"), file)

    def test_triton_with_numbers_of_16_bits(self):
        file = made(self.folder, "FP16")
        self.expect_the_same(support.triton_network("net", file, SIDE, "FP16"), file)


class Stock(Networks):
    """Exports of other people's packages, on a picture of their tests."""

    def expect_the_same(self, name: str, start, **tolerance):
        file, picture = stock(name), stock("picture-640x640.png")
        source = f"filesrc location={picture} ! pngdec"
        mine = self.ours(file, self.WHOLE, source)
        with support.running(start(file)) as server:
            self.expect_alike(mine, self.results(server.url, self.WHOLE, source), **tolerance)

    def telling(self, file: pathlib.Path) -> support.Process:
        return support.kserve_network("net", file, "--binary", "--tells")

    def test_kserve(self):
        self.say(640)
        self.expect_the_same("yolo11n.onnx", lambda file: support.kserve_network("net", file))

    def test_mlserver(self):
        self.say(640)
        self.expect_the_same("yolo11n.onnx", lambda file: support.mlserver_network("net", file))

    def test_triton_without_a_model_file(self):
        self.expect_the_same(
            "yolo11n.onnx", lambda file: support.triton_network("net", file, 640, "FP32")
        )

    def test_numbers_of_16_bits(self):
        # KServe's runtime computes in 16 bits, elf-server's in 32: of this network's raw outputs,
        # of random weights, scores differ by up to 0.05, and sides by up to 16 pixels.
        self.expect_the_same(
            "yolo11n-fp16-tensors.onnx", self.telling, share=0.9, score=0.05, pixels=16
        )

    def test_pictures_of_any_size(self):
        self.expect_the_same("yolo11n-dynamic.onnx", self.telling)

    def test_masks(self):
        self.say(640)
        file = pathlib.Path(self.folder) / "net.model"
        file.write_text(file.read_text().replace("remote", "remote\ntask=segmentation"))
        file.write_text(file.read_text().replace("yolov8", "auto"))
        self.expect_the_same("yolo11n-seg.onnx", self.telling)

    def test_an_input_for_the_size_of_the_picture(self):
        self.expect_the_same("rtdetrv2-deployed.onnx", self.telling)
