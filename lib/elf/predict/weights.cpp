// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/predict/weights.h"

#include <bit>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "elf/base/data_files.h"
#include "elf/base/error.h"
#include "elf/base/glib.h"
#include "elf/base/printable.h"

namespace elf {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kLengthBytes = 8;
// Also bounds the parser's memory: an open bracket takes it a hundred bytes.
constexpr std::size_t kMaxHeader = 64 * 1024;
constexpr char kMetadata[] = "__metadata__";

template <typename Unsigned>
Unsigned littleEndian(const std::uint8_t* bytes) {
  Unsigned value = 0;
  for (std::size_t i = sizeof(Unsigned); i-- > 0;)
    value = static_cast<Unsigned>(value << 8 | bytes[i]);
  return value;
}

template <typename Unsigned>
void appendLittleEndian(Unsigned value, std::vector<std::uint8_t>& to) {
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i)
    to.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

std::string quoted(const std::string& key) {
  return "'" + printable(key) + "'";
}

std::string toText(const std::vector<int>& shape) {
  return Json(shape).dump();
}

std::span<const std::uint8_t> bytesOf(const std::string& content) {
  return {reinterpret_cast<const std::uint8_t*>(content.data()), content.size()};
}

/** One tensor of a header, checked as far as possible by itself. */
struct Entry {
  std::string name;
  std::vector<int> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/** Throws the end of a sentence as std::string. */
Entry readEntry(const std::string& name, const Json& json, std::uint64_t dataSize) {
  if (!json.is_object() || !json.contains("dtype") || !json.contains("shape") ||
      !json.contains("data_offsets"))
    throw std::string("lacks dtype, shape or data_offsets");
  if (json["dtype"] != "F32") throw std::string("is not of dtype F32");
  Entry entry{.name = name};
  std::uint64_t count = 1;
  if (!json["shape"].is_array()) throw std::string("has a shape that is not a list");
  for (const Json& extent : json["shape"]) {
    if (!extent.is_number_unsigned() ||
        extent.get<std::uint64_t>() > std::numeric_limits<int>::max())
      throw std::string("has an impossible shape");
    entry.shape.push_back(extent.get<int>());
    count *= extent.get<std::uint64_t>();
    if (count > dataSize) throw std::string("is larger than the file");
  }
  const Json& offsets = json["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
      !offsets[1].is_number_unsigned())
    throw std::string("has data_offsets that are not two positions");
  entry.begin = offsets[0].get<std::uint64_t>();
  entry.end = offsets[1].get<std::uint64_t>();
  if (entry.begin > entry.end || entry.end > dataSize)
    throw std::string("has data_offsets beyond the end of the file");
  if (entry.end - entry.begin != count * sizeof(float))
    throw std::string("has data_offsets that do not fit its shape");
  return entry;
}

}  // namespace

Weights Weights::parse(std::span<const std::uint8_t> bytes, const std::string& name) {
  const auto length = bytes.size() < kLengthBytes ? 0 : littleEndian<std::uint64_t>(bytes.data());
  if (length == 0) throw Error(name, "not a safetensors file");
  if (length > kMaxHeader)
    throw Error(name, "has a header of " + std::to_string(length) + " bytes, at most " +
                          std::to_string(kMaxHeader) + " are possible");
  if (length > bytes.size() - kLengthBytes) throw Error(name, "ends in its header");
  const auto header = bytes.subspan(kLengthBytes, length);
  const auto data = bytes.subspan(kLengthBytes + length);
  const Json json = Json::parse(header.begin(), header.end(), nullptr, false);
  if (!json.is_object()) throw Error(name, "has a header that is not a JSON object");

  Weights weights(name);
  std::map<std::pair<std::uint64_t, std::uint64_t>, Entry> byPlace;
  for (const auto& [key, value] : json.items()) {
    if (key == kMetadata) {
      if (!value.is_object()) throw Error(name, std::string(kMetadata) + " is not a JSON object");
      for (const auto& [word, text] : value.items()) {
        if (!text.is_string()) throw Error(name, "metadata " + quoted(word) + " is not text");
        weights.metadata_[word] = text.get<std::string>();
      }
      continue;
    }
    try {
      Entry entry = readEntry(key, value, data.size());
      const auto place = std::pair(entry.begin, entry.end);
      if (place.first == place.second) throw std::string("is empty");
      if (!byPlace.emplace(place, std::move(entry)).second)
        throw std::string("overlaps another tensor");
    } catch (const std::string& why) {
      throw Error(name, "tensor " + quoted(key) + " " + why);
    }
  }
  std::uint64_t at = 0;
  for (const auto& [place, entry] : byPlace) {
    if (place.first != at)
      throw Error(name, "tensor " + quoted(entry.name) +
                            (place.first < at ? " overlaps another tensor" : " follows a gap"));
    at = place.second;
    Tensor tensor{entry.shape, {}};
    tensor.values.reserve((place.second - place.first) / sizeof(float));
    for (std::uint64_t i = place.first; i < place.second; i += sizeof(float)) {
      const auto value = std::bit_cast<float>(littleEndian<std::uint32_t>(data.data() + i));
      if (!std::isfinite(value))
        throw Error(name, "tensor " + quoted(entry.name) + " holds a value that is not finite");
      tensor.values.push_back(value);
    }
    weights.tensors_[entry.name] = std::move(tensor);
  }
  if (at != data.size()) throw Error(name, "holds bytes that belong to no tensor");
  return weights;
}

Weights Weights::read(const std::string& path) {
  return parse(bytesOf(readFile(path)), path);
}

std::vector<std::uint8_t> Weights::bytes() const {
  Json json = Json::object();
  if (!metadata_.empty()) json[kMetadata] = metadata_;
  std::uint64_t at = 0;
  for (const auto& [key, tensor] : tensors_) {
    const std::uint64_t end = at + tensor.values.size() * sizeof(float);
    json[key] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {at, end}}};
    at = end;
  }
  std::string header = json.dump();
  header.resize((header.size() + 7) / 8 * 8, ' ');  // so that the data is aligned
  std::vector<std::uint8_t> bytes;
  bytes.reserve(kLengthBytes + header.size() + at);
  appendLittleEndian<std::uint64_t>(header.size(), bytes);
  bytes.insert(bytes.end(), header.begin(), header.end());
  for (const auto& [key, tensor] : tensors_)
    for (const float value : tensor.values)
      appendLittleEndian(std::bit_cast<std::uint32_t>(value), bytes);
  return bytes;
}

void Weights::write(const std::string& path) const {
  const std::vector<std::uint8_t> content = bytes();
  GError* error = nullptr;
  if (!g_file_set_contents(path.c_str(), reinterpret_cast<const gchar*>(content.data()),
                           static_cast<gssize>(content.size()), &error))
    throw Error(path, "can't be written: " + takeReason(error));
}

const Tensor& Weights::tensor(const std::string& key, const std::vector<int>& shape) const {
  const auto found = tensors_.find(key);
  if (found == tensors_.end()) throw Error(name_, "lacks the tensor " + quoted(key));
  if (found->second.shape != shape)
    throw Error(name_, "tensor " + quoted(key) + " has shape " + toText(found->second.shape) +
                           ", not " + toText(shape));
  return found->second;
}

const std::string& Weights::metadata(const std::string& key) const {
  const auto found = metadata_.find(key);
  if (found == metadata_.end()) throw Error(name_, "lacks the metadata " + quoted(key));
  return found->second;
}

Weights loadWeights(const std::string& predictor, const std::string& nameOrPath) {
  const std::string& name = nameOrPath.empty() ? predictor : nameOrPath;
  const DataFile file = [&] {
    try {
      return readDataFile(kWeightFiles, name);
    } catch (const Error& error) {
      const std::string whose =
          nameOrPath.empty() ? "predictor " + predictor + " needs some: " : "";
      throw Error("weights", whose + error.what());
    }
  }();
  Weights weights = Weights::parse(bytesOf(file.content), file.path.empty() ? name : file.path);
  const std::string& is = weights.metadata("predictor");
  if (is != predictor)
    throw Error(weights.name(),
                "holds weights of the predictor " + quoted(is) + ", not " + quoted(predictor));
  return weights;
}

}  // namespace elf
