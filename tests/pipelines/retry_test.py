#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""elf-launch, and a camera that goes away and comes back.

usage: retry_test.py LAUNCH-PROGRAM SERVER-PROGRAM CAMERA-PROGRAM
"""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

LAUNCH, SERVER, CAMERA = (os.path.abspath(file) for file in sys.argv[1:4])
PATIENCE = 60
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
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

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
