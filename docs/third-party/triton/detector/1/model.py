# SPDX-License-Identifier: LGPL-2.1-or-later
"""Triton's Python backend around elf_detector.Detector; config.pbtxt names the class."""

import json

import triton_python_backend_utils as pb

import elf_detector


class TritonPythonModel:
    def initialize(self, args):
        parameters = json.loads(args["model_config"])["parameters"]
        self._detector = elf_detector.Detector(parameters["class"]["string_value"])

    def execute(self, requests):
        return [self._answer(request) for request in requests]

    def _answer(self, request):
        image = pb.get_input_tensor_by_name(request, "image").as_numpy()
        # BYTES come as an array of bytes objects.
        picture = image.flat[0] if image.dtype == object else image
        try:
            outputs = self._detector.infer(picture)
        except ValueError as error:
            return pb.InferenceResponse(error=pb.TritonError(str(error)))
        return pb.InferenceResponse([pb.Tensor(name, array) for name, array in outputs.items()])
