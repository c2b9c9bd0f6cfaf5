// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/server/content_coding.h"

#include <gio/gio.h>
#include <libsoup/soup.h>

#include <algorithm>
#include <memory>

#include "elf/base/glib.h"

namespace elf {

namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kBlock = 64U << 10;
/** Fast rather than small: the client waits for the server's time. */
constexpr int kLevel = 1;

/** HTTP's deflate is zlib's format. */
GZlibCompressorFormat formatOf(ContentCoding coding) {
  return coding == ContentCoding::Gzip ? G_ZLIB_COMPRESSOR_FORMAT_GZIP
                                       : G_ZLIB_COMPRESSOR_FORMAT_ZLIB;
}

Inflation convert(GConverter* converter, Bytes in, std::size_t most,
                  std::vector<std::uint8_t>& out) {
  out.clear();
  std::size_t written = 0;
  for (;;) {
    if (written > most) return Inflation::TooLarge;
    if (out.size() - written < kBlock) out.resize(std::max(out.size() * 2, written + kBlock));
    gsize read = 0;
    gsize made = 0;
    const GConverterResult result =
        g_converter_convert(converter, in.data(), in.size(), out.data() + written,
                            out.size() - written, G_CONVERTER_INPUT_AT_END, &read, &made, nullptr);
    in = in.subspan(read);
    written += made;
    if (result == G_CONVERTER_ERROR) return Inflation::Broken;
    if (result != G_CONVERTER_FINISHED) continue;
    if (written > most) return Inflation::TooLarge;
    out.resize(written);
    return in.empty() ? Inflation::Whole : Inflation::Broken;
  }
}

}  // namespace

const char* toString(ContentCoding coding) {
  switch (coding) {
    case ContentCoding::Gzip:
      return "gzip";
    case ContentCoding::Deflate:
      return "deflate";
    case ContentCoding::Plain:
      break;
  }
  return nullptr;
}

std::optional<ContentCoding> codingOf(const char* contentEncoding) {
  if (!contentEncoding || !g_ascii_strcasecmp(contentEncoding, "identity"))
    return ContentCoding::Plain;
  for (const ContentCoding coding : {ContentCoding::Gzip, ContentCoding::Deflate})
    if (!g_ascii_strcasecmp(contentEncoding, toString(coding))) return coding;
  return std::nullopt;
}

ContentCoding acceptedCoding(const char* acceptEncoding) {
  if (!acceptEncoding) return ContentCoding::Plain;
  GSList* names = soup_header_parse_quality_list(acceptEncoding, nullptr);
  std::optional<ContentCoding> best;
  for (GSList* name = names; name && !best; name = name->next)
    best = codingOf(static_cast<const char*>(name->data));
  soup_header_free_list(names);
  return best.value_or(ContentCoding::Plain);
}

Inflation inflate(Bytes body, ContentCoding coding, std::size_t most,
                  std::vector<std::uint8_t>& out) {
  if (coding == ContentCoding::Plain) {
    if (body.size() > most) return Inflation::TooLarge;
    out.assign(body.begin(), body.end());
    return Inflation::Whole;
  }
  const Ref<GZlibDecompressor> decompressor(g_zlib_decompressor_new(formatOf(coding)));
  return convert(G_CONVERTER(decompressor.get()), body, most, out);
}

std::vector<std::uint8_t> deflate(Bytes body, ContentCoding coding) {
  const Ref<GZlibCompressor> compressor(g_zlib_compressor_new(formatOf(coding), kLevel));
  std::vector<std::uint8_t> out;
  convert(G_CONVERTER(compressor.get()), body, body.size() * 2 + kBlock, out);
  return out;
}

}  // namespace elf
