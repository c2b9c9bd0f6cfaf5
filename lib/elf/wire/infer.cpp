// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/wire/infer.h"

#include <glib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <set>
#include <type_traits>
#include <utility>

#include "elf/base/half.h"
#include "elf/wire/json_reader.h"

namespace elf::wire {

namespace {

using Bytes = std::span<const std::uint8_t>;

// The wire is little-endian, and tensors are copied to and from memory as they are.
static_assert(std::endian::native == std::endian::little);

constexpr const char* kJsonLength = "Inference-Header-Content-Length";
constexpr std::size_t kLengthPrefix = sizeof(std::uint32_t);
// The protocol leaves it open how bytes that are no text stand in JSON. MLServer's content type
// `base64` says so with the tensor; to KServe's server it says nothing and does no harm.
constexpr const char* kContentType = "content_type";
constexpr const char* kBase64 = "base64";
/** JSON has no number that is not finite. */
constexpr std::string_view kNull = "null";
// Nested JSON data is read by recursion, one level for each dimension.
constexpr std::size_t kMaxRank = 16;

constexpr std::array<std::pair<std::string_view, std::size_t>, 14> kTypes{{{"BOOL", 1},
                                                                           {"UINT8", 1},
                                                                           {"UINT16", 2},
                                                                           {"UINT32", 4},
                                                                           {"UINT64", 8},
                                                                           {"INT8", 1},
                                                                           {"INT16", 2},
                                                                           {"INT32", 4},
                                                                           {"INT64", 8},
                                                                           {"FP16", 2},
                                                                           {"BF16", 2},
                                                                           {"FP32", 4},
                                                                           {"FP64", 8},
                                                                           {"BYTES", 0}}};

template <typename T>
void append(std::vector<std::uint8_t>& out, T value) {
  std::array<std::uint8_t, sizeof(T)> raw;
  std::memcpy(raw.data(), &value, sizeof(T));
  out.insert(out.end(), raw.begin(), raw.end());
}

template <typename T>
T load(const std::uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

/** Elements of a tensor of that shape; throws where there is no such number. */
std::size_t elementCount(const std::vector<std::int64_t>& shape, std::size_t size,
                         const std::string& field) {
  std::size_t count = 1;
  std::size_t bytes = 0;
  for (const std::int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(count, static_cast<std::size_t>(extent), &count))
      fail(field, "not a possible shape");
  if (__builtin_mul_overflow(count, std::max<std::size_t>(size, 1), &bytes))
    fail(field, "not a possible shape");
  return count;
}

/** Where `count` prefixed elements that begin at `bytes` end; unset where they do not fit. */
std::optional<std::size_t> endOfElements(Bytes bytes, std::size_t count) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (bytes.size() - at < kLengthPrefix) return std::nullopt;
    const std::size_t length = load<std::uint32_t>(bytes.data() + at);
    at += kLengthPrefix;
    if (bytes.size() - at < length) return std::nullopt;
    at += length;
  }
  return at;
}

/** The elements of a tensor of Bytes that was checked. */
std::vector<Bytes> elementsOf(const Tensor& tensor) {
  std::vector<Bytes> elements;
  Bytes rest = tensor.data;
  for (auto end = endOfElements(rest, 1); end; end = endOfElements(rest, 1)) {
    elements.push_back(rest.subspan(kLengthPrefix, *end - kLengthPrefix));
    rest = rest.subspan(*end);
  }
  return elements;
}

void appendBytes(Tensor& tensor, Bytes element) {
  append(tensor.data, static_cast<std::uint32_t>(element.size()));
  tensor.data.insert(tensor.data.end(), element.begin(), element.end());
}

// --- from JSON

const Json& member(const Json& object, const char* key, std::string_view where) {
  const auto found = object.find(key);
  if (found == object.end()) fail(std::string(where) + key, "is missing");
  return *found;
}

enum class OddValues { Refused, Ignored };

Parameters parametersOf(const Json& object, const std::string& field, OddValues odd) {
  Parameters parameters;
  const Json* const found = optionalMember(object, "parameters");
  if (!found) return parameters;
  if (!found->is_object()) fail(field, "not an object");
  for (const auto& [key, value] : found->items()) {
    if (value.is_boolean())
      parameters[key] = value.get<bool>();
    else if (value.is_number_unsigned() &&
             value.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max())
      parameters[key] = value.get<double>();
    else if (value.is_number_integer())
      parameters[key] = value.get<std::int64_t>();
    else if (value.is_number_float())
      parameters[key] = value.get<double>();
    else if (value.is_string())
      parameters[key] = value.get<std::string>();
    else if (odd == OddValues::Refused)
      fail(field + "." + key, "is neither string, number nor bool");
  }
  return parameters;
}

bool isBase64(const Parameters& parameters) {
  const auto found = parameters.find(kContentType);
  const auto* type = found == parameters.end() ? nullptr : std::get_if<std::string>(&found->second);
  return type && *type == kBase64;
}

std::optional<bool> takeFlag(Parameters& parameters, const char* key, const std::string& where) {
  const auto found = parameters.find(key);
  if (found == parameters.end()) return std::nullopt;
  const bool* flag = std::get_if<bool>(&found->second);
  if (!flag) fail(where + key, "is neither true nor false");
  const bool value = *flag;
  parameters.erase(found);
  return value;
}

template <typename T>
void appendInteger(std::vector<std::uint8_t>& out, const Json& value, const std::string& field) {
  const bool fits = value.is_number_unsigned()  ? std::in_range<T>(value.get<std::uint64_t>())
                    : value.is_number_integer() ? std::in_range<T>(value.get<std::int64_t>())
                                                : false;
  if (!fits) fail(field, "holds something other than integers of its type");
  const T number = value.is_number_unsigned() ? static_cast<T>(value.get<std::uint64_t>())
                                              : static_cast<T>(value.get<std::int64_t>());
  append(out, number);
}

template <typename T>
T floatOf(const Json& value, const std::string& field) {
  if (!value.is_number()) fail(field, "holds something other than numbers");
  const double number = value.get<double>();
  if (!(std::abs(number) <= std::numeric_limits<T>::max())) fail(field, "holds too large a number");
  return static_cast<T>(number);
}

void appendElement(Tensor& tensor, const Json& value, const std::string& field) {
  std::vector<std::uint8_t>& out = tensor.data;
  switch (tensor.type) {
    case DataType::Bool:
      if (!value.is_boolean()) fail(field, "holds what is neither true nor false");
      return append(out, static_cast<std::uint8_t>(value.get<bool>()));
    case DataType::Uint8:
      return appendInteger<std::uint8_t>(out, value, field);
    case DataType::Uint16:
      return appendInteger<std::uint16_t>(out, value, field);
    case DataType::Uint32:
      return appendInteger<std::uint32_t>(out, value, field);
    case DataType::Uint64:
      return appendInteger<std::uint64_t>(out, value, field);
    case DataType::Int8:
      return appendInteger<std::int8_t>(out, value, field);
    case DataType::Int16:
      return appendInteger<std::int16_t>(out, value, field);
    case DataType::Int32:
      return appendInteger<std::int32_t>(out, value, field);
    case DataType::Int64:
      return appendInteger<std::int64_t>(out, value, field);
    case DataType::Fp16:
      return append(out, floatToHalf(floatOf<float>(value, field)));
    case DataType::Bf16:
      return append(out, floatToBfloat(floatOf<float>(value, field)));
    case DataType::Fp32:
      return append(out, floatOf<float>(value, field));
    case DataType::Fp64:
      return append(out, floatOf<double>(value, field));
    case DataType::Bytes: {
      if (!value.is_string()) fail(field, "holds something other than strings");
      const auto& text = value.get_ref<const std::string&>();
      return appendBytes(tensor, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    }
  }
}

void appendNested(Tensor& tensor, const Json& data, std::size_t dimension,
                  const std::string& field) {
  if (!data.is_array() || !std::cmp_equal(data.size(), tensor.shape[dimension]))
    fail(field, "is not nested as shape says");
  for (const Json& value : data) {
    if (dimension + 1 == tensor.shape.size())
      appendElement(tensor, value, field);
    else
      appendNested(tensor, value, dimension + 1, field);
  }
}

void readJsonData(Tensor& tensor, const Json& data, std::size_t count, const std::string& field) {
  if (!data.is_array()) fail(field, "not an array");
  if (tensor.shape.size() > 1 && !data.empty() && data.front().is_array())
    return appendNested(tensor, data, 0, field);
  if (data.size() != count)
    fail(field,
         "has " + std::to_string(data.size()) + " elements, shape says " + std::to_string(count));
  for (const Json& value : data) appendElement(tensor, value, field);
}

/** Puts what the text of each element stands for in its place. */
void fromBase64(Tensor& tensor, const std::string& field) {
  const Tensor written =
      std::exchange(tensor, Tensor{tensor.name, tensor.type, tensor.shape, {}, false});
  for (const Bytes element : elementsOf(written)) {
    const std::string text(element.begin(), element.end());
    // GLib's decoder takes anything.
    const bool possible =
        text.size() % 4 == 0 && std::ranges::all_of(text, [](char c) {
          return g_ascii_isalnum(c) || std::string_view("+/=").find(c) != std::string_view::npos;
        });
    if (!possible) fail(field, "holds something other than base64");
    gsize size = 0;
    guchar* const bytes = g_base64_decode(text.c_str(), &size);
    appendBytes(tensor, {bytes, size});
    g_free(bytes);
  }
}

/** Takes the tensor's bytes from the front of `rest`. `last`: nothing comes behind this tensor. */
void readBinaryData(Tensor& tensor, std::optional<std::uint64_t> size, std::size_t count, bool last,
                    Bytes& rest, const std::string& field) {
  std::size_t taken = 0;
  if (tensor.type != DataType::Bytes) {
    if (!size) fail(field + "data", "is missing, and so is parameters.binary_data_size");
    taken = count * elementSize(tensor.type);
    if (*size != taken)
      fail(field + "parameters.binary_data_size",
           "is " + std::to_string(*size) + ", shape and datatype say " + std::to_string(taken));
    if (taken > rest.size())
      fail(field + "parameters.binary_data_size", "is more than the body holds");
  } else {
    const std::optional<std::size_t> end = endOfElements(rest, count);
    if (!size) {
      if (!last) fail(field + "data", "is missing, and so is parameters.binary_data_size");
      // OpenVINO Model Server's form: the rest of the body, with or without its length prefix.
      if (end != rest.size()) {
        if (count != 1 || rest.size() > std::numeric_limits<std::uint32_t>::max())
          fail(field + "data", "its elements do not fill the body");
        append(tensor.data, static_cast<std::uint32_t>(rest.size()));
      }
      taken = rest.size();
    } else {
      // Triton counts the length prefixes, OpenVINO Model Server does not.
      if (!end || (*size != *end && *size != *end - kLengthPrefix * count))
        fail(field + "parameters.binary_data_size", "disagrees with the lengths of the elements");
      taken = *end;
    }
  }
  const Bytes bytes = rest.first(taken);
  tensor.data.insert(tensor.data.end(), bytes.begin(), bytes.end());
  rest = rest.subspan(taken);
}

Tensor readTensor(const Json& json, bool last, std::optional<Bytes>& rest, OddValues odd,
                  const std::string& where) {
  if (!json.is_object()) fail(where, "not an object");
  const std::string field = where + ".";
  Tensor tensor;
  tensor.name = stringOf(member(json, "name", field), field + "name");
  const std::string type = stringOf(member(json, "datatype", field), field + "datatype");
  const std::optional<DataType> known = dataTypeFromString(type);
  if (!known) fail(field + "datatype", "'" + type + "' is unknown");
  tensor.type = *known;
  const Json& shape = member(json, "shape", field);
  if (!shape.is_array() || shape.size() > kMaxRank) fail(field + "shape", "not a possible shape");
  for (const Json& extent : shape) {
    if (!extent.is_number_integer() || extent.get<std::int64_t>() < 0)
      fail(field + "shape", "not a possible shape");
    tensor.shape.push_back(extent.get<std::int64_t>());
  }
  const std::size_t count = elementCount(tensor.shape, elementSize(tensor.type), field + "shape");
  const Parameters parameters = parametersOf(json, field + "parameters", odd);
  const auto size = parameters.find("binary_data_size");
  if (const Json* const data = optionalMember(json, "data")) {
    if (size != parameters.end()) fail(field + "data", "stands beside binary_data_size");
    tensor.binary = false;
    readJsonData(tensor, *data, count, field + "data");
    if (tensor.type == DataType::Bytes && isBase64(parameters)) fromBase64(tensor, field + "data");
    return tensor;
  }
  std::optional<std::uint64_t> bytes;
  if (size != parameters.end()) {
    const std::int64_t* number = std::get_if<std::int64_t>(&size->second);
    if (!number || *number < 0) fail(field + "parameters.binary_data_size", "not a possible size");
    bytes = static_cast<std::uint64_t>(*number);
  }
  // Triton leaves the header out where all binary tensors are empty.
  if (!rest && bytes != 0U)
    fail(field + "data", std::string("is missing, and there is no header ") + kJsonLength);
  Bytes nothing;
  readBinaryData(tensor, bytes, count, last, rest ? *rest : nothing, field);
  return tensor;
}

std::vector<Tensor> readTensors(const Json& json, const char* key, std::optional<Bytes> rest,
                                OddValues odd) {
  const Json& list = member(json, key, "");
  if (!list.is_array()) fail(key, "not an array");
  std::vector<Tensor> tensors;
  std::set<std::string> names;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string where = std::string(key) + "[" + std::to_string(i) + "]";
    tensors.push_back(readTensor(list[i], i + 1 == list.size(), rest, odd, where));
    if (!names.insert(tensors.back().name).second) fail(where + ".name", "is there twice");
  }
  if (rest && !rest->empty())
    fail("body", std::to_string(rest->size()) + " bytes too long for its tensors");
  return tensors;
}

/** The JSON object in front, and what follows it where the header says so. */
std::pair<Json, std::optional<Bytes>> split(Bytes body, std::optional<std::size_t> jsonLength,
                                            std::size_t mostNumbers) {
  if (jsonLength && *jsonLength > body.size())
    fail(kJsonLength, std::to_string(*jsonLength) + " is more than the body's " +
                          std::to_string(body.size()) + " bytes");
  const Bytes text = jsonLength ? body.first(*jsonLength) : body;
  Json json = parseObject(text, "body", mostNumbers);
  std::optional<Bytes> rest;
  if (jsonLength) rest = body.subspan(*jsonLength);
  return {std::move(json), rest};
}

// --- to JSON

Json toJson(const Parameters& parameters) {
  Json object = Json::object();
  for (const auto& [key, parameter] : parameters)
    std::visit([&object, &name = key](const auto& value) { object[name] = value; }, parameter);
  return object;
}

bool isText(Bytes bytes) {
  return g_utf8_validate_len(reinterpret_cast<const char*>(bytes.data()), bytes.size(), nullptr);
}

std::string toBase64(Bytes bytes) {
  gchar* const text = g_base64_encode(bytes.data(), bytes.size());
  std::string copy = text;
  g_free(text);
  return copy;
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void appendText(std::vector<std::uint8_t>& out, std::string_view text) {
  out.insert(out.end(), text.begin(), text.end());
}

/** Bytes that a number takes at most, with a comma. */
template <typename T>
constexpr std::size_t longestText() {
  using Limits = std::numeric_limits<T>;
  // Sign, point and an exponent such as e-308.
  if constexpr (std::is_floating_point_v<T>)
    return Limits::max_digits10 + std::string_view("-.e-38,").size() + (sizeof(T) > 4 ? 1 : 0);
  return Limits::digits10 + 2 + (std::is_signed_v<T> ? 1 : 0);
}

// Numbers come by the million: as JSON values they would take a hundred bytes each.
template <typename T, typename Show = std::identity>
void appendNumbers(std::vector<std::uint8_t>& out, Bytes values, Show show = {}) {
  using Shown = std::remove_cvref_t<std::invoke_result_t<Show, T>>;
  constexpr std::size_t kLongest = longestText<Shown>();
  const std::size_t begin = out.size(), count = values.size() / sizeof(T);
  out.resize(begin + 2 + kLongest * count);
  auto* at = reinterpret_cast<char*>(out.data()) + begin;
  *at++ = '[';
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) *at++ = ',';
    const Shown value = show(load<T>(values.data() + i * sizeof(T)));
    bool finite = true;
    if constexpr (std::is_floating_point_v<Shown>) finite = std::isfinite(value);
    at = finite ? std::to_chars(at, at + kLongest, value).ptr : std::ranges::copy(kNull, at).out;
  }
  *at++ = ']';
  out.resize(static_cast<std::size_t>(reinterpret_cast<std::uint8_t*>(at) - out.data()));
}

/** `base64`: how elements of Bytes are written. */
void appendData(std::vector<std::uint8_t>& out, const Tensor& tensor, bool base64) {
  switch (tensor.type) {
    case DataType::Bool: {
      Json list = Json::array();
      for (const std::uint8_t value : tensor.data) list.push_back(value != 0);
      return appendText(out, dump(list));
    }
    case DataType::Uint8:
      return appendNumbers<std::uint8_t>(out, tensor.data);
    case DataType::Uint16:
      return appendNumbers<std::uint16_t>(out, tensor.data);
    case DataType::Uint32:
      return appendNumbers<std::uint32_t>(out, tensor.data);
    case DataType::Uint64:
      return appendNumbers<std::uint64_t>(out, tensor.data);
    case DataType::Int8:
      return appendNumbers<std::int8_t>(out, tensor.data);
    case DataType::Int16:
      return appendNumbers<std::int16_t>(out, tensor.data);
    case DataType::Int32:
      return appendNumbers<std::int32_t>(out, tensor.data);
    case DataType::Int64:
      return appendNumbers<std::int64_t>(out, tensor.data);
    case DataType::Fp16:
      return appendNumbers<std::uint16_t>(out, tensor.data, halfToFloat);
    case DataType::Bf16:
      return appendNumbers<std::uint16_t>(out, tensor.data, bfloatToFloat);
    case DataType::Fp32:
      return appendNumbers<float>(out, tensor.data);
    case DataType::Fp64:
      return appendNumbers<double>(out, tensor.data);
    case DataType::Bytes: {
      Json list = Json::array();
      for (const Bytes element : elementsOf(tensor))
        list.push_back(base64 ? toBase64(element) : std::string(element.begin(), element.end()));
      return appendText(out, dump(list));
    }
  }
}

/** `json` with the objects of `tensors` in its array `key`, which is empty, and what follows it. */
SharedMessage toMessage(const Json& json, const std::string& key,
                        std::span<const EncodedTensor> tensors) {
  const std::string text = dump(json), array = "\"" + key + "\":[";
  // Quotes inside strings are escaped: there is no other such place.
  const std::size_t at = text.find(array) + array.size();
  SharedMessage message;
  message.body.push_back(toBlock(std::string_view(text).substr(0, at)));
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (i > 0) message.body.push_back(toBlock(","));
    message.body.push_back(tensors[i].json);
  }
  message.body.push_back(toBlock(std::string_view(text).substr(at)));
  const std::size_t jsonLength = sizeOf(message.body);
  for (const EncodedTensor& tensor : tensors) {
    if (!tensor.data) continue;
    message.jsonLength = jsonLength;
    message.body.push_back(tensor.data);
  }
  return message;
}

std::vector<EncodedTensor> encodeAll(const std::vector<Tensor>& tensors) {
  std::vector<EncodedTensor> encoded;
  for (const Tensor& tensor : tensors)
    // Owned by the caller, who keeps it until the message is joined.
    encoded.push_back(encode({std::shared_ptr<void>(), &tensor}, tensor.binary));
  return encoded;
}

Message joinedMessage(const SharedMessage& message) {
  return {joined(message.body), message.jsonLength};
}

const Tensor* findOutput(const InferResponse& response, std::string_view name) {
  const auto found = std::ranges::find(response.outputs, name, &Tensor::name);
  return found == response.outputs.end() ? nullptr : &*found;
}

const Tensor& outputNamed(const InferResponse& response, std::string_view name) {
  if (const Tensor* found = findOutput(response, name)) return *found;
  fail("outputs", std::string(name) + " is missing");
}

/** Throws unless the output is of that type and `shape`, where -1 stands for any extent. */
void expect(const Tensor& tensor, DataType type, const std::vector<std::int64_t>& shape) {
  if (tensor.type != type)
    fail(tensor.name, "has datatype " + std::string(toString(tensor.type)) + ", not " +
                          std::string(toString(type)));
  const bool fits =
      std::equal(tensor.shape.begin(), tensor.shape.end(), shape.begin(), shape.end(),
                 [](std::int64_t is, std::int64_t want) { return want < 0 || is == want; });
  if (!fits) fail(tensor.name, "has a wrong shape or length");
  if (elementCount(tensor.shape, elementSize(type), tensor.name) * elementSize(type) !=
      tensor.data.size())
    fail(tensor.name, "has more or less data than its shape says");
}

/** The same for a column of `n` values: MLServer's codec of arrays writes [n] as [n,1]. */
void expectValues(const Tensor& tensor, DataType type, std::int64_t n) {
  if (tensor.shape.size() == 2)
    expect(tensor, type, {n, 1});
  else
    expect(tensor, type, {n});
}

Box boxAt(const Tensor& boxes, std::size_t i) {
  std::array<float, 4> corners;
  std::memcpy(corners.data(), boxes.data.data() + i * sizeof(corners), sizeof(corners));
  return {corners[0], corners[1], corners[2], corners[3]};
}

Tensor encodeMasks(std::span<const Detection> detections) {
  Tensor tensor{.name = "masks",
                .type = DataType::Bytes,
                .shape = {static_cast<std::int64_t>(detections.size())}};
  for (const Detection& detection : detections)
    appendBytes(tensor, toRuns(detection.mask.value_or(Mask()).over(roundOutwards(detection.box))));
  return tensor;
}

Tensor encodeKeypoints(std::span<const Detection> detections, int count) {
  Tensor tensor{.name = "keypoints",
                .type = DataType::Fp32,
                .shape = {static_cast<std::int64_t>(detections.size()), count, 3}};
  for (const Detection& detection : detections)
    for (std::size_t i = 0; std::cmp_less(i, count); ++i) {
      const Keypoint joint = i < detection.keypoints.size() ? detection.keypoints[i] : Keypoint{};
      for (const float value : {joint.x, joint.y, joint.visibility}) append(tensor.data, value);
    }
  return tensor;
}

Tensor encodeRotated(std::span<const Detection> detections) {
  Tensor tensor{.name = "rotated",
                .type = DataType::Fp32,
                .shape = {static_cast<std::int64_t>(detections.size()), 5}};
  for (const Detection& detection : detections)
    append(tensor.data, detection.rotated.value_or(toRotated(detection.box)));
  return tensor;
}

/** Of `boxes`, which were checked, whole and in the picture that was `sent`; none without tensor.
 */
std::vector<Mask> decodeMasks(const Tensor* tensor, const Tensor& boxes, Size sent) {
  if (!tensor) return {};
  if (tensor->type != DataType::Bytes || tensor->shape.empty() ||
      tensor->shape[0] != boxes.shape[0])
    fail(tensor->name, "is not BYTES with an element for each box");
  const std::vector<Bytes> elements = elementsOf(*tensor);
  if (std::cmp_not_equal(elements.size(), boxes.shape[0]))
    fail(tensor->name, "is not BYTES with an element for each box");
  std::vector<Mask> masks;
  double pixels = 0;
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const Box box = boxAt(boxes, i);
    if (!box.finite() || clip(box, sent) != box)
      fail(tensor->name, "are of a box that reaches out of the picture");
    const Rect rect = box.empty() ? Rect{} : roundOutwards(box);
    pixels += rect.area();
    if (pixels > kMaxMaskPixels) fail(tensor->name, "have too many pixels");
    std::optional<Mask> mask = fromRuns(elements[i], rect);
    if (!mask) fail(tensor->name, "not runs that fill their boxes");
    masks.push_back(std::move(*mask));
  }
  return masks;
}

std::vector<std::vector<Keypoint>> decodeKeypoints(const Tensor* tensor, std::int64_t n,
                                                   int count) {
  if (!tensor) return {};
  expect(*tensor, DataType::Fp32, {n, count, 3});
  if (n * count > kMaxJoints) fail(tensor->name, "are too many");
  constexpr float kFarthest = kMaxPixels;
  std::vector<std::vector<Keypoint>> all(static_cast<std::size_t>(n));
  const std::uint8_t* at = tensor->data.data();
  for (std::vector<Keypoint>& joints : all)
    for (std::int64_t i = 0; i < tensor->shape[1]; ++i, at += sizeof(Keypoint)) {
      const auto joint = load<Keypoint>(at);
      if (!(std::abs(joint.x) <= kFarthest && std::abs(joint.y) <= kFarthest) ||
          !std::isfinite(joint.visibility))
        fail(tensor->name, "hold a joint that can be nowhere");
      joints.push_back({joint.x, joint.y, std::clamp(joint.visibility, 0.0F, 1.0F)});
    }
  return all;
}

// It is copied to and from memory as it is.
static_assert(sizeof(RotatedBox) == 5 * sizeof(float));

std::vector<RotatedBox> decodeRotated(const Tensor* tensor, std::int64_t n) {
  if (!tensor) return {};
  expect(*tensor, DataType::Fp32, {n, 5});
  std::vector<RotatedBox> all;
  for (std::size_t i = 0; std::cmp_less(i, n); ++i) {
    all.push_back(load<RotatedBox>(tensor->data.data() + i * sizeof(RotatedBox)));
    if (!all.back().possible()) fail(tensor->name, "hold a box that can be nowhere");
  }
  return all;
}

}  // namespace

std::string_view toString(DataType type) {
  return kTypes[static_cast<std::size_t>(type)].first;
}

std::optional<DataType> dataTypeFromString(std::string_view name) {
  for (std::size_t i = 0; i < kTypes.size(); ++i)
    if (kTypes[i].first == name) return static_cast<DataType>(i);
  return std::nullopt;
}

std::size_t elementSize(DataType type) {
  return kTypes[static_cast<std::size_t>(type)].second;
}

EncodedTensor encode(const std::shared_ptr<const Tensor>& tensor, bool binary) {
  Json json = {
      {"name", tensor->name}, {"datatype", toString(tensor->type)}, {"shape", tensor->shape}};
  if (binary) {
    json["parameters"] = {{"binary_data_size", tensor->data.size()}};
    return {toBlock(dump(json)), Block(tensor, &tensor->data)};
  }
  const bool base64 =
      tensor->type == DataType::Bytes && !std::ranges::all_of(elementsOf(*tensor), isText);
  if (base64) json["parameters"] = {{kContentType, kBase64}};
  // Members are in the order of the alphabet, and `data` is the first.
  std::vector<std::uint8_t> text;
  appendText(text, "{\"data\":");
  appendData(text, *tensor, base64);
  appendText(text, "," + dump(json).substr(1));
  return {toBlock(std::move(text)), nullptr};
}

SharedMessage encode(const InferRequest& request, std::span<const EncodedTensor> inputs) {
  Json json = Json::object();
  if (!request.id.empty()) json["id"] = request.id;
  Json parameters = toJson(request.parameters);
  if (request.binaryOutputs) parameters["binary_data_output"] = true;
  if (!parameters.empty()) json["parameters"] = std::move(parameters);
  json["inputs"] = Json::array();
  for (const RequestedOutput& output : request.outputs)
    json["outputs"].push_back(
        {{"name", output.name}, {"parameters", {{"binary_data", output.binary}}}});
  return toMessage(json, "inputs", inputs);
}

Message encode(const InferRequest& request) {
  return joinedMessage(encode(request, encodeAll(request.inputs)));
}

Message encode(const InferResponse& response) {
  Json json = {{"model_name", response.model}};
  if (!response.version.empty()) json["model_version"] = response.version;
  if (!response.id.empty()) json["id"] = response.id;
  if (!response.parameters.empty()) json["parameters"] = toJson(response.parameters);
  json["outputs"] = Json::array();
  return joinedMessage(toMessage(json, "outputs", encodeAll(response.outputs)));
}

Result<InferRequest> parseRequest(Bytes body, std::optional<std::size_t> jsonLength) try {
  InferRequest request;
  if (jsonLength == 0U) {
    Tensor& raw = request.inputs.emplace_back();
    raw.data.assign(body.begin(), body.end());
    request.binaryOutputs = true;
    return request;
  }
  const auto [json, rest] = split(body, jsonLength, kMostValues);
  request.id = optionalString(json, "id");
  request.parameters = parametersOf(json, "parameters", OddValues::Refused);
  request.binaryOutputs =
      takeFlag(request.parameters, "binary_data_output", "parameters.").value_or(false);
  request.inputs = readTensors(json, "inputs", rest, OddValues::Refused);
  if (request.inputs.empty()) fail("inputs", "is empty");
  if (const Json* const outputs = optionalMember(json, "outputs")) {
    if (!outputs->is_array()) fail("outputs", "not an array");
    std::set<std::string> names;
    for (std::size_t i = 0; i < outputs->size(); ++i) {
      const Json& output = (*outputs)[i];
      const std::string field = "outputs[" + std::to_string(i) + "].";
      if (!output.is_object()) fail("outputs", "holds something other than objects");
      Parameters parameters = parametersOf(output, field + "parameters", OddValues::Refused);
      request.outputs.push_back({stringOf(member(output, "name", field), field + "name"),
                                 takeFlag(parameters, "binary_data", field + "parameters.")
                                     .value_or(request.binaryOutputs)});
      if (!names.insert(request.outputs.back().name).second) fail(field + "name", "is there twice");
    }
  }
  return request;
} catch (const Malformed& malformed) {
  return Result<InferRequest>::failure(malformed.why);
}

Result<InferResponse> parseResponse(Bytes body, std::optional<std::size_t> jsonLength,
                                    std::size_t mostNumbers) try {
  const auto [json, rest] = split(body, jsonLength, mostNumbers);
  InferResponse response;
  response.model = optionalString(json, "model_name");
  response.version = optionalString(json, "model_version");
  response.id = optionalString(json, "id");
  response.parameters = parametersOf(json, "parameters", OddValues::Ignored);
  response.outputs = readTensors(json, "outputs", rest, OddValues::Ignored);
  return response;
} catch (const Malformed& malformed) {
  return Result<InferResponse>::failure(malformed.why);
}

Tensor encodedImage(Bytes file) {
  Tensor tensor{.name = "image", .type = DataType::Bytes, .shape = {1}};
  tensor.data.reserve(kLengthPrefix + file.size());
  appendBytes(tensor, file);
  return tensor;
}

Tensor rawImage(Bytes rgb, Size size) {
  return {.name = "image",
          .type = DataType::Uint8,
          .shape = {1, size.height, size.width, 3},
          .data = {rgb.begin(), rgb.end()}};
}

void setTimeout(Parameters& parameters, std::chrono::microseconds timeout) {
  parameters["timeout"] = std::int64_t{timeout.count()};
}

void setPlacement(Parameters& parameters, const Placement& placement) {
  parameters["part_x"] = std::int64_t{placement.x};
  parameters["part_y"] = std::int64_t{placement.y};
  parameters["frame_width"] = std::int64_t{placement.frame.width};
  parameters["frame_height"] = std::int64_t{placement.frame.height};
}

Result<Placement> placementOf(const Parameters& parameters, Size picture) {
  Placement placement{.frame = picture};
  const struct {
    const char* name;
    int& value;
    int least;
  } members[] = {{"part_x", placement.x, 0},
                 {"part_y", placement.y, 0},
                 {"frame_width", placement.frame.width, 1},
                 {"frame_height", placement.frame.height, 1}};
  const auto given = std::ranges::count_if(
      members, [&](const auto& member) { return parameters.contains(member.name); });
  if (given == 0) return placement;
  for (const auto& member : members) {
    const auto found = parameters.find(member.name);
    const auto* number =
        found == parameters.end() ? nullptr : std::get_if<std::int64_t>(&found->second);
    if (!number || *number < member.least || *number > kMaxPixels)
      return Result<Placement>::failure("parameters." + std::string(member.name) +
                                        ": not a possible number of pixels");
    member.value = static_cast<int>(*number);
  }
  if (placement.x + picture.width > placement.frame.width ||
      placement.y + picture.height > placement.frame.height)
    return Result<Placement>::failure("parameters.part_x: the picture reaches out of its frame");
  return placement;
}

std::vector<Tensor> encodeDetections(std::span<const Detection> detections,
                                     const ModelRules& rules) {
  const auto n = static_cast<std::int64_t>(detections.size());
  std::vector<Tensor> outputs{{.name = "boxes", .type = DataType::Fp32, .shape = {n, 4}},
                              {.name = "scores", .type = DataType::Fp32, .shape = {n}},
                              {.name = "labels", .type = DataType::Int64, .shape = {n}}};
  for (const Detection& detection : detections) {
    const Box& box = detection.box;
    for (const float corner : {box.x0, box.y0, box.x1, box.y1}) append(outputs[0].data, corner);
    append(outputs[1].data, detection.score);
    append(outputs[2].data, detection.labelId);
  }
  if (rules.masks) outputs.push_back(encodeMasks(detections));
  if (rules.keypoints > 0) outputs.push_back(encodeKeypoints(detections, rules.keypoints));
  if (rules.rotated) outputs.push_back(encodeRotated(detections));
  return outputs;
}

Result<std::vector<Detection>> decodeDetections(const InferResponse& response,
                                                const ModelRules& rules, Size sent,
                                                const TensorNames& names) try {
  const Tensor& boxes = outputNamed(response, names.boxes);
  const Tensor& scores = outputNamed(response, names.scores);
  const Tensor& labels = outputNamed(response, names.labels);
  expect(boxes, DataType::Fp32, {-1, 4});
  const std::int64_t n = boxes.shape[0];
  if (std::cmp_greater(n, kMaxDetections))
    fail(names.boxes,
         "has " + std::to_string(n) + " rows, more than " + std::to_string(kMaxDetections));
  expectValues(scores, DataType::Fp32, n);
  const bool narrow = labels.type == DataType::Int32;
  expectValues(labels, narrow ? DataType::Int32 : DataType::Int64, n);
  // Other servers call matters of their own by these names.
  std::vector<Mask> masks =
      decodeMasks(rules.masks ? findOutput(response, names.masks) : nullptr, boxes, sent);
  std::vector<std::vector<Keypoint>> keypoints = decodeKeypoints(
      rules.keypoints > 0 ? findOutput(response, names.keypoints) : nullptr, n, rules.keypoints);
  const std::vector<RotatedBox> rotated =
      decodeRotated(rules.rotated ? findOutput(response, names.rotated) : nullptr, n);

  std::vector<Detection> detections;
  for (std::size_t i = 0; std::cmp_less(i, n); ++i) {
    Detection detection;
    detection.box = boxAt(boxes, i);
    detection.score = load<float>(scores.data.data() + i * sizeof(float));
    if (!detection.box.finite()) fail(names.boxes, "holds a number that is not finite");
    if (!std::isfinite(detection.score)) fail(names.scores, "holds a number that is not finite");
    detection.labelId = narrow ? load<std::int32_t>(labels.data.data() + i * sizeof(std::int32_t))
                               : load<std::int64_t>(labels.data.data() + i * sizeof(std::int64_t));
    if (std::cmp_greater_equal(detection.labelId, 0) &&
        std::cmp_less(detection.labelId, rules.labels.size()))
      detection.label = rules.labels[static_cast<std::size_t>(detection.labelId)];
    detection.box = clip(detection.box, sent);
    if (!masks.empty()) detection.mask = std::move(masks[i]);
    if (!keypoints.empty()) detection.keypoints = std::move(keypoints[i]);
    if (!rotated.empty()) detection.rotated = rotated[i];
    if (!detection.box.empty()) detections.push_back(std::move(detection));
  }
  return detections;
} catch (const Malformed& malformed) {
  return Result<std::vector<Detection>>::failure(malformed.why);
}

}  // namespace elf::wire
