// SPDX-License-Identifier: LGPL-2.1-or-later
// Parses the bytes of a request or a response.
#include <glib.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "elf/base/half.h"
#include "elf/wire/infer.h"
#include "elf/wire/json_reader.h"
#include "elf/wire/tensor_bytes.h"

namespace elf::wire {

namespace {

constexpr const char* kJsonLength = "Inference-Header-Content-Length";
// Nested JSON data is read by recursion, one level for each dimension.
constexpr std::size_t kMaxRank = 16;

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
    case DataType::Unknown:
      return;
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

/** Replaces the base64 text of each element by its bytes. */
void fromBase64(Tensor& tensor, const std::string& field) {
  const Tensor written =
      std::exchange(tensor, Tensor{tensor.name, tensor.type, tensor.shape, {}, false});
  for (const Bytes element : elementsOf(written)) {
    const std::string text(element.begin(), element.end());
    // GLib's decoder accepts any text.
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

/** Takes the tensor's bytes from the front of `rest`. `last`: no tensor follows. */
void readBinaryData(Tensor& tensor, std::optional<std::uint64_t> size, std::size_t count, bool last,
                    Bytes& rest, const std::string& field) {
  std::size_t taken = 0;
  if (tensor.type == DataType::Unknown) {
    if (!size || *size > rest.size()) fail(field + "data", "is of unknown size");
    rest = rest.subspan(static_cast<std::size_t>(*size));
    return;
  }
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
  if (!known && odd == OddValues::Refused) fail(field + "datatype", "'" + type + "' is unknown");
  tensor.type = known.value_or(DataType::Unknown);
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
    if (tensor.type == DataType::Unknown) return tensor;
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
  // Triton omits the header if all binary tensors are empty.
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

/** The JSON object in front, and the bytes after it if the header gives its length. */
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

}  // namespace

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

}  // namespace elf::wire
