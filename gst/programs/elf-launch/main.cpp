// SPDX-License-Identifier: LGPL-2.1-or-later
// elf-launch: runs a `.pipeline` file until it ends (docs/elf-launch.md).
#include <gst/gst.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "elf/base/data_files.h"
#include "elf/base/error.h"
#include "elf/base/glib.h"
#include "elf/base/output_file.h"
#include "elf/base/passwords.h"
#include "gst/elfvision/gstelfpipeline.h"
#include "gst/elfvision/gstelfpipelinefile.h"
#include "gst/elfvision/gstelfvideo.h"
#include "gst/programs/elf-launch/command_line.h"
#include "gst/programs/elf-launch/run.h"
#include "programs/service/report.h"

namespace elf::program {

namespace {

constexpr int kFailed = 1;
constexpr int kWrongUse = 2;

int fail(int code, const std::string& what) {
  report(LOG_ERR, withoutPasswords(what));
  return code;
}

int list() {
  bool allGood = true;
  for (const std::string& name : listDataFiles(kPipelineFiles)) {
    try {
      const gst::PipelineFile file = gst::readPipelineFile(findDataFile(kPipelineFiles, name));
      std::printf("%s\n    %s\n", name.c_str(), file.description.c_str());
      for (const gst::PipelineVariable& v : file.variables)
        std::printf("      %-12s %s%s\n", (v.name + "=").c_str(), v.help.c_str(),
                    v.initial ? (" [" + *v.initial + "]").c_str() : " (required)");
    } catch (const Error& error) {
      allGood = false;
      report(LOG_ERR, error.what());
    }
  }
  return allGood ? 0 : kFailed;
}

int runPipeline(const Options& options) {
  requireWritable(options.json);
  std::vector<const char*> assignments;
  for (const std::string& each : options.assignments) assignments.push_back(each.c_str());
  assignments.push_back(nullptr);
  GError* error = nullptr;
  GstElement* pipeline = gst_elf_pipeline_new(options.name.c_str(), assignments.data(), &error);
  if (!pipeline) {
    const bool misused =
        g_error_matches(error, GST_ELF_PIPELINE_ERROR, GST_ELF_PIPELINE_ERROR_NOT_FOUND) ||
        g_error_matches(error, GST_ELF_PIPELINE_ERROR, GST_ELF_PIPELINE_ERROR_VARIABLE);
    return fail(misused ? kWrongUse : kFailed, takeReason(error));
  }
  Run run(pipeline, options);
  const bool good = run.toTheEnd();
  if (!options.json.empty())
    writeFile(
        options.json,
        run.summary().dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n');
  return good ? 0 : kFailed;
}

int perform(int argc, char** argv) {
  try {
    const Options options = parseOptions(argc, argv);
    if (options.version) return std::printf("elf-launch %s\n", ELF_VERSION), 0;
    gst::readOrientationOfPhotos();
    return options.list ? list() : runPipeline(options);
  } catch (const WrongUse& error) {
    return fail(kWrongUse, error.what());
  } catch (const std::exception& error) {
    return fail(kFailed, error.what());
  }
}

}  // namespace

}  // namespace elf::program

int main(int argc, char** argv) {
  // Until the run takes it: it would end the program, and systemd would take that for its own wish.
  std::signal(SIGHUP, SIG_IGN);
  return elf::program::perform(argc, argv);
}
