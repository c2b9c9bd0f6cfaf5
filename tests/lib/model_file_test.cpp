// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/model/model_file.h"

#include <glib.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "elf/base/data_files.h"
#include "elf/base/error.h"
#include "elf/wire/metadata.h"

namespace elf {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kNetwork =
    "[model]\nbackend=opencv-dnn\nfile=net.cfg;net.weights\nlabels=names.txt\n"
    "[input]\nmultiple-of=32\nmin-size=64;96\nscale=0.5\nmean=1;2;3\nstd=2;4;8\ncolour=rgb\n"
    "[output]\ndecoder=darknet-region\nmin-score=0.3\nsure-score=0.6\nnms=0.4\n"
    "[parts]\nalign=32\ncontext=16\ncontext-share=0.25\nobject-size=20\n";

class ModelFileTest : public testing::Test {
 protected:
  ModelFileTest() {
    gchar* folder = g_dir_make_tmp("elf-model-XXXXXX", nullptr);
    folder_ = folder;
    g_free(folder);
    write("names.txt", "person\nbus\r\n\n");
  }
  ~ModelFileTest() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }
  ModelFile parse(const std::string& text) const {
    return parseModelFile(text, "net", folder_ / "net.model");
  }
  std::string errorOf(const std::string& text) const {
    try {
      parse(text);
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  }

  fs::path folder_;
};

TEST_F(ModelFileTest, LabelsAreThoseThatAnEditorShows) {
  for (const char* names : {"\xEF\xBB\xBFperson\r\nbus\r\n", "person\t\n\u00a0bus\n",
                            "  person \rbus\r", "person\nbus\n\u3000\n"}) {
    write("names.txt", names);
    EXPECT_EQ(parse(kNetwork).rules.labels, (std::vector<std::string>{"person", "bus"})) << names;
  }
  EXPECT_EQ(parse("\xEF\xBB\xBF[model]\r\nbackend=remote\r\nlabels=\u00a0person ;\tbus\u00a0\r\n")
                .rules.labels,
            (std::vector<std::string>{"person", "bus"}));
  write("names.txt", std::string("\xFF\xFEp\0e\0", 6));
  EXPECT_EQ(errorOf(kNetwork), (folder_ / "names.txt").string() + ": UTF-16 (save it as UTF-8)");
  write("names.txt", "Fu\xDF");
  EXPECT_EQ(errorOf(kNetwork),
            (folder_ / "names.txt").string() + ": not UTF-8 text (save it as UTF-8)");
}

TEST_F(ModelFileTest, IsReadWithAByteOrderMarkAndTheLineEndsOfWindows) {
  std::string saved = "\xEF\xBB\xBF" + std::string(kNetwork);
  for (std::size_t at = 0; (at = saved.find('\n', at)) != saved.npos; at += 3)
    saved.replace(at, 1, " \r\n");
  EXPECT_EQ(parse(saved).rules, parse(kNetwork).rules);
  EXPECT_EQ(parse(saved).files, parse(kNetwork).files);
}

TEST_F(ModelFileTest, EachKeyArrives) {
  const ModelFile model = parse(kNetwork);
  EXPECT_EQ(model.name, "net");
  EXPECT_EQ(model.backend, ModelBackend::OpencvDnn);
  EXPECT_EQ(model.files, (std::vector<std::string>{"net.cfg", "net.weights"}));
  EXPECT_EQ(model.scale, 0.5);
  EXPECT_EQ(model.mean, (std::array<double, 3>{1, 2, 3}));
  EXPECT_EQ(model.std, (std::array<double, 3>{2, 4, 8}));
  EXPECT_EQ(model.colour, ChannelOrder::Rgb);
  EXPECT_EQ(model.decoder, OutputDecoder::DarknetRegion);
  EXPECT_EQ(model.nms, 0.4);
  EXPECT_EQ(model.rules, (ModelRules{.labels = {"person", "bus"},
                                     .multipleOf = 32,
                                     .minSize = {64, 96},
                                     .align = 32,
                                     .context = 16,
                                     .contextShare = 0.25F,
                                     .objectSize = 20,
                                     .minScore = 0.3F,
                                     .sureScore = 0.6F}));
}

TEST_F(ModelFileTest, MistakesAreNamedByFileAndKey) {
  const auto expectError = [this](const std::string& from, const std::string& to,
                                  const std::string& subject) {
    std::string text = kNetwork;
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    EXPECT_THAT(errorOf(text), AllOf(HasSubstr("net.model"), HasSubstr(subject))) << to;
  };
  expectError("[parts]", "[part]", "[part]");
  expectError("align=", "aligned=", "[parts] aligned");
  expectError("align=32", "align=0", "[parts] align: is not between 1 and 4096");
  expectError("align=32", "align=many", "[parts] align");
  expectError("align=32", "align=", "[parts] align");
  expectError("context=16", "context=99999999999", "[parts] context");
  expectError("context-share=0.25", "context-share=-0.25", "[parts] context-share");
  expectError("context-share=0.25", "context-share=25",
              "[parts] context-share: is not between 0 and 4");
  expectError("context-share=0.25", "context-share=nan", "[parts] context-share");
  expectError("min-size=64;96", "min-size=64", "[input] min-size");
  expectError("min-size=64;96", "min-size=-64;96", "[input] min-size");
  expectError("min-size=64;96", "min-size=64;96\nmax-size=32;32",
              "[input] max-size: is below min-size");
  expectError("min-size=64;96", "size=32;32", "[input] multiple-of");
  expectError("multiple-of=32", "size=64000;64000",
              "[input] size: is of more pixels than 4096x4096");
  expectError("scale=0.5", "scale=nan", "[input] scale");
  expectError("scale=0.5", "scale=0", "[input] scale");
  expectError("mean=1;2;3", "mean=1;2", "[input] mean");
  expectError("std=2;4;8", "std=2;0;8", "[input] std");
  expectError("colour=rgb", "colour=grey", "[input] colour");
  expectError("scale=0.5", "max-batch=0", "[input] max-batch: is not between 1 and 64");
  expectError("scale=0.5", "max-batch=65", "[input] max-batch: is not between 1 and 64");
  expectError("nms=0.4", "nms=4", "[output] nms");
  expectError("decoder=darknet-region", "decoder=darknet", "[output] decoder");
  expectError("backend=opencv-dnn", "backend=magic", "[model] backend");
  expectError("backend=opencv-dnn\n", "", "[model] backend");
  expectError("backend=opencv-dnn", "backend=hog", "is not used by backend hog");
  expectError("file=net.cfg;net.weights\n", "", "[model] file");
  expectError("labels=names.txt", "labels=other.txt", "[model] labels");
  expectError("labels=names.txt", "task=cooking", "[model] task");
  expectError("labels=names.txt", "task=keypoints", "[output] keypoints");
  expectError("nms=0.4", "nms=0.4\nkeypoints=2", "[output] keypoints");
  expectError("nms=0.4", "nms=0.4\nskeleton=0-1", "[output] skeleton: has more than two");
  expectError("nms=0.4", "nms=0.4\nskeleton=01", "[output] skeleton");
  expectError("labels=names.txt", "sha256=12", "[model] sha256");
  EXPECT_THAT(errorOf("what is this"), HasSubstr("net.model"));
  EXPECT_THAT(errorOf(""), HasSubstr("net.model"));
}

TEST_F(ModelFileTest, TellsWhereFilesAreFromAndUnderWhichLicence) {
  const std::string keys = "[model]\nbackend=opencv-dnn\nfile=a.cfg;a.weights\n";
  const std::string output = "[output]\ndecoder=yolox\n";
  const std::string sums = "sha256=" + std::string(64, 'a') + ";" + std::string(64, 'b') + "\n";
  const std::string urls = "url=https://models.invalid/a?b#c;http://127.0.0.1:80/a%3Bb\n";
  EXPECT_THAT(parse(keys + output).urls, testing::IsEmpty());
  EXPECT_EQ(parse(keys + output).licence, "");
  const ModelFile model = parse(keys + sums + urls + "licence=Apache-2.0, or ask\n" + output);
  EXPECT_THAT(model.urls,
              testing::ElementsAre("https://models.invalid/a?b#c", "http://127.0.0.1:80/a%3Bb"));
  EXPECT_EQ(model.licence, "Apache-2.0, or ask");
  EXPECT_THAT(errorOf(keys + urls + output), HasSubstr("[model] url: needs a sha256"));
  for (const char* bad : {"https://models.invalid/a", "https://a;http://models.invalid/a",
                          "https://a;/a", "https://a;file:///a", "https://a;"})
    EXPECT_THAT(errorOf(keys + sums + "url=" + bad + "\n" + output),
                HasSubstr("[model] url: not one https:// address per file"))
        << bad;
  EXPECT_THAT(errorOf(keys + "licence=\n" + output), HasSubstr("[model] licence: is empty"));
  // What is loaded into a program is not fetched.
  for (const char* key : {"url=https://models.invalid/a", "licence=any"})
    EXPECT_THAT(errorOf("[model]\nbackend=library\nfile=a.so\n" + std::string(key) + "\n"),
                HasSubstr("is not used by backend library"));
}

TEST_F(ModelFileTest, BatchesAreForBackendsThatRunThem) {
  EXPECT_EQ(parse("[model]\nbackend=simulated\n").maxBatch, 1);
  EXPECT_EQ(parse("[model]\nbackend=simulated\n[input]\nmax-batch=8\n").maxBatch, 8);
  EXPECT_EQ(parse("[model]\nbackend=library\nfile=a.so\n[input]\nmax-batch=8\n").maxBatch, 8);
  for (const char* backend : {"hog", "remote"})
    EXPECT_THAT(errorOf(std::string("[model]\nbackend=") + backend + "\n[input]\nmax-batch=8\n"),
                AllOf(HasSubstr("[input] max-batch"), HasSubstr(backend)));
}

TEST_F(ModelFileTest, TellsWhetherObjectsHaveMasksJointsOrRotatedBoxes) {
  const ModelRules turned = parse("[model]\nbackend=hog\ntask=obb\n").rules;
  EXPECT_TRUE(turned.rotated);
  EXPECT_EQ(taskOf(turned), "obb");
  EXPECT_EQ(taskOf(parse("[model]\nbackend=hog\n").rules), "detection");
  EXPECT_TRUE(parse("[model]\nbackend=hog\ntask=segmentation\n").rules.masks);
  const ModelRules rules =
      parse("[model]\nbackend=hog\ntask=keypoints\n[output]\nkeypoints=3\nskeleton=0-1;1-2\n")
          .rules;
  EXPECT_FALSE(rules.masks || rules.rotated);
  EXPECT_EQ(rules.keypoints, 3);
  EXPECT_EQ(rules.skeleton, (std::vector<std::array<int, 2>>{{0, 1}, {1, 2}}));
}

TEST_F(ModelFileTest, TheTaskIsWhatTheDecoderGives) {
  const auto network = [](const std::string& task, const std::string& output) {
    return "[model]\nbackend=opencv-dnn\nfile=net.onnx\ntask=" + task + "\n[output]\n" + output;
  };
  EXPECT_TRUE(parse(network("segmentation", "decoder=yolov8-seg\n")).rules.masks);
  EXPECT_FALSE(parse(network("detection", "decoder=yolov8-seg\n")).rules.masks);
  for (const char* decoder : {"yolov8-obb", "end2end-obb", "auto"}) {
    const std::string output = std::string("decoder=") + decoder + "\n";
    EXPECT_TRUE(parse(network("obb", output)).rules.rotated) << decoder;
    EXPECT_FALSE(parse(network("detection", output)).rules.rotated) << decoder;
  }
  EXPECT_EQ(parse(network("keypoints", "decoder=yunet\nkeypoints=5\n")).rules.keypoints, 5);
  EXPECT_EQ(parse(network("detection", "decoder=yunet\n")).rules.keypoints, 0);
  EXPECT_THAT(errorOf(network("segmentation", "decoder=yolox\n")),
              AllOf(HasSubstr("[model] task"), HasSubstr("yolox")));
  EXPECT_THAT(errorOf(network("obb", "decoder=yolov8\n")),
              AllOf(HasSubstr("[model] task: is obb"), HasSubstr("yolov8 gives no rotated boxes")));
  EXPECT_THAT(errorOf(network("keypoints", "decoder=yolox\nkeypoints=5\n")),
              AllOf(HasSubstr("[output] keypoints"), HasSubstr("yolox")));
  EXPECT_THAT(errorOf(network("keypoints", "decoder=yunet\nkeypoints=6\n")),
              HasSubstr("[output] keypoints"));
  EXPECT_THAT(errorOf(network("detection", "decoder=heat-maps\n")),
              HasSubstr("[output] keypoints"));
}

class DetectorTest : public ModelFileTest {
 protected:
  DetectorTest() { write("boxes.model", kNetwork); }

  /** A file of the network that looks at the boxes. */
  static std::string file(const std::string& model, const std::string& input,
                          const std::string& rest = {}) {
    return "[model]\nbackend=opencv-dnn\nfile=net.onnx\n" + model + "[input]\n" + input +
           "[output]\n" + rest;
  }
  static constexpr const char* kJoints = "decoder=heat-maps\nkeypoints=2\nskeleton=0-1\n";
};

TEST_F(DetectorTest, IsWhatClientsAreToldOf) {
  const std::string model = "task=keypoints\ndetector=boxes\ndetector-labels=bus\n";
  const ModelFile joints = parse(file(model, "size=48;64\n", kJoints));
  ModelRules expected = parse(kNetwork).rules;
  expected.keypoints = 2;
  expected.skeleton = {{0, 1}};
  EXPECT_EQ(joints.rules, expected);
  EXPECT_EQ(joints.boxInput, (Size{48, 64}));
  EXPECT_EQ(joints.detectorLabels, std::vector<std::string>{"bus"});
  ASSERT_TRUE(joints.detector);
  EXPECT_EQ(joints.detector->path, folder_ / "boxes.model");
  EXPECT_EQ(
      parse(file(model, "size=48;64\n", std::string(kJoints) + "min-score=0.7\n")).rules.minScore,
      0.7F);
}

TEST_F(DetectorTest, GivesBoxesAloneWhateverElseItTells) {
  write("boxes.model",
        "[model]\nbackend=opencv-dnn\nfile=net.onnx\ntask=obb\n"
        "[output]\ndecoder=yolov8-obb\n");
  const ModelFile classes =
      parse(file("detector=boxes\nlabels=a;b;c\n", "size=8;8\n", "decoder=classes\n"));
  EXPECT_TRUE(classes.detector->rules.rotated);
  EXPECT_FALSE(classes.rules.rotated);
}

TEST_F(DetectorTest, OfAClassifierHasOtherLabelsAndScores) {
  const ModelFile classes = parse(
      file("detector=boxes\nlabels=a;b;c\n", "size=8;8\n", "decoder=classes\nsure-score=0.9\n"));
  ModelRules expected = parse(kNetwork).rules;
  expected.labels = {"a", "b", "c"};
  expected.minScore = 0;
  expected.sureScore = 0.9F;
  expected.classified = true;
  EXPECT_EQ(classes.rules, expected);
  EXPECT_TRUE(classes.detectorLabels.empty());
}

TEST_F(DetectorTest, MistakesAreNamedByFileAndKey) {
  const auto errorFor = [this](const std::string& model, const std::string& input,
                               const std::string& rest) {
    return errorOf(file(model, input, rest));
  };
  const std::string model = "task=keypoints\ndetector=boxes\n";
  EXPECT_EQ(errorFor(model, "size=48;64\n", kJoints), "");
  EXPECT_THAT(errorFor("task=keypoints\n", "size=48;64\n", kJoints), HasSubstr("[model] detector"));
  EXPECT_THAT(errorFor("task=keypoints\ndetector=nobody\n", "size=48;64\n", kJoints),
              HasSubstr("nobody"));
  EXPECT_THAT(errorFor(model + "detector-labels=cat\n", "size=48;64\n", kJoints),
              AllOf(HasSubstr("[model] detector-labels"), HasSubstr("cat")));
  EXPECT_THAT(errorFor(model + "labels=cat\n", "size=48;64\n", kJoints),
              HasSubstr("[model] labels"));
  EXPECT_THAT(errorFor(model, "", kJoints), HasSubstr("[input] size"));
  EXPECT_THAT(errorFor(model, "size=48;64\nmax-size=50;70\n", kJoints),
              HasSubstr("[input] max-size"));
  EXPECT_THAT(errorFor(model, "size=48;64\n", std::string(kJoints) + "nms=0.5\n"),
              HasSubstr("[output] nms"));
  EXPECT_THAT(errorFor(model, "size=48;64\n", std::string(kJoints) + "[parts]\nalign=8\n"),
              HasSubstr("[parts] align"));
  EXPECT_THAT(errorFor(model, "size=48;64\n", std::string(kJoints) + "[parts]\ncontext-share=1\n"),
              HasSubstr("[parts] context-share"));
  EXPECT_THAT(errorFor("detector=boxes\n", "", "decoder=yolox\n"),
              AllOf(HasSubstr("[model] detector"), HasSubstr("heat-maps")));
  // A detector that needs one itself, and one that would be its own.
  write("joints.model", file(model, "size=48;64\n", kJoints));
  EXPECT_THAT(errorFor("task=keypoints\ndetector=joints\n", "size=48;64\n", kJoints),
              AllOf(HasSubstr("joints.model"), HasSubstr("[output] decoder")));
}

TEST_F(ModelFileTest, OnlyARemoteModelNamesTensors) {
  const std::string text =
      "[model]\nbackend=remote\nlabels=car;bus\n[tensors]\nimage=input_1\nboxes=dets\n";
  const ModelFile model = parse(text);
  EXPECT_EQ(model.backend, ModelBackend::Remote);
  EXPECT_EQ(model.rules.label(1), "bus");
  EXPECT_EQ(model.tensors, (TensorNames{.image = "input_1", .boxes = "dets"}));
  EXPECT_EQ(parse(text + "rotated=turned\n").tensors.rotated, "turned");
  EXPECT_THAT(errorOf(text + "joints=m\n"), HasSubstr("[tensors] joints"));
  EXPECT_THAT(errorOf(text + "scores=\n"), HasSubstr("[tensors] scores"));
  EXPECT_THAT(errorOf("[model]\nbackend=hog\n[tensors]\nboxes=dets\n"),
              AllOf(HasSubstr("[tensors] boxes"), HasSubstr("backend hog")));
  EXPECT_THAT(errorOf("[model]\nbackend=remote\nfile=net.onnx\n"),
              HasSubstr("is not used by backend remote"));
}

TEST_F(ModelFileTest, ARemoteNetworkIsPreparedForAndDecodedAsItsFileSays) {
  const std::string text =
      "[model]\nbackend=remote\ntask=segmentation\n[input]\nsize=640;480\ncolour=bgr\nscale=2\n"
      "mean=1;2;3\nstd=4;5;6\nfit=stretch\n[output]\ndecoder=yolov8-seg\nnms=0.6\n[tensors]\n"
      "image=images\nlayout=NHWC\ndatatype=FP16\norig-target-sizes=sizes\noutputs=a;b\n";
  const ModelFile model = parse(text);
  EXPECT_TRUE(model.sendsTensor);
  EXPECT_EQ(model.decoder, OutputDecoder::Yolov8Seg);
  EXPECT_TRUE(model.rules.masks);
  EXPECT_EQ(model.rules.fixedSize, (Size{640, 480}));
  EXPECT_EQ(model.rules.minScore, kUsualMinScore) << "a raw layout has a row for each cell";
  EXPECT_EQ(model.colour, ChannelOrder::Bgr);
  EXPECT_EQ(model.scale, 2);
  EXPECT_EQ(model.mean, (std::array<double, 3>{1, 2, 3}));
  EXPECT_EQ(model.std, (std::array<double, 3>{4, 5, 6}));
  EXPECT_EQ(model.fit, Fit::Stretch);
  EXPECT_EQ(model.nms, 0.6);
  EXPECT_EQ(model.tensors.image, "images");
  EXPECT_EQ(model.layout, TensorLayout::Nhwc);
  EXPECT_EQ(model.datatype, PictureType::Fp16);
  EXPECT_EQ(model.targetSizes, "sizes");
  EXPECT_EQ(model.outputs, (std::vector<std::string>{"a", "b"}));
  // What is left open is a matter of the server too.
  const ModelFile open = parse("[model]\nbackend=remote\n[output]\ndecoder=auto\nmin-score=0.1\n");
  EXPECT_TRUE(open.sendsTensor);
  EXPECT_FALSE(open.scale || open.colour || open.fit || open.layout || open.datatype);
  EXPECT_EQ(open.rules.minScore, 0.1F);
  EXPECT_FALSE(parse("[model]\nbackend=remote\n[input]\ncolour=rgb\n").sendsTensor);
}

TEST_F(ModelFileTest, MistakesAboutARemoteNetworkAreNamedByKey) {
  const std::string text =
      "[model]\nbackend=remote\n[input]\nscale=2\n[output]\ndecoder=yolov8\n[tensors]\n";
  EXPECT_THAT(errorOf(text + "layout=nchw\n"),
              HasSubstr("[tensors] layout: 'nchw' is not one of: NCHW, NHWC, CHW, HWC"));
  EXPECT_THAT(errorOf(text + "datatype=INT8\n"),
              HasSubstr("[tensors] datatype: 'INT8' is not one of: FP32, FP16, UINT8"));
  EXPECT_THAT(errorOf(text + "outputs=\n"), HasSubstr("[tensors] outputs"));
  EXPECT_THAT(errorOf(text + "boxes=dets\n"),
              HasSubstr("[tensors] boxes: has no meaning beside [output] decoder"));
  EXPECT_THAT(errorOf("[model]\nbackend=remote\n[output]\ndecoder=heat-maps\n"),
              HasSubstr("[output] decoder: is of no use to backend remote"));
  EXPECT_THAT(errorOf("[model]\nbackend=remote\ndetector=hog\n"),
              HasSubstr("[model] detector: is not used by backend remote"));
  EXPECT_THAT(errorOf("[model]\nbackend=remote\ntask=segmentation\n[output]\ndecoder=yolov8\n"),
              HasSubstr("[model] task"));
  EXPECT_THAT(errorOf("[model]\nbackend=onnx\nfile=a.onnx\n[tensors]\nlayout=NCHW\n"),
              HasSubstr("[tensors] layout: is not used by backend onnx"));
}

TEST_F(ModelFileTest, ASimulatedModelHasItsTimesAndNoneOfANetwork) {
  const ModelFile model =
      parse("[model]\nbackend=simulated\n[simulated]\nfixed-ms=2.5\nms-per-megapixel=40\n");
  EXPECT_EQ(model.backend, ModelBackend::Simulated);
  EXPECT_EQ(model.fixedMs, 2.5);
  EXPECT_EQ(model.msPerMegapixel, 40);
  EXPECT_THAT(errorOf("[model]\nbackend=simulated\n[simulated]\nfixed-ms=-1\n"),
              HasSubstr("[simulated] fixed-ms"));
  EXPECT_THAT(errorOf("[model]\nbackend=simulated\nfile=net.onnx\n"),
              HasSubstr("is not used by backend simulated"));
  EXPECT_THAT(errorOf("[model]\nbackend=hog\n[simulated]\nfixed-ms=1\n"),
              HasSubstr("is not used by backend hog"));
}

TEST_F(ModelFileTest, WeightsAreLookedForBesideTheFileAndCompared) {
  std::string text = kNetwork;
  EXPECT_THROW(weightFiles(parse(text)), Error);
  write("net.cfg", "");
  write("net.weights", "abc");
  EXPECT_EQ(weightFiles(parse(text)),
            (std::vector<std::string>{folder_ / "net.cfg", folder_ / "net.weights"}));
  const std::string empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  const std::string abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  const auto withSums = [&text](const std::string& sums) {
    return std::string(text).insert(text.find("labels="), "sha256=" + sums + "\n");
  };
  EXPECT_EQ(weightFiles(parse(withSums(empty + ";" + abc))).size(), 2U);
  try {
    weightFiles(parse(withSums(empty + ";" + empty)));
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("net.weights"));
  }
}

TEST(ModelFile, HogIsThereWithoutAnyFile) {
  EXPECT_THAT(listDataFiles(kModelFiles), testing::Contains("hog"));
  const ModelFile hog = loadModelFile("hog");
  EXPECT_EQ(hog.backend, ModelBackend::Hog);
  EXPECT_EQ(hog.rules.label(0), "person");
  EXPECT_THROW(loadModelFile("nowhere"), Error);
}

TEST(ModelRules, InputIsWhatTheServerMakesOfAPicture) {
  ModelRules any;
  EXPECT_EQ(any.inputScale({1000, 500}), 1);
  EXPECT_EQ(any.inputSize({1000, 500}), (Size{1000, 500}));
  any.multipleOf = 32;
  any.minSize = {64, 128};
  EXPECT_EQ(any.inputSize({33, 100}), (Size{64, 128}));
  any.maxSize = {640, 640};
  EXPECT_EQ(any.inputScale({1280, 320}), 0.5);
  EXPECT_EQ(any.inputSize({1280, 320}), (Size{640, 160}));
  EXPECT_EQ(any.inputScale({320, 320}), 1);

  ModelRules fixed;
  fixed.fixedSize = {416, 416};
  EXPECT_EQ(fixed.inputScale({208, 104}), 2);
  EXPECT_EQ(fixed.inputScale({832, 104}), 0.5);
  EXPECT_EQ(fixed.inputSize({208, 104}), (Size{416, 416}));
}

TEST(Metadata, ComesBackAsItWas) {
  wire::ModelMetadata sent{.name = "hog",
                           .versions = {"1"},
                           .platform = "opencv_hog",
                           .inputs = {{"image", wire::DataType::Bytes, {1}}},
                           .outputs = {{"boxes", wire::DataType::Fp32, {-1, 4}}},
                           .rules = loadModelFile("hog").rules};
  sent.rules->contextShare = 0.35F;
  sent.rules->masks = true;
  sent.rules->rotated = true;
  sent.rules->classified = true;
  sent.rules->keypoints = 3;
  sent.rules->skeleton = {{0, 1}, {1, 2}};
  const std::string text = wire::encodeMetadata(sent);
  const auto got =
      wire::parseMetadata({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  ASSERT_TRUE(got) << got.error();
  EXPECT_EQ(got.value(), sent);
}

TEST(Metadata, OfAServerThatKnowsNothingOfElfHasNoRules) {
  for (const std::string text :
       {R"({"name":"m","inputs":[],"outputs":[]})", R"({"name":"m","parameters":{"their":[1]}})"}) {
    const auto got =
        wire::parseMetadata({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    ASSERT_TRUE(got) << got.error();
    EXPECT_FALSE(got.value().rules);
  }
}

TEST(Metadata, NonsenseIsRefusedByName) {
  const std::vector<std::pair<std::string, std::string>> bad{
      {"", "metadata"},
      {"[]", "metadata"},
      {R"({"name":7})", "name"},
      {R"({"versions":"1"})", "versions"},
      {R"({"inputs":[{"name":"x","datatype":"FP33","shape":[1]}]})", "inputs[0].datatype"},
      {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[-2]}]})", "inputs[0].shape"},
      {R"({"inputs":[{"name":"x"}]})", "inputs[0]"},
      {R"({"parameters":{"align":0}})", "parameters.align"},
      {R"({"parameters":{"align":1e9}})", "parameters.align"},
      {R"({"parameters":{"context":-1}})", "parameters.context"},
      {R"({"parameters":{"context-share":-0.1}})", "parameters.context-share"},
      {R"({"parameters":{"context-share":"much"}})", "parameters.context-share"},
      {R"({"parameters":{"min-size":[1]}})", "parameters.min-size"},
      {R"({"parameters":{"min-size":[5,0]}})", "parameters.min-size"},
      {R"({"parameters":{"sure-score":1e300}})", "parameters.sure-score"},
      {R"({"parameters":{"labels":[1]}})", "parameters.labels"}};
  for (const auto& [text, field] : bad) {
    const auto got =
        wire::parseMetadata({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    ASSERT_FALSE(got) << text;
    EXPECT_THAT(got.error(), testing::StartsWith(field)) << text;
  }
}

TEST_F(ModelFileTest, KeysOfTorchScriptArrive) {
  const ModelFile model = parse(
      "[model]\nbackend=torchscript\nfile=net.pt\ndevice=cuda\nlibraries=liba.so;libb.so\n"
      "[input]\nbatch=false\nscale=0.5\n");
  EXPECT_EQ(model.backend, ModelBackend::TorchScript);
  EXPECT_EQ(model.files, std::vector<std::string>{"net.pt"});
  EXPECT_EQ(model.device, "cuda");
  EXPECT_EQ(model.libraries, (std::vector<std::string>{"liba.so", "libb.so"}));
  EXPECT_FALSE(model.batch);
  EXPECT_THAT(errorOf("[model]\nbackend=hog\ndevice=cpu\n"),
              HasSubstr("[model] device: is not used by backend hog"));
  EXPECT_THAT(errorOf("[model]\nbackend=torchscript\nfile=net.pt\n[output]\n"
                      "decoder=objects\nnms=0.5\n"),
              HasSubstr("[output] nms"));
  EXPECT_THAT(errorOf("[model]\nbackend=torchscript\nfile=a.pt;b.pt\n"),
              HasSubstr("[model] file: is not one file"));
}

class RuntimeKeysTest : public ModelFileTest {
 protected:
  /** A file of a network, which must parse. */
  ModelFile network(const std::string& backend, const std::string& model = {},
                    const std::string& input = {}, const std::string& output = {}) const {
    return parse(text(backend, model, input, output));
  }
  std::string networkError(const std::string& backend, const std::string& model = {},
                           const std::string& input = {}, const std::string& output = {}) const {
    return errorOf(text(backend, model, input, output));
  }
  static std::string text(const std::string& backend, const std::string& model,
                          const std::string& input, const std::string& output) {
    return "[model]\nbackend=" + backend + "\nfile=net.onnx\n" + model + "[input]\n" + input +
           "[output]\n" + output;
  }
};

TEST_F(RuntimeKeysTest, EachRuntimeIsABackend) {
  for (const auto& [name, backend] :
       {std::pair("onnx", ModelBackend::Onnx), std::pair("onnxruntime", ModelBackend::OnnxRuntime),
        std::pair("opencv-dnn", ModelBackend::OpencvDnn),
        std::pair("openvino", ModelBackend::OpenVino)}) {
    const ModelFile model = network(name);
    EXPECT_EQ(model.backend, backend);
    EXPECT_EQ(toString(model.backend), name);
    EXPECT_TRUE(runsNetwork(model.backend));
    EXPECT_EQ(model.device, "cpu");
    EXPECT_EQ(model.precision, Precision::F32);
  }
}

TEST_F(RuntimeKeysTest, ADeviceIsOneThatItsRuntimeKnows) {
  EXPECT_EQ(network("openvino", "device=gpu\n").device, "gpu");
  EXPECT_EQ(network("openvino", "device=npu\n").device, "npu");
  EXPECT_EQ(network("onnxruntime", "device=tensorrt\n").device, "tensorrt");
  for (const char* device : {"cpu", "cuda", "gpu", "npu", "tensorrt"})
    EXPECT_EQ(network("onnx", std::string("device=") + device + "\n").device, device);
  EXPECT_THAT(networkError("openvino", "device=cuda\n"),
              AllOf(HasSubstr("[model] device: 'cuda' is not one of: cpu, gpu, npu")));
  EXPECT_THAT(networkError("onnxruntime", "device=gpu\n"),
              HasSubstr("[model] device: 'gpu' is not one of: cpu, cuda, tensorrt"));
  EXPECT_THAT(networkError("onnx", "device=tpu\n"),
              HasSubstr("[model] device: 'tpu' is not one of: cpu, cuda, gpu, npu, tensorrt"));
  EXPECT_THAT(networkError("opencv-dnn", "device=cpu\n"),
              HasSubstr("[model] device: is not used by backend opencv-dnn"));
}

TEST_F(RuntimeKeysTest, OnlyOpenVinoIsToldAPrecision) {
  EXPECT_EQ(network("openvino", "precision=bf16\n").precision, Precision::Bf16);
  EXPECT_EQ(network("openvino", "precision=f16\n").precision, Precision::F16);
  EXPECT_THAT(networkError("openvino", "precision=int8\n"),
              HasSubstr("[model] precision: 'int8' is not one of: f32, f16, bf16"));
  for (const char* backend : {"onnx", "onnxruntime", "opencv-dnn", "torchscript"})
    EXPECT_THAT(networkError(backend, "precision=f32\n"),
                HasSubstr("[model] precision: is not used by backend"));
}

TEST_F(RuntimeKeysTest, AnOnnxFileIsOneFile) {
  for (const char* backend : {"onnx", "onnxruntime"}) {
    const auto errorFor = [&](const std::string& files) {
      return errorOf("[model]\nbackend=" + std::string(backend) + "\nfile=" + files + "\n");
    };
    EXPECT_THAT(errorFor("a.onnx"), "");
    for (const char* files : {"a.onnx;b.onnx", "a.pb", "a.cfg;a.weights"})
      EXPECT_THAT(errorFor(files), HasSubstr("[model] file: is not one .onnx file")) << files;
  }
}

TEST_F(RuntimeKeysTest, ANetworkMayTellItsLayoutItself) {
  for (const char* backend : {"onnx", "onnxruntime", "opencv-dnn", "openvino"}) {
    EXPECT_EQ(network(backend).decoder, OutputDecoder::Auto);
    EXPECT_EQ(network(backend, "", "", "decoder=auto\n").decoder, OutputDecoder::Auto);
  }
  EXPECT_EQ(parse("[model]\nbackend=opencv-dnn\nfile=a.cfg;a.weights\n").decoder,
            OutputDecoder::Auto);
  EXPECT_EQ(parse("[model]\nbackend=openvino\nfile=a.tflite\n").decoder, OutputDecoder::Auto);
}

TEST_F(RuntimeKeysTest, WhatIsNotSaidStaysOpenUntilTheLayoutIsKnown) {
  const ModelFile open = network("onnx");
  EXPECT_FALSE(open.scale || open.mean || open.std || open.colour || open.fit || open.nms);
  EXPECT_EQ(open.rules.minScore, 0.25F);
  const ModelFile said =
      network("onnx", "", "scale=2\nmean=1;2;3\nstd=4;5;6\ncolour=bgr\nfit=stretch\n",
              "nms=0.6\nmin-score=0\n");
  EXPECT_EQ(said.scale, 2);
  EXPECT_EQ(said.mean, (std::array<double, 3>{1, 2, 3}));
  EXPECT_EQ(said.std, (std::array<double, 3>{4, 5, 6}));
  EXPECT_EQ(said.colour, ChannelOrder::Bgr);
  EXPECT_EQ(said.fit, Fit::Stretch);
  EXPECT_EQ(said.nms, 0.6);
  EXPECT_EQ(said.rules.minScore, 0);
  EXPECT_THAT(networkError("onnx", "", "fit=crop\n"),
              HasSubstr("[input] fit: 'crop' is not one of: corner, centre, stretch"));
  EXPECT_THAT(errorOf("[model]\nbackend=hog\n[input]\nfit=corner\n"),
              HasSubstr("[input] fit: is not used by backend hog"));
}

/** What the networks of a layout see, and how much their boxes may overlap. */
struct Usual {
  const char* decoder;
  ChannelOrder colour;
  double scale;
  std::array<double, 3> mean, std;
  Fit fit;
  double nms;
};

TEST_F(RuntimeKeysTest, EachLayoutIsGivenWhatItsNetworksWereTrainedWith) {
  constexpr double kUnit = 1.0 / 255;
  constexpr std::array<double, 3> kNone{0, 0, 0}, kOne{1, 1, 1};
  constexpr std::array<double, 3> kMean{123.675, 116.28, 103.53}, kStd{58.395, 57.12, 57.375};
  constexpr std::array<double, 3> kBgrMean{103.53, 116.28, 123.675}, kBgrStd{57.375, 57.12, 58.395};
  const auto rgb = ChannelOrder::Rgb, bgr = ChannelOrder::Bgr;
  for (const Usual& usual :
       {Usual{"objects", rgb, kUnit, kNone, kOne, Fit::Corner, 1},
        Usual{"mmdeploy", bgr, 1, kBgrMean, kBgrStd, Fit::Corner, 1},
        Usual{"yolox", bgr, 1, kNone, kOne, Fit::Corner, 0.45},
        Usual{"yolox-decoded", bgr, 1, kNone, kOne, Fit::Corner, 0.45},
        Usual{"darknet-region", rgb, kUnit, kNone, kOne, Fit::Corner, 0.45},
        Usual{"yolov5", rgb, kUnit, kNone, kOne, Fit::Centre, 0.45},
        Usual{"yolov8", rgb, kUnit, kNone, kOne, Fit::Centre, 0.7},
        Usual{"yolov8-seg", rgb, kUnit, kNone, kOne, Fit::Centre, 0.7},
        Usual{"yolov8-obb", rgb, kUnit, kNone, kOne, Fit::Centre, 0.7},
        Usual{"end2end", rgb, kUnit, kNone, kOne, Fit::Centre, 1},
        Usual{"end2end-seg", rgb, kUnit, kNone, kOne, Fit::Centre, 1},
        Usual{"end2end-obb", rgb, kUnit, kNone, kOne, Fit::Centre, 1},
        Usual{"rt-detr", rgb, kUnit, kNone, kOne, Fit::Stretch, 1},
        Usual{"rt-detr-logits", rgb, kUnit, kNone, kOne, Fit::Stretch, 1},
        Usual{"rt-detr-rows", rgb, kUnit, kNone, kOne, Fit::Stretch, 1},
        Usual{"rf-detr", rgb, 1, kMean, kStd, Fit::Stretch, 1},
        Usual{"fastestdet", bgr, kUnit, kNone, kOne, Fit::Corner, 0.45},
        Usual{"nanodet", bgr, 1, kBgrMean, kBgrStd, Fit::Corner, 0.45},
        Usual{"ssd", bgr, 1, kNone, kOne, Fit::Corner, 0.45},
        Usual{"ultraface", rgb, 1, {127, 127, 127}, {128, 128, 128}, Fit::Corner, 0.45},
        Usual{"yunet", bgr, 1, kNone, kOne, Fit::Corner, 0.45}}) {
    SCOPED_TRACE(usual.decoder);
    const ModelFile model = network("onnx", "", "", "decoder=" + std::string(usual.decoder) + "\n");
    EXPECT_EQ(toString(model.decoder), usual.decoder);
    EXPECT_EQ(model.colour, usual.colour);
    EXPECT_EQ(model.scale, usual.scale);
    EXPECT_EQ(model.mean, usual.mean);
    EXPECT_EQ(model.std, usual.std);
    EXPECT_EQ(model.fit, usual.fit);
    EXPECT_EQ(model.nms, usual.nms);
  }
}

TEST_F(RuntimeKeysTest, KeysWinOverWhatTheLayoutsNetworksHave) {
  const std::array<double, 3> none{0, 0, 0}, one{1, 1, 1};
  const ModelFile some =
      network("onnx", "", "colour=bgr\nfit=corner\n", "decoder=rf-detr\nnms=0.5\n");
  EXPECT_EQ(some.colour, ChannelOrder::Bgr);
  EXPECT_EQ(some.fit, Fit::Corner);
  EXPECT_EQ(some.nms, 0.5);
  EXPECT_EQ(some.scale, 1);
  EXPECT_EQ((*some.mean)[0], 123.675);
  // Who says one of the three says all of them.
  const ModelFile scaled = network("onnx", "", "scale=2\n", "decoder=rf-detr\n");
  EXPECT_EQ(scaled.scale, 2);
  EXPECT_EQ(scaled.mean, none);
  EXPECT_EQ(scaled.std, one);
  const ModelFile centred = network("onnx", "", "mean=5;5;5\n", "decoder=yolov8\n");
  EXPECT_EQ(centred.scale, 1);
  EXPECT_EQ(centred.mean, (std::array<double, 3>{5, 5, 5}));
  EXPECT_EQ(centred.std, one);
  ModelFile later = network("onnx", "", "scale=2\n");
  later.decoder = OutputDecoder::Yolov8;
  later = withConvention(std::move(later));
  EXPECT_EQ(later.scale, 2);
  EXPECT_EQ(later.colour, ChannelOrder::Rgb);
  EXPECT_EQ(later.fit, Fit::Centre);
}

TEST_F(RuntimeKeysTest, TheTaskIsWhatTheDecoderGives) {
  for (const char* decoder :
       {"yolov8-seg", "end2end-seg", "mask-rcnn", "rf-detr", "mmdeploy", "objects", "auto"}) {
    const std::string output = "decoder=" + std::string(decoder) + "\n";
    EXPECT_TRUE(network("onnx", "task=segmentation\n", "", output).rules.masks) << decoder;
  }
  for (const char* decoder : {"yolov8", "end2end", "yolov8-obb", "rt-detr", "rt-detr-rows"})
    EXPECT_THAT(
        networkError("onnx", "task=segmentation\n", "", "decoder=" + std::string(decoder) + "\n"),
        AllOf(HasSubstr("[model] task"), HasSubstr(decoder)));
  for (const char* decoder : {"yolov8-pose", "end2end-pose", "objects", "auto"}) {
    const std::string output = "keypoints=17\ndecoder=" + std::string(decoder) + "\n";
    EXPECT_EQ(network("onnx", "task=keypoints\n", "", output).rules.keypoints, 17) << decoder;
  }
  for (const char* decoder : {"yolov8-pose", "end2end-pose"})
    EXPECT_THAT(networkError("onnx", "", "", "decoder=" + std::string(decoder) + "\n"),
                AllOf(HasSubstr("[output] keypoints"), HasSubstr(decoder)));
  EXPECT_THAT(networkError("onnx", "task=keypoints\n", "", "keypoints=17\ndecoder=end2end\n"),
              HasSubstr("[output] keypoints"));
}

TEST_F(RuntimeKeysTest, WhatTellsItsObjectsOnceMayYetSaySuppression) {
  EXPECT_EQ(network("onnx", "", "", "decoder=end2end\nnms=0.5\n").nms, 0.5);
  EXPECT_THAT(networkError("onnx", "", "", "decoder=end2end\nnms=1.5\n"),
              HasSubstr("[output] nms: is not between 0 and 1"));
}

TEST_F(RuntimeKeysTest, RtmPoseLooksAtTheBoxesOfADetector) {
  write("boxes.model", kNetwork);
  const ModelFile model = network("onnx", "task=keypoints\ndetector=boxes\n", "size=48;64\n",
                                  "decoder=simcc\nkeypoints=17\n");
  EXPECT_EQ(model.decoder, OutputDecoder::SimCc);
  EXPECT_TRUE(isSecondStage(model.decoder));
  EXPECT_EQ(model.boxInput, (Size{48, 64}));
  EXPECT_EQ((*model.mean)[0], 123.675);
  EXPECT_THAT(networkError("onnx", "", "", "decoder=simcc\n"), HasSubstr("[output] keypoints"));
  EXPECT_THAT(networkError("onnx", "detector=boxes\n"),
              AllOf(HasSubstr("[model] detector"), HasSubstr("simcc")));
}

TEST_F(ModelFileTest, AnOnnxFileMayBeTheModelItself) {
  write("yolo11n.v2.onnx", "");
  const ModelFile model = loadModelFile(folder_ / "yolo11n.v2.onnx");
  EXPECT_EQ(model.name, "yolo11n.v2");
  EXPECT_EQ(model.backend, ModelBackend::Onnx);
  EXPECT_EQ(model.decoder, OutputDecoder::Auto);
  EXPECT_EQ(weightFiles(model), std::vector<std::string>{folder_ / "yolo11n.v2.onnx"});
  EXPECT_EQ(model.rules, (ModelRules{.minScore = 0.25F}));
  EXPECT_FALSE(model.scale || model.mean || model.std || model.colour || model.fit || model.nms);
  try {
    loadModelFile(folder_ / "other.onnx");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("other.onnx"), HasSubstr("no such file")));
  }
  fs::create_directory(folder_ / "folder.onnx");
  EXPECT_THROW(loadModelFile(folder_ / "folder.onnx"), Error);
}

TEST_F(ModelFileTest, AnOnnxFileMayBeADetector) {
  write("boxes.onnx", "");
  const ModelFile model =
      parse("[model]\nbackend=onnx\nfile=net.onnx\nlabels=a;b\ndetector=" +
            (folder_ / "boxes.onnx").string() + "\n[input]\nsize=8;8\n[output]\ndecoder=classes\n");
  ASSERT_TRUE(model.detector);
  EXPECT_EQ(model.detector->backend, ModelBackend::Onnx);
}

TEST_F(ModelFileTest, ATorchScriptFileMayBeTheModelItself) {
  for (const char* name : {"net.torchscript", "net.pt"}) {
    write(name, "");
    const ModelFile model = loadModelFile(folder_ / name);
    EXPECT_EQ(model.name, "net");
    EXPECT_EQ(model.backend, ModelBackend::TorchScript);
    EXPECT_EQ(model.files, std::vector<std::string>{name});
    EXPECT_EQ(model.decoder, OutputDecoder::Auto);
    EXPECT_TRUE(model.openTask);
  }
}

TEST_F(ModelFileTest, ATorchScriptNetworkIsNoSecondStage) {
  const std::string file = "[model]\nbackend=torchscript\nfile=net.pt\n[output]\n";
  EXPECT_EQ(parse(file).decoder, OutputDecoder::Auto);
  EXPECT_EQ(parse(file + "decoder=yolov8\n").decoder, OutputDecoder::Yolov8);
  for (const char* decoder : {"classes", "simcc"})
    EXPECT_THAT(errorOf(file + "decoder=" + decoder + "\n"),
                HasSubstr("[output] decoder: is of no use to backend torchscript"));
}

TEST_F(ModelFileTest, ALibraryMayBeNamedByAFileOrBeTheModelItself) {
  const ModelFile named =
      parse("[model]\nbackend=library\nfile=libown.so\nlabels=a;b\n[parts]\ncontext=16\n");
  EXPECT_EQ(named.backend, ModelBackend::Library);
  EXPECT_EQ(named.rules.context, 16);
  EXPECT_THAT(errorOf("[model]\nbackend=library\nfile=libown.so\n[input]\nscale=2\n"),
              HasSubstr("[input] scale: is not used by backend library"));
  write("libown.so", "");
  const ModelFile itself = loadModelFile(folder_ / "libown.so");
  EXPECT_EQ(itself.name, "own");
  EXPECT_EQ(itself.backend, ModelBackend::Library);
  EXPECT_EQ(weightFiles(itself), std::vector<std::string>{folder_ / "libown.so"});
  EXPECT_THROW(loadModelFile(folder_ / "libother.so"), Error);
}

}  // namespace
}  // namespace elf
