// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/predict/indexing.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <set>
#include <string>

// Only headers of dlib are used. Without this they ask for libdlib (and with it BLAS) in builds
// without optimisation, to compare its version with theirs.
#define DLIB_TEST_FOR_ODR_VIOLATIONS_H_
#include <dlib/optimization/max_cost_assignment.h>

#include "elf/base/error.h"

namespace elf {

namespace {

// Share of the box's width and height, on each side.
constexpr float kBuffer = 0.5F;

Box buffered(const Box& box) {
  const float x = kBuffer * box.width();
  const float y = kBuffer * box.height();
  return grow(box, {x, y, x, y});
}

/** A pair that may be matched, and its worth. */
struct Pair {
  int before;
  int now;
  double worth;
};

/** Disjoint sets of numbers from 0 up. */
class Groups {
 public:
  explicit Groups(std::size_t n) : parent_(n) { std::iota(parent_.begin(), parent_.end(), 0); }

  int find(int i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void unite(int a, int b) { parent_[find(a)] = find(b); }

 private:
  std::vector<int> parent_;
};

class AssignmentIndexer final : public RpIndexer {
 public:
  std::vector<int> match(std::span<const LabelledBox> before, std::span<const LabelledBox> now,
                         Size) const override {
    std::vector<Pair> pairs = candidates(before, now);

    // The sum over pairs is largest if it is largest in each group of connected boxes.
    Groups groups(before.size() + now.size());
    const int firstNow = static_cast<int>(before.size());
    for (const Pair& pair : pairs) groups.unite(pair.before, firstNow + pair.now);
    std::vector<int> group(before.size());
    for (std::size_t b = 0; b < before.size(); ++b) group[b] = groups.find(static_cast<int>(b));
    std::stable_sort(pairs.begin(), pairs.end(), [&](const Pair& a, const Pair& b) {
      return group[a.before] < group[b.before];
    });

    std::vector<int> matched(now.size(), kNew);
    Slots slots{std::vector<int>(before.size(), -1), std::vector<int>(now.size(), -1)};
    for (auto begin = pairs.begin(); begin != pairs.end();) {
      const auto end = std::find_if(begin, pairs.end(), [&](const Pair& pair) {
        return group[pair.before] != group[begin->before];
      });
      assign({begin, end}, slots, matched);
      begin = end;
    }
    return matched;
  }

 private:
  /** Row of each box of `before`, and column of each of `now`, in the matrix of its group. */
  struct Slots {
    std::vector<int> row, column;
  };

  static std::vector<Pair> candidates(std::span<const LabelledBox> before,
                                      std::span<const LabelledBox> now) {
    struct Old {
      Box reach;
      int index;
    };
    std::vector<Old> old;
    old.reserve(before.size());
    float widest = 0;
    for (std::size_t b = 0; b < before.size(); ++b) {
      const Box reach = buffered(before[b].box);
      if (reach.empty()) continue;
      widest = std::max(widest, reach.width());
      old.push_back({reach, static_cast<int>(b)});
    }
    const auto left = [](const Old& each) { return each.reach.x0; };
    std::ranges::sort(old, {}, left);

    std::vector<Pair> pairs;
    pairs.reserve(2 * now.size());
    for (std::size_t n = 0; n < now.size(); ++n) {
      const Box here = buffered(now[n].box);
      if (here.empty()) continue;
      for (auto each = std::ranges::lower_bound(old, here.x0 - widest, {}, left);
           each != old.end() && each->reach.x0 < here.x1; ++each) {
        if (intersect(each->reach, here).empty()) continue;
        const double alike = iou(each->reach, here);
        const bool sameClass = before[each->index].labelId == now[n].labelId;
        if (alike >= (sameClass ? kMinSimilarity : kSameObject))
          pairs.push_back({each->index, static_cast<int>(n), sameClass ? alike : alike / 2});
      }
    }
    return pairs;
  }

  /** Matches the pairs of one group, whose slots are still -1. */
  static void assign(std::span<Pair> pairs, Slots& slots, std::vector<int>& matched) {
    if (pairs.size() == 1) {
      matched[pairs[0].now] = pairs[0].before;
      return;
    }
    int rows = 0;
    int columns = 0;
    for (const Pair& pair : pairs) {
      if (slots.row[pair.before] < 0) slots.row[pair.before] = rows++;
      if (slots.column[pair.now] < 0) slots.column[pair.now] = columns++;
    }
    if (std::max(rows, columns) > kMostInGroup) return assignGreedily(pairs, matched);
    // The algorithm compares sums for equality, so it needs integers. A cell that is not a pair is
    // worth nothing, like a box without partner.
    constexpr double kUnits = static_cast<double>(std::int64_t{1} << 40);
    const long side = std::max(rows, columns);
    dlib::matrix<std::int64_t> worth = dlib::zeros_matrix<std::int64_t>(side, side);
    for (const Pair& pair : pairs)
      worth(slots.row[pair.before], slots.column[pair.now]) = std::llround(pair.worth * kUnits);
    const std::vector<long> columnOf = dlib::max_cost_assignment(worth);
    for (const Pair& pair : pairs)
      if (columnOf[slots.row[pair.before]] == slots.column[pair.now])
        matched[pair.now] = pair.before;
  }

  static void assignGreedily(std::span<Pair> pairs, std::vector<int>& matched) {
    std::ranges::stable_sort(pairs, std::ranges::greater(), &Pair::worth);
    std::set<int> taken;
    for (const Pair& pair : pairs)
      if (matched[pair.now] == kNew && taken.insert(pair.before).second)
        matched[pair.now] = pair.before;
  }
};

/** A box in coordinates divided by the frame's width and height. */
struct Normalised {
  double x, y, area;

  Normalised(const Box& box, Size frame)
      : x((static_cast<double>(box.x0) + box.x1) / 2 / frame.width),
        y((static_cast<double>(box.y0) + box.y1) / 2 / frame.height),
        area(box.empty() ? std::numeric_limits<double>::quiet_NaN() : box.area() / frame.area()) {}
};

std::vector<Normalised> normalised(std::span<const LabelledBox> boxes, Size frame) {
  std::vector<Normalised> all;
  all.reserve(boxes.size());
  for (const LabelledBox& box : boxes) all.emplace_back(box.box, frame);
  return all;
}

/**
 * For each box of `now` the box of `before` with the least offset(old, new); the first of several.
 * An offset of NaN never matches.
 */
template <typename Offset>
std::vector<int> nearest(std::span<const LabelledBox> before, std::span<const LabelledBox> now,
                         Size frame, Offset&& offset) {
  std::vector<int> matched(now.size(), RpIndexer::kNew);
  if (frame.empty()) return matched;
  const std::vector<Normalised> old = normalised(before, frame);
  for (std::size_t n = 0; n < now.size(); ++n) {
    const Normalised here(now[n].box, frame);
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t b = 0; b < old.size(); ++b) {
      if (const double d = offset(old[b], here); d < least) {
        least = d;
        matched[n] = static_cast<int>(b);
      }
    }
  }
  return matched;
}

constexpr double kNever = std::numeric_limits<double>::infinity();

class ElfReleaseIndexer final : public RpIndexer {
 public:
  std::vector<int> match(std::span<const LabelledBox> before, std::span<const LabelledBox> now,
                         Size frame) const override {
    return nearest(before, now, frame, [](const Normalised& a, const Normalised& b) {
      const double offset = std::abs(a.x - b.x) + std::abs(a.y - b.y) +
                            std::abs(std::sqrt(a.area) - std::sqrt(b.area));
      return offset <= 0.02 ? offset : kNever;
    });
  }
};

class ElfPaperIndexer final : public RpIndexer {
 public:
  std::vector<int> match(std::span<const LabelledBox> before, std::span<const LabelledBox> now,
                         Size frame) const override {
    return nearest(before, now, frame, [](const Normalised& a, const Normalised& b) {
      const double change = std::abs(1 - a.area / b.area);
      const bool near = std::abs(a.x - b.x) < 0.02 && std::abs(a.y - b.y) < 0.02;
      return near && change < 0.2 ? change : kNever;
    });
  }
};

}  // namespace

double similarity(const Box& a, const Box& b) {
  return a.empty() || b.empty() ? 0 : iou(buffered(a), buffered(b));
}

std::span<const Choice> indexerChoices() {
  static constexpr Choice kChoices[] = {
      {"assignment", "One-to-one, with the largest sum of buffered intersections over unions"},
      {"elf-release", "The nearest by centre and size, as in the released code of Elf"},
      {"elf-paper", "The nearest by area among the near ones, as in the paper's Algorithm 1"},
  };
  return kChoices;
}

std::unique_ptr<RpIndexer> RpIndexer::create(std::string_view name) {
  if (name == "assignment") return std::make_unique<AssignmentIndexer>();
  if (name == "elf-release") return std::make_unique<ElfReleaseIndexer>();
  if (name == "elf-paper") return std::make_unique<ElfPaperIndexer>();
  throw Error("indexing", "unknown name \"" + std::string(name) + "\"");
}

}  // namespace elf
