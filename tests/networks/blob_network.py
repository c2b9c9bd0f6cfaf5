#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes an ONNX file whose network finds what is bright in a picture, as one object.

It takes `images`, 1 x 3 x SIDE x SIDE of 0 to 1, and gives `output0`, 1 x 6 x N, as Ultralytics
exports YOLOv8: centre and size in pixels, and the scores of two classes, of which the second one is
never seen. The object is in the first column, its box tight, its score 0.9.

usage: blob_network.py FILE SIDE [FP32|FP16]
"""

import struct
import sys

# Numbers of fields and values of the format: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
TYPES = {"FP32": (1, "f"), "UINT8": (2, "B"), "INT64": (7, "q"), "FP16": (10, "e")}
ATTRIBUTE_INT, ATTRIBUTE_INTS = 2, 7


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def block(field: int, content: "bytes | str") -> bytes:
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(content)) + content


def value_info(name: str, datatype: str, shape) -> bytes:
    """An extent with a name is any number."""
    dims = b"".join(
        block(1, block(2, extent) if isinstance(extent, str) else number(1, extent)) for extent in shape
    )
    return block(1, name) + block(2, block(1, number(1, TYPES[datatype][0]) + block(2, dims)))


class Graph:
    def __init__(self, datatype: str):
        self.nodes, self.constants = b"", b""
        self._datatype = datatype
        self._count = 0

    def constant(self, shape, values, datatype="") -> str:
        self._count += 1
        name = f"c{self._count}"
        kind, letter = TYPES[datatype or self._datatype]
        data = struct.pack(f"<{len(values)}{letter}", *values)
        dims = b"".join(number(1, extent) for extent in shape)
        self.constants += block(5, dims + number(2, kind) + block(8, name) + block(9, data))
        return name

    def node(self, kind: str, inputs, output="", **attributes) -> str:
        self._count += 1
        output = output or f"t{self._count}"
        content = b"".join(block(1, name) for name in inputs) + block(2, output)
        content += block(3, f"n{self._count}") + block(4, kind)
        for name, value in attributes.items():
            if isinstance(value, int):
                told = number(3, value) + number(20, ATTRIBUTE_INT)
            else:
                told = b"".join(number(8, each) for each in value) + number(20, ATTRIBUTE_INTS)
            content += block(5, block(1, name) + told)
        self.nodes += block(1, content)
        return output


def blob_network(side: int, datatype: str) -> bytes:
    cells = sum((side // stride) ** 2 for stride in (8, 16, 32))
    graph = Graph(datatype)

    def scalar(value: float) -> str:
        return graph.constant([1, 1, 1, 1], [value])

    mean = graph.constant([1, 3, 1, 1], [1 / 3] * 3)
    grey = graph.node("Conv", ["images", mean], kernel_shape=[1, 1])
    above = graph.node("Sub", [grey, scalar(0.5)])
    steep = graph.node("Mul", [above, scalar(50)])
    # Between 0 and 1 without Clip, whose limits OpenCV 4.6 does not read as inputs.
    over = graph.node("Relu", [graph.node("Sub", [steep, scalar(1)])])
    bright = graph.node("Sub", [graph.node("Relu", [steep]), over])

    def ends(kernel, shape):
        """How far the object reaches from the left or upper side, and from the other one."""
        line = graph.node("MaxPool", [bright], kernel_shape=[side + 1 - k for k in kernel])
        reach = [
            graph.node(
                "MaxPool",
                [graph.node("Mul", [line, graph.constant(shape, counted)])],
                kernel_shape=kernel,
            )
            for counted in (list(range(1, side + 1)), list(range(side, 0, -1)))
        ]
        return reach[0], graph.node("Sub", [scalar(side), reach[1]])

    (x1, x0), (y1, y0) = ends([1, side], [1, 1, 1, side]), ends([side, 1], [1, 1, side, 1])
    score = graph.node("MaxPool", [bright], kernel_shape=[side, side])
    column = graph.node(
        "Concat",
        [
            *(graph.node("Mul", [graph.node("Add", s), scalar(0.5)]) for s in ([x0, x1], [y0, y1])),
            graph.node("Sub", [x1, x0]),
            graph.node("Sub", [y1, y0]),
            graph.node("Mul", [score, scalar(0.9)]),
            graph.node("Mul", [score, scalar(0)]),
        ],
        axis=1,
    )
    flat = graph.node("Reshape", [column, graph.constant([3], [1, 6, 1], "INT64")])
    nothing = graph.constant([1, 6, cells - 1], [0] * (6 * (cells - 1)))
    graph.node("Concat", [flat, nothing], output="output0", axis=2)

    content = graph.nodes + block(2, "blob") + graph.constants
    content += block(11, value_info("images", datatype, [1, 3, side, side]))
    content += block(12, value_info("output0", datatype, [1, 6, cells]))
    return number(1, 6) + block(2, "elf") + block(7, content) + block(8, number(2, 11))


def main():
    name, side, datatype = (*sys.argv[1:], "FP32")[:3]
    with open(name, "wb") as file:
        file.write(blob_network(int(side), datatype))


if __name__ == "__main__":
    main()
