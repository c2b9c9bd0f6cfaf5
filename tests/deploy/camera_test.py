#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A camera as a service: elf-launch with a configuration file, its results and its secrets.

usage: camera_test.py LAUNCH-PROGRAM SERVER-PROGRAM
"""
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import unittest

from folder_case import FolderCase
from manager import Manager, links_systemd

LAUNCH, SERVER = (os.path.abspath(file) for file in sys.argv[1:3])
ROOT = pathlib.Path(os.environ["ELF_TEST_SOURCE_ROOT"])
LOGROTATE = ROOT / "docs/deploy/logrotate.conf"
PATIENCE = 30
SECRET = "s3cr3t"

LIVE = """[pipeline]
launch=videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=100/1 ! elfrppredict ! \
elfpartition ! elfoffload servers={servers} model=simulated ! elfmerge results-location={results} ! \
fakesink
[variable servers]
[variable results]
default=
"""


class Case(FolderCase):
    def config(self, pipeline, more="", **variables):
        """A configuration that runs the launch line or file `pipeline`."""
        file = self.write("test.pipeline", pipeline)
        lines = "".join(f"{name}={value}\n" for name, value in variables.items())
        return self.write("door.conf",
                          f"[elf-launch]\npipeline={file}\n{more}\n[variables]\n{lines}")

    def run_launch(self, *arguments, code=0):
        ran = subprocess.run([LAUNCH, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True, timeout=PATIENCE, check=False)
        self.assertEqual(ran.returncode, code, ran.stderr)
        return ran

    def start(self, *arguments, **more):
        process = subprocess.Popen([LAUNCH, *arguments], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, **more)

        def end():
            process.kill()
            process.communicate()
        self.addCleanup(end)
        return process

    def server(self, *options):
        """The URL of an elf-server that finds nothing."""
        process = subprocess.Popen([SERVER, "--port", "0", "--model", "simulated", *options],
                                   stdout=subprocess.PIPE, text=True)

        def end():
            process.terminate()
            process.communicate()
        self.addCleanup(end)
        return process.stdout.readline().split()[1]


def await_line(stream, text):
    for line in stream:
        if text in line:
            return line
    raise AssertionError(f"no line with {text!r}")


class Config(Case):
    PIPELINE = ("[pipeline]\nlaunch=fakesrc num-buffers={n} ! identity name={name} ! fakesink\n"
                "[variable n]\n[variable name]\ndefault=any\n")

    def test_names_the_pipeline_its_variables_and_options(self):
        config = self.config(self.PIPELINE, "json=-\nquiet=true", n=7)
        ran = self.run_launch("--config", config)
        self.assertEqual(json.loads(ran.stdout)["frames"], 7)
        self.assertEqual(ran.stderr, "")

    def test_the_command_line_wins(self):
        config = self.config(self.PIPELINE, "json=/no/such/folder\nframes=3", n=7)
        summary = self.run_launch("--config", config, "--json=-", "--frames", "2", "n=5").stdout
        self.assertEqual(json.loads(summary)["frames"], 2)

    def test_an_error_is_one_line_that_names_file_and_key_and_shows_no_value(self):
        config = str(self.folder / "door.conf")
        for text, said, code in (
                (f"[elf-launch]\npipeline=x\npasword={SECRET}", ": [elf-launch] pasword: unknown key "
                 "(the keys are pipeline, frames, json, quiet, retry)", 1),
                ("[variables]\nn=1", ": [elf-launch] pipeline: is missing", 1),
                ("[elf-launch]\npipeline=", ": [elf-launch] pipeline: is empty", 1),
                ("[elf-launch]\npipeline=x\nframes=0",
                 ": [elf-launch] frames: is neither above 0 nor -1, all", 1),
                ("[elf-launch]\npipeline=x\nquiet=yes",
                 ": [elf-launch] quiet: 'yes' is neither true nor false", 1),
                ("[variable n]\nx=1", ": [variable n]: unknown group (there are [elf-launch] and "
                 "[variables])", 1),
                (f"[variables]\nurl rtsp {SECRET}", ": line 2 is neither KEY=VALUE nor [GROUP]", 1)):
            self.write("door.conf", text)
            ran = self.run_launch("--config", config, code=code)
            self.assertEqual(ran.stderr, f"elf-launch: {config}{said}\n")
        ran = self.run_launch("--config", config + "x", code=1)
        self.assertIn(config + "x", ran.stderr)


class Secrets(Case):
    """The password of a camera that cannot be reached is nowhere."""

    def shown(self, *arguments, code=1):
        ran = self.run_launch("--json=-", *arguments, code=code)
        self.assertNotIn(SECRET, ran.stdout + ran.stderr)
        return ran.stderr

    def test_are_not_in_errors_of_sources(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            place = f"me:{SECRET}@127.0.0.1:{closed.getsockname()[1]}"
            for source, url in (("rtspsrc location", f"rtsp://{place}/stream"),
                                ("uridecodebin uri", f"rtsp://{place}/stream"),
                                ("souphttpsrc location", f"http://{place}/x.mp4"),
                                ("souphttpsrc location", f"http://127.0.0.1:1/x?pwd={SECRET}"),
                                ("filesrc location", f"rtsp://{place}/none"),
                                ("uridecodebin uri", f"nosuch://{place}/none")):
                with self.subTest(source=source, url=url):
                    config = self.config(f"[pipeline]\nlaunch={source}={{url}} ! fakesink\n"
                                         "[variable url]\n", url=url)
                    self.shown("--config", config)

    def test_are_not_in_errors_about_values(self):
        url = f"rtsp://me:{SECRET}@cam/stream"
        # Where a number belongs, where a value may hold only letters, and without a pipeline.
        config = self.config("[pipeline]\nlaunch=fakesrc num-buffers={url} ! fakesink\n"
                             "[variable url]\n", url=url)
        self.assertIn("num-buffers can't be rtsp://***@cam/stream", self.shown("--config", config))
        config = self.config("[pipeline]\nlaunch=fakesrc ! {url}\n[variable url]\n", url=url)
        self.assertIn("'rtsp://***@cam/stream' can't be used", self.shown("--config", config, code=2))
        self.shown(url, code=2)

    def test_are_not_on_the_command_line(self):
        config = self.config(LIVE, servers=self.server())
        process = self.start("--config", config)
        await_line(process.stderr, "running")
        line = pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
        self.assertEqual(line, [LAUNCH.encode(), b"--config", config.encode(), b""])


class Token(Case):
    def test_is_sent_by_a_pipeline_that_is_made_as_the_page_says(self):
        commands = re.search(r"^ +sed .*\n +printf .*", (ROOT / "docs/deploy/README.md").read_text(),
                             re.MULTILINE).group()
        source, made = self.folder / "source.pipeline", self.folder / "made.pipeline"
        commands = commands.replace("/usr/local/share/elf/pipelines/rtsp.pipeline", str(source))
        commands = commands.replace("/etc/elf/rtsp.pipeline", str(made))
        for pipeline, given in (((ROOT / "pipelines/rtsp.pipeline").read_text(), "url=x"),
                                (LIVE, "servers=x")):
            source.write_text(pipeline)
            subprocess.run(["sh", "-c", commands], check=True)
            self.assertIn("'token-file' has no default", self.run_launch(made, given, code=2).stderr)
        token = self.write("token", "secret")
        ran = self.run_launch(made, "--json=-", "--frames=5", f"token-file={token}",
                              "servers=" + self.server("--token-file", token))
        self.assertEqual(json.loads(ran.stdout)["frames"], 5)


class Results(Case):
    def frames(self, *names):
        """The numbers of the frames in these files, in which all lines are whole."""
        return [json.loads(line)["frame"]
                for name in names for line in (self.folder / name).read_text().splitlines()]

    def camera(self):
        config = self.config(LIVE, "json=-", servers=self.server(),
                             results=self.folder / "results.jsonl")
        process = self.start("--config", config)
        await_line(process.stderr, "running")
        return process

    def await_frames(self, count):
        """Until so many lines are in the file: the test's own time limit bounds it."""
        file = self.folder / "results.jsonl"
        while not file.exists() or file.read_text().count("\n") < count:
            os.sched_yield()

    def test_sighup_opens_the_file_anew_and_no_frame_is_lost(self):
        process = self.camera()
        names = []
        for number in range(5):
            self.await_frames(10)
            names.append(f"results.jsonl.{number}")
            os.rename(self.folder / "results.jsonl", self.folder / names[-1])
            process.send_signal(signal.SIGHUP)
        self.await_frames(10)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual(self.frames(*names, "results.jsonl"), list(range(json.loads(out)["frames"])))

    def test_sighup_is_harmless_before_there_is_a_file(self):
        os.mkfifo(self.folder / "door.conf")
        process = self.start("--config", str(self.folder / "door.conf"))
        with open(self.folder / "door.conf", "w") as config:
            # It waits for what is in there.
            process.send_signal(signal.SIGHUP)
            config.write(f"[elf-launch]\npipeline={self.write('x.pipeline', '[pipeline]')}\n")
        _, err = process.communicate(timeout=PATIENCE)
        self.assertIn("has no key 'launch'", err)

    @unittest.skipUnless(shutil.which("logrotate", path=os.defpath + ":/usr/sbin"),
                         "logrotate is not there")
    def test_logrotate_does_so(self):
        process = self.camera()
        config = LOGROTATE.read_text()
        kill = re.search("systemctl .*", config).group()
        config = config.replace(kill, f"kill -HUP {process.pid}")
        config = config.replace("/var/lib/elf/cameras/*/*.jsonl", f"{self.folder}/*.jsonl")
        self.assertNotIn("systemctl", config)
        file = self.write("logrotate.conf", config)
        os.chmod(file, 0o644)
        for _ in range(3):
            self.await_frames(10)
            subprocess.run(["logrotate", "--force", "--state", self.folder / "state", file], check=True,
                           env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin"))
        self.await_frames(10)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE)
        old = sorted(self.folder.glob("results.jsonl.*.gz"), reverse=True)
        self.assertEqual([each.name for each in old], ["results.jsonl.3.gz", "results.jsonl.2.gz"])
        subprocess.run(["gzip", "-d", *old], check=True)
        self.assertEqual(self.frames("results.jsonl.3", "results.jsonl.2", "results.jsonl.1",
                                     "results.jsonl"), list(range(json.loads(out)["frames"])))

    def test_a_terminal_that_is_closed_ends_it(self):
        config = self.config(LIVE, servers=self.server(), results=self.folder / "results.jsonl")
        child, terminal = pty.fork()
        if child == 0:
            os.execv(LAUNCH, [LAUNCH, "--config", config])
        self.await_frames(10)
        os.close(terminal)
        _, status = os.waitpid(child, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0)
        self.assertEqual(self.frames("results.jsonl"), list(range(len(self.frames("results.jsonl")))))


@unittest.skipUnless(links_systemd(LAUNCH), "elf-launch is built without libsystemd")
class Service(Case):
    def test_tells_its_state(self):
        manager = Manager(self.folder)
        self.addCleanup(manager.socket.close)
        config = self.config(LIVE, servers=self.server())
        process = self.start("-c", f'WATCHDOG_USEC=40000 WATCHDOG_PID=$$ exec {LAUNCH} "$@"', "sh",
                             "--config", config, executable="/bin/sh",
                             env=dict(os.environ, NOTIFY_SOCKET=manager.path))
        ready, _ = manager.await_state("READY")
        self.assertEqual(ready["STATUS"], f"running {self.folder}/test.pipeline")
        manager.await_state("WATCHDOG")
        status, _ = manager.await_state("STATUS")
        self.assertRegex(status["STATUS"], r"^\d+ frames  \d+\.\d frames/s  latency \d+ ms")
        process.send_signal(signal.SIGTERM)
        manager.await_state("STOPPING")
        self.assertEqual(process.wait(PATIENCE), 0)

    def test_one_that_does_not_run_is_never_ready(self):
        manager = Manager(self.folder)
        self.addCleanup(manager.socket.close)
        config = self.config("[pipeline]\nlaunch=filesrc location=/no/such/file ! fakesink\n")
        process = self.start("--config", config, env=dict(os.environ, NOTIFY_SOCKET=manager.path))
        self.assertEqual(process.wait(PATIENCE), 1)
        manager.socket.setblocking(False)
        with self.assertRaises(BlockingIOError):
            manager.await_state("READY")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
