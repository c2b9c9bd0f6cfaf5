// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/bench/reference.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>

#include "elf/base/mutex.h"
#include "elf/server/inference_model.h"
#include "gst/elfvision/gstelfref.h"
#include "gst/elfvision/gstelfvideo.h"

namespace elf::bench {

namespace {

/** One thread's model, and its converter from the input's format to the model's. */
class Worker {
 public:
  Worker(const ModelFile& model, const Input& input)
      : model_(InferenceModel::create(model)), from_(input.info) {
    gst_video_info_set_format(&to_, GST_VIDEO_FORMAT_BGR, static_cast<guint>(from_.width),
                              static_cast<guint>(from_.height));
    // The converter refuses frames that differ in these.
    to_.fps_n = from_.fps_n;
    to_.fps_d = from_.fps_d;
    to_.interlace_mode = from_.interlace_mode;
    converter_.reset(gst_video_converter_new(&from_, &to_, nullptr));
    buffer_.reset(gst_buffer_new_allocate(nullptr, GST_VIDEO_INFO_SIZE(&to_), nullptr));
    if (!converter_) throw Error("reference", "GStreamer can't convert the input to BGR");
  }

  std::vector<Detection> infer(GstBuffer* frame) {
    GstVideoFrame source, target;
    if (!gst_video_frame_map(&source, &from_, frame, GST_MAP_READ))
      throw Error("reference", "a frame can't be read");
    gst_video_frame_map(&target, &to_, buffer_.get(), GST_MAP_WRITE);
    gst_video_converter_frame(converter_.get(), &source, &target);
    gst_video_frame_unmap(&target);
    gst_video_frame_unmap(&source);
    const auto bgr = gst::MappedFrame::map(to_, buffer_.get(), GST_MAP_READ);
    auto detections = model_->run(bgr->view(), {.frame = bgr->view().size});
    if (!detections) throw Error("model " + model_->name(), detections.error());
    return std::move(detections).value();
  }

 private:
  std::unique_ptr<InferenceModel> model_;
  GstVideoInfo from_;
  GstVideoInfo to_{};
  gst::Ref<GstVideoConverter> converter_;
  gst::Ref<GstBuffer> buffer_;
};

}  // namespace

FrameDetections inferReference(const ModelFile& model, const Input& input,
                               const Progress& progress) {
  FrameDetections reference(input.frames.size());
  std::atomic<std::size_t> next{0};
  // Guards the variables below, and the calls of `progress`.
  Mutex mutex;
  std::size_t done = 0;
  std::optional<Error> failure;

  const auto work = [&] {
    try {
      Worker worker(model, input);
      for (std::size_t frame = next++; frame < reference.size(); frame = next++) {
        reference[frame] = worker.infer(input.frames[frame].get());
        const MutexLock lock(mutex);
        progress(++done);
      }
    } catch (const std::exception& error) {
      next = reference.size();
      const auto* ours = dynamic_cast<const Error*>(&error);
      const MutexLock lock(mutex);
      failure = ours ? *ours : Error("model " + model.name, error.what());
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i)
    threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  if (failure) throw *failure;
  return reference;
}

}  // namespace elf::bench
