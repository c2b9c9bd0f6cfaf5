// SPDX-License-Identifier: LGPL-2.1-or-later
// TorchScript files as people's tools export them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <time.h>
#include <torch/script.h>
#include <torch/version.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>
#include <optional>
#include <thread>

#include "elf/server/backends.h"
#include "elf/server/checked_run.h"
#include "tests/support/folder.h"
#include "tests/support/process.h"
#include "tests/support/shared_files.h"

namespace elf {
namespace {

using ::testing::AllOf;
using testing::Folder;
using ::testing::HasSubstr;
using testing::sharedFile;

/** All that a network of this layout finds: one object with a mask over the left of its box. */
struct Layout {
  const char* name;
  /** The code of forward(), for a picture of 40x30. */
  const char* code;
  /** Lines of the `.model` file. */
  const char* input = "";
};

constexpr Layout kLayouts[] = {
    {"TorchvisionScripted",
     "def forward(self, images: List[Tensor]):\n"
     "  losses: Dict[str, Tensor] = {}\n"
     "  masks = torch.zeros([1, 1, images[0].size(1), images[0].size(2)])\n"
     "  masks[:, :, 10:20, 8:13] = 0.9\n"
     "  found = {'boxes': torch.tensor([[8.0, 10.0, 18.0, 20.0]]), 'labels': torch.tensor([2]),\n"
     "           'scores': torch.tensor([0.75]), 'masks': masks}\n"
     "  return (losses, [found])\n"},
    {"TorchvisionTraced",
     "def forward(self, x):\n"
     "  masks = torch.zeros([1, 1, x.size(2), x.size(3)])\n"
     "  masks[:, :, 10:20, 8:13] = 0.9\n"
     "  return (torch.tensor([[8.0, 10.0, 18.0, 20.0]]), torch.tensor([2]),\n"
     "          torch.tensor([0.75]), masks)\n"},
    // Masks of 4 x 4 cells over the box, and the size of the picture at the end.
    {"Detectron2Traced",
     "def forward(self, x):\n"
     "  masks = torch.zeros([1, 1, 4, 4])\n"
     "  masks[:, :, :, :2] = 1.0\n"
     "  return (torch.tensor([[8.0, 10.0, 18.0, 20.0]]), torch.tensor([2]), masks,\n"
     "          torch.tensor([0.75]), torch.tensor([x.size(1), x.size(2)]))\n",
     "batch=false\n"},
    {"Detectron2Scripted",
     "def forward(self, inputs: List[Dict[str, Tensor]]):\n"
     "  x = inputs[0]['image']\n"
     "  masks = torch.zeros([1, x.size(1), x.size(2)])\n"
     "  masks[:, 10:20, 8:13] = 1.0\n"
     "  return [{'pred_boxes': torch.tensor([[8.0, 10.0, 18.0, 20.0]]),\n"
     "           'scores': torch.tensor([0.75]), 'pred_classes': torch.tensor([2]),\n"
     "           'pred_masks': masks > 0.5}]\n"},
    {"Detectron2ScriptedWithATuple",
     "def forward(self, inputs: Tuple[Dict[str, Tensor]]):\n"
     "  x = inputs[0]['image']\n"
     "  masks = torch.zeros([1, x.size(1), x.size(2)])\n"
     "  masks[:, 10:20, 8:13] = 1.0\n"
     "  return [{'pred_boxes': torch.tensor([[8.0, 10.0, 18.0, 20.0]]),\n"
     "           'scores': torch.tensor([0.75]), 'pred_classes': torch.tensor([2]),\n"
     "           'pred_masks': masks > 0.5}]\n"},
    {"MmDetection",
     "def forward(self, x):\n"
     "  masks = torch.zeros([1, 1, x.size(2), x.size(3)])\n"
     "  masks[:, :, 10:20, 8:13] = 0.9\n"
     "  return (torch.tensor([[[8.0, 10.0, 18.0, 20.0, 0.75]]]), torch.tensor([[2]]), masks)\n"},
};

class Layouts : public ::testing::TestWithParam<Layout> {};

std::unique_ptr<InferenceModel> modelOf(const Folder& folder, const Layout& layout,
                                        const std::string& head, const std::string& output = "") {
  torch::jit::Module module("network");
  module.define(layout.code);
  module.save(folder.file("network.pt"));
  return InferenceModel::create(parseModelFile("[model]\nbackend=torchscript\nfile=network.pt\n" +
                                                   head + "[input]\n" + layout.input +
                                                   "[output]\n" + output,
                                               "network", folder.file("network.model")));
}

Result<std::vector<Detection>> run(InferenceModel& model, const cv::Mat& bgr) {
  return checkedRun(model, viewOf(bgr), {.frame = {bgr.cols, bgr.rows}});
}

TEST_P(Layouts, AreRead) {
  const Folder folder;
  const auto model = modelOf(folder, GetParam(), "labels=a;b;c\ntask=segmentation\n");
  const auto found = run(*model, cv::Mat(30, 40, CV_8UC3, cv::Scalar::all(0)));
  ASSERT_TRUE(found) << found.error();
  ASSERT_EQ(found.value().size(), 1U);
  const Detection& object = found.value()[0];
  EXPECT_EQ(object.box, (Box{8, 10, 18, 20}));
  EXPECT_FLOAT_EQ(object.score, 0.75F);
  EXPECT_EQ(object.label, "c");
  ASSERT_TRUE(object.mask);
  EXPECT_EQ(object.mask->area(), 50);
  EXPECT_EQ(object.mask->row(15)[4], 1);
  EXPECT_EQ(object.mask->row(15)[5], 0);
}

INSTANTIATE_TEST_SUITE_P(Of, Layouts, ::testing::ValuesIn(kLayouts),
                         [](const auto& instance) { return std::string(instance.param.name); });

TEST(TorchModel, NeedsNoModelFileWhereTheNetworkTellsItsObjects) {
  for (const Layout& layout : kLayouts) {
    // Only a .model file can say that it takes 3 x H x W.
    if (std::string_view(layout.input).starts_with("batch=false")) continue;
    const Folder folder;
    torch::jit::Module module("network");
    module.define(layout.code);
    module.save(folder.file("network.torchscript"));
    const auto model = InferenceModel::create(loadModelFile(folder.file("network.torchscript")));
    EXPECT_TRUE(model->rules().masks) << layout.name;
    const bool torchvisions = std::string_view(layout.name) == "TorchvisionScripted";
    EXPECT_EQ(*model->file().colour, torchvisions ? ChannelOrder::Rgb : ChannelOrder::Bgr)
        << layout.name;
    EXPECT_DOUBLE_EQ(*model->file().scale, torchvisions ? 1.0 / 255 : 1) << layout.name;
    const auto found = run(*model, cv::Mat(30, 40, CV_8UC3, cv::Scalar::all(0)));
    ASSERT_TRUE(found) << found.error();
    ASSERT_EQ(found.value().size(), 1U) << layout.name;
    EXPECT_EQ(found.value()[0].box, (Box{8, 10, 18, 20})) << layout.name;
    ASSERT_TRUE(found.value()[0].mask) << layout.name;
    EXPECT_EQ(found.value()[0].mask->area(), 50) << layout.name;
  }
}

TEST(TorchModel, CountsTheJointsThatTheNetworkTells) {
  const Folder folder;
  torch::jit::Module module("network");
  module.define(
      "def forward(self, x):\n"
      "  return (torch.tensor([[0.0, 0.0, 20.0, 20.0]]), torch.tensor([0]), torch.tensor([0.75]),\n"
      "          torch.tensor([[[5.0, 6.0, 1.0], [9.0, 6.0, 1.0]]]), torch.tensor([[0.0, "
      "0.0]]))\n");
  module.save(folder.file("network.torchscript"));
  const auto model = InferenceModel::create(loadModelFile(folder.file("network.torchscript")));
  EXPECT_EQ(model->rules().keypoints, 2);
  EXPECT_FALSE(model->rules().masks);
  const auto found = run(*model, cv::Mat(30, 40, CV_8UC3, cv::Scalar::all(0)));
  ASSERT_TRUE(found) << found.error();
  ASSERT_EQ(found.value().size(), 1U);
  EXPECT_EQ(found.value()[0].keypoints, (std::vector<Keypoint>{{5, 6, 0.5F}, {9, 6, 0.5F}}));
}

/** A network of Ultralytics that sees one object of class 1 at the centre of 64 x 64 pixels. */
std::unique_ptr<InferenceModel> ultralytics(const Folder& folder, const std::string& code,
                                            const std::string& notes) {
  torch::jit::Module module("network");
  module.define("def forward(self, x):\n" + code);
  const torch::jit::ExtraFilesMap files{{"config.txt", notes}};
  module.save(folder.file("network.torchscript"), files);
  return InferenceModel::create(loadModelFile(folder.file("network.torchscript")));
}

constexpr const char* kColumns =
    "  y = torch.zeros([1, 6, 84])\n"
    "  y[0, :, 42] = torch.tensor([32.0, 32.0, 20.0, 10.0, 0.125, 0.75])\n"
    "  return y\n";

TEST(TorchModel, KnowsWhatUltralyticsNotes) {
  const Folder folder;
  const auto model = ultralytics(
      folder, kColumns,
      R"({"task": "detect", "stride": 32, "imgsz": [64, 64], "names": {"0": "cat", "1": "dog's"},
          "args": {"batch": 1}})");
  EXPECT_EQ(model->file().decoder, OutputDecoder::Yolov8);
  EXPECT_EQ(model->rules().fixedSize, (Size{64, 64}));
  EXPECT_EQ(*model->file().fit, Fit::Centre);
  EXPECT_EQ(*model->file().colour, ChannelOrder::Rgb);
  const auto found = run(*model, cv::Mat(32, 64, CV_8UC3, cv::Scalar::all(0)));
  ASSERT_TRUE(found) << found.error();
  ASSERT_EQ(found.value().size(), 1U);
  EXPECT_EQ(found.value()[0].box, (Box{22, 11, 42, 21})) << "below 16 rows of grey";
  EXPECT_EQ(found.value()[0].label, "dog's");
}

TEST(TorchModel, TakesAnySizeWhereUltralyticsNotesThat) {
  const Folder folder;
  const auto model = ultralytics(folder,
                                 "  y = torch.zeros([1, 6, x.size(2) * x.size(3) * 21 // 1024])\n"
                                 "  y[0, :, 0] = torch.tensor([9.0, 9.0, 2.0, 2.0, 0.5, 0.0])\n"
                                 "  return y\n",
                                 R"({"task": "detect", "stride": 16, "imgsz": [64, 64],
                                     "args": {"dynamic": true}})");
  EXPECT_EQ(model->rules().fixedSize, Size());
  EXPECT_EQ(model->rules().multipleOf, 16);
}

TEST(TorchModel, TellsASuppressionThatIsBuiltIn) {
  const Folder folder;
  const std::string rows = "  return torch.tensor([[[22.0, 27.0, 42.0, 37.0, 0.75, 1.0]]])\n";
  for (const char* notes : {R"("args": {"nms": true})", R"("end2end": true)"}) {
    const auto model = ultralytics(
        folder, rows, R"({"task": "detect", "imgsz": [64, 64], )" + std::string(notes) + "}");
    EXPECT_EQ(model->file().decoder, OutputDecoder::EndToEnd) << notes;
  }
}

TEST(TorchModel, NotesOfAnotherKindAreNone) {
  const Folder folder;
  for (const char* notes : {"", "no JSON", "[]", "{\"imgsz\": 64}", "{\"imgsz\": [64]}",
                            "{\"imgsz\": [\"a\", \"b\"]}", "{\"args\": []}", "{\"names\": 7}"}) {
    const auto model = ultralytics(folder,
                                   "  return (torch.tensor([[1.0, 2.0, 3.0, 4.0]]),\n"
                                   "          torch.tensor([0.5]), torch.tensor([0]))\n",
                                   notes);
    EXPECT_EQ(model->file().decoder, OutputDecoder::Objects) << notes;
    EXPECT_EQ(model->rules().fixedSize, Size()) << notes;
  }
}

TEST(TorchModel, ReadsJointsWhoseScoresAreLogits) {
  const Folder folder;
  const auto model = modelOf(
      folder,
      {"",
       "def forward(self, images: List[Tensor]):\n"
       "  return [{'boxes': torch.tensor([[0.0, 0.0, 20.0, 20.0]]), 'labels': torch.tensor([0]),\n"
       "    'scores': torch.tensor([0.75]),\n"
       "    'keypoints': torch.tensor([[[5.0, 6.0, 1.0], [50.0, 6.0, 1.0]]]),\n"
       "    'keypoints_scores': torch.tensor([[0.0, 9.0]])}]\n"},
      "task=keypoints\n", "keypoints=2\n");
  const auto found = run(*model, cv::Mat(30, 40, CV_8UC3, cv::Scalar::all(0)));
  ASSERT_TRUE(found) << found.error();
  ASSERT_EQ(found.value().size(), 1U);
  // The second one lies outside the picture.
  EXPECT_EQ(found.value()[0].keypoints, (std::vector<Keypoint>{{5, 6, 0.5F}, {50, 6, 0}}));
}

TEST(TorchModel, GivesTheNetworkTheColoursThatItAsksFor) {
  const Folder folder;
  const auto model = modelOf(folder,
                             {"",
                              "def forward(self, x):\n"
                              "  return (torch.tensor([[0.0, 0.0, 8.0, 8.0]]), x[0, 0, 0, :1],\n"
                              "          (x[0, 2, 0, :1] * 10).round().long())\n",
                              "colour=rgb\nmean=10;20;30\nscale=0.01\n"},
                             "");
  const auto found = run(*model, cv::Mat(8, 8, CV_8UC3, cv::Scalar(0, 0, 110)));
  ASSERT_TRUE(found) << found.error();
  ASSERT_EQ(found.value().size(), 1U);
  EXPECT_FLOAT_EQ(found.value()[0].score, 1);  // (110 - 10) * 0.01
  EXPECT_EQ(found.value()[0].labelId, -3);     // (0 - 30) * 0.01 * 10
}

TEST(TorchModel, FitsPicturesIntoTheNetworksSizeAsItIsTold) {
  for (const auto& [fit, box] : {std::pair("fit=corner\n", Box{20, 20, 60, 40}),
                                 std::pair("fit=centre\n", Box{20, 0, 60, 20}),
                                 std::pair("fit=stretch\n", Box{20, 10, 60, 20})}) {
    const Folder folder;
    const std::string input = std::string("size=40;40\n") + fit;
    const auto model = modelOf(folder,
                               {"",
                                "def forward(self, x):\n"
                                "  return (torch.tensor([[10.0, 10.0, 30.0, 20.0]]),\n"
                                "          torch.tensor([0.75]), torch.tensor([0]))\n",
                                input.c_str()},
                               "");
    const auto found = run(*model, cv::Mat(40, 80, CV_8UC3, cv::Scalar::all(0)));
    ASSERT_TRUE(found) << found.error();
    ASSERT_EQ(found.value().size(), 1U);
    EXPECT_EQ(found.value()[0].box, box) << fit;
  }
}

TEST(TorchModel, NamesWhatIsWrong) {
  const Folder folder;
  const auto errorOf = [&](const std::string& code, const std::string& head = "",
                           const std::string& output = "") {
    try {
      modelOf(folder, {"", code.c_str()}, head, output);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const std::string objects = "decoder=objects\n";
  EXPECT_THAT(errorOf("def forward(self, x):\n  return x\n", "", objects),
              AllOf(HasSubstr("network.pt"), HasSubstr("no boxes")));
  EXPECT_THAT(errorOf("def forward(self, x):\n  return (torch.zeros([0, 4]), x)\n", "", objects),
              HasSubstr("no scores"));
  EXPECT_THAT(
      errorOf("def forward(self, x):\n  return x\n"),
      AllOf(HasSubstr("network.pt"), HasSubstr("1x3x320x320"), HasSubstr("[output] decoder")));
  EXPECT_THAT(errorOf("def forward(self, x: int):\n  return x\n"), HasSubstr("takes int"));
  EXPECT_THAT(errorOf("def forward(self, x):\n  assert False, 'bad luck'\n  return x\n"),
              HasSubstr("bad luck"));
  EXPECT_THAT(errorOf("def forward(self, x):\n  return x\n", "libraries=libnone.so\n"),
              AllOf(HasSubstr("[model] libraries"), HasSubstr("libnone.so")));
  if (!at::hasCUDA()) {
    EXPECT_THAT(errorOf("def forward(self, x):\n  return x\n", "device=cuda\n"),
                HasSubstr("[model] device"));
  }
  std::ofstream(folder.file("text.pt")) << "words";
  try {
    InferenceModel::create(parseModelFile("[model]\nbackend=torchscript\nfile=text.pt\n", "text",
                                          folder.file("text.model")));
    FAIL() << "took words for a network";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("text.pt"));
  }
}

TEST(TorchModel, TellsACheckpointFromTorchScript) {
  const Folder folder;
  const std::string file = folder.file("weights.pt");
  // As torch.save() writes it.
  ASSERT_EQ(testing::run("/usr/bin/python3",
                         {"-c",
                          "import sys, zipfile\n"
                          "with zipfile.ZipFile(sys.argv[1], 'w') as archive:\n"
                          "  archive.writestr('weights/data.pkl', b'\\x80\\x02}q\\x00.')\n"
                          "  archive.writestr('weights/version', '3')\n",
                          file})
                .code,
            0);
  try {
    InferenceModel::create(loadModelFile(file));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("weights.pt: is a checkpoint, not TorchScript"));
  }
}

TEST(TorchModel, TakesNoThreadsBesidesTheOneThatRunsIt) {
  const Folder folder;
  const auto model =
      modelOf(folder,
              {"",
               "def forward(self, x):\n"
               "  y = torch.ones([600, 600])\n"
               "  for i in range(20):\n"
               "    y = torch.mm(y, y).tanh()\n"
               "  return (torch.zeros([0, 4]), y[:0, 0], torch.zeros([0]).long())\n"},
              "");
  const auto cpu = [](clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  };
  const cv::Mat picture(8, 8, CV_8UC3, cv::Scalar::all(0));
  std::thread([&] {
    const double all = cpu(CLOCK_PROCESS_CPUTIME_ID), own = cpu(CLOCK_THREAD_CPUTIME_ID);
    EXPECT_TRUE(run(*model, picture));
    const double took = cpu(CLOCK_THREAD_CPUTIME_ID) - own;
    EXPECT_LT(cpu(CLOCK_PROCESS_CPUTIME_ID) - all - took, 0.1 * took);
  }).join();
}

/** What the script of torchvision's networks wrote; unset where there is no torchvision. */
class Torchvision : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new Folder;
    const auto outcome = testing::run(
        "/usr/bin/python3",
        {std::string(getenv("ELF_TEST_SOURCE_ROOT")) + "/tests/server/torchvision_models.py",
         folder_->path()});
    missing_ = outcome.code == 77 || outcome.code == -1;
    ASSERT_TRUE(missing_ || outcome.code == 0) << outcome.err;
    operators_ = outcome.out.substr(0, outcome.out.find('\n'));
  }
  static void TearDownTestSuite() { delete folder_; }

  void SetUp() override {
    if (missing_) GTEST_SKIP() << "no torchvision: install python3-torchvision";
    picture_ = cv::imread(folder_->file("picture.png"));
  }

  std::vector<Detection> find(const std::string& file, const std::string& task,
                              const std::string& output = "") {
    const auto model = InferenceModel::create(parseModelFile(
        "[model]\nbackend=torchscript\nfile=" + file + ".pt\nlibraries=" + operators_ +
            "\ntask=" + task + "\n[input]\ncolour=rgb\nscale=0.00392156862745098\n" + output,
        file, folder_->file(file + ".model")));
    const auto found = run(*model, picture_);
    EXPECT_TRUE(found) << found.error();
    return found ? found.value() : std::vector<Detection>();
  }

  /** Boxes, scores and labels are Python's. */
  nlohmann::json expectPythons(const std::vector<Detection>& found, const std::string& name) {
    std::ifstream in(folder_->file(name + ".json"));
    nlohmann::json python = nlohmann::json::parse(in);
    EXPECT_EQ(found.size(), python["boxes"].size());
    EXPECT_GE(found.size(), 5U);
    for (std::size_t i = 0; i < std::min(found.size(), python["boxes"].size()); ++i) {
      const auto corners = python["boxes"][i].get<std::array<float, 4>>();
      EXPECT_NEAR(found[i].box.x0, corners[0], 1e-2);
      EXPECT_NEAR(found[i].box.y0, corners[1], 1e-2);
      EXPECT_NEAR(found[i].box.x1, corners[2], 1e-2);
      EXPECT_NEAR(found[i].box.y1, corners[3], 1e-2);
      EXPECT_NEAR(found[i].score, python["scores"][i].get<float>(), 1e-4);
      EXPECT_EQ(found[i].labelId, python["labels"][i].get<std::int64_t>());
    }
    return python;
  }

  void expectMasks(const std::vector<Detection>& found) {
    const nlohmann::json python = expectPythons(found, "masks");
    for (std::size_t i = 0; i < found.size(); ++i) {
      const Rect whole = wholeFrame({picture_.cols, picture_.rows});
      std::vector<std::uint8_t> pixels(static_cast<std::size_t>(whole.area()));
      for (const auto& at : python["masks"][i])
        pixels[at[0].get<std::size_t>() * static_cast<std::size_t>(whole.width) +
               at[1].get<std::size_t>()] = 1;
      const Mask mask = Mask(whole, std::move(pixels)).over(found[i].mask->rect());
      EXPECT_GT(mask.area(), 0);
      EXPECT_EQ(*found[i].mask, mask) << i;
    }
  }

  static inline Folder* folder_ = nullptr;
  static inline bool missing_ = false;
  static inline std::string operators_;
  cv::Mat picture_;
};

TEST_F(Torchvision, MasksOfAScriptedMaskRcnnArePythons) {
  expectMasks(find("masks", "segmentation"));
}

TEST_F(Torchvision, MasksOfATracedMaskRcnnArePythons) {
  expectMasks(find("masks-traced", "segmentation", "size=128;96\n"));
}

TEST_F(Torchvision, JointsOfAKeypointRcnnArePythons) {
  const std::vector<Detection> found = find("keypoints", "keypoints", "[output]\nkeypoints=5\n");
  const nlohmann::json python = expectPythons(found, "keypoints");
  for (std::size_t i = 0; i < found.size(); ++i)
    for (std::size_t j = 0; j < 5; ++j) {
      const Keypoint& joint = found[i].keypoints[j];
      const auto expected = python["keypoints"][i][j].get<std::array<float, 3>>();
      const double logit = python["keypoints_scores"][i][j].get<double>();
      EXPECT_NEAR(joint.x, expected[0], 1e-2);
      EXPECT_NEAR(joint.y, expected[1], 1e-2);
      EXPECT_NEAR(joint.visibility, 1 / (1 + std::exp(-logit)), 1e-4);
    }
}

TEST(TorchModel, AnOperatorThatThisLibTorchLacksIsNamed) {
  const Folder folder;
  torch::jit::Module module("net");
  module.define("def forward(self, x):\n  return torch.relu(x)\n");
  module.save(folder.file("net.pt"));
  // As a later torch would have saved it.
  const auto outcome = testing::run(
      "/usr/bin/python3",
      {"-c",
       "import sys, zipfile\n"
       "with zipfile.ZipFile(sys.argv[1]) as old, zipfile.ZipFile(sys.argv[2], 'w') as new:\n"
       "    for name in old.namelist():\n"
       "        new.writestr(name, old.read(name).replace(b'torch.relu(', "
       "b'torch.relu_of_2099('))\n",
       folder.file("net.pt"), folder.file("later.pt")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  try {
    InferenceModel::create(parseModelFile("[model]\nbackend=torchscript\nfile=later.pt\n", "later",
                                          folder.file("later.model")));
    ADD_FAILURE() << "an operator that nobody has was loaded";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("later.pt: LibTorch " TORCH_VERSION),
                                    HasSubstr("aten::relu_of_2099")));
  }
}

TEST(TorchModel, ListsOfPicturesAndBatchesOfRawTensorsRunAtOnce) {
  const Folder folder;
  // The label is what the first pixel's blue says.
  const char* const list =
      "def forward(self, images: List[Tensor]):\n"
      "  found: List[Dict[str, Tensor]] = []\n"
      "  for x in images:\n"
      "    found.append({'boxes': torch.tensor([[8.0, 10.0, 18.0, 20.0]]),\n"
      "                  'labels': x[0, 0, 0].reshape(1).long(), 'scores': torch.tensor([0.75])})\n"
      "  return found\n";
  // YOLOv8's layout: one place, centre and size, and as many classes as there are.
  const char* const raw =
      "def forward(self, x):\n"
      "  y = torch.zeros([x.size(0), 8, 100])\n"
      "  y[:, 0, 0] = 13\n"
      "  y[:, 1, 0] = 15\n"
      "  y[:, 2, 0] = 10\n"
      "  y[:, 3, 0] = 10\n"
      "  for i in range(x.size(0)):\n"
      "    y[i, 4 + int(x[i, 0, 0, 0]) % 4, 0] = 0.75\n"
      "  return y\n";
  for (const auto& [code, output] : {std::pair(list, ""), std::pair(raw, "decoder=yolov8\n")}) {
    const auto model = modelOf(folder, {"", code, "size=40;30\nmax-batch=4\nscale=1\ncolour=bgr\n"},
                               "labels=a;b;c;d\n", output);
    std::vector<cv::Mat> pixels;
    std::vector<PlacedPicture> pictures;
    for (int i = 0; i < 4; ++i) {
      pixels.emplace_back(30, 40, CV_8UC3, cv::Scalar::all(i));
      pictures.push_back({viewOf(pixels.back()), {.frame = {40, 30}}});
    }
    const auto all = checkedRunBatch(*model, pictures);
    ASSERT_EQ(all.size(), 4U);
    for (std::size_t i = 0; i < 4; ++i) {
      ASSERT_TRUE(all[i]) << all[i].error();
      ASSERT_EQ(all[i].value().size(), 1U);
      EXPECT_EQ(all[i].value()[0].label, std::string(1, static_cast<char>('a' + i)));
      EXPECT_EQ(all[i].value()[0].box, (Box{8, 10, 18, 20}));
    }
  }
}

TEST(TorchModel, RefusesBatchesOfWhatSeesOnePictureAtATime) {
  const Folder folder;
  const auto errorOf = [&](const char* code, const std::string& output = "") {
    try {
      modelOf(folder, {"", code, "size=40;30\nmax-batch=2\n"}, "", output);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const auto refused = AllOf(HasSubstr("network.model: [input] max-batch"), HasSubstr("must be 1"));
  EXPECT_THAT(
      errorOf("def forward(self, x):\n"
              "  return (torch.zeros([0, 4]), torch.zeros([0]), torch.zeros([0]).long())\n"),
      refused);
  // All that it says is of the first.
  EXPECT_THAT(errorOf("def forward(self, x):\n"
                      "  return torch.zeros([x.size(0), 8, 100]) + x[0, 0, 0, 0]\n",
                      "decoder=yolov8\n"),
              refused);
  EXPECT_THAT(errorOf("def forward(self, x):\n"
                      "  return torch.zeros([1, 8, 100])\n",
                      "decoder=yolov8\n"),
              refused);
  EXPECT_THAT(errorOf("def forward(self, images: List[Tensor]):\n"
                      "  x = images[0]\n"
                      "  found = {'boxes': torch.zeros([1, 4]), 'labels': torch.tensor([2]),\n"
                      "           'scores': x[0, 0, 0].reshape(1)}\n"
                      "  return [found, found] if len(images) == 2 else [found]\n"),
              refused);
}

TEST(TorchModel, FindsInARealPictureWhatOpencvFindsWithTheSameNetwork) {
  if (!std::filesystem::exists(sharedFile("models/yolox_nano.ts.pt")))
    GTEST_SKIP() << "no shared models in " << getenv("ELF_TEST_SHARED");
  const cv::Mat picture = cv::imread("/usr/share/doc/opencv-doc/examples/data/basketball1.png");
  if (picture.empty()) GTEST_SKIP() << "no pictures: install opencv-doc";
  const std::string rest =
      "labels=coco.names\n[input]\nmultiple-of=32\n[output]\ndecoder=yolox\nmin-score=0.3\n";
  const auto found = [&](const std::string& head) {
    const auto model = InferenceModel::create(
        parseModelFile("[model]\n" + head + rest, "yolox", sharedFile("models/yolox.model")));
    return run(*model, picture);
  };
  const auto torch = found("backend=torchscript\nfile=yolox_nano.ts.pt\n");
  const auto opencv = found("backend=opencv-dnn\nfile=yolox_nano.onnx\n");
  ASSERT_TRUE(torch) << torch.error();
  ASSERT_TRUE(opencv) << opencv.error();
  ASSERT_EQ(torch.value().size(), opencv.value().size());
  ASSERT_GE(torch.value().size(), 2U);
  for (std::size_t i = 0; i < torch.value().size(); ++i) {
    const Detection& a = torch.value()[i];
    const Detection& b = opencv.value()[i];
    EXPECT_EQ(a.label, b.label);
    EXPECT_NEAR(a.score, b.score, 1e-3);
    EXPECT_GE(iou(a.box, b.box), 0.99);
  }
}

}  // namespace
}  // namespace elf
