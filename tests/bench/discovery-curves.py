#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long new objects stay undiscovered against the pixels that discovery costs, as a picture.

Runs elf-eval simulate (of $PATH) with the paper's LRC every n-th frame, with scans of different
intervals, and, where there are pictures, with the trigger by change, alone (0) and with either.
Needs Debian's python3-matplotlib.
"""
import argparse
import json
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "elf", "svg.fonttype": "none"})
import matplotlib.pyplot as plt

LRC = tuple(range(1, 11))
SCANS = (2, 3, 4, 5, 8, 12, 20, 40, 80)


def evaluate(common, options):
    """The result of one run of elf-eval."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        subprocess.run(["elf-eval", "simulate", *common, *options, "--json", result], check=True,
                       stdout=subprocess.DEVNULL)
        return json.loads(result.read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", help="the picture, SVG")
    parser.add_argument("data", nargs="+", metavar="TITLE|OPTIONS",
                        help="one panel each: its title, and what elf-eval simulate is given")
    options = parser.parse_args()

    panels = [text.split("|", 1) for text in options.data]
    figure, axes = plt.subplots(2, len(panels), figsize=(6.5 * len(panels), 8), squeeze=False)
    for column, (title, given) in enumerate(panels):
        common = [*given.split(), "--miss", "0", "--jitter", "0", "--no-scale"]
        still = ["--change-threshold", "0"]
        curves = {
            "LRC every n-th frame": [
                (n, ["--scan-interval", "0", "--lrc-interval", str(n), *still]) for n in LRC],
            "scan within K frames": [(k, ["--scan-interval", str(k), *still]) for k in SCANS]}
        if "--frames" in given:
            curves["change, and scan within K frames"] = [
                (k, ["--scan-interval", str(k)]) for k in (0, *SCANS)]
            curves["change, and LRC every n-th frame"] = [
                (n, ["--scan-interval", "0", "--lrc-interval", str(n)]) for n in (0, *LRC)]
        for name, runs in curves.items():
            with ThreadPoolExecutor(2) as pool:
                results = list(pool.map(lambda run: evaluate(common, run[1]), runs))
            extra = [result["pixels"]["discovery"] for result in results]
            delays = [result["appeared"]["delay"]["mean"] for result in results]
            f1s = [result["accuracy"]["f1"] for result in results]
            for axis, values in zip(axes[:, column], (delays, f1s)):
                points = sorted(zip(extra, values, [label for label, _ in runs]))
                axis.plot([x for x, _, _ in points], [y for _, y, _ in points], marker=".",
                          label=name)
                for x, y, label in points:
                    axis.annotate(label, (x, y), fontsize=7, xytext=(3, 3),
                                  textcoords="offset points")
            for (label, _), result in zip(runs, results):
                appeared = result["appeared"]
                print(f"{title}, {name}, {label}: {result['pixels']['discovery']:.3f} of a frame, "
                      f"{appeared['delay']['mean']:.2f} frames, {appeared['never_found']} of "
                      f"{appeared['objects']} never found, F1 {result['accuracy']['f1']:.3f}")
        axes[0][column].set_title(title)
        axes[0][column].set_yscale("log")
        for axis in axes[:, column]:
            axis.set_xscale("log")
            axis.set_xlabel("extra pixels for a frame, in frames")
            axis.grid(alpha=0.3, which="both")
    axes[0][0].set_ylabel("frames until a new object is reported, mean")
    axes[1][0].set_ylabel("F1 of all objects")
    axes[1][-1].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(options.output, metadata={"Date": None})


if __name__ == "__main__":
    main()
