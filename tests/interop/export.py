#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Detectors of other people's packages as their own exporters write them, with random weights.

usage: export.py FOLDER [NAME ...]

Without names all of NETWORKS. Nothing is downloaded; the same seed gives the same file for the same
versions of the packages.
"""

import dataclasses
import functools
import os
import pathlib
import sys
import tempfile
import typing
import warnings

# Before their packages are read: install nothing, ask no hub.
os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")
warnings.filterwarnings("ignore")

import onnx
import torch
import yaml
from torch import nn

import calibrate

DOTA = (
    "plane;ship;storage tank;baseball diamond;tennis court;basketball court;ground track field;harbor;bridge;"
    "large vehicle;small vehicle;helicopter;roundabout;soccer ball field;swimming pool"
).split(";")


@dataclasses.dataclass(frozen=True)
class Network:
    family: str  # who answers for it in expect.py
    size: tuple[int, int]  # width and height of its input
    make: typing.Callable[[pathlib.Path], None]  # writes the file


# Ultralytics


def ultralytics_model(config: str, classes: list[str] | None):
    """A model of one of the package's configurations, or of a copy with other classes."""
    from ultralytics import RTDETR, YOLO
    from ultralytics.nn.tasks import yaml_model_load

    kind = RTDETR if config.startswith("rtdetr") else YOLO
    if classes is None:
        return kind(f"{config}.yaml")
    content = dict(yaml_model_load(f"{config}.yaml"), nc=len(classes))
    with tempfile.TemporaryDirectory() as folder:
        # The letter of the size is read from the name of the file.
        copy = pathlib.Path(folder) / f"{config}.yaml"
        copy.write_text(yaml.safe_dump(content))
        return kind(str(copy))


def ultralytics_calibrate(model, size) -> None:
    from ultralytics.nn.modules.head import Detect, RTDETRDecoder

    head = model.model[-1]
    run = functools.partial(model, calibrate.batch(size))
    calibrate.normalise(model, run)
    if isinstance(head, Detect):
        for boxes, classes in (("cv2", "cv3"), ("one2one_cv2", "one2one_cv3")):
            if getattr(head, boxes, None) is None:
                continue
            last = [level[-1] for level in getattr(head, boxes)]
            if head.reg_max == 1:
                # Distances to the four sides in steps of the grid: all positive, as trained ones are.
                calibrate.spread(last, run, 4.0, 1.0, 3.5)
            else:
                calibrate.spread(last, run, 0.0, 1.0, 6.0)
            calibrate.rank([level[-1] for level in getattr(head, classes)], run, 15, 300)
        angles = [level[-1] for name in ("cv4", "one2one_cv4") for level in (getattr(head, name, None) or [])]
        if hasattr(head, "ne"):
            calibrate.spread(angles, run, 0.0, 0.8, 2.0)
    elif isinstance(head, RTDETRDecoder):
        # Both last layers are zero at first, and all boxes are the grid's.
        for layer in [head.enc_bbox_head.layers[-1], head.dec_bbox_head[-1].layers[-1]]:
            nn.init.normal_(layer.weight, std=0.05)
            calibrate.spread([layer], run, 0.0, 0.5, 2.0)
        calibrate.rank([head.dec_score_head[-1]], run, 15, 300)


def ultralytics(file: pathlib.Path, config: str, classes=None, size=(640, 640), **arguments) -> None:
    model = ultralytics_model(config, classes)
    ultralytics_calibrate(model.model, size)
    if model.task != "classify":
        model.model.names = dict(enumerate(classes or coco()))
    # The exporter names the file after the configuration, in the current folder.
    before = os.getcwd()
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        os.chdir(folder)
        try:
            written = pathlib.Path(model.export(format="onnx", verbose=False, **arguments)).resolve()
            written.rename(file)
        finally:
            os.chdir(before)


def ultralytics_fp16(file: pathlib.Path) -> None:
    """What `half=True` gives on a GPU: half-precision inputs and outputs too."""
    from onnxruntime.transformers import float16

    ultralytics(file, "yolo11n")
    onnx.save(float16.convert_float_to_float16(onnx.load(file), keep_io_types=False), file)


# YOLOv5 with anchors, of the package `yolov5`


def yolov5(file: pathlib.Path) -> None:
    import yolov5.models
    from yolov5.export import export_onnx
    from yolov5.models.yolo import DetectionModel, Detect

    model = DetectionModel(str(pathlib.Path(yolov5.models.__file__).parent / "yolov5n.yaml"))
    model.names = dict(enumerate(coco()))
    run = functools.partial(model, calibrate.batch((640, 640)))
    calibrate.normalise(model, run)
    head = model.model[-1]
    columns = torch.arange(head.no * head.na) % head.no
    calibrate.spread(head.m, run, 0.0, 1.0, 2.5, columns < 4)
    # Of each anchor's classes about one is likely, and objectness decides.
    calibrate.rank(head.m, run, 20, 1000, columns == 4, top=1.0)
    calibrate.spread(head.m, run, -4.5, 1.5, 8.0, columns > 4)
    model.fuse()
    head.export, head.inplace = True, False
    with legacy_exporter():
        export_onnx(model, torch.zeros(1, 3, 640, 640), file.with_suffix(".pt"), 12, False, False)
    assert isinstance(head, Detect) and file.exists()


def coco() -> list[str]:
    from ultralytics.utils import YAML
    from ultralytics.utils.checks import check_yaml

    return list(YAML.load(check_yaml("coco.yaml"))["names"].values())


class legacy_exporter:
    """Has torch.onnx.export do what it did when the package that calls it was written."""

    def __enter__(self):
        self._export = torch.onnx.export
        torch.onnx.export = functools.partial(self._export, dynamo=False)

    def __exit__(self, *_):
        torch.onnx.export = self._export


# YOLOX, of the package `pixeltable-yolox`


def yolox(file: pathlib.Path, decoded: bool) -> None:
    """As its authors' tools/export_onnx.py: raw unless asked for decoded."""
    from yolox.config import YoloxConfig
    from yolox.models.network_blocks import SiLU
    from yolox.utils import replace_module

    config = YoloxConfig.get_named_config("yolox_nano")
    model = config.get_model()
    height, width = config.test_size
    run = functools.partial(model, calibrate.batch((width, height), scale=1.0))
    calibrate.normalise(model, run)
    head = model.head
    calibrate.spread(head.reg_preds, run, 0.0, 0.7, 2.0, slice(0, 2))
    calibrate.spread(head.reg_preds, run, 1.5, 0.5, 1.5, slice(2, 4))
    calibrate.rank(head.obj_preds, run, 15, 300, top=1.0)
    calibrate.spread(head.cls_preds, run, -4.5, 1.5, 8.0)
    model = replace_module(model, nn.SiLU, SiLU)
    head.decode_in_inference = decoded
    torch.onnx.export(
        model,
        torch.zeros(1, 3, height, width),
        file,
        input_names=["images"],
        output_names=["output"],
        opset_version=11,
        dynamo=False,
    )


# RT-DETR v2 and D-FINE, of the package `transformers`


def transformers_model(kind: str):
    import transformers

    backbone = dict(depths=[2, 2, 2, 2], hidden_sizes=[32, 64, 96, 128], embedding_size=32)
    common = dict(
        d_model=64,
        encoder_hidden_dim=64,
        encoder_ffn_dim=128,
        decoder_ffn_dim=128,
        decoder_in_channels=[64, 64, 64],
        encoder_in_channels=[64, 96, 128],
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        num_labels=80,
        freeze_backbone_batch_norms=False,
    )
    if kind == "rtdetrv2":
        config = transformers.RTDetrV2Config(
            backbone_config=transformers.RTDetrResNetConfig(layer_type="basic", out_indices=[2, 3, 4], **backbone),
            **common,
        )
        model = transformers.RTDetrV2ForObjectDetection(config)
    else:
        config = transformers.DFineConfig(
            backbone_config=transformers.HGNetV2Config(
                out_indices=[2, 3, 4],
                stem_channels=[3, 16, 16],
                stage_in_channels=[16, 32, 64, 96],
                stage_mid_channels=[16, 16, 32, 32],
                stage_out_channels=[32, 64, 96, 128],
                stage_num_blocks=[1, 1, 1, 1],
                stage_numb_of_layers=[2, 2, 2, 2],
                **backbone,
            ),
            **common,
        )
        model = transformers.DFineForObjectDetection(config)
    model.config.id2label = dict(enumerate(coco()))
    run = functools.partial(model, calibrate.batch((640, 640)))
    calibrate.normalise(model, run)
    decoder = model.model.decoder
    boxes = [model.model.enc_bbox_head.layers[-1]]
    boxes += [] if kind == "dfine" else [decoder.bbox_embed[-1].layers[-1]]
    for layer in boxes:
        nn.init.normal_(layer.weight, std=0.05)
        calibrate.spread([layer], run, 0.0, 0.5, 2.0)
    calibrate.rank([decoder.class_embed[-1]], run, 15, 300)
    return model


class Plain(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        result = self.model(pixel_values)
        return result.logits, result.pred_boxes


class Deployed(nn.Module):
    """The authors' own export adds the choice of the best pairs of query and class."""

    def __init__(self, model, count=300):
        super().__init__()
        self.model = model
        self.count = count

    def forward(self, images, orig_target_sizes):
        result = self.model(images)
        classes = result.logits.shape[-1]
        scores, index = result.logits.sigmoid().flatten(1).topk(self.count, dim=-1)
        query = torch.div(index, classes, rounding_mode="floor")
        centre, extent = result.pred_boxes.split(2, dim=-1)
        boxes = torch.cat([centre - extent / 2, centre + extent / 2], dim=-1)
        boxes = boxes * orig_target_sizes.repeat(1, 2).unsqueeze(1)
        boxes = boxes.gather(1, query.unsqueeze(-1).expand(-1, -1, 4))
        return index - query * classes, boxes, scores


def transformers_plain(file: pathlib.Path, kind: str, named: bool) -> None:
    """`named`: with the names that optimum gives; else with those that the exporter counts."""
    names = dict(input_names=["pixel_values"], output_names=["logits", "pred_boxes"]) if named else {}
    axes = dict(dynamic_axes={name: {0: "batch_size"} for name in sum(names.values(), [])}) if named else {}
    model = transformers_model(kind)
    torch.onnx.export(
        Plain(model).eval() if named else Tuple(model).eval(),
        torch.zeros(1, 3, 640, 640),
        file,
        opset_version=16,
        dynamo=False,
        **names,
        **axes,
    )


class Tuple(nn.Module):
    """The model as it is: all its results, in its order."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        return self.model(pixel_values, return_dict=False)


def transformers_deployed(file: pathlib.Path, kind: str) -> None:
    torch.onnx.export(
        Deployed(transformers_model(kind)).eval(),
        (torch.zeros(1, 3, 640, 640), torch.tensor([[640, 640]])),
        file,
        input_names=["images", "orig_target_sizes"],
        output_names=["labels", "boxes", "scores"],
        dynamic_axes={"images": {0: "N"}, "orig_target_sizes": {0: "N"}},
        opset_version=16,
        dynamo=False,
    )


# RF-DETR


def rfdetr(file: pathlib.Path, kind: str, classes: int | None = None) -> None:
    import rfdetr as package

    options = {} if classes is None else {"num_classes": classes}
    made = getattr(package, kind)(pretrain_weights=None, device="cpu", **options)
    model = made.model.model
    size = made.model.resolution
    mean = torch.tensor(made.means)[:, None, None]
    deviation = torch.tensor(made.stds)[:, None, None]
    run = functools.partial(model, (calibrate.batch((size, size)) - mean) / deviation)
    calibrate.normalise(model, run)
    for layer in [model.transformer.enc_out_bbox_embed[0].layers[-1], model.bbox_embed.layers[-1]]:
        nn.init.normal_(layer.weight, std=0.05)
        calibrate.spread([layer], run, 0.0, 0.5, 2.0)
    calibrate.rank([model.class_embed], run, 15, 300)
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        made.export(output_dir=folder, verbose=False).rename(file)


# torchvision


def torchvision(file: pathlib.Path, kind: str, size: tuple[int, int]) -> None:
    import torchvision.models.detection as detection

    model = getattr(detection, kind)(weights=None, weights_backbone=None)
    run = functools.partial(model, list(calibrate.batch(size)))
    calibrate.normalise(model, run)
    if kind.startswith(("fasterrcnn", "maskrcnn")):
        calibrate.spread([model.rpn.head.bbox_pred], run, 0.0, 0.2, 1.0)
        calibrate.rank([model.rpn.head.cls_logits], run, 20, 300)
        predictor = model.roi_heads.box_predictor
        calibrate.spread([predictor.bbox_pred], run, 0.0, 0.5, 2.0)
        # Softmax over 91 classes, of which the first is background.
        calibrate.spread([predictor.cls_score], run, 0.0, 1.5, 8.0)
    elif kind.startswith("retinanet"):
        calibrate.spread([model.head.regression_head.bbox_reg], run, 0.0, 0.3, 1.0)
        calibrate.rank([model.head.classification_head.cls_logits], run, 100, 1000)
    else:
        # A layer for each level.
        calibrate.spread([level[-1] for level in model.head.regression_head.module_list], run, 0.0, 0.5, 2.0)
        calibrate.spread([level[-1] for level in model.head.classification_head.module_list], run, 0.0, 1.2, 8.0)
    width, height = size
    torch.onnx.export(model, ([torch.zeros(3, height, width)],), file, opset_version=16, dynamo=False)


SQUARE = (640, 640)
NETWORKS: dict[str, Network] = {}


def add(name: str, family: str, maker, *arguments, size=SQUARE, **options) -> None:
    NETWORKS[name] = Network(family, size, lambda file: maker(file, *arguments, **options))


for config in ("yolov5n", "yolov8n", "yolov9t", "yolov10n", "yolo11n", "yolo12n", "yolo26n"):
    # The package calls its own variant of YOLOv5, without anchors, by a `u` at the end.
    add("yolov5nu" if config == "yolov5n" else config, "ultralytics", ultralytics, config)
for config in ("yolo11n-seg", "yolo26n-seg"):
    add(config, "ultralytics", ultralytics, config)
# As the published weights: one class for joints, fifteen for rotated boxes.
for config in ("yolo11n-pose", "yolo26n-pose"):
    add(config, "ultralytics", ultralytics, config, ["person"])
for config in ("yolo11n-obb", "yolo26n-obb"):
    add(config, "ultralytics", ultralytics, config, DOTA)
add("yolov10n-end2end", "ultralytics", ultralytics, "yolov10n", nms=False)
add("yolo26n-end2end", "ultralytics", ultralytics, "yolo26n", nms=False)
add("yolo26n-seg-end2end", "ultralytics", ultralytics, "yolo26n-seg", nms=False)
add("yolo26n-pose-end2end", "ultralytics", ultralytics, "yolo26n-pose", ["person"], nms=False)
add("yolo26n-obb-end2end", "ultralytics", ultralytics, "yolo26n-obb", DOTA, nms=False)
for config in ("yolo11n", "yolo11n-seg", "yolo26n"):
    add(f"{config}-nms", "ultralytics", ultralytics, config, nms=True)
add("yolo11n-pose-nms", "ultralytics", ultralytics, "yolo11n-pose", ["person"], nms=True)
add("yolo11n-obb-nms", "ultralytics", ultralytics, "yolo11n-obb", DOTA, nms=True)
add("yolo11n-dynamic", "ultralytics", ultralytics, "yolo11n", dynamic=True)
add("yolo11n-fp16", "ultralytics", ultralytics, "yolo11n", quantize=16)
add("yolo11n-fp16-tensors", "ultralytics", ultralytics_fp16)
add("yolo11n-2", "ultralytics", ultralytics, "yolo11n", ["cat", "dog"])
add("yolo11n-cls", "ultralytics", ultralytics, "yolo11n-cls", size=(224, 224))
add("rtdetr-l", "ultralytics", ultralytics, "rtdetr-l")
add("yolov5n-anchors", "yolov5", yolov5)
add("yolox-nano", "yolox", yolox, False, size=(416, 416))
add("yolox-nano-decoded", "yolox", yolox, True, size=(416, 416))
for kind in ("rtdetrv2", "dfine"):
    add(f"{kind}-transformers", "transformers", transformers_plain, kind, True)
    add(f"{kind}-transformers-unnamed", "transformers", transformers_plain, kind, False)
    add(f"{kind}-deployed", "deployed", transformers_deployed, kind)
add("rfdetr-nano", "rfdetr", rfdetr, "RFDETRNano", size=(384, 384))
add("rfdetr-nano-3", "rfdetr", rfdetr, "RFDETRNano", 3, size=(384, 384))
add("rfdetr-seg-nano", "rfdetr", rfdetr, "RFDETRSegNano", size=(312, 312))
for kind in ("fasterrcnn_mobilenet_v3_large_320_fpn", "ssdlite320_mobilenet_v3_large", "retinanet_resnet50_fpn"):
    add(kind, "torchvision", torchvision, kind, (320, 320), size=(320, 320))
add("maskrcnn_resnet50_fpn", "torchvision", torchvision, "maskrcnn_resnet50_fpn", (320, 320), size=(320, 320))


def main() -> int:
    folder = pathlib.Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or NETWORKS:
        torch.manual_seed(0)
        NETWORKS[name].make(folder / f"{name}.onnx")
        print(f"{name}: {(folder / f'{name}.onnx').stat().st_size} bytes", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
