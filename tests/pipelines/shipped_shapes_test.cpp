// SPDX-License-Identifier: LGPL-2.1-or-later
// The .pipeline files on video of any shape: odd, tiny and wide frames, interlaced ones, pixels
// that are not square, and what a phone stored on its side.
#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "elf/geometry/box.h"
#include "tests/support/blob_model.h"
#include "tests/support/folder.h"
#include "tests/support/hog.h"
#include "tests/support/shipped.h"

namespace elf::testing {
namespace {

constexpr int kShort = 4;

/** A video file as a player shows it. */
struct Shown {
  int frames = 0;
  Size size;
  double pixelAspect = 0;
  /** The player has to turn it. */
  bool turned = false;
};

/** Runs a pipeline to its end. If it has an appsink `out`, that is what came out. */
Shown play(const std::string& line) {
  Shown shown;
  GError* error = nullptr;
  GstElement* pipeline = gst_parse_launch(line.c_str(), &error);
  EXPECT_EQ(error, nullptr) << error->message;
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  if (GstElement* sink = gst_bin_get_by_name(GST_BIN(pipeline), "out")) {
    // A file that cannot be played has none.
    while (GstSample* sample = gst_app_sink_try_pull_sample(GST_APP_SINK(sink), 5 * GST_SECOND)) {
      GstVideoInfo info;
      if (gst_video_info_from_caps(&info, gst_sample_get_caps(sample))) {
        shown.size = {info.width, info.height};
        shown.pixelAspect = static_cast<double>(info.par_n) / info.par_d;
      }
      ++shown.frames;
      gst_sample_unref(sample);
    }
    gst_object_unref(sink);
  }
  GstBus* bus = gst_element_get_bus(pipeline);
  for (bool ended = false; !ended;) {
    GstMessage* message = gst_bus_timed_pop_filtered(
        bus, 20 * GST_SECOND,
        static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_TAG));
    ended = !message || GST_MESSAGE_TYPE(message) != GST_MESSAGE_TAG;
    EXPECT_TRUE(message && GST_MESSAGE_TYPE(message) != GST_MESSAGE_ERROR) << line;
    if (message && !ended) {
      GstTagList* tags = nullptr;
      gst_message_parse_tag(message, &tags);
      gchar* orientation = nullptr;
      if (gst_tag_list_get_string(tags, GST_TAG_IMAGE_ORIENTATION, &orientation))
        shown.turned = shown.turned || orientation != std::string("rotate-0");
      g_free(orientation);
      gst_tag_list_unref(tags);
    }
    if (message) gst_message_unref(message);
  }
  gst_object_unref(bus);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(pipeline);
  return shown;
}

Shown shown(const std::string& file) {
  return play("filesrc location=" + file + " ! decodebin ! appsink name=out sync=false");
}

Box boxOf(const nlohmann::json& detection) {
  const auto& box = detection["box"];
  return {box[0], box[1], box[2], box[3]};
}

class ShippedShapes : public ::testing::Test {
 protected:
  /** A few frames with a bright ball, 40 pixels wide, on black. */
  std::string ball(const std::string& caps, const std::string& then = "", int made = kShort) const {
    std::string file = folder_.file("ball.mkv");
    play("videotestsrc pattern=ball num-buffers=" + std::to_string(made) +
         " ! video/x-raw,format=I420,framerate=10/1," + caps + then +
         " ! matroskamux ! filesink location=" + file);
    return file;
  }
  std::vector<std::string> values(const std::string& input,
                                  const std::string& model = "blob") const {
    return {"input=" + input, "servers=" + server_->url(), "model=" + model, "output=" + video_,
            "results=" + results_};
  }
  /** The results of a few frames of `input`, which the model "blob" infers. */
  std::vector<nlohmann::json> run(const std::string& pipeline, const std::string& input) {
    std::filesystem::remove(results_);
    const Outcome outcome = launch(kShort, pipeline, values(input));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return linesOf(results_);
  }

  Folder folder_;
  const std::string video_ = folder_.file("out.mp4"), results_ = folder_.file("results.jsonl");
  std::unique_ptr<Server> server_ = startBlobServer();
};

void expectTheBall(const std::vector<nlohmann::json>& lines, Size frame) {
  ASSERT_EQ(lines.size(), static_cast<std::size_t>(kShort));
  for (const nlohmann::json& line : lines) {
    EXPECT_EQ(line["width"], frame.width);
    EXPECT_EQ(line["height"], frame.height);
    ASSERT_EQ(line["detections"].size(), 1U) << line;
    const Box box = boxOf(line["detections"][0]);
    EXPECT_NEAR(box.width(), 40, 4);
    EXPECT_NEAR(box.height(), 40, 4);
  }
}

TEST_F(ShippedShapes, OddWidthsAndHeightsBecomeVideosFromEachPipeline) {
  const std::string clip = ball("width=321,height=241");
  for (const std::string name :
       {"people", "objects", "masks", "keypoints", "faces", "grid", "whole-frame"}) {
    SCOPED_TRACE(name);
    std::filesystem::remove(video_);
    expectTheBall(run(name, clip), {321, 241});
    const Shown out = shown(video_);
    EXPECT_EQ(out.frames, kShort);
    EXPECT_NEAR(out.size.width, 321, 1);
    EXPECT_NEAR(out.size.height, 241, 1);
  }
}

TEST_F(ShippedShapes, TwoStagesTakeAnOddSize) {
  const std::string servers = server_->url();
  const Outcome outcome = launch(
      kShort, "people-faces",
      {"input=" + ball("width=321,height=241"), "people-servers=" + servers, "people-model=blob",
       "face-servers=" + servers, "face-model=blob", "output=" + video_, "results=" + results_});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(linesOf(results_).size(), static_cast<std::size_t>(kShort));
  EXPECT_EQ(shown(video_).frames, kShort);
}

TEST_F(ShippedShapes, AnOddSizeIsPlayedInBrowsers) {
  const Outcome outcome = launch(
      kShort, "hls",
      {"uri=file://" + ball("width=321,height=241"), "servers=" + server_->url(), "model=blob",
       "folder=" + folder_.path(), "deadline=20000", "keyframes=2", "seconds=1"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_GT(shown(folder_.file("segment00000.ts")).frames, 0);
}

TEST_F(ShippedShapes, TinyAndWideFramesBecomeVideos) {
  for (const Size size : {Size{16, 16}, Size{1, 1}, Size{17, 3}, Size{3840, 48}}) {
    SCOPED_TRACE(std::to_string(size.width) + "x" + std::to_string(size.height));
    const auto lines = run("people", ball("width=" + std::to_string(size.width) +
                                          ",height=" + std::to_string(size.height)));
    ASSERT_EQ(lines.size(), static_cast<std::size_t>(kShort));
    for (const nlohmann::json& line : lines) {
      EXPECT_EQ(line["width"], size.width);
      EXPECT_EQ(line["height"], size.height);
      for (const nlohmann::json& detection : line["detections"]) {
        const Box box = boxOf(detection);
        EXPECT_EQ(box, clip(box, size));
      }
    }
    EXPECT_EQ(shown(video_).frames, kShort);
  }
}

TEST_F(ShippedShapes, InterlacedFramesBecomeVideos) {
  for (const Size size : {Size{320, 240}, Size{321, 241}}) {
    SCOPED_TRACE(size.height);
    const std::string caps =
        "width=" + std::to_string(size.width) + ",height=" + std::to_string(size.height);
    const auto lines = run("people", ball(caps, " ! interlace field-pattern=1:1", 2 * kShort));
    ASSERT_EQ(lines.size(), static_cast<std::size_t>(kShort));
    for (const nlohmann::json& line : lines) {
      EXPECT_EQ(line["height"], size.height);
      float widest = 0;  // the ball moves, so its edges are combs
      for (const nlohmann::json& blob : line["detections"])
        widest = std::max(widest, boxOf(blob).width());
      EXPECT_NEAR(widest, 42, 6);
    }
    EXPECT_EQ(shown(video_).frames, kShort);
  }
}

// What `model` finds in a clip of people, by whole frames.
std::vector<nlohmann::json> foundIn(const std::string& clip, const std::string& servers,
                                    const Folder& folder) {
  const std::string results = folder.file("people.jsonl");
  std::filesystem::remove(results);
  const Outcome outcome = launch(kShort, "whole-frame",
                                 {"input=" + clip, servers, "model=hog", "results=" + results,
                                  "output=" + folder.file("people.mp4")});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return linesOf(results);
}

class ShippedPeople : public ShippedShapes {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(clip_)) GTEST_SKIP() << "no clips in ../shared/data";
    if (!hasHog()) GTEST_SKIP() << kNoHog;
    servers_ = startServers("hog");
    upright_ = foundIn(clip_, urlsOf(servers_), folder_);
  }
  /** A few frames of the clip in another shape. */
  std::string reshaped(const std::string& by) const {
    std::string file = folder_.file("reshaped.mp4");
    play("filesrc location=" + clip_ + " ! decodebin ! identity eos-after=" +
         std::to_string(kShort + 2) + " ! videoconvert ! " + by +
         " ! videoconvert ! x264enc quantizer=10 pass=quant ! mp4mux ! filesink location=" + file);
    return file;
  }
  /** Most people of the upright clip are there, where they are there; `wide` and `high` are the
   * frame's size in pixels of the clip. */
  void expectThePeople(const std::vector<nlohmann::json>& lines, float wide, float high) const {
    ASSERT_EQ(lines.size(), upright_.size());
    int all = 0, found = 0;
    for (std::size_t i = 0; i < lines.size(); ++i)
      for (const nlohmann::json& person : upright_[i]["detections"]) {
        const Box there = scaled(boxOf(person), wide, high);
        ++all;
        for (const nlohmann::json& candidate : lines[i]["detections"])
          if (iou(there, boxOf(candidate)) > 0.5) {
            ++found;
            break;
          }
      }
    ASSERT_GE(all, 2 * kShort) << "too few people to compare";
    EXPECT_GE(found, 0.7 * all);
  }

  const std::string clip_ = sharedFile("clips/people_walking_720p.mp4");
  std::vector<LocalServer> servers_;
  std::vector<nlohmann::json> upright_;
};

TEST_F(ShippedPeople, AreFoundInPixelsThatAreNotSquare) {
  // An anamorphic film and its opposite.
  expectThePeople(foundIn(reshaped("videoscale add-borders=false ! "
                                   "video/x-raw,width=640,height=720,pixel-aspect-ratio=2/1"),
                          urlsOf(servers_), folder_),
                  0.5F, 1);
  const Shown out = shown(folder_.file("people.mp4"));
  EXPECT_EQ(out.size, (Size{640, 720}));
  EXPECT_NEAR(out.pixelAspect, 2, 0.01);
  expectThePeople(foundIn(reshaped("videoscale add-borders=false ! "
                                   "video/x-raw,width=1280,height=360,pixel-aspect-ratio=1/2"),
                          urlsOf(servers_), folder_),
                  1, 0.5F);
}

// Makes players turn a video clockwise by 90 degrees, as a phone does that was held upright.
void turnClockwise(const std::string& mp4) {
  std::ifstream in(mp4, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const std::size_t header = bytes.find("tkhd");
  ASSERT_NE(header, std::string::npos);
  ASSERT_EQ(bytes[header + 4], 0) << "version of the track header";
  // ISO/IEC 14496-12, 8.3.2: the matrix is behind 40 bytes of other fields.
  const std::array<std::uint32_t, 9> matrix{0, 0x10000, 0, 0xffff0000, 0, 0, 0, 0, 0x40000000};
  std::size_t at = header + 4 + 40;
  for (const std::uint32_t entry : matrix)
    for (int shift = 24; shift >= 0; shift -= 8) bytes[at++] = static_cast<char>(entry >> shift);
  std::ofstream(mp4, std::ios::binary) << bytes;
}

TEST_F(ShippedPeople, AreFoundInAVideoOfAPhoneThatWasHeldUpright) {
  const std::string lying = reshaped("videoflip video-direction=90l");
  turnClockwise(lying);
  const Shown in = shown(lying);
  ASSERT_TRUE(in.turned);
  ASSERT_EQ(in.size, (Size{720, 1280}));
  expectThePeople(foundIn(lying, urlsOf(servers_), folder_), 1, 1);
  const Shown out = shown(folder_.file("people.mp4"));
  EXPECT_EQ(out.size, (Size{1280, 720}));
  EXPECT_FALSE(out.turned);
}

// Adds an EXIF orientation, as TIFF in the segment APP1.
void orient(const std::string& jpeg, char orientation) {
  std::ifstream in(jpeg, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  ASSERT_EQ(bytes.substr(0, 2), "\xff\xd8");
  using namespace std::string_literals;
  const std::string tiff =
      "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"s + orientation + "\0\0\0\0\0\0"s;
  const std::string segment = "Exif\0\0"s + tiff;
  bytes.insert(2, "\xff\xe1\0"s + static_cast<char>(segment.size() + 2) + segment);
  std::ofstream(jpeg, std::ios::binary) << bytes;
}

TEST_F(ShippedPeople, AreFoundInPhotosThatAreToBeTurned) {
  play("filesrc location=" + clip_ + " ! decodebin ! identity eos-after=" +
       std::to_string(kShort + 2) + " ! videoconvert ! videoflip video-direction=90l ! " +
       "jpegenc quality=95 ! multifilesink location=" + folder_.file("%d.jpg"));
  for (int i = 0; i < kShort; ++i) orient(folder_.file(std::to_string(i) + ".jpg"), 6);
  const Outcome outcome = launch(
      kShort, "images",
      {"input=" + folder_.file("%d.jpg"), urlsOf(servers_), "model=hog", "results=" + results_});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const auto lines = linesOf(results_);
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines[0]["width"], 1280);
  expectThePeople({lines.begin(), lines.begin() + kShort}, 1, 1);
}

}  // namespace
}  // namespace elf::testing
