// SPDX-License-Identifier: LGPL-2.1-or-later
// elf-server: serves models over HTTP (docs/server.md).
#include <glib-unix.h>
#include <glib.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <opencv2/core/utility.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "elf/base/error.h"
#include "elf/base/glib.h"
#include "elf/base/network_address.h"
#include "elf/base/output_file.h"
#include "elf/base/token_file.h"
#include "elf/decode/recognise.h"
#include "elf/model/model_file.h"
#include "elf/server/inference_model.h"
#include "elf/server/server.h"
#include "programs/elf-server/tasks.h"
#include "programs/options.h"

namespace {

constexpr int kFailed = 1;
constexpr int kWrongUse = 2;

using elf::program::Text;

struct Options {
  std::vector<std::string> models;
  std::string jsonFile;
  std::string logFile;
  std::string tokenFile;
  std::string check;
  std::string picture;
  std::string output;
  std::string fetch;
  std::vector<std::string> from;
  bool list = false;
  bool version = false;
  elf::ServerOptions server;
};

int wrongUse(const std::string& why) {
  std::cerr << "elf-server: " << why << "; see elf-server --help\n";
  return kWrongUse;
}

/** The values of an option that may be given several times. */
std::vector<std::string> taken(gchar** texts) {
  std::vector<std::string> list;
  for (gchar** text = texts; text && *text; ++text) list.emplace_back(*text);
  g_strfreev(texts);
  return list;
}

/** Fills `options`. Returns the error, or an empty text. */
std::string parse(int argc, char** argv, Options& options) {
  gchar** models = nullptr;
  gchar** from = nullptr;
  Text bind, json, log, token, cert, key, clientCa, check, picture, output, fetch;
  gint port = 8000;
  gint threads = options.server.threads;
  gint queue = static_cast<gint>(options.server.queue);
  gboolean showAnswers = FALSE;
  gboolean list = FALSE;
  gboolean version = FALSE;
  const GOptionEntry entries[] = {
      {"model", 'm', 0, G_OPTION_ARG_FILENAME_ARRAY, &models,
       elf::hasHog() ? "Model to serve; may be given several times (default: hog)"
                     : "Model to serve; may be given several times",
       "NAME|FILE"},
      {"port", 'p', 0, G_OPTION_ARG_INT, &port, "Port; 0 takes any free one (default: 8000)", "N"},
      {"bind", 0, 0, G_OPTION_ARG_STRING, bind.slot(), "Address to listen on (default: 127.0.0.1)",
       "ADDRESS"},
      {"token-file", 0, 0, G_OPTION_ARG_FILENAME, token.slot(),
       "Serve only those who bring the token in this file", "FILE"},
      {"tls-cert", 0, 0, G_OPTION_ARG_FILENAME, cert.slot(),
       "Certificate of this server, PEM: speak HTTPS", "FILE"},
      {"tls-key", 0, 0, G_OPTION_ARG_FILENAME, key.slot(), "Its key, PEM", "FILE"},
      {"client-ca", 0, 0, G_OPTION_ARG_FILENAME, clientCa.slot(),
       "Serve only clients with a certificate of these authorities, PEM", "FILE"},
      {"threads", 0, 0, G_OPTION_ARG_INT, &threads,
       "Worker threads of each model, each with the model to itself (default: 1)", "N"},
      {"queue", 0, 0, G_OPTION_ARG_INT, &queue,
       "Requests that may wait for a model; one more is answered with 503 (default: 16)", "N"},
      {"show-answers", 0, 0, G_OPTION_ARG_NONE, &showAnswers,
       "Show the last picture of each model, small, and what was found there at /", nullptr},
      {"log", 0, 0, G_OPTION_ARG_FILENAME, log.slot(),
       "Append a JSON line for each request; - is standard output", "FILE"},
      {"json", 0, 0, G_OPTION_ARG_FILENAME, json.slot(),
       "Write url, models and threads as JSON once it listens; - is standard output", "FILE"},
      {"check", 0, 0, G_OPTION_ARG_FILENAME, check.slot(),
       "Run this model on a picture, say what it finds and takes, and end", "NAME|FILE"},
      {"picture", 0, 0, G_OPTION_ARG_FILENAME, picture.slot(),
       "For --check: a JPEG or PNG (default: one is made)", "FILE"},
      {"output", 0, 0, G_OPTION_ARG_FILENAME, output.slot(),
       "For --check: where the picture goes with what was found drawn (default: NAME-check.png)",
       "FILE"},
      {"fetch", 0, 0, G_OPTION_ARG_FILENAME, fetch.slot(),
       "Download the files of this model, as its .model file says, and end", "NAME|FILE"},
      {"from", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &from,
       "For --fetch: take them from there; once for each file, in its order", "URL|FILE"},
      {"list", 0, 0, G_OPTION_ARG_NONE, &list, "List the models that are found, and end", nullptr},
      {"version", 0, 0, G_OPTION_ARG_NONE, &version, "Print the version, and end", nullptr},
      {nullptr, 0, 0, G_OPTION_ARG_NONE, nullptr, nullptr, nullptr}};
  const elf::Ref<GOptionContext> context(g_option_context_new("- serve models over HTTP"));
  g_option_context_add_main_entries(context.get(), entries, nullptr);
  GError* error = nullptr;
  const bool parsed = g_option_context_parse(context.get(), &argc, &argv, &error);
  options.models = taken(models);
  options.from = taken(from);
  if (!parsed) return elf::takeReason(error);
  options.jsonFile = json.valueOr("");
  options.logFile = log.valueOr("");
  options.tokenFile = token.valueOr("");
  options.check = check.valueOr("");
  options.picture = picture.valueOr("");
  options.output = output.valueOr("");
  options.fetch = fetch.valueOr("");
  options.server.bind = bind.valueOr(options.server.bind);
  options.server.tlsCert = cert.valueOr("");
  options.server.tlsKey = key.valueOr("");
  options.server.clientCa = clientCa.valueOr("");
  if (argc > 1) return std::string("unexpected argument '") + argv[1] + "'";
  if (std::ranges::count(options.models, "") > 0) return "--model: is empty";
  if (std::ranges::count(options.from, "") > 0) return "--from: is empty";
  // An unset shell variable must not open the server.
  for (const auto& [name, text] : {std::pair<const char*, const Text&>{"--bind", bind},
                                   {"--token-file", token},
                                   {"--tls-cert", cert},
                                   {"--tls-key", key},
                                   {"--client-ca", clientCa},
                                   {"--log", log},
                                   {"--json", json},
                                   {"--check", check},
                                   {"--picture", picture},
                                   {"--output", output},
                                   {"--fetch", fetch}})
    if (text.valueOr("-").empty()) return std::string(name) + ": is empty";
  for (const auto& [name, model] :
       {std::pair("--check", options.check), {"--fetch", options.fetch}})
    if (!model.empty() && !options.models.empty())
      return std::string("--model: is nothing beside ") + name + ", which names its model";
  if (!options.check.empty() && !options.fetch.empty())
    return "--check and --fetch: are two things (fetch first)";
  if (options.fetch.empty() && !options.from.empty()) return "--from: is nothing without --fetch";
  if (options.models.empty() && elf::hasHog()) options.models = {"hog"};
  if (options.models.empty() && options.check.empty() && options.fetch.empty() && !list && !version)
    return "--model: is missing, and this build lacks hog (give one that --list names)";
  if (options.check.empty() && !(options.picture.empty() && options.output.empty()))
    return "--picture and --output: are nothing without --check";
  if (port < 0 || port > 65535) return "--port: is not between 0 and 65535";
  if (threads < 1 || threads > 256) return "--threads: is not between 1 and 256";
  if (queue < 0 || queue > 10000) return "--queue: is not between 0 and 10000";
  if (options.server.tlsCert.empty() != options.server.tlsKey.empty())
    return "--tls-cert and --tls-key: one is nothing without the other";
  if (!options.server.clientCa.empty() && options.server.tlsCert.empty())
    return "--client-ca: is nothing without --tls-cert";
  options.server.port = static_cast<std::uint16_t>(port);
  options.server.threads = threads;
  options.server.queue = static_cast<std::size_t>(queue);
  options.server.showAnswers = showAnswers;
  options.list = list;
  options.version = version;
  return {};
}

/** Appends lines to a file. Lives as long as the file is open. */
class Log {
 public:
  explicit Log(const std::string& file) : file_(file) {
    // Each line is one write, and a failed one leaves nothing for the next.
    stream_.rdbuf()->pubsetbuf(nullptr, 0);
    elf::requireWritable(file);
    if (file != "-") stream_.open(file, std::ios::app);
  }

  void write(const std::string& line) {
    std::ostream& out = file_ == "-" ? std::cout : stream_;
    out << line + '\n' << std::flush;
    const bool failedBefore = std::exchange(failed_, !out);
    if (failed_ && !failedBefore) std::cerr << "elf-server: " << file_ << ": cannot be written\n";
    out.clear();
  }

 private:
  const std::string file_;
  std::ofstream stream_;
  bool failed_ = false;
};

void writeJson(const Options& options, const std::vector<elf::ModelFile>& files,
               const std::string& url) {
  nlohmann::json models = nlohmann::json::array();
  for (const elf::ModelFile& file : files) models.push_back(file.name);
  const std::string text = nlohmann::json{
      {"url", url},
      {"models", std::move(models)},
      {"threads",
       options.server.threads}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  elf::writeFile(options.jsonFile, text + '\n');
}

gboolean quit(gpointer loop) {
  g_main_loop_quit(static_cast<GMainLoop*>(loop));
  return G_SOURCE_CONTINUE;
}

/** Reports how a network was recognised if its file does not state everything. */
void tell(const elf::InferenceModel& model) {
  std::cerr << "elf-server: " << model.name() << ": taken for " << elf::describe(model.file())
            << "; " << model.runtime() << '\n';
}

elf::ModelFactory factoryOf(const elf::ModelFile& file) {
  return [file, told = file.decoder != elf::OutputDecoder::Auto]() mutable {
    auto model = elf::InferenceModel::create(file);
    if (!std::exchange(told, true) && !model->runtime().empty()) tell(*model);
    return model;
  };
}

void serve(const Options& options) {
  std::vector<elf::ModelFile> files;
  std::vector<elf::ModelFactory> models;
  for (const std::string& model : options.models) {
    files.push_back(elf::loadModelFile(model));
    // Before GLib starts threads.
    elf::program::tryInChild(files.back());
    models.push_back(factoryOf(files.back()));
  }
  const elf::Ref<GMainLoop> loop(g_main_loop_new(nullptr, FALSE));
  g_unix_signal_add(SIGINT, quit, loop.get());
  g_unix_signal_add(SIGTERM, quit, loop.get());
  elf::requireWritable(options.jsonFile);
  elf::ServerOptions settings = options.server;
  if (!options.tokenFile.empty())
    settings.token = elf::readToken("--token-file", options.tokenFile);
  std::optional<Log> log;
  if (!options.logFile.empty()) {
    log.emplace(options.logFile);
    settings.log = [&log](const std::string& line) { log->write(line); };
  }
  elf::Server server(models, settings);
  if (settings.token.empty() && settings.clientCa.empty() && !elf::isLoopback(settings.bind))
    std::cerr << "elf-server: warning: " << settings.bind
              << " can be reached from other machines, and everybody is served; see --token-file\n";
  std::cout << "listening " << server.url() << std::endl;
  if (!options.jsonFile.empty()) writeJson(options, files, server.url());
  g_main_loop_run(loop.get());
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
      elf::program::listModels();
    } else if (!options.fetch.empty()) {
      elf::program::fetchModel(options.fetch, options.from);
    } else {
      // Each worker thread is one core's worth of work. OpenCV must not make it several.
      cv::setNumThreads(1);
      // elf-server reports each failure once, itself.
      cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
      if (!options.check.empty())
        elf::program::checkModel(options.check, options.picture, options.output);
      else
        serve(options);
    }
  } catch (const std::exception& error) {
    std::cerr << "elf-server: " << error.what() << '\n';
    return kFailed;
  }
  return 0;
}
