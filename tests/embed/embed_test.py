#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the examples of docs/embed print, and what Python reads, is in the JSON lines of that run.

usage: embed_test.py ELF_SERVER BLOBS_LIBRARY EMBED

Exit code 77: Python has no bindings for GStreamer.
"""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SKIPPED = 77
FRAMES = 100
EXAMPLES = pathlib.Path(os.environ["ELF_TEST_SOURCE_ROOT"]) / "docs" / "embed"
HERE = pathlib.Path(__file__).parent
BUILD = pathlib.Path(os.environ["ELF_TEST_BUILD_ROOT"])
# As `meson devenv` sets them.
ENVIRONMENT = dict(os.environ, GI_TYPELIB_PATH=str(BUILD / "gst"),
                   LD_LIBRARY_PATH=f"{BUILD / 'lib'}:{BUILD / 'gst'}")
# A white ball, called a person, crosses the column 240 to the right and comes back further up.
CLIP = (f"videotestsrc pattern=ball animation-mode=frames num-buffers={FRAMES} ! "
        "video/x-raw,width=320,height=240,framerate=25/1 ! jpegenc quality=95 ! avimux ! filesink")
MODEL = "[model]\nbackend=library\nfile={}\nlabels=person\ntask=segmentation\n"
STAGE = "elfrppredict ! elfpartition ! elfoffload servers={servers} model=people deadline=-1"
TWO_STAGES = ("[pipeline]\n"
              f"launch=filesrc location={{input}} ! decodebin ! videoconvert ! {STAGE} ! "
              f"elfmerge draw-boxes=false draw-labels=false draw-masks=false ! {STAGE} ! "
              "elfmerge name=last post-messages=true results-location={results} ! fakesink\n"
              "[variable input]\n[variable servers]\n[variable results]\n")

JOINTS = """
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstElf", "1.0")
from gi.repository import Gst, GstElf
Gst.init(None)
found = Gst.Structure("detections")
joints = [[1.5, 2.5, 0.5], [3.5, 4.5, 1.0]]
found["keypoints"] = Gst.ValueArray([Gst.ValueArray(joint) for joint in joints])
found["rotated"] = Gst.ValueArray([1.0, 2.0, 3.0, 4.0, 0.5])
result = Gst.Structure("elf-result")
result["detections"] = Gst.ValueArray([found])
message = Gst.Message.new_element(None, result)
detection, = GstElf.message_get_detections(message, GstElf.ALL_STAGES)
print(*(tuple(detection.get_keypoint(i)) for i in range(detection.get_n_keypoints())))
print(tuple(detection.get_rotated_box()), detection.get_mask()[0], detection.get_server())
"""


def printed(record):
    """The lines of the examples for the detections in a JSON line."""
    for d in record["detections"]:
        x0, y0, x1, y1 = d["box"]
        yield (f"frame {record['frame']}: {d['label']} {d['id']}, {d['score']:.2f}, "
               f"at {x0:.1f},{y0:.1f}, {x1 - x0:.1f}x{y1 - y0:.1f}")


def read(detection):
    """A detection in a JSON line in the form of read_results.py."""
    x0, y0, x1, y1 = detection["box"]
    found = dict(detection, box=[x0, y0, x1 - x0, y1 - y0])
    pixels = []
    for i, run in enumerate(detection["mask"]["runs"]):
        pixels += [i % 2] * run
    found["mask"] = {"rect": detection["mask"]["rect"], "pixels": pixels}
    return found


class Embed(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "people.model").write_text(MODEL.format(BLOBS.resolve()))
        server = subprocess.Popen([SERVER, "--port", "0", "--model", self.folder / "people.model"],
                                  stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        self.url = server.stdout.readline().split()[1]
        self.clip = self.folder / "clip.avi"
        subprocess.run(["gst-launch-1.0", "-q", *CLIP.split(), f"location={self.clip}"], check=True)

    def run_program(self, *command):
        """What it prints about the clip, and the JSON lines of that run."""
        results = self.folder / "results.jsonl"
        results.unlink(missing_ok=True)
        shown = subprocess.run([*command, f"input={self.clip}", f"servers={self.url}",
                                f"results={results}"], env=ENVIRONMENT, text=True, timeout=60,
                               stdout=subprocess.PIPE, check=True).stdout.splitlines()
        lines = [json.loads(line) for line in results.read_text().splitlines()]
        self.assertEqual(len(lines), FRAMES)
        self.assertGreaterEqual(sum(len(line["detections"]) for line in lines), FRAMES)
        return shown, lines

    def run_people(self, *command):
        return self.run_program(*command, "people", "model=people",
                                f"output={self.folder / 'annotated.mp4'}")

    def count_along(self, line):
        """The crossings of a line, and the last line of count_line.py."""
        shown, lines = self.run_people(sys.executable, EXAMPLES / "count_line.py", line)
        crossings = [text.split(": ")[1] for text in shown if "crosses" in text]
        self.assertEqual([text for text in shown[:-1] if "crosses" not in text],
                         [text for record in lines for text in printed(record)])
        return crossings, shown[-1]

    def test_count_line_prints_detections_and_counts(self):
        self.assertEqual(self.count_along("240,0,240,240"), (
            ["person 1 crosses to the left", "person 1 crosses to the right"],
            "to the left: 1, to the right: 1"))

    def test_count_line_counts_nobody_who_passes_beside_the_line(self):
        self.assertEqual(self.count_along("240,240,240,160"), (
            ["person 1 crosses to the right"], "to the left: 0, to the right: 1"))

    def test_embed_prints_detections(self):
        shown, lines = self.run_people(EMBED)
        self.assertEqual(shown, [text for record in lines for text in printed(record)]
                         + [f"{FRAMES} frames"])

    def test_python_reads_all_fields_of_messages_and_buffers(self):
        pipeline = self.folder / "two-stages.pipeline"
        pipeline.write_text(TWO_STAGES)
        shown, lines = self.run_program(sys.executable, HERE / "read_results.py", pipeline)
        found = json.loads(shown[0])
        wanted = [[read(d) for d in line["detections"]] for line in lines]
        self.assertEqual({d["stage"] for d in wanted[-1]}, {0, 1})
        self.assertEqual(found["buffers"], wanted)
        self.assertEqual([message.pop("detections") for message in found["messages"]], wanted)
        self.assertEqual(found["messages"],
                         [{name: line[name] for name in message}
                          for message, line in zip(found["messages"], lines)])

    def test_python_reads_joints_and_rotated_boxes(self):
        shown = subprocess.run([sys.executable, "-c", JOINTS], env=ENVIRONMENT, text=True,
                               timeout=60, stdout=subprocess.PIPE, check=True).stdout
        self.assertEqual(shown.splitlines(), ["(1.5, 2.5, 0.5) (3.5, 4.5, 1.0)",
                                              "(True, 1.0, 2.0, 3.0, 4.0, 0.5) None None"])

    def test_errors_of_a_pipeline_file_are_those_of_the_c_function(self):
        shown = subprocess.run([sys.executable, EXAMPLES / "count_line.py", "0,0,1,1", "people",
                                "nosuch=1"], env=ENVIRONMENT, text=True, timeout=60,
                               stderr=subprocess.PIPE, check=False)
        self.assertEqual(shown.returncode, 1)
        self.assertRegex(shown.stderr, r"^count_line.py: .*people\.pipeline: .*nosuch.*\n$")


if __name__ == "__main__":
    SERVER, BLOBS, EMBED = map(pathlib.Path, sys.argv[1:])
    if not importlib.util.find_spec("gi") or not importlib.util.find_spec("gi.overrides.Gst"):
        print("Python has no bindings for GStreamer (python3-gst-1.0)")
        sys.exit(SKIPPED)
    unittest.main(argv=sys.argv[:1])
