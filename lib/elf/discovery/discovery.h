// SPDX-License-Identifier: LGPL-2.1-or-later
// Where new objects may be: what has not been looked at for long, and what changed since it was.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "elf/image/image_view.h"
#include "elf/types/plan.h"

namespace elf {

/**
 * Says, frame after frame, which places outside the RPs are to be looked at, so that new objects
 * are found. Intervals and pauses are counted in usual frames, of which some may be missing:
 *
 * - *age*: the tiles of a grid over the frame, in turn, so that every pixel is looked at, in full
 *   resolution, at least every `scanInterval` frames; twice as often while changes do not tell what
 *   is new, since the camera moves. What RPs cover of a tile is left out where their parts showed
 *   it in full resolution in the frame before (where they are scaled down from then on, it waits
 *   one frame longer).
 * - *change*: a place outside RPs differs, in a small grey picture, from what it was when it was
 *   last looked at without an RP on it. What a camera that shakes explains is none: a sample that
 *   is as one beside it was. A place is as large as the objects of the RPs usually are. A change of
 *   the whole picture's brightness counts for nothing. Where something changes and nothing new is
 *   found, it is looked at after one frame, two, four, up to 32 frames. Where more than a third of
 *   the picture changes at a time, it is the camera that moves, and changes tell nothing.
 * - *loss*: an RP whose object is given up. Where it was expected, and around, is looked at once
 *   more.
 * - *no answer*: what was missed() is looked at next; of more than a quarter of the frame the rest
 *   follows in the next frames, so that servers that are back after an outage can keep up.
 *
 * The frame is divided into square cells, of 16 pixels at least and at most 60 along its longer
 * side; the last ones have what is left over. Places are made of whole cells. Not thread-safe.
 */
class Discovery {
 public:
  struct Settings {
    /** Frames, >= 1; 0: age does not matter. */
    int scanInterval = 40;
    /** Pixels of a tile's shorter side at least, where the frame has so many: what lies at a tile's
     * rim is seen badly. */
    int leastTile = 128;
    /** Pixels that parts have around a place in any case, so that a place is less than its tile by
     * them, >= 0. */
    int context = 0;
    /** Sides of cells are multiples of it, and so places where parts may begin; >= 1. */
    int align = 1;
    /** Frames until the RPs tell what was found in a frame, at most; >= 1. From 2 on predictions
     * are less sure: all that changes counts, beside known objects and as if a camera shook, too.
     */
    int answersAfter = 1;
    /** Grey levels (0..255) that a change has at least; 0: changes do not matter. */
    int changeThreshold = 10;
  };

  /** From the next frame on; what is known of the past stays known. */
  void setSettings(const Settings& settings) { settings_ = settings; }
  /** Nothing is known of what was looked at; whoever calls it looks at the whole frame next. */
  void forget();

  /**
   * Begins a frame, the next in order: places to look at besides the RPs. `picture` may be null,
   * then no change is seen. `passed` is how many usual frames it is later than the one before, >=
   * 1. Places are inside the frame, and may overlap each other.
   */
  std::vector<Rect> placesFor(Size frame, std::span<const Rp> rps, const ImageView* picture,
                              int passed = 1);

  /**
   * What the plan of that frame looks at, of which parts that are scaled down do not count. Call it
   * once after placesFor(), or alone for a frame that is looked at as a whole.
   */
  void looksAt(Size frame, std::span<const Part> parts, const ImageView* picture, int passed = 1);

  /** Got no answer after all, in whichever frame. */
  void missed(std::span<const Rect> rects);

 private:
  struct Cell {
    /** Usual frames since it was looked at, as all counts here. */
    int age = 0;
    /** It is not looked at for its changes for so many frames, and what that was set to last. */
    int wait = 0, pause = 0;
    /** It was looked at because it changed, and what for is known in so many frames that come; 0:
     * it is. */
    int tried = 0;
    /** It got no answer, and was not looked at since. */
    bool due = false;
    /** `then_` holds it. */
    bool remembered = false;
    /** An RP of this frame covers it. */
    bool covered = false;
    /** It is not what it was, and nothing explains that. */
    bool changed = false;
    /** A place of this frame covers it. */
    bool planned = false;
  };

  /** Cells, or samples, [x0, x1) x [y0, y1). */
  struct Block {
    int x0 = 0, y0 = 0, x1 = 0, y1 = 0;
    bool empty() const { return x0 >= x1 || y0 >= y1; }
    int cells() const { return (x1 - x0) * (y1 - y0); }
    void add(int x, int y);
  };

  /** A grid of tiles over the frame. */
  struct Tiles {
    int columns = 1, rows = 1;
    int count() const { return columns * rows; }
  };

  /** Along each side of a cell. */
  static constexpr int kSamples = 6;

  void begin(Size frame, const ImageView* picture, int passed);
  void divide(Size frame);
  Cell& cell(int x, int y) { return cells_[static_cast<std::size_t>(y * columns_ + x)]; }
  const Cell& cell(int x, int y) const {
    return cells_[static_cast<std::size_t>(y * columns_ + x)];
  }
  /** Index into `now_`, `then_` and `expected_`. */
  std::size_t sampleAt(int x, int y) const {
    return static_cast<std::size_t>(y * samples_.width + x);
  }
  /** Those of a cell, and the cell of one. */
  Block samplesOf(int x, int y) const;
  const Cell& cellOf(int column, int row) const {
    return cell(std::min(column / kSamples, columns_ - 1), std::min(row / kSamples, rows_ - 1));
  }
  Rect rectOf(const Block& block) const;
  /** The cells that lie wholly inside. */
  Block within(const Rect& rect) const;
  /** The cells that it touches. */
  Block touching(const Rect& rect) const;
  template <typename Visit>
  void each(const Block& block, Visit&& visit);

  /** Predictions over several frames are less sure. */
  bool inFlight() const { return settings_.answersAfter > 1; }
  void learn(std::span<const Rp> rps);
  void markExpected(const Box& box);
  void compare();
  /**
   * As many as can be, up to `scanInterval`, with sides of `leastTile` at least where the frame has
   * them; of equally many the ones that are nearest to squares.
   */
  Tiles tiles() const;
  void addAged(std::vector<Rect>& places, int passed);
  void addTile(const Tiles& tiles, int passed, std::vector<Rect>& places);
  void addLost(std::span<const Rp> rps, std::vector<Rect>& places);
  void addDue(std::vector<Rect>& places);
  void addChanged(std::vector<Rect>& places);
  void add(const Block& block, std::vector<Rect>& places);
  /** What a place lacks to be as large as an RP's object is usually. */
  Sides missing(Size place) const;
  /** By how much the picture is brighter than what is remembered of it. */
  int brightness() const;
  /** Of a cell: it is as it was, or as something beside it was, or as nothing there was. */
  enum class Change { None, Explained, Strange };
  Change changeOf(int x, int y, int brightness) const;
  /** Not inside RPs: when the object has gone, a place is what it was before. Only where the camera
   * moves compare() keeps what is inside them, too. */
  void remember(int x, int y);
  /** The block around those of its cells that `is`. */
  template <typename Is>
  Block around(const Block& block, Is&& is);
  /** Blocks around cells that `is` and that belong together. */
  template <typename Is>
  std::vector<Block> clusters(Is&& is) const;

  Settings settings_;
  /** What the cells were made for. */
  Size frame_;
  int align_ = 1;
  /** Pixels of a cell's side, and how many cells there are. */
  int cell_ = 1, columns_ = 0, rows_ = 0;
  std::vector<Cell> cells_;
  /** How many samples there are, and what they show of the frame: all but less than a sample. */
  Size samples_, shown_;
  /** Grey samples, as rows of a picture: this frame, and each cell as it was when it was looked at.
   * `now_` is empty where the frame came without picture. */
  std::vector<std::uint8_t> now_, then_;
  /** For each sample whether this frame's RPs have it inside. */
  std::vector<std::uint8_t> expected_;
  /** placesFor() has begun the frame. */
  bool begun_ = false;
  /** The camera moves, as far as changes tell. */
  bool moves_ = false;
  /** Which tile is next, and how often all of them had their turn. */
  int turn_ = 0, round_ = 0;
  /** How much of a tile's turn has passed; the interval is a whole one. */
  int sinceTile_ = 0;
  /** The RPs of the frame before. */
  std::vector<Rp> before_;
};

}  // namespace elf
