# SPDX-License-Identifier: LGPL-2.1-or-later
"""A detector of the Elf paper's Python interface, as the tensors of docs/wire.md.

The interface is a class whose constructor calls `create_model()`, and that has `run(image)` and
`extract_rps(result)`; `image` is BGR, `extract_rps` returns x0, y0, x1, y1 in its pixels, a row for
each object. The interface itself knows no scores and no classes: `extract_scores(result)` and
`extract_labels(result)`, each a list of numbers in the same order, are called where the class has
them; else each score is 1 and each label 0. `render` and `merge` are the client's work, done by
elfmerge.
"""

import importlib

import cv2
import numpy as np

INPUTS = [{"name": "image", "datatype": "BYTES", "shape": [1]}]
OUTPUTS = [
    {"name": "boxes", "datatype": "FP32", "shape": [-1, 4]},
    {"name": "scores", "datatype": "FP32", "shape": [-1]},
    {"name": "labels", "datatype": "INT64", "shape": [-1]},
]


class Detector:
    """One instance serves one thread at a time."""

    def __init__(self, name: str):
        """Makes an object of the class that `name`, such as "package.module:Class", names."""
        module, _, class_name = name.partition(":")
        self._model = getattr(importlib.import_module(module), class_name)()

    def infer(self, image: "bytes | np.ndarray") -> "dict[str, np.ndarray]":
        """The outputs, by name, for a JPEG or PNG file, or for UINT8 [1,H,W,3] in RGB.

        Raises ValueError where `image` is none of them.
        """
        result = self._model.run(_bgr(image))
        boxes = np.asarray(self._model.extract_rps(result), np.float32).reshape(-1, 4)
        return {
            "boxes": boxes,
            "scores": self._values("extract_scores", result, np.ones(len(boxes)), np.float32),
            "labels": self._values("extract_labels", result, np.zeros(len(boxes)), np.int64),
        }

    def _values(self, method: str, result, default: np.ndarray, dtype) -> np.ndarray:
        extract = getattr(self._model, method, None)
        return np.asarray(extract(result) if extract else default, dtype).reshape(len(default))


def _bgr(image: "bytes | np.ndarray") -> np.ndarray:
    if isinstance(image, bytes):
        # Boxes are in pixels of the file, however it says it is to be turned.
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        picture = cv2.imdecode(np.frombuffer(image, np.uint8), flags) if image else None
        if picture is None:
            raise ValueError("image: is no JPEG or PNG file")
        return picture
    if image.dtype != np.uint8 or image.ndim != 4 or image.shape[0] != 1 or image.shape[3] != 3:
        raise ValueError("image: is no UINT8 [1,H,W,3]")
    return np.ascontiguousarray(image[0, :, :, ::-1])
