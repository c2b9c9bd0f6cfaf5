# SPDX-License-Identifier: LGPL-2.1-or-later
"""An MLServer runtime around elf_detector.Detector; model-settings.json names the class."""

from mlserver import MLModel
from mlserver.codecs import Base64Codec, NumpyCodec
from mlserver.errors import InferenceError
from mlserver.types import Datatype, InferenceRequest, InferenceResponse

import elf_detector


class ElfRuntime(MLModel):
    async def load(self) -> bool:
        self._detector = elf_detector.Detector(self.settings.parameters.extra["class"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        image = payload.inputs[0]
        # MLServer has no binary tensors over HTTP: elfoffload sends a JPEG as base64.
        if Datatype(image.datatype) is Datatype.BYTES:
            picture = Base64Codec.decode_input(image)[0]
        else:
            picture = NumpyCodec.decode_input(image)
        try:
            outputs = self._detector.infer(picture)
        except ValueError as error:
            raise InferenceError(str(error)) from error
        return InferenceResponse(
            id=payload.id,
            model_name=self.name,
            model_version=self.version,
            outputs=[NumpyCodec.encode_output(name, array) for name, array in outputs.items()],
        )
