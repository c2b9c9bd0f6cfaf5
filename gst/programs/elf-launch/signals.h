// SPDX-License-Identifier: LGPL-2.1-or-later
// The signals that elf-launch handles.
#pragma once

#include <glib-unix.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "elf/base/glib.h"
#include "programs/service/report.h"

namespace elf::program {

/**
 * Calls back in the main context: `onInterrupt` for each SIGINT and SIGTERM, and when the terminal
 * is closed in which this program runs; `onReopen` for any other SIGHUP. The second interrupt ends
 * this program within kTimeToStopMs, even if the main thread waits for an element that does not
 * stop.
 */
class Signals {
 public:
  Signals(std::function<void()> onInterrupt, std::function<void()> onReopen)
      : onInterrupt_(std::move(onInterrupt)), onReopen_(std::move(onReopen)) {
    add(SIGINT, interrupt);
    add(SIGTERM, interrupt);
    add(SIGHUP, hangUp);
    thread_ = std::thread([this] { g_main_loop_run(loop_.get()); });
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals() {
    post(context_.get(), [this] { g_main_loop_quit(loop_.get()); });
    thread_.join();
  }

 private:
  /** After the second interrupt. */
  static constexpr guint kTimeToStopMs = 1000;

  void add(int number, GSourceFunc callback) {
    Ref<GSource>& source = sources_.emplace_back(g_unix_signal_source_new(number));
    g_source_set_callback(source.get(), callback, this, nullptr);
    g_source_attach(source.get(), context_.get());
  }

  static gboolean interrupt(gpointer self) {
    auto* signals = static_cast<Signals*>(self);
    post(nullptr, signals->onInterrupt_);
    if (++signals->count_ == 2)
      signals->exit_ = schedule(signals->context_.get(), g_timeout_source_new(kTimeToStopMs), [] {
        report(LOG_ERR, "an element does not stop");
        std::_Exit(EXIT_FAILURE);
      });
    return G_SOURCE_CONTINUE;
  }

  static gboolean hangUp(gpointer self) {
    auto* signals = static_cast<Signals*>(self);
    if (signals->onTerminal_ && !isatty(STDERR_FILENO)) return interrupt(self);
    post(nullptr, signals->onReopen_);
    return G_SOURCE_CONTINUE;
  }

  const std::function<void()> onInterrupt_, onReopen_;
  const bool onTerminal_ = isatty(STDERR_FILENO) != 0;
  const Ref<GMainContext> context_{g_main_context_new()};
  const Ref<GMainLoop> loop_{g_main_loop_new(context_.get(), FALSE)};
  std::vector<Ref<GSource>> sources_;
  int count_ = 0;
  Ref<GSource> exit_;
  std::thread thread_;
};

}  // namespace elf::program
