#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exports torchvision's Mask R-CNN and Keypoint R-CNN, and says what they find.

usage: torchvision_models.py FOLDER

Their weights are random, always the same ones, so what they find means nothing; it proves loading,
layouts and arithmetic. Writes to FOLDER masks.pt and keypoints.pt, scripted as torchvision's users
do it; masks-traced.pt, a trace that gives a tuple; picture.png; and for each of the two
NAME.json: {"boxes", "scores", "labels"} with "masks", each pixels of the whole picture that are
1 as [y, x], or "keypoints" and "keypoints_scores". Prints the file with torchvision's operators.
Exit code 77: torchvision is not there.
"""

import json
import pathlib
import sys

try:
    import torch
    import torchvision
    from torchvision.models.detection import KeypointRCNN, MaskRCNN
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
except ImportError as error:
    print(error)
    sys.exit(77)

SIZE = (96, 128)  # height, width


class AsTuple(torch.nn.Module):
    def __init__(self, model: torch.nn.Module):
        super().__init__()
        self.model = model

    def forward(self, image: torch.Tensor):
        found = self.model([image[0]])[0]
        return found["boxes"], found["labels"], found["scores"], found["masks"]


def picture() -> torch.Tensor:
    """Soft colours with edges in them, uint8 [3, H, W] in RGB."""
    rows = torch.arange(SIZE[0]).view(1, -1, 1).float()
    columns = torch.arange(SIZE[1]).view(1, 1, -1).float()
    channels = torch.tensor([1.0, 2.0, 3.0]).view(-1, 1, 1)
    waves = 128 + 70 * torch.sin(0.05 * channels * columns) * torch.cos(0.07 * rows)
    waves[:, 30:70, 40:90] += 50
    return waves.clamp(0, 255).to(torch.uint8)


def make(network: type, **options) -> torch.nn.Module:
    torch.manual_seed(6)
    backbone = resnet_fpn_backbone(backbone_name="resnet18", weights=None)
    return network(
        backbone, min_size=SIZE[0], max_size=SIZE[1], box_score_thresh=0.0, box_nms_thresh=0.7,
        box_detections_per_img=8, rpn_post_nms_top_n_test=60, rpn_pre_nms_top_n_test=60,
        **options).eval()


def main() -> int:
    folder = pathlib.Path(sys.argv[1])
    torch.set_num_threads(1)
    image = picture()
    torchvision.io.write_png(image, str(folder / "picture.png"))
    scaled = image.float() / 255
    models = {
        "masks": make(MaskRCNN, num_classes=4),
        "keypoints": make(KeypointRCNN, num_classes=2, num_keypoints=5),
    }
    for name, model in models.items():
        torch.jit.script(model).save(str(folder / f"{name}.pt"))
        with torch.no_grad():
            found = model([scaled])[0]
        if "masks" in found:
            found["masks"] = [(mask[0] >= 0.5).nonzero() for mask in found["masks"]]
        listed = {
            key: [part.tolist() for part in value] if isinstance(value, list) else value.tolist()
            for key, value in found.items()
        }
        (folder / f"{name}.json").write_text(json.dumps(listed))
    with torch.no_grad():
        traced = torch.jit.trace(AsTuple(models["masks"]), scaled.unsqueeze(0), check_trace=False)
    traced.save(str(folder / "masks-traced.pt"))
    print(next(pathlib.Path(torchvision.__file__).parent.glob("_C.*so")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
