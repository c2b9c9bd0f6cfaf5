#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Detections of onnxinference and a tensor decoder stay beside Elf's, and both can be read.

usage: decoders_test.py ELF_SERVER BLOBS_LIBRARY

Exit code 77: GStreamer has no onnxinference or no decoder, Python has no GstAnalytics, or Elf was
built without it.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import analytics_test

ROOT = pathlib.Path(os.environ["ELF_TEST_SOURCE_ROOT"])
sys.path += [str(ROOT / "docs/embed"), str(ROOT / "tests/networks")]
from blob_network import Graph, block, number, value_info  # noqa: E402

SKIPPED = 77
FRAMES = 10
WIDTH, HEIGHT = 320, 240
# Numbers of ONNX's types.
FLOAT, BOOL = 1, 9
# What the network finds in each frame that is not black.
THEIRS = "theirs 0.75 at 80,60 160x60"
# Output: shape, values, identity of the tensor for GStreamer 1.26 and for 1.28, whose decoder takes
# only networks that find any number.
OUTPUTS = {
    "boxes": ([1, "n", 4], [0.25, 0.25, 0.5, 0.75], "Gst.Model.ObjectDetector.Boxes",
              "ssd-mobilenet-v1-variant-1-out-boxes"),
    "scores": ([1, "n"], [0.75], "Gst.Model.ObjectDetector.Scores",
               "ssd-mobilenet-v1-variant-1-out-scores"),
    "classes": ([1, "n"], [1], "Gst.Model.ObjectDetector.Classes",
                "ssd-mobilenet-v1-variant-1-out-classes"),
    "count": ([1], [], "Gst.Model.ObjectDetector.NumDetections", "generic-variant-1-out-count"),
}


def write_network(file: pathlib.Path) -> None:
    """An ONNX file and what GStreamer from 1.28 on reads of its tensors."""
    shape = [1, HEIGHT, WIDTH, 3]
    graph = Graph("FP32")
    brightest = graph.node("ReduceMax", [graph.node("Cast", ["image"], to=FLOAT)], keepdims=0)
    seen = graph.node("Cast", [graph.node("Reshape", [brightest, graph.constant([1], [1], "INT64")])],
                      to=BOOL)
    content, metadata = b"", b""
    info = ["[modelinfo]", "version=1.0", "group-id=ssd-mobilenet-v1-variant-1-out", "[image]",
            "dir=input", "type=uint8", "dims=" + ",".join(map(str, shape)), "ranges=0.0,255.0"]
    for name, (dims, values, old_id, new_id) in OUTPUTS.items():
        if name == "count":
            graph.node("Cast", [seen], output=name, to=FLOAT)
        else:
            one = graph.constant([1 if extent == "n" else extent for extent in dims], values)
            graph.node("Compress", [one, seen], output=name, axis=1)
        content += block(12, value_info(name, "FP32", dims))
        metadata += block(14, block(1, name) + block(2, old_id))
        known = ("-1" if extent == "n" else str(extent) for extent in dims)
        info += [f"[{name}]", "dir=output", "type=float32", "dims=" + ",".join(known),
                 f"id={new_id}"]
    content += graph.nodes + block(2, "constant") + graph.constants
    content += block(11, value_info("image", "UINT8", shape))
    file.write_bytes(number(1, 6) + block(2, "elf") + block(7, content) + block(8, number(2, 11)) +
                     metadata)
    file.with_suffix(".onnx.modelinfo").write_text("\n".join(info) + "\n")


def run(line: str) -> "list[list[str]]":
    """The detections of each frame that arrives at the sink."""
    from gi.repository import Gst, GstAnalytics

    from analytics import describe

    frames = []

    def on_frame(_pad, info):
        meta = GstAnalytics.buffer_get_analytics_relation_meta(info.get_buffer())
        frames.append([describe(meta, mtd) for mtd in meta or ()
                       if isinstance(mtd, GstAnalytics.ODMtd)])
        return Gst.PadProbeReturn.OK

    pipeline = Gst.parse_launch(line)
    pipeline.get_by_name("end").get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, on_frame)
    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(
        60 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    if not message or message.type == Gst.MessageType.ERROR:
        raise RuntimeError(message.parse_error()[0].message if message else "the stream has no end")
    return frames


def agree(before: bool, folder: pathlib.Path, decoder: str, url: str) -> bool:
    """Whether frames have both kinds, with the decoder before Elf's elements or behind them."""
    results = folder / "results.jsonl"
    results.unlink(missing_ok=True)
    theirs = f"onnxinference model-file={folder}/network.onnx ! {decoder} label-file={folder}/labels"
    ours = (f"elfrppredict ! elfpartition ! elfoffload servers={url} model=bright_blobs deadline=-1 "
            f"! elfmerge metas=analytics results-location={results}")
    order = f"{theirs} ! {ours}" if before else f"{ours} ! {theirs}"
    found = run(f"videotestsrc pattern=ball num-buffers={FRAMES} ! video/x-raw,format=RGB,"
                f"width={WIDTH},height={HEIGHT},framerate=25/1 ! {order} ! fakesink name=end")
    wanted = []
    for index, line in enumerate(results.read_text().splitlines()):
        prefix = f"frame {index}: "
        wanted.append([text.removeprefix(prefix) for text in analytics_test.expected(line)])
        wanted[-1].insert(0 if before else len(wanted[-1]), THEIRS)
    print("decoder before Elf:" if before else "decoder behind Elf:")
    for got, want in zip(found, wanted):
        print(f"{got}\n  wanted {want}")
    return len(found) == FRAMES and found == wanted and all(len(each) > 1 for each in found)


def main() -> int:
    try:
        import gi

        gi.require_version("Gst", "1.0")
        gi.require_version("GstAnalytics", "1.0")
    except (ImportError, ValueError) as error:
        print(f"Python has no GstAnalytics: {error}")
        return SKIPPED
    from gi.repository import Gst

    Gst.init(None)
    # The second name is of 1.26.
    decoder = next(filter(Gst.ElementFactory.find, ("ssdtensordec", "ssdobjectdetector")), None)
    if not Gst.ElementFactory.find("onnxinference") or not decoder:
        print("GStreamer has no onnxinference or no decoder of SSD tensors")
        return SKIPPED
    with tempfile.TemporaryDirectory() as name, subprocess.Popen(
            [sys.argv[1], "--port", "0", "--model", sys.argv[2]], stdout=subprocess.PIPE,
            text=True) as server:
        try:
            url = server.stdout.readline().split()[1]
            folder = pathlib.Path(name)
            write_network(folder / "network.onnx")
            # 1.28 takes the first label, 1.26 the second one.
            (folder / "labels").write_text("theirs\ntheirs\n")
            fine = [agree(before, folder, decoder, url) for before in (True, False)]
        except RuntimeError as error:
            print(error)
            return SKIPPED if "Elf was built without" in str(error) else 1
        finally:
            server.terminate()
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
