# SPDX-License-Identifier: LGPL-2.1-or-later
"""KServe's Python server, on loopback alone, with an ONNX file as it is: it knows nothing of Elf.

usage: kserve_network.py --model_name NAME --file FILE.onnx [--binary] [--tells] [KServe's options]
"""

import argparse

import kserve
import numpy as np
import onnxruntime
import uvicorn
from kserve.utils.numpy_codec import from_np_dtype

TYPES = {
    "tensor(float)": "FP32",
    "tensor(float16)": "FP16",
    "tensor(int64)": "INT64",
    "tensor(uint8)": "UINT8",
}


class Config(uvicorn.Config):
    def __init__(self, app, host, **more):
        super().__init__(app, host="127.0.0.1", **more)


class Network(kserve.Model):
    def __init__(self, name: str, file: str, binary: bool, tells: bool):
        super().__init__(name)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(file, options)
        self._binary, self._tells = binary, tells
        self.ready = True

    # A plain model tells nothing of its tensors.
    def get_input_types(self):
        return self._described(self._session.get_inputs())

    def get_output_types(self):
        return self._described(self._session.get_outputs())

    def _described(self, tensors):
        return [
            {
                "name": tensor.name,
                "datatype": TYPES[tensor.type],
                "shape": [side if isinstance(side, int) else -1 for side in tensor.shape],
            }
            for tensor in tensors
            if self._tells
        ]

    def predict(self, payload, headers=None, response_headers=None):
        wanted = [output.name for output in payload.request_outputs or []] or None
        arrays = self._session.run(wanted, {i.name: i.as_numpy() for i in payload.inputs})
        names = wanted or [output.name for output in self._session.get_outputs()]
        outputs = []
        for name, array in zip(names, arrays):
            datatype = from_np_dtype(array.dtype)
            output = kserve.InferOutput(name, list(array.shape), datatype)
            output.set_data_from_numpy(np.ascontiguousarray(array), binary_data=self._binary)
            outputs.append(output)
        return kserve.InferResponse(
            response_id=payload.id,
            model_name=self.name,
            infer_outputs=outputs,
            use_binary_outputs=self._binary,
            requested_outputs=payload.request_outputs if self._binary else None,
        )


def main():
    uvicorn.Config = Config
    parser = argparse.ArgumentParser(parents=[kserve.model_server.parser])
    parser.add_argument("--file", required=True)
    parser.add_argument("--binary", action="store_true")
    parser.add_argument("--tells", action="store_true")
    arguments = parser.parse_args()
    model = Network(arguments.model_name, arguments.file, arguments.binary, arguments.tells)
    kserve.ModelServer().start([model])


if __name__ == "__main__":
    main()
