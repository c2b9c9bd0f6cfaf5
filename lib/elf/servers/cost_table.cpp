// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/servers/cost_table.h"

#include <algorithm>
#include <utility>

#include "elf/types/capacity.h"

namespace elf {

void CostTable::set(int server, std::shared_ptr<SharedServer> shared) {
  servers_.resize(std::max(servers_.size(), static_cast<std::size_t>(server) + 1));
  at(server) = {.shared = std::move(shared), .lateness = {}};
}

CostTable::Choice CostTable::fastest(std::span<const Candidate> candidates, double pixels) const {
  Choice best;
  bool bestTried = false;
  for (const Candidate& candidate : candidates) {
    const double time = seconds(candidate.server, pixels, candidate.bytes) + candidate.heldBack;
    if (best.server >= 0 && std::pair(candidate.tried, time) >= std::pair(bestTried, best.seconds))
      continue;
    best = {candidate.server, time};
    bestTried = candidate.tried;
  }
  return best;
}

double CostTable::seconds(int server, double pixels, double bytes) const {
  const SharedServer::State state = shared(server).state();
  return state.outstanding + state.cost.seconds(pixels, bytes);
}

void CostTable::countFile(int number, double bytes, double pixels) {
  constexpr double kForget = 0.97;
  Server& server = at(number);
  server.raw = false;
  server.fileBytes = server.fileBytes * kForget + bytes;
  server.filePixels = server.filePixels * kForget + pixels;
}

double CostTable::bytesPerPixel(int number) const {
  constexpr double kRaw = 3;
  const Server& server = at(number);
  if (server.raw) return kRaw;
  return server.filePixels > 0 ? server.fileBytes / server.filePixels : ServerState().bytesPerPixel;
}

void CostTable::countAnswer(int server, double expected, double taken) {
  if (expected > 0) at(server).lateness.add(expected, taken);
}

}  // namespace elf
