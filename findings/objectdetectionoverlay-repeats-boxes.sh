#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# One would guess: objectdetectionoverlay draws the detections in the analytics meta of a frame, and nothing where there is none.
# What is so: on frames without a meta it draws the boxes of the last one that had one; an empty meta ends them.
# Versions: for ever in GStreamer 1.26.2 (Debian 13); for a second, `expire-overlay`, in 1.28.8 (sid).
set -euo pipefail

/usr/bin/python3 - <<'PYTHON'
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstAnalytics", "1.0")
gi.require_version("GstApp", "1.0")
from gi.repository import GLib, Gst, GstAnalytics, GstApp  # noqa: E402

FRAMES, SIDE = 14, 64  # ten a second


def drawn(empty_metas):
    """Which of a black video's frames have pixels drawn in; the first one has a box."""
    pipeline = Gst.parse_launch(
        f'appsrc name=in format=time caps="video/x-raw,format=BGRx,width={SIDE},height={SIDE},'
        'framerate=10/1,interlace-mode=progressive,colorimetry=sRGB,pixel-aspect-ratio=1/1"'
        " ! videoconvert ! objectdetectionoverlay draw-labels=false ! video/x-raw"
        " ! appsink name=out sync=false")
    source, sink = pipeline.get_by_name("in"), pipeline.get_by_name("out")
    pipeline.set_state(Gst.State.PLAYING)
    for n in range(FRAMES):
        frame = Gst.Buffer.new_wrapped(bytes(SIDE * SIDE * 4))
        frame.pts, frame.duration = n * Gst.SECOND // 10, Gst.SECOND // 10
        if n == 0 or empty_metas:
            meta = GstAnalytics.buffer_add_analytics_relation_meta(frame)
        if n == 0:
            meta.add_od_mtd(GLib.quark_from_string("box"), 10, 10, 30, 30, 0.5)
        source.push_buffer(frame)
    source.end_of_stream()
    found = []
    while sample := sink.pull_sample():
        pixels = sample.get_buffer().extract_dup(0, SIDE * SIDE * 4)
        found.append(any(pixels[i:i + 3] != b"\0\0\0" for i in range(0, len(pixels), 4)))
    pipeline.set_state(Gst.State.NULL)
    return found


Gst.init(None)
version = tuple(Gst.version())[:2]
without, empty = drawn(False), drawn(True)
print(Gst.version_string())
print("frames with a box drawn in, the others without a meta:", without.count(True), "of", FRAMES)
print("the same, the others with an empty one:", empty.count(True), "of", FRAMES)
expected = {(1, 26): FRAMES, (1, 28): 10}.get(version)
sys.exit(without.count(True) != expected or without[0] is not True or empty.count(True) != 1)
PYTHON
