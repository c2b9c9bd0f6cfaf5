// SPDX-License-Identifier: LGPL-2.1-or-later
// Networks in OpenVINO. A separate module that is loaded when a model asks for it.
#include <algorithm>
#include <cctype>
#include <openvino/op/constant.hpp>
#include <openvino/op/slice.hpp>
#include <openvino/op/strided_slice.hpp>
#include <openvino/openvino.hpp>
#include <openvino/pass/constant_folding.hpp>
#include <openvino/pass/manager.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "elf/base/mutex.h"
#include "elf/base/printable.h"
#include "elf/runtime/onnx_file.h"
#include "elf/runtime/recurring_sizes.h"
#include "elf/runtime/runtime_module.h"

namespace elf {

namespace {

/** Lives as long as the process, as OpenVINO's plugins do. */
ov::Core& core() {
  static auto* const core = new ov::Core;
  return *core;
}

/** "2026.4.1" from "2026.4.1-22982-...". */
std::string version() {
  const std::string build = ov::get_openvino_version().buildNumber;
  return build.substr(0, build.find('-'));
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/** "cpu gpu" */
std::string devices() {
  std::string names;
  for (const std::string& device : core().get_available_devices())
    names += (names.empty() ? "" : " ") + lower(device);
  return names;
}

/** OpenVINO's name of the device that a `.model` file names. */
std::string deviceOf(const ModelFile& file) {
  for (const std::string& device : core().get_available_devices())
    if (lower(device) == file.device || lower(device).starts_with(file.device + ".")) return device;
  throw Error(file.path + ": [model] device",
              "is " + file.device + ", which OpenVINO does not find (it finds: " + devices() + ")");
}

ov::element::Type typeOf(Precision precision) {
  switch (precision) {
    case Precision::F16:
      return ov::element::f16;
    case Precision::Bf16:
      return ov::element::bf16;
    case Precision::F32:
      break;
  }
  return ov::element::f32;
}

std::string nameOf(const ov::Output<const ov::Node>& tensor) {
  return tensor.get_names().empty() ? tensor.get_node()->get_friendly_name()
                                    : *std::ranges::min_element(tensor.get_names());
}

/** An input of integers takes the picture's size, not a picture. */
bool isInteger(const ov::element::Type& type) {
  return type == ov::element::i32 || type == ov::element::i64;
}

std::vector<int> shapeOf(const ov::PartialShape& shape) {
  std::vector<int> sizes;
  if (shape.rank().is_dynamic()) return sizes;
  for (const ov::Dimension& size : shape)
    sizes.push_back(size.is_static() ? static_cast<int>(size.get_length()) : -1);
  return sizes;
}

std::map<std::string, std::string> metadataOf(const ov::Model& model) {
  std::map<std::string, std::string> metadata;
  const auto take = [&](const ov::AnyMap& entries) {
    for (const auto& [key, value] : entries)
      if (value.is<std::string>()) metadata[key] = value.as<std::string>();
  };
  // From an ONNX file, and from its conversion to OpenVINO's own format.
  for (const char* key : {"framework", "model_info"})
    if (model.has_rt_info(key))
      if (const auto& entries = model.get_rt_info<ov::Any>(key); entries.is<ov::AnyMap>())
        take(entries.as<ov::AnyMap>());
  return metadata;
}

/** The input `index` of a node, if it is a constant. */
std::optional<std::vector<std::int64_t>> constantOf(const ov::Node& node, std::size_t index) {
  const auto* const constant =
      dynamic_cast<const ov::op::v0::Constant*>(node.get_input_node_ptr(index));
  if (!constant) return std::nullopt;
  return constant->cast_vector<std::int64_t>();
}

/**
 * The CPU plugin of OpenVINO 2026.4 merges adjacent slices into one split, and gives the nodes
 * after the first slice the whole tensor: it refuses the end-to-end exports of YOLO26 with masks,
 * joints or angles. A strided slice means the same and is not merged.
 */
void replaceSlices(const std::shared_ptr<ov::Model>& model) {
  // Exporters calculate the ends of slices.
  ov::pass::Manager manager;
  manager.register_pass<ov::pass::ConstantFolding>();
  manager.run_passes(model);
  for (const std::shared_ptr<ov::Node>& node : model->get_ordered_ops()) {
    if (!ov::is_type<ov::op::v8::Slice>(node) || node->get_input_size() != 5) continue;
    const ov::Rank rank = node->get_input_partial_shape(0).rank();
    const auto starts = constantOf(*node, 1), stops = constantOf(*node, 2);
    const auto steps = constantOf(*node, 3), axes = constantOf(*node, 4);
    if (!starts || !stops || !steps || !axes || rank.is_dynamic()) continue;
    const auto count = static_cast<std::size_t>(rank.get_length());
    std::vector<std::int64_t> begin(count, 0), end(count, 0), step(count, 1), all(count, 1);
    for (std::size_t i = 0; i < axes->size(); ++i) {
      const std::int64_t axis = (*axes)[i] < 0 ? (*axes)[i] + rank.get_length() : (*axes)[i];
      const auto at = static_cast<std::size_t>(axis);
      begin[at] = (*starts)[i];
      end[at] = (*stops)[i];
      step[at] = (*steps)[i];
      all[at] = 0;
    }
    const auto constant = [&](const std::vector<std::int64_t>& values) {
      return ov::op::v0::Constant::create(ov::element::i64, {count}, values);
    };
    const auto strided = std::make_shared<ov::op::v1::StridedSlice>(
        node->input_value(0), constant(begin), constant(end), constant(step), all, all);
    strided->set_friendly_name(node->get_friendly_name());
    ov::replace_node(node, strided);
  }
}

std::string platformOf(const std::string& path) {
  if (path.ends_with(".onnx")) return "onnx";
  if (path.ends_with(".tflite")) return "tflite";
  if (path.ends_with(".pb")) return "tensorflow";
  return "openvino";
}

/** A network's device and settings. */
struct Target {
  std::string device;
  ov::AnyMap settings;

  ov::InferRequest compile(const std::shared_ptr<const ov::Model>& model) const {
    return core().compile_model(model, device, settings).create_infer_request();
  }
};

/**
 * Networks compiled for one size each, which are faster than one for all sizes. A thread of its own
 * compiles them: a compilation takes longer than many inferences.
 */
class CompiledSizes {
 public:
  /** `model` takes pictures of any size. */
  CompiledSizes(std::shared_ptr<const ov::Model> model, std::size_t picture, Target target)
      : model_(std::move(model)), picture_(picture), target_(std::move(target)) {}
  ~CompiledSizes() {
    {
      const MutexLock lock(mutex_);
      ended_ = true;
    }
    changed_.notifyOne();
    if (thread_.joinable()) thread_.join();
  }

  /** The network for a picture of this shape, which is about to run. Null if there is none. */
  ov::InferRequest* find(const ov::Shape& shape) {
    const Size size{static_cast<int>(shape[shape.size() - 1]),
                    static_cast<int>(shape[shape.size() - 2])};
    recurring_.add(size);
    const MutexLock lock(mutex_);
    if (finished_) {
      compiled_.push_back(std::move(*finished_));
      finished_.reset();
    }
    if (const auto found = std::ranges::find(compiled_, shape, &Compiled::shape);
        found != compiled_.end())
      return &found->request;
    if (wanted_ || !recurring_.recurs(size)) return nullptr;
    if (compiled_.size() == kMost) {
      const auto ceased = std::ranges::find_if(
          compiled_, [&](const Compiled& each) { return recurring_.ceased(each.size); });
      if (ceased == compiled_.end()) return nullptr;
      compiled_.erase(ceased);
    }
    wanted_ = {shape, size};
    if (!thread_.joinable()) thread_ = std::thread([this] { compileWanted(); });
    changed_.notifyOne();
    return nullptr;
  }

 private:
  /** Each has its own copy of the weights. */
  static constexpr std::size_t kMost = 3;

  struct Wanted {
    ov::Shape shape;
    Size size;
  };
  struct Compiled {
    ov::Shape shape;
    Size size;
    ov::InferRequest request;
  };

  void compileWanted() {
    MutexLock lock(mutex_);
    while (true) {
      while (!ended_ && (!wanted_ || finished_)) changed_.wait(lock);
      if (ended_) return;
      const Wanted wanted = *wanted_;
      lock.unlock();
      std::optional<ov::InferRequest> request;
      try {
        const auto model = model_->clone();
        model->reshape({{picture_, ov::PartialShape(wanted.shape)}});
        request = target_.compile(model);
      } catch (const std::exception&) {
        // The network for all sizes does as well. No further size is tried.
      }
      lock.lock();
      if (!request) return;
      finished_ = {wanted.shape, wanted.size, std::move(*request)};
      wanted_.reset();
    }
  }

  const std::shared_ptr<const ov::Model> model_;
  const std::size_t picture_;
  const Target target_;
  /** Used only by the thread that runs pictures. */
  RecurringSizes recurring_;
  /** Used only by the thread that runs pictures, like the requests in it. */
  std::vector<Compiled> compiled_;

  Mutex mutex_;
  ConditionVariable changed_;
  /** The size to compile, and the compiled network. */
  std::optional<Wanted> wanted_ ELF_GUARDED_BY(mutex_);
  std::optional<Compiled> finished_ ELF_GUARDED_BY(mutex_);
  bool ended_ ELF_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

class OpenVinoSession : public Session {
 public:
  OpenVinoSession(const ModelFile& file, const std::vector<std::string>& files)
      : Session({.platform = platformOf(files[0])}) {
    const std::string device = deviceOf(file);
    auto model = core().read_model(files[0], files.size() > 1 ? files[1] : std::string());
    info_.runtime =
        "OpenVINO " + version() + ", " + device + ", " + typeOf(file.precision).to_string();
    info_.metadata = metadataOf(*model);
    findPicture(*model, files[0]);
    for (const auto& input : std::as_const(*model).inputs())
      info_.inputs.push_back({.name = nameOf(input),
                              .integer = isInteger(input.get_element_type()),
                              .bytes = input.get_element_type() == ov::element::u8});
    model = withPlainTensors(model);
    setShapes(*model, file, files[0]);
    // Now only values that are the same for all pictures are constant.
    replaceSlices(model);
    for (std::size_t i = 0; i < info_.inputs.size(); ++i)
      info_.inputs[i].shape = shapeOf(model->input(i).get_partial_shape());
    // The picture is first, as in every session.
    std::swap(info_.inputs[0], info_.inputs[picture_]);
    Target target{device,
                  {ov::hint::inference_precision(typeOf(file.precision)),
                   ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY)}};
    if (device == "CPU") {
      target.settings.insert(ov::inference_num_threads(1));
      target.settings.insert(ov::num_streams(1));
      // Each server would pin its thread to the same first core.
      target.settings.insert(ov::hint::enable_cpu_pinning(false));
    }
    general_ = target.compile(model);
    if (model->input(picture_).get_partial_shape().is_dynamic() && !sizes_)
      compiled_ = std::make_unique<CompiledSizes>(model, picture_, target);
  }

  Result<Tensors> run(const cv::Mat& image) override try {
    const auto count = static_cast<std::size_t>(image.size[0]);
    const ov::Shape shape(image.size.p + (batched_ ? 0 : 1), image.size.p + image.dims);
    ov::InferRequest* request = compiled_ ? compiled_->find(shape) : nullptr;
    if (!request) request = &general_;
    request->set_input_tensor(picture_, ov::Tensor(ov::element::f32, shape, image.data));
    if (sizes_) {
      ov::Tensor sizes(ov::element::f32, {count, 2});
      for (std::size_t i = 0; i < count; ++i) {
        sizes.data<float>()[2 * i] = static_cast<float>(image.size[3]);
        sizes.data<float>()[2 * i + 1] = static_cast<float>(image.size[2]);
      }
      request->set_input_tensor(*sizes_, sizes);
    }
    request->infer();
    Tensors tensors;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      values_[i] = request->get_output_tensor(i);
      const ov::Shape& of = values_[i].get_shape();
      tensors.push_back(
          {outputs_[i].first,
           cv::Mat(std::vector<int>(of.begin(), of.end()), CV_32F, values_[i].data<float>()),
           outputs_[i].second});
    }
    return tensors;
  } catch (const ov::Exception& error) {
    return Result<Tensors>::failure(printable(error.what()));
  }

 private:
  void findPicture(const ov::Model& model, const std::string& path) {
    for (std::size_t i = 0; i < model.inputs().size(); ++i) {
      const auto input = model.input(i);
      const ov::Rank rank = input.get_partial_shape().rank();
      if ((rank.compatible(4) || rank.compatible(3)) && !found_) {
        picture_ = i;
        found_ = true;
      } else if (isInteger(input.get_element_type()) && !sizes_) {
        sizes_ = i;
      } else {
        throw Error(path, "takes more than a picture: " + printable(nameOf(input)));
      }
    }
    if (!found_) throw Error(path, "does not take a picture");
  }

  /** Makes the network take FP32 in NCHW and return FP32, whatever it has inside. */
  std::shared_ptr<ov::Model> withPlainTensors(const std::shared_ptr<ov::Model>& model) {
    for (const auto& output : std::as_const(*model).outputs())
      outputs_.emplace_back(nameOf(output), output.get_element_type().is_integral_number());
    values_.resize(outputs_.size());
    ov::preprocess::PrePostProcessor plain(model);
    const ov::PartialShape shape = model->input(picture_).get_partial_shape();
    batched_ = shape.rank().is_dynamic() || shape.size() == 4;
    const auto isColour = [](const ov::Dimension& size) {
      return size.is_static() && size.get_length() == 3;
    };
    const bool channelsLast =
        batched_ && shape.rank().is_static() && isColour(shape[3]) && !isColour(shape[1]);
    plain.input(picture_)
        .tensor()
        .set_element_type(ov::element::f32)
        .set_layout(batched_ ? "NCHW" : "CHW");
    plain.input(picture_).model().set_layout(!batched_ ? "CHW" : channelsLast ? "NHWC" : "NCHW");
    if (sizes_) plain.input(*sizes_).tensor().set_element_type(ov::element::f32);
    for (std::size_t i = 0; i < outputs_.size(); ++i)
      plain.output(i).tensor().set_element_type(ov::element::f32);
    return plain.build();
  }

  /** The shapes of the inputs for a picture of this shape. */
  std::map<std::size_t, ov::PartialShape> shapesFor(const ov::PartialShape& picture) const {
    std::map<std::size_t, ov::PartialShape> shapes{{picture_, picture}};
    if (sizes_) shapes[*sizes_] = {batched_ ? picture[0] : ov::Dimension(1), 2};
    return shapes;
  }

  void setShapes(ov::Model& model, const ModelFile& file, const std::string& path) {
    const ModelRules& rules = file.rules;
    ov::PartialShape shape = model.input(picture_).get_partial_shape();
    if (shape.rank().is_dynamic()) shape = {1, 3, -1, -1};
    if (batched_) shape[0] = 1;
    const Size size = file.boxInput.empty() ? rules.fixedSize : file.boxInput;
    ov::Dimension& height = shape[shape.size() - 2];
    ov::Dimension& width = shape[shape.size() - 1];
    if (!size.empty()) {
      height = size.height;
      width = size.width;
    } else if (rules.multipleOf > 1) {
      requireShape(model, withSize(shape, rules.inputSize({640, 480})), path,
                   "its graph is written for one size, which [input] size must say");
      height = width = ov::Dimension::dynamic();
    }
    if (batched_ && file.maxBatch > 1) {
      const ov::PartialShape one =
          shape.is_dynamic() ? withSize(shape, rules.inputSize({640, 480})) : shape;
      ov::PartialShape two = one;
      two[0] = 2;
      requireShape(model, two, path,
                   "its graph is written for one picture at a time, so that [input] max-batch "
                   "must be 1");
      shape[0] = ov::Dimension(1, file.maxBatch);
    }
    model.reshape(shapesFor(shape));
  }

  static ov::PartialShape withSize(ov::PartialShape shape, Size size) {
    shape[shape.size() - 2] = size.height;
    shape[shape.size() - 1] = size.width;
    return shape;
  }

  /**
   * Throws elf::Error if the graph does not accept a picture of that shape. OpenVINO checks this
   * only for a known shape. With an unknown one it runs, and may write past its memory.
   */
  void requireShape(const ov::Model& model, const ov::PartialShape& shape, const std::string& path,
                    const std::string& why) const {
    try {
      model.clone()->reshape(shapesFor(shape));
    } catch (const ov::Exception&) {
      throw Error(path, why);
    }
  }

  std::size_t picture_ = 0;
  bool found_ = false;
  /** Takes 1 x 3 x H x W, not 3 x H x W. */
  bool batched_ = true;
  /** The input for the picture's size. */
  std::optional<std::size_t> sizes_;
  /** Name, and whether the network's own values are integers. */
  std::vector<std::pair<std::string, bool>> outputs_;
  /** Takes all pictures that the network does. */
  ov::InferRequest general_;
  /** Null if the network has one size, or an input for the size. */
  std::unique_ptr<CompiledSizes> compiled_;
  /** The outputs of the last run. */
  std::vector<ov::Tensor> values_;
};

Session* open(const ModelFile& file, const std::vector<std::string>& files) {
  return new OpenVinoSession(file, files);
}

std::string describe() {
  return version() + ": " + devices();
}

}  // namespace

}  // namespace elf

ELF_RUNTIME_MODULE(elf::open, elf::describe)
