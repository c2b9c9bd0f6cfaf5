// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/types/frame_record.h"

#include <utility>

namespace elf {

std::string FrameRecord::name() const {
  return "frame " + std::to_string(generation) + "." + std::to_string(id) + " trace " + trace;
}

const std::string* FrameRecord::urlOf(int server) const {
  if (!capacity || server < 0 || std::cmp_greater_equal(server, capacity->servers.size()))
    return nullptr;
  return &capacity->servers[static_cast<std::size_t>(server)].url;
}

std::size_t FrameRecord::bytesSent() const {
  std::size_t sum = 0;
  for (const PartAnswer& answer : answers) sum += answer.bytesSent;
  return sum;
}

double FrameRecord::pixelsSent() const {
  double sum = 0;
  for (const Request& request : requests()) sum += request.attempts * request.sent.area();
  return sum;
}

int FrameRecord::requestsSent() const {
  int sum = 0;
  for (const Request& request : requests()) sum += request.attempts;
  return sum;
}

std::vector<FrameRecord::Request> FrameRecord::requests() const {
  std::vector<Request> requests;
  if (!plan) return requests;
  std::vector<bool> counted(plan->canvases.size());
  for (std::size_t i = 0; i < answers.size() && i < plan->parts.size(); ++i) {
    const Part& part = plan->parts[i];
    Size sent = part.sentSize();
    if (part.place) {
      // Each part of a canvas has the attempts of the whole canvas.
      const auto canvas = static_cast<std::size_t>(part.place->canvas);
      if (counted[canvas]) continue;
      counted[canvas] = true;
      sent = plan->canvases[canvas].size;
    }
    requests.push_back({sent, answers[i].attempts});
  }
  return requests;
}

}  // namespace elf
