// SPDX-License-Identifier: LGPL-2.1-or-later
// The one object that travels with a frame through all four elements.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "elf/base/frame_time.h"
#include "elf/types/answer.h"
#include "elf/types/capacity.h"
#include "elf/types/detection.h"
#include "elf/types/plan.h"

namespace elf {

class Stream;
class StreamFrame;

/** How long each step of this frame took; zero where the step did not run. */
struct Timings {
  Microseconds predict{0};
  Microseconds partition{0};
  Microseconds encode{0};
  /** From Stream::submit() until all its parts were answered or the frame went on. */
  Microseconds offload{0};
  Microseconds merge{0};
  /** From the first Elf element until elfmerge was done. */
  Microseconds total{0};
};

/**
 * Each step of the loop (elf/stream/stream.h) fills its own part and leaves the others alone.
 * Travels in a GstElfMeta as std::shared_ptr<const FrameRecord>: a record is never changed once
 * shared, but copied.
 */
struct FrameRecord {
  /** Number of Elf stages before this one in the pipeline, each with its own model. */
  int stage = 0;
  /** The record of the stage before this one for the same frame; null in the first stage, and if
   * frames had another size there. */
  std::shared_ptr<const FrameRecord> before;
  /** Counts from 0 within a stream; never derived from a timestamp. */
  std::uint64_t id = 0;
  /** Raised by a flush, a change of size and a gap: what was known before no longer counts. */
  std::uint32_t generation = 0;
  /** The stream that it belongs to, and its place there until it is `answered`. */
  std::weak_ptr<Stream> stream;
  std::shared_ptr<StreamFrame> frame;
  Size size;
  /** Width of a pixel divided by its height. Not 1 in DVDs and other video for TV. */
  double pixelAspect = 1;
  /** The trace of all its requests (elf/base/trace_id.h); empty: none. */
  std::string trace;
  /** When the first Elf element saw the frame. */
  std::chrono::steady_clock::time_point entered{};
  /** Its time stamp there, and the running time of that; unset if it had none. */
  std::optional<std::chrono::nanoseconds> pts, runningTime;
  /** The time that prediction uses: elf/predict/frame_clock.h. */
  FrameTime when;

  // elfrppredict
  /** Frames from the last inferred one to this one; 0: nothing was predicted. */
  int horizon = 0;
  /** The same in time; unset where `horizon` is 0 or frames have no time stamps. */
  std::optional<std::chrono::nanoseconds> horizonTime;
  /** Unset: RPs are unknown (cold start). Empty: there are no RPs. */
  std::optional<std::vector<Rp>> rps;

  // elfpartition
  /** The predicted RPs, if others replaced them. Identities follow these. */
  std::optional<std::vector<Rp>> predicted;
  std::optional<Plan> plan;

  // elfoffload
  /** One for each part of the plan, in its order; empty until they have arrived. */
  std::vector<PartAnswer> answers;
  /** The servers and rules that plan and answers refer to; null until the frame was planned. */
  CapacityPtr capacity;
  /** Nothing was sent for this frame, because of overload, QoS, a budget, or because no server is
   * ready. Its RPs are coasted. */
  bool skipped = false;
  /** The loop is done with the frame: the fields below are set. */
  bool answered = false;
  /** Every part of the plan was answered in time. True for an empty plan. */
  bool inferred = false;
  /** Bytes that the whole frame would have taken, sent as the parts were; 0 if skipped. */
  std::size_t wholeBytes = 0;

  /** In the frame's pixels, strongest first. Only those of this stage. */
  std::vector<Detection> detections;
  /** Where pieces of objects were seen that reach out of their parts, and may be found whole. */
  std::vector<Rect> cut;

  Timings timings;

  // elfmerge
  /** Detections are drawn into the picture, those of earlier stages too. */
  bool drawn = false;

  /** "frame GENERATION.ID trace TRACE": its name in every line of the log. */
  std::string name() const;
  /** The size that the whole frame would be sent in. */
  Size squareSize() const { return size.withSquarePixels(pixelAspect); }
  /** The URL of the server that a detection, part or answer refers to. Null if it has none. */
  const std::string* urlOf(int server) const;
  /** Bytes of encoded pictures sent for this frame. */
  std::size_t bytesSent() const;
  /** Pixels sent for this frame, after scaling, canvases with all of theirs. */
  double pixelsSent() const;
  /** Requests sent for this frame, repeated ones and hedges too: one for each part or canvas. */
  int requestsSent() const;

 private:
  /** A picture that was sent, and how often. */
  struct Request {
    Size sent;
    int attempts = 0;
  };
  std::vector<Request> requests() const;
};

using FrameRecordPtr = std::shared_ptr<const FrameRecord>;

}  // namespace elf
