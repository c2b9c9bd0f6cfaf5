// SPDX-License-Identifier: LGPL-2.1-or-later
// Encodes the values of a request or a response as bytes.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "elf/base/glib.h"
#include "elf/base/half.h"
#include "elf/wire/infer.h"
#include "elf/wire/tensor_bytes.h"

namespace elf::wire {

namespace {

using Json = nlohmann::json;

/** JSON has only finite numbers. */
constexpr std::string_view kNull = "null";

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
  return takeText(g_base64_encode(bytes.data(), bytes.size()));
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/** The object without its closing brace. */
std::string withoutEnd(const Json& object) {
  std::string text = dump(object);
  text.pop_back();
  return text;
}

Block endWithShape(const std::vector<std::int64_t>& shape) {
  return toBlock(",\"shape\":" + dump(shape) + "}");
}

void appendText(std::vector<std::uint8_t>& out, std::string_view text) {
  out.insert(out.end(), text.begin(), text.end());
}

/** Most bytes that a number takes, with a comma. */
template <typename T>
constexpr std::size_t longestText() {
  using Limits = std::numeric_limits<T>;
  // Sign, point and an exponent such as e-308.
  if constexpr (std::is_floating_point_v<T>)
    return Limits::max_digits10 + std::string_view("-.e-38,").size() + (sizeof(T) > 4 ? 1 : 0);
  return Limits::digits10 + 2 + (std::is_signed_v<T> ? 1 : 0);
}

// Tensors have millions of numbers, which would take a hundred bytes each as JSON values.
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
    case DataType::Unknown:
      return appendText(out, "[]");
  }
}

/** `json`, whose empty array `key` gets the objects of `tensors`, and the data that follows it. */
SharedMessage toMessage(const Json& json, const std::string& key,
                        std::span<const EncodedTensor> tensors) {
  const std::string text = dump(json), array = "\"" + key + "\":[";
  // Quotes inside strings are escaped, so no other place looks like this.
  const std::size_t at = text.find(array) + array.size();
  SharedMessage message;
  message.body.push_back(toBlock(std::string_view(text).substr(0, at)));
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (i > 0) message.body.push_back(toBlock(","));
    message.body.push_back(tensors[i].json);
    message.body.push_back(tensors[i].shape);
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
    // The caller owns it until the message is joined.
    encoded.push_back(encode({std::shared_ptr<void>(), &tensor}, tensor.binary));
  return encoded;
}

Message joinedMessage(const SharedMessage& message) {
  return {joined(message.body), message.jsonLength};
}

}  // namespace

EncodedTensor encode(const std::shared_ptr<const Tensor>& tensor, bool binary) {
  // `shape` follows all of these in alphabetical order.
  Json json = {{"name", tensor->name}, {"datatype", toString(tensor->type)}};
  const Block shape = endWithShape(tensor->shape);
  if (binary) {
    json["parameters"] = {{"binary_data_size", tensor->data.size()}};
    return {toBlock(withoutEnd(json)), shape, Block(tensor, &tensor->data)};
  }
  const bool base64 =
      tensor->type == DataType::Bytes && !std::ranges::all_of(elementsOf(*tensor), isText);
  if (base64) json["parameters"] = {{kContentType, kBase64}};
  // `data` is the first.
  std::vector<std::uint8_t> text;
  appendText(text, "{\"data\":");
  appendData(text, *tensor, base64);
  appendText(text, "," + withoutEnd(json).substr(1));
  return {toBlock(std::move(text)), shape, nullptr};
}

EncodedTensor batchOfOne(EncodedTensor encoded, const Tensor& tensor) {
  std::vector<std::int64_t> shape = tensor.shape;
  shape.insert(shape.begin(), 1);
  encoded.shape = endWithShape(shape);
  return encoded;
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

}  // namespace elf::wire
