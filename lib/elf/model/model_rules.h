// SPDX-License-Identifier: LGPL-2.1-or-later
// The part of a .model file that a client needs: how to cut parts for this model, how to read it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "elf/geometry/box.h"

namespace elf {

/**
 * The client-side keys of a `.model` file (docs/model-files.md). A server sends them as the
 * `parameters` object of `GET /v2/models/NAME`; for a server that lacks it they are read from a
 * local `.model` file of that name. The defaults suit a model that takes any picture.
 */
struct ModelRules {
  /** Names of the classes, by label id; empty where the model has none. */
  std::vector<std::string> labels;

  // [input]
  /** The one size that the model runs at; empty: it runs at any size. */
  Size fixedSize;
  /** Width and height are padded up to a multiple of this, in pixels, by the server; 1: free. */
  int multipleOf = 1;
  /** A part is at least this large; empty: no bound. */
  Size minSize;
  /** A larger part is scaled down before inference; empty: no bound. */
  Size maxSize;

  // [parts]
  /** Part origins are multiples of this, in pixels, so that a crop sees the model's own grid. */
  int align = 1;
  /** Requests say where in the frame their part lies: the model finds the same as in the frame. */
  bool placed = false;
  /** Pixels that the model needs to see around an object to find it. */
  int context = 0;
  /** Smallest object height in pixels that the model still finds; 0: unknown. */
  int objectSize = 0;

  // [output]
  /** Detections below are not reported. */
  float minScore = 0;
  /** From this score on the model is sure; elf-bench's `confident` figures use it. */
  float sureScore = 0.5F;

  bool operator==(const ModelRules&) const = default;

  /**
   * What the server scales a picture by before inference: into `fixedSize`, or down to `maxSize`.
   * Only a fixed size ever makes it larger than 1. The picture is not empty.
   */
  double inputScale(Size picture) const;
  /** The size that the model then computes, padding included; that is what its time depends on. */
  Size inputSize(Size picture) const;

  /** The name of a class, or its number as text where it has no name. */
  std::string label(std::int64_t labelId) const {
    if (labelId >= 0 && static_cast<std::size_t>(labelId) < labels.size())
      return labels[static_cast<std::size_t>(labelId)];
    return std::to_string(labelId);
  }
};

/** Longest side of a picture that any key of a model may ask for. */
inline constexpr int kMaxPixels = 65536;

/** The `.model` key of the first value that no model can have; empty where all are possible. */
std::string_view badKey(const ModelRules& rules);

}  // namespace elf
