#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""elf-convert-checkpoint on made-up checkpoints, good and bad. Needs no PyTorch."""

import collections
import importlib.machinery
import importlib.util
import io
import json
import os
import pathlib
import pickle
import struct
import subprocess
import sys
import tempfile
import types
import unittest
import zipfile

PROGRAM = pathlib.Path(os.environ["ELF_TEST_BUILD_ROOT"]) / "lib/research/programs/elf-convert-checkpoint"


def load_program():
    loader = importlib.machinery.SourceFileLoader("convert", str(PROGRAM))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("convert", loader))
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


SHAPES = load_program().SHAPES


class FloatStorage:
    """torch.FloatStorage, as far as a pickle names it."""


class HalfStorage:
    """torch.HalfStorage."""


def _rebuild_tensor_v2(*_):
    """torch._utils._rebuild_tensor_v2, never called here."""


def name_as_torch_does():
    torch = types.ModuleType("torch")
    utils = types.ModuleType("torch._utils")
    for module, thing in ((torch, FloatStorage), (torch, HalfStorage), (utils, _rebuild_tensor_v2)):
        thing.__module__ = module.__name__
        thing.__qualname__ = thing.__name__
        setattr(module, thing.__name__, thing)
    sys.modules["torch"] = torch
    sys.modules["torch._utils"] = utils


name_as_torch_does()


class FakeTensor:
    def __init__(self, key, shape, values, storage=FloatStorage, stride=None, offset=0):
        self.key, self.shape, self.values = key, tuple(shape), values
        self.storage, self.offset = storage, offset
        self.stride = stride
        if stride is None:
            steps, step = [], 1
            for extent in reversed(self.shape):
                steps.append(step)
                step *= extent
            self.stride = tuple(reversed(steps))

    def __reduce__(self):
        storage = Storage(("storage", self.storage, self.key, "cpu", len(self.values)))
        return (_rebuild_tensor_v2,
                (storage, self.offset, self.shape, self.stride, False, collections.OrderedDict()))


class Storage:
    def __init__(self, pid):
        self.pid = pid


class Pickler(pickle.Pickler):
    def persistent_id(self, obj):
        return obj.pid if isinstance(obj, Storage) else None


def write_checkpoint(path, state):
    stream = io.BytesIO()
    Pickler(stream, protocol=2).dump(state)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", stream.getvalue())
        archive.writestr("archive/version", "3\n")
        if isinstance(state, dict):
            for tensor in state.values():
                if isinstance(tensor, FakeTensor):
                    archive.writestr(f"archive/data/{tensor.key}",
                                     struct.pack(f"<{len(tensor.values)}f", *tensor.values))


def state_of(predictor):
    state = collections.OrderedDict()
    for number, (name, shape) in enumerate(SHAPES[predictor].items()):
        count = 1
        for extent in shape:
            count *= extent
        state[name] = FakeTensor(str(number), shape, [number + i / 1024 for i in range(count)])
    return state


class Harm:
    """A pickle that runs a command where it is read carelessly."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.system, (f"touch '{self.path}'",))


class ConvertCheckpoint(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.checkpoint = self.folder / "some.pth"
        self.output = self.folder / "some.safetensors"

    def convert(self):
        return subprocess.run([PROGRAM, self.checkpoint, self.output], capture_output=True, text=True)

    def assertRefused(self, words):
        done = self.convert()
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(str(self.checkpoint), done.stderr)
        self.assertIn(words, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertFalse(self.output.exists())

    def test_keeps_names_shapes_and_values(self):
        for predictor in SHAPES:
            state = state_of(predictor)
            write_checkpoint(self.checkpoint, state)
            self.assertEqual(self.convert().returncode, 0)
            content = self.output.read_bytes()
            length = struct.unpack("<Q", content[:8])[0]
            header = json.loads(content[8:8 + length])
            data = content[8 + length:]
            self.assertEqual(header.pop("__metadata__"), {"predictor": predictor})
            self.assertEqual(header.keys(), state.keys())
            for name, entry in header.items():
                begin, end = entry["data_offsets"]
                values = struct.unpack(f"<{(end - begin) // 4}f", data[begin:end])
                self.assertEqual(entry["dtype"], "F32")
                self.assertEqual(tuple(entry["shape"]), state[name].shape)
                self.assertEqual(list(values), state[name].values)

    def test_runs_nothing(self):
        write_checkpoint(self.checkpoint, {"fc.bias": Harm(self.folder / "harmed")})
        self.assertRefused("asks for posix.system")
        self.assertFalse((self.folder / "harmed").exists())

    def test_refuses_what_is_no_checkpoint(self):
        self.checkpoint.write_text("nonsense")
        self.assertRefused("not a PyTorch checkpoint in the zip format")
        with zipfile.ZipFile(self.checkpoint, "w") as archive:
            archive.writestr("picture.png", "")
        self.assertRefused("not a PyTorch checkpoint in the zip format")
        with zipfile.ZipFile(self.checkpoint, "w") as archive:
            archive.writestr("archive/data.pkl", b"\x80\x02nonsense")
        self.assertRefused("is broken")
        self.checkpoint.unlink()
        self.assertRefused("No such file")

    def test_refuses_every_cut(self):
        write_checkpoint(self.checkpoint, state_of("attn-lstm"))
        whole = self.checkpoint.read_bytes()
        for share in (0.1, 0.5, 0.9, 0.99):
            self.checkpoint.write_bytes(whole[:int(len(whole) * share)])
            self.assertRefused("")

    def test_refuses_other_networks(self):
        for change in ("name", "shape", "missing"):
            state = state_of("lstm")
            bias = state.pop("fc.bias")
            if change == "name":
                state["other.bias"] = bias
            elif change == "shape":
                state["fc.bias"] = FakeTensor(bias.key, [2, 2], bias.values)
            write_checkpoint(self.checkpoint, state)
            self.assertRefused("of neither network")
        for state in ([1, 2], {"fc.bias": 3}):
            write_checkpoint(self.checkpoint, state)
            self.assertRefused("holds no state dict")

    def test_refuses_tensors_that_are_not_plain(self):
        for words, tensor in (
                ("not contiguous", FakeTensor("9", [4], [0.0] * 8, stride=(2,))),
                ("beyond its storage", FakeTensor("9", [4], [0.0] * 3)),
                ("impossible shape", FakeTensor("9", [4], [0.0] * 4, offset=-1)),
                ("not finite", FakeTensor("9", [4], [0.0, 1.0, float("nan"), 2.0])),
                ("asks for torch.HalfStorage", FakeTensor("9", [4], [0.0] * 4, storage=HalfStorage))):
            state = state_of("lstm")
            state["fc.bias"] = tensor
            write_checkpoint(self.checkpoint, state)
            self.assertRefused(words)

    def test_refuses_what_is_far_too_large(self):
        state = state_of("lstm")
        state["fc.bias"] = FakeTensor("9", [4], [0.0] * (1 << 19))
        write_checkpoint(self.checkpoint, state)
        self.assertRefused("is too large")

    def test_exit_codes(self):
        def run(*arguments):
            return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True)
        self.assertEqual(run().returncode, 2)
        self.assertEqual(run("--help").returncode, 0)
        self.assertTrue(run("--version").stdout.startswith("elf-convert-checkpoint "))
        write_checkpoint(self.checkpoint, state_of("lstm"))
        done = run(self.checkpoint, self.folder / "nowhere" / "some.safetensors")
        self.assertEqual(done.returncode, 1)
        self.assertIn("nowhere", done.stderr)


if __name__ == "__main__":
    unittest.main()
