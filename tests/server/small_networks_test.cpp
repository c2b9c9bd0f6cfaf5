// SPDX-License-Identifier: LGPL-2.1-or-later
// Networks without weights, which are short texts: files of Caffe and TensorFlow, and a classifier
// that looks at the boxes of a detector.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <opencv2/imgproc.hpp>

#include "elf/server/inference_model.h"
#include "tests/support/folder.h"
#include "tests/support/pictures.h"

namespace elf {
namespace {

using ::testing::HasSubstr;
using testing::run;

/** An SSD whose classes are red, green and, as background, blue, in cells of 16 x 16 pixels. */
constexpr const char* kCells = R"(
input: "data"
input_shape { dim: 1 dim: 3 dim: 64 dim: 64 }
layer { name: "cells" type: "Pooling" bottom: "data" top: "cells"
  pooling_param { pool: AVE kernel_size: 16 stride: 16 } }
layer { name: "order" type: "Permute" bottom: "cells" top: "order"
  permute_param { order: 0 order: 2 order: 3 order: 1 } }
layer { name: "conf" type: "Flatten" bottom: "order" top: "conf" }
layer { name: "split" type: "Slice" bottom: "cells" top: "b" top: "g" top: "r"
  slice_param { axis: 1 } }
layer { name: "four" type: "Concat" bottom: "b" bottom: "g" bottom: "r" bottom: "b" top: "four" }
layer { name: "zero" type: "Power" bottom: "four" top: "zero" power_param { scale: 0 } }
layer { name: "loc" type: "Flatten" bottom: "zero" top: "loc" }
layer { name: "priors" type: "PriorBox" bottom: "cells" bottom: "data" top: "priors"
  prior_box_param { min_size: 16 variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2
                    step: 16 offset: 0.5 } }
layer { name: "detection_out" type: "DetectionOutput" bottom: "loc" bottom: "conf" bottom: "priors"
  top: "detection_out"
  detection_output_param { num_classes: 3 share_location: true background_label_id: 0
    nms_param { nms_threshold: 0.45 top_k: 100 } code_type: CENTER_SIZE keep_top_k: 100
    confidence_threshold: 0.3 } }
)";
/** The mean of each channel. */
constexpr const char* kMeanOfCaffe = R"(
input: "data"
input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }
layer { name: "mean" type: "Pooling" bottom: "data" top: "mean"
  pooling_param { pool: AVE global_pooling: true } }
)";
constexpr const char* kMeanOfTensorflow = R"(
node { name: "data" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }
  attr { key: "shape" value { shape {
    dim { size: 1 } dim { size: 8 } dim { size: 8 } dim { size: 3 } } } } }
node { name: "mean" op: "AvgPool" input: "data"
  attr { key: "ksize" value { list { i: 1 i: 8 i: 8 i: 1 } } }
  attr { key: "strides" value { list { i: 1 i: 8 i: 8 i: 1 } } }
  attr { key: "padding" value { s: "VALID" } }
  attr { key: "data_format" value { s: "NHWC" } } }
)";

class SmallNetworks : public ::testing::Test {
 protected:
  SmallNetworks() {
    write("cells.prototxt", kCells);
    write("mean.prototxt", kMeanOfCaffe);
    write("mean.pbtxt", kMeanOfTensorflow);
    for (const char* empty : {"cells.caffemodel", "mean.caffemodel", "mean.pb"}) write(empty, "");
    write("cells.model",
          "[model]\nbackend=opencv-dnn\nfile=cells.prototxt;cells.caffemodel\n"
          "labels=blue;green;red\n[input]\nsize=64;64\nscale=0.00392156862745098\n"
          "[output]\ndecoder=ssd\nmin-score=0.35\n");
    // Black, with a red and a dark green block, twice as large as the network sees them.
    picture_ = cv::Mat::zeros(64, 128, CV_8UC3);
    picture_(kRed).setTo(cv::Scalar(0, 0, 255));
    picture_(kGreen).setTo(cv::Scalar(0, 128, 0));
  }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_.file(name)) << text;
  }
  std::unique_ptr<InferenceModel> modelOf(const std::string& text) const {
    return InferenceModel::create(parseModelFile(text, "m", folder_.file("m.model")));
  }
  std::string errorOf(const std::string& text) const {
    try {
      modelOf(text);
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  }
  static std::string classifier(const std::string& files, const std::string& model = {},
                                const std::string& input = {}, const std::string& output = {}) {
    return "[model]\nbackend=opencv-dnn\nfile=" + files + "\ndetector=cells\nlabels=b;g;r\n" +
           model + "[input]\nsize=8;8\nscale=0.01\n" + input + "[output]\ndecoder=classes\n" +
           output;
  }

  static inline const cv::Rect kRed{64, 32, 32, 32}, kGreen{0, 0, 32, 32};
  static constexpr const char* kCaffe = "mean.prototxt;mean.caffemodel";
  testing::Folder folder_;
  cv::Mat picture_;
};

TEST_F(SmallNetworks, OfCaffeWithADetectionOutputLayerFindWhatTheySee) {
  const auto model = InferenceModel::create(loadModelFile(folder_.file("cells.model")));
  EXPECT_EQ(model->platform(), "caffe");
  const auto found = run(*model, picture_);
  ASSERT_TRUE(found) << found.error();
  ASSERT_EQ(found.value().size(), 2U);
  EXPECT_EQ(found.value()[0].label, "red");
  EXPECT_FLOAT_EQ(found.value()[0].score, 1);
  EXPECT_EQ(found.value()[0].box, (Box{64, 32, 96, 64}));
  EXPECT_EQ(found.value()[1].label, "green");
  EXPECT_NEAR(found.value()[1].score, 128 / 255.0, 1e-5);
  EXPECT_EQ(found.value()[1].box, (Box{0, 0, 32, 32}));
}

TEST_F(SmallNetworks, OfCaffeAndTensorflowClassifyTheBoxesOfADetector) {
  for (const std::string files : {kCaffe, "mean.pb;mean.pbtxt"}) {
    const auto model = modelOf(classifier(files));
    EXPECT_EQ(model->rules().fixedSize, (Size{64, 64}));
    const auto found = run(*model, picture_);
    ASSERT_TRUE(found) << found.error();
    ASSERT_EQ(found.value().size(), 2U);
    const Detection& red = found.value()[0];
    EXPECT_EQ(red.label, "r");
    EXPECT_EQ(red.labelId, 2);
    EXPECT_EQ(red.box, (Box{64, 32, 96, 64}));
    // Each fifth pixel of a crop of 40 x 40: two of eight are beside the block, the last row is
    // below the picture.
    cv::Mat crop(8, 8, CV_8UC3, cv::Scalar::all(0));
    crop(cv::Rect(1, 1, 6, 6)).setTo(cv::Scalar(0, 0, 255));
    crop.row(7).setTo(cv::Scalar::all(114));
    const cv::Scalar logits = cv::mean(crop) * 0.01;
    const double sum = std::exp(logits[0]) + std::exp(logits[1]) + std::exp(logits[2]);
    EXPECT_NEAR(red.score, std::exp(logits[2]) / sum, 1e-3);
    EXPECT_EQ(found.value()[1].label, "g");
  }
}

TEST_F(SmallNetworks, ClassifyOnlyTheLabelsThatAreAskedFor) {
  const auto found = run(*modelOf(classifier(kCaffe, "detector-labels=green\n")), picture_);
  ASSERT_TRUE(found) << found.error();
  ASSERT_EQ(found.value().size(), 1U);
  EXPECT_EQ(found.value()[0].label, "g");
}

TEST_F(SmallNetworks, LeaveOutWhatTheirClassifierIsNotSureOf) {
  const auto found = run(*modelOf(classifier(kCaffe, {}, {}, "min-score=0.6\n")), picture_);
  ASSERT_TRUE(found) << found.error();
  ASSERT_EQ(found.value().size(), 1U);
  EXPECT_EQ(found.value()[0].label, "r");
}

TEST_F(SmallNetworks, SeeEachChannelDividedByItsDeviation) {
  const auto found =
      run(*modelOf(classifier(kCaffe, "detector-labels=red\n", "std=1;1;1000\n")), picture_);
  ASSERT_TRUE(found) << found.error();
  ASSERT_EQ(found.value().size(), 1U);
  // Nothing is left of red, and of grey the same in blue and green.
  EXPECT_EQ(found.value()[0].label, "b");
  EXPECT_NEAR(found.value()[0].score, 1 / 3.0, 0.05);
}

TEST_F(SmallNetworks, OfOtherClassesThanThereAreLabelsAreRefusedAtOnce) {
  for (const std::string labels : {"labels=b;g\n", "labels=b;g;r;w\n"}) {
    std::string text = classifier(kCaffe);
    text.replace(text.find("labels="), std::string("labels=b;g;r\n").size(), labels);
    EXPECT_THAT(errorOf(text), AllOf(HasSubstr("mean.prototxt"), HasSubstr("[model] labels are "),
                                     HasSubstr(", the network has 3 classes")));
  }
}

TEST_F(SmallNetworks, ThatGiveOtherTensorsThanTheFileSaysAreRefusedAtOnce) {
  const std::string joints =
      "[model]\nbackend=opencv-dnn\nfile=mean.prototxt;mean.caffemodel\ndetector=cells\n"
      "task=keypoints\n[input]\nsize=8;8\n[output]\ndecoder=heat-maps\nkeypoints=";
  EXPECT_EQ(errorOf(joints + "3\n"), "");
  EXPECT_THAT(errorOf(joints + "4\n"),
              AllOf(HasSubstr("mean.prototxt"), HasSubstr("mean 1x3x1x1")));
  EXPECT_THAT(errorOf(classifier("cells.prototxt;cells.caffemodel")), HasSubstr("cells.prototxt"));
  EXPECT_THAT(errorOf(classifier("mean.caffemodel;mean.prototxt")),
              AllOf(HasSubstr("m.model: [model] file"), HasSubstr(".caffemodel")));
  write("mean.prototxt", "layer {");
  EXPECT_THAT(errorOf(classifier(kCaffe)), HasSubstr("mean.prototxt"));
}

}  // namespace
}  // namespace elf
