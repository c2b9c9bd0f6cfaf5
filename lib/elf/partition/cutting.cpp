// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/partition/cutting.h"

#include <algorithm>
#include <numeric>

namespace elf {

namespace {

struct Span {
  int from;
  int to;
};

// One axis of cutFor(). `minimum` is in pixels of the model.
Span cutAxis(Span boxes, Span shares, double scale, int minimum, const ModelRules& rules,
             int frame) {
  // Rounds up, except for an error of arithmetic above an integer.
  const auto wholeUp = [](double value) { return static_cast<int>(value + (1 - 1e-6)); };
  const auto inFrame = [&](int pixels) { return wholeUp(std::min<double>(pixels / scale, frame)); };
  const int context = inFrame(rules.context);
  int from = std::clamp(boxes.from - context, 0, frame - 1);
  int to = std::clamp(boxes.to + context, from + 1, frame);
  from = std::min(from, shares.from);
  to = std::max(to, shares.to);
  const int least = inFrame(minimum);
  if (const int missing = least - (to - from); missing > 0) {
    from = std::max(0, from - missing / 2);
    to = std::min(frame, from + least);
    from = std::min(from, to - least);
  }
  from = from / rules.align * rules.align;
  const int multiples = wholeUp((to - from) * scale / rules.multipleOf);
  // To the nearest, so that this length times the scale rounds to the multiple again.
  const auto length = static_cast<int>(multiples * rules.multipleOf / scale + 0.5);
  // Real pixels are worth more than the server's padding. The frame's edge has none.
  to = std::min(frame, std::max(to, from + length));
  return {from, to};
}

/** The time when each server finishes its parts of the plan, after its earlier work. */
std::vector<double> doneAt(const Plan& plan, const Capacity& capacity) {
  std::vector<double> done;
  for (const ServerState& server : capacity.servers) done.push_back(server.busy);
  const auto add = [&](int server, Size sent) {
    const auto s = static_cast<std::size_t>(server);
    done[s] += secondsFor(sent, capacity.servers[s], capacity);
  };
  for (const Part& part : plan.parts)
    if (!part.place) add(part.server, part.sentSize());
  for (const PartCanvas& canvas : plan.canvases) add(canvas.server, canvas.size);
  return done;
}

}  // namespace

Wanted wantedFor(const Rp& rp, const ModelRules& rules, Size frame) {
  const float share = rules.contextShare * rp.expected.height();
  return {roundOutwards(rp.box, frame),
          roundOutwards(grow(rp.box, {share, share, share, share}), frame)};
}

Rect cutFor(const Wanted& wanted, double scale, const ModelRules& rules, Size frame,
            double pixelAspect) {
  const auto& [boxes, shares] = wanted;
  // As in Size::withSquarePixels().
  const double scaleX = scale * std::max(1.0, pixelAspect);
  const double scaleY = scale / std::min(1.0, pixelAspect);
  const Span x = cutAxis({boxes.x, boxes.right()}, {shares.x, shares.right()}, scaleX,
                         rules.minSize.width, rules, frame.width);
  const Span y = cutAxis({boxes.y, boxes.bottom()}, {shares.y, shares.bottom()}, scaleY,
                         rules.minSize.height, rules, frame.height);
  return {x.from, y.from, x.to - x.from, y.to - y.from};
}

std::optional<Placement> placementIn(Size frame, const Part& part, const ModelRules& rules) {
  if (!rules.placed || part.sentSize() != part.rect.size()) return std::nullopt;
  return Placement{part.rect.x, part.rect.y, frame};
}

double leastScale(const Rp& rp, const ModelRules& rules, double pixelAspect) {
  const double height = rp.expected.height() / std::min(1.0, pixelAspect);
  if (rules.objectSize == 0 || rp.id == kNoIdentity || !(height > 0)) return 1;
  return std::min(1.0, kObjectMargin * rules.objectSize / height);
}

double secondsFor(Size sent, const ServerState& server, const Capacity& capacity) {
  return server.seconds(sent.area(), capacity.rules.inputSize(sent).area());
}

std::vector<int> usableServers(const Capacity& capacity) {
  std::vector<int> healthy, named;
  for (int i = 0; const ServerState& server : capacity.servers) {
    if (server.healthy) healthy.push_back(i);
    if (!server.removed) named.push_back(i);
    ++i;
  }
  return healthy.empty() ? named : healthy;
}

int idlestServer(const Plan& plan, const Part& part, const Capacity& capacity) {
  std::vector<double> done = doneAt(plan, capacity);
  for (std::size_t i = 0; i < done.size(); ++i)
    done[i] += secondsFor(part.sentSize(), capacity.servers[i], capacity);
  const std::vector<int> servers = usableServers(capacity);
  return *std::min_element(servers.begin(), servers.end(), [&](int a, int b) {
    return done[static_cast<std::size_t>(a)] < done[static_cast<std::size_t>(b)];
  });
}

void setMakespan(Plan& plan, const Capacity& capacity) {
  const std::vector<double> done = doneAt(plan, capacity);
  plan.makespan = 0;
  for (const Part& part : plan.parts)
    plan.makespan = std::max(plan.makespan, done[static_cast<std::size_t>(part.server)]);
}

void listRps(Plan& plan, std::span<const Rp> rps, Size frame) {
  for (std::size_t i = 0; i < rps.size(); ++i) {
    const Rect rect = roundOutwards(rps[i].box, frame);
    const auto part = std::find_if(plan.parts.begin(), plan.parts.end(),
                                   [&](const Part& p) { return contains(p.rect, rect); });
    if (part != plan.parts.end()) part->rps.push_back(static_cast<int>(i));
  }
}

}  // namespace elf
