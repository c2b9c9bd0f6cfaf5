// SPDX-License-Identifier: LGPL-2.1-or-later
// TorchScript networks. A separate library that is loaded when a model asks for it: LibTorch takes
// most of a second and 150 MB.
#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <torch/csrc/jit/passes/tensorexpr_fuser.h>
#include <torch/script.h>
#include <torch/version.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "elf/base/printable.h"
#include "elf/decode/canvas.h"
#include "elf/decode/recognise.h"
#include "elf/decode/rows.h"
#include "elf/server/backends.h"
#include "elf/server/model_library.h"

namespace elf {

namespace {

using at::Tensor;
using c10::IValue;

/** For boxes that the network has suppressed itself. */
constexpr double kNoSuppression = 1;

/** The type of the network's input. */
enum class Input {
  Batch,     ///< a tensor 1 x 3 x H x W
  Image,     ///< a tensor 3 x H x W
  Images,    ///< a list of such tensors, as torchvision
  DictList,  ///< a list of dicts whose `image` is such a tensor
  DictTuple  ///< a tuple of one such dict, as Detectron2
};

/** A network's output for n objects. What it does not output is undefined. Boxes are in its
 * pixels. */
struct Objects {
  Tensor boxes;           ///< n x 4: x0, y0, x1, y1
  Tensor scores;          ///< n
  Tensor labels;          ///< n
  Tensor masks;           ///< n x h x w or n x 1 x h x w: of the whole picture, or of the box
  Tensor keypoints;       ///< n x joints x 3: x, y, visibility
  Tensor keypointScores;  ///< n x joints: logits of the visibility
};

/** elf-server's workers are its only threads: LibTorch and its BLAS must not start more. */
void useOneThread() {
  at::set_num_threads(1);
  // Debian's default BLAS has its own threads. Another BLAS may not have this function.
  if (void* const set = dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))
    reinterpret_cast<void (*)(int)>(set)(1);
}

/**
 * A LibTorch with LLVM, as in Debian 13, compiles sequences of a network's operations to machine
 * code at run time: for minutes at each size of picture, and sometimes with a wrong result.
 */
void compileNothing() {
  torch::jit::setTensorExprFuserEnabled(false);
}

/** LibTorch's message without its surroundings. */
std::string reasonOf(const std::exception& error) {
  const auto* const own = dynamic_cast<const c10::Error*>(&error);
  std::string_view text = own ? own->what_without_backtrace() : error.what();
  // The interpreter's message ends with the cause.
  if (const std::size_t at = text.rfind("Error: "); at != text.npos) text.remove_prefix(at + 7);
  return printable(text);
}

/** Takes a tensor by one of the names that torchvision and Detectron2 use. */
void takeNamed(const std::string& name, const Tensor& tensor, Objects& objects) {
  static constexpr std::pair<std::string_view, Tensor Objects::*> kNames[] = {
      {"boxes", &Objects::boxes},
      {"pred_boxes", &Objects::boxes},
      {"scores", &Objects::scores},
      {"labels", &Objects::labels},
      {"pred_classes", &Objects::labels},
      {"masks", &Objects::masks},
      {"pred_masks", &Objects::masks},
      {"keypoints", &Objects::keypoints},
      {"pred_keypoints", &Objects::keypoints},
      {"keypoints_scores", &Objects::keypointScores}};
  for (const auto& [known, member] : kNames)
    if (name == known) objects.*member = tensor;
}

/** True for n x 4 corners, or n x 5 with the score, as in MMDetection. */
bool isBoxes(const Tensor& tensor) {
  return tensor.is_floating_point() && tensor.dim() == 2 &&
         (tensor.size(1) == 4 || tensor.size(1) == 5);
}

/**
 * Takes the tensors of a tuple, which have no names, by type and shape. Of two alike the first
 * counts: Detectron2's tuple ends with the picture's size, which may look like two labels.
 */
void takeUnnamed(std::vector<Tensor> tensors, int joints, Objects& objects) {
  const bool batched = std::ranges::any_of(tensors, [](const Tensor& tensor) {
    return tensor.dim() == 3 && tensor.size(0) == 1 && isBoxes(tensor[0]);
  });
  if (batched)
    for (Tensor& tensor : tensors)
      if (tensor.dim() > 0 && tensor.size(0) == 1) tensor = tensor[0];
  const auto boxes = std::ranges::find_if(tensors, isBoxes);
  if (boxes == tensors.end()) return;
  objects.boxes = boxes->narrow(1, 0, 4);
  if (boxes->size(1) == 5) objects.scores = boxes->select(1, 4);
  const auto take = [](Tensor& place, const Tensor& tensor) {
    if (!place.defined()) place = tensor;
  };
  for (auto at = tensors.begin(); at != tensors.end(); ++at) {
    const Tensor& tensor = *at;
    if (at == boxes || tensor.dim() == 0 || tensor.size(0) != objects.boxes.size(0)) continue;
    if (tensor.dim() == 1)
      take(tensor.is_floating_point() ? objects.scores : objects.labels, tensor);
    else if (tensor.dim() == 3 && tensor.size(2) == 3 && (joints == 0 || tensor.size(1) == joints))
      take(objects.keypoints, tensor);
    else if (joints > 0 && tensor.dim() == 2 && tensor.size(1) == joints)
      take(objects.keypointScores, tensor);
    else if (tensor.dim() >= 3)
      take(objects.masks, tensor);
  }
}

/** Finds the first value with boxes, recursively in lists, tuples and dicts. */
bool take(const IValue& value, int joints, Objects& objects) {
  if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict())
      if (entry.key().isString() && entry.value().isTensor())
        takeNamed(entry.key().toStringRef(), entry.value().toTensor(), objects);
    return objects.boxes.defined();
  }
  if (!value.isTuple() && !value.isList()) return false;
  const std::vector<IValue> elements =
      value.isTuple() ? value.toTuple()->elements().vec() : value.toListRef().vec();
  std::vector<Tensor> tensors;
  for (const IValue& element : elements)
    if (element.isTensor())
      tensors.push_back(element.toTensor());
    else if (take(element, joints, objects))
      return true;
  takeUnnamed(std::move(tensors), joints, objects);
  return objects.boxes.defined();
}

/** All tensors in order, recursively in lists, tuples and dicts. */
void collect(const IValue& value, std::vector<Tensor>& tensors) {
  if (value.isGenericDict())
    for (const auto& entry : value.toGenericDict()) collect(entry.value(), tensors);
  if (value.isTensor()) tensors.push_back(value.toTensor());
  if (value.isTuple())
    for (const IValue& element : value.toTuple()->elements()) collect(element, tensors);
  if (value.isList())
    for (const IValue& element : value.toListRef()) collect(element, tensors);
}

/** The first list of `count` elements, recursively in tuples: torchvision's is beside its
 * losses. */
std::optional<std::vector<IValue>> listOf(const IValue& value, std::size_t count) {
  if (value.isList() && value.toListRef().size() == count) return value.toListRef().vec();
  if (value.isTuple())
    for (const IValue& element : value.toTuple()->elements())
      if (auto found = listOf(element, count)) return found;
  return std::nullopt;
}

/** Equal, except for errors of arithmetic. */
bool isSame(const Tensor& a, const Tensor& b) {
  return a.sizes() == b.sizes() && at::allclose(a.to(at::kFloat), b.to(at::kFloat), 1e-3, 1e-3);
}

/** Throws elf::Error naming the key if the device does not exist. */
at::Device deviceOf(const ModelFile& file) {
  if (file.device != "cuda") return at::kCPU;
  if (!at::hasCUDA())
    throw Error(file.path + ": [model] device", "is cuda, which LibTorch finds none of here");
  return at::kCUDA;
}

/** Loads libraries with additional operators, such as torchvision's. They stay loaded. */
void loadOperators(const ModelFile& file) {
  for (const std::string& library : file.libraries) {
    const std::filesystem::path beside = std::filesystem::path(file.path).parent_path() / library;
    std::error_code ignored;
    const std::string path = std::filesystem::exists(beside, ignored)
                                 ? std::filesystem::absolute(beside).string()
                                 : library;
    if (!dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL))
      throw Error(file.path + ": [model] libraries", printable(dlerror()));
  }
}

/** Ultralytics' notes, and the size of pictures from them. Nothing for other exporters. */
NetworkInfo infoOf(const std::string& notes) {
  NetworkInfo info{.platform = "pytorch_libtorch", .runtime = "LibTorch " TORCH_VERSION};
  const auto json = nlohmann::json::parse(notes, nullptr, false);
  if (!json.is_object()) return info;
  for (const auto& [key, value] : json.items())
    info.metadata[key] = value.is_string() ? value.get<std::string>() : value.dump();
  const auto size = json.find("imgsz");
  if (size == json.end() || !size->is_array() || size->size() != 2 ||
      !std::ranges::all_of(*size, [](const auto& side) { return side.is_number_integer(); }))
    return info;
  const auto arguments = json.find("args");
  const bool any = arguments != json.end() && arguments->is_object() &&
                   arguments->value("dynamic", nlohmann::json()) == true;
  info.inputs = {{.name = "images",
                  .shape = any ? std::vector{1, 3, -1, -1}
                               : std::vector{1, 3, (*size)[0].get<int>(), (*size)[1].get<int>()}}};
  return info;
}

/** A TorchScript file, given pictures as its `.model` file states. */
class TorchNetwork {
 public:
  explicit TorchNetwork(const ModelFile& file)
      : file_(withConvention(file)), path_(weightFiles(file)[0]), device_(deviceOf(file)) {
    useOneThread();
    compileNothing();
    loadOperators(file);
    try {
      torch::jit::ExtraFilesMap notes{{"config.txt", ""}};
      module_ = torch::jit::load(path_, device_, notes);
      info_ = infoOf(notes["config.txt"]);
      module_.eval();
      input_ = inputOf();
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      // c10::Error, and torch::jit::ErrorReport for unknown operators.
      const std::string reason = reasonOf(error);
      // Files of torch.save() have none. Both kinds are called .pt.
      if (reason.find("constants.pkl") != reason.npos)
        throw Error(path_,
                    "is a checkpoint, not TorchScript (export it first: torch.jit.save(), "
                    "or yolo export format=torchscript)");
      throw Error(path_, "LibTorch " TORCH_VERSION " cannot load it: " + reason);
    }
  }

  const NetworkInfo& info() const { return info_; }
  const std::string& path() const { return path_; }
  /** Takes a picture as a tensor, alone or in a batch. */
  bool takesTensor() const { return input_ == Input::Batch || input_ == Input::Image; }
  /** Takes a list of such tensors. */
  bool takesTensors() const { return input_ == Input::Images; }
  /** Takes several pictures at once. */
  bool takesSeveral() const { return input_ != Input::Image && input_ != Input::DictTuple; }

  /** Prepares pictures as `file` states from now on. */
  void prepareAs(const ModelFile& file) { file_ = withConvention(file); }

  /** More than one canvas only if takesSeveral(). Throws LibTorch's exceptions. */
  IValue run(std::span<const Canvas> canvases) {
    const Running running;
    return module_.forward({inputFor(canvases)});
  }

  /** Splits the output for `count` pictures into one for each. */
  std::vector<IValue> divided(const IValue& answer, std::size_t count) const {
    std::vector<IValue> parts;
    if (input_ != Input::Batch) {
      if (const auto list = listOf(answer, count)) return *list;
      throw Error(path_, "the network gives no list of " + std::to_string(count) + " answers");
    }
    std::vector<Tensor> all;
    collect(answer, all);
    for (std::size_t i = 0; i < count; ++i) {
      std::vector<IValue> own;
      for (const Tensor& tensor : all) {
        if (tensor.dim() == 0 || std::cmp_not_equal(tensor.size(0), count))
          throw Error(path_, "a tensor is not of " + std::to_string(count) + " pictures");
        own.emplace_back(tensor.narrow(0, static_cast<std::int64_t>(i), 1));
      }
      parts.emplace_back(c10::ivalue::Tuple::create(own));
    }
    return parts;
  }

 private:
  /** Each thread needs it while it runs the network. */
  struct Running {
    // The number of threads that was set applies only to threads that ask for it.
    Running() { at::init_num_threads(); }
    const c10::InferenceMode inference;
  };

  Input inputOf() const {
    const auto& arguments = module_.get_method("forward").function().getSchema().arguments();
    if (arguments.size() < 2) throw Error(path_, "its forward() does not take a picture");
    const c10::TypePtr type = arguments[1].type();
    const auto holdsDict = [](const c10::TypePtr& element) {
      return element->kind() == c10::TypeKind::DictType;
    };
    if (type->kind() == c10::TypeKind::TensorType) return file_.batch ? Input::Batch : Input::Image;
    if (const auto list = type->cast<c10::ListType>()) {
      if (list->getElementType()->kind() == c10::TypeKind::TensorType) return Input::Images;
      if (holdsDict(list->getElementType())) return Input::DictList;
    }
    if (const auto tuple = type->cast<c10::TupleType>();
        tuple && tuple->elements().size() == 1 && holdsDict(tuple->elements()[0]))
      return Input::DictTuple;
    throw Error(path_,
                "its forward() takes " + printable(type->str()) + ", which is not a picture");
  }

  IValue inputFor(std::span<const Canvas> canvases) const {
    std::vector<Tensor> images;
    for (const Canvas& canvas : canvases) images.push_back(imageFor(canvas.pixels()));
    const Tensor& image = images[0];
    if (input_ == Input::Batch) return images.size() == 1 ? image.unsqueeze(0) : at::stack(images);
    if (input_ == Input::Image) return image;
    if (input_ == Input::Images) return c10::List<Tensor>(images);
    c10::List<c10::Dict<std::string, Tensor>> dicts;
    for (const Tensor& each : images) {
      c10::Dict<std::string, Tensor> dict;
      dict.insert("image", each);
      dicts.push_back(dict);
    }
    if (input_ == Input::DictTuple) return c10::ivalue::Tuple::create({IValue(dicts.get(0))});
    return dicts;
  }

  Tensor imageFor(const cv::Mat& canvas) const {
    Tensor image = at::from_blob(canvas.data, {canvas.rows, canvas.cols, 3}, at::kByte)
                       .to(device_)
                       .permute({2, 0, 1})
                       .to(at::kFloat);
    if (*file_.colour == ChannelOrder::Rgb) image = image.flip(0);
    const auto& mean = *file_.mean;
    if (mean != std::array<double, 3>{})
      image = image - at::tensor({mean[0], mean[1], mean[2]}, image.options()).view({3, 1, 1});
    const auto& std = *file_.std;
    image = image *
            (*file_.scale / at::tensor({std[0], std[1], std[2]}, image.options())).view({3, 1, 1});
    return image.contiguous();
  }

  ModelFile file_;
  std::string path_;
  at::Device device_;
  torch::jit::Module module_;
  NetworkInfo info_;
  Input input_ = Input::Batch;
};

/**
 * Brings all outputs to the CPU's memory, and drops those that are not for each object. Returns the
 * first one that `rules` ask for and that is missing.
 */
std::string complete(Objects& objects, const ModelRules& rules) {
  const auto bring = [&](Tensor& tensor, c10::ScalarType type) {
    if (tensor.defined() && tensor.dim() > 0 && tensor.size(0) == objects.boxes.size(0))
      tensor = tensor.to(at::kCPU, type).contiguous();
    else
      tensor = Tensor();
    return tensor.defined();
  };
  if (!objects.boxes.defined() || !isBoxes(objects.boxes)) return "boxes";
  bring(objects.boxes, at::kFloat);
  if (!bring(objects.scores, at::kFloat) || objects.scores.dim() != 1) return "scores";
  if (!bring(objects.labels, at::kLong) || objects.labels.dim() != 1) return "labels";
  if (rules.masks) {
    if (bring(objects.masks, at::kFloat) && objects.masks.dim() == 4 && objects.masks.size(1) == 1)
      objects.masks = objects.masks.squeeze(1);
    if (!objects.masks.defined() || objects.masks.dim() != 3) return "masks";
  }
  if (rules.keypoints > 0) {
    const bool each = bring(objects.keypoints, at::kFloat) && objects.keypoints.dim() == 3 &&
                      objects.keypoints.size(1) == rules.keypoints &&
                      objects.keypoints.size(2) == 3;
    if (!each) return "keypoints";
    if (bring(objects.keypointScores, at::kFloat) &&
        objects.keypointScores.sizes() == objects.keypoints.sizes().slice(0, 2))
      objects.keypoints.select(2, 2).copy_(objects.keypointScores.sigmoid());
  }
  return {};
}

/** All tensors as a decoder reads them. `values` keeps their memory. */
Tensors tensorsOf(const IValue& answer, std::vector<Tensor>& values) {
  collect(answer, values);
  Tensors tensors;
  for (Tensor& value : values) {
    const bool whole = !value.is_floating_point();
    value = value.to(at::kCPU, at::kFloat).contiguous();
    std::vector<int> sizes(value.sizes().begin(), value.sizes().end());
    if (sizes.empty()) sizes = {1};
    tensors.push_back({"output", cv::Mat(sizes, CV_32F, value.data_ptr<float>()), whole});
  }
  return tensors;
}

/** notFinite() of all that the network outputs. */
std::string notFiniteIn(const IValue& answer) {
  std::vector<Tensor> values;
  return notFinite(tensorsOf(answer, values));
}

/** `file` completed from its network, which outputs objects, or tensors that a decoder reads. */
ModelFile recognised(ModelFile file, const IValue& answer, const TorchNetwork& network,
                     Size canvas) {
  Objects objects;
  take(answer, file.rules.keypoints, objects);
  if (complete(objects, {}).empty()) {
    file.decoder = OutputDecoder::Objects;
    // Only torchvision's networks take it. They expect RGB from 0 to 1.
    if (network.takesTensors()) {
      if (!file.scale && !file.mean && !file.std) file.scale = 1.0 / 255;
      if (!file.colour) file.colour = ChannelOrder::Rgb;
    }
    if (file.openTask) {
      file.rules.masks = objects.masks.defined();
      file.rules.keypoints =
          objects.keypoints.defined() && objects.keypoints.dim() == 3 && !file.rules.masks
              ? static_cast<int>(objects.keypoints.size(1))
              : 0;
    }
    requireTask(file);
    return file;
  }
  std::vector<Tensor> values;
  const Tensors tensors = tensorsOf(answer, values);
  return recognise(network.path(), std::move(file), network.info(), tensors, canvas);
}

class TorchModel : public InferenceModel {
 public:
  explicit TorchModel(const ModelFile& file) : TorchModel(opened(file)) {}

  std::string platform() const override { return network_.info().platform; }
  std::string runtime() const override { return network_.info().runtime; }

  Answer run(const ImageView& bgr, const Placement&) override try {
    const Canvas canvas = canvasOf(matOf(bgr));
    return read(network_.run({&canvas, 1}), canvas);
  } catch (const std::exception& error) {
    return Answer::failure(name() + ": " + reasonOf(error));
  }

  std::vector<Answer> runBatch(std::span<const PlacedPicture> pictures) override try {
    std::vector<Canvas> canvases;
    for (const PlacedPicture& picture : pictures) canvases.push_back(canvasOf(matOf(picture.bgr)));
    const std::vector<IValue> values = network_.divided(network_.run(canvases), pictures.size());
    std::vector<Answer> answers;
    for (std::size_t i = 0; i < pictures.size(); ++i)
      answers.push_back(read(values[i], canvases[i]));
    return answers;
  } catch (const std::exception& error) {
    return std::vector(pictures.size(), Answer::failure(name() + ": " + reasonOf(error)));
  }

 private:
  struct Opened {
    /** Complete. */
    ModelFile file;
    TorchNetwork network;
  };

  static Opened opened(const ModelFile& file) {
    TorchNetwork network(file);
    ModelFile known = withNotes(file, network.info(), network.path());
    if (known.decoder == OutputDecoder::Auto) {
      const auto look = [&](const Canvas& canvas) {
        std::optional<IValue> answer;
        try {
          answer = network.run({&canvas, 1});
        } catch (const std::exception& error) {
          return Result<ModelFile>::failure(reasonOf(error));
        }
        if (std::string why = notFiniteIn(*answer); !why.empty())
          return Result<ModelFile>::failure(std::move(why));
        return Result<ModelFile>(recognised(known, *answer, network, canvas.size()));
      };
      known = recognisedBy(look, known, network.path());
    }
    known = withConvention(std::move(known));
    network.prepareAs(known);
    return {std::move(known), std::move(network)};
  }

  explicit TorchModel(Opened opened)
      : InferenceModel(opened.file),
        network_(std::move(opened.network)),
        decode_(opened.file.decoder == OutputDecoder::Objects ? nullptr
                                                              : decoderFor(opened.file.decoder)) {
    tryOnce(*this, network_.path());
    if (file().maxBatch > 1) tryBatch();
  }

  Canvas canvasOf(const cv::Mat& bgr) const { return Canvas::ofPicture(bgr, rules(), *file().fit); }

  /** Throws elf::Error if the output for two pictures at once differs from that for each. */
  void tryBatch() {
    const char* const key = "[input] max-batch";
    if (!network_.takesSeveral() || (network_.takesTensor() && !decode_))
      throw Error(file().path + ": " + key, "must be 1: the network takes one picture at a time");
    std::vector<Canvas> canvases;
    for (const cv::Mat& picture : trialPictures(trialSize(rules())))
      canvases.push_back(canvasOf(picture));
    std::string why;
    try {
      const c10::InferenceMode inference;
      const std::vector<IValue> both = network_.divided(network_.run(canvases), 2);
      for (std::size_t i = 0; i < both.size(); ++i) {
        std::vector<Tensor> one, another;
        collect(network_.divided(network_.run({&canvases[i], 1}), 1)[0], one);
        collect(both[i], another);
        if (one.empty() || !std::ranges::equal(one, another, isSame))
          why = "the network says of two something else than of each";
      }
    } catch (const std::exception& error) {
      why = reasonOf(error);
    }
    if (!why.empty())
      throw Error(file().path + ": " + key, "must be 1 for " + network_.path() + ": " + why);
  }

  Answer read(const IValue& answer, const Canvas& canvas) const {
    const c10::InferenceMode inference;
    if (const std::string why = notFiniteIn(answer); !why.empty())
      return Answer::failure(name() + ": " + why);
    if (decode_) {
      std::vector<Tensor> values;
      return toDetections(tensorsOf(answer, values), decode_, canvas, file());
    }
    Objects objects;
    take(answer, rules().keypoints, objects);
    if (const std::string missing = complete(objects, rules()); !missing.empty())
      return Answer::failure(name() + ": the network tells no " + missing +
                             " that [output] decoder can read");
    return toDetections(candidatesOf(objects, canvas.size()), kNoSuppression, canvas, rules());
  }

  Candidates candidatesOf(const Objects& objects, Size canvas) const {
    const auto boxes = objects.boxes.accessor<float, 2>();
    const auto scores = objects.scores.accessor<float, 1>();
    const auto labels = objects.labels.accessor<std::int64_t, 1>();
    const Reading reading{.canvas = canvas, .minScore = rules().minScore};
    Candidates found;
    for (std::int64_t i = 0; i < boxes.size(0); ++i) {
      Candidate candidate{.box = {boxes[i][0], boxes[i][1], boxes[i][2], boxes[i][3]},
                          .score = scores[i],
                          .labelId = labels[i],
                          .row = static_cast<std::size_t>(i)};
      if (rules().keypoints > 0) {
        const auto joints = objects.keypoints.accessor<float, 3>()[i];
        for (std::int64_t j = 0; j < joints.size(0); ++j)
          candidate.keypoints.push_back(
              {joints[j][0], joints[j][1], std::clamp(joints[j][2], 0.0F, 1.0F)});
      }
      add(found.list, reading, std::move(candidate));
    }
    found.maskOf = [masks = objects.masks, canvas](const Candidate& candidate) {
      const Tensor mask = masks[static_cast<std::int64_t>(candidate.row)];
      const cv::Mat values(static_cast<int>(mask.size(0)), static_cast<int>(mask.size(1)), CV_32F,
                           mask.data_ptr<float>());
      const bool whole = values.rows == canvas.height && values.cols == canvas.width;
      return MaskGrid{values, whole ? toBox(wholeFrame(canvas)) : candidate.box};
    };
    return found;
  }

  TorchNetwork network_;
  /** Null if the network outputs objects itself. */
  const Decoder decode_;
};

}  // namespace

}  // namespace elf

ELF_MODEL_LIBRARY(elf::TorchModel)
