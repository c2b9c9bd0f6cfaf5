// SPDX-License-Identifier: LGPL-2.1-or-later
// The budget of elfoffload, and its estimate of whole frames, on JPEGs of real clips.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "elf/image/jpeg_encoder.h"
#include "elf/offload/whole_frame.h"
#include "gst/bench/input.h"
#include "gst/elfvision/gstelfvideo.h"
#include "tests/support/sending.h"

namespace elf {
namespace {

using elf::testing::Sending;

constexpr int kFrames = 100;
constexpr double kInterval = 0.04;

struct Clip {
  const char* name;
  /** Where it is: an absolute path, or one below the shared clips. */
  const char* path;
};

class BudgetOnClips : public ::testing::TestWithParam<Clip> {
 protected:
  void SetUp() override {
    const std::filesystem::path path =
        std::filesystem::path(std::getenv("ELF_TEST_SHARED")) / "data" / "clips" / GetParam().path;
    if (!std::filesystem::exists(path)) GTEST_SKIP() << "no clip " << path;
    input_ = bench::readInput(path, kFrames, 1, [](std::size_t) {});
  }

  /** Frame `index` of the clip, which runs to and fro without end, for `use`. */
  template <typename Use>
  void withFrame(std::size_t index, Use use) const {
    const std::size_t last = input_->frames.size() - 1, turn = index % (2 * last);
    GstBuffer* buffer = input_->frames[std::min(turn, 2 * last - turn)].get();
    const auto mapped = gst::MappedFrame::map(input_->info, buffer, GST_MAP_READ);
    ASSERT_TRUE(mapped);
    use(mapped->view());
  }

  std::optional<bench::Input> input_;
};

TEST_P(BudgetOnClips, AnyFiveSecondsHoldTheBudgetWithinTenPercent) {
  constexpr int kSeconds = 10;
  const double bestKilobits = [&] {
    JpegEncoder encoder;
    double bytes = 0;
    withFrame(0, [&](const ImageView& view) {
      bytes = static_cast<double>(
          encoder.encode(view, wholeFrame(view.size), view.size, 90).value().size());
    });
    return bytes / kInterval / 125;
  }();
  // Of what quality 90 takes: enough for some quality, for some scale, for a frame now and then.
  for (const double share : {0.6, 0.15, 0.02}) {
    Sending sending(bestKilobits * share, 90);
    for (std::size_t i = 0; i < kSeconds / kInterval; ++i)
      withFrame(i, [&](const ImageView& view) { sending.send(view, kInterval); });
    EXPECT_LT(sending.mostShare(5, 0, kSeconds), 1.1) << share;
    EXPECT_GT(sending.leastShare(5, 1, kSeconds), 0.9) << share;
  }
}

TEST_P(BudgetOnClips, TheEstimateOfWholeFramesIsWithinFivePercentInTotalAndTwentyForEach) {
  constexpr std::size_t kCovered = 64;
  JpegEncoder encoder;
  for (const int quality : {90, 50}) {
    WholeFrameEstimate estimate;
    double estimated = 0, real = 0;
    for (std::size_t i = 0; i < 2 * kFrames; ++i)
      withFrame(i, [&](const ImageView& view) {
        const auto bytesOf = [&](const Rect& rect) {
          return encoder.encode(view, rect, rect.size(), quality).value().size();
        };
        const Rect tile = estimate.nextTile(view.size);
        estimate.measured(view.size, tile.size(), bytesOf(tile), quality);
        if (i < kCovered) return;
        const auto file = static_cast<double>(bytesOf(wholeFrame(view.size)));
        // A decoder's key frames differ from those between them.
        EXPECT_NEAR(estimate.bytes(view.size, quality), file, 0.2 * file) << i;
        estimated += estimate.bytes(view.size, quality);
        real += file;
      });
    EXPECT_NEAR(estimated, real, 0.05 * real) << quality;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Of, BudgetOnClips,
    ::testing::Values(Clip{"Vtest", "/usr/share/doc/opencv-doc/examples/data/vtest.avi"},
                      Clip{"Cars", "cars_720p.mp4"}, Clip{"Crowd", "people_walking_720p.mp4"}),
    [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace elf
