// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/wire/metadata.h"

#include <algorithm>

#include "elf/wire/json_reader.h"

namespace elf::wire {

namespace {

constexpr std::string_view kInputs = "inputs";

std::vector<std::string> stringsOf(const Json& list, const std::string& field) {
  if (!list.is_array()) fail(field, "not a list of names");
  std::vector<std::string> strings;
  for (const Json& value : list) strings.push_back(stringOf(value, field));
  return strings;
}

std::vector<TensorSpec> tensorsOf(const Json& metadata, std::string_view key) {
  std::vector<TensorSpec> tensors;
  const Json* const list = optionalMember(metadata, key.data());
  if (!list) return tensors;
  if (!list->is_array()) fail(std::string(key), "not an array");
  for (std::size_t i = 0; i < list->size(); ++i) {
    const Json& json = (*list)[i];
    const std::string field = std::string(key) + "[" + std::to_string(i) + "]";
    if (!json.is_object()) fail(field, "not an object");
    const auto name = json.find("name");
    const auto type = json.find("datatype");
    const auto shape = json.find("shape");
    if (name == json.end() || type == json.end() || shape == json.end())
      fail(field, "lacks name, datatype or shape");
    TensorSpec tensor{.name = stringOf(*name, field + ".name")};
    const std::string typeName = stringOf(*type, field + ".datatype");
    const std::optional<DataType> known = dataTypeFromString(typeName);
    // An output may not matter.
    if (!known && key == kInputs) fail(field + ".datatype", "'" + typeName + "' is unknown");
    tensor.type = known.value_or(DataType::Unknown);
    if (!shape->is_array()) fail(field + ".shape", "not an array");
    for (const Json& extent : *shape) {
      if (!extent.is_number_integer() || extent.get<std::int64_t>() < -1)
        fail(field + ".shape", "not a possible shape");
      tensor.shape.push_back(extent.get<std::int64_t>());
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

int intOf(const Json& value, const std::string& field) {
  if (!value.is_number_integer() || value.get<std::int64_t>() < 0 ||
      value.get<std::int64_t>() > kMaxPixels)
    fail(field, "not a possible number of pixels");
  return static_cast<int>(value.get<std::int64_t>());
}

/** Reads the keys of a `parameters` object into `ModelRules`, and counts those that it knows. */
class RulesReader {
 public:
  explicit RulesReader(const Json& parameters) : parameters_(parameters) {}

  void read(const char* key, int& value) {
    if (const Json* json = find(key)) value = intOf(*json, field(key));
  }
  void read(const char* key, Size& value) {
    const Json* json = find(key);
    if (!json) return;
    if (!json->is_array() || json->size() != 2) fail(field(key), "not [width, height]");
    value = {intOf((*json)[0], field(key)), intOf((*json)[1], field(key))};
  }
  void read(const char* key, float& value) {
    const Json* json = find(key);
    if (!json) return;
    if (!json->is_number()) fail(field(key), "not a number");
    value = json->get<float>();
  }
  void read(const char* key, bool& value) {
    const Json* json = find(key);
    if (!json) return;
    if (!json->is_boolean()) fail(field(key), "is neither true nor false");
    value = json->get<bool>();
  }
  void read(const char* key, std::vector<std::array<int, 2>>& value) {
    const Json* json = find(key);
    if (!json) return;
    if (!json->is_array()) fail(field(key), "not a list of pairs");
    for (const Json& pair : *json) {
      if (!pair.is_array() || pair.size() != 2) fail(field(key), "not a list of pairs");
      value.push_back({intOf(pair[0], field(key)), intOf(pair[1], field(key))});
    }
  }
  void read(const char* key, Labels& value) {
    if (const Json* json = find(key)) value = stringsOf(*json, field(key));
  }
  int known() const { return known_; }

 private:
  static std::string field(const char* key) { return std::string("parameters.") + key; }
  const Json* find(const char* key) {
    const auto found = parameters_.find(key);
    if (found == parameters_.end()) return nullptr;
    ++known_;
    return &*found;
  }

  const Json& parameters_;
  int known_ = 0;
};

std::optional<ModelRules> rulesOf(const Json& metadata) {
  const auto parameters = metadata.find("parameters");
  if (parameters == metadata.end() || !parameters->is_object()) return std::nullopt;
  ModelRules rules;
  RulesReader reader(*parameters);
  reader.read("labels", rules.labels);
  reader.read("size", rules.fixedSize);
  reader.read("multiple-of", rules.multipleOf);
  reader.read("min-size", rules.minSize);
  reader.read("max-size", rules.maxSize);
  reader.read("align", rules.align);
  reader.read("placed", rules.placed);
  reader.read("context", rules.context);
  reader.read("context-share", rules.contextShare);
  reader.read("object-size", rules.objectSize);
  reader.read("min-score", rules.minScore);
  reader.read("sure-score", rules.sureScore);
  reader.read("masks", rules.masks);
  reader.read("keypoints", rules.keypoints);
  reader.read("rotated", rules.rotated);
  reader.read("classified", rules.classified);
  reader.read("skeleton", rules.skeleton);
  // Other servers use this object for something else.
  if (reader.known() == 0) return std::nullopt;
  if (const auto bad = badKey(rules)) fail(std::string("parameters.") + bad->key, bad->why);
  return rules;
}

bool saysRaw(const Json& metadata) {
  const auto parameters = metadata.find("parameters");
  if (parameters == metadata.end() || !parameters->is_object()) return false;
  const auto raw = parameters->find("raw");
  return raw != parameters->end() && raw->is_boolean() && raw->get<bool>();
}

Json toJson(const std::vector<TensorSpec>& tensors) {
  Json list = Json::array();
  for (const TensorSpec& tensor : tensors)
    list.push_back(
        {{"name", tensor.name}, {"datatype", toString(tensor.type)}, {"shape", tensor.shape}});
  return list;
}

Json toJson(const ModelRules& rules) {
  Json json = {{"labels", rules.labels.names()}, {"multiple-of", rules.multipleOf},
               {"align", rules.align},           {"placed", rules.placed},
               {"context", rules.context},       {"object-size", rules.objectSize},
               {"min-score", rules.minScore},    {"sure-score", rules.sureScore}};
  const auto add = [&json](const char* key, Size size) {
    if (!size.empty()) json[key] = {size.width, size.height};
  };
  add("size", rules.fixedSize);
  add("min-size", rules.minSize);
  add("max-size", rules.maxSize);
  if (rules.contextShare > 0) json["context-share"] = rules.contextShare;
  if (rules.masks) json["masks"] = true;
  if (rules.keypoints > 0) json["keypoints"] = rules.keypoints;
  if (rules.rotated) json["rotated"] = true;
  if (rules.classified) json["classified"] = true;
  if (!rules.skeleton.empty()) json["skeleton"] = rules.skeleton;
  return json;
}

}  // namespace

std::string encodeMetadata(const ModelMetadata& metadata) {
  Json json = {{"name", metadata.name},
               {"platform", metadata.platform},
               {"inputs", toJson(metadata.inputs)},
               {"outputs", toJson(metadata.outputs)}};
  if (!metadata.versions.empty()) json["versions"] = metadata.versions;
  if (metadata.rules) json["parameters"] = toJson(*metadata.rules);
  if (metadata.takesRaw && metadata.takesEncoded) json["parameters"]["raw"] = true;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<ModelMetadata> parseMetadata(std::span<const std::uint8_t> body,
                                    std::string_view imageName) try {
  const Json json = parseObject(body, "metadata");
  ModelMetadata metadata;
  metadata.name = optionalString(json, "name");
  metadata.platform = optionalString(json, "platform");
  if (const Json* const versions = optionalMember(json, "versions"))
    metadata.versions = stringsOf(*versions, "versions");
  metadata.inputs = tensorsOf(json, kInputs);
  metadata.outputs = tensorsOf(json, "outputs");
  const auto image = std::ranges::find(metadata.inputs, imageName, &TensorSpec::name);
  metadata.takesEncoded = image == metadata.inputs.end() || image->type != DataType::Uint8;
  metadata.takesRaw = !metadata.takesEncoded || saysRaw(json);
  metadata.rules = rulesOf(json);
  return metadata;
} catch (const Malformed& malformed) {
  return Result<ModelMetadata>::failure(malformed.why);
}

bool takesBinary(std::span<const std::uint8_t> body) try {
  const Json json = parseObject(body, "server metadata");
  const Json* const extensions = optionalMember(json, "extensions");
  return !extensions || !extensions->is_array() ||
         std::ranges::find(*extensions, Json("binary_tensor_data")) != extensions->end();
} catch (const Malformed&) {
  return true;
}

bool mayTakeBinaryNumbers(std::span<const std::uint8_t> body) try {
  return optionalString(parseObject(body, "server metadata"), "name") == "kserve";
} catch (const Malformed&) {
  return false;
}

}  // namespace elf::wire
