// SPDX-License-Identifier: LGPL-2.1-or-later
// Every property that may be set while playing is set while playing, and takes effect.
#include <gst/app/gstappsink.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "elf/server/server.h"
#include "gst/elfvision/gstelfmeta.h"
#include "tests/support/gate.h"
#include "tests/support/stats.h"

namespace elf::gst {
namespace {

using elf::testing::Gate;
using elf::testing::OffloadStatsOf;

/** Finds what is bright, as one object with a mask and two joints, unless it is blind. */
class BrightModel final : public InferenceModel {
 public:
  BrightModel(Gate& gate, const std::atomic<bool>& blind)
      : InferenceModel(file()), gate_(gate), blind_(blind) {}
  std::string platform() const override { return "bright"; }
  Result<std::vector<Detection>> run(const ImageView& bgr, const Placement&) override {
    gate_.pass();
    std::vector<Detection> found;
    int left = bgr.size.width, top = bgr.size.height, right = 0, bottom = 0;
    for (int y = 0; y < bgr.size.height; ++y)
      for (int x = 0; x < bgr.size.width; ++x)
        if (bgr.planes[0][y * static_cast<std::ptrdiff_t>(bgr.strides[0]) + 3 * x] > 128) {
          left = std::min(left, x);
          right = std::max(right, x + 1);
          top = std::min(top, y);
          bottom = std::max(bottom, y + 1);
        }
    if (blind_ || right - left < 4 || bottom - top < 4) return found;
    const Rect rect{left, top, right - left, bottom - top};
    const auto area = static_cast<std::size_t>(rect.width) * static_cast<std::size_t>(rect.height);
    Detection thing{.box = toBox(rect), .score = 1, .labelId = 0, .label = "thing"};
    thing.mask = Mask(rect, std::vector<std::uint8_t>(area, 1));
    thing.keypoints = {{static_cast<float>(left + 2), static_cast<float>(top + 2), 1},
                       {static_cast<float>(right - 2), static_cast<float>(bottom - 2), 1}};
    found.push_back(std::move(thing));
    return found;
  }

 private:
  static ModelFile file() {
    ModelFile file;
    file.name = "bright";
    file.rules.labels = {"thing"};
    file.rules.context = 4;
    file.rules.objectSize = 20;
    file.rules.masks = true;
    file.rules.keypoints = 2;
    file.rules.skeleton = {{0, 1}};
    return file;
  }
  Gate& gate_;
  const std::atomic<bool>& blind_;
};

/** FNV-1a. */
std::uint64_t hashOf(GstBuffer* buffer) {
  GstMapInfo map;
  gst_buffer_map(buffer, &map, GST_MAP_READ);
  std::uint64_t hash = 14695981039346656037U;
  for (std::size_t i = 0; i < map.size; ++i) hash = (hash ^ map.data[i]) * 1099511628211U;
  gst_buffer_unmap(buffer, &map);
  return hash;
}

class MutableProperty : public ::testing::TestWithParam<std::string> {
 protected:
  /** Where the picture flickers when it is asked to. */
  static constexpr Rect kCorner{0, 0, 64, 64};
  /** A frame as it came out. */
  struct Frame {
    FrameRecord record;
    bool drawnOn = false;
  };

  ~MutableProperty() override {
    gateA_.open();
    gateB_.open();
    if (!pipeline_) return;
    gst_element_set_state(pipeline_, GST_STATE_NULL);
    gst_object_unref(sink_);
    gst_object_unref(pipeline_);
  }

  /** Two servers, and a pipeline that plays; nothing is drawn. */
  void play() {
    a_ = start(gateA_);
    b_ = start(gateB_);
    const std::string line =
        "videotestsrc name=src pattern=ball ! video/x-raw,format=I420,width=320,height=240,"
        "framerate=30/1 ! videoscale qos=false ! video/x-raw,width=640,height=480 ! identity "
        "name=before ! "
        "elfrppredict name=elfrppredict ! elfpartition name=elfpartition ! elfoffload "
        "name=elfoffload model=bright hedging=0 servers=" +
        a_->url() + "," + b_->url() +
        " ! elfmerge name=elfmerge draw-boxes=false draw-labels=false draw-masks=false "
        "draw-keypoints=false draw-rps=false draw-parts=false draw-statistics=false ! "
        "appsink name=out sync=false max-buffers=2";
    GError* error = nullptr;
    pipeline_ = gst_parse_launch(line.c_str(), &error);
    ASSERT_EQ(error, nullptr) << error->message;
    sink_ = element("out");
    probe("before", [](GstPad*, GstPadProbeInfo* info, gpointer data) {
      static_cast<MutableProperty*>(data)->flicker(info);
      return GST_PAD_PROBE_OK;
    });
    probe("elfoffload", [](GstPad*, GstPadProbeInfo* info, gpointer data) {
      auto* self = static_cast<MutableProperty*>(data);
      const std::lock_guard lock(self->mutex_);
      self->undrawn_.push_back(hashOf(GST_PAD_PROBE_INFO_BUFFER(info)));
      return GST_PAD_PROBE_OK;
    });
    gst_element_set_state(pipeline_, GST_STATE_PLAYING);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(next());
  }

  GstElement* element(const std::string& name) const {
    return gst_bin_get_by_name(GST_BIN(pipeline_), name.c_str());
  }

  std::optional<Frame> next() {
    GstSample* sample = gst_app_sink_try_pull_sample(GST_APP_SINK(sink_), 20 * GST_SECOND);
    EXPECT_TRUE(sample) << "no frame came";
    if (!sample) return std::nullopt;
    GstBuffer* buffer = gst_sample_get_buffer(sample);
    Frame frame;
    if (const FrameRecordPtr record = getRecord(buffer)) frame.record = *record;
    {
      const std::lock_guard lock(mutex_);
      frame.drawnOn = undrawn_.front() != hashOf(buffer);
      undrawn_.pop_front();
    }
    gst_sample_unref(sample);
    return frame;
  }

  /** Sets it as text. */
  void set(const char* value) {
    const std::string& name = GetParam();
    const std::size_t dot = name.find('.');
    set(name.substr(0, dot), name.substr(dot + 1), value);
  }
  void set(const std::string& owner, const std::string& property, const std::string& value) {
    GstElement* found = element(owner);
    gst_util_set_object_arg(G_OBJECT(found), property.c_str(), value.c_str());
    gst_object_unref(found);
  }

  /** A frame comes for which `holds` is true, before long. */
  void expectSoon(const std::function<bool(const Frame&)>& holds) {
    for (int i = 0; i < 150; ++i) {
      const std::optional<Frame> frame = next();
      ASSERT_TRUE(frame);
      if (holds(*frame)) return;
    }
    ADD_FAILURE() << GetParam() << " has no effect";
  }
  /** It is so for the next frames, but for those that are under way: two seconds of them may wait
   * in elfoffload. */
  void expectStays(const std::function<bool(const Frame&)>& holds) {
    for (int i = 0; i < 92; ++i) {
      const std::optional<Frame> frame = next();
      ASSERT_TRUE(frame);
      if (i >= 80) {
        EXPECT_TRUE(holds(*frame)) << GetParam() << ", frame " << frame->record.id;
      }
    }
  }

  /** What is usually added to an expected box, as a share of it, in the next frames. */
  double padding() {
    std::vector<double> shares;
    for (int i = 0; i < 50; ++i) {
      const std::optional<Frame> frame = next();
      if (!frame || i < 10 || !frame->record.rps) continue;
      for (const Rp& rp : *frame->record.rps)
        shares.push_back(rp.box.area() / rp.expected.area() - 1);
    }
    if (shares.empty()) return 0;
    const auto middle = shares.begin() + static_cast<std::ptrdiff_t>(shares.size() / 2);
    std::ranges::nth_element(shares, middle);
    return *middle;
  }

  guint64 statistic(const char* field) const {
    GstElement* offload = element("elfoffload");
    const guint64 count = OffloadStatsOf(offload).count(field);
    gst_object_unref(offload);
    return count;
  }

  /** `elf-result` messages that are there. */
  int results() const {
    GstBus* bus = gst_element_get_bus(pipeline_);
    int count = 0;
    while (GstMessage* message = gst_bus_pop(bus)) {
      count += gst_message_has_name(message, "elf-result");
      gst_message_unref(message);
    }
    gst_object_unref(bus);
    return count;
  }

  /** For nothing that is expected there; perhaps in one part with what is expected elsewhere. */
  static bool looksAtCorner(const Frame& frame) {
    if (!frame.record.plan || !frame.record.rps) return false;
    const auto touches = [](const Box& box) { return !intersect(box, toBox(kCorner)).empty(); };
    return std::ranges::none_of(*frame.record.rps, [&](const Rp& rp) { return touches(rp.box); }) &&
           std::ranges::any_of(frame.record.plan->parts,
                               [&](const Part& part) { return touches(toBox(part.rect)); });
  }
  static bool has(const Frame& frame, PartKind kind) {
    return frame.record.plan && std::ranges::any_of(frame.record.plan->parts,
                                                    [&](const Part& p) { return p.kind == kind; });
  }
  /** The low resolution is looked at, and `holds` for it. */
  static bool lrc(const Frame& frame, const std::function<bool(const Part&)>& holds) {
    return frame.record.plan && std::ranges::any_of(frame.record.plan->parts, [&](const Part& p) {
             return p.kind == PartKind::Lrc && holds(p);
           });
  }
  static bool scaled(const Frame& frame) {
    return frame.record.plan && std::ranges::any_of(frame.record.plan->parts, [](const Part& p) {
             return p.kind == PartKind::Rp && p.scale < 1;
           });
  }
  /** A server answered, and it was that one. */
  static bool answeredBy(const Frame& frame, const std::string& url) {
    return !frame.record.answers.empty() &&
           std::ranges::all_of(frame.record.answers, [&](const PartAnswer& answer) {
             return frame.record.capacity->servers.at(static_cast<std::size_t>(answer.server))
                        .url == url;
           });
  }
  static bool raw(const Frame& frame) {
    return std::abs(static_cast<double>(frame.record.bytesSent()) - 3 * frame.record.pixelsSent()) <
           1;
  }
  static bool sent(const Frame& frame) { return !frame.record.answers.empty(); }

  void sendQos() const {
    GstElement* merge = element("elfmerge");
    gst_element_send_event(merge,
                           gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 2, 0, 3600 * GST_SECOND));
    gst_object_unref(merge);
  }

  void drawsWhileItIsSet() {
    expectStays([](const Frame& f) { return !f.drawnOn; });
    set("true");
    expectSoon([](const Frame& f) { return f.drawnOn; });
    set("false");
    expectStays([](const Frame& f) { return !f.drawnOn; });
  }

  void tryIt(const std::string& name);
  static std::map<std::string, std::function<void(MutableProperty&)>> checks();

  Gate gateA_, gateB_;
  std::atomic<bool> blind_ = false, flickers_ = false, still_ = false;
  std::unique_ptr<Server> a_, b_;

 public:
  static std::vector<std::string> names();

 private:
  std::unique_ptr<Server> start(Gate& gate) {
    return std::make_unique<Server>(std::vector<ModelFactory>{[&gate, this] {
                                      return std::make_unique<BrightModel>(gate, blind_);
                                    }},
                                    ServerOptions{});
  }
  void probe(const char* name, GstPadProbeCallback callback) {
    GstElement* found = element(name);
    GstPad* pad = gst_element_get_static_pad(found, "src");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, callback, this, nullptr);
    gst_object_unref(pad);
    gst_object_unref(found);
  }
  /** A corner that changes and is not bright, or something bright that stands still on black. */
  void flicker(GstPadProbeInfo* info) {
    if (!flickers_ && !still_) return;
    GstBuffer* buffer = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
    GstMapInfo map;
    gst_buffer_map(buffer, &map, GST_MAP_READWRITE);
    if (still_) {
      std::fill_n(map.data, 640 * 480, guint8{16});
      for (int y = 200; y < 240; ++y)
        std::fill_n(map.data + std::ptrdiff_t{y} * 640 + 300, 40, 235);
    }
    // Not in step with the pauses of discovery.
    const auto grey = static_cast<guint8>(++flicker_ % 7 < 3 ? 16 : 100);
    for (int y = 0; flickers_ && y < kCorner.height; ++y)
      std::fill_n(map.data + std::ptrdiff_t{y} * 640, kCorner.width, grey);
    gst_buffer_unmap(buffer, &map);
    info->data = buffer;
  }

  GstElement* pipeline_ = nullptr;
  GstElement* sink_ = nullptr;
  int flicker_ = 0;
  std::mutex mutex_;
  /** Of the frames that left elfoffload. */
  std::deque<std::uint64_t> undrawn_;
};

// A check that does nothing here names the test that changes its property in a running element.
std::map<std::string, std::function<void(MutableProperty&)>> MutableProperty::checks() {
  using Test = MutableProperty;
  const auto draws = [](Test& t) { t.drawsWhileItIsSet(); };
  return {
      {"elfrppredict.coverage",
       [](Test& t) {
         for (int i = 0; i < 60; ++i) ASSERT_TRUE(t.next());
         t.set("0.5");
         const double little = t.padding();
         t.set("0.999");
         EXPECT_GT(t.padding(), 1.2 * little);
       }},
      {"elfpartition.scale-large",
       [](Test& t) {
         t.set("false");
         t.expectStays([](const Frame& f) { return !scaled(f); });
         t.set("true");
         t.expectSoon(scaled);
       }},
      {"elfpartition.scan-interval",
       [](Test& t) {
         t.set("elfpartition", "change-threshold", "0");
         t.set("0");
         t.expectStays([](const Frame& f) { return !has(f, PartKind::Scan); });
         t.set("2");
         t.expectSoon([](const Frame& f) { return has(f, PartKind::Scan); });
       }},
      {"elfpartition.change-threshold",
       [](Test& t) {
         t.set("elfpartition", "scan-interval", "0");
         t.set("0");
         t.flickers_ = true;
         t.expectStays([](const Frame& f) { return !looksAtCorner(f); });
         t.set("20");
         t.expectSoon(looksAtCorner);
       }},
      // Partition.RegionsOfEarlierStagesArePlacesToLookAtWhereThatIsAskedFor
      {"elfpartition.regions", [](Test&) {}},
      {"elfpartition.regions-label", [](Test&) {}},
      // Partition.TheGridChangesWhilePlaying
      {"elfpartition.grid-columns", [](Test&) {}},
      {"elfpartition.grid-rows", [](Test&) {}},
      {"elfpartition.keep-unchanged",
       [](Test& t) {
         const auto kept = [](const Frame& f) {
           return std::ranges::any_of(f.record.detections, &Detection::kept);
         };
         t.expectStays([&](const Frame& f) { return !kept(f); });  // the ball moves
         t.still_ = true;
         t.expectSoon(kept);
         t.set("0");
         t.expectStays([&](const Frame& f) { return !kept(f); });
         t.set("1000");
         t.expectSoon(kept);
       }},
      {"elfpartition.lrc-interval",
       [](Test& t) {
         t.set("1");
         t.expectSoon([](const Frame& f) { return has(f, PartKind::Lrc); });
         t.set("0");
         t.expectStays([](const Frame& f) { return !has(f, PartKind::Lrc); });
       }},
      {"elfpartition.lrc-ratio",
       [](Test& t) {
         t.set("elfpartition", "lrc-interval", "1");
         for (const double ratio : {0.5, 0.25}) {
           t.set(ratio == 0.5 ? "0.5" : "0.25");
           t.expectSoon([&](const Frame& f) {
             return lrc(f, [&](const Part& p) { return std::abs(p.scale - ratio) < 0.01; });
           });
         }
       }},
      {"elfpartition.lrc-server",
       [](Test& t) {
         t.set("elfpartition", "lrc-interval", "1");
         for (const std::string& url : {t.b_->url(), t.a_->url(), t.b_->url()}) {
           t.set(url.c_str());
           const auto there = [&](const Frame& f) {
             return lrc(f, [&](const Part& p) {
               return f.record.capacity->servers.at(static_cast<std::size_t>(p.server)).url == url;
             });
           };
           t.expectStays(there);
         }
       }},
      {"elfoffload.servers",
       [](Test& t) {
         for (const std::string& url : {t.b_->url(), t.a_->url()}) {
           t.set(url.c_str());
           t.expectStays([&](const Frame& f) { return !sent(f) || answeredBy(f, url); });
         }
       }},
      {"elfoffload.deadline",
       [](Test& t) {
         t.set("-1");
         t.expectStays([](const Frame& f) { return f.record.inferred; });
         t.set("60");  // for the frames to come
         for (int i = 0; i < 18; ++i) ASSERT_TRUE(t.next());
         t.gateA_.close();
         t.gateB_.close();
         t.expectSoon([](const Frame& f) { return !f.record.inferred; });
         t.gateA_.open();
         t.gateB_.open();
         t.set("-1");
         t.expectSoon([](const Frame& f) { return f.record.inferred; });
       }},
      {"elfoffload.max-in-flight",
       [](Test& t) {
         t.expectStays([](const Frame& f) { return f.record.horizon <= 1; });
         t.set("4");
         t.expectSoon([](const Frame& f) { return f.record.horizon > 1; });
         t.set("1");
         t.expectStays([](const Frame& f) { return f.record.horizon <= 1; });
       }},
      {"elfoffload.encoding",
       [](Test& t) {
         t.set("raw");
         t.expectStays(raw);
         t.set("jpeg");
         t.expectStays([](const Frame& f) { return !sent(f) || !raw(f); });
       }},
      {"elfoffload.jpeg-quality",
       [](Test& t) {
         t.set("elfoffload", "encoding", "jpeg");
         for (const int quality : {20, 95}) {
           t.set(std::to_string(quality).c_str());
           t.expectSoon([&](const Frame&) {
             GstElement* offload = t.element("elfoffload");
             GstStructure* stats = nullptr;
             int used = 0;
             g_object_get(offload, "stats", &stats, nullptr);
             gst_structure_get_int(stats, "quality", &used);
             gst_structure_free(stats);
             gst_object_unref(offload);
             return used == quality;
           });
         }
       }},
      {"elfoffload.bandwidth",
       [](Test& t) {
         t.set("1");
         t.expectSoon([](const Frame& f) { return f.record.skipped; });
         t.set("0");
         t.expectStays([](const Frame& f) { return !f.record.skipped; });
       }},
      {"elfoffload.qos",
       [](Test& t) {
         t.sendQos();
         t.expectStays([](const Frame& f) { return f.record.skipped; });
         t.set("false");
         t.expectStays([](const Frame& f) { return !f.record.skipped; });
         t.set("true");
         t.expectStays([](const Frame& f) { return f.record.skipped; });
       }},
      {"elfoffload.leaky",
       [](Test& t) {
         t.set("elfoffload", "deadline", "200");
         t.gateA_.close();
         t.gateB_.close();
         t.set("true");
         t.expectSoon([](const Frame& f) { return f.record.skipped; });
         t.gateA_.open();
         t.gateB_.open();
         t.set("false");
         t.expectStays([](const Frame& f) { return !f.record.skipped; });
       }},
      {"elfoffload.hedging",
       [](Test& t) {
         for (int i = 0; i < 40; ++i) ASSERT_TRUE(t.next());
         EXPECT_EQ(t.statistic("parts-hedged"), 0U);
         t.set("100");
         t.gateA_.close();
         t.expectSoon([&](const Frame&) { return t.statistic("parts-hedged") > 0; });
       }},
      {"elfmerge.draw-boxes", draws},
      {"elfmerge.draw-labels", draws},
      {"elfmerge.draw-masks", draws},
      {"elfmerge.draw-keypoints", draws},
      {"elfmerge.draw-rps", draws},
      {"elfmerge.draw-parts", draws},
      {"elfmerge.draw-statistics", draws},
      {"elfmerge.post-messages",
       [](Test& t) {
         EXPECT_EQ(t.results(), 0);
         t.set("true");
         t.expectSoon([&](const Frame&) { return t.results() > 0; });
         t.set("false");
         for (int i = 0; i < 18; ++i) ASSERT_TRUE(t.next());
         t.results();
         t.expectStays([&](const Frame&) { return t.results() == 0; });
       }},
      // MergeInTheLoop.TwoClassesOfOneObjectAreMergedWhereThatIsAskedFor
      {"elfmerge.across-classes", [](Test&) {}},
      // MergeInTheLoop.TheMergeModeHoldsFromTheFirstFrameOnAndChangesWhilePlaying
      {"elfmerge.merge-mode", [](Test&) {}},
      {"elfmerge.report-missed",
       [](Test& t) {
         const auto coasted = [](const Frame& f) {
           return f.record.inferred && !f.record.answers.empty() &&
                  std::ranges::any_of(f.record.detections, &Detection::coasted);
         };
         t.set("true");
         for (int i = 0; i < 18; ++i) ASSERT_TRUE(t.next());
         t.blind_ = true;
         t.expectSoon(coasted);
         t.blind_ = false;
         t.set("false");
         for (int i = 0; i < 18; ++i) ASSERT_TRUE(t.next());
         t.blind_ = true;
         t.expectStays([&](const Frame& f) { return !coasted(f); });
       }},
  };
}

/** Those of all four elements that say that they may be set while playing. */
std::vector<std::string> MutableProperty::names() {
  std::vector<std::string> names;
  for (const char* name : {"elfrppredict", "elfpartition", "elfoffload", "elfmerge"}) {
    GstElement* made = gst_element_factory_make(name, nullptr);
    if (!made) continue;
    guint count = 0;
    GParamSpec** specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(made), &count);
    for (guint i = 0; i < count; ++i)
      if (specs[i]->owner_type == G_OBJECT_TYPE(made) &&
          (specs[i]->flags & GST_PARAM_MUTABLE_PLAYING))
        names.push_back(std::string(name) + "." + specs[i]->name);
    g_free(specs);
    gst_object_unref(made);
  }
  return names;
}

TEST_P(MutableProperty, TakesEffectWhilePlaying) {
  play();
  checks().at(GetParam())(*this);
}

std::vector<std::string> checked() {
  struct Access : MutableProperty {
    void TestBody() override {}
    static std::vector<std::string> all() {
      std::vector<std::string> all;
      for (const auto& [name, check] : checks()) all.push_back(name);
      return all;
    }
  };
  return Access::all();
}

INSTANTIATE_TEST_SUITE_P(Elf, MutableProperty, ::testing::ValuesIn(checked()),
                         [](const auto& property) {
                           std::string name = property.param;
                           std::ranges::replace_if(
                               name, [](char c) { return c == '.' || c == '-'; }, '_');
                           return name;
                         });

TEST(MutableProperties, AreAllOfThemSetWhilePlayingByATest) {
  std::vector<std::string> names = MutableProperty::names(), tested = checked();
  std::ranges::sort(names);
  std::ranges::sort(tested);
  EXPECT_EQ(names, tested);
}

}  // namespace
}  // namespace elf::gst
