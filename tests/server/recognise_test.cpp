// SPDX-License-Identifier: LGPL-2.1-or-later
// What a network is taken for, by what its file says and by tensors that are made by hand. Files in
// the runtimes: runtimes_test.cpp.
#include "elf/decode/recognise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "elf/base/error.h"
#include "tests/support/tensors.h"

namespace elf {
namespace {

using ::testing::AllOf;
using testing::columns;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::integers;
using ::testing::IsEmpty;
using testing::rows;
using testing::tensorOf;
using testing::zeros;

constexpr Size kCanvas{64, 64};
constexpr int kCells = 84;

ModelFile openModel() {
  ModelFile model;
  model.backend = ModelBackend::Onnx;
  model.openTask = true;
  model.rules.minScore = 0.25F;
  return model;
}

using Metadata = std::map<std::string, std::string>;

NetworkInfo withNotes(Metadata metadata, std::vector<int> shape = {1, 3, 640, 480}) {
  return {.platform = "onnx",
          .inputs = {{.name = "images", .shape = std::move(shape)}},
          .metadata = std::move(metadata)};
}

ModelRules rulesOf(const NetworkInfo& info) {
  return withInfo(openModel(), info).rules;
}

std::vector<std::string> labelsOf(const std::string& names) {
  const Labels labels = rulesOf(withNotes({{"names", names}})).labels;
  return {labels.names().begin(), labels.names().end()};
}

TEST(WithInfo, TakesTheSizeOfPicturesInWhateverOrderTheyAre) {
  EXPECT_EQ(rulesOf(withNotes({}, {1, 3, 640, 480})).fixedSize, (Size{480, 640}));
  EXPECT_EQ(rulesOf(withNotes({}, {-1, 3, 640, 480})).fixedSize, (Size{480, 640}));
  EXPECT_EQ(rulesOf(withNotes({}, {1, 640, 480, 3})).fixedSize, (Size{480, 640}));
  EXPECT_EQ(rulesOf(withNotes({}, {3, 640, 480})).fixedSize, (Size{480, 640}));
  // Three columns and three channels.
  EXPECT_EQ(rulesOf(withNotes({}, {1, 3, 640, 3})).fixedSize, (Size{3, 640}));
  for (const std::vector<int>& shape : {std::vector<int>{}, {1, 2}, {1, 3, 4, 5, 6}})
    EXPECT_EQ(rulesOf(withNotes({}, shape)), openModel().rules);
  EXPECT_EQ(rulesOf({.platform = "darknet"}), openModel().rules);
}

TEST(WithInfo, OfAnySizeTakesWhatItIsAMultipleOf) {
  const auto multipleOf = [](const std::string& stride) {
    const ModelRules rules = rulesOf(withNotes({{"stride", stride}}, {-1, 3, -1, -1}));
    EXPECT_TRUE(rules.fixedSize.empty());
    return rules.multipleOf;
  };
  EXPECT_EQ(multipleOf("64"), 64);
  EXPECT_EQ(multipleOf("[8, 16, 32]"), 32);
  for (const char* odd : {"", "none", "0", "-5", "99999999999", "1000000"})
    EXPECT_EQ(multipleOf(odd), 32) << odd;
  EXPECT_EQ(rulesOf(withNotes({{"stride", "64"}})).multipleOf, 1) << "of one size";
}

TEST(WithInfo, ReadsNamesAsPythonWritesThem) {
  EXPECT_THAT(labelsOf("{0: 'person', 1: 'traffic light'}"),
              ElementsAre("person", "traffic light"));
  EXPECT_THAT(labelsOf(R"({0: "driver's seat", 1: 'a "b"', 2: 'it\'s "c"'})"),
              ElementsAre("driver's seat", "a \"b\"", "it's \"c\""));
  EXPECT_THAT(labelsOf(R"({0: 'a: b', 1: 'c, d', 2: '{0: e}', 3: 'back\\slash'})"),
              ElementsAre("a: b", "c, d", "{0: e}", "back\\slash"));
  EXPECT_THAT(labelsOf("{0: 'größe', 1: '人'}"), ElementsAre("größe", "人"));
  // Lists, as older ones wrote them, and JSON.
  EXPECT_THAT(labelsOf("['person', 'bicycle']"), ElementsAre("person", "bicycle"));
  EXPECT_THAT(labelsOf(R"({"0": "person", "1": "bicycle"})"), ElementsAre("person", "bicycle"));
  EXPECT_THAT(labelsOf("{0: ''}"), ElementsAre(""));
  for (const char* none : {"", "{}", "80", "{0: 'never ends", "{0: '"})
    EXPECT_THAT(labelsOf(none), IsEmpty()) << none;
}

TEST(WithInfo, TakesTheTaskAndTheJoints) {
  EXPECT_TRUE(rulesOf(withNotes({{"task", "segment"}})).masks);
  EXPECT_FALSE(rulesOf(withNotes({{"task", "detect"}})).masks);
  EXPECT_EQ(rulesOf(withNotes({{"task", "pose"}, {"kpt_shape", "[17, 3]"}})).keypoints, 17);
  EXPECT_EQ(rulesOf(withNotes({{"task", "pose"}, {"kpt_shape", "(21, 3)"}})).keypoints, 21);
  EXPECT_EQ(rulesOf(withNotes({{"task", "detect"}, {"kpt_shape", "[17, 3]"}})).keypoints, 0);
  for (const char* odd : {"", "[17]", "[0, 3]", "[-1, 3]", "[9999, 3]", "[12, 2]"})
    EXPECT_EQ(rulesOf(withNotes({{"task", "pose"}, {"kpt_shape", odd}})).keypoints, 0) << odd;
}

TEST(WithInfo, ScalesNoBytes) {
  NetworkInfo info = withNotes({});
  EXPECT_FALSE(withInfo(openModel(), info).scale);
  info.inputs[0].bytes = true;
  EXPECT_EQ(withInfo(openModel(), info).scale, 1);
  ModelFile said = openModel();
  said.mean = {1, 2, 3};
  EXPECT_FALSE(withInfo(said, info).scale);
}

TEST(WithInfo, LeavesWhatTheModelFileSays) {
  ModelFile said = openModel();
  said.openTask = false;
  said.rules.labels = {"a", "b"};
  said.rules.fixedSize = {320, 320};
  const NetworkInfo info = withNotes(
      {{"task", "segment"}, {"names", "{0: 'x'}"}, {"kpt_shape", "[17, 3]"}, {"stride", "64"}});
  EXPECT_EQ(withInfo(said, info).rules, said.rules);
  said.rules.fixedSize = {};
  said.rules.multipleOf = 16;
  EXPECT_EQ(withInfo(said, info).rules, said.rules);
}

TEST(WithInfo, OfANetworkThatLooksAtBoxesTakesNothing) {
  for (const OutputDecoder decoder :
       {OutputDecoder::HeatMaps, OutputDecoder::SimCc, OutputDecoder::Classes}) {
    ModelFile model = openModel();
    model.decoder = decoder;
    EXPECT_EQ(withInfo(model, withNotes({{"names", "{0: 'x'}"}})).rules, model.rules);
  }
}

// Layouts.

OutputDecoder recognise(const Tensors& tensors, const Metadata& metadata = {}, int keypoints = 0,
                        Size canvas = kCanvas) {
  ModelFile model = openModel();
  const NetworkInfo info = withNotes(metadata, {1, 3, canvas.height, canvas.width});
  model = withInfo(model, info);
  if (keypoints > 0) model.rules.keypoints = keypoints;
  return recogniseDecoder("made.onnx", model, info, tensors, canvas);
}

std::string errorOf(const Tensors& tensors, const Metadata& metadata = {}, int keypoints = 0) {
  try {
    const OutputDecoder found = recognise(tensors, metadata, keypoints);
    return "no error, but " + std::string(toString(found));
  } catch (const Error& error) {
    return error.what();
  }
}

auto names(const char* one, const char* other) {
  return AllOf(HasSubstr("made.onnx"), HasSubstr(std::string("may be ") + one + " or " + other),
               HasSubstr("[output] decoder"));
}

Metadata notes(const std::string& task, const std::string& head = {}, Metadata more = {}) {
  more["task"] = task;
  if (!head.empty()) more["head"] = head;
  return more;
}

/** Random numbers between `least` and `most`, the same ones every time. */
cv::Mat noise(const std::vector<int>& shape, double least = 0, double most = 1) {
  cv::Mat tensor(shape, CV_32F);
  cv::RNG(3).fill(tensor, cv::RNG::UNIFORM, least, most);
  return tensor;
}

/** Rows of a table are filled with numbers between two others. */
void fillRows(cv::Mat& table, int first, int count, double least, double most) {
  for (int i = first; i < first + count; ++i) {
    cv::Mat row(1, table.size[2], CV_32F, table.ptr<float>(0, i));
    cv::RNG(static_cast<std::uint64_t>(i) + 1).fill(row, cv::RNG::UNIFORM, least, most);
  }
}

void fillColumns(cv::Mat& table, int first, int count, double least, double most) {
  cv::RNG random(5);
  for (int i = 0; i < table.size[1]; ++i)
    for (int j = first; j < first + count; ++j)
      table.at<float>(0, i, j) = static_cast<float>(random.uniform(least, most));
}

/** Ultralytics' raw layout with so many classes, and rows of `own` between `least` and `most`. */
NamedTensor raw(int classes, int own = 0, double least = 0, double most = 1) {
  cv::Mat table = noise({1, 4 + classes + own, kCells});
  fillRows(table, 0, 4, 4, 60);
  fillRows(table, 4 + classes, own, least, most);
  return {"output0", table};
}

NamedTensor prototypes(int count = 2) {
  return {"output1", noise({1, count, 16, 16}, -1, 1)};
}

/** Rows of end-to-end layouts: corners in pixels, score, class, and `own` more in pixels. */
NamedTensor endToEnd(int own = 0) {
  cv::Mat table = noise({1, 30, 6 + own});
  fillColumns(table, 0, 2, 1, 30);
  fillColumns(table, 2, 2, 31, 60);
  for (int i = 0; i < 30; ++i) table.at<float>(0, i, 5) = static_cast<float>(i % 3);
  fillColumns(table, 6, own, 1, 60);
  return {"output0", table};
}

TEST(Recognise, UltralyticsLayoutsByTheirNotes) {
  EXPECT_EQ(recognise({raw(80)}, notes("detect", "Detect")), OutputDecoder::Yolov8);
  EXPECT_EQ(recognise({raw(2)}, notes("detect", "Detect")), OutputDecoder::Yolov8);
  EXPECT_EQ(recognise({raw(80)}, notes("detect", "v10Detect", {{"end2end", "False"}})),
            OutputDecoder::Yolov8);
  EXPECT_EQ(recognise({raw(3, 2, -3, 3), prototypes()}, notes("segment", "Segment")),
            OutputDecoder::Yolov8Seg);
  EXPECT_EQ(recognise({prototypes(), endToEnd(2)}, notes("segment", "Segment26")),
            OutputDecoder::EndToEndSeg);
  const Metadata joints{{"kpt_shape", "[2, 3]"}};
  EXPECT_EQ(recognise({raw(1, 6, 0, 60)}, notes("pose", "Pose", joints)),
            OutputDecoder::Yolov8Pose);
  EXPECT_EQ(recognise({endToEnd(6)}, notes("pose", "Pose26", joints)), OutputDecoder::EndToEndPose);
  EXPECT_EQ(recognise({raw(3, 1, -0.7, 2.3)}, notes("obb", "OBB")), OutputDecoder::Yolov8Obb);
  EXPECT_EQ(recognise({endToEnd(1)}, notes("obb", "OBB26")), OutputDecoder::EndToEndObb);
  EXPECT_EQ(recognise({endToEnd()}, notes("detect", "Detect", {{"end2end", "True"}})),
            OutputDecoder::EndToEnd);
  EXPECT_EQ(recognise({endToEnd()},
                      notes("detect", "Detect", {{"end2end", "False"}, {"args", "{'nms': True}"}})),
            OutputDecoder::EndToEnd);
  // Of a grid of stride 4 too.
  cv::Mat fine = noise({1, 84, 340});
  fillRows(fine, 0, 4, 4, 60);
  EXPECT_EQ(recognise({{"output0", fine}}, notes("detect", "Detect")), OutputDecoder::Yolov8);
}

/** What is all zero on the pictures that are tried, as where suppression is built in. */
TEST(Recognise, ByNotesAlsoWhatFindsNothing) {
  const NamedTensor nothing{"output0", zeros({1, 30, 6})};
  EXPECT_EQ(recognise({nothing}, notes("detect", "Detect", {{"end2end", "True"}})),
            OutputDecoder::EndToEnd);
  EXPECT_EQ(recognise({nothing}, notes("detect", "Detect", {{"args", "{'nms': True}"}})),
            OutputDecoder::EndToEnd);
  EXPECT_EQ(recognise({nothing}, notes("detect", "RTDETRDecoder", {{"end2end", "False"}})),
            OutputDecoder::RtDetrRows);
  EXPECT_EQ(recognise({{"output0", zeros({1, 30, 7})}}, notes("obb", "OBB")),
            OutputDecoder::EndToEndObb);
  EXPECT_EQ(recognise({{"output0", zeros({1, 84, 84})}}, notes("detect", "Detect")),
            OutputDecoder::Yolov8);
}

NamedTensor rtDetrRows(int classes) {
  cv::Mat table = noise({1, 30, classes > 0 ? 4 + classes : 6});
  if (classes == 0)
    for (int i = 0; i < 30; ++i) table.at<float>(0, i, 5) = static_cast<float>(i);
  return {"output0", table};
}

TEST(Recognise, RtDetrOfUltralyticsByNotesAndByValues) {
  EXPECT_EQ(recognise({rtDetrRows(0)}, notes("detect", "RTDETRDecoder")),
            OutputDecoder::RtDetrRows);
  EXPECT_EQ(recognise({rtDetrRows(0)}), OutputDecoder::RtDetrRows);
  EXPECT_EQ(recognise({endToEnd()}), OutputDecoder::EndToEnd);
  // As older releases have them, which do not note the head.
  const Metadata old =
      notes("detect", "", {{"description", "Ultralytics rtdetr-l model trained on coco.yaml"}});
  EXPECT_EQ(recognise({rtDetrRows(20)}, old), OutputDecoder::RtDetrRows);
  EXPECT_EQ(recognise({rtDetrRows(2)}, old), OutputDecoder::RtDetrRows);
  EXPECT_EQ(recognise({rtDetrRows(20)}, notes("detect")), OutputDecoder::RtDetrRows);
  EXPECT_EQ(recognise({rtDetrRows(20)}), OutputDecoder::RtDetrRows);
}

TEST(Recognise, UltralyticsLayoutsWithoutNotesByTheirValues) {
  EXPECT_EQ(recognise({raw(80)}), OutputDecoder::Yolov8);
  EXPECT_EQ(recognise({raw(1)}), OutputDecoder::Yolov8);
  EXPECT_EQ(recognise({raw(3, 2, -3, 3), prototypes()}), OutputDecoder::Yolov8Seg);
  EXPECT_EQ(recognise({endToEnd(2), prototypes()}), OutputDecoder::EndToEndSeg);
  EXPECT_EQ(recognise({raw(3, 1, -0.7, 2.3)}), OutputDecoder::Yolov8Obb);
  // YOLO26's angles have no bounds.
  EXPECT_EQ(recognise({raw(3, 1, -7, 9)}), OutputDecoder::Yolov8Obb);
  EXPECT_EQ(recognise({endToEnd(1)}), OutputDecoder::EndToEndObb);
  // The .model file says how many joints.
  EXPECT_EQ(recognise({raw(1, 6, 0, 60)}, {}, 2), OutputDecoder::Yolov8Pose);
  EXPECT_EQ(recognise({endToEnd(6)}, {}, 2), OutputDecoder::EndToEndPose);
  // Cut before its last layers.
  EXPECT_EQ(recognise({{"a", noise({1, 64 + 3 + 2, 8, 8})},
                       {"b", noise({1, 64 + 3 + 2, 4, 4})},
                       {"c", noise({1, 64 + 3 + 2, 2, 2})},
                       prototypes()}),
            OutputDecoder::Yolov8Seg);
}

TEST(Recognise, NamesBothLayoutsWhereNothingDecides) {
  EXPECT_THAT(errorOf({{"output0", zeros({1, 30, 6})}}), names("end2end", "rt-detr-rows"));
  EXPECT_THAT(errorOf({{"output0", zeros({1, 30, 7})}}), names("end2end-obb", "rt-detr-rows"));
  EXPECT_THAT(errorOf({{"output", zeros({1, kCells, 25})}}), names("yolox", "yolox-decoded"));
  EXPECT_THAT(errorOf({raw(1, 6, 0, 60)}), names("yolov8", "yolov8-pose"))
      << "nobody says how many joints";
  EXPECT_THAT(errorOf({endToEnd(6)}), names("end2end", "end2end-pose"));
  // An angle that looks like a class which is everywhere.
  EXPECT_THAT(errorOf({raw(3, 1, 0.6, 0.9)}), names("yolov8", "yolov8-obb"));
}

TEST(Recognise, YoloxRawAndDecodedByValues) {
  cv::Mat table = noise({1, kCells, 25});
  fillColumns(table, 0, 4, -2, 2);
  EXPECT_EQ(recognise({{"output", table}}), OutputDecoder::Yolox);
  fillColumns(table, 0, 2, 0, 64);
  fillColumns(table, 2, 2, 2, 40);
  EXPECT_EQ(recognise({{"output", table}}), OutputDecoder::YoloxDecoded);
  // A network of one class has six columns.
  cv::Mat one = noise({1, kCells, 6});
  fillColumns(one, 0, 4, -2, 2);
  EXPECT_EQ(recognise({{"output", one}}), OutputDecoder::Yolox);
  fillColumns(one, 0, 4, 2, 60);
  EXPECT_EQ(recognise({{"output", one}}), OutputDecoder::YoloxDecoded);
  // Wide canvases, whose cells spread over the width.
  cv::Mat wide = noise({1, 1040, 25});
  fillColumns(wide, 0, 4, -2, 2);
  EXPECT_EQ(recognise({{"output", wide}}, {}, 0, {640, 80}), OutputDecoder::Yolox);
}

TEST(Recognise, Yolov5AlsoOfOneClassAndBesideItsHeads) {
  for (const int classes : {20, 1}) {
    cv::Mat table = noise({1, 3 * kCells, 5 + classes});
    fillColumns(table, 0, 4, 2, 60);
    EXPECT_EQ(recognise({{"output0", table}}), OutputDecoder::Yolov5);
    EXPECT_EQ(recognise({{"output0", table}}, {{"stride", "32"}, {"names", "{0: 'a'}"}}),
              OutputDecoder::Yolov5);
    const int own = 5 + classes;
    EXPECT_EQ(recognise({{"output0", table},
                         {"a", noise({1, 3, 8, 8, own})},
                         {"b", noise({1, 3, 4, 4, own})},
                         {"c", noise({1, 3, 2, 2, own})}}),
              OutputDecoder::Yolov5);
  }
}

TEST(Recognise, DetrsByTheirNamesOrTheirShapes) {
  const NamedTensor logits{"logits", noise({1, 30, 80}, -9, 2)},
      boxes{"pred_boxes", noise({1, 30, 4})};
  EXPECT_EQ(recognise({logits, boxes}), OutputDecoder::RtDetrLogits);
  EXPECT_EQ(recognise({{"1", logits.values}, {"2", boxes.values}}), OutputDecoder::RtDetrLogits);
  EXPECT_EQ(recognise({{"2", boxes.values}, {"1", logits.values}}), OutputDecoder::RtDetrLogits);
  const Tensors unnamed{{"2638", logits.values},
                        {"2639", boxes.values},
                        {"onnx::MatMul_2591", noise({1, 30, 64}, -1, 1)},
                        {"2627", noise({1, 2, 30, 64}, -1, 1)},
                        {"onnx::Gather_2637", noise({1, 2, 30, 80}, -1, 1)},
                        {"input.400", noise({1, 64, 8, 8}, -1, 1)},
                        {"reference_points_unact", noise({1, 30, 4}, -1, 1)},
                        {"1903", noise({1, 30, 80}, -1, 1)}};
  EXPECT_EQ(recognise(unnamed), OutputDecoder::RtDetrLogits);
  EXPECT_EQ(recognise({{"dets", boxes.values}, {"labels", noise({1, 30, 91}, -9, 2)}}),
            OutputDecoder::RfDetr);
  // A head of three classes and nobody, whose logits have the shape of boxes.
  EXPECT_EQ(recognise({{"dets", boxes.values}, {"labels", noise({1, 30, 4}, -9, 2)}}),
            OutputDecoder::RfDetr);
  EXPECT_EQ(recognise({{"dets", boxes.values},
                       {"labels", noise({1, 30, 91}, -9, 2)},
                       {"masks", noise({1, 30, 16, 16}, -9, 9)}}),
            OutputDecoder::RfDetr);
}

TEST(Recognise, ObjectsByTypeAndShape) {
  const NamedTensor boxes{"2033", noise({7, 4}, 0, 60)}, scores{"2002", noise({7})},
      labels{"2003", zeros({7}), true};
  EXPECT_EQ(recognise({boxes, labels, scores}), OutputDecoder::Objects);
  EXPECT_EQ(recognise({boxes, scores, labels}), OutputDecoder::Objects);
  EXPECT_EQ(recognise({boxes, labels, scores, {"2077", noise({7, 1, 64, 64})}}),
            OutputDecoder::Objects);
  const auto empty = [](const std::vector<int>& shape) { return cv::Mat(shape, CV_32F); };
  EXPECT_EQ(recognise({{"2033", empty({0, 4})}, {"2003", empty({0}), true}, {"2002", empty({0})}}),
            OutputDecoder::Objects);
  const NamedTensor dets{"dets", noise({1, 7, 5})};
  EXPECT_EQ(recognise({dets, {"labels", zeros({1, 7}), true}}), OutputDecoder::MmDeploy);
  EXPECT_EQ(recognise({{"dets", empty({1, 0, 5})}, {"labels", empty({1, 0}), true}}),
            OutputDecoder::MmDeploy);
}

TEST(Recognise, RtDetrOfItsAuthorsIsToldTheSizeOfThePicture) {
  const ModelFile model = openModel();
  NetworkInfo info{.platform = "onnx",
                   .inputs = {{.name = "images", .shape = {1, 3, 64, 64}},
                              {.name = "orig_target_sizes", .integer = true, .shape = {1, 2}}}};
  const Tensors tensors{{"labels", zeros({1, 7}), true},
                        {"boxes", noise({1, 7, 4}, 0, 60)},
                        {"scores", noise({1, 7})}};
  EXPECT_EQ(recogniseDecoder("made.onnx", model, info, tensors, kCanvas), OutputDecoder::RtDetr);
  info.inputs.pop_back();
  EXPECT_EQ(recogniseDecoder("made.onnx", model, info, tensors, kCanvas), OutputDecoder::Objects);
}

/** FastestDet's maps: objectness, sides, classes of which the probabilities make one. */
cv::Mat fastestDetMaps(int classes) {
  cv::Mat maps = noise({1, 5 + classes, 4, 4}, -2, 2);
  for (int i = 0; i < 16; ++i) {
    maps.ptr<float>(0, 0)[i] = 0.5F;
    for (int c = 0; c < classes; ++c)
      maps.ptr<float>(0, 5 + c)[i] = 1.0F / static_cast<float>(classes);
  }
  return maps;
}

TEST(Recognise, OthersByShapeAndValues) {
  EXPECT_EQ(recognise({{"758", fastestDetMaps(80)}}), OutputDecoder::FastestDet);
  cv::Mat nanodet = noise({1, kCells + 1, 80 + 32});
  fillColumns(nanodet, 80, 32, -5, 5);
  EXPECT_EQ(recognise({{"output", nanodet}}), OutputDecoder::NanoDet);
  EXPECT_EQ(recognise({{"detection_out", noise({1, 1, 9, 7})}}), OutputDecoder::Ssd);
  EXPECT_EQ(recognise({{"yolo_1", noise({12, 85})}, {"yolo_2", noise({48, 85})}}),
            OutputDecoder::DarknetRegion);
  EXPECT_EQ(recognise({{"detection_out_final", noise({1, 1, 9, 7})},
                       {"detection_masks", noise({9, 2, 3, 3})}}),
            OutputDecoder::MaskRcnn);
  EXPECT_EQ(recognise({{"scores", noise({1, 9, 2})}, {"boxes", noise({1, 9, 4})}}),
            OutputDecoder::UltraFace);
  EXPECT_EQ(recognise({{"boxes", noise({1, 9, 4})}, {"scores", noise({1, 9, 2})}}),
            OutputDecoder::UltraFace);
  // The same shapes, but logits of two classes.
  EXPECT_EQ(recognise({{"boxes", noise({1, 9, 4})}, {"scores", noise({1, 9, 2}, -9, 2)}}),
            OutputDecoder::RtDetrLogits);
  Tensors yunet;
  for (const auto& [stride, cells] : {std::pair("8", 64), std::pair("16", 16), std::pair("32", 4)})
    for (const auto& [name, width] :
         {std::pair("cls_", 1), std::pair("obj_", 1), std::pair("bbox_", 4), std::pair("kps_", 10)})
      yunet.push_back({std::string(name) + stride, noise({1, cells, width})});
  EXPECT_EQ(recognise(yunet), OutputDecoder::YuNet);
}

TEST(Recognise, RefusesClassifiers) {
  const std::string refused = errorOf({{"output0", noise({1, 1000})}}, notes("classify"));
  EXPECT_THAT(refused,
              AllOf(HasSubstr("made.onnx: is a classifier"), HasSubstr("decoder=classes")));
  for (const cv::Mat& tensor : {noise({1, 1000}), noise({1, 1000, 1, 1}), noise({1, 7})})
    EXPECT_THAT(errorOf({{"prob", tensor}}), HasSubstr("is a classifier"));
}

TEST(Recognise, RefusesWhatIsOfNoLayout) {
  for (const Tensors& tensors :
       {Tensors{}, Tensors{{"depth", noise({1, 1, 64, 64})}},
        Tensors{{"classes", noise({1, 21, 64, 64})}},
        Tensors{{"maps", noise({1, 17, 16, 12}, -0.1, 1)}}, Tensors{{"a", noise({4, 10})}},
        Tensors{{"a", noise({3, 4})}, {"b", noise({5})}, {"c", zeros({5}), true}},
        Tensors{{"table", noise({1, 50, 20}, -9, 9)}}, Tensors{{"table", noise({1, 50, 3})}},
        // SSD of PyTorch: each class's probability, and corners.
        Tensors{{"scores", noise({1, 9, 21})}, {"boxes", noise({1, 9, 4})}}})
    EXPECT_THAT(errorOf(tensors),
                AllOf(HasSubstr("made.onnx: its outputs, "),
                      HasSubstr("are of no layout that is known"), HasSubstr("[output] decoder")));
}

TEST(Recognise, RefusesPosesOfWhichNobodySaysTheJoints) {
  for (const NamedTensor& tensor : {raw(1, 6, 0, 60), endToEnd(6)})
    for (const char* shape : {"", "[12, 2]", "[9999, 3]"})
      EXPECT_THAT(
          errorOf({tensor}, notes("pose", "Pose", {{"kpt_shape", shape}})),
          AllOf(HasSubstr("made.onnx"), HasSubstr("kpt_shape"), HasSubstr("[output] keypoints")));
}

TEST(Recognise, NumbersThatAreNoneTellNothing) {
  cv::Mat table = noise({1, 30, 6});
  table.setTo(std::nanf(""));
  EXPECT_THAT(errorOf({{"output0", table}}), names("end2end", "rt-detr-rows"));
}

TEST(TellsMasks, ByTheLayoutOrByItsTensors) {
  const auto nothing = Tensors{};
  EXPECT_TRUE(tellsMasks(OutputDecoder::Yolov8Seg, nothing));
  EXPECT_TRUE(tellsMasks(OutputDecoder::EndToEndSeg, nothing));
  EXPECT_TRUE(tellsMasks(OutputDecoder::MaskRcnn, nothing));
  EXPECT_FALSE(tellsMasks(OutputDecoder::Yolov8, {{"o", zeros({1, 84, 84})}}));
  const Tensors rfDetr{{"dets", zeros({1, 3, 4})}, {"labels", zeros({1, 3, 91})}};
  EXPECT_FALSE(tellsMasks(OutputDecoder::RfDetr, rfDetr));
  Tensors withMasks = rfDetr;
  withMasks.push_back({"masks", zeros({1, 3, 16, 16})});
  for (const OutputDecoder decoder :
       {OutputDecoder::RfDetr, OutputDecoder::Objects, OutputDecoder::MmDeploy})
    EXPECT_TRUE(tellsMasks(decoder, withMasks));
  EXPECT_FALSE(tellsMasks(OutputDecoder::RtDetrLogits, withMasks)) << "features of a backbone";
}

TEST(Describe, TellsWhatAModelWasTakenFor) {
  ModelFile model = openModel();
  model.decoder = OutputDecoder::Yolov8Seg;
  model.rules.fixedSize = {640, 480};
  model.rules.labels = {"a", "b"};
  EXPECT_EQ(describe(withConvention(model)),
            "yolov8-seg, 640x480, rgb, scale 1/255, centred, 2 labels");
  model.decoder = OutputDecoder::RfDetr;
  model.rules.labels = {"a"};
  EXPECT_EQ(describe(withConvention(model)),
            "rf-detr, 640x480, rgb, scale 1, mean 123.7 116.3 103.5, std 58.4 57.1 57.4, "
            "stretched, 1 label");
  model.decoder = OutputDecoder::Yolox;
  model.rules.fixedSize = {};
  model.rules.multipleOf = 32;
  model.rules.labels = {};
  EXPECT_EQ(describe(withConvention(model)), "yolox, multiples of 32, bgr, scale 1, no labels");
  model.rules.multipleOf = 1;
  EXPECT_EQ(describe(withConvention(model)), "yolox, any size, bgr, scale 1, no labels");
  model.rules.fixedSize = {416, 416};
  EXPECT_EQ(describe(withConvention(model)),
            "yolox, 416x416, bgr, scale 1, in the corner, no labels");
}

}  // namespace
}  // namespace elf
