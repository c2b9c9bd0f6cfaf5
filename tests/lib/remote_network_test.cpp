// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/servers/remote_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "elf/base/half.h"
#include "elf/base/random.h"
#include "elf/decode/input_tensor.h"
#include "elf/wire/metadata.h"
#include "tests/support/near.h"

namespace elf {
namespace {

using ::testing::ElementsAre;
using testing::expectNear;
using ::testing::HasSubstr;
using wire::DataType;
using Bytes = std::vector<std::uint8_t>;

wire::ModelMetadata metadata(const std::string& inputs, const std::string& outputs) {
  const std::string text = R"({"name":"net","platform":"onnxruntime_onnx","inputs":[)" + inputs +
                           R"(],"outputs":[)" + outputs + "]}";
  return wire::parseMetadata({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()})
      .value();
}

std::string tensor(const std::string& name, const std::string& type, const std::string& shape) {
  return R"({"name":")" + name + R"(","datatype":")" + type + R"(","shape":)" + shape + "}";
}

const std::string kOutput = tensor("output0", "FP32", "[1,6,84]");

ModelFile file(const std::string& text) {
  return parseModelFile("[model]\nbackend=remote\n" + text, "net", "net.model");
}

Result<RemoteNetwork::Ptr> networkOf(const std::string& inputs, const ModelFile& said,
                                     const std::string& outputs = kOutput) {
  return RemoteNetwork::of(said, metadata(inputs, outputs));
}

template <typename T>
wire::Tensor output(const std::string& name, DataType type, std::vector<std::int64_t> shape,
                    const std::vector<T>& values) {
  wire::Tensor made{.name = name, .type = type, .shape = std::move(shape)};
  made.data.resize(values.size() * sizeof(T));
  if (!values.empty()) std::memcpy(made.data.data(), values.data(), made.data.size());
  return made;
}

/** Columns of YOLOv8's layout on a canvas of 64x64, with one object of class 1 in each of `boxes`,
 * which tell centre and size. */
std::vector<float> columns(const std::vector<std::array<float, 4>>& boxes) {
  constexpr std::size_t kCells = 84;
  std::vector<float> values(6 * kCells);
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    for (std::size_t row = 0; row < 4; ++row) values[row * kCells + i] = boxes[i][row];
    values[5 * kCells + i] = 0.875F;
  }
  return values;
}

wire::InferResponse answer(std::vector<wire::Tensor> outputs) {
  return {.model = "net", .outputs = std::move(outputs)};
}

const wire::InferResponse kOneObject =
    answer({output("output0", DataType::Fp32, {1, 6, 84}, columns({{32, 32, 16, 8}}))});

/** A network of 64x64 that has passed its trial. */
RemoteNetwork::Ptr tried(const std::string& text, const std::string& type = "FP32",
                         const std::string& shape = "[-1,3,64,64]") {
  const auto untried = networkOf(tensor("images", type, shape), file(text));
  EXPECT_TRUE(untried) << untried.error();
  const auto known = untried.value()->tried("http://a", kOneObject);
  EXPECT_TRUE(known) << known.error();
  return known.value();
}

TEST(RemoteNetwork, IsOnlyWhereAServerTakesItsTensor) {
  const ModelFile nothing = remoteModel("net");
  const auto is = [](const std::string& inputs, const ModelFile& said,
                     const std::string& outputs = kOutput) {
    const auto network = networkOf(inputs, said, outputs);
    EXPECT_TRUE(network) << network.error();
    return network && network.value();
  };
  const std::string images = tensor("images", "FP32", "[1,3,64,64]");
  EXPECT_TRUE(is(images, nothing));
  EXPECT_TRUE(is(tensor("images", "FP16", "[-1,3,-1,-1]"), nothing));
  EXPECT_TRUE(is(tensor("images", "UINT8", "[1,64,64,3]"), nothing));
  EXPECT_TRUE(is(tensor("images", "FP32", "[3,64,64]"), nothing));
  EXPECT_TRUE(is(images + "," + tensor("orig_target_sizes", "INT64", "[-1,2]"), nothing));
  // What docs/wire.md describes.
  const std::string objects = tensor("boxes", "FP32", "[-1,4]") + "," +
                              tensor("scores", "FP32", "[-1]") + "," +
                              tensor("labels", "INT64", "[-1]");
  EXPECT_FALSE(is(tensor("image", "BYTES", "[1]"), nothing, objects));
  EXPECT_FALSE(is(tensor("image", "UINT8", "[1,-1,-1,3]"), nothing, objects));
  EXPECT_FALSE(is(tensor("image", "FP32", "[1,-1,-1,3]"), nothing, objects))
      << "OpenVINO Model Server decodes files itself";
  EXPECT_FALSE(is("", nothing, ""));
  EXPECT_FALSE(is(images, nothing, "")) << "nobody knows what comes back";
  EXPECT_FALSE(is(images + "," + tensor("more", "FP32", "[1]"), nothing));
  // RT-DETR tells objects too, but of a batch.
  const std::string batch = tensor("boxes", "FP32", "[-1,300,4]") + "," +
                            tensor("scores", "FP32", "[-1,300]") + "," +
                            tensor("labels", "INT64", "[-1,300]");
  EXPECT_TRUE(is(images, nothing, batch));
  // A file that names a decoder is believed, one of another kind has nothing to say.
  EXPECT_TRUE(is("", file("[input]\nsize=64;64\n[output]\ndecoder=yolov8\n"), ""));
  EXPECT_FALSE(is(images, parseModelFile("[model]\nbackend=simulated\n", "net", "net.model")));
  EXPECT_TRUE(is(images, parseModelFile("[model]\nbackend=onnx\nfile=net.onnx\n", "net", "n")))
      << "what runs it elsewhere may be another server";
}

TEST(RemoteNetwork, WhatTheMetadataTellAndTheFileSaysMustAgree) {
  const auto errorOf = [](const std::string& inputs, const std::string& text) {
    const auto network =
        networkOf(inputs, file(text + "[output]\ndecoder=yolov8\n"), inputs.empty() ? "" : kOutput);
    return network ? "" : network.error();
  };
  const std::string images = tensor("images", "FP32", "[1,3,64,96]");
  EXPECT_EQ(errorOf(images, "[input]\nsize=96;64\n[tensors]\nlayout=NCHW\ndatatype=FP32\n"), "");
  EXPECT_EQ(errorOf(images, "[input]\nsize=64;96\n"),
            "its input images FP32 [1,3,64,96]: is not of the .model file's [input] size 64;96");
  EXPECT_EQ(errorOf(images, "[tensors]\nlayout=NHWC\n"),
            "its input images FP32 [1,3,64,96]: is not of the .model file's [tensors] layout NHWC");
  EXPECT_EQ(errorOf(images, "[tensors]\nlayout=CHW\n"),
            "its input images FP32 [1,3,64,96]: is not of the .model file's [tensors] layout CHW");
  EXPECT_EQ(
      errorOf(images, "[tensors]\ndatatype=FP16\n"),
      "its input images FP32 [1,3,64,96]: is not of the .model file's [tensors] datatype FP16");
  EXPECT_EQ(errorOf(images, "[tensors]\nimage=x\n"), "its inputs: none is called 'x'");
  EXPECT_THAT(errorOf(tensor("images", "INT8", "[1,3,64,64]"), ""),
              HasSubstr("images INT8 [1,3,64,64]: no picture goes into it"));
  EXPECT_THAT(errorOf(tensor("images", "FP32", "[1,1,64,64]"), ""), HasSubstr("no picture"));
  EXPECT_THAT(errorOf(tensor("images", "FP32", "[1,3]"), "[tensors]\nlayout=NCHW\n"),
              HasSubstr("is not of the .model file's [tensors] layout NCHW"));
  EXPECT_EQ(errorOf(tensor("images", "FP32", "[-1,-1,-1,-1]"),
                    "[input]\nsize=64;64\n[tensors]\nlayout=NHWC\n"),
            "");
  EXPECT_THAT(errorOf(tensor("images", "FP32", "[1,3,64,-1]"), ""), HasSubstr("[input] size"));
  EXPECT_THAT(errorOf(images + "," + tensor("more", "FP32", "[1]"), ""),
              HasSubstr("more FP32 [1]: is neither the picture nor its size"));
  EXPECT_THAT(errorOf(images + "," + tensor("b", "FP32", "[1,3,64,64]"), ""),
              HasSubstr("[tensors] image"));
  EXPECT_EQ(errorOf("", ""),
            "its metadata: they tell no size of pictures (say [input] size or multiple-of in a "
            ".model file)");
}

TEST(RemoteNetwork, PartsAreCutForWhatIsTold) {
  const auto rulesOf = [](const std::string& shape, const std::string& text) {
    return networkOf(tensor("images", "FP32", shape), file(text)).value()->rules();
  };
  EXPECT_EQ(rulesOf("[1,3,64,96]", "").fixedSize, (Size{96, 64}));
  EXPECT_EQ(rulesOf("[1,64,96,3]", "").fixedSize, (Size{96, 64}));
  EXPECT_EQ(rulesOf("[3,64,96]", "").fixedSize, (Size{96, 64}));
  EXPECT_EQ(rulesOf("[1,3,64,96]", "[input]\nmultiple-of=16\n").multipleOf, 1);
  EXPECT_EQ(rulesOf("[-1,3,-1,-1]", "").multipleOf, 32);
  EXPECT_EQ(rulesOf("[-1,3,-1,-1]", "[input]\nmultiple-of=16\n").multipleOf, 16);
  EXPECT_EQ(rulesOf("[-1,3,-1,-1]", "[input]\nsize=96;64\n").fixedSize, (Size{96, 64}));
  const ModelRules rules =
      rulesOf("[1,3,64,96]", "labels=a;b\n[output]\nmin-score=0.5\n[parts]\nobject-size=20\n");
  EXPECT_EQ(rules.label(1), "b");
  EXPECT_EQ(rules.objectSize, 20);
  EXPECT_EQ(rules.minScore, 0.5F);
  EXPECT_EQ(rulesOf("[1,3,64,96]", "").minScore, kUsualMinScore);
}

struct Prepared {
  const char* name;
  const char* type;
  const char* shape;
  const char* text;
};

class PreparedPictures : public ::testing::TestWithParam<Prepared> {};

/** The same tensor by what elf-server makes of the same pixels. */
Bytes expected(const cv::Mat& bgr, const ModelFile& settled, const std::string& type, bool last) {
  const cv::Mat pixels = Canvas::ofPicture(bgr, settled.rules, *settled.fit).pixels();
  const cv::Mat planes = inputTensor({&pixels, 1}, settled);
  Bytes bytes;
  const auto add = [&](float value) {
    if (type == "UINT8") return bytes.push_back(cv::saturate_cast<uchar>(value));
    Bytes raw(type == "FP16" ? 2 : 4);
    const std::uint16_t half = floatToHalf(value);
    if (type == "FP16")
      std::memcpy(raw.data(), &half, 2);
    else
      std::memcpy(raw.data(), &value, 4);
    bytes.insert(bytes.end(), raw.begin(), raw.end());
  };
  const int plane = pixels.rows * pixels.cols;
  const float* const values = planes.ptr<float>();
  for (int i = 0; i < 3 * plane; ++i) add(last ? values[i % 3 * plane + i / 3] : values[i]);
  return bytes;
}

TEST_P(PreparedPictures, AreWhatElfServerGivesItsOwnNetworks) {
  const auto& [name, type, shape, text] = GetParam();
  const auto network = networkOf(tensor("images", type, shape), file(text));
  ASSERT_TRUE(network) << network.error();
  const std::string layout = shape;
  const bool last = layout.ends_with(",3]"), batch = std::ranges::count(layout, ',') == 3;
  Random random(1);
  for (int i = 0; i < 12; ++i) {
    const Size size{1 + static_cast<int>(random.uniform(0, 150)),
                    1 + static_cast<int>(random.uniform(0, 150))};
    SCOPED_TRACE(std::to_string(size.width) + "x" + std::to_string(size.height));
    cv::Mat rgb(size.height, size.width, CV_8UC3), bgr(rgb.size(), CV_8UC3);
    cv::RNG(static_cast<std::uint64_t>(i) + 1).fill(rgb, cv::RNG::UNIFORM, 0, 256);
    cv::mixChannels(rgb, bgr, {0, 2, 1, 1, 2, 0});
    const wire::Tensor made =
        network.value()->prepare({rgb.data, rgb.total() * rgb.elemSize()}, size);
    const Size canvas = network.value()->rules().inputSize(size);
    std::vector<std::int64_t> sides{canvas.height, canvas.width};
    sides.insert(last ? sides.end() : sides.begin(), 3);
    if (batch) sides.insert(sides.begin(), 1);
    EXPECT_EQ(made.name, "images");
    EXPECT_EQ(toString(made.type), type);
    EXPECT_EQ(made.shape, sides);
    EXPECT_EQ(made.data, expected(bgr, network.value()->file(), type, last));
    EXPECT_EQ(static_cast<double>(made.data.size()),
              network.value()->bytesPerPixel() * canvas.area());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Of, PreparedPictures,
    ::testing::Values(
        Prepared{"Ultralytics", "FP32", "[-1,3,96,128]", "[output]\ndecoder=yolov8\n"},
        Prepared{"Halves", "FP16", "[1,3,96,128]", "[output]\ndecoder=yolov8\n"},
        Prepared{"Bytes", "UINT8", "[1,96,128,3]", "[output]\ndecoder=yolov8\n"},
        Prepared{"ScaledBytes", "UINT8", "[1,3,96,128]",
                 "[input]\nscale=1.5\nmean=10;20;30\n[output]\ndecoder=yolov8\n"},
        Prepared{"ChannelsLast", "FP32", "[1,96,128,3]", "[output]\ndecoder=end2end\n"},
        Prepared{"NoBatch", "FP32", "[3,96,128]", "[output]\ndecoder=objects\n"},
        Prepared{"NoBatchChannelsLast", "FP16", "[96,128,3]", "[output]\ndecoder=objects\n"},
        Prepared{"Stretched", "FP32", "[1,3,96,128]", "[output]\ndecoder=rf-detr\n"},
        Prepared{"BlueFirst", "FP32", "[1,3,96,128]", "[output]\ndecoder=yolox\n"},
        Prepared{"MeansInTheirOrder", "FP32", "[1,3,-1,-1]",
                 "[input]\ncolour=bgr\nmean=1;20;200\nstd=2;3;4\nscale=0.5\nmultiple-of=32\n"
                 "max-size=64;64\n[output]\ndecoder=yolov8\n"},
        Prepared{"AnySize", "FP32", "[-1,3,-1,-1]", "[output]\ndecoder=yolov5\n"},
        Prepared{"NotKnownYet", "FP32", "[1,3,96,128]", "[output]\ndecoder=auto\n"}),
    [](const auto& instance) { return instance.param.name; });

TEST(RemoteNetwork, TellsASecondInputTheSizeOfThePicture) {
  const auto tensors = [](const std::string& inputs, const std::string& text) {
    const auto network = networkOf(inputs, file(text + "[output]\ndecoder=rt-detr\n"));
    EXPECT_TRUE(network) << network.error();
    return network.value()->others({200, 50});
  };
  const std::string images = tensor("images", "FP32", "[1,3,96,128]");
  EXPECT_TRUE(tensors(images, "").empty());
  auto sizes = tensors(images + "," + tensor("orig_target_sizes", "INT64", "[-1,2]"), "");
  ASSERT_EQ(sizes.size(), 1U);
  EXPECT_EQ(sizes[0].name, "orig_target_sizes");
  EXPECT_EQ(sizes[0].shape, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(sizes[0].data, (Bytes{128, 0, 0, 0, 0, 0, 0, 0, 96, 0, 0, 0, 0, 0, 0, 0}));
  sizes = tensors(images + "," + tensor("size", "INT32", "[-1,2]"), "");
  EXPECT_EQ(sizes.at(0).data, (Bytes{128, 0, 0, 0, 96, 0, 0, 0}));
  // Where the metadata are empty a key names it.
  sizes = tensors("", "[input]\nsize=128;96\n[tensors]\norig-target-sizes=sizes\n");
  EXPECT_EQ(sizes.at(0).name, "sizes");
  EXPECT_EQ(sizes.at(0).type, DataType::Int64);
}

TEST(RemoteNetwork, BoxesComeBackInPixelsOfThePart) {
  const auto network = tried("labels=cat;dog\n[output]\ndecoder=yolov8\n");
  // 200 x 100 are 64 x 32 of the canvas, in the middle.
  const auto found = network->read(kOneObject, {200, 100});
  ASSERT_TRUE(found) << found.error();
  ASSERT_EQ(found.value().size(), 1U);
  expectNear(found.value()[0].box, {75, 37.5F, 125, 62.5F}, 1e-3F);
  EXPECT_EQ(found.value()[0].score, 0.875F);
  EXPECT_EQ(found.value()[0].labelId, 1);
  EXPECT_EQ(found.value()[0].label, "dog");
  EXPECT_EQ(tried("[output]\ndecoder=yolov8\n")->read(kOneObject, {64, 64}).value()[0].label, "")
      << "as from the wire, a number is no name";
}

TEST(RemoteNetwork, ReadsNumbersOfEachDatatype) {
  const auto network = tried("[output]\ndecoder=yolov8\n");
  const std::vector<float> values = columns({{32, 32, 16, 8}});
  const auto boxOf = [&](const wire::Tensor& tensor) {
    const auto found = network->read(answer({tensor}), {64, 64});
    EXPECT_TRUE(found) << found.error();
    return found && found.value().size() == 1 ? found.value()[0].box : Box{};
  };
  const Box box{24, 28, 40, 36};
  const std::vector<std::int64_t> shape{1, 6, 84};
  EXPECT_EQ(boxOf(output("output0", DataType::Fp32, shape, values)), box);
  EXPECT_EQ(boxOf(output("output0", DataType::Fp64, shape,
                         std::vector<double>(values.begin(), values.end()))),
            box);
  std::vector<std::uint16_t> halves, bfloats;
  for (const float value : values) {
    halves.push_back(floatToHalf(value));
    bfloats.push_back(floatToBfloat(value));
  }
  EXPECT_EQ(boxOf(output("output0", DataType::Fp16, shape, halves)), box);
  EXPECT_EQ(boxOf(output("output0", DataType::Bf16, shape, bfloats)), box);
  // A whole number in the place of the score.
  std::vector<float> whole = values;
  whole[5 * 84] = 1;
  const auto of = [&]<typename T>(DataType type, T) {
    return boxOf(output("output0", type, shape, std::vector<T>(whole.begin(), whole.end())));
  };
  EXPECT_EQ(of(DataType::Uint8, std::uint8_t{}), box);
  EXPECT_EQ(of(DataType::Uint16, std::uint16_t{}), box);
  EXPECT_EQ(of(DataType::Uint32, std::uint32_t{}), box);
  EXPECT_EQ(of(DataType::Uint64, std::uint64_t{}), box);
  EXPECT_EQ(of(DataType::Int8, std::int8_t{}), box);
  EXPECT_EQ(of(DataType::Int16, std::int16_t{}), box);
  EXPECT_EQ(of(DataType::Int32, std::int32_t{}), box);
  EXPECT_EQ(of(DataType::Int64, std::int64_t{}), box);
}

TEST(RemoteNetwork, WhatIsWrongWithAnAnswerIsOneSentence) {
  const auto network = tried("[output]\ndecoder=yolov8\n");
  const auto errorOf = [&](const wire::InferResponse& response) {
    const auto found = network->read(response, {64, 64});
    return found ? "" : found.error();
  };
  EXPECT_EQ(errorOf(answer({output<float>("x", DataType::Fp32, {0}, {})})),
            "outputs: output0 is missing");
  EXPECT_EQ(errorOf(answer({output<float>("output0", DataType::Fp32, {1, 2, 1}, {1, 2})})),
            "net: the network's output, output0 1x2x1, is not what [output] decoder expects");
  wire::Tensor text{.name = "output0", .type = DataType::Bytes, .shape = {0}};
  EXPECT_EQ(errorOf(answer({text})), "output0: has datatype BYTES (numbers, such as FP32)");
  EXPECT_EQ(errorOf(answer({output<float>("output0", DataType::Fp32, {1LL << 40, 0}, {})})),
            "output0: is of no possible shape");
  auto columnsWithNan = columns({{32, 32, 16, 8}});
  columnsWithNan[9] = std::numeric_limits<float>::quiet_NaN();
  const auto wrong = output("output0", DataType::Fp32, {1, 6, 84}, columnsWithNan);
  EXPECT_THAT(network->read(answer({wrong}), {64, 64}).error(),
              HasSubstr("the network's output output0 1x6x84 is not finite"));
  const auto untried = networkOf(tensor("images", "FP32", "[-1,3,64,64]"), file(""));
  EXPECT_THAT(untried.value()->tried("http://a", answer({wrong})).error(),
              HasSubstr("http://a: the network's output output0 1x6x84 is not finite"));
}

TEST(RemoteNetwork, ATrialTellsTheDecoderOrWhyNot) {
  const std::string images = tensor("images", "FP32", "[1,3,64,64]");
  const auto untried = networkOf(images, remoteModel("net")).value();
  const wire::Tensor noise = untried->trial();
  EXPECT_EQ(noise.shape, (std::vector<std::int64_t>{1, 3, 64, 64}));
  const auto known = untried->tried("http://a", kOneObject);
  ASSERT_TRUE(known) << known.error();
  EXPECT_EQ(known.value()->file().decoder, OutputDecoder::Yolov8);
  EXPECT_EQ(known.value()->file().fit, Fit::Centre);
  // What a raw network makes of a picture tells little of some layouts.
  std::vector<float> wild(9 * 84, 7);
  const auto undecided =
      untried->tried("http://a", answer({output("output0", DataType::Fp32, {1, 9, 84}, wild)}));
  ASSERT_FALSE(undecided);
  EXPECT_THAT(undecided.error(), HasSubstr("http://a: its outputs, output0 1x9x84, may be"));
  EXPECT_THAT(undecided.error(), HasSubstr("[output] decoder"));
  const auto wrong =
      networkOf(images, file("[output]\ndecoder=yolox\n")).value()->tried("http://a", kOneObject);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error(),
            "http://a: net: the network's output, output0 1x6x84, is not what [output] decoder "
            "expects");
  const auto labels = networkOf(images, file("labels=a;b;c\n[output]\ndecoder=yolov8\n"))
                          .value()
                          ->tried("http://a", kOneObject);
  ASSERT_FALSE(labels);
  EXPECT_THAT(labels.error(), HasSubstr("[model] labels are 3, the network has 2 classes"));
}

TEST(RemoteNetwork, AsksForNoOutputThatNobodyReads) {
  const auto namesOf = [](const RemoteNetwork& network) {
    std::vector<std::string> names;
    for (const auto& output : network.outputs(true)) names.push_back(output.name);
    return names;
  };
  const std::string images = tensor("images", "FP32", "[1,3,64,64]");
  const auto untried = networkOf(images, file("[output]\ndecoder=yolov5\n")).value();
  EXPECT_TRUE(untried->outputs(true).empty());
  std::vector<float> rows(252 * 7), raw(3 * 8 * 8 * 7);
  rows[0] = rows[1] = rows[2] = rows[3] = 20;
  const auto known =
      untried->tried("http://a", answer({output("raw", DataType::Fp32, {1, 3, 8, 8, 7}, raw),
                                         output("output0", DataType::Fp32, {1, 252, 7}, rows)}));
  ASSERT_TRUE(known) << known.error();
  EXPECT_THAT(namesOf(*known.value()), ElementsAre("output0"));
  // What a file names is asked for, and nothing else is looked at.
  const auto named =
      networkOf(images, file("[output]\ndecoder=yolov8\n[tensors]\noutputs=output0\n")).value();
  EXPECT_THAT(namesOf(*named), ElementsAre("output0"));
  auto two = kOneObject;
  two.outputs.push_back(output("more", DataType::Fp32, {1, 252, 7}, rows));
  EXPECT_TRUE(named->tried("http://a", two));
  EXPECT_FALSE(networkOf(images, file("[output]\ndecoder=yolov8\n")).value()->tried("a", two));
  const auto missing =
      networkOf(images, file("[output]\ndecoder=yolov8\n[tensors]\noutputs=output9\n"))
          .value()
          ->tried("http://a", two);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error(), "http://a: outputs: output9 is missing");
}

TEST(RemoteNetwork, WhatWasPreparedSuitsOnlyWhatIsPreparedAlike) {
  const auto a = tried("[output]\ndecoder=yolov8\n");
  EXPECT_TRUE(a->takesSame(*tried("labels=a;b\n[output]\ndecoder=yolov8\n")));
  EXPECT_FALSE(a->takesSame(*tried("[output]\ndecoder=yolov8\n", "FP16")));
  EXPECT_FALSE(a->takesSame(*tried("[output]\ndecoder=yolov8\n", "FP32", "[1,64,64,3]")));
  EXPECT_FALSE(a->takesSame(*tried("[input]\nscale=1\n[output]\ndecoder=yolov8\n")));
  EXPECT_FALSE(a->takesSame(*tried("[input]\nfit=stretch\n[output]\ndecoder=yolov8\n")));
}

TEST(Half, IsWhatOpenCvMakesOfIt) {
  cv::Mat halves(1, 1 << 16, CV_16F), floats, back;
  for (int i = 0; i < halves.cols; ++i)
    halves.ptr<std::uint16_t>()[i] = static_cast<std::uint16_t>(i);
  halves.convertTo(floats, CV_32F);
  for (int i = 0; i < halves.cols; ++i) {
    const float ours = halfToFloat(static_cast<std::uint16_t>(i)), theirs = floats.at<float>(i);
    if (std::isnan(theirs)) {
      EXPECT_TRUE(std::isnan(ours) && std::isnan(halfToFloat(floatToHalf(theirs)))) << i;
      continue;
    }
    ASSERT_EQ(ours, theirs) << i;
    ASSERT_EQ(floatToHalf(ours), i);
  }
  Random random(3);
  cv::Mat any(1, 10000, CV_32F);
  for (int i = 0; i < any.cols; ++i)
    any.at<float>(i) = static_cast<float>(std::ldexp(random.uniform(-1, 1), i % 45 - 28));
  any.convertTo(back, CV_16F);
  for (int i = 0; i < any.cols; ++i)
    ASSERT_EQ(floatToHalf(any.at<float>(i)), back.ptr<std::uint16_t>()[i]) << any.at<float>(i);
}

TEST(Bfloat, IsTheUpperHalfOfTheNearestFloat) {
  for (const float exact : {0.0F, -0.0F, 1.0F, -2.5F, 0x1p-130F, INFINITY})
    EXPECT_EQ(bfloatToFloat(floatToBfloat(exact)), exact);
  EXPECT_EQ(bfloatToFloat(floatToBfloat(1 + 0x1p-8F)), 1) << "of two the even one";
  EXPECT_EQ(bfloatToFloat(floatToBfloat(1 + 0x1.8p-8F)), 1 + 0x1p-7F);
  EXPECT_TRUE(std::isnan(bfloatToFloat(floatToBfloat(NAN))));
}

}  // namespace
}  // namespace elf
