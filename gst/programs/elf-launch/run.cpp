// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/programs/elf-launch/run.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>

#include "elf/base/glib.h"
#include "elf/base/passwords.h"
#include "elf/base/printable.h"
#include "gst/elfvision/gstelfmeta.h"
#include "gst/programs/elf-launch/signals.h"
#include "programs/service/report.h"
#include "programs/service/service_manager.h"

namespace elf::program {

namespace {

using gst::Ref;

constexpr guint kProgressMs = 250;
constexpr guint kStatusMs = 2000;

GstPadProbeReturn countFrame(GstPad*, GstPadProbeInfo* info, gpointer data) {
  static_cast<FrameStatistics*>(data)->add(gst::getRecord(GST_PAD_PROBE_INFO_BUFFER(info)));
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
  return withoutPasswords(takeReason(error) + remark(debug));
}

/** Tells the manager, as often as it wants, that the main thread is alive. */
elf::Ref<GSource> beat() {
  const auto interval =
      std::chrono::duration_cast<std::chrono::milliseconds>(watchdogInterval()).count();
  if (interval == 0) return nullptr;
  elf::Ref<GSource> heart(g_timeout_source_new(static_cast<guint>(interval)));
  g_source_set_callback(
      heart.get(),
      [](gpointer) -> gboolean {
        notifyManager("WATCHDOG=1");
        return G_SOURCE_CONTINUE;
      },
      nullptr, nullptr);
  g_source_attach(heart.get(), nullptr);
  return heart;
}

bool isOurs(GstObject* source) {
  GstElementFactory* factory =
      GST_IS_ELEMENT(source) ? gst_element_get_factory(GST_ELEMENT(source)) : nullptr;
  return factory && g_str_has_prefix(GST_OBJECT_NAME(factory), "elf");
}

}  // namespace

Run::Run(GstElement* pipeline, const Options& options)
    : options_(options),
      pipeline_(gst::sunk(pipeline)),
      showsProgress_(!options.quiet && isatty(STDERR_FILENO)),
      framesLeft_(options.frames),
      source_(
          GST_BIN(pipeline), Source::Seconds(options.retry),
          {.lost = [this](const std::string& why, Source::Seconds pause) { onLost(why, pause); },
           .back = [this](Source::Seconds gone) { onBack(gone); },
           .givenUp = [this](const std::string& why) { fail(why); },
           .ends = [this] { return options_.frames >= 0 && framesLeft_ <= 0; }}) {
  if (options.frames >= 0) endAfter(GST_BIN(pipeline), framesLeft_);
  countFrames(GST_BIN(pipeline), statistics_);
}

Run::~Run() {
  setState(GST_STATE_NULL);
}

bool Run::toTheEnd() {
  const Ref<GstBus> bus(gst_element_get_bus(pipeline_.get()));
  const guint watch = gst_bus_add_watch(bus.get(), onMessage, this);
  const Signals signals([this] { interrupt(); }, [this] { reopenResults(); });
  const guint progress = showsProgress_ ? g_timeout_add(kProgressMs, onProgress, this) : 0;
  const guint status = g_timeout_add(kStatusMs, onStatus, this);
  const elf::Ref<GSource> heart = beat();

  begun_ = Clock::now();
  if (setState(GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) {
    // The failed element has posted the reason on the bus.
    while (g_main_context_iteration(nullptr, FALSE)) continue;
    if (!failed_) addError("pipeline: cannot be set to PLAYING");
    failed_ = true;
  } else {
    g_main_loop_run(loop_.get());
  }
  seconds_ = std::chrono::duration<double>(Clock::now() - begun_).count();

  if (progress) g_source_remove(progress);
  g_source_remove(status);
  g_source_remove(watch);
  setState(GST_STATE_NULL);
  if (showsProgress_) printProgress();
  clearLine(true);
  if (const std::string why = statistics_.unanswered(); !failed_ && !why.empty()) {
    addError("pipeline: " + why);
    failed_ = true;
  }
  return !failed_;
}
nlohmann::ordered_json Run::summary() const {
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

GstStateChangeReturn Run::setState(GstState state) {
  return gst_element_set_state(pipeline_.get(), state);
}

gboolean Run::onMessage(GstBus*, GstMessage* message, gpointer data) {
  static_cast<Run*>(data)->take(message);
  return G_SOURCE_CONTINUE;
}

gboolean Run::onProgress(gpointer data) {
  static_cast<Run*>(data)->printProgress();
  return G_SOURCE_CONTINUE;
}

gboolean Run::onStatus(gpointer data) {
  const auto* run = static_cast<const Run*>(data);
  if (run->ready_ && !run->lost_ && !run->interrupted_) notifyManager("STATUS=" + run->progress());
  return G_SOURCE_CONTINUE;
}

void Run::take(GstMessage* message) {
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
    case GST_MESSAGE_APPLICATION:
      source_.take(message);
      break;
    default:
      break;
  }
}

void Run::takeError(GstMessage* message) {
  if (failed_) return;  // later errors follow from the first one
  const std::string line =
      std::string(GST_MESSAGE_SRC_NAME(message)) + ": " + textOf(message, gst_message_parse_error);
  if (interrupted_ || !source_.takeError(message, line)) fail(line);
}

void Run::fail(const std::string& line) {
  addError(line);
  failed_ = true;
  g_main_loop_quit(loop_.get());
}

void Run::takeWarning(GstMessage* message) {
  if (failed_) return;  // warnings after an error do not matter
  warn(std::string(GST_MESSAGE_SRC_NAME(message)) + ": " +
       textOf(message, gst_message_parse_warning));
}

void Run::onLost(const std::string& why, Source::Seconds pause) {
  const std::string line =
      why + "; the source is started again in " + std::to_string(pause.count()) + " s";
  if (!std::exchange(lost_, true))
    warn(line);
  else if (!options_.quiet)
    say(LOG_INFO, line);
  notifyManager("STATUS=waits for the source: " + printable(why));
}

void Run::onBack(Source::Seconds gone) {
  lost_ = false;
  if (!options_.quiet)
    say(LOG_INFO, "the source is back after " + std::to_string(gone.count()) + " s");
}

void Run::takeInfo(GstMessage* message) {
  if (failed_ || options_.quiet || !isOurs(GST_MESSAGE_SRC(message))) return;
  say(LOG_INFO, std::string("info: ") + GST_MESSAGE_SRC_NAME(message) + ": " +
                    textOf(message, gst_message_parse_info));
}

void Run::takeState(GstMessage* message) {
  if (GST_MESSAGE_SRC(message) != GST_OBJECT(pipeline_.get())) return;
  GstState now = GST_STATE_NULL;
  gst_message_parse_state_changed(message, nullptr, &now, nullptr);
  // A source that is started again makes the pipeline wait for it, too.
  if (now != GST_STATE_PLAYING || std::exchange(ready_, true)) return;
  if (!options_.quiet) say(LOG_INFO, "running " + options_.name);
  notifyManager("READY=1\nSTATUS=" + printable("running " + options_.name));
}

void Run::interrupt() {
  if (interrupted_) {
    say(LOG_ERR, "stopped; files may not be whole");
    failed_ = true;
    g_main_loop_quit(loop_.get());
    return;
  }
  interrupted_ = true;
  notifyManager("STOPPING=1\nSTATUS=ends the stream");
  if (!options_.quiet) say(LOG_INFO, "ending (once more to stop at once)");
  if (!source_.end()) return;
  // In another thread: a source may take the event only when its frame has gone on.
  gst_element_call_async(
      pipeline_.get(),
      [](GstElement* pipeline, gpointer) { gst_element_send_event(pipeline, gst_event_new_eos()); },
      nullptr, nullptr);
}

void Run::reopenResults() {
  GstIterator* const all =
      gst_bin_iterate_all_by_element_factory_name(GST_BIN(pipeline_.get()), "elfmerge");
  gst_iterator_foreach(
      all,
      [](const GValue* element, gpointer) {
        g_signal_emit_by_name(g_value_get_object(element), "reopen-results");
      },
      nullptr);
  gst_iterator_free(all);
}

void Run::addError(const std::string& line) {
  errors_.push_back(line);
  say(LOG_ERR, line);
}

void Run::warn(const std::string& line) {
  warnings_.push_back(line);
  say(LOG_WARNING, "warning: " + line);
}

void Run::say(int priority, const std::string& line) {
  clearLine(false);
  report(priority, line);
}

void Run::clearLine(bool keep) {
  if (!lineShown_) return;
  std::fputs(keep ? "\n" : "\r\033[K", stderr);
  lineShown_ = false;
}

std::string Run::progress() const {
  const FrameStatistics::Snapshot s = statistics_.snapshot();
  const double elapsed = std::chrono::duration<double>(Clock::now() - begun_).count();
  std::string text = std::to_string(s.frames) + " frames  " +
                     formatNumber(elapsed > 0 ? static_cast<double>(s.frames) / elapsed : 0, 1) +
                     " frames/s";
  if (s.last)
    text += "  latency " + formatNumber(*s.last, 0) + " ms (mean " + formatNumber(*s.mean, 0) + ")";
  return text;
}

void Run::printProgress() {
  gint64 position = 0;
  if (gst_element_query_position(pipeline_.get(), GST_FORMAT_TIME, &position)) position_ = position;
  std::fprintf(stderr, "\r\033[K%02d:%02d  %s", static_cast<int>(position_ / GST_SECOND / 60),
               static_cast<int>(position_ / GST_SECOND % 60), progress().c_str());
  std::fflush(stderr);
  lineShown_ = true;
}

}  // namespace elf::program
