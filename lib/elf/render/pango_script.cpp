// SPDX-License-Identifier: LGPL-2.1-or-later
#include <pango/pangocairo.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <optional>

#include "elf/base/glib.h"
#include "elf/render/script.h"

namespace elf {

namespace {

/** Leaves room for the dots of capitals above a baseline like that of class Letters. */
constexpr double kLetters = 0.79;
/** Servers have few labels. If one has more, they are drawn again. */
constexpr std::size_t kMostKept = 256;

class PangoScript final : public Script {
 public:
  PangoScript(int height, int baseline)
      : height_(height),
        baseline_(baseline),
        fonts_(pango_cairo_font_map_new()),
        context_(pango_font_map_create_context(fonts_.get())),
        layout_(pango_layout_new(context_.get())) {
    PangoFontDescription* font = pango_font_description_from_string("Sans");
    pango_font_description_set_absolute_size(font, kLetters * height * PANGO_SCALE);
    pango_layout_set_font_description(layout_.get(), font);
    pango_font_description_free(font);
    pango_layout_set_single_paragraph_mode(layout_.get(), TRUE);
  }

  const Ink* drawn(const std::string& words) override {
    auto found = inks_.find(words);
    if (found == inks_.end()) {
      if (inks_.size() >= kMostKept) inks_.clear();
      found = inks_.emplace(words, draw(words)).first;
    }
    return found->second ? &*found->second : nullptr;
  }

 private:
  std::optional<Ink> draw(const std::string& words) const {
    PangoLayout* layout = layout_.get();
    pango_layout_set_text(layout, words.data(), static_cast<int>(words.size()));
    PangoRectangle ink, logical;
    pango_layout_get_pixel_extents(layout, &ink, &logical);
    if (pango_layout_get_unknown_glyphs_count(layout) > 0 || ink.width == 0 || ink.height == 0)
      return std::nullopt;
    const int line = PANGO_PIXELS(pango_layout_get_baseline(layout));
    const int above = line - ink.y, below = ink.y + ink.height - line;
    double scale = 1;
    if (above > baseline_) scale = static_cast<double>(baseline_) / above;
    if (below > height_ - baseline_)
      scale = std::min(scale, static_cast<double>(height_ - baseline_) / below);
    const int left = std::min(ink.x, logical.x);
    const int right = std::max(ink.x + ink.width, logical.x + logical.width);

    Ink drawn{.width = static_cast<int>(std::ceil((right - left) * scale))};
    const int stride = cairo_format_stride_for_width(CAIRO_FORMAT_A8, drawn.width);
    std::vector<std::uint8_t> rows(static_cast<std::size_t>(stride * height_));
    cairo_surface_t* surface = cairo_image_surface_create_for_data(rows.data(), CAIRO_FORMAT_A8,
                                                                   drawn.width, height_, stride);
    cairo_t* pen = cairo_create(surface);
    cairo_translate(pen, -left * scale, baseline_ - line * scale);
    cairo_scale(pen, scale, scale);
    pango_cairo_show_layout(pen, layout);
    cairo_destroy(pen);
    cairo_surface_destroy(surface);
    for (auto row = rows.begin(); row != rows.end(); row += stride)
      drawn.pixels.insert(drawn.pixels.end(), row, row + drawn.width);
    return drawn;
  }

  int height_;
  int baseline_;
  Ref<PangoFontMap> fonts_;
  Ref<PangoContext> context_;
  Ref<PangoLayout> layout_;
  std::map<std::string, std::optional<Ink>> inks_;
};

}  // namespace

std::unique_ptr<Script> createScript(int height, int baseline) {
  return std::make_unique<PangoScript>(height, baseline);
}

}  // namespace elf
