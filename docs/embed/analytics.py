#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a pipeline and prints what Elf found in each frame, from GStreamer's analytics metas.

usage: analytics.py ELEMENT ...

ELEMENT ... is a pipeline as gst-launch-1.0 takes it, with an elfmerge. Needs GStreamer 1.26 or newer
with its Python bindings (Debian: python3-gst-1.0 and gir1.2-gst-plugins-bad-1.0).
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstAnalytics", "1.0")
from gi.repository import GLib, Gst, GstAnalytics  # noqa: E402


def related(meta, mtd, kind):
    """The first one of that kind that `mtd` is related to, or None."""
    for other in meta:
        if isinstance(other, kind) and (
            meta.get_relation(mtd.id, other.id) & GstAnalytics.RelTypes.RELATE_TO
        ):
            return other
    return None


def describe(meta, detection):
    _, x, y, width, height, score = detection.get_location()
    text = f"{GLib.quark_to_string(detection.get_obj_type())} {score:.2f} at {x},{y} {width}x{height}"
    if track := related(meta, detection, GstAnalytics.TrackingMtd):
        _, identity, first, last, lost = track.get_info()
        text += f", object {identity}"
        if first != Gst.CLOCK_TIME_NONE:
            text += f" seen from {first / Gst.SECOND:.2f} s to {last / Gst.SECOND:.2f} s"
        if lost:
            text += ", expected"
    if mask := related(meta, detection, GstAnalytics.SegmentationMtd):
        pixels, *_ = mask.get_mask()
        data = pixels.extract_dup(0, pixels.get_size())
        text += f", {sum(byte != 0 for byte in data)} pixels"
    return text


class Printer:
    frames = 0

    def on_frame(self, _pad, info):
        meta = GstAnalytics.buffer_get_analytics_relation_meta(info.get_buffer())
        for mtd in meta or ():
            if isinstance(mtd, GstAnalytics.ODMtd):
                print(f"frame {self.frames}: {describe(meta, mtd)}")
        self.frames += 1
        return Gst.PadProbeReturn.OK


def elements_of(pipeline, factory):
    found = []
    pipeline.iterate_all_by_element_factory_name(factory).foreach(found.append)
    return found


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print(__doc__.strip())
        return 0 if len(sys.argv) > 1 else 2
    Gst.init(None)
    try:
        pipeline = Gst.parse_launchv(sys.argv[1:])
    except GLib.Error as error:
        print(f"analytics.py: {error.message}", file=sys.stderr)
        return 1
    merges = elements_of(pipeline, "elfmerge")
    if not merges:
        print("analytics.py: the pipeline has no elfmerge", file=sys.stderr)
        return 1
    printer = Printer()
    merges[0].get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, printer.on_frame)
    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(
        Gst.CLOCK_TIME_NONE, Gst.MessageType.EOS | Gst.MessageType.ERROR
    )
    status = 0
    if message.type == Gst.MessageType.ERROR:
        print(f"analytics.py: {message.parse_error()[0].message}", file=sys.stderr)
        status = 1
    pipeline.set_state(Gst.State.NULL)
    return status


if __name__ == "__main__":
    sys.exit(main())
