// SPDX-License-Identifier: LGPL-2.1-or-later
// The HTTP server in this process, with a model whose behaviour the test decides.
#include "elf/server/server.h"

#include <gio/gio.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libsoup/soup.h>

#include <atomic>
#include <future>
#include <opencv2/imgcodecs.hpp>
#include <thread>

#include "elf/wire/infer.h"
#include "elf/wire/metadata.h"
#include "tests/support/gate.h"

namespace elf {
namespace {

using elf::testing::Gate;
using ::testing::HasSubstr;
using Body = std::vector<std::uint8_t>;

ModelFile fakeFile() {
  ModelFile file;
  file.name = "fake";
  file.rules.labels = {"thing"};
  file.rules.align = 16;
  return file;
}

/** Finds one thing: the whole picture. */
class FakeModel : public InferenceModel {
 public:
  /** `placement` is told where each picture lies, while no other is being run. */
  FakeModel(Gate& gate, Placement& placement)
      : InferenceModel(fakeFile()), gate_(gate), placement_(placement) {}
  std::string platform() const override { return "fake"; }
  Result<std::vector<Detection>> run(const ImageView& bgr, const Placement& placement) override {
    gate_.pass();
    placement_ = placement;
    if (bgr.size.width == 13) return Result<std::vector<Detection>>::failure("fake: unlucky");
    Detection detection;
    detection.box = toBox(wholeFrame(bgr.size));
    // The first pixel's channels tell the test what the model saw.
    detection.score = bgr.planes[0][0] / 255.0F;
    detection.labelId = bgr.planes[0][2];
    return std::vector<Detection>{detection};
  }

 private:
  Gate& gate_;
  Placement& placement_;
};

struct Answer {
  guint status = 0;
  Body body;
  std::optional<std::size_t> jsonLength;
  std::string retryAfter;

  std::string text() const { return {body.begin(), body.end()}; }
};

/** One request, in a session of its own. */
Answer request(const std::string& verb, const std::string& url, const Body& body = {},
               std::optional<std::size_t> jsonLength = std::nullopt) {
  SoupSession* session = soup_session_new();
  SoupMessage* message = soup_message_new(verb.c_str(), url.c_str());
  if (!body.empty()) {
    GBytes* bytes = g_bytes_new(body.data(), body.size());
    soup_message_set_request_body_from_bytes(message, "application/octet-stream", bytes);
    g_bytes_unref(bytes);
  }
  if (jsonLength)
    soup_message_headers_append(soup_message_get_request_headers(message),
                                "Inference-Header-Content-Length",
                                std::to_string(*jsonLength).c_str());
  GError* error = nullptr;
  GBytes* got = soup_session_send_and_read(session, message, nullptr, &error);
  Answer answer;
  if (got) {
    gsize size = 0;
    const auto* data = static_cast<const std::uint8_t*>(g_bytes_get_data(got, &size));
    answer.body.assign(data, data + size);
    answer.status = soup_message_get_status(message);
    SoupMessageHeaders* headers = soup_message_get_response_headers(message);
    if (const char* text = soup_message_headers_get_one(headers, "Inference-Header-Content-Length"))
      answer.jsonLength = std::stoul(text);
    if (const char* text = soup_message_headers_get_one(headers, "Retry-After"))
      answer.retryAfter = text;
    g_bytes_unref(got);
  }
  g_clear_error(&error);
  g_object_unref(message);
  g_object_unref(session);
  return answer;
}

wire::InferRequest requestOf(wire::Tensor image) {
  wire::InferRequest request;
  request.inputs.push_back(std::move(image));
  request.binaryOutputs = true;
  return request;
}

wire::Tensor rgbImage(int width, int height) {
  wire::Tensor tensor{.name = "image",
                      .type = wire::DataType::Uint8,
                      .shape = {1, height, width, 3},
                      .data = Body(static_cast<std::size_t>(width) * height * 3)};
  for (std::size_t i = 0; i < tensor.data.size(); i += 3) tensor.data[i] = 9;
  return tensor;
}

Body encodedPicture(int width, int height, const char* type) {
  Body file;
  cv::imencode(type, cv::Mat(height, width, CV_8UC3, cv::Scalar(255, 0, 0)), file);
  return file;
}

class ServerTest : public ::testing::Test {
 protected:
  void start(ServerOptions options = {}) {
    server_ = std::make_unique<Server>(
        std::vector<ModelFactory>{[this] { return std::make_unique<FakeModel>(gate_, placement_); }},
        options);
  }
  ~ServerTest() override { gate_.open(); }

  std::string url(const std::string& path) const { return server_->url() + path; }
  Answer infer(const wire::InferRequest& what) const {
    const wire::Message message = wire::encode(what);
    return request("POST", url("/v2/models/fake/infer"), message.body, message.jsonLength);
  }
  Answer infer(wire::Tensor image) const { return infer(requestOf(std::move(image))); }
  std::future<Answer> inferAside(const wire::InferRequest& what) const {
    return std::async(std::launch::async, [this, what] { return infer(what); });
  }
  /** A connection on which `text` was sent. */
  GSocketConnection* sendText(const std::string& text) const {
    GSocketClient* client = g_socket_client_new();
    const std::string place = server_->url().substr(strlen("http://"));
    GSocketConnection* connection =
        g_socket_client_connect_to_host(client, place.c_str(), 80, nullptr, nullptr);
    g_object_unref(client);
    g_output_stream_write_all(g_io_stream_get_output_stream(G_IO_STREAM(connection)), text.data(),
                              text.size(), nullptr, nullptr, nullptr);
    return connection;
  }
  /** The same, and the server has read it. */
  GSocketConnection* deliverText(const std::string& text) const {
    GSocketConnection* connection = sendText(text);
    // The request has arrived: loopback delivers at once. The network thread serves connections in
    // the order of their arrival, so that it has read this one when it answers a later one.
    EXPECT_EQ(request("GET", url("/v2/health/live")).status, 200U);
    return connection;
  }
  /** Begins an upload of `size` bytes. */
  static std::string uploadHead(std::size_t size) {
    return "POST /v2/models/fake/infer HTTP/1.1\r\nHost: a\r\nContent-Length: " +
           std::to_string(size) + "\r\n";
  }
  /** A connection whose whole request stands in the queue, or has been refused. */
  GSocketConnection* enqueue(const wire::InferRequest& what) const {
    const wire::Message message = wire::encode(what);
    return deliverText(uploadHead(message.body.size()) +
                       "Inference-Header-Content-Length: " + std::to_string(*message.jsonLength) +
                       "\r\n\r\n" + std::string(message.body.begin(), message.body.end()));
  }
  /** All that the server sends until it hangs up. Ends the connection. */
  static std::string readToEnd(GSocketConnection* connection) {
    std::string text(4096, '\0');
    gsize size = 0;
    g_input_stream_read_all(g_io_stream_get_input_stream(G_IO_STREAM(connection)), text.data(),
                            text.size(), &size, nullptr, nullptr);
    g_object_unref(connection);
    text.resize(size);
    return text;
  }

  Gate gate_;
  Placement placement_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, SaysWhatItIsAndWhatItServes) {
  start();
  EXPECT_EQ(request("GET", url("/v2/health/live")).status, 200U);
  EXPECT_EQ(request("GET", url("/v2/health/ready")).status, 200U);
  EXPECT_THAT(request("GET", url("/v2")).text(), HasSubstr("binary_tensor_data"));
  EXPECT_EQ(request("GET", url("/v2/models/fake/versions/1/ready")).status, 200U);
  for (const char* path : {"/v2/models/fake", "/v2/models/fake/versions/1"}) {
    const Answer answer = request("GET", url(path));
    const auto metadata = wire::parseMetadata(answer.body);
    ASSERT_TRUE(metadata) << metadata.error();
    EXPECT_EQ(metadata.value().name, "fake");
    EXPECT_EQ(metadata.value().rules, fakeFile().rules);
    EXPECT_EQ(metadata.value().outputs.size(), 3U);
    EXPECT_TRUE(metadata.value().takesRaw);
  }
}

TEST_F(ServerTest, TellsPrometheusWhatItHasDone) {
  start({.queue = 0});
  gate_.open();
  EXPECT_EQ(infer(rgbImage(20, 10)).status, 200U);
  EXPECT_EQ(infer(rgbImage(20, 10)).status, 200U);
  EXPECT_EQ(infer(rgbImage(13, 10)).status, 500U);
  EXPECT_EQ(request("POST", url("/v2/models/fake/infer"), {'x'}).status, 400U);
  const std::string text = request("GET", url("/metrics")).text();
  for (const char* line :
       {"# TYPE elf_requests_total counter\n", R"(elf_requests_total{code="200",model="fake"} 2)",
        R"(elf_requests_total{code="500",model="fake"} 1)",
        R"(elf_requests_total{code="400",model="fake"} 1)",
        R"(elf_requests_waiting{model="fake"} 0)", "# TYPE elf_infer_seconds histogram\n",
        R"(elf_infer_seconds_count{model="fake"} 2)", R"(elf_decode_seconds_count{model="fake"} 2)",
        R"(elf_queue_seconds_bucket{model="fake",le="+Inf"} 2)"})
    EXPECT_THAT(text, HasSubstr(line));
  EXPECT_EQ(request("POST", url("/metrics")).status, 405U);
}

TEST_F(ServerTest, RefusesWhatIsNotThere) {
  start();
  for (const char* path : {"/", "/v1", "/v2/nothing", "/v2/models/other", "/v2/models/fake/odd",
                           "/v2/models/fake/versions/2", "/v2/models/fake/infer/more"}) {
    const Answer answer = request("GET", url(path));
    EXPECT_EQ(answer.status, 404U) << path;
    EXPECT_THAT(answer.text(), HasSubstr("\"error\"")) << path;
  }
  EXPECT_EQ(request("GET", url("/v2/models/fake/infer")).status, 405U);
  EXPECT_EQ(request("POST", url("/v2/models/fake"), {1}).status, 405U);
}

TEST_F(ServerTest, AnswersWithDetectionsAndTimes) {
  start();
  wire::InferRequest what = requestOf(rgbImage(40, 30));
  what.id = "17";
  const Answer answer = infer(what);
  ASSERT_EQ(answer.status, 200U) << answer.text();
  const auto response = wire::parseResponse(answer.body, answer.jsonLength);
  ASSERT_TRUE(response) << response.error();
  EXPECT_EQ(response.value().id, "17");
  for (const char* name : {"queue_us", "decode_us", "infer_us"})
    EXPECT_EQ(response.value().parameters.count(name), 1U) << name;
  const auto detections = wire::decodeDetections(response.value(), fakeFile().rules, {40, 30});
  ASSERT_TRUE(detections) << detections.error();
  ASSERT_EQ(detections.value().size(), 1U);
  EXPECT_EQ(detections.value()[0].box, (Box{0, 0, 40, 30}));
  // Red of the RGB tensor is the third channel of what the model sees.
  EXPECT_EQ(detections.value()[0].labelId, 9);
}

TEST_F(ServerTest, TellsTheModelWhereAPartLies) {
  start();
  wire::InferRequest what = requestOf(rgbImage(40, 30));
  wire::setPlacement(what.parameters, {.x = 100, .y = 50, .frame = {200, 80}});
  EXPECT_EQ(infer(what).status, 200U);
  EXPECT_EQ(placement_, (Placement{100, 50, {200, 80}}));
  EXPECT_EQ(infer(rgbImage(40, 30)).status, 200U);
  EXPECT_EQ(placement_, (Placement{0, 0, {40, 30}}));
  what.parameters["part_y"] = std::int64_t{51};
  const Answer answer = infer(what);
  EXPECT_EQ(answer.status, 400U);
  EXPECT_THAT(answer.text(), HasSubstr("reaches out of its frame"));
}

TEST_F(ServerTest, TakesJpegAndPng) {
  start();
  for (const char* type : {".jpg", ".png"}) {
    const Answer answer = infer(wire::encodedImage(encodedPicture(40, 30, type)));
    ASSERT_EQ(answer.status, 200U) << answer.text();
    const auto response = wire::parseResponse(answer.body, answer.jsonLength);
    const auto detections = wire::decodeDetections(response.value(), fakeFile().rules, {40, 30});
    EXPECT_NEAR(detections.value()[0].score, 1.0F, 0.01F) << type;
  }
}

TEST_F(ServerTest, TakesABarePictureAsTheWholeBody) {
  start();
  const Answer answer =
      request("POST", url("/v2/models/fake/infer"), encodedPicture(40, 30, ".jpg"), 0);
  ASSERT_EQ(answer.status, 200U) << answer.text();
  EXPECT_TRUE(wire::parseResponse(answer.body, answer.jsonLength));
}

TEST_F(ServerTest, SendsOnlyTheOutputsThatAreAskedFor) {
  start();
  wire::InferRequest what = requestOf(rgbImage(4, 4));
  what.outputs = {{"labels", false}};
  const Answer answer = infer(what);
  EXPECT_FALSE(answer.jsonLength);
  const auto response = wire::parseResponse(answer.body, answer.jsonLength);
  ASSERT_TRUE(response) << response.error();
  ASSERT_EQ(response.value().outputs.size(), 1U);
  EXPECT_EQ(response.value().outputs[0].name, "labels");
  what.outputs = {{"masks", true}};
  EXPECT_EQ(infer(what).status, 400U);
}

TEST_F(ServerTest, NamesTheFieldOfABadRequest) {
  start({.maxPixels = 10000});
  const auto expectBad = [](const Answer& answer, const char* field) {
    EXPECT_EQ(answer.status, 400U) << field;
    EXPECT_THAT(answer.text(), HasSubstr(field));
  };
  wire::Tensor image = rgbImage(4, 4);
  image.name = "picture";
  expectBad(infer(image), "inputs[0].name");
  image = rgbImage(4, 4);
  image.shape = {1, 4, 12};
  expectBad(infer(image), "image");
  image.type = wire::DataType::Int8;
  expectBad(infer(image), "image");
  expectBad(
      infer(wire::Tensor{.name = "image", .type = wire::DataType::Uint8, .shape = {1, 0, 4, 3}}),
      "image");
  expectBad(infer(wire::encodedImage(Body{1, 2, 3})), "JPEG");
  Body cut = encodedPicture(90, 90, ".jpg");
  cut.resize(cut.size() / 2);
  expectBad(infer(wire::encodedImage(cut)), "JPEG");
  cut = encodedPicture(90, 90, ".png");
  cut.resize(cut.size() / 2);
  expectBad(infer(wire::encodedImage(cut)), "PNG");
  wire::InferRequest late = requestOf(rgbImage(4, 4));
  late.parameters["timeout"] = "soon";
  expectBad(infer(late), "parameters.timeout");
  expectBad(request("POST", url("/v2/models/fake/infer"), {'?'}), "body");
  EXPECT_EQ(gate_.entered(), 0);
}

TEST_F(ServerTest, RefusesAPictureOfTooManyPixelsWithoutDecodingIt) {
  start({.maxPixels = 10000});
  // Headers that promise 60000x60000 pixels, and nothing behind them.
  Body jpeg = encodedPicture(8, 8, ".jpg");
  const std::array<std::uint8_t, 2> frame{0xFF, 0xC0};
  const auto header = std::search(jpeg.begin(), jpeg.end(), frame.begin(), frame.end());
  ASSERT_NE(header, jpeg.end());
  for (int i = 5; i < 9; ++i) header[i] = 0xEA;
  Body png = encodedPicture(8, 8, ".png");
  for (const int i : {18, 19, 22, 23}) png[static_cast<std::size_t>(i)] = 0xEA;
  for (const Body& bomb : {jpeg, png, encodedPicture(200, 200, ".png")}) {
    const Answer answer = infer(wire::encodedImage(bomb));
    EXPECT_EQ(answer.status, 400U);
    EXPECT_THAT(answer.text(), HasSubstr("not accepted"));
  }
}

TEST_F(ServerTest, AModelThatFailsIsA500WithItsReason) {
  start();
  const Answer answer = infer(rgbImage(13, 4));
  EXPECT_EQ(answer.status, 500U);
  EXPECT_THAT(answer.text(), HasSubstr("unlucky"));
  EXPECT_EQ(infer(rgbImage(4, 4)).status, 200U);
}

TEST_F(ServerTest, RefusesALargeBodyWhetherAnnouncedOrNot) {
  start({.maxBody = 1000});
  EXPECT_EQ(infer(rgbImage(20, 20)).status, 413U);
  SoupSession* session = soup_session_new();
  SoupMessage* message = soup_message_new("POST", url("/v2/models/fake/infer").c_str());
  GInputStream* stream = g_memory_input_stream_new_from_data(g_malloc0(1500), 1500, g_free);
  soup_message_set_request_body(message, nullptr, stream, -1);
  GBytes* got = soup_session_send_and_read(session, message, nullptr, nullptr);
  EXPECT_EQ(soup_message_get_status(message), 413U);
  g_bytes_unref(got);
  g_object_unref(stream);
  g_object_unref(message);
  g_object_unref(session);
  // Cut off, so that the client may see no answer at all.
  EXPECT_NE(infer(rgbImage(500, 500)).status, 200U);
  EXPECT_EQ(gate_.entered(), 0);
  EXPECT_EQ(infer(rgbImage(4, 4)).status, 200U);
}

TEST_F(ServerTest, BodiesThatAreHeldTogetherAreBounded) {
  start({.maxBody = 1000, .maxBuffered = 1500});
  GSocketConnection* slow = deliverText(uploadHead(900) + "\r\n" + std::string(899, '?'));
  const Body body(800, '?');
  EXPECT_EQ(request("POST", url("/v2/models/fake/infer"), body).status, 503U);
  g_io_stream_close(G_IO_STREAM(slow), nullptr, nullptr);
  g_object_unref(slow);
  EXPECT_EQ(request("GET", url("/v2/health/live")).status, 200U);
  EXPECT_EQ(request("POST", url("/v2/models/fake/infer"), body).status, 400U);
}

TEST_F(ServerTest, HangsUpOnAConnectionThatTakesTooLong) {
  start({.idle = std::chrono::milliseconds(50)});
  EXPECT_EQ(readToEnd(sendText("")), "");
  EXPECT_EQ(readToEnd(sendText("POST /v2/models/fake/in")), "");
  EXPECT_EQ(readToEnd(sendText(uploadHead(900) + "\r\n" + std::string(10, '?'))), "");
  // A kept connection, after its answer.
  EXPECT_THAT(readToEnd(sendText("GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n")),
              HasSubstr("200 OK"));
}

TEST_F(ServerTest, TheTimeOfTheModelIsNotTheClients) {
  start({.idle = std::chrono::milliseconds(50)});
  gate_.close();
  GSocketConnection* first = enqueue(requestOf(rgbImage(4, 4)));
  gate_.awaitEntered(1);
  // Takes as long as `idle`.
  EXPECT_EQ(readToEnd(sendText("")), "");
  gate_.open();
  EXPECT_THAT(readToEnd(first), HasSubstr("200 OK"));
}

TEST_F(ServerTest, AFullQueueIsA503WithRetryAfter) {
  start({.queue = 0});
  gate_.close();
  auto running = inferAside(requestOf(rgbImage(4, 4)));
  gate_.awaitEntered(1);
  const Answer refused = infer(rgbImage(4, 4));
  EXPECT_EQ(refused.status, 503U);
  EXPECT_EQ(refused.retryAfter, "1");
  gate_.open();
  EXPECT_EQ(running.get().status, 200U);
}

TEST_F(ServerTest, ARequestWhoseTimeoutPassedInTheQueueIsNotRun) {
  start();
  gate_.close();
  auto running = inferAside(requestOf(rgbImage(4, 4)));
  gate_.awaitEntered(1);
  wire::InferRequest hasty = requestOf(rgbImage(4, 4));
  hasty.parameters["timeout"] = std::int64_t{1};
  GSocketConnection* late = enqueue(hasty);
  gate_.open();
  EXPECT_EQ(running.get().status, 200U);
  char answer[13] = {};
  g_input_stream_read_all(g_io_stream_get_input_stream(G_IO_STREAM(late)), answer, 12, nullptr,
                          nullptr, nullptr);
  EXPECT_STREQ(answer, "HTTP/1.1 504");
  EXPECT_EQ(gate_.entered(), 1);
  g_object_unref(late);
}

TEST_F(ServerTest, ARequestWhosePeerHasHungUpIsNotRun) {
  start();
  gate_.close();
  auto running = inferAside(requestOf(rgbImage(4, 4)));
  gate_.awaitEntered(1);
  GSocketConnection* peer = enqueue(requestOf(rgbImage(4, 4)));
  g_io_stream_close(G_IO_STREAM(peer), nullptr, nullptr);
  g_object_unref(peer);
  gate_.open();
  EXPECT_EQ(running.get().status, 200U);
  EXPECT_EQ(infer(rgbImage(4, 4)).status, 200U);
  EXPECT_EQ(gate_.entered(), 2);
}

TEST_F(ServerTest, StopFinishesWhatRunsAndRefusesWhatWaits) {
  start();
  gate_.close();
  auto running = inferAside(requestOf(rgbImage(4, 4)));
  gate_.awaitEntered(1);
  auto stopped =
      std::async(std::launch::async, [this] { return server_->stop(std::chrono::seconds(20)); });
  while (request("GET", url("/v2/health/ready")).status != 503U) {
  }
  EXPECT_EQ(infer(rgbImage(4, 4)).status, 503U);
  gate_.open();
  EXPECT_EQ(running.get().status, 200U);
  EXPECT_TRUE(stopped.get());
  EXPECT_EQ(request("GET", url("/v2/health/live")).status, 0U);
}

TEST_F(ServerTest, StopGivesUpOnAModelThatTakesTooLong) {
  start();
  gate_.close();
  auto running = inferAside(requestOf(rgbImage(4, 4)));
  gate_.awaitEntered(1);
  EXPECT_FALSE(server_->stop(std::chrono::milliseconds(1)));
  EXPECT_NE(running.get().status, 200U);
}

TEST_F(ServerTest, ServesManyConnectionsAtOnce) {
  start({.threads = 2, .queue = 64});
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 16; ++i) answers.push_back(inferAside(requestOf(rgbImage(40, 30))));
  for (auto& answer : answers) EXPECT_EQ(answer.get().status, 200U);
}

TEST_F(ServerTest, NamesTheAddressThatItCannotListenOn) {
  try {
    start({.bind = "nowhere"});
    FAIL() << "listens";
  } catch (const Error& error) {
    EXPECT_EQ(error.subject(), "nowhere");
  }
  start();
  const auto port =
      static_cast<std::uint16_t>(std::stoi(server_->url().substr(server_->url().rfind(':') + 1)));
  EXPECT_THROW(start({.port = port}), Error);
}

}  // namespace
}  // namespace elf
