#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The page at / of elf-server in a real browser: Chromium, without a screen.

usage: page.py SERVER-PROGRAM           checks the page; exits with 77 where there is no browser
       page.py --screenshot URL FILE    loads the page, waits for a minute, writes a JPEG
"""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

SKIPPED = 77
try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait
except ImportError:
    print("skipped: python3-selenium is not there")
    sys.exit(SKIPPED)

DRIVER = shutil.which("chromedriver")
HOSTILE = "<img src=x onerror=document.title='fooled'>"
PATIENCE = 30
SETTLING = 60


def browser(width: int = 1000, height: int = 760) -> "webdriver.Chrome":
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                     "--hide-scrollbars", f"--window-size={width},{height}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(DRIVER))


class Server:
    """An elf-server process, as long as the `with` lasts."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen([PROGRAM, "--port", "0", *arguments],
                                        stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().split()[1]

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_) -> None:
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def infer(self, model: str, width: int, height: int) -> None:
        """One grey picture, as raw pixels."""
        pixels = b"\x80" * (width * height * 3)
        head = json.dumps({"inputs": [{
            "name": "image", "datatype": "UINT8", "shape": [1, height, width, 3],
            "parameters": {"binary_data_size": len(pixels)}}]}).encode()
        request = urllib.request.Request(
            f"{self.url}/v2/models/{urllib.request.quote(model, safe='')}/infer", head + pixels,
            {"Inference-Header-Content-Length": str(len(head)),
             "Content-Type": "application/octet-stream"})
        with urllib.request.urlopen(request) as answer:
            answer.read()


class Page(unittest.TestCase):
    def setUp(self) -> None:
        self.driver = browser()
        self.addCleanup(self.driver.quit)

    def shown(self) -> str:
        return self.driver.find_element(By.TAG_NAME, "body").text

    def await_shown(self, text: str) -> None:
        WebDriverWait(self.driver, PATIENCE).until(lambda _: text in self.shown(),
                                                   f"'{text}' was not shown")

    def await_part(self, part: str, text: str) -> None:
        WebDriverWait(self.driver, PATIENCE).until(
            lambda _: any(found.text == text for found in
                          self.driver.find_elements(By.CSS_SELECTOR, f"[data-is={part}]")),
            f"{part} never was '{text}'")

    def painted(self, part: str) -> int:
        """How many colours a canvas holds."""
        return self.driver.execute_script("""
            const canvas = document.querySelector(`[data-is=${arguments[0]}]`);
            const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            return new Set(new Uint32Array(data.buffer)).size;""", part)

    def complaints(self) -> list:
        return [entry["message"] for entry in self.driver.get_log("browser")
                if "401" not in entry["message"]]

    def test_it_is_live_and_obeys_its_own_policy(self) -> None:
        with Server("--model", "hog", "--show-answers") as server:
            self.driver.get(server.url)
            self.await_part("answered", "0")
            self.assertFalse(self.driver.find_element(By.ID, "login").is_displayed())
            server.infer("hog", 128, 256)
            self.await_part("answered", "1")
            self.assertGreater(self.painted("latency"), 4)
            self.await_shown("128 x 256: 0 found")
            WebDriverWait(self.driver, PATIENCE).until(lambda _: self.painted("picture") == 1)
            self.assertEqual(self.complaints(), [])
        self.await_shown("no answer")

    def test_pictures_are_not_shown_unless_they_may_be(self) -> None:
        with Server("--model", "hog") as server:
            server.infer("hog", 128, 256)
            self.driver.get(server.url)
            self.await_part("answered", "1")
            self.assertFalse(self.driver.find_element(By.CSS_SELECTOR, "[data-is=picture]")
                             .is_displayed())

    def test_a_name_is_text(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            model = pathlib.Path(folder) / f"{HOSTILE}.model"
            model.write_text("[model]\nbackend=simulated\n")
            with Server("--model", str(model)) as server:
                self.driver.get(server.url)
                self.await_shown(HOSTILE)
                server.infer(HOSTILE, 32, 32)
                self.await_part("answered", "1")
                self.assertEqual(self.driver.find_elements(By.TAG_NAME, "img"), [])
                self.assertEqual(self.driver.title, "elf-server")

    def test_it_asks_for_the_token_and_keeps_it_for_this_tab(self) -> None:
        with tempfile.NamedTemporaryFile("w") as token:
            token.write("secret")
            token.flush()
            with Server("--token-file", token.name) as server:
                self.driver.get(server.url)
                for text, follows in (("wrong", "missing or wrong"), ("secret", "version ")):
                    self.await_shown("asks for its token")
                    self.assertNotIn("hog", self.shown())
                    field = self.driver.find_element(By.ID, "token")
                    field.send_keys(text)
                    field.submit()
                    self.await_shown(follows)
                self.await_shown("hog")
                self.driver.refresh()
                self.await_shown("hog")
                self.assertNotIn("secret", self.driver.current_url)
                self.assertEqual(self.complaints(), [])

    def test_it_fits_a_phone_and_follows_the_colour_scheme(self) -> None:
        with Server("--model", "hog", "--model", "simulated") as server:
            self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                "width": 360, "height": 740, "deviceScaleFactor": 3, "mobile": True})
            self.driver.get(server.url)
            self.await_shown("simulated")
            self.assertLessEqual(
                self.driver.execute_script("return document.documentElement.scrollWidth"), 360)
            grounds = set()
            for scheme in ("light", "dark"):
                self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
                    "features": [{"name": "prefers-color-scheme", "value": scheme}]})
                grounds.add(self.driver.execute_script(
                    "return getComputedStyle(document.body).backgroundColor"))
            self.assertEqual(len(grounds), 2)


def screenshot(url: str, file: str) -> None:
    driver = browser()
    try:
        driver.get(url)
        time.sleep(SETTLING)
        taken = driver.execute_cdp_cmd("Page.captureScreenshot", {
            "format": "jpeg", "quality": 80, "captureBeyondViewport": True})
        pathlib.Path(file).write_bytes(base64.b64decode(taken["data"]))
    finally:
        driver.quit()


if __name__ == "__main__":
    if not DRIVER or not shutil.which("chromium"):
        print("skipped: chromium and chromium-driver are not there")
        sys.exit(SKIPPED)
    if sys.argv[1] == "--screenshot":
        screenshot(*sys.argv[2:])
    elif os.environ.get("ELF_TEST_HOG") == "false":
        print("skipped: built without OpenCV's HOG detector")
        sys.exit(SKIPPED)
    else:
        PROGRAM = sys.argv.pop(1)
        unittest.main()
