// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/data/elf_release_window.h"

namespace elf {

namespace {

std::vector<LabelledBox> boxesOf(const TraceFrame& frame) {
  std::vector<LabelledBox> boxes;
  boxes.reserve(frame.objects.size());
  for (const TraceObject& object : frame.objects) boxes.push_back({object.box, object.labelId});
  return boxes;
}

}  // namespace

ElfReleaseWindow elfReleaseWindow(const Trace& trace, std::size_t last, const RpIndexer& indexer) {
  ElfReleaseWindow window;
  window.targets = boxesOf(trace.frames[last]);
  for (std::size_t step = 0; step < ElfReleaseWindow::kHistory; ++step) {
    const std::vector<LabelledBox> before =
        boxesOf(trace.frames[last - ElfReleaseWindow::kHistory + step]);
    const std::vector<int> partners =
        indexer.match(before, window.targets, trace.frames[last].size);
    for (std::size_t row = 0; row < partners.size(); ++row) {
      const bool leaks = partners[row] == RpIndexer::kNew;
      window.leaks[step].push_back(leaks);
      window.history[step].push_back(leaks ? window.targets[row].box
                                           : before[static_cast<std::size_t>(partners[row])].box);
    }
  }
  return window;
}

}  // namespace elf
