// SPDX-License-Identifier: LGPL-2.1-or-later
// TorchScript networks. A library of its own, which is loaded when a model asks for it: LibTorch
// takes most of a second and 150 MB.
#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <torch/script.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <opencv2/imgproc.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "elf/base/printable.h"
#include "elf/server/backends.h"
#include "elf/server/model_library.h"
#include "elf/wire/infer.h"

namespace elf {

namespace {

using at::Tensor;
using c10::IValue;

constexpr int kPadding = 114;
constexpr float kMaskThreshold = 0.5F;

/** How the network wants its picture. */
enum class Input {
  Batch,     ///< a tensor 1 x 3 x H x W
  Image,     ///< a tensor 3 x H x W
  Images,    ///< a list of the latter, as torchvision
  DictList,  ///< a list of dicts whose `image` is the latter
  DictTuple  ///< a tuple of one such dict, as Detectron2
};

/** What a network tells of n objects, each undefined where it does not; boxes are in its pixels. */
struct Objects {
  Tensor boxes;           ///< n x 4: x0, y0, x1, y1
  Tensor scores;          ///< n
  Tensor labels;          ///< n
  Tensor masks;           ///< n x h x w or n x 1 x h x w: of the whole picture, or of the box
  Tensor keypoints;       ///< n x joints x 3: x, y, visibility
  Tensor keypointScores;  ///< n x joints: logits of the visibility
};

/** elf-server's workers are its threads: neither LibTorch nor its BLAS makes more of them. */
void useOneThread() {
  at::set_num_threads(1);
  // Debian's default BLAS has threads of its own, and one that others bring may not have this.
  if (void* const set = dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))
    reinterpret_cast<void (*)(int)>(set)(1);
}

/** LibTorch's words without what surrounds them. */
std::string reasonOf(const std::exception& error) {
  const auto* const own = dynamic_cast<const c10::Error*>(&error);
  std::string_view text = own ? own->what_without_backtrace() : error.what();
  // What the interpreter says ends with what failed.
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

/** True for n x 4 corners, or n x 5 with the score, as MMDetection has them. */
bool isBoxes(const Tensor& tensor) {
  return tensor.is_floating_point() && tensor.dim() == 2 &&
         (tensor.size(1) == 4 || tensor.size(1) == 5);
}

/**
 * Takes the tensors of a tuple, which have no names, by type and shape. Of two alike the first
 * counts: Detectron2's tuple ends with the size of the picture, which may look like two labels.
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
    else if (joints > 0 && tensor.dim() == 3 && tensor.size(1) == joints && tensor.size(2) == 3)
      take(objects.keypoints, tensor);
    else if (joints > 0 && tensor.dim() == 2 && tensor.size(1) == joints)
      take(objects.keypointScores, tensor);
    else if (tensor.dim() >= 3)
      take(objects.masks, tensor);
  }
}

/** Looks for the first that has boxes, down through lists, tuples and dicts. */
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

/**
 * YOLOX before its own decoding: 1 x N x (5 + classes), cell after cell of the strides 8, 16 and
 * 32, row-major: centre relative to the cell, logarithm of width and height, both in strides,
 * objectness, classes. (Ge et al., "YOLOX", 2021.) Undefined where it is of another shape.
 */
Objects readYolox(const Tensor& rows, Size canvas, float minScore) {
  std::vector<Tensor> grids;
  for (const int stride : {8, 16, 32}) {
    const auto places =
        at::meshgrid({at::arange(canvas.height / stride), at::arange(canvas.width / stride)}, "ij");
    grids.push_back(
        at::stack({places[1], places[0], at::full_like(places[0], stride)}, 2).reshape({-1, 3}));
  }
  const Tensor cells = at::cat(grids).to(at::kFloat);
  if (rows.dim() != 3 || rows.size(0) != 1 || rows.size(1) != cells.size(0) || rows.size(2) < 6)
    return {};
  const Tensor row = rows[0];
  const auto [best, labels] = row.narrow(1, 5, row.size(1) - 5).max(1);
  const Tensor scores = best * row.select(1, 4);
  const Tensor strides = cells.narrow(1, 2, 1);
  const Tensor centres = (row.narrow(1, 0, 2) + cells.narrow(1, 0, 2)) * strides;
  const Tensor halves = row.narrow(1, 2, 2).exp() * strides / 2;
  const Tensor kept = (scores >= minScore).nonzero().squeeze(1);
  return {.boxes = at::cat({centres - halves, centres + halves}, 1).index_select(0, kept),
          .scores = scores.index_select(0, kept),
          .labels = labels.index_select(0, kept)};
}

/** How sure a network is at a place between the middles of its cells; outside it is not. */
float interpolate(const at::TensorAccessor<float, 2>& grid, double x, double y) {
  const auto at = [&](std::int64_t row, std::int64_t column) {
    const bool inside = row >= 0 && row < grid.size(0) && column >= 0 && column < grid.size(1);
    return inside ? static_cast<double>(grid[row][column]) : 0.0;
  };
  const double left = std::floor(x), top = std::floor(y);
  const auto column = static_cast<std::int64_t>(left);
  const auto row = static_cast<std::int64_t>(top);
  const double right = x - left, bottom = y - top;
  return static_cast<float>(
      (1 - bottom) * ((1 - right) * at(row, column) + right * at(row, column + 1)) +
      bottom * ((1 - right) * at(row + 1, column) + right * at(row + 1, column + 1)));
}

class TorchModel : public InferenceModel {
 public:
  explicit TorchModel(const ModelFile& file)
      : InferenceModel(file), device_(file.cuda ? at::kCUDA : at::kCPU) {
    useOneThread();
    if (file.cuda && !at::hasCUDA())
      throw Error(file.path + ": [model] device", "is cuda, which LibTorch finds none of here");
    loadOperators();
    const std::string path = weightFiles(file)[0];
    try {
      module_ = torch::jit::load(path, device_);
      module_.eval();
      input_ = inputOf(path);
    } catch (const c10::Error& error) {
      throw Error(path, "LibTorch cannot load it: " + reasonOf(error));
    }
    tryOnce(path);
  }

  std::string platform() const override { return "pytorch_libtorch"; }

  Result<std::vector<Detection>> run(const ImageView& bgr, const Placement&) override try {
    // The number of threads that was set counts in threads that ask for it.
    at::init_num_threads();
    const c10::InferenceMode inference;
    const cv::Mat canvas = toCanvas(matOf(bgr));
    const Size size{canvas.cols, canvas.rows};
    const IValue answer = module_.forward({inputFor(canvas)});
    Objects objects;
    if (file().decoder == OutputDecoder::Yolox) {
      if (answer.isTensor()) objects = readYolox(answer.toTensor().cpu(), size, rules().minScore);
    } else {
      take(answer, rules().keypoints, objects);
    }
    if (const std::string missing = complete(objects); !missing.empty())
      return Result<std::vector<Detection>>::failure(name() + ": the network tells no " + missing +
                                                     " that [output] decoder can read");
    return detectionsOf(objects, size, bgr.size);
  } catch (const std::exception& error) {
    return Result<std::vector<Detection>>::failure(name() + ": " + reasonOf(error));
  }

 private:
  /** Libraries that bring operators of their own, as torchvision's. They stay loaded. */
  void loadOperators() const {
    for (const std::string& library : file().libraries) {
      const std::filesystem::path beside =
          std::filesystem::path(file().path).parent_path() / library;
      std::error_code ignored;
      const std::string path = std::filesystem::exists(beside, ignored)
                                   ? std::filesystem::absolute(beside).string()
                                   : library;
      if (!dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL))
        throw Error(file().path + ": [model] libraries", printable(dlerror()));
    }
  }

  Input inputOf(const std::string& path) const {
    const auto& arguments = module_.get_method("forward").function().getSchema().arguments();
    if (arguments.size() < 2) throw Error(path, "its forward() takes no picture");
    const c10::TypePtr type = arguments[1].type();
    const auto holdsDict = [](const c10::TypePtr& element) {
      return element->kind() == c10::TypeKind::DictType;
    };
    if (type->kind() == c10::TypeKind::TensorType)
      return file().batch ? Input::Batch : Input::Image;
    if (const auto list = type->cast<c10::ListType>()) {
      if (list->getElementType()->kind() == c10::TypeKind::TensorType) return Input::Images;
      if (holdsDict(list->getElementType())) return Input::DictList;
    }
    if (const auto tuple = type->cast<c10::TupleType>();
        tuple && tuple->elements().size() == 1 && holdsDict(tuple->elements()[0]))
      return Input::DictTuple;
    throw Error(path, "its forward() takes " + printable(type->str()) + ", which is no picture");
  }

  /** A network of another layout than the file says must fail now, not at the first request. */
  void tryOnce(const std::string& path) {
    const Size size = rules().fixedSize.empty() ? Size{320, 320} : rules().fixedSize;
    const cv::Mat grey(size.height, size.width, CV_8UC3, cv::Scalar::all(kPadding));
    const auto result = run(viewOf(grey), {.frame = size});
    if (!result) throw Error(path, result.error());
  }

  cv::Mat toCanvas(const cv::Mat& picture) const {
    const Size size{picture.cols, picture.rows};
    const double scale = rules().inputScale(size);
    const Size to = size.scaled(scale);
    cv::Mat canvas = picture;
    if (to != size)
      cv::resize(picture, canvas, {to.width, to.height}, 0, 0,
                 scale < 1 ? cv::INTER_AREA : cv::INTER_LINEAR);
    const Size input = rules().inputSize(size);
    if (input != to)
      cv::copyMakeBorder(canvas, canvas, 0, input.height - to.height, 0, input.width - to.width,
                         cv::BORDER_CONSTANT, cv::Scalar::all(kPadding));
    return canvas.isContinuous() ? canvas : canvas.clone();
  }

  IValue inputFor(const cv::Mat& canvas) const {
    Tensor image = at::from_blob(canvas.data, {canvas.rows, canvas.cols, 3}, at::kByte)
                       .to(device_)
                       .permute({2, 0, 1})
                       .to(at::kFloat);
    if (file().colour == ChannelOrder::Rgb) image = image.flip(0);
    const auto& mean = file().mean;
    if (mean != std::array<double, 3>{})
      image = image - at::tensor({mean[0], mean[1], mean[2]}, image.options()).view({3, 1, 1});
    image = (image * file().scale).contiguous();
    if (input_ == Input::Batch) return image.unsqueeze(0);
    if (input_ == Input::Image) return image;
    if (input_ == Input::Images) return c10::List<Tensor>({image});
    c10::Dict<std::string, Tensor> dict;
    dict.insert("image", image);
    if (input_ == Input::DictTuple) return c10::ivalue::Tuple::create({IValue(dict)});
    c10::List<c10::Dict<std::string, Tensor>> list;
    list.push_back(dict);
    return list;
  }

  /** Brings all to this machine's memory, for as many objects each. Returns what is missing. */
  std::string complete(Objects& objects) const {
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
    if (rules().masks) {
      if (bring(objects.masks, at::kFloat) && objects.masks.dim() == 4 &&
          objects.masks.size(1) == 1)
        objects.masks = objects.masks.squeeze(1);
      if (!objects.masks.defined() || objects.masks.dim() != 3) return "masks";
    }
    if (rules().keypoints > 0) {
      const bool each = bring(objects.keypoints, at::kFloat) && objects.keypoints.dim() == 3 &&
                        objects.keypoints.size(1) == rules().keypoints &&
                        objects.keypoints.size(2) == 3;
      if (!each) return "keypoints";
      if (bring(objects.keypointScores, at::kFloat) &&
          objects.keypointScores.sizes() == objects.keypoints.sizes().slice(0, 2))
        objects.keypoints.select(2, 2).copy_(objects.keypointScores.sigmoid());
    }
    return {};
  }

  /** The strongest first; of a decoder that leaves it to others, without doubles. */
  std::vector<Detection> detectionsOf(const Objects& objects, Size canvas, Size picture) const {
    const auto scale = static_cast<float>(rules().inputScale(picture));
    const auto boxes = objects.boxes.accessor<float, 2>();
    const auto scores = objects.scores.accessor<float, 1>();
    const auto labels = objects.labels.accessor<std::int64_t, 1>();
    const Tensor order = objects.scores.argsort(/*dim=*/0, /*descending=*/true);
    std::vector<Detection> detections;
    double maskPixels = 0;
    for (const std::int64_t i :
         std::span(order.data_ptr<std::int64_t>(), static_cast<std::size_t>(order.numel()))) {
      if (!(scores[i] >= rules().minScore) || detections.size() == wire::kMaxDetections) break;
      const Box box{boxes[i][0], boxes[i][1], boxes[i][2], boxes[i][3]};
      if (!box.finite()) continue;
      Detection detection{.box = clip(scaled(box, 1 / scale, 1 / scale), picture),
                          .score = scores[i],
                          .labelId = labels[i],
                          .label = rules().label(labels[i])};
      if (detection.box.empty() || isDouble(detection, detections)) continue;
      if (rules().masks) {
        const Rect rect = roundOutwards(detection.box, picture);
        // A client takes no answer with more.
        maskPixels += rect.area();
        if (maskPixels > wire::kMaxMaskPixels) break;
        detection.mask = maskOf(objects.masks[i], box, canvas, scale, rect);
      }
      if (rules().keypoints > 0)
        detection.keypoints = jointsOf(objects.keypoints[i], scale, picture);
      detections.push_back(std::move(detection));
    }
    return detections;
  }

  bool isDouble(const Detection& detection, const std::vector<Detection>& stronger) const {
    return file().decoder != OutputDecoder::Objects &&
           std::ranges::any_of(stronger, [&](const Detection& other) {
             return other.labelId == detection.labelId &&
                    iou(other.box, detection.box) > file().nms;
           });
  }

  /** Over `rect` of the picture; `box` is in pixels of the canvas. */
  static Mask maskOf(const Tensor& tensor, const Box& box, Size canvas, float scale,
                     const Rect& rect) {
    const auto grid = tensor.accessor<float, 2>();
    const bool whole = grid.size(0) == canvas.height && grid.size(1) == canvas.width;
    // From pixels of the canvas to cells: those of the canvas, or as many over the box.
    const double perX = whole ? 1 : static_cast<double>(grid.size(1)) / box.width();
    const double perY = whole ? 1 : static_cast<double>(grid.size(0)) / box.height();
    const double fromX = whole ? 0 : box.x0, fromY = whole ? 0 : box.y0;
    std::vector<std::uint8_t> pixels;
    pixels.reserve(static_cast<std::size_t>(rect.area()));
    for (int y = rect.y; y < rect.bottom(); ++y)
      for (int x = rect.x; x < rect.right(); ++x)
        pixels.push_back(interpolate(grid, ((x + 0.5) * scale - fromX) * perX - 0.5,
                                     ((y + 0.5) * scale - fromY) * perY - 0.5) >= kMaskThreshold);
    return {rect, std::move(pixels)};
  }

  static std::vector<Keypoint> jointsOf(const Tensor& tensor, float scale, Size picture) {
    std::vector<Keypoint> joints;
    const auto rows = tensor.accessor<float, 2>();
    for (std::int64_t j = 0; j < rows.size(0); ++j) {
      Keypoint joint{rows[j][0] / scale, rows[j][1] / scale, std::clamp(rows[j][2], 0.0F, 1.0F)};
      const bool inside = joint.x >= 0 && joint.y >= 0 &&
                          joint.x <= static_cast<float>(picture.width) &&
                          joint.y <= static_cast<float>(picture.height);
      joints.push_back(inside && joint.visibility > 0 ? joint : Keypoint{});
    }
    return joints;
  }

  const at::Device device_;
  torch::jit::Module module_;
  Input input_ = Input::Batch;
};

}  // namespace

}  // namespace elf

ELF_MODEL_LIBRARY(elf::TorchModel)
