#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""elf-server --announce on one machine, and a pipeline that finds it on another one.

Both machines are network namespaces with a system bus and an Avahi daemon of their own.

usage: avahi_test.py LAUNCH-PROGRAM SERVER-PROGRAM
"""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SKIPPED = 77
PATIENCE = 60
NONE_LEFT = "no server that can be used announces the model 'simulated'"
LAUNCH, SERVER = (os.path.abspath(file) for file in sys.argv[1:3])
INSIDE = "ELF_TEST_INSIDE_NAMESPACE"
UNSHARE = ["unshare", "--net", "--mount"] + ([] if os.getuid() == 0 else ["--map-root-user"])
os.environ["PATH"] += ":/usr/sbin:/sbin"

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_type="method_return"/>
    <allow send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="signal"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
  </policy>
</busconfig>
"""
AVAHI = """[server]
host-name={name}
use-ipv4=yes
use-ipv6=no
allow-interfaces=elf0
[wide-area]
enable-wide-area=no
[rlimits]
"""
PIPELINE = """[pipeline]
launch=videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=240,framerate=10/1 ! \
elfoffload servers={servers} model=simulated ca-file={ca} token-file={token} ! \
elfmerge ! fakesink
[variable servers]
[variable ca]
default=
[variable token]
default=
"""


def wait_for(what, condition, logs=()):
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            said = "".join(f"\n--- {log.name}\n{log.read_text()[-3000:]}" for log in logs)
            raise AssertionError(f"not within a minute: {what}{said}")
        time.sleep(0.05)


class Machine:
    """A network namespace with a bus and Avahi."""

    def __init__(self, name, address, folder, stack):
        self.name = name
        self.stack = stack
        self.folder = folder / name
        self.folder.mkdir()
        holder = self.popen(["sleep", "infinity"], enter=UNSHARE[:3])
        self.pid = holder.pid
        own = os.readlink("/proc/self/ns/mnt")
        wait_for("a namespace", lambda: os.readlink(f"/proc/{self.pid}/ns/mnt") != own)
        self.environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS="unix:path=/run/bus")
        self.address = address

    def popen(self, command, enter=(), **more):
        process = subprocess.Popen([*enter, *command], **more)
        self.stack.callback(self.end, process)
        return process

    @staticmethod
    def end(process):
        process.kill()
        process.wait()

    def inside(self, *command):
        return ["nsenter", f"--target={self.pid}", "--net", "--mount", *command]

    def run(self, *command):
        subprocess.run(self.inside(*command), check=True, env=self.environment)

    def start(self, *command, **more):
        """A process of this machine."""
        return self.popen(self.inside(*command), env=self.environment, **more)

    def boot(self):
        self.run("mount", "-t", "tmpfs", "tmpfs", "/run")
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "address", "add", self.address + "/24", "dev", "elf0")
        self.run("ip", "link", "set", "elf0", "up")
        self.run("ip", "route", "add", "224.0.0.0/4", "dev", "elf0")
        bus, avahi = self.folder / "bus.conf", self.folder / "avahi.conf"
        bus.write_text(BUS)
        avahi.write_text(AVAHI.format(name=self.name))
        log = (self.folder / "log").open("w")
        self.stack.callback(log.close)
        self.start("dbus-daemon", f"--config-file={bus}", "--nofork", stdout=log, stderr=log)
        wait_for("a bus", lambda: subprocess.run(
            self.inside("test", "-S", "/run/bus"), check=False).returncode == 0)
        self.avahi_log = log
        self.avahi_config = avahi
        self.start_avahi()

    def start_avahi(self):
        began = self.started()
        self.avahi = self.start("avahi-daemon", f"--file={self.avahi_config}", "--no-drop-root",
                                "--no-chroot", "--no-rlimits", stdout=self.avahi_log,
                                stderr=self.avahi_log)
        wait_for("Avahi", lambda: self.started() > began)

    def started(self):
        """How often Avahi has started."""
        return (self.folder / "log").read_text().count("Server startup complete")

    def stop_avahi(self):
        self.avahi.terminate()
        self.avahi.wait()


class Avahi(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = pathlib.Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.gpu = Machine("gpu", "10.77.0.1", self.folder, self.stack)
        self.camera = Machine("camera", "10.77.0.2", self.folder, self.stack)
        # A cable between both.
        subprocess.run(["ip", "link", "add", "elf0", "netns", str(self.gpu.pid), "type", "veth",
                        "peer", "name", "elf0", "netns", str(self.camera.pid)], check=True)
        self.gpu.boot()
        self.camera.boot()

    def wait_for(self, what, condition):
        wait_for(what, condition, [file for file in self.folder.rglob("*")
                                   if file.name == "log" or file.name.startswith(("launch", "server-"))])

    def serve(self, port, *options, models=("simulated",), machine=None):
        machine = machine or self.gpu
        log = self.folder / f"server-{port}-{machine.name}"
        with log.open("w") as file:
            process = machine.start(SERVER, "--announce", "--bind", "0.0.0.0", "--port", str(port),
                                    f"--log={self.requests(port, machine.name)}",
                                    *(f"--model={model}" for model in models), *options,
                                    stdout=subprocess.DEVNULL, stderr=file)
        self.wait_for("an announcement", lambda: "announced as" in log.read_text())
        return process, log

    def other_model(self):
        file = self.folder / "other.model"
        file.write_text("[model]\nbackend=simulated\n[simulated]\nfixed-ms=1\n")
        return file

    def play(self, *variables):
        """A pipeline on the camera; what it says."""
        file = self.folder / "test.pipeline"
        file.write_text(PIPELINE)
        log = self.folder / "launch"
        with log.open("w") as said:
            self.camera.start(LAUNCH, str(file), *variables, stdout=said, stderr=said)
        return log

    def requests(self, port, machine="gpu"):
        """The log of the requests to a server."""
        return self.folder / f"requests-{port}-{machine}"

    def wait_for_parts(self, port, machine="gpu"):
        """Some more than the probes."""
        requests = self.requests(port, machine)
        self.wait_for(f"parts for {port} of {machine}", lambda: requests.exists() and
                      requests.read_text().count('/infer') > 20)

    def test_servers_come_and_go(self):
        log = self.play("servers=avahi+http:")
        self.wait_for("a warning", lambda: NONE_LEFT in log.read_text())
        first, _ = self.serve(8001)
        self.serve(8002, models=(self.other_model(),))
        self.wait_for_parts(8001)
        first.kill()
        first.wait()
        self.wait_for("a loss", lambda: log.read_text().count(NONE_LEFT) >= 2)
        second, said = self.serve(8003)
        self.wait_for_parts(8003)
        # Avahi starts again on both machines.
        for machine in (self.gpu, self.camera):
            machine.stop_avahi()
            machine.start_avahi()
        self.wait_for("a new announcement", lambda: said.read_text().count("announced as") == 2)
        # One that ends is withdrawn.
        second.send_signal(signal.SIGTERM)
        self.assertEqual(second.wait(PATIENCE), 0)
        self.wait_for("its end", lambda: log.read_text().count(NONE_LEFT) >= 3)
        self.assertEqual(self.requests(8002).read_text(), "", "it has another model")

    def test_only_tls_that_the_ca_vouches_for_gets_frames_and_token(self):
        ca, key, token = (self.folder / name for name in ("ca.pem", "key.pem", "token"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=gpu", "-addext",
                        "subjectAltName=DNS:gpu.local", "-keyout", key, "-out", ca],
                       check=True, capture_output=True)
        token.write_text("secret")
        self.serve(8001)
        self.serve(8002, f"--tls-cert={ca}", f"--tls-key={key}", f"--token-file={token}")
        log = self.play("servers=avahi:", f"ca={ca}", f"token={token}")
        self.wait_for_parts(8002)
        self.assertEqual(self.requests(8001).read_text(), "", "it has no TLS")
        self.assertIn("ignores what is announced without TLS: gpu.local:8001", log.read_text())

    def test_a_reload_announces_other_models(self):
        config = self.folder / "server.conf"
        config.write_text(f"[elf-server]\nmodel={self.other_model()}\n")
        server, said = self.serve(8001, f"--config={config}", models=())
        log = self.play("servers=avahi+http:")
        self.wait_for("a warning", lambda: NONE_LEFT in log.read_text())
        config.write_text("[elf-server]\nmodel=simulated\n")
        server.send_signal(signal.SIGHUP)
        self.wait_for("a reload", lambda: "reloaded" in said.read_text())
        self.wait_for_parts(8001)

    def test_a_server_takes_another_name_if_its_own_is_taken(self):
        # The host has one name in both namespaces.
        first, said = self.serve(8001)
        _, second_said = self.serve(8001, machine=self.camera)
        name = said.read_text().split("announced as ", 1)[1].rstrip("\n")
        self.assertIn(f"announced as {name} #2\n", second_said.read_text())
        log = self.play("servers=avahi+http:")
        self.wait_for("an introduction", lambda: all(
            self.requests(8001, machine).read_text() for machine in ("gpu", "camera")))
        first.terminate()
        self.wait_for_parts(8001, "camera")
        self.assertNotIn(NONE_LEFT, log.read_text())

    def test_without_avahi_there_is_a_warning_until_it_is_there(self):
        self.camera.stop_avahi()
        self.serve(8001)
        log = self.play("servers=avahi+http:")
        self.wait_for("a warning", lambda: "finds no server" in log.read_text())
        self.camera.start_avahi()
        self.wait_for_parts(8001)


def skip(why):
    print("skipped:", why)
    sys.exit(SKIPPED)


def main():
    for program in ("avahi-daemon", "dbus-daemon", "ip", "nsenter", "openssl", "unshare"):
        if not shutil.which(program):
            skip(f"{program} is missing")
    if INSIDE not in os.environ:
        tried = subprocess.run([*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/run"], check=False,
                               capture_output=True, text=True)
        if tried.returncode != 0:
            skip("no network namespace is allowed here: " + tried.stderr.strip())
        os.environ[INSIDE] = "true"
        os.execvp(UNSHARE[0], [*UNSHARE, sys.executable, *sys.argv])
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])


if __name__ == "__main__":
    main()
