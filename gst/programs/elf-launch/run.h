// SPDX-License-Identifier: LGPL-2.1-or-later
// One run of one pipeline.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gst/elfvision/gstelfref.h"
#include "gst/programs/elf-launch/command_line.h"
#include "gst/programs/elf-launch/frame_statistics.h"
#include "gst/programs/elf-launch/source.h"

namespace elf::program {

/** One run of one pipeline, from set-up to its end. No text that it shows has a password. */
class Run {
 public:
  /** `options` must outlive this. Takes the floating reference. */
  Run(GstElement* pipeline, const Options& options);
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run();

  /** Runs until EOS, an error or a second signal. True if there was no error. */
  bool toTheEnd();

  nlohmann::ordered_json summary() const;

 private:
  using Clock = std::chrono::steady_clock;

  GstStateChangeReturn setState(GstState state);

  static gboolean onMessage(GstBus*, GstMessage* message, gpointer data);
  static gboolean onProgress(gpointer data);
  static gboolean onStatus(gpointer data);
  void take(GstMessage* message);
  void takeError(GstMessage* message);
  void takeWarning(GstMessage* message);
  void takeInfo(GstMessage* message);
  void takeState(GstMessage* message);

  void onLost(const std::string& why, Source::Seconds pause);
  void onBack(Source::Seconds gone);

  void interrupt();
  void reopenResults();

  /** Ends the run. */
  void fail(const std::string& line);
  void addError(const std::string& line);
  void warn(const std::string& line);
  void say(int priority, const std::string& line);
  void clearLine(bool keep);
  /** Frames, and how fast they go. */
  std::string progress() const;
  void printProgress();

  const Options& options_;
  const gst::Ref<GstElement> pipeline_;
  const gst::Ref<GMainLoop> loop_{g_main_loop_new(nullptr, FALSE)};
  const bool showsProgress_;
  std::atomic<gint64> framesLeft_;
  FrameStatistics statistics_;
  Clock::time_point begun_;
  double seconds_ = 0;
  gint64 position_ = 0;
  bool lineShown_ = false;
  bool ready_ = false;
  bool lost_ = false;
  bool interrupted_ = false;
  bool failed_ = false;
  std::vector<std::string> errors_;
  std::vector<std::string> warnings_;
  Source source_;
};

}  // namespace elf::program
