// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/bench/offload_properties.h"

#include <gst/gst.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "elf/base/error.h"
#include "gst/elfvision/gstelfproperty.h"
#include "gst/elfvision/gstelfref.h"

namespace elf::bench {

namespace {

constexpr const char* kOption = "--offload";

/** The properties that define a mode. */
constexpr std::array<std::string_view, 5> kOfTheModes{"deadline", "max-in-flight", "model", "name",
                                                      "servers"};

std::vector<std::string> wordsOf(const std::string& text) {
  char** list = nullptr;
  GError* failure = nullptr;
  if (!g_shell_parse_argv(text.c_str(), nullptr, &list, &failure))
    throw Error(kOption, takeReason(failure));
  const Ref<gchar*> owner(list);
  std::vector<std::string> words;
  for (char** word = list; *word; ++word) words.emplace_back(*word);
  return words;
}

void check(const OffloadProperty& property, GObjectClass* offload) {
  if (std::ranges::find(kOfTheModes, property.name) != kOfTheModes.end())
    throw Error(kOption, "'" + property.name + "' is set by elf-bench itself");
  GParamSpec* known = g_object_class_find_property(offload, property.name.c_str());
  if (!known || !(known->flags & G_PARAM_WRITABLE))
    throw Error(kOption, "elfoffload has no property '" + property.name + "' to set");
  if (gst::takes(known, property.value)) return;
  throw Error(kOption, "'" + property.name + "' can't be '" + property.value + "'" +
                           gst::whatItTakes(known));
}

}  // namespace

std::vector<OffloadProperty> parseOffloadProperties(const std::string& text) {
  const gst::Ref<GstElement> offload = gst::sunk(gst_element_factory_make("elfoffload", nullptr));
  if (!offload) throw Error(kOption, "there is no element elfoffload");
  std::vector<OffloadProperty> properties;
  for (const std::string& word : wordsOf(text)) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos)
      throw Error(kOption, "'" + word + "' is not of the form NAME=VALUE");
    OffloadProperty property{word.substr(0, equals), word.substr(equals + 1)};
    check(property, G_OBJECT_GET_CLASS(offload.get()));
    if (std::ranges::find(properties, property.name, &OffloadProperty::name) != properties.end())
      throw Error(kOption, "'" + property.name + "' is named twice");
    properties.push_back(std::move(property));
  }
  return properties;
}

}  // namespace elf::bench
