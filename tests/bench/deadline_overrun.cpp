// SPDX-License-Identifier: LGPL-2.1-or-later
// How far past their deadline frames leave elfoffload where a server does not answer, beside how
// late plain timers fire on the same machine at the same time.
#include <gst/gst.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <queue>
#include <string>
#include <vector>

#include "elf/client/soup_transport.h"
#include "gst/elfvision/gstelfmeta.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/stub_server.h"

namespace {

using Clock = std::chrono::steady_clock;
using elf::testing::Fault;

constexpr std::size_t kFrames = 10000;
constexpr int kInFlight = 32;
constexpr std::chrono::milliseconds kDeadline{100};
constexpr double kWanted = 20;  // ms, for 999 of 1000 frames

/** Milliseconds by which something came too late. */
using Overruns = std::vector<double>;

double millisecondsSince(Clock::time_point due) {
  return std::chrono::duration<double, std::milli>(Clock::now() - due).count();
}

/** What both pads of the element tell, each in its own thread. */
struct Run {
  GMainLoop* loop = g_main_loop_new(nullptr, FALSE);
  std::mutex mutex;
  /** Of the frames inside. */
  std::queue<Clock::time_point> deadlines;
  Overruns frames, timers;
  /** Timers of the element's kind, one for each frame. Ends first: its callbacks use the above. */
  elf::SoupTransport plain{"plain-timers"};

  void enter() {
    const auto deadline = Clock::now() + kDeadline;
    plain.at(deadline, [this, deadline] {
      const double overrun = millisecondsSince(deadline);
      const std::lock_guard lock(mutex);
      timers.push_back(overrun);
    });
    const std::lock_guard lock(mutex);
    deadlines.push(deadline);
  }

  void leave(const elf::FrameRecord& record) {
    const std::lock_guard lock(mutex);
    const auto deadline = deadlines.front();
    deadlines.pop();
    const bool late =
        std::ranges::count(record.answers, elf::AnswerState::Late, &elf::PartAnswer::state) > 0;
    if (late && frames.size() < kFrames) frames.push_back(millisecondsSince(deadline));
    if (frames.size() == kFrames) g_main_loop_quit(loop);
  }
};

void probe(GstElement* element, const char* name, GstPadProbeCallback callback, Run& run) {
  GstPad* pad = gst_element_get_static_pad(element, name);
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, callback, &run, nullptr);
  gst_object_unref(pad);
}

/** Prints a line of the table; returns what 999 of 1000 are not above. */
double print(const char* what, Overruns values) {
  std::ranges::sort(values);
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
  };
  std::printf("%-12s %7zu %7.2f %7.2f %7.2f %7.2f\n", what, values.size(), at(0.5), at(0.99),
              at(0.999), values.back());
  return at(0.999);
}

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  elf::testing::StubServer server;
  elf::testing::FaultProxy proxy(server.url());
  // Two parts for each frame, so that the server, which answers one of them, is not left out; and
  // one frame after the other, not all that are in flight at once.
  const std::string launch =
      "videotestsrc is-live=true ! video/x-raw,format=I420,width=64,height=48,framerate=" +
      std::to_string(kInFlight * 1000 / kDeadline.count()) +
      "/1 ! elfpartition partitioner=grid ! elfoffload name=offload qos=false max-in-flight=" +
      std::to_string(kInFlight) + " deadline=" + std::to_string(kDeadline.count()) +
      " servers=" + proxy.url() + "," + proxy.url() + " ! fakesink sync=false";
  GstElement* pipeline = gst_parse_launch(launch.c_str(), nullptr);
  GstElement* offload = gst_bin_get_by_name(GST_BIN(pipeline), "offload");
  Run run;
  probe(
      offload, "sink",
      [](GstPad*, GstPadProbeInfo*, gpointer data) {
        static_cast<Run*>(data)->enter();
        return GST_PAD_PROBE_OK;
      },
      run);
  probe(
      offload, "src",
      [](GstPad*, GstPadProbeInfo* info, gpointer data) {
        static_cast<Run*>(data)->leave(*elf::gst::getRecord(GST_PAD_PROBE_INFO_BUFFER(info)));
        return GST_PAD_PROBE_OK;
      },
      run);
  gst_object_unref(offload);
  proxy.rotate({Fault::None, Fault::BlackHole});
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  g_main_loop_run(run.loop);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(pipeline);
  run.plain.stop();

  std::printf("ms after the deadline of %lld ms, %d frames in flight\n",
              static_cast<long long>(kDeadline.count()), kInFlight);
  std::printf("%-12s %7s %7s %7s %7s %7s\n", "", "count", "p50", "p99", "p99.9", "max");
  const double measured = print("frames", run.frames);
  print("plain timers", run.timers);
  g_main_loop_unref(run.loop);
  return measured <= kWanted ? 0 : 1;
}
