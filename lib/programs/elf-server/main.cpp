// SPDX-License-Identifier: LGPL-2.1-or-later
// elf-server: serves models over HTTP (docs/server.md).
#include <glib-unix.h>
#include <glib.h>

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
#include "programs/elf-server/command_line.h"
#include "programs/elf-server/tasks.h"

namespace {

constexpr int kFailed = 1;
constexpr int kWrongUse = 2;

using elf::program::Options;

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
  try {
    const Options options = elf::program::parseOptions({argv, argv + argc});
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
  } catch (const elf::program::WrongUse& error) {
    std::cerr << "elf-server: " << error.what() << "; see elf-server --help\n";
    return kWrongUse;
  } catch (const std::exception& error) {
    std::cerr << "elf-server: " << error.what() << '\n';
    return kFailed;
  }
  return 0;
}
