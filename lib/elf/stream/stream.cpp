// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/stream/stream.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "elf/base/trace_id.h"
#include "elf/partition/partitioner.h"
#include "elf/stream/background.h"

namespace elf {

namespace {

using std::chrono::duration_cast;
using std::chrono::steady_clock;

/** Places that were not seen, kept until the next plan; of more, the newest. */
constexpr std::size_t kMostUnseen = 256;

/** Merging this many boxes, or masks of this many pixels, takes less than a millisecond. */
constexpr std::size_t kFewBoxes = 150;
constexpr double kFewMaskPixels = 1e5;

bool takesLong(const std::vector<PartAnswer>& answers) {
  std::size_t boxes = 0;
  double pixels = 0;
  for (const PartAnswer& answer : answers) {
    boxes += answer.detections.size();
    for (const Detection& detection : answer.detections)
      if (detection.mask) pixels += detection.mask->rect().area();
  }
  return boxes > kFewBoxes || pixels > kFewMaskPixels;
}

std::vector<Rect> rectsOf(const Plan& plan) {
  std::vector<Rect> rects;
  // The next LRC makes up for one that was lost; in full resolution it would be too much.
  for (const Part& part : plan.parts)
    if (part.kind != PartKind::Lrc) rects.push_back(part.rect);
  return rects;
}

/** A part that shows a kept object anyway asks for it. */
void dropAsked(FrameRecord& record) {
  for (const Part& part : record.plan->parts)
    for (const int index : part.rps) {
      Rp& rp = (*record.rps)[static_cast<std::size_t>(index)];
      if (std::exchange(rp.kept, false))
        std::erase_if(record.plan->kept, [&](const Detection& kept) { return kept.id == rp.id; });
    }
}

bool allAnswered(const FrameRecord& record) {
  return std::ranges::all_of(record.answers, [](const PartAnswer& answer) {
    return answer.state == AnswerState::Answered;
  });
}

bool noneAnswered(const FrameRecord& record) {
  return std::ranges::none_of(record.answers, [](const PartAnswer& answer) {
    return answer.state == AnswerState::Answered;
  });
}

/** Bounded, because a stream without a planner never takes them. */
void addUnseen(std::vector<Rect>& unseen, const std::vector<Rect>& more) {
  unseen.insert(unseen.end(), more.begin(), more.end());
  if (unseen.size() > kMostUnseen)
    unseen.erase(unseen.begin(), unseen.end() - static_cast<std::ptrdiff_t>(kMostUnseen));
}

Microseconds since(EventLoop::Clock::time_point begun) {
  return duration_cast<Microseconds>(steady_clock::now() - begun);
}

}  // namespace

Stream::~Stream() {
  detach();
}

// --- sender and listeners

void Stream::begin(std::unique_ptr<const RpPredictor> predictor, History::Limits limits) {
  reset();
  const MutexLock lock(mutex_);
  memory_.begin(std::move(predictor), limits);
  stats_ = {};
}

void Stream::setCoverage(double coverage) {
  const MutexLock lock(mutex_);
  memory_.setCoverage(coverage);
}

bool Stream::attach(const std::shared_ptr<FrameSender>& sender, const Slots::Limits& limits) {
  {
    const MutexLock lock(mutex_);
    if (sender_ && sender_ != sender) return false;
    sender_ = sender;
  }
  slots_->setLimits(limits);
  return true;
}

void Stream::abandon() {
  std::list<PendingPtr> dropped;
  std::vector<Offloader::Ticket> tickets;
  std::shared_ptr<FrameSender> sender;
  {
    MutexLock lock(mutex_);
    dropped.swap(pending_);
    for (const PendingPtr& pending : dropped) {
      pending->dropped = true;
      // The thread that submits such a frame abandons it, and has yet to write its ticket.
      if (!pending->sending && pending->ticket != FrameSender::kNothing)
        tickets.push_back(pending->ticket);
    }
    sender = sender_;
    while (advancing_) idle_.wait(lock);
  }
  if (sender)
    for (const Offloader::Ticket ticket : tickets) sender->offloader().abandon(ticket);
  for (const PendingPtr& pending : dropped) slots_->leave(pending->record.id);
}

void Stream::detach() {
  abandon();
  {
    const MutexLock lock(mutex_);
    sender_ = nullptr;
  }
  slots_->setLimits({});
}

bool Stream::setMerging(const void* owner, const MergeSettings& settings) {
  const MutexLock lock(mutex_);
  if (merger_ && merger_ != owner) return settings == merging_;
  merger_ = owner;
  if (settings.indexing != merging_.indexing) memory_.setIndexing(settings.indexing);
  merging_ = settings;
  return true;
}

void Stream::observe(const void* owner, Observer observer) {
  const MutexLock lock(mutex_);
  observers_.insert_or_assign(owner, std::move(observer));
}

void Stream::release(const void* owner) {
  {
    const MutexLock planning(planning_);
    planners_.remove_if([owner](const Planner& planner) { return planner.owner == owner; });
  }
  const MutexLock lock(mutex_);
  if (merger_ == owner) merger_ = nullptr;
  observers_.erase(owner);
}

Stream::Stats Stream::stats() const {
  const MutexLock lock(mutex_);
  return stats_;
}

CapacityPtr Stream::capacityNow() const {
  std::shared_ptr<FrameSender> sender;
  {
    const MutexLock lock(mutex_);
    sender = sender_;
  }
  Capacity capacity;
  if (sender) capacity = sender->offloader().capacity();
  // Without a sender, a server of middling speed is assumed.
  if (capacity.servers.empty()) capacity.servers.emplace_back();
  capacity.maxInFlight = slots_->limits().maxInFlight;
  return std::make_shared<const Capacity>(std::move(capacity));
}

// --- the steps of a frame

void Stream::reset() {
  const MutexLock lock(mutex_);
  if (std::exchange(used_, false)) ++generation_;
}

std::optional<FrameRecord> Stream::enter(Size size,
                                         std::optional<std::chrono::nanoseconds> runningTime,
                                         const std::atomic<bool>& stop) {
  FrameRecord record;
  record.entered = steady_clock::now();
  record.runningTime = runningTime;
  record.size = size;
  record.trace = newTraceId();
  record.stream = weak_from_this();
  {
    const MutexLock lock(mutex_);
    if (used_ && size != size_) ++generation_;
    size_ = size;
    used_ = true;
    record.when = clock_.next(runningTime);
    record.id = nextId_++;
    record.generation = generation_;
  }
  const Slots::Turn turn = slots_->enter(record.id, stop);
  if (turn == Slots::Turn::Stopped) return std::nullopt;
  record.skipped = turn == Slots::Turn::Pass;
  record.frame = std::make_shared<StreamFrame>(slots_, record.id);
  return record;
}

void Stream::predict(FrameRecord& record) {
  const auto begun = steady_clock::now();
  {
    const MutexLock lock(mutex_);
    memory_.predict(record);
  }
  record.timings.predict = since(begun);
}

void Stream::plan(const void* owner, FrameRecord& record, const PlanSettings& settings,
                  const ImageView* picture) {
  if (record.skipped) return;
  record.capacity = capacityNow();
  const auto begun = steady_clock::now();
  const MutexLock planning(planning_);
  auto planner = std::ranges::find(planners_, owner, &Planner::owner);
  if (planner == planners_.end()) planner = planners_.insert(planners_.end(), {.owner = owner});
  if (std::exchange(planner->partitioner, settings.partitioner) != settings.partitioner)
    planner->planner = std::make_unique<FramePlanner>(Partitioner::create(
        partitionerChoices()[static_cast<std::size_t>(settings.partitioner)].name));
  planner->planner->setSettings(settings.planner);
  if (std::exchange(planner->generation, record.generation) != record.generation) {
    planner->planner->forget();
    planner->unchanged.forget();
  }
  const int passed = planner->passed(record.when);
  const bool first = planner == planners_.begin();
  const bool keeps = first && picture && settings.keepUnchanged > 0;
  if (first) planner->planner->missed(takeUnseen(record.generation));
  std::vector<Detection> kept;
  if (keeps)
    kept = keep(*planner, record, *picture, std::chrono::milliseconds(settings.keepUnchanged));
  record.plan = planner->planner->plan(record.size, record.rps, *record.capacity, picture, passed,
                                       record.pixelAspect);
  if (keeps) {
    record.plan->kept = std::move(kept);
    dropAsked(record);
    // Those in flight may be answered by then, and the one before them.
    planner->unchanged.remember(record.id, *picture, rectsOf(*record.plan),
                                static_cast<std::size_t>(record.capacity->maxInFlight) + 1);
  }
  if (first && record.frame) record.frame->setPlanned(rectsOf(*record.plan));
  record.timings.partition = since(begun);
}

std::vector<Detection> Stream::keep(Planner& planner, FrameRecord& record, const ImageView& picture,
                                    std::chrono::milliseconds most) {
  std::vector<UnchangedRegions::Region> regions;
  {
    const MutexLock lock(mutex_);
    regions = memory_.found(record, most);
  }
  const std::vector<bool> unchanged = planner.unchanged.unchanged(picture, regions);
  std::set<Identity> ids;
  for (std::size_t i = 0; i < regions.size(); ++i)
    if (unchanged[i]) ids.insert(regions[i].id);
  std::vector<Detection> all;
  if (ids.empty()) return all;
  const MutexLock lock(mutex_);
  for (Rp& rp : *record.rps) {
    if (!ids.contains(rp.id)) continue;
    if (std::optional<Detection> kept = memory_.kept(rp.id)) {
      rp.kept = true;
      all.push_back(std::move(*kept));
    }
  }
  return all;
}

// Whole frames since the last call. They add up to the time that passed.
int Stream::Planner::passed(const FrameTime& when) {
  constexpr double kMost = 1e4;
  left += at ? std::min(framesBetween(*at, when), kMost) : 1;
  at = when.at;
  const int frames = std::max(1, static_cast<int>(std::lround(left)));
  // After a burst, the wait is not longer than one frame.
  left = std::max(left - frames, -1.0);
  return frames;
}

std::vector<Rect> Stream::takeUnseen(std::uint32_t generation) {
  std::vector<Rect> unseen = slots_->takeUnseen();
  const MutexLock lock(mutex_);
  unseen.insert(unseen.end(), unseen_.begin(), unseen_.end());
  unseen_.clear();
  // Those are of earlier frames, perhaps of another size.
  if (std::exchange(unseenGeneration_, generation) != generation) unseen.clear();
  return unseen;
}

void Stream::submit(FrameRecord record, FramePixels& pixels, std::optional<Clock::time_point> due,
                    Done done) {
  std::shared_ptr<FrameSender> sender;
  FrameRecordPtr result;
  {
    const MutexLock lock(mutex_);
    sender = sender_;
    if (!record.frame->submit()) {
      result = record.frame->result;
      const auto first = std::ranges::find_if(pending_, [&](const PendingPtr& pending) {
        return pending->record.id == record.id && !pending->done.empty();
      });
      if (!result && first != pending_.end()) {
        (*first)->done.push_back(std::move(done));
        return;
      }
      record.skipped = true;  // it was forgotten, in a flush
    }
  }
  if (result) return done(result);
  const auto pending = std::make_shared<Pending>();
  pending->submitted = steady_clock::now();
  pending->done.push_back(std::move(done));
  if (!record.skipped && sender) {
    if (!record.capacity) record.capacity = capacityNow();
    if (!record.plan) {
      Part whole{.rect = wholeFrame(record.size), .pixelAspect = record.pixelAspect};
      whole.server = sender->offloader().bestServer(whole.sentSize());
      record.plan.emplace().parts.push_back(std::move(whole));
    }
  }
  record.skipped = record.skipped || !sender;
  pending->record = std::move(record);
  {
    const MutexLock lock(mutex_);
    pending_.push_back(pending);
  }
  std::optional<Offloader::Ticket> ticket;
  if (!pending->record.skipped) {
    slots_->markSent(pending->record.id);
    ticket = sender->send(
        pending->record, pixels, due,
        [weak = weak_from_this(), pending](std::vector<PartAnswer> answers) {
          if (const auto stream = weak.lock()) stream->onAnswers(pending, std::move(answers), true);
        },
        [weak = weak_from_this(), pending](std::vector<PartAnswer> answers) {
          if (const auto stream = weak.lock())
            stream->onAnswers(pending, std::move(answers), false);
        });
  }
  bool dropped = false;
  {
    const MutexLock lock(mutex_);
    pending->sending = false;
    dropped = pending->dropped;
    if (!ticket && !dropped) markUnsent(pending->record);
    pending->ticket = ticket.value_or(FrameSender::kNothing);
    if (pending->ticket == FrameSender::kNothing) {
      pending->settled = true;
      pending->answeredAt = steady_clock::now();
    }
  }
  if (!ticket) slots_->leave(pending->record.id);
  if (!dropped)
    advance(Thread::Callers);
  else if (pending->ticket != FrameSender::kNothing)
    sender->offloader().abandon(pending->ticket);
}

// The record does not change any more, and duplicates of the frame find it.
FrameRecordPtr Stream::publish(FrameRecord record) {
  record.answered = true;
  const std::shared_ptr<StreamFrame> frame = std::exchange(record.frame, nullptr);
  const auto published = std::make_shared<FrameRecord>(std::move(record));
  const MutexLock lock(mutex_);
  frame->result = published;
  return published;
}

// Callback of the offloader, perhaps from inside FrameSender::send().
void Stream::onAnswers(const PendingPtr& pending, std::vector<PartAnswer> answers, bool settled) {
  {
    const MutexLock lock(mutex_);
    if (pending->dropped) return;
    pending->answers = std::move(answers);
    pending->answeredAt = steady_clock::now();
    (settled ? pending->settled : pending->late) = true;
    if (pending->sending) return;
  }
  advance(Thread::Callers);
}

// The oldest frame that can go on, or be closed because no older one may still be in time.
Stream::PendingPtr Stream::nextReady() const {
  for (const PendingPtr& pending : pending_) {
    if (pending->sending) return nullptr;
    if (pending->settled || (pending->late && !pending->wentOn)) return pending;
    if (!pending->late) return nullptr;
  }
  return nullptr;
}

// One thread at a time closes frames, in their order.
void Stream::advance(Thread thread) {
  {
    const MutexLock lock(mutex_);
    if (thread == Thread::Callers && std::exchange(advancing_, true)) return;
  }
  while (true) {
    PendingPtr next;
    bool settled = false, elsewhere = false;
    {
      const MutexLock lock(mutex_);
      next = nextReady();
      advancing_ = next != nullptr;
      if (!next) return idle_.notifyAll();
      settled = next->settled;
      elsewhere = thread == Thread::Callers && takesLong(next->answers);
    }
    if (elsewhere)
      return runInBackground([self = shared_from_this()] { self->advance(Thread::Background); });
    try {
      if (next->record.skipped)
        passUnsent(*next);
      else if (settled)
        closeFrame(*next);
      else
        goOn(*next);
    } catch (...) {
      // A callback threw. Others may close frames, and abandon() does not wait for this thread.
      const MutexLock lock(mutex_);
      advancing_ = false;
      idle_.notifyAll();
      throw;
    }
  }
}

// Nothing was sent for the frame: it goes on as it is.
void Stream::passUnsent(Pending& pending) {
  {
    const MutexLock lock(mutex_);
    memory_.coast(pending.record);
    memory_.forgetForecast(pending.record.id);
  }
  finish(pending, std::move(pending.record), Then::Gone);
}

void Stream::closeFrame(Pending& pending) {
  const auto begun = steady_clock::now();
  // A late frame has another record downstream.
  FrameRecord& record = pending.record;
  MergeOptions merging;
  {
    const MutexLock lock(mutex_);
    merging = {.mode = merging_.mode, .acrossClasses = merging_.acrossClasses};
    record.answers = std::move(pending.answers);
  }
  record.timings.offload = duration_cast<Microseconds>(pending.answeredAt - pending.submitted);
  mergeAnswers(record, merging);
  std::vector<PendingPtr> replaced;
  std::shared_ptr<FrameSender> sender;
  {
    const MutexLock lock(mutex_);
    if (!pending.dropped) {
      const std::vector<Rect> unseen = memory_.learn(record);
      if (record.generation == generation_) addUnseen(unseen_, unseen);
      memory_.eraseMissed(record);
      replaced = takeOlder(pending);
      if (pending.wentOn) remove(pending);
      ++stats_.answers;
      if (pending.wentOn) ++stats_.late;
    }
    sender = sender_;
  }
  for (const PendingPtr& older : replaced) {
    if (sender) sender->offloader().abandon(older->ticket);
    slots_->leave(older->record.id);
  }
  record.timings.merge = since(begun);
  record.inferred = allAnswered(record);
  slots_->leave(record.id);
  if (!pending.wentOn) finish(pending, std::move(record), Then::Gone);
}

// The deadline has passed: the frame goes on with the answers so far. Others may follow.
void Stream::goOn(Pending& pending) {
  const auto begun = steady_clock::now();
  FrameRecord record = pending.record;
  MergeOptions merging;
  std::shared_ptr<FrameSender> sender;
  {
    const MutexLock lock(mutex_);
    pending.wentOn = true;
    record.answers = pending.answers;
    record.timings.offload = duration_cast<Microseconds>(pending.answeredAt - pending.submitted);
    merging = {.mode = merging_.mode, .acrossClasses = merging_.acrossClasses};
    sender = sender_;
  }
  // If no server is idle, the next frame would only queue up behind this one.
  if (sender && sender->offloader().hasIdleServer())
    slots_->leave(record.id);
  else
    slots_->markLate(record.id);
  if (!noneAnswered(record)) mergeAnswers(record, merging);
  {
    const MutexLock lock(mutex_);
    if (noneAnswered(record)) {
      memory_.coast(record);
    } else {
      memory_.eraseMissed(record);
      memory_.identify(record);
    }
  }
  record.timings.merge = since(begun);
  finish(pending, std::move(record), Then::Awaited);
}

void Stream::finish(Pending& pending, FrameRecord record, Then then) {
  const FrameRecordPtr published = publish(std::move(record));
  std::vector<Done> done;
  std::map<const void*, Observer> observers;
  {
    const MutexLock lock(mutex_);
    if (pending.dropped) return;
    done.swap(pending.done);
    observers = observers_;
    // After it is published: a duplicate finds one or the other.
    if (then == Then::Gone) remove(pending);
  }
  for (const auto& [owner, observer] : observers) observer(published);
  for (const Done& call : done) call(published);
}

void Stream::remove(const Pending& pending) {
  pending_.remove_if([&](const PendingPtr& each) { return each.get() == &pending; });
}

// Frames that went on late and were overtaken. Their answers are no longer of use.
std::vector<Stream::PendingPtr> Stream::takeOlder(const Pending& than) {
  std::vector<PendingPtr> older;
  // A frame without answers replaces none.
  if (noneAnswered(than.record)) return older;
  for (const PendingPtr& each : pending_) {
    if (each.get() == &than) break;
    each->dropped = true;
    noteUnseen(each->record);
    older.push_back(each);
  }
  for (const PendingPtr& each : older) pending_.remove(each);
  return older;
}

// Nothing is sent for the frame.
void Stream::markUnsent(FrameRecord& record) {
  if (record.plan) noteUnseen(record);
  record.skipped = true;
  record.plan.reset();
  record.answers.clear();
}

void Stream::noteUnseen(const FrameRecord& record) {
  if (record.generation != generation_) return;
  addUnseen(unseen_, rectsOf(*record.plan));
}

}  // namespace elf
