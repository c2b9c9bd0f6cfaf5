# SPDX-License-Identifier: LGPL-2.1-or-later
"""Detectors of the Elf paper's Python interface, for the servers of this suite."""

import cv2
import numpy as np


class Interface:
    """Does what the paper's base class does."""

    def __init__(self):
        self.app = self.create_model()


class HogDetector(Interface):
    """What elf-server's `hog` does with a whole frame (lib/elf/server/hog_model.cpp)."""

    def create_model(self):
        cv2.setNumThreads(1)
        hog = cv2.HOGDescriptor()
        hog.setSVMDetector(cv2.HOGDescriptor_getDefaultPeopleDetector())
        return hog

    def run(self, img):
        grown = cv2.copyMakeBorder(
            img, 0, max(0, 128 - img.shape[0]), 0, max(0, 64 - img.shape[1]), cv2.BORDER_REPLICATE
        )
        windows, weights = self.app.detectMultiScale(grown, 0, (8, 8), (16, 16), 1.05, 2)
        return np.reshape(windows, (-1, 4)), np.reshape(weights, -1), img.shape

    @staticmethod
    def extract_rps(result):
        windows, _, (height, width, _) = result
        x, y, w, h = windows.T.astype(np.float32)
        boxes = np.stack([x + w / 4, y + h / 8, x + w * 3 / 4, y + h * 7 / 8], axis=1)
        return boxes.clip(0, [width, height, width, height])

    @staticmethod
    def extract_scores(result):
        return result[1]


class Stub(Interface):
    """In the place of a framework: answers with what it was given, by the paper's methods alone."""

    def create_model(self):
        return "loaded"

    def run(self, img):
        assert self.app == "loaded"
        assert img.dtype == np.uint8 and img.flags["C_CONTIGUOUS"]
        return img

    @staticmethod
    def extract_rps(result):
        """One box over the whole picture, and none in a dark one."""
        height, width, _ = result.shape
        return [[0, 0, width, height]] if result.mean() > 8 else []

    def render(self, img, result):
        raise AssertionError("the client draws")


class Colours(Interface):
    """Tells which channel is the strongest: its label is 0 for blue, 1 for green, 2 for red."""

    def create_model(self):
        return None

    def run(self, img):
        return img.mean(axis=(0, 1))

    @staticmethod
    def extract_rps(result):
        return [[0, 0, 1, 1]]

    @staticmethod
    def extract_labels(result):
        return [int(np.argmax(result))]
