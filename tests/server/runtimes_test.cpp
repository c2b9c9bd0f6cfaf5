// SPDX-License-Identifier: LGPL-2.1-or-later
// Networks of every layout as their exporters write them, by the name of the file alone, in each
// runtime that is built in; and what the runtimes say of files that they cannot run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "elf/base/error.h"
#include "elf/runtime/session.h"
#include "elf/server/inference_model.h"
#include "tests/support/folder.h"
#include "tests/support/made_network.h"
#include "tests/support/near.h"
#include "tests/support/pictures.h"
#include "tests/support/process.h"

namespace elf {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::expectNear;
using ::testing::HasSubstr;
using testing::MadeInput;
using testing::MadeNetwork;
using testing::MadeOutput;
using ::testing::Not;
using testing::OnnxType;
using testing::run;
using testing::sharedFile;

constexpr int kCells = 84;  // of a canvas of 64 x 64

using Values = std::vector<float>;

/** Rows of numbers, and rows of nothing up to `count`. */
MadeOutput rows(const std::string& name, int count, const std::vector<Values>& set,
                std::size_t columns = 0) {
  if (columns == 0) columns = set.front().size();
  MadeOutput output{name, {1, count, static_cast<int>(columns)}, {}};
  output.values.resize(static_cast<std::size_t>(count) * columns);
  auto at = output.values.begin();
  for (const Values& row : set) at = std::ranges::copy(row, at).out;
  return output;
}

/** The same, each row of `set` standing as a column: at 7, 8 and so on. */
MadeOutput columns(const std::string& name, int count, const std::vector<Values>& set) {
  const std::size_t height = set.front().size(), width = static_cast<std::size_t>(count);
  MadeOutput output{name, {1, static_cast<int>(height), count}, Values(height * width)};
  for (std::size_t i = 0; i < set.size(); ++i)
    for (std::size_t row = 0; row < height; ++row) output.values[row * width + 7 + i] = set[i][row];
  return output;
}

/** One prototype that is 1 on the left half of the canvas and -1 on the right, and one that is 9.
 */
MadeOutput prototypes() {
  MadeOutput output{"output1", {1, 2, 16, 16}, Values(std::size_t{2 * 16 * 16}, 9)};
  for (std::size_t i = 0; i < 256; ++i) output.values[i] = i % 16 < 8 ? 1 : -1;
  return output;
}

/** What Ultralytics notes in its files. */
std::map<std::string, std::string> notes(const std::string& task, const std::string& head,
                                         std::map<std::string, std::string> more = {}) {
  more.merge(std::map<std::string, std::string>{
      {"task", task},
      {"head", head},
      {"stride", "32"},
      {"imgsz", "[64, 64]"},
      {"names", R"({0: 'cat', 1: "driver's seat", 2: 'a: b'})"}});
  return more;
}

const Values kCat{32, 32, 32, 16};     // centre and size: 16, 24, 48, 40
const Values kCatBox{16, 24, 48, 40};  // corners
const Values kSeat{16, 40, 16, 16};    // 8, 32, 24, 48
const Values kSeatBox{8, 32, 24, 48};  // its corners

Values joined(std::initializer_list<Values> lists) {
  Values all;
  for (const Values& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

Values in64ths(Values values) {
  for (float& value : values) value /= 64;
  return values;
}

float logit(float probability) {
  return std::log(probability / (1 - probability));
}

struct Found {
  Box box;
  float score;
  const char* label;
  std::vector<Keypoint> joints = {};
};

const std::vector<Found> kUsual{{{16, 24, 48, 40}, 0.75F, "cat"},
                                {{8, 32, 24, 48}, 0.5F, "driver's seat"}};
/** Of a file that has no names. */
const std::vector<Found> kNumbered{{{16, 24, 48, 40}, 0.75F, "0"}, {{8, 32, 24, 48}, 0.5F, "1"}};

struct Case {
  const char* name;
  OutputDecoder decoder;
  Fit fit;
  MadeNetwork network;
  /** In pixels of the canvas, the strongest first. */
  std::vector<Found> found = kUsual;
  /** Whether OpenCV runs it, and can tell what it is. */
  bool opencv = true;
};

const std::vector<Keypoint> kJoints{{24, 26, 0.75F}, {40, 38, 0}};
const Values kJointValues{24, 26, 0.75F, 40, 38, 0};

/** RT-DETR by its authors' tools, D-FINE and DEIM. */
MadeNetwork deployed(std::vector<std::string> order) {
  MadeNetwork network{.inputs = {{}, {"orig_target_sizes", OnnxType::Int64, {1, 2}}}};
  for (const std::string& name : order) {
    if (name == "labels") network.outputs.push_back({name, {1, 3}, {0, 1, 1}, OnnxType::Int64});
    if (name == "scores") network.outputs.push_back({name, {1, 3}, {0.75F, 0.5F, 0.125F}});
    if (name == "boxes")
      network.outputs.push_back(
          {name, {1, 3, 4}, in64ths(joined({kCatBox, kSeatBox, kCatBox})), OnnxType::Float, true});
  }
  return network;
}

MadeNetwork torchvision(const std::vector<std::string>& order, bool masks = false) {
  MadeNetwork network{.inputs = {{"image.1", OnnxType::Float, {3, 64, 64}}}};
  for (const std::string& name : order) {
    if (name == "boxes") network.outputs.push_back({"20", {2, 4}, joined({kCatBox, kSeatBox})});
    if (name == "scores") network.outputs.push_back({"21", {2}, {0.75F, 0.5F}});
    if (name == "labels") network.outputs.push_back({"22", {2}, {0, 1}, OnnxType::Int64});
  }
  if (masks) {
    MadeOutput output{"23", {2, 1, 64, 64}, Values(std::size_t{2 * 64 * 64})};
    for (std::size_t i = 0; i < output.values.size(); ++i) output.values[i] = i % 64 < 32;
    network.outputs.push_back(std::move(output));
  }
  return network;
}

MadeNetwork rfDetr(bool masks) {
  MadeNetwork network;
  network.inputs[0].name = "input";
  network.outputs = {
      rows("dets", 3, {in64ths(kCat), in64ths(kSeat), in64ths(kCat)}),
      rows("labels", 3, {{logit(0.75F), -9, -9, -9}, {-9, logit(0.5F), -9, -9}, {-9, -9, -9, -9}})};
  if (masks) {
    MadeOutput output{"masks", {1, 3, 16, 16}, Values(std::size_t{3 * 256})};
    for (std::size_t i = 0; i < output.values.size(); ++i) output.values[i] = i % 16 < 8 ? 4 : -4;
    network.outputs.push_back(std::move(output));
  }
  return network;
}

MadeNetwork mmDeploy(int maskSide) {
  MadeNetwork network;
  network.outputs = {{"dets", {1, 2, 5}, joined({kCatBox, {0.75F}, kSeatBox, {0.5F}})},
                     {"labels", {1, 2}, {0, 1}, OnnxType::Int64}};
  if (maskSide > 0) {
    const int side = maskSide;
    MadeOutput output{"masks", {1, 2, side, side}, {}};
    for (int i = 0; i < 2 * side * side; ++i) output.values.push_back(i % side < side / 2);
    network.outputs.push_back(std::move(output));
  }
  return network;
}

MadeNetwork yunet() {
  MadeNetwork network;
  for (const int stride : {8, 16, 32}) {
    const int cells = 64 * 64 / (stride * stride);
    const std::string end = "_" + std::to_string(stride);
    MadeOutput cls = rows("cls" + end, cells, {}, 1), obj = rows("obj" + end, cells, {}, 1);
    MadeOutput bbox = rows("bbox" + end, cells, {}, 4), kps = rows("kps" + end, cells, {}, 10);
    if (stride == 16) {  // the cell at 32, 32
      cls.values[10] = 0.75F;
      obj.values[10] = 0.75F;
      bbox.values[10 * 4 + 2] = std::log(2.0F);
    }
    for (MadeOutput& output : {std::ref(cls), std::ref(obj), std::ref(bbox), std::ref(kps)})
      network.outputs.push_back(std::move(output));
  }
  return network;
}

const float kQuarter = std::numbers::pi_v<float> / 2;

std::vector<Case> cases() {
  const Values cat = joined({kCat, {0.75F, 0.125F, 0}}), seat = joined({kSeat, {0, 0.5F, 0}});
  const Values catRow = joined({kCatBox, {0.75F, 0}}), seatRow = joined({kSeatBox, {0.5F, 1}});
  const Values nothing(6);
  std::vector<Case> all{
      {"yolov8",
       OutputDecoder::Yolov8,
       Fit::Centre,
       {.outputs = {columns("output0", kCells, {cat, seat})},
        .metadata = notes("detect", "Detect")}},
      {"yolov8 without notes",
       OutputDecoder::Yolov8,
       Fit::Centre,
       {.outputs = {columns("output0", kCells, {cat, seat})}},
       kNumbered},
      {"end2end",
       OutputDecoder::EndToEnd,
       Fit::Centre,
       {.outputs = {rows("output0", 30, {catRow, seatRow})},
        .metadata = notes("detect", "Detect", {{"end2end", "True"}})}},
      {"end2end without notes",
       OutputDecoder::EndToEnd,
       Fit::Centre,
       {.outputs = {rows("output0", 30, {catRow, seatRow})}},
       kNumbered},
      {"suppression built in",
       OutputDecoder::EndToEnd,
       Fit::Centre,
       {.outputs = {rows("output0", 30, {catRow, seatRow, nothing})},
        .metadata = notes("detect", "Detect", {{"end2end", "False"}, {"args", "{'nms': True}"}})}},
      {"seg",
       OutputDecoder::Yolov8Seg,
       Fit::Centre,
       {.outputs = {columns("output0", kCells, {joined({cat, {1, 0}}), joined({seat, {1, 0}})}),
                    prototypes()},
        .metadata = notes("segment", "Segment")}},
      {"end2end seg",
       OutputDecoder::EndToEndSeg,
       Fit::Centre,
       {.outputs = {rows("output0", 30, {joined({catRow, {1, 0}}), joined({seatRow, {1, 0}})}),
                    prototypes()},
        .metadata = notes("segment", "Segment26")}},
      {"pose",
       OutputDecoder::Yolov8Pose,
       Fit::Centre,
       {.outputs = {columns("output0", kCells, {joined({kCat, {0.75F}, kJointValues})})},
        .metadata = notes("pose", "Pose", {{"kpt_shape", "[2, 3]"}, {"names", "{0: 'person'}"}})},
       {{{16, 24, 48, 40}, 0.75F, "person", kJoints}}},
      {"end2end pose",
       OutputDecoder::EndToEndPose,
       Fit::Centre,
       {.outputs = {rows("output0", 30, {joined({catRow, kJointValues})})},
        .metadata = notes("pose", "Pose26", {{"kpt_shape", "[2, 3]"}, {"names", "{0: 'person'}"}})},
       {{{16, 24, 48, 40}, 0.75F, "person", kJoints}}},
      {"obb",
       OutputDecoder::Yolov8Obb,
       Fit::Centre,
       {.outputs = {columns("output0", kCells,
                            {joined({{32, 32, 16, 32}, {0.75F, 0, 0, kQuarter}}),
                             joined({kSeat, {0, 0.5F, 0, 0}})})},
        .metadata = notes("obb", "OBB")}},
      {"end2end obb",
       OutputDecoder::EndToEndObb,
       Fit::Centre,
       {.outputs = {rows("output0", 30,
                         {{32, 32, 16, 32, 0.75F, 0, kQuarter}, joined({kSeat, {0.5F, 1, 0}})})},
        .metadata = notes("obb", "OBB26")}},
      {"yolov5",
       OutputDecoder::Yolov5,
       Fit::Centre,
       {.outputs = {rows("output0", 3 * kCells,
                         {joined({kCat, {1, 0.75F, 0, 0}}), joined({kSeat, {0.5F, 0, 1, 0}})})},
        .metadata = {{"stride", "32"}, {"names", "{0: 'cat', 1: \"driver's seat\", 2: 'c'}"}}}},
      {"rtdetr of ultralytics",
       OutputDecoder::RtDetrRows,
       Fit::Stretch,
       {.outputs = {rows(
            "output0", 30,
            {joined({in64ths(kCat), {0.75F, 0}}), joined({in64ths(kSeat), {0.5F, 1}}), nothing})},
        .metadata = notes("detect", "RTDETRDecoder", {{"end2end", "False"}})}},
      {"rtdetr of ultralytics without notes",
       OutputDecoder::RtDetrRows,
       Fit::Stretch,
       {.outputs = {rows(
            "output0", 30,
            {joined({in64ths(kCat), {0.75F, 0}}), joined({in64ths(kSeat), {0.5F, 1}}), nothing})}},
       kNumbered},
      {"old rtdetr of ultralytics",
       OutputDecoder::RtDetrRows,
       Fit::Stretch,
       {.outputs = {rows(
            "output0", 30,
            {joined({in64ths(kCat), {0.75F, 0, 0}}), joined({in64ths(kSeat), {0, 0.5F, 0}})})},
        .metadata = {{"task", "detect"},
                     {"description", "Ultralytics RTDETR-l model"},
                     {"names", "{0: 'cat', 1: \"driver's seat\", 2: 'c'}"}}}},
      {"transformers",
       OutputDecoder::RtDetrLogits,
       Fit::Stretch,
       {.outputs = {rows("logits", 3,
                         {{logit(0.75F), -9, -9}, {-9, logit(0.5F), -9}, {-9, -9, -9}}),
                    rows("pred_boxes", 3, {in64ths(kCat), in64ths(kSeat), in64ths(kCat)})}},
       kNumbered},
      {"rfdetr", OutputDecoder::RfDetr, Fit::Stretch, rfDetr(false), kNumbered},
      {"rfdetr seg", OutputDecoder::RfDetr, Fit::Stretch, rfDetr(true), kNumbered},
      {"rtdetr of its authors", OutputDecoder::RtDetr, Fit::Stretch,
       deployed({"labels", "boxes", "scores"}), kNumbered},
      {"rtdetr in another order", OutputDecoder::RtDetr, Fit::Stretch,
       deployed({"scores", "boxes", "labels"}), kNumbered},
      {"torchvision", OutputDecoder::Objects, Fit::Corner,
       torchvision({"boxes", "labels", "scores"}), kNumbered, false},
      {"torchvision in another order", OutputDecoder::Objects, Fit::Corner,
       torchvision({"boxes", "scores", "labels"}), kNumbered, false},
      {"torchvision masks", OutputDecoder::Objects, Fit::Corner,
       torchvision({"boxes", "labels", "scores"}, true), kNumbered, false},
      {"mmdeploy", OutputDecoder::MmDeploy, Fit::Corner, mmDeploy(0), kNumbered},
      {"mmdeploy masks of pictures", OutputDecoder::MmDeploy, Fit::Corner, mmDeploy(64), kNumbered},
      {"yunet", OutputDecoder::YuNet, Fit::Corner, yunet(), {{{16, 24, 48, 40}, 0.75F, "0"}}},
  };

  // YOLOX, of the cells of stride 16: at 32, 32 and at 16, 32.
  std::vector<Values> raw(kCells, Values(7)), decoded(kCells, Values{1, 1, 8, 8, 0, 0, 0});
  raw[64 + 10] = {0, 0, std::log(2.0F), 0, 1, 0.75F, 0};
  raw[64 + 9] = {0, 0.5F, 0, 0, 1, 0, 0.5F};
  decoded[64 + 10] = joined({kCat, {1, 0.75F, 0}});
  decoded[64 + 9] = joined({kSeat, {1, 0, 0.5F}});
  decoded[63] = {60, 60, 8, 8, 0, 0, 0};
  all.push_back({"yolox",
                 OutputDecoder::Yolox,
                 Fit::Corner,
                 {.outputs = {rows("output", kCells, raw)}},
                 kNumbered});
  all.push_back({"yolox decoded",
                 OutputDecoder::YoloxDecoded,
                 Fit::Corner,
                 {.outputs = {rows("output", kCells, decoded)}},
                 kNumbered});

  // Without names: what layers in between say follows.
  MadeNetwork unnamed;
  unnamed.outputs = {rows("2638", 3, {{logit(0.75F), -9, -9}, {-9, logit(0.5F), -9}, {-9, -9, -9}}),
                     rows("2639", 3, {in64ths(kCat), in64ths(kSeat), in64ths(kCat)}),
                     rows("onnx::MatMul_2591", 3, {}, 16),
                     {"onnx::Gather_2637", {1, 2, 3, 3}, Values(18)},
                     {"onnx::Gather_2632", {1, 2, 3, 4}, Values(24)},
                     {"input.400", {1, 16, 8, 8}, Values(std::size_t{16 * 64})},
                     rows("reference_points_unact", 3, {}, 4),
                     rows("1903", 3, {}, 3),
                     rows("1883", 3, {}, 4)};
  all.push_back({"transformers without names", OutputDecoder::RtDetrLogits, Fit::Stretch, unnamed,
                 kNumbered});

  // FastestDet: 4 x 4 cells, of which that at 32, 32 is sure.
  MadeOutput maps{"758", {1, 7, 4, 4}, Values(std::size_t{7 * 16})};
  const auto at = [&maps](std::size_t channel) -> float& { return maps.values[channel * 16 + 10]; };
  at(0) = 1;
  at(3) = logit(0.5F);
  at(4) = logit(0.25F);
  at(5) = 0.5F;
  for (std::size_t cell = 0; cell < 16; ++cell) maps.values[6 * 16 + cell] = 1;
  at(6) = 0.5F;
  all.push_back({"fastestdet",
                 OutputDecoder::FastestDet,
                 Fit::Corner,
                 {.outputs = {maps}},
                 {{{16, 24, 48, 40}, std::pow(0.5F, 0.4F), "0"}}});

  // NanoDet-Plus, with a fourth grid: the cell at 32, 32, whose sides are one cell each.
  std::vector<Values> distances(kCells + 1, Values(2 + 32));
  distances[64 + 10][0] = 0.75F;
  for (const std::size_t side : {0, 1, 2, 3}) distances[64 + 10][2 + 8 * side + 1] = 50;
  all.push_back({"nanodet",
                 OutputDecoder::NanoDet,
                 Fit::Corner,
                 {.outputs = {rows("output", kCells + 1, distances)}},
                 {{{16, 16, 48, 48}, 0.75F, "0"}}});

  all.push_back({"ssd",
                 OutputDecoder::Ssd,
                 Fit::Corner,
                 {.outputs = {{"detection_out",
                               {1, 1, 2, 7},
                               {0, 1, 0.75F, 0.25F, 0.375F, 0.75F, 0.625F, 0, 0, 0, 0, 0, 0, 0}}}},
                 {{{16, 24, 48, 40}, 0.75F, "1"}}});
  all.push_back({"ultraface",
                 OutputDecoder::UltraFace,
                 Fit::Corner,
                 {.outputs = {rows("scores", 3, {{0.25F, 0.75F}, {1, 0}, {1, 0}}),
                              rows("boxes", 3, {in64ths(kCatBox), {0, 0, 1, 1}, {0, 0, 1, 1}})}},
                 {{{16, 24, 48, 40}, 0.75F, "0"}}});
  return all;
}

/** The runtimes, of which some need not be here. */
const std::vector<std::pair<const char*, ModelBackend>> kRuntimes{
    {"onnxruntime", ModelBackend::OnnxRuntime},
    {"openvino", ModelBackend::OpenVino},
    {"opencv-dnn", ModelBackend::OpencvDnn}};

bool isHere(const std::string& runtime) {
  return std::ranges::any_of(listRuntimes(), [&](const RuntimeState& state) {
    return state.backend == runtime && state.usable;
  });
}

/** What is at `box` of the canvas of a picture of 128 x 96. */
Box inPicture(const Box& box, Fit fit) {
  const float below = fit == Fit::Centre ? 8 : 0;
  const Box scaledUp = scaled(shift(box, 0, -below), 2, fit == Fit::Stretch ? 1.5F : 2);
  return clip(scaledUp, {128, 96});
}

cv::Mat somePicture(cv::Size size = {128, 96}) {
  cv::Mat picture(size, CV_8UC3);
  cv::RNG(7).fill(picture, cv::RNG::UNIFORM, 0, 256);
  return picture;
}

class Runtime : public ::testing::TestWithParam<std::pair<const char*, ModelBackend>> {
 protected:
  void SetUp() override {
    if (!isHere(GetParam().first)) GTEST_SKIP() << GetParam().first << " is not here";
  }

  bool isOpencv() const { return GetParam().second == ModelBackend::OpencvDnn; }

  std::string write(const MadeNetwork& network, const std::string& name = "made.onnx") const {
    testing::writeOnnx(folder_.file(name), network);
    return folder_.file(name);
  }
  /** The model of the file by its name alone, but in the runtime of this test. */
  std::unique_ptr<InferenceModel> load(const std::string& path) const {
    ModelFile file = loadModelFile(path);
    file.backend = GetParam().second;
    return InferenceModel::create(file);
  }
  std::unique_ptr<InferenceModel> load(const MadeNetwork& network) const {
    return load(write(network));
  }
  /** The model of a `.model` file of this runtime and network, with these lines. */
  std::unique_ptr<InferenceModel> parse(const MadeNetwork& network, const std::string& model,
                                        const std::string& rest = {}) const {
    write(network);
    return InferenceModel::create(parseModelFile(
        "[model]\nfile=made.onnx\nbackend=" + std::string(GetParam().first) + "\n" + model + rest,
        "synthetic", folder_.file("made.model")));
  }
  std::string errorOf(const std::function<void()>& action) const {
    try {
      action();
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  }

  testing::Folder folder_;
};

/** Of those that know types, tensors without rows, texts and dynamic axes, which OpenCV does not.
 */
class FullRuntime : public Runtime {};

MadeNetwork oneCat() {
  return {.outputs = {rows("output0", 30, {joined({kCatBox, {0.75F, 0}})})}};
}

void expectCat(InferenceModel& model, const Box& box) {
  const auto found = run(model, somePicture());
  ASSERT_TRUE(found) << found.error();
  ASSERT_EQ(found.value().size(), 1U);
  expectNear(found.value()[0].box, box, 1e-2);
  EXPECT_NEAR(found.value()[0].score, 0.75F, 1e-3);
}

TEST_P(Runtime, RunsEveryLayoutByTheNameOfItsFileAlone) {
  for (const Case& each : cases()) {
    if (isOpencv() && !each.opencv) continue;
    SCOPED_TRACE(each.name);
    std::unique_ptr<InferenceModel> model;
    const std::string error = errorOf([&] { model = load(each.network); });
    if (!error.empty()) {
      ADD_FAILURE() << error;
      continue;
    }
    EXPECT_EQ(toString(model->file().decoder), toString(each.decoder));
    EXPECT_EQ(model->file().fit, each.fit);
    EXPECT_EQ(model->platform(), "onnx");
    EXPECT_EQ(model->rules().fixedSize, (Size{64, 64}));
    const auto found = run(*model, somePicture());
    if (!found) {
      ADD_FAILURE() << found.error();
      continue;
    }
    EXPECT_EQ(found.value().size(), each.found.size());
    for (std::size_t i = 0; i < std::min(each.found.size(), found.value().size()); ++i) {
      const Detection& is = found.value()[i];
      const Found& expected = each.found[i];
      expectNear(is.box, inPicture(expected.box, each.fit), 1e-2);
      EXPECT_NEAR(is.score, expected.score, 1e-4);
      EXPECT_EQ(is.label, expected.label);
      ASSERT_EQ(is.keypoints.size(), expected.joints.size());
      for (std::size_t j = 0; j < expected.joints.size(); ++j) {
        EXPECT_NEAR(is.keypoints[j].x, expected.joints[j].x * 2, 1e-2);
        EXPECT_NEAR(is.keypoints[j].y, (expected.joints[j].y - 8) * 2, 1e-2);
        EXPECT_NEAR(is.keypoints[j].visibility, expected.joints[j].visibility, 1e-4);
      }
      const std::string name = each.name;
      const bool masked =
          name.find("seg") != std::string::npos || name.find("mask") != std::string::npos;
      ASSERT_EQ(is.mask.has_value(), masked);
      // Masks are the left half of the picture.
      if (is.mask) {
        EXPECT_EQ(is.mask->area(), intersect(is.box, {0, 0, 64, 96}).area());
      }
    }
  }
}

TEST_P(Runtime, FeedsPicturesOfTheTypeAndOrderThatANetworkTakes) {
  struct Odd {
    const char* name;
    MadeInput input;
    bool opencv;
  };
  for (const Odd& odd :
       {Odd{"half floats", {"images", OnnxType::Float16, {1, 3, 64, 64}}, false},
        Odd{"bytes", {"images", OnnxType::Uint8, {1, 3, 64, 64}}, false},
        Odd{"channels last", {"images", OnnxType::Float, {1, 64, 64, 3}}, false},
        Odd{"bytes of channels last", {"images", OnnxType::Uint8, {1, 64, 64, 3}}, false},
        Odd{"no batch", {"images", OnnxType::Float, {3, 64, 64}}, false},
        Odd{"any batch", {"images", OnnxType::Float, {-1, 3, 64, 64}}, true}}) {
    if (isOpencv() && !odd.opencv) continue;
    SCOPED_TRACE(odd.name);
    MadeNetwork network = oneCat();
    network.inputs = {odd.input};
    std::unique_ptr<InferenceModel> model;
    EXPECT_EQ(errorOf([&] { model = load(network); }), "");
    if (!model) continue;
    EXPECT_EQ(model->rules().fixedSize, (Size{64, 64}));
    expectCat(*model, {32, 32, 96, 64});
  }
}

/** Three objects whose scores are shares of the means of the channels, as the network sees them. */
MadeNetwork channelMeans(float share) {
  MadeNetwork network{.outputs = {rows("output0", 30,
                                       {joined({kCatBox, {0, 0}}), joined({kCatBox, {0, 1}}),
                                        joined({kCatBox, {0, 2}})})}};
  network.outputs[0].weights = {{4, {share, 0, 0}}, {10, {0, share, 0}}, {16, {0, 0, share}}};
  return network;
}

/** What the network of channelMeans() sees of a picture of one colour, by channel. */
std::array<float, 3> seenBy(InferenceModel& model, const cv::Scalar& bgr) {
  const auto found = run(model, cv::Mat(64, 64, CV_8UC3, bgr));
  EXPECT_TRUE(found) << found.error();
  std::array<float, 3> seen{};
  if (found)
    for (const Detection& detection : found.value())
      seen[static_cast<std::size_t>(detection.labelId)] = detection.score;
  return seen;
}

TEST_P(Runtime, ShowsANetworkTheColoursThatItWasTrainedWith) {
  const std::string decoder = "[output]\ndecoder=end2end\nmin-score=0.001\n";
  struct Look {
    std::string input;
    float share;
    std::array<float, 3> seen;
  };
  for (const Look& look : {Look{"", 1, {50 / 255.0F, 100 / 255.0F, 200 / 255.0F}},
                           Look{"colour=bgr\n", 1, {200 / 255.0F, 100 / 255.0F, 50 / 255.0F}},
                           Look{"scale=1\n", 0.001F, {0.05F, 0.1F, 0.2F}},
                           Look{"mean=10;20;40\nstd=2;4;8\n", 0.01F, {0.2F, 0.2F, 0.2F}}}) {
    SCOPED_TRACE(look.input);
    for (const MadeInput& input :
         {MadeInput{}, MadeInput{"images", OnnxType::Float16, {1, 3, 64, 64}},
          MadeInput{"images", OnnxType::Float, {1, 64, 64, 3}},
          MadeInput{"images", OnnxType::Float, {3, 64, 64}}}) {
      if (isOpencv() && (input.shape != MadeInput{}.shape || input.type != OnnxType::Float))
        continue;
      MadeNetwork network = channelMeans(look.share);
      network.inputs = {input};
      const auto model = parse(network, "", "[input]\n" + look.input + decoder);
      const auto seen = seenBy(*model, {200, 100, 50});
      for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(seen[i], look.seen[i], 1e-3);
    }
  }
}

TEST_P(FullRuntime, ShowsANetworkThatTakesBytesBytes) {
  for (const std::vector<int>& shape : {std::vector{1, 3, 64, 64}, std::vector{1, 64, 64, 3}}) {
    MadeNetwork network = channelMeans(0.001F);
    network.inputs = {{"images", OnnxType::Uint8, shape}};
    network.metadata = notes("detect", "Detect", {{"end2end", "True"}});
    const auto model = parse(network, "", "[output]\nmin-score=0.001\n");
    EXPECT_EQ(model->file().scale, 1);
    const auto seen = seenBy(*model, {200, 100, 50});
    EXPECT_NEAR(seen[0], 0.05F, 1e-3);
    EXPECT_NEAR(seen[1], 0.1F, 1e-3);
    EXPECT_NEAR(seen[2], 0.2F, 1e-3);
  }
}

TEST_P(FullRuntime, RefusesToScaleBytes) {
  MadeNetwork network = oneCat();
  network.inputs[0].type = OnnxType::Uint8;
  EXPECT_THAT(errorOf([&] { parse(network, "", "[output]\ndecoder=end2end\n"); }),
              AllOf(HasSubstr("made.model: [input] scale"), HasSubstr("takes bytes")));
  expectCat(*parse(network, "", "[input]\nscale=1\n[output]\ndecoder=end2end\n"), {32, 32, 96, 64});
}

TEST_P(FullRuntime, ReadsOutputsOfAnyNumberType) {
  for (const OnnxType type :
       {OnnxType::Float16, OnnxType::Double, OnnxType::Int64, OnnxType::Int32}) {
    MadeNetwork network{.outputs = {{"boxes", {2, 4}, joined({kCatBox, kSeatBox})},
                                    {"scores", {2}, {0.75F, 0.125F}},
                                    {"labels", {2}, {0, 1}, OnnxType::Int64}}};
    if (type == OnnxType::Int64 || type == OnnxType::Int32)
      network.outputs[2].type = type;
    else
      network.outputs[0].type = network.outputs[1].type = type;
    const auto model = load(network);
    EXPECT_EQ(model->file().decoder, OutputDecoder::Objects);
    expectCat(*model, {32, 48, 96, 80});
  }
}

TEST_P(FullRuntime, RunsWhatLooksUpItsBestRows) {
  MadeNetwork network = oneCat();
  network.outputs[0].gathered = true;
  expectCat(*load(network), {32, 32, 96, 64});
}

TEST_P(FullRuntime, FindsWeightsThatAreInAFileOfTheirOwn) {
  MadeNetwork network = oneCat();
  network.weights = "made.onnx.data";
  expectCat(*load(network), {32, 32, 96, 64});
  // Also where the file is changed in memory.
  const auto model = parse(network, "", "[input]\nmultiple-of=32\n[output]\ndecoder=end2end\n");
  expectCat(*model, {16, 24, 48, 40});
  fs::remove(folder_.file("made.onnx.data"));
  EXPECT_THAT(errorOf([&] { load(folder_.file("made.onnx")); }), HasSubstr("made.onnx"));
}

TEST_P(FullRuntime, FindsNothingInOutputsWithoutRows) {
  for (const bool batch : {false, true}) {
    const auto shape = [batch](std::vector<int> own) {
      if (batch) own.insert(own.begin(), 1);
      return own;
    };
    const MadeNetwork network{.outputs = {{"20", shape({0, 4}), {}},
                                          {"21", shape({0}), {}, OnnxType::Int64},
                                          {"22", shape({0}), {}}}};
    const auto model = load(network);
    EXPECT_EQ(model->file().decoder, OutputDecoder::Objects);
    const auto found = run(*model, somePicture());
    ASSERT_TRUE(found) << found.error();
    EXPECT_TRUE(found.value().empty());
  }
  const auto model =
      load({.outputs = {{"dets", {1, 0, 5}, {}}, {"labels", {1, 0}, {}, OnnxType::Int64}}});
  EXPECT_EQ(model->file().decoder, OutputDecoder::MmDeploy);
  const auto found = run(*model, somePicture());
  ASSERT_TRUE(found) << found.error();
  EXPECT_TRUE(found.value().empty());
}

TEST_P(FullRuntime, RunsAnySizeWhereTheFileSaysSoThoughItChangesAllTheTime) {
  MadeNetwork network = oneCat();
  network.inputs[0].shape = {-1, 3, -1, -1};
  network.outputs[0].values = rows("", 30, {joined({in64ths(kCatBox), {0.75F, 0}})}).values;
  network.outputs[0].inParts = true;
  network.metadata = notes("detect", "Detect", {{"end2end", "True"}});
  const auto model = load(network);
  EXPECT_TRUE(model->rules().fixedSize.empty());
  EXPECT_EQ(model->rules().multipleOf, 32);
  for (int i = 0; i < 50; ++i) {
    const Size size{33 + i * 7 % 200, 40 + i * 13 % 300};
    const auto found = run(*model, somePicture({size.width, size.height}));
    ASSERT_TRUE(found) << found.error();
    ASSERT_EQ(found.value().size(), 1U);
    const auto w = static_cast<float>(roundUp(size.width, 32)),
               h = static_cast<float>(roundUp(size.height, 32));
    expectNear(found.value()[0].box, clip({w / 4, h * 0.375F, w * 0.75F, h * 0.625F}, size), 1e-2);
  }
}

TEST_P(FullRuntime, RunsAFixedGraphAtOtherSizesWhereTheModelFileSaysSo) {
  for (const std::vector<int>& shape : {std::vector{1, 3, 64, 64}, std::vector{1, 64, 64, 3}}) {
    MadeNetwork network = oneCat();
    network.inputs[0].shape = shape;
    network.outputs[0].values = rows("", 30, {joined({in64ths(kCatBox), {0.75F, 0}})}).values;
    network.outputs[0].inParts = true;
    const auto model = parse(network, "", "[input]\nmultiple-of=16\n[output]\ndecoder=end2end\n");
    for (const Size size : {Size{160, 96}, Size{64, 64}, Size{96, 160}}) {
      const auto found = run(*model, somePicture({size.width, size.height}));
      ASSERT_TRUE(found) << found.error();
      ASSERT_EQ(found.value().size(), 1U);
      const auto w = static_cast<float>(size.width), h = static_cast<float>(size.height);
      expectNear(found.value()[0].box, {w / 4, h * 0.375F, w * 0.75F, h * 0.625F}, 1e-2);
    }
  }
}

TEST_P(Runtime, TellsANetworkTheSizeOfThePictureThatItSees) {
  MadeNetwork network = deployed({"labels", "boxes", "scores"});
  // Told first, and of another type.
  std::swap(network.inputs[0], network.inputs[1]);
  network.inputs[0].type = OnnxType::Int32;
  network.inputs[1].shape = {1, 3, 96, 64};
  const auto model = load(network);
  EXPECT_EQ(model->rules().fixedSize, (Size{64, 96}));
  const auto found = run(*model, somePicture());
  ASSERT_TRUE(found) << found.error();
  ASSERT_EQ(found.value().size(), 2U);
  // Stretched, so that parts of the canvas are parts of the picture.
  expectNear(found.value()[0].box, {32, 36, 96, 60}, 1e-2);
}

TEST_P(Runtime, LooksAtTheBoxesOfADetectorWithSimCc) {
  write(oneCat(), "boxes.onnx");
  MadeNetwork network;
  network.inputs[0].shape = {1, 3, 64, 48};
  MadeOutput x{"simcc_x", {1, 2, 96}, Values(std::size_t{2 * 96})};
  MadeOutput y{"simcc_y", {1, 2, 128}, Values(std::size_t{2 * 128})};
  x.values[48] = 0.75F;  // in the middle
  y.values[64] = 0.5F;
  x.values[96 + 0] = 1;  // a corner, which is outside of the box that grew
  y.values[128 + 0] = 1;
  network.outputs = {y, x};
  const std::string detector = "[model]\nbackend=" + std::string(GetParam().first) +
                               "\nfile=boxes.onnx\n[output]\ndecoder=end2end\n";
  std::ofstream(folder_.file("boxes.model")) << detector;
  const auto model = parse(network, "task=keypoints\ndetector=boxes\n",
                           "[input]\nsize=48;64\n[output]\ndecoder=simcc\nkeypoints=2\n");
  EXPECT_EQ(model->rules().fixedSize, (Size{64, 64})) << "the detector's own, from its file";
  const auto found = run(*model, somePicture());
  ASSERT_TRUE(found) << found.error();
  ASSERT_EQ(found.value().size(), 1U);
  ASSERT_EQ(found.value()[0].keypoints.size(), 2U);
  EXPECT_NEAR(found.value()[0].keypoints[0].x, 64, 1e-2);
  EXPECT_NEAR(found.value()[0].keypoints[0].y, 48, 1e-2);
  EXPECT_EQ(found.value()[0].keypoints[0].visibility, 0.5F);
}

TEST_P(Runtime, IsTriedWithWhatMostNetworksTake) {
  // Probabilities for values of 0 to 1 alone.
  MadeNetwork network{.outputs = {columns("output0", kCells, {joined({kCat, {0, 0, 0}})})}};
  network.outputs[0].weights = {{4 * kCells + 7, {1, 0, 0}}};
  EXPECT_EQ(load(network)->file().decoder, OutputDecoder::Yolov8);
}

TEST_P(Runtime, WritesNothingToStandardErrorWhereNothingIsWrong) {
  write(oneCat());
  std::ofstream(folder_.file("made.model"))
      << "[model]\nfile=made.onnx\nbackend=" << GetParam().first << '\n';
  const auto outcome =
      testing::run(std::string(getenv("ELF_TEST_BUILD_ROOT")) + "/lib/programs/elf-server",
                   {"--check", folder_.file("made.model"), "--output", folder_.file("out.png")});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err, "");
}

TEST_P(Runtime, RefusesWhatIsNoNetworkForPictures) {
  const auto expectError = [&](const std::string& path, const auto& matcher) {
    EXPECT_THAT(errorOf([&] { load(path); }), AllOf(HasSubstr(path), matcher));
  };
  const auto isNone = HasSubstr("not a whole ONNX file");
  std::ofstream(folder_.file("text.onnx")) << "this is no network";
  expectError(folder_.file("text.onnx"), isNone);
  std::ofstream(folder_.file("empty.onnx"));
  expectError(folder_.file("empty.onnx"), isNone);
  const std::string whole = testing::filesOf(oneCat()).onnx;
  for (const std::size_t part : {1, 2, 3}) {
    std::ofstream(folder_.file("cut.onnx"), std::ios::binary)
        << whole.substr(0, whole.size() * part / 4);
    expectError(folder_.file("cut.onnx"), isNone);
  }

  MadeNetwork two = oneCat();
  two.inputs.push_back({"more", OnnxType::Float, {1, 3, 64, 64}});
  expectError(write(two, "two.onnx"), HasSubstr("takes more than a picture"));
  MadeNetwork three = oneCat();
  three.inputs.push_back({"sizes", OnnxType::Int64, {1, 2}});
  three.inputs.push_back({"more", OnnxType::Int64, {1, 2}});
  expectError(write(three, "three.onnx"), HasSubstr("takes more than a picture"));
  MadeNetwork grey = oneCat();
  grey.inputs[0].shape = {1, 1, 64, 64};
  expectError(write(grey, "grey.onnx"), ::testing::_);
}

TEST_P(FullRuntime, RefusesTexts) {
  MadeNetwork network = oneCat();
  network.outputs.push_back({"names", {2}, {1, 2}, OnnxType::String});
  const std::string path = write(network);
  EXPECT_THAT(errorOf([&] { load(path); }), AllOf(HasSubstr(path), HasSubstr("names")));
}

TEST_P(Runtime, RefusesANetworkOfNoKnownLayoutAndOneThatMayBeOfTwo) {
  const std::string odd = write({.outputs = {{"something", {2, 5}, Values(10)}}});
  EXPECT_THAT(errorOf([&] { load(odd); }),
              AllOf(HasSubstr(odd), HasSubstr("something 2x5"), HasSubstr("[output] decoder")));
  const std::string open = write({.outputs = {rows("output0", 30, {}, 6)}});
  EXPECT_THAT(errorOf([&] { load(open); }),
              AllOf(HasSubstr(open), HasSubstr("output0 1x30x6"), HasSubstr("end2end"),
                    HasSubstr("rt-detr-rows"), HasSubstr("[output] decoder")));
}

TEST_P(Runtime, RefusesATaskThatTheNetworkHasNothingFor) {
  const MadeNetwork network = oneCat();
  EXPECT_THAT(errorOf([&] { parse(network, "task=segmentation\n"); }),
              AllOf(HasSubstr("[model] task"), HasSubstr("end2end")));
  EXPECT_THAT(errorOf([&] { parse(network, "task=keypoints\n", "[output]\nkeypoints=2\n"); }),
              AllOf(HasSubstr("[output] keypoints"), HasSubstr("end2end")));
}

TEST_P(Runtime, LeavesMasksOutWhereTheModelFileSaysDetection) {
  const MadeNetwork network{
      .outputs = {columns("output0", kCells, {joined({kCat, {0.75F, 0, 0, 1, 0}})}), prototypes()},
      .metadata = notes("segment", "Segment")};
  EXPECT_TRUE(parse(network, "")->rules().masks);
  const auto model = parse(network, "task=detection\n");
  EXPECT_FALSE(model->rules().masks);
  expectCat(*model, {32, 32, 96, 64});
}

TEST_P(Runtime, KeepsWhatTheModelFileSaysOfAFile) {
  MadeNetwork network = oneCat();
  network.metadata = notes("detect", "Detect", {{"end2end", "True"}});
  const auto model = parse(network, "labels=a;b;c\n",
                           "[input]\nfit=stretch\ncolour=bgr\n[output]\nmin-score=0.5\n");
  EXPECT_EQ(model->rules().labels, (Labels{"a", "b", "c"}));
  EXPECT_EQ(model->file().fit, Fit::Stretch);
  EXPECT_EQ(model->file().colour, ChannelOrder::Bgr);
  EXPECT_EQ(model->rules().minScore, 0.5F);
  expectCat(*model, {32, 36, 96, 60});
}

TEST_P(Runtime, RefusesLabelsThatNoClientTakes) {
  MadeNetwork network = oneCat();
  network.metadata = notes("detect", "Detect", {{"names", "{0: 'a\nb'}"}});
  EXPECT_THAT(errorOf([&] { load(network); }), AllOf(HasSubstr("made.onnx"), HasSubstr("labels")));
}

TEST_P(Runtime, OfMoreClassesThanLabelsIsRefusedAtOnce) {
  const MadeNetwork network{
      .outputs = {columns("output0", kCells, {joined({kCat, {0.75F, 0, 0}})})}};
  EXPECT_THAT(errorOf([&] { parse(network, "labels=a;b\n"); }),
              HasSubstr("[model] labels are 2, the network has 3 classes"));
}

// As with a `scale` that is too large, or an export in half precision that overflows.
TEST_P(Runtime, RefusesANetworkWhoseOutputIsNotFinite) {
  for (const float odd :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    MadeNetwork network = oneCat();
    network.outputs[0].values[100] = odd;
    const std::string path = write(network);
    EXPECT_THAT(
        errorOf([&] { load(path); }),
        AllOf(HasSubstr(path), HasSubstr("the network's output output0 1x30x6 is not finite")));
    EXPECT_THAT(errorOf([&] { parse(network, "", "[output]\ndecoder=end2end\n"); }),
                HasSubstr("the network's output output0 1x30x6 is not finite"));
  }
}

TEST_P(Runtime, FailsOnAPictureWhoseOutputIsNotFinite) {
  MadeNetwork network = oneCat();
  // It overflows on white alone.
  network.outputs[0].weights[100] = {2e38F, 2e38F, 2e38F};
  const auto model = parse(network, "");
  expectCat(*model, {32, 32, 96, 64});
  const auto found = run(*model, cv::Mat(64, 64, CV_8UC3, cv::Scalar::all(255)));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error(),
            "synthetic: the network's output output0 1x30x6 is not finite (look at [input] scale, "
            "mean and std, and at the precision)");
  expectCat(*model, {32, 32, 96, 64});
}

std::string nameOf(const ::testing::TestParamInfo<Runtime::ParamType>& instance) {
  std::string name = instance.param.first;
  std::erase(name, '-');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Of, Runtime, ::testing::ValuesIn(kRuntimes), nameOf);
INSTANTIATE_TEST_SUITE_P(Of, FullRuntime,
                         ::testing::ValuesIn(kRuntimes.begin(), kRuntimes.begin() + 2), nameOf);

/** The error of a `.model` file with these lines, of a network that is fine. */
std::string errorOf(const std::string& lines) {
  const testing::Folder folder;
  testing::writeOnnx(folder.file("made.onnx"), oneCat());
  try {
    InferenceModel::create(parseModelFile("[model]\nfile=made.onnx\n" + lines, "synthetic",
                                          folder.file("made.model")));
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TEST(Runtimes, WithoutADeviceTellThoseThatTheyHave) {
  if (isHere("openvino")) {
    EXPECT_EQ(errorOf("backend=openvino\ndevice=cpu\n"), "");
    const std::string error = errorOf("backend=openvino\ndevice=npu\n");
    if (!error.empty()) {
      EXPECT_THAT(error,
                  HasSubstr("[model] device: is npu, which OpenVINO does not find (it finds: cpu"));
    }
  }
  if (isHere("onnxruntime")) {
    EXPECT_EQ(errorOf("backend=onnxruntime\ndevice=cpu\n"), "");
    for (const std::string device : {"cuda", "tensorrt"}) {
      const std::string error = errorOf("backend=onnxruntime\ndevice=" + device + "\n");
      if (!error.empty()) {
        EXPECT_THAT(error, AllOf(HasSubstr("[model] device: is " + device +
                                           ", which ONNX Runtime does not have (it has: "),
                                 HasSubstr("cpu)")));
      }
    }
  }
  for (const std::string device : {"gpu", "npu", "cuda", "tensorrt"}) {
    const std::string error = errorOf("backend=onnx\ndevice=" + device + "\n");
    if (!error.empty()) {
      EXPECT_THAT(error, HasSubstr("[model] device: is " + device));
    }
  }
}

TEST(Runtimes, CalculateAsPreciselyAsTheyAreTold) {
  if (!isHere("openvino")) GTEST_SKIP() << "openvino is not here";
  const testing::Folder folder;
  testing::writeOnnx(folder.file("made.onnx"), oneCat());
  for (const auto& [key, shown] : {std::pair("", "f32"), std::pair("precision=f32\n", "f32"),
                                   std::pair("precision=bf16\n", "bf16")}) {
    const auto model = InferenceModel::create(
        parseModelFile("[model]\nbackend=openvino\nfile=made.onnx\n" + std::string(key),
                       "synthetic", folder.file("made.model")));
    EXPECT_THAT(model->runtime(), ::testing::EndsWith(std::string(", ") + shown));
  }
}

/** elf-server as it is where some modules were not installed. */
class WithoutModules : public ::testing::Test {
 protected:
  WithoutModules() {
    install("libelfvision.so.0");
    install("libelfvision-server.so.0");
    testing::writeOnnx(folder_.file("made.onnx"), oneCat());
  }

  void install(const std::string& library) const {
    fs::copy_file(build_ + "/lib/" + library, folder_.file(library));
  }
  testing::Outcome elfServer(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(),
                     {"LD_LIBRARY_PATH=" + folder_.path(), build_ + "/lib/programs/elf-server"});
    return testing::run("/usr/bin/env", std::move(arguments));
  }
  testing::Outcome check(const std::string& model) const {
    return elfServer({"--check", model, "--output", folder_.file("drawn.png")});
  }

  const std::string build_ = getenv("ELF_TEST_BUILD_ROOT");
  testing::Folder folder_;
};

TEST_F(WithoutModules, AnOnnxFileRunsInTheBestRuntimeThatIsLeft) {
  EXPECT_THAT(check(folder_.file("made.onnx")).out, HasSubstr("\nruntime: OpenCV "));
  if (isHere("openvino")) {
    install("libelfvision-openvino.so.0");
    EXPECT_THAT(check(folder_.file("made.onnx")).out, HasSubstr("\nruntime: OpenVINO "));
  }
  if (isHere("onnxruntime")) {
    install("libelfvision-onnxruntime.so.0");
    EXPECT_THAT(check(folder_.file("made.onnx")).out, HasSubstr("\nruntime: ONNX Runtime "));
  }
}

TEST_F(WithoutModules, ARuntimeThatIsNamedAndMissingIsAnError) {
  for (const std::string backend : {"onnxruntime", "openvino"}) {
    std::ofstream(folder_.file("named.model"))
        << "[model]\nbackend=" << backend << "\nfile=made.onnx\n";
    const testing::Outcome outcome = check(folder_.file("named.model"));
    EXPECT_NE(outcome.code, 0);
    EXPECT_THAT(outcome.err,
                AllOf(HasSubstr("named.model: [model] backend: is " + backend),
                      HasSubstr("cannot be used here"), HasSubstr("libelfvision-" + backend)));
  }
  std::ofstream(folder_.file("device.model"))
      << "[model]\nbackend=onnx\nfile=made.onnx\ndevice=npu\n";
  EXPECT_THAT(check(folder_.file("device.model")).err,
              AllOf(HasSubstr("[model] device: is npu"), HasSubstr("OpenVINO must be here")));
}

TEST_F(WithoutModules, TheListTellsWhatIsMissing) {
  const std::string list = elfServer({"--list"}).out;
  EXPECT_THAT(list, AllOf(HasSubstr("libelfvision-onnxruntime"), HasSubstr("libelfvision-openvino"),
                          HasSubstr("opencv-dnn")));
}

TEST(Runtimes, AgreeOnARealNetworkAtItsOwnAndAtAnotherSize) {
  if (!fs::exists(sharedFile("models/yolox_nano.onnx")))
    GTEST_SKIP() << "no shared models in " << getenv("ELF_TEST_SHARED");
  const cv::Mat frame = testing::frameOf(sharedFile("clips/people_walking_720p.mp4"), 0);
  if (frame.empty()) GTEST_SKIP() << "no shared clip, or no decoder for it";
  for (const std::string input : {"size=416;416", "multiple-of=32"}) {
    SCOPED_TRACE(input);
    std::vector<Detection> first;
    for (const auto& [name, backend] : kRuntimes) {
      if (!isHere(name)) continue;
      SCOPED_TRACE(name);
      ModelFile file = parseModelFile("[model]\nbackend=" + std::string(name) +
                                          "\nfile=yolox_nano.onnx\n[input]\n" + input +
                                          "\n[output]\nmin-score=0.3\n",
                                      "m", sharedFile("models/m.model"));
      const auto model = InferenceModel::create(file);
      EXPECT_EQ(model->file().decoder, OutputDecoder::Yolox);
      const auto found = run(*model, frame);
      ASSERT_TRUE(found) << found.error();
      if (first.empty()) first = found.value();
      EXPECT_GE(found.value().size(), 5U);
      ASSERT_EQ(found.value().size(), first.size());
      for (std::size_t i = 0; i < first.size(); ++i) {
        EXPECT_EQ(found.value()[i].label, first[i].label);
        EXPECT_NEAR(found.value()[i].score, first[i].score, 1e-3);
        expectNear(found.value()[i].box, first[i].box, 0.1);
      }
    }
  }
}

}  // namespace
}  // namespace elf
