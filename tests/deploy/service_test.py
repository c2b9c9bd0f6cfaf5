#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""elf-server as a service: reloads, and what it tells the service manager.

usage: service_test.py SERVER-PROGRAM LIBRARY-THAT-ABORTS
"""
import http.client
import pathlib
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.error
import urllib.request

PROGRAM, ABORTS = sys.argv[1:3]
PATIENCE = 30
# A model that needs no file and always takes this long.
SLOW = "[model]\nbackend=simulated\n[simulated]\nfixed-ms=20\n"


class Server:
    """An elf-server process, as long as the `with` lasts."""

    def __init__(self, *arguments, **more):
        self.process = subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, **more)
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.stderr.read())
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


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, text):
        (self.folder / name).write_text(text)
        return str(self.folder / name)

    def config(self, text):
        return self.write("server.conf", f"[elf-server]\n{text}\n")


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


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
