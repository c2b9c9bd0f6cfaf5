// SPDX-License-Identifier: LGPL-2.1-or-later
// Real networks on real pictures, against what follows from their tensors by the formulas of those
// who made them, computed here by other means.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <opencv2/dnn.hpp>
#include <opencv2/imgproc.hpp>

#include "elf/server/inference_model.h"
#include "tests/support/folder.h"
#include "tests/support/pictures.h"

namespace elf {
namespace {

using testing::frameOf;
using testing::run;
using testing::sharedFile;

struct Object {
  cv::Rect2d box;
  double score = 0;
  int label = 0;
  /** 255 where the canvas is of the object; empty: no mask. */
  cv::Mat mask;
  std::vector<cv::Point2d> joints;
};

/** Calls `use` with each cell's x and y and its index. */
void forCells(cv::Size grid, const std::function<void(int x, int y, int cell)>& use) {
  for (int y = 0; y < grid.height; ++y)
    for (int x = 0; x < grid.width; ++x) use(x, y, y * grid.width + x);
}

double logistic(double x) {
  return 1 / (1 + std::exp(-x));
}

cv::Rect2d centred(double x, double y, double width, double height) {
  return {x - width / 2, y - height / 2, width, height};
}

/** What one of the networks finds on a canvas, weak ones and many times the same. */
using Reference = std::vector<Object> (*)(const cv::Mat& canvas);

std::map<std::string, cv::Mat> forward(cv::dnn::Net net, const cv::Mat& blob) {
  net.setInput(blob);
  const std::vector<cv::String> names = net.getUnconnectedOutLayersNames();
  std::vector<cv::Mat> values;
  net.forward(values, names);
  std::map<std::string, cv::Mat> tensors;
  for (std::size_t i = 0; i < names.size(); ++i) tensors[names[i]] = values[i].clone();
  return tensors;
}

/** Row `index` of a tensor of three dimensions whose first is 1, or the channel of one of four. */
const float* at(const cv::Mat& tensor, int index) {
  return tensor.ptr<float>(0, index);
}

std::vector<Object> yolox(const cv::Mat& canvas) {
  const cv::Mat blob = cv::dnn::blobFromImage(canvas);
  const cv::Mat rows =
      forward(cv::dnn::readNet(sharedFile("models/yolox_nano.onnx")), blob).at("output");
  std::vector<Object> objects;
  int first = 0;
  for (const int s : {8, 16, 32}) {
    const cv::Size grid(canvas.cols / s, canvas.rows / s);
    forCells(grid, [&](int x, int y, int cell) {
      const cv::Mat row(1, 85, CV_32F, const_cast<float*>(at(rows, first + cell)));
      const float* o = row.ptr<float>();
      double best = 0;
      cv::Point label;
      cv::minMaxLoc(row.colRange(5, 85), nullptr, &best, nullptr, &label);
      objects.push_back(
          {centred((o[0] + x) * s, (o[1] + y) * s, std::exp(o[2]) * s, std::exp(o[3]) * s),
           o[4] * best, label.x});
    });
    first += grid.area();
  }
  return objects;
}

std::vector<Object> yoloFastest(const cv::Mat& canvas) {
  const cv::Mat blob = cv::dnn::blobFromImage(canvas, 1 / 255.0, {}, {}, true);
  std::vector<Object> objects;
  for (const auto& [name, rows] :
       forward(cv::dnn::readNet(sharedFile("models/yolo-fastest-1.1-xl.cfg"),
                                sharedFile("models/yolo-fastest-1.1-xl.weights")),
               blob))
    for (int i = 0; i < rows.rows; ++i) {
      const cv::Mat row = rows.row(i);
      const float* o = row.ptr<float>();
      double best = 0;
      cv::Point label;
      cv::minMaxLoc(row.colRange(5, 85), nullptr, &best, nullptr, &label);
      objects.push_back(
          {centred(o[0] * canvas.cols, o[1] * canvas.rows, o[2] * canvas.cols, o[3] * canvas.rows),
           best, label.x});
    }
  return objects;
}

std::vector<Object> yolov8Seg(const cv::Mat& canvas) {
  const auto tensors = forward(cv::dnn::readNet(sharedFile("models/yolov8n-seg_w8.onnx")),
                               cv::dnn::blobFromImage(canvas, 1 / 255.0, {}, {}, true));
  const cv::Mat prototypes = tensors.at("output1").reshape(1, 32);
  std::vector<Object> objects;
  for (const int s : {8, 16, 32}) {
    const cv::Mat& head = tensors.at("head_s" + std::to_string(s));
    forCells({head.size[3], head.size[2]}, [&](int x, int y, int cell) {
      std::array<double, 4> sides{};
      for (int side = 0; side < 4; ++side) {
        double sum = 0;
        for (int bin = 0; bin < 16; ++bin) {
          const double weight = std::exp(static_cast<double>(at(head, side * 16 + bin)[cell]));
          sum += weight;
          sides[static_cast<std::size_t>(side)] += weight * bin;
        }
        sides[static_cast<std::size_t>(side)] *= s / sum;
      }
      Object object;
      object.box = {(x + 0.5) * s - sides[0], (y + 0.5) * s - sides[1], sides[0] + sides[2],
                    sides[1] + sides[3]};
      for (int label = 0; label < 80; ++label)
        if (at(head, 64 + label)[cell] > object.score) {
          object.score = at(head, 64 + label)[cell];
          object.label = label;
        }
      if (object.score >= 0.3) {
        cv::Mat coefficients(1, 32, CV_32F);
        for (int i = 0; i < 32; ++i) coefficients.at<float>(i) = at(head, 144 + i)[cell];
        // Its authors scale the sums up, and of what is above 0 there their logistic function is
        // above a half.
        cv::Mat sums = coefficients * prototypes;
        sums = sums.reshape(1, canvas.rows / 4);
        cv::resize(sums, sums, canvas.size());
        object.mask = sums + 0.5;
      }
      objects.push_back(object);
    });
  }
  return objects;
}

std::vector<Object> fastestDet(const cv::Mat& canvas) {
  const cv::Mat maps = forward(cv::dnn::readNet(sharedFile("models/FastestDet.onnx")),
                               cv::dnn::blobFromImage(canvas, 1 / 255.0))
                           .at("758");
  std::vector<Object> objects;
  forCells({22, 22}, [&](int x, int y, int cell) {
    double best = 0;
    int label = 0;
    for (int i = 0; i < 80; ++i)
      if (at(maps, 5 + i)[cell] > best) {
        best = at(maps, 5 + i)[cell];
        label = i;
      }
    objects.push_back(
        {centred((x + std::tanh(at(maps, 1)[cell])) / 22 * 352,
                 (y + std::tanh(at(maps, 2)[cell])) / 22 * 352, logistic(at(maps, 3)[cell]) * 352,
                 logistic(at(maps, 4)[cell]) * 352),
         std::pow(at(maps, 0)[cell], 0.6) * std::pow(best, 0.4), label});
  });
  return objects;
}

std::vector<Object> yunet(const cv::Mat& canvas) {
  const auto tensors = forward(cv::dnn::readNet(sharedFile("models/yunet_n_640_640.onnx")),
                               cv::dnn::blobFromImage(canvas));
  std::vector<Object> objects;
  for (const int s : {8, 16, 32}) {
    const auto values = [&](const char* name, int cell) {
      return at(tensors.at(name + ("_" + std::to_string(s))), cell);
    };
    forCells({canvas.cols / s, canvas.rows / s}, [&](int x, int y, int cell) {
      const float* b = values("bbox", cell);
      Object face{centred((x + b[0]) * s, (y + b[1]) * s, std::exp(b[2]) * s, std::exp(b[3]) * s),
                  std::sqrt(*values("cls", cell) * *values("obj", cell)), 0};
      for (int i = 0; i < 5; ++i)
        face.joints.emplace_back((values("kps", cell)[2 * i] + x) * s,
                                 (values("kps", cell)[2 * i + 1] + y) * s);
      objects.push_back(std::move(face));
    });
  }
  return objects;
}

/** The objects that OpenCV's own suppression leaves. */
std::vector<Object> suppressed(const std::vector<Object>& objects, const ModelFile& file) {
  std::map<int, std::vector<Object>> classes;
  for (const Object& object : objects) classes[object.label].push_back(object);
  std::vector<Object> left;
  for (const auto& [label, all] : classes) {
    std::vector<cv::Rect2d> boxes;
    std::vector<float> scores;
    std::vector<int> kept;
    for (const Object& object : all) {
      boxes.push_back(object.box);
      scores.push_back(static_cast<float>(object.score));
    }
    cv::dnn::NMSBoxes(boxes, scores, file.rules.minScore, static_cast<float>(file.nms.value()),
                      kept);
    for (const int i : kept) left.push_back(all[static_cast<std::size_t>(i)]);
  }
  return left;
}

struct Case {
  const char* model;
  Reference reference;
  const char* clip;
  int frame;
  /** What the picture is scaled down to; none: it is not. */
  Size scaledTo;
  std::size_t atLeast;
};

void PrintTo(const Case& each, std::ostream* out) {
  *out << each.model << " on " << each.clip << " at " << each.scaledTo.width;
}

class RealNetworks : public ::testing::TestWithParam<Case> {};

TEST_P(RealNetworks, FindWhatTheirTensorsSay) {
  const Case& given = GetParam();
  if (!std::filesystem::exists(sharedFile("models/coco.names")))
    GTEST_SKIP() << "no shared models in " << getenv("ELF_TEST_SHARED");
  const cv::Mat frame = frameOf(sharedFile(std::string("clips/") + given.clip), given.frame);
  if (frame.empty()) GTEST_SKIP() << "no shared clip, or no decoder for it";
  ModelFile file = loadModelFile(given.model);
  if (file.rules.fixedSize.empty()) file.rules.maxSize = given.scaledTo;
  const auto found = run(*InferenceModel::create(file), frame);
  ASSERT_TRUE(found) << found.error();

  cv::Mat scaled = frame;
  const cv::Size to(given.scaledTo.width, given.scaledTo.height);
  if (!given.scaledTo.empty()) cv::resize(frame, scaled, to, 0, 0, cv::INTER_AREA);
  cv::Size size((scaled.cols + 31) / 32 * 32, (scaled.rows + 31) / 32 * 32);
  if (!file.rules.fixedSize.empty()) size = {352, 352};
  cv::Mat canvas(size, CV_8UC3, cv::Scalar::all(114));
  scaled.copyTo(canvas(cv::Rect({}, scaled.size())));
  const double sx = static_cast<double>(frame.cols) / scaled.cols;
  const double sy = static_cast<double>(frame.rows) / scaled.rows;
  const std::vector<Object> expected = suppressed(given.reference(canvas), file);
  EXPECT_GE(expected.size(), given.atLeast);
  EXPECT_EQ(found.value().size(), expected.size());

  for (const Object& object : expected) {
    const cv::Rect2d box = cv::Rect2d(object.box.x * sx, object.box.y * sy, object.box.width * sx,
                                      object.box.height * sy) &
                           cv::Rect2d(0, 0, frame.cols, frame.rows);
    const auto match = std::ranges::find_if(found.value(), [&](const Detection& d) {
      return d.labelId == object.label && std::abs(d.score - object.score) < 1e-3 &&
             std::abs(d.box.x0 - box.x) < 1 && std::abs(d.box.y0 - box.y) < 1 &&
             std::abs(d.box.x1 - box.br().x) < 1 && std::abs(d.box.y1 - box.br().y) < 1;
    });
    ASSERT_NE(match, found.value().end()) << object.label << " " << object.score << " " << box;
    EXPECT_EQ(match->label, file.rules.label(object.label));

    ASSERT_EQ(match->mask.has_value(), !object.mask.empty());
    if (match->mask) {
      const Rect rect = roundOutwards(match->box, {frame.cols, frame.rows});
      ASSERT_EQ(match->mask->rect(), rect);
      cv::Mat sure;
      cv::resize(object.mask(cv::Rect({}, scaled.size())), sure, frame.size());
      std::vector<std::uint8_t> pixels;
      for (int y = rect.y; y < rect.bottom(); ++y)
        for (int x = rect.x; x < rect.right(); ++x) pixels.push_back(sure.at<float>(y, x) > 0.5F);
      EXPECT_GE(iou(*match->mask, Mask(rect, pixels)), 0.98) << box;
    }
    ASSERT_EQ(match->keypoints.size(), object.joints.size());
    for (std::size_t i = 0; i < object.joints.size(); ++i) {
      EXPECT_NEAR(match->keypoints[i].x, object.joints[i].x * sx, 1);
      EXPECT_NEAR(match->keypoints[i].y, object.joints[i].y * sy, 1);
      EXPECT_EQ(match->keypoints[i].visibility, match->score);
    }
  }
}

constexpr const char* kPeople = "people_walking_720p.mp4";
constexpr const char* kCars = "cars_720p.mp4";
constexpr const char* kRoom = "two_people_1080p.mp4";

INSTANTIATE_TEST_SUITE_P(
    Of, RealNetworks,
    ::testing::Values(Case{"yolox-nano", yolox, kPeople, 0, {}, 10},
                      Case{"yolox-nano", yolox, kCars, 20, {640, 360}, 4},
                      Case{"yolo-fastest-xl", yoloFastest, kCars, 20, {}, 4},
                      Case{"yolov8n-seg", yolov8Seg, kPeople, 10, {}, 12},
                      Case{"yolov8n-seg", yolov8Seg, kCars, 20, {600, 338}, 4},
                      Case{"fastestdet", fastestDet, kPeople, 10, {352, 198}, 5},
                      Case{"fastestdet", fastestDet, kCars, 20, {352, 198}, 2},
                      Case{"yunet", yunet, kPeople, 10, {}, 2},
                      Case{"yunet", yunet, kRoom, 10, {1000, 563}, 1}),
    [](const auto& instance) {
      std::string name = instance.param.model;
      std::erase(name, '-');
      return name + std::to_string(instance.index);
    });

TEST_P(RealNetworks, FindTheSameInABatchOrRefuseBatches) {
  if (!std::filesystem::exists(sharedFile("models/coco.names")))
    GTEST_SKIP() << "no shared models in " << getenv("ELF_TEST_SHARED");
  ModelFile file = loadModelFile(GetParam().model);
  file.maxBatch = 3;
  std::vector<cv::Mat> parts;
  const cv::Mat frame = frameOf(sharedFile(std::string("clips/") + GetParam().clip), 1);
  if (frame.empty()) GTEST_SKIP() << "no shared clip, or no decoder for it";
  for (const int x : {100, 400, 700}) parts.push_back(frame(cv::Rect(x, 200, 416, 352)));
  // Their reshapes are written for one picture.
  const std::string name = GetParam().model;
  if (name == "yolox-nano" || name == "fastestdet") {
    EXPECT_THAT([&] { InferenceModel::create(file); },
                ::testing::ThrowsMessage<Error>(::testing::HasSubstr("max-batch must be 1")));
    return;
  }
  const auto model = InferenceModel::create(file);
  std::vector<PlacedPicture> pictures;
  for (const cv::Mat& part : parts) pictures.push_back({viewOf(part), {.frame = {416, 352}}});
  const auto all = model->runBatch(pictures);
  ASSERT_EQ(all.size(), parts.size());
  std::size_t found = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto one = run(*model, parts[i]);
    ASSERT_TRUE(one && all[i]);
    ASSERT_EQ(all[i].value().size(), one.value().size());
    for (std::size_t j = 0; j < one.value().size(); ++j) {
      const Detection &a = all[i].value()[j], &b = one.value()[j];
      EXPECT_EQ(a.labelId, b.labelId);
      EXPECT_NEAR(a.score, b.score, 1e-4);
      EXPECT_GE(iou(a.box, b.box), 0.999);
      EXPECT_EQ(a.mask, b.mask);
      EXPECT_EQ(a.keypoints.size(), b.keypoints.size());
    }
    found += one.value().size();
  }
  EXPECT_GE(found, 1U);
}

TEST(SimplePose, FindsTheJointsOfEachPersonThatTheDetectorFinds) {
  if (!std::filesystem::exists(sharedFile("models/ultralight-simplepose_bnfold.onnx")))
    GTEST_SKIP() << "no shared models in " << getenv("ELF_TEST_SHARED");
  const cv::Mat frame = frameOf(sharedFile("clips/two_people_1080p.mp4"), 10);
  if (frame.empty()) GTEST_SKIP() << "no shared clip, or no decoder for it";
  const auto boxes = run(*InferenceModel::create(loadModelFile("yolox-nano")), frame);
  ASSERT_TRUE(boxes) << boxes.error();
  const auto model = InferenceModel::create(loadModelFile("simplepose"));
  const auto found = run(*model, frame);
  ASSERT_TRUE(found) << found.error();

  cv::dnn::Net net = cv::dnn::readNet(sharedFile("models/ultralight-simplepose_bnfold.onnx"));
  auto joined = found.value().begin();
  int people = 0;
  double seen = 0;
  for (const Detection& person : boxes.value()) {
    if (person.label != "person") continue;
    ++people;
    ASSERT_NE(joined, found.value().end());
    EXPECT_EQ(joined->box, person.box);
    EXPECT_EQ(joined->score, person.score);
    EXPECT_EQ(joined->label, "person");
    ASSERT_EQ(joined->keypoints.size(), 17U);

    // The crop 1.25 times as large, at least as wide as 3:4 asks for.
    const double height =
        1.25 * std::max<double>(person.box.height(), person.box.width() * 4.0 / 3);
    const cv::Rect2d crop =
        centred(person.box.centreX(), person.box.centreY(), height * 3 / 4, height);
    const double sx = 192 / crop.width, sy = 256 / crop.height;
    // OpenCV counts from the middle of the first pixel.
    const cv::Matx23d affine(sx, 0, (0.5 - crop.x) * sx - 0.5, 0, sy, (0.5 - crop.y) * sy - 0.5);
    cv::Mat pixels;
    cv::warpAffine(frame, pixels, affine, {192, 256}, cv::INTER_LINEAR, cv::BORDER_CONSTANT,
                   cv::Scalar::all(114));
    cv::Mat rgb;
    cv::cvtColor(pixels, rgb, cv::COLOR_BGR2RGB);
    rgb.convertTo(rgb, CV_32F, 1 / 255.0);
    cv::subtract(rgb, cv::Scalar(0.485, 0.456, 0.406), rgb);
    cv::divide(rgb, cv::Scalar(0.229, 0.224, 0.225), rgb);
    const cv::Mat maps = forward(net, cv::dnn::blobFromImage(rgb)).begin()->second;
    for (int i = 0; i < 17; ++i) {
      const cv::Mat map(64, 48, CV_32F, const_cast<float*>(at(maps, i)));
      double peak = 0;
      cv::Point place;
      cv::minMaxLoc(map, nullptr, &peak, nullptr, &place);
      const Keypoint& joint = joined->keypoints[static_cast<std::size_t>(i)];
      const auto towards = [&](const cv::Point& step) {
        const cv::Rect inside(1, 1, 46, 62);
        if (!inside.contains(place)) return 0.0;
        return map.at<float>(place + step) > map.at<float>(place - step) ? 0.25 : -0.25;
      };
      const double cell = height / 64;
      EXPECT_NEAR(joint.x, crop.x + (place.x + towards({1, 0})) * cell, 1);
      EXPECT_NEAR(joint.y, crop.y + (place.y + towards({0, 1})) * cell, 1);
      EXPECT_NEAR(joint.visibility, peak, 1e-2);
      seen += joint.visibility > kSeenJoint;
    }
    ++joined;
  }
  EXPECT_EQ(joined, found.value().end());
  EXPECT_GE(people, 2);
  EXPECT_GE(seen / people, 14);
}

}  // namespace
}  // namespace elf
