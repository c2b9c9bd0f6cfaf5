#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a .pipeline file, prints what Elf found in each frame, and counts people that cross a line.

usage: count_line.py X0,Y0,X1,Y1 NAME|FILE [VARIABLE=VALUE ...]

The line goes from X0,Y0 to X1,Y1 in pixels of the frame. The middle of a box's lower edge counts,
where a person stands. Needs Python's bindings for GStreamer (Debian: python3-gst-1.0).
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstElf", "1.0")
from gi.repository import GLib, Gst, GstElf  # noqa: E402


def right_of(line, point):
    """Whether `point` is to the right for somebody who walks along `line`."""
    (x0, y0), (x1, y1) = line
    return (x1 - x0) * (point[1] - y0) > (y1 - y0) * (point[0] - x0)


def cross(a, b):
    return right_of(a, b[0]) != right_of(a, b[1]) and right_of(b, a[0]) != right_of(b, a[1])


class Counter:
    def __init__(self, line):
        self.line = line
        self.seen = {}  # where each person was seen last
        self.to_the = {"left": 0, "right": 0}

    def add(self, frame, person, place):
        before = self.seen.get(person, place)
        self.seen[person] = place
        if cross(self.line, (before, place)):
            side = "right" if right_of(self.line, place) else "left"
            self.to_the[side] += 1
            print(f"frame {frame}: {person} crosses to the {side}")


class App:
    def __init__(self, pipeline, line):
        self.pipeline = pipeline
        self.counter = Counter(line)
        self.loop = GLib.MainLoop()
        self.error = None
        self.pipeline.iterate_all_by_element_factory_name("elfmerge").foreach(
            lambda merge: merge.set_property("post-messages", True))
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::element", self.on_element_message)
        bus.connect("message::error", self.on_error)
        bus.connect("message::eos", lambda *_: self.loop.quit())

    def on_element_message(self, _bus, message):
        if not message.has_name("elf-result"):
            return
        result = message.get_structure()
        frame = result.get_value("frame")
        # With several stages each posts a message, which repeats what the ones before it found.
        for detection in GstElf.message_get_detections(message, result.get_value("stage")):
            label, identity = detection.get_label(), detection.get_identity()
            x, y, width, height = detection.get_box()
            print(f"frame {frame}: {label} {identity}, {detection.get_score():.2f}, "
                  f"at {x:.1f},{y:.1f}, {width:.1f}x{height:.1f}")
            # A coasted box is only where somebody is expected.
            if label == "person" and not detection.is_coasted():
                self.counter.add(frame, f"{label} {identity}", (x + width / 2, y + height))

    def on_error(self, _bus, message):
        self.error = message.parse_error()[0].message
        self.loop.quit()

    def run(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        try:
            self.loop.run()
        finally:
            self.pipeline.set_state(Gst.State.NULL)


def main():
    if len(sys.argv) < 3:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    Gst.init(None)
    try:
        x0, y0, x1, y1 = map(float, sys.argv[1].split(","))
        pipeline = GstElf.pipeline_new(sys.argv[2], sys.argv[3:])
    except ValueError:
        print("count_line.py: the line is not of the form X0,Y0,X1,Y1", file=sys.stderr)
        return 2
    except GLib.Error as error:
        print(f"count_line.py: {error.message}", file=sys.stderr)
        return 1
    app = App(pipeline, ((x0, y0), (x1, y1)))
    app.run()
    if app.error:
        print(f"count_line.py: {app.error}", file=sys.stderr)
        return 1
    print(f"to the left: {app.counter.to_the['left']}, to the right: {app.counter.to_the['right']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
