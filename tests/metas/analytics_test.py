#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/embed/analytics.py prints the detections that the JSON lines of the same run have.

usage: analytics_test.py ELF_SERVER BLOBS_LIBRARY

Exit code 77: Python has no GstAnalytics, or Elf was built without it.
"""

import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

SKIPPED = 77
EXAMPLE = pathlib.Path(os.environ["ELF_TEST_SOURCE_ROOT"]) / "docs" / "embed" / "analytics.py"
FRAMES = 10


def expected(line: str) -> "list[str]":
    record = json.loads(line)
    found = []
    for d in record["detections"]:
        x0, y0, x1, y1 = d["box"]
        x, y = math.floor(x0), math.floor(y0)
        pixels = sum(d["mask"]["runs"][1::2])
        found.append(f"frame {record['frame']}: {d['label']} {d['score']:.2f} at {x},{y} "
                     f"{math.ceil(x1) - x}x{math.ceil(y1) - y}, object {d['id']} seen from "
                     f"0.00 s to {record['pts_ns'] / 1e9:.2f} s, {pixels} pixels")
    return found


def main() -> int:
    try:
        import gi

        gi.require_version("GstAnalytics", "1.0")
    except (ImportError, ValueError) as error:
        print(f"Python has no GstAnalytics: {error}")
        return SKIPPED
    server = subprocess.Popen([sys.argv[1], "--port", "0", "--model", sys.argv[2]],
                              stdout=subprocess.PIPE, text=True)
    try:
        url = server.stdout.readline().split()[1]
        with tempfile.TemporaryDirectory() as folder:
            results = pathlib.Path(folder) / "results.jsonl"
            line = (f"videotestsrc pattern=ball num-buffers={FRAMES} ! "
                    "video/x-raw,width=320,height=240,framerate=25/1 ! elfrppredict ! "
                    f"elfpartition ! elfoffload servers={url} model=bright_blobs deadline=-1 ! "
                    f"elfmerge metas=analytics results-location={results} ! fakesink")
            shown = subprocess.run([sys.executable, EXAMPLE, *line.split()],
                                   capture_output=True, text=True, timeout=60)
            print(shown.stdout, shown.stderr)
            if "Elf was built without" in shown.stderr:
                return SKIPPED
            lines = results.read_text().splitlines()
    finally:
        server.terminate()
        server.wait()
    wanted = [text for line in lines for text in expected(line)]
    print("\n".join(wanted))
    if shown.returncode != 0 or len(lines) != FRAMES or len(wanted) < FRAMES:
        return 1
    return 0 if shown.stdout.splitlines() == wanted else 1


if __name__ == "__main__":
    sys.exit(main())
