#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""elf-server as a service: reloads, and what it tells the service manager.

usage: service_test.py SERVER-PROGRAM LIBRARY-THAT-ABORTS LIBRARY-THAT-HANGS
"""
import http.client
import os
import pathlib
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request

from folder_case import FolderCase
from manager import Manager, links_systemd

PROGRAM, ABORTS, HANGS = (os.path.abspath(file) for file in sys.argv[1:4])
PATIENCE = 30
OWN_MOUNTS = ("unshare", "--map-root-user", "--mount")
# A model that needs no file and always takes this long.
SLOW = "[model]\nbackend=simulated\n[simulated]\nfixed-ms=20\n"


class Server:
    """An elf-server process, as long as the `with` lasts."""

    def __init__(self, *arguments, program=PROGRAM, stderr=subprocess.PIPE, **more):
        self.process = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE,
                                        stderr=stderr, text=True, **more)
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.stderr and self.process.stderr.read())
        self.url = line.split()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.stdout.close()
            if self.process.stderr:
                self.process.stderr.close()

    def reload(self):
        """The lines of standard error about it, the last of which is its result."""
        self.process.send_signal(signal.SIGHUP)
        lines = []
        while not lines or "reloaded" not in lines[-1]:
            lines.append(self.process.stderr.readline())
            if not lines[-1]:
                raise AssertionError("ended: " + "".join(lines))
        return lines

    def status(self, path, token=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, headers=headers),
                                        timeout=PATIENCE) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code


def wait_for(what):
    """The first true value of what()."""
    give_up = time.monotonic() + PATIENCE
    while not (value := what()):
        if time.monotonic() > give_up:
            raise AssertionError("waited in vain")
        time.sleep(0.02)
    return value


class Case(FolderCase):
    def config(self, text):
        return self.write("server.conf", f"[elf-server]\n{text}\n")


class Trial(Case):
    """Of a model that hangs while it is loaded."""

    def test_ends_in_time(self):
        ran = subprocess.run([PROGRAM, "--check", HANGS, "--load-timeout", "1"], check=False,
                             stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
        self.assertEqual(ran.returncode, 1)
        self.assertEqual(ran.stderr, "elf-server: libodd_hangs.so: is not loaded after 1 s "
                         "(--load-timeout gives it more)\n")

    def test_ends_with_the_server(self):
        server = subprocess.Popen([PROGRAM, "--port", "0", "--model", HANGS])
        children = pathlib.Path(f"/proc/{server.pid}/task/{server.pid}/children")
        try:
            trial = wait_for(lambda: children.read_text().strip())
        finally:
            server.terminate()
            server.wait()
        wait_for(lambda: not pathlib.Path("/proc", trial).exists())


class Reload(Case):
    def test_reads_models_and_token_again(self):
        token = self.write("token", "old")
        config = self.config(f"port=0\nmodel=simulated\ntoken-file={token}")
        with Server("--config", config) as server:
            self.assertEqual(server.status("/v2/models/simulated", "old"), 200)
            other = self.write("other.model", SLOW)
            self.config(f"port=0\nmodel=simulated;{other}\ntoken-file={token}")
            self.write("token", "new")
            self.assertEqual(server.reload(), ["elf-server: reloaded, serves simulated, other\n"])
            self.assertEqual(server.status("/v2/models/other", "old"), 401)
            self.assertEqual(server.status("/v2/models/other", "new"), 200)

    def test_one_that_fails_leaves_all_as_it_was(self):
        token = self.write("token", "secret")
        before = f"port=0\nmodel=simulated\ntoken-file={token}"
        config = self.config(before)
        with Server("--config", config) as server:
            for text, said in ((before + "\nprot=1", f"{config}: [elf-server] prot: unknown key"),
                               (before + "\nmodel=nowhere", "nowhere: no such .model file"),
                               (before + f"\nmodel={ABORTS}", "ends the process that loads it"),
                               (before + f"\nmodel={HANGS}\nload-timeout=1",
                                "libodd_hangs.so: is not loaded after 1 s"),
                               ("port=0\nmodel=simulated\ntoken-file=/none", "/none")):
                self.config(text)
                lines = server.reload()
                self.assertEqual(len(lines), 1, lines)
                self.assertTrue(lines[0].startswith("elf-server: not reloaded, goes on as before: "))
                self.assertIn(said, lines[0])
                self.assertEqual(server.status("/v2/models/simulated"), 401)
                self.assertEqual(server.status("/v2/models/simulated", "secret"), 200)

    def test_names_what_needs_a_restart_and_reloads_the_rest(self):
        config = self.config("port=0\nmodel=simulated")
        with Server("--config", config) as server:
            other = self.write("other.model", SLOW)
            self.config(f"port=1\nbind=::1\nmodel={other}\njson={self.folder}/json\n"
                        "tls-cert=/none\ntls-key=/none")
            self.assertEqual(server.reload(), [
                "elf-server: changed, but needs a restart: bind, port, json, tls-cert\n",
                "elf-server: reloaded, serves other\n"])
            self.assertEqual(server.status("/v2/models/other"), 200)

    def test_begins_a_new_log(self):
        log = self.folder / "log"
        with Server("--port", "0", "--model", "simulated", "--log", str(log)) as server:
            self.assertEqual(server.status("/v2/before"), 404)
            log.rename(self.folder / "rotated")
            server.reload()
            self.assertEqual(server.status("/v2/after"), 404)
        self.assertIn("/v2/before", (self.folder / "rotated").read_text())
        self.assertNotIn("/v2/after", (self.folder / "rotated").read_text())
        self.assertIn("/v2/after", log.read_text())

    def test_loses_no_request(self):
        """Five reloads under load: each request is answered, over kept connections and new ones."""
        model = self.write("slow.model", SLOW)
        with Server("--port", "0", "--model", model, "--queue", "100") as server:
            host = server.url.removeprefix("http://")
            faults = queue.Queue()
            done = threading.Event()
            answered = threading.Semaphore(0)
            picture = (b"\xff" * 12)
            head = (b'{"inputs":[{"name":"image","datatype":"UINT8","shape":[1,2,2,3],'
                    b'"parameters":{"binary_data_size":12}}]}')

            def ask(kept):
                connection = http.client.HTTPConnection(host, timeout=PATIENCE)
                while not done.is_set():
                    try:
                        connection.request("POST", "/v2/models/slow/infer", head + picture, {
                            "Inference-Header-Content-Length": str(len(head))})
                        answer = connection.getresponse()
                        body = answer.read()
                        if answer.status != 200:
                            faults.put((answer.status, body))
                    except OSError as error:
                        faults.put(error)
                    if not kept:
                        connection.close()
                    answered.release()
                connection.close()

            threads = [threading.Thread(target=ask, args=(i % 2 == 0,)) for i in range(6)]
            for thread in threads:
                thread.start()
            for _ in range(5):
                for _ in range(12):
                    answered.acquire(timeout=PATIENCE)
                server.reload()
            done.set()
            for thread in threads:
                thread.join()
            self.assertTrue(faults.empty(), list(faults.queue))


@unittest.skipUnless(links_systemd(PROGRAM), "elf-server is built without libsystemd")
class Service(Case):
    def setUp(self):
        super().setUp()
        self.manager = Manager(self.folder)
        self.addCleanup(self.manager.socket.close)

    def server(self, *arguments, watchdog=None, **more):
        """`watchdog`: the process that it is for, as the shell that becomes elf-server writes it."""
        environment = dict(os.environ, NOTIFY_SOCKET=self.manager.path)
        given = f"WATCHDOG_USEC=40000 WATCHDOG_PID={watchdog}" if watchdog else ""
        return Server("-c", f'{given} exec {PROGRAM} "$@"', "sh", "--port", "0", *arguments,
                      program="sh", env=environment, **more)

    def test_tells_each_state_in_order(self):
        config = self.config("model=simulated")
        with self.server("--config", config, watchdog="$$") as server:
            ready, before = self.manager.await_state("READY")
            self.assertEqual(before, [])
            self.assertEqual(ready["STATUS"], f"{server.url}: serves simulated")
            self.manager.await_state("WATCHDOG")
            begun = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            server.reload()
            reloading, _ = self.manager.await_state("RELOADING", "MONOTONIC_USEC")
            self.assertLessEqual(begun, int(reloading["MONOTONIC_USEC"]))
            ready, _ = self.manager.await_state("READY")
            self.assertEqual(ready["STATUS"], f"{server.url}: serves simulated")
            self.config("model=none\n\tsuch")
            server.reload()
            self.manager.await_state("RELOADING")
            ready, _ = self.manager.await_state("READY")
            self.assertIn("not reloaded, goes on as before: ", ready["STATUS"])
            # It goes on.
            self.manager.await_state("WATCHDOG")
            server.process.send_signal(signal.SIGTERM)
            _, before = self.manager.await_state("STOPPING")
            self.assertEqual([message for message in before if "WATCHDOG" not in message], [])
            self.assertEqual(server.process.wait(PATIENCE), 0)

    def test_the_watchdog_of_another_process_is_none_of_its_business(self):
        with self.server("--model", self.write("slow.model", SLOW), watchdog="1") as server:
            body = b'{"inputs":[{"name":"image","datatype":"UINT8","shape":[1,1,1,3],"data":[1,2,3]}]}'
            # Ten times as long as a watchdog would wait.
            for _ in range(10):
                urllib.request.urlopen(server.url + "/v2/models/slow/infer", body).close()
            server.process.terminate()
            _, before = self.manager.await_state("STOPPING")
            self.assertEqual([message for message in before if "WATCHDOG" in message], [])

    def test_serves_the_socket_that_it_is_handed(self):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            with Server(*handing(listening, "LISTEN_FDS=1 LISTEN_PID=$$ LISTEN_FDNAMES=web"),
                        program="sh", pass_fds=[listening.fileno()]) as server:
                self.assertEqual(server.url, f"http://127.0.0.1:{port}")
                self.assertEqual(server.status("/v2/models/simulated"), 200)

    def test_leaves_the_socket_of_another_process_alone(self):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            with Server(*handing(listening, "LISTEN_FDS=1 LISTEN_PID=1"),
                        program="sh", pass_fds=[listening.fileno()]) as server:
                self.assertNotEqual(server.url, f"http://127.0.0.1:{listening.getsockname()[1]}")

    def test_names_the_socket_that_it_cannot_serve(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, \
             socket.socket(socket.AF_UNIX) as local:
            local.bind(str(self.folder / "local"))
            local.listen()
            for handed, count, said in (
                    (datagrams, 1, "LISTEN_FDS: web: not a listening TCP socket"),
                    (local, 1, "LISTEN_FDS: web: not a listening TCP socket"),
                    (local, 2, "LISTEN_FDS: web, web: more than one socket")):
                names = ":".join(["web"] * count)
                ran = subprocess.run(
                    ["sh", *handing(handed, f"LISTEN_FDS={count} LISTEN_PID=$$ LISTEN_FDNAMES={names}")],
                    pass_fds=[handed.fileno()], stderr=subprocess.PIPE, text=True, check=False)
                self.assertEqual(ran.returncode, 1)
                self.assertIn(said, ran.stderr)

    def test_warns_of_an_open_socket_whatever_bind_says(self):
        with socket.create_server(("0.0.0.0", 0)) as listening:
            with Server(*handing(listening, "LISTEN_FDS=1 LISTEN_PID=$$"),
                        program="sh", pass_fds=[listening.fileno()]) as server:
                self.assertIn("warning: 0.0.0.0", server.process.stderr.readline())


def may_mount():
    return subprocess.run([*OWN_MOUNTS, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0


@unittest.skipUnless(links_systemd(PROGRAM), "elf-server is built without libsystemd")
@unittest.skipUnless(may_mount(), "this user may not mount, so no journal can be stood in for")
class Journal(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "journal").mkdir()
        self.journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.journal.close)
        self.journal.bind(str(self.folder / "journal/socket"))
        self.journal.settimeout(PATIENCE)
        self.read, self.write_end = os.pipe()
        self.addCleanup(os.close, self.read)
        self.addCleanup(os.close, self.write_end)

    def server(self, *arguments, stream):
        """An elf-server that finds the test's socket where journald has its own."""
        mount = (f"mount -t tmpfs none /run && mkdir -p /run/systemd/journal && "
                 f"mount --bind {self.folder}/journal /run/systemd/journal && exec {PROGRAM} \"$@\"")
        return Server(*OWN_MOUNTS[1:], "sh", "-c", mount, "sh", "--port", "0", *arguments,
                      program=OWN_MOUNTS[0], stderr=self.write_end,
                      env=dict(os.environ, JOURNAL_STREAM=stream))

    def stream(self):
        facts = os.fstat(self.write_end)
        return f"{facts.st_dev}:{facts.st_ino}"

    def take(self):
        return dict(line.split("=", 1) for line in self.journal.recv(65536).decode().splitlines())

    def test_gets_messages_with_priority_and_requests_with_their_fields(self):
        config = self.config("model=simulated\nlog=-")
        with self.server("--config", config, stream=self.stream()) as server:
            body = (b'{"id":"mine","inputs":[{"name":"image","datatype":"UINT8","shape":[1,1,1,3],'
                    b'"data":[1,2,3]}]}')
            urllib.request.urlopen(server.url + "/v2/models/simulated/infer", body).close()
            entry = self.take()
            self.assertEqual(entry["PRIORITY"], "6")
            self.assertIn('"path":"/v2/models/simulated/infer"', entry["MESSAGE"])
            for field, value in (("ELF_MODEL", "simulated"), ("ELF_PEER", "127.0.0.1"),
                                 ("ELF_ID", "mine"), ("ELF_STATUS", "200")):
                self.assertEqual(entry[field], value)
            self.config("model=none-such\nlog=-")
            server.process.send_signal(signal.SIGHUP)
            entry = self.take()
            self.assertEqual(entry["PRIORITY"], "3")
            self.assertTrue(entry["MESSAGE"].startswith("not reloaded, goes on as before: "), entry)
            self.config("model=simulated\nlog=-")
            server.process.send_signal(signal.SIGHUP)
            self.assertEqual(self.take()["MESSAGE"], "reloaded, serves simulated")

    def test_gets_nothing_where_standard_error_leads_elsewhere(self):
        with self.server("--model", "simulated", stream="1:1") as server:
            server.process.send_signal(signal.SIGHUP)
            self.assertEqual(os.read(self.read, 4096), b"elf-server: reloaded, serves simulated\n")


def handing(handed, environment):
    """Arguments of a shell that becomes an elf-server with this socket in its place."""
    return ("-c", f'{environment} exec {PROGRAM} --port 0 --model simulated 3<&{handed.fileno()}'
                  f' 4<&{handed.fileno()}')


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
