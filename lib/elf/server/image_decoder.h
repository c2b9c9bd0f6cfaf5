// SPDX-License-Identifier: LGPL-2.1-or-later
// Decodes the input tensor `image` to pixels. Does not trust its claims.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "elf/base/error.h"
#include "elf/image/image_view.h"
#include "elf/wire/infer.h"

namespace elf {

/** Not thread-safe: each worker thread owns one. */
class ImageDecoder {
 public:
  static constexpr std::int64_t kDefaultMaxPixels = 64'000'000;

  explicit ImageDecoder(std::int64_t maxPixels = kDefaultMaxPixels);
  ~ImageDecoder();
  ImageDecoder(const ImageDecoder&) = delete;
  ImageDecoder& operator=(const ImageDecoder&) = delete;

  /**
   * Decodes BYTES [1] with a JPEG or PNG file, or UINT8 [1,H,W,3] in RGB, to a view of format BGR
   * that is valid until the next call. Refuses a picture of more than `maxPixels` before it decodes
   * any pixel. Fails on any other input, naming the field.
   */
  Result<ImageView> decode(const wire::Tensor& image);

 private:
  Result<ImageView> decodeFile(std::span<const std::uint8_t> file);
  Result<ImageView> decodeJpeg(std::span<const std::uint8_t> file);
  Result<ImageView> decodePng(std::span<const std::uint8_t> file);
  Result<ImageView> swapChannels(const wire::Tensor& rgb);
  bool allowed(std::int64_t width, std::int64_t height) const;
  Result<ImageView> tooLarge(std::int64_t width, std::int64_t height) const;

  const std::int64_t maxPixels_;
  void* const jpeg_;
  std::vector<std::uint8_t> pixels_;
};

}  // namespace elf
