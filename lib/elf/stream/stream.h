// SPDX-License-Identifier: LGPL-2.1-or-later
// The loop of one stream of frames: predict, plan, send, merge, and learn from the result.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "elf/base/mutex.h"
#include "elf/discovery/frame_planner.h"
#include "elf/discovery/unchanged.h"
#include "elf/merge/merge.h"
#include "elf/predict/frame_clock.h"
#include "elf/predict/history.h"
#include "elf/predict/predictor.h"
#include "elf/stream/frame_sender.h"
#include "elf/stream/slots.h"
#include "elf/stream/stream_frame.h"
#include "elf/stream/stream_memory.h"
#include "elf/types/frame_record.h"

namespace elf {

/** The settings of elfmerge. */
struct MergeSettings {
  MergeMode mode = MergeMode::Nms;
  bool acrossClasses = false;
  /** Index into indexerChoices(). */
  int indexing = 0;

  bool operator==(const MergeSettings&) const = default;
};

/** The settings of elfpartition. */
struct PlanSettings {
  /** Index into partitionerChoices(). */
  int partitioner = 0;
  FramePlanner::Settings planner;
  /** Milliseconds for which an object whose pixels have not changed is kept. 0: not at all. */
  int keepUnchanged = 1000;
};

/**
 * A frame passes four steps: enter(), predict(), plan(), submit(). All but the first and the last
 * may be left out, and each may run in another thread. Its record travels with its buffer in
 * between.
 *
 * The loop closes when a frame is answered, in the order in which frames were submitted, in the
 * thread that got the answer: the parts' answers are merged, objects get their identities, history,
 * padding and discovery learn, and the frame's slot is free. Elements downstream can't hold that
 * up. Merging that would take long runs in the background thread of the process.
 *
 * A frame that is not answered by its deadline goes on with boxes predicted to its own time. Its
 * answers enter the loop when they arrive, as long as they are useful (Offloader::begin()) and no
 * newer frame was answered meanwhile. Until then it keeps its slot, unless a server is idle.
 *
 * All functions may be called from any thread. No lock is held while a callback runs.
 */
class Stream : public std::enable_shared_from_this<Stream> {
 public:
  using Clock = EventLoop::Clock;
  /** Called exactly once for a frame, with its record: `answered`, and never null. */
  using Done = std::function<void(FrameRecordPtr)>;
  /** Called for each frame that the loop is done with, in the order of submit(), before `done`. */
  using Observer = std::function<void(const FrameRecordPtr&)>;

  struct Stats {
    /** Frames whose answers have entered the loop. */
    std::uint64_t answers = 0;
    /** Of these: after the frame had gone on without them. */
    std::uint64_t late = 0;
  };

  static std::shared_ptr<Stream> create() { return std::shared_ptr<Stream>(new Stream); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream();

  // --- sender and listeners

  /**
   * Call it before the first frame, and when the stream begins anew: all earlier knowledge is
   * dropped. Without a predictor RPs are unknown. Ids and identities are never reused.
   */
  void begin(std::unique_ptr<const RpPredictor> predictor, History::Limits limits);
  /** Share of objects that lie whole inside their RPs: PaddingCalibrator::setCoverage(). */
  void setCoverage(double coverage);

  /**
   * `sender` sends the stream's frames from now on, within `limits`. False if another sender does,
   * which goes on.
   */
  bool attach(const std::shared_ptr<FrameSender>& sender, const Slots::Limits& limits);
  /** Drops the submitted frames: their `done` is not called any more once this has returned. Do not
   * call it from inside a `done`. */
  void abandon();
  /** The same, and drops the sender. */
  void detach();
  Slots& slots() { return *slots_; }

  /** `owner` is any address that tells callers apart. False if another owner has set other
   * settings, which stay. */
  bool setMerging(const void* owner, const MergeSettings& settings);
  /** `observer` replaces the earlier one of `owner`. */
  void observe(const void* owner, Observer observer);
  /** `owner` no longer counts as the one that sets the merging, its observer is not called for
   * later frames, and its planner is forgotten. The settings stay as they are. */
  void release(const void* owner);

  // --- the steps of a frame

  /** After a flush or a gap: drops all knowledge except how far predictions are off. */
  void reset();

  /**
   * A new frame, with its running time if that is known. Waits for its turn (Slots::enter()). A
   * frame without a slot is `skipped`. Another size than that of the frame before is a reset().
   * Unset if `stop` was set; call wake() of the slots after setting it.
   */
  std::optional<FrameRecord> enter(Size size, std::optional<std::chrono::nanoseconds> runningTime,
                                   const std::atomic<bool>& stop);

  /** Sets `rps`, if something is known, and `horizon` and `horizonTime`. */
  void predict(FrameRecord& record);

  /**
   * Sets `plan`, and the `capacity` that it is for, unless the frame is to pass unsent. If
   * `picture` is null, changes are not seen, and nothing is kept. Each `owner` has a planner of its
   * own. Only the first one learns what servers did not see, and keeps objects.
   */
  void plan(const void* owner, FrameRecord& record, const PlanSettings& settings,
            const ImageView* picture);

  /**
   * Sends the frame by its plan, or whole to the best server if it has none. Without a
   * sender it is `skipped`. A `skipped` frame passes in its turn, with boxes predicted to its own
   * time. A duplicate of a frame that was submitted before is not sent again, and gets the result
   * of the first one. `due` is the deadline.
   */
  void submit(FrameRecord record, FramePixels& pixels, std::optional<Clock::time_point> due,
              Done done);

  Stats stats() const;

 private:
  /** A frame from submit() until it is settled. */
  struct Pending {
    FrameRecord record;
    /** Callbacks of the frame and its duplicates; empty once it has gone on. */
    std::vector<Done> done;
    Clock::time_point submitted;
    Offloader::Ticket ticket = FrameSender::kNothing;
    /** The submitting thread works on the record. */
    bool sending = true;
    /** The deadline has passed; the frame has gone on, or is about to. */
    bool late = false, wentOn = false;
    bool settled = false;
    /** The frame was abandoned. */
    bool dropped = false;
    /** The answers that have arrived. */
    std::vector<PartAnswer> answers;
    Clock::time_point answeredAt{};
  };
  using PendingPtr = std::shared_ptr<Pending>;

  struct Planner {
    const void* owner = nullptr;
    /** The partitioner that `planner` was made for. */
    int partitioner = -1;
    std::unique_ptr<FramePlanner> planner;
    UnchangedRegions unchanged;
    /** Of the last frame. */
    std::uint32_t generation = 0;
    std::optional<double> at;
    /** Usual frames that passed and were not counted yet; below 0: counted in advance. */
    double left = 0;

    int passed(const FrameTime& when);
  };
  /** The thread that runs advance(): of the caller, or of runInBackground(). */
  enum class Thread { Callers, Background };
  /** Whether answers may still arrive for a frame that goes on. */
  enum class Then { Gone, Awaited };

  Stream() = default;

  CapacityPtr capacityNow() const;
  /** Marks the RPs whose objects are kept, and returns these. */
  std::vector<Detection> keep(Planner& planner, FrameRecord& record, const ImageView& picture,
                              std::chrono::milliseconds most);
  std::vector<Rect> takeUnseen(std::uint32_t generation);
  FrameRecordPtr publish(FrameRecord record);
  void onAnswers(const PendingPtr& pending, std::vector<PartAnswer> answers, bool settled);
  void advance(Thread thread);
  void passUnsent(Pending& pending);
  void closeFrame(Pending& pending);
  void goOn(Pending& pending);
  /** Publishes `record` and calls the callbacks that wait for it. */
  void finish(Pending& pending, FrameRecord record, Then then);

  PendingPtr nextReady() const ELF_REQUIRES(mutex_);
  std::vector<PendingPtr> takeOlder(const Pending& than) ELF_REQUIRES(mutex_);
  void remove(const Pending& pending) ELF_REQUIRES(mutex_);
  void noteUnseen(const FrameRecord& record) ELF_REQUIRES(mutex_);
  void markUnsent(FrameRecord& record) ELF_REQUIRES(mutex_);

  const std::shared_ptr<Slots> slots_ = std::make_shared<Slots>();

  /** Lock order: before mutex_. */
  Mutex planning_ ELF_ACQUIRED_BEFORE(mutex_);
  /** In the order in which their owners were first seen. */
  std::list<Planner> planners_ ELF_GUARDED_BY(planning_);

  /** Held for moments, and never while the sender is called. */
  mutable Mutex mutex_;
  std::shared_ptr<FrameSender> sender_ ELF_GUARDED_BY(mutex_);
  const void* merger_ ELF_GUARDED_BY(mutex_) = nullptr;
  MergeSettings merging_ ELF_GUARDED_BY(mutex_);
  /** By owner. */
  std::map<const void*, Observer> observers_ ELF_GUARDED_BY(mutex_);
  Size size_ ELF_GUARDED_BY(mutex_);
  FrameClock clock_ ELF_GUARDED_BY(mutex_);
  std::uint64_t nextId_ ELF_GUARDED_BY(mutex_) = 0;
  /** A frame has entered since generation_ was raised. */
  bool used_ ELF_GUARDED_BY(mutex_) = false;
  /** Of the frames that enter. */
  std::uint32_t generation_ ELF_GUARDED_BY(mutex_) = 0;
  StreamMemory memory_ ELF_GUARDED_BY(mutex_);
  /** Where servers did not answer since the last plan, and the generation of that plan's frame. */
  std::vector<Rect> unseen_ ELF_GUARDED_BY(mutex_);
  std::uint32_t unseenGeneration_ ELF_GUARDED_BY(mutex_) = 0;
  /** In the order of submit(). */
  std::list<PendingPtr> pending_ ELF_GUARDED_BY(mutex_);
  /** A thread closes frames at the moment. */
  bool advancing_ ELF_GUARDED_BY(mutex_) = false;
  ConditionVariable idle_;
  Stats stats_ ELF_GUARDED_BY(mutex_);
};

}  // namespace elf
