// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include "elf/base/data_files.h"
#include "elf/base/error.h"
#include "elf/base/printable.h"
#include "elf/model/model_file.h"
#include "elf/runtime/session.h"
#include "elf/server/inference_model.h"
#include "programs/elf-server/tasks.h"

namespace elf::program {

namespace {

using Row = std::array<std::string, 4>;

std::string stateOfFiles(const ModelFile& model) {
  if (model.backend == ModelBackend::Hog && !hasHog()) return "not in this build";
  if (model.files.empty()) return "no file needed";
  try {
    weightFiles(model);
    if (model.detector) weightFiles(*model.detector);
    return "there";
  } catch (const Error& error) {
    return error.what();
  }
}

Row rowOf(const std::string& name) {
  try {
    const ModelFile model = loadModelFile(name);
    // A library states its task only once it is loaded.
    return {printable(name),
            model.backend == ModelBackend::Library ? "-" : std::string(taskOf(model.rules)),
            std::string(toString(model.backend)), stateOfFiles(model)};
  } catch (const Error& error) {
    return {printable(name), "-", "-", error.what()};
  }
}

}  // namespace

void listModels() {
  std::vector<Row> rows{{"NAME", "TASK", "BACKEND", "FILES"}};
  for (const std::string& name : listDataFiles(kModelFiles)) rows.push_back(rowOf(name));
  std::array<std::size_t, 4> widths{};
  for (const Row& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  for (const Row& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i)
      std::cout << std::left << std::setw(static_cast<int>(widths[i]) + 2) << row[i];
    std::cout << row.back() << '\n';
  }
  std::cout << "\nRuntimes of network files:\n";
  for (const RuntimeState& runtime : listRuntimes())
    std::cout << "  " << std::left << std::setw(12) << runtime.backend << ' '
              << (runtime.usable ? "" : "not here: ") << printable(runtime.state, 500) << '\n';
}

}  // namespace elf::program
