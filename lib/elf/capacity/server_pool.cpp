// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/capacity/server_pool.h"

#include <algorithm>
#include <utility>

#include "elf/base/seconds.h"

namespace elf {

SharedServer::State SharedServer::state() const {
  const MutexLock lock(mutex_);
  return {.cost = cost_.model(), .answers = cost_.answers(), .outstanding = outstanding_};
}

double SharedServer::begin(double pixels, double bytes) {
  const MutexLock lock(mutex_);
  const double seconds = cost_.model().seconds(pixels, bytes);
  outstanding_ += seconds;
  ++requests_;
  return seconds;
}

void SharedServer::end(double seconds) {
  const MutexLock lock(mutex_);
  // Drops what rounding leaves over, which would add up.
  outstanding_ = --requests_ == 0 ? 0 : std::max(0.0, outstanding_ - seconds);
}

bool SharedServer::learn(const RequestTimes& times) {
  const MutexLock lock(mutex_);
  auto queue = times.queue, work = times.work;
  const auto none = std::chrono::microseconds{0};
  if (queue.value_or(none) + work.value_or(none) > times.answered - times.sent)
    queue = work = std::nullopt;

  // `before`: when the part before it was out of its way.
  const Clock::time_point arrival = times.answered - queue.value_or(none) - work.value_or(none);
  Clock::time_point before = times.sent;
  if (!queue) {
    before = std::max(before, lastAnswer_);
  } else if (work) {
    // Several workers do not answer in the order of arrival.
    if (lastArrival_ <= arrival) before = std::max(before, lastArrival_);
    lastArrival_ = std::max(lastArrival_, arrival);
  }
  lastAnswer_ = std::max(lastAnswer_, times.answered);

  AnswerCost cost{.pixels = times.pixels, .bytes = times.bytes};
  if (work) cost.work = secondsOf(*work);
  // Several workers may have been faster than one by one.
  cost.seconds =
      std::max(secondsOf(times.answered - queue.value_or(none) - before), cost.work.value_or(0));
  if (times.late && cost.seconds <= cost_.model().seconds(cost.pixels, cost.bytes)) return false;
  cost_.add(cost);
  if (!differNoticeably(cost_.model(), reported_)) return false;
  reported_ = cost_.model();
  return true;
}

SharedServer::ProbeTurn SharedServer::takeProbe() {
  const MutexLock lock(mutex_);
  return probe_ == ProbeTurn::Yours ? std::exchange(probe_, ProbeTurn::Another) : probe_;
}

void SharedServer::endProbe(bool complete) {
  const MutexLock lock(mutex_);
  probe_ = complete ? ProbeTurn::Done : ProbeTurn::Yours;
}

ServerPool::ServerPool(std::function<Clock::time_point()> now) : now_(std::move(now)) {}

std::shared_ptr<SharedServer> ServerPool::server(const std::string& url, const std::string& model,
                                                 int mention) {
  const MutexLock lock(mutex_);
  forget();
  auto& [server, letGo] = servers_[{url, model, mention}];
  letGo.reset();
  if (!server) server = std::make_shared<SharedServer>();
  return server;
}

void ServerPool::forget() {
  const Clock::time_point now = now_();
  for (auto& [key, entry] : servers_) {
    // Only server() hands it out, with the lock held.
    if (entry.server.use_count() > 1)
      entry.letGo.reset();
    else if (!entry.letGo)
      entry.letGo = now;
  }
  std::erase_if(servers_, [&](const auto& each) {
    return each.second.letGo && now - *each.second.letGo >= kKept;
  });
}

std::vector<std::string> ServerPool::urls() const {
  const MutexLock lock(mutex_);
  std::vector<std::string> urls;
  for (const auto& [key, server] : servers_)
    if (urls.empty() || urls.back() != std::get<0>(key)) urls.push_back(std::get<0>(key));
  return urls;
}

}  // namespace elf
