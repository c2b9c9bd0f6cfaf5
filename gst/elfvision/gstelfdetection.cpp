// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfdetection.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "elf/base/glib.h"
#include "elf/record/frame_fields.h"
#include "gst/elfvision/gstelfmeta.h"

struct _GstElfDetection {
  elf::Detection found;
  int stage = 0;
  std::optional<std::string> server;
  gatomicrefcount references;
};

G_DEFINE_BOXED_TYPE(GstElfDetection, gst_elf_detection, gst_elf_detection_ref,
                    gst_elf_detection_unref)

namespace {

void unref(gpointer detection) {
  gst_elf_detection_unref(static_cast<GstElfDetection*>(detection));
}

/** The detections of `stage`, or of all stages. Frees those that nothing has taken. */
class Detections {
 public:
  explicit Detections(gint stage) : stage_(stage) {}
  Detections(const Detections&) = delete;
  Detections& operator=(const Detections&) = delete;
  ~Detections() { g_list_free_full(list_, unref); }

  void add(elf::Detection found, int stage, std::optional<std::string> server) {
    if (stage_ != GST_ELF_ALL_STAGES && stage_ != stage) return;
    auto* detection = new GstElfDetection{std::move(found), stage, std::move(server), {}};
    g_atomic_ref_count_init(&detection->references);
    list_ = g_list_prepend(list_, detection);
  }
  GList* take() { return g_list_reverse(std::exchange(list_, nullptr)); }

 private:
  const gint stage_;
  /** The last one first. */
  GList* list_ = nullptr;
};

// --- from a record

// Bindings take each text for UTF-8, but servers may send any bytes.
void addOf(const elf::FrameRecord& record, Detections& list) {
  if (record.before) addOf(*record.before, list);
  for (elf::Detection detection : record.detections) {
    detection.label = elf::validUtf8(detection.label);
    const std::string* url = record.urlOf(detection.server);
    list.add(std::move(detection), record.stage,
             url ? std::optional(elf::validUtf8(*url)) : std::nullopt);
  }
}

// --- from a structure `elf-result`, with the fields of frameFields()

/** The array in a field. Null if it has none. */
const GValue* arrayIn(const GstStructure* fields, const char* name) {
  const GValue* value = gst_structure_get_value(fields, name);
  return value && GST_VALUE_HOLDS_ARRAY(value) ? value : nullptr;
}

/** The structure in a field. Null if it has none. */
const GstStructure* structureIn(const GstStructure* fields, const char* name) {
  const GValue* value = gst_structure_get_value(fields, name);
  return value && GST_VALUE_HOLDS_STRUCTURE(value) ? gst_value_get_structure(value) : nullptr;
}

double numberIn(const GValue* value) {
  if (G_VALUE_HOLDS_DOUBLE(value)) return g_value_get_double(value);
  return G_VALUE_HOLDS_INT64(value) ? static_cast<double>(g_value_get_int64(value)) : 0;
}

/** The numbers of an array, all 0 if it has not N. */
template <std::size_t N>
std::array<double, N> numbersIn(const GValue* array) {
  std::array<double, N> numbers{};
  if (!array || gst_value_array_get_size(array) != N) return numbers;
  for (guint i = 0; i < N; ++i) numbers[i] = numberIn(gst_value_array_get_value(array, i));
  return numbers;
}

gint64 integerIn(const GstStructure* fields, const char* name) {
  gint64 number = 0;
  gst_structure_get_int64(fields, name, &number);
  return number;
}

std::optional<elf::Mask> maskIn(const GstStructure* fields) {
  const GValue* lengths = arrayIn(fields, "runs");
  const auto [x, y, width, height] = numbersIn<4>(arrayIn(fields, "rect"));
  for (const double number : {x, y, width, height})
    if (!(std::abs(number) <= elf::kFarthestBox)) return std::nullopt;
  if (!lengths || width < 0 || height < 0 || width * height > elf::kMaxMaskPixels)
    return std::nullopt;
  std::vector<std::uint32_t> runs;
  for (guint i = 0; i < gst_value_array_get_size(lengths); ++i) {
    const double run = numberIn(gst_value_array_get_value(lengths, i));
    if (!(run >= 0 && run <= elf::kMaxMaskPixels)) return std::nullopt;
    runs.push_back(static_cast<std::uint32_t>(run));
  }
  return elf::fromRunLengths(runs, {static_cast<int>(x), static_cast<int>(y),
                                    static_cast<int>(width), static_cast<int>(height)});
}

std::vector<elf::Keypoint> keypointsIn(const GValue* array) {
  std::vector<elf::Keypoint> joints;
  for (guint i = 0; i < gst_value_array_get_size(array); ++i) {
    const GValue* joint = gst_value_array_get_value(array, i);
    const auto [x, y, visibility] = numbersIn<3>(GST_VALUE_HOLDS_ARRAY(joint) ? joint : nullptr);
    joints.push_back(
        {static_cast<float>(x), static_cast<float>(y), static_cast<float>(visibility)});
  }
  return joints;
}

elf::Detection detectionIn(const GstStructure* fields) {
  elf::Detection d;
  const auto [x0, y0, x1, y1] = numbersIn<4>(arrayIn(fields, "box"));
  d.box = {static_cast<float>(x0), static_cast<float>(y0), static_cast<float>(x1),
           static_cast<float>(y1)};
  gdouble score = 0;
  gst_structure_get_double(fields, "score", &score);
  d.score = static_cast<float>(score);
  d.labelId = integerIn(fields, "label_id");
  if (const gchar* label = gst_structure_get_string(fields, "label")) d.label = label;
  d.id = integerIn(fields, "id");
  gboolean coasted = FALSE;
  gst_structure_get_boolean(fields, "coasted", &coasted);
  d.coasted = coasted;
  gboolean kept = FALSE;
  gst_structure_get_boolean(fields, "kept", &kept);
  d.kept = kept;
  if (const GstStructure* mask = structureIn(fields, "mask")) d.mask = maskIn(mask);
  if (const GValue* joints = arrayIn(fields, "keypoints")) d.keypoints = keypointsIn(joints);
  if (const GValue* rotated = arrayIn(fields, "rotated")) {
    const auto [x, y, width, height, angle] = numbersIn<5>(rotated);
    d.rotated = {static_cast<float>(x), static_cast<float>(y), static_cast<float>(width),
                 static_cast<float>(height), static_cast<float>(angle)};
  }
  return d;
}

void addOf(const GstStructure* result, Detections& list) {
  const GValue* found = arrayIn(result, "detections");
  const guint count = found ? gst_value_array_get_size(found) : 0;
  for (guint i = 0; i < count; ++i) {
    const GValue* each = gst_value_array_get_value(found, i);
    if (!GST_VALUE_HOLDS_STRUCTURE(each)) continue;
    const GstStructure* fields = gst_value_get_structure(each);
    const gchar* server = gst_structure_get_string(fields, "server");
    list.add(detectionIn(fields), static_cast<int>(integerIn(fields, "stage")),
             server ? std::optional<std::string>(server) : std::nullopt);
  }
}

/** Stores a number of a caller that wants it. */
template <typename To, typename From>
void put(To* to, From from) {
  if (to) *to = from;
}

}  // namespace

// --- the detections of a frame

GList* gst_elf_buffer_get_detections(GstBuffer* buffer, gint stage) {
  g_return_val_if_fail(GST_IS_BUFFER(buffer), nullptr);
  Detections list(stage);
  elf::guarded([&] {
    if (const elf::FrameRecordPtr record = elf::gst::getRecord(buffer)) addOf(*record, list);
  });
  return list.take();
}

GList* gst_elf_message_get_detections(GstMessage* message, gint stage) {
  g_return_val_if_fail(GST_IS_MESSAGE(message), nullptr);
  Detections list(stage);
  elf::guarded([&] {
    if (gst_message_has_name(message, "elf-result"))
      addOf(gst_message_get_structure(message), list);
  });
  return list.take();
}

// --- one detection

GstElfDetection* gst_elf_detection_ref(GstElfDetection* detection) {
  g_return_val_if_fail(detection != nullptr, nullptr);
  g_atomic_ref_count_inc(&detection->references);
  return detection;
}

void gst_elf_detection_unref(GstElfDetection* detection) {
  g_return_if_fail(detection != nullptr);
  if (g_atomic_ref_count_dec(&detection->references)) delete detection;
}

const gchar* gst_elf_detection_get_label(const GstElfDetection* detection) {
  g_return_val_if_fail(detection != nullptr, nullptr);
  return detection->found.label.c_str();
}

gint64 gst_elf_detection_get_label_id(const GstElfDetection* detection) {
  g_return_val_if_fail(detection != nullptr, 0);
  return detection->found.labelId;
}

gdouble gst_elf_detection_get_score(const GstElfDetection* detection) {
  g_return_val_if_fail(detection != nullptr, 0);
  return elf::shortest(detection->found.score);
}

void gst_elf_detection_get_box(const GstElfDetection* detection, gdouble* x, gdouble* y,
                               gdouble* width, gdouble* height) {
  g_return_if_fail(detection != nullptr);
  const elf::Box& box = detection->found.box;
  const double x0 = elf::shortest(box.x0), y0 = elf::shortest(box.y0);
  put(x, x0);
  put(y, y0);
  put(width, elf::shortest(box.x1) - x0);
  put(height, elf::shortest(box.y1) - y0);
}

gint64 gst_elf_detection_get_identity(const GstElfDetection* detection) {
  g_return_val_if_fail(detection != nullptr, 0);
  return detection->found.id;
}

gboolean gst_elf_detection_is_coasted(const GstElfDetection* detection) {
  g_return_val_if_fail(detection != nullptr, FALSE);
  return detection->found.coasted;
}

gboolean gst_elf_detection_is_kept(const GstElfDetection* detection) {
  g_return_val_if_fail(detection != nullptr, FALSE);
  return detection->found.kept;
}

gint gst_elf_detection_get_stage(const GstElfDetection* detection) {
  g_return_val_if_fail(detection != nullptr, 0);
  return detection->stage;
}

const gchar* gst_elf_detection_get_server(const GstElfDetection* detection) {
  g_return_val_if_fail(detection != nullptr, nullptr);
  return detection->server ? detection->server->c_str() : nullptr;
}

GBytes* gst_elf_detection_get_mask(GstElfDetection* detection, gint* x, gint* y, gint* width,
                                   gint* height) {
  g_return_val_if_fail(detection != nullptr, nullptr);
  const std::optional<elf::Mask>& mask = detection->found.mask;
  const elf::Rect rect = mask ? mask->rect() : elf::Rect{};
  put(x, rect.x);
  put(y, rect.y);
  put(width, rect.width);
  put(height, rect.height);
  if (!mask) return nullptr;
  if (rect.empty()) return g_bytes_new(nullptr, 0);
  // The rows follow each other without gaps. The detection owns them.
  return g_bytes_new_with_free_func(
      mask->row(rect.y).data(), static_cast<gsize>(rect.width) * static_cast<gsize>(rect.height),
      unref, gst_elf_detection_ref(detection));
}

guint gst_elf_detection_get_n_keypoints(const GstElfDetection* detection) {
  g_return_val_if_fail(detection != nullptr, 0);
  return static_cast<guint>(detection->found.keypoints.size());
}

void gst_elf_detection_get_keypoint(const GstElfDetection* detection, guint index, gdouble* x,
                                    gdouble* y, gdouble* visibility) {
  g_return_if_fail(detection != nullptr && index < detection->found.keypoints.size());
  const elf::Keypoint& joint = detection->found.keypoints[index];
  put(x, elf::shortest(joint.x));
  put(y, elf::shortest(joint.y));
  put(visibility, elf::shortest(joint.visibility));
}

gboolean gst_elf_detection_get_rotated_box(const GstElfDetection* detection, gdouble* centre_x,
                                           gdouble* centre_y, gdouble* width, gdouble* height,
                                           gdouble* angle) {
  g_return_val_if_fail(detection != nullptr, FALSE);
  const std::optional<elf::RotatedBox>& rotated = detection->found.rotated;
  const elf::RotatedBox box = rotated.value_or(elf::RotatedBox{});
  put(centre_x, elf::shortest(box.centreX));
  put(centre_y, elf::shortest(box.centreY));
  put(width, elf::shortest(box.width));
  put(height, elf::shortest(box.height));
  put(angle, elf::shortest(box.angle));
  return rotated.has_value();
}
