#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the packages themselves find in made pictures, by the files that export.py wrote.

usage: expect.py FOLDER [NAME ...]

Each file runs in onnxruntime, on a picture of its own size and on one of 1280x720, and its package
decodes what comes out. NAME-WxH.json has the objects in the picture's pixels, best first;
NAME-WxH.npz the tensors that went in and came out, and the masks.
"""

import json
import pathlib
import sys
import types

import export  # first: it keeps the packages from downloading

import cv2
import numpy as np
import onnxruntime
import torch
from PIL import Image

import pictures


class Answer:
    """Objects of one picture, and by which rules they were chosen."""

    def __init__(self, threshold: float, iou: float | None = None):
        self.rules = {"threshold": threshold, "iou": iou}
        self.objects: list[dict] = []
        self.tensors: dict[str, np.ndarray] = {}

    def add(self, box, score, label, **more) -> None:
        numbers = {"box": box, "score": score, "label": label, **more}
        self.objects.append({key: plain(value) for key, value in numbers.items()})

    def add_masks(self, masks: np.ndarray) -> None:
        """One plane for each object, at any scale: its size is in the file."""
        self.tensors["masks"] = np.packbits(masks.astype(bool), axis=-1)
        self.tensors["masks_shape"] = np.array(masks.shape)
        for found, mask in zip(self.objects, masks.astype(bool), strict=True):
            down, across = np.nonzero(mask)
            edges = [across.min(), down.min(), across.max() + 1, down.max() + 1] if down.size else [0, 0, 0, 0]
            found["mask"] = {"size": [mask.shape[1], mask.shape[0]], "area": int(mask.sum()), "box": plain(edges)}


def plain(value):
    """Numbers of other packages as JSON's."""
    if isinstance(value, str):
        return value
    array = np.asarray(value)
    return array.astype(np.float64).round(5).tolist() if array.dtype.kind == "f" else array.tolist()


def session(file: pathlib.Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def run(file: pathlib.Path, answer: Answer, *inputs: np.ndarray) -> list[np.ndarray]:
    """The outputs; both go into the answer's tensors by their names in the file."""
    network = session(file)
    feeds = {slot.name: value for slot, value in zip(network.get_inputs(), inputs, strict=True)}
    outputs = network.run(None, feeds)
    answer.tensors |= {f"in:{name}": value for name, value in feeds.items()}
    answer.tensors |= {f"out:{slot.name}": value for slot, value in zip(network.get_outputs(), outputs)}
    return outputs


def ultralytics(file, picture, network) -> Answer:
    from ultralytics import RTDETR, YOLO

    rgb = np.asarray(picture)
    model = (RTDETR if file.stem.startswith("rtdetr") else YOLO)(str(file))
    size = picture.size if "dynamic" in file.stem and picture.size != pictures.BIG else network.size
    # The borders around the big picture make its scores lower.
    answer = Answer(0.1 if picture.size == pictures.BIG else 0.25, 0.7)
    # Masks at the picture's scale where it is not the network's.
    result = model.predict(
        np.ascontiguousarray(rgb[..., ::-1]),
        conf=answer.rules["threshold"],
        iou=answer.rules["iou"],
        imgsz=[size[1], size[0]],
        retina_masks=picture.size == pictures.BIG,
        device="cpu",
        verbose=False,
    )[0]
    prepared = model.predictor.preprocess([np.ascontiguousarray(rgb[..., ::-1])])
    run(file, answer, prepared.numpy())
    if result.obb is not None:
        for found in result.obb:
            answer.add(found.xyxy[0], found.conf[0], int(found.cls[0]), rotated=found.xywhr[0])
    elif result.boxes is not None:
        for found in result.boxes:
            answer.add(found.xyxy[0], found.conf[0], int(found.cls[0]))
    for found in answer.objects:
        found["name"] = result.names[found["label"]]
    if result.keypoints is not None:
        for found, joints in zip(answer.objects, result.keypoints.data, strict=True):
            found["joints"] = plain(joints)
    if result.masks is not None:
        answer.add_masks(result.masks.data.numpy())
    return answer


def yolov5(file, picture, network) -> Answer:
    from yolov5.utils.augmentations import letterbox
    from yolov5.utils.general import non_max_suppression, scale_boxes

    answer = Answer(0.25, 0.45)
    rgb = np.asarray(picture)
    prepared = letterbox(rgb, (640, 640), auto=False)[0].transpose(2, 0, 1)[None].astype(np.float32) / 255
    output = torch.from_numpy(run(file, answer, prepared)[0].copy())
    (rows,) = non_max_suppression(output, answer.rules["threshold"], answer.rules["iou"], max_det=1000)
    rows[:, :4] = scale_boxes(prepared.shape[2:], rows[:, :4], rgb.shape)
    for row in rows:
        answer.add(row[:4], row[4], int(row[5]))
    return answer


def yolox(file, picture, network) -> Answer:
    from yolox.config import YoloxConfig
    from yolox.data import ValTransform
    from yolox.utils import postprocess

    config = YoloxConfig.get_named_config("yolox_nano")
    answer = Answer(0.3, config.nmsthre)
    # The authors' programs read with OpenCV, and so give BGR.
    bgr = np.ascontiguousarray(np.asarray(picture)[..., ::-1])
    prepared, _ = ValTransform(legacy=False)(bgr, None, config.test_size)
    output = torch.from_numpy(run(file, answer, prepared[None])[0].copy())
    if "decoded" not in file.stem:
        head = config.get_model().head
        head.hw = [(config.test_size[0] // stride, config.test_size[1] // stride) for stride in head.strides]
        output = head.decode_outputs(output, output.type())
    ratio = min(config.test_size[0] / picture.height, config.test_size[1] / picture.width)
    (rows,) = postprocess(output, config.num_classes, answer.rules["threshold"], answer.rules["iou"])
    for row in [] if rows is None else rows:
        answer.add(row[:4] / ratio, row[4] * row[5], int(row[6]))
    return answer


def transformers(file, picture, network) -> Answer:
    from transformers import RTDetrImageProcessor

    answer = Answer(0.5)
    processor = RTDetrImageProcessor()
    prepared = processor(images=picture, return_tensors="np")["pixel_values"]
    logits, boxes = (torch.from_numpy(output) for output in run(file, answer, prepared)[:2])
    (found,) = processor.post_process_object_detection(
        types.SimpleNamespace(logits=logits, pred_boxes=boxes),
        threshold=answer.rules["threshold"],
        target_sizes=[(picture.height, picture.width)],
    )
    for box, score, label in zip(found["boxes"], found["scores"], found["labels"]):
        answer.add(box, score, label)
    return answer


def deployed(file, picture, network) -> Answer:
    """All is in the graph; who asks chooses by score."""
    from torchvision.transforms import functional

    answer = Answer(0.5)
    prepared = functional.to_tensor(functional.resize(picture, (640, 640))).numpy()[None]
    labels, boxes, scores = run(file, answer, prepared, np.array([picture.size], dtype=np.int64))
    for box, score, label in zip(boxes[0], scores[0], labels[0]):
        if score > answer.rules["threshold"]:
            answer.add(box, score, label)
    return answer


def rfdetr(file, picture, network) -> Answer:
    from rfdetr.export._runtime.preprocess import preprocess_to_nchw
    from rfdetr.models.postprocess import PostProcess

    answer = Answer(0.3)
    prepared = preprocess_to_nchw(picture, network.size[1], network.size[0])
    boxes, logits, *masks = (torch.from_numpy(output) for output in run(file, answer, prepared))
    outputs = {"pred_boxes": boxes, "pred_logits": logits} | ({"pred_masks": masks[0]} if masks else {})
    (found,) = PostProcess(num_select=boxes.shape[1])(
        outputs,
        target_sizes=torch.tensor([[picture.height, picture.width]]),
        score_threshold=answer.rules["threshold"],
    )
    keep = found["scores"] > answer.rules["threshold"]
    for box, score, label in zip(found["boxes"][keep], found["scores"][keep], found["labels"][keep]):
        answer.add(box, score, label)
    if masks:
        answer.add_masks(found["masks"][keep][:, 0].numpy())
    return answer


def torchvision(file, picture, network) -> Answer:
    """All is in the graph; who asks chooses by score, and finds the tensors by their types and shapes."""
    answer = Answer(0.3)
    rgb = np.asarray(picture.resize(network.size, Image.BILINEAR))
    outputs = run(file, answer, rgb.transpose(2, 0, 1).astype(np.float32) / 255)
    boxes = next(output for output in outputs if output.ndim == 2)
    labels = next(output for output in outputs if output.dtype == np.int64)
    scores = next(output for output in outputs if output.ndim == 1 and output.dtype == np.float32)
    keep = scores > answer.rules["threshold"]
    factors = np.tile(np.array(picture.size) / network.size, 2)
    for box, score, label in zip(boxes[keep], scores[keep], labels[keep]):
        answer.add(box * factors, score, label)
    if masks := [output for output in outputs if output.ndim == 4]:
        # Probabilities over all of the network's picture: the graph has put them where the boxes are.
        answer.add_masks(masks[0][keep][:, 0] > 0.5)
    return answer


def main() -> int:
    folder = pathlib.Path(sys.argv[1]).resolve()
    for name in sys.argv[2:] or export.NETWORKS:
        network = export.NETWORKS[name]
        for size in (network.size, pictures.BIG):
            picture = pictures.path(folder, *size)
            answer = globals()[network.family](folder / f"{name}.onnx", Image.open(picture).convert("RGB"), network)
            stem = folder / f"{name}-{size[0]}x{size[1]}"
            content = {"network": f"{name}.onnx", "picture": picture.name, **answer.rules, "objects": answer.objects}
            stem.with_name(stem.name + ".json").write_text(json.dumps(content, indent=1) + "\n")
            np.savez_compressed(stem.with_name(stem.name + ".npz"), **answer.tensors)
            best = [found["score"] for found in answer.objects]
            print(f"{stem.name}: {len(best)} objects, {max(best, default=0):.3f} to {min(best, default=0):.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
