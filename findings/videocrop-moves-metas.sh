#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# One would guess: videocrop moves and clips both kinds of meta, and drops what is outside of the picture that is left.
# What is so: it drops a region of interest that is still visible to three quarters, and keeps a detection that is outside.
# Versions: GStreamer 1.28.8 (sid). 1.26.2 (Debian 13) drops both always.
set -euo pipefail

/usr/bin/python3 - <<'PYTHON'
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstAnalytics", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import GLib, Gst, GstAnalytics, GstApp, GstVideo  # noqa: E402

WIDTH, HEIGHT = 640, 480
BOX = (100, 50, 200, 100)


def cropped(left):
    """The region of interest and the detection, as x, y, width, height or None, without `left` columns."""
    pipeline = Gst.parse_launch(
        f'appsrc name=in format=time caps="video/x-raw,format=BGRx,width={WIDTH},height={HEIGHT},'
        f'framerate=10/1" ! videocrop left={left} ! appsink name=out sync=false')
    source, sink = pipeline.get_by_name("in"), pipeline.get_by_name("out")
    pipeline.set_state(Gst.State.PLAYING)
    frame = Gst.Buffer.new_wrapped(bytes(WIDTH * HEIGHT * 4))
    frame.pts = 0
    GstVideo.buffer_add_video_region_of_interest_meta(frame, "box", *BOX)
    GstAnalytics.buffer_add_analytics_relation_meta(frame).add_od_mtd(
        GLib.quark_from_string("box"), *BOX, 0.5)
    source.push_buffer(frame)
    source.end_of_stream()
    buffer = sink.pull_sample().get_buffer()
    region = GstVideo.buffer_get_video_region_of_interest_meta_id(buffer, 0)
    analytics = GstAnalytics.buffer_get_analytics_relation_meta(buffer)
    detection = next(iter(analytics or ()), None)
    found = (region and (region.x, region.y, region.w, region.h),
             detection and tuple(detection.get_location())[1:5])
    pipeline.set_state(Gst.State.NULL)
    return found


Gst.init(None)
print(f"{Gst.version_string()}, a box of {BOX[2]}x{BOX[3]} at {BOX[0]},{BOX[1]}")
found = {left: cropped(left) for left in (40, 150, 400)}
for left, (region, detection) in found.items():
    print(f"left={left}: region of interest {region}, detection {detection}")
sys.exit(tuple(Gst.version())[:2] != (1, 28) or found[40][0] != (60, 50, 200, 100)
         or found[150][0] is not None or found[400][1] != (-299, 50, 200, 100))
PYTHON
