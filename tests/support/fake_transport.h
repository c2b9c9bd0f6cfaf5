// SPDX-License-Identifier: LGPL-2.1-or-later
// A transport without a network: time stands still until it is moved, replies come when they are
// given. Of one thread.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "elf/client/http_inference_client.h"
#include "elf/client/transport.h"

namespace elf::testing {

class FakeTransport : public Transport {
 public:
  /** Asks servers through this transport. */
  HttpInferenceClient client{*this};

  struct Sent {
    HttpRequest request;
    std::function<void(HttpReply)> done;
  };

  Clock::time_point now() const override { return now_; }

  Handle send(HttpRequest request, std::function<void(HttpReply)> done) override {
    requests[++last_] = {std::move(request), std::move(done)};
    return last_;
  }

  Handle at(Clock::time_point when, std::function<void()> call) override {
    timers_.emplace(++last_, std::pair{when, std::move(call)});
    return last_;
  }

  Handle lookUp(const std::string& host,
                std::function<void(std::vector<std::string>)> done) override {
    lookUps[++last_] = {host, std::move(done)};
    return last_;
  }

  Handle browse(std::function<void(Announced)> changed) override {
    browsers[++last_] = std::move(changed);
    return last_;
  }

  void cancel(Handle handle) override {
    browsers.erase(handle);
    requests.erase(handle);
    lookUps.erase(handle);
    timers_.erase(handle);
  }

  /** Moves the clock, and runs the timers that are due, the earliest first. */
  void advance(Clock::duration by) {
    const auto until = now_ + by;
    for (;;) {
      auto next = timers_.end();
      for (auto it = timers_.begin(); it != timers_.end(); ++it)
        if (it->second.first <= until &&
            (next == timers_.end() || it->second.first < next->second.first))
          next = it;
      if (next == timers_.end()) break;
      now_ = std::max(now_, next->second.first);
      const auto call = std::move(next->second.second);
      timers_.erase(next);
      call();
    }
    now_ = until;
  }

  /** The clock goes on after a standstill: what was due meanwhile runs now. */
  void jump(Clock::duration by) {
    now_ += by;
    advance({});
  }

  /** The handles of the requests under way whose URL contains `text`, oldest first. */
  std::vector<Handle> to(const std::string& text) const {
    std::vector<Handle> found;
    for (const auto& [handle, sent] : requests)
      if (sent.request.url.find(text) != std::string::npos) found.push_back(handle);
    return found;
  }

  void reply(Handle handle, HttpReply answer) {
    const Sent sent = std::move(requests.at(handle));
    requests.erase(handle);
    sent.done(std::move(answer));
  }

  /** Answers the oldest look-up of a name. */
  void resolve(const std::string& host, std::vector<std::string> addresses) {
    const auto found = std::ranges::find_if(
        lookUps, [&](const auto& entry) { return entry.second.first == host; });
    const auto done = std::move(found->second.second);
    lookUps.erase(found);
    done(std::move(addresses));
  }

  /** Tells all browsers. */
  void announce(const Announced& announced) {
    const auto now = browsers;
    for (const auto& [handle, changed] : now) changed(announced);
  }

  /** Under way: neither answered nor cancelled. */
  std::map<Handle, Sent> requests;
  std::map<Handle, std::pair<std::string, std::function<void(std::vector<std::string>)>>> lookUps;
  std::map<Handle, std::function<void(Announced)>> browsers;

 private:
  Handle last_ = 0;
  Clock::time_point now_{std::chrono::hours(1)};
  std::map<Handle, std::pair<Clock::time_point, std::function<void()>>> timers_;
};

}  // namespace elf::testing
