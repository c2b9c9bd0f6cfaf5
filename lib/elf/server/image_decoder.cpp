// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/image_decoder.h"

#include <turbojpeg.h>

#include <algorithm>
#include <array>
#include <new>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>

namespace elf {

namespace {

using Bytes = std::span<const std::uint8_t>;
constexpr std::size_t kLengthPrefix = 4;
constexpr std::int64_t kMaxSide = 65535;

Result<ImageView> failure(const std::string& why) {
  return Result<ImageView>::failure("image: " + why);
}

ImageView viewOf(const std::vector<std::uint8_t>& pixels, int width, int height) {
  ImageView view;
  view.format = PixelFormat::BGR;
  view.size = {width, height};
  view.planes[0] = pixels.data();
  view.strides[0] = width * 3;
  return view;
}

template <std::size_t N>
bool startsWith(Bytes file, const std::array<std::uint8_t, N>& magic) {
  return file.size() >= N && std::equal(magic.begin(), magic.end(), file.begin());
}

std::int64_t bigEndian(Bytes four) {
  return std::int64_t{four[0]} << 24 | four[1] << 16 | four[2] << 8 | four[3];
}

/** Whether a PNG has all its chunks up to the last one. */
bool isWholePng(Bytes file) {
  constexpr std::size_t kSignature = 8, kType = 4, kAround = 12;  // length, type and checksum
  constexpr std::array<std::uint8_t, 4> kLast{'I', 'E', 'N', 'D'};
  for (Bytes rest = file.subspan(kSignature); rest.size() >= kAround;) {
    const auto length = static_cast<std::size_t>(bigEndian(rest));
    if (length > rest.size() - kAround) return false;
    if (startsWith(rest.subspan(kType), kLast)) return true;
    rest = rest.subspan(kAround + length);
  }
  return false;
}

}  // namespace

ImageDecoder::ImageDecoder(std::int64_t maxPixels)
    : maxPixels_(maxPixels), jpeg_(tjInitDecompress()) {
  if (!jpeg_) throw std::bad_alloc();
}

ImageDecoder::~ImageDecoder() {
  tjDestroy(jpeg_);
}

Result<ImageView> ImageDecoder::decode(const wire::Tensor& image) {
  if (image.type == wire::DataType::Uint8) {
    if (image.shape.size() != 4 || image.shape[0] != 1 || image.shape[3] != 3)
      return failure("a UINT8 picture has the shape [1,H,W,3]");
    return swapChannels(image);
  }
  if (image.type != wire::DataType::Bytes)
    return failure("has datatype " + std::string(wire::toString(image.type)) +
                   ", neither BYTES nor UINT8");
  if (image.shape != std::vector<std::int64_t>{1} || image.data.size() < kLengthPrefix)
    return failure("BYTES has the shape [1]");
  return decodeFile(Bytes(image.data).subspan(kLengthPrefix));
}

Result<ImageView> ImageDecoder::decodeFile(Bytes file) {
  constexpr std::array<std::uint8_t, 3> kJpeg{0xFF, 0xD8, 0xFF};
  constexpr std::array<std::uint8_t, 8> kPng{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  if (startsWith(file, kJpeg)) return decodeJpeg(file);
  if (startsWith(file, kPng)) return decodePng(file);
  return failure("is neither JPEG nor PNG");
}

Result<ImageView> ImageDecoder::decodeJpeg(Bytes file) {
  int width = 0, height = 0, subsampling = 0, colours = 0;
  if (tjDecompressHeader3(jpeg_, file.data(), file.size(), &width, &height, &subsampling,
                          &colours) != 0)
    return failure(std::string("broken JPEG: ") + tjGetErrorStr2(jpeg_));
  if (!allowed(width, height)) return tooLarge(width, height);
  pixels_.resize(static_cast<std::size_t>(width) * height * 3);
  // Warnings too: half a picture that passes for a whole one would lose objects silently.
  if (tjDecompress2(jpeg_, file.data(), file.size(), pixels_.data(), width, 0, height, TJPF_BGR,
                    TJFLAG_LIMITSCANS) != 0)
    return failure(std::string("broken JPEG: ") + tjGetErrorStr2(jpeg_));
  return viewOf(pixels_, width, height);
}

Result<ImageView> ImageDecoder::decodePng(Bytes file) {
  constexpr std::size_t kHeader = 24;
  constexpr std::array<std::uint8_t, 4> kFirstChunk{'I', 'H', 'D', 'R'};
  if (file.size() < kHeader || !startsWith(file.subspan(12), kFirstChunk))
    return failure("broken PNG");
  const std::int64_t width = bigEndian(file.subspan(16));
  const std::int64_t height = bigEndian(file.subspan(20));
  if (!allowed(width, height)) return tooLarge(width, height);
  // libpng would print a line about this on standard error.
  if (!isWholePng(file)) return failure("broken PNG: it ends too early");
  const cv::Mat input(1, static_cast<int>(file.size()), CV_8U,
                      const_cast<std::uint8_t*>(file.data()));
  cv::Mat picture;
  try {
    picture = cv::imdecode(input, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  } catch (const cv::Exception&) {
    picture.release();
  }
  if (picture.empty() || !picture.isContinuous()) return failure("broken PNG");
  pixels_.assign(picture.data, picture.data + picture.total() * picture.elemSize());
  return viewOf(pixels_, picture.cols, picture.rows);
}

Result<ImageView> ImageDecoder::swapChannels(const wire::Tensor& rgb) {
  const std::int64_t height = rgb.shape[1];
  const std::int64_t width = rgb.shape[2];
  if (!allowed(width, height)) return tooLarge(width, height);
  if (rgb.data.size() != static_cast<std::size_t>(width * height * 3))
    return failure("has more or less data than its shape says");
  pixels_.resize(rgb.data.size());
  const cv::Size size(static_cast<int>(width), static_cast<int>(height));
  const cv::Mat from(size, CV_8UC3, const_cast<std::uint8_t*>(rgb.data.data()));
  cv::Mat to(size, CV_8UC3, pixels_.data());
  cv::cvtColor(from, to, cv::COLOR_RGB2BGR);
  return viewOf(pixels_, static_cast<int>(width), static_cast<int>(height));
}

bool ImageDecoder::allowed(std::int64_t width, std::int64_t height) const {
  return width > 0 && height > 0 && width <= kMaxSide && height <= kMaxSide &&
         width * height <= maxPixels_;
}

Result<ImageView> ImageDecoder::tooLarge(std::int64_t width, std::int64_t height) const {
  return failure("a picture of " + std::to_string(width) + "x" + std::to_string(height) +
                 " pixels is not accepted");
}

}  // namespace elf
