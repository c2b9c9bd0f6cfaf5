#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files of docs/deploy agree with elf-server, with each other and with those who read them.

usage: files_test.py SERVER-PROGRAM

The manifests of Kubernetes are checked against its schemas where tests/deploy/requirements.txt is
installed, into the folder `deploy` of the build or for this Python.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import urllib.request

PROGRAM = os.path.abspath(sys.argv[1])
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


def exported():
    """The names of all metrics of an elf-server that has answered a request."""
    body = b'{"inputs":[{"name":"image","datatype":"UINT8","shape":[1,1,1,3],"data":[1,2,3]}]}'
    with subprocess.Popen([PROGRAM, "--port", "0", "--model", "simulated"], stdout=subprocess.PIPE,
                          text=True) as server:
        try:
            url = server.stdout.readline().split()[1]
            urllib.request.urlopen(url + "/v2/models/simulated/infer", body, PATIENCE).close()
            with urllib.request.urlopen(url + "/metrics", timeout=PATIENCE) as answer:
                text = answer.read().decode()
        finally:
            server.terminate()
    return set(re.findall(r"^(elf_\w+)", text, re.MULTILINE))


class Dashboard(unittest.TestCase):
    def test_asks_for_metrics_that_elf_server_exports(self):
        dashboard = json.loads((DEPLOY / "grafana.json").read_text())
        queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        queries += [variable["query"]["query"] for variable in dashboard["templating"]["list"]
                    if variable["type"] == "query"]
        asked = set(re.findall(r"\belf_\w+", " ".join(queries)))
        self.assertLessEqual(asked, exported())
        # A new metric is shown, too.
        families = {re.sub("_(bucket|count|sum)$", "", name) for name in exported()}
        self.assertEqual(families, {re.sub("_(bucket|count|sum)$", "", name) for name in asked})


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
        self.assertIn(metric["pods"]["metric"]["name"], exported())

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
