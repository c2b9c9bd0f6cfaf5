// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/record/json_line.h"

#include <nlohmann/json.hpp>
#include <type_traits>

#include "elf/record/frame_fields.h"

namespace elf {

namespace {

using Json = nlohmann::ordered_json;

Json toJson(const std::vector<Field>& fields);

Json toJson(const FieldValue& value) {
  return std::visit(
      [](const auto& content) -> Json {
        using Content = std::decay_t<decltype(content)>;
        if constexpr (std::is_same_v<Content, std::monostate>) {
          return nullptr;
        } else if constexpr (std::is_same_v<Content, std::vector<FieldValue>>) {
          Json list = Json::array();
          for (const FieldValue& item : content) list.push_back(toJson(item));
          return list;
        } else if constexpr (std::is_same_v<Content, std::vector<Field>>) {
          return toJson(content);
        } else {
          return content;
        }
      },
      value.content);
}

Json toJson(const std::vector<Field>& fields) {
  Json object = Json::object();
  for (const Field& field : fields) object[field.name] = toJson(field.value);
  return object;
}

}  // namespace

std::string toJsonLine(const FrameRecord& record, std::optional<std::int64_t> ptsNs) {
  // Labels come from servers, and a server may send any bytes, and what a terminal obeys.
  return toJson(frameFields(record, ptsNs)).dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace elf
