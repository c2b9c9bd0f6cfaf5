// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/partition/atoms.h"

#include <algorithm>
#include <map>
#include <utility>

namespace elf {

std::vector<Atom> atomsOf(const PartitionInput& input) {
  constexpr int kColumns = 16, kRows = 8;
  static_assert(kColumns * kRows <= kMostAtoms);
  const ModelRules& rules = input.capacity.rules;
  const auto cell = [](float centre, int side, int cells) {
    return std::clamp(static_cast<int>(centre / static_cast<float>(side) * cells), 0, cells - 1);
  };
  std::map<int, Atom> byKey;
  for (std::size_t i = 0; i < input.rps.size(); ++i) {
    const Rp& rp = input.rps[i];
    const int key = input.rps.size() <= kMostAtoms
                        ? static_cast<int>(i)
                        : cell(rp.box.centreY(), input.frame.height, kRows) * kColumns +
                              cell(rp.box.centreX(), input.frame.width, kColumns);
    const Wanted wanted = wantedFor(rp, rules, input.frame);
    Atom& atom = byKey.try_emplace(key, Atom{wanted, 0, {}}).first->second;
    atom.wanted = unite(atom.wanted, wanted);
    atom.leastScale = std::max(atom.leastScale, leastScale(rp, rules, input.pixelAspect));
    atom.rps.push_back(static_cast<int>(i));
  }
  std::vector<Atom> atoms;
  atoms.reserve(byKey.size());
  for (auto& [key, atom] : byKey) atoms.push_back(std::move(atom));
  return atoms;
}

}  // namespace elf
