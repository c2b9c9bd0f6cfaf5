// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/base/deferring_mutex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace elf {
namespace {

using ::testing::ElementsAre;

TEST(DeferringMutex, CallbacksRunInOrderOnceItIsReleased) {
  DeferringMutex mutex;
  std::vector<int> called;
  const auto call = [&](int number) {
    const DeferringMutex::Lock again(mutex);  // would hang if the lock were held
    called.push_back(number);
  };
  {
    const DeferringMutex::Lock lock(mutex);
    mutex.defer([&] { call(1); });
    mutex.defer([&] { call(2); });
    EXPECT_TRUE(called.empty());
  }
  EXPECT_THAT(called, ElementsAre(1, 2));
}

TEST(DeferringMutex, WhatACallbackDefersRunsWhenItReleases) {
  DeferringMutex mutex;
  std::vector<int> called;
  {
    DeferringMutex::Lock lock(mutex);
    mutex.defer([&] {
      const DeferringMutex::Lock again(mutex);
      mutex.defer([&] { called.push_back(1); });
    });
    mutex.defer([&] { called.push_back(2); });
    lock.unlock();
    EXPECT_THAT(called, ElementsAre(1, 2));
    lock.lock();
  }
  EXPECT_THAT(called, ElementsAre(1, 2)) << "once";
}

TEST(DeferringMutex, AnExceptionOfACallbackReachesWhoReleases) {
  DeferringMutex mutex;
  const auto release = [&] {
    const DeferringMutex::Lock lock(mutex);
    mutex.defer([] { throw std::runtime_error("no"); });
  };
  EXPECT_THROW(release(), std::runtime_error);
  const DeferringMutex::Lock lock(mutex);  // it was released
}

}  // namespace
}  // namespace elf
