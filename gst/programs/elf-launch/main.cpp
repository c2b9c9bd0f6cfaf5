// SPDX-License-Identifier: LGPL-2.1-or-later
// elf-launch: runs a `.pipeline` file until it ends (docs/elf-launch.md).

#include <glib-unix.h>
#include <gst/gst.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "elf/base/data_files.h"
#include "elf/base/error.h"
#include "elf/base/glib.h"
#include "elf/base/mutex.h"
#include "elf/base/output_file.h"
#include "gst/elfvision/gstelfmeta.h"
#include "gst/elfvision/gstelfpipeline.h"
#include "gst/elfvision/gstelfpipelinefile.h"
#include "gst/elfvision/gstelfref.h"
#include "gst/elfvision/gstelfvideo.h"

namespace {

using Clock = std::chrono::steady_clock;
using elf::gst::Ref;

constexpr int kFailed = 1;
constexpr int kWrongUse = 2;
constexpr guint kProgressMs = 250;
/** After the second signal. */
constexpr guint kTimeToStopMs = 1000;

struct Options {
  bool list = false;
  bool quiet = false;
  /** Frames after which the stream ends. Negative: never. */
  gint64 frames = -1;
  /** "-" is standard output. Empty: no summary. */
  std::string json;
  std::string name;
  std::vector<const char*> assignments;
};

/** Statistics of the frames. Streaming threads write them and the main thread reads them. */
class FrameStatistics {
 public:
  /** `record` is null if the frame carries none. */
  void add(const elf::FrameRecordPtr& record) {
    const elf::MutexLock lock(mutex_);
    ++frames_;
    if (!record) return;
    const double latencyMs = static_cast<double>(record->timings.total.count()) / 1000;
    ++measured_;
    sumMs_ += latencyMs;
    maxMs_ = std::max(maxMs_, latencyMs);
    lastMs_ = latencyMs;
    parts_ += record->answers.size();
    for (const elf::PartAnswer& answer : record->answers)
      if (answer.state == elf::AnswerState::Answered)
        answered_ = true;
      else if (answer.state == elf::AnswerState::Failed)
        failed_ = true;
  }

  /** The error if parts were sent to servers and none was answered. Otherwise empty. */
  std::string unanswered() const {
    const elf::MutexLock lock(mutex_);
    if (parts_ == 0 || answered_) return {};
    return "no part of " + std::to_string(frames_) + " frames was answered by a server" +
           (failed_ ? "" : " in time");
  }

  struct Snapshot {
    std::uint64_t frames = 0;
    /** Milliseconds. Unset if no frame carried a record. */
    std::optional<double> last, mean, max;
  };

  Snapshot snapshot() const {
    const elf::MutexLock lock(mutex_);
    if (measured_ == 0) return {frames_, {}, {}, {}};
    return {frames_, lastMs_, sumMs_ / static_cast<double>(measured_), maxMs_};
  }

 private:
  mutable elf::Mutex mutex_;
  std::uint64_t frames_ ELF_GUARDED_BY(mutex_) = 0;
  std::uint64_t measured_ ELF_GUARDED_BY(mutex_) = 0;
  double sumMs_ ELF_GUARDED_BY(mutex_) = 0;
  double maxMs_ ELF_GUARDED_BY(mutex_) = 0;
  std::optional<double> lastMs_ ELF_GUARDED_BY(mutex_);
  std::uint64_t parts_ ELF_GUARDED_BY(mutex_) = 0;
  /** Whether any part was. A part that is neither was late. */
  bool answered_ ELF_GUARDED_BY(mutex_) = false, failed_ ELF_GUARDED_BY(mutex_) = false;
};

GstPadProbeReturn countFrame(GstPad*, GstPadProbeInfo* info, gpointer data) {
  static_cast<FrameStatistics*>(data)->add(elf::gst::getRecord(GST_PAD_PROBE_INFO_BUFFER(info)));
  return GST_PAD_PROBE_OK;
}

// `identity eos-after` would pass the frames that decoders still hold after EOS.
GstPadProbeReturn limitFrames(GstPad*, GstPadProbeInfo* info, gpointer data) {
  if (static_cast<std::atomic<gint64>*>(data)->fetch_sub(1) > 0) return GST_PAD_PROBE_OK;
  gst_buffer_unref(GST_PAD_PROBE_INFO_BUFFER(info));
  GST_PAD_PROBE_INFO_FLOW_RETURN(info) = GST_FLOW_EOS;
  return GST_PAD_PROBE_HANDLED;
}

/** Adds a buffer probe to the pad `pad` of all `elements`. True if any element has that pad. */
bool addProbes(GstIterator* elements, const char* pad, GstPadProbeCallback probe, gpointer data) {
  struct Use {
    const char* pad;
    GstPadProbeCallback probe;
    gpointer data;
    bool any = false;
  } use{pad, probe, data};
  gst_iterator_foreach(
      elements,
      [](const GValue* value, gpointer shared) {
        auto* u = static_cast<Use*>(shared);
        const Ref<GstPad> found(
            gst_element_get_static_pad(GST_ELEMENT(g_value_get_object(value)), u->pad));
        if (!found) return;
        gst_pad_add_probe(found.get(), GST_PAD_PROBE_TYPE_BUFFER, u->probe, u->data, nullptr);
        u->any = true;
      },
      &use);
  gst_iterator_free(elements);
  return use.any;
}

// After elfmerge a record is complete, and no encoder has dropped it yet. A pipeline without
// elfmerge counts the frames at its sinks.
void countFrames(GstBin* pipeline, FrameStatistics& statistics) {
  if (!addProbes(gst_bin_iterate_all_by_element_factory_name(pipeline, "elfmerge"), "src",
                 countFrame, &statistics))
    addProbes(gst_bin_iterate_sinks(pipeline), "sink", countFrame, &statistics);
}

// Limits the frames where they enter Elf, so that all that enter also leave. Without Elf, at the
// sinks.
void endAfter(GstBin* pipeline, std::atomic<gint64>& left) {
  for (const char* first : {"elfrppredict", "elfpartition", "elfoffload", "elfmerge"})
    if (addProbes(gst_bin_iterate_all_by_element_factory_name(pipeline, first), "sink", limitFrames,
                  &left))
      return;
  addProbes(gst_bin_iterate_sinks(pipeline), "sink", limitFrames, &left);
}

// Elements put the cause on separate lines after the place in the source.
std::string remark(const gchar* debug) {
  const std::string text = debug ? debug : "";
  const std::size_t place = text.find('\n');
  if (place == std::string::npos || place + 1 == text.size()) return "";
  std::string cause = text.substr(place + 1);
  std::replace(cause.begin(), cause.end(), '\n', ' ');
  return " (" + cause + ")";
}

/** The text of an error, warning or info message, read by `parse`. */
std::string textOf(GstMessage* message, void (*parse)(GstMessage*, GError**, gchar**)) {
  GError* error = nullptr;
  gchar* debug = nullptr;
  parse(message, &error, &debug);
  const Ref<gchar> owner(debug);
  return elf::takeReason(error) + remark(debug);
}

bool isOurs(GstObject* source) {
  GstElementFactory* factory =
      GST_IS_ELEMENT(source) ? gst_element_get_factory(GST_ELEMENT(source)) : nullptr;
  return factory && g_str_has_prefix(GST_OBJECT_NAME(factory), "elf");
}

/**
 * Calls `onSignal` in the main context for each SIGINT and SIGTERM. The second one ends this
 * program within kTimeToStopMs, even if the main thread waits for an element that does not stop.
 */
class Signals {
 public:
  explicit Signals(std::function<void()> onSignal) : onSignal_(std::move(onSignal)) {
    for (const int number : {SIGINT, SIGTERM}) {
      elf::Ref<GSource>& source = sources_.emplace_back(g_unix_signal_source_new(number));
      g_source_set_callback(source.get(), take, this, nullptr);
      g_source_attach(source.get(), context_.get());
    }
    thread_ = std::thread([this] { g_main_loop_run(loop_.get()); });
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals() {
    elf::post(context_.get(), [this] { g_main_loop_quit(loop_.get()); });
    thread_.join();
  }

 private:
  static gboolean take(gpointer self) {
    auto* signals = static_cast<Signals*>(self);
    elf::post(nullptr, signals->onSignal_);
    if (++signals->count_ == 2)
      signals->exit_ =
          elf::schedule(signals->context_.get(), g_timeout_source_new(kTimeToStopMs), [] {
            std::fputs("elf-launch: an element does not stop\n", stderr);
            std::_Exit(kFailed);
          });
    return G_SOURCE_CONTINUE;
  }

  const std::function<void()> onSignal_;
  const Ref<GMainContext> context_{g_main_context_new()};
  const Ref<GMainLoop> loop_{g_main_loop_new(context_.get(), FALSE)};
  std::vector<elf::Ref<GSource>> sources_;
  int count_ = 0;
  elf::Ref<GSource> exit_;
  std::thread thread_;
};

/** One run of one pipeline, from set-up to its end. */
class Run {
 public:
  Run(GstElement* pipeline, const Options& options)
      : options_(options),
        pipeline_(elf::gst::sunk(pipeline)),
        showsProgress_(!options.quiet && isatty(STDERR_FILENO)),
        framesLeft_(options.frames) {
    if (options.frames >= 0) endAfter(GST_BIN(pipeline), framesLeft_);
    countFrames(GST_BIN(pipeline), statistics_);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() { setState(GST_STATE_NULL); }

  /** Runs until EOS, an error or a second signal. True if there was no error. */
  bool toTheEnd() {
    const Ref<GstBus> bus(gst_element_get_bus(pipeline_.get()));
    const guint watch = gst_bus_add_watch(bus.get(), onMessage, this);
    const Signals signals([this] { interrupt(); });
    const guint progress = showsProgress_ ? g_timeout_add(kProgressMs, onProgress, this) : 0;

    begun_ = Clock::now();
    if (setState(GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) {
      // The failed element has posted the reason on the bus.
      while (g_main_context_iteration(nullptr, FALSE)) continue;
      if (!failed_) addError("pipeline", "cannot be set to PLAYING");
      failed_ = true;
    } else {
      g_main_loop_run(loop_.get());
    }
    seconds_ = std::chrono::duration<double>(Clock::now() - begun_).count();

    if (progress) g_source_remove(progress);
    g_source_remove(watch);
    setState(GST_STATE_NULL);
    if (showsProgress_) printProgress();
    clearLine(true);
    if (const std::string why = statistics_.unanswered(); !failed_ && !why.empty()) {
      addError("pipeline", why);
      failed_ = true;
    }
    return !failed_;
  }

  nlohmann::ordered_json summary() const {
    const FrameStatistics::Snapshot s = statistics_.snapshot();
    nlohmann::ordered_json json;
    json["pipeline"] = options_.name;
    json["frames"] = s.frames;
    json["seconds"] = seconds_;
    json["fps"] = seconds_ > 0 ? static_cast<double>(s.frames) / seconds_ : 0.0;
    if (s.mean) json["latency_ms"] = {{"mean", *s.mean}, {"max", *s.max}};
    json["errors"] = errors_;
    json["warnings"] = warnings_;
    return json;
  }

 private:
  GstStateChangeReturn setState(GstState state) {
    return gst_element_set_state(pipeline_.get(), state);
  }

  static gboolean onMessage(GstBus*, GstMessage* message, gpointer data) {
    static_cast<Run*>(data)->take(message);
    return G_SOURCE_CONTINUE;
  }

  static gboolean onProgress(gpointer data) {
    static_cast<Run*>(data)->printProgress();
    return G_SOURCE_CONTINUE;
  }

  void take(GstMessage* message) {
    switch (GST_MESSAGE_TYPE(message)) {
      case GST_MESSAGE_EOS:
        g_main_loop_quit(loop_.get());
        break;
      case GST_MESSAGE_ERROR:
        takeError(message);
        break;
      case GST_MESSAGE_WARNING:
        takeWarning(message);
        break;
      case GST_MESSAGE_INFO:
        takeInfo(message);
        break;
      case GST_MESSAGE_LATENCY:
        gst_bin_recalculate_latency(GST_BIN(pipeline_.get()));
        break;
      case GST_MESSAGE_CLOCK_LOST:
        setState(GST_STATE_PAUSED);
        setState(GST_STATE_PLAYING);
        break;
      case GST_MESSAGE_STATE_CHANGED:
        takeState(message);
        break;
      default:
        break;
    }
  }

  void takeError(GstMessage* message) {
    if (failed_) return;  // later errors follow from the first one
    addError(GST_MESSAGE_SRC_NAME(message), textOf(message, gst_message_parse_error));
    failed_ = true;
    g_main_loop_quit(loop_.get());
  }

  void takeWarning(GstMessage* message) {
    if (failed_) return;  // warnings after an error do not matter
    const std::string line = std::string(GST_MESSAGE_SRC_NAME(message)) + ": " +
                             textOf(message, gst_message_parse_warning);
    warnings_.push_back(line);
    say("warning: " + line);
  }

  void takeInfo(GstMessage* message) {
    if (failed_ || options_.quiet || !isOurs(GST_MESSAGE_SRC(message))) return;
    say(std::string("info: ") + GST_MESSAGE_SRC_NAME(message) + ": " +
        textOf(message, gst_message_parse_info));
  }

  void takeState(GstMessage* message) {
    if (GST_MESSAGE_SRC(message) != GST_OBJECT(pipeline_.get())) return;
    GstState now = GST_STATE_NULL;
    gst_message_parse_state_changed(message, nullptr, &now, nullptr);
    if (now == GST_STATE_PLAYING && !options_.quiet) say("running " + options_.name);
  }

  void interrupt() {
    if (interrupted_) {
      say("stopped; files may not be whole");
      failed_ = true;
      g_main_loop_quit(loop_.get());
      return;
    }
    interrupted_ = true;
    if (!options_.quiet) say("ending (once more to stop at once)");
    // In another thread: a source may take the event only when its frame has gone on.
    gst_element_call_async(
        pipeline_.get(),
        [](GstElement* pipeline, gpointer) {
          gst_element_send_event(pipeline, gst_event_new_eos());
        },
        nullptr, nullptr);
  }

  void addError(const std::string& element, const std::string& text) {
    errors_.push_back(element + ": " + text);
    say(errors_.back());
  }

  void say(const std::string& line) {
    clearLine(false);
    std::fprintf(stderr, "elf-launch: %s\n", line.c_str());
  }

  void clearLine(bool keep) {
    if (!lineShown_) return;
    std::fputs(keep ? "\n" : "\r\033[K", stderr);
    lineShown_ = false;
  }

  void printProgress() {
    gint64 position = 0;
    if (gst_element_query_position(pipeline_.get(), GST_FORMAT_TIME, &position))
      position_ = position;
    const FrameStatistics::Snapshot s = statistics_.snapshot();
    const double elapsed = std::chrono::duration<double>(Clock::now() - begun_).count();
    std::fprintf(stderr, "\r\033[K%02d:%02d  %llu frames  %.1f frames/s",
                 static_cast<int>(position_ / GST_SECOND / 60),
                 static_cast<int>(position_ / GST_SECOND % 60),
                 static_cast<unsigned long long>(s.frames),
                 elapsed > 0 ? static_cast<double>(s.frames) / elapsed : 0.0);
    if (s.last) std::fprintf(stderr, "  latency %.0f ms (mean %.0f)", *s.last, *s.mean);
    std::fflush(stderr);
    lineShown_ = true;
  }

  const Options& options_;
  const Ref<GstElement> pipeline_;
  const Ref<GMainLoop> loop_{g_main_loop_new(nullptr, FALSE)};
  bool showsProgress_;
  std::atomic<gint64> framesLeft_;
  FrameStatistics statistics_;
  Clock::time_point begun_;
  double seconds_ = 0;
  gint64 position_ = 0;
  bool lineShown_ = false;
  bool interrupted_ = false;
  bool failed_ = false;
  std::vector<std::string> errors_;
  std::vector<std::string> warnings_;
};

int fail(int code, const std::string& what) {
  std::fprintf(stderr, "elf-launch: %s\n", what.c_str());
  return code;
}

int list() {
  bool allGood = true;
  for (const std::string& name : elf::listDataFiles(elf::kPipelineFiles)) {
    try {
      const elf::gst::PipelineFile file =
          elf::gst::readPipelineFile(elf::findDataFile(elf::kPipelineFiles, name));
      std::printf("%s\n    %s\n", name.c_str(), file.description.c_str());
      for (const elf::gst::PipelineVariable& v : file.variables)
        std::printf("      %-12s %s%s\n", (v.name + "=").c_str(), v.help.c_str(),
                    v.initial ? (" [" + *v.initial + "]").c_str() : " (required)");
    } catch (const elf::Error& error) {
      allGood = false;
      fail(kFailed, error.what());
    }
  }
  return allGood ? 0 : kFailed;
}

int runPipeline(const Options& options) {
  elf::requireWritable(options.json);
  GError* error = nullptr;
  GstElement* pipeline =
      gst_elf_pipeline_new(options.name.c_str(), options.assignments.data(), &error);
  if (!pipeline) {
    const bool misused =
        g_error_matches(error, GST_ELF_PIPELINE_ERROR, GST_ELF_PIPELINE_ERROR_NOT_FOUND) ||
        g_error_matches(error, GST_ELF_PIPELINE_ERROR, GST_ELF_PIPELINE_ERROR_VARIABLE);
    return fail(misused ? kWrongUse : kFailed, elf::takeReason(error));
  }
  Run run(pipeline, options);
  const bool good = run.toTheEnd();
  if (!options.json.empty())
    elf::writeFile(
        options.json,
        run.summary().dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n');
  return good ? 0 : kFailed;
}

/** The exit code, if the command line alone decides it. */
std::optional<int> parseArguments(int& argc, char**& argv, Options& options) {
  gboolean wantsList = FALSE;
  gboolean quiet = FALSE;
  gboolean version = FALSE;
  gint64 frames = -1;
  gchar* json = nullptr;
  const GOptionEntry entries[] = {
      {"list", 'l', 0, G_OPTION_ARG_NONE, &wantsList, "List the pipelines and their variables",
       nullptr},
      {"frames", 0, 0, G_OPTION_ARG_INT64, &frames, "End after the first N frames; -1 is all (-1)",
       "N"},
      {"json", 0, 0, G_OPTION_ARG_FILENAME, &json,
       "Write a summary of the run to FILE; - is standard output", "FILE"},
      {"quiet", 'q', 0, G_OPTION_ARG_NONE, &quiet, "Say nothing but errors and warnings", nullptr},
      {"version", 0, 0, G_OPTION_ARG_NONE, &version, "Show the version", nullptr},
      {nullptr, 0, 0, G_OPTION_ARG_NONE, nullptr, nullptr, nullptr}};
  const Ref<GOptionContext> context(g_option_context_new("NAME|FILE [VARIABLE=VALUE ...]"));
  g_option_context_set_summary(
      context.get(),
      "Runs a .pipeline file until it ends. Ctrl-C ends it so that files are whole; a second one\n"
      "stops at once. Exit code: 0 done, 1 failed, 2 wrong use.");
  g_option_context_add_main_entries(context.get(), entries, nullptr);
  g_option_context_add_group(context.get(), gst_init_get_option_group());
  GError* error = nullptr;
  const gboolean parsed = g_option_context_parse(context.get(), &argc, &argv, &error);
  options.list = wantsList;
  options.quiet = quiet;
  options.frames = frames;
  options.json = elf::takeText(json);
  if (!parsed) return fail(kWrongUse, elf::takeReason(error));
  if (version) {
    std::printf("elf-launch %s\n", ELF_VERSION);
    return 0;
  }
  if (frames == 0 || frames < -1)
    return fail(kWrongUse, "--frames: is neither above 0 nor -1, all");
  if (options.list) return std::nullopt;
  if (argc < 2) return fail(kWrongUse, "which pipeline? Give a name or a file, or --list");
  options.name = argv[1];
  options.assignments.assign(argv + 2, argv + argc);
  options.assignments.push_back(nullptr);
  return std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Options options;
    if (const std::optional<int> code = parseArguments(argc, argv, options)) return *code;
    elf::gst::readOrientationOfPhotos();
    return options.list ? list() : runPipeline(options);
  } catch (const std::exception& error) {
    return fail(kFailed, error.what());
  }
}
