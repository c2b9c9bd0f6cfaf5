// SPDX-License-Identifier: LGPL-2.1-or-later
// What a `.pipeline` file says (docs/pipeline-files.md).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace elf::gst {

struct PipelineVariable {
  std::string name;
  /** Unset: whoever runs the pipeline has to give a value. */
  std::optional<std::string> initial;
  std::string help;
};

struct PipelineFile {
  std::string path;
  std::string description;
  /** With the {NAME} of its variables still in it. */
  std::string launch;
  /** In the order of the file. */
  std::vector<PipelineVariable> variables;
};

/**
 * Reads and checks a file. Throws elf::Error naming the file and what is wrong in it: the group,
 * key or variable.
 */
PipelineFile readPipelineFile(const std::string& path);

/**
 * The launch line with each {NAME} replaced by its value, and {{ and }} by { and }. A value always
 * stays one value: it is escaped as a part of a property's value, and elsewhere (in caps, as an
 * element's name) it may hold only letters, digits and `_ - . /`. Throws elf::Error naming the
 * variable where a value is missing, unwanted or can't be used.
 */
std::string launchLine(const PipelineFile& file, const std::map<std::string, std::string>& values);

}  // namespace elf::gst
