// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/data/synthetic_motion.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <set>

namespace elf {
namespace {

/** What can be compared of traces. */
bool same(const std::vector<Trace>& a, const std::vector<Trace>& b) {
  const auto sameFrame = [](const TraceFrame& f, const TraceFrame& g) {
    return f.number == g.number && f.size == g.size && f.objects == g.objects;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](const Trace& t, const Trace& u) {
    return t.name == u.name && std::equal(t.frames.begin(), t.frames.end(), u.frames.begin(),
                                          u.frames.end(), sameFrame);
  });
}

template <typename Visit>
void forEachObject(const std::vector<Trace>& traces, Visit visit) {
  for (const Trace& trace : traces)
    for (const TraceFrame& frame : trace.frames)
      for (const TraceObject& object : frame.objects) visit(trace, frame, object);
}

TEST(SyntheticMotion, ASeedGivesTheSameTracesAgainAndAnotherSeedOthers) {
  EXPECT_TRUE(same(syntheticMotion(3, 7), syntheticMotion(3, 7)));
  EXPECT_FALSE(same(syntheticMotion(3, 7), syntheticMotion(3, 8)));
}

TEST(SyntheticMotion, TheFirstVideosAreTheSameHoweverManyAreMade) {
  auto more = syntheticMotion(5, 7);
  more.resize(2);
  EXPECT_TRUE(same(syntheticMotion(2, 7), more));
  EXPECT_TRUE(syntheticMotion(0, 7).empty());
}

TEST(SyntheticMotion, VideosAreNumberedAndHave160FramesOfOneSize) {
  const auto traces = syntheticMotion(12, 1);
  ASSERT_EQ(traces.size(), 12U);
  EXPECT_EQ(traces[0].name, "synthetic-0000");
  EXPECT_EQ(traces[11].name, "synthetic-0011");
  std::set<int> widths;
  for (const Trace& trace : traces) {
    ASSERT_EQ(trace.frames.size(), 160U);
    for (std::size_t t = 0; t < trace.frames.size(); ++t) {
      EXPECT_EQ(trace.frames[t].number, static_cast<std::int64_t>(t));
      EXPECT_EQ(trace.frames[t].size, trace.frames[0].size);
    }
    widths.insert(trace.frames[0].size.width);
  }
  EXPECT_GT(widths.size(), 1U);
}

TEST(SyntheticMotion, BoxesAreInTheFrameAndNotEmpty) {
  std::size_t count = 0;
  forEachObject(syntheticMotion(30, 2), [&](const Trace& trace, const TraceFrame& frame,
                                            const TraceObject& object) {
    ++count;
    ASSERT_FALSE(object.box.empty()) << trace.name << " frame " << frame.number;
    ASSERT_EQ(object.box, clip(object.box, frame.size)) << trace.name << " frame " << frame.number;
  });
  EXPECT_GT(count, 0U);
}

TEST(SyntheticMotion, IdentitiesAreOnceInAFrameAndKeepTheirClass) {
  std::map<std::int64_t, std::size_t> ofClass;
  for (const Trace& trace : syntheticMotion(30, 3))
    for (const TraceFrame& frame : trace.frames) {
      std::set<std::int64_t> ids;
      for (const TraceObject& object : frame.objects) {
        EXPECT_TRUE(ids.insert(object.id).second);
        EXPECT_EQ(object.id / 1000, object.labelId);
        EXPECT_EQ(object.label, object.labelId == 1 ? "car" : "person");
        EXPECT_FALSE(object.ignored);
        ++ofClass[object.labelId];
      }
    }
  ASSERT_EQ(ofClass.size(), 2U);
  EXPECT_GT(ofClass[1], 1000U);
  EXPECT_GT(ofClass[2], 1000U);
}

/** Of objects that are in two frames that follow each other. */
struct Motion {
  std::size_t objects = 0, followed = 0, came = 0, standing = 0;
  /** Mean over the four sides, over the square root of the box's area; summed up. */
  double relative = 0;
};

Motion motionIn(const std::vector<Trace>& traces) {
  Motion motion;
  for (const Trace& trace : traces) {
    std::map<std::int64_t, Box> before;
    for (const TraceFrame& frame : trace.frames) {
      std::map<std::int64_t, Box> now;
      for (const TraceObject& object : frame.objects) {
        const Box& box = now[object.id] = object.box;
        ++motion.objects;
        const auto was = before.find(object.id);
        if (was == before.end()) {
          motion.came += frame.number > 0;
          continue;
        }
        const Box& old = was->second;
        const double moved = std::abs(box.x0 - old.x0) + std::abs(box.y0 - old.y0) +
                             std::abs(box.x1 - old.x1) + std::abs(box.y1 - old.y1);
        ++motion.followed;
        motion.standing += moved == 0;
        motion.relative += moved / 4 / std::sqrt(old.area());
      }
      before = std::move(now);
    }
  }
  return motion;
}

TEST(SyntheticMotion, ThereAreSeveralObjectsThatMoveALittleFromFrameToFrameAndComeAndGo) {
  constexpr int kVideos = 60;
  const Motion motion = motionIn(syntheticMotion(kVideos, 4));
  const double perFrame = static_cast<double>(motion.objects) / (kVideos * 160);
  EXPECT_GT(perFrame, 3);
  EXPECT_LT(perFrame, 15);
  const auto followed = static_cast<double>(motion.followed);
  EXPECT_GT(motion.relative / followed, 0.01);
  EXPECT_LT(motion.relative / followed, 0.1);
  EXPECT_GT(motion.came, 10U * kVideos);
  EXPECT_LT(static_cast<double>(motion.came), 0.1 * followed);
  EXPECT_GT(motion.standing, 0U);
  EXPECT_LT(static_cast<double>(motion.standing), 0.5 * followed);
}

/** Whether more than three quarters of the object are in one that stands at least 10 pixels lower.
 */
bool standsBehind(const TraceObject& object, const TraceFrame& frame) {
  return std::any_of(frame.objects.begin(), frame.objects.end(), [&](const TraceObject& other) {
    return other.box.y1 > object.box.y1 + 10 &&
           intersect(other.box, object.box).area() > 0.75 * object.box.area();
  });
}

TEST(SyntheticMotion, WhatIsHiddenHasHardlyEverABox) {
  // Between key frames it has. Without hiding it would be every fifth.
  std::size_t behind = 0;
  std::size_t count = 0;
  forEachObject(syntheticMotion(60, 6),
                [&](const Trace&, const TraceFrame& frame, const TraceObject& object) {
                  ++count;
                  behind += standsBehind(object, frame);
                });
  EXPECT_LT(static_cast<double>(behind), 0.03 * static_cast<double>(count));
}

TEST(SyntheticMotion, SomeVideosAreLabelledInWholePixelsAndOthersAreNot) {
  std::size_t whole = 0;
  const auto traces = syntheticMotion(40, 5);
  for (const Trace& trace : traces) {
    bool all = true;
    for (const TraceFrame& frame : trace.frames)
      for (const TraceObject& object : frame.objects)
        all = all && object.box.x0 == std::round(object.box.x0) &&
              object.box.y0 == std::round(object.box.y0) &&
              object.box.x1 == std::round(object.box.x1) &&
              object.box.y1 == std::round(object.box.y1);
    whole += all;
  }
  EXPECT_GT(whole, traces.size() / 10);
  EXPECT_LT(whole, traces.size() / 2);
}

}  // namespace
}  // namespace elf
