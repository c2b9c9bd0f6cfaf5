#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks which folder includes headers of which: arrows go down only.

usage: arrows.py [CHECKOUT]

- Plugins may use gst and lib, gst may use lib, lib uses neither.
- What is for users never uses research: evaluation, training, elf-bench.
- Plain data (elf/types) uses nothing but elf/base and elf/geometry.
- No folder uses, however indirectly, one that uses it.
"""
import re

import checkout

# From the bottom up. A folder is of the first layer that its name begins with.
LAYERS = [("lib/research", 3), ("lib/", 0), ("gst/bench", 3), ("gst/", 1), ("plugins/", 2)]
INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)
DATA = "lib/elf/types"
UNDER_DATA = {"lib/elf/base", "lib/elf/geometry"}


def layer_of(path):
    return next(layer for start, layer in LAYERS if path.startswith(start))


def arrows(root):
    """(from, to) for each include of a header of another folder, as paths from the checkout."""
    for top in ("lib", "gst", "plugins"):
        for file in sorted((root / top).rglob("*")):
            if file.suffix not in (".h", ".cpp"):
                continue
            for name in INCLUDE.findall(file.read_text()):
                for start in ("", "lib/"):
                    if (root / start / name).is_file():
                        yield file.relative_to(root).as_posix(), start + name


def folder(path):
    return path.rsplit("/", 1)[0]


def circles(uses):
    """Each folder that uses itself by way of others, with that way."""
    for start in sorted(uses):
        ways = [[start]]
        seen = set()
        while ways:
            way = ways.pop(0)
            for then in sorted(uses.get(way[-1], ())):
                if then == start:
                    yield way + [start]
                    ways = []
                    break
                if then not in seen:
                    seen.add(then)
                    ways.append(way + [then])


def check(root):
    wrong = []
    uses = {}
    for source, header in arrows(root):
        if layer_of(header) > layer_of(source):
            wrong.append(f"{source}: includes {header}, which lies above it")
        if folder(source) == DATA and folder(header) not in UNDER_DATA | {DATA}:
            wrong.append(f"{source}: includes {header} (plain data may use "
                         f"{' and '.join(sorted(UNDER_DATA))} alone)")
        if folder(source) != folder(header):
            uses.setdefault(folder(source), set()).add(folder(header))
    wrong += [f"{way[0]}: uses itself: {' -> '.join(way)}" for way in circles(uses)]
    if not uses:
        wrong.append(f"{root}: holds no includes")
    return wrong, f"{sum(map(len, uses.values()))} arrows between folders go down"


if __name__ == "__main__":
    checkout.run(check)
