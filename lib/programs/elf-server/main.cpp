// SPDX-License-Identifier: LGPL-2.1-or-later
// elf-server: serves models over HTTP (docs/server.md).
#include <exception>
#include <iostream>
#include <opencv2/core/utility.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <string>
#include <vector>

#include "elf/runtime/session.h"
#include "programs/elf-server/command_line.h"
#include "programs/elf-server/tasks.h"
#include "programs/service/report.h"

namespace {

constexpr int kFailed = 1;
constexpr int kWrongUse = 2;

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> arguments(argv, argv + argc);
    const elf::program::Options options = elf::program::parseOptions(arguments);
    if (!options.openVinoFolder.empty()) elf::useOpenVinoIn(options.openVinoFolder);
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
        elf::program::checkModel(options);
      else if (!options.trial.empty())
        elf::program::tryModel(options.trial);
      else
        elf::program::serve(options, arguments);
    }
  } catch (const elf::program::WrongUse& error) {
    elf::program::report(LOG_ERR, std::string(error.what()) + "; see elf-server --help");
    return kWrongUse;
  } catch (const std::exception& error) {
    elf::program::report(LOG_ERR, error.what());
    return kFailed;
  }
  return 0;
}
