// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/decode/recognise.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include "elf/base/error.h"
#include "elf/base/printable.h"
#include "elf/decode/decoder.h"
#include "elf/decode/prototypes.h"
#include "elf/decode/rows.h"

namespace elf {

namespace {

constexpr int kUsualStride = 32;

std::string_view valueOf(const NetworkInfo& info, const char* key) {
  const auto found = info.metadata.find(key);
  return found == info.metadata.end() ? std::string_view() : found->second;
}

/** All integers in a text such as "[640, 480]". */
std::vector<int> numbersIn(std::string_view text) {
  std::vector<int> numbers;
  for (const char* at = text.data(); at != text.data() + text.size();) {
    int number = 0;
    const auto [end, error] = std::from_chars(at, text.data() + text.size(), number);
    if (error == std::errc()) numbers.push_back(number);
    at = error == std::errc() ? end : at + 1;
  }
  return numbers;
}

/**
 * The names in a Python dict that counts from 0, such as {0: 'person', 1: "driver's seat"}, or in a
 * list: quoted text that is not a key.
 */
std::vector<std::string> namesIn(std::string_view text) {
  std::vector<std::string> names;
  for (std::size_t at = 0; (at = text.find_first_of("'\"", at)) != std::string_view::npos;) {
    const char quote = text[at++];
    std::string name;
    for (; at < text.size() && text[at] != quote; ++at) {
      if (text[at] == '\\' && at + 1 < text.size()) ++at;
      name += text[at];
    }
    if (at++ >= text.size()) break;
    const std::size_t next = text.find_first_not_of(' ', at);
    if (next == std::string_view::npos || text[next] != ':') names.push_back(std::move(name));
  }
  return names;
}

/** The picture's fixed size. Empty: any size. Unset if the input is not a picture. */
std::optional<Size> sizeOf(const NetworkInput& picture) {
  constexpr int kChannels = 3;
  const std::vector<int>& shape = picture.shape;
  if (shape.size() != 3 && shape.size() != 4) return std::nullopt;
  const bool last = shape.size() == 4 && shape[3] == kChannels && shape[1] != kChannels;
  const std::size_t at = shape.size() - (last ? 3 : 2);
  const int height = shape[at], width = shape[at + 1];
  return height > 0 && width > 0 ? Size{width, height} : Size{};
}

int largestStride(const NetworkInfo& info) {
  const std::vector<int> strides = numbersIn(valueOf(info, "stride"));
  const int largest = strides.empty() ? 0 : *std::ranges::max_element(strides);
  return largest > 0 && largest <= 1024 ? largest : kUsualStride;
}

// Shapes and values of tensors.

using Shape = std::vector<int>;

Shape shapeOf(const NamedTensor& tensor) {
  return {tensor.values.size.p, tensor.values.size.p + tensor.values.dims};
}

/** The only tensor if it is 1 x rows x columns. Empty otherwise. */
cv::Mat onlyTable(const Tensors& outputs) {
  const bool is = outputs.size() == 1 && hasShape(outputs[0].values, {1, -1, -1});
  return is ? outputs[0].values : cv::Mat();
}

/** The smallest and largest of `count` numbers in each row of a table 1 x rows x columns. */
std::pair<float, float> rangeOf(const cv::Mat& table, int column, int count) {
  float least = std::numeric_limits<float>::max(), most = std::numeric_limits<float>::lowest();
  for (int i = 0; i < table.size[1]; ++i)
    for (int j = column; j < column + count; ++j) {
      const float value = table.ptr<float>(0, i)[j];
      least = std::min(least, value);
      most = std::max(most, value);
    }
  return {least, most};
}

/** The same for `count` rows from `row` on. */
std::pair<float, float> rowRange(const cv::Mat& table, int row, int count) {
  float least = std::numeric_limits<float>::max(), most = std::numeric_limits<float>::lowest();
  for (int i = row; i < row + count; ++i) {
    const float* const values = table.ptr<float>(0, i);
    const auto [low, high] = std::minmax_element(values, values + table.size[2]);
    least = std::min(least, *low);
    most = std::max(most, *high);
  }
  return {least, most};
}

bool isProbability(std::pair<float, float> range) {
  constexpr float kRounding = 1e-3F;
  return range.first >= -kRounding && range.second <= 1 + kRounding;
}

/** The cells of strides 8 to 32 rounded down, or of strides 8 to 64 rounded up. */
bool isCells(int count, Size canvas, int each = 1) {
  int four = 0;
  for (const int stride : {8, 16, 32, 64})
    four += ((canvas.width + stride - 1) / stride) * ((canvas.height + stride - 1) / stride);
  return count == each * cellsOf(canvas) || count == each * four;
}

class Recogniser {
 public:
  Recogniser(const std::string& path, const ModelFile& model, const NetworkInfo& info,
             const Tensors& outputs, Size canvas)
      : path_(path), model_(model), info_(info), outputs_(outputs), canvas_(canvas) {}

  OutputDecoder decoder() const {
    for (const auto look : {&Recogniser::byTask, &Recogniser::byNames, &Recogniser::byShapes})
      if (const auto found = (this->*look)()) return *found;
    throw Error(path_, "its outputs, " + describe(outputs_) +
                           ", are of no layout that is known (say [output] decoder in a .model "
                           "file, see docs/model-files.md)");
  }

 private:
  using Found = std::optional<OutputDecoder>;

  [[noreturn]] void undecided(OutputDecoder one, OutputDecoder other) const {
    throw Error(path_, "its outputs, " + describe(outputs_) + ", may be " +
                           std::string(toString(one)) + " or " + std::string(toString(other)) +
                           " (say [output] decoder in a .model file)");
  }

  [[noreturn]] void isClassifier() const {
    throw Error(path_,
                "is a classifier, which finds no objects (it can be the second stage of a "
                "detector: decoder=classes in a .model file)");
  }

  bool has(const char* name) const { return findTensor(outputs_, name) != nullptr; }

  bool accepts(OutputDecoder decoder) const {
    return decoderFor(decoder)(outputs_, {.canvas = canvas_,
                                          .minScore = model_.rules.minScore,
                                          .keypoints = model_.rules.keypoints})
        .has_value();
  }

  /** By the task in Ultralytics' metadata. */
  Found byTask() const {
    const std::string_view task = valueOf(info_, "task");
    if (task == "classify") isClassifier();
    if (task == "segment") return withPrototypes();
    const cv::Mat table = onlyTable(outputs_);
    if (table.empty()) return std::nullopt;
    if (task == "pose") return ofPoses(table);
    if (task == "obb")
      return table.size[2] == 7 ? OutputDecoder::EndToEndObb : OutputDecoder::Yolov8Obb;
    if (task == "detect") return ofDetector(table);
    return std::nullopt;
  }

  OutputDecoder ofPoses(const cv::Mat& table) const {
    const int joints = model_.rules.keypoints;
    if (joints == 0)
      throw Error(path_, "its kpt_shape, '" + printable(valueOf(info_, "kpt_shape")) +
                             "', is not of joints with x, y and visibility (say how many there are "
                             "by [output] keypoints in a .model file)");
    return table.size[2] == 6 + 3 * joints ? OutputDecoder::EndToEndPose
                                           : OutputDecoder::Yolov8Pose;
  }

  OutputDecoder ofDetector(const cv::Mat& table) const {
    if (isRtDetr()) return OutputDecoder::RtDetrRows;
    if (isCells(table.size[2], canvas_)) return OutputDecoder::Yolov8;
    if (table.size[2] == 6) return rowsOfSix(table);
    // Older releases of RT-DETR do not always note it.
    const int wide = 4 + static_cast<int>(model_.rules.labels.size());
    const bool rows = wide > 4 ? table.size[2] == wide && table.size[1] != wide
                               : isProbability(rangeOf(table, 0, table.size[2]));
    return rows ? OutputDecoder::RtDetrRows : OutputDecoder::Yolov8;
  }

  bool isRtDetr() const {
    const std::string_view description = valueOf(info_, "description");
    return valueOf(info_, "head") == "RTDETRDecoder" ||
           description.starts_with("Ultralytics rtdetr") ||
           description.starts_with("Ultralytics RTDETR");
  }

  /** Whether the metadata notes suppression as built in, or as not needed. */
  bool isEndToEnd() const {
    // Python writes it into ONNX files, and JSON into those of TorchScript.
    const std::string_view end2end = valueOf(info_, "end2end"), args = valueOf(info_, "args");
    return end2end == "True" || end2end == "true" ||
           args.find("'nms': True") != std::string_view::npos ||
           args.find("\"nms\":true") != std::string_view::npos;
  }

  Found byNames() const {
    if (has("logits") && has("pred_boxes")) return OutputDecoder::RtDetrLogits;
    if (has("dets") && has("labels")) {
      const Shape dets = shapeOf({"", *findTensor(outputs_, "dets")});
      return !dets.empty() && dets.back() == 5 ? OutputDecoder::MmDeploy : OutputDecoder::RfDetr;
    }
    if (has("detection_out_final") && has("detection_masks")) return OutputDecoder::MaskRcnn;
    if (accepts(OutputDecoder::YuNet)) return OutputDecoder::YuNet;
    if (accepts(OutputDecoder::Objects)) {
      const bool toldSize = info_.inputs.size() > 1 && info_.inputs[1].integer;
      return toldSize ? OutputDecoder::RtDetr : OutputDecoder::Objects;
    }
    return std::nullopt;
  }

  Found byShapes() const {
    if (const cv::Mat table = onlyTable(outputs_); !table.empty()) return ofTable(table);
    if (!outputs_.empty() && std::ranges::all_of(outputs_, [&](const NamedTensor& output) {
          return isRegion(output, canvas_);
        }))
      return OutputDecoder::DarknetRegion;
    if (outputs_.size() == 1) return ofOne(outputs_[0].values);
    if (const Found found = withPrototypes()) return found;
    if (accepts(OutputDecoder::Yolov8Seg)) return OutputDecoder::Yolov8Seg;
    if (accepts(OutputDecoder::RtDetrLogits)) return ofTwoTables();
    if (std::ranges::any_of(outputs_, [&](const NamedTensor& output) {
          return output.values.dims == 3 && isCells(output.values.size[1], canvas_, 3);
        }))
      return OutputDecoder::Yolov5;
    return std::nullopt;
  }

  /** Rows of a Region or Yolo layer, several for each cell, without a batch dimension. */
  static bool isRegion(const NamedTensor& output, Size canvas) {
    constexpr int kMostAnchors = 9;
    const cv::Mat& rows = output.values;
    return hasShape(rows, {-1, -1}) && rows.cols > 5 &&
           std::ranges::any_of(kUsualStrides, [&](int stride) {
             const int cells = (canvas.width / stride) * (canvas.height / stride);
             return cells > 0 && rows.rows % cells == 0 && rows.rows > cells &&
                    rows.rows <= kMostAnchors * cells;
           });
  }

  /** A tensor that is not a table. */
  Found ofOne(const cv::Mat& tensor) const {
    if (hasShape(tensor, {1, 1, -1, 7})) return OutputDecoder::Ssd;
    if (tensor.dims >= 2 && tensor.size[0] == 1 &&
        tensor.total() == static_cast<std::size_t>(tensor.size[1]))
      isClassifier();
    return accepts(OutputDecoder::FastestDet) && isFastestDet(tensor)
               ? Found(OutputDecoder::FastestDet)
               : std::nullopt;
  }

  /** Whether the class probabilities of each cell of 1 x (5 + classes) x h x w have the sum 1. */
  static bool isFastestDet(const cv::Mat& maps) {
    constexpr float kRounding = 1e-2F;
    const int cells = maps.size[2] * maps.size[3];
    for (int cell = 0; cell < cells; ++cell) {
      float sum = 0;
      for (int i = 5; i < maps.size[1]; ++i) sum += maps.ptr<float>(0, i)[cell];
      const float object = maps.ptr<float>(0, 0)[cell];
      if (!(std::abs(sum - 1) < kRounding) || !isProbability({object, object})) return false;
    }
    return true;
  }

  /** A tensor of columns or of rows with coefficients, and prototypes. */
  Found withPrototypes() const {
    const NamedTensor* const prototypes = findPrototypes(outputs_, canvas_);
    if (!prototypes || outputs_.size() != 2) return std::nullopt;
    const Shape rows = shapeOf(outputs_[prototypes == &outputs_[0] ? 1 : 0]);
    if (rows.size() != 3) return std::nullopt;
    return rows[2] == 6 + prototypes->values.size[1] ? OutputDecoder::EndToEndSeg
                                                     : OutputDecoder::Yolov8Seg;
  }

  /** 1 x N x c and 1 x N x 4. */
  Found ofTwoTables() const {
    const cv::Mat& scores = outputs_[hasShape(outputs_[0].values, {1, -1, 4}) ? 1 : 0].values;
    // Logits are not all between 0 and 1.
    if (!isProbability(rangeOf(scores, 0, scores.size[2]))) return OutputDecoder::RtDetrLogits;
    return scores.size[2] == 2 && outputs_.size() == 2 ? Found(OutputDecoder::UltraFace)
                                                       : std::nullopt;
  }

  Found ofTable(const cv::Mat& table) const {
    const int rows = table.size[1], columns = table.size[2];
    if (isCells(columns, canvas_) && rows >= 5) return ofColumns(table);
    if (isCells(rows, canvas_)) return ofCells(table);
    if (isCells(rows, canvas_, 3) && columns > 5) return OutputDecoder::Yolov5;
    return ofRows(table);
  }

  /** A row for each object. */
  Found ofRows(const cv::Mat& table) const {
    const int columns = table.size[2], joints = model_.rules.keypoints;
    if (columns < 5) return std::nullopt;
    if (joints > 0 && columns == 6 + 3 * joints) return OutputDecoder::EndToEndPose;
    if (model_.rules.rotated && columns == 7) return OutputDecoder::EndToEndObb;
    if (columns == 6) return rowsOfSix(table);
    const bool isPose = (columns - 6) % 3 == 0;
    const auto range = rangeOf(table, 0, columns);
    if (range.second <= range.first) {
      if (isPose) undecided(OutputDecoder::EndToEndPose, OutputDecoder::RtDetrRows);
      undecided(columns == 7 ? OutputDecoder::EndToEndObb : OutputDecoder::EndToEndSeg,
                OutputDecoder::RtDetrRows);
    }
    if (isProbability(range)) return OutputDecoder::RtDetrRows;
    if (!isProbability(rangeOf(table, 4, 1)) || !isOfClasses(table)) return std::nullopt;
    if (columns == 7) return OutputDecoder::EndToEndObb;
    if (isPose) undecided(OutputDecoder::EndToEnd, OutputDecoder::EndToEndPose);
    return std::nullopt;
  }

  /** Whether the sixth number of each row may be a class. */
  static bool isOfClasses(const cv::Mat& table) {
    for (int i = 0; i < table.size[1]; ++i) {
      const float number = table.ptr<float>(0, i)[5];
      if (!classOf(number) || number != std::floor(number)) return false;
    }
    return true;
  }

  /** A row for each cell. */
  Found ofCells(const cv::Mat& table) const {
    const int columns = table.size[2];
    constexpr int kDistances = 32;  // of NanoDet-Plus
    if (accepts(OutputDecoder::NanoDet)) {
      const bool isNanoDet = isProbability(rangeOf(table, 0, columns - kDistances)) &&
                             !isProbability(rangeOf(table, columns - kDistances, kDistances));
      return isNanoDet ? Found(OutputDecoder::NanoDet) : std::nullopt;
    }
    if (!accepts(OutputDecoder::Yolox) || !isProbability(rangeOf(table, 4, columns - 4)))
      return std::nullopt;
    const auto [least, most] = rangeOf(table, 0, 4);
    if (most <= least) undecided(OutputDecoder::Yolox, OutputDecoder::YoloxDecoded);
    // With the grid added, centres spread over the canvas, and no side is a logarithm.
    const bool decoded = rangeOf(table, 0, 1).second > static_cast<float>(canvas_.width) / 2 &&
                         rangeOf(table, 2, 2).first >= 0;
    return decoded ? OutputDecoder::YoloxDecoded : OutputDecoder::Yolox;
  }

  /** A column for each cell. */
  Found ofColumns(const cv::Mat& table) const {
    constexpr float kSomewhereLess = 0.05F;
    const int rows = table.size[1], joints = model_.rules.keypoints;
    if (joints > 0 && rows >= 5 + 3 * joints) return OutputDecoder::Yolov8Pose;
    if (model_.rules.rotated && rows > 5) return OutputDecoder::Yolov8Obb;
    if (isProbability(rowRange(table, 4, rows - 4))) {
      // An angle may look like a class, but no class is everywhere.
      if (rows > 5 && rowRange(table, rows - 1, 1).first > kSomewhereLess)
        undecided(OutputDecoder::Yolov8, OutputDecoder::Yolov8Obb);
      return OutputDecoder::Yolov8;
    }
    if (rows > 5 && isProbability(rowRange(table, 4, rows - 5))) return OutputDecoder::Yolov8Obb;
    if (rows > 7) undecided(OutputDecoder::Yolov8, OutputDecoder::Yolov8Pose);
    return std::nullopt;
  }

  /** Corners in pixels, or centre and size in parts of the canvas. Without metadata the values
   * decide. */
  OutputDecoder rowsOfSix(const cv::Mat& table) const {
    constexpr float kInParts = 2;
    if (isEndToEnd()) return OutputDecoder::EndToEnd;
    if (!(rangeOf(table, 4, 1).second > 0))
      undecided(OutputDecoder::EndToEnd, OutputDecoder::RtDetrRows);
    const auto [least, most] = rangeOf(table, 0, 4);
    return most <= kInParts && least >= 0 ? OutputDecoder::RtDetrRows : OutputDecoder::EndToEnd;
  }

  const std::string& path_;
  const ModelFile& model_;
  const NetworkInfo& info_;
  const Tensors& outputs_;
  const Size canvas_;
};

/** The shortest text for a scale. */
std::string shareOf(double scale) {
  if (std::abs(scale * 255 - 1) < 1e-9) return "1/255";
  std::array<char, 32> text;
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), scale).ptr};
}

}  // namespace

ModelFile withInfo(ModelFile model, const NetworkInfo& info) {
  if (isSecondStage(model.decoder)) return model;
  ModelRules& rules = model.rules;
  const bool saysSize = !rules.fixedSize.empty() || rules.multipleOf > 1;
  if (const auto size = info.inputs.empty() ? std::nullopt : sizeOf(info.inputs[0]);
      size && !saysSize) {
    rules.fixedSize = *size;
    if (size->empty()) rules.multipleOf = largestStride(info);
  }
  if (rules.labels.size() == 0) rules.labels = Labels(namesIn(valueOf(info, "names")));
  // A network that takes bytes scales them itself.
  if (!info.inputs.empty() && info.inputs[0].bytes && !model.scale && !model.mean && !model.std)
    model.scale = 1;
  if (!model.openTask) return model;
  const std::string_view task = valueOf(info, "task");
  rules.masks = task == "segment";
  rules.rotated = task == "obb";
  constexpr int kNumbers = 3;  // x, y and visibility
  if (const std::vector<int> shape = numbersIn(valueOf(info, "kpt_shape"));
      task == "pose" && shape.size() == 2 && shape[1] == kNumbers && shape[0] > 0 &&
      shape[0] <= kMaxKeypoints)
    rules.keypoints = shape[0];
  return model;
}

OutputDecoder recogniseDecoder(const std::string& path, const ModelFile& model,
                               const NetworkInfo& info, const Tensors& outputs, Size canvas) {
  return Recogniser(path, model, info, outputs, canvas).decoder();
}

bool tellsMasks(OutputDecoder decoder, const Tensors& outputs) {
  constexpr int kDimensions = 4;
  switch (decoder) {
    case OutputDecoder::Yolov8Seg:
    case OutputDecoder::EndToEndSeg:
    case OutputDecoder::MaskRcnn:
      return true;
    case OutputDecoder::RfDetr:
    case OutputDecoder::MmDeploy:
    case OutputDecoder::Objects:
      return std::ranges::any_of(
          outputs, [](const NamedTensor& output) { return output.values.dims == kDimensions; });
    default:
      return false;
  }
}

ModelFile recognise(const std::string& path, ModelFile model, const NetworkInfo& info,
                    const Tensors& outputs, Size canvas) {
  model.decoder = recogniseDecoder(path, model, info, outputs, canvas);
  if (model.openTask) {
    model.rules.masks = tellsMasks(model.decoder, outputs);
    model.rules.rotated = tellsRotated(model.decoder);
  }
  requireTask(model);
  return model;
}

std::string describe(const ModelFile& model) {
  const ModelRules& rules = model.rules;
  const auto three = [](const std::array<double, 3>& values) {
    std::string text;
    for (const double value : values) text += ' ' + formatNumber(value, 1);
    return text;
  };
  const Size size = rules.fixedSize;
  std::string text(toString(model.decoder));
  if (!size.empty())
    text += ", " + std::to_string(size.width) + "x" + std::to_string(size.height);
  else if (rules.multipleOf > 1)
    text += ", multiples of " + std::to_string(rules.multipleOf);
  else
    text += ", any size";
  text += *model.colour == ChannelOrder::Rgb ? ", rgb" : ", bgr";
  text += ", scale " + shareOf(*model.scale);
  if (*model.mean != std::array<double, 3>{}) text += ", mean" + three(*model.mean);
  if (*model.std != std::array<double, 3>{1, 1, 1}) text += ", std" + three(*model.std);
  if (!size.empty())
    text += *model.fit == Fit::Stretch  ? ", stretched"
            : *model.fit == Fit::Centre ? ", centred"
                                        : ", in the corner";
  const std::size_t labels = rules.labels.size();
  text += labels == 0   ? ", no labels"
          : labels == 1 ? ", 1 label"
                        : ", " + std::to_string(labels) + " labels";
  return text;
}

}  // namespace elf
