# SPDX-License-Identifier: LGPL-2.1-or-later
"""The elements against the servers of others, which run the examples of docs/third-party."""

import json
import pathlib
import subprocess
import tempfile
import unittest

import cv2

import support

FRAMES = 8


def gst_launch(*words) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["gst-launch-1.0", *(str(word) for word in words)],
        capture_output=True,
        text=True,
        timeout=support.PATIENCE,
    )


class Offloading(unittest.TestCase):
    def results(self, servers: str, elements: str, source=None) -> "list[dict]":
        """The lines of results-location; fails where anything was wrong on the way."""
        with tempfile.TemporaryDirectory() as folder:
            source = source or clip_in(folder)
            results = pathlib.Path(folder) / "results.json"
            line = (
                f"{source} ! videoconvert ! {elements.format(servers=servers)} ! "
                f"elfmerge results-location={results} ! fakesink"
            )
            done = gst_launch(*line.split())
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotIn("WARNING", done.stdout + done.stderr)
            return [json.loads(line) for line in results.read_text().splitlines()]

    def expect_same(self, ours, theirs):
        self.assertEqual([len(ours), len(theirs)], [FRAMES, FRAMES])
        self.assertGreater(sum(len(line["detections"]) for line in ours), 0)
        for a, b in zip(ours, theirs):
            with self.subTest(frame=a["frame"]):
                left, right = (sorted(line["detections"], key=by_box) for line in (a, b))
                self.assertEqual(len(left), len(right))
                for mine, other in zip(left, right):
                    self.assertEqual(mine["label"], other["label"])
                    self.assertFalse(other["coasted"])
                    self.assertAlmostEqual(mine["score"], other["score"], delta=1e-3)
                    for x, y in zip(mine["box"], other["box"]):
                        self.assertAlmostEqual(x, y, delta=1)


def clip_in(folder: str) -> str:
    """The source of the first frames of the clip, without loss."""
    for i, frame in enumerate(support.frames_of_clip(FRAMES)):
        cv2.imwrite(f"{folder}/{i}.png", frame)
    return f"multifilesrc location={folder}/%d.png caps=image/png,framerate=10/1 ! pngdec"


def by_box(detection):
    return detection["box"]


class Foreign:
    """What each server is tried with; subclasses say which one it is."""

    several = True  # models on one server, else a server for each
    MODELS = {
        "hog": "detectors:HogDetector",
        "stub": "detectors:Stub",
        "colours": "detectors:Colours",
    }

    @classmethod
    def setUpClass(cls):
        cls.urls = {}
        each = [cls.MODELS] if cls.several else [{name: cls.MODELS[name]} for name in cls.MODELS]
        for models in each:
            server = cls.start(models)
            cls.addClassCleanup(server.stop)
            cls.urls |= dict.fromkeys(models, server.url)

    WHOLE_FRAMES = "elfoffload servers={servers} model=hog encoding=jpeg deadline=-1"

    def test_the_same_line_gives_the_same_detections_as_elf_server(self):
        with support.running(support.elf_server("--model", "hog")) as ours:
            mine = self.results(ours.url, self.WHOLE_FRAMES)
        self.expect_same(mine, self.results(self.urls["hog"], self.WHOLE_FRAMES))

    def test_all_four_elements_find_people(self):
        elements = "elfrppredict ! elfpartition ! elfoffload servers={servers} deadline=-1"
        lines = self.results(self.urls["hog"], elements)
        self.assertGreater(sum(len(line["detections"]) for line in lines), FRAMES)

    def test_a_class_of_the_papers_interface_is_served(self):
        lines = self.results(
            self.urls["stub"],
            "elfoffload servers={servers} model=stub encoding=jpeg deadline=-1",
            source="videotestsrc num-buffers=2 ! video/x-raw,width=160,height=120",
        )
        for line in lines:
            (found,) = line["detections"]
            self.assertEqual((found["box"], found["score"]), ([0, 0, 160, 120], 1))

    def test_nothing_found_is_an_answer(self):
        lines = self.results(
            self.urls["stub"],
            "elfoffload servers={servers} model=stub encoding=jpeg deadline=-1",
            source="videotestsrc pattern=black num-buffers=2",
        )
        self.assertEqual([line["detections"] for line in lines], [[], []])

    def test_channels_arrive_in_their_order(self):
        for pattern, label in (("blue", 0), ("green", 1), ("red", 2)):
            lines = self.results(
                self.urls["colours"],
                "elfoffload servers={servers} model=colours encoding=jpeg deadline=-1",
                source=f"videotestsrc pattern={pattern} num-buffers=1",
            )
            self.assertEqual(lines[0]["detections"][0]["label_id"], label, pattern)

    def test_a_model_that_it_lacks_is_an_error_that_names_it(self):
        done = gst_launch(
            *"videotestsrc num-buffers=1 ! elfoffload model=nosuch".split(),
            "servers=" + self.urls["hog"],
            *"! fakesink".split(),
        )
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("has no model 'nosuch'", done.stderr)


class Triton(Foreign, Offloading):
    start = staticmethod(support.triton)

    def test_a_version_of_the_model_is_asked_for(self):
        line = self.WHOLE_FRAMES + " model-version=1"
        self.assertGreater(len(self.results(self.urls["hog"], line)), 0)

    def test_a_version_that_it_lacks_is_an_error(self):
        done = gst_launch(
            *"videotestsrc num-buffers=1 ! elfoffload model-version=7".split(),
            "servers=" + self.urls["hog"],
            *"! fakesink".split(),
        )
        self.assertNotEqual(done.returncode, 0)


class TritonOfPixels(Offloading):
    """The example changed: its input is raw pixels, and has another name."""

    CHANGES = {"TYPE_STRING": "TYPE_UINT8", "dims: [ 1 ]": "dims: [ 1, -1, -1, 3 ]"}

    def labels(self, server, more):
        lines = [
            self.results(
                server.url,
                "elfoffload servers={servers} model=colours deadline=-1 " + more,
                source=f"videotestsrc pattern={colour} num-buffers=1",
            )
            for colour in ("blue", "green", "red")
        ]
        return [line["detections"][0]["label_id"] for (line,) in lines]

    def test_pixels_go_raw_where_the_metadata_asks_for_them(self):
        with support.running(support.triton({"colours": "detectors:Colours"}, self.CHANGES)) as s:
            self.assertEqual(self.labels(s, ""), [0, 1, 2])

    def test_tensors_go_by_the_names_of_the_server(self):
        changes = {**self.CHANGES, '"image"': '"input_1"'}
        with support.running(support.triton({"colours": "detectors:Colours"}, changes)) as s:
            self.assertEqual(self.labels(s, "tensor-names=image=input_1"), [0, 1, 2])


class MlServer(Foreign, Offloading):
    start = staticmethod(support.mlserver)


class KServe(Foreign, Offloading):
    start = staticmethod(support.kserve)
    several = False


class Together(Offloading):
    def test_servers_of_different_kinds_share_the_frames_of_one_pipeline(self):
        models = {"hog": "detectors:HogDetector"}
        with (
            support.running(support.triton(models)) as triton,
            support.running(support.mlserver(models)) as mlserver,
            support.running(support.elf_server("--model", "hog")) as ours,
        ):
            lines = self.results(
                f"{triton.url},{mlserver.url},{ours.url}",
                "elfrppredict ! elfpartition ! elfoffload servers={servers} deadline=-1",
            )
        self.assertEqual(len(lines), FRAMES)
        self.assertGreater(sum(len(line["detections"]) for line in lines), FRAMES)
