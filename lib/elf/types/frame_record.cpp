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
  if (!plan) return sum;
  for (std::size_t i = 0; i < answers.size() && i < plan->parts.size(); ++i)
    sum += answers[i].attempts * plan->parts[i].sentSize().area();
  return sum;
}

}  // namespace elf
