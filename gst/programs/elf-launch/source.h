// SPDX-License-Identifier: LGPL-2.1-or-later
// A camera that may go away and come back.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "elf/base/glib.h"
#include "elf/base/mutex.h"
#include "gst/elfvision/gstelfref.h"

namespace elf::program {

/**
 * The elements in front of Elf, if they read from a network or a device. They can be stopped and
 * started again while the others play on, so that files go on. Other pipelines, and those with
 * several streams through Elf, have no Source that can.
 *
 * After its first frame the source is lost if it fails, ends before its length or without having
 * one, or, if it is live, is silent. It is then started again after pauses that grow; a file goes
 * on where it was. Elf sees a gap: identities begin anew.
 *
 * Belongs to the main thread.
 */
class Source {
 public:
  using Seconds = std::chrono::seconds;
  struct Listener {
    /** It is started again after `pause`. */
    std::function<void(const std::string& why, Seconds pause)> lost;
    /** Frames arrive again. */
    std::function<void(Seconds gone)> back;
    /** It was lost for longer than `patience`. */
    std::function<void(const std::string& why)> givenUp;
    /** Whether the stream is to end anyway. Any thread. */
    std::function<bool()> ends;
  };

  /** `patience`: 0: a source is never started again; negative: for ever. */
  Source(GstBin* pipeline, Seconds patience, Listener listener);
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  ~Source();

  /** Whether the error is handled here. `why` describes it. */
  bool takeError(GstMessage* message, const std::string& why);
  /** Handles the messages that this class posts. */
  void take(GstMessage* message);
  /** The stream is to end. False if the source is lost and EOS was sent to those behind it. */
  bool end();

 private:
  using Clock = std::chrono::steady_clock;
  enum class State { Unknown, Flows, Lost, Starts };
  using Pad = gst::Ref<GstPad>;

  /** A link from a pad that its element makes when it knows the stream. */
  struct Link {
    GstElement* element = nullptr;
    /** The name of its template, and of its caps and, for RTP, of the media. */
    std::string made, media;
    Pad sink;
  };

  static GstPadProbeReturn onFrame(GstPad* pad, GstPadProbeInfo* info, gpointer self);
  static GstPadProbeReturn onData(GstPad*, GstPadProbeInfo* info, gpointer self);
  static GstPadProbeReturn onBehind(GstPad*, GstPadProbeInfo* info, gpointer self);
  static GstPadProbeReturn onEvent(GstPad*, GstPadProbeInfo* info, gpointer self);
  static void onPad(GstElement* element, GstPad* pad, gpointer self);

  void post(const char* what);
  void watch(GstPad* pad);
  /** Finds the elements when all are linked. */
  void learn();
  void addUpstream(GstElement* element);
  bool owns(GstObject* object) const;
  void lose(const std::string& why);
  void stop();
  void start();
  void rememberLinks();
  void check();
  void checkSilence();
  /** Has what comes from the source begin at this running time. */
  void shiftTo(GstClockTime time);
  /** Goes on where the file was. */
  void seek();

  GstBin* const pipeline_;
  const Seconds patience_;
  const Listener listener_;

  State state_ = State::Unknown;
  /** The sink pad of the first Elf element. Null: there is none, or several. */
  Pad entry_;
  /** Those behind come before those in front. Empty: it cannot be started again. */
  std::vector<GstElement*> elements_;
  /** Sink pads of others that are linked to them. */
  std::vector<Pad> behind_;
  bool live_ = false;
  /** Nanoseconds of a file. 0: it has no length. */
  GstClockTime length_ = 0;
  int tries_ = 0;
  Clock::time_point lostAt_;
  elf::Ref<GSource> timer_, check_;

  Mutex mutex_;
  std::vector<Link> links_ ELF_GUARDED_BY(mutex_);

  /** Shared with the streaming threads. */
  struct Flow {
    /** EOS is a loss. */
    std::atomic<bool> keepsEos = false;
    /** The next frame is the first one, and the first one after a loss. */
    std::atomic<bool> awaitsFrame = true, gap = false;
    /** A file that was started again is not yet where it was. */
    std::atomic<bool> dropsData = false, dropsFlushes = false;
    /** When the last frame ended. */
    std::atomic<GstClockTime> lastEnd = GST_CLOCK_TIME_NONE;
    std::atomic<Clock::rep> lastData = 0, longestPause = 0;
  } flow_;
};

}  // namespace elf::program
