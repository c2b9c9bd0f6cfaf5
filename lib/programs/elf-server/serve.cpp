// SPDX-License-Identifier: LGPL-2.1-or-later
#include <glib-unix.h>
#include <glib.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "elf/avahi/announced_server.h"
#include "elf/avahi/server_announcer.h"
#include "elf/base/error.h"
#include "elf/base/glib.h"
#include "elf/base/line_file.h"
#include "elf/base/network_address.h"
#include "elf/base/output_file.h"
#include "elf/base/printable.h"
#include "elf/base/token_file.h"
#include "elf/decode/recognise.h"
#include "elf/model/model_file.h"
#include "elf/server/inference_model.h"
#include "elf/server/server.h"
#include "programs/elf-server/command_line.h"
#include "programs/elf-server/tasks.h"
#include "programs/service/report.h"
#include "programs/service/service_manager.h"

namespace elf::program {

namespace {

/** The values of a JSON object as fields of the journal, such as ELF_MODEL=hog. */
std::vector<std::string> fieldsOf(const std::string& object) {
  std::vector<std::string> fields;
  const auto parsed = nlohmann::json::parse(object);
  for (const auto& [key, value] : parsed.items()) {
    const Ref<gchar> name(g_ascii_strup(key.c_str(), -1));
    fields.push_back(std::string("ELF_") + name.get() + "=" +
                     (value.is_string() ? value.get<std::string>() : value.dump()));
  }
  return fields;
}

/** Appends lines to a file, or to standard output. */
class Log {
 public:
  explicit Log(const std::string& file)
      : isStandardOutput_(file == "-"),
        file_(isStandardOutput_ ? std::make_unique<LineFile>("standard output", dup(STDOUT_FILENO))
                                : std::make_unique<LineFile>(file)) {}

  void write(const std::string& line) {
    if (isStandardOutput_ && logsToJournal()) return writeToJournal(LOG_INFO, line, fieldsOf(line));
    const std::string news = file_->append(line);
    if (!news.empty()) report(file_->failure() ? LOG_ERR : LOG_INFO, news);
  }

 private:
  const bool isStandardOutput_;
  const std::unique_ptr<LineFile> file_;
};

/** Reports how a network was recognised if its file does not state everything. */
void tell(const InferenceModel& model) {
  report(LOG_INFO, model.name() + ": taken for " + describe(model.file()) + "; " + model.runtime());
}

ModelFactory factoryOf(const ModelFile& file) {
  return [file, told = file.decoder != OutputDecoder::Auto]() mutable {
    auto model = InferenceModel::create(file);
    if (!std::exchange(told, true) && !model->runtime().empty()) tell(*model);
    return model;
  };
}

/** What a server needs, read from the files that the options name. */
struct Loaded {
  explicit Loaded(const Options& options) : settings(options.server) {
    for (const std::string& model : options.models) {
      const ModelFile file = loadModelFile(model);
      tryInChild(model, file, options);
      names.push_back(file.name);
      factories.push_back(factoryOf(file));
    }
    if (options.announce) encodeTxt(names, true);  // fails now rather than later
    if (!options.tokenFile.empty()) settings.token = readToken("--token-file", options.tokenFile);
    if (!options.logFile.empty())
      settings.log = [log = std::make_shared<Log>(options.logFile)](const std::string& line) {
        log->write(line);
      };
    settings.heartbeatInterval = watchdogInterval();
    settings.heartbeat = [] { notifyManager("WATCHDOG=1"); };
  }

  ServerOptions settings;
  std::vector<std::string> names;
  std::vector<ModelFactory> factories;
};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

void writeJson(const Options& options, const std::vector<std::string>& models,
               const std::string& url) {
  const std::string text =
      nlohmann::json{{"url", url}, {"models", models}, {"threads", options.server.threads}}.dump(
          -1, ' ', false, nlohmann::json::error_handler_t::replace);
  writeFile(options.jsonFile, text + '\n');
}

/** `url` is the server's. */
void warnIfOpen(const ServerOptions& settings, const std::string& url) {
  const Ref<GUri> uri(g_uri_parse(url.c_str(), G_URI_FLAGS_NONE, nullptr));
  const std::string host = g_uri_get_host(uri.get());
  if (settings.token.empty() && settings.clientCa.empty() && !isLoopback(host))
    report(LOG_WARNING,
           "warning: " + host +
               " can be reached from other machines, and everybody is served; see --token-file");
}

void tellAnnounced(bool announced, const std::string& what) {
  report(announced ? LOG_INFO : LOG_WARNING,
         announced ? "announced as " + printable(what) : "warning: not announced: " + what);
}

/** The server, and what it takes to reload it. */
class Service {
 public:
  Service(const Options& options, const std::vector<std::string>& arguments, const Loaded& loaded)
      : options_(options), arguments_(arguments), server_(loaded.factories, loaded.settings) {
    warnIfOpen(loaded.settings, server_.url());
    if (options.announce)
      announcer_ = std::make_unique<ServerAnnouncer>(server_.url(), loaded.names, tellAnnounced);
    std::cout << "listening " << server_.url() << std::endl;
    if (!options.jsonFile.empty()) writeJson(options, loaded.names, server_.url());
    ready("serves " + joined(loaded.names));
  }

  void reload() {
    notifyManager("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(g_get_monotonic_time()));
    try {
      Options options = parseOptions(arguments_);
      keepWhatNeedsARestart(options);
      const Loaded loaded(options);
      std::unique_ptr<ServerAnnouncer> newAnnouncer;
      if (options.announce && !announcer_)
        newAnnouncer =
            std::make_unique<ServerAnnouncer>(server_.url(), loaded.names, tellAnnounced);
      server_.reload(loaded.factories, loaded.settings);
      options_ = options;
      if (!options.announce || newAnnouncer) announcer_ = std::move(newAnnouncer);
      if (announcer_) announcer_->setModels(loaded.names);
      warnIfOpen(loaded.settings, server_.url());
      report(LOG_INFO, "reloaded, serves " + joined(loaded.names));
      ready("serves " + joined(loaded.names));
    } catch (const std::exception& error) {
      const std::string text = std::string("not reloaded, goes on as before: ") + error.what();
      report(LOG_ERR, text);
      ready(text);
    }
  }

  bool stop() {
    notifyManager("STOPPING=1\nSTATUS=waits for running requests");
    announcer_.reset();
    return server_.stop();
  }

 private:
  void ready(const std::string& status) const {
    notifyManager("READY=1\nSTATUS=" + printable(server_.url() + ": " + status));
  }

  /** Puts back what a reload cannot change, and reports it. */
  void keepWhatNeedsARestart(Options& options) const {
    std::vector<std::string> changed;
    const auto keep = [&changed](const char* name, auto& now, const auto& then) {
      if (now != then) changed.emplace_back(name);
      now = then;
    };
    keep("bind", options.server.bind, options_.server.bind);
    keep("port", options.server.port, options_.server.port);
    keep("json", options.jsonFile, options_.jsonFile);
    keep("openvino-dir", options.openVinoFolder, options_.openVinoFolder);
    if (options.server.tlsCert.empty() != options_.server.tlsCert.empty()) {
      keep("tls-cert", options.server.tlsCert, options_.server.tlsCert);
      options.server.tlsKey = options_.server.tlsKey;
      options.server.clientCa = options_.server.clientCa;
    }
    if (!changed.empty()) report(LOG_WARNING, "changed, but needs a restart: " + joined(changed));
  }

  /** Those in force. */
  Options options_;
  const std::vector<std::string> arguments_;
  Server server_;
  /** Null: it is not announced. */
  std::unique_ptr<ServerAnnouncer> announcer_;
};

gboolean quit(gpointer loop) {
  g_main_loop_quit(static_cast<GMainLoop*>(loop));
  return G_SOURCE_CONTINUE;
}

gboolean reload(gpointer service) {
  static_cast<std::optional<Service>*>(service)->value().reload();
  return G_SOURCE_CONTINUE;
}

}  // namespace

void serve(const Options& options, const std::vector<std::string>& arguments) {
  requireWritable(options.jsonFile);
  const int socket = takeHandedSocket();
  Loaded loaded(options);
  loaded.settings.socket = socket;
  std::optional<Service> service;
  const Ref<GMainLoop> loop(g_main_loop_new(nullptr, FALSE));
  // Signals that arrive before the loop runs wait for it.
  g_unix_signal_add(SIGINT, quit, loop.get());
  g_unix_signal_add(SIGTERM, quit, loop.get());
  g_unix_signal_add(SIGHUP, reload, &service);
  service.emplace(options, arguments, loaded);
  g_main_loop_run(loop.get());
  if (service->stop()) return;
  report(LOG_ERR, "gave up on a request that was still running");
  std::_Exit(EXIT_FAILURE);
}

}  // namespace elf::program
