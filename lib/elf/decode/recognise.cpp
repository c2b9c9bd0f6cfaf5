// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elf/decode/recognise.h"

#include <algorithm>
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

/** All whole numbers in a text such as "[640, 480]". */
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

/** The names of a Python dict such as {0: 'person', 1: "driver's seat"}, where they count from 0.
 */
std::vector<std::string> namesIn(std::string_view text) {
  std::vector<std::string> names;
  std::size_t at = 0;
  while ((at = text.find(':', at)) != std::string_view::npos) {
    const std::size_t begin = text.find_first_of("'\"", at);
    if (begin == std::string_view::npos) break;
    std::string name;
    std::size_t end = begin + 1;
    for (; end < text.size() && text[end] != text[begin]; ++end) {
      if (text[end] == '\\' && end + 1 < text.size()) ++end;
      name += text[end];
    }
    names.push_back(std::move(name));
    at = end + 1;
  }
  return names;
}

/** The picture's own size; empty where it is any. */
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

// What tensors are.

using Shape = std::vector<int>;

Shape shapeOf(const NamedTensor& tensor) {
  return {tensor.values.size.p, tensor.values.size.p + tensor.values.dims};
}

/** The only tensor, of three dimensions of which the first is 1; empty where it is another. */
cv::Mat onlyTable(const Tensors& outputs) {
  const bool is = outputs.size() == 1 && hasShape(outputs[0].values, {1, -1, -1});
  return is ? outputs[0].values : cv::Mat();
}

/** The smallest and largest of `count` numbers from each row of a table 1 x rows x columns. */
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

/** The same of `count` rows from `row` on. */
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

/** Cells of strides 8 to 32, or with a fourth grid of 64, rounded down or up. */
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

  bool has(const char* name) const { return findTensor(outputs_, name) != nullptr; }

  /** By what Ultralytics notes of its task. */
  Found byTask() const {
    const std::string_view task = valueOf(info_, "task");
    const cv::Mat table = onlyTable(outputs_);
    if (task == "classify")
      throw Error(path_,
                  "is a classifier, which finds no objects (it can be the second stage of a "
                  "detector: decoder=classes in a .model file)");
    if (task == "segment") {
      const NamedTensor* const prototypes = findPrototypes(outputs_, canvas_);
      if (!prototypes || outputs_.size() != 2) return std::nullopt;
      const Shape rows = shapeOf(outputs_[prototypes == &outputs_[0] ? 1 : 0]);
      if (rows.size() != 3) return std::nullopt;
      return rows[2] == 6 + prototypes->values.size[1] ? OutputDecoder::EndToEndSeg
                                                       : OutputDecoder::Yolov8Seg;
    }
    if (table.empty()) return std::nullopt;
    if (task == "pose")
      return table.size[2] == 6 + 3 * model_.rules.keypoints ? OutputDecoder::EndToEndPose
                                                             : OutputDecoder::Yolov8Pose;
    if (task == "obb")
      return table.size[2] == 7 ? OutputDecoder::EndToEndObb : OutputDecoder::Yolov8Obb;
    if (task != "detect") return std::nullopt;
    if (valueOf(info_, "head") == "RTDETRDecoder" ||
        valueOf(info_, "description").find("RTDETR") != std::string_view::npos)
      return OutputDecoder::RtDetrRows;
    return table.size[2] == 6 ? rowsOfSix(table) : OutputDecoder::Yolov8;
  }

  Found byNames() const {
    if (has("logits") && has("pred_boxes")) return OutputDecoder::RtDetrLogits;
    if (has("dets") && has("labels")) {
      const Shape dets = shapeOf({"", *findTensor(outputs_, "dets")});
      return !dets.empty() && dets.back() == 5 ? OutputDecoder::MmDeploy : OutputDecoder::RfDetr;
    }
    if (has("detection_out_final") && has("detection_masks")) return OutputDecoder::MaskRcnn;
    for (const OutputDecoder named : {OutputDecoder::YuNet})
      if (accepts(named)) return named;
    if (accepts(OutputDecoder::Objects)) {
      const bool toldSize = info_.inputs.size() > 1 && info_.inputs[1].integer;
      return toldSize ? OutputDecoder::RtDetr : OutputDecoder::Objects;
    }
    return std::nullopt;
  }

  bool accepts(OutputDecoder decoder) const {
    return decoderFor(decoder)(outputs_, {.canvas = canvas_,
                                          .minScore = model_.rules.minScore,
                                          .keypoints = model_.rules.keypoints})
        .has_value();
  }

  Found byShapes() const {
    if (const cv::Mat table = onlyTable(outputs_); !table.empty()) return ofTable(table);
    if (outputs_.size() == 1 && hasShape(outputs_[0].values, {1, 1, -1, 7}))
      return OutputDecoder::Ssd;
    if (outputs_.size() == 1 && outputs_[0].values.dims == 4 && accepts(OutputDecoder::FastestDet))
      return OutputDecoder::FastestDet;
    if (std::ranges::all_of(outputs_, [](const NamedTensor& output) {
          return output.values.dims == 2 && output.values.size[1] > 5;
        }))
      return OutputDecoder::DarknetRegion;
    if (accepts(OutputDecoder::Yolov8Seg)) return withPrototypes();
    if (outputs_.size() == 2 && accepts(OutputDecoder::UltraFace)) return ofTwoTables();
    if (accepts(OutputDecoder::RtDetrLogits)) return OutputDecoder::RtDetrLogits;
    if (std::ranges::any_of(outputs_, [&](const NamedTensor& output) {
          return output.values.dims == 3 && isCells(output.values.size[1], canvas_, 3);
        }))
      return OutputDecoder::Yolov5;
    return std::nullopt;
  }

  /** A tensor of columns or of rows with coefficients, and prototypes. */
  Found withPrototypes() const {
    if (outputs_.size() != 2) return OutputDecoder::Yolov8Seg;
    const NamedTensor* const prototypes = findPrototypes(outputs_, canvas_);
    const Shape rows = shapeOf(outputs_[prototypes == &outputs_[0] ? 1 : 0]);
    return rows[2] == 6 + prototypes->values.size[1] ? OutputDecoder::EndToEndSeg
                                                     : OutputDecoder::Yolov8Seg;
  }

  /** 1 x N x c and 1 x N x 4. */
  Found ofTwoTables() const {
    const cv::Mat& scores = outputs_[hasShape(outputs_[0].values, {1, -1, 4}) ? 1 : 0].values;
    const bool ofFaces = scores.size[2] == 2 && isProbability(rangeOf(scores, 0, 2));
    return ofFaces ? OutputDecoder::UltraFace : OutputDecoder::RtDetrLogits;
  }

  Found ofTable(const cv::Mat& table) const {
    const int rows = table.size[1], columns = table.size[2];
    const int joints = model_.rules.keypoints;
    if (joints > 0 && columns == 6 + 3 * joints && !isCells(columns, canvas_))
      return OutputDecoder::EndToEndPose;
    if (columns == 6 && !isCells(rows, canvas_)) return rowsOfSix(table);
    if (isCells(columns, canvas_) && rows >= 5) return ofColumns(table);
    if (isCells(rows, canvas_, 3) && columns > 5) return OutputDecoder::Yolov5;
    if (!isCells(rows, canvas_)) {
      const bool rowsOfClasses = columns >= 5 && isProbability(rangeOf(table, 0, columns));
      return rowsOfClasses ? Found(OutputDecoder::RtDetrRows) : std::nullopt;
    }
    const bool nanoDet = accepts(OutputDecoder::NanoDet) && columns > 32;
    if (columns < 6) return std::nullopt;
    // Objectness and classes are probabilities, distributions are not.
    if (nanoDet && !isProbability(rangeOf(table, 5, columns - 5))) return OutputDecoder::NanoDet;
    return grown(table) ? OutputDecoder::YoloxDecoded : OutputDecoder::Yolox;
  }

  /** Whether the centres of a table of YOLOX's cells spread over the canvas, as with the grid. */
  bool grown(const cv::Mat& table) const {
    const float width = static_cast<float>(canvas_.width);
    return rangeOf(table, 0, 1).second > width / 2 && rangeOf(table, 2, 2).first >= 0;
  }

  Found ofColumns(const cv::Mat& table) const {
    const int rows = table.size[1], joints = model_.rules.keypoints;
    if (joints > 0 && rows >= 5 + 3 * joints) return OutputDecoder::Yolov8Pose;
    if (isProbability(rowRange(table, 4, rows - 4))) return OutputDecoder::Yolov8;
    // An angle is between -pi/4 and 3 pi/4.
    const auto [least, most] = rowRange(table, rows - 1, 1);
    const bool isAngle = least >= -0.8F && most <= 2.4F;
    if (rows > 5 && isAngle && isProbability(rowRange(table, 4, rows - 5)))
      return OutputDecoder::Yolov8Obb;
    if (rows > 7) undecided(OutputDecoder::Yolov8, OutputDecoder::Yolov8Pose);
    return std::nullopt;
  }

  /** Corners in pixels, or centre and size in parts of the canvas: the values tell. */
  OutputDecoder rowsOfSix(const cv::Mat& table) const {
    constexpr float kInParts = 2;
    const auto [least, most] = rangeOf(table, 0, 4);
    if (rangeOf(table, 4, 1).second <= 0) {
      if (valueOf(info_, "task").empty())
        undecided(OutputDecoder::EndToEnd, OutputDecoder::RtDetrRows);
      return OutputDecoder::EndToEnd;
    }
    return most <= kInParts && least >= 0 ? OutputDecoder::RtDetrRows : OutputDecoder::EndToEnd;
  }

  const std::string& path_;
  const ModelFile& model_;
  const NetworkInfo& info_;
  const Tensors& outputs_;
  const Size canvas_;
};

std::string shareOf(double scale) {
  return std::abs(scale * 255 - 1) < 1e-9 ? "1/255" : formatNumber(scale, 4);
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
  if (model.decoder != OutputDecoder::Auto) return model;
  const std::string_view task = valueOf(info, "task");
  if (task == "segment") rules.masks = true;
  if (task == "pose" && rules.keypoints == 0)
    if (const std::vector<int> shape = numbersIn(valueOf(info, "kpt_shape"));
        shape.size() == 2 && shape[0] > 0 && shape[0] <= kMaxKeypoints)
      rules.keypoints = shape[0];
  return model;
}

OutputDecoder recogniseDecoder(const std::string& path, const ModelFile& model,
                               const NetworkInfo& info, const Tensors& outputs, Size canvas) {
  return Recogniser(path, model, info, outputs, canvas).decoder();
}

std::string describe(const ModelFile& model) {
  const ModelRules& rules = model.rules;
  std::string text(toString(model.decoder));
  if (!rules.fixedSize.empty())
    text +=
        ", " + std::to_string(rules.fixedSize.width) + "x" + std::to_string(rules.fixedSize.height);
  else
    text += ", multiples of " + std::to_string(rules.multipleOf);
  text += *model.colour == ChannelOrder::Rgb ? ", rgb" : ", bgr";
  text += ", scale " + shareOf(*model.scale);
  if (*model.mean != std::array<double, 3>{})
    text += ", mean " + formatNumber((*model.mean)[0], 1) + " " +
            formatNumber((*model.mean)[1], 1) + " " + formatNumber((*model.mean)[2], 1);
  if (!rules.fixedSize.empty())
    text += *model.fit == Fit::Stretch  ? ", stretched"
            : *model.fit == Fit::Centre ? ", centred"
                                        : ", in the corner";
  text += ", " + std::to_string(rules.labels.size()) + " labels";
  return text;
}

}  // namespace elf
