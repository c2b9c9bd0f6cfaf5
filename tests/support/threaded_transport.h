// SPDX-License-Identifier: LGPL-2.1-or-later
// A transport without a network that calls back from a thread of its own, as the real one does.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include "elf/client/http_inference_client.h"
#include "elf/client/transport.h"

namespace elf::testing {

class ThreadedTransport : public Transport {
 public:
  /** Asks servers through this transport. */
  HttpInferenceClient client{*this};

  /** What a server replies; unset: nothing, ever. Called in the transport's thread. */
  using Server = std::function<std::optional<HttpReply>(const HttpRequest&)>;

  explicit ThreadedTransport(Server server) : server_(std::move(server)) {
    thread_ = std::thread([this] { run(); });
  }
  ~ThreadedTransport() override { stop(); }

  Clock::time_point now() const override { return Clock::now(); }

  Handle send(HttpRequest request, std::function<void(HttpReply)> done) override {
    const std::lock_guard lock(mutex_);
    requests_[++last_] = {std::move(request), std::move(done)};
    changed_.notify_all();
    return last_;
  }

  Handle at(Clock::time_point when, std::function<void()> call) override {
    const std::lock_guard lock(mutex_);
    timers_[++last_] = {when, std::move(call)};
    changed_.notify_all();
    return last_;
  }

  /** No name has an address. */
  Handle lookUp(const std::string&, std::function<void(std::vector<std::string>)> done) override {
    return at(now(), [done = std::move(done)] { done({}); });
  }

  /** Nothing is announced. */
  Handle browse(std::function<void(Announced)> changed) override {
    return at(now(), [changed = std::move(changed)] { changed({}); });
  }

  void cancel(Handle handle) override {
    const std::lock_guard lock(mutex_);
    requests_.erase(handle);
    timers_.erase(handle);
  }

  /** No callback runs after it. */
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  struct Request {
    HttpRequest request;
    std::function<void(HttpReply)> done;
  };
  struct Timer {
    Clock::time_point when;
    std::function<void()> call;
  };

  void run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      auto due = timers_.begin();
      for (auto it = timers_.begin(); it != timers_.end(); ++it)
        if (it->second.when < due->second.when) due = it;
      if (due != timers_.end() && due->second.when <= now()) {
        const std::function<void()> call = std::move(timers_.extract(due).mapped().call);
        lock.unlock();
        call();
        lock.lock();
      } else if (!requests_.empty()) {
        const auto next =
            std::next(requests_.begin(), static_cast<std::ptrdiff_t>(random_() % requests_.size()));
        const Request sent = std::move(requests_.extract(next).mapped());
        lock.unlock();
        if (std::optional<HttpReply> reply = server_(sent.request)) sent.done(std::move(*reply));
        lock.lock();
      } else if (due != timers_.end()) {
        // A copy: the timer may be cancelled meanwhile.
        const Clock::time_point when = due->second.when;
        changed_.wait_until(lock, when);
      } else {
        changed_.wait(lock);
      }
    }
  }

  const Server server_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Handle, Request> requests_;
  std::map<Handle, Timer> timers_;
  Handle last_ = 0;
  bool stopping_ = false;
  std::minstd_rand random_;
  std::thread thread_;
};

}  // namespace elf::testing
