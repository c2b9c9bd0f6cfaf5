# SPDX-License-Identifier: LGPL-2.1-or-later
"""An MLServer runtime that runs an ONNX file as it is: it knows nothing of Elf."""

import numpy as np
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Network(MLModel):
    async def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(self.settings.parameters.uri, options)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        inputs = {}
        for given in payload.inputs:
            inputs[given.name] = NumpyCodec.decode_input(given).reshape(given.shape)
        wanted = [output.name for output in payload.outputs or []] or None
        arrays = self._session.run(wanted, inputs)
        names = wanted or [output.name for output in self._session.get_outputs()]
        return InferenceResponse(
            model_name=self.name,
            outputs=[
                NumpyCodec.encode_output(name, np.ascontiguousarray(array))
                for name, array in zip(names, arrays)
            ],
        )
