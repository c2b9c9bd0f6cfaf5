#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares what elf-server finds by the exports of other packages with what these packages find.

usage: compare.py [--backend NAME] [--server PROGRAM] FOLDER [NAME ...]

FOLDER has what export.py and expect.py wrote. Each network is served by its file's name, in the
runtime that --backend names, and gets the picture of its own size. Boxes have to agree within a
pixel, scores within a thousandth, masks by an intersection over union of 0.95, joints within a
pixel, all in the same order. Needs nothing but Python.
"""

import argparse
import ast
import base64
import json
import math
import pathlib
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile

PIXEL = 1.0
SCORE = 1e-3
MASK = 0.95
PATIENCE = 180


class Array:
    """What an .npy file holds, of bytes or of whole numbers."""

    def __init__(self, content: bytes):
        (length,) = struct.unpack_from("<H", content, 8)
        header = ast.literal_eval(content[10 : 10 + length].decode())
        self.shape = header["shape"]
        kind = {"|u1": "B", "<i8": "q"}[header["descr"]]
        self.values = struct.unpack_from(f"<{math.prod(self.shape)}{kind}", content, 10 + length)


class Masks:
    """The planes that expect.py packed."""

    def __init__(self, file: pathlib.Path):
        with zipfile.ZipFile(file) as tensors:
            self._bits = bytes(Array(tensors.read("masks.npy")).values)
            _, self.height, self.width = Array(tensors.read("masks_shape.npy")).values
        self._row = (self.width + 7) // 8

    def pixels(self, index: int, left: int, top: int, right: int, bottom: int) -> list[bool]:
        plane = index * self.height * self._row
        return [
            bool(self._bits[plane + y * self._row + x // 8] >> (7 - x % 8) & 1)
            for y in range(top, bottom)
            for x in range(left, right)
        ]


def runs(encoded: bytes) -> list[bool]:
    """The pixels of a mask of the wire."""
    pixels: list[bool] = []
    number, shift, inside = 0, 0, False
    for byte in encoded:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte & 0x80:
            continue
        pixels += [inside] * number
        number, shift, inside = 0, 0, not inside
    return pixels


class Found:
    """What elf-server answers, best first as it came."""

    def __init__(self, answer: dict):
        tensors = {tensor["name"]: tensor for tensor in answer["outputs"]}
        scores = tensors["scores"]["data"]
        self.objects = [
            {"box": tensors["boxes"]["data"][4 * i : 4 * i + 4], "score": score, "label": label}
            for i, (score, label) in enumerate(zip(scores, tensors["labels"]["data"]))
        ]
        if "masks" in tensors:
            coded = tensors["masks"].get("parameters", {}).get("content_type") == "base64"
            for found, mask in zip(self.objects, tensors["masks"]["data"]):
                found["mask"] = runs(base64.b64decode(mask) if coded else mask.encode())
        if "keypoints" in tensors:
            count = tensors["keypoints"]["shape"][1]
            numbers = tensors["keypoints"]["data"]
            for i, found in enumerate(self.objects):
                joints = numbers[3 * count * i : 3 * count * (i + 1)]
                found["joints"] = [joints[j : j + 3] for j in range(0, len(joints), 3)]


def clipped(box, width: int, height: int) -> list[float]:
    return [min(max(value, 0), side) for value, side in zip(box, (width, height, width, height))]


class Comparison:
    """Of one picture."""

    def __init__(self, expected: list[dict], found: list[dict], size, masks):
        self.worst = {"box": 0.0, "score": 0.0, "joint": 0.0, "mask": 1.0}
        self.faults: list[str] = []
        # What is outside of the picture is no object, and neither is what has no pixel.
        expected = [
            {**each, "place": i, "box": box}
            for i, each in enumerate(expected)
            if (box := clipped(each["box"], *size)) and box[0] < box[2] and box[1] < box[3]
        ]
        left = list(found)
        order: list[tuple[int, float]] = []
        for one in expected:
            match = self._match(one, left)
            if match is None:
                self.faults.append(f"missing: {one['label']} {one['score']:.4f} {one['box']}")
                continue
            order.append((found.index(match), one["score"]))
            left.remove(match)
            self._compare(one, match, masks)
        # Ultralytics leaves out objects without a pixel.
        left = [each for each in left if "mask" not in each or any(each["mask"])]
        self.faults += [f"too many: {one['label']} {one['score']:.4f} {one['box']}" for one in left]
        for (before, high), (after, low) in zip(order, order[1:]):
            if before > after and high - low > SCORE:
                self.faults.append(f"{low:.4f} comes before {high:.4f}")

    @staticmethod
    def _match(one, candidates):
        def distance(other):
            return max(abs(a - b) for a, b in zip(one["box"], other["box"]))

        same = [
            other
            for other in candidates
            if other["label"] == one["label"]
            and abs(other["score"] - one["score"]) <= SCORE
            and distance(other) <= PIXEL
        ]
        return min(same, key=distance, default=None)

    def _compare(self, one, other, masks):
        self._keep("box", max(abs(a - b) for a, b in zip(one["box"], other["box"])))
        self._keep("score", abs(one["score"] - other["score"]))
        if "joints" in one:
            self._compare_joints(one["joints"], other.get("joints", []))
        if masks:
            self._compare_masks(one, other, masks)

    def _compare_joints(self, expected, found):
        if len(expected) != len(found):
            self.faults.append(f"{len(found)} joints instead of {len(expected)}")
            return
        for (x, y, seen), (is_x, is_y, is_seen) in zip(expected, found):
            # Outside of the picture they are not seen.
            if is_seen == 0:
                continue
            distance = max(abs(x - is_x), abs(y - is_y))
            self._keep("joint", distance)
            if distance > PIXEL or abs(seen - is_seen) > SCORE:
                self.faults.append(f"joint {is_x} {is_y} {is_seen} instead of {x} {y} {seen}")

    def _compare_masks(self, one, other, masks):
        if "mask" not in other:
            self.faults.append("no mask")
            return
        x0, y0, x1, y1 = other["box"]
        left, top, right, bottom = math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1)
        # Ours end where the box does, not all of theirs do. Some leave out the pixels that the box's
        # left and upper side cut through.
        theirs = masks.pixels(one["place"], math.ceil(x0), math.ceil(y0), right, bottom)
        ours = [
            other["mask"][(y - top) * (right - left) + x - left]
            for y in range(math.ceil(y0), bottom)
            for x in range(math.ceil(x0), right)
        ]
        pairs = list(zip(theirs, ours, strict=True))
        both = sum(a and b for a, b in pairs)
        either = sum(a or b for a, b in pairs)
        share = both / either if either else 1.0
        self.worst["mask"] = min(self.worst["mask"], share)
        if share < MASK:
            self.faults.append(f"mask of {one['label']} {one['score']:.4f} agrees by {share:.3f} of {either} pixels")

    def _keep(self, what, value):
        self.worst[what] = max(self.worst[what], value)


class Server:
    """elf-server with one network."""

    def __init__(self, program: str, folder: pathlib.Path, network: pathlib.Path, backend: str, rules: dict):
        file = folder / f"{network.stem}.model"
        text = f"[model]\nbackend={backend}\nfile={network}\n[output]\nmin-score={rules['threshold']}\n"
        # Others than YOLOX suppress as their networks' conventions say.
        if network.stem.startswith("yolox"):
            text += f"nms={rules['iou']}\n"
        file.write_text(text)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}/v2/models/{network.stem}"
        self._log = tempfile.TemporaryFile(mode="w+")
        command = [program, "--port", str(port), "--model", str(file)]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()

    def wait(self) -> str:
        """What is wrong, or nothing."""
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up and self._process.poll() is None:
            try:
                urllib.request.urlopen(self._url + "/ready", timeout=5).close()
                return ""
            except OSError:
                time.sleep(0.1)  # another process can only be asked
        self._log.seek(0)
        said = self._log.read().strip().splitlines()
        return said[-1] if said else f"not ready within {PATIENCE} s"

    def find(self, picture: pathlib.Path) -> Found:
        image = {
            "name": "image",
            "datatype": "BYTES",
            "shape": [1],
            "parameters": {"content_type": "base64"},
            "data": [base64.b64encode(picture.read_bytes()).decode()],
        }
        body = json.dumps({"inputs": [image]}).encode()
        request = urllib.request.Request(self._url + "/infer", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
            return Found(json.load(reply))


def compare(options, folder: pathlib.Path, scratch: pathlib.Path, name: str) -> bool:
    """The picture of the network's own size is the one that is not 1280x720."""
    for file in sorted(folder.glob(f"{name}-*.json")):
        match = re.fullmatch(re.escape(name) + r"-(\d+)x(\d+)", file.stem)
        if not match or match.groups() == ("1280", "720"):
            continue
        content = json.loads(file.read_text())
        with Server(options.server, scratch, folder / content["network"], options.backend, content) as server:
            if why := server.wait():
                refused = name.endswith("-cls") and "is a classifier" in why
                print(f"{name}: {'ok, refused' if refused else 'FAILED'}: {why}")
                return refused
            try:
                found = server.find(folder / content["picture"])
            except urllib.error.HTTPError as error:
                print(f"{name}: FAILED: {error.read().decode()}")
                return False
        expected = content["objects"]
        masks = Masks(file.with_suffix(".npz")) if any("mask" in each for each in expected) else None
        result = Comparison(expected, found.objects, [int(side) for side in match.groups()], masks)
        worst = ", ".join(f"{what} {value:.4f}" for what, value in result.worst.items())
        print(f"{name}: {'FAILED' if result.faults else 'ok'}, {len(found.objects)} of {len(expected)} objects, {worst}")
        for fault in result.faults[: options.faults]:
            print(f"  {fault}")
        if len(result.faults) > options.faults:
            print(f"  and {len(result.faults) - options.faults} more")
        return not result.faults
    print(f"{name}: skipped, nothing is expected of it")
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", default="onnx")
    parser.add_argument("--server", default="elf-server")
    parser.add_argument("--faults", type=int, default=5, help="how many are shown of each")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    folder = options.folder.resolve()
    names = options.names or sorted(file.stem for file in folder.glob("*.onnx"))
    with tempfile.TemporaryDirectory() as scratch:
        failed = [name for name in names if not compare(options, folder, pathlib.Path(scratch), name)]
    print(f"{len(names) - len(failed)} passed, {len(failed)} failed" + (": " if failed else "") + " ".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
