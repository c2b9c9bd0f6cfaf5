#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Records what elfoffload and servers of others that run a network say to one another.

Each server runs the network of tests/networks/blob_network.py; one frame goes to it, through a
proxy that writes down the answers about model and server, to the trial and to the part, and the
request of the part. tests/lib/exchanges_test.cpp plays them. Needs what tests/interop/run installs:

    tests/interop/run -k nothing
    meson devenv -C build python3 tests/interop/record.py build/interop tests/lib/exchanges

usage: record.py FOLDER-OF-VENVS FOLDER
"""

import http.client
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

import cv2
import numpy as np

SIDE = 32
# What exchanges_test.cpp has as well.
SAID = (
    "[model]\nbackend=remote\n[input]\nsize=32;32\n[output]\ndecoder=yolov8\n"
    "[tensors]\nimage=images\n"
)


def proxy(port: int, folder: pathlib.Path) -> http.server.HTTPServer:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            server = http.client.HTTPConnection("127.0.0.1", port)
            server.request(self.command, self.path, body, dict(self.headers))
            reply = server.getresponse()
            answer = reply.read()
            # A body in chunks is kept in one.
            headers = [
                (name, value)
                for name, value in reply.getheaders()
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "date")
            ] + [("content-length", str(len(answer)))]
            head = f"HTTP/1.1 {reply.status} {reply.reason}\r\n"
            head += "".join(f"{name}: {value}\r\n" for name, value in headers)
            is_part = self.command == "POST" and b'"probe.' not in body
            name = (
                ("answer" if is_part else "trial" if b'"probe.trial"' in body else "")
                if self.command == "POST"
                else {"/v2": "server", "/v2/models/net": "model"}.get(self.path, "")
            )
            if name and reply.status == 200:
                (folder / name).write_bytes(head.encode() + b"\r\n" + answer)
            if is_part:
                asked = f"{self.command} {self.path} HTTP/1.1\r\n"
                asked += "".join(
                    f"{name}: {value}\r\n"
                    for name, value in self.headers.items()
                    if name.lower() not in ("elf-stream", "host", "traceparent")
                )
                (folder / "request").write_bytes(asked.encode() + b"\r\n" + body)
            self.send_response(reply.status)
            for header in headers:
                self.send_header(*header)
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = forward

        def log_message(self, *_):
            pass

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    return made


def record(url: str, folder: pathlib.Path, said: str):
    folder.mkdir(parents=True, exist_ok=True)
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[12:36, 16:40] = 255
    with tempfile.TemporaryDirectory() as made:
        cv2.imwrite(f"{made}/frame.png", frame)
        if said:
            pathlib.Path(made, "net.model").write_text(said)
        between = proxy(int(url.rsplit(":", 1)[1]), folder)
        line = (
            f"filesrc location={made}/frame.png ! pngdec ! elfoffload model=net deadline=-1 "
            f"servers=http://127.0.0.1:{between.server_port} ! "
            f"elfmerge results-location={made}/results ! fakesink"
        )
        subprocess.run(
            ["gst-launch-1.0", "-q", *line.split()],
            check=True,
            env={**os.environ, "ELF_MODEL_PATH": made},
        )
        between.shutdown()
        (found,) = json.loads(pathlib.Path(made, "results").read_text())["detections"]
        assert np.allclose(found["box"], [16, 12, 40, 36], atol=0.1), found


def main():
    os.environ["ELF_INTEROP_VENVS"] = str(pathlib.Path(sys.argv[1]).resolve())
    import support

    goal = pathlib.Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "net.onnx")
        maker = support.HERE.parent / "networks" / "blob_network.py"
        subprocess.run([sys.executable, maker, file, str(SIDE)], check=True)
        for name, start, said in (
            ("kserve", lambda: support.kserve_network("net", file), SAID),
            ("kserve-binary", lambda: support.kserve_network("net", file, "--binary"), SAID),
            ("mlserver", lambda: support.mlserver_network("net", file), SAID),
            ("triton", lambda: support.triton_network("net", file, SIDE, "FP32"), ""),
        ):
            with support.running(start()) as server:
                record(server.url, goal / name, said)


if __name__ == "__main__":
    main()
