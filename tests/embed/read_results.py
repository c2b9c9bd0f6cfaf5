#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a .pipeline file and prints what Python reads of it, in the fields of a JSON line.

usage: read_results.py FILE [VARIABLE=VALUE ...]

Its elfmerge named `last` posts messages. The output is one line of JSON: `messages` is what they
hold, `buffers` the detections in the frames behind that elfmerge.
"""

import json
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstElf", "1.0")
from gi.repository import Gst, GstElf  # noqa: E402

PLAIN = ("frame", "generation", "stage", "trace", "pts_ns", "width", "height", "horizon",
         "horizon_ms", "inferred")


def fields(detection):
    x, y, width, height = detection.get_box()
    found = {
        "id": detection.get_identity(),
        "label": detection.get_label(),
        "label_id": detection.get_label_id(),
        "score": detection.get_score(),
        "box": [x, y, width, height],
        "coasted": detection.is_coasted(),
        "kept": detection.is_kept(),
        "server": detection.get_server(),
        "stage": detection.get_stage(),
    }
    mask, *rect = detection.get_mask()
    if mask:
        found["mask"] = {"rect": rect, "pixels": list(mask.get_data())}
    if detection.get_n_keypoints():
        found["keypoints"] = [list(detection.get_keypoint(i))
                              for i in range(detection.get_n_keypoints())]
    rotated, *numbers = detection.get_rotated_box()
    if rotated:
        found["rotated"] = numbers
    return found


def on_frame(_pad, info):
    detections = GstElf.buffer_get_detections(info.get_buffer(), GstElf.ALL_STAGES)
    buffers.append([fields(detection) for detection in detections])
    return Gst.PadProbeReturn.OK


messages, buffers = [], []
Gst.init(None)
pipeline = GstElf.pipeline_new(sys.argv[1], sys.argv[2:])
pipeline.get_by_name("last").get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, on_frame)
pipeline.set_state(Gst.State.PLAYING)
bus = pipeline.get_bus()
ends = Gst.MessageType.EOS | Gst.MessageType.ERROR
while True:
    message = bus.timed_pop_filtered(Gst.CLOCK_TIME_NONE, ends | Gst.MessageType.ELEMENT)
    if message.type == Gst.MessageType.ERROR:
        sys.exit(message.parse_error()[0].message)
    if message.type == Gst.MessageType.EOS:
        break
    if message.has_name("elf-result"):
        result = message.get_structure()
        detections = GstElf.message_get_detections(message, GstElf.ALL_STAGES)
        plain = {name: result.get_value(name) for name in PLAIN}
        del result, message  # detections do not need them
        messages.append(plain | {"detections": [fields(detection) for detection in detections]})
pipeline.set_state(Gst.State.NULL)
print(json.dumps({"messages": messages, "buffers": buffers}))
