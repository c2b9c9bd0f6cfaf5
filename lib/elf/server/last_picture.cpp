// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/last_picture.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace elf {

namespace {

constexpr int kQuality = 75;

Size shownSize(Size picture) {
  const double scale = std::min(1.0, static_cast<double>(LastPicture::kLongestSide) /
                                         std::max(picture.width, picture.height));
  const auto scaled = [scale](int side) {
    return std::max(1, static_cast<int>(std::lround(side * scale)));
  };
  return {scaled(picture.width), scaled(picture.height)};
}

}  // namespace

void LastPicture::show(const ImageView& bgr, const std::vector<Detection>& found,
                       std::chrono::steady_clock::time_point now) {
  if (!making_.tryLock()) return;
  const MutexLock making(making_, kLocked);
  if (now < next_) return;
  next_ = now + kInterval;
  const auto jpeg = encoder_.encode(bgr, wholeFrame(bgr.size), shownSize(bgr.size), kQuality);
  if (!jpeg) return;
  auto shown = std::make_shared<ShownAnswer>();
  shown->jpeg.assign(jpeg.value().begin(), jpeg.value().end());
  shown->size = bgr.size;
  shown->found.assign(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(
                                                         std::min(found.size(), kMostFound)));
  const MutexLock lock(mutex_);
  last_ = std::move(shown);
}

std::shared_ptr<const ShownAnswer> LastPicture::last() const {
  const MutexLock lock(mutex_);
  return last_;
}

}  // namespace elf
