# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of this folder share: servers that run, ours and others', and pictures."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import cv2
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLES = HERE.parent.parent / "docs" / "third-party"
VENVS = pathlib.Path(os.environ["ELF_INTEROP_VENVS"])
CLIP = pathlib.Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
# The class that the examples' configuration files name.
EXAMPLE_CLASS = "my_detector:MyDetector"
PATIENCE = 120


def venv(name: str) -> pathlib.Path:
    """A folder of packages; skips the test where they could not be installed."""
    folder = VENVS / name
    if not folder.exists():
        raise unittest.SkipTest(f"the Python packages of requirements-{name}.txt are not installed")
    return folder


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(url: str) -> int:
    """The HTTP status; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


class Process:
    """A server of another process, which is ready once `ready` answers 200."""

    def __init__(self, command, port: int, ready: str, env=None, cwd=None):
        self.url = f"http://127.0.0.1:{port}"
        self._log = tempfile.TemporaryFile(mode="w+")
        self._process = subprocess.Popen(
            [str(word) for word in command],
            env={**os.environ, **(env or {})},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        give_up = time.monotonic() + PATIENCE
        while get(self.url + ready) != 200:
            if self._process.poll() is not None or time.monotonic() > give_up:
                self.stop()
                self._log.seek(0)
                raise AssertionError(f"{command[0]} is not ready:\n{self._log.read()}")
            time.sleep(0.1)  # another process can only be asked

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def running(process: Process):
    try:
        yield process
    finally:
        process.stop()


def ready_path(model: str) -> str:
    return f"/v2/models/{model}/ready"


def elf_server(*options) -> Process:
    port = free_port()
    return Process(["elf-server", "--port", port, *options], port, "/v2/health/ready")


def triton(models: "dict[str, str]", changes: "dict[str, str] | None" = None) -> Process:
    """Triton with the example once for each name, around the class of that name; `changes` is what
    stands in the example's files, and what is to stand there instead."""

    def fill(repository: pathlib.Path):
        for name, detector in models.items():
            model = repository / name
            shutil.copytree(EXAMPLES / "triton" / "detector", model)
            for module in (EXAMPLES / "elf_detector.py", HERE / "detectors.py"):
                shutil.copy(module, model / "1")
            for file in (model / "config.pbtxt", model / "1" / "model.py"):
                replace(file, {**(changes or {}), EXAMPLE_CLASS: detector})

    return run_triton(fill)


def triton_network(name: str, file: pathlib.Path, side: int, datatype: str) -> Process:
    """Triton with an ONNX file that takes pictures of that side."""

    def fill(repository: pathlib.Path):
        shutil.copytree(HERE / "networks" / "triton", repository / name)
        packages = str(next(venv("triton").glob("lib/python3*/site-packages")))
        changes = {"SIDE": str(side), "FP32": datatype, "FILE": str(file), "PACKAGES": packages}
        replace(repository / name / "config.pbtxt", changes)

    return run_triton(fill)


def replace(file: pathlib.Path, changes: "dict[str, str]"):
    text = file.read_text()
    for old, new in changes.items():
        text = text.replace(old, new)
    file.write_text(text)


def run_triton(fill) -> Process:
    """Triton with the models that `fill` writes into a folder."""
    site = next(venv("triton").glob("lib/python3*/site-packages"))
    server = site / "pytriton" / "tritonserver"
    folder = pathlib.Path(tempfile.mkdtemp(prefix="elf-triton-"))
    # The wheel has one stub for each version of Python; the backend takes the one beside it.
    shutil.copytree(server / "backends", folder / "backends")
    stub = server / "python_backend_stubs" / site.parent.name.removeprefix("python")
    shutil.copy(stub / "triton_python_backend_stub", folder / "backends" / "python")
    (folder / "backends" / "python" / "triton_python_backend_stub").chmod(0o755)
    (folder / "models").mkdir()
    fill(folder / "models")
    port = free_port()
    try:
        return Process(
            [
                server / "bin" / "tritonserver",
                f"--model-repository={folder / 'models'}",
                f"--backend-directory={folder / 'backends'}",
                "--http-address=127.0.0.1",
                f"--http-port={port}",
                "--allow-grpc=false",
                "--allow-metrics=false",
            ],
            port,
            "/v2/health/ready",
            env={"LD_LIBRARY_PATH": str(site / "nvidia_pytriton.libs")},
        )
    finally:
        shutil.rmtree(folder)  # models are loaded, or never will be


def mlserver(models: "dict[str, str]") -> Process:
    def fill(folder: pathlib.Path):
        for name, detector in models.items():
            shutil.copytree(EXAMPLES / "mlserver", folder / name)
            settings = folder / name / "model-settings.json"
            text = settings.read_text().replace(EXAMPLE_CLASS, detector)
            settings.write_text(json.dumps({**json.loads(text), "name": name}))

    return run_mlserver(fill, f"{EXAMPLES}:{EXAMPLES / 'mlserver'}:{HERE}")


def mlserver_network(name: str, file: pathlib.Path) -> Process:
    """MLServer with an ONNX file."""

    def fill(folder: pathlib.Path):
        settings = {
            "name": name,
            "implementation": "mlserver_network.Network",
            "parameters": {"uri": str(file)},
        }
        (folder / "model-settings.json").write_text(json.dumps(settings))

    return run_mlserver(fill, str(HERE / "networks"))


def run_mlserver(fill, modules: str) -> Process:
    """MLServer with the models that `fill` writes into a folder, and where their modules are."""
    python = venv("mlserver") / "bin" / "python"
    folder = pathlib.Path(tempfile.mkdtemp(prefix="elf-mlserver-"))
    fill(folder)
    http, grpc, metrics = free_port(), free_port(), free_port()
    try:
        return Process(
            [python, "-m", "mlserver.cli.main", "start", folder],
            http,
            "/v2/health/ready",
            env={
                "PYTHONPATH": modules,
                "MLSERVER_HOST": "127.0.0.1",
                "MLSERVER_HTTP_PORT": str(http),
                "MLSERVER_GRPC_PORT": str(grpc),
                "MLSERVER_METRICS_PORT": str(metrics),
                "MLSERVER_PARALLEL_WORKERS": "0",
            },
            cwd=folder,
        )
    finally:
        shutil.rmtree(folder)


def kserve(models: "dict[str, str]") -> Process:
    ((name, detector),) = models.items()
    return run_kserve(
        HERE / "kserve_on_loopback.py", name, ["--detector", detector], f"{EXAMPLES}:{HERE}"
    )


def kserve_network(name: str, file: pathlib.Path, *options) -> Process:
    """KServe's server with an ONNX file; for the options see there."""
    return run_kserve(HERE / "networks" / "kserve_network.py", name, ["--file", file, *options])


def run_kserve(program: pathlib.Path, name: str, options, modules="") -> Process:
    python = venv("kserve") / "bin" / "python"
    port = free_port()
    return Process(
        [python, program, "--model_name", name, *options]
        + ["--http_port", port, "--enable_grpc", "false"],
        port,
        ready_path(name),
        env={"PYTHONPATH": modules},
    )


def jpeg(picture: np.ndarray) -> bytes:
    """Of a picture in BGR."""
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
    assert done
    return data.tobytes()


def frames_of_clip(count: int) -> "list[np.ndarray]":
    """Pictures of people, in BGR; skips the test where there are none."""
    if not CLIP.exists():
        raise unittest.SkipTest("there is no vtest.avi: install opencv-doc")
    clip = cv2.VideoCapture(str(CLIP))
    return [clip.read()[1] for _ in range(count)]
