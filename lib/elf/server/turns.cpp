// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/turns.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

namespace elf {

namespace {

/** Streams that are remembered. A client may name any number. */
constexpr std::size_t kMostStreams = 1024;

}  // namespace

void Turns::put(InferJob job) {
  if (streams_.size() >= kMostStreams)
    std::erase_if(streams_, [](const auto& each) { return each.second.idle(); });
  Stream& stream = streams_[job.stream];
  // What it did not use is gone.
  if (stream.waiting.empty()) stream.served += std::max(Cost{}, now_ - stream.start());
  stream.waiting.push_back(std::move(job));
  ++size_;
}

std::vector<InferJob> Turns::take(std::size_t count) {
  std::vector<InferJob> taken;
  while (taken.size() < count && size_ > 0) {
    Stream& stream = next();
    now_ = std::max(now_, stream.start());
    while (taken.size() < count && !stream.waiting.empty()) {
      taken.push_back(takeFrom(stream));
      ++stream.running;
    }
  }
  forgetIdle();
  return taken;
}

Turns::Stream& Turns::next() {
  const auto order = [](const auto& each) {
    const Stream& stream = each.second;
    // Of equals, the first that came.
    return stream.waiting.empty()
               ? std::tuple(true, Cost{}, std::chrono::steady_clock::time_point{})
               : std::tuple(false, stream.start(), stream.waiting.front().received);
  };
  return std::ranges::min_element(streams_, {}, order)->second;
}

InferJob Turns::takeFrom(Stream& stream) {
  InferJob job = std::move(stream.waiting.front());
  stream.waiting.pop_front();
  --size_;
  return job;
}

void Turns::ended(const std::string& name, Cost cost) {
  Stream& stream = streams_.at(name);
  --stream.running;
  stream.served += cost;
  stream.lastCost = cost;
  forgetIdle();
}

// A stream that has had less than its share would begin anew just the same.
void Turns::forgetIdle() {
  const bool allIdle =
      std::ranges::all_of(streams_, [](const auto& each) { return each.second.idle(); });
  std::erase_if(streams_, [&](const auto& each) {
    return each.second.idle() && (allIdle || each.second.served <= now_);
  });
  if (allIdle) now_ = {};
}

std::optional<InferJob> Turns::makeRoomFor(const std::string& name) {
  const auto most = std::ranges::max_element(
      streams_, {}, [](const auto& each) { return each.second.waiting.size(); });
  if (most == streams_.end()) return std::nullopt;
  const auto own = streams_.find(name);
  const std::size_t has = own == streams_.end() ? 0 : own->second.waiting.size();
  if (most->second.waiting.size() < has + 2) return std::nullopt;
  InferJob last = std::move(most->second.waiting.back());
  most->second.waiting.pop_back();
  --size_;
  return last;
}

std::vector<InferJob> Turns::removeAbandoned() {
  std::vector<InferJob> gone;
  for (auto& [name, stream] : streams_) {
    auto& waiting = stream.waiting;
    const auto first = std::stable_partition(waiting.begin(), waiting.end(),
                                             [](const InferJob& job) { return !job.abandoned(); });
    gone.insert(gone.end(), std::move_iterator(first), std::move_iterator(waiting.end()));
    waiting.erase(first, waiting.end());
  }
  size_ -= gone.size();
  return gone;
}

std::vector<InferJob> Turns::removeAll() {
  std::vector<InferJob> all;
  for (auto& [name, stream] : streams_)
    while (!stream.waiting.empty()) all.push_back(takeFrom(stream));
  return all;
}

}  // namespace elf
