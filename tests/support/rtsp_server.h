// SPDX-License-Identifier: LGPL-2.1-or-later
// A network camera on loopback.
#pragma once

#include <gst/rtsp-server/rtsp-server.h>

#include <future>
#include <string>
#include <thread>

namespace elf::testing {

/** Serves one stream on `port` (0: a free one) from a thread of its own, until the destructor. */
class RtspServer {
 public:
  /** `launch` ends in a payloader that is called pay0. */
  explicit RtspServer(const std::string& launch, int port = 0) {
    std::promise<int> listening;
    std::future<int> bound = listening.get_future();
    thread_ = std::thread([this, launch, port, promise = std::move(listening)]() mutable {
      g_main_context_push_thread_default(context_);
      GstRTSPServer* server = gst_rtsp_server_new();
      gst_rtsp_server_set_address(server, "127.0.0.1");
      gst_rtsp_server_set_service(server, std::to_string(port).c_str());
      GstRTSPMediaFactory* factory = gst_rtsp_media_factory_new();
      gst_rtsp_media_factory_set_launch(factory, ("( " + launch + " )").c_str());
      GstRTSPMountPoints* mounts = gst_rtsp_server_get_mount_points(server);
      gst_rtsp_mount_points_add_factory(mounts, "/stream", factory);
      g_object_unref(mounts);
      const guint source = gst_rtsp_server_attach(server, context_);
      promise.set_value(gst_rtsp_server_get_bound_port(server));
      g_main_loop_run(loop_);
      gst_rtsp_server_client_filter(
          server, [](GstRTSPServer*, GstRTSPClient*, gpointer) { return GST_RTSP_FILTER_REMOVE; },
          nullptr);
      if (source) g_source_destroy(g_main_context_find_source_by_id(context_, source));
      g_object_unref(server);
      g_main_context_pop_thread_default(context_);
    });
    url_ = "rtsp://127.0.0.1:" + std::to_string(bound.get()) + "/stream";
  }
  RtspServer(const RtspServer&) = delete;
  RtspServer& operator=(const RtspServer&) = delete;
  ~RtspServer() {
    g_main_loop_quit(loop_);
    thread_.join();
    g_main_loop_unref(loop_);
    g_main_context_unref(context_);
  }

  const std::string& url() const { return url_; }

 private:
  GMainContext* context_ = g_main_context_new();
  GMainLoop* loop_ = g_main_loop_new(context_, FALSE);
  std::string url_;
  std::thread thread_;
};

}  // namespace elf::testing
