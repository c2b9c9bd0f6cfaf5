#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Coverage against area of RPs, predictor by predictor, as a picture.

Runs elf-eval (of $PATH) at many wanted coverages. Needs Debian's python3-matplotlib.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "elf", "svg.fonttype": "none"})
import matplotlib.pyplot as plt

WANTED = (0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995, 0.999)
SETTINGS = ((0, 0), (0.1, 2))
HORIZONS = range(1, 6)
AREAS = (0.1, 0.2, 0.3, 0.5, 1, 2, 4)


def evaluate(data, frame_size, predictor, weights, setting, wanted):
    """The horizons of one run of elf-eval."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        command = ["elf-eval", "rp", "--data", data, "--predictor", predictor,
                   "--miss", str(setting[0]), "--jitter", str(setting[1]),
                   "--coverage", str(wanted), "--json", result]
        if weights:
            command += ["--checkpoint", weights]
        if frame_size:
            command += ["--frame-size", frame_size]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return json.loads(result.read_text())["horizons"]


def area_at(curve, coverage):
    """Of the straight line between the two nearest points of a curve; None outside of it."""
    for (c0, a0), (c1, a1) in zip(curve, curve[1:]):
        if c0 <= coverage <= c1:
            return a1 if c1 == c0 else a0 + (a1 - a0) * (coverage - c0) / (c1 - c0)
    return None


def most_of(curve, rival):
    """Largest share of the rival's area that is needed for what it covers, and for how much."""
    shares = [(area_at(curve, c) / a, c) for c, a in rival if area_at(curve, c) is not None]
    return max(shares, default=(float("nan"), float("nan")))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="what elf-eval takes as --data")
    parser.add_argument("output", help="the picture, SVG")
    parser.add_argument("--frame-size", help="as elf-eval's")
    parser.add_argument("--weights", help="of the predictor default, as elf-eval's --checkpoint")
    options = parser.parse_args()

    predictors = {"default": options.weights, "velocity": None, "kalman": None}
    jobs = [(predictor, setting, wanted)
            for predictor in predictors for setting in SETTINGS for wanted in WANTED]
    with ThreadPoolExecutor(2) as pool:
        results = dict(zip(jobs, pool.map(
            lambda job: evaluate(options.data, options.frame_size, job[0], predictors[job[0]],
                                 *job[1:]), jobs)))

    def curve(predictor, setting, horizon):
        points = [results[predictor, setting, wanted][str(horizon)] for wanted in WANTED]
        return sorted((point["coverage"], point["area"]) for point in points)

    figure, axes = plt.subplots(len(SETTINGS), len(HORIZONS), figsize=(15, 6.5), sharey=True)
    above = True
    for row, setting in zip(axes, SETTINGS):
        for axis, horizon in zip(row, HORIZONS):
            own = curve("default", setting, horizon)
            for predictor in predictors:
                coverages, areas = zip(*curve(predictor, setting, horizon))
                axis.plot(areas, coverages, marker=".", label=predictor)
            axis.set_title(f"{horizon} frame{'s' if horizon > 1 else ''} ahead")
            axis.set_xscale("log")
            axis.set_xticks(AREAS, [f"{area:g}" for area in AREAS], fontsize=8)
            axis.set_xticks([], minor=True)
            axis.grid(alpha=0.3)
            for rival in ("velocity", "kalman"):
                share, coverage = most_of(own, curve(rival, setting, horizon))
                above = above and share < 1
                print(f"miss {setting[0]:g}, jitter {setting[1]:g}, horizon {horizon}: at most "
                      f"{share:.3f} of the area of {rival}, at coverage {coverage:.3f}")
        row[0].set_ylabel(f"{setting[0]:.0%} missed, {setting[1]} px of jitter\ncoverage")
    for axis in axes[-1]:
        axis.set_xlabel("area of all RPs, in frames")
    axes[0][0].legend()
    figure.tight_layout()
    figure.savefig(options.output, metadata={"Date": None})
    print("default is above both everywhere" if above else "default is not above both everywhere")
    return 0 if above else 1


if __name__ == "__main__":
    sys.exit(main())
