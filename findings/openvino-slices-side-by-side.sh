#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# One would guess: OpenVINO reads a valid ONNX graph that gathers from slices lying side by side, or says what it lacks.
# What is so: it gives the gather behind the first slice the whole tensor, and refuses that; strided slices are read.
# Versions: openvino 2026.4.1, onnx 1.22.0 of PyPI. So it refuses YOLO26 exported end to end with masks or joints.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openvino==2026.4.1 onnx==1.22.0
"$folder/venv/bin/python" - "$folder/graph.onnx" <<'PYTHON'
import sys

import numpy as np
import onnx
import openvino as ov
import openvino.opset13 as ops
from onnx import TensorProto, helper, numpy_helper

path = sys.argv[1]
places = np.array([5, 2, 7])
widths = (4, 5)


def whole_numbers(name, values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


# x, transposed, is 20 rows of 9 numbers: rows 5, 2 and 7 of the first four and of the other five.
nodes = [helper.make_node("Transpose", ["x"], ["rows"], perm=[0, 2, 1])]
weights = [whole_numbers("axis", [2])]
outputs = []
for i, (begin, width) in enumerate(zip((0, 4), widths)):
    weights += [whole_numbers(f"begin{i}", [begin]), whole_numbers(f"end{i}", [begin + width]),
                whole_numbers(f"places{i}", np.tile(places[None, :, None], (1, 1, width)))]
    nodes += [helper.make_node("Slice", ["rows", f"begin{i}", f"end{i}", "axis"], [f"slice{i}"]),
              helper.make_node("GatherElements", [f"slice{i}", f"places{i}"], [f"y{i}"], axis=1)]
    outputs.append(helper.make_tensor_value_info(f"y{i}", TensorProto.FLOAT, [1, 3, width]))
graph = helper.make_graph(
    nodes, "slices", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 9, 20])], outputs,
    weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
onnx.checker.check_model(model, full_check=True)
onnx.save(model, path)

core = ov.Core()
refused = False
try:
    core.compile_model(path, "CPU")
except RuntimeError as error:
    refused = "are not consistent" in str(error)
print("openvino", ov.get_version())
print("slices as they are:", "refused" if refused else "compiled")

own = core.read_model(path)
for op in own.get_ordered_ops():
    if op.get_type_name() == "Slice":
        data, begin, end = (op.input(i).get_source_output() for i in range(3))
        last = [np.array([0, 0, int(o.get_node().get_data()[0])]) for o in (begin, end)]
        strided = ops.strided_slice(data, *last, np.ones(3, np.int64), [1, 1, 0], [1, 1, 0])
        for reader in list(op.output(0).get_target_inputs()):
            reader.replace_source_output(strided.output(0))
x = np.arange(180, dtype=np.float32).reshape(1, 9, 20)
found = core.compile_model(own, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(x)
rows = x.transpose(0, 2, 1)[:, places]
right = np.array_equal(found[0], rows[..., :4]) and np.array_equal(found[1], rows[..., 4:])
print("strided slices:", "right" if right else "wrong")
sys.exit(not (refused and right))
PYTHON
