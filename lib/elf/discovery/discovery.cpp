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
constexpr int kMostCells = 60;
/** Tiles have their turn this many times more often while the camera moves. */
constexpr int kMovingFaster = 2;
/** The minimum number of changed samples in a changed cell: one may be noise. */
constexpr int kChangedSamples = 3;
/** At most one in this many of the frame's cells is inferred in one frame because it got no
 * answer. */
constexpr int kDueInOneOf = 4;
constexpr int kLongestPause = 32;
/** If more of the picture changes, and more than an object may cover, the camera moves. */
constexpr double kMostChanged = 1.0 / 3;
constexpr std::size_t kCellsOfOneObject = 4;
/** The margin around a lost object, in parts of its size, on each side. */
constexpr float kAroundLost = 0.25F;
/** The first pause after a loss, and the maximum number of places that are remembered. */
constexpr int kFirstPause = 2;
constexpr std::size_t kMostLost = 32;
/** An RP that covers so much of a lost object's place is of that object. */
constexpr double kFoundAgain = 0.3;

/** The borders of tiles along one axis of `cells` cells. */
class Edges {
 public:
  /** With an offset, edges lie in the middle of the tiles without one. */
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

/** Leaves at least a pixel. */
Rect shrunk(const Rect& rect, int by) {
  const int x = std::min(by, (rect.width - 1) / 2), y = std::min(by, (rect.height - 1) / 2);
  return {rect.x + x, rect.y + y, rect.width - 2 * x, rect.height - 2 * y};
}

/** Whether `rps` has an RP of the same object. */
bool isAmong(std::span<const Rp> rps, const Rp& rp) {
  return rp.id != kNoIdentity &&
         std::ranges::any_of(rps, [&](const Rp& other) { return other.id == rp.id; });
}

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
  lost_.clear();
  turn_ = round_ = sinceTile_ = 0;
  begun_ = moves_ = false;
}

void Discovery::divide(Size frame) {
  forget();
  frame_ = frame;
  align_ = settings_.align;
  const int longer = std::max(frame.width, frame.height);
  const int least = std::max(kLeastCell, roundUp(longer, kMostCells) / kMostCells);
  cell_ = roundUp(least, align_);
  columns_ = std::max(1, frame.width / cell_);
  rows_ = std::max(1, frame.height / cell_);
  // A cell has kSamples along each side, the last ones have the remainder.
  samples_ = {std::max(columns_ * kSamples, frame.width * kSamples / cell_),
              std::max(rows_ * kSamples, frame.height * kSamples / cell_)};
  shown_ = {std::min(frame.width, samples_.width * cell_ / kSamples),
            std::min(frame.height, samples_.height * cell_ / kSamples)};
  cells_.assign(static_cast<std::size_t>(columns_ * rows_), {});
  then_.assign(static_cast<std::size_t>(samples_.width) * samples_.height, 0);
}

Discovery::Block Discovery::samplesOf(int x, int y) const {
  return {x * kSamples, y * kSamples, x + 1 == columns_ ? samples_.width : (x + 1) * kSamples,
          y + 1 == rows_ ? samples_.height : (y + 1) * kSamples};
}

Rect Discovery::rectOf(const Block& block) const {
  // The last one has the remainder.
  const int right = block.x1 == columns_ ? frame_.width : block.x1 * cell_;
  const int bottom = block.y1 == rows_ ? frame_.height : block.y1 * cell_;
  return {block.x0 * cell_, block.y0 * cell_, right - block.x0 * cell_, bottom - block.y0 * cell_};
}

Discovery::Block Discovery::touching(const Rect& rect) const {
  if (rect.empty()) return {};
  const auto column = [&](int x) { return std::min(x / cell_, columns_ - 1); };
  const auto row = [&](int y) { return std::min(y / cell_, rows_ - 1); };
  return {column(rect.x), row(rect.y), column(rect.right() - 1) + 1, row(rect.bottom() - 1) + 1};
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

void Discovery::begin(Size frame, const ImageView* picture, int passed) {
  if (frame != frame_ || settings_.align != align_) {
    // New cells count as not inferred yet. The first frame is inferred anyway.
    const bool again = frame == frame_;
    divide(frame);
    for (Cell& each : cells_) each.due = again;
  }
  for (Cell& each : cells_) {
    each.age += passed;
    each.wait = std::max(0, each.wait - passed);
    each.covered = each.planned = each.changed = false;
  }
  expected_.assign(then_.size(), 0);
  const bool enough = picture && samples_.width <= frame.width && samples_.height <= frame.height;
  if (enough && settings_.changeThreshold > 0) {
    ImageView shown = *picture;
    shown.size = shown_;
    makeThumbnail(shown, samples_, now_);
  } else {
    now_.clear();
  }
}

void Discovery::learn(std::span<const Rp> rps) {
  for (const Rp& rp : rps) {
    if (!inFlight()) markExpected(rp.box);
    const Rect rect = roundOutwards(rp.box, frame_);
    each(within(rect), [](Cell& c) { c.covered = true; });
    if (!inFlight() && isAmong(before_, rp)) continue;
    // An object was found here.
    each(touching(rect), [](Cell& c) { c.tried = c.pause = 0; });
  }
  for (Cell& c : cells_) {
    if (c.tried == 0 || --c.tried > 0) continue;
    c.wait = c.pause = std::clamp(2 * c.pause, 1, kLongestPause);
  }
}

void Discovery::markExpected(const Box& box) {
  const float sx = static_cast<float>(samples_.width) / static_cast<float>(shown_.width);
  const float sy = static_cast<float>(samples_.height) / static_cast<float>(shown_.height);
  // Samples that are wholly inside.
  const int x0 = static_cast<int>(std::ceil(box.x0 * sx));
  const int y0 = static_cast<int>(std::ceil(box.y0 * sy));
  const int x1 = std::min(samples_.width, static_cast<int>(box.x1 * sx));
  const int y1 = std::min(samples_.height, static_cast<int>(box.y1 * sy));
  for (int y = y0; y < y1 && x0 < x1; ++y)
    std::fill_n(expected_.begin() + static_cast<std::ptrdiff_t>(sampleAt(x0, y)), x1 - x0, 1);
}

// A change is usually a piece of an object, such as its legs.
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
                                       const ImageView* picture, int passed) {
  begin(frame, picture, passed);
  begun_ = true;
  learn(rps);
  compare();
  std::vector<Rect> places;
  addAged(places, passed);
  addLost(rps, places, passed);
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

Discovery::Tiles Discovery::tiles() const {
  const double aspect = static_cast<double>(frame_.width) / frame_.height;
  const auto unevenness = [&](const Tiles& tiles) {
    return std::abs(std::log(aspect * tiles.rows / tiles.columns));
  };
  const int most = settings_.scanInterval, leastSide = std::max(1, settings_.leastTile);
  const int mostColumns = std::max(1, frame_.width / leastSide);
  const int mostRows = std::max(1, frame_.height / leastSide);
  Tiles best;
  for (int rows = 1; rows <= std::min(most, mostRows); ++rows) {
    const Tiles tiles{std::min(most / rows, mostColumns), rows};
    if (tiles.count() > best.count() ||
        (tiles.count() == best.count() && unevenness(tiles) < unevenness(best)))
      best = tiles;
  }
  return best;
}

void Discovery::addAged(std::vector<Rect>& places, int passed) {
  if (settings_.scanInterval == 0) return;
  const Tiles grid = tiles();
  // The rest of a longer interval must not cause more scans than are due.
  sinceTile_ = std::min(sinceTile_, settings_.scanInterval);
  // At most all tiles at a time.
  sinceTile_ +=
      std::min((moves_ ? kMovingFaster : 1) * passed, settings_.scanInterval) * grid.count();
  for (; sinceTile_ >= settings_.scanInterval; sinceTile_ -= settings_.scanInterval)
    addTile(grid, passed, places);
}

void Discovery::addTile(const Tiles& tiles, int passed, std::vector<Rect>& places) {
  // An object on an edge of tiles in one round is inside a tile in another. Row by row, no cell
  // waits longer from one round to the next than a round without offset takes.
  static constexpr struct {
    bool x, y;
  } kOffsets[] = {{false, false}, {true, true}, {true, false}, {false, true}};
  const auto grid = [&] {
    const auto offset = kOffsets[static_cast<std::size_t>(round_) % std::size(kOffsets)];
    return std::pair(Edges(columns_, tiles.columns, offset.x), Edges(rows_, tiles.rows, offset.y));
  };
  auto [columns, rows] = grid();
  // The round is over, or had more tiles than there are now.
  if (turn_ >= columns.count() * rows.count()) {
    turn_ = 0;
    ++round_;
    std::tie(columns, rows) = grid();
  }
  const int column = turn_ % columns.count(), row = turn_ / columns.count();
  ++turn_;
  const Block tile{columns.at(column), rows.at(row), columns.at(column + 1), rows.at(row + 1)};
  const Block open = around(tile, [&](const Cell& c) { return !c.covered || c.age > passed; });
  if (open.empty()) return;
  add(open, places);
  // Tiles overlap from round to round already.
  places.back() = shrunk(places.back(), settings_.context);
}

void Discovery::addLost(std::span<const Rp> rps, std::vector<Rect>& places, int passed) {
  const auto isOpen = [](const Cell& c) { return !c.covered && !c.planned; };
  std::erase_if(lost_, [&](Lost& lost) {
    const bool found = std::ranges::any_of(
        rps, [&](const Rp& rp) { return iou(rp.expected, toBox(lost.place)) >= kFoundAgain; });
    if (found || lost.pause > kLongestPause) return true;
    if ((lost.wait -= passed) > 0) return false;
    lost.pause *= 2;
    lost.wait = lost.pause;
    add(around(touching(lost.place), isOpen), places);
    return false;
  });
  for (const Rp& rp : before_) {
    if (rp.id == kNoIdentity || isAmong(rps, rp)) continue;
    const float dx = kAroundLost * rp.expected.width(), dy = kAroundLost * rp.expected.height();
    const Rect rect = roundOutwards(grow(rp.expected, {dx, dy, dx, dy}), frame_);
    add(around(touching(rect), isOpen), places);
    const Rect inside{1, 1, frame_.width - 2, frame_.height - 2};
    if (!contains(inside, roundOutwards(rp.expected, frame_))) continue;
    lost_.push_back({roundOutwards(rp.expected, frame_), kFirstPause, kFirstPause});
    if (lost_.size() > kMostLost) lost_.erase(lost_.begin());
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

void Discovery::compare() {
  moves_ = false;
  if (now_.empty()) return;
  const int brighter = brightness();
  std::size_t comparable = 0, changes = 0;
  for (int y = 0; y < rows_; ++y)
    for (int x = 0; x < columns_; ++x) {
      Cell& c = cell(x, y);
      if (!c.remembered || c.covered) continue;
      const Change change = changeOf(x, y, brighter);
      ++comparable;
      changes += change != Change::None;
      c.changed = change == Change::Strange || (change == Change::Explained && inFlight());
    }
  moves_ = changes > kCellsOfOneObject &&
           static_cast<double>(changes) > kMostChanged * static_cast<double>(comparable);
  if (!moves_) return;
  // Later pictures are compared with this one.
  then_ = now_;
  for (Cell& c : cells_) {
    c.remembered = true;
    c.changed = false;
  }
}

void Discovery::addChanged(std::vector<Rect>& places) {
  for (const Block& block : clusters([](const Cell& c) { return c.changed && c.wait == 0; })) {
    const Rect changed = rectOf(block);
    const Rect place = roundOutwards(grow(toBox(changed), missing(changed.size())), frame_);
    // A tile may cut an object at its rim: it must contain the whole place.
    if (std::ranges::any_of(places, [&](const Rect& other) { return contains(other, place); }))
      continue;
    places.push_back(place);
    each(block, [&](Cell& c) {
      if (c.tried == 0) c.tried = settings_.answersAfter;
    });
  }
}

int Discovery::brightness() const {
  // The median of all differences: moving objects are less than half of the picture.
  std::array<int, 511> counts{};
  int total = 0;
  for (int y = 0; y < rows_; ++y)
    for (int x = 0; x < columns_; ++x) {
      if (!cell(x, y).remembered) continue;
      const Block samples = samplesOf(x, y);
      for (int row = samples.y0; row < samples.y1; ++row)
        for (std::size_t i = sampleAt(samples.x0, row); i < sampleAt(samples.x1, row); ++i) {
          if (expected_[i]) continue;
          ++counts[static_cast<std::size_t>(now_[i] - then_[i] + 255)];
          ++total;
        }
    }
  int below = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    below += counts[i];
    if (2 * below > total) return static_cast<int>(i) - 255;
  }
  return 0;
}

Discovery::Change Discovery::changeOf(int x, int y, int brighter) const {
  const int least = settings_.changeThreshold;
  int different = 0, strange = 0;
  const Block samples = samplesOf(x, y);
  for (int row = samples.y0; row < samples.y1; ++row)
    for (int column = samples.x0; column < samples.x1; ++column) {
      const std::size_t sample = sampleAt(column, row);
      if (expected_[sample]) continue;
      const int now = now_[sample] - brighter;
      int darkest = then_[sample], brightest = darkest;
      if (std::abs(now - darkest) < least) continue;
      ++different;
      for (int r = std::max(0, row - 1); r <= std::min(samples_.height - 1, row + 1); ++r)
        for (int c = std::max(0, column - 1); c <= std::min(samples_.width - 1, column + 1); ++c) {
          if (!cellOf(c, r).remembered) continue;
          const int near = then_[sampleAt(c, r)];
          darkest = std::min(darkest, near);
          brightest = std::max(brightest, near);
        }
      strange += now >= brightest + least || now <= darkest - least;
      if (strange == kChangedSamples) return Change::Strange;
    }
  return different >= kChangedSamples ? Change::Explained : Change::None;
}

void Discovery::remember(int x, int y) {
  if (now_.empty()) return;
  Cell& c = cell(x, y);
  const Block samples = samplesOf(x, y);
  for (int row = samples.y0; row < samples.y1; ++row)
    for (int column = samples.x0; column < samples.x1; ++column) {
      const std::size_t sample = sampleAt(column, row);
      if (!c.remembered || !expected_[sample]) then_[sample] = now_[sample];
    }
  c.remembered = true;
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
  // An object may change only in places: cells with one other between them belong together.
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

void Discovery::looksAt(Size frame, std::span<const Part> parts, const ImageView* picture,
                        int passed) {
  if (!begun_) begin(frame, picture, passed);
  begun_ = false;
  for (const Part& part : parts) {
    if (part.scale < settings_.seenAt) continue;
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
