# SPDX-License-Identifier: LGPL-2.1-or-later
"""elf-server by the clients of others: Triton's own, and curl."""

import base64
import concurrent.futures
import json
import pathlib
import struct
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request

import numpy as np

import support

try:
    import tritonclient.http as triton
    from tritonclient.utils import InferenceServerException
except ImportError:
    triton = None


class Served(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = support.elf_server("--model", "hog")
        cls.addClassCleanup(cls.server.stop)
        cls.host = cls.server.url.removeprefix("http://")


def bytes_input(file: bytes, name="image", shape=(1,)):
    tensor = triton.InferInput(name, list(shape), "BYTES")
    tensor.set_data_from_numpy(np.array([file], dtype=np.object_).reshape(shape))
    return tensor


def pixels_input(picture: np.ndarray, binary=True):
    rgb = np.ascontiguousarray(picture[np.newaxis, :, :, ::-1])
    tensor = triton.InferInput("image", list(rgb.shape), "UINT8")
    tensor.set_data_from_numpy(rgb, binary_data=binary)
    return tensor


@unittest.skipIf(triton is None, "the Python packages of requirements-client.txt are not installed")
class TritonClient(Served):
    def setUp(self):
        self.client = triton.InferenceServerClient(self.host, concurrency=4)
        self.addCleanup(self.client.close)

    def expect_people(self, result, least=1):
        boxes, scores, labels = (result.as_numpy(name) for name in ("boxes", "scores", "labels"))
        self.assertGreaterEqual(len(scores), least)
        self.assertEqual((boxes.shape, boxes.dtype), ((len(scores), 4), np.float32))
        self.assertEqual((labels.shape, labels.dtype), ((len(scores),), np.int64))
        self.assertTrue((boxes[:, 2:] > boxes[:, :2]).all())

    def test_health_and_metadata(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        self.assertTrue(self.client.is_model_ready("hog"))
        self.assertTrue(self.client.is_model_ready("hog", "1"))
        self.assertFalse(self.client.is_model_ready("nosuch"))
        self.assertIn("binary_tensor_data", self.client.get_server_metadata()["extensions"])
        metadata = self.client.get_model_metadata("hog")
        self.assertEqual(metadata["inputs"], [{"name": "image", "datatype": "BYTES", "shape": [1]}])
        self.assertEqual([o["name"] for o in metadata["outputs"]], ["boxes", "scores", "labels"])

    def test_a_jpeg_in_bytes(self):
        (frame,) = support.frames_of_clip(1)
        self.expect_people(self.client.infer("hog", [bytes_input(support.jpeg(frame))]))

    def test_pixels_as_binary_and_as_json_are_the_same(self):
        (frame,) = support.frames_of_clip(1)
        frame = frame[:, 300:]
        results = [
            self.client.infer("hog", [pixels_input(frame, binary)]) for binary in (True, False)
        ]
        for name in ("boxes", "scores", "labels"):
            np.testing.assert_array_equal(*(result.as_numpy(name) for result in results))

    def test_outputs_are_those_that_are_requested_as_requested(self):
        (frame,) = support.frames_of_clip(1)
        wanted = [
            triton.InferRequestedOutput("labels", binary_data=False),
            triton.InferRequestedOutput("scores", binary_data=True),
        ]
        result = self.client.infer("hog", [pixels_input(frame)], outputs=wanted)
        labels, scores = result.get_response()["outputs"]
        self.assertEqual([labels["name"], scores["name"]], ["labels", "scores"])
        self.assertIn("data", labels)
        self.assertIn("binary_data_size", scores["parameters"])
        self.assertEqual(len(result.as_numpy("labels")), len(result.as_numpy("scores")))

    def test_nothing_found_is_a_result(self):
        result = self.client.infer("hog", [pixels_input(np.zeros((200, 100, 3), np.uint8))])
        self.assertEqual(result.as_numpy("boxes").shape, (0, 4))
        self.assertEqual(result.as_numpy("scores").shape, (0,))

    def test_the_id_comes_back_and_the_times_are_told(self):
        picture = np.zeros((200, 100, 3), np.uint8)
        response = self.client.infer(
            "hog", [pixels_input(picture)], request_id="a.7", priority=1, timeout=60_000_000
        ).get_response()
        self.assertEqual(response["id"], "a.7")
        self.assertGreater(response["parameters"]["infer_us"], 0)

    def test_requests_may_be_compressed(self):
        (frame,) = support.frames_of_clip(1)
        for algorithm in ("gzip", "deflate"):
            try:
                result = self.client.infer(
                    "hog", [pixels_input(frame)], request_compression_algorithm=algorithm
                )
            except InferenceServerException as error:
                if error.status() in ("400", "415"):
                    self.skipTest(f"this elf-server takes no {algorithm} bodies yet")
                raise
            self.expect_people(result)

    def test_a_client_that_takes_compressed_answers_understands_them(self):
        (frame,) = support.frames_of_clip(1)
        for algorithm in ("gzip", "deflate"):
            self.expect_people(
                self.client.infer(
                    "hog", [pixels_input(frame)], response_compression_algorithm=algorithm
                )
            )

    def test_errors_name_what_is_wrong(self):
        picture = np.zeros((200, 100, 3), np.uint8)
        flat = triton.InferInput("image", [200, 100, 3], "UINT8")
        flat.set_data_from_numpy(picture)
        for model, tensor, words in (
            ("nosuch", pixels_input(picture), "nosuch"),
            ("hog", bytes_input(b"no picture"), "JPEG"),
            ("hog", bytes_input(b"", name="pixels"), "pixels"),
            ("hog", flat, "image"),
        ):
            with self.subTest(words=words):
                with self.assertRaisesRegex(InferenceServerException, words):
                    self.client.infer(model, [tensor])
        with self.assertRaisesRegex(InferenceServerException, "version"):
            self.client.infer("hog", [pixels_input(picture)], model_version="7")
        with self.assertRaisesRegex(InferenceServerException, "masks"):
            self.client.infer(
                "hog", [pixels_input(picture)], outputs=[triton.InferRequestedOutput("masks")]
            )

    def test_clients_at_the_same_time_get_their_own_answers(self):
        pictures = [np.zeros((160 + 8 * i, 96, 3), np.uint8) for i in range(16)]

        # A client is of one thread: it runs on greenlets.
        def ask(i):
            with triton.InferenceServerClient(self.host) as client:
                result = client.infer("hog", [pixels_input(pictures[i])], request_id=str(i))
                return result.get_response()["id"]

        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            self.assertEqual(list(threads.map(ask, range(16))), [str(i) for i in range(16)])


class PlainHttp(Served):
    """What no client library does by itself."""

    def post(self, body: bytes, headers) -> "tuple[int, bytes]":
        request = urllib.request.Request(
            f"{self.server.url}/v2/models/hog/infer", body, {"Content-Type": "x", **headers}
        )
        try:
            with urllib.request.urlopen(request, timeout=support.PATIENCE) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def test_curl_sends_a_bare_picture(self):
        (frame,) = support.frames_of_clip(1)
        with tempfile.TemporaryDirectory() as folder:
            picture, answer = pathlib.Path(folder) / "picture.jpg", pathlib.Path(folder) / "answer"
            picture.write_bytes(support.jpeg(frame))
            done = subprocess.run(
                ["curl", "-sS", "-f", "--data-binary", f"@{picture}", "--output", str(answer)]
                + ["--dump-header", "-", "-H", "Inference-Header-Content-Length: 0"]
                + [f"{self.server.url}/v2/models/hog/infer"],
                capture_output=True,
                text=True,
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            headers = dict(
                line.lower().split(": ", 1) for line in done.stdout.splitlines() if ": " in line
            )
            body = answer.read_bytes()
        length = int(headers["inference-header-content-length"])
        outputs = json.loads(body[:length])["outputs"]
        sizes = [output["parameters"]["binary_data_size"] for output in outputs]
        self.assertEqual(sum(sizes), len(body) - length)
        people = outputs[0]["shape"][0]
        self.assertGreater(people, 0)
        boxes = struct.unpack(f"<{people * 4}f", body[length : length + sizes[0]])
        self.assertTrue(all(0 <= value <= 768 for value in boxes))

    def test_a_truncated_body_is_refused(self):
        text = json.dumps(
            {
                "inputs": [
                    {
                        "name": "image",
                        "datatype": "UINT8",
                        "shape": [1, 200, 100, 3],
                        "parameters": {"binary_data_size": 60000},
                    }
                ]
            }
        ).encode()
        status, body = self.post(
            text + bytes(59999), {"Inference-Header-Content-Length": str(len(text))}
        )
        self.assertEqual(status, 400)
        self.assertIn("binary_data_size", json.loads(body)["error"])

    def test_a_jpeg_in_json_is_base64(self):
        (frame,) = support.frames_of_clip(1)
        image = {
            "name": "image",
            "datatype": "BYTES",
            "shape": [1],
            "parameters": {"content_type": "base64"},
            "data": [base64.b64encode(support.jpeg(frame)).decode()],
        }
        status, body = self.post(json.dumps({"inputs": [image]}).encode(), {})
        self.assertEqual(status, 200, body)
        outputs = {output["name"]: output for output in json.loads(body)["outputs"]}
        self.assertGreater(outputs["scores"]["shape"][0], 0)
        self.assertEqual(len(outputs["boxes"]["data"]), 4 * outputs["boxes"]["shape"][0])
