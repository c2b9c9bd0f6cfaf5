// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/discovery/discovery.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <opencv2/imgproc.hpp>
#include <tuple>
#include <utility>

#include "elf/discovery/thumbnail.h"

namespace elf {

namespace {

constexpr int kLeastCell = 16;
constexpr int kMostCells = 48;
/** Samples of a cell along one side, and how many of them have to change for the cell to change:
 * one may be noise. */
constexpr int kSamples = 4;
constexpr int kChangedSamples = 2;
/** One in so many of the frame's cells is looked at in one frame because it got no answer. */
constexpr int kDueInOneOf = 4;
constexpr int kLongestPause = 16;
/** Where more of the picture changes, the camera moves. */
constexpr double kMostChanged = 1.0 / 3;
/** Around an object that was lost, in parts of its size, on each side. */
constexpr float kAroundLost = 0.25F;

struct Tiles {
  int columns = 1;
  int rows = 1;
  int count() const { return columns * rows; }
};

/**
 * As many as can be, up to `most`, with sides of `leastSide` at least where the frame has them; of
 * equally many the ones that are nearest to squares.
 */
Tiles tilesOf(int most, int leastSide, Size frame) {
  const double aspect = static_cast<double>(frame.width) / frame.height;
  const auto unevenness = [&](const Tiles& tiles) {
    return std::abs(std::log(aspect * tiles.rows / tiles.columns));
  };
  const int mostColumns = std::max(1, frame.width / std::max(1, leastSide));
  const int mostRows = std::max(1, frame.height / std::max(1, leastSide));
  Tiles best;
  for (int rows = 1; rows <= std::min(most, mostRows); ++rows) {
    const Tiles tiles{std::min(most / rows, mostColumns), rows};
    if (tiles.count() > best.count() ||
        (tiles.count() == best.count() && unevenness(tiles) < unevenness(best)))
      best = tiles;
  }
  return best;
}

/** Where tiles along one axis of so many cells begin and end. */
class Edges {
 public:
  /** With an offset, edges lie in the middle of what would be tiles without. */
  Edges(int cells, int tiles, bool offset) : cells_(cells), tiles_(tiles), offset_(offset) {}

  int count() const { return offset_ && tiles_ > 1 ? tiles_ - 1 : tiles_; }
  int at(int edge) const {
    if (edge == 0) return 0;
    if (edge == count()) return cells_;
    return (2 * edge + offset_) * cells_ / (2 * tiles_);
  }

 private:
  int cells_, tiles_;
  bool offset_;
};

float median(std::vector<float> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace

void Discovery::Block::add(int x, int y) {
  if (empty()) {
    *this = {x, y, x + 1, y + 1};
  } else {
    x0 = std::min(x0, x);
    y0 = std::min(y0, y);
    x1 = std::max(x1, x + 1);
    y1 = std::max(y1, y + 1);
  }
}

void Discovery::forget() {
  frame_ = {};
  cells_.clear();
  before_.clear();
  turn_ = round_ = sinceTile_ = 0;
  begun_ = false;
}

void Discovery::divide(Size frame) {
  forget();
  frame_ = frame;
  columns_ = std::clamp(frame.width / kLeastCell, 1, kMostCells);
  const double side = static_cast<double>(frame.width) / columns_;
  rows_ = std::clamp(static_cast<int>(frame.height / side), 1, kMostCells);
  cells_.assign(static_cast<std::size_t>(columns_ * rows_), {});
  then_.assign(cells_.size() * kSamples * kSamples, 0);
}

Rect Discovery::rectOf(const Block& block) const {
  const auto edge = [](int cell, int cells, int side) { return cell * side / cells; };
  const int x = edge(block.x0, columns_, frame_.width);
  const int y = edge(block.y0, rows_, frame_.height);
  return {x, y, edge(block.x1, columns_, frame_.width) - x,
          edge(block.y1, rows_, frame_.height) - y};
}

Discovery::Block Discovery::touching(const Rect& rect) const {
  const auto first = [](int at, int cells, int side) {
    int cell = std::clamp(at * cells / side, 0, cells - 1);
    while (cell > 0 && cell * side / cells > at) --cell;
    while (cell + 1 < cells && (cell + 1) * side / cells <= at) ++cell;
    return cell;
  };
  if (rect.empty()) return {};
  return {first(rect.x, columns_, frame_.width), first(rect.y, rows_, frame_.height),
          first(rect.right() - 1, columns_, frame_.width) + 1,
          first(rect.bottom() - 1, rows_, frame_.height) + 1};
}

Discovery::Block Discovery::within(const Rect& rect) const {
  Block block = touching(rect);
  if (block.empty()) return block;
  const Rect cells = rectOf(block);
  block.x0 += cells.x < rect.x;
  block.y0 += cells.y < rect.y;
  block.x1 -= cells.right() > rect.right();
  block.y1 -= cells.bottom() > rect.bottom();
  return block;
}

template <typename Visit>
void Discovery::each(const Block& block, Visit&& visit) {
  for (int y = block.y0; y < block.y1; ++y)
    for (int x = block.x0; x < block.x1; ++x) visit(cell(x, y));
}

void Discovery::begin(Size frame, const ImageView* picture) {
  if (frame != frame_) divide(frame);
  for (Cell& each : cells_) {
    ++each.age;
    each.wait = std::max(0, each.wait - 1);
    each.covered = each.planned = false;
  }
  const Size samples{columns_ * kSamples, rows_ * kSamples};
  const bool enough = picture && samples.width <= frame.width && samples.height <= frame.height;
  if (enough && settings_.changeThreshold > 0)
    makeThumbnail(*picture, samples, now_);
  else
    now_.clear();
}

void Discovery::learn(std::span<const Rp> rps) {
  for (const Rp& rp : rps) {
    const Rect rect = roundOutwards(rp.box, frame_);
    each(within(rect), [](Cell& c) { c.covered = true; });
    // Here something was found.
    each(touching(rect), [](Cell& c) { c.tried = false, c.pause = 0; });
  }
  for (Cell& c : cells_) {
    if (!c.tried) continue;
    c.tried = false;
    c.wait = c.pause = std::clamp(2 * c.pause, 1, kLongestPause);
  }
}

// What changed is a piece of an object, as a rule: its legs.
Sides Discovery::missing(Size place) const {
  if (before_.empty()) return {};
  std::vector<float> widths, heights;
  for (const Rp& rp : before_) {
    widths.push_back(rp.expected.width());
    heights.push_back(rp.expected.height());
  }
  const auto half = [](float usual, int is) {
    return std::max(0.0F, (usual - static_cast<float>(is)) / 2);
  };
  const float x = half(median(std::move(widths)), place.width);
  const float y = half(median(std::move(heights)), place.height);
  return {x, y, x, y};
}

std::vector<Rect> Discovery::placesFor(Size frame, std::span<const Rp> rps,
                                       const ImageView* picture) {
  begin(frame, picture);
  begun_ = true;
  learn(rps);
  std::vector<Rect> places;
  addTile(places);
  addLost(rps, places);
  before_.assign(rps.begin(), rps.end());
  addDue(places);
  addChanged(places);
  return places;
}

void Discovery::add(const Block& block, std::vector<Rect>& places) {
  if (block.empty()) return;
  each(block, [](Cell& c) { c.planned = true; });
  places.push_back(rectOf(block));
}

void Discovery::addTile(std::vector<Rect>& places) {
  if (settings_.scanInterval == 0) return;
  // An object on the edge of tiles in one round is inside a tile in another. Row by row, no cell
  // waits longer from one round to the next than a round without offset takes.
  static constexpr struct {
    bool x, y;
  } kOffsets[] = {{false, false}, {true, true}, {true, false}, {false, true}};
  const Tiles tiles = tilesOf(settings_.scanInterval, settings_.leastTile, frame_);
  if (++sinceTile_ < settings_.scanInterval / tiles.count()) return;
  sinceTile_ = 0;
  const auto grid = [&] {
    const auto offset = kOffsets[static_cast<std::size_t>(round_) % std::size(kOffsets)];
    return std::pair(Edges(columns_, tiles.columns, offset.x), Edges(rows_, tiles.rows, offset.y));
  };
  auto [columns, rows] = grid();
  // The round is over, or was of more tiles than there are now.
  if (turn_ >= columns.count() * rows.count()) {
    turn_ = 0;
    ++round_;
    std::tie(columns, rows) = grid();
  }
  const int column = turn_ % columns.count(), row = turn_ / columns.count();
  ++turn_;
  const Block tile{columns.at(column), rows.at(row), columns.at(column + 1), rows.at(row + 1)};
  add(around(tile, [](const Cell& c) { return !c.covered || c.age > 1; }), places);
}

void Discovery::addLost(std::span<const Rp> rps, std::vector<Rect>& places) {
  for (const Rp& rp : before_) {
    const bool stays = std::ranges::any_of(rps, [&](const Rp& r) { return r.id == rp.id; });
    if (stays || rp.id == kNoIdentity) continue;
    const float dx = kAroundLost * rp.box.width(), dy = kAroundLost * rp.box.height();
    const Rect rect = roundOutwards(grow(rp.box, {dx, dy, dx, dy}), frame_);
    add(around(touching(rect), [](const Cell& c) { return !c.covered && !c.planned; }), places);
  }
}

void Discovery::addDue(std::vector<Rect>& places) {
  const auto isOpen = [](const Cell& c) { return c.due && !c.covered && !c.planned; };
  std::vector<Block> blocks = clusters(isOpen);
  std::ranges::stable_sort(blocks, {}, &Block::cells);
  int left = std::max<int>(1, static_cast<int>(cells_.size()) / kDueInOneOf);
  for (Block block : blocks) {
    while (block.cells() > left) {
      Block first = block, second = block;
      if (block.x1 - block.x0 >= block.y1 - block.y0)
        first.x1 = second.x0 = (block.x0 + block.x1) / 2;
      else
        first.y1 = second.y0 = (block.y0 + block.y1) / 2;
      block = around(first, isOpen);
      if (block.empty()) block = around(second, isOpen);
    }
    add(block, places);
    left -= block.cells();
    if (left <= 0) return;
  }
}

void Discovery::addChanged(std::vector<Rect>& places) {
  if (now_.empty()) return;
  const int brighter = brightness();
  std::size_t comparable = 0, changes = 0;
  std::vector<bool> is(cells_.size());
  for (int y = 0; y < rows_; ++y)
    for (int x = 0; x < columns_; ++x) {
      const Cell& c = cell(x, y);
      if (!c.remembered || c.covered) continue;
      ++comparable;
      if (!changed(x, y, brighter)) continue;
      ++changes;
      is[static_cast<std::size_t>(y * columns_ + x)] = c.wait == 0 && !c.planned;
    }
  if (static_cast<double>(changes) > kMostChanged * static_cast<double>(comparable)) {
    // What it shows from now on is compared with this.
    for (int y = 0; y < rows_; ++y)
      for (int x = 0; x < columns_; ++x) remember(x, y);
    return;
  }
  for (const Block& block :
       clusters([&](const Cell& c) { return is[static_cast<std::size_t>(&c - cells_.data())]; })) {
    const Rect rect = rectOf(block);
    if (std::max(rect.width, rect.height) < settings_.smallestObject) continue;
    each(block, [](Cell& c) { c.tried = true; });
    add(block, places);
    places.back() = roundOutwards(grow(toBox(rect), missing(rect.size())), frame_);
  }
}

int Discovery::brightness() const {
  // The median of all differences: what moves is less than half of the picture.
  std::array<int, 511> counts{};
  int total = 0;
  const int width = columns_ * kSamples;
  for (std::size_t i = 0; i < now_.size(); ++i) {
    const auto sample = static_cast<int>(i);
    const Cell& c = cells_[static_cast<std::size_t>(sample / width / kSamples * columns_ +
                                                    sample % width / kSamples)];
    if (!c.remembered) continue;
    ++counts[static_cast<std::size_t>(now_[i] - then_[i] + 255)];
    ++total;
  }
  int below = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    below += counts[i];
    if (2 * below > total) return static_cast<int>(i) - 255;
  }
  return 0;
}

bool Discovery::changed(int x, int y, int brighter) const {
  int count = 0;
  for (int row = y * kSamples; row < (y + 1) * kSamples; ++row)
    for (int column = x * kSamples; column < (x + 1) * kSamples; ++column) {
      const auto i = static_cast<std::size_t>(row * columns_ * kSamples + column);
      count += std::abs(now_[i] - then_[i] - brighter) >= settings_.changeThreshold;
    }
  return count >= kChangedSamples;
}

void Discovery::remember(int x, int y) {
  if (now_.empty()) return;
  for (int row = y * kSamples; row < (y + 1) * kSamples; ++row) {
    const auto begin = row * columns_ * kSamples + x * kSamples;
    std::copy_n(now_.begin() + begin, kSamples, then_.begin() + begin);
  }
  cell(x, y).remembered = true;
}

template <typename Is>
Discovery::Block Discovery::around(const Block& block, Is&& is) {
  Block found;
  for (int y = block.y0; y < block.y1; ++y)
    for (int x = block.x0; x < block.x1; ++x)
      if (is(cell(x, y))) found.add(x, y);
  return found;
}

template <typename Is>
std::vector<Discovery::Block> Discovery::clusters(Is&& is) const {
  cv::Mat_<std::uint8_t> cells(rows_, columns_);
  std::transform(cells_.begin(), cells_.end(), cells.begin(),
                 [&](const Cell& c) { return is(c) ? 1 : 0; });
  // An object need not change all over: cells with one other between them belong together.
  cv::Mat_<std::uint8_t> wide;
  cv::dilate(cells, wide, cv::Mat_<std::uint8_t>::ones(2, 2));
  cv::Mat_<int> labels;
  std::vector<Block> found(static_cast<std::size_t>(cv::connectedComponents(wide, labels)));
  for (int y = 0; y < rows_; ++y)
    for (int x = 0; x < columns_; ++x)
      if (cells(y, x)) found[static_cast<std::size_t>(labels(y, x))].add(x, y);
  std::erase_if(found, [](const Block& block) { return block.empty(); });
  return found;
}

void Discovery::looksAt(Size frame, std::span<const Part> parts, const ImageView* picture) {
  if (!begun_) begin(frame, picture);
  begun_ = false;
  for (const Part& part : parts) {
    if (part.sentSize() != part.rect.size()) continue;
    const Block block = within(part.rect);
    for (int y = block.y0; y < block.y1; ++y)
      for (int x = block.x0; x < block.x1; ++x) {
        cell(x, y).age = 0;
        cell(x, y).due = false;
        remember(x, y);
      }
  }
}

void Discovery::missed(std::span<const Rect> rects) {
  if (cells_.empty()) return;
  for (const Rect& rect : rects) each(touching(rect), [](Cell& c) { c.due = true; });
}

}  // namespace elf
