// SPDX-License-Identifier: LGPL-2.1-or-later
// Encodes the parts of a frame and hands them to the offloader, within a budget.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "elf/base/mutex.h"
#include "elf/image/image_view.h"
#include "elf/image/jpeg_encoder.h"
#include "elf/offload/bandwidth.h"
#include "elf/offload/encoding.h"
#include "elf/offload/offloader.h"
#include "elf/offload/pictures.h"
#include "elf/offload/whole_frame.h"
#include "elf/types/frame_record.h"

namespace elf {

/** The pixels of one frame, in memory of any owner. */
class FramePixels {
 public:
  virtual ~FramePixels() = default;
  virtual ImageView view() const = 0;
  /**
   * `rect`, which is inside the frame, scaled to `sent`: rows of R, G, B without gaps, valid until
   * the next call; empty if the pixels can't be converted.
   */
  virtual std::span<const std::uint8_t> rgb(const Rect& rect, Size sent) = 0;
};

/** How pictures are encoded. */
struct EncodingSettings {
  Encoding encoding = Encoding::Auto;
  /** 1..100. */
  int jpegQuality = 90;
  /** In kbit/s; 0: no budget. */
  int bandwidth = 0;
};

/**
 * Sends frames, one after the other, each part or canvas as a picture of its own. send() is called
 * by one thread at a time. All other functions may be called from any thread.
 */
class FrameSender {
 public:
  using Clock = EventLoop::Clock;

  struct Stats {
    /** Bytes that the whole frames would have taken. */
    std::uint64_t wholeBytes = 0;
    /** Of the last frame that was sent. */
    BandwidthControl::Choice choice;
  };

  /** The arguments are those of Offloader. */
  FrameSender(OffloadSettings settings, const EncodingSettings& encoding, ServerPool& pool,
              InferenceClient& client, OffloadListener& listener)
      : offloader_(std::move(settings), pool, client, listener),
        settings_(encoding),
        stats_{.choice = {.quality = encoding.jpegQuality}} {}

  Offloader& offloader() { return offloader_; }
  const Offloader& offloader() const { return offloader_; }

  void setEncoding(const EncodingSettings& settings);
  Stats stats() const;

  /**
   * Encodes each picture of `record.plan` and sends it at once, so that the first server works
   * while the rest is encoded. Sets `wholeBytes` and the time of encoding, and scales parts that
   * would not fit into the budget. `done` and `late` are those of Offloader::begin(), with one
   * answer for each part, and may be called before this returns. Unset if the budget has no room,
   * and kNothing if the plan is empty. Nothing is sent then, and no callback is called.
   */
  std::optional<Offloader::Ticket> send(FrameRecord& record, FramePixels& pixels,
                                        std::optional<Clock::time_point> due,
                                        Offloader::Answered done, Offloader::Answered late);
  static constexpr Offloader::Ticket kNothing = 0;

 private:
  Offloader::Ticket sendPictures(FrameRecord& record, const std::vector<Picture>& pictures,
                                 FramePixels& pixels, std::optional<Clock::time_point> due,
                                 Offloader::Answered done, Offloader::Answered late);
  /** Bytes of the whole frame, sent without a plan. */
  std::size_t wholeBytes(const FrameRecord& record, const FramePixels& pixels);
  bool isRaw(const FrameRecord& record, int server, Size sent) const;
  void addTo(BandwidthControl::Load& load, const FrameRecord& record, const Part& picture) const;
  bool fitIntoBudget(FrameRecord& record);
  /** `network` is the server's, if it takes that network's own tensor; else null. */
  Result<wire::Tensor> encode(FramePixels& pixels, const Plan& plan, const Picture& picture,
                              bool raw, const RemoteNetwork* network);
  /** Makes `canvas_` the picture of a canvas. False if a part can't be converted. */
  bool compose(FramePixels& pixels, const Plan& plan, const Picture& picture);
  void noteFile(FrameRecord& record, Size sent, std::size_t bytes);

  Offloader offloader_;

  // Only used in the sending thread.
  JpegEncoder encoder_;
  /** Rows of R, G, B without gaps. */
  std::vector<std::uint8_t> canvas_;
  BandwidthControl control_;
  WholeFrameEstimate whole_;
  /** The settings for the frame being sent, with the quality that the budget allows. */
  EncodingSettings now_;

  mutable Mutex mutex_;
  EncodingSettings settings_ ELF_GUARDED_BY(mutex_);
  Stats stats_ ELF_GUARDED_BY(mutex_);
};

}  // namespace elf
