// SPDX-License-Identifier: LGPL-2.1-or-later
// Thousands of frames whose servers fail leave nothing behind.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "gst/elfvision/gstelfmeta.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/harness.h"
#include "tests/support/own_stream.h"
#include "tests/support/stub_server.h"

namespace elf::gst {
namespace {

using elf::testing::everyFault;
using elf::testing::Fault;
using elf::testing::FaultProxy;
using elf::testing::Harness;
using elf::testing::StubServer;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMeasured = false;  // the sanitizer's allocator answers no mallinfo2()
#else
constexpr bool kMeasured = true;
#endif

constexpr int kWarmUp = 2000, kFrames = 8000;
/** A leak of this for each frame is found, for instance of a part's answer. */
constexpr std::size_t kBytesPerFrame = 200;

/** Bytes that the program has allocated and not freed, in all arenas. */
std::size_t allocated() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

/** All but Refuse, each with four that pass, so that the server stays in use. */
std::vector<Fault> storm() {
  std::vector<Fault> faults = everyFault();
  std::erase(faults, Fault::Refuse);
  faults.insert(faults.end(), 4 * faults.size(), Fault::None);
  return faults;
}

class Memory : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!kMeasured) GTEST_SKIP() << "a sanitizer has an allocator of its own";
    harness_.setVideo(64, 48);
    upstream_.enter();  // once the server was probed
  }
  /** Passes frames, some of them in flight at a time. */
  void pass(int frames) {
    for (int i = 0; i < frames; ++i) {
      ASSERT_EQ(harness_.push(harness_.frame(next_)), GST_FLOW_OK);
      if (next_++ < kInFlight) continue;
      take();
    }
  }
  void take() {
    GstBuffer* out = harness_.pull();
    ASSERT_TRUE(out);
    ASSERT_EQ(getRecord(out)->id, taken_++);
    gst_buffer_unref(out);
  }
  /** What is allocated at the least while frames pass: an answer under way may be of 16 MiB. */
  std::size_t least() {
    std::size_t found = allocated();
    for (int look = 0; look < 20; ++look) {
      pass(10);
      found = std::min(found, allocated());
    }
    return found;
  }
  /** How much more is allocated after kFrames than before, the frames in flight the same. */
  std::ptrdiff_t growth() {
    pass(kWarmUp);
    const auto before = static_cast<std::ptrdiff_t>(least());
    pass(kFrames);
    return static_cast<std::ptrdiff_t>(least()) - before;
  }

  static constexpr int kInFlight = 8;
  StubServer server_;
  FaultProxy proxy_{server_.url()};
  Harness harness_{"elfoffload deadline=40 max-in-flight=9 servers=" + proxy_.url()};
  const elf::testing::OwnStream upstream_{harness_, {64, 48}};
  int next_ = 0;
  std::uint64_t taken_ = 0;
};

constexpr std::ptrdiff_t kBound = kFrames * kBytesPerFrame;

TEST_F(Memory, IsFlatInAStormOfFaults) {
  proxy_.choose(storm(), 1);
  EXPECT_LT(growth(), kBound);
}

TEST_F(Memory, IsFlatWhileTheServerIsGone) {
  proxy_.set(Fault::Refuse);
  EXPECT_LT(growth(), kBound);
}

TEST_F(Memory, IsFlatWhereNothingFails) {
  EXPECT_LT(growth(), kBound);
}

TEST_F(Memory, ALeakWouldBeSeen) {
  std::vector<std::vector<char>> leaked;
  pass(kWarmUp);
  const std::size_t before = least();
  for (int i = 0; i < kFrames; ++i) leaked.emplace_back(kBytesPerFrame);
  EXPECT_GE(least(), before + static_cast<std::size_t>(kBound));
}

}  // namespace
}  // namespace elf::gst
