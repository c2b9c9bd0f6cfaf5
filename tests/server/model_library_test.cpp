// SPDX-License-Identifier: LGPL-2.1-or-later
// Models of the user's own: the example of docs/, and libraries that are no good.
#include "elf/server/model_library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libsoup/soup.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "elf/server/backends.h"
#include "elf/server/checked_run.h"
#include "elf/server/local_server.h"
#include "elf/wire/detections.h"
#include "elf/wire/infer.h"
#include "elf/wire/metadata.h"
#include "tests/support/folder.h"

namespace elf {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string built(const std::string& file) {
  return std::string(getenv("ELF_TEST_BUILD_ROOT")) + "/" + file;
}

std::string odd(const std::string& name) {
  return built("tests/server/libodd_" + name + ".so");
}

const std::string& blobs() {
  static const auto* const path = new std::string(built("docs/libbright_blobs.so"));
  return *path;
}

std::string errorOf(const std::string& model) {
  try {
    InferenceModel::create(loadModelFile(model));
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

/** A GET without a body, else a POST of a picture; the answer's tensors follow its JSON. */
std::vector<std::uint8_t> ask(const std::string& url, const std::vector<std::uint8_t>& picture,
                              std::optional<std::size_t>& jsonLength) {
  SoupSession* session = soup_session_new();
  SoupMessage* message = soup_message_new(picture.empty() ? "GET" : "POST", url.c_str());
  if (!picture.empty()) {
    GBytes* body = g_bytes_new(picture.data(), picture.size());
    soup_message_set_request_body_from_bytes(message, "image/png", body);
    g_bytes_unref(body);
    soup_message_headers_append(soup_message_get_request_headers(message),
                                "Inference-Header-Content-Length", "0");
  }
  GBytes* got = soup_session_send_and_read(session, message, nullptr, nullptr);
  EXPECT_EQ(soup_message_get_status(message), 200U);
  std::vector<std::uint8_t> answer;
  if (got) {
    gsize size = 0;
    const auto* data = static_cast<const std::uint8_t*>(g_bytes_get_data(got, &size));
    answer.assign(data, data + size);
    g_bytes_unref(got);
  }
  if (const char* length = soup_message_headers_get_one(soup_message_get_response_headers(message),
                                                        "Inference-Header-Content-Length"))
    jsonLength = std::stoul(length);
  g_object_unref(message);
  g_object_unref(session);
  return answer;
}

TEST(ModelLibrary, IsServedOverHttpWithItsRulesAndMasks) {
  if (!std::filesystem::exists(blobs())) GTEST_SKIP() << "built without docs_examples";
  const LocalServer server(
      {.program = built("lib/programs/elf-server"), .arguments = {"--model", blobs()}});
  std::optional<std::size_t> jsonLength;
  const std::string model = server.url() + "/v2/models/bright_blobs";
  const auto metadata = wire::parseMetadata(ask(model, {}, jsonLength));
  ASSERT_TRUE(metadata) << metadata.error();
  ASSERT_TRUE(metadata.value().rules);
  const ModelRules& rules = *metadata.value().rules;
  EXPECT_EQ(rules.labels, Labels{"blob"});
  EXPECT_TRUE(rules.masks);
  EXPECT_EQ(rules.context, 8);

  cv::Mat picture(60, 80, CV_8UC3, cv::Scalar::all(20));
  cv::circle(picture, {30, 25}, 10, cv::Scalar::all(250), cv::FILLED);
  cv::Mat bright;
  cv::inRange(picture, cv::Scalar::all(200), cv::Scalar::all(255), bright);
  std::vector<std::uint8_t> png;
  cv::imencode(".png", picture, png);
  const std::vector<std::uint8_t> body = ask(model + "/infer", png, jsonLength);
  const auto response = wire::parseResponse(body, jsonLength);
  ASSERT_TRUE(response) << response.error();
  const auto found = wire::decodeDetections(response.value(), rules, {80, 60}, {});
  ASSERT_TRUE(found) << found.error();
  ASSERT_EQ(found.value().size(), 1U);
  const Detection& blob = found.value()[0];
  EXPECT_EQ(blob.box, (Box{20, 15, 41, 36}));
  EXPECT_EQ(blob.label, "blob");
  ASSERT_TRUE(blob.mask);
  EXPECT_EQ(blob.mask->area(), cv::countNonZero(bright));
}

TEST(ModelLibrary, TakesTheRulesOfAModelFileThatNamesIt) {
  if (!std::filesystem::exists(blobs())) GTEST_SKIP() << "built without docs_examples";
  const testing::Folder folder;
  std::filesystem::create_symlink(blobs(), folder.file("libbright_blobs.so"));
  std::ofstream(folder.file("lamps.model"))
      << "[model]\nbackend=library\nfile=libbright_blobs.so\ntask=segmentation\n"
         "[output]\nsure-score=0.9\n";
  const auto model = InferenceModel::create(loadModelFile(folder.file("lamps.model")));
  EXPECT_EQ(model->name(), "lamps");
  EXPECT_FLOAT_EQ(model->rules().sureScore, 0.9F);
  EXPECT_EQ(model->rules().labels, Labels{"blob"});
}

TEST(ModelLibrary, OfAnotherVersionIsRefusedBeforeItIsAsked) {
  EXPECT_THAT(errorOf(odd("abi")), AllOf(HasSubstr(odd("abi")), HasSubstr("version 999"),
                                         HasSubstr("version " + std::to_string(kModelAbi))));
}

TEST(ModelLibrary, ThatIsNoneIsNamedWithTheReason) {
  EXPECT_THAT(errorOf("/nowhere/libmodel.so"), HasSubstr("/nowhere/libmodel.so: no such file"));
  const testing::Folder folder;
  std::ofstream(folder.file("libtext.so")) << std::string(1000, 'x');
  EXPECT_THAT(errorOf(folder.file("libtext.so")), HasSubstr("libtext.so: invalid ELF header"));
  EXPECT_THAT(errorOf(odd("entry")),
              AllOf(HasSubstr(odd("entry")), HasSubstr("ELF_MODEL_LIBRARY")));
  EXPECT_THAT(errorOf(odd("throws")), AllOf(HasSubstr(odd("throws")), HasSubstr("out of luck")));
  EXPECT_THAT(errorOf(odd("rules")), AllOf(HasSubstr(odd("rules")), HasSubstr("multiple-of")));
}

TEST(CheckedRun, HoldsAModelToItsPromises) {
  const auto model = InferenceModel::create(loadModelFile(odd("answers")));
  const auto errorAt = [&](int width) {
    const cv::Mat picture(32, width, CV_8UC3);
    const auto found = checkedRun(*model, viewOf(picture), {.frame = {width, 32}});
    return found ? std::string() : found.error();
  };
  EXPECT_THAT(errorAt(64), HasSubstr("odd_answers: object 0: its box reaches out of the picture"));
  EXPECT_THAT(errorAt(13), HasSubstr("odd_answers: an unlucky width"));
}

/** Finds what it is told to. */
class Told : public InferenceModel {
 public:
  Told(const ModelRules& rules, std::vector<Detection> found)
      : InferenceModel(fileOf(rules)), found_(std::move(found)) {}
  std::string platform() const override { return "told"; }
  Result<std::vector<Detection>> run(const ImageView&, const Placement&) override {
    if (found_.empty()) throw 1;
    return found_;
  }

 private:
  static ModelFile fileOf(const ModelRules& rules) {
    ModelFile file;
    file.name = "told";
    file.rules = rules;
    return file;
  }
  std::vector<Detection> found_;
};

TEST(CheckedRun, RefusesWhatNoClientTakes) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const cv::Mat picture(32, 64, CV_8UC3);
  const auto errorOf = [&](const ModelRules& rules, std::vector<Detection> found) {
    Told model(rules, std::move(found));
    const auto result = checkedRun(model, viewOf(picture), {.frame = {64, 32}});
    return result ? std::string() : result.error();
  };
  Detection good;
  good.box = {1, 2, 9, 8};
  good.score = 0.5F;
  const auto with = [&](const auto& change) {
    Detection detection = good;
    change(detection);
    return std::vector{detection};
  };
  EXPECT_EQ(errorOf({}, {good}), "");
  EXPECT_THAT(errorOf({}, {}), HasSubstr("told: throws"));
  EXPECT_THAT(errorOf({}, with([](Detection& d) { d.box.x0 = kNan; })), HasSubstr("not finite"));
  EXPECT_THAT(errorOf({}, with([](Detection& d) { d.box.x1 = 1; })), HasSubstr("empty"));
  EXPECT_THAT(errorOf({}, with([](Detection& d) { d.score = kNan; })), HasSubstr("score"));
  EXPECT_THAT(errorOf({.minScore = 0.6F}, {good}), HasSubstr("min-score"));
  EXPECT_THAT(errorOf({.masks = true}, {good}), HasSubstr("no mask"));
  EXPECT_THAT(errorOf({.masks = true}, with([](Detection& d) {
                        d.mask = Mask({0, 0, 1, 1}, {1});
                      })),
              HasSubstr("no mask over its box"));
  EXPECT_THAT(errorOf({.keypoints = 2}, {good}), HasSubstr("0 joints, not 2"));
  EXPECT_THAT(errorOf({.keypoints = 1}, with([](Detection& d) {
                        d.keypoints = {{kNan, 1, 1}};
                      })),
              HasSubstr("joint"));
  EXPECT_THAT(errorOf({.keypoints = 1}, with([](Detection& d) {
                        d.keypoints = {{1, 1, 2}};
                      })),
              HasSubstr("joint"));
  EXPECT_THAT(errorOf({}, std::vector(1001, good)), HasSubstr("1001 objects"));
  const auto turned = [&](const RotatedBox& rotated) {
    return errorOf({.rotated = true}, with([&](Detection& d) { d.rotated = rotated; }));
  };
  EXPECT_THAT(errorOf({.rotated = true}, {good}), HasSubstr("no rotated box"));
  EXPECT_EQ(turned({5, 5, 8, 6, 0}), "");
  EXPECT_EQ(turned({5, 5, 6, 8, 1.570796F}), "");
  EXPECT_EQ(turned({5, 5, 9, 6, 0}), "") << "within a pixel";
  EXPECT_THAT(turned({5, 5, 12, 6, 0}), HasSubstr("not that around its rotated one"));
  EXPECT_THAT(turned({5, 5, 8, 6, 0.8F}), HasSubstr("not that around its rotated one"));
  EXPECT_THAT(turned({5, 5, 8, 0, 0}), HasSubstr("no rotated box"));
  EXPECT_THAT(turned({5, 5, 8, 6, kNan}), HasSubstr("no rotated box"));
  // Of what reaches out of the picture the box is what is inside.
  const RotatedBox corner{2, 2, 20, 6, 0.8F};
  EXPECT_EQ(errorOf({.rotated = true}, with([&](Detection& d) {
                      d.rotated = corner;
                      d.box = clip(corner.hull(), {64, 32});
                    })),
            "");
}

}  // namespace
}  // namespace elf
