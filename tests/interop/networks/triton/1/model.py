# SPDX-License-Identifier: LGPL-2.1-or-later
"""Triton's Python backend with an ONNX file as it is: its wheel lacks the backend for these."""

import json
import sys

import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    def initialize(self, args):
        parameters = json.loads(args["model_config"])["parameters"]
        # The backend's Python sees no environment.
        sys.path.append(parameters["packages"]["string_value"])
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        file = parameters["file"]["string_value"]
        self._session = onnxruntime.InferenceSession(file, options)

    def execute(self, requests):
        return [self._answer(request) for request in requests]

    def _answer(self, request):
        inputs = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
        names = request.requested_output_names()
        arrays = self._session.run(names, inputs)
        return pb.InferenceResponse(
            [pb.Tensor(n, np.ascontiguousarray(a)) for n, a in zip(names, arrays)]
        )
