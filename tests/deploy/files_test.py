#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files of docs/deploy agree with Elf's programs, with each other and with those who read them.

usage: files_test.py SERVER-PROGRAM LAUNCH-PROGRAM

The manifests of Kubernetes are checked against its schemas where tests/deploy/requirements.txt is
installed, into the folder `deploy` of the build or for this Python.
"""
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

PROGRAM, LAUNCH = (os.path.abspath(file) for file in sys.argv[1:3])
ROOT = pathlib.Path(os.environ["ELF_TEST_SOURCE_ROOT"])
DEPLOY = ROOT / "docs/deploy"
PATIENCE = 30
# The oldest that is still common, and the newest that the validator knows.
RELEASES = ("1.30", "1.37")

sys.path.append(os.environ["ELF_TEST_BUILD_ROOT"] + "/deploy")
try:
    import kubernetes_validate
    import yaml
except ImportError:
    kubernetes_validate = None


def series(text):
    """Name and names of labels of all series in Prometheus's text."""
    return {name: set(re.findall(r'(\w+)="', labels or "")) for name, labels in
            re.findall(r"^(elf_\w+)({.*})? ", text, re.MULTILINE)}


def read(url, body=None):
    with urllib.request.urlopen(url, body, PATIENCE) as answer:
        return answer.read().decode()


def of_server():
    """The series of an elf-server that has answered a request."""
    body = b'{"inputs":[{"name":"image","datatype":"UINT8","shape":[1,1,1,3],"data":[1,2,3]}]}'
    with subprocess.Popen([PROGRAM, "--port", "0", "--model", "simulated"], stdout=subprocess.PIPE,
                          text=True) as server:
        try:
            url = server.stdout.readline().split()[1]
            read(url + "/v2/models/simulated/infer", body)
            return series(read(url + "/metrics"))
        finally:
            server.terminate()


def of_client():
    """The series of an elfoffload. Its server need not be there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.NamedTemporaryFile("w", suffix=".pipeline") as file:
        file.write("[pipeline]\nlaunch=videotestsrc is-live=true ! "
                   "video/x-raw,width=64,height=48,framerate=100/1 ! elfoffload model=simulated "
                   f"servers=http://127.0.0.1:9 metrics-port={port} ! elfmerge ! fakesink\n")
        file.flush()
        with subprocess.Popen([LAUNCH, file.name], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as launch:
            try:
                give_up = time.monotonic() + PATIENCE
                while True:
                    try:
                        return series(read(f"http://127.0.0.1:{port}/metrics"))
                    except urllib.error.URLError:
                        if launch.poll() is not None or time.monotonic() > give_up:
                            raise
                        time.sleep(0.05)
            finally:
                launch.kill()


class Dashboards(unittest.TestCase):
    # What Prometheus adds to each series.
    ADDED = {"instance", "job"}

    def check(self, file, exported):
        dashboard = json.loads((DEPLOY / file).read_text())
        targets = [target for panel in dashboard["panels"] for target in panel["targets"]]
        queries = [target["expr"] for target in targets]
        queries += [variable["query"]["query"] for variable in dashboard["templating"]["list"]
                    if variable["type"] == "query"]
        asked = set(re.findall(r"\belf_\w+", " ".join(queries)))
        self.assertLessEqual(asked, set(exported))
        # A new metric is shown, too.
        families = {re.sub("_(bucket|count|sum)$", "", name) for name in exported}
        self.assertEqual(families, {re.sub("_(bucket|count|sum)$", "", name) for name in asked})
        for query in queries:
            names = re.findall(r"\belf_\w+", query)
            for name, labels in re.findall(r"(elf_\w+){(.*?)}", query):
                self.assertLessEqual(set(re.findall(r"(\w+)[!=]", labels)), exported[name], query)
            for labels in re.findall(r"\bby \((.*?)\)", query):
                for name in names:
                    self.assertLessEqual(set(labels.split(", ")), exported[name] | self.ADDED, query)
        for target in targets:
            grouped = set(", ".join(re.findall(r"\bby \((.*?)\)", target["expr"])).split(", "))
            self.assertLessEqual(set(re.findall("{{(.*?)}}", target["legendFormat"])), grouped)

    def test_of_the_server_asks_for_metrics_that_elf_server_exports(self):
        self.check("grafana.json", of_server())

    def test_of_the_client_asks_for_metrics_that_elfoffload_exports(self):
        self.check("grafana-client.json", of_client())

    def test_stand_beside_each_other(self):
        files = sorted(DEPLOY.glob("grafana*.json"))
        self.assertEqual(len({json.loads(file.read_text())["uid"] for file in files}), len(files))


@unittest.skipUnless(kubernetes_validate, "tests/deploy/requirements.txt is not installed")
class Kubernetes(unittest.TestCase):
    def setUp(self):
        self.objects = {}
        for file in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
            for each in yaml.safe_load_all(file.read_text()):
                self.objects[each["kind"]] = each
        self.pod = self.objects["Deployment"]["spec"]["template"]
        self.container, = self.pod["spec"]["containers"]

    def test_manifests_are_those_of_kubernetes(self):
        self.assertEqual(set(self.objects), {"ConfigMap", "Deployment", "HorizontalPodAutoscaler",
                                             "PodDisruptionBudget", "Service"})
        for release in RELEASES:
            for each in self.objects.values():
                kubernetes_validate.validate(each, release, strict=True)

    def test_all_select_the_pods_of_the_deployment(self):
        labels = self.pod["metadata"]["labels"]
        for selector in (self.objects["Service"]["spec"]["selector"],
                         self.objects["Deployment"]["spec"]["selector"]["matchLabels"],
                         self.objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]):
            self.assertEqual(selector, labels)
        self.assertEqual(self.objects["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"],
                         self.objects["Deployment"]["metadata"]["name"])

    def test_the_service_has_an_address_for_each_pod(self):
        service = self.objects["Service"]["spec"]
        self.assertEqual(service["clusterIP"], "None")
        # It forwards no port.
        self.assertEqual([port["port"] for port in service["ports"]],
                         [port["containerPort"] for port in self.container["ports"]])

    def test_the_autoscaler_asks_for_a_metric_that_elf_server_exports(self):
        metric, = self.objects["HorizontalPodAutoscaler"]["spec"]["metrics"]
        self.assertIn(metric["pods"]["metric"]["name"], of_server())

    def test_probes_are_answered_without_a_token_and_the_configuration_is_taken(self):
        # As the pod has it, but for its paths and its port.
        config = self.objects["ConfigMap"]["data"]["server.conf"]
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "token").write_text("secret")
        config = config.replace("/run/secrets/elf/token", str(folder / "token"))
        (folder / "server.conf").write_text(config)
        options = ["--port", "0"]
        if os.environ["ELF_TEST_HOG"] == "false":
            options += ["--model", "simulated"]
        with subprocess.Popen([PROGRAM, "--config", folder / "server.conf", *options],
                              stdout=subprocess.PIPE, text=True) as server:
            try:
                port = server.stdout.readline().rsplit(":", 1)[1].strip()
                for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                    path = self.container[probe]["httpGet"]["path"]
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}",
                                                timeout=PATIENCE) as answer:
                        self.assertEqual(answer.status, 200)
            finally:
                server.terminate()


class Container(unittest.TestCase):
    def packages(self):
        """Of the stage that builds, and of the other one."""
        found = re.findall(r"--no-install-recommends \\\n((?: +\S+ \\\n| +\S+\n)+)",
                           (DEPLOY / "Containerfile").read_text())
        return [re.findall(r"^ +([a-z][\w.+-]+)", each, re.MULTILINE) for each in found]

    def test_builds_with_packages_that_elf_is_built_with(self):
        known = {line.split()[0] for line in
                 (ROOT / "docs/debian-packages.txt").read_text().splitlines() if line}
        build, run = self.packages()
        self.assertLessEqual(set(build), known)
        self.assertIn("libonnxruntime-dev", build)
        self.assertIn("libsoup-3.0-0", run)

    def test_has_all_folders_of_every_build(self):
        folders = re.findall(r"^subdir\('(.*)'\)", (ROOT / "meson.build").read_text(), re.MULTILINE)
        copied = re.findall(r"^COPY (\S+) \1$", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)
        self.assertEqual(set(folders), set(copied))

    def test_runs_with_packages_that_debian_has(self):
        if not pathlib.Path("/etc/debian_version").read_text().startswith("13"):
            self.skipTest("this is not Debian 13, of which the container is")
        for package in self.packages()[1]:
            subprocess.run(["apt-cache", "show", package], stdout=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
