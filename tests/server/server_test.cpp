// SPDX-License-Identifier: LGPL-2.1-or-later
// The HTTP server in this process, with a model whose behaviour the test decides.
#include "elf/server/server.h"

#include <gio/gio.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libsoup/soup.h>
#include <sys/socket.h>

#include <atomic>
#include <fstream>
#include <future>
#include <map>
#include <nlohmann/json.hpp>
#include <numbers>
#include <opencv2/imgcodecs.hpp>
#include <thread>

#include "elf/wire/detections.h"
#include "elf/wire/infer.h"
#include "elf/wire/metadata.h"
#include "tests/support/certificates.h"
#include "tests/support/gate.h"

namespace elf {
namespace {

using elf::testing::Gate;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Body = std::vector<std::uint8_t>;

ModelFile fakeFile(const std::string& name = "fake") {
  ModelFile file;
  file.name = name;
  file.rules.labels = {"thing"};
  file.rules.align = 16;
  return file;
}

constexpr std::uint8_t kUnlucky = 66;

/** Finds one thing: the whole picture. */
class FakeModel : public InferenceModel {
 public:
  /** `placement` is told where each picture lies, while no other is being run. */
  FakeModel(Gate& gate, Placement& placement, ModelFile file = fakeFile())
      : InferenceModel(std::move(file)), gate_(gate), placement_(placement) {}
  std::string platform() const override { return "fake"; }
  Result<std::vector<Detection>> run(const ImageView& bgr, const Placement& placement) override {
    gate_.pass();
    placement_ = placement;
    if (bgr.size.width == 13 || bgr.planes[0][2] == kUnlucky)
      return Result<std::vector<Detection>>::failure("fake: unlucky");
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

/** FakeModel whose objects lie on their side. */
class TurnedModel : public FakeModel {
 public:
  TurnedModel(Gate& gate, Placement& placement) : FakeModel(gate, placement, turnedFile()) {}
  Result<std::vector<Detection>> run(const ImageView& bgr, const Placement& placement) override {
    auto found = FakeModel::run(bgr, placement);
    if (!found) return found;
    std::vector<Detection> detections = std::move(found).value();
    const Box& box = detections[0].box;
    detections[0].rotated = {box.centreX(), box.centreY(), box.height(), box.width(),
                             std::numbers::pi_v<float> / 2};
    return detections;
  }

  static ModelFile turnedFile() {
    ModelFile file = fakeFile();
    file.rules.rotated = true;
    return file;
  }
};

// Heights of pictures with which a batch goes wrong.
constexpr int kTooManyAtOnce = 7, kOneIsForgotten = 8;

/** FakeModel that tells the test how many pictures it was given at once. */
class BatchModel : public FakeModel {
 public:
  BatchModel(Gate& gate, Placement& placement, std::vector<std::size_t>& batches)
      : FakeModel(gate, placement, batched()), batches_(batches) {}
  Result<std::vector<Detection>> run(const ImageView& bgr, const Placement& placement) override {
    batches_.push_back(1);
    return FakeModel::run(bgr, placement);
  }
  std::vector<Result<std::vector<Detection>>> runBatch(
      std::span<const PlacedPicture> pictures) override {
    batches_.push_back(pictures.size());
    if (pictures[0].bgr.size.height == kTooManyAtOnce) throw std::runtime_error("no memory");
    std::vector<Result<std::vector<Detection>>> results;
    for (const PlacedPicture& each : pictures)
      results.push_back(FakeModel::run(each.bgr, each.placement));
    if (pictures[0].bgr.size.height == kOneIsForgotten) results.pop_back();
    return results;
  }

 private:
  static ModelFile batched() {
    ModelFile file = fakeFile();
    file.maxBatch = 3;
    return file;
  }
  std::vector<std::size_t>& batches_;
};

struct Answer {
  guint status = 0;
  Body body;
  std::optional<std::size_t> jsonLength;
  std::string retryAfter;
  std::map<std::string, std::string> headers;

  std::string text() const { return {body.begin(), body.end()}; }
};

/** What a request has besides its body. */
struct Extra {
  std::vector<std::pair<std::string, std::string>> headers;
  /** PEM files: whom the server's certificate must be signed by, and the client's own. */
  std::string ca;
  std::string certificate;
};

/** One request, in a session of its own. Status 0: there was no answer. */
Answer request(const std::string& verb, const std::string& url, const Body& body = {},
               std::optional<std::size_t> jsonLength = std::nullopt, const Extra& extra = {}) {
  SoupSession* session = soup_session_new();
  soup_session_remove_feature_by_type(session, SOUP_TYPE_CONTENT_DECODER);
  SoupMessage* message = soup_message_new(verb.c_str(), url.c_str());
  for (const auto& [name, value] : extra.headers)
    soup_message_headers_append(soup_message_get_request_headers(message), name.c_str(),
                                value.c_str());
  if (!extra.ca.empty()) {
    GTlsDatabase* database = g_tls_file_database_new(extra.ca.c_str(), nullptr);
    soup_session_set_tls_database(session, database);
    g_object_unref(database);
  }
  if (!extra.certificate.empty()) {
    GTlsCertificate* own = g_tls_certificate_new_from_file(extra.certificate.c_str(), nullptr);
    soup_message_set_tls_client_certificate(message, own);
    g_object_unref(own);
  }
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
    soup_message_headers_foreach(
        headers,
        [](const char* name, const char* value, gpointer all) {
          (*static_cast<std::map<std::string, std::string>*>(all))[name] = value;
        },
        &answer.headers);
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
    server_ = std::make_unique<Server>(std::vector<ModelFactory>{[this] {
                                         return std::make_unique<FakeModel>(gate_, placement_);
                                       }},
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
  GSocketConnection* enqueue(const wire::InferRequest& what, const std::string& head = "") const {
    const wire::Message message = wire::encode(what);
    return deliverText(uploadHead(message.body.size()) + head +
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
  for (const char* path :
       {"/index.html", "/v1", "/v2/nothing", "/v2/models/other", "/v2/models/fake/odd",
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

TEST_F(ServerTest, ABodyIsNotHeldOnceItIsAnswered) {
  start({.maxBody = 1000, .maxBuffered = 1500});
  GSocketConnection* kept = deliverText(uploadHead(900) + "\r\n" + std::string(900, '?'));
  char answer[13] = {};
  g_input_stream_read_all(g_io_stream_get_input_stream(G_IO_STREAM(kept)), answer, 12, nullptr,
                          nullptr, nullptr);
  EXPECT_STREQ(answer, "HTTP/1.1 400");
  EXPECT_EQ(request("POST", url("/v2/models/fake/infer"), Body(800, '?')).status, 400U);
  g_object_unref(kept);
}

TEST_F(ServerTest, ABodyThatNobodyTakesIsNotHeld) {
  start({.token = "secret", .maxBody = 1000, .maxBuffered = 1500});
  const std::string token = "Authorization: Bearer secret\r\n";
  const std::vector<std::string> heads = {"POST /v2/models/fake/infer HTTP/1.1\r\n",
                                          "GET /v2/models/fake/infer HTTP/1.1\r\n" + token,
                                          "POST /v2/models/other/infer HTTP/1.1\r\n" + token,
                                          "POST /v2/models/fake HTTP/1.1\r\n" + token,
                                          "POST /v2/health/live HTTP/1.1\r\n",
                                          "POST /none HTTP/1.1\r\n" + token};
  std::vector<GSocketConnection*> peers;
  for (const std::string& head : heads)
    peers.push_back(
        deliverText(head + "Host: a\r\nContent-Length: 900\r\n\r\n" + std::string(899, '?')));
  EXPECT_EQ(request("POST", url("/v2/models/fake/infer"), Body(900, '?'), {},
                    {.headers = {{"Authorization", "Bearer secret"}}})
                .status,
            400U);
  for (GSocketConnection* peer : peers) g_object_unref(peer);
}

TEST_F(ServerTest, ABodyMayComeInManyChunks) {
  start();
  const wire::Message message = wire::encode(requestOf(rgbImage(40, 30)));
  std::string text =
      "POST /v2/models/fake/infer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
      "Transfer-Encoding: chunked\r\nInference-Header-Content-Length: " +
      std::to_string(*message.jsonLength) + "\r\n\r\n";
  for (const std::uint8_t byte : message.body)
    text += std::string("1\r\n") + static_cast<char>(byte) + "\r\n";
  EXPECT_THAT(readToEnd(sendText(text + "0\r\n\r\n")), HasSubstr("200 OK"));
}

TEST_F(ServerTest, ANegativeLengthIsA400) {
  start();
  EXPECT_THAT(readToEnd(sendText("POST /v2/models/fake/infer HTTP/1.1\r\nHost: a\r\n"
                                 "Content-Length: -5\r\n\r\n")),
              HasSubstr("HTTP/1.1 400"));
}

TEST_F(ServerTest, ARequestThatTwoProgramsMayReadDifferentlyIsA400AndTheEndOfItsConnection) {
  start({.idle = std::chrono::milliseconds(2000)});
  const std::string get = "GET /v2/health/live HTTP/1.1\r\nHost: a\r\n",
                    post = "POST /v2/models/fake/infer HTTP/1.1\r\nHost: a\r\n",
                    chunked = "Transfer-Encoding: chunked\r\n";
  for (const auto& [request, why] : std::vector<std::pair<std::string, std::string>>{
           {get + "Host: b\r\n\r\n", "Host: is there more than once"},
           {get + "hOST: a\r\n\r\n", "Host: is there more than once"},
           {post + "Content-Length: 5\r\n" + chunked + "\r\n0\r\n\r\n",
            "Content-Length: is there beside Transfer-Encoding"},
           {post + chunked + "content-length: 0\r\n\r\n0\r\n\r\n",
            "Content-Length: is there beside Transfer-Encoding"},
           {get + "Content-Length: 0\r\n" + chunked + "\r\n0\r\n\r\n",
            "Content-Length: is there beside Transfer-Encoding"},
           {post + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
            "Content-Length: is there more than once"},
           {post + chunked + chunked + "\r\n0\r\n\r\n",
            "Transfer-Encoding: is there more than once"}}) {
    // It ends, and so does the connection.
    const std::string answer = readToEnd(sendText(request));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 ")) << request;
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n")) << request;
    EXPECT_THAT(answer, HasSubstr(R"({"error":")" + why + R"("})")) << request;
  }
  for (const std::string& request :
       {get + "Connection: close\r\n\r\n", get + "Connection: close\r\nX-Forwarded-Host: b\r\n\r\n",
        get + "Connection: close\r\nContent-Length: 0\r\n\r\n"})
    EXPECT_THAT(readToEnd(sendText(request)), StartsWith("HTTP/1.1 200 ")) << request;
}

TEST_F(ServerTest, CountsWhatItRefusesForItsSize) {
  start({.maxBody = 1000, .maxBuffered = 1500});
  const Body large(1500, '?');
  EXPECT_EQ(request("POST", url("/v2/models/fake/infer"), large).status, 413U);
  EXPECT_EQ(request("POST", url("/v2/models/other/infer"), large).status, 413U);
  GSocketConnection* slow = deliverText(uploadHead(900) + "\r\n" + std::string(899, '?'));
  EXPECT_EQ(request("POST", url("/v2/models/fake/infer"), Body(800, '?')).status, 503U);
  g_object_unref(slow);
  const std::string text = request("GET", url("/metrics")).text();
  for (const char* line : {R"(elf_requests_total{code="413",model="fake"} 1)",
                           R"(elf_requests_total{code="503",model="fake"} 1)"})
    EXPECT_THAT(text, HasSubstr(line));
}

TEST_F(ServerTest, DecodesAPathOnce) {
  start();
  EXPECT_EQ(request("GET", url("/v2/models/f%61ke")).status, 200U);
  EXPECT_EQ(request("GET", url("/v2/models/f%2561ke")).status, 404U);
  EXPECT_EQ(request("GET", url("/v2/models%2Ffake")).status, 404U);
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

TEST_F(ServerTest, LetsGoOfAKeptConnectionThatThePeerHasClosed) {
  start({.maxConnections = 1});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(request("GET", url("/v2/health/live")).status, 200U) << i;
}

TEST_F(ServerTest, ForgetsAConnectionThatIsNotKept) {
  start({.maxConnections = 1});
  for (int i = 0; i < 5; ++i)
    for (const char* head : {"HTTP/1.1\r\nHost: a\r\nConnection: close", "HTTP/1.0"})
      EXPECT_THAT(readToEnd(sendText(std::string("GET /v2/health/live ") + head + "\r\n\r\n")),
                  HasSubstr("200 OK"))
          << head << i;
  EXPECT_EQ(request("GET", url("/v2/health/live")).status, 200U);
}

TEST_F(ServerTest, ForgetsAConnectionThatClosesWithoutARequest) {
  // The silent one, and the one by which deliverText() knows that it is there.
  start({.maxConnections = 2});
  for (int i = 0; i < 5; ++i) g_object_unref(deliverText(""));
  EXPECT_EQ(request("GET", url("/v2/health/live")).status, 200U);
}

TEST_F(ServerTest, ForgetsAConnectionThatIsResetInMidBody) {
  // The one that uploads, and the one by which deliverText() knows that it does.
  start({.maxConnections = 2});
  for (int i = 0; i < 5; ++i) {
    GSocketConnection* peer = deliverText(uploadHead(900) + "\r\n" + std::string(10, '?'));
    const linger reset{.l_onoff = 1, .l_linger = 0};
    setsockopt(g_socket_get_fd(g_socket_connection_get_socket(peer)), SOL_SOCKET, SO_LINGER, &reset,
               sizeof reset);
    g_io_stream_close(G_IO_STREAM(peer), nullptr, nullptr);
    g_object_unref(peer);
  }
  EXPECT_EQ(request("GET", url("/v2/health/live")).status, 200U);
}

TEST_F(ServerTest, ClosesAConnectionThatIsOneTooMany) {
  start({.maxConnections = 2});
  GSocketConnection* first = deliverText("");
  GSocketConnection* second = sendText("");
  EXPECT_EQ(readToEnd(sendText("GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n")), "");
  g_object_unref(first);
  g_object_unref(second);
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

TEST_F(ServerTest, AStreamWaitsForNoOtherOnesQueue) {
  start();
  gate_.close();
  wire::InferRequest what = requestOf(rgbImage(4, 4));
  const auto enqueueOf = [&](const std::string& stream, int x) {
    wire::setPlacement(what.parameters, {.x = x, .y = 0, .frame = {100, 100}});
    return enqueue(what, "Connection: close\r\nElf-Stream: " + stream + "\r\n");
  };
  // Each over a connection of its own.
  std::vector<GSocketConnection*> waiting{enqueueOf("busy", 0)};
  gate_.awaitEntered(1);
  for (int i = 1; i <= 3; ++i) waiting.push_back(enqueueOf("busy", i));
  waiting.push_back(enqueueOf("quiet", 50));
  gate_.letOnePass();
  gate_.letOnePass();
  // The second one has been run, and the third one waits.
  gate_.awaitEntered(3);
  EXPECT_EQ(placement_.x, 50);
  gate_.open();
  for (GSocketConnection* each : waiting) EXPECT_THAT(readToEnd(each), HasSubstr("HTTP/1.1 200"));
  EXPECT_EQ(gate_.entered(), 5);
}

TEST_F(ServerTest, AFullQueueRefusesTheStreamWithTheMost) {
  start({.queue = 2});
  gate_.close();
  const auto enqueueOf = [&](const std::string& stream) {
    return enqueue(requestOf(rgbImage(4, 4)),
                   "Connection: close\r\nElf-Stream: " + stream + "\r\n");
  };
  std::vector<GSocketConnection*> taken{enqueueOf("busy")};
  gate_.awaitEntered(1);
  taken.push_back(enqueueOf("busy"));
  GSocketConnection* last = enqueueOf("busy");
  taken.push_back(enqueueOf("quiet"));
  EXPECT_THAT(readToEnd(last), HasSubstr("HTTP/1.1 503"));
  EXPECT_THAT(readToEnd(enqueueOf("quiet")), HasSubstr("HTTP/1.1 503"));
  gate_.open();
  for (GSocketConnection* each : taken) EXPECT_THAT(readToEnd(each), HasSubstr("HTTP/1.1 200"));
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

TEST_F(ServerTest, ServesNobodyWithoutTheTokenButTellsItsHealth) {
  start({.token = "secret", .maxBody = 1000});
  for (const char* path : {"/v2/health/live", "/v2/health/ready"})
    EXPECT_EQ(request("GET", url(path)).status, 200U) << path;
  for (const char* path : {"/status", "/v2", "/metrics", "/v2/models/fake", "/v2/models/stats"}) {
    const Answer answer = request("GET", url(path));
    EXPECT_EQ(answer.status, 401U) << path;
    EXPECT_THAT(answer.text(), HasSubstr("\"error\"")) << path;
    EXPECT_EQ(answer.headers.at("WWW-Authenticate"), "Bearer") << path;
  }
  for (const char* wrong : {"Bearer", "Bearer ", "Bearer secre", "Bearer secrets", "Basic secret",
                            "secret", "Bearer Secret"})
    EXPECT_EQ(request("GET", url("/v2"), {}, {}, {.headers = {{"Authorization", wrong}}}).status,
              401U)
        << wrong;
  // Its body is not kept, and too large for one that would be.
  EXPECT_EQ(request("POST", url("/v2/models/fake/infer"), Body(1500)).status, 401U);
  EXPECT_EQ(gate_.entered(), 0);
  const Extra right{.headers = {{"Authorization", "bearer secret"}}};
  EXPECT_EQ(request("GET", url("/v2"), {}, {}, right).status, 200U);
  const wire::Message message = wire::encode(requestOf(rgbImage(4, 4)));
  EXPECT_EQ(
      request("POST", url("/v2/models/fake/infer"), message.body, message.jsonLength, right).status,
      200U);
}

TEST_F(ServerTest, SpeaksHttpsWithItsCertificate) {
  const elf::testing::Certificates certificates;
  if (!certificates.made()) GTEST_SKIP() << "openssl is not there to make certificates";
  start({.tlsCert = certificates.server(), .tlsKey = certificates.server()});
  EXPECT_THAT(server_->url(), StartsWith("https://127.0.0.1:"));
  const Extra trusting{.ca = certificates.ca()};
  EXPECT_EQ(request("GET", url("/v2"), {}, {}, trusting).status, 200U);
  EXPECT_EQ(request("GET", url("/v2"), {}, {}, {.ca = certificates.stranger()}).status, 0U);
  const wire::Message message = wire::encode(requestOf(rgbImage(400, 300)));
  EXPECT_EQ(
      request("POST", url("/v2/models/fake/infer"), message.body, message.jsonLength, trusting)
          .status,
      200U);
  EXPECT_EQ(request("GET", "http" + url("/v2").substr(strlen("https"))).status, 0U);
}

TEST_F(ServerTest, WantsACertificateOfItsAuthority) {
  const elf::testing::Certificates certificates;
  if (!certificates.made()) GTEST_SKIP() << "openssl is not there to make certificates";
  start({.tlsCert = certificates.server(),
         .tlsKey = certificates.server(),
         .clientCa = certificates.ca()});
  const auto statusWith = [&](const std::string& certificate) {
    return request("GET", url("/v2/health/live"), {}, {},
                   {.ca = certificates.ca(), .certificate = certificate})
        .status;
  };
  EXPECT_EQ(statusWith(certificates.client()), 200U);
  EXPECT_EQ(statusWith(""), 0U);
  EXPECT_EQ(statusWith(certificates.strangeClient()), 0U);
}

TEST_F(ServerTest, APeerThatDoesNotFinishItsHandshakeIsHungUpOn) {
  const elf::testing::Certificates certificates;
  if (!certificates.made()) GTEST_SKIP() << "openssl is not there to make certificates";
  start({.tlsCert = certificates.server(),
         .tlsKey = certificates.server(),
         .idle = std::chrono::milliseconds(50)});
  GSocketClient* client = g_socket_client_new();
  GSocketConnection* connection = g_socket_client_connect_to_host(
      client, url("").substr(strlen("https://")).c_str(), 443, nullptr, nullptr);
  g_object_unref(client);
  EXPECT_EQ(readToEnd(connection), "");
}

TEST_F(ServerTest, NamesTheTlsFileThatItCannotUse) {
  const elf::testing::Certificates certificates;
  if (!certificates.made()) GTEST_SKIP() << "openssl is not there to make certificates";
  const auto subjectOf = [this](const ServerOptions& options) -> std::string {
    try {
      start(options);
    } catch (const Error& error) {
      return error.subject();
    }
    return "none";
  };
  EXPECT_EQ(subjectOf({.tlsCert = "nowhere.pem", .tlsKey = certificates.server()}), "nowhere.pem");
  EXPECT_EQ(subjectOf({.tlsCert = certificates.server(),
                       .tlsKey = certificates.server(),
                       .clientCa = "nowhere.pem"}),
            "nowhere.pem");
  // GIO takes a key of another certificate, and would refuse each connection.
  EXPECT_EQ(subjectOf({.tlsCert = certificates.server(), .tlsKey = certificates.client()}),
            certificates.server());
}

TEST_F(ServerTest, DoesNotSpeakHttpWhereAKeyOrAnAuthorityWasGiven) {
  EXPECT_THROW(start({.tlsKey = "key.pem"}), Error);
  EXPECT_THROW(start({.clientCa = "ca.pem"}), Error);
}

TEST_F(ServerTest, EachModelHasItsOwnQueueAndWorkers) {
  Gate other;
  Placement placement;
  ServerOptions options{.queue = 0};
  server_ = std::make_unique<Server>(
      std::vector<ModelFactory>{
          [this] { return std::make_unique<FakeModel>(gate_, placement_); },
          [&] { return std::make_unique<FakeModel>(other, placement, fakeFile("other")); }},
      options);
  gate_.close();
  auto running = inferAside(requestOf(rgbImage(4, 4)));
  gate_.awaitEntered(1);
  EXPECT_EQ(infer(rgbImage(4, 4)).status, 503U);
  const wire::Message message = wire::encode(requestOf(rgbImage(4, 4)));
  const auto inferOther = [&](const char* path) {
    return request("POST", url(path), message.body, message.jsonLength);
  };
  EXPECT_EQ(inferOther("/v2/models/other/infer").status, 200U);
  EXPECT_EQ(inferOther("/v2/models/other/versions/1/infer").status, 200U);
  EXPECT_EQ(inferOther("/v2/models/other/versions/2/infer").status, 404U);
  EXPECT_EQ(inferOther("/v2/models/third/infer").status, 404U);
  EXPECT_EQ(other.entered(), 2);
  gate_.open();
  EXPECT_EQ(running.get().status, 200U);
  const std::string text = request("GET", url("/metrics")).text();
  for (const char* line : {R"(elf_requests_total{code="503",model="fake"} 1)",
                           R"(elf_requests_total{code="200",model="other"} 2)"})
    EXPECT_THAT(text, HasSubstr(line));
  // Each family is declared once.
  EXPECT_EQ(text.find("# TYPE elf_infer_seconds"), text.rfind("# TYPE elf_infer_seconds"));
  server_.reset();
}

TEST_F(ServerTest, RefusesTwoModelsOfOneName) {
  const ModelFactory fake = [this] { return std::make_unique<FakeModel>(gate_, placement_); };
  EXPECT_THROW(Server({fake, fake}, {}), Error);
}

TEST_F(ServerTest, TellsTheProtocolsStatistics) {
  start();
  EXPECT_EQ(infer(rgbImage(4, 4)).status, 200U);
  EXPECT_EQ(infer(rgbImage(13, 4)).status, 500U);
  for (const char* path :
       {"/v2/models/stats", "/v2/models/fake/stats", "/v2/models/fake/versions/1/stats"}) {
    const auto stats = nlohmann::json::parse(request("GET", url(path)).text())["model_stats"];
    ASSERT_EQ(stats.size(), 1U) << path;
    EXPECT_EQ(stats[0]["name"], "fake");
    EXPECT_EQ(stats[0]["version"], "1");
    EXPECT_EQ(stats[0]["inference_count"], 1);
    EXPECT_GT(stats[0]["last_inference"], 0);
    const auto& of = stats[0]["inference_stats"];
    EXPECT_EQ(of["success"]["count"], 1);
    EXPECT_EQ(of["fail"]["count"], 1);
    for (const char* step : {"queue", "compute_input", "compute_infer", "compute_output"})
      EXPECT_EQ(of[step]["count"], 1) << step;
    EXPECT_GE(of["success"]["ns"], of["compute_infer"]["ns"]);
  }
  EXPECT_EQ(request("GET", url("/v2/models/other/stats")).status, 404U);
  EXPECT_THAT(request("GET", url("/v2")).text(), HasSubstr("statistics"));
}

class BatchTest : public ServerTest {
 protected:
  /** The server hangs up once it has answered. */
  static constexpr const char* kClose = "Connection: close\r\n";

  /** Starts a server, and holds its worker while it runs a first picture. */
  void hold() {
    server_ =
        std::make_unique<Server>(std::vector<ModelFactory>{[this] {
                                   return std::make_unique<BatchModel>(gate_, placement_, batches_);
                                 }},
                                 ServerOptions{});
    gate_.close();
    first_ = inferAside(requestOf(rgbImage(4, 4)));
    gate_.awaitEntered(1);
  }
  /** A request that waits, of a picture whose colour the answer tells as its label. */
  void wait(int width, int height, std::uint8_t colour = 9) {
    wire::Tensor image = rgbImage(width, height);
    for (std::size_t i = 0; i < image.data.size(); i += 3) image.data[i] = colour;
    wire::InferRequest what = requestOf(std::move(image));
    what.id = std::to_string(colour);
    what.binaryOutputs = false;
    waiting_.push_back(enqueue(what, kClose));
  }
  /** What those that waited are answered, in their order. */
  std::vector<std::string> release() {
    gate_.open();
    EXPECT_EQ(first_.get().status, 200U);
    std::vector<std::string> answers;
    for (GSocketConnection* connection : waiting_) answers.push_back(readToEnd(connection));
    return answers;
  }

  /** Two pictures of that height are run at once, and then each by itself. */
  void expectOneByOne(int height) {
    hold();
    wait(20, height, 11);
    wait(20, height, 12);
    const auto answers = release();
    EXPECT_THAT(answers[0], HasSubstr(R"("data":[11])"));
    EXPECT_THAT(answers[1], HasSubstr(R"("data":[12])"));
    EXPECT_EQ(batches_, (std::vector<std::size_t>{1, 2, 1, 1}));
  }

  std::vector<std::size_t> batches_;
  std::future<Answer> first_;
  std::vector<GSocketConnection*> waiting_;
};

TEST_F(BatchTest, WhatWaitsRunsAsOneBatchAndEachHasItsOwnAnswer) {
  hold();
  for (const std::uint8_t colour : {11, 12, 13}) wait(20, 10, colour);
  const auto answers = release();
  EXPECT_EQ(batches_, (std::vector<std::size_t>{1, 3}));
  for (int i = 0; i < 3; ++i) {
    const std::string colour = std::to_string(11 + i);
    EXPECT_THAT(answers[static_cast<std::size_t>(i)], HasSubstr("HTTP/1.1 200"));
    EXPECT_THAT(answers[static_cast<std::size_t>(i)], HasSubstr(R"("id":")" + colour + '"'));
    EXPECT_THAT(answers[static_cast<std::size_t>(i)], HasSubstr(R"("data":[)" + colour + ']'));
  }
  const auto stats =
      nlohmann::json::parse(request("GET", url("/v2/models/fake/stats")).text())["model_stats"][0];
  EXPECT_EQ(stats["inference_count"], 4);
  EXPECT_EQ(stats["execution_count"], 2);
  ASSERT_EQ(stats["batch_stats"].size(), 2U);
  EXPECT_EQ(stats["batch_stats"][1]["batch_size"], 3);
  EXPECT_EQ(stats["batch_stats"][1]["compute_infer"]["count"], 1);
}

TEST_F(BatchTest, NoMoreRunAtOnceThanTheModelTakes) {
  hold();
  for (int i = 0; i < 5; ++i) wait(20, 10);
  release();
  EXPECT_EQ(batches_, (std::vector<std::size_t>{1, 3, 2}));
}

TEST_F(BatchTest, PicturesOfAnotherSizeAndRefusedOnesAreNoneOfIt) {
  hold();
  wait(20, 10, 11);
  wait(20, 12, 12);
  wait(20, 10, 13);
  wait(20, 10, 14);
  waiting_.push_back(deliverText(uploadHead(3) + kClose + "\r\nabc"));
  wait(20, 10, 15);
  const auto answers = release();
  EXPECT_EQ(batches_, (std::vector<std::size_t>{1, 2, 1, 2}));
  ASSERT_EQ(answers.size(), 6U);
  EXPECT_THAT(answers[1], HasSubstr(R"("data":[12])"));
  EXPECT_THAT(answers[3], HasSubstr(R"("data":[14])"));
  EXPECT_THAT(answers[4], HasSubstr("HTTP/1.1 400"));
  EXPECT_THAT(answers[5], HasSubstr(R"("data":[15])"));
}

TEST_F(BatchTest, OnePictureThatFailsFailsAlone) {
  hold();
  wait(20, 10, 11);
  wait(20, 10, kUnlucky);
  wait(20, 10, 12);
  const auto answers = release();
  EXPECT_THAT(answers[0], HasSubstr(R"("data":[11])"));
  EXPECT_THAT(answers[1], HasSubstr("unlucky"));
  EXPECT_THAT(answers[2], HasSubstr(R"("data":[12])"));
}

TEST_F(BatchTest, WhatCannotRunAtOnceRunsOneByOne) {
  expectOneByOne(kTooManyAtOnce);
}

TEST_F(BatchTest, AModelThatTellsOfFewerPicturesIsAskedForEach) {
  expectOneByOne(kOneIsForgotten);
}

TEST_F(BatchTest, WhatIsGivenUpWhileOthersOfTheTakeRunIsNotRun) {
  hold();
  // Three that are taken at once, each of a size of its own.
  wait(20, 10);
  wait(20, 12);
  wait(20, 14);
  gate_.letOnePass();
  gate_.awaitEntered(2);
  g_io_stream_close(G_IO_STREAM(waiting_[1]), nullptr, nullptr);
  EXPECT_EQ(request("GET", url("/v2/health/live")).status, 200U);
  gate_.open();
  EXPECT_EQ(first_.get().status, 200U);
  for (const std::size_t i : {0, 2}) EXPECT_THAT(readToEnd(waiting_[i]), HasSubstr("HTTP/1.1 200"));
  EXPECT_EQ(batches_, (std::vector<std::size_t>{1, 1, 1}));
  g_object_unref(waiting_[1]);
}

/** `body` through GIO's own compressor. */
Body compressed(const Body& body, GZlibCompressorFormat format) {
  GZlibCompressor* compressor = g_zlib_compressor_new(format, -1);
  Body out(body.size() + 1000);
  gsize read = 0, written = 0;
  g_converter_convert(G_CONVERTER(compressor), body.data(), body.size(), out.data(), out.size(),
                      G_CONVERTER_INPUT_AT_END, &read, &written, nullptr);
  out.resize(written);
  g_object_unref(compressor);
  return out;
}

TEST_F(ServerTest, TakesCompressedBodies) {
  start();
  const wire::Message message = wire::encode(requestOf(rgbImage(40, 30)));
  const auto post = [&](const Body& body, const char* coding) {
    return request("POST", url("/v2/models/fake/infer"), body, message.jsonLength,
                   {.headers = {{"Content-Encoding", coding}}});
  };
  const Body gzip = compressed(message.body, G_ZLIB_COMPRESSOR_FORMAT_GZIP);
  EXPECT_EQ(post(gzip, "gzip").status, 200U);
  EXPECT_EQ(post(compressed(message.body, G_ZLIB_COMPRESSOR_FORMAT_ZLIB), "deflate").status, 200U);
  EXPECT_EQ(post(message.body, "gzip").status, 400U);
  EXPECT_EQ(post(Body(gzip.begin(), gzip.end() - 9), "gzip").status, 400U);
  Body more = gzip;
  more.push_back('?');
  EXPECT_EQ(post(more, "gzip").status, 400U);
  EXPECT_EQ(post(message.body, "br").status, 415U);
}

TEST_F(ServerTest, ABombOfACompressedBodyIsA413) {
  start({.maxBody = 100000});
  const Body bomb = compressed(Body(20000000), G_ZLIB_COMPRESSOR_FORMAT_GZIP);
  ASSERT_LT(bomb.size(), 100000U);
  EXPECT_EQ(request("POST", url("/v2/models/fake/infer"), bomb, {},
                    {.headers = {{"Content-Encoding", "gzip"}}})
                .status,
            413U);
  EXPECT_EQ(gate_.entered(), 0);
}

TEST_F(ServerTest, CompressesLargeAnswersForThoseWhoTakeThem) {
  start();
  const auto metrics = [this](const char* accepted) {
    return request("GET", url("/metrics"), {}, {}, {.headers = {{"Accept-Encoding", accepted}}});
  };
  EXPECT_EQ(infer(rgbImage(4, 4)).status, 200U);
  const Answer plain = request("GET", url("/metrics"));
  EXPECT_EQ(plain.headers.count("Content-Encoding"), 0U);
  EXPECT_EQ(metrics("br, gzip;q=0").headers.count("Content-Encoding"), 0U);
  for (const auto& [name, format] : {std::pair("gzip", G_ZLIB_COMPRESSOR_FORMAT_GZIP),
                                     std::pair("deflate", G_ZLIB_COMPRESSOR_FORMAT_ZLIB)}) {
    const Answer answer = metrics(name);
    ASSERT_EQ(answer.headers.at("Content-Encoding"), name);
    EXPECT_LT(answer.body.size(), plain.body.size() / 2);
    GZlibDecompressor* decompressor = g_zlib_decompressor_new(format);
    Body out(plain.body.size() + 1);
    gsize read = 0, written = 0;
    EXPECT_EQ(g_converter_convert(G_CONVERTER(decompressor), answer.body.data(), answer.body.size(),
                                  out.data(), out.size(), G_CONVERTER_INPUT_AT_END, &read, &written,
                                  nullptr),
              G_CONVERTER_FINISHED);
    g_object_unref(decompressor);
    out.resize(written);
    EXPECT_EQ(out, plain.body);
  }
  // Small ones gain nothing.
  EXPECT_EQ(request("GET", url("/v2"), {}, {}, {.headers = {{"Accept-Encoding", "gzip"}}})
                .headers.count("Content-Encoding"),
            0U);
}

TEST_F(ServerTest, LogsEachRequestWithItsTrace) {
  std::vector<nlohmann::json> lines;
  start({.log = [&](const std::string& line) {
    EXPECT_EQ(line.find('\n'), std::string::npos);
    lines.push_back(nlohmann::json::parse(line));
  }});
  const std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  const std::string traceparent = "00-" + trace + "-00f067aa0ba902b7-01";
  wire::InferRequest what = requestOf(rgbImage(40, 30));
  what.id = "a\"\n\x01";
  const wire::Message message = wire::encode(what);
  const Answer answer = request(
      "POST", url("/v2/models/fake/infer"), message.body, message.jsonLength,
      {.headers = {{"traceparent", traceparent}, {"Elf-Stream", "door" + std::string(90, 'x')}}});
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(answer.headers.at("traceparent"), traceparent);
  const Answer odd =
      request("GET", url("/%1b%5b31m"), {}, {}, {.headers = {{"traceparent", "00-x"}}});
  EXPECT_EQ(odd.headers.count("traceparent"), 0U);
  server_->stop();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0]["peer"], "127.0.0.1");
  EXPECT_EQ(lines[0]["method"], "POST");
  EXPECT_EQ(lines[0]["path"], "/v2/models/fake/infer");
  EXPECT_EQ(lines[0]["model"], "fake");
  EXPECT_EQ(lines[0]["id"], "a\"  ");
  EXPECT_EQ(lines[0]["trace"], trace);
  EXPECT_EQ(lines[0]["stream"], "door" + std::string(60, 'x'));
  EXPECT_EQ(lines[0]["status"], 200);
  EXPECT_EQ(lines[0]["bytes_in"], message.body.size());
  EXPECT_EQ(lines[0]["bytes_out"], answer.body.size());
  for (const char* time : {"queue_us", "decode_us", "infer_us"})
    EXPECT_TRUE(lines[0][time].is_number_unsigned()) << time;
  EXPECT_TRUE(lines[0]["time"].is_string());
  EXPECT_EQ(lines[1]["status"], 404);
  EXPECT_EQ(lines[1].count("trace"), 0U);
  EXPECT_EQ(lines[1].count("stream"), 0U);
  EXPECT_EQ(lines[1].count("model"), 0U);
}

TEST_F(ServerTest, LogsARequestThatWasGivenUpAsSuch) {
  std::vector<nlohmann::json> lines;
  start({.log = [&](const std::string& line) { lines.push_back(nlohmann::json::parse(line)); }});
  g_object_unref(deliverText(uploadHead(900) + "\r\n" + std::string(10, '?')));
  EXPECT_EQ(infer(rgbImage(13, 4)).status, 500U);
  server_->stop();
  const auto uploads = [](const nlohmann::json& line) { return line["method"] == "POST"; };
  lines.erase(std::stable_partition(lines.begin(), lines.end(), uploads), lines.end());
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0]["peer"], "127.0.0.1");
  EXPECT_EQ(lines[0]["bytes_in"], 10);
  if (soup_check_version(3, 8, 0)) {
    // It answers an upload that is cut off, though nobody may be left to read that.
    EXPECT_EQ(lines[0]["status"], 400);
    EXPECT_EQ(lines[0].count("aborted"), 0U);
  } else {
    EXPECT_EQ(lines[0]["aborted"], true);
    for (const char* none : {"status", "bytes_out"}) EXPECT_EQ(lines[0].count(none), 0U) << none;
  }
  // Libsoup calls this one aborted as well.
  EXPECT_EQ(lines[1]["status"], 500);
  EXPECT_EQ(lines[1].count("aborted"), 0U);
}

/** The script or the style of the page, as the Content-Security-Policy names it. */
std::string sha256Of(const std::string& page, const std::string& tag) {
  const std::size_t begin = page.find("<" + tag + ">") + tag.size() + 2;
  const std::size_t end = page.rfind("</" + tag + ">");
  gchar* hex = g_compute_checksum_for_string(G_CHECKSUM_SHA256, page.data() + begin,
                                             static_cast<gssize>(end - begin));
  Body bytes;
  for (const char* digit = hex; *digit; digit += 2)
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(std::string(digit, 2), nullptr, 16)));
  gchar* text = g_base64_encode(bytes.data(), bytes.size());
  const std::string name = std::string("'sha256-") + text + "'";
  g_free(hex);
  g_free(text);
  return name;
}

TEST_F(ServerTest, ItsPageRunsNothingButItsOwnScriptAndAsksNobodyElse) {
  start({.token = "secret"});
  // It holds nothing that the token guards.
  const Answer answer = request("GET", url("/"));
  ASSERT_EQ(answer.status, 200U);
  const std::string page = answer.text();
  const std::string policy = answer.headers.at("Content-Security-Policy");
  EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(policy, HasSubstr("script-src " + sha256Of(page, "script") + ";"));
  EXPECT_THAT(policy, HasSubstr("style-src " + sha256Of(page, "style") + ";"));
  EXPECT_THAT(policy, HasSubstr("connect-src 'self'"));
  EXPECT_THAT(policy, HasSubstr("frame-ancestors 'none'"));
  EXPECT_THAT(policy, ::testing::Not(HasSubstr("unsafe")));
  EXPECT_EQ(answer.headers.at("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(answer.headers.at("X-Content-Type-Options"), "nosniff");
  for (const char* odd : {"://", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write",
                          "eval(", "fake", "secret"})
    EXPECT_THAT(page, ::testing::Not(HasSubstr(odd)));
  EXPECT_EQ(
      request("POST", url("/"), {1}, {}, {.headers = {{"Authorization", "Bearer secret"}}}).status,
      405U);
}

TEST_F(ServerTest, TellsItsStatusToThoseWhoBringTheToken) {
  start({.token = "secret"});
  EXPECT_EQ(request("GET", url("/status")).status, 401U);
  const Answer answer =
      request("GET", url("/status"), {}, {}, {.headers = {{"Authorization", "Bearer secret"}}});
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(answer.headers.at("Cache-Control"), "no-store");
}

TEST_F(ServerTest, StatusTellsWhatWaitsRunsAndWasAnswered) {
  start({.threads = 2, .queue = 1});
  EXPECT_EQ(infer(rgbImage(20, 10)).status, 200U);
  EXPECT_EQ(infer(rgbImage(13, 10)).status, 500U);
  gate_.close();
  std::vector<std::future<Answer>> held;
  for (int i = 0; i < 2; ++i) {
    held.push_back(inferAside(requestOf(rgbImage(20, 10))));
    gate_.awaitEntered(3 + i);
  }
  GSocketConnection* waits = enqueue(requestOf(rgbImage(20, 10)));
  EXPECT_EQ(infer(rgbImage(20, 10)).status, 503U);
  const auto status = nlohmann::json::parse(request("GET", url("/status")).text());
  EXPECT_GT(status["uptime_s"], 0.0);
  ASSERT_EQ(status["models"].size(), 1U);
  const auto& model = status["models"][0];
  EXPECT_EQ(model["name"], "fake");
  EXPECT_EQ(model["waiting"], 1);
  EXPECT_EQ(model["busy"], 2);
  EXPECT_EQ(model["workers"], 2);
  EXPECT_EQ(model["requests"], (nlohmann::json{{"200", 1}, {"500", 1}, {"503", 1}}));
  ASSERT_EQ(model["answers"].size(), 1U);
  const auto& answer = model["answers"][0];
  EXPECT_EQ(answer["waiting"], 0);
  EXPECT_LT(answer["at_s"], status["uptime_s"]);
  for (const char* time : {"queue_us", "decode_us", "infer_us"}) EXPECT_GE(answer[time], 0) << time;
  gate_.open();
  for (auto& each : held) EXPECT_EQ(each.get().status, 200U);
  g_object_unref(waits);
}

TEST_F(ServerTest, StatusKeepsPicturesToItselfUnlessTheyMayBeShown) {
  for (const bool allowed : {false, true}) {
    start({.showAnswers = allowed});
    EXPECT_FALSE(nlohmann::json::parse(request("GET", url("/status")).text())["models"][0].contains(
        "picture"));
    EXPECT_EQ(infer(rgbImage(640, 480)).status, 200U);
    const auto status = nlohmann::json::parse(request("GET", url("/status")).text());
    const auto& model = status["models"][0];
    ASSERT_EQ(model.contains("picture"), allowed);
    if (!allowed) continue;
    const auto& picture = model["picture"];
    EXPECT_EQ(picture["width"], 640);
    EXPECT_EQ(picture["height"], 480);
    gsize size = 0;
    const auto text = picture["jpeg"].get<std::string>();
    guchar* file = g_base64_decode(text.c_str(), &size);
    const cv::Mat shown = cv::imdecode(Body(file, file + size), cv::IMREAD_COLOR);
    g_free(file);
    EXPECT_EQ(shown.size(), cv::Size(320, 240));
    ASSERT_EQ(picture["found"].size(), 1U);
    EXPECT_EQ(picture["found"][0]["box"], (nlohmann::json{0, 0, 640, 480}));
    EXPECT_EQ(picture["found"][0]["label"], "9");
  }
}

TEST_F(ServerTest, RotatedBoxesAreToldOfSentAndShown) {
  server_ = std::make_unique<Server>(
      std::vector<ModelFactory>{[&] { return std::make_unique<TurnedModel>(gate_, placement_); }},
      ServerOptions{.showAnswers = true});
  const auto metadata = wire::parseMetadata(request("GET", url("/v2/models/fake")).body);
  ASSERT_TRUE(metadata) << metadata.error();
  EXPECT_EQ(metadata.value().rules, TurnedModel::turnedFile().rules);
  EXPECT_EQ(metadata.value().outputs.back(),
            (wire::TensorSpec{"rotated", wire::DataType::Fp32, {-1, 5}}));

  const Answer answer = infer(rgbImage(640, 480));
  ASSERT_EQ(answer.status, 200U) << answer.text();
  const auto response = wire::parseResponse(answer.body, answer.jsonLength);
  ASSERT_TRUE(response) << response.error();
  const auto found =
      wire::decodeDetections(response.value(), *metadata.value().rules, {640, 480}, {});
  ASSERT_TRUE(found) << found.error();
  const RotatedBox rotated{320, 240, 480, 640, std::numbers::pi_v<float> / 2};
  EXPECT_EQ(found.value().at(0).rotated, rotated);

  const auto status = nlohmann::json::parse(request("GET", url("/status")).text());
  const auto& shown = status["models"][0]["picture"]["found"][0]["rotated"];
  ASSERT_EQ(shown.size(), 5U);
  EXPECT_EQ(shown[2], 480);
  EXPECT_FLOAT_EQ(shown[4].get<float>(), rotated.angle);
}

TEST_F(ServerTest, StatusIsJsonWhateverAModelIsCalled) {
  const std::string name = "</script><script>alert('\xff')</script>";
  server_ = std::make_unique<Server>(
      std::vector<ModelFactory>{
          [&] { return std::make_unique<FakeModel>(gate_, placement_, fakeFile(name)); }},
      ServerOptions{});
  const Answer answer = request("GET", url("/status"));
  EXPECT_EQ(answer.headers.at("Content-Type"), "application/json");
  EXPECT_EQ(answer.headers.at("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(nlohmann::json::parse(answer.text())["models"][0]["name"],
            "</script><script>alert('\xef\xbf\xbd')</script>");
  EXPECT_THAT(request("GET", url("/")).text(), ::testing::Not(HasSubstr("alert")));
}

/** A server whose models are replaced while it serves. */
class ReloadTest : public ServerTest {
 protected:
  /** A model of that name, behind a gate. */
  static ModelFactory factoryOf(Gate& gate, Placement& placement,
                                const std::string& name = "fake") {
    return [&gate, &placement, name] {
      return std::make_unique<FakeModel>(gate, placement, fakeFile(name));
    };
  }
  void reload(const ServerOptions& options = {}, const std::string& name = "fake") {
    server_->reload({factoryOf(newGate_, newPlacement_, name)}, options);
  }
  guint statusOf(const std::string& path, const Extra& extra = {}) const {
    return request("GET", url(path), {}, {}, extra).status;
  }
  ~ReloadTest() override { newGate_.open(); }

  Gate newGate_;
  Placement newPlacement_;
};

TEST_F(ReloadTest, RequestsUnderWayEndWithTheOldModelAndNewOnesDoNotWaitForThem) {
  start();
  gate_.close();
  auto running = inferAside(requestOf(rgbImage(4, 4)));
  gate_.awaitEntered(1);
  GSocketConnection* waiting = enqueue(requestOf(rgbImage(4, 4)), "Connection: close\r\n");
  reload();
  EXPECT_EQ(infer(rgbImage(4, 4)).status, 200U);
  EXPECT_EQ(newGate_.entered(), 1);
  gate_.open();
  EXPECT_EQ(running.get().status, 200U);
  EXPECT_THAT(readToEnd(waiting), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(gate_.entered(), 2);
  EXPECT_EQ(newGate_.entered(), 1);
}

TEST_F(ReloadTest, TheOldModelIsFreedWithItsLastRequest) {
  auto held = std::make_shared<int>();
  const std::weak_ptr<int> alive = held;
  server_ = std::make_unique<Server>(
      std::vector<ModelFactory>{[this, held = std::move(held)]() mutable {
        class Holder : public FakeModel {
         public:
          Holder(Gate& gate, Placement& placement, std::shared_ptr<int> its)
              : FakeModel(gate, placement), its_(std::move(its)) {}

         private:
          std::shared_ptr<int> its_;
        };
        return std::make_unique<Holder>(gate_, placement_, std::move(held));
      }},
      ServerOptions{});
  gate_.close();
  auto running = inferAside(requestOf(rgbImage(4, 4)));
  gate_.awaitEntered(1);
  reload();
  EXPECT_FALSE(alive.expired());
  gate_.open();
  EXPECT_EQ(running.get().status, 200U);
  while (!alive.expired()) EXPECT_EQ(statusOf("/v2/health/live"), 200U);
}

TEST_F(ReloadTest, AnUploadThatHasBegunIsTakenWithTheOldToken) {
  start({.token = "old"});
  const wire::Message message = wire::encode(requestOf(rgbImage(4, 4)));
  GSocketConnection* upload = deliverText(
      uploadHead(message.body.size()) + "Authorization: Bearer old\r\nConnection: close\r\n" +
      "Inference-Header-Content-Length: " + std::to_string(*message.jsonLength) + "\r\n\r\n");
  reload({.token = "new"}, "other");
  EXPECT_EQ(statusOf("/v2", {.headers = {{"Authorization", "Bearer old"}}}), 401U);
  EXPECT_EQ(statusOf("/v2", {.headers = {{"Authorization", "Bearer new"}}}), 200U);
  g_output_stream_write_all(g_io_stream_get_output_stream(G_IO_STREAM(upload)), message.body.data(),
                            message.body.size(), nullptr, nullptr, nullptr);
  EXPECT_THAT(readToEnd(upload), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(gate_.entered(), 1);
}

TEST_F(ReloadTest, TheNextRequestOfAKeptConnectionGetsTheNewModels) {
  start();
  GSocketConnection* kept = deliverText("GET /v2/models/fake HTTP/1.1\r\nHost: a\r\n\r\n");
  reload({}, "other");
  const std::string next = "GET /v2/models/other HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  g_output_stream_write_all(g_io_stream_get_output_stream(G_IO_STREAM(kept)), next.data(),
                            next.size(), nullptr, nullptr, nullptr);
  const std::string answers = readToEnd(kept);
  EXPECT_THAT(answers, HasSubstr("\"name\":\"fake\""));
  EXPECT_THAT(answers, HasSubstr("\"name\":\"other\""));
  EXPECT_EQ(statusOf("/v2/models/fake"), 404U);
}

TEST_F(ReloadTest, OneThatFailsLeavesTheOldOnesServing) {
  start();
  const ModelFactory broken = []() -> std::unique_ptr<InferenceModel> {
    throw Error("broken.onnx", "is broken");
  };
  const ModelFactory fake = factoryOf(newGate_, newPlacement_);
  EXPECT_THROW(server_->reload({fake, broken}, {.token = "new"}), Error);
  EXPECT_THROW(server_->reload({fake, fake}, {}), Error);
  // It listens for HTTP.
  EXPECT_THROW(reload({.tlsCert = "/none.pem", .tlsKey = "/none.pem"}), Error);
  EXPECT_EQ(infer(rgbImage(4, 4)).status, 200U);
  EXPECT_EQ(gate_.entered(), 1);
}

TEST_F(ReloadTest, TheNextConnectionGetsTheNewCertificateAndMeetsTheNewAuthorities) {
  const elf::testing::Certificates certificates;
  if (!certificates.made()) GTEST_SKIP() << "openssl is not there to make certificates";
  ServerOptions options{.tlsCert = certificates.elsewhere(), .tlsKey = certificates.elsewhere()};
  start(options);
  const auto statusWith = [&](const std::string& certificate) {
    return statusOf("/v2/health/live", {.ca = certificates.ca(), .certificate = certificate});
  };
  EXPECT_EQ(statusWith(""), 0U);
  options.tlsCert = options.tlsKey = certificates.server();
  reload(options);
  EXPECT_EQ(statusWith(""), 200U);
  options.clientCa = certificates.stranger();
  reload(options);
  EXPECT_EQ(statusWith(""), 0U);
  EXPECT_EQ(statusWith(certificates.client()), 0U);
  EXPECT_EQ(statusWith(certificates.strangeClient()), 200U);
  options.tlsKey = certificates.client();
  EXPECT_THROW(reload(options), Error);
  EXPECT_EQ(statusWith(certificates.strangeClient()), 200U);
  options.tlsKey = options.tlsCert;
  options.clientCa.clear();
  reload(options);
  EXPECT_EQ(statusWith(""), 200U);
}

TEST_F(ReloadTest, CountsGoOn) {
  start();
  EXPECT_EQ(infer(rgbImage(4, 4)).status, 200U);
  gate_.close();
  newGate_.close();
  // One runs and one waits, before the reload and after it.
  auto oldRunning = inferAside(requestOf(rgbImage(4, 4)));
  gate_.awaitEntered(2);
  g_object_unref(enqueue(requestOf(rgbImage(4, 4))));
  GSocketConnection* oldWaiting = enqueue(requestOf(rgbImage(4, 4)), "Connection: close\r\n");
  reload();
  auto newRunning = inferAside(requestOf(rgbImage(4, 4)));
  newGate_.awaitEntered(1);
  GSocketConnection* newWaiting = enqueue(requestOf(rgbImage(4, 4)), "Connection: close\r\n");
  const auto metrics = [&] { return request("GET", url("/metrics")).text(); };
  EXPECT_THAT(metrics(), HasSubstr("elf_requests_waiting{model=\"fake\"} 3\n"));
  gate_.open();
  newGate_.open();
  for (auto* running : {&oldRunning, &newRunning}) EXPECT_EQ(running->get().status, 200U);
  for (GSocketConnection* waiting : {oldWaiting, newWaiting})
    EXPECT_THAT(readToEnd(waiting), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(metrics(), HasSubstr("elf_requests_waiting{model=\"fake\"} 0\n"));
  EXPECT_THAT(metrics(), HasSubstr("elf_requests_total{code=\"200\",model=\"fake\"} 5\n"));
  const auto stats = nlohmann::json::parse(request("GET", url("/v2/models/fake/stats")).text());
  EXPECT_EQ(stats["model_stats"][0]["inference_stats"]["success"]["count"], 5);
  EXPECT_EQ(stats["model_stats"][0]["execution_count"], 5);
}

TEST_F(ReloadTest, StopGivesUpOnAnOldModelThatTakesTooLong) {
  start();
  gate_.close();
  auto running = inferAside(requestOf(rgbImage(4, 4)));
  gate_.awaitEntered(1);
  reload();
  EXPECT_FALSE(server_->stop(std::chrono::milliseconds(1)));
  EXPECT_NE(running.get().status, 200U);
}

TEST_F(ServerTest, ItsHeartBeatsInTheThreadThatServesAll) {
  std::promise<std::string> thread;
  start({.heartbeatInterval = std::chrono::milliseconds(1), .heartbeat = [&, beats = 0]() mutable {
           if (++beats != 2) return;
           char name[16] = {};
           pthread_getname_np(pthread_self(), name, sizeof name);
           thread.set_value(name);
         }});
  EXPECT_EQ(thread.get_future().get(), "elf-server-net");
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
