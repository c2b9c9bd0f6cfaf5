// SPDX-License-Identifier: LGPL-2.1-or-later
// elf-server: serves one model over HTTP (docs/server.md).
#include <glib-unix.h>
#include <glib.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <opencv2/core/utility.hpp>
#include <string>

#include "elf/base/data_files.h"
#include "elf/base/error.h"
#include "elf/model/model_file.h"
#include "elf/server/server.h"

namespace {

constexpr int kFailed = 1;
constexpr int kWrongUse = 2;

struct Options {
  std::string model = "hog";
  std::string jsonFile;
  bool list = false;
  bool version = false;
  elf::ServerOptions server;
};

int wrongUse(const std::string& why) {
  std::cerr << "elf-server: " << why << "; see elf-server --help\n";
  return kWrongUse;
}

/** Fills `options`; returns why it could not, or nothing. */
std::string parse(int argc, char** argv, Options& options) {
  gchar* model = nullptr;
  gchar* bind = nullptr;
  gchar* json = nullptr;
  gint port = 8000;
  gint threads = options.server.threads;
  gint queue = static_cast<gint>(options.server.queue);
  gboolean list = FALSE;
  gboolean version = FALSE;
  const GOptionEntry entries[] = {
      {"model", 'm', 0, G_OPTION_ARG_FILENAME, &model, "Model to serve (default: hog)",
       "NAME|FILE"},
      {"port", 'p', 0, G_OPTION_ARG_INT, &port, "Port; 0 takes any free one (default: 8000)", "N"},
      {"bind", 0, 0, G_OPTION_ARG_STRING, &bind, "Address to listen on (default: 127.0.0.1)",
       "ADDRESS"},
      {"threads", 0, 0, G_OPTION_ARG_INT, &threads,
       "Worker threads, each with the model to itself (default: 1)", "N"},
      {"queue", 0, 0, G_OPTION_ARG_INT, &queue,
       "Requests that may wait; one more is answered with 503 (default: 16)", "N"},
      {"json", 0, 0, G_OPTION_ARG_FILENAME, &json,
       "Write url, model and threads as JSON once it listens; - is standard output", "FILE"},
      {"list", 0, 0, G_OPTION_ARG_NONE, &list, "List the models that are found, and end", nullptr},
      {"version", 0, 0, G_OPTION_ARG_NONE, &version, "Print the version, and end", nullptr},
      {nullptr, 0, 0, G_OPTION_ARG_NONE, nullptr, nullptr, nullptr}};
  GOptionContext* context = g_option_context_new("- serve a model over HTTP");
  g_option_context_add_main_entries(context, entries, nullptr);
  GError* error = nullptr;
  const bool parsed = g_option_context_parse(context, &argc, &argv, &error);
  g_option_context_free(context);
  const auto take = [](gchar* text, std::string& to) {
    if (text) to = text;
    g_free(text);
  };
  take(model, options.model);
  take(bind, options.server.bind);
  take(json, options.jsonFile);
  if (!parsed) {
    const std::string why = error->message;
    g_error_free(error);
    return why;
  }
  if (argc > 1) return std::string("unexpected argument '") + argv[1] + "'";
  if (options.model.empty()) return "--model: is empty";
  if (port < 0 || port > 65535) return "--port: is not between 0 and 65535";
  if (threads < 1 || threads > 256) return "--threads: is not between 1 and 256";
  if (queue < 0 || queue > 10000) return "--queue: is not between 0 and 10000";
  options.server.port = static_cast<std::uint16_t>(port);
  options.server.threads = threads;
  options.server.queue = static_cast<std::size_t>(queue);
  options.list = list;
  options.version = version;
  return {};
}

void writeJson(const Options& options, const std::string& model, const std::string& url) {
  const std::string text =
      nlohmann::json{{"url", url}, {"model", model}, {"threads", options.server.threads}}.dump(
          -1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (options.jsonFile == "-") {
    std::cout << text << std::endl;
    return;
  }
  std::ofstream out(options.jsonFile);
  out << text << '\n';
  out.close();
  if (!out) throw elf::Error(options.jsonFile, "cannot be written");
}

gboolean quit(gpointer loop) {
  g_main_loop_quit(static_cast<GMainLoop*>(loop));
  return G_SOURCE_CONTINUE;
}

void serve(const Options& options) {
  // Each worker thread is one core's worth of work; OpenCV must not make it several.
  cv::setNumThreads(1);
  GMainLoop* loop = g_main_loop_new(nullptr, FALSE);
  g_unix_signal_add(SIGINT, quit, loop);
  g_unix_signal_add(SIGTERM, quit, loop);
  const elf::ModelFile file = elf::loadModelFile(options.model);
  elf::Server server({[&file] { return elf::InferenceModel::create(file); }}, options.server);
  std::cout << "listening " << server.url() << std::endl;
  if (!options.jsonFile.empty()) writeJson(options, file.name, server.url());
  g_main_loop_run(loop);
  g_main_loop_unref(loop);
  if (!server.stop()) {
    std::cerr << "elf-server: gave up on a request that was still running\n";
    std::_Exit(kFailed);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (const std::string why = parse(argc, argv, options); !why.empty()) return wrongUse(why);
  try {
    if (options.version) {
      std::cout << "elf-server " << ELF_VERSION << '\n';
    } else if (options.list) {
      for (const std::string& name : elf::listDataFiles(elf::kModelFiles)) std::cout << name << '\n';
    } else {
      serve(options);
    }
  } catch (const std::exception& error) {
    std::cerr << "elf-server: " << error.what() << '\n';
    return kFailed;
  }
  return 0;
}
