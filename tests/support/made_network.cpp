// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/support/made_network.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <opencv2/core.hpp>
#include <stdexcept>

namespace elf::testing {

namespace {

/** A message of Protocol Buffers: fields by number. */
class Message {
 public:
  Message& number(int field, std::int64_t value) {
    tag(field, 0);
    varint(static_cast<std::uint64_t>(value));
    return *this;
  }
  Message& text(int field, const std::string& bytes) {
    tag(field, 2);
    varint(bytes.size());
    bytes_ += bytes;
    return *this;
  }
  Message& message(int field, const Message& inner) { return text(field, inner.bytes_); }

  const std::string& bytes() const { return bytes_; }

 private:
  void tag(int field, unsigned kind) { varint(static_cast<unsigned>(field) << 3 | kind); }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

template <typename T>
std::string raw(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

Message tensor(const std::string& name, OnnxType type, const std::vector<std::int64_t>& shape) {
  Message message;
  for (const std::int64_t size : shape) message.number(1, size);
  message.number(2, static_cast<int>(type)).text(8, name);
  return message;
}

Message valueInfo(const std::string& name, OnnxType type, const std::vector<int>& shape) {
  Message dimensions;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    Message dimension;
    if (shape[i] >= 0)
      dimension.number(1, shape[i]);
    else
      dimension.text(2, name + std::to_string(i));
    dimensions.message(1, dimension);
  }
  const Message type_ = Message().number(1, static_cast<int>(type)).message(2, dimensions);
  return Message().text(1, name).message(2, Message().message(1, type_));
}

class Graph {
 public:
  explicit Graph(const MadeNetwork& network) : weightFile_(network.weights) {
    for (const MadeInput& input : network.inputs) {
      graph_.message(11, valueInfo(input.name, input.type, input.shape));
      if (input.shape.size() > 2)
        take(input);
      else
        sizes_ = input.name;
    }
    for (const MadeOutput& output : network.outputs) {
      graph_.message(12, valueInfo(output.name, output.type, output.shape));
      if (output.type == OnnxType::String)
        giveTexts(output);
      else
        give(output);
    }
    graph_.text(2, "synthetic");
  }

  const Message& message() const { return graph_; }
  const std::string& weights() const { return weights_; }

 private:
  using Names = std::vector<std::string>;

  std::string fresh() { return "t" + std::to_string(++count_); }

  /** The name of its output. Attributes are numbers, lists of them where there are several. */
  std::string node(const std::string& kind, const Names& inputs,
                   const std::map<std::string, std::vector<int>>& attributes = {},
                   std::string output = {}) {
    if (output.empty()) output = fresh();
    Message node;
    for (const std::string& input : inputs) node.text(1, input);
    node.text(2, output).text(3, "of_" + output).text(4, kind);
    for (const auto& [name, values] : attributes) {
      constexpr int kInt = 2, kInts = 7;
      const bool one = name == "to" || name == "axis";
      Message attribute;
      attribute.text(1, name).number(20, one ? kInt : kInts);
      for (const int value : values) attribute.number(one ? 3 : 8, value);
      node.message(5, attribute);
    }
    graph_.message(1, node);
    return output;
  }

  std::string weights(const std::vector<std::int64_t>& shape, const std::vector<float>& values) {
    const std::string name = fresh();
    Message weight = tensor(name, OnnxType::Float, shape);
    if (weightFile_.empty()) {
      weight.text(9, raw(values));
    } else {
      const std::string bytes = raw(values);
      for (const auto& [key, value] : {std::pair("location", weightFile_),
                                       std::pair("offset", std::to_string(weights_.size())),
                                       std::pair("length", std::to_string(bytes.size()))})
        weight.message(13, Message().text(1, key).text(2, value));
      weight.number(14, 1);
      weights_ += bytes;
    }
    graph_.message(5, weight);
    return name;
  }
  std::string numbers(const std::vector<std::int64_t>& values) {
    const std::string name = fresh();
    graph_.message(5, tensor(name, OnnxType::Int64, {static_cast<std::int64_t>(values.size())})
                          .text(9, raw(values)));
    return name;
  }
  std::string cast(const std::string& value, OnnxType to, const std::string& output = {}) {
    return node("Cast", {value}, {{"to", {static_cast<int>(to)}}}, output);
  }

  /** Adds the mean of a picture, 1 x 3 x 1 x 1, to those of the others. */
  void take(const MadeInput& input) {
    std::string picture = input.name;
    if (input.type != OnnxType::Float) picture = cast(picture, OnnxType::Float);
    if (input.shape.size() == 3) picture = node("Unsqueeze", {picture}, {{"axes", {0}}});
    if (input.shape.back() == 3) picture = node("Transpose", {picture}, {{"perm", {0, 3, 1, 2}}});
    if (picture_.empty()) picture_ = picture;
    const std::string mean = node("GlobalAveragePool", {picture});
    mean_ = mean_.empty() ? mean : node("Add", {mean_, mean});
  }

  /** Width, height, width, height and as many ones as make a row of so many columns. */
  std::string factors(int columns) {
    std::string four;
    if (sizes_.empty()) {
      four = node("Gather", {node("Shape", {picture_}), numbers({3, 2, 3, 2})}, {{"axis", {0}}});
    } else {
      four = node("Concat", {sizes_, sizes_}, {{"axis", {1}}});
    }
    const std::string row = node("Reshape", {cast(four, OnnxType::Float), numbers({1, 1, 4})});
    if (columns == 4) return row;
    const auto more = static_cast<std::size_t>(columns - 4);
    return node("Concat", {row, weights({1, 1, columns - 4}, std::vector<float>(more, 1))},
                {{"axis", {2}}});
  }

  /** The same rows in their order, looked up in a table that is wider. */
  std::string gathered(const std::string& table, const std::vector<int>& shape) {
    const std::string wide = node("Concat", {table, table}, {{"axis", {2}}});
    const std::string part =
        node("Slice", {wide, numbers({0}), numbers({shape[2]}), numbers({-1})});
    std::vector<std::int64_t> rows(static_cast<std::size_t>(shape[1]));
    std::iota(rows.begin(), rows.end(), 0);
    const std::string places = node("Reshape", {numbers(rows), numbers({1, shape[1], 1})});
    return node("GatherElements",
                {part, node("Expand", {places, numbers({1, shape[1], shape[2]})})},
                {{"axis", {1}}});
  }

  void give(const MadeOutput& output) {
    // OpenCV adds a constant to each channel, but none of more dimensions.
    std::vector<std::int64_t> shape(output.shape.begin(), output.shape.end());
    std::vector<float> values = output.values;
    const auto none = std::ranges::find(shape, 0);
    std::ranges::replace(shape, 0, 1);
    const auto total =
        std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
    if (none != shape.end()) values.assign(static_cast<std::size_t>(total), 0);
    if (std::cmp_not_equal(values.size(), total))
      throw std::logic_error(output.name + " has " + std::to_string(values.size()) + " values");
    std::vector<float> ofMeans(3 * values.size());
    for (const auto& [place, three] : output.weights)
      std::ranges::copy(three, ofMeans.begin() + static_cast<std::ptrdiff_t>(3 * place));
    std::string value =
        node("Conv", {mean_, weights({total, 3, 1, 1}, ofMeans), weights({total}, values)},
             {{"kernel_shape", {1, 1}}});
    value = node("Reshape", {value, numbers(shape)});
    if (none != shape.end())
      value = node("Slice", {value, numbers({0}), numbers({0}), numbers({none - shape.begin()})});
    if (output.gathered) value = gathered(value, output.shape);
    if (output.inParts) value = node("Mul", {value, factors(output.shape.back())});
    if (output.type == OnnxType::Float)
      node("Identity", {value}, {}, output.name);
    else
      cast(value, output.type, output.name);
  }

  void giveTexts(const MadeOutput& output) {
    const std::vector<std::int64_t> shape(output.shape.begin(), output.shape.end());
    const std::string name = fresh();
    Message texts = tensor(name, OnnxType::String, shape);
    for (const float value : output.values) texts.text(6, std::to_string(value));
    graph_.message(5, texts);
    node("Identity", {name}, {}, output.name);
  }

  Message graph_;
  const std::string weightFile_;
  std::string weights_;
  int count_ = 0;
  /** The first picture as FP32 1 x 3 x H x W; the sum of the means of all. */
  std::string picture_, mean_;
  /** The input that is told the size of the picture. */
  std::string sizes_;
};

}  // namespace

MadeFiles filesOf(const MadeNetwork& network) {
  constexpr int kIrVersion = 6, kOperators = 11;  // as OpenCV 4.6 reads them
  const Graph graph(network);
  Message model;
  model.number(1, kIrVersion).text(2, "elf").message(7, graph.message());
  model.message(8, Message().text(1, "").number(2, kOperators));
  for (const auto& [key, value] : network.metadata)
    model.message(14, Message().text(1, key).text(2, value));
  return {model.bytes(), graph.weights()};
}

void writeOnnx(const std::string& path, const MadeNetwork& network) {
  const MadeFiles files = filesOf(network);
  std::ofstream(path, std::ios::binary) << files.onnx;
  if (!network.weights.empty())
    std::ofstream(std::filesystem::path(path).replace_filename(network.weights), std::ios::binary)
        << files.weights;
}

}  // namespace elf::testing
