# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes networks of random weights behave like trained ones.

Untrained, each layer passes on less than it got, all scores of a class are the same, and boxes
are of no size: nothing a decoder could be tested with. Here the statistics of the normalising
layers are those of a picture, and the last layers are scaled until some tens of scores are high.
"""

import cv2
import numpy as np
import torch
from torch import nn

import pictures


def batch(size: tuple[int, int], scale=1 / 255) -> torch.Tensor:
    """The made picture of a width and a height, and the big one fitted in between grey borders."""
    width, height = size
    big = pictures.make(*pictures.BIG)
    factor = min(width / big.shape[1], height / big.shape[0])
    fitted = cv2.resize(big, (round(big.shape[1] * factor), round(big.shape[0] * factor)))
    top, left = (height - fitted.shape[0]) // 2, (width - fitted.shape[1]) // 2
    framed = np.full((height, width, 3), 114, dtype=np.uint8)
    framed[top : top + fitted.shape[0], left : left + fitted.shape[1]] = fitted
    both = np.stack([pictures.make(width, height), framed])
    return torch.from_numpy(both.astype(np.float32)).permute(0, 3, 1, 2) * scale


@torch.no_grad()
def normalise(model: nn.Module, run) -> None:
    """Gives batch normalisations the statistics of what `run()` feeds the model."""
    layers = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    model.eval()
    for layer in layers:
        layer.momentum = 1.0
        layer.train()
    run()
    for layer, momentum in zip(layers, momenta):
        layer.momentum = momentum
    model.eval()


@torch.no_grad()
def outputs_of(layers, run, channels) -> torch.Tensor:
    """All that the layers give in `run()` in these channels: a row for each picture."""
    given = []

    def keep(layer, _, output):
        # One layer may serve several levels.
        rows = output.movedim(1, -1) if isinstance(layer, nn.Conv2d) else output
        given.append(rows[..., channels].reshape(2, -1).clone())

    hooks = [layer.register_forward_hook(keep) for layer in layers]
    run()
    for hook in hooks:
        hook.remove()
    return torch.cat(given, dim=1)


@torch.no_grad()
def affine(layers, scale: float, shift: float, channels=slice(None)) -> None:
    """What the layers give times `scale`, plus `shift`."""
    for layer in layers:
        layer.weight.data[channels] *= scale
        layer.bias.data[channels] = layer.bias.data[channels] * scale + shift


def spread(layers, run, mean: float, deviation: float, limit: float, channels=slice(None)) -> None:
    """Gives what the layers give this mean, and this deviation or less: nothing is off by more than `limit`."""
    values = outputs_of(layers, run, channels)
    middle = values.mean().item()
    scale = min(deviation / values.std().item(), limit / (values - middle).abs().max().item())
    affine(layers, scale, mean - scale * middle, channels)


def rank(layers, run, high: int, low: int, channels=slice(None), top=0.0, bottom=-2.2) -> None:
    """Makes the `high`-th of a picture's logits about `top`, and the `low`-th about `bottom`."""
    values = outputs_of(layers, run, channels).sort(descending=True).values
    high_value, low_value = values[:, high].mean().item(), values[:, low].mean().item()
    scale = (top - bottom) / (high_value - low_value)
    affine(layers, scale, top - scale * high_value, channels)
