// SPDX-License-Identifier: LGPL-2.1-or-later
// The content of a `.pipeline` file (docs/pipeline-files.md).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace elf::gst {

struct PipelineVariable {
  std::string name;
  /** Unset: the caller must give a value. */
  std::optional<std::string> initial;
  std::string help;
};

struct PipelineFile {
  std::string path;
  std::string description;
  /** The {NAME} of its variables are not replaced yet. */
  std::string launch;
  /** In the order of the file. */
  std::vector<PipelineVariable> variables;
};

/**
 * Reads and checks a file. Throws elf::Error naming the file and the wrong group, key or variable.
 */
PipelineFile readPipelineFile(const std::string& path);

/**
 * The launch line with each {NAME} replaced by its value, and {{ and }} by { and }. A value always
 * stays one value. Inside a property's value it is escaped. Elsewhere, as in caps or an element's
 * name, it may hold only letters, digits and `_ - . /`. Throws elf::Error naming a variable whose
 * value is missing, unknown or not usable.
 */
std::string launchLine(const PipelineFile& file, const std::map<std::string, std::string>& values);

}  // namespace elf::gst
