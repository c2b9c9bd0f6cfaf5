#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that no file of lib, gst and plugins is longer than can be read at a sitting.

usage: sizes.py [CHECKOUT]
"""
import checkout

LINES = 600


def check(root):
    lengths = {file.as_posix(): len((root / file).read_bytes().splitlines())
               for file in checkout.files(root) if file.parts[0] in ("lib", "gst", "plugins")}
    known = checkout.Known(root, "sizes")
    return (list(known.compare(lengths, LINES)),
            f"{len(lengths)} files, none but {len(known.allowed)} of more than {LINES} lines")


if __name__ == "__main__":
    checkout.run(check)
