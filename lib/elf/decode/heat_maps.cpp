// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>

#include "elf/decode/decoder.h"

namespace elf {

std::optional<std::vector<Keypoint>> decodeHeatMaps(const Tensors& tensors, Size canvas) {
  if (tensors.size() != 1 || !hasShape(tensors[0].values, {1, -1, -1, -1})) return std::nullopt;
  const cv::Mat& maps = tensors[0].values;
  const int rows = maps.size[2], columns = maps.size[3];
  const float cellWidth = static_cast<float>(canvas.width) / static_cast<float>(columns);
  const float cellHeight = static_cast<float>(canvas.height) / static_cast<float>(rows);
  std::vector<Keypoint> joints;
  for (int i = 0; i < maps.size[1]; ++i) {
    const float* map = maps.ptr<float>(0, i);
    const auto best = static_cast<int>(std::max_element(map, map + rows * columns) - map);
    const int x = best % columns, y = best / columns;
    const auto quarter = [best, map](int at, int length, int step) {
      if (at == 0 || at == length - 1) return 0.0F;
      const float difference = map[best + step] - map[best - step];
      return difference > 0 ? 0.25F : difference < 0 ? -0.25F : 0.0F;
    };
    joints.push_back({(static_cast<float>(x) + quarter(x, columns, 1)) * cellWidth,
                      (static_cast<float>(y) + quarter(y, rows, columns)) * cellHeight,
                      std::clamp(map[best], 0.0F, 1.0F)});
  }
  return joints;
}

}  // namespace elf
