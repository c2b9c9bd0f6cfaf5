#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""KServe's Python server with an elf_detector.Detector.

usage: serve.py --model_name NAME --detector package.module:Class [KServe's own options]
"""

import argparse
import base64

import kserve
from kserve.errors import InvalidInput

import elf_detector


class ElfModel(kserve.Model):
    def __init__(self, name: str, detector: str):
        super().__init__(name)
        self._detector = elf_detector.Detector(detector)
        self.ready = True

    def get_input_types(self):
        return elf_detector.INPUTS

    def get_output_types(self):
        return elf_detector.OUTPUTS

    def predict(self, payload, headers=None, response_headers=None):
        image = payload.inputs[0]
        # KServe's server takes bytes for UTF-8 text: elfoffload sends a JPEG as base64.
        if image.datatype == "BYTES":
            picture = base64.b64decode(image.as_numpy().flat[0])
        else:
            picture = image.as_numpy()
        try:
            arrays = self._detector.infer(picture)
        except ValueError as error:
            raise InvalidInput(str(error)) from error
        outputs = []
        for spec in elf_detector.OUTPUTS:
            array = arrays[spec["name"]]
            output = kserve.InferOutput(spec["name"], list(array.shape), spec["datatype"])
            output.set_data_from_numpy(array, binary_data=False)
            outputs.append(output)
        return kserve.InferResponse(
            response_id=payload.id, model_name=self.name, infer_outputs=outputs
        )


def main():
    parser = argparse.ArgumentParser(parents=[kserve.model_server.parser])
    parser.add_argument("--detector", required=True)
    arguments = parser.parse_args()
    kserve.ModelServer().start([ElfModel(arguments.model_name, arguments.detector)])


if __name__ == "__main__":
    main()
