// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/runtime/onnx_file.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "onnx.pb.h"

namespace elf {

namespace {

// Numbers of the format's TensorProto.DataType.
constexpr int kUint8 = 2, kInt32 = 6, kInt64 = 7;

constexpr const char* kNotOnnx = "not a whole ONNX file";

std::ifstream openFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(path, "cannot be read");
  return file;
}

onnx::Model parse(const std::string& path) {
  std::ifstream file = openFile(path);
  onnx::Model model;
  if (!model.ParseFromIstream(&file) || !model.has_graph()) throw Error(path, kNotOnnx);
  return model;
}

int sizeOf(const onnx::Dimension& dimension) {
  const bool known = dimension.has_dim_value() && dimension.dim_value() > 0 &&
                     dimension.dim_value() <= std::numeric_limits<int>::max();
  return known ? static_cast<int>(dimension.dim_value()) : -1;
}

/** The inputs that are not weights. */
std::vector<onnx::ValueInfo*> realInputs(onnx::Graph& graph) {
  std::set<std::string> weights;
  for (const onnx::Tensor& weight : graph.initializer()) weights.insert(weight.name());
  std::vector<onnx::ValueInfo*> inputs;
  for (onnx::ValueInfo& input : *graph.mutable_input())
    if (!weights.contains(input.name())) inputs.push_back(&input);
  return inputs;
}

}  // namespace

void requireOnnx(const std::string& path) {
  namespace pb = google::protobuf;
  using Format = pb::internal::WireFormatLite;
  std::ifstream file = openFile(path);
  pb::io::IstreamInputStream stream(&file);
  pb::io::CodedInputStream input(&stream);
  bool hasGraph = false;
  // Field by field, without keeping the weights.
  while (const std::uint32_t tag = input.ReadTag()) {
    hasGraph = hasGraph || Format::GetTagFieldNumber(tag) == onnx::Model::kGraphFieldNumber;
    if (!Format::SkipField(&input, tag)) throw Error(path, kNotOnnx);
  }
  if (!hasGraph || !input.ConsumedEntireMessage()) throw Error(path, kNotOnnx);
}

NetworkInfo readOnnxInfo(const std::string& path) {
  onnx::Model model = parse(path);
  NetworkInfo info{.platform = "onnx"};
  for (const onnx::ValueInfo* input : realInputs(*model.mutable_graph())) {
    const onnx::TensorType& type = input->type().tensor_type();
    NetworkInput& result = info.inputs.emplace_back();
    result.name = input->name();
    result.integer = type.elem_type() == kInt32 || type.elem_type() == kInt64;
    result.bytes = type.elem_type() == kUint8;
    std::ranges::transform(type.shape().dim(), std::back_inserter(result.shape), sizeOf);
  }
  std::ranges::stable_partition(info.inputs,
                                [](const NetworkInput& input) { return !input.integer; });
  for (const onnx::StringEntry& entry : model.metadata_props())
    info.metadata[entry.key()] = entry.value();
  return info;
}

std::vector<std::string> readOnnxOutputs(const std::string& path) {
  const onnx::Model model = parse(path);
  std::vector<std::string> names;
  for (const onnx::ValueInfo& output : model.graph().output()) names.push_back(output.name());
  return names;
}

std::string onnxWithFreeShape(const std::string& path, FreeShape free) {
  onnx::Model model = parse(path);
  onnx::Graph& graph = *model.mutable_graph();
  const std::vector<onnx::ValueInfo*> inputs = realInputs(graph);
  const auto shapeOf = [](onnx::ValueInfo* input) {
    return input->mutable_type()->mutable_tensor_type()->mutable_shape();
  };
  const auto set = [](onnx::TensorShape* shape, int dimension, const char* name) {
    onnx::Dimension& changed = *shape->mutable_dim(dimension);
    changed.clear_dim_value();
    changed.set_dim_param(name);
  };
  if (free.batch)
    for (onnx::ValueInfo* input : inputs)
      if (onnx::TensorShape* shape = shapeOf(input); shape->dim_size() > 0) set(shape, 0, "batch");
  if (const auto picture = std::ranges::find_if(
          inputs, [&](onnx::ValueInfo* input) { return shapeOf(input)->dim_size() >= 3; });
      free.size && picture != inputs.end()) {
    onnx::TensorShape* const shape = shapeOf(*picture);
    const int last = shape->dim_size() - 1;
    const bool channelsLast =
        last == 3 && sizeOf(shape->dim(last)) == 3 && sizeOf(shape->dim(1)) != 3;
    set(shape, channelsLast ? 1 : last - 1, "height");
    set(shape, channelsLast ? 2 : last, "width");
  }
  for (onnx::ValueInfo& output : *graph.mutable_output())
    for (onnx::Dimension& dimension :
         *output.mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim())
      dimension.Clear();
  graph.clear_value_info();
  return model.SerializeAsString();
}

}  // namespace elf
