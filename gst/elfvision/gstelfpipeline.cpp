// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfpipeline.h"

#include <map>
#include <string>

#include "elf/base/data_files.h"
#include "elf/base/error.h"
#include "elf/base/glib.h"
#include "gst/elfvision/gstelflaunchline.h"
#include "gst/elfvision/gstelfpipelinefile.h"

// clang-format puts spaces into the name that G_DEFINE_QUARK() takes.
GQuark gst_elf_pipeline_error_quark(void) {
  return g_quark_from_static_string("gst-elf-pipeline-error-quark");
}

namespace {

using Values = std::map<std::string, std::string>;

Values parseAssignments(const char* const* assignments) {
  Values values;
  for (; assignments && *assignments; ++assignments) {
    const std::string assignment = *assignments;
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0)
      throw elf::Error("'" + assignment + "'", "not of the form variable=value");
    values[assignment.substr(0, equals)] = assignment.substr(equals + 1);
  }
  return values;
}

// A launch line with a single element makes that element, not a pipeline.
GstElement* inPipeline(GstElement* element) {
  if (GST_IS_PIPELINE(element)) return element;
  GstElement* pipeline = gst_pipeline_new(nullptr);
  gst_bin_add(GST_BIN(pipeline), element);
  return pipeline;
}

GstElement* parse(const std::string& path, const std::string& line, GError** error) {
  elf::gst::requireValuesThatFit(path, line);
  GError* wrong = nullptr;
  GstElement* element =
      gst_parse_launch_full(line.c_str(), nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &wrong);
  if (wrong) {
    if (element) gst_object_unref(gst_object_ref_sink(element));
    g_set_error(error, GST_ELF_PIPELINE_ERROR, GST_ELF_PIPELINE_ERROR_LAUNCH,
                "%s: key 'launch' of group [pipeline]: %s", path.c_str(),
                elf::takeReason(wrong).c_str());
    return nullptr;
  }
  return inPipeline(element);
}

}  // namespace

GstElement* gst_elf_pipeline_new(const char* name_or_file, const char* const* assignments,
                                 GError** error) {
  g_return_val_if_fail(name_or_file != nullptr, nullptr);
  GstElfPipelineError step = GST_ELF_PIPELINE_ERROR_NOT_FOUND;
  try {
    const std::string path = elf::findDataFile(elf::kPipelineFiles, name_or_file);
    step = GST_ELF_PIPELINE_ERROR_FILE;
    const elf::gst::PipelineFile file = elf::gst::readPipelineFile(path);
    step = GST_ELF_PIPELINE_ERROR_VARIABLE;
    const std::string line = elf::gst::launchLine(file, parseAssignments(assignments));
    step = GST_ELF_PIPELINE_ERROR_LAUNCH;
    return parse(path, line, error);
  } catch (const std::exception& wrong) {
    g_set_error_literal(error, GST_ELF_PIPELINE_ERROR, step, wrong.what());
  }
  return nullptr;
}
