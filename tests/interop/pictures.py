# SPDX-License-Identifier: LGPL-2.1-or-later
"""Made pictures: shapes on a gradient under noise, the same for a size on every machine."""

import pathlib

import cv2
import numpy as np

# Not a network's size: to be fitted in, or stretched.
BIG = (1280, 720)


def make(width: int, height: int) -> np.ndarray:
    """An RGB picture."""
    random = np.random.default_rng(width * 10007 + height)
    across = np.linspace(40, 150, width)[None, :, None]
    down = np.linspace(-30, 60, height)[:, None, None]
    picture = np.ascontiguousarray(np.broadcast_to(across + down, (height, width, 3)), dtype=np.float32)
    for _ in range(24):
        colour = [float(value) for value in random.integers(0, 256, 3)]
        side = min(width, height)
        centre = (int(random.integers(0, width)), int(random.integers(0, height)))
        half = [int(value) for value in random.integers(side // 40 + 2, side // 6, 2)]
        if random.random() < 0.5:
            corner = (centre[0] + half[0], centre[1] + half[1])
            cv2.rectangle(picture, (centre[0] - half[0], centre[1] - half[1]), corner, colour, -1)
        else:
            cv2.ellipse(picture, centre, half, float(random.integers(0, 180)), 0, 360, colour, -1)
    # Grains of a size that lives through scaling.
    grains = random.normal(0, 12, (max(1, height * 160 // width), 160, 3)).astype(np.float32)
    picture += cv2.resize(grains, (width, height), interpolation=cv2.INTER_CUBIC)
    return picture.round().clip(0, 255).astype(np.uint8)


def path(folder: pathlib.Path, width: int, height: int) -> pathlib.Path:
    """The picture's PNG file in `folder`, made where it is missing."""
    file = folder / f"picture-{width}x{height}.png"
    if not file.exists():
        cv2.imwrite(str(file), make(width, height)[..., ::-1])
    return file
