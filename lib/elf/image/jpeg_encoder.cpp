// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/image/jpeg_encoder.h"

#include <turbojpeg.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "elf/image/scaling.h"

namespace elf {

namespace {

// More than this would overflow TurboJPEG's and JPEG's own limits.
constexpr int kMaxSide = 65500;

// Fixed point of the colour tables.
constexpr int kShift = 6;
constexpr int kHalf = 1 << (kShift - 1);

std::uint8_t toByte(int fixed) {
  return static_cast<std::uint8_t>(std::clamp((fixed + kHalf) >> kShift, 0, 255));
}

/** Converts other YUV to that of JFIF by sums of table look-ups. */
struct ColourTables {
  ColourMatrix matrix = ColourMatrix::Bt601;
  ColourRange range = ColourRange::Full;
  /** Nothing to convert. */
  bool identity = true;
  /** Luma does not depend on chroma: `luma8` is the whole conversion. */
  bool lumaAlone = true;
  std::array<std::uint8_t, 256> luma8{};
  std::array<int, 256> luma{}, lumaFromU{}, lumaFromV{}, uFromU{}, uFromV{}, vFromU{}, vFromV{};

  void build(ColourMatrix newMatrix, ColourRange newRange) {
    matrix = newMatrix;
    range = newRange;
    constexpr double kKr = 0.299, kKb = 0.114;  // BT.601, as in JFIF
    double kr = kKr, kb = kKb;
    if (matrix == ColourMatrix::Bt709) kr = 0.2126, kb = 0.0722;
    if (matrix == ColourMatrix::Bt2020) kr = 0.2627, kb = 0.0593;
    const double kg = 1 - kr - kb;
    // R, G, B of a unit of U and of V.
    const double ru = 0, gu = -2 * (1 - kb) * kb / kg, bu = 2 * (1 - kb);
    const double rv = 2 * (1 - kr), gv = -2 * (1 - kr) * kr / kg, bv = 0;
    const auto lumaOf = [](double r, double g, double b) {
      return kKr * r + (1 - kKr - kKb) * g + kKb * b;
    };
    const double yu = lumaOf(ru, gu, bu), yv = lumaOf(rv, gv, bv);
    const double uu = (bu - yu) / (2 * (1 - kKb)), uv = (bv - yv) / (2 * (1 - kKb));
    const double vu = (ru - yu) / (2 * (1 - kKr)), vv = (rv - yv) / (2 * (1 - kKr));

    const bool limited = range == ColourRange::Limited;
    const double lumaGain = limited ? 255.0 / 219 : 1, chromaGain = limited ? 255.0 / 224 : 1;
    const auto fixed = [](double value) {
      return static_cast<int>(std::lround(value * (1 << kShift)));
    };
    for (int i = 0; i < 256; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const double chroma = (i - 128) * chromaGain;
      // videoconvert widens limited luma around 128, not around black (which gives 2.4 levels less
      // than the standard's formula). A part must look like videoconvert's output.
      luma[at] = fixed(128 + (i - 128) * lumaGain);
      luma8[at] = toByte(luma[at]);
      lumaFromU[at] = fixed(yu * chroma);
      lumaFromV[at] = fixed(yv * chroma);
      uFromU[at] = fixed(128 + uu * chroma);
      uFromV[at] = fixed(uv * chroma);
      vFromU[at] = fixed(vu * chroma);
      vFromV[at] = fixed(128 + vv * chroma);
    }
    lumaAlone = matrix == ColourMatrix::Bt601;
    identity = lumaAlone && !limited;
  }
};

int tjFormat(PixelFormat format) {
  switch (format) {
    case PixelFormat::RGB:
      return TJPF_RGB;
    case PixelFormat::BGR:
      return TJPF_BGR;
    case PixelFormat::RGBx:
      return TJPF_RGBX;
    case PixelFormat::BGRx:
      return TJPF_BGRX;
    case PixelFormat::xRGB:
      return TJPF_XRGB;
    case PixelFormat::xBGR:
      return TJPF_XBGR;
    default:
      return TJPF_GRAY;
  }
}

/** A Mat of another owner's pixels. Do not write to it. */
cv::Mat wrap(const std::uint8_t* data, Size size, int channels, int stride) {
  return {size.height, size.width, CV_8UC(channels), const_cast<std::uint8_t*>(data),
          static_cast<std::size_t>(stride)};
}

const std::uint8_t* at(const std::uint8_t* plane, int stride, int x, int y) {
  return plane + static_cast<std::ptrdiff_t>(y) * stride + x;
}

/** One chroma channel: sample x of a row is row[x * step + offset], so that NV12 fits too. */
struct Chroma {
  const std::uint8_t* data = nullptr;
  int stride = 0;
  int step = 1;
  int offset = 0;

  const std::uint8_t* row(int y) const { return at(data, stride, 0, y); }
};

int halved(int length) {
  return (length + 1) / 2;
}

}  // namespace

struct JpegEncoder::Private {
  struct FreeBuffer {
    void operator()(unsigned char* buffer) const { tjFree(buffer); }
  };

  tjhandle handle = nullptr;
  std::unique_ptr<unsigned char, FreeBuffer> file;
  unsigned long capacity = 0;
  ColourTables tables;
  cv::Mat scaled, scaledU, scaledV, wideU, wideV;
  std::array<std::vector<std::uint8_t>, 3> planes;
  std::vector<int> lumaShift;

  using File = Result<std::span<const std::uint8_t>>;

  bool reserve(Size size, int sampling) {
    const unsigned long needed = tjBufSize(size.width, size.height, sampling);
    if (needed <= capacity) return true;
    file.reset(tjAlloc(static_cast<int>(needed)));
    capacity = file ? needed : 0;
    return file != nullptr;
  }

  template <typename Compress>
  File compress(Size size, int sampling, Compress&& call) {
    if (!reserve(size, sampling))
      return File::failure("JPEG: no memory for a picture of " + std::to_string(size.width) + "x" +
                           std::to_string(size.height));
    unsigned char* buffer = file.get();
    unsigned long length = capacity;
    if (call(&buffer, &length) != 0)
      return File::failure(std::string("JPEG: ") + tjGetErrorStr2(handle));
    return std::span<const std::uint8_t>(buffer, length);
  }

  void useTables(ColourMatrix matrix, ColourRange range) {
    if (matrix != tables.matrix || range != tables.range) tables.build(matrix, range);
  }

  /** RGB family and GRAY8. */
  File encodePacked(const ImageView& image, const Rect& rect, Size sent, int quality) {
    const int format = tjFormat(image.format);
    const int channels = tjPixelSize[format];
    const std::uint8_t* data = at(image.planes[0], image.strides[0], rect.x * channels, rect.y);
    int stride = image.strides[0];
    if (sent != rect.size()) {
      cv::resize(wrap(data, rect.size(), channels, stride), scaled,
                 cv::Size(sent.width, sent.height), 0, 0, interpolationFor(rect.size(), sent));
      data = scaled.data;
      stride = static_cast<int>(scaled.step);
    }
    // videoconvert also ignores the range of RGB.
    if (image.range == ColourRange::Limited && format == TJPF_GRAY) {
      useTables(ColourMatrix::Bt601, ColourRange::Limited);
      std::uint8_t* out = plane(0, sent);
      for (int y = 0; y < sent.height; ++y, out += sent.width)
        std::transform(at(data, stride, 0, y), at(data, stride, sent.width, y), out,
                       [this](std::uint8_t value) { return tables.luma8[value]; });
      data = planes[0].data();
      stride = sent.width;
    }
    const int sampling = format == TJPF_GRAY ? TJSAMP_GRAY : TJSAMP_444;
    return compress(sent, sampling, [&](unsigned char** buffer, unsigned long* length) {
      return tjCompress2(handle, data, sent.width, stride, sent.height, format, buffer, length,
                         sampling, quality, TJFLAG_NOREALLOC | TJFLAG_ACCURATEDCT);
    });
  }

  /** Repeats the picture's samples of a channel, so that each pixel of `rect` has its own. */
  static Chroma widen(const ImageView& image, const Chroma& from, const Rect& rect, cv::Mat& to) {
    to.create(rect.height, rect.width, CV_8UC1);
    for (int y = 0; y < rect.height; ++y) {
      const int chroma = image.chromaRow(rect.y + y);
      std::uint8_t* row = to.ptr(y);
      if (y > 0 && chroma == image.chromaRow(rect.y + y - 1)) {
        std::memcpy(row, to.ptr(y - 1), static_cast<std::size_t>(rect.width));
        continue;
      }
      const std::uint8_t* source = from.row(chroma) + from.offset;
      for (int x = 0; x < rect.width; ++x) row[x] = source[(rect.x + x) / 2 * from.step];
    }
    return {to.data, static_cast<int>(to.step)};
  }

  /** A channel of `size` samples, scaled to `sent` samples. */
  static Chroma resize(const Chroma& from, Size size, Size sent, cv::Mat& to) {
    cv::Mat channel = wrap(from.data, size, from.step, from.stride);
    if (from.step > 1) {
      cv::Mat apart;
      cv::extractChannel(channel, apart, from.offset);
      channel = apart;
    }
    cv::resize(channel, to, cv::Size(sent.width, sent.height), 0, 0, interpolationFor(size, sent));
    return {to.data, static_cast<int>(to.step)};
  }

  File encodeYuv(const ImageView& image, const Rect& rect, Size sent, int quality) {
    useTables(image.matrix, image.range);
    const std::uint8_t* luma = at(image.planes[0], image.strides[0], rect.x, rect.y);
    int lumaStride = image.strides[0];
    const bool nv12 = image.format == PixelFormat::NV12;
    const int step = nv12 ? 2 : 1;
    Chroma u{image.planes[1], image.strides[1], step};
    Chroma v = u;
    if (nv12)
      v.offset = 1;
    else
      v = {image.planes[2], image.strides[2]};

    const bool apart = image.interlaced || (rect.x & 1) || (rect.y & 1);
    Size chromaSize{halved(rect.width), halved(rect.height)};
    if (apart) {
      u = widen(image, u, rect, wideU);
      v = widen(image, v, rect, wideV);
      chromaSize = rect.size();
    } else {
      for (Chroma* channel : {&u, &v})
        channel->data = at(channel->data, channel->stride, rect.x / 2 * step, rect.y / 2);
    }
    int sampling = apart ? TJSAMP_444 : TJSAMP_420;
    if (sent != rect.size()) {
      cv::resize(wrap(luma, rect.size(), 1, lumaStride), scaled, cv::Size(sent.width, sent.height),
                 0, 0, interpolationFor(rect.size(), sent));
      luma = scaled.data;
      lumaStride = static_cast<int>(scaled.step);
      const Size sentChroma{halved(sent.width), halved(sent.height)};
      u = resize(u, chromaSize, sentChroma, scaledU);
      v = resize(v, chromaSize, sentChroma, scaledV);
      chromaSize = sentChroma;
      sampling = TJSAMP_420;
    }
    return compressPlanes(luma, lumaStride, u, v, sent, chromaSize, sampling, quality);
  }

  /** `sampling` is TJSAMP_420 or TJSAMP_444. The chroma channels have `chromaSize` samples. */
  File compressPlanes(const std::uint8_t* luma, int lumaStride, const Chroma& u, const Chroma& v,
                      Size size, Size chromaSize, int sampling, int quality) {
    const bool subsampled = sampling == TJSAMP_420;
    // TurboJPEG reads whole 2x2 blocks of luma, even if the last one extends beyond the picture.
    const Size padded = subsampled ? Size{chromaSize.width * 2, chromaSize.height * 2} : chromaSize;
    std::array<const unsigned char*, 3> sources{luma, u.data, v.data};
    std::array<int, 3> strides{lumaStride, u.stride, v.stride};
    if (!tables.identity || u.step != 1) convertChroma(u, v, chromaSize, sources, strides);
    if (!tables.identity || padded != size)
      convertLuma(u, v, size, padded, subsampled, sources, strides);
    return compress(size, sampling, [&](unsigned char** buffer, unsigned long* length) {
      return tjCompressFromYUVPlanes(handle, sources.data(), size.width, strides.data(),
                                     size.height, sampling, buffer, length, quality,
                                     TJFLAG_NOREALLOC | TJFLAG_ACCURATEDCT);
    });
  }

  std::uint8_t* plane(std::size_t index, Size size) {
    planes[index].resize(static_cast<std::size_t>(size.width) * size.height);
    return planes[index].data();
  }

  void convertChroma(const Chroma& u, const Chroma& v, Size size,
                     std::array<const unsigned char*, 3>& sources, std::array<int, 3>& strides) {
    std::uint8_t* outU = plane(1, size);
    std::uint8_t* outV = plane(2, size);
    sources[1] = outU;
    sources[2] = outV;
    strides[1] = strides[2] = size.width;
    for (int y = 0; y < size.height; ++y) {
      const std::uint8_t* rowU = u.row(y) + u.offset;
      const std::uint8_t* rowV = v.row(y) + v.offset;
      for (int x = 0; x < size.width; ++x) {
        const std::uint8_t inU = rowU[x * u.step], inV = rowV[x * v.step];
        *outU++ = toByte(tables.uFromU[inU] + tables.uFromV[inV]);
        *outV++ = toByte(tables.vFromU[inU] + tables.vFromV[inV]);
      }
    }
  }

  void convertLuma(const Chroma& u, const Chroma& v, Size size, Size padded, bool subsampled,
                   std::array<const unsigned char*, 3>& sources, std::array<int, 3>& strides) {
    std::uint8_t* out = plane(0, padded);
    const std::uint8_t* luma = sources[0];
    const int lumaStride = strides[0];
    sources[0] = out;
    strides[0] = padded.width;
    const int half = subsampled ? 1 : 0;
    lumaShift.resize(static_cast<std::size_t>(size.width));
    for (int y = 0; y < size.height; ++y, out += padded.width) {
      const std::uint8_t* row = at(luma, lumaStride, 0, y);
      if (tables.lumaAlone) {
        for (int x = 0; x < size.width; ++x) out[x] = tables.luma8[row[x]];
      } else {
        if (!subsampled || y % 2 == 0) {
          const std::uint8_t* rowU = u.row(y >> half) + u.offset;
          const std::uint8_t* rowV = v.row(y >> half) + v.offset;
          for (int x = 0; x < size.width; ++x) {
            const int sample = x >> half;
            lumaShift[static_cast<std::size_t>(x)] =
                tables.lumaFromU[rowU[sample * u.step]] + tables.lumaFromV[rowV[sample * v.step]];
          }
        }
        for (int x = 0; x < size.width; ++x)
          out[x] = toByte(tables.luma[row[x]] + lumaShift[static_cast<std::size_t>(x)]);
      }
      if (padded.width > size.width) out[size.width] = out[size.width - 1];
    }
    if (padded.height > size.height)
      std::memcpy(out, out - padded.width, static_cast<std::size_t>(padded.width));
  }
};

JpegEncoder::JpegEncoder() : p_(std::make_unique<Private>()) {
  p_->tables.build(ColourMatrix::Bt601, ColourRange::Full);
  p_->handle = tjInitCompress();
  if (!p_->handle) throw Error("TurboJPEG", tjGetErrorStr2(nullptr));
}

JpegEncoder::~JpegEncoder() {
  tjDestroy(p_->handle);
}

Result<std::span<const std::uint8_t>> JpegEncoder::encode(const ImageView& image, const Rect& rect,
                                                          Size sent, int quality) {
  if (sent.empty() || sent.width > kMaxSide || sent.height > kMaxSide)
    return Private::File::failure("JPEG: a picture of " + std::to_string(sent.width) + "x" +
                                  std::to_string(sent.height) + " pixels is not possible");
  if (image.format == PixelFormat::I420 || image.format == PixelFormat::NV12)
    return p_->encodeYuv(image, rect, sent, quality);
  return p_->encodePacked(image, rect, sent, quality);
}

}  // namespace elf
