#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""elf-launch, and a camera that goes away and comes back.

usage: retry_test.py LAUNCH-PROGRAM SERVER-PROGRAM CAMERA-PROGRAM
"""
import contextlib
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

LAUNCH, SERVER, CAMERA = (os.path.abspath(file) for file in sys.argv[1:4])
PATIENCE = 60
# Bytes a second.
RATE = 600_000
VIDEO = ("videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=25/1 ! "
         "x264enc tune=zerolatency key-int-max=10 ! rtph264pay name=pay0 pt=96")
RTSP = "rtspsrc location={url} latency=50 ! decodebin"
RECORD = """[pipeline]
launch={source} ! videoconvert ! queue leaky=downstream max-size-buffers=1 ! elfrppredict ! \
elfpartition ! elfoffload servers={{servers}} model=simulated ! elfmerge results-location={{results}} ! \
videoconvert ! video/x-raw,format=I420 ! x264enc tune=zerolatency ! mp4mux ! \
filesink location={{output}}
[variable url]
[variable servers]
[variable results]
[variable output]
"""


class FileServer:
    """Sends a file over HTTP, no faster than some can play it, and can be switched off."""

    def __init__(self, content):
        outer = self
        self.connections = set()
        self.address = ("127.0.0.1", 0)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.connections.add(self.connection)
                begin = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
                first = int(begin.group(1)) if begin else 0
                self.send_response(206 if begin else 200)
                self.send_header("Accept-Ranges", "bytes")
                self.send_header("Content-Type", "video/mp4")
                self.send_header("Content-Length", str(len(content) - first))
                if begin:
                    self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
                self.end_headers()
                try:
                    for at in range(first, len(content), RATE // 20):
                        self.wfile.write(content[at:at + RATE // 20])
                        time.sleep(0.05)
                except OSError:
                    self.close_connection = True

            do_HEAD = do_GET

            def log_message(self, *_):
                pass
        self.handler = Handler

    def switch_on(self):
        self.server = http.server.ThreadingHTTPServer(self.address, self.handler)
        self.server.daemon_threads = True
        self.address = self.server.server_address
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def switch_off(self):
        self.server.shutdown()
        self.server.server_close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.connections.clear()

    def __enter__(self):
        self.switch_on()
        self.url = f"http://127.0.0.1:{self.address[1]}/in.mp4"
        return self

    def __exit__(self, *_):
        self.switch_off()


class Retry(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.server = self.start([SERVER, "--port", "0", "--model", "simulated"])
        self.servers = self.server.stdout.readline().split()[1]
        self.camera = self.url = None

    def start(self, words, **more):
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, **more)

        def end():
            process.kill()
            process.communicate()
        self.addCleanup(end)
        return process

    def switch_on(self):
        port = self.url.rsplit(":", 1)[1].split("/")[0] if self.url else "0"
        self.camera = self.start([CAMERA, port, VIDEO], stdin=subprocess.PIPE)
        self.url = self.camera.stdout.readline().strip()

    def switch_off(self):
        self.camera.kill()
        self.camera.wait()

    def launch(self, source, *options):
        file = self.folder / "camera.pipeline"
        file.write_text(RECORD.format(source=source))
        return self.start([LAUNCH, "--json=-", *options, file, f"url={self.url}",
                           f"servers={self.servers}", f"results={self.folder}/results.jsonl",
                           f"output={self.folder}/out.mp4"], stderr=subprocess.PIPE)

    def await_line(self, process, text):
        lines = []
        for line in process.stderr:
            lines.append(line)
            if text in line:
                return line
        raise AssertionError(f"no line with {text!r} in {lines}")

    def lines(self):
        file = self.folder / "results.jsonl"
        text = file.read_text() if file.exists() else ""
        # The last one may be being written.
        return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]

    def await_frames(self, count, generation=0):
        while sum(line["generation"] == generation for line in self.lines()) < count:
            os.sched_yield()

    def finish(self, process, code=0):
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, code, err)
        return json.loads(out), err

    def goes_on(self, source):
        self.switch_on()
        process = self.launch(source)
        self.await_frames(10)
        self.switch_off()
        line = self.await_line(process, "the source is started again in 1 s")
        self.assertIn("elf-launch: warning: ", line)
        self.await_line(process, "the source is started again in 2 s")
        self.switch_on()
        self.await_line(process, "the source is back after ")
        self.await_frames(10, generation=1)
        process.send_signal(signal.SIGINT)
        summary, _ = self.finish(process)
        lines = self.lines()
        self.assertEqual(len(lines), summary["frames"])
        self.assertEqual([line["frame"] for line in lines], list(range(len(lines))))
        times = [line["pts_ns"] for line in lines]
        self.assertEqual(times, sorted(times))
        self.assertEqual({line["generation"] for line in lines}, {0, 1})
        gap = next(b["pts_ns"] - a["pts_ns"] for a, b in zip(lines, lines[1:])
                   if a["generation"] != b["generation"])
        self.assertGreater(gap, 2e9)
        self.assertEqual(summary["errors"], [])
        # The video has all frames, too.
        play = self.folder / "play.pipeline"
        play.write_text(f"[pipeline]\nlaunch=filesrc location={self.folder}/out.mp4 ! decodebin ! fakesink\n")
        played = subprocess.run([LAUNCH, "--quiet", "--json=-", play], stdout=subprocess.PIPE,
                                text=True, check=True)
        self.assertEqual(json.loads(played.stdout)["frames"], len(lines))

    def test_a_network_camera_goes_on_in_the_same_files(self):
        self.goes_on(RTSP)

    def test_so_does_one_that_uridecodebin_finds(self):
        self.goes_on("uridecodebin uri={url}")

    def test_without_retry_it_ends(self):
        self.switch_on()
        process = self.launch(RTSP, "--retry=0")
        self.await_frames(10)
        self.switch_off()
        summary, _ = self.finish(process, code=1)
        self.assertEqual(len(summary["errors"]), 1)

    def test_it_ends_when_the_camera_is_away_for_too_long(self):
        self.switch_on()
        process = self.launch(RTSP, "--retry=2")
        self.await_frames(10)
        self.switch_off()
        summary, err = self.finish(process, code=1)
        self.assertEqual(len(summary["errors"]), 1)
        self.assertIn("started again in 1 s", err)

    def test_an_interrupt_ends_it_while_it_waits(self):
        self.switch_on()
        process = self.launch(RTSP)
        self.await_frames(10)
        self.switch_off()
        self.await_line(process, "started again in 2 s")
        process.send_signal(signal.SIGINT)
        summary, _ = self.finish(process)
        self.assertEqual(len(self.lines()), summary["frames"])

    def test_one_that_was_never_there_ends_it(self):
        self.switch_on()
        self.switch_off()
        self.finish(self.launch(RTSP), code=1)

    def test_frames_end_it(self):
        self.switch_on()
        summary, _ = self.finish(self.launch(RTSP, "--frames=5"))
        self.assertEqual(summary["frames"], 5)

    def test_a_file_on_a_network_goes_on_where_it_was(self):
        subprocess.run(["gst-launch-1.0", "-q", "videotestsrc", "num-buffers=300", "!",
                        "video/x-raw,width=320,height=240,framerate=25/1", "!", "x264enc",
                        "key-int-max=25", "bframes=0", "bitrate=4000", "!", "mp4mux", "faststart=true", "!", "filesink",
                        f"location={self.folder}/in.mp4"], check=True)
        with FileServer((self.folder / "in.mp4").read_bytes()) as server:
            self.url = server.url
            process = self.launch("uridecodebin uri={url} ! videoconvert ! clocksync")
            self.await_frames(50)
            server.switch_off()
            self.await_line(process, "the source is started again in 2 s")
            before = len(self.lines())
            self.assertLess(before, 300)
            server.switch_on()
            self.await_line(process, "the source is back after ")
            summary, _ = self.finish(process)
        self.assertEqual(summary["errors"], [])
        lines = self.lines()
        times = [line["pts_ns"] for line in lines]
        self.assertEqual(times, sorted(set(times)))
        # The queue that leaks may leave some out.
        self.assertGreater(len(times), 250)
        self.assertEqual(times[-1], 299 * 40_000_000)
        self.assertEqual({line["generation"] for line in lines}, {0, 1})
        # It was played at its own pace, and paused.
        self.assertGreater(summary["seconds"], 12 + 2)

    def test_silence_is_a_loss(self):
        # It has no connection that could break.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        camera = self.start(["gst-launch-1.0", "-q", *VIDEO.split(), "config-interval=1", "!", "udpsink",
                             "host=127.0.0.1", f"port={port}"])
        self.url = f"{port}"
        process = self.launch("udpsrc address=127.0.0.1 port={url} caps=application/x-rtp,"
                              "media=video,clock-rate=90000,encoding-name=H264 ! decodebin")
        self.await_frames(10)
        camera.send_signal(signal.SIGSTOP)
        self.await_line(process, "nothing came for 10 s; the source is started again in 1 s")
        camera.send_signal(signal.SIGCONT)
        self.await_line(process, "the source is back after ")
        self.await_frames(10, generation=1)
        process.send_signal(signal.SIGINT)
        self.finish(process)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[4:], verbosity=2)
