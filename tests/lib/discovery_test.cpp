// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/discovery/discovery.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "elf/discovery/frame_planner.h"
#include "elf/discovery/thumbnail.h"
#include "elf/merge/merge.h"

namespace elf {
namespace {

/** A grey picture that owns its pixels. */
class Grey {
 public:
  explicit Grey(Size size, std::uint8_t value = 100)
      : size_(size), pixels_(static_cast<std::size_t>(size.width) * size.height, value) {}

  void paint(const Rect& rect, std::uint8_t value) {
    for (int y = rect.y; y < rect.bottom(); ++y)
      std::fill_n(pixels_.begin() + y * size_.width + rect.x, rect.width, value);
  }
  /** Bright lines across `within`, `moved` pixels to the right of where they are else. */
  void drawLines(const Rect& within, int moved) {
    for (int x = within.x + 8 + moved; x + 4 <= within.right(); x += 24)
      paint({x, within.y, 4, within.height}, 220);
  }
  void brighten(int by) {
    for (std::uint8_t& pixel : pixels_) pixel = static_cast<std::uint8_t>(pixel + by);
  }
  void addNoise(std::mt19937& random) {
    for (std::uint8_t& pixel : pixels_) pixel = static_cast<std::uint8_t>(pixel + random() % 7 - 3);
  }
  const ImageView* view() {
    view_ = {PixelFormat::GRAY8, size_, {pixels_.data()}, {size_.width}};
    return &view_;
  }

 private:
  Size size_;
  std::vector<std::uint8_t> pixels_;
  ImageView view_;
};

Rp rpAt(const Box& box, Identity id = 1) {
  Rp rp;
  rp.box = rp.expected = box;
  rp.id = id;
  return rp;
}

std::vector<Part> partsOf(const std::vector<Rect>& rects) {
  std::vector<Part> parts;
  for (const Rect& rect : rects) parts.push_back({.rect = rect});
  return parts;
}

bool covers(const std::vector<Rect>& places, const Rect& rect) {
  return std::ranges::any_of(places, [&](const Rect& place) { return contains(place, rect); });
}

constexpr Size kFrame{640, 480};
const Discovery::Settings kChangesAlone{.scanInterval = 0};

/** A frame that was looked at as a whole. */
void lookAtAll(Discovery& discovery, Size frame, const ImageView* picture) {
  discovery.looksAt(frame, partsOf({wholeFrame(frame)}), picture);
}

/** After a first frame of kFrame, which was looked at as a whole. */
Discovery begun(const Discovery::Settings& settings, const ImageView* first = nullptr) {
  Discovery discovery;
  discovery.setSettings(settings);
  lookAtAll(discovery, kFrame, first);
  return discovery;
}

/** A frame, all of whose places are looked at. */
std::vector<Rect> next(Discovery& discovery, Size frame, std::span<const Rp> rps,
                       const ImageView* picture) {
  std::vector<Rect> places = discovery.placesFor(frame, rps, picture);
  std::vector<Rect> looked = places;
  for (const Rp& rp : rps) looked.push_back(roundOutwards(rp.box, frame));
  discovery.looksAt(frame, partsOf(looked), picture);
  return places;
}

/** How many frames ago each pixel was seen. */
class Unseen {
 public:
  explicit Unseen(Size frame)
      : width_(frame.width), frames_(static_cast<std::size_t>(frame.width) * frame.height, 0) {}

  void beginFrame() {
    for (int& frames : frames_) ++frames;
  }
  void see(const Rect& rect) {
    for (int y = rect.y; y < rect.bottom(); ++y)
      std::fill_n(frames_.begin() + y * width_ + rect.x, rect.width, 0);
  }
  int longest() const { return *std::ranges::max_element(frames_); }

 private:
  int width_;
  std::vector<int> frames_;
};

class EveryPixel : public ::testing::TestWithParam<std::tuple<int, Size>> {};

TEST_P(EveryPixel, IsLookedAtAtLeastEveryScanInterval) {
  const auto [interval, frame] = GetParam();
  Discovery discovery;
  discovery.setSettings({.scanInterval = interval, .changeThreshold = 0});
  lookAtAll(discovery, frame, nullptr);
  std::mt19937 random(1);
  Unseen unseen(frame);
  for (int i = 0; i < 6 * interval + 20; ++i) {
    std::vector<Rp> rps;
    if (random() % 2 && frame.width > 60)
      rps.push_back(rpAt({10, 10, 10 + static_cast<float>(random() % 200), 50}));
    unseen.beginFrame();
    for (const Rect& place : next(discovery, frame, rps, nullptr)) {
      ASSERT_TRUE(contains(wholeFrame(frame), place));
      ASSERT_FALSE(place.empty());
      unseen.see(place);
    }
    for (const Rp& rp : rps) unseen.see(roundOutwards(rp.box, frame));
    ASSERT_LE(unseen.longest(), interval) << "frame " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Of, EveryPixel,
                         ::testing::Combine(::testing::Values(1, 2, 3, 5, 8, 16, 20, 33),
                                            ::testing::Values(kFrame, Size{1920, 1080},
                                                              Size{301, 97}, Size{97, 301},
                                                              Size{17, 9}, Size{1, 1})));

TEST(Discovery, WhereTheCameraMovesTilesHaveTheirTurnTwiceAsOften) {
  const auto tilesIn = [](int frames, auto&& picture) {
    Discovery discovery;
    discovery.setSettings({.scanInterval = 40});
    lookAtAll(discovery, kFrame, picture(0).view());
    Unseen unseen(kFrame);
    int tiles = 0, longest = 0;
    for (int i = 1; i <= frames; ++i) {
      unseen.beginFrame();
      for (const Rect& place : next(discovery, kFrame, {}, picture(i).view())) {
        ++tiles;
        unseen.see(place);
      }
      longest = std::max(longest, unseen.longest());
    }
    return std::pair(tiles, longest);
  };
  const auto [still, stillLongest] = tilesIn(240, [](int) { return Grey(kFrame); });
  const auto [moving, movingLongest] = tilesIn(240, [](int frame) {
    Grey picture(kFrame);
    picture.drawLines(wholeFrame(kFrame), frame * 7 % 24);
    return picture;
  });
  EXPECT_LE(stillLongest, 40);
  EXPECT_LE(movingLongest, 20);
  EXPECT_NEAR(moving, 2 * still, 4);
}

TEST(Discovery, TheIntervalAndTheSizeOfTilesMayChangeAtAnyTime) {
  const Size frame{1920, 1080};
  Discovery discovery;
  lookAtAll(discovery, frame, nullptr);
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    if (random() % 8 == 0)
      discovery.setSettings({.scanInterval = static_cast<int>(random() % 40),
                             .leastTile = static_cast<int>(random() % 1200)});
    for (const Rect& place : next(discovery, frame, {}, nullptr))
      ASSERT_TRUE(contains(wholeFrame(frame), place));
  }
}

TEST(Discovery, AShorterIntervalLooksAtNoMoreThanIsDue) {
  Discovery discovery = begun({.scanInterval = 1000, .leastTile = 1000, .changeThreshold = 0});
  for (int i = 0; i < 999; ++i) next(discovery, kFrame, {}, nullptr);
  discovery.setSettings({.scanInterval = 1, .changeThreshold = 0});
  EXPECT_LE(next(discovery, kFrame, {}, nullptr).size(), 2U);
}

TEST(Discovery, AFrameSmallerThanACellIsOneCell) {
  const Size frame{40, 24};
  Discovery discovery;
  discovery.setSettings({.scanInterval = 0, .align = 64});
  lookAtAll(discovery, frame, Grey(frame).view());
  Grey picture(frame);
  picture.paint({20, 8, 12, 12}, 200);
  EXPECT_EQ(next(discovery, frame, {}, picture.view()), std::vector{wholeFrame(frame)});
}

TEST(Discovery, OtherCellsAreLookedAtAnew) {
  Discovery discovery = begun({.scanInterval = 0, .changeThreshold = 0});
  EXPECT_TRUE(next(discovery, kFrame, {}, nullptr).empty());
  discovery.setSettings({.scanInterval = 0, .align = 32, .changeThreshold = 0});
  Unseen unseen(kFrame);
  unseen.beginFrame();
  for (int i = 0; i < 8; ++i)
    for (const Rect& place : next(discovery, kFrame, {}, nullptr)) unseen.see(place);
  EXPECT_EQ(unseen.longest(), 0);
  EXPECT_TRUE(next(discovery, kFrame, {}, nullptr).empty());
}

TEST(Discovery, WhatIsShownScaledDownIsScannedAsWell) {
  Discovery discovery = begun({.scanInterval = 20, .changeThreshold = 0});
  const Rp large = rpAt({100, 100, 500, 400});
  const Rect inside{304, 208, 16, 16};
  int since = 0;
  for (int i = 0; i < 200; ++i) {
    const std::vector<Rect> places = discovery.placesFor(kFrame, {{large}}, nullptr);
    std::vector<Part> parts = partsOf(places);
    parts.push_back({.rect = roundOutwards(large.box, kFrame), .scale = 0.5});
    discovery.looksAt(kFrame, parts, nullptr);
    since = covers(places, inside) ? 0 : since + 1;
    ASSERT_LT(since, 20) << "frame " << i;
  }
}

TEST(Discovery, AnObjectOnTheEdgeOfTilesIsInsideOneInAnotherRound) {
  Discovery discovery = begun({.scanInterval = 12, .leastTile = 1, .changeThreshold = 0});
  std::vector<Rect> places;
  for (int i = 0; i < 4 * 12; ++i)
    for (const Rect& place : next(discovery, kFrame, {}, nullptr)) places.push_back(place);
  for (int x = 0; x + 60 <= kFrame.width; x += 5)
    for (int y = 0; y + 60 <= kFrame.height; y += 5)
      ASSERT_TRUE(covers(places, {x, y, 60, 60})) << x << "," << y;
}

TEST(Discovery, TilesAreAsLargeAsAskedFor) {
  Discovery discovery = begun({.scanInterval = 100, .leastTile = 200, .changeThreshold = 0});
  int tiles = 0;
  for (int i = 0; i < 100; ++i)
    for (const Rect& place : next(discovery, kFrame, {}, nullptr)) {
      EXPECT_GE(std::min(place.width, place.height), 200 - 16);
      ++tiles;
    }
  EXPECT_LE(tiles, 7);
}

TEST(Discovery, WhereNothingHasChangedNothingIsLookedAt) {
  Grey picture(kFrame);
  Discovery discovery = begun(kChangesAlone, picture.view());
  std::mt19937 random(1);
  for (int i = 0; i < 5; ++i) {
    Grey noisy(kFrame);
    noisy.addNoise(random);
    EXPECT_TRUE(next(discovery, kFrame, {}, noisy.view()).empty());
  }
}

TEST(Discovery, WhatAppearsIsLookedAtInTheSameFrame) {
  Grey picture(kFrame);
  Discovery discovery = begun(kChangesAlone, picture.view());
  const Rect object{300, 200, 40, 60};
  picture.paint(object, 200);
  const std::vector<Rect> places = next(discovery, kFrame, {}, picture.view());
  ASSERT_EQ(places.size(), 1U);
  EXPECT_TRUE(contains(places[0], object));
  EXPECT_LT(places[0].area(), 4 * object.area());
}

TEST(Discovery, APieceThatChangedIsLookedAtWithRoomForAnObject) {
  Grey picture(kFrame);
  Discovery discovery = begun(kChangesAlone, picture.view());
  picture.paint({500, 400, 32, 32}, 200);
  const Rp usual = rpAt({100, 100, 140, 220});
  const std::vector<Rect> places = next(discovery, kFrame, {{usual}}, picture.view());
  ASSERT_EQ(places.size(), 1U);
  EXPECT_GE(places[0].height, 119);
  EXPECT_GE(places[0].width, 39);
}

TEST(Discovery, WhatCellsLeaveOverOfTheFrameIsComparedToo) {
  const Size frame{1917, 1077};
  for (const Rect& object : {Rect{400, 1060, 60, 17}, Rect{1891, 400, 26, 60}}) {
    Discovery discovery;
    discovery.setSettings(kChangesAlone);
    Grey picture(frame);
    lookAtAll(discovery, frame, picture.view());
    picture.paint(object, 200);
    EXPECT_TRUE(covers(next(discovery, frame, {}, picture.view()), object));
  }
}

TEST(Discovery, WhatChangedAtATilesRimHasRoomOfItsOwn) {
  // Its first tile ends at x = 320.
  Discovery discovery = begun({.scanInterval = 4}, Grey(kFrame).view());
  Grey picture(kFrame);
  picture.paint({288, 96, 32, 32}, 200);
  const Rp usual = rpAt({400, 300, 440, 420});
  const std::vector<Rect> places = next(discovery, kFrame, {{usual}}, picture.view());
  EXPECT_TRUE(covers(places, {0, 0, 320, 240}));
  EXPECT_TRUE(covers(places, {284, 53, 40, 118}));
}

TEST(Discovery, WhatAnRpCoversIsItsOwnBusiness) {
  Grey picture(kFrame);
  Discovery discovery = begun(kChangesAlone, picture.view());
  picture.paint({300, 200, 40, 60}, 200);
  EXPECT_TRUE(next(discovery, kFrame, {{rpAt({260, 160, 380, 300})}}, picture.view()).empty());
}

TEST(Discovery, WhatAnObjectLeavesBehindIsNoChange) {
  Discovery discovery = begun(kChangesAlone, Grey(kFrame).view());
  for (int x = 0; x + 40 <= kFrame.width; x += 8) {
    Grey picture(kFrame);
    picture.paint({x, 200, 40, 60}, 200);
    const auto left = static_cast<float>(x);
    Rp rp = rpAt({left, 200, left + 40, 260});
    rp.box = clip(grow(rp.box, {4, 4, 4, 4}), kFrame);
    EXPECT_TRUE(next(discovery, kFrame, {{rp}}, picture.view()).empty()) << x;
  }
}

TEST(Discovery, WhatSticksOutOfAnRpIsAChange) {
  Discovery discovery = begun(kChangesAlone, Grey(kFrame).view());
  Grey picture(kFrame);
  picture.paint({320, 200, 40, 60}, 200);
  EXPECT_TRUE(next(discovery, kFrame, {{rpAt({316, 196, 364, 264})}}, picture.view()).empty());
  EXPECT_TRUE(covers(next(discovery, kFrame, {{rpAt({328, 196, 376, 264})}}, picture.view()),
                     {320, 208, 8, 48}));
}

TEST(Discovery, AnObjectThatIsGivenUpButStillThereIsAChange) {
  Discovery discovery = begun(kChangesAlone, Grey(kFrame).view());
  Grey picture(kFrame);
  picture.paint({320, 192, 64, 64}, 200);
  for (int i = 0; i < 3; ++i)
    next(discovery, kFrame, {{rpAt({310, 180, 390, 260})}}, picture.view());
  EXPECT_TRUE(covers(next(discovery, kFrame, {}, picture.view()), {320, 192, 64, 64}));
}

TEST(Discovery, ThatTheCameraShakesIsNoChange) {
  const Rect fence{0, 160, kFrame.width, 120};
  Grey picture(kFrame);
  picture.drawLines(fence, 0);
  Discovery discovery = begun(kChangesAlone, picture.view());
  for (const int moved : {1, 0, 2, -1}) {
    Grey shaken(kFrame);
    shaken.drawLines(fence, moved);
    EXPECT_TRUE(next(discovery, kFrame, {}, shaken.view()).empty()) << moved;
  }
  picture.paint({300, 200, 40, 60}, 0);
  EXPECT_TRUE(covers(next(discovery, kFrame, {}, picture.view()), {304, 208, 32, 48}));
}

TEST(Discovery, ASlowChangeAddsUp) {
  Discovery discovery = begun(kChangesAlone, Grey(kFrame).view());
  int found = 0;
  for (int step = 1; step <= 8; ++step) {
    Grey picture(kFrame);
    picture.paint({300, 200, 64, 64}, static_cast<std::uint8_t>(100 + 2 * step));
    found += static_cast<int>(next(discovery, kFrame, {}, picture.view()).size());
  }
  EXPECT_EQ(found, 1);
}

TEST(Discovery, ThatTheLightChangesIsNoChange) {
  Grey picture(kFrame);
  Discovery discovery = begun(kChangesAlone, picture.view());
  picture.brighten(40);
  EXPECT_TRUE(next(discovery, kFrame, {}, picture.view()).empty());
  picture.paint({300, 200, 40, 60}, 250);
  EXPECT_EQ(next(discovery, kFrame, {}, picture.view()).size(), 1U);
}

TEST(Discovery, ThatTheCameraMovesIsNoChangeEither) {
  Grey picture(kFrame);
  Discovery discovery = begun(kChangesAlone, picture.view());
  std::mt19937 random(1);
  for (int x = 0; x < kFrame.width; x += 32)
    for (int y = 0; y < kFrame.height; y += 32)
      picture.paint({x, y, 32, 32}, static_cast<std::uint8_t>(random()));
  EXPECT_TRUE(next(discovery, kFrame, {}, picture.view()).empty());
  // It has come to rest, and something moves in the new picture.
  EXPECT_TRUE(next(discovery, kFrame, {}, picture.view()).empty());
  picture.paint({300, 200, 40, 60}, 255);
  picture.paint({300, 230, 40, 30}, 0);
  EXPECT_FALSE(next(discovery, kFrame, {}, picture.view()).empty());
}

TEST(Discovery, WhereNothingIsFoundItLooksLessAndLess) {
  Grey still(kFrame);
  Discovery discovery = begun(kChangesAlone, still.view());
  Grey blinking = still;
  blinking.paint({300, 200, 64, 64}, 200);
  int looks = 0;
  for (int i = 0; i < 64; ++i)
    looks += !next(discovery, kFrame, {}, i % 2 ? still.view() : blinking.view()).empty();
  EXPECT_GE(looks, 4);
  EXPECT_LE(looks, 10);
}

TEST(Discovery, WithFramesInFlightItWaitsForTheAnswerBeforeItLooksLess) {
  Discovery discovery = begun({.scanInterval = 0, .answersAfter = 3}, Grey(kFrame).view());
  for (int i = 0; i < 3; ++i) {
    Grey picture(kFrame);
    picture.paint({300, 200, 64, 64}, i % 2 ? 100 : 200);
    EXPECT_FALSE(next(discovery, kFrame, {}, picture.view()).empty()) << i;
  }
  Grey picture(kFrame);
  picture.paint({300, 200, 64, 64}, 100);
  EXPECT_TRUE(next(discovery, kFrame, {}, picture.view()).empty());
}

TEST(Discovery, WhatAKnownObjectDoesIsNothingThatWasFound) {
  Discovery discovery = begun(kChangesAlone, Grey(kFrame).view());
  const Rp neighbour = rpAt({240, 180, 296, 280});
  int looks = 0;
  for (int i = 0; i < 64; ++i) {
    Grey picture(kFrame);
    picture.paint({300, 200, 64, 64}, i % 2 ? 200 : 100);
    looks += !next(discovery, kFrame, {{neighbour}}, picture.view()).empty();
  }
  EXPECT_GE(looks, 4);
  EXPECT_LE(looks, 10);
}

TEST(Discovery, TheSurroundingsOfALostObjectAreLookedAtOnce) {
  Discovery discovery = begun({.scanInterval = 0, .changeThreshold = 0});
  const Box box{200, 200, 240, 300};
  EXPECT_TRUE(next(discovery, kFrame, {{rpAt(box, 7)}}, nullptr).empty());
  EXPECT_TRUE(next(discovery, kFrame, {{rpAt(box, 7)}}, nullptr).empty());
  EXPECT_TRUE(covers(next(discovery, kFrame, {}, nullptr), {195, 180, 50, 140}));
  EXPECT_TRUE(next(discovery, kFrame, {}, nullptr).empty());
}

TEST(Discovery, WhatGotNoAnswerIsLookedAtNext) {
  Discovery discovery = begun({.scanInterval = 0, .changeThreshold = 0});
  const Rect part{64, 64, 128, 128};
  discovery.missed({{part}});
  EXPECT_TRUE(covers(next(discovery, kFrame, {}, nullptr), part));
  EXPECT_TRUE(next(discovery, kFrame, {}, nullptr).empty());
}

TEST(Discovery, APartThatIsScaledDownDoesNotCountAsLookedAt) {
  Discovery discovery = begun({.scanInterval = 0, .changeThreshold = 0});
  const Rect part{64, 64, 128, 128};
  discovery.missed({{part}});
  discovery.placesFor(kFrame, {}, nullptr);
  discovery.looksAt(kFrame, {{{.rect = part, .scale = 0.5}}}, nullptr);
  EXPECT_TRUE(covers(next(discovery, kFrame, {}, nullptr), part));
}

TEST(Discovery, WhatAWholeOutageMissedIsLookedAtInTheNextFramesLittleByLittle) {
  Discovery discovery = begun({.scanInterval = 0, .changeThreshold = 0});
  discovery.missed({{wholeFrame(kFrame)}});
  std::vector<std::uint8_t> seen(static_cast<std::size_t>(kFrame.width) * kFrame.height, 0);
  int frames = 0;
  for (std::vector<Rect> places; !(places = next(discovery, kFrame, {}, nullptr)).empty();) {
    double area = 0;
    for (const Rect& place : places) {
      area += place.area();
      for (int y = place.y; y < place.bottom(); ++y)
        std::fill_n(seen.begin() + y * kFrame.width + place.x, place.width, 1);
    }
    EXPECT_LE(area, 0.26 * kFrame.area());
    ASSERT_LE(++frames, 20);
  }
  EXPECT_EQ(std::ranges::count(seen, 0), 0);
}

TEST(Discovery, ThePlaceOfALostObjectIsLookedAtAgainAfterLongerAndLongerPauses) {
  constexpr Box kLost{200, 200, 260, 300};
  const std::vector<Rp> some{rpAt(kLost)};
  Discovery discovery = begun({.scanInterval = 0, .changeThreshold = 0});
  next(discovery, kFrame, some, nullptr);
  std::vector<int> looked;
  for (int frame = 0; frame < 120; ++frame)
    if (covers(next(discovery, kFrame, {}, nullptr), roundOutwards(kLost))) looked.push_back(frame);
  EXPECT_EQ(looked, (std::vector<int>{0, 2, 6, 14, 30, 62}));
}

TEST(Discovery, ThePlaceOfALostObjectIsForgottenOnceItIsFoundOrIfItLeftTheFrame) {
  for (const Box& lost : {Box{200, 200, 260, 300}, Box{0, 200, 60, 300}}) {
    const std::vector<Rp> some{rpAt(lost)};
    Discovery discovery = begun({.scanInterval = 0, .changeThreshold = 0});
    next(discovery, kFrame, some, nullptr);
    next(discovery, kFrame, {}, nullptr);
    if (lost.x0 > 0) {
      const std::vector<Rp> again{rpAt(lost, 2)};
      for (int frame = 0; frame < 50; ++frame)
        EXPECT_TRUE(next(discovery, kFrame, again, nullptr).empty());
    } else {
      for (int frame = 0; frame < 50; ++frame)
        EXPECT_TRUE(next(discovery, kFrame, {}, nullptr).empty());
    }
  }
}

TEST(Discovery, TheSurroundingsOfALostObjectAreLookedAtOnceEvenIfTheyAreScaledDown) {
  Discovery discovery = begun({.scanInterval = 0, .changeThreshold = 0});
  next(discovery, kFrame, {{rpAt({200, 200, 240, 300}, 7)}}, nullptr);
  const std::vector<Rect> places = discovery.placesFor(kFrame, {}, nullptr);
  ASSERT_EQ(places.size(), 1U);
  discovery.looksAt(kFrame, {{{.rect = places[0], .scale = 0.5}}}, nullptr);
  EXPECT_TRUE(next(discovery, kFrame, {}, nullptr).empty());
}

TEST(Discovery, AnotherSizeBeginsAnew) {
  Grey picture(kFrame);
  Discovery discovery = begun(kChangesAlone, picture.view());
  Grey other({320, 240}, 10);
  lookAtAll(discovery, {320, 240}, other.view());
  EXPECT_TRUE(next(discovery, {320, 240}, {}, other.view()).empty());
}

TEST(Thumbnail, IsTheMeanBrightnessInEachFormat) {
  const Size size{64, 32};
  for (const PixelFormat format : {PixelFormat::I420, PixelFormat::NV12, PixelFormat::GRAY8,
                                   PixelFormat::RGB, PixelFormat::BGR, PixelFormat::RGBx,
                                   PixelFormat::BGRx, PixelFormat::xRGB, PixelFormat::xBGR}) {
    const bool luma =
        format == PixelFormat::I420 || format == PixelFormat::NV12 || format == PixelFormat::GRAY8;
    const int channels = luma                                                       ? 1
                         : format == PixelFormat::RGB || format == PixelFormat::BGR ? 3
                                                                                    : 4;
    // Rows are further apart than they are long.
    const int stride = size.width * channels + 12;
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(stride) * size.height, 255);
    for (int y = 0; y < size.height; ++y)
      std::fill_n(pixels.begin() + y * stride, size.width * channels, y < 16 ? 40 : 80);
    const ImageView view{format, size, {pixels.data(), pixels.data()}, {stride, stride}};
    std::vector<std::uint8_t> grey;
    makeThumbnail(view, {4, 2}, grey);
    EXPECT_EQ(grey, (std::vector<std::uint8_t>{40, 40, 40, 40, 80, 80, 80, 80}));
  }
}

class Planner : public ::testing::Test {
 protected:
  explicit Planner(FramePlanner::Settings settings = {}) {
    capacity_.servers.resize(2);
    capacity_.servers[0].url = "http://a";
    capacity_.servers[1].url = "http://b";
    planner_.setSettings(settings);
  }
  Plan plan(std::optional<std::vector<Rp>> rps, const ImageView* picture = nullptr) {
    return planner_.plan(kFrame, rps, capacity_, picture);
  }

  Capacity capacity_;
  FramePlanner planner_{Partitioner::create("elf")};
};

TEST_F(Planner, WhereTheRpsAreUnknownItPlansTheWholeFrame) {
  const Plan plan = this->plan(std::nullopt);
  ASSERT_EQ(plan.parts.size(), 2U);
  EXPECT_EQ(plan.parts[0].kind, PartKind::Full);
}

TEST_F(Planner, PartsWithAnRpAreOfThatKindAndListNoPlace) {
  planner_.setSettings({.discovery = {.scanInterval = 4}});
  plan(std::nullopt);
  bool scanned = false;
  for (int i = 0; i < 8; ++i) {
    const Plan plan = this->plan(std::vector{rpAt({10, 10, 50, 90})});
    std::vector<int> listed;
    for (const Part& part : plan.parts) {
      EXPECT_EQ(part.kind, part.rps.empty() ? PartKind::Scan : PartKind::Rp);
      scanned = scanned || part.kind == PartKind::Scan;
      listed.insert(listed.end(), part.rps.begin(), part.rps.end());
    }
    EXPECT_EQ(listed, std::vector<int>{0});
  }
  EXPECT_TRUE(scanned);
}

TEST_F(Planner, AScanOfTheWholeFrameIsSharedByTheServers) {
  planner_.setSettings({.discovery = {.scanInterval = 1, .changeThreshold = 0}});
  plan(std::nullopt);
  const Plan plan = this->plan(std::vector<Rp>{});
  ASSERT_EQ(plan.parts.size(), 2U);
  EXPECT_NE(plan.parts[0].server, plan.parts[1].server);
}

/** RPs all over the frame, each of which overlaps its neighbours. */
std::vector<Rp> crowd() {
  std::vector<Rp> rps;
  for (int x = 0; x < kFrame.width; x += 80)
    for (int y = 0; y < kFrame.height; y += 80)
      rps.push_back(rpAt(clip(Box{x - 40.0F, y - 40.0F, x + 120.0F, y + 120.0F}, kFrame),
                         static_cast<Identity>(rps.size()) + 1));
  return rps;
}

TEST_F(Planner, InACrowdItSplitsTheWholeFrame) {
  // A tile in each frame.
  planner_.setSettings({.discovery = {.scanInterval = 15}});
  plan(std::nullopt);
  const Plan plan = this->plan(crowd());
  ASSERT_EQ(plan.parts.size(), 2U);
  std::size_t listed = 0;
  for (const Part& part : plan.parts) {
    EXPECT_EQ(part.kind, PartKind::Full);
    EXPECT_LE(part.rect.width, kFrame.width / 2 + 1);
    listed += part.rps.size();
  }
  EXPECT_GT(listed, 0U);
  EXPECT_LT(listed, crowd().size()) << "some lie on the seam";
  // All of them are lost, and looked for once more.
  EXPECT_EQ(this->plan({{rpAt({10, 10, 50, 90})}}).parts[0].kind, PartKind::Full);
  EXPECT_EQ(this->plan({{rpAt({10, 10, 50, 90})}}).parts[0].kind, PartKind::Rp);
  capacity_.rules.maxSize = {200, 200};
  EXPECT_EQ(this->plan(crowd()).parts[0].kind, PartKind::Rp) << "the strips would be shrunk";
}

TEST_F(Planner, AModelOfOneSizeTakesNoMoreThanOneRunOfEachServerInACrowd) {
  capacity_.rules = {.fixedSize = {200, 150}};
  plan(std::nullopt);
  const Plan taken = plan(crowd());
  EXPECT_LE(taken.canvases.empty() ? taken.parts.size() : taken.canvases.size(),
            capacity_.servers.size());
}

TEST_F(Planner, StripsStayStripsInACrowd) {
  FramePlanner planner(Partitioner::create("strips"));
  planner.plan(kFrame, std::nullopt, capacity_, nullptr);
  for (const Part& part : planner.plan(kFrame, crowd(), capacity_, nullptr).parts)
    EXPECT_EQ(part.kind, PartKind::Rp);
}

TEST_F(Planner, NoScanIsShrunkByTheModel) {
  for (ModelRules rules : {ModelRules{.fixedSize = {200, 150}}, ModelRules{.maxSize = {200, 150}},
                           ModelRules{.fixedSize = {200, 150}, .align = 32, .context = 16}}) {
    capacity_.rules = rules;
    planner_.forget();
    planner_.setSettings({.discovery = {.scanInterval = 4, .changeThreshold = 0}});
    double whole = 1;
    for (const Part& part : plan(std::nullopt).parts)
      whole = std::min(whole, rules.inputScale(part.sentSize()));
    for (int i = 0; i < 8; ++i)
      for (const Part& part : plan(std::vector<Rp>{}).parts) {
        if (rules.fixedSize.empty()) {
          EXPECT_EQ(part.sentSize(), part.rect.size());
          EXPECT_GE(rules.inputScale(part.sentSize()), 1);
        } else {
          EXPECT_GE(part.place ? part.scale : rules.inputScale(part.sentSize()), whole)
              << "less than the whole frame would show";
        }
      }
  }
}

TEST_F(Planner, PartsOfTilesHaveTheContextInsideTheTile) {
  capacity_.rules = {.multipleOf = 32, .align = 32, .context = 32};
  planner_.setSettings({.discovery = {.scanInterval = 4, .changeThreshold = 0}});
  plan(std::nullopt);
  Unseen unseen(kFrame);
  double pixels = 0;
  constexpr int kFrames = 48;
  for (int i = 0; i < kFrames; ++i) {
    unseen.beginFrame();
    for (const Part& part : plan(std::vector<Rp>{}).parts) {
      pixels += part.rect.area();
      unseen.see(part.rect);
    }
    ASSERT_LE(unseen.longest(), 4) << "frame " << i;
  }
  // Rounds of shifted tiles are shorter.
  EXPECT_LT(pixels / kFrame.area(), 1.5 * kFrames / 4);
}

TEST_F(Planner, PlacesAreNoObjectsThatHaveAShareOfTheirHeightAround) {
  capacity_.rules.context = 16;
  const auto scans = [this](float share) {
    capacity_.rules.contextShare = share;
    planner_.forget();
    planner_.setSettings({.discovery = {.scanInterval = 4, .changeThreshold = 0}});
    plan(std::nullopt);
    return plan(std::vector<Rp>{}).parts;
  };
  const std::vector<Part> parts = scans(0);
  EXPECT_FALSE(parts.empty());
  EXPECT_EQ(scans(1), parts);
}

class EveryPlannedPixel : public ::testing::TestWithParam<int> {};

TEST_P(EveryPlannedPixel, IsSentInFullResolutionAtLeastEveryScanInterval) {
  std::mt19937 random(static_cast<std::uint32_t>(GetParam()));
  const auto upTo = [&](int most) { return static_cast<int>(random() % most); };
  const Size frame{200 + upTo(1000), 150 + upTo(700)};
  const int interval = 1 + upTo(40);
  const int align = 1 << upTo(7);
  Capacity capacity;
  capacity.servers.resize(1 + static_cast<std::size_t>(upTo(3)));
  for (std::size_t i = 0; i < capacity.servers.size(); ++i)
    capacity.servers[i].url = "http://" + std::to_string(i);
  capacity.rules = {.multipleOf = align, .align = align, .context = upTo(65)};
  capacity.maxInFlight = 1 + upTo(3);
  FramePlanner planner(Partitioner::create("elf"));
  planner.setSettings({.discovery = {.scanInterval = interval}});
  Unseen unseen(frame);
  Grey picture(frame);
  planner.plan(frame, std::nullopt, capacity, picture.view());
  for (int i = 1; i < 4 * interval + 20; ++i) {
    // It stands, shakes, and moves.
    picture = Grey(frame);
    picture.drawLines(wholeFrame(frame), i / 15 % 2 ? i * 7 % 24 : upTo(2));
    std::vector<Rp> rps;
    for (int rp = upTo(4); rp > 0; --rp) {
      const auto x = static_cast<float>(upTo(frame.width)),
                 y = static_cast<float>(upTo(frame.height));
      rps.push_back(rpAt(clip(Box{x, y, x + 90, y + 120}, frame), rp));
    }
    unseen.beginFrame();
    for (const Part& part : planner.plan(frame, rps, capacity, picture.view()).parts)
      if (part.sentSize() == part.rect.size()) unseen.see(part.rect);
    ASSERT_LE(unseen.longest(), interval)
        << "frame " << i << " of " << frame.width << "x" << frame.height;
  }
}

INSTANTIATE_TEST_SUITE_P(Of, EveryPlannedPixel, ::testing::Range(0, 100));

TEST_F(Planner, AModelWithMoreContextThanRoomGetsNoCrumbs) {
  capacity_.rules = {.fixedSize = {64, 64}, .align = 16, .context = 30};
  planner_.setSettings({.discovery = {.scanInterval = 1, .changeThreshold = 0}});
  plan(std::nullopt);
  EXPECT_LE(plan(std::vector<Rp>{}).parts.size(), 20U * 16U);
}

TEST_F(Planner, AfterAnOutageItKeepsUp) {
  planner_.setSettings({.lrcInterval = 5});
  plan(std::nullopt);
  const auto sent = [](const Plan& plan) { return plan.sentPixels() / kFrame.area(); };
  const auto loses = [&] {
    FrameRecord record;
    record.size = kFrame;
    record.plan = plan(std::vector<Rp>{});
    record.answers.resize(record.plan->parts.size());
    planner_.missed(feedbackOf(record).unseen);
    return sent(*record.plan);
  };
  for (int i = 0; i < 100; ++i) EXPECT_LT(loses(), 0.6) << i;  // 0.16 of it the LRC
  double all = 0;
  for (int i = 0; i < 40; ++i) all += sent(plan(std::vector<Rp>{}));
  EXPECT_LT(all, 40 * 0.2) << "back to what it costs usually";
}

TEST_F(Planner, WithoutDiscoveryAFrameWithoutRpsHasAnEmptyPlan) {
  planner_.setSettings({.discovery = {.scanInterval = 0, .changeThreshold = 0}});
  plan(std::nullopt);
  for (int i = 0; i < 30; ++i) EXPECT_TRUE(plan(std::vector<Rp>{}).parts.empty());
}

TEST_F(Planner, AllPartsOfAFrameHaveItsPixels) {
  FramePlanner planner(Partitioner::create("elf"));
  planner.setSettings({.lrcInterval = 1});
  std::vector<Plan> plans;
  plans.push_back(planner.plan(kFrame, std::nullopt, capacity_, nullptr, 1, 2));
  plans.push_back(planner.plan(kFrame, {{rpAt({10, 10, 60, 90})}}, capacity_, nullptr, 1, 2));
  plans.push_back(planner.plan(kFrame, crowd(), capacity_, nullptr, 1, 2));
  plans.push_back(FramePlanner(Partitioner::create("grid"))
                      .plan(kFrame, std::nullopt, capacity_, nullptr, 1, 2));
  for (const Plan& plan : plans) {
    ASSERT_FALSE(plan.parts.empty());
    for (const Part& part : plan.parts) EXPECT_EQ(part.pixelAspect, 2) << toString(part.kind);
  }
}

TEST_F(Planner, EveryLrcIntervalTheWholeFrameIsLookedAtAtLowResolution) {
  planner_.setSettings({.discovery = {.scanInterval = 0}, .lrcInterval = 3, .lrcRatio = 0.25});
  plan(std::nullopt);
  for (int i = 1; i <= 9; ++i) {
    const Plan plan = this->plan(std::vector<Rp>{});
    ASSERT_EQ(plan.parts.size(), i % 3 == 0 ? 1U : 0U) << i;
    if (plan.parts.empty()) continue;
    EXPECT_EQ(plan.parts[0].kind, PartKind::Lrc);
    EXPECT_EQ(plan.parts[0].sentSize(), (Size{160, 120}));
  }
}

TEST_F(Planner, TheLrcGoesToTheServerWithTheMostSlackInThisPlan) {
  planner_.setSettings({.discovery = {.scanInterval = 0}, .lrcInterval = 1});
  plan(std::nullopt);
  const Plan plan = this->plan(std::vector{rpAt({10, 10, 300, 300})});
  ASSERT_EQ(plan.parts.size(), 2U);
  EXPECT_NE(plan.parts[0].server, plan.parts[1].server);
}

TEST_F(Planner, OrToTheOneThatIsNamed) {
  planner_.setSettings(
      {.discovery = {.scanInterval = 0}, .lrcInterval = 1, .lrcServer = "http://b"});
  plan(std::nullopt);
  for (float x : {0.0F, 100.0F, 300.0F})
    EXPECT_EQ(plan(std::vector{rpAt({x, 10, x + 300, 300})}).parts.back().server, 1);
}

TEST_F(Planner, WhatTheFirstFrameShowedIsRememberedForAModelThatAligns) {
  capacity_.rules.align = 32;
  planner_.setSettings({.discovery = {.scanInterval = 0}});
  Grey picture(kFrame);
  plan(std::nullopt, picture.view());
  picture.paint({300, 200, 40, 60}, 200);
  EXPECT_EQ(plan(std::vector<Rp>{}, picture.view()).parts.size(), 1U);
}

TEST_F(Planner, AfterForgettingNoChangeIsSeenBeforeTheWholeFrameWas) {
  Grey picture(kFrame);
  plan(std::nullopt, picture.view());
  planner_.forget();
  picture.paint({300, 200, 40, 60}, 200);
  plan(std::nullopt, picture.view());
  planner_.setSettings({.discovery = {.scanInterval = 0}});
  EXPECT_TRUE(plan(std::vector<Rp>{}, picture.view()).parts.empty());
}

}  // namespace
}  // namespace elf
