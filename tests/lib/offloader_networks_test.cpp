// SPDX-License-Identifier: LGPL-2.1-or-later
// Servers of others that run a network as its exporter made it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "elf/offload/offloader.h"
#include "elf/servers/remote_network.h"
#include "elf/wire/metadata.h"
#include "tests/support/fake_transport.h"
#include "tests/support/json_length.h"
#include "tests/support/near.h"

namespace elf {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::expectNear;
using testing::FakeTransport;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kA = "http://10.0.0.1:1", kB = "http://10.0.0.2:2";
constexpr Size kFrame{400, 300}, kPart{100, 50};
const std::string kTriton = R"({"name":"triton","extensions":["binary_tensor_data"]})";
const std::string kMlServer = R"({"name":"mlserver","extensions":[]})";
const std::string kKServe = R"({"name":"kserve","extensions":["model_repository_extension"]})";

HttpReply text(int status, const std::string& body) {
  return {.status = status, .body = {body.begin(), body.end()}};
}

std::string described(const std::string& type = "FP32", const std::string& shape = "[-1,3,64,64]",
                      const std::string& more = "") {
  return R"({"name":"net","platform":"onnxruntime_onnx","inputs":[{"name":"images","datatype":")" +
         type + R"(","shape":)" + shape +
         R"(}],"outputs":[{"name":"output0","datatype":"FP32","shape":[-1,6,84]})" + more + "]}";
}

class OffloaderNetworksTest : public ::testing::Test, public OffloadListener {
 protected:
  void open(const ModelFile& network, std::vector<std::string> servers = {kA}) {
    // Probes of what a network costs are as others.
    for (const std::string& url : servers) pool_.server(url, "net", 0)->endProbe(true);
    offloader_ = std::make_unique<Offloader>(OffloadSettings{.servers = std::move(servers),
                                                             .model = "net",
                                                             .localRules = network.rules,
                                                             .tensors = network.tensors,
                                                             .network = network,
                                                             .hedging = 0},
                                             pool_, transport_.client, *this);
    offloader_->start();
  }
  /** Answers the questions about the model and the server, and moves on to what comes next. */
  void tell(const std::string& url, const std::string& model, const std::string& server) {
    transport_.reply(transport_.to(url + "/v2/models/net").at(0), text(200, model));
    const auto question = transport_.to(url + "/v2");
    if (!question.empty()) transport_.reply(question.at(0), text(200, server));
    transport_.advance({});
  }
  void openReady(const std::string& model = described(), const std::string& server = kTriton) {
    open(remoteModel("net"));
    tell(kA, model, server);
    reply(infer(kA));
    ASSERT_TRUE(offloader_->ready());
  }

  /** The only inference request under way to a server. */
  Transport::Handle infer(const std::string& url) const {
    const auto all = transport_.to(url + "/v2/models/net/infer");
    EXPECT_EQ(all.size(), 1U);
    return all.empty() ? 0 : all[0];
  }
  wire::InferRequest requestOf(Transport::Handle handle) const {
    const HttpRequest& request = transport_.requests.at(handle).request;
    return wire::parseRequest(joined(request.body), testing::jsonLengthOf(request)).value();
  }
  /** What a network says that finds one object in the middle of its canvas of 64x64, half as wide
   * and half as high. */
  static wire::Tensor middle(const std::string& name = "output0") {
    constexpr std::size_t kCells = 84;
    std::vector<float> values(6 * kCells);
    for (std::size_t row = 0; row < 4; ++row) values[row * kCells] = 32;
    values[5 * kCells] = 0.875F;
    wire::Tensor tensor{.name = name, .shape = {1, 6, kCells}};
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(values.data());
    tensor.data.assign(bytes, bytes + values.size() * sizeof(float));
    return tensor;
  }
  void reply(Transport::Handle handle, std::vector<wire::Tensor> outputs = {middle()},
             bool binary = true) {
    wire::InferResponse response{.model = "net", .id = requestOf(handle).id};
    response.outputs = std::move(outputs);
    for (wire::Tensor& output : response.outputs) output.binary = binary;
    const wire::Message message = wire::encode(response);
    transport_.reply(handle, {.status = 200,
                              .body = message.body,
                              .jsonLength = message.jsonLength ? std::to_string(*message.jsonLength)
                                                               : std::string()});
  }

  /** A part for a server, made as that one is known to take it. */
  void sendPart(int server) {
    const ServerState state = offloader_->capacity().servers.at(static_cast<std::size_t>(server));
    Part part{.rect = {0, 0, kPart.width, kPart.height}, .server = server};
    const auto ticket = offloader_->begin(5, 2, kFrame, {&part, 1}, transport_.now() + 1s,
                                          [this](std::vector<PartAnswer> answers) {
                                            answers_ = std::move(answers);
                                            ++calls_;
                                          });
    const std::vector<std::uint8_t> rgb(static_cast<std::size_t>(kPart.area()) * 3, 100);
    if (state.network)
      offloader_->send(ticket, 0, state.network->prepare(rgb, kPart), kPart, state.network);
    else
      offloader_->send(ticket, 0, wire::encodedImage(std::vector<std::uint8_t>(100, 7)));
  }

  void onReady() override { ++ready_; }
  void onCostSample(const CostSample& sample) override { sample_ = sample; }
  void onProbeFailed(const std::string& why) override { ADD_FAILURE() << why; }
  void onServerDown(const ServerDown& down) override { lost_.push_back(down.why); }
  void onServerUp(const std::string& url) override { back_.push_back(url); }
  void onPartsFail(const std::string& why) override { failing_.push_back(why); }
  void onServerSilent(const std::string&, std::chrono::seconds) override { ADD_FAILURE(); }
  void onServersIgnored(const std::string&) override { ADD_FAILURE(); }
  void onModelMissing(const std::string& what, const std::string&) override {
    ADD_FAILURE() << what;
  }

  FakeTransport transport_;
  ServerPool pool_;
  std::unique_ptr<Offloader> offloader_;
  std::vector<PartAnswer> answers_;
  int calls_ = 0, ready_ = 0;
  std::optional<CostSample> sample_;
  std::vector<std::string> lost_, back_, failing_;
};

TEST_F(OffloaderNetworksTest, AreTriedBeforeTheyGetParts) {
  open(remoteModel("net"));
  tell(kA, described(), kTriton);
  EXPECT_FALSE(offloader_->ready());
  sendPart(0);
  EXPECT_EQ(calls_, 1);
  EXPECT_EQ(answers_[0].attempts, 0);
  const auto trial = infer(kA);
  const wire::InferRequest request = requestOf(trial);
  EXPECT_EQ(request.id, "probe.trial");
  EXPECT_EQ(request.inputs.at(0).name, "images");
  EXPECT_EQ(request.inputs.at(0).shape, (std::vector<std::int64_t>{1, 3, 64, 64}));
  EXPECT_TRUE(request.outputs.empty()) << "nobody knows yet which are needed";
  reply(trial);
  EXPECT_EQ(ready_, 1);
  const Capacity capacity = offloader_->capacity();
  ASSERT_TRUE(capacity.servers[0].network);
  EXPECT_EQ(capacity.servers[0].network->file().decoder, OutputDecoder::Yolov8);
  EXPECT_EQ(capacity.rules.fixedSize, (Size{64, 64}));
  EXPECT_EQ(capacity.servers[0].bytesPerPixel, 12);
}

TEST_F(OffloaderNetworksTest, GetTheirOwnTensorAndSayWhatIsInThePart) {
  openReady();
  sendPart(0);
  const auto part = infer(kA);
  const wire::InferRequest request = requestOf(part);
  ASSERT_EQ(request.inputs.size(), 1U);
  EXPECT_TRUE(request.inputs[0].binary);
  ASSERT_EQ(request.outputs.size(), 1U);
  EXPECT_EQ(request.outputs[0].name, "output0");
  EXPECT_TRUE(request.outputs[0].binary);
  EXPECT_EQ(transport_.requests.at(part).request.longestReply, kLongestRawReply);
  reply(part);
  ASSERT_EQ(calls_, 1);
  ASSERT_EQ(answers_[0].state, AnswerState::Answered) << answers_[0].error;
  ASSERT_EQ(answers_[0].detections.size(), 1U);
  // The part's 100x50 are 64x32 of the canvas.
  expectNear(answers_[0].detections[0].box, {25, 0, 75, 50}, 1e-4);
  EXPECT_EQ(answers_[0].detections[0].label, "");
}

TEST_F(OffloaderNetworksTest, BytesAreThoseOfTheTensor) {
  openReady();
  constexpr std::size_t kBytes = 3 * 64 * 64 * 4;
  sendPart(0);
  EXPECT_EQ(offloader_->stats().bytesSent, kBytes);
  reply(infer(kA));
  EXPECT_EQ(answers_.at(0).bytesSent, kBytes);
  EXPECT_EQ(sample_->bytes, kBytes);
  const Capacity capacity = offloader_->capacity();
  EXPECT_EQ(capacity.servers[0].bytes(kPart.area(), capacity.rules.inputSize(kPart).area()), kBytes)
      << "known before it is made, and whatever the part";
  openReady(described("FP16"));
  EXPECT_EQ(offloader_->capacity().servers[0].bytesPerPixel, 6);
  sendPart(0);
  EXPECT_EQ(offloader_->stats().bytesSent, kBytes / 2);
}

TEST_F(OffloaderNetworksTest, MayTakeBinaryTensorsWithoutListingThem) {
  openReady(described(), kKServe);
  sendPart(0);
  EXPECT_TRUE(requestOf(infer(kA)).inputs.at(0).binary);
  // The answer may be JSON all the same.
  reply(infer(kA), {middle()}, false);
  EXPECT_EQ(answers_.at(0).detections.size(), 1U) << answers_[0].error;
}

TEST_F(OffloaderNetworksTest, GetJsonWhereTheyRefuseBinaryTensors) {
  open(remoteModel("net"));
  tell(kA, described(), kKServe);
  transport_.reply(infer(kA), text(400, "no UTF-8"));
  transport_.advance({});
  EXPECT_TRUE(lost_.empty());
  EXPECT_FALSE(requestOf(infer(kA)).inputs.at(0).binary);
  reply(infer(kA), {middle()}, false);
  EXPECT_EQ(ready_, 1);
}

TEST_F(OffloaderNetworksTest, GetJsonWhereTheyListNoBinaryTensors) {
  open(remoteModel("net"));
  tell(kA, described(), kMlServer);
  const auto again = infer(kA);
  EXPECT_EQ(transport_.requests.at(again).request.contentType, "application/json");
  EXPECT_FALSE(requestOf(again).inputs.at(0).binary);
  reply(again, {middle()}, false);
  EXPECT_EQ(ready_, 1);
  EXPECT_GT(offloader_->capacity().servers[0].bytesPerPixel, 12) << "numbers as text are longer";
  sendPart(0);
  const auto part = infer(kA);
  EXPECT_FALSE(requestOf(part).inputs.at(0).binary);
  const std::size_t body = sizeOf(transport_.requests.at(part).request.body);
  EXPECT_LT(offloader_->stats().bytesSent, body);
  EXPECT_GT(offloader_->stats().bytesSent, body - 300) << "all but the rest of the JSON";
  reply(part, {middle()}, false);
  EXPECT_EQ(sample_->bytes, offloader_->stats().bytesSent);
  EXPECT_EQ(answers_.at(0).detections.size(), 1U) << answers_[0].error;
}

TEST_F(OffloaderNetworksTest, ARefusalIsALossWhereThereIsNoOtherForm) {
  open(remoteModel("net"));
  tell(kA, described(), kTriton);
  transport_.reply(infer(kA), text(400, R"({"error":"unexpected shape"})"));
  EXPECT_THAT(lost_, ElementsAre(kA + R"(: HTTP status 400, {"error":"unexpected shape"})"));
  // It is tried again when it is asked again.
  transport_.advance(ServerSet::kFirstPause);
  transport_.reply(transport_.to("/v2/health/ready").at(0), text(200, ""));
  tell(kA, described(), kTriton);
  reply(infer(kA));
  EXPECT_TRUE(offloader_->capacity().servers[0].healthy);
  sendPart(0);
  reply(infer(kA));
  EXPECT_THAT(back_, ElementsAre(kA));
}

TEST_F(OffloaderNetworksTest, OutputsThatNobodyReadsAreALossWithASentence) {
  open(remoteModel("net"));
  tell(kA, described(), kTriton);
  wire::Tensor odd = middle();
  odd.shape = {504};
  reply(infer(kA), {odd});
  ASSERT_EQ(lost_.size(), 1U);
  EXPECT_THAT(lost_[0], StartsWith(kA + ": its outputs, output0 504"));
  EXPECT_THAT(lost_[0], HasSubstr("are of no layout that is known"));
  EXPECT_EQ(ready_, 1);
}

TEST_F(OffloaderNetworksTest, AFileThatDisagreesIsALossWithASentence) {
  ModelFile said = remoteModel("net");
  said.rules.fixedSize = {640, 640};
  open(said);
  tell(kA, described(), kTriton);
  EXPECT_THAT(lost_, ElementsAre(kA + ": its input images FP32 [-1,3,64,64]: is not of the .model "
                                      "file's [input] size 640;640"));
}

TEST_F(OffloaderNetworksTest, ADatatypeThatNobodyKnowsIsALossWithASentence) {
  open(remoteModel("net"));
  tell(kA, described("FP31"), kTriton);
  EXPECT_THAT(lost_, ElementsAre(kA + ": inputs[0].datatype: 'FP31' is unknown"));
}

TEST_F(OffloaderNetworksTest, WhoseMetadataAreEmptyAreWhatTheFileSays) {
  const ModelFile said = parseModelFile(
      "[model]\nbackend=remote\nlabels=a;b\n[input]\nsize=64;64\n[output]\ndecoder=yolov8\n"
      "[tensors]\nimage=x\nlayout=NHWC\ndatatype=FP16\n",
      "net", "net.model");
  open(said);
  sendPart(0);
  EXPECT_EQ(answers_.at(0).attempts, 0) << "it does not take a picture, whatever else it takes";
  tell(kA, R"({"name":"net","versions":null,"inputs":[],"outputs":[]})", kKServe);
  const wire::Tensor input = requestOf(infer(kA)).inputs.at(0);
  EXPECT_EQ(input.name, "x");
  EXPECT_EQ(input.type, wire::DataType::Fp16);
  EXPECT_EQ(input.shape, (std::vector<std::int64_t>{1, 64, 64, 3}));
  reply(infer(kA));
  sendPart(0);
  reply(infer(kA));
  EXPECT_EQ(answers_.at(0).detections.at(0).label, "b");
}

TEST_F(OffloaderNetworksTest, AnElfServerBesideThemGetsPictures) {
  open(parseModelFile("[model]\nbackend=remote\n[output]\ndecoder=yolov8\n", "net", "net.model"),
       {kA, kB});
  wire::ModelMetadata elf{.name = "net"};
  elf.rules.emplace().fixedSize = {64, 64};
  transport_.reply(transport_.to(kB + "/v2/models/net").at(0),
                   text(200, wire::encodeMetadata(elf)));
  tell(kA, described(), kTriton);
  reply(infer(kA));
  EXPECT_EQ(ready_, 1);
  EXPECT_TRUE(offloader_->capacity().servers[0].network);
  EXPECT_FALSE(offloader_->capacity().servers[1].network);
  sendPart(1);
  EXPECT_EQ(requestOf(infer(kB)).inputs.at(0).type, wire::DataType::Bytes);
  // Nor does a part go elsewhere that was made for the other kind.
  transport_.reply(infer(kB), text(500, "oops"));
  EXPECT_TRUE(transport_.to(kA + "/v2/models/net/infer").empty());
  EXPECT_EQ(answers_.at(0).state, AnswerState::Failed);
  sendPart(0);
  transport_.reply(infer(kA), text(500, "oops"));
  EXPECT_TRUE(transport_.to(kB + "/v2/models/net/infer").empty());
  EXPECT_EQ(answers_.at(0).error, kA + ": HTTP status 500, oops");
}

TEST_F(OffloaderNetworksTest, APartGoesToAnotherServerThatTakesTheSameTensor) {
  open(remoteModel("net"), {kA, kB});
  for (const std::string& url : {kA, kB}) {
    tell(url, described(), kTriton);
    reply(infer(url));
  }
  sendPart(0);
  transport_.reply(infer(kA), text(500, "oops"));
  reply(infer(kB));
  EXPECT_EQ(answers_.at(0).state, AnswerState::Answered);
  EXPECT_EQ(answers_[0].server, 1);
}

TEST_F(OffloaderNetworksTest, AnAnswerOfAnotherShapeIsAnErrorOfThePart) {
  openReady();
  for (int i = 0; i < 3; ++i) {
    sendPart(0);
    wire::Tensor odd = middle();
    odd.shape = {1, 84, 6};
    reply(infer(kA), {odd});
    EXPECT_EQ(answers_.at(0).error,
              kA + ": net: the network's output, output0 1x84x6, is not what [output] decoder "
                   "expects");
  }
  sendPart(0);
  EXPECT_EQ(lost_.size(), 1U);
}

TEST_F(OffloaderNetworksTest, CostsAreLearnedOfPicturesThatShowNothing) {
  offloader_ = std::make_unique<Offloader>(
      OffloadSettings{
          .servers = {kA}, .model = "net", .localRules = {}, .network = remoteModel("net")},
      pool_, transport_.client, *this);
  offloader_->start();
  tell(kA, described("FP32", "[-1,3,-1,-1]"), kTriton);
  const auto columnsOf = [](const wire::Tensor& picture) {
    const std::int64_t height = picture.shape[2], width = picture.shape[3];
    wire::Tensor tensor{.name = "output0"};
    tensor.shape = {1, 6, width * height / 64 + width * height / 256 + width * height / 1024};
    tensor.data.resize(static_cast<std::size_t>(6 * tensor.shape[2]) * sizeof(float));
    return tensor;
  };
  EXPECT_EQ(requestOf(infer(kA)).id, "probe.trial");
  std::vector<std::int64_t> widths;
  while (!offloader_->ready()) {
    const auto handle = infer(kA);
    const wire::Tensor picture = requestOf(handle).inputs.at(0);
    widths.push_back(picture.shape[3]);
    transport_.advance(5ms);
    reply(handle, {columnsOf(picture)});
  }
  EXPECT_THAT(widths, ElementsAre(320, 64, 64, 192, 64, 192));
  EXPECT_EQ(sample_->bytes, 192U * 192 * 12);
  EXPECT_EQ(offloader_->capacity().servers[0].answers, 4U);
}

}  // namespace
}  // namespace elf
