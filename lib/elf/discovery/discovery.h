// SPDX-License-Identifier: LGPL-2.1-or-later
// Finds places of possible new objects: those not inferred for long, and those that changed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "elf/image/image_view.h"
#include "elf/types/plan.h"

namespace elf {

/**
 * Returns, frame after frame, the places outside the RPs to infer so that new objects are found.
 * Intervals and pauses are counted in usual frames, some of which may be missing:
 *
 * - *age*: the tiles of a grid over the frame, in turn, so that every pixel is inferred in full
 *   resolution at least every `scanInterval` frames. Twice as often while the camera moves, because
 *   changes do not show then what is new. Leaves out what RPs cover of a tile if their parts showed
 *   it in full resolution in the previous frame (if they are scaled down from then on, it waits one
 *   frame longer).
 * - *change*: a place outside RPs that differs, in a small grey picture, from when it was last
 *   inferred without an RP on it. Differences that a shaking camera explains do not count: a sample
 *   that is like an earlier one beside it. A place is as large as the objects of the RPs usually
 *   are. A change of the whole picture's brightness does not count. A place that changes without a
 *   new object is inferred after one frame, two, four, up to 32 frames. If more than a third of the
 *   picture changes at a time, the camera moves, and changes show nothing.
 * - *loss*: an RP whose object is given up. Its expected place and the surroundings are inferred
 *   once more, and again after two frames, four, up to 32, unless an RP covers it by then or it lay
 *   at the rim of the frame, where objects leave: the score of an object that the model half sees
 *   rises and falls without a change that can be seen.
 * - *no answer*: places given to missed() are inferred next. If they are more than a quarter of the
 *   frame, the rest follows in the next frames, so that servers can keep up after an outage.
 *
 * The frame is divided into square cells, at least 16 pixels wide and at most 60 along its longer
 * side. The last ones take the remainder. Places consist of whole cells. Not thread-safe.
 */
class Discovery {
 public:
  struct Settings {
    /** Frames, >= 1. 0: ignores age. */
    int scanInterval = 40;
    /** The minimum of a tile's shorter side in pixels, if the frame is as large: objects at a
     * tile's rim are detected badly. */
    int leastTile = 128;
    /** Pixels that parts have around a place anyway, >= 0. A place is smaller than its tile by
     * them. */
    int context = 0;
    /** Cells' sides are multiples of it, and so are the places where parts may begin. >= 1. */
    int align = 1;
    /**
     * The maximum number of frames until the RPs show what was found in a frame, >= 1. From 2 on
     * predictions are less sure: all changes count, even beside known objects and those that a
     * shaking camera explains.
     */
    int answersAfter = 1;
    /** Parts of at least this scale count as inferred, 0 < seenAt <= 1. */
    double seenAt = 1;
    /** The minimum of a change in grey levels (0..255). 0: ignores changes. */
    int changeThreshold = 10;
  };

  /** Applies from the next frame on. Keeps what is known of the past. */
  void setSettings(const Settings& settings) { settings_ = settings; }
  /** Forgets what was inferred. The caller must infer the whole next frame. */
  void forget();

  /**
   * Begins the next frame, in order. Returns places to infer besides the RPs. `picture` may be
   * null: then it sees no change. `passed` is the number of usual frames since the previous frame,
   * >= 1. Places are inside the frame and may overlap.
   */
  std::vector<Rect> placesFor(Size frame, std::span<const Rp> rps, const ImageView* picture,
                              int passed = 1);

  /**
   * Notes what the plan of that frame infers. Parts below `seenAt` do not count. Call it once after
   * placesFor(), or alone for a frame that is inferred as a whole.
   */
  void looksAt(Size frame, std::span<const Part> parts, const ImageView* picture, int passed = 1);

  /** Notes places that got no answer, in any frame. */
  void missed(std::span<const Rect> rects);

 private:
  struct Cell {
    /** Usual frames, like all counts here, since it was inferred. */
    int age = 0;
    /** The frames for which its changes are ignored, and the last value that this was set to. */
    int wait = 0, pause = 0;
    /** It was inferred because it changed. After this many frames it is known whether that found
     * an object; 0: nothing is pending. */
    int tried = 0;
    /** It got no answer and was not inferred since. */
    bool due = false;
    /** `then_` holds it. */
    bool remembered = false;
    /** An RP of this frame covers it. */
    bool covered = false;
    /** It differs from before, and nothing explains that. */
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
  /** The samples of a cell, and the cell of a sample. */
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
   * As many tiles as possible, up to `scanInterval`, with sides of at least `leastTile` if the
   * frame has them. Of equal numbers, the tiles nearest to squares.
   */
  Tiles tiles() const;
  void addAged(std::vector<Rect>& places, int passed);
  void addTile(const Tiles& tiles, int passed, std::vector<Rect>& places);
  void addLost(std::span<const Rp> rps, std::vector<Rect>& places, int passed);
  void addDue(std::vector<Rect>& places);
  void addChanged(std::vector<Rect>& places);
  void add(const Block& block, std::vector<Rect>& places);
  /** The growth of a place to the usual size of an RP's object. */
  Sides missing(Size place) const;
  /** How much brighter the picture is than the remembered one. */
  int brightness() const;
  /** A cell is as before, or like something that was beside it, or like nothing that was there. */
  enum class Change { None, Explained, Strange };
  Change changeOf(int x, int y, int brightness) const;
  /** Stores samples outside RPs: when an object has gone, its place is compared with what it was
   * before. Only while the camera moves does compare() store samples inside RPs, too. */
  void remember(int x, int y);
  /** The block around its cells for which `is` holds. */
  template <typename Is>
  Block around(const Block& block, Is&& is);
  /** Blocks around cells that belong together and for which `is` holds. */
  template <typename Is>
  std::vector<Block> clusters(Is&& is) const;

  Settings settings_;
  /** The size of frame that the cells were made for. */
  Size frame_;
  int align_ = 1;
  /** The side of a cell in pixels, and the number of cells. */
  int cell_ = 1, columns_ = 0, rows_ = 0;
  std::vector<Cell> cells_;
  /** The number of samples, and the part of the frame that they show: all but less than a
   * sample. */
  Size samples_, shown_;
  /** Grey samples, as rows of a picture: this frame, and each cell when it was last inferred.
   * `now_` is empty if the frame has no picture. */
  std::vector<std::uint8_t> now_, then_;
  /** For each sample, whether it is inside this frame's RPs. */
  std::vector<std::uint8_t> expected_;
  /** placesFor() has begun the frame. */
  bool begun_ = false;
  /** The camera moves, judged by the changes. */
  bool moves_ = false;
  /** The next tile, and the number of rounds through all tiles. */
  int turn_ = 0, round_ = 0;
  /** The progress of a tile's turn. A whole turn is scanInterval. */
  int sinceTile_ = 0;
  /** The RPs of the previous frame. */
  std::vector<Rp> before_;
  /** A place of an object that was lost. */
  struct Lost {
    Rect place;
    /** Frames until it is inferred again, and the last value that this was set to. */
    int wait = 0, pause = 0;
  };
  /** The newest last. */
  std::vector<Lost> lost_;
};

}  // namespace elf
