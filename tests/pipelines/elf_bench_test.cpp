// SPDX-License-Identifier: LGPL-2.1-or-later
// The program elf-bench, as a user runs it.
#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "gst/bench/input.h"
#include "tests/support/hog.h"

namespace {

namespace fs = std::filesystem;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

Outcome bench(std::vector<std::string> arguments) {
  const std::string build = std::getenv("ELF_TEST_BUILD_ROOT");
  arguments.insert(arguments.begin(), build + "/gst/bench/elf-bench");
  // Where it finds elf-server.
  const std::string path = build + "/lib/programs:" + std::getenv("PATH");
  char** environment = g_environ_setenv(g_get_environ(), "PATH", path.c_str(), TRUE);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  char* out = nullptr;
  char* err = nullptr;
  int status = 0;
  GError* error = nullptr;
  Outcome outcome;
  if (g_spawn_sync(nullptr, argv.data(), environment, G_SPAWN_DEFAULT, nullptr, nullptr, &out, &err,
                   &status, &error)) {
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    outcome.out = out;
    outcome.err = err;
  } else {
    outcome.err = error->message;
    g_error_free(error);
  }
  g_strfreev(environment);
  g_free(out);
  g_free(err);
  return outcome;
}

std::string contents(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class ElfBench : public testing::Test {
 protected:
  ElfBench() {
    char* folder = g_dir_make_tmp("elf-bench-XXXXXX", nullptr);
    folder_ = folder;
    g_free(folder);
  }
  ~ElfBench() override { fs::remove_all(folder_); }

  /** Ten small moving pictures, 000000.png and so on. */
  void makeImages(int count = 10, const char* names = "%06d.png") {
    const std::string line = "videotestsrc pattern=ball num-buffers=" + std::to_string(count) +
                             " ! video/x-raw,width=160,height=192 ! pngenc ! multifilesink "
                             "location=" +
                             (folder_ / names).string();
    GstElement* pipeline = gst_parse_launch(line.c_str(), nullptr);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    GstBus* bus = gst_element_get_bus(pipeline);
    GstMessage* message = gst_bus_timed_pop_filtered(
        bus, 20 * GST_SECOND, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
    ASSERT_NE(message, nullptr);
    EXPECT_EQ(GST_MESSAGE_TYPE(message), GST_MESSAGE_EOS);
    gst_message_unref(message);
    gst_object_unref(bus);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
  }

  fs::path folder_;
};

struct WrongUse {
  std::vector<std::string> arguments;
  int code;
  const char* said;
};

class ElfBenchWrongUse : public testing::TestWithParam<WrongUse> {};

TEST_P(ElfBenchWrongUse, IsOneClearLine) {
  const Outcome outcome = bench(GetParam().arguments);
  EXPECT_EQ(outcome.code, GetParam().code);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, StartsWith("elf-bench: "));
  EXPECT_THAT(outcome.err, HasSubstr(GetParam().said));
  EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << outcome.err;
}

INSTANTIATE_TEST_SUITE_P(
    All, ElfBenchWrongUse,
    testing::Values(
        WrongUse{{}, 2, "--input: is missing"}, WrongUse{{"--nonsense"}, 2, "--nonsense"},
        WrongUse{{"video.avi"}, 2, "video.avi: is not an option"},
        WrongUse{{"--input", "v", "--servers", "0"}, 2, "--servers: must be within"},
        WrongUse{{"--input", "v", "--servers", "two"}, 2, "two"},
        WrongUse{{"--input", "v", "--modes", "elf,fast"}, 2, "no mode is called 'fast'"},
        WrongUse{{"--input", "v", "--modes", "elf,elf"}, 2, "named twice"},
        WrongUse{{"--input", "v", "--modes", ""}, 2, "names no mode"},
        WrongUse{{"--input", "v", "--frames", "0"}, 2, "--frames: is neither above 0 nor -1"},
        WrongUse{{"--input", "v", "--frames", "-2"}, 2, "--frames: is neither above 0 nor -1"},
        WrongUse{{"--input", "v", "--repeats", "0"}, 2, "--repeats"},
        WrongUse{{"--input", "v", "--skip-interval", "0"}, 2, "--skip-interval"},
        WrongUse{{"--input", "v", "--sample", "0"}, 2, "--sample"},
        WrongUse{{"--input", "v", "--scale", "0"}, 2, "--scale"},
        WrongUse{{"--input", "v", "--fps", "-1"}, 2, "--fps"},
        WrongUse{{"--input", "v", "--live", "0"}, 2, "--live: must be within 0.1..1000"},
        WrongUse{{"--input", "v", "--live", "10", "--fps", "10"},
                 2,
                 "--live: goes without --fps (--live FPS is the rate)"},
        WrongUse{{"--input", "v", "--live", "10", "--sample", "2"},
                 2,
                 "--live: goes without --sample (every frame is captured)"},
        WrongUse{{"--input", "v", "--live", "10", "--deadline", "0"},
                 2,
                 "--deadline: must be at least 1"},
        WrongUse{{"--input", "v", "--deadline", "100"},
                 2,
                 "--deadline: needs --live (other runs have no deadline)"},
        WrongUse{{"--input", "v", "--modes", "elf,naive"},
                 2,
                 "--modes: naive needs --live (it holds boxes while new frames are captured)"},
        WrongUse{{"--input", "v", "--offload", "fast"}, 2, "'fast' is not of the form NAME=VALUE"},
        WrongUse{{"--input", "v", "--offload", "encoding='jpeg"}, 2, "--offload: "},
        WrongUse{{"--input", "v", "--offload", "haste=1"}, 2, "no property 'haste'"},
        WrongUse{{"--input", "v", "--offload", "stats=1"}, 2, "no property 'stats' to set"},
        WrongUse{{"--input", "v", "--offload", "encoding=gif"},
                 2,
                 "'encoding' can't be 'gif'; it takes auto, jpeg, raw"},
        WrongUse{{"--input", "v", "--offload", "bandwidth=-1"},
                 2,
                 "'bandwidth' can't be '-1'; it takes 0 to 2147483647"},
        WrongUse{{"--input", "v", "--offload", "servers=http://a"}, 2, "set by elf-bench itself"},
        WrongUse{{"--input", "v", "--offload", "qos=true qos=false"}, 2, "named twice"},
        WrongUse{{"--input", "/nowhere.avi"}, 1, "/nowhere.avi: no such file"},
        WrongUse{{"--input", "/nowhere-%d.png"}, 1, "neither /nowhere-0.png nor"},
        WrongUse{{"--input", "/nowhere-%s.png"}, 1, "one number"},
        WrongUse{{"--input", "v", "--model", "nosuchmodel"}, 1, "nosuchmodel: "},
        WrongUse{{"--input", "v", "--json", "/nowhere/out.json"},
                 1,
                 "/nowhere/out.json: can't be written: No such file or directory"},
        WrongUse{{"--input", "v", "--truth", "/nowhere.txt"}, 1, "/nowhere.txt: "},
        WrongUse{{"--input", "v", "--min-score", "2"}, 1, "--sure-score: must not be below"}));

TEST(ElfBenchProgram, TellsItsVersionAndHowToUseIt) {
  const Outcome version = bench({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_THAT(version.out, StartsWith("elf-bench "));
  const Outcome help = bench({"--help"});
  EXPECT_EQ(help.code, 0);
  for (const char* option :
       {"--input",     "--model",      "--servers",  "--modes",   "--frames",
        "--truth",     "--json",       "--html",     "--repeats", "--skip-interval",
        "--min-score", "--sure-score", "--sample",   "--scale",   "--offload",
        "--fps",       "--live",       "--deadline", "--version", "--help"})
    EXPECT_THAT(help.out, HasSubstr(option));
}

TEST_F(ElfBench, AFileThatIsNoVideoIsNamed) {
  const fs::path text = folder_ / "notes.txt";
  std::ofstream(text) << "no video at all\n";
  const Outcome outcome = bench({"--input", text});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("notes.txt: can't be decoded"));
}

TEST_F(ElfBench, AFolderWithoutImagesIsNamed) {
  const Outcome outcome = bench({"--input", folder_});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, EndsWith("holds no image\n"));
}

TEST_F(ElfBench, ReadsAFolderInTheOrderOfTheNumbersInItsNames) {
  makeImages(11, "%d.png");
  const auto pixels = [this](const fs::path& input) {
    std::vector<std::string> frames;
    for (const auto& frame : elf::bench::readInput(input, -1, 1, [](std::size_t) {}).frames) {
      std::string& bytes = frames.emplace_back(gst_buffer_get_size(frame.get()), '\0');
      gst_buffer_extract(frame.get(), 0, bytes.data(), bytes.size());
    }
    return frames;
  };
  const auto shown = pixels(folder_ / "%d.png");
  EXPECT_EQ(std::set(shown.begin(), shown.end()).size(), 11U);
  EXPECT_TRUE(pixels(folder_) == shown);
}

TEST_F(ElfBench, TakesTheModelAsAFileToo) {
  makeImages(4);
  std::ofstream(folder_ / "my-own.model") << "[model]\nbackend=simulated\nlabels=person\n";
  const Outcome outcome = bench({"--input", folder_, "--model", folder_ / "my-own.model", "--modes",
                                 "single,elf", "--repeats", "1", "--json", folder_ / "out.json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto json = nlohmann::json::parse(contents(folder_ / "out.json"));
  EXPECT_THAT(json["modes"]["elf"]["launch"].get<std::string>(), HasSubstr("model=\"my-own\""));
}

TEST_F(ElfBench, MeasuresAllModesOnAFolderOfImages) {
  if (!elf::hasHog()) GTEST_SKIP() << elf::testing::kNoHog;
  makeImages();
  std::ofstream(folder_ / "gt.txt") << "1,1,10,10,40,100,1\n";
  const Outcome outcome =
      bench({"--input", folder_, "--repeats", "2", "--json", folder_ / "out.json", "--html",
             folder_ / "out.html", "--truth", folder_ / "gt.txt", "--offload", "hedging=0"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  const auto json = nlohmann::json::parse(contents(folder_ / "out.json"));
  EXPECT_EQ(json["settings"]["frames"], 10);
  EXPECT_EQ(json["settings"]["servers"], 2);
  ASSERT_EQ(json["modes"].size(), 8U);
  for (const auto& [name, mode] : json["modes"].items()) {
    EXPECT_THAT(outcome.out, HasSubstr("\n" + name + " "));
    for (const char* figure : {"mean", "p50", "p95"})
      EXPECT_TRUE(mode["latency_ms"][figure].is_number()) << name << " " << figure;
    for (const char* kind : {"agreement", "confident", "confident75", "truth"})
      for (const char* figure : {"precision", "recall", "f1"})
        EXPECT_TRUE(mode[kind][figure].is_number()) << name << " " << kind << " " << figure;
    EXPECT_TRUE(mode["truth"]["ap"].is_number());
    for (const char* shapes : {"mask_iou", "oks"})
      EXPECT_TRUE(mode.contains(shapes) && mode[shapes].is_null()) << name << " " << shapes;
    EXPECT_TRUE(mode["fps"].is_number());
    EXPECT_TRUE(mode["speedup"].is_number()) << name;
    EXPECT_TRUE(mode["holds"].is_boolean());
    EXPECT_TRUE(mode["marks"].empty()) << name << mode["marks"];
    EXPECT_EQ(mode["frames"], 10);
    EXPECT_EQ(mode["repeats"].size(), 2U);
  }
  EXPECT_EQ(json["modes"]["single"]["pixels_per_frame"], 160 * 192);
  EXPECT_GT(json["modes"]["single"]["bytes_per_frame"], 0);
  EXPECT_EQ(json["modes"]["single"]["speedup"], 1);
  EXPECT_TRUE(json["modes"]["elf"]["share_of_oracle"].is_number());
  const std::string html = contents(folder_ / "out.html");
  EXPECT_THAT(html, HasSubstr("<svg"));
  EXPECT_THAT(html, Not(HasSubstr("src=")));
  EXPECT_THAT(html, Not(HasSubstr("href=")));
}

TEST_F(ElfBench, SamplesWholeFramesAndScalesAPatternOfImages) {
  if (!elf::hasHog()) GTEST_SKIP() << elf::testing::kNoHog;
  makeImages();
  const Outcome outcome =
      bench({"--input", folder_ / "%06d.png", "--repeats", "1", "--modes", "single,grid",
             "--sample", "4", "--frames", "9", "--scale", "0.5", "--servers", "1", "--json", "-"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json["settings"]["width"], 80);
  EXPECT_EQ(json["settings"]["height"], 96);
  EXPECT_EQ(json["modes"]["single"]["frames"], 3);
  EXPECT_EQ(json["modes"]["grid"]["frames"], 9);
  EXPECT_THAT(outcome.err, HasSubstr("1 frame in 4"));
}

TEST_F(ElfBench, SetsPropertiesOfElfoffloadAndTellsWhatTheyDid) {
  if (!elf::hasHog()) GTEST_SKIP() << elf::testing::kNoHog;
  makeImages();
  const Outcome outcome = bench({"--input", folder_, "--repeats", "1", "--modes", "single",
                                 "--offload", "encoding=jpeg jpeg-quality='70'", "--json", "-"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json["settings"]["offload"],
            nlohmann::json({{"encoding", "jpeg"}, {"jpeg-quality", "70"}}));
  EXPECT_THAT(outcome.err, HasSubstr(", encoding=jpeg, jpeg-quality=70\n"));
  const auto& single = json["modes"]["single"];
  EXPECT_LT(single["bytes_per_frame"], 160 * 192);
  EXPECT_EQ(single["whole_bytes_per_frame"], single["bytes_per_frame"]);
  EXPECT_GT(single["kbit_per_second"], 0);
  EXPECT_EQ(single["quality"], 70);
  EXPECT_EQ(single["scale"], 1);
  EXPECT_EQ(single["skipped"], 0);
}

TEST_F(ElfBench, LetsNoMoreFramesComeInASecondThanAsked) {
  if (!elf::hasHog()) GTEST_SKIP() << elf::testing::kNoHog;
  makeImages();
  const Outcome outcome = bench(
      {"--input", folder_, "--repeats", "1", "--modes", "single", "--fps", "20", "--json", "-"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json["settings"]["fps"], 20);
  // Ten frames have nine intervals.
  EXPECT_LE(json["modes"]["single"]["fps"], 20 * 10 / 9.0);
}

TEST_F(ElfBench, PlaysTheInputByTheClock) {
  if (!elf::hasHog()) GTEST_SKIP() << elf::testing::kNoHog;
  makeImages();
  std::ofstream(folder_ / "gt.txt") << "1,1,10,10,40,100,1\n";
  // With so long a deadline no frame is too late, however slow the machine is.
  const Outcome outcome =
      bench({"--input", folder_, "--repeats", "1", "--modes", "naive,single,skip,elf", "--live",
             "20", "--deadline", "1000", "--truth", folder_ / "gt.txt", "--json",
             folder_ / "out.json", "--html", folder_ / "out.html"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  EXPECT_THAT(outcome.out, HasSubstr(", live at 20.0 frames/s, shown after 1000 ms\n"));
  const auto json = nlohmann::json::parse(contents(folder_ / "out.json"));
  EXPECT_EQ(json["settings"]["live"], nlohmann::json({{"fps", 20}, {"deadline_ms", 1000}}));
  ASSERT_EQ(json["modes"].size(), 4U);
  for (const auto& [name, mode] : json["modes"].items()) {
    EXPECT_THAT(outcome.out, HasSubstr("\n" + name + " "));
    EXPECT_EQ(mode["frames"], 10);
    EXPECT_TRUE(mode["speedup"].is_null());
    const auto& live = mode["live"];
    EXPECT_EQ(live["fps"], 20);
    EXPECT_EQ(live["deadline_ms"], 1000);
    EXPECT_GT(live["inferred"], 0) << name;
    for (const char* percentile : {"p50", "p95", "p99"})
      EXPECT_GT(live["delay_ms"][percentile], 0) << name << " " << percentile;
    for (const char* percentile : {"p50", "p95"})
      EXPECT_TRUE(live["age_ms"][percentile].is_number()) << name << " " << percentile;
    for (const char* figure : {"precision", "recall", "f1"}) {
      for (const char* kind : {"confident", "confident75", "streaming"})
        EXPECT_TRUE(live[kind][figure].is_number()) << name << " " << kind << " " << figure;
      for (const char* kind : {"confident", "streaming"})
        EXPECT_TRUE(live["truth"][kind][figure].is_number()) << name << " " << kind;
    }
    for (const char* kind : {"confident", "streaming"})
      EXPECT_TRUE(live["truth"][kind]["ap"].is_number()) << name << " " << kind;
  }
  // Boxes are held: every frame is shown, whatever the queue drops.
  EXPECT_EQ(json["modes"]["naive"]["live"]["shown"], 1);
  EXPECT_EQ(json["modes"]["skip"]["live"]["shown"], 1);
  EXPECT_LE(json["modes"]["skip"]["live"]["inferred"], 0.4);
  // Nothing is held: what is shown was inferred.
  EXPECT_EQ(json["modes"]["single"]["live"]["shown"], json["modes"]["single"]["live"]["inferred"]);
  EXPECT_THAT(contents(folder_ / "out.html"), HasSubstr("Delay of each frame"));
}

TEST_F(ElfBench, AnImageOfAnotherSizeIsNamed) {
  makeImages(2);
  GstElement* other = gst_parse_launch(
      ("videotestsrc num-buffers=1 ! video/x-raw,width=64,height=64 ! pngenc ! filesink location=" +
       (folder_ / "000002.png").string())
          .c_str(),
      nullptr);
  gst_element_set_state(other, GST_STATE_PLAYING);
  GstBus* bus = gst_element_get_bus(other);
  GstMessage* message = gst_bus_timed_pop_filtered(bus, 20 * GST_SECOND, GST_MESSAGE_EOS);
  ASSERT_NE(message, nullptr);
  gst_message_unref(message);
  gst_object_unref(bus);
  gst_element_set_state(other, GST_STATE_NULL);
  gst_object_unref(other);
  const Outcome outcome = bench({"--input", folder_});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("000002.png: changes from 160x192"));
}

}  // namespace
